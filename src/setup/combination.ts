/**
 * What random combinations of a key's points have to be, without the points. A query (queries.ts) says which polynomials
 * of the circuit the points of a section are; for factors ρ_i the sum Σ ρ_i·[p_i(τ)] is [Σ ρ_i·p_i](τ), and the
 * coefficients of that one polynomial are found in the field:
 *
 *     rows        Σ_i ρ_i·u_i(X) = Σ_j s_j·L_j(X) with s_j = Σ_i ρ_i·A[j,i], a number for each row
 *     transform   the coefficients of Σ s_j·L_j are the inverse transform of s
 *     powers      Σ c_m·[τ^m], or with [α·τ^m], [β·τ^m] where a column comes times α or β
 *
 * so any number of points over a domain of n costs a few multiplications over n powers, and no Lagrange point is ever
 * made. All δ are one here: a section over a δ is this divided by it, which a pairing with that δ shows.
 *
 * The quotient. With Z and Z̄ vanishing on the rows' points D and on the quotient's E, the polynomials over D ∪ E
 * (basis.ts) are L_e·Z/Z(e) and L_d·Z̄/Z̄(d). So Σ s_e·H_e is Z times the polynomial that has the values s_e/Z(e) on E,
 * and what side C adds is Z̄ times the one that has s_d/Z̄(d) on D, less the one that has s_d there: multiples of Z. Over
 * one coset both are (τ^n − 1) times half a polynomial of degree below n. A file of powers up to τ^(2n−2) does not have
 * τ^(2n−1) = τ^(n−1) + D_(n−1), D_m = τ^(n+m) − τ^m: there D_(n−1) counts as zero. That leaves all of it multiples of
 * τ^n − 1, and changes nothing for A·B − C of degree up to 2n − 2, which is all that there is.
 */
import { encodeFields } from "../circuit/formats/container.js"
import type { R1cs, SparseRows } from "../circuit/formats/r1cs.js"
import { type Coset, cosetsOf } from "../circuit/link/domain.js"
import { invariant } from "../errors.js"
import { mod, power, r, signed } from "../field.js"
import type { KernelEngine } from "../prover/kernels/engine.js"
import { largeValue, Transform } from "../prover/kernels/fields/transform.js"
import { type Affine, addPoints, fileBytes } from "../prover/kernels/points/points.js"
import { Streams } from "../prover/kernels/points/stream.js"
import type { RunOptions } from "../prover/kernels/pool.js"
import { inversesAt } from "./basis.js"
import { groupOf, type PowersOfTau, type PowersSection, pointsOf } from "./ptau/powers.js"
import { hasProduct, publicCount } from "./qap.js"
import type { Column, Query, Secret } from "./queries.js"

/** Bytes of a factor, an integer of 128 bits, little endian: what is wrong cancels with a chance of 2^-128. */
export const factorBytes = 16

/** A query with a factor for each of its points, one behind the other. */
export interface Weighted {
  readonly query: Query
  readonly factors: Uint8Array
}

/** Factor number i. */
type FactorOf = (i: number) => bigint

function factorsOf({ buffer, byteOffset, length }: Uint8Array): FactorOf {
  const view = new DataView(buffer, byteOffset, length)
  return (i) =>
    (view.getBigUint64(factorBytes * i + 8, true) << 64n) | view.getBigUint64(factorBytes * i, true)
}

type Group = Query["group"]

/** Which powers a polynomial is taken with, by what it comes times. */
const sectionOf: Readonly<Record<Group, Readonly<Partial<Record<Secret | "one", PowersSection>>>>> = {
  g1: { one: "tauG1", alpha: "alphaG1", beta: "betaG1" },
  g2: { one: "tauG2" },
}
const powersSections: readonly PowersSection[] = ["tauG1", "alphaG1", "betaG1", "tauG2"]

/** Combinations of the points of one circuit's queries; whoever opens it closes it. */
export class Combinations {
  private constructor(
    private readonly kernels: KernelEngine,
    private readonly powers: Pick<PowersOfTau, "power" | "betaG2" | "read">,
    private readonly system: R1cs,
    private readonly transform: Transform,
    private readonly streams: Streams,
  ) {}

  /** Over a domain of n points, of which `powers` has at least as many. @throws CountersignError where memory is short */
  static async open(
    kernels: KernelEngine,
    powers: Pick<PowersOfTau, "power" | "betaG2" | "read">,
    system: R1cs,
    domain: number,
  ): Promise<Combinations> {
    invariant(domain <= 2 ** powers.power, "the powers reach over the domain")
    const transform = await Transform.make(kernels.pool, domain, 1)
    return new Combinations(kernels, powers, system, transform, new Streams(kernels))
  }

  close(): void {
    this.transform.close()
  }

  /**
   * Σ factor · point over all points of some queries, by group, every δ one.
   * @throws what reading the powers throws; FileError if some of them are not on the curve; AbortError
   */
  async of(parts: readonly Weighted[], options: RunOptions = {}): Promise<Readonly<Record<Group, Affine>>> {
    const found: Record<Group, Affine[]> = { g1: [], g2: [] }
    for (const section of powersSections) {
      options.signal?.throwIfAborted()
      const scalars = await this.scalarsOf(section, parts, options)
      if (scalars === undefined) continue
      const group = groupOf[section]
      const points = this.streams.load(group, this.sourceOf(section, scalars.length))
      found[group].push(await this.streams.msm(points, { full: encodeFields(scalars) }, options))
    }
    const beta = secretFactors(parts, "g2").get("beta") ?? 0n
    if (beta !== 0n) {
      const point = await this.kernels.points("g2", this.powers.betaG2)
      found.g2.push(await this.kernels.msm(point, { full: encodeFields([beta]) }, options))
      this.kernels.free(point)
    }
    return { g1: addPoints("g1", found.g1), g2: addPoints("g2", found.g2) }
  }

  /** What each power of a section is taken with; undefined if none is needed. */
  private async scalarsOf(
    section: PowersSection,
    parts: readonly Weighted[],
    options: RunOptions,
  ): Promise<bigint[] | undefined> {
    const { n } = this.transform
    const rows = this.rowsOf(section, parts)
    const single = secretFactors(parts, groupOf[section]).get(secretOf(section)) ?? 0n
    const [products, odd] = section === "tauG1" ? [this.productsOf(parts), oddValues(parts, n)] : []
    if (!rows && !products && !odd && single === 0n) return undefined
    const scalars = rows ? await this.coefficients(rows, options) : new Array<bigint>(n).fill(0n)
    scalars[0] = mod(scalars[0] + single)
    if (!products && !odd) return scalars
    const quotient = await this.quotientOf(products, odd, options)
    return quotient.map((value, m) => mod(value + (scalars[m] ?? 0n)))
  }

  /** Coefficients of what side C adds for values of rows, and of the basis of the quotient times values. */
  private async quotientOf(
    products: readonly bigint[] | undefined,
    quotient: readonly bigint[] | undefined,
    options: RunOptions,
  ): Promise<bigint[]> {
    const { n } = this.transform
    const cosets = cosetsOf(n)
    const none = () => new Array<bigint>(n).fill(0n)
    const divided = (values: readonly bigint[], where: "rows" | "quotient") => {
      const by = inversesAt(n, where)
      return this.coefficients(
        values.map((value, i) => (value * by(i)) % r),
        options,
        where,
      )
    }
    const ofRows = products ? await divided(products, "rows") : none()
    const ofQuotient = quotient ? await divided(quotient, "quotient") : none()
    if (cosets.rows.length === 1) {
      const known = Math.min(2 * n, pointsOf("tauG1", this.powers.power)) - n
      const sums = ofRows.slice(0, known).map((value, m) => (value + ofQuotient[m]) % r)
      return [...none().map((_, m) => -(sums[m] ?? 0n)), ...sums]
    }
    const plain = products ? await this.coefficients(products, options) : none()
    const [low, high] = [timesVanishing(cosets.quotient, ofRows), timesVanishing(cosets.rows, ofQuotient)]
    return low.map((value, m) => value + high[m] - (plain[m] ?? 0n))
  }

  /** Rows' sums of what a section of powers is taken with, except for side C of products; undefined if there is none. */
  private rowsOf(section: PowersSection, parts: readonly Weighted[]): bigint[] | undefined {
    const sums = new Array<bigint>(this.transform.n).fill(0n)
    let some = false
    for (const column of ["u", "v", "w"] as const) {
      const byWire = this.weights(section, column, parts)
      if (byWire === undefined) continue
      some = true
      this.addRows(sums, column, byWire)
    }
    return some ? sums.map((sum) => mod(sum)) : undefined
  }

  private productsOf(parts: readonly Weighted[]): bigint[] | undefined {
    const byWire = this.weights("tauG1", "oddProducts", parts)
    if (byWire === undefined) return undefined
    const sums = new Array<bigint>(this.transform.n).fill(0n)
    this.addRows(sums, "oddProducts", byWire)
    return sums.map((sum) => mod(sum))
  }

  /** Factors of a column by wire, over all queries that have it with the powers of a section. */
  private weights(section: PowersSection, column: Column, parts: readonly Weighted[]): bigint[] | undefined {
    let byWire: bigint[] | undefined
    for (const { query, factors } of parts) {
      if (!("sum" in query) || query.group !== groupOf[section]) continue
      for (const { column: own, times = "one" } of query.sum) {
        const needed = sectionOf[query.group][times]
        invariant(needed, `powers have nothing times ${times} in ${query.group}`)
        if (own !== column || needed !== section) continue
        byWire ??= new Array<bigint>(this.system.wires).fill(0n)
        const factor = factorsOf(factors)
        for (const [i, wire] of query.wires.entries()) byWire[wire] += factor(i)
      }
    }
    return byWire
  }

  /** Adds a number for each row of a side, and of the rows of public wires behind them. */
  private addRows(sums: bigint[], column: Column, byWire: readonly bigint[]): void {
    const { system } = this
    const { rowPtr, wires, coefficients } = sideOf(system, column)
    const values = system.values.map(signed)
    for (let row = 0; row < system.rows; row++) {
      if (column === "oddProducts" && !hasProduct(system, row)) continue
      let sum = sums[row]
      for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) {
        const weight = byWire[wires[j]]
        if (weight !== 0n) sum += values[coefficients[j]] * weight
      }
      sums[row] = sum
    }
    if (column !== "u") return
    for (let i = 0; i <= publicCount(system); i++) sums[system.rows + i] += byWire[i]
  }

  /** Coefficients of the polynomial with these values on the domain, or on the quotient's points, those of low powers first. */
  private async coefficients(
    values: readonly bigint[],
    options: RunOptions,
    where: "rows" | "quotient" = "rows",
  ): Promise<bigint[]> {
    const { transform, kernels } = this
    const { memory } = kernels.pool
    const { n } = transform
    memory.bytes(transform.reserveLarge(n), 32 * n).set(encodeFields(values))
    const source = memory.doubles(transform.sources[0], n)
    for (let i = 0; i < n; i++) source[i] = largeValue(i)
    await kernels.run(transform.inverseSteps(), options)
    return [...transform.coefficients(0, where)]
  }

  private sourceOf(section: PowersSection, count: number) {
    const bytes = fileBytes[groupOf[section]]
    return {
      size: count * bytes,
      read: (from: number, length: number) => this.powers.read(section, from / bytes, length / bytes),
    }
  }
}

const sideOf = (system: R1cs, column: Column): SparseRows =>
  ({ u: system.a, v: system.b, w: system.c, oddProducts: system.c })[column]

const secretOf = (section: PowersSection): Secret | "one" =>
  (({ tauG1: "one", tauG2: "one", alphaG1: "alpha", betaG1: "beta" }) as const)[section]

/** Coefficients of a polynomial times what vanishes on cosets. */
function timesVanishing(cosets: readonly Coset[], coefficients: readonly bigint[]): bigint[] {
  let product = [...coefficients]
  for (const { size, shift } of cosets) {
    const by = power(shift, BigInt(size))
    const before = product
    product = Array.from({ length: before.length + size }, (_, m) =>
      mod((before[m - size] ?? 0n) - by * (before[m] ?? 0n)),
    )
  }
  return product
}

/** Factors of the secrets of a group that are points of their own; every δ is one. */
function secretFactors(parts: readonly Weighted[], group: Group): Map<Secret | "one", bigint> {
  const found = new Map<Secret | "one", bigint>()
  for (const { query, factors } of parts) {
    if (!("secrets" in query) || query.group !== group) continue
    const factor = factorsOf(factors)
    for (const [i, secret] of query.secrets.entries()) {
      const name = secret === "alpha" || secret === "beta" ? secret : "one"
      found.set(name, mod((found.get(name) ?? 0n) + factor(i)))
    }
  }
  return found
}

/** Values where the quotient is: factors of the layers, each times its power of two. */
function oddValues(parts: readonly Weighted[], n: number): bigint[] | undefined {
  let sums: bigint[] | undefined
  for (const { query, factors } of parts) {
    if (!("layers" in query)) continue
    sums ??= new Array<bigint>(n).fill(0n)
    const factor = factorsOf(factors)
    for (let layer = 0; layer < query.layers.count; layer++) {
      const shift = BigInt(query.layers.bits * layer)
      for (let k = 0; k < n; k++) sums[k] += factor(layer * n + k) << shift
    }
  }
  return sums?.map((sum) => mod(sum))
}
