/**
 * Real program to integer program. One pass in topological order: linear maps absorb all scales into
 * integer weights, clamps become rescales, everything else keeps its meaning; a tensor is requantized only
 * where its integers would grow too wide for the node that reads it.
 */
import { InvariantError } from "../errors.js"
import {
  type ArgmaxNode,
  type ClampNode,
  type ContractionNode,
  type DivideNode,
  type FunctionNode,
  type IndexNode,
  type InputNode,
  type LinearNode,
  type MaxNode,
  type Origin,
  type PerKind,
  type ProductNode,
  type Program,
  perKind,
  type RealNode,
  sizeOf,
  type TensorId,
  type TensorInfo,
  type TopNode,
} from "../ops/program.js"
import { diagonalMap } from "../ops/scaling.js"
import { liveNodes, renumbered, sourcesOf } from "../ops/traversal.js"
import { architectureDigest } from "./architecture.js"
import { integralOn, type Range, type Sample } from "./calibration/calibrate.js"
import { addWindow, isWindow } from "./columns.js"
import { addComparison, addStep } from "./comparisons.js"
import { addBelow, addDescent, type Descent } from "./descent.js"
import { Families } from "./families.js"
import { addRounded, fitted, fittingFactors, type Sum } from "./fit.js"
import { gridOfInput } from "./inputs.js"
import type { IntBuilder, Target } from "./intbuilder.js"
import { sumLimit, width } from "./integers/bounds.js"
import type { IntGraph } from "./integers/intgraph.js"
import { Largest } from "./largest.js"
import { addMovement } from "./movement.js"
import * as opened from "./open.js"
import { secretShift, secretWide } from "./private.js"
import { addSoftmax } from "./probabilities.js"
import type { Provenances } from "./provenance.js"
import { addDivision, addLogarithm, addRoot, type Operand } from "./quotients.js"
import { QuantizeRefusals, standIn } from "./refusals.js"
import { addRounding, sumOfOne } from "./roundings.js"
import {
  type Accumulator,
  atShift,
  chooseShift,
  clampSpan,
  type Hidden,
  largestFactor,
  leastOf,
  requantizedGrid,
  type ScaledTerm,
  wideScale,
} from "./scales.js"
import { addRows, indexDepths, indexGrid } from "./selected.js"
import { distanceOf, isLogOfSums, type Made, ofKind } from "./softmax.js"
import { type Quantized, standing } from "./stands.js"
import { addTable } from "./tables.js"

/** Largest integer that secret weights multiply: what a proof multiplies is wider, and its sums are to fit. */
const mostMultiplied = 2 ** 20

/** Ratio of the ends of a range from which on a logarithm is taken of a root. */
const steepest = 4

export class Quantizer {
  readonly #builder: IntBuilder
  readonly #program: Program
  readonly #ranges: readonly Range[]
  readonly #samples: readonly Sample[]
  readonly #precision: number
  /** Integer tensor that stands for each real one. */
  readonly #found = new Map<TensorId, TensorId>()
  /** Its w-bit version, where a reader needed one. */
  readonly #narrowed = new Map<TensorId, TensorId>()
  /** Requantized sources of tables, by source and grid. */
  readonly #tableInputs = new Map<string, TensorId>()
  readonly #families: Families
  readonly #linear = new Map<TensorId, LinearNode>()
  /** Data movements that give at least two elements for each that they read, all of one tensor. */
  readonly #spreads = new Map<TensorId, IndexNode>()
  /** Maxima that are subtracted from what they are maxima of: narrowed before, it would have to be narrowed again. */
  readonly #distances = new Map<TensorId, FunctionNode>()
  /** Those of them whose distances go to a table as they are, without a grid of their own. */
  readonly #maxima = new Map<TensorId, Descent>()
  readonly #open: opened.Open
  readonly #largest: Largest
  readonly #depths: ReadonlyMap<TensorId, number>
  readonly #divides: boolean
  readonly #made: ReadonlyMap<TensorId, RealNode>
  readonly #inputs: IntGraph["inputs"][number][] = []
  readonly #refusals = new QuantizeRefusals()
  /** Widest magnitude a tensor may have and still be multiplied and rescaled within 2^52. */
  readonly #wideLimit: number
  readonly #secrets: Provenances

  constructor(
    program: Program,
    ranges: readonly Range[],
    samples: readonly Sample[],
    builder: IntBuilder,
    secrets: Provenances,
  ) {
    this.#program = program
    this.#secrets = secrets
    this.#families = new Families(program, ranges)
    this.#ranges = ranges
    this.#samples = samples
    this.#builder = builder
    this.#precision = builder.precision
    this.#depths = indexDepths(program)
    this.#largest = new Largest(builder, program.tensors, ranges)
    this.#wideLimit = 2 ** (50 - builder.precision)
    for (const node of program.nodes) {
      if (node.kind !== "index" || node.sources.length !== 1 || node.map.includes(-1)) continue
      if (node.map.length >= 2 * sizeOf(program.tensors[node.sources[0]].shape))
        this.#spreads.set(node.out, node)
    }
    this.#divides = program.nodes.some(({ kind }) => kind === "divide" || kind === "root")
    this.#made = new Map(program.nodes.map((node) => [node.out, node]))
    this.#open = new opened.Open(program, this.#nodeOf, this.#divides && opened.isFine(builder))
    for (const node of program.nodes) {
      const found = node.kind === "function" ? distanceOf(node.source, this.#nodeOf) : undefined
      if (found && node.kind === "function") this.#distances.set(found.maximum.out, node)
    }
  }

  run(): Quantized {
    for (const node of this.#program.nodes) {
      if (node.kind === "linear") this.#linear.set(node.out, node)
      else
        this.#found.set(
          node.out,
          this.#attempt(node, () => perKind(this.#quantized, node)),
        )
    }
    const outputs = this.#program.outputs.map((each) => ({ ...each, tensor: this.#source(each.tensor) }))
    const { tensors, nodes } = this.#builder
    // a wide sum goes whose readers all took accumulators of their own
    this.#refusals.check(this.#program.name)
    const needed = liveNodes({ nodes, outputs })
    const { name } = this.#program
    const isHiding = this.#secrets.size > 0
    const whole = {
      name,
      precision: this.#precision,
      tensors,
      nodes: needed,
      inputs: this.#inputs,
      outputs,
      ...(isHiding && { program: architectureDigest(this.#program, this.#secrets) }),
    }
    return { graph: renumbered(whole), stands: standing(needed, [this.#found, this.#narrowed]) }
  }

  /** What a node becomes. One that is refused is noted, and stands for itself while others are looked at. */
  #attempt(node: RealNode, make: () => TensorId): TensorId {
    const { out } = node
    const instead = () => standIn(this.#builder, node, this.#program.tensors[out], this.#ranges[out])
    return this.#refusals.attempt(node.origin, make, instead)
  }

  /** The integer tensor that stands for a real one; a linear node is made here, when it is first read. */
  #source(real: TensorId): TensorId {
    const known = this.#found.get(real)
    if (known !== undefined) return known
    const node = this.#linear.get(real)
    if (!node) throw new InvariantError(`tensor ${real} is read before it is written`)
    const made = this.#attempt(node, () =>
      this.#open.streams.has(real) ? this.#stream(node) : this.#wide(node),
    )
    this.#found.set(real, made)
    return made
  }

  /** What normalizations read, in w bits. */
  #stream(node: LinearNode): TensorId {
    const { out, origin } = node
    const direct = this.#hidden(node)
      ? undefined
      : opened.addDirect(
          this.#builder,
          node,
          this.#terms(node, new Set()),
          this.#program.tensors[out],
          this.#ranges[out],
        )
    this.#found.set(out, direct ?? this.#wide(node))
    return direct ?? this.#narrow(out, origin)
  }

  /**
   * The tensor in w bits. A linear node gets a second accumulator for it, since constant weights cost nothing
   * and fewer bits are dropped than from its wide integers.
   */
  #narrow(real: TensorId, origin: Origin): TensorId {
    const known = this.#narrowed.get(real)
    if (known !== undefined) return known
    const builder = this.#builder
    const wide = this.#source(real)
    const node = this.#linear.get(real)
    let made = wide
    const shift = opened.openShift(builder, wide)
    const [from, moved] = [this.#open.movedFrom(real), this.#nodeOf(real, "index")]
    if (shift !== undefined) {
      const { name, shape } = this.#program.tensors[real]
      made = opened.addShifted(builder, wide, shift, { name: `${name}:w${this.#precision}`, shape }, origin)
    } else if (from !== undefined && moved) {
      const sources = [this.#narrow(from, origin)]
      const info = { ...this.#program.tensors[real], name: `${this.#program.tensors[real].name}:narrow` }
      made = builder.add({ ...moved, sources }, info, builder.tensors[sources[0]].scale, this.#ranges[real])
    } else if (!builder.isNarrow(wide)) {
      const info = this.#program.tensors[real]
      const isSigned = builder.tensors[wide].lo.some((x) => x < 0)
      const { scale, lo } = requantizedGrid(this.#ranges[real], this.#precision, isSigned)
      const target = { wanted: scale, lo: () => lo, fixed: false }
      const named = { ...info, name: `${info.name}:w${this.#precision}` }
      made = node
        ? this.#activation(node, target, named, this.#ranges[real], origin)
        : builder.rescale(wide, target, named, this.#ranges[real], origin)
    }
    this.#narrowed.set(real, made)
    return made
  }

  /** The integer tensor of a node; a linear one waits until it is read. */
  readonly #quantized: PerKind<Exclude<RealNode, LinearNode>, [], TensorId> = {
    input: (node) => this.#input(node),
    index: (node) => this.#index(node),
    max: (node) => this.#max(node),
    argmax: (node) => this.#argmax(node),
    rows: (node) =>
      addRows(
        this.#builder,
        node,
        this.#source(node.source),
        this.#program.tensors[node.out],
        this.#ranges[node.out],
      ),
    top: (node) => this.#largest.add(node, this.#within(2 ** 30, node)),
    product: (node) => this.#multiplied(node, 1),
    contraction: (node) => this.#multiplied(node, node.k),
    clamp: (node) => this.#clamp(node),
    step: ({ out, source, origin }) =>
      addStep(this.#builder, this.#source(source), this.#program.tensors[out], this.#ranges[out], origin),
    round: (node) => {
      const { out, source, origin } = node
      const linear = this.#linear.get(source)
      const sum = linear && !this.#hidden(linear) ? linear : sumOfOne(source, this.#sizeOf(source), node)
      const divided = ofKind(this.#made.get(source), "divide")
      const operands = divided && sourcesOf(divided).map((id) => this.#operand(id, origin))
      const what = operands ? { operands } : { sum: this.#sum(sum) }
      return addRounding(this.#builder, node, this.#program.tensors[out], this.#ranges[out], what)
    },
    compare: (node) => addComparison(this.#builder, node, this.#source(node.source), this.#result(node.out)),
    function: (node) => this.#function(node),
    divide: (node) => this.#divide(node),
    softmax: (node) => addSoftmax(this.#builder, node, this.#source(node.source), this.#result(node.out)),
    root: (node) => {
      const { out, source, origin } = node
      const operand = this.#operand(source, origin)
      return addRoot(this.#builder, node, this.#program.tensors[out], this.#ranges[out], operand)
    },
  }

  #operand(real: TensorId, origin: Origin): Operand {
    return {
      info: this.#program.tensors[real],
      range: this.#ranges[real],
      whole: () => this.#ready(real, origin),
      narrow: () => this.#narrow(real, origin),
    }
  }

  #divide(node: DivideNode): TensorId {
    const { out, origin } = node
    const { tensors } = this.#program
    const spread = this.#spreads.get(node.denominator)
    return addDivision(this.#builder, {
      node,
      info: tensors[out],
      range: this.#ranges[out],
      numerator: this.#operand(node.numerator, origin),
      denominator: this.#operand(node.denominator, origin),
      shared: spread && { denominators: this.#operand(spread.sources[0], origin), spread },
    })
  }

  #input({ kind, out, name, origin }: InputNode): TensorId {
    const range = this.#ranges[out]
    const input = this.#program.inputs.find(({ tensor }) => tensor === out)
    const isIntegral = !input?.ranks && integralOn(this.#samples, name)
    const { scale, ...bounds } =
      indexGrid(this.#depths.get(out), input, range) ??
      gridOfInput(input ?? {}, range, this.#precision, isIntegral)
    const tensor = this.#builder.add({ kind, name, origin }, this.#program.tensors[out], scale, range, bounds)
    this.#inputs.push({ name, tensor, ...bounds, ...(input?.ranks && { ranks: input.ranks }) })
    return tensor
  }

  /** The source itself if its integers span no more than `most`, else in w bits. */
  #within(most: number, { source, origin }: MaxNode | ArgmaxNode | TopNode): TensorId {
    const found = this.#source(source)
    return width(this.#builder.tensors[found]) > most ? this.#narrow(source, origin) : found
  }

  #max(node: MaxNode): TensorId {
    const builder = this.#builder
    const { out, ...rest } = node
    const exact = this.#maximum(node)
    if (exact !== undefined) return exact
    // what is exact stays so
    const isExact = this.#linear.get(node.source)?.unit !== undefined
    const source = this.#within(2 ** (this.#distances.has(out) || isExact ? 40 : this.#precision + 2), node)
    const { scale } = builder.tensors[source]
    return builder.add({ ...rest, source }, this.#program.tensors[out], scale, this.#ranges[out])
  }

  #argmax(node: ArgmaxNode): TensorId {
    const { out, ...rest } = node
    const source = this.#within(2 ** 40, node)
    return this.#builder.add({ ...rest, source }, this.#program.tensors[out], 1, this.#ranges[out])
  }

  /** Products of activations, of which so many are added up. */
  #multiplied(node: ProductNode | ContractionNode, count: number): TensorId {
    const { out, ...rest } = node
    const [left, right] = this.#factors(node, count)
    const scale = this.#builder.tensors[left].scale * this.#builder.tensors[right].scale
    return this.#builder.add({ ...rest, left, right }, this.#program.tensors[out], scale, this.#ranges[out])
  }

  #factors(node: ProductNode | ContractionNode, count: number): [left: TensorId, right: TensorId] {
    return fittingFactors(
      this.#builder,
      node,
      { count, limit: Math.min(2 ** 48, this.#wideLimit) },
      {
        whole: (id) => this.#ready(id, node.origin),
        narrow: (id) => this.#narrow(id, node.origin),
      },
    )
  }

  /** The tensor in w bits if it was brought to them and is to be divided or normalized: a result is narrower then. */
  #ready(real: TensorId, origin: Origin): TensorId {
    const narrowed = this.#divides ? this.#narrowed.get(real) : undefined
    if (narrowed !== undefined) return narrowed
    const found = this.#source(real)
    return opened.openShift(this.#builder, found) === undefined ? found : this.#narrow(real, origin)
  }

  /** Real terms of a linear node over the integer tensors that stand for its sources now. */
  #terms(node: LinearNode, narrow: ReadonlySet<TensorId>): ScaledTerm[] {
    return node.terms.map(({ source, map }) => {
      const id = narrow.has(source) ? this.#narrow(source, node.origin) : this.#source(source)
      return this.#builder.term(id, map)
    })
  }

  #sum(node: LinearNode, narrow: readonly TensorId[] = []): Sum {
    const { shape } = this.#program.tensors[node.out]
    return { node, shape, narrow, terms: (of) => this.#terms(node, of) }
  }

  /** What many elements are compared with, as a mean. */
  #rounded(real: TensorId, origin: Origin): TensorId {
    const whole = this.#source(real)
    const terms = this.#linear.get(real)?.terms ?? []
    if (!this.#divides || terms.length === 0) return whole
    return addRounded(this.#builder, whole, {
      info: this.#program.tensors[real],
      range: this.#ranges[real],
      sources: terms.map(({ source }) => this.#source(source)),
      isOfStream: terms.every(({ source }) => this.#open.streams.has(source)),
      origin,
    })
  }

  /** A linear node that nothing rescales: integers as wide as they need to be. */
  #wide(node: LinearNode): TensorId {
    const range = this.#ranges[node.out]
    const { unit } = node
    const hidden = this.#hidden(node)
    if (unit !== undefined) {
      const size = sizeOf(this.#program.tensors[node.out].shape)
      const exact = { terms: this.#terms(node, new Set()), bias: node.bias, scale: unit, rounding: 0 }
      const { node: draft, bounds, peak } = this.#builder.draft(exact, node.origin, size)
      if (peak <= this.#wideLimit)
        return this.#builder.add(draft, this.#program.tensors[node.out], unit, range, bounds)
    }
    const { draft, bounds, accumulator } = fitted<Accumulator>(
      this.#builder,
      this.#sum(node, this.#widest(node)),
      this.#wideLimit,
      (terms) =>
        hidden
          ? secretWide(terms, node.bias, range, this.#precision, hidden)
          : {
              terms,
              bias: node.bias,
              scale: wideScale(terms, node.bias, range, this.#precision),
              rounding: 0,
            },
      (tried) => {
        const finest = tried.terms.length ? largestFactor(tried.terms) : Number.POSITIVE_INFINITY
        return tried.scale * 2 <= finest ? { ...tried, scale: tried.scale * 2 } : undefined
      },
    )
    return this.#builder.add(draft, this.#program.tensors[node.out], accumulator.scale, range, bounds)
  }

  /** A linear node rescaled to w bits: an accumulator of its own, whose weights carry the new scale. */
  #activation(
    node: LinearNode,
    target: Target & { readonly keepExact?: boolean },
    info: TensorInfo,
    range: Range,
    origin: Origin,
  ): TensorId {
    const builder = this.#builder
    const [w, { wanted }] = [this.#precision, target]
    const size = sizeOf(info.shape)
    const hidden = this.#hidden(node)
    const narrow = [
      ...opened.openSources(builder, node, (id) => this.#source(this.#open.movedFrom(id) ?? id)),
      ...this.#widest(node),
    ]
    const { draft, bounds, accumulator } = fitted(
      builder,
      this.#sum(node, narrow),
      sumLimit,
      (terms) => {
        if (hidden) return secretShift(terms, node.bias, wanted, w, target.fixed, hidden)
        const exact = target.keepExact ? builder.exactScale(node, terms, size) : undefined
        if (exact !== undefined) return atShift(terms, node.bias, exact, w)
        return chooseShift(terms, node.bias, wanted, w, target.fixed)
      },
      (tried) =>
        tried.shift > w
          ? { ...atShift(tried.terms, node.bias, wanted, tried.shift - w), hidden: tried.hidden }
          : undefined,
      ({ scale, shift }) => -target.lo(scale * 2 ** shift) * 2 ** shift,
    )
    const open = { node, draft, bounds, accumulator, info, range }
    const made = target.fixed || hidden ? undefined : opened.addOpen(builder, open)
    if (made !== undefined) return made
    const { shift } = accumulator
    const accumulated = { ...info, name: `${info.name}:acc` }
    const source = builder.add(draft, accumulated, accumulator.scale, this.#ranges[node.out], bounds)
    const scale = accumulator.scale * 2 ** shift
    return builder.add(
      { kind: "rescale", source, shift, lo: target.lo(scale), bits: w, origin },
      info,
      scale,
      range,
    )
  }

  /** A clamp: the accumulator of the linear node before it, or one multiplier per element, and a rescale. */
  #clamp(node: ClampNode): TensorId {
    const w = this.#precision
    const info = this.#program.tensors[node.out]
    const range = this.#ranges[node.out]
    // clamp(x, c, c) is c
    if (!(node.lo < node.hi)) return this.#builder.constant(node.lo, info, range, node.origin)
    const span = clampSpan(node.lo, node.hi, this.#ranges[node.source])
    const wanted = (span.most - span.least) / (2 ** w - 1)
    const lo = (scale: number) => leastOf(span, scale, w)
    const isRelu = node.lo === 0 && node.hi === Number.POSITIVE_INFINITY
    const linear = this.#linear.get(node.source)
    if (linear && isWindow(node, linear))
      return addWindow(this.#builder, linear, this.#terms(linear, new Set()), this.#result(node.out))
    if (linear) {
      const target = { wanted, lo, fixed: span.fixed, keepExact: isRelu }
      return this.#activation(linear, target, info, range, node.origin)
    }
    const source = this.#source(node.source)
    const bounds = this.#builder.tensors[source]
    // Nothing to clamp: the same integers.
    const { scale } = bounds
    if (bounds.lo.every((x) => x * scale >= node.lo) && bounds.hi.every((x) => x * scale <= node.hi))
      return source
    // A ReLU of integers that fit w bits keeps them.
    const exact = isRelu && bounds.hi.every((x) => x < 2 ** w)
    const target = { wanted: exact ? scale : wanted, lo, fixed: exact || span.fixed }
    return this.#builder.rescale(source, target, info, range, node.origin)
  }

  readonly #nodeOf: Made = (id, kind) => ofKind(this.#made.get(id), kind)

  /** The maximum of integers whose distances from it a table takes as they are; undefined if none can. */
  #maximum(node: MaxNode): TensorId | undefined {
    const read = this.#distances.get(node.out)
    const given = this.#linear.get(node.source)
    const linear = given && !this.#hidden(given) ? given : undefined
    const terms = linear
      ? this.#terms(linear, new Set())
      : [
          this.#builder.term(
            this.#source(node.source),
            diagonalMap(new Float64Array(this.#sizeOf(node.source)).fill(1)),
          ),
        ]
    const found =
      read &&
      addDescent(this.#builder, node, {
        terms,
        bias: linear?.bias,
        info: this.#program.tensors[node.source],
        maxima: this.#program.tensors[node.out],
        range: this.#ranges[node.source],
        read,
        distances: this.#ranges[read.source],
      })
    if (!found) return undefined
    this.#maxima.set(node.out, found)
    // whatever else reads them may as well read these
    if (!this.#found.has(node.source)) this.#found.set(node.source, found.source)
    return found.maximum
  }

  /** What of a linear node is secret, if anything is. */
  #hidden({ out }: LinearNode): Hidden | undefined {
    const provenance = this.#secrets.get(out)
    return provenance && { ...provenance, of: out }
  }

  /** Sources that secret weights multiply, and that are too wide for that as they are. */
  #widest(node: LinearNode): TensorId[] {
    const made = this.#hidden(node)?.terms ?? []
    const sources = node.terms.filter((_, t) => made[t]).map(({ source }) => source)
    return sources.filter((source) => this.#builder.reach(this.#source(source)) > mostMultiplied)
  }

  #sizeOf(real: TensorId): number {
    return sizeOf(this.#program.tensors[real].shape)
  }

  #result(out: TensorId) {
    return { info: this.#program.tensors[out], range: this.#ranges[out] }
  }

  /** A function of one variable: a table of its source, which several tables may share. */
  #function(node: FunctionNode): TensorId {
    const { source, origin } = node
    const info = this.#program.tensors[node.out]
    const distance = distanceOf(source, this.#nodeOf)
    const descent = distance && this.#maxima.get(distance.maximum.out)
    if (descent)
      return addBelow(this.#builder, node, descent, {
        owner: distance.owner,
        info,
        range: this.#ranges[node.out],
        distances: this.#ranges[source],
      })
    const { min, max } = this.#ranges[source]
    if (min > 0 && max > steepest * min && isLogOfSums(node, this.#nodeOf))
      return addLogarithm(this.#builder, node, info, this.#ranges[node.out], this.#operand(source, origin))
    const linear = this.#linear.get(source)
    const range = this.#families.range(source, this.#ranges[source])
    const requantize = (target: Target): TensorId => {
      const key = `${source}:${target.wanted}:${target.lo(target.wanted)}`
      const named = { ...this.#program.tensors[source], name: `${info.name}:in` }
      const make = (grid: Target): TensorId =>
        linear
          ? this.#activation(linear, grid, named, range, origin)
          : this.#builder.rescale(this.#source(source), grid, named, range, origin)
      const made =
        this.#tableInputs.get(key) ??
        this.#families.requantized(source, target, make, (id) => this.#builder.tensors[id].scale)
      this.#tableInputs.set(key, made)
      return made
    }
    const whole = linear ? undefined : this.#source(source)
    const isShared = this.#families.isShared(source)
    return addTable(this.#builder, node, info, this.#ranges[node.out], { range, whole, requantize, isShared })
  }

  #index(node: IndexNode): TensorId {
    const spread = this.#spreads.get(node.out)
    return addMovement(this.#builder, node, {
      sources: node.sources.map((id) => (spread ? this.#rounded(id, node.origin) : this.#source(id))),
      narrowed: () => node.sources.map((id) => this.#narrow(id, node.origin)),
      most: this.#wideLimit,
      precision: this.#precision,
      info: this.#program.tensors[node.out],
      range: this.#ranges[node.out],
    })
  }
}
