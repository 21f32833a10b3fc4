/** Setup and proving as the public interface offers them: circuit in, keys and receipts out. */

import { checkOptions, checkText, checkThing } from "../arguments.js"
import { bytesOf, checkProvingKey, type ProvingKey } from "../circuit/formats/source.js"
import { commitBy } from "../circuit/gadgets/poseidon.js"
import { type Salts, saltsFor, sideWords } from "../circuit/witness/commitment.js"
import type { TensorValues } from "../circuit/witness/witness.js"
import { FileError, InvariantError, invariant, type OnProgress, UsageError } from "../errors.js"
import { isNode } from "../platform.js"
import type { Nested } from "../quantize/nested.js"
import { quantizeInput, runInteger } from "../quantize/run.js"
import type { DevSetupOptions } from "../setup/trapdoor.js"
import type { G1Point, G2Point } from "../statement/points.js"
import type { Provenance } from "../statement/provenance.js"
import { publicSignals, type Statement, type Values } from "../statement/statement.js"
import { wordsOf } from "../statement/words.js"
import type { PlainCircuit } from "../systems/groth16/circuit.js"
import { devSetup } from "../systems/groth16/setup.js"
import { witnessOf } from "../systems/groth16/witness.js"
import { writeWtns } from "../systems/groth16/witnessfile.js"
import { checkZkey, type Masks, masksOf, setupOf, verificationPoints } from "../systems/groth16/zkey.js"
import type { Circuit } from "../systems/index.js"
import type { MirageCircuit } from "../systems/mirage/circuit.js"
import {
  checkMemory,
  type MirageProvingKey,
  mirageMasks,
  mirageVerificationPoints,
  proverMemory,
  readMirageKey,
} from "../systems/mirage/keyfile.js"
import { openMirage } from "../systems/mirage/prove.js"
import { mirageDevSetup } from "../systems/mirage/setup.js"
import { type MirageProofPoints, mirageFactors } from "../systems/mirage/verify.js"
import type { Receipt, VerificationKey } from "../systems/verifiers.js"
import { checkKey, keyDigest, parseVerificationKey } from "../verifier/key.js"
import { explain } from "../verifier/verify.js"
import type { Affine, Engine, PointPair } from "./engine/engine.js"
import { kernelEngine } from "./engine/kernels.js"
import { checkMasks } from "./masks.js"

export interface SetupOptions extends DevSetupOptions {
  /** Draw the trapdoor here. The keys are for development: whoever ran this can forge. */
  readonly dev: true
}

export interface Keys {
  /** docs/FORMATS.md; for plain groth16 a `.zkey` that snarkjs reads too. */
  readonly provingKey: Uint8Array
  readonly verificationKey: VerificationKey
}

/**
 * Makes the keys of a circuit.
 * @throws UsageError unless `dev` is set; CountersignError for a key that is too large to prove with; AbortError
 */
export async function setup(circuit: Circuit, options: SetupOptions): Promise<Keys> {
  checkThing("circuit", circuit, "circuit")
  checkOptions(options, "an object with `dev`")
  if (options.dev !== true) {
    throw new UsageError({
      what: "setup needs to know how",
      expected: "`dev: true`",
      fix: "The keys it makes are for development, whose maker can forge: say so with option `dev`",
    })
  }
  const provingKey =
    circuit.proofSystem === "groth16"
      ? (await devSetup(circuit.linked.r1cs, options)).zkey
      : await mirageDevSetup(circuit.linked, options)
  return { provingKey, verificationKey: await verificationKeyOf(circuit, provingKey) }
}

/**
 * The verification key that belongs to a circuit and its proving key, of whose points only those few are read and
 * those that hide (masks.ts).
 * @throws FileError if the proving key is damaged, another circuit's, or would tell of the input
 */
export async function verificationKeyOf(circuit: Circuit, provingKey: ProvingKey): Promise<VerificationKey> {
  checkThing("circuit", circuit, "circuit")
  checkProvingKey(provingKey, "provingKey")
  if (circuit.proofSystem === "mirage")
    return mirageKey(circuit, await readMirageKey(provingKey, circuit.linked, 0))
  const zkey = await bytesOf(provingKey, "proving key")
  checkZkey(zkey, circuit.linked.r1cs)
  return plainKey(circuit, zkey)
}

const plainKey = (circuit: PlainCircuit, zkey: Uint8Array): VerificationKey =>
  keyFor(circuit, setupOf(zkey), verificationPoints(zkey), masksOf(zkey))

const mirageKey = (circuit: MirageCircuit, key: MirageProvingKey): VerificationKey =>
  keyFor(circuit, key.setup, mirageVerificationPoints(key), mirageMasks(key))

function keyFor(
  { proofSystem, model, layout }: Circuit,
  setup: Provenance,
  points: object,
  masks: Masks,
): VerificationKey {
  const checked = checkKey({ version: 1, proofSystem, setup, model, layout, points })
  checkMasks(masks, checked)
  return checked.key
}

/**
 * Whether keys belong to a circuit: the proving key's constraints, the verification key's model, layout and
 * points.
 * @throws FileError naming what differs
 */
export async function checkKeys(
  circuit: Circuit,
  provingKey: ProvingKey,
  verificationKey: VerificationKey,
): Promise<void> {
  checkThing("verificationKey", verificationKey, "verificationKey")
  requireKey(verificationKey, await verificationKeyOf(circuit, provingKey))
}

/** Whether a verification key is the one of a circuit and its proving key. @throws FileError naming what differs */
function requireKey(given: VerificationKey, expected: VerificationKey): void {
  const verificationKey = parseVerificationKey(given)
  const fields = [
    ["proofSystem", "is for another proof system"],
    ["model", "is another model's"],
    ["layout", "has another layout than the circuit"],
    ["points", "was not made with the proving key"],
    ["setup", "says that it was made another way than the proving key"],
  ] as const
  for (const [field, what] of fields) {
    if (JSON.stringify(verificationKey[field]) === JSON.stringify(expected[field])) continue
    throw new FileError({
      what,
      where: "verification key",
      fix: "Take both keys, and the circuit, from one setup, or run it again",
    })
  }
}

/** Bytes of memory that proving takes next to the process itself, about; null for plain groth16, which is snarkjs's. */
export function memoryEstimate(circuit: Circuit): number | null {
  checkThing("circuit", circuit, "circuit")
  return circuit.proofSystem === "mirage" ? proverMemory(circuit.linked) : null
}

export interface ProveOptions {
  /** The caller's 32 bytes that the receipt is for, as 0x and 64 hexadecimal digits. */
  readonly context: string
  /** Move inputs outside the calibrated range to its edge instead of refusing them. */
  readonly clampInputs?: boolean
  /** Salts of commitments (`drawSalt`), one for each side that the circuit commits to. Keep them to open it. */
  readonly salts?: Salts
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

export interface Prover {
  /**
   * Runs the model on an input, flat or nested like its shape, and proves what it said.
   * @throws InputError for inputs that do not fit; UsageError for a malformed context or missing salts;
   * FileError when the proving key cannot be read any more or was changed, and when the receipt does not verify,
   * because points of the key are wrong: nothing leaves before it does; AbortError; CountersignError when a worker
   * dies
   */
  prove(input: Readonly<Record<string, Nested>>, options: ProveOptions): Promise<Receipt>
  /** Stops the workers. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Proves given integers of every tensor for a statement about them. */
interface Backend {
  prove(values: TensorValues, statement: Statement, options: ProveOptions): Promise<Receipt>
  close(): Promise<void>
}

export interface OpenOptions {
  /** The arithmetic of the two-phase proof, then the caller's to close. Default: the kernels. */
  readonly engine?: Engine
  /**
   * A two-phase key of more bytes is read anew for each proof, in blocks, as is one that would not fit into the
   * kernels. Default: 2^30.
   */
  readonly residentBytes?: number
  /**
   * The key that receipts will be verified against, from a place that you trust: the proving key must be of the same
   * setup. Pin it wherever the proving key comes from somebody else, or from a network.
   */
  readonly verificationKey?: VerificationKey
}

/**
 * Loads a proving key that stays until `close`, or, if it is too large for that, reads it in blocks for each
 * proof. Its bytes must not change meanwhile; a source of them (`openKeyFile`) is the caller's to close, after
 * the prover.
 * @throws FileError if the key is damaged or another circuit's, not of `verificationKey`, or would tell of the input
 * (masks.ts); CountersignError if the proof cannot fit into memory, with the figure
 */
export async function openProver(
  circuit: Circuit,
  provingKey: ProvingKey,
  options: OpenOptions = {},
): Promise<Prover> {
  checkThing("circuit", circuit, "circuit")
  checkProvingKey(provingKey, "provingKey")
  checkOptions(options)
  const { prove, close } =
    circuit.proofSystem === "groth16"
      ? await openGroth16(circuit, provingKey, options)
      : await openTwoPhase(circuit, provingKey, options)
  return {
    async prove(input, proveOptions) {
      checkOptions(proveOptions, "an object with `context`")
      const { context, clampInputs, onProgress, signal } = proveOptions
      checkText(context, "options.context")
      if (!/^0x[0-9a-f]{64}$/.test(context)) {
        throw new UsageError({
          what: "malformed context",
          expected: "0x and 64 lower-case hexadecimal digits",
          given: `\`${context}\``,
        })
      }
      const salts = saltsFor(circuit, proveOptions.salts)
      signal?.throwIfAborted()
      onProgress?.({ stage: "witness", done: 0, total: 1 })
      const quantized = quantizeInput(circuit.graph, input, clampInputs ? { clampInputs } : {})
      const values = runInteger(circuit.graph, quantized)
      const statement = statementOf(circuit, values, context, salts)
      onProgress?.({ stage: "witness", done: 1, total: 1 })
      return prove(values, statement, proveOptions)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function openGroth16(
  circuit: PlainCircuit,
  provingKey: ProvingKey,
  { verificationKey: pinned }: OpenOptions,
): Promise<Backend> {
  if (!isNode) {
    throw new UsageError({
      what: "plain groth16 is proven by snarkjs, in Node alone",
      fix: "Compile the model with option `proofSystem` mirage",
    })
  }
  const zkey = await bytesOf(provingKey, "proving key")
  checkZkey(zkey, circuit.linked.r1cs)
  const verificationKey = plainKey(circuit, zkey)
  if (pinned) requireKey(pinned, verificationKey)
  // only here does the GPL come in
  const { openReference } = await import("../systems/groth16/snarkjs-prover.js")
  const reference = await openReference(zkey)
  return {
    async prove(values, statement, { onProgress, signal }) {
      const wtns = writeWtns(witnessOf(circuit, values, statement.context))
      const { proof, publicSignals: proven } = await reference.prove(wtns, { onProgress, signal })
      const expected = publicSignals(statement, circuit.layout).map(String)
      invariant(`${expected}` === `${proven}`, "the prover's public signals are not the statement's")
      return checkedReceipt({ version: 1, proofSystem: "groth16", statement, proof }, verificationKey)
    },
    close: reference.close,
  }
}

async function openTwoPhase(
  circuit: MirageCircuit,
  provingKey: ProvingKey,
  { engine: given, residentBytes, verificationKey: pinned }: OpenOptions,
): Promise<Backend> {
  checkMemory(circuit.linked, { residentBytes })
  const held = await readMirageKey(provingKey, circuit.linked, residentBytes)
  const verificationKey = mirageKey(circuit, held)
  if (pinned) requireKey(pinned, verificationKey)
  const key = keyDigest(verificationKey)
  const engine = given ?? (await kernelEngine())
  const checked = checkKey(verificationKey)
  const pairsOf = (points: MirageProofPoints, ic: G1Point): PointPair[] => {
    invariant(checked.proofSystem === "mirage", "the key is a two-phase one")
    return mirageFactors(checked, points, ic).map(([one, two]) => ({ one: affine1(one), two: affine2(two) }))
  }
  const prover = openMirage(circuit, held, engine)
  return {
    async prove(values, statement, { salts, onProgress, signal }) {
      const words = wordsOf(statement, circuit.layout)
      const { context } = statement
      let holds = false
      const onPoints = (points: MirageProofPoints, ic: G1Point) => {
        holds =
          Object.values(points).every((point) => !point.is0()) && engine.pairingsAreOne(pairsOf(points, ic))
      }
      const options = { salts, onProgress, signal, onPoints }
      const proof = await prover.prove(values, { key, context, words }, options)
      const receipt: Receipt = { version: 1, proofSystem: "mirage", statement, proof }
      if (holds) return receipt
      checkedReceipt(receipt, verificationKey)
      throw new InvariantError("the kernels refuse a proof that verifies")
    },
    close: () => (given ? prover.close() : engine.close()),
  }
}

/**
 * The receipt, if it verifies. The witness is known to be right, so what does not is the key's fault; and given out,
 * such a proof may tell of the input (masks.ts).
 */
function checkedReceipt(receipt: Receipt, verificationKey: VerificationKey): Receipt {
  const { model, context } = receipt.statement
  const reason = explain(receipt, { verificationKey, model, context, allowDev: true })
  if (reason === null) return receipt
  throw new FileError({
    what: `points are wrong, or were changed while the prover was open: ${reason}`,
    where: "proving key",
    fix: "Take the key from whoever made it, or make it again; `countersign audit` says which points are wrong",
  })
}

const affine1 = (point: G1Point): Affine => {
  const { x, y } = point.toAffine()
  return point.is0() ? null : [x, y]
}
const affine2 = (point: G2Point): Affine => {
  const { x, y } = point.toAffine()
  return point.is0() ? null : [x.c0, x.c1, y.c0, y.c1]
}

/** The public words of an execution of a two-phase circuit. */
export const statementWords = (circuit: Circuit, values: TensorValues, salts: Salts): bigint[] =>
  wordsOf(statementOf(circuit, values, `0x${"00".repeat(32)}`, salts), circuit.layout)

/** The statement that an execution makes true. */
function statementOf(circuit: Circuit, values: TensorValues, context: string, salts: Salts): Statement {
  const { graph, layout, model, input, output } = circuit
  const of = (tensor: number): Float64Array => {
    const data = values.get(tensor)
    invariant(data, `tensor ${graph.tensors[tensor].name} has no values`)
    return data
  }
  const shown = (entries: readonly { name: string; tensor: number }[]): Values =>
    Object.fromEntries(entries.map(({ name, tensor }) => [name, Array.from(of(tensor), String)]))
  const committed = (side: "input" | "output"): `0x${string}` => {
    const commitment = circuit.proofSystem === "mirage" ? circuit.linked.commitments[side] : undefined
    invariant(commitment, `the circuit commits to its ${side}`)
    const value = commitBy(
      commitment.block,
      sideWords({ graph, layout }, values, side),
      salts[side] as bigint,
    )
    return `0x${value.toString(16).padStart(64, "0")}`
  }
  const inputClaim = (): Statement["input"] => {
    if (input === "private") return { visibility: "hidden" }
    if (input === "public") return { visibility: "public", values: shown(graph.inputs) }
    return { visibility: "committed", commitment: committed("input") }
  }
  return {
    model,
    context: context as Statement["context"], // `prove` has looked at its form
    input: inputClaim(),
    output:
      output === "public"
        ? { visibility: "public", values: shown(graph.outputs) }
        : { visibility: "committed", commitment: committed("output") },
  }
}
