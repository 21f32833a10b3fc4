/**
 * Which gadget form serves which node under the lookup strategy, and how wide the range table is. Everything
 * is exact for all admissible inputs; what differs is the number of rows, and that is minimised over the
 * whole circuit: forms share tables, so no node can be decided alone.
 */
import { invariant } from "../errors.js"
import type { RescaleNode } from "../ops/program.js"
import type { IntGraph } from "../quantize/intgraph.js"
import { bitLength, clampGadget, type GadgetUse, gadgetKinds } from "./gadgets.js"
import { accumulatorBounds, bitForms, type Forms, NONE, planGadgets } from "./plan.js"
import { lookupsOf } from "./ranges.js"

/** Range tables of 2^bits rows that are tried. */
const tableBits = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
/** Most digits or limbs of a form. */
const maxDigits = 3
/** Thresholds per side of a shared table; more distinct needs than this are thinned. */
const maxThresholds = 12
/** Entries and accumulators stay exact in doubles. */
const exact = 2 ** 52

/** What a rescale node asks for. */
interface Demand {
  readonly node: RescaleNode
  readonly bits: number
  readonly shift: number
  /** Largest |acc|, and how far the quotient can leave the window above and below. */
  readonly magnitude: number
  readonly above: number
  readonly below: number
  /** Elements that are not constant, by their interval of quotients. */
  readonly elements: readonly { readonly least: number; readonly most: number }[]
}

/** A node's form. `digits`: digits of `signed`, limbs below the table's step of `gated`. */
export type Form =
  | { readonly name: "excess" }
  | { readonly name: "gated"; readonly digits: number }
  | { readonly name: "signed"; readonly digits: number }

/** Tables that forms of one output width share: one for all signed forms, one for gated forms of each number of limbs. */
interface Shared {
  readonly signed?: SignedTable
  readonly gated: readonly GatedTable[]
}
interface SignedTable {
  readonly x: number
  readonly y: number
  readonly j: number
}
interface GatedTable {
  readonly digits: number
  readonly a: number
  readonly b: number
  readonly j: number
}
/** A table that could be made: its rows, and those of each demand in a form that uses it. */
interface Offer<T> {
  readonly table: T
  readonly size: number
  readonly rows: readonly number[]
  readonly forms: readonly Form[]
}

/** The chosen plan: forms to give to planGadgets, the table's width, and the rows they predict. */
export interface LookupForms extends Forms {
  readonly tableBits: number
  readonly rows: number
  readonly chosen: ReadonlyMap<RescaleNode, Form>
}

/** Lookups of a range check that may be wider than asked. */
const loosely = (width: number, bits: number): number => Math.ceil(width / bits)
const roundUp = (width: number, bits: number): number => Math.max(1, Math.ceil(width / bits)) * bits

/** The cheapest of gadgets under tables of 2^bits rows. */
const rowsOf = ({ kind, parameters }: GadgetUse, bits: number): number => {
  const { rows, ranges, members } = kind.lookups(parameters)
  return ranges.reduce((sum, width) => sum + lookupsOf(width, bits), rows + members)
}
const cheapest = (uses: readonly GadgetUse[], bits: number): GadgetUse =>
  uses.reduce((best, use) => (rowsOf(use, bits) < rowsOf(best, bits) ? use : best))

const maxForm = (m: number, b: number, bits: number): GadgetUse => {
  const parameters = [m, roundUp(b, bits)]
  return cheapest(
    [
      { kind: gadgetKinds.Largest, parameters },
      { kind: gadgetKinds.Max, parameters },
    ],
    bits,
  )
}
const argmaxForm = (m: number, b: number, bits: number): GadgetUse => ({
  kind: gadgetKinds.Argmax,
  parameters: [m, roundUp(b, bits)],
})

const entryForm = (values: readonly number[], bits: number): GadgetUse => {
  const b = roundUp(bitLength(Math.max(...values)), bits)
  return { kind: gadgetKinds.Entry, parameters: [values.length, b, bitLength(values.length - 1), ...values] }
}

/** The gadget of one element whose node has a form, or the constant it always gives. */
function clampForm(
  demand: Demand,
  form: Form,
  shared: Shared,
  bits: number,
  min: number,
  max: number,
): GadgetUse | number {
  const { shift, bits: w } = demand
  const simple = clampGadget(shift, w, min, max)
  if (typeof simple === "number") return simple
  const least = Math.floor(min / 2 ** shift)
  const most = Math.floor(max / 2 ** shift)
  if (simple.kind === gadgetKinds.Truncate) {
    return { kind: gadgetKinds.Truncate, parameters: [shift, roundUp(bitLength(most), bits)] }
  }
  const own = formUse(demand, form, shared, bits)
  if (most > 2 ** w - 1) return own
  const n = roundUp(bitLength(most), bits)
  const e = roundUp(bitLength(-least), bits)
  return cheapest([own, { kind: gadgetKinds.Complement, parameters: [shift, n, e] }], bits)
}

function formUse({ shift, bits: w, ...demand }: Demand, form: Form, shared: Shared, bits: number): GadgetUse {
  if (form.name === "excess") {
    const e = roundUp(bitLength(Math.max(demand.above, demand.below)), bits)
    return { kind: gadgetKinds.Excess, parameters: [shift, w, e] }
  }
  if (form.name === "gated") {
    const table = shared.gated.find(({ digits }) => digits === form.digits)
    invariant(table, "a gated form has a table")
    const { a, b, j } = table
    return { kind: gadgetKinds.Gated, parameters: [shift, w, bits * form.digits, a, b, j] }
  }
  invariant(shared.signed, "a signed form has a table")
  const { x, y, j } = shared.signed
  return { kind: gadgetKinds.Signed, parameters: [shift, w, form.digits, x, y, j] }
}

/** Rows of a demand as a function of what an element costs in the node's form. */
function demandRows({ shift, bits: w, elements }: Demand, bits: number): (own: number) => number {
  const lo = lookupsOf(shift, bits)
  let fixed = 0
  /** Elements by the rows of the form that they can take instead. */
  const others = new Map<number, number>()
  for (const { least, most } of elements) {
    const n = Math.max(1, loosely(bitLength(Math.max(0, most)), bits))
    if (least >= 0 && most < 2 ** w) fixed += lo + n
    else {
      const instead =
        most < 2 ** w ? lo + n + Math.max(1, loosely(bitLength(-least), bits)) + 1 : Number.POSITIVE_INFINITY
      others.set(instead, (others.get(instead) ?? 0) + 1)
    }
  }
  return (own) => {
    let total = fixed
    for (const [instead, count] of others) total += Math.min(own, instead) * count
    return total
  }
}

/** Least digits in base 2^w, each up to `digit`, that reach `distance`. Infinity if more than allowed. */
function digitsFor(distance: number, digit: number, w: number): number {
  const base = 2 ** w
  for (let n = 1; n <= maxDigits; n++) {
    if (n > 1 && digit < base - 1) break
    if (distance <= digit * base ** (n - 1) + base ** (n - 1) - 1) return n
  }
  return Number.POSITIVE_INFINITY
}

/** Candidate sizes of one side of a signed table: what one, two, … digits of each demand need. */
function digitThresholds(distances: readonly number[], w: number): number[] {
  const base = 2 ** w
  const sizes = new Set([0])
  for (const distance of distances) {
    sizes.add(distance)
    for (let n = 2; n <= maxDigits; n++)
      sizes.add(Math.max(base - 1, Math.ceil((distance + 1) / base ** (n - 1)) - 1))
  }
  return thin([...sizes].sort((p, q) => p - q))
}

function thin(sorted: readonly number[]): number[] {
  if (sorted.length <= maxThresholds) return [...sorted]
  return Array.from(
    { length: maxThresholds },
    (_, i) => sorted[Math.round((i * (sorted.length - 1)) / (maxThresholds - 1))],
  )
}

/** Least j with 2^(scale + j) > bound. */
const exponent = (bound: number, scale: number): number => {
  let j = 0
  while (2 ** (scale + j) <= bound) j++
  return j
}

/** j that the header of signed.circom asks for. */
const signedExponent = ({ shift, bits: w, magnitude }: Demand, x: number, y: number, n: number): number => {
  const digits = (2 ** (w * n) - 1) / (2 ** w - 1)
  return exponent(magnitude + 2 ** (shift + w) + 2 ** shift * Math.max(x, y) * digits, shift)
}
/** j that the header of gated.circom asks for. */
const gatedExponent = ({ shift, bits: w, magnitude }: Demand, a: number, b: number, low: number): number =>
  exponent(magnitude + 2 ** shift * (2 ** w + 2 ** low) + 2 ** (shift + low) * Math.max(a, b), shift + low)

interface GroupPlan {
  readonly rows: number
  readonly shared: Shared
  readonly forms: readonly Form[]
}

/** The best forms of all demands with one output width, under a range table of 2^bits rows. */
function planGroup(demands: readonly Demand[], bits: number): GroupPlan {
  const w = demands[0].bits
  const base = (demand: Demand) => lookupsOf(demand.shift, bits) + lookupsOf(w, bits)
  const cost = demands.map((demand) => demandRows(demand, bits))
  const excess = demands.map((demand, i) => {
    const e = Math.max(1, loosely(bitLength(Math.max(demand.above, demand.below)), bits))
    return cost[i](base(demand) + e + 2)
  })
  const xs = digitThresholds(
    demands.map((d) => d.above),
    w,
  )
  const ys = digitThresholds(
    demands.map((d) => d.below),
    w,
  )
  const signed: Offer<SignedTable>[] = []
  for (const x of xs) {
    for (const y of ys) {
      let j = 0
      const digits = demands.map((demand) => {
        const n = Math.max(digitsFor(demand.above, x, w), digitsFor(demand.below, y, w))
        if (n > 1 && Math.min(x, y) < 2 ** w - 1) return Number.POSITIVE_INFINITY
        if (!Number.isFinite(n)) return n
        const needed = signedExponent(demand, x, y, n)
        if (2 ** (needed + w + demand.shift) >= exact) return Number.POSITIVE_INFINITY
        j = Math.max(j, needed)
        return n
      })
      signed.push({
        table: { x, y, j },
        size: 2 ** w + x + y + 1,
        rows: demands.map((demand, i) =>
          Number.isFinite(digits[i]) ? cost[i](base(demand) + digits[i]) : Number.POSITIVE_INFINITY,
        ),
        forms: digits.map((n) => ({ name: "signed", digits: n })),
      })
    }
  }
  const gated = Array.from({ length: maxDigits }, (_, d) => {
    const digits = d + 1
    const step = 2 ** (bits * digits)
    const as = thin([...new Set(demands.map((d) => Math.ceil(d.below / step)))].sort((p, q) => p - q))
    const bs = thin([...new Set(demands.map((d) => Math.floor(d.above / step) + 1))].sort((p, q) => p - q))
    return as.flatMap((a) =>
      bs.map((b): Offer<GatedTable> => {
        let j = 0
        const rows = demands.map((demand, i) => {
          if (demand.below > a * step || demand.above >= b * step) return Number.POSITIVE_INFINITY
          const needed = gatedExponent(demand, a, b, bits * digits)
          if (2 ** (needed + w + bits * digits + demand.shift) >= exact) return Number.POSITIVE_INFINITY
          j = Math.max(j, needed)
          return cost[i](base(demand) + digits + 2)
        })
        const forms = demands.map((): Form => ({ name: "gated", digits }))
        return { table: { digits, a, b, j }, size: a + b + 1, rows, forms }
      }),
    )
  })
  const plain: Choice = { rows: excess, forms: demands.map(() => ({ name: "excess" })) }
  let best: GroupPlan | undefined
  for (const offer of [undefined, ...signed]) {
    const start = offer ? taking(plain, offer) : plain
    const before = sum(start.rows) + (offer?.size ?? 0)
    const { tables, saved } = worthwhile(start.rows, gated, best ? before - best.rows : 0)
    const rows = before - saved
    if (best && rows >= best.rows) continue
    const { forms } = tables.reduce<Choice>(taking, start)
    const shared = { gated: tables.map(({ table }) => table), ...(offer ? { signed: offer.table } : {}) }
    best = { rows, shared, forms }
  }
  invariant(best, "there is always a plan")
  return best
}

/** Rows and form of each demand. */
interface Choice {
  readonly rows: readonly number[]
  readonly forms: readonly Form[]
}

/** Every demand in the better one of the form it has and the one that a table offers. */
function taking(choice: Choice, offer: Choice): Choice {
  return {
    rows: choice.rows.map((rows, i) => Math.min(rows, offer.rows[i])),
    forms: choice.forms.map((form, i) => (offer.rows[i] < choice.rows[i] ? offer.forms[i] : form)),
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

/**
 * At most one table of each list, so that as many rows as possible are saved, if more than `least` can be.
 * Beside other tables a table saves at most what it saves alone, so one that is not worth its own rows is dropped,
 * and so is what could not save more than has been found already: the result is still the best of all.
 */
function worthwhile<T>(
  rows: readonly number[],
  [list, ...others]: readonly (readonly Offer<T>[])[],
  least: number,
): { tables: readonly Offer<T>[]; saved: number } {
  if (!list) return { tables: [], saved: 0 }
  const gain = (offer: Offer<T>) =>
    rows.reduce((saved, r, i) => saved + Math.max(0, r - offer.rows[i]), -offer.size)
  const gains = (offers: readonly Offer<T>[]) =>
    offers
      .map((offer) => ({ offer, alone: gain(offer) }))
      .filter(({ alone }) => alone > 0)
      .sort((p, q) => q.alone - p.alone)
  const rest = sum(others.map((offers) => gains(offers)[0]?.alone ?? 0))
  let best: { tables: readonly Offer<T>[]; saved: number } = { tables: [], saved: 0 }
  for (const { offer, alone } of [...gains(list), { offer: undefined, alone: 0 }]) {
    const goal = Math.max(least, best.saved)
    if (alone + rest <= goal) continue
    const after = offer ? rows.map((r, i) => Math.min(r, offer.rows[i])) : rows
    const { tables, saved } = worthwhile(after, others, goal - alone)
    if (alone + saved > best.saved)
      best = { tables: offer ? [offer, ...tables] : tables, saved: alone + saved }
  }
  return best
}

function demandOf(graph: IntGraph, node: RescaleNode): Demand {
  const { bits, shift } = node
  let [magnitude, above, below] = [0, 0, 0]
  const elements: { least: number; most: number }[] = []
  for (let i = 0; i < graph.tensors[node.out].lo.length; i++) {
    const [min, max] = accumulatorBounds(graph, node, i)
    if (typeof clampGadget(shift, bits, min, max) === "number") continue
    const [least, most] = [Math.floor(min / 2 ** shift), Math.floor(max / 2 ** shift)]
    magnitude = Math.max(magnitude, -min, max)
    above = Math.max(above, most - 2 ** bits + 1)
    below = Math.max(below, -least)
    elements.push({ least, most })
  }
  return { node, bits, shift, magnitude, above, below, elements }
}

/** Gadgets of all nodes but the rescales, with what they need as the bit strategy would ask for it. */
function otherGadgets(graph: IntGraph): { count: number; use: GadgetUse }[] {
  const table = (values: Float64Array) => ({ kind: gadgetKinds.Entry, parameters: [0, 0, 0, ...values] })
  const plan = planGadgets(graph, { ...bitForms, clamp: () => 0, table })
  const counts = new Array<number>(plan.uses.length).fill(0)
  for (const { uses } of plan.nodes.values()) for (const use of uses) if (use !== NONE) counts[use]++
  return plan.uses.map((use, i) => ({ count: counts[i], use }))
}

/** Chooses table width and forms with the fewest rows. */
export function lookupForms(graph: IntGraph, widths: readonly number[] = tableBits): LookupForms {
  const demands = graph.nodes.flatMap((node) => (node.kind === "rescale" ? [demandOf(graph, node)] : []))
  const others = otherGadgets(graph)
  const groups = new Map<number, Demand[]>()
  for (const demand of demands) {
    if (demand.elements.length === 0) continue
    groups.set(demand.bits, [...(groups.get(demand.bits) ?? []), demand])
  }
  let best: { bits: number; rows: number; plans: Map<number, GroupPlan> } | undefined
  for (const bits of widths) {
    let rows = 2 ** bits + 1
    for (const { count, use } of others) {
      const { kind, parameters } = use
      let form = use
      if (kind === gadgetKinds.Max) form = maxForm(parameters[0], parameters[1], bits)
      if (kind === gadgetKinds.Argmax) form = argmaxForm(parameters[0], parameters[1], bits)
      if (kind === gadgetKinds.Entry) {
        form = entryForm(parameters.slice(3), bits)
        rows += parameters.length - 3 + 1 // entries and their sum
      }
      rows += count * rowsOf(form, bits)
    }
    const plans = new Map<number, GroupPlan>()
    for (const [w, group] of groups) {
      const plan = planGroup(group, bits)
      plans.set(w, plan)
      rows += plan.rows
    }
    if (best === undefined || rows < best.rows) best = { bits, rows, plans }
  }
  invariant(best, "there is always a table width")
  const { bits, rows, plans } = best
  const chosen = new Map<RescaleNode, Form>()
  for (const [w, group] of groups) {
    group.forEach((demand, i) => {
      chosen.set(demand.node, plans.get(w)?.forms[i] ?? { name: "excess" })
    })
  }
  const byNode = new Map(demands.map((demand) => [demand.node, demand]))
  return {
    tableBits: bits,
    rows,
    chosen,
    clamp(node, min, max) {
      const demand = byNode.get(node)
      invariant(demand, `node ${node.origin.name} was not planned`)
      const form = chosen.get(node) ?? { name: "excess" }
      return clampForm(demand, form, plans.get(node.bits)?.shared ?? { gated: [] }, bits, min, max)
    },
    max: (m, b) => maxForm(m, b, bits),
    argmax: (m, b) => argmaxForm(m, b, bits),
    table: (values) => entryForm([...values], bits),
  }
}
