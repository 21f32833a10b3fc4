/**
 * ONNX files to Graph (https://onnx.ai/onnx/repo-docs/IR.html). Everything wrong with a file is collected
 * and reported at once. Which operators exist, and what they mean, is the business of the lowering.
 */
import { checkArgument, checkBytes, checkOptions, checkRecord, checkTexts } from "../../arguments.js"
import { allowanceFor, Budget } from "../../budget.js"
import { ModelError, type Problem } from "../../errors.js"
import type { Attribute, Graph, Node, Tensor } from "../graph.js"
import { limits as defaultLimits, type Limits } from "../limits.js"
import { describeNode, type Placed, sortNodes } from "../topology.js"
import { type Dimensions, readInputs } from "./inputs.js"
import { chargeDecoding } from "./scan.js"
import {
  type AttributeProto,
  decodeMessage,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from "./schema.js"
import { cutProto, type Judge, normalDomain, surveyOperators } from "./survey.js"
import { decodeTensor, toNumber } from "./tensor.js"

export interface ImportOptions {
  /** Values of open dimensions, by symbolic name or by `input:axis`; an open first dimension defaults to 1. */
  readonly dimensions?: Dimensions
  /** Tensors at which the model ends, instead of its own outputs: what only those need is not read. */
  readonly outputs?: readonly string[]
  /** Name of the file in error messages. */
  readonly file?: string
  readonly limits?: Partial<Limits>
}

/** What the allowance of a file counts a byte as: weights take four, or one. */
const numbersPerByte = 1 / 8

/**
 * Reads an ONNX model; throws ModelError with every problem of the file, UsageError for wrong arguments. With `judge`
 * the problems of a file that has any include those of its operators.
 */
export function importOnnx(bytes: Uint8Array, options: ImportOptions = {}, judge?: Judge): Graph {
  checkBytes(bytes, "bytes")
  checkOptions(options)
  if (options.dimensions !== undefined) checkRecord(options.dimensions, "options.dimensions")
  if (options.limits !== undefined) checkRecord(options.limits, "options.limits")
  const { outputs } = options
  if (outputs !== undefined) checkTexts(outputs, "options.outputs")
  for (const [name, limit] of Object.entries(options.limits ?? {}))
    checkArgument(Number(limit) >= 0, `options.limits.${name}`, "a number", limit)
  const bounds = { ...defaultLimits, ...options.limits }
  const where = options.file ?? "ONNX model"
  const budget = new Budget(allowanceFor(bytes.length * numbersPerByte), (facts) => {
    throw new ModelError({ ...facts, where: facts.where ? `${where}, ${facts.where}` : where })
  })
  const model = decodeModel(bytes, bounds, where, budget)
  const whole = model.graph
  if (!whole) {
    throw new ModelError({
      where,
      what: "there is no graph in the file",
      fix: "Is it an ONNX model? Tensors (.pb) and other protobuf files are not",
    })
  }
  if (whole.node.length > bounds.nodes) {
    const given = `${whole.node.length} nodes`
    throw new ModelError({
      where,
      what: "too many nodes",
      expected: `at most \`nodes\` = ${bounds.nodes}`,
      given,
    })
  }
  const problems: string[] = []
  const graph = outputs ? cutProto(whole, outputs, problems) : whole
  if (problems.length > 0) throw new ModelError({ where, what: "the model cannot be cut:" }, problems)
  const opset = readOpset(model, graph, problems)
  if (model.trainingInfo.length > 0)
    problems.push("the file holds training information; export the model for inference")
  const located: Problem[] = []
  const settings = { dimensions: options.dimensions ?? {}, limits: bounds, budget }
  const result = readGraph(graph, model, opset, settings, problems, located)
  if (problems.length + located.length === 0) return result
  const functions = functionsOf(model)
  const operators = judge
    ? surveyOperators(graph, (node) =>
        functions.has(`${node.domain}:${node.operator}`) ? undefined : judge(node),
      )
    : []
  const all = [...problems, ...located, ...operators]
  const count = all.length === 1 ? "one problem" : `${all.length} problems`
  throw new ModelError({ where, what: `the model cannot be read, ${count}:` }, all)
}

/** Functions that a model has itself. */
const functionsOf = ({ functions }: ModelProto): ReadonlySet<string> =>
  new Set(functions.map(({ domain, name }) => `${normalDomain(domain)}:${name}`))

function decodeModel(bytes: Uint8Array, limits: Limits, where: string, budget: Budget): ModelProto {
  if (bytes.length > limits.bytes) {
    const expected = `at most \`bytes\` = ${limits.bytes}`
    throw new ModelError({ where, what: "the file is too large", expected, given: `${bytes.length} bytes` })
  }
  if (bytes.length === 0) throw new ModelError({ where, what: "the file is empty" })
  try {
    chargeDecoding("ModelProto", bytes, limits.nesting, budget)
    return decodeMessage("ModelProto", bytes, limits.nesting) as ModelProto
  } catch (error) {
    if (error instanceof ModelError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    const deep = reason.includes("max depth")
    throw new ModelError({
      where,
      what: deep
        ? `messages are nested deeper than the limit \`nesting\` = ${limits.nesting}`
        : "not an ONNX file, or a truncated or damaged one",
      ...(deep ? {} : { given: `${bytes.length} bytes: ${reason}` }),
    })
  }
}

/** Version of the default operator set; a problem for every domain used without a version. */
function readOpset(model: ModelProto, graph: GraphProto, problems: string[]): number {
  const versions = new Map(model.opsetImport.map((o) => [normalDomain(o.domain), toNumber(o.version)]))
  if (versions.size === 0) {
    problems.push("opset_import is missing: the file does not say which operator versions it uses")
    return 0
  }
  for (const [domain, version] of versions)
    if (version < 1) problems.push(`opset_import: domain \`${domain || "ai.onnx"}\` has version ${version}`)
  const used = new Set(graph.node.map((node) => normalDomain(node.domain)))
  for (const domain of used)
    if (!versions.has(domain))
      problems.push(`opset_import names no version for domain \`${domain || "ai.onnx"}\``)
  return versions.get("") ?? 1
}

type Settings = { readonly dimensions: Dimensions; readonly limits: Limits; readonly budget: Budget }

function readGraph(
  graph: GraphProto,
  model: ModelProto,
  opset: number,
  settings: Settings,
  problems: string[],
  located: Problem[],
): Graph {
  const constants = new Map<string, Tensor>()
  const functions = functionsOf(model)
  let total = 0
  const addConstant = (name: string, tensor: Tensor, where: string): void => {
    if (name === "") problems.push(`${where}: a constant has no name`)
    else if (constants.has(name))
      problems.push(`${where}: tensor \`${name}\` is already a constant of the graph`)
    else constants.set(name, tensor)
    total += tensor.data.length
  }

  const declared = new Set<string>()
  graph.initializer.forEach((proto, i) => {
    const where = `initializer \`${proto.name}\` (number ${i})`
    declared.add(proto.name)
    const tensor = readTensor(proto, where, settings, problems)
    if (tensor) addConstant(proto.name, tensor, where)
  })
  if (graph.sparseInitializer.length > 0)
    problems.push(`${graph.sparseInitializer.length} sparse initializers: store them as dense tensors`)

  const placed: Placed[] = []
  graph.node.forEach((proto, position) => {
    const operator = proto.opType || "no operator"
    const where = describeNode(proto.name, operator, position)
    const name = proto.name || `#${position}`
    const own: string[] = []
    const domain = normalDomain(proto.domain)
    if (proto.opType === "") own.push(`${where}: names no operator`)
    if (functions.has(`${domain}:${proto.opType}`))
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
      located.push({ node: name, operator, where, reason: line.slice(where.length + 2) })
  })
  if (graph.node.length === 0) problems.push("the graph has no nodes")
  if (total > settings.limits.totalElements)
    problems.push(
      `${total} elements in all constants, the limit \`totalElements\` is ${settings.limits.totalElements}`,
    )

  // Files of IR versions before 4 list initializers among the inputs as well.
  const infos = graph.input.filter((info) => !declared.has(info.name))
  const inputs = readInputs(infos, settings.dimensions, settings.limits, problems)
  const names = new Set<string>()
  for (const { name } of infos) {
    if (names.has(name)) problems.push(`input \`${name}\`: listed twice`)
    if (name === "") problems.push("an input has no name")
    names.add(name)
  }
  // Names of what was refused above count as available: each problem is reported once, where it is.
  const available = new Set([...declared, ...names])
  const nodes = sortNodes(placed, available, problems)
  return {
    name: graph.name || "model",
    opset,
    inputs,
    outputs: readOutputs(graph, available, placed, problems),
    nodes,
    constants,
  }
}

function readOutputs(
  graph: GraphProto,
  available: ReadonlySet<string>,
  placed: readonly Placed[],
  problems: string[],
): string[] {
  const produced = new Set(placed.flatMap(({ node }) => node.outputs))
  const outputs = graph.output.map((info) => info.name)
  if (outputs.length === 0) problems.push("the graph declares no output")
  const listed = new Set<string>()
  outputs.forEach((name) => {
    if (listed.has(name)) problems.push(`output \`${name}\`: listed twice`)
    listed.add(name)
    if (name === "" || !(produced.has(name) || available.has(name)))
      problems.push(`output \`${name}\`: is produced by nothing`)
  })
  return outputs
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
    case "graphs":
      return "<graph>"
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
