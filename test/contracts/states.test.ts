/**
 * Random calls by several parties, hostile ones among them, on the escrow and on a model of it. A few dozen sequences
 * here; `npm run states` makes thousands. A failure names the seed and the shortest sequence found.
 */
import fc from "fast-check"
import { afterAll, beforeAll, expect, test } from "vitest"
import { calls, World } from "../support/escrow-model.js"
import { setStage } from "../support/escrow-world.js"
import { type Settlement, startSettlement } from "../support/settlement.js"

const { STATES, STATES_SEED } = process.env
const sequences = Number(STATES ?? 40)

let s: Settlement
beforeAll(async () => {
  s = await startSettlement()
})
afterAll(() => s?.close())

const weights: Partial<Record<(typeof calls)[number], number>> = {
  request: 3,
  deliver: 6,
  challenge: 4,
  answer: 3,
  settle: 2,
  convict: 3,
  file: 3,
  equivocated: 3,
  withdraw: 2,
}
const small = fc.nat(11)
const step = fc.record({
  call: fc.constantFrom(...calls.flatMap((call) => Array<typeof call>(weights[call] ?? 1).fill(call))),
  who: fc.nat(6),
  which: fc.nat(2),
  when: fc.constantFrom(0, 0, 0, 0, 0, 1, 2),
  a: small,
  b: small,
  flaw: small,
})

test.each([
  ["a verifier that knows the truth", false, sequences],
  ["the verifier and real proofs", true, Math.ceil(sequences / 20)],
] as const)(
  "after any calls everybody has what the table says, and leaves alone: %s",
  async (_, real, numRuns) => {
    const world = new World(await setStage(s, real))
    const seed = STATES_SEED === undefined ? {} : { seed: Number(STATES_SEED) }
    const made = fc.array(step, { minLength: 1, maxLength: 16, size: "max" })
    await fc.assert(
      fc.asyncProperty(made, fc.nat(6), (steps, first) => world.run(steps, first)),
      { numRuns, ...seed },
    )
    const { accepted, refused, ends } = world.tally
    if (STATES) console.log({ sequences: numRuns, calls: accepted + refused, accepted, refused, ends })
    // a model that foresees nothing but refusals would agree with anything
    expect(accepted).toBeGreaterThan(numRuns)
    if (STATES) expect(new Set(Object.keys(ends).map((end) => end.split(",")[0])).size).toBe(7)
  },
  3_600_000,
)
