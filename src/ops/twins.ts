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
  Range: [0, 1, 2],
  Resize: [1, 2],
  Upsample: [1],
}

/** Attributes that are lists of numbers somebody trained. */
const trained =
  /^(coefficients|intercepts|offset|scale|rho|prob_[ab]|support_vectors|kernel_params|imputed_value_floats|keys_floats|values_floats|weights|base_values(_as_tensor)?|nodes_(values|splits|hitrates)(_as_tensor)?|(class|target|leaf)_weights(_as_tensor)?|value_floats)$/

const isFloat = ({ dtype }: Tensor): boolean => /float/.test(dtype)

/** The same graph with other numbers wherever a weight may be; each seed gives others. */
export function twinOf(graph: Graph, seed: number): Graph {
  const random = generator(seed)
  const structural = geometryOf(graph)
  return {
    ...graph,
    constants: changedTensors(graph.constants, structural, random),
    nodes: graph.nodes.map((node) => changedNode(node, structural, random)),
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

type Random = () => number

function changedTensors(
  constants: ReadonlyMap<string, Tensor>,
  structural: ReadonlySet<string>,
  random: Random,
): ReadonlyMap<string, Tensor> {
  const changed = new Map<string, Tensor>()
  for (const [name, tensor] of constants)
    changed.set(name, structural.has(name) ? tensor : changedTensor(tensor, random))
  return changed
}

const changedTensor = (tensor: Tensor, random: Random): Tensor =>
  isFloat(tensor) && tensor.shape.length > 0
    ? { ...tensor, data: changedNumbers(tensor.data, random) }
    : tensor

function changedNode(node: Node, structural: ReadonlySet<string>, random: Random): Node {
  const attributes: Record<string, Attribute> = {}
  for (const [name, value] of Object.entries(node.attributes))
    attributes[name] = changedAttribute(name, value, structural, random)
  return { ...node, attributes }
}

function changedAttribute(
  name: string,
  value: Attribute,
  structural: ReadonlySet<string>,
  random: Random,
): Attribute {
  if (typeof value !== "object") return value
  if (isSubgraph(value)) return changedGraph(value, structural, random)
  if ("dtype" in value) return changedTensor(value, random)
  const isList = trained.test(name) && value.every((x) => typeof x === "number")
  return isList ? [...changedNumbers(Float64Array.from(value as readonly number[]), random)] : value
}

const changedGraph = (graph: Subgraph, structural: ReadonlySet<string>, random: Random): Subgraph => ({
  ...graph,
  constants: changedTensors(graph.constants, structural, random),
  nodes: graph.nodes.map((node) => changedNode(node, structural, random)),
})

/** Part of the largest number of a tensor that takes the place of a zero. */
const least = 2 ** -12

/** Other numbers of the same signs and about the same sizes: none equals its own, and nothing is zero. */
function changedNumbers(data: Float64Array, random: Random): Float64Array {
  let most = 0
  for (const x of data) if (Number.isFinite(x)) most = Math.max(most, Math.abs(x))
  const tiny = least * (most || 1)
  return data.map((x) => (x === 0 ? tiny * (1 + random()) : x * (1 + (1 + 7 * random()) / 64)))
}

/** Numbers in [0, 1) that anyone can draw again: a Weyl sequence, mixed. */
function generator(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let x = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
    return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32
  }
}
