/**
 * Transforms of some polynomials on one coset of n points, n a size of one coset of a domain, as steps for the threads
 * of a pool; transform.ts puts those of a domain together. Tables are made once.
 */
import { domainRoot, domainShape, rootOfUnity } from "../../../circuit/link/domain.js"
import { invariant } from "../../../errors.js"
import { inverse, mod, power, r, radix } from "../../../field.js"
import { Blocks } from "../blocks.js"
import type { KernelPool } from "../pool.js"
import type { Step } from "../program.js"
import type { Struct } from "../structs.js"

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

/** The pair at `at` = the residues x0 and x1 as they are in a file. */
export function setPair({ memory, exports }: KernelPool, at: number, x0: bigint, x1: bigint): void {
  const bytes = memory.allocate(64, "constants")
  memory.writeIntegers(bytes, [mod(x0), mod(x1)])
  exports.frRead2(at, bytes, bytes + 32)
  memory.release(bytes)
}

export const step = (kernel: string, { at }: { readonly at: number }, items: number): UnchainedStep => {
  return { kernel, args: at, items, scratchBytes }
}
export type UnchainedStep = Omit<Step, "after">

/** The most stages before the blocks of a coset of n points. */
export function mostStages(n: number): number {
  const shape = domainShape(n)
  invariant(shape, `${n} is no size of one coset`)
  return shape.bits - 1
}

/** A stage that reaches beyond a block: its half-size, and a struct for each direction. */
interface Stage {
  readonly half: number
  readonly down: Struct<"TransformPass">
  readonly up: Struct<"TransformPass">
}

/** Where the values are of which the steps make others, and of what they are read and written. */
export interface Places {
  /** Addresses of n float64 values for each polynomial. */
  readonly sources: readonly number[]
  /** Address of n canonical 32-byte scalars. */
  readonly out: number
}

export class CosetTransform {
  readonly n: number
  readonly leaf: number
  /** Addresses of the vectors of each polynomial, laid out as the module says (transform.ts of the kernels). */
  readonly data: readonly number[]
  /** The struct that steps are told. */
  readonly job: Struct<"Transform">
  private readonly pool: KernelPool
  private readonly representation: Representation
  private readonly stages: Stage[] = []
  private readonly places: Places
  private readonly blockCount: number
  private readonly chunks: number
  private readonly tables: Readonly<Record<"twiddles" | "constants" | "scale", number>>

  /** Its blocks of vectors are 2^stages; `blocks`: what its memory is taken of. */
  constructor(pool: KernelPool, n: number, stages: number, places: Places, blocks: Blocks) {
    const shape = domainShape(n)
    invariant(shape && stages < shape.bits, `${n} is no size of one coset with so many blocks`)
    this.pool = pool
    this.n = n
    this.places = places
    this.leaf = shape.odd
    this.representation = representationOf(pool)
    const vectors = n / 2
    this.blockCount = 2 ** stages
    this.chunks = Math.max(1, Math.min(4 * pool.threads, Math.floor(vectors / 2 / leastChunk)))
    const { elementBytes, pairBytes } = this.representation
    this.data = places.sources.map(() => blocks.allocate(vectors * pairBytes))
    this.job = blocks.struct("Transform")
    for (let i = 1; i <= stages; i++) {
      const [down, up] = [blocks.struct("TransformPass"), blocks.struct("TransformPass")]
      this.stages.push({ half: vectors / 2 ** i, down, up })
    }
    this.tables = {
      twiddles: blocks.allocate((n - this.leaf + 1) * elementBytes),
      constants: blocks.allocate(5 * pairBytes),
      scale: blocks.allocate(vectors * pairBytes),
    }
  }

  /** Steps from the sources to where the blocks of the inverse transform begin; large values are in a table. */
  down(table: { readonly at: number; readonly count: number }): UnchainedStep[] {
    const { tables, places, data } = this
    this.job.write({
      ...tables,
      vectors: this.n / 2,
      leaf: this.leaf,
      blocks: this.blockCount,
      chunks: this.chunks,
      table: table.at,
      out: places.out,
      source0: places.sources[0],
      source1: places.sources[1] ?? 0,
      data0: data[0],
      data1: data[1] ?? 0,
      tableCount: table.count,
    })
    const items = this.items
    return [
      step("transformEnter", this.job, items),
      ...this.stages.map(({ down }) => step("transformDown", down, items)),
    ]
  }

  /** Steps from the end of blocks to the product of two polynomials at `out`. */
  productUp(): UnchainedStep[] {
    const up = this.stages.toReversed().map((stage) => step("transformUp", stage.up, this.items))
    return [...up, step("transformQuotient", this.job, this.chunks)]
  }

  private get items(): number {
    return this.data.length * this.chunks
  }

  /** Canonical coefficients after the inverse steps, in their own order, n times too large. */
  coefficients(polynomial: number): bigint[] {
    const { memory, exports } = this.pool
    const { pairBytes } = this.representation
    const result = new Array<bigint>(this.n)
    const at = memory.allocate(256, "a result")
    const back = inverse(this.representation.fileFactor)
    for (let p = 0; p < this.n / 2; p++) {
      exports.frWrite2(at + 192, at + 224, this.data[polynomial] + p * pairBytes)
      const index = 2 * this.indexOf(p)
      result[index] = mod(memory.integer(at + 192) * back)
      result[index + 1] = mod(memory.integer(at + 224) * back)
    }
    memory.release(at)
    return result
  }

  /**
   * Half the index of the coefficient that the first lane of vector p holds after the inverse transform; or of so many
   * neighbouring vectors, beyond what they have in common.
   */
  indexOf(p: number, vectors = this.n / 2): number {
    let [index, weight, rest] = [0, 1, p]
    for (let half = vectors / 2; half >= this.leaf; half /= 2, weight *= 2) {
      if (rest < half) continue
      rest -= half
      index += weight
    }
    return index + weight * rest
  }

  /**
   * Tables of transforms whose coefficients k are multiplied by scale.first · scale.step^k between the inverse and the
   * forward one, in the form in which integers enter.
   */
  async fillTables(scale: Progression): Promise<void> {
    const { n, leaf, tables, representation } = this
    const vectors = n / 2
    this.writeConstants(tables.constants)
    const halves = Math.log2(vectors / leaf)
    const lent = new Blocks(this.pool.memory, "tables of transforms")
    try {
      const powers = tables.twiddles + (vectors - leaf) * representation.elementBytes
      const job = this.powersJob(lent, domainRoot(n), powers)
      await this.pool.run([
        step("tablePowers", job, Math.ceil((vectors + 1) / tableChunk)),
        { ...step("tableHalves", job, halves), after: [0] },
      ])
    } finally {
      lent.release()
    }
    await this.fillScale(tables.scale, scale)
    for (const [stage, { half, down, up }] of this.stages.entries()) {
      down.write({ job: this.job.at, half, stage })
      up.write({ job: this.job.at, half, stage: halves - 1 - stage })
    }
  }

  /** A pair for every vector: scale.first · scale.step^k for its coefficients k. */
  async fillScale(at: number, { first, step: base }: Progression): Promise<void> {
    const vectors = this.n / 2
    const lent = new Blocks(this.pool.memory, "tables of transforms")
    try {
      const powers = lent.allocate((vectors + 1) * this.representation.elementBytes)
      const job = this.powersJob(lent, mod(base * base), powers)
      const pair = job.get("constants") + this.representation.pairBytes
      setPair(this.pool, pair, first * radix, first * base * radix)
      job.set("scale", at)
      await this.pool.run([
        step("tablePowers", job, Math.ceil((vectors + 1) / tableChunk)),
        { ...step("tableScale", job, Math.ceil(vectors / tableChunk)), after: [0] },
      ])
    } finally {
      lent.release()
    }
  }

  /** The factor of coefficients that are `by` times too large, and without the radix that integers enter without. */
  scaleOf(by: number): bigint {
    return mod(radix * inverse(this.representation.fileFactor) * inverse(BigInt(by)))
  }

  private writeConstants(at: number): void {
    const { leaf, pool } = this
    const { pairBytes } = this.representation
    const ninth = (i: number) => (leaf === 9 ? power(rootOfUnity(9), BigInt(i)) : 1n)
    const third = leaf === 1 ? 1n : rootOfUnity(3)
    for (const [i, x] of [third, ninth(1), ninth(2), ninth(4)].entries()) {
      setPair(pool, at + i * pairBytes, x * radix, x * radix)
    }
    // the integer that a result stands for: Montgomery form away, and what the writing of elements adds
    setPair(pool, at + 4 * pairBytes, 1n, 1n)
  }

  /** What powers of a base are made of, and tables of them, in memory that is lent for as long. */
  private powersJob(lent: Blocks, base: bigint, powers: number) {
    const { n, leaf, representation, pool, tables } = this
    const vectors = n / 2
    const items = Math.ceil((vectors + 1) / tableChunk)
    const job = lent.struct("TransformTables")
    const constants = lent.allocate(2 * representation.pairBytes)
    const starts = lent.allocate(32 * items)
    const { twiddles, scale } = tables
    job.write({ vectors, leaf, chunk: tableChunk, twiddles, powers, scale, starts, constants })
    setPair(pool, constants, base * radix, base * radix)
    const stride = power(base, BigInt(tableChunk))
    let x = radix % r
    const first = Array.from({ length: items }, () => {
      const start = x
      x = (x * stride) % r
      return start
    })
    pool.memory.writeIntegers(starts, first)
    return job
  }
}

/** first · step^k for k = 0, 1, … */
export interface Progression {
  readonly first: bigint
  readonly step: bigint
}
