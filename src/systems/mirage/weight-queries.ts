/**
 * Queries of the lookup argument whose operands are weights alone, as those of their ranges are: which entries they hit
 * is a constant of the model. A private perceptron has hardly any other.
 */
import type { R1cs } from "../../circuit/formats/r1cs.js"
import type { Lookup } from "../../circuit/link/lookup.js"
import { invariant } from "../../errors.js"
import { signed } from "../../field.js"
import type { MirageLinked } from "./circuit.js"
import { CHALLENGE, CONSTANT, publicWires } from "./wires.js"

type Linked = Pick<MirageLinked, "lookup" | "weights"> & { readonly r1cs: Pick<R1cs, "b" | "values"> }

/** Their numbers, ascending. */
export function queriesOfWeights({ lookup, weights, r1cs }: Linked): Uint32Array {
  // reading side B of a large circuit makes it, and none of its queries is of weights
  if (weights === 0) return new Uint32Array(0)
  const { rowPtr, wires } = r1cs.b
  const isConstant = (wire: number) =>
    wire === CHALLENGE || wire === CONSTANT || (wire >= publicWires && wire < publicWires + weights)
  return Uint32Array.from(lookup.row.keys()).filter((query) => {
    const row = lookup.row[query]
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) if (!isConstant(wires[j])) return false
    return true
  })
}

/** The entries that such queries hit for these values of the weights' wires, numbered over all tables. */
export function entriesOfWeights(
  { lookup, r1cs: { b, values: coefficients } }: Linked,
  queries: Uint32Array,
  values: Float64Array,
): Uint32Array {
  const small = coefficients.map((value) => Number(signed(value)))
  return queries.map((query) => {
    const row = lookup.row[query]
    let sum = 0
    for (let j = b.rowPtr[row]; j < b.rowPtr[row + 1]; j++) {
      const wire = b.wires[j]
      // side B is s·c − lc
      if (wire !== CHALLENGE)
        sum -= small[b.coefficients[j]] * (wire === CONSTANT ? 1 : values[wire - publicWires])
    }
    return entryOf(lookup, query, sum / lookup.scale[query])
  })
}

function entryOf({ tables, table, tableStart }: Lookup, query: number, value: number): number {
  const entry = tables[table[query]].rowOf(value)
  invariant(entry >= 0, "weights that are in their ranges are entries")
  return tableStart[table[query]] + entry
}
