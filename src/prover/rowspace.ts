/**
 * Linear algebra of a constraint system for the audit of a key (audit-key.ts). The points of a key are combinations of
 * Lagrange polynomials L_j(τ), one for each row j, that nobody knows: u_i = Σ A[j,i]·L_j, and so on. What can be said
 * of them without τ follows from the sparse matrices alone:
 *
 *     L_j itself    where a column of A or B has one row that is not known yet, its point gives that row's L_j
 *     vectors       random ones with given sums on chosen rows of a side
 *
 * Both are found by peeling, in time linear in the entries.
 */
import type { R1cs, SparseRows } from "../circuit/formats/r1cs.js"
import { inverse, mod, r } from "../field.js"
import { platformRandom } from "../platform.js"

/** One side of a system, by rows and by columns; coefficients of least absolute value. */
export interface Side {
  readonly rowPtr: Uint32Array
  readonly wires: Uint32Array
  readonly columnPtr: Uint32Array
  readonly rows: Uint32Array
  /** Coefficient of each entry, by rows and by columns. */
  readonly byRow: readonly bigint[]
  readonly byColumn: readonly bigint[]
}

/** A side with `extra` more rows, of which row i has wire i alone: those of the public wires on side A. */
export function sideOf(system: R1cs, side: SparseRows, extra = 0): Side {
  const values = system.values.map((value) => (value > r >> 1n ? value - r : value))
  const own = side.rowPtr[system.rows]
  const rowPtr = new Uint32Array(system.rows + extra + 1)
  rowPtr.set(side.rowPtr.subarray(0, system.rows + 1))
  const wires = new Uint32Array(own + extra)
  wires.set(side.wires.subarray(0, own))
  const byRow = Array.from(side.coefficients.subarray(0, own), (index) => values[index])
  for (let i = 0; i < extra; i++) {
    rowPtr[system.rows + i + 1] = own + i + 1
    wires[own + i] = i
    byRow.push(1n)
  }
  const columnPtr = new Uint32Array(system.wires + 1)
  for (const wire of wires) columnPtr[wire + 1]++
  for (let i = 0; i < system.wires; i++) columnPtr[i + 1] += columnPtr[i]
  const next = columnPtr.slice()
  const rows = new Uint32Array(wires.length)
  const byColumn = new Array<bigint>(wires.length)
  for (let row = 0; row + 1 < rowPtr.length; row++) {
    for (let k = rowPtr[row]; k < rowPtr[row + 1]; k++) {
      const at = next[wires[k]]++
      rows[at] = row
      byColumn[at] = byRow[k]
    }
  }
  return { rowPtr, wires, columnPtr, rows, byRow, byColumn }
}

export const rowCount = ({ rowPtr }: Side): number => rowPtr.length - 1
export const isEmpty = ({ rowPtr }: Side, row: number): boolean => rowPtr[row] === rowPtr[row + 1]

/** The sum of every row over one field element for each wire. */
export function rowSums({ rowPtr, wires, byRow }: Side, values: readonly bigint[]): bigint[] {
  const sums = new Array<bigint>(rowPtr.length - 1)
  for (let row = 0; row < sums.length; row++) {
    let sum = 0n
    for (let k = rowPtr[row]; k < rowPtr[row + 1]; k++) {
      const value = values[wires[k]]
      if (value !== 0n) sum += byRow[k] * value
    }
    sums[row] = mod(sum)
  }
  return sums
}

/** Uniform numbers of 124 bits, none zero: enough for random combinations. */
export function randomVector(length: number): bigint[] {
  const values: bigint[] = []
  const most = 4096
  for (let done = 0; done < length; done += most) {
    const words = new BigUint64Array(platformRandom(16 * Math.min(most, length - done)).slice().buffer)
    for (let i = 0; i < words.length; i += 2) values.push((((words[i] >> 4n) << 64n) | words[i + 1]) + 1n)
  }
  return values
}

/** How L_j is known: from the point of a wire on a side, less what its other rows contribute. */
interface Source {
  readonly side: number
  readonly wire: number
  readonly row: number
  readonly coefficient: bigint
}

/** Rows whose L_j are combinations of points of some sides. */
export class KnownRows {
  /** Whether L_j is known. */
  readonly known: Uint8Array
  /** In the order in which rows became known: each from those before. */
  private readonly order: Source[] = []

  constructor(private readonly sides: readonly Side[]) {
    this.known = new Uint8Array(rowCount(sides[0]))
    const left = sides.map(({ columnPtr }) =>
      Uint32Array.from({ length: columnPtr.length - 1 }, (_, i) => columnPtr[i + 1] - columnPtr[i]),
    )
    const ready = left.flatMap((counts, side) =>
      Array.from(counts.keys(), (wire) => ({ side, wire })).filter(({ wire }) => counts[wire] === 1),
    )
    // it grows while it is worked on
    for (const { side, wire } of ready) {
      const { columnPtr, rows, byColumn } = sides[side]
      let at = columnPtr[wire]
      while (at < columnPtr[wire + 1] && this.known[rows[at]] === 1) at++
      if (at === columnPtr[wire + 1]) continue
      const row = rows[at]
      this.known[row] = 1
      this.order.push({ side, wire, row, coefficient: byColumn[at] })
      sides.forEach((other, k) => {
        if (row >= rowCount(other)) return
        for (let i = other.rowPtr[row]; i < other.rowPtr[row + 1]; i++) {
          if (--left[k][other.wires[i]] === 1) ready.push({ side: k, wire: other.wires[i] })
        }
      })
    }
  }

  /** Factors of the points of each side, by wire, that make Σ values[j]·L_j; values are zero where L_j is not known. */
  factors(values: readonly bigint[]): bigint[][] {
    const rest = values.slice()
    const factors = this.sides.map(({ columnPtr }) => new Array<bigint>(columnPtr.length - 1).fill(0n))
    for (const { side, wire, row, coefficient } of this.order.toReversed()) {
      if (rest[row] === 0n) continue
      const factor = mod(rest[row] * reciprocal(coefficient))
      const { columnPtr, rows, byColumn } = this.sides[side]
      for (let at = columnPtr[wire]; at < columnPtr[wire + 1]; at++) {
        rest[rows[at]] = mod(rest[rows[at]] - factor * byColumn[at])
      }
      factors[side][wire] = mod(factors[side][wire] + factor)
    }
    return factors
  }
}

/** 1/x; nearly all coefficients are ±1. */
const reciprocal = (x: bigint): bigint => (x === 1n || x === -1n ? x : inverse(mod(x)))

/**
 * Random vectors over the wires that `free` allows, zero elsewhere, whose sums on rows that are `bound` are given. Such
 * a row is solved for a wire that no other one has which is not solved before it.
 */
export class BoundVectors {
  /** Bound rows that cannot be solved so: their wires are zero, and so are their sums. */
  readonly stuck: Uint8Array
  private readonly solved: (readonly [row: number, wire: number])[] = []

  constructor(
    private readonly side: Side,
    bound: (row: number) => boolean,
    private readonly free: (wire: number) => boolean,
  ) {
    const { rowPtr, wires, columnPtr, rows } = side
    const open = Uint8Array.from({ length: rowCount(side) }, (_, row) => (bound(row) ? 1 : 0))
    const left = new Uint32Array(columnPtr.length - 1)
    for (let wire = 0; wire < left.length; wire++) {
      if (!free(wire)) continue
      for (let at = columnPtr[wire]; at < columnPtr[wire + 1]; at++) left[wire] += open[rows[at]]
    }
    const ready = Array.from(left.keys()).filter((wire) => left[wire] === 1)
    // it grows while it is worked on
    for (const wire of ready) {
      let at = columnPtr[wire]
      while (at < columnPtr[wire + 1] && open[rows[at]] === 0) at++
      if (at === columnPtr[wire + 1]) continue
      const row = rows[at]
      open[row] = 0
      this.solved.push([row, wire])
      for (let k = rowPtr[row]; k < rowPtr[row + 1]; k++) {
        if (free(wires[k]) && --left[wires[k]] === 1) ready.push(wires[k])
      }
    }
    this.stuck = open
  }

  /** A vector whose bound rows have these sums. */
  draw(sumOf: (row: number) => bigint): bigint[] {
    const { rowPtr, wires, columnPtr, byRow } = this.side
    const values = randomVector(columnPtr.length - 1)
    for (let wire = 0; wire < values.length; wire++) if (!this.free(wire)) values[wire] = 0n
    this.stuck.forEach((is, row) => {
      if (is === 1) for (let k = rowPtr[row]; k < rowPtr[row + 1]; k++) values[wires[k]] = 0n
    })
    for (const [row, wire] of this.solved.toReversed()) {
      let sum = sumOf(row)
      let own = 0n
      for (let k = rowPtr[row]; k < rowPtr[row + 1]; k++) {
        if (wires[k] === wire) own = byRow[k]
        else sum -= byRow[k] * values[wires[k]]
      }
      values[wire] = mod(sum * reciprocal(own))
    }
    return values
  }
}

/** A random vector whose sums are zero on some rows. */
export const kernelVector = (side: Side, bound: (row: number) => boolean): bigint[] =>
  new BoundVectors(side, bound, () => true).draw(() => 0n)
