/**
 * Quotients and roots of activations in integers.
 *
 * A denominator is made positive, and its magnitude clamped from below at half of the least that the samples showed,
 * and at 1: so none is zero, and what a quotient can be is bounded by interval arithmetic. Where several numerators share a denominator,
 * as in a softmax or a normalization, it is divided by once: r = round(C / den), and each quotient is a product num · r.
 * C is such that the rounding of r moves no result by more than an eighth of a w-bit step. Alone, a quotient is
 * round(M · num / (N · den)), with whole M and N such that its step is at most one of w bits.
 */
import type { Formula } from "../ops/formula.js"
import {
  type DivideNode,
  type FunctionNode,
  type IndexNode,
  type Origin,
  type RootNode,
  sizeOf,
  type TensorId,
  type TensorInfo,
} from "../ops/program.js"
import { diagonalMap } from "../ops/scaling.js"
import type { Range } from "./calibration/calibrate.js"
import type { IntBuilder, Target } from "./intbuilder.js"
import { hull, sumLimit } from "./integers/bounds.js"
import { addBounded } from "./open.js"
import { addTable } from "./tables.js"

/** A real tensor as operand: what the samples showed of it, and its integers. */
export interface Operand {
  readonly info: TensorInfo
  readonly range: Range
  readonly whole: () => TensorId
  /** The same in w bits. */
  readonly narrow: () => TensorId
}

/** What is divided, by what, and which result. */
export interface Division {
  readonly node: DivideNode
  readonly info: TensorInfo
  readonly range: Range
  readonly numerator: Operand
  readonly denominator: Operand
  /** If several elements share a denominator: all of them, and which is whose. */
  readonly shared: { readonly denominators: Operand; readonly spread: IndexNode } | undefined
}

/** Most bits of a denominator, and of what a root is taken of. */
const mostBits = { denominator: 24, square: 50 }

/** Bits beyond w of a reciprocal that is multiplied, and of a root. */
const spareBits = 2

const reachOf = ({ min, max }: Range): number => Math.max(Math.abs(min), Math.abs(max)) || 1

/** Adds a quotient. Throws ModelError for integers beyond 52 bits. */
export const addDivision = (builder: IntBuilder, division: Division): TensorId =>
  division.shared ? addByReciprocal(builder, division, division.shared) : addQuotient(builder, division)

function addByReciprocal(
  builder: IntBuilder,
  division: Division,
  { denominators, spread }: NonNullable<Division["shared"]>,
): TensorId {
  const { node, info, range, numerator } = division
  const { origin } = node
  const { precision } = builder
  const named = { ...denominators.info, name: `${info.name}:reciprocal` }
  const { den, signed } = addDenominator(builder, denominators, info.name, origin)
  const bounded =
    denominators.range.min > 0
      ? addBounded(builder, {
          origin,
          info,
          range,
          num: numerator.whole(),
          den,
          seen: denominators.range.max / builder.tensors[den].scale,
          spread: spread.map,
          named,
        })
      : undefined
  if (bounded !== undefined) return bounded
  const { scale } = builder.tensors[den]
  const [least] = hull(builder.tensors[den])
  const step = reachOf(range) / reachOf(numerator.range) / 2 ** (precision + spareBits)
  const wanted = Math.ceil(1 / (scale * step))
  // what the product leaves room for: first a narrower numerator, then a coarser reciprocal
  const limit = 2 ** (50 - precision)
  const room = (num: TensorId) => Math.floor((limit / Math.max(1, builder.reach(num))) * least)
  const whole = numerator.whole()
  const num = wanted > room(whole) ? numerator.narrow() : whole
  const dividend = Math.max(1, Math.min(wanted, room(num), sumLimit / 4))
  const unit = 1 / (dividend * scale)
  const between = { min: 0, max: unit * (dividend / least), rms: 1 / (denominators.range.rms || 1) }
  const one = { min: dividend, max: dividend, rms: dividend }
  const bias = new Float64Array(sizeOf(named.shape)).fill(dividend)
  const constant = builder.add({ kind: "linear", terms: [], bias, origin }, named, 1, one)
  const reciprocal = builder.add(
    { kind: "quotient", numerator: signed(constant), denominator: den, origin },
    named,
    unit,
    between,
  )
  const right = builder.add(
    { kind: "index", sources: [reciprocal], map: spread.map, fill: 0, origin },
    { ...info, name: `${info.name}:reciprocals` },
    unit,
    between,
  )
  const out = builder.tensors[num].scale * unit
  return builder.add({ kind: "product", left: num, right, origin }, info, out, range)
}

function addQuotient(
  builder: IntBuilder,
  { node: { origin }, info, range, numerator, denominator }: Division,
): TensorId {
  const { precision } = builder
  const top = range.min < 0 ? 2 ** (precision - 1) - 1 : 2 ** precision - 1
  const wanted = reachOf(range) / top
  const { den, signed } = addDenominator(builder, denominator, info.name, origin)
  const factors = (num: TensorId) => {
    const ratio = builder.tensors[num].scale / builder.tensors[den].scale / wanted
    const [m, n] = ratio >= 1 ? [Math.ceil(ratio), 1] : [1, Math.floor(1 / ratio)]
    const peak = 2 * m * builder.reach(num) + 2 * n * builder.reach(den)
    return { num, m, n, peak }
  }
  const first = factors(numerator.whole())
  const { num, m, n } = first.peak > sumLimit / 2 ? factors(numerator.narrow()) : first
  const dividend = signed(builder.multiply(num, m, origin))
  const divisor = builder.multiply(den, n, origin)
  const scale = builder.tensors[dividend].scale / builder.tensors[divisor].scale
  const node = { kind: "quotient", numerator: dividend, denominator: divisor, origin } as const
  return builder.add(node, info, scale, range)
}

const uniform = (shape: readonly number[], factor: number) =>
  diagonalMap(new Float64Array(sizeOf(shape)).fill(factor))

/** Integers of a denominator's magnitude, and what gives a dividend the denominator's sign. */
interface Denominator {
  readonly den: TensorId
  readonly signed: (dividend: TensorId) => TensorId
}

/** Adds the magnitude of a denominator, from half of the least seen on, and its sign. */
export function addDenominator(
  builder: IntBuilder,
  { range, whole }: Operand,
  name: string,
  origin: Origin,
): Denominator {
  const given = whole()
  const { scale, shape } = builder.tensors[given]
  const least = Math.max(range.min, -range.max, 0) / 2
  const positive = (id: TensorId) =>
    bounded(builder, id, (unit) => Math.max(1, Math.floor(least / unit)), mostBits.denominator, name, origin)
  if (range.min > 0) return { den: positive(given), signed: (dividend) => dividend }
  const negated = (source: TensorId) => {
    const { name: of, scale: unit } = builder.tensors[source]
    const node = { kind: "linear", terms: [{ source, map: uniform(shape, -1) }], origin } as const
    return builder.add(node, { name: `${of}:negated`, shape }, unit, opposite(builder.range(source)))
  }
  if (range.max < 0) return { den: positive(negated(given)), signed: negated }
  // of either sign: [x ≥ 0] is a clamp of x + 1, and the sign twice that less one
  const info = { name: `${name}:sign`, shape }
  const full = { min: -1, max: 1, rms: 1 }
  const linear = (source: TensorId, factor: number, offset: number): TensorId => {
    const bias = new Float64Array(sizeOf(shape)).fill(offset)
    const node = { kind: "linear", terms: [{ source, map: uniform(shape, factor) }], bias, origin } as const
    return builder.add(node, info, 1, full)
  }
  const bit = { kind: "rescale", source: linear(given, 2, 2), shift: 1, lo: 0, bits: 1, origin } as const
  const sign = linear(builder.add(bit, info, 1, full), 2, -1)
  const signed = (source: TensorId, unit = builder.tensors[source].scale) =>
    builder.add({ kind: "product", left: source, right: sign, origin }, info, unit, builder.range(source))
  return { den: positive(signed(given, scale)), signed }
}

const opposite = ({ min, max, rms }: Range): Range => ({ min: -max, max: -min, rms })

/** The tensor from the integer `least(scale)` on, in at most so many bits; itself, if it is that. */
function bounded(
  builder: IntBuilder,
  source: TensorId,
  least: (scale: number) => number,
  bits: number,
  name: string,
  origin: Origin,
): TensorId {
  const { scale, shape } = builder.tensors[source]
  const [lo, hi] = hull(builder.tensors[source])
  if (lo >= least(scale) && hi < 2 ** bits) return source
  // a window has 32 bits
  const dropped = Math.max(0, Math.ceil(Math.log2(hi + 1)) - Math.min(bits, 32))
  return builder.coarser(source, dropped, { name: `${name}:positive`, shape }, origin, least)
}

/**
 * Adds a logarithm as that of a fourth root, four times: where the logarithm is steep, a grid of the root is finer. Throws
 * ModelError as `addTable` does.
 */
export function addLogarithm(
  builder: IntBuilder,
  node: FunctionNode,
  info: TensorInfo,
  range: Range,
  operand: Operand,
): TensorId {
  const named = (power: string) => ({ ...operand.info, name: `${info.name}:${power}` })
  const rooted = (given: Operand, power: string): Operand => {
    const [min, max] = [given.range.min, given.range.max].map((x) => Math.sqrt(Math.max(0, x)))
    const of = { min, max, rms: Math.sqrt(given.range.rms) }
    const made = addRoot(builder, node, named(power), of, given)
    return { info: named(power), range: of, whole: () => made, narrow: () => made }
  }
  const { range: given, whole } = rooted(rooted(operand, "root"), "fourth")
  const source = whole()
  const formula: Formula = { kind: "sum", terms: [{ factor: 4, of: node.formula }], offset: 0 }
  const requantize = (target: Target) => builder.rescale(source, target, named("in"), given, node.origin)
  return addTable(builder, { ...node, formula }, info, range, { range: given, whole: source, requantize })
}

/** Adds a root, of a square with as many bits as its rounding down needs to lose less than a quarter of a w-bit step. */
export function addRoot(
  builder: IntBuilder,
  { origin }: Pick<RootNode, "origin">,
  info: TensorInfo,
  range: Range,
  { range: given, whole }: Operand,
): TensorId {
  const square = bounded(builder, whole(), () => 0, mostBits.square, info.name, origin)
  const seen = given.max / builder.tensors[square].scale
  let factor = 1
  while (
    seen * factor < 4 ** (builder.precision + spareBits) &&
    builder.reach(square) * factor * 4 <= sumLimit / 4
  )
    factor *= 4
  const source = builder.multiply(square, factor, origin)
  return builder.add({ kind: "isqrt", source, origin }, info, Math.sqrt(builder.tensors[source].scale), range)
}
