/**
 * The transcript of a ceremony: what it is for, and every contribution in order. It travels in the proving key, so a
 * contributor needs one file. The head names the model, its circuit and the powers of tau; everything later is bound
 * to it by a chain of hashes:
 *
 *     T_0 = keccak256("countersign.ceremony.1\n" ‖ head)        its canonical JSON
 *     T_i = keccak256(T_(i−1) ‖ contribution i)                 its bytes as they stand in the key
 *
 * Proofs of knowledge of contribution i are about points hashed from T_(i−1): one that is taken out of its place
 * proves nothing anywhere else. The last T is the transcript digest, which stands for all that happened.
 *
 * Canonical JSON is what ECMAScript's `JSON.stringify` writes for the fields in the order below. A reader compares
 * the bytes with what it would have written: two different texts never say the same.
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex, concatBytes, utf8ToBytes } from "@noble/hashes/utils.js"
import { digestOf, type R1cs } from "../../circuit/formats/r1cs.js"
import type { ByteSource } from "../../circuit/formats/source.js"
import type { CircuitBase } from "../../circuit/link/circuit.js"
import { type Layout, layoutJson, parseLayout } from "../../statement/layout.js"
import { type G1Json, type G2Json, parseG1, parseG2 } from "../../statement/points.js"
import {
  type CeremonyFacts,
  contributorName,
  maxContributors,
  parseBeacon,
  powerOfTau,
} from "../../statement/provenance.js"
import { array, bytes32, fail, fields, type Hex, hexBytes, oneOf, parseJson } from "../../statement/strict.js"

/** Number of the section of a proving key that has the head, and the contributions if they have no other place. */
export const ceremonySection = 1001

/** What a ceremony is for. */
export interface CeremonyHead {
  readonly version: 1
  readonly proofSystem: string
  /** Digest of the integer model. */
  readonly model: Hex
  readonly layout: Layout
  /** SHA-256 of the constraints. */
  readonly circuit: Hex
  /** BLAKE2b-512 of the file of powers of tau, of which 2^power were used. */
  readonly ptau: Hex
  readonly power: number
}

/** The head of a circuit's ceremony, or of what is made of powers of tau alone. */
export const headFor = (
  { proofSystem, model, layout, linked }: CircuitBase & { proofSystem: string; linked: { r1cs: R1cs } },
  { digest, power }: { readonly digest: Hex; readonly power: number },
): CeremonyHead => ({
  version: 1,
  proofSystem,
  model,
  layout,
  circuit: `0x${bytesToHex(digestOf(linked.r1cs))}`,
  ptau: digest,
  power,
})

export type Beacon = NonNullable<CeremonyFacts["beacon"]>

/** What a contribution did to one δ, which it multiplied by x: x·δ, and x times two points hashed from the transcript. */
export interface DeltaRecord {
  readonly after: G1Json
  readonly sx: G1Json
  readonly rx: G2Json
}

/** A contribution, or the beacon. */
export interface Contribution {
  readonly name: string
  readonly beacon: Beacon | null
  /** By the name of the δ. */
  readonly deltas: Readonly<Record<string, DeltaRecord>>
  /** As they stand in the key, and enter the chain. */
  readonly bytes: Uint8Array
}

export interface Transcript {
  readonly head: CeremonyHead
  readonly contributions: readonly Contribution[]
  /** T_0 to T_n, 32 bytes each. */
  readonly digests: readonly Uint8Array[]
}

const where = "proving key: transcript"
const headFields = ["version", "proofSystem", "model", "layout", "circuit", "ptau", "power"] as const

/** Most bytes of a section with a head, or with contributions. */
const mostBytes = 2 ** 26

/** Content of such a section, of which a file may claim any length. @throws FileError for more than 64 MiB */
export async function readSection(section: ByteSource): Promise<Uint8Array> {
  const { size } = section
  if (size > mostBytes)
    fail(where, { what: "is too long", expected: `at most ${mostBytes} bytes`, given: `${size}` })
  return section.read(0, size)
}

/** Canonical JSON of a head. */
export function headJson({
  version,
  proofSystem,
  model,
  layout,
  circuit,
  ptau,
  power,
}: CeremonyHead): string {
  const canonicalLayout: unknown = JSON.parse(layoutJson(layout))
  return JSON.stringify({ version, proofSystem, model, layout: canonicalLayout, circuit, ptau, power })
}

/** Reads a head that is alone in its section. @throws FileError unless it is canonical */
export function parseHead(content: Uint8Array, proofSystem: string): CeremonyHead {
  const text = textOf(content)
  const head = headOf(fields(parseJson(text, where), where, headFields), proofSystem)
  requireCanonical(text, headJson(head))
  return head
}

/** The chain of a head and contributions. */
export function transcriptOf(head: CeremonyHead, contributions: readonly Contribution[]): Transcript {
  const digests = [keccak_256(utf8ToBytes(`countersign.ceremony.1\n${headJson(head)}`))]
  for (const { bytes } of contributions)
    digests.push(keccak_256(concatBytes(digests[digests.length - 1], bytes)))
  return { head, contributions, digests }
}

/** A contribution as our own keys have it: canonical JSON. Its δs come in the order of `names`. */
export function contributionOf(
  name: string,
  beacon: Beacon | null,
  deltas: Readonly<Record<string, DeltaRecord>>,
  names: readonly string[],
): Contribution {
  const ordered = names.map((delta) => {
    const { after, sx, rx } = deltas[delta]
    return [delta, { after, sx, rx }]
  })
  const shown = beacon && { value: beacon.value, iterations: beacon.iterations }
  const text = JSON.stringify({ name, beacon: shown, deltas: Object.fromEntries(ordered) })
  return { name, beacon, deltas, bytes: utf8ToBytes(text) }
}

/** Content of a section with head and contributions. */
export function encodeTranscript({ head, contributions }: Omit<Transcript, "digests">): Uint8Array {
  const text = new TextDecoder()
  const list = contributions.map(({ bytes }) => text.decode(bytes)).join(",")
  return utf8ToBytes(`${headJson(head).slice(0, -1)},"contributions":[${list}]}`)
}

/**
 * Reads a section with head and contributions, each of which has these δs. Points are read, not checked.
 * @throws FileError unless it is canonical
 */
export function parseTranscript(
  content: Uint8Array,
  proofSystem: string,
  names: readonly string[],
): Transcript {
  const text = textOf(content)
  const given = fields(parseJson(text, where), where, [...headFields, "contributions"])
  const list = array(given.contributions, `${where}.contributions`)
  requireCount(list.length)
  const transcript = transcriptOf(
    headOf(given, proofSystem),
    list.map((value, i) => parseContribution(value, `${where}.contributions[${i}]`, names)),
  )
  requireCanonical(text, new TextDecoder().decode(encodeTranscript(transcript)))
  return transcript
}

/** @throws FileError for more contributions than a ceremony may have, a beacon among them */
export function requireCount(count: number): void {
  if (count <= maxContributors + 1) return
  fail(where, { what: "too many contributions", expected: `at most ${maxContributors}`, given: `${count}` })
}

/** What verification keys say of a ceremony. */
export function factsOf({ head, contributions, digests }: Transcript): CeremonyFacts {
  return {
    ptau: head.ptau,
    contributors: contributions.filter(({ beacon }) => beacon === null).map(({ name }) => name),
    beacon: contributions.find(({ beacon }) => beacon !== null)?.beacon ?? null,
    transcript: `0x${bytesToHex(digests[digests.length - 1])}`,
  }
}

function headOf(given: Record<(typeof headFields)[number], unknown>, proofSystem: string): CeremonyHead {
  return {
    version: oneOf(given.version, `${where}.version`, [1]),
    proofSystem: oneOf(given.proofSystem, `${where}.proofSystem`, [proofSystem]),
    model: bytes32(given.model, `${where}.model`),
    layout: parseLayout(given.layout, `${where}.layout`),
    circuit: bytes32(given.circuit, `${where}.circuit`),
    ptau: hexBytes(given.ptau, `${where}.ptau`, 64, 64),
    power: powerOfTau(given.power, `${where}.power`),
  }
}

function parseContribution(value: unknown, path: string, names: readonly string[]): Contribution {
  const given = fields(value, path, ["name", "beacon", "deltas"])
  const held = fields(given.deltas, `${path}.deltas`, names)
  const deltas = names.map((name): [string, DeltaRecord] => {
    const at = `${path}.deltas.${name}`
    const { after, sx, rx } = fields(held[name], at, ["after", "sx", "rx"])
    return [
      name,
      { after: parseG1(after, `${at}.after`), sx: parseG1(sx, `${at}.sx`), rx: parseG2(rx, `${at}.rx`) },
    ]
  })
  const name = contributorName(given.name, `${path}.name`)
  const beacon = parseBeacon(given.beacon, `${path}.beacon`)
  return contributionOf(name, beacon, Object.fromEntries(deltas), names)
}

function textOf(content: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content)
  } catch {
    return fail(where, { what: "is not text in UTF-8" })
  }
}

function requireCanonical(given: string, expected: string): void {
  if (given === expected) return
  fail(where, {
    what: "is not in canonical form",
    expected: "what `JSON.stringify` writes, without white space and fields in their order",
    fix: "Take the key from whoever made it",
  })
}
