/**
 * Transforms over the scalar field on a pool, and what the quotient of Groth16 needs of them: from the values of
 * polynomials A and B on a domain of n points to A·B on its odd coset η·ω^k (see circuit/link/domain.ts).
 *
 * Values are float64 numbers: safe integers stand for themselves, `largeValue(i)` for entry i of a table of
 * field elements. Everything lives in the memory of the pool and is allocated once; a proof allocates nothing.
 */

import { cosetRoot, domainRoot, domainShape, rootOfUnity } from "../../../circuit/link/domain.js"
import { invariant } from "../../../errors.js"
import { inverse, mod, power, r, radix } from "../../../field.js"
import { Blocks } from "../blocks.js"
import type { KernelPool } from "../pool.js"
import { chain, type Step } from "../program.js"
import type { Struct } from "../structs.js"

/** 2^53 + 2·index: a number that is no safe integer stands for an entry of the table of field elements. */
export const largeValue = (index: number): number => 2 ** 53 + 2 * index

/** Kernels have room for this many pairs on each thread. */
const scratchBytes = 1024
/** Least number of butterflies that is worth an item. */
const leastChunk = 128
/** Powers that one item computes. */
const tableChunk = 512

/** Sizes and factors of the representation of field elements in the module of a pool. */
export interface Representation {
  readonly elementBytes: number
  readonly pairBytes: number
  /** 2^256 divided by the radix of the internal Montgomery form. */
  readonly fileFactor: bigint
}

export function representationOf(pool: KernelPool): Representation {
  const { memory, exports } = pool
  const at = memory.allocate(256, "constants")
  exports.frRaw2(at, 1, 1)
  exports.frWrite2(at + 192, at + 224, at)
  const fileFactor = memory.integer(at + 192)
  memory.release(at)
  return { elementBytes: pool.constant("elementBytes"), pairBytes: pool.constant("pairBytes"), fileFactor }
}

/** A stage that reaches beyond a block: its half-size, and a struct for each direction. */
interface Stage {
  readonly half: number
  readonly down: Struct<"TransformPass">
  readonly up: Struct<"TransformPass">
}

export class Transform {
  readonly n: number
  /** Number of polynomials that are transformed together. */
  readonly polynomials: number
  /** Addresses of n float64 values each, to be written before the steps run. */
  readonly sources: readonly number[]
  /** Addresses of the vectors of each polynomial, laid out as the module says (transform.ts of the kernels). */
  readonly data: readonly number[]
  /** Address of n canonical 32-byte scalars, the result of `quotientSteps`, in the order k = 0 … n − 1. */
  readonly out: number
  private readonly pool: KernelPool
  private readonly representation: Representation
  private readonly blocks: Blocks
  private readonly job: Struct<"Transform">
  private readonly stages: Stage[] = []
  private readonly reading: Struct<"Elements">
  private readonly factor: number
  private readonly chunks: number
  private readonly blockCount: number
  private readonly leaf: number
  private largeBytes = 0
  private largeElements = 0
  private largeCapacity = 0
  private largeCount = 0

  private constructor(pool: KernelPool, n: number, polynomials: number) {
    const shape = domainShape(n)
    invariant(shape, `${n} is no size of a domain`)
    this.pool = pool
    this.n = n
    this.blocks = new Blocks(pool.memory, `a transform of ${n} values`)
    this.polynomials = polynomials
    this.leaf = shape.odd
    this.representation = representationOf(pool)
    const vectors = n / 2
    const levels = Math.log2(vectors / this.leaf)
    // enough blocks for all threads, even where there is one polynomial
    const top = Math.min(levels, Math.ceil(Math.log2(pool.threads)) + 2)
    this.blockCount = 2 ** top
    this.chunks = Math.max(1, Math.min(4 * pool.threads, Math.floor(vectors / 2 / leastChunk)))
    const { blocks } = this
    try {
      const each = Array.from({ length: polynomials })
      this.sources = each.map(() => blocks.allocate(8 * n))
      this.data = each.map(() => blocks.allocate(vectors * this.representation.pairBytes))
      this.out = blocks.allocate(32 * n)
      this.job = blocks.struct("Transform")
      this.reading = blocks.struct("Elements")
      this.factor = blocks.allocate(this.representation.pairBytes)
      for (let i = 1; i <= top; i++) {
        const [down, up] = [blocks.struct("TransformPass"), blocks.struct("TransformPass")]
        this.stages.push({ half: vectors / 2 ** i, down, up })
      }
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Tables and room for transforms of `polynomials` (1 or 2) of n values. */
  static async make(pool: KernelPool, n: number, polynomials: number): Promise<Transform> {
    const transform = new Transform(pool, n, polynomials)
    try {
      await transform.fillTables()
    } catch (error) {
      transform.close()
      throw error
    }
    return transform
  }

  /** Gives the memory back. */
  close(): void {
    this.blocks.release()
    if (this.largeCapacity > 0) this.releaseLarge()
  }

  /**
   * Room for the table of field elements: `count` canonical 32-byte integers, little endian, to be written at
   * the address returned before the steps run. It stays the same until more room is asked for.
   */
  reserveLarge(count: number): number {
    if (count > this.largeCapacity) {
      if (this.largeCapacity > 0) this.releaseLarge()
      this.largeBytes = this.pool.memory.allocate(32 * count, "field elements")
      this.largeElements = this.pool.memory.allocate(
        this.representation.elementBytes * count,
        "field elements",
      )
      this.largeCapacity = count
    }
    this.largeCount = count
    return this.largeBytes
  }

  /**
   * Steps that turn the sources of two polynomials into (a·b)(η·ω^k) at `out`. They are for a program in which
   * they begin at index `first` and wait for the steps `after`.
   */
  quotientSteps(first = 0, after: readonly number[] = []): Step[] {
    invariant(this.polynomials === 2, "a quotient is of two polynomials")
    const { job, polynomials, blockCount, chunks } = this
    const blocks = step("transformBlocks", job, polynomials * blockCount)
    const product = step("transformQuotient", job, chunks)
    return chain([...this.enter(), blocks, ...this.up(), product], first, after)
  }

  /** Steps from the sources to coefficients in `data`, n times too large, in the order of the module. */
  inverseSteps(first = 0, after: readonly number[] = []): Step[] {
    const blocks = step("transformBlocksDown", this.job, this.polynomials * this.blockCount)
    return chain([...this.enter(), blocks], first, after)
  }

  /** Steps from coefficients in the order of the module to values, in `data`. */
  forwardSteps(first = 0, after: readonly number[] = []): Step[] {
    const { job, polynomials, blockCount, chunks } = this
    const blocks = step("transformBlocksUp", job, polynomials * blockCount)
    return chain([blocks, ...this.up(), step("transformLeave", job, polynomials * chunks)], first, after)
  }

  /** Indices of the coefficients that the two lanes of vector p hold after the inverse transform. */
  coefficientsOf(p: number): [number, number] {
    let [index, weight, rest] = [0, 1, p]
    for (let half = this.n / 4; half >= this.leaf; half /= 2, weight *= 2) {
      if (rest < half) continue
      rest -= half
      index += weight
    }
    index += weight * rest
    return [2 * index, 2 * index + 1]
  }

  /** Canonical coefficients after `inverseSteps`, in their own order: for tests, one by one. */
  coefficients(polynomial: number): bigint[] {
    const { memory, exports } = this.pool
    const { pairBytes } = this.representation
    const result = new Array<bigint>(this.n)
    const at = memory.allocate(256, "a result")
    const back = inverse(this.representation.fileFactor)
    for (let p = 0; p < this.n / 2; p++) {
      exports.frWrite2(at + 192, at + 224, this.data[polynomial] + p * pairBytes)
      const [i, j] = this.coefficientsOf(p)
      result[i] = mod(memory.integer(at + 192) * back)
      result[j] = mod(memory.integer(at + 224) * back)
    }
    memory.release(at)
    return result
  }

  /** Steps from the sources to where the blocks of the inverse transform begin. */
  private enter(): Step[] {
    this.writeJob()
    const { largeCount, polynomials, chunks } = this
    const steps: Step[] = []
    if (largeCount > 0) {
      const chunk = Math.max(2, 2 * Math.ceil(largeCount / 8 / this.pool.threads))
      this.reading.write({
        from: this.largeBytes,
        to: this.largeElements,
        count: largeCount,
        chunk,
        factor: this.factor,
      })
      steps.push(step("tableElements", this.reading, Math.ceil(largeCount / chunk)))
    }
    steps.push(step("transformEnter", this.job, polynomials * chunks))
    return [...steps, ...this.stages.map(({ down }) => step("transformDown", down, polynomials * chunks))]
  }

  /** Steps of the forward transform behind its blocks. */
  private up(): Step[] {
    return this.stages.toReversed().map(({ up }) => step("transformUp", up, this.polynomials * this.chunks))
  }

  private tables: Record<"twiddles" | "constants" | "scale", number> | undefined

  private writeJob(): void {
    const { tables, sources, data } = this
    invariant(tables, "the transform has no tables")
    this.job.write({
      ...tables,
      vectors: this.n / 2,
      leaf: this.leaf,
      blocks: this.blockCount,
      chunks: this.chunks,
      table: this.largeElements,
      out: this.out,
      source0: sources[0],
      source1: sources[1] ?? 0,
      data0: data[0],
      data1: data[1] ?? 0,
      tableCount: this.largeCount,
    })
  }

  private async fillTables(): Promise<void> {
    const { n, leaf, blocks } = this
    const { elementBytes, pairBytes } = this.representation
    const vectors = n / 2
    const tables = {
      twiddles: blocks.allocate((n - leaf + 1) * elementBytes),
      constants: blocks.allocate(5 * pairBytes),
      scale: blocks.allocate(vectors * pairBytes),
    }
    this.tables = tables
    this.writeConstants(tables.constants)
    const halves = Math.log2(vectors / leaf)
    const lent = new Blocks(this.pool.memory, "tables of transforms")
    try {
      const job = this.tableJob(lent, tables)
      const items = Math.ceil((vectors + 1) / tableChunk)
      await this.pool.run([
        step("tablePowers", job, items),
        { ...step("tableHalves", job, halves), after: [0] },
        { ...step("tableScale", job, Math.ceil(vectors / tableChunk)), after: [0] },
      ])
    } finally {
      lent.release()
    }
    for (const [stage, { half, down, up }] of this.stages.entries()) {
      down.write({ job: this.job.at, half, stage })
      up.write({ job: this.job.at, half, stage: halves - 1 - stage })
    }
  }

  private writeConstants(at: number): void {
    const { leaf, representation } = this
    const { pairBytes, fileFactor } = representation
    const ninth = (i: number) => (leaf === 9 ? power(rootOfUnity(9), BigInt(i)) : 1n)
    const third = leaf === 1 ? 1n : rootOfUnity(3)
    for (const [i, x] of [third, ninth(1), ninth(2), ninth(4)].entries()) {
      this.setPair(at + i * pairBytes, x * radix, x * radix)
    }
    // the integer that a result stands for: Montgomery form away, and what the writing of elements adds
    this.setPair(at + 4 * pairBytes, 1n, 1n)
    this.setPair(this.factor, radix * fileFactor, radix * fileFactor)
  }

  /** What the tables are made of, in memory that is lent for as long. */
  private tableJob(lent: Blocks, { twiddles, scale }: NonNullable<typeof this.tables>) {
    const { n, leaf, representation, pool } = this
    const { pairBytes, fileFactor } = representation
    const vectors = n / 2
    const omega = domainRoot(n)
    const items = Math.ceil((vectors + 1) / tableChunk)
    const job = lent.struct("TransformTables")
    const constants = lent.allocate(2 * pairBytes)
    const starts = lent.allocate(32 * items)
    job.write({ vectors, leaf, chunk: tableChunk, twiddles, scale, starts, constants })
    this.setPair(constants, omega * radix, omega * radix)
    // 1/n undoes the inverse transform; the radix is what integers lack that are not in Montgomery form
    const factor = radix * inverse(fileFactor) * inverse(BigInt(n))
    this.setPair(constants + pairBytes, factor * radix, factor * cosetRoot(n) * radix)
    const stride = power(omega, BigInt(tableChunk))
    let x = radix % r
    const powers = Array.from({ length: items }, () => {
      const start = x
      x = (x * stride) % r
      return start
    })
    pool.memory.writeIntegers(starts, powers)
    return job
  }

  /** The pair at `at` = the residues x0 and x1 as they are in a file. */
  private setPair(at: number, x0: bigint, x1: bigint): void {
    const { memory, exports } = this.pool
    const bytes = memory.allocate(64, "constants")
    memory.writeIntegers(bytes, [mod(x0), mod(x1)])
    exports.frRead2(at, bytes, bytes + 32)
    memory.release(bytes)
  }

  private releaseLarge(): void {
    this.pool.memory.release(this.largeBytes)
    this.pool.memory.release(this.largeElements)
    this.largeCapacity = 0
  }
}

const step = (kernel: string, { at }: { readonly at: number }, items: number): Step => {
  return { kernel, args: at, items, scratchBytes }
}
