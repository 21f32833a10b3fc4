/** Convolution and its transpose with constant weights, over any number of spatial axes. */
import { forEachTap, productsOf } from "../linearmap.js"
import { type LinearMap, sizeOf } from "../program.js"
import type { Call, Lowering } from "./call.js"
import { activationInput, constantInput, type Operators, operator } from "./limits.js"
import { fromEntries } from "./maps.js"
import { checkShape, type Ledger, numbers, sameShape, show, unsupported } from "./shapes.js"
import { type Activation, type Constant, isIntegral } from "./values.js"
import { autoPads, beginOf, geometry, spatial } from "./window.js"

/** What counting and writing down one tap of a convolution costs. */
const tapSteps = 4

/** The kernel of weights [A, B, ...kernel], checked against `kernel_shape` and the rank of the operand. */
function kernelOf(call: Call, weight: Constant, axes: number): readonly number[] {
  const kernel = weight.shape.slice(2)
  if (kernel.length !== axes)
    unsupported(`weights of shape ${show(weight.shape)} do not fit ${axes} spatial axes`)
  const stated = call.integerList("kernel_shape")
  if (stated && !sameShape(stated, kernel))
    unsupported(`attribute \`kernel_shape\` = \`${show(stated)}\` differs from the weights' ${show(kernel)}`)
  return kernel
}

/** One value per channel (axis 1) spread over a shape. */
function perChannel(ledger: Ledger, values: ArrayLike<number>, shape: readonly number[]): Float64Array {
  const inner = sizeOf(shape.slice(2))
  const spread = numbers(ledger, sizeOf(shape))
  for (let i = 0; i < spread.length; i++) spread[i] = values[Math.floor(i / inner) % shape[1]]
  return spread
}

/** The bias over the output shape, if there is one. */
function biasOver(
  call: Call,
  bias: Constant | undefined,
  shape: readonly number[],
): Float64Array | undefined {
  if (!bias) return undefined
  if (bias.constant.length !== shape[1])
    unsupported(`a bias of shape ${show(bias.shape)} does not fit ${shape[1]} channels`)
  return perChannel(call.builder, bias.constant, shape)
}

const biasOf = (call: Call): Constant | undefined => (call.has(2) ? call.constantInput(2, "bias") : undefined)

/** The convolution of an operand with weights, by the attributes of a Conv. */
export function convolved(call: Call, x: Activation, weight: Constant, bias?: Constant): Activation {
  const inSize = spatial(x.shape)
  const kernel = kernelOf(call, weight, inSize.length)
  const [n, inChannels] = x.shape
  const [outChannels, perGroup] = weight.shape
  const groups = call.integer("group", 1)
  if (groups < 1 || perGroup * groups !== inChannels || outChannels % groups !== 0)
    unsupported(`weights of shape ${show(weight.shape)} do not fit ${show(x.shape)} in ${groups} groups`)
  const { strides, dilations, padsBegin, outSize } = geometry(call, inSize, kernel)
  const shape = checkShape([n, outChannels, ...outSize])
  const map: LinearMap = {
    kind: "conv",
    weight: weight.constant,
    n,
    groups,
    inChannels,
    outChannels,
    inSize,
    kernel,
    outSize,
    strides,
    padsBegin,
    dilations,
  }
  const whole = [weight, ...(bias ? [bias] : [])].every(isIntegral) && isIntegral(x)
  return call.builder.linear([{ source: x.tensor, map }], shape, x.dtype, biasOver(call, bias, shape), whole)
}

const conv: Lowering = (call) => [
  convolved(call, call.activation(0, "the operand"), call.constantInput(1, "weights"), biasOf(call)),
]

const convTranspose: Lowering = (call) => {
  const x = call.activation(0, "the operand")
  const inSize = spatial(x.shape)
  const axes = inSize.length
  const weight = call.constantInput(1, "weights")
  const kernel = kernelOf(call, weight, axes)
  const [n, inChannels] = x.shape
  const groups = call.integer("group", 1)
  const outChannels = weight.shape[1] * groups
  if (groups < 1 || weight.shape[0] !== inChannels || inChannels % groups !== 0)
    unsupported(`weights of shape ${show(weight.shape)} do not fit ${show(x.shape)} in ${groups} groups`)
  const strides = call.perAxis("strides", axes, 1, 1)
  const dilations = call.perAxis("dilations", axes, 1, 1)
  const extra = call.perAxis("output_padding", axes, 0, 0)
  const pads = call.perAxis("pads", 2 * axes, 0, 0)
  const auto = call.choice("auto_pad", autoPads)
  const asked = call.integerList("output_shape")?.slice(-axes)
  const full = inSize.map(
    (size, i) => strides[i] * (size - 1) + extra[i] + (kernel[i] - 1) * dilations[i] + 1,
  )
  const same = auto.startsWith("SAME") ? inSize.map((size, i) => size * strides[i]) : undefined
  const wanted = asked ?? same
  const total = full.map((size, i) =>
    wanted ? size - wanted[i] : auto === "VALID" ? 0 : pads[i] + pads[i + axes],
  )
  const padsBegin = total.map((t, i) =>
    wanted ? beginOf(Math.max(0, t), auto) : auto === "VALID" ? 0 : pads[i],
  )
  const outSize = full.map((size, i) => size - total[i])
  if (outSize.some((size) => size < 1)) unsupported(`an output of spatial size ${show(outSize)}`)
  const shape = checkShape([n, outChannels, ...outSize])
  // the transpose of the convolution that maps this output to this input with the same weights
  const forward = {
    kind: "conv",
    weight: weight.constant,
    n,
    groups,
    inChannels: outChannels,
    outChannels: inChannels,
    inSize: outSize,
    kernel,
    outSize: inSize,
    strides,
    padsBegin,
    dilations,
  } as const
  let count = 0
  call.builder.work(tapSteps * productsOf(forward))
  forEachTap(forward, (_output, _input, w) => {
    if (weight.constant[w] !== 0) count++
  })
  call.builder.hold(2 * count)
  const row = new Uint32Array(count)
  const column = new Uint32Array(count)
  const value = new Float64Array(count)
  let at = 0
  forEachTap(forward, (output, input, w) => {
    if (weight.constant[w] === 0) return
    row[at] = input
    column[at] = output
    value[at++] = weight.constant[w]
  })
  const map = fromEntries(call.builder, sizeOf(shape), { row, column, value })
  return [
    call.builder.linear([{ source: x.tensor, map }], shape, x.dtype, biasOver(call, biasOf(call), shape)),
  ]
}

export const convolutions: Operators = {
  Conv: operator(conv, activationInput(0, "X"), constantInput(1, "W"), constantInput(2, "B")),
  ConvTranspose: operator(
    convTranspose,
    activationInput(0, "X"),
    constantInput(1, "W"),
    constantInput(2, "B"),
  ),
}
