/**
 * tfjs LayersModel files (Keras JSON and weights) to a Graph of ONNX operators. Keras keeps channels last,
 * ONNX first: convolutions and poolings get a Transpose on either side, which lowering turns into index
 * maps. TensorFlow's padding "same" is ONNX's SAME_UPPER.
 */
import { checkBytes, checkOptions, checkRecord } from "../arguments.js"
import { ModelError } from "../errors.js"
import type { Attribute, Graph, GraphInput, Node, Tensor } from "./graph.js"
import { layerNodes } from "./tfjs-layers.js"
import { readTfjsWeights } from "./tfjs-weights.js"

export interface TfjsOptions {
  /** Values of open dimensions as `input:axis`; an open first dimension is 1. */
  readonly dimensions?: Readonly<Record<string, number>>
  readonly file?: string
}

export type Config = Readonly<Record<string, unknown>>

/** What a layer's translation may use: its settings, its weights, and a way to add nodes and constants. */
export interface LayerContext {
  readonly name: string
  readonly config: Config
  readonly inputs: readonly string[]
  /** The weight whose name ends in `/suffix`. @throws Refusal when the file has none */
  weight(suffix: string): Tensor
  constant(suffix: string, shape: readonly number[], data: ArrayLike<number>, integral?: boolean): string
  /** Adds a node and returns its output's name. */
  node(operator: string, inputs: readonly string[], attributes?: Record<string, Attribute>): string
}

/** Why a layer cannot be translated; all of them are collected. */
export class Refusal extends Error {}

interface LayerJson {
  readonly class_name: string
  readonly name?: string
  readonly config: Config
  readonly inbound_nodes?: readonly unknown[]
}

const isRecord = (value: unknown): value is Config =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/**
 * Reads a parsed `model.json` and the bytes of its weight files, concatenated in manifest order.
 * @throws ModelError naming every layer that is not supported and every weight that is missing
 */
export function importTfjs(model: unknown, weights: Uint8Array, options: TfjsOptions = {}): Graph {
  checkBytes(weights, "weights")
  checkOptions(options)
  if (options.dimensions !== undefined) checkRecord(options.dimensions, "options.dimensions")
  const where = options.file ?? "tfjs model"
  const fail = (what: string): never => {
    throw new ModelError({
      what,
      where,
      expected: "model.json of a tfjs LayersModel",
      fix: "Save it with model.save",
    })
  }
  if (!isRecord(model) || !isRecord(model.modelTopology)) return fail("has no modelTopology")
  const topology = isRecord(model.modelTopology.model_config)
    ? model.modelTopology.model_config
    : model.modelTopology
  const className = String(topology.class_name)
  const config = topology.config
  const sequential = className === "Sequential"
  const layers = (Array.isArray(config) ? config : isRecord(config) ? config.layers : undefined) as
    | LayerJson[]
    | undefined
  if (!Array.isArray(layers) || (!sequential && !["Model", "Functional"].includes(className))) {
    return fail(`is no layers model (class \`${className}\`)`)
  }
  const tensors = readTfjsWeights(model.weightsManifest, weights, where)
  const reader = new Reader(tensors, options.dimensions ?? {})
  let previous: string[] = []
  for (const layer of layers) {
    const name = String(layer.name ?? layer.config.name)
    const sources = sequential ? previous : inbound(layer, reader.problems, name)
    if (sequential && previous.length === 0 && layer.class_name !== "InputLayer") {
      previous = [
        reader.input(`${name}_input`, layer.config.batch_input_shape ?? layer.config.batchInputShape),
      ]
      reader.layer(layer.class_name, name, layer.config, previous)
    } else reader.layer(layer.class_name, name, layer.config, sources)
    previous = [name]
  }
  const declared =
    !sequential && isRecord(config) ? (config.output_layers as unknown[] | undefined) : undefined
  const outputs = declared ? names(declared) : previous
  if (reader.problems.length > 0) {
    throw new ModelError({ what: "the model cannot be read:", where }, reader.problems)
  }
  return {
    name: String((isRecord(config) ? config.name : undefined) ?? "tfjs"),
    opset: 15,
    inputs: reader.inputs,
    outputs: outputs.map((name) => reader.outputs.get(name) ?? name),
    nodes: reader.nodes,
    constants: reader.constants,
  }
}

/** Layer names of `[["a", 0, 0], …]`, or of a single such entry. */
const names = (entries: readonly unknown[]): string[] =>
  (typeof entries[0] === "string" ? [entries] : entries).map((entry) => String((entry as unknown[])[0]))

/** The layers a layer of a functional model reads. */
function inbound(layer: LayerJson, problems: string[], name: string): string[] {
  const calls = layer.inbound_nodes ?? []
  if (calls.length > 1)
    problems.push(`layer \`${name}\` is used ${calls.length} times; shared layers are not supported`)
  return calls.length === 0 ? [] : names(calls[0] as unknown[])
}

class Reader {
  readonly nodes: Node[] = []
  readonly inputs: GraphInput[] = []
  readonly constants = new Map<string, Tensor>()
  readonly outputs = new Map<string, string>()
  readonly problems: string[] = []
  constructor(
    private readonly weights: ReadonlyMap<string, Tensor>,
    private readonly dimensions: Readonly<Record<string, number>>,
  ) {}

  input(name: string, given: unknown): string {
    const dims: readonly unknown[] = Array.isArray(given) ? given : []
    if (dims.length === 0) this.problems.push(`layer \`${name}\`: no batch_input_shape`)
    const shape = dims.map((dim, axis) => {
      if (typeof dim === "number" && dim > 0) return dim
      const chosen = this.dimensions[`${name}:${axis}`] ?? (axis === 0 ? 1 : undefined)
      if (chosen === undefined)
        this.problems.push(
          `input \`${name}\`: dimension ${axis} is open; say how large, with option \`dimensions\` for \`${name}:${axis}\``,
        )
      return chosen ?? 1
    })
    this.inputs.push({ name, dtype: "float32", shape })
    this.outputs.set(name, name)
    return name
  }

  layer(className: string, name: string, config: Config, sources: readonly string[]): void {
    if (className === "InputLayer") {
      this.input(name, config.batch_input_shape ?? config.batchInputShape)
      return
    }
    let count = 0
    const context: LayerContext = {
      name,
      config,
      inputs: sources.map((source) => this.outputs.get(source) ?? source),
      weight: (suffix) => {
        for (const [key, tensor] of this.weights) {
          const parts = key.split("/")
          if (parts[parts.length - 1] === suffix && parts.includes(name)) return tensor
        }
        throw new Refusal(`weight \`${suffix}\` is missing`)
      },
      constant: (suffix, shape, data, integral = false) => {
        const key = `${name}/${suffix}`
        this.constants.set(key, {
          shape,
          data: Float64Array.from(data),
          dtype: integral ? "int64" : "float32",
        })
        return key
      },
      node: (operator, inputs, attributes = {}) => {
        const output = `${name}:${count++}`
        this.nodes.push({ name, operator, domain: "", inputs, outputs: [output], attributes })
        return output
      },
    }
    try {
      this.outputs.set(name, layerNodes(className, context))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      this.problems.push(`layer \`${name}\` (${className}): ${error.message}`)
    }
  }
}
