/** Data movement: what is put together has one scale, so sources of others are first brought to the finest by integers. */
import { ModelError } from "../errors.js"
import type { IndexNode, TensorId, TensorInfo } from "../ops/program.js"
import type { Range } from "./calibration/calibrate.js"
import type { IntBuilder } from "./intbuilder.js"
import { roundHalfUp } from "./integers/intgraph.js"
import { commonMultipliers } from "./scales.js"

interface Around {
  readonly sources: readonly TensorId[]
  /** The sources in w bits, for when the common scale would make them too large. */
  readonly narrowed: () => readonly TensorId[]
  /** No integer may be larger. */
  readonly most: number
  readonly precision: number
  readonly info: TensorInfo
  readonly range: Range
}

/** Adds the node over integers. @throws ModelError where the scales of its sources are too far apart. */
export function addMovement(builder: IntBuilder, node: IndexNode, around: Around): TensorId {
  const { most, precision, info, range } = around
  let { sources } = around
  const scaleOf = (id: TensorId) => builder.tensors[id].scale
  let multipliers = commonMultipliers(sources.map(scaleOf), precision)
  const fits = () => sources.every((id, i) => builder.reach(id) * multipliers[i] <= most)
  if (!fits()) {
    sources = around.narrowed()
    multipliers = commonMultipliers(sources.map(scaleOf), precision)
  }
  if (!fits())
    throw new ModelError({
      what: `\`${node.origin.operator}\` joins tensors whose ranges differ too much`,
      where: node.origin.name,
      expected: `scales within a factor 2^${50 - 2 * precision}`,
      given: sources.slice(0, 8).map(scaleOf).join(", "),
      fix: "Scale the model's tensors to similar ranges",
    })
  const scaled = sources.map((id, i) => builder.multiply(id, multipliers[i], node.origin))
  const finest = multipliers.indexOf(multipliers.reduce((a, b) => Math.max(a, b), 0))
  const filled = node.map.includes(-1) && node.fill !== 0
  const scale = scaled.length ? scaleOf(scaled[finest]) : filled ? Math.abs(node.fill) : 1
  const fill = filled ? roundHalfUp(node.fill / scale) : 0
  return builder.add({ ...node, sources: scaled, fill }, info, scale, range)
}
