/**
 * An evaluator (queries.ts) that knows no secret. A polynomial of a wire is a sum of Lagrange polynomials with the
 * circuit's coefficients, so its point is that sum of Lagrange points (lagrange.ts). Nearly all coefficients are small
 * integers, and a point times an integer is, by the integer's signed binary digits, a sum of ±2^k times the point.
 *
 *     rows     are taken in blocks: their points, and the multiples 2^k that their coefficients need, make a table
 *     entries  a digit of a coefficient adds one point of the table to the sum of its wire, or takes it away
 *     wires    that an earlier block began bring their sum along as one more point
 *
 * In the non-adjacent form (Reitwiesner 1960) every third digit is not zero, so a coefficient of b bits costs b/3
 * additions. Rows are in the order of their longest coefficients, lest the full field elements of a few lengthen the
 * tables of all. Every δ is one: contributions put theirs in.
 */
import type { R1cs, SparseRows } from "../circuit/formats/r1cs.js"
import { type ByteSource, gather } from "../circuit/formats/source.js"
import { invariant, type OnProgress } from "../errors.js"
import { signed } from "../field.js"
import type { Group, KernelEngine } from "../prover/kernels/engine.js"
import { fileBytes } from "../prover/kernels/points/points.js"
import type { LagrangePoints, LagrangeSection } from "./lagrange-file.js"
import type { PowersOfTau } from "./ptau/powers.js"
import { hasProduct, publicCount } from "./qap.js"
import type { Column, Evaluator, Query, QuotientQuery, Secret, WireQuery } from "./queries.js"

export interface PowersOptions {
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
  /** Tests take fewer, so that a small circuit has several blocks. */
  readonly block?: BlockLimits
}

export interface BlockLimits {
  /** Points of a table, multiples included. */
  readonly points: number
  /** Digits of the coefficients of its rows, unless a single row has more. */
  readonly digits: number
}
/** A table of some megabytes stays in the caches. */
const usualBlock: BlockLimits = { points: 2 ** 17, digits: 2 ** 21 }

/** Points of H that are multiplied at a time. */
const quotientBlock = 2 ** 14

/**
 * An evaluator by Lagrange points of the domain that it is asked about. It throws AbortError, what reading the points
 * throws, and FileError for points that are none.
 */
export const evaluateByPowers =
  (
    engine: KernelEngine,
    powers: PowersOfTau,
    lagrange: LagrangePoints,
    options: PowersOptions = {},
  ): Evaluator =>
  async (system, domain, _secrets, queries) => {
    invariant(domain === lagrange.domain, "the points are of the domain")
    const { onProgress, signal } = options
    const stage = "evaluate circuit"
    const names = Object.keys(queries) as (keyof typeof queries)[]
    const total = names.reduce((sum, name) => sum + pointsIn(queries[name], domain), 0)
    let done = 0
    const digits = system.values.map((value) => signedDigits(signed(value)))
    const results = new Map<string, Uint8Array>()
    for (const name of names) {
      signal?.throwIfAborted()
      onProgress?.({ stage, done, total })
      const query: Query = queries[name]
      if ("secrets" in query)
        results.set(name, await secretPoints(engine, powers, query.group, query.secrets))
      else if ("layers" in query) results.set(name, await quotientPoints(engine, lagrange, query, signal))
      else results.set(name, await wirePoints(engine, lagrange, { system, digits }, query, options))
      done += pointsIn(query, domain)
    }
    onProgress?.({ stage, done, total })
    return Object.fromEntries(results) as Record<keyof typeof queries, Uint8Array>
  }

/** How many points a query has. */
function pointsIn(query: Query, domain: number): number {
  if ("secrets" in query) return query.secrets.length
  return "layers" in query ? query.layers.count * domain : query.wires.length
}

async function secretPoints(
  engine: KernelEngine,
  powers: PowersOfTau,
  group: Group,
  secrets: readonly (Secret | "one")[],
): Promise<Uint8Array> {
  const generator = await engine.fixedBase(group, new Uint8Array(32).fill(1, 0, 1))
  const points = secrets.map(async (secret) => {
    if (secret === "alpha" && group === "g1") return powers.read("alphaG1", 0, 1)
    if (secret === "beta") return group === "g1" ? powers.read("betaG1", 0, 1) : powers.betaG2
    invariant(secret !== "alpha", "no powers have alpha in G2")
    return generator
  })
  return concatenated(await Promise.all(points))
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** The points of the quotient, layer by layer. */
async function quotientPoints(
  engine: KernelEngine,
  lagrange: LagrangePoints,
  { layers }: QuotientQuery,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { domain } = lagrange
  const size = fileBytes.g1
  const odd = lagrange.points("odd")
  const result = new Uint8Array(layers.count * domain * size)
  for (let first = 0; first < domain; first += quotientBlock) {
    signal?.throwIfAborted()
    const count = Math.min(quotientBlock, domain - first)
    const bytes = await odd.read(first * size, count * size)
    const multiples = { from: 0, bits: layers.bits, layers: layers.count }
    const set = await engine.points("g1", bytes, { multiples, nameOf: (i) => `Lagrange point ${first + i}` })
    const made = await engine.bytes(set)
    engine.free(set)
    for (let layer = 0; layer < layers.count; layer++) {
      const own = made.subarray(layer * count * size, (layer + 1) * count * size)
      result.set(own, (layer * domain + first) * size)
    }
  }
  return result
}

/** Lagrange points that a column is a sum of, by what it comes times. */
const sections: Readonly<Record<Group, Readonly<Partial<Record<Secret | "one", LagrangeSection>>>>> = {
  g1: { one: "tauG1", alpha: "alphaG1", beta: "betaG1" },
  g2: { one: "tauG2" },
}

function sectionOf(group: Group, column: Column, times: Secret | "one"): LagrangeSection {
  if (column === "oddProducts" && group === "g1" && times === "one") return "products"
  const section = column === "oddProducts" ? undefined : sections[group][times]
  invariant(section, `powers give no ${column} times ${times} in ${group}`)
  return section
}

const sideOf = ({ a, b, c }: R1cs, column: Column): SparseRows =>
  ({ u: a, v: b, w: c, oddProducts: c })[column]

/** Which Lagrange points a system's queries are made of. */
export function sectionsFor(queries: Readonly<Record<string, Query>>): ReadonlySet<LagrangeSection> {
  const needed = new Set<LagrangeSection>()
  for (const query of Object.values(queries)) {
    if ("layers" in query) needed.add("odd")
    if (!("sum" in query)) continue
    for (const { column, times = "one" } of query.sum) needed.add(sectionOf(query.group, column, times))
  }
  return needed
}

async function wirePoints(
  engine: KernelEngine,
  lagrange: LagrangePoints,
  { system, digits }: { readonly system: R1cs; readonly digits: readonly Uint16Array[] },
  query: WireQuery,
  { signal, block = usualBlock }: PowersOptions,
): Promise<Uint8Array> {
  const sums = new WireSums(engine, query.group, query.wires, system.wires)
  for (const { column, times = "one" } of query.sum) {
    const points = lagrange.points(sectionOf(query.group, column, times))
    const terms = new Terms(system, column, digits, sums)
    for (const rows of terms.blocks(block)) {
      signal?.throwIfAborted()
      await sums.add(points, rows, terms, signal)
    }
  }
  return sums.points
}

/** Integers below it are cut as machine words: nearly all coefficients. */
const small = 2n ** 29n

/** Twice the place of every digit that is not zero in the non-adjacent form of an integer; bit 0 if it is −1. */
export function signedDigits(value: bigint): Uint16Array {
  const sign = value < 0n ? 1 : 0
  const magnitude = value < 0n ? -value : value
  const digits: number[] = []
  if (magnitude < small) {
    // 3x = x + 2x: where it differs from x is a digit, which is −1 where x has the one
    const x = Number(magnitude)
    for (let rest = x ^ (3 * x); rest !== 0; rest &= rest - 1) {
      const bit = 31 - Math.clz32(rest & -rest)
      digits.push(2 * (bit - 1) + (((x >>> bit) & 1) ^ sign))
    }
    return Uint16Array.from(digits)
  }
  let rest = magnitude
  for (let place = 0; rest !== 0n; place++, rest >>= 1n) {
    if ((rest & 1n) === 0n) continue
    const negative = (rest & 3n) === 3n
    if (negative) rest += 1n
    digits.push(2 * place + (negative ? 1 - sign : sign))
  }
  return Uint16Array.from(digits)
}

/** Highest place of a coefficient's digits. */
const lastPlace = (digits: Uint16Array): number => digits[digits.length - 1] >> 1

/** Rows of a block, ascending, and what its table has of each: `layers` multiples, itself among them. */
interface RowBlock {
  readonly rows: Uint32Array
  readonly layers: number
  /** Digits of all coefficients. */
  readonly digits: number
}

/** The coefficients of a column, row by row, as far as they are of wires that are asked about. */
class Terms {
  private readonly system: R1cs
  private readonly side: SparseRows
  private readonly column: Column
  private readonly digits: readonly Uint16Array[]
  private readonly sums: WireSums
  private readonly one = signedDigits(1n)

  constructor(system: R1cs, column: Column, digits: readonly Uint16Array[], sums: WireSums) {
    this.system = system
    this.side = sideOf(system, column)
    this.column = column
    this.digits = digits
    this.sums = sums
  }

  /** Calls `term` for each coefficient of a row: where its wire is among those asked about, and its digits. */
  each(row: number, term: (place: number, digits: Uint16Array) => void): void {
    const { system, side, sums } = this
    if (row >= system.rows) {
      // wire·0 = 0 for the constant and every public wire
      const place = sums.placeOf(row - system.rows)
      if (place >= 0) term(place, this.one)
      return
    }
    if (this.column === "oddProducts" && !hasProduct(system, row)) return
    for (let j = side.rowPtr[row]; j < side.rowPtr[row + 1]; j++) {
      const place = sums.placeOf(side.wires[j])
      if (place >= 0) term(place, this.digits[side.coefficients[j]])
    }
  }

  /** Rows with coefficients, those with the longest first, in blocks. */
  blocks({ points, digits: mostDigits }: BlockLimits): RowBlock[] {
    const { system, column } = this
    const rows = system.rows + (column === "u" ? publicCount(system) + 1 : 0)
    const layers = new Uint16Array(rows)
    const digits = new Uint32Array(rows)
    for (let row = 0; row < rows; row++) {
      this.each(row, (_, own) => {
        if (own.length === 0) return
        layers[row] = Math.max(layers[row], lastPlace(own) + 1)
        digits[row] += own.length
      })
    }
    const order = Uint32Array.from({ length: rows }, (_, row) => row)
      .filter((row) => layers[row] > 0)
      .sort((x, y) => layers[y] - layers[x] || x - y)
    const blocks: RowBlock[] = []
    for (let first = 0; first < order.length; ) {
      // the first row of a block has the longest coefficients
      const own = layers[order[first]]
      const most = Math.max(1, Math.floor(points / own))
      let end = first
      let sum = 0
      while (end < order.length && end - first < most) {
        if (end > first && sum + digits[order[end]] > mostDigits) break
        sum += digits[order[end++]]
      }
      blocks.push({ rows: order.slice(first, end).sort(), layers: own, digits: sum })
      first = end
    }
    return blocks
  }
}

/** A point for every wire that is asked about, to which blocks of rows add. */
class WireSums {
  /** As a file has them. */
  readonly points: Uint8Array<ArrayBuffer>
  private readonly engine: KernelEngine
  private readonly group: Group
  /** Where a wire is among those asked about, or −1. */
  private readonly places: Int32Array
  /** Whether anything was added to a place. */
  private readonly begun: Uint8Array
  /** Number of a place among those that a block adds to, from 1 on. */
  private readonly numbers: Uint32Array

  constructor(engine: KernelEngine, group: Group, wires: Uint32Array, allWires: number) {
    this.engine = engine
    this.group = group
    this.points = new Uint8Array(wires.length * fileBytes[group])
    this.places = new Int32Array(allWires).fill(-1)
    wires.forEach((wire, place) => {
      this.places[wire] = place
    })
    this.begun = new Uint8Array(wires.length)
    this.numbers = new Uint32Array(wires.length)
  }

  placeOf(wire: number): number {
    return this.places[wire]
  }

  async add(
    source: ByteSource,
    { rows, layers, digits }: RowBlock,
    terms: Terms,
    signal?: AbortSignal,
  ): Promise<void> {
    const { group, numbers, begun, engine } = this
    const size = fileBytes[group]
    const touched: number[] = []
    for (const row of rows) {
      terms.each(row, (place, { length }) => {
        if (length > 0 && numbers[place] === 0) numbers[place] = touched.push(place)
      })
    }
    const carried = touched.filter((place) => begun[place] === 1)
    const bytes = new Uint8Array((carried.length + rows.length) * size)
    carried.forEach((place, i) => {
      bytes.set(this.points.subarray(place * size, (place + 1) * size), i * size)
    })
    bytes.set(await pointsAt(source, size, rows), carried.length * size)
    const entries = {
      group: new Uint32Array(carried.length + digits),
      point: new Uint32Array(carried.length + digits),
      negative: new Uint8Array(carried.length + digits),
    }
    let at = 0
    for (const place of carried) {
      entries.group[at] = numbers[place] - 1
      entries.point[at] = at++
    }
    rows.forEach((row, i) => {
      terms.each(row, (place, own) => {
        for (const digit of own) {
          entries.group[at] = numbers[place] - 1
          entries.point[at] = carried.length + i + rows.length * (digit >> 1)
          entries.negative[at++] = digit & 1
        }
      })
    })
    const multiples = { from: carried.length, bits: 1, layers }
    const nameOf = (i: number) => `Lagrange point ${rows[i - carried.length]}`
    const table = await engine.points(group, bytes, { multiples, nameOf })
    const sums = await engine
      .sums(table, entries, touched.length, { signal })
      .finally(() => engine.free(table))
    const made = await engine.bytes(sums)
    engine.free(sums)
    touched.forEach((place, i) => {
      this.points.set(made.subarray(i * size, (i + 1) * size), place * size)
      begun[place] = 1
      numbers[place] = 0
    })
  }
}

/** Some points of a source, in the order of their numbers. */
async function pointsAt(source: ByteSource, size: number, numbers: Uint32Array): Promise<Uint8Array> {
  const picked = gather(source, size, numbers)
  return picked instanceof Uint8Array ? picked : picked.read(0, picked.size)
}
