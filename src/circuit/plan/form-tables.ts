/**
 * The forms of rescale nodes with one output width, and the tables they share: which tables are worth their rows, and
 * who uses them. Exact: for a range table of given width no other choice has fewer rows. Tables are as large as some
 * demand asks for, so there are finitely many; what cannot be the best is known from its rows and from what any tables
 * beside it could save, without looking for these.
 */
import { invariant } from "../../errors.js"
import type { RescaleNode } from "../../ops/program.js"
import { bitLength } from "../gadgets/families.js"
import { lookupsOf } from "../gadgets/ranges.js"

/** Most digits or limbs of a form. */
const maxDigits = 3
/** Entries and accumulators stay exact in doubles. */
const exact = 2 ** 52

/** What a rescale node asks for. */
export interface Demand {
  readonly node: RescaleNode
  readonly bits: number
  readonly shift: number
  /** Largest |acc|, and how far the quotient can leave the window above and below. */
  readonly magnitude: number
  readonly above: number
  readonly below: number
  /** Elements that are not constant, by their interval of quotients; as many stand for one where forms see no difference. */
  readonly elements: readonly { readonly least: number; readonly most: number; readonly count: number }[]
}

/** A node's form. `digits`: digits of `signed`, limbs below the table's step of `gated`. */
export type Form =
  | { readonly name: "excess" }
  | { readonly name: "gated"; readonly digits: number }
  | { readonly name: "signed"; readonly digits: number }

/** Tables that forms of one output width share: one for all signed forms, one for gated forms of each number of limbs. */
export interface Shared {
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

/** Lookups of a range check that may be wider than asked. */
const loosely = (width: number, bits: number): number => Math.ceil(width / bits)

/** Rows of a demand as a function of what an element costs in the node's form. */
function demandRows({ shift, bits: w, elements }: Demand, bits: number): (own: number) => number {
  const lo = lookupsOf(shift, bits)
  let fixed = 0
  /** Elements by the rows of the form that they can take instead. */
  const others = new Map<number, number>()
  for (const { least, most, count } of elements) {
    const n = Math.max(1, loosely(bitLength(Math.max(0, most)), bits))
    if (least >= 0 && most < 2 ** w) fixed += count * (lo + n)
    else {
      const instead =
        most < 2 ** w ? lo + n + Math.max(1, loosely(bitLength(-least), bits)) + 1 : Number.POSITIVE_INFINITY
      others.set(instead, (others.get(instead) ?? 0) + count)
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
  return [...sizes].sort((p, q) => p - q)
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

/** Tables, and the form of each demand. */
export interface GroupPlan {
  readonly rows: number
  readonly shared: Shared
  readonly forms: readonly Form[]
}

/** Demands with one output width w under a range table of 2^bits rows. */
interface Group {
  readonly demands: readonly Demand[]
  readonly w: number
  readonly bits: number
  /** Rows of demand i in a form that takes `extra` of an element, besides the range checks that every form has. */
  readonly rows: (i: number, extra: number) => number
}

/** A function of two small numbers that remembers what it said. */
function remembering(f: (i: number, extra: number) => number): (i: number, extra: number) => number {
  const known: number[][] = []
  return (i, extra) => {
    known[i] ??= []
    known[i][extra] ??= f(i, extra)
    return known[i][extra]
  }
}

function groupOf(demands: readonly Demand[], bits: number): Group {
  const w = demands[0].bits
  const costs = demands.map((demand) => demandRows(demand, bits))
  const common = demands.map(({ shift }) => lookupsOf(shift, bits) + lookupsOf(w, bits))
  return { demands, w, bits, rows: remembering((i, extra) => costs[i](common[i] + extra)) }
}

/** The form that needs no table. */
const plainChoice = ({ demands, bits, rows }: Group): Choice => ({
  rows: demands.map(({ above, below }, i) =>
    rows(i, Math.max(1, loosely(bitLength(Math.max(above, below)), bits)) + 2),
  ),
  forms: demands.map(() => ({ name: "excess" })),
})

/** A signed table that may be worth its rows, and what no plan with it is below. */
interface Candidate {
  readonly least: number
  readonly offer: () => Offer<SignedTable> | undefined
}

/** No signed table, and every one that may be worth its rows; `gates`: the fewest rows of each demand without one. */
function candidates(group: Group, gates: readonly number[]): Candidate[] {
  const { demands, w, rows } = group
  const none = maxDigits + 1
  /** Sizes of a side, and the digits that each demand then needs. */
  const sideOf = (side: "above" | "below") => {
    const distances = demands.map((demand) => demand[side])
    return digitThresholds(distances, w).map((size) => {
      const digits = Uint8Array.from(distances, (distance) => Math.min(none, digitsFor(distance, size, w)))
      return { size, digits }
    })
  }
  const known = demands.map((_, i) => Array.from({ length: none }, (_, n) => rows(i, n)))
  const [xs, ys] = [sideOf("above"), sideOf("below")]
  const found: Candidate[] = [{ least: sum(gates), offer: () => undefined }]
  for (const x of xs)
    for (const y of ys) {
      // digits in base 2^w need all of them, on both sides
      const most = Math.min(x.size, y.size) < 2 ** w - 1 ? 1 : maxDigits
      const digitsOf = (i: number) => {
        const n = Math.max(x.digits[i], y.digits[i])
        return n <= most ? n : Number.POSITIVE_INFINITY
      }
      let least = 2 ** w + x.size + y.size + 1
      for (let i = 0; i < gates.length; i++) {
        const n = Math.max(x.digits[i], y.digits[i])
        least += n <= most && known[i][n] < gates[i] ? known[i][n] : gates[i]
      }
      found.push({ least, offer: () => signedOffer(group, x.size, y.size, digitsOf) })
    }
  return found
}

/** `digitsOf`: how many digits demand i needs with this table, infinity if it reaches too far. */
function signedOffer(
  { demands, w, rows }: Group,
  x: number,
  y: number,
  digitsOf: (i: number) => number,
): Offer<SignedTable> {
  let j = 0
  const digits = demands.map((demand, i) => {
    const n = digitsOf(i)
    if (!Number.isFinite(n)) return n
    const needed = signedExponent(demand, x, y, n)
    if (2 ** (needed + w + demand.shift) >= exact) return Number.POSITIVE_INFINITY
    j = Math.max(j, needed)
    return n
  })
  return {
    table: { x, y, j },
    size: 2 ** w + x + y + 1,
    rows: digits.map((n, i) => (Number.isFinite(n) ? rows(i, n) : Number.POSITIVE_INFINITY)),
    forms: digits.map((n) => ({ name: "signed", digits: n })),
  }
}

/** Every gated table of so many limbs that may be worth its rows. */
function gatedOffers({ demands, w, bits, rows: rowsWith }: Group, digits: number): Offer<GatedTable>[] {
  const step = 2 ** (bits * digits)
  const as = [...new Set(demands.map((d) => Math.ceil(d.below / step)))].sort((p, q) => p - q)
  const bs = [...new Set(demands.map((d) => Math.floor(d.above / step) + 1))].sort((p, q) => p - q)
  const offer = (a: number, b: number): Offer<GatedTable> => {
    let j = 0
    const rows = demands.map((demand, i) => {
      if (demand.below > a * step || demand.above >= b * step) return Number.POSITIVE_INFINITY
      const needed = gatedExponent(demand, a, b, bits * digits)
      if (2 ** (needed + w + bits * digits + demand.shift) >= exact) return Number.POSITIVE_INFINITY
      j = Math.max(j, needed)
      return rowsWith(i, digits + 2)
    })
    const forms = demands.map((): Form => ({ name: "gated", digits }))
    return { table: { digits, a, b, j }, size: a + b + 1, rows, forms }
  }
  return as.flatMap((a) => bs.map((b) => offer(a, b)))
}

/** No forms and tables of these demands have fewer rows: one digit a form and a least table, or three checks. */
export function leastRows(demands: readonly Demand[], bits: number): number {
  const { w, rows } = groupOf(demands, bits)
  const all = (extra: number) => sum(demands.map((_, i) => rows(i, extra)))
  return Math.min(all(1) + 2 ** w + 1, all(3))
}

/** The best forms of all demands with one output width, under a range table of 2^bits rows. */
export function planGroup(demands: readonly Demand[], bits: number): GroupPlan {
  const group = groupOf(demands, bits)
  const gated = Array.from({ length: maxDigits }, (_, d) => gatedOffers(group, d + 1))
  const plain = plainChoice(group)
  /** The fewest rows of each demand that any gated table gives it. */
  const gates = plain.rows.map((rows, i) => Math.min(rows, ...gated.flatMap((offers) => leastOf(offers, i))))
  /** The best plan with an offer, if it has fewer rows than that. */
  const planWith = (offer: Offer<SignedTable> | undefined, fewerThan: number): GroupPlan | undefined => {
    const start = offer ? taking(plain, offer) : plain
    const before = sum(start.rows) + (offer?.size ?? 0)
    const { tables, saved } = worthwhile(start.rows, gated, Math.max(0, before - fewerThan))
    const rows = before - saved
    if (rows >= fewerThan) return undefined
    const { forms } = tables.reduce<Choice>(taking, start)
    const shared = { gated: tables.map(({ table }) => table), ...(offer ? { signed: offer.table } : {}) }
    return { rows, shared, forms }
  }
  // one that is nearly the best rules out nearly all others; of those as good, the first is taken
  const all = candidates(group, gates)
  const promising = all.reduce((one, other) => (other.least < one.least ? other : one))
  const near = planWith(promising.offer(), Number.POSITIVE_INFINITY)
  invariant(near, "there is always a plan")
  let best: GroupPlan | undefined
  for (const { least, offer } of all) {
    if (least <= near.rows) best = planWith(offer(), best?.rows ?? near.rows + 1) ?? best
  }
  invariant(best, "a plan is as good as the one that is known")
  return best
}

/** The fewest rows that offers give a demand. */
const leastOf = (offers: readonly Offer<unknown>[], demand: number): number =>
  offers.reduce((least, { rows }) => Math.min(least, rows[demand]), Number.POSITIVE_INFINITY)

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
