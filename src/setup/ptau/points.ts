/** Points as ceremonies have them: finite, reduced, and of their curve, in the coordinates of bn254. */
import { bn254 } from "@noble/curves/bn254.js"
import { montgomeryPoint } from "../../circuit/formats/points.js"
import { q } from "../../field.js"
import type { KernelEngine } from "../../prover/kernels/engine.js"
import { affineOf, type Group, integersOf, isOnCurve } from "../../prover/kernels/points/points.js"
import { type G2Point, generator2Point } from "../../statement/points.js"

/** Affine coordinates: x, y, or x0, x1, y0, y1 in G2. */
export type FinitePoint = readonly bigint[]

/** What is wrong with the bytes of a point, if anything: 64 in G1, 128 in G2. Whether it is in G2 is not looked at. */
export function problemOf(group: Group, bytes: Uint8Array): string | undefined {
  if (integersOf(bytes).some((coordinate) => coordinate >= q)) return "has a coordinate that is not below q"
  const point = affineOf(bytes)
  if (point === null) return "is infinity"
  return isOnCurve(group, point) ? undefined : "is not on the curve"
}

const G2 = bn254.G2.Point

export const pointOfTwist = ([x0, x1, y0, y1]: FinitePoint): G2Point =>
  G2.fromAffine({ x: { c0: x0, c1: x1 }, y: { c0: y0, c1: y1 } })

export function coordinatesOfTwist(point: G2Point): FinitePoint {
  const { x, y } = point.toAffine()
  return [x.c0, x.c1, y.c0, y.c1]
}

/** Whether a point of the twist is in the subgroup of order r. */
export const isInG2 = (point: FinitePoint): boolean => pointOfTwist(point).isTorsionFree()

export const generator1: FinitePoint = [1n, 2n]
export const generator2: FinitePoint = coordinatesOfTwist(generator2Point)

export const isSame = (a: FinitePoint, b: FinitePoint): boolean => a.every((x, i) => x === b[i])

/** A point of G1 with the other sign. */
export const negated = ([x, y]: FinitePoint): FinitePoint => [x, (q - y) % q]

/** Points one behind the other as challenges and responses have them (`KernelEngine.uncompressed`). */
export const uncompressed = (
  engine: KernelEngine,
  group: Group,
  points: readonly FinitePoint[],
): Promise<Uint8Array> => engine.uncompressed(group, montgomeryPoint(points.flat()))
