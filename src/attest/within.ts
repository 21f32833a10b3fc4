/**
 * Whether an answer lies within its policy: admissible inputs and outputs, and a margin that is wide enough. Contracts
 * compare the same integers (bounds.ts) of what statements show; of what is hidden or committed to, whoever holds the
 * values can ask here, and of a model that was compiled with the document the statement has a bit for it (predicate.ts).
 */
import { checkRecord, checkThing } from "../arguments.js"
import { UsageError } from "../errors.js"
import type { InputLayout, Layout, TensorLayout } from "../statement/layout.js"
import { flatten, type Statement, shapeProblem, shownValues, type Values } from "../statement/statement.js"
import { integerLimits, steps, tensorOf } from "./bounds.js"
import { documentDigest, type PolicyDocument, parseDocument } from "./document.js"
import { predicateSays } from "./predicate.js"

/** Integers of sides that a statement does not show, from whoever holds them. */
export interface Opened {
  readonly input?: Values
  readonly output?: Values
}

const mostReasons = 32

/**
 * Null if a statement lies within a policy document, else the reasons why not. What cannot be seen is a reason, too,
 * unless the model has the document's bit.
 * It says nothing about whether the statement is true: verify the receipt first. A bit is what the model computes: that
 * this is the document's is for an audit of the circuit (`countersign audit --policy`).
 * @throws FileError for a malformed document; UsageError if document, layout and statement do not fit each other
 */
export function within(
  given: PolicyDocument,
  layout: Layout,
  statement: Statement,
  opened: Opened = {},
): readonly string[] | null {
  const document = parseDocument(given)
  const read = reader(layout, statement, opened)
  const proven = predicateSays(statement, layout, documentDigest(document))
  const reasons: string[] =
    proven === false ? ["by the model's own bit the answer is outside of the policy"] : []
  let more = 0
  for (const { side, tensor, elements, least, most } of integerLimits(document, layout)) {
    const values = read(side, tensor)
    if (typeof values === "string") {
      if (proven === null) reasons.push(`the limit of ${values}`)
    } else
      for (const i of elements ?? values.keys())
        if (values[i] < least || values[i] > most)
          if (reasons.length >= mostReasons) more++
          else
            reasons.push(
              `${side} ${JSON.stringify(tensor.name)}[${i}] is ${real(values[i], tensor)}, admissible is ${real(least, tensor)} to ${real(most, tensor)}`,
            )
  }
  if (document.abstain) reasons.push(...abstention(document.abstain, layout, read, proven !== null))
  if (more > 0) reasons.push(`and ${more} more`)
  return reasons.length === 0 ? null : reasons
}

const real = (q: bigint | number, { scale }: TensorLayout): number =>
  Number((Number(q) * scale).toPrecision(12))

type Reader = (side: "input" | "output", tensor: InputLayout) => readonly bigint[] | string

function reader(layout: Layout, statement: Statement, opened: Opened): Reader {
  checkThing("layout", layout, "layout")
  checkThing("statement", statement, "statement")
  checkRecord(opened, "opened")
  const problem = shapeProblem(statement, layout)
  if (problem !== null) throw new UsageError({ what: problem })
  return (side, tensor) => {
    const values = tensor.visibility === "public" ? shownValues(statement[side]) : opened[side]
    if (values === undefined)
      return `${side} ${JSON.stringify(tensor.name)} cannot be checked: the ${side} is ${tensor.visibility}`
    const only = { [tensor.name]: values[tensor.name] ?? [] }
    return flatten({ visibility: "public", values: only }, [tensor], side)
  }
}

/** Distance of the largest element from the next one, against a margin, in exact steps of the layout. */
function abstention(
  { tensor: name, margin }: NonNullable<PolicyDocument["abstain"]>,
  layout: Layout,
  read: Reader,
  isProven: boolean,
): readonly string[] {
  const { tensor } = tensorOf(layout, "output", name)
  const values = read("output", tensor)
  if (typeof values === "string") return isProven ? [] : [`the margin of ${values}`]
  if (values.length < 2) return []
  const [largest, next] = [...values].sort((x, y) => (x < y ? 1 : x > y ? -1 : 0))
  if (largest - next >= steps(margin, tensor.scale).ceil) return []
  return [
    `the answer is an abstention: the largest of output ${JSON.stringify(name)} is ${real(largest - next, tensor)} above the next, below ${margin}`,
  ]
}

/** Whether an integer model's real output is as near to the float model's as a policy says. */
export const withinTolerance = ({ tolerance }: PolicyDocument, integer: number, float: number): boolean =>
  // near to infinity by a part of it would be everything
  Number.isFinite(float) &&
  Math.abs(integer - float) <= tolerance.absolute + tolerance.relative * Math.abs(float)
