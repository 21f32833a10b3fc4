/**
 * Integers of linear nodes whose weights are secret. Weights have w bits and a sign, whatever they are, and so that bounds
 * follow from that alone the scale of an accumulator is chosen by the largest of them. Scales and ranges are public: to say
 * as little as possible, a shift and a range are powers of two, which leave the largest weight and the largest bias of a node
 * unknown within a factor of two.
 */
import { weightsOf } from "../ops/linearmap.js"
import type { LinearNode, Secret, Window } from "../ops/program.js"
import type { Range } from "./calibration/calibrate.js"
import { denseTerms, productsOfPairs, roomForPairs } from "./integers/pairs.js"
import {
  type Accumulator,
  atShift,
  chooseShift,
  type Hidden,
  largestFactor,
  longestRow,
  roundingError,
  type ScaledTerm,
  type Shifted,
  weightTolerance,
  wideScale,
} from "./scales.js"

/** The largest integer that a weight of w bits is: another training may have some that are larger by an eighth. */
const topOf = (precision: number): number => (2 ** (precision - 1) - 1) * (8 / 9)

/** How much larger the biases of another training may be: a bit of a bias costs nearly nothing. */
const biasRoom = 2

/** Shifts that an accumulator may have. */
const [leastShift, mostShift] = [1, 36]

/** Bits that weights may do without. */
const mostSpared = 2

/**
 * What rounding all weights of an accumulator adds to a result, in its integers: root of the mean square, for weights whose
 * roundings are anything up to one half.
 */
function expectedError(terms: readonly ScaledTerm[]): number {
  let square = 0
  for (const { map, rms, scale } of terms) square += (longestRow(map) / 12) * (rms / scale) ** 2
  return Math.sqrt(square)
}

/** Factors by which a scale may give way, so that public coefficients come near to integers. */
const stretches = Array.from({ length: 33 }, (_, k) => 1 + k / 64)

/** Largest |W|·s_in of the secret terms, and the public ones. */
function split(terms: readonly ScaledTerm[], { terms: made }: Hidden) {
  return {
    factor: largestFactor(terms.filter((_, t) => made[t])),
    open: terms.filter((_, t) => !made[t]),
  }
}

/**
 * The accumulator of an activation of scale `wanted`: the largest shift at which no weight needs more than w bits. The scale
 * gives way to coefficients that are public, unless it is `fixed`; and if that is not enough, weights get more bits.
 */
export function secretShift(
  terms: readonly ScaledTerm[],
  bias: Float64Array | undefined,
  wanted: number,
  precision: number,
  fixed: boolean,
  hidden: Hidden,
): Shifted {
  const { factor, open } = split(terms, hidden)
  const made = (scale: number, shift: number) => ({ ...atShift(terms, bias, scale, shift), hidden })
  if (factor === 0) {
    const { scale, shift } = chooseShift(open, undefined, wanted, precision, fixed)
    return made(scale * 2 ** shift, shift)
  }
  const finest = Math.floor(Math.log2((wanted * topOf(precision)) / factor))
  // what is shifted by w is looked up in one piece
  const spares = finest - precision <= mostSpared && expectedError(terms) <= weightTolerance * 2 ** precision
  const chosen = finest > precision && spares ? precision : finest
  let shift = Math.min(Math.max(chosen, leastShift), mostShift)
  for (; shift < mostShift; shift++) {
    const most = weightTolerance * 2 ** shift
    for (const stretch of fixed ? [1] : stretches)
      if (roundingError(open, undefined, (wanted * stretch) / 2 ** shift, most) <= most)
        return made(wanted * stretch, shift)
  }
  return made(wanted, shift)
}

/** The accumulator of a node that nothing rescales. */
export function secretWide(
  terms: readonly ScaledTerm[],
  bias: Float64Array | undefined,
  range: Range,
  precision: number,
  hidden: Hidden,
): Accumulator {
  const { factor, open } = split(terms, hidden)
  const made = (scale: number) => ({ terms, bias, scale, rounding: 0, hidden })
  if (factor === 0) return made(wideScale(open, undefined, range, precision))
  const reach = Math.max(-range.min, range.max) || factor * 2 ** precision
  const finest = factor / topOf(precision)
  // of weights the largest is known within a factor of two
  let scale = reach * 2 ** Math.ceil(Math.log2(finest / reach))
  const allowed = reach / 2 ** (precision + 2)
  for (let finer = 0; finer < precision; finer++, scale /= 2)
    for (const stretch of stretches) {
      const most = allowed / (scale * stretch)
      if (roundingError(open, undefined, scale * stretch, most) <= most) return made(scale * stretch)
    }
  return made(scale)
}

/** What an integer node keeps to itself, with ranges that what it has lies in. */
export function secretOf(
  { terms, bias }: Pick<LinearNode, "terms" | "bias">,
  { terms: made, bias: shared, of }: Hidden,
  precision: number,
  rounding: number,
): Secret {
  const weights = terms.map(({ map }, t) => (made[t] ? windowOf(weightsOf(map), precision, 0) : undefined))
  const dense = denseTerms({ terms }, weights)
  const isByColumn =
    !shared || shared.count === 1 || (shared.inner === 1 && (dense?.m ?? 1) % shared.count === 0)
  if (dense && (dense.n === 1 || isByColumn)) {
    // its bias is private also where the model has none: proofs take something from it that nobody may know
    let distance = 0
    for (const b of bias ?? [0]) distance = Math.max(distance, Math.abs(b - rounding))
    const room = roomForPairs(productsOfPairs(dense, weights), biasRoom * distance, rounding)
    return { weights, bias: { ...room, count: dense.m, inner: 1 }, of }
  }
  return {
    weights,
    ...(bias && shared && { bias: { ...windowOf(bias, precision, rounding, biasRoom), ...shared } }),
    of,
  }
}

/** Of at least so many bits, around a centre; with room for numbers that are `room` times as far from it. */
function windowOf(values: Float64Array, least: number, centre: number, room = 1): Window {
  let bits = least
  for (const x of values) {
    const distance = room * (x - centre)
    while (distance < -(2 ** (bits - 1)) || distance >= 2 ** (bits - 1)) bits++
  }
  return { lo: centre - 2 ** (bits - 1), bits }
}
