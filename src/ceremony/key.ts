/**
 * The key file of a ceremony as a contributor or a verifier finds it: whose it is, where its sections are, and its
 * transcript. Only small sections are read. Nothing that stands in it is believed before it is checked.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { checkSection, type SectionPlace } from "../circuit/formats/container.js"
import { coordinates, coordinates2 } from "../circuit/formats/points.js"
import {
  type ByteSource,
  checkedSource,
  type ProvingKey,
  partOf,
  sectionsOf,
} from "../circuit/formats/source.js"
import { FileError, UsageError } from "../errors.js"
import type { HashOptions } from "../setup/ceremony/beacon.js"
import { type CeremonyProtocol, type Contents, checkChain, deltaBefore } from "../setup/ceremony/protocol.js"
import { factsOf, readSection, type Transcript } from "../setup/ceremony/transcript.js"
import {
  type G1Json,
  type G2Json,
  type G2Point,
  requireG1,
  requireG2,
  samePoint,
} from "../statement/points.js"
import { contributedMarks, markBytes, markSection, parseMark } from "../statement/provenance.js"
import { ceremonyOfFile } from "../systems/ceremonies.js"
import type { VerificationKey } from "../systems/verifiers.js"
import { parseVerificationKey, pointsOfArchitecture } from "../verifier/key.js"

/** A key file that says it is of a ceremony. */
export interface CeremonyKey {
  readonly source: ByteSource
  readonly protocol: CeremonyProtocol
  /** Sections by number, in the order of the file. */
  readonly places: ReadonlyMap<number, SectionPlace>
  /** Those that transcript and verification key stand in, and the δs. */
  readonly contents: Contents
  readonly transcript: Transcript
}

const where = "proving key"

/**
 * Reads what a key says of its ceremony.
 * @throws FileError for any other file, and a transcript that is malformed; UsageError for a key without a phase 2
 */
export async function readCeremonyKey(provingKey: ProvingKey): Promise<CeremonyKey> {
  const source = checkedSource(provingKey, where)
  const protocol = await ceremonyOfFile(source)
  const places = await sectionsOf(source, protocol.magic, protocol.version)
  const part = (id: number) => partOf(source, checkSection(places.get(id), id, where))
  await requireCeremony(places.has(markSection) ? part(markSection) : undefined)
  const contents = new Map<number, Uint8Array>()
  for (const id of new Set([...protocol.sections, ...protocol.keySections]))
    contents.set(id, await readSection(part(id)))
  return { source, protocol, places, contents, transcript: protocol.parse(contents) }
}

async function requireCeremony(mark: ByteSource | undefined): Promise<void> {
  const content = mark && (await mark.read(0, Math.min(mark.size, markBytes)))
  if (content === undefined)
    throw new FileError({
      what: "says nothing of a ceremony",
      where,
      fix: "Where snarkjs contributed, take it back into its folder first: countersign setup accept",
    })
  const kind = parseMark(content, where, [...contributedMarks, "universal"])
  if (kind === "ceremony") return
  if (kind === "universal")
    throw new UsageError({
      what: "is made of powers of tau alone: its proof system has no phase 2, and nobody contributes to it",
      where,
      fix: "It is ready for use; contributors take part in the powers of tau",
    })
  throw new FileError({
    what: "is a development key: whoever made it can forge, whatever others contribute",
    where,
    fix: "Begin with powers of tau: countersign setup FOLDER --ptau FILE",
  })
}

/**
 * Checks all contributions (`checkChain`), and that the δs of the key are where they lead to, in both groups.
 * @throws FileError naming the contribution or the δ; AbortError
 */
export async function checkTranscript(key: CeremonyKey, options: HashOptions = {}): Promise<void> {
  await checkChain(key.protocol, key.transcript, options)
  const { transcript, protocol } = key
  for (const { name } of protocol.deltas) {
    const { one, two } = deltaOf(key, name)
    const point = requireG1(one, `${where}: ${name}1`)
    const partner: G2Point = requireG2(two, `${where}: ${name}2`)
    const last = deltaBefore(transcript, transcript.contributions.length, name)
    if (!samePoint(one, last))
      throw new FileError({ what: `${name}1 is not where the contributions lead to`, where })
    const { Fp12 } = bn254.fields
    const ratio = bn254.pairingBatch([
      { g1: point, g2: bn254.G2.Point.BASE },
      { g1: bn254.G1.Point.BASE.negate(), g2: partner },
    ])
    if (!Fp12.eql(ratio, Fp12.ONE))
      throw new FileError({ what: `${name}1 and ${name}2 are not of the same secret`, where })
  }
}

/** The points of a δ in a key. @throws FileError for a coordinate that is not reduced, or a section that is too short */
export function deltaOf({ protocol, contents }: CeremonyKey, name: string): { one: G1Json; two: G2Json } {
  const delta = protocol.deltas.find((given) => given.name === name)
  if (delta === undefined) throw new RangeError(name)
  const section = contents.get(delta.section) as Uint8Array
  const bytes = (at: number, length: number) => {
    if (at + length > section.length)
      throw new FileError({ what: `section ${delta.section} is cut short`, where })
    return section.subarray(at, at + length)
  }
  const [x, y] = coordinates(bytes(delta.one, 64)).map(String)
  const two = coordinates2(bytes(delta.two, 128)).map((pair) => pair.map(String))
  return { one: [x, y], two: two as unknown as G2Json }
}

/**
 * The verification key that a proving key of a ceremony carries: by itself, without a circuit, so model and layout
 * are what its transcript says. Null for an architecture's, of which each model has one of its own; its points are
 * checked as well.
 * @throws FileError for points that are none, and for a key that nobody contributed to
 */
export function carriedKey({
  protocol,
  contents,
  transcript,
}: Omit<CeremonyKey, "source" | "places">): VerificationKey | null {
  const { model, layout } = transcript.head
  const points = protocol.verificationPoints(contents)
  const { proofSystem } = protocol
  const key = { version: 1, proofSystem, setup: factsOf(transcript), model, layout, points } as const
  if (!protocol.isPrivate) return parseVerificationKey(key)
  pointsOfArchitecture(key)
  return null
}
