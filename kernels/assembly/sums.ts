/**
 * What a setup evaluates, on field elements as canonical integers of 32 bytes: Lagrange polynomials at a point, sums of
 * them with integer coefficients, and combinations of such sums with secrets.
 *
 * Sums are exact in float64. An integer below 2^256 is cut into twelve limbs of 22 bits; a limb times a coefficient is
 * added to a double of its own, and as long as the sizes of the coefficients add up to at most 2^31 none of them was
 * rounded. Then they are carried.
 */
import { add2, mul2, norm2, pairBytes, read2, sub2, write2 } from "./fr"
import { inverseScratch, invert2, prepareInverse } from "./fr/inverse"

/** Doubles of a sum: twelve limbs, and what is carried out of them. */
const sumBytes: usize = 104
/** Sizes of coefficients that may be added up before limbs are carried. */
const mostSize: f64 = 2147483648
const limbSize: f64 = 4194304

@inline function limb(at: usize, l: usize): f64 {
  // the last one has 14 bits
  return l == 11
    ? <f64>(<u32>load<u16>(at + 30) >> 2)
    : <f64>((load<u32>(at + ((22 * l) >> 3)) >> ((22 * <u32>l) & 7)) & 0x3fffff)
}

/** Limbs of an integer, as twelve doubles. */
@inline function spread(to: usize, from: usize): void {
  store<f64>(to, limb(from, 0), 0)
  store<f64>(to, limb(from, 1), 8)
  store<f64>(to, limb(from, 2), 16)
  store<f64>(to, limb(from, 3), 24)
  store<f64>(to, limb(from, 4), 32)
  store<f64>(to, limb(from, 5), 40)
  store<f64>(to, limb(from, 6), 48)
  store<f64>(to, limb(from, 7), 56)
  store<f64>(to, limb(from, 8), 64)
  store<f64>(to, limb(from, 9), 72)
  store<f64>(to, limb(from, 10), 80)
  store<f64>(to, limb(from, 11), 88)
}

/** All limbs of a sum from 0 to 2^22 − 1, but what is carried out of them. */
function carry(sum: usize): void {
  let over: f64 = 0
  for (let l: usize = 0; l < 12; l++) {
    const value = load<f64>(sum + 8 * l) + over
    over = floor(value * (1 / limbSize))
    store<f64>(sum + 8 * l, value - over * limbSize)
  }
  store<f64>(sum, load<f64>(sum, 96) + over, 96)
}

/** Bits of a carried limb, at their place in five words. */
@inline function put(words: usize, sum: usize, l: usize): void {
  const value = <u64>load<f64>(sum + 8 * l)
  const word = words + (((22 * l) >> 6) << 3)
  const shift = <u64>((22 * l) & 63)
  store<u64>(word, load<u64>(word) | (value << shift))
  if (shift > 42) store<u64>(word, load<u64>(word, 8) | (value >> (64 - shift)), 8)
}

/**
 * An integer of 32 bytes at `low` and one at `low` + 64 of which the sum is low + 2^256 · (high − 2^50): two sums lie
 * side by side, so that pairs of integers are 32 bytes apart.
 */
function pack(low: usize, sum: usize): void {
  carry(sum)
  const high = low + 64
  store<u64>(low, 0, 0)
  store<u64>(low, 0, 8)
  store<u64>(low, 0, 16)
  const after = load<u64>(low, 32)
  store<u64>(low, 0, 24)
  store<u64>(low, 0, 32)
  put(low, sum, 0)
  put(low, sum, 1)
  put(low, sum, 2)
  put(low, sum, 3)
  put(low, sum, 4)
  put(low, sum, 5)
  put(low, sum, 6)
  put(low, sum, 7)
  put(low, sum, 8)
  put(low, sum, 9)
  put(low, sum, 10)
  put(low, sum, 11)
  const rest = <i64>load<u64>(low, 32) + (<i64>load<f64>(sum, 96) << 8) + (1 << 50)
  store<u64>(low, after, 32)
  store<i64>(high, rest, 0)
  store<u64>(high, 0, 8)
  store<u64>(high, 0, 16)
  store<u64>(high, 0, 24)
}

/** Adds two sums to the integers at to0 and to1. `bytes`: 128 for the sums as `pack` leaves them. */
@inline function addSums(to0: usize, to1: usize, bytes: usize, constants: usize, pairs: usize): void {
  const value = pairs
  const high = value + pairBytes
  read2(value, bytes, bytes + 32)
  read2(high, bytes + 64, bytes + 96)
  mul2(high, high, constants)
  sub2(high, high, constants + pairBytes)
  add2(value, value, high)
  read2(high, to0, to1)
  add2(value, value, high)
  write2(to0, to1, value)
}

@unmanaged class ColumnSums {
  /** Integers of 32 bytes. */
  from: usize
  /** The same: sum c is added to number targets[c]. */
  to: usize
  targets: usize
  /** u32: first entry of every column and, at the end, the number of entries. */
  starts: usize
  count: u32
  /** Columns of an item, an even number. */
  chunk: u32
  /** u32, a number of an integer of `from`, and f64, its coefficient, for every entry. */
  indices: usize
  coefficients: usize
  /** Pairs: 2^256 and 2^50. */
  constants: usize
}

export const sumsScratch: usize = 2 * sumBytes + 128 + 2 * pairBytes + 64

/** The sum of column c, into thirteen doubles. */
function sumColumn(job: ColumnSums, c: usize, sum: usize): void {
  memory.fill(sum, 0, sumBytes)
  let entry: usize = load<u32>(job.starts + 4 * c)
  const end: usize = load<u32>(job.starts + 4 * c + 4)
  while (entry < end) {
    let s0 = load<f64>(sum, 0)
    let s1 = load<f64>(sum, 8)
    let s2 = load<f64>(sum, 16)
    let s3 = load<f64>(sum, 24)
    let s4 = load<f64>(sum, 32)
    let s5 = load<f64>(sum, 40)
    let s6 = load<f64>(sum, 48)
    let s7 = load<f64>(sum, 56)
    let s8 = load<f64>(sum, 64)
    let s9 = load<f64>(sum, 72)
    let s10 = load<f64>(sum, 80)
    let s11 = load<f64>(sum, 88)
    // what was carried before counts as one
    let size: f64 = 1
    for (; entry < end; entry++) {
      const x = load<f64>(job.coefficients + 8 * entry)
      if (!(abs(x) < mostSize)) unreachable()
      size += abs(x)
      if (size > mostSize) break
      const at = job.from + 32 * <usize>load<u32>(job.indices + 4 * entry)
      s0 += x * limb(at, 0)
      s1 += x * limb(at, 1)
      s2 += x * limb(at, 2)
      s3 += x * limb(at, 3)
      s4 += x * limb(at, 4)
      s5 += x * limb(at, 5)
      s6 += x * limb(at, 6)
      s7 += x * limb(at, 7)
      s8 += x * limb(at, 8)
      s9 += x * limb(at, 9)
      s10 += x * limb(at, 10)
      s11 += x * limb(at, 11)
    }
    store<f64>(sum, s0, 0)
    store<f64>(sum, s1, 8)
    store<f64>(sum, s2, 16)
    store<f64>(sum, s3, 24)
    store<f64>(sum, s4, 32)
    store<f64>(sum, s5, 40)
    store<f64>(sum, s6, 48)
    store<f64>(sum, s7, 56)
    store<f64>(sum, s8, 64)
    store<f64>(sum, s9, 72)
    store<f64>(sum, s10, 80)
    store<f64>(sum, s11, 88)
    if (entry < end) carry(sum)
  }
}

/** Adds Σ coefficient · integer to each of a range of columns. Items: count / chunk, rounded up. */
export function columnSums(item: usize, args: usize, scratch: usize): void {
  const job = changetype<ColumnSums>(args)
  const bytes = (scratch + 15) & ~15
  const pairs = bytes + 128
  const sum = pairs + 2 * pairBytes
  const end = min((item + 1) * job.chunk, <usize>job.count)
  for (let c = item * job.chunk; c < end; c += 2) {
    sumColumn(job, c, sum)
    pack(bytes, sum)
    const to0 = job.to + 32 * <usize>load<u32>(job.targets + 4 * c)
    let to1 = to0
    if (c + 1 < end) {
      sumColumn(job, c + 1, sum)
      pack(bytes + 32, sum)
      to1 = job.to + 32 * <usize>load<u32>(job.targets + 4 * c + 4)
    } else {
      // alone: both lanes are the same
      memory.copy(bytes + 32, bytes, 32)
      memory.copy(bytes + 96, bytes + 64, 32)
    }
    addSums(to0, to1, bytes, job.constants, pairs)
  }
}

@unmanaged class MapSums {
  /** Integers of 32 bytes, one for each output of a batch: position by position, all channels of a position side by side. */
  from: usize
  /** The same, 96 bytes each, cut into limbs. */
  limbs: usize
  outputs: usize
  /** Outputs that are cut by an item. */
  chunk: usize
  /** What sums are added to, as ColumnSums has it, and for each input of the batch which: 2^32 − 1 for none. */
  to: usize
  targets: usize
  /** Input positions and output channels, and channels of a group of each. */
  positions: usize
  channels: usize
  groupIn: usize
  groupOut: usize
  /** f64: of each input channel every tap, of each tap the output channels of the group. */
  weights: usize
  taps: usize
  /** u32: first reading of every input position and, at the end, how many there are; a tap and an output position each. */
  starts: usize
  readings: usize
  /** Inputs, and those of an item, an even number. */
  inputs: usize
  inputChunk: usize
  /** Pairs: 2^256 and 2^50. */
  constants: usize
}

/** Cuts outputs into limbs. Items: outputs / chunk, rounded up. */
export function mapLimbs(item: usize, args: usize, _scratch: usize): void {
  const job = changetype<MapSums>(args)
  const end = min((item + 1) * job.chunk, job.outputs)
  for (let i = item * job.chunk; i < end; i++) spread(job.limbs + 96 * i, job.from + 32 * i)
}

/** Σ weight · output over all that reads input i, into thirteen doubles. */
function sumReadings(job: MapSums, i: usize, sum: usize): void {
  const channel = i / job.positions
  const position = i % job.positions
  const width = job.groupOut
  const weights = job.weights + 8 * channel * job.taps * width
  const first = job.limbs + 96 * (channel / job.groupIn) * width
  const end = job.readings + 8 * <usize>load<u32>(job.starts + 4 * position + 4)
  let s0: f64 = 0
  let s1: f64 = 0
  let s2: f64 = 0
  let s3: f64 = 0
  let s4: f64 = 0
  let s5: f64 = 0
  let s6: f64 = 0
  let s7: f64 = 0
  let s8: f64 = 0
  let s9: f64 = 0
  let s10: f64 = 0
  let s11: f64 = 0
  for (let at = job.readings + 8 * <usize>load<u32>(job.starts + 4 * position); at < end; at += 8) {
    let weight = weights + 8 * <usize>load<u32>(at) * width
    let value = first + 96 * <usize>load<u32>(at, 4) * job.channels
    for (const last = weight + 8 * width; weight < last; weight += 8) {
      const x = load<f64>(weight)
      s0 += x * load<f64>(value, 0)
      s1 += x * load<f64>(value, 8)
      s2 += x * load<f64>(value, 16)
      s3 += x * load<f64>(value, 24)
      s4 += x * load<f64>(value, 32)
      s5 += x * load<f64>(value, 40)
      s6 += x * load<f64>(value, 48)
      s7 += x * load<f64>(value, 56)
      s8 += x * load<f64>(value, 64)
      s9 += x * load<f64>(value, 72)
      s10 += x * load<f64>(value, 80)
      s11 += x * load<f64>(value, 88)
      value += 96
    }
  }
  store<f64>(sum, s0, 0)
  store<f64>(sum, s1, 8)
  store<f64>(sum, s2, 16)
  store<f64>(sum, s3, 24)
  store<f64>(sum, s4, 32)
  store<f64>(sum, s5, 40)
  store<f64>(sum, s6, 48)
  store<f64>(sum, s7, 56)
  store<f64>(sum, s8, 64)
  store<f64>(sum, s9, 72)
  store<f64>(sum, s10, 80)
  store<f64>(sum, s11, 88)
  store<f64>(sum, 0, 96)
}

/** The transposed map: adds Σ weight · output to each of a range of inputs. Items: inputs / inputChunk, rounded up. */
export function mapSums(item: usize, args: usize, scratch: usize): void {
  const job = changetype<MapSums>(args)
  const bytes = (scratch + 15) & ~15
  const pairs = bytes + 128
  const sum = pairs + 2 * pairBytes
  const end = min((item + 1) * job.inputChunk, job.inputs)
  let first: usize = 0
  let lane: usize = 0
  for (let i = item * job.inputChunk; i < end; i++) {
    const target = load<u32>(job.targets + 4 * i)
    if (target == u32.MAX_VALUE) continue
    sumReadings(job, i, sum)
    pack(bytes + 32 * lane, sum)
    const to = job.to + 32 * <usize>target
    if (lane == 1) addSums(first, to, bytes, job.constants, pairs)
    first = to
    lane = 1 - lane
  }
  if (lane == 0) return
  memory.copy(bytes + 32, bytes, 32)
  memory.copy(bytes + 96, bytes + 64, 32)
  addSums(first, first, bytes, job.constants, pairs)
}

@unmanaged class Combinations {
  /** u32: the number in every column of what makes combination i; 0 for number i itself. */
  numbers: usize
  count: usize
  /** Combinations of an item, an even number. */
  chunk: usize
  terms: usize
  /** Addresses of the columns, integers of 32 bytes, and a pair for each: what it is multiplied by. */
  columns: usize
  factors: usize
  /** Integers of 32 bytes. */
  out: usize
  /** Number of the first, where there are no numbers. */
  first: usize
}

export const combinationsScratch: usize = 3 * pairBytes + 64

/** Combinations of columns. Items: count / chunk, rounded up. */
export function combine(item: usize, args: usize, scratch: usize): void {
  const job = changetype<Combinations>(args)
  const sum = (scratch + 15) & ~15
  const term = sum + pairBytes
  const end = min((item + 1) * job.chunk, job.count)
  for (let i = item * job.chunk; i < end; i += 2) {
    const j = min(i + 1, end - 1)
    let number0 = job.first + i
    let number1 = job.first + j
    if (job.numbers != 0) {
      number0 = load<u32>(job.numbers + 4 * i)
      number1 = load<u32>(job.numbers + 4 * j)
    }
    for (let t: usize = 0; t < job.terms; t++) {
      const column: usize = load<u32>(job.columns + 4 * t)
      const factor = job.factors + t * pairBytes
      read2(term, column + 32 * number0, column + 32 * number1)
      if (t == 0) mul2(sum, term, factor)
      else {
        mul2(term, term, factor)
        add2(sum, sum, term)
      }
    }
    write2(job.out + 32 * i, job.out + 32 * j, sum)
  }
}

/** Points of an item, an even number. */
export const lagrangeRange: u32 = 512
const lagrangePairs: usize = <usize>lagrangeRange >> 1

@unmanaged class Lagrange {
  /** Of every item the first point, 32 bytes in Montgomery form. */
  starts: usize
  /** An even number. */
  count: u32
  /** Pairs: (1, ω), ω² twice, τ twice, 1 twice. */
  constants: usize
  /** Pairs of factors, which repeat, and how many there are. */
  factors: usize
  period: usize
  /** Integers of 32 bytes. */
  out: usize
}

export const lagrangeScratch: usize = inverseScratch + (2 * lagrangePairs + 3) * pairBytes + 64

/** factor · x / (τ − x) for points x = shift·ω^i: with one inversion, and x / (τ − x) = τ / (τ − x) − 1. */
export function lagrange(item: usize, args: usize, scratch: usize): void {
  const job = changetype<Lagrange>(args)
  prepareInverse(scratch)
  const differences = (scratch + inverseScratch + 15) & ~15
  const prefixes = differences + lagrangePairs * pairBytes
  const running = prefixes + lagrangePairs * pairBytes
  const value = running + pairBytes
  const step = job.constants + pairBytes
  const tau = step + pairBytes
  const one = tau + pairBytes
  const from = item * lagrangeRange
  const used = min(<usize>lagrangeRange, <usize>job.count - from) >> 1
  const start = job.starts + 32 * item
  read2(value, start, start)
  mul2(value, value, job.constants)
  for (let i: usize = 0; i < used; i++) {
    const difference = differences + i * pairBytes
    const prefix = prefixes + i * pairBytes
    sub2(difference, tau, value)
    if (i == 0) norm2(prefix, difference)
    else mul2(prefix, prefix - pairBytes, difference)
    mul2(value, value, step)
  }
  invert2(running, prefixes + (used - 1) * pairBytes)
  for (let i = <isize>used - 1; i >= 0; i--) {
    const inverse = prefixes + i * pairBytes
    if (i > 0) mul2(inverse, running, inverse - pairBytes)
    else norm2(inverse, running)
    mul2(running, running, differences + i * pairBytes)
    mul2(value, inverse, tau)
    sub2(value, value, one)
    mul2(value, value, job.factors + ((<usize>from >> 1) + i) % job.period * pairBytes)
    const to = job.out + 32 * (from + 2 * <usize>i)
    write2(to, to + 32, value)
  }
}
