/** ONNX files of the benchmarks: written here, or another's with what it leaves to defaults written out. */
import { messageType } from "../dist/model/onnx/schema.js"

// numbers of TensorProto.DataType and AttributeProto.AttributeType
const dataTypes = { float: 1, int64: 7 }
const kinds = { float: 1, int: 2, string: 3, floats: 6, ints: 7, strings: 8 }

/** Numbers are ints; a list is of ints or of texts; { float } and { floats } are real. */
function attribute(name, value) {
  const text = (x) => new TextEncoder().encode(x)
  if (typeof value === "number") return { name, type: kinds.int, i: value }
  if (typeof value === "string") return { name, type: kinds.string, s: text(value) }
  if (value.float !== undefined) return { name, type: kinds.float, f: value.float }
  if (value.floats !== undefined) return { name, type: kinds.floats, floats: [...value.floats] }
  if (typeof value[0] === "string") return { name, type: kinds.strings, strings: value.map(text) }
  return { name, type: kinds.ints, ints: [...value] }
}

const typed = ({ name, shape, dtype = "float" }) => ({
  name,
  type: {
    tensorType: {
      elemType: dataTypes[dtype],
      shape: { dim: shape.map((dimValue) => ({ dimValue })) },
    },
  },
})

/** A file that is written node by node, with static shapes. */
export class OnnxFile {
  #name
  #input
  #nodes = []
  #initializers = []

  /** `input`: { name, shape }. */
  constructor(name, input) {
    this.#name = name
    this.#input = input
  }

  /** Adds a node and gives the name of its output, or of the first of them. */
  add(opType, input, attributes, output, domain = "") {
    const outputs = [output].flat()
    const list = Object.entries(attributes).map(([name, value]) => attribute(name, value))
    this.#nodes.push({ opType, name: outputs[0], domain, input, output: outputs, attribute: list })
    return outputs[0]
  }

  /** A constant; gives its name. */
  floats(name, dims, data) {
    const floats = Float32Array.from(data)
    const rawData = new Uint8Array(floats.buffer)
    this.#initializers.push({ name, dims: [...dims], dataType: dataTypes.float, rawData })
    return name
  }

  /** `outputs`: [{ name, shape, dtype }]. */
  encode(outputs) {
    const graph = {
      name: this.#name,
      node: this.#nodes,
      initializer: this.#initializers,
      input: [typed(this.#input)],
      output: outputs.map(typed),
    }
    const isMl = this.#nodes.some(({ domain }) => domain === "ai.onnx.ml")
    const opsetImport = [{ domain: "", version: 13 }, ...(isMl ? [{ domain: "ai.onnx.ml", version: 3 }] : [])]
    const type = messageType("ModelProto")
    return type.encode(type.fromObject({ irVersion: 8, opsetImport, graph })).finish()
  }
}

const windows = ["Conv", "MaxPool", "AveragePool"]

/** The same model with kernel, strides, pads, dilations and groups said wherever there is a window of two dimensions. */
export function explicit(bytes) {
  const type = messageType("ModelProto")
  const model = type.decode(bytes)
  const shapes = new Map(model.graph.initializer.map(({ name, dims }) => [name, Array.from(dims, Number)]))
  for (const node of model.graph.node) {
    if (!windows.includes(node.opType)) continue
    const has = (name) => node.attribute.some((given) => given.name === name)
    const say = (name, value) => {
      if (!has(name)) node.attribute.push(attribute(name, value))
    }
    if (node.opType === "Conv") say("kernel_shape", shapes.get(node.input[1]).slice(2))
    say("strides", [1, 1])
    if (!has("auto_pad")) say("pads", [0, 0, 0, 0])
    if (node.opType !== "Conv") {
      say("ceil_mode", 0)
      continue
    }
    say("dilations", [1, 1])
    say("group", 1)
  }
  return type.encode(type.fromObject(type.toObject(model))).finish()
}

/** How many numbers the constants of a file have that are floats: its weights. */
export function floatCount(bytes) {
  const { graph } = messageType("ModelProto").decode(bytes)
  const size = (dims) => Array.from(dims, Number).reduce((a, b) => a * b, 1)
  return graph.initializer
    .filter(({ dataType }) => dataType === dataTypes.float)
    .reduce((sum, { dims }) => sum + size(dims), 0)
}
