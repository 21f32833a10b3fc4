/**
 * Domains: the points that the rows of a circuit are on, the sizes that transforms come in, and the roots of unity.
 *
 * A domain of one coset is the group of the n-th roots of unity of the scalar field, n = 2^k, 3·2^k or 9·2^k with k ≥ 1:
 * r − 1 = 2^28·9·…, and the proof costs what the domain costs, so sizes between the powers of two pay. The
 * root of order n is 5^((r−1)/n): 5 generates the multiplicative group, and for powers of two these are the
 * roots that snarkjs uses. The quotient is evaluated on its coset, the "odd" one, η·ω^k with
 * η = 5^((r−1)/2n), so η² = ω and η^n = −1.
 *
 * A domain of two cosets has n = n₁ + n₂ points, both sizes such as above, n₂ a divisor of n₁/2. With ω₁, η, g of order
 * n₁, 2n₁, 4n₁ and ω₂, η₂ of order n₂, 2n₂,
 *
 *     rows      D = ⟨ω₁⟩ ∪ g⟨ω₂⟩          quotient   E = η⟨ω₁⟩ ∪ gη₂⟨ω₂⟩
 *
 * On ⟨ω₁⟩, η⟨ω₁⟩ and the two cosets of ⟨ω₂⟩ the value of X^n₁ is 1, −1 and i = g^n₁, a root of −1, and on these two X^n₂
 * is G = g^n₂ and −G. So the 2n points are distinct, D is where Z = (X^n₁ − 1)(X^n₂ − G) vanishes and E where
 * (X^n₁ + 1)(X^n₂ + G) does. Which two sizes a sum is of follows from it (`cosetsOf`), so a domain is named by its size.
 */
import { invariant } from "../../errors.js"
import { inverse, inverseAll, mod, power, r } from "../../field.js"

/** Generator of the multiplicative group of the scalar field. */
const generator = 5n
/** Odd parts a domain may have. */
const oddParts = [1, 3, 9]
/** η has order 2n, and 2^28 is the largest power of two that divides r − 1. */
const largestPower = 2 ** 27

/** Primitive root of unity of the given order. */
export function rootOfUnity(order: number): bigint {
  const [quotient, rest] = [(r - 1n) / BigInt(order), (r - 1n) % BigInt(order)]
  invariant(order > 0 && rest === 0n, `the field has no root of unity of order ${order}`)
  return power(generator, quotient)
}

/** ω of a domain of n points. */
export const domainRoot = (n: number): bigint => rootOfUnity(n)

/** η of the odd coset of a domain of n points: a square root of ω. */
export const cosetRoot = (n: number): bigint => rootOfUnity(2 * n)

/** The power of two and the odd part of the size of one coset; undefined if n is none. */
export function domainShape(n: number): { bits: number; odd: number } | undefined {
  for (const odd of oddParts) {
    const bits = Math.log2(n / odd)
    if (Number.isInteger(bits) && bits >= 1 && n / odd <= largestPower) return { bits, odd }
  }
  return undefined
}

/** Sizes of domains of one coset in rising order, up to the first one that is at least `rows`. */
export function domainSizes(rows: number): number[] {
  const sizes = oddParts.flatMap((odd) => {
    const multiples = [2 * odd]
    for (let n = 2 * odd; n < rows && n / odd < largestPower; ) multiples.push((n *= 2))
    return multiples
  })
  sizes.sort((a, b) => a - b)
  const last = sizes.findIndex((n) => n >= rows)
  invariant(last >= 0, `no domain has ${rows} points`)
  return sizes.slice(0, last + 1)
}

/** Least size of a domain of one coset with at least `rows` points. */
export const domainSize = (rows: number): number => domainSizes(rows).at(-1) as number

/** Points shift·ω^i, i < size, ω of order `size`. */
export interface Coset {
  readonly size: number
  readonly shift: bigint
}

/** n₁ is at most so many times n₂: what more would save is less than what a second transform costs. */
const mostRatio = 64

/** The sizes of the cosets of a domain of n points, the largest n₁ that there is; undefined if there is none. */
export function cosetSizes(n: number): readonly number[] | undefined {
  if (domainShape(n)) return [n]
  // n₁ is more than half of n, so for each odd part there is one to try
  const firsts = oddParts.map((odd) => odd * 2 ** Math.floor(Math.log2(n / odd)))
  const first = Math.max(...firsts.filter((size) => isPair(size, n - size)))
  return Number.isFinite(first) ? [first, n - first] : undefined
}

/** Whether there is a domain of two cosets of these sizes; the field has roots of order 4·first. */
const isPair = (first: number, second: number): boolean =>
  second > 0 &&
  (first / second) % 2 === 0 &&
  first / second <= mostRatio &&
  domainShape(2 * first) !== undefined &&
  domainShape(second) !== undefined

/** Cosets of a domain of n points: those that rows are on, one behind the other, and those of the quotient. */
export function cosetsOf(n: number): {
  readonly rows: readonly Coset[]
  readonly quotient: readonly Coset[]
} {
  const sizes = cosetSizes(n)
  invariant(sizes, `${n} is no size of a domain`)
  const rows = sizes.map((size, i) => ({ size, shift: i === 0 ? 1n : rootOfUnity(4 * sizes[0]) }))
  return { rows, quotient: rows.map(({ size, shift }) => ({ size, shift: (shift * cosetRoot(size)) % r })) }
}

/** The size of the cheapest domain with at least `rows` points. */
export function fittingDomain(rows: number): number {
  const single = domainSize(rows)
  const sums = domainSizes(single).flatMap((first) => {
    const seconds = domainSizes(first).filter((second) => isPair(first, second))
    return seconds.map((second) => first + second)
  })
  return sums.reduce((least, n) => (n >= rows && n < least ? n : least), single)
}

/**
 * Coefficients of the polynomial of degree below the number of points that is, on each of one or two cosets, the
 * polynomial with these coefficients, of degree below that coset's size. For a on n₁ points, m on n₂: a + (X^n₁ − u)·q,
 * with u = X^n₁ on the first coset, w on the second, and q = (m − a)/(w − u) there, modulo what vanishes there.
 */
export function joinCosets(
  cosets: readonly Coset[],
  [first, second]: readonly (readonly bigint[])[],
): readonly bigint[] {
  if (second === undefined) return first
  const [u, w] = cosets.map(({ shift }) => power(shift, BigInt(cosets[0].size)))
  const scale = inverse(mod(w - u))
  const quotient = foldInto(cosets[1], first).map((value, k) => mod((second[k] - value) * scale))
  const low = quotient.map((value, k) => mod(first[k] - u * value))
  return [...low, ...first.slice(low.length), ...quotient]
}

/** Coefficients modulo the polynomial that vanishes on a coset. */
export function foldInto({ size, shift }: Coset, coefficients: readonly bigint[]): bigint[] {
  const folded = coefficients.slice(0, size)
  const turn = power(shift, BigInt(size))
  for (let from = size, by = turn; from < coefficients.length; from += size, by = (by * turn) % r) {
    for (let k = 0; k < size && from + k < coefficients.length; k++)
      folded[k] = (folded[k] + by * coefficients[from + k]) % r
  }
  return folded
}

/**
 * L_i(τ) = (τ^n − 1)/n · ω^i / (τ − ω^i) for i = offset, offset + stride, … over the n-th roots of unity;
 * τ must not be one of them, and stride divides n.
 */
export function lagrangeBasis(n: number, tau: bigint, offset = 0, stride = 1): bigint[] {
  invariant(n % stride === 0, `stride ${stride} does not divide ${n}`)
  const omega = domainRoot(n)
  const step = power(omega, BigInt(stride))
  const factor = ((power(tau, BigInt(n)) - 1n + r) * inverse(BigInt(n))) % r
  invariant(factor !== 0n, "the evaluation point is a root of unity")
  const count = n / stride
  const numerators = new Array<bigint>(count)
  const result = new Array<bigint>(count)
  let x = power(omega, BigInt(offset))
  for (let i = 0; i < count; i++) {
    numerators[i] = (factor * x) % r
    result[i] = tau - x + (tau < x ? r : 0n)
    x = (x * step) % r
  }
  inverseAll(result)
  for (let i = 0; i < count; i++) result[i] = (result[i] * numerators[i]) % r
  return result
}
