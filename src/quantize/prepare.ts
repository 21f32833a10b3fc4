/** Rewrites of a real program that keep its values and make it cheaper in integers. */
import type { ClampNode, LinearNode, Program, RealNode, TensorId, TensorInfo } from "../ops/program.js"
import { diagonalOf, scaleRows } from "../ops/scaling.js"
import { readersOf, sourcesOf } from "../ops/traversal.js"

/**
 * Moves clamps up through maxima and data movement to the linear node that feeds them: max and clamp
 * commute, and a maximum wants narrow operands, so clamping after it would pay for a requantization as well.
 */
export function hoistClamps(program: Program): Program {
  const tensors: TensorInfo[] = [...program.tensors]
  const readers = readersOf(program)
  const uses = tensors.map((_, id) => readers.get(id) ?? 0)
  const made = new Map<TensorId, Placed>()
  // what comes out of a sum or a product, moved or maximised or not
  const wide = new Set<TensorId>()
  let end: Placed | undefined
  for (const node of program.nodes) {
    end = { node, previous: end }
    made.set(node.out, end)
    if (isWide(node, wide)) wide.add(node.out)
    if (node.kind !== "clamp") continue
    // moving a clamp leaves every other clamp's node above, and that node's readers, as they were
    for (let place: Placed = end; ; ) {
      const clamp = place.node as ClampNode
      const above = uses[clamp.source] === 1 ? made.get(clamp.source) : undefined
      if (!above?.node || !passes(above.node, wide, uses)) break
      const mover = above.node as Extract<RealNode, { kind: "max" | "index" }>
      const source = mover.kind === "max" ? mover.source : mover.sources[0]
      const out = tensors.length
      tensors.push({ ...tensors[source], name: `${tensors[source].name}:${clamp.origin.name}` })
      uses.push(1)
      const fill = (x: number) => Math.min(Math.max(x, clamp.lo), clamp.hi)
      above.node =
        mover.kind === "max"
          ? { ...mover, source: out, out: clamp.out }
          : { ...mover, sources: [out], fill: fill(mover.fill), out: clamp.out }
      made.set(clamp.out, above)
      place.node = undefined
      place = { node: { ...clamp, source, out }, previous: above.previous }
      above.previous = place
      made.set(out, place)
    }
  }
  const nodes: RealNode[] = []
  for (let place: Placed | undefined = end; place; place = place.previous)
    if (place.node) nodes.push(place.node)
  return { ...program, nodes: nodes.reverse(), tensors }
}

/** A node in the order of the program, linked to the one before it; without a node where a clamp has left. */
interface Placed {
  node: RealNode | undefined
  previous: Placed | undefined
}

const isWide = (node: RealNode, wide: ReadonlySet<TensorId>): boolean =>
  node.kind === "linear" ||
  node.kind === "product" ||
  node.kind === "contraction" ||
  ((node.kind === "index" || node.kind === "max") && sourcesOf(node).some((id) => wide.has(id)))

/** Whether a clamp below `node` is better off above it. */
function passes(node: RealNode, wide: ReadonlySet<TensorId>, uses: readonly number[]): boolean {
  if (node.kind === "max") return wide.has(node.source)
  if (node.kind !== "index" || node.sources.length !== 1 || uses[node.sources[0]] !== 1) return false
  // Each source element at most once, or the clamp would run on more elements than before.
  return wide.has(node.sources[0]) && isInjective(node.map)
}
function isInjective(map: Int32Array): boolean {
  const seen = new Uint8Array(map.reduce((most, from) => Math.max(most, from), -1) + 1)
  for (const from of map) if (from >= 0 && seen[from]++ > 0) return false
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
      for (const each of scaled?.terms ?? [term]) terms.push(each)
      const added = scaled?.bias
      if (added) bias = bias ? bias.map((b, i) => b + added[i]) : added
    }
    return { ...node, terms, ...(bias && { bias }) }
  })
  return { ...program, nodes }
}

/** The terms and bias of a linear node with each output multiplied by its factor, where its weights allow it. */
export function scaledTerms({ terms, bias }: LinearNode, factor: Float64Array | undefined) {
  if (!factor) return undefined
  const scaled = []
  for (const { source, map } of terms) {
    const rows = scaleRows(map, factor)
    if (!rows) return undefined
    scaled.push({ source, map: rows })
  }
  return { terms: scaled, bias: bias?.map((b, i) => b * factor[i]) }
}
