/**
 * Digests of claims by EIP-712, which wallets show and contracts recompute. A digest covers the domain (chain and
 * contract, or none), so a signature holds there and nowhere else; the attestation's is the context of the receipt
 * that proves it.
 */
import { hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js"
import { TypedDataEncoder } from "ethers"
import { type Layout, layoutJson } from "../statement/layout.js"
import type { Statement } from "../statement/statement.js"
import type { Hex } from "../statement/strict.js"
import { encodeWords, outputWordCount, wordsOf } from "../statement/words.js"
import { keccak } from "./canonical.js"
import {
  type Attestation,
  type Domain,
  type Policy,
  type SignOff,
  structTypes,
  type Withdrawal,
} from "./structs.js"

/** The salt of the domain without a chain. */
const offlineSalt = keccak(utf8ToBytes("countersign.offline"))

/** A domain as EIP-712 hashes it, and as wallets take it. */
export const typedDomain = (domain: Domain) => ({
  name: "Countersign",
  version: "1",
  ...(domain === "offline" ? { salt: offlineSalt } : domain),
})

/** Claims that are signed, each under its own struct. */
export interface Claims {
  Attestation: Attestation
  SignOff: SignOff
  Withdrawal: Withdrawal
}

/** The types of a claim, as wallets take them. */
export const typesOf = (name: keyof Claims) => ({ [name]: [...structTypes[name]] })

const encoders = Object.fromEntries(
  (["Attestation", "SignOff", "Withdrawal"] as const).map((name) => [
    name,
    TypedDataEncoder.from(typesOf(name)),
  ]),
) as Record<keyof Claims, TypedDataEncoder>
const policyEncoder = TypedDataEncoder.from({
  Policy: [...structTypes.Policy],
  Bound: [...structTypes.Bound],
  Requirement: [...structTypes.Requirement],
})

/** keccak256(0x1901 ‖ domain ‖ struct): what is signed of a claim. Source: EIP-712. */
export function claimDigest<K extends keyof Claims>(name: K, claim: Claims[K], domain: Domain): Hex {
  const separator = TypedDataEncoder.hashDomain(typedDomain(domain))
  return keccak(hexToBytes(`1901${separator.slice(2)}${encoders[name].hash(claim).slice(2)}`))
}

/** What an attestation is called by sign-offs and contracts, and the context of the receipt that proves it. */
export const attestationDigest = (attestation: Attestation, domain: Domain): Hex =>
  claimDigest("Attestation", attestation, domain)
export const signOffDigest = (signOff: SignOff, domain: Domain): Hex =>
  claimDigest("SignOff", signOff, domain)
export const withdrawalDigest = (withdrawal: Withdrawal, domain: Domain): Hex =>
  claimDigest("Withdrawal", withdrawal, domain)
/** hashStruct of a policy's half for contracts; no domain: its registry and escrow are addresses already. */
export const policyDigest = (policy: Policy): Hex => policyEncoder.hash(policy) as Hex

/** keccak256 of the canonical JSON of a layout. */
export const layoutDigest = (layout: Layout): Hex => keccak(utf8ToBytes(layoutJson(layout)))

/**
 * Digests of both sides of a statement: keccak256 of its words (statement/words.ts), 32 bytes each, big endian. A
 * committed side is one word, so its digest hides it; a hidden input has none, and the digest is that of nothing.
 * @throws UsageError when the statement does not fit the layout
 */
export function sideDigests(
  statement: Statement,
  layout: Layout,
): { readonly input: Hex; readonly output: Hex } {
  const bytes = encodeWords(wordsOf(statement, layout))
  const outputs = 32 * outputWordCount(layout)
  return { input: keccak(bytes.subarray(outputs)), output: keccak(bytes.subarray(0, outputs)) }
}
