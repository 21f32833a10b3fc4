/**
 * Which gadget form serves which node under the lookup strategy, and how wide the range table is. Everything
 * is exact for all admissible inputs; what differs is the number of rows, and that is minimised over the
 * whole circuit: forms share tables, so no node can be decided alone.
 */
import { invariant } from "../../errors.js"
import type { RescaleNode } from "../../ops/program.js"
import type { IntGraph } from "../../quantize/integers/intgraph.js"
import {
  argmaxGadget,
  bitLength,
  chosenGadget,
  clampGadget,
  type GadgetUse,
  gadgetKinds,
  quotientGadget,
  rootGadget,
} from "../gadgets/families.js"
import { lookupsOf } from "../gadgets/ranges.js"
import { type Demand, type Form, leastRows, planGroup, type Shared } from "./form-tables.js"
import {
  accumulatorBounds,
  bitForms,
  type Forms,
  NONE,
  type Plan,
  planGadgets,
  steppedTables,
} from "./plan.js"
import { projections } from "./projection.js"
import { packedRows } from "./rows.js"
import { planSecrets, rangeTables } from "./secret.js"
import { sortedRows } from "./sorting.js"

/** Bits of the widest range check: every integer of a model has at most so many. */
const mostBits = 52
/** Range tables of 2^bits rows that are tried. */
const tableBits = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]

/** The chosen plan: forms to give to planGadgets, the table's width, and the rows they predict. */
export interface LookupForms extends Forms {
  readonly tableBits: number
  readonly rows: number
  readonly chosen: ReadonlyMap<RescaleNode, Form>
}

/** Bits of a range check that may be wider than asked, as long as its powers of two are safe integers. */
const roundUp = (width: number, bits: number): number => {
  const wider = Math.max(1, Math.ceil(width / bits)) * bits
  return wider <= mostBits ? wider : width
}

/** The cheapest of gadgets under tables of 2^bits rows. */
const gadgetRows = ({ kind, parameters }: GadgetUse, bits: number): number => {
  const { rows, ranges, members } = kind.lookups(parameters)
  return ranges.reduce((sum, width) => sum + lookupsOf(width, bits), rows + members)
}
const cheapest = (uses: readonly GadgetUse[], bits: number): GadgetUse =>
  uses.reduce((best, use) => (gadgetRows(use, bits) < gadgetRows(best, bits) ? use : best))

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
const argmaxForm = (m: number, b: number, bits: number): GadgetUse => argmaxGadget(m, roundUp(b, bits))

const quotientForm = (least: number, most: number, den: number, bits: number): GadgetUse => {
  const { kind, parameters } = quotientGadget(least, most, den)
  const [b, n, lo] = parameters
  return { kind, parameters: [roundUp(b, bits), roundUp(n, bits), lo] }
}
const rootForm = (square: number, bits: number): GadgetUse => {
  const { kind, parameters } = rootGadget(square)
  return { kind, parameters: [roundUp(parameters[0], bits)] }
}

/** The tables of values take the same columns for every width of the range table; only checks may be wider than asked. */
const belowForm = (shift: number, values: readonly number[], bits: number): GadgetUse => {
  const b = roundUp(bitLength(Math.max(...values)), bits)
  const m = values.length
  return { kind: gadgetKinds.Below, parameters: [shift, m, b, bitLength(m) + 1, ...values] }
}

const stepForm = (shift: number, values: readonly number[], bits: number): GadgetUse => ({
  kind: gadgetKinds.Step,
  parameters: belowForm(shift, values, bits).parameters,
})

const entryForm = (values: readonly number[], bits: number): GadgetUse => {
  const b = roundUp(bitLength(Math.max(...values)), bits)
  return { kind: gadgetKinds.Entry, parameters: [values.length, b, bitLength(values.length - 1), ...values] }
}

const thresholdForm = ({ kind, parameters: [shift, n] }: GadgetUse, bits: number): GadgetUse => ({
  kind,
  parameters: [shift, roundUp(n, bits)],
})

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
  if (simple.kind === gadgetKinds.Threshold) return thresholdForm(simple, bits)
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

function demandOf(graph: IntGraph, node: RescaleNode): Demand {
  const { bits, shift } = node
  let [magnitude, above, below] = [0, 0, 0]
  // only bits of either end decide, and whether the window holds it
  const kinds = new Map<number, { least: number; most: number; count: number }>()
  for (let i = 0; i < graph.tensors[node.out].lo.length; i++) {
    const [min, max] = accumulatorBounds(graph, node, i)
    if (typeof clampGadget(shift, bits, min, max) === "number") continue
    const [least, most] = [Math.floor(min / 2 ** shift), Math.floor(max / 2 ** shift)]
    magnitude = Math.max(magnitude, -min, max)
    above = Math.max(above, most - 2 ** bits + 1)
    below = Math.max(below, -least)
    const ends = 64 * bitLength(Math.max(0, most)) + (least < 0 ? 1 + bitLength(-least) : 0)
    const kind = 2 * ends + (most < 2 ** bits ? 1 : 0)
    const same = kinds.get(kind)
    if (same === undefined) kinds.set(kind, { least, most, count: 1 })
    else same.count++
  }
  return { node, bits, shift, magnitude, above, below, elements: [...kinds.values()] }
}

/** Whether a node has a form: of a rescale to one bit nothing is wanted but the sign. */
const hasForms = ({ bits }: RescaleNode): boolean => bits > 1

/** Gadgets of all nodes that have no forms, with what they need as the bit strategy would ask for it. */
function otherGadgets(
  graph: IntGraph,
  projected: Plan["projected"],
  stepped: Plan["stepped"],
): { count: number; use: GadgetUse }[] {
  const table = (values: Float64Array) => ({ kind: gadgetKinds.Entry, parameters: [0, 0, 0, ...values] })
  const clamp: Forms["clamp"] = (node, min, max) => (hasForms(node) ? 0 : bitForms.clamp(node, min, max))
  const below = (shift: number, values: Float64Array) => ({
    kind: gadgetKinds.Below,
    parameters: [shift, 0, 0, 0, ...values],
  })
  const step = (shift: number, values: Float64Array) => ({
    kind: gadgetKinds.Step,
    parameters: [shift, 0, 0, 0, ...values],
  })
  const widen = (bits: number) => bits
  const plan = planGadgets(graph, { ...bitForms, clamp, table, below, step, projected, stepped, widen })
  const counts = new Array<number>(plan.uses.length).fill(0)
  for (const [{ kind }, { uses }] of plan.nodes)
    if (kind !== "rows") for (const use of uses) if (use !== NONE) counts[use]++
  return plan.uses.map((use, i) => ({ count: counts[i], use }))
}

/** Rows of so many gadgets that are no clamp, in the forms that tables of 2^bits rows suggest. */
function otherRows(use: GadgetUse, count: number, bits: number): number {
  const { kind, parameters } = use
  const [m, b] = parameters
  if (kind === gadgetKinds.Max) return count * gadgetRows(maxForm(m, b, bits), bits)
  if (kind === gadgetKinds.Argmax || kind === gadgetKinds.Position)
    return count * gadgetRows(argmaxForm(m, b, bits), bits)
  if (kind === gadgetKinds.Beyond || kind === gadgetKinds.Rest)
    return count * gadgetRows({ kind, parameters: [roundUp(m, bits), ...parameters.slice(1)] }, bits)
  if (kind === gadgetKinds.Threshold) return count * gadgetRows(thresholdForm(use, bits), bits)
  if (kind === gadgetKinds.Quotient || kind === gadgetKinds.Root) {
    const widened = parameters.map((width, i) => (i < 2 ? roundUp(width, bits) : width))
    return count * gadgetRows({ kind, parameters: widened }, bits)
  }
  if (kind === gadgetKinds.Below || kind === gadgetKinds.Step) {
    const [shift, , , , ...values] = parameters
    // as many rows in either form
    return count * gadgetRows(belowForm(shift, values, bits), bits) + values.length + 1
  }
  if (kind !== gadgetKinds.Entry) return count * gadgetRows(use, bits)
  const entries = parameters.slice(3)
  // the table's own rows: its entries and their sum
  return count * gadgetRows(entryForm(entries, bits), bits) + entries.length + 1
}

/** Chooses table width and forms with the fewest rows. */
export function lookupForms(graph: IntGraph, widths: readonly number[] = tableBits): LookupForms {
  const stepped = steppedTables(graph)
  const merged = new Set(stepped.values())
  const demands = graph.nodes.flatMap((node) =>
    node.kind === "rescale" && !merged.has(node) ? [demandOf(graph, node)] : [],
  )
  const projection = projections(graph)
  const secrets = planSecrets(graph)
  const others = otherGadgets(graph, projection.chosen, stepped)
  const groups = new Map<number, Demand[]>()
  for (const demand of demands) {
    if (demand.elements.length === 0 || !hasForms(demand.node)) continue
    groups.set(demand.bits, [...(groups.get(demand.bits) ?? []), demand])
  }
  const common = projection.rows + sortedRows(graph) + secrets.rows
  /** Rows under tables of 2^bits rows, but for those of forms. */
  const fixedRows = (bits: number): number => {
    const packed = packedRows(graph, (width) => roundUp(width, bits), bits)
    const rest = others.reduce((sum, { count, use }) => sum + otherRows(use, count, bits), 0)
    return 2 ** bits + 1 + common + rangeTables(secrets, bits).rows + packed + rest
  }
  const tried = widths.map((bits) => {
    const fixed = fixedRows(bits)
    const least = [...groups.values()].reduce((sum, group) => sum + leastRows(group, bits), fixed)
    return { bits, fixed, least }
  })
  const planWith = ({ bits, fixed }: (typeof tried)[number]) => {
    const plans = new Map(Array.from(groups, ([w, group]) => [w, planGroup(group, bits)]))
    return { bits, rows: [...plans.values()].reduce((sum, plan) => sum + plan.rows, fixed), plans }
  }
  // the most promising width rules out most others; of those as good, the first is taken
  const near = planWith(tried.reduce((best, next) => (next.least < best.least ? next : best)))
  const best = tried
    .filter(({ least }) => least <= near.rows)
    .map((width) => (width.bits === near.bits ? near : planWith(width)))
    .reduce((one, other) => (other.rows < one.rows ? other : one))
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
    projected: projection.chosen,
    secrets,
    widen: (width) => roundUp(width, bits),
    clamp(node, min, max) {
      const demand = byNode.get(node)
      invariant(demand, `node ${node.origin.name} was not planned`)
      const form = chosen.get(node) ?? { name: "excess" }
      return clampForm(demand, form, plans.get(node.bits)?.shared ?? { gated: [] }, bits, min, max)
    },
    max: (m, b) => maxForm(m, b, bits),
    argmax: (m, b) => argmaxForm(m, b, bits),
    pick: chosenGadget,
    below: (shift, values) => belowForm(shift, [...values], bits),
    quotient: (least, most, den) => quotientForm(least, most, den, bits),
    root: (square) => rootForm(square, bits),
    table: (values) => entryForm([...values], bits),
    step: (shift, values) => stepForm(shift, [...values], bits),
    stepped,
  }
}
