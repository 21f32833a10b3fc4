/**
 * Multi-scalar multiplication where buckets are few: buckets of ranges of points, which are then added up bucket by
 * bucket. A range lies in the cache while its points are picked in the order of their digits, it is sorted where it
 * is added, and the number of additions is the same. Steps: ranges (ranges of points), merge (parts of windows), then
 * fold, reduce and combine (pippenger.ts).
 */
import { bucketCount, bucketOf, digits, Multiplication, signOf } from "../digits"
import { isInfinity, pointBytes, treeEntry, treeFinish, treeGroup, treeScratch, treeStart } from "./tree"

/** Buckets that a window may have here: their starts lie in the working memory. */
export const mostRangeBuckets: u32 = 1024
export const rangesScratch: usize = treeScratch + ((<usize>mostRangeBuckets + 2) << 2)

/** Bucket d of window w among those of range number `range`. */
@inline
function partialOf(job: Multiplication, range: u32, w: u32, d: u32): usize {
  return job.partials + (<usize>(range * job.windows + w) * (bucketCount(job) + 1) + d) * pointBytes
}

/** The digits of range `item`, and the sums of its points by digit. */
export function ranges(item: u32, args: usize, scratch: usize): void {
  const job = changetype<Multiplication>(args)
  const from = item * job.rangeLength
  const length = min(job.rangeLength, job.count - from)
  const buckets = bucketCount(job)
  const starts = scratch + treeScratch
  digits(item, args, scratch)
  treeStart(scratch)
  for (let w: u32 = 0; w < job.windows; w++) {
    const sorted = job.sorted + ((<usize>w * job.count + from) << 2)
    sortRange(job, job.digits + ((<usize>w * job.count + from) << 1), from, length, starts, sorted)
    let place = sorted
    for (let d: u32 = 1; d <= buckets; d++) {
      const end = sorted + (<usize>load<u32>(starts + (<usize>d << 2), 4) << 2)
      for (; place < end; place += 4) treeEntry(<usize>load<u32>(place))
      treeGroup(partialOf(job, item, w, d))
    }
  }
  treeFinish()
}

/** Counting sort of the entries of a range; starts[d + 1] becomes the end of bucket d. */
function sortRange(job: Multiplication, codes: usize, from: u32, length: u32, starts: usize, sorted: usize): void {
  const buckets = bucketCount(job)
  memory.fill(starts, 0, (<usize>buckets + 2) << 2)
  for (let i: u32 = 0; i < length; i++) {
    const at = starts + (<usize>bucketOf(load<u16>(codes + (<usize>i << 1))) << 2)
    store<u32>(at, load<u32>(at, 4) + 1, 4)
  }
  // from numbers to starts, at d + 1 for bucket d; the zeros are left out
  let start: u32 = 0
  for (let d: u32 = 1; d <= buckets; d++) {
    const at = starts + (<usize>d << 2)
    const size = load<u32>(at, 4)
    store<u32>(at, start, 4)
    start += size
  }
  // from starts to ends, as the places are taken
  let point = job.points + <usize>from * pointBytes
  for (let i: u32 = 0; i < length; i++) {
    const code = load<u16>(codes + (<usize>i << 1))
    if (code != 0) {
      const at = starts + (<usize>bucketOf(code) << 2)
      const place = load<u32>(at, 4)
      store<u32>(at, place + 1, 4)
      store<u32>(sorted + (<usize>place << 2), <u32>point | signOf(code))
    }
    point += pointBytes
  }
}

/** Sums of the buckets in part item % parts of window item / parts, over all ranges. */
export function merge(item: u32, args: usize, scratch: usize): void {
  const job = changetype<Multiplication>(args)
  const w = item / job.parts
  const part = item - w * job.parts
  const buckets = bucketCount(job)
  const rangeCount = (job.count + job.rangeLength - 1) / job.rangeLength
  const last = (buckets * (part + 1)) / job.parts
  treeStart(scratch)
  for (let d = (buckets * part) / job.parts + 1; d <= last; d++) {
    for (let range: u32 = 0; range < rangeCount; range++) {
      const partial = partialOf(job, range, w, d)
      if (!isInfinity(partial)) treeEntry(partial)
    }
    treeGroup(job.buckets + <usize>(w * (buckets + 1) + d) * pointBytes)
  }
  treeFinish()
}
