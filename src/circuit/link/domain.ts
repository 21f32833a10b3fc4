/**
 * Domains: the sizes that transforms come in, the roots of unity, and the Lagrange basis at a point.
 *
 * A domain is the group of the n-th roots of unity of the scalar field, n = 2^k, 3·2^k or 9·2^k with k ≥ 1:
 * r − 1 = 2^28·9·…, and the proof costs what the domain costs, so sizes between the powers of two pay. The
 * root of order n is 5^((r−1)/n): 5 generates the multiplicative group, and for powers of two these are the
 * roots that snarkjs uses. The coset on which the quotient is evaluated, the "odd" one, is η·ω^k with
 * η = 5^((r−1)/2n), so η² = ω and η^n = −1.
 */
import { invariant } from "../../errors.js"
import { inverse, inverseAll, power, r } from "../../field.js"

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

/** The power of two and the odd part of a domain size; undefined if n is none. */
export function domainShape(n: number): { bits: number; odd: number } | undefined {
  for (const odd of oddParts) {
    const bits = Math.log2(n / odd)
    if (Number.isInteger(bits) && bits >= 1 && n / odd <= largestPower) return { bits, odd }
  }
  return undefined
}

/** Sizes of domains in rising order, up to the first one that is at least `rows`. */
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

/** Least size of a domain with at least `rows` points. */
export const domainSize = (rows: number): number => domainSizes(rows).at(-1) as number

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
