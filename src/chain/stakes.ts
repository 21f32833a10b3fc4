/**
 * What a watcher has staked. A stake is out from the moment that its transaction is signed until a block that will stay
 * says how the request ended; a stake that was lost counts for good, so a budget is what a watcher can lose at most.
 *
 * A challenge that is answered with the proof of the very answer that the watcher called wrong says that the watcher is
 * mistaken: another model, another key, a damaged store. It then challenges nothing more. If the answer was another one
 * than it judged (the chain took the delivery back, and another was made), that was bad luck.
 */
import { UsageError } from "../errors.js"
import type { Hex } from "../statement/strict.js"
import type { Contracts } from "./contracts.js"
import { onChain } from "./errors.js"
import { mostStakes, type Stake } from "./place.js"
import { stateName } from "./states.js"
import { duesOf, type EscrowRequest } from "./terms.js"

/** What a watcher may stake. Amounts are in the smallest unit of whatever token. */
export interface StakeLimits {
  /** The largest stake; default: any. */
  readonly mostStake?: bigint
  /** The smallest stake that is worth a challenge, which brings as much; default 0. */
  readonly leastStake?: bigint
  /** The most of one token that is out or lost at a time; default: any. */
  readonly budget?: bigint
  /** Tokens that may be staked beside ETH: others are never called, for they may do anything. Default: none. */
  readonly tokens?: readonly Hex[]
}

const eth = `0x${"0".repeat(40)}`

/** Why a challenge is not worth making for this watcher, for good; or null. */
export function unworthy(
  { terms }: EscrowRequest,
  { leastStake = 0n, tokens = [] }: StakeLimits,
): string | null {
  if (terms.token !== eth && !tokens.includes(terms.token))
    return `its stake is in token ${terms.token}, which was not allowed`
  const stake = duesOf(terms).challenge
  return stake < leastStake ? `a challenge brings ${stake}, less than ${leastStake}` : null
}

/** @throws UsageError if a stake is not allowed as things are */
export function checkStake(
  { terms, id }: EscrowRequest,
  stakes: readonly Stake[],
  { mostStake, budget }: StakeLimits,
): void {
  const stake = duesOf(terms).challenge
  const mistaken = stakes.find(({ outcome }) => outcome === "mistaken")
  if (mistaken !== undefined)
    throw new UsageError({
      what: `a proof has shown this watcher to be mistaken, at request ${mistaken.id}: it challenges nothing more`,
      fix: "Look at its model, key and store; then begin with a new place",
    })
  if (mostStake !== undefined && stake > mostStake)
    throw new UsageError({
      what: "the stake is larger than was allowed",
      expected: `at most ${mostStake}`,
      given: `${stake} of token ${terms.token}`,
    })
  const others = stakes.filter((each) => each.token === terms.token && each.id !== id)
  const out = others.reduce((sum, { amount }) => sum + BigInt(amount), 0n)
  if (budget !== undefined && out + stake > budget)
    throw new UsageError({
      what: "the stakes that are out or lost would be more than was allowed",
      expected: `at most ${budget} of token ${terms.token}`,
      given: `${out} and ${stake}`,
    })
  if (stakes.length >= mostStakes)
    throw new UsageError({ what: "too many stakes are out or lost", expected: `at most ${mostStakes}` })
}

/** What became of a stake. */
export interface Settled {
  readonly stake: Stake
  readonly what: "won" | "lost"
  readonly reason: string
}

/**
 * Stakes after a look at a block that will stay: those that are out still, and lost ones. What came back is left out.
 * @param account whose they are
 */
export async function settledStakes(
  contracts: Contracts,
  account: Hex,
  stakes: readonly Stake[],
  { number, timestamp }: { readonly number: number; readonly timestamp: number },
): Promise<{ readonly stakes: readonly Stake[]; readonly news: readonly Settled[] }> {
  const kept: Stake[] = []
  const news: Settled[] = []
  for (const stake of stakes) {
    if (stake.outcome !== "out") {
      kept.push(stake)
      continue
    }
    const found = await onChain("stake", () => contracts.at.Escrow.requestOf(stake.id, { blockTag: number }))
    const state = stateName(found.state)
    const isOpen = state === "None" || state === "Requested" || state === "Delivered"
    const isMine = (found.challenger as string).toLowerCase() === account
    if (state === "Challenged" ? isMine : isOpen && timestamp <= stake.until) kept.push(stake)
    if (!isMine || state === "Challenged") continue
    if (state === "Proven" || state === "Recalled") {
      const mistaken = found.attestation === stake.digest
      const outcome = mistaken ? "mistaken" : "lost"
      kept.push({ ...stake, outcome })
      const why = mistaken ? "the challenged answer was proven" : "another answer than was judged was proven"
      news.push({ stake, what: "lost", reason: `${why}; ${stake.amount} lost` })
    } else news.push({ stake, what: "won", reason: `the request ended as ${state}; the stake is a credit` })
  }
  return { stakes: kept, news }
}
