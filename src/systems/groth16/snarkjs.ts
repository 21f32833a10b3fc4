/**
 * The JSON files of snarkjs for a Groth16 key and proof, to and from ours. Only the format: nothing of
 * snarkjs is used. Its points are projective with a last coordinate of one.
 */
import { checkRecord, checkThing } from "../../arguments.js"
import { UsageError } from "../../errors.js"
import type { Layout } from "../../statement/layout.js"
import { type G1Json, type G2Json, parseG1, parseG2 } from "../../statement/points.js"
import type { Provenance } from "../../statement/provenance.js"
import { array, bytes32, fail, object, oneOf } from "../../statement/strict.js"
import { type Groth16Key, type Groth16Proof, parseProof } from "./verify.js"

type SnarkjsG1 = [string, string, string]
type SnarkjsG2 = [[string, string], [string, string], [string, string]]

/** `verification_key.json` of snarkjs. */
export interface SnarkjsKey {
  protocol: "groth16"
  curve: "bn128"
  nPublic: number
  vk_alpha_1: SnarkjsG1
  vk_beta_2: SnarkjsG2
  vk_gamma_2: SnarkjsG2
  vk_delta_2: SnarkjsG2
  IC: SnarkjsG1[]
}

/** `proof.json` of snarkjs. */
export interface SnarkjsProof {
  protocol: "groth16"
  curve: "bn128"
  pi_a: SnarkjsG1
  pi_b: SnarkjsG2
  pi_c: SnarkjsG1
}

const toG1 = ([x, y]: G1Json): SnarkjsG1 => [x, y, "1"]
const toG2 = ([x, y]: G2Json): SnarkjsG2 => [
  [x[0], x[1]],
  [y[0], y[1]],
  ["1", "0"],
]

/**
 * snarkjs's form of a key; model, layout and setup have no place in it.
 * @throws UsageError for a key of another proof system
 */
export function toSnarkjs(key: Groth16Key): SnarkjsKey {
  checkThing("verificationKey", key, "key")
  const { proofSystem, points } = key
  if (proofSystem !== "groth16") {
    throw new UsageError({
      what: "a key that snarkjs has no form for",
      expected: "proof system groth16",
      given: `${proofSystem}`,
      fix: "Compile the model for groth16, or verify with countersign/verifier",
    })
  }
  return {
    protocol: "groth16",
    curve: "bn128",
    nPublic: points.ic.length - 1,
    vk_alpha_1: toG1(points.alpha1),
    vk_beta_2: toG2(points.beta2),
    vk_gamma_2: toG2(points.gamma2),
    vk_delta_2: toG2(points.delta2),
    IC: points.ic.map(toG1),
  }
}

/** What snarkjs's key does not say. */
export interface SnarkjsFacts {
  readonly model: string
  readonly layout: Layout
  readonly setup: Provenance
}

/** Our key from snarkjs's, not checked yet. @throws FileError on anything but a bn128 Groth16 key */
export function keyOfSnarkjs(value: unknown, facts: SnarkjsFacts): Groth16Key {
  const given = groth16(value, "snarkjs key")
  checkRecord(facts, "facts", "an object with `model`, `layout` and `setup`")
  const ic = array(given.IC, "IC")
  if (given.nPublic !== ic.length - 1)
    fail("IC", {
      what: "does not fit nPublic",
      expected: `${ic.length - 1} signals`,
      given: `${given.nPublic}`,
    })
  return {
    version: 1,
    proofSystem: "groth16",
    setup: facts.setup,
    model: bytes32(facts.model, "model"),
    layout: facts.layout,
    points: {
      alpha1: fromG1(given.vk_alpha_1, "vk_alpha_1"),
      beta2: fromG2(given.vk_beta_2, "vk_beta_2"),
      gamma2: fromG2(given.vk_gamma_2, "vk_gamma_2"),
      delta2: fromG2(given.vk_delta_2, "vk_delta_2"),
      ic: Array.from(ic, (point, i) => fromG1(point, `IC[${i}]`)),
    },
  }
}

/** snarkjs's form of a proof. */
export function proofToSnarkjs(proof: Groth16Proof): SnarkjsProof {
  const { a, b, c } = parseProof(proof, "proof")
  return { protocol: "groth16", curve: "bn128", pi_a: toG1(a), pi_b: toG2(b), pi_c: toG1(c) }
}

/** Our proof from snarkjs's. @throws FileError on anything but an affine bn128 Groth16 proof. */
export function proofFromSnarkjs(value: unknown): Groth16Proof {
  const given = groth16(value, "snarkjs proof")
  return { a: fromG1(given.pi_a, "pi_a"), b: fromG2(given.pi_b, "pi_b"), c: fromG1(given.pi_c, "pi_c") }
}

function groth16(value: unknown, what: string): Record<string, unknown> {
  const given = object(value, what)
  oneOf(given.protocol, `${what}: protocol`, ["groth16"])
  oneOf(given.curve, `${what}: curve`, ["bn128"])
  return given
}

function fromG1(value: unknown, path: string): G1Json {
  const given = array(value, path, 3)
  oneOf(given[2], `${path}[2]`, ["1"])
  return parseG1(given.slice(0, 2), path)
}

function fromG2(value: unknown, path: string): G2Json {
  const given = array(value, path, 3)
  const one = array(given[2], `${path}[2]`, 2)
  oneOf(one[0], `${path}[2][0]`, ["1"])
  oneOf(one[1], `${path}[2][1]`, ["0"])
  return parseG2(given.slice(0, 2), path)
}
