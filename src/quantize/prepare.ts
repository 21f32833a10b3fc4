/** Rewrites of a real program that keep its values and make it cheaper in integers. */
import {
  type ClampNode,
  type LinearNode,
  type Program,
  type RealNode,
  sourcesOf,
  type TensorId,
  type TensorInfo,
} from "../ops/program.js"
import { diagonalOf, scaleRows } from "../ops/scaling.js"

/** How many nodes and outputs read each tensor. */
export function countUses(program: Pick<Program, "nodes" | "outputs" | "tensors">): Uint32Array {
  const uses = new Uint32Array(program.tensors.length)
  for (const node of program.nodes) for (const source of sourcesOf(node)) uses[source]++
  for (const { tensor } of program.outputs) uses[tensor]++
  return uses
}

/**
 * Moves clamps up through maxima and data movement to the linear node that feeds them: max and clamp
 * commute, and a maximum wants narrow operands, so clamping after it would pay for a requantization as well.
 */
export function hoistClamps(program: Program): Program {
  const nodes = [...program.nodes]
  const tensors: TensorInfo[] = [...program.tensors]
  for (let moved = true; moved; ) {
    moved = false
    const uses = countUses({ nodes, tensors, outputs: program.outputs })
    const producers = new Map<TensorId, number>(nodes.map((node, i) => [node.out, i]))
    for (const [at, clamp] of nodes.entries()) {
      if (clamp.kind !== "clamp" || uses[clamp.source] !== 1) continue
      const above = producers.get(clamp.source)
      if (above === undefined || !passes(nodes[above], nodes, producers, uses)) continue
      const mover = nodes[above] as Extract<RealNode, { kind: "max" | "index" }>
      const source = mover.kind === "max" ? mover.source : mover.sources[0]
      const out = tensors.length
      tensors.push({ ...tensors[source], name: `${tensors[source].name}:${clamp.origin.name}` })
      const hoisted: ClampNode = { ...clamp, source, out }
      const fill = (x: number) => Math.min(Math.max(x, clamp.lo), clamp.hi)
      const after: RealNode =
        mover.kind === "max"
          ? { ...mover, source: out, out: clamp.out }
          : { ...mover, sources: [out], fill: fill(mover.fill), out: clamp.out }
      nodes.splice(at, 1)
      nodes.splice(above, 1, hoisted, after)
      moved = true
      break
    }
  }
  return { ...program, nodes, tensors }
}

/** Whether a clamp below `node` is better off above it. */
function passes(
  node: RealNode,
  nodes: readonly RealNode[],
  producers: ReadonlyMap<TensorId, number>,
  uses: Uint32Array,
): boolean {
  const wide = (id: TensorId): boolean => {
    const producer = nodes[producers.get(id) ?? -1]
    if (producer?.kind === "linear" || producer?.kind === "product") return true
    if (producer?.kind === "index") return producer.sources.some(wide)
    return producer?.kind === "max" && wide(producer.source)
  }
  if (node.kind === "max") return wide(node.source)
  if (node.kind !== "index" || node.sources.length !== 1 || uses[node.sources[0]] !== 1) return false
  // Each source element at most once, or the clamp would run on more elements than before.
  return wide(node.sources[0]) && isInjective(node.map)
}

function isInjective(map: Int32Array): boolean {
  const seen = new Set<number>()
  for (const from of map) {
    if (from < 0) continue
    if (seen.has(from)) return false
    seen.add(from)
  }
  return true
}

/**
 * Rewrites a·x + b·clamp(x), as leaky ReLU is, so that the sum reads what x = Wz was made from: a·Wz needs
 * no wide x between, and constant weights cost nothing twice. Only where nothing but clamps reads x besides.
 */
export function bypassSums(program: Program): Program {
  const made = new Map(program.nodes.map((node) => [node.out, node]))
  const kept = new Set(program.outputs.map(({ tensor }) => tensor))
  for (const node of program.nodes)
    if (node.kind !== "clamp" && node.kind !== "linear") for (const id of sourcesOf(node)) kept.add(id)
  const sums = new Map<TensorId, number>()
  for (const node of program.nodes)
    if (node.kind === "linear") for (const id of sourcesOf(node)) sums.set(id, (sums.get(id) ?? 0) + 1)
  const nodes = program.nodes.map((node): RealNode => {
    if (node.kind !== "linear" || node.terms.length < 2) return node
    const clamped = new Set(
      node.terms
        .map(({ source }) => made.get(source))
        .map((term) => (term?.kind === "clamp" ? term.source : -1)),
    )
    const terms: LinearNode["terms"][number][] = []
    let bias = node.bias
    for (const term of node.terms) {
      const inner = made.get(term.source)
      const isLeak = clamped.has(term.source) && !kept.has(term.source) && sums.get(term.source) === 1
      const scaled = isLeak && inner?.kind === "linear" ? scaledTerms(inner, diagonalOf(term.map)) : undefined
      terms.push(...(scaled?.terms ?? [term]))
      const added = scaled?.bias
      if (added) bias = bias ? bias.map((b, i) => b + added[i]) : added
    }
    return { ...node, terms, ...(bias && { bias }) }
  })
  return { ...program, nodes }
}

/** The terms and bias of a linear node with each output multiplied by its factor, where its weights allow it. */
function scaledTerms({ terms, bias }: LinearNode, factor: Float64Array | undefined) {
  if (!factor) return undefined
  const scaled = []
  for (const { source, map } of terms) {
    const rows = scaleRows(map, factor)
    if (!rows) return undefined
    scaled.push({ source, map: rows })
  }
  return { terms: scaled, bias: bias?.map((b, i) => b * factor[i]) }
}
