/** The reference engine: @noble/curves and bigint transforms. Every kernel must agree with it. */
import { bn254 } from "@noble/curves/bn254.js"
import { mod, power, r } from "../field.js"
import type { Affine, Engine, Points, QuotientRows, Scalars, Vector } from "./engine.js"
import { rootOfUnity } from "./polynomials.js"
import { coordinates } from "./provingkey.js"

const G1 = bn254.G1.Point
const G2 = bn254.G2.Point
type G1Point = typeof G1.BASE
type G2Point = typeof G2.BASE

interface SlowPoints extends Points {
  readonly points: readonly (G1Point | G2Point)[]
}

export const slowEngine = (): Engine => {
  const sum = (points: Points, scalars: Scalars): Affine => {
    const list = (points as SlowPoints).points
    const of = (point: G1Point, scalar: number | bigint): G1Point => {
      const k = mod(BigInt(scalar))
      return k === 0n ? point.subtract(point) : point.multiplyUnsafe(k)
    }
    const zero = (points.group === "g1" ? G1.ZERO : G2.ZERO) as G1Point
    const total = list.reduce((acc: G1Point, point, i) => acc.add(of(point as G1Point, scalars[i])), zero)
    if (total.is0()) return null
    const affine = total.toAffine() as { x: unknown; y: unknown }
    if (points.group === "g1") return [affine.x as bigint, affine.y as bigint]
    const [x, y] = [affine.x, affine.y] as { c0: bigint; c1: bigint }[]
    return [x.c0, x.c1, y.c0, y.c1]
  }
  return {
    load(group, bytes) {
      const size = group === "g1" ? 64 : 128
      const points = Array.from({ length: bytes.length / size }, (_, i) => {
        const values = coordinates(bytes.subarray(i * size, (i + 1) * size))
        if (values.every((value) => value === 0n)) return group === "g1" ? G1.ZERO : G2.ZERO
        if (group === "g1") return G1.fromAffine({ x: values[0], y: values[1] })
        return G2.fromAffine({ x: { c0: values[0], c1: values[1] }, y: { c0: values[2], c1: values[3] } })
      })
      return { group, count: points.length, points } as SlowPoints
    },
    msm: async (points, scalars) => sum(points, scalars),
    groupedMsm: async (points, group, scalars) =>
      sum(
        points,
        Array.from(group, (g) => scalars[g]),
      ),
    quotientMsm: async (h, rows) => sum(h, slowQuotient(rows)),
    close: async () => undefined,
  }
}

/** All values of a vector as field elements. */
export function fieldValues({ small, rows, index, fields }: Vector): bigint[] {
  const values = Array.from(small, (value) => mod(BigInt(value)))
  rows.forEach((row, j) => {
    values[row] = fields[index[j]]
  })
  return values
}

/** (A·B − C) at ω_2n^(2k+1), from values at ω_n^i. */
export function slowQuotient(rows: QuotientRows): bigint[] {
  const [a, b, c] = [rows.a, rows.b, rows.c].map((vector) => toOddCoset(fieldValues(vector)))
  return a.map((x, k) => mod(x * b[k] - c[k]))
}

function toOddCoset(values: readonly bigint[]): bigint[] {
  const n = values.length
  const bits = Math.log2(n)
  const scale = power(BigInt(n), r - 2n)
  const coefficients = transform(values, power(rootOfUnity(bits), r - 2n))
  const shift = rootOfUnity(bits + 1)
  let factor = scale
  const shifted = coefficients.map((value) => {
    const result = (value * factor) % r
    factor = (factor * shift) % r
    return result
  })
  return transform(shifted, rootOfUnity(bits))
}

/** Σ_i values[i] · root^(ik) for each k, by halves. */
function transform(values: readonly bigint[], root: bigint): bigint[] {
  const n = values.length
  if (n === 1) return [values[0]]
  const square = (root * root) % r
  const even = transform(
    values.filter((_, i) => i % 2 === 0),
    square,
  )
  const odd = transform(
    values.filter((_, i) => i % 2 === 1),
    square,
  )
  const result = new Array<bigint>(n)
  let factor = 1n
  for (let k = 0; k < n / 2; k++) {
    const twisted = (odd[k] * factor) % r
    result[k] = (even[k] + twisted) % r
    result[k + n / 2] = (even[k] - twisted + r) % r
    factor = (factor * root) % r
  }
  return result
}
