/**
 * A Groth16 key whose trapdoor is known, and its simulator: for any public signals x it picks A = a·G and
 * B = b·G and solves the verification equation for C. Every other value of a proof is as for an honest
 * prover, so verifiers can be tested for any layout without a circuit. Everything follows from a seed.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import { inverse, mod, r } from "#src/field.js"
import {
  type G1Json,
  type G2Json,
  type Groth16Key,
  type Groth16Proof,
  type Groth16Receipt,
  type Hex,
  type Layout,
  type Provenance,
  parseVerificationKey,
  publicSignals,
  type Statement,
  type Values,
} from "#src/verifier/index.js"

/** Nonzero scalars that depend on nothing but the seed and their name. */
export const scalar = (seed: string, name: string): bigint =>
  (BigInt(`0x${bytesToHex(keccak_256(utf8ToBytes(`${seed}/${name}`)))}`) % (r - 1n)) + 1n

export const hash32 = (text: string): Hex => `0x${bytesToHex(keccak_256(utf8ToBytes(text)))}`

export function pointG1(k: bigint): G1Json {
  if (mod(k) === 0n) return ["0", "0"]
  const { x, y } = bn254.G1.Point.BASE.multiply(mod(k)).toAffine()
  return [`${x}`, `${y}`]
}

export function pointG2(k: bigint): G2Json {
  if (mod(k) === 0n)
    return [
      ["0", "0"],
      ["0", "0"],
    ]
  const { x, y } = bn254.G2.Point.BASE.multiply(mod(k)).toAffine()
  return [
    [`${x.c0}`, `${x.c1}`],
    [`${y.c0}`, `${y.c1}`],
  ]
}

/** A point of the twist outside the subgroup of order r, as every point found by chance is. */
export function outsideSubgroup(): G2Json {
  const { Fp2 } = bn254.fields
  const b = bn254.G2.Point.CURVE().b
  for (let c0 = 1n; ; c0++) {
    const x = Fp2.create({ c0, c1: 1n })
    try {
      const y = Fp2.sqrt(Fp2.add(Fp2.mul(Fp2.sqr(x), x), b))
      return [
        [`${x.c0}`, `${x.c1}`],
        [`${y.c0}`, `${y.c1}`],
      ]
    } catch {
      // not a square: no point with this x
    }
  }
}

export interface Trapdoor {
  readonly alpha: bigint
  readonly beta: bigint
  readonly gamma: bigint
  readonly delta: bigint
  readonly ic: readonly bigint[]
}

export interface Oracle {
  readonly key: Groth16Key
  readonly trapdoor: Trapdoor
  /** A valid proof for any public signals; other seeds give other proofs of the same statement. */
  proof(signals: readonly bigint[], seed?: string): Groth16Proof
  /** Proofs that satisfy the equation with the named point at infinity; no verifier may take them. */
  degenerate(signals: readonly bigint[]): Record<"A" | "B" | "C", Groth16Proof>
  /** A valid receipt for any statement that fits the layout. */
  receipt(statement: Statement, seed?: string): Groth16Receipt
}

export interface OracleOptions {
  readonly seed?: string
  readonly setup?: Provenance
  /** Replaces scalars of the trapdoor. */
  readonly trapdoor?: Partial<Trapdoor>
}

const elements = (shape: readonly number[]) => shape.reduce((n, d) => n * d, 1)

/** The key's JSON, unchecked. */
export function keyJson(
  layout: Layout,
  options: OracleOptions = {},
): { key: Groth16Key; trapdoor: Trapdoor } {
  const seed = options.seed ?? "key"
  const visible = layout.inputs.filter((input) => input.visibility === "public")
  const n = [...layout.outputs, ...visible].reduce((sum, t) => sum + elements(t.shape), 1)
  const trapdoor: Trapdoor = {
    alpha: scalar(seed, "alpha"),
    beta: scalar(seed, "beta"),
    gamma: 1n,
    delta: scalar(seed, "delta"),
    ic: Array.from({ length: n + 1 }, (_, i) => scalar(seed, `ic${i}`)),
    ...options.trapdoor,
  }
  const key: Groth16Key = {
    version: 1,
    proofSystem: "groth16",
    setup: options.setup ?? "external",
    model: hash32(`${seed}/model`),
    layout,
    points: {
      alpha1: pointG1(trapdoor.alpha),
      beta2: pointG2(trapdoor.beta),
      gamma2: pointG2(trapdoor.gamma),
      delta2: pointG2(trapdoor.delta),
      ic: trapdoor.ic.map(pointG1),
    },
  }
  return { key, trapdoor }
}

export function oracle(layout: Layout, options: OracleOptions = {}): Oracle {
  const { key, trapdoor } = keyJson(layout, options)
  const { alpha, beta, gamma, delta, ic } = trapdoor
  const solve = (signals: readonly bigint[], a: bigint, b: bigint): Groth16Proof => {
    const x = signals.reduce((sum, signal, i) => sum + signal * ic[i + 1], ic[0])
    const c = (a * b - alpha * beta - x * gamma) * inverse(delta)
    return { a: pointG1(a), b: pointG2(b), c: pointG1(c) }
  }
  const proof = (signals: readonly bigint[], seed = "proof") =>
    solve(signals, scalar(seed, "a"), scalar(seed, "b"))
  const degenerate = (signals: readonly bigint[]) => {
    const x = signals.reduce((sum, signal, i) => sum + signal * ic[i + 1], ic[0])
    const a = scalar("proof", "a")
    return {
      A: solve(signals, 0n, scalar("proof", "b")),
      B: solve(signals, a, 0n),
      C: solve(signals, a, (alpha * beta + x * gamma) * inverse(a)),
    }
  }
  return {
    key: parseVerificationKey(key) as Groth16Key,
    trapdoor,
    proof,
    degenerate,
    receipt: (statement, seed) => ({
      version: 1,
      proofSystem: "groth16",
      statement,
      proof: proof(publicSignals(statement, layout), seed),
    }),
  }
}

/** Integers of ±2^52, as wide as a layout may say. */
export const wide = { lo: -(2 ** 52), bits: 53 }

/** A small layout: two outputs (names that JavaScript would reorder) and one input, all public. */
export const smallLayout: Layout = {
  inputs: [{ name: "image", shape: [1, 2], scale: 0.25, ...wide, visibility: "public" }],
  outputs: [
    { name: "20", shape: [1, 2], scale: 0.5, lo: -512, bits: 10, visibility: "public" },
    { name: "3", shape: [], scale: 0.125, lo: 0, bits: 1, visibility: "public" },
  ],
}

/** A statement about `smallLayout`, with a negative, a zero and an extreme value. */
export function smallStatement(model: Hex, changes: Partial<Statement> = {}): Statement {
  return {
    model,
    context: hash32("context"),
    input: { visibility: "public", values: { image: ["7", "-4503599627370496"] } },
    output: { visibility: "public", values: { "20": ["-12", "345"], "3": ["0"] } },
    ...changes,
  }
}

/** A deep copy with one change: `edit(copy, ["proof", "a", 0], x)`. */
export function edit<T>(value: T, path: readonly (string | number)[], to: unknown): T {
  const copy = structuredClone(value)
  let at = copy as Record<string | number, unknown>
  for (const step of path.slice(0, -1)) at = at[step] as Record<string | number, unknown>
  at[path[path.length - 1]] = to
  return copy
}

export const values = (record: Record<string, readonly (number | bigint)[]>): Values =>
  Object.fromEntries(Object.entries(record).map(([name, list]) => [name, list.map(String)]))
