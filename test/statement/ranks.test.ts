/** Ranks stand for numbers: whoever has the layout and the numbers computes the integers, and no others pass. */
import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import { compile } from "#src/compile/compile.js"
import { FileError, InputError } from "#src/errors.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { lower } from "#src/ops/lower.js"
import { openProver, setup } from "#src/prover/open.js"
import { deserialize, serialize } from "#src/quantize/canonical/digest.js"
import { quantizeInput, runInteger } from "#src/quantize/integers/run.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import { layoutJson, parseLayout } from "#src/statement/layout.js"
import { edgesFault, rankOf } from "#src/statement/ranks.js"
import { shapeProblem } from "#src/statement/statement.js"
import { realValues } from "#src/statement/values.js"
import { explain, type Receipt } from "#src/verifier/index.js"
import { encodeOnnx } from "../support/onnx-writer.js"
import { Random } from "../support/random.js"
import { mlModel, type Tree, treeAttributes } from "../support/trees.js"

const stump = (feature: number, value: number): Tree => ({
  feature,
  mode: "LEQ",
  value,
  missing: false,
  whenTrue: { leaf: [{ target: 0, value: 1 }] },
  whenFalse: { leaf: [{ target: 1, value: 1 }] },
})
/** Three thresholds of the first feature, one of the second. */
const trees = [stump(0, 0.1), stump(0, 0.5), stump(0, 1e-40), stump(1, 2)]
const spec = mlModel("TreeEnsembleClassifier", 1, 2, ["label", "scores"], {
  ...treeAttributes(trees, "class", new Random(1)),
  classlabels_strings: { texts: ["below", "above", "neither"] },
})
const quantized = () => quantizeProgram(lower(importOnnx(encodeOnnx(spec))), { samples: [{ x: [0, 0] }] })

const reference = (x: number, edges: readonly number[]): number =>
  edges.filter((edge) => Number.isNaN(x) || x >= edge).length

it("a rank is how many edges are at most the number", () => {
  const number = fc.oneof(
    fc.double(),
    fc.constantFrom(0, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-40),
  )
  fc.assert(
    fc.property(fc.array(number, { maxLength: 8 }), number, fc.boolean(), (some, x, single) => {
      const type = single ? "float32" : "float64"
      const round = (y: number) => (single ? Math.fround(y) : y)
      const given = some.map((y) => round(y) + 0).filter((y) => y !== Number.NEGATIVE_INFINITY)
      const edges = Float64Array.from(new Set(given)).sort()
      expect(edgesFault(edges, type)).toBeUndefined()
      expect(rankOf(x, edges, type)).toBe(reference(round(x), [...edges]))
    }),
  )
})

describe("a model of trees", () => {
  it("keeps ranks and names in its bytes, and has them in its layout", async () => {
    const graph = await quantized()
    const again = deserialize(serialize(graph))
    expect(again).toEqual(graph)
    const { layout } = await compile(graph, { input: "public" })
    expect(layout.inputs[0].ranks?.edges.map((list) => list.length)).toEqual([3, 1])
    expect(layout.inputs[0].bits).toBe(2)
    expect(layout.outputs.map(({ labels }) => labels)).toEqual([
      { of: "values", names: ["below", "above", "neither"] },
      { of: "columns", names: ["below", "above", "neither"] },
    ])
    expect(parseLayout(JSON.parse(layoutJson(layout)), "layout")).toEqual(layout)
    // whoever sees the end alone sees whether the last output is public
    expect(layoutJson(layout).endsWith('"visibility":"public"}]}')).toBe(true)
  })

  it("refuses layouts with other ranks or names", async () => {
    const { layout } = await compile(await quantized(), { input: "public" })
    const [input] = layout.inputs
    const ranks = input.ranks as NonNullable<typeof input.ranks>
    const inputs: object[] = [
      { ...input, ranks: { ...ranks, edges: [ranks.edges[0].toReversed(), ranks.edges[1]] } },
      { ...input, ranks: { ...ranks, edges: [ranks.edges[0]] } },
      { ...input, ranks: { ...ranks, edges: [[0.1], [2]] }, bits: 2 },
      { ...input, ranks: { ...ranks, edges: [["NaN", "NaN"], [2]] } },
      { ...input, ranks: { ...ranks, edges: [["-Infinity"], [2]] }, bits: 1 },
      { ...input, ranks: { ...ranks, type: "float16" } },
      { ...input, ranks: { ...ranks, more: 1 } },
      { ...input, lo: 1 },
      { ...input, bits: 3 },
      { ...input, scale: 0.5 },
    ]
    for (const wrong of inputs)
      expect(() => parseLayout({ ...layout, inputs: [wrong] }, "layout"), JSON.stringify(wrong)).toThrow(
        FileError,
      )
    const [label, scores] = layout.outputs
    const outputs: object[] = [
      { ...label, labels: { of: "rows", names: ["a"] } },
      { ...label, labels: { of: "values", names: [] } },
      { ...label, labels: { of: "values", names: [1] } },
      { ...label, labels: { of: "values", names: ["x".repeat(2000)] } },
      { ...scores, name: "s", labels: { of: "columns", names: ["a", "b"] } },
      { ...label, ranks },
    ]
    for (const wrong of outputs)
      expect(() => parseLayout({ ...layout, outputs: [wrong] }, "layout"), JSON.stringify(wrong)).toThrow(
        FileError,
      )
  })

  it("refuses NaN only where the model does not say what becomes of it", async () => {
    const graph = await quantized()
    expect(runInteger(graph, quantizeInput(graph, { x: [Number.NaN, 0] })).size).toBeGreaterThan(0)
    const [input] = graph.inputs
    const strict = { ...graph, inputs: [{ ...input, ranks: { ...input.ranks, missing: false } }] }
    expect(() => quantizeInput(strict as typeof graph, { x: [Number.NaN, 0] })).toThrow(InputError)
  })
})

describe("a receipt shows the ranks of its input", () => {
  const context = `0x${"21".repeat(32)}`
  const made = async (proofSystem: "mirage" | "groth16" | "plonk") => {
    const circuit = await compile(await quantized(), { input: "public", proofSystem })
    const keys = await setup(circuit, { dev: true })
    const prover = await openProver(circuit, keys.provingKey)
    try {
      // the second number is beside its threshold
      const receipt = await prover.prove({ x: [0.1, 2] }, { context })
      return { circuit, keys, receipt }
    } finally {
      await prover.close()
    }
  }
  const systems = ["mirage", "groth16"] as const
  const all = new Map<string, Awaited<ReturnType<typeof made>>>()
  beforeAll(async () => {
    for (const system of systems) all.set(system, await made(system))
  }, 120_000)

  it.each(systems)("%s: which follow from the number and the edges, and any other is refused", (system) => {
    const { circuit, keys, receipt } = all.get(system) as Awaited<ReturnType<typeof made>>
    const check = (given: Receipt) =>
      explain(given, { verificationKey: keys.verificationKey, model: circuit.model, context, allowDev: true })
    expect(check(receipt)).toBeNull()
    const [{ name, ranks }] = keys.verificationKey.layout.inputs
    const { input } = receipt.statement
    if (input.visibility !== "public" || !ranks) throw new Error("the input is public, and has ranks")
    const own = [0.1, 2].map((x, i) =>
      String(rankOf(x, Float64Array.from(ranks.edges[i], Number), ranks.type)),
    )
    expect(input.values[name]).toEqual(own)
    // 0.1 is the second edge as float32 has it, and 2 is not above 2
    expect(own).toEqual(["1", "0"])
    const [{ values, below }] = realValues(receipt.statement, keys.verificationKey.layout).inputs
    expect(values[1]).toBe(Number.NEGATIVE_INFINITY)
    expect(values[0] <= Math.fround(0.1) && Math.fround(0.1) < (below as Float64Array)[0]).toBe(true)
    expect((below as Float64Array)[1]).toBeGreaterThan(2)
    for (const values of [
      ["2", "0"], // the rank of another number
      ["0", "0"],
      ["1", "1"],
      ["4", "0"], // no rank at all
      ["1", "2"], // within the bits, and beyond the edges of its element
      ["1", "3"],
      ["-1", "0"],
    ]) {
      const forged = {
        ...receipt,
        statement: { ...receipt.statement, input: { ...input, values: { [name]: values } } },
      } as Receipt
      expect(check(forged), values.join()).not.toBeNull()
    }
    const beyond = { ...receipt.statement, input: { ...input, values: { [name]: ["1", "2"] } } }
    expect(shapeProblem(beyond as never, keys.verificationKey.layout)).toMatch(/is 2, expected 0 to 1/)
  })

  it("a hidden rank beyond the edges of its element is what the largest number is", async () => {
    const graph = await quantized()
    const at = (rank: number) => {
      const run = runInteger(graph, { x: Float64Array.of(1, rank) })
      return graph.outputs.map(({ tensor }) => Array.from(run.get(tensor) as Float64Array))
    }
    for (const rank of [2, 3]) expect(at(rank)).toEqual(at(1))
  })
})
