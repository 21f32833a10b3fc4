/**
 * What the model itself says of an attestation: the integer model, run again on an input that is known. Inputs are known
 * from the operator's store, or from files of whoever asked for the inference. An attestation has but the digest of its
 * input, so each known input is run once, and looked up by that digest.
 *
 * A committed output is a digest with a salt of the operator's. Another salt is another digest for the same answer, so such
 * an output is judged only with the salt that was kept of this very attestation.
 */
import { type Attestation, canonicalJson, claimOf, sideDigests, statementProblem } from "../attest/index.js"
import { CountersignError } from "../errors.js"
import { type ExecuteOptions, execute } from "../prover/execute.js"
import type { Circuit } from "../systems/index.js"
import type { VerificationKey } from "../systems/verifiers.js"
import { keyDigest } from "../verifier/key.js"
import { keptInput, listKept, readKept } from "./keep.js"

/** An input as `execute` takes it, and the salt of its commitment where the circuit commits to it. */
export interface KnownInput {
  readonly input: Parameters<typeof execute>[1]
  readonly salts?: ExecuteOptions["salts"]
}

/** What the model says of an attestation, and why nothing where it says nothing. */
export interface Judgement {
  readonly verdict: "right" | "wrong" | "unknown"
  readonly reason: string
}

/** A model that can be run, with the key that attestations name. */
export interface Judging {
  readonly circuit: Circuit
  readonly verificationKey: VerificationKey
}

/**
 * Judges an attestation by one input. `unknown` if that is not its input.
 * @throws InputError for an input that does not fit the model; UsageError for salts that are missing
 */
export function judgeBy(
  { circuit, verificationKey }: Judging,
  claim: Attestation,
  { input, salts = {} }: KnownInput,
  isOwnSalt = false,
): Judgement {
  if (claim.model !== verificationKey.model || claim.key !== keyDigest(verificationKey))
    return { verdict: "unknown", reason: "it is about another model or key" }
  const knowsOutput = circuit.output === "public" || (isOwnSalt && salts.output !== undefined)
  // the output's commitment is not looked at without its salt
  const all = circuit.output === "committed" && salts.output === undefined ? { ...salts, output: 0n } : salts
  // an attested input is integers in range: what is moved to the edge can only become another input
  const { statement } = execute(circuit, input, { clampInputs: true, salts: all })
  const sides = sideDigests(statement, verificationKey.layout)
  if (sides.input !== claim.input) return { verdict: "unknown", reason: "its input is not known" }
  if (circuit.input === "private")
    return { verdict: "unknown", reason: "its input is hidden: nothing says which it was" }
  if (!knowsOutput) return { verdict: "unknown", reason: "its output is committed to with an unknown salt" }
  const problem = statementProblem(statement, claim, verificationKey)
  return problem === null
    ? { verdict: "right", reason: `the model says the same: output ${sides.output}` }
    : { verdict: "wrong", reason: `the model says something else: ${problem}` }
}

/**
 * Judges attestations by what is kept in a store. `unknown` is asked again at any time: a store grows.
 * @throws UsageError if the folder cannot be read
 */
export const judgeByStore =
  (judging: Judging, folder: string) =>
  (claim: Attestation): Judgement => {
    let found: Judgement = { verdict: "unknown", reason: "its input is not known" }
    for (const kept of keptOf(folder, claim)) {
      const { attestation, salts } = kept
      const own = canonicalJson(claimOf(attestation)) === canonicalJson(claim)
      const known = { input: keptInput(kept, judging.circuit), salts }
      const judged = judgeBy(judging, claim, known, own)
      if (judged.verdict !== "unknown") return judged
      if (own) found = judged
    }
    return found
  }

/** What is kept of attestations with the same input; files that cannot be read are nobody's. */
function* keptOf(folder: string, { input, model }: Attestation) {
  for (const digest of listKept(folder)) {
    try {
      const kept = readKept(folder, digest)
      if (kept.attestation.input === input && kept.attestation.model === model) yield kept
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error
    }
  }
}
