/**
 * The two-phase prover (MIRAGE, eprint 2020/278, with γ = 1):
 *
 *     phase 1   D = Σ_committed w_i · K_i/δ_C + ρ·δ          ρ uniform: D hides
 *     challenge c from key, statement and D
 *     phase 2   A = α + Σ w_i·u_i + a·δ      B = β + Σ w_i·v_i + b·δ
 *               C = Σ_final w_i · K_i/δ + H + b·A + a·B − a·b·δ − ρ·δ_C
 *
 * Side B has small witness values and c only. The inverses of the lookup argument take no more distinct values
 * than its tables have entries, so their points are added by entry before anything is multiplied.
 *
 * H is (A·B − C)(τ)/δ. A·B − C vanishes on the domain, so its values at the odd points of the domain of twice the
 * size determine it. For A·B these are computed. C has a lower degree than the domain has points, so what its
 * values there add up to is linear in the witness, −C(τ)·(1 − τ^n)/2, and the key has a point for each wire of
 * side C, of which there are few: linear rows 0 · 0 = lc are zero.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { coordinates, montgomeryPoint } from "../../circuit/formats/points.js"
import { wireRange } from "../../circuit/link/circuit.js"
import { entriesOf } from "../../circuit/link/lookup.js"
import type { Salts } from "../../circuit/witness/commitment.js"
import type { TensorValues, Witness } from "../../circuit/witness/witness.js"
import type { OnProgress } from "../../errors.js"
import { mod, r } from "../../field.js"
import type { Affine, Engine, Fields, RowSums, WorkOptions } from "../../prover/engine/engine.js"
import { nextTurn } from "../../prover/kernels/threads.js"
import { draw, platformRandom } from "../../setup/trapdoor.js"
import type { G1Json, G1Point, G2Point } from "../../statement/points.js"
import { challenge } from "../../statement/words.js"
import type { MirageCircuit } from "./circuit.js"
import { labelOf, type MirageProvingKey, mirageDomain, type Single, singleOf, supportOf } from "./keyfile.js"
import { checkSums, quotientRows } from "./rows.js"
import { type LoadedSections, pointName, SectionLoader } from "./sections.js"
import type { MirageProof, MirageProofPoints } from "./verify.js"
import { type WireGroupName, wireGroupsOf } from "./wires.js"
import { type CommittedWitness, challengedWitness, committedWitness } from "./witness.js"

const G1 = bn254.G1.Point
const G2 = bn254.G2.Point

/** What a proof is about, besides the witness. */
export interface MirageStatement {
  /** Digest of the verification key, 0x and 64 hexadecimal digits. */
  readonly key: string
  readonly context: string
  /** The public words that `words` of the witness must be equal to. */
  readonly words: readonly bigint[]
}

export interface MirageOptions {
  /** Source of randomness: `n` uniform bytes. Default: the platform's. */
  readonly random?: ((n: number) => Uint8Array) | undefined
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
  /** Is given the points of the proof, and the sum of the key's points over the public signals. */
  readonly onPoints?: ((points: MirageProofPoints, ic: G1Point) => void) | undefined
}

export interface MirageProver {
  /**
   * Proves that the integers are an execution of the circuit's model.
   * @throws CountersignError if they are not; AbortError
   */
  prove(
    values: TensorValues,
    statement: MirageStatement,
    options?: MirageOptions & { readonly salts?: Salts | undefined },
  ): Promise<MirageProof>
  /** Proves committed wires as they are: if they are no solution, the proof does not verify. */
  proveWitness(
    committed: CommittedWitness,
    statement: MirageStatement,
    options?: MirageOptions,
  ): Promise<MirageProof>
  /** Gives the memory of the key back to the engine. */
  close(): Promise<void>
}

/** Loads a key of the circuit (`readMirageKey`); what is not in memory is read again for each proof. */
export function openMirage(circuit: MirageCircuit, key: MirageProvingKey, engine: Engine): MirageProver {
  const { linked } = circuit
  const { r1cs, lookup } = linked
  const domain = mirageDomain(r1cs)
  const entries = Float64Array.from(entriesOf(lookup), Number)
  const isEntry = (c: bigint) => entries.includes(Number(c < r >> 1n ? c : c - r))
  const firstEntry = lookup.multiplicities
  const groups = wireGroupsOf(linked).map((group) => {
    const wires = wireRange(group.first, group.first + group.count)
    return { name: group.name, section: { name: labelOf(group.section), wires, points: key[group.section] } }
  })
  const sectionsOf = (name: WireGroupName) =>
    groups.filter((group) => group.name === name).map(({ section }) => section)
  const single = (name: Single) => singleOf(key, name)
  const sections = new SectionLoader(circuit, engine)
  const wiresB = supportOf(r1cs, "b")
  const a = sections.load(
    "g1",
    [{ name: "A", wires: supportOf(r1cs, "a"), points: key.a }],
    [single("delta1")],
  )
  const b1 = sections.load("g1", [{ name: "B1", wires: wiresB, points: key.b1 }], [single("delta1")])
  const b2 = sections.load("g2", [{ name: "B2", wires: wiresB, points: key.b2 }], [single("delta2")])
  const first = sections.load("g1", sectionsOf("committed"), [single("delta1")])
  const last = sections.load(
    "g1",
    [...sectionsOf("final"), { name: "C", wires: supportOf(r1cs, "c"), points: key.c }],
    [single("delta1"), single("deltaC1")],
  )
  const h = engine.loadQuotient(key.h, key.layers, (point) => pointName("H", point))
  const shown = sections.load("g1", sectionsOf("public"))
  const rows = engine.loadRows(r1cs)
  const single1 = (name: Single) => point1(coordinates(single(name)))
  const alpha = single1("alpha1")
  const beta = single1("beta1")
  const beta2 = point2(coordinates(single("beta2")))

  const multiply = (loaded: LoadedSections, witness: Witness, masks: readonly bigint[], work: WorkOptions) =>
    engine.msm(loaded.points, sections.scalars(loaded, witness, masks), work)

  const prove: MirageProver["prove"] = async (values, statement, options = {}) => {
    options.signal?.throwIfAborted()
    const committed = committedWitness(circuit, values, options.salts)
    return proveCommitted(committed, statement, options, (sums) => checkSums(circuit, committed, sums))
  }
  const proveWitness: MirageProver["proveWitness"] = (committed, statement, options = {}) =>
    proveCommitted(committed, statement, options, () => undefined)

  const proveCommitted = async (
    committed: CommittedWitness,
    statement: MirageStatement,
    { onProgress, signal, random = platformRandom, onPoints }: MirageOptions,
    check: (sums: RowSums) => void,
  ): Promise<MirageProof> => {
    const work = { signal }
    const step = (done: number) => {
      signal?.throwIfAborted()
      onProgress?.({ stage: "prove", done, total: 4 })
    }
    step(0)
    const rowSums = engine.rowSums(rows, committed.small, work)
    let rho = draw(random)
    let commitment = multiply(first, committed, [rho], work)
    // sums by entry do not depend on the challenge: they are made while it is
    for (const promise of [rowSums, commitment]) promise.catch(() => undefined)
    await begun()
    const { occurring, grouped } = sections.entries(committed)
    const groups = [a, last].map(
      ({ lookups }) => lookups && engine.sums(lookups, grouped, occurring.length, work),
    )
    for (const group of groups) group?.catch(() => undefined)
    let kept: Fields | undefined
    try {
      let d = add1([await commitment])
      await begun()
      const challengeOf = () => challenge(statement.key, statement.context, statement.words, json1(d))
      let c = challengeOf()
      // at an entry of a table the quotient has no value; the chance is negligible, but it is free
      while (isEntry(c)) {
        rho = draw(random)
        commitment = multiply(first, committed, [rho], work)
        d = add1([await commitment])
        c = challengeOf()
      }
      step(1)

      const [x, y] = [draw(random), draw(random)]
      const witness = challengedWitness(linked, committed, statement.words, c)
      kept = engine.lookupFields(
        c,
        entries,
        committed.small.subarray(firstEntry, firstEntry + entries.length),
        work,
      )
      const products = Promise.all([
        multiply(a, witness, [x], work),
        multiply(b1, witness, [y], work),
        multiply(b2, witness, [y], work),
        multiply(last, witness, [mod(-x * y), mod(-rho)], work),
        multiply(shown, witness, [], work),
      ])
      // the threads are busy with these while the rest is prepared here
      products.catch(() => undefined)
      await begun()
      const sums = await rowSums
      check(sums)
      const evaluations = quotientRows(circuit, committed, witness, sums, c, kept, domain)
      step(2)
      const quotient = engine.quotientMsm(h, evaluations, work)
      const factors = { fields: kept, index: occurring.map((entry) => entries.length + entry) }
      const byEntry = groups.map(async (group) => group && engine.msm(await group, factors, work))
      const [[pointA, pointB1, pointB2, pointLast, pointShown], pointH, lookupsA, lookupsLast] =
        await Promise.all([products, quotient, ...byEntry])
      step(3)
      const proofA = alpha.add(add1([pointA, lookupsA]))
      const proofB = beta.add(add1([pointB1]))
      const masked = await multiplyPair([proofA, proofB], [y, x], work)
      const points = {
        a: proofA,
        b: beta2.add(add2([pointB2])),
        c: add1([pointLast, lookupsLast, pointH, masked]),
        d,
      }
      onPoints?.(points, add1([pointShown]))
      step(4)
      return { a: json1(points.a), b: json2(points.b), c: json1(points.c), d: json1(d) }
    } finally {
      if (kept) await engine.free(kept).catch(() => undefined)
      for (const group of await Promise.allSettled(groups)) {
        if (group.status === "fulfilled" && group.value) await engine.free(group.value)
      }
    }
  }

  /** Two products of secrets, on the kernels: noble's take longer than a tenth of the proof. */
  const multiplyPair = async (
    points: readonly G1Point[],
    scalars: readonly bigint[],
    work: WorkOptions,
  ): Promise<Affine> => {
    const bytes = points.map((point) => {
      if (point.is0()) return new Uint8Array(64)
      const { x, y } = point.toAffine()
      return montgomeryPoint([x, y])
    })
    const loaded = engine.load("g1", Uint8Array.from(bytes.flatMap((point) => [...point])))
    try {
      return await engine.msm(loaded, scalars, work)
    } finally {
      await engine.free(loaded)
    }
  }

  const close = async (): Promise<void> => {
    await Promise.all([sections.free(), engine.free(h), engine.free(rows)])
  }
  return { prove, proveWitness, close }
}

/** Lets what was asked of the engine begin: calls of one turn become one program in the next. */
const begun = async (): Promise<void> => {
  await nextTurn()
  await nextTurn()
}

const point1 = ([x, y]: readonly bigint[]): G1Point => G1.fromAffine({ x, y })
const point2 = ([x0, x1, y0, y1]: readonly bigint[]): G2Point =>
  G2.fromAffine({ x: { c0: x0, c1: x1 }, y: { c0: y0, c1: y1 } })
const add1 = (points: readonly (Affine | undefined)[]): G1Point =>
  points.reduce((sum, point) => (point ? sum.add(point1(point)) : sum), G1.ZERO)
const add2 = (points: readonly (Affine | undefined)[]): G2Point =>
  points.reduce((sum, point) => (point ? sum.add(point2(point)) : sum), G2.ZERO)
const json1 = (point: G1Point): G1Json => {
  const { x, y } = point.toAffine()
  return [`${x}`, `${y}`]
}
const json2 = (point: G2Point): MirageProof["b"] => {
  const { x, y } = point.toAffine()
  return [
    [`${x.c0}`, `${x.c1}`],
    [`${y.c0}`, `${y.c1}`],
  ]
}
