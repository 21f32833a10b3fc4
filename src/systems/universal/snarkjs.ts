/**
 * Keys and proofs of PLONK and FFLONK in the JSON of snarkjs, to and from ours. Only the format: nothing of snarkjs is
 * used. Its points are projective with a last coordinate of one, and infinity is 0, 1, 0.
 */
import { type G1Json, type G2Json, infinity1, samePoint } from "../../statement/points.js"
import { signalCount } from "../../statement/statement.js"
import { array, fail, object, oneOf } from "../../statement/strict.js"
import { constantsOf } from "./constants.js"
import {
  type FflonkKey,
  type FflonkProof,
  fflonkCommitments,
  fflonkEvaluations,
  fflonkVerifier,
  type PlonkKey,
  type PlonkProof,
  permutations,
  plonkCommitments,
  plonkEvaluations,
  plonkVerifier,
  selectors,
} from "./verify.js"

const toG1 = (point: G1Json): string[] =>
  samePoint(point, infinity1) ? ["0", "1", "0"] : [point[0], point[1], "1"]
const toG2 = ([x, y]: G2Json): string[][] => [[...x], [...y], ["1", "0"]]
const capital = (name: string): string => name.slice(0, 1).toUpperCase() + name.slice(1)

const factsOf = ({ proofSystem, layout, points }: PlonkKey | FflonkKey) => ({
  protocol: proofSystem,
  curve: "bn128",
  nPublic: signalCount(layout),
  power: Math.log2(points.domain),
  X_2: toG2(points.x2),
})

/** Content of `verification_key.json`. */
export function plonkKeyForm(key: PlonkKey): object {
  const { points } = key
  const { k1, k2, w } = constantsOf(points.domain)
  const commitments = [...selectors, ...permutations].map((name) => [capital(name), toG1(points[name])])
  return {
    ...factsOf(key),
    k1: `${k1}`,
    k2: `${k2}`,
    w: `${w}`,
    ...Object.fromEntries(commitments),
  }
}

/** The same of FFLONK. */
export function fflonkKeyForm(key: FflonkKey): object {
  const constants = Object.entries(constantsOf(key.points.domain)).map(([name, value]) => [name, `${value}`])
  return { ...factsOf(key), ...Object.fromEntries(constants), C0: toG1(key.points.c0) }
}

/** What snarkjs calls an evaluation of PLONK: evalZw is eval_zw. */
const evaluationName = (name: string): string => `eval_${name.slice("eval".length).toLowerCase()}`

/** Content of `proof.json`. */
export const plonkProofForm = (proof: PlonkProof): object => ({
  protocol: "plonk",
  curve: "bn128",
  ...Object.fromEntries(plonkCommitments.map((name) => [capital(name), toG1(proof[name])])),
  ...Object.fromEntries(plonkEvaluations.map((name) => [evaluationName(name), proof[name]])),
})

/** The same of FFLONK, without the inverse, which only contracts need. */
export const fflonkProofForm = (proof: FflonkProof): object => ({
  protocol: "fflonk",
  curve: "bn128",
  polynomials: Object.fromEntries(fflonkCommitments.map((name) => [capital(name), toG1(proof[name])])),
  evaluations: Object.fromEntries(fflonkEvaluations.map((name) => [name, proof[name]])),
})

/** Our proof from snarkjs's. @throws FileError on anything but an affine bn128 proof of PLONK */
export function plonkProofOf(value: unknown): PlonkProof {
  const given = readProof(value, "plonk")
  return plonkVerifier.parseProof(
    Object.fromEntries([
      ...plonkCommitments.map((name) => [name, fromG1(given[capital(name)], capital(name))]),
      ...plonkEvaluations.map((name) => [name, given[evaluationName(name)]]),
    ]),
    "snarkjs proof",
  )
}

/** The same of FFLONK. */
export function fflonkProofOf(value: unknown): FflonkProof {
  const given = readProof(value, "fflonk")
  const polynomials = object(given.polynomials, "polynomials")
  const evaluations = object(given.evaluations, "evaluations")
  return fflonkVerifier.parseProof(
    Object.fromEntries([
      ...fflonkCommitments.map((name) => [name, fromG1(polynomials[capital(name)], capital(name))]),
      ...fflonkEvaluations.map((name) => [name, evaluations[name]]),
    ]),
    "snarkjs proof",
  )
}

function readProof(value: unknown, protocol: string): Record<string, unknown> {
  const given = object(value, "snarkjs proof")
  oneOf(given.protocol, "protocol", [protocol])
  oneOf(given.curve, "curve", ["bn128"])
  return given
}

function fromG1(value: unknown, path: string): readonly unknown[] {
  const given = array(value, path, 3)
  if (given[2] !== "1") fail(path, { what: "a point that is not affine, or at infinity" })
  return given.slice(0, 2)
}
