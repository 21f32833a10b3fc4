/**
 * Lagrange polynomials of a domain (circuit/link/domain.ts) at one point τ. Over several cosets that of a point x of
 * one of them is that of its coset, times V(τ)/V(x), V the polynomial that vanishes on the others. With Z and Z̄
 * vanishing on the rows' points D and on the quotient's E, Z·Z̄ vanishes on D ∪ E, and the Lagrange polynomials over
 * all of these are
 *
 *     of a point e of E   L_e over E, times Z(τ)/Z(e)
 *     of a point d of D   L_d over D, times Z̄(τ)/Z̄(d)
 */
import { type Coset, cosetsOf, lagrangeBasis, rootOfUnity } from "../circuit/link/domain.js"
import { invariant } from "../errors.js"
import { inverse, inverseAll, mod, power, r } from "../field.js"

/** What vanishes on cosets, at x: the product of X^size − shift^size. */
const vanishing = (cosets: readonly Coset[], x: bigint): bigint =>
  cosets.reduce((product, { size, shift }) => {
    return (product * mod(power(x, BigInt(size)) - power(shift, BigInt(size)))) % r
  }, 1n)

/** 1/V(x) at the points x of a coset, V what vanishes on others: they repeat, because all sizes divide the largest. */
function inversesOn({ size, shift }: Coset, others: readonly Coset[]): bigint[] {
  const count = size / Math.min(size, ...others.map((other) => other.size))
  const omega = rootOfUnity(size)
  const values = new Array<bigint>(count)
  for (let i = 0, x = shift; i < count; i++, x = (x * omega) % r) values[i] = vanishing(others, x)
  invariant(!values.includes(0n), "cosets have no point in common")
  inverseAll(values)
  return values
}

/** V(τ)/V(x) there. */
function ratios(coset: Coset, others: readonly Coset[], tau: bigint): bigint[] {
  const at = vanishing(others, tau)
  return inversesOn(coset, others).map((value) => (value * at) % r)
}

/** 1/V at the points of rows or of the quotient of a domain of n points, V what vanishes on all the others. */
export function inversesAt(n: number, where: "rows" | "quotient"): (point: number) => bigint {
  const cosets = cosetsOf(n)
  const others = cosets[where === "rows" ? "quotient" : "rows"]
  return valueAt(
    cosets[where],
    cosets[where].map((coset) => inversesOn(coset, others)),
  )
}

/** Values at the points of cosets, one behind the other, of lists that repeat. */
function valueAt(
  [first]: readonly Coset[],
  lists: readonly (readonly bigint[])[],
): (point: number) => bigint {
  return (point) => {
    const [list, place] = point < first.size ? [lists[0], point] : [lists[1], point - first.size]
    return list[place % list.length]
  }
}

/** Numbers for the points x of a coset: factors[i mod how many they are] · x / (τ − x) for number i. */
export interface CosetValues {
  readonly coset: Coset
  readonly factors: readonly bigint[]
}

/** L_x(τ) as x / (τ − x) times factors: those of a coset alone are (τ^n/shift^n − 1)/n · x / (τ − x). */
const valuesOf = (cosets: readonly Coset[], tau: bigint, others: readonly Coset[] = []): CosetValues[] =>
  cosets.map((coset) => {
    const { size, shift } = coset
    const n = BigInt(size)
    const scale = ((power((tau * inverse(shift)) % r, n) - 1n + r) * inverse(n)) % r
    const rest = [...cosets.filter((other) => other !== coset), ...others]
    const factors = rest.length === 0 ? [1n] : ratios(coset, rest, tau)
    return { coset, factors: factors.map((factor) => (factor * scale) % r) }
  })

/** What `rowBasis`, `quotientBasis` and the products of `rowBasis` and `productFactors` are. */
export function basisValues(
  n: number,
  tau: bigint,
): Readonly<Record<"rows" | "quotient" | "products", CosetValues[]>> {
  const { rows, quotient } = cosetsOf(n)
  const ofRows = valuesOf(rows, tau)
  const products = ofRows.map(({ coset, factors }): CosetValues => {
    const own = ratios(coset, quotient, tau)
    // the period of one divides that of the other
    const period = Math.max(own.length, factors.length)
    const both = Array.from({ length: period }, (_, i) => {
      return (factors[i % factors.length] * mod(own[i % own.length] - 1n)) % r
    })
    return { coset, factors: both }
  })
  return { rows: ofRows, quotient: valuesOf(quotient, tau, rows), products }
}

/** L_x(τ) for the points x of cosets, over these and others together. */
function basisOf(cosets: readonly Coset[], tau: bigint, others: readonly Coset[] = []): bigint[] {
  return cosets.flatMap((coset) => {
    const basis = lagrangeBasis(coset.size, (tau * inverse(coset.shift)) % r)
    const rest = [...cosets.filter((other) => other !== coset), ...others]
    if (rest.length === 0) return basis
    const factors = ratios(coset, rest, tau)
    return basis.map((value, i) => (value * factors[i % factors.length]) % r)
  })
}

/** L_d(τ) for every point d that rows of a domain of n points are on; τ must be none of them. */
export const rowBasis = (n: number, tau: bigint): bigint[] => basisOf(cosetsOf(n).rows, tau)

/** L_e(τ) over D ∪ E for every point e that the quotient is evaluated on; τ must be none of them. */
export function quotientBasis(n: number, tau: bigint): bigint[] {
  const { rows, quotient } = cosetsOf(n)
  return basisOf(quotient, tau, rows)
}

/** L_d over D ∪ E, less L_d over D, as a multiple of the latter, for every row: what side C adds to the quotient. */
export function productFactors(n: number, tau: bigint): (row: number) => bigint {
  const { rows, quotient } = cosetsOf(n)
  const factors = rows.map((coset) => ratios(coset, quotient, tau).map((value) => mod(value - 1n)))
  return valueAt(rows, factors)
}
