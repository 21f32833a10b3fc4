/**
 * Whether a claim may be acted on, as the book says it: signatures of contracts, withdrawals, recorded rejections,
 * contradictions, recalls and the ends of requests are seen on the chain alone. What is decided here is only which of the
 * sign-offs at hand to show for which requirement.
 */
import type { Contract } from "ethers"
import {
  type Attestation,
  attestationDigest,
  claimOf,
  decisions,
  explainSignOff,
  type Policy,
  parseSignOff,
  policyDigest,
  type SignedAttestation,
  type SignedSignOff,
  signOffDigest,
  zeroAddress,
  zeroDigest,
} from "../attest/index.js"
import { FileError, timeText } from "../errors.js"
import type { Layout } from "../statement/layout.js"
import type { Statement } from "../statement/statement.js"
import type { Hex } from "../statement/strict.js"
import { outputWordCount, wordsOf } from "../statement/words.js"
import { type Contracts, chainTime } from "./contracts.js"
import { ChainError, describeRevert, onChain } from "./errors.js"

/** An attestation with all that `isActionable` of the book looks at. */
export interface Claimed {
  readonly attestation: SignedAttestation
  readonly policy: Policy
  /** What was attested, for the layout of its key. */
  readonly statement: Statement
  readonly layout: Layout
  /** Signed sign-offs (objects, or JSON texts); those that meet no requirement are passed over. */
  readonly signOffs: readonly unknown[]
}

/**
 * Why contracts that ask the book do not act on a claim, as the latest block has it; null if they do.
 * @throws ChainError (`unreachable`) if the endpoint gives no verdict
 */
export async function actionableProblem(contracts: Contracts, claimed: Claimed): Promise<string | null> {
  const { attestation, policy, statement, layout } = claimed
  const digest = policyDigest(policy)
  const shown = await chosen(contracts, claimed)
  const claim = {
    attestation: claimOf(attestation),
    signature: attestation.signature,
    policy,
    words: wordsOf(statement, layout),
    outputs: outputWordCount(layout),
    signOffs: shown.map((signOff) => (signOff === null ? nothing : claimOf(signOff))),
    signatures: shown.map((signOff) => signOff?.signature ?? "0x"),
  }
  try {
    const [, reason] = (await onChain("book", () =>
      contracts.at.SignOffBook.isActionable(digest, claim),
    )) as [boolean, string]
    if (reason === ofModel) return await modelProblem(contracts, claimed)
    return reason === "" ? null : reason
  } catch (error) {
    // whoever asks the book in a transaction is refused as well
    if (error instanceof ChainError && error.problem === "refused")
      return error.revert === null ? error.message : describeRevert(error.revert).what
    throw error
  }
}

/**
 * The client of the request that an attestation answers, if the escrow calls the answer final or proven; else null.
 * @throws ChainError
 */
export async function finalClient({ at, domain }: Contracts, attestation: Attestation): Promise<Hex | null> {
  const digest = attestationDigest(attestation, domain)
  return await onChain("escrow", async () => {
    if (!(await at.Escrow.isFinal(attestation.request, digest))) return null
    const { client } = await at.Escrow.requestOf(attestation.request)
    return client.toLowerCase()
  })
}

/** In the place of a sign-off that nobody gave. */
const nothing = {
  attestation: zeroDigest,
  role: 0,
  decision: 0,
  scope: zeroDigest,
  signer: zeroAddress,
  signed: 0,
  validUntil: 0,
}

/** The reason that has several. */
const ofModel = "not the policy's model, or recalled"

/** For each requirement the first sign-off that meets it now, or else one that would at another time, or null. */
async function chosen(
  contracts: Contracts,
  { attestation, policy, signOffs }: Claimed,
): Promise<readonly (SignedSignOff | null)[]> {
  const { domain, provider, at: on } = contracts
  const at = await chainTime(contracts)
  const scope = policyDigest(policy)
  const about = attestationDigest(claimOf(attestation), domain)
  const given = signOffs.flatMap(readable)
  const holds = async (signOff: SignedSignOff): Promise<boolean> =>
    (await explainSignOff(signOff, { domain, at, accounts: provider })) === null &&
    !(await onChain("book", () => on.SignOffBook.isWithdrawn(signOffDigest(claimOf(signOff), domain))))
  return await Promise.all(
    policy.signOffs.map(async ({ role, signer }) => {
      const meant = given.filter(
        (x) =>
          x.role === role &&
          x.signer === signer &&
          x.scope === scope &&
          x.decision === decisions.approve &&
          x.attestation === about,
      )
      for (const signOff of meant) if (await holds(signOff)) return signOff
      return meant[0] ?? null
    }),
  )
}

function readable(given: unknown): SignedSignOff[] {
  try {
    return [parseSignOff(given)]
  } catch (error) {
    if (error instanceof FileError) return []
    throw error
  }
}

/** Which of its reasons it is that the model is not the policy's. */
async function modelProblem(contracts: Contracts, { policy }: Claimed): Promise<string> {
  if (policy.registry === zeroAddress)
    return "the policy names no registry, where the model could be recalled"
  const registry = contracts.at.ModelRegistry.attach(policy.registry) as Contract
  const recalledAt: bigint = await onChain("registry", () => registry.recalledAt(policy.modelId))
  return recalledAt === 0n
    ? "the registry has another model or key under the policy's id"
    : `the model was recalled at ${timeText(recalledAt)}`
}
