/** Rows over a small field, tried by hand: as lists of terms, and whether they hold for the values of given wires. */
import type { R1cs, SparseRows } from "#src/circuit/formats/r1cs.js"
import type { Projected } from "#src/circuit/link/projection.js"
import { mod, signed } from "#src/field.js"

/** The sides of a row. */
export type Terms = readonly (readonly [wire: number, coefficient: bigint])[][]

/** The rows as lists of terms, for a field of p elements. */
export function termsOf(system: R1cs, p: bigint): Terms[] {
  const row = ({ rowPtr, wires, coefficients }: SparseRows, i: number) =>
    Array.from({ length: rowPtr[i + 1] - rowPtr[i] }, (_, j): [number, bigint] => {
      const at = rowPtr[i] + j
      return [wires[at], mod(signed(system.values[coefficients[at]]), p)]
    })
  return Array.from({ length: system.rows }, (_, i) =>
    [system.a, system.b, system.c].map((side) => row(side, i)),
  )
}

/**
 * Whether the rows hold for values of all wires that are no final ones. A final wire whose row is deleted may be
 * anything: `free` says what.
 */
export function holds(
  terms: readonly Terms[],
  { first, defines }: Projected,
  given: readonly bigint[],
  p: bigint,
  deleted = -1,
  free = 0n,
): boolean {
  const values = [...given]
  let next = first
  const sum = (side: Terms[number]) =>
    side.reduce((total, [wire, coefficient]) => total + coefficient * (values[wire] ?? 0n), 0n)
  for (const [i, [a, b, c]] of terms.entries()) {
    const value = mod(sum(a) * sum(b) - sum(c), p)
    if (defines[i] === 1) values[next++] = i === deleted ? free : value
    else if (value !== 0n && i !== deleted) return false
  }
  return true
}
