/**
 * Multiplications over points that are not kept: they are read block by block, converted, multiplied, and given
 * up again, while the next block is being read. Such multiplications take turns, so all of an engine together
 * hold one block in the kernels, and at most three outside: the one converted, the one being read, and what it
 * is picked out of.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { invariant } from "../../errors.js"
import type { ByteSource } from "../keysource.js"
import type { KernelEngine } from "./engine.js"
import type { Entries } from "./grouping.js"
import type { Scalars } from "./multiplication.js"
import { type Affine, fileBytes, type Group, type PointSet } from "./points.js"
import type { RunOptions } from "./pool.js"

/** Bytes of a block: so many that what a multiplication costs beside its points does not show. */
export const blockBytes = 2 ** 25
/**
 * Bytes that all streams of an engine take at any time, about: what lies outside, garbage of it, and in the
 * kernels four times a block, which is its points, their scalars, digits and sorted addresses, and the buckets.
 */
export const streamBytes = 9 * blockBytes

/** Points that are read whenever they are multiplied, 64 (G1) or 128 (G2) bytes each, as a file has them. */
export interface StreamedPoints {
  readonly group: Group
  readonly count: number
  readonly source: ByteSource
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

  /** As `KernelEngine.msm`. @throws what reading throws, too */
  msm(points: StreamedPoints, scalars: Scalars, options: RunOptions = {}): Promise<Affine> {
    const full = "full" in scalars
    const count = full ? scalars.full.length / 32 : scalars.small.length
    invariant(Number.isInteger(count) && count <= points.count, "there is a point for each scalar")
    const length = this.pointsPerBlock(points.group)
    const blocks = Array.from({ length: Math.ceil(count / length) }, (_, block) => block)
    return this.each(points, count, blocks, options, (set, from) => {
      const to = from + set.count
      const part = full
        ? { full: scalars.full.subarray(32 * from, 32 * to) }
        : { small: scalars.small.subarray(from, to) }
      return this.engine.msm(set, part, options)
    })
  }

  /** As `KernelEngine.groupedMsm`: entries are sorted by the block of their point. @throws as msm */
  groupedMsm(
    points: StreamedPoints,
    { group, point }: Entries,
    scalars: Uint8Array,
    options: RunOptions = {},
  ): Promise<Affine> {
    const length = this.pointsPerBlock(points.group)
    const pointOf = (entry: number) => point?.[entry] ?? entry
    // entries of block b are order[starts[b]] … order[starts[b + 1] − 1]
    const starts = new Uint32Array(Math.ceil(points.count / length) + 1)
    for (let i = 0; i < group.length; i++) starts[Math.floor(pointOf(i) / length) + 1]++
    for (let b = 1; b < starts.length; b++) starts[b] += starts[b - 1]
    const next = starts.slice()
    const order = new Uint32Array(group.length)
    for (let i = 0; i < group.length; i++) order[next[Math.floor(pointOf(i) / length)]++] = i
    const blocks = Array.from(starts.keys()).filter((b) => starts[b] < starts[b + 1])
    return this.each(points, points.count, blocks, options, (set, from) => {
      const entries = order.subarray(starts[from / length], starts[from / length + 1])
      const part = { group: entries.map((i) => group[i]), point: entries.map((i) => pointOf(i) - from) }
      return this.engine.groupedMsm(set, part, scalars, options)
    })
  }

  private pointsPerBlock(group: Group): number {
    return Math.max(1, Math.floor(this.blockBytes / fileBytes[group]))
  }

  /** Adds up what `multiply` makes of blocks, which are given their set and the number of its first point. */
  private each(
    { group, source }: StreamedPoints,
    count: number,
    blocks: readonly number[],
    { signal }: RunOptions,
    multiply: (set: PointSet, from: number) => Promise<Affine>,
  ): Promise<Affine> {
    const length = this.pointsPerBlock(group)
    const read = (block: number): Promise<Uint8Array> => {
      const from = block * length
      const points = Math.min(count - from, length)
      const bytes = source.read(from * fileBytes[group], points * fileBytes[group])
      // it is awaited later, or never if something else fails first
      bytes.catch(() => undefined)
      return bytes
    }
    if (blocks.length === 0) return Promise.resolve(null)
    const before = this.last
    const readBefore = this.lastRead
    let allRead = (): void => undefined
    this.lastRead = new Promise((resolve) => {
      allRead = resolve
    })
    const work = async (): Promise<Affine> => {
      await readBefore
      signal?.throwIfAborted()
      let next = read(blocks[0])
      await before
      const products: Affine[] = []
      for (const [i, block] of blocks.entries()) {
        const bytes = await next
        signal?.throwIfAborted()
        if (i + 1 < blocks.length) next = read(blocks[i + 1])
        else allRead()
        const set = await this.engine.points(group, bytes)
        try {
          products.push(await multiply(set, block * length))
        } finally {
          this.engine.free(set)
        }
      }
      return add(group, products)
    }
    const result = work().finally(allRead)
    // what comes next waits for this and for all before it, also if this gives up while it waits
    this.last = Promise.allSettled([before, result]).then(() => undefined)
    return result
  }
}

/** Sum of points. */
function add(group: Group, points: readonly Affine[]): Affine {
  const finite = points.filter((point) => point !== null)
  if (finite.length < 2) return finite[0] ?? null
  if (group === "g1") {
    const { Point } = bn254.G1
    const sum = finite.reduce((acc, [x, y]) => acc.add(Point.fromAffine({ x, y })), Point.ZERO)
    if (sum.is0()) return null
    const { x, y } = sum.toAffine()
    return [x, y]
  }
  const { Point } = bn254.G2
  const sum = finite.reduce(
    (acc, [x0, x1, y0, y1]) => acc.add(Point.fromAffine({ x: { c0: x0, c1: x1 }, y: { c0: y0, c1: y1 } })),
    Point.ZERO,
  )
  if (sum.is0()) return null
  const { x, y } = sum.toAffine()
  return [x.c0, x.c1, y.c0, y.c1]
}
