/**
 * Lagrange points of a domain of n from powers of tau, without any secret; those of two cosets are lagrange-cosets.ts's
 * business. With ω of order n, η² = ω and
 * D_m = τ^(n+m) − τ^m for m < n (writing x for the point x·G),
 *
 *     L_j(τ)               = 1/n  · Σ_m ω^(−jm) · τ^m                in G1 and G2; times α and times β in G1
 *     L_(2k+1)(τ) over 2n  = 1/2n · Σ_m ω^(−km) · η^(−m) · (−D_m)    the odd points of the domain of twice the size
 *     (τ^n − 1)/2 · L_j(τ) = 1/2n · Σ_m ω^(−jm) · D_m                what side C of products adds there
 *
 * each an inverse transform of n points (src/prover/kernels/points).
 *
 * A file whose power is that of n has no τ^(2n−1), so no D_(n−1). It is taken to be zero, which puts τ^(n−1) in place of
 * τ^(2n−1), its value modulo τ^n − 1: all combinations stay multiples of τ^n − 1, and the quotient of every A·B − C of
 * degree up to 2n − 2, which is all that a prover has, is right. Zero in place of τ^(2n−1) itself would add a point that
 * is no such multiple.
 *
 * They depend on the powers and on n alone, so they are kept (lagrange-file.ts) for the next circuit of that size.
 */
import { type ByteSource, checkedSource } from "../circuit/formats/source.js"
import { cosetRoot, cosetsOf } from "../circuit/link/domain.js"
import { invariant, type OnProgress } from "../errors.js"
import { inverse, r } from "../field.js"
import type { KernelEngine } from "../prover/kernels/engine.js"
import { fileBytes } from "../prover/kernels/points/points.js"
import { differenceOf } from "./difference.js"
import { cosetPoints } from "./lagrange-cosets.js"
import {
  type LagrangePoints,
  type LagrangeSection,
  type LagrangeStore,
  lagrangeGroup,
  lagrangeSections,
  openKept,
  writeKept,
} from "./lagrange-file.js"
import { type PowersOfTau, pointsOf, requirePower } from "./ptau/powers.js"

export interface LagrangeOptions {
  /** Where they are looked for, and kept. */
  readonly store?: LagrangeStore | undefined
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

const stage = "Lagrange points"

/**
 * Some sections of the Lagrange points of a domain: those that are kept, and what of them is not is computed, and kept.
 * @throws FileError if there are too few powers, and what reading them throws; AbortError
 */
export async function openLagrange(
  engine: KernelEngine,
  powers: PowersOfTau,
  domain: number,
  needed: ReadonlySet<LagrangeSection>,
  { store, onProgress, signal }: LagrangeOptions = {},
): Promise<LagrangePoints> {
  requirePower(powers, domain)
  const kept = store && (await openKept(store, powers, domain, signal))
  const missing = lagrangeSections.filter((section) => needed.has(section) && !kept?.sections.has(section))
  const held = new Map<LagrangeSection, Uint8Array | ByteSource>(kept?.sections)
  const close = async () => kept?.close()
  try {
    // a transform of points of G2 takes about three times as long
    const weight = (section: LagrangeSection) => (lagrangeGroup(section) === "g2" ? 3 : 1) * domain
    const total = missing.reduce((sum, section) => sum + weight(section), 0)
    let before = 0
    for (const section of missing) {
      const report = (done: number, all: number) =>
        onProgress?.({ stage, done: Math.floor(before + (weight(section) * done) / all), total })
      report(0, 1)
      held.set(section, await transformed(engine, powers, domain, section, { signal, onProgress: report }))
      before += weight(section)
      report(0, 1)
    }
    if (store && missing.length > 0) await writeKept(store, powers, domain, held, signal)
  } catch (error) {
    await close()
    throw error
  }
  return { domain, points: (section) => sourceOf(held, section), close }
}

function sourceOf(
  held: ReadonlyMap<LagrangeSection, Uint8Array | ByteSource>,
  section: LagrangeSection,
): ByteSource {
  const points = held.get(section)
  invariant(points, `Lagrange points ${section} were asked for`)
  return points instanceof Uint8Array ? checkedSource(points, "Lagrange points") : points
}

interface TransformOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress: (done: number, total: number) => void
}

async function transformed(
  engine: KernelEngine,
  powers: PowersOfTau,
  n: number,
  section: LagrangeSection,
  options: TransformOptions,
): Promise<Uint8Array> {
  if (cosetsOf(n).rows.length > 1) return cosetPoints(engine, powers, n, section, options)
  if (section !== "odd" && section !== "products") {
    return engine.transform(lagrangeGroup(section), await powers.read(section, 0, n), options)
  }
  const differences = await powerDifferences(engine, powers, n, [0, n], options.signal)
  const half = inverse(2n)
  const factors =
    section === "odd" ? { first: r - half, step: inverse(cosetRoot(n)) } : { first: half, step: 1n }
  return engine.transform("g1", differences, { ...options, ...factors })
}

/**
 * D_first … D_(first + count − 1) over a domain of n, as a file has them; infinity where the powers do not reach.
 * @throws what reading the powers throws; FileError for one that is no point; the reason of an abort
 */
export async function powerDifferences(
  engine: KernelEngine,
  powers: PowersOfTau,
  n: number,
  [first, count]: readonly [first: number, count: number],
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const result = new Uint8Array(count * fileBytes.g1)
  const known = Math.max(0, Math.min(first + count, pointsOf("tauG1", powers.power) - n) - first)
  const nameOf = (i: number) => `.ptau file, point ${i < known ? n + first + i : first + i - known} of tauG1`
  const high = await powers.read("tauG1", n + first, known)
  const low = await powers.read("tauG1", first, known)
  result.set(await differenceOf(engine, "g1", high, low, { nameOf, signal }))
  return result
}
