/**
 * Multiples of the generators of G1 and G2 on a pool, for a setup: a table of multiples for each window, then
 * for each scalar the sum of an entry of every table (kernels/assembly/curve/fixedbase.ts).
 */
import { invariant } from "../../../errors.js"
import { q, r, radix } from "../../../field.js"
import { Blocks } from "../blocks.js"
import type { MadeScalars } from "../fields/evaluation.js"
import type { KernelPool, RunOptions } from "../pool.js"
import type { Struct, Values } from "../structs.js"
import { largeScalar } from "./multiplication.js"
import { fileBytes, type Group } from "./points.js"
import { type Windows, windowsOf } from "./windows.js"

/** Generators: G1 of EIP-196, G2 of EIP-197; x, y or x0, x1, y0, y1. */
const generators: Readonly<Record<Group, readonly bigint[]>> = {
  g1: [1n, 2n],
  g2: [
    10857046999023057135944570762232829481370756359578518086990519993285655852781n,
    11559732032986387107991004021392285783925812861821192530917403151452391805634n,
    8495653923123431417604973247489272438418190587263600148770280649306958101930n,
    4082367875863433681332203403145435568316851327593401208105741076214120093531n,
  ],
}

/** Scalars whose multiples lie in the memory of the pool at the same time. */
const batch = 2 ** 16
const minimumBits = 4
const maximumBits = 16

/** The windows with the fewest additions for `scalars` scalars, the table included. */
export function baseWindows(scalars: number): Windows {
  let best = windowsOf(minimumBits, r - 1n)
  const cost = ({ bits, count }: Windows) => count * (scalars + 2 ** (bits - 1))
  for (let bits = minimumBits + 1; bits <= maximumBits; bits++) {
    const candidate = windowsOf(bits, r - 1n)
    if (cost(candidate) < cost(best)) best = candidate
  }
  return best
}

export class BaseTable {
  readonly group: Group
  readonly windows: Windows
  private readonly pool: KernelPool
  private readonly blocks: Blocks
  private readonly job: Struct<"FixedBase">
  private readonly table: Omit<Values<"FixedBase">, "scalars" | "count" | "out">
  private filled = false

  /** Takes memory for tables that suit about `scalars` scalars. */
  constructor(pool: KernelPool, group: Group, scalars: number) {
    this.pool = pool
    this.group = group
    this.windows = baseWindows(scalars)
    this.blocks = new Blocks(pool.memory, "tables of a generator")
    const { bits, count: W, offset } = this.windows
    const { memory } = pool
    const entries = 2 ** (bits - 1)
    const lastEntries = Number((r - 1n + offset) >> BigInt(bits * (W - 1)))
    const tableBytes = ((W - 1) * entries + lastEntries) * pool.constant(`${group}PointBytes`)
    try {
      const point = this.blocks.allocate(fileBytes[group])
      const offsetAt = this.blocks.allocate(32)
      this.job = this.blocks.struct("FixedBase")
      const tables = this.blocks.allocate(tableBytes)
      this.table = { point, bits, windows: W, entries, lastEntries, tables, offset: offsetAt, refused: 0 }
      memory.writeIntegers(
        point,
        generators[group].map((x) => (x * radix) % q),
      )
      memory.writeIntegers(offsetAt, [offset])
    } catch (error) {
      this.release()
      throw error
    }
  }

  /**
   * The generator times each scalar; scalars: 32 bytes little endian each, below r, or made in the memory of the pool
   * part by part. Zero gives zero bytes. What was copied or made of the scalars is overwritten.
   * @throws InputError for a scalar that is not below r; what KernelPool.run throws
   */
  async multiples(
    scalars: Uint8Array | MadeScalars,
    options: RunOptions = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    const count = scalars instanceof Uint8Array ? scalars.length / 32 : scalars.count
    invariant(Number.isInteger(count), "scalars take 32 bytes each")
    if (!this.filled) await this.fill(options)
    const size = fileBytes[this.group]
    const result = new Uint8Array(count * size)
    const most = Math.min(batch, count)
    const { memory } = this.pool
    const source = memory.allocate(32 * most, "scalars of a setup")
    const out = memory.allocate(size * most, "points of a setup")
    try {
      for (let first = 0; first < count; first += most) {
        const length = Math.min(most, count - first)
        const made = scalars instanceof Uint8Array ? [] : scalars.steps(first, length, source)
        if (scalars instanceof Uint8Array)
          memory.bytes(source, 32 * length).set(scalars.subarray(32 * first, 32 * (first + length)))
        this.job.write({ ...this.table, scalars: source, count: length, out })
        const items = Math.ceil(length / this.pool.constant("baseRange"))
        const after = made.map((_, i) => i)
        await this.pool.run([...made, { ...this.step("MultiplyBase", items), after }], options)
        if (this.job.get("refused") !== 0) throw largeScalar(memory.bytes(source, 32 * length))
        result.set(memory.bytes(out, size * length), size * first)
      }
    } finally {
      memory.bytes(source, 32 * most).fill(0)
      memory.release(source)
      memory.release(out)
    }
    return result
  }

  /** Gives the memory back. */
  release(): void {
    this.blocks.release()
  }

  private async fill(options: RunOptions): Promise<void> {
    this.job.write({ ...this.table, scalars: 0, count: 0, out: 0 })
    const steps = [this.step("TableBases", 1), { ...this.step("TableFill", this.windows.count), after: [0] }]
    await this.pool.run(steps, { signal: options.signal })
    this.filled = true
  }

  private step(kernel: string, items: number) {
    const { group, job, pool } = this
    const scratchBytes = pool.constant(`${group}BaseScratch`)
    return { kernel: `${group}${kernel}`, args: job.at, items, scratchBytes }
  }
}
