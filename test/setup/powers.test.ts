/** Keys from powers of tau against keys from the secrets of these powers, byte by byte. */
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { R1cs } from "#src/circuit/formats/r1cs.js"
import { r } from "#src/field.js"
import { type KernelEngine, openEngine } from "#src/prover/kernels/engine.js"
import { evaluateByPowers, sectionsFor, signedDigits } from "#src/setup/powers.js"
import { openPtau } from "#src/setup/ptau/file.js"
import type { PowersOfTau } from "#src/setup/ptau/powers.js"
import type { KeyQueries } from "#src/setup/queries.js"
import { evaluateByTrapdoor } from "#src/setup/trapdoor.js"
import { plainKeyQueries } from "#src/systems/groth16/setup.js"
import { knownPoints, randomOf } from "../support/known-powers.js"
import { tauSecrets, uncontributedPtau } from "../support/ptau.js"
import { instances, systemOf } from "../support/r1cs-systems.js"

let engine: KernelEngine
let powers: PowersOfTau
beforeAll(async () => {
  engine = await openEngine({ threads: 2 })
  powers = await openPtau(await uncontributedPtau(2))
})
afterAll(() => engine.close())

const { tau, alpha, beta } = tauSecrets

async function compare(system: R1cs, { domain, secrets, queries }: KeyQueries, block = {}): Promise<void> {
  const lagrange = await knownPoints(engine, domain, sectionsFor(queries), true)
  const made = await evaluateByPowers(engine, powers, lagrange, block)(system, domain, secrets, queries)
  const random = randomOf([tau, alpha, beta, 1n, 1n].slice(0, 1 + secrets.length))
  const expected = await evaluateByTrapdoor({ random, threads: 1 })(system, domain, secrets, queries)
  for (const [name, points] of Object.entries(expected)) {
    expect(Buffer.from(made[name]).equals(Buffer.from(points)), name).toBe(true)
  }
  expect(Object.keys(made)).toEqual(Object.keys(queries))
}

test("digits of coefficients: none next to another, and their sum is the integer", () => {
  fc.assert(
    fc.property(fc.oneof(fc.bigInt(-r, r), fc.bigInt(-(2n ** 30n), 2n ** 30n)), (value) => {
      const digits = signedDigits(value)
      expect(
        digits.reduce((sum, digit) => sum + (digit & 1 ? -1n : 1n) * (1n << BigInt(digit >> 1)), 0n),
      ).toBe(value)
      for (let i = 1; i < digits.length; i++)
        expect((digits[i] >> 1) - (digits[i - 1] >> 1)).toBeGreaterThan(1)
    }),
  )
})

describe("every section is what the secrets make of it", () => {
  test("of random systems, in one block and in many", async () => {
    await fc.assert(
      fc.asyncProperty(instances(), fc.boolean(), async ({ system }, small) => {
        await compare(system, plainKeyQueries(system), small ? { block: { points: 300, digits: 40 } } : {})
      }),
      { numRuns: 25, endOnFailure: true },
    )
  })

  test("where coefficients cancel, repeat and are as long as they can be", async () => {
    const a = [
      [3, 5n],
      [3, -5n],
      [4, r - 1n],
      [4, 1n - r],
      [5, 7n],
      [5, 7n],
      [5, (r - 1n) / 2n],
    ] as [number, bigint][]
    const rows = Array.from({ length: 5 }, (_, i): [typeof a, typeof a, typeof a] => [
      [...a, [6, 1n << BigInt(i * 50)], [i, 0n]],
      [[7, 1n - BigInt(i)], ...a],
      [[6, -1n], ...a.toReversed()],
    ])
    const system = systemOf(rows, 9, 1, 1)
    await compare(system, plainKeyQueries(system))
    await compare(system, plainKeyQueries(system), { block: { points: 1, digits: 1 } })
  })

  test("a section that nothing is in, and an abort", async () => {
    const system = systemOf([[[], [], [[2, 1n]]]], 3, 0, 0)
    await compare(system, plainKeyQueries(system))
    const { domain, secrets, queries } = plainKeyQueries(system)
    const lagrange = await knownPoints(engine, domain, sectionsFor(queries), true)
    const evaluate = evaluateByPowers(engine, powers, lagrange, { signal: AbortSignal.abort() })
    await expect(evaluate(system, domain, secrets, queries)).rejects.toMatchObject({ name: "AbortError" })
  })
})
