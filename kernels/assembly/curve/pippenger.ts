/**
 * Multi-scalar multiplication by buckets (Pippenger): sums of the points with the same digit, window by window,
 * by affine additions in batches; then the sum of d times bucket d.
 *
 * Steps, in this order: digits (ranges of points), sort (windows), accumulate (parts of the sorted list of
 * every window), reduce (windows), combine (one item).
 *
 * The buckets of a window are not summed up one after the other: with d = i·2^h + j, the sum of d·S_d is 2^h
 * times the sum of i·R_i plus the sum of j·C_j, where R_i and C_j are sums of rows and columns, found by the
 * same batches of affine additions; only about 2·2^(c/2) points remain for a running sum, rows in one lane and
 * columns in the other.
 */
import { Multiplication } from "../digits"
import {
  elementBytes,
  fileBytes,
  gather2,
  invert2,
  mul2,
  pairBytes,
  scatter2,
  write2,
} from "./coordinate"
import {
  addPoints2,
  doublePoints2,
  gatherPoints2,
  infinity2,
  projectiveBytes,
  projectivePairBytes,
  projectiveScratch,
  scatterPoints2,
} from "./projective"
import { isInfinity, pointBytes, treeEntry, treeFinish, treeGroup, treeScratch, treeStart } from "./tree"

@inline
function bucketCount(job: Multiplication): u32 {
  return 1 << (job.bits - 1)
}

@inline
function startsOf(job: Multiplication, w: u32): usize {
  return job.starts + ((<usize>w * (bucketCount(job) + 2)) << 2)
}

@inline
function bucketsOf(job: Multiplication, w: u32): usize {
  return job.buckets + <usize>w * (bucketCount(job) + 1) * pointBytes
}

@inline
function startOf(starts: usize, bucket: u32): u32 {
  return load<u32>(starts + (<usize>bucket << 2))
}

/** Orders the points of window `item` by bucket (counting sort) and clears what the next steps fill. */
export function sort(item: u32, args: usize, _scratch: usize): void {
  const job = changetype<Multiplication>(args)
  const buckets = bucketCount(job)
  const starts = startsOf(job, item)
  const digits = job.digits + ((<usize>item * job.count) << 1)
  const sorted = job.sorted + ((<usize>item * job.count) << 2)
  memory.fill(starts, 0, (<usize>buckets + 2) << 2)
  memory.fill(bucketsOf(job, item), 0, <usize>(buckets + 1) * pointBytes)
  memory.fill(job.heads + <usize>(item * job.parts) * pointBytes, 0, <usize>job.parts * pointBytes)
  for (let i: u32 = 0; i < job.count; i++) {
    const at = starts + ((<usize>load<u16>(digits + (<usize>i << 1)) >> 1) << 2)
    store<u32>(at, load<u32>(at) + 1)
  }
  // from numbers to ends; bucket 0 holds the zeros, which are left out
  let end: u32 = 0
  store<u32>(starts, 0)
  for (let d: u32 = 1; d <= buckets; d++) {
    const at = starts + (<usize>d << 2)
    end += load<u32>(at)
    store<u32>(at, end)
  }
  store<u32>(starts + (<usize>(buckets + 1) << 2), end)
  // from ends to starts, as the places are taken
  let point = job.points + <usize>job.count * pointBytes
  for (let i = job.count; i > 0; i--) {
    point -= pointBytes
    const code = load<u16>(digits + (<usize>(i - 1) << 1))
    if (code < 2) continue
    const at = starts + ((<usize>code >> 1) << 2)
    const place = load<u32>(at) - 1
    store<u32>(at, place)
    store<u32>(sorted + (<usize>place << 2), <u32>point | (code & 1))
  }
}

/** Where part k of a window starts in its sorted list. */
@inline
function partStart(job: Multiplication, starts: usize, part: u32): u32 {
  return <u32>((<u64>startOf(starts, bucketCount(job) + 1) * part) / job.parts)
}

/** The bucket that the entry at `place` belongs to. */
function bucketAt(job: Multiplication, starts: usize, place: u32): u32 {
  let low: u32 = 1
  let high = bucketCount(job) + 1
  // starts[low] ≤ place < starts[high]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (startOf(starts, middle) <= place) low = middle
    else high = middle
  }
  return low
}

/** Sums of the buckets in part item % parts of window item / parts. */
export function accumulate(item: u32, args: usize, scratch: usize): void {
  const job = changetype<Multiplication>(args)
  const window = item / job.parts
  const part = item - window * job.parts
  const starts = startsOf(job, window)
  const buckets = bucketsOf(job, window)
  const sorted = job.sorted + ((<usize>window * job.count) << 2)
  const from = partStart(job, starts, part)
  const to = partStart(job, starts, part + 1)
  if (from == to) return
  let bucket = bucketAt(job, starts, from)
  let out = buckets + <usize>bucket * pointBytes
  if (startOf(starts, bucket) < from) out = job.heads + <usize>item * pointBytes
  treeStart(scratch)
  for (let place = from; place < to; ) {
    const end = min(startOf(starts, bucket + 1), to)
    if (end > place) {
      for (; place < end; place++) treeEntry(<usize>load<u32>(sorted + (<usize>place << 2)))
      treeGroup(out)
    }
    bucket++
    out = buckets + <usize>bucket * pointBytes
  }
  treeFinish()
}

/** Adds the heads of parts to the buckets that they belong to. */
function joinHeads(job: Multiplication, window: u32): void {
  if (job.heads == 0) return
  const starts = startsOf(job, window)
  const buckets = bucketsOf(job, window)
  let open: u32 = 0
  for (let part: u32 = 1; part < job.parts; part++) {
    const head = job.heads + <usize>(window * job.parts + part) * pointBytes
    if (isInfinity(head)) continue
    const bucket = bucketAt(job, starts, partStart(job, starts, part))
    const sum = buckets + <usize>bucket * pointBytes
    if (bucket != open) {
      if (open != 0) treeGroup(buckets + <usize>open * pointBytes)
      open = bucket
      if (!isInfinity(sum)) treeEntry(sum)
    }
    treeEntry(head)
  }
  if (open != 0) treeGroup(buckets + <usize>open * pointBytes)
  treeFinish()
}

/** Working memory of `reduce` and `combine`. */
const sumsBytes: usize = 2 * 130 * pointBytes
export const pippengerScratch: usize =
  treeScratch + sumsBytes + 4 * projectivePairBytes + projectiveScratch + 64

/** Completes the buckets of window `item`, where they are all that is wanted. */
export function join(item: u32, args: usize, scratch: usize): void {
  treeStart(scratch)
  joinHeads(changetype<Multiplication>(args), item)
}

/** The sum of d·(bucket d) of window `item`. */
export function reduce(item: u32, args: usize, scratch: usize): void {
  const job = changetype<Multiplication>(args)
  const buckets = bucketsOf(job, item)
  const last = bucketCount(job)
  const rows = scratch + treeScratch
  const columns = rows + 130 * pointBytes
  const tail = columns + 130 * pointBytes
  treeStart(scratch)
  joinHeads(job, item)
  const h = job.bits >> 1
  const width: u32 = 1 << h
  const rowCount = last >> h
  for (let i: u32 = 1; i <= rowCount; i++) {
    const from = i << h
    sumOf(buckets, from, min(from + width - 1, last), 1, rows + <usize>i * pointBytes)
  }
  for (let j: u32 = 1; j < width; j++) sumOf(buckets, j, last, width, columns + <usize>j * pointBytes)
  treeFinish()
  const point = tail
  const running = point + projectivePairBytes
  const total = running + projectivePairBytes
  const inner = total + projectivePairBytes
  infinity2(running)
  infinity2(total)
  for (let i = max(rowCount, width - 1); i > 0; i--) {
    const row = i <= rowCount ? rows + <usize>i * pointBytes : 0
    const column = i < width ? columns + <usize>i * pointBytes : 0
    lift(point, row, column, inner)
    addPoints2(running, running, point, inner)
    addPoints2(total, total, running, inner)
  }
  // lane 0: 2^h times the sum over rows; lane 1 stays: it is taken out first
  const row = running
  const column = running + projectiveBytes
  const spare = point
  scatterPoints2(spare, column, total)
  doublePoints2(total, h, inner)
  scatterPoints2(row, spare, total)
  gatherPoints2(total, row, column)
  gatherPoints2(point, column, row)
  addPoints2(total, total, point, inner)
  scatterPoints2(job.sums + <usize>item * projectiveBytes, spare, total)
}

/** A group of the tree: buckets from, from + step, … up to `to`. */
function sumOf(buckets: usize, from: u32, to: u32, step: u32, out: usize): void {
  for (let d = from; d <= to; d += step) {
    const bucket = buckets + <usize>d * pointBytes
    if (!isInfinity(bucket)) treeEntry(bucket)
  }
  treeGroup(out)
}

/** to ← two affine points, 0 or zero bytes for infinity, in projective coordinates. scratch: 3 pairs. */
function lift(to: usize, p0: usize, p1: usize, scratch: usize): void {
  infinity2(to)
  // (0 : 1 : 0) in the place of points that are infinity, Z = 1 elsewhere
  const finite0 = p0 != 0 && !isInfinity(p0)
  const finite1 = p1 != 0 && !isInfinity(p1)
  const zero = scratch
  const one = zero + elementBytes
  const spare = one + elementBytes
  scatter2(zero, spare, to)
  scatter2(one, spare, to + pairBytes)
  gather2(to, finite0 ? p0 : zero, finite1 ? p1 : zero)
  gather2(to + pairBytes, finite0 ? p0 + elementBytes : one, finite1 ? p1 + elementBytes : one)
  gather2(to + 2 * pairBytes, finite0 ? one : zero, finite1 ? one : zero)
}

/** The sum of 2^(cw) times the sum of window w, as affine coordinates. */
export function combine(_item: u32, args: usize, scratch: usize): void {
  const job = changetype<Multiplication>(args)
  treeStart(scratch)
  const total = scratch + treeScratch
  const point = total + projectivePairBytes
  const inner = point + projectivePairBytes
  infinity2(total)
  for (let w = <i32>job.windows - 1; w >= 0; w--) {
    doublePoints2(total, job.bits, inner)
    const sum = job.sums + <usize>w * projectiveBytes
    gatherPoints2(point, sum, sum)
    addPoints2(total, total, point, inner)
  }
  writeAffine(job.result, total, inner)
}

/** Lane 0 of a projective point as in a file; infinity as zero bytes, because 0 has the "inverse" 0. */
function writeAffine(to: usize, point: usize, scratch: usize): void {
  const inverse = scratch
  const coordinate = scratch + pairBytes
  invert2(inverse, point + 2 * pairBytes)
  mul2(coordinate, point, inverse)
  write2(to, coordinate + pairBytes, coordinate)
  mul2(coordinate, point + pairBytes, inverse)
  write2(to + fileBytes, coordinate + pairBytes, coordinate)
}
