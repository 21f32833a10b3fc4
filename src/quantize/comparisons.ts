/**
 * Comparisons of ranks. A rank is a small whole number (statement/ranks.ts), so nothing is rounded: of ranks r and
 * t, [r ≥ t] is whether r − t + 1 is above zero, and [r < t] whether t − r is. The difference is doubled and
 * shifted by one bit, because a rescale to one bit rounds halves.
 */
import { invariant } from "../errors.js"
import type { CompareNode, Origin, TensorId, TensorInfo } from "../ops/program.js"
import { diagonalMap } from "../ops/scaling.js"
import type { Range } from "./calibration/calibrate.js"
import type { IntBuilder } from "./intbuilder.js"

/** Adds whether each rank of `source` is at least (`below`: is less than) that of the node; bits of scale 1. */
export function addComparison(
  builder: IntBuilder,
  { ranks, below, origin }: CompareNode,
  source: TensorId,
  { info, range }: { info: TensorInfo; range: Range },
): TensorId {
  invariant(ranks, "a comparison is of ranks, or was made a step")
  const map = diagonalMap(new Float64Array(ranks.length).fill(below ? -2 : 2))
  const bias = ranks.map((rank) => (below ? 2 * rank : 2 - 2 * rank))
  const draft = { kind: "linear", terms: [{ source, map }], bias, origin } as const
  const named = { ...info, name: `${info.name}:acc` }
  const difference = builder.add(draft, named, 0.5, { min: -1, max: 1, rms: 1 })
  return builder.add(
    { kind: "rescale", source: difference, shift: 1, lo: 0, bits: 1, origin },
    info,
    1,
    range,
  )
}

/** Adds whether an integer is at least one, whatever its scale: [x > 0] loses nothing. */
export function addStep(
  builder: IntBuilder,
  source: TensorId,
  info: TensorInfo,
  range: Range,
  origin: Origin,
): TensorId {
  const doubled = builder.multiply(source, 2, origin)
  return builder.add({ kind: "rescale", source: doubled, shift: 1, lo: 0, bits: 1, origin }, info, 1, range)
}
