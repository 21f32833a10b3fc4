/**
 * Convolutions as equations of polynomials in a challenge: which exponents their inputs, weights and outputs have. A *bank*
 * is a group of a convolution, or a dense map of several rows: `outputs` linear combinations of the same windows,
 *
 *     y[o, p] = Σ_t w[o, t] · x[read(t, p)]        taps t: a channel and an offset in the kernel
 *
 * On each axis position p of the output reads coordinate e = s·p + d·b of the padded input, for kernel offset b, stride s and
 * dilation d. With e = s·j + ρ and d·b = s·β + ρ that is the window j = p + β of every s-th coordinate, from the same ρ on.
 */
import type { LinearMap } from "../../ops/program.js"
import { sizeOf } from "../../ops/program.js"

/** One axis of the windows. */
export interface Axis {
  readonly size: number
  readonly out: number
  readonly kernel: number
  readonly stride: number
  readonly pad: number
  readonly dilation: number
}

export interface Bank {
  /** Images, or rows of a dense map. */
  readonly n: number
  readonly channels: number
  readonly outputs: number
  /** The outermost first. */
  readonly axes: readonly Axis[]
  /** Products of the sizes of all axes, of what is read, written and in a kernel. */
  readonly inArea: number
  readonly outArea: number
  readonly taps: number
  /** Elements of the source and of the result, and stored weights, by their numbers in the whole map. */
  readonly input: (n: number, channel: number, place: number) => number
  readonly output: (n: number, output: number, place: number) => number
  readonly weight: (output: number, channel: number, tap: number) => number
}

/** The banks of a map, each with an equation of its own; none of a sparse one. */
export function banksOf(map: LinearMap): readonly Bank[] {
  if (map.kind === "sparse") return []
  if (map.kind === "dense") {
    const { n, k, m } = map
    const bank: Bank = {
      n,
      channels: k,
      outputs: m,
      axes: [],
      inArea: 1,
      outArea: 1,
      taps: 1,
      input: (row, channel) => row * k + channel,
      output: (row, output) => row * m + output,
      weight: (output, channel) => output * k + channel,
    }
    return [bank]
  }
  const { n, groups, inChannels, outChannels, inSize, kernel, outSize, strides, padsBegin, dilations } = map
  const [inArea, outArea, taps] = [inSize, outSize, kernel].map(sizeOf)
  const [channels, outputs] = [inChannels / groups, outChannels / groups]
  const axes = inSize.map((size, a) => ({
    size,
    out: outSize[a],
    kernel: kernel[a],
    stride: strides[a],
    pad: padsBegin[a],
    dilation: dilations[a],
  }))
  return Array.from({ length: groups }, (_, g) => ({
    n,
    channels,
    outputs,
    axes,
    inArea,
    outArea,
    taps,
    input: (image, channel, place) => (image * inChannels + g * channels + channel) * inArea + place,
    output: (image, output, place) => (image * outChannels + g * outputs + output) * outArea + place,
    weight: (output, channel, tap) => ((g * outputs + output) * channels + channel) * taps + tap,
  }))
}

/** Where kernel offset `b` begins on an axis: in which of `stride` lists of coordinates, and at which place. */
export const windowOf = ({ stride, dilation }: Axis, b: number): { rest: number; from: number } => ({
  rest: (b * dilation) % stride,
  from: Math.floor((b * dilation) / stride),
})

/** The coordinates that kernel offset `b` reads, by place in their list; those outside of the input are left out. */
export function readsOf(axis: Axis, b: number): { coordinate: number; place: number }[] {
  const { rest, from } = windowOf(axis, b)
  const reads: { coordinate: number; place: number }[] = []
  for (let place = from; place < from + axis.out; place++) {
    const coordinate = axis.stride * place + rest - axis.pad
    if (coordinate >= 0 && coordinate < axis.size) reads.push({ coordinate, place })
  }
  return reads
}

/** How a bank is proven. Output o at position p has the exponent slot(o) + block · p. */
export interface Slots {
  /** Weights in pairs, and outputs in pairs, whose products take slot 0. */
  readonly paired: boolean
  readonly pairedOutputs: boolean
  readonly block: number
  /** Every element gets the exponent of all its axes at once. */
  readonly flat: boolean
}

/** In pairs, where `options` admit them, from four outputs on: two rows for four weights, and one power more. */
export function slotsOf({ outputs }: Pick<Bank, "outputs">, options: Omit<Slots, "block">): Slots {
  const paired = options.paired && outputs >= 4
  return {
    paired,
    pairedOutputs: paired && options.pairedOutputs,
    block: paired ? outputs + 1 : outputs,
    flat: options.flat,
  }
}

export const slotOf = ({ paired }: Pick<Slots, "paired">, output: number): number =>
  paired ? output + 1 : output

/** Exponents of one position further on each axis, in blocks; of one image further. */
export function stridesOf({ axes, outArea }: Bank): {
  readonly steps: readonly number[]
  readonly image: number
} {
  const steps = new Array<number>(axes.length)
  let area = 1
  for (let a = axes.length - 1; a >= 0; a--) {
    steps[a] = area
    area *= axes[a].out
  }
  return { steps, image: outArea }
}
