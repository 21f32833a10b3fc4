/**
 * Tries to cheat a circuit: takes an honest witness and moves single wires of a sample of gadgets by ±1,
 * by powers of two, and across the field, and exchanges bits so that sums still hold. Every forgery must
 * break a constraint.
 */
import { mod, power, r } from "../field.js"
import { firstFailingRow } from "./check.js"
import type { Circuit } from "./compile.js"
import { gadgetKey } from "./gadgets.js"
import { NONE } from "./plan.js"
import { fieldValue, type Witness } from "./witness.js"

export interface AuditReport {
  /** Forgeries tried and refused. */
  readonly refused: number
  /** Forgeries that no constraint noticed; an honest circuit has none. */
  readonly accepted: readonly string[]
  /** Gadgets sampled, by kind. */
  readonly gadgets: Readonly<Record<string, number>>
}

/** Attacks up to `perKind` instances of each kind of gadget, spread over the circuit, the outputs and the context. */
export function auditWitness(circuit: Circuit, witness: Witness, perKind = 2): AuditReport {
  const { linked, graph } = circuit
  const inverseOfTwo = power(2n, r - 2n)
  const moves = [
    1n,
    -1n,
    2n,
    1n << BigInt(graph.precision),
    -(1n << BigInt(2 * graph.precision)),
    inverseOfTwo,
    (r - 1n) / 2n,
  ]
  const targets: { what: string; wire: number }[] = []
  const gadgets: Record<string, number> = {}
  const seen = new Map<string, number>()
  for (const group of linked.groups) {
    if (!group.plan) continue
    // from both ends, so that the sample is not only the first corner of a tensor
    const order = Array.from(group.base.keys(), (i) =>
      i % 2 === 0 ? i / 2 : group.base.length - (i + 1) / 2,
    )
    for (const i of order) {
      const use = group.plan.uses[i]
      if (use === NONE) continue
      const stamp = linked.stamps[use]
      const key = gadgetKey(stamp.gadget.use)
      if ((seen.get(key) ?? 0) >= perKind) continue
      seen.set(key, (seen.get(key) ?? 0) + 1)
      gadgets[stamp.gadget.use.kind.template] = (gadgets[stamp.gadget.use.kind.template] ?? 0) + 1
      for (let j = 0; j < stamp.wires; j++) {
        targets.push({
          what: `wire ${j} of ${key} for \`${graph.tensors[group.tensor].name}\`[${i}]`,
          wire: group.base[i] + j,
        })
      }
    }
  }
  for (const [i, wire] of linked.outputs.entries()) {
    targets.push({ what: `output \`${graph.outputs[i].name}\`[0]`, wire })
  }
  targets.push({ what: "context", wire: linked.context })
  const rows = rowsByWire(circuit, new Set(targets.map(({ wire }) => wire)))
  const accepted: string[] = []
  let refused = 0
  for (const { what, wire } of targets) {
    for (const move of moves) {
      const large = new Map(witness.large).set(wire, mod(fieldValue(witness, wire) + move))
      // only rows that name the wire can change their mind
      const broken = firstFailingRow(rows.get(wire) ?? linked.r1cs, { small: witness.small, large }) >= 0
      if (broken) refused++
      else accepted.push(`${what} moved by ${move}`)
    }
  }
  return { refused, accepted, gadgets }
}

/** For each wire the sub-system of the rows that name it. */
function rowsByWire(
  { linked: { r1cs } }: Circuit,
  wires: ReadonlySet<number>,
): Map<number, Circuit["linked"]["r1cs"]> {
  const rows = new Map<number, Set<number>>([...wires].map((wire) => [wire, new Set()]))
  const sides = [r1cs.a, r1cs.b, r1cs.c]
  for (const side of sides) {
    for (let row = 0; row < r1cs.rows; row++) {
      for (let j = side.rowPtr[row]; j < side.rowPtr[row + 1]; j++) rows.get(side.wires[j])?.add(row)
    }
  }
  return new Map(
    [...rows].map(([wire, set]) => {
      const picked = [...set]
      const [a, b, c] = sides.map((side) => {
        const entries = picked.map((row) => [side.rowPtr[row], side.rowPtr[row + 1]] as const)
        const rowPtr = new Uint32Array(picked.length + 1)
        entries.forEach(([from, to], i) => {
          rowPtr[i + 1] = rowPtr[i] + to - from
        })
        const gather = (source: Uint32Array) =>
          Uint32Array.from(entries.flatMap(([from, to]) => [...source.subarray(from, to)]))
        return { rowPtr, wires: gather(side.wires), coefficients: gather(side.coefficients) }
      })
      return [wire, { ...r1cs, rows: picked.length, a, b, c }]
    }),
  )
}
