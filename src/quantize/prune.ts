/** Leaving out what no output needs: a wide sum whose readers all took accumulators of their own. */
import { InvariantError } from "../errors.js"
import { type IntNode, sourcesOf, type TensorId } from "../ops/program.js"
import type { IntGraph } from "./intgraph.js"

/** The graph without the tensors that neither an output nor anything on the way to one reads; inputs stay. */
export function withoutUnused(graph: IntGraph): IntGraph {
  const needed = new Set(graph.outputs.map(({ tensor }) => tensor))
  for (const node of graph.nodes.toReversed())
    if (needed.has(node.out)) for (const source of sourcesOf(node)) needed.add(source)
  const kept = graph.nodes.filter((node) => node.kind === "input" || needed.has(node.out))
  const renamed = new Map(kept.map(({ out }, i) => [out, i]))
  const id = (old: TensorId): TensorId => {
    const found = renamed.get(old)
    if (found === undefined) throw new InvariantError(`tensor ${old} was left out but is read`)
    return found
  }
  return {
    ...graph,
    tensors: kept.map(({ out }) => graph.tensors[out]),
    nodes: kept.map((node) => withSources({ ...node, out: id(node.out) }, id)),
    inputs: graph.inputs.map((input) => ({ ...input, tensor: id(input.tensor) })),
    outputs: graph.outputs.map((output) => ({ ...output, tensor: id(output.tensor) })),
  }
}

/** The node with every tensor it reads replaced. */
function withSources(node: IntNode, id: (old: TensorId) => TensorId): IntNode {
  switch (node.kind) {
    case "input":
      return node
    case "index":
      return { ...node, sources: node.sources.map(id) }
    case "linear":
      return { ...node, terms: node.terms.map(({ source, map }) => ({ source: id(source), map })) }
    case "product":
      return { ...node, left: id(node.left), right: id(node.right) }
    default:
      return { ...node, source: id(node.source) }
  }
}
