/** Setup and proving as the public interface offers them: circuit in, keys and receipts out. */
import { type Circuit, witnessOf } from "../circuit/compile.js"
import { FileError, invariant, type OnProgress, UsageError } from "../errors.js"
import { quantizeInput, runInteger } from "../quantize/run.js"
import { parseVerificationKey, type VerificationKey } from "../verifier/key.js"
import { parseLayout } from "../verifier/layout.js"
import type { Receipt } from "../verifier/receipt.js"
import { publicSignals, type Statement, type Values } from "../verifier/statement.js"
import { type DevSetupOptions, devSetup } from "./devsetup.js"
import { checkZkey, verificationPoints } from "./provingkey.js"
import { openReference } from "./resident.js"
import { writeWtns } from "./witnessfile.js"

export interface SetupOptions extends DevSetupOptions {
  /** Draw the trapdoor here. The keys are for development: whoever ran this can forge. */
  readonly dev: true
}

export interface Keys {
  /** A `.zkey` that snarkjs reads too. */
  readonly provingKey: Uint8Array
  readonly verificationKey: VerificationKey
}

/** Makes the keys of a circuit. @throws UsageError unless `dev` is set; AbortError */
export async function setup(circuit: Circuit, options: SetupOptions): Promise<Keys> {
  if (options.dev !== true) {
    throw new UsageError({ what: "setup needs to know how", expected: "`dev: true`", fix: "Pass dev: true" })
  }
  const { zkey, key } = await devSetup(circuit.linked.r1cs, options)
  const pair = (point: readonly bigint[]) => point.map(String)
  const verificationKey = parseVerificationKey({
    version: 1,
    proofSystem: "groth16",
    setup: "dev",
    model: circuit.model,
    layout: circuit.layout,
    points: {
      alpha1: pair(key.alpha1),
      beta2: key.beta2.map(pair),
      gamma2: key.gamma2.map(pair),
      delta2: key.delta2.map(pair),
      ic: key.ic.map(pair),
    },
  })
  return { provingKey: zkey, verificationKey }
}

/**
 * Whether keys belong to a circuit: every coefficient of the proving key, the verification key's model,
 * layout and points.
 * @throws FileError naming what differs
 */
export function checkKeys(circuit: Circuit, provingKey: Uint8Array, verificationKey: VerificationKey): void {
  checkZkey(provingKey, circuit.linked.r1cs)
  const fail: (what: string) => never = (what) => {
    throw new FileError({ what, where: "verification key", fix: "Run setup for this circuit again" })
  }
  if (verificationKey.proofSystem !== "groth16") fail("is for another proof system")
  if (verificationKey.model !== circuit.model) fail("is another model's")
  if (JSON.stringify(verificationKey.layout) !== JSON.stringify(parseLayout(circuit.layout, "layout"))) {
    fail("has another layout than the circuit")
  }
  const held = verificationPoints(provingKey)
  const { alpha1, beta2, gamma2, delta2, ic } = verificationKey.points
  if (JSON.stringify(held) !== JSON.stringify({ alpha1, beta2, gamma2, delta2, ic })) {
    fail("was not made with the proving key")
  }
}

export interface ProveOptions {
  /** The caller's 32 bytes that the receipt is for, as 0x and 64 hexadecimal digits. */
  readonly context: string
  /** Move inputs outside the calibrated range to its edge instead of refusing them. */
  readonly clampInputs?: boolean
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

export interface Prover {
  /**
   * Runs the model on an input and proves what it said.
   * @throws InputError for inputs that do not fit; UsageError for a malformed context; AbortError;
   * CountersignError when the worker dies
   */
  prove(input: Readonly<Record<string, ArrayLike<number>>>, options: ProveOptions): Promise<Receipt>
  /** Stops the worker. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Loads a proving key into a worker that stays until `close`; proofs are made one after the other. The
 * bytes of the key must not change meanwhile: a proof that was aborted costs the worker, and the next one
 * starts another from the same bytes.
 * @throws FileError if the key is damaged or another circuit's
 */
export async function openProver(circuit: Circuit, provingKey: Uint8Array): Promise<Prover> {
  checkZkey(provingKey, circuit.linked.r1cs)
  const reference = await openReference(provingKey)
  const prove: Prover["prove"] = async (input, { context, clampInputs, onProgress, signal }) => {
    if (!/^0x[0-9a-f]{64}$/.test(context)) {
      throw new UsageError({
        what: "malformed context",
        expected: "0x and 64 lower-case hexadecimal digits",
        given: `\`${context}\``,
      })
    }
    signal?.throwIfAborted()
    onProgress?.({ stage: "witness", done: 0, total: 1 })
    const quantized = quantizeInput(circuit.graph, input, clampInputs ? { clampInputs } : {})
    const values = runInteger(circuit.graph, quantized)
    const witness = witnessOf(circuit, values, context)
    const statement = statementOf(circuit, values, context)
    onProgress?.({ stage: "witness", done: 1, total: 1 })
    const { proof, publicSignals: proven } = await reference.prove(writeWtns(witness), { onProgress, signal })
    const expected = publicSignals(statement, circuit.layout).map(String)
    invariant(`${expected}` === `${proven}`, "the prover's public signals are not the statement's")
    return { version: 1, proofSystem: "groth16", statement, proof }
  }
  return { prove, close: reference.close, [Symbol.asyncDispose]: reference.close }
}

function statementOf(
  circuit: Circuit,
  values: ReadonlyMap<number, Float64Array>,
  context: string,
): Statement {
  const texts = (entries: readonly { name: string; tensor: number }[]): Values =>
    Object.fromEntries(
      entries.map(({ name, tensor }) => [name, Array.from(values.get(tensor) as Float64Array, String)]),
    )
  return {
    model: circuit.model,
    context,
    input:
      circuit.input === "public"
        ? { visibility: "public", values: texts(circuit.graph.inputs) }
        : { visibility: "hidden" },
    output: { visibility: "public", values: texts(circuit.graph.outputs) },
  }
}
