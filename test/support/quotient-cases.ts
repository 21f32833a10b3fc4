/** Random ONNX models of softmax, normalizations and quotients, as operators and written out by exporters. */
import type { AttributeSpec, OnnxSpec, TensorSpec } from "./onnx-writer.js"
import { reals, reduce, single } from "./operator-cases.js"
import type { Random } from "./random.js"

type Case = (random: Random) => OnnxSpec

const scalar = (value: number): TensorSpec => ({ shape: [], data: [value] })
const ints = (...data: number[]): TensorSpec => ({ shape: [data.length], data, dtype: "int64" })
/** Numbers away from zero. */
const positive = (random: Random, shape: readonly number[]): TensorSpec => {
  const { data } = reals(random, shape)
  return { shape, data: Array.from(data, (x) => Math.abs(x) + 0.25) }
}

/** Windows of the last axis, of two elements or more. */
const rows = (random: Random): number[] => [...random.shape(0, 2, 3), random.integer(2, 6)]

const softmax =
  (operator: string): Case =>
  (random) => {
    const shape = [...random.shape(1, 2, 3), random.integer(2, 5)]
    const axis = random.integer(-shape.length, shape.length - 1)
    return single(operator, shape, { axis }, {}, { opset: random.pick([11, 13, 18]) })
  }

/** Lines `output = operator inputs`, with attributes after a bar as JSON; what is no output or input is a constant. */
export const lines =
  (
    shape: (random: Random) => readonly number[],
    constants: (random: Random, shape: readonly number[]) => Record<string, TensorSpec>,
    opset: number | readonly number[],
    ...text: readonly string[]
  ): Case =>
  (random) => {
    const dims = shape(random)
    const nodes = text.map((line) => {
      const [head, json] = line.split(" | ")
      const [output, , operator, ...inputs] = head.split(" ")
      const attributes = json ? (JSON.parse(json) as Record<string, AttributeSpec>) : {}
      return { operator, inputs, outputs: [output], attributes }
    })
    const version = typeof opset === "number" ? opset : random.pick(opset)
    const initializers = constants(random, dims)
    return { opset: version, inputs: [{ name: "x", shape: dims }], outputs: ["y"], initializers, nodes }
  }

/** Scale and shift of the last axis, and what written-out normalizations need besides. */
const layer = (random: Random, shape: readonly number[]): Record<string, TensorSpec> => {
  const size = shape.slice(-1)
  return {
    g: reals(random, size),
    b: reals(random, size),
    two: scalar(2),
    eps: scalar(1e-2),
    minus: scalar(-0.5),
  }
}
const axes = ints(-1)

const channels = (random: Random): [number[], number] => {
  const c = random.integer(1, 3)
  return [[random.integer(1, 2), c, random.integer(2, 4), random.integer(1, 3)], c]
}

const skip =
  (operator: string, isCentred: boolean): Case =>
  (random) => {
    const shape = [1, random.integer(1, 3), random.integer(2, 5)]
    const size = shape.slice(-1)
    const constants: Record<string, TensorSpec> = { s: reals(random, shape), g: reals(random, size) }
    if (isCentred) constants.b = reals(random, size)
    if (random.next() < 0.5) constants.a = reals(random, size)
    const spec = single(operator, shape, { epsilon: { float: 1e-2 } }, constants)
    const outputs = random.next() < 0.5 ? ["y"] : ["y", "", "", "z"]
    const nodes = spec.nodes.map((node) => ({ ...node, outputs, domain: "com.microsoft" }))
    return { ...spec, outputs: outputs.filter((name) => name !== ""), nodes }
  }

const epsilon = { epsilon: { float: 1e-2 } }

export const quotientCases: Readonly<Record<string, Case>> = {
  Softmax: softmax("Softmax"),
  LogSoftmax: softmax("LogSoftmax"),
  Hardmax: softmax("Hardmax"),
  "Softmax written out": lines(
    rows,
    () => ({ axes }),
    13,
    'm = ReduceMax x | {"axes":[-1],"keepdims":1}',
    "d = Sub x m",
    "e = Exp d",
    "s = ReduceSum e axes",
    "y = Div e s",
  ),
  "Softmax without a maximum": lines(
    rows,
    () => ({ axes }),
    13,
    "e = Exp x",
    "s = ReduceSum e axes",
    "y = Div e s",
  ),
  LayerNormalization: (random) => {
    const shape = rows(random)
    const { g, b } = layer(random, shape)
    const spec = single("LayerNormalization", shape, { axis: -1, ...epsilon }, { g, b }, { opset: 17 })
    if (random.next() < 0.5) return spec
    return { ...spec, outputs: ["y", "m", "i"], nodes: [{ ...spec.nodes[0], outputs: ["y", "m", "i"] }] }
  },
  "LayerNormalization written out": lines(
    rows,
    layer,
    [10, 13, 17],
    'm = ReduceMean x | {"axes":[-1]}',
    "c = Sub x m",
    "q = Pow c two",
    'v = ReduceMean q | {"axes":[-1]}',
    "e = Add v eps",
    "r = Sqrt e",
    "n = Div c r",
    "s = Mul n g",
    "y = Add s b",
  ),
  "LayerNormalization by a reciprocal": lines(
    rows,
    layer,
    13,
    'm = ReduceMean x | {"axes":[-1]}',
    "c = Sub x m",
    "q = Mul c c",
    'v = ReduceMean q | {"axes":[-1]}',
    "e = Add v eps",
    "r = Pow e minus",
    "n = Mul c r",
    "s = Mul n g",
    "y = Add s b",
  ),
  SimplifiedLayerNormalization: (random) => {
    const shape = rows(random)
    return single(
      "SimplifiedLayerNormalization",
      shape,
      { axis: -1, ...epsilon },
      { g: layer(random, shape).g },
    )
  },
  RMSNormalization: (random) => {
    const shape = rows(random)
    return single("RMSNormalization", shape, epsilon, { g: layer(random, shape).g }, { opset: 23 })
  },
  "RMSNormalization written out": lines(
    rows,
    layer,
    13,
    "q = Pow x two",
    'v = ReduceMean q | {"axes":[-1]}',
    "e = Add v eps",
    "r = Sqrt e",
    "i = Reciprocal r",
    "n = Mul x i",
    "y = Mul g n",
  ),
  SkipLayerNormalization: skip("SkipLayerNormalization", true),
  SkipSimplifiedLayerNormalization: skip("SkipSimplifiedLayerNormalization", false),
  InstanceNormalization: (random) => {
    const [shape, c] = channels(random)
    return single("InstanceNormalization", shape, epsilon, { g: reals(random, [c]), b: reals(random, [c]) })
  },
  GroupNormalization: (random) => {
    const groups = random.integer(1, 2)
    const shape = [1, groups * random.integer(1, 2), random.integer(2, 4)]
    const constants = { g: reals(random, [shape[1]]), b: reals(random, [shape[1]]) }
    return single("GroupNormalization", shape, { num_groups: groups, ...epsilon }, constants, { opset: 21 })
  },
  LpNormalization: (random) => {
    const shape = rows(random)
    const axis = random.integer(-shape.length, shape.length - 1)
    return single("LpNormalization", shape, { axis, p: random.integer(1, 2) })
  },
  MeanVarianceNormalization: (random) => {
    const [shape] = channels(random)
    return single(
      "MeanVarianceNormalization",
      shape,
      {
        axes: random.pick([
          [0, 2, 3],
          [2, 3],
          [1, 2],
        ]),
      },
      {},
      { opset: 13 },
    )
  },
  LRN: (random) => {
    const attributes = {
      size: random.pick([1, 3]),
      alpha: { float: 0.5 },
      beta: { float: 0.75 },
      bias: { float: 1 },
    }
    return single(
      "LRN",
      [1, random.integer(1, 4), random.integer(1, 3)].concat(random.shape(1, 1, 2)),
      attributes,
    )
  },
  ReduceL2: reduce("ReduceL2", false),
  ReduceLogSumExp: reduce("ReduceLogSumExp", false),
  "Div positive": (random) => {
    const shape = random.shape(1, 3, 3)
    return single("Div", shape, {}, { c: positive(random, shape) })
  },
  "Div of both signs": (random) => {
    const shape = random.shape(1, 2, 3)
    const initializers = { f: positive(random, [1]), o: scalar(random.pick([-3, -0.6, 0.6, 3])) }
    return {
      inputs: [
        { name: "x", shape },
        { name: "z", shape: shape.slice(1) },
      ],
      outputs: ["y"],
      initializers,
      nodes: [
        { operator: "Mul", inputs: ["z", "f"], outputs: ["m"] },
        { operator: "Sign", inputs: ["m"], outputs: ["s"] },
        { operator: "Add", inputs: ["m", "s"], outputs: ["n"] },
        { operator: "Mul", inputs: ["n", "o"], outputs: ["d"] },
        { operator: "Div", inputs: ["x", "d"], outputs: ["y"] },
      ],
    }
  },
  "Reciprocal negative": (random) => {
    const shape = random.shape(1, 2, 3)
    return {
      inputs: [{ name: "x", shape }],
      outputs: ["y"],
      initializers: { o: scalar(-0.5) },
      nodes: [
        { operator: "Abs", inputs: ["x"], outputs: ["a"] },
        { operator: "Neg", inputs: ["a"], outputs: ["b"] },
        { operator: "Add", inputs: ["b", "o"], outputs: ["d"] },
        { operator: "Reciprocal", inputs: ["d"], outputs: ["y"] },
      ],
    }
  },
  "Sqrt of a sum": lines(
    rows,
    () => ({ half: scalar(0.5) }),
    13,
    "q = Mul x x",
    "p = Add q half",
    "y = Sqrt p",
  ),
  "BatchNormalization live": (random) => {
    const [shape, c] = channels(random)
    return {
      inputs: [{ name: "x", shape }, ...["g", "b", "m", "w"].map((name) => ({ name, shape: [c] }))],
      outputs: ["y"],
      nodes: [
        { operator: "Abs", inputs: ["w"], outputs: ["v"] },
        {
          operator: "BatchNormalization",
          inputs: ["x", "g", "b", "m", "v"],
          outputs: ["y"],
          attributes: { epsilon: { float: 0.5 } },
        },
      ],
    }
  },
}
