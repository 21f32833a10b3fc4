/**
 * Choice of scales. An integer map holds round(W·s_in/s_acc); what that rounding does to an output is
 * estimated from the residual of each weight and the root mean square of its source, and the coarsest
 * scale within the tolerance wins, because every bit of an accumulator is paid for further on.
 */
import { InvariantError } from "../errors.js"
import { weightsOf, withWeights } from "../ops/linearmap.js"
import type { LinearMap, TensorId } from "../ops/program.js"
import type { Range } from "./calibration/calibrate.js"
import { roundHalfUp } from "./integers/intgraph.js"
import type { Provenance } from "./provenance.js"

/**
 * Least scale of an activation. What is smaller throughout is zero: where doubles thin out no scale is exact,
 * and a product of scales must stay far from there as well.
 */
export const leastScale = 2 ** -400

/** Whether a scale is one to compute with: what lies beyond comes from products of many tiny or huge ones. */
export const isUsable = (scale: number): boolean => scale >= 2 ** -1000 && scale <= 2 ** 1000

/** One real term of an accumulator: its map over a source that holds integers of scale `scale`. */
export interface ScaledTerm {
  readonly source: TensorId
  readonly map: LinearMap
  readonly scale: number
  readonly rms: number
}

/** Relative difference below which two real factors count as the same number. */
const same = 1e-9

/** Length of each run of weights that feeds one output, and the number of runs; null when they differ. */
function rowLength(map: LinearMap): number | null {
  if (map.kind === "dense") return map.k
  if (map.kind === "sparse") return null
  return map.outChannels ? map.weight.length / map.outChannels : 0
}

/** Most weights that feed one output. */
export function longestRow(map: LinearMap): number {
  if (map.kind !== "sparse") return rowLength(map) ?? 0
  let most = 0
  for (let i = 1; i < map.rowPtr.length; i++) most = Math.max(most, map.rowPtr[i] - map.rowPtr[i - 1])
  return most
}

const largest = (map: LinearMap): number => {
  let most = 0
  for (const w of weightsOf(map)) most = Math.max(most, Math.abs(w))
  return most
}

/** Largest |W|·s_in of all terms. */
export const largestFactor = (terms: readonly ScaledTerm[]): number =>
  terms.reduce((most, term) => Math.max(most, largest(term.map) * term.scale), 0)

/**
 * Estimated error, in units of `sAcc`, that rounding weights and bias to integers adds to an output: root of
 * the summed squares of the worst row. Returns Infinity as soon as a row exceeds `tolerance`.
 */
export function roundingError(
  terms: readonly ScaledTerm[],
  bias: Float64Array | undefined,
  sAcc: number,
  tolerance: number,
): number {
  let total = 0
  const limit = tolerance * tolerance
  for (const term of terms) {
    const values = weightsOf(term.map)
    const factor = term.scale / sAcc
    const power = (term.rms / term.scale) ** 2
    const fixed = rowLength(term.map)
    const rowPtr = term.map.kind === "sparse" ? term.map.rowPtr : undefined
    const rows = rowPtr ? rowPtr.length - 1 : fixed ? values.length / fixed : 0
    let worst = 0
    for (let row = 0; row < rows; row++) {
      const start = rowPtr ? rowPtr[row] : row * (fixed ?? 0)
      const end = rowPtr ? rowPtr[row + 1] : start + (fixed ?? 0)
      let sum = 0
      for (let j = start; j < end; j++) {
        const exact = values[j] * factor
        const residual = exact - Math.round(exact)
        if (Math.abs(residual) > same * Math.abs(exact)) sum += residual * residual
      }
      if (sum > worst) {
        worst = sum
        if (total + worst * power > limit) return Number.POSITIVE_INFINITY
      }
    }
    total += worst * power
  }
  let worst = 0
  for (const b of bias ?? []) worst = Math.max(worst, Math.abs(b / sAcc - Math.round(b / sAcc)))
  return Math.sqrt(total + worst * worst)
}

/**
 * The largest real number of which every W·s_in of all terms is an integer multiple below 2^bits, or
 * undefined: with such a quantum an integer map is exact (sums, averages, differences, identity).
 */
export function quantum(terms: readonly ScaledTerm[], bits: number): number | undefined {
  let least = Number.POSITIVE_INFINITY
  for (const { map, scale } of terms)
    for (const w of weightsOf(map)) if (w !== 0) least = Math.min(least, Math.abs(w) * scale)
  if (!Number.isFinite(least)) return undefined
  const multiples = (unit: number) =>
    terms.every(({ map, scale }) =>
      weightsOf(map).every((w) => {
        const ratio = Math.abs((w * scale) / unit)
        return ratio < 2 ** bits && Math.abs(ratio - Math.round(ratio)) <= same * ratio
      }),
    )
  for (let divisor = 1; divisor <= 12; divisor++) if (multiples(least / divisor)) return least / divisor
  return undefined
}

/**
 * Scale of an accumulator that nothing rescales, in real units per integer: the coarsest candidate whose
 * rounding moves no output by more than 2^−(w+2) of its calibrated range.
 */
export function wideScale(
  terms: readonly ScaledTerm[],
  bias: Float64Array | undefined,
  range: Range,
  precision: number,
): number {
  let base = largestFactor(terms)
  for (const b of bias ?? []) if (!terms.length) base = Math.max(base, Math.abs(b))
  if (base === 0) for (const b of bias ?? []) base = Math.max(base, Math.abs(b))
  if (base === 0) return 1
  const reach = Math.max(Math.abs(range.min), Math.abs(range.max)) || base * 2 ** precision
  const allowed = reach / 2 ** (precision + 2)
  const unit = quantum(terms, precision + 2)
  const candidates: number[] = []
  for (let j = 0; j <= 48; j++) {
    if (unit !== undefined) candidates.push(unit / 2 ** j)
    candidates.push(base / 2 ** j)
  }
  candidates.sort((a, b) => b - a)
  for (const s of candidates) if (roundingError(terms, bias, s, allowed / s) * s <= allowed) return s
  return candidates[candidates.length - 1]
}

/** Integer weights round(W·s_in/s_acc). */
export const integerMap = (term: ScaledTerm, sAcc: number): LinearMap =>
  withWeights(term.map, (w) => roundHalfUp((w * term.scale) / sAcc))

/** Integer bias round(b/s_acc) + `rounding` for each of `size` outputs, or undefined when all are zero. */
export function integerBias(
  bias: Float64Array | undefined,
  sAcc: number,
  rounding: number,
  size: number,
): Float64Array | undefined {
  if (!bias && rounding === 0) return undefined
  const out = new Float64Array(size)
  for (let i = 0; i < size; i++) out[i] = roundHalfUp((bias?.[i] ?? 0) / sAcc) + rounding
  return out
}

/** Scale and least integer of an activation: q in [lo, lo + 2^bits − 1] stands for q·scale. */
export interface Grid {
  readonly scale: number
  readonly lo: number
}

/** Grid for requantizing a tensor: symmetric when its static bounds admit negative values. */
export function requantizedGrid(range: Range, precision: number, isSigned: boolean): Grid {
  const top = isSigned ? 2 ** (precision - 1) - 1 : 2 ** precision - 1
  const reach = Math.max(isSigned ? -range.min : 0, range.max)
  return {
    scale: reach > 0 ? Math.max(reach / top, leastScale) : 1,
    lo: isSigned ? -(2 ** (precision - 1)) : 0,
  }
}

/** Real interval [least, most] that an activation's grid covers. */
export interface Span {
  readonly least: number
  readonly most: number
  /** The upper edge may not move up: a coarser scale would let values past a finite bound of the clamp. */
  readonly fixed: boolean
}

/**
 * What the grid of clamp(x, lo, hi), lo < hi, covers for x in `range`: the intersection of both, with zero
 * kept as the edge of a ReLU, and never anything outside [lo, hi], because the edges do the clamping.
 */
export function clampSpan(lo: number, hi: number, range: Range): Span {
  const clip = (x: number) => Math.min(Math.max(x, lo), hi)
  let least = lo === 0 ? 0 : clip(range.min)
  let most = hi === 0 ? 0 : clip(range.max)
  // An interval that is empty, or narrow and far from zero, would ask for a huge offset: widen it.
  const reach = Math.max(Math.abs(range.min), Math.abs(range.max)) || 1
  if (most - least < reach / 16) {
    least = clip(Math.min(least, most - reach / 16))
    if (most - least < reach / 16) most = clip(Math.max(most, least + reach / 16))
  }
  return { least, most, fixed: Number.isFinite(hi) && hi !== 0 }
}

/** Least integer of the grid of scale `scale` over a span; a span that ends at zero ends there exactly. */
export const leastOf = (span: Span, scale: number, precision: number): number =>
  span.most === 0 ? 1 - 2 ** precision : roundHalfUp(span.least / scale)

/** Least positive integers n_i such that scale_i / n_i agree to w + 2 bits: multipliers to a common scale. */
export function commonMultipliers(scales: readonly number[], precision: number): number[] {
  if (!scales.length) return []
  const least = scales.reduce((a, b) => Math.min(a, b))
  // a ratio is at least one, so that from d = 2^(w+1) on no rounding is too coarse
  const isGood = (x: number) =>
    x >= 2 ** (precision + 1) || Math.abs(x - Math.round(x)) <= x * 2 ** -(precision + 2)
  let d = 1
  while (!scales.every((s) => isGood((s / least) * d))) d++
  return scales.map((s) => Math.round((s / least) * d))
}

/** What of the accumulator of a real node is secret. */
export interface Hidden extends Provenance {
  readonly of: TensorId
}

/** Scale of a linear node's integers, its real terms and bias, and what is added for rounding. */
export interface Accumulator {
  readonly terms: readonly ScaledTerm[]
  readonly bias: Float64Array | undefined
  readonly scale: number
  readonly rounding: number
  /** What of it is secret, if anything is. */
  readonly hidden?: Hidden | undefined
}

/** A rounding of weights is accurate enough when it moves an activation by at most this many steps (rms). */
export const weightTolerance = 2.25

/** An accumulator that is rescaled by `shift` bits. */
export type Shifted = Accumulator & { readonly shift: number }

/** The accumulator of an activation of scale `scale`, with half of the last bit added to round. */
export const atShift = (
  terms: readonly ScaledTerm[],
  bias: Float64Array | undefined,
  scale: number,
  shift: number,
): Shifted => ({
  terms,
  bias,
  scale: scale / 2 ** shift,
  rounding: 2 ** (shift - 1),
  shift,
})

/**
 * The shift k of an activation, a multiple of w: the smallest at which the integer weights are neither
 * coarse nor move the result by more than `weightTolerance` steps. Weights that are all multiples of one
 * number stay exact, if the scale may give way for it.
 */
export function chooseShift(
  terms: readonly ScaledTerm[],
  bias: Float64Array | undefined,
  wanted: number,
  precision: number,
  fixed: boolean,
): Shifted {
  const unit = fixed ? undefined : quantum(terms, precision)
  let tried: Shifted | undefined
  for (let shift = precision; shift <= 48; shift += precision) {
    const multiplier = unit === undefined ? 0 : Math.floor((unit / wanted) * 2 ** shift)
    if (unit !== undefined && multiplier >= 8)
      return atShift(terms, bias, (unit / multiplier) * 2 ** shift, shift)
    tried = atShift(terms, bias, wanted, shift)
    if (largestFactor(terms) === 0) break
    if (largestFactor(terms) / tried.scale < 2 ** (precision - 3)) continue
    if (roundingError(terms, bias, tried.scale, weightTolerance * 2 ** shift) <= weightTolerance * 2 ** shift)
      break
  }
  if (!tried) throw new InvariantError("no shift was tried")
  return tried
}
