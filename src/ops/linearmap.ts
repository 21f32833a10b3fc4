/** Linear maps as compressed sparse rows, and applied to a vector. */
import type { LinearMap } from "./program.js"

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
    rows = map.kind === "dense" ? denseRows(map) : convRows(map)
    expanded.set(map, rows)
  }
  return rows
}

/** The weights that a map holds, each once however often it is used. */
export const weightsOf = (map: LinearMap): Float64Array => (map.kind === "sparse" ? map.values : map.weight)

/** The same map with every weight replaced. */
export function withWeights(map: LinearMap, change: (weight: number) => number): LinearMap {
  const replace = (from: Float64Array) => {
    const to = new Float64Array(from.length)
    for (let i = 0; i < from.length; i++) to[i] = change(from[i])
    return to
  }
  return map.kind === "sparse"
    ? { ...map, values: replace(map.values) }
    : { ...map, weight: replace(map.weight) }
}

/** Products of a weight and an input that a map stands for, those with taps outside the input among them. */
export function productsOf(map: LinearMap): number {
  if (map.kind === "dense") return map.n * map.k * map.m
  if (map.kind === "sparse") return map.values.length
  return map.outSize.reduce((x, y) => x * y, map.n * map.weight.length)
}

function denseRows({ weight, n, k, m }: Extract<LinearMap, { kind: "dense" }>): SparseMatrix {
  const nonzeros = weight.reduce((count, w) => count + (w !== 0 ? 1 : 0), 0)
  const rowPtr = new Uint32Array(n * m + 1)
  const columns = new Uint32Array(n * nonzeros)
  const values = new Float64Array(n * nonzeros)
  let length = 0
  for (let row = 0; row < n; row++) {
    for (let out = 0; out < m; out++) {
      for (let inner = 0; inner < k; inner++) {
        const w = weight[out * k + inner]
        if (w === 0) continue
        columns[length] = row * k + inner
        values[length++] = w
      }
      rowPtr[row * m + out + 1] = length
    }
  }
  return { rowPtr, columns, values }
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

function convRows(map: ConvMap): SparseMatrix {
  const outputs = map.outSize.reduce((x, y) => x * y, map.n * map.outChannels)
  const rowPtr = new Uint32Array(outputs + 1)
  forEachTap(map, (output, _, weight) => {
    if (map.weight[weight] !== 0) rowPtr[output + 1]++
  })
  for (let i = 0; i < outputs; i++) rowPtr[i + 1] += rowPtr[i]
  const columns = new Uint32Array(rowPtr[outputs])
  const values = new Float64Array(rowPtr[outputs])
  let length = 0
  forEachTap(map, (_, input, weight) => {
    if (map.weight[weight] === 0) return
    columns[length] = input
    values[length++] = map.weight[weight]
  })
  return { rowPtr, columns, values }
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
