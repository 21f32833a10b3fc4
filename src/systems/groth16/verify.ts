/**
 * Groth16's half of verification (eprint 2016/260):
 *
 *     e(A, B) = e(α, β) · e(IC₀ + Σ xᵢ·ICᵢ₊₁, γ) · e(C, δ)
 *
 * over the public signals x of a statement.
 */
import {
  type CheckedFacts,
  checkCommon,
  commonKeyWords,
  contributedSetups,
  type KeyFacts,
  requireContributions,
} from "../../statement/key.js"
import { inputVisibility, type Layout, outputVisibility } from "../../statement/layout.js"
import { pairingProblem, publicSum } from "../../statement/pairing.js"
import {
  type G1Json,
  type G2Json,
  type G2Point,
  parseG1,
  parseG2,
  requireG2,
} from "../../statement/points.js"
import { type CommonProof, finitePoints, parseCommon, type ReceiptFacts } from "../../statement/proof.js"
import { outputCount, publicSignals, type Statement, signalCount } from "../../statement/statement.js"
import { array, fail, fields } from "../../statement/strict.js"

/** A Groth16 proof (eprint 2016/260), affine coordinates as decimal strings below q. */
export interface Groth16Proof extends CommonProof {}

export interface Groth16Receipt extends ReceiptFacts {
  readonly proofSystem: "groth16"
  readonly proof: Groth16Proof
}

export interface Groth16Key extends KeyFacts {
  readonly proofSystem: "groth16"
  readonly points: {
    readonly alpha1: G1Json
    readonly beta2: G2Json
    readonly gamma2: G2Json
    readonly delta2: G2Json
    /** One for the constant, then one per public signal. */
    readonly ic: readonly G1Json[]
  }
}

export interface CheckedGroth16Key extends CheckedFacts<Groth16Key> {
  readonly gamma2: G2Point
}

/** Reads a Groth16 proof strictly. @throws FileError */
export const parseProof = (value: unknown, path: string): Groth16Proof =>
  parseCommon(fields(value, path, groth16Verifier.proofParts), path)

/** What `Verifier` of ../verifiers.ts asks of a proof system. */
export const groth16Verifier = {
  setups: contributedSetups,
  proofParts: ["a", "b", "c"] as const,

  parsePoints(value: unknown, layout: Layout): Groth16Key["points"] {
    if (outputVisibility(layout) === "committed" || inputVisibility(layout) === "committed")
      fail("layout", { what: "groth16 keys have no committed tensors", fix: "Use the mirage proof system" })
    const points = fields(value, "points", ["alpha1", "beta2", "gamma2", "delta2", "ic"])
    const ic = array(points.ic, "points.ic", signalCount(layout) + 1)
    return {
      alpha1: parseG1(points.alpha1, "points.alpha1"),
      beta2: parseG2(points.beta2, "points.beta2"),
      gamma2: parseG2(points.gamma2, "points.gamma2"),
      delta2: parseG2(points.delta2, "points.delta2"),
      ic: Array.from(ic, (point, i) => parseG1(point, `points.ic[${i}]`)),
    }
  },

  checkKey(key: Groth16Key): CheckedGroth16Key {
    const { gamma2, delta2 } = key.points
    const result = { ...checkCommon(key), gamma2: requireG2(gamma2, "points.gamma2") }
    requireContributions(key.points, { delta2, gamma2 })
    return result
  },

  /** Signals. */
  publicCounts: (layout: Layout) => ({ all: signalCount(layout), outputs: outputCount(layout) }),

  keyWords({ points: { gamma2, delta2, ...common } }: Groth16Key): bigint[] {
    return commonKeyWords(common, [gamma2, delta2])
  },

  parseProof,

  problem(proof: Groth16Proof, statement: Statement, key: CheckedGroth16Key): string | null {
    const points = finitePoints(proof)
    if (typeof points === "string") return points
    const { a, b, c } = points
    const sum = publicSum(key.ic, publicSignals(statement, key.key.layout))
    return pairingProblem(
      [
        [a.negate(), b],
        [key.alpha1, key.beta2],
        [sum, key.gamma2],
        [c, key.delta2],
      ],
      key,
    )
  },
}
