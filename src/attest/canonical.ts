/**
 * One text for each JSON value, as RFC 8785 (JSON Canonicalization Scheme) has it: what is hashed or signed must be
 * the same bytes wherever it was written. Most of it is ECMAScript's own: JSON.stringify writes numbers and strings
 * exactly so. What it does not do is here: names in order of their UTF-16 units at every depth, whatever they look
 * like (an object literal moves a name `10` to the front), and no text that is not Unicode or number that JSON has
 * not.
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import { UsageError } from "../errors.js"
import { type Hex, shown } from "../statement/strict.js"

/** As deep as texts may be that are read (statement/json.ts). */
const maxDepth = 64

/**
 * Canonical text of a value of null, booleans, finite numbers, Unicode strings, arrays and plain objects.
 * Source: RFC 8785.
 * @throws UsageError for anything else in it, lone surrogates among that, and for more than 64 levels
 */
export const canonicalJson = (value: unknown): string => write(value, "value", 0)

function write(value: unknown, path: string, depth: number): string {
  if (value === null || typeof value === "boolean") return `${value}`
  if (typeof value === "number" && Number.isFinite(value)) return JSON.stringify(value)
  if (typeof value === "string") return text(value, path)
  if (depth === maxDepth) refuse(path, `at most ${maxDepth} levels`, value)
  if (Array.isArray(value))
    return `[${Array.from(value, (x, i) => write(x, `${path}[${i}]`, depth + 1)).join(",")}]`
  if (typeof value !== "object" || ![Object.prototype, null].includes(Object.getPrototypeOf(value)))
    refuse(path, "null, a boolean, a finite number, a string, an array or a plain object", value)
  const names = Object.keys(value as object).sort()
  const members = names.map((name) => {
    const at = `${path}[${JSON.stringify(name)}]`
    return `${text(name, at)}:${write((value as Record<string, unknown>)[name], at, depth + 1)}`
  })
  return `{${members.join(",")}}`
}

function text(value: string, path: string): string {
  if (/\p{Surrogate}/u.test(value)) refuse(path, "text of whole Unicode characters", value)
  return JSON.stringify(value)
}

function refuse(where: string, expected: string, value: unknown): never {
  throw new UsageError({ what: "has no canonical JSON", where, expected, given: shown(value) })
}

/** keccak256 of the canonical text of a value, in UTF-8. @throws UsageError as `canonicalJson` */
export const jsonDigest = (value: unknown): Hex => keccak(utf8ToBytes(canonicalJson(value)))

/** keccak256 as 0x and 64 hexadecimal digits. */
export const keccak = (bytes: Uint8Array): Hex => `0x${bytesToHex(keccak_256(bytes))}`
