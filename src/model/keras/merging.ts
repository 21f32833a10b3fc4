/** Layers of Keras that join tensors. */
import { type LayerContext, number, Refusal, refuse, Symbolic, setting, type Translate } from "./layer.js"

const merge =
  (operator: string): Translate =>
  (layer) =>
    layer.node(operator, layer.inputs)

/** Ranks of the tensors of a call, of newer files, which say them. */
function ranks(layer: LayerContext): (number | undefined)[] {
  return (layer.args as unknown[])
    .flat(2)
    .filter((arg) => arg instanceof Symbolic)
    .map(({ rank }) => rank)
}

/** Σ a·b along an axis of each, the others side by side after the batch. */
const dot: Translate = (layer) => {
  const [a, b] = layer.inputs
  if (layer.inputs.length !== 2) refuse("it reads other than two tensors")
  const given = setting(layer, "axes")
  const [first, second] = ranks(layer)
  if (first === undefined || second === undefined)
    throw new Refusal("the file does not say the shapes of what it reads; save the model with Keras 3")
  const axes = (Array.isArray(given) ? given : [given, given]).map((axis, i) => {
    const rank = i === 0 ? first : second
    const value = number(layer, axis)
    return value < 0 ? value + rank : value
  })
  if (![first, second].every((rank, i) => rank <= 8 && axes[i] >= 1 && axes[i] < rank))
    refuse("its axes are not those of what it reads")
  const letters = (rank: number, from: number, axis: number) =>
    Array.from({ length: rank }, (_, i) =>
      i === 0 ? "a" : i === axis ? "z" : String.fromCharCode(97 + from + i),
    ).join("")
  const [left, right] = [letters(first, 0, axes[0]), letters(second, 10, axes[1])]
  const rest = (text: string) => text.slice(1).replace("z", "")
  const normalized = (x: string, axis: number) =>
    setting(layer, "normalize") === true ? layer.node("LpNormalization", [x], { axis, p: 2 }) : x
  const product = layer.node("Einsum", [normalized(a, axes[0]), normalized(b, axes[1])], {
    equation: `${left},${right}->a${rest(left)}${rest(right)}`,
  })
  if (first !== 2 || second !== 2) return product
  return layer.node("Unsqueeze", [product, layer.constant("axes", [1], [1], true)])
}

export const mergingLayers: Readonly<Record<string, Translate>> = {
  Add: merge("Sum"),
  Average: merge("Mean"),
  Subtract: merge("Sub"),
  Multiply: (layer) => {
    const [first, ...others] = layer.inputs
    return others.reduce((product, x) => layer.node("Mul", [product, x]), first)
  },
  Maximum: merge("Max"),
  Minimum: merge("Min"),
  Dot: dot,
  Concatenate: (layer) =>
    layer.node("Concat", layer.inputs, { axis: number(layer, layer.config.axis ?? -1) }),
}
