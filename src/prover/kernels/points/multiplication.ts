/**
 * A multi-scalar multiplication on a pool: Σ scalars[i]·points[i]. The steps are those of
 * kernels/assembly/curve/pippenger.ts; they may be part of a larger program.
 */
import { InputError, invariant } from "../../../errors.js"
import { r } from "../../../field.js"
import { Blocks } from "../blocks.js"
import type { KernelPool } from "../pool.js"
import { chain, type Step } from "../program.js"
import type { Struct, Values } from "../structs.js"
import { type Affine, fileBytes, integersOf, type PointSet, productOf } from "./points.js"
import { centreOf, chooseWindows, type Layers, layeredWindows, type Windows } from "./windows.js"

/**
 * 32-byte little-endian integers below r, or safe integers of any sign. `at` is the address of integers below r
 * that are there when the steps run.
 */
export type RawScalars =
  | { readonly full: Uint8Array }
  | { readonly small: Float64Array }
  | { readonly at: number; readonly count: number }

export const countOf = (scalars: RawScalars): number => {
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

export interface MultiplicationOptions {
  /** First point, a multiple of 8; default 0. */
  readonly from?: number
  /** All points are layers of multiples. */
  readonly layers?: Layers | undefined
  /** Bits of the largest full scalar, which is then looked at; default: those of r. Not with layers. */
  readonly bits?: number | undefined
  /** Default: the best. */
  readonly windowBits?: number
  /** Small scalars that are never negative may be taken less a centre. */
  readonly mayCentre?: boolean
}

/** How a multiplication is cut up. */
interface Plan {
  readonly windows: Windows
  /** Windows that do not share their buckets with one before. */
  readonly sets: number
  readonly layers: number
  /** Buckets of a window. */
  readonly buckets: number
  /** Whether every range of points has buckets of its own. */
  readonly byRanges: boolean
  /** Points of a range. */
  readonly rangeLength: number
  readonly ranges: number
  /** Items for each set: while buckets are summed up, and while their rows and columns are. */
  readonly parts: number
  readonly foldParts: number
}

function planOf(count: number, windows: Windows, layers: Layers | undefined, threads: number): Plan {
  const sets = layers ? layers.bits / windows.bits : windows.count
  const buckets = 2 ** (windows.bits - 1)
  const range = Math.max(leastRange, Math.ceil(count / (4 * threads)))
  const shortRange = Math.min(range, mostRange)
  const bucketsOfRange = windows.count * buckets
  const byRanges = !layers && shortRange < count && bucketsOfRange * pointsPerBucket <= shortRange
  const rangeLength = byRanges ? shortRange : range
  const parts = Math.ceil(((byRanges ? 2 : itemsPerThread) * threads) / sets)
  const mostParts = byRanges ? buckets : Math.floor((count * (layers?.count ?? 1)) / leastPart)
  const folds = Math.ceil((foldsPerThread * threads) / sets)
  return {
    windows,
    sets,
    layers: layers?.count ?? 1,
    buckets,
    byRanges,
    rangeLength,
    ranges: Math.ceil(count / rangeLength),
    parts: Math.max(1, Math.min(parts, mostParts)),
    foldParts: Math.max(1, Math.min(folds, Math.floor(buckets / leastFold))),
  }
}

export class Multiplication {
  /** The sum of all points, that many times, is missing in the product. */
  readonly centre: number
  private readonly pool: KernelPool
  private readonly points: PointSet
  private readonly count: number
  private readonly plan: Plan
  private readonly blocks: Blocks
  private readonly scalars: number
  /** The struct for the digits, and the one for what follows: the same, unless points come in layers. */
  private readonly digits: Struct<"Multiplication">
  private readonly sums: Struct<"Multiplication">

  /**
   * Takes memory for the product with points `from` … ; the scalars are copied. If points come in layers, full
   * scalars are those of layer 0, and windows share buckets.
   */
  constructor(
    pool: KernelPool,
    points: PointSet,
    scalars: RawScalars,
    { from = 0, layers, bits, windowBits, mayCentre = false }: MultiplicationOptions = {},
  ) {
    this.pool = pool
    this.points = points
    this.count = countOf(scalars)
    this.blocks = new Blocks(pool.memory, "a multiplication of points")
    const { count } = this
    const isSmall = "small" in scalars
    invariant(Number.isInteger(count), "scalars take 32 bytes each")
    invariant(from >= 0 && from % 8 === 0 && from + count <= points.count, "there is a point for each scalar")
    invariant(
      layers === undefined || (!isSmall && from === 0 && count * layers.count === points.count),
      "there are as many points in a layer as scalars",
    )
    invariant(layers === undefined || bits === undefined, "points in layers take scalars of any size")
    try {
      this.scalars = this.place(scalars)
      if (bits !== undefined) checkBits(scalars, bits)
      const { size, negative } = isSmall
        ? largestOf(pool, this.scalars, count)
        : { size: bits === undefined ? r - 1n : largestOfBits(bits), negative: false }
      const centre = mayCentre && isSmall && !negative ? centreOf(count, size) : 0n
      this.centre = Number(centre)
      const largest = centre > 0n ? centre - 1n : size
      const windows = layers ? layeredWindows(count, layers) : chooseWindows(count, largest, windowBits)
      this.plan = planOf(count, windows, layers, pool.threads)
      this.digits = this.blocks.struct("Multiplication")
      const fields = this.fields(from, isSmall)
      this.digits.write(fields)
      this.sums = this.digits
      if (layers) {
        this.sums = this.blocks.struct("Multiplication")
        this.sums.write({ ...fields, count: count * layers.count, windows: this.plan.sets })
      }
    } catch (error) {
      this.release()
      throw error
    }
  }

  /** Address of the scalars, which are copied if they are not there already. */
  private place(scalars: RawScalars): number {
    const { memory } = this.pool
    if ("at" in scalars) return scalars.at
    if ("full" in scalars) {
      const at = this.blocks.allocate(scalars.full.length)
      memory.bytes(at, scalars.full.length).set(scalars.full)
      return at
    }
    const at = this.blocks.allocate(scalars.small.byteLength)
    memory.doubles(at, scalars.small.length).set(scalars.small)
    return at
  }

  /** The struct for the digits, and memory for all that it has the address of. */
  private fields(from: number, isSmall: boolean): Values<"Multiplication"> {
    const { pool, points, count, blocks } = this
    const { windows, sets, layers, buckets, byRanges, rangeLength, ranges, parts, foldParts } = this.plan
    const { bits } = windows
    const pointBytes = pool.constant(`${points.group}PointBytes`)
    const offset = blocks.allocate(40)
    const words = pool.memory.unsigned(offset, 10)
    for (let i = 0; i < 10; i++) words[i] = Number((windows.offset >> BigInt(32 * i)) & 0xffffffffn)
    const rows = sets * layers
    const width = 2 ** (bits >> 1)
    const rowsAndColumns = sets * (buckets / width + width - 1)
    return {
      points: points.address + from * pointBytes,
      count,
      scalars: this.scalars,
      small: isSmall ? 1 : 0,
      infinite: points.infinite === 0 ? 0 : points.infinite + from / 8,
      bits,
      windows: windows.count,
      offset,
      rangeLength,
      digits: blocks.allocate(2 * rows * count),
      sorted: blocks.allocate(4 * rows * count),
      starts: byRanges ? 0 : blocks.allocate(4 * sets * (buckets + 2)),
      buckets: blocks.allocate(sets * (buckets + 1) * pointBytes),
      parts,
      heads: byRanges ? 0 : blocks.allocate(sets * parts * pointBytes),
      sums: blocks.allocate(sets * pool.constant(`${points.group}ProjectiveBytes`)),
      result: blocks.allocate(fileBytes[points.group]),
      partials: byRanges ? blocks.allocate(ranges * windows.count * (buckets + 1) * pointBytes) : 0,
      layers,
      foldParts,
      folds: blocks.allocate(rowsAndColumns * pointBytes),
      centre: this.centre,
      sets,
      refused: 0,
    }
  }

  /** Steps for a program in which they begin at index `first` and wait for the steps `after`. */
  steps(first = 0, after: readonly number[] = []): Step[] {
    if (this.count === 0) return []
    const { group } = this.points
    const { byRanges, ranges, sets, parts, foldParts } = this.plan
    const scratchBytes = Math.max(
      this.pool.constant(`${group}PippengerScratch`),
      this.pool.constant(`${group}RangesScratch`),
    )
    const own = (kernel: string, items: number) => ({
      kernel: `${group}${kernel}`,
      items,
      args: this.sums.at,
      scratchBytes,
    })
    const buckets = byRanges
      ? [own("Ranges", ranges), own("Merge", sets * parts)]
      : [
          { kernel: "digits", items: ranges, args: this.digits.at, scratchBytes },
          own("Sort", sets),
          own("Accumulate", sets * parts),
          own("Join", sets),
        ]
    const total = [own("Fold", sets * foldParts), own("Reduce", sets), own("Combine", 1)]
    return chain([...buckets, ...total], first, after)
  }

  /** About how many additions in G1 it takes as long as. */
  get weight(): number {
    return (this.points.group === "g1" ? 1 : 3) * this.count * this.plan.windows.count
  }

  /**
   * The product, once the steps are done.
   * @throws InputError for a scalar that is not below r; FileError if points are not on the curve and it is not, either
   */
  value(): Affine {
    if (this.count === 0) return null
    const { memory } = this.pool
    if (this.digits.get("refused") !== 0) throw largeScalar(memory.bytes(this.scalars, 32 * this.count))
    const { group } = this.points
    return productOf(group, memory.bytes(this.digits.get("result"), fileBytes[group]))
  }

  /** Gives the memory back. */
  release(): void {
    this.blocks.release()
  }
}

/** What is wrong with scalars one of which is not below r. */
export function largeScalar(bytes: Uint8Array): InputError {
  const values = integersOf(bytes)
  const i = values.findIndex((value) => value >= r)
  return new InputError({ what: `scalar ${i}`, expected: `less than ${r}`, given: `${values[i]}` })
}

/** The largest scalar of that many bits that is below r. */
function largestOfBits(bits: number): bigint {
  const largest = (1n << BigInt(bits)) - 1n
  return largest < r ? largest : r - 1n
}

/** Windows are made for that many bits: a scalar with more would have a digit without a bucket. */
function checkBits(scalars: RawScalars, bits: number): void {
  invariant("full" in scalars, "bits are those of full scalars that are given")
  invariant(Number.isInteger(bits) && bits > 0 && bits <= 254, "scalars have 1 to 254 bits")
  const { full } = scalars
  const view = new DataView(full.buffer, full.byteOffset, full.length)
  const [word, rest] = [bits >>> 5, bits & 31]
  for (let at = 0; at < full.length; at += 32) {
    let beyond = word < 8 ? view.getUint32(at + 4 * word, true) >>> rest : 0
    for (let next = word + 1; next < 8; next++) beyond |= view.getUint32(at + 4 * next, true)
    if (beyond === 0) continue
    const given = `${integersOf(full.subarray(at, at + 32))[0]}`
    throw new InputError({ what: `scalar ${at / 32}`, expected: `at most ${bits} bits`, given })
  }
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
