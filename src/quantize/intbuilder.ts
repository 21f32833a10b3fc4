/** An integer graph under construction: every node gets its static bounds the moment it is added. */
import { Budget } from "../budget.js"
import { ModelError } from "../errors.js"
import { productsOf, weightsOf } from "../ops/linearmap.js"
import {
  type IntNode,
  type LinearMap,
  type LinearNode,
  type Origin,
  productsIn,
  sizeOf,
  type TensorId,
  type TensorInfo,
} from "../ops/program.js"
import { diagonalMap } from "../ops/scaling.js"
import type { Range } from "./calibration/calibrate.js"
import {
  hull,
  type InputRange,
  linearBounds,
  magnitude,
  nodeBounds,
  sumLimit,
  width,
} from "./integers/bounds.js"
import type { Interval } from "./integers/interval.js"
import type { IntTensor } from "./integers/intgraph.js"
import { secretOf } from "./private.js"
import { type Accumulator, integerBias, integerMap, isUsable, quantum, type ScaledTerm } from "./scales.js"

type WithoutOut<T> = T extends unknown ? Omit<T, "out"> : never
export type NewNode = WithoutOut<IntNode>

/** The grid a tensor is requantized to: its scale, its least integer, and whether the scale may get coarser. */
export interface Target {
  readonly wanted: number
  readonly lo: (scale: number) => number
  readonly fixed: boolean
}

export class IntBuilder {
  readonly tensors: IntTensor[] = []
  readonly nodes: IntNode[] = []
  readonly #ranges: Range[] = []
  readonly precision: number
  readonly #budget: Budget

  constructor(precision: number, budget: Budget = new Budget()) {
    this.precision = precision
    this.#budget = budget
  }

  /** What the samples showed of an integer tensor, in real units. */
  range(id: TensorId): Range {
    return this.#ranges[id]
  }

  /** Largest absolute integer a tensor can hold. */
  reach(id: TensorId): number {
    return magnitude(this.tensors[id])
  }

  /** Adds a node; `bounds` are computed unless given. Throws ModelError when integers could outgrow 2^52. */
  add(node: NewNode, info: TensorInfo, scale: number, range: Range, known?: InputRange | Interval): TensorId {
    const out = this.tensors.length
    const whole: IntNode = { ...node, out }
    const size = sizeOf(info.shape)
    checkScale(scale, node.origin)
    // weights, bias, and both bounds
    this.#budget.elements(
      (node.kind === "linear" ? weightsIn(node.terms) : 0) + 3 * size,
      describe(node.origin),
    )
    if (node.kind === "contraction")
      this.#budget.work(boundingSteps * productsIn(node), describe(node.origin))
    const interval =
      known && known.lo instanceof Float64Array
        ? (known as Interval)
        : nodeBounds(
            whole,
            (id) => this.tensors[id],
            size,
            known as InputRange | undefined,
            (id) => this.nodes[id],
          )
    this.nodes.push(whole)
    const { name, shape } = info
    this.tensors.push({ name, shape, scale, lo: interval.lo, hi: interval.hi })
    this.#ranges.push(range)
    return out
  }

  /**
   * The integer linear node of an accumulator, with its bounds; nothing is added to the graph. `peak` is the largest
   * number in it, also once `offset` is added.
   */
  draft(accumulator: Accumulator, origin: Origin, size: number, offset = 0) {
    const { terms, bias, scale, rounding, hidden } = accumulator
    checkScale(scale, origin)
    // weights and their magnitudes; sources, peaks, centres, radii and bounds
    this.#budget.momentary(2 * weightsIn(terms) + 12 * size, describe(origin))
    this.#budget.work(
      terms.reduce((sum, { map }) => sum + boundingSteps * productsOf(map), searchSteps * weightsIn(terms)),
      describe(origin),
    )
    const integers = integerBias(bias, scale, rounding, size)
    const open: Omit<LinearNode, "out"> = {
      kind: "linear",
      terms: terms.map((term) => ({ source: term.source, map: integerMap(term, scale) })),
      ...(integers && { bias: integers }),
      origin,
    }
    const secret = hidden && secretOf(open, hidden, this.precision, rounding)
    const node = {
      ...open,
      ...(secret?.bias && !integers && { bias: new Float64Array(size) }),
      ...(secret && { secret }),
    }
    const bounds = linearBounds(
      { ...node, out: -1 },
      (id) => this.tensors[id],
      size,
      (id) => this.nodes[id],
    )
    const peak = Math.max(bounds.peak, ...hull(bounds).map((x) => Math.abs(x + offset)))
    return { node, bounds, peak }
  }

  /** The scale at which a linear node is exact and its largest integer fits an activation, if there is one. */
  exactScale(node: LinearNode, terms: readonly ScaledTerm[], size: number): number | undefined {
    const { bias, origin } = node
    const scale = quantum(terms, this.precision)
    if (scale === undefined || bias?.some((b) => !Number.isInteger(b / scale))) return undefined
    const { bounds } = this.draft({ terms, bias, scale, rounding: 0 }, origin, size)
    return bounds.peak <= sumLimit && bounds.hi.every((x) => x < 2 ** this.precision) ? scale : undefined
  }

  /** A real term over an integer tensor. */
  term(source: TensorId, map: ScaledTerm["map"]): ScaledTerm {
    const { scale } = this.tensors[source]
    return { source, map, scale, rms: this.range(source).rms }
  }

  /** Whether a tensor's static bounds fit an activation of w bits: signed, unsigned, or a table's output. */
  isNarrow(id: TensorId): boolean {
    const limit = 2 ** this.precision
    return width(this.tensors[id]) < limit && this.reach(id) < limit
  }

  /** One number everywhere. */
  constant(value: number, info: TensorInfo, range: Range, origin: Origin): TensorId {
    const bias = new Float64Array(sizeOf(info.shape)).fill(Math.sign(value) + 0)
    return this.add({ kind: "linear", terms: [], bias, origin }, info, Math.abs(value) || 1, range)
  }

  /** out = source · multiplier: an exact change of scale. */
  multiply(source: TensorId, multiplier: number, origin: Origin): TensorId {
    const { scale, name, shape } = this.tensors[source]
    if (multiplier === 1) return source
    const map = diagonalMap(new Float64Array(sizeOf(shape)).fill(multiplier))
    return this.add(
      { kind: "linear", terms: [{ source, map }], origin },
      { name: `${name}:x${multiplier}`, shape },
      scale / multiplier,
      this.range(source),
    )
  }

  /**
   * Requantizes an integer tensor to w bits by one integer multiplier and a rescale. Unless it is `fixed`,
   * the scale becomes the next coarser one at which the multiplier is exact.
   */
  rescale(source: TensorId, target: Target, info: TensorInfo, range: Range, origin: Origin): TensorId {
    const { wanted, lo, fixed } = target
    const { scale } = this.tensors[source]
    const size = sizeOf(info.shape)
    const reach = this.reach(source)
    checkScale(scale / wanted, origin)
    const outScaleAt = (k: number, m: number) => (fixed ? wanted : (scale / m) * 2 ** k)
    const window = (k: number, m: number) => Math.abs(lo(outScaleAt(k, m))) * 2 ** k
    const { shift, multiplier } = chooseMultiplier(scale / wanted, reach, this.precision, fixed, window)
    const accumulator = this.add(
      {
        kind: "linear",
        terms: [{ source, map: diagonalMap(new Float64Array(size).fill(multiplier)) }],
        bias: new Float64Array(size).fill(2 ** (shift - 1)),
        origin,
      },
      { name: `${info.name}:acc`, shape: info.shape },
      scale / multiplier,
      this.range(source),
    )
    const outScale = outScaleAt(shift, multiplier)
    return this.add(
      { kind: "rescale", source: accumulator, shift, lo: lo(outScale), bits: this.precision, origin },
      info,
      outScale,
      range,
    )
  }

  /**
   * The tensor without its `dropped` lowest bits, rounded to the nearest, and no less than the integer that `least`
   * gives for its scale then. Nothing is cut off above.
   */
  coarser(
    source: TensorId,
    dropped: number,
    info: TensorInfo,
    origin: Origin,
    least: (scale: number) => number = () => Number.NEGATIVE_INFINITY,
  ): TensorId {
    const { scale } = this.tensors[source]
    const size = sizeOf(info.shape)
    // a rescale shifts by at least one bit
    const shift = Math.max(1, dropped)
    const factor = 2 ** (shift - dropped)
    const half = dropped > 0 ? 2 ** (dropped - 1) : 0
    const accumulator = this.add(
      {
        kind: "linear",
        terms: [{ source, map: diagonalMap(new Float64Array(size).fill(factor)) }],
        ...(half > 0 && { bias: new Float64Array(size).fill(half) }),
        origin,
      },
      { name: `${info.name}:acc`, shape: info.shape },
      scale / factor,
      this.range(source),
    )
    const out = scale * 2 ** dropped
    const [bottom, top] = hull(this.tensors[accumulator]).map((x) => Math.floor(x / 2 ** shift))
    const lo = Math.max(bottom, least(out))
    const bits = bitsFor(top - lo)
    return this.add(
      { kind: "rescale", source: accumulator, shift, lo, bits, origin },
      info,
      out,
      this.range(source),
    )
  }
}

/** Bits of an integer, at least one. */
const bitsFor = (x: number): number => Math.ceil(Math.log2(Math.max(1, x) + 1))

/** Passes over the products of a linear node that its bounds take. */
const boundingSteps = 3

/** Passes over the weights of a linear node that the choice of its scale takes, most of them cut short. */
const searchSteps = 16

const describe = ({ name, operator }: Origin): string => `node \`${name}\`, operator \`${operator}\``

/** Weights of all terms of a linear node. */
const weightsIn = (terms: readonly { readonly map: LinearMap }[]): number =>
  terms.reduce((sum, { map }) => sum + weightsOf(map).length, 0)

/** Throws ModelError for a scale that no integer model can have. */
export function checkScale(scale: number, origin: Origin): void {
  if (isUsable(scale)) return
  throw new ModelError({
    what: "the numbers of a tensor are too small or too large to be scaled to integers",
    where: describe(origin),
    expected: "a scale between 2^-1000 and 2^1000",
    given: String(scale),
    fix: "Scale the model's weights and inputs to ordinary sizes",
  })
}

/**
 * Smallest shift, a multiple of w, at which ratio·2^shift is precise enough as an integer: 8 when the scale
 * may adapt (it loses at most an eighth of the resolution), 2^w when it is fixed; less where 2^52 forbids it.
 * `window` is how far the window's least integer moves an accumulator, by shift and multiplier.
 */
function chooseMultiplier(
  ratio: number,
  reach: number,
  precision: number,
  fixed: boolean,
  window: (shift: number, multiplier: number) => number,
) {
  const at = (shift: number) => {
    const exact = ratio * 2 ** shift
    // A ratio that is an integer up to the noise of division must not lose one by the floor.
    return fixed || Math.abs(exact - Math.round(exact)) < 1e-9 * exact ? Math.round(exact) : Math.floor(exact)
  }
  const isWithin = (shift: number, multiplier: number) =>
    multiplier * reach + 2 ** (shift - 1) + window(shift, multiplier) <= sumLimit
  let best = { shift: precision, multiplier: at(precision) }
  for (let shift = precision; shift <= 51 && isWithin(shift, at(shift)); shift += precision) {
    best = { shift, multiplier: at(shift) }
    if (best.multiplier >= (fixed ? 2 ** precision : 8)) break
  }
  // Only a source far wider than its samples gets here too large: then the scale gives way.
  const most = Math.floor((sumLimit - 2 ** (best.shift - 1)) / Math.max(reach, 1))
  let multiplier = Math.max(1, Math.min(best.multiplier, most))
  while (multiplier > 1 && !isWithin(best.shift, multiplier)) multiplier = Math.floor(multiplier / 2)
  return { shift: best.shift, multiplier }
}
