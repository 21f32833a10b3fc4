/** A round of a watcher: what it was given, what it knows, and how it tells what it decides. */
import type { Signer } from "ethers"
import type { Claimed } from "../attest/index.js"
import type { Hex } from "../statement/strict.js"
import type { Contracts } from "./contracts.js"
import { ChainError, onChain } from "./errors.js"
import type { Decision, Delivery, Mark, Place, Watched } from "./place.js"
import type { SendOptions } from "./send.js"
import type { StakeLimits } from "./stakes.js"

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

/** @internal A block with its time, in seconds since 1970. */
export interface Block extends Mark {
  readonly timestamp: number
}

/** @internal */
export interface Watching {
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

/** @internal Names a delivery: the same request may be delivered for again, after a reorganisation. */
export const keyOf = ({ id, digest }: Pick<Delivery, "id" | "digest">) => `${id}${digest}`

/** @internal */
export const nothing = { id: null, digest: null, transaction: null } as const

/** @internal Tells something; what that throws is no reason to leave the rest. */
export async function tell(
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

/** @internal Changes the place, and keeps it. */
export function keep(watching: Watching, change: Partial<Place> = {}): void {
  watching.place = { ...watching.place, watched: [...watching.open.values()], ...change }
  try {
    watching.options.save?.(watching.place)
  } catch (error) {
    watching.trouble ??= error
  }
}

/** @internal Changes what is known of a delivery. */
export function note({ open }: Watching, watched: Watched, change: Partial<Watched>): void {
  const key = keyOf(watched)
  open.set(key, { ...(open.get(key) ?? watched), ...change })
}

/** @internal A block. @throws ChainError */
export async function blockAt({ provider }: Contracts, which: number | "latest"): Promise<Block> {
  const block = await onChain("chain", () => provider.getBlock(which))
  if (block?.hash == null)
    throw new ChainError("unreachable", { what: `the endpoint has no block ${which}`, where: "chain" })
  return { number: block.number, hash: block.hash as Hex, timestamp: block.timestamp }
}

/** @internal What the judge says now, asked once in a round; an error of its own is no verdict. */
export async function judgedOf({ judge, judged }: Watching, delivery: Delivery): Promise<Verdict | Error> {
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

/** @internal Says a decision, once. */
export async function say(
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
