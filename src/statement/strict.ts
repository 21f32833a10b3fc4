/**
 * Strict reading of untrusted JSON: every field is named, nothing is ignored, and each failure is a
 * FileError whose `where` is the path of the bad element (`statement.output.values["logits"][3]`).
 */
import { type Facts, FileError } from "../errors.js"
import { r } from "../field.js"
import { parseJson, type TextLimits } from "./json.js"

export { parseJson, type TextLimits } from "./json.js"

/** Bytes in hexadecimal, typed as Ethereum libraries type them. */
export type Hex = `0x${string}`

/** Canonical decimal integers: no sign "+", no "-0", no leading zero, no exponent, no hexadecimal. */
const canonicalInteger = /^(0|-?[1-9][0-9]*)$/
const canonicalBytes = /^0x([0-9a-f]{2})*$/
const canonicalBytes32 = /^0x[0-9a-f]{64}$/

export function fail(where: string, facts: Omit<Facts, "where">): never {
  throw new FileError({ where, ...facts })
}

/** What a message says about a value: its type, and the start of its text. */
export function shown(value: unknown): string {
  if (value === null) return "null"
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === "object" || typeof value === "function") return `an ${typeof value}`
  const text = String(value)
  return `${typeof value} \`${text.length > 80 ? `${text.slice(0, 80)}…` : text}\``
}

/** An object that is neither null nor an array. */
export function object(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    fail(path, { what: "wrong type", expected: "an object", given: shown(value) })
  return value as Record<string, unknown>
}

/** An object with exactly these fields, no more and no less. */
export function fields<K extends string>(
  value: unknown,
  path: string,
  names: readonly K[],
): Record<K, unknown> {
  const given = object(value, path)
  for (const name of names)
    if (!Object.hasOwn(given, name)) fail(path, { what: `field \`${name}\` is missing` })
  for (const name of Object.keys(given))
    if (!(names as readonly string[]).includes(name))
      fail(path, { what: `unknown field ${JSON.stringify(name)}`, expected: `only ${names.join(", ")}` })
  return given as Record<K, unknown>
}

/** An array, of `length` elements where a length is given; holes are refused. */
export function array(value: unknown, path: string, length?: number): readonly unknown[] {
  if (!Array.isArray(value)) fail(path, { what: "wrong type", expected: "an array", given: shown(value) })
  if (length !== undefined && value.length !== length)
    fail(path, { what: "wrong length", expected: `${length}`, given: `${value.length}` })
  return value
}

/** One of a few literal values. */
export function oneOf<T extends string | number>(value: unknown, path: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value)
  if (found === undefined)
    fail(path, { what: "unsupported value", expected: choices.join(" or "), given: shown(value) })
  return found
}

/** A canonical decimal string of an integer in [lo, hi]. */
export function integer(value: unknown, path: string, lo: bigint, hi: bigint): bigint {
  if (typeof value !== "string" || !canonicalInteger.test(value) || value.length > 80)
    fail(path, {
      what: "not a canonical decimal string",
      expected: 'a string such as "-12"',
      given: shown(value),
    })
  const number = BigInt(value)
  if (number < lo || number > hi)
    fail(path, { what: "integer out of range", expected: `${lo} to ${hi}`, given: value })
  return number
}

/** A canonical decimal string of an element of the scalar field. */
export const scalar = (value: unknown, path: string): bigint => integer(value, path, 0n, r - 1n)

/** 32 bytes as 0x and 64 lower-case hexadecimal digits. */
export function bytes32(value: unknown, path: string): Hex {
  if (typeof value !== "string" || !canonicalBytes32.test(value))
    fail(path, {
      what: "not 32 bytes",
      expected: "0x and 64 lower-case hexadecimal digits",
      given: shown(value),
    })
  return value as Hex
}

/** Bytes as 0x and two lower-case hexadecimal digits each. */
export function hexBytes(value: unknown, path: string, least: number, most: number): Hex {
  if (
    typeof value !== "string" ||
    value.length < 2 + 2 * least ||
    value.length > 2 + 2 * most ||
    !canonicalBytes.test(value)
  )
    fail(path, {
      what: "not bytes in hexadecimal",
      expected: `0x and ${least === most ? "" : `${2 * least} to `}${2 * most} lower-case hexadecimal digits, two a byte`,
      given: shown(value),
    })
  return value as Hex
}

/** The value of a JSON text as `parseJson` reads it; anything but a string is returned as it is. @throws FileError */
export const fromJson = (value: unknown, what: string, limits?: TextLimits): unknown =>
  typeof value === "string" ? parseJson(value, what, limits) : value
