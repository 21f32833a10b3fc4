import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { gadgetKinds } from "#src/circuit/gadgets/families.js"
import { lookupForms } from "#src/circuit/plan/forms.js"
import { firstFailingRow } from "#src/circuit/witness/check.js"
import { compile } from "#src/compile/compile.js"
import { auditWitness } from "#src/compile/forgeries.js"
import type { IntNode, RescaleNode } from "#src/ops/program.js"
import type { IntGraph, IntTensor } from "#src/quantize/intgraph.js"
import { runInteger } from "#src/quantize/run.js"
import { mirageWitness, mnist, perceptron, small } from "../../support/networks.js"
import { Random } from "../../support/random.js"

const origin = { name: "n", operator: "Relu" }

/** One rescale of `size` elements, all with the same accumulator bounds. */
interface Layer {
  size: number
  shift: number
  bits: number
  min: number
  max: number
}

/** Rescales of tensors that nothing computes: all that the planner looks at. */
function graphOf(layers: readonly Layer[]): IntGraph {
  const tensors: IntTensor[] = []
  const nodes = layers.map(({ size, shift, bits, min, max }, i): RescaleNode => {
    const tensor = (name: string, lo: number, hi: number) =>
      tensors.push({
        name,
        shape: [size],
        scale: 1,
        lo: new Float64Array(size).fill(lo),
        hi: new Float64Array(size).fill(hi),
      }) - 1
    const source = tensor(`acc${i}`, min, max)
    const out = tensor(`out${i}`, 0, 2 ** bits - 1)
    return { kind: "rescale", out, source, shift, lo: 0, bits, origin }
  })
  return { name: "layers", precision: 10, tensors, nodes, inputs: [], outputs: [] }
}

/** Rows of a range check with a table of 2^u rows, exactly or with room to spare. */
const exactly = (width: number, u: number) => Math.ceil(width / u) + (width % u > 0 ? 1 : 0)
const loosely = (width: number, u: number) => Math.max(1, Math.ceil(width / u))
const widthOf = (x: number) => x.toString(2).length

type Choice = { form: "excess" | "gated" | "signed"; digits: number }

/** The fewest rows over all table widths and all forms of all layers, by trying everything. */
function exhaustive(layers: readonly Layer[], widths: readonly number[]): number {
  const choices: Choice[] = [
    { form: "excess", digits: 1 },
    ...[1, 2, 3].flatMap((digits): Choice[] => [
      { form: "gated", digits },
      { form: "signed", digits },
    ]),
  ]
  const all = layers.reduce<Choice[][]>(
    (lists, _) => lists.flatMap((list) => choices.map((c) => [...list, c])),
    [[]],
  )
  let best = Number.POSITIVE_INFINITY
  for (const u of widths) for (const assignment of all) best = Math.min(best, rowsOf(layers, assignment, u))
  return best
}

function rowsOf(layers: readonly Layer[], assignment: readonly Choice[], u: number): number {
  let rows = 2 ** u + 1
  // tables of forms are shared between layers of one output width, and as large as the largest of these needs
  const tables = new Map<string, { x: number; y: number }>()
  const need = (key: string, x: number, y: number) => {
    const held = tables.get(key) ?? { x: 0, y: 0 }
    tables.set(key, { x: Math.max(held.x, x), y: Math.max(held.y, y) })
  }
  for (const [i, { size, shift, bits, min, max }] of layers.entries()) {
    const { form, digits } = assignment[i]
    const top = 2 ** bits - 1
    const least = Math.floor(min / 2 ** shift)
    const most = Math.floor(max / 2 ** shift)
    if (most <= 0 || least >= top) continue
    const lo = exactly(shift, u)
    if (least >= 0 && most <= top) {
      rows += size * (lo + loosely(widthOf(most), u))
      continue
    }
    const above = Math.max(0, most - top)
    const below = Math.max(0, -least)
    let own = lo + exactly(bits, u)
    if (form === "excess") own += loosely(widthOf(Math.max(above, below)), u) + 2
    if (form === "gated") {
      own += digits + 2
      const step = 2 ** (u * digits)
      need(`gated ${bits} ${digits}`, Math.ceil(below / step), Math.floor(above / step) + 1)
    }
    if (form === "signed") {
      own += digits
      const base = 2 ** bits
      const side = (d: number) =>
        digits === 1 ? d : Math.max(base - 1, Math.ceil((d + 1) / base ** (digits - 1)) - 1)
      need(`signed ${bits}`, side(above), side(below))
    }
    const complement = lo + loosely(widthOf(most), u) + loosely(widthOf(below), u) + 1
    rows += size * (most <= top ? Math.min(own, complement) : own)
    // the forms' tables must exist even where all elements do without: trying everything finds better
  }
  for (const [key, { x, y }] of tables) {
    const bits = Number(key.split(" ")[1])
    rows += x + y + 1 + (key.startsWith("signed") ? 2 ** bits : 0)
  }
  return rows
}

describe("the plan of forms and table width", () => {
  const widths = [3, 4, 5, 6, 8]
  const layer = fc.record({
    size: fc.constantFrom(1, 2, 3, 5, 8, 40, 300),
    shift: fc.constantFrom(3, 4, 6, 8),
    bits: fc.constantFrom(3, 4),
    min: fc.integer({ min: -4000, max: 100 }),
    width: fc.integer({ min: 100, max: 8000 }),
  })
  // each wants a gated table for its own number of limbs
  const twoGatedTables = [
    { size: 5, shift: 3, bits: 3, min: 0, width: 4152 },
    { size: 5, shift: 8, bits: 3, min: 0, width: 4608 },
  ]
  it("has as few rows as exhaustive search finds", () => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(fc.array(layer, { minLength: 1, maxLength: 3 }), (list) => {
        const layers = list.map(({ width, ...rest }) => ({ ...rest, max: rest.min + width }))
        const plan = lookupForms(graphOf(layers), widths)
        for (const form of plan.chosen.values()) seen.add(form.name)
        expect(plan.rows).toBe(exhaustive(layers, widths))
      }),
      { numRuns: 150, examples: [[twoGatedTables]] },
    )
    expect([...seen].sort()).toEqual(["excess", "gated", "signed"])
  })

  it("predicts the rows of the linked circuit", async () => {
    for (const { graph } of [await small(), await mnist("mnist-mlp"), await perceptron([20, 60, 30, 4], 6)]) {
      const plan = lookupForms(graph)
      const { r1cs, hornerRow } = (await compile(graph)).linked
      const words = r1cs.rows - hornerRow
      expect(r1cs.rows - words).toBe(plan.rows)
    }
  })

  it("gives gated forms of each number of limbs a table", async () => {
    const ranges = [
      { size: 130, shift: 7, bits: 4, width: 19 },
      { size: 40, shift: 8, bits: 4, width: 24 },
    ]
    const layers = ranges.map(({ width, ...rest }) => ({ ...rest, min: 0, max: 2 ** width - 1 }))
    const { nodes, tensors } = graphOf(layers)
    const inputs = ranges.map(({ width }, i) => ({ name: `acc${i}`, tensor: 2 * i, lo: 0, bits: width }))
    const outputs = ranges.map((_, i) => ({ name: `out${i}`, tensor: 2 * i + 1 }))
    const graph: IntGraph = {
      name: "gates",
      precision: 10,
      tensors,
      nodes: [
        ...inputs.map(({ name, tensor }): IntNode => ({ kind: "input", out: tensor, name, origin })),
        ...nodes,
      ],
      inputs,
      outputs,
    }
    const plan = lookupForms(graph)
    expect(new Set(plan.chosen.values())).toEqual(
      new Set([1, 2].map((digits) => ({ name: "gated", digits }))),
    )
    const circuit = await compile(graph)
    expect(circuit.linked.hornerRow).toBe(plan.rows)

    // in each layer the ends of its range, the ends of the window, and anything between
    const random = new Random(3)
    const input = Object.fromEntries(
      ranges.map(({ size, shift, bits, width }, i) => {
        const edges = [0, 2 ** (shift + bits) - 1, 2 ** (shift + bits), 2 ** width - 1]
        return [
          `acc${i}`,
          Array.from({ length: size }, (_, j) => edges[j] ?? random.integer(0, 2 ** width - 1)),
        ]
      }),
    )
    const witness = await mirageWitness(circuit, runInteger(graph, input), 2n ** 250n + 12345n)
    expect(firstFailingRow(circuit.linked.r1cs, witness)).toBe(-1)
    expect(auditWitness(circuit, witness, 100).accepted).toEqual([])
  })

  it("uses forms within the bounds their headers assume", async () => {
    const networks = [
      await small(),
      await mnist("mnist-mlp"),
      await mnist("mnist-lenet"),
      await perceptron([20, 60, 30, 4], 6),
    ]
    let checked = 0
    for (const { graph } of networks) {
      const { linked } = await compile(graph)
      for (const group of linked.groups) {
        const { node } = group
        if (!group.plan || node.kind !== "rescale") continue
        const { lo, hi } = graph.tensors[node.source]
        const { plan } = group
        group.base.forEach((_, i) => {
          const use = linked.stamps[plan.uses[i]]?.gadget.use
          if (!use) return
          const [min, max] = [lo[i] + plan.operandOffset, hi[i] + plan.operandOffset]
          const least = Math.floor(min / 2 ** node.shift)
          const most = Math.floor(max / 2 ** node.shift)
          const top = 2 ** node.bits - 1
          const magnitude = Math.max(Math.abs(min), Math.abs(max))
          const below = Math.max(0, -least)
          const above = Math.max(0, most - top)
          checked++
          if (use.kind === gadgetKinds.Signed) {
            const [k, w, n, x, y, j] = use.parameters
            const digits = Array.from({ length: n }, (_, d) => 2 ** (w * d)).reduce((p, q) => p + q)
            const bound = magnitude + 2 ** (k + w) + 2 ** k * Math.max(x, y) * digits
            expect(2 ** (k + j)).toBeGreaterThan(bound)
            if (n > 1) expect(Math.min(x, y)).toBeGreaterThanOrEqual(2 ** w - 1)
            const reach = (digit: number) => digit * 2 ** (w * (n - 1)) + 2 ** (w * (n - 1)) - 1
            expect(above).toBeLessThanOrEqual(reach(x))
            expect(below).toBeLessThanOrEqual(reach(y))
          } else if (use.kind === gadgetKinds.Gated) {
            const [k, w, n, a, b, j] = use.parameters
            const bound = magnitude + 2 ** k * (2 ** w + 2 ** n) + 2 ** (k + n) * Math.max(a, b)
            expect(2 ** (k + n + j)).toBeGreaterThan(bound)
            expect(below).toBeLessThanOrEqual(a * 2 ** n)
            expect(above).toBeLessThan(b * 2 ** n)
          } else if (use.kind === gadgetKinds.Excess) {
            expect(Math.max(below, above)).toBeLessThan(2 ** use.parameters[2])
          } else if (use.kind === gadgetKinds.Complement) {
            const [, n, e] = use.parameters
            expect(most).toBeLessThan(2 ** n)
            expect(below).toBeLessThan(2 ** e)
          } else {
            expect(use.kind).toBe(gadgetKinds.Truncate)
            expect(least).toBeGreaterThanOrEqual(0)
            expect(most).toBeLessThan(2 ** use.parameters[1])
          }
        })
      }
    }
    expect(checked).toBeGreaterThan(4000)
  })
})
