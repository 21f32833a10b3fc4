/**
 * Watching an escrow: every delivery is compared with the model, and a wrong one is challenged while that can be done.
 * Who watches risks a stake, so it challenges only what it knows to be wrong, and only when the delivery stands under
 * enough blocks; a delivery that the chain takes back could be made again, with the right answer, and the challenge would
 * meet that one. When the window is about to close it does not wait for them any longer.
 *
 * What happened is read from the chain, never remembered: before a challenge is sent the state of the request is asked
 * for, and the transaction that an earlier run noted. Everything that is decided is told with its reason.
 */
import type { EventLog, Signer } from "ethers"
import { type Attestation, attestationDigest } from "../attest/index.js"
import { CountersignError, UsageError } from "../errors.js"
import type { Hex } from "../statement/strict.js"
import { type Contracts, chainTime } from "./contracts.js"
import { pause } from "./endpoint.js"
import { ChainError, onChain } from "./errors.js"
import { deliveredFor, planChallenge, type RequestState, stateOf } from "./escrow.js"
import { type Decision, longer, type Mark, type Place, standing, type Watched } from "./place.js"
import type { SendOptions } from "./send.js"
import { stateName } from "./states.js"
import { duesOf, type EscrowRequest, parseTerms, requestOf } from "./terms.js"

/** What somebody who can run the model says of an attestation. */
export interface Verdict {
  readonly verdict: "right" | "wrong" | "unknown"
  readonly reason: string
}
/** Says whether an attestation, of a digest, claims what the model says. Called again while it is `unknown`. */
export type Judge = (attestation: Attestation, digest: Hex) => Verdict | Promise<Verdict>

/** What was decided about a delivery, or noticed of the chain, and why. */
export interface WatchEvent {
  readonly what: Decision | "reorganised" | "behind" | "unreachable"
  readonly reason: string
  readonly id: Hex | null
  readonly digest: Hex | null
  readonly transaction: Hex | null
}

export interface WatchOptions {
  /** Told everything; its promise is waited for. */
  readonly onEvent?: (event: WatchEvent) => void | Promise<void>
  /** Keeps the place: what it was given is on the disk when it returns. */
  readonly save?: (place: Place) => void
  /** Blocks on top of a delivery before it is challenged, and of what is never read again; default 12. */
  readonly confirmations?: number
  /** Seconds before the end of a window from which on a challenge waits for no more blocks; default 600. */
  readonly marginSeconds?: number
  /** The first block that is looked at; default 0. */
  readonly fromBlock?: number
  /** Blocks that the endpoint is asked for at once; default 2,000. */
  readonly blockSpan?: number
  /** The largest stake, in the smallest unit of whatever token; default: any. */
  readonly mostStake?: bigint
  /** Allow the escrow to take tokens for a stake. */
  readonly approve?: boolean
  readonly sending?: SendOptions
}

interface Watching {
  readonly contracts: Contracts
  readonly signer: Signer
  readonly judge: Judge
  readonly options: WatchOptions
  place: Place
}

/**
 * Looks once: at deliveries since the place, and at those that are not over.
 * @returns the place to go on from
 * @throws ChainError (`unreachable`) if the endpoint fails; what was decided until then is in `save`
 */
export async function watchOnce(
  contracts: Contracts,
  signer: Signer,
  place: Place,
  judge: Judge,
  options: WatchOptions = {},
): Promise<Place> {
  const watching: Watching = { contracts, signer, judge, options, place }
  const { confirmations = 12 } = options
  const latest = await blockAt(contracts, "latest")
  const trail = await standing(contracts, place.trail)
  if (trail === null || latest.number < (trail.at(-1)?.number ?? 0)) {
    await tell(watching, "behind", `the endpoint is at block ${latest.number}, which is before the place`)
    return place
  }
  if (trail.length < place.trail.length) {
    const from = trail.at(-1)?.number ?? "the beginning"
    await tell(watching, "reorganised", `the chain took blocks back; reading again from ${from}`)
    keep(watching, { trail })
  }
  await find(watching, latest.number)
  for (const watched of watching.place.watched) await attend(watching, watched, latest)
  const again = await blockAt(contracts, latest.number)
  if (again.hash !== latest.hash) {
    await tell(watching, "reorganised", `block ${latest.number} was replaced while it was read`)
    return watching.place
  }
  const safe = await blockAt(contracts, Math.max(0, latest.number - confirmations))
  await finish(watching, safe)
  return watching.place
}

/**
 * Watches until it is stopped. An endpoint that fails is asked again, later each time, a minute at most.
 * @throws what `watchOnce` throws, but for an endpoint that fails
 */
export async function watch(
  contracts: Contracts,
  signer: Signer,
  begin: Place,
  judge: Judge,
  options: WatchOptions & { readonly everyMs?: number; readonly signal?: AbortSignal } = {},
): Promise<Place> {
  const { everyMs = 12_000, signal } = options
  let place = begin
  const saving = {
    ...options,
    save: (next: Place) => {
      place = next
      options.save?.(next)
    },
  }
  for (let failures = 0; !signal?.aborted; ) {
    try {
      place = await watchOnce(contracts, signer, place, judge, saving)
      failures = 0
    } catch (error) {
      if (!isPassing(error)) throw error
      failures++
      await options.onEvent?.({ what: "unreachable", reason: error.message, ...nothing })
    }
    const wait = failures === 0 ? everyMs : Math.min(60_000, everyMs * 2 ** (failures - 1))
    const until = performance.now() + wait
    // short naps, so that a stop need not wait for the next round
    while (!signal?.aborted && performance.now() < until)
      await pause(Math.min(200, until - performance.now()))
  }
  return place
}

const nothing = { id: null, digest: null, transaction: null } as const
const isPassing = (error: unknown): error is ChainError =>
  error instanceof ChainError && error.problem === "unreachable"

const tell = async (
  { options }: Watching,
  what: WatchEvent["what"],
  reason: string,
  about: Partial<WatchEvent> = {},
) => await options.onEvent?.({ ...nothing, ...about, what, reason })

/** Changes the place, and keeps it. */
function keep(watching: Watching, change: Partial<Place>): void {
  watching.place = { ...watching.place, ...change }
  watching.options.save?.(watching.place)
}

/** Changes what is known of a delivery. */
function note(watching: Watching, { id, digest }: Watched, change: Partial<Watched>): void {
  const watched = watching.place.watched.map((each) =>
    each.id === id && each.digest === digest ? { ...each, ...change } : each,
  )
  keep(watching, { watched })
}

async function blockAt(
  { provider }: Contracts,
  which: number | "latest",
): Promise<Mark & { readonly timestamp: number }> {
  const block = await onChain("chain", () => provider.getBlock(which))
  if (block?.hash == null)
    throw new ChainError("unreachable", { what: `the endpoint has no block ${which}`, where: "chain" })
  return { number: block.number, hash: block.hash as Hex, timestamp: block.timestamp }
}

/** Notes the deliveries since the place. */
async function find(watching: Watching, latest: number): Promise<void> {
  const { contracts, options, place } = watching
  const { fromBlock = 0, blockSpan = 2_000 } = options
  const escrow = contracts.at.Escrow
  const found = new Map(place.watched.map((each) => [`${each.id}${each.digest}`, each]))
  const first = Math.max(fromBlock, (place.trail.at(-1)?.number ?? -1) + 1)
  for (let from = first; from <= latest; from += blockSpan) {
    const to = Math.min(latest, from + blockSpan - 1)
    const events = await onChain("deliveries", () => escrow.queryFilter(escrow.filters.Delivered(), from, to))
    for (const { args, blockNumber } of events as EventLog[]) {
      const [id, digest] = [args.id as Hex, args.digest as Hex]
      const known = found.get(`${id}${digest}`) ?? { id, digest, said: null, transaction: null }
      found.set(`${id}${digest}`, { ...known, block: blockNumber })
    }
  }
  keep(watching, { watched: [...found.values()] })
}

/** Says a decision, once. */
async function say(
  watching: Watching,
  watched: Watched,
  said: Decision,
  reason: string,
  transaction: Hex | null = null,
): Promise<void> {
  const { id, digest } = watched
  const before = watching.place.watched.find((each) => each.id === id && each.digest === digest)?.said
  if (before === said) return
  await tell(watching, said, reason, { id, digest, transaction })
  note(watching, watched, { said })
}

/** Does what is to be done about a delivery now. What goes wrong with one is no reason to leave the others. */
async function attend(watching: Watching, watched: Watched, latest: Mark): Promise<void> {
  try {
    const state = await stateOf(watching.contracts, watched.id)
    const { transaction } = watched
    if (state.state === "Challenged" && transaction !== null && watched.said !== "challenged")
      await say(watching, watched, "challenged", "the challenge sent earlier is in a block", transaction)
    if (isOpen(state, watched)) await decide(watching, watched, state, latest)
  } catch (error) {
    if (!(error instanceof CountersignError) || isPassing(error)) throw error
    await say(watching, watched, "failed", error.message)
  }
}

const isOpen = ({ state, attestation }: Pick<RequestState, "state" | "attestation">, { digest }: Watched) =>
  state === "Delivered" && attestation === digest

async function decide(
  watching: Watching,
  watched: Watched,
  { deadline }: RequestState,
  latest: Mark,
): Promise<void> {
  const { contracts, judge, options } = watching
  const { confirmations = 12, marginSeconds = 600 } = options
  const found = await deliveredFor(contracts, watched.id, watched.block)
  // between two answers the chain may have taken the delivery back
  if (found === null || attestationDigest(found.attestation, contracts.domain) !== watched.digest) return
  const { verdict, reason } = await judge(found.attestation, watched.digest)
  const left = deadline - (await chainTime(contracts))
  if (verdict !== "wrong") {
    await say(watching, watched, verdict, reason)
    return
  }
  if (left < 0) {
    await say(watching, watched, "missed", `${reason}; the window closed ${-left} s ago`)
    return
  }
  const deep = latest.number - watched.block >= confirmations
  const urgent = left <= marginSeconds
  const next = deep
    ? "to be challenged"
    : urgent
      ? `to be challenged before it has ${confirmations} blocks: ${left} s are left`
      : `to be challenged when it has ${confirmations} blocks`
  if (watched.said === null || watched.said === "unknown")
    await say(watching, watched, "wrong", `${reason}; ${next}`)
  if (deep || urgent) await challenge(watching, watched, reason)
}

async function challenge(watching: Watching, watched: Watched, reason: string): Promise<void> {
  const { contracts, signer, options } = watching
  const { provider } = contracts
  const { transaction, id } = watched
  if (transaction !== null) {
    const sent = await onChain("challenge", () => provider.getTransaction(transaction))
    const receipt = sent?.blockNumber == null ? null : await provider.getTransactionReceipt(transaction)
    if (sent !== null && receipt?.status !== 0) {
      await say(watching, watched, "waiting", "the challenge was sent, and waits for a block", transaction)
      return
    }
  }
  const request = await requestFor(watching, id, watched.block)
  const stake = duesOf(request.terms).challenge
  const { mostStake, approve } = options
  if (mostStake !== undefined && stake > mostStake)
    throw new UsageError({
      what: "the stake is larger than was allowed",
      expected: `at most ${mostStake}`,
      given: `${stake} of token ${request.terms.token}`,
    })
  const plan = await planChallenge(contracts, signer, request, approve === undefined ? {} : { approve })
  const { hash } = await plan.send({
    ...options.sending,
    onSigned: (signed) => {
      note(watching, watched, { transaction: signed })
      options.sending?.onSigned?.(signed)
    },
  })
  await say(watching, watched, "challenged", `${reason}; staked ${stake}`, hash)
}

/** The request of an id, from the log of the chain: later than its delivery it was not made. */
async function requestFor({ contracts, options }: Watching, id: Hex, block: number): Promise<EscrowRequest> {
  const { fromBlock = 0, blockSpan = 2_000 } = options
  const escrow = contracts.at.Escrow
  for (let to = block; to >= fromBlock; to -= blockSpan) {
    const from = Math.max(fromBlock, to - blockSpan + 1)
    const events = await onChain("request", () => escrow.queryFilter(escrow.filters.Requested(id), from, to))
    const event = events.at(-1) as EventLog | undefined
    if (event) return fromEvent(event, contracts)
  }
  throw new UsageError({
    what: "the request was made before the first block that is looked at",
    where: `request ${id}`,
    given: `block ${fromBlock}`,
    fix: "Begin earlier, with option `fromBlock`",
  })
}

const times = new Set(["deliverBy", "challengeWindow", "answerWindow"])

function fromEvent({ args }: EventLog, { deployment }: Contracts): EscrowRequest {
  const given = Object.entries(args.getValue("terms").toObject() as Record<string, unknown>)
  const terms = given.map(([name, value]) => {
    if (typeof value !== "bigint") return [name, (value as string).toLowerCase()]
    if (name === "modelId") return [name, `0x${value.toString(16).padStart(64, "0")}`]
    return [name, times.has(name) ? Number(value) : `${value}`]
  })
  return requestOf(parseTerms(Object.fromEntries(terms)), deployment.chainId, deployment.contracts.Escrow)
}

/** Forgets deliveries that are over, as a block says that will stay, and goes on from it the next time. */
async function finish(watching: Watching, safe: Mark & { readonly timestamp: number }): Promise<void> {
  const { contracts, place } = watching
  const escrow = contracts.at.Escrow
  const watched: Watched[] = []
  for (const each of place.watched) {
    if (each.block > safe.number) {
      watched.push(each)
      continue
    }
    const found = await onChain("request", () => escrow.requestOf(each.id, { blockTag: safe.number }))
    const state = stateName(found.state)
    const over = each.said === "right" || Number(found.deadline) < safe.timestamp
    if (isOpen({ state, attestation: found.attestation }, each) && !over) watched.push(each)
  }
  keep(watching, { trail: longer(place.trail, safe), watched })
}
