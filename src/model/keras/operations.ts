/**
 * Functions of Keras 3 (`keras.ops`, or operators of Python) between layers, as ONNX nodes. Their tensors are arguments
 * by position; what else they need stands in their settings.
 */
import type { Attribute } from "../graph.js"
import { activate } from "./activations.js"
import {
  type Argument,
  integers,
  type LayerContext,
  list,
  number,
  refuse,
  Symbolic,
  setting,
  shown,
  type Translate,
} from "./layer.js"

/** An argument as a tensor: one of the graph, a number, or nested lists of numbers. */
function operand(layer: LayerContext, at: number): string {
  const given = layer.args[at]
  if (given instanceof Symbolic) return given.name
  const shape: number[] = []
  for (let part: Argument | undefined = given; Array.isArray(part); part = part[0]) shape.push(part.length)
  const flat = Array.isArray(given) ? (given as unknown[]).flat(shape.length) : [given]
  const values = flat.map((each) => (typeof each === "boolean" ? Number(each) : number(layer, each)))
  return layer.constant(`argument:${at}`, shape, values)
}

const unary =
  (operator: string, attributes: Record<string, Attribute> = {}): Translate =>
  (layer) =>
    layer.node(operator, [operand(layer, 0)], attributes)

const binary =
  (operator: string): Translate =>
  (layer) =>
    layer.node(operator, [operand(layer, 0), operand(layer, 1)])

const named =
  (activation: string): Translate =>
  (layer) =>
    activate(layer, operand(layer, 0), activation)

/** Whole numbers of a setting, or none if it is null. */
function axesOf(layer: LayerContext, name: string): number[] | undefined {
  const value = setting(layer, name)
  return value === undefined || value === null ? undefined : list(layer, name, 1, 0)
}

const reduction =
  (operator: string): Translate =>
  (layer) => {
    const axes = axesOf(layer, "axis")
    const keepdims = setting(layer, "keepdims") === true ? 1 : 0
    const x = operand(layer, 0)
    if (setting(layer, "initial") !== undefined && setting(layer, "initial") !== null)
      refuse("`initial` is not supported")
    if (operator === "ReduceSum")
      return layer.node(operator, axes ? [x, integers(layer, "axes", axes)] : [x], { keepdims })
    return layer.node(operator, [x], { keepdims, ...(axes && { axes }) })
  }

/** All tensors of the first argument, which is a list. */
const tensors = (layer: LayerContext): readonly string[] => layer.inputs

const concatenate: Translate = (layer) =>
  layer.node("Concat", tensors(layer), { axis: number(layer, setting(layer, "axis") ?? 0) })

const stack: Translate = (layer) => {
  const axis = number(layer, setting(layer, "axis") ?? 0)
  const axes = integers(layer, "axes", [axis])
  const parts = tensors(layer).map((x) => layer.node("Unsqueeze", [x, axes]))
  return layer.node("Concat", parts, { axis })
}

const withAxes =
  (operator: string): Translate =>
  (layer) => {
    const axes = axesOf(layer, "axis")
    const x = operand(layer, 0)
    return layer.node(operator, axes ? [x, integers(layer, "axes", axes)] : [x])
  }

const reshape: Translate = (layer) => {
  const shape = setting(layer, "newshape") ?? setting(layer, "shape")
  const config = { ...layer.config, newshape: shape }
  const sizes = list({ ...layer, config }, "newshape", 1, -1)
  return layer.node("Reshape", [operand(layer, 0), integers(layer, "shape", sizes)])
}

const transpose: Translate = (layer) => {
  const perm = axesOf(layer, "axes")
  return layer.node("Transpose", [operand(layer, 0)], perm ? { perm } : {})
}

const clip: Translate = (layer) => {
  const bounds = ["x_min", "x_max"].map((name) =>
    layer.constant(name, [], [number(layer, setting(layer, name))]),
  )
  return layer.node("Clip", [operand(layer, 0), ...bounds])
}

const types: ReadonlyMap<unknown, number> = new Map([
  ["float32", 1],
  ["int32", 6],
  ["int64", 7],
  ["bool", 9],
  ["float16", 10],
  ["float64", 11],
])

const cast: Translate = (layer) => {
  const to = types.get(setting(layer, "dtype")) ?? refuse("its `dtype` is not supported")
  return layer.node("Cast", [operand(layer, 0)], { to })
}

const softmax =
  (operator: string): Translate =>
  (layer) =>
    layer.node(operator, [operand(layer, 0)], { axis: number(layer, setting(layer, "axis") ?? -1) })

const gelu: Translate = (layer) =>
  layer.node(
    "Gelu",
    [operand(layer, 0)],
    setting(layer, "approximate") === false ? {} : { approximate: "tanh" },
  )

/** Functions by the name of their class in Keras. */
export const operations: ReadonlyMap<string, Translate> = new Map(
  Object.entries({
    Abs: unary("Abs"),
    Absolute: unary("Abs"),
    Add: binary("Add"),
    Amax: reduction("ReduceMax"),
    Amin: reduction("ReduceMin"),
    Cast: cast,
    Ceil: unary("Ceil"),
    Clip: clip,
    Concatenate: concatenate,
    Cos: unary("Cos"),
    Divide: binary("Div"),
    Elu: (layer: LayerContext) =>
      layer.node("Elu", [operand(layer, 0)], { alpha: number(layer, setting(layer, "alpha") ?? 1) }),
    Erf: unary("Erf"),
    Exp: unary("Exp"),
    ExpandDims: withAxes("Unsqueeze"),
    Floor: unary("Floor"),
    Gelu: gelu,
    HardSigmoid: named("hard_sigmoid"),
    HardSilu: named("hard_silu"),
    HardTanh: named("hard_tanh"),
    LeakyRelu: (layer) =>
      layer.node("LeakyRelu", [operand(layer, 0)], {
        alpha: number(layer, setting(layer, "negative_slope") ?? 0.2),
      }),
    Log: unary("Log"),
    LogSigmoid: named("log_sigmoid"),
    LogSoftmax: softmax("LogSoftmax"),
    Matmul: binary("MatMul"),
    Max: reduction("ReduceMax"),
    Maximum: binary("Max"),
    Mean: reduction("ReduceMean"),
    Min: reduction("ReduceMin"),
    Minimum: binary("Min"),
    Multiply: binary("Mul"),
    Negative: unary("Neg"),
    Power: binary("Pow"),
    Prod: reduction("ReduceProd"),
    Reciprocal: unary("Reciprocal"),
    Relu: unary("Relu"),
    Relu6: named("relu6"),
    Reshape: reshape,
    Rsqrt: (layer) => layer.node("Reciprocal", [layer.node("Sqrt", [operand(layer, 0)])]),
    Selu: unary("Selu"),
    Sigmoid: unary("Sigmoid"),
    Sign: unary("Sign"),
    Silu: named("silu"),
    Sin: unary("Sin"),
    Softmax: softmax("Softmax"),
    Softplus: unary("Softplus"),
    Softsign: unary("Softsign"),
    Sqrt: unary("Sqrt"),
    Square: (layer) => {
      const x = operand(layer, 0)
      return layer.node("Mul", [x, x])
    },
    Squeeze: withAxes("Squeeze"),
    Stack: stack,
    StopGradient: unary("Identity"),
    Subtract: binary("Sub"),
    Sum: reduction("ReduceSum"),
    Tanh: unary("Tanh"),
    Transpose: transpose,
    TrueDivide: binary("Div"),
  } satisfies Record<string, Translate>),
)

/** Functions of TensorFlow that Keras 2 writes between layers, as functions of Keras 3. */
const tensorFlow: ReadonlyMap<unknown, string> = new Map(
  Object.entries({
    "__operators__.add": "Add",
    "math.add": "Add",
    "math.subtract": "Subtract",
    "math.multiply": "Multiply",
    "math.truediv": "TrueDivide",
    "math.divide": "TrueDivide",
    "math.maximum": "Maximum",
    "math.minimum": "Minimum",
    "math.negative": "Negative",
    "math.abs": "Abs",
    "math.exp": "Exp",
    "math.sqrt": "Sqrt",
    "math.square": "Square",
    "math.sigmoid": "Sigmoid",
    "math.tanh": "Tanh",
    "math.softplus": "Softplus",
    "nn.relu": "Relu",
    "nn.relu6": "Relu6",
    "nn.silu": "Silu",
    "nn.elu": "Elu",
    "nn.selu": "Selu",
  }),
)

/** A function of TensorFlow; its second operand is an argument by name. */
export const tensorFlowFunction: Translate = (layer) => {
  const name = setting(layer, "function")
  const translate = operations.get(tensorFlow.get(name) ?? "")
  if (!translate) return refuse(`function \`${shown(name)}\` is not supported`)
  const second = layer.argument("y")
  layer.argument("name")
  return translate({ ...layer, args: second === undefined ? layer.args : [...layer.args, second] })
}
