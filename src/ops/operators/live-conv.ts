/**
 * Convolution and its transpose with weights that depend on the input: one contraction for each group, of the weights
 * [group, out, in·taps] with the patches of the operand [group, in·taps, n·positions].
 */
import { sizeOf } from "../program.js"
import type { Call } from "./call.js"
import { checkShape, forEachPosition, narrow } from "./shapes.js"
import type { Activation, Value } from "./values.js"

export interface LiveConvolution {
  readonly x: Activation
  readonly weight: Activation
  readonly groups: number
  /** Channels of one group. */
  readonly inChannels: number
  readonly outChannels: number
  readonly outSize: readonly number[]
  /** Where in a channel of the operand each tap of each position of the result reads: [position, tap], −1 for nowhere. */
  readonly taps: Int32Array
  /** Where the weight of a group's output and input channel lies; taps lie together. */
  readonly weightAt: (group: number, output: number, input: number) => number
}

/** The result [n, groups·outChannels, ...outSize], without a bias. */
export function liveConvolution(call: Call, convolution: LiveConvolution): Value {
  const { builder } = call
  const { x, weight, groups, inChannels, outChannels, outSize, taps, weightAt } = convolution
  const [n, channels] = x.shape
  const positions = sizeOf(outSize)
  const kernel = taps.length / positions
  const depth = inChannels * kernel
  const inner = sizeOf(x.shape.slice(2))
  const table = (size: number) => {
    builder.hold(narrow(size))
    return new Int32Array(size)
  }

  const weights = table(groups * outChannels * depth)
  forEachPosition([groups, outChannels, inChannels, kernel], ([g, o, i, tap], flat) => {
    weights[flat] = weightAt(g, o, i) * kernel + tap
  })
  const patches = table(groups * depth * n * positions)
  forEachPosition([groups, inChannels, kernel, n, positions], ([g, i, tap, b, position], flat) => {
    const at = taps[position * kernel + tap]
    patches[flat] = at < 0 ? -1 : (b * channels + g * inChannels + i) * inner + at
  })
  const columns = n * positions
  const made = builder.contraction(
    builder.move([weight], weights, [groups, outChannels, depth]),
    builder.move([x], patches, [groups, depth, columns]),
    { batch: groups, m: outChannels, k: depth, n: columns },
  )
  const shape = checkShape([n, groups * outChannels, ...outSize])
  const order = table(sizeOf(shape))
  forEachPosition([n, groups * outChannels, positions], ([b, channel, position], flat) => {
    order[flat] = (channel * n + b) * positions + position
  })
  return builder.move([made], order, shape)
}

/** The taps of a transposed convolution: position p of the result takes tap t of input i where i·stride + t·dilation = p + pad. */
export function transposedTaps(
  call: Call,
  sizes: {
    readonly inSize: readonly number[]
    readonly kernel: readonly number[]
    readonly outSize: readonly number[]
    readonly strides: readonly number[]
    readonly dilations: readonly number[]
    readonly padsBegin: readonly number[]
  },
): Int32Array {
  const { inSize, kernel, outSize, strides, dilations, padsBegin } = sizes
  const size = sizeOf(outSize) * sizeOf(kernel)
  call.builder.hold(narrow(size))
  const taps = new Int32Array(size)
  forEachPosition([...outSize, ...kernel], (position, flat) => {
    let at = 0
    for (let axis = 0; axis < inSize.length; axis++) {
      const reach = position[axis] + padsBegin[axis] - position[inSize.length + axis] * dilations[axis]
      const i = reach / strides[axis]
      if (!Number.isInteger(i) || i < 0 || i >= inSize[axis]) {
        taps[flat] = -1
        return
      }
      at = at * inSize[axis] + i
    }
    taps[flat] = at
  })
  return taps
}
