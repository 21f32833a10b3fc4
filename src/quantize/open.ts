/**
 * Integers that need no clamp, because static bounds are not much wider than what the samples showed: behind a
 * normalization, whose results have a bounded length (integers/normalized.ts), and behind an attention. A scale is chosen so
 * that all that is possible fits w bits, and what is brought to it is shifted and no more.
 */
import {
  type IndexNode,
  type LinearNode,
  type Origin,
  type Program,
  sizeOf,
  type TensorId,
  type TensorInfo,
} from "../ops/program.js"
import { diagonalMap, diagonalOf } from "../ops/scaling.js"
import type { Range } from "./calibration/calibrate.js"
import type { IntBuilder } from "./intbuilder.js"
import { hull, sumLimit, width } from "./integers/bounds.js"
import type { Interval } from "./integers/interval.js"
import { lengthsOf } from "./integers/normalized.js"
import { requantizedGrid, roundingError, type ScaledTerm, type Shifted } from "./scales.js"
import type { Made } from "./softmax.js"

/** How much wider than what samples showed static bounds may be. */
const widest = 4

/** Least precision at which a bit or two may go to integers that are possible and do not occur. */
const leastPrecision = 11

/** Whether scales may be chosen by what is possible. */
export const isFine = ({ precision }: Pick<IntBuilder, "precision">): boolean => precision >= leastPrecision

/** Least integer that a reciprocal has, by the samples: it is rounded by half. */
const leastReciprocal = 2 ** 6

/** What is divided by a denominator that many share. */
export interface Shared {
  readonly origin: Origin
  readonly info: TensorInfo
  readonly range: Range
  readonly num: TensorId
  readonly den: TensorId
  /** The largest denominator that samples showed. */
  readonly seen: number
  /** Which denominator each element has. */
  readonly spread: Int32Array
  readonly named: TensorInfo
}

/** Shifts of open products, by tensor: they are w-bit integers without those. */
const shifts = new WeakMap<IntBuilder, Map<TensorId, number>>()

/** The bits by which a product is to be shifted to fit w, if it is one that needs no clamp then. */
export const openShift = (builder: IntBuilder, id: TensorId): number | undefined =>
  shifts.get(builder)?.get(id)

/**
 * num · round(C / den) with C such that it takes w bits without its lowest ones, whatever the input; undefined where
 * that would lose more than what clamping costs.
 */
export function addBounded(builder: IntBuilder, shared: Shared): TensorId | undefined {
  if (!isFine(builder)) return undefined
  const { precision } = builder
  const { range, num, den, seen } = shared
  const [least] = hull(builder.tensors[den])
  for (const shift of [precision, 2 * precision]) {
    const fits = (id: TensorId) => {
      const [lo, hi] = openWindow(builder, id, shift)
      return hi - lo < 2 ** precision
    }
    const room = Math.floor((sumLimit / 2 / Math.max(1, builder.reach(num))) * least)
    // what is divided is proportional to C, but for the rounding of the reciprocal
    const first = Math.floor(Math.min(sumLimit / 4, room))
    let tried = addProduct(builder, shared, first)
    const [lo, hi] = hull(builder.tensors[tried])
    let dividend = Math.min(first, Math.floor((first / (hi - lo)) * (2 ** precision - 2) * 2 ** shift))
    if (dividend < seen * leastReciprocal || dividend < 1) continue
    for (let i = 0; i < 16; i++) {
      tried = addProduct(builder, shared, dividend)
      if (fits(tried)) break
      dividend = Math.floor(dividend * 0.99)
    }
    if (!fits(tried) || dividend < seen * leastReciprocal) continue
    const scale = builder.tensors[tried].scale * 2 ** shift
    if (Math.max(-range.min, range.max) * widest * 2 < scale * 2 ** precision) return undefined
    shifts.set(builder, (shifts.get(builder) ?? new Map()).set(tried, shift))
    return tried
  }
  return undefined
}

/** The quotient, product and movement of a dividend. */
function addProduct(
  builder: IntBuilder,
  { origin, info, range, num, den, spread, named }: Shared,
  dividend: number,
): TensorId {
  const [least] = hull(builder.tensors[den])
  const unit = 1 / (dividend * builder.tensors[den].scale)
  const one = { min: dividend, max: dividend, rms: dividend }
  const between = { min: 0, max: unit * (dividend / least), rms: 0 }
  const size = builder.tensors[den].lo.length
  const bias = new Float64Array(size).fill(dividend)
  const constant = builder.add({ kind: "linear", terms: [], bias, origin }, named, 1, one)
  const reciprocal = builder.add(
    { kind: "quotient", numerator: constant, denominator: den, origin },
    named,
    unit,
    between,
  )
  const right = builder.add(
    { kind: "index", sources: [reciprocal], map: spread, fill: 0, origin },
    { ...info, name: `${info.name}:reciprocals` },
    unit,
    between,
  )
  const scale = builder.tensors[num].scale * unit
  return builder.add({ kind: "product", left: num, right, origin }, info, scale, range)
}

/** Least and largest of floor((x + 2^(k − 1)) / 2^k). */
function openWindow(builder: IntBuilder, id: TensorId, shift: number): [least: number, most: number] {
  const [lo, hi] = hull(builder.tensors[id]).map((x) => Math.floor((x + 2 ** (shift - 1)) / 2 ** shift))
  return [lo, hi]
}

/** An open product in w bits. */
export function addShifted(
  builder: IntBuilder,
  source: TensorId,
  shift: number,
  info: TensorInfo,
  origin: Origin,
): TensorId {
  const { scale, lo } = builder.tensors[source]
  const size = lo.length
  const [least] = openWindow(builder, source, shift)
  const map = diagonalMap(new Float64Array(size).fill(1))
  const bias = new Float64Array(size).fill(2 ** (shift - 1))
  const accumulator = builder.add(
    { kind: "linear", terms: [{ source, map }], bias, origin },
    { ...info, name: `${info.name}:acc` },
    scale,
    builder.range(source),
  )
  return builder.add(
    { kind: "rescale", source: accumulator, shift, lo: least, bits: builder.precision, origin },
    info,
    scale * 2 ** shift,
    builder.range(source),
  )
}

/** A linear map's accumulator, before it is shifted. */
export interface Drafted {
  readonly node: LinearNode
  readonly draft: Omit<LinearNode, "out">
  readonly bounds: Interval
  readonly accumulator: Shifted
  readonly info: TensorInfo
  readonly range: Range
}

/**
 * The accumulator at a scale, not much coarser, at which its shift leaves no more than w bits; undefined if there is
 * none, or where nothing but intervals bounds it: those are too wide, and other models keep the scales that they have.
 */
export function addOpen(builder: IntBuilder, given: Drafted): TensorId | undefined {
  if (!isFine(builder)) return undefined
  const { node, info, range } = given
  const room = 2 ** builder.precision
  const known = { bounds: (id: TensorId) => builder.tensors[id], made: (id: TensorId) => builder.nodes[id] }
  if (!given.draft.terms.some(({ source }) => lengthsOf(known.made(source), known))) return undefined
  let { draft, bounds, accumulator } = given
  const { shift } = accumulator
  const size = bounds.lo.length
  const window = () => hull(bounds).map((x) => Math.floor(x / 2 ** shift))
  for (let i = 0; ; i++) {
    const [lo, hi] = window()
    const span = hi - lo + 1
    if (span <= room) break
    const scale = accumulator.scale * (span / room) * (1 + i / 1024)
    if (i === 4 || scale > given.accumulator.scale * widest) return undefined
    accumulator = { ...accumulator, scale }
    const next = builder.draft(accumulator, node.origin, size)
    ;({ node: draft, bounds } = next)
    if (!(next.peak <= sumLimit)) return undefined
  }
  const [lo, hi] = window()
  if (Math.abs(lo * 2 ** shift) > sumLimit / 4) return undefined
  const source = builder.add(draft, { ...info, name: `${info.name}:acc` }, accumulator.scale, range, bounds)
  const bits = Math.max(1, Math.ceil(Math.log2(hi - lo + 1)))
  const { origin } = node
  return builder.add(
    { kind: "rescale", source, shift, lo, bits, origin },
    info,
    accumulator.scale * 2 ** shift,
    range,
  )
}

/** Tensors that a mean is subtracted from, as normalizations do, if they are sums. */
function streamsOf(program: Program, made: Made): ReadonlySet<TensorId> {
  const streams = new Set<TensorId>()
  for (const node of program.nodes) {
    if (node.kind !== "linear" || node.terms.length !== 2) continue
    for (const [one, other] of [node.terms, [...node.terms].reverse()]) {
      const spread = made(other.source, "index")
      const mean = spread?.sources.length === 1 ? made(spread.sources[0], "linear") : undefined
      const isMean = mean?.terms.length === 1 && mean.terms[0].source === one.source
      if (isMean && made(one.source, "linear")) streams.add(one.source)
    }
  }
  return streams
}

/** Part of a w-bit step by which rounding the weights of an embedding may move it (rms). */
const mostRounding = 1 / 2

/** A linear node whose weights may be rounded to the grid of w bits themselves, as those of an embedding: it needs no shift. */
export function addDirect(
  builder: IntBuilder,
  { bias, origin }: LinearNode,
  terms: readonly ScaledTerm[],
  info: TensorInfo,
  range: Range,
): TensorId | undefined {
  const { scale } = requantizedGrid(range, builder.precision, range.min < 0)
  if (roundingError(terms, bias, scale, mostRounding) > mostRounding) return undefined
  const { node, bounds } = builder.draft({ terms, bias, scale, rounding: 0 }, origin, sizeOf(info.shape))
  if (!(width(bounds) < 2 ** (builder.precision + 1))) return undefined
  return builder.add(node, info, scale, range, bounds)
}

/** The source of a movement that has each element of a linear map or a quotient, in any order. */
function movedFrom(node: IndexNode | undefined, made: Made, { tensors }: Program): TensorId | undefined {
  if (node?.sources.length !== 1 || node.map.includes(-1)) return undefined
  const [source] = node.sources
  const isWide = made(source, "linear") ?? made(source, "divide")
  return isWide && node.map.length >= sizeOf(tensors[source].shape) ? source : undefined
}

/**
 * Sources of a linear map that are narrow without a clamp, in whatever order, and better so before it: its shift is
 * shorter then. `whole` gives the integers of a source, before it is moved.
 */
export const openSources = (
  builder: IntBuilder,
  { terms }: LinearNode,
  whole: (source: TensorId) => TensorId,
): TensorId[] =>
  terms.flatMap(({ source, map }) =>
    openShift(builder, whole(source)) !== undefined && !diagonalOf(map) ? [source] : [],
  )

/** What a program has that may be narrow without a clamp, if that is used at all. */
export class Open {
  /** What normalizations read and sums go on with: wide, each would read all that was ever added to it. */
  readonly streams: ReadonlySet<TensorId>

  constructor(
    private readonly program: Program,
    private readonly made: Made,
    private readonly isUsed: boolean,
  ) {
    this.streams = isUsed ? streamsOf(program, made) : new Set()
  }

  /** What a tensor has all results of, in another order: then these are better narrowed before. */
  movedFrom(real: TensorId): TensorId | undefined {
    return this.isUsed ? movedFrom(this.made(real, "index"), this.made, this.program) : undefined
  }
}
