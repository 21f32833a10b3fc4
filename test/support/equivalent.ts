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
  const numRuns = Number.MAX_SAFE_INTEGER
  await fc.assert(fc.asyncProperty(inputs, agree), { numRuns, interruptAfterTimeLimit: budgetMs })
}
