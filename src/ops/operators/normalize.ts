/**
 * Softmax and normalizations: what divides the elements of a window by something of the whole window. Each is written
 * as exporters write it out, in means, products, roots and quotients, so that both come to the same primitives.
 */
import { apply, type Formula, functionOf, variable } from "../formula.js"
import { sizeOf } from "../program.js"
import { absolute, reciprocal } from "./arithmetic.js"
import type { Call, Lowering } from "./call.js"
import { type Operators, operator, other, realOnly } from "./limits.js"
import {
  difference,
  type Reduction,
  windowMax,
  windowMean,
  windowPosition,
  windowSum,
  windowsOf,
} from "./reduce.js"
import { axesOf, indexTable, numbers, range, separableMap, show, stridesOf, unsupported } from "./shapes.js"
import { constant, isConstant, type Value } from "./values.js"

/** The operand, and the windows over some of its axes. */
interface Windowed {
  readonly x: Value
  readonly windows: Reduction
}

function windowed(call: Call, x: Value, axes: readonly number[]): Windowed {
  const windows = windowsOf(call.builder, x.shape, axes, true)
  if (windows.window === 0) unsupported(`windows of no elements of ${show(x.shape)}`)
  return { x, windows }
}

/** The axes of a softmax: one, or before opset 13 all from one on. */
function softmaxWindows(call: Call): Windowed {
  const x = call.input(0)
  const rank = x.shape.length
  call.real(x, "the exponential")
  const isFlat = call.opset < 13
  const axis = call.axis("axis", rank, isFlat ? 1 : -1)
  return windowed(call, x, isFlat ? range(rank).slice(axis) : [axis])
}

const sumOf = (call: Call, x: Value, windows: Reduction): Value =>
  windowSum(call, x, windows, numbers(call.builder, sizeOf(windows.shape)).fill(1))

/** x − m with the largest m of each window, its exponential, and the sums of these. */
function exponentials(call: Call, { x, windows }: Windowed) {
  const { builder } = call
  const below = difference(builder, x, builder.broadcast(windowMax(call, x, windows, 1), x.shape))
  const powers = builder.apply(below, "exp")
  return { below, powers, sums: sumOf(call, powers, windows) }
}

function shares(call: Call, given: Windowed): Value {
  const { powers, sums } = exponentials(call, given)
  return call.builder.divide(powers, call.builder.broadcast(sums, given.x.shape))
}

/** The softmax along one axis. */
export const softmaxAlong = (call: Call, x: Value, axis: number): Value =>
  shares(call, windowed(call, x, [axis]))

const softmax: Lowering = (call) => [shares(call, softmaxWindows(call))]

function logShares(call: Call, given: Windowed): Value {
  const { builder } = call
  const { below, sums } = exponentials(call, given)
  return difference(builder, below, builder.broadcast(builder.apply(sums, "log"), given.x.shape))
}

/** The logarithm of the softmax along one axis. */
export const logSoftmaxAlong = (call: Call, x: Value, axis: number): Value =>
  logShares(call, windowed(call, x, [axis]))

const logSoftmax: Lowering = (call) => [logShares(call, softmaxWindows(call))]

/** One where x is zero, of an integer x. */
const isZero: Formula = apply(
  "clamp",
  {
    kind: "sum",
    terms: [{ factor: -1, of: { kind: "product", left: variable, right: variable } }],
    offset: 1,
  },
  [0, 1],
)

/** One at the first largest element of each window: the position of the largest, less that of the element. */
const hardmax: Lowering = (call) => {
  const { builder } = call
  const { x, windows } = softmaxWindows(call)
  const largest = builder.broadcast(windowPosition(call, x, windows, 1, false), x.shape)
  const inside = windows.kept.map((dim, axis) => (dim === x.shape[axis] ? 1 : x.shape[axis]))
  const strides = stridesOf(inside)
  const tables = x.shape.map((dim, axis) =>
    indexTable(builder, dim, (i) => (inside[axis] === 1 ? 0 : i * strides[axis])),
  )
  const positions = constant(x.shape, Float64Array.from(separableMap(builder, tables)), largest.dtype)
  const away = difference(builder, largest, positions)
  if (isConstant(away)) return [constant(x.shape, away.constant.map(functionOf(isZero)), x.dtype)]
  const node = { kind: "function", source: away.tensor, formula: isZero } as const
  return [builder.emit(node, x.shape, x.dtype, true)]
}

const shifted = (call: Call, x: Value, offset: number): Value =>
  offset === 0 ? x : call.builder.combine([{ value: x, factor: 1 }], offset)

/** x − mean. */
const centred = (call: Call, { x, windows }: Windowed): Value =>
  difference(call.builder, x, call.builder.broadcast(windowMean(call, x, windows), x.shape))

/** √(mean of x² + epsilon) of each window. */
const deviation = (call: Call, { x, windows }: Windowed, epsilon: number): Value =>
  call.builder.root(shifted(call, windowMean(call, call.builder.product(x, x), windows), epsilon))

const divided = ({ builder }: Call, x: Value, windows: Value): Value =>
  builder.divide(x, builder.broadcast(windows, x.shape))

/** x · scale + bias, both broadcast to x; either may be left out. */
function affine({ builder }: Call, x: Value, scale: Value | undefined, bias: Value | undefined): Value {
  const scaled = scale ? builder.product(x, builder.broadcast(scale, x.shape)) : x
  if (!bias) return scaled
  const added = { value: builder.broadcast(bias, x.shape), factor: 1 }
  return builder.combine([{ value: scaled, factor: 1 }, added])
}

export const optional = (call: Call, i: number): Value | undefined =>
  call.has(i) ? call.input(i) : undefined

/** The axes from one on. */
const axesFrom = (call: Call, rank: number, fallback = -1): number[] =>
  range(rank).slice(call.axis("axis", rank, fallback))

/** The further outputs of a normalization: what was given and asked for, in order. */
export const asked = ({ node }: Call, ...outputs: readonly (() => Value)[]): Value[] =>
  outputs.slice(0, node.outputs.findLastIndex((name) => name !== "") + 1).map((output) => output())

/** A layer normalized with its mean, or by its root mean square alone; Mean and InvStdDev of the former too. */
function layerNorm(
  call: Call,
  x: Value,
  axes: readonly number[],
  isCentred: boolean,
  scale: Value,
  bias: Value | undefined,
): (() => Value)[] {
  // the precision in which others compute it
  call.ignore("stash_type")
  call.real(x, "the normalization")
  const given = windowed(call, x, axes)
  const inner = isCentred ? { x: centred(call, given), windows: given.windows } : given
  const root = deviation(call, inner, call.number("epsilon", 1e-5))
  return [
    () => affine(call, divided(call, inner.x, root), scale, bias),
    ...(isCentred ? [() => windowMean(call, x, given.windows)] : []),
    () => reciprocal(call.builder, root),
  ]
}

const layerNormalization =
  (isCentred: boolean): Lowering =>
  (call) => {
    const x = call.input(0)
    const axes = axesFrom(call, x.shape.length)
    const bias = isCentred ? optional(call, 2) : undefined
    return asked(call, ...layerNorm(call, x, axes, isCentred, call.input(1), bias))
  }

/** The normalization of a sum: of the input, the skipped one, and a bias behind scale and, if it is centred, shift. */
const skipNormalization =
  (isCentred: boolean): Lowering =>
  (call) => {
    const { builder } = call
    const x = call.input(0)
    const bias = optional(call, isCentred ? 4 : 3)
    const added = [call.input(1), ...(bias ? [bias] : [])].map((value) => builder.broadcast(value, x.shape))
    const sum = builder.combine([x, ...added].map((value) => ({ value, factor: 1 })))
    const shift = isCentred ? optional(call, 3) : undefined
    const axes = [x.shape.length - 1]
    const outputs = layerNorm(call, sum, axes, isCentred, call.input(2), shift)
    // Mean has its place where there is none
    return asked(call, ...(isCentred ? outputs : outputs.toSpliced(1, 0, outputs[1])), () => sum)
  }

/** A value for each channel, in a shape that broadcasts to that of x. */
function ofChannels(x: Value, values: Value): Value {
  const [, channels, ...spatial] = x.shape
  if (sizeOf(values.shape) !== channels)
    unsupported(`${show(values.shape)} does not fit the channels of ${show(x.shape)}`)
  return { ...values, shape: [channels, ...spatial.map(() => 1)] }
}

const instanceNormalization: Lowering = (call) => {
  call.ignore("consumed_inputs")
  const x = call.input(0)
  call.real(x, "the normalization")
  const given = windowed(call, x, range(x.shape.length).slice(2))
  const inner = { x: centred(call, given), windows: given.windows }
  const result = divided(call, inner.x, deviation(call, inner, call.number("epsilon", 1e-5)))
  return [affine(call, result, ofChannels(x, call.input(1)), ofChannels(x, call.input(2)))]
}

const groupNormalization: Lowering = (call) => {
  call.ignore("stash_type")
  const x = call.input(0)
  call.real(x, "the normalization")
  const [batch, channels] = x.shape
  const groups = call.integer("num_groups")
  if (x.shape.length < 3 || groups < 1 || channels % groups !== 0)
    unsupported(`${groups} groups of the channels of ${show(x.shape)}`)
  const given = windowed(call, { ...x, shape: [batch, groups, sizeOf(x.shape) / batch / groups] }, [2])
  const inner = { x: centred(call, given), windows: given.windows }
  const result = divided(call, inner.x, deviation(call, inner, call.number("epsilon", 1e-5)))
  // one for each group before opset 21
  const spread = (value: Value): Value => {
    if (call.opset >= 21 || sizeOf(value.shape) !== groups) return ofChannels(x, value)
    const wide = call.builder.broadcast({ ...value, shape: [groups, 1] }, [groups, channels / groups])
    return ofChannels(x, { ...wide, shape: [channels] })
  }
  return [affine(call, { ...result, shape: x.shape }, spread(call.input(1)), spread(call.input(2)))]
}

/** x over the sum of magnitudes, or the root of the sum of squares, along one axis. */
const lpNormalization: Lowering = (call) => {
  const { builder } = call
  const x = call.input(0)
  call.real(x, "the normalization")
  const { windows } = windowed(call, x, [call.axis("axis", x.shape.length, -1)])
  const p = call.integer("p", 2)
  if (p !== 1 && p !== 2) call.refuse("p", p)
  const sizes = p === 1 ? absolute(call, x) : builder.product(x, x)
  const sums = sumOf(call, sizes, windows)
  // of zeros alone the result is zeros, without a change of any other
  return [divided(call, x, shifted(call, p === 1 ? sums : builder.root(sums), 1e-30))]
}

/** (x − mean) / (standard deviation + 1e−9) */
const meanVarianceNormalization: Lowering = (call) => {
  const x = call.input(0)
  call.real(x, "the normalization")
  const rank = x.shape.length
  const given = windowed(call, x, axesOf(call.integerList("axes") ?? [0, 2, 3], rank))
  const inner = { x: centred(call, given), windows: given.windows }
  return [divided(call, inner.x, shifted(call, deviation(call, inner, 0), 1e-9))]
}

/** x · (bias + alpha / size · sum of squares of the channels around)^(−beta) */
const localResponse: Lowering = (call) => {
  const { builder } = call
  const x = call.input(0)
  call.real(x, "the normalization")
  const [size, alpha, beta] = [call.integer("size"), call.number("alpha", 1e-4), call.number("beta", 0.75)]
  if (x.shape.length < 2 || size < 1) unsupported(`a window of ${size} channels of ${show(x.shape)}`)
  const [batch, channels, ...spatial] = x.shape
  const inner = sizeOf(spatial)
  const before = Math.floor((size - 1) / 2)
  const map = indexTable(builder, sizeOf(x.shape) * size, (i) => {
    const [element, j] = [Math.floor(i / size), i % size]
    const from = (Math.floor(element / inner) % channels) - before + j
    return from < 0 || from >= channels ? -1 : element + (j - before) * inner
  })
  builder.work(batch * map.length)
  const weight = numbers(builder, sizeOf(x.shape)).fill(alpha / size)
  const sums = windowSum(call, builder.product(x, x), { map, window: size, shape: x.shape }, weight)
  const base = shifted(call, sums, call.number("bias", 1))
  return [builder.product(x, builder.apply(base, "pow", -beta))]
}

const batchNormalization: Lowering = (call) => {
  const { builder } = call
  call.ignore("momentum", "consumed_inputs", "is_test")
  if (call.flag("training_mode")) call.refuse("training_mode", 1)
  const x = call.input(0)
  if (x.shape.length < 2) unsupported(`shape ${show(x.shape)} has no channels`)
  // before opset 9 each position may have parameters of its own
  const ofPositions = call.opset < 9 && !call.flag("spatial", true)
  const [scale, bias, mean, variance] = range(4).map((i) => {
    const value = call.input(i + 1)
    if (!ofPositions) return ofChannels(x, value)
    const shape = x.shape.slice(1)
    return sizeOf(value.shape) === sizeOf(shape)
      ? { ...value, shape }
      : unsupported(`${show(value.shape)} does not fit ${show(x.shape)}`)
  })
  const factor = builder.divide(scale, builder.root(shifted(call, variance, call.number("epsilon", 1e-5))))
  const offset = difference(builder, bias, builder.product(mean, factor))
  const spread = builder.broadcast(factor, x.shape)
  const added = { value: builder.broadcast(offset, x.shape), factor: 1 }
  return [
    isConstant(spread)
      ? builder.combine([{ value: x, factor: spread.constant }, added])
      : builder.combine([{ value: builder.product(x, spread), factor: 1 }, added]),
  ]
}

export const normalizations: Operators = {
  Softmax: operator(softmax, realOnly),
  LogSoftmax: operator(logSoftmax, realOnly),
  Hardmax: operator(hardmax, realOnly),
  LayerNormalization: operator(layerNormalization(true), realOnly),
  SimplifiedLayerNormalization: operator(layerNormalization(false), realOnly),
  RMSNormalization: operator(layerNormalization(false), realOnly),
  InstanceNormalization: operator(instanceNormalization, realOnly),
  GroupNormalization: operator(groupNormalization, realOnly),
  LpNormalization: operator(lpNormalization, realOnly, other("`p` is 1 or 2")),
  MeanVarianceNormalization: operator(meanVarianceNormalization, realOnly),
  LRN: operator(localResponse, realOnly),
  BatchNormalization: operator(batchNormalization, other("`training_mode` is off")),
}

/** What onnxruntime makes of an addition and a normalization (its domain com.microsoft). */
export const fusedNormalizations: Operators = {
  SkipLayerNormalization: operator(skipNormalization(true), realOnly),
  SkipSimplifiedLayerNormalization: operator(skipNormalization(false), realOnly),
}
