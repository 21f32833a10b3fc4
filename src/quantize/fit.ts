/** Accumulators that fit: what gives way where the sums of a linear node could grow too large. */
import { type LinearNode, sizeOf, type TensorId } from "../ops/program.js"
import type { IntBuilder } from "./intbuilder.js"
import { tooLarge } from "./integers/bounds.js"
import type { Accumulator, ScaledTerm } from "./scales.js"

/** A linear node, and the terms it has over the integers that stand for its sources, some of them narrowed to w bits. */
export interface Sum {
  readonly node: LinearNode
  readonly shape: readonly number[]
  readonly terms: (narrow: ReadonlySet<TensorId>) => ScaledTerm[]
}

/**
 * Drafts an accumulator; while its sums could exceed `limit`, also once the window is moved by `offset`,
 * requantizes its widest source, then lets `coarser` give up resolution, and at last throws ModelError.
 */
export function fitted<T extends Accumulator>(
  builder: IntBuilder,
  { node, shape, terms }: Sum,
  limit: number,
  choose: (terms: ScaledTerm[]) => T,
  coarser: (tried: T) => T | undefined,
  offset: (tried: T) => number = () => 0,
) {
  const size = sizeOf(shape)
  const narrow = new Set<TensorId>()
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
