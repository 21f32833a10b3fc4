/** Is a witness a solution? Asked before every proof, because a proof of a wrong witness only says "invalid". */
import { mod, r, signed } from "../../field.js"
import type { IntGraph } from "../../quantize/integers/intgraph.js"
import type { R1cs, SparseRows } from "../formats/r1cs.js"
import { gadgetKey } from "../gadgets/families.js"
import type { LinkedNodes } from "../link/circuit.js"
import { NONE } from "../plan/plan.js"
import { fieldValue, type Witness } from "./witness.js"

/** Sums up to here are exact in doubles. */
const exact = 2 ** 53

/** Index of the first row that does not hold, or −1. Exact: leaves doubles as soon as a sum could round. */
export function firstFailingRow(r1cs: R1cs, witness: Witness): number {
  const small = r1cs.values.map((value) => Number(signed(value)))
  const safe = r1cs.values.map((value) => {
    const s = signed(value)
    return s >= -BigInt(exact) && s <= BigInt(exact)
  })
  const inexact = Number.NaN
  const fast = (side: SparseRows, row: number): number => {
    let sum = 0
    let magnitude = 0
    for (let j = side.rowPtr[row]; j < side.rowPtr[row + 1]; j++) {
      const wire = side.wires[j]
      const coefficient = side.coefficients[j]
      if (!safe[coefficient] || (witness.large.size > 0 && witness.large.has(wire))) return inexact
      const term = small[coefficient] * witness.small[wire]
      sum += term
      magnitude += Math.abs(term)
    }
    return magnitude < exact ? sum : inexact
  }
  const slow = (side: SparseRows, row: number): bigint => {
    let sum = 0n
    for (let j = side.rowPtr[row]; j < side.rowPtr[row + 1]; j++) {
      sum += r1cs.values[side.coefficients[j]] * fieldValue(witness, side.wires[j])
    }
    return mod(sum)
  }
  for (let row = 0; row < r1cs.rows; row++) {
    const a = fast(r1cs.a, row)
    const b = fast(r1cs.b, row)
    const c = fast(r1cs.c, row)
    const product = a * b
    if (Math.abs(product) < exact && !Number.isNaN(c)) {
      if (product !== c) return row
    } else if ((slow(r1cs.a, row) * slow(r1cs.b, row)) % r !== slow(r1cs.c, row)) return row
  }
  return -1
}

/** What a row belongs to, in the model's words. */
export function describeRow(graph: IntGraph, linked: LinkedNodes, row: number): string {
  for (const group of linked.stamped) {
    if (group.firstRow.length === 0 || row < group.firstRow[0] || row >= group.rowEnd) continue
    let i = 0
    while (i + 1 < group.firstRow.length && group.firstRow[i + 1] <= row) i++
    const use =
      group.plan && group.plan.uses[i] !== NONE ? linked.stamps[group.plan.uses[i]].gadget.use : undefined
    const tensor = `tensor \`${graph.tensors[group.tensor].name}\``
    const node = `(node \`${group.node.origin.name}\`)`
    if (group.checked) return `the range of a private weight of ${tensor} ${node}`
    if (group.secret) return `a product with private weights of ${tensor} ${node}`
    if (group.projection) return `the projection of ${tensor} ${node}`
    const gadget = use ? gadgetKey(use) : "the definition of a linear result"
    return `${gadget} of ${tensor}[${Math.floor(i / (group.plan?.terms ?? 1))}] ${node}`
  }
  return "an output, a commitment or the context"
}
