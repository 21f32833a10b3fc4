/**
 * The linker's static proof that nothing the challenge is drawn after depends on it. Every row is one of nine
 * shapes, read from the finished system and not from what the linker meant to write:
 *
 *     committed   only one and committed wires
 *     query       inv · (s·c − committed) = s·one
 *     entry       quotient · (c − t·one) = multiplicity
 *     share       inv · (committed − c) = one, or multiplicity
 *     sum         0 · 0 = Σ inv − Σ quotient, or Σ inv of queries and shares
 *     step        (committed + at most one step) · (c, or a power) = step, or ev
 *     power       (c, or a power) · (c, or a power) = power
 *     partial     (committed + at most one step) · (committed + at most one step) = partial − at most one partial
 *     equation    (committed + at most one step) · (committed + at most one step) =
 *                 committed + at most one step − at most one partial
 *
 * So queries, multiplicities, packed words and the coefficients of projected polynomials are combinations of one and
 * committed wires; the challenge defines final wires and nothing else; and every final wire is defined once, before it
 * is used, and used where it must be: steps and partial sums once.
 *
 * Circuits with private weights have rows of a tenth shape in place of the last four, apart from the steps of words:
 *
 *     polynomial  (committed + c + polynomials) · (the same) = committed + polynomials, or a new polynomial besides
 *
 * with wires on sides A and B that depend on the challenge (polynomials.ts).
 */

import type { R1cs, SparseRows } from "../../circuit/formats/r1cs.js"
import { InvariantError } from "../../errors.js"
import { r } from "../../field.js"
import { Polynomials } from "./polynomials.js"
import { CHALLENGE, CONSTANT, EVALUATION, isIn, wireGroups } from "./wires.js"

/** Is `checkPhases` for a circuit with private weights? */
export interface PhaseOptions {
  readonly polynomials?: boolean
}

/** @throws InvariantError naming the first row that has none of the shapes, or the wire it misuses */
export function checkPhases(
  system: R1cs,
  firstFinal: number,
  { polynomials: hasPolynomials = false }: PhaseOptions = {},
): void {
  const refuse = (row: number, why: string): never => {
    throw new InvariantError(`row ${row} breaks the order of the proof's phases: ${why}`)
  }
  // weights are committed to before the challenge, too
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
  const polynomials = new Polynomials(isCommitted, isFinal, refuse)
  const firstWord = hasPolynomials ? firstWordRow(system, isFinal) : 0
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
    if (row < firstWord && !(factor !== undefined && isFinal(factor) && !polynomials.has(factor))) {
      polynomials.take(row, a, b, c)
      continue
    }
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
  polynomials.finish(system.rows)
  const kinds = [inverses, quotients, shares, steps, powers, partials, new Set(polynomials.wires)]
  const defined = new Set(kinds.flatMap((kind) => [...kind.keys()]))
  for (const wire of steps.keys()) if (!stepsUsed.has(wire)) refuse(system.rows, `step ${wire} is not used`)
  for (const wire of partials) if (!partialsUsed.has(wire)) refuse(system.rows, `sum ${wire} is not used`)
  if (defined.size !== kinds.reduce((sum, { size }) => sum + size, 0))
    refuse(system.rows, "a final wire is defined twice")
  if (defined.size !== system.wires - firstFinal) refuse(system.rows, "a final wire is not defined")
  if (evaluations !== 1) refuse(system.rows, "the evaluation is not defined once")
}

/** Where the steps of the words begin: the last row is that of the first word, and before it stands the step that it uses. */
function firstWordRow({ rows, a, c }: R1cs, isFinal: (wire: number) => boolean): number {
  const finals = ({ rowPtr, wires }: SparseRows, row: number) =>
    Array.from(wires.subarray(rowPtr[row], rowPtr[row + 1])).filter(isFinal)
  let row = rows - 1
  while (row > 0) {
    const [step] = finals(a, row)
    if (step === undefined || !finals(c, row - 1).includes(step)) break
    row--
  }
  return row
}
