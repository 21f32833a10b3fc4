/** A node of a TensorFlow graph as tfjs writes it in JSON: its attributes, its inputs, and a way to add ONNX nodes for it. */
import type { Attribute, Tensor } from "../graph.js"
import { isRecord, Refusal, refuse } from "../keras/layer.js"

/** What the translation of a node may use. */
export interface GraphNode {
  readonly name: string
  readonly operator: string
  /** Tensors of the graph; control inputs are left out. */
  readonly inputs: readonly string[]
  readonly attributes: Attributes
  /** The constant that an input is. @throws Refusal if it depends on the model's input */
  constantOf(input: number, what: string): Tensor
  /** The dimensions of a constant; undefined for anything else. */
  shapeOf(input: number): readonly number[] | undefined
  constant(suffix: string, shape: readonly number[], data: ArrayLike<number>, integral?: boolean): string
  node(operator: string, inputs: readonly string[], attributes?: Record<string, Attribute>): string
  outputs(
    count: number,
    operator: string,
    inputs: readonly string[],
    attributes?: Record<string, Attribute>,
  ): string[]
}

/** Text in base64, as protobuf's JSON has bytes, or in codes of characters, as older files have it. */
function textOf(value: unknown): string | undefined {
  if (Array.isArray(value) && value.length < 1000 && value.every((code) => typeof code === "number"))
    return String.fromCharCode(...(value as number[]))
  if (typeof value !== "string" || value.length > 10_000) return undefined
  try {
    return atob(value)
  } catch {
    return undefined
  }
}

const numberOf = (value: unknown): number =>
  typeof value === "number" || (typeof value === "string" && value !== "") ? Number(value) : Number.NaN

/** Attributes by name: an object with one member that says its kind, as `{ "i": "3" }`. */
export class Attributes {
  readonly #values: Readonly<Record<string, unknown>>
  constructor(attr: unknown) {
    this.#values = isRecord(attr) ? attr : {}
  }

  #member(name: string, kind: string): unknown {
    const value = Object.hasOwn(this.#values, name) ? this.#values[name] : undefined
    return isRecord(value) && Object.hasOwn(value, kind) ? value[kind] : undefined
  }

  #list(name: string, kind: string): readonly unknown[] {
    const list = this.#member(name, "list")
    const values = isRecord(list) ? list[kind] : undefined
    return Array.isArray(values) ? values : []
  }

  text(name: string, fallback: string): string {
    const value = this.#member(name, "s")
    return value === undefined ? fallback : (textOf(value) ?? refuse(`attribute \`${name}\` is no text`))
  }

  flag(name: string, fallback = false): boolean {
    const value = this.#member(name, "b")
    return value === undefined ? fallback : value === true
  }

  number(name: string, fallback: number): number {
    const value = this.#member(name, "f") ?? this.#member(name, "i")
    if (value === undefined) return fallback
    const number = numberOf(value)
    return Number.isFinite(number) ? number : refuse(`attribute \`${name}\` is no number`)
  }

  numbers(name: string): number[] {
    const values = this.#list(name, "i").map(numberOf)
    return values.every(Number.isSafeInteger) && values.length <= 1000
      ? values
      : refuse(`attribute \`${name}\` is no list of integers`)
  }

  texts(name: string): string[] {
    return this.#list(name, "s").map((value) => textOf(value) ?? refuse(`attribute \`${name}\` is no text`))
  }

  /** TensorFlow's name of a type, as `DT_FLOAT`. */
  type(name: string): string {
    const value = this.#member(name, "type")
    return typeof value === "string" ? value.slice(0, 40) : ""
  }

  /** Dimensions; −1 is an open one. */
  shape(name: string): readonly number[] | undefined {
    const value = this.#member(name, "shape")
    if (!isRecord(value) || value.unknownRank === true) return undefined
    return (Array.isArray(value.dim) ? value.dim : []).map((dim: unknown) =>
      isRecord(dim) ? numberOf(dim.size ?? 0) : Number.NaN,
    )
  }
}

/** Whole numbers of a constant input: axes, sizes. */
export function integersOf(node: GraphNode, input: number, what: string): number[] {
  const { data } = node.constantOf(input, what)
  if (data.length > 1000 || !data.every(Number.isSafeInteger)) throw new Refusal(`${what} are no integers`)
  return Array.from(data)
}

/** One whole number of a constant input. */
export function integerOf(node: GraphNode, input: number, what: string): number {
  const values = integersOf(node, input, what)
  return values.length === 1 ? values[0] : refuse(`${what} is no single number`)
}
