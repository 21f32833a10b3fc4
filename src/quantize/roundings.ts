/**
 * Roundings to integers that a model has of its own (QuantizeLinear and its kin). The result keeps these integers, with
 * scale 1 whatever the precision: one accumulator of everything since the last rounding, with as many fractional bits as
 * make the error of its integer weights 2^−15 of a step (rms), and one rescale. So the integers differ from those of
 * exact arithmetic only where it comes as near to a half as that, and at halves: the model takes the even neighbour,
 * a rescale the upper one.
 */

import { weightsOf } from "../ops/linearmap.js"
import {
  type LinearNode,
  type Origin,
  type RoundNode,
  sizeOf,
  type TensorId,
  type TensorInfo,
} from "../ops/program.js"
import { diagonalMap, diagonalOf } from "../ops/scaling.js"
import type { Range } from "./calibration/calibrate.js"
import { fitted, type Sum } from "./fit.js"
import type { IntBuilder } from "./intbuilder.js"
import { hull, sumLimit } from "./integers/bounds.js"
import { addDenominator, type Operand } from "./quotients.js"
import { atShift, largestFactor, roundingError, type ScaledTerm, type Shifted } from "./scales.js"

/** Error of a rounded sum in steps (rms), and relative difference below which a factor is an integer. */
const tolerance = 2 ** -15
const noise = 1e-9

/** What is rounded: a sum, or the quotient of two operands. */
export type Rounded = { readonly sum: Sum } | { readonly operands: readonly Operand[] }

/** Adds a rounding. Throws ModelError for integers beyond 52 bits. */
export function addRounding(
  builder: IntBuilder,
  node: RoundNode,
  info: TensorInfo,
  range: Range,
  of: Rounded,
): TensorId {
  const { lo, hi, origin } = node
  if (lo === hi) return builder.constant(lo, info, range, origin)
  if ("sum" in of) return addRoundedSum(builder, node, info, range, of.sum)
  const [numerator, denominator] = of.operands
  return addRoundedQuotient(builder, node, numerator, denominator, info, range)
}

function addRoundedSum(
  builder: IntBuilder,
  { lo, hi, origin }: RoundNode,
  info: TensorInfo,
  range: Range,
  sum: Sum,
): TensorId {
  const { bias } = sum.node
  const size = sizeOf(info.shape)
  const exact = sum.terms(new Set())
  const isExact = isWhole(exact, bias)
  if (isExact) {
    const { node, bounds, peak } = builder.draft({ terms: exact, bias, scale: 1, rounding: 0 }, origin, size)
    if (peak <= sumLimit && bounds.lo.every((x) => x >= lo) && bounds.hi.every((x) => x <= hi))
      return identityOf(builder, exact, bias, size) ?? builder.add(node, info, 1, range, bounds)
  }
  const w = builder.precision
  const { draft, bounds, accumulator } = fitted<Shifted>(
    builder,
    sum,
    sumLimit,
    (terms) => (isWhole(terms, bias) ? atShift(terms, bias, 1, 1) : fineShift(terms, bias, w)),
    (tried) => (tried.shift > w ? atShift(tried.terms, bias, 1, tried.shift - w) : undefined),
    ({ shift }) => -lo * 2 ** shift,
  )
  const named = { ...info, name: `${info.name}:acc` }
  const source = builder.add(draft, named, accumulator.scale, range, bounds)
  const bits = Math.max(1, Math.ceil(Math.log2(hi - lo + 1)))
  const { shift } = accumulator
  const made = builder.add({ kind: "rescale", source, shift, lo, bits, origin }, info, 1, range)
  return within(builder, made, Number.NEGATIVE_INFINITY, hi, info, range, origin)
}

/** Integers in [lo, hi]: a window has a power of two of them, so each end that can be passed takes one. */
function within(
  builder: IntBuilder,
  source: TensorId,
  lo: number,
  hi: number,
  info: TensorInfo,
  range: Range,
  origin: Origin,
): TensorId {
  const [least, most] = hull(builder.tensors[source])
  const cut = (from: TensorId, start: (bits: number) => number, width: number) => {
    const bits = Math.max(1, Math.ceil(Math.log2(width)))
    const doubled = builder.multiply(from, 2, origin)
    const node = { kind: "rescale", source: doubled, shift: 1, lo: start(bits), bits, origin } as const
    return builder.add(node, info, 1, range)
  }
  if (least < lo && most > hi && Number.isInteger(Math.log2(hi - lo + 1)))
    return cut(source, () => lo, hi - lo + 1)
  const raised = least < lo ? cut(source, () => lo, most - lo + 1) : source
  if (most <= hi) return raised
  return cut(raised, (bits) => hi - 2 ** bits + 1, hi - Math.max(least, lo) + 1)
}

/** Integers of numerator and denominator brought to one scale, and their rounded quotient. */
function addRoundedQuotient(
  builder: IntBuilder,
  { lo, hi, origin }: RoundNode,
  numerator: Operand,
  denominator: Operand,
  info: TensorInfo,
  range: Range,
): TensorId {
  const { den, signed } = addDenominator(builder, denominator, info.name, origin)
  const factors = (num: TensorId) => {
    const [m, n] = fraction(builder.tensors[num].scale / builder.tensors[den].scale)
    return { num, m, n, peak: 2 * m * builder.reach(num) + 2 * n * builder.reach(den) }
  }
  const first = factors(numerator.whole())
  const { num, m, n } = first.peak > sumLimit / 2 ? factors(numerator.narrow()) : first
  const dividend = signed(builder.multiply(num, m, origin))
  const divisor = builder.multiply(den, n, origin)
  const node = { kind: "quotient", numerator: dividend, denominator: divisor, origin } as const
  const named = { ...info, name: `${info.name}:quotient` }
  return within(builder, builder.add(node, named, 1, range), lo, hi, info, range, origin)
}

/** Largest denominator of a ratio of scales. */
const mostDenominator = 2 ** 12

/** A fraction of two integers near a number above zero: exactly that one, if its denominator is small. */
function fraction(ratio: number): [numerator: number, denominator: number] {
  for (let n = 1; n < mostDenominator; n++)
    if (isNear(ratio * n) && Math.round(ratio * n) > 0) return [Math.round(ratio * n), n]
  const n = Math.max(mostDenominator, Math.ceil(mostDenominator / ratio))
  return [Math.round(ratio * n), n]
}

const isNear = (x: number): boolean =>
  Math.abs(x - Math.round(x)) <= noise * Math.max(1, Math.abs(x)) && (x === 0 || Math.round(x) !== 0)

/** Whether all weights are integers, as are their sources. */
const isWhole = (terms: readonly ScaledTerm[], bias: Float64Array | undefined): boolean =>
  terms.every(({ map, scale }) => weightsOf(map).every((w) => isNear(w * scale))) &&
  (bias?.every((b) => isNear(b) || Math.abs(b) < noise) ?? true)

/** The tensor that a sum only repeats. */
function identityOf(
  builder: IntBuilder,
  terms: readonly ScaledTerm[],
  bias: Float64Array | undefined,
  size: number,
): TensorId | undefined {
  if (terms.length !== 1 || bias?.some((b) => Math.abs(b) >= 0.5)) return undefined
  const [{ source, map, scale }] = terms
  const factors = diagonalOf(map)
  const isSame = factors?.length === size && sizeOf(builder.tensors[source].shape) === size
  return isSame && scale === 1 && factors.every((f) => Math.round(f) === 1) ? source : undefined
}

/** The smallest shift, a multiple of w, at which the weights are as fine as the tolerance asks. */
function fineShift(terms: readonly ScaledTerm[], bias: Float64Array | undefined, w: number): Shifted {
  let tried = atShift(terms, bias, 1, w)
  for (let shift = 2 * w; shift <= 48; shift += w) {
    const limit = tolerance / tried.scale
    if (largestFactor(terms) === 0 || roundingError(terms, bias, tried.scale, limit) <= limit) break
    tried = atShift(terms, bias, 1, shift)
  }
  return tried
}

/** A tensor as a sum of itself. */
export const sumOfOne = (source: TensorId, size: number, { origin }: RoundNode): LinearNode => ({
  kind: "linear",
  out: source,
  terms: [{ source, map: diagonalMap(new Float64Array(size).fill(1)) }],
  origin,
})
