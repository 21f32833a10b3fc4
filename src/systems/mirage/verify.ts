/**
 * The two-phase proof's half of verification (MIRAGE, eprint 2020/278, with γ = 1):
 *
 *     e(A, B) = e(α, β) · e(IC₀ + c·IC₁ + ev·IC₂, 1) · e(D, δ_c) · e(C, δ)
 *
 * where c is the challenge to statement and D, and ev the evaluation of the statement's words at c. Where weights are
 * private the right side has e(D_w, δ_w) as well, with the commitment D_w to a model's weights. It is a point of the
 * key: so the challenge depends on it by the key's digest, and the pairing is computed once for a key.
 */
import { bn254 } from "@noble/curves/bn254.js"
import {
  type CheckedFacts,
  checkCommon,
  commonKeyWords,
  contributedSetups,
  type KeyFacts,
  requireContributions,
} from "../../statement/key.js"
import type { Layout } from "../../statement/layout.js"
import { type Factor, pairingProblem, publicSum } from "../../statement/pairing.js"
import {
  type G1Json,
  type G1Point,
  type G2Json,
  type G2Point,
  g1,
  parseG1,
  parseG2,
  requireG1,
  requireG2,
  wordsOfG1,
  wordsOfG2,
} from "../../statement/points.js"
import {
  type CommonProof,
  finitePoints,
  type ProofPoints,
  parseCommon,
  type ReceiptFacts,
} from "../../statement/proof.js"
import type { Statement } from "../../statement/statement.js"
import { array, fields, type Hex } from "../../statement/strict.js"
import { challenge, evaluation, outputWordCount, wordCount, wordsOf } from "../../statement/words.js"

/** A two-phase proof (MIRAGE, eprint 2020/278): Groth16's points, and the commitment D of the first phase. */
export interface MirageProof extends CommonProof {
  readonly d: G1Json
}

export interface MirageReceipt extends ReceiptFacts {
  readonly proofSystem: "mirage"
  readonly proof: MirageProof
}

export interface MirageKey extends KeyFacts {
  readonly proofSystem: "mirage"
  /** γ is one. */
  readonly points: {
    readonly alpha1: G1Json
    readonly beta2: G2Json
    /** δ of the wires that depend on the challenge. */
    readonly delta2: G2Json
    /** δ of the wires that are committed to before there is a challenge. */
    readonly deltaC2: G2Json
    /** δ of private weights, and the commitment D_w to them. */
    readonly deltaW2?: G2Json
    readonly weights?: G1Json
    /** For the constant, the challenge c and the evaluation ev. */
    readonly ic: readonly [one: G1Json, c: G1Json, ev: G1Json]
  }
}

export interface CheckedMirageKey extends CheckedFacts<MirageKey> {
  readonly deltaC2: G2Point
  /** Absent where the weights are part of the circuit. */
  readonly deltaW2?: G2Point
  /** D_w; absent as well in what an architecture's keys have before there is a model (`Architecture`). */
  readonly weights?: G1Point
}

export interface MirageProofPoints extends ProofPoints {
  readonly d: G1Point
}

/**
 * The product of their pairings is one exactly if the equation holds; `ic` is the sum over the public signals. Also
 * for provers that check what they give out.
 */
export const mirageFactors = (
  key: CheckedMirageKey,
  { a, b, c, d }: MirageProofPoints,
  ic: G1Point,
): Factor[] => [
  [a.negate(), b],
  [key.alpha1, key.beta2],
  ...(key.weights && key.deltaW2 ? [[key.weights, key.deltaW2] as const] : []),
  [ic, bn254.G2.Point.BASE],
  [d, key.deltaC2],
  [c, key.delta2],
]

/** What `Verifier` of ../verifiers.ts asks of a proof system. */
export const mirageVerifier = {
  setups: contributedSetups,
  proofParts: ["a", "b", "c", "d"] as const,

  hasPrivateWeights: true as const,

  parsePoints(value: unknown, _layout: Layout, architecture?: Hex): MirageKey["points"] {
    const ofWeights = architecture === undefined ? [] : ["deltaW2", "weights"]
    const points = fields<string>(value, "points", [
      ...["alpha1", "beta2", "delta2", "deltaC2"],
      ...ofWeights,
      "ic",
    ])
    const ic = array(points.ic, "points.ic", 3)
    return {
      alpha1: parseG1(points.alpha1, "points.alpha1"),
      beta2: parseG2(points.beta2, "points.beta2"),
      delta2: parseG2(points.delta2, "points.delta2"),
      deltaC2: parseG2(points.deltaC2, "points.deltaC2"),
      ...(architecture !== undefined && {
        deltaW2: parseG2(points.deltaW2, "points.deltaW2"),
        weights: parseG1(points.weights, "points.weights"),
      }),
      ic: [parseG1(ic[0], "points.ic[0]"), parseG1(ic[1], "points.ic[1]"), parseG1(ic[2], "points.ic[2]")],
    }
  },

  checkKey(key: MirageKey): CheckedMirageKey {
    const { delta2, deltaC2, deltaW2, weights } = key.points
    const result = {
      ...checkCommon(key),
      deltaC2: requireG2(deltaC2, "points.deltaC2"),
      ...(deltaW2 && { deltaW2: requireG2(deltaW2, "points.deltaW2") }),
      ...(weights && { weights: requireG1(weights, "points.weights") }),
    }
    requireContributions(key.points, { delta2, deltaC2, ...(deltaW2 && { deltaW2 }) })
    return result
  },

  /** Words. */
  publicCounts: (layout: Layout) => ({ all: wordCount(layout), outputs: outputWordCount(layout) }),

  keyWords({ points: { delta2, deltaC2, deltaW2, weights, ...common }, architecture }: MirageKey): bigint[] {
    const words = commonKeyWords(common, [delta2, deltaC2])
    if (!architecture || !weights || !deltaW2) return words
    return [...words, BigInt(architecture), ...wordsOfG1(weights), ...wordsOfG2(deltaW2)]
  },

  parseProof(value: unknown, path: string): MirageProof {
    const given = fields(value, path, mirageVerifier.proofParts)
    return { ...parseCommon(given, path), d: parseG1(given.d, `${path}.d`) }
  },

  problem(proof: MirageProof, statement: Statement, key: CheckedMirageKey, digest: () => Hex): string | null {
    const points = finitePoints(proof)
    if (typeof points === "string") return points
    const d = g1(proof.d)
    if (d === null) return "proof.d is not a point of G1, or the point at infinity"
    const words = wordsOf(statement, key.key.layout)
    const c = challenge(digest(), statement.context, words, proof.d)
    const sum = publicSum(key.ic, [c, evaluation(words, c)])
    return pairingProblem(mirageFactors(key, { ...points, d }, sum), key)
  },
}
