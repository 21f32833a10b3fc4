/** Products of pairings on the thread that calls: kernels/assembly/pairing.ts. */
import { bn254 } from "@noble/curves/bn254.js"
import { invariant } from "../../../errors.js"
import { inverse, mod, q, radix } from "../../../field.js"
import { Blocks } from "../blocks.js"
import type { KernelPool } from "../pool.js"
import { type Affine, isOnCurve } from "./points.js"

/** A point of G1 and one of the twist; the pairing of infinity is one. */
export interface PointPair {
  readonly one: Affine
  readonly two: Affine
}

/** x: what bn254 is made of; q and r are polynomials in it. */
export const curveParameter = 4965661367192848881n

/** Digits of 6x + 2, none of two neighbours not zero, the highest first. */
const digits = signedDigits(6n * curveParameter + 2n)

function signedDigits(value: bigint): Int8Array {
  const found: number[] = []
  for (let rest = value; rest > 0n; rest >>= 1n) {
    const digit = rest & 1n ? 2 - Number(rest & 3n) : 0
    rest -= BigInt(digit)
    found.push(digit)
  }
  return Int8Array.from(found.reverse())
}

/** ξ^(i(q − 1)/6) for i from 1 to 5, as coordinates. */
export const frobenius = (() => {
  let known: bigint[] | undefined
  return (): readonly bigint[] => {
    if (known === undefined) {
      const { Fp2 } = bn254.fields
      const first = Fp2.pow(Fp2.create({ c0: 9n, c1: 1n }), (q - 1n) / 6n)
      let power = Fp2.ONE
      known = Array.from({ length: 5 }, () => {
        power = Fp2.mul(power, first)
        return [power.c0, power.c1]
      }).flat()
    }
    return known
  }
})()

const generator = [
  bn254.G2.Point.BASE.x.c0,
  bn254.G2.Point.BASE.x.c1,
  bn254.G2.Point.BASE.y.c0,
  bn254.G2.Point.BASE.y.c1,
]

/**
 * Whether the product of some pairings is one. A point that is off its curve, or of the twist but outside the subgroup
 * of order r, makes it false.
 */
export function pairingsAreOne(pool: KernelPool, pairs: readonly PointPair[]): boolean {
  const finite = pairs.flatMap(({ one, two }) => (one && two ? [{ one, two }] : []))
  const count = Math.ceil(finite.length / 2)
  if (count === 0) return true
  if (!finite.every(({ one, two }) => isOnCurve("g1", one) && isOnCurve("g2", two))) return false
  invariant(count <= pool.constant("pairingLimit"), "a product has at most eight pairings")
  const words = wordsOf(finite)
  const { memory, exports } = pool
  const blocks = new Blocks(memory, "a product of pairings")
  try {
    const job = blocks.struct("Pairings")
    const result = blocks.allocate(4 * (count + 1))
    const values = {
      count,
      points: blocks.allocate(32 * words.length),
      frobenius: blocks.allocate(32 * frobenius().length),
      digits: blocks.allocate(digits.length),
      digitCount: digits.length,
      result,
    }
    const scratch = blocks.allocate(pool.constant("pairingScratch"))
    job.write(values)
    memory.writeIntegers(values.points, words.map(montgomery))
    memory.writeIntegers(values.frobenius, frobenius().map(montgomery))
    memory.bytes(values.digits, digits.length).set(new Uint8Array(digits.buffer))
    exports.pairing(0, job.at, scratch)
    const [isOne, ...inSubgroup] = memory.unsigned(result, count + 1)
    return isOne === 1 && inSubgroup.every((lanes) => lanes === 3)
  } finally {
    blocks.release()
  }
}

const montgomery = (value: bigint): bigint => mod(value * radix, q)

/** What the kernel takes of each pair, an even number of them: x/y and 1/y of G1, where y is never zero, and G2. */
function wordsOf(pairs: readonly Readonly<Record<"one" | "two", readonly bigint[]>>[]): bigint[] {
  const inverses = inverse(
    pairs.reduce((all, { one }) => (all * one[1]) % q, 1n),
    q,
  )
  const words = pairs.flatMap(({ one: [x], two }, i) => {
    const inverseY = pairs.reduce((all, pair, j) => (i === j ? all : (all * pair.one[1]) % q), inverses)
    return [mod(x * inverseY, q), inverseY, ...two]
  })
  return pairs.length % 2 === 1 ? [...words, 0n, 0n, ...generator] : words
}
