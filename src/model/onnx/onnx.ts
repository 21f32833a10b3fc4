/**
 * ONNX files to Graph (https://onnx.ai/onnx/repo-docs/IR.html). Everything wrong with a file is collected
 * and reported at once. Which operators exist, and what they mean, is the business of the lowering.
 */
import { checkArgument, checkBytes, checkOptions, checkRecord, checkTexts } from "../../arguments.js"
import { allowanceFor, Budget } from "../../budget.js"
import { ModelError, type Problem } from "../../errors.js"
import type { Graph } from "../graph.js"
import { limits as defaultLimits, type Limits } from "../limits.js"
import { type Placed, sortNodes } from "../topology.js"
import { type Dimensions, readInputs } from "./inputs.js"
import { graphsOf, readNodes, type Settings } from "./nodes.js"
import { chargeDecoding } from "./scan.js"
import { decodeMessage, type GraphProto, type ModelProto } from "./schema.js"
import { cutProto, type Judge, normalDomain, surveyOperators } from "./survey.js"
import { toNumber } from "./tensor.js"

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
  const total = graphsOf(whole).reduce((sum, { node }) => sum + node.length, 0)
  if (total > bounds.nodes) {
    const given = `${total} nodes`
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
  const functions = functionsOf(model)
  const settings = { limits: bounds, budget, functions, total: { elements: 0 }, located }
  const result = readGraph(graph, opset, options.dimensions ?? {}, settings, problems)
  if (problems.length + located.length === 0) return result
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
  const nodes = graphsOf(graph).flatMap(({ node }) => node)
  const used = new Set(nodes.map((node) => normalDomain(node.domain)))
  for (const domain of used)
    if (!versions.has(domain))
      problems.push(`opset_import names no version for domain \`${domain || "ai.onnx"}\``)
  return versions.get("") ?? 1
}

function readGraph(
  graph: GraphProto,
  opset: number,
  dimensions: Dimensions,
  settings: Settings,
  problems: string[],
): Graph {
  const { placed, constants, declared } = readNodes(graph, settings, "", problems)
  if (graph.node.length === 0) problems.push("the graph has no nodes")
  const { totalElements } = settings.limits
  if (settings.total.elements > totalElements)
    problems.push(
      `${settings.total.elements} elements in all constants, the limit \`totalElements\` is ${totalElements}`,
    )

  // Files of IR versions before 4 list initializers among the inputs as well.
  const infos = graph.input.filter((info) => !declared.has(info.name))
  const inputs = readInputs(infos, dimensions, settings.limits, problems)
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
