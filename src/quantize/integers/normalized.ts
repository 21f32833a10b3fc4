/**
 * Bounds that intervals of single elements do not know: of what is divided by something of its whole window. With
 * q = round(C / d), which is at most C / d + 1/2,
 *
 *     x · q, d made of Σ x²       a normalization: the length of x is at most some a · d + b, so that of x · q is at most
 *                                 (C / d + 1/2) · (a · d + b), and no element is larger
 *     (Σ e · v) · q, d of Σ e     an attention: Σ e · |v| ≤ max|v| · Σ e, and Σ e ≤ a · d + b
 *
 * both for every d in the interval of its tensor, and convex in d, so largest at one of its ends. a and b come from what is
 * between the sum and d, node by node: factors, shifts that cut nothing off above, and a root. A linear map of something
 * whose length is at most L is then at most |w| · L, by Cauchy and Schwarz, and so on through data movements and shifts.
 *
 * All of it is rounded up by more than doubles can be wrong, and holds for all admissible inputs.
 */
import { sparseRows } from "../../ops/linearmap.js"
import type {
  ContractionNode,
  IntNode,
  LinearMap,
  LinearNode,
  ProductNode,
  QuotientNode,
  RescaleNode,
  TensorId,
} from "../../ops/program.js"
import { diagonalOf } from "../../ops/scaling.js"
import type { Interval } from "./interval.js"

/** What is known of tensors: their intervals, and the nodes that make them. */
export interface Known {
  readonly bounds: (tensor: TensorId) => Interval
  readonly made: (tensor: TensorId) => IntNode | undefined
}

/** Groups of elements, of each of which the root of the sum of squares is bounded; −1 is in none. */
export interface Lengths {
  readonly owner: Int32Array
  readonly most: Float64Array
}

/** A number no less than x, whatever a few thousand roundings did to it. */
const raised = (x: number): number => x * (1 + 2 ** -36)

/** A node of a kind; what has secrets is none, for nothing of them may be in a bound. */
const ofKind = <K extends IntNode["kind"]>(
  node: IntNode | undefined,
  kind: K,
): Extract<IntNode, { kind: K }> | undefined =>
  node?.kind === kind && !("secret" in node && node.secret)
    ? (node as Extract<IntNode, { kind: K }>)
    : undefined

/** x · q with one q = round(C / d) for each window of x. */
interface Quotients {
  readonly x: TensorId
  /** Which q each element is multiplied by. */
  readonly owner: Int32Array
  readonly quotient: QuotientNode
  readonly dividend: Interval
}

function quotientsOf({ left, right }: ProductNode, { bounds, made }: Known): Quotients | undefined {
  for (const [x, factor] of [
    [left, right],
    [right, left],
  ]) {
    const spread = ofKind(made(factor), "index")
    if (spread?.sources.length !== 1 || spread.map.includes(-1)) continue
    const quotient = ofKind(made(spread.sources[0]), "quotient")
    if (!quotient) continue
    const dividend = bounds(quotient.numerator)
    if (dividend.lo.every((c, i) => c === dividend.hi[i] && c >= 0))
      return { x, owner: spread.map, quotient, dividend }
  }
  return undefined
}

/** Something is at most a · d + b. */
interface Line {
  readonly of: TensorId
  readonly a: number
  readonly b: number
}

/** A factor for all elements, and the least that is added to one; undefined for any other map. */
function scalingOf(
  node: IntNode | undefined,
): { source: TensorId; factor: number; least: number } | undefined {
  const linear = ofKind(node, "linear")
  if (linear?.terms.length !== 1) return undefined
  const [{ source, map }] = linear.terms
  const factors = diagonalOf(map)
  const factor = factors?.[0] ?? 0
  if (!(factor > 0) || !factors?.every((f) => f === factor)) return undefined
  return { source, factor, least: linear.bias?.reduce((least, x) => Math.min(least, x)) ?? 0 }
}

/** Whether a rescale takes nothing off above. */
function isOpen({ source, shift, lo, bits }: RescaleNode, { bounds }: Known): boolean {
  const { hi } = bounds(source)
  const top = lo + 2 ** bits - 1
  return hi.every((x) => Math.floor(x / 2 ** shift) <= top)
}

/** From a line of d to one of what d is made of, as far as factors and shifts go. */
function before(line: Line, known: Known): Line {
  for (let { of, a, b } = line; ; ) {
    const node = known.made(of)
    const scaling = scalingOf(node)
    const shifted = ofKind(node, "rescale")
    if (scaling) {
      // d = factor · x + bias
      ;({ source: of } = scaling)
      a /= scaling.factor
      b = (b - scaling.least) / scaling.factor
    } else if (shifted && isOpen(shifted, known)) {
      // d ≥ floor(x / 2^k), so x < 2^k · (d + 1)
      of = shifted.source
      a *= 2 ** shifted.shift
      b = (b + 1) * 2 ** shifted.shift
    } else return { of, a, b }
  }
}

/** The sums that a tensor is, of elements of one other, each with at least `least` of it: which sum each element is in. */
function sumsOf(of: TensorId, known: Known) {
  const linear = ofKind(known.made(of), "linear")
  if (linear?.terms.length !== 1 || linear.bias?.some((x) => x < 0)) return undefined
  const [{ source: given, map }] = linear.terms
  const moved = movedOf(given, known)
  if (!moved) return undefined
  const { source, at } = moved
  const { rowPtr, columns, values } = sparseRows(map)
  const owner = new Int32Array(known.bounds(source).lo.length).fill(-1)
  let least = Number.POSITIVE_INFINITY
  for (let row = 0; row + 1 < rowPtr.length; row++)
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) {
      const element = at(columns[j])
      if (values[j] === 0 || element < 0) continue
      // an element that is in two sums would have to be counted with each
      if (values[j] < 0 || owner[element] >= 0) return undefined
      owner[element] = row
      least = Math.min(least, values[j])
    }
  return Number.isFinite(least) ? { source, owner, least } : undefined
}

/** What a tensor is moved from, with which element each of its own is, or −1 for zero; itself if it is not moved. */
function movedOf(id: TensorId, { made }: Known) {
  const node = ofKind(made(id), "index")
  if (!node) return { source: id, at: (i: number) => i }
  if (node.sources.length !== 1 || (node.fill !== 0 && node.map.includes(-1))) return undefined
  return { source: node.sources[0], at: (i: number) => node.map[i] }
}

/** (C / d + 1/2) · (a · d + b) at its largest, for each denominator. */
function mostOf(
  { quotient, dividend }: Quotients,
  { a, b }: Omit<Line, "of">,
  { bounds }: Known,
): Float64Array {
  const { lo, hi } = bounds(quotient.denominator)
  return lo.map((least, g) => {
    const at = (d: number) => (dividend.hi[g] / d + 0.5) * Math.max(0, a * d + b)
    return raised(Math.max(at(least), at(hi[g])))
  })
}

/** A normalization, with the lengths of its windows. */
function normalizedLengths(node: ProductNode, known: Known): Lengths | undefined {
  const found = quotientsOf(node, known)
  if (!found) return undefined
  const { x, owner, quotient } = found
  // d · … ≥ √(Σ x² + ε)
  const line = before({ of: quotient.denominator, a: 1, b: 0 }, known)
  const root = ofKind(known.made(line.of), "isqrt")
  if (!root) return undefined
  // √v < s + 1, and factors and shifts of v are roots of themselves here
  let of: TensorId = root.source
  let { a, b } = { a: line.a, b: line.b + 1 }
  for (;;) {
    const node = known.made(of)
    const scaling = scalingOf(node)
    const shifted = ofKind(node, "rescale")
    const part = scaling && scaling.least >= 0 ? Math.sqrt(1 / scaling.factor) : undefined
    if (scaling && part !== undefined) of = scaling.source
    // u < 2^k · (v + 1) ≤ 2^k · (s + 1)²
    else if (shifted && isOpen(shifted, known)) of = shifted.source
    else break
    const factor = part ?? 2 ** ((shifted?.shift ?? 0) / 2)
    a *= factor
    b *= factor
  }
  const sums = sumsOf(of, known)
  const square = sums && ofKind(known.made(sums.source), "product")
  if (!square || square.left !== x || square.right !== x) return undefined
  // what is multiplied is in the sum that it is divided by
  if (!owner.every((g, i) => g === sums.owner[i])) return undefined
  const factor = Math.sqrt(1 / sums.least)
  return { owner, most: mostOf(found, { a: a * factor, b: b * factor }, known) }
}

/** How large elements of an attention can be, Σ e · v over Σ e, e ≥ 0. */
function sharedMost(node: ProductNode, known: Known): Float64Array | undefined {
  const found = quotientsOf(node, known)
  const contraction = found && ofKind(known.made(found.x), "contraction")
  if (!found || !contraction) return undefined
  const line = before({ of: found.quotient.denominator, a: 1, b: 0 }, known)
  const { left, right, m, k, n } = contraction
  const [weights, values] = [known.bounds(left), known.bounds(right)]
  const moved = movedOf(left, known)
  const sums = sumsOf(line.of, known)
  if (!moved || !sums || sums.source !== moved.source) return undefined
  if (known.bounds(moved.source).lo.some((x) => x < 0)) return undefined
  const most = mostOf(found, { a: line.a / sums.least, b: line.b / sums.least }, known)
  const out = new Float64Array(found.owner.length)
  for (let i = 0; i < out.length; i++) {
    const row: number = Math.floor(i / n)
    const [j, g] = [i % n, found.owner[i]]
    const from = Math.floor(row / m) * k
    const seen = new Set<number>()
    let largest = 0
    for (let l = 0; l < k; l++) {
      const place = row * k + l
      const element = moved.at(place)
      if (element < 0 || weights.hi[place] === 0) continue
      // each at most once, and of the sum that is divided by
      if (sums.owner[element] !== g || seen.has(element)) return undefined
      seen.add(element)
      const at = (from + l) * n + j
      largest = Math.max(largest, -values.lo[at], values.hi[at])
    }
    out[i] = raised(most[g] * largest)
  }
  return out
}

/** What no element of a product of activations exceeds, beyond what intervals say. */
export function productMost(node: ProductNode, known: Known): Float64Array | undefined {
  const lengths = lengthsOf(node, known)
  if (lengths)
    return Float64Array.from(lengths.owner, (g) => (g < 0 ? Number.POSITIVE_INFINITY : lengths.most[g]))
  return sharedMost(node, known)
}

/** By the intervals that they were found with. */
const found = new WeakMap<Float64Array, { readonly lengths: Lengths | undefined }>()

/** Lengths of what a node makes, if something bounds them. */
export function lengthsOf(node: IntNode | undefined, known: Known): Lengths | undefined {
  if (!node) return undefined
  // a node that is being added has none yet
  const own = known.bounds(node.out)?.lo
  const before = own && found.get(own)
  if (before) return before.lengths
  const lengths = computed(node, known)
  if (own) found.set(own, { lengths })
  return lengths
}

function computed(node: IntNode, known: Known): Lengths | undefined {
  if (node.kind === "product") return normalizedLengths(node, known)
  if (node.kind === "index") {
    const inner = node.sources.length === 1 ? lengthsOf(known.made(node.sources[0]), known) : undefined
    if (!inner || (node.fill !== 0 && node.map.includes(-1))) return undefined
    const seen = new Uint8Array(inner.owner.length)
    // an element that is there twice counts twice
    for (const from of node.map) if (from >= 0 && seen[from]++ > 0) return undefined
    return { owner: node.map.map((from) => (from < 0 ? -1 : inner.owner[from])), most: inner.most }
  }
  if (node.kind === "rescale") {
    const scaled = ofKind(known.made(node.source), "linear")
    const scaling = scalingOf(scaled)
    const inner = scaling && lengthsOf(known.made(scaling.source), known)
    const { lo } = known.bounds(node.source)
    if (!scaling || !inner || !isOpen(node, known)) return undefined
    if (lo.some((x) => Math.floor(x / 2 ** node.shift) < node.lo)) return undefined
    // floor(x) is x less a part of one
    const counts = new Float64Array(inner.most.length)
    for (const g of inner.owner) if (g >= 0) counts[g]++
    const unit = 2 ** node.shift
    let away = scaled?.bias ? 0 : 1
    for (const b of scaled?.bias ?? []) away = Math.max(away, Math.abs(b / unit), Math.abs(b / unit - 1))
    const most = inner.most.map((x, g) => raised((scaling.factor / unit) * x + away * Math.sqrt(counts[g])))
    return { owner: inner.owner, most }
  }
  return undefined
}

/** What no result of a linear map exceeds, term by term; undefined where nothing is known of any source. */
export function linearMost(
  node: LinearNode,
  size: number,
  known: Known,
): readonly (Float64Array | undefined)[] | undefined {
  const terms = node.terms.map(({ source, map }) => {
    const lengths = map.kind === "conv" ? undefined : lengthsOf(known.made(source), known)
    return lengths && mapped(map, lengths, size)
  })
  return terms.some((term) => term !== undefined) ? terms : undefined
}

/** The rows of a dense map that one row of its source goes through. */
type Dense = Extract<LinearMap, { kind: "dense" }>

/** The group that all elements of a row of a dense map's source are in, if it is one. */
function groupOf({ k }: Dense, row: number, owner: Int32Array): number | undefined {
  const group = owner[row * k]
  for (let i = 1; i < k; i++) if (owner[row * k + i] !== group) return undefined
  return group < 0 ? undefined : group
}

/** Σ over groups of |w| · L; infinite where a weight belongs to no group. */
function mapped(map: LinearMap, { owner, most }: Lengths, size: number): Float64Array {
  const out = new Float64Array(size)
  if (map.kind === "dense") {
    const { n, m, k, weight } = map
    const lengths = Float64Array.from({ length: m }, (_, j) => {
      let square = 0
      for (let i = 0; i < k; i++) square += weight[j * k + i] ** 2
      return Math.sqrt(square)
    })
    for (let row = 0; row < n; row++) {
      const group = groupOf(map, row, owner)
      const length = group === undefined ? Number.POSITIVE_INFINITY : most[group]
      for (let j = 0; j < m; j++) out[row * m + j] = lengths[j] === 0 ? 0 : raised(lengths[j] * length)
    }
    return out
  }
  const { rowPtr, columns, values } = sparseRows(map)
  const squares = new Map<number, number>()
  for (let row = 0; row < size; row++) {
    squares.clear()
    let open = false
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) {
      if (values[j] === 0) continue
      const g = owner[columns[j]]
      if (g < 0) open = true
      squares.set(g, (squares.get(g) ?? 0) + values[j] * values[j])
    }
    if (open) out[row] = Number.POSITIVE_INFINITY
    else for (const [g, square] of squares) out[row] += Math.sqrt(square) * most[g]
    out[row] = raised(out[row])
  }
  return out
}

/**
 * What a contraction's results do not exceed, by Cauchy and Schwarz once more: the length of a row of the left matrix times
 * that of a column of the right one; undefined where neither is known to be short.
 */
export function contractionMost(
  { left, right, batch, m, k, n }: ContractionNode,
  known: Known,
): Float64Array | undefined {
  const isShort = [left, right].every((id) => tightLength(id, [0], known) !== undefined)
  if (!isShort) return undefined
  const lengths = (id: TensorId, lines: number, element: (line: number, l: number) => number) =>
    Float64Array.from({ length: lines }, (_, line) =>
      lengthOf(
        id,
        Array.from({ length: k }, (_, l) => element(line, l)),
        known,
      ),
    )
  const rows = lengths(left, batch * m, (line, l) => line * k + l)
  const columns = lengths(right, batch * n, (line, l) => (Math.floor(line / n) * k + l) * n + (line % n))
  return Float64Array.from({ length: batch * m * n }, (_, i) => {
    const [row, j] = [Math.floor(i / n), i % n]
    return raised(rows[row] * columns[Math.floor(row / m) * n + j])
  })
}

/** The length of some elements, each listed once, by what is known of each or of all together. */
function lengthOf(id: TensorId, elements: readonly number[], known: Known): number {
  const { lo, hi } = known.bounds(id)
  let square = 0
  for (const i of elements) square += Math.max(-lo[i], hi[i]) ** 2
  return raised(Math.min(Math.sqrt(square), tightLength(id, elements, known) ?? Number.POSITIVE_INFINITY))
}

/** The length of some results of a linear map of something short, moved and shifted; undefined for anything else. */
function tightLength(id: TensorId, elements: readonly number[], known: Known): number | undefined {
  const node = known.made(id)
  if (node?.kind === "index") {
    const moved = elements.map((i) => node.map[i]).filter((from) => from >= 0)
    if (node.sources.length !== 1 || (node.fill !== 0 && moved.length < elements.length)) return undefined
    if (new Set(moved).size < moved.length) return undefined
    return lengthOf(node.sources[0], moved, known)
  }
  if (node?.kind === "rescale") {
    const { lo } = known.bounds(node.source)
    const linear = ofKind(known.made(node.source), "linear")
    if (!linear || !isOpen(node, known) || lo.some((x) => Math.floor(x / 2 ** node.shift) < node.lo))
      return undefined
    const length = mappedLength(linear, elements, known)
    return length === undefined ? undefined : raised(length / 2 ** node.shift + Math.sqrt(elements.length))
  }
  return undefined
}

/** The length of some results of a dense map of something short: its norm on them, and their biases. */
function mappedLength(
  { terms, bias }: LinearNode,
  elements: readonly number[],
  known: Known,
): number | undefined {
  const [term] = terms
  if (terms.length !== 1 || term.map.kind !== "dense") return undefined
  const { map } = term
  const lengths = lengthsOf(known.made(term.source), known)
  const row = Math.floor(elements[0] / map.m)
  const group = lengths && groupOf(map, row, lengths.owner)
  if (!lengths || group === undefined || elements.some((i) => Math.floor(i / map.m) !== row)) return undefined
  let square = 0
  for (const i of elements) square += (bias?.[i] ?? 0) ** 2
  const outputs = elements.map((i) => i % map.m)
  return raised(normOf(map, outputs) * lengths.most[group] + Math.sqrt(square))
}

/** Norms of parts of maps, by their outputs. */
const norms = new WeakMap<Dense, Map<string, number>>()

function normOf(map: Dense, outputs: readonly number[]): number {
  const own = norms.get(map) ?? new Map<string, number>()
  norms.set(map, own)
  const key = outputs.join(",")
  const norm =
    own.get(key) ?? largestValue(outputs.map((j) => map.weight.subarray(j * map.k, (j + 1) * map.k)))
  own.set(key, norm)
  return norm
}

/** A number no less than the norm of a matrix given by its rows: the root of the largest eigenvalue of its square. */
function largestValue(rows: readonly Float64Array[]): number {
  const size = rows.length
  let gram = Float64Array.from({ length: size * size }, (_, e) => {
    const [a, b] = [rows[Math.floor(e / size)], rows[e % size]]
    let sum = 0
    for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
    return sum
  })
  // λ ≤ tr(G^p)^(1/p), for p = 32, with what was divided by kept aside
  let log = 0
  for (let i = 0, power = 1; i < 5; i++, power *= 2) {
    const top = gram.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
    if (top === 0) return 0
    log += Math.log(top) / power
    const scaled = gram.map((x) => x / top)
    gram = Float64Array.from({ length: size * size }, (_, e) => {
      const [i, j] = [Math.floor(e / size), e % size]
      let sum = 0
      for (let l = 0; l < size; l++) sum += scaled[i * size + l] * scaled[l * size + j]
      return sum
    })
  }
  let trace = 0
  for (let i = 0; i < size; i++) trace += gram[i * size + i]
  return raised(Math.sqrt(Math.exp(log + Math.log(trace) / 32)))
}
