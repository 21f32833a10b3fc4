/**
 * The life of a request, step by step: each function looks at the chain and at what it was given, says why a step cannot
 * be made, and gives a plan of it otherwise. What a contract would find out is found out here first, without paying for
 * it: whose turn it is, deadlines, whether the attestation fits the terms, whether the proof verifies.
 */
import { type Contract, type EventLog, type Signer, ZeroAddress } from "ethers"
import { describeDomain, sameDomain } from "../attest/attestation.js"
import {
  type Attestation,
  attestationDigest,
  claimOf,
  parseAttestation,
  proves,
  type SignedAttestation,
  signatureProblem,
} from "../attest/index.js"
import { timeText, UsageError } from "../errors.js"
import { layoutJson, outputVisibility } from "../statement/layout.js"
import type { Hex } from "../statement/strict.js"
import type { Receipt, VerificationKey } from "../systems/verifiers.js"
import { keyDigest } from "../verifier/key.js"
import { parseReceipt } from "../verifier/receipt.js"
import { toSolidityArguments } from "../verifier/solidity.js"
import { explain } from "../verifier/verify.js"
import { type Contracts, chainTime } from "./contracts.js"
import { asChainError, ChainError, onChain } from "./errors.js"
import { type Plan, plan } from "./plan.js"
import { type End, type Payee, payouts, type State, stateName } from "./states.js"
import { amountsOf, checkPlace, duesOf, type EscrowRequest, parseRequest } from "./terms.js"

/** What a chain says of a request. */
export interface RequestState {
  readonly state: State
  /** The last second for what has to happen next, in seconds since 1970. */
  readonly deadline: number
  /** Digest of what was delivered, or zero. */
  readonly attestation: Hex
  /** Who challenged, or zero. */
  readonly challenger: Hex
}

/** A plan for a request, and what can become of it. */
export interface Step extends Plan {
  readonly id: Hex
  /** What each end that is possible from then on pays to whom. */
  readonly ends: readonly Ending[]
}

export interface Ending {
  readonly end: End
  readonly pays: Readonly<Partial<Record<Payee, bigint>>>
}

export interface PayOptions {
  /** What is sent in all, of a token that keeps a fee; default: what is due. What arrives beyond that becomes a credit. */
  readonly gross?: bigint
  /** Allow the escrow to take the tokens, if it may not yet. */
  readonly approve?: boolean
}

const lower = (address: string): Hex => address.toLowerCase() as Hex
const escrowOf = (contracts: Contracts): Contract => contracts.at.Escrow
const place = (contracts: Contracts): [number, Hex] => [
  contracts.deployment.chainId,
  contracts.deployment.contracts.Escrow,
]

/** What the chain says of a request. @throws ChainError */
export async function stateOf(contracts: Contracts, id: Hex): Promise<RequestState> {
  const found = await onChain("request", () => escrowOf(contracts).requestOf(id))
  return {
    state: stateName(found.state),
    deadline: Number(found.deadline),
    attestation: found.attestation,
    challenger: lower(found.challenger),
  }
}

/**
 * What was delivered for a request, from the log of the chain; null if nothing was.
 * @param fromBlock where to begin to look; endpoints limit how far that may be
 */
export async function deliveredFor(
  contracts: Contracts,
  id: Hex,
  fromBlock = 0,
): Promise<{ readonly attestation: Attestation; readonly signature: Hex; readonly block: number } | null> {
  const escrow = escrowOf(contracts)
  const events = await onChain("delivery", () => escrow.queryFilter(escrow.filters.Delivered(id), fromBlock))
  const event = events.at(-1) as EventLog | undefined
  if (event === undefined) return null
  const given = event.args.getValue("attestation").toObject()
  const attestation = Object.fromEntries(
    Object.entries(given).map(([name, value]) => [
      name,
      typeof value === "bigint" ? Number(value) : lower(value as string),
    ]),
  ) as unknown as Attestation
  return { attestation, signature: event.args.getValue("signature"), block: event.blockNumber }
}

/** What was delivered for a request, signed, from the log of the chain. @throws ChainError if the log has nothing */
export async function deliveredAttestation(contracts: Contracts, id: Hex): Promise<SignedAttestation> {
  const found = await deliveredFor(contracts, id)
  if (found === null)
    throw new ChainError("refused", {
      what: "the endpoint has no log of the delivery",
      where: `request ${id}`,
      fix: "Give the attestation with option `attestation`",
    })
  return { ...found.attestation, domain: contracts.domain, signature: found.signature }
}

/** The request, of this chain and escrow, and its state; @throws ChainError unless it is in one of these */
async function find(contracts: Contracts, given: EscrowRequest, action: string, ...wanted: readonly State[]) {
  const request = parseRequest(given)
  checkPlace(request, ...place(contracts))
  const [found, now] = [await stateOf(contracts, request.id), await chainTime(contracts)]
  if (!wanted.includes(found.state))
    throw new ChainError("refused", {
      where: action,
      what: `the request is ${inWords[found.state]}`,
      expected: wanted.map((state) => inWords[state]).join(" or "),
    })
  return { request, found, now }
}

const inWords: Readonly<Record<State, string>> = {
  None: "not on this chain",
  Requested: "waiting for a delivery",
  Delivered: "delivered, and open to challenges",
  Challenged: "challenged, and waiting for a proof",
  Expired: "over: nothing was delivered in time",
  Unchallenged: "over: nobody challenged the answer",
  Proven: "over: the answer was proven",
  Silent: "over: the challenge was not answered",
  Convicted: "over: another output was proven",
  Equivocated: "over: the operator contradicted itself",
  Recalled: "over: the model was recalled",
}

const tooLate = (action: string, deadline: number, now: number): ChainError =>
  new ChainError("refused", {
    where: action,
    what: "the deadline has passed",
    expected: `until ${timeText(deadline)}`,
    given: timeText(now),
  })

function checkParty(action: string, party: Hex, account: string): void {
  if (party !== lower(account))
    throw new ChainError("refused", {
      where: action,
      what: "the terms give this to somebody else",
      expected: party,
      given: lower(account),
    })
}

const endings = (request: EscrowRequest, challenged: boolean, ...ends: readonly End[]): readonly Ending[] =>
  ends.map((end) => ({ end, pays: payouts(end, amountsOf(request.terms), { challenged }) }))

/** Locks the price of a request. By its client. */
export async function planRequest(
  contracts: Contracts,
  signer: Signer,
  given: EscrowRequest,
  options: PayOptions = {},
): Promise<Step> {
  const action = "request"
  const { request } = await find(contracts, given, action, "None")
  const { terms, id } = request
  checkParty(action, terms.client, await signer.getAddress())
  const gross = options.gross ?? duesOf(terms).request
  const pays = { token: terms.token, amount: gross }
  const planned = await plan(contracts, signer, {
    action,
    contract: "Escrow",
    method: "request",
    args: [terms, gross],
    pays,
    ...approveOf(options),
  })
  return { ...planned, id, ends: endings(request, false, "Expired", "Unchallenged", "Proven", "Silent") }
}

const approveOf = ({ approve }: PayOptions) => (approve === undefined ? {} : { approve })

/** Delivers a signed attestation, with the bond. By the operator. */
export async function planDeliver(
  contracts: Contracts,
  signer: Signer,
  given: EscrowRequest,
  attestation: unknown,
  options: PayOptions = {},
): Promise<Step> {
  const action = "deliver"
  const signed = parseAttestation(attestation)
  const { request, found, now } = await find(contracts, given, action, "Requested")
  const { terms, id } = request
  checkParty(action, terms.operator, await signer.getAddress())
  if (now > found.deadline) throw tooLate(action, found.deadline, now)
  const claim = claimOf(signed)
  checkFits(claim, request, now)
  if (!sameDomain(signed.domain, contracts.domain))
    throw new UsageError({
      what: "the attestation is signed for another place",
      expected: describeDomain(contracts.domain),
      given: describeDomain(signed.domain),
    })
  const digest = attestationDigest(claim, contracts.domain)
  const problem = await signatureProblem(digest, signed.signature, terms.operator, contracts.provider)
  if (problem !== null) throw new UsageError({ what: problem, where: "attestation" })
  const gross = options.gross ?? duesOf(terms).deliver
  const planned = await plan(contracts, signer, {
    action,
    contract: "Escrow",
    method: "deliver",
    args: [terms, claim, signed.signature, gross],
    pays: { token: terms.token, amount: gross },
    ...approveOf(options),
  })
  return { ...planned, id, ends: endings(request, false, "Unchallenged", "Proven", "Silent", "Convicted") }
}

/** Whether an attestation answers a request, by every field that both have. @throws UsageError */
function checkFits(claim: Attestation, { terms, id }: EscrowRequest, now: number): void {
  const expected = { ...claim, request: id }
  for (const name of ["model", "key", "layout", "input", "policy", "operator"] as const)
    expected[name] = terms[name]
  for (const name of Object.keys(expected) as (keyof Attestation)[])
    if (claim[name] !== expected[name])
      throw new UsageError({
        what: `the attestation does not fit the terms: its \`${name}\` is another`,
        expected: `${expected[name]}`,
        given: `${claim[name]}`,
        ...(name === "request" ? { fix: "Attest for this request: `countersign attest --request`" } : {}),
      })
  if (claim.validUntil < now + terms.challengeWindow)
    throw new UsageError({
      what: "the attestation ends before its challenge window does",
      expected: `valid until ${timeText(now + terms.challengeWindow)} or later`,
      given: timeText(claim.validUntil),
    })
}

/** Demands the proof of what was delivered, with a stake. By anybody. */
export async function planChallenge(
  contracts: Contracts,
  signer: Signer,
  given: EscrowRequest,
  options: PayOptions = {},
): Promise<Step> {
  const action = "challenge"
  const { request, found, now } = await find(contracts, given, action, "Delivered")
  if (now > found.deadline) throw tooLate(action, found.deadline, now)
  const { terms, id } = request
  const gross = options.gross ?? duesOf(terms).challenge
  const planned = await plan(contracts, signer, {
    action,
    contract: "Escrow",
    method: "challenge",
    args: [terms, gross],
    pays: { token: terms.token, amount: gross },
    ...approveOf(options),
  })
  return { ...planned, id, ends: endings(request, true, "Proven", "Silent", "Convicted") }
}

/** A receipt, and the key that it verifies under. */
export interface Proof {
  readonly receipt: unknown
  readonly verificationKey: VerificationKey
}

/** The attestation that was delivered: the one given, or the one in the chain's log. @throws UsageError, ChainError */
async function deliveredClaim(
  contracts: Contracts,
  id: Hex,
  digest: Hex,
  given: Attestation | undefined,
): Promise<Attestation> {
  const claim = given ?? claimOf(await deliveredAttestation(contracts, id))
  const found = attestationDigest(claim, contracts.domain)
  if (found !== digest)
    throw new UsageError({
      what: "the attestation is not the one that was delivered",
      expected: digest,
      given: found,
    })
  return claim
}

/** The words and the proof of a receipt, of which everything but the proof was looked at before. */
function wordsAndProof(receipt: unknown, { terms }: EscrowRequest, verificationKey: VerificationKey) {
  const digest = keyDigest(verificationKey)
  if (digest !== terms.key)
    throw new UsageError({ what: "the key is not that of the terms", expected: terms.key, given: digest })
  const parsed: Receipt = parseReceipt(receipt)
  if (parsed.proofSystem !== "mirage" || verificationKey.proofSystem !== "mirage")
    throw new UsageError({
      what: "escrows take receipts of one proof system",
      expected: "mirage",
      given: parsed.proofSystem,
    })
  const { words, proof } = toSolidityArguments(parsed, verificationKey)
  return { words, proof, statement: parsed.statement }
}

/** Proves what was delivered. By anybody; the proof is verified here first. */
export async function planAnswer(
  contracts: Contracts,
  signer: Signer,
  given: EscrowRequest,
  { receipt, verificationKey }: Proof,
  { attestation }: { readonly attestation?: Attestation } = {},
): Promise<Step> {
  const action = "answer"
  const { request, found, now } = await find(contracts, given, action, "Delivered", "Challenged")
  if (now > found.deadline) throw tooLate(action, found.deadline, now)
  const { terms, id } = request
  const claim = await deliveredClaim(contracts, id, found.attestation, attestation)
  const { words, proof } = wordsAndProof(receipt, request, verificationKey)
  const problem = proves(receipt, claim, verificationKey, contracts.domain)
  if (problem !== null)
    throw new UsageError({ what: `the receipt does not prove what was delivered: ${problem}` })
  const planned = await plan(contracts, signer, {
    action,
    contract: "Escrow",
    method: "answer",
    args: [terms, claim, words, proof],
  })
  const recalled = await isRecalled(contracts, request, now)
  const end = recalled ? "Recalled" : "Proven"
  return { ...planned, id, ends: endings(request, found.state === "Challenged", end) }
}

/** Whether the registry of some terms says that their model was recalled by a time, in seconds since 1970. */
async function isRecalled(contracts: Contracts, { terms }: EscrowRequest, by: number): Promise<boolean> {
  if (terms.registry === ZeroAddress) return false
  try {
    const registry = contracts.at.ModelRegistry.attach(terms.registry) as Contract
    const at: bigint = await registry.recalledAt(terms.modelId)
    return at !== 0n && at <= BigInt(by)
  } catch (error) {
    const typed = asChainError(error, "registry")
    if (typed instanceof ChainError && typed.problem === "unreachable") throw typed
    // the escrow does not wait for a registry that gives no answer either
    return false
  }
}

/** Context that a proof is to be made for which convicts an operator; it names who brings it. */
export const convictionContext = async (contracts: Contracts, id: Hex, prover: Hex): Promise<Hex> =>
  await onChain("conviction", () => escrowOf(contracts).convictionContext(id, prover))

/** Proves another output than was delivered. By whoever the proof was made for. */
export async function planConvict(
  contracts: Contracts,
  signer: Signer,
  given: EscrowRequest,
  { receipt, verificationKey }: Proof,
  { attestation }: { readonly attestation?: Attestation } = {},
): Promise<Step> {
  const action = "convict"
  const { request, found } = await find(contracts, given, action, "Delivered", "Challenged")
  const { terms, id } = request
  const claim = await deliveredClaim(contracts, id, found.attestation, attestation)
  const { layout, model } = verificationKey
  if (outputVisibility(layout) !== "public")
    throw new UsageError({ what: "nobody can be convicted of a committed output: its salt may differ" })
  const context = await convictionContext(contracts, id, lower(await signer.getAddress()))
  const { words, proof } = wordsAndProof(receipt, request, verificationKey)
  const problem = explain(receipt, { verificationKey, model, context })
  if (problem !== null) throw new UsageError({ what: `the receipt does not convict: ${problem}` })
  const json = new TextEncoder().encode(layoutJson(layout))
  const planned = await plan(contracts, signer, {
    action,
    contract: "Escrow",
    method: "convict",
    args: [terms, claim, json, words, proof],
  })
  return { ...planned, id, ends: endings(request, found.state === "Challenged", "Convicted") }
}

/**
 * Ends a request: at once if its attestation contradicts another one as filed in the book, else after its deadline. By
 * anybody.
 */
export async function planSettle(contracts: Contracts, signer: Signer, given: EscrowRequest): Promise<Step> {
  const action = "settle"
  const { request, found, now } = await find(contracts, given, action, "Requested", "Delivered", "Challenged")
  const { terms, id } = request
  const challenged = found.state === "Challenged"
  const filed = found.state !== "Requested" && (await isFrozen(contracts, found.attestation))
  if (filed) {
    const planned = await plan(contracts, signer, {
      action,
      contract: "Escrow",
      method: "equivocated",
      args: [terms],
    })
    return { ...planned, id, ends: endings(request, challenged, "Equivocated") }
  }
  if (now <= found.deadline)
    throw new ChainError("refused", {
      where: action,
      what: `the request is ${inWords[found.state]}, until ${timeText(found.deadline)}`,
      given: timeText(now),
      fix: "Settle it after that",
    })
  const planned = await plan(contracts, signer, {
    action,
    contract: "Escrow",
    method: "settle",
    args: [terms],
  })
  const recalled = found.state === "Delivered" && (await isRecalled(contracts, request, found.deadline))
  const ends = { Requested: "Expired", Delivered: "Unchallenged", Challenged: "Silent" } as const
  const end = recalled ? "Recalled" : ends[found.state as keyof typeof ends]
  return { ...planned, id, ends: endings(request, challenged, end) }
}

const isFrozen = async (contracts: Contracts, attestation: Hex): Promise<boolean> =>
  (await onChain("equivocation", () => contracts.at.SignOffBook.frozenBy(attestation))) !== ZeroAddress

/** What an account can withdraw of a token (zero: ETH). */
export const creditOf = async (contracts: Contracts, token: Hex, account: Hex): Promise<bigint> =>
  await onChain("credit", () => escrowOf(contracts).creditOf(token, account))

/** Pays all credits of the account in a token to it, or to somebody else. */
export async function planWithdraw(
  contracts: Contracts,
  signer: Signer,
  token: Hex,
  to?: Hex,
): Promise<Plan & { readonly receives: bigint; readonly to: Hex }> {
  const account = lower(await signer.getAddress())
  const receives = await creditOf(contracts, token, account)
  const planned = await plan(contracts, signer, {
    action: "withdraw",
    contract: "Escrow",
    method: "withdraw",
    args: [token, to ?? account],
  })
  return { ...planned, receives, to: to ?? account }
}
