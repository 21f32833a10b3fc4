/**
 * Whether the points of a key are what its circuit and powers of tau make of them, without making them again.
 *
 * Point by point: every coordinate is below q, every point on its curve, and infinity stands only where the circuit has
 * the zero polynomial, as for a wire on no row. Then all of them at once: with random ρ_i of 128 bits, and δ_s the
 * secret that section s is divided by,
 *
 *     Π_s e(Σ ρ_i·P_i of section s, δ_s) = e(Σ ρ_i·(what the circuit says of P_i, every δ one), 1)       in G1
 *     Σ ρ_i·P_i = Σ ρ_i·(what the circuit says of P_i)                                                   in G2
 *
 * where the right sides come from the powers (combination.ts). A wrong point makes the difference of the two sides a
 * linear form in the ρ_i that is not zero, so it vanishes for at most one ρ_i in 2^128, whatever the others are.
 *
 * That argument is about groups of prime order. G1 is the whole curve, but the twist has points of small orders beside
 * G2, the least being 10069: a point of G2 plus one of that order passes the second equation for one ρ_i in 10069. So
 * that all lie in G2 is asked for apart: of ten sums, with independent factors of 13 bits. Modulo any such order these
 * are all different, so the factor of a point outside is the one that takes it back in with a chance of 2^-13, and in
 * all ten sums with 2^-130.
 */
import type { R1cs } from "../circuit/formats/r1cs.js"
import { type ByteSource, partOf } from "../circuit/formats/source.js"
import { invariant, type OnProgress } from "../errors.js"
import { platformRandom } from "../platform.js"
import type { KernelEngine, PointSet } from "../prover/kernels/engine.js"
import { pairingsAreOne } from "../prover/kernels/points/pairing.js"
import { type Affine, addPoints, fileBytes } from "../prover/kernels/points/points.js"
import { type Combinations, factorBytes } from "./combination.js"
import { generator2, isInG2, negated } from "./ptau/points.js"
import { occurringWires } from "./qap.js"
import type { QuotientQuery, Secret, WireQuery } from "./queries.js"

/** A section of a key, with what it has to be. */
export interface ClaimedSection {
  /** What problems call it. */
  readonly name: string
  readonly query: WireQuery | QuotientQuery
  /** As many points as the query says, as a file has them. */
  readonly points: ByteSource
}

export interface ComparisonOptions {
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/** How much of a section is looked at at a time. */
const blockBytes = 2 ** 24
/** Sums that have to lie in G2, and what their factors are below: less than every prime that divides 2q − r. */
const subgroupSums = 10
const subgroupFactors = 2 ** 13

/** A section whose points are points: with factors, and their sum. */
interface Summed {
  readonly section: ClaimedSection
  readonly factors: Uint8Array
  readonly sum: Affine
}

/** Number of a point, and what is wrong with it. */
interface Wrong {
  readonly at: number
  readonly what: string
}

/** The points of a key against its circuit. */
export class Comparison {
  private done = 0
  private readonly total: number

  /** `divisors`: the secrets that sections are divided by, as finite points of G2. */
  constructor(
    private readonly kernels: KernelEngine,
    private readonly combinations: Combinations,
    private readonly system: R1cs,
    private readonly sections: readonly ClaimedSection[],
    private readonly divisors: Readonly<Partial<Record<Secret, Affine>>>,
    private readonly options: ComparisonOptions = {},
  ) {
    this.total = sections.reduce((sum, { points }) => sum + points.size, 0)
  }

  /**
   * What is wrong with the points: for every section that has a wrong one, the first of them.
   * @throws what reading throws; AbortError
   */
  async problems(): Promise<string[]> {
    const problems: string[] = []
    const summed: Summed[] = []
    for (const section of this.sections) {
      const found = await this.sumOf(section)
      if (typeof found === "string") problems.push(found)
      else summed.push(found)
    }
    if (await this.hold(summed)) return problems
    for (const one of summed) {
      if (!(await this.hold([one]))) problems.push(await this.firstWrong(one))
    }
    return problems
  }

  /** The sum of a section's points, each times a factor that is drawn now; or what makes one no point. */
  private async sumOf(section: ClaimedSection): Promise<Summed | string> {
    const { query, points } = section
    const factors = platformRandom((points.size / fileBytes[query.group]) * factorBytes)
    const mayBeInfinite = this.infinities(section)
    const sums: Affine[] = []
    for await (const { bytes, first } of blocksOf(points, query)) {
      this.options.signal?.throwIfAborted()
      const wrong =
        (await this.noPoint(query.group, bytes, (i) => mayBeInfinite(first + i))) ??
        (query.group === "g2" ? await this.outsideSubgroup(bytes) : undefined)
      if (wrong) return `${this.nameOf(section, first + wrong.at)} ${wrong.what}`
      sums.push(await this.multiply(query.group, bytes, factors, first))
      this.done += bytes.length
      this.options.onProgress?.({ stage: "compare points", done: this.done, total: this.total })
    }
    return { section, factors, sum: addPoints(query.group, sums) }
  }

  /** Whether sections, taken together, are what they should be. */
  private async hold(parts: readonly Summed[]): Promise<boolean> {
    const { signal } = this.options
    const weighted = parts.map(({ section: { query }, factors }) => ({ query, factors }))
    const expected = await this.combinations.of(weighted, { signal })
    const sums = new Map<Affine, Affine[]>()
    const twos: Affine[] = []
    for (const { section, sum } of parts) {
      const { query } = section
      if (query.group === "g2") {
        twos.push(sum)
        continue
      }
      const divisor = query.over === undefined ? generator2 : this.divisors[query.over]
      invariant(divisor, `the divisor of ${section.name} is known`)
      sums.set(divisor, [...(sums.get(divisor) ?? []), sum])
    }
    if (!isSame(addPoints("g2", twos), expected.g2)) return false
    return pairingsAreOne(this.kernels.pool, [
      { one: expected.g1 && negated(expected.g1), two: generator2 },
      ...Array.from(sums, ([two, ones]) => ({ one: addPoints("g1", ones), two })),
    ])
  }

  /** The first wrong point of a section that has one: half of those in question at a time. */
  private async firstWrong({ section, factors }: Summed): Promise<string> {
    const { query, points } = section
    const size = fileBytes[query.group]
    let [from, to] = [0, points.size / size]
    while (to - from > 1) {
      const middle = (from + to) >> 1
      const masked = new Uint8Array(factors.length)
      masked.set(factors.subarray(factorBytes * from, factorBytes * middle), factorBytes * from)
      const sums: Affine[] = []
      const half = partOf(points, { at: size * from, length: size * (middle - from) })
      for await (const { bytes, first } of blocksOf(half, query))
        sums.push(await this.multiply(query.group, bytes, factors, from + first))
      const isRight = await this.hold([{ section, factors: masked, sum: addPoints(query.group, sums) }])
      if (isRight) from = middle
      else to = middle
    }
    const over = "over" in query && query.over ? ` and ${query.over}` : ""
    return `${this.nameOf(section, from)} is not what the circuit, the powers of tau${over} make it`
  }

  /** Σ factor · point over a block whose first point has the factor number `first`. */
  private async multiply(
    group: "g1" | "g2",
    bytes: Uint8Array,
    factors: Uint8Array,
    first: number,
  ): Promise<Affine> {
    const count = bytes.length / fileBytes[group]
    const full = new Uint8Array(32 * count)
    for (let i = 0; i < count; i++) {
      const at = factorBytes * (first + i)
      full.set(factors.subarray(at, at + factorBytes), 32 * i)
    }
    const set = await this.kernels.points(group, bytes)
    try {
      return await this.kernels.msm(set, { full }, { signal: this.options.signal, bits: 8 * factorBytes })
    } finally {
      this.kernels.free(set)
    }
  }

  /** The first point that is none; some may be infinity. */
  private async noPoint(
    group: "g1" | "g2",
    bytes: Uint8Array,
    mayBeInfinite: (i: number) => boolean,
  ): Promise<Wrong | undefined> {
    const size = fileBytes[group]
    const finite: number[] = []
    for (let i = 0; i < bytes.length / size; i++) {
      if (bytes.subarray(size * i, size * (i + 1)).some((byte) => byte !== 0)) finite.push(i)
      else if (!mayBeInfinite(i)) return { at: i, what: "is at infinity" }
    }
    const points = finite.length === bytes.length / size ? bytes : new Uint8Array(size * finite.length)
    if (points !== bytes)
      finite.forEach((i, k) => {
        points.set(bytes.subarray(size * i, size * (i + 1)), size * k)
      })
    const at = await this.kernels.firstOffCurve(group, points, { signal: this.options.signal })
    if (at < 0) return undefined
    return { at: finite[at], what: "is not on the curve, or has a coordinate that is not below q" }
  }

  /** The first point of the twist that is not of G2. */
  private async outsideSubgroup(bytes: Uint8Array): Promise<Wrong | undefined> {
    if (await this.isInSubgroup(bytes)) return undefined
    const size = fileBytes.g2
    let [from, to] = [0, bytes.length / size]
    while (to - from > 1) {
      const middle = (from + to) >> 1
      if (await this.isInSubgroup(bytes.subarray(size * from, size * middle))) from = middle
      else to = middle
    }
    return { at: from, what: "is outside the subgroup of order r" }
  }

  private async isInSubgroup(bytes: Uint8Array): Promise<boolean> {
    const set: PointSet = await this.kernels.points("g2", bytes)
    try {
      for (let i = 0; i < subgroupSums; i++) {
        const drawn = new Uint16Array(platformRandom(2 * set.count).buffer)
        const small = Float64Array.from(drawn, (factor) => factor % subgroupFactors)
        const sum = await this.kernels.msm(set, { small }, { signal: this.options.signal })
        if (sum !== null && !isInG2(sum)) return false
      }
      return true
    } finally {
      this.kernels.free(set)
    }
  }

  /** Which points of a section may be infinity. */
  private infinities({ query }: ClaimedSection): (i: number) => boolean {
    if ("layers" in query) return () => false
    const occurring = query.sum.map(({ column }) => occurringWires(this.system, column))
    return (i) => occurring.every((wires) => wires[query.wires[i]] === 0)
  }

  private nameOf({ name, query, points }: ClaimedSection, i: number): string {
    if ("wires" in query) return `${name}: point ${i}, of wire ${query.wires[i]},`
    const layer = points.size / fileBytes.g1 / query.layers.count
    return `${name}: point ${i % layer} of layer ${Math.floor(i / layer)}`
  }
}

/** Points of a section in blocks, with the number of the first. */
async function* blocksOf(points: ByteSource, { group }: { readonly group: "g1" | "g2" }) {
  const size = fileBytes[group]
  for (let at = 0; at < points.size; at += blockBytes) {
    const bytes = await points.read(at, Math.min(blockBytes, points.size - at))
    yield { bytes, first: at / size }
  }
}

const isSame = (a: Affine, b: Affine): boolean => `${a}` === `${b}`
