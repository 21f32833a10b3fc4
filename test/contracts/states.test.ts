/**
 * Random calls by several parties, hostile ones among them, on the escrow and on a model of it. A few sequences here,
 * the first of which come to every end and meet every kind of hostility; `npm run states` makes thousands more. A failure
 * names the seed and the shortest sequence found.
 */
import fc from "fast-check"
import { afterAll, beforeAll, expect, test } from "vitest"
import { amount } from "../support/amount.js"
import { World } from "../support/escrow-model.js"
import { everyEnd, everyStranger, life } from "../support/escrow-sequences.js"
import { calls, everything, type Step } from "../support/escrow-steps.js"
import { setStage } from "../support/escrow-world.js"
import { type Settlement, startSettlement } from "../support/settlement.js"

const { STATES, STATES_SEED } = process.env
const sequences = Number(STATES ?? amount(2, 6))

let s: Settlement
beforeAll(async () => {
  s = await startSettlement()
  s.provider.pollingInterval = 20
})
afterAll(() => s?.close())

const small = fc.nat(11)
const when = fc.constantFrom(...Array<number>(10).fill(0), 1, 2)
const flaw = fc.constantFrom(...Array<number>(20).fill(0), 4, 7, 8, 9, 10, 11)
/** Anything, of anybody, on any request. */
const step: fc.Arbitrary<Step> = fc.record({
  call: fc.constantFrom(...calls),
  who: fc.nat(6),
  which: fc.nat(2),
  when,
  a: small,
  b: small,
  flaw,
})

test.each([
  ["a verifier that knows the truth", false, sequences, [everyEnd, everyStranger], everything],
  ["the verifier and real proofs", true, Math.floor(sequences / 20), [everyEnd], []],
] as const)(
  "after any calls everybody has what the table says, and leaves alone: %s",
  async (_, real, random, given, goals) => {
    const fresh = await s.provider.send("evm_snapshot", [])
    const world = new World(await setStage(s, real))
    const seed = STATES_SEED === undefined ? {} : { seed: Number(STATES_SEED) }
    // alone, steps seldom follow on one another; lives seldom meet
    const some = fc.oneof({ arbitrary: life, weight: 1 }, { arbitrary: step.map((one) => [one]), weight: 3 })
    const rest = fc.array(some, { minLength: 2, maxLength: 8, size: "max" })
    const made = fc.tuple(life, rest).map(([one, others]) => [one, ...others].flat())
    const began = performance.now()
    await fc.assert(
      fc.asyncProperty(made, fc.nat(6), (steps, first) => world.run(steps, first)),
      {
        numRuns: given.length + random,
        examples: given.map((steps): [Step[], number] => [[...steps], 0]),
        ...seed,
      },
    )
    await s.provider.send("evm_revert", [fresh])
    const { accepted, refused, seen } = world.tally
    const seconds = Math.round((performance.now() - began) / 1000)
    if (STATES)
      console.log({
        sequences: given.length + random,
        calls: accepted + refused,
        accepted,
        refused,
        seconds,
        seen,
      })
    // what no sequence came to, nothing was shown of; the first ones come to everything
    const least = 1 + Math.floor(random / 500)
    expect(goals.filter((goal) => (seen[goal] ?? 0) < least)).toEqual([])
  },
  7_200_000,
)
