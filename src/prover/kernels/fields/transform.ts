/**
 * Transforms over the scalar field on a pool, and what the quotient of Groth16 needs of them: from the values of
 * polynomials A and B where the rows of a domain are to A·B where its quotient is (see circuit/link/domain.ts).
 *
 * Values are float64 numbers: safe integers stand for themselves, `largeValue(i)` for entry i of a table of
 * field elements. Everything lives in the memory of the pool and is allocated once; a proof allocates nothing.
 */
import { cosetsOf, joinCosets } from "../../../circuit/link/domain.js"
import { invariant } from "../../../errors.js"
import { inverse, power, r, radix } from "../../../field.js"
import { Blocks } from "../blocks.js"
import type { KernelPool } from "../pool.js"
import type { Step } from "../program.js"
import type { Struct } from "../structs.js"
import { CosetTransform, mostStages, representationOf, setPair, step, type UnchainedStep } from "./coset.js"

export { type Representation, representationOf } from "./coset.js"

/** 2^53 + 2·index: a number that is no safe integer stands for an entry of the table of field elements. */
export const largeValue = (index: number): number => 2 ** 53 + 2 * index

export class Transform {
  readonly n: number
  /** Number of polynomials that are transformed together. */
  readonly polynomials: number
  /** Addresses of n float64 values each, to be written before the steps run. */
  readonly sources: readonly number[]
  /** Address of n canonical 32-byte scalars, the result of `quotientSteps`, in the order of the points. */
  readonly out: number
  private readonly pool: KernelPool
  private readonly blocks: Blocks
  private readonly stages: number
  /** One for each coset. */
  private readonly parts: readonly CosetTransform[]
  /** What the blocks of two cosets are told. */
  private readonly both: Struct<"TransformCosets"> | undefined
  private readonly reading: Struct<"Elements">
  private largeBytes = 0
  private largeElements = 0
  private largeCapacity = 0
  private largeCount = 0

  private constructor(pool: KernelPool, n: number, polynomials: number) {
    const sizes = cosetsOf(n).rows.map(({ size }) => size)
    this.pool = pool
    this.n = n
    this.blocks = new Blocks(pool.memory, `a transform of ${n} values`)
    this.polynomials = polynomials
    // enough blocks for all threads, even where there is one polynomial
    this.stages = Math.min(...sizes.map(mostStages), Math.ceil(Math.log2(pool.threads)) + 2)
    const { blocks, stages } = this
    try {
      this.sources = Array.from({ length: polynomials }, () => blocks.allocate(8 * n))
      this.out = blocks.allocate(32 * n)
      this.reading = blocks.struct("Elements")
      let from = 0
      this.parts = sizes.map((size) => {
        const sources = this.sources.map((at) => at + 8 * from)
        const out = this.out + 32 * from
        from += size
        return new CosetTransform(pool, size, stages, { sources, out }, blocks)
      })
      this.both = sizes.length > 1 ? blocks.struct("TransformCosets") : undefined
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
      const { memory } = this.pool
      this.largeBytes = memory.allocate(32 * count, "field elements")
      const { elementBytes } = representationOf(this.pool)
      this.largeElements = memory.allocate(elementBytes * count, "field elements")
      this.largeCapacity = count
    }
    this.largeCount = count
    return this.largeBytes
  }

  /**
   * Steps that turn the sources of two polynomials into a·b at the points of the quotient, at `out`. They are for a
   * program in which they begin at index `first` and wait for the steps `after`; the last one waits for all others.
   */
  quotientSteps(first = 0, after: readonly number[] = []): Step[] {
    invariant(this.polynomials === 2, "a quotient is of two polynomials")
    const steps = new Steps(first)
    const entered = this.enter(steps, after)
    const blocks = this.both
      ? this.blockStep("transformCosets", this.both)
      : this.blockStep("transformBlocks", this.parts[0].job)
    const joined = steps.add(blocks, entered)
    let others: readonly number[] = []
    for (const part of this.parts.toReversed()) {
      const up = part.productUp()
      const last = steps.chain(up.slice(0, -1), [joined])
      others = [steps.add(up[up.length - 1], [...last, ...others])]
    }
    return steps.list
  }

  /** Steps from the sources to coefficients, which `coefficients` then gives. */
  inverseSteps(first = 0, after: readonly number[] = []): Step[] {
    const steps = new Steps(first)
    const entered = this.enter(steps, after)
    for (const { job } of this.parts) steps.add(this.blockStep("transformBlocksDown", job), entered)
    return steps.list
  }

  /**
   * Canonical coefficients after `inverseSteps`, of the polynomial that has the values of a source where rows are, or
   * of the one that has them where the quotient is.
   */
  coefficients(polynomial: number, where: "rows" | "quotient" = "rows"): readonly bigint[] {
    const cosets = cosetsOf(this.n)[where]
    const lists = this.parts.map((part, i) => {
      const back = inverse(cosets[i].shift)
      let factor = inverse(BigInt(part.n))
      return part.coefficients(polynomial).map((value) => {
        const result = (value * factor) % r
        factor = (factor * back) % r
        return result
      })
    })
    return joinCosets(cosets, lists)
  }

  /** Adds steps from the sources to where the blocks of the inverse transforms begin; what comes then waits for them. */
  private enter(steps: Steps, after: readonly number[]): number[] {
    const { largeCount, pool, parts } = this
    let ready = after
    if (largeCount > 0) {
      const chunk = Math.max(2, 2 * Math.ceil(largeCount / 8 / pool.threads))
      this.reading.set("count", largeCount)
      this.reading.set("chunk", chunk)
      this.reading.set("from", this.largeBytes)
      this.reading.set("to", this.largeElements)
      ready = [steps.add(step("tableElements", this.reading, Math.ceil(largeCount / chunk)), after)]
    }
    const table = { at: this.largeElements, count: largeCount }
    return parts.flatMap((part) => steps.chain(part.down(table), ready))
  }

  private blockStep(kernel: string, job: { readonly at: number }): UnchainedStep {
    return step(kernel, job, this.polynomials * 2 ** this.stages)
  }

  private async fillTables(): Promise<void> {
    const { pool, parts, blocks } = this
    const { pairBytes, fileFactor } = representationOf(pool)
    const factor = blocks.allocate(pairBytes)
    setPair(pool, factor, radix * fileFactor, radix * fileFactor)
    this.reading.write({ from: 0, to: 0, count: 0, chunk: 2, factor })
    const { quotient } = cosetsOf(this.n)
    // the exchange brings the coefficients of all cosets to the scale of the first
    for (const [i, part] of parts.entries()) {
      await part.fillTables({ first: part.scaleOf(parts[0].n), step: quotient[i].shift })
    }
    if (this.both) await this.fillBoth(this.both)
  }

  private async fillBoth(both: Struct<"TransformCosets">): Promise<void> {
    const { pool, parts, blocks } = this
    const [one, two] = parts
    const { pairBytes } = representationOf(pool)
    const ratio = one.n / two.n
    const shift = cosetsOf(this.n).rows[1].shift
    const secondGroup = two.leaf
    const firstGroup = ratio * secondGroup
    const order = blocks.allocate(4 * firstGroup)
    const places = new Uint32Array(firstGroup)
    for (let p = 0; p < firstGroup; p++) {
      const index = one.indexOf(p, firstGroup)
      places[(index % secondGroup) * ratio + Math.floor(index / secondGroup)] = p
    }
    pool.memory.unsigned(order, firstGroup).set(places)
    const weights = blocks.allocate(pairBytes * ratio)
    const turned = power(shift, BigInt(two.n))
    for (let j = 0; j < ratio; j++) {
      const weight = power(turned, BigInt(j)) * radix
      setPair(pool, weights + j * pairBytes, weight, weight)
    }
    const turn = blocks.allocate(pairBytes)
    const factor = (1n + power(shift, BigInt(one.n))) * radix
    setPair(pool, turn, factor, factor)
    const middle = blocks.allocate((two.n / 2) * pairBytes)
    await two.fillScale(middle, { first: BigInt(ratio), step: inverse(shift) })
    const [first, second] = [one.job.at, two.job.at]
    both.write({ first, second, firstGroup, secondGroup, ratio, order, weights, middle, turn })
  }

  private releaseLarge(): void {
    this.pool.memory.release(this.largeBytes)
    this.pool.memory.release(this.largeElements)
    this.largeCapacity = 0
  }
}

/** Steps of a program that is being made; they begin at an index of it. */
class Steps {
  readonly list: Step[] = []
  private readonly first: number

  constructor(first: number) {
    this.first = first
  }

  /** @returns its index */
  add(next: UnchainedStep, after: readonly number[]): number {
    this.list.push({ ...next, after })
    return this.first + this.list.length - 1
  }

  /** Steps of which each waits for the one before it. @returns what waits for the last one */
  chain(steps: readonly UnchainedStep[], after: readonly number[]): readonly number[] {
    return steps.reduce((before, next) => [this.add(next, before)], after)
  }
}
