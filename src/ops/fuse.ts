/**
 * Peepholes on lowered programs, none of which changes what is computed: scaling and shifting fold into the
 * linear map before or after, sums of linear results become one linear node, data movements compose, and
 * what nothing reads disappears. Inputs stay even when nothing reads them.
 */
import { Budget } from "../budget.js"
import { invariant } from "../errors.js"
import { applyMap, productsOf, weightsOf } from "./linearmap.js"
import {
  type ClampNode,
  type IndexNode,
  type LinearNode,
  type MaxNode,
  minusInfinity,
  type Program,
  type RealNode,
  sizeOf,
  type TensorId,
} from "./program.js"
import { diagonalOf, scaleColumns, scaleRows } from "./scaling.js"
import { ownerOf } from "./segments.js"
import { tabulate } from "./tabulate.js"
import { liveNodes, readersOf, renumbered, withSources } from "./traversal.js"

/** What a peephole may know of the program around a node. */
interface Around {
  /** The node that makes a tensor, already simplified. */
  readonly made: (id: TensorId) => RealNode
  /** The same, if nothing else reads the tensor. */
  readonly owned: (id: TensorId) => RealNode | undefined
  readonly size: (id: TensorId) => number
  /** Charges what is made in place of a node to the budget of the model. */
  readonly hold: (elements: number) => void
  readonly work: (steps: number) => void
}

/**
 * Applies every peephole until none applies, then once more around the functions that were found.
 * @throws ModelError where that would exceed the budget
 */
export function fuse(program: Program, budget: Budget = new Budget()): Program {
  const settled = untilSettled(program, budget)
  const { program: tabulated, changed } = tabulate(settled, budget)
  return renumbered(changed ? untilSettled(tabulated, budget) : settled)
}

function untilSettled(program: Program, budget: Budget): Program {
  let current = withoutDead(program)
  for (let changed = true; changed; ) {
    const next = pass(current, budget)
    changed = next.changed
    current = withoutDead(next.program)
  }
  return current
}

const withoutDead = (program: Program): Program => ({ ...program, nodes: liveNodes(program) })

/** One walk over the nodes in order. */
function pass(program: Program, budget: Budget): { program: Program; changed: boolean } {
  let where = ""
  const counts = readersOf(program)
  const outputs = new Set(program.outputs.map(({ tensor }) => tensor))
  const tensors = [...program.tensors]
  const nodes = new Map<TensorId, RealNode>()
  const alias = new Map<TensorId, TensorId>()
  let changed = false
  const around: Around = {
    made: (id) => {
      const node = nodes.get(id)
      invariant(node, `tensor ${id} is read before it is written`)
      return node
    },
    owned: (id) => (counts.get(id) === 1 && !outputs.has(id) ? nodes.get(id) : undefined),
    size: (id) => sizeOf(tensors[id].shape),
    hold: (elements) => budget.elements(elements, where),
    work: (steps) => budget.work(steps, where),
  }
  for (const original of program.nodes) {
    where = `node \`${original.origin.name}\`, operator \`${original.origin.operator}\``
    around.work(stepsOf(original))
    const node = withSources(original, (id) => alias.get(id) ?? id)
    const simpler = simplify(node, around)
    if (typeof simpler !== "number") {
      nodes.set(node.out, simpler)
      changed ||= simpler !== node
      // what a composed movement reads now, others may read too
      if (simpler !== node && simpler.kind === "index")
        for (const id of simpler.sources) counts.set(id, (counts.get(id) ?? 0) + 1)
      continue
    }
    // the node repeats tensor `simpler`: readers take that one, a model output becomes the tensor itself
    const source = nodes.get(simpler)
    if (!outputs.has(node.out)) {
      alias.set(node.out, simpler)
      // shared now, so no longer owned by one reader
      counts.set(simpler, (counts.get(simpler) ?? 0) + (counts.get(node.out) ?? 0) - 1)
      changed = true
    } else if (source && source.kind !== "input" && around.owned(simpler)) {
      nodes.delete(simpler)
      nodes.set(node.out, { ...source, out: node.out })
      changed = true
    } else nodes.set(node.out, node)
  }
  return { program: { ...program, tensors, nodes: [...nodes.values()] }, changed }
}

/** Steps of looking at a node: a few for each number in it. */
function stepsOf(node: RealNode): number {
  if (node.kind === "index") return node.sources.length + 2 * node.map.length
  if (node.kind !== "linear") return 1
  return node.terms.reduce((sum, { map }) => sum + 1 + weightsOf(map).length, node.bias?.length ?? 0)
}

/** A simpler node for the same tensor, the node itself, or the tensor that it repeats. */
function simplify(node: RealNode, around: Around): RealNode | TensorId {
  switch (node.kind) {
    case "index":
      return simplifyIndex(node, around)
    case "clamp":
      return simplifyClamp(node, around)
    case "linear":
      return simplifyLinear(node, around)
    case "max":
      return withoutMasks(node, around)
    default:
      return node
  }
}

function simplifyIndex(node: IndexNode, { made, size, hold, work }: Around): RealNode | TensorId {
  if (node.sources.length === 1 && node.map.length === size(node.sources[0])) {
    let identity = true
    for (let i = 0; identity && i < node.map.length; i++) identity = node.map[i] === i
    if (identity) return node.sources[0]
  }
  const inner = node.sources.map(made)
  if (!inner.some(({ kind }) => kind === "index")) return node
  // every element of the concatenated sources as a place in a tensor that is no index, −1 for a fill
  const total = node.sources.reduce((sum, id) => sum + size(id), 0)
  work(inner.reduce((sum, source) => sum + (source.kind === "index" ? source.sources.length : 1), 0))
  hold(2 * total + node.map.length)
  const place = new Int32Array(total)
  const sources: TensorId[] = []
  const fills: number[] = []
  const fillOf = new Float64Array(total)
  let [at, start] = [0, 0]
  for (const source of inner) {
    const parts = source.kind === "index" ? source.sources : [source.out]
    const count = size(source.out)
    for (let i = 0; i < count; i++, at++) {
      const from = source.kind === "index" ? source.map[i] : i
      place[at] = from < 0 ? -1 : start + from
      if (from < 0 && source.kind === "index") fillOf[at] = source.fill
    }
    for (const part of parts) sources.push(part)
    start += parts.reduce((sum, id) => sum + size(id), 0)
  }
  const map = node.map.map((from) => (from < 0 ? -1 : place[from]))
  for (let i = 0; i < map.length; i++) {
    if (map[i] >= 0) continue
    const fill = node.map[i] < 0 ? node.fill : fillOf[node.map[i]]
    if (fills.length === 0) fills.push(fill)
    else if (fills[0] !== fill) return node
  }
  return { ...node, ...compacted(sources, map, size), fill: fills[0] ?? 0 }
}

/** The same movement from each source once, and only from those that are read. */
function compacted(
  sources: readonly TensorId[],
  map: Int32Array,
  size: (id: TensorId) => number,
): { sources: TensorId[]; map: Int32Array } {
  const ends: number[] = []
  let end = 0
  for (const id of sources) ends.push((end += size(id)))
  const owners = map.map((at) => (at < 0 ? -1 : ownerOf(ends, at)))
  const used = new Set(owners)
  const kept = [...new Set(sources.filter((_, s) => used.has(s)))]
  const starts = new Map<TensorId, number>()
  let start = 0
  for (const id of kept) {
    starts.set(id, start)
    start += size(id)
  }
  const moved = map.map((at, i) => {
    const s = owners[i]
    if (s < 0) return -1
    return at - ends[s] + size(sources[s]) + (starts.get(sources[s]) ?? 0)
  })
  return { sources: kept, map: moved }
}

function simplifyClamp(node: ClampNode, { made, owned }: Around): RealNode | TensorId {
  if (node.lo === Number.NEGATIVE_INFINITY && node.hi === Number.POSITIVE_INFINITY) return node.source
  const inner = made(node.source)
  if (inner.kind !== "clamp") return node
  if (inner.lo >= node.lo && inner.hi <= node.hi && inner.lo <= inner.hi) return node.source
  if (!owned(node.source)) return node
  const apply = (x: number) => Math.min(Math.max(x, node.lo), node.hi)
  return { ...node, source: inner.source, lo: apply(inner.lo), hi: apply(inner.hi) }
}

/** A maximum of windows whose minus infinities are padding: what a softmax masks, others read as well. */
function withoutMasks(node: MaxNode, { owned }: Around): RealNode {
  const inner = owned(node.source)
  if (inner?.kind !== "index" || inner.sources.length !== 1 || inner.fill > minusInfinity) return node
  const map = node.map.map((at) => (at < 0 ? -1 : inner.map[at]))
  for (let i = 0; i < map.length; i += node.window)
    if (map.subarray(i, i + node.window).every((at) => at < 0)) return node
  return { ...node, source: inner.sources[0], map }
}

type Term = LinearNode["terms"][number]

/** Terms and a bias that take the place of one term. */
interface Absorbed {
  readonly terms: readonly Term[]
  readonly bias?: Float64Array
}

function simplifyLinear(node: LinearNode, around: Around): RealNode | TensorId {
  const { owned, size } = around
  const [first] = node.terms
  const factor = node.terms.length === 1 ? diagonalOf(first.map) : undefined
  if (factor?.every((f) => f === 1) && !node.bias && factor.length === size(first.source)) return first.source
  const terms: Term[] = []
  let bias = node.bias
  let absorbed = false
  for (const term of node.terms) {
    const inner = owned(term.source)
    const taken =
      inner?.kind === "linear" && inner.unit === undefined && node.unit === undefined
        ? (scaledBefore(term, inner, around) ?? scaledAfter(term, inner, size(node.out), around))
        : undefined
    if (!taken) {
      terms.push(term)
      continue
    }
    absorbed = true
    for (const each of taken.terms) terms.push(each)
    const added = taken.bias
    if (added) bias = bias ? bias.map((b, i) => b + added[i]) : added
  }
  return absorbed ? { ...node, terms, ...(bias ? { bias } : {}) } : node
}

/** A diagonal map of a linear result: the factors go into the rows of the maps that made it. */
function scaledBefore(term: Term, inner: LinearNode, { hold, work }: Around): Absorbed | undefined {
  const factor = diagonalOf(term.map)
  if (!factor) return undefined
  work(inner.terms.length)
  if (factor.every((f) => f === 1)) return inner
  const terms: Term[] = []
  for (const { source, map } of inner.terms) {
    hold(weightsOf(map).length)
    const scaled = scaleRows(map, factor)
    if (!scaled) return undefined
    terms.push({ source, map: scaled })
  }
  return { terms, ...(inner.bias ? { bias: inner.bias.map((b, i) => b * factor[i]) } : {}) }
}

/** Any map of a scaled and shifted tensor: the factors go into the columns, the shift becomes a bias. */
function scaledAfter(
  term: Term,
  inner: LinearNode,
  size: number,
  { hold, work }: Around,
): Absorbed | undefined {
  const factor = inner.terms.length === 1 ? diagonalOf(inner.terms[0].map) : undefined
  if (!factor) return undefined
  hold(weightsOf(term.map).length)
  const map = scaleColumns(term.map, factor)
  if (!map) return undefined
  const terms = [{ source: inner.terms[0].source, map }]
  if (!inner.bias) return { terms }
  work(productsOf(term.map))
  const bias = new Float64Array(size)
  applyMap(term.map, inner.bias, bias)
  return { terms, bias }
}
