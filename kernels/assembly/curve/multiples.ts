/**
 * Multiples of resident points by powers of 2^c, by doublings in batches.
 *
 * Layer 0 are the points themselves; layer k, as many points further on, is 2^(ck) times layer 0.
 */
import { coordinateScratch, prepareCoordinate } from "./coordinate"
import { doublePoints, doublingScratch } from "./doubling"
import { isInfinity, pointBytes } from "./tree"

/** Points of an item. */
export const multiplesRange: u32 = 512

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

const listBytes: usize = (<usize>multiplesRange + 16) << 2
export const multiplesScratch: usize = coordinateScratch + listBytes + doublingScratch(multiplesRange)

/** All layers of the points of range `item`. */
export function multiples(item: u32, args: usize, scratch: usize): void {
  const job = changetype<Multiples>(args)
  prepareCoordinate(scratch)
  const list = scratch + coordinateScratch
  const from = item * multiplesRange
  const count = min(multiplesRange, job.count - from)
  const first = job.points + <usize>from * pointBytes
  let layer = first
  for (let k: u32 = 1; k < job.layers; k++) {
    const before = layer
    layer += <usize>job.count * pointBytes
    memory.copy(layer, before, <usize>count * pointBytes)
    let listed: u32 = 0
    for (let i: u32 = 0; i < count; i++) {
      const point = layer + <usize>i * pointBytes
      if (isInfinity(point)) continue
      store<u32>(list + (<usize>listed << 2), <u32>point)
      listed++
    }
    for (let bit: u32 = 0; bit < job.bits; bit++) {
      // one that became infinity had y = 0, so it is on another curve
      if (doublePoints(list, listed, list + listBytes) == listed) continue
      job.refused = from + firstNew(first, layer, count) + 1
      return
    }
  }
}

/** Number of the first point that is infinity in a layer, and was not in layer 0. */
function firstNew(first: usize, layer: usize, count: u32): u32 {
  let i: u32 = 0
  while (i < count - 1 && (isInfinity(first + <usize>i * pointBytes) || !isInfinity(layer + <usize>i * pointBytes))) i++
  return i
}
