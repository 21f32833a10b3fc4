/**
 * A multi-scalar multiplication on a pool: Σ scalars[i]·points[i]. The steps are those of
 * kernels/assembly/curve/pippenger.ts; they may be part of a larger program.
 */
import { InputError, invariant } from "../../errors.js"
import { r } from "../../field.js"
import { type Affine, affineOf, constantOf, fileBytes, type PointSet } from "./points.js"
import type { KernelPool, Step } from "./pool.js"
import { chooseWindows, type Windows, windowsOf } from "./windows.js"

/**
 * 32-byte little-endian integers below r, or safe integers of any sign. `at` is the address of integers below r
 * that are there when the steps run.
 */
export type Scalars =
  | { readonly full: Uint8Array }
  | { readonly small: Float64Array }
  | { readonly at: number; readonly count: number }

const countOf = (scalars: Scalars): number => {
  if ("full" in scalars) return scalars.full.length / 32
  return "small" in scalars ? scalars.small.length : scalars.count
}

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
  /** The struct for the digits, and the one for what follows: the same, unless points come with multiples. */
  private readonly digitArgs: number
  private readonly args: number
  /** Windows of the second struct. */
  private readonly bucketSets: number
  private readonly result: number
  private readonly parts: number
  private readonly rangeLength: number

  /**
   * Takes memory for the product with points `from` … ; the scalars are copied. Where all points come with
   * multiples and scalars are full, there is a point for every digit: all windows share one set of buckets.
   */
  constructor(pool: KernelPool, points: PointSet, scalars: Scalars, from = 0, windowBits?: number) {
    this.pool = pool
    this.points = points
    this.count = countOf(scalars)
    const { count } = this
    const isSmall = "small" in scalars
    const { multiples } = points
    const layers = !isSmall && multiples?.from === 0 ? multiples.layers : 1
    invariant(Number.isInteger(count), "scalars take 32 bytes each")
    const last = layers > 1 ? points.count / layers : points.count
    invariant(from >= 0 && from % 8 === 0 && from + count <= last, "there is a point for each scalar")
    const largest = isSmall ? BigInt(largestOf(scalars.small)) : r - 1n
    this.windows =
      multiples && layers > 1 ? windowsOf(multiples.bits, largest) : chooseWindows(count, largest, windowBits)
    const { bits, count: W, offset } = this.windows
    invariant(layers === 1 || (layers === W && from === 0 && count === last), "a multiple for each window")
    const sets = layers > 1 ? 1 : W
    this.bucketSets = sets
    this.rangeLength = Math.max(leastRange, Math.ceil(count / (4 * pool.threads)))
    const wanted = Math.ceil((itemsPerThread * pool.threads) / sets)
    this.parts = Math.max(1, Math.min(wanted, Math.floor((count * layers) / leastPart)))
    const pointBytes = constantOf(pool, `${points.group}PointBytes`)
    const buckets = 2 ** (bits - 1)
    try {
      const { memory } = pool
      let scalarsAt = "at" in scalars ? scalars.at : 0
      if ("full" in scalars) {
        scalarsAt = this.allocate(32 * count)
        memory.bytes(scalarsAt, 32 * count).set(scalars.full)
      } else if ("small" in scalars) {
        scalarsAt = this.allocate(8 * count)
        memory.doubles(scalarsAt, count).set(scalars.small)
      }
      const offsetAt = this.allocate(40)
      this.result = this.allocate(fileBytes[points.group])
      const digits = this.allocate(2 * W * count)
      const infinite = points.infinite === 0 ? 0 : points.infinite + from / 8
      const buffers = [
        this.allocate(4 * W * count),
        this.allocate(4 * sets * (buckets + 2)),
        this.allocate(sets * (buckets + 1) * pointBytes),
        this.parts,
        this.allocate(sets * this.parts * pointBytes),
        this.allocate(sets * constantOf(pool, `${points.group}ProjectiveBytes`)),
        this.result,
      ]
      const first = points.address + from * pointBytes
      const struct = (n: number, windows: number): number => {
        const at = this.allocate(4 * multiplicationFields)
        const fields = [first, n, scalarsAt, isSmall ? 1 : 0, infinite, bits, windows, offsetAt]
        fields.push(this.rangeLength, digits, ...buffers)
        invariant(fields.length === multiplicationFields, "the struct has all its fields")
        memory.unsigned(at, multiplicationFields).set(fields)
        return at
      }
      this.digitArgs = struct(count, W)
      this.args = layers > 1 ? struct(count * W, 1) : this.digitArgs
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
    const W = this.bucketSets
    const step = (kernel: string, items: number, index: number): Step => ({
      kernel,
      items,
      args: index === 0 ? this.digitArgs : this.args,
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

  /** About how many additions in G1 it takes as long as. */
  get weight(): number {
    return (this.points.group === "g1" ? 1 : 3) * this.count * this.windows.count
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
