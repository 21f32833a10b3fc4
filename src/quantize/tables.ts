/**
 * A real function as a table of integers. Input and output are both activations: the source is brought to at
 * most 2^w integers, unless it has no more than that, and the entries are round(f(s_in·x) / s_out) in a
 * window of at most 2^w integers. Samples decide the two scales; beyond what they showed, the ends of the
 * table or of its window hold, as those of a clamp do.
 */
import { ModelError } from "../errors.js"
import { functionOf, showFormula } from "../ops/formula.js"
import type { FunctionNode, TensorId, TensorInfo } from "../ops/program.js"
import type { Range } from "./calibration/calibrate.js"
import type { IntBuilder, Target } from "./intbuilder.js"
import { width } from "./integers/bounds.js"
import { roundHalfUp } from "./integers/intgraph.js"
import { type Grid, leastOf, leastScale } from "./scales.js"

/** Points at which a function is looked at to find where it levels off. */
const probes = 4096

/** Least share of its calibrated range that a table's input covers, however much of it is level. */
const leastShare = 1 / 256

/** Share of the range that must be level for a grid of its own to pay. */
const leastGain = 1 / 8

/** Where the integers that a table reads come from. */
export interface TableSource {
  /** Calibrated range of the real source. */
  readonly range: Range
  /** The integer tensor that stands for it, if there is one already. */
  readonly whole: TensorId | undefined
  readonly requantize: (target: Target) => TensorId
  /** Whether other tables have this grid: then entries do not depend on which of them this source reaches. */
  readonly isShared?: boolean
}

const extremes = (values: Float64Array): [least: number, most: number] => [
  values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
  values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
]

/** Adds the integer table of a real function. Throws ModelError where the function is undefined. */
export function addTable(
  builder: IntBuilder,
  node: FunctionNode,
  info: TensorInfo,
  range: Range,
  { range: given, whole, requantize, isShared = false }: TableSource,
): TensorId {
  const f = functionOf(node.formula)
  const limit = 2 ** builder.precision
  const narrow = whole !== undefined && width(builder.tensors[whole]) < limit
  const target = inputTarget(f, given, builder.precision)
  const source = narrow ? whole : requantize(target)
  const { scale, lo: bounds } = builder.tensors[source]
  const lo = bounds.reduce((a, b) => Math.min(a, b))
  const size = width(builder.tensors[source]) + 1
  const [first, count] = isShared && !narrow ? [target.lo(scale), limit] : [lo, size]
  const at = Float64Array.from({ length: count }, (_, i) => (first + i) * scale)
  const { values: entries, scale: step } = entriesAt(node, at, given, scale, limit)
  const values = entries.slice(lo - first, lo - first + size)
  const { origin } = node
  return builder.add({ kind: "table", source, lo, values, origin }, info, step, range)
}

/**
 * Integers of a function at some points, at most `limit` different ones, and their scale. Points within `step` of the
 * calibrated range are those that count. Throws ModelError where the function is undefined on one.
 */
export function entriesAt(
  node: FunctionNode,
  at: Float64Array,
  given: Range,
  step: number,
  limit: number,
): { readonly values: Float64Array; readonly scale: number } {
  const entries = filled(node, at, at.map(functionOf(node.formula)), given)
  const seen = entries.filter((_, i) => at[i] >= given.min - step && at[i] <= given.max + step)
  const window = outputGrid(seen.length > 0 ? seen : entries, entries, limit)
  const values = entries.map((y) =>
    Math.min(Math.max(roundHalfUp(y / window.scale), window.lo), window.lo + limit - 1),
  )
  return { values, scale: window.scale }
}

/**
 * The grid that a wide source is brought to: its calibrated range, without the ends over which f stays within
 * a quarter of an output step. A sigmoid spends no entry on what is 0 or 1 in any case.
 */
export function inputTarget(f: (x: number) => number, range: Range, precision: number): Target {
  const step = (range.max - range.min) / (probes - 1)
  const values = Float64Array.from({ length: probes }, (_, i) => f(range.min + i * step))
  const [lowest, highest] = extremes(values.filter(Number.isFinite))
  const tolerance = (highest - lowest) / (2 ** precision - 1) / 4
  const isLevel = (i: number, end: number) => Math.abs(values[i] - values[end]) <= tolerance
  const narrowest = probes * leastShare
  let [first, last] = [0, probes - 1]
  while (last - first > narrowest && isLevel(first + 1, 0)) first++
  while (last - first > narrowest && isLevel(last - 1, probes - 1)) last--
  // Little to gain: then several functions of one source share a grid.
  if (last - first > probes * (1 - leastGain)) [first, last] = [0, probes - 1]
  const [low, high] = [range.min + first * step, range.min + last * step]
  // A narrow range far from zero would ask for a huge offset: widen it at both ends.
  const reach = Math.max(Math.abs(low), Math.abs(high)) || 1
  const spare = Math.max(0, reach / 16 - (high - low)) / 2
  const span = { least: low - spare, most: high + spare, fixed: false }
  const wanted = Math.max((span.most - span.least) / (2 ** precision - 1), leastScale)
  return { wanted, lo: (scale) => leastOf(span, scale, precision), fixed: false }
}

/** The entries, with those outside the calibrated range on which f is undefined replaced by the next defined. */
function filled(node: FunctionNode, at: Float64Array, entries: Float64Array, range: Range): Float64Array {
  const fault = at.findIndex((x, i) => !Number.isFinite(entries[i]) && x > range.min && x < range.max)
  const first = entries.findIndex(Number.isFinite)
  if (fault >= 0 || first < 0)
    throw new ModelError({
      what: `\`${node.origin.operator}\` is undefined on values that it is given`,
      where: `node \`${node.origin.name}\``,
      expected: `a finite result of ${showFormula(node.formula)} between ${range.min} and ${range.max}`,
      given: `${entries[Math.max(fault, 0)]} at ${at[Math.max(fault, 0)]}`,
      fix: "Keep its input away from there, with a Clip or an added constant",
    })
  // below the range the next defined entry stands in, above it the last one before; else the first of all
  const out = entries.slice()
  let next = entries[first]
  for (let i = entries.length - 1; i >= 0; i--) {
    if (Number.isFinite(entries[i])) next = entries[i]
    else if (at[i] <= range.min) out[i] = next
  }
  let last = entries[first]
  for (let i = 0; i < entries.length; i++) {
    if (Number.isFinite(entries[i])) last = entries[i]
    else if (!(at[i] <= range.min)) out[i] = last
  }
  return out
}

/**
 * The grid of a table's output: the entries that samples reach in at most `limit` integers, exactly where all
 * are integers. A narrow range far from zero would ask for a huge offset: it is widened, towards the entries
 * that samples did not reach.
 */
function outputGrid(seen: Float64Array, entries: Float64Array, limit: number): Grid {
  let [least, most] = extremes(seen)
  const [lowest, highest] = extremes(entries)
  const fits = highest - lowest < limit && entries.every(Number.isInteger)
  if (fits) return { scale: 1, lo: lowest + 0 }
  const reach = Math.max(Math.abs(least), Math.abs(most))
  const wide = Math.max(most - least, reach / 16) || highest - lowest
  most = Math.min(Math.max(highest, most), least + wide)
  least = Math.max(Math.min(lowest, least), most - wide)
  // below the least scale a step more changes nothing, and the loop would not end
  let scale = Math.max(wide / (limit - 1), leastScale)
  while (roundHalfUp(most / scale) - roundHalfUp(least / scale) >= limit) scale *= 1 + 2 ** -20
  return { scale, lo: roundHalfUp(least / scale) }
}
