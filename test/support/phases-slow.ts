/** The order of phases as it was first written down: every row as lists of wires and bigints. */

import type { R1cs, SparseRows } from "#src/circuit/formats/r1cs.js"
import { InvariantError } from "#src/errors.js"
import { r } from "#src/field.js"
import { CHALLENGE, CONSTANT, EVALUATION, isIn, wireGroups } from "#src/systems/mirage/wires.js"

/** @throws InvariantError naming the first row that has none of the nine shapes, or the wire it misuses */
export function checkPhasesSlowly(system: R1cs, firstFinal: number): void {
  const refuse = (row: number, why: string): never => {
    throw new InvariantError(`row ${row} breaks the order of the proof's phases: ${why}`)
  }
  const groups = wireGroups({ wires: system.wires, firstFinal, weights: 0 })
  const own = {
    committed: groups.filter(({ name }) => name === "committed"),
    final: groups.filter(({ name }) => name === "final"),
  }
  const isOf = (name: keyof typeof own, wire: number) => own[name].some((group) => isIn(group, wire))
  const isCommitted = (wire: number) => wire === CONSTANT || isOf("committed", wire)
  const isFinal = (wire: number) => isOf("final", wire)
  const terms = (side: SparseRows, row: number) =>
    Array.from({ length: side.rowPtr[row + 1] - side.rowPtr[row] }, (_, k): [wire: number, value: bigint] => {
      const j = side.rowPtr[row] + k
      return [side.wires[j], system.values[side.coefficients[j]]]
    })
  const allCommitted = (side: SparseRows, row: number): boolean => {
    for (let j = side.rowPtr[row]; j < side.rowPtr[row + 1]; j++)
      if (!isCommitted(side.wires[j])) return false
    return true
  }
  const sole = (list: readonly [number, bigint][]): number | undefined =>
    list.length === 1 && list[0][1] === 1n ? list[0][0] : undefined

  const inverses = new Set<number>()
  const quotients = new Set<number>()
  const shares = new Set<number>()
  const multiplicities = new Set<number>()
  /** Steps, by what their rows multiply with: a chain has one power throughout. */
  const steps = new Map<number, number>()
  const stepsUsed = new Set<number>()
  const powers = new Set<number>()
  const partials = new Set<number>()
  const partialsUsed = new Set<number>()
  const summed = new Set<number>()
  const sums: number[] = []
  let evaluations = 0
  const once = (set: Set<number>, wire: number, row: number, what: string) => {
    if (set.has(wire)) refuse(row, `${what} ${wire} occurs twice`)
    set.add(wire)
  }
  const isPower = (wire: number | undefined) => wire !== undefined && (wire === CHALLENGE || powers.has(wire))
  /** Committed wires, and at most one step that is there already and used for the first time. */
  const useStep = (list: readonly [number, bigint][], row: number, why: string, power?: number) => {
    const used = list.filter(([wire]) => !isCommitted(wire))
    const fits = (wire: number) => steps.has(wire) && (power === undefined || steps.get(wire) === power)
    if (used.length > 1 || !used.every(([wire, value]) => fits(wire) && value === 1n)) refuse(row, why)
    for (const [wire] of used) once(stepsUsed, wire, row, "step")
  }
  /** The wire, if no row before has defined it. */
  const fresh = (wire: number | undefined) =>
    wire !== undefined && isFinal(wire) && !steps.has(wire) && !powers.has(wire) && !partials.has(wire)
  for (let row = 0; row < system.rows; row++) {
    if ([system.a, system.b, system.c].every((side) => allCommitted(side, row))) continue
    const [a, b, c] = [terms(system.a, row), terms(system.b, row), terms(system.c, row)]
    if (a.length === 0 && b.length === 0) {
      if (!c.every(([wire, value]) => isFinal(wire) && (value === 1n || value === r - 1n)))
        refuse(row, "a linear row mixes final wires with others")
      sums.push(row)
      continue
    }
    const [factor, by, target] = [sole(a), sole(b), sole(c)]
    const isEvaluation = target === EVALUATION && by === CHALLENGE
    if (by !== undefined && isPower(by) && target !== undefined && (isFinal(target) || isEvaluation)) {
      if (isPower(factor) && !isEvaluation) once(powers, target, row, "power")
      else {
        useStep(a, row, "a word or coefficient depends on the challenge", by)
        if (isEvaluation) evaluations++
        else if (steps.has(target)) refuse(row, `step ${target} occurs twice`)
        else steps.set(target, by)
      }
      continue
    }
    const challenge = b.find(([wire]) => wire === CHALLENGE)?.[1]
    if (challenge === undefined) {
      useStep(a, row, "a factor is no polynomial")
      useStep(b, row, "a factor is no polynomial")
      const made = c.filter(([wire]) => fresh(wire))
      const before = c.filter(([wire]) => partials.has(wire))
      if (
        before.length > 1 ||
        !before.every(([, value]) => value === r - 1n) ||
        !made.every(([, value]) => value === 1n)
      )
        refuse(row, "a sum of products has a wrong sign")
      for (const [wire] of before) once(partialsUsed, wire, row, "sum")
      const rest = c.filter((term) => !made.includes(term) && !before.includes(term))
      if (made.length === 0) useStep(rest, row, "a sum of products is no polynomial")
      else if (made.length > 1 || rest.length > 0) refuse(row, "a sum of products has other terms")
      else once(partials, made[0][0], row, "sum")
      continue
    }
    if (!b.every(([wire]) => wire === CHALLENGE || isCommitted(wire))) refuse(row, "side B has a final wire")
    if (factor !== undefined && isFinal(factor) && challenge === r - 1n) {
      if (target === undefined || (target !== CONSTANT && !isOf("committed", target)))
        throw new InvariantError(`row ${row}: a mark is not committed`)
      if (target !== CONSTANT) once(multiplicities, target, row, "multiplicity")
      once(shares, factor, row, "share")
    } else if (factor !== undefined && isFinal(factor)) {
      if (c.length === 1 && c[0][0] === CONSTANT) {
        if (c[0][1] !== challenge) refuse(row, "a query's scales differ")
        once(inverses, factor, row, "inverse")
      } else {
        if (challenge !== 1n || b.length > 2 || !b.every(([wire]) => wire === CHALLENGE || wire === CONSTANT))
          refuse(row, "an entry is no constant")
        if (target === undefined || !isOf("committed", target))
          throw new InvariantError(`row ${row}: a multiplicity is not committed`)
        once(multiplicities, target, row, "multiplicity")
        once(quotients, factor, row, "quotient")
      }
    } else refuse(row, "it has none of the known shapes")
  }
  for (const row of sums) {
    const list = terms(system.c, row)
    const isBalance = list.some(([wire]) => shares.has(wire))
    for (const [wire, value] of list) {
      once(summed, wire, row, "summand")
      const isAdded = value === 1n && (inverses.has(wire) || shares.has(wire))
      if (!isAdded && (isBalance || value === 1n || !quotients.has(wire)))
        refuse(row, `wire ${wire} is summed with a wrong sign`)
    }
  }
  for (const wire of [...inverses, ...quotients, ...shares])
    if (!summed.has(wire)) refuse(system.rows, `final wire ${wire} is in no sum`)
  const kinds = [inverses, quotients, shares, steps, powers, partials]
  const defined = new Set(kinds.flatMap((kind) => [...kind.keys()]))
  for (const wire of steps.keys()) if (!stepsUsed.has(wire)) refuse(system.rows, `step ${wire} is not used`)
  for (const wire of partials) if (!partialsUsed.has(wire)) refuse(system.rows, `sum ${wire} is not used`)
  if (defined.size !== kinds.reduce((sum, { size }) => sum + size, 0))
    refuse(system.rows, "a final wire is defined twice")
  if (defined.size !== system.wires - firstFinal) refuse(system.rows, "a final wire is not defined")
  if (evaluations !== 1) refuse(system.rows, "the evaluation is not defined once")
}
