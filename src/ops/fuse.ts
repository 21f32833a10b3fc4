/**
 * Peepholes on lowered programs, none of which changes what is computed: per-channel scaling folds into
 * the convolution or matrix before it, sums of linear results become one linear node, and what nothing
 * reads disappears.
 */
import type { LinearMap, LinearNode, Program, RealNode, TensorId } from "./program.js"

/** Applies every peephole. */
export function fuse(program: Program): Program {
  let nodes = [...program.nodes]
  const readers = (): Map<TensorId, number> => {
    const counts = new Map<TensorId, number>(program.outputs.map(({ tensor }) => [tensor, 2]))
    for (const node of nodes)
      for (const source of sources(node)) counts.set(source, (counts.get(source) ?? 0) + 1)
    return counts
  }
  const made = new Map<TensorId, RealNode>()
  const counts = readers()
  const result: RealNode[] = []
  for (const original of nodes) {
    let node = original
    if (node.kind === "linear") {
      const absorbed = absorb(node, (id) => (counts.get(id) === 1 ? made.get(id) : undefined))
      for (const id of absorbed.removed) result.splice(result.indexOf(made.get(id) as RealNode), 1)
      node = absorbed.node
    }
    made.set(node.out, node)
    result.push(node)
  }
  nodes = result
  const live = readers()
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]
    if (node.kind === "input" || (live.get(node.out) ?? 0) > 0) continue
    for (const source of sources(node)) live.set(source, (live.get(source) as number) - 1)
    nodes.splice(i, 1)
  }
  return renumber({ ...program, nodes })
}

function sources(node: RealNode): readonly TensorId[] {
  switch (node.kind) {
    case "input":
      return []
    case "index":
      return node.sources
    case "linear":
      return node.terms.map(({ source }) => source)
    case "product":
      return [node.left, node.right]
    default:
      return [node.source]
  }
}

/** Replaces terms that scale the result of a linear node nobody else reads by that node's own terms. */
function absorb(
  node: LinearNode,
  owned: (id: TensorId) => RealNode | undefined,
): { node: LinearNode; removed: TensorId[] } {
  const removed: TensorId[] = []
  const terms: LinearNode["terms"][number][] = []
  let bias = node.bias
  for (const term of node.terms) {
    const inner = owned(term.source)
    const factor = diagonalOf(term.map)
    const scaled =
      inner?.kind === "linear" && factor
        ? inner.terms.map(({ source, map }) => ({ source, map: scaleRows(map, factor) }))
        : undefined
    if (
      inner?.kind !== "linear" ||
      !factor ||
      !scaled?.every((entry): entry is LinearNode["terms"][number] => entry.map !== undefined)
    ) {
      terms.push(term)
      continue
    }
    removed.push(term.source)
    terms.push(...scaled)
    if (inner.bias) {
      const sum = bias ? Float64Array.from(bias) : new Float64Array(factor.length)
      for (let i = 0; i < sum.length; i++) sum[i] += factor[i] * inner.bias[i]
      bias = sum
    }
  }
  if (removed.length === 0) return { node, removed }
  return { node: { ...node, terms, ...(bias ? { bias } : {}) }, removed }
}

/** The factors of a diagonal map, if it is one. */
function diagonalOf(map: LinearMap): Float64Array | undefined {
  if (map.kind !== "sparse" || map.columns.length !== map.rowPtr.length - 1) return undefined
  for (let i = 0; i < map.columns.length; i++)
    if (map.rowPtr[i + 1] !== i + 1 || map.columns[i] !== i) return undefined
  return map.values
}

/** Row i of a map times factor[i]; undefined where the map's weights are shared by rows with other factors. */
function scaleRows(map: LinearMap, factor: Float64Array): LinearMap | undefined {
  if (map.kind === "sparse") {
    const values = Float64Array.from(map.values)
    for (let i = 0; i < factor.length; i++)
      for (let j = map.rowPtr[i]; j < map.rowPtr[i + 1]; j++) values[j] *= factor[i]
    return { ...map, values }
  }
  const channels = map.kind === "dense" ? map.m : map.outChannels
  const inner = map.kind === "dense" ? 1 : map.outSize.reduce((x, y) => x * y, 1)
  const perChannel = Float64Array.from({ length: channels }, (_, c) => factor[c * inner])
  for (let i = 0; i < factor.length; i++)
    if (factor[i] !== perChannel[Math.floor(i / inner) % channels]) return undefined
  const size = map.weight.length / channels
  return { ...map, weight: map.weight.map((w, i) => w * perChannel[Math.floor(i / size)]) }
}

/** Drops tensors that no node writes and numbers the rest without gaps. */
function renumber(program: Program): Program {
  const ids = new Map(program.nodes.map((node, i) => [node.out, i]))
  const id = (tensor: TensorId): TensorId => ids.get(tensor) as TensorId
  const nodes = program.nodes.map((node): RealNode => {
    const out = id(node.out)
    switch (node.kind) {
      case "input":
        return { ...node, out }
      case "index":
        return { ...node, out, sources: node.sources.map(id) }
      case "linear":
        return { ...node, out, terms: node.terms.map(({ source, map }) => ({ source: id(source), map })) }
      case "product":
        return { ...node, out, left: id(node.left), right: id(node.right) }
      default:
        return { ...node, out, source: id(node.source) }
    }
  })
  return {
    name: program.name,
    tensors: program.nodes.map((node) => program.tensors[node.out]),
    nodes,
    inputs: program.inputs.map(({ name, tensor }) => ({ name, tensor: id(tensor) })),
    outputs: program.outputs.map(({ name, tensor }) => ({ name, tensor: id(tensor) })),
  }
}
