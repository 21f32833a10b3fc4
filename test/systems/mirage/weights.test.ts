/** Private weights: a model's commitment in its key, and what a prover that knows other weights can make of it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { TensorValues } from "#src/circuit/witness/witness.js"
import type { Engine } from "#src/prover/engine/engine.js"
import { kernelEngine } from "#src/prover/engine/kernels.js"
import { quantizeInput, runInteger } from "#src/quantize/integers/run.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import { type MirageProvingKey, readMirageKey } from "#src/systems/mirage/keyfile.js"
import { type MirageProver, openMirage } from "#src/systems/mirage/prove.js"
import { statementWords } from "#src/systems/mirage/witness.js"
import {
  explain,
  keyDigest,
  type MirageKey,
  type MirageProof,
  type MirageReceipt,
  type Statement,
} from "#src/verifier/index.js"
import { type Network, perceptron } from "../../support/networks.js"
import {
  architectureKey,
  commitTo,
  type Model,
  weightsIn,
  withWeights,
} from "../../support/private-weights.js"

const context = `0x${"31".repeat(32)}` as const
const blinding = 123456789n ** 9n

describe("a model with private weights", () => {
  let network: Network
  let circuit: MirageCircuit
  let provingKey: Uint8Array
  let held: MirageProvingKey
  let engine: Engine
  let model: Model
  let prover: MirageProver
  let values: TensorValues
  let other: TensorValues

  /** The network run on an input of which the first elements are weights. */
  const run = (x: readonly number[]) =>
    runInteger(network.graph, quantizeInput(network.graph, { x0: x }, { clampInputs: true }))
  const statementOf = (of: TensorValues, { model }: MirageKey): Statement => ({
    model,
    context,
    input: { visibility: "hidden" },
    output: {
      visibility: "public",
      values: Object.fromEntries(
        network.graph.outputs.map(({ name, tensor }) => [
          name,
          Array.from(of.get(tensor) as Float64Array, String),
        ]),
      ),
    },
  })
  const about = (of: TensorValues, key: MirageKey) => ({
    key: keyDigest(key),
    context,
    words: statementWords(circuit, of, {}),
  })
  const why = (proof: MirageProof, of: TensorValues, key: MirageKey): string | null => {
    const receipt: MirageReceipt = {
      version: 1,
      proofSystem: "mirage",
      statement: statementOf(of, key),
      proof,
    }
    return explain(receipt, { verificationKey: key, model: key.model, context, allowDev: true })
  }

  beforeAll(async () => {
    engine = await kernelEngine()
    network = await perceptron([6, 5, 3], 6)
    circuit = await withWeights(network, 3)
    provingKey = await architectureKey(circuit)
    held = await readMirageKey(provingKey, circuit.linked)
    values = run([0.5, 0.25, 0.75, 0.1, 0.2, 0.3])
    other = run([0.5, 0.25, 0.75, 0.6, 0.1, 0.9])
    model = await commitTo(circuit, provingKey, weightsIn(circuit, values), blinding)
    prover = openMirage(circuit, held, engine, { values: weightsIn(circuit, values), blinding })
  }, 120_000)
  afterAll(() => engine?.close())

  it("is proven for any number of inputs under one commitment", async () => {
    for (const of of [values, other, values])
      expect(why(await prover.prove(of, about(of, model.key)), of, model.key)).toBe(null)
  })
})
