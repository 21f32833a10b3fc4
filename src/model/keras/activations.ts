/** Keras's activations, by name and as layers, as ONNX nodes. */
import type { Attribute } from "../graph.js"
import {
  isRecord,
  type LayerContext,
  number,
  Refusal,
  refuse,
  scalar,
  setting,
  shown,
  type Translate,
} from "./layer.js"

/** ONNX operator and attributes of an activation; the lowering decides which it supports. */
type Simple = readonly [operator: string, attributes: Record<string, Attribute>]

const simple: ReadonlyMap<string, Simple> = new Map(
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
    softmax: ["Softmax", { axis: -1 }],
    log_softmax: ["LogSoftmax", { axis: -1 }],
    logSoftmax: ["LogSoftmax", { axis: -1 }],
    leaky_relu: ["LeakyRelu", { alpha: 0.2 }],
    celu: ["Celu", {}],
    hard_silu: ["HardSwish", {}],
    hard_swish: ["HardSwish", {}],
    hard_shrink: ["Shrink", { lambd: 0.5, bias: 0 }],
    soft_shrink: ["Shrink", { lambd: 0.5, bias: 0.5 }],
  }),
) as ReadonlyMap<string, Simple>

/** Activations of more than one node. */
const composed: ReadonlyMap<string, (layer: LayerContext, x: string, id: string) => string> = new Map([
  ["relu6", (layer: LayerContext, x: string, id: string) => clip(layer, x, 0, 6, id)],
  ["hard_tanh", (layer, x, id) => clip(layer, x, -1, 1, id)],
  ["log_sigmoid", (layer, x) => layer.node("Neg", [layer.node("Softplus", [layer.node("Neg", [x])])])],
  ["tanh_shrink", (layer, x) => layer.node("Sub", [x, layer.node("Tanh", [x])])],
])

/** The activations that a layer may name. */
export const activationNames: readonly string[] = ["linear", ...composed.keys(), ...simple.keys()]

/** min(max(x, least), most) */
export const clip = (layer: LayerContext, x: string, least: number, most: number, id = ""): string =>
  layer.node("Clip", [x, scalar(layer, `${id}min`, least), scalar(layer, `${id}max`, most)])

/** The name of an activation that a file gives as text, or as an object that stands for a function of Keras. */
function nameOf(value: unknown): unknown {
  if (!isRecord(value)) return value
  const isFunction = value.class_name === "function" || value.class_name === value.config
  const isTheirs = typeof value.module !== "string" || /^(builtins|keras(\.|$))/.test(value.module)
  return isFunction && isTheirs ? value.config : value
}

/** An activation by its name in a layer's settings; `id` keeps constants of several apart. */
export function activate(layer: LayerContext, x: string, given: unknown, id = ""): string {
  const name = nameOf(given)
  if (name === undefined || name === null || name === "linear") return x
  if (isRecord(name) && isRecord(name.config)) {
    // a layer in the place of a function
    if (name.class_name === "PReLU") return refuse("a layer with weights as an activation is not supported")
    return layer.nested(name, "activation", [x])[0]
  }
  const known = typeof name === "string" ? simple.get(name) : undefined
  const formula = typeof name === "string" ? composed.get(name) : undefined
  if (formula) return formula(layer, x, id)
  if (!known) throw new Refusal(`activation \`${shown(name)}\` is not supported`)
  // Keras 3 has another slope
  if (known[0] === "HardSigmoid" && layer.version === 3)
    return layer.node("HardSigmoid", [x], { alpha: 1 / 6, beta: 0.5 })
  return layer.node(known[0], [x], known[1])
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
  if (maximum === undefined || maximum === null) return layer.node("Relu", [layer.inputs[0]])
  return clip(layer, layer.inputs[0], 0, number(layer, maximum))
}

const alphaOf = (layer: LayerContext, fallback: number, ...names: string[]): number => {
  const given = names.map((name) => setting(layer, name)).find((value) => value !== undefined)
  return number(layer, given ?? fallback)
}

export const activationLayers: Readonly<Record<string, Translate>> = {
  Activation: (layer) => activate(layer, layer.inputs[0], layer.config.activation),
  ReLU: relu,
  LeakyReLU: (layer) =>
    layer.node("LeakyRelu", [layer.inputs[0]], { alpha: alphaOf(layer, 0.3, "alpha", "negative_slope") }),
  ELU: (layer) => layer.node("Elu", [layer.inputs[0]], { alpha: alphaOf(layer, 1, "alpha") }),
  ThresholdedReLU: (layer) =>
    layer.node("ThresholdedRelu", [layer.inputs[0]], { alpha: alphaOf(layer, 1, "theta") }),
  PReLU: (layer) => {
    const { shape, data } = layer.weight("alpha", 0)
    return layer.node("PRelu", [layer.inputs[0], layer.constant("alpha", shape, data)])
  },
  Softmax: (layer) => {
    const axis = setting(layer, "axis") ?? -1
    const one = Array.isArray(axis) && axis.length === 1 ? axis[0] : axis
    if (typeof one !== "number") throw new Refusal("several axes are not supported")
    return layer.node("Softmax", [layer.inputs[0]], { axis: one })
  },
}
