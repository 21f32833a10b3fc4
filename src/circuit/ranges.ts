/**
 * Range requests and how they are served. A gadget asks for 0 ≤ lc < 2^bits; a strategy turns the gadget
 * into what is stamped: wires, rows, and how each wire's value follows from the gadget's signals.
 *
 * `bits` decomposes: n boolean rows, and one recomposition row unless the operand is an internal wire of
 * the gadget, which the sum then replaces. A lookup strategy will keep the operands as queries.
 */
import { invariant } from "../errors.js"
import { type Gadget, type Lc, type LocalRow, replace } from "./compile-gadgets.js"

/**
 * A gadget ready to be stamped. Locals 0 … inputs−1 are the inputs; locals inputs … inputs+wires−1 are
 * the wires that each instance adds.
 */
export interface Stamp {
  readonly gadget: Gadget
  readonly wires: number
  readonly rows: readonly LocalRow[]
  /** Each output is one local: a wire of its own, or an input. */
  readonly outputs: readonly number[]
  /** For wire j: the signal whose value it holds, or a bit of a combination of signals. */
  readonly sources: readonly ({ readonly signal: number } | { readonly of: Lc; readonly bit: number })[]
}

export type RangeStrategy = (gadget: Gadget) => Stamp

const copyLc = (lc: Lc): Lc => new Map(lc)
const copyRow = (row: LocalRow): LocalRow => ({ a: copyLc(row.a), b: copyLc(row.b), c: copyLc(row.c) })

/** Bit decomposition: works in any proof system. */
export const bits: RangeStrategy = (gadget) => {
  const rows = gadget.rows.map(copyRow)
  const outputs = gadget.outputs.map(copyLc)
  const pending = gadget.requests.map((request) => ({ lc: copyLc(request.lc), bits: request.bits }))
  const work = { rows, outputs, requests: pending }
  const bitSources: { of: Lc; bit: number }[] = []
  const firstBit = gadget.signals.length
  const sums = gadget.requests.map((request) => {
    const sum: Lc = new Map()
    for (let bit = 0; bit < request.bits; bit++) {
      sum.set(firstBit + bitSources.length, 2 ** bit)
      bitSources.push({ of: request.lc, bit })
    }
    return sum
  })
  const booleans = bitSources.map((_, i): LocalRow => {
    const bit = (): Lc => new Map([[firstBit + i, 1]])
    return { a: bit(), b: bit(), c: bit() }
  })
  // first every replacement, then the recomposition rows: a row must not keep a signal that was replaced
  const isOutput = (signal: number) => outputs.some((output) => output.has(signal))
  const recomposed = pending.map(({ lc }, i) => {
    const [[signal, value]] = lc
    const isWire =
      lc.size === 1 && value === 1 && signal >= gadget.inputs && signal < firstBit && !isOutput(signal)
    if (isWire) replace(work, signal, sums[i])
    return !isWire
  })
  const recompositions = pending.flatMap(({ lc }, i): LocalRow[] => {
    if (!recomposed[i]) return []
    const difference = copyLc(lc)
    for (const [bit, weight] of sums[i]) difference.set(bit, -weight)
    return [{ a: new Map(), b: new Map(), c: difference }]
  })
  return assemble(gadget, [...booleans, ...recompositions, ...rows], outputs, bitSources)
}

/** Numbers the signals that are still used as wires. */
function assemble(
  gadget: Gadget,
  rows: readonly LocalRow[],
  outputs: readonly Lc[],
  bitSources: readonly { of: Lc; bit: number }[],
): Stamp {
  const used = new Set<number>()
  const sides = rows.flatMap((row) => [row.a, row.b, row.c])
  for (const lc of [...sides, ...outputs])
    for (const signal of lc.keys()) if (signal >= gadget.inputs) used.add(signal)
  const sorted = [...used].sort((x, y) => x - y)
  const number = new Map(sorted.map((signal, i) => [signal, gadget.inputs + i]))
  const rename = (lc: Lc): Lc =>
    new Map([...lc].map(([signal, value]) => [number.get(signal) ?? signal, value]))
  return {
    gadget,
    wires: sorted.length,
    rows: rows.map((row) => ({ a: rename(row.a), b: rename(row.b), c: rename(row.c) })),
    outputs: outputs.map((lc) => {
      const [[local, coefficient]] = rename(lc)
      invariant(lc.size === 1 && coefficient === 1, `output of ${gadget.key} is not a wire`)
      return local
    }),
    sources: sorted.map((signal) =>
      signal < gadget.signals.length ? { signal } : bitSources[signal - gadget.signals.length],
    ),
  }
}
