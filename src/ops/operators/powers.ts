/** Powers: by whole exponents up to 4 products, by one other exponent a function, else exp(y·log x) of a base above zero. */

import { pair, reciprocal } from "./arithmetic.js"
import type { Builder } from "./builder.js"
import type { Call, Lowering } from "./call.js"
import { type Operators, operator, other, wideOnly } from "./limits.js"
import { unsupported } from "./shapes.js"
import { type Activation, constant, isConstant, isInteger, type Value } from "./values.js"

/** Up to here a power is products, from there on a function. */
const maxExponent = 4

/** Most different exponents that are taken one by one. */
const mostExponents = 16

const pow: Lowering = (call) => {
  const [x, y] = pair(call)
  if (isConstant(x) && isConstant(y)) {
    const powers = x.constant.map((v, i) => v ** y.constant[i])
    return [constant(x.shape, isInteger(x.dtype) ? powers.map(Math.trunc) : powers, x.dtype)]
  }
  if (!isConstant(y)) return [liveExponent(call, x, y)]
  if (isConstant(x)) return unsupported("a power of constants")
  const exponents = [...new Set(y.constant)]
  if (exponents.length === 1) return [call.fits(raised(call, x, exponents[0]))]
  if (exponents.length > mostExponents)
    return unsupported(`${exponents.length} different exponents (at most ${mostExponents})`)
  // each exponent by itself, over its own elements
  const places = new Int32Array(y.constant.length)
  let start = 0
  const parts = exponents.map((n) => {
    const own = Int32Array.from(y.constant.keys()).filter((i) => y.constant[i] === n)
    own.forEach((at, i) => {
      places[at] = start + i
    })
    start += own.length
    const part = call.builder.move([x], own, [own.length])
    return isConstant(part) ? unsupported("a power of constants") : raised(call, part, n)
  })
  return [call.fits(call.builder.move(parts, places, x.shape))]
}

/** x^n of an activation. */
export function raised(call: Call, x: Activation, n: number): Value {
  if (Number.isInteger(n) && n >= 1 && n <= maxExponent) return power(call.builder, x, n)
  call.real(x, `the power of ${n}`)
  const { builder } = call
  if (n === 0.5) return builder.root(x)
  if (n === -1) return reciprocal(builder, x)
  if (n === -0.5) return reciprocal(builder, builder.root(x))
  return builder.apply(x, "pow", n)
}

/** exp(y·log x): a base above zero has a logarithm, and no other is taken. */
function liveExponent(call: Call, x: Value, y: Value): Value {
  const { builder } = call
  call.real(x, "the power")
  call.real(y, "the power")
  if (isConstant(x)) {
    const base = x.constant.findIndex((v) => !(v > 0))
    if (base >= 0) unsupported(`${x.constant[base]} to a power that depends on the model's input`)
  }
  const logarithm = { ...builder.apply(x, "log"), dtype: y.dtype }
  return { ...builder.apply(builder.product(y, logarithm), "exp"), dtype: x.dtype }
}

/** x^n by squaring. */
function power(builder: Builder, x: Activation, n: number): Value {
  let [result, square]: [Value | undefined, Value] = [undefined, x]
  for (let rest = n; ; ) {
    if (rest & 1) result = result ? builder.product(result, square) : square
    rest >>= 1
    if (rest === 0) return result ?? x
    square = builder.product(square, square)
  }
}

export const powers: Operators = {
  Pow: operator(
    pow,
    wideOnly,
    other("at most 16 different exponents of activations"),
    other("with an exponent that depends on the model's input, a base that is always above 0"),
    other("a power of integer activations has an exponent from 1 to 4"),
  ),
}
