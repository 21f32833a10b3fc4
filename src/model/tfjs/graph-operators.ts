/**
 * TensorFlow's operators as ONNX nodes. TensorFlow keeps channels last, ONNX first: convolutions, poolings and changes of
 * size get a Transpose on either side, which lowering turns into index maps. TensorFlow's padding SAME is ONNX's
 * SAME_UPPER. Operators and their attributes: https://www.tensorflow.org/api_docs/python/tf/raw_ops.
 */
import type { Attribute } from "../graph.js"
import { Refusal, refuse, shown } from "../keras/layer.js"
import { type GraphNode, integerOf, integersOf } from "./graph-node.js"

/** The outputs of a node. */
export type Translate = (node: GraphNode) => string | readonly string[]

const range = (length: number, from = 0): number[] => Array.from({ length }, (_, i) => from + i)

/** An end beyond every tensor. */
const far = 2 ** 31 - 1

const integers = (node: GraphNode, suffix: string, values: readonly number[]): string =>
  node.constant(suffix, [values.length], values, true)
const scalar = (node: GraphNode, suffix: string, value: number): string => node.constant(suffix, [], [value])

const simple =
  (operator: string, attributes: Record<string, Attribute> = {}): Translate =>
  (node) =>
    node.node(operator, node.inputs, attributes)

const identity: Translate = (node) => node.node("Identity", [node.inputs[0]])

/** Whether channels are last, of a node with images of so many axes. */
function isLast(node: GraphNode): boolean {
  const format = node.attributes.text("data_format", "NHWC")
  if (format === "NHWC" || format === "NDHWC" || format === "NWC") return true
  return format === "NCHW" || format === "NCDHW" ? false : refuse(`data_format \`${shown(format)}\``)
}

/** Runs `body` with channels first. */
function channelsFirst(node: GraphNode, axes: number, x: string, body: (x: string) => string): string {
  if (!isLast(node)) return body(x)
  const first = node.node("Transpose", [x], { perm: [0, axes + 1, ...range(axes, 1)] })
  return node.node("Transpose", [body(first)], { perm: [0, ...range(axes, 2), 1] })
}

/** The numbers of an attribute for the spatial axes alone. */
function spatial(node: GraphNode, name: string, axes: number): number[] {
  const values = node.attributes.numbers(name)
  if (values.length === 0) return new Array<number>(axes).fill(1)
  if (values.length !== axes + 2) return refuse(`attribute \`${name}\` has ${values.length} numbers`)
  const at = isLast(node) ? 1 : 2
  const others = [values[0], values[isLast(node) ? axes + 1 : 1]]
  if (others.some((value) => value !== 1)) refuse(`attribute \`${name}\` moves along batch or channels`)
  return values.slice(at, at + axes)
}

function padding(node: GraphNode, axes: number): Record<string, Attribute> {
  const word = node.attributes.text("padding", "VALID")
  if (word === "SAME") return { auto_pad: "SAME_UPPER" }
  if (word === "VALID") return { auto_pad: "VALID" }
  if (word !== "EXPLICIT") return refuse(`padding \`${shown(word)}\` is not supported`)
  const pads = node.attributes.numbers("explicit_paddings")
  if (pads.length !== 2 * axes + 4) return refuse("`explicit_paddings` have another length")
  const at = isLast(node) ? 2 : 4
  const own = pads.slice(at, at + 2 * axes)
  return { pads: [...own.filter((_, i) => i % 2 === 0), ...own.filter((_, i) => i % 2 === 1)] }
}

/** The dimensions of a kernel, which must be known. */
function kernelShape(node: GraphNode, rank: number): readonly number[] {
  const shape = node.shapeOf(1) ?? refuse("its weights depend on the model's input")
  return shape.length === rank ? shape : refuse(`its weights have ${shape.length} dimensions, not ${rank}`)
}

const conv =
  (axes: number): Translate =>
  (node) => {
    const kernel = kernelShape(node, axes + 2)
    const weight = node.node("Transpose", [node.inputs[1]], { perm: [axes + 1, axes, ...range(axes)] })
    const attributes = {
      ...padding(node, axes),
      kernel_shape: kernel.slice(0, axes),
      strides: spatial(node, "strides", axes),
      dilations: spatial(node, "dilations", axes),
    }
    return channelsFirst(node, axes, node.inputs[0], (x) => node.node("Conv", [x, weight], attributes))
  }

const depthwise: Translate = (node) => {
  const [h, w, channels, multiplier] = kernelShape(node, 4)
  const turned = node.node("Transpose", [node.inputs[1]], { perm: [2, 3, 0, 1] })
  const shape = integers(node, "kernel_shape", [channels * multiplier, 1, h, w])
  const weight = node.node("Reshape", [turned, shape])
  const attributes = {
    ...padding(node, 2),
    group: channels,
    kernel_shape: [h, w],
    strides: spatial(node, "strides", 2),
    dilations: spatial(node, "dilations", 2),
  }
  return channelsFirst(node, 2, node.inputs[0], (x) => node.node("Conv", [x, weight], attributes))
}

/** The gradient of a convolution is a transposed one; without sizes that are known, those that Keras would ask for. */
const convTranspose: Translate = (node) => {
  const kernel = kernelShape(node, 4)
  const weight = node.node("Transpose", [node.inputs[1]], { perm: [3, 2, 0, 1] })
  const strides = spatial(node, "strides", 2)
  const dilations = spatial(node, "dilations", 2)
  const sizes = node.shapeOf(0) ? integersOf(node, 0, "its sizes") : undefined
  const at = isLast(node) ? 1 : 2
  const extra = strides.map((stride, i) => Math.max(0, stride - ((kernel[i] - 1) * dilations[i] + 1)))
  const pad = padding(node, 2)
  if (pad.pads) refuse("explicit padding is not supported")
  const attributes = {
    ...pad,
    kernel_shape: kernel.slice(0, 2),
    strides,
    dilations,
    ...(sizes
      ? { output_shape: sizes.slice(at, at + 2) }
      : pad.auto_pad === "VALID" && { output_padding: extra }),
  }
  return channelsFirst(node, 2, node.inputs[2], (x) => node.node("ConvTranspose", [x, weight], attributes))
}

const activations: Readonly<Record<string, (node: GraphNode, x: string) => string>> = {
  Relu: (node, x) => node.node("Relu", [x]),
  Relu6: (node, x) => node.node("Clip", [x, scalar(node, "least", 0), scalar(node, "most", 6)]),
  Elu: (node, x) => node.node("Elu", [x]),
  Selu: (node, x) => node.node("Selu", [x]),
  Sigmoid: (node, x) => node.node("Sigmoid", [x]),
  Tanh: (node, x) => node.node("Tanh", [x]),
  Softplus: (node, x) => node.node("Softplus", [x]),
  LeakyRelu: (node, x) =>
    node.node("LeakyRelu", [x], {
      alpha: node.attributes.number("alpha", node.attributes.number("leakyrelu_alpha", 0.2)),
    }),
}

/** What converters fuse into a convolution or product: a bias, then an activation. */
const fused =
  (translate: Translate): Translate =>
  (node) => {
    const extra = node.attributes.number("num_args", 0)
    if (!Number.isInteger(extra) || extra < 0 || extra >= node.inputs.length)
      return refuse("`num_args` is more than it reads")
    const own = node.inputs.slice(0, 2)
    const others = [...node.inputs.slice(2)]
    let y = translate({ ...node, inputs: own }) as string
    for (const name of node.attributes.texts("fused_ops")) {
      if (name === "BiasAdd" || name === "Prelu") {
        const operand = others.shift() ?? refuse(`\`${name}\` has no operand`)
        y =
          name === "Prelu"
            ? node.node("PRelu", [y, operand])
            : node.node("Add", [y, perChannel(node, operand, "spatial")])
      } else {
        const activation = Object.hasOwn(activations, name) ? activations[name] : undefined
        y = (activation ?? refuse(`fused \`${shown(name)}\` is not supported`))(node, y)
      }
    }
    return others.length === 0 ? y : refuse("it reads more than it uses")
  }

/** Axes exchanged where an attribute asks for it. */
const matMul: Translate = (node) => {
  const [a, b] = node.inputs
  const flipped = (x: string, name: string) =>
    node.attributes.flag(name) ? node.node("Transpose", [x], { perm: [1, 0] }) : x
  return node.node("MatMul", [flipped(a, "transpose_a"), flipped(b, "transpose_b")])
}

const batchMatMul: Translate = (node) => {
  const [left, right] = ["adj_x", "adj_y"].map((name) => node.attributes.flag(name))
  if (!left && !right) return node.node("MatMul", node.inputs.slice(0, 2))
  const equation = `...${left ? "ba" : "ab"},...${right ? "cb" : "bc"}->...ac`
  return node.node("Einsum", node.inputs.slice(0, 2), { equation })
}

const pool =
  (operator: string, axes: number): Translate =>
  (node) => {
    const attributes = {
      ...padding(node, axes),
      kernel_shape: spatial(node, "ksize", axes),
      strides: spatial(node, "strides", axes),
    }
    return channelsFirst(node, axes, node.inputs[0], (x) => node.node(operator, [x], attributes))
  }

/** A value for each channel, against images. */
const perChannel = (node: GraphNode, x: string, suffix: string): string =>
  isLast(node) ? x : node.node("Unsqueeze", [x, integers(node, suffix, [1, 2])])

/**
 * (x − mean) · scale / √(variance + ε) + offset, of statistics of training, or of those of each channel itself: Keras
 * writes layer normalizations like that.
 */
const batchNorm: Translate = (node) => {
  const [x, scale, offset, mean, variance] = node.inputs
  const epsilon = node.attributes.number("epsilon", 1e-4)
  if (node.attributes.flag("is_training", true)) {
    const [there, back] = isLast(node)
      ? [
          [3, 0, 1, 2],
          [1, 2, 3, 0],
        ]
      : [
          [1, 0, 2, 3],
          [1, 0, 2, 3],
        ]
    const channels = node.node("Transpose", [x], { perm: there })
    const one = node.constant("one", [1], [1])
    const normalized = node.node("LayerNormalization", [channels, one], { axis: 1, epsilon })
    const y = node.node("Transpose", [normalized], { perm: back })
    const scaled = node.node("Mul", [y, perChannel(node, scale, "scale")])
    return node.node("Add", [scaled, perChannel(node, offset, "offset")])
  }
  if (!isLast(node)) return node.node("BatchNormalization", [x, scale, offset, mean, variance], { epsilon })
  const deviation = node.node("Sqrt", [node.node("Add", [variance, scalar(node, "epsilon", epsilon)])])
  const factor = node.node("Div", [scale, deviation])
  const moved = node.node("Sub", [offset, node.node("Mul", [mean, factor])])
  return node.node("Add", [node.node("Mul", [x, factor]), moved])
}

const reduction =
  (operator: string): Translate =>
  (node) => {
    const [x] = node.inputs
    const axes = integersOf(node, 1, "its axes")
    const keepdims = node.attributes.flag("keep_dims", node.attributes.flag("keepDims")) ? 1 : 0
    if (axes.length === 0) return node.node("Identity", [x])
    if (operator === "ReduceSum") return node.node(operator, [x, integers(node, "axes", axes)], { keepdims })
    return node.node(operator, [x], { axes, keepdims })
  }

const arg =
  (operator: string): Translate =>
  (node) =>
    node.node(operator, [node.inputs[0]], { axis: integerOf(node, 1, "its axis"), keepdims: 0 })

const squeeze: Translate = (node) => {
  const axes = [...node.attributes.numbers("squeeze_dims"), ...node.attributes.numbers("axis")]
  return node.node(
    "Squeeze",
    axes.length === 0 ? [node.inputs[0]] : [node.inputs[0], integers(node, "axes", axes)],
  )
}

/** [[before, after], …] of each axis as ONNX has them: all before, then all after. */
const pad =
  (mode: string): Translate =>
  (node) => {
    const pairs = integersOf(node, 1, "its paddings")
    const pads = [...pairs.filter((_, i) => i % 2 === 0), ...pairs.filter((_, i) => i % 2 === 1)]
    const word = mode === "mirror" ? node.attributes.text("mode", "REFLECT") : mode
    if (word !== "constant" && word !== "REFLECT") refuse(`mode \`${shown(word)}\` is not supported`)
    const value = node.inputs.length > 2 ? [node.inputs[2]] : []
    return node.node("Pad", [node.inputs[0], integers(node, "pads", pads), ...value], {
      mode: word === "REFLECT" ? "reflect" : "constant",
    })
  }

/** Bits of a mask, for each entry of a slice. */
const bit = (node: GraphNode, name: string, i: number): boolean =>
  ((node.attributes.number(name, 0) >> i) & 1) === 1

/** TensorFlow's x[a:b:c, …, newaxis, d]: a slice, then axes that go, then axes that come. */
const stridedSlice: Translate = (node) => {
  const [begin, end, stride] = [1, 2, 3].map((i) => integersOf(node, i, "its bounds"))
  const entries = begin.length
  if (end.length !== entries || stride.length !== entries || entries > 16)
    throw new Refusal("its bounds differ in length")
  const slices: { start: number; stop: number; axis: number; step: number }[] = []
  const [gone, come]: [number[], number[]] = [[], []]
  const ellipsis = range(entries).find((i) => bit(node, "ellipsis_mask", i))
  const isNew = (i: number) => bit(node, "new_axis_mask", i)
  const isGone = (i: number) => bit(node, "shrink_axis_mask", i) && !isNew(i)
  for (const i of range(entries)) {
    if (i === ellipsis) continue
    // behind an ellipsis axes are counted from the end
    const isBehind = ellipsis !== undefined && i > ellipsis
    const others = isBehind ? range(entries - i - 1, i + 1) : range(i)
    const axis = others.filter((k) => !isNew(k)).length
    const place = others.filter((k) => isNew(k) || !isGone(k)).length
    if (isNew(i)) {
      come.push(isBehind ? -1 - place : place)
      continue
    }
    const at = isBehind ? -1 - axis : axis
    if (isGone(i)) {
      gone.push(at)
      slices.push({ start: begin[i], stop: begin[i] === -1 ? far : begin[i] + 1, axis: at, step: 1 })
      continue
    }
    const [first, last] = stride[i] > 0 ? [0, far] : [far, -far]
    slices.push({
      start: bit(node, "begin_mask", i) ? first : begin[i],
      stop: bit(node, "end_mask", i) ? last : end[i],
      axis: at,
      step: stride[i],
    })
  }
  if (come.some((axis) => axis < 0) && come.some((axis) => axis >= 0))
    refuse("new axes on both sides of an ellipsis are not supported")
  const list = (suffix: string, of: (slice: (typeof slices)[number]) => number) =>
    integers(node, suffix, slices.map(of))
  let [y] = node.inputs
  if (slices.length > 0)
    y = node.node("Slice", [
      y,
      list("starts", ({ start }) => start),
      list("ends", ({ stop }) => stop),
      list("axes", ({ axis }) => axis),
      list("steps", ({ step }) => step),
    ])
  if (gone.length > 0) y = node.node("Squeeze", [y, integers(node, "gone", gone)])
  return come.length > 0 ? node.node("Unsqueeze", [y, integers(node, "come", come)]) : y
}

const slice: Translate = (node) => {
  const [begin, size] = [1, 2].map((i) => integersOf(node, i, "its bounds"))
  if (begin.length !== size.length) throw new Refusal("its bounds differ in length")
  const ends = begin.map((at, i) => (size[i] === -1 ? far : at + size[i]))
  return node.node("Slice", [node.inputs[0], integers(node, "starts", begin), integers(node, "ends", ends)])
}

const split: Translate = (node) => {
  const count = node.attributes.number("num_split", 1)
  return node.outputs(mostOf(count), "Split", [node.inputs[1]], { axis: integerOf(node, 0, "its axis") })
}

const splitV: Translate = (node) => {
  const sizes = integersOf(node, 1, "its sizes")
  const axis = integerOf(node, 2, "its axis")
  return node.outputs(sizes.length, "Split", [node.inputs[0], integers(node, "sizes", sizes)], { axis })
}

/** A number of outputs. */
const mostOf = (count: number): number =>
  Number.isInteger(count) && count >= 1 && count <= 1000 ? count : refuse(`it has ${count} outputs`)

const pack: Translate = (node) => {
  const axis = node.attributes.number("axis", 0)
  const axes = integers(node, "axes", [axis])
  const parts = node.inputs.map((x) => node.node("Unsqueeze", [x, axes]))
  return node.node("Concat", parts, { axis })
}

const unpack: Translate = (node) => {
  const axis = node.attributes.number("axis", 0)
  const axes = integers(node, "axes", [axis])
  const parts = node.outputs(mostOf(node.attributes.number("num", 1)), "Split", [node.inputs[0]], { axis })
  return parts.map((part) => node.node("Squeeze", [part, axes]))
}

const gather: Translate = (node) => {
  if (node.attributes.number("batch_dims", 0) !== 0) refuse("`batch_dims` are not supported")
  const axis = node.inputs.length > 2 ? integerOf(node, 2, "its axis") : 0
  return node.node("Gather", node.inputs.slice(0, 2), { axis })
}

const resize =
  (mode: "linear" | "nearest"): Translate =>
  (node) => {
    const aligned = node.attributes.flag("align_corners")
    const half = node.attributes.flag("half_pixel_centers")
    const halfWord = mode === "linear" ? "half_pixel" : "tf_half_pixel_for_nn"
    return node.node("Resize", [node.inputs[0], "", "", node.inputs[1]], {
      mode,
      axes: [1, 2],
      coordinate_transformation_mode: aligned ? "align_corners" : half ? halfWord : "asymmetric",
      ...(mode === "nearest" && { nearest_mode: aligned ? "round_prefer_ceil" : "floor" }),
    })
  }

/** Types of ONNX by TensorFlow's names. */
const types: ReadonlyMap<string, number> = new Map([
  ["DT_FLOAT", 1],
  ["DT_UINT8", 2],
  ["DT_INT8", 3],
  ["DT_INT32", 6],
  ["DT_INT64", 7],
  ["DT_BOOL", 9],
  ["DT_HALF", 10],
  ["DT_DOUBLE", 11],
])

const cast: Translate = (node) => {
  const name = node.attributes.type("DstT")
  return node.node("Cast", [node.inputs[0]], {
    to: types.get(name) ?? refuse(`type \`${name}\` is not supported`),
  })
}

const oneHot: Translate = (node) => {
  const [indices, , on, off] = node.inputs
  const depth = integerOf(node, 1, "its depth")
  const first = integers(node, "first", [0])
  const values = node.node(
    "Concat",
    [off, on].map((x) => node.node("Unsqueeze", [x, first])),
    { axis: 0 },
  )
  return node.node("OneHot", [indices, integers(node, "depth", [depth]), values], {
    axis: node.attributes.number("axis", -1),
  })
}

const topK: Translate = (node) =>
  node.outputs(2, "TopK", [node.inputs[0], integers(node, "k", [integerOf(node, 1, "its k")])], { axis: -1 })

const square = (node: GraphNode, x: string): string => node.node("Mul", [x, x])

const unary = Object.fromEntries(
  [
    ...[
      "Abs",
      "Acos",
      "Acosh",
      "Asin",
      "Asinh",
      "Atan",
      "Atanh",
      "Ceil",
      "Cos",
      "Cosh",
      "Erf",
      "Exp",
      "Floor",
    ],
    ...["Log", "Neg", "Reciprocal", "Round", "Shape", "Sign", "Sin", "Sinh", "Softsign", "Sqrt", "Tan"],
  ].map((name) => [name, simple(name)]),
)

/** The operators that can be read, by TensorFlow's names. */
export const graphOperators: Readonly<Record<string, Translate>> = {
  ...unary,
  ...Object.fromEntries(
    Object.entries(activations).map(([name, make]) => [
      name,
      (node: GraphNode) => make(node, node.inputs[0]),
    ]),
  ),
  Add: simple("Add"),
  AddN: simple("Sum"),
  AddV2: simple("Add"),
  ArgMax: arg("ArgMax"),
  ArgMin: arg("ArgMin"),
  AvgPool: pool("AveragePool", 2),
  AvgPool3D: pool("AveragePool", 3),
  BatchMatMul: batchMatMul,
  BatchMatMulV2: batchMatMul,
  BiasAdd: (node) => node.node("Add", [node.inputs[0], perChannel(node, node.inputs[1], "spatial")]),
  Cast: cast,
  CheckNumerics: identity,
  ClipByValue: simple("Clip"),
  ConcatV2: (node) =>
    node.node("Concat", node.inputs.slice(0, -1), {
      axis: integerOf(node, node.inputs.length - 1, "its axis"),
    }),
  Conv2D: conv(2),
  Conv2DBackpropInput: convTranspose,
  Conv3D: conv(3),
  DepthToSpace: (node) =>
    channelsFirst(node, 2, node.inputs[0], (x) =>
      node.node("DepthToSpace", [x], { blocksize: node.attributes.number("block_size", 2), mode: "DCR" }),
    ),
  DepthwiseConv2dNative: depthwise,
  Einsum: (node) => node.node("Einsum", node.inputs, { equation: node.attributes.text("equation", "") }),
  Equal: simple("Equal"),
  Erfc: (node) => node.node("Sub", [scalar(node, "one", 1), node.node("Erf", node.inputs)]),
  ExpandDims: (node) =>
    node.node("Unsqueeze", [node.inputs[0], integers(node, "axes", [integerOf(node, 1, "its axis")])]),
  Expm1: (node) => node.node("Sub", [node.node("Exp", node.inputs), scalar(node, "one", 1)]),
  Fill: (node) => node.node("Expand", [node.inputs[1], node.inputs[0]]),
  FloorDiv: (node) => node.node("Floor", [node.node("Div", node.inputs)]),
  FloorMod: simple("Mod"),
  FusedBatchNorm: batchNorm,
  FusedBatchNormV2: batchNorm,
  FusedBatchNormV3: batchNorm,
  FusedConv2D: fused(conv(2)),
  FusedDepthwiseConv2dNative: fused(depthwise),
  FusedMatMul: fused(matMul),
  GatherV2: gather,
  Greater: simple("Greater"),
  GreaterEqual: simple("GreaterOrEqual"),
  Identity: identity,
  Less: simple("Less"),
  LessEqual: simple("LessOrEqual"),
  Log1p: (node) => node.node("Log", [node.node("Add", [node.inputs[0], scalar(node, "one", 1)])]),
  LogSoftmax: simple("LogSoftmax", { axis: -1 }),
  LogicalAnd: simple("And"),
  LogicalNot: simple("Not"),
  LogicalOr: simple("Or"),
  MatMul: matMul,
  Max: reduction("ReduceMax"),
  MaxPool: pool("MaxPool", 2),
  MaxPool3D: pool("MaxPool", 3),
  Maximum: simple("Max"),
  Mean: reduction("ReduceMean"),
  Min: reduction("ReduceMin"),
  Minimum: simple("Min"),
  MirrorPad: pad("mirror"),
  Mul: simple("Mul"),
  NotEqual: (node) => node.node("Not", [node.node("Equal", node.inputs)]),
  OneHot: oneHot,
  Pack: pack,
  Pad: pad("constant"),
  PadV2: pad("constant"),
  PlaceholderWithDefault: identity,
  Pow: simple("Pow"),
  Prelu: simple("PRelu"),
  PreventGradient: identity,
  Prod: reduction("ReduceProd"),
  Range: simple("Range"),
  RealDiv: simple("Div"),
  Reshape: simple("Reshape"),
  ResizeBilinear: resize("linear"),
  ResizeNearestNeighbor: resize("nearest"),
  Rsqrt: (node) => node.node("Reciprocal", [node.node("Sqrt", node.inputs)]),
  Select: simple("Where"),
  SelectV2: simple("Where"),
  Slice: slice,
  Snapshot: identity,
  Softmax: simple("Softmax", { axis: -1 }),
  SpaceToDepth: (node) =>
    channelsFirst(node, 2, node.inputs[0], (x) =>
      node.node("SpaceToDepth", [x], { blocksize: node.attributes.number("block_size", 2) }),
    ),
  Split: split,
  SplitV: splitV,
  Square: (node) => square(node, node.inputs[0]),
  SquaredDifference: (node) => square(node, node.node("Sub", node.inputs)),
  Squeeze: squeeze,
  StopGradient: identity,
  StridedSlice: stridedSlice,
  Sub: simple("Sub"),
  Sum: reduction("ReduceSum"),
  Tile: simple("Tile"),
  TopKV2: topK,
  Transpose: (node) => node.node("Transpose", [node.inputs[0]], { perm: integersOf(node, 1, "its axes") }),
  Unpack: unpack,
  _FusedConv2D: fused(conv(2)),
  _FusedMatMul: fused(matMul),
}

/** Operators whose results depend on what was computed, in number or in order. */
const control =
  /^(Switch|Merge|Enter|Exit|NextIteration|LoopCond|(Stateless)?(While|If|Case)|(Stateful)?PartitionedCall|Tensor(List|Array).*|For)$/

/** The outputs of a node. @throws Refusal */
export function graphOutputs(node: GraphNode): readonly string[] {
  const { operator } = node
  if (control.test(operator)) refuse("control flow is not supported")
  if (!Object.hasOwn(graphOperators, operator)) refuse("the operator is not supported")
  const made = graphOperators[operator](node)
  return typeof made === "string" ? [made] : made
}
