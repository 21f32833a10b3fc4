/**
 * A gadget under work: rows, requests and outputs over numbered signals, of which linear rows eliminate some. Which
 * row goes first is part of the result, because the order of wires and terms follows from it: always the first row
 * that a rule takes. Where each signal occurs is kept, so that an elimination takes time in proportion to what it
 * changes, and not to the gadget.
 */
import { invariant } from "../../errors.js"
import { LeastFirst } from "../../queue.js"
import type { GadgetUse } from "./families.js"
import type { Table } from "./tables.js"

/** Linear combination of local signals; ONE is the constant. */
export type Lc = Map<number, number>
export const ONE = -1

/** A row a·b = c over local signals; a linear row has b = 1 and c = 0. */
export interface LocalRow {
  a: Lc
  b: Lc
  c: Lc
}

/** A gadget as compiled: signals 0 … inputs−1 are the inputs, the others are named. */
export interface Gadget {
  readonly key: string
  readonly use: GadgetUse
  readonly inputs: number
  /** Names of all signals in local order. */
  readonly signals: readonly string[]
  readonly outputs: readonly Lc[]
  readonly rows: readonly LocalRow[]
  /** What a range strategy has to serve. */
  readonly requests: readonly Request[]
}

/** 0 ≤ lc < 2^bits, or lc is an entry of a table. */
export type Request = { readonly lc: Lc } & ({ readonly bits: number } | { readonly table: Table })

/** The signal that a linear row lc = 0 is to eliminate, with coefficient 1 or −1; none leaves the row alone. */
export type Rule = (lc: Lc) => number | undefined

/** A combination without terms; none is ever added to one. */
const nothing: Lc = new Map()
/** Changes the signals of a combination. */
export const renamed = (lc: Lc, name: (signal: number) => number): Lc =>
  lc.size === 0 ? nothing : new Map(Array.from(lc, ([signal, value]) => [name(signal), value]))

/** Replaces signal `from` by `lc`. */
function substitute(target: Lc, from: number, lc: Lc): void {
  const factor = target.get(from)
  if (factor === undefined) return
  target.delete(from)
  for (const [signal, value] of lc) {
    const product = factor * value
    const sum = (target.get(signal) ?? 0) + product
    // a product that was rounded may meet another that brings the sum back
    invariant(Number.isSafeInteger(product) && Number.isSafeInteger(sum), "a gadget coefficient exceeds 2^53")
    if (sum === 0) target.delete(signal)
    else target.set(signal, sum)
  }
}

/** Normalises a row without a product to lc = 0, or returns undefined for a quadratic row. */
export function linearForm(row: LocalRow): Lc | undefined {
  const constant = (lc: Lc) => lc.size === 0 || (lc.size === 1 && lc.has(ONE))
  const [scale, other] = constant(row.b) ? [row.b, row.a] : [row.a, row.b]
  if (!constant(scale)) return undefined
  const result: Lc = new Map()
  for (const [signal, value] of row.c) result.set(signal, -value)
  const factor = scale.get(ONE) ?? 0
  result.set(-2, factor)
  substitute(result, -2, other)
  result.delete(-2)
  return result
}

/** Terms that replacing signals may write in a gadget of so many: more than any of ours takes. */
const mostTerms = (terms: number): number => 2 ** 20 + 64 * terms

/** Rows, requests and outputs of one gadget; the combinations given are changed in place. */
export class Draft {
  /** In order; those that eliminated a signal are gone. */
  rows: LocalRow[]
  readonly requests: readonly { readonly lc: Lc }[]
  readonly outputs: readonly Lc[]
  /** All combinations: three for each row of the beginning, then requests, then outputs. */
  readonly #all: readonly Lc[]
  readonly #firstRequest: number
  readonly #firstOutput: number
  /** Numbers of the combinations that a signal of the beginning occurs in, or did once. */
  readonly #occurrences = new Map<number, number[]>()

  /** Terms that may still be written. */
  #left: number

  constructor(rows: readonly LocalRow[], requests: readonly { readonly lc: Lc }[], outputs: readonly Lc[]) {
    this.rows = [...rows]
    this.requests = requests
    this.outputs = outputs
    this.#firstRequest = 3 * rows.length
    this.#firstOutput = this.#firstRequest + requests.length
    this.#all = [...rows.flatMap(({ a, b, c }) => [a, b, c]), ...requests.map(({ lc }) => lc), ...outputs]
    this.#left = mostTerms(this.#all.reduce((sum, lc) => sum + lc.size, 0))
    this.#all.forEach((lc, i) => {
      for (const signal of lc.keys()) {
        const known = this.#occurrences.get(signal)
        if (known) known.push(i)
        else if (signal !== ONE) this.#occurrences.set(signal, [i])
      }
    })
  }

  /** Whether an output mentions a signal. */
  isOutput(signal: number): boolean {
    return this.outputs.some((output) => output.has(signal))
  }

  /** Whether a request is of a signal alone. */
  isRequested(signal: number): boolean {
    for (const i of this.#occurrences.get(signal) ?? []) {
      const lc = this.#all[i]
      if (i >= this.#firstRequest && i < this.#firstOutput && lc.size === 1 && lc.get(signal) === 1)
        return true
    }
    return false
  }

  /** Replaces a signal by a combination everywhere; signals that this brings in stay. */
  replace(signal: number, lc: Lc): void {
    this.#replace(signal, lc)
  }

  /**
   * Eliminates signals by linear rows, which go. The first rule is asked first, for every row in order, and only
   * where it takes none the next one.
   */
  eliminate(rules: readonly Rule[]): void {
    const rows: (LocalRow | undefined)[] = this.rows
    invariant(this.#firstRequest === 3 * rows.length, "a draft eliminates once")
    const queues = rules.map(() => new LeastFirst())
    const consider = (row: number) => {
      const given = rows[row]
      const form = given && linearForm(given)
      if (form) for (const [k, rule] of rules.entries()) if (rule(form) !== undefined) queues[k].add(row)
    }
    const next = (): { row: number; signal: number; form: Lc } | undefined => {
      for (const [k, queue] of queues.entries()) {
        for (let row = queue.take(); row !== undefined; row = queue.take()) {
          const given = rows[row]
          const form = given && linearForm(given)
          const signal = form && rules[k](form)
          // what was true when the row was considered may have changed since
          if (form && signal !== undefined) return { row, signal, form }
        }
      }
      return undefined
    }
    for (let row = 0; row < rows.length; row++) consider(row)
    for (let taken = next(); taken; taken = next()) {
      const { row, signal, form } = taken
      const value = form.get(signal)
      form.delete(signal)
      rows[row] = undefined
      const definition: Lc = new Map([...form].map(([other, c]) => [other, value === 1 ? -c : c]))
      for (const changed of this.#replace(signal, definition)) consider(changed)
    }
    this.rows = rows.filter((row) => row !== undefined)
  }

  /** The rows about which a rule may now say something else. */
  #replace(signal: number, lc: Lc): Set<number> {
    const rows = new Set<number>()
    const rowsOf = (i: number) => {
      if (i < this.#firstRequest) rows.add(Math.floor(i / 3))
    }
    for (const i of this.#occurrences.get(signal) ?? []) {
      const target = this.#all[i]
      if (!target.has(signal)) continue
      // a rule may ask what is an output
      const affected = i >= this.#firstOutput ? [...target.keys(), ...lc.keys()] : []
      this.#left -= lc.size + 1
      invariant(this.#left >= 0, "the rows of a gadget grow into one another")
      substitute(target, signal, lc)
      rowsOf(i)
      for (const other of lc.keys()) if (target.has(other)) this.#occurrences.get(other)?.push(i)
      for (const other of affected) this.#occurrences.get(other)?.forEach(rowsOf)
    }
    this.#occurrences.delete(signal)
    return rows
  }
}
