/**
 * What a setup evaluates, on a pool (kernels/assembly/sums.ts). Its field elements are canonical integers of 32 bytes in
 * the memory of the pool, known by the address of the first: there are millions of them, and none is a bigint.
 */
import { type Coset, rootOfUnity } from "../../../circuit/link/domain.js"
import { invariant } from "../../../errors.js"
import { mod, power, r, radix } from "../../../field.js"
import { Blocks } from "../blocks.js"
import type { KernelPool, RunOptions } from "../pool.js"
import type { Step } from "../program.js"

/** Sizes of coefficients of a sum must be below this. */
export const coefficientBound = 2 ** 31
/** Sums, outputs and combinations that are worth an item; even numbers. */
const leastChunk = 256
/** Items for each thread. */
const itemsPerThread = 16
/** No sum. */
export const NONE = 0xffffffff

/** Sums of integers with coefficients. */
export interface Columns {
  /** Which sum each column is added to, no two to the same. */
  readonly targets: Uint32Array
  /** First entry of each column and, at the end, the number of entries. */
  readonly starts: Uint32Array
  /** Of each entry the number of an integer, and its coefficient, an integer of less than `coefficientBound`. */
  readonly indices: Uint32Array
  readonly coefficients: Float64Array
}

/** A linear map the other way round: sums of its outputs, one for each input. */
export interface Transposed {
  readonly positions: number
  readonly inChannels: number
  readonly outChannels: number
  readonly groups: number
  readonly taps: number
  /** Of each input channel every tap, of each tap the output channels of the group; sizes of an input channel's add up to less than `coefficientBound`. */
  readonly weights: Float64Array
  /** First reading of each input position and, at the end, their number; a reading is a tap and an output position. */
  readonly starts: Uint32Array
  readonly readings: Uint32Array
  /** Which sum each input is added to, channel by channel, or NONE; no two to the same. */
  readonly targets: Uint32Array
  readonly outPositions: number
}

/** Integers below r that are made in the memory of a pool when they are needed. */
export interface MadeScalars {
  readonly count: number
  /** Steps that write integers `first` … `first + count − 1` at an address. */
  steps(first: number, count: number, to: number): Step[]
  /** Gives memory back. */
  release(): void
}

/** Scalars of some parts, one behind the other. */
export function joinScalars(parts: readonly MadeScalars[]): MadeScalars {
  return {
    count: parts.reduce((sum, { count }) => sum + count, 0),
    steps(first, count, to) {
      let before = 0
      return parts.flatMap((part) => {
        const from = Math.max(first - before, 0)
        const end = Math.min(first + count - before, part.count)
        const at = to + 32 * (before + from - first)
        before += part.count
        return from < end ? part.steps(from, end - from, at) : []
      })
    },
    release() {
      for (const part of parts) part.release()
    },
  }
}

export class Evaluation {
  private readonly pool: KernelPool
  private readonly blocks: Blocks
  /** Pairs: 2^256 and 2^50. */
  private readonly constants: number
  private readonly pairBytes: number

  constructor(pool: KernelPool) {
    this.pool = pool
    this.pairBytes = pool.constant("pairBytes")
    this.blocks = new Blocks(pool.memory, "what a setup evaluates")
    this.constants = this.blocks.allocate(2 * this.pairBytes)
    this.setPair(this.constants, radix * radix)
    this.setPair(this.constants + this.pairBytes, radix << 50n)
  }

  /** Gives all memory back. */
  close(): void {
    this.blocks.release()
  }

  /** Room for integers, which are zero. */
  integers(count: number): number {
    const at = this.blocks.allocate(32 * count)
    this.pool.memory.bytes(at, 32 * count).fill(0)
    return at
  }

  /** Gives integers back. */
  free(at: number): void {
    this.blocks.free(at)
  }

  /** Writes one that is below 2^256. */
  setInteger(at: number, value: bigint): void {
    this.pool.memory.writeIntegers(at, [value])
  }

  /**
   * factors[i mod their number] · x / (τ − x) for the points x = shift·ω^i of a coset, none of which is τ. As many
   * factors as go into the points, one or an even number.
   */
  async lagrange(
    to: number,
    { size, shift }: Coset,
    tau: bigint,
    factors: readonly bigint[],
    options?: RunOptions,
  ): Promise<void> {
    invariant(power(tau, BigInt(size)) !== power(shift, BigInt(size)), "the evaluation point is in the coset")
    const { pool, pairBytes } = this
    const period = Math.ceil(factors.length / 2)
    const lent = new Blocks(pool.memory, "Lagrange polynomials")
    const range = pool.constant("lagrangeRange")
    const items = Math.ceil(size / range)
    const omega = rootOfUnity(size)
    try {
      const starts = lent.allocate(32 * items)
      const stride = power(omega, BigInt(range))
      let x = (shift * radix) % r
      const first = Array.from({ length: items }, () => {
        const start = x
        x = (x * stride) % r
        return start
      })
      pool.memory.writeIntegers(starts, first)
      const constants = lent.allocate(4 * pairBytes)
      this.setPair(constants, radix, omega * radix)
      this.setPair(constants + pairBytes, omega * omega * radix)
      this.setPair(constants + 2 * pairBytes, tau * radix)
      this.setPair(constants + 3 * pairBytes, radix)
      const pairs = lent.allocate(period * pairBytes)
      // without radix: what is written then is the integer
      for (let i = 0; i < period; i++)
        this.setPair(pairs + i * pairBytes, factors[2 * i], factors[(2 * i + 1) % factors.length])
      const job = lent.struct("Lagrange")
      job.write({ starts, count: size, constants, factors: pairs, period, out: to })
      const scratchBytes = pool.constant("lagrangeScratch")
      await pool.run([{ kernel: "lagrange", args: job.at, items, scratchBytes }], options)
    } finally {
      lent.release()
    }
  }

  /** Adds to integers from `to` on sums of those from `from` on. */
  async addColumns(columns: Columns, from: number, to: number, options?: RunOptions): Promise<void> {
    const { targets, starts, indices, coefficients } = columns
    const count = targets.length
    if (count === 0) return
    const { pool, constants } = this
    const lent = new Blocks(pool.memory, "rows of the circuit")
    const place = (list: Uint32Array | Float64Array) => lent.place(list)
    try {
      const chunk = this.chunkOf(count)
      const job = lent.struct("ColumnSums")
      const lists = { targets: place(targets), starts: place(starts), indices: place(indices) }
      job.write({ from, to, ...lists, count, chunk, coefficients: place(coefficients), constants })
      await pool.run([this.step("columnSums", job, Math.ceil(count / chunk))], options)
    } finally {
      lent.release()
    }
  }

  /**
   * The same of the outputs of a linear map, which `make` writes to an address: position by position, all channels of
   * a position side by side.
   */
  async addTransposed(
    map: Transposed,
    make: (at: number) => Promise<void>,
    to: number,
    options?: RunOptions,
  ): Promise<void> {
    const { pool, constants } = this
    const { positions, inChannels, outChannels, groups, taps, outPositions } = map
    const outputs = outPositions * outChannels
    const inputs = positions * inChannels
    const lent = new Blocks(pool.memory, "a linear map")
    const place = (list: Uint32Array | Float64Array) => lent.place(list)
    try {
      const from = lent.allocate(32 * outputs)
      pool.memory.bytes(from, 32 * outputs).fill(0)
      await make(from)
      const [chunk, inputChunk] = [this.chunkOf(outputs), this.chunkOf(inputs, 2)]
      const job = lent.struct("MapSums")
      job.write({
        from,
        limbs: lent.allocate(96 * outputs),
        outputs,
        chunk,
        to,
        targets: place(map.targets),
        positions,
        channels: outChannels,
        groupIn: inChannels / groups,
        groupOut: outChannels / groups,
        weights: place(map.weights),
        taps,
        starts: place(map.starts),
        readings: place(map.readings),
        inputs,
        inputChunk,
        constants,
      })
      const cut = { ...this.step("mapLimbs", job, Math.ceil(outputs / chunk)), scratchBytes: 0 }
      await pool.run(
        [cut, { ...this.step("mapSums", job, Math.ceil(inputs / inputChunk)), after: [0] }],
        options,
      )
    } finally {
      lent.release()
    }
  }

  /**
   * Combinations: number i is the sum of factor times integer numbers[i] of each column, or of its integer i if there
   * are no numbers. `count` of them.
   */
  combinations(
    terms: readonly { readonly column: number; readonly factor: bigint }[],
    count: number,
    numbers?: Uint32Array,
  ): MadeScalars {
    const { pool, pairBytes } = this
    const lent = new Blocks(pool.memory, "scalars of a setup")
    const columns = lent.allocate(4 * terms.length)
    const factors = lent.allocate(pairBytes * terms.length)
    pool.memory.unsigned(columns, terms.length).set(terms.map(({ column }) => column))
    terms.forEach(({ factor }, i) => {
      this.setPair(factors + i * pairBytes, factor * radix)
    })
    const job = lent.struct("Combinations")
    const own = { at: 0, room: 0 }
    return {
      count,
      steps: (first, length, out) => {
        if (numbers && length > own.room) {
          own.at = lent.allocate(4 * length)
          own.room = length
        }
        if (numbers) pool.memory.unsigned(own.at, length).set(numbers.subarray(first, first + length))
        const chunk = this.chunkOf(length)
        const values = { numbers: own.at, count: length, chunk, terms: terms.length, columns, factors, out }
        job.write({ ...values, first: numbers ? 0 : first })
        const scratchBytes = pool.constant("combinationsScratch")
        return [{ kernel: "combine", args: job.at, items: Math.ceil(length / chunk), scratchBytes }]
      },
      release: () => {
        pool.memory.bytes(factors, pairBytes * terms.length).fill(0)
        lent.release()
      },
    }
  }

  private chunkOf(count: number, least = leastChunk): number {
    return Math.max(least, 2 * Math.ceil(count / (2 * itemsPerThread * this.pool.threads)))
  }

  private step(kernel: string, { at }: { readonly at: number }, items: number): Step {
    return { kernel, args: at, items, scratchBytes: this.pool.constant("sumsScratch") }
  }

  /** The pair at `at` = the residues x0 and x1 as they are in a file. */
  private setPair(at: number, x0: bigint, x1 = x0): void {
    const { memory, exports } = this.pool
    const bytes = memory.allocate(64, "constants")
    memory.writeIntegers(bytes, [mod(x0), mod(x1)])
    exports.frRead2(at, bytes, bytes + 32)
    memory.bytes(bytes, 64).fill(0)
    memory.release(bytes)
  }
}
