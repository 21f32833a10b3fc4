/**
 * The states of a request, and what each end of it pays: the table of IEscrow, for whoever has to decide before it calls.
 * P price, D damages, K costs: the client locks P, the operator D + K, a challenger K, and an end pays out all of it.
 */
import { invariant } from "../errors.js"

/** States in the order of IEscrow. */
export const states = Object.freeze([
  "None",
  "Requested",
  "Delivered",
  "Challenged",
  "Expired",
  "Unchallenged",
  "Proven",
  "Silent",
  "Convicted",
  "Equivocated",
  "Recalled",
] as const)
export type State = (typeof states)[number]

/** The state of a number. */
export function stateName(value: bigint | number): State {
  const name = states[Number(value)]
  invariant(name !== undefined, `an escrow has no state ${value}`)
  return name
}

/** States in which a request is over. */
export type End = Exclude<State, "None" | "Requested" | "Delivered" | "Challenged">

/** Who is paid at an end: `shower` is who proved another output, or filed the contradiction. */
export type Payee = "client" | "operator" | "challenger" | "shower"

export interface Amounts {
  readonly price: bigint
  readonly damages: bigint
  readonly costs: bigint
}

/** What an end pays to whom. `challenged`: somebody's stake is in it. */
export function payouts(
  end: End,
  { price, damages, costs }: Amounts,
  { challenged }: { readonly challenged: boolean },
): Readonly<Partial<Record<Payee, bigint>>> {
  const bond = damages + costs
  const stake = challenged ? costs : 0n
  switch (end) {
    case "Expired":
      return { client: price }
    case "Unchallenged":
      return { operator: price + bond }
    case "Proven":
      return { operator: price + bond + stake }
    case "Silent":
      return { client: price + damages, challenger: 2n * costs }
    case "Convicted":
    case "Equivocated":
      return { client: price + damages, shower: costs, ...(challenged ? { challenger: costs } : {}) }
    case "Recalled":
      return { client: price, operator: bond + stake }
  }
}
