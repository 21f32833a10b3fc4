/**
 * The `.zkey` file of snarkjs for Groth16, byte for byte: sections 1 protocol, 2 header, 3 IC,
 * 4 coefficients, 5 A, 6 B1, 7 B2, 8 C, 9 H, 10 contributions (records.ts). Two are ours and ignored by snarkjs:
 * 1000, the text of how the key was made ("dev" or "ceremony"), and 1001, the head of a ceremony's transcript. Points
 * are affine, Montgomery, little endian.
 */
import {
  checkPrime,
  checkSection,
  createBinFile,
  readBinFile,
  sectionView,
  writeField,
} from "../../circuit/formats/container.js"
import { coordinates } from "../../circuit/formats/points.js"
import type { R1cs } from "../../circuit/formats/r1cs.js"
import { FileError } from "../../errors.js"
import { q, r, radix } from "../../field.js"
import { fileBytes as pointBytes } from "../../prover/kernels/points/points.js"
import {
  type CeremonyHead,
  ceremonySection,
  factsOf,
  headJson,
  parseHead,
} from "../../setup/ceremony/transcript.js"
import { plainDomain, publicCount } from "../../setup/qap.js"
import {
  contributedMarks,
  encodeMark,
  markSection,
  type Provenance,
  parseMark,
} from "../../statement/provenance.js"
import type { Mask } from "../system.js"
import { encodeRecords, type PlainTranscript, parseRecords, recordsSection } from "./records.js"
import type { CheckedGroth16Key } from "./verify.js"

/** Sections by number. */
export const zkeySections = {
  protocol: 1,
  header: 2,
  ic: 3,
  coefficients: 4,
  a: 5,
  b1: 6,
  b2: 7,
  c: 8,
  h: 9,
} as const

/** Section 2: both primes with their widths, three counts, six points. */
const countsBytes = 36 + 36 + 12
const headerBytes = countsBytes + 3 * pointBytes.g1 + 3 * pointBytes.g2

/** Bytes of section 2 before each of its points. */
export const headerPlaces = {
  alpha1: countsBytes,
  beta1: countsBytes + 64,
  beta2: countsBytes + 128,
  gamma2: countsBytes + 256,
  delta1: countsBytes + 384,
  delta2: countsBytes + 448,
} as const

export interface ZkeyPoints {
  readonly alpha1: Uint8Array
  readonly beta1: Uint8Array
  readonly beta2: Uint8Array
  readonly gamma2: Uint8Array
  readonly delta1: Uint8Array
  readonly delta2: Uint8Array
  readonly ic: Uint8Array
  readonly a: Uint8Array
  readonly b1: Uint8Array
  readonly b2: Uint8Array
  readonly c: Uint8Array
  readonly h: Uint8Array
}

/** The first key of a ceremony: what that is for, and what snarkjs calls the circuit hash. */
export type FirstKey = Pick<PlainTranscript, "circuitHash"> & { readonly head: CeremonyHead }

/** Bytes of the proving key. `origin`: how it was made. */
export function writeZkey(
  system: R1cs,
  domain: number,
  points: ZkeyPoints,
  origin: "dev" | FirstKey,
): Uint8Array {
  const first = origin === "dev" ? undefined : origin
  const protocol = new Uint8Array(Uint32Array.of(1).buffer)
  const header = new Uint8Array(headerBytes)
  const view = new DataView(header.buffer)
  view.setUint32(0, 32, true)
  writeField(view, 4, q)
  view.setUint32(36, 32, true)
  writeField(view, 40, r)
  view.setUint32(72, system.wires, true)
  view.setUint32(76, publicCount(system), true)
  view.setUint32(80, domain, true)
  let at = 84
  for (const point of [
    points.alpha1,
    points.beta1,
    points.beta2,
    points.gamma2,
    points.delta1,
    points.delta2,
  ]) {
    header.set(point, at)
    at += point.length
  }
  const contents = [
    { id: 1, content: protocol },
    { id: 2, content: header },
    { id: 3, content: points.ic },
    { id: 4, content: coefficients(system) },
    { id: 5, content: points.a },
    { id: 6, content: points.b1 },
    { id: 7, content: points.b2 },
    { id: 8, content: points.c },
    { id: 9, content: points.h },
    {
      id: recordsSection,
      content: encodeRecords({ circuitHash: first?.circuitHash ?? new Uint8Array(64), contributions: [] }),
    },
    { id: markSection, content: encodeMark(first ? "ceremony" : "dev") },
  ]
  if (first) contents.push({ id: ceremonySection, content: new TextEncoder().encode(headJson(first.head)) })
  const sizes = contents.map(({ id, content }) => ({ id, bytes: content.length }))
  const { file, sections } = createBinFile("zkey", 1, sizes)
  contents.forEach(({ content }, i) => {
    sections[i].set(content)
  })
  return file
}

/** Section 4: matrix, row, wire and value·R² of every non-zero of A and B, public rows included. */
export function coefficients(system: R1cs): Uint8Array {
  const publicRows = publicCount(system) + 1
  const count = system.a.wires.length + system.b.wires.length + publicRows
  const bytes = new Uint8Array(4 + 44 * count)
  const view = new DataView(bytes.buffer)
  const square = (radix * radix) % r
  const encode = (value: bigint): Uint8Array => {
    const content = new Uint8Array(32)
    writeField(new DataView(content.buffer), 0, (value * square) % r)
    return content
  }
  const encoded = system.values.map(encode)
  view.setUint32(0, count, true)
  let at = 4
  const put = (matrix: number, row: number, wire: number, value: Uint8Array) => {
    view.setUint32(at, matrix, true)
    view.setUint32(at + 4, row, true)
    view.setUint32(at + 8, wire, true)
    bytes.set(value, at + 12)
    at += 44
  }
  for (let row = 0; row < system.rows; row++) {
    for (const [matrix, side] of [system.a, system.b].entries()) {
      for (let j = side.rowPtr[row]; j < side.rowPtr[row + 1]; j++) {
        put(matrix, row, side.wires[j], encoded[side.coefficients[j]])
      }
    }
  }
  const unit = encode(1n)
  for (let i = 0; i < publicRows; i++) put(0, system.rows + i, i, unit)
  return bytes
}

/** How a `.zkey` was made, by its own mark. @throws FileError if it does not say so, as keys of snarkjs do not */
export function setupOf(zkey: Uint8Array): Provenance {
  const where = "proving key"
  const sections = readBinFile(zkey, "zkey", 1)
  if (parseMark(sections.get(markSection), where, contributedMarks) === "dev") return "dev"
  const head = parseHead(checkSection(sections.get(ceremonySection), ceremonySection, where), "groth16")
  return factsOf(parseRecords(checkSection(sections.get(recordsSection), recordsSection, where), head))
}

/**
 * Whether a proving key belongs to a circuit: field, counts, section lengths and every coefficient. The
 * points are checked where they are used: those that hide in masks.ts, all others by every proof.
 * @throws FileError for a damaged or foreign file, or another circuit's key
 */
export function checkZkey(zkey: Uint8Array, system: R1cs): void {
  const where = "proving key"
  const fix = "Run setup for this circuit again"
  const sections = readBinFile(zkey, "zkey", 1)
  const protocol = sectionView(sections, 1, where, 4).getUint32(0, true)
  if (protocol !== 1) {
    throw new FileError({
      what: "is for another proof system",
      where,
      expected: "1 (groth16)",
      given: `${protocol}`,
    })
  }
  const header = sectionView(sections, 2, where, headerBytes)
  checkPrime(header, 0, where, q)
  checkPrime(header, 36, where, r)
  const nPublic = publicCount(system)
  const domain = plainDomain(system)
  for (const [name, at, expected] of [
    ["wires", 72, system.wires],
    ["public signals", 76, nPublic],
    ["domain points", 80, domain],
  ] as const) {
    const given = header.getUint32(at, true)
    if (given === expected) continue
    throw new FileError({
      what: "belongs to another circuit",
      where,
      expected: `${expected} ${name}`,
      given: `${given}`,
      fix,
    })
  }
  const points = [
    { id: 3, bytes: 64 * (nPublic + 1) },
    { id: 5, bytes: 64 * system.wires },
    { id: 6, bytes: 64 * system.wires },
    { id: 7, bytes: 128 * system.wires },
    { id: 8, bytes: 64 * (system.wires - nPublic - 1) },
    { id: 9, bytes: 64 * domain },
  ]
  for (const { id, bytes } of points) sectionView(sections, id, where, bytes)
  sectionView(sections, 10, where)
  const given = sections.get(4)
  if (given === undefined || Buffer.compare(given, coefficients(system)) !== 0) {
    throw new FileError({ what: "belongs to another circuit: its coefficients differ", where, fix })
  }
}

/** The points of a `.zkey` that hide, with those of its verification key. */
export function masksOf(zkey: Uint8Array, { beta2, delta2 }: CheckedGroth16Key): Mask[] {
  const header = readBinFile(zkey, "zkey", 1).get(2) as Uint8Array
  const one = (at: number) => header.subarray(at, at + 64)
  return [
    { name: "beta", one: one(headerPlaces.beta1), two: beta2 },
    { name: "delta", one: one(headerPlaces.delta1), two: delta2 },
  ]
}

/** The points of the verification key that a proving key carries, as decimal strings. */
export function verificationPoints(zkey: Uint8Array): object {
  const sections = readBinFile(zkey, "zkey", 1)
  return pointsOfSections(
    sections.get(zkeySections.header) as Uint8Array,
    sections.get(zkeySections.ic) as Uint8Array,
  )
}

/** The same from sections 2 and 3. */
export function pointsOfSections(header: Uint8Array, ic: Uint8Array): object {
  const g1 = (content: Uint8Array, start: number) =>
    coordinates(content.subarray(start, start + 64)).map(String)
  const g2 = (start: number) => {
    const [x0, x1, y0, y1] = coordinates(header.subarray(start, start + 128)).map(String)
    return [
      [x0, x1],
      [y0, y1],
    ]
  }
  return {
    alpha1: g1(header, headerPlaces.alpha1),
    beta2: g2(headerPlaces.beta2),
    gamma2: g2(headerPlaces.gamma2),
    delta2: g2(headerPlaces.delta2),
    ic: Array.from({ length: ic.length / 64 }, (_, i) => g1(ic, 64 * i)),
  }
}
