/**
 * Gadgets of many operands. circom takes minutes for lists of thousands, and what it makes of them says nothing new:
 * a template that treats all operands alike has, for one operand more, one step more in the middle of its rows. So
 * circom compiles three short lengths. The step is read off the first two, the third must be what two steps make of
 * the first, and then any length is unrolled.
 *
 * An index of a signal is c + β·k + γ·m in step k of a gadget of m operands, with β and γ 0 or 1: it stands still,
 * runs with the steps, or counts from the end.
 */
import { InvariantError } from "../../errors.js"
import { type Gadget, type Lc, type LocalRow, ONE, type Request } from "./elimination.js"
import { type GadgetUse, gadgetKey } from "./families.js"

/** What circom compiles in place of longer ones. */
const seedLengths = [6, 7, 8] as const
/** Most operands with which circom compiles a gadget as it is. */
const longestCompiled = 256

/** The gadgets that circom compiles for a use: itself, or the seeds of a long series. */
export function seedsOf(use: GadgetUse): readonly GadgetUse[] {
  const { kind, parameters } = use
  const [length, ...others] = parameters
  if (!kind.series || length <= longestCompiled) return [use]
  return seedLengths.map((seed) => ({ kind, parameters: [seed, ...others] }))
}

/** A signal `base[index]rest` on a side of a row: its group in the order of signals, none for the constant. */
interface Term {
  readonly side: number
  readonly group: number
  readonly index: number
  readonly value: number
}
/** A row, a request or an output: terms of all its sides. */
type Item = readonly Term[]

/** A run of signals that differ in their first index, `first`, `first` + 1, …; one signal without an index. */
interface Group {
  readonly base: string
  readonly rest: string
  readonly first: number
  count: number
}

interface Series {
  readonly groups: readonly Group[]
  readonly rows: readonly Item[]
  readonly requests: readonly Item[]
  readonly outputs: readonly Item[]
  /** Of each request. */
  readonly bits: number
}

/** A gadget of any length from those of `seedsOf`. @throws InvariantError if they are no series */
export function unroll(use: GadgetUse, [shortest, next, third]: readonly Gadget[]): Gadget {
  const refuse = (): never => {
    throw new InvariantError(`${use.kind.template} is no series: its steps differ in more than an index`)
  }
  const [a, b] = [seriesOf(shortest, refuse), seriesOf(next, refuse)]
  const extended = (longer: GadgetUse): Gadget => {
    const n = longer.parameters[0] - shortest.use.parameters[0]
    if (a.groups.length !== b.groups.length || a.bits !== b.bits) refuse()
    const groups = a.groups.map((group, g) => {
      const { base, rest, first, count } = b.groups[g]
      const grown = count - group.count
      if (base !== group.base || rest !== group.rest || first !== group.first || grown < 0 || grown > 1)
        refuse()
      return { ...group, count: group.count + n * grown }
    })
    const [rows, requests, outputs] = [
      extend(a.rows, b.rows, n, refuse),
      extend(a.requests, b.requests, n, refuse),
      extend(a.outputs, b.outputs, n, refuse),
    ]
    return gadgetOf(longer, { groups, rows, requests, outputs, bits: a.bits })
  }
  if (textOf(extended(third.use)) !== textOf(third)) refuse()
  return extended(use)
}

/** All that a gadget is but its name. */
function textOf({ inputs, signals, rows, requests, outputs }: Gadget): string {
  const list = (lc: Lc) => [...lc]
  return JSON.stringify([
    inputs,
    signals,
    rows.map(({ a, b, c }) => [list(a), list(b), list(c)]),
    requests.map(({ lc, ...what }) => [list(lc), what]),
    outputs.map(list),
  ])
}

function seriesOf({ signals, rows, requests, outputs }: Gadget, refuse: () => never): Series {
  const groups: Group[] = []
  const places: { group: number; index: number }[] = []
  for (const name of signals) {
    const [, base, digits, rest] = /^([^[]*)\[(\d+)\](.*)$/.exec(name) ?? [name, name, "", ""]
    // an index that no shift changes
    const index = digits === "" ? Number.NEGATIVE_INFINITY : Number(digits)
    const last = groups.at(-1)
    if (last?.base === base && last.rest === rest && index === last.first + last.count) last.count++
    else groups.push({ base, rest, first: index, count: 1 })
    places.push({ group: groups.length - 1, index })
  }
  const one = { group: -1, index: Number.NEGATIVE_INFINITY }
  const item = (sides: readonly Lc[]): Item =>
    sides.flatMap((lc, side) =>
      [...lc].map(([signal, value]) => ({ side, ...(places[signal] ?? one), value })),
    )
  const widths = new Set(requests.map((request) => ("bits" in request ? request.bits : -1)))
  const [bits = 0] = widths
  if (widths.size > 1 || bits < 0) refuse()
  return {
    groups,
    rows: rows.map(({ a, b, c }) => item([a, b, c])),
    requests: requests.map(({ lc }) => item([lc])),
    outputs: outputs.map((lc) => item([lc])),
    bits,
  }
}

/** Whether two indices are one, or one counts from the end of lengths that differ by one: γ, or −1 if neither. */
const drift = (from: number, to: number): number => (to === from ? 0 : to === from + 1 ? 1 : -1)

/** γ of each term where an item of one length is that of the next; undefined where it is another. */
function drifts(a: Item, b: Item): readonly number[] | undefined {
  if (a.length !== b.length) return undefined
  const found = a.map((x, i) => {
    const y = b[i]
    return x.side === y.side && x.group === y.group && x.value === y.value ? drift(x.index, y.index) : -1
  })
  return found.includes(-1) ? undefined : found
}

const shifted = (item: Item, by: (term: number) => number): Item =>
  item.map((term, i) => ({ ...term, index: term.index + by(i) }))

/** The list of a gadget with n operands more than the one that has `a`; one more has `b`. */
function extend(a: readonly Item[], b: readonly Item[], n: number, refuse: () => never): Item[] {
  const period = b.length - a.length
  if (period < 0) return refuse()
  const before: (readonly number[])[] = []
  for (let i = 0; i < a.length; i++) {
    const found = drifts(a[i], b[i])
    if (!found) break
    before.push(found)
  }
  const end = before.length
  if (period > end) return refuse()
  const head = before.map((gamma, i) => shifted(a[i], (t) => gamma[t] * n))
  const step = Array.from({ length: period }, (_, i) => {
    const gamma = before[end - period + i]
    const beta = drifts(b[end - period + i], b[end + i]) ?? refuse()
    if (beta.some((x, t) => x + gamma[t] > 1)) refuse()
    return (k: number) => shifted(b[end + i], (t) => beta[t] * k + gamma[t] * (n - 1))
  })
  const steps = Array.from({ length: n }, (_, k) => step.map((make) => make(k))).flat()
  const tail = a.slice(end).map((item, i) => {
    const later = b[end + period + i]
    const gamma = drifts(item, later)
    if (gamma) return shifted(item, (t) => gamma[t] * n)
    // a sum over all operands is a list of its own
    if (item.length === later.length) return refuse()
    const single = (list: Item) => list.map((term) => [term])
    return extend(single(item), single(later), n, refuse).flat()
  })
  return [...head, ...steps, ...tail]
}

function gadgetOf(use: GadgetUse, { groups, rows, requests, outputs, bits }: Series): Gadget {
  const starts: number[] = []
  let length = 0
  for (const { count } of groups) {
    starts.push(length)
    length += count
  }
  const signals = groups.flatMap(({ base, rest, first, count }) =>
    Array.from({ length: count }, (_, i) =>
      first === Number.NEGATIVE_INFINITY ? base : `${base}[${first + i}]${rest}`,
    ),
  )
  const lc = (item: Item, side: number): Lc =>
    new Map(
      item
        .filter((term) => term.side === side)
        .map(({ group, index, value }) => {
          if (group < 0) return [ONE, value]
          const { first } = groups[group]
          return [starts[group] + (index === first ? 0 : index - first), value]
        }),
    )
  return {
    key: gadgetKey(use),
    use,
    inputs: use.kind.inputs(use.parameters).length,
    signals,
    rows: rows.map((item): LocalRow => ({ a: lc(item, 0), b: lc(item, 1), c: lc(item, 2) })),
    requests: requests.map((item): Request => ({ lc: lc(item, 0), bits })),
    outputs: outputs.map((item) => lc(item, 0)),
  }
}
