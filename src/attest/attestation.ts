/**
 * Attestations: the operator's signed claim that a model gave this output for this input, made in milliseconds and
 * without a proof or a chain. A proof can be had later, and belongs to one attestation alone: its context is the
 * attestation's digest, which covers operator, request, policy, chain and contract. Copying either gains nothing.
 *
 * An attestation is no proof. It says who answers for the claim; what a proof says, the receipt says.
 */
import { checkRecord, checkThing } from "../arguments.js"
import { FileError, printable, timeText, UsageError } from "../errors.js"
import type { Statement } from "../statement/statement.js"
import type { Hex } from "../statement/strict.js"
import type { Receipt, VerificationKey } from "../systems/verifiers.js"
import { keyDigest, parseVerificationKey } from "../verifier/key.js"
import { parseReceipt } from "../verifier/receipt.js"
import { explain } from "../verifier/verify.js"
import { attestationDigest, layoutDigest, sideDigests } from "./digest.js"
import { claimOf, parseAttestation } from "./read.js"
import { type Accounts, type ClaimSigner, signatureProblem, signClaim, toAddress } from "./signature.js"
import { type Attestation, type Domain, type SignedAttestation, zeroDigest } from "./structs.js"

/** What an attestation says beside the execution. */
export interface AttestationFacts {
  /** An address, in any spelling. */
  readonly operator: string
  readonly policy: Hex
  /** Default: zero, nothing. */
  readonly evidence?: Hex
  /** Default: zero, no request. */
  readonly request?: Hex
  readonly started: number
  readonly issued: number
  readonly validUntil: number
}

/** An execution: what the model said (`execute`, or a receipt's statement; its context means nothing here). */
export interface Execution {
  readonly statement: Statement
  /** The key that proofs of it verify under. */
  readonly verificationKey: VerificationKey
}

/**
 * The attestation of an execution, unsigned.
 * @throws UsageError for a statement that does not fit the key, and times that make no sense
 */
export function attest({ statement, verificationKey }: Execution, facts: AttestationFacts): Attestation {
  checkThing("statement", statement, "execution.statement")
  checkThing("verificationKey", verificationKey, "execution.verificationKey")
  checkRecord(facts, "facts")
  const { policy, evidence = zeroDigest, request = zeroDigest, started, issued, validUntil } = facts
  const operator = toAddress(facts.operator)
  const sides = claimedBy(statement, verificationKey)
  const attestation = { ...sides, policy, evidence, operator, request, started, issued, validUntil }
  const problem = timeProblem(attestation)
  if (problem !== null) throw new UsageError({ what: problem })
  // what cannot be read again must not be signed
  const { domain, signature, ...checked } = parseAttestation({
    ...attestation,
    domain: "offline",
    signature: "0x00",
  })
  return checked
}

/** The digests that follow from a statement and its key. @throws UsageError if they do not fit each other */
function claimedBy(statement: Statement, verificationKey: VerificationKey) {
  const { model, layout } = parseVerificationKey(verificationKey)
  if (statement.model !== model)
    throw new UsageError({
      what: "the statement is another model's",
      expected: model,
      given: statement.model,
    })
  const { input, output } = sideDigests(statement, layout)
  return { model, key: keyDigest(verificationKey), layout: layoutDigest(layout), input, output }
}

const timeProblem = ({ started, issued, validUntil }: Attestation): string | null => {
  if (started > issued)
    return `it was issued at ${timeText(issued)}, before the inference began at ${timeText(started)}`
  return issued > validUntil
    ? `it was valid until ${timeText(validUntil)}, and issued at ${timeText(issued)}`
    : null
}

/** Signs an attestation. @throws UsageError if the signer is not its operator; whatever the signer throws */
export const signAttestation = (
  attestation: Attestation,
  domain: Domain,
  signer: ClaimSigner,
): Promise<SignedAttestation> => signClaim("Attestation", attestation, domain, signer, attestation.operator)

/** What an attestation is checked against; all of it comes from the caller. */
export interface ExpectedAttestation {
  readonly domain: Domain
  /** Who must have signed: an address, in any spelling. */
  readonly operator: string
  /** The key that a proof of it would verify under: fixes model and layout. */
  readonly verificationKey: VerificationKey
  /** What it must be about: the statement that came with it. Its words must have the attestation's digests. */
  readonly statement: Statement
  readonly policy: Hex
  /** The request it must answer. */
  readonly request: Hex
  /** Seconds since 1970 at which it must be valid. */
  readonly at: number
  /** To ask contracts that sign; without it an operator must be an account. */
  readonly accounts?: Accounts
}

/** Whether a signed attestation (an object, or JSON text) is what is expected; `explainAttestation` says why not. */
export const verifyAttestation = async (
  attestation: unknown,
  expected: ExpectedAttestation,
): Promise<boolean> => (await explainAttestation(attestation, expected)) === null

/**
 * Null for a signed attestation (an object, or JSON text) that is what is expected, else the first reason why not.
 * It says nothing of sign-offs, escrow or recall, and proves nothing.
 * @throws UsageError for a malformed expectation; what `accounts` throw when their chain cannot be asked
 */
export async function explainAttestation(
  attestation: unknown,
  expected: ExpectedAttestation,
): Promise<string | null> {
  checkRecord(expected, "expected", "an object with `domain`, `operator`, `verificationKey` …")
  const given = readOr(() => parseAttestation(attestation), "attestation")
  if (typeof given === "string") return given
  const { policy, request, at, domain, accounts } = expected
  const operator = toAddress(expected.operator)
  const claim = claimOf(given)
  const differs =
    statementProblem(expected.statement, claim, expected.verificationKey) ??
    difference(claim, { policy, request, operator })
  if (differs !== null) return differs
  if (!sameDomain(given.domain, domain))
    return `the attestation is for ${describeDomain(given.domain)}, expected ${describeDomain(domain)}`
  const times = timeProblem(claim)
  if (times !== null) return times
  if (at < given.issued) return `it was issued at ${timeText(given.issued)}, after ${timeText(at)}`
  if (at > given.validUntil) return `it was valid until ${timeText(given.validUntil)}, it is ${timeText(at)}`
  return await signatureProblem(attestationDigest(claim, domain), given.signature, operator, accounts)
}

function difference(given: Attestation, expected: Partial<Attestation>): string | null {
  for (const [name, value] of Object.entries(expected)) {
    const has = given[name as keyof Attestation]
    if (has !== value) return `its ${name} is ${has}, expected ${value}`
  }
  return null
}

/** What reads, or why it cannot. */
export function readOr<T>(read: () => T, what: string): T | string {
  try {
    return read()
  } catch (error) {
    return printable(
      `malformed ${what}: ${error instanceof FileError ? error.message : "its fields cannot be read"}`,
    )
  }
}

export const sameDomain = (a: Domain, b: Domain): boolean =>
  a === "offline" || b === "offline"
    ? a === b
    : a.chainId === b.chainId && a.verifyingContract === b.verifyingContract

export const describeDomain = (domain: Domain): string =>
  domain === "offline"
    ? "use without a chain"
    : `chain ${domain.chainId}, contract ${domain.verifyingContract}`

/**
 * Why a statement is not what an attestation claims, or null: model, key and layout are the same, and its words have the
 * digests. Its context is not looked at.
 */
export function statementProblem(
  statement: Statement,
  attestation: Attestation,
  verificationKey: VerificationKey,
): string | null {
  try {
    return difference(attestation, claimedBy(statement, verificationKey))
  } catch (error) {
    // of another model, or not of the key's layout
    if (error instanceof UsageError) return error.message
    throw error
  }
}

/**
 * Why a receipt (an object, or JSON text) is not about what an attestation claims, or null: its context is the
 * attestation's digest, and its statement is what was claimed. Everything but the proof.
 */
export function relationProblem(
  receipt: unknown,
  attestation: Attestation,
  verificationKey: VerificationKey,
  domain: Domain,
): string | null {
  const given = readOr((): Receipt => parseReceipt(receipt), "receipt")
  if (typeof given === "string") return given
  const context = attestationDigest(attestation, domain)
  return given.statement.context === context
    ? statementProblem(given.statement, attestation, verificationKey)
    : `the receipt is for context ${given.statement.context}, the attestation's digest is ${context}`
}

/**
 * Null if a receipt (an object, or JSON text) proves what an attestation claims, else the first reason why not. Whose
 * the attestation is, and whether it is valid, is for `explainAttestation` to say. Receipts of plonk and fflonk take
 * `relationProblem` and, for the proof, `explainReceipt` of the main entry.
 * @param options `allowDev`: accept a key that somebody can forge for
 * @throws as `verify`
 */
export function proves(
  receipt: unknown,
  attestation: Attestation,
  verificationKey: VerificationKey,
  domain: Domain,
  options: { readonly allowDev?: boolean } = {},
): string | null {
  const problem = relationProblem(receipt, attestation, verificationKey, domain)
  if (problem !== null) return problem
  const { allowDev = false } = options
  const { model } = verificationKey
  const context = attestationDigest(attestation, domain)
  return explain(receipt, { verificationKey, model, context, allowDev })
}
