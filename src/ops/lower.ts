/** Model graph to primitives: every operator is a lowering, and whatever depends on constants alone is computed here. */

import { checkArgument, checkOptions, checkThing } from "../arguments.js"
import { allowanceFor, Budget } from "../budget.js"
import { ModelError } from "../errors.js"
import { type DataType, type Graph, type Node, namesRead, type Subgraph } from "../model/graph.js"
import { type Labels, labelsFault } from "../statement/labels.js"
import { fuse } from "./fuse.js"
import { activations } from "./operators/activation.js"
import { arithmetic } from "./operators/arithmetic.js"
import { attentions, fusedAttentions } from "./operators/attention.js"
import { bitOperators } from "./operators/bitwise.js"
import { Builder } from "./operators/builder.js"
import { Call, type Run } from "./operators/call.js"
import { controlFlow } from "./operators/control.js"
import { convolutions } from "./operators/conv.js"
import { einsums } from "./operators/einsum.js"
import { fold } from "./operators/fold.js"
import { fusedFunctions, unaryFunctions } from "./operators/functions.js"
import { fusedLayers } from "./operators/fused.js"
import { gathering } from "./operators/gather.js"
import { intervalOfType } from "./operators/intervals.js"
import { layout } from "./operators/layout.js"
import { legacy } from "./operators/legacy.js"
import type { Operators } from "./operators/limits.js"
import { linearLayers } from "./operators/linear.js"
import { logic } from "./operators/logic.js"
import { losses } from "./operators/losses.js"
import { mlOperators } from "./operators/ml/index.js"
import { movement } from "./operators/movement.js"
import { fusedNormalizations, normalizations } from "./operators/normalize.js"
import { pooling } from "./operators/pool.js"
import { powers } from "./operators/powers.js"
import { quantizedFusions, quantizedOperators } from "./operators/quantized.js"
import { recurrent } from "./operators/recurrent.js"
import { reductions } from "./operators/reduce.js"
import { resizing } from "./operators/resize.js"
import { axisTable, checkShape, sameShape, show, Unsupported, unsupported } from "./operators/shapes.js"
import { ordering } from "./operators/top.js"
import { type Constant, constant, isConstant, isInteger, isIntegral, type Value } from "./operators/values.js"
import { type InputGrid, type Program, type ProgramInput, sizeOf, type TensorId } from "./program.js"
import { withRanks } from "./ranks.js"
import { nodeLabel, Refusals } from "./refusals.js"
import { remedyOf } from "./remedies.js"
import { nudged, twinOf } from "./twins.js"

/** Every operator of the default ONNX domain that can be lowered. */
export const operators: Operators = {
  ...activations,
  ...arithmetic,
  ...bitOperators,
  ...legacy,
  ...losses,
  ...powers,
  ...attentions,
  ...controlFlow,
  ...convolutions,
  ...einsums,
  ...fold,
  ...gathering,
  ...layout,
  ...linearLayers,
  ...logic,
  ...movement,
  ...normalizations,
  ...ordering,
  ...pooling,
  ...quantizedOperators,
  ...recurrent,
  ...reductions,
  ...resizing,
  ...unaryFunctions,
}

/** Every operator of onnxruntime's own domain that can be lowered. */
export const microsoftOperators: Operators = {
  ...fusedAttentions,
  ...fusedFunctions,
  ...fusedNormalizations,
  ...fusedLayers,
  ...quantizedFusions,
}

/** Operators by domain; the importer gives the default one no name. */
const domains: ReadonlyMap<string, Operators> = new Map([
  ["", operators],
  ["ai.onnx", operators],
  ["ai.onnx.ml", mlOperators],
  ["com.microsoft", microsoftOperators],
])

/** Values by name, those of the graphs around hidden by a graph's own; null is what a refused node would have computed. */
class Scope {
  readonly #values = new Map<string, Value | null>()
  constructor(private readonly outer?: Scope) {}

  get(name: string): Value | null | undefined {
    const found = this.#values.get(name)
    return found === undefined ? this.outer?.get(name) : found
  }

  set(name: string, value: Value | null): void {
    if (name !== "") this.#values.set(name, value)
  }
}

export interface LowerOptions {
  /** `private`: so that it can be quantized to a model that shows nothing of its weights. */
  readonly weights?: "fixed" | "private"
}

/**
 * Lowers a graph to primitives over the reals.
 * @throws ModelError listing every node that cannot be lowered, with operator, position and reason; or naming
 * the node at which the budget of the model was exceeded; or for a model that cannot have private weights
 */
export function lower(graph: Graph, options: LowerOptions = {}): Program {
  checkThing("graph", graph, "graph")
  checkOptions(options)
  const { weights = "fixed" } = options
  checkArgument(weights === "fixed" || weights === "private", "options.weights", "fixed or private", weights)
  if (weights === "fixed") return lowered(graph)
  checkPrivate(graph)
  return { ...lowered(nudged(graph)), twins: [1, 2].map((seed) => lowered(twinOf(graph, seed))) }
}

/** Programs of whole numbers are made of weights in types that say nothing of what is a weight. @throws ModelError */
function checkPrivate(graph: Graph): void {
  const problems: string[] = []
  for (const [name, { dtype, shape }] of graph.constants)
    if (/^u?int(2|4|8|16)$/.test(dtype) && shape.length > 0)
      problems.push(`tensor \`${name}\` of type \`${dtype}\``)
  if (problems.length === 0) return
  throw new ModelError(
    {
      what: "a quantized model cannot have private weights:",
      where: graph.name === "" ? "model" : `model \`${graph.name}\``,
      expected: "weights in floats",
      fix: "Use the model that it was made of",
    },
    problems,
  )
}

function lowered(graph: Graph): Program {
  const held = heldBy(graph)
  const budget = new Budget(allowanceFor(held))
  const builder = new Builder(budget)
  const refusals = new Refusals()
  const values = new Scope()
  for (const [name, { shape, data, dtype }] of graph.constants) values.set(name, constant(shape, data, dtype))
  const inputs: ProgramInput[] = []
  const types: DataType[] = []
  // what has operators of that domain was made for tables
  const isTabular = graph.nodes.some(({ domain }) => domain === "ai.onnx.ml")
  for (const { name, shape, dtype } of graph.inputs) {
    builder.origin = { name, operator: "" }
    builder.outputName = name
    builder.where = `input \`${name}\``
    if (sizeOf(shape) === 0) refusals.add(`input \`${name}\` of shape ${show(shape)} has no elements`)
    const value = builder.emit({ kind: "input", name }, shape, dtype)
    const whole = dtype === "bool" ? "bits" : isInteger(dtype) ? "integers" : undefined
    const grid = gridOf(dtype)
    const columns = isTabular && !whole && !grid
    inputs.push({
      name,
      tensor: value.tensor,
      ...(whole && { whole }),
      ...(grid && { grid }),
      ...(columns && { columns }),
    })
    types.push(dtype)
    values.set(name, value)
  }
  for (const [position, node] of graph.nodes.entries()) {
    let results: readonly Value[] | undefined
    try {
      builder.where = nodeLabel(node, position)
      results = lowerNode(node, values, builder, graph.opset)
      if (!results) {
        refusals.skip(node)
        refusals.inside(node, notSupported, missing)
      }
    } catch (error) {
      if (!(error instanceof Unsupported)) throw error
      // an operator of a subgraph is told once, where it stands
      const isWithin = refusals.inside(node, notSupported, missing) && error.message.endsWith(notSupported)
      if (isWithin && isSupported(node)) refusals.lose(node)
      else refusals.refuse(node, position, error.message, missing(node))
    }
    for (const [i, name] of node.outputs.entries()) values.set(name, results?.[i] ?? null)
  }
  const isLive = (name: string) => {
    const value = values.get(name)
    return value != null && !isConstant(value)
  }
  const anyLive = graph.outputs.some(isLive)
  const outputs = graph.outputs.flatMap((name) => {
    const tensor = outputTensor(name, values, builder, refusals, anyLive)
    const labels = labelsOf(values.get(name))
    return tensor === undefined ? [] : [{ name, tensor, ...(labels && { labels }) }]
  })
  if (outputs.length === 0 && refusals.isEmpty) refusals.add("the model has no outputs")
  if (!refusals.isEmpty) throw refusals.error(graph, isLive)
  const { tensors, nodes } = builder
  return fuse(withRanks({ name: graph.name, tensors, nodes, inputs, outputs, held }, types, budget), budget)
}

/** What the elements of an output are called. */
function labelsOf(value: Value | null | undefined): Labels | undefined {
  if (!value || isConstant(value) || !value.labels) return undefined
  const fits = labelsFault(value.labels, value.shape) === undefined
  return fits ? value.labels : undefined
}

/** Operators that strings pass through, or that read them. */
const ofStrings = /^(Identity|Reshape|Squeeze|Unsqueeze|Flatten|LabelEncoder|CategoryMapper)$/

/** Numbers that the constants of a graph hold. */
function heldBy({ constants }: Graph): number {
  let held = 0
  for (const { data } of constants.values()) held += data.length
  return held
}

/** All integers of a type of at most 16 bits: what arithmetic on them may take for granted. */
function gridOf(dtype: DataType): InputGrid | undefined {
  if (!/^u?int([248]|16)$/.test(dtype)) return undefined
  const [lo, hi] = intervalOfType(dtype) ?? []
  return lo === undefined || hi === undefined ? undefined : { scale: 1, lo, bits: Math.log2(hi - lo + 1) }
}

export const notSupported = "the operator is not supported"

/** Whether there is a lowering for the operator of a node, in whatever form. */
export const isSupported = ({ domain, operator }: Pick<Node, "domain" | "operator">): boolean =>
  Object.hasOwn(domains.get(domain) ?? {}, operator)

/** What would help with an operator that is not supported; undefined for one that is. */
const missing = (node: Pick<Node, "domain" | "operator">): string | undefined =>
  isSupported(node) ? undefined : remedyOf(node)

/** The outputs of a node; undefined if an input is unknown because an earlier node was refused. */
function lowerNode(node: Node, values: Scope, builder: Builder, opset: number): readonly Value[] | undefined {
  const known = domains.get(node.domain) ?? {}
  if (!isSupported(node)) return unsupported(notSupported)
  const read: (Value | undefined)[] = []
  for (const name of namesRead(node)) {
    const value = name === "" ? undefined : values.get(name)
    if (value === null) return undefined
    if (name !== "" && !value) unsupported(`input \`${name}\` is computed by no earlier node`)
    if (value?.dtype === "string" && !ofStrings.test(node.operator))
      unsupported(`input \`${name}\` is a tensor of strings`)
    read.push(value)
  }
  // what its subgraphs read, they find themselves
  const inputs = read.slice(0, node.inputs.length)
  announce(inputs, builder)
  builder.origin = { name: node.name, operator: node.operator }
  builder.outputName = node.outputs.find((name) => name !== "") ?? node.name
  const run: Run = (graph, given, step) =>
    step === undefined
      ? lowerBody(graph, given, values, builder, opset)
      : builder.inStep(node.name, step, () => lowerBody(graph, given, values, builder, opset))
  const call = new Call(node, inputs, builder, opset, run)
  const results = known[node.operator].lower(call)
  call.finish(results)
  for (const { shape } of results) checkShape(shape)
  for (const result of results)
    if (isConstant(result) && result.constant.some(Number.isNaN))
      unsupported("its constant inputs give a result that is not a number")
  return results
}

/** The outputs of a subgraph whose inputs have these values. */
function lowerBody(
  graph: Subgraph,
  given: readonly Value[],
  around: Scope,
  builder: Builder,
  opset: number,
): readonly Value[] {
  const { origin, outputName, where } = builder
  const { inputs, outputs, nodes, constants } = graph
  if (inputs.length !== given.length)
    unsupported(`its subgraph has ${inputs.length} inputs, and is given ${given.length}`)
  builder.unroll(nodes.length)
  const scope = new Scope(around)
  for (const [name, { shape, data, dtype }] of constants) scope.set(name, constant(shape, data, dtype))
  inputs.forEach(({ name, dtype }, i) => {
    if (dtype !== undefined && dtype !== given[i].dtype)
      unsupported(`input \`${name}\` of its subgraph is \`${dtype}\`, and is given \`${given[i].dtype}\``)
    scope.set(name, given[i])
  })
  for (const [position, node] of nodes.entries()) {
    try {
      builder.where = `${where}, ${nodeLabel(node, position)}`
      const results = lowerNode(node, scope, builder, opset)
      for (const [i, name] of node.outputs.entries()) scope.set(name, results?.[i] ?? null)
    } catch (error) {
      if (!(error instanceof Unsupported)) throw error
      unsupported(`in its subgraph, ${nodeLabel(node, position)}: ${error.message}`)
    }
  }
  Object.assign(builder, { origin, outputName, where })
  return outputs.map(
    ({ name }) => scope.get(name) ?? unsupported(`its subgraph does not compute \`${name}\``),
  )
}

/** What every lowering may do: read each element of its inputs, and fold each constant into another. */
function announce(inputs: readonly (Value | undefined)[], builder: Builder): void {
  builder.work(inputs.length + 1)
  for (const value of inputs) {
    if (!value) continue
    builder.work(sizeOf(value.shape))
    if (isConstant(value)) builder.hold(value.constant.length)
  }
}

/** A constant beside outputs that depend on the input: a sum of nothing and the constant. */
function constantOutput(name: string, value: Constant, builder: Builder): TensorId {
  builder.origin = { name, operator: "" }
  builder.outputName = name
  builder.where = `output \`${name}\``
  const size = sizeOf(value.shape)
  const nothing = new Uint32Array(0)
  const map = {
    kind: "sparse",
    rowPtr: new Uint32Array(size + 1),
    columns: nothing,
    values: new Float64Array(0),
  } as const
  const source = builder.nodes.findIndex(({ kind }) => kind === "input")
  return builder.linear([{ source, map }], value.shape, value.dtype, value.constant).tensor
}

/** The tensor of a model output, with the output's own shape; undefined adds a problem or follows from one. */
function outputTensor(
  name: string,
  values: Scope,
  builder: Builder,
  refusals: Refusals,
  anyLive: boolean,
): TensorId | undefined {
  const value = values.get(name)
  if (value === null) return undefined
  if (!value) {
    refusals.add(`output \`${name}\` is computed by no node`)
  } else if (isConstant(value) && (!anyLive || value.constant.length === 0)) {
    refusals.add(`output \`${name}\` does not depend on any input`)
  } else if (isConstant(value)) {
    return constantOutput(name, value, builder)
  } else {
    const made = builder.tensors[value.tensor]
    const isInput = builder.nodes[value.tensor].kind === "input"
    if (!isInput && sameShape(made.shape, value.shape)) return value.tensor
    // an output that only renames or reshapes another tensor is a tensor of its own
    builder.origin = { name, operator: "" }
    builder.outputName = name
    builder.where = `output \`${name}\``
    const map = axisTable(builder, sizeOf(value.shape), 1)
    const node = { kind: "index", sources: [value.tensor], map, fill: 0 } as const
    return builder.emit(node, value.shape, value.dtype, isIntegral(value)).tensor
  }
  return undefined
}
