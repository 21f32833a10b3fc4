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
import type { Provenance } from "./provenance.js"
import {
  type Accumulator,
  atShift,
  type Hidden,
  largestFactor,
  type ScaledTerm,
  type Shifted,
} from "./scales.js"

/** The largest integer that a weight of w bits may be. */
const topOf = (precision: number): number => 2 ** (precision - 1) - 1

/** Largest |W|·s_in of the secret terms. */
const secretFactor = (terms: readonly ScaledTerm[], { terms: made }: Provenance): number =>
  largestFactor(terms.filter((_, t) => made[t]))

/** Shifts that an accumulator may have. */
const [leastShift, mostShift] = [1, 36]

/** The accumulator of an activation of scale `wanted`: the largest shift at which no weight needs more than w bits. */
export function secretShift(
  terms: readonly ScaledTerm[],
  bias: Float64Array | undefined,
  wanted: number,
  precision: number,
  hidden: Hidden,
): Shifted {
  const factor = secretFactor(terms, hidden)
  const finest = factor > 0 ? Math.floor(Math.log2((wanted * topOf(precision)) / factor)) : precision
  const shift = Math.min(Math.max(finest, leastShift), mostShift)
  return { ...atShift(terms, bias, wanted, shift), hidden }
}

/** The accumulator of a node that nothing rescales. */
export function secretWide(
  terms: readonly ScaledTerm[],
  bias: Float64Array | undefined,
  range: Range,
  precision: number,
  hidden: Hidden,
): Accumulator {
  const unit = (Math.max(-range.min, range.max) || 1) / 2 ** precision
  const finest = secretFactor(terms, hidden) / topOf(precision) || unit
  const scale = unit * 2 ** Math.ceil(Math.log2(finest / unit))
  return { terms, bias, scale, rounding: 0, hidden }
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
    const room = roomForPairs(productsOfPairs(dense, weights), distance, rounding)
    return { weights, bias: { ...room, count: dense.m, inner: 1 }, of }
  }
  return {
    weights,
    ...(bias && shared && { bias: { ...windowOf(bias, precision, rounding), ...shared } }),
    of,
  }
}

/** Of at least so many bits, around a centre. */
function windowOf(values: Float64Array, least: number, centre: number): Window {
  let bits = least
  for (const x of values) while (x - centre < -(2 ** (bits - 1)) || x - centre >= 2 ** (bits - 1)) bits++
  return { lo: centre - 2 ** (bits - 1), bits }
}
