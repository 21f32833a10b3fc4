/**
 * A multi-scalar multiplication on a pool: Σ scalars[i]·points[i]. The steps are those of
 * kernels/assembly/curve/pippenger.ts; they may be part of a larger program.
 */
import { InputError, invariant } from "../../../errors.js"
import { r } from "../../../field.js"
import type { KernelPool, Step } from "../pool.js"
import { type Affine, constantOf, fileBytes, integersOf, type PointSet, productOf } from "./points.js"
import { centreOf, chooseWindows, type Layers, layeredWindows, type Windows } from "./windows.js"

/**
 * 32-byte little-endian integers below r, or safe integers of any sign. `at` is the address of integers below r
 * that are there when the steps run.
 */
export type Scalars =
  | { readonly full: Uint8Array }
  | { readonly small: Float64Array }
  | { readonly at: number; readonly count: number }

export const countOf = (scalars: Scalars): number => {
  if ("full" in scalars) return scalars.full.length / 32
  return "small" in scalars ? scalars.small.length : scalars.count
}

/** Points that are worth an item when digits are made, and entries that are worth one when they are added. */
const leastRange = 1024
const leastPart = 4096
/** Buckets that are worth an item when rows and columns are summed up. */
const leastFold = 2048
/** Items for each thread: so many that the last to finish does not keep the others waiting for long. */
const itemsPerThread = 16
/** The same where rows and columns are summed up: every one of them takes as long. */
const foldsPerThread = 4
/**
 * Points that an item takes where buckets are so few that every range of points gets its own
 * (kernels/assembly/curve/ranges.ts), and points that there must be for each of them.
 */
const mostRange = 4096
const pointsPerBucket = 4
/** Fields of the struct in kernels/assembly/digits.ts; the last one says that a scalar was refused. */
export const multiplicationFields = 24
/** Where the address of the scalars is in it. */
const scalarsField = 2

export interface MultiplicationOptions {
  /** First point, a multiple of 8; default 0. */
  readonly from?: number
  /** All points are layers of multiples. */
  readonly layers?: Layers | undefined
  /** Default: the best. */
  readonly windowBits?: number
  /** Small scalars that are never negative may be taken less a centre. */
  readonly mayCentre?: boolean
}

export class Multiplication {
  /** The sum of all points, that many times, is missing in the product. */
  readonly centre: number
  private readonly pool: KernelPool
  private readonly points: PointSet
  private readonly count: number
  private readonly windows: Windows
  private readonly blocks: number[] = []
  /** The struct for the digits, and the one for what follows: the same, unless points come in layers. */
  private readonly digitArgs: number
  private readonly args: number
  /** Windows of the second struct: those that do not share their buckets with one before. */
  private readonly bucketSets: number
  private readonly result: number
  private readonly parts: number
  private readonly foldParts: number
  private readonly rangeLength: number
  /** Whether every range of points has buckets of its own. */
  private readonly byRanges: boolean

  /**
   * Takes memory for the product with points `from` … ; the scalars are copied. If points come in layers, full
   * scalars are those of layer 0, and windows share buckets.
   */
  constructor(
    pool: KernelPool,
    points: PointSet,
    scalars: Scalars,
    { from = 0, layers, windowBits, mayCentre = false }: MultiplicationOptions = {},
  ) {
    this.pool = pool
    this.points = points
    this.count = countOf(scalars)
    const { count } = this
    const isSmall = "small" in scalars
    const layerCount = layers?.count ?? 1
    invariant(Number.isInteger(count), "scalars take 32 bytes each")
    invariant(from >= 0 && from % 8 === 0 && from + count <= points.count, "there is a point for each scalar")
    invariant(
      layers === undefined || (!isSmall && from === 0 && count * layerCount === points.count),
      "there are as many points in a layer as scalars",
    )
    const pointBytes = constantOf(pool, `${points.group}PointBytes`)
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
      const { size, negative } = isSmall
        ? largestOf(pool, scalarsAt, count)
        : { size: r - 1n, negative: false }
      const centre = mayCentre && isSmall && !negative ? centreOf(count, size) : 0n
      this.centre = Number(centre)
      const largest = centre > 0n ? centre - 1n : size
      this.windows = layers ? layeredWindows(count, layers) : chooseWindows(count, largest, windowBits)
      const { bits, count: W, offset } = this.windows
      const sets = layers ? layers.bits / bits : W
      const rows = sets * layerCount
      this.bucketSets = sets
      const buckets = 2 ** (bits - 1)
      const range = Math.max(leastRange, Math.ceil(count / (4 * pool.threads)))
      const shortRange = Math.min(range, mostRange)
      this.byRanges = !layers && shortRange < count && W * buckets * pointsPerBucket <= shortRange
      this.rangeLength = this.byRanges ? shortRange : range
      const wanted = Math.ceil(((this.byRanges ? 2 : itemsPerThread) * pool.threads) / sets)
      const most = this.byRanges ? buckets : Math.floor((count * layerCount) / leastPart)
      this.parts = Math.max(1, Math.min(wanted, most))
      const partials = this.byRanges ? Math.ceil(count / shortRange) * W * (buckets + 1) : 0
      const folds = Math.ceil((foldsPerThread * pool.threads) / sets)
      this.foldParts = Math.max(1, Math.min(folds, Math.floor(buckets / leastFold)))
      const width = 2 ** (bits >> 1)
      const rowsAndColumns = sets * (buckets / width + width - 1)
      const offsetAt = this.allocate(40)
      this.result = this.allocate(fileBytes[points.group])
      const digits = this.allocate(2 * rows * count)
      const infinite = points.infinite === 0 ? 0 : points.infinite + from / 8
      const buffers = [
        this.allocate(4 * rows * count),
        this.byRanges ? 0 : this.allocate(4 * sets * (buckets + 2)),
        this.allocate(sets * (buckets + 1) * pointBytes),
        this.parts,
        this.byRanges ? 0 : this.allocate(sets * this.parts * pointBytes),
        this.allocate(sets * constantOf(pool, `${points.group}ProjectiveBytes`)),
        this.result,
        partials === 0 ? 0 : this.allocate(partials * pointBytes),
        layerCount,
        this.foldParts,
        this.allocate(rowsAndColumns * pointBytes),
        this.centre,
        sets,
        0,
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
      this.args = layers ? struct(count * layerCount, sets) : this.digitArgs
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
    const scratchBytes = Math.max(
      constantOf(this.pool, `${group}PippengerScratch`),
      constantOf(this.pool, `${group}RangesScratch`),
    )
    const W = this.bucketSets
    const step = (kernel: string, items: number, index: number): Step => ({
      kernel,
      items,
      args: index === 0 ? this.digitArgs : this.args,
      after: index === 0 ? after : [first + index - 1],
      scratchBytes,
    })
    const rangeCount = Math.ceil(this.count / this.rangeLength)
    if (this.byRanges) {
      return [
        step(`${group}Ranges`, rangeCount, 0),
        step(`${group}Merge`, W * this.parts, 1),
        step(`${group}Fold`, W * this.foldParts, 2),
        step(`${group}Reduce`, W, 3),
        step(`${group}Combine`, 1, 4),
      ]
    }
    return [
      step("digits", rangeCount, 0),
      step(`${group}Sort`, W, 1),
      step(`${group}Accumulate`, W * this.parts, 2),
      step(`${group}Join`, W, 3),
      step(`${group}Fold`, W * this.foldParts, 4),
      step(`${group}Reduce`, W, 5),
      step(`${group}Combine`, 1, 6),
    ]
  }

  /** About how many additions in G1 it takes as long as. */
  get weight(): number {
    return (this.points.group === "g1" ? 1 : 3) * this.count * this.windows.count
  }

  /**
   * The product, once the steps are done.
   * @throws InputError for a scalar that is not below r; FileError if points are not on the curve and it is not, either
   */
  value(): Affine {
    if (this.count === 0) return null
    const { memory } = this.pool
    const fields = memory.unsigned(this.digitArgs, multiplicationFields)
    if (fields[multiplicationFields - 1] !== 0) {
      throw largeScalar(memory.bytes(fields[scalarsField], 32 * this.count))
    }
    return productOf(this.points.group, memory.bytes(this.result, fileBytes[this.points.group]))
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

/** What is wrong with scalars one of which is not below r. */
export function largeScalar(bytes: Uint8Array): InputError {
  const values = integersOf(bytes)
  const i = values.findIndex((value) => value >= r)
  return new InputError({ what: `scalar ${i}`, expected: `less than ${r}`, given: `${values[i]}` })
}

/** Largest absolute value of doubles in memory, and whether one may be negative. */
function largestOf(pool: KernelPool, at: number, count: number): { size: bigint; negative: boolean } {
  const largest = pool.exports.largest as unknown as (at: number, count: number) => number
  const size = largest(at, count)
  if (Math.abs(size) <= Number.MAX_SAFE_INTEGER) return { size: BigInt(Math.abs(size)), negative: size < 0 }
  const values = pool.memory.doubles(at, count)
  const i = values.findIndex((value) => !Number.isSafeInteger(value))
  throw new InputError({ what: `scalar ${i}`, expected: "a safe integer", given: `${values[i]}` })
}
