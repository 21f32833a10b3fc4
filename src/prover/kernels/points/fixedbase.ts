/**
 * Multiples of the generators of G1 and G2 on a pool, for a setup: a table of multiples for each window, then
 * for each scalar the sum of an entry of every table (kernels/assembly/curve/fixedbase.ts).
 */
import { invariant } from "../../../errors.js"
import { q, r } from "../../../field.js"
import type { KernelPool, RunOptions } from "../pool.js"
import { largeScalar } from "./multiplication.js"
import { constantOf, fileBytes, type Group } from "./points.js"
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
/** Fields of the struct in kernels/assembly/curve/fixedbase.ts; the last one says that a scalar was refused. */
const fields = 11
const minimumBits = 4
const maximumBits = 15

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
  private readonly blocks: number[] = []
  private readonly args: number
  private readonly struct: number[]
  private filled = false

  /** Takes memory for tables that suit about `scalars` scalars. */
  constructor(pool: KernelPool, group: Group, scalars: number) {
    this.pool = pool
    this.group = group
    this.windows = baseWindows(scalars)
    const { bits, count: W, offset } = this.windows
    const { memory } = pool
    const entries = 2 ** (bits - 1)
    const last = Number((r - 1n + offset) >> BigInt(bits * (W - 1)))
    const tableBytes = ((W - 1) * entries + last) * constantOf(pool, `${group}PointBytes`)
    try {
      const point = this.allocate(fileBytes[group])
      const offsetAt = this.allocate(32)
      this.args = this.allocate(4 * fields)
      this.struct = [point, bits, W, entries, last, this.allocate(tableBytes), offsetAt]
      generators[group].forEach((x, i) => {
        writeInteger(memory.bytes(point + 32 * i, 32), (x << 256n) % q)
      })
      writeInteger(memory.bytes(offsetAt, 32), offset)
    } catch (error) {
      this.release()
      throw error
    }
  }

  /**
   * The generator times each scalar; scalars: 32 bytes little endian each, below r. Zero gives zero bytes. What
   * was copied of the scalars is overwritten.
   * @throws InputError for a scalar that is not below r; what KernelPool.run throws
   */
  async multiply(scalars: Uint8Array, options: RunOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    const count = scalars.length / 32
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
        memory.bytes(source, 32 * length).set(scalars.subarray(32 * first, 32 * (first + length)))
        this.write(source, length, out)
        const items = Math.ceil(length / constantOf(this.pool, "baseRange"))
        await this.pool.run([this.step("MultiplyBase", items)], options)
        if (memory.unsigned(this.args, fields)[fields - 1] !== 0) throw largeScalar(scalars)
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
    for (const at of this.blocks.splice(0)) this.pool.memory.release(at)
  }

  private async fill(options: RunOptions): Promise<void> {
    this.write(0, 0, 0)
    const steps = [this.step("TableBases", 1), { ...this.step("TableFill", this.windows.count), after: [0] }]
    await this.pool.run(steps, { signal: options.signal })
    this.filled = true
  }

  private step(kernel: string, items: number) {
    const { group, args, pool } = this
    return { kernel: `${group}${kernel}`, args, items, scratchBytes: constantOf(pool, `${group}BaseScratch`) }
  }

  private write(scalars: number, count: number, out: number): void {
    this.pool.memory.unsigned(this.args, fields).set([...this.struct, scalars, count, out, 0])
  }

  private allocate(bytes: number): number {
    const at = this.pool.memory.allocate(bytes, "tables of a generator")
    this.blocks.push(at)
    return at
  }
}

function writeInteger(bytes: Uint8Array, x: bigint): void {
  for (let i = 0; i < bytes.length; i++, x >>= 8n) bytes[i] = Number(x & 255n)
}
