/**
 * Sign-offs: what others say of an attestation, each in a role, about a scope, and for a time. They are signatures to
 * show, not records to look up; only what somebody would rather not show (a rejection, a withdrawal) has to be asked for
 * where it is recorded. Whoever decides collects them and asks what is missing, as SignOffBook does on a chain.
 */
import { checkList, checkRecord } from "../arguments.js"
import { timeText, UsageError } from "../errors.js"
import type { Hex } from "../statement/strict.js"
import { describeDomain, readOr, sameDomain } from "./attestation.js"
import { attestationDigest, policyDigest, signOffDigest, withdrawalDigest } from "./digest.js"
import { claimOf, parseSignOff, parseWithdrawal } from "./read.js"
import { type Accounts, type ClaimSigner, signatureProblem, signClaim } from "./signature.js"
import {
  type Attestation,
  type Domain,
  decisions,
  type Policy,
  roleName,
  roles,
  type SignedSignOff,
  type SignedWithdrawal,
  type SignOff,
  type Withdrawal,
  zeroAddress,
} from "./structs.js"

/** Signs a sign-off. @throws UsageError if it names another signer, or ends before it begins */
export async function signSignOff(
  signOff: SignOff,
  domain: Domain,
  signer: ClaimSigner,
): Promise<SignedSignOff> {
  const { signed, validUntil } = signOff
  if (signed > validUntil)
    throw new UsageError({
      what: `the sign-off is valid until ${timeText(validUntil)}, and signed at ${timeText(signed)}`,
    })
  return parseSignOff(await signClaim("SignOff", signOff, domain, signer, signOff.signer))
}

/** Takes a sign-off back. @throws UsageError if another signer made it */
export async function signWithdrawal(
  signOff: SignedSignOff,
  withdrawn: number,
  signer: ClaimSigner,
): Promise<SignedWithdrawal> {
  const { domain } = signOff
  const withdrawal: Withdrawal = { signOff: signOffDigest(claimOf(signOff), domain), withdrawn }
  return parseWithdrawal(await signClaim("Withdrawal", withdrawal, domain, signer, signOff.signer))
}

/** Why a sign-off (an object, or JSON text) is not its signer's word in a domain at a time, or null. */
export async function explainSignOff(
  signOff: unknown,
  expected: { readonly domain: Domain; readonly at: number; readonly accounts?: Accounts },
): Promise<string | null> {
  const given = readOr(() => parseSignOff(signOff), "sign-off")
  if (typeof given === "string") return given
  const { domain, at, accounts } = expected
  if (!sameDomain(given.domain, domain))
    return `the sign-off is for ${describeDomain(given.domain)}, expected ${describeDomain(domain)}`
  if (given.signed > at) return `signed at ${timeText(given.signed)}, after ${timeText(at)}`
  if (given.validUntil < at) return `valid until ${timeText(given.validUntil)}, it is ${timeText(at)}`
  return await signatureProblem(
    signOffDigest(claimOf(given), domain),
    given.signature,
    given.signer,
    accounts,
  )
}

/** What is shown of an attestation's sign-offs, and when it is asked. */
export interface Shown {
  readonly domain: Domain
  /** Signed sign-offs (objects, or JSON texts); those about something else are passed over. */
  readonly signOffs: readonly unknown[]
  /** Signed withdrawals. */
  readonly withdrawals?: readonly unknown[]
  /** Seconds since 1970. */
  readonly at: number
  /** To ask contracts that sign. */
  readonly accounts?: Accounts
  /** Client of the request that was answered, if its escrow calls the answer final or proven: its silence is approval. */
  readonly client?: Hex | null
}

/** Whether everybody whom a policy names has approved an attestation; `signOffProblems` says who has not. */
export const isSignedOff = async (policy: Policy, attestation: Attestation, shown: Shown): Promise<boolean> =>
  (await signOffProblems(policy, attestation, shown)).length === 0

/**
 * Why an attestation is not signed off, a reason for each; none if it is. Everybody whom the policy names must have
 * approved in that role, with the policy as scope, for a time that is now, and not have withdrawn it; and nobody of them
 * may have rejected it so. The operator has approved by signing, which is for `explainAttestation`, and the client of a
 * final request by silence. Under a policy that
 * requires nobody and names no escrow nobody has signed off: there is nobody to answer but the operator.
 */
export async function signOffProblems(
  policy: Policy,
  attestation: Attestation,
  shown: Shown,
): Promise<readonly string[]> {
  checkRecord(shown, "shown", "an object with `domain`, `signOffs` and `at`")
  checkList(shown.signOffs, "shown.signOffs")
  const { domain, signOffs, withdrawals = [], at } = shown
  const scope = policyDigest(policy)
  const reasons =
    attestation.policy === scope ? [] : [`it was made under policy ${attestation.policy}, not ${scope}`]
  const about = attestationDigest(attestation, domain)
  const standing: SignedSignOff[] = []
  for (const given of signOffs) {
    const signOff = readOr(() => parseSignOff(given), "sign-off")
    if (typeof signOff === "string") reasons.push(signOff)
    else if (signOff.attestation === about) {
      const problem = await explainSignOff(signOff, shown)
      if (problem !== null) reasons.push(`sign-off of ${signOff.signer}: ${problem}`)
      else if (await isWithdrawn(signOff, withdrawals, shown))
        reasons.push(`sign-off of ${signOff.signer}: withdrawn`)
      else standing.push(signOff)
    }
  }
  const isNobody = policy.signOffs.length === 0 && policy.escrow === zeroAddress
  const unmet = policy.signOffs.flatMap(({ role, signer }) => {
    const said = standing.filter((x) => x.signer === signer && x.role === role && x.scope === scope)
    const who = `${roleName(role)} ${signer}`
    if (said.some(({ decision }) => decision === decisions.reject)) return [`${who} has rejected it`]
    const implied =
      (role === roles.operator && signer === attestation.operator) ||
      (role === roles.client && signer === shown.client)
    if (implied || said.some(({ decision }) => decision === decisions.approve)) return []
    return [`${who} has not approved it at ${timeText(at)}`]
  })
  if (isNobody) unmet.push("the policy requires nobody, and names no escrow")
  // what is wrong with single sign-offs matters only where somebody's approval is missing
  return unmet.length === 0 && attestation.policy === scope ? [] : [...reasons, ...unmet]
}

async function isWithdrawn(
  signOff: SignedSignOff,
  withdrawals: readonly unknown[],
  shown: Shown,
): Promise<boolean> {
  const digest: Hex = signOffDigest(claimOf(signOff), shown.domain)
  for (const given of withdrawals) {
    const withdrawal = readOr(() => parseWithdrawal(given), "withdrawal")
    if (typeof withdrawal === "string" || withdrawal.signOff !== digest) continue
    const { signature } = withdrawal
    const hash = withdrawalDigest(claimOf(withdrawal), shown.domain)
    // without a time limit: what was taken back stays so
    if ((await signatureProblem(hash, signature, signOff.signer, shown.accounts)) === null) return true
  }
  return false
}
