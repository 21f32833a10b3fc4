/**
 * The two-phase prover (MIRAGE, eprint 2020/278, with γ = 1):
 *
 *     phase 1   D = Σ_committed w_i · K_i/δ_C + ρ·δ          ρ uniform: D hides
 *     challenge c from key, statement and D
 *     phase 2   A = α + Σ w_i·u_i + a·δ      B = β + Σ w_i·v_i + b·δ
 *               C = Σ_final w_i · K_i/δ + H + b·A + a·B − a·b·δ − ρ·δ_C
 *
 * With private weights phase 0 is made once for a model (weights.ts), and C has − ρ_w·δ_w as well.
 *
 * Side B has small witness values and c only. The inverses of the lookup argument take no more distinct values
 * than its tables have entries, so their points are added by entry before anything is multiplied.
 *
 * H is (A·B − C)(τ)/δ. A·B − C vanishes on the domain, so its values at as many further points determine it
 * (circuit/link/domain.ts). For A·B these are computed. C has a lower degree than the domain has points, so what its
 * values there add up to is linear in the witness, and the key has a point for each wire of side C, of which there are
 * few: linear rows 0 · 0 = lc are zero.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { coordinates, montgomeryPoint } from "../../circuit/formats/points.js"
import { wireRange } from "../../circuit/link/circuit.js"
import { entriesOf } from "../../circuit/link/lookup.js"
import type { Salts } from "../../circuit/witness/commitment.js"
import type { TensorValues, Witness } from "../../circuit/witness/witness.js"
import { invariant, type OnProgress } from "../../errors.js"
import { mod, r } from "../../field.js"
import { platformRandom } from "../../platform.js"
import type { Affine, Engine, Fields, Points, RowSums, WorkOptions } from "../../prover/engine/engine.js"
import { nextTurn } from "../../prover/kernels/threads.js"
import { draw } from "../../setup/trapdoor.js"
import type { G1Point } from "../../statement/points.js"
import { challenge } from "../../statement/words.js"
import { add1, add2, json1, json2, point1, point2 } from "./affine.js"
import type { MirageCircuit } from "./circuit.js"
import { labelOf, type MirageProvingKey, type Single, singleOf, supportOf } from "./keyfile.js"
import { withoutQueries } from "./own-rows.js"
import type { ProjectedRows } from "./projected.js"
import { checkQueries, checkSums, quotientRows } from "./rows.js"
import { type LoadedSections, pointName, SectionLoader } from "./sections.js"
import type { MirageProof, MirageProofPoints } from "./verify.js"
import { type WeightsOpening, weightSums } from "./weights.js"
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
  /**
   * Is given the points of the proof, and the sum of the key's points over the public signals, and says whether they
   * verify. Without it, rows of queries are tested before; with it, only where they do not.
   */
  readonly onPoints?: ((points: MirageProofPoints, ic: G1Point) => boolean) | undefined
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

/** A key in the engine, with the points that are added to products as they are. */
function loadKey(
  circuit: MirageCircuit,
  key: MirageProvingKey,
  engine: Engine,
  weights: WeightsOpening | undefined,
) {
  const { linked } = circuit
  const { r1cs } = linked
  const sections = new SectionLoader(circuit, engine, !key.streamed)
  const groups = wireGroupsOf(linked).flatMap((group) => {
    if (group.name === "weights") return []
    const wires = wireRange(group.first, group.first + group.count)
    return [
      { name: group.name, section: { name: labelOf(group.section), wires, points: key[group.section] } },
    ]
  })
  const sectionsOf = (name: WireGroupName) =>
    groups.filter((group) => group.name === name).map(({ section }) => section)
  const single = (name: Single) => singleOf(key, name)
  const delta1 = single("delta1")
  const wiresA = supportOf(r1cs, "a")
  const wiresB = supportOf(r1cs, "b")
  const sideC = { name: "C", wires: supportOf(r1cs, "c"), points: key.c }
  const opened = weights && weightSums(linked, key, weights, engine)
  // whoever proves or closes waits for it
  opened?.catch(() => undefined)
  return {
    sections,
    opened,
    a: sections.load("g1", [{ name: "A", wires: wiresA, points: key.a }], [delta1]),
    b1: sections.load("g1", [{ name: "B1", wires: wiresB, points: key.b1 }], [delta1]),
    b2: sections.load("g2", [{ name: "B2", wires: wiresB, points: key.b2 }], [single("delta2")]),
    first: sections.load("g1", sectionsOf("committed"), [delta1]),
    last: sections.load("g1", [...sectionsOf("final"), sideC], [delta1, single("deltaC1")]),
    domain: key.domain,
    h: engine.loadQuotient(key.h, key.layers, {
      nameOf: (point) => pointName("H", point),
      resident: !key.streamed,
    }),
    shown: sections.load("g1", sectionsOf("public")),
    rows: engine.loadRows(withoutQueries(linked)),
    alpha: point1(coordinates(single("alpha1"))),
    beta: point1(coordinates(single("beta1"))),
    beta2: point2(coordinates(single("beta2"))),
  }
}
type LoadedKey = ReturnType<typeof loadKey>

/**
 * Loads a key of the circuit (`readMirageKey`); what is not in memory is read again for each proof. `weights`: those of
 * the model, if they are private.
 */
export function openMirage(
  circuit: MirageCircuit,
  key: MirageProvingKey,
  engine: Engine,
  weights?: WeightsOpening,
): MirageProver {
  invariant((weights !== undefined) === circuit.linked.weights > 0, "private weights are opened")
  const loaded = loadKey(circuit, key, engine, weights)
  return {
    async prove(values, statement, options = {}) {
      options.signal?.throwIfAborted()
      const committed = committedWitness(circuit, values, options.salts)
      if (!options.onPoints) checkQueries(circuit, committed)
      const check: Check = {
        sums: (sums, projected) => checkSums(circuit, sums, projected),
        refused: () => checkQueries(circuit, committed),
      }
      return new Proving(circuit, loaded, engine, committed, statement, options).run(check)
    },
    proveWitness: (committed, statement, options = {}) =>
      new Proving(circuit, loaded, engine, committed, statement, options).run(),
    async close() {
      const { sections, h, rows, opened } = loaded
      const sums = await opened?.catch(() => undefined)
      await Promise.all((sums?.byEntry ?? []).map((points) => engine.free(points)))
      await Promise.all([sections.free(), engine.free(h), engine.free(rows)])
    },
  }
}

/** A commitment that is being made, and its mask. */
interface Opening {
  readonly rho: bigint
  readonly product: Promise<Affine>
}

/** What the second phase has of the first. */
interface FirstPhase {
  readonly d: G1Point
  readonly rho: bigint
  readonly c: bigint
  /** Sums of every row over committed wires. */
  readonly rowSums: Promise<RowSums>
  /** Entries that queries hit, and sums of their points in A and in C. */
  readonly occurring: Uint32Array
  readonly byEntry: readonly (Promise<Points> | undefined)[]
}

/** Each throws for rows that do not hold. */
interface Check {
  /** Of rows but for queries, before anything of the second phase that depends on them. */
  sums(sums: RowSums, projected: ProjectedRows): void
  /** Of what else may be wrong with a proof that does not verify. */
  refused(): void
}

/** One proof under way. */
class Proving {
  readonly #circuit: MirageCircuit
  readonly #key: LoadedKey
  readonly #engine: Engine
  readonly #committed: CommittedWitness
  readonly #statement: MirageStatement
  readonly #options: MirageOptions
  readonly #random: (n: number) => Uint8Array
  readonly #work: WorkOptions
  /** Integers that the tables have. */
  readonly #entries: Float64Array
  /** Fields of the lookup argument, once there is a challenge. */
  #kept: Fields | undefined

  constructor(
    circuit: MirageCircuit,
    key: LoadedKey,
    engine: Engine,
    committed: CommittedWitness,
    statement: MirageStatement,
    options: MirageOptions,
  ) {
    this.#circuit = circuit
    this.#key = key
    this.#engine = engine
    this.#committed = committed
    this.#statement = statement
    this.#options = options
    this.#random = options.random ?? platformRandom
    this.#work = { signal: options.signal }
    this.#entries = Float64Array.from(entriesOf(circuit.linked.lookup), Number)
  }

  async run(check?: Check): Promise<MirageProof> {
    this.#step(0)
    const { rows, sections, a, last } = this.#key
    const rowSums = this.#engine.rowSums(rows, this.#committed.small, this.#work)
    const opening = this.#commit()
    // sums by entry do not depend on the challenge: they are made while it is
    for (const promise of [rowSums, opening.product]) promise.catch(() => undefined)
    await begun()
    const { occurring, grouped } = sections.entries(this.#committed)
    const byEntry = [a, last].map(
      ({ lookups }) => lookups && this.#engine.sums(lookups, grouped, occurring.length, this.#work),
    )
    for (const sums of byEntry) sums?.catch(() => undefined)
    try {
      const drawn = await this.#challenge(opening)
      this.#step(1)
      return await this.#answer({ ...drawn, rowSums, occurring, byEntry }, check)
    } finally {
      if (this.#kept) await this.#engine.free(this.#kept).catch(() => undefined)
      for (const sums of await Promise.allSettled(byEntry)) {
        if (sums.status === "fulfilled" && sums.value) await this.#engine.free(sums.value)
      }
    }
  }

  #step(done: number): void {
    const { signal, onProgress } = this.#options
    signal?.throwIfAborted()
    onProgress?.({ stage: "prove", done, total: 4 })
  }

  #multiply(loaded: LoadedSections, witness: Witness, masks: readonly bigint[]): Promise<Affine> {
    const scalars = this.#key.sections.scalars(loaded, witness, masks)
    return this.#engine.msm(loaded.points, scalars, this.#work)
  }

  /** The part of the wires of projections. */
  async #multiplyProjected({ projected }: LoadedSections, witness: Witness): Promise<Affine> {
    if (!projected) return null
    const scalars = Array.from(projected.wires, (wire) => witness.large.get(wire) ?? 0n)
    return this.#engine.msm(await projected.points, scalars, this.#work)
  }

  /** D under a fresh mask. */
  #commit(): Opening {
    const rho = draw(this.#random)
    return { rho, product: this.#multiply(this.#key.first, this.#committed, [rho]) }
  }

  /** The challenge that follows from D. */
  async #challenge(opening: Opening): Promise<Pick<FirstPhase, "d" | "rho" | "c">> {
    const { key, context, words } = this.#statement
    let { rho, product } = opening
    let d = add1([await product])
    await begun()
    let c = challenge(key, context, words, json1(d))
    // at an entry of a table the quotient has no value; the chance is negligible, but it is free
    while (this.#entries.includes(Number(c < r >> 1n ? c : c - r))) {
      ;({ rho, product } = this.#commit())
      d = add1([await product])
      c = challenge(key, context, words, json1(d))
    }
    return { d, rho, c }
  }

  async #answer({ d, rho, c, ...first }: FirstPhase, check?: Check): Promise<MirageProof> {
    const { a, b1, b2, last, shown, domain, h, alpha, beta, beta2 } = this.#key
    const opened = await this.#key.opened
    const [x, y] = [draw(this.#random), draw(this.#random)]
    const witness = challengedWitness(this.#circuit.linked, this.#committed, this.#statement.words, c)
    const kept = this.#lookupFields(c)
    const products = Promise.all([
      this.#multiply(a, witness, [x]),
      this.#multiply(b1, witness, [y]),
      this.#multiply(b2, witness, [y]),
      this.#multiply(last, witness, [mod(-x * y), mod(-rho)]),
      this.#multiply(shown, witness, []),
    ])
    const projected = Promise.all([a, b1, b2, last].map((part) => this.#multiplyProjected(part, witness)))
    // the threads are busy with these while the rest is prepared here
    for (const promise of [products, projected]) promise.catch(() => undefined)
    await begun()
    const sums = await first.rowSums
    check?.sums(sums, witness.projected)
    const evaluations = quotientRows(this.#circuit, this.#committed, witness, sums, c, kept, domain)
    this.#step(2)
    const quotient = this.#engine.quotientMsm(h, evaluations, this.#work)
    const factors = { fields: kept, index: first.occurring.map((entry) => this.#entries.length + entry) }
    const byEntry = first.byEntry.map(
      async (points) => points && this.#engine.msm(await points, factors, this.#work),
    )
    const hit = (opened?.occurring ?? new Uint32Array(0)).map((entry) => this.#entries.length + entry)
    const ofWeights = Promise.all(
      (opened?.byEntry ?? []).map((points) =>
        this.#engine.msm(points, { fields: kept, index: hit }, this.#work),
      ),
    )
    const [
      [pointA, pointB1, pointB2, pointLast, pointShown],
      pointsProjected,
      pointH,
      constants,
      ...lookups
    ] = await Promise.all([products, projected, quotient, ofWeights, ...byEntry])
    const [projectedA, projectedB1, projectedB2, projectedLast] = pointsProjected
    const [lookupsA, lookupsLast] = lookups
    this.#step(3)
    const [constantA, constantLast] = constants
    const proofA = alpha.add(add1([pointA, projectedA, lookupsA, constantA])).add(opened?.a ?? G1.ZERO)
    const proofB = beta.add(add1([pointB1, projectedB1])).add(opened?.b1 ?? G1.ZERO)
    const masked = await this.#multiplyPoints([proofA, proofB], [y, x])
    const points = {
      a: proofA,
      b: beta2.add(add2([pointB2, projectedB2])).add(opened?.b2 ?? G2.ZERO),
      c: add1([pointLast, projectedLast, lookupsLast, constantLast, pointH, masked]).add(
        opened?.c ?? G1.ZERO,
      ),
      d,
    }
    if (this.#options.onPoints?.(points, add1([pointShown])) === false) check?.refused()
    this.#step(4)
    return { a: json1(points.a), b: json2(points.b), c: json1(points.c), d: json1(d) }
  }

  /** c − t, inverses and quotients of all entries t, kept until the proof has ended. */
  #lookupFields(c: bigint): Fields {
    const first = this.#circuit.linked.lookup.multiplicities
    const multiplicities = this.#committed.small.subarray(first, first + this.#entries.length)
    this.#kept = this.#engine.lookupFields(c, this.#entries, multiplicities, this.#work)
    return this.#kept
  }

  /** Products of secrets, on the kernels: noble's take longer than a tenth of the proof. */
  async #multiplyPoints(points: readonly G1Point[], scalars: readonly bigint[]): Promise<Affine> {
    const bytes = points.map((point) => {
      if (point.is0()) return new Uint8Array(64)
      const { x, y } = point.toAffine()
      return montgomeryPoint([x, y])
    })
    const loaded = this.#engine.load("g1", Uint8Array.from(bytes.flatMap((point) => [...point])))
    try {
      return await this.#engine.msm(loaded, scalars, this.#work)
    } finally {
      await this.#engine.free(loaded)
    }
  }
}

/** Lets what was asked of the engine begin: calls of one turn become one program in the next. */
const begun = async (): Promise<void> => {
  await nextTurn()
  await nextTurn()
}
