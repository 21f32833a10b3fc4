/**
 * Verification keys: strict reading, canonical bytes and digest.
 *
 * Canonical bytes, 32-byte big-endian words (the Solidity registry stores exactly these):
 *
 *     0  "countersign.key.groth16.1", zero-padded on the right      6–7    alpha1
 *     1  flags: 1 for a development key, else 0                     8–11   beta2
 *     2  n, the number of public signals                            12–15  gamma2
 *     3  how many of them are outputs                               16–19  delta2
 *     4  model digest                                               20–    n + 1 points ic
 *     5  keccak256 of the layout's canonical JSON
 *
 * G1 is x, y; G2 is x1, x0, y1, y0 as the EVM wants it. In all 22 + 2n words.
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import {
  type G1Json,
  type G1Point,
  type G2Json,
  type G2Point,
  generator1,
  generator2,
  parseG1,
  parseG2,
  requireG1,
  requireG2,
  samePoint,
  wordsOfG1,
  wordsOfG2,
} from "./points.js"
import { type Layout, outputCount, parseLayout, signalCount } from "./statement.js"
import { array, bytes32, fail, fields, fromJson, object, oneOf } from "./strict.js"

export interface Groth16Key {
  readonly version: 1
  readonly proofSystem: "groth16"
  /** `dev`: one machine knew the trapdoor and can forge; refused unless asked for. */
  readonly setup: "dev" | "ceremony"
  /** Digest of the integer model that the circuit computes. */
  readonly model: string
  readonly layout: Layout
  readonly points: {
    readonly alpha1: G1Json
    readonly beta2: G2Json
    readonly gamma2: G2Json
    readonly delta2: G2Json
    /** One for the constant, then one per public signal. */
    readonly ic: readonly G1Json[]
  }
}

/** One member per proof system, told apart by `proofSystem`. */
export type VerificationKey = Groth16Key

/** A key that was read and checked, with its points ready for the pairing. */
export interface CheckedKey {
  readonly key: VerificationKey
  readonly alpha1: G1Point
  readonly beta2: G2Point
  readonly gamma2: G2Point
  readonly delta2: G2Point
  readonly ic: readonly G1Point[]
}

/** Frozen keys of ours that passed `checkKey`: a key is checked once, and cannot change afterwards. */
const checked = new WeakMap<object, CheckedKey>()

/**
 * Reads a verification key (an object, or JSON text) strictly and returns a frozen copy.
 * @throws FileError on an unknown or missing field, a number that is not canonical, a point that is at
 * infinity, off the curve or outside the subgroup, an `ic` that does not fit the layout, and a setup in
 * which a phase had no contribution (δ = γ, or α, β or δ a generator): anyone can forge for such a key.
 */
export function parseVerificationKey(value: unknown): VerificationKey {
  return checkKey(value).key
}

/** As `parseVerificationKey`, with the points; free of cost for a key it has returned before. @throws FileError */
export function checkKey(value: unknown): CheckedKey {
  const known = typeof value === "object" && value !== null ? checked.get(value) : undefined
  if (known) return known
  const key = freeze(read(fromJson(value, "verification key")))
  const { alpha1, beta2, gamma2, delta2, ic } = key.points
  const result: CheckedKey = {
    key,
    alpha1: requireG1(alpha1, "points.alpha1"),
    beta2: requireG2(beta2, "points.beta2"),
    gamma2: requireG2(gamma2, "points.gamma2"),
    delta2: requireG2(delta2, "points.delta2"),
    ic: ic.map((point, i) => requireG1(point, `points.ic[${i}]`)),
  }
  if (samePoint(delta2, gamma2) || samePoint(delta2, generator2))
    fail("points.delta2", { what: "nobody contributed to phase 2 of this key", fix: uncontributed })
  if (samePoint(alpha1, generator1) || samePoint(beta2, generator2))
    fail("points", { what: "nobody contributed to the powers of tau of this key", fix: uncontributed })
  checked.set(key, result)
  return result
}

const uncontributed = "Anyone can forge proofs for it; run the setup with a contribution"

function read(value: unknown): VerificationKey {
  const what = "verification key"
  oneOf(object(value, what).version, "version", [1])
  const proofSystem = oneOf(object(value, what).proofSystem, "proofSystem", ["groth16"])
  const given = fields(value, what, ["version", "proofSystem", "setup", "model", "layout", "points"])
  const points = fields(given.points, "points", ["alpha1", "beta2", "gamma2", "delta2", "ic"])
  const layout = parseLayout(given.layout, "layout")
  return {
    version: 1,
    proofSystem,
    setup: oneOf(given.setup, "setup", ["dev", "ceremony"]),
    model: bytes32(given.model, "model"),
    layout,
    points: {
      alpha1: parseG1(points.alpha1, "points.alpha1"),
      beta2: parseG2(points.beta2, "points.beta2"),
      gamma2: parseG2(points.gamma2, "points.gamma2"),
      delta2: parseG2(points.delta2, "points.delta2"),
      ic: Array.from(array(points.ic, "points.ic", signalCount(layout) + 1), (point, i) =>
        parseG1(point, `points.ic[${i}]`),
      ),
    },
  }
}

function freeze<T extends object>(value: T): T {
  for (const child of Object.values(value)) if (typeof child === "object" && child !== null) freeze(child)
  return Object.freeze(value)
}

/** First word of the canonical bytes. */
const magic = "countersign.key.groth16.1"

/** Canonical JSON of a layout: fixed field order, no white space, numbers as ECMAScript writes them. */
export function layoutJson({ inputs, outputs }: Layout): string {
  return JSON.stringify({
    inputs: inputs.map(({ name, shape, scale, visibility }) => ({ name, shape, scale, visibility })),
    outputs: outputs.map(({ name, shape, scale }) => ({ name, shape, scale })),
  })
}

/** Canonical bytes of a key (table above). @throws FileError as `parseVerificationKey`. */
export function encodeKey(verificationKey: VerificationKey): Uint8Array {
  const { key } = checkKey(verificationKey)
  const { alpha1, beta2, gamma2, delta2, ic } = key.points
  const words = [
    BigInt(`0x${bytesToHex(utf8ToBytes(magic)).padEnd(64, "0")}`),
    key.setup === "dev" ? 1n : 0n,
    BigInt(signalCount(key.layout)),
    BigInt(outputCount(key.layout)),
    BigInt(key.model),
    BigInt(`0x${bytesToHex(keccak_256(utf8ToBytes(layoutJson(key.layout))))}`),
    ...wordsOfG1(alpha1),
    ...wordsOfG2(beta2),
    ...wordsOfG2(gamma2),
    ...wordsOfG2(delta2),
    ...ic.flatMap(wordsOfG1),
  ]
  const bytes = new Uint8Array(words.length * 32)
  words.forEach((word, i) => {
    for (let j = 31, rest = word; rest > 0n; j--, rest >>= 8n) bytes[32 * i + j] = Number(rest & 255n)
  })
  return bytes
}

/** keccak256 of the canonical bytes, the name of a key on-chain; binds model, layout and setup kind too. */
export function keyDigest(verificationKey: VerificationKey): string {
  return `0x${bytesToHex(keccak_256(encodeKey(verificationKey)))}`
}
