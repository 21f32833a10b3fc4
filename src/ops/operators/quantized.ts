/**
 * Quantized operators. A number x stands for the integer q = round(x / scale) + zero, clamped to its element type; an
 * operator on such integers is the real operator on what they stand for. Roundings are a primitive of their own, which
 * keeps the integers of the model whatever the precision of the circuit (../../quantize/roundings.ts).
 *
 * A zero point only shifts: inside, q − zero is what is rounded, halves to the even integer as in ONNX.
 */
import type { DataType } from "../../model/graph.js"
import { sizeOf } from "../program.js"
import { aligned } from "./arithmetic.js"
import type { Call, Lowering } from "./call.js"
import { convolved } from "./conv.js"
import { typeOf } from "./fold.js"
import { intervalOfType } from "./intervals.js"
import { constantInput, type Operators, operator, other } from "./limits.js"
import { product } from "./linear.js"
import { joined } from "./movement.js"
import { softmaxAlong } from "./normalize.js"
import { averaged, globalAverage } from "./pool.js"
import { difference, windowMax, windowsOf } from "./reduce.js"
import { axisOf, indexTable, range, show, stridesOf, unsupported } from "./shapes.js"
import { type Activation, constant, isConstant, isIntegral, type Value } from "./values.js"

/** Scale and zero point, in a shape that broadcasts to what they are of. */
interface Coding {
  readonly scale: Value
  readonly zero: Value | undefined
  readonly dtype: DataType
}

const zeroes = (value: Value | undefined): boolean =>
  value === undefined || (isConstant(value) && value.constant.every((z) => z === 0))

/** A scale or zero point over the elements of `shape`: one number, one for each place of an axis, or one for each block. */
function spread(call: Call, value: Value, shape: readonly number[], axis: number, block: number): Value {
  const { builder } = call
  if (sizeOf(value.shape) === 1) return builder.broadcast({ ...value, shape: [] }, shape)
  const rank = shape.length
  const at = axisOf(axis, rank)
  if (value.shape.length === 1 && block === 0) {
    if (value.shape[0] !== shape[at])
      unsupported(`${show(value.shape)} scales or zero points for axis ${at} of ${show(shape)}`)
    return builder.broadcast({ ...value, shape: shape.map((_, i) => (i === at ? shape[at] : 1)) }, shape)
  }
  const blocks = shape.map((dim, i) => (i === at ? Math.ceil(dim / block) : dim))
  if (block < 1 || value.shape.length !== rank || blocks.some((dim, i) => dim !== value.shape[i]))
    unsupported(
      `scales or zero points of shape ${show(value.shape)} for ${show(shape)} in blocks of ${block}`,
    )
  const [from, to] = [stridesOf(value.shape), stridesOf(shape)]
  const map = indexTable(builder, sizeOf(shape), (flat) =>
    range(rank).reduce((sum, i) => {
      const position = Math.floor(flat / to[i]) % shape[i]
      return sum + from[i] * (i === at ? Math.floor(position / block) : position)
    }, 0),
  )
  return builder.move([value], map, shape)
}

/** What integers stand for: (q − zero)·scale. */
function dequantized(call: Call, q: Value, { scale, zero, dtype }: Coding): Value {
  const shifted =
    zero && !zeroes(zero) ? difference(call.builder, q, call.builder.broadcast(zero, q.shape)) : q
  return { ...call.builder.product(asReal(shifted, dtype), call.builder.broadcast(scale, q.shape)), dtype }
}

const asReal = (value: Value, dtype: DataType): Value => ({ ...value, dtype })

/** The integers that stand for numbers: round(x / scale) + zero, as far as their type goes. */
function quantized(call: Call, x: Value, { scale, zero, dtype }: Coding): Value {
  const { builder } = call
  const [lo, hi] = intervalOfType(dtype) ?? unsupported(`integers of type \`${dtype}\``)
  const divided = builder.divide(asReal(x, "float32"), builder.broadcast(scale, x.shape))
  if (!zero || zeroes(zero)) return builder.round(divided, lo, hi, dtype)
  const wide = builder.broadcast(zero, x.shape)
  const [first] = isConstant(wide) ? wide.constant : []
  if (isConstant(wide) && wide.constant.every((z) => z === first)) {
    const rounded = builder.round(divided, lo - first, hi - first, dtype)
    return builder.combine([{ value: rounded, factor: 1 }], first)
  }
  // several zero points, or one that depends on the input: clamped once they are added
  const span = hi - lo
  const rounded = builder.round(divided, lo - span, hi + span, dtype)
  return builder.clamp(
    builder.combine([
      { value: rounded, factor: 1 },
      { value: { ...wide, dtype }, factor: 1 },
    ]),
    lo,
    hi,
  )
}

/** Scale and zero point in two inputs. */
function codingAt(call: Call, scaleAt: number, dtype?: DataType): Coding {
  const scale = positive(call.input(scaleAt))
  const zero = call.has(scaleAt + 1) ? call.input(scaleAt + 1) : undefined
  return { scale, zero, dtype: zero?.dtype ?? dtype ?? "uint8" }
}

function positive(scale: Value): Value {
  if (isConstant(scale) && scale.constant.some((s) => !(s > 0))) unsupported("a scale that is not above zero")
  return scale
}

/** The same for each place of an axis or block of an operand. */
function over(call: Call, coding: Coding, shape: readonly number[], axis: number, block = 0): Coding {
  const { scale, zero } = coding
  return {
    ...coding,
    scale: spread(call, scale, shape, axis, block),
    zero: zero && spread(call, zero, shape, axis, block),
  }
}

const quantizeLinear: Lowering = (call) => {
  call.ignore("saturate", "precision")
  const x = call.input(0)
  const stated = call.integer("output_dtype", 0)
  const coding = codingAt(call, 1, stated === 0 ? undefined : typeOf(stated))
  if (stated !== 0 && typeOf(stated) !== coding.dtype)
    unsupported(`attribute \`output_dtype\` says \`${typeOf(stated)}\`, the zero point \`${coding.dtype}\``)
  const [axis, block] = [call.integer("axis", 1), call.integer("block_size", 0)]
  return [quantized(call, x, over(call, coding, x.shape, axis, block))]
}

const dequantizeLinear: Lowering = (call) => {
  const q = call.input(0)
  const stated = call.integer("output_dtype", 0)
  if (!isIntegral(q)) unsupported(`operands of type \`${q.dtype}\``)
  const [axis, block] = [call.integer("axis", 1), call.integer("block_size", 0)]
  const coding = over(call, codingAt(call, 1), q.shape, axis, block)
  const dtype = stated === 0 ? coding.scale.dtype : typeOf(stated)
  return [dequantized(call, q, { ...coding, dtype })]
}

/** An integer operand with its coding in the two inputs behind it, as reals. */
function realAt(call: Call, at: number, axis = 0): Value {
  const q = call.input(at)
  return dequantized(call, q, { ...over(call, codingAt(call, at + 1), q.shape, axis), dtype: "float32" })
}

/** What is asked for in the two inputs from `at` on, one number each. */
function outputOf(call: Call, at: number, x: Value, dtype: DataType): Value {
  const coding = codingAt(call, at, dtype)
  return quantized(call, x, over(call, coding, x.shape, 0))
}

const live = (value: Value, what: string): Activation =>
  isConstant(value) ? unsupported(`${what} is a constant`) : value

const qLinearConv: Lowering = (call) => {
  const x = live(realAt(call, 0), "the operand (input 0)")
  const weight = realAt(call, 3)
  let bias: Value | undefined
  if (call.has(8)) {
    // its scale is that of operand and weights
    const [given, input] = [call.constantInput(8, "bias"), call.constantInput(1, "the operand's scale")]
    const scales = call.constantInput(4, "the weights' scale").constant
    const unit = (i: number) => input.constant[0] * scales[scales.length === 1 ? 0 : i]
    bias = constant(
      given.shape,
      given.constant.map((b, i) => b * unit(i)),
    )
  }
  return [outputOf(call, 6, convolved(call, x, weight, bias), call.input(0).dtype)]
}

const qLinearMatMul: Lowering = (call) => {
  const axisOfRows = (at: number) => call.input(at).shape.length - 2
  const left = realAt(call, 0, Math.max(0, axisOfRows(0)))
  const right = realAt(call, 3, call.input(3).shape.length - 1)
  return [outputOf(call, 6, product(call, left, right), call.input(0).dtype)]
}

/** Integers less their zero point, in 32 bits. */
function centredAt(call: Call, at: number, zeroAt: number, axis: number): Value {
  const q: Value = { ...call.input(at), dtype: "int32" }
  if (!call.has(zeroAt)) return q
  const zero = call.input(zeroAt)
  if (zeroes(zero)) return q
  return difference(call.builder, q, spread(call, { ...zero, dtype: "int32" }, q.shape, axis, 0))
}

const convInteger: Lowering = (call) => {
  const x = live(centredAt(call, 0, 2, 1), "the operand (input 0)")
  return [convolved(call, x, centredAt(call, 1, 3, 0))]
}

/** The product of two matrices of integers: zero points of rows of the first, of columns of the second. */
const integerProduct = (call: Call, zeroA: number, zeroB: number): Value => {
  const [left, right] = [call.input(0).shape.length - 2, call.input(1).shape.length - 1]
  return product(call, centredAt(call, 0, zeroA, Math.max(0, left)), centredAt(call, 1, zeroB, right))
}

const matMulInteger: Lowering = (call) => [integerProduct(call, 2, 3)]

/** Scale and zero point that cover what an activation is, and its integers of 8 bits. */
function dynamically(call: Call, x: Value): { q: Value; scale: Value; zero: Value } {
  const { builder } = call
  const windows = windowsOf(builder, x.shape, range(x.shape.length), false)
  const infinite = Number.POSITIVE_INFINITY
  const most = builder.clamp(windowMax(call, x, windows, 1), 0, infinite)
  const least = builder.clamp(windowMax(call, x, windows, -1), -infinite, 0)
  const span = difference(builder, most, least)
  const scale = builder.combine([{ value: span, factor: 1 / 255 }])
  const negated = builder.combine([{ value: least, factor: -255 }])
  const zero = builder.round(builder.divide(negated, span), 0, 255, "uint8")
  const wide = builder.combine([{ value: x, factor: 255 }])
  const divided = builder.divide(wide, builder.broadcast(span, x.shape))
  // no element is outside of the range: nothing is cut off but half a step
  const rounded = builder.round(divided, -255, 255, "int32")
  const sum = builder.combine([
    { value: rounded, factor: 1 },
    { value: { ...builder.broadcast(zero, x.shape), dtype: "int32" }, factor: 1 },
  ])
  return { q: { ...builder.clamp(sum, 0, 255), dtype: "uint8" }, scale, zero }
}

const dynamicQuantizeLinear: Lowering = (call) => {
  const { q, scale, zero } = dynamically(call, call.input(0))
  return [q, scale, zero]
}

/** A binary operator on what integers stand for: a, scale, zero, b, scale, zero, scale, zero. */
const binary =
  (combine: (call: Call, x: Value, y: Value) => Value): Lowering =>
  (call) => {
    const [x, y] = aligned(call, [realAt(call, 0), realAt(call, 3)])
    return [outputOf(call, 6, combine(call, x, y), call.input(0).dtype)]
  }

/** A function of what integers stand for: x, scale, zero, scale, zero. */
const unary =
  (apply: (call: Call, x: Value) => Value): Lowering =>
  (call) => [outputOf(call, 3, apply(call, realAt(call, 0)), call.input(0).dtype)]

const leaky = (call: Call, x: Value): Value => {
  const alpha = call.number("alpha", 0.01)
  const positivePart = call.builder.clamp(x, 0, Number.POSITIVE_INFINITY)
  return call.builder.combine([
    { value: x, factor: alpha },
    { value: positivePart, factor: 1 - alpha },
  ])
}

/** Channels first, whatever the attribute says. */
const refuseChannelsLast = (call: Call): void => {
  if (call.flag("channels_last")) call.refuse("channels_last", 1)
}

const qLinearConcat: Lowering = (call) => {
  const count = (call.node.inputs.length - 2) / 3
  if (!Number.isInteger(count) || count < 1) unsupported(`${call.node.inputs.length} inputs`)
  const parts = range(count).map((i) => outputOf(call, 0, realAt(call, 2 + 3 * i), call.input(2).dtype))
  const axis = call.axis("axis", parts[0].shape.length)
  return [joined(call, parts, axis)]
}

/** alpha·A·B + C, in integers or, without a scale of the result, in reals. */
const qGemm: Lowering = (call) => {
  const { builder } = call
  const turned = (x: Value, flag: string): Value => {
    if (x.shape.length !== 2) unsupported(`an operand of shape ${show(x.shape)} is no matrix`)
    if (!call.flag(flag)) return x
    const [rows, columns] = x.shape
    const map = indexTable(builder, rows * columns, (i) => (i % rows) * columns + Math.floor(i / rows))
    return builder.move([x], map, [columns, rows])
  }
  const columnAxis = call.flag("transB") ? 0 : 1
  const [a, b] = [turned(realAt(call, 0), "transA"), turned(realAt(call, 3, columnAxis), "transB")]
  const alpha = call.number("alpha", 1)
  const ab = product(call, a, b)
  const terms = [{ value: ab, factor: alpha }]
  if (call.has(6)) {
    const given = call.constantInput(6, "C")
    const [sa, sb] = [call.constantInput(1, "a_scale").constant, call.constantInput(4, "b_scale").constant]
    const unit = constant(
      [sb.length],
      sb.map((s) => alpha * sa[0] * s),
    )
    const c = builder.product(
      builder.broadcast(asReal(given, "float32"), ab.shape),
      builder.broadcast(unit, ab.shape),
    )
    terms.push({ value: c, factor: 1 })
  }
  const sum = builder.combine(terms)
  return [call.has(7) ? outputOf(call, 7, sum, call.input(0).dtype) : sum]
}

/** Integers of matrices, the scales of the first and, one or a column each, of the second, zero points, a bias. */
const matMulIntegerToFloat: Lowering = (call) => {
  const { builder } = call
  const sum = asReal(integerProduct(call, 4, 5), "float32")
  const scaled = [2, 3].reduce((x, at) => builder.product(x, builder.broadcast(call.input(at), x.shape)), sum)
  return [plusBias(call, scaled, 6)]
}

const dynamicQuantizeMatMul: Lowering = (call) => {
  const { builder } = call
  const { q, scale, zero } = dynamically(call, call.input(0))
  const a = difference(
    builder,
    { ...q, dtype: "int32" },
    builder.broadcast({ ...zero, dtype: "int32" }, q.shape),
  )
  const b = centredAt(call, 1, 3, call.input(1).shape.length - 1)
  const sum = asReal(product(call, a, b), "float32")
  const scaled = builder.product(sum, builder.broadcast(call.input(2), sum.shape))
  return [plusBias(call, builder.product(scaled, builder.broadcast(scale, sum.shape)), 4)]
}

function plusBias(call: Call, x: Value, at: number): Value {
  if (!call.has(at)) return x
  const bias = call.builder.broadcast(call.input(at), x.shape)
  return call.builder.combine([
    { value: x, factor: 1 },
    { value: bias, factor: 1 },
  ])
}

const scalesAbove = other("scales are above zero")

export const quantizedOperators: Operators = {
  QuantizeLinear: operator(quantizeLinear, scalesAbove),
  DequantizeLinear: operator(dequantizeLinear, scalesAbove),
  QLinearConv: operator(qLinearConv, constantInput(8, "B"), scalesAbove),
  QLinearMatMul: operator(qLinearMatMul, scalesAbove),
  ConvInteger: operator(convInteger),
  MatMulInteger: operator(matMulInteger),
  DynamicQuantizeLinear: operator(dynamicQuantizeLinear),
}

/** Quantized operators of onnxruntime's own domain. */
export const quantizedFusions: Operators = {
  QuantizeLinear: operator(quantizeLinear, scalesAbove),
  DequantizeLinear: operator(dequantizeLinear, scalesAbove),
  QLinearAdd: operator(
    binary((call, x, y) =>
      call.builder.combine([
        { value: x, factor: 1 },
        { value: y, factor: 1 },
      ]),
    ),
  ),
  QLinearMul: operator(binary((call, x, y) => call.builder.product(x, y))),
  QLinearSigmoid: operator(unary((call, x) => call.builder.apply(x, "sigmoid"))),
  QLinearLeakyRelu: operator(unary(leaky)),
  QLinearSoftmax: operator((call) => {
    // the opset of the softmax: over one axis, or over all from one on
    const isFlat = call.integer("opset", 13) < 13
    const x = realAt(call, 0)
    const axis = call.axis("axis", x.shape.length, isFlat ? 1 : -1)
    const shape = isFlat ? [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis))] : x.shape
    const result = softmaxAlong(call, { ...x, shape }, isFlat ? 1 : axis)
    return [outputOf(call, 3, { ...result, shape: x.shape }, call.input(0).dtype)]
  }),
  QLinearAveragePool: operator(
    unary((call, x) => {
      refuseChannelsLast(call)
      return averaged(call, x)
    }),
    other("`channels_last` is off"),
  ),
  QLinearGlobalAveragePool: operator(
    unary((call, x) => {
      refuseChannelsLast(call)
      return globalAverage(call, x)
    }),
    other("`channels_last` is off"),
  ),
  QLinearConcat: operator(qLinearConcat),
  QGemm: operator(qGemm),
  MatMulIntegerToFloat: operator(matMulIntegerToFloat),
  DynamicQuantizeMatMul: operator(dynamicQuantizeMatMul),
}
