/**
 * Quotients and roots of activations in integers.
 *
 * A denominator is clamped from below at half of the least that the samples showed, and at 1: so none is zero, and
 * what a quotient can be is bounded by interval arithmetic. Where several numerators share a denominator, as in a
 * softmax or a normalization, it is divided by once: r = round(C / den), and each quotient is a product num · r. C is
 * such that the rounding of r moves no result by more than an eighth of a w-bit step. Alone, a quotient is
 * round(M · num / (N · den)), with whole M and N such that its step is at most one of w bits.
 */
import { ModelError } from "../errors.js"
import type { DivideNode, IndexNode, Origin, RootNode, TensorId, TensorInfo } from "../ops/program.js"
import { sizeOf } from "../ops/program.js"
import type { Range } from "./calibration/calibrate.js"
import type { IntBuilder } from "./intbuilder.js"
import { hull, sumLimit } from "./integers/bounds.js"

/** A real tensor as operand: what the samples showed of it, and its integers. */
export interface Operand {
  readonly range: Range
  readonly whole: () => TensorId
  /** The same in w bits. */
  readonly narrow: () => TensorId
}

/** Bits that a denominator keeps, beside the sign of nothing: more say nothing about a quotient of w bits. */
const denominatorBits = 24

/** Bits of a reciprocal beyond w, and of a root or denominator. */
const spareBits = 2

const reachOf = ({ min, max }: Range): number => Math.max(Math.abs(min), Math.abs(max))

/** What is divided, by what, and which result. */
export interface Division {
  readonly node: DivideNode
  readonly info: TensorInfo
  readonly range: Range
  readonly numerator: Operand
  readonly denominator: Operand
  /** If several elements have one denominator: all of them, and which is whose. */
  readonly shared?: { readonly denominator: Operand; readonly info: TensorInfo; readonly spread: IndexNode }
}

/** Adds a quotient. Throws ModelError where a denominator is not positive on the samples. */
export function addDivision(builder: IntBuilder, division: Division): TensorId {
  return division.shared
    ? addByReciprocal(builder, division, division.shared)
    : addQuotient(builder, division)
}

function addByReciprocal(
  builder: IntBuilder,
  { node: { origin }, info, range, numerator }: Division,
  { denominator, info: denInfo, spread }: NonNullable<Division["shared"]>,
): TensorId {
  const { precision } = builder
  const den = addDenominator(builder, denominator, denInfo, origin)
  const { scale } = builder.tensors[den]
  const [least, most] = hull(builder.tensors[den])
  const between: Range = {
    min: 1 / denominator.range.max,
    max: 1 / denominator.range.min,
    rms: 1 / denominator.range.rms,
  }
  const step = (reachOf(range) || 1) / (reachOf(numerator.range) || 1) / 2 ** (precision + spareBits)
  let num = numerator.whole()
  const limit = 2 ** (50 - precision)
  // what the product leaves room for: first a narrower numerator, then a coarser reciprocal
  const wanted = Math.ceil(1 / (scale * step))
  if (builder.reach(num) * (wanted / least) > limit) num = numerator.narrow()
  const dividend = Math.max(
    1,
    Math.min(wanted, Math.floor((limit / Math.max(1, builder.reach(num))) * least), sumLimit / 2 - most),
  )
  const reciprocal = builder.add(
    {
      kind: "quotient",
      numerator: addConstant(builder, Math.floor(dividend), denInfo, origin),
      denominator: den,
      origin,
    },
    { ...denInfo, name: `${info.name}:reciprocal` },
    1 / (Math.floor(dividend) * scale),
    between,
  )
  const right = builder.add(
    { kind: "index", sources: [reciprocal], map: spread.map, fill: 0, origin },
    { ...info, name: `${info.name}:reciprocals` },
    builder.tensors[reciprocal].scale,
    between,
  )
  const out = builder.tensors[num].scale * builder.tensors[right].scale
  return builder.add({ kind: "product", left: num, right, origin }, info, out, range)
}

function addQuotient(
  builder: IntBuilder,
  { node: { origin }, info, range, numerator, denominator }: Division,
): TensorId {
  const { precision } = builder
  const top = range.min < 0 ? 2 ** (precision - 1) - 1 : 2 ** precision - 1
  const wanted = (reachOf(range) || 1) / top
  let [num, den] = [numerator.whole(), addDenominator(builder, denominator, info, origin)]
  const factors = () => {
    const ratio = builder.tensors[num].scale / builder.tensors[den].scale / wanted
    const [m, n] = ratio >= 1 ? [Math.ceil(ratio), 1] : [1, Math.floor(1 / ratio)]
    return { m, n, peak: 2 * m * builder.reach(num) + 2 * n * builder.reach(den) }
  }
  if (factors().peak > sumLimit / 2) num = numerator.narrow()
  const { m, n } = factors()
  num = builder.multiply(num, m, origin)
  den = builder.multiply(den, n, origin)
  const scale = builder.tensors[num].scale / builder.tensors[den].scale
  return builder.add({ kind: "quotient", numerator: num, denominator: den, origin }, info, scale, range)
}

/** One integer for each element of a tensor. */
const addConstant = (builder: IntBuilder, value: number, info: TensorInfo, origin: Origin): TensorId =>
  builder.add(
    { kind: "linear", terms: [], bias: new Float64Array(sizeOf(info.shape)).fill(value), origin },
    { ...info, name: `${info.name}:dividend` },
    1,
    { min: value, max: value, rms: value },
  )

/** The denominator's integers, from half of the least that the samples showed on, and at least 1. */
function addDenominator(
  builder: IntBuilder,
  { range, whole }: Operand,
  info: TensorInfo,
  origin: Origin,
): TensorId {
  if (!(range.min > 0))
    throw new ModelError({
      what: `\`${origin.operator}\` divides by what is not positive on the samples`,
      where: `node \`${origin.name}\``,
      expected: "denominators above 0",
      given: `${range.min} to ${range.max}`,
      fix: "Keep its denominator away from zero, with a Clip or an added constant",
    })
  return bounded(
    builder,
    whole(),
    range.min / 2,
    1,
    denominatorBits,
    { ...info, name: `${info.name}:den` },
    origin,
  )
}

/** The tensor clamped below at `least` in real units, and at the integer `floor`, in at most so many bits. */
function bounded(
  builder: IntBuilder,
  source: TensorId,
  least: number,
  floor: number,
  bits: number,
  info: TensorInfo,
  origin: Origin,
): TensorId {
  const { scale } = builder.tensors[source]
  const [lo, hi] = hull(builder.tensors[source])
  const edge = (unit: number) => Math.max(floor, Math.floor(least / unit))
  if (lo >= edge(scale) && hi < 2 ** bits) return source
  return builder.window(source, bits, edge, info, origin)
}

/** Adds a root, of as many bits as its rounding down needs to lose less than a quarter of a w-bit step. */
export function addRoot(
  builder: IntBuilder,
  { origin }: RootNode,
  info: TensorInfo,
  range: Range,
  { range: given, whole }: Operand,
): TensorId {
  let source = bounded(builder, whole(), 0, 0, 50, { ...info, name: `${info.name}:square` }, origin)
  const { precision } = builder
  const enough = 4 ** (precision + spareBits)
  const typical = given.max
  let factor = 1
  while (
    (typical / builder.tensors[source].scale) * factor < enough &&
    builder.reach(source) * factor * 4 <= sumLimit / 2
  )
    factor *= 4
  source = builder.multiply(source, factor, origin)
  return builder.add({ kind: "isqrt", source, origin }, info, Math.sqrt(builder.tensors[source].scale), range)
}
