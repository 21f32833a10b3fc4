/**
 * Products of matrices under a challenge: every result that the rows accept over a small field, what each row is for,
 * forgeries against weaker rules, and how many rows the planner expects.
 */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { R1csBuilder } from "#src/circuit/link/builder.js"
import { ProjectionBuilder } from "#src/circuit/link/projection.js"
import { lookupForms } from "#src/circuit/plan/forms.js"
import { type Projection, projectionOf, projections } from "#src/circuit/plan/projection.js"
import { compile } from "#src/compile/compile.js"
import { inspect } from "#src/compile/inspect.js"
import { mod, power, r } from "#src/field.js"
import type { ContractionNode } from "#src/ops/program.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { readGraph } from "../../support/hostile-graphs.js"
import { Random } from "../../support/random.js"
import { holds, termsOf } from "../../support/small-rows.js"

const nodeOf = (batch: number, m: number, k: number, n: number): ContractionNode => {
  return {
    kind: "contraction",
    out: 2,
    left: 0,
    right: 1,
    batch,
    m,
    k,
    n,
    origin: { name: "c", operator: "" },
  }
}

/** The rows of one node over wires: one, c, then the elements of left, right and out. */
function systemOf(node: ContractionNode, reversed = { m: false, n: false }) {
  const { batch, m, k, n } = node
  const builder = new R1csBuilder()
  const challenge = builder.allocate(1)
  const first = [m * k, k * n, m * n].map((size) => builder.allocate(batch * size))
  const projecting = new ProjectionBuilder(builder, challenge)
  const [left, right, out] = first.map((wire) => (i: number) => ({ wires: [wire + i], coefficients: [1] }))
  projecting.contract(node, { reversed, rows: 0 }, [left, right, out])
  const system = builder.finish(0, 0, 0)
  return { system, projected: projecting.finish(system.wires - builder.lates) }
}

/** All lists of so many elements of the field. */
function* lists(count: number, p: bigint): Generator<bigint[]> {
  if (count === 0) yield []
  else for (const rest of lists(count - 1, p)) for (let x = 0n; x < p; x++) yield [x, ...rest]
}
const range = (count: bigint): bigint[] => Array.from({ length: Number(count) }, (_, i) => BigInt(i))

function multiplied(
  { batch, m, k, n }: ContractionNode,
  a: readonly bigint[],
  b: readonly bigint[],
  p: bigint,
) {
  return Array.from({ length: batch * m * n }, (_, i) => {
    const [column, at] = [i % n, Math.floor(i / n)]
    let sum = 0n
    for (let l = 0; l < k; l++) sum += a[at * k + l] * b[(Math.floor(at / m) * k + l) * n + column]
    return mod(sum, p)
  })
}
const someOf = (random: Random, count: number, p: bigint) =>
  Array.from({ length: count }, () => BigInt(random.integer(0, Number(p) - 1)))

describe("over a small field", () => {
  it.each([
    [1, 2, 1, 2, 11n],
    [1, 2, 2, 2, 11n],
    [1, 3, 2, 1, 13n],
    [1, 1, 2, 3, 13n],
    [2, 1, 2, 2, 7n],
    [2, 2, 1, 1, 7n],
  ])("every result of %d × [%d, %d, %d], at every challenge", (batch, m, k, n, p) => {
    const node = nodeOf(batch, m, k, n)
    const random = new Random(m + 10 * n)
    let most = 0
    for (const reversed of [
      { m: false, n: false },
      { m: true, n: true },
    ]) {
      const { system, projected } = systemOf(node, reversed)
      const terms = termsOf(system, p)
      const [a, b] = [someOf(random, batch * m * k, p), someOf(random, batch * k * n, p)]
      const right = multiplied(node, a, b, p)
      for (const y of lists(batch * m * n, p)) {
        const accepted = range(p).filter((c) => holds(terms, projected, [1n, c, ...a, ...b, ...y], p)).length
        if (y.every((value, i) => value === right[i])) expect(accepted).toBe(Number(p))
        else {
          most = Math.max(most, accepted)
          if (accepted > m * n - 1) expect.fail(`${y} passes for ${accepted} challenges`)
        }
      }
    }
    // the bound is attained
    expect(most).toBe(m * n - 1)
  })

  it("each row is needed: without it a wrong result passes more often than it may, or always", () => {
    const [node, p] = [nodeOf(1, 2, 2, 2), 7n]
    const { system, projected } = systemOf(node)
    const terms = termsOf(system, p)
    const [a, b] = [
      [1n, 2n, 3n, 5n],
      [2n, 1n, 6n, 4n],
    ]
    const right = multiplied(node, a, b, p)
    for (let deleted = 0; deleted < system.rows; deleted++) {
      let most = 0
      for (const y of lists(4, p)) {
        if (y.every((value, i) => value === right[i])) continue
        const passes = (c: bigint) =>
          range(p).some((free) => holds(terms, projected, [1n, c, ...a, ...b, ...y], p, deleted, free))
        most = Math.max(most, range(p).filter(passes).length)
        if (most === Number(p)) break
      }
      expect(most, `row ${deleted}`).toBeGreaterThan(3)
    }
  })
})

describe("weaker rules have forgeries that pass for every challenge", () => {
  const node = nodeOf(2, 2, 3, 2)
  const random = new Random(5)
  const full = () => BigInt(random.integer(-1000, 1000))
  const a = Array.from({ length: 12 }, full)
  const b = Array.from({ length: 12 }, full)
  const right = multiplied(node, a, b, r)
  const { system, projected } = systemOf(node)
  const terms = termsOf(system, r)
  const accepts = (y: readonly bigint[], c: bigint) => holds(terms, projected, [1n, c, ...a, ...b, ...y], r)
  const changed = (changes: readonly (readonly [number, bigint])[]) => {
    const y = [...right]
    for (const [i, by] of changes) y[i] = mod(y[i] + by)
    return y
  }
  const challenges = [3n, 2n ** 200n + 9n, r - 5n]

  it("not the real one", () => {
    for (const c of challenges) {
      expect(accepts(right, c)).toBe(true)
      for (let i = 0; i < right.length; i++) expect(accepts(changed([[i, 1n]]), c)).toBe(false)
    }
  })

  it("a result that is chosen after the challenge", () => {
    for (const c of challenges) {
      // element [1, 0] has the power c
      const late = changed([
        [0, c],
        [2, -1n],
      ])
      expect(accepts(late, c)).toBe(true)
      expect(accepts(late, c + 1n)).toBe(false)
    }
  })

  it("two products in one equation", () => {
    // what the first has too much the second has too little
    const forged = changed([
      [0, 1n],
      [4, -1n],
    ])
    const equations = [0, 4].map((at) => forged[at] - right[at])
    for (const c of challenges) {
      expect(accepts(forged, c)).toBe(false)
      expect(mod(equations[0] + equations[1])).toBe(0n)
      expect(sharedEquation(forged, c)).toBe(true)
      expect(sharedEquation(right, c)).toBe(true)
    }
  })

  it("columns that are one power too near", () => {
    const forged = changed([
      [2, 1n],
      [1, -1n],
    ])
    for (const c of challenges) {
      expect(accepts(forged, c)).toBe(false)
      expect(strided(right, c, 2)).toBe(true)
      expect(strided(forged, c, 2)).toBe(false)
      expect(strided(right, c, 1)).toBe(true)
      expect(strided(forged, c, 1)).toBe(true)
    }
  })

  const pow = (c: bigint, e: number) => power(c, BigInt(e))
  /** Σ_k u_k · v_k − y of one product, with a stride of columns. */
  function difference(y: readonly bigint[], c: bigint, stride: number, at: number): bigint {
    const { m, k, n } = node
    let sum = 0n
    for (let l = 0; l < k; l++) {
      let [u, v] = [0n, 0n]
      for (let i = 0; i < m; i++) u += pow(c, i) * a[(at * m + i) * k + l]
      for (let j = 0; j < n; j++) v += pow(c, stride * j) * b[(at * k + l) * n + j]
      sum += u * v
    }
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) sum -= pow(c, i + stride * j) * y[(at * m + i) * n + j]
    return mod(sum)
  }
  const strided = (y: readonly bigint[], c: bigint, stride: number) =>
    difference(y, c, stride, 0) === 0n && difference(y, c, stride, 1) === 0n
  const sharedEquation = (y: readonly bigint[], c: bigint) =>
    mod(difference(y, c, 2, 0) + difference(y, c, 2, 1)) === 0n
})

/** A graph of one contraction, some elements of whose factors are zero. */
function graphOf(random: Random, [batch, m, k, n]: readonly number[], zeros: number): IntGraph {
  const sizes = [batch * m * k, batch * k * n, batch * m * k, batch * k * n, batch * m * n]
  const origin = { name: "c", operator: "" }
  const index = (source: number, out: number) => {
    const map = Int32Array.from({ length: sizes[source] }, (_, i) => (random.next() < zeros ? -1 : i))
    return { kind: "index" as const, out, sources: [source], map, fill: 0, origin }
  }
  return readGraph(
    sizes,
    [
      { kind: "input", out: 0, name: "x0", origin },
      { kind: "input", out: 1, name: "x1", origin },
      index(0, 2),
      index(1, 3),
      { kind: "contraction", out: 4, left: 2, right: 3, batch, m, k, n, origin },
    ],
    [0, 1].map((tensor) => ({ name: `x${tensor}`, tensor, lo: -8, bits: 4 })),
    [4],
  )
}

describe("the planner", () => {
  it("projects where that takes fewer rows, and says how many there will be", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.tuple(...[2, 6, 6, 6].map((max) => fc.integer({ min: 1, max }))),
        fc.constantFrom(0, 0.3, 0.9),
        async (seed, sizes, zeros) => {
          const graph = graphOf(new Random(seed), sizes, zeros)
          const circuit = await compile(graph)
          const { constraints } = inspect(circuit).nodes[4]
          const own = projections(graph)
          const direct = inspect(await compile(graph, { proofSystem: "groth16" })).nodes[4].constraints
          expect(constraints).toBe(own.chosen.size > 0 ? own.rows : direct)
          expect(constraints).toBeLessThanOrEqual(direct)
          expect(inspect(circuit).totals.constraints - lookupForms(graph).rows).toBe(wordsOf(circuit))
        },
      ),
      { numRuns: 12 },
    )
  })
  const wordsOf = (circuit: Awaited<ReturnType<typeof compile>>) =>
    inspect(circuit).nodes.find(({ primitive }) => primitive === "word")?.constraints

  it("begins with the end that has more zeros: a causal mask halves what rows take", () => {
    const size = 8
    const sizes = [size * size, size, size * size, size, size]
    const origin = { name: "c", operator: "" }
    const causal = (after: boolean): [ContractionNode, IntGraph] => {
      const map = Int32Array.from({ length: size * size }, (_, i) => {
        const [at, l] = [Math.floor(i / size), i % size]
        return (after ? l > at : l < at) ? -1 : i
      })
      const node = { ...nodeOf(1, size, size, 1), left: 2, right: 1, out: 3 }
      const graph = readGraph(
        [sizes[0], sizes[1], sizes[2], size],
        [
          { kind: "input", out: 0, name: "x0", origin },
          { kind: "input", out: 1, name: "x1", origin },
          { kind: "index", out: 2, sources: [0], map, fill: 0, origin },
          node,
        ],
        [0, 1].map((tensor) => ({ name: `x${tensor}`, tensor, lo: 0, bits: 4 })),
        [3],
      )
      return [graph.nodes[3] as ContractionNode, graph]
    }
    const rows = (size * (size - 1)) / 2 + size + size - 1
    for (const after of [false, true]) {
      const projection: Projection = projectionOf(...causal(after))
      expect(projection).toEqual({ reversed: { m: after, n: false }, rows })
    }
  })
})
