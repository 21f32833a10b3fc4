/**
 * Convolution and its transpose over any number of spatial axes. With constant weights they are linear maps; weights that
 * depend on the input are live-conv.ts's.
 */
import { forEachTap, productsOf } from "../linearmap.js"
import { type LinearMap, sizeOf } from "../program.js"
import type { Builder } from "./builder.js"
import type { Call, Lowering } from "./call.js"
import { activationInput, type Operators, operator } from "./limits.js"
import { type LiveConvolution, liveConvolution, transposedTaps } from "./live-conv.js"
import { fromEntries } from "./maps.js"
import { checkShape, type Ledger, numbers, sameShape, show, unsupported } from "./shapes.js"
import { type Activation, isConstant, isIntegral, type Value } from "./values.js"
import { autoPads, beginOf, geometry, spatial, taps } from "./window.js"

/** What counting and writing down one tap of a convolution costs. */
const tapSteps = 4

/** The kernel of weights [A, B, ...kernel], checked against `kernel_shape` and the rank of the operand. */
function kernelOf(call: Call, weight: Value, axes: number): readonly number[] {
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

/** The bias of a Conv, if it has one. */
export const biasOf = (call: Call): Value | undefined => (call.has(2) ? call.input(2) : undefined)

/** A bias has one number for each channel. */
function checkBias(bias: Value | undefined, channels: number): void {
  if (bias && sizeOf(bias.shape) !== channels)
    unsupported(`a bias of shape ${show(bias.shape)} does not fit ${channels} channels`)
}

/** A linear map of the operand over the output shape, with its bias. */
function mapped(
  { builder }: Call,
  x: Activation,
  map: LinearMap,
  shape: readonly number[],
  integral: boolean,
  bias: Value | undefined,
): Value {
  checkBias(bias, shape[1])
  const isFixed = bias && isConstant(bias)
  const constants = isFixed ? perChannel(builder, bias.constant, shape) : undefined
  const whole = integral && isIntegral(x) && (!isFixed || isIntegral(bias))
  const made = builder.linear([{ source: x.tensor, map }], shape, x.dtype, constants, whole)
  return bias && !isFixed ? withLiveBias(builder, made, bias) : made
}

/** A bias of each channel that depends on the input, or was not added before. */
function withLiveBias(builder: Builder, made: Value, bias: Value): Value {
  const { shape } = made
  const spread = { ...bias, shape: [shape[1], ...shape.slice(2).map(() => 1)] }
  return builder.combine([
    { value: made, factor: 1 },
    { value: builder.broadcast(spread, shape), factor: 1 },
  ])
}

/** A convolution whose weights depend on the input, with its bias. */
function contracted(call: Call, convolution: LiveConvolution, bias: Value | undefined): Value {
  const made = liveConvolution(call, convolution)
  checkBias(bias, made.shape[1])
  return bias ? withLiveBias(call.builder, made, bias) : made
}

const conv: Lowering = (call) => [
  convolved(call, call.activation(0, "the operand"), call.input(1), biasOf(call)),
]

/** The convolution of an operand with weights, by the attributes of a Conv. */
export function convolved(call: Call, x: Activation, weight: Value, bias?: Value): Value {
  const inSize = spatial(x.shape)
  const kernel = kernelOf(call, weight, inSize.length)
  const [n, inChannels] = x.shape
  const [outChannels, perGroup] = weight.shape
  const groups = call.integer("group", 1)
  if (groups < 1 || perGroup * groups !== inChannels || outChannels % groups !== 0)
    unsupported(`weights of shape ${show(weight.shape)} do not fit ${show(x.shape)} in ${groups} groups`)
  const window = geometry(call, inSize, kernel)
  const { strides, dilations, padsBegin, outSize } = window
  const perOutput = outChannels / groups
  if (!isConstant(weight))
    return contracted(
      call,
      {
        ...{ x, weight, groups, inChannels: perGroup, outChannels: perOutput, outSize },
        taps: taps(call.builder, window),
        weightAt: (group, output, input) => (group * perOutput + output) * perGroup + input,
      },
      bias,
    )
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
  return mapped(call, x, map, shape, isIntegral(weight), bias)
}

const convTranspose: Lowering = (call) => {
  const x = call.activation(0, "the operand")
  const inSize = spatial(x.shape)
  const axes = inSize.length
  const weight = call.input(1)
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
  if (!isConstant(weight)) {
    const [perOutput, perInput] = [weight.shape[1], inChannels / groups]
    return [
      contracted(
        call,
        {
          ...{ x, weight, groups, inChannels: perInput, outChannels: perOutput, outSize },
          taps: transposedTaps(call, { inSize, kernel, outSize, strides, dilations, padsBegin }),
          weightAt: (group, output, input) => (group * perInput + input) * perOutput + output,
        },
        biasOf(call),
      ),
    ]
  }
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
  return [mapped(call, x, map, shape, isIntegral(weight), biasOf(call))]
}

export const convolutions: Operators = {
  Conv: operator(conv, activationInput(0, "X")),
  ConvTranspose: operator(convTranspose, activationInput(0, "X")),
}
