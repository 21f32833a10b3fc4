/**
 * The arguments of the Solidity verifiers, as ethers and viem take them, and their calls in ABI encoding: of
 * contracts/CountersignVerifier.sol for `mirage`, of contracts/Groth16Verifier.sol for `groth16`, and for `plonk` and
 * `fflonk` of the contract that is written for each of their keys.
 */
import { bytesToHex } from "@noble/hashes/utils.js"
import { checkOptions, checkRecord, checkThing } from "../arguments.js"
import { UsageError } from "../errors.js"
import { type AbiPart, encodeCall } from "../statement/abi.js"
import { forgeable } from "../statement/provenance.js"
import type { Hex } from "../statement/strict.js"
import type { Groth16Arguments, Groth16ProofWords } from "../systems/groth16/solidity.js"
import type { Groth16Key, Groth16Proof, Groth16Receipt } from "../systems/groth16/verify.js"
import type { MirageArguments, MirageProofWords } from "../systems/mirage/solidity.js"
import type { MirageKey, MirageProof, MirageReceipt } from "../systems/mirage/verify.js"
import type { FflonkArguments, PlonkArguments } from "../systems/universal/solidity.js"
import type { FflonkKey, FflonkReceipt, PlonkKey, PlonkReceipt } from "../systems/universal/verify.js"
import {
  type Receipt,
  type SolidityArguments,
  type VerificationKey,
  verifierOf,
  verifierOfProof,
} from "../systems/verifiers.js"
import { encodeKey, keyDigest } from "./key.js"

/**
 * The receipt as arguments of `verifyInference` under a key; the contract, not this function, verifies. The
 * contract for `mirage` learns the model from the key, so there it is checked here.
 * @throws UsageError when the statement does not fit the key's layout, or the receipt the key's proof
 * system or model; FileError on a malformed key.
 */
export function toSolidityArguments(receipt: Groth16Receipt, key: Groth16Key): Groth16Arguments
export function toSolidityArguments(receipt: MirageReceipt, key: MirageKey): MirageArguments
export function toSolidityArguments(receipt: PlonkReceipt, key: PlonkKey): PlonkArguments
export function toSolidityArguments(receipt: FflonkReceipt, key: FflonkKey): FflonkArguments
export function toSolidityArguments(receipt: Receipt, key: VerificationKey): SolidityArguments
export function toSolidityArguments(receipt: Receipt, verificationKey: VerificationKey): SolidityArguments {
  checkThing("receipt", receipt, "receipt")
  checkThing("verificationKey", verificationKey, "verificationKey")
  const { proofSystem } = verificationKey
  const digest = keyDigest(verificationKey)
  if (receipt.proofSystem !== proofSystem)
    throw new UsageError({
      what: "the key is for another proof system than the receipt",
      expected: receipt.proofSystem,
      given: proofSystem,
    })
  return verifierOf(proofSystem).solidity.argumentsOf(receipt, verificationKey, digest)
}

/** The words of a proof: eight of groth16, ten of mirage, 24 of plonk, and 23 of fflonk, without the inverse. */
export function solidityProof(proof: MirageProof): MirageProofWords
export function solidityProof(proof: Groth16Proof): Groth16ProofWords
export function solidityProof(proof: Receipt["proof"]): readonly bigint[]
export function solidityProof(given: Receipt["proof"]): readonly bigint[] {
  checkRecord(given, "proof", "the proof of a receipt")
  const verifier = verifierOfProof(given)
  return verifier.solidity.proofWords(verifier.parseProof(given, "proof"))
}

/** The argument of `registerKey` and `registerDevKey`: the key's canonical bytes in hexadecimal. */
export const solidityKey = (verificationKey: VerificationKey): Hex =>
  `0x${bytesToHex(encodeKey(verificationKey))}`

/** A call of a verifier contract. */
export interface SolidityCall<Args extends readonly unknown[] = readonly unknown[]> {
  /** Name and types, as a selector hashes them. */
  readonly function: string
  readonly args: Args
  /** Selector and arguments in ABI encoding: the `data` of a transaction. */
  readonly data: Hex
}

export interface CallOptions {
  /**
   * Accept a key that somebody can forge for, a development key or one that nobody contributed to: the call is then
   * the contract's entry for such keys.
   */
  readonly allowDev?: boolean
}

/**
 * The call that verifies a receipt on chain: `verifyInference`, or `verifyDevInference` for a key that somebody can forge for.
 * It says nothing about whether the receipt is valid.
 * @throws UsageError for such a key unless it is allowed, and as `toSolidityArguments`
 */
export function verificationCall(
  receipt: Receipt,
  verificationKey: VerificationKey,
  options: CallOptions = {},
): SolidityCall<SolidityArguments["args"]> {
  checkOptions(options)
  const given = toSolidityArguments(receipt, verificationKey)
  const name = checkDev(verificationKey, options) ? "verifyDevInference" : "verifyInference"
  const { types, parts } = verifierOf(given.proofSystem).solidity
  return call(`${name}(${types})`, given.args, parts(given))
}

/**
 * The call that registers a key: `registerKey`, or `registerDevKey` for a key that somebody can forge for.
 * @throws UsageError for such a key unless it is allowed; FileError on a malformed key
 */
export function registrationCall(
  verificationKey: VerificationKey,
  options: CallOptions = {},
): SolidityCall<readonly [blob: Hex]> {
  checkOptions(options)
  const blob = solidityKey(verificationKey)
  const { proofSystem } = verificationKey
  if (!verifierOf(proofSystem).solidity.registered)
    throw new UsageError({
      what: `keys of ${proofSystem} are registered nowhere: each has a contract of its own`,
      fix: "Write it with `solidityVerifier` of the main entry, or `countersign export solidity`",
    })
  const name = checkDev(verificationKey, options) ? "registerDevKey" : "registerKey"
  const words = blob.slice(2).match(/.{64}/g) as string[]
  const parts = [{ length: 32 * words.length, words: words.map((digits) => BigInt(`0x${digits}`)) }]
  return call(`${name}(bytes)`, [blob], parts)
}

/** Whether only entries for development keys take a key: somebody can forge for it. @throws UsageError if it must not be */
export function checkDev({ setup }: VerificationKey, { allowDev }: CallOptions): boolean {
  const distrusted = forgeable(setup)
  if (distrusted !== null && allowDev !== true)
    throw new UsageError({ what: distrusted, fix: "Accept it with option `allowDev`" })
  return distrusted !== null
}

const call = <Args extends readonly unknown[]>(
  signature: string,
  args: Args,
  parts: readonly AbiPart[],
): SolidityCall<Args> => ({ function: signature, args, data: encodeCall(signature, parts) })
