/** Activation functions that recurrent layers name in attributes, with parameters from lists that they share. */
import { leaky, ramp } from "./activation.js"
import type { Builder } from "./builder.js"
import type { Call } from "./call.js"
import { unsupported } from "./shapes.js"
import type { Value } from "./values.js"

/** A function of one variable, elementwise. */
export type Curve = (builder: Builder, x: Value) => Value

interface Named {
  /** Defaults of the parameters that it takes; none where ONNX and runtimes do not agree on one. */
  readonly alpha?: number | undefined
  readonly beta?: number | undefined
  readonly of: (builder: Builder, x: Value, alpha: number, beta: number) => Value
}

const scaled = (builder: Builder, x: Value, factor: number, offset = 0): Value =>
  builder.combine([{ value: x, factor }], offset)

/** By name in lower case. */
const curves: Readonly<Record<string, Named>> = {
  relu: { of: (builder, x) => builder.clamp(x, 0, Number.POSITIVE_INFINITY) },
  tanh: { of: (builder, x) => builder.apply(x, "tanh") },
  sigmoid: { of: (builder, x) => builder.apply(x, "sigmoid") },
  softsign: { of: (builder, x) => builder.apply(x, "softsign") },
  softplus: { of: (builder, x) => builder.apply(x, "softplus") },
  affine: { alpha: undefined, beta: undefined, of: scaled },
  leakyrelu: { alpha: 0.01, of: leaky },
  thresholdedrelu: {
    alpha: undefined,
    of: (builder, x, alpha) => builder.apply(x, "thresholdedRelu", alpha),
  },
  scaledtanh: {
    alpha: undefined,
    beta: undefined,
    of: (builder, x, alpha, beta) => scaled(builder, builder.apply(scaled(builder, x, beta), "tanh"), alpha),
  },
  hardsigmoid: { alpha: 0.2, beta: 0.5, of: ramp },
  elu: { alpha: 1, of: (builder, x, alpha) => builder.apply(x, "elu", alpha) },
}

/**
 * The activations of each direction: as many as there are defaults, or those that the node names. Each that takes a
 * parameter takes the next one of its list, as long as there is one. With `clip`, what a gate is given is cut off there;
 * the first `gates` of a direction's activations are those of gates.
 */
export function curvesOf(
  call: Call,
  defaults: readonly string[],
  gates: number,
  directions: number,
): Curve[][] {
  const given = call.attribute("activations")
  const names =
    given === undefined
      ? Array.from({ length: directions }, () => defaults).flat()
      : Array.isArray(given)
        ? given.map(String)
        : unsupported("attribute `activations` is no list")
  if (names.length !== defaults.length * directions)
    unsupported(`${names.length} activations, where ${defaults.length * directions} are needed`)
  const [alphas, betas] = [call.list("activation_alpha") ?? [], call.list("activation_beta") ?? []]
  const clip = call.attribute("clip") === undefined ? undefined : call.number("clip")
  if (clip !== undefined && !(clip > 0)) call.refuse("clip", clip)
  const made = names.map((name, i): Curve => {
    const key = name.toLowerCase()
    if (!Object.hasOwn(curves, key)) unsupported(`activation \`${name}\` is not supported`)
    const curve = curves[key]
    const parameter = (which: "alpha" | "beta", list: number[]): number => {
      if (!(which in curve)) return 0
      const value = list.shift() ?? curve[which] ?? Number.NaN
      return Number.isFinite(value)
        ? value
        : unsupported(`activation \`${name}\` has no \`activation_${which}\` that is a number`)
    }
    const [alpha, beta] = [parameter("alpha", alphas), parameter("beta", betas)]
    const isClipped = i % defaults.length < gates
    return (builder, x) =>
      curve.of(builder, isClipped && clip !== undefined ? builder.clamp(x, -clip, clip) : x, alpha, beta)
  })
  return Array.from({ length: directions }, (_, d) =>
    made.slice(d * defaults.length, (d + 1) * defaults.length),
  )
}
