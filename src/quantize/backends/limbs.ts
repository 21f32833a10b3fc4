/**
 * Integers in float32. It holds every integer to 2^24 and so any sum of them is exact, in whatever order it is added up,
 * as long as the magnitudes of what is added stay within 2^24 together. Accumulators of a model may have 52 bits. So
 * weights, activations or both are cut into limbs, x = Σ_i 2^(b·i)·x_i with |x_i| < 2^b and the sign of x on each, few
 * enough that Σ|w_i|·|x_j| stays within 2^24 by the static bounds of the model; every pair of limbs is multiplied on the
 * device, and the results are put together in doubles. Since Σ_i 2^(b·i)·|x_i| = |x|, no partial sum of that exceeds what bounds.ts
 * asks of the whole: Σ|w|·|x| ≤ 2^52.
 */

/** Magnitude to which float32 holds every integer. */
export const exactLimit = 2 ** 24

/** How numbers are cut. */
export interface Limbs {
  readonly count: number
  /** Bits of each. */
  readonly bits: number
}

/** Limb `i` of x, of its sign. */
export function limbOf(x: number, { bits }: Limbs, i: number): number {
  const rest = Math.trunc(x / 2 ** (bits * i))
  return rest - Math.trunc(rest / 2 ** bits) * 2 ** bits
}

/** The most that limb `i` of numbers up to a magnitude can be. */
export const mostOfLimb = (most: number, { bits }: Limbs, i: number): number =>
  Math.min(Math.floor(most / 2 ** (bits * i)), 2 ** bits - 1)

/** Bits of a magnitude. */
const bitsOf = (most: number): number => {
  let bits = 1
  while (2 ** bits <= most) bits++
  return bits
}

/** Numbers of limbs of weights and of sources, by the work that they are; both devices and loops are faster beyond. */
const counts = [
  [1, 1],
  [2, 1],
  [1, 2],
  [3, 1],
  [1, 3],
  [2, 2],
  [4, 1],
  [3, 2],
  [2, 3],
  [4, 2],
  [3, 3],
] as const

export interface Split {
  readonly weights: Limbs
  readonly sources: Limbs
}

/**
 * The split of least work in which no sum exceeds float32; undefined if there is none of so few limbs.
 * `peak` is the largest Σ|w_i|·|x_j| of any output and any two limbs; `operandBits`, what a factor may have for products to be exact.
 */
export function splitFor(
  most: { readonly weights: number; readonly sources: number },
  operandBits: number,
  peak: (split: Split) => number,
): Split | undefined {
  for (const [p, q] of counts) {
    const weights = { count: p, bits: Math.ceil(bitsOf(most.weights) / p) }
    const sources = { count: q, bits: Math.ceil(bitsOf(most.sources) / q) }
    if (Math.max(weights.bits, sources.bits) > operandBits) continue
    if (peak({ weights, sources }) <= exactLimit) return { weights, sources }
  }
  return undefined
}

/** One limb: numbers as they are. */
export const whole: Split = { weights: { count: 1, bits: 52 }, sources: { count: 1, bits: 52 } }
