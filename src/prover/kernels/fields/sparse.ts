/**
 * Sparse integer rows times a witness: A·w and B·w. Nearly all coefficients and wires are small integers, and
 * their sums are exact in float64; the kernel says where they may not be. What is left is done with bigint:
 * entries with a large coefficient or a large wire, which are set apart beforehand, and rows that overflow.
 */
import type { SparseRows } from "../../../circuit/formats/r1cs.js"
import { invariant } from "../../../errors.js"
import { mod, r } from "../../../field.js"
import type { KernelPool, Step } from "../pool.js"

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
  private readonly block: number
  private readonly args: number
  private readonly items: number

  /**
   * Lays out rows, with coefficients out of `values` (canonical), in the memory of the pool. `large` are the
   * wires that may hold more than a safe integer.
   */
  constructor(pool: KernelPool, matrix: SparseRows, values: readonly bigint[], large: ReadonlySet<number>) {
    this.pool = pool
    this.matrix = matrix
    this.values = values.map((value) => (value > r >> 1n ? value - r : value))
    this.rows = matrix.rowPtr.length - 1
    const entries = matrix.wires.length
    this.items = Math.max(1, Math.min(16 * pool.threads, Math.floor(entries / leastEntries)))
    const words = this.items + 1 + (this.rows + 1) + entries
    const doubles = 4 * (words + (words & 1))
    this.block = pool.memory.allocate(doubles + 8 * entries, "rows of the circuit")
    this.args = pool.memory.allocate(64, "rows of the circuit")
    const bounds = pool.memory.unsigned(this.block, this.items + 1)
    const rowPtr = pool.memory.unsigned(this.block + 4 * bounds.length, this.rows + 1)
    const wires = pool.memory.unsigned(this.block + 4 * (bounds.length + rowPtr.length), entries)
    const coefficients = pool.memory.doubles(this.block + doubles, entries)
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
    pool.memory
      .unsigned(this.args, 4)
      .set([bounds.byteOffset, rowPtr.byteOffset, wires.byteOffset, coefficients.byteOffset])
  }

  /**
   * Steps that multiply the float64 vector at `vector`, at least `wires` numbers, into `rows` numbers at `out`,
   * NaN where the sum may not be exact. What is set apart is not in them.
   */
  steps(vector: number, out: number, after: readonly number[] = []): Step[] {
    this.pool.memory.unsigned(this.args, 6).set([vector, out], 4)
    return [{ kernel: "sparseRows", args: this.args, items: this.items, after }]
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
    this.pool.memory.release(this.block)
    this.pool.memory.release(this.args)
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
  const signed = canonical > r >> 1n ? canonical - r : canonical
  if (isSafe(signed)) return Number(signed)
  const number = store(canonical)
  invariant(number >= 2 ** 53, "a large value has no number of its own")
  return number
}
