/**
 * Rows of polynomials in the challenge, as circuits with private weights have them. A wire is a polynomial in c if the one row
 * that defines it, before any that uses it, makes it A · B plus such polynomials, where A and B are sums of these, of c, and
 * of wires that are fixed before c. Nothing is ever divided, so each has a degree, and coefficients that are fixed before c:
 * an equation of two of them that are not the same holds for at most as many challenges as its degree.
 */
import { CHALLENGE } from "./wires.js"

/** Terms of a side of a row. */
type Terms = readonly (readonly [wire: number, coefficient: bigint])[]

/** Degrees that together leave every equation sound: far below 2^-150 of the field. */
const mostDegree = 2 ** 40

export class Polynomials {
  readonly #degrees = new Map<number, number>()
  readonly #used = new Set<number>()
  /** Of all equations together. */
  degree = 0

  constructor(
    private readonly isCommitted: (wire: number) => boolean,
    private readonly isFinal: (wire: number) => boolean,
    private readonly refuse: (row: number, why: string) => never,
  ) {}

  /** Wires that are polynomials. */
  get count(): number {
    return this.#degrees.size
  }

  has(wire: number): boolean {
    return this.#degrees.has(wire)
  }

  /** A row that says a · b = c. */
  take(row: number, a: Terms, b: Terms, c: Terms): void {
    const product = this.#sum(row, a) + this.#sum(row, b)
    const made = c.filter(([wire]) => this.isFinal(wire) && !this.#degrees.has(wire))
    const rest = this.#sum(
      row,
      c.filter((term) => !made.includes(term)),
    )
    const degree = Math.max(product, rest)
    if (made.length === 0) {
      this.degree += degree
      if (!(this.degree <= mostDegree)) this.refuse(row, "its degree is too large")
      return
    }
    const [[wire, coefficient]] = made
    if (made.length > 1 || coefficient !== 1n) this.refuse(row, "it defines no wire, or several")
    this.#degrees.set(wire, degree)
  }

  /** The degree of a sum of what there is already. */
  #sum(row: number, terms: Terms): number {
    let degree = 0
    for (const [wire] of terms) {
      if (this.isCommitted(wire)) continue
      const own = wire === CHALLENGE ? 1 : this.#degrees.get(wire)
      if (own === undefined) this.refuse(row, `wire ${wire} is no polynomial in the challenge`)
      if (wire !== CHALLENGE) this.#used.add(wire)
      degree = Math.max(degree, own ?? 0)
    }
    return degree
  }

  /** Whatever was defined must say something. */
  finish(rows: number): void {
    for (const wire of this.#degrees.keys())
      if (!this.#used.has(wire)) this.refuse(rows, `polynomial ${wire} is not used`)
  }
}
