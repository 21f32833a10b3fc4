/**
 * What the integers of an activation can be, as far as the operators before it say: by that, whether arithmetic in few bits
 * can wrap around. One interval for all elements of a tensor.
 */
import type { DataType } from "../../model/graph.js"
import { applyMap, withWeights } from "../linearmap.js"
import { type LinearMap, type PerKind, perKind, type RealNode, sizeOf, type TensorId } from "../program.js"

/** Least and largest integer. */
export type Interval = readonly [least: number, most: number]

/** What an integer type can hold, if that is integers up to 2^53. */
export function intervalOfType(dtype: DataType): Interval | undefined {
  if (dtype === "bool") return [0, 1]
  const [, unsigned, digits] = /^(u?)int(\d+)$/.exec(dtype) ?? []
  const bits = Number(digits)
  if (!(bits <= 32)) return undefined
  return unsigned ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1]
}

export const isWithin = ([least, most]: Interval, [lo, hi]: Interval): boolean => least >= lo && most <= hi

type Known = (id: TensorId) => Interval | undefined

/** The interval of what a node makes of others; undefined if that is not known. `size` is the number of its elements. */
export const intervalOf = (node: RealNode, known: Known, size: number): Interval | undefined =>
  perKind(intervals, node, known, size)

const hull = (all: readonly (Interval | undefined)[]): Interval | undefined => {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const one of all) {
    if (!one) return undefined
    least = Math.min(least, one[0])
    most = Math.max(most, one[1])
  }
  return least <= most ? [least, most] : undefined
}

function products(x: Interval | undefined, y: Interval | undefined, count: number): Interval | undefined {
  if (!x || !y) return undefined
  return hull(x.flatMap((a) => y.map((b): Interval => [count * a * b + 0, count * a * b + 0])))
}

/** Least and largest weighted sum of each output, added to `least` and `most`. */
function addTerm(map: LinearMap, count: number, [lo, hi]: Interval, least: Float64Array, most: Float64Array) {
  const [lows, highs] = [lo, hi].map((x) => new Float64Array(count).fill(x))
  const positive = withWeights(map, (w) => Math.max(w, 0))
  const negative = withWeights(map, (w) => Math.min(w, 0))
  applyMap(positive, lows, least)
  applyMap(negative, highs, least)
  applyMap(positive, highs, most)
  applyMap(negative, lows, most)
}

const intervals: PerKind<RealNode, [known: Known, size: number], Interval | undefined> = {
  input: () => undefined,
  index: ({ sources, map, fill }, known) =>
    hull([...sources.map(known), ...(map.includes(-1) ? [[fill, fill] as const] : [])]),
  linear({ terms, bias }, known, size) {
    const [least, most] = [bias, bias].map((b) => (b ? b.slice() : new Float64Array(size)))
    for (const { source, map } of terms) {
      const interval = known(source)
      if (!interval) return undefined
      addTerm(map, columnsOf(map), interval, least, most)
    }
    return [least.reduce((a, b) => Math.min(a, b)), most.reduce((a, b) => Math.max(a, b))]
  },
  max: ({ source }, known) => known(source),
  argmax: ({ window }) => [0, window - 1],
  rows: ({ values }) => hull([[0, 0], ...Array.from(values, (x): Interval => [x, x])]),
  top: ({ source, window, gives }, known) => (gives === "values" ? known(source) : [0, window - 1]),
  product: ({ left, right }, known) => products(known(left), known(right), 1),
  contraction: ({ left, right, k }, known) => products(known(left), known(right), k),
  clamp({ source, lo, hi }, known) {
    const [least, most] = known(source) ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
    const clip = (x: number) => Math.min(Math.max(x, lo), hi)
    return Number.isFinite(clip(least)) && Number.isFinite(clip(most)) ? [clip(least), clip(most)] : undefined
  },
  round: ({ lo, hi }) => [lo, hi],
  step: () => [0, 1],
  compare: () => [0, 1],
  function: () => undefined,
  divide: () => undefined,
  root: () => undefined,
  softmax: () => [0, 1],
}

/** Numbers that a map reads at most. */
function columnsOf(map: LinearMap): number {
  if (map.kind === "dense") return map.n * map.k
  if (map.kind === "conv") return map.n * map.inChannels * sizeOf(map.inSize)
  return map.columns.reduce((most, column) => Math.max(most, column + 1), 0)
}
