/**
 * What can be done about a dispute, and where: by whom, what it takes, until when, and why not where it cannot be. Without
 * a chain this is what the claims themselves allow; with what a chain says of them, what is still possible.
 *
 * Money moves for two reasons alone: an answer that cannot be proven, and an operator that contradicts itself. Everything
 * else, above all a right answer that does harm, is for people: those who sign off, and the model's owner.
 */
import { type PolicyDocument, roleName, roles, zeroDigest } from "../attest/index.js"
import type { Situation } from "../chain/index.js"
import { outputVisibility } from "../statement/layout.js"
import type { Hex } from "../statement/strict.js"
import type { Dispute } from "./dispute.js"
import type { Party } from "./party.js"

export interface Filing {
  readonly what: "equivocation" | "conviction" | "challenge" | "rejection" | "withdrawal" | "recall"
  readonly against: "a" | "b" | "both"
  readonly where: "SignOffBook" | "Escrow" | "ModelRegistry" | "a signature"
  /** Who can do it. */
  readonly who: string
  /** What it takes, or why it cannot be done. */
  readonly reason: string
  readonly can: boolean
  /** The request that it is about, or null. */
  readonly request: Hex | null
  /** The last second for it, in seconds since 1970; null where none is known. */
  readonly until: number | null
}

/** What the chain says of both, where it was asked; null for what is not of that chain. */
export interface Situations {
  readonly a: Situation | null
  readonly b: Situation | null
}

/** What can be filed, and what suggests itself and cannot. */
export function filings(
  dispute: Dispute,
  { situations, document }: { readonly situations?: Situations; readonly document?: PolicyDocument } = {},
): readonly Filing[] {
  const { a, b } = dispute
  return [
    ...equivocation(dispute, situations),
    ...atEscrow("a", a, situations?.a),
    ...atEscrow("b", b, situations?.b),
    ...byPeople(dispute, situations, document),
  ]
}

const filing = (
  what: Filing["what"],
  against: Filing["against"],
  where: Filing["where"],
  who: string,
  why: Pick<Filing, "can" | "reason"> & Partial<Filing>,
): Filing => ({ what, against, where, who, request: null, until: null, ...why })

const no = (reason: string) => ({ can: false, reason })
const yes = (reason: string) => ({ can: true, reason })

function equivocation({ a, b, noEquivocation }: Dispute, situations: Situations | undefined): Filing[] {
  const [first, second] = [a.attestation, b.attestation]
  if (!first || !second || first.output === second.output) return []
  if (first.operator !== second.operator || first.model !== second.model) return []
  const say = (why: Pick<Filing, "can" | "reason">) => [
    filing("equivocation", "both", "SignOffBook", "anybody, who is paid the costs of what it ends", why),
  ]
  if (noEquivocation !== null) return say(no(noEquivocation))
  if (first.domain === "offline")
    return say(no("they are signed for use without a chain: whoever is shown both sees it, no contract does"))
  if (situations && !(situations.a && situations.b))
    return say(no("they are signed for another chain or contract"))
  if (situations?.a?.frozenBy && situations.b?.frozenBy)
    return say(no(`it was filed already, by ${situations.a.frozenBy}`))
  return say(yes("takes both signatures, and no run of the model"))
}

/** What an escrow takes against an answer that is wrong, or of which nothing is known. */
function atEscrow(against: "a" | "b", party: Party, situation: Situation | null | undefined): Filing[] {
  const { attestation, judgement, key, holds } = party
  if (!attestation || holds === false || judgement.verdict === "right") return []
  const isWrong = judgement.verdict === "wrong"
  const { request, domain } = attestation
  const about = { request, until: situation?.deadline ?? null }
  const none =
    request === zeroDigest || domain === "offline"
      ? "it answers no request at an escrow: no money is at stake"
      : situation === null
        ? "it is of another chain or contract"
        : situation && situation.state === null
          ? "it was not delivered for its request"
          : null
  const state = situation?.state ?? null
  const isOpen = state === null || state === "Delivered" || state === "Challenged"
  const over = state === "Requested" ? "it was not delivered yet" : `the request has ended: ${state}`
  const late = situation && situation.now > situation.deadline

  const challenge =
    none ??
    (!isOpen
      ? over
      : state === "Challenged"
        ? "somebody has challenged it"
        : late
          ? "its window has closed"
          : null)
  const risk = isWrong ? "which comes back with as much again" : "which is lost if it is proven"
  const whoChallenges = "anybody, with a stake"
  const challenging = filing("challenge", against, "Escrow", whoChallenges, {
    ...about,
    ...(challenge === null ? yes(`takes the request and a stake, ${risk}`) : no(challenge)),
  })
  if (!isWrong) return none === null ? [challenging] : []

  const convict =
    none ??
    (!isOpen
      ? over
      : key?.proofSystem !== "mirage"
        ? "escrows take proofs of `mirage` alone"
        : outputVisibility(key.layout) !== "public"
          ? "its output is committed to: another salt may give the same"
          : null)
  const end = late ? ", before somebody settles the request" : ""
  const convicting = filing("conviction", against, "Escrow", "whoever proves it, who is paid the costs", {
    ...about,
    ...(convict === null
      ? yes(`takes a proof of the right output, made for whoever brings it${end}`)
      : no(convict)),
  })
  return none === null ? [convicting, challenging] : [convicting]
}

/** What people can do: those who sign off, and the owner of the model. */
function byPeople(
  { a, b, right, apart, fromFloat }: Dispute,
  situations: Situations | undefined,
  document: PolicyDocument | undefined,
): Filing[] {
  const named = document?.signOffs
    .filter(({ role }) => roles[role] !== roles.operator)
    .map(({ role, signer }) => `${roleName(roles[role])} ${signer}`)
  const who = named?.length ? named.join(", ") : "whoever its policy names"
  const found: Filing[] = []
  for (const [against, party] of [
    ["a", a],
    ["b", b],
  ] as const) {
    const { attestation, judgement, holds, outside } = party
    if (holds === false) continue
    const far = fromFloat?.[against]?.some((each) => each.within === false) ?? false
    const isWrong = judgement.verdict === "wrong"
    const disagrees =
      right === "both" && a.model !== b.model && !apart?.every(({ within }) => within === true)
    const why = isWrong
      ? "it is wrong"
      : outside !== null
        ? "it lies outside its policy"
        : far
          ? "it lies outside the tolerance"
          : disagrees
            ? "it is right, and another model says something else"
            : null
    if (why === null) continue
    if (attestation) {
      found.push(
        filing(
          "rejection",
          against,
          "a signature",
          who,
          yes(`${why}; recorded at the book, everybody sees it`),
        ),
      )
      found.push(filing("withdrawal", against, "a signature", "whoever has approved it", yes(why)))
    }
    // who ran it is at fault where it is wrong, not the model
    if (isWrong) continue
    const isRecalled = situations?.[against]?.recalled === true
    const recall = isRecalled
      ? no("its model was recalled already")
      : yes(`${why}; earlier answers stop being actionable`)
    found.push(filing("recall", against, "ModelRegistry", "the owner of its model", recall))
  }
  return found
}

/** Grounds of a policy that hold in a dispute, with the remedy that it names for each. */
export function groundsOf(
  { a, b, noEquivocation, apart, fromFloat }: Dispute,
  { disputes }: PolicyDocument,
  situations?: Situations,
): PolicyDocument["disputes"] {
  const parties = [a, b]
  const isFar = (each: Dispute["apart"] | undefined) => each?.some(({ within }) => within === false) ?? false
  const sides = situations ? [situations.a, situations.b] : []
  const holds: Partial<Record<PolicyDocument["disputes"][number]["ground"], boolean>> = {
    "wrong output": parties.some(({ judgement }) => judgement.verdict === "wrong"),
    equivocation: noEquivocation === null,
    "outside policy": parties.some(({ outside }) => outside !== null),
    "outside tolerance": fromFloat ? isFar(fromFloat.a) || isFar(fromFloat.b) : isFar(apart),
    recalled: sides.some((side) => side?.recalled === true),
    unproven: sides.some((side) => side?.state === "Silent"),
    undelivered: sides.some((side) => side?.state === "Expired"),
  }
  return disputes.filter(({ ground }) => holds[ground] === true)
}
