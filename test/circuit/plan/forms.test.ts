import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { gadgetKey } from "#src/circuit/gadgets/families.js"
import { specified } from "#src/circuit/gadgets/specification.js"
import { lookupForms } from "#src/circuit/plan/forms.js"
import { NONE } from "#src/circuit/plan/plan.js"
import { firstFailingRow } from "#src/circuit/witness/check.js"
import { compile } from "#src/compile/compile.js"
import { auditWitness } from "#src/compile/forgeries.js"
import type { IntNode, RescaleNode } from "#src/ops/program.js"
import type { IntGraph, IntTensor } from "#src/quantize/integers/intgraph.js"
import { runInteger } from "#src/quantize/integers/run.js"
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

const widths = [3, 4, 5, 6, 8]
const formsOf = ({ chosen }: ReturnType<typeof lookupForms>) =>
  [...chosen.values()].map((form) => ("digits" in form ? form.name + form.digits : form.name)).join(" ")

describe("the plan of forms and table width", () => {
  type Sizes = readonly [size: number, shift: number, bits: number, min: number, max: number]
  const planOf = (layers: readonly Sizes[], tables = widths) =>
    lookupForms(
      graphOf(layers.map(([size, shift, bits, min, max]) => ({ size, shift, bits, min, max }))),
      tables,
    )

  /** Layers as a line has them: size, shift, bits, and bounds. */
  const read = (text: string): Sizes[] =>
    text.split(", ").map((layer) => layer.split(" ").map(Number) as unknown as Sizes)

  it.each([
    // a table of 9 rows, and for each element three bits of the remainder and three of the quotient
    ["nothing leaves the window", 9 + 100 * 2, "100 3 3 0 63"],
    ["all is cut off to a constant", 9, "100 3 3 -50 0, 100 3 3 56 4000"],
    ["some is cut off to a constant", 9 + 100 * 2, "100 3 3 0 63, 100 3 3 -50 0"],
  ])("where %s has %i rows", (_, rows, layers) => {
    expect(planOf(read(layers))).toMatchObject({ rows, tableBits: 3 })
  })

  // the fewest rows over all table widths and forms of all layers, found once by trying every combination
  it.each<[forms: string, tableBits: number, rows: number, layers: string]>([
    ["excess", 3, 23, "2 6 3 -600 4439"],
    ["gated1", 4, 77, "8 6 4 -64 2547"],
    ["gated2", 4, 68, "8 4 4 0 4617, 3 3 3 -4000 -761"],
    ["gated3", 3, 47, "5 3 3 0 4995"],
    ["signed1", 4, 1250, "300 4 4 -4000 -961, 300 8 4 -4000 794"],
    ["signed2", 3, 1336, "300 3 3 -4000 3695"],
    ["signed3", 4, 280, "40 4 3 0 7264"],
    ["excess gated2", 4, 67, "2 6 3 -64 620, 5 4 4 -64 6361"],
    ["excess signed1", 8, 1492, "5 8 4 -64 1254, 300 8 3 -64 3186"],
    ["gated1 gated2", 3, 130, "8 6 4 0 2042, 8 3 3 0 1856"],
    ["gated2 gated2", 4, 114, "5 3 4 -600 6461, 8 3 4 -600 6292, 1 6 4 -4000 -387"],
    ["signed1 signed1", 4, 1734, "40 8 4 -885 5021, 300 4 3 -64 5222"],
    ["signed3 signed1 signed2", 4, 547, "40 3 3 -64 7729, 3 8 4 -1289 1980, 40 4 4 -600 4353"],
    ["signed2 gated2", 3, 308, "300 8 3 -4000 -1167, 40 6 3 -600 7235, 8 3 4 -1750 399"],
    ["excess gated1 signed1", 6, 1890, "40 8 4 -2069 1362, 40 4 4 0 2655, 300 6 3 -64 6278"],
    ["signed1 excess gated1", 6, 1626, "300 6 3 0 4151, 1 3 3 -64 4372, 40 4 4 0 6365"],
    ["gated1 gated2 excess", 4, 155, "5 8 3 -4000 3773, 8 4 4 -1799 4652, 8 8 4 -4000 3569"],
    ["signed3 gated1", 4, 324, "40 4 3 -64 6446, 8 4 4 0 865"],
    ["signed1 gated3", 3, 230, "40 3 3 -64 126, 8 3 4 -64 7628"],
    ["gated2 signed2", 4, 1642, "8 3 4 -4000 595, 300 4 3 -64 6453"],
    ["gated3 gated3", 3, 57, "3 3 4 0 5166, 2 3 4 0 6958, 40 6 4 -2810 -1635"],
    ["signed1 signed1 signed1", 4, 2710, "300 8 3 -600 5030, 5 8 4 0 7585, 300 4 4 -64 3901"],
    ["excess excess gated3", 3, 88, "2 6 3 -600 5487, 3 6 4 -64 305, 5 3 4 0 6878"],
    ["gated1 signed2 signed3", 4, 537, "40 4 4 -418 927, 40 6 3 0 6148, 1 3 3 -600 4150"],
    ["signed1 gated1", 8, 1765, "8 3 3 -4000 -2893, 300 8 3 -371 5098, 40 3 4 -600 6171"],
    ["signed1 excess signed1", 8, 3907, "300 8 4 0 5608, 300 8 3 -600 1131, 300 8 3 0 6621"],
    ["excess signed1 excess", 6, 1384, "3 3 4 -251 2660, 300 6 4 -64 5669, 1 6 4 -64 715"],
    // each wants a gated table for its own number of limbs
    ["gated3 gated1", 3, 90, "5 3 3 0 4152, 5 8 3 0 4608"],
    ["signed1 signed3 signed1", 6, 1861, "300 6 4 -486 7474, 40 3 3 -241 5315, 40 6 3 -600 1208"],
  ])(
    "of forms %s has a table of %i bits and %i rows, as exhaustive search found",
    (forms, tableBits, rows, layers) => {
      const plan = planOf(read(layers))
      expect([formsOf(plan), plan.tableBits, plan.rows]).toEqual([forms, tableBits, rows])
    },
  )

  const layer: fc.Arbitrary<Sizes> = fc
    .record({
      size: fc.constantFrom(1, 2, 3, 5, 8, 40, 300),
      shift: fc.constantFrom(3, 4, 6, 8),
      bits: fc.constantFrom(3, 4),
      min: fc.integer({ min: -4000, max: 100 }),
      width: fc.integer({ min: 100, max: 8000 }),
    })
    .map(({ size, shift, bits, min, width }) => [size, shift, bits, min, min + width])
  const layers = fc.array(layer, { minLength: 1, maxLength: 2 })

  it("takes the table width with the fewest rows", () => {
    fc.assert(
      fc.property(layers, (list) => {
        const each = widths.map((width) => planOf(list, [width]).rows)
        expect(planOf(list).rows).toBe(Math.min(...each))
      }),
    )
  })

  // under a range table of 8 bits other forms than signed ones take three lookups more than the checks of remainder
  // and output, two each, whatever tables they have
  it("of twenty layers with as many distances is the best there is, as trying every signed table finds", () => {
    const [width, shift, bits, most] = [8, 3, 2, 40]
    const distance = fc.integer({ min: 1, max: most })
    const many = fc.array(
      fc.record({ size: fc.constantFrom(1, 2, 3, 5, 8, 13), below: distance, above: distance }),
      { minLength: 14, maxLength: 20 },
    )
    const digits = (far: number, size: number, other: number): number => {
      if (far <= size) return 1
      const base = 2 ** bits
      if (Math.min(size, other) < base - 1) return Number.POSITIVE_INFINITY
      return [2, 3].find((n) => far < (size + 1) * base ** (n - 1)) ?? Number.POSITIVE_INFINITY
    }
    fc.assert(
      fc.property(many, (list) => {
        const rowsOf = (lookups: (layer: (typeof list)[number]) => number) =>
          list.reduce((sum, layer) => sum + layer.size * (4 + Math.min(3, lookups(layer))), 0)
        let best = rowsOf(() => 3)
        for (let x = 0; x <= most; x++)
          for (let y = 0; y <= most; y++) {
            const own = rowsOf(({ above, below }) => Math.max(digits(above, x, y), digits(below, y, x)))
            best = Math.min(best, own + 2 ** bits + x + y + 1)
          }
        const asked = list.map(({ size, below, above }): Sizes => {
          return [size, shift, bits, -below * 2 ** shift, (2 ** bits - 1 + above) * 2 ** shift]
        })
        expect(planOf(asked, [width]).rows).toBe(best + 2 ** width + 1)
      }),
    )
  })

  it("needs no more rows for layers together than apart, and no fewer than for some of them", () => {
    fc.assert(
      fc.property(layers, layer, fc.constantFrom(...widths), (some, other, width) => {
        const [a, b] = [planOf(some, [width]).rows, planOf([other], [width]).rows]
        const together = planOf([...some, other], [width]).rows
        expect(together).toBeLessThanOrEqual(a + b - (2 ** width + 1))
        expect(together).toBeGreaterThanOrEqual(Math.max(a, b))
      }),
    )
  })

  it("needs as many rows apart as together where output widths differ, for then no table is shared", () => {
    fc.assert(
      fc.property(layer, layer, fc.constantFrom(...widths), ([n, k, , min, max], other, width) => {
        const [one, two]: Sizes[] = [
          [n, k, 3, min, max],
          [other[0], other[1], 4, other[3], other[4]],
        ]
        const apart = planOf([one], [width]).rows + planOf([two], [width]).rows
        expect(planOf([one, two], [width]).rows).toBe(apart - (2 ** width + 1))
      }),
    )
  })

  it("needs no more rows for narrower bounds or fewer elements", () => {
    fc.assert(
      fc.property(layers, fc.nat(500), (list, by) => {
        const narrow = list.map(([n, k, bits, min, max]): Sizes => [n, k, bits, min, Math.max(min, max - by)])
        const fewer = list.map(([n, ...rest]): Sizes => [Math.ceil(n / 2), ...rest])
        const { rows } = planOf(list)
        expect(planOf(narrow).rows).toBeLessThanOrEqual(rows)
        expect(planOf(fewer).rows).toBeLessThanOrEqual(rows)
      }),
    )
  })

  it("predicts the rows of the linked circuit", async () => {
    for (const { graph } of [await small(), await mnist("mnist-mlp"), await perceptron([20, 60, 30, 4], 6)]) {
      const plan = lookupForms(graph)
      // what follows are the rows of words and evaluation, which no form changes
      expect((await compile(graph)).linked.hornerRow).toBe(plan.rows)
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

  it("uses forms within the bounds their headers assume, where they are the clamp", async () => {
    const networks = [
      await small(),
      await mnist("mnist-mlp"),
      await mnist("mnist-lenet"),
      await perceptron([20, 60, 30, 4], 6),
    ]
    const checked = new Set<string>()
    for (const { graph } of networks) {
      const { linked } = await compile(graph)
      for (const { node, plan } of linked.stamped) {
        if (!plan || node.kind !== "rescale") continue
        const { lo, hi } = graph.tensors[node.source]
        for (const [i, index] of plan.uses.entries()) {
          if (index === NONE) continue
          const { use } = linked.stamps[index].gadget
          for (const acc of [lo[i] + plan.operandOffset, hi[i] + plan.operandOffset]) {
            const out = Math.min(Math.max(Math.floor(acc / 2 ** node.shift), 0), 2 ** node.bits - 1)
            expect(specified(use)([BigInt(acc)]), gadgetKey(use)).toBe(BigInt(out))
          }
          checked.add(use.kind.template)
        }
      }
    }
    expect([...checked].sort()).toEqual(["Complement", "Excess", "Gated", "Signed"])
  })
})
