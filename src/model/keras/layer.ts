/** What the translation of a Keras layer to ONNX nodes may use, and how it reads the layer's settings. */
import type { Attribute, Tensor } from "../graph.js"

export type Config = Readonly<Record<string, unknown>>

/** An argument of a call: a tensor of the graph, by name, or what the file says. */
export type Argument = Symbolic | readonly Argument[] | string | number | boolean | null
export class Symbolic {
  constructor(
    readonly name: string,
    /** Dimensions that the file gives; the first may be open. Only newer files have them. */
    readonly rank?: number,
  ) {}
}

/** A layer inside of a layer that has the weights: its attribute in Keras, and its own name if weights have it. */
export interface Part {
  readonly attribute: string
  readonly name?: string
}

/** A call of a layer: its settings, its weights, and a way to add nodes and constants. */
export interface LayerContext {
  readonly name: string
  readonly config: Config
  /** Major version of Keras: some defaults differ. */
  readonly version: 2 | 3
  /** All tensors among the arguments by position. */
  readonly inputs: readonly string[]
  readonly args: readonly Argument[]
  /** An argument by name; what is not asked for, the call must not have. */
  argument(name: string): Argument | undefined
  /**
   * A weight: the one whose name ends in `/suffix`, where weights have names, and else the one at this position of the
   * layer's variables. @throws Refusal when the file has none
   */
  weight(suffix: string | readonly string[], at: number, part?: Part): Tensor
  constant(suffix: string, shape: readonly number[], data: ArrayLike<number>, integral?: boolean): string
  /** Adds a node and returns its first output's name. */
  node(operator: string, inputs: readonly string[], attributes?: Record<string, Attribute>): string
  /** Adds a node and returns the names of so many outputs. */
  outputs(
    count: number,
    operator: string,
    inputs: readonly string[],
    attributes?: Record<string, Attribute>,
  ): string[]
  /** Adds the nodes of a layer that this one keeps in an attribute. */
  nested(entry: unknown, attribute: string, inputs: readonly string[]): readonly string[]
}

export type Translate = (layer: LayerContext) => string | readonly string[]

/** Why a layer cannot be translated; all of them are collected. */
export class Refusal extends Error {}

export const refuse = (reason: string): never => {
  throw new Refusal(reason)
}

/** A value of the file as messages show it; what is no text may be deep or large. */
export const shown = (value: unknown): string =>
  typeof value === "string" ? value.slice(0, 40) : typeof value

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A setting under either spelling: Keras writes snake_case, tfjs may write camelCase. */
export function setting({ config }: LayerContext, name: string): unknown {
  return Object.hasOwn(config, name)
    ? config[name]
    : config[name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())]
}

/** A number that a setting holds. */
export function number(layer: LayerContext, value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value)) return value
  throw new Refusal(`a setting of layer \`${layer.name}\` is no number`)
}

/** A whole number that a setting holds, of at least `least`. */
export function whole(layer: LayerContext, name: string, least: number, fallback?: number): number {
  const value = number(layer, setting(layer, name) ?? fallback)
  return Number.isSafeInteger(value) && value >= least
    ? value
    : refuse(`\`${name}\` is no integer of at least ${least}`)
}

/** A setting that is not supported unless it is off, as it is when missing. */
export function without(layer: LayerContext, ...names: string[]): void {
  for (const name of names) {
    const value = setting(layer, name)
    if (value !== undefined && value !== null && value !== false && value !== 0)
      refuse(`\`${name}\` is not supported`)
  }
}

/** Numbers of a setting, one for each of `length` axes, or as many as it lists. */
export function list(layer: LayerContext, name: string, length: number, fallback: number): number[] {
  const value = setting(layer, name) ?? fallback
  if (Array.isArray(value)) return value.map((each) => number(layer, each))
  return new Array<number>(length).fill(number(layer, value))
}

/** A weight of so many dimensions. */
export function weightOf(
  layer: LayerContext,
  suffix: string | readonly string[],
  at: number,
  rank: number,
  part?: Part,
): Tensor {
  const tensor = layer.weight(suffix, at, part)
  if (tensor.shape.length !== rank) {
    const name = typeof suffix === "string" ? suffix : suffix[0]
    throw new Refusal(`weight \`${name}\` has ${tensor.shape.length} dimensions, not ${rank}`)
  }
  return tensor
}

/** Weights with axes permuted: axis i of the result is axis permutation[i] of the source. */
export function permuted(
  { shape, data }: Tensor,
  permutation: readonly number[],
): { shape: number[]; data: Float64Array } {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((x, y) => x * y, 1))
  const target = permutation.map((axis) => shape[axis])
  const result = new Float64Array(data.length).map((_, flat) => {
    let at = 0
    for (let axis = target.length - 1, rest = flat; axis >= 0; axis--) {
      at += (rest % target[axis]) * strides[permutation[axis]]
      rest = Math.floor(rest / target[axis])
    }
    return data[at]
  })
  return { shape: target, data: result }
}

export const channelsLast = (layer: LayerContext): boolean => {
  const format = setting(layer, "data_format")
  return format !== "channels_first" && format !== "channelsFirst"
}

/** Runs `body` with channels first, whatever the layer's format. */
export function withChannelsFirst(layer: LayerContext, axes: number, body: (x: string) => string): string {
  const [x] = layer.inputs
  if (!channelsLast(layer)) return body(x)
  const spatial = Array.from({ length: axes }, (_, i) => i + 1)
  const first = layer.node("Transpose", [x], { perm: [0, axes + 1, ...spatial] })
  return layer.node("Transpose", [body(first)], { perm: [0, ...spatial.map((axis) => axis + 1), 1] })
}

/** Constants of integers: axes, shapes. */
export const integers = (layer: LayerContext, suffix: string, values: readonly number[]): string =>
  layer.constant(suffix, [values.length], values, true)

/** A constant of one number. */
export const scalar = (layer: LayerContext, suffix: string, value: number): string =>
  layer.constant(suffix, [], [value])

/**
 * The same tensor, refused by lowering unless it has so many dimensions: a permutation that changes nothing.
 */
export const ofRank = (layer: LayerContext, x: string, rank: number): string =>
  layer.node("Transpose", [x], { perm: Array.from({ length: rank }, (_, i) => i) })

/** The dimensions of a tensor from one on, as lowering knows them. */
export const dimensionsFrom = (layer: LayerContext, x: string, suffix: string, from: number): string =>
  layer.node("Slice", [
    layer.node("Shape", [x]),
    integers(layer, `${suffix}:from`, [from]),
    integers(layer, `${suffix}:to`, [2 ** 31]),
  ])
