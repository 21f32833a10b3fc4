/** Activation functions that are linear between clamps. */
import type { Call, Lowering } from "./call.js"
import { constantInput, type Operators, operator } from "./limits.js"
import { axisOf, broadcastShape, sameShape, show, unsupported } from "./shapes.js"
import { constant, isConstant, type Value } from "./values.js"

const infinity = Number.POSITIVE_INFINITY

const relu: Lowering = (call) => {
  call.ignore("consumed_inputs")
  return [call.builder.clamp(call.input(0), 0, infinity)]
}

const clip: Lowering = (call) => {
  call.ignore("consumed_inputs")
  const old = call.opset < 11
  const lo = old ? call.bound("min", -infinity) : call.scalarInput(1, "min", -infinity)
  const hi = old ? call.bound("max", infinity) : call.scalarInput(2, "max", infinity)
  if (Number.isNaN(lo) || Number.isNaN(hi)) unsupported(`bounds ${lo} and ${hi}`)
  return [call.builder.clamp(call.input(0), Math.min(lo, hi), hi)]
}

/** slope·x + (1 − slope)·relu(x): one linear combination of x and its rectification. */
function leaky({ builder }: Call, x: Value, slope: number | Float64Array): Value {
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
  return [leaky(call, call.input(0), call.number("alpha", 0.01))]
}

const prelu: Lowering = (call) => {
  call.ignore("consumed_inputs")
  const x = call.input(0)
  const slope = call.constantInput(1, "slope")
  // before opset 7 a one-dimensional slope belongs to the channels
  const channels = call.opset < 7 && slope.shape.length === 1 && slope.constant.length > 1
  if (channels) axisOf(1, x.shape.length)
  const shape = channels ? [slope.constant.length, ...x.shape.slice(2).map(() => 1)] : slope.shape
  if (!sameShape(broadcastShape(x.shape, shape), x.shape))
    unsupported(`a slope of shape ${show(slope.shape)} does not broadcast to ${show(x.shape)}`)
  const wide = call.builder.broadcast({ ...slope, shape }, x.shape)
  return [leaky(call, x, isConstant(wide) ? wide.constant : unsupported("the slope is no constant"))]
}

/** min(max(alpha·x + beta, 0), 1). */
const ramp = ({ builder }: Call, x: Value, alpha: number, beta: number): Value =>
  builder.clamp(builder.combine([{ value: x, factor: alpha }], beta), 0, 1)

const hardSigmoid: Lowering = (call) => {
  call.ignore("consumed_inputs")
  return [ramp(call, call.input(0), call.number("alpha", 0.2), call.number("beta", 0.5))]
}

const hardSwish: Lowering = (call) => {
  const x = call.input(0)
  return [call.builder.product(x, ramp(call, x, 1 / 6, 0.5))]
}

export const activations: Operators = {
  Relu: operator(relu),
  Clip: operator(clip, constantInput(1, "min"), constantInput(2, "max")),
  LeakyRelu: operator(leakyRelu),
  PRelu: operator(prelu, constantInput(1, "slope")),
  HardSigmoid: operator(hardSigmoid),
  HardSwish: operator(hardSwish),
}
