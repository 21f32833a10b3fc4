/** What lowering passes between operators: constants and activations with static shapes, and the program under construction. */
import type { Budget } from "../../budget.js"
import type { DataType } from "../../model/graph.js"
import { apply, type FunctionName, functionOf, roundHalfEven, variable } from "../formula.js"
import { productsOf, weightsOf } from "../linearmap.js"
import {
  type CompareNode,
  type ContractionNode,
  compared,
  type LinearNode,
  minusInfinity,
  type Origin,
  productsIn,
  type RealNode,
  sizeOf,
  type TensorId,
  type TensorInfo,
} from "../program.js"
import { type Interval, intervalOf, intervalOfType } from "./intervals.js"
import { diagonal, selection } from "./maps.js"
import { broadcastMap, type Ledger, narrow, numbers, sameShape, unsupported } from "./shapes.js"
import { gatherConstants, onlyActivations, sizesOf, uniformFill, usedSources } from "./sources.js"
import { type Activation, constant, isConstant, isInteger, isIntegral, type Value } from "./values.js"

type WithoutOut<T> = T extends { out: TensorId } ? Omit<T, "out" | "origin"> : never

/** A summand of an elementwise combination. */
export interface Term {
  readonly value: Value
  /** One factor, or one per element. */
  readonly factor: number | Float64Array
}

/** A step of something unrolled: what its tensors' names end in, and how many of each kind it has made. */
interface Step {
  readonly path: number
  readonly suffix: string
  readonly made: Map<string, number>
}

/** What a node costs each time that it is unrolled, besides its elements. */
const unrolled = { elements: 256, work: 4096 }

/** Most elements of all sources of a data movement: what an index map can name. */
const mostIndexed = 2 ** 31 - 1

/** The program under construction, and the node being lowered. */
export class Builder implements Ledger {
  readonly tensors: TensorInfo[] = []
  readonly nodes: RealNode[] = []
  readonly #intervals = new Map<TensorId, Interval>()
  origin: Origin = { name: "", operator: "" }
  /** The node being lowered, for errors of the budget. */
  where = ""
  /** Name of the tensors that the node being lowered makes. */
  outputName = ""
  #step: Step | undefined
  readonly #numbers = new Map<string, number>()

  constructor(private readonly budget: Budget) {}

  hold(elements: number): void {
    this.budget.elements(elements, this.where)
  }

  work(steps: number): void {
    this.budget.work(steps, this.where)
  }

  /** Charges nodes that are about to be lowered once more. */
  unroll(nodes: number): void {
    this.hold(nodes * unrolled.elements)
    this.work(nodes * unrolled.work)
  }

  /** Lowers step `index` of those of `name`, which are alike: tensors that a node makes in each are a family. */
  inStep<T>(name: string, index: number, lower: () => T): T {
    const outer = this.#step
    this.unroll(1)
    const path = this.#numberOf(`${outer?.path ?? ""}/${name}`)
    this.#step = { path, suffix: `${outer?.suffix ?? ""}[${index}]`, made: new Map() }
    try {
      return lower()
    } finally {
      this.#step = outer
    }
  }

  /** The number of a text, the same for the same text. */
  #numberOf(text: string): number {
    const known = this.#numbers.get(text)
    if (known !== undefined) return known
    this.#numbers.set(text, this.#numbers.size)
    return this.#numbers.size - 1
  }

  /** Name and family of a tensor that a node of this kind makes. */
  #describe(kind: string): Pick<TensorInfo, "name" | "family"> {
    const step = this.#step
    if (!step) return { name: this.outputName }
    this.unroll(1)
    this.hold(narrow(this.outputName.length + this.origin.name.length + step.suffix.length))
    // a sum of one product is that product
    const sort = kind === "product" ? "linear" : kind
    const key = `${step.path}/${sort}/${this.origin.name}/${this.outputName}`
    const before = step.made.get(key) ?? 0
    step.made.set(key, before + 1)
    return { name: this.outputName + step.suffix, family: this.#numberOf(`${key}/${before}`) }
  }

  /** Appends a primitive and returns its output. */
  emit(given: WithoutOut<RealNode>, shape: readonly number[], dtype: DataType, integral = false): Activation {
    this.hold(sizeOf(shape))
    const node = withMasks(given)
    if (node.kind === "linear") {
      const finite = node.terms.every(({ map }) => allFinite(map.kind === "sparse" ? map.values : map.weight))
      if (!finite || !allFinite(node.bias ?? [])) unsupported("a weight or bias is not a finite number")
    }
    if (node.kind === "clamp" && !(node.lo < Number.POSITIVE_INFINITY && node.hi > Number.NEGATIVE_INFINITY))
      unsupported(`a clamp to [${node.lo}, ${node.hi}]`)
    if (node.kind === "index" && !Number.isFinite(node.fill))
      unsupported(`elements filled with \`${node.fill}\``)
    const out = this.tensors.push({ ...this.#describe(node.kind), shape }) - 1
    const made = { ...node, out, origin: this.origin } as RealNode
    this.nodes.push(made)
    if (integral || isInteger(dtype)) this.#bound(made, shape, dtype)
    return { shape, dtype, tensor: out, integral }
  }

  /** What an activation of integers can be; undefined if that is not known. */
  intervalOf(value: Value): Interval | undefined {
    if (!isConstant(value)) return this.#intervals.get(value.tensor)
    return [value.constant.reduce((a, b) => Math.min(a, b)), value.constant.reduce((a, b) => Math.max(a, b))]
  }

  #bound(node: RealNode, shape: readonly number[], dtype: DataType): void {
    if (node.kind === "linear")
      for (const { map } of node.terms) {
        this.work(4 * productsOf(map))
        this.hold(weightsOf(map).length)
      }
    const known = (id: TensorId) => this.#intervals.get(id)
    const interval = node.kind === "input" ? intervalOfType(dtype) : intervalOf(node, known, sizeOf(shape))
    if (interval) this.#intervals.set(node.out, interval)
  }

  /** Data movement: element i is element map[i] of the concatenated sources, or `fill` where map[i] is −1. */
  move(sources: readonly Value[], map: Int32Array, shape: readonly number[], fill = 0): Value {
    const { dtype } = sources[0]
    const total = sizesOf(sources).reduce((sum, size) => sum + size, 0)
    if (total > mostIndexed) unsupported(`${total} elements are moved (at most ${mostIndexed})`)
    const used = usedSources(sources, map)
    const live = sources.filter((source, s): source is Activation => used[s] && !isConstant(source))
    const constants = () => {
      this.hold(map.length)
      return gatherConstants(sources, map, fill)
    }
    if (live.length === 0) return constant(shape, constants(), dtype)
    if (sources.length > 1) this.hold(narrow(map.length))
    const integral = Number.isInteger(fill) && sources.every((source, s) => !used[s] || isIntegral(source))
    const compact = onlyActivations(sources, used, map)
    const uniform = uniformFill(sources, map, fill)
    if (uniform !== undefined) {
      const ids = live.map((source) => source.tensor)
      return this.emit({ kind: "index", sources: ids, map: compact, fill: uniform }, shape, dtype, integral)
    }
    // several constants among activations: selections of the activations, with the constants as bias
    const bias = constants()
    let end = 0
    const terms = sizesOf(live).map((size, s) => {
      end += size
      return { source: live[s].tensor, map: selection(this, compact, end - size, end) }
    })
    return this.emit({ kind: "linear", terms, bias }, shape, dtype, integral)
  }

  /** A value broadcast to a shape; unchanged if it has that shape. */
  broadcast(value: Value, shape: readonly number[]): Value {
    return sameShape(value.shape, shape)
      ? value
      : this.move([value], broadcastMap(this, value.shape, shape), shape)
  }

  /** Σ maps of activations + bias. */
  linear(
    terms: LinearNode["terms"],
    shape: readonly number[],
    dtype: DataType,
    bias?: Float64Array,
    integral = false,
  ): Activation {
    const used = bias?.some((b) => b !== 0) ? { bias } : {}
    return this.emit({ kind: "linear", terms, ...used }, shape, dtype, integral)
  }

  /** Σ factor·value + offset, elementwise; all values have the shape and type of the first. */
  combine(terms: readonly Term[], offset = 0): Value {
    const { shape, dtype } = terms[0].value
    const size = sizeOf(shape)
    const bias = numbers(this, size).fill(offset)
    const factors = new Map<TensorId, Float64Array>()
    for (const { value, factor } of terms) {
      if (isConstant(value)) addScaled(bias, factor, value.constant)
      else {
        const sum = factors.get(value.tensor) ?? numbers(this, size)
        factors.set(value.tensor, sum)
        addScaled(sum, factor)
      }
    }
    if (factors.size === 0) return constant(shape, bias, dtype)
    const maps = [...factors].map(([source, factor]) => ({ source, map: diagonal(this, factor) }))
    const integral =
      terms.every(({ value }) => isIntegral(value)) &&
      bias.every(Number.isInteger) &&
      maps.every(({ map }) => map.values.every(Number.isInteger))
    return this.linear(maps, shape, dtype, bias, integral)
  }

  /** Elementwise product of two values of one shape. */
  product(x: Value, y: Value): Value {
    if (isConstant(x)) return this.combine([{ value: y, factor: x.constant }])
    if (isConstant(y)) return this.combine([{ value: x, factor: y.constant }])
    const integral = isIntegral(x) && isIntegral(y)
    return this.emit({ kind: "product", left: x.tensor, right: y.tensor }, x.shape, x.dtype, integral)
  }

  /** Products of the matrices of two activations, [batch, m, k] and [batch, k, n] whatever their shapes: [batch, m, n]. */
  contraction(x: Value, y: Value, sizes: Pick<ContractionNode, "batch" | "m" | "k" | "n">): Activation {
    if (isConstant(x) || isConstant(y)) return unsupported("a product of activations with constants")
    this.work(productsIn(sizes))
    const integral = isIntegral(x) && isIntegral(y)
    const shape = [sizes.batch, sizes.m, sizes.n]
    return this.emit(
      { kind: "contraction", left: x.tensor, right: y.tensor, ...sizes },
      shape,
      x.dtype,
      integral,
    )
  }

  /** Elementwise quotient of two values of one shape. */
  divide(x: Value, y: Value): Value {
    if (isConstant(y)) {
      if (isConstant(x))
        return constant(
          x.shape,
          x.constant.map((v, i) => v / y.constant[i]),
          x.dtype,
        )
      if (y.constant.some((v) => v === 0)) unsupported("division by zero")
      return this.combine([{ value: x, factor: y.constant.map((v) => 1 / v) }])
    }
    const numerator = this.#live(x).tensor
    return this.emit({ kind: "divide", numerator, denominator: y.tensor }, x.shape, y.dtype)
  }

  /** Square roots, elementwise. */
  root(x: Value): Value {
    if (isConstant(x)) return constant(x.shape, x.constant.map(Math.sqrt), x.dtype)
    return this.emit({ kind: "root", source: x.tensor }, x.shape, x.dtype)
  }

  /** A value as a tensor of the program, which a constant is as a sum of nothing. */
  #live(x: Value): Activation {
    return isConstant(x) ? this.linear([], x.shape, x.dtype, x.constant) : x
  }

  /** A function of one variable, elementwise. */
  apply(x: Value, name: FunctionName, ...parameters: number[]): Value {
    const formula = apply(name, variable, parameters)
    if (isConstant(x)) return constant(x.shape, x.constant.map(functionOf(formula)), x.dtype)
    const whole = parameters.every(Number.isInteger)
    const integral = isIntegral(x)
      ? /^(sign|quotient|mod|fmod)$/.test(name) && whole
      : /^(sign|floor|ceil|round|trunc)$/.test(name)
    return this.emit({ kind: "function", source: x.tensor, formula }, x.shape, x.dtype, integral)
  }

  /** The nearest integers, of two the even one, in [lo, hi]. */
  round(x: Value, lo: number, hi: number, dtype: DataType): Value {
    if (isConstant(x)) {
      const rounded = x.constant.map((v) => Math.min(Math.max(roundHalfEven(v), lo), hi))
      return constant(x.shape, rounded, dtype)
    }
    return this.emit({ kind: "round", source: x.tensor, lo, hi }, x.shape, dtype, true)
  }

  /** [x > 0] */
  step(x: Value): Value {
    if (isConstant(x))
      return constant(
        x.shape,
        x.constant.map((v) => (v > 0 ? 1 : 0)),
        "bool",
      )
    return this.emit({ kind: "step", source: x.tensor }, x.shape, "bool", true)
  }

  /** Elementwise [x > than], or with `below` [x < than]; `missing` if that is what the model means of NaN too, which is above all. */
  compare(
    x: Value,
    than: Float64Array,
    below: boolean,
    missing: boolean,
    // half precision is within single, integers are within double
    type: CompareNode["type"] = /float(16|32)/.test(x.dtype) ? "float32" : "float64",
  ): Value {
    const node = { kind: "compare", than, below, type, missing } as const
    if (!isConstant(x)) return this.emit({ ...node, source: x.tensor }, x.shape, "bool", true)
    return constant(
      x.shape,
      x.constant.map((v, i) => compared(node, v, i)),
      "bool",
    )
  }

  /** min(max(x, lo), hi). */
  clamp(x: Value, lo: number, hi: number): Value {
    if (isConstant(x)) {
      const clamped = x.constant.map((v) => Math.min(Math.max(v, lo), hi))
      return constant(x.shape, clamped, x.dtype)
    }
    const whole = (bound: number) => Number.isInteger(bound) || !Number.isFinite(bound)
    const integral = isIntegral(x) && whole(lo) && whole(hi)
    return this.emit({ kind: "clamp", source: x.tensor, lo, hi }, x.shape, x.dtype, integral)
  }
}

/** A node whose constants have a number for minus infinity. */
function withMasks(node: WithoutOut<RealNode>): WithoutOut<RealNode> {
  const finite = (x: number) => (x === Number.NEGATIVE_INFINITY ? minusInfinity : x)
  if (node.kind === "index") return { ...node, fill: finite(node.fill) }
  if (node.kind !== "linear" || !node.bias?.includes(Number.NEGATIVE_INFINITY)) return node
  return { ...node, bias: node.bias.map(finite) }
}

function allFinite(numbers: ArrayLike<number>): boolean {
  for (let i = 0; i < numbers.length; i++) if (!Number.isFinite(numbers[i])) return false
  return true
}

/** sum[i] += factor·x[i], x defaulting to ones. */
function addScaled(sum: Float64Array, factor: number | Float64Array, x?: Float64Array): void {
  for (let i = 0; i < sum.length; i++)
    sum[i] += (typeof factor === "number" ? factor : factor[i]) * (x ? x[i] : 1)
}
