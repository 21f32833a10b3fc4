/** The constraint system's values in a two-phase proof: checked before it, and on the whole domain for it. */

import type { R1cs, SparseRows } from "../../circuit/formats/r1cs.js"
import { describeRow } from "../../circuit/witness/check.js"
import { fieldValue, type Witness } from "../../circuit/witness/witness.js"
import { CountersignError } from "../../errors.js"
import { inverse as inverseOf, mod, r, signed } from "../../field.js"
import type { Fields, QuotientRows, RowSums, Vector } from "../../prover/engine/engine.js"
import type { MirageCircuit } from "./circuit.js"
import { withoutQueries } from "./own-rows.js"
import type { ProjectedRows } from "./projected.js"
import { CHALLENGE, EVALUATION } from "./wires.js"
import type { ChallengedWitness, CommittedWitness } from "./witness.js"

/** Throws what names a row that does not hold. */
const refuserOf =
  ({ graph, linked }: MirageCircuit) =>
  (row: number): never => {
    throw new CountersignError({
      what: `constraint ${row} does not hold: ${describeRow(graph, linked, row)}`,
      fix: "The integers given are not an execution of this model",
    })
  }

/** A query's operand is its entry times its scale. @throws CountersignError naming the row */
export function checkQueries(circuit: MirageCircuit, witness: CommittedWitness): void {
  const { r1cs, lookup } = circuit.linked
  const { rowPtr, wires, coefficients } = r1cs.b
  const { small } = witness
  const values = Float64Array.from(r1cs.values, (value) => Number(signed(value)))
  for (let i = 0; i < lookup.row.length; i++) {
    const row = lookup.row[i]
    const entry = witness.entries[i] - lookup.tableStart[lookup.table[i]]
    const expected = lookup.scale[i] * lookup.tables[lookup.table[i]].entries[entry]
    let sum = 0
    let size = 0
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) {
      // the wire of the challenge counts as zero
      const term = values[coefficients[j]] * small[wires[j]]
      sum += term
      size += Math.abs(term)
    }
    if (
      size < 2 ** 53 ? sum + expected === 0 : fieldSum(r1cs, r1cs.b, row, witness) === mod(BigInt(-expected))
    )
      continue
    refuserOf(circuit)(row)
  }
}

/**
 * Rows without challenge hold, those of queries aside, and products of matrices are what is said of them.
 * @throws CountersignError naming the row
 */
export function checkSums(circuit: MirageCircuit, { a, b, c }: RowSums, { failing }: ProjectedRows): void {
  const { r1cs, lookup, commitments, projected } = circuit.linked
  const wrong = refuserOf(circuit)
  // 1: a query; 2: checked by the block that made its wires; 3: of a projection
  const kind = new Uint8Array(r1cs.rows)
  for (const row of lookup.row) kind[row] = 1
  for (const { firstRow, rows } of Object.values(commitments)) kind.fill(2, firstRow, firstRow + rows)
  for (const row of projected.rows) kind[row] = 3
  if (failing >= 0) wrong(failing)
  for (let row = 0; row < lookup.entryRow; row++) {
    if (kind[row] !== 0) continue
    const product = a[row] * b[row]
    if (product !== c[row] || Math.abs(product) > 2 ** 53) wrong(row)
  }
}

/**
 * Values of A and B on the whole domain; side C is multiplied by points of the key (keyfile.ts). `kept` are the
 * fields of the lookup argument, as the engine made them for the challenge c.
 */
export function quotientRows(
  { linked }: MirageCircuit,
  committed: CommittedWitness,
  witness: ChallengedWitness,
  sums: RowSums,
  c: bigint,
  kept: Fields,
  domain: number,
): QuotientRows {
  const { lookup, hornerRow, commitments, projected } = linked
  const r1cs = withoutQueries(linked)
  const build = (small: Float64Array) => {
    const full = new Float64Array(domain)
    full.set(small)
    const rows = new Uint32Array(domain)
    const index = new Uint32Array(domain)
    let count = 0
    const fields: bigint[] = []
    const set = (row: number, value: number) => {
      rows[count] = row
      index[count++] = value
    }
    const vector = (): Vector => ({
      small: full,
      rows: rows.subarray(0, count),
      index: index.subarray(0, count),
      fields,
    })
    const add = (value: bigint): number => kept.count + fields.push(value) - 1
    return { full, set, vector, add, one: (row: number, value: bigint) => set(row, add(value)) }
  }
  const [a, b] = [build(sums.a), build(sums.b)]
  const entries = kept.count / 3
  const [inverse, quotient] = [entries, 2 * entries]
  const starts = lookup.tableStart
  const scaled = new Map<number, number>()
  for (let i = 0; i < lookup.row.length; i++) {
    const entry = committed.entries[i]
    const scale = lookup.scale[i]
    a.set(lookup.row[i], inverse + entry)
    if (scale === 1) b.set(lookup.row[i], entry)
    else {
      // few pairs of scale and entry occur
      const name = entry + entries * Math.log2(scale)
      let index = scaled.get(name)
      if (index === undefined) {
        const table = lookup.table[i]
        const value = lookup.tables[table].entries[entry - starts[table]]
        index = b.add(mod((c - BigInt(value)) * BigInt(scale)))
        scaled.set(name, index)
      }
      b.set(lookup.row[i], index)
    }
  }
  for (let entry = 0; entry < entries; entry++) {
    const row = lookup.entryRow + entry
    a.set(row, quotient + entry)
    b.set(row, entry)
  }
  for (const { firstRow, rows } of Object.values(commitments)) {
    for (let row = firstRow; row < firstRow + rows; row++) {
      for (const [part, matrix] of [
        [a, r1cs.a],
        [b, r1cs.b],
      ] as const) {
        part.full[row] = 0
        part.one(row, fieldSum(r1cs, matrix, row, witness))
      }
    }
  }
  const powers = new Map<bigint, number>()
  projected.rows.forEach((row, i) => {
    for (const { full } of [a, b]) full[row] = 0
    a.one(row, witness.projected.a[i])
    const value = witness.projected.b[i]
    // most rows multiply by one of few powers
    const index = powers.get(value) ?? b.add(value)
    powers.set(value, index)
    b.set(row, index)
  })
  // Horner rows: the last word comes first; A = (target / c), because A · c = target
  const target = (row: number): bigint => {
    const wire = r1cs.c.wires[r1cs.c.rowPtr[row]]
    return witness.large.get(wire) ?? 0n
  }
  const inverseC = inverseOf(c)
  for (let row = hornerRow; row < r1cs.rows; row++) {
    for (const { full } of [a, b]) full[row] = 0
    b.one(row, c)
    a.one(row, (target(row) * inverseC) % r)
  }
  a.full[r1cs.rows] = 1
  a.one(r1cs.rows + CHALLENGE, c)
  a.one(r1cs.rows + EVALUATION, witness.large.get(EVALUATION) ?? 0n)
  return { a: a.vector(), b: b.vector(), kept }
}

/** The sum of one row, in the field. */
function fieldSum(
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
