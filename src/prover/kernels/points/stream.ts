/**
 * Multiplications over points that are not kept: they are read block by block, converted, multiplied, and given
 * up again, while the next block is being read. Such multiplications take turns, so all of an engine together
 * hold one block in the kernels, and at most three outside: the one converted, the one being read, and what it
 * is picked out of.
 */

import { type ByteSource, partOf } from "../../../circuit/formats/source.js"
import { invariant } from "../../../errors.js"
import type { KernelEngine } from "../engine.js"
import type { RunOptions } from "../pool.js"
import type { Entries } from "./grouping.js"
import { countOf, type RawScalars } from "./multiplication.js"
import { type Affine, addPoints, fileBytes, type Group, type LoadOptions, type PointSet } from "./points.js"

/** Bytes of a block: so many that what a multiplication costs beside its points does not show. */
export const blockBytes = 2 ** 25
/**
 * Bytes that all streams of an engine take at any time, about: what lies outside, garbage of it, and in the
 * kernels four times a block, which is its points, their scalars, digits and sorted addresses, and the buckets.
 */
export const streamBytes = 9 * blockBytes

/**
 * Points that are read whenever they are multiplied, 64 (G1) or 128 (G2) bytes each, as a file has them. Those
 * that come with multiples are few and are kept, behind the others.
 */
export interface StreamedPoints {
  readonly group: Group
  readonly count: number
  readonly head: ByteSource
  readonly tail: Promise<PointSet> | undefined
  readonly nameOf: LoadOptions["nameOf"]
}

export class Streams {
  private readonly engine: KernelEngine
  private readonly blockBytes: number
  /** The multiplication before, and when it has been given the last of its blocks. */
  private last: Promise<unknown> = Promise.resolve()
  private lastRead: Promise<void> = Promise.resolve()

  constructor(engine: KernelEngine, bytes = blockBytes) {
    this.engine = engine
    this.blockBytes = bytes
  }

  load(group: Group, source: ByteSource, { multiples, nameOf }: LoadOptions = {}): StreamedPoints {
    const size = fileBytes[group]
    const given = source.size / size
    invariant(Number.isInteger(given), `points of ${group} take ${size} bytes each`)
    const from = multiples?.from ?? given
    if (multiples === undefined || from === given)
      return { group, count: given, head: source, tail: undefined, nameOf }
    const head = partOf(source, { at: 0, length: from * size })
    const bytes = head.read(from * size, (given - from) * size)
    const ofTail = { multiples: { ...multiples, from: 0 }, nameOf: shifted(nameOf, from) }
    const tail = bytes.then((points) => this.engine.points(group, points, ofTail))
    // whoever multiplies them is told
    tail.catch(() => undefined)
    return { group, count: from + (given - from) * multiples.layers, head, tail, nameOf }
  }

  async free({ tail }: StreamedPoints): Promise<void> {
    const set = await tail?.catch(() => undefined)
    if (set) this.engine.free(set)
  }

  /** As `KernelEngine.msm`; scalars of points with multiples are small. @throws what reading throws, too */
  async msm(points: StreamedPoints, scalars: RawScalars, options: RunOptions = {}): Promise<Affine> {
    const { group, head, tail } = points
    const own = head.size / fileBytes[group]
    const given = countOf(scalars)
    const count = Math.min(own, given)
    invariant(Number.isInteger(given) && given <= points.count, "there is a point for each scalar")
    const length = this.pointsPerBlock(group)
    const blocks = Array.from({ length: Math.ceil(count / length) }, (_, block) => block)
    const products: Affine[] = []
    await this.each(points, count, blocks, options, async (set, from) => {
      products.push(await this.engine.msm(set, some(scalars, from, from + set.count), options))
    })
    if (tail && given > own) {
      invariant("small" in scalars, "scalars of points with multiples are small")
      products.push(await this.engine.msm(await tail, some(scalars, own, given), options))
    }
    return addPoints(group, products)
  }

  /**
   * As `KernelEngine.sums`, but a set for every block that has entries: the sums are those of the sets.
   * @throws as msm
   */
  async sums(
    points: StreamedPoints,
    { group, point, negative }: Entries,
    groups: number,
    options: RunOptions = {},
  ): Promise<PointSet[]> {
    const length = this.pointsPerBlock(points.group)
    const own = points.head.size / fileBytes[points.group]
    const last = Math.ceil(own / length)
    const pointOf = (entry: number) => point?.[entry] ?? entry
    // the block behind the last is that of the points that are kept
    const blockOf = (i: number) => (pointOf(i) < own ? Math.floor(pointOf(i) / length) : last)
    // entries of block b are order[starts[b]] … order[starts[b + 1] − 1]
    const starts = new Uint32Array(last + 2)
    for (let i = 0; i < group.length; i++) starts[blockOf(i) + 1]++
    for (let b = 1; b < starts.length; b++) starts[b] += starts[b - 1]
    const next = starts.slice()
    const order = new Uint32Array(group.length)
    for (let i = 0; i < group.length; i++) order[next[blockOf(i)]++] = i
    const sums: PointSet[] = []
    const add = async (set: PointSet, block: number, from: number): Promise<void> => {
      const entries = order.subarray(starts[block], starts[block + 1])
      const part = {
        group: entries.map((i) => group[i]),
        point: entries.map((i) => pointOf(i) - from),
        negative: negative && Uint8Array.from(entries, (i) => negative[i]),
      }
      sums.push(await this.engine.sums(set, part, groups, options))
    }
    const blocks = Array.from({ length: last }, (_, b) => b).filter((b) => starts[b] < starts[b + 1])
    try {
      await this.each(points, own, blocks, options, (set, from) => add(set, from / length, from))
      if (points.tail && starts[last] < starts[last + 1]) await add(await points.tail, last, own)
    } catch (error) {
      for (const set of sums) this.engine.free(set)
      throw error
    }
    return sums
  }

  private pointsPerBlock(group: Group): number {
    return Math.max(1, Math.floor(this.blockBytes / fileBytes[group]))
  }

  /** Does `work` on blocks, one after the other, with their points and the number of the first. */
  private each(
    { group, head, nameOf }: StreamedPoints,
    count: number,
    blocks: readonly number[],
    { signal }: RunOptions,
    work: (set: PointSet, from: number) => Promise<void>,
  ): Promise<void> {
    const length = this.pointsPerBlock(group)
    const read = (block: number): Promise<Uint8Array> => {
      const from = block * length
      const points = Math.min(count - from, length)
      const bytes = head.read(from * fileBytes[group], points * fileBytes[group])
      // it is awaited later, or never if something else fails first
      bytes.catch(() => undefined)
      return bytes
    }
    if (blocks.length === 0) return Promise.resolve()
    const before = this.last
    const readBefore = this.lastRead
    let allRead = (): void => undefined
    this.lastRead = new Promise((resolve) => {
      allRead = resolve
    })
    const all = async (): Promise<void> => {
      await readBefore
      signal?.throwIfAborted()
      let next = read(blocks[0])
      await before
      for (const [i, block] of blocks.entries()) {
        const bytes = await next
        signal?.throwIfAborted()
        if (i + 1 < blocks.length) next = read(blocks[i + 1])
        else allRead()
        const set = await this.engine.points(group, bytes, { nameOf: shifted(nameOf, block * length) })
        try {
          await work(set, block * length)
        } finally {
          this.engine.free(set)
        }
      }
    }
    const result = all().finally(allRead)
    // what comes next waits for this and for all before it, also if this gives up while it waits
    this.last = Promise.allSettled([before, result]).then(() => undefined)
    return result
  }
}

/** Names of points that begin with number `from`. */
const shifted = (nameOf: LoadOptions["nameOf"], from: number): LoadOptions["nameOf"] =>
  nameOf && ((point) => nameOf(from + point))

/** Those from number `from` to before number `to`. */
function some(scalars: RawScalars, from: number, to: number): RawScalars {
  if ("full" in scalars) return { full: scalars.full.subarray(32 * from, 32 * to) }
  if ("small" in scalars) return { small: scalars.small.subarray(from, to) }
  return { at: scalars.at + 32 * from, count: to - from }
}
