/**
 * Private weights: their commitment, and what of a proof they alone decide. With w_i the wires of the group `weights`,
 *
 *     D_w = Σ_weights w_i · K_i/δ_w + ρ_w·δ          ρ_w uniform, drawn once for a model: D_w hides
 *
 * is made once and is a point of the model's verification key, so its digest brings D_w into every challenge; a proof
 * takes ρ_w back by −ρ_w·δ_w in C, as −ρ·δ_C takes back the mask of D. Sums over these wires in A, B and C are the same
 * in all proofs of a model: they are computed when a prover opens.
 */
import { coordinates } from "../../circuit/formats/points.js"
import { type ByteSource, gather, partOf } from "../../circuit/formats/source.js"
import { wireRange } from "../../circuit/link/circuit.js"
import { secretConstants } from "../../circuit/witness/secret.js"
import { invariant } from "../../errors.js"
import { mod } from "../../field.js"
import type { Affine, Engine, Points, WorkOptions } from "../../prover/engine/engine.js"
import { fileBytes, type Group } from "../../prover/kernels/points/points.js"
import type { IntGraph } from "../../quantize/integers/intgraph.js"
import type { G1Json, G1Point, G2Point } from "../../statement/points.js"
import { add1, add2, json1, point1 } from "./affine.js"
import type { MirageCircuit, MirageLinked } from "./circuit.js"
import { labelOf, type MirageProvingKey, type Single, singleOf, supportOf } from "./keyfile.js"
import { pointName } from "./sections.js"
import { entriesOfWeights, queriesOfWeights } from "./weight-queries.js"
import { publicWires } from "./wires.js"

/** What a prover knows of a model's weights: the values of their wires, in order, and ρ_w. */
export interface WeightsOpening {
  readonly values: Float64Array
  readonly blinding: bigint
}

/**
 * The values of the weights' wires, in order, from the integers of a circuit's model, or another one of its architecture.
 * @throws CountersignError for a model that is without its secrets; ModelError for a constant that is out of its range
 */
export const weightWires = (
  { linked, graph }: Pick<MirageCircuit, "linked" | "graph">,
  model: IntGraph = graph,
): Float64Array => secretConstants(model, linked, publicWires).wires

/** D_w, or null where that is infinity, which no verifier takes. @throws FileError for points that are none; AbortError */
export async function commitMirage(
  linked: MirageLinked,
  key: MirageProvingKey,
  { values, blinding }: WeightsOpening,
  engine: Engine,
  options: WorkOptions = {},
): Promise<G1Json | null> {
  const { weights } = key
  invariant(weights && values.length === linked.weights, "the key has a point for each of the weights")
  const sum = await multiply(
    engine,
    { group: "g1", name: labelOf("weights"), first: 0, points: weights },
    values,
    options,
  )
  const commitment = add1([sum]).add(single(key, "delta1").multiply(mod(blinding)))
  return commitment.is0() ? null : json1(commitment)
}

/** What the weights of a model add to A, B and C of each of its proofs; to C with −ρ_w·δ_w. */
export interface WeightSums {
  readonly a: G1Point
  readonly b1: G1Point
  readonly b2: G2Point
  readonly c: G1Point
  /** Of queries of weights alone: entries that they hit, and for each of them the sum of their points in A, and in C. */
  readonly occurring: Uint32Array
  readonly byEntry: readonly Points[]
}

/** @throws as `commitMirage` */
export async function weightSums(
  linked: MirageLinked,
  key: MirageProvingKey,
  { values, blinding }: WeightsOpening,
  engine: Engine,
): Promise<WeightSums> {
  invariant(values.length === linked.weights, "a value for each of the weights")
  const { r1cs } = linked
  const sum = async (group: Group, name: "a" | "b1" | "b2" | "c", wires: Uint32Array): Promise<Affine> => {
    const isBefore = (end: number) => wires.findLastIndex((wire) => wire < end) + 1
    const [from, to] = [isBefore(publicWires), isBefore(publicWires + linked.weights)]
    if (from === to) return null
    const scalars = Float64Array.from(wires.subarray(from, to), (wire) => values[wire - publicWires])
    const points = slice(key[name], fileBytes[group] * from, fileBytes[group] * (to - from))
    return multiply(engine, { group, name: labelOf(name), first: from, points }, scalars)
  }
  const wiresB = supportOf(r1cs, "b")
  const [a, b1, b2, c] = await Promise.all([
    sum("g1", "a", supportOf(r1cs, "a")),
    sum("g1", "b1", wiresB),
    sum("g2", "b2", wiresB),
    sum("g1", "c", supportOf(r1cs, "c")),
  ])
  const lookups = await sumsByEntry(linked, key, values, engine)
  const unmask = single(key, "deltaW1").multiply(mod(blinding)).negate()
  return { a: add1([a]), b1: add1([b1]), b2: add2([b2]), c: add1([c]).add(unmask), ...lookups }
}

/** Sums of the points of inverses of queries of weights alone, by the entries that they hit. */
async function sumsByEntry(
  linked: MirageLinked,
  key: MirageProvingKey,
  values: Float64Array,
  engine: Engine,
): Promise<Pick<WeightSums, "occurring" | "byEntry">> {
  const queries = queriesOfWeights(linked)
  if (queries.length === 0) return { occurring: queries, byEntry: [] }
  const hit = entriesOfWeights(linked, queries, values)
  const occurring = Uint32Array.from(new Set(hit)).sort()
  const groupOf = new Map(Array.from(occurring, (entry, group) => [entry, group]))
  const group = hit.map((entry) => groupOf.get(entry) as number)
  const wires = queries.map((query) => linked.lookup.inverses + query)
  const sums = async (name: "a" | "final", all: Uint32Array): Promise<Points> => {
    const places = new Uint32Array(wires.length)
    for (let place = 0, i = 0; i < wires.length; place++) if (all[place] === wires[i]) places[i++] = place
    const points = gather(key[name], fileBytes.g1, places)
    const loaded = engine.load("g1", points, { nameOf: (point) => pointName(labelOf(name), places[point]) })
    try {
      return await engine.sums(loaded, { group }, occurring.length)
    } finally {
      await engine.free(loaded)
    }
  }
  const final = wireRange(linked.firstFinal, linked.r1cs.wires)
  const byEntry = await Promise.all([sums("a", supportOf(linked.r1cs, "a")), sums("final", final)])
  return { occurring, byEntry }
}

/** Points of a section, from number `first` of it on. */
interface Stretch {
  readonly group: Group
  readonly name: string
  readonly first: number
  readonly points: Uint8Array | ByteSource
}

async function multiply(
  engine: Engine,
  { group, name, first, points }: Stretch,
  scalars: Float64Array,
  options: WorkOptions = {},
): Promise<Affine> {
  const loaded = engine.load(group, points, { nameOf: (point) => pointName(name, first + point) })
  try {
    return await engine.msm(loaded, scalars, options)
  } finally {
    await engine.free(loaded)
  }
}

const slice = (points: Uint8Array | ByteSource, at: number, length: number): Uint8Array | ByteSource =>
  points instanceof Uint8Array ? points.subarray(at, at + length) : partOf(points, { at, length })

const single = (key: MirageProvingKey, name: Single): G1Point => point1(coordinates(singleOf(key, name)))
