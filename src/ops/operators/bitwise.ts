/** Integers as bits: shifts, and masks that are known while compiling. */
import { pair } from "./arithmetic.js"
import type { Builder } from "./builder.js"
import type { Call, Lowering } from "./call.js"
import { intervalOfType } from "./intervals.js"
import { constantInput, type Operators, operator, other } from "./limits.js"
import { unsupported } from "./shapes.js"
import { constant, isConstant, isInteger, type Value } from "./values.js"

/** Integers that a table holds at any precision. */
const mostBits = 8

/** Bits of an activation's type or of what it can be. */
function bitsOf({ builder }: Call, x: Value): number {
  const [least, most] = builder.intervalOf(x) ?? [0, Number.POSITIVE_INFINITY]
  if (most - least >= 2 ** mostBits || least < -(2 ** mostBits) || most >= 2 ** mostBits)
    unsupported(`bits of \`${x.dtype}\` activations of more than ${mostBits} bits`)
  return mostBits + 1
}

/** x modulo 2^bits, from 0 on. */
const lowBits = (builder: Builder, x: Value, bits: number): Value =>
  bits === 0 ? builder.combine([{ value: x, factor: 0 }]) : builder.apply(x, "mod", 2 ** bits)

/** Σ of the bits of x that the mask has, in two's complement: runs of ones are differences of remainders. */
function masked(call: Call, x: Value, mask: number): Value {
  const { builder } = call
  const bits = bitsOf(call, x)
  const has = (bit: number) => Math.floor(mask / 2 ** bit) % 2 !== 0
  const terms: { value: Value; factor: number }[] = []
  for (let bit = 0; bit < bits; bit++) {
    if (!has(bit)) continue
    const start = bit
    while (bit < bits && has(bit)) bit++
    // a run up to the sign is x itself
    const upper = bit >= bits ? x : lowBits(builder, x, bit)
    terms.push({ value: upper, factor: 1 }, { value: lowBits(builder, x, start), factor: -1 })
  }
  return terms.length > 0 ? builder.combine(terms) : builder.combine([{ value: x, factor: 0 }])
}

/** x ∧ y, with one of them known and the same everywhere. */
function conjunction(call: Call, x: Value, y: Value): Value {
  if (isConstant(x) && !isConstant(y)) return conjunction(call, y, x)
  if (!isConstant(y)) return unsupported("both operands depend on the model's input")
  if (isConstant(x)) {
    // as 64 bits: what a double holds of them
    const and = (a: number, b: number) => Number(BigInt.asIntN(64, BigInt(a) & BigInt(b)))
    return constant(
      x.shape,
      x.constant.map((v, i) => and(v, y.constant[i])),
      x.dtype,
    )
  }
  const [mask] = y.constant
  if (y.constant.some((m) => m !== mask)) unsupported("several masks of activations")
  return masked(call, x, mask)
}

/** a·x + b·y + c·(x ∧ y) */
const bitwise =
  (a: number, b: number, c: number): Lowering =>
  (call) => {
    const [x, y] = pair(call)
    for (const value of [x, y])
      if (!isInteger(value.dtype)) unsupported(`operands of type \`${value.dtype}\``)
    return [
      call.builder.combine([
        { value: x, factor: a },
        { value: y, factor: b },
        { value: conjunction(call, x, y), factor: c },
      ]),
    ]
  }

const not: Lowering = (call) => {
  const x = call.input(0)
  if (!isInteger(x.dtype)) unsupported(`operands of type \`${x.dtype}\``)
  // the most of an unsigned type, −1 of a signed one
  const [least, most] = intervalOfType(x.dtype) ?? [x.dtype.startsWith("u") ? 0 : -1, 2 ** 64]
  return [call.builder.combine([{ value: x, factor: -1 }], least < 0 ? -1 : most)]
}

const shift: Lowering = (call) => {
  const { builder } = call
  const [x, y] = pair(call)
  const isLeft = call.choice("direction", ["LEFT", "RIGHT"]) === "LEFT"
  if (!isConstant(y)) return unsupported("the shift (input 1) depends on the model's input")
  const [, most] = intervalOfType(x.dtype) ?? [0, 2 ** 53]
  const by = (v: number, bits: number) => (isLeft ? (v * 2 ** bits) % (most + 1) : Math.floor(v / 2 ** bits))
  if (isConstant(x))
    return [
      constant(
        x.shape,
        x.constant.map((v, i) => by(v, y.constant[i])),
        x.dtype,
      ),
    ]
  if (isLeft) return [call.fits(builder.product(x, { ...y, constant: y.constant.map((bits) => 2 ** bits) }))]
  const [bits] = y.constant
  if (y.constant.some((other) => other !== bits)) unsupported("several shifts of activations to the right")
  bitsOf(call, x)
  return [builder.apply(x, "quotient", 2 ** bits)]
}

const one = other("one mask for all activations")
const few = other("activations of at most 8 bits")

export const bitOperators: Operators = {
  BitShift: operator(shift, constantInput(1, "Y"), few),
  BitwiseAnd: operator(bitwise(0, 0, 1), one, few),
  BitwiseNot: operator(not),
  BitwiseOr: operator(bitwise(1, 1, -1), one, few),
  BitwiseXor: operator(bitwise(1, 1, -2), one, few),
}
