/**
 * Which numbers of a lowered program are made of the tensors of its file? No lowering has to say: the graph is lowered
 * twice more with other numbers in these tensors, and what then comes out otherwise is made of them. Whatever depends on
 * them outside of the coefficients of linear maps, or even decides what is computed, shows in the same way
 * (../quantize/provenance.ts).
 *
 * All of a file that may be a weight is taken for one: its tensors of floats and the lists of floats that operators have,
 * in whatever node or subgraph they are. Public as attributes are: numbers without dimensions (a slope, a limit, an
 * exponent), integers, which say where things stand, and the factors of a resize.
 */
import {
  type Attribute,
  type Graph,
  isSubgraph,
  type Node,
  type Subgraph,
  type Tensor,
} from "../model/graph.js"

/** Inputs of operators that are numbers of their definition, not of a training. */
const geometry: Readonly<Record<string, readonly number[]>> = {
  Clip: [1, 2],
  Pad: [2],
  Pow: [1],
  Range: [0, 1, 2],
  Resize: [1, 2],
  Upsample: [1],
}

/** Attributes that are lists of numbers somebody trained. */
const trained =
  /^(coefficients|intercepts|offset|scale|rho|prob_[ab]|support_vectors|kernel_params|imputed_value_floats|keys_floats|values_floats|weights|base_values(_as_tensor)?|nodes_(values|splits|hitrates)(_as_tensor)?|(class|target|leaf)_weights(_as_tensor)?|value_floats)$/

const isFloat = ({ dtype }: Tensor): boolean => /float/.test(dtype)

/** Other numbers of the same signs and about the same sizes; `random` gives numbers in [0, 1). */
interface Change {
  readonly random: () => number
  /** Part of a number by which it grows at least, and at most by eight times that; and of the largest, what is zero becomes. */
  readonly step: number
}

/**
 * The same graph with other numbers wherever a weight may be; each seed gives others.
 */
export const twinOf = (graph: Graph, seed: number): Graph => changed(graph, seed, 2 ** -6)

/**
 * The same graph with weights that are the same but for what no quantization sees, and none of which is exactly 0 or 1: as
 * lowering treats those otherwise, what becomes of it would say which are.
 */
export const nudged = (graph: Graph): Graph => changed(graph, 0, 2 ** -44)

function changed(graph: Graph, seed: number, step: number): Graph {
  const change = { random: generator(seed), step }
  const structural = geometryOf(graph)
  return {
    ...graph,
    constants: changedTensors(graph.constants, structural, change),
    nodes: graph.nodes.map((node) => changedNode(node, structural, change)),
  }
}

/** Names that are read as geometry, and nowhere else. */
function geometryOf({ nodes, outputs }: Pick<Graph, "nodes" | "outputs">): ReadonlySet<string> {
  const found = new Set<string>()
  const others = new Set<string>(outputs)
  const visit = (inner: readonly Node[]): void => {
    for (const node of inner) {
      const own = node.domain === "" ? (geometry[node.operator] ?? []) : []
      node.inputs.forEach((name, i) => {
        ;(own.includes(i) ? found : others).add(name)
      })
      for (const value of Object.values(node.attributes)) {
        if (!isSubgraph(value)) continue
        for (const { name } of value.outputs) others.add(name)
        visit(value.nodes)
      }
    }
  }
  visit(nodes)
  return new Set([...found].filter((name) => !others.has(name)))
}

function changedTensors(
  constants: ReadonlyMap<string, Tensor>,
  structural: ReadonlySet<string>,
  change: Change,
): ReadonlyMap<string, Tensor> {
  const changed = new Map<string, Tensor>()
  for (const [name, tensor] of constants)
    changed.set(name, structural.has(name) ? tensor : changedTensor(tensor, change))
  return changed
}

const changedTensor = (tensor: Tensor, change: Change): Tensor =>
  isFloat(tensor) && tensor.shape.length > 0
    ? { ...tensor, data: changedNumbers(tensor.data, change) }
    : tensor

function changedNode(node: Node, structural: ReadonlySet<string>, change: Change): Node {
  const attributes: Record<string, Attribute> = {}
  for (const [name, value] of Object.entries(node.attributes))
    attributes[name] = changedAttribute(name, value, structural, change)
  return { ...node, attributes }
}

function changedAttribute(
  name: string,
  value: Attribute,
  structural: ReadonlySet<string>,
  change: Change,
): Attribute {
  if (typeof value !== "object") return value
  if (isSubgraph(value)) return changedGraph(value, structural, change)
  if ("dtype" in value) return changedTensor(value, change)
  const isList = trained.test(name) && value.every((x) => typeof x === "number")
  return isList ? [...changedNumbers(Float64Array.from(value as readonly number[]), change)] : value
}

const changedGraph = (graph: Subgraph, structural: ReadonlySet<string>, change: Change): Subgraph => ({
  ...graph,
  constants: changedTensors(graph.constants, structural, change),
  nodes: graph.nodes.map((node) => changedNode(node, structural, change)),
})

/** None equals its own, and nothing is zero. */
function changedNumbers(data: Float64Array, { random, step }: Change): Float64Array {
  let most = 0
  for (const x of data) if (Number.isFinite(x)) most = Math.max(most, Math.abs(x))
  const tiny = (step / 64) * (most || 1)
  return data.map((x) => (x === 0 ? tiny * (1 + random()) : x * (1 + step * (1 + 7 * random()))))
}

/** Numbers in [0, 1) that anyone can draw again: a Weyl sequence, mixed. */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let x = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
    return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32
  }
}
