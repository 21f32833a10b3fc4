/** Model graph to primitives: every operator is a lowering, and whatever depends on constants alone is computed here. */

import { checkThing } from "../arguments.js"
import { allowanceFor, Budget } from "../budget.js"
import { ModelError } from "../errors.js"
import { type DataType, type Graph, type Node, namesRead, type Subgraph } from "../model/graph.js"
import { fuse } from "./fuse.js"
import { activations } from "./operators/activation.js"
import { arithmetic } from "./operators/arithmetic.js"
import { attentions, fusedAttentions } from "./operators/attention.js"
import { Builder } from "./operators/builder.js"
import { Call, type Run } from "./operators/call.js"
import { controlFlow } from "./operators/control.js"
import { convolutions } from "./operators/conv.js"
import { einsums } from "./operators/einsum.js"
import { fold } from "./operators/fold.js"
import { fusedFunctions, unaryFunctions } from "./operators/functions.js"
import { gathering } from "./operators/gather.js"
import { layout } from "./operators/layout.js"
import type { Operators } from "./operators/limits.js"
import { linearLayers } from "./operators/linear.js"
import { logic } from "./operators/logic.js"
import { mlOperators } from "./operators/ml/index.js"
import { movement } from "./operators/movement.js"
import { fusedNormalizations, normalizations } from "./operators/normalize.js"
import { pooling } from "./operators/pool.js"
import { recurrent } from "./operators/recurrent.js"
import { reductions } from "./operators/reduce.js"
import { resizing } from "./operators/resize.js"
import { axisTable, checkShape, sameShape, show, Unsupported, unsupported } from "./operators/shapes.js"
import { constant, isConstant, isInteger, isIntegral, type Value } from "./operators/values.js"
import { type Program, type ProgramInput, sizeOf, type TensorId } from "./program.js"
import { withRanks } from "./ranks.js"

/** Every operator of the default ONNX domain that can be lowered. */
export const operators: Operators = {
  ...activations,
  ...arithmetic,
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
  ...pooling,
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
}

/** Operators by domain; the importer gives the default one no name. */
const domains: ReadonlyMap<string, Operators> = new Map([
  ["", operators],
  ["ai.onnx", operators],
  ["ai.onnx.ml", mlOperators],
  ["com.microsoft", microsoftOperators],
])

/** Where a refusal sends its reader: the page is made of the operators' limits. */
const supported = "docs/OPERATORS.md lists the operators that are supported, and their limits"

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

/**
 * Lowers a graph to primitives over the reals.
 * @throws ModelError listing every node that cannot be lowered, with operator, position and reason; or naming
 * the node at which the budget of the model was exceeded
 */
export function lower(graph: Graph): Program {
  checkThing("graph", graph, "graph")
  const held = heldBy(graph)
  const budget = new Budget(allowanceFor(held))
  const builder = new Builder(budget)
  const problems: string[] = []
  const values = new Scope()
  for (const [name, { shape, data, dtype }] of graph.constants) values.set(name, constant(shape, data, dtype))
  const inputs: ProgramInput[] = []
  const types: DataType[] = []
  for (const { name, shape, dtype } of graph.inputs) {
    builder.origin = { name, operator: "" }
    builder.outputName = name
    builder.where = `input \`${name}\``
    if (sizeOf(shape) === 0) problems.push(`input \`${name}\` of shape ${show(shape)} has no elements`)
    const value = builder.emit({ kind: "input", name }, shape, dtype)
    const whole = dtype === "bool" ? "bits" : isInteger(dtype) ? "integers" : undefined
    inputs.push({ name, tensor: value.tensor, ...(whole && { whole }) })
    types.push(dtype)
    values.set(name, value)
  }
  for (const [position, node] of graph.nodes.entries()) {
    let results: readonly Value[] | undefined
    try {
      builder.where = label(node, position)
      results = lowerNode(node, values, builder, graph.opset)
    } catch (error) {
      if (!(error instanceof Unsupported)) throw error
      problems.push(describe(node, position, error.message))
    }
    for (const [i, name] of node.outputs.entries()) values.set(name, results?.[i] ?? null)
  }
  const outputs = graph.outputs.flatMap((name) => {
    const tensor = outputTensor(name, values, builder, problems)
    return tensor === undefined ? [] : [{ name, tensor }]
  })
  if (outputs.length === 0 && problems.length === 0) problems.push("the model has no outputs")
  if (problems.length > 0) {
    const count = problems.length === 1 ? "one problem" : `${problems.length} problems`
    const where = graph.name === "" ? "model" : `model \`${graph.name}\``
    throw new ModelError({ what: `the model cannot be proven, ${count}:`, where, fix: supported }, problems)
  }
  const { tensors, nodes } = builder
  return fuse(withRanks({ name: graph.name, tensors, nodes, inputs, outputs, held }, types, budget), budget)
}

/** Numbers that the constants of a graph hold. */
function heldBy({ constants }: Graph): number {
  let held = 0
  for (const { data } of constants.values()) held += data.length
  return held
}

const label = (node: Node, position: number): string => {
  const operator = node.domain === "" ? node.operator : `${node.domain}.${node.operator}`
  return `node \`${node.name}\`, operator \`${operator}\` (#${position})`
}

const describe = (node: Node, position: number, reason: string): string =>
  `${label(node, position)}: ${reason}`

/** The outputs of a node; undefined if an input is unknown because an earlier node was refused. */
function lowerNode(node: Node, values: Scope, builder: Builder, opset: number): readonly Value[] | undefined {
  const known = domains.get(node.domain) ?? {}
  if (!Object.hasOwn(known, node.operator)) return unsupported("the operator is not supported")
  const read: (Value | undefined)[] = []
  for (const name of namesRead(node)) {
    const value = name === "" ? undefined : values.get(name)
    if (value === null) return undefined
    if (name !== "" && !value) unsupported(`input \`${name}\` is computed by no earlier node`)
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
      builder.where = `${where}, ${label(node, position)}`
      const results = lowerNode(node, scope, builder, opset)
      for (const [i, name] of node.outputs.entries()) scope.set(name, results?.[i] ?? null)
    } catch (error) {
      if (!(error instanceof Unsupported)) throw error
      unsupported(`in its subgraph, ${describe(node, position, error.message)}`)
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

/** The tensor of a model output, with the output's own shape; undefined adds a problem or follows from one. */
function outputTensor(
  name: string,
  values: Scope,
  builder: Builder,
  problems: string[],
): TensorId | undefined {
  const value = values.get(name)
  if (value === null) return undefined
  if (!value) {
    problems.push(`output \`${name}\` is computed by no node`)
  } else if (isConstant(value)) {
    problems.push(`output \`${name}\` does not depend on any input`)
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
