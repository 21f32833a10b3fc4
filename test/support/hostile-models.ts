/** Models of a few bytes that ask for gigabytes or hours, and long ones that were slow out of all proportion. */
import type { Case } from "./measured.js"
import { type AttributeSpec, encodeOnnx, type OnnxSpec, type TensorSpec } from "./onnx-writer.js"

const ints = (...data: number[]): TensorSpec => ({ shape: [data.length], data, dtype: "int64" })
const scalar = (value: number, dtype: "float" | "int64" = "float"): TensorSpec => ({
  shape: [],
  data: [value],
  dtype,
})

type NodeSpec = OnnxSpec["nodes"][number]

/** A node `operator` of input x and initializers, in the order given. */
const one = (
  operator: string,
  shape: readonly number[],
  initializers: Record<string, TensorSpec> = {},
  attributes: Record<string, AttributeSpec> = {},
  opset = 15,
): OnnxSpec => ({
  opset,
  inputs: [{ name: "x", shape }],
  outputs: ["y"],
  initializers,
  nodes: [{ operator, inputs: ["x", ...Object.keys(initializers)], outputs: ["y"], attributes }],
})

/** Nodes in a row, each reading the one before; `more` are further inputs of each. */
const chain = (
  shape: readonly number[],
  operators: readonly string[],
  initializers: Record<string, TensorSpec> = {},
  attributes: Record<string, AttributeSpec> = {},
): OnnxSpec => ({
  inputs: [{ name: "x", shape }],
  outputs: [`t${operators.length}`],
  initializers,
  nodes: operators.map((operator, i) => ({
    operator,
    inputs: [i === 0 ? "x" : `t${i}`, ...Object.keys(initializers)],
    outputs: [`t${i + 1}`],
    attributes,
  })),
})

/** Nodes after an input x of one element. */
const nodes = (
  list: readonly NodeSpec[],
  initializers: Record<string, TensorSpec> = {},
  opset = 15,
): OnnxSpec => ({
  opset,
  inputs: [{ name: "x", shape: [1] }],
  outputs: ["y"],
  initializers,
  nodes: list,
})

const repeated = (operator: string, count: number): string[] => new Array<string>(count).fill(operator)

/** Each is refused with a ModelError. */
export const refused: Readonly<Record<string, OnnxSpec>> = {
  "Pad by 2^27": one("Pad", [1], { pads: ints(0, 2 ** 27) }),
  "Pad by 2^40 in opset 2": one("Pad", [1], {}, { pads: [0, 2 ** 40] }, 2),
  "Pad of an empty axis": one("Pad", [0], { pads: ints(0, 2 ** 33) }),
  "Range to 2^27": nodes(
    [
      { operator: "Range", inputs: ["zero", "limit", "one"], outputs: ["r"] },
      { operator: "Add", inputs: ["x", "r"], outputs: ["y"] },
    ],
    { zero: scalar(0), limit: scalar(2 ** 27), one: scalar(1) },
  ),
  "Range in tiny steps": nodes(
    [
      { operator: "Range", inputs: ["zero", "one", "step"], outputs: ["r"] },
      { operator: "Add", inputs: ["x", "r"], outputs: ["y"] },
    ],
    { zero: scalar(0), one: scalar(1), step: scalar(1e-30) },
  ),
  "ConstantOfShape in a chain": nodes(
    Array.from({ length: 40 }, (_, i) => [
      { operator: "ConstantOfShape", inputs: ["s"], outputs: [`c${i}`] },
      { operator: "ReduceSum", inputs: [`c${i}`], outputs: [`r${i}`], attributes: { keepdims: 0 } },
      {
        operator: "Add",
        inputs: [i === 0 ? "x" : `a${i}`, `r${i}`],
        outputs: [i === 39 ? "y" : `a${i + 1}`],
      },
    ]).flat(),
    { s: ints(2 ** 26) },
    11,
  ),
  "Expand to 2^27, and a Relu": nodes(
    [
      { operator: "Expand", inputs: ["x", "s"], outputs: ["e"] },
      { operator: "Relu", inputs: ["e"], outputs: ["y"] },
    ],
    { s: ints(2 ** 27) },
  ),
  "Expand by thousands, four times": {
    ...nodes(
      Array.from({ length: 4 }, (_, i) => [
        { operator: "Expand", inputs: [i === 0 ? "x" : `u${i}`, "s"], outputs: [`e${i}`] },
        { operator: "Unsqueeze", inputs: [`e${i}`, "last"], outputs: [i === 3 ? "y" : `u${i + 1}`] },
      ]).flat(),
      { s: ints(1000), last: ints(-1) },
    ),
  },
  "Tile by 2^27": one("Tile", [1], { repeats: ints(2 ** 27) }),
  "Tile by thousands, four times": chain([1], repeated("Tile", 4), { repeats: ints(1000) }),
  "Tile to nothing": one("Tile", [2], { repeats: ints(0) }),
  "Tile to nothing, wide": one("Tile", [1, 1, 1], { repeats: ints(2 ** 20, 2 ** 20, 0) }),
  "Expand to nothing": one("Expand", [1], { shape: ints(0) }),
  "Expand to nothing, wide": one("Expand", [1, 1, 1], { shape: ints(2 ** 20, 2 ** 20, 0) }),
  "Gather of 2^24 from a Range": nodes(
    [
      { operator: "Range", inputs: ["zero", "limit", "one"], outputs: ["r"] },
      { operator: "Mul", inputs: ["r", "zero"], outputs: ["i"] },
      { operator: "Gather", inputs: ["x", "i"], outputs: ["g"] },
      { operator: "Gather", inputs: ["g", "i"], outputs: ["h"] },
      { operator: "Relu", inputs: ["h"], outputs: ["y"] },
    ],
    { zero: scalar(0, "int64"), limit: scalar(2 ** 24, "int64"), one: scalar(1, "int64") },
  ),
  "OneHot of depth 2^40": nodes(
    [
      { operator: "OneHot", inputs: ["i", "depth", "values"], outputs: ["h"] },
      { operator: "Add", inputs: ["x", "h"], outputs: ["y"] },
    ],
    { i: ints(1), depth: scalar(2 ** 40, "int64"), values: { shape: [2], data: [0, 1] } },
  ),
  "EyeLike of 2^13 squared": nodes(
    [
      { operator: "ConstantOfShape", inputs: ["s"], outputs: ["c"] },
      { operator: "EyeLike", inputs: ["c"], outputs: ["e"] },
      { operator: "Add", inputs: ["x", "e"], outputs: ["y"] },
    ],
    { s: ints(2 ** 13, 2 ** 13) },
  ),
  "Resize by 2^13 both ways, linear": one(
    "Resize",
    [1, 1, 2, 2],
    { roi: { shape: [0], data: [] }, scales: { shape: [4], data: [1, 1, 2 ** 13, 2 ** 13] } },
    { mode: "linear" },
  ),
  "Resize, cubic, to 2^12 squared": one(
    "Resize",
    [1, 1, 2, 2],
    { roi: { shape: [0], data: [] }, none: { shape: [0], data: [] }, sizes: ints(1, 1, 2 ** 12, 2 ** 12) },
    { mode: "cubic" },
  ),
  "Upsample by 2^30": one(
    "Upsample",
    [1, 1, 1, 1],
    { scales: { shape: [4], data: [1, 1, 2 ** 15, 2 ** 15] } },
    {},
    9,
  ),
  "MaxPool of 2^14 squared": one(
    "MaxPool",
    [1, 1, 4, 4],
    {},
    {
      kernel_shape: [2 ** 14, 2 ** 14],
      pads: [2 ** 14 - 1, 2 ** 14 - 1, 2 ** 14, 2 ** 14],
    },
  ),
  "AveragePool with pads of 2^40": one(
    "AveragePool",
    [1, 1, 4, 4],
    {},
    {
      kernel_shape: [3, 3],
      pads: [2 ** 40, 2 ** 40, 2 ** 40, 2 ** 40],
    },
  ),
  "Conv with pads of 2^20": one(
    "Conv",
    [1, 1, 4, 4],
    { w: { shape: [1, 1, 1, 1], data: [1] } },
    {
      pads: [2 ** 20, 2 ** 20, 2 ** 20, 2 ** 20],
    },
  ),
  "Conv of 2^11 filters of zeros": nodes(
    [
      { operator: "ConstantOfShape", inputs: ["s"], outputs: ["w"] },
      { operator: "Reshape", inputs: ["x", "one"], outputs: ["r"] },
      { operator: "Conv", inputs: ["r", "w"], outputs: ["c"], attributes: { pads: [2 ** 12, 2 ** 12] } },
      { operator: "Relu", inputs: ["c"], outputs: ["y"] },
    ],
    { s: ints(2 ** 12, 1, 2 ** 10), one: ints(1, 1, 1) },
  ),
  "ConvTranspose of 2^11 by 2^11": one("ConvTranspose", [1, 1, 2 ** 11, 2 ** 11], {
    w: { shape: [1, 1, 32, 32], data: new Float64Array(1024).fill(1) },
  }),
  "ConvTranspose with strides of 2^20": one(
    "ConvTranspose",
    [1, 1, 4, 4],
    { w: { shape: [1, 1, 1, 1], data: [1] } },
    { strides: [2 ** 20, 2 ** 20] },
  ),
  "MatMul of constants, 2^12 cubed": nodes(
    [
      { operator: "ConstantOfShape", inputs: ["s"], outputs: ["c"] },
      { operator: "MatMul", inputs: ["c", "c"], outputs: ["m"] },
      { operator: "Add", inputs: ["x", "m"], outputs: ["y"] },
    ],
    { s: ints(2 ** 12, 2 ** 12) },
  ),
  "Concat of itself, forty times": {
    inputs: [{ name: "x", shape: [1] }],
    outputs: ["t40"],
    nodes: Array.from({ length: 40 }, (_, i) => {
      const name = i === 0 ? "x" : `t${i}`
      return { operator: "Concat", inputs: [name, name], outputs: [`t${i + 1}`], attributes: { axis: 0 } }
    }),
  },
  "a shape of 2^40": one("Relu", [2 ** 40]),
  "a shape of 2^40 and nothing": one("Relu", [1, 2 ** 40, 0]),
  "a shape of nothing": one("Relu", [1, 0]),
  "a shape beyond all integers": one("Relu", [2 ** 30, 2 ** 30, 2 ** 30]),
  "Reshape to a million dimensions": nodes(
    [
      { operator: "ConstantOfShape", inputs: ["s"], outputs: ["zeros"] },
      { operator: "Add", inputs: ["zeros", "one"], outputs: ["ones"] },
      { operator: "Reshape", inputs: ["x", "ones"], outputs: ["y"] },
    ],
    { s: ints(2 ** 20), one: { shape: [1], data: [1] } },
  ),
  "a constant scanned by a hundred thousand nodes": nodes(
    [
      { operator: "ConstantOfShape", inputs: ["s"], outputs: ["c0"] },
      ...Array.from({ length: 20_000 }, (_, i) => ({
        operator: "Abs",
        inputs: [`c${i}`],
        outputs: [`c${i + 1}`],
      })),
      { operator: "ReduceSum", inputs: ["c20000"], outputs: ["r"], attributes: { keepdims: 0 } },
      { operator: "Add", inputs: ["x", "r"], outputs: ["y"] },
    ],
    { s: ints(2 ** 22) },
    11,
  ),
  "one large weight scaled a thousand times": {
    inputs: [{ name: "x", shape: [1, 2 ** 10] }],
    outputs: ["y"],
    initializers: {
      s: ints(2 ** 10, 2 ** 10),
      v: { shape: [2 ** 10], data: Float64Array.from({ length: 2 ** 10 }, (_, i) => i) },
    },
    nodes: [
      { operator: "ConstantOfShape", inputs: ["s"], outputs: ["w"] },
      ...Array.from({ length: 200 }, (_, i) => [
        { operator: "MatMul", inputs: ["x", "w"], outputs: [`m${i}`] },
        { operator: "Mul", inputs: [`m${i}`, "v"], outputs: [`p${i}`] },
      ]).flat(),
      { operator: "Sum", inputs: Array.from({ length: 200 }, (_, i) => `p${i}`), outputs: ["y"] },
    ],
  },
}

/** Each was slow out of proportion, or never ended; each is lowered and quantized, or refused, in seconds. */
export const slow: Readonly<Record<string, OnnxSpec>> = {
  "exp at subnormals": one("Exp", [2]),
  "four million elements, negated": nodes(
    [
      { operator: "Expand", inputs: ["x", "s"], outputs: ["e"] },
      { operator: "Neg", inputs: ["e"], outputs: ["y"] },
    ],
    { s: ints(2 ** 22) },
  ),
  "weights at subnormals": nodes(
    [
      { operator: "Mul", inputs: ["x", "c"], outputs: ["a"] },
      { operator: "Add", inputs: ["a", "c"], outputs: ["y"] },
    ],
    { c: { shape: [1], data: [1e-45] } },
  ),
  "scales that differ by everything": nodes(
    [
      { operator: "Exp", inputs: ["x"], outputs: ["big"] },
      { operator: "Mul", inputs: ["big", "c"], outputs: ["small"] },
      { operator: "Mul", inputs: ["small", "small"], outputs: ["s2"] },
      { operator: "Mul", inputs: ["s2", "s2"], outputs: ["s4"] },
      { operator: "Mul", inputs: ["s4", "s4"], outputs: ["s8"] },
      { operator: "Mul", inputs: ["s8", "s8"], outputs: ["s16"] },
      { operator: "Concat", inputs: ["s16", "big"], outputs: ["y"], attributes: { axis: 0 } },
    ],
    { c: { shape: [1], data: [1e-38] } },
  ),
  "5,000 sigmoids": chain([1], repeated("Sigmoid", 5000)),
  "2,500 sigmoids and Relus in turn": chain(
    [1],
    repeated("Sigmoid", 2500).flatMap((name) => [name, "Relu"]),
  ),
  "a pool of 8,000 pools before a Relu": {
    inputs: [{ name: "x", shape: [1, 1, 2, 2] }],
    outputs: ["y"],
    initializers: { w: { shape: [1, 1, 1, 1], data: [2] } },
    nodes: [
      { operator: "Conv", inputs: ["x", "w"], outputs: ["t0"] },
      ...Array.from({ length: 8000 }, (_, i) => ({
        operator: "MaxPool",
        inputs: [`t${i}`],
        outputs: [`t${i + 1}`],
        attributes: { kernel_shape: [2, 2], pads: [0, 0, 1, 1] },
      })),
      { operator: "Relu", inputs: ["t8000"], outputs: ["y"] },
    ],
  },
  "pools of pools both ways": {
    inputs: [{ name: "x", shape: [1, 1, 1, 2] }],
    outputs: ["y"],
    initializers: { w: { shape: [1, 1, 1, 1], data: [2] } },
    nodes: [
      { operator: "Sigmoid", inputs: ["x"], outputs: ["c0"] },
      ...Array.from({ length: 40 }, (_, i) => [
        { operator: "MaxPool", inputs: [`c${i}`], outputs: [`a${i}`], attributes: { kernel_shape: [1, 2] } },
        {
          operator: "MaxPool",
          inputs: [`c${i}`],
          outputs: [`b${i}`],
          attributes: { kernel_shape: [1, 2], pads: [0, 0, 0, 1], strides: [1, 2] },
        },
        { operator: "Concat", inputs: [`a${i}`, `b${i}`], outputs: [`c${i + 1}`], attributes: { axis: 3 } },
      ]).flat(),
      { operator: "MaxPool", inputs: ["c40"], outputs: ["m"], attributes: { kernel_shape: [1, 2] } },
      { operator: "Relu", inputs: ["m"], outputs: ["y"] },
    ],
  },
  "a sum of 5,000 products, one by one": {
    inputs: [{ name: "x", shape: [1] }],
    outputs: ["s5000"],
    nodes: Array.from({ length: 5000 }, (_, i) => [
      { operator: "Mul", inputs: ["x", "x"], outputs: [`p${i}`] },
      { operator: "Add", inputs: [i === 0 ? "x" : `s${i}`, `p${i}`], outputs: [`s${i + 1}`] },
    ]).flat(),
  },
}

/** Samples of the cases that need others than zeros. */
const samples: Readonly<Record<string, readonly number[]>> = { "exp at subnormals": [-744, -738.15] }

export const cases = (specs: Readonly<Record<string, OnnxSpec>>, action: Case["action"]): Case[] =>
  Object.entries(specs).map(([name, spec]) => ({
    name,
    action,
    bytes: encodeOnnx(spec),
    ...(samples[name] ? { sample: samples[name] } : {}),
  }))
