/**
 * Sums of points by group, as points for a multiplication that follows: Σ k_g · (Σ points of group g) costs one
 * addition an entry and a multiplication over the groups. The sums are the buckets of one window whose sorted
 * list is written here; its accumulation is that of a multiplication (kernels/assembly/curve/pippenger.ts).
 */
import { invariant } from "../../../errors.js"
import { Blocks } from "../blocks.js"
import type { KernelPool } from "../pool.js"
import { chain, type Step } from "../program.js"
import { noFields, type Struct } from "../structs.js"
import type { PointSet } from "./points.js"

/** Entries that are worth an item. */
const leastPart = 1024

/** Which points are added to which group; a point may occur in several entries. */
export interface Entries {
  /** Group of each entry. */
  readonly group: Uint32Array
  /** Index of its point; without, entry i is point i. */
  readonly point?: Uint32Array | undefined
  /** 1 where the point is subtracted. */
  readonly negative?: Uint8Array | undefined
}

export class Grouping {
  /** The sums, group by group; infinity where a group is empty. */
  readonly sums: PointSet
  private readonly pool: KernelPool
  private readonly group: PointSet["group"]
  private readonly blocks: Blocks
  private readonly job: Struct<"Multiplication">
  private readonly parts: number
  private readonly flags: number
  private readonly pointBytes: number

  constructor(pool: KernelPool, points: PointSet, entries: Entries, groups: number) {
    const count = entries.group.length
    invariant((entries.point?.length ?? points.count) === count, "there is a group for each entry")
    this.pool = pool
    this.group = points.group
    this.blocks = new Blocks(pool.memory, "sums of points by group")
    const bits = Math.max(1, Math.ceil(Math.log2(groups)) + 1)
    const buckets = 2 ** (bits - 1)
    this.parts = Math.max(1, Math.min(8 * pool.threads, Math.floor(count / leastPart)))
    const pointBytes = pool.constant(`${points.group}PointBytes`)
    this.pointBytes = pointBytes
    const { blocks } = this
    const { memory } = pool
    try {
      const sums = blocks.allocate((buckets + 1) * pointBytes)
      const heads = blocks.allocate(this.parts * pointBytes)
      const sorted = blocks.allocate(4 * count)
      const starts = blocks.allocate(4 * (buckets + 2))
      this.flags = blocks.allocate(Math.ceil(groups / 8))
      this.job = blocks.struct("Multiplication")
      this.job.write({
        ...noFields("Multiplication"),
        points: points.address,
        count,
        bits,
        windows: 1,
        rangeLength: count,
        sorted,
        starts,
        buckets: sums,
        parts: this.parts,
        heads,
      })
      memory.bytes(sums, (buckets + 1) * pointBytes).fill(0)
      memory.bytes(heads, this.parts * pointBytes).fill(0)
      this.sums = { group: points.group, count: groups, address: sums + pointBytes, infinite: this.flags }
      this.sort(points, entries, memory.unsigned(sorted, count), memory.unsigned(starts, buckets + 2))
    } catch (error) {
      this.release()
      throw error
    }
  }

  /** Addresses of the points by group; bucket g + 1 is group g. */
  private sort(points: PointSet, entries: Entries, sorted: Uint32Array, starts: Uint32Array): void {
    const { address, infinite } = points
    const { ends, order, largest } = orderOf(entries, this.sums.count)
    invariant(largest < points.count, "an entry has a point")
    const flags = infinite === 0 ? undefined : this.pool.memory.bytes(infinite, Math.ceil(points.count / 8))
    const { pointBytes } = this
    starts.fill(0)
    let at = 0
    let place = 0
    for (let g = 0; g < ends.length; g++) {
      starts[g + 1] = at
      for (; place < ends[g]; place++) {
        const index = order[place] >>> 1
        if (flags && (flags[index >> 3] >> (index & 7)) & 1) continue
        // addresses are even, too
        sorted[at++] = address + index * pointBytes + (order[place] & 1)
      }
    }
    starts.fill(at, ends.length + 1)
  }

  /** Steps for a program in which they begin at index `first` and wait for the steps `after`. */
  steps(first = 0, after: readonly number[] = []): Step[] {
    const { group, pool } = this
    const own = { args: this.job.at, scratchBytes: pool.constant(`${group}PippengerScratch`) }
    const accumulate = { ...own, kernel: `${group}Accumulate`, items: this.parts }
    return chain([accumulate, { ...own, kernel: `${group}Join`, items: 1 }], first, after)
  }

  /** Once the steps are done: marks the groups that have no sum, which are left as zero bytes. */
  finish(): void {
    const { memory } = this.pool
    const flags = memory.bytes(this.flags, Math.ceil(this.sums.count / 8))
    flags.fill(0)
    const words = this.pointBytes / 4
    const sums = memory.unsigned(this.sums.address, words * this.sums.count)
    for (let g = 0; g < this.sums.count; g++) {
      let word = 0
      while (word < words && sums[g * words + word] === 0) word++
      if (word === words) flags[g >> 3] |= 1 << (g & 7)
    }
  }

  /** Gives the memory back, the sums with it. */
  release(): void {
    this.blocks.release()
  }
}

interface Order {
  /** Where the points of each group end. */
  readonly ends: Uint32Array
  /** Twice the numbers of points, group by group; bit 0 says to subtract. */
  readonly order: Uint32Array
  /** The largest number of a point, −1 if there is none. */
  readonly largest: number
}

/** Two sets of points may have the same entries: they are sorted once. */
const orders = new WeakMap<Entries, Order>()

/** Counting sort of entries by group. */
function orderOf(entries: Entries, groups: number): Order {
  const known = orders.get(entries)
  if (known?.ends.length === groups) return known
  const { group, point, negative } = entries
  const next = new Uint32Array(groups + 1)
  for (let i = 0; i < group.length; i++) {
    invariant(group[i] < groups, "an entry has a group")
    next[group[i] + 1]++
  }
  for (let g = 1; g <= groups; g++) next[g] += next[g - 1]
  const order = new Uint32Array(group.length)
  let largest = -1
  for (let i = 0; i < group.length; i++) {
    const index = point ? point[i] : i
    if (index > largest) largest = index
    order[next[group[i]]++] = 2 * index + (negative ? negative[i] : 0)
  }
  // places are taken now: what was where a group begins is where it ends
  const sorted = { ends: next.subarray(0, groups), order, largest }
  orders.set(entries, sorted)
  return sorted
}
