/**
 * How the keys of a circuit were made: a closed list, in one place for the JSON of verification keys, for proving
 * keys, and for the canonical bytes that a key's digest and the contracts are about. What is missing or unknown is
 * an error, never a default. A ceremony will be a member of its own, with what shows it (powers of tau, contributions,
 * beacon, transcript); until there is such a transcript, no key says that it was made in one.
 */
import { FileError } from "../errors.js"
import { oneOf } from "./strict.js"

/**
 * `dev`: one process knew the trapdoor, and whoever ran it can forge; refused unless asked for. `external`: made by
 * other tools, and nothing here shows how. Whoever writes that into a verification key vouches for its setup. No
 * proving key says it, because nobody reads who made one.
 */
export type Provenance = "dev" | "external"

const flags: Readonly<Record<Provenance, bigint>> = { dev: 1n, external: 0n }
const known = Object.keys(flags) as Provenance[]

/** Reads the field of a verification key. @throws FileError */
export const parseProvenance = (value: unknown, path: string): Provenance => oneOf(value, path, known)

/** Word 1 of a key's canonical bytes. */
export const flagsOf = (provenance: Provenance): bigint => flags[provenance]

/** What a proving key may say of itself. */
export type Mark = Extract<Provenance, "dev">

const marks: readonly Mark[] = ["dev"]
/** More bytes than any mark has: as many are worth reading. */
export const markBytes = 1 + Math.max(...marks.map((mark) => mark.length))

/** Number of the section of a proving key that says how it was made; other tools ignore it. */
export const markSection = 1000

/** Content of the section of a proving key that says how it was made. */
export const encodeMark = (mark: Mark): Uint8Array => new TextEncoder().encode(mark)

/**
 * Reads that section, of which the first `markBytes` bytes are enough.
 * @throws FileError if there is none, or it says anything else
 */
export function parseMark(content: Uint8Array | undefined, where: string): Mark {
  const found = marks.find((mark) => {
    const bytes = encodeMark(mark)
    return content?.length === bytes.length && bytes.every((byte, i) => byte === content[i])
  })
  if (found !== undefined) return found
  const shown = (bytes: Uint8Array) => JSON.stringify(String.fromCharCode(...bytes.subarray(0, markBytes)))
  throw new FileError({
    what: "does not say how it was made",
    where,
    expected: marks.map((mark) => `\`${mark}\``).join(" or "),
    given: content === undefined ? "nothing" : shown(content),
    fix: "Run setup for this circuit again; keys of other tools have no mark, and are verified but not proven with",
  })
}
