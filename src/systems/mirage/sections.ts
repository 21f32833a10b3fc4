/**
 * The points of a key, by what is known of the values they are multiplied by:
 *
 *     small      small integers
 *     full       field elements: c, ev, Horner steps, Poseidon's wires; then masks, which multiply points of the
 *                key itself. Their points come with 2^(8k) times themselves, so their bytes are small integers, too,
 *                and all of these are one multiplication.
 *     projected  wires of projected contractions: field elements, too many for multiples
 *     lookups    inverses and quotients of the lookup argument: 1/(c − t) for an entry t, or a small multiple
 *
 * Points of private weights, and of inverses of queries of weights alone, are none of these: what they add up to, of
 * queries for each entry, is a constant of the model (weights.ts).
 */

import { type ByteSource, gather, join } from "../../circuit/formats/source.js"
import type { Lookup } from "../../circuit/link/lookup.js"
import type { Witness } from "../../circuit/witness/witness.js"
import { invariant } from "../../errors.js"
import type { Engine, Entries, Points } from "../../prover/engine/engine.js"
import { fileBytes, type NameOf } from "../../prover/kernels/points/points.js"
import type { MirageCircuit } from "./circuit.js"
import { queriesOfWeights } from "./weight-queries.js"
import { CHALLENGE, EVALUATION, publicWires } from "./wires.js"
import type { CommittedWitness } from "./witness.js"

/** Points of a section of the key: one for each wire, in the same order, which is ascending. */
export interface Section {
  /** What errors call it. */
  readonly name: string
  readonly wires: Uint32Array
  readonly points: Uint8Array | ByteSource
}

export interface LoadedSections {
  readonly small: Uint32Array
  readonly full: Uint32Array
  /** Points of `small`, of `full` and of the masks with their multiples. */
  readonly points: Points
  /** Wires of projections, each once, and the sums of all points of each. */
  readonly projected: { readonly wires: Uint32Array; readonly points: Promise<Points> } | undefined
  /** Points of the inverses, then of the quotients with 2^k times themselves. */
  readonly lookups: Points | undefined
}

/** Kinds of wires, by number. */
const kindNames = ["small", "full", "projected", "lookups", "constant"] as const
type Kind = (typeof kindNames)[number]

const digitBits = 8
/** Multiples of a point that meets field elements: one for each of their bytes. */
export const digits = 32

/** Multiples of the point of a quotient: one for each bit of a multiplicity, none of which is above the queries. */
export const quotientMultiples = ({ table }: Pick<Lookup, "table">): number =>
  Math.max(1, Math.ceil(Math.log2(table.length + 1)))

export class SectionLoader {
  private readonly kind: Uint8Array
  private readonly firstLookup: number
  private readonly firstQuotient: number
  private readonly entryCount: number
  private readonly quotientLayers: number
  private readonly multiplicities: number
  /** Queries that are not of weights alone. */
  private readonly queries: Uint32Array
  private readonly loaded: Points[] = []
  private readonly pending: Promise<Points>[] = []

  constructor(
    { linked }: MirageCircuit,
    private readonly engine: Engine,
    /** Whether points stay in the engine; else sections that are sources are read by every multiplication. */
    private readonly resident: boolean,
  ) {
    const { r1cs, lookup, large, firstFinal, projected, weights } = linked
    this.kind = new Uint8Array(r1cs.wires)
    this.firstLookup = lookup.inverses
    this.firstQuotient = lookup.quotients
    this.entryCount = lookup.tableStart[lookup.tables.length]
    const number = (kind: Kind) => kindNames.indexOf(kind)
    for (const wire of [...large, CHALLENGE, EVALUATION]) this.kind[wire] = number("full")
    this.kind.fill(number("full"), firstFinal)
    this.kind.fill(number("lookups"), this.firstLookup, this.firstQuotient + this.entryCount)
    this.kind.fill(number("projected"), projected.first)
    this.kind.fill(number("constant"), publicWires, publicWires + weights)
    const ofWeights = queriesOfWeights(linked)
    for (const query of ofWeights) this.kind[this.firstLookup + query] = number("constant")
    this.queries = Uint32Array.from(lookup.table.keys()).filter(
      (query) => this.kind[this.firstLookup + query] === number("lookups"),
    )
    this.multiplicities = lookup.multiplicities
    this.quotientLayers = quotientMultiples(lookup)
  }

  /** Loads the points of one multiplication; `masks` are points as in a file. */
  load(group: "g1" | "g2", sections: readonly Section[], masks: readonly Uint8Array[] = []): LoadedSections {
    const size = fileBytes[group]
    const kinds = sections.map(({ wires }) => this.byKind(wires))
    const pick = (_: Kind, kind: number) => {
      const places = kinds.map((places) => places[kind])
      const wires = new Uint32Array(places.reduce((sum, { length }) => sum + length, 0))
      let at = 0
      sections.forEach((section, k) => {
        for (const place of places[k]) wires[at++] = section.wires[place]
      })
      const parts = sections.map(({ name }, k) => ({ name, places: places[k] }))
      return {
        wires,
        parts,
        points: sections.map(({ points }, k) => gather(sourceOf(points), size, places[k])),
      }
    }
    const [small, full, projected, lookups] = kindNames.map(pick)
    const multiples = { from: small.wires.length, bits: digitBits, layers: digits }
    const points = this.engine.load(group, join([...small.points, ...full.points, ...masks]), {
      multiples,
      nameOf: nameOf([...small.parts, ...full.parts]),
      resident: this.resident,
    })
    this.loaded.push(points)
    let lookupPoints: Points | undefined
    if (lookups.wires.length > 0) {
      const queries = this.queries.length
      invariant(
        lookups.wires.length === queries + this.entryCount,
        "all wires of the lookup argument loaded a section",
      )
      const powers = { from: queries, bits: 1, layers: this.quotientLayers }
      lookupPoints = this.engine.load(group, join(lookups.points), {
        multiples: powers,
        nameOf: nameOf(lookups.parts),
        resident: this.resident,
      })
      this.loaded.push(lookupPoints)
    }
    let summed: LoadedSections["projected"]
    if (projected.wires.length > 0) {
      const options = { nameOf: nameOf(projected.parts), resident: this.resident }
      summed = this.sumByWire(projected.wires, this.engine.load(group, join(projected.points), options))
    }
    return {
      small: small.wires,
      full: full.wires,
      points,
      projected: summed,
      lookups: lookupPoints,
    }
  }

  /** Points of one wire in several sections meet one scalar: they are added once and for all. */
  private sumByWire(wires: Uint32Array, points: Points): LoadedSections["projected"] {
    const groupOf = new Map<number, number>()
    for (const wire of wires) if (!groupOf.has(wire)) groupOf.set(wire, groupOf.size)
    if (groupOf.size === wires.length) {
      this.loaded.push(points)
      return { wires, points: Promise.resolve(points) }
    }
    const group = wires.map((wire) => groupOf.get(wire) ?? 0)
    const summed = this.engine.sums(points, { group, point: wires.map((_, i) => i) }, groupOf.size)
    const made = summed.finally(() => this.engine.free(points))
    // whoever proves or closes waits for it
    made.then(
      (sums) => this.loaded.push(sums),
      () => undefined,
    )
    this.pending.push(made)
    return { wires: Uint32Array.from(groupOf.keys()), points: made }
  }

  /** Places of wires in a section by kind, ascending. */
  private byKind(wires: Uint32Array): readonly Uint32Array[] {
    const counts = kindNames.map(() => 0)
    for (let i = 0; i < wires.length; i++) counts[this.kind[wires[i]]]++
    const places = counts.map((count) => new Uint32Array(count))
    counts.fill(0)
    for (let i = 0; i < wires.length; i++) {
      const kind = this.kind[wires[i]]
      places[kind][counts[kind]++] = i
    }
    return places
  }

  /** What the points of a loaded are multiplied by, those of projections and lookups aside. */
  scalars({ small, full, points }: LoadedSections, witness: Witness, masks: readonly bigint[]): Float64Array {
    const scalars = new Float64Array(points.count)
    for (let i = 0; i < small.length; i++) scalars[i] = witness.small[small[i]]
    const layer = full.length + masks.length
    const write = (value: bigint, i: number) => {
      signedDigits(value, (k, digit) => {
        scalars[small.length + k * layer + i] = digit
      })
    }
    full.forEach((wire, i) => {
      write(witness.large.get(wire) ?? 0n, i)
    })
    masks.forEach((value, i) => {
      write(value, full.length + i)
    })
    return scalars
  }

  /**
   * The wires of the lookup argument by entry t, those that occur: the points of the queries that hit it and, as
   * its quotient is the multiplicity times its inverse, the point of the quotient as often. Group g is entry
   * `occurring[g]`.
   */
  entries({ entries: all, small }: CommittedWitness): { occurring: Uint32Array; grouped: Entries } {
    const entries = this.queries.map((query) => all[query])
    const queries = entries.length
    // multiplicities of no execution, which make no proof, need not fit
    const bound = 2 ** this.quotientLayers
    const multiplicity = (entry: number): number => small[this.multiplicities + entry] % bound
    const groupOf = new Uint32Array(this.entryCount)
    for (const entry of entries) groupOf[entry] = 1
    let count = queries
    let groups = 0
    for (let entry = 0; entry < this.entryCount; entry++) {
      let m = multiplicity(entry)
      if (m > 0 || groupOf[entry] === 1) groupOf[entry] = groups++
      for (; m > 0; m >>= 1) count += m & 1
    }
    const occurring = new Uint32Array(groups)
    const group = new Uint32Array(count)
    const point = new Uint32Array(count)
    for (let i = 0; i < queries; i++) {
      point[i] = i
      group[i] = groupOf[entries[i]]
      occurring[group[i]] = entries[i]
    }
    let at = queries
    for (let entry = 0; entry < this.entryCount; entry++) {
      let multiple = queries + entry
      for (let m = multiplicity(entry); m > 0; m >>= 1) {
        if (m & 1) {
          occurring[groupOf[entry]] = entry
          group[at] = groupOf[entry]
          point[at++] = multiple
        }
        multiple += this.entryCount
      }
    }
    return { occurring, grouped: { group, point } }
  }

  async free(): Promise<void> {
    await Promise.allSettled(this.pending.splice(0))
    await Promise.all(this.loaded.splice(0).map((points) => this.engine.free(points)))
  }
}

/** Points are picked out of a section when they are loaded, so that there is no second one. */
const sourceOf = (points: Uint8Array | ByteSource): ByteSource =>
  points instanceof Uint8Array
    ? { size: points.length, read: async (from, length) => points.subarray(from, from + length) }
    : points

/** Where points stand that were picked out of sections, one part behind the other; masks come last. */
const nameOf =
  (parts: readonly { readonly name: string; readonly places: Uint32Array }[]): NameOf =>
  (point) => {
    for (const { name, places } of parts) {
      if (point < places.length) return pointName(name, places[point])
      point -= places.length
    }
    return "proving key, a mask"
  }

/** What errors call point number `point` of a section. */
export const pointName = (section: string, point: number): string =>
  `proving key, section ${section}, point ${point}`

/** The digits of a field element below 2^254 with base 2^8, from −128 to 128, least first. */
function signedDigits(value: bigint, write: (k: number, digit: number) => void): void {
  const text = value.toString(16).padStart(2 * digits, "0")
  let carry = 0
  for (let k = 0; k < digits; k++) {
    const at = text.length - 2 * (k + 1)
    let digit = Number.parseInt(text.slice(at, at + 2), 16) + carry
    carry = digit > 128 ? 1 : 0
    digit -= carry << 8
    write(k, digit)
  }
}
