/** Rewrites of a real program that keep its values and make it cheaper in integers. */
import type { ClampNode, Program, RealNode, TensorId, TensorInfo } from "../ops/program.js"
import { sourcesOf } from "./bounds.js"

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
