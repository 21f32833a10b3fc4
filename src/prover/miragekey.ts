/**
 * The proving key of the two-phase proof: an iden3 binary container of type "csmk", version 1. Points are
 * affine, Montgomery, little endian, as in a `.zkey`; the coefficients are not in it, only their digest,
 * because the circuit is rebuilt from the model.
 *
 *     1  header    wires, first final wire, domain size (u32 each), digest of the constraints (32 bytes)
 *     2  points    alpha1, beta1, delta1, deltaC1 (64 bytes each), beta2, delta2, deltaC2 (128 each)
 *     3  IC        one, c, ev                      6  B2          the same wires, in G2
 *     4  A         wires that occur on side A      7  committed   K_i / deltaC of committed wires
 *     5  B1        wires that occur on side B      8  final       K_i / delta of final wires
 *     9  H         one per domain point            10  C          wires that occur on side C of a product
 *                                                  1000           how the key was made: "dev"
 *
 * Sections 4 to 8 and 10 are in ascending order of wires; the public wires one, c and ev occur on side A by the
 * rows that keep their columns independent. docs/FORMATS.md has an example byte by byte.
 */
import { sha256 } from "@noble/hashes/sha2.js"
import { createBinFile, readBinFile, sectionView } from "../circuit/binfile.js"
import { domainSize } from "../circuit/domain.js"
import type { MirageLinked } from "../circuit/link-mirage.js"
import type { R1cs } from "../circuit/r1cs.js"
import { CountersignError, FileError } from "../errors.js"
import { fileBytes as pointBytes } from "./kernels/points.js"
import { multipleWindows } from "./kernels/windows.js"
import { hasProduct, programRows } from "./polynomials.js"
import { coordinates, coordinates2, setupSection } from "./provingkey.js"

const magic = "csmk"
const version = 1
const publicWires = 3

/** Size of the domain of a two-phase circuit. */
export const mirageDomain = (system: R1cs): number => domainSize(programRows(system))

/** Sections with points, by number. */
const sections = { points: 2, ic: 3, a: 4, b1: 5, b2: 6, committed: 7, final: 8, h: 9, c: 10 } as const
export type MirageSection = keyof typeof sections
export type MiragePoints = Readonly<Record<MirageSection, Uint8Array>>

/** Points of section 2 in order. */
const singles = [
  ["alpha1", "g1"],
  ["beta1", "g1"],
  ["delta1", "g1"],
  ["deltaC1", "g1"],
  ["beta2", "g2"],
  ["delta2", "g2"],
  ["deltaC2", "g2"],
] as const
export type Single = (typeof singles)[number][0]

/**
 * Wires that occur on a side, ascending; on side A the public ones always do. Side C counts in rows that have a
 * product: in the others, 0 · 0 = lc, it is zero.
 */
export function supportOf(system: R1cs, side: "a" | "b" | "c"): Uint32Array {
  const used = new Uint8Array(system.wires)
  const { rowPtr, wires: occurring } = system[side]
  for (let row = 0; row < system.rows; row++) {
    if (side === "c" && !hasProduct(system, row)) continue
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) used[occurring[j]] = 1
  }
  if (side === "a") used.fill(1, 0, publicWires)
  const wires: number[] = []
  used.forEach((is, wire) => {
    if (is) wires.push(wire)
  })
  return Uint32Array.from(wires)
}

/** SHA-256 of a system's rows and coefficients. */
export function digestOf(system: R1cs): Uint8Array {
  const hash = sha256.create()
  const numbers = (list: Uint32Array) =>
    hash.update(new Uint8Array(list.buffer, list.byteOffset, list.byteLength))
  numbers(Uint32Array.of(system.wires, system.rows, system.values.length))
  const text = new TextEncoder()
  for (const value of system.values) hash.update(text.encode(`${value},`))
  for (const side of [system.a, system.b, system.c]) {
    numbers(side.rowPtr)
    numbers(side.wires)
    numbers(side.coefficients)
  }
  return hash.digest()
}

/** Bytes of each section for a circuit. */
function sizesOf({ r1cs, firstFinal }: MirageLinked): Record<MirageSection, number> {
  const { g1, g2 } = pointBytes
  const b = supportOf(r1cs, "b").length
  return {
    points: singles.reduce((sum, [, group]) => sum + pointBytes[group], 0),
    ic: publicWires * g1,
    a: supportOf(r1cs, "a").length * g1,
    b1: b * g1,
    b2: b * g2,
    committed: (firstFinal - publicWires) * g1,
    final: (r1cs.wires - firstFinal) * g1,
    h: mirageDomain(r1cs) * g1,
    c: supportOf(r1cs, "c").length * g1,
  }
}

/** Largest memory of the kernels: what 32-bit addresses reach. */
const addressable = 2 ** 32

/**
 * Bytes that a proof takes in the kernels, about: points in their form, rows, the transform, and the largest
 * multiplication, that by H; with `precompute` the multiples of H.
 */
export function proverMemory(linked: MirageLinked, precompute = false): number {
  const { r1cs } = linked
  const points = Object.values(sizesOf(linked)).reduce((sum, bytes) => sum + bytes, 0)
  const nonzeros = r1cs.a.wires.length + r1cs.b.wires.length + r1cs.c.wires.length
  const domain = mirageDomain(r1cs)
  // a point grows from 64 bytes to 80; an entry of a row is an index and a double; a value of the transform
  // lies in a source, a vector, two tables and the result, and again as a scalar with its digits
  return Math.ceil(
    1.25 * points +
      12 * nonzeros +
      8 * (r1cs.wires + 3 * r1cs.rows) +
      (256 + 160) * domain +
      (precompute ? 80 * domain * multipleWindows(domain).count : 0) +
      2 ** 24,
  )
}

/** @throws CountersignError if a proof cannot fit, with the figure */
export function checkMemory(linked: MirageLinked, precompute = false): void {
  const bytes = proverMemory(linked, precompute)
  if (bytes <= addressable) return
  throw new CountersignError({
    what: "the proof does not fit into the kernels' memory",
    expected: `at most ${addressable / 2 ** 20} MiB`,
    given: `about ${Math.ceil(bytes / 2 ** 20)} MiB`,
    fix: "Prove a smaller model, or compile it with lower precision",
  })
}

function headerOf({ r1cs, firstFinal }: MirageLinked): Uint8Array {
  const counts = Uint32Array.of(r1cs.wires, firstFinal, mirageDomain(r1cs))
  return new Uint8Array([...new Uint8Array(counts.buffer), ...digestOf(r1cs)])
}

/** Bytes of a proving key. `setup` says how it was made. */
export function writeMirageKey(linked: MirageLinked, points: MiragePoints, setup: string): Uint8Array {
  const contents = [
    { id: 1, content: headerOf(linked) },
    ...Object.entries(sections).map(([name, id]) => ({ id, content: points[name as MirageSection] })),
    { id: setupSection, content: new TextEncoder().encode(setup) },
  ]
  const sizes = contents.map(({ id, content }) => ({ id, bytes: content.length }))
  const { file, sections: places } = createBinFile(magic, version, sizes)
  contents.forEach(({ content }, i) => {
    places[i].set(content)
  })
  return file
}

/**
 * Reads the points of a proving key that belongs to a circuit.
 * @throws FileError for a damaged or foreign file, or another circuit's key
 */
export function readMirageKey(key: Uint8Array, linked: MirageLinked): MiragePoints {
  const where = "proving key"
  const held = readBinFile(key, magic, version)
  const header = headerOf(linked)
  sectionView(held, 1, where, header.length)
  const given = held.get(1) as Uint8Array
  if (given.length !== header.length || given.some((byte, i) => byte !== header[i])) {
    throw new FileError({
      what: "belongs to another circuit: sizes or constraints differ",
      where,
      fix: "Run setup for this circuit again",
    })
  }
  const sizes = sizesOf(linked)
  const read = (name: MirageSection): Uint8Array => {
    sectionView(held, sections[name], where, sizes[name])
    return held.get(sections[name]) as Uint8Array
  }
  return {
    points: read("points"),
    ic: read("ic"),
    a: read("a"),
    b1: read("b1"),
    b2: read("b2"),
    committed: read("committed"),
    final: read("final"),
    h: read("h"),
    c: read("c"),
  }
}

/** Bytes of one point of section 2. */
export function singleOf(points: MiragePoints, name: Single): Uint8Array {
  let at = 0
  for (const [other, group] of singles) {
    if (other === name) return points.points.subarray(at, at + pointBytes[group])
    at += pointBytes[group]
  }
  throw new RangeError(name)
}

/** The points of the verification key that a proving key carries, as decimal strings. */
export function mirageVerificationPoints(points: MiragePoints): {
  alpha1: string[]
  beta2: string[][]
  delta2: string[][]
  deltaC2: string[][]
  ic: string[][]
} {
  const two = (name: Single) => coordinates2(singleOf(points, name)).map((pair) => pair.map(String))
  return {
    alpha1: coordinates(singleOf(points, "alpha1")).map(String),
    beta2: two("beta2"),
    delta2: two("delta2"),
    deltaC2: two("deltaC2"),
    ic: [0, 64, 128].map((at) => coordinates(points.ic.subarray(at, at + 64)).map(String)),
  }
}
