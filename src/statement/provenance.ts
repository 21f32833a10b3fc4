/**
 * How the keys of a circuit were made: a closed list, in one place for the JSON of verification keys, for proving
 * keys, and for the canonical bytes that a key's digest and the contracts are about. What is missing or unknown is
 * an error, never a default.
 *
 * A provenance is a claim. Of a ceremony it names what shows the claim: the powers of tau, and the transcript, whose
 * digest stands for every contribution, names included. Checking it takes the proving key and the powers of tau
 * (`countersign setup verify`), which a verifier of receipts does not have; whoever trusts a key by its digest trusts
 * this claim with it.
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex, concatBytes, hexToBytes } from "@noble/hashes/utils.js"
import { FileError, printable } from "../errors.js"
import { array, bytes32, fail, fields, type Hex, hexBytes, oneOf, shown } from "./strict.js"
import { encodeWords } from "./words.js"

/** What a key says of the ceremony that made it. */
export interface CeremonyFacts {
  /** BLAKE2b-512 of the file of powers of tau: 0x and 128 hexadecimal digits. */
  readonly ptau: Hex
  /** Who contributed, in order, by the names they chose; the beacon is none of them. */
  readonly contributors: readonly string[]
  /** What was added last and nobody could choose: SHA-256 applied 2^iterations times to 1 to 255 bytes. */
  readonly beacon: { readonly value: Hex; readonly iterations: number } | null
  /** Digest of the whole transcript. */
  readonly transcript: Hex
}

/** What a key says that was made from powers of tau alone: its proof system has no ceremony of a circuit's own. */
export interface UniversalFacts {
  /** BLAKE2b-512 of the file of powers of tau: 0x and 128 hexadecimal digits. */
  readonly ptau: Hex
  /** The power of that file. */
  readonly power: number
}

/**
 * `dev`: one process knew the trapdoor, and whoever ran it can forge; refused unless asked for. `external`: made by
 * other tools, and nothing here shows how. Whoever writes that into a verification key vouches for its setup; no
 * proving key says it, because nobody reads who made one. An object: made in a ceremony, or from the powers of one.
 */
export type Provenance = "dev" | "external" | CeremonyFacts | UniversalFacts

const claims = ["dev", "external"] as const
/** Its flag is its place: word 1 of a key's canonical bytes. */
const kinds = ["external", "dev", "ceremony", "universal"] as const
export type SetupKind = (typeof kinds)[number]

/** Which of the four a provenance is. */
export function setupKind(provenance: Provenance): SetupKind {
  if (typeof provenance === "string") return provenance
  return "transcript" in provenance ? "ceremony" : "universal"
}

/** Most people that a ceremony may have. */
export const maxContributors = 10_000
/**
 * How many times the beacon is hashed, as the exponent of two: fewer are no delay, and a verifier, who has to do the
 * same, would be kept from an answer for days by more.
 */
export const beaconIterations = { least: 10, most: 32 } as const
/** Bytes that a beacon's value may have. */
export const beaconBytes = { least: 1, most: 255 } as const
/** As JavaScript counts them, because snarkjs cuts names there; 192 bytes in UTF-8, of 255 that its records hold. */
const maxNameCharacters = 64

/** Reads the field of a verification key. @throws FileError */
export function parseProvenance(value: unknown, path: string): Provenance {
  if (typeof value === "string") return oneOf(value, path, claims)
  if (typeof value !== "object" || value === null || Array.isArray(value))
    fail(path, {
      what: "wrong type",
      expected: "dev, external or the facts of a ceremony or of universal powers",
      given: shown(value),
    })
  if (!Object.hasOwn(value, "transcript")) return parseUniversal(value, path)
  const given = fields(value, path, ["ptau", "contributors", "beacon", "transcript"])
  const contributors = array(given.contributors, `${path}.contributors`)
  if (contributors.length > maxContributors)
    fail(`${path}.contributors`, {
      what: "too many contributors",
      expected: `at most ${maxContributors}`,
      given: `${contributors.length}`,
    })
  return {
    ptau: hexBytes(given.ptau, `${path}.ptau`, 64, 64),
    contributors: Array.from(contributors, (name, i) => contributorName(name, `${path}.contributors[${i}]`)),
    beacon: parseBeacon(given.beacon, `${path}.beacon`),
    transcript: bytes32(given.transcript, `${path}.transcript`),
  }
}

function parseUniversal(value: object, path: string): UniversalFacts {
  const { ptau, power } = fields(value, path, ["ptau", "power"])
  return { ptau: hexBytes(ptau, `${path}.ptau`, 64, 64), power: powerOfTau(power, `${path}.power`) }
}

/** r − 1 has 28 factors of two: no domain is larger. */
const mostPower = 28

/** Reads the power of a file of powers of tau. @throws FileError */
export function powerOfTau(value: unknown, path: string): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > mostPower)
    fail(path, { what: "not a power", expected: `an integer from 1 to ${mostPower}` })
  return value
}

/** A name that a contributor may have: 1 to 64 printable characters on one line. @throws FileError */
export function contributorName(value: unknown, path: string): string {
  if (
    typeof value !== "string" ||
    value.length > maxNameCharacters ||
    value.trim() !== value ||
    value === "" ||
    printable(value) !== value
  )
    fail(path, {
      what: "not a name of a contributor",
      expected: `1 to ${maxNameCharacters} printable characters on one line, no space at either end`,
      given: shown(value),
    })
  return value
}

/** What a beacon may be, or null for none. @throws FileError */
export function parseBeacon(value: unknown, path: string): CeremonyFacts["beacon"] {
  if (value === null) return null
  const given = fields(value, path, ["value", "iterations"])
  const { iterations } = given
  const { least, most } = beaconIterations
  if (!Number.isInteger(iterations) || (iterations as number) < least || (iterations as number) > most)
    fail(`${path}.iterations`, {
      what: "not a number of iterations",
      expected: `an integer from ${least} to ${most}: SHA-256 is applied 2 to that power times`,
      given: shown(iterations),
    })
  return {
    value: hexBytes(given.value, `${path}.value`, beaconBytes.least, beaconBytes.most),
    iterations: iterations as number,
  }
}

/** Word 1 of a key's canonical bytes. */
export const flagsOf = (provenance: Provenance): bigint => BigInt(kinds.indexOf(setupKind(provenance)))

/**
 * The last words of a key's canonical bytes. Of a ceremony five: the powers of tau (two), the number of contributors,
 * the beacon, the transcript; names are not among them, they are in the transcript. Of universal powers three: these,
 * and their power. Else none.
 */
export function provenanceWords(provenance: Provenance): bigint[] {
  if (typeof provenance === "string") return []
  const { ptau } = provenance
  const halves = [ptau.slice(2, 66), ptau.slice(66)].map((digits) => BigInt(`0x${digits}`))
  if (!("transcript" in provenance)) return [...halves, BigInt(provenance.power)]
  const { contributors, beacon, transcript } = provenance
  return [...halves, BigInt(contributors.length), beaconWord(beacon), BigInt(transcript)]
}

/** Zero for none, else keccak256 of the value and, as a word, its iterations. */
function beaconWord(beacon: CeremonyFacts["beacon"]): bigint {
  if (beacon === null) return 0n
  const { value, iterations } = beacon
  const bytes = concatBytes(hexToBytes(value.slice(2)), encodeWords([BigInt(iterations)]))
  return BigInt(`0x${bytesToHex(keccak_256(bytes))}`)
}

/**
 * Why a key must not be accepted unless somebody asked for that, or null: somebody can forge for it, by what it says
 * itself. A beacon is no contribution, since everyone can compute its secret.
 */
export function forgeable(provenance: Provenance): string | null {
  if (provenance === "dev") return "development key: whoever made it can forge receipts"
  if (provenance === "external" || !("transcript" in provenance)) return null
  if (provenance.contributors.length > 0) return null
  return "nobody contributed to this key: anyone can forge receipts"
}

/** Names that a line of text shows. */
const mostNames = 8

/**
 * What made a key, on one line for people: "a ceremony of 2 contributors (Alice, Bob) and a beacon, on …".
 * @param given a verification key's `setup`
 * @throws FileError if it is none
 */
export function describeProvenance(given: Provenance): string {
  const provenance = parseProvenance(given, "setup")
  if (provenance === "dev") return "a development setup: whoever ran it can forge receipts"
  if (provenance === "external") return "other tools; nothing here shows how"
  const { ptau } = provenance
  const powers = `powers of tau ${ptau.slice(0, 10)}…${ptau.slice(-8)}`
  if (!("transcript" in provenance)) return `${powers} alone: one honest contributor to them is enough`
  const { contributors, beacon } = provenance
  const names = contributors.slice(0, mostNames).join(", ")
  const rest = contributors.length - mostNames
  const who = contributors.length === 0 ? "" : ` (${names}${rest > 0 ? ` and ${rest} more` : ""})`
  const count = contributors.length === 0 ? "no contributor" : `${contributors.length} contributor`
  const plural = contributors.length > 1 ? "s" : ""
  const end = beacon === null ? "" : " and a beacon"
  return `a ceremony of ${count}${plural}${who}${end}, on ${powers}`
}

/** What a proving key may say of itself. */
export type Mark = Exclude<SetupKind, "external">

/** More bytes than any mark has: as many are worth reading. */
export const markBytes = 1 + Math.max(...kinds.map((kind) => kind.length))

/** Number of the section of a proving key that says how it was made; other tools ignore it. */
export const markSection = 1000

/** Content of the section of a proving key that says how it was made. */
export const encodeMark = (mark: Mark): Uint8Array => new TextEncoder().encode(mark)

/** The marks of systems whose keys somebody contributes to. */
export const contributedMarks = ["dev", "ceremony"] as const

/**
 * Reads that section, of which the first `markBytes` bytes are enough.
 * @throws FileError if there is none, or it says anything but one of these marks
 */
export function parseMark<M extends Mark>(
  content: Uint8Array | undefined,
  where: string,
  allowed: readonly M[],
): M {
  const found = allowed.find((mark) => {
    const bytes = encodeMark(mark)
    return content?.length === bytes.length && bytes.every((byte, i) => byte === content[i])
  })
  if (found !== undefined) return found
  const shown = (bytes: Uint8Array) => JSON.stringify(String.fromCharCode(...bytes.subarray(0, markBytes)))
  throw new FileError({
    what: "does not say how it was made",
    where,
    expected: allowed.map((mark) => `\`${mark}\``).join(" or "),
    given: content === undefined ? "nothing" : shown(content),
    fix: "Run setup for this circuit again; keys of other tools have no mark, and are verified but not proven with",
  })
}
