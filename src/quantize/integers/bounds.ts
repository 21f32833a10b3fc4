/**
 * Static bounds: an interval per element that holds for every admissible input, by interval arithmetic.
 * Nothing here looks at samples, so a proof never rests on calibration. All values are integers in doubles.
 *
 * The rule: whatever a model adds up stays within ±`sumLimit`, so a sum or difference of any two such numbers is
 * a safe integer. It is asked here of every number of every node, for the quantizer's models as for those that
 * come in files; `circuit/link/rows.ts` asks the same of the numbers that rows are composed of. Comparing a rounded
 * result with the limit is enough: rounding is monotone, and whatever is below 2^53 was not rounded.
 */
import { InvariantError, ModelError } from "../../errors.js"
import { applyIntegers, ofWeights, weightCount, withWeights } from "../../ops/linearmap.js"
import {
  type ArgmaxNode,
  type BelowNode,
  type ContractionNode,
  depthOf,
  type IntNode,
  type LinearNode,
  type MaxNode,
  type PerKind,
  perKind,
  type RescaleNode,
  type Secret,
  type SortNode,
  sizeOf,
  type TableNode,
  type TensorId,
  type TensorInfo,
  type Window,
} from "../../ops/program.js"
import { extremesOf } from "./extremes.js"
import type { Interval } from "./interval.js"
import { contractionMost, type Known, linearMost, productMost } from "./normalized.js"

/** Largest magnitude of any integer of a model, and of any partial sum of them: 52 bits. */
export const sumLimit = 2 ** 52 - 1

/** The admissible range of an input tensor: every element lies in [lo, lo + 2^bits). */
export interface InputRange {
  readonly lo: number
  readonly bits: number
}

/** Largest absolute value an interval admits. */
export const magnitude = ({ lo, hi }: Interval): number => {
  let m = 0
  for (let i = 0; i < lo.length; i++) m = Math.max(m, -lo[i], hi[i])
  return m
}

/** The hull of all elements, or of some: smallest lo and largest hi; zeros if there are none. */
export function hull(
  { lo, hi }: Interval,
  elements: Iterable<number> = lo.keys(),
): [least: number, most: number] {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const i of elements) {
    if (lo[i] < least) least = lo[i]
    if (hi[i] > most) most = hi[i]
  }
  return least <= most ? [least, most] : [0, 0]
}

/** Width of the hull of all elements. */
export const width = (interval: Interval): number => {
  const [least, most] = hull(interval)
  return most - least
}

/** Evaluates one linear node on given integers; `size` is the number of outputs. */
function applyLinear(
  { terms, bias }: LinearNode,
  sources: readonly Float64Array[],
  size: number,
): Float64Array {
  const out = new Float64Array(size)
  for (const [i, { map }] of terms.entries()) applyIntegers(map, sources[i], out)
  bias?.forEach((b, i) => {
    out[i] += b
  })
  return out
}

/**
 * Interval and `peak` of a linear node: peak is the largest Σ|W|·max(1,|lo|,|hi|) + |bias| of any output, which
 * bounds every partial sum, and every weight also where its source is always zero. When peak exceeds `sumLimit`
 * the interval is inexact and not to be used.
 */
export function linearBounds(
  node: LinearNode,
  bounds: (tensor: TensorId) => Interval,
  size: number,
  made: Made = unknown,
): Interval & { readonly peak: number } {
  if (node.secret) return secretBounds(node, node.secret, bounds, size)
  const sources = node.terms.map((term) => bounds(term.source))
  const absolute: LinearNode = {
    ...node,
    terms: node.terms.map(({ source, map }) => ({ source, map: withWeights(map, Math.abs) })),
    ...(node.bias && { bias: node.bias.map(Math.abs) }),
  }
  const zip = (f: (lo: number, hi: number) => number) =>
    sources.map(({ lo, hi }) => Float64Array.from(lo, (x, i) => f(x, hi[i])))
  const peaks = applyLinear(
    absolute,
    zip((lo, hi) => Math.max(1, -lo, hi)),
    size,
  )
  let peak = 0
  for (const p of peaks) if (p > peak) peak = p

  // Centre and radius, both doubled to stay integral: [W·(lo+hi) ± |W|·(hi−lo)] / 2. No sum exceeds 2·peak.
  const withoutBias = ({ bias: _, ...rest }: LinearNode): LinearNode => rest
  const centre = applyLinear(
    withoutBias(node),
    zip((lo, hi) => lo + hi),
    size,
  )
  const radius = applyLinear(
    withoutBias(absolute),
    zip((lo, hi) => hi - lo),
    size,
  )
  const lo = new Float64Array(size)
  const hi = new Float64Array(size)
  for (let i = 0; i < size; i++) {
    const bias = node.bias?.[i] ?? 0
    lo[i] = (centre[i] - radius[i]) / 2 + bias
    hi[i] = (centre[i] + radius[i]) / 2 + bias
  }
  if (peak <= sumLimit) narrowTerms(node, bounds, { lo, hi }, made)
  return { lo, hi, peak }
}

/**
 * The same of a node with secrets: of all weights and biases that are in their ranges, so that nothing of those that are
 * is in a bound.
 */
function secretBounds(
  node: LinearNode,
  { weights, bias: range }: Secret,
  bounds: (tensor: TensorId) => Interval,
  size: number,
): Interval & { readonly peak: number } {
  const open = node.terms.filter((_, t) => !weights[t])
  const { secret: _, bias, ...rest } = node
  const known = linearBounds({ ...rest, terms: open, ...(bias && !range && { bias }) }, bounds, size)
  const { lo, hi } = known
  const peaks = new Float64Array(size).fill(known.peak)
  for (const [t, { source, map }] of node.terms.entries()) {
    const window = weights[t]
    if (!window) continue
    const ones = ofWeights(map, new Float64Array(weightCount(map)).fill(1))
    const [least, most] = [window.lo, topOf(window)]
    const x = bounds(source)
    const each = (f: (lo: number, hi: number) => number) => x.lo.map((low, i) => f(low, x.hi[i]))
    const corners = (low: number, high: number) => [least * low, least * high, most * low, most * high]
    applyIntegers(
      ones,
      each((low, high) => Math.min(...corners(low, high))),
      lo,
    )
    applyIntegers(
      ones,
      each((low, high) => Math.max(...corners(low, high))),
      hi,
    )
    const largest = Math.max(-least, most)
    applyIntegers(
      ones,
      each((low, high) => largest * Math.max(1, -low, high)),
      peaks,
    )
  }
  const [least, most] = range ? [range.lo, topOf(range)] : [0, 0]
  let peak = 0
  for (let i = 0; i < size; i++) {
    lo[i] += least
    hi[i] += most
    peak = Math.max(peak, peaks[i] + Math.max(-least, most))
  }
  return { lo, hi, peak }
}

/** The largest integer of a window. */
const topOf = ({ lo, bits }: Window): number => lo + 2 ** bits - 1

/** Takes from an interval of sums what a term cannot reach: what bounds its elements together says more than each alone. */
function narrowTerms(
  node: LinearNode,
  bounds: (tensor: TensorId) => Interval,
  { lo, hi }: Interval,
  made: Made,
): void {
  const most = linearMost(node, lo.length, { bounds, made })
  most?.forEach((together, t) => {
    if (!together) return
    const term = { ...node, terms: [node.terms[t]] }
    const { bias: _, ...alone } = term
    const own = linearBounds(alone, bounds, lo.length)
    for (let i = 0; i < lo.length; i++) {
      const limit = Math.ceil(together[i])
      if (-limit > own.lo[i]) lo[i] += -limit - own.lo[i]
      if (limit < own.hi[i]) hi[i] -= own.hi[i] - limit
    }
  })
}

/** The node that makes a tensor, where that is known. */
type Made = Known["made"]
const unknown: Made = () => undefined

/**
 * Throws the ModelError for a node whose integers could outgrow exact arithmetic, or a lower limit of what reads them;
 * `what` says which integers.
 */
export function tooLarge(
  { origin }: Pick<IntNode, "origin">,
  peak: number,
  what = "its integers",
  limit = sumLimit,
): never {
  const bits = Math.round(Math.log2(limit))
  throw new ModelError({
    what: `\`${origin.operator}\`: ${what} could grow beyond ${bits} bits`,
    where: origin.name,
    expected: `numbers and partial sums of magnitude below 2^${bits}`,
    given: `2^${Math.log2(peak).toFixed(1)}`,
    fix: "Use a lower precision, or samples with a smaller range",
  })
}

/** Throws the ModelError for a node whose table has not one entry for each number that its source can be. */
function unfit({ origin }: IntNode, expected: string, given: string): never {
  throw new ModelError({
    what: `the table of \`${origin.operator}\` does not fit its source`,
    where: origin.name,
    expected,
    given,
  })
}

/** Throws the ModelError for a node whose source can be a number that it is not defined on. */
function outside({ origin }: IntNode, what: string, expected: string, least: number): never {
  throw new ModelError({
    what: `\`${origin.operator}\`: ${what} can be ${least}`,
    where: origin.name,
    expected,
    given: `${least}`,
    fix: "Clamp it before",
  })
}

/** The number itself, which is `what` of a node. Throws the ModelError unless |x| ≤ `sumLimit`. */
function within(node: IntNode, what: string, x: number): number {
  return Math.abs(x) <= sumLimit ? x : tooLarge(node, Math.abs(x), what)
}

/** What moves the window of a rescale node to begin at zero: its gadgets see acc + offset. Throws ModelError. */
export const windowOffset = (node: RescaleNode): number =>
  within(node, "the offset of its window", -node.lo * 2 ** node.shift + 0)

/** Interval of a rescale node's shifted accumulator, which lies in [lo, hi] before. Throws ModelError. */
export function shiftedBounds(node: RescaleNode, lo: number, hi: number): [min: number, max: number] {
  const offset = windowOffset(node)
  const what = "its accumulator with the offset of its window"
  return [within(node, what, lo + offset), within(node, what, hi + offset)]
}

/** Bits of the differences of some elements: the least b with |x − y| < 2^b, at least 1. Throws ModelError. */
export function spreadBits(
  node: MaxNode | ArgmaxNode | SortNode,
  source: Interval,
  elements: Iterable<number>,
): number {
  const [least, most] = hull(source, elements)
  const difference = within(node, "a difference of integers it compares", most - least)
  let b = 1
  while (2 ** b <= difference) b++
  return b
}

/**
 * Interval of each element of a node's output, from the intervals of its sources.
 * Throws ModelError when a number of the node, or any sum or product, could exceed `sumLimit`.
 */
export const nodeBounds = (
  node: IntNode,
  bounds: (tensor: TensorId) => Interval,
  size: number,
  input: InputRange | undefined,
  made: Made = unknown,
): Interval => perKind(intervals, node, bounds, size, input, made)

const intervals: PerKind<
  IntNode,
  [bounds: (tensor: TensorId) => Interval, size: number, input: InputRange | undefined, made: Made],
  Interval
> = {
  input(node, _, size, input) {
    if (!input) throw new InvariantError(`input \`${node.name}\` has no range`)
    const { lo, hi } = unset(size)
    lo.fill(within(node, "its range", input.lo))
    hi.fill(within(node, "its range", input.lo + 2 ** input.bits - 1))
    return { lo, hi }
  },
  index(node, bounds, size) {
    within(node, "its fill", node.fill)
    const all = concat(node.sources.map(bounds))
    const { lo, hi } = unset(size)
    for (let i = 0; i < size; i++) {
      const from = node.map[i]
      lo[i] = from < 0 ? node.fill : all.lo[from]
      hi[i] = from < 0 ? node.fill : all.hi[from]
    }
    return { lo, hi }
  },
  linear(node, bounds, size, _, made) {
    const { peak, ...interval } = linearBounds(node, bounds, size, made)
    if (!(peak <= sumLimit)) tooLarge(node, peak)
    return interval
  },
  product(node, bounds, size, _, made) {
    const [a, b] = [bounds(node.left), bounds(node.right)]
    const peak = magnitude(a) * magnitude(b)
    if (!(peak <= sumLimit)) tooLarge(node, peak)
    const { lo, hi } = unset(size)
    // a square is no product of different corners, and least where its root is nearest to zero
    const isSquare = node.left === node.right
    for (let i = 0; i < size; i++) {
      const nearest = Math.max(a.lo[i], Math.min(a.hi[i], 0))
      const others = isSquare ? [nearest * nearest] : [a.lo[i] * b.hi[i], a.hi[i] * b.lo[i]]
      const corners = [a.lo[i] * b.lo[i], a.hi[i] * b.hi[i], ...others]
      lo[i] = Math.min(...corners) + 0
      hi[i] = Math.max(...corners) + 0
    }
    productMost(node, { bounds, made })?.forEach((most, i) => {
      lo[i] = Math.max(lo[i], -Math.ceil(most)) + 0
      hi[i] = Math.min(hi[i], Math.ceil(most)) + 0
    })
    return { lo, hi }
  },
  contraction(node, bounds, size, _, made) {
    const { peak, lo, hi } = contractionBounds(node, bounds(node.left), bounds(node.right), size)
    if (!(peak <= sumLimit)) tooLarge(node, peak)
    contractionMost(node, { bounds, made })?.forEach((most, i) => {
      lo[i] = Math.max(lo[i], -Math.ceil(most)) + 0
      hi[i] = Math.min(hi[i], Math.ceil(most)) + 0
    })
    return { lo, hi }
  },
  max(node, bounds, size) {
    const source = bounds(node.source)
    const { lo, hi } = unset(size)
    lo.fill(Number.NEGATIVE_INFINITY)
    hi.fill(Number.NEGATIVE_INFINITY)
    for (let j = 0; j < node.map.length; j++) {
      const from = node.map[j]
      if (from < 0) continue
      const i = Math.floor(j / node.window)
      lo[i] = Math.max(lo[i], source.lo[from])
      hi[i] = Math.max(hi[i], source.hi[from])
    }
    checkWindows(node, source, size)
    return { lo, hi }
  },
  argmax(node, bounds, size) {
    checkWindows(node, bounds(node.source), size)
    const { lo, hi } = unset(size)
    return { lo, hi: hi.fill(node.window - 1) }
  },
  rows(node, bounds, size) {
    const { lo: from, width: columns, values } = node
    const [least, most] = hull(bounds(node.source))
    if (from !== least || depthOf(node) !== most - least + 1)
      unfit(node, `${most - least + 1} rows from ${least}`, `${depthOf(node)} rows from ${from}`)
    const { lo, hi } = unset(size)
    for (let j = 0; j < columns; j++) {
      let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
      for (let at = j; at < values.length; at += columns) {
        low = Math.min(low, within(node, "an entry of its table", values[at]))
        high = Math.max(high, values[at])
      }
      for (let i = j; i < size; i += columns) {
        lo[i] = low
        hi[i] = high
      }
    }
    const [smallest, largest] = hull({ lo, hi })
    within(node, "the difference of entries of its table", largest - smallest)
    return { lo, hi }
  },
  sort(node, bounds, size) {
    const { window, count, map } = node
    const source = bounds(node.source)
    const { lo, hi } = unset(size)
    for (let first = 0, at = 0; first < map.length; first += window, at += count + window) {
      const elements = map.subarray(first, first + window)
      spreadBits(node, source, elements)
      // the j-th largest rises with each key
      for (const [to, from] of [
        [lo, source.lo],
        [hi, source.hi],
      ]) {
        const keys = Float64Array.from(elements, (element) => from[element])
        to.set(keys.sort().reverse().subarray(0, count), at)
      }
      lo.fill(count === window ? 1 : 0, at + count, at + count + window)
      hi.fill(1, at + count, at + count + window)
    }
    return { lo, hi }
  },
  rescale(node, bounds, size) {
    const source = bounds(node.source)
    const top = within(node, "its window", node.lo + 2 ** node.bits - 1)
    const apply = (x: number) => Math.min(Math.max(Math.floor(x / 2 ** node.shift), node.lo), top)
    shiftedBounds(node, ...hull(source))
    const { lo, hi } = unset(size)
    for (let i = 0; i < size; i++) {
      lo[i] = apply(source.lo[i])
      hi[i] = apply(source.hi[i])
    }
    return { lo, hi }
  },
  table: (node, bounds, size) => tableBounds(node, bounds(node.source), size),
  quotient(node, bounds, size) {
    const [num, den] = [bounds(node.numerator), bounds(node.denominator)]
    const [least, most] = hull(den)
    if (!(least >= 1)) outside(node, "a denominator", "at least 1", least)
    within(node, "a dividend", 2 * magnitude(num) + 2 * most)
    const { lo, hi } = unset(size)
    const divided = (x: number, y: number) => Math.floor((2 * x + y) / (2 * y))
    for (let i = 0; i < size; i++) {
      // rising in the numerator, and towards 1/2 in the denominator
      lo[i] = Math.min(divided(num.lo[i], den.lo[i]), divided(num.lo[i], den.hi[i])) + 0
      hi[i] = Math.max(divided(num.hi[i], den.lo[i]), divided(num.hi[i], den.hi[i])) + 0
    }
    return { lo, hi }
  },
  below(node, bounds, size) {
    const steps = stepsBelow(node, bounds)
    const [, most] = hull(steps)
    if (node.values.length !== most + 1) unfit(node, `${most + 1} entries`, `${node.values.length} entries`)
    const extremes = extremesOf(node.values)
    for (const y of extremes(0, most)) within(node, "an entry of its table", y)
    const { lo, hi } = unset(size)
    for (let i = 0; i < size; i++) [lo[i], hi[i]] = extremes(steps.lo[i], steps.hi[i])
    return { lo, hi }
  },
  isqrt(node, bounds, size) {
    const source = bounds(node.source)
    const [least, most] = hull(source)
    if (!(least >= 0)) outside(node, "what a root is taken of", "at least 0", least)
    within(node, "what a root is taken of", most)
    const { lo, hi } = unset(size)
    for (let i = 0; i < size; i++) {
      lo[i] = Math.floor(Math.sqrt(source.lo[i]))
      hi[i] = Math.floor(Math.sqrt(source.hi[i]))
    }
    return { lo, hi }
  },
}

/**
 * Interval of a contraction, and `peak`, the largest Σ max|left|·max|right| of any output, which bounds every partial
 * sum. When peak exceeds `sumLimit` the interval is inexact and not to be used.
 */
function contractionBounds(
  { batch, m, k, n }: ContractionNode,
  left: Interval,
  right: Interval,
  size: number,
): Interval & { readonly peak: number } {
  const { lo, hi } = unset(size)
  const peaks = new Float64Array(size)
  for (let row = 0; row < batch * m; row++) {
    for (let inner = 0; inner < k; inner++) {
      const [a, b] = [left.lo[row * k + inner], left.hi[row * k + inner]]
      const from = (Math.floor(row / m) * k + inner) * n
      for (let j = 0; j < n; j++) {
        const [c, d] = [right.lo[from + j], right.hi[from + j]]
        lo[row * n + j] += Math.min(a * c, a * d, b * c, b * d)
        hi[row * n + j] += Math.max(a * c, a * d, b * c, b * d)
        peaks[row * n + j] += Math.max(-a, b) * Math.max(-c, d)
      }
    }
  }
  return { lo, hi, peak: peaks.reduce((most, peak) => Math.max(most, peak), 0) }
}

/** Interval of the quotient of each element of a `below` node. A maximum is no less than what it is the maximum of. */
export function stepsBelow(
  node: Pick<BelowNode, "source" | "maximum" | "owner" | "shift" | "origin">,
  bounds: (tensor: TensorId) => Interval,
): Interval {
  const [x, maximum] = [bounds(node.source), bounds(node.maximum)]
  const { lo, hi } = unset(x.lo.length)
  const step = 2 ** node.shift
  for (let i = 0; i < lo.length; i++) {
    const owner = node.owner[i]
    const most = maximum.hi[owner] - x.lo[i]
    if (!(most <= sumLimit)) tooLarge(node, most, "the distance from its maximum")
    lo[i] = Math.floor(Math.max(0, maximum.lo[owner] - x.hi[i]) / step)
    hi[i] = Math.floor(Math.max(0, most) / step)
  }
  return { lo, hi }
}

/** Room for the bounds of so many elements. */
const unset = (size: number): Interval => ({ lo: new Float64Array(size), hi: new Float64Array(size) })

function checkWindows(node: MaxNode | ArgmaxNode, source: Interval, size: number): void {
  for (let i = 0; i < size; i++) {
    const window = node.map.subarray(i * node.window, (i + 1) * node.window)
    spreadBits(node, source, window.includes(-1) ? window.filter((element) => element >= 0) : window)
  }
}

/**
 * The least and largest entry that each element can reach. Throws ModelError unless the table has
 * exactly one entry for each integer between the least and the largest of all elements of its source.
 */
function tableBounds(node: TableNode, source: Interval, size: number): Interval {
  const [least, most] = hull(source)
  const entries = most - least + 1
  if (node.lo !== least || node.values.length !== entries)
    unfit(node, `${entries} entries from ${least}`, `${node.values.length} entries from ${node.lo}`)
  const extremes = extremesOf(node.values)
  for (const y of extremes(0, node.values.length - 1)) within(node, "an entry of its table", y)
  const { lo, hi } = unset(size)
  for (let i = 0; i < size; i++) [lo[i], hi[i]] = extremes(source.lo[i] - node.lo, source.hi[i] - node.lo)
  return { lo, hi }
}

function concat(sources: readonly Interval[]): Interval {
  if (sources.length === 1) return sources[0]
  const total = sources.reduce((n, s) => n + s.lo.length, 0)
  const all = unset(total)
  let at = 0
  for (const { lo, hi } of sources) {
    all.lo.set(lo, at)
    all.hi.set(hi, at)
    at += lo.length
  }
  return all
}

/** Intervals of all tensors of an integer graph, by tensor id; throws ModelError as `nodeBounds` does. */
export function graphBounds(graph: {
  readonly tensors: readonly TensorInfo[]
  readonly nodes: readonly IntNode[]
  readonly inputs: readonly (InputRange & { readonly tensor: TensorId })[]
}): Interval[] {
  const found: Interval[] = []
  const makers = new Map(graph.nodes.map((node) => [node.out, node]))
  const ranges = new Map(graph.inputs.map((input) => [input.tensor, input]))
  for (const node of graph.nodes) {
    const size = sizeOf(graph.tensors[node.out].shape)
    found[node.out] = nodeBounds(
      node,
      (id) => found[id],
      size,
      ranges.get(node.out),
      (id) => makers.get(id),
    )
  }
  return found
}
