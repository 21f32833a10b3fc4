/** Points between files and the form of the kernels. */
import {
  coordinateScratch,
  elementBytes,
  fileBytes,
  gather2,
  pairBytes,
  prepareCoordinate,
  read2,
  scatter2,
  write2,
} from "./coordinate"
import { isCanonical } from "../fq"
import { isInfinity, pointBytes } from "./tree"

/** Working memory of `readPoints` and `writePoints`. */
export const fileScratch: usize = coordinateScratch + pairBytes

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
    let any: u64 = 0
    for (let byte: usize = 0; byte < 2 * fileBytes; byte += 8) any |= load<u64>(source + byte)
    if (any == 0) {
      infinities++
      const bits = job.infinite + (i >> 3)
      store<u8>(bits, load<u8>(bits) | (1 << (<u8>i & 7)))
      memory.fill(target, 0, pointBytes)
      continue
    }
    let canonical = true
    for (let byte: usize = 0; byte < 2 * fileBytes; byte += 32) canonical = isCanonical(source + byte) && canonical
    if (!canonical) {
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
