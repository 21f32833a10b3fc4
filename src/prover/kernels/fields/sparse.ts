/**
 * Sparse integer rows times a witness: A·w and B·w. Nearly all coefficients and wires are small integers, and
 * their sums are exact in float64; the kernel says where they may not be. What is left is done with bigint:
 * entries with a large coefficient or a large wire, which are set apart beforehand, and rows that overflow.
 */
import type { SparseRows } from "../../../circuit/formats/r1cs.js"
import { invariant } from "../../../errors.js"
import { mod, signed } from "../../../field.js"
import { Blocks } from "../blocks.js"
import type { KernelPool } from "../pool.js"
import type { Step } from "../program.js"
import type { Struct } from "../structs.js"

/** Entries that are worth an item. */
const leastEntries = 4096

interface RestEntry {
  readonly wire: number
  readonly coefficient: bigint
}

export class SparseProduct {
  readonly rows: number
  /** Length that a vector must have: one more than the largest wire that occurs. */
  readonly wires: number
  private readonly pool: KernelPool
  private readonly matrix: SparseRows
  /** Representatives of least absolute value. */
  private readonly values: readonly bigint[]
  /** Entries with a large wire or coefficient, by row. */
  private readonly rest = new Map<number, RestEntry[]>()
  private readonly blocks: Blocks
  private readonly job: Struct<"SparseRows">
  private readonly items: number

  /**
   * Lays out rows, with coefficients out of `values` (canonical), in the memory of the pool. `large` are the
   * wires that may hold more than a safe integer.
   */
  constructor(pool: KernelPool, matrix: SparseRows, values: readonly bigint[], large: ReadonlySet<number>) {
    this.pool = pool
    this.matrix = matrix
    this.values = values.map(signed)
    this.rows = matrix.rowPtr.length - 1
    const entries = matrix.wires.length
    this.items = Math.max(1, Math.min(16 * pool.threads, Math.floor(entries / leastEntries)))
    this.blocks = new Blocks(pool.memory, "rows of the circuit")
    this.job = this.blocks.struct("SparseRows")
    const { bounds, rowPtr, wires, coefficients } = this.reserve(entries)
    const small = this.values.map((value) => (isSafe(value) ? Number(value) : Number.NaN))
    let kept = 0
    let length = 0
    for (let row = 0, item = 0; row < this.rows; row++) {
      rowPtr[row] = kept
      for (; item < this.items && matrix.rowPtr[row] >= (entries * item) / this.items; item++)
        bounds[item] = row
      for (let j = matrix.rowPtr[row]; j < matrix.rowPtr[row + 1]; j++) {
        const wire = matrix.wires[j]
        if (wire >= length) length = wire + 1
        const coefficient = small[matrix.coefficients[j]]
        if (Number.isNaN(coefficient) || large.has(wire)) this.setApart(row, wire, matrix.coefficients[j])
        else {
          wires[kept] = wire
          coefficients[kept++] = coefficient
        }
      }
      if (row === this.rows - 1) bounds.fill(this.rows, item)
    }
    this.wires = length
    bounds[this.items] = this.rows
    rowPtr[this.rows] = kept
    this.job.write({
      bounds: bounds.byteOffset,
      rowPtr: rowPtr.byteOffset,
      wires: wires.byteOffset,
      coefficients: coefficients.byteOffset,
      vector: 0,
      out: 0,
    })
  }

  /** Memory for the rows, all of it before anyone looks at it. */
  private reserve(entries: number) {
    const { memory } = this.pool
    const sizes = [4 * (this.items + 1), 4 * (this.rows + 1), 4 * entries, 8 * entries]
    const [bounds, rowPtr, wires, coefficients] = sizes.map((bytes) => this.blocks.allocate(bytes))
    return {
      bounds: memory.unsigned(bounds, this.items + 1),
      rowPtr: memory.unsigned(rowPtr, this.rows + 1),
      wires: memory.unsigned(wires, entries),
      coefficients: memory.doubles(coefficients, entries),
    }
  }

  /**
   * Steps that multiply the float64 vector at `vector`, at least `wires` numbers, into `rows` numbers at `out`,
   * NaN where the sum may not be exact. What is set apart is not in them.
   */
  steps(vector: number, out: number, after: readonly number[] = []): Step[] {
    this.job.set("vector", vector)
    this.job.set("out", out)
    return [{ kernel: "sparseRows", args: this.job.at, items: this.items, after }]
  }

  /**
   * Completes the numbers at `out` after the steps ran: `wire` gives the value of a wire, canonical or signed;
   * `store` keeps a canonical field element and returns the number that stands for it.
   */
  finish(out: number, wire: (index: number) => bigint, store: (value: bigint) => number): void {
    const result = this.pool.memory.doubles(out, this.rows)
    for (let row = 0; row < this.rows; row++) {
      if (Number.isNaN(result[row])) result[row] = numberOf(this.exactRow(row, wire), store)
      else {
        const rest = this.rest.get(row)
        if (rest === undefined) continue
        let sum = BigInt(result[row])
        for (const entry of rest) sum += entry.coefficient * wire(entry.wire)
        result[row] = numberOf(sum, store)
      }
    }
  }

  /** The sum of a row from the matrix itself, without reduction: the slow version of all this. */
  exactRow(row: number, wire: (index: number) => bigint): bigint {
    const { rowPtr, wires, coefficients } = this.matrix
    let sum = 0n
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) sum += this.values[coefficients[j]] * wire(wires[j])
    return sum
  }

  /** Gives the memory back. */
  close(): void {
    this.blocks.release()
  }

  private setApart(row: number, wire: number, coefficient: number): void {
    const entry = { wire, coefficient: this.values[coefficient] }
    const entries = this.rest.get(row)
    if (entries) entries.push(entry)
    else this.rest.set(row, [entry])
  }
}

const largestSafe = BigInt(Number.MAX_SAFE_INTEGER)
const isSafe = (value: bigint): boolean => value <= largestSafe && -value <= largestSafe

function numberOf(sum: bigint, store: (value: bigint) => number): number {
  if (isSafe(sum)) return Number(sum)
  const canonical = mod(sum)
  const least = signed(canonical)
  if (isSafe(least)) return Number(least)
  const number = store(canonical)
  invariant(number >= 2 ** 53, "a large value has no number of its own")
  return number
}
