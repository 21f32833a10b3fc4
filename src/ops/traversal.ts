/** Which node reads which tensor: all that walks over a program or an integer graph asks it here. */
import { invariant } from "../errors.js"
import type { IntNode, RealNode, TensorId } from "./program.js"

type Node = RealNode | IntNode

/** A program or an integer graph, as far as walking over it goes. */
export interface Walkable<N extends Node = Node> {
  /** In topological order. */
  readonly nodes: readonly N[]
  readonly outputs: readonly { readonly tensor: TensorId }[]
}

/** The tensors that a node reads, in the order of its fields, and the node with each of them replaced. */
interface Reading<N extends Node> {
  sources(node: N): readonly TensorId[]
  replace(node: N, change: (id: TensorId) => TensorId): N
}

/** What a quotient of either program reads. */
interface Quotient {
  readonly numerator: TensorId
  readonly denominator: TensorId
}

const nothing = { sources: () => [], replace: <N extends Node>(node: N) => node }
const oneSource = {
  sources: (node: { readonly source: TensorId }) => [node.source],
  replace: <N extends { readonly source: TensorId }>(node: N, change: (id: TensorId) => TensorId) => ({
    ...node,
    source: change(node.source),
  }),
}

const twoSources = {
  sources: (node: { readonly left: TensorId; readonly right: TensorId }) => [node.left, node.right],
  replace: <N extends { readonly left: TensorId; readonly right: TensorId }>(
    node: N,
    change: (id: TensorId) => TensorId,
  ) => ({ ...node, left: change(node.left), right: change(node.right) }),
}

const quotient = {
  sources: (node: Quotient) => [node.numerator, node.denominator],
  replace: <N extends Quotient>(node: N, change: (id: TensorId) => TensorId) => ({
    ...node,
    numerator: change(node.numerator),
    denominator: change(node.denominator),
  }),
}

const reading: { readonly [K in Node["kind"]]: Reading<Extract<Node, { readonly kind: K }>> } = {
  input: nothing,
  index: {
    sources: (node) => node.sources,
    replace: (node, change) => ({ ...node, sources: node.sources.map(change) }),
  },
  linear: {
    sources: (node) => node.terms.map((term) => term.source),
    replace: (node, change) => ({
      ...node,
      terms: node.terms.map(({ source, map }) => ({ source: change(source), map })),
    }),
  },
  max: oneSource,
  argmax: oneSource,
  rows: oneSource,
  top: oneSource,
  sort: oneSource,
  product: twoSources,
  contraction: twoSources,
  clamp: oneSource,
  round: oneSource,
  step: oneSource,
  compare: oneSource,
  function: oneSource,
  rescale: oneSource,
  table: oneSource,
  divide: quotient,
  quotient,
  root: oneSource,
  softmax: oneSource,
  isqrt: oneSource,
  below: {
    sources: (node) => [node.source, node.maximum],
    replace: (node, change) => ({ ...node, source: change(node.source), maximum: change(node.maximum) }),
  },
}

const readingOf = <N extends Node>(node: N): Reading<N> => reading[node.kind] as unknown as Reading<N>

/** Tensors a node reads, in the order of its fields. */
export const sourcesOf = (node: Node): readonly TensorId[] => readingOf(node).sources(node)

/** The node with every tensor it reads replaced; the node itself where none changes. */
export const withSources = <N extends Node>(node: N, change: (id: TensorId) => TensorId): N =>
  sourcesOf(node).every((id) => change(id) === id) ? node : readingOf(node).replace(node, change)

/** How often each tensor is read, by nodes and as an output. */
export function readersOf({ nodes, outputs }: Walkable): Map<TensorId, number> {
  const counts = new Map<TensorId, number>()
  const read = (id: TensorId) => counts.set(id, (counts.get(id) ?? 0) + 1)
  for (const node of nodes) for (const source of sourcesOf(node)) read(source)
  for (const { tensor } of outputs) read(tensor)
  return counts
}

/** The tensors that no node after the given one reads, nor an output. */
export function lastReads<N extends Node>({ nodes, outputs }: Walkable<N>): Map<N, TensorId[]> {
  const last = new Map<TensorId, N>()
  for (const node of nodes) for (const source of sourcesOf(node)) last.set(source, node)
  for (const { tensor } of outputs) last.delete(tensor)
  const result = new Map<N, TensorId[]>()
  for (const [tensor, node] of last) {
    const found = result.get(node)
    if (found) found.push(tensor)
    else result.set(node, [tensor])
  }
  return result
}

/** The nodes that an output needs, in order; inputs stay. `change` may give another node for one that is needed. */
export function liveNodes<N extends Node>(
  { nodes, outputs }: Walkable<N>,
  change: (node: N) => N = (node) => node,
): N[] {
  const live = new Set(outputs.map(({ tensor }) => tensor))
  const kept: N[] = []
  for (const node of nodes.toReversed()) {
    if (node.kind !== "input" && !live.has(node.out)) continue
    const needed = change(node)
    for (const source of sourcesOf(needed)) live.add(source)
    kept.push(needed)
  }
  return kept.reverse()
}

/** The same graph with the tensors that its nodes write numbered without gaps, in their order, and no others. */
export function renumbered<
  Graph extends Walkable & {
    readonly tensors: readonly unknown[]
    readonly inputs: readonly { readonly tensor: TensorId }[]
  },
>(graph: Graph): Graph {
  const ids = new Map(graph.nodes.map((node, i) => [node.out, i]))
  const id = (tensor: TensorId): TensorId => {
    const found = ids.get(tensor)
    invariant(found !== undefined, `tensor ${tensor} is lost`)
    return found
  }
  const moved = <T extends { readonly tensor: TensorId }>(port: T): T => ({
    ...port,
    tensor: id(port.tensor),
  })
  return {
    ...graph,
    tensors: graph.nodes.map((node) => graph.tensors[node.out]),
    nodes: graph.nodes.map((node) => ({ ...withSources(node, id), out: id(node.out) })),
    inputs: graph.inputs.map(moved),
    outputs: graph.outputs.map(moved),
  }
}
