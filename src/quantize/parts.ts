/**
 * Rewrites that bring data movements behind products of matrices closer to the maps they come from, in programs that
 * multiply activations: of one map for queries, keys and values each part becomes a map of its own, with a scale of its
 * own, and factors between it and the product go into its weights.
 */
import type { IndexNode, LinearNode, Program, RealNode, TensorId, TensorInfo } from "../ops/program.js"
import { diagonalOf } from "../ops/scaling.js"
import { liveNodes, readersOf } from "../ops/traversal.js"

type Dense = Extract<LinearNode["terms"][number]["map"], { kind: "dense" }>

/** Both rewrites. A program without contractions is left as it is. */
export function splitColumns(program: Program): Program {
  if (!program.nodes.some(({ kind }) => kind === "contraction")) return program
  const readers = readersOf(program)
  const outputs = new Set(program.outputs.map(({ tensor }) => tensor))
  const tensors: TensorInfo[] = [...program.tensors]
  const made = new Map<TensorId, RealNode>()
  const nodes: RealNode[] = []
  const keep = (node: RealNode): void => {
    nodes.push(node)
    made.set(node.out, node)
  }
  /** The columns of a dense map that a movement reads, each times its factor, and the movement of those. */
  const replace = (index: IndexNode, factor: Float64Array | undefined, out: TensorId): boolean => {
    const linear = index.sources.length === 1 ? made.get(index.sources[0]) : undefined
    const dense = linear?.kind === "linear" ? denseOf(linear) : undefined
    if (!dense || linear?.kind !== "linear" || (factor && index.map.includes(-1))) return false
    const picked = columnsOf(dense, index.map, factor)
    if (!picked || picked.columns.length === 0 || (!factor && picked.columns.length === dense.m)) return false
    const { columns, factors, map } = picked
    const [n, m] = [dense.n, columns.length]
    const weight = new Float64Array(m * dense.k)
    for (const [j, column] of columns.entries())
      for (let i = 0; i < dense.k; i++)
        weight[j * dense.k + i] = factors[j] * dense.weight[column * dense.k + i]
    const { bias, terms, origin } = linear
    const own =
      bias &&
      new Float64Array(n * m).map(
        (_, e) => factors[e % m] * bias[Math.floor(e / m) * dense.m + columns[e % m]],
      )
    const part = tensors.push({ name: `${tensors[out].name}:of`, shape: [n, m] }) - 1
    const narrow: Dense = { ...dense, weight, m }
    keep({
      kind: "linear",
      out: part,
      terms: [{ source: terms[0].source, map: narrow }],
      ...(own && { bias: own }),
      origin,
    })
    keep({ ...index, out, sources: [part], map })
    return true
  }
  for (const node of program.nodes) {
    if (node.kind === "index" && replace(node, undefined, node.out)) continue
    if (node.kind === "linear" && node.terms.length === 1 && !node.bias && node.unit === undefined) {
      const [{ source, map }] = node.terms
      const factor = diagonalOf(map)
      const inner = made.get(source)
      const isOwned = readers.get(source) === 1 && !outputs.has(source)
      if (factor && isOwned && inner?.kind === "index" && replace(inner, factor, node.out)) continue
    }
    keep(node)
  }
  const changed = { ...program, tensors, nodes }
  return { ...changed, nodes: liveNodes(changed) }
}

const denseOf = ({ terms }: LinearNode): Dense | undefined =>
  terms.length === 1 && terms[0].map.kind === "dense" ? terms[0].map : undefined

/** The columns that a movement reads of [rows, m], in order, with one factor each, and the movement of them alone. */
function columnsOf({ m }: Dense, map: Int32Array, factor: Float64Array | undefined) {
  const found = new Map<number, number>()
  for (const [i, from] of map.entries()) {
    if (from < 0) continue
    const own = factor?.[i] ?? 1
    if ((found.get(from % m) ?? own) !== own) return undefined
    found.set(from % m, own)
  }
  const columns = [...found.keys()].sort((a, b) => a - b)
  const place = new Map(columns.map((column, j) => [column, j]))
  const moved = map.map((from) =>
    from < 0 ? -1 : Math.floor(from / m) * columns.length + (place.get(from % m) ?? 0),
  )
  return { columns, factors: columns.map((column) => found.get(column) ?? 1), map: moved }
}
