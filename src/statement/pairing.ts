/** Products of pairings: the equation of every proof system is that one of them is one. */
import { bn254 } from "@noble/curves/bn254.js"
import { signed } from "../field.js"
import type { G1Point, G2Point } from "./points.js"

/** Points of G1 and G2 to be paired. */
export type Factor = readonly [one: G1Point, two: G2Point]

/** The points that equations of all proof systems have, and one that some keys have. */
export interface PairedKey {
  readonly alpha1: G1Point
  readonly beta2: G2Point
  readonly weights?: G1Point
}

type Lines = ReturnType<typeof bn254.utils.calcPairingPrecomputes>
type Loops = ReturnType<typeof bn254.millerLoopBatch>

/**
 * Why the product of the pairings is not one, or null. The first factor is the proof's, the second e(α, β); the
 * points of G2 in all others are the key's, and of e(D_w, δ_w) both are.
 */
export function pairingProblem(factors: readonly Factor[], key: PairedKey): string | null {
  const { constant, lines } = partsOf(key, factors)
  // The pairing of infinity is one, and noble's takes finite points only; just the public part can be it.
  const loops = bn254.millerLoopBatch(
    factors
      .filter(([one]) => !isConstant(key, one) && !one.is0())
      .map(([one, two]) => {
        const { x, y } = one.toAffine()
        return [lines.get(two) ?? bn254.utils.calcPairingPrecomputes(two), x, y]
      }),
  )
  const { Fp12 } = bn254.fields
  const value = Fp12.finalExponentiate(Fp12.mul(loops, constant))
  return Fp12.eql(value, Fp12.ONE)
    ? null
    : "the statement was changed, or the proof is not for it under this key: it may be another key's"
}

/** What a Miller loop needs of a key and no proof changes: half the time of a verification. */
interface KeyParts {
  /** That of e(α, β), and of e(D_w, δ_w). */
  readonly constant: Loops
  readonly lines: ReadonlyMap<G2Point, Lines>
}

const isConstant = (key: PairedKey, one: G1Point): boolean => one === key.alpha1 || one === key.weights

const keyParts = new WeakMap<PairedKey, KeyParts>()

function partsOf(key: PairedKey, factors: readonly Factor[]): KeyParts {
  const known = keyParts.get(key)
  if (known) return known
  const parts: KeyParts = {
    constant: factors
      .filter(([one]) => isConstant(key, one))
      .map(([one, two]) => bn254.pairing(one, two, false))
      .reduce((product, loops) => bn254.fields.Fp12.mul(product, loops)),
    lines: new Map(
      factors
        .slice(1)
        .filter(([one]) => !isConstant(key, one))
        .map(([, two]) => [two, bn254.utils.calcPairingPrecomputes(two)]),
    ),
  }
  keyParts.set(key, parts)
  return parts
}

/** ic[0] + Σ signals[i] · ic[i + 1]; small negative integers are multiplied by their absolute value. */
export function publicSum(ic: readonly G1Point[], signals: readonly bigint[]): G1Point {
  let sum = ic[0]
  signals.forEach((signal, i) => {
    const x = signed(signal)
    if (x > 0n) sum = sum.add(ic[i + 1].multiplyUnsafe(x))
    else if (x < 0n) sum = sum.subtract(ic[i + 1].multiplyUnsafe(-x))
  })
  return sum
}
