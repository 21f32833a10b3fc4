/**
 * Multiples of resident points by powers of 2^c, by affine doublings in batches: with d = 2y, λ = 3x²/d,
 * x' = λ² − 2x, y' = λ(x − x') − y; one inversion for all points of an item (Montgomery's trick).
 *
 * Layer 0 are the points themselves; layer k, as many points further on, is 2^(ck) times layer 0.
 */
import {
  add2,
  coordinateScratch,
  difLazy2,
  elementBytes,
  gather2,
  invert2,
  mul2,
  norm2,
  one2,
  pairBytes,
  prepareCoordinate,
  scatter2,
  sqr2,
  sub2,
  sumLazy2,
  zeroes2,
} from "./coordinate"
import { isInfinity, pointBytes } from "./tree"

/** Points of an item, an even number. */
export const multiplesRange: u32 = 512

const pairs: usize = <usize>multiplesRange >> 1

/** Written by the engine. */
@unmanaged
class Multiples {
  points: usize
  /** Points of a layer. */
  count: u32
  layers: u32
  /** c */
  bits: u32
  /** Number of a point, from 1 on, a multiple of which has y = 0, or 0. */
  refused: u32
}

/** x and y of every pair of points, a prefix product for each, temporaries. */
export const multiplesScratch: usize = coordinateScratch + 3 * pairs * pairBytes + 6 * pairBytes + pointBytes

/** All layers of the points of range `item`. */
export function multiples(item: u32, args: usize, scratch: usize): void {
  const job = changetype<Multiples>(args)
  prepareCoordinate(scratch)
  const from = item * multiplesRange
  const count = min(multiplesRange, job.count - from)
  const first = job.points + <usize>from * pointBytes
  const xs = scratch + coordinateScratch
  const temporary = xs + 3 * pairs * pairBytes
  const used = (count + 1) >> 1
  for (let i: u32 = 0; i < used; i++) {
    const p0 = first + <usize>(2 * i) * pointBytes
    const single = 2 * i + 1 == count
    read(xs + <usize>i * pairBytes, p0, single ? p0 : p0 + pointBytes, temporary)
  }
  const spare = temporary + 6 * pairBytes
  let layer = first
  for (let k: u32 = 1; k < job.layers; k++) {
    for (let bit: u32 = 0; bit < job.bits; bit++) {
      if (double(xs, used, temporary)) continue
      job.refused = from + firstZero(xs + pairs * pairBytes, used) + 1
      return
    }
    layer += <usize>job.count * pointBytes
    for (let i: u32 = 0; i < used; i++) {
      const to = <usize>(2 * i) * pointBytes
      const single = 2 * i + 1 == count
      write(xs + <usize>i * pairBytes, layer + to, single ? spare : layer + to + pointBytes)
      if (isInfinity(first + to)) memory.fill(layer + to, 0, pointBytes)
      if (!single && isInfinity(first + to + pointBytes)) memory.fill(layer + to + pointBytes, 0, pointBytes)
    }
  }
}

/** Two points as a pair. In the place of infinity stands (0, 1), which doubling takes to (0, −1) and back. */
function read(to: usize, p0: usize, p1: usize, temporary: usize): void {
  const y = to + pairs * pairBytes
  const lanes = temporary + pairBytes
  one2(temporary)
  scatter2(lanes, lanes + elementBytes, temporary)
  gather2(to, p0, p1)
  gather2(y, isInfinity(p0) ? lanes : p0 + elementBytes, isInfinity(p1) ? lanes : p1 + elementBytes)
}

function write(pair: usize, p0: usize, p1: usize): void {
  scatter2(p0, p1, pair)
  scatter2(p0 + elementBytes, p1 + elementBytes, pair + pairs * pairBytes)
}

/** Number of the first point with y = 0. */
function firstZero(ys: usize, count: u32): u32 {
  for (let i: u32 = 0; i < count; i++) {
    const zeros = zeroes2(ys + <usize>i * pairBytes)
    if (zeros != 0) return 2 * i + ctz(zeros)
  }
  return 0
}

/**
 * Doubles `count` pairs at xs. No point of the groups has y = 0, for both have odd order; one that has is on another
 * curve, and would leave nothing of the others' product: then false, and nothing is doubled.
 */
function double(xs: usize, count: u32, temporary: usize): bool {
  const ys = xs + pairs * pairBytes
  const prefixes = ys + pairs * pairBytes
  const difference = temporary
  const running = temporary + pairBytes
  const slope = temporary + 2 * pairBytes
  const square = temporary + 3 * pairBytes
  const next = temporary + 4 * pairBytes
  const sum = temporary + 5 * pairBytes
  for (let i: u32 = 0; i < count; i++) {
    const at = <usize>i * pairBytes
    sumLazy2(difference, ys + at, ys + at)
    if (i == 0) norm2(prefixes, difference)
    else mul2(prefixes + at, prefixes + at - pairBytes, difference)
  }
  const product = prefixes + <usize>(count - 1) * pairBytes
  if (zeroes2(product) != 0) return false
  invert2(running, product)
  for (let i = <i32>count - 1; i >= 0; i--) {
    const x = xs + <usize>i * pairBytes
    const y = ys + <usize>i * pairBytes
    if (i > 0) {
      sumLazy2(difference, y, y)
      mul2(slope, running, prefixes + <usize>(i - 1) * pairBytes)
      mul2(running, running, difference)
    } else {
      memory.copy(slope, running, pairBytes)
    }
    sqr2(square, x)
    add2(sum, square, square)
    add2(square, square, sum)
    mul2(slope, slope, square)
    sumLazy2(sum, x, x)
    sqr2(next, slope)
    sub2(next, next, sum)
    difLazy2(sum, x, next)
    mul2(square, slope, sum)
    sub2(y, square, y)
    memory.copy(x, next, pairBytes)
  }
  return true
}
