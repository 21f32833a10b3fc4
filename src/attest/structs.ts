/**
 * What is signed: the claims of `countersign/attest` as EIP-712 structs, as TypeScript types and as JSON. All three
 * have the same fields under the same names, which the contracts (`SignOffBook`) have too.
 *
 * A digest is bytes32, 0x and 64 lower-case hexadecimal digits; an address is 0x and 40 of them. Times are seconds since
 * 1970. Integers are JSON numbers: all of them are below 2^53, also where the struct would have room for more.
 */
import type { Hex } from "../statement/strict.js"

/** The operator's claim: with this model and key, this input gave this output. */
export interface Attestation {
  /** Digest of the integer model. */
  readonly model: Hex
  /** Digest of the verification key that a proof of it will verify under. */
  readonly key: Hex
  /** keccak256 of the canonical JSON of the key's layout, which says what the words mean. */
  readonly layout: Hex
  /** keccak256 of the statement's input words, 32 bytes each: of a committed input, of its salted commitment. */
  readonly input: Hex
  /** keccak256 of the statement's output words. */
  readonly output: Hex
  /** `policyDigest` of the policy that it is made under. */
  readonly policy: Hex
  /** `evidenceDigest` of what else the operator holds about it. */
  readonly evidence: Hex
  /** Who signs, and answers for it. */
  readonly operator: Hex
  /** What it answers: the request's id, or zero. */
  readonly request: Hex
  /** When the inference began. */
  readonly started: number
  readonly issued: number
  /** The last second in which it may be acted on. */
  readonly validUntil: number
}

/** What an attestation says of its model; the same follows from a receipt and its key. */
export type Claimed = Pick<Attestation, "model" | "key" | "layout" | "input" | "output">

/** Somebody's word on an attestation, in a role. */
export interface SignOff {
  /** `attestationDigest` of what it is about. */
  readonly attestation: Hex
  /** One of `roles`. */
  readonly role: number
  /** One of `decisions`. */
  readonly decision: number
  /** What was looked at: the digest of the policy, or of any other document. */
  readonly scope: Hex
  readonly signer: Hex
  readonly signed: number
  readonly validUntil: number
}

/** A sign-off taken back by its signer. */
export interface Withdrawal {
  /** `signOffDigest`. */
  readonly signOff: Hex
  readonly withdrawn: number
}

/** A limit on one element of a statement: least ≤ lo + ((words[word] >> shift) & (2^bits − 1)) ≤ most. */
export interface Bound {
  /** Index among all words of the statement, outputs first. */
  readonly word: number
  readonly shift: number
  readonly bits: number
  readonly lo: number
  readonly least: number
  readonly most: number
}

/** Somebody who must approve. */
export interface Requirement {
  readonly role: number
  readonly signer: Hex
}

/** The half of a policy that contracts check; it follows from the document and the layout. */
export interface Policy {
  /** `documentDigest` of the whole document. */
  readonly document: Hex
  /** ModelRegistry that can recall the model, and its id there (uint256 as bytes32); zero: none. */
  readonly registry: Hex
  readonly modelId: Hex
  /** Escrow that has to call the attestation final or proven; zero: none. */
  readonly escrow: Hex
  readonly bounds: readonly Bound[]
  readonly signOffs: readonly Requirement[]
}

/** Where signatures hold: on one chain, for one SignOffBook; or without a chain. */
export type Domain = "offline" | { readonly chainId: number; readonly verifyingContract: Hex }

/** A claim with its signature: 65 bytes of an account (r, s, v), or what a contract (ERC-1271) takes. */
export type Signed<T> = T & { readonly domain: Domain; readonly signature: Hex }
export type SignedAttestation = Signed<Attestation>
export type SignedSignOff = Signed<SignOff>
/** Who may withdraw stands in the sign-off, not here. */
export type SignedWithdrawal = Signed<Withdrawal>

/** Who somebody is to an attestation. */
export const roles = Object.freeze({ owner: 1, operator: 2, evaluator: 3, approver: 4, client: 5 })
/** What somebody says of it. */
export const decisions = Object.freeze({ approve: 1, reject: 2, abstain: 3 })
export type RoleName = keyof typeof roles
export type DecisionName = keyof typeof decisions

const nameIn = <K extends string>(names: Readonly<Record<K, number>>, value: number): K | undefined =>
  (Object.keys(names) as K[]).find((name) => names[name] === value)
/** The word for a number of `roles`, or undefined. */
export const roleName = (role: number): RoleName | undefined => nameIn(roles, role)
/** The word for a number of `decisions`, or undefined. */
export const decisionName = (decision: number): DecisionName | undefined => nameIn(decisions, decision)

export const zeroDigest: Hex = `0x${"0".repeat(64)}`
export const zeroAddress: Hex = `0x${"0".repeat(40)}`

type Fields = readonly { readonly name: string; readonly type: string }[]
const members = (text: string): Fields =>
  text.split(", ").map((member) => {
    const [type, name] = member.split(" ")
    return { name, type }
  })

/** Members of each struct in their order, as EIP-712 hashes them. */
export const structTypes = Object.freeze({
  Attestation: members(
    "bytes32 model, bytes32 key, bytes32 layout, bytes32 input, bytes32 output, bytes32 policy, bytes32 evidence, address operator, bytes32 request, uint64 started, uint64 issued, uint64 validUntil",
  ),
  SignOff: members(
    "bytes32 attestation, uint8 role, uint8 decision, bytes32 scope, address signer, uint64 signed, uint64 validUntil",
  ),
  Withdrawal: members("bytes32 signOff, uint64 withdrawn"),
  Bound: members("uint32 word, uint8 shift, uint8 bits, int64 lo, int64 least, int64 most"),
  Requirement: members("uint8 role, address signer"),
  Policy: members(
    "bytes32 document, address registry, uint256 modelId, address escrow, Bound[] bounds, Requirement[] signOffs",
  ),
})
