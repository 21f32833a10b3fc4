/**
 * tfjs LayersModel files (Keras JSON and weights) to a Graph of ONNX operators. Keras keeps channels last,
 * ONNX first: convolutions and poolings get a Transpose on either side, which lowering turns into index
 * maps. TensorFlow's padding "same" is ONNX's SAME_UPPER.
 */
import { checkBytes, checkOptions, checkRecord } from "../../arguments.js"
import { ModelError } from "../../errors.js"
import type { Graph, GraphInput, Node, Tensor } from "../graph.js"
import { checkSize, limits } from "../limits.js"
import { type Config, type LayerContext, layerNodes, Refusal, shown } from "./layers.js"
import { isRecord, readTfjsWeights } from "./weights.js"

export interface TfjsOptions {
  /** Values of open dimensions as `input:axis`; an open first dimension is 1. */
  readonly dimensions?: Readonly<Record<string, number>>
  readonly file?: string
}

/** A layer as the file lists it. */
interface Listed {
  readonly name: string
  readonly className: string
  readonly config: Config
  readonly inbound: unknown
}

const isDimension = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0

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
  const className = topology.class_name
  const config = topology.config
  const sequential = className === "Sequential"
  const layers = Array.isArray(config) ? config : isRecord(config) ? config.layers : undefined
  if (!Array.isArray(layers) || !(sequential || className === "Model" || className === "Functional"))
    return fail(`is no layers model (class \`${shown(className)}\`)`)
  if (layers.length > limits.nodes) return fail(`has ${layers.length} layers (at most ${limits.nodes})`)
  const tensors = readTfjsWeights(model.weightsManifest, weights, where)
  const reader = new Reader(tensors, options.dimensions ?? {})
  let previous: string[] = []
  for (const [i, entry] of layers.entries()) {
    const layer = readLayer(entry)
    if (!layer) {
      reader.problems.push(`layer ${i} has no name, class or config`)
      continue
    }
    const { name } = layer
    const sources = sequential ? previous : inbound(layer, reader.problems)
    if (sequential && previous.length === 0 && layer.className !== "InputLayer")
      reader.layer(layer, [reader.input(`${name}_input`, inputShape(layer.config))])
    else reader.layer(layer, sources)
    previous = [name]
  }
  const declared = !sequential && isRecord(config) ? config.output_layers : undefined
  const outputs = declared === undefined ? previous : names(declared)
  if (!outputs) reader.problems.push("output_layers are no layers")
  if (outputs && new Set(outputs).size !== outputs.length)
    reader.problems.push("an output layer is listed twice")
  if (reader.problems.length > 0 || !outputs) {
    const fix = "docs/OPERATORS.md lists the layers that are supported, and their limits"
    throw new ModelError({ what: "the model cannot be read:", where, fix }, reader.problems)
  }
  return {
    name: isRecord(config) && typeof config.name === "string" ? config.name : "tfjs",
    opset: 15,
    inputs: reader.inputs,
    outputs: outputs.map((name) => reader.outputs.get(name) ?? name),
    nodes: reader.nodes,
    constants: reader.constants,
  }
}

/** A layer's entry, if it is one. */
function readLayer(entry: unknown): Listed | undefined {
  if (!isRecord(entry) || !isRecord(entry.config)) return undefined
  const { class_name: className, config, inbound_nodes } = entry
  const name = entry.name ?? config.name
  if (typeof name !== "string" || name === "" || typeof className !== "string") return undefined
  return { name, className, config, inbound: inbound_nodes }
}

const inputShape = (config: Config): unknown => config.batch_input_shape ?? config.batchInputShape

/** Layer names of `[["a", 0, 0], …]`, or of a single such entry; undefined for anything else. */
function names(entries: unknown): string[] | undefined {
  if (!Array.isArray(entries)) return undefined
  const list: readonly unknown[] = typeof entries[0] === "string" ? [entries] : entries
  const found = list.map((entry) => (Array.isArray(entry) ? entry[0] : undefined))
  return found.every((name) => typeof name === "string") ? found : undefined
}

/** The layers a layer of a functional model reads. */
function inbound(layer: Listed, problems: string[]): string[] {
  const calls = layer.inbound ?? []
  if (Array.isArray(calls) && calls.length === 0) return []
  const found = Array.isArray(calls) ? names(calls[0]) : undefined
  if (!Array.isArray(calls) || !found) {
    problems.push(`layer \`${layer.name}\`: its inbound_nodes are not of Keras 2`)
    return []
  }
  if (calls.length > 1)
    problems.push(`layer \`${layer.name}\` is used ${calls.length} times; shared layers are not supported`)
  return found
}

/** Weights by a part of their path and the name at its end, the first of each in the file's order. */
function byLayer(weights: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> {
  const index = new Map<string, Tensor>()
  for (const [path, tensor] of weights) {
    const parts = path.split("/")
    const suffix = parts[parts.length - 1]
    for (const part of parts) {
      const key = `${part}/${suffix}`
      if (!index.has(key)) index.set(key, tensor)
    }
  }
  return index
}

class Reader {
  readonly nodes: Node[] = []
  readonly inputs: GraphInput[] = []
  readonly constants = new Map<string, Tensor>()
  readonly outputs = new Map<string, string>()
  readonly problems: string[] = []
  /** Every name that is taken: of an input, a node's output or a constant. */
  readonly #taken = new Set<string>()
  readonly #weights: ReadonlyMap<string, Tensor>
  constructor(
    weights: ReadonlyMap<string, Tensor>,
    private readonly dimensions: Readonly<Record<string, number>>,
  ) {
    this.#weights = byLayer(weights)
  }

  #take(name: string): void {
    if (this.#taken.has(name)) this.problems.push(`the name \`${name}\` is there twice`)
    this.#taken.add(name)
  }

  input(name: string, given: unknown): string {
    const dims: readonly unknown[] = Array.isArray(given) ? given : []
    if (dims.length === 0) this.problems.push(`layer \`${name}\`: no batch_input_shape`)
    const shape = dims.map((dim, axis) => {
      if (isDimension(dim)) return dim
      const key = `${name}:${axis}`
      const given = Object.hasOwn(this.dimensions, key) ? this.dimensions[key] : undefined
      const isOpen = dim === null || dim === undefined || dim === -1
      const chosen = given ?? (axis === 0 ? 1 : undefined)
      if (isOpen && isDimension(chosen)) return chosen
      this.problems.push(
        isOpen
          ? `input \`${name}\`: dimension ${axis} is open; say how large, with option \`dimensions\` for \`${key}\``
          : `input \`${name}\`: dimension ${axis} is no positive integer`,
      )
      return 1
    })
    for (const problem of checkSize(shape, limits)) this.problems.push(`input \`${name}\`: ${problem}`)
    this.#take(name)
    this.inputs.push({ name, dtype: "float32", shape })
    this.outputs.set(name, name)
    return name
  }

  layer({ className, name, config }: Listed, sources: readonly string[]): void {
    if (className === "InputLayer") {
      this.input(name, inputShape(config))
      return
    }
    let count = 0
    const context: LayerContext = {
      name,
      config,
      inputs: sources.map((source) => this.outputs.get(source) ?? source),
      weight: (suffix) => {
        const found = this.#weights.get(`${name}/${suffix}`)
        if (!found) throw new Refusal(`weight \`${suffix}\` is missing`)
        return found
      },
      constant: (suffix, shape, data, integral = false) => {
        const key = `${name}/${suffix}`
        const values = Float64Array.from(data)
        const size = shape.reduce((product, dim) => product * dim, 1)
        if (size !== values.length || !values.every(Number.isFinite))
          throw new Refusal(`\`${suffix}\` has other values than its shape`)
        this.#take(key)
        this.constants.set(key, { shape, data: values, dtype: integral ? "int64" : "float32" })
        return key
      },
      node: (operator, inputs, attributes = {}) => {
        const output = `${name}:${count++}`
        this.#take(output)
        this.nodes.push({ name, operator, domain: "", inputs, outputs: [output], attributes })
        return output
      },
    }
    try {
      if (sources.length === 0) throw new Refusal("it reads no layer")
      this.outputs.set(name, layerNodes(className, context))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      this.problems.push(`layer \`${name}\` (${className}): ${error.message}`)
    }
  }
}
