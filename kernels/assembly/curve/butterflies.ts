/**
 * Points times scalars, and the stages of transforms of points, which are made of that.
 *
 * A transform of n points is that of numbers (decimation in time): stages of radix 2, 3 and 4 take transforms of
 * `length` points each to such of radix·length points. With ω the root of the result, butterfly j of a block takes
 * points P_l at distances of `length` to P'_k = Σ_l ω_radix^(kl)·ω^(jl)·P_l. What it costs are the sums of points
 * times scalars ("accumulators") from which these come by a few additions:
 *
 *     radix 1   A0 = s·P0
 *     radix 2   A0 = ω^j·P1;  P0 ± A0
 *     radix 3   A0 = ω^j·P1, A1 = ω^2j·P2;  P0 + A0 + A1, P0 + ζA0 + ζ²A1, P0 + ζ²A0 + ζA1, where ζ costs nothing
 *     radix 4   A0 = ω^2j·P2, A1 = ω^j·P1 + ω^3j·P3, A2 = i(ω^j·P1 − ω^3j·P3), two products with common doublings;
 *               P0 + A0 ± A1, P0 − A0 ± A2
 *
 * and one more, where P0 has a factor, too. Scalars come cut into parts (endomorphism.ts). Of each point there is a
 * table of odd multiples, and the images of all of them. Then accumulators of all butterflies of an item are doubled
 * once a bit, in one batch, and get the entry of every digit that is not zero (signed, of `width` bits), by the
 * tree of additions. So nothing depends on what points are: sums that vanish and points that meet themselves
 * are the tree's business, and doublings are given none that is infinity.
 */
import { doublePoints, doublingScratch } from "./doubling"
import {
  endomorphismScratch,
  images2,
  partBits,
  parts,
  prepareEndomorphisms,
  rotate2,
} from "./endomorphism"
import { isInfinity, pointBytes, treeEntry, treeFinish, treeGroup, treeScratch, treeStart, treeWipe } from "./tree"

/** Bits of a digit: odd, less than 2^(width − 1) in size. */
const width: u32 = 5
/** Odd multiples of a point. */
const multiples: u32 = 1 << (width - 2)
/** Bytes of a scalar in parts: as many numbers as there are parts, 32 bytes together, then a bit for every sign. */
export const partsBytes: usize = 40

/** Written by the engine. */
@unmanaged
class PointStage {
  /** Points, in the form of the kernels, and where the results go, which is elsewhere. */
  from: usize
  to: usize
  /** Butterflies, and how many of them an item takes. */
  count: u32
  rangeLength: u32
  /** 1 to 4, and the distance of points of a butterfly. */
  radix: u32
  length: u32
  /** Scalars in parts: number e is ω^e for the root of all points; those of the second half are less the first. */
  scalars: usize
  /** Their number, both halves, and what power of ω the root of this stage is; 0 and 0 or 1 for radix 1. */
  order: u32
  stride: u32
  /** Whether P0 is multiplied, too, by scalar 0. */
  whole: u32
  /** Constants of endomorphisms. */
  constants: usize
}

/** Accumulators, products and tables of a butterfly. */
@inline
function accumulatorsOf(radix: u32, whole: u32): u32 {
  return radix - 1 + whole
}
@inline
function productsOf(radix: u32, whole: u32): u32 {
  return (radix == 4 ? 5 : radix - 1) + whole
}

/** Which point product k takes, and to which accumulator it belongs. */
@inline
function pointOf(radix: u32, k: u32): u32 {
  if (radix == 4) return k == 0 ? 2 : k == 5 ? 0 : k & 1 ? 1 : 3
  return k + 1 < radix ? k + 1 : 0
}
@inline
function accumulatorOf(radix: u32, k: u32): u32 {
  return radix == 4 ? (k + 1) >> 1 : k
}

const imageStep: usize = <usize>multiples * pointBytes
const tableBytes: usize = <usize>parts * imageStep

/** Where things lie in the working memory of an item. */
let radix: u32 = 0
let accumulatorCount: u32 = 0
let productCount: u32 = 0
let list: usize = 0
let doublings: usize = 0
let tables: usize = 0
let sizes: usize = 0
let twice: usize = 0
let accumulators: usize = 0
let digits: usize = 0
let rowBytes: usize = 0
/** Distance of ζ and ζ² times an accumulator. */
let rotated: usize = 0

@inline
function aligned(bytes: usize): usize {
  return (bytes + 63) & ~63
}

/** Sets the addresses for items of `count` butterflies; returns the end. */
function layOut(scratch: usize, count: u32, ofRadix: u32, whole: u32): usize {
  radix = ofRadix
  accumulatorCount = accumulatorsOf(radix, whole)
  productCount = productsOf(radix, whole)
  // as many tables as accumulators
  const points = count * accumulatorCount
  list = aligned(scratch + treeScratch + endomorphismScratch)
  doublings = aligned(list + (<usize>(points + 1) << 2))
  tables = aligned(doublings + doublingScratch(points))
  sizes = aligned(tables + points * tableBytes)
  twice = aligned(sizes + points)
  // images of the accumulators of radix 3 lie there later on
  accumulators = aligned(twice + 2 * points * pointBytes)
  digits = aligned(accumulators + points * pointBytes)
  rowBytes = <usize>count * productCount * parts
  return digits + rowBytes * partBits
}

/** Working memory of an item. */
export function stageScratch(count: u32, ofRadix: u32, whole: u32): usize {
  return layOut(0, count, ofRadix, whole)
}

/** Butterflies of range `item`. */
export function stage(item: u32, args: usize, scratch: usize): void {
  const job = changetype<PointStage>(args)
  const from = item * job.rangeLength
  const count = min(job.rangeLength, job.count - from)
  layOut(scratch, job.rangeLength, job.radix, job.whole)
  treeStart(scratch)
  prepareEndomorphisms(job.constants, scratch + treeScratch)
  const points = count * accumulatorCount
  memory.fill(accumulators, 0, <usize>points * pointBytes)
  memory.fill(digits, 0, rowBytes * partBits)
  memory.fill(sizes, 0, points)
  for (let b: u32 = 0; b < count; b++) readButterfly(job, from + b, b)
  makeTables(points)
  for (let bit = <i32>partBits - 1; bit >= 0; bit--) {
    doubleAccumulators(points)
    addDigits(count, digits + <usize>bit * rowBytes)
  }
  if (radix == 3) rotateAccumulators(points)
  for (let b: u32 = 0; b < count; b++) writeButterfly(job, from + b, b)
  treeFinish()
  // scalars may be secret: so are digits, and addresses of entries tell them
  treeWipe()
  memory.fill(digits, 0, rowBytes * partBits)
}

/** Address of the first point of butterfly number `butterfly`. */
@inline
function firstOf(job: PointStage, butterfly: u32): usize {
  const block = butterfly / job.length
  return <usize>(block * radix * job.length + (butterfly - block * job.length)) * pointBytes
}

/** Begins tables and writes digits of butterfly number `butterfly`, the b-th of the item. */
function readButterfly(job: PointStage, butterfly: u32, b: u32): void {
  const first = job.from + firstOf(job, butterfly)
  const distance = <usize>job.length * pointBytes
  const j = butterfly % job.length
  for (let k: u32 = 0; k < productCount; k++) {
    const l = pointOf(radix, k)
    const point = first + l * distance
    if (isInfinity(point)) continue
    const table = tableOf(b, l)
    memory.copy(tables + table * tableBytes, point, pointBytes)
    let exponent = l * j
    if (radix == 1) exponent = j
    // i is the power of the root that is a quarter of its order
    else if (k == 3 || k == 4) exponent += l * job.length
    exponent *= job.stride
    let sign: u32 = 0
    if (job.order > 0) {
      exponent %= job.order
      const half = job.order >> 1
      if (exponent >= half) {
        exponent -= half
        sign = 0xff
      }
    }
    const most = recode(job.scalars + <usize>exponent * partsBytes, sign, digits + <usize>(b * productCount + k) * parts)
    if (<u32>load<u8>(sizes + table) < most) store<u8>(sizes + table, <u8>most)
  }
}

/** Number of the table of point l of the b-th butterfly. */
@inline
function tableOf(b: u32, l: u32): usize {
  return <usize>(b * accumulatorCount + (l == 0 ? radix : l) - 1)
}

/** Digits of a scalar in parts, one byte each, in the rows of their bits; returns the size of the largest. */
function recode(scalar: usize, sign: u32, to: usize): u32 {
  const signs = load<u32>(scalar, 32) ^ sign
  let most: u32 = 0
  for (let part: u32 = 0; part < parts; part++) {
    const number = scalar + <usize>part * (32 / parts)
    let low = load<u64>(number)
    let high: u64 = parts == 2 ? load<u64>(number, 8) : 0
    let at = to + part
    while ((low | high) != 0) {
      if (low == 0) {
        low = high
        high = 0
        at += 64 * rowBytes
      }
      const zeros = ctz(low)
      if (zeros > 0) {
        low = (low >> zeros) | (high << (64 - zeros))
        high >>= zeros
        at += <usize>zeros * rowBytes
      }
      let digit = <i32>low & ((1 << width) - 1)
      low >>= width
      low |= high << (64 - width)
      high >>= width
      if (digit >= 1 << (width - 1)) {
        digit -= 1 << width
        low++
        if (low == 0) high++
      }
      const size = <u32>abs(digit)
      if (size > most) most = size
      store<i8>(at, <i8>((signs >> part) & 1 ? -digit : digit))
      at += width * rowBytes
    }
  }
  return most
}

/** Odd multiples of the points that tables begin with, as far as digits need them, and their images. */
function makeTables(count: u32): void {
  let listed: u32 = 0
  for (let t: u32 = 0; t < count; t++) {
    if (load<u8>(sizes + t) < 2) continue
    const double = twice + <usize>t * pointBytes
    memory.copy(double, tables + <usize>t * tableBytes, pointBytes)
    store<u32>(list + (<usize>listed << 2), <u32>double)
    listed++
  }
  doublePoints(list, listed, doublings)
  for (let i: usize = 1; i < multiples; i++) {
    for (let t: u32 = 0; t < count; t++) {
      if (load<u8>(sizes + t) < 2) continue
      const entry = tables + <usize>t * tableBytes + i * pointBytes
      add(entry - pointBytes, 0)
      add(twice + <usize>t * pointBytes, 0)
      treeGroup(entry)
    }
    treeFinish()
  }
  for (let t: u32 = 0; t < count; t++) {
    const size = load<u8>(sizes + t)
    const table = tables + <usize>t * tableBytes
    if (size == 0) continue
    if (size == 1) images2(table, table, imageStep)
    else for (let i: usize = 0; i < multiples; i += 2) images2(table + i * pointBytes, table + (i + 1) * pointBytes, imageStep)
  }
}

/** An entry of the tree, unless it is infinity. */
@inline
function add(point: usize, sign: usize): void {
  if (!isInfinity(point)) treeEntry(point | sign)
}

function doubleAccumulators(count: u32): void {
  let listed: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    const point = accumulators + <usize>i * pointBytes
    if (isInfinity(point)) continue
    store<u32>(list + (<usize>listed << 2), <u32>point)
    listed++
  }
  doublePoints(list, listed, doublings)
}

/** Adds the entries for a row of digits to the accumulators. */
function addDigits(count: u32, row: usize): void {
  let digit = row
  for (let b: u32 = 0; b < count; b++) {
    let open: usize = 0
    for (let k: u32 = 0; k < productCount; k++) {
      for (let part: usize = 0; part < parts; part++) {
        const value = <i32>load<i8>(digit)
        digit++
        if (value == 0) continue
        const table = tables + tableOf(b, pointOf(radix, k)) * tableBytes
        const accumulator = accumulators + <usize>(b * accumulatorCount + accumulatorOf(radix, k)) * pointBytes
        if (open != accumulator) {
          if (open != 0) treeGroup(open)
          open = accumulator
          add(accumulator, 0)
        }
        add(table + part * imageStep + <usize>(abs(value) >> 1) * pointBytes, <usize>(value < 0))
      }
    }
    if (open != 0) treeGroup(open)
  }
  treeFinish()
}

/** ζ times and ζ² times all accumulators, which are pairs. */
function rotateAccumulators(count: u32): void {
  rotated = <usize>count * pointBytes
  for (let i: u32 = 0; i < count; i += 2) {
    const p0 = accumulators + <usize>i * pointBytes
    const p1 = i + 1 < count ? p0 + pointBytes : p0
    const to0 = twice + <usize>i * pointBytes
    const to1 = i + 1 < count ? to0 + pointBytes : to0
    rotate2(to0, to1, p0, p1)
    rotate2(to0 + rotated, to1 + rotated, to0, to1)
    if (isInfinity(p0)) clear(to0)
    if (isInfinity(p1)) clear(to1)
  }
}

function clear(point: usize): void {
  memory.fill(point, 0, pointBytes)
  memory.fill(point + rotated, 0, pointBytes)
}

/** The sums that butterfly number `butterfly`, the b-th of the item, results in. */
function writeButterfly(job: PointStage, butterfly: u32, b: u32): void {
  const at = firstOf(job, butterfly)
  const distance = <usize>job.length * pointBytes
  const out = job.to + at
  const a0 = accumulators + <usize>(b * accumulatorCount) * pointBytes
  const a1 = a0 + pointBytes
  const a2 = a1 + pointBytes
  const p0 = job.whole ? a0 + <usize>(radix - 1) * pointBytes : job.from + at
  if (radix == 1) {
    memory.copy(out, p0, pointBytes)
  } else if (radix == 2) {
    sum(out, p0, a0, 0, 0, 0)
    sum(out + distance, p0, a0, 1, 0, 0)
  } else if (radix == 3) {
    const b0 = twice + (a0 - accumulators)
    const b1 = b0 + pointBytes
    sum(out, p0, a0, 0, a1, 0)
    sum(out + distance, p0, b0, 0, b1 + rotated, 0)
    sum(out + 2 * distance, p0, b0 + rotated, 0, b1, 0)
  } else {
    sum(out, p0, a0, 0, a1, 0)
    sum(out + distance, p0, a0, 1, a2, 0)
    sum(out + 2 * distance, p0, a0, 0, a1, 1)
    sum(out + 3 * distance, p0, a0, 1, a2, 1)
  }
}

/** The point at `out` ← p ± a ± b, without b if that is 0. */
function sum(out: usize, p: usize, a: usize, aSign: usize, b: usize, bSign: usize): void {
  add(p, 0)
  add(a, aSign)
  if (b != 0) add(b, bSign)
  treeGroup(out)
}
