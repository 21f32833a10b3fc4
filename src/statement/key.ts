/** What verification keys of all proof systems have: facts, some points, and somebody's contribution to each. */
import type { Layout } from "./layout.js"
import {
  type G1Json,
  type G1Point,
  type G2Json,
  type G2Point,
  generator1,
  generator2,
  requireG1,
  requireG2,
  sameOrOpposite,
  samePoint,
  wordsOfG1,
  wordsOfG2,
} from "./points.js"
import type { Provenance } from "./provenance.js"
import { fail, type Hex } from "./strict.js"

export interface KeyFacts {
  readonly version: 1
  /** How the key was made. */
  readonly setup: Provenance
  /** Digest of the integer model that the circuit computes; of one with private weights `privateModel`. */
  readonly model: Hex
  /** Of a model with private weights, and only there: digest of all that is public of it (`privateModel`). */
  readonly architecture?: Hex
  readonly layout: Layout
}

/** Points that every key has. */
export interface CommonPoints {
  readonly alpha1: G1Json
  readonly beta2: G2Json
  readonly delta2: G2Json
  readonly ic: readonly G1Json[]
}

/** What keys with a phase 2 may say of how they were made. */
export const contributedSetups = ["dev", "external", "ceremony"] as const

/** The words of these points in a key's canonical bytes, with the other points of G2 between beta2 and ic. */
export const commonKeyWords = (
  { alpha1, beta2, ic }: Omit<CommonPoints, "delta2">,
  others: readonly G2Json[],
): bigint[] => [...wordsOfG1(alpha1), ...[beta2, ...others].flatMap(wordsOfG2), ...ic.flatMap(wordsOfG1)]

/** A key that was checked, with its points ready for the pairing. */
export interface CheckedFacts<K extends KeyFacts & { readonly proofSystem: string }> {
  readonly proofSystem: K["proofSystem"]
  readonly key: K
  readonly alpha1: G1Point
  readonly beta2: G2Point
  readonly delta2: G2Point
  readonly ic: readonly G1Point[]
}

/** Checks the points that every key has. @throws FileError */
export function checkCommon<
  K extends KeyFacts & { readonly proofSystem: string; readonly points: CommonPoints },
>(key: K): CheckedFacts<K> {
  const { alpha1, beta2, delta2, ic } = key.points
  return {
    proofSystem: key.proofSystem,
    key,
    alpha1: requireG1(alpha1, "points.alpha1"),
    beta2: requireG2(beta2, "points.beta2"),
    delta2: requireG2(delta2, "points.delta2"),
    ic: ic.map((point, i) => requireG1(point, `points.ic[${i}]`)),
  }
}

/**
 * Whoever knows a δ, or the ratio of two points of G2, can let one side of the proof make up for the other; equal
 * and opposite points are the ratios that a setup without contributions has. Only γ may be the generator: it is one
 * in every setup of today.
 * @throws FileError naming what nobody contributed to
 */
export function requireContributions(
  { alpha1, beta2 }: CommonPoints,
  phase2: Readonly<Record<string, G2Json>>,
): void {
  if (sameOrOpposite(alpha1, generator1) || sameOrOpposite(beta2, generator2))
    uncontributed("the powers of tau", "points")
  const others = [generator2, beta2]
  for (const [name, point] of Object.entries(phase2)) {
    const isOne = name === "gamma2" && samePoint(point, generator2)
    if (others.some((other) => sameOrOpposite(point, other) && !(isOne && other === generator2)))
      uncontributed("phase 2", `points.${name}`)
    others.push(point)
  }
}

function uncontributed(to: string, where: string): never {
  fail(where, {
    what: `nobody contributed to ${to} of this key`,
    fix: "Anyone can forge proofs for it; run the setup with a contribution",
  })
}
