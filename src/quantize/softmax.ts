/**
 * Rewrites of a real program around softmax that keep its values: what a mask takes out of it is left out, so that it
 * costs nothing, and products of matrices are added up before they are divided, one quotient a sum instead of one a
 * probability.
 */
import { ModelError } from "../errors.js"
import {
  type ContractionNode,
  type DivideNode,
  type FunctionNode,
  type IndexNode,
  type LinearNode,
  type MaxNode,
  minusInfinity,
  type Origin,
  type Program,
  type RealNode,
  sizeOf,
  type TensorId,
  type TensorInfo,
} from "../ops/program.js"
import { diagonalMap, diagonalOf } from "../ops/scaling.js"
import { liveNodes, readersOf } from "../ops/traversal.js"

/** How far below the largest of its window a constant makes an element nothing: float32 has no number that is e^−1000. */
const masked = -1000

export const ofKind = <K extends RealNode["kind"]>(
  node: RealNode | undefined,
  kind: K,
): Extract<RealNode, { kind: K }> | undefined =>
  node?.kind === kind ? (node as Extract<RealNode, { kind: K }>) : undefined

/** A program being rewritten: nodes are added in order, each found by the tensor that it makes. */
class Rewriting {
  readonly tensors: TensorInfo[]
  readonly nodes: RealNode[] = []
  readonly #made = new Map<TensorId, RealNode>()

  constructor(readonly program: Program) {
    this.tensors = [...program.tensors]
  }

  keep(node: RealNode): void {
    this.nodes.push(node)
    this.#made.set(node.out, node)
  }

  readonly made: Made = (id, kind) => ofKind(this.#made.get(id), kind)

  /** Adds a node that makes a tensor of its own, of so many elements. */
  add(node: DistributiveOmit<RealNode, "out">, size: number): TensorId {
    const out = this.tensors.length
    this.tensors.push({ name: `${node.origin.name}:${out}`, shape: [size] })
    this.keep({ ...node, out } as RealNode)
    return out
  }

  size(id: TensorId): number {
    return sizeOf(this.tensors[id].shape)
  }

  take(): Program {
    return { ...this.program, tensors: this.tensors, nodes: this.nodes }
  }
}

type DistributiveOmit<T, K extends string> = T extends unknown ? Omit<T, K> : never

/** Both rewrites. Throws ModelError for a mask that is not one of a softmax. */
export function aroundSoftmax(program: Program): Program {
  const rewritten = postponeQuotients(dropMasked(program))
  const needed = { ...rewritten, nodes: liveNodes(rewritten) }
  checkMasks(needed)
  return needed
}

/** Whether a map is multiplication by one number. */
const isTimes = (map: LinearNode["terms"][number]["map"], factor: number): boolean =>
  diagonalOf(map)?.every((x) => x === factor) ?? false

/** x − m with the largest m of each window of x. */
export interface Distance {
  readonly x: TensorId
  readonly maximum: MaxNode
  /** Whose maximum is subtracted from each element. */
  readonly owner: Int32Array
}

/** The node that makes a tensor, if it is of that kind. */
export type Made = <K extends RealNode["kind"]>(
  id: TensorId,
  kind: K,
) => Extract<RealNode, { kind: K }> | undefined

/** Whether a node is the logarithm of sums of exponentials. */
export function isLogOfSums({ formula, source }: FunctionNode, made: Made): boolean {
  if (formula.kind !== "apply" || formula.name !== "log" || formula.of.kind !== "x") return false
  const sums = made(source, "linear")
  return (
    sums !== undefined &&
    sums.terms.length > 0 &&
    sums.terms.every(({ source: term }) => {
      const moved = made(term, "index")
      const powers = made(moved?.sources.length === 1 ? moved.sources[0] : term, "function")
      return powers !== undefined && isExp(powers)
    })
  )
}

/** What a tensor is a distance from, if it is one, with each element in the window that it is compared with. */
export function distanceOf(id: TensorId, made: Made): Distance | undefined {
  const distance = made(id, "linear")
  if (distance?.terms.length !== 2 || distance.bias) return undefined
  const added = distance.terms.find(({ map }) => isTimes(map, 1))
  const subtracted = distance.terms.find(({ map }) => isTimes(map, -1))
  const spread = subtracted && made(subtracted.source, "index")
  const maximum = spread?.sources.length === 1 && made(spread.sources[0], "max")
  if (!added || !spread || !maximum || maximum.source !== added.source) return undefined
  const owner = spread.map
  const found = new Uint8Array(owner.length)
  for (const [j, element] of maximum.map.entries())
    if (element >= 0 && owner[element] === Math.floor(j / maximum.window)) found[element] = 1
  return found.every((one) => one === 1) ? { x: added.source, maximum, owner } : undefined
}

const isExp = ({ formula }: FunctionNode): boolean =>
  formula.kind === "apply" && formula.name === "exp" && formula.of.kind === "x"

/** Constants that are added to elements, or stand in their place; undefined if there are none. */
function constantsOf(id: TensorId, rewriting: Rewriting): Float64Array | undefined {
  const linear = rewriting.made(id, "linear")
  if (linear) return linear.bias
  const index = rewriting.made(id, "index")
  return index && Float64Array.from(index.map, (from) => (from < 0 ? index.fill : 0))
}

/** Leaves out of maxima and exponentials what a constant takes far below the largest of its window. */
function dropMasked(program: Program): Program {
  const rewriting = new Rewriting(program)
  for (const node of program.nodes) {
    const isTaken = node.kind === "function" && isExp(node)
    const found = isTaken ? distanceOf(node.source, rewriting.made) : undefined
    const live = found && liveElements(found, rewriting)
    if (!found || !live || node.kind !== "function") rewriting.keep(node)
    else keepLive(node, found, live, rewriting)
  }
  return rewriting.take()
}

/** The elements that are not masked, if any is; each must be in one window alone. */
function liveElements({ x, maximum, owner }: Distance, rewriting: Rewriting): readonly number[] | undefined {
  const constants = constantsOf(x, rewriting)
  if (!constants) return undefined
  const { map, window } = maximum
  const tops = new Float64Array(map.length / window).fill(Number.NEGATIVE_INFINITY)
  const places = new Uint32Array(constants.length)
  for (const [j, element] of map.entries()) {
    if (element < 0) continue
    const i = Math.floor(j / window)
    places[element]++
    tops[i] = Math.max(tops[i], constants[element])
  }
  if (!places.every((count) => count === 1)) return undefined
  const live: number[] = []
  constants.forEach((constant, element) => {
    if (constant > tops[owner[element]] + masked) live.push(element)
  })
  return live.length < constants.length ? live : undefined
}

/** The exponentials of some elements, and zeros in the place of the others. */
function keepLive(
  { out, formula, origin }: FunctionNode,
  { x, maximum, owner }: Distance,
  live: readonly number[],
  rewriting: Rewriting,
): void {
  const size = live.length
  const place = new Int32Array(rewriting.size(x)).fill(-1)
  live.forEach((element, i) => {
    place[element] = i
  })
  const move = (source: TensorId, map: Int32Array, fill = 0): TensorId =>
    rewriting.add({ kind: "index", sources: [source], map, fill, origin }, map.length)
  const ones = new Float64Array(size).fill(1)
  const scaled = (source: TensorId, factor: number) => ({
    source,
    map: diagonalMap(ones.map((one) => factor * one)),
  })
  const chosen = selected(x, live, rewriting, origin)
  const maxima = rewriting.add(
    { ...maximum, source: chosen, map: maximum.map.map((element) => (element < 0 ? -1 : place[element])) },
    rewriting.size(maximum.out),
  )
  const largest = move(
    maxima,
    Int32Array.from(live, (element) => owner[element]),
  )
  const terms = [scaled(chosen, 1), scaled(largest, -1)]
  const distance = rewriting.add({ kind: "linear", terms, origin }, size)
  const powers = rewriting.add({ kind: "function", source: distance, formula, origin }, size)
  rewriting.keep({ kind: "index", out, sources: [powers], map: place, fill: 0, origin })
}

/** Some elements of a tensor, without what is added to the others. */
function selected(x: TensorId, live: readonly number[], rewriting: Rewriting, origin: Origin): TensorId {
  const linear = rewriting.made(x, "linear")
  const index = rewriting.made(x, "index")
  if (index) {
    const map = Int32Array.from(live, (element) => index.map[element])
    return rewriting.add({ ...index, map, fill: map.includes(-1) ? index.fill : 0 }, live.length)
  }
  if (!linear) return x
  const { bias, ...sums } = linear
  const plain = rewriting.add(sums, rewriting.size(x))
  const map = Int32Array.from(live)
  const moved = rewriting.add({ kind: "index", sources: [plain], map, fill: 0, origin }, live.length)
  const terms = [{ source: moved, map: diagonalMap(new Float64Array(live.length).fill(1)) }]
  const left = Float64Array.from(live, (element) => bias?.[element] ?? 0)
  return rewriting.add({ kind: "linear", terms, bias: left, origin: linear.origin }, live.length)
}

/** Sums for each term of one, up to which it is cheaper to divide those. */
const most = 4

/** A product of matrices, one of which is quotients with one denominator for each row (or column): divided afterwards. */
function postponeQuotients(program: Program): Program {
  const readers = readersOf(program)
  const rewriting = new Rewriting(program)
  for (const node of program.nodes) {
    const sides = node.kind === "contraction" ? (["left", "right"] as const) : []
    const found = sides.flatMap(
      (side) => postponed(node as ContractionNode, side, readers, rewriting) ?? [],
    )[0]
    if (!found || node.kind !== "contraction") {
      rewriting.keep(node)
      continue
    }
    const { side, numerators, denominators, map, origin } = found
    const sums = rewriting.add({ ...node, [side]: numerators }, rewriting.size(node.out))
    const spread = { kind: "index", sources: [denominators], map, fill: 0, origin } as const
    const denominator = rewriting.add(spread, map.length)
    rewriting.keep({ kind: "divide", out: node.out, numerator: sums, denominator, origin })
  }
  return rewriting.take()
}

/** What a side of a contraction becomes if its quotients are postponed, and the denominator of each sum. */
function postponed(
  node: ContractionNode,
  side: "left" | "right",
  readers: ReadonlyMap<TensorId, number>,
  rewriting: Rewriting,
) {
  const { batch, m, k, n } = node
  const moved = rewriting.made(node[side], "index")
  const id = moved?.sources.length === 1 ? moved.sources[0] : node[side]
  const division: DivideNode | undefined = rewriting.made(id, "divide")
  const spread: IndexNode | undefined = division && rewriting.made(division.denominator, "index")
  // where others read the quotients, they are there in any case
  if (!division || spread?.sources.length !== 1 || readers.get(id) !== 1) return undefined
  if ((side === "left" ? n : m) > most * k) return undefined
  if (moved?.map.includes(-1) && moved.fill !== 0) return undefined
  const denominatorOf = (element: number): number => {
    const from = moved ? moved.map[element] : element
    return from < 0 ? -1 : spread.map[from]
  }
  const lines = side === "left" ? m : n
  const own = new Int32Array(batch * lines).fill(-1)
  for (let b = 0; b < batch; b++)
    for (let line = 0; line < lines; line++)
      for (let l = 0; l < k; l++) {
        const place = side === "left" ? (b * m + line) * k + l : (b * k + l) * n + line
        const found = denominatorOf(place)
        if (found < 0) continue
        if (own[b * lines + line] >= 0 && own[b * lines + line] !== found) return undefined
        own[b * lines + line] = found
      }
  // a line of zeros alone may be divided by anything
  const map = new Int32Array(batch * m * n)
  for (let b = 0; b < batch; b++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++)
        map[(b * m + i) * n + j] = Math.max(0, own[b * lines + (side === "left" ? i : j)])
  const numerators = moved
    ? rewriting.add({ ...moved, sources: [division.numerator] }, rewriting.size(moved.out))
    : division.numerator
  return { side, numerators, denominators: spread.sources[0], map, origin: division.origin }
}

/** Throws the ModelError for a number that stands for minus infinity where no softmax takes it out. */
function checkMasks({ nodes }: Program): void {
  for (const node of nodes) {
    const numbers = node.kind === "linear" ? (node.bias ?? []) : node.kind === "index" ? [node.fill] : []
    if (!numbers.some((x: number) => Math.abs(x) >= -minusInfinity / 2)) continue
    throw new ModelError({
      what: `\`${node.origin.operator}\` gives an infinity that is no mask of a softmax`,
      where: `node \`${node.origin.name}\``,
      expected: "finite constants",
      given: "minus infinity",
    })
  }
}
