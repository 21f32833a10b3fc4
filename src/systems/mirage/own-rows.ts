/** The rows of a two-phase circuit beside its queries: all that a proof evaluates row by row. */
import { mappedB, NO_ROW } from "../../circuit/formats/mapped.js"
import type { R1cs, SparseRows } from "../../circuit/formats/r1cs.js"
import type { MirageLinked } from "./circuit.js"

const ownRows = new WeakMap<R1cs, R1cs>()

/**
 * A system with nothing in its rows of queries: nearly all entries of a circuit with convolutions are in them, and a
 * proof knows what they come to. It is kept with the system.
 */
export function withoutQueries({ r1cs, lookup }: Pick<MirageLinked, "r1cs" | "lookup">): R1cs {
  const known = ownRows.get(r1cs) ?? cutQueries(r1cs, lookup.row)
  ownRows.set(r1cs, known)
  return known
}

function cutQueries(system: R1cs, queries: Uint32Array): R1cs {
  const isQuery = new Uint8Array(system.rows)
  for (const row of queries) isQuery[row] = 1
  const rest = ({ rowPtr, wires, coefficients }: SparseRows): SparseRows => {
    const kept = new Uint32Array(rowPtr.length)
    for (let row = 0; row < system.rows; row++)
      kept[row + 1] = kept[row] + (isQuery[row] === 1 ? 0 : rowPtr[row + 1] - rowPtr[row])
    const ofKept = (all: Uint32Array): Uint32Array => {
      const part = new Uint32Array(kept[system.rows])
      for (let row = 0; row < system.rows; row++)
        for (let j = rowPtr[row], to = kept[row]; to < kept[row + 1]; ) part[to++] = all[j++]
      return part
    }
    return { rowPtr: kept, wires: ofKept(wires), coefficients: ofKept(coefficients) }
  }
  const { wires, publicOutputs, publicInputs, privateInputs, rows, values } = system
  const sides = { a: rest(system.a), b: rest(sideB(system, isQuery)), c: rest(system.c) }
  return { wires, publicOutputs, publicInputs, privateInputs, rows, values, ...sides }
}

/** Side B as it was written, where all that linear maps stand for is in rows of queries. */
function sideB(system: R1cs, isQuery: Uint8Array): SparseRows {
  const mapped = mappedB(system)
  const inQueries = mapped?.maps.every((map) => map.rows.every((row) => row === NO_ROW || isQuery[row] === 1))
  return mapped && inQueries ? mapped.rest : system.b
}

/** Entries of `withoutQueries`, or more, without making it. */
export function entriesBeside({ r1cs, lookup }: Pick<MirageLinked, "r1cs" | "lookup">): number {
  const sides = [r1cs.a, mappedB(r1cs)?.rest ?? r1cs.b, r1cs.c]
  return sides.reduce((sum, { rowPtr, wires }) => {
    let entries = wires.length
    for (const row of lookup.row) entries -= rowPtr[row + 1] - rowPtr[row]
    return sum + entries
  }, 0)
}
