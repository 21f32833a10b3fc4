/**
 * How linear maps with secret weights become rows (../link/secret.ts), from the architecture alone.
 *
 *     products   a row for each use of a weight: whatever the map is
 *     pairs      dense maps: (w_1 + x_2)·(w_2 + x_1), which gives two products, and two that take no proof: Σ x_1·x_2 is the
 *                same for all outputs, and Σ w_1·w_2 is taken from the bias, which is private anyway
 *     windows    convolutions, and dense maps of many rows: polynomials in the challenge (windows.ts)
 *
 * A row of small integers and one of field elements do not take the same time, so forms are compared by both.
 */
import { weightCount } from "../../ops/linearmap.js"
import type { LinearMap, LinearNode, Window } from "../../ops/program.js"
import { hull, sumLimit } from "../../quantize/integers/bounds.js"
import type { Interval } from "../../quantize/integers/interval.js"
import type { IntGraph } from "../../quantize/integers/intgraph.js"
import {
  constantsBeside,
  type DenseTerms,
  denseTerms,
  productsOfPairs,
  topOf,
} from "../../quantize/integers/pairs.js"
import { isSecret, type SecretNode } from "../../quantize/integers/secrets.js"
import { lookupsOf } from "../gadgets/ranges.js"
import { type Bank, banksOf, type Slots, slotsOf } from "./banks.js"
import { isZero, powersTo } from "./projection.js"
import { emitWindows, type Sum } from "./windows.js"

/** What a form takes. */
export interface SecretCost {
  readonly rows: number
  /** Wires that depend on the challenge, and those of them that stand on side B. */
  readonly finals: number
  readonly finalsOnB: number
}

/** A bank of a windows form. */
export interface BankPlan {
  readonly bank: Bank
  readonly slots: Slots
}

/** A term that is proven alone, its bias added to what it gives. */
export type TermPlan =
  | { readonly form: "products"; readonly cost: SecretCost }
  | { readonly form: "windows"; readonly banks: readonly BankPlan[]; readonly cost: SecretCost }

export interface PairsPlan extends DenseTerms {
  readonly form: "pairs"
  /** Where the bias less the sum of products of weights must be, so that the bias is in its own range. */
  readonly constants: Window
  readonly cost: SecretCost
}

/** How a node is proven: by pairs all its terms together, or each term with secret weights alone. */
export interface SecretPlan {
  readonly node: SecretNode
  readonly pairs?: PairsPlan
  /** By term; undefined for one whose weights are public, and where pairs prove all. */
  readonly terms: readonly (TermPlan | undefined)[]
}

/** Nanoseconds of a proof: a row; a wire whose value is a field element; the same on side B, where it is one of G2, too. */
const nanoseconds = { row: 3300, final: 4400, onB: 9600 } as const

const timeOf = ({ rows, finals, finalsOnB }: SecretCost): number =>
  rows * nanoseconds.row + finals * nanoseconds.final + finalsOnB * nanoseconds.onB

const cheaper = <Plan extends { readonly cost: SecretCost }>(one: Plan, other: Plan | undefined): Plan =>
  other && timeOf(other.cost) < timeOf(one.cost) ? other : one

const magnitudeOf = (window: Window): number => Math.max(-window.lo, topOf(window))

/** Uses of weights in a map. */
function usesOf(map: LinearMap): number {
  if (map.kind === "sparse") return map.columns.length
  if (map.kind === "dense") return map.n * map.m * map.k
  let reads = 1
  for (const axis of banksOf(map)[0].axes) {
    let own = 0
    for (let p = 0; p < axis.out; p++)
      for (let b = 0; b < axis.kernel; b++) {
        const coordinate = p * axis.stride + b * axis.dilation - axis.pad
        if (coordinate >= 0 && coordinate < axis.size) own++
      }
    reads *= own
  }
  return (reads * map.n * map.outChannels * map.inChannels) / map.groups
}

/** What a term takes as products: a row for each, and one for each element that they are summed to. */
const productsPlan = (map: LinearMap, elements: number): TermPlan => ({
  form: "products",
  cost: { rows: usesOf(map) + elements, finals: 0, finalsOnB: 0 },
})

/** What a term takes as windows; `powers`: exponents that are there already, and that this adds. */
function windowsPlan(
  map: LinearMap,
  source: Interval,
  powers: Set<number>,
  options: Omit<Slots, "block">,
): TermPlan | undefined {
  const banks = banksOf(map).map((bank): BankPlan => ({ bank, slots: slotsOf(bank, options) }))
  if (banks.length === 0) return undefined
  let [rows, finals, wires] = [0, 0, 0]
  const onB = new Set<number>()
  const x: Sum = { wires: [0], coefficients: [1] }
  const sink = {
    power(exponent: number, steps: readonly number[]): number {
      for (const [made] of powersTo(exponent, (e) => powers.has(e), steps)) {
        powers.add(made)
        rows++
        finals++
      }
      return -exponent
    },
    product(_: Sum, b: Sum): number {
      rows++
      finals++
      for (const wire of b.wires) if (wire > 0) onB.add(wire)
      return ++wires
    },
    equation(_: Sum, b: Sum): void {
      rows++
      for (const wire of b.wires) if (wire > 0) onB.add(wire)
    },
  }
  for (const { bank, slots } of banks) {
    const of = {
      x: (element: number) => (isZero(source, element) ? undefined : x),
      weight: () => 0,
      y: () => 0,
      constant: () => 0,
      products: () => x,
    }
    if (!emitWindows(bank, slots, of, sink)) return undefined
  }
  return { form: "windows", banks, cost: { rows, finals, finalsOnB: onB.size } }
}

/** Limbs of what the products of paired outputs come to: the low one has so many bits. */
export const productBits = 26

/** Whether sums of products of weights are exact, and those of outputs in two limbs. */
function pairsFit(
  map: LinearMap,
  window: Window | undefined,
  source: Interval,
): Pick<Slots, "paired" | "pairedOutputs"> {
  const [bank] = banksOf(map)
  if (!bank || !window) return { paired: false, pairedOutputs: false }
  const { outputs, channels, taps } = bank
  const [lo, hi] = hull(source)
  const weight = magnitudeOf(window)
  const output = channels * taps * weight * Math.max(-lo, hi)
  return {
    paired: outputs * weight * weight <= sumLimit,
    pairedOutputs: (outputs * output * output) / 2 ** productBits <= sumLimit,
  }
}

function pairsPlan(graph: IntGraph, node: SecretNode): PairsPlan | undefined {
  const { weights, bias } = node.secret
  const dense = denseTerms(node, weights)
  if (!dense || bias?.count !== dense.m || bias.inner !== 1) return undefined
  const { n, m, columns } = dense
  const constants = constantsBeside(bias, productsOfPairs(dense, weights))
  if (!constants) return undefined
  // every sum that a row has is exact
  let largest = magnitudeOf(constants)
  for (const { term } of columns) {
    const [lo, hi] = hull(graph.tensors[node.terms[term].source])
    const factor = magnitudeOf(node.secret.weights[term] as Window) + Math.max(-lo, hi)
    largest += 2 * factor * factor
  }
  if (!(largest <= sumLimit)) return undefined
  const pairs = Math.floor(columns.length / 2)
  const rows = n * (pairs + m * Math.ceil(columns.length / 2) + m)
  return { form: "pairs", n, m, columns, constants, cost: { rows, finals: 0, finalsOnB: 0 } }
}

/** Window of the constants that a node has one of for each bias: of the biases, or of what pairs leave of them. */
export const constantWindow = ({ node, pairs }: SecretPlan): Window | undefined =>
  pairs ? pairs.constants : node.secret.bias

/** Integers of one node that are range-checked, by the bits of their range. */
function checkedOf(plan: SecretPlan): { bits: number; count: number }[] {
  const { node } = plan
  const checked = node.secret.weights.flatMap((window, t) =>
    window ? [{ bits: window.bits, count: weightCount(node.terms[t].map) }] : [],
  )
  const { bias } = node.secret
  const constants = constantWindow(plan)
  return bias && constants ? [...checked, { bits: constants.bits, count: bias.count }] : checked
}

/** All secret nodes, and the rows that they take beside range checks. */
export interface Secrets {
  readonly plans: ReadonlyMap<LinearNode, SecretPlan>
  readonly rows: number
  /** Integers that are range-checked, by the bits of their range. */
  readonly checked: ReadonlyMap<number, number>
}

const sumOf = (terms: readonly (TermPlan | undefined)[]): SecretCost =>
  terms.reduce(
    (sum, term) => ({
      rows: sum.rows + (term?.cost.rows ?? 0),
      finals: sum.finals + (term?.cost.finals ?? 0),
      finalsOnB: sum.finalsOnB + (term?.cost.finalsOnB ?? 0),
    }),
    { rows: 0, finals: 0, finalsOnB: 0 },
  )

/** Chooses the forms of all secret nodes. */
export function planSecrets(graph: IntGraph): Secrets {
  const plans = new Map<LinearNode, SecretPlan>()
  const checked = new Map<number, number>()
  let powers = new Set([1])
  let rows = 0
  for (const node of graph.nodes) {
    if (!isSecret(node)) continue
    const elements = graph.tensors[node.out].lo.length
    const pairs = pairsPlan(graph, node)
    const added = new Set(powers)
    const terms = node.terms.map(({ map, source }, t) => {
      // of one row pairs are never more
      if (!node.secret.weights[t] || pairs?.n === 1) return undefined
      const fitting = pairsFit(map, node.secret.weights[t], graph.tensors[source])
      const choices = [false, true].map((flat) => {
        const after = new Set(added)
        return { after, windows: windowsPlan(map, graph.tensors[source], after, { ...fitting, flat }) }
      })
      const chosen = choices.reduce(
        (best, { windows }) => cheaper(best, windows),
        productsPlan(map, elements),
      )
      for (const { after, windows } of choices)
        if (chosen === windows) for (const power of after) added.add(power)
      return chosen
    })
    const total = sumOf(terms)
    const isPaired = pairs !== undefined && (pairs.n === 1 || timeOf(pairs.cost) <= timeOf(total))
    const plan: SecretPlan = isPaired ? { node, pairs, terms: terms.map(() => undefined) } : { node, terms }
    rows += isPaired ? pairs.cost.rows : total.rows
    if (!isPaired) powers = added
    plans.set(node, plan)
    for (const { bits, count } of checkedOf(plan)) checked.set(bits, (checked.get(bits) ?? 0) + count)
  }
  return { plans, rows, checked }
}

/** How integers of so many bits are looked up, where range tables of 2^bits rows are there: in these, or one of their own. */
export interface RangeTables {
  readonly own: ReadonlySet<number>
  readonly rows: number
}

/** Widest table that is made for one width of weights. */
const widestOwn = 16

/** The range checks of all secret integers, with a table of 2^bits rows there already. */
export function rangeTables({ checked }: Pick<Secrets, "checked">, bits: number): RangeTables {
  const own = new Set<number>()
  let rows = 0
  for (const [width, count] of checked) {
    const shared = count * lookupsOf(width, bits)
    const alone = count + 2 ** width + 1
    if (width !== bits && width <= widestOwn && alone < shared) {
      own.add(width)
      rows += alone
    } else rows += shared
  }
  return { own, rows }
}
