/** Steps that are made on an escrow and its model (escrow-model.ts), and a count of what they came to. */
import { names } from "./escrow-world.js"
import { refusals, silences } from "./hostile-contracts.js"

/** One step: what is tried, and numbers that each call reads in its way. Zeros are what honest parties do. */
export interface Step {
  readonly call: (typeof calls)[number]
  /** Who calls, where the terms do not say it. */
  readonly who: number
  /** Which request of those made; -1 is the last. */
  readonly which: number
  /** 0 in the next second, 1 in the last one of the request's deadline, 2 after it; for `settle` 0 and 2 change places. */
  readonly when: number
  readonly a: number
  readonly b: number
  /** From 8 on something is wrong with the call. */
  readonly flaw: number
}
export const calls = [
  "request",
  "deliver",
  "challenge",
  "answer",
  "settle",
  "convict",
  "equivocated",
  "file",
  "withdraw",
  "recall",
  "mode",
  "registry",
  "move",
  "arm",
  "lie",
] as const

/** Ways of contracts to sign, and of a registry to answer, by their numbers. */
export const signerModes = Object.keys({ yes: 0, ...refusals })
export const registryModes = Object.keys({ no: 0, early: 1, ...silences })

/** What happened in all sequences of a world, and how often. */
export class Tally {
  accepted = 0
  refused = 0
  readonly seen: Record<string, number> = {}

  see(what: string): void {
    this.seen[what] = (this.seen[what] ?? 0) + 1
  }
}

const withChallenge = ["Proven", "Convicted", "Equivocated", "Recalled, proven"]
/** What sequences have to come to: each call that is accepted and that is refused, each end, each kind of hostility. */
export const everything: readonly string[] = [
  ...calls.slice(0, 9).flatMap((call) => [`${call}: accepted`, `${call}: refused`]),
  ...["Expired", "Unchallenged", "Silent, challenged", "Recalled", ...withChallenge],
  ...withChallenge.map((end) => `${end}, challenged`),
  ...names.map((name) => `an end in ${name}`),
  ...["a withdrawal from a short token", "a token that lies", "a payer who is blocked"],
  ...["a recipient who is blocked", "a recipient who takes no ETH"],
  ...["a token that calls back", "a recipient who calls back"],
  ...signerModes.map((mode) => `a signer: ${mode}`),
  ...registryModes.map((mode) => `a registry: ${mode}`),
]
