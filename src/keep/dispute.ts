/**
 * Two systems disagree: two claims, each an operator's attestation or a receipt, and the question who is right. Each claim
 * is judged by itself (party.ts), and only then are the two put side by side.
 *
 * Being right is to say what one's own model says. Two models that disagree can both be right; which of them is the better
 * one is not for a computation to say. And two attestations that contradict each other need no model at all: their
 * operator signed both.
 */
import { sameDomain } from "../attest/attestation.js"
import { keccak } from "../attest/canonical.js"
import { withinTolerance } from "../attest/index.js"
import { inputVisibility, outputVisibility } from "../statement/layout.js"
import type { Judged } from "./judge.js"
import { type Checked, check, type DisputeFacts, judge, type Party, party, type Shown } from "./party.js"

/** How far outputs lie apart. */
export interface Apart {
  readonly output: string
  /** Largest absolute difference, and the element that has it. */
  readonly largest: number
  readonly element: number
  /** Whether every element is within the policy's tolerance of the reference; null without a policy. */
  readonly within: boolean | null
}

export interface Dispute {
  readonly a: Party
  readonly b: Party
  readonly right: "a" | "b" | "both" | "neither" | "unknown"
  readonly reason: string
  /** Whether both are about the same input; null where that cannot be said. */
  readonly sameInput: boolean | null
  /** Null if one operator signed both, and they contradict each other; else why not. */
  readonly noEquivocation: string | null
  /** Between both, the larger one of two elements as reference; null where an output is not known, or they have not the same. */
  readonly apart: readonly Apart[] | null
  /** Of each to the float model; null without it, or without its input. */
  readonly fromFloat: { readonly a: readonly Apart[] | null; readonly b: readonly Apart[] | null } | null
}

/**
 * Compares two claims.
 * @throws UsageError for models, keys and policies that do not fit each other; what `accounts` throw when their chain
 * cannot be asked
 */
export async function dispute(a: Shown, b: Shown, facts: DisputeFacts = {}): Promise<Dispute> {
  const keys = [...(facts.models ?? []).map(({ verificationKey }) => verificationKey), ...(facts.keys ?? [])]
  const checked = await Promise.all([a, b].map((shown) => check(shown, keys, facts)))
  const judged = checked.map((each, i) => judge(each, checked[1 - i], facts))
  const [first, second] = checked.map((each, i) => party(each, judged[i], facts))
  const sameInput = isSameInput(checked[0], checked[1], judged)
  const input = first.known?.input ?? second.known?.input
  const float = facts.float && input && sameInput !== false ? facts.float(input) : null
  const tolerance = facts.policy?.document
  const near = tolerance && ((x: number, reference: number) => withinTolerance(tolerance, x, reference))
  const against = ({ outputs }: Party) => float && outputs && apart(outputs, float, near)
  const alike = near && ((x: number, y: number) => near(x, y) || near(y, x))
  return {
    a: first,
    b: second,
    ...decision(first, second, sameInput),
    sameInput,
    noEquivocation: equivocationProblem(first, second),
    apart:
      first.outputs && second.outputs && sameInput !== false
        ? apart(first.outputs, second.outputs, alike)
        : null,
    fromFloat: float && { a: against(first), b: against(second) },
  }
}

/** Whether two claims are about one input, by their digests or by what they were run on; null if neither says it. */
function isSameInput(a: Checked, b: Checked, [ofA, ofB]: readonly Judged[]): boolean | null {
  const hidden = a.key === null || inputVisibility(a.key.layout) === "hidden"
  if (!hidden && a.claim && b.claim && a.claim.key === b.claim.key) {
    if (a.claim.input === b.claim.input) return true
    if (a.key && inputVisibility(a.key.layout) === "public") return false
  }
  if (!ofA.run || !ofB.run) return null
  if (a.model === b.model) return same(ofA.run.input, ofB.run.input)
  // other models round otherwise: only the real numbers can be compared, and those of a store are rounded
  return same(ofA.run.known.input, ofB.run.known.input) ? true : null
}

const same = (a: object, b: object): boolean => {
  const text = (x: object) =>
    JSON.stringify(
      Object.entries(x).sort(([m], [n]) => (m < n ? -1 : 1)),
      (_, value) => (ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value),
    )
  return text(a) === text(b)
}

function apart(
  values: Readonly<Record<string, ArrayLike<number>>>,
  reference: Readonly<Record<string, ArrayLike<number>>>,
  near: ((x: number, reference: number) => boolean) | undefined,
): readonly Apart[] | null {
  const names = Object.keys(values)
  const fits = names.length === Object.keys(reference).length
  if (!fits || names.some((name) => values[name].length !== reference[name]?.length)) return null
  return names.map((output) => {
    const [x, y] = [Array.from(values[output]), Array.from(reference[output])]
    const distances = x.map((value, i) => Math.abs(value - y[i]))
    const element = distances.reduce((best, distance, i) => (distance > distances[best] ? i : best), 0)
    const isWithin = near ? x.every((value, i) => near(value, y[i])) : null
    return { output, largest: distances[element] ?? 0, element, within: isWithin }
  })
}

function decision(a: Party, b: Party, sameInput: boolean | null): Pick<Dispute, "right" | "reason"> {
  const [ofA, ofB] = [a.judgement.verdict, b.judgement.verdict]
  const open = [...(ofA === "unknown" ? ["A"] : []), ...(ofB === "unknown" ? ["B"] : [])]
  if (open.length > 0) {
    const other = open.length === 2 ? "" : `; ${open[0] === "A" ? `B is ${ofB}` : `A is ${ofA}`}`
    return { right: "unknown", reason: `nothing is known of ${open.join(" and ")}${other}` }
  }
  if (ofA === "wrong" && ofB === "wrong")
    return { right: "neither", reason: "neither says what its model says" }
  if (ofA !== ofB) {
    const [right, wrong] = ofA === "right" ? ["A", "B"] : ["B", "A"]
    return {
      right: ofA === "right" ? "a" : "b",
      reason: `${right} says what its model says, ${wrong} does not`,
    }
  }
  return { right: "both", reason: bothRight(a, b, sameInput) }
}

function bothRight(a: Party, b: Party, sameInput: boolean | null): string {
  if (sameInput === false) return "each says what its model says, about an input of its own"
  if (a.model === b.model)
    return sameInput
      ? "both say what the model says"
      : "each says what the model says, perhaps about other inputs"
  const inputs = sameInput ? "for the same input" : "for an input that may be another"
  return `each says what its own model says, ${inputs}: which model is the better one, no proof says`
}

/** Digest of a hidden input, whichever it is. */
const noWords = keccak(new Uint8Array(0))

/** Why two claims are no contradiction of one operator, or null. */
function equivocationProblem(a: Party, b: Party): string | null {
  const [first, second] = [a.attestation, b.attestation]
  if (!first || !second) return "a receipt is signed by nobody: two attestations contradict each other"
  if (a.holds === false || b.holds === false) return "a signature does not hold"
  if (!sameDomain(first.domain, second.domain)) return "they are signed for different places"
  const differs = (["operator", "model", "key", "input", "policy"] as const).find(
    (name) => first[name] !== second[name],
  )
  if (differs !== undefined) return `their \`${differs}\` differs`
  if (first.output === second.output) return "they say the same output"
  if (first.input === noWords) return "their inputs are hidden: nobody sees whether they are the same"
  if (!a.key) return "their key was not given, which says whether their outputs are shown"
  return outputVisibility(a.key.layout) === "committed"
    ? "their outputs are committed to: one answer under two salts looks the same"
    : null
}
