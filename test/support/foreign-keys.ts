/** Proving keys whose maker chose points, for tests of what a prover refuses. */
import { bn254 } from "@noble/curves/bn254.js"
import { createBinFile, readBinFile } from "#src/circuit/formats/container.js"
import { montgomeryPoint } from "#src/circuit/formats/points.js"
import { q } from "#src/field.js"
import type { G1Point, G2Point } from "#src/statement/points.js"
import { outsideSubgroup } from "./groth16-oracle.js"

export const G1 = bn254.G1.Point
export const G2 = bn254.G2.Point

/** Magic and version of a container. */
export const kindOf = (file: Uint8Array): [magic: string, version: number] => [
  new TextDecoder().decode(file.subarray(0, 4)),
  new DataView(file.buffer, file.byteOffset).getUint32(4, true),
]

/** A container with one section changed, left out (undefined), or added. */
export function withSection(
  file: Uint8Array,
  id: number,
  change: (content: Uint8Array) => Uint8Array | undefined,
): Uint8Array {
  const [magic, version] = kindOf(file)
  const contents = [...readBinFile(file, magic, version)].flatMap(([section, content]) => {
    const changed = section === id ? change(content.slice()) : content
    return changed ? [{ id: section, content: changed }] : []
  })
  const sizes = contents.map(({ id: section, content }) => ({ id: section, bytes: content.length }))
  const made = createBinFile(magic, version, sizes)
  made.sections.forEach((section, i) => {
    section.set(contents[i].content)
  })
  return made.file
}

/** A section of a container. */
export const sectionOf = (file: Uint8Array, id: number): Uint8Array =>
  readBinFile(file, ...kindOf(file)).get(id) as Uint8Array

/** The same with bytes from `at` on replaced. */
export const withBytes = (file: Uint8Array, id: number, at: number, bytes: Uint8Array): Uint8Array =>
  withSection(file, id, (content) => {
    content.set(bytes, at)
    return content
  })

export const infinity1 = new Uint8Array(64)

/** A point of G1 as a key has it. */
export function bytesOfG1(point: G1Point): Uint8Array {
  if (point.is0()) return infinity1
  const { x, y } = point.toAffine()
  return montgomeryPoint([x, y])
}

/** A point of the twist as a key has it. */
export function bytesOfG2(point: G2Point): Uint8Array {
  if (point.is0()) return new Uint8Array(128)
  const { x, y } = point.toAffine()
  return montgomeryPoint([x.c0, x.c1, y.c0, y.c1])
}

/** The point of G2, in the subgroup or not, that a key's bytes are. */
export function pointOfG2([x0, x1, y0, y1]: readonly bigint[]): G2Point {
  return G2.fromAffine({ x: { c0: x0, c1: x1 }, y: { c0: y0, c1: y1 } })
}

/** Order of the small subgroup below: the twist has r·(2q − r) points. */
export const smallOrder = 10069n

/** k·P for points outside the subgroup, where noble would reduce k. */
export function times(point: G2Point, k: bigint): G2Point {
  let sum = G2.ZERO
  for (const bit of k.toString(2)) {
    sum = sum.double()
    if (bit === "1") sum = sum.add(point)
  }
  return sum
}

/** A point of the twist of order 10069. */
export function smallPoint(): G2Point {
  const { n: r } = G2.CURVE()
  const cofactor = 2n * q - r
  if (cofactor % smallOrder !== 0n) throw new Error("not a factor of the cofactor")
  const [[x0, x1], [y0, y1]] = outsideSubgroup()
  const point = times(pointOfG2([x0, x1, y0, y1].map(BigInt)), (r * cofactor) / smallOrder)
  if (point.is0()) throw new Error("found a point without that part")
  return point
}
