/** Model graph to primitives: every operator is a lowering, and whatever depends on constants alone is computed here. */
import { checkThing } from "../arguments.js"
import { ModelError } from "../errors.js"
import type { Graph, Node } from "../model/graph.js"
import { fuse } from "./fuse.js"
import { activations } from "./operators/activation.js"
import { arithmetic } from "./operators/arithmetic.js"
import { Builder } from "./operators/builder.js"
import { Call, type Lowering } from "./operators/call.js"
import { convolutions } from "./operators/conv.js"
import { fold } from "./operators/fold.js"
import { microsoftOperators, unaryFunctions } from "./operators/functions.js"
import { gathering } from "./operators/gather.js"
import { layout } from "./operators/layout.js"
import { linearLayers } from "./operators/linear.js"
import { movement } from "./operators/movement.js"
import { pooling } from "./operators/pool.js"
import { reductions } from "./operators/reduce.js"
import { resizing } from "./operators/resize.js"
import { sameShape, show, Unsupported, unsupported } from "./operators/shapes.js"
import { constant, isConstant, isIntegral, type Value } from "./operators/values.js"
import { type Program, sizeOf, type TensorId } from "./program.js"

/** Every operator of the default ONNX domain that can be lowered. */
export const operators: Readonly<Record<string, Lowering>> = {
  ...activations,
  ...arithmetic,
  ...convolutions,
  ...fold,
  ...gathering,
  ...layout,
  ...linearLayers,
  ...movement,
  ...pooling,
  ...reductions,
  ...resizing,
  ...unaryFunctions,
}

/** Values by name; null is what a refused node would have computed. */
type Environment = Map<string, Value | null>

/**
 * Lowers a graph to primitives over the reals.
 * @throws ModelError listing every node that cannot be lowered, with operator, position and reason
 */
export function lower(graph: Graph): Program {
  checkThing("graph", graph, "graph")
  const builder = new Builder()
  const problems: string[] = []
  const values: Environment = new Map()
  for (const [name, { shape, data, dtype }] of graph.constants) values.set(name, constant(shape, data, dtype))
  const inputs: { name: string; tensor: TensorId }[] = []
  for (const { name, shape, dtype } of graph.inputs) {
    builder.origin = { name, operator: "" }
    builder.outputName = name
    if (sizeOf(shape) === 0) problems.push(`input \`${name}\` of shape ${show(shape)} has no elements`)
    const value = builder.emit({ kind: "input", name }, shape, dtype)
    inputs.push({ name, tensor: value.tensor })
    values.set(name, value)
  }
  for (const [position, node] of graph.nodes.entries()) {
    let results: readonly Value[] | undefined
    try {
      results = lowerNode(node, values, builder, graph.opset)
    } catch (error) {
      if (!(error instanceof Unsupported)) throw error
      problems.push(describe(node, position, error.message))
    }
    for (const [i, name] of node.outputs.entries()) if (name !== "") values.set(name, results?.[i] ?? null)
  }
  const outputs = graph.outputs.flatMap((name) => {
    const tensor = outputTensor(name, values, builder, problems)
    return tensor === undefined ? [] : [{ name, tensor }]
  })
  if (outputs.length === 0 && problems.length === 0) problems.push("the model has no outputs")
  if (problems.length > 0) {
    const count = problems.length === 1 ? "one problem" : `${problems.length} problems`
    const where = graph.name === "" ? "model" : `model \`${graph.name}\``
    throw new ModelError({ what: `the model cannot be proven, ${count}:`, where }, problems)
  }
  return fuse({ name: graph.name, tensors: builder.tensors, nodes: builder.nodes, inputs, outputs })
}

const describe = (node: Node, position: number, reason: string): string => {
  const operator = node.domain === "" ? node.operator : `${node.domain}.${node.operator}`
  return `node \`${node.name}\`, operator \`${operator}\` (#${position}): ${reason}`
}

/** The outputs of a node; undefined if an input is unknown because an earlier node was refused. */
function lowerNode(
  node: Node,
  values: Environment,
  builder: Builder,
  opset: number,
): readonly Value[] | undefined {
  const isDefault = node.domain === "" || node.domain === "ai.onnx"
  const known = isDefault ? operators : node.domain === "com.microsoft" ? microsoftOperators : {}
  if (!Object.hasOwn(known, node.operator)) return unsupported("the operator is not supported")
  const inputs: (Value | undefined)[] = []
  for (const name of node.inputs) {
    const value = name === "" ? undefined : values.get(name)
    if (value === null) return undefined
    if (name !== "" && !value) unsupported(`input \`${name}\` is computed by no earlier node`)
    inputs.push(value)
  }
  builder.origin = { name: node.name, operator: node.operator }
  builder.outputName = node.outputs.find((name) => name !== "") ?? node.name
  const call = new Call(node, inputs, builder, opset)
  const results = known[node.operator](call)
  call.finish(results)
  for (const result of results)
    if (isConstant(result) && result.constant.some(Number.isNaN))
      unsupported("its constant inputs give a result that is not a number")
  return results
}

/** The tensor of a model output, with the output's own shape; undefined adds a problem or follows from one. */
function outputTensor(
  name: string,
  values: Environment,
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
    const map = Int32Array.from({ length: sizeOf(value.shape) }, (_, i) => i)
    const node = { kind: "index", sources: [value.tensor], map, fill: 0 } as const
    return builder.emit(node, value.shape, value.dtype, isIntegral(value)).tensor
  }
  return undefined
}
