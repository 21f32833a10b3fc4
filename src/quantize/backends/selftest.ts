/**
 * Known answers: what a device has to get right before anything is asked of it. Whole numbers up to the limit of float32,
 * in every operation, against the plain loops; and how many bits a factor may have. Graphics cards round the factors of a product of
 * matrices to eleven bits unless told otherwise (TF32): such a device is of use for integers, whose limbs are then cut to that,
 * and of none for reals.
 */
import { applyMap, weightsOf } from "../../ops/linearmap.js"
import type { LinearMap } from "../../ops/program.js"
import { type Device, WrongNumbers } from "./device.js"
import { contractionOnDevice, mapOnDevice } from "./products.js"

/** Bits of a factor that every device has to have, and those of float32. */
const fewBits = 11
const allBits = 24

/** Bits of exact factors. @throws DeviceFailure if products of short factors are wrong, or anything else is */
export async function selfTest(device: Device): Promise<number> {
  for (const count of [1, 3]) {
    for (const map of maps) await testMap(device, map, fewBits, count)
    await testContraction(device, count)
  }
  try {
    for (const map of wide) await testMap(device, map, allBits, 1)
    return allBits
  } catch (error) {
    if (error instanceof WrongNumbers) return fewBits
    throw error
  }
}

/** Numbers that repeat each time: whole, of both signs, up to a magnitude. */
function numbers(count: number, most: number, seed: number): Float64Array {
  let state = seed
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.round((state / 2 ** 31 - 1) * most)
  })
}

const channels = 6
const conv = {
  kind: "conv",
  n: 1,
  inChannels: channels,
  outChannels: 12,
  inSize: [9, 7],
  kernel: [3, 3],
  outSize: [9, 7],
  strides: [1, 1],
  padsBegin: [1, 1],
  dilations: [1, 1],
} as const

const convolution = (groups: number, more: object, seed: number): LinearMap => ({
  ...conv,
  groups,
  ...more,
  weight: numbers((conv.outChannels * channels * 9) / groups, 2 ** 5, seed),
})

/** One map for each operation, with sums near the limit. */
const maps: readonly LinearMap[] = [
  { kind: "dense", n: 2, k: 61, m: 37, weight: numbers(61 * 37, 2 ** 9, 1) },
  convolution(1, {}, 2),
  convolution(1, { outSize: [4, 3], strides: [2, 2], padsBegin: [0, 1] }, 3),
  convolution(1, { outSize: [5, 3], dilations: [2, 2], padsBegin: [0, 0] }, 4),
  convolution(channels, {}, 5),
]

/** Maps whose factors have as many bits as float32, and twelve. */
const largest = 2 ** allBits - 1
const wide: readonly LinearMap[] = [
  { kind: "dense", n: 1, k: 1, m: 3, weight: Float64Array.of(largest, -largest, 1) },
  { ...conv, groups: 1, outChannels: 1, weight: numbers(channels * 9, 2 ** 12 - 1, 6) },
]

async function testMap(device: Device, map: LinearMap, bits: number, count: number): Promise<void> {
  const size = map.kind === "dense" ? map.n * map.k : channels * 63
  // sums stay within 2^24: one limb each, so that what is asked for is what the device multiplies
  const most = Math.floor(2 ** 24 / Math.max(...sumsOf(map)))
  const x = numbers(count * size, most, 7)
  const mostOf = () => new Float64Array(size).fill(most)
  const product = mapOnDevice(device, map, { operandBits: bits, mostOf })
  // an operation that it lacks is done in loops
  if (!product) return
  const results = outputsOf(map)
  const [got, expected] = [new Float64Array(count * results), new Float64Array(count * results)]
  try {
    await product.add(x, got, count)
  } finally {
    product.dispose()
  }
  for (let i = 0; i < count; i++)
    applyMap(map, x.subarray(i * size, (i + 1) * size), expected.subarray(i * results, (i + 1) * results))
  compare(got, expected)
}

/** What each output multiplies the most of all sources by, in all. */
function sumsOf(map: LinearMap): number[] {
  const weights = weightsOf(map)
  const each =
    map.kind === "dense" ? map.k : map.kind === "conv" ? weights.length / map.outChannels : weights.length
  return Array.from({ length: weights.length / each }, (_, i) =>
    weights.subarray(i * each, (i + 1) * each).reduce((sum, w) => sum + Math.abs(w), 0),
  )
}

const outputsOf = (map: LinearMap): number =>
  map.kind === "dense"
    ? map.n * map.m
    : map.kind === "conv"
      ? map.outChannels * map.outSize.reduce((a, b) => a * b)
      : map.rowPtr.length - 1

async function testContraction(device: Device, count: number): Promise<void> {
  const node = { batch: 2, m: 5, k: 33, n: 7 }
  const most = 2 ** 9
  const run = contractionOnDevice(device, node, {
    operandBits: fewBits,
    mostOf: () => Float64Array.of(most),
  })
  if (!run) return
  const matrices = count * node.batch
  const [left, right] = [numbers(matrices * 5 * 33, most, 8), numbers(matrices * 33 * 7, most, 9)]
  const expected = new Float64Array(matrices * 5 * 7)
  for (let i = 0; i < expected.length; i++) {
    const [row, j] = [Math.floor(i / 7), i % 7]
    for (let l = 0; l < 33; l++)
      expected[i] += left[row * 33 + l] * right[(Math.floor(row / 5) * 33 + l) * 7 + j]
  }
  compare(await run(left, right, count), expected)
}

function compare(got: Float64Array, expected: Float64Array): void {
  if (!expected.every((x, i) => got[i] === x)) throw new WrongNumbers("it gets known answers wrong")
}
