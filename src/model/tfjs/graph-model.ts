/**
 * GraphModels of tfjs: a graph of TensorFlow's operators as JSON (a GraphDef), whose constants are the weights beside it
 * by their nodes' names. Only what the outputs need is read; functions and control flow are refused.
 */
import { allowanceFor, Budget } from "../../budget.js"
import { ModelError } from "../../errors.js"
import type { Attribute, DataType, Graph, GraphInput, Node, Tensor } from "../graph.js"
import { isRecord, Refusal, shown } from "../keras/layer.js"
import { checkSize, limits } from "../limits.js"
import { type Placed, sortNodes } from "../topology.js"
import { Attributes, type GraphNode } from "./graph-node.js"
import { graphOutputs } from "./graph-operators.js"

interface Entry {
  readonly name: string
  readonly operator: string
  readonly inputs: readonly string[]
  readonly attributes: Attributes
}

const inputTypes: ReadonlyMap<string, DataType> = new Map([
  ["DT_FLOAT", "float32"],
  ["DT_HALF", "float32"],
  ["DT_DOUBLE", "float32"],
  ["DT_INT32", "int32"],
  ["DT_INT64", "int64"],
  ["DT_UINT8", "uint8"],
  ["DT_BOOL", "bool"],
])

/** Whether a file says that its topology is a graph, or has the nodes of one. */
export const isGraphModel = (model: Readonly<Record<string, unknown>>): boolean =>
  model.format === "graph-model" || (isRecord(model.modelTopology) && Array.isArray(model.modelTopology.node))

/**
 * The graph of a GraphModel.
 * @throws ModelError naming every operator that is not supported and every constant that is missing
 */
export function readGraphModel(
  model: Readonly<Record<string, unknown>>,
  weights: ReadonlyMap<string, Tensor>,
  where: string,
  dimensions: Readonly<Record<string, number>>,
): Graph {
  const reader = new GraphReader(model, weights, where, dimensions)
  return reader.graph()
}

/** A name of a tensor as node and number: `a`, `a:0`, `a:1`. */
function tensorName(text: string): readonly [node: string, output: number] {
  const [, node, output = "0"] = /^(.*?)(?::(\d{1,6}))?$/s.exec(text) ?? ["", text]
  return [node, Number(output)]
}

class GraphReader {
  readonly #entries = new Map<string, Entry>()
  readonly #placed: Placed[] = []
  readonly #constants = new Map<string, Tensor>()
  readonly #inputs: GraphInput[] = []
  readonly #outputs = new Map<string, readonly string[]>()
  readonly #problems: string[] = []
  readonly #budget: Budget

  constructor(
    private readonly model: Readonly<Record<string, unknown>>,
    private readonly weights: ReadonlyMap<string, Tensor>,
    private readonly where: string,
    private readonly dimensions: Readonly<Record<string, number>>,
  ) {
    const held = [...weights.values()].reduce((sum, { data }) => sum + data.length, 0)
    this.#budget = new Budget(allowanceFor(held))
  }

  #refuse(problems: readonly string[]): never {
    const fix = "docs/OPERATORS.md lists the operators of TensorFlow that are supported"
    throw new ModelError({ what: "the model cannot be read:", where: this.where, fix }, problems)
  }

  graph(): Graph {
    this.#readEntries()
    const wanted = this.#wanted()
    for (const name of this.#needed(wanted)) {
      const entry = this.#entries.get(name)
      if (!entry) this.#problems.push(`node \`${name.slice(0, 200)}\` is read, and is not there`)
      else this.#translate(entry)
    }
    const outputs = wanted.map((text) => this.#named(text))
    if (new Set(outputs).size !== outputs.length) this.#problems.push("an output is listed twice")
    // tensors are named by their nodes and numbers, whatever they were translated to
    const known = new Map(
      [...this.#outputs].flatMap(([name, list]) => list.map((made, i) => [`${name}:${i}`, made])),
    )
    const placed = this.#placed.map(({ node, position }) => ({
      position,
      node: { ...node, inputs: node.inputs.map((input) => known.get(input) ?? input) },
    }))
    const available = [...this.#inputs.map(({ name }) => name), ...this.#constants.keys()]
    const nodes = this.#problems.length > 0 ? [] : sortNodes(placed, available, this.#problems)
    if (this.#problems.length > 0) this.#refuse(this.#problems)
    return {
      name: "tfjs",
      opset: 15,
      inputs: this.#inputs,
      outputs,
      nodes,
      constants: this.#constants,
    }
  }

  /** An output of the model, under the name that the file has for it. */
  #named(text: string): string {
    const [node, output] = tensorName(text)
    const made = this.#outputs.get(node)?.[output]
    if (made === undefined && this.#problems.length === 0)
      this.#problems.push(`output \`${text.slice(0, 200)}\` is computed by no node`)
    const name = output === 0 ? node : text
    if (made === undefined || this.#inputs.some((input) => input.name === name)) return made ?? text
    const inputs = [made]
    const entry: Node = { name, operator: "Identity", domain: "", inputs, outputs: [name], attributes: {} }
    this.#placed.push({ node: entry, position: this.#placed.length })
    return name
  }

  #readEntries(): void {
    const { modelTopology } = this.model
    const list = isRecord(modelTopology) ? modelTopology.node : undefined
    if (!Array.isArray(list)) {
      this.#refuse(["modelTopology has no list of nodes"])
      return
    }
    if (list.length > limits.nodes)
      this.#refuse([`${list.length} nodes, the limit \`nodes\` is ${limits.nodes}`])
    for (const [i, node] of list.entries()) {
      const { name, op, input = [], attr } = isRecord(node) ? node : {}
      const isFit = Array.isArray(input) && input.every((each) => typeof each === "string")
      // the signs have a meaning in the names of tensors, and # is ours
      if (typeof name !== "string" || !/^[^:#^]+$/.test(name) || typeof op !== "string" || !isFit) {
        this.#problems.push(`node ${i} has no name, operator or inputs`)
        continue
      }
      if (this.#entries.has(name)) this.#problems.push(`two nodes have the name \`${name.slice(0, 200)}\``)
      const inputs = (input as string[]).filter((each) => !each.startsWith("^"))
      this.#budget.work(64 * (1 + inputs.length), this.where)
      this.#entries.set(name, { name, operator: op, inputs, attributes: new Attributes(attr) })
    }
    if (this.#problems.length > 0) this.#refuse(this.#problems)
  }

  /** Names of the output tensors: as the signature has them, or those of nodes that none reads. */
  #wanted(): readonly string[] {
    const { userDefinedMetadata, signature } = this.model
    const stated = isRecord(signature)
      ? signature
      : isRecord(userDefinedMetadata)
        ? userDefinedMetadata.signature
        : undefined
    if (isRecord(stated) && isRecord(stated.outputs)) {
      const names = Object.values(stated.outputs).map((each) => (isRecord(each) ? each.name : undefined))
      if (names.length > 0 && names.every((name) => typeof name === "string")) return names
      return this.#refuse(["the signature's outputs have no names"])
    }
    const read = new Set(
      [...this.#entries.values()].flatMap(({ inputs }) => inputs.map((x) => tensorName(x)[0])),
    )
    const ends = [...this.#entries.keys()].filter((name) => !read.has(name))
    return ends.length > 0 ? ends : this.#refuse(["every node is read by another: there is no output"])
  }

  /** Names of the nodes that the outputs need, in the order of the file. */
  #needed(wanted: readonly string[]): readonly string[] {
    const found = new Set<string>()
    const waiting = wanted.map((text) => tensorName(text)[0])
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      if (found.has(name)) continue
      found.add(name)
      for (const input of this.#entries.get(name)?.inputs ?? []) waiting.push(tensorName(input)[0])
    }
    const missing = [...found].filter((name) => !this.#entries.has(name))
    return [...[...this.#entries.keys()].filter((name) => found.has(name)), ...missing]
  }

  #translate(entry: Entry): void {
    const { name, operator } = entry
    try {
      if (operator === "Placeholder") this.#outputs.set(name, [this.#input(entry)])
      else if (operator === "Const") this.#outputs.set(name, [this.#constant(entry)])
      else this.#outputs.set(name, graphOutputs(this.#node(entry)))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      this.#problems.push(`node \`${name.slice(0, 200)}\` (${shown(operator)}): ${error.message}`)
    }
  }

  #constant({ name }: Entry): string {
    const tensor = this.weights.get(name)
    if (!tensor) throw new Refusal("its weight is missing")
    const key = `${name}:0`
    this.#constants.set(key, tensor)
    return key
  }

  /** The constant that a tensor is, also behind nodes that change nothing. */
  #constantOf(tensor: string): Tensor | undefined {
    let [name, output] = tensorName(tensor)
    for (let steps = 0; steps < 100 && output === 0; steps++) {
      const entry = this.#entries.get(name)
      if (entry?.operator === "Const") return this.weights.get(name)
      if (entry?.operator !== "Identity" || entry.inputs.length === 0) return undefined
      ;[name, output] = tensorName(entry.inputs[0])
    }
    return undefined
  }

  #node({ name, operator, inputs, attributes }: Entry): GraphNode {
    let count = 0
    const tensors = inputs.map((input) => tensorName(input).join(":"))
    const outputs: GraphNode["outputs"] = (
      length,
      made,
      sources,
      settings: Record<string, Attribute> = {},
    ) => {
      if (this.#placed.length >= limits.nodes) this.#refuse([`more than ${limits.nodes} nodes`])
      if (sources.some((source) => source === undefined)) throw new Refusal("it reads too few tensors")
      // no name of a node has this letter before a number
      const names = Array.from({ length }, () => `${name}#${count++}`)
      const node: Node = {
        name,
        operator: made,
        domain: "",
        inputs: sources,
        outputs: names,
        attributes: settings,
      }
      this.#placed.push({ node, position: this.#placed.length })
      return names
    }
    return {
      name,
      operator,
      inputs: tensors,
      attributes,
      constantOf: (i, what) => {
        const found = i < tensors.length ? this.#constantOf(tensors[i]) : undefined
        if (!found) throw new Refusal(`${what} (input ${i}) depend on the model's input, or are missing`)
        return found
      },
      shapeOf: (i) => (i < tensors.length ? this.#constantOf(tensors[i])?.shape : undefined),
      constant: (suffix, shape, data, integral = false) => {
        const key = `${name}#${suffix}`
        this.#budget.elements(data.length, `node \`${name.slice(0, 200)}\``)
        const values = Float64Array.from(data)
        if (!values.every(Number.isFinite)) throw new Refusal(`\`${suffix}\` is no number`)
        this.#constants.set(key, { shape, data: values, dtype: integral ? "int64" : "float32" })
        return key
      },
      node: (made, sources, settings) => outputs(1, made, sources, settings)[0],
      outputs,
    }
  }

  /** An input of the model, under its node's name. */
  #input({ name, attributes }: Entry): string {
    const dims = attributes.shape("shape")
    if (!dims) throw new Refusal("the file does not say how many dimensions it has")
    const shape = dims.map((dim, axis) => {
      const key = `${name}:${axis}`
      const stated = Object.hasOwn(this.dimensions, key) ? this.dimensions[key] : undefined
      const value = dim === -1 ? (stated ?? (axis === 0 ? 1 : undefined)) : dim
      if (value !== undefined && Number.isSafeInteger(value) && value > 0) return value
      throw new Refusal(
        dim === -1
          ? `dimension ${axis} is open; say how large, with option \`dimensions\` for \`${key}\``
          : `dimension ${axis} is no positive integer`,
      )
    })
    for (const problem of checkSize(shape, limits)) throw new Refusal(problem)
    const type = attributes.type("dtype")
    const dtype = inputTypes.get(type)
    if (!dtype) throw new Refusal(`type \`${type}\` is not supported`)
    this.#inputs.push({ name, dtype, shape })
    return name
  }
}
