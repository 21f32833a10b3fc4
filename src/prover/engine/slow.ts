/** The reference engine: @noble/curves and bigint transforms. Every kernel must agree with it. */
import { bn254 } from "@noble/curves/bn254.js"
import { coordinates } from "../../circuit/formats/points.js"
import type { R1cs, SparseRows } from "../../circuit/formats/r1cs.js"
import { checkedSource, partOf } from "../../circuit/formats/source.js"
import { cosetsOf, domainRoot, foldInto, joinCosets } from "../../circuit/link/domain.js"
import { inverse, mod, r, signed } from "../../field.js"
import type { Affine, Engine, Fields, Points, QuotientRows, Scalars, Vector } from "./engine.js"

const G1 = bn254.G1.Point
const G2 = bn254.G2.Point
type G1Point = typeof G1.BASE
type G2Point = typeof G2.BASE

interface SlowFields extends Fields {
  readonly values: readonly bigint[]
}
interface SlowPoints extends Points {
  readonly points: Promise<readonly (G1Point | G2Point)[]>
}

const point1 = ([x, y]: readonly bigint[]): G1Point => G1.fromAffine({ x, y })
const point2 = ([x0, x1, y0, y1]: readonly bigint[]): G2Point =>
  G2.fromAffine({ x: { c0: x0, c1: x1 }, y: { c0: y0, c1: y1 } })

export const slowEngine = (): Engine => {
  const sum = async (points: Points, given: Scalars): Promise<Affine> => {
    const list = await (points as SlowPoints).points
    const scalars =
      "fields" in given ? Array.from(given.index, (i) => (given.fields as SlowFields).values[i]) : given
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
    load(group, given, { multiples } = {}) {
      const size = group === "g1" ? 64 : 128
      const held = given instanceof Uint8Array
      const own = (held ? given.length : given.size) / size
      const { from, bits, layers } = multiples ?? { from: own, bits: 0, layers: 1 }
      const pointsOf = (bytes: Uint8Array) => {
        const points = Array.from({ length: own }, (_, i) => {
          const values = coordinates(bytes.subarray(i * size, (i + 1) * size))
          if (values.every((value) => value === 0n)) return group === "g1" ? G1.ZERO : G2.ZERO
          return group === "g1" ? point1(values) : point2(values)
        })
        let layer = points.slice(from) as G1Point[]
        for (let k = 1; k < layers; k++) {
          layer = layer.map((point) => Array.from({ length: bits }).reduce<G1Point>((p) => p.double(), point))
          points.push(...layer)
        }
        return points
      }
      const points = held ? Promise.resolve(pointsOf(given)) : given.read(0, given.size).then(pointsOf)
      // whoever multiplies them is told
      points.catch(() => undefined)
      return { group, count: own + (own - from) * (layers - 1), points } as SlowPoints
    },
    loadQuotient(points, layers) {
      const source = checkedSource(points, "points")
      return this.load("g1", partOf(source, { at: 0, length: source.size / layers.count }))
    },
    loaded: async () => undefined,
    loadRows: (system) => ({ system }),
    rowSums: async ({ system }, wires) => {
      const of = (side: SparseRows) => rowSums(system, side, wires)
      return { a: of(system.a), b: of(system.b), c: of(system.c) }
    },
    msm: async (points, scalars) => sum(points, scalars),
    sums: async (points, { group, point, negative }, groups) => {
      const list = (await (points as SlowPoints).points) as readonly G1Point[]
      const zero = (points.group === "g1" ? G1.ZERO : G2.ZERO) as G1Point
      const sums = new Array<G1Point>(groups).fill(zero)
      group.forEach((g, i) => {
        const entry = list[point?.[i] ?? i]
        sums[g] = sums[g].add(negative?.[i] === 1 ? entry.negate() : entry)
      })
      return { group: points.group, count: groups, points: Promise.resolve(sums) } as Points
    },
    quotientMsm: async (h, rows) => sum(h, slowQuotient(rows)),
    lookupFields: (c, entries, multiplicities) => {
      const differences = Array.from(entries, (entry) => mod(c - BigInt(entry)))
      const inverses = differences.map((value) => inverse(value))
      const quotients = inverses.map((value, i) => mod(BigInt(multiplicities[i]) * value))
      const values = [...differences, ...inverses, ...quotients]
      return { count: values.length, values } as SlowFields
    },
    pairingsAreOne(pairs) {
      const finite = pairs.flatMap(({ one, two }) =>
        one && two ? [{ g1: point1(one), g2: point2(two) }] : [],
      )
      try {
        for (const pair of finite) for (const point of [pair.g1, pair.g2]) point.assertValidity()
      } catch {
        return false
      }
      const { Fp12 } = bn254.fields
      return finite.length === 0 || Fp12.eql(bn254.pairingBatch(finite), Fp12.ONE)
    },
    free: async () => undefined,
    heldBytes: () => 0,
    close: async () => undefined,
  }
}

/** All values of a vector as field elements. */
function fieldValues({ small, rows, index, fields }: Vector, kept: Fields): bigint[] {
  const values = Array.from(small, (value) => mod(BigInt(value)))
  rows.forEach((row, j) => {
    values[row] =
      index[j] < kept.count ? (kept as SlowFields).values[index[j]] : fields[index[j] - kept.count]
  })
  return values
}

/** A·B where the quotient of a domain is evaluated, from values where its rows are. */
export function slowQuotient(rows: QuotientRows): bigint[] {
  const [a, b] = [rows.a, rows.b].map((vector) => toQuotient(fieldValues(vector, rows.kept)))
  return a.map((x, k) => mod(x * b[k]))
}

/** Values where the quotient of a domain is evaluated, from values where its rows are, of which there are as many. */
export function toQuotient(values: readonly bigint[]): bigint[] {
  const { rows, quotient } = cosetsOf(values.length)
  let from = 0
  const parts = rows.map(({ size, shift }) => {
    const own = values.slice(from, (from += size))
    return scaled(transform(own, inverse(domainRoot(size))), inverse(BigInt(size)), inverse(shift))
  })
  const coefficients = joinCosets(rows, parts)
  return quotient.flatMap((coset) =>
    transform(scaled(foldInto(coset, coefficients), 1n, coset.shift), domainRoot(coset.size)),
  )
}

/** values[k] · first · step^k */
function scaled(values: readonly bigint[], first: bigint, step: bigint): bigint[] {
  let factor = first
  return values.map((value) => {
    const result = (value * factor) % r
    factor = (factor * step) % r
    return result
  })
}

/** Σ_i values[i] · root^(ik) for each k, by halves or thirds. */
function transform(values: readonly bigint[], root: bigint): bigint[] {
  const n = values.length
  if (n === 1) return [values[0]]
  const parts = n % 2 === 0 ? 2 : 3
  const size = n / parts
  const power = Array.from({ length: parts }).reduce<bigint>((product) => (product * root) % r, 1n)
  const transformed = Array.from({ length: parts }, (_, part) =>
    transform(
      values.filter((_, i) => i % parts === part),
      power,
    ),
  )
  const result = new Array<bigint>(n)
  let x = 1n
  for (let k = 0; k < n; k++) {
    let sum = 0n
    for (let part = parts - 1; part >= 0; part--) sum = (sum * x + transformed[part][k % size]) % r
    result[k] = sum
    x = (x * root) % r
  }
  return result
}

/** Row sums in doubles; NaN where one could round. */
function rowSums(
  system: R1cs,
  { rowPtr, wires, coefficients }: SparseRows,
  values: Float64Array,
): Float64Array {
  const exact = 2 ** 53
  const small = system.values.map((value) => Number(signed(value))).map((x) => (Math.abs(x) < exact ? x : 0))
  const sums = new Float64Array(system.rows)
  for (let row = 0; row < system.rows; row++) {
    let sum = 0
    let magnitude = 0
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) {
      const term = small[coefficients[j]] * values[wires[j]]
      sum += term
      magnitude += Math.abs(term)
    }
    sums[row] = magnitude < exact ? sum : Number.NaN
  }
  return sums
}
