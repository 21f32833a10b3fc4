/** Random ONNX models of one quantized operator each. No number of theirs is half way between two integers. */
import { sizeOf } from "#src/ops/program.js"
import type { AttributeSpec, InputSpec, OnnxSpec, TensorSpec } from "./onnx-writer.js"
import type { Random } from "./random.js"

type Small = "uint8" | "int8" | "uint16" | "int16"

const limits = { uint8: [0, 255], int8: [-128, 127], uint16: [0, 65535], int16: [-32768, 32767] } as const

/** Integers of a type, or of its lower bits. */
const integers = (random: Random, dtype: Small, shape: readonly number[], most = 255): TensorSpec => {
  const [lo, hi] = limits[dtype]
  const data = Array.from({ length: sizeOf(shape) }, () =>
    random.integer(Math.max(lo, -most), Math.min(hi, most)),
  )
  return { shape, data, dtype }
}
const scales = (random: Random, shape: readonly number[], size = 0.02): TensorSpec => ({
  shape,
  data: Float32Array.from({ length: sizeOf(shape) }, () => size * (0.5 + random.next())),
})
const wholeInput = (name: string, dtype: Small, shape: readonly number[]): InputSpec => ({
  name,
  shape,
  dtype,
  within: limits[dtype],
})

interface Given {
  readonly attributes?: Record<string, AttributeSpec>
  readonly domain?: string
  readonly opset?: number
  readonly outputs?: readonly string[]
}

/** One node whose inputs are inputs of the model, initializers, or left out, in this order. */
function node(
  operator: string,
  given: readonly (readonly [name: string, value: InputSpec | TensorSpec | undefined])[],
  { attributes = {}, domain, opset, outputs = ["y"] }: Given = {},
): OnnxSpec {
  const inputs: InputSpec[] = []
  const initializers: Record<string, TensorSpec> = {}
  for (const [name, value] of given) {
    if (value && "data" in value) initializers[name] = value
    else if (value) inputs.push({ ...value, name })
  }
  const names = given.map(([name, value]) => (value ? name : ""))
  return {
    ...(opset && { opset }),
    inputs,
    outputs,
    initializers,
    nodes: [{ operator, inputs: names, outputs, attributes, ...(domain && { domain }) }],
  }
}

const microsoft = { domain: "com.microsoft" }
const real = (shape: readonly number[]): InputSpec => ({ name: "", shape })

/** Scale and zero point of one number each. */
const coding = (random: Random, name: string, dtype: Small, size = 0.02) =>
  [
    [`${name}Scale`, scales(random, [], size)],
    [`${name}Zero`, integers(random, dtype, [], 100)],
  ] as const

const quantize = (random: Random): OnnxSpec => {
  const shape = random.shape(2, 3)
  const wide = random.next() < 0.3
  const dtype = random.pick<Small>(wide ? ["uint16", "int16"] : ["uint8", "int8"])
  const [axis, opset] = [random.integer(0, shape.length - 1), wide ? 21 : 13]
  const size = wide ? 0.001 : 0.02
  if (random.next() < 0.5)
    return node("QuantizeLinear", [["x", real(shape)], ...coding(random, "y", dtype, size)], { opset })
  const given = [
    ["x", real(shape)],
    ["s", scales(random, [shape[axis]], size)],
    ["z", integers(random, dtype, [shape[axis]], 100)],
  ] as const
  return node("QuantizeLinear", given, { attributes: { axis }, opset })
}

/** One scale for each block along an axis. */
const blocked = (operator: "QuantizeLinear" | "DequantizeLinear") => (random: Random) => {
  const block = random.integer(2, 3)
  const shape = [random.integer(1, 3), block * random.integer(1, 2), random.integer(1, 2)]
  const blocks = [shape[0], shape[1] / block, shape[2]]
  const dtype = random.pick<Small>(["uint8", "int8"])
  const x = operator === "QuantizeLinear" ? real(shape) : wholeInput("x", dtype, shape)
  const given = [
    ["x", x],
    ["s", scales(random, blocks)],
    ["z", integers(random, dtype, blocks, 100)],
  ] as const
  return node(operator, given, { attributes: { axis: 1, block_size: block }, opset: 21 })
}

const dequantize = (random: Random): OnnxSpec => {
  const shape = random.shape(2, 3)
  const dtype = random.pick<Small>(["uint8", "int8"])
  const axis = random.integer(0, shape.length - 1)
  const of = random.next() < 0.5 ? [] : [shape[axis]]
  const given = [
    ["x", wholeInput("x", dtype, shape)],
    ["s", scales(random, of)],
    ["z", random.next() < 0.3 ? undefined : integers(random, dtype, of, 100)],
  ] as const
  return node("DequantizeLinear", given, { attributes: { axis }, opset: 13 })
}

/** Channels, kernel and geometry of a small convolution. */
function geometry(random: Random) {
  const [groups, perGroup] = [random.integer(1, 2), random.integer(1, 2)]
  const outputs = groups * random.integer(1, 2)
  const kernel = [random.integer(1, 3), random.integer(1, 2)]
  return {
    shape: [1, groups * perGroup, 4, 3],
    weights: [outputs, perGroup, ...kernel],
    attributes: {
      group: groups,
      kernel_shape: kernel,
      pads: [1, 0, 0, 1],
      strides: [random.integer(1, 2), 1],
    },
  }
}

const qLinearConv = (random: Random): OnnxSpec => {
  const { shape, weights, attributes } = geometry(random)
  const signed = random.next() < 0.5
  const [x, w]: [Small, Small] = signed ? ["int8", "int8"] : ["uint8", random.pick(["uint8", "int8"])]
  const channels = w === "int8" && random.next() < 0.5 ? [weights[0]] : []
  const bias = { shape: [weights[0]], data: random.reals(weights[0], 4000).map(Math.round), dtype: "int32" }
  const given = [
    ["x", wholeInput("x", x, shape)],
    ...coding(random, "x", x),
    ["w", integers(random, w, weights)],
    ["wScale", scales(random, channels)],
    [
      "wZero",
      w === "int8"
        ? { shape: channels, data: new Float64Array(sizeOf(channels)), dtype: w }
        : integers(random, w, []),
    ],
    ...coding(random, "y", x, 0.3),
    ["b", random.next() < 0.5 ? (bias as TensorSpec) : undefined],
  ] as const
  return node("QLinearConv", given, { attributes, opset: 13 })
}

const qLinearMatMul = (random: Random): OnnxSpec => {
  const [m, k, n] = [random.integer(1, 3), random.integer(1, 4), random.integer(1, 3)]
  const dtype = random.pick<Small>(["uint8", "int8"])
  const b = random.next() < 0.5 ? wholeInput("b", dtype, [k, n]) : integers(random, dtype, [k, n])
  const given = [
    ["a", wholeInput("a", dtype, [m, k])],
    ...coding(random, "a", dtype),
    ["b", b],
    ...coding(random, "b", dtype),
    ...coding(random, "y", dtype, 0.1),
  ] as const
  return node("QLinearMatMul", given, { opset: 13 })
}

const convInteger = (random: Random): OnnxSpec => {
  const { shape, weights, attributes } = geometry(random)
  const given = [
    ["x", wholeInput("x", "uint8", shape)],
    ["w", integers(random, "uint8", weights)],
    ["xZero", random.next() < 0.7 ? integers(random, "uint8", []) : undefined],
    ["wZero", random.next() < 0.7 ? integers(random, "uint8", []) : undefined],
  ] as const
  return node("ConvInteger", given, { attributes })
}

const matMulInteger = (random: Random): OnnxSpec => {
  const [m, k, n] = [random.integer(1, 3), random.integer(1, 4), random.integer(1, 3)]
  const b = random.next() < 0.3 ? wholeInput("b", "int8", [k, n]) : integers(random, "int8", [k, n])
  const given = [
    ["a", wholeInput("a", "uint8", [2, m, k])],
    ["b", b],
    ["aZero", random.next() < 0.7 ? integers(random, "uint8", []) : undefined],
    ["bZero", random.next() < 0.5 ? integers(random, "int8", random.next() < 0.5 ? [] : [n]) : undefined],
  ] as const
  return node("MatMulInteger", given)
}

const dynamicQuantize = (random: Random): OnnxSpec =>
  node("DynamicQuantizeLinear", [["x", real(random.shape(1, 2))]], { outputs: ["y", "s", "z"] })

const binary = (operator: string) => (random: Random) => {
  const shape = random.shape(1, 3)
  const dtype = random.pick<Small>(["uint8", "int8"])
  const b = random.next() < 0.5 ? wholeInput("b", dtype, shape) : integers(random, dtype, shape.slice(1))
  const given = [
    ["a", wholeInput("a", dtype, shape)],
    ...coding(random, "a", dtype),
    ["b", b],
    ...coding(random, "b", dtype),
    ...coding(random, "y", dtype, 0.04),
  ] as const
  return node(operator, given, microsoft)
}

const unary =
  (operator: string, attributes: Record<string, AttributeSpec> = {}, shape = [1, 2, 4, 3], size = 0.02) =>
  (random: Random) => {
    const dtype = random.pick<Small>(["uint8", "int8"])
    const given = [
      ["x", wholeInput("x", dtype, shape)],
      ...coding(random, "x", dtype, size),
      ...coding(random, "y", dtype, 0.01),
    ] as const
    return node(operator, given, { ...microsoft, attributes })
  }

const concat = (random: Random): OnnxSpec => {
  const [rows, dtype] = [random.integer(1, 3), random.pick<Small>(["uint8", "int8"])]
  const given = [
    ...coding(random, "y", dtype),
    ["a", wholeInput("a", dtype, [rows, random.integer(1, 3)])],
    ...coding(random, "a", dtype),
    ["b", wholeInput("b", dtype, [rows, random.integer(1, 3)])],
    ...coding(random, "b", dtype),
  ] as const
  return node("QLinearConcat", given, { ...microsoft, attributes: { axis: 1 } })
}

const qGemm = (random: Random): OnnxSpec => {
  const [m, k, n] = [random.integer(1, 3), random.integer(1, 4), random.integer(1, 3)]
  const [transA, transB] = [random.integer(0, 1), random.integer(0, 1)]
  const dtype = random.pick<Small>(["uint8", "int8"])
  const bias = { shape: [n], data: random.reals(n, 3000).map(Math.round), dtype: "int32" } as const
  const given = [
    ["a", wholeInput("a", dtype, transA ? [k, m] : [m, k])],
    ...coding(random, "a", dtype),
    ["b", integers(random, dtype, transB ? [n, k] : [k, n])],
    ...coding(random, "b", dtype),
    ["c", random.next() < 0.5 ? bias : undefined],
    ...(random.next() < 0.7 ? coding(random, "y", dtype, 0.2) : []),
  ] as const
  return node("QGemm", given, { ...microsoft, attributes: { transA, transB, alpha: { float: 0.7 } } })
}

const matMulIntegerToFloat = (random: Random): OnnxSpec => {
  const [m, k, n] = [random.integer(1, 3), random.integer(1, 4), random.integer(1, 3)]
  const given = [
    ["a", wholeInput("a", "uint8", [m, k])],
    ["b", integers(random, "int8", [k, n])],
    ["aScale", scales(random, [])],
    ["bScale", scales(random, random.next() < 0.5 ? [] : [n])],
    ["aZero", integers(random, "uint8", [])],
    ["bZero", undefined],
    ["bias", random.next() < 0.5 ? scales(random, [n], 1) : undefined],
  ] as const
  return node("MatMulIntegerToFloat", given, microsoft)
}

const dynamicMatMul = (random: Random): OnnxSpec => {
  const [m, k, n] = [random.integer(1, 3), random.integer(2, 4), random.integer(1, 3)]
  const given = [
    ["a", real([m, k])],
    ["b", integers(random, "int8", [k, n])],
    ["bScale", scales(random, [])],
    ["bZero", integers(random, "int8", [], 20)],
    ["bias", random.next() < 0.5 ? scales(random, [n], 1) : undefined],
  ] as const
  return node("DynamicQuantizeMatMul", given, microsoft)
}

export const quantizedCases: Record<string, (random: Random) => OnnxSpec> = {
  QuantizeLinear: quantize,
  "QuantizeLinear in blocks": blocked("QuantizeLinear"),
  DequantizeLinear: dequantize,
  "DequantizeLinear in blocks": blocked("DequantizeLinear"),
  QLinearConv: qLinearConv,
  QLinearMatMul: qLinearMatMul,
  ConvInteger: convInteger,
  MatMulInteger: matMulInteger,
  DynamicQuantizeLinear: dynamicQuantize,
  QLinearAdd: binary("QLinearAdd"),
  QLinearMul: binary("QLinearMul"),
  QLinearSigmoid: unary("QLinearSigmoid"),
  QLinearLeakyRelu: unary("QLinearLeakyRelu", { alpha: { float: 0.2 } }),
  QLinearAveragePool: unary("QLinearAveragePool", { kernel_shape: [2, 2] }),
  QLinearGlobalAveragePool: unary("QLinearGlobalAveragePool"),
  QLinearConcat: concat,
  QGemm: qGemm,
  MatMulIntegerToFloat: matMulIntegerToFloat,
  DynamicQuantizeMatMul: dynamicMatMul,
}
