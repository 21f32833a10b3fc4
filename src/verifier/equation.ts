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
import type { CheckedGroth16Key, CheckedKey, CheckedMirageKey } from "./key.js"
import { type G1Point, type G2Point, g1, g2 } from "./points.js"
import type { Groth16Proof, MirageProof } from "./receipt.js"
import { challenge, evaluation } from "./words.js"

/** Why a Groth16 proof is not valid for public signals, or null. */
export function groth16Problem(
  proof: Groth16Proof,
  signals: readonly bigint[],
  key: CheckedGroth16Key,
): string | null {
  const points = finite(proof)
  if (typeof points === "string") return points
  const { alphaBeta, fixed } = linesOf(key, [key.gamma2, key.delta2])
  return product(points, alphaBeta, [
    [fixed[0], linear(key.ic, signals)],
    [fixed[1], points.c],
  ])
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
  const { alphaBeta, fixed } = linesOf(key, [bn254.G2.Point.BASE, key.deltaC2, key.delta2])
  const c = challenge(digest, context, words, proof.d)
  return product(points, alphaBeta, [
    [fixed[0], linear(key.ic, [c, evaluation(words, c)])],
    [fixed[1], d],
    [fixed[2], points.c],
  ])
}

interface ProofPoints {
  readonly a: G1Point
  readonly b: G2Point
  readonly c: G1Point
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

/** Null when e(−A, B) · e(α, β) · Π e(P, Q) is one. */
function product({ a, b }: ProofPoints, alphaBeta: Loops, rest: readonly [Lines, G1Point][]): string | null {
  const terms: [Lines, G1Point][] = [[bn254.utils.calcPairingPrecomputes(b), a.negate()], ...rest]
  // The pairing of infinity is one, and noble's takes finite points only; just the public part can be it.
  const loops = bn254.millerLoopBatch(
    terms
      .filter(([, point]) => !point.is0())
      .map(([lines, point]) => {
        const { x, y } = point.toAffine()
        return [lines, x, y]
      }),
  )
  const { Fp12 } = bn254.fields
  const value = Fp12.finalExponentiate(Fp12.mul(loops, alphaBeta))
  return Fp12.eql(value, Fp12.ONE)
    ? null
    : "the statement was changed, or the proof is not for it under this key: it may be another key's"
}

/** What a Miller loop needs of a key and no proof changes: half the time of a verification. */
interface KeyLines {
  readonly alphaBeta: Loops
  readonly fixed: readonly Lines[]
}

const keyLines = new WeakMap<CheckedKey, KeyLines>()

function linesOf(key: CheckedKey, points: readonly G2Point[]): KeyLines {
  const known = keyLines.get(key)
  if (known) return known
  const lines: KeyLines = {
    alphaBeta: bn254.pairing(key.alpha1, key.beta2, false),
    fixed: points.map((point) => bn254.utils.calcPairingPrecomputes(point)),
  }
  keyLines.set(key, lines)
  return lines
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
