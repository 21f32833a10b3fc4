/**
 * One claim of a dispute, by itself: whether its signature or proof holds, and whether it says what its model says, by the
 * strongest thing that is at hand: the model, run again on an input that is known, its own proof, or the other's proof
 * about the very same input.
 */
import {
  type Accounts,
  attestationDigest,
  type Claimed,
  claimOf,
  documentIn,
  layoutDigest,
  noContracts,
  type Opened,
  onChainPolicy,
  type PolicyContracts,
  type PolicyDocument,
  policyDigest,
  type SignedAttestation,
  sideDigests,
  signatureProblem,
  statementProblem,
  within,
} from "../attest/index.js"
import { UsageError } from "../errors.js"
import { explainReceipt } from "../prover/verify.js"
import { inputVisibility, outputVisibility } from "../statement/layout.js"
import type { Statement } from "../statement/statement.js"
import type { Hex } from "../statement/strict.js"
import { dequantize } from "../statement/values.js"
import type { Receipt, VerificationKey } from "../systems/verifiers.js"
import { keyDigest } from "../verifier/key.js"
import { keptInputs } from "./inputs.js"
import { type Judged, type Judgement, type Judging, judgeWith, type KnownInput } from "./judge.js"
import { keptInput, readKept } from "./keep.js"

/** What one party shows: a signed attestation, with the statement that it is about where that came along; or a receipt. */
export type Shown =
  | {
      readonly kind: "attestation"
      readonly attestation: SignedAttestation
      readonly statement: Statement | null
    }
  | { readonly kind: "receipt"; readonly receipt: Receipt }

/** A model that can be run, and inputs for it. */
export interface KnownModel extends Judging {
  readonly inputs?: readonly KnownInput[]
}

/** What a dispute is decided by. Without any of it signatures can be checked. */
export interface DisputeFacts {
  readonly models?: readonly KnownModel[]
  /** Further keys that receipts are checked with. */
  readonly keys?: readonly VerificationKey[]
  /** The operator's store, in which inputs are looked up. */
  readonly store?: string
  readonly policy?: { readonly document: PolicyDocument; readonly contracts?: PolicyContracts }
  /** Outputs of the float model for a real input, by name. */
  readonly float?: (input: KnownInput["input"]) => Readonly<Record<string, ArrayLike<number>>>
  /** Accept receipts of a key that somebody can forge for. */
  readonly allowDev?: boolean
  /** To ask contracts that sign. */
  readonly accounts?: Accounts
}

/** What is known of one claim. */
export interface Party {
  readonly kind: Shown["kind"]
  /** Of the attestation; of a receipt, its context: the digest of what it proves, where it was made for that. */
  readonly digest: Hex
  readonly attestation: SignedAttestation | null
  readonly model: Hex
  /** Null for a receipt whose key was not given. */
  readonly claim: Claimed | null
  readonly key: VerificationKey | null
  /** Whether signature or proof hold; null where nobody could say. */
  readonly holds: boolean | null
  readonly problem: string | null
  readonly judgement: Judgement
  /** The input as it was run, with its salts. */
  readonly known: KnownInput | null
  /** What it claims, in real numbers by output; null where that is not known. */
  readonly outputs: Readonly<Record<string, Float64Array>> | null
  /** Whether it was made under the policy document that was given; null where that cannot be said. */
  readonly isUnderPolicy: boolean | null
  /** Why it lies outside of that document; null if it does not, or nobody can say. */
  readonly outside: readonly string[] | null
}

/** @internal A claim of which everything but the model was asked. */
export interface Checked extends Pick<Party, "kind" | "digest" | "attestation" | "model" | "claim" | "key"> {
  readonly statement: Statement | null
  readonly holds: boolean | null
  readonly problem: string | null
}

/** @internal Whether a claim is somebody's word, or proven. */
export async function check(
  shown: Shown,
  keys: readonly VerificationKey[],
  facts: DisputeFacts,
): Promise<Checked> {
  if (shown.kind === "receipt") return await checkReceipt(shown.receipt, keys, facts)
  const { attestation, statement } = shown
  const claim = claimOf(attestation)
  const key = keys.find((each) => each.model === claim.model && keyDigest(each) === claim.key) ?? null
  const digest = attestationDigest(claim, attestation.domain)
  const problem = await signatureProblem(digest, attestation.signature, claim.operator, facts.accounts)
  const differs = statement && key ? statementProblem(statement, claim, key) : null
  // what is no account's may be a contract's, which can be asked on its chain alone
  const mayBeContract =
    facts.accounts === undefined && attestation.domain !== "offline" && attestation.signature.length !== 132
  return {
    kind: "attestation",
    digest,
    attestation,
    model: claim.model,
    claim,
    key,
    statement: key && differs === null ? statement : null,
    holds: differs === null && problem === null ? true : problem !== null && mayBeContract ? null : false,
    problem: problem ?? (differs && `the statement with it is another one: ${differs}`),
  }
}

async function checkReceipt(
  receipt: Receipt,
  keys: readonly VerificationKey[],
  { allowDev = false }: DisputeFacts,
): Promise<Checked> {
  const { statement, proofSystem } = receipt
  const { model, context } = statement
  const own = keys.filter((key) => key.model === model && key.proofSystem === proofSystem)
  const common = { kind: "receipt", digest: context, attestation: null, model, statement: null } as const
  let problem = "its key was not given"
  for (const key of own) {
    const reason = await explainReceipt(receipt, { verificationKey: key, model, context, allowDev })
    if (reason !== null) {
      problem = reason
      continue
    }
    const { layout } = key
    const claim = {
      model,
      key: keyDigest(key),
      layout: layoutDigest(layout),
      ...sideDigests(statement, layout),
    }
    return { ...common, claim, key, statement, holds: true, problem: null }
  }
  return { ...common, claim: null, key: null, holds: own.length > 0 ? false : null, problem }
}

/** @internal Judges a claim by the strongest thing at hand: the model, its own proof, the other's proof about its input. */
export function judge(checked: Checked, other: Checked, { models = [], store }: DisputeFacts): Judged {
  const { kind, claim, holds, problem } = checked
  if (claim === null || holds === false)
    return { judgement: { verdict: "unknown", reason: `it is nobody's word: ${problem}` }, run: null }
  const model = models.find(
    ({ verificationKey }) =>
      verificationKey.model === claim.model && keyDigest(verificationKey) === claim.key,
  )
  const byModel = model && judgeWith(model, claim, [...(model.inputs ?? []), ...keptFor(model, claim, store)])
  if (byModel?.judgement.verdict === "wrong" && kind === "receipt") {
    const reason = `it is proven, and yet ${byModel.judgement.reason}: somebody can forge under its key`
    return { ...byModel, judgement: { verdict: "wrong", reason } }
  }
  const judgement =
    byModel && byModel.judgement.verdict !== "unknown"
      ? byModel.judgement
      : kind === "receipt"
        ? { verdict: "right" as const, reason: "it is proven" }
        : (byProof(checked, other) ??
          byModel?.judgement ?? { verdict: "unknown" as const, reason: "its model was not given" })
  return { judgement, run: byModel?.run ?? null }
}

/** What a proof about the very same input says of a claim, or null. */
function byProof({ claim, key }: Checked, other: Checked): Judgement | null {
  const proven = other.kind === "receipt" && other.holds === true ? other.claim : null
  if (!proven || !claim || !key || proven.key !== claim.key || proven.input !== claim.input) return null
  if (inputVisibility(key.layout) === "hidden") return null
  if (proven.output === claim.output)
    return proven.layout === claim.layout
      ? { verdict: "right", reason: "its output is proven for its input" }
      : null
  if (outputVisibility(key.layout) !== "public") return null
  const reason = `output ${proven.output} is proven for its input, claimed is ${claim.output}`
  return { verdict: "wrong", reason }
}

/** Inputs that a store has of a claim. */
function* keptFor({ circuit }: Judging, claim: Claimed, store: string | undefined): Generator<KnownInput> {
  if (store === undefined) return
  for (const digest of keptInputs(store)(claim)) {
    const kept = readKept(store, digest)
    yield { input: keptInput(kept, circuit), salts: kept.salts }
  }
}

/** @internal What is known of a claim. */
export function party(checked: Checked, { judgement, run }: Judged, { policy }: DisputeFacts): Party {
  const { statement, key, ...rest } = checked
  // what the model says is what was claimed, where that is right
  const own = judgement.verdict === "right" ? run : null
  const said = statement ?? own?.statement ?? null
  const opened = own ? { input: own.input, output: own.output } : {}
  return {
    ...rest,
    key,
    judgement,
    known: run?.known ?? null,
    outputs: key && said ? realOutputs(said, key, opened) : null,
    isUnderPolicy: policy && key && rest.attestation ? isUnder(rest.attestation, key, policy) : null,
    outside: policy && key && said ? outsideOf(policy.document, key, said, opened) : null,
  }
}

function realOutputs({ output }: Statement, { layout }: VerificationKey, opened: Opened): Party["outputs"] {
  const values = output.visibility === "public" ? output.values : opened.output
  if (values === undefined) return null
  // the bit of a policy is about the answer, and no float model has it
  const answers = layout.outputs.filter(({ name }) => documentIn(name) === null)
  return Object.fromEntries(answers.map((tensor) => [tensor.name, dequantize(tensor, values[tensor.name])]))
}

function isUnder(
  { policy }: SignedAttestation,
  { layout }: VerificationKey,
  { document, contracts = noContracts }: NonNullable<DisputeFacts["policy"]>,
): boolean {
  return unlessUnfit(
    () => policyDigest(onChainPolicy(document, layout, contracts).policy) === policy,
    () => false,
  )
}

const outsideOf = (document: PolicyDocument, { layout }: VerificationKey, said: Statement, opened: Opened) =>
  unlessUnfit(
    () => within(document, layout, said, opened),
    (problem) => [`the policy is none for its model: ${problem}`],
  )

/** A policy of another model does not fit this one's layout, which is no mistake of who asks. */
function unlessUnfit<T>(work: () => T, otherwise: (problem: string) => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof UsageError) return otherwise(error.message)
    throw error
  }
}
