/** Elementwise arithmetic on activations and constants, with numpy broadcasting and that of opsets before 7. */

import { sizeOf } from "../program.js"
import type { Builder, Term } from "./builder.js"
import type { Call, Lowering } from "./call.js"
import { type Operators, operator, other, realOnly, wideOnly } from "./limits.js"
import { axisOf, broadcastShape, numbers, sameShape, show, unsupported } from "./shapes.js"
import { constant, isConstant, isInteger, type Value } from "./values.js"

/** All inputs broadcast to their common shape. */
export function aligned(call: Call, values: readonly Value[] = call.allInputs()): Value[] {
  const shape = broadcastShape(...values.map((value) => value.shape))
  return values.map((value) => call.builder.broadcast(value, shape))
}

/**
 * The two inputs of a binary operator, or the first and another, in one shape. Before opset 7 the second is broadcast only on request,
 * with its dimensions placed from `axis`.
 */
export function pair(call: Call, y = call.input(1)): [Value, Value] {
  const x = call.input(0)
  if (call.opset >= 7) return aligned(call, [x, y]) as [Value, Value]
  call.ignore("consumed_inputs")
  const rank = x.shape.length
  const [requested, axis] = [call.flag("broadcast"), call.attribute("axis")]
  if (!requested) {
    return sameShape(x.shape, y.shape)
      ? [x, y]
      : unsupported(`shapes ${show(x.shape)} and ${show(y.shape)} differ and \`broadcast\` is off`)
  }
  const at = axis === undefined ? rank - y.shape.length : axisOf(call.integer("axis"), rank)
  const padded = [...y.shape, ...new Array<number>(Math.max(0, rank - at - y.shape.length)).fill(1)]
  const shape = broadcastShape(x.shape, padded)
  if (!sameShape(shape, x.shape))
    unsupported(`shape ${show(y.shape)} from axis ${at} does not broadcast to ${show(x.shape)}`)
  return [x, call.builder.broadcast({ ...y, shape: padded }, shape)]
}

const combined = (call: Call, terms: readonly Term[]): readonly Value[] => [
  call.fits(call.builder.combine(terms)),
]

const addition =
  (sign: 1 | -1): Lowering =>
  (call) => {
    const [x, y] = pair(call)
    return combined(call, [
      { value: x, factor: 1 },
      { value: y, factor: sign },
    ])
  }

const sum =
  (mean: boolean): Lowering =>
  (call) => {
    call.ignore("consumed_inputs")
    const values = aligned(call)
    if (mean) for (const value of values) call.real(value, "the mean")
    const factor = mean ? 1 / values.length : 1
    return combined(
      call,
      values.map((value) => ({ value, factor })),
    )
  }

const mul: Lowering = (call) => {
  const [x, y] = pair(call)
  return [call.fits(call.builder.product(x, y))]
}

const div: Lowering = (call) => {
  const [x, y] = pair(call)
  if (isConstant(y) && y.constant.some((v) => v === 0)) unsupported("division by zero")
  if (isConstant(x) && isConstant(y)) {
    const quotient = x.constant.map((v, i) => v / y.constant[i])
    return [constant(x.shape, isInteger(x.dtype) ? quotient.map(Math.trunc) : quotient, x.dtype)]
  }
  if (isConstant(y) && isInteger(x.dtype)) {
    const [divisor] = y.constant
    if (y.constant.some((v) => v !== divisor)) unsupported("several divisors of integer activations")
    return [call.builder.apply(x, "quotient", divisor)]
  }
  call.real(y, "division by them")
  return [call.builder.divide(x, y)]
}

/** Largest (sign 1) or smallest (sign −1): max(x, y) = y + relu(x − y), min(x, y) = y − relu(y − x). */
const extreme =
  (sign: 1 | -1): Lowering =>
  (call) => {
    call.ignore("consumed_inputs")
    const pick = sign === 1 ? Math.max : Math.min
    const [constants, activations] = [true, false].map((want) =>
      aligned(call).filter((value) => isConstant(value) === want),
    )
    const known = constants.reduce<Value | undefined>((a, b) => {
      if (!a || !isConstant(a) || !isConstant(b)) return b
      return constant(
        a.shape,
        a.constant.map((v, i) => pick(v, b.constant[i])),
        a.dtype,
      )
    }, undefined)
    if (activations.length === 0) return known ? [known] : unsupported("there are no inputs")
    const largest = activations.reduce((x, y) => larger(call, x, y, sign))
    if (!known || !isConstant(known)) return [largest]
    const bound = known.constant[0]
    if (known.constant.every((v) => v === bound))
      return [
        call.builder.clamp(
          largest,
          sign === 1 ? bound : Number.NEGATIVE_INFINITY,
          sign === 1 ? Number.POSITIVE_INFINITY : bound,
        ),
      ]
    return [larger(call, largest, known, sign)]
  }

/** The larger (sign 1) or smaller (sign −1) of two values of one shape. */
export function larger({ builder }: Call, x: Value, y: Value, sign: 1 | -1): Value {
  const difference = builder.combine([
    { value: x, factor: sign },
    { value: y, factor: -sign },
  ])
  return builder.combine([
    { value: y, factor: 1 },
    { value: builder.clamp(difference, 0, Number.POSITIVE_INFINITY), factor: sign },
  ])
}

const neg: Lowering = (call) => {
  call.ignore("consumed_inputs")
  return combined(call, [{ value: call.input(0), factor: -1 }])
}

/** |x| = 2·relu(x) − x: one clamp. */
export function absolute({ builder }: Call, x: Value): Value {
  if (isConstant(x)) return constant(x.shape, x.constant.map(Math.abs), x.dtype)
  return builder.combine([
    { value: builder.clamp(x, 0, Number.POSITIVE_INFINITY), factor: 2 },
    { value: x, factor: -1 },
  ])
}

const abs: Lowering = (call) => {
  call.ignore("consumed_inputs")
  const x = call.input(0)
  return [call.fits(absolute(call, x))]
}

/** 1 / x, elementwise. */
export function reciprocal(builder: Builder, x: Value): Value {
  const ones = numbers(builder, sizeOf(x.shape)).fill(1)
  return builder.divide(constant(x.shape, ones, x.dtype), x)
}

export const arithmetic: Operators = {
  Add: operator(addition(1), wideOnly),
  Sub: operator(addition(-1), wideOnly),
  Mul: operator(mul, wideOnly),
  Div: operator(
    div,
    other("no division by a constant with a zero"),
    other("no division by integer activations"),
    other("one divisor for all integer activations"),
  ),
  Sum: operator(sum(false), wideOnly),
  Mean: operator(sum(true), realOnly),
  Neg: operator(neg, wideOnly),
  Abs: operator(abs, wideOnly),
  Max: operator(extreme(1)),
  Min: operator(extreme(-1)),
}
