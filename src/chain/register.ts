/**
 * What stands on a chain beside requests: keys that proofs verify under, models and their recalls, sign-offs that should
 * be seen, contradictions of operators, and roots of logs.
 */
import { utf8ToBytes } from "@noble/hashes/utils.js"
import { id as hashOfText, type Signer } from "ethers"
import {
  attestationDigest,
  claimOf,
  parseAttestation,
  parseSignOff,
  parseWithdrawal,
  signOffDigest,
} from "../attest/index.js"
import { UsageError } from "../errors.js"
import { inputVisibility, layoutJson, outputVisibility } from "../statement/layout.js"
import type { Hex } from "../statement/strict.js"
import type { VerificationKey } from "../systems/verifiers.js"
import { keyDigest } from "../verifier/key.js"
import { checkDev, solidityKey } from "../verifier/solidity.js"
import type { Contracts } from "./contracts.js"
import { onChain } from "./errors.js"
import { type Plan, plan } from "./plan.js"

/** Whether a key is registered. */
export const isRegistered = async (contracts: Contracts, key: Hex): Promise<boolean> =>
  await onChain("key", () => contracts.at.CountersignVerifier.isRegistered(key))

/** Registers a key, for ever. By anybody; escrows take it only if nobody can forge under it. */
export async function planRegisterKey(
  contracts: Contracts,
  signer: Signer,
  verificationKey: VerificationKey,
  options: { readonly allowDev?: boolean } = {},
): Promise<Plan & { readonly key: Hex }> {
  if (verificationKey.proofSystem !== "mirage")
    throw new UsageError({
      what: "escrows take keys of one proof system",
      expected: "mirage",
      given: verificationKey.proofSystem,
    })
  const method = checkDev(verificationKey, options) ? "registerDevKey" : "registerKey"
  const planned = await plan(contracts, signer, {
    action: "registration of a key",
    contract: "CountersignVerifier",
    method,
    args: [solidityKey(verificationKey)],
  })
  return { ...planned, key: keyDigest(verificationKey) }
}

/** How a registry holds a model under a key. */
export interface ModelCommitment {
  readonly modelHash: Hex
  /** Digest of the circuit; no contract looks at it. */
  readonly circuitHash: Hex
  readonly vkHash: Hex
  readonly proofSystemId: Hex
  /** Where a model card is. */
  readonly uri: string
}

/** The commitment to a model and its key. */
export const commitmentOf = (verificationKey: VerificationKey, uri: string): ModelCommitment => ({
  modelHash: verificationKey.model,
  circuitHash: `0x${"0".repeat(64)}`,
  vkHash: keyDigest(verificationKey),
  proofSystemId: hashOfText("countersign-mirage-bn254-v1").slice(0, 10) as Hex,
  uri,
})

const bytes32Of = (value: bigint): Hex => `0x${value.toString(16).padStart(64, "0")}`

/** Registers a model as the signer's, who alone can recall it. */
export async function planRegisterModel(
  contracts: Contracts,
  signer: Signer,
  commitment: ModelCommitment,
): Promise<Plan & { readonly modelId: Hex }> {
  const action = "registration of a model"
  const owner = await signer.getAddress()
  const id = await onChain(action, () => contracts.at.ModelRegistry.modelIdOf(owner, commitment))
  const planned = await plan(contracts, signer, {
    action,
    contract: "ModelRegistry",
    method: "registerModel",
    args: [commitment],
  })
  return { ...planned, modelId: bytes32Of(id) }
}

/** Recalls a model, for ever. By its owner. */
export const planRecall = (contracts: Contracts, signer: Signer, modelId: Hex): Promise<Plan> =>
  plan(contracts, signer, {
    action: "recall",
    contract: "ModelRegistry",
    method: "deprecateModel",
    args: [modelId],
  })

/**
 * Files that an operator signed two outputs for one input: both attestations are frozen. By anybody, for keys that show
 * outputs and do not hide inputs: else two claims of one honest operator may look like a contradiction.
 */
export async function planEquivocation(
  contracts: Contracts,
  signer: Signer,
  first: unknown,
  second: unknown,
  verificationKey: VerificationKey,
): Promise<Plan & { readonly attestations: readonly [Hex, Hex] }> {
  const [a, b] = [parseAttestation(first), parseAttestation(second)]
  const claims = [claimOf(a), claimOf(b)]
  for (const name of ["operator", "model", "key", "input", "policy"] as const)
    if (a[name] !== b[name])
      throw new UsageError({
        what: `the attestations do not contradict each other: their \`${name}\` differs`,
        expected: a[name],
        given: b[name],
      })
  if (a.output === b.output)
    throw new UsageError({ what: "the attestations do not contradict each other: they say the same output" })
  const key = keyDigest(verificationKey)
  if (key !== a.key)
    throw new UsageError({ what: "the key is not that of the attestations", expected: a.key, given: key })
  const { layout } = verificationKey
  if (outputVisibility(layout) !== "public" || inputVisibility(layout) === "hidden")
    throw new UsageError({
      what: "under this key nobody sees whether two attestations contradict each other",
      expected: "public outputs, and inputs that are not hidden",
    })
  const planned = await plan(contracts, signer, {
    action: "equivocation",
    contract: "SignOffBook",
    method: "fileEquivocation",
    args: [claims[0], a.signature, claims[1], b.signature, utf8ToBytes(layoutJson(layout))],
  })
  const [one, other] = claims.map((claim) => attestationDigest(claim, contracts.domain))
  return { ...planned, attestations: [one, other] }
}

/**
 * Shows a sign-off to everybody, or with a withdrawal that it was taken back, for ever. By anybody who has them.
 * @throws UsageError for a withdrawal of another sign-off
 */
export async function planRecord(
  contracts: Contracts,
  signer: Signer,
  signOff: unknown,
  withdrawal?: unknown,
): Promise<Plan & { readonly digest: Hex }> {
  const given = parseSignOff(signOff)
  const claim = claimOf(given)
  const digest = signOffDigest(claim, contracts.domain)
  const book = { contract: "SignOffBook" } as const
  if (withdrawal === undefined) {
    const args = [claim, given.signature]
    return {
      ...(await plan(contracts, signer, { ...book, action: "record", method: "record", args })),
      digest,
    }
  }
  const taken = parseWithdrawal(withdrawal)
  if (taken.signOff !== digest)
    throw new UsageError({
      what: "the withdrawal is of another sign-off, or for another chain",
      expected: digest,
      given: taken.signOff,
    })
  const args = [claim, taken.withdrawn, taken.signature]
  const call = { ...book, action: "withdrawal of a sign-off", method: "withdrawBySignature", args }
  return { ...(await plan(contracts, signer, call)), digest }
}

/** Entries of the last root that an account anchored of a log; zero for none. */
export const anchoredSize = async (contracts: Contracts, sender: Hex, log: Hex): Promise<bigint> =>
  await onChain("log", () => contracts.at.SignOffBook.anchoredSize(sender, log))

/** Anchors the root of a log of the signer's: larger than any before. */
export const planAnchor = (
  contracts: Contracts,
  signer: Signer,
  { log, size, root }: { readonly log: Hex; readonly size: number; readonly root: Hex },
): Promise<Plan> =>
  plan(contracts, signer, {
    action: "anchor",
    contract: "SignOffBook",
    method: "anchor",
    args: [log, size, root],
  })
