/**
 * Every solution of a gadget over a small prime field, by backtracking: nothing is assumed about how an
 * attacker finds hints, so what is not found here does not exist (for these parameters and this field).
 */

import type { Query, Stamp } from "#src/circuit/gadgets/ranges.js"
import type { Lc, LocalRow } from "#src/circuit/gadgets/reduce.js"
import { ONE } from "#src/circuit/gadgets/reduce.js"

const modulo = (x: number, p: number): number => ((x % p) + p) % p

/**
 * The set of outputs (as field elements of F_p) for which some assignment of the wires satisfies all rows and
 * queries but the one numbered `deleted` (rows first). A gadget without outputs gives {0} if satisfiable and
 * {} if not. It ends with the first output that is `sought`, if one is.
 */
export function acceptedOutputs(
  stamp: Stamp,
  inputs: readonly number[],
  p: number,
  deleted = -1,
  sought: (output: number) => boolean = () => false,
): Set<number> {
  const total = inputs.length + stamp.wires
  const rows: (LocalRow | Query)[] = [...stamp.rows, ...stamp.queries].filter((_, i) => i !== deleted)
  const allowed = new Map(
    stamp.queries.map((query) => [
      query,
      new Set(Array.from(query.table.entries, (entry) => modulo(entry * query.scale, p))),
    ]),
  )
  const values = new Array<number>(total).fill(0)
  inputs.forEach((value, i) => {
    values[i] = modulo(value, p)
  })
  // order wires so that rows become checkable early: those of the smallest rows first
  const order: number[] = []
  const sides = (row: LocalRow | Query) => ("lc" in row ? [row.lc] : [row.a, row.b, row.c])
  const touched = (row: LocalRow | Query) => [...new Set(sides(row).flatMap((lc) => [...lc.keys()]))]
  const bySize = rows.map(touched).sort((x, y) => x.length - y.length)
  for (const wires of bySize)
    for (const wire of wires) if (wire >= inputs.length && !order.includes(wire)) order.push(wire)
  for (let wire = inputs.length; wire < total; wire++) if (!order.includes(wire)) order.push(wire)
  const position = new Map(order.map((wire, i) => [wire, i]))
  const ready: (LocalRow | Query)[][] = order.map(() => [])
  const now: (LocalRow | Query)[] = []
  for (const row of rows) {
    const last = Math.max(-1, ...touched(row).map((wire) => position.get(wire) ?? -1))
    if (last < 0) now.push(row)
    else ready[last].push(row)
  }
  const lists = new Map(rows.flatMap(sides).map((lc) => [lc, [...lc]]))
  const evaluate = (lc: Lc): number => {
    let sum = 0
    for (const [wire, coefficient] of lists.get(lc) ?? [])
      sum += coefficient * (wire === ONE ? 1 : values[wire])
    return modulo(sum, p)
  }
  const holds = (row: LocalRow | Query): boolean =>
    "lc" in row
      ? (allowed.get(row)?.has(evaluate(row.lc)) ?? false)
      : modulo(evaluate(row.a) * evaluate(row.b) - evaluate(row.c), p) === 0
  const accepted = new Set<number>()
  if (!now.every(holds)) return accepted
  const search = (depth: number): boolean => {
    if (depth === order.length) {
      const output = stamp.outputs.length > 0 ? values[stamp.outputs[0]] : 0
      accepted.add(output)
      return sought(output)
    }
    for (let value = 0; value < p; value++) {
      values[order[depth]] = value
      if (ready[depth].every(holds) && search(depth + 1)) return true
    }
    return false
  }
  search(0)
  return accepted
}
