/**
 * A multi-scalar multiplication on a pool: Σ scalars[i]·points[i]. The steps are those of
 * kernels/assembly/curve/pippenger.ts; they may be part of a larger program.
 */
import { InputError, invariant } from "../../errors.js"
import { r } from "../../field.js"
import { type Affine, affineOf, constantOf, fileBytes, type PointSet } from "./points.js"
import type { KernelPool, Step } from "./pool.js"
import { chooseWindows, type Windows } from "./windows.js"

/** 32-byte little-endian integers below r, or safe integers of any sign. */
export type Scalars = { readonly full: Uint8Array } | { readonly small: Float64Array }

/** Points that are worth an item when digits are made, and entries that are worth one when they are added. */
const leastRange = 1024
const leastPart = 2048
/** Items for each thread: so many that the last to finish does not keep the others waiting for long. */
const itemsPerThread = 16
/** Fields of the struct in kernels/assembly/digits.ts. */
export const multiplicationFields = 17

export class Multiplication {
  private readonly pool: KernelPool
  private readonly points: PointSet
  private readonly count: number
  private readonly windows: Windows
  private readonly blocks: number[] = []
  private readonly args: number
  private readonly result: number
  private readonly parts: number
  private readonly rangeLength: number

  /** Takes memory for the product with points `from` … ; the scalars are copied. */
  constructor(pool: KernelPool, points: PointSet, scalars: Scalars, from = 0, windowBits?: number) {
    this.pool = pool
    this.points = points
    this.count = "full" in scalars ? scalars.full.length / 32 : scalars.small.length
    const { count } = this
    invariant(Number.isInteger(count), "scalars take 32 bytes each")
    invariant(from >= 0 && from % 8 === 0 && from + count <= points.count, "there is a point for each scalar")
    const largest = "full" in scalars ? r - 1n : BigInt(largestOf(scalars.small))
    this.windows = chooseWindows(count, largest, windowBits)
    const { bits, count: W, offset } = this.windows
    this.rangeLength = Math.max(leastRange, Math.ceil(count / (4 * pool.threads)))
    const wanted = Math.ceil((itemsPerThread * pool.threads) / W)
    this.parts = Math.max(1, Math.min(wanted, Math.floor(count / leastPart)))
    const pointBytes = constantOf(pool, `${points.group}PointBytes`)
    const buckets = 2 ** (bits - 1)
    try {
      const scalarBytes = "full" in scalars ? 32 * count : 8 * count
      const scalarsAt = this.allocate(scalarBytes)
      const offsetAt = this.allocate(40)
      this.result = this.allocate(fileBytes[points.group])
      this.args = this.allocate(4 * multiplicationFields)
      const struct = [
        points.address + from * pointBytes,
        count,
        scalarsAt,
        "small" in scalars ? 1 : 0,
        points.infinite === 0 ? 0 : points.infinite + from / 8,
        bits,
        W,
        offsetAt,
        this.rangeLength,
        this.allocate(2 * W * count),
        this.allocate(4 * W * count),
        this.allocate(4 * W * (buckets + 2)),
        this.allocate(W * (buckets + 1) * pointBytes),
        this.parts,
        this.allocate(W * this.parts * pointBytes),
        this.allocate(W * constantOf(pool, `${points.group}ProjectiveBytes`)),
        this.result,
      ]
      invariant(struct.length === multiplicationFields, "the struct has all its fields")
      const { memory } = pool
      memory.unsigned(this.args, multiplicationFields).set(struct)
      if ("full" in scalars) memory.bytes(scalarsAt, scalarBytes).set(scalars.full)
      else memory.doubles(scalarsAt, count).set(scalars.small)
      const words = memory.unsigned(offsetAt, 10)
      for (let i = 0; i < 10; i++) words[i] = Number((offset >> BigInt(32 * i)) & 0xffffffffn)
    } catch (error) {
      this.release()
      throw error
    }
  }

  /** Steps for a program in which they begin at index `first` and wait for the steps `after`. */
  steps(first = 0, after: readonly number[] = []): Step[] {
    const { group } = this.points
    if (this.count === 0) return []
    const scratchBytes = constantOf(this.pool, `${group}PippengerScratch`)
    const W = this.windows.count
    const step = (kernel: string, items: number, index: number): Step => ({
      kernel,
      items,
      args: this.args,
      after: index === 0 ? after : [first + index - 1],
      scratchBytes,
    })
    return [
      step("digits", Math.ceil(this.count / this.rangeLength), 0),
      step(`${group}Sort`, W, 1),
      step(`${group}Accumulate`, W * this.parts, 2),
      step(`${group}Reduce`, W, 3),
      step(`${group}Combine`, 1, 4),
    ]
  }

  /** The product, once the steps are done. */
  value(): Affine {
    if (this.count === 0) return null
    return affineOf(this.pool.memory.bytes(this.result, fileBytes[this.points.group]))
  }

  /** Gives the memory back. */
  release(): void {
    for (const at of this.blocks.splice(0)) this.pool.memory.release(at)
  }

  private allocate(bytes: number): number {
    const at = this.pool.memory.allocate(bytes, "a multiplication of points")
    this.blocks.push(at)
    return at
  }
}

/** Largest absolute value. A plain loop: an iterator would take as long as the multiplication itself. */
function largestOf(values: Float64Array): number {
  let largest = 0
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i])
    if (!Number.isSafeInteger(size)) {
      throw new InputError({ what: `scalar ${i}`, expected: "a safe integer", given: `${values[i]}` })
    }
    if (size > largest) largest = size
  }
  return largest
}
