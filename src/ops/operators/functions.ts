/**
 * Functions of one variable. Those that are a formula of others are written as that formula, as an exporter
 * may have written them too: tabulate.ts makes one function of either.
 */
import type { FunctionName } from "../formula.js"
import { pair, reciprocal } from "./arithmetic.js"
import type { Builder } from "./builder.js"
import type { Call, Lowering } from "./call.js"
import { type Operators, operator, other, realOnly } from "./limits.js"
import { unsupported } from "./shapes.js"
import type { Value } from "./values.js"

/** An operator that is one function; attributes with their defaults are its parameters. */
const applied =
  (name: FunctionName, attributes: Readonly<Record<string, number>> = {}): Lowering =>
  (call) => {
    call.ignore("consumed_inputs")
    const x = call.input(0)
    if (name !== "sign") call.real(x, `\`${name}\``)
    const parameters = Object.entries(attributes).map(([key, value]) => call.number(key, value))
    return [call.builder.apply(x, name, ...parameters)]
  }

/** A primitive, or a few, of one variable. */
const onReals =
  (what: string, f: (builder: Builder, x: Value) => Value): Lowering =>
  (call) => {
    call.ignore("consumed_inputs")
    const x = call.input(0)
    call.real(x, what)
    return [f(call.builder, x)]
  }

const rounding =
  (name: FunctionName): Lowering =>
  (call) => {
    const x = call.input(0)
    return [call.builder.apply(x, name)]
  }

/** x·sigmoid(alpha·x) */
const swish =
  (alpha: number): Lowering =>
  (call) => {
    const { builder } = call
    const x = call.input(0)
    const scaled = builder.combine([{ value: x, factor: call.number("alpha", alpha) }])
    return [builder.product(x, builder.apply(scaled, "sigmoid"))]
  }

/** x·tanh(softplus(x)) */
const mish: Lowering = (call) => {
  const { builder } = call
  const x = call.input(0)
  return [builder.product(x, builder.apply(builder.apply(x, "softplus"), "tanh"))]
}

/** x/2·(1 + erf(x/√2)), or its approximation x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))). */
function geluOf(call: Call, x: Value, isExact: boolean): Value {
  const { builder } = call
  const half = builder.combine([{ value: x, factor: 0.5 }])
  const inner = isExact
    ? builder.apply(builder.combine([{ value: x, factor: Math.SQRT1_2 }]), "erf")
    : builder.apply(smooth(call, x), "tanh")
  return builder.product(half, builder.combine([{ value: inner, factor: 1 }], 1))
}

const gelu: Lowering = (call) => [
  geluOf(call, call.input(0), call.choice("approximate", ["none", "tanh"]) === "none"),
]

/** GELU of the input plus a bias (input 1), if there is one. */
const biasedGelu =
  (isExact: boolean): Lowering =>
  (call) => {
    const x = call.input(0)
    const terms = call.has(1) ? pair(call) : [x]
    const sum = call.builder.combine(terms.map((value) => ({ value, factor: 1 })))
    return [geluOf(call, sum, isExact)]
  }

/** √(2/π)·(x + 0.044715·x³) */
function smooth({ builder }: Call, x: Value): Value {
  const factor = Math.sqrt(2 / Math.PI)
  return builder.combine([
    { value: x, factor },
    { value: builder.product(x, builder.product(x, x)), factor: 0.044715 * factor },
  ])
}

const celu: Lowering = (call) => {
  const alpha = call.number("alpha", 1)
  if (alpha === 0) unsupported("attribute `alpha` = `0` divides by zero")
  return [call.builder.apply(call.input(0), "celu", alpha)]
}

export const unaryFunctions: Operators = {
  Sigmoid: operator(applied("sigmoid"), realOnly),
  Tanh: operator(applied("tanh"), realOnly),
  Exp: operator(applied("exp"), realOnly),
  Log: operator(applied("log"), realOnly),
  Sqrt: operator(
    onReals("the root", (builder, x) => builder.root(x)),
    realOnly,
  ),
  Reciprocal: operator(onReals("the reciprocal", reciprocal), realOnly),
  Erf: operator(applied("erf"), realOnly),
  Softplus: operator(applied("softplus"), realOnly),
  Softsign: operator(applied("softsign"), realOnly),
  Elu: operator(applied("elu", { alpha: 1 }), realOnly),
  Selu: operator(applied("selu", { alpha: 1.6732631921768188, gamma: 1.0507010221481323 }), realOnly),
  Celu: operator(celu, other("`alpha` is not 0")),
  ThresholdedRelu: operator(applied("thresholdedRelu", { alpha: 1 }), realOnly),
  Shrink: operator(applied("shrink", { lambd: 0.5, bias: 0 }), realOnly),
  Swish: operator(swish(1)),
  Mish: operator(mish),
  Gelu: operator(gelu),
  Sign: operator(applied("sign")),
  Floor: operator(rounding("floor")),
  Ceil: operator(rounding("ceil")),
  Round: operator(rounding("round")),
  Sin: operator(applied("sin"), realOnly),
  Cos: operator(applied("cos"), realOnly),
  Tan: operator(applied("tan"), realOnly),
  Asin: operator(applied("asin"), realOnly),
  Acos: operator(applied("acos"), realOnly),
  Atan: operator(applied("atan"), realOnly),
  Sinh: operator(applied("sinh"), realOnly),
  Cosh: operator(applied("cosh"), realOnly),
  Asinh: operator(applied("asinh"), realOnly),
  Acosh: operator(applied("acosh"), realOnly),
  Atanh: operator(applied("atanh"), realOnly),
}

/** What onnxruntime makes of the above when it optimizes a model (its domain com.microsoft). */
export const fusedFunctions: Operators = {
  Gelu: operator(biasedGelu(true)),
  BiasGelu: operator(biasedGelu(true)),
  FastGelu: operator(biasedGelu(false)),
  QuickGelu: operator(swish(1.702)),
}
