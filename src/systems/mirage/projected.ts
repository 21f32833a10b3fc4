/** The wires of projected contractions: what follows from the challenge, row by row. */
import type { R1cs, SparseRows } from "../../circuit/formats/r1cs.js"
import { type Projected, rowDefines } from "../../circuit/link/projection.js"
import { inverseAll, mod, signed } from "../../field.js"
import { CHALLENGE } from "./wires.js"

/** Sums up to here are exact in doubles. */
const exact = 2 ** 53

/** What the rows of projections come to for one challenge. */
export interface ProjectedRows {
  /** Values of side A and of side B of each row. */
  readonly a: readonly bigint[]
  readonly b: readonly bigint[]
  /** The first row that is an equation which does not hold, or −1. */
  readonly failing: number
}

/**
 * Computes the wires that the rows of projections define, in the order of the rows, and puts them into `large`.
 * `small`: values of all committed wires; `c`: the challenge.
 */
export function assignProjected(
  system: R1cs,
  { first, rows, defines }: Projected,
  small: Float64Array,
  large: Map<number, bigint>,
  c: bigint,
): ProjectedRows {
  if (rows.length === 0) return { a: [], b: [], failing: -1 }
  const doubles = Float64Array.from(system.values, (value) => Number(signed(value)))
  const made: bigint[] = []
  const finalValue = (wire: number): bigint => (wire === CHALLENGE ? c : (made[wire - first] ?? 0n))
  const sum = ({ rowPtr, wires, coefficients }: SparseRows, row: number): bigint => {
    let [fast, magnitude, slow] = [0, 0, 0n]
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) {
      const wire = wires[j]
      if (wire === CHALLENGE || wire >= first) {
        const coefficient = doubles[coefficients[j]]
        slow += coefficient === 1 ? finalValue(wire) : system.values[coefficients[j]] * finalValue(wire)
        continue
      }
      const term = doubles[coefficients[j]] * small[wire]
      magnitude += Math.abs(term)
      if (magnitude < exact) fast += term
      else {
        // from here on in integers without limit
        slow += BigInt(fast) + system.values[coefficients[j]] * BigInt(small[wire])
        fast = 0
        magnitude = 0
      }
    }
    return mod(slow + BigInt(fast))
  }
  const [a, b]: bigint[][] = [[], []]
  // what is divided by is fixed before the challenge, so all of it is inverted at once
  const inverses = Array.from(rows)
    .filter((_, i) => defines[i] === rowDefines.quotient)
    .map((row) => sum(system.b, row))
  inverseAll(inverses)
  let divided = 0
  let failing = -1
  for (let i = 0; i < rows.length; i++) {
    if (defines[i] === rowDefines.quotient) {
      const value = mod(sum(system.c, rows[i]) * inverses[divided++])
      made.push(value)
      a.push(value)
      b.push(sum(system.b, rows[i]))
      continue
    }
    const [left, right] = [sum(system.a, rows[i]), sum(system.b, rows[i])]
    a.push(left)
    b.push(right)
    // the new wire, which is not there yet, counts as zero
    const rest = sum(system.c, rows[i])
    const value = mod(left * right - rest)
    if (defines[i] === rowDefines.product) made.push(value)
    else if (value !== 0n && failing < 0) failing = rows[i]
  }
  for (const [i, value] of made.entries()) large.set(first + i, value)
  return { a, b, failing }
}
