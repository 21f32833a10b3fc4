/**
 * Circuits with private weights that no linker made: of a model with a hidden input, whose first elements are taken for
 * weights. Their wires stand where those of weights do, behind the public ones, so all that is about keys, commitments
 * and proofs can be tried with them; whatever a linker says of weights cannot.
 */
import type { TensorValues } from "#src/circuit/witness/witness.js"
import { compile } from "#src/compile/compile.js"
import { kernelEngine } from "#src/prover/engine/kernels.js"
import { checkArchitecture } from "#src/prover/open.js"
import { evaluateByTrapdoor } from "#src/setup/trapdoor.js"
import { privateModel } from "#src/statement/model.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import { mirageVerificationPoints, readMirageKey } from "#src/systems/mirage/keyfile.js"
import { mirageKeyOf, mirageKeyQueries } from "#src/systems/mirage/setup.js"
import { commitMirage } from "#src/systems/mirage/weights.js"
import { type G1Json, type MirageKey, type Provenance, parseVerificationKey } from "#src/verifier/index.js"
import type { Network } from "./networks.js"

/** A circuit of a network whose input is hidden, of which the first `weights` elements are private weights. */
export async function withWeights({ graph }: Network, weights: number): Promise<MirageCircuit> {
  const circuit = (await compile(graph, { input: "private" })) as MirageCircuit
  return { ...circuit, linked: { ...circuit.linked, weights } }
}

/** The values of its weights in an execution. */
export const weightsIn = ({ graph, linked }: MirageCircuit, values: TensorValues): Float64Array =>
  (values.get(graph.inputs[0].tensor) as Float64Array).slice(0, linked.weights)

/** A development key of an architecture; `random` gives the trapdoor. */
export async function architectureKey(
  { linked }: MirageCircuit,
  random?: (n: number) => Uint8Array,
): Promise<Uint8Array> {
  const { domain, secrets, queries } = mirageKeyQueries(linked)
  const evaluate = evaluateByTrapdoor(random ? { random } : {})
  return mirageKeyOf(linked, await evaluate(linked.r1cs, domain, secrets, queries), "dev")
}

/** A model of these weights. */
export interface Model {
  readonly commitment: G1Json
  readonly key: MirageKey
}

export async function commitTo(
  circuit: MirageCircuit,
  provingKey: Uint8Array,
  values: Float64Array,
  blinding: bigint,
): Promise<Model> {
  const { linked } = circuit
  await checkArchitecture(circuit, provingKey)
  const held = await readMirageKey(provingKey, linked)
  const engine = await kernelEngine()
  try {
    const commitment = await commitMirage(linked, held, { values, blinding }, engine)
    if (commitment === null) throw new Error("a commitment at infinity")
    return { commitment, key: modelKey(circuit, held, commitment) }
  } finally {
    await engine.close()
  }
}

/** The verification key of a commitment under a proving key. */
export function modelKey(
  { model, layout }: MirageCircuit,
  held: { readonly points: Uint8Array; readonly ic: Uint8Array; readonly setup: Provenance },
  commitment: G1Json,
): MirageKey {
  const points = { ...mirageVerificationPoints(held), weights: commitment }
  const facts = { version: 1, proofSystem: "mirage", setup: held.setup, layout, points }
  return parseVerificationKey({
    ...facts,
    architecture: model,
    model: privateModel(model, commitment),
  }) as MirageKey
}
