/**
 * Products of matrices under the challenge c. For A (M × K), B (K × N) and Y (M × N), combinations of wires that are
 * fixed before c is drawn,
 *
 *     u_k = Σ_m c^m · A_mk        v_k = Σ_n c^(M·n) · B_kn        y = Σ_{m,n} c^(m + M·n) · Y_mn
 *
 * by Horner's rule, and Σ_k u_k · v_k = y. Both sides are polynomials in c of degree below M·N, in which every element of
 * A·B and of Y has a power of its own. If Y is not A·B they differ, and agree for at most M·N − 1 of r challenges.
 *
 *     power    c^i · c^j = c^(i + j)
 *     step     (A_mk + h) · c = h'      (B_kn + h) · c^M = h'      (Y_mn + h) · c = h'
 *     sum      u_k · v_k = s_k − s_(k−1)
 *     equation u_k · v_k = y − s_(k−1), of the last k
 *
 * Which of some keys are the largest is shown by lookups among the keys themselves: of falling keys f_j and of all keys k_i
 * with marks m_i,
 *
 *     query    inv · (c − f_j) = 1
 *     share    inv · (k_i − c) = m_i
 *     balance  Σ inv = 0
 *
 * that is Σ 1 / (c − f_j) = Σ m_i / (c − k_i). Keys of a window differ, so both sides have simple poles, and agree for more than count + window values of c only if the
 * residues do: m_i is how often k_i is among the f_j, and every f_j is some k_i. No two windows share a balance.
 *
 * Rows of constant tables are looked up in the same way, packed: Σ 1 / (c − q_i) = Σ m_v / (c − e_v) with the entries e_v of
 * the table (circuit/plan/rows.ts) and queries q_i of an index with its elements.
 *
 * Everything on the right of the first three is a final wire that its row defines. No two products of matrices share an
 * equation, or what one has too much the other could have too little. Zeros at the end of a polynomial take no step, and
 * the planner gives rows and columns their powers from the end that has more of them.
 */
import { invariant } from "../../errors.js"
import type { ContractionNode } from "../../ops/program.js"
import { matricesOf, type Projection, powersFor, powersTo } from "../plan/projection.js"
import { type FieldLc, GrowingU32, type R1csBuilder, type WireLc } from "./builder.js"

/** All rows of projections, in an order in which each wire is defined before it is used. */
export interface Projected {
  /** First of the wires that the rows define, which have the order of their rows. */
  readonly first: number
  readonly wires: number
  /** Row numbers, and what each does. */
  readonly rows: Uint32Array
  readonly defines: Uint8Array
}

/** What a row is to a wire: nothing, for it is an equation; the one that makes it the product, or the quotient on side A. */
export const rowDefines = { nothing: 0, product: 1, quotient: 2 } as const

/** The combination of an element; undefined for one that is zero for all admissible inputs. */
export type Element = (i: number) => WireLc | undefined

/** A polynomial in c: its constant term, and the step that has c times the rest. */
interface Evaluated {
  readonly constant: WireLc | undefined
  readonly step: number | undefined
}

export class ProjectionBuilder {
  readonly #builder: R1csBuilder
  /** Wires of powers of the challenge. */
  readonly #powers: Map<number, number>
  readonly #rows = new GrowingU32()
  readonly #defines = new GrowingU32()

  constructor(builder: R1csBuilder, challenge: number) {
    this.#builder = builder
    this.#powers = new Map([[1, challenge]])
  }

  /** Adds the rows that say out = left · right, for combinations that are fixed before the challenge. */
  contract(
    node: ContractionNode,
    projection: Projection,
    [left, right, out]: readonly [left: Element, right: Element, out: Element],
  ): void {
    const power = this.#power(node.m)
    const challenge = this.#power(1)
    const isZero = (element: WireLc | undefined) => element === undefined
    for (let b = 0; b < node.batch; b++) {
      const elements = matricesOf(node, projection, b)
      const factors: [u: Evaluated, v: Evaluated][] = []
      for (let inner = 0; inner < node.k; inner++) {
        const us = elements.left(inner).map(left)
        const vs = elements.right(inner).map(right)
        if (us.every(isZero) || vs.every(isZero)) continue
        factors.push([this.#evaluate(us, challenge), this.#evaluate(vs, power)])
      }
      this.#equation(factors, this.#evaluate(elements.out().map(out), challenge))
    }
  }

  /** Adds the rows that say that the falling keys are the marked ones, each marked once. All are fixed before the challenge. */
  among(falling: readonly WireLc[], keys: readonly WireLc[], marks: readonly WireLc[]): void {
    const one = { wires: [0], coefficients: [1] }
    const wires = [
      ...falling.map((key) => this.#divided(one, key, 1)),
      ...keys.map((key, i) => this.#divided(marks[i], key, -1)),
    ]
    for (const wire of wires) this.#builder.entry(2, wire, 1)
    this.#endRow(rowDefines.nothing)
  }

  /**
   * Adds the rows that say that packed queries are entries, of which there are as many as multiplicities from wire `first`
   * on. All are fixed before the challenge.
   */
  lookUp(queries: readonly FieldLc[], entries: readonly bigint[], first: number): void {
    const builder = this.#builder
    const one = { wires: [0], coefficients: [1] }
    const inverses = queries.map((query) => this.#divided(one, query, 1))
    const quotients = entries.map((entry, v) =>
      this.#divided({ wires: [first + v], coefficients: [1] }, new Map([[0, entry]]), 1),
    )
    for (const wire of inverses) builder.entry(2, wire, 1)
    for (const wire of quotients) builder.entry(2, wire, -1)
    this.#endRow(rowDefines.nothing)
  }

  /** share / (c − key), or the opposite. */
  #divided(share: WireLc, key: WireLc | FieldLc, sign: 1 | -1): number {
    const builder = this.#builder
    const wire = builder.allocateFinal("late")
    builder.entry(0, wire, 1)
    builder.entry(1, this.#power(1), sign)
    if ("wires" in key)
      for (let j = 0; j < key.wires.length; j++) builder.entry(1, key.wires[j], -sign * key.coefficients[j])
    else for (const [wire, coefficient] of key) builder.entry(1, wire, BigInt(-sign) * BigInt(coefficient))
    this.#side(2, { constant: share, step: undefined })
    this.#endRow(rowDefines.quotient)
    return wire
  }

  /** The wire of c^exponent; `steps`: exponents that others of its kind differ by. */
  power(exponent: number, steps: readonly number[]): number {
    for (const [made, half] of powersTo(exponent, (e) => this.#powers.has(e), steps)) {
      this.#builder.entry(0, this.#wireOf(half), 1)
      this.#powers.set(made, this.#define(this.#wireOf(made - half)))
    }
    return this.#wireOf(exponent)
  }

  /** A new wire, a · b + before. */
  product(a: WireLc, b: WireLc, before?: number): number {
    this.#side(0, { constant: a, step: undefined })
    this.#side(1, { constant: b, step: undefined })
    const target = this.#builder.allocateFinal("late")
    this.#builder.entry(2, target, 1)
    if (before !== undefined) this.#builder.entry(2, before, -1)
    this.#endRow(rowDefines.product)
    return target
  }

  /** The row a · b + before = sum. */
  equation(a: WireLc, b: WireLc, before: number | undefined, sum: WireLc): void {
    this.#side(0, { constant: a, step: undefined })
    this.#side(1, { constant: b, step: undefined })
    this.#side(2, { constant: sum, step: undefined })
    if (before !== undefined) this.#builder.entry(2, before, -1)
    this.#endRow(rowDefines.nothing)
  }

  /** `first`: the number that the first final wire of projections has got. */
  finish(first: number): Projected {
    const rows = this.#rows.take()
    const defines = Uint8Array.from(this.#defines.take())
    return {
      first,
      wires: defines.reduce((sum, is) => sum + (is === rowDefines.nothing ? 0 : 1), 0),
      rows,
      defines,
    }
  }

  /** Σ_k u_k · v_k = y. */
  #equation(factors: readonly [u: Evaluated, v: Evaluated][], y: Evaluated): void {
    const builder = this.#builder
    let before: number | undefined
    for (const [k, [u, v]] of factors.entries()) {
      this.#side(0, u)
      this.#side(1, v)
      const isLast = k === factors.length - 1
      if (isLast) this.#side(2, y)
      const sum = isLast ? undefined : builder.allocateFinal("late")
      if (sum !== undefined) builder.entry(2, sum, 1)
      if (before !== undefined) builder.entry(2, before, -1)
      before = sum
      this.#endRow(isLast ? rowDefines.nothing : rowDefines.product)
    }
    invariant(factors.length > 0 || (y.step ?? y.constant) === undefined, "a product of nothing")
  }

  /** Horner's rule, for coefficients from that of the constant term on. */
  #evaluate(coefficients: readonly (WireLc | undefined)[], by: number): Evaluated {
    let step: number | undefined
    for (let i = coefficients.length - 1; i > 0; i--) {
      if (step === undefined && coefficients[i] === undefined) continue
      this.#side(0, { constant: coefficients[i], step })
      step = this.#define(by)
    }
    return { constant: coefficients[0], step }
  }

  #power(exponent: number): number {
    for (const power of powersFor(exponent)) {
      if (this.#powers.has(power)) continue
      // the one that it is made of is twice in an even one
      const half = power % 2 === 0 ? power / 2 : power - 1
      this.#builder.entry(0, this.#wireOf(half), 1)
      this.#powers.set(power, this.#define(this.#wireOf(power - half)))
    }
    return this.#wireOf(exponent)
  }

  #wireOf(power: number): number {
    const wire = this.#powers.get(power)
    invariant(wire !== undefined, `c^${power} has no wire`)
    return wire
  }

  #side(side: number, { constant, step }: Evaluated): void {
    const { wires, coefficients } = constant ?? { wires: [], coefficients: [] }
    for (let j = 0; j < wires.length; j++) this.#builder.entry(side, wires[j], coefficients[j])
    if (step !== undefined) this.#builder.entry(side, step, 1)
  }

  /** Ends a row whose side A is there: times a wire, it is a new one. */
  #define(by: number): number {
    const target = this.#builder.allocateFinal("late")
    this.#builder.entry(1, by, 1)
    this.#builder.entry(2, target, 1)
    this.#endRow(rowDefines.product)
    return target
  }

  #endRow(defines: number): void {
    this.#rows.push(this.#builder.rows)
    this.#defines.push(defines)
    this.#builder.endRow()
  }
}
