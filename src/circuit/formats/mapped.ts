/**
 * Rows that linear maps stand for. Most entries of a large circuit are a convolution's weights, written once for every
 * place where its kernel lies: of side B the map is kept instead, with the few entries that no map explains, and rows are
 * made when something needs rows. A system looks the same to whoever reads `b`, which is made then, and held only as
 * long as somebody holds it; whoever can do better asks `mappedB`.
 *
 *     row rows[i] of side B = rest of the row + factors[i] · Σ_j map[i, j] · wires[j]
 *
 * The map's entries come before entry at[i] of the rest, in the order of its inputs and without zeros, so that rows are the
 * same to the byte as if they had been written one by one.
 */
import { invariant } from "../../errors.js"
import { signed } from "../../field.js"
import { productCounts, usedInputs, weightsOf, writeProducts } from "../../ops/linearmap.js"
import type { LinearMap } from "../../ops/program.js"
import type { R1cs, SparseRows } from "./r1cs.js"

/** No wire, or no row. */
const NONE = 0xffffffff
export const NO_ROW = NONE

/** Entries of rows of side B that one linear map makes. */
export interface MappedRows {
  readonly map: LinearMap
  /** The wire of each input of the map, no two alike; NONE (2^32 − 1) for one that is nothing. */
  readonly wires: Uint32Array
  /** The row of each output, ascending; NONE for one that is in no row. */
  readonly rows: Uint32Array
  /** What each output is multiplied by: small integers, so that every product of one with a weight is safe. */
  readonly factors: Float64Array
  /** Which entry of the rest of its row each output's entries come before; of maps in one row, later ones come later. */
  readonly at: Uint32Array
}

/** A side of which linear maps stand for what they say. No wire is twice in a row, in whichever parts. */
export interface MappedSide {
  readonly rest: SparseRows
  readonly maps: readonly MappedRows[]
  /** Entries of all rows, made or not. */
  readonly entries: number
  /** Coefficients of the dictionary that maps do not refer to, though there may be equal ones. */
  readonly others: Uint32Array
}

const sides = new WeakMap<R1cs, MappedSide>()

/** Side B as it was linked, if linear maps stand for a part of it; a copy of a system, perhaps changed, has none. */
export const mappedB = (system: R1cs): MappedSide | undefined => sides.get(system)

/** Entries of side B, which are not made for it. */
export const entriesOfB = (system: R1cs): number => mappedB(system)?.entries ?? system.b.wires.length

/** 1 for every row that has entries on side B, which are not made for it. */
export function rowsOfB(system: R1cs): Uint8Array {
  const side = mappedB(system)
  const { rowPtr } = side?.rest ?? system.b
  const found = new Uint8Array(system.rows)
  for (let row = 0; row < system.rows; row++) if (rowPtr[row] < rowPtr[row + 1]) found[row] = 1
  for (const mapped of side?.maps ?? []) {
    // nearly every row of a map has the wire of the challenge, too
    if (mapped.rows.every((row) => row === NONE || found[row] === 1)) continue
    const counts = entriesOfOutputs(mapped)
    mapped.rows.forEach((row, i) => {
      if (row !== NONE && counts[i] > 0) found[row] = 1
    })
  }
  return found
}

/** 1 for every wire that has entries on side B, which are not made for it. */
export function wiresOfB(system: R1cs): Uint8Array {
  const side = mappedB(system)
  const found = new Uint8Array(system.wires)
  const { wires } = side?.rest ?? system.b
  for (let j = 0; j < wires.length; j++) found[wires[j]] = 1
  for (const { map, wires: inputs, rows } of side?.maps ?? []) {
    const used = usedInputs(map, (output) => rows[output] !== NONE)
    used.forEach((is, input) => {
      if (is === 1 && inputs[input] !== NONE) found[inputs[input]] = 1
    })
  }
  return found
}

/** A system of which side B is a mapped one; `b` is made whenever nobody holds what was made before. */
export function mappedSystem(system: Omit<R1cs, "b">, side: MappedSide): R1cs {
  let made: WeakRef<SparseRows> | undefined
  const result: R1cs = {
    ...system,
    get b() {
      let rows = made?.deref()
      if (rows === undefined) {
        rows = makeRows(side, system.values)
        made = new WeakRef(rows)
      }
      return rows
    },
  }
  sides.set(result, side)
  return result
}

/** Number of each safe integer in a system's dictionary, or −1. */
function numbering(values: readonly bigint[], others: Uint32Array): (coefficient: number) => number {
  const isOther = new Uint8Array(values.length)
  for (const index of others) isOther[index] = 1
  const known = new Map<number, number>()
  values.forEach((value, i) => {
    if (isOther[i] === 0) known.set(Number(signed(value)), i)
  })
  return (coefficient) => known.get(coefficient) ?? -1
}

/** Entries of each output of a map: products with a weight that is not zero and an input that is a wire. */
export const entriesOfOutputs = ({ map, wires }: Pick<MappedRows, "map" | "wires">): Uint32Array =>
  productCounts(map, wires.includes(NONE) ? (input) => wires[input] !== NONE : undefined)

/** All rows, each as it would have been written. */
function makeRows({ rest, maps, entries, others }: MappedSide, values: readonly bigint[]): SparseRows {
  const rows = rest.rowPtr.length - 1
  const rowPtr = new Uint32Array(rows + 1)
  for (let row = 0; row < rows; row++) rowPtr[row + 1] = rest.rowPtr[row + 1] - rest.rowPtr[row]
  const counts = maps.map(entriesOfOutputs)
  maps.forEach((mapped, m) => {
    mapped.rows.forEach((row, i) => {
      if (row !== NONE) rowPtr[row + 1] += counts[m][i]
    })
  })
  for (let row = 0; row < rows; row++) rowPtr[row + 1] += rowPtr[row]
  invariant(rowPtr[rows] === entries, "a side has as many entries as it says")
  const wires = new Uint32Array(entries)
  const coefficients = new Uint32Array(entries)
  for (let row = 0; row < rows; row++) {
    const [from, to] = [rest.rowPtr[row], rest.rowPtr[row + 1]]
    for (let k = from; k < to; k++) {
      wires[rowPtr[row] + k - from] = rest.wires[k]
      coefficients[rowPtr[row] + k - from] = rest.coefficients[k]
    }
  }
  const numberOf = numbering(values, others)
  /** Entries of maps that stand in each row already. */
  const extra = new Uint32Array(maps.length > 0 ? rows : 0)
  maps.forEach((mapped, m) => {
    const { map, factors, at } = mapped
    const next = new Float64Array(mapped.rows.length).fill(-1)
    const numbers = new Map<number, Int32Array>()
    mapped.rows.forEach((row, i) => {
      if (row === NONE) return
      next[i] = rowPtr[row] + at[i] + extra[row]
      extra[row] += counts[m][i]
      // what stands behind the map moves on
      const start = rowPtr[row] + extra[row] - rest.rowPtr[row]
      for (let k = rest.rowPtr[row] + at[i]; k < rest.rowPtr[row + 1]; k++) {
        wires[start + k] = rest.wires[k]
        coefficients[start + k] = rest.coefficients[k]
      }
    })
    const numbersOf = (output: number): Int32Array => {
      const factor = factors[output]
      let known = numbers.get(factor)
      if (known === undefined) {
        known = Int32Array.from(weightsOf(map), (weight) => (weight === 0 ? -1 : numberOf(factor * weight)))
        numbers.set(factor, known)
      }
      return known
    }
    // a wire is below 2^31, and NONE is no wire
    writeProducts(map, [Int32Array.from(mapped.wires, (wire) => wire | 0), numbersOf], next, [
      wires,
      coefficients,
    ])
    // a weight that no output uses need not be in the dictionary
    mapped.rows.forEach((row, i) => {
      const end = rowPtr[row] + at[i] + extra[row]
      invariant(row === NONE || next[i] === end, `row ${row} lacks a coefficient`)
    })
  })
  return { rowPtr, wires, coefficients }
}
