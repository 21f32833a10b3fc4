/**
 * Range requests and how they are served. A gadget asks for 0 ≤ lc < 2^bits, or for lc in a table; a strategy
 * turns the gadget into what is stamped: wires, rows, queries, and how each wire's value follows from the
 * gadget's signals.
 *
 * `bits` decomposes: n boolean rows, and one recomposition row unless the operand is an internal wire of
 * the gadget, which the sum then replaces. `lookups` cuts into limbs and leaves a query for each to the one
 * lookup argument of the circuit.
 */
import { InvariantError, invariant } from "../errors.js"
import { Draft, type Lc, type LocalRow, linearForm, ONE, renamed } from "./elimination.js"
import type { Gadget } from "./reduce-gadgets.js"
import { rangeTable, type Table } from "./tables.js"

/** lc / scale is an entry of the table. */
export interface Query {
  readonly lc: Lc
  readonly scale: number
  readonly table: Table
}

/** A wire's value: a signal's, or `size` bits of a combination of signals from bit `shift` on. */
export type WireSource =
  | { readonly signal: number }
  | { readonly of: Lc; readonly shift: number; readonly size: number }

/**
 * A gadget ready to be stamped. Locals 0 … inputs−1 are the inputs; locals inputs … inputs+wires−1 are
 * the wires that each instance adds.
 */
export interface Stamp {
  readonly gadget: Gadget
  readonly wires: number
  readonly rows: readonly LocalRow[]
  readonly queries: readonly Query[]
  /** Each output is one local: a wire of its own, or an input. */
  readonly outputs: readonly number[]
  readonly sources: readonly WireSource[]
}

export type RangeStrategy = (gadget: Gadget) => Stamp

/** A wire that the strategy adds, numbered from signals.length on. */
type AddedWire = Exclude<WireSource, { signal: number }>

const copyLc = (lc: Lc): Lc => renamed(lc, (signal) => signal)
const copyRow = (row: LocalRow): LocalRow => ({ a: copyLc(row.a), b: copyLc(row.b), c: copyLc(row.c) })
const draftOf = ({ rows, requests, outputs }: Gadget): Draft =>
  new Draft(
    rows.map(copyRow),
    requests.map(({ lc }) => ({ lc: copyLc(lc) })),
    outputs.map(copyLc),
  )

/** Bit decomposition: works in any proof system. */
export const bits: RangeStrategy = (gadget) => {
  const draft = draftOf(gadget)
  const firstBit = gadget.signals.length
  const added: AddedWire[] = []
  const sums = gadget.requests.map((request) => {
    if (!("bits" in request)) throw new InvariantError(`${gadget.key} needs the lookup strategy`)
    const sum: Lc = new Map()
    for (let bit = 0; bit < request.bits; bit++) {
      sum.set(firstBit + added.length, 2 ** bit)
      added.push({ of: request.lc, shift: bit, size: 1 })
    }
    return sum
  })
  const booleans = added.map((_, i): LocalRow => {
    const bit: Lc = new Map([[firstBit + i, 1]])
    return { a: bit, b: bit, c: bit }
  })
  // first every replacement, then the recomposition rows: a row must not keep a signal that was replaced
  const recomposed = draft.requests.map(({ lc }, i) => {
    const signal = soleSignal(lc)
    const isWire = signal !== undefined && isInternal(gadget, draft, signal)
    if (isWire) draft.replace(signal, sums[i])
    return !isWire
  })
  const recompositions = draft.requests.flatMap(({ lc }, i): LocalRow[] => {
    if (!recomposed[i]) return []
    const difference = copyLc(lc)
    for (const [bit, weight] of sums[i]) difference.set(bit, -weight)
    return [{ a: new Map(), b: new Map(), c: difference }]
  })
  return assemble(gadget, [...booleans, ...recompositions, ...draft.rows], draft.outputs, added, [])
}

/** Rows that a range check of `width` bits takes with a table of 2^bits rows. */
export const lookupsOf = (width: number, bits: number): number =>
  width === 0 ? 1 : Math.ceil(width / bits) + (width % bits === 0 ? 0 : 1)

/**
 * Lookups in a table [0, 2^bits), and in the tables that gadgets bring. A check of `width` bits takes one
 * query per limb of `bits` bits; the top limb is no wire but what the others leave, divided. If it has only
 * `rest` bits, a second query says that 2^(bits − rest) times it is in the table as well: of an integer
 * t < 2^bits that is so exactly if t < 2^rest.
 */
export const lookups = (bits: number): RangeStrategy => {
  const range = rangeTable(bits)
  return (gadget) => {
    const draft = draftOf(gadget)
    const added: AddedWire[] = []
    solveLinearRows(gadget, draft)
    const queries: Query[] = []
    gadget.requests.forEach((request, i) => {
      const { lc } = draft.requests[i]
      if ("table" in request) {
        queries.push({ ...scaled(gadget, draft, i), table: request.table })
        return
      }
      if (request.bits === 0) {
        draft.rows.push({ a: new Map(), b: new Map(), c: copyLc(lc) })
        return
      }
      const limbs = Math.ceil(request.bits / bits)
      const top = copyLc(lc)
      for (let limb = 0; limb < limbs - 1; limb++) {
        const wire = gadget.signals.length + added.length
        added.push({ of: request.lc, shift: bits * limb, size: bits })
        queries.push({ lc: new Map([[wire, 1]]), scale: 1, table: range })
        top.set(wire, -(2 ** (bits * limb)))
      }
      const scale = 2 ** (bits * (limbs - 1))
      queries.push({ lc: top, scale, table: range })
      const missing = bits * limbs - request.bits
      if (missing === 0) return
      const factor = 2 ** Math.max(0, missing - bits * (limbs - 1))
      const raised = new Map([...top].map(([signal, value]) => [signal, factor * value]))
      queries.push({ lc: raised, scale: (scale * factor) / 2 ** missing, table: range })
    })
    return assemble(gadget, draft.rows, draft.outputs, added, queries)
  }
}

/** A signal that is neither input nor output, nor added by the strategy. */
const isInternal = (gadget: Gadget, draft: Draft, signal: number): boolean =>
  signal >= gadget.inputs && signal < gadget.signals.length && !draft.isOutput(signal)

/** The signal that a combination is, if it is one. */
function soleSignal(lc: Lc): number | undefined {
  const [term] = lc
  return lc.size === 1 && term[1] === 1 ? term[0] : undefined
}

/** Uses every linear row to express an internal signal by others, operands of range checks first. */
function solveLinearRows(gadget: Gadget, draft: Draft): void {
  draft.eliminate([
    (form) => {
      const candidates = [...form].flatMap(([signal, value]) =>
        Math.abs(value) === 1 && isInternal(gadget, draft, signal) ? [signal] : [],
      )
      return candidates.find((signal) => draft.isRequested(signal)) ?? candidates[0]
    },
  ])
}

/**
 * Request i as a query. Where its operand is a signal of which nothing is known but one linear row
 * f · signal + rest = 0, the row goes and the query is of −rest, with scale f.
 */
function scaled(gadget: Gadget, draft: Draft, i: number): { lc: Lc; scale: number } {
  const { lc } = draft.requests[i]
  const signal = soleSignal(lc)
  if (signal !== undefined && isInternal(gadget, draft, signal)) {
    const mentions = draft.rows.filter((row) => [row.a, row.b, row.c].some((side) => side.has(signal)))
    const form = mentions.length === 1 ? linearForm(mentions[0]) : undefined
    const factor = form?.get(signal)
    const alone = draft.requests.every((other, j) => j === i || !other.lc.has(signal))
    if (form && factor !== undefined && alone) {
      draft.rows.splice(draft.rows.indexOf(mentions[0]), 1)
      form.delete(signal)
      const sign = -Math.sign(factor)
      return { lc: new Map([...form].map(([other, c]) => [other, sign * c])), scale: Math.abs(factor) }
    }
  }
  return { lc, scale: 1 }
}

/** Numbers the signals that are still used as wires. */
function assemble(
  gadget: Gadget,
  rows: readonly LocalRow[],
  outputs: readonly Lc[],
  added: readonly AddedWire[],
  queries: readonly Query[],
): Stamp {
  const used = new Set<number>()
  const sides = rows.flatMap((row) => [row.a, row.b, row.c])
  for (const lc of [...sides, ...outputs, ...queries.map((query) => query.lc)])
    for (const signal of lc.keys()) if (signal !== ONE && signal >= gadget.inputs) used.add(signal)
  const sorted = [...used].sort((x, y) => x - y)
  const number = new Map(sorted.map((signal, i) => [signal, gadget.inputs + i]))
  const rename = (lc: Lc): Lc => {
    for (const value of lc.values())
      invariant(Number.isSafeInteger(value), `a coefficient of ${gadget.key} exceeds 2^53`)
    return renamed(lc, (signal) => number.get(signal) ?? signal)
  }
  return {
    gadget,
    wires: sorted.length,
    rows: rows.map((row) => ({ a: rename(row.a), b: rename(row.b), c: rename(row.c) })),
    queries: queries.map((query) => ({ ...query, lc: rename(query.lc) })),
    outputs: outputs.map((lc) => {
      const local = soleSignal(rename(lc))
      invariant(local !== undefined, `output of ${gadget.key} is not a wire`)
      return local
    }),
    sources: sorted.map((signal) =>
      signal < gadget.signals.length ? { signal } : added[signal - gadget.signals.length],
    ),
  }
}
