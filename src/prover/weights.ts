/**
 * Commitments to private weights. A circuit of private weights is one of an architecture: its proving key, and the
 * ceremony that made it, serve every model that is quantized to it. What makes a model of it is a commitment, a point
 * that joins the points of the proving key in a verification key of the model's own.
 *
 * The blinding is as secret as the weights, since with it and a guess of them anyone can check the guess; and it is
 * good for one commitment: two under one blinding would show the difference of two models.
 */
import { checkOptions, checkThing } from "../arguments.js"
import { checkProvingKey, type ProvingKey } from "../circuit/formats/source.js"
import { type OnProgress, UsageError } from "../errors.js"
import { platformRandom } from "../platform.js"
import type { OpenCommitment } from "../quantize/canonical/weights.js"
import { draw } from "../setup/trapdoor.js"
import type { G1Json } from "../statement/points.js"
import { type Circuit, systemOf } from "../systems/index.js"
import type { VerificationKey } from "../systems/verifiers.js"
import { parseVerificationKey } from "../verifier/key.js"
import { commitmentFor, isPrivate, keyFor, requireKey } from "./open.js"

export interface CommitWeightsOptions {
  /** Source of randomness: `n` uniform bytes. Default: the platform's. Tests give a fixed one. */
  readonly random?: (n: number) => Uint8Array
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

/** A model that is committed to. */
export interface CommittedWeights {
  readonly verificationKey: VerificationKey
  /** Its blinding is what `openProver` takes besides the weights. Secret: keep it with them (`writeWeights`). */
  readonly commitment: OpenCommitment
}

/**
 * Commits to the weights of a circuit's model: makes the model's verification key. Another call makes another model of
 * the same weights, whose receipts are the other's no more.
 * @throws UsageError for a circuit that has no private weights, or has them without their values; FileError for a key
 * that is damaged, another circuit's, or would tell of the weights; AbortError
 */
export async function commitWeights(
  circuit: Circuit,
  provingKey: ProvingKey,
  options: CommitWeightsOptions = {},
): Promise<CommittedWeights> {
  const held = await heldBy(circuit, provingKey)
  checkOptions(options)
  const { random = platformRandom, onProgress, signal } = options
  signal?.throwIfAborted()
  onProgress?.({ stage: "commit to the weights", done: 0, total: 1 })
  const blinding = draw(random)
  const weights = (await commitmentFor(circuit, held, blinding, { signal })) as G1Json
  // the points that hide are checked with the key
  const { key } = keyFor(circuit, held, weights)
  onProgress?.({ stage: "commit to the weights", done: 1, total: 1 })
  return { verificationKey: key, commitment: { blinding, weights } }
}

/**
 * Whether a verification key is the one of these weights under this blinding, for somebody who holds both: makes the
 * commitment again.
 * @throws FileError if it is not, naming what differs; else as `commitWeights`
 */
export async function checkWeights(
  circuit: Circuit,
  provingKey: ProvingKey,
  verificationKey: VerificationKey,
  blinding: bigint,
): Promise<void> {
  const held = await heldBy(circuit, provingKey)
  checkThing("verificationKey", verificationKey, "verificationKey")
  const given = parseVerificationKey(verificationKey)
  const weights = await commitmentFor(circuit, held, blinding)
  requireKey(given, keyFor(circuit, held, weights).key)
}

async function heldBy(circuit: Circuit, provingKey: ProvingKey): Promise<unknown> {
  checkThing("circuit", circuit, "circuit")
  checkProvingKey(provingKey, "provingKey")
  if (!isPrivate(circuit))
    throw new UsageError({
      what: "the weights are part of the circuit: there is nothing to commit to",
      fix: "Compile the model with private weights",
    })
  return await systemOf(circuit).readKey(circuit, provingKey, 0)
}
