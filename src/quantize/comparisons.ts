/**
 * Comparisons of ranks. A rank is a small whole number (statement/ranks.ts), so nothing is rounded: of ranks r and
 * t, [r ≥ t] is whether r − t + 1 is above zero, and [r < t] whether t − r is. The difference is doubled and
 * shifted by one bit, because a rescale to one bit rounds halves.
 */
import { invariant } from "../errors.js"
import type { CompareNode, TensorId, TensorInfo } from "../ops/program.js"
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
