/** A fast version against the slow one that is kept beside it. */
import fc from "fast-check"
import { expect } from "vitest"
import { amount } from "./amount.js"

type Version<Input> = (input: Input) => Promise<unknown>

/**
 * Whether both give the same: for all edges, however long that takes, then for random inputs until the budget is
 * spent. An input for which they differ is made small before it is shown.
 */
export async function equivalent<Input>(
  slow: Version<Input>,
  fast: Version<Input>,
  {
    edges,
    inputs,
    budgetMs = amount(100, 500),
  }: { edges: Input[]; inputs: fc.Arbitrary<Input>; budgetMs?: number },
): Promise<void> {
  const agree = async (input: Input) => {
    expect(await fast(input)).toEqual(await slow(input))
  }
  for (const edge of edges) await agree(edge)
  const property = fc.asyncProperty(inputs, agree)
  const all = Number.MAX_SAFE_INTEGER
  const details = await fc.check(property, { numRuns: all, interruptAfterTimeLimit: budgetMs })
  // on a machine that others use as well not one may have ended by then
  if (details.interrupted && details.numRuns === 0) await fc.assert(property, { numRuns: 1 })
  else if (details.failed) throw new Error(await fc.asyncDefaultReportMessage(details))
}
