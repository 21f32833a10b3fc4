/**
 * Tries to cheat a circuit: takes an honest witness and moves single wires by ±1, by powers of two, and across
 * the field: of a sample of gadgets, of outputs and context, of commitments, multiplicities, inverses,
 * quotients and Horner steps. Every forgery must break a constraint. The cheat may choose its inverses as it
 * likes, so a query counts as broken exactly when its operand is no entry of its table.
 */
import { checkArgument, checkThing } from "../arguments.js"
import type { R1cs } from "../circuit/formats/r1cs.js"
import { gadgetKey } from "../circuit/gadgets/families.js"
import type { Stamp } from "../circuit/gadgets/ranges.js"
import { NONE } from "../circuit/plan/plan.js"
import { firstFailingRow } from "../circuit/witness/check.js"
import { fieldValue, type Witness } from "../circuit/witness/witness.js"
import { inverse, mod, power, r, signed } from "../field.js"
import { type Circuit, systemOf } from "../systems/index.js"
import type { Target } from "../systems/system.js"

export interface AuditReport {
  /** Forgeries tried and refused. */
  readonly refused: number
  /** Forgeries that no constraint noticed; an honest circuit has none. */
  readonly accepted: readonly string[]
  /** Gadgets sampled, by kind. */
  readonly gadgets: Readonly<Record<string, number>>
  /** Forgeries tried, by what was forged. */
  readonly tried: Readonly<Record<string, number>>
}

/** Up to `count` indices of a range, from both ends, so that a sample is not only the first corner. */
const spread = (from: number, to: number, count = Number.POSITIVE_INFINITY): number[] =>
  Array.from({ length: Math.min(count, to - from) }, (_, i) =>
    i % 2 === 0 ? from + i / 2 : to - (i + 1) / 2,
  )

/** Attacks up to `perKind` instances of each kind of gadget and of each part of the proof system. */
export function auditWitness(circuit: Circuit, witness: Witness, perKind = 2): AuditReport {
  checkThing("circuit", circuit, "circuit")
  checkThing("witness", witness, "witness")
  const { wires } = circuit.linked.r1cs
  checkArgument(witness.small.length === wires, "witness", `a witness of ${wires} wires`, witness)
  const { graph } = circuit
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
  const gadgets: Record<string, number> = {}
  const targets = [
    ...gadgetTargets(circuit, perKind, gadgets),
    ...systemOf(circuit).targets(circuit, perKind, spread),
  ]
  const rows = rowsByWire(circuit, new Set(targets.map(({ wire }) => wire)))
  const isBroken = failure(circuit)
  const accepted: string[] = []
  const tried: Record<string, number> = {}
  let refused = 0
  for (const { what, kind, wire, moves: own = moves } of targets) {
    const held = rows.get(wire)
    for (const move of own) {
      const large = new Map(witness.large).set(wire, mod(fieldValue(witness, wire) + move))
      tried[kind] = (tried[kind] ?? 0) + 1
      // only rows that name the wire can change their mind
      if (held && isBroken(held, { small: witness.small, large })) refused++
      else accepted.push(`${what} moved by ${move}`)
    }
  }
  return { refused, accepted, gadgets, tried }
}

function gadgetTargets(
  { linked, graph }: Circuit,
  perKind: number,
  gadgets: Record<string, number>,
): Target[] {
  const targets: Target[] = []
  const seen = new Map<string, number>()
  for (const group of linked.stamped) {
    if (!group.plan) continue
    for (const i of spread(0, group.base.length)) {
      const use: number = group.plan.uses[i]
      if (use === NONE) continue
      const stamp: Stamp = linked.stamps[use]
      const key = gadgetKey(stamp.gadget.use)
      if ((seen.get(key) ?? 0) >= perKind) continue
      seen.set(key, (seen.get(key) ?? 0) + 1)
      const kind = stamp.gadget.use.kind.template
      gadgets[kind] = (gadgets[kind] ?? 0) + 1
      for (let j = 0; j < stamp.wires; j++) {
        const what = `wire ${j} of ${key} for \`${graph.tensors[group.tensor].name}\`[${i}]`
        targets.push({ what, kind, wire: group.base[i] + j })
      }
    }
  }
  return targets
}

/** Whether the rows of a wire cannot all hold, whatever the inverses are. */
function failure(circuit: Circuit): (rows: Rows, witness: Witness) => boolean {
  const { r1cs } = circuit.linked
  const lookup = systemOf(circuit).lookup(circuit)
  if (!lookup) return ({ system }, witness) => firstFailingRow(system, witness) >= 0
  const isEntry = (query: number, witness: Witness): boolean => {
    const row = lookup.row[query]
    let sum = 0n
    for (let j = r1cs.b.rowPtr[row]; j < r1cs.b.rowPtr[row + 1]; j++) {
      const wire = r1cs.b.wires[j]
      if (wire !== lookup.challenge) sum -= r1cs.values[r1cs.b.coefficients[j]] * fieldValue(witness, wire)
    }
    const value = signed(mod(sum * inverse(BigInt(lookup.scale[query]))))
    return lookup.tables[lookup.table[query]].rowOf(Number(value)) >= 0 && BigInt(Number(value)) === value
  }
  return ({ system, queries }, witness) =>
    queries.some((query) => !isEntry(query, witness)) || firstFailingRow(system, witness) >= 0
}

/** What speaks of a wire: queries, whose rows an inverse can satisfy alone, and the system of all other rows. */
interface Rows {
  readonly queries: readonly number[]
  readonly system: R1cs
}

function rowsByWire(circuit: Circuit, wires: ReadonlySet<number>): Map<number, Rows> {
  const { r1cs } = circuit.linked
  const rows = new Map<number, Set<number>>([...wires].map((wire) => [wire, new Set()]))
  for (const side of [r1cs.a, r1cs.b, r1cs.c]) {
    for (let row = 0; row < r1cs.rows; row++) {
      for (let j = side.rowPtr[row]; j < side.rowPtr[row + 1]; j++) rows.get(side.wires[j])?.add(row)
    }
  }
  const queryOf = new Map<number, number>()
  const proofSystem = systemOf(circuit)
  proofSystem.lookup(circuit)?.row.forEach((row, query) => {
    queryOf.set(row, query)
  })
  return new Map(
    [...rows].map(([wire, set]) => {
      const free = proofSystem.isFree(circuit, wire)
      const queries = free ? [...set].flatMap((row) => queryOf.get(row) ?? []) : []
      const others = free ? [...set].filter((row) => !queryOf.has(row)) : [...set]
      return [wire, { queries, system: pickRows(r1cs, others) }]
    }),
  )
}

function pickRows(r1cs: R1cs, picked: readonly number[]): R1cs {
  const [a, b, c] = [r1cs.a, r1cs.b, r1cs.c].map((side) => {
    const entries = picked.map((row) => [side.rowPtr[row], side.rowPtr[row + 1]] as const)
    const rowPtr = new Uint32Array(picked.length + 1)
    entries.forEach(([from, to], i) => {
      rowPtr[i + 1] = rowPtr[i] + to - from
    })
    const gather = (source: Uint32Array) =>
      Uint32Array.from(entries.flatMap(([from, to]) => [...source.subarray(from, to)]))
    return { rowPtr, wires: gather(side.wires), coefficients: gather(side.coefficients) }
  })
  return { ...r1cs, rows: picked.length, a, b, c }
}
