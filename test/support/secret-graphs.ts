/** Integer models some of whose weights are secret. */
import { weightCount, weightsOf } from "#src/ops/linearmap.js"
import type { IntNode, LinearNode, Secret, Window } from "#src/ops/program.js"
import { nodeBounds } from "#src/quantize/integers/bounds.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { denseTerms, productsOfPairs, roomForPairs } from "#src/quantize/integers/pairs.js"

/** The least range around zero that has all of some integers. */
export function windowFor(values: ArrayLike<number>): Window {
  let bits = 1
  for (const x of Array.from(values)) while (x < -(2 ** (bits - 1)) || x >= 2 ** (bits - 1)) bits++
  return { lo: -(2 ** (bits - 1)), bits }
}

/** Distinct biases of a node whose only term is a map. */
function biasesOf(
  { terms: [{ map }], bias }: LinearNode,
  elements: number,
): { count: number; inner: number; values: number[] } {
  const [count, inner] =
    map.kind === "dense"
      ? [map.m, 1]
      : map.kind === "conv"
        ? [map.outChannels, map.outSize.reduce((x, y) => x * y, 1)]
        : [elements, 1]
  return { count, inner, values: Array.from({ length: count }, (_, i) => bias?.[i * inner] ?? 0) }
}

/** The same model with secret weights in every linear node that `isSecret` says, in the least ranges that hold them. */
export function withSecretWeights(
  graph: IntGraph,
  isSecret = (node: LinearNode) => node.terms.every(({ map }) => map.kind !== "sparse"),
): IntGraph {
  const tensors = graph.tensors.map((tensor) => ({ ...tensor }))
  const nodes = graph.nodes.map((node): IntNode => {
    if (node.kind !== "linear" || !isSecret(node)) return node
    const elements = graph.tensors[node.out].lo.length
    const { count, inner, values } = biasesOf(node, elements)
    const weights = node.terms.map(({ map }) => windowFor(weightsOf(map)))
    const largest = Math.max(...values.map(Math.abs))
    const dense = denseTerms(node, weights)
    const window = dense ? roomForPairs(productsOfPairs(dense, weights), largest, 0) : windowFor(values)
    const secret: Secret = { weights, bias: { ...window, count, inner }, of: node.out }
    const bias = node.bias ?? new Float64Array(elements)
    return { ...node, bias, secret }
  })
  const made = new Map(nodes.map((node) => [node.out, node]))
  for (const node of nodes) {
    const input = graph.inputs.find(({ tensor }) => tensor === node.out)
    const interval = nodeBounds(
      node,
      (id) => tensors[id],
      tensors[node.out].lo.length,
      input,
      (id) => made.get(id),
    )
    tensors[node.out] = { ...tensors[node.out], ...interval }
  }
  return { ...graph, nodes, tensors }
}

export const secretWeights = (graph: IntGraph): number =>
  graph.nodes.reduce(
    (sum, node) =>
      node.kind === "linear" && node.secret
        ? sum + node.terms.reduce((s, { map }) => s + weightCount(map), 0)
        : sum,
    0,
  )
