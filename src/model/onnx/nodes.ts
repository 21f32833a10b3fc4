/**
 * The nodes and constants of a graph, and the graphs in their attributes. What a subgraph does not define is looked for in
 * the graphs around it, so a node reads its inputs and what its subgraphs read of them.
 */
import type { Budget } from "../../budget.js"
import type { Problem } from "../../errors.js"
import { type Attribute, type Node, namesRead, type Port, type Subgraph, type Tensor } from "../graph.js"
import type { Limits } from "../limits.js"
import { describeNode, type Placed } from "../topology.js"
import type { AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto } from "./schema.js"
import { normalDomain } from "./survey.js"
import { dataTypeOf, decodeTensor, toNumber } from "./tensor.js"

/** What reading a file is bound by, and what was read so far. */
export interface Settings {
  readonly limits: Limits
  readonly budget: Budget
  /** Functions that the model defines, as `domain:name`. */
  readonly functions: ReadonlySet<string>
  /** Elements of the constants of all graphs. */
  readonly total: { elements: number }
  /** Problems of nodes. */
  readonly located: Problem[]
}

/** A graph and all graphs within it; their depth is that of messages, which the decoder limits. */
export function graphsOf(graph: GraphProto): GraphProto[] {
  const found = [graph]
  for (const { node } of found)
    for (const { attribute } of node) for (const { g } of attribute) if (g) found.push(g)
  return found
}

/** Nodes that are no constants, constants, and the names of these, also of those that were refused. */
export interface Nodes {
  readonly placed: readonly Placed[]
  readonly constants: ReadonlyMap<string, Tensor>
  readonly declared: ReadonlySet<string>
}

/** Reads initializers and nodes; `within` names the attribute that holds the graph, for problems, and ends in a comma. */
export function readNodes(graph: GraphProto, settings: Settings, within: string, problems: string[]): Nodes {
  const constants = new Map<string, Tensor>()
  const addConstant = (name: string, tensor: Tensor, where: string): void => {
    if (name === "") problems.push(`${where}: a constant has no name`)
    else if (constants.has(name))
      problems.push(`${where}: tensor \`${name}\` is already a constant of the graph`)
    else constants.set(name, tensor)
    settings.total.elements += tensor.data.length
  }
  const declared = new Set<string>()
  graph.initializer.forEach((proto, i) => {
    const where = `${within}initializer \`${proto.name}\` (number ${i})`
    declared.add(proto.name)
    const tensor = readTensor(proto, where, settings, problems)
    if (tensor) addConstant(proto.name, tensor, where)
  })
  if (graph.sparseInitializer.length > 0)
    problems.push(
      `${within}${graph.sparseInitializer.length} sparse initializers: store them as dense tensors`,
    )
  const placed: Placed[] = []
  graph.node.forEach((proto, position) => {
    const operator = proto.opType || "no operator"
    const where = within + describeNode(proto.name, operator, position)
    const name = proto.name || `#${position}`
    const own: string[] = []
    const domain = normalDomain(proto.domain)
    if (proto.opType === "") own.push(`${where}: names no operator`)
    if (settings.functions.has(`${domain}:${proto.opType}`))
      own.push(`${where}: calls a function of the model; inline functions before export (onnx.inliner)`)
    if (domain === "" && proto.opType === "Constant") {
      for (const output of proto.output) declared.add(output)
      const tensor = readConstant(proto, where, settings, own)
      if (tensor) addConstant(proto.output[0] ?? "", tensor, where)
    } else {
      const attributes = readAttributes(proto, where, settings, own)
      const node: Node = { name, operator, domain, inputs: proto.input, outputs: proto.output, attributes }
      placed.push({ node, position })
    }
    for (const line of own)
      settings.located.push({ node: name, operator, where, reason: line.slice(where.length + 2) })
  })
  return { placed, constants, declared }
}

/** A graph in an attribute. Its nodes must be in order, or a name could be of two graphs. */
function readSubgraph(proto: GraphProto, at: string, settings: Settings, problems: string[]): Subgraph {
  const within = `${at}, `
  const { placed, constants, declared } = readNodes(proto, settings, within, problems)
  const known = new Set(declared)
  const inputs = proto.input.filter(({ name }) => !declared.has(name)).map((info) => portOf(info))
  for (const { name } of inputs) {
    if (name === "") problems.push(`${within}an input has no name`)
    else if (known.has(name)) problems.push(`${within}input \`${name}\`: listed twice`)
    known.add(name)
  }
  const later = new Set(placed.flatMap(({ node }) => node.outputs))
  const captures = new Set<string>()
  for (const { node, position } of placed) {
    const where = within + describeNode(node.name, node.operator, position)
    for (const name of namesRead(node)) {
      if (name === "" || known.has(name)) continue
      if (later.has(name)) problems.push(`${where}: reads \`${name}\` before the subgraph makes it`)
      else captures.add(name)
    }
    for (const name of node.outputs) {
      if (name !== "" && known.has(name))
        problems.push(`${where}: tensor \`${name}\` is there already in the subgraph`)
      known.add(name)
    }
  }
  const outputs = proto.output.map((info) => portOf(info))
  if (outputs.length === 0) problems.push(`${within}the graph declares no output`)
  for (const { name } of outputs) {
    if (name === "") problems.push(`${within}an output has no name`)
    else if (!known.has(name)) captures.add(name)
  }
  const nodes = placed.map(({ node }) => node)
  return { inputs, outputs, nodes, constants, captures: [...captures] }
}

/** What a file says of the name of an input or output; of a subgraph's it need not say anything. */
function portOf({ name, type }: ValueInfoProto): Port {
  const tensor = type?.tensorType
  const shape = tensor?.shape?.dim.map((dim) =>
    dim.value === "dimValue" ? toNumber(dim.dimValue) : undefined,
  )
  return { name, dtype: tensor ? dataTypeOf(tensor.elemType) : undefined, shape }
}

function readTensor(
  proto: TensorProto,
  where: string,
  { limits, budget }: Settings,
  problems: string[],
  missing = false,
): Tensor | undefined {
  const decoded = decodeTensor(proto, limits, (count) => budget.elements(count, where), missing)
  if ("tensor" in decoded) return decoded.tensor
  for (const problem of decoded.problems) problems.push(`${where}: ${problem}`)
  return undefined
}

/** The tensor of a Constant node, in whichever attribute it is given. */
function readConstant(
  proto: NodeProto,
  where: string,
  settings: Settings,
  problems: string[],
): Tensor | undefined {
  const attribute = proto.attribute[0]
  const form = attribute?.name ?? "none"
  if (proto.attribute.length === 1 && attribute) {
    const tensor = (
      shape: number[],
      values: ArrayLike<number>,
      dtype: "float32" | "int64",
    ): Tensor | undefined => {
      const data = Float64Array.from(values)
      if (data.some(Number.isNaN)) problems.push(`${where}: its value is not a number (NaN)`)
      return { shape, data, dtype }
    }
    if (form === "value" && attribute.t) return readTensor(attribute.t, where, settings, problems)
    if (form === "value_float") return tensor([], [attribute.f], "float32")
    if (form === "value_int") return tensor([], [toNumber(attribute.i)], "int64")
    if (form === "value_floats") return tensor([attribute.floats.length], attribute.floats, "float32")
    if (form === "value_ints") return tensor([attribute.ints.length], attribute.ints.map(toNumber), "int64")
  }
  const names = proto.attribute.map((a) => `\`${a.name}\``).join(", ") || "none"
  problems.push(`${where}: a constant is one of value, value_float(s), value_int(s); the node has ${names}`)
  return undefined
}

const utf8 = new TextDecoder()

/** Text of a field; the decoder gives one that is not there as an empty list. */
const textOf = (bytes: Uint8Array): string => (bytes.length === 0 ? "" : utf8.decode(bytes))

function readAttributes(
  proto: NodeProto,
  where: string,
  settings: Settings,
  problems: string[],
): Record<string, Attribute> {
  const entries = new Map<string, Attribute>()
  for (const attribute of proto.attribute) {
    const value = readAttribute(attribute, where, settings, problems)
    if (entries.has(attribute.name)) problems.push(`${where}: attribute \`${attribute.name}\` is there twice`)
    if (value !== undefined) entries.set(attribute.name, value)
  }
  return Object.fromEntries(entries)
}

/** AttributeProto.AttributeType by number, with the field that holds the value. */
const attributeFields = [
  "",
  "f",
  "i",
  "s",
  "t",
  "g",
  "floats",
  "ints",
  "strings",
  "tensors",
  "graphs",
  "sparseTensor",
  "sparseTensors",
  "tp",
  "typeProtos",
] as const

function readAttribute(
  proto: AttributeProto,
  where: string,
  settings: Settings,
  problems: string[],
): Attribute | undefined {
  // Files of IR version 1 do not give the type: it is the field that is there.
  const inferred = attributeFields.findIndex((field) => field !== "" && Object.hasOwn(proto, field))
  const field = attributeFields[proto.type || Math.max(0, inferred)]
  const at = `${where}: attribute \`${proto.name}\``
  if (proto.refAttrName) {
    problems.push(`${at} refers to the attribute \`${proto.refAttrName}\` of a function`)
    return undefined
  }
  switch (field) {
    case "f":
      return proto.f
    case "i":
      return toNumber(proto.i)
    case "s":
      return textOf(proto.s)
    case "floats":
      return proto.floats
    case "ints":
      return proto.ints.map(toNumber)
    case "strings":
      return proto.strings.map(textOf)
    case "g":
      if (proto.g) return readSubgraph(proto.g, at, settings, problems)
      problems.push(`${at} has no value`)
      return undefined
    case "graphs":
      return "<graphs>"
    case "tp":
    case "typeProtos":
      return "<type>"
    case "t":
      if (!proto.t) problems.push(`${at} has no value`)
      else if (proto.t.dataType === 8) return proto.t.stringData.map(textOf)
      // between sets of numbers NaN is what ends one
      else return readTensor(proto.t, at, settings, problems, true)
      return undefined
    default:
      problems.push(
        field
          ? `${at} is of a kind that is not supported: ${field}`
          : `${at} has no known type (${proto.type})`,
      )
      return undefined
  }
}
