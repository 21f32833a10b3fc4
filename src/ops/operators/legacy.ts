/** Operators that ONNX has had, or that others export without it: combinations of the present ones. */
import { sizeOf } from "../program.js"
import type { Lowering } from "./call.js"
import { type Operators, operator } from "./limits.js"
import { sliced } from "./movement.js"
import { numbers, show, unsupported } from "./shapes.js"
import { constant, type Value } from "./values.js"

/** alpha·x + beta */
const affine =
  (alpha: string, scale: number, beta?: string): Lowering =>
  (call) => {
    call.ignore("consumed_inputs")
    const offset = beta === undefined ? 0 : call.number(beta, 0)
    return [call.builder.combine([{ value: call.input(0), factor: call.number(alpha, scale) }], offset)]
  }

/** alpha·f(beta·x) */
const scaled =
  (name: "tanh" | "softplus"): Lowering =>
  (call) => {
    call.ignore("consumed_inputs")
    const { builder } = call
    const x = call.input(0)
    call.real(x, `\`${name}\``)
    const inner = builder.combine([{ value: x, factor: call.number("beta") }])
    return [builder.combine([{ value: builder.apply(inner, name), factor: call.number("alpha") }])]
  }

/** scale·x + bias of each channel */
const imageScaler: Lowering = (call) => {
  const { builder } = call
  const x = call.input(0)
  const [, channels, ...spatial] = x.shape
  const bias = call.list("bias") ?? []
  if (bias.length !== channels) unsupported(`${bias.length} biases of the channels of ${show(x.shape)}`)
  const spread = builder.broadcast(constant([channels, ...spatial.map(() => 1)], bias, x.dtype), x.shape)
  return [
    builder.combine([
      { value: x, factor: call.number("scale", 1) },
      { value: spread, factor: 1 },
    ]),
  ]
}

/** A part of an image: without borders left, top, right, bottom, or of a size from the first two on. */
const crop: Lowering = (call) => {
  const x = call.input(0)
  call.ignore("consumed_inputs")
  const [left, top, right, bottom] = call.integerList("border") ?? []
  const size = call.integerList("scale")
  const [height, width] = x.shape.slice(2)
  if (x.shape.length !== 4 || bottom === undefined) return unsupported(`borders of shape ${show(x.shape)}`)
  const [rows, columns] = size ?? [height - top - bottom, width - left - right]
  if (left < 0 || top < 0 || rows < 1 || columns < 1 || top + rows > height || left + columns > width)
    unsupported(`borders ${show([left, top, right, bottom])} of ${show(x.shape)}`)
  const shape = [x.shape[0], x.shape[1], rows, columns]
  return [sliced(call, x, [0, 0, top, left], [1, 1, 1, 1], shape)]
}

/** What no number is that a proof can be about: NaN and infinities are refused as inputs. */
const never: Lowering = (call) => {
  call.ignore("detect_negative", "detect_positive")
  const x: Value = call.input(0)
  if (!("constant" in x)) return [constant(x.shape, numbers(call.builder, sizeOf(x.shape)), "bool")]
  const wantsNaN = call.node.operator === "IsNaN"
  const [negative, positive] = ["detect_negative", "detect_positive"].map((name) => call.flag(name, true))
  const test = (v: number) =>
    wantsNaN ? Number.isNaN(v) : (negative && v === -Infinity) || (positive && v === Infinity)
  return [
    constant(
      x.shape,
      x.constant.map((v) => (test(v) ? 1 : 0)),
      "bool",
    ),
  ]
}

export const legacy: Operators = {
  Affine: operator(affine("alpha", 1, "beta")),
  Crop: operator(crop),
  ImageScaler: operator(imageScaler),
  IsInf: operator(never),
  IsNaN: operator(never),
  ParametricSoftplus: operator(scaled("softplus")),
  Scale: operator(affine("scale", 1)),
  ScaledTanh: operator(scaled("tanh")),
}
