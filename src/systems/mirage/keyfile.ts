/**
 * The proving key of the two-phase proof: an iden3 binary container of type "csmk", version 1, or 2 where the weights
 * are private and the key is that of an architecture, whatever model is committed to under it. Points are
 * affine, Montgomery, little endian, as in a `.zkey`; the coefficients are not in it, only their digest,
 * because the circuit is rebuilt from the model.
 *
 *     1  header    wires, first final wire, domain size, bits b and number of layers of H (u32 each), digest of the
 *                  constraints (32 bytes)
 *     2  points    alpha1, beta1, delta1, deltaC1 (64 bytes each), beta2, delta2, deltaC2 (128 each)
 *     3  IC        one, c, ev                      6  B2          the same wires, in G2
 *     4  A         wires that occur on side A      7  committed   K_i / deltaC of committed wires
 *     5  B1        wires that occur on side B      8  final       K_i / delta of final wires
 *     9  H         one per domain point, in layers 10  C          wires that occur on side C of a product
 *                                                  1000           how the key was made: "dev" or "ceremony"
 *                                                  1001           of a ceremony its transcript
 *
 * Version 2 has the number of the weights' wires behind the header's counts, deltaW1 and deltaW2 behind the points, and
 *
 *    11  weights   K_i / deltaW of the weights' wires, which no proof reads
 *
 * Layer k of H is 2^(b·k) times layer 0. Sections 4 to 8 and 10 are in ascending order of wires; the public wires
 * one, c and ev occur on side A by the rows that keep their columns independent. docs/FORMATS.md has an example
 * byte by byte.
 */
import { checkSection, createBinFile } from "../../circuit/formats/container.js"
import { wiresOfB } from "../../circuit/formats/mapped.js"
import { coordinates, coordinates2 } from "../../circuit/formats/points.js"
import { digestOf, type R1cs } from "../../circuit/formats/r1cs.js"
import {
  type ByteSource,
  checkedSource,
  type ProvingKey,
  partOf,
  sectionsOf,
} from "../../circuit/formats/source.js"
import { domainSize, fittingDomain } from "../../circuit/link/domain.js"
import { CountersignError, FileError } from "../../errors.js"
import { fileBytes as pointBytes } from "../../prover/kernels/points/points.js"
import { streamBytes } from "../../prover/kernels/points/stream.js"
import { areLayers, bestLayers, type Layers } from "../../prover/kernels/points/windows.js"
import {
  type CeremonyHead,
  ceremonySection,
  encodeTranscript,
  factsOf,
  parseTranscript,
  readSection,
} from "../../setup/ceremony/transcript.js"
import { productRows, programRows } from "../../setup/qap.js"
import {
  contributedMarks,
  encodeMark,
  markBytes,
  markSection,
  type Provenance,
  parseMark,
} from "../../statement/provenance.js"
import type { Mask, MemoryOptions } from "../system.js"
import type { MirageLinked } from "./circuit.js"
import { entriesBeside } from "./own-rows.js"
import { digits, quotientMultiples } from "./sections.js"
import type { CheckedMirageKey } from "./verify.js"
import { publicWires, type WireGroup, wireGroupsOf } from "./wires.js"

export const magic = "csmk"
/** Of the container: 2 where the weights are private. */
export const versionOf = (isPrivate: boolean): 1 | 2 => (isPrivate ? 2 : 1)

/** Size of the domain of a key that is made now. */
export const mirageDomain = (system: R1cs): number => fittingDomain(programRows(system))

/** Sizes of domains that keys of a circuit have: those that are made now, and those of one coset, as older ones. */
export const keyDomains = (system: R1cs): number[] => [mirageDomain(system), domainSize(programRows(system))]

/** Largest domain whose points H have multiples in the key. */
const largestLayered = 2 ** 16

/**
 * The multiples of H in a key that is made now: they save a sixth of the additions of the largest multiplication. A key
 * says which it has.
 */
export function quotientLayers(domain: number): Layers {
  return bestLayers(domain, domain <= largestLayered ? 4 : 1)
}

/** Sections with points, by number. */
export const sectionNumbers = {
  points: 2,
  ic: 3,
  a: 4,
  b1: 5,
  b2: 6,
  committed: 7,
  final: 8,
  h: 9,
  c: 10,
  weights: 11,
} as const
export type MirageSection = keyof typeof sectionNumbers

/** Sections that a key has, in the order of their numbers. */
export const sectionsFor = (isPrivate: boolean): readonly MirageSection[] =>
  (Object.keys(sectionNumbers) as MirageSection[]).filter((name) => isPrivate || name !== "weights")

/** What errors call a section. */
export const labelOf = (name: MirageSection): string => (name.length < 3 ? name.toUpperCase() : name)

/** The same with its number. */
export const sectionName = (name: MirageSection): string => `${labelOf(name)} (${sectionNumbers[name]})`
export type MiragePoints = Readonly<Record<Exclude<MirageSection, "weights">, Uint8Array>> & {
  readonly weights?: Uint8Array
}
/** Sections that grow with the circuit, and that a proof reads. */
type LargeSection = Exclude<MirageSection, "points" | "ic" | "weights">

/** A proving key as the prover takes it. */
export interface MirageProvingKey extends Readonly<Record<LargeSection, Uint8Array | ByteSource>> {
  readonly points: Uint8Array
  readonly ic: Uint8Array
  /** Where weights are private: read by who commits to them. */
  readonly weights?: ByteSource
  readonly setup: Provenance
  /** Size of the domain that its rows are on. */
  readonly domain: number
  /** The multiples of H. */
  readonly layers: Layers
  /** Whether the large sections are sources that each multiplication reads. */
  readonly streamed: boolean
}

/** Points of section 2 in order, the last two where weights are private. */
const singles = [
  ["alpha1", "g1"],
  ["beta1", "g1"],
  ["delta1", "g1"],
  ["deltaC1", "g1"],
  ["beta2", "g2"],
  ["delta2", "g2"],
  ["deltaC2", "g2"],
  ["deltaW1", "g1"],
  ["deltaW2", "g2"],
] as const
export type Single = (typeof singles)[number][0]

/** Wires of the sides of systems, none of which changes. */
const supports = new WeakMap<R1cs, Map<"a" | "b" | "c", Uint32Array>>()

/** Whether a circuit's weights are private. */
export const hasWeights = ({ weights }: Pick<MirageLinked, "weights">): boolean => weights > 0

/**
 * Wires that occur on a side, ascending; on side A the public ones always do. Side C counts in rows that have a
 * product: in the others, 0 · 0 = lc, it is zero. What is returned is kept, and nobody's to change.
 */
export function supportOf(system: R1cs, side: "a" | "b" | "c"): Uint32Array {
  const known = supports.get(system) ?? new Map<typeof side, Uint32Array>()
  supports.set(system, known)
  const support = known.get(side) ?? findSupport(system, side)
  known.set(side, support)
  return support
}

function findSupport(system: R1cs, side: "a" | "b" | "c"): Uint32Array {
  const used = side === "b" ? wiresOfB(system) : new Uint8Array(system.wires)
  if (side === "a") for (const wire of system.a.wires) used[wire] = 1
  if (side === "c") {
    const { rowPtr, wires: occurring } = system.c
    const isProduct = productRows(system)
    for (let row = 0; row < system.rows; row++)
      if (isProduct[row] === 1) for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) used[occurring[j]] = 1
  }
  if (side === "a") used.fill(1, 0, publicWires)
  let count = 0
  for (const is of used) count += is
  const wires = new Uint32Array(count)
  let at = 0
  for (let wire = 0; at < count; wire++) if (used[wire]) wires[at++] = wire
  return wires
}

/** Bytes of each section for a circuit. */
function sizesOf(
  linked: MirageLinked,
  domain = mirageDomain(linked.r1cs),
  layers = quotientLayers(domain),
): Record<MirageSection, number> {
  const { r1cs } = linked
  const { g1, g2 } = pointBytes
  const b = supportOf(r1cs, "b").length
  const groups = wireGroupsOf(linked).map(({ section, count }) => [section, count * g1])
  return {
    ...{ weights: 0 },
    ...(Object.fromEntries(groups) as Record<WireGroup["section"], number>),
    points: hasWeights(linked) ? placeOf("deltaW2") + g2 : placeOf("deltaW1"),
    a: supportOf(r1cs, "a").length * g1,
    b1: b * g1,
    b2: b * g2,
    h: domain * layers.count * g1,
    c: supportOf(r1cs, "c").length * g1,
  }
}

/** Bytes of a key up to which its points stay in the kernels between proofs; those of a larger one are streamed. */
export const residentKeyBytes = 2 ** 30

const totalOf = (sizes: Record<MirageSection, number>): number =>
  Object.values(sizes).reduce((sum, bytes) => sum + bytes, 0)

/** Bytes of the points that proofs are made with. */
const provingBytes = (linked: MirageLinked): number => totalOf({ ...sizesOf(linked), weights: 0 })

/** Largest memory of the kernels: what 32-bit addresses reach. */
const addressable = 2 ** 32

/**
 * Bytes that a proof takes, about: rows, the transform, and either the points in the kernels' form with the
 * largest multiplication, that by H, or what streaming them takes.
 */
function memoryOf(linked: MirageLinked, streamed: boolean): number {
  const { r1cs } = linked
  const nonzeros = entriesBeside(linked)
  const domain = mirageDomain(r1cs)
  // a point grows from 64 bytes to 80; an entry of a row is an index and a double; a value of the transform
  // lies in a source, a vector, two tables and the result, and again as a scalar, with its digits or without
  const multiplied = streamed ? streamBytes + 32 * domain : 1.25 * provingBytes(linked) + 160 * domain
  const rows = 12 * nonzeros + 8 * (r1cs.wires + 3 * r1cs.rows)
  return Math.ceil(rows + 256 * domain + multiplied + multiplesOf(linked) + 2 ** 24)
}

/**
 * Bytes of the multiples that come with points (sections.ts), in the kernels' form: of wires with field elements, in A,
 * B1, committed and B2, and of quotients, in A and final.
 */
function multiplesOf({ large, lookup }: MirageLinked): number {
  const entries = lookup.tableStart[lookup.tables.length]
  return 80 * (digits * large.length * 5 + quotientMultiples(lookup) * entries * 2)
}

/** Whether a key is streamed: its points are more than `residentBytes`, or would not fit into the kernels. */
const isStreamed = (linked: MirageLinked, residentBytes = residentKeyBytes): boolean =>
  provingBytes(linked) > residentBytes || memoryOf(linked, false) > addressable

/** Bytes that a proof takes, about. */
export const proverMemory = (linked: MirageLinked, { residentBytes }: MemoryOptions = {}): number =>
  memoryOf(linked, isStreamed(linked, residentBytes))

/**
 * Whether a proof fits. Where a key may be streamed, what decides is the transform.
 * @throws CountersignError if not, with the figure
 */
export function checkMemory(linked: MirageLinked, options: MemoryOptions = {}): void {
  const bytes = proverMemory(linked, options)
  if (bytes <= addressable) return
  throw new CountersignError({
    what: "the proof does not fit into the kernels' memory",
    expected: `at most ${addressable / 2 ** 20} MiB`,
    given: `about ${Math.ceil(bytes / 2 ** 20)} MiB`,
    fix: "Prove a smaller model, or compile it with lower precision",
  })
}

/** Where the domain, b and the number of layers are in it. */
const domainAt = 8

/** What a key chooses for itself. */
type Chosen = Pick<MirageProvingKey, "domain" | "layers">

function headerOf(linked: MirageLinked, { domain, layers }: Chosen): Uint8Array {
  const { r1cs, firstFinal, weights } = linked
  const always = [r1cs.wires, firstFinal, domain, layers.bits, layers.count]
  const counts = Uint32Array.from(hasWeights(linked) ? [...always, weights] : always)
  return new Uint8Array([...new Uint8Array(counts.buffer), ...digestOf(r1cs)])
}

/** A section of a key, of so many bytes. */
type Part = (id: number, bytes?: number) => ByteSource

/** The domain and layers that a header gives, if it is the circuit's. */
async function readHeader(linked: MirageLinked, part: Part, where: string): Promise<Chosen> {
  const section = part(1, headerOf(linked, { domain: 0, layers: { bits: 0, count: 0 } }).length)
  const given = await section.read(0, section.size)
  const view = new DataView(given.buffer, given.byteOffset)
  const [domain, bits, count] = [0, 4, 8].map((at) => view.getUint32(domainAt + at, true))
  const layers = { bits, count }
  const expected = headerOf(linked, { domain, layers })
  if (!keyDomains(linked.r1cs).includes(domain) || given.some((byte, i) => byte !== expected[i])) {
    throw new FileError({
      what: "belongs to another circuit: sizes or constraints differ",
      where,
      fix: "Run setup for this circuit again",
    })
  }
  if (!areLayers(layers)) {
    throw new FileError({
      what: "layers of H",
      where,
      expected: "multiples that scalars can be cut into",
      given: `${layers.count} layers, ${layers.bits} bits apart`,
      fix: "The file is damaged: run setup for this circuit again",
    })
  }
  return { domain, layers }
}

/** Most bytes that one array has on every platform, with room for the table of a key. */
const mostKeyBytes = 2 ** 32 - 2 ** 12

/** Whether a setup can make the key, which it holds as one array. @throws CountersignError if not, with the figure */
export function checkKeySize(linked: MirageLinked): void {
  const bytes = totalOf(sizesOf(linked))
  if (bytes <= mostKeyBytes) return
  throw new CountersignError({
    what: "the proving key does not fit into one array",
    expected: `at most ${mostKeyBytes} bytes`,
    given: `${bytes}`,
    fix: "Prove a smaller model, or compile it with lower precision",
  })
}

/** Secrets that points are divided by, in the order of a transcript. */
export const divisorsFor = (isPrivate: boolean): readonly ("deltaC" | "delta" | "deltaW")[] =>
  isPrivate ? ["deltaC", "delta", "deltaW"] : ["deltaC", "delta"]

/** Bytes of a proving key. `origin`: how it was made, of the first key of a ceremony what that is for. */
export function writeMirageKey(
  linked: MirageLinked,
  points: MiragePoints,
  origin: "dev" | CeremonyHead,
  { domain = mirageDomain(linked.r1cs), layers = quotientLayers(domain) }: Partial<Chosen> = {},
): Uint8Array {
  const contents = [
    { id: 1, content: headerOf(linked, { domain, layers }) },
    ...sectionsFor(hasWeights(linked)).map((name) => ({
      id: sectionNumbers[name],
      content: points[name] as Uint8Array,
    })),
    { id: markSection, content: encodeMark(origin === "dev" ? "dev" : "ceremony") },
  ]
  if (origin !== "dev")
    contents.push({ id: ceremonySection, content: encodeTranscript({ head: origin, contributions: [] }) })
  const sizes = contents.map(({ id, content }) => ({ id, bytes: content.length }))
  const { file, sections: places } = createBinFile(magic, versionOf(hasWeights(linked)), sizes)
  contents.forEach(({ content }, i) => {
    places[i].set(content)
  })
  return file
}

/**
 * Reads a proving key that belongs to a circuit. The large sections of one of more than `residentBytes`, or of
 * one that would not fit into the kernels, are not read but given as sources. Points are checked where they are
 * used: those that hide in masks.ts, all others by every proof, which is given out only if it verifies.
 * @throws FileError for a damaged or foreign file, another circuit's key, or one that cannot be read
 */
export async function readMirageKey(
  provingKey: ProvingKey,
  linked: MirageLinked,
  residentBytes?: number,
): Promise<MirageProvingKey> {
  const where = "proving key"
  const source = checkedSource(provingKey, where)
  const isPrivate = hasWeights(linked)
  const held = await sectionsOf(source, magic, versionOf(isPrivate))
  const part: Part = (id, bytes) => partOf(source, checkSection(held.get(id), id, where, bytes))
  const { domain, layers } = await readHeader(linked, part, where)
  const sizes = sizesOf(linked, domain, layers)
  const streamed = isStreamed(linked, residentBytes)
  const read = (name: MirageSection) => part(sectionNumbers[name], sizes[name]).read(0, sizes[name])
  // a section of a file is read when its points are loaded, so that it is in memory once
  const large = async (name: LargeSection) =>
    provingKey instanceof Uint8Array && !streamed ? read(name) : part(sectionNumbers[name], sizes[name])
  return {
    points: await read("points"),
    ic: await read("ic"),
    a: await large("a"),
    b1: await large("b1"),
    b2: await large("b2"),
    committed: await large("committed"),
    final: await large("final"),
    h: await large("h"),
    c: await large("c"),
    ...(isPrivate && { weights: part(sectionNumbers.weights, sizes.weights) }),
    setup: await provenanceOf(held, part, isPrivate),
    domain,
    layers,
    streamed,
  }
}

/** How a key says it was made. @throws FileError if it does not */
async function provenanceOf(
  held: ReadonlyMap<number, unknown>,
  part: Part,
  isPrivate: boolean,
): Promise<Provenance> {
  const { size, read } = held.has(markSection) ? part(markSection) : { size: 0, read: undefined }
  const mark = await read?.(0, Math.min(size, markBytes))
  if (parseMark(mark, "proving key", contributedMarks) === "dev") return "dev"
  return factsOf(parseTranscript(await readSection(part(ceremonySection)), "mirage", divisorsFor(isPrivate)))
}

/** Bytes of section 2 before a point of it. */
export function placeOf(name: Single): number {
  const before = singles.slice(
    0,
    singles.findIndex(([other]) => other === name),
  )
  return before.reduce((sum, [, group]) => sum + pointBytes[group], 0)
}

/** Sections 2 and 3. */
type SmallSections = Pick<MirageProvingKey, "points" | "ic">

/** Bytes of one point of section 2. */
export function singleOf({ points }: Pick<SmallSections, "points">, name: Single): Uint8Array {
  const at = placeOf(name)
  return points.subarray(at, at + pointBytes[name.endsWith("1") ? "g1" : "g2"])
}

/** The points that hide, with those of the verification key. */
export const mirageMasks = (held: MirageProvingKey, key: CheckedMirageKey): Mask[] => [
  { name: "beta", one: singleOf(held, "beta1"), two: key.beta2 },
  { name: "delta", one: singleOf(held, "delta1"), two: key.delta2 },
  { name: "deltaC", one: singleOf(held, "deltaC1"), two: key.deltaC2 },
  ...(key.deltaW2 ? [{ name: "deltaW", one: singleOf(held, "deltaW1"), two: key.deltaW2 }] : []),
]

/** Points of a verification key, as decimal strings. */
interface PointTexts {
  readonly alpha1: string[]
  readonly beta2: string[][]
  readonly delta2: string[][]
  readonly deltaC2: string[][]
  readonly deltaW2?: string[][]
  readonly ic: string[][]
}

/** The points of the verification key that a proving key carries: of private weights all but the commitment to them. */
export function mirageVerificationPoints(key: SmallSections): PointTexts {
  const two = (name: Single) => coordinates2(singleOf(key, name)).map((pair) => pair.map(String))
  return {
    alpha1: coordinates(singleOf(key, "alpha1")).map(String),
    beta2: two("beta2"),
    delta2: two("delta2"),
    deltaC2: two("deltaC2"),
    ...(key.points.length > placeOf("deltaW1") && { deltaW2: two("deltaW2") }),
    ic: [0, 64, 128].map((at) => coordinates(key.ic.subarray(at, at + 64)).map(String)),
  }
}
