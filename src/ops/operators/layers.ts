/** Normalisation and activation functions. */
import { sizeOf } from "../program.js"
import {
  type Builder,
  broadcastMap,
  broadcastShape,
  constant,
  diagonal,
  isConstant,
  type Lowering,
  unsupported,
  type Value,
} from "./builder.js"
import { clamped, combine, product } from "./elementwise.js"
import { channelwise } from "./windows.js"

const batchNormalization: Lowering = (call) => {
  const x = call.input(0)
  if (call.number("training_mode", 0) !== 0) unsupported("training_mode is on")
  const [scale, bias, mean, variance] = ["scale", "bias", "mean", "variance"].map(
    (what, i) => call.constantInput(i + 1, what).constant,
  )
  const epsilon = call.number("epsilon", 1e-5)
  const factor = scale.map((s, c) => s / Math.sqrt(variance[c] + epsilon))
  const offset = bias.map((b, c) => b - mean[c] * factor[c])
  if (isConstant(x)) return unsupported("a normalisation of a constant")
  return [call.builder.scale(x, channelwise(factor, x.shape), channelwise(offset, x.shape))]
}

/** min(max(x, lo), hi) for constants and activations. */
const clampValue = (builder: Builder, x: Value, lo: number, hi: number): Value =>
  isConstant(x)
    ? constant(
        x.shape,
        x.constant.map((v) => Math.min(Math.max(v, lo), hi)),
        x.integral,
      )
    : clamped(builder, x, lo, hi)

const relu: Lowering = (call) => [clampValue(call.builder, call.input(0), 0, Number.POSITIVE_INFINITY)]

const clip: Lowering = (call) => {
  const bound = (i: number, name: string, fallback: number) =>
    call.inputs[i] ? call.constantInput(i, name).constant[0] : call.number(name, fallback)
  const [lo, hi] = [bound(1, "min", Number.NEGATIVE_INFINITY), bound(2, "max", Number.POSITIVE_INFINITY)]
  return [clampValue(call.builder, call.input(0), Math.min(lo, hi), hi)]
}

/** slope·x + (1 − slope)·relu(x), one linear combination of x and its rectification. */
function leaky(builder: Builder, x: Value, slope: Float64Array): Value {
  const positive = clampValue(builder, x, 0, Number.POSITIVE_INFINITY)
  if (isConstant(x) || isConstant(positive)) return unsupported("an activation of a constant")
  const rest = slope.map((s) => 1 - s)
  return builder.linear(
    [
      { source: x.tensor, map: diagonal(slope) },
      { source: positive.tensor, map: diagonal(rest) },
    ],
    x.shape,
  )
}

const leakyRelu: Lowering = (call) => {
  const x = call.input(0)
  return [leaky(call.builder, x, new Float64Array(sizeOf(x.shape)).fill(call.number("alpha", 0.01)))]
}

const prelu: Lowering = (call) => {
  const x = call.input(0)
  const slope = call.constantInput(1, "slope")
  const map = broadcastMap(slope.shape, broadcastShape(slope.shape, x.shape))
  return [
    leaky(
      call.builder,
      x,
      Float64Array.from(map, (at) => slope.constant[at]),
    ),
  ]
}

/** min(max(alpha·x + beta, 0), 1). */
const hardSigmoidOf = (builder: Builder, x: Value, alpha: number, beta: number): Value =>
  clampValue(builder, combine(builder, [{ value: x, factor: alpha }], beta), 0, 1)

const hardSigmoid: Lowering = (call) => [
  hardSigmoidOf(call.builder, call.input(0), call.number("alpha", 0.2), call.number("beta", 0.5)),
]
const hardSwish: Lowering = (call) => [
  product(call.builder, call.input(0), hardSigmoidOf(call.builder, call.input(0), 1 / 6, 0.5)),
]

export const layers: Readonly<Record<string, Lowering>> = {
  BatchNormalization: batchNormalization,
  Relu: relu,
  Clip: clip,
  LeakyRelu: leakyRelu,
  PRelu: prelu,
  HardSigmoid: hardSigmoid,
  HardSwish: hardSwish,
}
