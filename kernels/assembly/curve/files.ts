/** Points between files and the form of the kernels. */
import {
  add2,
  coordinateScratch,
  elementBytes,
  fileBytes,
  gather2,
  mul2,
  one2,
  pairBytes,
  prepareCoordinate,
  read2,
  scatter2,
  sqr2,
  sub2,
  timesThreeB2,
  write2,
  zeroes2,
} from "./coordinate"
import { isCanonical } from "../fq"
import { isInfinity, pointBytes } from "./tree"

/** Working memory of all that is here. */
export const fileScratch: usize = coordinateScratch + 5 * pairBytes + fileBytes

/** Points that go from one form to the other; written by the engine. */
@unmanaged
class FilePoints {
  from: usize
  to: usize
  count: u32
  /** Bits of points at infinity, as above; cleared by the engine. */
  infinite: usize
  /** Number of them, added up by all items. */
  infinities: usize
  /** Points that an item takes, a multiple of 8. */
  rangeLength: u32
  /** Set to 1 if a coordinate is not below q: the point is left out, and whoever asked for all of them is told. */
  refused: u32
}

/**
 * Converts points of range `item` from a file into the form of the kernels. Coordinates are below q then, and only
 * infinity is zero bytes; nothing says that the points are on a curve, and nothing here or in what follows needs it.
 */
export function readPoints(item: u32, args: usize, scratch: usize): void {
  const job = changetype<FilePoints>(args)
  const from = item * job.rangeLength
  const to = min(from + job.rangeLength, job.count)
  prepareCoordinate(scratch)
  const pair = scratch + coordinateScratch
  let infinities: u32 = 0
  for (let i = from; i < to; i++) {
    const source = job.from + <usize>i * 2 * fileBytes
    const target = job.to + <usize>i * pointBytes
    if (isZero(source)) {
      infinities++
      const bits = job.infinite + (i >> 3)
      store<u8>(bits, load<u8>(bits) | (1 << (<u8>i & 7)))
      memory.fill(target, 0, pointBytes)
      continue
    }
    if (!isReduced(source)) {
      job.refused = 1
      memory.fill(target, 0, pointBytes)
      continue
    }
    // both coordinates side by side
    read2(pair, source, source + fileBytes)
    scatter2(target, target + elementBytes, pair)
  }
  if (infinities > 0) atomic.add<u32>(job.infinities, infinities)
}

/** Whether the bytes of a point are those of infinity. */
@inline
function isZero(source: usize): bool {
  let any: u64 = 0
  for (let byte: usize = 0; byte < 2 * fileBytes; byte += 8) any |= load<u64>(source + byte)
  return any == 0
}

/** Whether all coordinates are below q. */
@inline
function isReduced(source: usize): bool {
  let reduced = true
  for (let byte: usize = 0; byte < 2 * fileBytes; byte += 32) reduced = isCanonical(source + byte) && reduced
  return reduced
}

/** Converts points of range `item` into the form of a file. Only infinity is zero bytes, in both forms. */
export function writePoints(item: u32, args: usize, scratch: usize): void {
  const job = changetype<FilePoints>(args)
  const from = item * job.rangeLength
  const to = min(from + job.rangeLength, job.count)
  prepareCoordinate(scratch)
  const pair = scratch + coordinateScratch
  for (let i = from; i < to; i++) {
    const source = job.from + <usize>i * pointBytes
    const target = job.to + <usize>i * 2 * fileBytes
    if (isInfinity(source)) {
      memory.fill(target, 0, 2 * fileBytes)
      continue
    }
    gather2(pair, source, source + elementBytes)
    write2(target, target + fileBytes, pair)
  }
}

/** Points of a file that are looked at, or get another form; written by the engine. */
@unmanaged
class PointBytes {
  from: usize
  /** Where they go; for `offCurve` a u32 for each range: number of its first point, from 1 on, that is none, or 0. */
  to: usize
  count: u32
  /** Points that an item takes. */
  rangeLength: u32
}

/** The first point of range `item` of a file that is infinity, or not reduced, or not on the curve. */
export function offCurve(item: u32, args: usize, scratch: usize): void {
  const job = changetype<PointBytes>(args)
  const from = item * job.rangeLength
  const to = min(from + job.rangeLength, job.count)
  prepareCoordinate(scratch)
  const x = scratch + coordinateScratch
  const y = x + pairBytes
  const t = y + pairBytes
  const threeB = t + pairBytes
  one2(t)
  timesThreeB2(threeB, t)
  let found: u32 = 0
  for (let i = from; i < to && found == 0; i += 2) {
    const p0 = job.from + <usize>i * 2 * fileBytes
    const p1 = i + 1 < to ? p0 + 2 * fileBytes : p0
    read2(x, p0, p1)
    read2(y, p0 + fileBytes, p1 + fileBytes)
    // 3(y² − x³) = 3b
    sqr2(t, x)
    mul2(x, x, t)
    sqr2(y, y)
    sub2(t, y, x)
    add2(x, t, t)
    add2(t, t, x)
    sub2(t, t, threeB)
    const on = zeroes2(t)
    if (!(on & 1) || isZero(p0) || !isReduced(p0)) found = i + 1
    else if (!(on & 2) || isZero(p1) || !isReduced(p1)) found = i + 2
  }
  store<u32>(job.to + (<usize>item << 2), found)
}

/**
 * Points of range `item` of a file as "uncompressed" ones: plain integers, big endian, so that of an element of F_q²
 * the imaginary part comes first; infinity is zero.
 */
export function uncompressed(item: u32, args: usize, scratch: usize): void {
  const job = changetype<PointBytes>(args)
  const from = item * job.rangeLength
  const to = min(from + job.rangeLength, job.count)
  prepareCoordinate(scratch)
  const pair = scratch + coordinateScratch
  const plain = pair + pairBytes
  const bytes = plain + pairBytes
  // as a file has it, one is 2^−256: what takes its factor from a coordinate
  memory.fill(bytes, 0, fileBytes)
  store<u32>(bytes, 1)
  read2(plain, bytes, bytes)
  for (let i = from; i < to; i++) {
    const source = job.from + <usize>i * 2 * fileBytes
    const target = job.to + <usize>i * 2 * fileBytes
    if (isZero(source)) {
      memory.fill(target, 0, 2 * fileBytes)
      continue
    }
    read2(pair, source, source + fileBytes)
    mul2(pair, pair, plain)
    write2(target, target + fileBytes, pair)
    reverse(target)
    reverse(target + fileBytes)
  }
}

/** The bytes of a coordinate the other way round. */
function reverse(coordinate: usize): void {
  let last = coordinate + fileBytes - 8
  for (let first = coordinate; first < last; first += 8) {
    const word = bswap<u64>(load<u64>(first))
    store<u64>(first, bswap<u64>(load<u64>(last)))
    store<u64>(last, word)
    last -= 8
  }
}
