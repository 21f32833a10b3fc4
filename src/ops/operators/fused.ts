/** Linear operators that onnxruntime has joined with what followed them (its domain com.microsoft). */
import type { Call, Lowering } from "./call.js"
import { biasOf, convolved } from "./conv.js"
import { transposed } from "./layout.js"
import { activationInput, type Operators, operator, other } from "./limits.js"
import { gemmOf, product } from "./linear.js"
import { range } from "./shapes.js"
import type { Value } from "./values.js"

/** Parameters of an activation: its attributes by position. */
type Parameters = (position: number, fallback: number) => number

const infinity = Number.POSITIVE_INFINITY

/** The activation functions that are fused, by name. */
const activations: Readonly<Record<string, (call: Call, x: Value, given: Parameters) => Value>> = {
  Relu: ({ builder }, x) => builder.clamp(x, 0, infinity),
  Clip: ({ builder }, x, given) => builder.clamp(x, given(0, -infinity), given(1, infinity)),
  Sigmoid: ({ builder }, x) => builder.apply(x, "sigmoid"),
  Tanh: ({ builder }, x) => builder.apply(x, "tanh"),
  Softplus: ({ builder }, x) => builder.apply(x, "softplus"),
  Softsign: ({ builder }, x) => builder.apply(x, "softsign"),
  Elu: ({ builder }, x, given) => builder.apply(x, "elu", given(0, 1)),
  LeakyRelu({ builder }, x, given) {
    const slope = given(0, 0.01)
    return builder.combine([
      { value: x, factor: slope },
      { value: builder.clamp(x, 0, infinity), factor: 1 - slope },
    ])
  },
  HardSigmoid: ({ builder }, x, given) =>
    builder.clamp(builder.combine([{ value: x, factor: given(0, 0.2) }], given(1, 0.5)), 0, 1),
}

/** The activation that an attribute names, applied. */
function activated(call: Call, x: Value, given: Parameters): Value {
  const name = call.attribute("activation") ?? ""
  if (name === "") return x
  if (typeof name !== "string" || !Object.hasOwn(activations, name)) return call.refuse("activation", name)
  return activations[name](call, x, given)
}

const fusedGemm: Lowering = (call) => {
  const names = ["activation_alpha", "activation_beta", "activation_gamma"]
  call.ignore("activation_gamma")
  const given: Parameters = (position, fallback) => call.number(names[position], fallback)
  for (const name of names) call.attribute(name)
  return [activated(call, gemmOf(call), given)]
}

const fusedConv: Lowering = (call) => {
  const { builder } = call
  const params = call.list("activation_params") ?? []
  let made = convolved(call, call.activation(0, "the operand"), call.input(1), biasOf(call))
  if (call.has(3))
    made = builder.combine([
      { value: made, factor: 1 },
      { value: builder.broadcast(call.input(3), made.shape), factor: 1 },
    ])
  return [activated(call, made, (position, fallback) => params[position] ?? fallback)]
}

/** alpha·A·B of matrices whose last two axes, or batch and rows, are exchanged on request. */
const fusedMatMul: Lowering = (call) => {
  const operand = (at: 0 | 1, name: "A" | "B"): Value => {
    const x = call.input(at)
    const rank = x.shape.length
    const [isTurned, isBatch] = [call.flag(`trans${name}`), call.flag(`transBatch${name}`)]
    if (!isTurned && !isBatch) return x
    if (rank < 2) return x
    // [batch…, rows] to [rows, batch…], before rows and columns
    const axes = isBatch ? [...range(rank).slice(1, rank - 1), 0, rank - 1] : range(rank)
    if (isTurned) [axes[rank - 2], axes[rank - 1]] = [axes[rank - 1], axes[rank - 2]]
    return transposed(call, x, axes)
  }
  const made = product(call, operand(0, "A"), operand(1, "B"))
  const alpha = call.number("alpha", 1)
  return [alpha === 1 ? made : call.builder.combine([{ value: made, factor: alpha }])]
}

const named = other(`an activation is one of ${Object.keys(activations).join(", ")}`)

export const fusedLayers: Operators = {
  FusedConv: operator(fusedConv, activationInput(0, "X"), named),
  FusedGemm: operator(fusedGemm, named),
  FusedMatMul: operator(fusedMatMul),
  TransposeMatMul: operator(fusedMatMul),
}
