/**
 * The equations of the two proof systems, checked as one product of pairings.
 *
 *     groth16 (eprint 2016/260)    e(A, B) = e(α, β) · e(IC₀ + Σ xᵢ·ICᵢ₊₁, γ) · e(C, δ)
 *     mirage  (eprint 2020/278)    e(A, B) = e(α, β) · e(IC₀ + c·IC₁ + ev·IC₂, 1) · e(D, δ_c) · e(C, δ)
 *
 * with γ = 1 in the second. A proof's points are checked here too: on the curve, in the subgroup, finite.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { signed } from "../field.js"
import { type G1Point, type G2Point, g1, g2 } from "../statement/points.js"
import type { Groth16Proof, MirageProof } from "../statement/receipt.js"
import { challenge, evaluation } from "../statement/words.js"
import type { CheckedGroth16Key, CheckedKey, CheckedMirageKey } from "./key.js"

/** Points of G1 and G2 to be paired. */
export type Factor = readonly [one: G1Point, two: G2Point]

/** The points that proofs of both systems have. */
export interface ProofPoints {
  readonly a: G1Point
  readonly b: G2Point
  readonly c: G1Point
}
export interface MirageProofPoints extends ProofPoints {
  readonly d: G1Point
}

const { BASE } = bn254.G2.Point

/** The product of their pairings is one exactly if the equation holds; `ic` is the sum over the public signals. */
const groth16Factors = (key: CheckedGroth16Key, { a, b, c }: ProofPoints, ic: G1Point): Factor[] => [
  [a.negate(), b],
  [key.alpha1, key.beta2],
  [ic, key.gamma2],
  [c, key.delta2],
]

/** The same for a two-phase proof, for provers that check what they give out. */
export const mirageFactors = (
  key: CheckedMirageKey,
  { a, b, c, d }: MirageProofPoints,
  ic: G1Point,
): Factor[] => [
  [a.negate(), b],
  [key.alpha1, key.beta2],
  [ic, BASE],
  [d, key.deltaC2],
  [c, key.delta2],
]

/** Why a Groth16 proof is not valid for public signals, or null. */
export function groth16Problem(
  proof: Groth16Proof,
  signals: readonly bigint[],
  key: CheckedGroth16Key,
): string | null {
  const points = finite(proof)
  if (typeof points === "string") return points
  return product(groth16Factors(key, points, linear(key.ic, signals)), key)
}

/** Why a two-phase proof is not valid for a context and words under a key of this digest, or null. */
export function mirageProblem(
  proof: MirageProof,
  digest: string,
  context: string,
  words: readonly bigint[],
  key: CheckedMirageKey,
): string | null {
  const points = finite(proof)
  if (typeof points === "string") return points
  const d = g1(proof.d)
  if (d === null) return "proof.d is not a point of G1, or the point at infinity"
  const c = challenge(digest, context, words, proof.d)
  return product(mirageFactors(key, { ...points, d }, linear(key.ic, [c, evaluation(words, c)])), key)
}

/** The points that both systems have, or which of them is none. */
function finite(proof: Groth16Proof): ProofPoints | string {
  const [a, b, c] = [g1(proof.a), g2(proof.b), g1(proof.c)]
  if (a === null) return "proof.a is not a point of G1, or the point at infinity"
  if (b === null) return "proof.b is not a point of G2's subgroup of order r, or the point at infinity"
  if (c === null) return "proof.c is not a point of G1, or the point at infinity"
  return { a, b, c }
}

type Lines = ReturnType<typeof bn254.utils.calcPairingPrecomputes>
type Loops = ReturnType<typeof bn254.millerLoopBatch>

/** Null when the product of the pairings is one. */
function product(factors: readonly Factor[], key: CheckedKey): string | null {
  const { alphaBeta, lines } = partsOf(key)
  // The pairing of infinity is one, and noble's takes finite points only; just the public part can be it.
  const loops = bn254.millerLoopBatch(
    factors
      .filter(([one]) => one !== key.alpha1 && !one.is0())
      .map(([one, two]) => {
        const { x, y } = one.toAffine()
        return [lines.get(two) ?? bn254.utils.calcPairingPrecomputes(two), x, y]
      }),
  )
  const { Fp12 } = bn254.fields
  const value = Fp12.finalExponentiate(Fp12.mul(loops, alphaBeta))
  return Fp12.eql(value, Fp12.ONE)
    ? null
    : "the statement was changed, or the proof is not for it under this key: it may be another key's"
}

/** What a Miller loop needs of a key and no proof changes: half the time of a verification. */
interface KeyParts {
  /** That of e(α, β). */
  readonly alphaBeta: Loops
  readonly lines: ReadonlyMap<G2Point, Lines>
}

const keyParts = new WeakMap<CheckedKey, KeyParts>()

function partsOf(key: CheckedKey): KeyParts {
  const known = keyParts.get(key)
  if (known) return known
  const fixed = key.proofSystem === "groth16" ? [key.gamma2, key.delta2] : [BASE, key.deltaC2, key.delta2]
  const parts: KeyParts = {
    alphaBeta: bn254.pairing(key.alpha1, key.beta2, false),
    lines: new Map(fixed.map((point) => [point, bn254.utils.calcPairingPrecomputes(point)])),
  }
  keyParts.set(key, parts)
  return parts
}

/** ic[0] + Σ signals[i] · ic[i + 1]; small negative integers are multiplied by their absolute value. */
function linear(ic: readonly G1Point[], signals: readonly bigint[]): G1Point {
  let sum = ic[0]
  signals.forEach((signal, i) => {
    const x = signed(signal)
    if (x > 0n) sum = sum.add(ic[i + 1].multiplyUnsafe(x))
    else if (x < 0n) sum = sum.subtract(ic[i + 1].multiplyUnsafe(-x))
  })
  return sum
}
