/** Activation functions that are linear between clamps. */
import { sizeOf } from "../program.js"
import { larger } from "./arithmetic.js"
import type { Builder } from "./builder.js"
import type { Lowering } from "./call.js"
import { type Operators, operator } from "./limits.js"
import { axisOf, broadcastShape, sameShape, show, unsupported } from "./shapes.js"
import { constant, isConstant, type Value } from "./values.js"

const infinity = Number.POSITIVE_INFINITY

const relu: Lowering = (call) => {
  call.ignore("consumed_inputs")
  return [call.builder.clamp(call.input(0), 0, infinity)]
}

const clip: Lowering = (call) => {
  call.ignore("consumed_inputs")
  const x = call.input(0)
  const bound = (i: number, name: string, none: number): Value => {
    if (call.opset < 11) return constant([], [call.bound(name, none)], x.dtype)
    if (!call.has(i)) return constant([], [none], x.dtype)
    const value = call.input(i)
    if (sizeOf(value.shape) !== 1)
      unsupported(`${name} (input ${i}) has shape ${show(value.shape)}, not one value`)
    return value
  }
  const [lo, hi] = [bound(1, "min", -infinity), bound(2, "max", infinity)]
  if (isConstant(lo) && isConstant(hi)) {
    const [least, most] = [lo.constant[0], hi.constant[0]]
    if (Number.isNaN(least) || Number.isNaN(most)) unsupported(`bounds ${least} and ${most}`)
    return [call.builder.clamp(x, Math.min(least, most), most)]
  }
  // the upper bound last: it holds where the two are the wrong way round
  const raised = isFree(lo) ? x : larger(call, x, call.builder.broadcast(lo, x.shape), 1)
  return [isFree(hi) ? raised : larger(call, raised, call.builder.broadcast(hi, x.shape), -1)]
}

/** Whether a bound is none. */
const isFree = (bound: Value): boolean => isConstant(bound) && !Number.isFinite(bound.constant[0])

/** slope·x + (1 − slope)·relu(x): one linear combination of x and its rectification. */
export function leaky(builder: Builder, x: Value, slope: number | Float64Array): Value {
  if (isConstant(x)) {
    const at = (i: number) => (typeof slope === "number" ? slope : slope[i])
    return constant(
      x.shape,
      x.constant.map((v, i) => (v < 0 ? at(i) * v : v)),
      x.dtype,
    )
  }
  const rest = typeof slope === "number" ? 1 - slope : slope.map((s) => 1 - s)
  return builder.combine([
    { value: x, factor: slope },
    { value: builder.clamp(x, 0, infinity), factor: rest },
  ])
}

const leakyRelu: Lowering = (call) => {
  call.ignore("consumed_inputs")
  return [leaky(call.builder, call.input(0), call.number("alpha", 0.01))]
}

const prelu: Lowering = (call) => {
  call.ignore("consumed_inputs")
  const x = call.input(0)
  const slope = call.input(1)
  // before opset 7 a one-dimensional slope belongs to the channels
  const channels = call.opset < 7 && slope.shape.length === 1 && slope.shape[0] > 1
  if (channels) axisOf(1, x.shape.length)
  const shape = channels ? [slope.shape[0], ...x.shape.slice(2).map(() => 1)] : slope.shape
  if (!sameShape(broadcastShape(x.shape, shape), x.shape))
    unsupported(`a slope of shape ${show(slope.shape)} does not broadcast to ${show(x.shape)}`)
  const wide = call.builder.broadcast({ ...slope, shape }, x.shape)
  if (isConstant(wide)) return [leaky(call.builder, x, wide.constant)]
  // relu(x) + slope·(x − relu(x))
  const rectified = call.builder.clamp(x, 0, infinity)
  const rest = call.builder.combine([
    { value: x, factor: 1 },
    { value: rectified, factor: -1 },
  ])
  return [
    call.builder.combine([
      { value: rectified, factor: 1 },
      { value: call.builder.product(wide, rest), factor: 1 },
    ]),
  ]
}

/** min(max(alpha·x + beta, 0), 1). */
export const ramp = (builder: Builder, x: Value, alpha: number, beta: number): Value =>
  builder.clamp(builder.combine([{ value: x, factor: alpha }], beta), 0, 1)

const hardSigmoid: Lowering = (call) => {
  call.ignore("consumed_inputs")
  return [ramp(call.builder, call.input(0), call.number("alpha", 0.2), call.number("beta", 0.5))]
}

const hardSwish: Lowering = (call) => {
  const x = call.input(0)
  return [call.builder.product(x, ramp(call.builder, x, 1 / 6, 0.5))]
}

export const activations: Operators = {
  Relu: operator(relu),
  Clip: operator(clip),
  LeakyRelu: operator(leakyRelu),
  PRelu: operator(prelu),
  HardSigmoid: operator(hardSigmoid),
  HardSwish: operator(hardSwish),
}
