/**
 * How large snarkjs's PLONK and FFLONK are for a constraint system, before either is asked. Their gates are
 * qm·a·b + ql·a + qr·b + qo·c + qc = 0 over three wires: a row A·B = C takes one, and one more for every term that its
 * sides have beyond a wire each, because a sum is folded two terms at a time into a wire of its own; a row that says
 * 0 = lc has room for three terms. Each public signal has a gate. Where A or B is a constant, the row is a sum.
 */
import type { R1cs, SparseRows } from "../../circuit/formats/r1cs.js"
import { r } from "../../field.js"
import { publicCount } from "../../setup/qap.js"

export interface Gates {
  readonly gates: number
  /** Wires that sums are folded into. */
  readonly additions: number
}

/** Gates of a constraint system. */
export function gatesOf(system: R1cs): Gates {
  let [rows, additions] = [publicCount(system), 0]
  for (let row = 0; row < system.rows; row++) {
    rows++
    const [a, b] = [sideOf(system, system.a, row), sideOf(system, system.b, row)]
    const factor = a.terms === 0 ? a.constant : b.terms === 0 ? b.constant : undefined
    if (factor === undefined) {
      const c = sideOf(system, system.c, row)
      for (const { terms } of [a, b, c]) additions += Math.max(0, terms - 1)
    } else {
      const other = a.terms === 0 ? system.b : system.a
      additions += Math.max(0, termsOfSum(system, row, factor, other) - 3)
    }
  }
  return { gates: rows + additions, additions }
}

/** What a side of a row has: terms with a wire, and the constant. */
function sideOf({ values }: R1cs, { rowPtr, wires, coefficients }: SparseRows, row: number) {
  let [terms, constant] = [0, 0n]
  for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) {
    const value = values[coefficients[j]]
    if (wires[j] === 0) constant += value
    else if (value !== 0n) terms++
  }
  return { terms, constant: constant % r }
}

/** Terms with a wire of factor·other − C, or of C alone where the factor is zero. */
function termsOfSum({ values, c }: R1cs, row: number, factor: bigint, other: SparseRows): number {
  const sum = new Map<number, bigint>()
  const add = ({ rowPtr, wires, coefficients }: SparseRows, times: bigint) => {
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++)
      sum.set(wires[j], ((sum.get(wires[j]) ?? 0n) + times * values[coefficients[j]]) % r)
  }
  if (factor !== 0n) add(other, factor)
  add(c, -1n)
  sum.delete(0)
  return [...sum.values()].filter((value) => value !== 0n).length
}

/** The least domain that has room for so many rows: a power of two, at least eight. */
export const universalDomain = (rows: number): number => 2 ** Math.max(3, Math.ceil(Math.log2(rows)))
