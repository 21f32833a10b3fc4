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
 */
import { bn254 } from "@noble/curves/bn254.js"
import { assignCommitments, type Salts } from "../circuit/commitment.js"
import type { MirageCircuit } from "../circuit/compile.js"
import { CHALLENGE, EVALUATION } from "../circuit/link-mirage.js"
import { entriesOf } from "../circuit/lookup.js"
import {
  assignCommitted,
  type CommittedWitness,
  challengedWitness,
  type TensorValues,
  type Witness,
} from "../circuit/witness.js"
import { invariant, type OnProgress } from "../errors.js"
import { inverseAll, mod } from "../field.js"
import type { G1Json } from "../verifier/points.js"
import type { MirageProof } from "../verifier/receipt.js"
import { challenge } from "../verifier/words.js"
import type { Affine, Engine, Entries, Points, RowSums, WorkOptions } from "./engine.js"
import { mirageDomain, readMirageKey, type Single, singleOf, supportOf } from "./miragekey.js"
import { checkSums, quotientRows } from "./miragerows.js"
import { draw, platformRandom } from "./multiply.js"
import { coordinates } from "./provingkey.js"

const G1 = bn254.G1.Point
const G2 = bn254.G2.Point
type G1Point = typeof G1.BASE
type G2Point = typeof G2.BASE

const firstCommitted = 3

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

/** The points of some wires that are multiplied together. */
interface Share {
  readonly wires: Uint32Array
  readonly points: Points
}
/** One multi-scalar multiplication over all wires, by what is known of their values. */
interface Shares {
  /** Small integers. */
  readonly small: Share
  /** Full field elements: c, ev, Horner steps, Poseidon's wires; then points of the key itself. */
  readonly full: Share
  /** Inverses of queries and quotients of entries: small multiples of one value for each entry. */
  readonly lookups: Share
}

/** Loads a key for a circuit. @throws FileError if the key is damaged or another circuit's */
export function openMirage(circuit: MirageCircuit, provingKey: Uint8Array, engine: Engine): MirageProver {
  const { linked, graph } = circuit
  const { r1cs, lookup, firstFinal } = linked
  const key = readMirageKey(provingKey, linked)
  const domain = mirageDomain(r1cs)
  const isLarge = new Uint8Array(r1cs.wires)
  for (const wire of linked.large) isLarge[wire] = 1
  const table = entriesOf(lookup)
  const entryCount = table.length
  const isLookup = (wire: number) => wire >= lookup.inverses && wire < lookup.quotients + entryCount
  const isFull = (wire: number) =>
    isLarge[wire] === 1 || wire === CHALLENGE || wire === EVALUATION || wire >= firstFinal

  const shareOf = (wires: Uint32Array, bytes: Uint8Array, group: "g1" | "g2", ...masks: Single[]): Shares => {
    const size = group === "g1" ? 64 : 128
    const pick = (belongs: (wire: number) => boolean, also: readonly Single[] = []): Share => {
      const places = Array.from(wires.keys()).filter((i) => belongs(wires[i]))
      const picked = new Uint8Array((places.length + also.length) * size)
      places.forEach((place, i) => {
        picked.set(bytes.subarray(place * size, (place + 1) * size), i * size)
      })
      also.forEach((name, i) => {
        picked.set(singleOf(key, name), (places.length + i) * size)
      })
      return { wires: Uint32Array.from(places, (place) => wires[place]), points: engine.load(group, picked) }
    }
    return {
      small: pick((wire) => !isFull(wire)),
      full: pick((wire) => isFull(wire) && !isLookup(wire), masks),
      lookups: pick(isLookup),
    }
  }
  const range = (from: number, to: number) => Uint32Array.from({ length: to - from }, (_, i) => from + i)
  const supportB = supportOf(r1cs, "b")
  const shares = {
    a: shareOf(supportOf(r1cs, "a"), key.a, "g1", "delta1"),
    b1: shareOf(supportB, key.b1, "g1", "delta1"),
    b2: shareOf(supportB, key.b2, "g2", "delta2"),
    committed: shareOf(range(firstCommitted, firstFinal), key.committed, "g1", "delta1"),
    final: shareOf(range(firstFinal, r1cs.wires), key.final, "g1", "delta1", "deltaC1"),
  }
  const h = engine.load("g1", key.h)
  const rows = engine.loadRows(r1cs)
  const single1 = (name: Single) => point1(coordinates(singleOf(key, name)))
  const single2 = (name: Single) => point2(coordinates(singleOf(key, name)))
  const singles = { alpha: single1("alpha1"), beta: single1("beta1"), beta2: single2("beta2") }

  /** Σ over all shares; `masks` multiply the key's own points, `inverse` has the value of an inverse per entry. */
  const multiply = async (
    { small, full, lookups }: Shares,
    witness: Witness,
    masks: readonly bigint[],
    work: WorkOptions,
    entries?: Entries,
    inverse?: readonly bigint[],
  ): Promise<Affine[]> => {
    const tasks: Promise<Affine>[] = []
    if (small.points.count > 0)
      tasks.push(
        engine.msm(
          small.points,
          Float64Array.from(small.wires, (wire) => witness.small[wire]),
          work,
        ),
      )
    const values = Array.from(full.wires, (wire) => witness.large.get(wire) ?? 0n)
    tasks.push(engine.msm(full.points, [...values, ...masks], work))
    if (lookups.points.count > 0) {
      invariant(entries && inverse, "lookups have values")
      tasks.push(engine.groupedMsm(lookups.points, entries, inverse, work))
    }
    return Promise.all(tasks)
  }

  /**
   * The wires of the lookup argument by entry t: 1/(c − t) times the points of the queries that hit t and, as
   * its quotient is the multiplicity times that, as many times the point of the quotient.
   */
  const lookupEntries = ({ entries, small }: CommittedWitness): Entries => {
    const queries = entries.length
    const group = new Uint32Array(2 * queries)
    const point = new Uint32Array(2 * queries)
    let at = queries
    group.set(entries)
    for (let i = 0; i < queries; i++) point[i] = i
    for (let entry = 0; entry < entryCount; entry++) {
      for (let i = small[lookup.multiplicities + entry]; i > 0 && at < 2 * queries; i--) {
        group[at] = entry
        point[at++] = queries + entry
      }
    }
    return { group: group.subarray(0, at), point: point.subarray(0, at) }
  }

  /** 1/(c − t) of the entries that occur, zero for the others. */
  const inverses = ({ entries, small }: CommittedWitness, differences: readonly bigint[]): bigint[] => {
    const occurs = new Uint8Array(entryCount)
    for (const entry of entries) occurs[entry] = 1
    const places: number[] = []
    for (let entry = 0; entry < entryCount; entry++)
      if (occurs[entry] === 1 || small[lookup.multiplicities + entry] !== 0) places.push(entry)
    const values = places.map((entry) => differences[entry])
    inverseAll(values)
    const result = new Array<bigint>(entryCount).fill(0n)
    places.forEach((entry, i) => {
      result[entry] = values[i]
    })
    return result
  }

  const prove: MirageProver["prove"] = async (values, statement, options = {}) => {
    options.signal?.throwIfAborted()
    const committed = assignCommitted(graph, linked, values)
    assignCommitments(circuit, values, committed, options.salts)
    const sums = await engine.rowSums(rows, committed.small, { signal: options.signal })
    checkSums(circuit, committed, sums)
    return proveSums(committed, sums, statement, options)
  }
  const proveWitness: MirageProver["proveWitness"] = async (committed, statement, options = {}) =>
    proveSums(committed, await engine.rowSums(rows, committed.small), statement, options)

  const proveSums = async (
    committed: CommittedWitness,
    sums: RowSums,
    statement: MirageStatement,
    { onProgress, signal, random = platformRandom }: MirageOptions,
  ): Promise<MirageProof> => {
    const step = (done: number) => {
      signal?.throwIfAborted()
      onProgress?.({ stage: "prove", done, total: 4 })
    }
    step(0)
    let rho = 0n
    let d = G1.ZERO
    let c = 0n
    let differences: bigint[] = []
    do {
      rho = draw(random)
      d = add1(await multiply(shares.committed, committed, [rho], { signal }))
      c = challenge(statement.key, statement.context, statement.words, json1(d))
      // at an entry of a table the quotient has no value; the chance is negligible, but it is free
      // at an entry of a table the quotient has no value; the chance is negligible, but it is free
      differences = table.map((entry) => mod(c - entry))
    } while (differences.includes(0n))
    step(1)

    const inverse = inverses(committed, differences)
    const witness = challengedWitness(linked, committed, statement.words, c, inverse)
    const evaluations = quotientRows(circuit, committed, witness, sums, { c, inverse, differences }, domain)
    step(2)
    const [x, y] = [draw(random), draw(random)]
    const entries = lookupEntries(committed)
    const work = { signal }
    const [pointA, pointB1, pointB2, pointFinal, pointH] = await Promise.all([
      multiply(shares.a, witness, [x], work, entries, inverse).then(add1),
      multiply(shares.b1, witness, [y], work).then(add1),
      multiply(shares.b2, witness, [y], work).then(add2),
      multiply(shares.final, witness, [mod(-x * y), mod(-rho)], work, entries, inverse).then(add1),
      engine.quotientMsm(h, evaluations, work).then((point) => add1([point])),
    ])
    step(3)
    const a = singles.alpha.add(pointA)
    const b1 = singles.beta.add(pointB1)
    const b2 = singles.beta2.add(pointB2)
    const cPoint = pointFinal.add(pointH).add(a.multiply(y)).add(b1.multiply(x))
    const bAffine = b2.toAffine()
    const proof: MirageProof = {
      a: json1(a),
      b: [
        [`${bAffine.x.c0}`, `${bAffine.x.c1}`],
        [`${bAffine.y.c0}`, `${bAffine.y.c1}`],
      ],
      c: json1(cPoint),
      d: json1(d),
    }
    step(4)
    return proof
  }
  const close = async (): Promise<void> => {
    const parts = Object.values(shares).flatMap(({ small, full, lookups }) => [small, full, lookups])
    await Promise.all([...parts.map(({ points }) => engine.free(points)), engine.free(h), engine.free(rows)])
  }
  return { prove, proveWitness, close }
}

const point1 = ([x, y]: readonly bigint[]): G1Point => G1.fromAffine({ x, y })
const point2 = ([x0, x1, y0, y1]: readonly bigint[]): G2Point =>
  G2.fromAffine({ x: { c0: x0, c1: x1 }, y: { c0: y0, c1: y1 } })
const add1 = (points: readonly Affine[]): G1Point =>
  points.reduce((sum, point) => (point ? sum.add(point1(point)) : sum), G1.ZERO)
const add2 = (points: readonly Affine[]): G2Point =>
  points.reduce((sum, point) => (point ? sum.add(point2(point)) : sum), G2.ZERO)
const json1 = (point: G1Point): G1Json => {
  const { x, y } = point.toAffine()
  return [`${x}`, `${y}`]
}
