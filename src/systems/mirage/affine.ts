/** Points as the engine gives them, as noble computes with them, and as receipts show them. */
import { bn254 } from "@noble/curves/bn254.js"
import type { Affine } from "../../prover/engine/engine.js"
import type { G1Json, G1Point, G2Json, G2Point } from "../../statement/points.js"

const G1 = bn254.G1.Point
const G2 = bn254.G2.Point

export const point1 = ([x, y]: readonly bigint[]): G1Point => G1.fromAffine({ x, y })
export const point2 = ([x0, x1, y0, y1]: readonly bigint[]): G2Point =>
  G2.fromAffine({ x: { c0: x0, c1: x1 }, y: { c0: y0, c1: y1 } })

export const add1 = (points: readonly (Affine | undefined)[]): G1Point =>
  points.reduce((sum, point) => (point ? sum.add(point1(point)) : sum), G1.ZERO)
export const add2 = (points: readonly (Affine | undefined)[]): G2Point =>
  points.reduce((sum, point) => (point ? sum.add(point2(point)) : sum), G2.ZERO)

export const affine1 = (point: G1Point): Affine => {
  const { x, y } = point.toAffine()
  return point.is0() ? null : [x, y]
}
export const affine2 = (point: G2Point): Affine => {
  const { x, y } = point.toAffine()
  return point.is0() ? null : [x.c0, x.c1, y.c0, y.c1]
}

export const json1 = (point: G1Point): G1Json => {
  const { x, y } = point.toAffine()
  return [`${x}`, `${y}`]
}
export const json2 = (point: G2Point): G2Json => {
  const { x, y } = point.toAffine()
  return [
    [`${x.c0}`, `${x.c1}`],
    [`${y.c0}`, `${y.c1}`],
  ]
}
