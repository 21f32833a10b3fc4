/**
 * The points of a proving key against the circuit and against each other, without the secrets they are made of. With
 * L_j the Lagrange polynomials of the rows at τ, H_k over δ those of the points e_k of the quotient, and u_i, v_i, w_i
 * the combinations of L_j that the columns of A, B and C are, a key of this circuit has for random x, y and ρ
 *
 *     layers      Σ ρ·H_l = 2^(b·l) · Σ ρ·H_0
 *     side C      Σ ρ_i·C_i = −Σ_k (Σ ρ_i·w_i)(e_k)·H_k                 C_i in the section C of a two-phase key
 *     side B      e(Σ ρ_i·B1_i, 1) = e(1, Σ ρ_i·B2_i)
 *     products    e(Σ x_i·A_i, Σ y_i·B2_i) = e(Σ_j a_j·b_j·L_j, 1) · e(quotient by H, δ)
 *     K           Π e(Σ_group ρ_i·K_i/δ_group, δ_group) = e(Σ ρ_i·A_i, β) · e(α, Σ ρ_i·B2_i) · e(Σ_j c_j·L_j, 1)
 *
 * where a, b and c are the rows' sums over x, y and ρ. L_j is known where points of A and B give it (rowspace.ts), for
 * nearly every row that has a product. Elsewhere x or y make the product zero, or c_j is made to be a_j·b_j, so that
 * two equations together need no L_j. On rows without products, 0 · 0 = lc, c_j is zero: a key in which such a row has
 * another L_j in every K_i is not told from a right one. Only whoever knew the secrets can make it. Were a wire in
 * no such vector, its K_i would be left to the proofs; in the circuits of the tests there is none. Anything else that is wrong, in any one point,
 * shows but for a chance below 2^-100.
 */
import { bn254 } from "@noble/curves/bn254.js"
import type { ByteSource, ProvingKey } from "../circuit/formats/source.js"
import { wireRange } from "../circuit/link/circuit.js"
import { FileError } from "../errors.js"
import { mod, r } from "../field.js"
import { hasProduct, publicCount } from "../setup/qap.js"
import type { G1Point, G2Point } from "../statement/points.js"
import { type Circuit, systemOf } from "../systems/index.js"
import type { KeySections, SectionPoints } from "../systems/system.js"
import type { CheckedKey } from "../systems/verifiers.js"
import type { Affine, Engine, Layers, Points, Vector } from "./engine/engine.js"
import { kernelEngine } from "./engine/kernels.js"
import { BoundVectors, isEmpty, KnownRows, kernelVector, randomVector, rowSums, sideOf } from "./rowspace.js"

const G1 = bn254.G1.Point
const G2 = bn254.G2.Point

/** One equation: who takes part in it with every point, who with some, and whether it holds. */
interface Relation {
  readonly whole: readonly string[]
  readonly part: readonly string[]
  readonly holds: boolean
}

/**
 * Compares the points of a proving key whose sizes and single points are checked (`verificationKeyOf`); `key` is its
 * verification key. For LeNet it takes a few seconds.
 * @returns how many points were compared
 * @throws FileError naming the sections that do not fit
 */
export async function auditKey(circuit: Circuit, provingKey: ProvingKey, key: CheckedKey): Promise<number> {
  const { keys } = systemOf(circuit)
  if (keys.kind === "universal") return await keys.compare(circuit, provingKey)
  const sections = await keys.sections(circuit, provingKey, key)
  const engine = await kernelEngine()
  try {
    const { relations, points } = await relationsOf(sections, engine)
    const failing = relations.filter(({ holds }) => !holds)
    if (failing.length === 0) return points
    throw misfit(suspects(relations).join(" or "))
  } finally {
    await engine.close()
  }
}

/** Sections that every failing relation has and no other one has whole; else all that failing ones have. */
function suspects(relations: readonly Relation[]): string[] {
  const failing = relations.filter(({ holds }) => !holds)
  const cleared = new Set(relations.flatMap(({ holds, whole }) => (holds ? whole : [])))
  const named = [...new Set(failing.flatMap(({ whole, part }) => [...whole, ...part]))]
  const open = named.filter((name) => !cleared.has(name))
  const inAll = (name: string) =>
    failing.every(({ whole, part }) => whole.includes(name) || part.includes(name))
  const common = open.filter(inAll)
  const surely = common.filter((name) => failing.every(({ whole }) => whole.includes(name)))
  return [surely, common, open, named].find((list) => list.length > 0) as string[]
}

async function relationsOf(
  { system, alpha1, beta2, delta2, domain, a, b1, b2, groups, h, c }: KeySections,
  engine: Engine,
): Promise<{ relations: Relation[]; points: number }> {
  const extra = publicCount(system) + 1
  const sides = {
    a: sideOf(system, system.a, extra),
    b: sideOf(system, system.b),
    c: sideOf(system, system.c),
  }
  const rows = new KnownRows([sides.a, sides.b])
  const relations: Relation[] = []
  const add = (whole: readonly string[], part: readonly string[], holds: boolean) => {
    relations.push({ whole, part, holds })
  }
  const load = ({ name, points, wires }: SectionPoints, group: "g1" | "g2" = "g1") => {
    const loaded = engine.load(group, points)
    return (values: readonly bigint[]) => {
      const scalars = Array.from(wires, (wire) => mod(values[wire]))
      return naming(name, engine.msm(loaded, scalars))
    }
  }

  if (h.layers.count > 1) {
    add([h.name], [], await naming(h.name, layersHold(engine, h.points, h.layers, domain)))
  }

  const quotient = engine.loadQuotient(h.points, h.layers)
  const byQuotient = quotientBy(engine, quotient, domain)
  const byH: typeof byQuotient = (x, y) => naming(h.name, byQuotient(x, y))
  const ones = new Array<bigint>(domain).fill(1n)
  if (c) {
    const rho = randomVector(system.wires)
    const sums = rowSums(sides.c, rho).map((value, row) => (hasProduct(system, row) ? value : 0n))
    const sum = point1(await load(c)(rho)).add(point1(await byH(sums, ones)))
    add([c.name, h.name], [], sum.is0())
  }

  const [ofA, ofB1, ofB2] = [load(a), load(b1), load(b2, "g2")]
  const rho = randomVector(system.wires)
  add(
    [b1.name, b2.name],
    [],
    isOne([
      [await ofB1(rho), G2.BASE],
      [G1.BASE.negate(), await ofB2(rho)],
    ]),
  )

  /** Σ values[j]·L_j over rows of the system, with the sections it is made of. */
  const known = async (values: readonly bigint[]) => {
    const [fromA, fromB] = rows.factors([...values, ...new Array<bigint>(extra).fill(0n)])
    const usesB = fromB.some((factor) => factor !== 0n)
    const sum = point1(await ofA(fromA)).add(usesB ? point1(await ofB1(fromB)) : G1.ZERO)
    return { sum, part: usesB ? [a.name, b1.name] : [a.name] }
  }
  /** Π over rows of the sums over x and y, and what is left of Σ x_i·A_i times Σ y_i·B2_i beside Σ product_j·L_j. */
  const multiply = async (x: readonly bigint[], y: readonly bigint[]) => {
    const [sumsA, sumsB] = [rowSums(sides.a, x), rowSums(sides.b, y)]
    const product = sumsB.map((value, row) => mod(value * sumsA[row]))
    const quotient = point1(await byH(sumsA, sumsB)).subtract(point1(await byH(product, ones)))
    const pair: Term = [point1(await ofA(x)), await ofB2(y)]
    return { product, pair, quotient }
  }
  const isUnknownProduct = (row: number) =>
    rows.known[row] === 0 && !isEmpty(sides.a, row) && !isEmpty(sides.b, row)
  const isBound = Array.from({ length: system.rows }, (_, row) => row).some(isUnknownProduct)
  // all of A by some of B and the other way round, which is one where every product is known
  const free = randomVector(system.wires)
  const factors = isBound
    ? [
        { x: free, y: kernelVector(sides.b, isUnknownProduct), whole: [a.name, h.name] },
        { x: kernelVector(sides.a, isUnknownProduct), y: free, whole: [b2.name, h.name] },
      ]
    : [{ x: free, y: randomVector(system.wires), whole: [a.name, b2.name, h.name] }]
  for (const { x, y, whole } of factors) {
    const { product, pair, quotient } = await multiply(x, y)
    const { sum, part } = await known(product)
    const holds = isOne([pair, [sum.negate(), G2.BASE], [quotient.negate(), delta2]])
    add(whole, [...part, a.name, b2.name], holds)
  }

  const isUnknown = (row: number) => rows.known[row] === 0
  const loadedGroups = groups.map((group) => ({ ...group, of: load(group), member: new Set(group.wires) }))
  /** Whether K is right over the wires of some groups. Unknown products come from A and B, all others are zero. */
  const isRightOver = async (some: typeof loadedGroups) => {
    const vectors = new BoundVectors(sides.c, isUnknown, (wire) =>
      some.some(({ member }) => member.has(wire)),
    )
    const y = isBound ? kernelVector(sides.b, (row) => vectors.stuck[row] === 1) : undefined
    const open = y && (await multiply(free, y))
    const rho = vectors.draw((row) => open?.product[row] ?? 0n)
    const rest = rowSums(sides.c, rho).map((value, row) =>
      isUnknown(row) ? 0n : mod(value - (open?.product[row] ?? 0n)),
    )
    const { sum, part } = await known(rest)
    const terms = await Promise.all(
      some.map(async ({ of, divisor }): Promise<Term> => [await of(rho), divisor]),
    )
    if (open) terms.push([negative(open.pair[0]), open.pair[1]], [open.quotient, delta2])
    const holds = isOne([
      ...terms,
      [negative(await ofA(rho)), beta2],
      [alpha1.negate(), await ofB2(rho)],
      [sum.negate(), G2.BASE],
    ])
    const isWhole = ({ wires }: SectionPoints) => wires.every((wire) => rho[wire] !== 0n)
    const names = (whole: boolean) => some.filter((group) => isWhole(group) === whole).map(({ name }) => name)
    const others = some.length === groups.length ? [a.name, b2.name] : []
    add(
      [...names(true), ...others],
      [...names(false), ...part, a.name, b2.name, ...(open ? [h.name] : [])],
      holds,
    )
    return holds
  }
  if (!(await isRightOver(loadedGroups))) for (const group of loadedGroups) await isRightOver([group])

  const points = [a, b1, b2, ...groups, ...(c ? [c] : [])].reduce((sum, { wires }) => sum + wires.length, 0)
  return { relations, points: points + domain * h.layers.count }
}

/** What the kernels themselves say of points, with the section that has them. */
const naming = <T>(name: string, work: Promise<T>): Promise<T> =>
  work.catch((error) => {
    throw error instanceof FileError ? misfit(name, error.message) : error
  })

const misfit = (names: string, why?: string): FileError =>
  new FileError({
    what: `points of ${names} do not fit the circuit or the other sections${why ? `: ${why}` : ""}`,
    where: "proving key",
    fix: "Take the key from whoever made it, or run setup again",
  })

/** Whether every layer of H is 2^(b·l) times the first. */
async function layersHold(
  engine: Engine,
  points: Uint8Array | ByteSource,
  { bits, count }: Layers,
  domain: number,
): Promise<boolean> {
  const factors = Array.from({ length: count - 1 }, () => randomVector(domain))
  const first = Array.from({ length: domain }, (_, k) =>
    mod(-factors.reduce((sum, layer, l) => sum + (layer[k] << BigInt(bits * (l + 1))), 0n)),
  )
  const loaded = engine.load("g1", points)
  try {
    return (await engine.msm(loaded, [...first, ...factors.flat()])) === null
  } finally {
    await engine.free(loaded)
  }
}

/** Σ (a·b)(e_k)·H_k for values of a and b on the domain's first rows. */
function quotientBy(engine: Engine, h: Points, domain: number) {
  return async (a: readonly bigint[], b: readonly bigint[]): Promise<Affine> => {
    // a quotient has values that are kept; here there are none worth it
    const kept = engine.lookupFields(r - 1n, Float64Array.of(0), Float64Array.of(0))
    const vector = (fields: readonly bigint[]): Vector => ({
      small: new Float64Array(domain),
      rows: wireRange(0, fields.length),
      index: wireRange(kept.count, kept.count + fields.length),
      fields: fields.map((value) => mod(value)),
    })
    try {
      return await engine.quotientMsm(h, { a: vector(a), b: vector(b), kept })
    } finally {
      await engine.free(kept)
    }
  }
}

type Term = readonly [one: Affine | G1Point, two: Affine | G2Point]

/** Whether a product of pairings is one; points that are none make it false. */
function isOne(terms: readonly Term[]): boolean {
  const { Fp12 } = bn254.fields
  try {
    const pairs = terms.map(([one, two]) => ({
      g1: point1(one),
      g2: two instanceof G2 ? two : point2(two as Affine),
    }))
    const finite = pairs.filter(({ g1, g2 }) => !g1.is0() && !g2.is0())
    for (const { g1, g2 } of finite) {
      g1.assertValidity()
      g2.assertValidity()
    }
    return finite.length === 0 || Fp12.eql(bn254.pairingBatch(finite), Fp12.ONE)
  } catch {
    return false
  }
}

const point1 = (point: Affine | G1Point): G1Point => {
  if (point instanceof G1) return point
  return point === null
    ? G1.ZERO
    : G1.fromAffine({ x: (point as readonly bigint[])[0], y: (point as readonly bigint[])[1] })
}
const negative = (point: Affine | G1Point): G1Point => point1(point).negate()
const point2 = (point: Affine): G2Point =>
  point === null
    ? G2.ZERO
    : G2.fromAffine({ x: { c0: point[0], c1: point[1] }, y: { c0: point[2], c1: point[3] } })
