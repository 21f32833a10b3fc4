/**
 * Steps of something unrolled apply the same functions, each to a tensor of its own. Tables of one grid are one table of
 * the circuit, so those steps have one grid: the range of all of them, and the scale that the first of them takes. Only
 * where their ranges are alike, for in a loop whose numbers grow the first steps would lose what later ones enlarge.
 */
import type { Program, TensorId } from "../ops/program.js"
import type { Range } from "./calibration/calibrate.js"
import type { Target } from "./intbuilder.js"

/** How many times as large as that of one step the range of all may be, and as that of one family the range of several. */
const mostGrowth = { steps: 8, families: 2 }

/** Tensors whose ranges are alike. */
interface Kin {
  readonly id: number
  members: number
  range: Range
  /** Of the member with the least range. */
  least: number
}

const reach = ({ min, max }: Range): number => Math.max(-min, max)

const joined = (a: Range, b: Range): Range => ({
  min: Math.min(a.min, b.min),
  max: Math.max(a.max, b.max),
  rms: Math.max(a.rms, b.rms),
})

/** Takes `other` in, if no range becomes more than `growth` times as large. */
function adopts(kin: Kin, other: Kin, growth: number): boolean {
  const range = joined(kin.range, other.range)
  const least = Math.min(kin.least, other.least)
  if (reach(range) > growth * least) return false
  kin.members += other.members
  kin.range = range
  kin.least = least
  return true
}

/** What tables of one family have in common, or of several that apply the same function. */
export class Families {
  readonly #kin = new Map<TensorId, Kin>()
  /** The scale that the first of some relatives took for a target. */
  readonly #scales = new Map<string, number>()

  constructor({ nodes, tensors }: Program, ranges: readonly Range[]) {
    const last = new Map<number, Kin>()
    const formulas = new Map<Kin, string>()
    const families = new Map<TensorId, Kin>()
    for (const node of nodes) {
      if (node.kind !== "function" || families.has(node.source)) continue
      const { family } = tensors[node.source]
      if (family === undefined) continue
      const range = ranges[node.source]
      const own: Kin = { id: formulas.size, members: 1, range, least: reach(range) }
      const before = last.get(family)
      const kin = before && adopts(before, own, mostGrowth.steps) ? before : own
      if (kin === own) formulas.set(own, JSON.stringify(node.formula))
      last.set(family, kin)
      families.set(node.source, kin)
    }
    // families that apply one function are one, where their ranges hardly differ
    const clans = new Map<string, Kin[]>()
    const clanOf = new Map<Kin, Kin>()
    for (const [kin, formula] of formulas) {
      const known = clans.get(formula) ?? []
      clans.set(formula, known)
      // a family whose own steps differ by more is as wide for all of them already
      const whole = { ...kin, least: reach(kin.range) }
      const found = known.find((clan) => adopts(clan, whole, mostGrowth.families))
      if (!found) known.push(whole)
      clanOf.set(kin, found ?? whole)
    }
    for (const [tensor, kin] of families) this.#kin.set(tensor, clanOf.get(kin) ?? kin)
  }

  /** The range of a tensor, or of all its relatives. */
  range(tensor: TensorId, own: Range): Range {
    return this.#kin.get(tensor)?.range ?? own
  }

  /** Whether a tensor has relatives. */
  isShared(tensor: TensorId): boolean {
    return (this.#kin.get(tensor)?.members ?? 1) > 1
  }

  /** The target of a tensor, with the scale that a relative took for the same one; `make` says which it became. */
  requantized(
    tensor: TensorId,
    target: Target,
    make: (target: Target) => TensorId,
    scaleOf: (made: TensorId) => number,
  ): TensorId {
    const kin = this.#kin.get(tensor)
    if (!kin || !this.isShared(tensor)) return make(target)
    const key = `${kin.id}:${target.wanted}:${target.lo(target.wanted)}`
    const taken = this.#scales.get(key)
    const made = make(taken === undefined ? target : { ...target, wanted: taken, fixed: true })
    if (taken === undefined) this.#scales.set(key, scaleOf(made))
    return made
  }
}
