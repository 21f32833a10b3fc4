/**
 * Signing claims, and checking who signed. Accounts sign with 65 bytes r ‖ s ‖ v of which only one form is taken: s in
 * the lower half (else anyone could make a second signature of the first), v 27 or 28, nothing shorter (EIP-2098) or
 * longer. Contracts that sign (ERC-1271) are asked on their chain, through accounts that the caller gives.
 */
import { getAddress, recoverAddress, Signature } from "ethers"
import { checkRecord } from "../arguments.js"
import { UsageError } from "../errors.js"
import { type Hex, shown } from "../statement/strict.js"
import { type Claims, claimDigest, typedDomain, typesOf } from "./digest.js"
import { type Domain, type Signed, structTypes } from "./structs.js"

/** Whoever signs: a Wallet or any other Signer of ethers is one. */
export interface ClaimSigner {
  getAddress(): Promise<string>
  signTypedData(
    domain: ReturnType<typeof typedDomain>,
    types: Record<string, { name: string; type: string }[]>,
    value: Record<string, unknown>,
  ): Promise<string>
}

/** Accounts of a chain, as far as signatures need them: a provider of ethers is one. */
export interface Accounts {
  /** Code at an address, `0x` if there is none. */
  getCode(address: string): Promise<string>
  /** What a call gives. */
  call(transaction: { to: string; data: string }): Promise<string>
}

const magicValue = "0x1626ba7e"
/** Order of secp256k1, halved. */
const halfOrder = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n

/**
 * Signs a claim. `who` names the field that says by whom, if one does.
 * @throws UsageError if the claim names somebody else; whatever the signer throws
 */
export async function signClaim<K extends keyof Claims>(
  name: K,
  claim: Claims[K],
  domain: Domain,
  signer: ClaimSigner,
  who?: Hex,
): Promise<Signed<Claims[K]>> {
  const mine = (await signer.getAddress()).toLowerCase()
  if (who !== undefined && who !== mine)
    throw new UsageError({ what: "the claim names another signer", expected: mine, given: who })
  const given = claim as unknown as Record<string, unknown>
  const value = Object.fromEntries(structTypes[name].map((member) => [member.name, given[member.name]]))
  const signature = (
    await signer.signTypedData(typedDomain(domain), typesOf(name), value)
  ).toLowerCase() as Hex
  return { ...(value as unknown as Claims[K]), domain, signature }
}

/**
 * Why a signature is not `signer`'s under a digest, or null. An account's own signature holds whatever code it has; a
 * contract is asked only where `accounts` are given.
 */
export async function signatureProblem(
  digest: Hex,
  signature: Hex,
  signer: Hex,
  accounts?: Accounts,
): Promise<string | null> {
  const problem = accountProblem(digest, signature, signer)
  if (problem === null || accounts === undefined) return problem
  checkRecord(accounts, "accounts", "an object with `getCode` and `call`")
  const hasCode = (await accounts.getCode(signer)) !== "0x"
  return hasCode ? contractProblem(digest, signature, signer, accounts) : problem
}

function accountProblem(digest: Hex, signature: Hex, signer: Hex): string | null {
  const hex = signature.slice(2)
  if (!/^[0-9a-f]{130}$/.test(hex))
    return `the signature has ${hex.length / 2} bytes, an account's has 65 (a contract's is asked for on its chain)`
  if (BigInt(`0x${hex.slice(64, 128)}`) > halfOrder)
    return "the signature is malleable: its s is in the upper half"
  const v = Number.parseInt(hex.slice(128), 16)
  if (v !== 27 && v !== 28) return `the signature ends in ${v}, expected 27 or 28`
  let by: string
  try {
    by = recoverAddress(digest, Signature.from(signature)).toLowerCase()
  } catch {
    return "the signature is none of any account"
  }
  return by === signer ? null : `signed by ${by}, or for something else; expected ${signer}`
}

/** ERC-1271: isValidSignature(bytes32, bytes) in a static call gives the magic value in one word. */
async function contractProblem(
  digest: Hex,
  signature: Hex,
  signer: Hex,
  accounts: Accounts,
): Promise<string | null> {
  const bytes = signature.slice(2)
  const word = (n: number) => n.toString(16).padStart(64, "0")
  const padded = bytes.padEnd(64 * Math.ceil(bytes.length / 64), "0")
  const data = `${magicValue}${digest.slice(2)}${word(64)}${word(bytes.length / 2)}${padded}`
  let answer: string
  try {
    answer = await accounts.call({ to: signer, data })
  } catch (error) {
    // a contract that reverts refuses; a chain that cannot be asked has given no verdict
    if ((error as { code?: unknown }).code !== "CALL_EXCEPTION") throw error
    return `the contract ${signer} refuses the signature`
  }
  return answer.slice(0, 66) === magicValue.padEnd(66, "0")
    ? null
    : `the contract ${signer} refuses the signature`
}

/**
 * An address as files have it, from one in any spelling.
 * @throws UsageError for anything else, and a wrong checksum
 */
export function toAddress(text: string): Hex {
  try {
    return getAddress(text).toLowerCase() as Hex
  } catch {
    throw new UsageError({
      what: "not an address",
      expected: "0x and 40 hexadecimal digits",
      given: shown(text),
    })
  }
}

/** Digest of a signed claim in its own domain. */
export const digestOf = <K extends keyof Claims>(name: K, claim: Signed<Claims[K]>): Hex =>
  claimDigest(name, claim, claim.domain)
