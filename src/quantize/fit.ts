/** Accumulators that fit: what gives way where the sums of a linear node could grow too large. */
import {
  type ContractionNode,
  type LinearNode,
  type Origin,
  type ProductNode,
  sizeOf,
  type TensorId,
  type TensorInfo,
} from "../ops/program.js"
import type { Range } from "./calibration/calibrate.js"
import type { IntBuilder } from "./intbuilder.js"
import { tooLarge } from "./integers/bounds.js"
import type { Accumulator, ScaledTerm } from "./scales.js"

/** A linear node, and the terms it has over the integers that stand for its sources, some of them narrowed to w bits. */
export interface Sum {
  readonly node: LinearNode
  readonly shape: readonly number[]
  readonly terms: (narrow: ReadonlySet<TensorId>) => ScaledTerm[]
  /** Sources that are narrowed in any case. */
  readonly narrow: readonly TensorId[]
}

/**
 * Drafts an accumulator; while its sums could exceed `limit`, also once the window is moved by `offset`,
 * requantizes its widest source, then lets `coarser` give up resolution, and at last throws ModelError.
 */
export function fitted<T extends Accumulator>(
  builder: IntBuilder,
  { node, shape, terms, narrow: first }: Sum,
  limit: number,
  choose: (terms: ScaledTerm[]) => T,
  coarser: (tried: T) => T | undefined,
  offset: (tried: T) => number = () => 0,
) {
  const size = sizeOf(shape)
  const narrow = new Set(first)
  let accumulator = choose(terms(narrow))
  for (;;) {
    const moved = offset(accumulator)
    const { node: draft, bounds, peak } = builder.draft(accumulator, node.origin, size, moved)
    if (peak <= limit) return { draft, bounds, accumulator }
    // narrower sources do not move a window
    const widest = (Math.abs(moved) > limit / 2 ? [] : node.terms)
      .map(({ source }, i) => ({ source, id: accumulator.terms[i].source }))
      .filter(({ source, id }) => !narrow.has(source) && !builder.isNarrow(id))
      .sort((a, b) => builder.reach(b.id) - builder.reach(a.id))[0]
    if (widest) narrow.add(widest.source)
    const next = widest ? choose(terms(narrow)) : coarser(accumulator)
    if (!next) return tooLarge(draft, peak, "its integers", limit)
    accumulator = next
  }
}

/** A mean: what samples showed of it, what it is made from, and whether that is narrow already. */
interface Mean {
  readonly info: TensorInfo
  readonly range: Range
  readonly sources: readonly TensorId[]
  readonly isOfStream: boolean
  readonly origin: Origin
}

/**
 * What many elements are compared with: with two bits more than what it is made from and than w, and no more, for each of
 * theirs would have them too.
 */
export function addRounded(builder: IntBuilder, whole: TensorId, mean: Mean): TensorId {
  const { info, range, sources, isOfStream, origin } = mean
  const finest = sources.reduce(
    (least, id) => Math.min(least, builder.tensors[id].scale),
    Number.POSITIVE_INFINITY,
  )
  const own = isOfStream ? finest : Math.max(-range.min, range.max) / 2 ** builder.precision
  const dropped = Math.floor(Math.log2(Math.min(finest, own) / 4 / builder.tensors[whole].scale))
  if (dropped < 1) return whole
  return builder.coarser(whole, dropped, { ...info, name: `${info.name}:rounded` }, origin)
}

/** Integers of a real tensor, as they are or in w bits. */
interface Integers {
  readonly whole: (real: TensorId) => TensorId
  readonly narrow: (real: TensorId) => TensorId
}

/** Integer tensors for both factors, `count` products of which still fit when they are added and rescaled. */
export function fittingFactors(
  builder: IntBuilder,
  node: ProductNode | ContractionNode,
  { count, limit }: { readonly count: number; readonly limit: number },
  { whole, narrow }: Integers,
): [left: TensorId, right: TensorId] {
  let [left, right] = [whole(node.left), whole(node.right)]
  const peak = () => count * builder.reach(left) * builder.reach(right)
  // A square stays one, or its bounds would not know that it is not negative.
  if (node.kind === "product" && node.left === node.right && peak() > limit) left = right = narrow(node.left)
  // The wider operand first: one requantization is often enough.
  if (peak() > limit && builder.reach(left) >= builder.reach(right)) left = narrow(node.left)
  if (peak() > limit) right = narrow(node.right)
  if (peak() > limit) left = narrow(node.left)
  return [left, right]
}
