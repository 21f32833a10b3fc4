/**
 * One node being lowered: typed access to its inputs and attributes. What a lowering does not ask for, the
 * node must not have: `finish` refuses attributes and inputs that would otherwise be dropped in silence.
 */
import { type Attribute, isSubgraph, type Node, type Subgraph, type Tensor } from "../../model/graph.js"
import { limits } from "../../model/limits.js"
import type { Builder } from "./builder.js"
import { intervalOfType, isWithin } from "./intervals.js"
import { axisOf, show, unsupported } from "./shapes.js"
import { type Activation, type Constant, isConstant, isInteger, type Value } from "./values.js"

/** Lowers one node; the values are its outputs in order. */
export type Lowering = (call: Call) => readonly Value[]

/** Lowers the nodes of a subgraph on the values of its inputs, as step `step` of its node; the values are its outputs. */
export type Run = (graph: Subgraph, inputs: readonly Value[], step?: number) => readonly Value[]

export class Call {
  private readonly readAttributes = new Set<string>()
  private readonly readInputs = new Set<number>()
  /** Most numbers of a list that speaks of axes or outputs. */
  private readonly mostNumbers: number
  constructor(
    readonly node: Node,
    private readonly values: readonly (Value | undefined)[],
    readonly builder: Builder,
    readonly opset: number,
    readonly run: Run,
  ) {
    this.mostNumbers = Math.max(2 * limits.dimensions, node.outputs.length)
  }

  has(i: number): boolean {
    this.readInputs.add(i)
    return this.values[i] !== undefined
  }

  input(i: number): Value {
    this.readInputs.add(i)
    return this.values[i] ?? unsupported(`input ${i} is missing`)
  }

  /** All inputs of an operator that takes any number from one. */
  allInputs(): Value[] {
    if (this.values.length === 0) unsupported("there are no inputs")
    return this.values.map((_, i) => this.input(i))
  }

  /** An input that must be known while compiling. */
  constantInput(i: number, what: string): Constant {
    const value = this.input(i)
    return isConstant(value) ? value : unsupported(`${what} (input ${i}) depends on the model's input`)
  }

  /** An input that must not be known while compiling. */
  activation(i: number, what: string): Activation {
    const value = this.input(i)
    return isConstant(value) ? unsupported(`${what} (input ${i}) is a constant`) : value
  }

  /** One number from an optional input. */
  scalarInput(i: number, what: string, fallback: number): number {
    if (!this.has(i)) return fallback
    const { constant, shape } = this.constantInput(i, what)
    return constant.length === 1
      ? constant[0]
      : unsupported(`${what} (input ${i}) has shape ${show(shape)}, not one value`)
  }

  /** A one-dimensional integer input. */
  integerInput(i: number, what: string): number[] {
    const { constant, shape } = this.constantInput(i, what)
    if (shape.length > 1) unsupported(`${what} (input ${i}) has shape ${show(shape)}, not one dimension`)
    if (constant.length > this.mostNumbers) unsupported(`${what} (input ${i}) are ${constant.length} numbers`)
    return wholeNumbers(what, Array.from(constant))
  }

  /** Integers that newer opsets pass as an input and older ones as an attribute; undefined if not given. */
  integers(i: number, attribute: string, inputSince: number): number[] | undefined {
    if (this.opset < inputSince) return this.integerList(attribute)
    return this.has(i) ? this.integerInput(i, attribute) : undefined
  }

  attribute(name: string): Attribute | undefined {
    this.readAttributes.add(name)
    return this.node.attributes[name]
  }

  /** Attributes that change nothing in inference. */
  ignore(...names: string[]): void {
    for (const name of names) this.readAttributes.add(name)
  }

  number(name: string, fallback?: number): number {
    const value = this.attribute(name) ?? fallback ?? unsupported(`attribute \`${name}\` is missing`)
    return typeof value === "number" && Number.isFinite(value)
      ? value
      : unsupported(`attribute \`${name}\` is not a finite number`)
  }

  integer(name: string, fallback?: number): number {
    const value = this.number(name, fallback)
    return Number.isInteger(value) ? value : unsupported(`attribute \`${name}\` = \`${value}\` is no integer`)
  }

  /** A yes or no attribute, stored as 0 or 1. */
  flag(name: string, fallback = false): boolean {
    const value = this.integer(name, fallback ? 1 : 0)
    return value === 0 || value === 1 ? value === 1 : this.refuse(name, value)
  }

  /** One of the given words. */
  choice<T extends string>(name: string, words: readonly [T, ...T[]]): T {
    const value = this.attribute(name) ?? words[0]
    return words.find((word) => word === value) ?? this.refuse(name, value)
  }

  list(name: string): number[] | undefined {
    const value = this.attribute(name)
    if (value === undefined) return undefined
    if (Array.isArray(value) && value.every((x) => typeof x === "number")) return [...value] as number[]
    return unsupported(`attribute \`${name}\` is not a list of numbers`)
  }

  integerList(name: string): number[] | undefined {
    const list = this.list(name)
    return list && wholeNumbers(name, list)
  }

  /** One integer of at least `least` per spatial axis. */
  perAxis(name: string, count: number, least: number, fallback: number): number[] {
    const list = this.integerList(name) ?? new Array<number>(count).fill(fallback)
    if (list.length !== count || list.some((x) => x < least))
      unsupported(`attribute \`${name}\` = \`${show(list)}\` is not ${count} integers of at least ${least}`)
    return list
  }

  tensor(name: string): Tensor | undefined {
    const value = this.attribute(name)
    if (value === undefined) return undefined
    return typeof value === "object" && "data" in value
      ? value
      : unsupported(`attribute \`${name}\` is not a tensor`)
  }

  graph(name: string): Subgraph {
    const value = this.attribute(name)
    return value !== undefined && isSubgraph(value)
      ? value
      : unsupported(`attribute \`${name}\` is ${value === undefined ? "missing" : "no graph"}`)
  }

  axis(name: string, rank: number, fallback?: number): number {
    return axisOf(this.integer(name, fallback), rank)
  }

  /** A number that may be infinite. */
  bound(name: string, fallback: number): number {
    const value = this.attribute(name) ?? fallback
    return typeof value === "number" ? value : unsupported(`attribute \`${name}\` is not a number`)
  }

  refuse(attribute: string, value: Attribute): never {
    const text = Array.isArray(value) ? show(value as number[]) : String(value)
    return unsupported(`attribute \`${attribute}\` = \`${text}\` is not supported`)
  }

  /** Refuses integer activations, whose results the operator would round or truncate. */
  real(value: Value, what: string): void {
    if (!isConstant(value) && isInteger(value.dtype))
      unsupported(`${what} of \`${value.dtype}\` activations rounds; cast them to float first`)
  }

  /** Refuses results of 8 and 16 bits that could wrap around. */
  fits(result: Value): Value {
    const { dtype } = result
    const range = /^u?int([248]|16)$/.test(dtype) && !isConstant(result) ? intervalOfType(dtype) : undefined
    if (!range) return result
    const interval = this.builder.intervalOf(result)
    if (interval && !isConstant(result) && result.integral && isWithin(interval, range)) return result
    const known = interval ? `, it can be from ${interval[0]} to ${interval[1]}` : ""
    return unsupported(
      `arithmetic on \`${dtype}\` activations wraps around${known}; cast them to float first`,
    )
  }

  /** Refuses what was given but not asked for. */
  finish(results: readonly Value[]): void {
    for (const [name, value] of Object.entries(this.node.attributes))
      if (!this.readAttributes.has(name)) this.refuse(name, typeof value === "object" ? "…" : value)
    for (let i = 0; i < this.values.length; i++)
      if (this.values[i] && !this.readInputs.has(i)) unsupported(`input ${i} is one too many`)
    for (let i = results.length; i < this.node.outputs.length; i++)
      if (this.node.outputs[i] !== "") unsupported(`output ${i} \`${this.node.outputs[i]}\` is not supported`)
  }
}

function wholeNumbers(what: string, list: number[]): number[] {
  return list.every(Number.isInteger) ? list : unsupported(`${what} ${show(list)} are not integers`)
}

/** Runs lowerings of one input and one output that need nothing but the input. */
export const unary =
  (f: (x: Value, call: Call) => Value): Lowering =>
  (call) => [f(call.input(0), call)]
