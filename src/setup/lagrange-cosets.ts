/**
 * Lagrange points of a domain of two cosets (circuit/link/domain.ts) from powers of tau. Interpolation is linear in the
 * values; read backwards it makes of P_m = τ^m the values of all Lagrange polynomials. With i = g^n₁, G = g^n₂, j the
 * number of a block of n₂ powers and m the place in it, ρ = n₁/n₂, and
 *
 *     δ_m = P_(n₁+m) − P_m         Δ_m = P_(2n₁+m) − P_m,  Δ'_m = P_(2n₁+n₂+m) − P_(n₂+m)        m < n₂
 *     D_k = P_(n₁+k) − P_k         T_j = G^j·Δ for even j, G^(j−1)·Δ' for odd j                  k < n₁
 *
 * the Lagrange points are inverse transforms of n₁ and of n₂ points; over D they are
 *
 *     on ⟨ω₁⟩      of  P_k − G^j·δ_m/(i − 1)               on g⟨ω₂⟩       of  g^(−m)·δ_m/(i − 1)
 *
 * Over D ∪ E, a domain of n₁' = 2n₁ and n₂' = 2n₂ points whose i' is i² = −1, the same holds of twice as many powers, and
 * its even points are those of D, its odd ones those of E. So what both take of the transforms is
 *
 *     on η⟨ω₁⟩     of  η^(−k)·((1 − i)/2·T_j − D_k)/2      on gη₂⟨ω₂⟩     of  (gη₂)^(−m)·(Δ'_m/G − Δ_m)/4
 *     on ⟨ω₁⟩      of  (D_k + (1 + i)·V_j)/2               on g⟨ω₂⟩       of  g^(−m)·((i − 1)·δ − V − V')/2
 *
 * the latter less those over D, which is what side C adds: with V = Δ/2 − δ, V' = Δ'/2G − δ, and V_j = G^j times V for
 * even j, V' for odd. The powers that this takes end with τ^(2n−1), which a file for a domain of two cosets has: n is not
 * a power of two.
 */
import { cosetsOf } from "../circuit/link/domain.js"
import { inverse, mod, power } from "../field.js"
import type { Group, KernelEngine } from "../prover/kernels/engine.js"
import { fileBytes } from "../prover/kernels/points/points.js"
import { differenceOf } from "./difference.js"
import { type LagrangeSection, lagrangeGroup } from "./lagrange-file.js"
import type { PowersOfTau } from "./ptau/powers.js"

interface CosetOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

/** A section of the Lagrange points of a domain of n, which has two cosets. @throws as openLagrange */
export async function cosetPoints(
  engine: KernelEngine,
  powers: PowersOfTau,
  n: number,
  section: LagrangeSection,
  options: CosetOptions,
): Promise<Uint8Array> {
  const group = lagrangeGroup(section)
  const source = section === "odd" || section === "products" ? "tauG1" : section
  const read = (first: number, count: number) => powers.read(source, first, count)
  const work = new CosetWork(engine, group, n, read, options)
  if (section === "odd") return work.quotient()
  return section === "products" ? work.products() : work.rows()
}

class CosetWork {
  private readonly first: number
  private readonly second: number
  private readonly g: bigint
  /** i and G. */
  private readonly i: bigint
  private readonly turn: bigint

  constructor(
    private readonly engine: KernelEngine,
    private readonly group: Group,
    private readonly n: number,
    private readonly read: (first: number, count: number) => Promise<Uint8Array>,
    private readonly options: CosetOptions,
  ) {
    const [one, two] = cosetsOf(n).rows
    this.first = one.size
    this.second = two.size
    this.g = two.shift
    this.i = power(this.g, BigInt(this.first))
    this.turn = power(this.g, BigInt(this.second))
  }

  /** L_d over D of the rows' points. */
  async rows(): Promise<Uint8Array> {
    const { first, second, g, i, turn } = this
    const delta = await this.gap(0, first)
    const scale = inverse(i - 1n)
    const own = await this.blocks(async (j) => {
      const powers = await this.read(j * second, second)
      return this.difference(powers, await this.times(delta, scale * power(turn, BigInt(j))))
    })
    return this.transformed([own, { first: 1n, step: 1n }], [delta, { first: scale, step: inverse(g) }])
  }

  /** L_e over D ∪ E of the quotient's points. */
  async quotient(): Promise<Uint8Array> {
    const { first, second, i, turn, n } = this
    const [even, odd] = [await this.gap(0, 2 * first), await this.gap(second, 2 * first)]
    const scale = (1n - i) * inverse(2n)
    const own = await this.blocks(async (j) => {
      const scaled = await this.times(j % 2 ? odd : even, scale * power(turn, BigInt(j - (j % 2))))
      return this.difference(scaled, await this.gap(j * second, first))
    })
    const rest = await this.difference(await this.times(odd, inverse(turn)), even)
    const [one, two] = cosetsOf(n).quotient.map(({ shift }) => inverse(shift))
    return this.transformed(
      [own, { first: inverse(2n), step: one }],
      [rest, { first: inverse(4n), step: two }],
    )
  }

  /** L_d over D ∪ E of the rows' points, less that over D. */
  async products(): Promise<Uint8Array> {
    const { first, second, g, i, turn } = this
    const half = inverse(2n)
    const delta = await this.gap(0, first)
    const halves = [
      await this.times(await this.gap(0, 2 * first), half),
      await this.times(await this.gap(second, 2 * first), half * inverse(turn)),
    ]
    const [even, odd] = [await this.difference(halves[0], delta), await this.difference(halves[1], delta)]
    const own = await this.blocks(async (j) => {
      const scaled = await this.times(j % 2 ? odd : even, (-1n - i) * power(turn, BigInt(j)))
      return this.difference(await this.gap(j * second, first), scaled)
    })
    const less = await this.difference(await this.times(delta, i - 1n), even)
    const rest = await this.difference(less, odd)
    return this.transformed([own, { first: half, step: 1n }], [rest, { first: half, step: inverse(g) }])
  }

  /** P_(at+distance+m) − P_(at+m) for m < n₂. */
  private async gap(at: number, distance: number): Promise<Uint8Array> {
    const { second } = this
    return this.difference(await this.read(at + distance, second), await this.read(at, second))
  }

  private difference(one: Uint8Array, other: Uint8Array): Promise<Uint8Array> {
    return differenceOf(this.engine, this.group, one, other, { signal: this.options.signal })
  }

  private times(points: Uint8Array, scalar: bigint): Promise<Uint8Array> {
    return this.engine.scale(this.group, points, mod(scalar), { signal: this.options.signal })
  }

  /** n₁ points, n₂ at a time. */
  private async blocks(make: (j: number) => Promise<Uint8Array>): Promise<Uint8Array> {
    const size = fileBytes[this.group]
    const all = new Uint8Array(this.first * size)
    for (let j = 0; j * this.second < this.first; j++) {
      this.options.signal?.throwIfAborted()
      all.set(await make(j), j * this.second * size)
    }
    return all
  }

  private async transformed(...parts: readonly [Uint8Array, Factors][]): Promise<Uint8Array> {
    const { n, group, engine, options } = this
    const all = new Uint8Array(n * fileBytes[group])
    let at = 0
    for (const [points, factors] of parts) {
      all.set(await engine.transform(group, points, { ...factors, ...options }), at)
      at += points.length
    }
    return all
  }
}

interface Factors {
  readonly first: bigint
  readonly step: bigint
}
