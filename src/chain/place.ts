/**
 * A watcher's place on a chain, so that it goes on where it was after a restart: blocks that it has done with, by number
 * and hash, the deliveries that are not over yet, and what it has staked. A chain may take blocks back. Whoever returns
 * compares the hashes, newest first, and goes on from the last block that is still there.
 */
import type { Claimed } from "../attest/index.js"
import {
  array,
  bytes32,
  fail,
  fields,
  fromJson,
  type Hex,
  hexBytes,
  integer,
  oneOf,
  shown,
} from "../statement/strict.js"
import type { Contracts } from "./contracts.js"
import { onChain } from "./errors.js"

/** A block. */
export interface Mark {
  readonly number: number
  readonly hash: Hex
}

/** What a watcher does about a delivery, or why it does nothing. */
export const decisions = Object.freeze([
  "right",
  "wrong",
  "unknown",
  "challenged",
  "waiting",
  "left",
  "missed",
  "failed",
] as const)
export type Decision = (typeof decisions)[number]

/** What was delivered for a request. */
export interface Delivery {
  /** Of the request. */
  readonly id: Hex
  /** Of the attestation. */
  readonly digest: Hex
  readonly block: number
  /** The last second for a challenge. */
  readonly deadline: number
  readonly claim: Claimed
}

/** A delivery that is not over. */
export interface Watched extends Delivery {
  /** What was said of it last. */
  readonly said: Decision | null
  /** The transaction that challenges it, noted before it is sent. */
  readonly transaction: Hex | null
  /** Time of the chain before which nothing is tried again. */
  readonly retryAt: number
}

/** A stake of the watcher's that is out, or lost. */
export interface Stake {
  readonly id: Hex
  readonly digest: Hex
  readonly token: Hex
  /** In the token's smallest unit, as a decimal. */
  readonly amount: string
  /** The last second in which its challenge can be made. */
  readonly until: number
  /** `mistaken`: lost to a proof of the very answer that was challenged. */
  readonly outcome: "out" | "lost" | "mistaken"
}

export interface Place {
  readonly version: 1
  readonly chainId: number
  readonly escrow: Hex
  /** Blocks that were done with, oldest first. */
  readonly trail: readonly Mark[]
  readonly watched: readonly Watched[]
  readonly stakes: readonly Stake[]
}

/** How many blocks of the trail are kept: a reorganisation beyond them is read again from the beginning. */
const longestTrail = 64
/** Most deliveries and stakes of a place. */
export const mostWatched = 2 ** 13
export const mostStakes = 2 ** 12

/** The place of who has not begun. */
export const beginning = ({ deployment }: Pick<Contracts, "deployment">): Place => ({
  version: 1,
  chainId: deployment.chainId,
  escrow: deployment.contracts.Escrow,
  trail: [],
  watched: [],
  stakes: [],
})

/** @internal Fields of what is claimed. */
export const claimNames = ["model", "key", "layout", "input", "output"] as const

const whole = (value: unknown, path: string): number => {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    fail(path, { what: "no whole number", given: shown(value) })
  return value
}

function watchedOf(value: unknown, at: string): Watched {
  const names = ["id", "digest", "block", "deadline", "claim", "said", "transaction", "retryAt"] as const
  const each = fields(value, at, names)
  const claim = fields(each.claim, `${at}.claim`, claimNames)
  return {
    id: bytes32(each.id, `${at}.id`),
    digest: bytes32(each.digest, `${at}.digest`),
    block: whole(each.block, `${at}.block`),
    deadline: whole(each.deadline, `${at}.deadline`),
    claim: Object.fromEntries(
      claimNames.map((name) => [name, bytes32(claim[name], `${at}.claim.${name}`)]),
    ) as Record<(typeof claimNames)[number], Hex>,
    said: each.said === null ? null : oneOf(each.said, `${at}.said`, decisions),
    transaction: each.transaction === null ? null : bytes32(each.transaction, `${at}.transaction`),
    retryAt: whole(each.retryAt, `${at}.retryAt`),
  }
}

/** Reads a place (an object, or JSON text) strictly. @throws FileError, also for one on another chain or escrow */
export function parsePlace(value: unknown, contracts: Pick<Contracts, "deployment">, path = "place"): Place {
  const given = fields(fromJson(value, path, { characters: 2 ** 25, values: 2 ** 20 }), path, [
    "version",
    "chainId",
    "escrow",
    "trail",
    "watched",
    "stakes",
  ])
  oneOf(given.version, `${path}: version`, [1])
  const start = beginning(contracts)
  const chainId = whole(given.chainId, `${path}: chainId`)
  const escrow = hexBytes(given.escrow, `${path}: escrow`, 20, 20)
  if (chainId !== start.chainId || escrow !== start.escrow)
    fail(path, {
      what: "is a place on another chain or escrow",
      expected: `chain ${start.chainId}, escrow ${start.escrow}`,
      given: `chain ${chainId}, escrow ${escrow}`,
    })
  const list = (x: unknown, at: string, most: number): readonly unknown[] => {
    const found = array(x, at)
    if (found.length > most) fail(at, { what: "too long", expected: `at most ${most}` })
    return found
  }
  const trail = list(given.trail, `${path}: trail`, longestTrail).map((x, i): Mark => {
    const at = `${path}: trail[${i}]`
    const mark = fields(x, at, ["number", "hash"])
    return { number: whole(mark.number, `${at}.number`), hash: bytes32(mark.hash, `${at}.hash`) }
  })
  if (trail.some(({ number }, i) => i > 0 && number <= trail[i - 1].number))
    fail(`${path}: trail`, { what: "the blocks do not ascend" })
  const watched = list(given.watched, `${path}: watched`, mostWatched).map((x, i) =>
    watchedOf(x, `${path}: watched[${i}]`),
  )
  const stakes = list(given.stakes, `${path}: stakes`, mostStakes).map((x, i): Stake => {
    const at = `${path}: stakes[${i}]`
    const each = fields(x, at, ["id", "digest", "token", "amount", "until", "outcome"])
    return {
      id: bytes32(each.id, `${at}.id`),
      digest: bytes32(each.digest, `${at}.digest`),
      token: hexBytes(each.token, `${at}.token`, 20, 20),
      amount: `${integer(each.amount, `${at}.amount`, 0n, 2n ** 128n - 1n)}`,
      until: whole(each.until, `${at}.until`),
      outcome: oneOf(each.outcome, `${at}.outcome`, ["out", "lost", "mistaken"] as const),
    }
  })
  return { ...start, trail, watched, stakes }
}

/**
 * The trail as far as the chain still has it; null from an endpoint that has not come as far as the place: it is behind,
 * or in the middle of a reorganisation, and says nothing of what became of those blocks.
 */
export async function standing(
  { provider }: Pick<Contracts, "provider">,
  trail: readonly Mark[],
): Promise<readonly Mark[] | null> {
  for (let kept = trail.length; kept > 0; kept--) {
    const { number, hash } = trail[kept - 1]
    const block = await onChain("place", () => provider.getBlock(number))
    if (block === null) return null
    if (block.hash === hash) return trail.slice(0, kept)
  }
  return []
}

/** A trail with one more block, if that is a later one. */
export const longer = (trail: readonly Mark[], { number, hash }: Mark): readonly Mark[] =>
  number > (trail.at(-1)?.number ?? -1) ? [...trail, { number, hash }].slice(-longestTrail) : trail
