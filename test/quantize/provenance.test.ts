/** What of a model's file is private: told by what it becomes, and refused where it would show. */
import { describe, expect, it } from "vitest"
import { ModelError } from "#src/errors.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { lower } from "#src/ops/lower.js"
import { secretCount } from "#src/quantize/integers/secrets.js"
import { sharedBy } from "#src/quantize/provenance.js"
import { quantize } from "#src/quantize/quantize.js"
import { encodeOnnx, type OnnxSpec } from "../support/onnx-writer.js"
import { Random } from "../support/random.js"

type Part = Pick<OnnxSpec, "nodes"> & Partial<OnnxSpec>

const numbers = (count: number, seed = 1) => new Random(seed).reals(count)

/** Quantizes x [1, 4] to y, with private weights. */
const hidden = (part: Part, inputs: OnnxSpec["inputs"] = [{ name: "x", shape: [1, 4] }]) => {
  const model = importOnnx(encodeOnnx({ inputs, outputs: ["y"], ...part }))
  const random = new Random(2)
  const samples = Array.from({ length: 6 }, () =>
    Object.fromEntries(
      inputs.map(({ name, shape, dtype, within = [0, 2] }) => {
        const count = shape.reduce<number>((a, b) => a * Number(b), 1)
        const integers = () => Array.from({ length: count }, () => random.integer(...within))
        return [name, dtype === "int64" ? integers() : random.reals(count)]
      }),
    ),
  )
  return quantize(model, { samples, weights: "private" })
}

/** How many secrets a model of one node has, and the terms of its linear maps: s for secret, p for public. */
async function shape(part: Part, inputs?: OnnxSpec["inputs"]): Promise<[number, string]> {
  const graph = await hidden(part, inputs)
  const terms = graph.nodes.flatMap((node) =>
    node.kind === "linear" ? [node.terms.map((_, t) => (node.secret?.weights[t] ? "s" : "p")).join("")] : [],
  )
  return [secretCount(graph), terms.join(" ")]
}

const node = (operator: string, inputs: readonly string[], attributes = {}, outputs = ["y"]) => ({
  operator,
  inputs,
  outputs,
  attributes,
})

describe("of a model's file", () => {
  it("coefficients and biases are private, also those of a Constant, of one element each, and of scalings", async () => {
    const w = { shape: [4, 3], data: numbers(12) }
    // a bias goes with dense weights, whether the model has one or not
    expect(await shape({ initializers: { w }, nodes: [node("MatMul", ["x", "w"])] })).toEqual([15, "s"])
    const constant = node("Constant", [], { value: { tensor: w } }, ["w"])
    expect(await shape({ nodes: [constant, node("MatMul", ["x", "w"])] })).toEqual([15, "s"])
    const c = { shape: [1, 4], data: numbers(4) }
    expect(await shape({ initializers: { c }, nodes: [node("Mul", ["x", "c"])] })).toEqual([4, "s"])
    expect(await shape({ initializers: { c }, nodes: [node("Add", ["x", "c"])] })).toEqual([4, "p"])
    const one = { shape: [1], data: [0.7] }
    expect(await shape({ initializers: { one }, nodes: [node("Mul", ["x", "one"])] })).toEqual([1, "s"])
    const slope = { shape: [4], data: [0.1, 0.2, 0.3, 0.4] }
    const [, terms] = await shape({ initializers: { slope }, nodes: [node("PRelu", ["x", "slope"])] })
    expect(terms).toContain("s")
  })

  it("zeros and ones are private like others", async () => {
    const w = { shape: [4, 4], data: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1] }
    const b = { shape: [4], data: [0, 0, 0, 0] }
    const gemm = node("Gemm", ["x", "w", "b"])
    expect(await shape({ initializers: { w, b }, nodes: [gemm] })).toEqual([20, "s"])
    const c = { shape: [1, 4], data: [1, 1, 1, 1] }
    expect(await shape({ initializers: { c }, nodes: [node("Mul", ["x", "c"])] })).toEqual([4, "s"])
    // a product with ones would fold away, and say that they are
    const between = [
      node("Relu", ["x"], {}, ["p"]),
      node("Mul", ["p", "c"], {}, ["q"]),
      node("Sigmoid", ["q"]),
    ]
    const d = { shape: [1, 4], data: [0.9, 1.1, 0.8, 1.2] }
    const [ones, others] = [
      await shape({ initializers: { c }, nodes: between }),
      await shape({ initializers: { c: d }, nodes: between }),
    ]
    expect(ones).toEqual(others)
    expect(ones[0]).toBe(4)
  })

  it("what an operator's definition says, numbers without dimensions, limits and integers are public", async () => {
    const image = [{ name: "x", shape: [1, 2, 4, 4] }]
    const pool = node("AveragePool", ["x"], { kernel_shape: [2, 2], strides: [2, 2] })
    expect(await shape({ nodes: [pool] }, image)).toEqual([0, "p"])
    expect(await shape({ nodes: [node("Add", ["x", "x"])] })).toEqual([0, "p"])
    const c = { shape: [], data: [0.7] }
    expect(await shape({ initializers: { c }, nodes: [node("Mul", ["x", "c"])] })).toEqual([0, "p"])
    const limits = { lo: { shape: [], data: [-0.5] }, hi: { shape: [], data: [0.5] } }
    expect((await shape({ initializers: limits, nodes: [node("Clip", ["x", "lo", "hi"])] }))[0]).toBe(0)
    const scales = { shape: [4], data: [1, 1, 2, 2] }
    const resize = node("Resize", ["x", "", "scales"], {
      mode: "nearest",
      nearest_mode: "floor",
      coordinate_transformation_mode: "asymmetric",
    })
    expect(await shape({ initializers: { scales }, nodes: [resize] }, image)).toEqual([0, ""])
    const shapeOf = { shape: [2], data: [2, 2], dtype: "int64" as const }
    expect(await shape({ initializers: { shapeOf }, nodes: [node("Reshape", ["x", "shapeOf"])] })).toEqual([
      0,
      "",
    ])
  })

  it("a scaling of channels is there once for each, and one folded into weights not at all", async () => {
    const image = [{ name: "x", shape: [1, 2, 4, 4] }]
    const two = (seed: number) => ({ shape: [2], data: numbers(2, seed).map((x) => Math.abs(x) + 0.5) })
    const norms = { g: two(3), h: two(4), m: two(5), v: two(6) }
    const norm = (from: string) => node("BatchNormalization", [from, "g", "h", "m", "v"])
    expect(await shape({ initializers: norms, nodes: [norm("x")] }, image)).toEqual([4, "s"])
    const k = { shape: [2, 2, 1, 1], data: numbers(4) }
    const conv = node("Conv", ["x", "k"], {}, ["a"])
    expect(await shape({ initializers: { ...norms, k }, nodes: [conv, norm("a")] }, image)).toEqual([6, "s"])
  })
})

describe("weights that would show", () => {
  const problemsOf = async (made: Promise<unknown>): Promise<readonly string[]> => {
    const error = await made.catch((e: unknown) => e)
    expect(error).toBeInstanceOf(ModelError)
    expect((error as Error).message).toMatch(/cannot have private weights/)
    return (error as ModelError).problems
  }

  it("are refused with the node: tables of rows, limits, thresholds", async () => {
    const table = { shape: [64, 8], data: numbers(512) }
    const index = [{ name: "x", shape: [12], dtype: "int64" as const, within: [0, 63] as const }]
    const gather = { initializers: { table }, nodes: [{ ...node("Gather", ["table", "x"]), name: "embed" }] }
    const [embedding] = await problemsOf(hidden(gather, index))
    expect(embedding).toMatch(/node `embed`, operator `Gather`.*table/)
    const c = { shape: [1, 4], data: numbers(4) }
    const greater = [node("Greater", ["x", "c"], {}, ["b"]), node("Cast", ["b"], { to: 1 })]
    const [threshold] = await problemsOf(hidden({ initializers: { c }, nodes: greater }))
    expect(threshold).toMatch(/operator `Greater`/)
  })

  it("are refused all at once", async () => {
    const c = { shape: [1, 4], data: numbers(4) }
    const d = { shape: [1, 4], data: numbers(4, 3) }
    const nodes = [
      { ...node("Greater", ["x", "c"], {}, ["p"]), name: "first" },
      { ...node("Greater", ["x", "d"], {}, ["q"]), name: "second" },
      node("Cast", ["p"], { to: 1 }, ["r"]),
      node("Cast", ["q"], { to: 1 }, ["s"]),
      node("Add", ["r", "s"]),
    ]
    const problems = await problemsOf(hidden({ initializers: { c, d }, nodes }))
    expect(problems).toHaveLength(2)
    expect(problems[0]).toMatch(/`first`/)
    expect(problems[1]).toMatch(/`second`/)
  })

  it("are refused where they are whole numbers, of which nobody knows which are weights", async () => {
    const w = { shape: [4, 3], data: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], dtype: "int8" as const }
    const scale = { shape: [], data: [0.1] }
    const nodes = [node("DequantizeLinear", ["w", "scale"], {}, ["f"]), node("MatMul", ["x", "f"])]
    const spec = { inputs: [{ name: "x", shape: [1, 4] }], outputs: ["y"], initializers: { w, scale }, nodes }
    const made = async () => lower(importOnnx(encodeOnnx(spec)), { weights: "private" })
    await expect(made()).rejects.toThrow(
      /a quantized model cannot have private weights:\s+tensor `w` of type `int8`/,
    )
  })
})

it("numbers that are shared are found, and no others", () => {
  const list = (...xs: number[]) => Float64Array.from(xs)
  expect(sharedBy([list(1, 1, 2, 2, 3, 3)])).toEqual({ count: 3, inner: 2 })
  expect(sharedBy([list(1, 2, 1, 2, 1, 2)])).toEqual({ count: 2, inner: 1 })
  expect(sharedBy([list(1, 1, 2, 2, 1, 1, 2, 2)])).toEqual({ count: 2, inner: 2 })
  expect(sharedBy([list(5, 5, 5)])).toEqual({ count: 1, inner: 3 })
  expect(sharedBy([list(1, 1, 1, 2)])).toEqual({ count: 4, inner: 1 })
  expect(sharedBy([list(1, 1, 2, 2), list(1, 2, 2, 2)])).toEqual({ count: 4, inner: 1 })
})
