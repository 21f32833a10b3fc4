/**
 * The gadget families: which circom template serves which step, and how its hints follow from its inputs.
 * The circom text is the definition of what is proven; `hints` here only finds the witness, and whatever
 * it gets wrong is refused by the constraints.
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import { InvariantError } from "../../errors.js"
import { functionTable, gatedTable, signedTable, type Table } from "./tables.js"

/** One family: a template in circuits/gadgets/. Signals are scalars or arrays written `name[j]`. */
export interface GadgetKind {
  readonly template: string
  readonly file: string
  /** Names of the template's inputs and outputs, flat, for given parameters. */
  inputs(parameters: readonly number[]): string[]
  readonly outputs: readonly string[]
  /** The first parameter is a number of operands that are all treated alike, see series.ts. */
  readonly series?: true
  /** How many of the parameters are scalars, if the others are one array: the template's last argument. */
  readonly scalars?: number
  /** Rows under the bit strategy: the @cost line of the circom header. Forms for lookups alone have none. */
  cost?(parameters: readonly number[]): number
  /** What it asks for under the lookup strategy, after linear rows are solved. */
  lookups(parameters: readonly number[]): LookupShape
  /** The table that its `member…` components are about. */
  table?(parameters: readonly number[]): Table
  /** Values of every signal that is neither an input nor part of a range check. */
  hints(
    parameters: readonly number[],
    inputs: readonly number[],
    set: (name: string, value: number) => void,
  ): void
}

/** Rows of its own, widths of its range checks in bits, and lookups in a table of its own. */
export interface LookupShape {
  readonly rows: number
  readonly ranges: readonly number[]
  readonly members: number
}

/** A family with its parameters. */
export interface GadgetUse {
  readonly kind: GadgetKind
  readonly parameters: readonly number[]
}

/** The array among a gadget's parameters as circom text, if it has one. */
export const gadgetArray = ({ kind, parameters }: GadgetUse): string | undefined =>
  kind.scalars === undefined ? undefined : `[${parameters.slice(kind.scalars).join(",")}]`

/** The gadget with its parameters as circom instantiates it; its array may go by a name. */
export function gadgetCall(use: GadgetUse, array = gadgetArray(use)): string {
  const scalars = use.parameters.slice(0, use.kind.scalars)
  return `${use.kind.template}(${[...scalars, ...(array === undefined ? [] : [array])].join(",")})`
}

const keys = new WeakMap<GadgetUse, string>()

/** A short name: an array is named by its digest. */
export function gadgetKey(use: GadgetUse): string {
  const { kind, parameters } = use
  const known = kind.scalars === undefined ? gadgetCall(use) : keys.get(use)
  if (known !== undefined) return known
  const digest = bytesToHex(keccak_256(utf8ToBytes(gadgetCall(use))))
  const key = `${kind.template}(${[...parameters.slice(0, kind.scalars), digest].join(",")})`
  keys.set(use, key)
  return key
}

/** Inputs of a gadget of m operands. */
const operands = ([m]: readonly number[]) => Array.from({ length: m }, (_, j) => `in[${j}]`)

/** Powers of two, faster than 2 ** i where most of the hints are made. */
const powers = Float64Array.from({ length: 64 }, (_, i) => 2 ** i)
const floorDiv = (x: number, d: number): number => Math.floor(x / d)

const ofAccumulator = { inputs: () => ["acc"], outputs: ["out"] }

const clamp: GadgetKind = {
  template: "Clamp",
  file: "clamp.circom",
  ...ofAccumulator,
  cost: ([k, w, t]) => k + w + t + 5,
  lookups: ([k, w, t]) => ({ rows: 4, ranges: [k, w, t], members: 0 }),
  hints([k, w, t], [acc], set) {
    const quotient = floorDiv(acc, 2 ** k)
    const negative = quotient < 0 ? 1 : 0
    const inside = quotient >= 0 && quotient < 2 ** w ? 1 : 0
    const above = 1 - negative - inside
    const rest = quotient + negative * 2 ** (w + t) - above * 2 ** w
    const high = floorDiv(rest, 2 ** w)
    const low = rest - high * 2 ** w
    set("lo", acc - quotient * 2 ** k)
    set("low", low)
    set("high", high)
    set("negative", negative)
    set("inside", inside)
    set("out", inside * low + above * (2 ** w - 1))
  },
}

const rectify: GadgetKind = {
  template: "Rectify",
  file: "rectify.circom",
  ...ofAccumulator,
  cost: ([k, n]) => k + n + 3,
  lookups: ([k, n]) => ({ rows: 2, ranges: [k, n], members: 0 }),
  hints([k, n], [acc], set) {
    const quotient = floorDiv(acc, 2 ** k)
    const negative = quotient < 0 ? 1 : 0
    set("lo", acc - quotient * 2 ** k)
    set("low", quotient + negative * 2 ** n)
    set("negative", negative)
    set("out", Math.max(quotient, 0))
  },
}

const threshold: GadgetKind = {
  template: "Threshold",
  file: "threshold.circom",
  ...ofAccumulator,
  cost: ([, n]) => n + 2,
  lookups: ([, n]) => ({ rows: 1, ranges: [n], members: 0 }),
  hints: ([k], [acc], set) => set("out", acc >= 2 ** k ? 1 : 0),
}

const truncate: GadgetKind = {
  template: "Truncate",
  file: "truncate.circom",
  ...ofAccumulator,
  cost: ([k, n]) => k + n + 2,
  lookups: ([k, n]) => ({ rows: 0, ranges: [k, n], members: 0 }),
  hints([k], [acc], set) {
    const quotient = floorDiv(acc, 2 ** k)
    set("lo", acc - quotient * 2 ** k)
    set("out", quotient)
  },
}

const max: GadgetKind = {
  template: "Max",
  file: "max.circom",
  series: true,
  inputs: operands,
  outputs: ["out"],
  cost: ([m, b]) => (m - 1) * (b + 3),
  lookups: ([m, b]) => ({ rows: 2 * (m - 1), ranges: new Array(m - 1).fill(b), members: 0 }),
  hints([m, b], inputs, set) {
    let best = inputs[0]
    set("best[0]", best)
    for (let j = 0; j < m - 1; j++) {
      const difference = inputs[j + 1] - best
      const less = difference < 0 ? 1 : 0
      set(`less[${j}]`, less)
      set(`low[${j}]`, difference + less * 2 ** b)
      best = Math.max(best, inputs[j + 1])
      set(`best[${j + 1}]`, best)
    }
    set("out", best)
  },
}

/** The lowest position of the largest. */
const firstLargest = (inputs: readonly number[]): number =>
  inputs.reduce((best, x, j) => (x > inputs[best] ? j : best), 0)

const argmax: GadgetKind = {
  template: "Argmax",
  file: "argmax.circom",
  inputs: operands,
  outputs: ["out"],
  cost: ([m, b]) => m * (b + 3) + 1,
  lookups: ([m, b]) => ({ rows: 2 * m - 1, ranges: new Array(m).fill(b), members: 0 }),
  hints([m], inputs, set) {
    const best = firstLargest(inputs)
    for (let j = 0; j < m; j++) set(`chosen[${j}]`, j === best ? 1 : 0)
    set("top", inputs[best])
    set("out", best)
  },
}

const position: GadgetKind = {
  ...argmax,
  template: "Position",
  file: "position.circom",
  series: true,
  cost: ([m, b]) => m * (b + 3),
  hints([m], inputs, set) {
    const best = firstLargest(inputs)
    for (let j = 0; j < m - 1; j++) set(`ahead[${j}]`, best > j ? 1 : 0)
    set("top", inputs[best])
    set("out", best)
  },
}

const product: GadgetKind = {
  template: "Product",
  file: "product.circom",
  inputs: () => ["left", "right"],
  outputs: ["out"],
  cost: () => 1,
  lookups: () => ({ rows: 1, ranges: [], members: 0 }),
  hints(_, [left, right], set) {
    set("out", left * right)
  },
}

const quotient: GadgetKind = {
  template: "Quotient",
  file: "quotient.circom",
  inputs: () => ["num", "den"],
  outputs: ["out"],
  cost: ([b, n]) => b + 2 * n + 3,
  lookups: ([b, n]) => ({ rows: 1, ranges: [b, n, n], members: 0 }),
  hints([, , lo], [num, den], set) {
    const rounded = floorDiv(2 * num + den, 2 * den)
    set("out", rounded - lo)
    set("rem", 2 * (num - rounded * den) + den)
  },
}

const root: GadgetKind = {
  template: "Root",
  file: "root.circom",
  inputs: () => ["square"],
  outputs: ["out"],
  cost: ([n]) => 2 * n + 2,
  lookups: ([n]) => ({ rows: 1, ranges: [n, n], members: 0 }),
  hints(_, [square], set) {
    const floor = Math.floor(Math.sqrt(square))
    set("out", floor)
    set("rem", square - floor * floor)
  },
}

const table: GadgetKind = {
  template: "Table",
  file: "table.circom",
  inputs: () => ["in"],
  outputs: ["out"],
  scalars: 1,
  cost([n]) {
    const high = Math.floor(n / 2)
    return 2 ** (n - high) + 2 ** high + high - 1
  },
  lookups([n]) {
    const high = Math.floor(n / 2)
    return { rows: 2 ** (n - high) + 2 ** high + high - 1, ranges: [], members: 0 }
  },
  hints([n, ...values], [x], set) {
    const high = Math.floor(n / 2)
    const low = n - high
    for (let i = 0; i < n; i++) set(`bit[${i}]`, floorDiv(x, 2 ** i) % 2)
    for (let subset = 1; subset < 2 ** low; subset++)
      set(`product[${subset}]`, (x & subset) === subset ? 1 : 0)
    // what is left of the table above each choice: the low bits and those below it are already decided
    for (let level = high - 1; level >= 0; level--) {
      const decided = 2 ** (n - level)
      for (let j = 0; j < 2 ** level; j++)
        set(`choice[${2 ** level + j}]`, values[j * decided + (x % decided)])
    }
    set("out", values[x])
  },
}

const inRange: GadgetKind = {
  template: "InRange",
  file: "inrange.circom",
  inputs: () => ["in"],
  outputs: [],
  cost: ([n]) => n + 1,
  lookups: ([n]) => ({ rows: 0, ranges: [n], members: 0 }),
  hints: () => undefined,
}

/** floor(acc / 2^k) clamped to w bits, and what it is more. */
function saturate(acc: number, k: number, w: number): { out: number; d: number } {
  const quotient = floorDiv(acc, powers[k])
  const out = Math.min(Math.max(quotient, 0), powers[w] - 1)
  return { out, d: quotient - out }
}

const complement: GadgetKind = {
  template: "Complement",
  file: "complement.circom",
  ...ofAccumulator,
  cost: ([k, n, e]) => k + n + e + 3,
  lookups: ([k, n, e]) => ({ rows: 1, ranges: [k, n, e], members: 0 }),
  hints([k], [acc], set) {
    const quotient = floorDiv(acc, 2 ** k)
    set("out", Math.max(quotient, 0))
    set("rest", Math.max(-quotient, 0))
  },
}

const excess: GadgetKind = {
  template: "Excess",
  file: "excess.circom",
  ...ofAccumulator,
  cost: ([k, w, e]) => k + w + e + 4,
  lookups: ([k, w, e]) => ({ rows: 2, ranges: [k, w, e], members: 0 }),
  hints([k, w], [acc], set) {
    const { out, d } = saturate(acc, k, w)
    set("out", out)
    set("d", d)
    set("excess", Math.abs(d))
  },
}

const gated: GadgetKind = {
  template: "Gated",
  file: "gated.circom",
  ...ofAccumulator,
  lookups: ([k, w, n]) => ({ rows: 1, ranges: [k, w, n], members: 1 }),
  table: ([, w, , a, b, j]) => gatedTable(w, a, b, j),
  hints([k, w, n, , , j], [acc], set) {
    const { out, d } = saturate(acc, k, w)
    const steps = floorDiv(d, 2 ** n)
    const gate = steps < 0 ? 0 : 2 ** w - 1
    set("out", out)
    set("d", d)
    set("low", d - steps * 2 ** n)
    set("gate", gate)
    set("step", steps + 2 ** j * gate)
  },
}

const signedForm: GadgetKind = {
  template: "Signed",
  file: "signed.circom",
  ...ofAccumulator,
  lookups: ([k, w, n]) => ({ rows: 0, ranges: [k, w], members: n }),
  table: ([, w, , x, y, j]) => signedTable(w, x, y, j),
  hints([k, w, n], [acc], set) {
    const { out, d } = saturate(acc, k, w)
    let rest = Math.abs(d)
    for (let i = 0; i < n; i++) {
      const digit = i < n - 1 ? rest % powers[w] : rest
      set(`digit[${i}]`, d < 0 ? -digit : digit)
      rest = floorDiv(rest, powers[w])
    }
    set("out", out)
  },
}

const largest: GadgetKind = {
  template: "Largest",
  file: "largest.circom",
  series: true,
  inputs: operands,
  outputs: ["out"],
  cost: ([m, b]) => m * (b + 1) + m - 1,
  lookups: ([m, b]) => ({ rows: m - 1, ranges: new Array(m).fill(b), members: 0 }),
  hints([m], inputs, set) {
    let best = inputs[0]
    for (let j = 0; j < m; j++) {
      best = Math.max(best, inputs[j])
      set(`best[${j}]`, best)
    }
    set("out", best)
  },
}

const chosen: GadgetKind = {
  template: "Chosen",
  file: "chosen.circom",
  series: true,
  inputs: operands,
  outputs: ["out"],
  cost: ([m]) => m - 1,
  lookups: ([m]) => ({ rows: m - 1, ranges: [], members: 0 }),
  hints: largest.hints,
}

const ofDistance = { inputs: () => ["max", "in"], outputs: ["out"] }

const below: GadgetKind = {
  template: "Below",
  file: "below.circom",
  ...ofDistance,
  scalars: 4,
  lookups: ([k, , b]) => ({ rows: 0, ranges: [k, b], members: 1 }),
  table: ([, , , j, ...values]) => functionTable(values, j),
  hints([k, , , , ...values], [max, x], set) {
    const steps = floorDiv(max - x, powers[k])
    set("steps", steps)
    set("out", values[steps])
  },
}

const step: GadgetKind = {
  ...below,
  template: "Step",
  file: "step.circom",
  ...ofAccumulator,
  hints([k, , , , ...values], [acc], set) {
    const steps = floorDiv(acc, powers[k])
    set("steps", steps)
    set("out", values[steps])
  },
}

const belowTable: GadgetKind = {
  template: "BelowTable",
  file: "belowtable.circom",
  ...ofDistance,
  scalars: 2,
  cost: ([k, n]) => k + 1 + (table.cost?.([n]) ?? 0),
  lookups: ([k, n]) => ({ ...table.lookups([n]), ranges: [k] }),
  hints([k, n, ...values], [max, x], set) {
    const steps = floorDiv(max - x, powers[k])
    set("steps", steps)
    set("table.in", steps)
    set("table.out", values[steps])
    table.hints([n, ...values], [steps], (name, value) => set(name === "out" ? name : `table.${name}`, value))
  },
}

const entry: GadgetKind = {
  template: "Entry",
  file: "entry.circom",
  inputs: () => ["in"],
  outputs: ["out"],
  scalars: 3,
  lookups: ([, b]) => ({ rows: 0, ranges: [b], members: 1 }),
  table: ([, , j, ...values]) => functionTable(values, j),
  hints([, , , ...values], [x], set) {
    set("out", values[x])
  },
}

const beyond: GadgetKind = {
  template: "Beyond",
  file: "beyond.circom",
  inputs: () => ["above", "below"],
  outputs: [],
  cost: ([b]) => b + 1,
  lookups: ([b]) => ({ rows: 0, ranges: [b], members: 0 }),
  hints: () => undefined,
}

const rest: GadgetKind = {
  template: "Rest",
  file: "rest.circom",
  inputs: () => ["least", "mark", "key"],
  outputs: [],
  cost: ([b, c]) => b + 1 + c,
  lookups: ([b, c]) => ({ rows: c, ranges: [b], members: 0 }),
  hints: () => undefined,
}

const among: GadgetKind = {
  template: "Among",
  file: "among.circom",
  series: true,
  inputs: (parameters) => ["value", ...operands(parameters)],
  outputs: [],
  cost: ([m]) => m,
  lookups: ([m]) => ({ rows: m, ranges: [], members: 0 }),
  hints([m], [value, ...list], set) {
    const first = list.indexOf(value)
    for (let j = 0; j < m - 1; j++) set(`found[${j}]`, first >= 0 && j >= first ? 1 : 0)
  },
}

/** Every family, by template name. */
export const gadgetKinds = {
  InRange: inRange,
  Clamp: clamp,
  Rectify: rectify,
  Threshold: threshold,
  Truncate: truncate,
  Max: max,
  Argmax: argmax,
  Position: position,
  Product: product,
  Quotient: quotient,
  Root: root,
  Complement: complement,
  Excess: excess,
  Gated: gated,
  Signed: signedForm,
  Largest: largest,
  Chosen: chosen,
  Below: below,
  BelowTable: belowTable,
  Step: step,
  Beyond: beyond,
  Rest: rest,
  Among: among,
  Table: table,
  Entry: entry,
}

/** Bits of an unsigned integer: the least n with value < 2^n. */
export const bitLength = (value: number): number => {
  if (value === value >>> 0) return 32 - Math.clz32(value)
  if (!(Number.isSafeInteger(value) && value >= 0)) throw new InvariantError(`bitLength of ${value}`)
  let n = Math.max(0, Math.ceil(Math.log2(value + 1)))
  while (2 ** n <= value) n++
  while (n > 0 && 2 ** (n - 1) > value) n--
  return n
}

/** The lowest position of the largest of m integers that differ by less than 2^b. Rows of Argmax have m²/2 terms. */
export const argmaxGadget = (m: number, b: number): GadgetUse => ({
  kind: m > 256 ? position : argmax,
  parameters: [m, b],
})

/**
 * The cheapest gadget that computes clamp(acc >> shift, 0, 2^bits − 1) for every acc in [min, max], or the
 * constant it always gives.
 */
export function clampGadget(shift: number, bits: number, min: number, max: number): GadgetUse | number {
  const top = 2 ** bits - 1
  const least = floorDiv(min, 2 ** shift)
  const most = floorDiv(max, 2 ** shift)
  if (most <= 0) return 0
  if (least >= top) return top
  if (bits === 1) {
    const [above, below] = [max - 2 ** shift, 2 ** shift - 1 - min]
    return { kind: threshold, parameters: [shift, Math.max(1, bitLength(Math.max(above, below)))] }
  }
  if (most <= top) {
    const n = bitLength(Math.max(most, least < 0 ? -least - 1 : 0))
    return least >= 0 ? { kind: truncate, parameters: [shift, n] } : { kind: rectify, parameters: [shift, n] }
  }
  const magnitude = Math.max(bitLength(most), least < 0 ? bitLength(-least - 1) : 0)
  return { kind: clamp, parameters: [shift, bits, Math.max(1, magnitude - bits)] }
}

/** The rounded quotient of an integer and one from 1 to `den`, less `least`; it is at most `most`. */
export const quotientGadget = (least: number, most: number, den: number): GadgetUse => ({
  kind: quotient,
  parameters: [bitLength(most - least), bitLength(2 * den - 1), least],
})

/** The floor of the root of an integer from 0 to `square`. */
export const rootGadget = (square: number): GadgetUse => ({
  kind: root,
  parameters: [bitLength(2 * Math.floor(Math.sqrt(square)))],
})

/** One of m integers, the largest if that none exceeds it is shown elsewhere. */
export const chosenGadget = (m: number): GadgetUse => ({ kind: chosen, parameters: [m] })

/** What `values` say of the distance from a maximum, in steps of 2^shift. */
export function belowTableGadget(shift: number, values: ArrayLike<number>): GadgetUse {
  const [n, ...padded] = tableGadget(values).parameters
  return { kind: belowTable, parameters: [shift, n, ...padded] }
}

/** The table gadget for `values`, which start at 0; those past the end are never asked for. */
export function tableGadget(values: ArrayLike<number>): GadgetUse {
  const n = Math.max(2, bitLength(values.length - 1))
  const padded = Array.from({ length: 2 ** n }, (_, i) => values[Math.min(i, values.length - 1)])
  return { kind: table, parameters: [n, ...padded] }
}
