/** Combinations of powers of tau against the same combinations of points whose secrets are known. */
import fc from "fast-check"
import { afterAll, beforeAll, expect, test } from "vitest"
import { encodeFields } from "#src/circuit/formats/container.js"
import type { R1cs } from "#src/circuit/formats/r1cs.js"
import { wireRange } from "#src/circuit/link/circuit.js"
import { cosetRoot, domainRoot } from "#src/circuit/link/domain.js"
import { inverse, mod, power } from "#src/field.js"
import { type KernelEngine, openEngine } from "#src/prover/kernels/engine.js"
import { addPoints } from "#src/prover/kernels/points/points.js"
import { Combinations } from "#src/setup/combination.js"
import { hasProduct, programRows } from "#src/setup/qap.js"
import { publicColumns, type Query } from "#src/setup/queries.js"
import { evaluateByTrapdoor } from "#src/setup/trapdoor.js"
import { drawing, powersOf } from "../support/powers.js"
import { instances } from "../support/r1cs-systems.js"
import { Random } from "../support/random.js"

const trapdoor = { tau: 2n ** 200n + 12345n, alpha: 2n ** 190n + 7n, beta: 2n ** 180n + 3n }
const random = new Random(3)
const factorsFor = (count: number): bigint[] =>
  Array.from({ length: count }, () => BigInt(random.integer(0, 2 ** 40)) ** 3n + 1n)

let kernels: KernelEngine
beforeAll(async () => {
  kernels = await openEngine()
})
afterAll(() => kernels.close())

const queriesOf = (system: R1cs): Record<string, Query> => {
  const all = wireRange(0, system.wires)
  const some = all.filter((wire) => wire % 3 !== 1)
  return {
    b2: { group: "g2", wires: some, sum: [{ column: "v" }] },
    a: { group: "g1", wires: all, sum: [{ column: "u" }] },
    ic: { group: "g1", wires: all.slice(0, 2), sum: publicColumns },
    committed: { group: "g1", wires: all.slice(2), sum: publicColumns, over: "deltaC" },
    h: { group: "g1", layers: { bits: 90, count: 3 }, over: "delta" },
    c: { group: "g1", wires: some, sum: [{ column: "oddProducts" }], over: "delta" },
    g1: { group: "g1", secrets: ["alpha", "beta", "delta", "deltaC", "one"] },
    g2: { group: "g2", secrets: ["beta", "delta", "one"] },
  }
}

/** What is missing where τ^(2n−1) is taken for τ^(n−1): the highest coefficient times their difference. */
function missing(system: R1cs, n: number, query: Query, factors: readonly bigint[]): bigint {
  const { tau } = trapdoor
  const difference = power(tau, BigInt(2 * n - 1)) - power(tau, BigInt(n - 1))
  let highest = 0n
  if ("layers" in query) {
    const eta = cosetRoot(n)
    factors.forEach((factor, i) => {
      const multiple = factor << BigInt(query.layers.bits * Math.floor(i / n))
      highest += multiple * power(eta, BigInt(2 * (i % n) + 1)) * inverse(BigInt(2 * n))
    })
  } else if ("sum" in query && query.sum[0].column === "oddProducts") {
    const { c } = system
    query.wires.forEach((wire, i) => {
      for (let row = 0; row < system.rows; row++) {
        if (!hasProduct(system, row)) continue
        for (let j = c.rowPtr[row]; j < c.rowPtr[row + 1]; j++) {
          if (c.wires[j] !== wire) continue
          const value = system.values[c.coefficients[j]] * factors[i]
          highest += value * power(domainRoot(n), BigInt(row)) * inverse(BigInt(2 * n))
        }
      }
    })
  }
  return mod(highest * difference)
}

// powers that reach beyond twice the domain, and exactly one less
test.each([
  [16, 4],
  [16, 5],
  [18, 5],
  [24, 5],
  [32, 5],
])("of a domain of %i points from powers to 2^%i, query by query and all together", async (n, ofTwo) => {
  const powers = await powersOf(trapdoor, ofTwo)
  const { tau, alpha, beta } = trapdoor
  await fc.assert(
    fc.asyncProperty(instances(9), async ({ system }) => {
      expect(programRows(system)).toBeLessThanOrEqual(n)
      const queries = queriesOf(system)
      const secrets = ["alpha", "beta", "delta", "deltaC"] as const
      const points = await evaluateByTrapdoor(system, n, secrets, queries, {
        random: drawing([tau, alpha, beta, 1n, 1n]),
        threads: 1,
      })
      const combinations = await Combinations.open(kernels, powers, system, n)
      const parts = Object.entries(queries).map(([name, query]) => {
        const count = points[name].length / (query.group === "g1" ? 64 : 128)
        return { name, query, factors: factorsFor(count) }
      })
      const sums = { g1: [] as bigint[][], g2: [] as bigint[][] }
      for (const { name, query, factors } of parts) {
        const { group } = query
        const set = await kernels.points(group, points[name])
        const sum = await kernels.msm(set, { full: encodeFields(factors) })
        kernels.free(set)
        const lost = 2 * n <= 2 ** (ofTwo + 1) - 1 ? 0n : missing(system, n, query, factors)
        const generator = await kernels.points(
          "g1",
          await kernels.fixedBase("g1", encodeFields([mod(-lost)])),
        )
        const rest = await kernels.msm(generator, { small: Float64Array.of(1) })
        const expected = group === "g1" ? addPoints("g1", [sum, rest]) : sum
        if (expected) sums[group].push([...expected])
        const found = await combinations.of([{ query, factors: encodeFields(factors) }])
        expect(found[group], name).toEqual(expected)
        expect(found[group === "g1" ? "g2" : "g1"]).toBe(null)
      }
      const all = await combinations.of(
        parts.map(({ query, factors }) => ({ query, factors: encodeFields(factors) })),
      )
      expect(all).toEqual({ g1: addPoints("g1", sums.g1), g2: addPoints("g2", sums.g2) })
      combinations.close()
    }),
    { numRuns: 3 },
  )
})
