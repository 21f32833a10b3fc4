/**
 * Where an attestation stands on its chain: what somebody has to know who wants to act on it. It is asked for without the
 * terms, so of what they say (the registry, the stake) nothing is known here.
 */
import { ZeroAddress } from "ethers"
import { sameDomain } from "../attest/attestation.js"
import { attestationDigest, claimOf, type SignedAttestation, zeroDigest } from "../attest/index.js"
import type { Hex } from "../statement/strict.js"
import { type Contracts, chainTime } from "./contracts.js"
import { onChain } from "./errors.js"
import { stateOf } from "./escrow.js"
import type { State } from "./states.js"

export interface Situation {
  /** Seconds since 1970 of the latest block. */
  readonly now: number
  /** Who filed a contradiction of it first, or null. */
  readonly frozenBy: Hex | null
  /** State of the request that it answers; null if it answers none, or another attestation was delivered for that. */
  readonly state: State | null
  /** The last second for what has to happen next. */
  readonly deadline: number
  readonly challenger: Hex | null
  /** Whether its model was recalled; null where no id was given. */
  readonly recalled: boolean | null
}

const some = (address: string): Hex | null =>
  address === ZeroAddress ? null : (address.toLowerCase() as Hex)

/**
 * Where an attestation stands; null if it is of another chain or contract.
 * @param modelId its model's id at the deployment's registry, if it has one
 * @throws ChainError
 */
export async function situationOf(
  contracts: Contracts,
  attestation: SignedAttestation,
  modelId: Hex | null = null,
): Promise<Situation | null> {
  if (!sameDomain(attestation.domain, contracts.domain)) return null
  const { SignOffBook, ModelRegistry } = contracts.at
  const claim = claimOf(attestation)
  const digest = attestationDigest(claim, contracts.domain)
  const found = claim.request === zeroDigest ? null : await stateOf(contracts, claim.request)
  const isDelivered = found?.attestation === digest
  return {
    now: await chainTime(contracts),
    frozenBy: some(await onChain("equivocation", () => SignOffBook.frozenBy(digest))),
    state: found && (isDelivered || found.state === "Requested") ? found.state : null,
    deadline: found?.deadline ?? 0,
    challenger: isDelivered && found ? some(found.challenger) : null,
    recalled:
      modelId === null ? null : await onChain("registry", () => ModelRegistry.isRecalled(BigInt(modelId))),
  }
}
