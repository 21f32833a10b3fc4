/**
 * Linear maps with secret weights as rows (circuit/plan/secret.ts says in which form). Wires of the group `weights` are
 * constants of the model: each weight, then biases, or what pairs leave of them, limbs of what is wider than its table, and
 * what windows take off. Weights and biases are looked up in ranges before anything else, whatever they are used for:
 *
 *     range     w − lo in [0, 2^bits), in limbs
 *     product   w · x = p                                               y = Σ p
 *     pair      (w_1 + x_2) · (w_2 + x_1) = q    x_1 · x_2 = X_j − X_(j−1)    y = β + Σ q − X
 *     windows   rows of a challenge (circuit/plan/windows.ts), of committed y without a row of their own
 *
 * β stands for bias − Σ w_1·w_2: whatever it is, β + Σ w_1·w_2 is the bias of the function that is proven, and its window
 * keeps that in the range of biases. Each y has a wire and one row, so that products stay on sides A and C.
 */
import { invariant } from "../../errors.js"
import { forEachProduct, weightCount } from "../../ops/linearmap.js"
import type { LinearNode, TensorId, Window } from "../../ops/program.js"
import type { IntGraph } from "../../quantize/integers/intgraph.js"
import { lookupsOf } from "../gadgets/ranges.js"
import { rangeTable } from "../gadgets/tables.js"
import { isZero } from "../plan/projection.js"
import { constantWindow, productBits, type RangeTables, type SecretPlan } from "../plan/secret.js"
import { emitWindows, type Sum } from "../plan/windows.js"
import type { R1csBuilder } from "./builder.js"
import type { LookupBuilder } from "./lookup.js"
import type { ProjectionBuilder } from "./projection.js"
import { Accumulator, linearRows, RowCollector, rowOf, type TensorRows } from "./rows.js"

/** Integers of one range, on wires one behind the other; `limbs` wires of each but the last limb, least first. */
export interface CheckedRun {
  readonly window: Window
  readonly first: number
  readonly count: number
  /** They are looked up in [0, 2^tableBits). */
  readonly tableBits: number
  readonly limbs: number
  readonly firstLimb: number
}

/** The wires of a node in the group `weights`. */
export interface SecretWires {
  readonly plan: SecretPlan
  /** By term; undefined for public weights. */
  readonly weights: readonly (CheckedRun | undefined)[]
  /** Biases, or the constants of pairs. */
  readonly constants: CheckedRun | undefined
  /** By term, the first wire of what its banks take off, bank by bank, channel by channel, tap by tap. */
  readonly taken: readonly (number | undefined)[]
  /** Its range checks. */
  readonly firstQuery: number
  readonly queries: number
  readonly firstRow: number
  readonly rowEnd: number
}

/** Where the wires of a secret node went that are made in each proof, for each term. */
export interface SecretStamp extends SecretWires {
  readonly terms: readonly (SecretTerm | undefined)[]
  readonly pairs?: {
    /** Of each row of the map: X_j, then q by output and pair, a single column's products, and its y. */
    readonly shared: number
    readonly products: number
    readonly single: number
    readonly y: number
  }
}

export interface SecretTerm {
  readonly y: number
  /** First of the limbs of what products of paired outputs come to, two for each position, bank by bank. */
  readonly outputs?: number
  /** First product, in the order of uses; of the form `products` alone. */
  readonly products?: number
}

/** How many constants the windows of a term take. */
const takenBy = (plan: SecretPlan, t: number): number => {
  const term = plan.terms[t]
  if (term?.form !== "windows") return 0
  return term.banks.reduce((sum, { bank, slots }) => sum + (slots.paired ? bank.channels * bank.taps : 0), 0)
}

/** Allocates the wires of the group `weights` and looks up their ranges. */
export function linkWeights(
  plans: Iterable<SecretPlan>,
  builder: R1csBuilder,
  lookup: LookupBuilder,
  { tableBits, own }: { readonly tableBits: number } & Pick<RangeTables, "own">,
): ReadonlyMap<LinearNode, SecretWires> {
  const runOf = (window: Window, count: number): CheckedRun => {
    const bits = own.has(window.bits) ? window.bits : tableBits
    const limbs = Math.ceil(window.bits / bits)
    const first = builder.allocate(count)
    return { window, first, count, tableBits: bits, limbs, firstLimb: builder.allocate(count * (limbs - 1)) }
  }
  const wired = Array.from(plans, (plan) => {
    const { node } = plan
    const { bias } = node.secret
    const weights = node.secret.weights.map(
      (window, t) => window && runOf(window, weightCount(node.terms[t].map)),
    )
    const window = constantWindow(plan)
    const constants = bias && window && runOf(window, bias.count)
    const taken = node.terms.map((_, t) => {
      const count = takenBy(plan, t)
      return count > 0 ? builder.allocate(count) : undefined
    })
    return { plan, weights, constants, taken }
  })
  // all wires of the group are there before anything else has one
  let queries = 0
  return new Map(
    wired.map((of): [LinearNode, SecretWires] => {
      const [firstRow, firstQuery] = [builder.rows, queries]
      const accumulator = new Accumulator(of.plan.node)
      for (const run of [...of.weights, of.constants]) if (run) queries += checkRun(run, lookup, accumulator)
      return [
        of.plan.node,
        { ...of, firstQuery, queries: queries - firstQuery, firstRow, rowEnd: builder.rows },
      ]
    }),
  )
}

/** A query: what is looked up is (Σ coefficients · wires + constant) / scale. */
export interface RunQuery {
  readonly wires: readonly number[]
  readonly coefficients: readonly number[]
  readonly constant: number
  readonly scale: number
}

/** The queries that show integer `i` of a run to be in its window. */
export function runQueries(
  { window, first, tableBits, limbs, firstLimb }: CheckedRun,
  i: number,
): RunQuery[] {
  const low = Array.from({ length: limbs - 1 }, (_, l) => firstLimb + i * (limbs - 1) + l)
  const queries = low.map((wire): RunQuery => ({ wires: [wire], coefficients: [1], constant: 0, scale: 1 }))
  const scale = 2 ** (tableBits * (limbs - 1))
  const top = (factor: number, scaled: number): RunQuery => ({
    wires: [first + i, ...low],
    coefficients: [factor, ...low.map((_, l) => -factor * 2 ** (tableBits * l))],
    constant: -factor * window.lo,
    scale: scaled,
  })
  queries.push(top(1, scale))
  // of an integer t of the table, 2^missing · t is in it as well only if t has so many bits less
  const missing = tableBits * limbs - window.bits
  if (missing > 0) {
    const factor = 2 ** Math.max(0, missing - tableBits * (limbs - 1))
    queries.push(top(factor, (scale * factor) / 2 ** missing))
  }
  invariant(queries.length === lookupsOf(window.bits, tableBits), "queries of a secret integer")
  return queries
}

function checkRun(run: CheckedRun, lookup: LookupBuilder, accumulator: Accumulator): number {
  const table = lookup.add(rangeTable(run.tableBits))
  let count = 0
  for (let i = 0; i < run.count; i++)
    for (const { wires, coefficients, constant, scale } of runQueries(run, i)) {
      accumulator.add({ wires, coefficients }, 1)
      if (constant !== 0) accumulator.addWire(0, constant)
      lookup.query(table, scale, accumulator)
      count++
    }
  return count
}

/** What a secret node is linked with. */
export interface SecretLinking {
  readonly graph: IntGraph
  readonly builder: R1csBuilder
  readonly projection: ProjectionBuilder | undefined
  readonly rows: (tensor: TensorId) => TensorRows
}

/** Links a node; its combinations, and where its wires went. */
export function linkSecret(
  wires: SecretWires,
  linking: SecretLinking,
): { readonly out: TensorRows; readonly stamp: SecretStamp } {
  return wires.plan.pairs ? linkPairs(wires, linking) : linkTerms(wires, linking)
}

const wireLc = (wire: number) => ({ wires: [wire], coefficients: [1] })

function linkPairs(wires: SecretWires, { graph, builder, rows }: SecretLinking) {
  const { node, pairs } = wires.plan
  const { constants } = wires
  invariant(pairs && constants, "pairs have constants")
  const { n, m, columns } = pairs
  const count = Math.floor(columns.length / 2)
  const isOdd = columns.length % 2 === 1
  const sources = node.terms.map(({ source }) => rows(source))
  const widths = node.terms.map(({ source }) => graph.tensors[source].lo.length / n)
  const [shared, products] = [builder.allocate(n * count), builder.allocate(n * m * count)]
  const single = builder.allocate(isOdd ? n * m : 0)
  const y = builder.allocate(n * m)
  const input = (row: number, k: number) => {
    const { term, column } = columns[k]
    return rowOf(sources[term], row * widths[term] + column)
  }
  const weight = (output: number, k: number): number => {
    const { term, column } = columns[k]
    const run = wires.weights[term]
    invariant(run, "pairs have secret weights")
    return run.first + output * widths[term] + column
  }
  const accumulator = new Accumulator(node)
  const side = (at: number) => accumulator.flush((wire, coefficient) => builder.entry(at, wire, coefficient))
  for (let row = 0; row < n; row++) {
    for (let j = 0; j < count; j++) {
      accumulator.add(input(row, 2 * j), 1)
      side(0)
      accumulator.add(input(row, 2 * j + 1), 1)
      side(1)
      builder.entry(2, shared + row * count + j, 1)
      if (j > 0) builder.entry(2, shared + row * count + j - 1, -1)
      builder.endRow()
    }
    for (let output = 0; output < m; output++) {
      const first = products + (row * m + output) * count
      for (let j = 0; j < count; j++) {
        accumulator.add(wireLc(weight(output, 2 * j)), 1)
        accumulator.add(input(row, 2 * j + 1), 1)
        side(0)
        accumulator.add(wireLc(weight(output, 2 * j + 1)), 1)
        accumulator.add(input(row, 2 * j), 1)
        side(1)
        builder.entry(2, first + j, 1)
        builder.endRow()
      }
      const element = row * m + output
      if (isOdd)
        builder.row(
          wireLc(weight(output, columns.length - 1)),
          input(row, columns.length - 1),
          wireLc(single + element),
        )
      for (let j = 0; j < count; j++) builder.entry(2, first + j, 1)
      if (isOdd) builder.entry(2, single + element, 1)
      if (count > 0) builder.entry(2, shared + row * count + count - 1, -1)
      builder.entry(2, constants.first + output, 1)
      builder.entry(2, y + element, -1)
      builder.endRow()
    }
  }
  const collector = new RowCollector(n * m)
  for (let i = 0; i < n * m; i++) {
    collector.entry(y + i, 1)
    collector.endRow()
  }
  const stamp: SecretStamp = { ...wires, terms: [], pairs: { shared, products, single, y } }
  return { out: collector.take(), stamp }
}

function linkTerms(wires: SecretWires, linking: SecretLinking) {
  const { graph, rows } = linking
  const { node, terms } = wires.plan
  const elements = graph.tensors[node.out].lo.length
  const linked = terms.map((term, t): SecretTerm | undefined => {
    if (!term) return undefined
    return term.form === "products"
      ? linkProducts(wires, t, elements, linking)
      : linkWindows(wires, t, linking)
  })
  const { bias: _, ...rest } = node
  const open = node.terms.filter((_term, t) => !terms[t])
  const known = linearRows({ ...rest, terms: open }, elements, rows)
  const { bias } = node.secret
  const accumulator = new Accumulator(node)
  const collector = new RowCollector(elements)
  for (let i = 0; i < elements; i++) {
    accumulator.add(rowOf(known, i), 1)
    for (const term of linked) if (term) accumulator.addWire(term.y + i, 1)
    if (bias && wires.constants)
      accumulator.addWire(wires.constants.first + (Math.floor(i / bias.inner) % bias.count), 1)
    else accumulator.addWire(0, node.bias?.[i] ?? 0)
    accumulator.flush((wire, coefficient) => collector.entry(wire, coefficient))
    collector.endRow()
  }
  const stamp: SecretStamp = { ...wires, terms: linked }
  return { out: collector.take(), stamp }
}

function runOfTerm({ weights }: SecretWires, t: number): CheckedRun {
  const run = weights[t]
  invariant(run, "the weights of a term are secret")
  return run
}

function linkProducts(wires: SecretWires, t: number, elements: number, { builder, rows }: SecretLinking) {
  const { source, map } = wires.plan.node.terms[t]
  const weights = runOfTerm(wires, t)
  const from = rows(source)
  const uses: number[] = []
  const behind = new Uint32Array(elements)
  forEachProduct(map, (output, input, weight) => {
    uses.push(input, weight)
    behind[output] = uses.length / 2
  })
  const products = builder.allocate(uses.length / 2)
  const y = builder.allocate(elements)
  for (let i = 0; 2 * i < uses.length; i++)
    builder.row(wireLc(weights.first + uses[2 * i + 1]), rowOf(from, uses[2 * i]), wireLc(products + i))
  for (let element = 0, i = 0; element < elements; element++) {
    for (; i < behind[element]; i++) builder.entry(2, products + i, 1)
    builder.entry(2, y + element, -1)
    builder.endRow()
  }
  return { y, products }
}

function linkWindows(wires: SecretWires, t: number, { graph, builder, projection, rows }: SecretLinking) {
  const { node, terms } = wires.plan
  const term = terms[t]
  invariant(term?.form === "windows" && projection, "windows need a challenge")
  const { source } = node.terms[t]
  const [from, bounds] = [rows(source), graph.tensors[source]]
  const weights = runOfTerm(wires, t)
  const y = builder.allocate(graph.tensors[node.out].lo.length)
  const positions = term.banks.reduce(
    (sum, { bank, slots }) => sum + (slots.pairedOutputs ? bank.n * bank.outArea : 0),
    0,
  )
  const outputs = builder.allocate(2 * positions)
  let limb = outputs
  let taken = wires.taken[t] ?? 0
  for (const { bank, slots } of term.banks) {
    const [first, firstLimb] = [taken, limb]
    if (slots.pairedOutputs) limb += 2 * bank.n * bank.outArea
    if (slots.paired) taken += bank.channels * bank.taps
    const x = (element: number): Sum | undefined => {
      if (isZero(bounds, element)) return undefined
      const { wires: of, coefficients } = rowOf(from, element)
      return { wires: Array.from(of), coefficients: Array.from(coefficients) }
    }
    const of = {
      x,
      weight: (stored: number) => weights.first + stored,
      y: (element: number) => y + element,
      constant: (channel: number, tap: number) => first + channel * bank.taps + tap,
      products: (image: number, place: number): Sum => {
        const low = firstLimb + 2 * (image * bank.outArea + place)
        return { wires: [low, low + 1], coefficients: [1, 2 ** productBits] }
      },
    }
    invariant(emitWindows(bank, slots, of, projection), "windows read something")
  }
  return { y, outputs }
}
