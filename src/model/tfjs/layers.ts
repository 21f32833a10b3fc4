/** Keras layers as ONNX nodes, one entry a layer class (Keras 2 serialisation, as tfjs writes it). */
import type { Attribute, Tensor } from "../graph.js"
import { limits } from "../limits.js"

export type Config = Readonly<Record<string, unknown>>

/** What a layer's translation may use: its settings, its weights, and a way to add nodes and constants. */
export interface LayerContext {
  readonly name: string
  readonly config: Config
  readonly inputs: readonly string[]
  /** The weight whose name ends in `/suffix`. @throws Refusal when the file has none */
  weight(suffix: string): Tensor
  constant(suffix: string, shape: readonly number[], data: ArrayLike<number>, integral?: boolean): string
  /** Adds a node and returns its output's name. */
  node(operator: string, inputs: readonly string[], attributes?: Record<string, Attribute>): string
}

/** Why a layer cannot be translated; all of them are collected. */
export class Refusal extends Error {}

/** A value of the file as messages show it; what is no text may be deep or large. */
export const shown = (value: unknown): string =>
  typeof value === "string" ? value.slice(0, 40) : typeof value

type Translate = (layer: LayerContext) => string

/** A setting under either spelling: Keras writes snake_case, tfjs may write camelCase. */
function setting(layer: LayerContext, name: string): unknown {
  return (
    layer.config[name] ?? layer.config[name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())]
  )
}

/** A number that a setting holds. */
function number(layer: LayerContext, value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value)) return value
  throw new Refusal(`a setting of layer \`${layer.name}\` is no number`)
}

/** Numbers of a setting, one for each of `length` axes, or as many as it lists. */
function list(layer: LayerContext, name: string, length: number, fallback: number): number[] {
  const value = setting(layer, name) ?? fallback
  if (Array.isArray(value)) return value.map((each) => number(layer, each))
  return new Array<number>(length).fill(number(layer, value))
}

/** A weight of so many dimensions. */
function weightOf(layer: LayerContext, suffix: string, rank: number): Tensor {
  const tensor = layer.weight(suffix)
  if (tensor.shape.length !== rank)
    throw new Refusal(`weight \`${suffix}\` has ${tensor.shape.length} dimensions, not ${rank}`)
  return tensor
}

/** Weights with axes permuted: axis i of the result is axis permutation[i] of the source. */
function permuted(
  { shape, data }: Tensor,
  permutation: readonly number[],
): { shape: number[]; data: Float64Array } {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((x, y) => x * y, 1))
  const target = permutation.map((axis) => shape[axis])
  const result = new Float64Array(data.length).map((_, flat) => {
    let at = 0
    for (let axis = target.length - 1, rest = flat; axis >= 0; axis--) {
      at += (rest % target[axis]) * strides[permutation[axis]]
      rest = Math.floor(rest / target[axis])
    }
    return data[at]
  })
  return { shape: target, data: result }
}

/** ONNX operator and attributes of Keras's activation names; the lowering decides which it supports. */
const activations = new Map<unknown, [string, Record<string, Attribute>]>(
  Object.entries({
    relu: ["Relu", {}],
    sigmoid: ["Sigmoid", {}],
    hard_sigmoid: ["HardSigmoid", { alpha: 0.2, beta: 0.5 }],
    hardSigmoid: ["HardSigmoid", { alpha: 0.2, beta: 0.5 }],
    tanh: ["Tanh", {}],
    elu: ["Elu", {}],
    selu: ["Selu", {}],
    softplus: ["Softplus", {}],
    softsign: ["Softsign", {}],
    exponential: ["Exp", {}],
    swish: ["Swish", {}],
    silu: ["Swish", {}],
    mish: ["Mish", {}],
    gelu: ["Gelu", {}],
    gelu_new: ["Gelu", { approximate: "tanh" }],
  }),
)

/** min(max(x, 0), most) */
const rampTo = (layer: LayerContext, x: string, most: number): string =>
  layer.node("Clip", [x, layer.constant("min", [], [0]), layer.constant("max", [], [most])])

function activate(layer: LayerContext, x: string, name: unknown): string {
  if (name === undefined || name === null || name === "linear") return x
  if (name === "relu6") return rampTo(layer, x, 6)
  const known = activations.get(name)
  if (!known) throw new Refusal(`activation \`${shown(name)}\` is not supported`)
  return layer.node(known[0], [x], known[1])
}

const channelsLast = (layer: LayerContext): boolean => {
  const format = setting(layer, "data_format")
  return format !== "channels_first" && format !== "channelsFirst"
}

/** Runs `body` with channels first, whatever the layer's format. */
function withChannelsFirst(layer: LayerContext, axes: number, body: (x: string) => string): string {
  const [x] = layer.inputs
  if (!channelsLast(layer)) return body(x)
  const spatial = Array.from({ length: axes }, (_, i) => i + 1)
  const first = layer.node("Transpose", [x], { perm: [0, axes + 1, ...spatial] })
  return layer.node("Transpose", [body(first)], { perm: [0, ...spatial.map((axis) => axis + 1), 1] })
}

function autoPad(layer: LayerContext): Record<string, Attribute> {
  const padding = setting(layer, "padding") ?? "valid"
  if (padding !== "same" && padding !== "valid")
    throw new Refusal(`padding \`${shown(padding)}\` is not supported`)
  return { auto_pad: padding === "same" ? "SAME_UPPER" : "VALID" }
}

const biasOf = (layer: LayerContext): string[] => {
  if (setting(layer, "use_bias") === false) return []
  const { shape, data } = layer.weight("bias")
  return [layer.constant("bias", shape, data)]
}

const conv =
  (axes: number): Translate =>
  (layer) => {
    const kernel = weightOf(layer, "kernel", axes + 2)
    const weight = permuted(kernel, [axes + 1, axes, ...Array.from({ length: axes }, (_, i) => i)])
    const attributes = {
      ...autoPad(layer),
      kernel_shape: kernel.shape.slice(0, axes),
      strides: list(layer, "strides", axes, 1),
      dilations: list(layer, "dilation_rate", axes, 1),
    }
    const parameters = [layer.constant("kernel", weight.shape, weight.data), ...biasOf(layer)]
    const y = withChannelsFirst(layer, axes, (x) => layer.node("Conv", [x, ...parameters], attributes))
    return activate(layer, y, layer.config.activation)
  }

/** Depthwise kernel [h, w, C, multiplier] to ONNX's grouped [C·multiplier, 1, h, w]. */
function depthwise(layer: LayerContext, x: string, suffix: string, bias: readonly string[]): string {
  const kernel = weightOf(layer, suffix, 4)
  const [h, w, channels, multiplier] = kernel.shape
  const { data } = permuted(kernel, [2, 3, 0, 1])
  const weight = layer.constant(suffix, [channels * multiplier, 1, h, w], data)
  const attributes = {
    ...autoPad(layer),
    group: channels,
    kernel_shape: [h, w],
    strides: list(layer, "strides", 2, 1),
    dilations: list(layer, "dilation_rate", 2, 1),
  }
  return layer.node("Conv", [x, weight, ...bias], attributes)
}

const depthwiseConv: Translate = (layer) => {
  const bias = biasOf(layer)
  const y = withChannelsFirst(layer, 2, (x) => depthwise(layer, x, "depthwise_kernel", bias))
  return activate(layer, y, layer.config.activation)
}

const separableConv: Translate = (layer) => {
  const bias = biasOf(layer)
  const pointwise = permuted(weightOf(layer, "pointwise_kernel", 4), [3, 2, 0, 1])
  const weight = layer.constant("pointwise_kernel", pointwise.shape, pointwise.data)
  const y = withChannelsFirst(layer, 2, (x) =>
    layer.node("Conv", [depthwise(layer, x, "depthwise_kernel", []), weight, ...bias], {
      kernel_shape: [1, 1],
    }),
  )
  return activate(layer, y, layer.config.activation)
}

const pool =
  (operator: string, axes: number): Translate =>
  (layer) => {
    const kernel = list(layer, "pool_size", axes, 2)
    const attributes = {
      ...autoPad(layer),
      kernel_shape: kernel,
      strides: setting(layer, "strides") ? list(layer, "strides", axes, 1) : kernel,
    }
    return withChannelsFirst(layer, axes, (x) => layer.node(operator, [x], attributes))
  }

const globalPool =
  (operator: string, axes: number): Translate =>
  (layer) => {
    const first = channelsLast(layer) ? 1 : 2
    const spatial = Array.from({ length: axes }, (_, i) => first + i)
    return layer.node(operator, [layer.inputs[0]], {
      axes: spatial,
      keepdims: setting(layer, "keepdims") === true ? 1 : 0,
    })
  }

const dense: Translate = (layer) => {
  const { shape, data } = weightOf(layer, "kernel", 2)
  let y = layer.node("MatMul", [layer.inputs[0], layer.constant("kernel", shape, data)])
  const bias = biasOf(layer)
  if (bias.length > 0) y = layer.node("Add", [y, bias[0]])
  return activate(layer, y, layer.config.activation)
}

/** Folds to scale and offset along the last axis (or the given one). */
const batchNormalization: Translate = (layer) => {
  const mean = layer.weight("moving_mean").data
  const variance = layer.weight("moving_variance").data
  const epsilon = number(layer, setting(layer, "epsilon") ?? 1e-3)
  const gamma = setting(layer, "scale") === false ? mean.map(() => 1) : layer.weight("gamma").data
  const beta = setting(layer, "center") === false ? mean.map(() => 0) : layer.weight("beta").data
  if ([variance, gamma, beta].some(({ length }) => length !== mean.length))
    throw new Refusal("its weights differ in length")
  const [axis] = list(layer, "axis", 1, -1)
  if (axis !== -1 && !(Number.isInteger(axis) && axis >= 1 && axis < limits.dimensions))
    throw new Refusal(`axis ${axis} is not supported; use channels last`)
  const scale = gamma.map((g, i) => g / Math.sqrt(variance[i] + epsilon))
  const offset = beta.map((b, i) => b - mean[i] * scale[i])
  // a permutation that changes nothing, and is refused where the axis is not the last
  const perm = Array.from({ length: axis + 1 }, (_, i) => i)
  const x = axis === -1 ? layer.inputs[0] : layer.node("Transpose", [layer.inputs[0]], { perm })
  const scaled = layer.node("Mul", [x, layer.constant("scale", [scale.length], scale)])
  return layer.node("Add", [scaled, layer.constant("offset", [offset.length], offset)])
}

const merge =
  (operator: string): Translate =>
  (layer) =>
    layer.node(operator, layer.inputs)
const identity: Translate = (layer) => layer.node("Identity", [layer.inputs[0]])
const integers = (layer: LayerContext, suffix: string, values: readonly number[]) =>
  layer.constant(suffix, [values.length], values, true)

/** Padding or cropping as [[before, after], …] per spatial axis. */
function pairs(layer: LayerContext, name: string, axes: number): number[][] {
  const value = setting(layer, name) ?? 1
  const both = (entry: unknown): number[] =>
    Array.isArray(entry)
      ? entry.map((each) => number(layer, each))
      : [number(layer, entry), number(layer, entry)]
  if (!Array.isArray(value)) return Array.from({ length: axes }, () => both(value))
  const found = axes === 1 && !Array.isArray(value[0]) ? [both(value)] : value.map(both)
  if (found.length !== axes || found.some(({ length }) => length !== 2))
    throw new Refusal(`\`${name}\` does not fit ${axes} axes`)
  return found
}

const pad =
  (axes: number, name: string, sign: 1 | -1): Translate =>
  (layer) => {
    const spatial = pairs(layer, name, axes)
    const all = channelsLast(layer) ? [[0, 0], ...spatial, [0, 0]] : [[0, 0], [0, 0], ...spatial]
    const pads = [...all.map(([before]) => sign * before), ...all.map(([, after]) => sign * after)]
    return layer.node("Pad", [layer.inputs[0], integers(layer, "pads", pads)])
  }

const relu: Translate = (layer) => {
  const [maximum, slope, threshold] = ["max_value", "negative_slope", "threshold"].map((name) =>
    setting(layer, name),
  )
  if (threshold) throw new Refusal("a threshold is not supported")
  if (slope) {
    if (maximum) throw new Refusal("negative_slope together with max_value is not supported")
    return layer.node("LeakyRelu", [layer.inputs[0]], { alpha: number(layer, slope) })
  }
  if (!maximum) return layer.node("Relu", [layer.inputs[0]])
  return rampTo(layer, layer.inputs[0], number(layer, maximum))
}

const translations: Readonly<Record<string, Translate>> = {
  Dense: dense,
  Conv1D: conv(1),
  Conv2D: conv(2),
  DepthwiseConv2D: depthwiseConv,
  SeparableConv2D: separableConv,
  BatchNormalization: batchNormalization,
  MaxPooling1D: pool("MaxPool", 1),
  MaxPooling2D: pool("MaxPool", 2),
  AveragePooling1D: pool("AveragePool", 1),
  AveragePooling2D: pool("AveragePool", 2),
  GlobalAveragePooling1D: globalPool("ReduceMean", 1),
  GlobalAveragePooling2D: globalPool("ReduceMean", 2),
  GlobalMaxPooling1D: globalPool("ReduceMax", 1),
  GlobalMaxPooling2D: globalPool("ReduceMax", 2),
  Flatten: (layer) => {
    const [x] = layer.inputs
    return layer.node("Flatten", [x], { axis: 1 })
  },
  Reshape: (layer) => {
    const shape = [0, ...list(layer, "target_shape", 1, -1)]
    return layer.node("Reshape", [layer.inputs[0], integers(layer, "shape", shape)])
  },
  Permute: (layer) => layer.node("Transpose", [layer.inputs[0]], { perm: [0, ...list(layer, "dims", 1, 1)] }),
  Dropout: identity,
  SpatialDropout1D: identity,
  SpatialDropout2D: identity,
  GaussianNoise: identity,
  GaussianDropout: identity,
  AlphaDropout: identity,
  ActivityRegularization: identity,
  Activation: (layer) => activate(layer, layer.inputs[0], layer.config.activation),
  ReLU: relu,
  LeakyReLU: (layer) =>
    layer.node("LeakyRelu", [layer.inputs[0]], {
      alpha: number(layer, setting(layer, "alpha") ?? setting(layer, "negative_slope") ?? 0.3),
    }),
  ELU: (layer) => layer.node("Elu", [layer.inputs[0]], { alpha: number(layer, layer.config.alpha ?? 1) }),
  ThresholdedReLU: (layer) =>
    layer.node("ThresholdedRelu", [layer.inputs[0]], { alpha: number(layer, layer.config.theta ?? 1) }),
  PReLU: (layer) => {
    const { shape, data } = layer.weight("alpha")
    return layer.node("PRelu", [layer.inputs[0], layer.constant("alpha", shape, data)])
  },
  Add: merge("Sum"),
  Average: merge("Mean"),
  Subtract: merge("Sub"),
  Multiply: merge("Mul"),
  Maximum: merge("Max"),
  Minimum: merge("Min"),
  Concatenate: (layer) =>
    layer.node("Concat", layer.inputs, { axis: number(layer, layer.config.axis ?? -1) }),
  ZeroPadding1D: pad(1, "padding", 1),
  ZeroPadding2D: pad(2, "padding", 1),
  Cropping1D: pad(1, "cropping", -1),
  Cropping2D: pad(2, "cropping", -1),
}

const padding = "`padding` is `same` or `valid`"
const activation = "`activation` is one of those below"

/** What a translation takes less than Keras does: lines of docs/OPERATORS.md (bench/operators.mjs). */
const narrower: Readonly<Record<string, readonly string[]>> = {
  Dense: [activation],
  Conv1D: [padding, activation],
  Conv2D: [padding, activation],
  DepthwiseConv2D: [padding, activation],
  SeparableConv2D: [padding, activation],
  BatchNormalization: ["`axis` is the last"],
  MaxPooling1D: [padding],
  MaxPooling2D: [padding],
  AveragePooling1D: [padding],
  AveragePooling2D: [padding],
  Activation: [activation],
  ReLU: ["no `threshold`", "no `negative_slope` beside a `max_value`"],
}

/** The layers that can be imported, with the limits of each. */
export const layers: ReadonlyMap<
  string,
  { readonly translate: Translate; readonly limits: readonly string[] }
> = new Map(
  Object.entries(translations).map(([name, translate]) => [
    name,
    { translate, limits: narrower[name] ?? [] },
  ]),
)

/** The activations that a layer may name. */
export const activationNames: readonly string[] = [
  "linear",
  "relu6",
  ...(activations.keys() as Iterable<string>),
]

/** Adds the nodes of a layer and returns its output. @throws Refusal */
export function layerNodes(className: string, layer: LayerContext): string {
  const found = layers.get(className)
  if (!found) throw new Refusal("the layer is not supported")
  return found.translate(layer)
}
