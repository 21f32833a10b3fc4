/**
 * Multi-scalar multiplication by buckets (Pippenger): sums of the points with the same digit, window by window,
 * by affine additions in batches; then the sum of d times bucket d.
 *
 * Steps, in this order: digits (ranges of points), sort (windows), accumulate (parts of the sorted list of
 * every window), join (windows), fold (parts of the buckets of every window), reduce (windows), combine (one item).
 *
 * The buckets of a window are not summed up one after the other: with d = i·2^h + j, the sum of d·S_d is 2^h
 * times the sum of i·R_i plus the sum of j·C_j, where R_i and C_j are sums of rows and columns, found by the
 * same batches of affine additions. With rows and columns the same is done once more; only about 4·2^(c/4) points
 * remain for running sums, two in each lane.
 */
import { bucketCount, bucketOf, Multiplication, signOf } from "../digits"
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

/** Orders the points of window `item` by bucket (counting sort) and clears the heads of its parts. */
export function sort(item: u32, args: usize, _scratch: usize): void {
  const job = changetype<Multiplication>(args)
  const buckets = bucketCount(job)
  const starts = startsOf(job, item)
  const digits = job.digits + ((<usize>item * job.count) << 1)
  const sorted = job.sorted + ((<usize>item * job.count) << 2)
  memory.fill(starts, 0, (<usize>buckets + 2) << 2)
  memory.fill(job.heads + <usize>(item * job.parts) * pointBytes, 0, <usize>job.parts * pointBytes)
  for (let i: u32 = 0; i < job.count; i++) {
    const at = starts + (<usize>bucketOf(load<u16>(digits + (<usize>i << 1))) << 2)
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
    if (code == 0) continue
    const at = starts + (<usize>bucketOf(code) << 2)
    const place = load<u32>(at) - 1
    store<u32>(at, place)
    store<u32>(sorted + (<usize>place << 2), <u32>point | signOf(code))
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

/**
 * Sums of the buckets in part item % parts of window item / parts. A bucket without entries is the part's in which the
 * entry before it lies, or the first one's.
 */
export function accumulate(item: u32, args: usize, scratch: usize): void {
  const job = changetype<Multiplication>(args)
  const window = item / job.parts
  const part = item - window * job.parts
  const starts = startsOf(job, window)
  const buckets = bucketsOf(job, window)
  const sorted = job.sorted + ((<usize>window * job.count) << 2)
  const from = partStart(job, starts, part)
  const to = partStart(job, starts, part + 1)
  let bucket: u32 = 1
  if (part == 0) bucket = clearEmpty(job, starts, buckets, 1, 0)
  if (from == to) return
  if (part > 0) bucket = bucketAt(job, starts, from)
  let out = buckets + <usize>bucket * pointBytes
  if (startOf(starts, bucket) < from) out = job.heads + <usize>item * pointBytes
  treeStart(scratch)
  for (let place = from; place < to; ) {
    const end = min(startOf(starts, bucket + 1), to)
    for (; place < end; place++) treeEntry(<usize>load<u32>(sorted + (<usize>place << 2)))
    treeGroup(out)
    bucket = clearEmpty(job, starts, buckets, bucket + 1, place)
    out = buckets + <usize>bucket * pointBytes
  }
  treeFinish()
}

/** Clears buckets from `bucket` on that end at `place`; returns the first one that does not. */
@inline
function clearEmpty(job: Multiplication, starts: usize, buckets: usize, bucket: u32, place: u32): u32 {
  while (bucket <= bucketCount(job) && startOf(starts, bucket + 1) == place) {
    memory.fill(buckets + <usize>bucket * pointBytes, 0, pointBytes)
    bucket++
  }
  return bucket
}

/** Adds the heads of parts of window `item` to the buckets that they belong to: then its buckets are complete. */
export function join(item: u32, args: usize, scratch: usize): void {
  const job = changetype<Multiplication>(args)
  const window = item
  treeStart(scratch)
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

/** Most rows, and most columns, of rows or columns. */
const mostFolded: u32 = 16
const foldedBytes: usize = <usize>mostFolded * pointBytes
/** Working memory of all steps. */
export const pippengerScratch: usize =
  treeScratch + 4 * foldedBytes + 4 * projectivePairBytes + projectiveScratch + 64

/** h: rows are 2^h buckets long, and there are 2^h columns. */
@inline
function widthLog(job: Multiplication): u32 {
  return job.bits >> 1
}

/** Where the sums of rows 1, 2, … of a window go, and of columns 1, 2, … after them. */
@inline
function foldsOf(job: Multiplication, w: u32): usize {
  const h = widthLog(job)
  return job.folds + <usize>w * ((bucketCount(job) >> h) + (1 << h) - 1) * pointBytes
}

/** Sums of rows and columns of window item / foldParts, part item % foldParts of each. */
export function fold(item: u32, args: usize, scratch: usize): void {
  const job = changetype<Multiplication>(args)
  const window = item / job.foldParts
  const part = item - window * job.foldParts
  const count = bucketCount(job)
  const h = widthLog(job)
  const rowCount = count >> h
  const columnCount: u32 = (1 << h) - 1
  const first = bucketsOf(job, window) + pointBytes
  const rows = foldsOf(job, window)
  const columns = rows + <usize>rowCount * pointBytes
  treeStart(scratch)
  const parts = job.foldParts
  sumRows(first, count, h, (rowCount * part) / parts, (rowCount * (part + 1)) / parts, rows)
  sumColumns(first, count, h, (columnCount * part) / parts, (columnCount * (part + 1)) / parts, columns)
  treeFinish()
}

/** Groups of the tree: points 2^h·i … 2^h·i + 2^h − 1 of 1 … count at `first`, for from < i ≤ to. */
function sumRows(first: usize, count: u32, h: u32, from: u32, to: u32, out: usize): void {
  const width: u32 = 1 << h
  for (let i = from + 1; i <= to; i++) {
    sumOf(first, i << h, min((i << h) + width - 1, count), 1, out + <usize>(i - 1) * pointBytes)
  }
}

/** Groups of the tree: points j, j + 2^h, … of 1 … count at `first`, for from < j ≤ to. */
function sumColumns(first: usize, count: u32, h: u32, from: u32, to: u32, out: usize): void {
  for (let j = from + 1; j <= to; j++) sumOf(first, j, count, 1 << h, out + <usize>(j - 1) * pointBytes)
}

/** The sum of d·(bucket d) of window `item`: that of rows and columns, which are folded once more. */
export function reduce(item: u32, args: usize, scratch: usize): void {
  const job = changetype<Multiplication>(args)
  const h = widthLog(job)
  const g = max(1, h >> 1)
  const rowCount = bucketCount(job) >> h
  const columnCount: u32 = (1 << h) - 1
  const rows = foldsOf(job, item)
  const columns = rows + <usize>rowCount * pointBytes
  const rowRows = scratch + treeScratch
  const rowColumns = rowRows + foldedBytes
  const columnRows = rowColumns + foldedBytes
  const columnColumns = columnRows + foldedBytes
  const width: u32 = 1 << g
  treeStart(scratch)
  sumRows(rows, rowCount, g, 0, rowCount >> g, rowRows)
  sumColumns(rows, rowCount, g, 0, width - 1, rowColumns)
  sumRows(columns, columnCount, g, 0, columnCount >> g, columnRows)
  sumColumns(columns, columnCount, g, 0, width - 1, columnColumns)
  treeFinish()
  const total = columnColumns + foldedBytes
  const other = total + projectivePairBytes
  const spare = other + projectivePairBytes
  const inner = spare + projectivePairBytes
  numberedSum(total, rowRows, rowCount >> g, columnRows, columnCount >> g, spare)
  doublePoints2(total, g, spare)
  numberedSum(other, rowColumns, width - 1, columnColumns, width - 1, spare)
  addPoints2(total, total, other, spare)
  // lane 0: 2^h times the sum over rows; lane 1 stays: it is taken out first
  const row = other
  const column = other + projectiveBytes
  scatterPoints2(spare, column, total)
  doublePoints2(total, h, inner)
  scatterPoints2(row, spare, total)
  gatherPoints2(total, row, column)
  gatherPoints2(spare, column, row)
  addPoints2(total, total, spare, inner)
  scatterPoints2(job.sums + <usize>item * projectiveBytes, spare, total)
}

/** total ← the sums of i·p_i, i ≤ count, in lane 0, and of j·q_j in lane 1. scratch: two pairs and projectiveScratch. */
function numberedSum(total: usize, p: usize, pCount: u32, q: usize, qCount: u32, scratch: usize): void {
  const point = scratch
  const running = point + projectivePairBytes
  const inner = running + projectivePairBytes
  infinity2(running)
  infinity2(total)
  for (let i = max(pCount, qCount); i > 0; i--) {
    const at = <usize>(i - 1) * pointBytes
    lift(point, i <= pCount ? p + at : 0, i <= qCount ? q + at : 0, inner)
    addPoints2(running, running, point, inner)
    addPoints2(total, total, running, inner)
  }
}

/** A group of the tree: points from, from + step, … up to `to`, counted from 1. */
function sumOf(first: usize, from: u32, to: u32, step: u32, out: usize): void {
  for (let d = from; d <= to; d += step) {
    const point = first + <usize>(d - 1) * pointBytes
    if (!isInfinity(point)) treeEntry(point)
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
