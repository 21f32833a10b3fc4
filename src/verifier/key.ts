/**
 * Verification keys: strict reading, canonical bytes and digest.
 *
 * Canonical bytes, 32-byte big-endian words (the Solidity registry stores exactly these). In common:
 *
 *     0  "countersign.key.NAME.1" with the name of the proof system, zero-padded on the right
 *     1  flags: 1 for a development key, 2 for one of a ceremony, 3 for one of universal powers, else 0; and 4 more for
 *        private weights
 *     2  n, the number of public signals, or words (mirage)
 *     3  how many of them are outputs
 *     4  model digest
 *     5  keccak256 of the layout's canonical JSON
 *
 *     groth16  6–7  alpha1   8–11  beta2   12–15  gamma2   16–19  delta2    20–  n + 1 points ic     22 + 2n words
 *     mirage   6–7  alpha1   8–11  beta2   12–15  delta2   16–19  deltaC2   20–25  three points ic   26 words
 *     plonk    6  size of the domain   7–10  x2   11–26  qm, ql, qr, qo, qc, s1, s2, s3              27 words
 *     fflonk   6  size of the domain   7–10  x2   11–12  c0                                          13 words
 *
 * A mirage key of private weights has seven words more: 26 architecture, 27–28 weights, 29–32 deltaW2.
 *
 * G1 is x, y; G2 is x1, x0, y1, y0 as the EVM wants it. Behind all these stand the words of the provenance
 * (statement/provenance.ts). Of a ceremony five: powers of tau (two), number of contributors, beacon, transcript. Of
 * universal powers three: powers of tau (two), power.
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import type { KeyFacts } from "../statement/key.js"
import { layoutJson, parseLayout } from "../statement/layout.js"
import { privateModel } from "../statement/model.js"
import { flagsOf, parseProvenance, provenanceWords, setupKind } from "../statement/provenance.js"
import { bytes32, fail, fields, fromJson, type Hex, object, oneOf } from "../statement/strict.js"
import { encodeWords } from "../statement/words.js"
import { keyOfSnarkjs, type SnarkjsFacts } from "../systems/groth16/snarkjs.js"
import type { Groth16Key } from "../systems/groth16/verify.js"
import { type CheckedKey, type VerificationKey, verifiableSystems, verifierOf } from "../systems/verifiers.js"

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
  const result = verifierOf(key.proofSystem).checkKey(key)
  checked.set(key, result)
  return result
}

function read(value: unknown): VerificationKey {
  const what = "verification key"
  oneOf(object(value, what).version, "version", [1])
  const proofSystem = oneOf(object(value, what).proofSystem, "proofSystem", verifiableSystems)
  const { parsePoints, setups, hasPrivateWeights } = verifierOf(proofSystem)
  const names = ["version", "proofSystem", "setup", "model", "layout", "points"] as const
  const isPrivate = hasPrivateWeights === true && Object.hasOwn(value as object, "architecture")
  const given = fields<string>(value, what, isPrivate ? [...names, "architecture"] : names)
  const facts: KeyFacts = {
    version: 1,
    setup: parseProvenance(given.setup, "setup"),
    model: bytes32(given.model, "model"),
    ...(isPrivate && { architecture: bytes32(given.architecture, "architecture") }),
    layout: parseLayout(given.layout, "layout"),
  }
  oneOf(setupKind(facts.setup), "setup", setups)
  const points = parsePoints(given.points, facts.layout, facts.architecture)
  const key = { ...facts, proofSystem, points } as VerificationKey
  checkModel(key)
  return key
}

/** Of private weights, whether the model is that of the architecture and the weights' commitment. */
function checkModel({ model, architecture, points }: VerificationKey): void {
  if (architecture === undefined || !("weights" in points) || points.weights === undefined) return
  const expected = privateModel(architecture, points.weights)
  if (model === expected) return
  fail("model", {
    what: "is not the digest of this architecture and these weights",
    expected,
    given: model,
    fix: "The commitment to the weights may be another model's: take the key from whoever committed to them",
  })
}

/**
 * The points of an architecture's key, checked as those of a model's are, of which only the commitment is missing. This
 * is no verification key: nothing verifies with it.
 * @throws FileError for points that are none, and a setup in which a phase had no contribution
 */
export function pointsOfArchitecture(
  value: KeyFacts & { readonly proofSystem: string; readonly points: object },
): CheckedKey {
  const key = value as VerificationKey
  return verifierOf(key.proofSystem).checkKey(key)
}

function freeze<T extends object>(value: T): T {
  for (const child of Object.values(value)) if (typeof child === "object" && child !== null) freeze(child)
  return Object.freeze(value)
}

/** Of the flags of a key of private weights. */
const privateFlag = 4n

const keccakWord = (bytes: Uint8Array): bigint => BigInt(`0x${bytesToHex(keccak_256(bytes))}`)

/** Canonical bytes of a key (table above). @throws FileError as `parseVerificationKey`. */
export function encodeKey(verificationKey: VerificationKey): Uint8Array {
  const { key } = checkKey(verificationKey)
  const { layout, proofSystem } = key
  const magic = utf8ToBytes(`countersign.key.${proofSystem}.1`)
  const system = verifierOf(proofSystem)
  const { all, outputs } = system.publicCounts(layout)
  return encodeWords([
    BigInt(`0x${bytesToHex(magic).padEnd(64, "0")}`),
    flagsOf(key.setup) + (key.architecture === undefined ? 0n : privateFlag),
    BigInt(all),
    BigInt(outputs),
    BigInt(key.model),
    keccakWord(utf8ToBytes(layoutJson(layout))),
    ...system.keyWords(key),
    ...provenanceWords(key.setup),
  ])
}

/** Digests of checked keys, which cannot change: every two-phase verification needs one. */
const digests = new WeakMap<VerificationKey, Hex>()

/** keccak256 of the canonical bytes, the name of a key on-chain; binds model, layout and provenance too. */
export function keyDigest(verificationKey: VerificationKey): Hex {
  const { key } = checkKey(verificationKey)
  const known = digests.get(key)
  if (known !== undefined) return known
  const digest: Hex = `0x${bytesToHex(keccak_256(encodeKey(key)))}`
  digests.set(key, digest)
  return digest
}

/**
 * Our key from snarkjs's, whose other fields (`vk_alphabeta_12`) follow from the points and are ignored. How it was
 * made does not stand in it: that is for the caller to know and to say (`setup`).
 * @throws FileError on anything but a bn128 Groth16 key, and as `parseVerificationKey`.
 */
export const fromSnarkjs = (value: unknown, facts: SnarkjsFacts): Groth16Key =>
  parseVerificationKey(keyOfSnarkjs(value, facts)) as Groth16Key
