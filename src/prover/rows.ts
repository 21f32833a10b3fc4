/** Sparse rows times a witness of small integers. */
import type { R1cs, SparseRows } from "../circuit/r1cs.js"
import { fieldValue, type Witness } from "../circuit/witness.js"
import { mod, signed } from "../field.js"

/** Sums up to here are exact in doubles. */
const exact = 2 ** 53

/**
 * Row sums over the small wires of a witness; wires with large values count as zero. NaN where a sum could
 * round, which a well-formed circuit has only in rows with large wires.
 */
export function rowSums(
  system: R1cs,
  { rowPtr, wires, coefficients }: SparseRows,
  { small }: Witness,
): Float64Array {
  const values = Float64Array.from(system.values, (value) => {
    const s = signed(value)
    return s > -BigInt(exact) && s < BigInt(exact) ? Number(s) : Number.NaN
  })
  const sums = new Float64Array(system.rows)
  for (let row = 0; row < system.rows; row++) {
    let sum = 0
    let magnitude = 0
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) {
      const term = values[coefficients[j]] * small[wires[j]]
      sum += term
      magnitude += Math.abs(term)
    }
    sums[row] = magnitude < exact ? sum : Number.NaN
  }
  return sums
}

/** The sum of one row, in the field. */
export function fieldSum(
  system: R1cs,
  { rowPtr, wires, coefficients }: SparseRows,
  row: number,
  witness: Witness,
): bigint {
  let sum = 0n
  for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++)
    sum += system.values[coefficients[j]] * fieldValue(witness, wires[j])
  return mod(sum)
}
