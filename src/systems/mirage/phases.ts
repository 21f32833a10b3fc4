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

import { mappedB } from "../../circuit/formats/mapped.js"
import type { R1cs, SparseRows } from "../../circuit/formats/r1cs.js"
import { InvariantError } from "../../errors.js"
import { r } from "../../field.js"
import { Polynomials } from "./polynomials.js"
import { CHALLENGE, CONSTANT, EVALUATION, wireGroups } from "./wires.js"

/** What a wire is to the order of phases. */
const timeOf = { public: 0, weights: 1, committed: 1, final: 2 } as const
/** What rows define final wires as, a bit each. */
const roles = { inverse: 1, quotient: 2, share: 4, step: 8, power: 16, partial: 32 } as const
type Role = keyof typeof roles

type Term = readonly [wire: number, value: bigint]

/** No wire, or no row. */
const NONE = 0xffffffff

/**
 * `polynomials`: of a circuit with private weights.
 * @throws InvariantError naming the first row that has none of the shapes, or the wire it misuses
 */
export function checkPhases(
  system: R1cs,
  firstFinal: number,
  { polynomials = false }: { readonly polynomials?: boolean } = {},
): void {
  new Phases(system, firstFinal, polynomials).check()
}

/** What is known of the wires while rows are read. */
class Phases {
  readonly #a: SparseRows
  readonly #b: SparseRows
  readonly #c: SparseRows
  /** Rows whose side B has entries that a map stands for, all of committed wires. */
  readonly #isMapped: Uint8Array
  readonly #time: Uint8Array
  readonly #role: Uint8Array
  readonly #counts: Record<Role, number> = {
    inverse: 0,
    quotient: 0,
    share: 0,
    step: 0,
    power: 0,
    partial: 0,
  }
  readonly #isUsed: Uint8Array
  readonly #isCounted: Uint8Array
  /** Of steps, by what their rows multiply with: a chain has one power throughout. */
  readonly #steps = new Map<number, number>()
  readonly #sums: number[] = []
  readonly #polynomials: Polynomials | undefined
  /** From here on rows are steps of words. */
  #firstWord = 0
  #evaluations = 0

  constructor(
    private readonly system: R1cs,
    private readonly firstFinal: number,
    hasPolynomials: boolean,
  ) {
    const mapped = mappedB(system)
    this.#a = system.a
    this.#b = mapped?.rest ?? system.b
    this.#c = system.c
    this.#time = new Uint8Array(system.wires)
    // weights are committed to before the challenge, too
    for (const { name, first, count } of wireGroups({ wires: system.wires, firstFinal, weights: 0 }))
      this.#time.fill(timeOf[name], first, first + count)
    this.#role = new Uint8Array(system.wires)
    this.#isUsed = new Uint8Array(system.wires)
    this.#isCounted = new Uint8Array(system.wires)
    if (hasPolynomials) {
      const refuse = (row: number, why: string): never => this.#refuse(row, why)
      this.#polynomials = new Polynomials(this.#isCommitted, this.#isFinal, refuse)
      this.#firstWord = this.#firstWordRow()
    }
    this.#isMapped = new Uint8Array(system.rows)
    for (const { wires, rows } of mapped?.maps ?? []) {
      for (const row of rows) if (row !== NONE) this.#isMapped[row] = 1
      const other = wires.find((wire) => wire !== NONE && !this.#isCommitted(wire))
      const row = rows.find((of) => of !== NONE) ?? 0
      if (other !== undefined) this.#refuse(row, `a map reads wire ${other}`)
    }
  }

  check(): void {
    const { rows, values } = this.system
    const isOne = Uint8Array.from(values, (value) => (value === 1n ? 1 : 0))
    for (let row = 0; row < rows; row++) {
      if (
        this.#allCommitted(this.#a, row) &&
        this.#allCommitted(this.#b, row) &&
        this.#allCommitted(this.#c, row)
      )
        continue
      if (!this.#isQuery(row, isOne)) this.#read(row)
    }
    for (const row of this.#sums) this.#readSum(row)
    this.#polynomials?.finish(rows)
    this.#checkWires()
  }

  #refuse(row: number, why: string): never {
    throw new InvariantError(`row ${row} breaks the order of the proof's phases: ${why}`)
  }

  readonly #isCommitted = (wire: number): boolean =>
    wire === CONSTANT || this.#time[wire] === timeOf.committed

  readonly #isFinal = (wire: number | undefined): wire is number =>
    wire !== undefined && this.#time[wire] === timeOf.final

  #is(role: Role, wire: number): boolean {
    return (this.#role[wire] & roles[role]) !== 0
  }

  #allCommitted({ rowPtr, wires }: SparseRows, row: number): boolean {
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) if (!this.#isCommitted(wires[j])) return false
    return true
  }

  /** The row defines a final wire. */
  #define(role: Role, wire: number, row: number): void {
    if (this.#is(role, wire)) this.#refuse(row, `${role} ${wire} occurs twice`)
    this.#role[wire] |= roles[role]
    this.#counts[role]++
  }

  /** The row uses a wire that is used once. */
  #use(flags: Uint8Array, wire: number, row: number, what: string): void {
    if (flags[wire] === 1) this.#refuse(row, `${what} ${wire} occurs twice`)
    flags[wire] = 1
  }

  /** A query, which most rows are. Whatever is no query is left to `#read`, which says what is wrong with it. */
  #isQuery(row: number, isOne: Uint8Array): boolean {
    const [a, b, c] = [this.#a, this.#b, this.#c]
    const [first, last] = [b.rowPtr[row], b.rowPtr[row + 1]]
    const [left, right] = [a.rowPtr[row], c.rowPtr[row]]
    if (a.rowPtr[row + 1] !== left + 1 || c.rowPtr[row + 1] !== right + 1) return false
    if (isOne[a.coefficients[left]] === 0 || c.wires[right] !== CONSTANT) return false
    if (!this.#isFinal(a.wires[left])) return false
    let challenge = NONE
    for (let j = first; j < last; j++) {
      if (b.wires[j] === CHALLENGE && challenge === NONE) challenge = j
      else if (!this.#isCommitted(b.wires[j])) return false
    }
    if (challenge === NONE) return false
    // one alone times the challenge alone is a step
    if (last - first === 1 && this.#isMapped[row] === 0) return false
    const { values } = this.system
    const scale = values[b.coefficients[challenge]]
    if (scale !== values[c.coefficients[right]] || scale === r - 1n) return false
    this.#define("inverse", a.wires[left], row)
    return true
  }

  #terms({ rowPtr, wires, coefficients }: SparseRows, row: number): Term[] {
    const list: Term[] = []
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++)
      list.push([wires[j], this.system.values[coefficients[j]]])
    return list
  }

  #isPower(wire: number | undefined): boolean {
    return wire !== undefined && (wire === CHALLENGE || this.#is("power", wire))
  }

  /** Committed wires, and at most one step that is there already and used for the first time. */
  #useStep(list: readonly Term[], row: number, why: string, power?: number): void {
    const used = list.filter(([wire]) => !this.#isCommitted(wire))
    const fits = (wire: number) =>
      this.#steps.has(wire) && (power === undefined || this.#steps.get(wire) === power)
    if (used.length > 1 || !used.every(([wire, value]) => fits(wire) && value === 1n)) this.#refuse(row, why)
    for (const [wire] of used) this.#use(this.#isUsed, wire, row, "step")
  }

  /** A row that has wires which are not committed. */
  #read(row: number): void {
    const [a, b, c] = [this.#a, this.#b, this.#c].map((side) => this.#terms(side, row))
    const isMapped = this.#isMapped[row] === 1
    if (a.length === 0 && b.length === 0 && !isMapped) {
      if (!c.every(([wire, value]) => this.#isFinal(wire) && (value === 1n || value === r - 1n)))
        this.#refuse(row, "a linear row mixes final wires with others")
      this.#sums.push(row)
      return
    }
    const sole = (list: readonly Term[]) => (list.length === 1 && list[0][1] === 1n ? list[0][0] : undefined)
    const [factor, by, target] = [sole(a), isMapped ? undefined : sole(b), sole(c)]
    if (row < this.#firstWord && !this.#isNew(factor)) {
      this.#polynomials?.take(row, a, b, c)
      return
    }
    const isEvaluation = target === EVALUATION && by === CHALLENGE
    if (
      by !== undefined &&
      this.#isPower(by) &&
      target !== undefined &&
      (this.#isFinal(target) || isEvaluation)
    ) {
      if (this.#isPower(factor) && !isEvaluation) this.#define("power", target, row)
      else {
        this.#useStep(a, row, "a word or coefficient depends on the challenge", by)
        if (isEvaluation) this.#evaluations++
        else {
          this.#define("step", target, row)
          this.#steps.set(target, by)
        }
      }
      return
    }
    const challenge = b.find(([wire]) => wire === CHALLENGE)?.[1]
    if (challenge === undefined) this.#readProduct(row, a, b, c)
    else this.#readQuotient(row, { factor, target, challenge, b, c, isMapped })
  }

  /** A final wire that is no polynomial: what a query, an entry or a share defines. */
  #isNew(wire: number | undefined): boolean {
    return this.#isFinal(wire) && this.#polynomials?.has(wire) === false
  }

  /**
   * Where the steps of the words begin: the last row is that of the first word, and before it stands the step that it uses.
   */
  #firstWordRow(): number {
    const finals = ({ rowPtr, wires }: SparseRows, row: number) =>
      Array.from(wires.subarray(rowPtr[row], rowPtr[row + 1])).filter(this.#isFinal)
    let row = this.system.rows - 1
    while (row > 0) {
      const [step] = finals(this.#a, row)
      if (step === undefined || !finals(this.#c, row - 1).includes(step)) break
      row--
    }
    return row
  }

  /** A partial sum of products, or the equation of all. */
  #readProduct(row: number, a: readonly Term[], b: readonly Term[], c: readonly Term[]): void {
    this.#useStep(a, row, "a factor is no polynomial")
    this.#useStep(b, row, "a factor is no polynomial")
    const isDefined = (wire: number) =>
      (["step", "power", "partial"] as const).some((role) => this.#is(role, wire))
    const made = c.filter(([wire]) => this.#isFinal(wire) && !isDefined(wire))
    const before = c.filter(([wire]) => this.#is("partial", wire))
    if (
      before.length > 1 ||
      !before.every(([, value]) => value === r - 1n) ||
      !made.every(([, value]) => value === 1n)
    )
      this.#refuse(row, "a sum of products has a wrong sign")
    for (const [wire] of before) this.#use(this.#isUsed, wire, row, "sum")
    const rest = c.filter((term) => !made.includes(term) && !before.includes(term))
    if (made.length === 0) this.#useStep(rest, row, "a sum of products is no polynomial")
    else if (made.length > 1 || rest.length > 0) this.#refuse(row, "a sum of products has other terms")
    else this.#define("partial", made[0][0], row)
  }

  /** A query, an entry or a share. */
  #readQuotient(
    row: number,
    {
      factor,
      target,
      challenge,
      b,
      c,
      isMapped,
    }: {
      readonly factor: number | undefined
      readonly target: number | undefined
      readonly challenge: bigint
      readonly b: readonly Term[]
      readonly c: readonly Term[]
      readonly isMapped: boolean
    },
  ): void {
    const isCounted = (wire: number | undefined): wire is number =>
      wire !== undefined && this.#time[wire] === timeOf.committed
    if (!b.every(([wire]) => wire === CHALLENGE || this.#isCommitted(wire)))
      this.#refuse(row, "side B has a final wire")
    if (!this.#isFinal(factor)) this.#refuse(row, "it has none of the known shapes")
    if (challenge === r - 1n) {
      if (target !== CONSTANT && !isCounted(target))
        throw new InvariantError(`row ${row}: a mark is not committed`)
      if (target !== CONSTANT) this.#use(this.#isCounted, target, row, "multiplicity")
      this.#define("share", factor, row)
    } else if (c.length === 1 && c[0][0] === CONSTANT) {
      if (c[0][1] !== challenge) this.#refuse(row, "a query's scales differ")
      this.#define("inverse", factor, row)
    } else {
      const isConstant = b.length <= 2 && b.every(([wire]) => wire === CHALLENGE || wire === CONSTANT)
      if (challenge !== 1n || isMapped || !isConstant) this.#refuse(row, "an entry is no constant")
      if (!isCounted(target)) throw new InvariantError(`row ${row}: a multiplicity is not committed`)
      this.#use(this.#isCounted, target, row, "multiplicity")
      this.#define("quotient", factor, row)
    }
  }

  /** Inverses less quotients, or inverses and shares. */
  #readSum(row: number): void {
    const { rowPtr, wires, coefficients } = this.#c
    const { values } = this.system
    let isBalance = false
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) isBalance ||= this.#is("share", wires[j])
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) {
      const [wire, isPlus] = [wires[j], values[coefficients[j]] === 1n]
      this.#use(this.#isUsed, wire, row, "summand")
      const isAdded = isPlus && (this.#is("inverse", wire) || this.#is("share", wire))
      if (!isAdded && (isBalance || isPlus || !this.#is("quotient", wire)))
        this.#refuse(row, `wire ${wire} is summed with a wrong sign`)
    }
  }

  /** Every final wire is defined once, and used where it has to be. */
  #checkWires(): void {
    const { rows, wires } = this.system
    let defined = this.#polynomials?.count ?? 0
    for (let wire = 0; wire < wires; wire++) {
      const role = this.#role[wire]
      if (role === 0) continue
      if (this.#polynomials?.has(wire)) this.#refuse(rows, "a final wire is defined twice")
      defined++
      if (this.#isUsed[wire] === 1) continue
      if ((role & (roles.inverse | roles.quotient | roles.share)) !== 0)
        this.#refuse(rows, `final wire ${wire} is in no sum`)
      if ((role & roles.step) !== 0) this.#refuse(rows, `step ${wire} is not used`)
      if ((role & roles.partial) !== 0) this.#refuse(rows, `sum ${wire} is not used`)
    }
    const counts = Object.values(this.#counts).reduce((sum, count) => sum + count, 0)
    if (defined !== counts + (this.#polynomials?.count ?? 0))
      this.#refuse(rows, "a final wire is defined twice")
    if (defined !== wires - this.firstFinal) this.#refuse(rows, "a final wire is not defined")
    if (this.#evaluations !== 1) this.#refuse(rows, "the evaluation is not defined once")
  }
}
