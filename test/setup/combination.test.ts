/** Combinations of powers of tau against the same combinations of points whose secrets are known. */
import fc from "fast-check"
import { afterAll, beforeAll, expect, test } from "vitest"
import { encodeFields } from "#src/circuit/formats/container.js"
import type { R1cs } from "#src/circuit/formats/r1cs.js"
import { wireRange } from "#src/circuit/link/circuit.js"
import { cosetRoot, domainRoot } from "#src/circuit/link/domain.js"
import { compile } from "#src/compile/compile.js"
import { inverse, mod, power } from "#src/field.js"
import { type Affine, type KernelEngine, openEngine } from "#src/prover/kernels/engine.js"
import { addPoints } from "#src/prover/kernels/points/points.js"
import { Combinations } from "#src/setup/combination.js"
import { openPtau } from "#src/setup/ptau/file.js"
import type { PowersOfTau } from "#src/setup/ptau/powers.js"
import { hasProduct, programRows } from "#src/setup/qap.js"
import { publicColumns, type Query, type Secret } from "#src/setup/queries.js"
import { evaluateByTrapdoor } from "#src/setup/trapdoor.js"
import { contributedKeysOf } from "#src/systems/index.js"
import { perceptron } from "../support/networks.js"
import { uncontributedPtau } from "../support/ptau.js"
import { instances } from "../support/r1cs-systems.js"
import { Random } from "../support/random.js"

const trapdoor = { tau: 2n ** 200n + 12345n, alpha: 2n ** 190n + 7n, beta: 2n ** 180n + 3n }
const random = new Random(3)
const factorsFor = (count: number): bigint[] =>
  Array.from({ length: count }, () => BigInt(random.integer(0, 2 ** 42)) ** 3n + 1n)
/** Factors as combinations take them. */
function bytesOf(factors: readonly bigint[]): Uint8Array {
  const words = factors.flatMap((factor) => [factor & (2n ** 64n - 1n), factor >> 64n])
  return new Uint8Array(BigUint64Array.from(words).buffer)
}

const powersOf = async (power: number): Promise<PowersOfTau> =>
  openPtau(await uncontributedPtau(power, trapdoor))

/** Randomness that draws these scalars, one after the other (`draw` of src/setup/trapdoor.ts). */
function drawing(scalars: readonly bigint[]): (n: number) => Uint8Array {
  let next = 0
  return (n) => {
    let rest = scalars[next++]
    const bytes = new Uint8Array(n)
    for (let i = n - 1; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 255n)
    return bytes
  }
}

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
    const odd = Array.from({ length: n }, (_, k) => power(cosetRoot(n), BigInt(2 * k + 1)))
    factors.forEach((factor, i) => {
      const multiple = factor << BigInt(query.layers.bits * Math.floor(i / n))
      highest += multiple * odd[i % n]
    })
  } else if ("sum" in query && query.sum[0].column === "oddProducts") {
    const { c } = system
    const ofWire = new Map([...query.wires].map((wire, i) => [wire, factors[i]]))
    for (let row = 0; row < system.rows; row++) {
      if (!hasProduct(system, row)) continue
      const point = power(domainRoot(n), BigInt(row))
      for (let j = c.rowPtr[row]; j < c.rowPtr[row + 1]; j++) {
        highest += system.values[c.coefficients[j]] * (ofWire.get(c.wires[j]) ?? 0n) * point
      }
    }
  }
  return mod(highest * inverse(BigInt(2 * n)) * difference)
}

/** Σ scalar · point, of points as a file has them. */
async function msm(group: "g1" | "g2", points: Uint8Array, scalars: readonly bigint[]): Promise<Affine> {
  const set = await kernels.points(group, points)
  try {
    return await kernels.msm(set, { full: encodeFields(scalars) })
  } finally {
    kernels.free(set)
  }
}

/** Compares query by query, and all together. */
async function compare(
  powers: PowersOfTau,
  system: R1cs,
  n: number,
  secrets: readonly Secret[],
  queries: Readonly<Record<string, Query>>,
): Promise<void> {
  const { tau, alpha, beta } = trapdoor
  const drawn = { alpha, beta, delta: 1n, deltaC: 1n, deltaW: 1n }
  const evaluate = evaluateByTrapdoor({
    random: drawing([tau, ...secrets.map((secret) => drawn[secret])]),
    threads: 1,
  })
  const points = await evaluate(system, n, secrets, queries)
  const combinations = await Combinations.open(kernels, powers, system, n)
  const parts = Object.entries(queries).map(([name, query]) => {
    const factors = factorsFor(points[name].length / (query.group === "g1" ? 64 : 128))
    return { name, query, factors, weighted: { query, factors: bytesOf(factors) } }
  })
  const isWhole = 2 * n < 2 ** (powers.power + 1)
  const sums: Record<"g1" | "g2", Affine[]> = { g1: [], g2: [] }
  for (const { name, query, factors, weighted } of parts) {
    const { group } = query
    let expected = await msm(group, points[name], factors)
    if (!isWhole) {
      const lost = await kernels.fixedBase("g1", encodeFields([missing(system, n, query, factors)]))
      expected = addPoints(group, [expected, ...(group === "g1" ? [await msm("g1", lost, [mod(-1n)])] : [])])
    }
    sums[group].push(expected)
    const found = await combinations.of([weighted])
    expect(found, name).toEqual({ g1: null, g2: null, [group]: expected })
  }
  const all = await combinations.of(parts.map(({ weighted }) => weighted))
  expect(all).toEqual({ g1: addPoints("g1", sums.g1), g2: addPoints("g2", sums.g2) })
  combinations.close()
}

// powers that reach beyond twice the domain, and exactly one less
test.each([
  [16, 4],
  [16, 5],
  [18, 5],
  [20, 5],
  [26, 5],
  [24, 5],
  [30, 5],
  [32, 5],
])("over a domain of %i points from powers to 2^%i, any queries", async (n, ofTwo) => {
  const powers = await powersOf(ofTwo)
  await fc.assert(
    fc.asyncProperty(instances(9), async ({ system }) => {
      expect(programRows(system)).toBeLessThanOrEqual(n)
      await compare(powers, system, n, ["alpha", "beta", "delta", "deltaC"], queriesOf(system))
    }),
    { numRuns: 3 },
  )
})

test.each(["mirage", "groth16"] as const)("the keys of %s", async (proofSystem) => {
  const { graph } = await perceptron([3, 2, 2], 6)
  const circuit = await compile(graph, { proofSystem })
  const { domain, secrets, queries } = contributedKeysOf(circuit).queries(circuit)
  const powers = await powersOf(Math.ceil(Math.log2(domain)))
  await compare(powers, circuit.linked.r1cs, domain, secrets, queries)
})
