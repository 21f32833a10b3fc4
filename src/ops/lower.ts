/** Model graph to primitives: every operator is a lowering, and whatever depends on constants alone is computed here. */
import type { Graph, Node } from "../model/graph.js"
import { fuse } from "./fuse.js"
import {
  Builder,
  Call,
  constant,
  isConstant,
  type Lowering,
  modelError,
  Unsupported,
  type Value,
} from "./operators/builder.js"
import { arithmetic } from "./operators/elementwise.js"
import { layers } from "./operators/layers.js"
import { movement } from "./operators/move.js"
import { products } from "./operators/products.js"
import { windows } from "./operators/windows.js"
import type { Program, TensorId } from "./program.js"

/** Every operator of the default ONNX domain that can be lowered. */
export const operators: Readonly<Record<string, Lowering>> = {
  ...movement,
  ...arithmetic,
  ...products,
  ...windows,
  ...layers,
}

/**
 * Lowers a graph.
 * @throws ModelError listing every node that cannot be lowered, with the reason
 */
export function lower(graph: Graph): Program {
  const builder = new Builder()
  const problems: string[] = []
  const values = new Map<string, Value>()
  const unknown = new Set<string>()
  for (const [name, tensor] of graph.constants)
    values.set(name, constant(tensor.shape, tensor.data, /int|bool/.test(tensor.dtype)))
  const inputs: { name: string; tensor: TensorId }[] = []
  for (const input of graph.inputs) {
    builder.origin = { name: input.name, operator: "" }
    builder.outputName = input.name
    const value = builder.emit({ kind: "input", name: input.name }, input.shape, /int|bool/.test(input.dtype))
    inputs.push({ name: input.name, tensor: value.tensor })
    values.set(input.name, value)
  }
  for (const [position, node] of graph.nodes.entries()) {
    const give = (results: readonly Value[] | undefined) => {
      for (const [i, name] of node.outputs.entries()) {
        if (name === "") continue
        const value = results?.[i]
        if (value) values.set(name, value)
        else unknown.add(name)
      }
    }
    // what follows a refused node cannot be judged
    if (node.inputs.some((name) => unknown.has(name))) {
      if (!isKnown(node)) problems.push(describe(node, position, "the operator is not supported"))
      give(undefined)
      continue
    }
    try {
      give(lowerNode(node, values, builder, graph.opset))
    } catch (error) {
      if (!(error instanceof Unsupported)) throw error
      problems.push(describe(node, position, error.message))
      give(undefined)
    }
  }
  const outputs: { name: string; tensor: TensorId }[] = []
  for (const name of graph.outputs) {
    const value = values.get(name)
    if (!value) {
      if (!unknown.has(name)) problems.push(`output \`${name}\` is computed by no node`)
    } else if (isConstant(value)) problems.push(`output \`${name}\` does not depend on any input`)
    else {
      // a shape of its own: the last node may have only renamed the tensor
      builder.tensors[value.tensor] = { ...builder.tensors[value.tensor], shape: value.shape }
      outputs.push({ name, tensor: value.tensor })
    }
  }
  if (problems.length > 0) throw modelError(graph.name === "" ? "model" : `model \`${graph.name}\``, problems)
  return fuse({ name: graph.name, tensors: builder.tensors, nodes: builder.nodes, inputs, outputs })
}

const isKnown = (node: Node): boolean => node.domain === "" && Object.hasOwn(operators, node.operator)

const describe = (node: Node, position: number, reason: string): string =>
  `node ${position} \`${node.name}\`, operator \`${node.domain === "" ? "" : `${node.domain}.`}${node.operator}\`: ${reason}`

function lowerNode(node: Node, values: ReadonlyMap<string, Value>, builder: Builder, opset: number): Value[] {
  if (!isKnown(node)) throw new Unsupported("the operator is not supported")
  const inputs = node.inputs.map((name) => {
    if (name === "") return undefined
    const value = values.get(name)
    if (!value) throw new Unsupported(`input \`${name}\` is computed by no earlier node`)
    return value
  })
  builder.origin = { name: node.name, operator: node.operator }
  builder.outputName = node.outputs[0] ?? ""
  return operators[node.operator](new Call(node, inputs, builder, opset))
}
