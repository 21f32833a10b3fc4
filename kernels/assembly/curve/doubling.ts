/**
 * Doublings of affine points in batches: with d = 2y, λ = 3x²/d, x' = λ² − 2x, y' = λ(x − x') − y; one inversion for
 * all of them (Montgomery's trick), two at a time, one in each lane.
 */
import {
  add2,
  elementBytes,
  gather2,
  invert2,
  mul2,
  mulSubScatter2,
  norm2,
  pairBytes,
  sqr2,
  sqrSubScatter2,
  sumLazy2,
  zeroes2,
} from "./coordinate"
import { pointBytes } from "./tree"

/** Working memory for doublings of `count` points. */
@inline
export function doublingScratch(count: u32): usize {
  return (<usize>((count + 1) >> 1) + temporaries) * pairBytes
}

const temporaries: usize = 7

/**
 * Doubles finite points in place, given a list of `count` addresses (u32), with room for one more. One with y = 0,
 * which neither group has, becomes infinity, and is taken off the list; returns how many are left. The coordinates
 * are prepared.
 */
export function doublePoints(list: usize, count: u32, scratch: usize): u32 {
  if (count == 0 || doubleFinite(list, count, scratch)) return count
  const y = scratch
  let kept: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    const point = addressOf(list, i)
    gather2(y, point + elementBytes, point + elementBytes)
    if (zeroes2(y) != 0) {
      memory.fill(point, 0, pointBytes)
      continue
    }
    store<u32>(list + (<usize>kept << 2), <u32>point)
    kept++
  }
  if (kept > 0) doubleFinite(list, kept, scratch)
  return kept
}

@inline
function addressOf(list: usize, i: u32): usize {
  return <usize>load<u32>(list + (<usize>i << 2))
}

/** False, and nothing is doubled, if some y is zero. */
function doubleFinite(list: usize, count: u32, scratch: usize): bool {
  const running = scratch
  const x = running + pairBytes
  const y = x + pairBytes
  const twice = y + pairBytes
  const slope = twice + pairBytes
  const square = slope + pairBytes
  const zero = square + pairBytes
  const prefixes = scratch + temporaries * pairBytes
  // a lane that is left takes the last point once more
  if (count & 1) store<u32>(list + (<usize>count << 2), <u32>addressOf(list, count - 1))
  const pairs = (count + 1) >> 1
  memory.fill(zero, 0, pairBytes)
  let prefix = prefixes
  for (let i: u32 = 0; i < pairs; i++) {
    const p0 = addressOf(list, 2 * i)
    const p1 = addressOf(list, 2 * i + 1)
    gather2(y, p0 + elementBytes, p1 + elementBytes)
    sumLazy2(twice, y, y)
    if (i == 0) norm2(prefix, twice)
    else mul2(prefix, prefix - pairBytes, twice)
    prefix += pairBytes
  }
  if (zeroes2(prefix - pairBytes) != 0) return false
  invert2(running, prefix - pairBytes)
  for (let i = <i32>pairs - 1; i >= 0; i--) {
    const p0 = addressOf(list, 2 * i)
    const p1 = addressOf(list, 2 * i + 1)
    gather2(x, p0, p1)
    gather2(y, p0 + elementBytes, p1 + elementBytes)
    let inverse = running
    if (i > 0) {
      inverse = slope
      sumLazy2(twice, y, y)
      mul2(slope, running, prefixes + <usize>(i - 1) * pairBytes)
      mul2(running, running, twice)
    }
    sqr2(square, x)
    sumLazy2(twice, square, square)
    add2(square, twice, square)
    mul2(slope, inverse, square)
    sqrSubScatter2(p0, p1, square, slope, x, zero)
    mulSubScatter2(p0 + elementBytes, p1 + elementBytes, slope, square, y)
  }
  return true
}
