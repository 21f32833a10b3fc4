/** Setup and proving as the public interface offers them: circuit in, keys and receipts out. */

import { checkArgument, checkOptions, checkText, checkThing } from "../arguments.js"
import { checkProvingKey, type ProvingKey } from "../circuit/formats/source.js"
import { FileError, invariant, type OnProgress, UsageError } from "../errors.js"
import { r } from "../field.js"
import type { Nested } from "../quantize/calibration/nested.js"
import { type DevSetupOptions, evaluateByTrapdoor } from "../setup/trapdoor.js"
import { privateModel } from "../statement/model.js"
import type { G1Json } from "../statement/points.js"
import { type Circuit, systemOf } from "../systems/index.js"
import type { WorkOptions } from "../systems/system.js"
import type { CheckedKey, Receipt, VerificationKey } from "../systems/verifiers.js"
import { checkKey, keyDigest, parseVerificationKey, pointsOfArchitecture } from "../verifier/key.js"
import type { Engine } from "./engine/engine.js"
import { type ExecuteOptions, execute } from "./execute.js"
import type { FirstKeyOptions } from "./first-key.js"
import { checkMasks } from "./masks.js"
import { explainReceipt } from "./verify.js"

export interface SetupOptions extends DevSetupOptions {
  /** Draw the trapdoor here. The keys are for development: whoever ran this can forge. */
  readonly dev: true
}

export interface Keys {
  /** docs/FORMATS.md; for plain groth16 a `.zkey` that snarkjs reads too. */
  readonly provingKey: Uint8Array
  readonly verificationKey: VerificationKey
}

/** What powers of tau give. */
export type FirstKeys = Pick<Keys, "provingKey"> & Partial<Keys>

/**
 * Makes the keys of a circuit: with `dev` both of them, for development. With `ptau`, powers of tau (`openPtau`,
 * `openPtauFile`), the first key of a ceremony: it is no use before somebody has contributed to it, so there is no
 * verification key yet. Of plonk and fflonk, which have no ceremony, there is. With private weights the proving key is an
 * architecture's, and there is no verification key before a model is committed to (`commitWeights`).
 * @throws UsageError unless one of both is given; CountersignError for a key that is too large to prove with;
 * FileError for powers that are too few, or wrong; AbortError
 */
export async function setup(
  circuit: Circuit & { readonly weights: "private" },
  options: SetupOptions,
): Promise<FirstKeys>
export async function setup(circuit: Circuit, options: SetupOptions): Promise<Keys>
export async function setup(circuit: Circuit, options: FirstKeyOptions): Promise<FirstKeys>
export async function setup(circuit: Circuit, options: SetupOptions | FirstKeyOptions): Promise<FirstKeys> {
  checkThing("circuit", circuit, "circuit")
  checkOptions(options, "an object with `dev` or `ptau`")
  if (("dev" in options && options.dev === true) === ("ptau" in options && options.ptau !== undefined)) {
    throw new UsageError({
      what: "setup needs to know how",
      expected: "either `ptau` or `dev: true`",
      fix: "Give powers of tau for keys that can be trusted; option `dev` makes keys whose maker can forge",
    })
  }
  const { keys } = systemOf(circuit)
  if (keys.kind === "universal") return await bothOf(circuit, await keys.make(circuit, options))
  if ("ptau" in options) {
    // a page that proves has no use for it
    const { firstKey } = await import("./first-key.js")
    return { provingKey: await firstKey(circuit, keys, options) }
  }
  const { domain, secrets, queries } = keys.queries(circuit)
  const points = await evaluateByTrapdoor(options)(circuit.linked.r1cs, domain, secrets, queries)
  return await bothOf(circuit, await keys.write(circuit, points, "dev"))
}

/** A proving key with the verification key that it carries; of an architecture there is none before a commitment. */
async function bothOf(circuit: Circuit, provingKey: Uint8Array): Promise<FirstKeys> {
  if (!isPrivate(circuit))
    return { provingKey, verificationKey: await verificationKeyOf(circuit, provingKey) }
  await checkArchitecture(circuit, provingKey)
  return { provingKey }
}

/** Whether the weights of a circuit are private, and it is one of an architecture. */
export const isPrivate = (circuit: Circuit): boolean => systemOf(circuit).weights?.isPrivate(circuit) ?? false

/**
 * The verification key that belongs to a circuit and its proving key, of whose points only those few are read and
 * those that hide (masks.ts).
 * @param weights the commitment to private weights
 * @throws FileError if the proving key is damaged, another circuit's, or would tell of the input; UsageError for
 * private weights without a commitment
 */
export async function verificationKeyOf(
  circuit: Circuit,
  provingKey: ProvingKey,
  weights?: G1Json,
): Promise<VerificationKey> {
  checkThing("circuit", circuit, "circuit")
  checkProvingKey(provingKey, "provingKey")
  return keyFor(circuit, await smallPartOf(circuit, provingKey), weights).key
}

/** What is held of a key of which only few points are needed: it may be one that is streamed. */
const smallPartOf = (circuit: Circuit, provingKey: ProvingKey): Promise<unknown> =>
  systemOf(circuit).readKey(circuit, provingKey, 0)

/** The verification key of what is held of a proving key, checked. @throws FileError; UsageError */
export function keyFor(circuit: Circuit, held: unknown, weights?: G1Json): CheckedKey {
  const { proofSystem, model, layout } = circuit
  const system = systemOf(circuit)
  const { setup, points } = system.contentOf(held)
  const facts = { version: 1, proofSystem, setup, layout } as const
  if (isPrivate(circuit) && weights === undefined) throw uncommitted()
  const checked = checkKey(
    weights === undefined || !isPrivate(circuit)
      ? { ...facts, model, points }
      : {
          ...facts,
          model: privateModel(model, weights),
          architecture: model,
          points: { ...points, weights },
        },
  )
  checkMasks(system.masks(held, checked))
  return checked
}

const uncommitted = (): UsageError =>
  new UsageError({
    what: "the weights are private, and the key is that of an architecture: a model has a key once it is committed to",
    fix: "Commit to the weights with `commitWeights`",
  })

/**
 * Whether a proving key is one of a circuit with private weights: the points that are for verification, and those that
 * hide.
 * @returns these points, in a key that is none yet
 * @throws FileError
 */
export async function checkArchitecture(circuit: Circuit, provingKey: ProvingKey): Promise<CheckedKey> {
  const held = await smallPartOf(circuit, provingKey)
  const { proofSystem, model, layout } = circuit
  const system = systemOf(circuit)
  const { setup, points } = system.contentOf(held)
  const checked = pointsOfArchitecture({ version: 1, proofSystem, setup, model, layout, points })
  checkMasks(system.masks(held, checked))
  return checked
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
  const key = parseVerificationKey(verificationKey)
  const weights = "weights" in key.points ? key.points.weights : undefined
  requireKey(key, await verificationKeyOf(circuit, provingKey, weights))
}

/** Whether a verification key is the one of a circuit and its proving key. @throws FileError naming what differs */
export function requireKey(given: VerificationKey, expected: VerificationKey): void {
  const verificationKey = parseVerificationKey(given)
  const fields = [
    ["proofSystem", "is for another proof system"],
    ["architecture", "is of another architecture than the circuit"],
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
  return systemOf(circuit).memory(circuit)
}

export interface ProveOptions extends Omit<ExecuteOptions, "verificationKey"> {
  /** The caller's 32 bytes that the receipt is for, as 0x and 64 hexadecimal digits. */
  readonly context: string
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
  /** Of the commitment to private weights (`commitWeights`), which together with the weights makes it again. Secret. */
  readonly blinding?: bigint
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
  const { engine, residentBytes, verificationKey: pinned, blinding } = options
  const system = systemOf(circuit)
  system.checkProvable(circuit, { residentBytes })
  const held = await system.readKey(circuit, provingKey, residentBytes)
  const key = keyFor(circuit, held, await commitmentFor(circuit, held, blinding))
  if (pinned) requireKey(pinned, key.key)
  const digest = keyDigest(key.key)
  const { prove, close } = await system.open(circuit, held, { engine, residentBytes, key, digest, blinding })
  return {
    async prove(input, proveOptions) {
      checkOptions(proveOptions, "an object with `context`")
      const { context, onProgress, signal } = proveOptions
      checkText(context, "options.context")
      signal?.throwIfAborted()
      onProgress?.({ stage: "witness", done: 0, total: 1 })
      const asked = { ...proveOptions, verificationKey: key.key }
      const { salts, values, statement } = execute(circuit, input, asked)
      onProgress?.({ stage: "witness", done: 1, total: 1 })
      const { proof, holds } = await prove(values, statement, { salts, onProgress, signal })
      const { proofSystem } = circuit
      const receipt = { version: 1, proofSystem, statement, proof } as Receipt
      if (holds) return receipt
      await checkReceipt(receipt, key.key)
      invariant(holds !== false, "the kernels refuse a proof that verifies")
      return receipt
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/**
 * The commitment to a circuit's weights, if they are private.
 * @throws UsageError without a blinding, or with one where there is nothing to blind
 */
export async function commitmentFor(
  circuit: Circuit,
  held: unknown,
  blinding: bigint | undefined,
  options: WorkOptions = {},
): Promise<G1Json | undefined> {
  const { weights } = systemOf(circuit)
  if (!weights?.isPrivate(circuit)) {
    if (blinding === undefined) return undefined
    throw new UsageError({ what: "the weights are part of the circuit: nothing is blinded" })
  }
  if (blinding === undefined) throw uncommitted()
  checkArgument(
    typeof blinding === "bigint" && blinding > 0n && blinding < r,
    "options.blinding",
    "the secret that `commitWeights` gave, a bigint from 1 to r - 1",
    "another",
  )
  const point = await weights.commit(circuit, held, blinding, options)
  if (point) return point
  throw new UsageError({ what: "the commitment to the weights is infinity", fix: "Commit to them again" })
}

/**
 * Refuses a receipt that does not verify. The witness is known to be right, so what does not is the key's fault; and
 * given out, such a proof may tell of the input (masks.ts).
 */
async function checkReceipt(receipt: Receipt, verificationKey: VerificationKey): Promise<void> {
  const { model, context } = receipt.statement
  const reason = await explainReceipt(receipt, { verificationKey, model, context, allowDev: true })
  if (reason === null) return
  throw new FileError({
    what: `points are wrong, or were changed while the prover was open: ${reason}`,
    where: "proving key",
    fix: "Take the key from whoever made it, or make it again; `countersign audit` says which points are wrong",
  })
}
