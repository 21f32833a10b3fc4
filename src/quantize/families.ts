/**
 * Steps of something unrolled apply the same functions, each to a tensor of its own. Tables of one grid are one table of
 * the circuit, so those steps have one grid: the range of all of them, and the scale that the first of them takes. Only
 * where their ranges are alike, for in a loop whose numbers grow the first steps would lose what later ones enlarge.
 */
import type { Program, TensorId } from "../ops/program.js"
import type { Range } from "./calibration/calibrate.js"
import type { Target } from "./intbuilder.js"

/** How many times as large as one of them the range of all may be. */
const mostGrowth = 8

/** Tensors of a family whose ranges are alike. */
interface Kin {
  readonly id: number
  readonly members: TensorId[]
  range: Range
}

const reach = ({ min, max }: Range): number => Math.max(-min, max)

const joined = (a: Range, b: Range): Range => ({
  min: Math.min(a.min, b.min),
  max: Math.max(a.max, b.max),
  rms: Math.max(a.rms, b.rms),
})

/** What tables of one family have in common. */
export class Families {
  readonly #kin = new Map<TensorId, Kin>()
  /** The scale that the first of some relatives took for a target. */
  readonly #scales = new Map<string, number>()

  constructor({ nodes, tensors }: Program, ranges: readonly Range[]) {
    const last = new Map<number, Kin>()
    const least = new Map<Kin, number>()
    let count = 0
    for (const node of nodes) {
      if (node.kind !== "function" || this.#kin.has(node.source)) continue
      const { family } = tensors[node.source]
      if (family === undefined) continue
      const range = ranges[node.source]
      const before = last.get(family)
      const all = before ? joined(before.range, range) : range
      const smallest = Math.min(reach(range), (before && least.get(before)) ?? Number.POSITIVE_INFINITY)
      const isAlike = before !== undefined && reach(all) <= mostGrowth * smallest
      const kin = isAlike ? before : { id: count++, members: [], range }
      kin.range = isAlike ? all : range
      least.set(kin, isAlike ? smallest : reach(range))
      kin.members.push(node.source)
      last.set(family, kin)
      this.#kin.set(node.source, kin)
    }
  }

  /** The range of a tensor, or of all its relatives. */
  range(tensor: TensorId, own: Range): Range {
    return this.#kin.get(tensor)?.range ?? own
  }

  /** The target of a tensor, with the scale that a relative took for the same one; `make` says which it became. */
  requantized(
    tensor: TensorId,
    target: Target,
    make: (target: Target) => TensorId,
    scaleOf: (made: TensorId) => number,
  ): TensorId {
    const kin = this.#kin.get(tensor)
    if (!kin || kin.members.length < 2) return make(target)
    const key = `${kin.id}:${target.wanted}:${target.lo(target.wanted)}`
    const taken = this.#scales.get(key)
    const made = make(taken === undefined ? target : { ...target, wanted: taken, fixed: true })
    if (taken === undefined) this.#scales.set(key, scaleOf(made))
    return made
  }
}
