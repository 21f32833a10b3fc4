/**
 * Recurrent layers of Keras as ONNX's, which have the steps as the first axis, other orders of gates, and a bias for each of
 * the two products: Keras's LSTM has i, f, c, o, ONNX's i, o, f, c; both their GRUs have z, r, h, and Keras's `reset_after`
 * is ONNX's `linear_before_reset`.
 */
import type { Attribute, Tensor } from "../graph.js"
import {
  dimensionsFrom,
  integers,
  isRecord,
  type LayerContext,
  permuted,
  Refusal,
  refuse,
  Symbolic,
  setting,
  shown,
  type Translate,
  weightOf,
  without,
} from "./layer.js"

const names: ReadonlyMap<unknown, string> = new Map([
  ["tanh", "Tanh"],
  ["sigmoid", "Sigmoid"],
  ["relu", "Relu"],
  ["hard_sigmoid", "HardSigmoid"],
  ["hardSigmoid", "HardSigmoid"],
  ["softsign", "Softsign"],
  ["softplus", "Softplus"],
  ["elu", "Elu"],
  ["linear", "Affine"],
])

/** Activations of ONNX, with their parameters where they have some. */
function activations(layer: LayerContext, settings: readonly (readonly [string, string])[]) {
  const used = settings.map(([name, fallback]) => {
    const given = setting(layer, name) ?? fallback
    return names.get(given) ?? refuse(`\`${name}\` of \`${shown(given)}\` is not supported`)
  })
  const alphas = used.flatMap((name) =>
    name === "HardSigmoid"
      ? [layer.version === 3 ? 1 / 6 : 0.2]
      : name === "Affine" || name === "Elu"
        ? [1]
        : [],
  )
  const betas = used.flatMap((name) => (name === "HardSigmoid" ? [0.5] : name === "Affine" ? [0] : []))
  return {
    activations: used,
    ...(alphas.length > 0 && { activation_alpha: alphas }),
    ...(betas.length > 0 && { activation_beta: betas }),
  }
}

interface Kind {
  readonly operator: string
  readonly states: number
  /** For each gate of ONNX, which of Keras's it is. */
  readonly gates: readonly number[]
  readonly activations: readonly (readonly [string, string])[]
}

const kinds = {
  SimpleRNN: { operator: "RNN", states: 1, gates: [0], activations: [["activation", "tanh"]] },
  GRU: {
    operator: "GRU",
    states: 1,
    gates: [0, 1, 2],
    activations: [
      ["recurrent_activation", "sigmoid"],
      ["activation", "tanh"],
    ],
  },
  LSTM: {
    operator: "LSTM",
    states: 2,
    gates: [0, 3, 1, 2],
    activations: [
      ["recurrent_activation", "sigmoid"],
      ["activation", "tanh"],
      ["activation", "tanh"],
    ],
  },
} as const satisfies Record<string, Kind>

/** Blocks of `units` columns in ONNX's order of gates, as rows: [gates·units, inputs]. */
function byGate(kernel: Tensor, gates: readonly number[], units: number): Tensor {
  const { shape, data } = permuted(kernel, [1, 0])
  const width = shape[1]
  const result = new Float64Array(data.length)
  for (const [to, from] of gates.entries())
    result.set(data.subarray(from * units * width, (from + 1) * units * width), to * units * width)
  return { shape, data: result, dtype: "float32" }
}

/** Both of ONNX's biases, [2·gates·units], from Keras's one or two. */
function biases(layer: LayerContext, gates: readonly number[], units: number): Float64Array {
  const size = gates.length * units
  const result = new Float64Array(2 * size)
  if (setting(layer, "use_bias") === false) return result
  const { data } = layer.weight("bias", 2, { attribute: "cell" })
  if (data.length !== size && data.length !== 2 * size) throw new Refusal("its bias has another size")
  for (let row = 0; row < data.length / size; row++)
    for (const [to, from] of gates.entries()) {
      const at = row * size + from * units
      result.set(data.subarray(at, at + units), row * size + to * units)
    }
  return result
}

/** The tensors that are the first states, after the sequence or by name. */
function firstStates(layer: LayerContext): readonly string[] {
  const given = layer.argument("initial_state")
  const flat = Array.isArray(given) ? given : given === undefined || given === null ? [] : [given]
  if (!flat.every((each) => each instanceof Symbolic)) refuse("its `initial_state` is no tensor")
  return [...layer.inputs.slice(1), ...(flat as Symbolic[]).map(({ name }) => name)]
}

const recurrent =
  ({ operator, states, gates, activations: used }: Kind): Translate =>
  (layer) => {
    without(layer, "stateful", "time_major")
    const cell = { attribute: "cell" }
    const kernel = weightOf(layer, "kernel", 0, 2, cell)
    const recurrentKernel = weightOf(layer, "recurrent_kernel", 1, 2, cell)
    const units = recurrentKernel.shape[0]
    if (kernel.shape[1] !== gates.length * units || recurrentKernel.shape[1] !== gates.length * units)
      throw new Refusal("its weights do not fit each other")
    const backwards = setting(layer, "go_backwards") === true
    const w = byGate(kernel, gates, units)
    const r = byGate(recurrentKernel, gates, units)
    const [x] = layer.inputs
    const given = firstStates(layer)
    if (given.length !== 0 && given.length !== states) refuse(`it is given ${given.length} states`)
    const batch = integers(layer, "axes", [0])
    const attributes: Record<string, Attribute> = {
      hidden_size: units,
      direction: backwards ? "reverse" : "forward",
      ...activations(layer, used),
      // tfjs has Keras 1's GRU, whose setting is missing
      ...(operator === "GRU" && {
        linear_before_reset: (setting(layer, "reset_after") ?? layer.version === 3) === true ? 1 : 0,
      }),
    }
    const [all, ...last] = layer.outputs(
      1 + states,
      operator,
      [
        layer.node("Transpose", [x], { perm: [1, 0, 2] }),
        layer.constant("kernel", [1, ...w.shape], w.data),
        layer.constant("recurrent_kernel", [1, ...r.shape], r.data),
        layer.constant("bias", [1, 2 * gates.length * units], biases(layer, gates, units)),
        ...(given.length > 0 ? [""] : []),
        ...given.map((state) => layer.node("Unsqueeze", [state, batch])),
      ],
      attributes,
    )
    const ends = () => last.map((state) => layer.node("Squeeze", [state, batch]))
    const y = setting(layer, "return_sequences") === true ? sequence(layer, all, backwards) : ends()[0]
    return setting(layer, "return_state") === true ? [y, ...ends()] : y
  }

/** [steps, 1, batch, units] as [batch, steps, units], in the order in which a layer came to them. */
function sequence(layer: LayerContext, all: string, backwards: boolean): string {
  const rows = layer.node("Squeeze", [all, integers(layer, "directions", [1])])
  const y = layer.node("Transpose", [rows], { perm: [1, 0, 2] })
  return backwards ? reversed(layer, y) : y
}

const reversed = (layer: LayerContext, y: string): string =>
  layer.node("Slice", [
    y,
    integers(layer, "start", [-1]),
    integers(layer, "end", [-(2 ** 31)]),
    integers(layer, "axis", [1]),
    integers(layer, "step", [-1]),
  ])

const joins: ReadonlyMap<unknown, string> = new Map([
  ["sum", "Add"],
  ["mul", "Mul"],
  ["ave", "Mean"],
])

/** The settings of the layer inside of a wrapper. */
function wrapped(layer: LayerContext, name: string): Readonly<Record<string, unknown>> | undefined {
  const entry = setting(layer, name)
  return isRecord(entry) && isRecord(entry.config) ? entry : undefined
}

/** One layer on the sequence and one on its reverse; what the second gives is turned round again. */
const bidirectional: Translate = (layer) => {
  const forward = wrapped(layer, "layer") ?? refuse("it has no layer")
  const config = forward.config as Readonly<Record<string, unknown>>
  if (config.return_state === true || config.returnState === true)
    refuse("`return_state` is not supported here")
  const returnsSequences = (config.return_sequences ?? config.returnSequences) === true
  if (layer.inputs.length !== 1 || layer.argument("initial_state"))
    refuse("states that are given are not supported")
  // Keras 2 names both by the layer that it was given, Keras 3 writes them as they are
  const named = (given: Readonly<Record<string, unknown>>, prefix: string, more: object = {}) => {
    const own = String((given.config as typeof config).name ?? "").replace(/^forward_/, prefix)
    const name = layer.version === 2 && !own.startsWith(prefix) ? `${prefix}${own}` : own
    return { ...given, config: { ...(given.config as typeof config), ...more, name } }
  }
  const given = wrapped(layer, "backward_layer")
  const turned = given ? {} : { go_backwards: config.go_backwards !== true }
  const sides = [
    layer.nested(named(forward, "forward_"), "forward_layer", layer.inputs)[0],
    layer.nested(named(given ?? forward, "backward_", turned), "backward_layer", layer.inputs)[0],
  ]
  if (returnsSequences) sides[1] = reversed(layer, sides[1])
  const mode = setting(layer, "merge_mode")
  if (mode === null) return sides
  if (mode === undefined || mode === "concat") return layer.node("Concat", sides, { axis: -1 })
  return layer.node(joins.get(mode) ?? refuse(`merge_mode \`${shown(mode)}\` is not supported`), sides)
}

/** The layer inside, with the steps among the batch. */
const timeDistributed: Translate = (layer) => {
  const [x] = layer.inputs
  const inner = wrapped(layer, "layer") ?? refuse("it has no layer")
  const open = integers(layer, "open", [-1])
  const merged = layer.node("Concat", [open, dimensionsFrom(layer, x, "rest", 2)], { axis: 0 })
  const [y] = layer.nested(inner, "layer", [layer.node("Reshape", [x, merged])])
  const shape = layer.node("Shape", [x])
  const steps = layer.node("Slice", [shape, integers(layer, "start", [0]), integers(layer, "end", [2])])
  const back = layer.node("Concat", [steps, dimensionsFrom(layer, y, "made", 1)], { axis: 0 })
  return layer.node("Reshape", [y, back])
}

export const recurrentLayers: Readonly<Record<string, Translate>> = {
  SimpleRNN: recurrent(kinds.SimpleRNN),
  GRU: recurrent(kinds.GRU),
  LSTM: recurrent(kinds.LSTM),
  Bidirectional: bidirectional,
  TimeDistributed: timeDistributed,
}
