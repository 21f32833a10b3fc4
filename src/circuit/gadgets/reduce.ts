/**
 * What circom made of the gadgets, reduced to what the linker stamps: range checks become requests and plain
 * copies disappear. What circom made is plain JSON, so that it can go where circom cannot, as into a page.
 */
import { FileError, invariant } from "../../errors.js"
import { fromJson } from "../../statement/strict.js"
import { Draft, type Gadget, type Lc, type LocalRow, ONE, type Request, type Rule } from "./elimination.js"
import { type GadgetUse, gadgetKey } from "./families.js"
import { type BlockJson, isBlockJson } from "./poseidon.js"
import { seedsOf, unroll } from "./series.js"

export { type Gadget, type Lc, type LocalRow, ONE, type Request } from "./elimination.js"

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
 * Checks the form of compiled gadgets (parsed JSON, or its text), not what they say: a circuit made of others than
 * circom's has another digest, and no key fits it.
 * @throws FileError
 */
export function parseGadgets(json: unknown, where: string): CompiledGadgets {
  const isGadget = (given: unknown): boolean => {
    const { signals, rows } = (given ?? {}) as Partial<RawGadget>
    if (!Array.isArray(signals) || !Array.isArray(rows)) return false
    const names = new Set<unknown>(["", ...signals])
    if (names.size !== signals.length + 1 || !Array.from(names).every((name) => typeof name === "string"))
      return false
    const isTerm = (term: unknown) =>
      Array.isArray(term) &&
      term.length === 2 &&
      names.has(term[0]) &&
      Number.isSafeInteger(term[1]) &&
      term[1] !== 0
    // a signal that is named twice on one side would have the last coefficient alone
    const isSide = (side: unknown) =>
      Array.isArray(side) &&
      Array.from(side).every(isTerm) &&
      new Set(side.map(([name]) => name)).size === side.length
    return Array.from(rows).every(
      (row) => Array.isArray(row) && row.length === 3 && Array.from(row).every(isSide),
    )
  }
  const parsed = fromJson(json, where)
  const { version, gadgets, poseidon, ...others } = (parsed ?? {}) as CompiledGadgets
  const known = version === 1 && gadgets !== null && typeof gadgets === "object" && !Array.isArray(gadgets)
  const isPoseidon = poseidon === undefined || isBlockJson(poseidon)
  if (known && isPoseidon && Object.keys(others).length === 0 && Object.values(gadgets).every(isGadget))
    return parsed as CompiledGadgets
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
  const reduced = (use: GadgetUse): Gadget => {
    const key = gadgetKey(use)
    if (Object.hasOwn(compiled, key)) return reduce(use, compiled[key])
    throw new FileError({
      what: `the compiled gadgets lack ${key}`,
      fix: "Compile the model again with this version",
    })
  }
  const distinct = new Map(uses.map((use) => [gadgetKey(use), use]))
  return new Map(
    [...distinct].map(([key, use]) => {
      const seeds = seedsOf(use).map(reduced)
      return [key, seeds.length === 1 ? seeds[0] : unroll(use, seeds)]
    }),
  )
}

const isRangeSignal = /(^|\.)range\w*(\[\d+\])?\.(in|bits\[\d+\])$/
const isMemberSignal = /(^|\.)member\w*(\[\d+\])?\.in$/

/** Turns range components into requests and removes copies and linear output definitions. */
function reduce(use: GadgetUse, raw: RawGadget): Gadget {
  const inputs = use.kind.inputs(use.parameters)
  const isInput = new Set(inputs)
  const plain = raw.signals.filter((name) => !isInput.has(name) && !/\.bits\[\d+\]$/.test(name))
  const signals = [...inputs, ...plain]
  const local = new Map(signals.map((name, i) => [name, i]))
  local.set("", ONE)
  const numberOf = (name: string): number => {
    const number = local.get(name)
    invariant(number !== undefined, `gadget ${gadgetKey(use)} has no signal ${name}`)
    return number
  }

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
    const [a, b, c] = entries.map((side): Lc => new Map(side.map(([name, value]) => [numberOf(name), value])))
    rows.push({ a, b, c })
  }
  for (const [prefix, width] of widths) {
    invariant(rangeRows.get(prefix) === width + 1, `range component ${prefix} is not a Range template`)
  }
  const operand = (name: string): Lc => new Map([[numberOf(name), 1]])
  const requests: Request[] = [...widths].map(([prefix, bits]) => ({ lc: operand(`${prefix}.in`), bits }))
  for (const name of raw.signals) {
    if (!isMemberSignal.test(name)) continue
    const table = use.kind.table?.(use.parameters)
    invariant(table, `gadget ${gadgetKey(use)} has no table`)
    requests.push({ lc: operand(name), table })
  }
  const outputs = use.kind.outputs.map(operand)
  const draft = new Draft(rows, requests, outputs)
  draft.eliminate([
    // the operand of a range check or of a lookup
    named((signal) => isRangeSignal.test(signals[signal]) || isMemberSignal.test(signals[signal])),
    // or else a copy; an output keeps a wire of its own unless it equals another wire
    named((signal, lc) => isCopy(lc) && (!draft.isOutput(signal) || isEqual(lc))),
  ])
  return { key: gadgetKey(use), use, inputs: inputs.length, signals, outputs, rows: draft.rows, requests }

  /** Linear rows that merely name something go. Others, such as decompositions, are constraints and stay. */
  function named(names: (signal: number, lc: Lc) => boolean): Rule {
    return (lc) => {
      for (const [signal, value] of lc)
        if (signal >= inputs.length && Math.abs(value) === 1 && names(signal, lc)) return signal
      return undefined
    }
  }
}

const isCopy = (lc: Lc): boolean => lc.size === 2 && !lc.has(ONE)
const isEqual = (lc: Lc): boolean => [...lc.values()].reduce((a, b) => a + b) === 0
