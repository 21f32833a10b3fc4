/**
 * What the model itself says of a claim: the integer model, run again on an input that is known. Inputs are known from
 * the operator's store, or from files of whoever asked for the inference. A claim has but the digest of its input, so each
 * known input is run once, and looked up by that digest.
 *
 * `wrong` means that no proof of the claim exists, and nothing less: somebody may stake money on it. So it is said of
 * another output alone, under the same key and for the same input. An attestation that names another layout than its key
 * has is odd, but can be proven. And a committed output is a digest with a salt of the operator's: another salt is
 * another digest of the same answer, so of such an output it can only be said that it is right.
 */
import { type Claimed, layoutDigest, sideDigests } from "../attest/index.js"
import { CountersignError, UsageError } from "../errors.js"
import { type Executed, type ExecuteOptions, execute, isOf } from "../prover/execute.js"
import { layoutJson } from "../statement/layout.js"
import type { Statement, Values } from "../statement/statement.js"
import type { Hex } from "../statement/strict.js"
import type { Circuit } from "../systems/index.js"
import type { VerificationKey } from "../systems/verifiers.js"
import { keyDigest } from "../verifier/key.js"
import { keptInputs } from "./inputs.js"
import { keptInput, readKept } from "./keep.js"

/** An input as `execute` takes it, and the salts of the commitments where they are known. */
export interface KnownInput {
  readonly input: Parameters<typeof execute>[1]
  readonly salts?: ExecuteOptions["salts"]
}

/**
 * What the model says of a claim, and why nothing where it says nothing: `unknown` may become known with another input,
 * `foreign` is about another model or key.
 */
export interface Judgement {
  readonly verdict: "right" | "wrong" | "unknown" | "foreign"
  readonly reason: string
}

/** A model that can be run, with the key that claims name. */
export interface Judging {
  readonly circuit: Circuit
  readonly verificationKey: VerificationKey
}

/** Digests of what the model says for an input. */
interface Said {
  readonly input: Hex
  /** With a salt of nobody's where the output is committed to and its salt is not known. */
  readonly output: Hex
}

/** A model whose key was compared with it, and the digests of that. */
interface Ready extends Judging {
  readonly key: Hex
  readonly layout: Hex
}

/** @throws UsageError for a key that is not the circuit's: by it, right answers would seem wrong */
function ready({ circuit, verificationKey }: Judging): Ready {
  const { model, layout, proofSystem } = verificationKey
  if (
    !isOf(circuit, verificationKey) ||
    circuit.proofSystem !== proofSystem ||
    layoutJson(circuit.layout) !== layoutJson(layout)
  )
    throw new UsageError({
      what: "the verification key is not the circuit's",
      expected: `${circuit.proofSystem}, model ${circuit.model}`,
      given: `${proofSystem}, model ${model}`,
      fix: "Take both from one folder",
    })
  return { circuit, verificationKey, key: keyDigest(verificationKey), layout: layoutDigest(layout) }
}

/** Salts of the sides that a circuit commits to; the output's is made up where it is not known. */
const saltsOf = ({ input, output }: Circuit, { salts = {} }: KnownInput): Executed["salts"] => ({
  ...(input === "committed" && salts.input !== undefined ? { input: salts.input } : {}),
  ...(output === "committed" ? { output: salts.output ?? 0n } : {}),
})

/**
 * Runs a model on a known input, as whoever claimed something of it must have run it.
 * @throws InputError for an input that does not fit the model; UsageError for a salt that is missing
 */
export const executeKnown = ({ circuit, verificationKey }: Judging, known: KnownInput): Executed =>
  // a claimed input is integers in range: what is moved to the edge can only become another input
  execute(circuit, known.input, { clampInputs: true, salts: saltsOf(circuit, known), verificationKey })

function compare({ circuit, layout }: Ready, claim: Claimed, said: Said): Judgement {
  if (said.input !== claim.input) return unknownInput
  const says = `the model says output ${said.output}`
  if (said.output !== claim.output)
    return circuit.output === "public"
      ? { verdict: "wrong", reason: `${says}, claimed is ${claim.output}` }
      : { verdict: "unknown", reason: "its output is committed to, and no known salt gives this commitment" }
  return claim.layout === layout
    ? { verdict: "right", reason: says }
    : { verdict: "unknown", reason: "its output can be proven, but it names another layout than its key has" }
}

const unknownInput: Judgement = { verdict: "unknown", reason: "its input is not known" }

/** What can be said without running anything, or null. */
function beforehand(
  { circuit, verificationKey, key: own }: Ready,
  { model, key }: Claimed,
): Judgement | null {
  if (model !== verificationKey.model || key !== own)
    return { verdict: "foreign", reason: "it is about another model or key" }
  return circuit.input === "private"
    ? { verdict: "unknown", reason: "its input is hidden: nothing says which it was" }
    : null
}

/** @internal A judgement, and the run that it came from. */
export interface Judged {
  readonly judgement: Judgement
  readonly run: Run | null
}

/** @internal A model's run on the input of a claim: all integers, also of what its statement does not show. */
export interface Run {
  readonly known: KnownInput
  readonly statement: Statement
  readonly input: Values
  readonly output: Values
}

/** @internal Judges a claim by the first input of several that is its own; what does not fit the model is not. */
export function judgeWith(given: Judging, claim: Claimed, knowns: Iterable<KnownInput>): Judged {
  const judging = ready(given)
  const judged = beforehand(judging, claim)
  if (judged !== null) return { judgement: judged, run: null }
  let last: Judged = { judgement: unknownInput, run: null }
  for (const known of knowns)
    try {
      const executed = executeKnown(judging, known)
      const said = sideDigests(executed.statement, judging.verificationKey.layout)
      if (said.input !== claim.input) continue
      const { statement, input, values } = executed
      const output = judging.circuit.graph.outputs.map(({ name, tensor }): [string, readonly string[]] => [
        name,
        Array.from(values.get(tensor) as Float64Array, String),
      ])
      const run = { known, statement, input, output: Object.fromEntries(output) }
      last = { judgement: compare(judging, claim, said), run }
      if (judging.circuit.output === "public" || last.judgement.verdict === "right") return last
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error
      if (last.run === null)
        last = {
          judgement: { verdict: "unknown", reason: `its input is not known: ${error.message}` },
          run: null,
        }
    }
  return last
}

/**
 * Judges a claim by one input. `unknown` if that is not its input.
 * @throws InputError for an input that does not fit the model; UsageError for salts that are missing, and for a key that is
 * not the circuit's
 */
export function judgeBy(given: Judging, claim: Claimed, known: KnownInput): Judgement {
  const judging = ready(given)
  const judged = beforehand(judging, claim)
  if (judged !== null) return judged
  const { statement } = executeKnown(judging, known)
  return compare(judging, claim, sideDigests(statement, judging.verificationKey.layout))
}

/**
 * Judges claims by what is kept in a store. `unknown` is asked again at any time: a store grows. Each kept input is run
 * once, however many claims are about it.
 * @throws UsageError for a key that is not the circuit's, and, when a claim is judged, for a folder that cannot be read
 */
export function judgeByStore(given: Judging, folder: string): (claim: Claimed) => Judgement {
  const judging = ready(given)
  const { circuit, verificationKey } = judging
  const find = keptInputs(folder)
  const ran = new Map<Hex, Said | null>()

  /** What the model says for what was kept; null for a file that is not what its attestation says. */
  function said(digest: Hex): Said | null {
    const before = ran.get(digest)
    if (before !== undefined) return before
    const found = attemptOf(() => {
      const kept = readKept(folder, digest)
      const { statement } = executeKnown(judging, { input: keptInput(kept, circuit), salts: kept.salts })
      return sideDigests(statement, verificationKey.layout)
    })
    ran.set(digest, found)
    return found
  }

  return (claim) => {
    const judged = beforehand(judging, claim)
    if (judged !== null) return judged
    let last = unknownInput
    for (const digest of find(claim)) {
      const is = said(digest)
      if (is === null || is.input !== claim.input) continue
      last = compare(judging, claim, is)
      // one input has one output; only of commitments another salt may be the right one
      if (circuit.output === "public" || last.verdict === "right") return last
    }
    return last
  }
}

/** What something gives, or null where a file is not what it should be. */
function attemptOf<T>(work: () => T): T | null {
  try {
    return work()
  } catch (error) {
    if (error instanceof CountersignError) return null
    throw error
  }
}
