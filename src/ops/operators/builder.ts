/** What lowering passes between operators: constants and activations with static shapes, and the program under construction. */
import { ModelError } from "../../errors.js"
import type { Attribute, Node, Tensor } from "../../model/graph.js"
import type { LinearMap, LinearNode, Origin, RealNode, TensorId, TensorInfo } from "../program.js"
import { sizeOf } from "../program.js"

/** A tensor known while compiling: its numbers, or the activation that will hold them. */
export type Value =
  | { readonly shape: readonly number[]; readonly constant: Float64Array; readonly integral: boolean }
  | { readonly shape: readonly number[]; readonly tensor: TensorId; readonly integral: boolean }
export type Constant = Extract<Value, { constant: Float64Array }>
export type Activation = Extract<Value, { tensor: TensorId }>

/** Why a node cannot be lowered; collected into one ModelError by `lower`. */
export class Unsupported extends Error {}

export const unsupported = (reason: string): never => {
  throw new Unsupported(reason)
}

export const isConstant = (value: Value): value is Constant => "constant" in value
export const constant = (shape: readonly number[], data: ArrayLike<number>, integral = false): Constant => ({
  shape,
  constant: Float64Array.from(data),
  integral,
})

type WithoutOut<T> = T extends { out: TensorId } ? Omit<T, "out" | "origin"> : never

/** The program under construction, and the node being lowered. */
export class Builder {
  readonly tensors: TensorInfo[] = []
  readonly nodes: RealNode[] = []
  origin: Origin = { name: "", operator: "" }
  /** Name for the next tensor. */
  outputName = ""

  /** Appends a primitive and returns its output. */
  emit(node: WithoutOut<RealNode>, shape: readonly number[], integral = false): Activation {
    const out = this.tensors.push({ name: this.outputName, shape }) - 1
    this.nodes.push({ ...node, out, origin: this.origin } as RealNode)
    return { shape, tensor: out, integral }
  }

  /** Data movement: element i is element map[i] of the concatenated sources, or `fill`. */
  move(sources: readonly Value[], map: Int32Array, shape: readonly number[], fill = 0): Value {
    const integral = sources.every((source) => source.integral)
    const activation = sources.find((source): source is Activation => !isConstant(source))
    if (!activation) {
      const all = sources.flatMap((source) => (isConstant(source) ? [source.constant] : []))
      const data = all.length === 1 ? all[0] : Float64Array.from(all.flatMap((part) => Array.from(part)))
      return constant(
        shape,
        Float64Array.from(map, (at) => (at < 0 ? fill : data[at])),
        integral,
      )
    }
    const ids = sources.map((source) =>
      isConstant(source) ? this.fixed(source, activation).tensor : source.tensor,
    )
    return this.emit({ kind: "index", sources: ids, map, fill }, shape, integral)
  }

  /** A constant among activations: a linear map of anything with no weights and the constant as bias. */
  fixed(value: Constant, anchor: Activation): Activation {
    const map: LinearMap = { kind: "sparse", ...emptyRows(value.constant.length) }
    const terms = [{ source: anchor.tensor, map }]
    return this.emit({ kind: "linear", terms, bias: value.constant }, value.shape, value.integral)
  }

  /** Σ maps of activations + bias. */
  linear(terms: LinearNode["terms"], shape: readonly number[], bias?: Float64Array): Activation {
    return this.emit({ kind: "linear", terms, ...(bias?.some((b) => b !== 0) ? { bias } : {}) }, shape)
  }

  /** factor[i]·x[i] + bias[i]. */
  scale(x: Activation, factor: Float64Array, bias?: Float64Array): Activation {
    return this.linear([{ source: x.tensor, map: diagonal(factor) }], x.shape, bias)
  }
}

const emptyRows = (rows: number) => ({
  rowPtr: new Uint32Array(rows + 1),
  columns: new Uint32Array(0),
  values: new Float64Array(0),
})

/** The map y[i] = factor[i]·x[i]. */
export const diagonal = (factor: Float64Array): LinearMap => ({
  kind: "sparse",
  rowPtr: Uint32Array.from({ length: factor.length + 1 }, (_, i) => i),
  columns: Uint32Array.from({ length: factor.length }, (_, i) => i),
  values: factor,
})

/** A sparse map from lists of [column, weight] per output element. */
export function sparse(rows: readonly (readonly (readonly [number, number])[])[]): LinearMap {
  const rowPtr = new Uint32Array(rows.length + 1)
  rows.forEach((row, i) => {
    rowPtr[i + 1] = rowPtr[i] + row.length
  })
  const entries = rows.flat()
  return {
    kind: "sparse",
    rowPtr,
    columns: Uint32Array.from(entries, ([column]) => column),
    values: Float64Array.from(entries, ([, weight]) => weight),
  }
}

/** Row-major strides. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1)
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1] * shape[axis + 1]
  return strides
}

/** Calls visit(position, flat) for every element of a shape in row-major order; `position` is reused. */
export function forEachPosition(
  shape: readonly number[],
  visit: (position: number[], flat: number) => void,
): void {
  const total = sizeOf(shape)
  const position = new Array<number>(shape.length).fill(0)
  for (let flat = 0; flat < total; flat++) {
    visit(position, flat)
    for (let axis = shape.length - 1; axis >= 0 && ++position[axis] === shape[axis]; axis--)
      position[axis] = 0
  }
}

/** Index map from a function of the output position to a flat source index (−1 for fill). */
export function mapOf(shape: readonly number[], source: (position: readonly number[]) => number): Int32Array {
  const map = new Int32Array(sizeOf(shape))
  forEachPosition(shape, (position, flat) => {
    map[flat] = source(position)
  })
  return map
}

/** Common shape of numpy broadcasting (ONNX "Broadcasting in ONNX"). */
export function broadcastShape(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length))
  return Array.from({ length: rank }, (_, axis) => {
    const dims = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1)
    const wide = dims.find((dim) => dim !== 1) ?? 1
    if (!dims.every((dim) => dim === 1 || dim === wide))
      unsupported(`shapes ${shapes.map((s) => `[${s}]`).join(" and ")} do not broadcast`)
    return wide
  })
}

/** Index map that broadcasts `from` to `to`. */
export function broadcastMap(from: readonly number[], to: readonly number[]): Int32Array {
  const strides = stridesOf(from)
  const shift = to.length - from.length
  return mapOf(to, (position) => {
    let at = 0
    for (let axis = 0; axis < from.length; axis++)
      if (from[axis] !== 1) at += position[axis + shift] * strides[axis]
    return at
  })
}

const sameShape = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((dim, i) => dim === b[i])

/** A value broadcast to a shape; unchanged if it has that shape. */
export const broadcast = (builder: Builder, value: Value, shape: readonly number[]): Value =>
  sameShape(value.shape, shape) ? value : builder.move([value], broadcastMap(value.shape, shape), shape)

/** One node with its inputs, and typed access to attributes. */
export class Call {
  constructor(
    readonly node: Node,
    readonly inputs: readonly (Value | undefined)[],
    readonly builder: Builder,
    readonly opset: number,
  ) {}

  input(i: number): Value {
    return this.inputs[i] ?? unsupported(`input ${i} is missing`)
  }

  /** An input that must be known while compiling. */
  constantInput(i: number, what: string): Constant {
    const value = this.input(i)
    return isConstant(value) ? value : unsupported(`${what} (input ${i}) depends on the model's input`)
  }

  /** Integers from an input (newer opsets) or an attribute (older ones); undefined if neither is given. */
  integers(i: number, attribute: string): number[] | undefined {
    if (this.inputs[i]) return Array.from(this.constantInput(i, attribute).constant)
    return this.list(attribute)
  }

  number(name: string, fallback: number): number {
    const value = this.node.attributes[name]
    if (value === undefined) return fallback
    return typeof value === "number" ? value : unsupported(`attribute \`${name}\` is not a number`)
  }

  text(name: string, fallback: string): string {
    const value = this.node.attributes[name]
    if (value === undefined) return fallback
    return typeof value === "string" ? value : unsupported(`attribute \`${name}\` is not text`)
  }

  list(name: string): number[] | undefined {
    const value: Attribute | undefined = this.node.attributes[name]
    if (value === undefined) return undefined
    if (Array.isArray(value) && value.every((x) => typeof x === "number")) return [...value] as number[]
    return unsupported(`attribute \`${name}\` is not a list of numbers`)
  }

  tensor(name: string): Tensor | undefined {
    const value = this.node.attributes[name]
    return typeof value === "object" && "data" in value ? value : undefined
  }
}

/** Lowers one node; the values are its outputs in order. */
export type Lowering = (call: Call) => Value[]

/** A possibly negative axis. */
export function axisOf(axis: number, rank: number): number {
  const result = axis < 0 ? axis + rank : axis
  if (!Number.isInteger(result) || result < 0 || result >= Math.max(rank, 1))
    unsupported(`axis ${axis} is out of range for rank ${rank}`)
  return result
}

export const modelError = (where: string, problems: readonly string[]): ModelError =>
  new ModelError(
    {
      what: `the model cannot be proven, ${problems.length === 1 ? "one problem" : `${problems.length} problems`}:`,
      where,
    },
    problems,
  )
