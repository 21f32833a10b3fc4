/**
 * Watching an escrow: every delivery is compared with the model, and a wrong one is challenged while that can be done.
 * Who watches risks a stake, so it challenges only what it knows to be wrong, and only when the delivery stands under
 * enough blocks; a delivery that the chain takes back could be made again, with the right answer, and the challenge would
 * meet that one. When the window is about to close it does not wait for them any longer.
 *
 * What happened is read from the chain, never remembered: before a challenge is sent the state of the request is asked
 * for, and the transaction that an earlier run noted. Everything that is decided is told with its reason.
 *
 * Whoever wants a wrong answer to go unseen may bury it: under requests of its own, in its own tokens, with a log of any
 * length. So a delivery is judged when it is found, without asking anybody; what is about other models is forgotten at
 * once, and what is not known only as far as there is room, which wrong ones never wait for. What is wrong is challenged
 * in order of deadlines, without waiting for one before the next. What fails is tried again later, so that it takes no
 * time from the others. And a log or disk that refuses is no reason to leave a challenge: the error is thrown when the
 * round is over.
 */
import type { Signer } from "ethers"
import type { Claimed } from "../attest/index.js"
import type { Hex } from "../statement/strict.js"
import type { Contracts } from "./contracts.js"
import { deliveriesIn, requestOfDelivery } from "./deliveries.js"
import { pause } from "./endpoint.js"
import { ChainError, onChain } from "./errors.js"
import { planChallenge, stateOf } from "./escrow.js"
import {
  type Decision,
  type Delivery,
  longer,
  type Mark,
  mostWatched,
  type Place,
  standing,
  type Watched,
} from "./place.js"
import type { SendOptions } from "./send.js"
import { checkStake, type StakeLimits, settledStakes, unworthy } from "./stakes.js"
import { stateName } from "./states.js"
import { duesOf } from "./terms.js"

/** What somebody who can run the model says of a claim; `foreign`: it is about another model. */
export interface Verdict {
  readonly verdict: "right" | "wrong" | "unknown" | "foreign"
  readonly reason: string
}
/**
 * Says whether an attestation, of a digest, claims what the model says: `wrong` if it cannot be proven. Called again while
 * it is not `right`, so it had better remember.
 */
export type Judge = (claim: Claimed, digest: Hex) => Verdict | Promise<Verdict>

/** What was decided about a delivery, became of a stake, or was noticed of the chain, and why. */
export interface WatchEvent {
  readonly what: Decision | "won" | "lost" | "skipped" | "reorganised" | "behind" | "unreachable"
  readonly reason: string
  readonly id: Hex | null
  readonly digest: Hex | null
  readonly transaction: Hex | null
}

export interface WatchOptions extends StakeLimits {
  /** Told everything, some of it twice where a run ended in between; its promise is waited for. */
  readonly onEvent?: (event: WatchEvent) => void | Promise<void>
  /** Keeps the place: what it was given is on the disk when it returns. */
  readonly save?: (place: Place) => void
  /** Blocks on top of a delivery before it is challenged, and of what is never read again; default 12. */
  readonly confirmations?: number
  /** Seconds before the end of a window from which on a challenge waits for no more blocks; default 600. */
  readonly marginSeconds?: number
  /** The first block that is looked at; default 0. */
  readonly fromBlock?: number
  /** Blocks that the endpoint is asked for at once, at first; default 2,000. */
  readonly blockSpan?: number
  /** Most deliveries that are remembered, 8,192 at most and by default. */
  readonly mostOpen?: number
  /** Allow the escrow to take tokens for a stake. */
  readonly approve?: boolean
  /** Default: waits for no block, and looks for the transaction in the next round. */
  readonly sending?: SendOptions
}

/** A block with its time, in seconds since 1970. */
interface Block extends Mark {
  readonly timestamp: number
}

interface Watching {
  readonly contracts: Contracts
  readonly signer: Signer
  readonly judge: Judge
  readonly options: WatchOptions & {
    readonly confirmations: number
    readonly marginSeconds: number
    readonly fromBlock: number
    readonly blockSpan: number
    readonly mostOpen: number
  }
  place: Place
  /** What is watched, by request and digest. */
  readonly open: Map<string, Watched>
  /** What was found in this round. */
  readonly seen: Set<string>
  /** Verdicts of this round. */
  readonly judged: Map<string, Verdict | Error>
  readonly skipped: Record<string, number>
  /** What `onEvent` or `save` threw first. */
  trouble: unknown
}

/** Challenges that are tried in a round: what comes meanwhile, and is more urgent, is seen in the next. */
const mostTries = 64
/** Deliveries of unknown inputs that are told one by one in a round. */
const mostUnknownTold = 64

const keyOf = ({ id, digest }: Pick<Delivery, "id" | "digest">) => `${id}${digest}`

/**
 * Looks once: at deliveries since the place, and at those that are not over.
 * @returns the place to go on from
 * @throws ChainError if the endpoint fails; what `onEvent` and `save` threw, when all is done. What was decided until then
 * was given to `save`
 */
export async function watchOnce(
  contracts: Contracts,
  signer: Signer,
  place: Place,
  judge: Judge,
  options: WatchOptions = {},
): Promise<Place> {
  const usual = {
    confirmations: 12,
    marginSeconds: 600,
    fromBlock: 0,
    blockSpan: 2_000,
    mostOpen: mostWatched,
  }
  const watching: Watching = {
    contracts,
    signer,
    judge,
    options: { ...usual, ...options },
    place,
    open: new Map(place.watched.map((each) => [keyOf(each), each])),
    seen: new Set(),
    judged: new Map(),
    skipped: {},
    trouble: null,
  }
  try {
    await round(watching)
  } finally {
    keep(watching)
  }
  if (watching.trouble !== null) throw watching.trouble
  return watching.place
}

async function round(watching: Watching): Promise<void> {
  const { contracts, options, place } = watching
  await checkChain(contracts)
  const latest = await blockAt(contracts, "latest")
  const trail = await standing(contracts, place.trail)
  if (trail === null || latest.number < (trail.at(-1)?.number ?? 0)) {
    await tell(watching, "behind", `the endpoint is at block ${latest.number}, which is before the place`)
    return
  }
  if (trail.length < place.trail.length) {
    const from = trail.at(-1)?.number ?? "the beginning"
    await tell(watching, "reorganised", `the chain took blocks back; reading again from ${from}`)
    keep(watching, { trail })
  }
  const safe = await blockAt(contracts, Math.max(0, latest.number - options.confirmations))
  const first = Math.max(options.fromBlock, (trail.at(-1)?.number ?? -1) + 1)
  await find(watching, first, latest, safe)
  keep(watching)
  await attend(watching, latest)
  const again = await blockAt(contracts, latest.number)
  if (again.hash !== latest.hash) {
    await tell(watching, "reorganised", `block ${latest.number} was replaced while it was read`)
    return
  }
  await finish(watching, first, safe)
  for (const [what, count] of Object.entries(watching.skipped))
    await tell(watching, "skipped", `${count} deliveries: ${what}`)
}

/**
 * Watches until it is stopped. An endpoint that fails, in whatever way, is asked again, later each time, a minute at most.
 * @throws what `onEvent` and `save` throw, when the round is over
 */
export async function watch(
  contracts: Contracts,
  signer: Signer,
  begin: Place,
  judge: Judge,
  options: WatchOptions & { readonly everyMs?: number; readonly signal?: AbortSignal } = {},
): Promise<Place> {
  const { everyMs = 12_000, signal, onEvent, save } = options
  let place = begin
  let [told, telling]: (string | null)[] = [null, null]
  const all: WatchOptions = {
    ...options,
    save: (next) => {
      place = next
      save?.(next)
    },
    onEvent: async (event) => {
      // what goes on for hours is told once
      if (event.what === "behind" || event.what === "unreachable") telling = event.what
      if (told === null || told !== event.what) await onEvent?.(event)
    },
  }
  for (let failures = 0; !signal?.aborted; ) {
    try {
      place = await watchOnce(contracts, signer, place, judge, all)
      failures = 0
    } catch (error) {
      if (!(error instanceof ChainError)) throw error
      failures++
      await all.onEvent?.({ what: "unreachable", reason: error.message, ...nothing })
    }
    ;[told, telling] = [telling, null]
    const wait = failures === 0 ? everyMs : Math.min(60_000, everyMs * 2 ** (failures - 1))
    const until = performance.now() + wait
    // short naps, so that a stop need not wait for the next round
    while (!signal?.aborted && performance.now() < until)
      await pause(Math.min(200, until - performance.now()))
  }
  return place
}

const nothing = { id: null, digest: null, transaction: null } as const

async function tell(
  watching: Watching,
  what: WatchEvent["what"],
  reason: string,
  about: Partial<WatchEvent> = {},
): Promise<void> {
  try {
    await watching.options.onEvent?.({ ...nothing, ...about, what, reason })
  } catch (error) {
    watching.trouble ??= error
  }
}

/** Changes the place, and keeps it. */
function keep(watching: Watching, change: Partial<Place> = {}): void {
  watching.place = { ...watching.place, watched: [...watching.open.values()], ...change }
  try {
    watching.options.save?.(watching.place)
  } catch (error) {
    watching.trouble ??= error
  }
}

/** Changes what is known of a delivery. */
function note({ open }: Watching, watched: Watched, change: Partial<Watched>): void {
  const key = keyOf(watched)
  open.set(key, { ...(open.get(key) ?? watched), ...change })
}

/** @throws ChainError if the endpoint has become another chain's, as one behind a balancer may */
async function checkChain({ provider, deployment }: Contracts): Promise<void> {
  if (!("send" in provider)) return
  const ask = provider.send as (method: string, params: unknown[]) => Promise<unknown>
  const given = Number(await onChain("chain", () => ask.call(provider, "eth_chainId", [])))
  if (given !== deployment.chainId)
    throw new ChainError("unreachable", {
      what: "the endpoint answers for another chain",
      expected: `chain ${deployment.chainId}`,
      given: `chain ${given}`,
    })
}

async function blockAt({ provider }: Contracts, which: number | "latest"): Promise<Block> {
  const block = await onChain("chain", () => provider.getBlock(which))
  if (block?.hash == null)
    throw new ChainError("unreachable", { what: `the endpoint has no block ${which}`, where: "chain" })
  return { number: block.number, hash: block.hash as Hex, timestamp: block.timestamp }
}

/** What the judge says now, asked once in a round; an error of its own is no verdict. */
async function judgedOf({ judge, judged }: Watching, delivery: Delivery): Promise<Verdict | Error> {
  const key = keyOf(delivery)
  const before = judged.get(key)
  if (before !== undefined) return before
  let said: Verdict | Error
  try {
    said = await judge(delivery.claim, delivery.digest)
  } catch (error) {
    said = error instanceof Error ? error : new Error(String(error))
  }
  judged.set(key, said)
  return said
}

/** Notes the deliveries of a range, and what of it is done with. */
async function find(watching: Watching, first: number, latest: Block, safe: Block): Promise<void> {
  const { contracts, options } = watching
  for (let from = first; from <= latest.number; ) {
    const end = from <= safe.number ? safe.number : latest.number
    const to = Math.min(end, from + options.blockSpan - 1)
    for (const delivery of await deliveriesIn(contracts, from, to))
      await take(watching, delivery, latest, safe)
    // a long way is not gone again after a failure
    if (to < safe.number)
      keep(watching, { trail: longer(watching.place.trail, await blockAt(contracts, to)) })
    from = to + 1
  }
}

/** Takes up a delivery, unless there is nothing to do about it. */
async function take(watching: Watching, delivery: Delivery, latest: Block, safe: Block): Promise<void> {
  const { open, seen, skipped, options } = watching
  const key = keyOf(delivery)
  const known = open.get(key)
  const skip = (what: string) => {
    // counted once: blocks that are not safe are read again
    if (delivery.block <= safe.number) skipped[what] = (skipped[what] ?? 0) + 1
  }
  if (known === undefined) {
    const said = await judgedOf(watching, delivery)
    const verdict = said instanceof Error ? "unknown" : said.verdict
    if (verdict === "foreign") return skip("about another model or key")
    if (verdict !== "wrong" && delivery.deadline < latest.timestamp) return skip("their windows have closed")
    const most = Math.min(options.mostOpen, mostWatched)
    if (open.size >= most && !(verdict === "wrong" && makeRoom(open)))
      return skip(`${verdict}, and there is no room for more`)
  }
  seen.add(key)
  open.set(key, { said: null, transaction: null, retryAt: 0, ...known, ...delivery })
}

/** Forgets the latest delivery about which nothing has to be done. */
function makeRoom(open: Map<string, Watched>): boolean {
  const last = [...open].findLast(
    ([, { said }]) => said !== "wrong" && said !== "waiting" && said !== "failed",
  )
  return last !== undefined && open.delete(last[0])
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
  const before = watching.open.get(keyOf(watched))?.said
  if (before === said) return
  await tell(watching, said, reason, { id, digest, transaction })
  note(watching, watched, { said })
}

/** Does what is to be done about each delivery now, the most urgent first. */
async function attend(watching: Watching, latest: Block): Promise<void> {
  const open = [...watching.open.values()].filter(({ said }) => said !== "right" && said !== "missed")
  let [unknown, tries] = [0, 0]
  for (const watched of open.sort((a, b) => a.deadline - b.deadline)) {
    const said = await judgedOf(watching, watched)
    if (said instanceof Error) await fail(watching, watched, latest, `the judge failed: ${said.message}`)
    else if (said.verdict === "wrong") {
      if (watched.retryAt > latest.timestamp || tries >= mostTries) continue
      tries++
      await tried(watching, watched, latest, said.reason)
    } else if (said.verdict !== "unknown") await say(watching, watched, "right", said.reason)
    else if (watched.said !== "unknown" && ++unknown > mostUnknownTold)
      note(watching, watched, { said: "unknown" })
    else await say(watching, watched, "unknown", said.reason)
  }
  if (unknown > mostUnknownTold)
    watching.skipped["their inputs are not known either"] = unknown - mostUnknownTold
}

/** Tries to challenge. What goes wrong with one is no reason to leave the others, unless the endpoint is gone. */
async function tried(watching: Watching, watched: Watched, latest: Block, reason: string): Promise<void> {
  try {
    await decide(watching, watched, latest, reason)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    if (error instanceof ChainError) {
      // a token or a transaction may look like an endpoint that fails
      await blockAt(watching.contracts, "latest")
      if (error.problem === "unknown") {
        await say(
          watching,
          watched,
          "waiting",
          "the challenge was sent, and waits for a block",
          error.transaction,
        )
        return
      }
      if (error.problem === "refused" && (await isSettled(watching, watched))) return
    }
    await fail(watching, watched, latest, error.message)
  }
}

/** Says that something failed, and leaves it for an eighth of the time that is left. */
async function fail(
  watching: Watching,
  watched: Watched,
  { timestamp }: Block,
  reason: string,
): Promise<void> {
  const wait = Math.max(12, Math.floor((watched.deadline - timestamp) / 8))
  note(watching, watched, { retryAt: timestamp + wait })
  await say(watching, watched, "failed", reason)
}

/** Whether somebody has challenged it, which is said. */
async function isSettled(watching: Watching, watched: Watched): Promise<boolean> {
  const { contracts, signer } = watching
  const { state, attestation, challenger } = await stateOf(contracts, watched.id)
  if (state !== "Challenged" || attestation !== watched.digest) return false
  if (challenger === (await signer.getAddress()).toLowerCase())
    await say(watching, watched, "challenged", "the challenge is in a block", watched.transaction)
  else {
    await say(watching, watched, "left", `${challenger} has challenged it`)
    const { stakes } = watching.place
    keep(watching, { stakes: stakes.filter(({ id, outcome }) => id !== watched.id || outcome !== "out") })
  }
  return true
}

async function decide(watching: Watching, watched: Watched, latest: Block, reason: string): Promise<void> {
  const { contracts, options } = watching
  const { confirmations, marginSeconds } = options
  const { state, attestation } = await stateOf(contracts, watched.id)
  if (await isSettled(watching, watched)) return
  // ended, or between two answers the chain may have taken the delivery back
  if (state !== "Delivered" || attestation !== watched.digest) return
  const left = watched.deadline - latest.timestamp
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
  const isTakenBack = watched.said === "challenged" || watched.said === "left"
  if (watched.said === null || watched.said === "unknown" || isTakenBack)
    await say(
      watching,
      watched,
      "wrong",
      `${reason}; ${isTakenBack ? "the chain took the challenge back; " : ""}${next}`,
    )
  if (deep || urgent) await challenge(watching, watched, reason)
}

async function challenge(watching: Watching, watched: Watched, reason: string): Promise<void> {
  const { contracts, signer, options } = watching
  const { id, digest, deadline } = watched
  if (await isUnderWay(watching, watched)) {
    await say(
      watching,
      watched,
      "waiting",
      "the challenge was sent, and waits for a block",
      watched.transaction,
    )
    return
  }
  const request = await requestOfDelivery(contracts, watched, options)
  const { terms } = request
  const never = unworthy(request, options)
  if (never !== null) {
    note(watching, watched, { retryAt: deadline + 1 })
    await say(watching, watched, "left", never)
    return
  }
  checkStake(request, watching.place.stakes, options)
  const { approve } = options
  const plan = await planChallenge(contracts, signer, request, approve === undefined ? {} : { approve })
  const amount = `${duesOf(terms).challenge}`
  const { hash } = await plan.send({
    waitMs: 0,
    ...options.sending,
    onSigned: (transaction) => {
      const stake = { id, digest, token: terms.token, amount, until: deadline, outcome: "out" } as const
      const others = watching.place.stakes.filter((each) => each.id !== id)
      note(watching, watched, { transaction })
      keep(watching, { stakes: [...others, stake] })
      options.sending?.onSigned?.(transaction)
    },
  })
  await say(watching, watched, "challenged", `${reason}; staked ${amount}`, hash)
}

/** Whether a challenge that was sent may still come into a block, or has. */
async function isUnderWay({ contracts }: Watching, { transaction }: Watched): Promise<boolean> {
  if (transaction === null) return false
  const { provider } = contracts
  return await onChain("challenge", async () => {
    const sent = await provider.getTransaction(transaction)
    if (sent === null) return false
    if (sent.blockNumber === null) return true
    return (await provider.getTransactionReceipt(transaction))?.status !== 0
  })
}

/** Forgets deliveries that are over, as a block says that will stay, and goes on from it the next time. */
async function finish(watching: Watching, first: number, safe: Block): Promise<void> {
  const { contracts, signer, open, seen, place } = watching
  const account = (await signer.getAddress()).toLowerCase() as Hex
  const settled = await settledStakes(contracts, account, place.stakes, safe)
  for (const [key, watched] of open) {
    const { block, said, deadline, id, digest } = watched
    if (block > safe.number) continue
    const isOver = said === "right" || said === "missed" || deadline < safe.timestamp
    const isQuiet = said === "unknown" || said === "wrong" || said === "failed"
    if (!isOver && isQuiet && (block < first || seen.has(key))) continue
    const found = isOver
      ? null
      : await onChain("request", () => contracts.at.Escrow.requestOf(id, { blockTag: safe.number }))
    if (found === null || stateName(found.state) !== "Delivered" || found.attestation !== digest)
      open.delete(key)
  }
  keep(watching, { trail: longer(watching.place.trail, safe), stakes: settled.stakes })
  for (const { stake, what, reason } of settled.news)
    await tell(watching, what, reason, { id: stake.id, digest: stake.digest })
}
