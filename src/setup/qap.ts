/**
 * The quadratic arithmetic program of a constraint system at one point τ (Groth16, eprint 2016/260,
 * section 2.3), in the conventions of snarkjs: after the constraints comes one row wire·0 = 0 for the
 * constant and each public wire.
 */

import { rowsOfB } from "../circuit/formats/mapped.js"
import type { R1cs, SparseRows } from "../circuit/formats/r1cs.js"
import { r } from "../field.js"
import { productFactors, rowBasis } from "./basis.js"

/** Wires 0 … nPublic are the constant and the public ones. */
export const publicCount = (system: R1cs): number => system.publicOutputs + system.publicInputs

/** Rows of the program: the system's and those of the constant and the public wires. */
export const programRows = (system: R1cs): number => system.rows + publicCount(system) + 1

/** Size of the domain that snarkjs uses: the next power of two, at least two. */
export const plainDomain = (system: R1cs): number =>
  2 ** Math.max(1, Math.ceil(Math.log2(programRows(system))))

export interface QapAt {
  /** u_i(τ), v_i(τ), w_i(τ) for each wire i. */
  readonly u: bigint[]
  readonly v: bigint[]
  readonly w: bigint[]
  /** What side C of rows with entries on sides A and B adds to A·B − C where the quotient is evaluated. */
  readonly oddProducts: bigint[]
}

/** Rows of systems, none of which changes. */
const products = new WeakMap<R1cs, Uint8Array>()

/** 1 for every row that has entries on sides A and B; without, it says 0 = lc. What is returned is kept. */
export function productRows(system: R1cs): Uint8Array {
  const found = products.get(system) ?? rowsOfB(system)
  if (products.has(system)) return found
  const { rowPtr } = system.a
  for (let row = 0; row < system.rows; row++) if (rowPtr[row] === rowPtr[row + 1]) found[row] = 0
  products.set(system, found)
  return found
}

/** Whether a row has entries on sides A and B. */
export const hasProduct = (system: R1cs, row: number): boolean => productRows(system)[row] === 1

/** Evaluates the polynomials of every wire, over a domain of n points, at τ. */
export function evaluateQap(system: R1cs, n: number, tau: bigint): QapAt {
  const basis = rowBasis(n, tau)
  // negative coefficients as small negative integers keep the products short
  const values = system.values.map((value) => (value > r >> 1n ? value - r : value))
  const [u, v, w] = [system.a, system.b, system.c].map((side) => transpose(side, system, values, basis))
  for (let i = 0; i <= publicCount(system); i++) u[i] = (u[i] + basis[system.rows + i]) % r
  const factor = productFactors(n, tau)
  const inProducts = basis.map((value, row) =>
    row < system.rows && hasProduct(system, row) ? (value * factor(row)) % r : 0n,
  )
  return { u, v, w, oddProducts: transpose(system.c, system, values, inProducts) }
}

function transpose(
  side: SparseRows,
  system: R1cs,
  values: readonly bigint[],
  basis: readonly bigint[],
): bigint[] {
  const sums = new Array<bigint>(system.wires).fill(0n)
  for (let row = 0; row < system.rows; row++) {
    const at = basis[row]
    for (let j = side.rowPtr[row]; j < side.rowPtr[row + 1]; j++) {
      sums[side.wires[j]] += values[side.coefficients[j]] * at
    }
  }
  for (let i = 0; i < sums.length; i++) {
    const reduced = sums[i] % r
    sums[i] = reduced < 0n ? reduced + r : reduced
  }
  return sums
}

/**
 * Wires whose polynomial of a side is not zero, 1 for each: those that a row's entries do not cancel for. Side C may be
 * that of rows with a product only.
 */
export function occurringWires(system: R1cs, column: "u" | "v" | "w" | "oddProducts"): Uint8Array {
  const found = new Uint8Array(system.wires)
  const { rowPtr, wires, coefficients } = { u: system.a, v: system.b, w: system.c, oddProducts: system.c }[
    column
  ]
  const sums = new Map<number, bigint>()
  for (let row = 0; row < system.rows; row++) {
    if (column === "oddProducts" && !hasProduct(system, row)) continue
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) {
      const wire = wires[j]
      if (found[wire] === 0) sums.set(wire, (sums.get(wire) ?? 0n) + system.values[coefficients[j]])
    }
    for (const [wire, sum] of sums) if (sum % r !== 0n) found[wire] = 1
    sums.clear()
  }
  if (column === "u") found.fill(1, 0, publicCount(system) + 1)
  return found
}
