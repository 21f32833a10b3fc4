/**
 * Transforms over the scalar field on a pool, and what the quotient of Groth16 needs of them: from the values of
 * polynomials A and B on a domain of n points to A·B on its odd coset η·ω^k (see circuit/link/domain.ts).
 *
 * Values are float64 numbers: safe integers stand for themselves, `largeValue(i)` for entry i of a table of
 * field elements. Everything lives in the memory of the pool and is allocated once; a proof allocates nothing.
 */

import { cosetRoot, domainRoot, domainShape, rootOfUnity } from "../../../circuit/link/domain.js"
import { invariant } from "../../../errors.js"
import { inverse, mod, power, r } from "../../../field.js"
import type { KernelPool, Step } from "../pool.js"

/** 2^53 + 2·index: a number that is no safe integer stands for an entry of the table of field elements. */
export const largeValue = (index: number): number => 2 ** 53 + 2 * index

/** Kernels have room for this many pairs on each thread. */
const scratchBytes = 1024
const fileRadix = 1n << 256n
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
  const size = (name: string) => (exports[name] as unknown as WebAssembly.Global<"i32">).value
  const at = memory.allocate(256, "constants")
  exports.frRaw2(at, 1, 1)
  exports.frWrite2(at + 192, at + 224, at)
  const fileFactor = fromBytes(memory.bytes(at + 192, 32))
  memory.release(at)
  return { elementBytes: size("elementBytes"), pairBytes: size("pairBytes"), fileFactor }
}

/** 32 bytes little endian. */
function toBytes(x: bigint, bytes: Uint8Array): void {
  for (let i = 0; i < 32; i++, x >>= 8n) bytes[i] = Number(x & 255n)
}

function fromBytes(bytes: Uint8Array): bigint {
  let x = 0n
  for (let i = 31; i >= 0; i--) x = (x << 8n) | BigInt(bytes[i])
  return x
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
  private readonly blocks: number[] = []
  private readonly job: number
  private readonly passes: { half: number; down: number; up: number }[] = []
  private readonly reading: number
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
    this.polynomials = polynomials
    this.leaf = shape.odd
    this.representation = representationOf(pool)
    const vectors = n / 2
    const levels = Math.log2(vectors / this.leaf)
    // enough blocks for all threads, even where there is one polynomial
    const top = Math.min(levels, Math.ceil(Math.log2(pool.threads)) + 2)
    this.blockCount = 2 ** top
    this.chunks = Math.max(1, Math.min(4 * pool.threads, Math.floor(vectors / 2 / leastChunk)))
    try {
      const each = Array.from({ length: polynomials })
      this.sources = each.map(() => this.allocate(8 * n))
      this.data = each.map(() => this.allocate(vectors * this.representation.pairBytes))
      this.out = this.allocate(32 * n)
      this.job = this.allocate(64)
      this.reading = this.allocate(64)
      this.factor = this.allocate(this.representation.pairBytes)
      for (let i = 1; i <= top; i++) {
        this.passes.push({ half: vectors / 2 ** i, down: this.allocate(64), up: this.allocate(64) })
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
    for (const at of this.blocks.splice(0)) this.pool.memory.release(at)
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
    const add = chain(first, after)
    this.enter(add)
    add("transformBlocks", this.job, this.polynomials * this.blockCount)
    for (const { up } of this.passes.toReversed()) add("transformUp", up, this.polynomials * this.chunks)
    return add("transformQuotient", this.job, this.chunks)
  }

  /** Steps from the sources to coefficients in `data`, n times too large, in the order of the module. */
  inverseSteps(first = 0, after: readonly number[] = []): Step[] {
    const add = chain(first, after)
    this.enter(add)
    return add("transformBlocksDown", this.job, this.polynomials * this.blockCount)
  }

  /** Steps from coefficients in the order of the module to values, in `data`. */
  forwardSteps(first = 0, after: readonly number[] = []): Step[] {
    const add = chain(first, after)
    add("transformBlocksUp", this.job, this.polynomials * this.blockCount)
    for (const { up } of this.passes.toReversed()) add("transformUp", up, this.polynomials * this.chunks)
    return add("transformLeave", this.job, this.polynomials * this.chunks)
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
      result[i] = mod(fromBytes(memory.bytes(at + 192, 32)) * back)
      result[j] = mod(fromBytes(memory.bytes(at + 224, 32)) * back)
    }
    memory.release(at)
    return result
  }

  private enter(add: ReturnType<typeof chain>): void {
    this.writeJob()
    if (this.largeCount > 0) {
      const chunk = Math.max(2, 2 * Math.ceil(this.largeCount / 8 / this.pool.threads))
      const words = this.pool.memory.unsigned(this.reading, 5)
      words.set([this.largeBytes, this.largeElements, this.largeCount, chunk, this.factor])
      add("tableElements", this.reading, Math.ceil(this.largeCount / chunk))
    }
    add("transformEnter", this.job, this.polynomials * this.chunks)
    for (const { down } of this.passes) add("transformDown", down, this.polynomials * this.chunks)
  }

  private tables: { twiddles: number; constants: number; scale: number } | undefined

  private writeJob(): void {
    const { tables } = this
    invariant(tables, "the transform has no tables")
    const pad = (addresses: readonly number[]) => [...addresses, 0].slice(0, 2)
    this.pool.memory
      .unsigned(this.job, 14)
      .set([
        this.n / 2,
        this.leaf,
        this.blockCount,
        this.chunks,
        tables.twiddles,
        tables.constants,
        tables.scale,
        this.largeElements,
        this.out,
        ...pad(this.sources),
        ...pad(this.data),
        this.largeCount,
      ])
  }

  private async fillTables(): Promise<void> {
    const { pool, n, leaf, representation } = this
    const { elementBytes, pairBytes, fileFactor } = representation
    const vectors = n / 2
    const omega = domainRoot(n)
    const tables = {
      twiddles: this.allocate((n - leaf + 1) * elementBytes),
      constants: this.allocate(5 * pairBytes),
      scale: this.allocate(vectors * pairBytes),
    }
    this.tables = tables
    const ninth = (i: number) => (leaf === 9 ? power(rootOfUnity(9), BigInt(i)) : 1n)
    const third = leaf === 1 ? 1n : rootOfUnity(3)
    const montgomery = (x: bigint) => x * fileRadix
    for (const [i, x] of [third, ninth(1), ninth(2), ninth(4)].entries()) {
      this.setPair(tables.constants + i * pairBytes, montgomery(x), montgomery(x))
    }
    // the integer that a result stands for: Montgomery form away, and what the writing of elements adds
    this.setPair(tables.constants + 4 * pairBytes, 1n, 1n)
    this.setPair(this.factor, fileRadix * fileFactor, fileRadix * fileFactor)

    const items = Math.ceil((vectors + 1) / tableChunk)
    const memory = pool.memory
    const args = memory.allocate(64, "tables of transforms")
    const constants = memory.allocate(2 * pairBytes, "tables of transforms")
    const starts = memory.allocate(32 * items, "tables of transforms")
    const words = [vectors, leaf, tableChunk, tables.twiddles, tables.scale, starts, constants]
    memory.unsigned(args, 7).set(words)
    this.setPair(constants, montgomery(omega), montgomery(omega))
    // 1/n undoes the inverse transform; the radix is what integers lack that are not in Montgomery form
    const scale = fileRadix * inverse(fileFactor) * inverse(BigInt(n))
    this.setPair(constants + pairBytes, montgomery(scale), montgomery(scale * cosetRoot(n)))
    const step = power(omega, BigInt(tableChunk))
    for (let i = 0, x = fileRadix % r; i < items; i++, x = (x * step) % r) {
      toBytes(x, memory.bytes(starts + 32 * i, 32))
    }
    const halves = Math.log2(vectors / leaf)
    await pool.run([
      { kernel: "tablePowers", args, items, scratchBytes },
      { kernel: "tableHalves", args, items: halves, after: [0], scratchBytes },
      { kernel: "tableScale", args, items: Math.ceil(vectors / tableChunk), after: [0], scratchBytes },
    ])
    for (const at of [args, constants, starts]) memory.release(at)
    for (const [stage, { half, down, up }] of this.passes.entries()) {
      memory.unsigned(down, 3).set([this.job, half, stage])
      memory.unsigned(up, 3).set([this.job, half, halves - 1 - stage])
    }
  }

  /** The pair at `at` = the residues x0 and x1 as they are in a file. */
  private setPair(at: number, x0: bigint, x1: bigint): void {
    const { memory, exports } = this.pool
    const bytes = memory.allocate(64, "constants")
    toBytes(mod(x0), memory.bytes(bytes, 32))
    toBytes(mod(x1), memory.bytes(bytes + 32, 32))
    exports.frRead2(at, bytes, bytes + 32)
    memory.release(bytes)
  }

  private allocate(bytes: number): number {
    const at = this.pool.memory.allocate(bytes, `a transform of ${this.n} values`)
    this.blocks.push(at)
    return at
  }

  private releaseLarge(): void {
    this.pool.memory.release(this.largeBytes)
    this.pool.memory.release(this.largeElements)
    this.largeCapacity = 0
  }
}

/** Steps of which each waits for the one before it. */
function chain(first: number, after: readonly number[]) {
  const steps: Step[] = []
  return (kernel: string, args: number, items: number): Step[] => {
    const before = steps.length === 0 ? after : [first + steps.length - 1]
    steps.push({ kernel, args, items, after: before, scratchBytes })
    return steps
  }
}
