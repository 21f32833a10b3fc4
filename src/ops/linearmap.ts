/** Linear maps as compressed sparse rows, and applied to a vector. */
import { type LinearMap, sizeOf } from "./program.js"

export interface SparseMatrix {
  readonly rowPtr: Uint32Array
  readonly columns: Uint32Array
  readonly values: Float64Array
}

type ConvMap = Extract<LinearMap, { kind: "conv" }>

const expanded = new WeakMap<LinearMap, SparseMatrix>()

/** Expands any linear map to sparse rows, one per output element; zero weights are left out. Kept per map. */
export function sparseRows(map: LinearMap): SparseMatrix {
  if (map.kind === "sparse") return map
  let rows = expanded.get(map)
  if (!rows) {
    rows = expand(map)
    expanded.set(map, rows)
  }
  return rows
}

/** The weights that a map holds, each once however often it is used. */
export const weightsOf = (map: LinearMap): Float64Array => (map.kind === "sparse" ? map.values : map.weight)

/** Weights that a map has, each once however often it is used, also where they are not told. */
export const weightCount = (map: LinearMap): number =>
  map.kind === "dense"
    ? map.m * map.k
    : map.kind === "conv"
      ? map.outChannels * (map.inChannels / map.groups) * sizeOf(map.kernel)
      : map.columns.length

/** The same map of weights that are given. */
export const ofWeights = (map: LinearMap, weights: Float64Array): LinearMap =>
  map.kind === "sparse" ? { ...map, values: weights } : { ...map, weight: weights }

/** The same map with every weight replaced. */
export function withWeights(map: LinearMap, change: (weight: number) => number): LinearMap {
  const replace = (from: Float64Array) => {
    const to = new Float64Array(from.length)
    for (let i = 0; i < from.length; i++) to[i] = change(from[i])
    return to
  }
  return ofWeights(map, replace(weightsOf(map)))
}

/** Products of a weight and an input that a map stands for, those with taps outside the input among them. */
export function productsOf(map: LinearMap): number {
  if (map.kind === "dense") return map.n * map.k * map.m
  if (map.kind === "sparse") return map.columns.length
  return map.outSize.reduce((x, y) => x * y, map.n * weightCount(map))
}

/** All products of a weight that is not zero and an input, as `forEachProduct` gives them. */
function expand(map: LinearMap): SparseMatrix {
  const weights = weightsOf(map)
  const counts = productCounts(map)
  const rowPtr = new Uint32Array(counts.length + 1)
  for (let i = 0; i < counts.length; i++) rowPtr[i + 1] = rowPtr[i] + counts[i]
  const columns = new Uint32Array(rowPtr[counts.length])
  const values = new Float64Array(columns.length)
  let length = 0
  forEachProduct(map, (_, input, weight) => {
    if (weights[weight] === 0) return
    columns[length] = input
    values[length++] = weights[weight]
  })
  return { rowPtr, columns, values }
}

/** Elements of what a map makes. */
export function outputsOf(map: LinearMap): number {
  if (map.kind === "dense") return map.n * map.m
  if (map.kind === "sparse") return map.rowPtr.length - 1
  return map.outSize.reduce((x, y) => x * y, map.n * map.outChannels)
}

/** Of each output of a map, how many products it is the sum of: with a weight that is not zero and an input that counts. */
export function productCounts(map: LinearMap, counts?: (input: number) => boolean): Uint32Array {
  const weights = weightsOf(map)
  const found = new Uint32Array(outputsOf(map))
  const live = map.kind === "conv" ? liveChannels(map, counts) : undefined
  if (map.kind === "conv" && live) {
    countTaps(map, live, found)
    return found
  }
  forEachProduct(map, (output, input, weight) => {
    if (weights[weight] !== 0 && (counts === undefined || counts(input))) found[output]++
  })
  return found
}

/** Of each channel that a convolution reads, 1 if all of it counts and 0 if nothing does; undefined if one is neither. */
export function liveChannels(map: ConvMap, counts?: (input: number) => boolean): Uint8Array | undefined {
  const { n, inChannels, inSize } = map
  const live = new Uint8Array(inChannels).fill(1)
  if (counts === undefined) return live
  const area = inSize.reduce((x, y) => x * y, 1)
  for (let channel = 0; channel < inChannels; channel++) {
    let count = 0
    for (let batch = 0; batch < n; batch++)
      for (let i = 0; i < area; i++) if (counts((batch * inChannels + channel) * area + i)) count++
    if (count > 0 && count < n * area) return undefined
    live[channel] = count > 0 ? 1 : 0
  }
  return live
}

/** 1 for every input of a map that an output which counts has a weight for that is not zero. */
export function usedInputs(map: LinearMap, counts: (output: number) => boolean): Uint8Array {
  const weights = weightsOf(map)
  if (map.kind !== "conv") {
    const used = new Uint8Array(
      map.kind === "dense" ? map.n * map.k : map.columns.reduce((x, y) => Math.max(x, y + 1), 0),
    )
    forEachProduct(map, (output, input, weight) => {
      if (weights[weight] !== 0 && counts(output)) used[input] = 1
    })
    return used
  }
  const { n, groups, inChannels, outChannels, inSize, outSize, kernel } = map
  const [inArea, outArea, taps] = [inSize, outSize, kernel].map((size) => size.reduce((x, y) => x * y, 1))
  const [groupIn, groupOut] = [inChannels / groups, outChannels / groups]
  const used = new Uint8Array(n * inChannels * inArea)
  // of each tap, the channels that an output channel has weights for: few outputs of a channel do not count
  const live = Array.from({ length: taps }, () => new Map<number, Uint32Array>())
  const channelsOf = (tap: number, out: number): Uint32Array => {
    const known = live[tap].get(out)
    if (known) return known
    const first = Math.floor(out / groupOut) * groupIn
    const found = Uint32Array.from({ length: groupIn }, (_, i) => i)
      .filter((i) => weights[(out * groupIn + i) * taps + tap] !== 0)
      .map((i) => first + i)
    live[tap].set(out, found)
    return found
  }
  forEachReading(map, (output, input, tap) => {
    for (let b = 0; b < n; b++) {
      let left = inChannels
      for (let out = 0; out < outChannels && left > 0; out++) {
        if (!counts((b * outChannels + out) * outArea + output)) continue
        for (const channel of channelsOf(tap, out)) {
          const at = (b * inChannels + channel) * inArea + input
          if (used[at] === 0) used[at] = 1
        }
        if (channelsOf(tap, out).length === inChannels) left = 0
      }
    }
  })
  return used
}

/** The counts of a convolution, from how many channels have a weight at each tap. */
function countTaps(map: ConvMap, live: Uint8Array, found: Uint32Array): void {
  const { n, groups, inChannels, outChannels, kernel, outSize, weight } = map
  const [taps, outArea] = [kernel, outSize].map((size) => size.reduce((x, y) => x * y, 1))
  const used = new Uint32Array(outChannels * taps)
  const [perGroupIn, perGroupOut] = [inChannels / groups, outChannels / groups]
  for (let w = 0; w < weight.length; w++) {
    const [out, channel] = [Math.floor(w / (perGroupIn * taps)), Math.floor(w / taps) % perGroupIn]
    const isLive = live[Math.floor(out / perGroupOut) * perGroupIn + channel] === 1
    if (isLive && weight[w] !== 0) used[out * taps + (w % taps)]++
  }
  const positions = blockSize(outArea, taps)
  for (let first = 0; first < outArea; first += positions) {
    const { start, tapOf } = tapsOf(map, first, Math.min(outArea, first + positions))
    for (let out = 0; out < n * outChannels; out++) {
      const of = (out % outChannels) * taps
      for (let o = 0; o < start.length - 1; o++) {
        let count = 0
        for (let t = start[o]; t < start[o + 1]; t++) count += used[of + tapOf[t]]
        found[out * outArea + first + o] = count
      }
    }
  }
}

/**
 * Writes the products of every output of a map that has a place, `next[output]`, one behind the other from there on: `inputs`
 * says what stands for an input and `numbers` for a weight, and products of which either is negative are left out. What
 * `forEachProduct` calls for, in loops of its own because there are tens of millions.
 */
export function writeProducts(
  map: LinearMap,
  [inputs, numbers]: readonly [inputs: Int32Array, numbers: (output: number) => Int32Array],
  next: Float64Array,
  [toInputs, toNumbers]: readonly [Uint32Array, Uint32Array],
): void {
  const write = (output: number, input: number, number: number) => {
    if (inputs[input] < 0 || number < 0) return
    toInputs[next[output]] = inputs[input]
    toNumbers[next[output]++] = number
  }
  if (map.kind !== "conv") {
    forEachProduct(map, (output, input, weight) => {
      if (next[output] >= 0) write(output, input, numbers(output)[weight])
    })
    return
  }
  const { n, groups, inChannels, outChannels, inSize, kernel, outSize } = map
  const [inArea, taps, outArea] = [inSize, kernel, outSize].map((size) => size.reduce((x, y) => x * y, 1))
  const [perGroupIn, perGroupOut] = [inChannels / groups, outChannels / groups]
  const positions = blockSize(outArea, taps)
  for (let first = 0; first < outArea; first += positions) {
    const { start, tapOf, readAt } = tapsOf(map, first, Math.min(outArea, first + positions))
    for (let out = 0; out < n * outChannels; out++) {
      const channelOut = out % outChannels
      const firstIn =
        Math.floor(out / outChannels) * inChannels + Math.floor(channelOut / perGroupOut) * perGroupIn
      for (let o = 0; o < start.length - 1; o++) {
        const output = out * outArea + first + o
        let place = next[output]
        if (place < 0) continue
        const known = numbers(output)
        for (let channel = 0; channel < perGroupIn; channel++) {
          const from = (firstIn + channel) * inArea
          const weight = (channelOut * perGroupIn + channel) * taps
          for (let t = start[o]; t < start[o + 1]; t++) {
            const [wire, number] = [inputs[from + readAt[t]], known[weight + tapOf[t]]]
            if (wire < 0 || number < 0) continue
            toInputs[place] = wire
            toNumbers[place++] = number
          }
        }
        next[output] = place
      }
    }
  }
}

/**
 * Calls `visit(output, input, weight)` for every product of a map, weights of zero among them, outputs in order; `weight` is
 * the place in `weightsOf`.
 */
export function forEachProduct(
  map: LinearMap,
  visit: (output: number, input: number, weight: number) => void,
): void {
  if (map.kind === "conv") forEachTap(map, visit)
  else if (map.kind === "sparse") {
    const { rowPtr, columns } = map
    for (let i = 0; i + 1 < rowPtr.length; i++)
      for (let j = rowPtr[i]; j < rowPtr[i + 1]; j++) visit(i, columns[j], j)
  } else {
    const { n, k, m } = map
    for (let row = 0; row < n; row++)
      for (let out = 0; out < m; out++)
        for (let inner = 0; inner < k; inner++) visit(row * m + out, row * k + inner, out * k + inner)
  }
}

/**
 * Calls `visit(input, weight)` for the products of one output, as `forEachProduct` does; for who needs outputs in another
 * order, or several maps side by side.
 */
export function productsOfOutput(
  map: LinearMap,
  output: number,
  visit: (input: number, weight: number) => void,
): void {
  if (map.kind === "sparse") {
    for (let j = map.rowPtr[output]; j < map.rowPtr[output + 1]; j++) visit(map.columns[j], j)
    return
  }
  if (map.kind === "dense") {
    const [first, weight] = [Math.floor(output / map.m) * map.k, (output % map.m) * map.k]
    for (let inner = 0; inner < map.k; inner++) visit(first + inner, weight + inner)
    return
  }
  const { groups, inChannels, outChannels, inSize, kernel, outSize } = map
  const [inArea, taps, outArea] = [inSize, kernel, outSize].map((size) => size.reduce((x, y) => x * y, 1))
  const perGroupIn = inChannels / groups
  const at = output % outArea
  const out = Math.floor(output / outArea) % outChannels
  const batch = Math.floor(output / (outArea * outChannels))
  const isKept = blockSize(outArea, taps) === outArea
  const { start, tapOf, readAt } = isKept ? tapsOf(map, 0, outArea) : tapsOf(map, at, at + 1)
  const o = isKept ? at : 0
  const firstIn = batch * inChannels + Math.floor((out * groups) / outChannels) * perGroupIn
  for (let channel = 0; channel < perGroupIn; channel++) {
    const [input, weight] = [(firstIn + channel) * inArea, (out * perGroupIn + channel) * taps]
    for (let t = start[o]; t < start[o + 1]; t++) visit(input + readAt[t], weight + tapOf[t])
  }
}

/**
 * Calls `visit(output, input, weight)` for every product of a convolution with the tap inside the input,
 * outputs in order.
 */
export function forEachTap(
  map: ConvMap,
  visit: (output: number, input: number, weightIndex: number) => void,
): void {
  const { n, groups, inChannels, outChannels, inSize, kernel, outSize } = map
  const [inArea, taps, outArea] = [inSize, kernel, outSize].map((size) => size.reduce((x, y) => x * y, 1))
  const perGroupIn = inChannels / groups
  const perGroupOut = outChannels / groups
  const positions = blockSize(outArea, taps)
  for (let batch = 0; batch < n; batch++) {
    for (let out = 0; out < outChannels; out++) {
      const group = Math.floor(out / perGroupOut)
      for (let first = 0; first < outArea; first += positions) {
        const { start, tapOf, readAt } = tapsOf(map, first, Math.min(outArea, first + positions))
        for (let o = 0; o < start.length - 1; o++) {
          const output = (batch * outChannels + out) * outArea + first + o
          for (let channel = 0; channel < perGroupIn; channel++) {
            const input = (batch * inChannels + group * perGroupIn + channel) * inArea
            const weight = (out * perGroupIn + channel) * taps
            for (let t = start[o]; t < start[o + 1]; t++) visit(output, input + readAt[t], weight + tapOf[t])
          }
        }
      }
    }
  }
}

/** y += map(x), in plain loops. */
export function applyMap(map: LinearMap, x: ArrayLike<number>, y: Float64Array): void {
  if (map.kind === "dense") applyDense(map, x, y)
  else if (map.kind === "conv") applyConv(map, x, y)
  else {
    const { rowPtr, columns, values } = map
    for (let i = 0; i < y.length; i++) {
      let sum = 0
      for (let j = rowPtr[i]; j < rowPtr[i + 1]; j++) sum += values[j] * x[columns[j]]
      y[i] += sum
    }
  }
}

/** Outputs that are added up side by side: what they read is read once for all of them. Each adds in the order of one alone. */
const abreast = 4

/**
 * The same of integers, whose sums come out the same in any order as long as all of them are safe: a convolution of an input
 * that is one number throughout each channel, as bounds often are, takes a sum for each tap instead of each product.
 */
export function applyIntegers(map: LinearMap, x: ArrayLike<number>, y: Float64Array): void {
  const constants = map.kind === "conv" ? channelConstants(map, x) : undefined
  if (map.kind !== "conv" || constants === undefined) {
    applyMap(map, x, y)
    return
  }
  const { n, groups, inChannels, outChannels, kernel, outSize, weight } = map
  const [taps, outArea] = [kernel, outSize].map((size) => size.reduce((a, b) => a * b, 1))
  const [perGroupIn, perGroupOut] = [inChannels / groups, outChannels / groups]
  const ofTaps = new Float64Array(n * outChannels * taps)
  for (let out = 0; out < n * outChannels; out++) {
    const of = out % outChannels
    const first = Math.floor(out / outChannels) * inChannels + Math.floor(of / perGroupOut) * perGroupIn
    for (let channel = 0; channel < perGroupIn; channel++)
      for (let t = 0; t < taps; t++)
        ofTaps[out * taps + t] += weight[(of * perGroupIn + channel) * taps + t] * constants[first + channel]
  }
  const positions = blockSize(outArea, taps)
  for (let begin = 0; begin < outArea; begin += positions) {
    const { start, tapOf } = tapsOf(map, begin, Math.min(outArea, begin + positions))
    for (let out = 0; out < n * outChannels; out++)
      for (let o = 0; o < start.length - 1; o++) {
        let sum = 0
        for (let t = start[o]; t < start[o + 1]; t++) sum += ofTaps[out * taps + tapOf[t]]
        y[out * outArea + begin + o] += sum
      }
  }
}

/** The number that each channel of an input is throughout, if all are. */
function channelConstants(
  { n, inChannels, inSize }: ConvMap,
  x: ArrayLike<number>,
): Float64Array | undefined {
  const area = inSize.reduce((a, b) => a * b, 1)
  const constants = new Float64Array(n * inChannels)
  for (let channel = 0; channel < constants.length; channel++) {
    const value = x[channel * area]
    for (let i = 1; i < area; i++) if (x[channel * area + i] !== value) return undefined
    constants[channel] = value
  }
  return constants
}

function applyDense(map: Extract<LinearMap, { kind: "dense" }>, x: ArrayLike<number>, y: Float64Array): void {
  const { weight, n, k, m } = map
  for (let row = 0; row < n; row++) {
    let out = 0
    for (; out + abreast <= m; out += abreast) {
      let [s0, s1, s2, s3] = [0, 0, 0, 0]
      let w = out * k
      for (let inner = row * k; inner < (row + 1) * k; inner++, w++) {
        const value = x[inner]
        s0 += value * weight[w]
        s1 += value * weight[w + k]
        s2 += value * weight[w + 2 * k]
        s3 += value * weight[w + 3 * k]
      }
      const at = row * m + out
      y[at] += s0
      y[at + 1] += s1
      y[at + 2] += s2
      y[at + 3] += s3
    }
    for (; out < m; out++) {
      let sum = 0
      for (let inner = 0; inner < k; inner++) sum += x[row * k + inner] * weight[out * k + inner]
      y[row * m + out] += sum
    }
  }
}

function applyConv(map: ConvMap, x: ArrayLike<number>, y: Float64Array): void {
  const { n, groups, inChannels, outChannels, inSize, kernel, outSize, weight } = map
  const [inArea, taps, outArea] = [inSize, kernel, outSize].map((size) => size.reduce((a, b) => a * b, 1))
  const [perGroupIn, perGroupOut] = [inChannels / groups, outChannels / groups]
  const positions = blockSize(outArea, taps)
  // from one output channel to the next
  const step = perGroupIn * taps
  for (let begin = 0; begin < outArea; begin += positions) {
    const { start, tapOf, readAt } = tapsOf(map, begin, Math.min(outArea, begin + positions))
    for (let batch = 0; batch < n; batch++) {
      for (let out = 0, count = 1; out < outChannels; out += count) {
        const inGroup = perGroupOut - (out % perGroupOut)
        count = inGroup >= abreast ? abreast : 1
        const output = (batch * outChannels + out) * outArea + begin
        const firstIn = batch * inChannels + Math.floor(out / perGroupOut) * perGroupIn
        for (let o = 0; o < start.length - 1; o++) {
          const [from, to] = [start[o], start[o + 1]]
          let [s0, s1, s2, s3] = [0, 0, 0, 0]
          for (let channel = 0; channel < perGroupIn; channel++) {
            const input = (firstIn + channel) * inArea
            const first = (out * perGroupIn + channel) * taps
            if (count === abreast)
              for (let t = from; t < to; t++) {
                const w = first + tapOf[t]
                const value = x[input + readAt[t]]
                s0 += weight[w] * value
                s1 += weight[w + step] * value
                s2 += weight[w + 2 * step] * value
                s3 += weight[w + 3 * step] * value
              }
            else for (let t = from; t < to; t++) s0 += weight[first + tapOf[t]] * x[input + readAt[t]]
          }
          y[output + o] += s0
          if (count === 1) continue
          y[output + outArea + o] += s1
          y[output + 2 * outArea + o] += s2
          y[output + 3 * outArea + o] += s3
        }
      }
    }
  }
}

/** Calls `visit` with the positions of output and input and the tap, of every tap inside the input, outputs in order. */
export function forEachReading(
  map: ConvMap,
  visit: (output: number, input: number, tap: number) => void,
): void {
  const [taps, outArea] = [map.kernel, map.outSize].map((size) => size.reduce((x, y) => x * y, 1))
  const positions = blockSize(outArea, taps)
  for (let first = 0; first < outArea; first += positions) {
    const { start, tapOf, readAt } = tapsOf(map, first, Math.min(outArea, first + positions))
    for (let o = 0; o < start.length - 1; o++)
      for (let t = start[o]; t < start[o + 1]; t++) visit(first + o, readAt[t], tapOf[t])
  }
}

/** Spatial offsets, the same for every channel: per output position the taps inside the input and where they read. */
interface Taps {
  readonly start: Uint32Array
  readonly tapOf: Uint32Array
  readonly readAt: Uint32Array
}

const tapsKept = new WeakMap<ConvMap, Taps>()
/** Taps that are held at once; those of a smaller map are kept with it. */
const mostTaps = 2 ** 20

/** Output positions whose taps are held at once. */
const blockSize = (outArea: number, taps: number): number =>
  Math.max(1, Math.min(outArea, Math.floor(mostTaps / Math.max(1, taps))))

/** Numbers that a convolution's taps hold as long as it lives. */
export function tapsHeld({ outSize, kernel }: ConvMap): number {
  const [outArea, taps] = [outSize, kernel].map((size) => size.reduce((x, y) => x * y, 1))
  return blockSize(outArea, taps) === outArea ? outArea * taps : 0
}

/** The taps of output positions `from` to `to` − 1. */
function tapsOf(map: ConvMap, from: number, to: number): Taps {
  const kept = tapsKept.get(map)
  if (kept) return kept
  const { inSize, kernel, outSize, strides, padsBegin, dilations } = map
  const axes = inSize.length
  const [taps, outArea] = [kernel, outSize].map((size) => size.reduce((x, y) => x * y, 1))
  const start = new Uint32Array(to - from + 1)
  const tapOf = new Uint32Array((to - from) * taps)
  const readAt = new Uint32Array((to - from) * taps)
  const position = new Array<number>(axes).fill(0)
  let length = 0
  for (let o = from; o < to; o++) {
    for (let rest = o, axis = axes - 1; axis >= 0; axis--) {
      position[axis] = rest % outSize[axis]
      rest = Math.floor(rest / outSize[axis])
    }
    for (let tap = 0; tap < taps; tap++) {
      let offset = 0
      let stride = 1
      let rest = tap
      let inside = true
      for (let axis = axes - 1; axis >= 0; axis--) {
        const at = position[axis] * strides[axis] - padsBegin[axis] + (rest % kernel[axis]) * dilations[axis]
        rest = Math.floor(rest / kernel[axis])
        if (at < 0 || at >= inSize[axis]) {
          inside = false
          break
        }
        offset += at * stride
        stride *= inSize[axis]
      }
      if (!inside) continue
      tapOf[length] = tap
      readAt[length++] = offset
    }
    start[o - from + 1] = length
  }
  const result = { start, tapOf: tapOf.slice(0, length), readAt: readAt.slice(0, length) }
  if (from === 0 && to === outArea) tapsKept.set(map, result)
  return result
}
