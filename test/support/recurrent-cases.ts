/** Random recurrent layers: every attribute, and every combination of optional inputs and outputs. */
import type { AttributeSpec, InputSpec, OnnxSpec, TensorSpec } from "./onnx-writer.js"
import { reals } from "./operator-cases.js"
import type { Random } from "./random.js"

/** Names of activations, with how many of alpha and beta they take. */
const named: Readonly<Record<string, readonly [alphas: number, betas: number]>> = {
  Relu: [0, 0],
  Tanh: [0, 0],
  Sigmoid: [0, 0],
  Softsign: [0, 0],
  Softplus: [0, 0],
  Affine: [1, 1],
  LeakyRelu: [1, 0],
  ThresholdedRelu: [1, 0],
  ScaledTanh: [1, 1],
  HardSigmoid: [1, 1],
  Elu: [1, 0],
}

interface Options {
  /** Activations by name, with parameters. */
  readonly curves?: boolean
  readonly clip?: boolean
  /** Lengths of sequences, constant or from the model's input. */
  readonly lengths?: "constant" | "live"
  /** Initial states, constant or from the model's input. */
  readonly initial?: "constant" | "live"
  readonly steps?: number
}

const kinds = { RNN: { gates: 1, curves: 1 }, GRU: { gates: 3, curves: 2 }, LSTM: { gates: 4, curves: 3 } }

function attributesOf(random: Random, operator: keyof typeof kinds, directions: number, options: Options) {
  const attributes: Record<string, AttributeSpec> = {}
  if (options.curves) {
    const names = Array.from({ length: kinds[operator].curves * directions }, () =>
      random.pick(Object.keys(named)),
    )
    const count = (which: 0 | 1) => names.reduce((sum, name) => sum + named[name][which], 0)
    attributes.activations = { texts: names }
    const list = (length: number) => Array.from({ length }, () => 0.2 + 0.8 * random.next())
    // of some, runtimes have other defaults than ONNX
    const isDisputed = names.some((name) => /Affine|ThresholdedRelu|ScaledTanh/.test(name))
    if (isDisputed || random.next() < 0.5) {
      attributes.activation_alpha = { floats: list(count(0)) }
      attributes.activation_beta = { floats: list(count(1)) }
    }
  }
  if (options.clip) attributes.clip = { float: 0.2 + random.next() }
  if (operator === "GRU") attributes.linear_before_reset = random.integer(0, 1)
  if (operator === "LSTM" && random.next() < 0.3) attributes.input_forget = 1
  return attributes
}

const recurrent =
  (operator: keyof typeof kinds, options: Options = {}) =>
  (random: Random): OnnxSpec => {
    const { gates } = kinds[operator]
    const direction = random.pick(["forward", "reverse", "bidirectional"])
    const directions = direction === "bidirectional" ? 2 : 1
    const steps = options.steps ?? random.integer(1, 3)
    const [batch, size, hidden] = [random.integer(1, 2), random.integer(1, 3), random.integer(1, 2)]
    const initializers: Record<string, TensorSpec> = {
      w: reals(random, [directions, gates * hidden, size]),
      r: reals(random, [directions, gates * hidden, hidden]),
    }
    const inputs: InputSpec[] = [{ name: "x", shape: [steps, batch, size] }]
    const names = ["x", "w", "r"]
    const optional = (name: string, tensor: TensorSpec | undefined) => {
      if (tensor) initializers[name] = tensor
      names.push(tensor ? name : "")
    }
    optional("b", random.next() < 0.7 ? reals(random, [directions, 2 * gates * hidden]) : undefined)
    if (options.lengths === "live") {
      inputs.push({ name: "n", shape: [batch], dtype: "int32", within: [1, steps] })
      names.push("n")
    } else {
      const data = Array.from({ length: batch }, () => random.integer(1, steps))
      optional("n", options.lengths ? { shape: [batch], data, dtype: "int32" } : undefined)
    }
    const state = [directions, batch, hidden]
    for (const name of operator === "LSTM" ? ["h", "c"] : ["h"]) {
      if (options.initial === "live" && random.next() < 0.7) {
        inputs.push({ name, shape: state })
        names.push(name)
      } else
        optional(
          name,
          options.initial === "constant" && random.next() < 0.7 ? reals(random, state) : undefined,
        )
    }
    if (operator === "LSTM")
      optional("p", random.next() < 0.4 ? reals(random, [directions, 3 * hidden]) : undefined)
    const all = operator === "LSTM" ? ["y", "yh", "yc"] : ["y", "yh"]
    const kept = all.filter(() => random.next() < 0.6)
    const outputs = kept.length > 0 ? kept : [random.pick(all)]
    const given = Object.keys(initializers).filter((name) => names.includes(name))
    return {
      opset: random.pick([7, 14, 22]),
      inputs,
      outputs,
      initializers: Object.fromEntries(given.map((name) => [name, initializers[name]])),
      nodes: [
        {
          operator,
          inputs: names,
          outputs: all.map((name) => (outputs.includes(name) ? name : "")),
          attributes: {
            direction,
            hidden_size: hidden,
            ...attributesOf(random, operator, directions, options),
          },
        },
      ],
    }
  }

export const recurrentCases: Readonly<Record<string, (random: Random) => OnnxSpec>> = {
  RNN: recurrent("RNN"),
  "RNN with activations": recurrent("RNN", { curves: true, initial: "constant" }),
  "RNN clipped, of some lengths": recurrent("RNN", { clip: true, lengths: "constant" }),
  "RNN of live lengths": recurrent("RNN", { lengths: "live", initial: "live" }),
  GRU: recurrent("GRU"),
  "GRU with activations": recurrent("GRU", { curves: true, initial: "constant" }),
  "GRU clipped, of some lengths": recurrent("GRU", { clip: true, lengths: "constant", initial: "live" }),
  "GRU of live lengths": recurrent("GRU", { lengths: "live", initial: "constant" }),
  LSTM: recurrent("LSTM"),
  "LSTM with activations": recurrent("LSTM", { curves: true, initial: "constant" }),
  "LSTM clipped, of some lengths": recurrent("LSTM", {
    curves: true,
    clip: true,
    lengths: "constant",
    initial: "live",
  }),
  "LSTM of live lengths": recurrent("LSTM", { lengths: "live", initial: "constant" }),
}
