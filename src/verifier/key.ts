/**
 * Verification keys: strict reading, canonical bytes and digest.
 *
 * Canonical bytes, 32-byte big-endian words (the Solidity registry stores exactly these). In common:
 *
 *     0  "countersign.key.groth16.1" or "countersign.key.mirage.1", zero-padded on the right
 *     1  flags: 1 for a development key, else 0
 *     2  n, the number of public signals (groth16) or words (mirage)
 *     3  how many of them are outputs
 *     4  model digest
 *     5  keccak256 of the layout's canonical JSON
 *     6–7  alpha1      8–11  beta2
 *
 *     groth16  12–15  gamma2     16–19  delta2      20–  n + 1 points ic         22 + 2n words
 *     mirage   12–15  delta2     16–19  deltaC2     20–25  three points ic       26 words
 *
 * G1 is x, y; G2 is x1, x0, y1, y0 as the EVM wants it.
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import {
  inputVisibility,
  type Layout,
  layoutJson,
  outputVisibility,
  parseLayout,
} from "../statement/layout.js"
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
  sameOrOpposite,
  samePoint,
  wordsOfG1,
  wordsOfG2,
} from "../statement/points.js"
import { flagsOf, type Provenance, parseProvenance } from "../statement/provenance.js"
import { outputCount, signalCount } from "../statement/statement.js"
import { array, bytes32, fail, fields, fromJson, type Hex, object, oneOf } from "../statement/strict.js"
import { encodeWords, outputWordCount, wordCount } from "../statement/words.js"

interface KeyFacts {
  readonly version: 1
  /** How the key was made. */
  readonly setup: Provenance
  /** Digest of the integer model that the circuit computes. */
  readonly model: Hex
  readonly layout: Layout
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
    /** For the constant, the challenge c and the evaluation ev. */
    readonly ic: readonly [one: G1Json, c: G1Json, ev: G1Json]
  }
}

/** One member per proof system, told apart by `proofSystem`. */
export type VerificationKey = Groth16Key | MirageKey

interface CheckedFacts<K extends VerificationKey> {
  readonly proofSystem: K["proofSystem"]
  readonly key: K
  readonly alpha1: G1Point
  readonly beta2: G2Point
  readonly delta2: G2Point
  readonly ic: readonly G1Point[]
}

export interface CheckedGroth16Key extends CheckedFacts<Groth16Key> {
  readonly gamma2: G2Point
}

export interface CheckedMirageKey extends CheckedFacts<MirageKey> {
  readonly deltaC2: G2Point
}

/** A key that was read and checked, with its points ready for the pairing. */
export type CheckedKey = CheckedGroth16Key | CheckedMirageKey

/** Frozen keys of ours that passed `checkKey`: a key is checked once, and cannot change afterwards. */
const checked = new WeakMap<object, CheckedKey>()

/**
 * Reads a verification key (an object, or JSON text) strictly and returns a frozen copy.
 * @throws FileError on an unknown or missing field, a number that is not canonical, a point that is at
 * infinity, off the curve or outside the subgroup, an `ic` that does not fit the layout, and a setup in
 * which a phase had no contribution (β, γ, δ, δ_c or the generator equal or opposite to another of them, α to its
 * generator): anyone can forge for such a key.
 */
export function parseVerificationKey(value: unknown): VerificationKey {
  return checkKey(value).key
}

/** As `parseVerificationKey`, with the points; free of cost for a key it has returned before. @throws FileError */
export function checkKey(value: unknown): CheckedKey {
  const known = typeof value === "object" && value !== null ? checked.get(value) : undefined
  if (known) return known
  const key = freeze(read(fromJson(value, "verification key")))
  const result = key.proofSystem === "groth16" ? checkGroth16(key) : checkMirage(key)
  checked.set(key, result)
  return result
}

function checkGroth16(key: Groth16Key): CheckedGroth16Key {
  const { alpha1, beta2, gamma2, delta2 } = key.points
  const result = {
    proofSystem: key.proofSystem,
    key,
    ...commonPoints(key),
    gamma2: requireG2(gamma2, "points.gamma2"),
  }
  requireContributions(alpha1, beta2, { delta2, gamma2 })
  return result
}

function checkMirage(key: MirageKey): CheckedMirageKey {
  const { alpha1, beta2, delta2, deltaC2 } = key.points
  const result = {
    proofSystem: key.proofSystem,
    key,
    ...commonPoints(key),
    deltaC2: requireG2(deltaC2, "points.deltaC2"),
  }
  requireContributions(alpha1, beta2, { delta2, deltaC2 })
  return result
}

/**
 * Whoever knows a δ, or the ratio of two points of G2, can let one side of the proof make up for the other; equal
 * and opposite points are the ratios that a setup without contributions has. Only γ may be the generator: it is one
 * in every setup of today.
 */
function requireContributions(alpha1: G1Json, beta2: G2Json, phase2: Readonly<Record<string, G2Json>>): void {
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

function commonPoints({ points }: VerificationKey) {
  const { alpha1, beta2, delta2, ic } = points
  return {
    alpha1: requireG1(alpha1, "points.alpha1"),
    beta2: requireG2(beta2, "points.beta2"),
    delta2: requireG2(delta2, "points.delta2"),
    ic: ic.map((point, i) => requireG1(point, `points.ic[${i}]`)),
  }
}

function uncontributed(to: string, where: string): never {
  fail(where, {
    what: `nobody contributed to ${to} of this key`,
    fix: "Anyone can forge proofs for it; run the setup with a contribution",
  })
}

function read(value: unknown): VerificationKey {
  const what = "verification key"
  oneOf(object(value, what).version, "version", [1])
  const proofSystem = oneOf(object(value, what).proofSystem, "proofSystem", ["groth16", "mirage"])
  const given = fields(value, what, ["version", "proofSystem", "setup", "model", "layout", "points"])
  const facts: KeyFacts = {
    version: 1,
    setup: parseProvenance(given.setup, "setup"),
    model: bytes32(given.model, "model"),
    layout: parseLayout(given.layout, "layout"),
  }
  return proofSystem === "groth16"
    ? { ...facts, proofSystem, points: readGroth16(given.points, facts.layout) }
    : { ...facts, proofSystem, points: readMirage(given.points) }
}

function readGroth16(value: unknown, layout: Layout): Groth16Key["points"] {
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
}

function readMirage(value: unknown): MirageKey["points"] {
  const points = fields(value, "points", ["alpha1", "beta2", "delta2", "deltaC2", "ic"])
  const ic = array(points.ic, "points.ic", 3)
  return {
    alpha1: parseG1(points.alpha1, "points.alpha1"),
    beta2: parseG2(points.beta2, "points.beta2"),
    delta2: parseG2(points.delta2, "points.delta2"),
    deltaC2: parseG2(points.deltaC2, "points.deltaC2"),
    ic: [parseG1(ic[0], "points.ic[0]"), parseG1(ic[1], "points.ic[1]"), parseG1(ic[2], "points.ic[2]")],
  }
}

function freeze<T extends object>(value: T): T {
  for (const child of Object.values(value)) if (typeof child === "object" && child !== null) freeze(child)
  return Object.freeze(value)
}

const keccakWord = (bytes: Uint8Array): bigint => BigInt(`0x${bytesToHex(keccak_256(bytes))}`)

/** Canonical bytes of a key (table above). @throws FileError as `parseVerificationKey`. */
export function encodeKey(verificationKey: VerificationKey): Uint8Array {
  const { key } = checkKey(verificationKey)
  const { layout, points, proofSystem } = key
  const magic = utf8ToBytes(`countersign.key.${proofSystem}.1`)
  const [public_, outputs] =
    proofSystem === "groth16"
      ? [signalCount(layout), outputCount(layout)]
      : [wordCount(layout), outputWordCount(layout)]
  const [third, fourth] =
    key.proofSystem === "groth16"
      ? [key.points.gamma2, key.points.delta2]
      : [key.points.delta2, key.points.deltaC2]
  return encodeWords([
    BigInt(`0x${bytesToHex(magic).padEnd(64, "0")}`),
    flagsOf(key.setup),
    BigInt(public_),
    BigInt(outputs),
    BigInt(key.model),
    keccakWord(utf8ToBytes(layoutJson(layout))),
    ...wordsOfG1(points.alpha1),
    ...wordsOfG2(points.beta2),
    ...wordsOfG2(third),
    ...wordsOfG2(fourth),
    ...points.ic.flatMap(wordsOfG1),
  ])
}

/** Digests of checked keys, which cannot change: every two-phase verification needs one. */
const digests = new WeakMap<VerificationKey, Hex>()

/** keccak256 of the canonical bytes, the name of a key on-chain; binds model, layout and setup kind too. */
export function keyDigest(verificationKey: VerificationKey): Hex {
  const { key } = checkKey(verificationKey)
  const known = digests.get(key)
  if (known !== undefined) return known
  const digest: Hex = `0x${bytesToHex(keccak_256(encodeKey(key)))}`
  digests.set(key, digest)
  return digest
}
