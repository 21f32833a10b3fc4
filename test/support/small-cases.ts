/** Random ONNX models of operators that older models, other exporters and onnxruntime's optimizer write. */
import type { AttributeSpec, InputSpec, OnnxSpec, TensorSpec } from "./onnx-writer.js"
import { ints, reals, single } from "./operator-cases.js"
import type { Random } from "./random.js"

const microsoft = (spec: OnnxSpec): OnnxSpec => ({
  ...spec,
  nodes: spec.nodes.map((node) => ({ ...node, domain: "com.microsoft" })),
})

const image = (random: Random) => [1, random.integer(1, 2), random.integer(2, 4), random.integer(2, 4)]

const lpPool = (random: Random): OnnxSpec => {
  const shape = image(random)
  const attributes: Record<string, AttributeSpec> = {
    kernel_shape: [2, random.integer(1, 2)],
    p: random.integer(1, 4),
    strides: [1, random.integer(1, 2)],
  }
  if (random.next() < 0.5) attributes.auto_pad = random.pick(["SAME_UPPER", "SAME_LOWER", "VALID"])
  // onnxruntime wants strides within kernels
  if ((attributes.kernel_shape as number[])[1] === 1) attributes.strides = [1, 1]
  return single("LpPool", shape, attributes, {}, { opset: 18 })
}

/** An activation above zero, before the node. */
const positive = (node: OnnxSpec["nodes"][number], more: Partial<OnnxSpec>): OnnxSpec => ({
  inputs: [{ name: "v", shape: [2, 3] }],
  outputs: ["y"],
  ...more,
  nodes: [{ operator: "Sigmoid", inputs: ["v"], outputs: ["x"] }, node],
})

const powOf = (random: Random): OnnxSpec => {
  const node = (inputs: string[]) => ({ operator: "Pow", inputs, outputs: ["y"] })
  switch (random.integer(0, 2)) {
    case 0:
      // several exponents
      return positive(node(["x", "c"]), {
        initializers: { c: { shape: [3], data: [random.integer(1, 4), 0.5, 1.3] } },
      })
    case 1:
      return positive(node(["c", "v"]), { initializers: { c: { shape: [], data: [1.5] } } })
    default:
      return positive(node(["x", "v"]), {})
  }
}

const small = (random: Random, dtype: InputSpec["dtype"], within: readonly [number, number]): InputSpec => ({
  name: "x",
  shape: random.shape(1, 2),
  dtype,
  within,
})

const bitwise = (operator: string) => (random: Random) => {
  const mask: TensorSpec = { shape: [], data: [random.integer(0, 255)], dtype: "uint8" }
  return {
    opset: 18,
    inputs: [small(random, "uint8", [0, 255])],
    outputs: ["y"],
    initializers: { c: mask },
    nodes: [{ operator, inputs: ["x", "c"], outputs: ["y"] }],
  }
}

const bitwiseNot = (random: Random): OnnxSpec => ({
  opset: 18,
  inputs: [random.next() < 0.5 ? small(random, "uint8", [0, 255]) : small(random, "int32", [-99, 99])],
  outputs: ["y"],
  nodes: [{ operator: "BitwiseNot", inputs: ["x"], outputs: ["y"] }],
})

const shiftRight = (random: Random): OnnxSpec => ({
  inputs: [small(random, "uint8", [0, 255])],
  outputs: ["y"],
  initializers: { c: { shape: [], data: [random.integer(0, 7)], dtype: "uint8" } },
  nodes: [{ operator: "BitShift", inputs: ["x", "c"], outputs: ["y"], attributes: { direction: "RIGHT" } }],
})

const loss =
  (operator: string) =>
  (random: Random): OnnxSpec => {
    const spatial = random.next() < 0.5 ? [] : [2]
    const [batch, classes] = [random.integer(1, 3), random.integer(2, 4)]
    const live = random.next() < 0.5
    const count = batch * (spatial[0] ?? 1)
    const given = ints(Array.from({ length: count }, () => random.integer(0, classes - 1)))
    const targets = { ...given, shape: [batch, ...spatial] }
    const weights = random.next() < 0.5
    const attributes: Record<string, AttributeSpec> = { reduction: random.pick(["mean", "sum", "none"]) }
    if (random.next() < 0.3 && attributes.reduction !== "mean")
      attributes.ignore_index = random.integer(-1, 1)
    return {
      inputs: [
        { name: "x", shape: [batch, classes, ...spatial] },
        ...(live
          ? [{ name: "t", shape: [batch, ...spatial], dtype: "int64", within: [0, classes - 1] } as const]
          : []),
      ],
      outputs: ["y"],
      initializers: {
        ...(live ? {} : { t: targets }),
        ...(weights
          ? { w: { shape: [classes], data: random.reals(classes, 0.5).map((w) => Math.fround(1 + w)) } }
          : {}),
      },
      nodes: [{ operator, inputs: ["x", "t", ...(weights ? ["w"] : [])], outputs: ["y"], attributes }],
    }
  }

const old =
  (operator: string, attributes: Record<string, AttributeSpec>) =>
  (random: Random): OnnxSpec =>
    single(operator, image(random), attributes, {}, { opset: 9 })

const imageScaler = (random: Random): OnnxSpec => {
  const shape = image(random)
  const bias = { floats: random.reals(shape[1]) }
  return single("ImageScaler", shape, { scale: { float: 0.5 }, bias }, {}, { opset: 9 })
}

const fusedGemm = (random: Random): OnnxSpec => {
  const [m, k, n] = [random.integer(1, 3), random.integer(1, 3), random.integer(1, 3)]
  const activation = random.pick(["Relu", "LeakyRelu", "Tanh", "Sigmoid"])
  const attributes = { activation, ...(activation === "LeakyRelu" && { activation_alpha: { float: 0.2 } }) }
  return microsoft(
    single("FusedGemm", [m, k], attributes, { b: reals(random, [k, n]), c: reals(random, [n]) }),
  )
}

const fusedMatMul = (random: Random): OnnxSpec => {
  const [m, k, n] = [random.integer(1, 3), random.integer(1, 3), random.integer(1, 3)]
  const [transA, transB] = [random.integer(0, 1), random.integer(0, 1)]
  const b = reals(random, transB ? [n, k] : [k, n])
  const attributes = { transA, transB, alpha: { float: 0.3 } }
  return microsoft(single("FusedMatMul", transA ? [2, k, m] : [2, m, k], attributes, { b }))
}

const fusedConv = (random: Random): OnnxSpec => {
  const attributes = { activation: random.pick(["Relu", "Tanh"]), kernel_shape: [2, 2] }
  return microsoft(
    single("FusedConv", [1, 2, 3, 3], attributes, { w: reals(random, [2, 2, 2, 2]), b: reals(random, [2]) }),
  )
}

/** What TensorFlow's exporters write for a padded maximum. */
const paddedMax = (random: Random): OnnxSpec => ({
  inputs: [{ name: "x", shape: [1, 1, 3, 3] }],
  outputs: ["y"],
  initializers: {
    p: ints([0, 0, 1, 0, 0, 0, random.integer(0, 1), 1]),
    c: { shape: [], data: [random.pick([Number.NEGATIVE_INFINITY, -3.4028234663852886e38])] },
  },
  nodes: [
    { operator: "Pad", inputs: ["x", "p", "c"], outputs: ["padded"] },
    { operator: "MaxPool", inputs: ["padded"], outputs: ["y"], attributes: { kernel_shape: [2, 2] } },
  ],
})

export const smallCases: Record<string, (random: Random) => OnnxSpec> = {
  LpPool: lpPool,
  GlobalLpPool: (random) => single("GlobalLpPool", image(random), { p: random.integer(1, 3) }),
  "Pow of several and live exponents": powOf,
  BitwiseAnd: bitwise("BitwiseAnd"),
  BitwiseOr: bitwise("BitwiseOr"),
  BitwiseXor: bitwise("BitwiseXor"),
  BitwiseNot: bitwiseNot,
  BitShift: shiftRight,
  NegativeLogLikelihoodLoss: loss("NegativeLogLikelihoodLoss"),
  SoftmaxCrossEntropyLoss: loss("SoftmaxCrossEntropyLoss"),
  Affine: old("Affine", { alpha: { float: 0.5 }, beta: { float: -0.3 } }),
  Crop: old("Crop", { border: [0, 1, 0, 0] }),
  ImageScaler: imageScaler,
  ParametricSoftplus: old("ParametricSoftplus", { alpha: { float: 0.5 }, beta: { float: 1.5 } }),
  Scale: old("Scale", { scale: { float: 0.7 } }),
  ScaledTanh: old("ScaledTanh", { alpha: { float: 0.5 }, beta: { float: 1.5 } }),
  FusedGemm: fusedGemm,
  FusedMatMul: fusedMatMul,
  FusedConv: fusedConv,
  "Pad with the least number before a maximum": paddedMax,
}
