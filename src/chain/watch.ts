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
import type { Hex } from "../statement/strict.js"
import { attend } from "./contest.js"
import type { Contracts } from "./contracts.js"
import { deliveriesIn } from "./deliveries.js"
import { pause } from "./endpoint.js"
import { ChainError, onChain } from "./errors.js"
import { type Delivery, longer, mostWatched, type Place, standing, type Watched } from "./place.js"
import { settledStakes } from "./stakes.js"
import { stateName } from "./states.js"
import {
  type Block,
  blockAt,
  type Judge,
  judgedOf,
  keep,
  keyOf,
  nothing,
  tell,
  type Watching,
  type WatchOptions,
} from "./watching.js"

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
