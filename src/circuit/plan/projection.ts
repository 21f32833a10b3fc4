/**
 * What it takes to prove a contraction under a challenge, instead of by one row for each product: see
 * circuit/link/projection.ts for the rows, and the reason that they suffice.
 */
import type { ContractionNode } from "../../ops/program.js"
import type { Interval } from "../../quantize/integers/interval.js"
import type { IntGraph } from "../../quantize/integers/intgraph.js"

/** How the rows and columns of the matrices get their exponents: as they are, or the last first. */
export interface Projection {
  readonly reversed: { readonly m: boolean; readonly n: boolean }
  /** Constraints, those of powers of the challenge aside. */
  readonly rows: number
}

/** Whether an element is zero for all admissible inputs: it needs no row then. */
export const isZero = ({ lo, hi }: Interval, i: number): boolean => lo[i] === 0 && hi[i] === 0

/** Places 0 … count − 1, or the same from the last on. */
export const places = (count: number, reversed: boolean): number[] =>
  Array.from({ length: count }, (_, i) => (reversed ? count - 1 - i : i))

/** Horner steps of coefficients, that of the constant term first: none for zeros above the last that is not. */
export const stepsOf = (coefficients: readonly number[], vanishes: (element: number) => boolean): number =>
  Math.max(
    0,
    coefficients.findLastIndex((element) => !vanishes(element)),
  )

/** Elements of both factors and of the result of matrices `b` of a contraction, in the order of their exponents. */
export function matricesOf(
  { m, k, n }: ContractionNode,
  { reversed }: Pick<Projection, "reversed">,
  b: number,
) {
  const [rows, columns] = [places(m, reversed.m), places(n, reversed.n)]
  return {
    left: (inner: number) => rows.map((i) => (b * m + i) * k + inner),
    right: (inner: number) => columns.map((j) => (b * k + inner) * n + j),
    out: () => columns.flatMap((j) => rows.map((i) => (b * m + i) * n + j)),
  }
}

/** Products that are not zero for all admissible inputs. */
export function directRows(node: ContractionNode, { tensors }: IntGraph): number {
  const { batch, m, k, n, left, right } = node
  let rows = 0
  for (let inner = 0; inner < batch * k; inner++) {
    const [b, l] = [Math.floor(inner / k), inner % k]
    let [a, c] = [0, 0]
    for (let i = 0; i < m; i++) if (!isZero(tensors[left], (b * m + i) * k + l)) a++
    for (let j = 0; j < n; j++) if (!isZero(tensors[right], inner * n + j)) c++
    rows += a * c
  }
  return rows
}

/** The projection with the fewest rows. */
export function projectionOf(node: ContractionNode, graph: IntGraph): Projection {
  const choices = [false, true].flatMap((m) => [false, true].map((n) => ({ m, n })))
  return choices
    .map((reversed) => ({ reversed, rows: rowsOf(node, graph, { reversed }) }))
    .reduce((best, other) => (other.rows < best.rows ? other : best))
}

function rowsOf(node: ContractionNode, { tensors }: IntGraph, choice: Pick<Projection, "reversed">): number {
  const [left, right, out] = [node.left, node.right, node.out].map(
    (id) => (element: number) => isZero(tensors[id], element),
  )
  let rows = 0
  for (let b = 0; b < node.batch; b++) {
    const elements = matricesOf(node, choice, b)
    for (let inner = 0; inner < node.k; inner++) {
      const [u, v] = [elements.left(inner), elements.right(inner)]
      if (u.every(left) || v.every(right)) continue
      rows += stepsOf(u, left) + stepsOf(v, right) + 1
    }
    rows += stepsOf(elements.out(), out)
  }
  return rows
}

/** The powers of the challenge that one takes, each the product of two before it: exponents, least first. */
export function powersFor(exponent: number): number[] {
  if (exponent === 1) return []
  return [...powersFor(exponent % 2 === 0 ? exponent / 2 : exponent - 1), exponent]
}

/**
 * The same where some are there already and exponents come in steps: what differs from one that is there by a step takes a
 * product.
 */
export function powersTo(
  exponent: number,
  isKnown: (exponent: number) => boolean,
  steps: readonly number[],
): (readonly [exponent: number, half: number])[] {
  if (isKnown(exponent)) return []
  const step = steps.find((step) => step < exponent && isKnown(step) && isKnown(exponent - step))
  if (step !== undefined) return [[exponent, exponent - step]]
  const half = exponent % 2 === 0 ? exponent / 2 : exponent - 1
  const before = powersTo(half, isKnown, steps)
  return [...before, [exponent, half]]
}

/** The contractions of a graph that projection proves in fewer rows, and all rows that this takes. */
export function projections(graph: IntGraph): {
  readonly chosen: ReadonlyMap<ContractionNode, Projection>
  readonly rows: number
} {
  const chosen = new Map<ContractionNode, Projection>()
  const powers = new Set<number>()
  let rows = 0
  for (const node of graph.nodes) {
    if (node.kind !== "contraction") continue
    const projection = projectionOf(node, graph)
    const own = powersFor(node.m)
    if (projection.rows + own.length >= directRows(node, graph)) continue
    chosen.set(node, projection)
    for (const power of own) powers.add(power)
    rows += projection.rows
  }
  return { chosen, rows: rows + powers.size }
}
