/** Products of pairings on the kernels against @noble/curves. */
import { bn254 } from "@noble/curves/bn254.js"
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { r } from "#src/field.js"
import type { Affine } from "#src/prover/engine/engine.js"
import { slowEngine } from "#src/prover/engine/slow.js"
import { type KernelEngine, openEngine } from "#src/prover/kernels/engine.js"
import { type PointPair, pairingsAreOne } from "#src/prover/kernels/points/pairing.js"
import type { G1Point, G2Point } from "#src/statement/points.js"
import { G1, G2, pointOfG2, smallPoint } from "../../support/foreign-keys.js"
import { outsideSubgroup } from "../../support/groth16-oracle.js"
import { variants } from "../../support/kernels.js"

const one = (point: G1Point): Affine => {
  const { x, y } = point.toAffine()
  return point.is0() ? null : [x, y]
}
const two = (point: G2Point): Affine => {
  const { x, y } = point.toAffine()
  return point.is0() ? null : [x.c0, x.c1, y.c0, y.c1]
}
const times1 = (k: bigint): Affine => one(k % r === 0n ? G1.ZERO : G1.BASE.multiply(k % r))
const times2 = (k: bigint): Affine => two(k % r === 0n ? G2.ZERO : G2.BASE.multiply(k % r))
/** Pairs of multiples of the generators; their product is one exactly if the factors' products add up to zero. */
const pairsOf = (factors: readonly (readonly [bigint, bigint])[]): PointPair[] =>
  factors.map(([a, b]) => ({ one: times1(a), two: times2(b) }))

describe.each(variants)("pairings of the %s module", (variant) => {
  let engine: KernelEngine
  beforeAll(async () => {
    engine = await openEngine({ threads: 1, variant })
  })
  afterAll(() => engine?.close())
  const isOne = (pairs: readonly PointPair[]) => pairingsAreOne(engine.pool, pairs)

  it("multiply to one exactly if the products of the factors add up to zero", () => {
    const scalar = fc.oneof(fc.bigInt(0n, 3n), fc.bigInt(0n, r - 1n), fc.constant(r - 1n))
    const factors = fc.array(fc.tuple(scalar, scalar), { minLength: 0, maxLength: 7 })
    fc.assert(
      fc.property(factors, fc.boolean(), (list, complete) => {
        const sum = list.reduce((total, [a, b]) => (total + a * b) % r, 0n)
        const all = complete ? [...list, [r - sum, 1n] as const] : list
        expect(isOne(pairsOf(all))).toBe(complete || sum === 0n)
      }),
      { numRuns: 25 },
    )
  })

  it("agree with the slow engine, also on points that are none", () => {
    const slow = slowEngine()
    const [[x0, x1], [y0, y1]] = outsideSubgroup()
    const outside = [x0, x1, y0, y1].map(BigInt)
    const small = two(smallPoint())
    const mixed = two(G2.BASE.multiply(5n).add(pointOfG2(outside)))
    const honest = pairsOf([
      [6n, 35n],
      [r - 10n, 21n],
    ])
    expect(isOne(honest)).toBe(true)
    const [first, second] = honest
    for (const pairs of [
      honest,
      [first],
      [first, second, { one: times1(3n), two: null }],
      [first, second, { one: null, two: times2(3n) }],
      [first, second, { one: null, two: outside }],
      [{ one: times1(3n), two: outside }, first, second],
      [first, { one: times1(3n), two: small }, second],
      [first, second, { one: times1(3n), two: mixed }, { one: times1(r - 3n), two: mixed }],
      [first, second, { one: [1n, 3n], two: times2(3n) }],
      [first, second, { one: times1(3n), two: [...(times2(3n) as bigint[]).slice(0, 3), 1n] }],
    ] as PointPair[][])
      expect(isOne(pairs)).toBe(slow.pairingsAreOne(pairs))
  })

  it("are what noble says of a proof's equation with one point moved", () => {
    const { Fp12 } = bn254.fields
    const factors = [
      [11n, 13n],
      [17n, 19n],
      [23n, 29n],
      [31n, 37n],
      [r - (11n * 13n + 17n * 19n + 23n * 29n + 31n * 37n), 1n],
    ] as const
    for (let i = -1; i < factors.length; i++) {
      const moved = factors.map(([a, b], j): [bigint, bigint] => (i === j ? [a + 1n, b] : [a, b]))
      const product = bn254.pairingBatch(
        moved.map(([a, b]) => ({ g1: G1.BASE.multiply(a), g2: G2.BASE.multiply(b) })),
      )
      expect(isOne(pairsOf(moved))).toBe(Fp12.eql(product, Fp12.ONE))
      expect(isOne(pairsOf(moved))).toBe(i === -1)
    }
    expect(engine.pool.memory.allocated).toBeLessThan(20_000)
  })
})
