/**
 * What circom made of the gadgets, reduced to what the linker stamps: range checks become requests and plain
 * copies disappear. What circom made is plain JSON, so that it can go where circom cannot, as into a page.
 */
import { FileError, invariant } from "../errors.js"
import { type GadgetUse, gadgetKey } from "./gadgets.js"
import { type BlockJson, isBlockJson } from "./poseidon.js"
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

/** Rows of one gadget by signal name, as circom wrote them: for each row its three sides. */
export interface RawGadget {
  readonly signals: readonly string[]
  readonly rows: readonly (readonly (readonly (readonly [signal: string, coefficient: number])[])[])[]
}

/** What circom made of the gadgets of a circuit by gadgetKey and, where it commits to something, of Poseidon. */
export interface CompiledGadgets {
  readonly version: 1
  readonly gadgets: Readonly<Record<string, RawGadget>>
  readonly poseidon?: BlockJson
}

/**
 * Checks the form of compiled gadgets, not what they say: a circuit made of others than circom's has another
 * digest, and no key fits it.
 * @throws FileError
 */
export function parseGadgets(json: unknown, where: string): CompiledGadgets {
  const isGadget = (given: unknown): boolean => {
    const { signals, rows } = (given ?? {}) as Partial<RawGadget>
    if (!Array.isArray(signals) || !signals.every((name) => typeof name === "string")) return false
    const names = new Set(["", ...signals])
    const isTerm = (term: unknown) =>
      Array.isArray(term) && term.length === 2 && names.has(term[0]) && Number.isSafeInteger(term[1])
    const isSide = (side: unknown) => Array.isArray(side) && side.every(isTerm)
    return Array.isArray(rows) && rows.every((row) => row?.length === 3 && Array.from(row).every(isSide))
  }
  const { version, gadgets, poseidon } = (json ?? {}) as CompiledGadgets
  const known = version === 1 && gadgets !== null && typeof gadgets === "object"
  if (known && Object.values(gadgets).every(isGadget) && (poseidon === undefined || isBlockJson(poseidon)))
    return json as CompiledGadgets
  throw new FileError({
    what: "is not what this version writes for compiled gadgets",
    where,
    fix: "Compile the model again",
  })
}

/** Reduces the distinct gadgets among `uses`; the result is keyed by gadgetKey. @throws FileError if one is missing */
export function reduceGadgets(
  uses: readonly GadgetUse[],
  compiled: CompiledGadgets["gadgets"],
): Map<string, Gadget> {
  const distinct = new Map(uses.map((use) => [gadgetKey(use), use]))
  const reduced = [...distinct].map(([key, use]): [string, Gadget] => {
    const raw = Object.hasOwn(compiled, key) ? compiled[key] : undefined
    if (raw) return [key, reduce(use, raw)]
    throw new FileError({
      what: `the compiled gadgets lack ${key}`,
      fix: "Compile the model again with this version",
    })
  })
  return new Map(reduced)
}

const isRangeSignal = /(^|\.)range\w*(\[\d+\])?\.(in|bits\[\d+\])$/
const isMemberSignal = /(^|\.)member\w*(\[\d+\])?\.in$/

/** Replaces signal `from` by `lc` wherever it occurs. */
export function substitute(target: Lc, from: number, lc: Lc): void {
  const factor = target.get(from)
  if (factor === undefined) return
  target.delete(from)
  for (const [signal, value] of lc) {
    const sum = (target.get(signal) ?? 0) + factor * value
    invariant(Number.isSafeInteger(sum), "a gadget coefficient exceeds 2^53")
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

/** Turns range components into requests and removes copies and linear output definitions. */
function reduce(use: GadgetUse, raw: RawGadget): Gadget {
  const inputs = use.kind.inputs(use.parameters)
  const plain = raw.signals.filter((name) => !inputs.includes(name) && !/\.bits\[\d+\]$/.test(name))
  const signals = [...inputs, ...plain]
  const local = new Map(signals.map((name, i) => [name, i]))
  local.set("", ONE)

  const widths = new Map<string, number>()
  for (const name of raw.signals) {
    if (!isRangeSignal.test(name)) continue
    const prefix = name.slice(0, name.lastIndexOf("."))
    widths.set(prefix, (widths.get(prefix) ?? 0) + (name.endsWith(".in") ? 0 : 1))
  }
  const rows: LocalRow[] = []
  const rangeRows = new Map<string, number>()
  for (const entries of raw.rows) {
    const names = entries.flat().map(([name]) => name)
    const bit = names.find((name) => /\.bits\[\d+\]$/.test(name))
    if (bit !== undefined) {
      const prefix = bit.slice(0, bit.lastIndexOf("."))
      invariant(
        names.every((name) => name === "" || name.startsWith(`${prefix}.`)),
        "a row mixes range bits and others",
      )
      rangeRows.set(prefix, (rangeRows.get(prefix) ?? 0) + 1)
      continue
    }
    const [a, b, c] = entries.map(
      (side): Lc => new Map(side.map(([name, value]) => [local.get(name) as number, value])),
    )
    rows.push({ a, b, c })
  }
  for (const [prefix, width] of widths) {
    invariant(rangeRows.get(prefix) === width + 1, `range component ${prefix} is not a Range template`)
  }
  const operand = (name: string): Lc => new Map([[local.get(name) as number, 1]])
  const requests: Request[] = [...widths].map(([prefix, bits]) => ({ lc: operand(`${prefix}.in`), bits }))
  for (const name of raw.signals) {
    if (!isMemberSignal.test(name)) continue
    const table = use.kind.table?.(use.parameters)
    invariant(table, `gadget ${gadgetKey(use)} has no table`)
    requests.push({ lc: operand(name), table })
  }
  const outputs = use.kind.outputs.map((name): Lc => new Map([[local.get(name) as number, 1]]))
  const gadget = { key: gadgetKey(use), use, inputs: inputs.length, signals, outputs, rows, requests }
  for (let next = findDefinition(gadget); next; next = findDefinition(gadget)) {
    rows.splice(next.row, 1)
    replace(gadget, next.signal, next.lc)
  }
  return gadget
}

/** Replaces a signal by a linear combination everywhere in a gadget. */
export function replace(
  gadget: {
    readonly rows: readonly LocalRow[]
    readonly requests: readonly { readonly lc: Lc }[]
    readonly outputs: readonly Lc[]
  },
  signal: number,
  lc: Lc,
): void {
  for (const row of gadget.rows) for (const side of [row.a, row.b, row.c]) substitute(side, signal, lc)
  for (const request of gadget.requests) substitute(request.lc, signal, lc)
  for (const output of gadget.outputs) substitute(output, signal, lc)
}

/**
 * A linear row that merely names something: the operand of a range check, or else a copy. Other linear
 * rows (decompositions) are constraints and stay.
 */
function findDefinition(gadget: Gadget): { row: number; signal: number; lc: Lc } | undefined {
  const forms = gadget.rows.map(linearForm)
  const find = (names: (signal: number, lc: Lc) => boolean) => {
    for (const [row, lc] of forms.entries()) {
      if (!lc) continue
      for (const [signal, value] of lc) {
        if (signal < gadget.inputs || Math.abs(value) !== 1 || !names(signal, lc)) continue
        const definition: Lc = new Map()
        for (const [other, c] of lc) if (other !== signal) definition.set(other, value === 1 ? -c : c)
        return { row, signal, lc: definition }
      }
    }
    return undefined
  }
  const isOperand = (signal: number) =>
    isRangeSignal.test(gadget.signals[signal]) || isMemberSignal.test(gadget.signals[signal])
  // an output keeps a wire of its own unless it equals another wire
  const isOutput = (signal: number) => gadget.outputs.some((output) => output.has(signal))
  const equals = (lc: Lc) => [...lc.values()].reduce((a, b) => a + b) === 0
  const isCopy = (signal: number, lc: Lc) =>
    lc.size === 2 && !lc.has(ONE) && (!isOutput(signal) || equals(lc))
  return find(isOperand) ?? find(isCopy)
}
