/**
 * The tables of the lookup argument: which field elements a query may be. Entries are safe integers; the
 * soundness of packing two columns into one entry is argued in the gadgets that use it.
 */
import { invariant } from "../../errors.js"

export interface Table {
  /** Two tables with one key are one table. */
  readonly key: string
  /** Distinct entries, in row order. */
  readonly entries: Float64Array
  /** Row of an entry, or −1. */
  rowOf(entry: number): number
}

/** [0, 2^bits): what range requests are served by. */
export function rangeTable(bits: number): Table {
  const size = 2 ** bits
  return {
    key: `Range(${bits})`,
    entries: Float64Array.from({ length: size }, (_, i) => i),
    rowOf: (entry) => (Number.isInteger(entry) && entry >= 0 && entry < size ? entry : -1),
  }
}

/** A table of any distinct integers. */
export function tableOf(key: string, entries: Float64Array): Table {
  const rows = new Map<number, number>()
  entries.forEach((entry, i) => {
    rows.set(entry, i)
  })
  invariant(rows.size === entries.length, `table ${key} has an entry twice`)
  return { key, entries, rowOf: (entry) => rows.get(entry) ?? -1 }
}

/** SignedTable of circuits/gadgets/member.circom. */
export function signedTable(w: number, x: number, y: number, j: number): Table {
  const size = 2 ** w
  const entries = Float64Array.from({ length: size + x + y }, (_, i) => {
    if (i < size) return 2 ** j * i
    return i < size + x ? 2 ** j * (size - 1) + i - size + 1 : size + x - 1 - i
  })
  const key = `SignedTable(${w},${x},${y},${j})`
  const [unit, top] = [2 ** j, 2 ** j * (size - 1)]
  return {
    key,
    entries,
    rowOf(entry) {
      if (!Number.isInteger(entry) || entry < -y || entry > top + x) return -1
      if (entry < 0) return size + x - 1 - entry
      if (entry > top) return size - 1 + entry - top
      return entry % unit === 0 ? entry / unit + 0 : -1
    },
  }
}

/** GatedTable of circuits/gadgets/member.circom. */
export function gatedTable(w: number, a: number, b: number, j: number): Table {
  const entries = Float64Array.from({ length: a + b }, (_, i) =>
    i < a ? -1 - i : 2 ** j * (2 ** w - 1) + i - a,
  )
  return tableOf(`GatedTable(${w},${a},${b},${j})`, entries)
}

/** FunctionTable of circuits/gadgets/member.circom: t + 2^j · values[t]. */
export function functionTable(values: readonly number[], j: number): Table {
  const entries = Float64Array.from(values, (value, t) => t + 2 ** j * value)
  return tableOf(`FunctionTable(${values.length},${j},[${values.join(",")}])`, entries)
}
