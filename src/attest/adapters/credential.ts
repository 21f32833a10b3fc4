/**
 * A sign-off of somebody without a wallet: a W3C Verifiable Credential (data model 2.0) about an attestation, with a
 * Data Integrity proof of the suite `eddsa-jcs-2022`. That suite signs SHA-256 of the canonical JSON (RFC 8785) of the
 * proof's options and of the document, so nothing of JSON-LD has to be loaded. The issuer is a `did:key` of Ed25519: the
 * name is the key, and nobody has to be asked.
 *
 * It says what a sign-off says, and has no domain: whoever counts it says which attestation it must be about. Contracts
 * cannot check it. Which person holds a key is for whoever counts it to know; status lists, other methods of DIDs and
 * other suites are not here.
 */
import { ed25519 } from "@noble/curves/ed25519.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { concatBytes, utf8ToBytes } from "@noble/hashes/utils.js"
import { decodeBase58, encodeBase58 } from "ethers"
import { checkArgument, checkRecord } from "../../arguments.js"
import { UsageError } from "../../errors.js"
import {
  array,
  bytes32,
  fail,
  fields,
  fromJson,
  type Hex,
  object,
  oneOf,
  shown,
  type TextLimits,
} from "../../statement/strict.js"
import { readOr } from "../attestation.js"
import { canonicalJson } from "../canonical.js"
import { type DecisionName, decisions, type RoleName, roles } from "../structs.js"

/** What the credential of a sign-off says. */
export interface CredentialClaim {
  /** `attestationDigest` of what it is about. */
  readonly attestation: Hex
  readonly role: RoleName
  readonly decision: DecisionName
  /** Digest of the policy, or of another document that was looked at. */
  readonly scope: Hex
  /** Seconds since 1970. */
  readonly signed: number
  readonly validUntil: number
}

interface Proof {
  readonly type: "DataIntegrityProof"
  readonly cryptosuite: "eddsa-jcs-2022"
  readonly created: string
  readonly verificationMethod: string
  readonly proofPurpose: "assertionMethod"
  readonly "@context": readonly string[]
  readonly proofValue: string
}

export interface SignOffCredential {
  readonly "@context": readonly string[]
  readonly type: readonly string[]
  readonly issuer: string
  readonly validFrom: string
  readonly validUntil: string
  readonly credentialSubject: Pick<CredentialClaim, "attestation" | "role" | "decision" | "scope">
  readonly proof: Proof
}

// the second gives a meaning to terms that no other context defines
const contexts = [
  "https://www.w3.org/ns/credentials/v2",
  "https://www.w3.org/ns/credentials/undefined-terms/v2",
] as const
const types = ["VerifiableCredential", "CountersignSignOff"] as const
const limits: TextLimits = { characters: 2 ** 14, values: 128 }

/** Multicodec of an Ed25519 public key. */
const keyPrefix = Uint8Array.of(0xed, 0x01)

/** Bytes as multibase base58btc. */
const multibase = (bytes: Uint8Array): string => `z${encodeBase58(bytes)}`

/** So many bytes of multibase base58btc, or undefined. */
function fromMultibase(text: string, length: number): Uint8Array | undefined {
  if (!/^z[1-9A-HJ-NP-Za-km-z]{1,128}$/.test(text)) return undefined
  const hex = decodeBase58(text.slice(1))
    .toString(16)
    .padStart(2 * length, "0")
  const bytes = Uint8Array.from(hex.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16))
  // leading zeros have one spelling, too
  return bytes.length === length && multibase(bytes) === text ? bytes : undefined
}

/** The `did:key` of an Ed25519 public key of 32 bytes. */
export function didKey(publicKey: Uint8Array): string {
  checkArgument(publicKey?.length === 32, "publicKey", "32 bytes", publicKey)
  return `did:key:${multibase(concatBytes(keyPrefix, publicKey))}`
}

function keyOf(did: string): Uint8Array | undefined {
  const bytes = did.startsWith("did:key:") ? fromMultibase(did.slice("did:key:".length), 34) : undefined
  return bytes?.[0] === keyPrefix[0] && bytes[1] === keyPrefix[1] ? bytes.subarray(2) : undefined
}

/**
 * What `eddsa-jcs-2022` signs: SHA-256 of the proof's options, then of the document, both in canonical JSON.
 * Source: Data Integrity EdDSA Cryptosuites v1.0, section 3.3.
 */
export const integrityBytes = (document: object, options: object): Uint8Array =>
  concatBytes(sha256(utf8ToBytes(canonicalJson(options))), sha256(utf8ToBytes(canonicalJson(document))))

/**
 * Signs a sign-off as a credential.
 * @param secretKey 32 bytes, the seed of an Ed25519 key
 * @throws UsageError for a claim that ends before it begins
 */
export function signCredential(claim: CredentialClaim, secretKey: Uint8Array): SignOffCredential {
  checkRecord(claim, "claim")
  checkArgument(secretKey?.length === 32, "secretKey", "32 bytes", "something else")
  const { attestation, role, decision, scope, signed, validUntil } = claim
  if (signed > validUntil)
    throw new UsageError({ what: `the sign-off is valid until ${validUntil}, and signed at ${signed}` })
  const issuer = didKey(ed25519.getPublicKey(secretKey))
  const document = {
    "@context": contexts,
    type: types,
    issuer,
    validFrom: stampOf(signed),
    validUntil: stampOf(validUntil),
    credentialSubject: { attestation, role, decision, scope },
  }
  const options = {
    type: "DataIntegrityProof",
    cryptosuite: "eddsa-jcs-2022",
    created: stampOf(signed),
    verificationMethod: methodOf(issuer),
    proofPurpose: "assertionMethod",
    "@context": contexts,
  } as const
  const proofValue = multibase(ed25519.sign(integrityBytes(document, options), secretKey))
  return parseCredential({ ...document, proof: { ...options, proofValue } })
}

/** The only method of a `did:key` that signs. */
const methodOf = (issuer: string): string => `${issuer}#${issuer.slice("did:key:".length)}`

/** Seconds since 1970 as xsd:dateTimeStamp. */
function stampOf(seconds: number): string {
  const date = new Date(1000 * seconds)
  if (!Number.isSafeInteger(seconds) || Number.isNaN(date.getTime()) || date.getUTCFullYear() > 9999)
    throw new UsageError({
      what: "no time of a credential",
      expected: "seconds, before the year 10000",
      given: `${seconds}`,
    })
  return date.toISOString().replace(".000Z", "Z")
}

function stamp(value: unknown, path: string): string {
  const seconds =
    typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(value)
      ? Date.parse(value) / 1000
      : Number.NaN
  if (Number.isNaN(seconds) || stampOf(seconds) !== value)
    fail(path, { what: "no time", expected: 'such as "2026-12-31T23:59:59Z"', given: shown(value) })
  return value
}
const secondsOf = (text: string): number => Date.parse(text) / 1000

const textOf = (value: unknown, path: string): string =>
  typeof value === "string"
    ? value
    : fail(path, { what: "wrong type", expected: "a string", given: shown(value) })

const exactly = (value: unknown, path: string, expected: readonly string[]): readonly string[] =>
  array(value, path, expected.length).map((x, i) => oneOf(x, `${path}[${i}]`, [expected[i]]))

/** Reads a credential of a sign-off (an object, or JSON text) strictly; says nothing about its proof. @throws FileError */
export function parseCredential(value: unknown): SignOffCredential {
  const what = "credential"
  const names = [
    "@context",
    "type",
    "issuer",
    "validFrom",
    "validUntil",
    "credentialSubject",
    "proof",
  ] as const
  const given = fields(fromJson(value, what, limits), what, names)
  const subject = fields(given.credentialSubject, "credentialSubject", [
    "attestation",
    "role",
    "decision",
    "scope",
  ])
  const options = [
    "type",
    "cryptosuite",
    "created",
    "verificationMethod",
    "proofPurpose",
    "@context",
    "proofValue",
  ] as const
  const proof = fields(object(given.proof, "proof"), "proof", options)
  return {
    "@context": exactly(given["@context"], "@context", contexts),
    type: exactly(given.type, "type", types),
    issuer: textOf(given.issuer, "issuer"),
    validFrom: stamp(given.validFrom, "validFrom"),
    validUntil: stamp(given.validUntil, "validUntil"),
    credentialSubject: {
      attestation: bytes32(subject.attestation, "credentialSubject.attestation"),
      role: oneOf(subject.role, "credentialSubject.role", Object.keys(roles) as RoleName[]),
      decision: oneOf(
        subject.decision,
        "credentialSubject.decision",
        Object.keys(decisions) as DecisionName[],
      ),
      scope: bytes32(subject.scope, "credentialSubject.scope"),
    },
    proof: {
      type: oneOf(proof.type, "proof.type", ["DataIntegrityProof"]),
      cryptosuite: oneOf(proof.cryptosuite, "proof.cryptosuite", ["eddsa-jcs-2022"]),
      created: stamp(proof.created, "proof.created"),
      verificationMethod: textOf(proof.verificationMethod, "proof.verificationMethod"),
      proofPurpose: oneOf(proof.proofPurpose, "proof.proofPurpose", ["assertionMethod"]),
      "@context": exactly(proof["@context"], "proof.@context", contexts),
      proofValue: textOf(proof.proofValue, "proof.proofValue"),
    },
  }
}

/** What a credential is checked against. */
export interface ExpectedCredential {
  /** Whose word it must be: a `did:key`. */
  readonly issuer: string
  /** Digest of the attestation that it must be about. */
  readonly attestation: Hex
  /** Seconds since 1970. */
  readonly at: number
}

/**
 * Why a credential (an object, or JSON text) is not its issuer's word on an attestation at a time, or null. What it
 * decides, in which role and about what scope, it says itself (`credentialSubject`).
 */
export function explainCredential(credential: unknown, expected: ExpectedCredential): string | null {
  checkRecord(expected, "expected", "an object with `issuer`, `attestation` and `at`")
  const given = readOr(() => parseCredential(credential), "credential")
  if (typeof given === "string") return given
  const { proof, ...document } = given
  const { proofValue, ...options } = proof
  const { attestation } = given.credentialSubject
  if (given.issuer !== expected.issuer) return `issued by ${given.issuer}, expected ${expected.issuer}`
  if (attestation !== expected.attestation)
    return `it is about ${attestation}, expected ${expected.attestation}`
  const [from, until] = [secondsOf(given.validFrom), secondsOf(given.validUntil)]
  if (from > expected.at) return `valid from ${given.validFrom}, after ${stampOf(expected.at)}`
  if (until < expected.at) return `valid until ${given.validUntil}, it is ${stampOf(expected.at)}`
  const key = keyOf(given.issuer)
  if (key === undefined) return `the issuer is no did:key of Ed25519: ${given.issuer}`
  if (proof.verificationMethod !== methodOf(given.issuer))
    return "the proof is by another key than the issuer's"
  const signature = fromMultibase(proofValue, 64)
  // strictly as RFC 8032: one signature has one spelling, and keys of small order sign nothing
  const holds =
    signature && ed25519.verify(signature, integrityBytes(document, options), key, { zip215: false })
  return holds ? null : "the signature is not the issuer's, or of something else"
}
