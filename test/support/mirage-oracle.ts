/**
 * A two-phase key whose trapdoor is known, and its simulator: for any words it picks A = a·G, B = b·G and
 * D = d·G, derives the challenge, and solves the verification equation for C. Every other value of a proof
 * is as for an honest prover, so verifiers can be tested for any statement without a circuit.
 */
import { inverse, mod } from "#src/field.js"
import { privateModel } from "#src/statement/model.js"
import {
  challenge,
  evaluation,
  type Hex,
  keyDigest,
  type Layout,
  type MirageKey,
  type MirageProof,
  type MirageReceipt,
  type Provenance,
  parseVerificationKey,
  type Statement,
  wordsOf,
} from "#src/verifier/index.js"
import { hash32, pointG1, pointG2, scalar, wide } from "./groth16-oracle.js"

export interface MirageTrapdoor {
  readonly alpha: bigint
  readonly beta: bigint
  readonly delta: bigint
  readonly deltaC: bigint
  readonly ic: readonly [bigint, bigint, bigint]
  /** Of private weights: their δ, and the logarithm of the commitment to them. */
  readonly deltaW: bigint
  readonly weights: bigint
}

/** A proof by the discrete logarithms of its points. */
export interface Scalars {
  readonly a: bigint
  readonly b: bigint
  readonly c: bigint
  readonly d: bigint
}

export const pointsOf = ({ a, b, c, d }: Scalars): MirageProof => ({
  a: pointG1(a),
  b: pointG2(b),
  c: pointG1(c),
  d: pointG1(d),
})

export interface MirageOptions {
  readonly seed?: string
  readonly setup?: Provenance
  /** Of private weights the architecture. Default: one that follows from the seed. */
  readonly model?: Hex
  /** Whether the key is of a model with private weights. */
  readonly isPrivate?: boolean
  /** Replaces scalars of the trapdoor. */
  readonly trapdoor?: Partial<MirageTrapdoor>
}

/** What the simulator may be told to do otherwise than an honest prover. */
export interface Cheat extends Partial<Omit<Scalars, "c">> {
  /** Takes the place of the challenge. */
  readonly challenge?: bigint
}

export interface MirageOracle {
  readonly key: MirageKey
  readonly trapdoor: MirageTrapdoor
  /** Solves for C; other seeds give other proofs of the same words. */
  scalars(context: string, words: readonly bigint[], seed?: string, cheat?: Cheat): Scalars
  /** Whether the pairing equation holds for these points under a given challenge. */
  holds(scalars: Scalars, words: readonly bigint[], challenge: bigint): boolean
  proof(context: string, words: readonly bigint[], seed?: string, cheat?: Cheat): MirageProof
  /** A valid receipt for any statement that fits the layout. */
  receipt(statement: Statement, seed?: string, cheat?: Cheat): MirageReceipt
}

/** The key's JSON, unchecked. */
export function mirageKeyJson(
  layout: Layout,
  options: MirageOptions = {},
): { key: MirageKey; trapdoor: MirageTrapdoor } {
  const seed = options.seed ?? "key"
  const trapdoor: MirageTrapdoor = {
    alpha: scalar(seed, "alpha"),
    beta: scalar(seed, "beta"),
    delta: scalar(seed, "delta"),
    deltaC: scalar(seed, "deltaC"),
    ic: [scalar(seed, "ic0"), scalar(seed, "ic1"), scalar(seed, "ic2")],
    deltaW: scalar(seed, "deltaW"),
    weights: scalar(seed, "weights"),
    ...options.trapdoor,
  }
  const { alpha, beta, delta, deltaC, ic } = trapdoor
  const given = options.model ?? hash32(`${seed}/model`)
  const weights = pointG1(trapdoor.weights)
  const key: MirageKey = {
    version: 1,
    proofSystem: "mirage",
    setup: options.setup ?? "external",
    ...(options.isPrivate ? { model: privateModel(given, weights), architecture: given } : { model: given }),
    layout,
    points: {
      alpha1: pointG1(alpha),
      beta2: pointG2(beta),
      delta2: pointG2(delta),
      deltaC2: pointG2(deltaC),
      ...(options.isPrivate && { deltaW2: pointG2(trapdoor.deltaW), weights }),
      ic: [pointG1(ic[0]), pointG1(ic[1]), pointG1(ic[2])],
    },
  }
  return { key, trapdoor }
}

export function mirageOracle(layout: Layout, options: MirageOptions = {}): MirageOracle {
  const made = mirageKeyJson(layout, options)
  const { trapdoor } = made
  const key = parseVerificationKey(made.key) as MirageKey
  const { alpha, beta, delta, deltaC, ic } = trapdoor
  const ofWeights = options.isPrivate ? trapdoor.weights * trapdoor.deltaW : 0n
  const publicPart = (words: readonly bigint[], c: bigint) =>
    ic[0] + c * ic[1] + evaluation(words, c) * ic[2] + ofWeights
  const scalars: MirageOracle["scalars"] = (context, words, seed = "proof", cheat = {}) => {
    const { a = scalar(seed, "a"), b = scalar(seed, "b"), d = scalar(seed, "d") } = cheat
    const c = cheat.challenge ?? challenge(keyDigest(key), context, words, pointG1(d))
    const rest = a * b - alpha * beta - publicPart(words, c) - d * deltaC
    return { a, b, c: mod(rest * inverse(delta)), d }
  }
  const proof: MirageOracle["proof"] = (...args) => pointsOf(scalars(...args))
  return {
    key,
    trapdoor,
    scalars,
    holds: ({ a, b, c, d }, words, x) =>
      mod(a * b - alpha * beta - publicPart(words, x) - d * deltaC - c * delta) === 0n,
    proof,
    receipt: (statement, seed, cheat) => ({
      version: 1,
      proofSystem: "mirage",
      statement,
      proof: proof(statement.context, wordsOf(statement, layout), seed, cheat),
    }),
  }
}

/** Two outputs (names that JavaScript would reorder), one input; three words when all are public. */
export const layoutOf = (
  input: "hidden" | "public" | "committed",
  output: "public" | "committed" = "public",
): Layout => ({
  inputs: [{ name: "image", shape: [1, 2], scale: 0.25, ...wide, visibility: input }],
  outputs: [
    { name: "20", shape: [1, 2], scale: 0.5, lo: -512, bits: 10, visibility: output },
    { name: "3", shape: [], scale: 0.125, lo: 0, bits: 1, visibility: output },
  ],
})

/** A field element to commit with. */
export const commitment = (text: string): Hex =>
  `0x${scalar("commitment", text).toString(16).padStart(64, "0")}`

/** A statement about a layout of `layoutOf`. */
export function statementOf(key: MirageKey, changes: Partial<Statement> = {}): Statement {
  const input = key.layout.inputs[0].visibility
  return {
    model: key.model,
    context: hash32("context"),
    input:
      input === "hidden"
        ? { visibility: input }
        : input === "committed"
          ? { visibility: input, commitment: commitment("input") }
          : { visibility: input, values: { image: ["7", "-4503599627370496"] } },
    output:
      key.layout.outputs[0].visibility === "committed"
        ? { visibility: "committed", commitment: commitment("output") }
        : { visibility: "public", values: { "20": ["-12", "345"], "3": ["0"] } },
    ...changes,
  }
}
