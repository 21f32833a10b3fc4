/**
 * Linear maps and contractions on a device, a batch of samples at once.
 *
 * A dense map is a convolution of one position here. A device has channels last and no padding: both are made where doubles
 * become float32 and back, which has to touch every number anyway. Limbs of weights (limbs.ts) are more channels of
 * the output.
 *
 * Integers are checked, all of them: with random whole numbers r for the outputs, Σ r·y must be Σ (Wᵀ·r)·x, two sums as
 * short as output and input, in doubles that hold them exactly. A result that is wrong anywhere passes with a
 * probability of about 2^−b, for r of b bits, in each sample: a device that is wrong more than once is found.
 */

import type { ContractionNode, LinearMap } from "../../ops/program.js"
import { platformRandom } from "../../platform.js"
import { type Device, DeviceFailure, failureOf, type Loaded, WrongNumbers } from "./device.js"
import { exactLimit, limbOf, mostOfLimb, type Split, splitFor, whole } from "./limbs.js"

/** What integers need: the most that each element of a source can be, and the bits of exact factors. */
export interface Exactness {
  readonly operandBits: number
  readonly mostOf: (source: "first" | "second") => Float64Array
}

/** A linear map that is ready on a device. */
export interface MapProduct {
  /** y += map(x) for `count` samples, one after the other in both. */
  add(x: Float64Array, y: Float64Array, count: number): Promise<void>
  dispose(): void
}

type ConvMap = Extract<LinearMap, { kind: "conv" }>
type Pair = readonly [number, number]

/** A convolution over two axes, of `n` images a sample. */
interface Geometry {
  readonly n: number
  readonly groups: number
  readonly inChannels: number
  readonly outChannels: number
  readonly inSize: Pair
  /** What the output positions read: the input, padded or cut at either end. */
  readonly extent: Pair
  readonly outSize: Pair
  readonly kernel: Pair
  readonly strides: Pair
  readonly dilations: Pair
  readonly pads: Pair
  readonly weight: Float64Array
}

/** Elements of the padded input of one sample that are given to a device. */
const mostPadded = 2 ** 24

/** The map as a convolution that devices have, or undefined: of more than two axes, strided and dilated at once, or too much padded. */
function geometryOf(map: LinearMap): Geometry | undefined {
  if (map.kind === "sparse") return undefined
  const one: Pair = [1, 1]
  if (map.kind === "dense") {
    const { n, k, m, weight } = map
    const plain = { inSize: one, extent: one, outSize: one, kernel: one, strides: one, dilations: one }
    return { n, groups: 1, inChannels: k, outChannels: m, pads: [0, 0], weight, ...plain }
  }
  return planar(map)
}

function planar(map: ConvMap): Geometry | undefined {
  const { inSize, strides, dilations, n, groups, inChannels, outChannels, weight } = map
  if (inSize.length !== 1 && inSize.length !== 2) return undefined
  if (strides.some((s) => s !== 1) && dilations.some((d) => d !== 1)) return undefined
  const pair = (list: readonly number[], first: number): Pair =>
    list.length === 1 ? [first, list[0]] : [list[0], list[1]]
  const [outSize, kernel, steps] = [pair(map.outSize, 1), pair(map.kernel, 1), pair(strides, 1)]
  const gaps = pair(dilations, 1)
  const along = (i: 0 | 1) => (outSize[i] - 1) * steps[i] + (kernel[i] - 1) * gaps[i] + 1
  const extent: Pair = [along(0), along(1)]
  if (n * inChannels * extent[0] * extent[1] > mostPadded) return undefined
  const sizes = { inSize: pair(inSize, 1), extent, outSize, kernel }
  const moves = { strides: steps, dilations: gaps, pads: pair(map.padsBegin, 0) }
  return { n, groups, inChannels, outChannels, weight, ...sizes, ...moves }
}

/** Channels of a convolution that a device computes at once: those of a group, or all if each is a group of its own. */
interface Part {
  readonly firstIn: number
  readonly channelsIn: number
  /** Of each channel that the device gives: the channel of the output, and what its limb is worth. */
  readonly channels: readonly number[]
  readonly worth: Float64Array
  /** [kh, kw, in, out] */
  readonly filter: Float64Array
  readonly depthwise: boolean
}

function partsOf(g: Geometry, { weights }: Split): Part[] {
  const [perGroup, outPerGroup] = [g.inChannels / g.groups, g.outChannels / g.groups]
  const taps = g.kernel[0] * g.kernel[1]
  const weight = (out: number, channel: number, tap: number, limb: number) => {
    const w = g.weight[(out * perGroup + channel) * taps + tap]
    return weights.count === 1 ? w : limbOf(w, weights, limb)
  }
  const depthwise = g.groups > 1 && perGroup === 1
  const count = depthwise ? 1 : g.groups
  return Array.from({ length: count }, (_, group): Part => {
    const channelsIn = depthwise ? g.groups : perGroup
    // (limb, output channel), and of depthwise ones that for each input channel
    const inner = Array.from({ length: weights.count * outPerGroup }, (_, i) => ({
      limb: Math.floor(i / outPerGroup),
      out: i % outPerGroup,
    }))
    const filter = new Float64Array(taps * channelsIn * inner.length)
    for (let tap = 0, at = 0; tap < taps; tap++)
      for (let channel = 0; channel < channelsIn; channel++)
        for (const { limb, out } of inner)
          filter[at++] = depthwise
            ? weight(channel * outPerGroup + out, 0, tap, limb)
            : weight(group * outPerGroup + out, channel, tap, limb)
    const first = depthwise ? Array.from({ length: g.groups }, (_, c) => c) : [group]
    const all = first.flatMap((one) =>
      inner.map(({ limb, out }) => ({ channel: one * outPerGroup + out, worth: 2 ** (weights.bits * limb) })),
    )
    return {
      firstIn: depthwise ? 0 : group * perGroup,
      channelsIn,
      channels: all.map(({ channel }) => channel),
      worth: Float64Array.from(all, ({ worth }) => worth),
      filter,
      depthwise,
    }
  })
}

/** The largest Σ|w_i|·|x_j| of any output; a channel of the source counts as its largest element. */
function peakOf(g: Geometry, most: Float64Array, split: Split): number {
  const { weights, sources } = split
  const area = g.inSize[0] * g.inSize[1]
  const perChannel = new Float64Array(g.inChannels)
  most.forEach((m, i) => {
    const channel = Math.floor(i / area) % g.inChannels
    perChannel[channel] = Math.max(perChannel[channel], m)
  })
  const [perGroup, outPerGroup] = [g.inChannels / g.groups, g.outChannels / g.groups]
  const taps = g.kernel[0] * g.kernel[1]
  let peak = 0
  for (let j = 0; j < sources.count; j++) {
    const limbs = perChannel.map((m) => mostOfLimb(m, sources, j))
    for (let i = 0; i < weights.count; i++)
      for (let out = 0, at = 0; out < g.outChannels; out++) {
        let sum = 0
        for (let channel = 0; channel < perGroup; channel++) {
          const x = limbs[Math.floor(out / outPerGroup) * perGroup + channel]
          for (let tap = 0; tap < taps; tap++) sum += Math.abs(limbOf(g.weight[at++], weights, i)) * x
        }
        peak = Math.max(peak, sum)
      }
  }
  return peak
}

const mostIn = (values: Float64Array): number => {
  let most = 0
  for (const x of values) most = Math.max(most, Math.abs(x))
  return most
}

/** A map on a device; undefined where it has no such operation, or would need too many limbs. */
export function mapOnDevice(device: Device, map: LinearMap, exact?: Exactness): MapProduct | undefined {
  const g = geometryOf(map)
  if (!g) return undefined
  const split = exact ? splitOf(g, exact) : whole
  if (!split) return undefined
  const parts = partsOf(g, split).map((part) => partOnDevice(device, g, part, exact !== undefined))
  const ready = parts.filter((part) => part !== undefined)
  const dispose = () => {
    for (const part of ready) part.dispose()
  }
  if (ready.length < parts.length) {
    dispose()
    return undefined
  }
  const { sources } = split
  return {
    async add(x, y, count) {
      for (let limb = 0; limb < sources.count; limb++) {
        const factor = 2 ** (sources.bits * limb)
        const take = sources.count === 1 ? undefined : (value: number) => limbOf(value, sources, limb)
        for (const part of ready) await part.add(x, y, { count, take, factor })
      }
    },
    dispose,
  }
}

function splitOf(g: Geometry, { operandBits, mostOf }: Exactness): Split | undefined {
  const most = mostOf("first")
  const sizes = { weights: mostIn(g.weight), sources: mostIn(most) }
  return splitFor(sizes, operandBits, (split) => peakOf(g, most, split))
}

interface Limb {
  readonly count: number
  /** Of a number its limb; undefined if it is its own. */
  readonly take: ((value: number) => number) | undefined
  readonly factor: number
}

function partOnDevice(device: Device, g: Geometry, part: Part, exact: boolean) {
  const dense = g.extent[0] * g.extent[1] * g.kernel[0] * g.kernel[1] === 1 && !part.depthwise
  const operation = dense ? "matmul" : part.depthwise ? "depthwise" : "conv"
  if (!device.operations.has(operation)) return undefined
  const check = exact ? checkOf(g, part) : undefined
  if (exact && !check) return undefined
  const { channelsIn, channels } = part
  const outPerIn = part.filter.length / (g.kernel[0] * g.kernel[1] * channelsIn)
  const values = Float32Array.from(part.filter)
  const filter = loaded(
    device,
    values,
    dense ? [1, channelsIn, outPerIn] : [...g.kernel, channelsIn, outPerIn],
  )
  const outArea = g.outSize[0] * g.outSize[1]
  const run = async (input: Float32Array, images: number): Promise<Float32Array> => {
    const x = loaded(device, input, dense ? [1, images, channelsIn] : [images, ...g.extent, channelsIn])
    try {
      const out = await (dense ? device.matmul(x, filter) : device[operation as "conv"](x, filter, g))
      if (out?.length !== images * outArea * channels.length)
        throw new DeviceFailure(
          `it gives ${out?.length} numbers where ${images * outArea * channels.length} are due`,
        )
      return out
    } catch (error) {
      throw failureOf(error)
    } finally {
      x.dispose()
    }
  }
  return {
    async add(x: Float64Array, y: Float64Array, { count, take, factor }: Limb): Promise<void> {
      const images = count * g.n
      const input = packed(g, part, x, images, take)
      const out = await run(input, images)
      const worth = part.worth.map((each) => each * factor)
      for (let image = 0, at = 0; image < images; image++) {
        const first = image * g.outChannels * outArea
        for (let o = 0; o < outArea; o++)
          for (let c = 0; c < channels.length; c++)
            y[first + channels[c] * outArea + o] += worth[c] * out[at++]
      }
      if (check) check(input, out, images)
    },
    dispose: () => filter.dispose(),
  }
}

function loaded(device: Device, values: Float32Array, shape: readonly number[]): Loaded {
  try {
    return device.load(values, shape)
  } catch (error) {
    throw failureOf(error)
  }
}

/** Images of a part, channels last, padded and cut. */
function packed(
  g: Geometry,
  { firstIn, channelsIn }: Part,
  x: Float64Array,
  images: number,
  take: ((value: number) => number) | undefined,
): Float32Array {
  const [height, width] = g.extent
  const area = g.inSize[0] * g.inSize[1]
  const out = new Float32Array(images * height * width * channelsIn)
  // the rows and columns of the input that are there
  const [fromRow, toRow] = [Math.max(0, -g.pads[0]), Math.min(g.inSize[0], height - g.pads[0])]
  const [fromColumn, toColumn] = [Math.max(0, -g.pads[1]), Math.min(g.inSize[1], width - g.pads[1])]
  for (let image = 0; image < images; image++)
    for (let channel = 0; channel < channelsIn; channel++)
      for (let row = fromRow; row < toRow; row++) {
        const line = (image * g.inChannels + firstIn + channel) * area + row * g.inSize[1]
        let at = ((image * height + row + g.pads[0]) * width + fromColumn + g.pads[1]) * channelsIn + channel
        for (let column = fromColumn; column < toColumn; column++, at += channelsIn)
          out[at] = take ? take(x[line + column]) : x[line + column]
      }
  return out
}

/** `count` random whole numbers from 1 to 2^bits. */
function randoms(count: number, bits: number): Float64Array {
  const bytes = platformRandom(2 * count)
  return Float64Array.from(
    { length: count },
    (_, i) => 1 + ((bytes[2 * i] + 256 * bytes[2 * i + 1]) & (2 ** bits - 1)),
  )
}

/** Bits of what results are multiplied by, so that sums of so many of them are exact; too few say nothing. */
const checkBits = (results: number): number =>
  Math.min(16, Math.floor(Math.log2(2 ** 52 / (exactLimit * results))))
const leastCheckBits = 4

/** What tells whether the numbers that a device gives are right; undefined if there are too many of them. */
function checkOf(g: Geometry, part: Part) {
  const [rows, columns] = g.outSize
  const area = rows * columns
  const { channels, channelsIn, filter, depthwise } = part
  const bits = checkBits(area * channels.length)
  if (bits < leastCheckBits) return undefined
  const ofPosition = area === 1 ? Float64Array.of(1) : randoms(area, Math.floor(bits / 2))
  const ofChannel = randoms(channels.length, area === 1 ? bits : Math.ceil(bits / 2))
  const outPerIn = filter.length / (g.kernel[0] * g.kernel[1] * channelsIn)
  const back = new Float64Array(g.extent[0] * g.extent[1] * channelsIn)
  for (let ky = 0, at = 0; ky < g.kernel[0]; ky++)
    for (let kx = 0; kx < g.kernel[1]; kx++)
      for (let channel = 0; channel < channelsIn; channel++) {
        let weight = 0
        for (let c = 0; c < outPerIn; c++)
          weight += filter[at++] * ofChannel[depthwise ? channel * outPerIn + c : c]
        for (let oy = 0; oy < rows; oy++)
          for (let ox = 0; ox < columns; ox++) {
            const [row, column] = [
              oy * g.strides[0] + ky * g.dilations[0],
              ox * g.strides[1] + kx * g.dilations[1],
            ]
            back[(row * g.extent[1] + column) * channelsIn + channel] +=
              weight * ofPosition[oy * columns + ox]
          }
      }
  return (input: Float32Array, out: Float32Array, images: number): void => {
    for (let image = 0, from = 0, at = 0; image < images; image++) {
      let [expected, got] = [0, 0]
      for (let i = 0; i < back.length; i++) expected += back[i] * input[from++]
      for (let o = 0; o < area; o++) {
        let sum = 0
        for (let c = 0; c < channels.length; c++) sum += ofChannel[c] * out[at++]
        got += ofPosition[o] * sum
      }
      if (got !== expected) throw wrongNumbers()
    }
  }
}

const wrongNumbers = () => new WrongNumbers("it gives wrong integers")

/** A contraction on a device: gives its output for `count` samples; undefined where it has no such operation, or would need too many limbs. */
export function contractionOnDevice(
  device: Device,
  { batch, m, k, n }: Pick<ContractionNode, "batch" | "m" | "k" | "n">,
  exact?: Exactness,
): ((left: Float64Array, right: Float64Array, count: number) => Promise<Float64Array>) | undefined {
  if (!device.operations.has("matmul")) return undefined
  const bits = checkBits(m * n)
  if (exact && bits < leastCheckBits) return undefined
  const split = exact ? productSplit(exact, k) : whole
  if (!split) return undefined
  const { weights: lefts, sources: rights } = split
  const [ofRow, ofColumn] = [randoms(m, Math.floor(bits / 2)), randoms(n, Math.ceil(bits / 2))]
  const limb = (values: Float64Array, limbs: typeof lefts, i: number) =>
    limbs.count === 1 ? Float32Array.from(values) : Float32Array.from(values, (x) => limbOf(x, limbs, i))

  const check = (x: Float32Array, y: Float32Array, out: Float32Array, matrices: number) => {
    for (let matrix = 0; matrix < matrices; matrix++) {
      let [expected, got] = [0, 0]
      for (let inner = 0; inner < k; inner++) {
        let [a, b] = [0, 0]
        for (let i = 0; i < m; i++) a += ofRow[i] * x[(matrix * m + i) * k + inner]
        for (let j = 0; j < n; j++) b += ofColumn[j] * y[(matrix * k + inner) * n + j]
        expected += a * b
      }
      for (let i = 0; i < m; i++) {
        let sum = 0
        for (let j = 0; j < n; j++) sum += ofColumn[j] * out[(matrix * m + i) * n + j]
        got += ofRow[i] * sum
      }
      if (got !== expected) throw wrongNumbers()
    }
  }

  return async (left, right, count) => {
    const matrices = count * batch
    const total = new Float64Array(matrices * m * n)
    for (let i = 0; i < lefts.count; i++)
      for (let j = 0; j < rights.count; j++) {
        const [x, y] = [limb(left, lefts, i), limb(right, rights, j)]
        const first = loaded(device, x, [matrices, m, k])
        let second: Loaded | undefined
        try {
          second = loaded(device, y, [matrices, k, n])
          const out = await device.matmul(first, second)
          if (out?.length !== total.length)
            throw new DeviceFailure(`it gives ${out?.length} numbers where ${total.length} are due`)
          if (exact) check(x, y, out, matrices)
          const worth = 2 ** (lefts.bits * i + rights.bits * j)
          for (let e = 0; e < total.length; e++) total[e] += worth * out[e]
        } catch (error) {
          throw failureOf(error)
        } finally {
          first.dispose()
          second?.dispose()
        }
      }
    return total
  }
}

/** Limbs of both sides of a product of matrices, k of whose products are added up. */
function productSplit({ operandBits, mostOf }: Exactness, k: number): Split | undefined {
  const most = { weights: mostIn(mostOf("first")), sources: mostIn(mostOf("second")) }
  const largest = (value: number, limbs: Split["weights"]) =>
    Math.max(...Array.from({ length: limbs.count }, (_, i) => mostOfLimb(value, limbs, i)))
  return splitFor(
    most,
    operandBits,
    ({ weights, sources }) => k * largest(most.weights, weights) * largest(most.sources, sources),
  )
}
