/**
 * Distances from a maximum, as exponentials of a softmax read them, in integers: x is brought to a scale of σ / 2^k, and
 * floor((m − x) / 2^k) is an entry of a table with one value for every number that it can be, so nothing is cut off, and
 * that it is in the table says that m is no less than x. The value is that of the middle of the step.
 *
 * That pays where the table is short for the elements that use it; else a clamp comes before it, as before any other.
 */
import { functionOf } from "../ops/formula.js"
import type { FunctionNode, MaxNode, TensorId, TensorInfo } from "../ops/program.js"
import { diagonalOf } from "../ops/scaling.js"
import type { Range } from "./calibration/calibrate.js"
import type { IntBuilder } from "./intbuilder.js"
import { hull, stepsBelow, sumLimit } from "./integers/bounds.js"
import { roundingError, type ScaledTerm } from "./scales.js"
import { entriesAt, inputTarget } from "./tables.js"

/**
 * Most entries of such a table, tried in turn: in the end what a file may have. Where steps may be coarse, half of that
 * is often enough.
 */
const mostStepsAt = (precision: number): readonly number[] =>
  precision < 11 ? [2 ** 14] : [2 ** 13, 2 ** 14]

/** Entries that a table may have for each element that uses it, beyond those of any table. */
const stepsPerElement = 4

/** How much coarser than a clamped grid the steps may be, at a precision: from 11 bits on seven are enough for an exponential. */
const coarsestAt = (precision: number): number => 2 ** (precision < 11 ? 1 : precision - 7)

/** Integers, their maxima, and the bits below a step. */
export interface Descent {
  readonly source: TensorId
  readonly maximum: TensorId
  readonly shift: number
}

/** What is compared with its maximum: real terms of it, ranges of it and of the distances, and who reads those. */
export interface Compared {
  readonly terms: readonly ScaledTerm[]
  readonly bias: Float64Array | undefined
  readonly info: TensorInfo
  readonly maxima: TensorInfo
  readonly range: Range
  readonly read: FunctionNode
  readonly distances: Range
}

/** Adds x at the scale that its distances want, and its maxima; undefined where a table of all distances is too long. */
export function addDescent(builder: IntBuilder, node: MaxNode, compared: Compared): Descent | undefined {
  for (const steps of mostStepsAt(builder.precision)) {
    const made = descentWithin(steps, builder, node, compared)
    if (made) return made
  }
  return undefined
}

function descentWithin(
  mostSteps: number,
  builder: IntBuilder,
  node: MaxNode,
  compared: Compared,
): Descent | undefined {
  const { terms, bias, info, maxima, range, read, distances } = compared
  const { precision } = builder
  const { origin, window, map } = node
  const size = map.length
  const grid = inputTarget(functionOf(read.formula), distances, precision).wanted
  const draftAt = (scale: number) => builder.draft({ terms, bias, scale, rounding: 0 }, origin, countOf(info))
  const first = draftAt(grid / 2 ** precision)
  if (!(first.peak <= sumLimit)) return undefined
  const most = Math.min(mostSteps, Math.max(2 ** precision, stepsPerElement * size))
  const spread = (widest(first.bounds, map, window) * grid) / 2 ** precision
  // a step more, for the part of one at either end
  const step = Math.max(grid, spread / (most - 2))
  const coarsest = coarsestAt(precision)
  const exact = exactDescent(builder, node, compared, { grid, most, coarsest })
  if (exact) return exact
  if (step > coarsest * grid) return undefined
  let shift = precision
  while (shift < 2 * precision && !isFine(terms, bias, step, shift)) shift += precision
  if (!isFine(terms, bias, step, shift)) return undefined
  const { node: draft, bounds, peak } = draftAt(step / 2 ** shift)
  if (!(peak <= sumLimit && 2 * peak <= sumLimit)) return undefined
  // the first draft may have rounded weights away
  if (widest(bounds, map, window) / 2 ** shift > most) return undefined
  const named = { ...info, name: `${info.name}:below` }
  const source = builder.add(draft, named, step / 2 ** shift, range, bounds)
  const maximum = builder.add({ kind: "max", source, window, map, origin }, maxima, step / 2 ** shift, range)
  return { source, maximum, shift }
}

/**
 * The same where what is compared has one factor: then its integers stay as they are but for a power of two, which makes
 * the shift one of w bits.
 */
function exactDescent(
  builder: IntBuilder,
  { origin, window, map }: MaxNode,
  { terms, bias, info, maxima, range }: Compared,
  { grid, most, coarsest }: { readonly grid: number; readonly most: number; readonly coarsest: number },
): Descent | undefined {
  const { precision } = builder
  const [term, ...others] = terms
  const isAlone = others.length === 0 && !bias?.some((b) => b !== 0)
  const factors = term && isAlone ? diagonalOf(term.map) : undefined
  const factor = factors?.[0] ?? 0
  if (!(factor > 0) || !factors?.every((f) => f === factor)) return undefined
  const unit = factor * term.scale
  const { lo, hi } = builder.tensors[term.source]
  const spread = widest({ lo, hi }, map, window)
  for (let dropped = 1; dropped <= precision; dropped++) {
    const step = unit * 2 ** dropped
    if (spread / 2 ** dropped + 2 > most) continue
    if (step > coarsest * grid) return undefined
    const raised = 2 ** (precision - dropped)
    if (!(2 * raised * builder.reach(term.source) <= sumLimit / 2)) return undefined
    // not coarser than it need be
    const scale = unit / raised
    const {
      node: draft,
      bounds,
      peak,
    } = builder.draft({ terms, bias: undefined, scale, rounding: 0 }, origin, countOf(info))
    if (!(2 * peak <= sumLimit)) return undefined
    const source = builder.add(draft, { ...info, name: `${info.name}:below` }, scale, range, bounds)
    const maximum = builder.add({ kind: "max", source, window, map, origin }, maxima, scale, range)
    return { source, maximum, shift: precision }
  }
  return undefined
}

/** Adds a function of the distances from maxima. */
export function addBelow(
  builder: IntBuilder,
  node: FunctionNode,
  { source, maximum, shift }: Descent,
  { owner, info, range, distances }: { owner: Int32Array; info: TensorInfo; range: Range; distances: Range },
): TensorId {
  const { origin } = node
  const below = { source, maximum, owner, shift, origin }
  const step = builder.tensors[source].scale * 2 ** shift
  const [, last] = hull(stepsBelow(below, (id) => builder.tensors[id]))
  const at = Float64Array.from({ length: last + 1 }, (_, i) => -(i + 0.5) * step)
  const { values, scale } = entriesAt(node, at, distances, step, 2 ** builder.precision)
  return builder.add({ kind: "below", ...below, values }, info, scale, range)
}

const countOf = ({ shape }: TensorInfo): number => shape.reduce((a, b) => a * b, 1)

/** Part of a step by which rounding the weights may move what is compared (rms). */
const mostRounding = 3 / 8

/** Whether rounding the weights moves what is compared by less than that. */
const isFine = (
  terms: readonly ScaledTerm[],
  bias: Float64Array | undefined,
  step: number,
  shift: number,
): boolean =>
  roundingError(terms, bias, step / 2 ** shift, mostRounding * 2 ** shift) <= mostRounding * 2 ** shift

/** The largest distance of two elements of a window. */
function widest({ lo, hi }: { lo: Float64Array; hi: Float64Array }, map: Int32Array, window: number): number {
  let most = 0
  for (let start = 0; start < map.length; start += window) {
    let [least, largest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    for (const element of map.subarray(start, start + window)) {
      if (element < 0) continue
      least = Math.min(least, lo[element])
      largest = Math.max(largest, hi[element])
    }
    most = Math.max(most, largest - least)
  }
  return most
}
