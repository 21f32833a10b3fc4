/**
 * Sums of points by group, as points for a multiplication that follows: Σ k_g · (Σ points of group g) costs one
 * addition a point and a multiplication over the groups. The sums are the buckets of one window whose digits
 * are the groups; its sort and accumulation are those of a multiplication (kernels/assembly/curve/pippenger.ts).
 */
import { invariant } from "../../errors.js"
import { multiplicationFields } from "./multiplication.js"
import { constantOf, type PointSet } from "./points.js"
import type { KernelPool, Step } from "./pool.js"

/** Entries that are worth an item. */
const leastPart = 1024
/** Digits are 16 bits, the lowest of them a sign. */
export const maximumGroups = 2 ** 15 - 1

export class Grouping {
  /** The sums, group by group; infinity where a group is empty. */
  readonly sums: PointSet
  private readonly pool: KernelPool
  private readonly group: PointSet["group"]
  private readonly blocks: number[] = []
  private readonly args: number
  private readonly parts: number
  private readonly flags: number
  private readonly pointBytes: number

  /** `groupOf[i]` < `groups` is the group of point i. */
  constructor(pool: KernelPool, points: PointSet, groupOf: Uint32Array, groups: number) {
    invariant(groupOf.length === points.count, "there is a group for each point")
    invariant(groups > 0 && groups <= maximumGroups, `at most ${maximumGroups} groups, not ${groups}`)
    this.pool = pool
    this.group = points.group
    const count = points.count
    const bits = Math.ceil(Math.log2(groups)) + 1
    const buckets = 2 ** (bits - 1)
    this.parts = Math.max(1, Math.min(8 * pool.threads, Math.floor(count / leastPart)))
    const pointBytes = constantOf(pool, `${points.group}PointBytes`)
    this.pointBytes = pointBytes
    const { memory } = pool
    try {
      const digits = this.allocate(2 * count)
      const sums = this.allocate((buckets + 1) * pointBytes)
      this.flags = this.allocate(Math.ceil(groups / 8))
      this.args = this.allocate(4 * multiplicationFields)
      const struct = [
        points.address,
        count,
        0,
        0,
        0,
        bits,
        1,
        0,
        count,
        digits,
        this.allocate(4 * count),
        this.allocate(4 * (buckets + 2)),
        sums,
        this.parts,
        this.allocate(this.parts * pointBytes),
        0,
        0,
      ]
      memory.unsigned(this.args, multiplicationFields).set(struct)
      const codes = new Uint16Array(memory.memory.buffer, digits >>> 0, count)
      const empty = memory.bytes(this.flags, Math.ceil(groups / 8))
      empty.fill(255)
      const { infinite } = points
      const flagged = infinite === 0 ? undefined : memory.bytes(infinite, Math.ceil(count / 8))
      for (let i = 0; i < count; i++) {
        // digit 0 leaves a point out
        if (flagged && (flagged[i >> 3] >> (i & 7)) & 1) codes[i] = 0
        else {
          codes[i] = 2 * (groupOf[i] + 1)
          empty[groupOf[i] >> 3] &= ~(1 << (groupOf[i] & 7))
        }
      }
      this.sums = { group: points.group, count: groups, address: sums + pointBytes, infinite: this.flags }
    } catch (error) {
      this.release()
      throw error
    }
  }

  /** Steps for a program in which they begin at index `first` and wait for the steps `after`. */
  steps(first = 0, after: readonly number[] = []): Step[] {
    const { group, pool, args } = this
    const scratchBytes = constantOf(pool, `${group}PippengerScratch`)
    const step = (kernel: string, items: number, index: number): Step => {
      return { kernel, items, args, after: index === 0 ? after : [first + index - 1], scratchBytes }
    }
    return [step(`${group}Sort`, 1, 0), step(`${group}Accumulate`, this.parts, 1), step(`${group}Join`, 1, 2)]
  }

  /** Once the steps are done: marks the groups whose points cancel out, which are left as zero bytes. */
  finish(): void {
    const { memory } = this.pool
    const flags = memory.bytes(this.flags, Math.ceil(this.sums.count / 8))
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
    for (const at of this.blocks.splice(0)) this.pool.memory.release(at)
  }

  private allocate(bytes: number): number {
    const at = this.pool.memory.allocate(bytes, "sums of points by group")
    this.blocks.push(at)
    return at
  }
}
