/**
 * Comparisons, logic and choices. A bit of an activation is [x > 0], which has a primitive of its own; everything
 * else follows: [x ≥ y] is 1 − [y > x], two numbers are equal where neither is larger, and a bit times a number keeps
 * or drops it.
 *
 * Integers are compared exactly, floats as the integers that stand for them: what is a tie before quantization need
 * not be one after it, nor the other way round.
 */
import { aligned, pair } from "./arithmetic.js"
import type { Builder } from "./builder.js"
import type { Lowering } from "./call.js"
import { type Operators, operator } from "./limits.js"
import { indexTable } from "./shapes.js"
import { constant, isConstant, type Value } from "./values.js"

const asBits = (value: Value): Value => ({ ...value, dtype: "bool" })
const isBits = ({ dtype }: Value): boolean => dtype === "bool"

/** A constant of bits, one for each element of some constants. */
function folded(values: readonly Value[], test: (...x: number[]) => boolean): Value | undefined {
  const known = values.filter(isConstant)
  if (known.length < values.length) return undefined
  const [{ shape, constant: first }] = known
  const bits = first.map((_, i) => (test(...known.map((value) => value.constant[i])) ? 1 : 0))
  return constant(shape, bits, "bool")
}

/** 1 − bit */
const negated = (builder: Builder, bit: Value): Value =>
  asBits(builder.combine([{ value: bit, factor: -1 }], 1))

/** [x > y], of two values of one shape. */
export function greater(builder: Builder, x: Value, y: Value): Value {
  const known = folded([x, y], (a, b) => a > b)
  if (known) return known
  if (isConstant(y)) return builder.compare(x, y.constant, false, false)
  if (isConstant(x)) return builder.compare(y, x.constant, true, false)
  return builder.step(
    builder.combine([
      { value: x, factor: 1 },
      { value: y, factor: -1 },
    ]),
  )
}

const notGreater = (builder: Builder, x: Value, y: Value): Value =>
  folded([x, y], (a, b) => a <= b) ?? negated(builder, greater(builder, x, y))

/** [x = y]: neither is larger. */
function equal(builder: Builder, x: Value, y: Value): Value {
  const known = folded([x, y], (a, b) => a === b)
  if (known) return known
  if (isBits(x) && isBits(y)) return negated(builder, joined(builder, x, y, 2))
  const unequal = builder.combine([
    { value: greater(builder, x, y), factor: 1 },
    { value: greater(builder, y, x), factor: 1 },
  ])
  return negated(builder, unequal)
}

/** What a number is as a condition: whether it is not zero. */
export function bitsOf(builder: Builder, x: Value): Value {
  if (isBits(x)) return x
  const known = folded([x], (v) => v !== 0)
  if (known) return known
  const negative = builder.step(builder.combine([{ value: x, factor: -1 }]))
  return builder.combine([
    { value: builder.step(x), factor: 1 },
    { value: negative, factor: 1 },
  ])
}

/** x + y − factor·x·y: `or` for 1, `xor` for 2. */
const joined = (builder: Builder, x: Value, y: Value, factor: 1 | 2): Value =>
  asBits(
    builder.combine([
      { value: x, factor: 1 },
      { value: y, factor: 1 },
      { value: builder.product(x, y), factor: -factor },
    ]),
  )

/** The first value where the condition holds, else the second; all of one shape. */
export function chosen(builder: Builder, condition: Value, x: Value, y: Value): Value {
  if (isConstant(condition)) {
    const size = condition.constant.length
    const map = indexTable(builder, size, (i) => (condition.constant[i] !== 0 ? i : size + i))
    return builder.move([x, y], map, condition.shape)
  }
  const difference = builder.combine([
    { value: x, factor: 1 },
    { value: y, factor: -1 },
  ])
  const kept = { ...builder.product(condition, difference), dtype: x.dtype }
  return builder.combine([
    { value: kept, factor: 1 },
    { value: y, factor: 1 },
  ])
}

type Binary = (builder: Builder, x: Value, y: Value) => Value

const comparison =
  (f: Binary): Lowering =>
  (call) => [f(call.builder, ...pair(call))]

const connective =
  (f: Binary): Lowering =>
  (call) => {
    const [x, y] = pair(call).map((value) => bitsOf(call.builder, value))
    return [f(call.builder, x, y)]
  }

const not: Lowering = (call) => {
  call.ignore("consumed_inputs")
  return [negated(call.builder, bitsOf(call.builder, call.input(0)))]
}

const where: Lowering = (call) => {
  const [condition, x, y] = aligned(call, [call.input(0), call.input(1), call.input(2)])
  return [chosen(call.builder, bitsOf(call.builder, condition), x, y)]
}

export const logic: Operators = {
  Greater: operator(comparison(greater)),
  Less: operator(comparison((builder, x, y) => greater(builder, y, x))),
  GreaterOrEqual: operator(comparison((builder, x, y) => notGreater(builder, y, x))),
  LessOrEqual: operator(comparison(notGreater)),
  Equal: operator(comparison(equal)),
  Not: operator(not),
  And: operator(connective((builder, x, y) => asBits(builder.product(x, y)))),
  Or: operator(connective((builder, x, y) => joined(builder, x, y, 1))),
  Xor: operator(connective((builder, x, y) => joined(builder, x, y, 2))),
  Where: operator(where),
}
