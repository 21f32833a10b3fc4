/** Maxima whose distances a table takes: chosen freely, and largest all the same. */
import { describe, expect, it } from "vitest"
import { compileGadgets } from "#src/circuit/gadgets/circom.js"
import { type GadgetUse, gadgetKey, gadgetKinds } from "#src/circuit/gadgets/families.js"
import { lookups, type Query, type Stamp } from "#src/circuit/gadgets/ranges.js"
import { type Gadget, type Lc, type LocalRow, ONE, reduceGadgets } from "#src/circuit/gadgets/reduce.js"
import { lookupForms } from "#src/circuit/plan/forms.js"
import { bitForms, NONE, planGadgets } from "#src/circuit/plan/plan.js"
import { compile } from "#src/compile/compile.js"
import type { IntNode } from "#src/ops/program.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { runInteger } from "#src/quantize/integers/run.js"
import { acceptedOutputs } from "../../support/exhaustive.js"
import { faultsOf } from "../../support/hostile-check.js"
import { origin, readGraph } from "../../support/hostile-graphs.js"

const input: IntNode = { kind: "input", out: 0, name: "x", origin: origin("x") }
const max = (map: readonly number[], window: number): IntNode => ({
  kind: "max",
  out: 1,
  source: 0,
  window,
  map: Int32Array.from(map),
  origin: origin("max"),
})
const below = (owner: readonly number[], values: readonly number[]): IntNode => ({
  kind: "below",
  out: 2,
  source: 0,
  maximum: 1,
  owner: Int32Array.from(owner),
  shift: 1,
  values: Float64Array.from(values),
  origin: origin("below"),
})
/** Six integers of four bits in two windows. */
const graphOf = (
  windows = [0, 1, 2, 3, 4, 5],
  owner = [0, 0, 0, 1, 1, 1],
  values = [7, 6, 5, 4, 3, 2, 1, 0],
): IntGraph =>
  readGraph(
    [6, windows.length / 3, 6],
    [input, max(windows, 3), below(owner, values)],
    [{ name: "x", tensor: 0, lo: -8, bits: 4 }],
    [1, 2],
    6,
  )
const templates = (graph: IntGraph, forms = lookupForms(graph) as typeof bitForms) => {
  const { uses, nodes } = planGadgets(graph, forms)
  return graph.nodes.map((node) => {
    const plan = nodes.get(node)
    return [...new Set(plan?.uses)].map((use) => (use === NONE ? "none" : uses[use].kind.template)).join(" ")
  })
}

describe("a maximum whose distances a table takes", () => {
  it("is any of its operands, for the table shows that none exceeds it", () => {
    expect(templates(graphOf())).toEqual(["InRange", "Chosen", "Below"])
    expect(templates(graphOf(), bitForms)).toEqual(["InRange", "Chosen", "BelowTable"])
  })

  it("is shown to be the largest itself where the table has not all of its elements", () => {
    // the third element is in both windows, and compared with one of their maxima
    const graph = graphOf([0, 1, 2, 3, 4, 5, 2, 3, 4], [0, 0, 0, 1, 1, 1])
    expect(templates(graph)).toEqual(["InRange", "Largest", "Below"])
    expect(templates(graph, bitForms)).toEqual(["InRange", "Max", "BelowTable"])
  })

  it("keeps its gadgets where the table says the same of every distance", () => {
    expect(templates(graphOf(undefined, undefined, [3, 3, 3, 3, 3, 3, 3, 3]))).toEqual([
      "InRange",
      "Chosen",
      "Below",
    ])
  })

  it("is refused in a file if it is another one's, or of a window without the element", () => {
    expect(() => graphOf(undefined, [0, 0, 1, 1, 1, 1])).toThrow(/the window of an element of node 2/)
    expect(() => graphOf(undefined, undefined, [1, 0])).toThrow(/does not fit its source/)
    const nodes = [
      input,
      max([0, 1, 2, 3, 4, 5], 3),
      { ...below([0, 0, 0, 1, 1, 1], [0]), maximum: 0 } as IntNode,
    ]
    expect(() => readGraph([6, 2, 6], nodes, [{ name: "x", tensor: 0, lo: -8, bits: 4 }], [2])).toThrow(
      /the maximum of node 2/,
    )
  })

  it.each(["mirage", "groth16"] as const)(
    "in %s is what the model says, and no other one",
    async (proofSystem) => {
      const graph = graphOf()
      const circuit = await compile(graph, { proofSystem })
      for (const x of [
        [0, 0, 0, 7, -8, 7],
        [-8, 7, 6, 5, 5, 4],
        [7, 6, 5, -8, -8, -8],
      ]) {
        const probe = { x: Float64Array.from(x) }
        expect(faultsOf(circuit, probe)).toEqual([])
        const values = runInteger(graph, probe)
        expect([...(values.get(2) ?? [])]).toEqual(
          x.map((value, i) => 7 - ((Math.max(...x.slice(i < 3 ? 0 : 3, i < 3 ? 3 : 6)) - value) >> 1)),
        )
      }
    },
  )
})

describe("one choice and the tables of all its operands", () => {
  const use = (kind: keyof typeof gadgetKinds, ...parameters: number[]): GadgetUse => ({
    kind: gadgetKinds[kind],
    parameters,
  })
  const [choice, table] = [use("Chosen", 2), use("Below", 1, 3, 2, 3, 3, 1, 0)]

  /** Both inputs, the choice, and the table of as many operands as asked for. */
  async function joined(tables: number): Promise<Stamp> {
    const gadgets = reduceGadgets([choice, table], await compileGadgets([choice, table]))
    const [chosen, below] = [choice, table].map((g) => lookups(1)(gadgets.get(gadgetKey(g)) as Gadget))
    const rows: LocalRow[] = [...chosen.rows]
    const queries: Query[] = []
    let next = 2 + chosen.wires
    for (let operand = 0; operand < tables; operand++) {
      const base = next
      const named = (lc: Lc): Lc =>
        new Map(
          [...lc].map(([local, value]) => {
            if (local === ONE) return [ONE, value]
            return [local === 0 ? chosen.outputs[0] : local === 1 ? operand : base + local - 2, value]
          }),
        )
      for (const { a, b, c } of below.rows) rows.push({ a: named(a), b: named(b), c: named(c) })
      for (const query of below.queries) queries.push({ ...query, lc: named(query.lc) })
      next += below.wires
    }
    return { ...chosen, wires: next - 2, rows, queries }
  }

  it("leave the largest alone, over all assignments of a small field", async () => {
    const all = await joined(2)
    const lacking = await joined(1)
    let forged = 0
    for (const x of [-2, 0, 1, 3])
      for (const y of [-2, 0, 1, 3]) {
        const p = 211
        expect([...acceptedOutputs(all, [x, y], p)]).toEqual([(Math.max(x, y) + p) % p])
        // without the second table, the first operand may be chosen though it is less
        if (y > x) forged += acceptedOutputs(lacking, [x, y], p).size - 1
      }
    expect(forged).toBe(6)
  })
})
