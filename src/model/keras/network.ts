/**
 * Models of Keras layers as graphs of ONNX operators, whatever file they come from. Keras keeps channels last, ONNX first:
 * convolutions and poolings get a Transpose on either side, which lowering turns into index maps. TensorFlow's padding
 * "same" is ONNX's SAME_UPPER. A layer that is called several times, or a model inside of a model, is written out for each
 * call; what that costs is charged to a budget.
 */
import { allowanceFor, Budget } from "../../budget.js"
import { ModelError, type Problem } from "../../errors.js"
import type { DataType, Graph, GraphInput, Node, Tensor } from "../graph.js"
import { checkSize, limits } from "../limits.js"
import { type Argument, type Config, isRecord, type LayerContext, Refusal, Symbolic, shown } from "./layer.js"
import { layerNodes } from "./layers.js"
import {
  type Call,
  type Given,
  isModel,
  isReference,
  type Listed,
  type Reference,
  readEntry,
  readTopology,
  resolve,
  type Topology,
} from "./topology.js"
import type { Place, Weights } from "./weights.js"

export interface NetworkOptions {
  readonly where: string
  /** Values of open dimensions as `input:axis`. */
  readonly dimensions: Readonly<Record<string, number>>
  /** Major version of Keras. */
  readonly version: 2 | 3
}

/** Steps of the budget for a call of a layer: models that call models soon have more of them than anybody made. */
const callSteps = 2 ** 17

/** Outputs that a layer which was refused is taken to have. */
const mostOutputs = 16

/** Models within models. */
const mostDepth = 16

const isDimension = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0

/** Precisions that Keras computes in; all of them become real numbers. */
const floats = /^(float(16|32|64)|bfloat16|mixed_(b?float16))$/

/**
 * The graph of a model of Keras.
 * @throws ModelError naming every layer that is not supported and every weight that is missing
 */
export function networkGraph(
  className: string,
  config: unknown,
  weights: Weights,
  options: NetworkOptions,
): Graph {
  const reader = new Network(weights, options)
  return reader.graph(className, config)
}

/** What would help with a layer that is not supported. */
const elsewhere =
  "Build the model of others, or convert it to ONNX (tf2onnx), whose operators may all be supported"

class Network {
  readonly #nodes: Node[] = []
  readonly #inputs: GraphInput[] = []
  readonly #constants = new Map<string, Tensor>()
  readonly #problems: (string | Problem)[] = []
  /** Every name that is taken: of an input, a node's output or a constant. */
  readonly #taken = new Set<string>()
  readonly #budget: Budget

  constructor(
    private readonly weights: Weights,
    private readonly options: NetworkOptions,
  ) {
    this.#budget = new Budget(allowanceFor(weights.held))
  }

  graph(className: string, config: unknown): Graph {
    const { where } = this.options
    let topology: Topology
    let outputs: readonly (string | undefined)[]
    try {
      topology = readTopology(className, config, this.options.version)
      outputs = this.#run(topology, "", { names: [], attributes: ["layers"] }, undefined, 0)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return this.#refuse([...this.#problems, error.message])
    }
    if (this.#problems.length > 0) return this.#refuse(this.#problems)
    if (new Set(outputs).size !== outputs.length) return this.#refuse(["an output layer is listed twice"])
    return {
      name: topology.name === "" ? "keras" : topology.name,
      opset: 15,
      inputs: this.#inputs,
      outputs: outputs.map((name) => name ?? this.#refuse([`an output is computed by no layer (${where})`])),
      nodes: this.#nodes,
      constants: this.#constants,
    }
  }

  #refuse(problems: readonly (string | Problem)[]): never {
    const fix = "docs/OPERATORS.md lists the layers that are supported, and their limits"
    throw new ModelError({ what: "the model cannot be read:", where: this.options.where, fix }, problems)
  }

  #take(name: string): void {
    if (this.#taken.has(name)) this.#problems.push(`the name \`${name}\` is there twice`)
    this.#taken.add(name)
  }

  /**
   * The outputs of a model; undefined for one that could not be computed, which then is among the problems. `scope` is
   * written before the names of its layers; `given` are the tensors it reads, if it is inside of another.
   */
  #run(
    topology: Topology,
    scope: string,
    place: Place,
    given: readonly string[] | undefined,
    depth: number,
  ): (string | undefined)[] {
    if (depth > mostDepth) throw new Refusal(`models within models are more than ${mostDepth} deep`)
    if (given && given.length !== topology.inputs.length)
      throw new Refusal(`it reads ${given.length} tensors, not ${topology.inputs.length}`)
    const found = new Map<string, readonly string[]>()
    const tensorOf = ({ layer, call, output }: Reference) => found.get(`${call}:${layer}`)?.[output]
    const waiting: { listed: Listed; call: Call; index: number; missing: number }[] = []
    const readers = new Map<string, number[]>()
    const ready: number[] = []
    const names = new Set<string>()
    for (const listed of topology.layers) {
      if (names.has(listed.name)) throw new Refusal(`two layers have the name \`${listed.name}\``)
      names.add(listed.name)
      if (listed.className === "InputLayer") {
        const at = topology.inputs.indexOf(listed.name)
        if (given && at < 0) throw new Refusal(`input \`${listed.name}\` is not among its inputs`)
        const tensor = given ? given[at] : this.#input(listed)
        found.set(`0:${listed.name}`, [tensor])
        continue
      }
      if (listed.calls.length === 0) this.#problems.push(`layer \`${listed.name}\` reads no layer`)
      for (const [index, call] of listed.calls.entries()) {
        const sources = new Set(referencesIn([...call.args, ...Object.values(call.kwargs)]))
        const open = [...sources].filter((key) => !found.has(key))
        this.#budget.work(64 * (1 + sources.size), this.options.where)
        for (const key of open) {
          const list = readers.get(key)
          if (list) list.push(waiting.length)
          else readers.set(key, [waiting.length])
        }
        if (open.length === 0) ready.push(waiting.length)
        waiting.push({ listed, call, index, missing: open.length })
      }
    }
    // inputs may be listed after what reads them
    for (const key of found.keys())
      for (const reader of readers.get(key) ?? []) if (--waiting[reader].missing === 0) ready.push(reader)
    let done = 0
    for (let next = 0; next < ready.length; next++) {
      const { listed, call, index } = waiting[ready[next]]
      done++
      const key = `${index}:${listed.name}`
      const outputs = this.#call(listed, call, index, scope, place, tensorOf, depth)
      // what reads a layer that was refused is looked at as well: all problems are told at once
      found.set(key, outputs ?? new Array<string>(mostOutputs).fill(`${key}, which was refused`))
      for (const reader of readers.get(key) ?? []) if (--waiting[reader].missing === 0) ready.push(reader)
    }
    if (done < waiting.length && this.#problems.length === 0) {
      const stuck = waiting.filter(({ missing }) => missing > 0).slice(0, 8)
      const list = stuck.map(({ listed }) => `\`${listed.name}\``).join(", ")
      throw new Refusal(`layers read what is not there, or wait for each other: ${list}`)
    }
    return topology.outputs.map((output) => {
      const tensor = tensorOf(output)
      if (tensor === undefined && this.#problems.length === 0)
        throw new Refusal(`output \`${output.layer}\` is computed by no layer`)
      return tensor
    })
  }

  /** One call of a layer, in the order of the model. */
  #call(
    listed: Listed,
    call: Call,
    index: number,
    scope: string,
    place: Place,
    tensorOf: (reference: Reference) => string | undefined,
    depth: number,
  ): readonly string[] | undefined {
    const { className, name } = listed
    const title = `${scope}${name}${index === 0 ? "" : `@${index}`}`
    try {
      const args = call.args.map((arg) => this.#argument(arg, tensorOf))
      const kwargs = Object.entries(call.kwargs).map(([key, arg]): [string, Argument] => [
        key,
        this.#argument(arg, tensorOf),
      ])
      const inside = {
        names: [...place.names, name],
        attributes: [...place.attributes, listed.attribute],
      }
      return this.#layer(listed, title, inside, args, new Map(kwargs), depth)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      const { message: reason } = error
      const where = `layer \`${title}\` (${shown(className)})`
      const help = reason.endsWith("not supported") ? { help: elsewhere } : {}
      this.#problems.push({ node: title, operator: shown(className), where, reason, ...help })
      return undefined
    }
  }

  #argument(given: Given, tensorOf: (reference: Reference) => string | undefined): Argument {
    const found = resolve(given, tensorOf)
    if (found === undefined) throw new Refusal("it reads an output that is not there")
    return found
  }

  /** The outputs of a layer or a model that reads these tensors. */
  #layer(
    { className, config, isOperation }: Omit<Listed, "calls" | "attribute" | "name">,
    title: string,
    place: Place,
    args: readonly Argument[],
    kwargs: ReadonlyMap<string, Argument>,
    depth: number,
  ): readonly string[] {
    this.#budget.work(callSteps, `layer \`${title}\``)
    const inputs = tensorsIn(args)
    if (inputs.length === 0) throw new Refusal("it reads no layer")
    const asked = new Set<string>()
    const checkCall = () => {
      for (const [key, value] of kwargs)
        if (!asked.has(key) && value !== null && value !== false)
          throw new Refusal(`the call's argument \`${key.slice(0, 40)}\` is not supported`)
    }
    if (isModel(className) && !isOperation) {
      checkCall()
      const topology = readTopology(className, config, this.options.version)
      const inside = { names: place.names, attributes: [...place.attributes, "layers"] }
      const outputs = this.#run(topology, `${title}/`, inside, inputs, depth + 1)
      if (outputs.some((output) => output === undefined)) throw new Refusal("a layer of it is not supported")
      return outputs as string[]
    }
    checkPrecision(config)
    const context = this.#context(config, title, place, args, inputs, kwargs, asked, depth)
    const made = layerNodes(className, isOperation, context)
    checkCall()
    return made
  }

  #context(
    config: Config,
    title: string,
    place: Place,
    args: readonly Argument[],
    inputs: readonly string[],
    kwargs: ReadonlyMap<string, Argument>,
    asked: Set<string>,
    depth: number,
  ): LayerContext {
    let count = 0
    const outputs: LayerContext["outputs"] = (length, operator, sources, attributes = {}) => {
      if (this.#nodes.length >= limits.nodes) this.#refuse([`more than ${limits.nodes} nodes`])
      const names = Array.from({ length }, () => `${title}:${count++}`)
      for (const name of names) this.#take(name)
      this.#nodes.push({ name: title, operator, domain: "", inputs: sources, outputs: names, attributes })
      return names
    }
    return {
      name: title,
      config,
      version: this.options.version,
      inputs,
      args,
      argument: (name) => {
        asked.add(name)
        return kwargs.get(name)
      },
      weight: (suffix, at, part) =>
        this.weights.find(place, typeof suffix === "string" ? [suffix] : suffix, at, part),
      constant: (suffix, shape, data, integral = false) => {
        const key = `${title}/${suffix}`
        const size = shape.reduce((product, dim) => product * dim, 1)
        this.#budget.elements(data.length, `layer \`${title}\``)
        const values = Float64Array.from(data)
        if (size !== values.length || !values.every(Number.isFinite))
          throw new Refusal(`\`${suffix}\` has other values than its shape`)
        this.#take(key)
        this.#constants.set(key, { shape, data: values, dtype: integral ? "int64" : "float32" })
        return key
      },
      node: (operator, sources, attributes) => outputs(1, operator, sources, attributes)[0],
      outputs,
      nested: (entry, attribute, sources) => {
        if (depth > mostDepth) throw new Refusal(`layers within layers are more than ${mostDepth} deep`)
        const inner = readEntry({ name: attribute, ...(isRecord(entry) && entry) }, this.options.version)
        const name = typeof inner.config.name === "string" ? inner.config.name : attribute
        const inside = {
          names: [...place.names, name],
          attributes: [...place.attributes, attribute],
        }
        const tensors = sources.map((source) => new Symbolic(source))
        return this.#layer(inner, `${title}/${attribute}`, inside, tensors, new Map(), depth + 1)
      },
    }
  }

  /** An input of the whole model. */
  #input({ name, config }: Listed): string {
    const given = config.batch_input_shape ?? config.batchInputShape ?? config.batch_shape
    const dims: readonly unknown[] = Array.isArray(given) ? given : []
    if (dims.length === 0) this.#problems.push(`layer \`${name}\`: no batch_input_shape`)
    const { dimensions } = this.options
    const shape = dims.map((dim, axis) => {
      if (isDimension(dim)) return dim
      const key = `${name}:${axis}`
      const stated = Object.hasOwn(dimensions, key) ? dimensions[key] : undefined
      const isOpen = dim === null || dim === undefined || dim === -1
      const chosen = stated ?? (axis === 0 ? 1 : undefined)
      if (isOpen && isDimension(chosen)) return chosen
      this.#problems.push(
        isOpen
          ? `input \`${name}\`: dimension ${axis} is open; say how large, with option \`dimensions\` for \`${key}\``
          : `input \`${name}\`: dimension ${axis} is no positive integer`,
      )
      return 1
    })
    for (const problem of checkSize(shape, limits)) this.#problems.push(`input \`${name}\`: ${problem}`)
    if (config.sparse === true || config.ragged === true)
      this.#problems.push(`input \`${name}\`: sparse and ragged tensors are not supported`)
    this.#take(name)
    this.#inputs.push({ name, dtype: inputType(config.dtype), shape })
    return name
  }
}

const inputTypes: ReadonlySet<unknown> = new Set([
  ...["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"],
])

/** Whole numbers stay whole; all else is real. */
const inputType = (dtype: unknown): DataType => (inputTypes.has(dtype) ? (dtype as DataType) : "float32")

/** Refuses layers that compute in integers, or whose weights are quantized. */
function checkPrecision({ dtype }: Config): void {
  if (dtype === undefined || dtype === null) return
  const isPolicy = isRecord(dtype) && (dtype.class_name === "DTypePolicy" || dtype.class_name === "Policy")
  const name = isRecord(dtype) ? (isPolicy && isRecord(dtype.config) ? dtype.config.name : "") : dtype
  if (typeof name !== "string" || !floats.test(name))
    throw new Refusal(
      `dtype \`${isRecord(dtype) ? shown(name || dtype.class_name) : shown(dtype)}\` is not supported`,
    )
}

/** Keys of the calls whose outputs an argument has. */
function* referencesIn(given: readonly Given[]): Generator<string> {
  for (const each of given) {
    if (Array.isArray(each)) yield* referencesIn(each as readonly Given[])
    else if (isReference(each)) yield `${each.call}:${each.layer}`
  }
}

/** Tensors in arguments, however deep in lists. */
function tensorsIn(args: readonly Argument[]): string[] {
  return args.flatMap((arg) =>
    arg instanceof Symbolic ? [arg.name] : Array.isArray(arg) ? tensorsIn(arg as readonly Argument[]) : [],
  )
}
