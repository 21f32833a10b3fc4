/** Sparse linear maps that operators are made of. */
import type { LinearMap } from "../program.js"
import { diagonalMap } from "../scaling.js"
import type { Ledger } from "./shapes.js"

type SparseMap = Extract<LinearMap, { kind: "sparse" }>

/** The map y[i] = factor[i]·x[i]. */
export function diagonal(ledger: Ledger, factor: Float64Array): SparseMap {
  ledger.hold(factor.length)
  return diagonalMap(factor)
}

/** The map y[i] = x[map[i] − start] where map[i] lies in [start, end), else 0. */
export function selection(ledger: Ledger, map: Int32Array, start: number, end: number): SparseMap {
  ledger.hold(2 * map.length)
  const columns = new Uint32Array(map.length)
  const rowPtr = new Uint32Array(map.length + 1)
  let length = 0
  for (let i = 0; i < map.length; i++) {
    if (map[i] >= start && map[i] < end) columns[length++] = map[i] - start
    rowPtr[i + 1] = length
  }
  return {
    kind: "sparse",
    rowPtr,
    columns: columns.slice(0, length),
    values: new Float64Array(length).fill(1),
  }
}

/** The map y[i] = weight[i]·Σ_j x[map[i·window + j]]; entries of −1 contribute nothing. */
export function windowSums(ledger: Ledger, map: Int32Array, window: number, weight: Float64Array): SparseMap {
  ledger.hold(2 * map.length + weight.length)
  const rowPtr = new Uint32Array(weight.length + 1)
  const columns = new Uint32Array(map.length)
  const values = new Float64Array(map.length)
  let length = 0
  for (let i = 0; i < weight.length; i++) {
    for (let j = i * window; j < (i + 1) * window; j++) {
      if (map[j] < 0) continue
      columns[length] = map[j]
      values[length++] = weight[i]
    }
    rowPtr[i + 1] = length
  }
  return { kind: "sparse", rowPtr, columns: columns.slice(0, length), values: values.slice(0, length) }
}

/** A map from (row, column, value) entries in any order. */
export function fromEntries(
  ledger: Ledger,
  rows: number,
  entries: { readonly row: Uint32Array; readonly column: Uint32Array; readonly value: Float64Array },
): SparseMap {
  const { row, column, value } = entries
  ledger.hold(rows + 2 * row.length)
  const rowPtr = new Uint32Array(rows + 1)
  for (const r of row) rowPtr[r + 1]++
  for (let i = 0; i < rows; i++) rowPtr[i + 1] += rowPtr[i]
  const next = rowPtr.slice()
  const columns = new Uint32Array(row.length)
  const values = new Float64Array(row.length)
  for (let e = 0; e < row.length; e++) {
    const at = next[row[e]]++
    columns[at] = column[e]
    values[at] = value[e]
  }
  return { kind: "sparse", rowPtr, columns, values }
}
