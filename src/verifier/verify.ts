/**
 * Verification of a receipt against what the caller expects. All but the equation is the same for every proof system
 * and happens here; the equation is the proof system's. Where that is another program's, which this entry must not
 * load and which does not answer at once, `verify` says where to go, and who goes there (prover/verify.ts) begins with
 * the same checks: `examine`.
 */
import { checkRecord } from "../arguments.js"
import { FileError, printable, UsageError } from "../errors.js"
import type { Layout } from "../statement/layout.js"
import { forgeable } from "../statement/provenance.js"
import { shapeProblem } from "../statement/statement.js"
import { shown } from "../statement/strict.js"
import { type CheckedKey, type Receipt, type VerificationKey, verifierOf } from "../systems/verifiers.js"
import { checkKey, keyDigest } from "./key.js"
import { readReceipt } from "./receipt.js"

/** What a receipt is checked against; all of it comes from the caller, none of it from the receipt. */
export interface Expected {
  readonly verificationKey: VerificationKey
  /** Digest of the model, 0x and 64 hexadecimal digits; must be the key's. */
  readonly model: string
  /** The 32 bytes this receipt must have been made for, 0x and 64 hexadecimal digits. */
  readonly context: string
  /** Accept a key that somebody can forge for: a development key, or one that nobody contributed to. */
  readonly allowDev?: boolean
}

/**
 * Whether a receipt (an object, or JSON text) is valid for what is expected; never throws because of the receipt.
 * @throws FileError when the verification key is malformed or was made without a contribution.
 * @throws UsageError when the expected model or context is malformed, the key is another model's, or of a proof system
 * that only `verifyReceipt` of the main entry verifies.
 */
export function verify(receipt: unknown, expected: Expected): boolean {
  return explain(receipt, expected) === null
}

/** Null when the receipt is valid, else the first reason why not, in plain and printable words. @throws as `verify` */
export function explain(receipt: unknown, expected: Expected): string | null {
  const reason = problem(receipt, expected)
  return reason === null ? null : printable(reason)
}

function problem(receipt: unknown, expected: Expected): string | null {
  const examined = examine(receipt, expected)
  if (typeof examined === "string") return examined
  const { statement, proof } = examined.receipt
  const { problem: equation } = verifierOf(examined.receipt.proofSystem)
  if (equation) return equation(proof, statement, examined.key, () => keyDigest(examined.key.key))
  throw new UsageError({
    what: `receipts of ${examined.key.proofSystem} are verified by snarkjs, which this entry does not load`,
    fix: "Verify them with `verifyReceipt` of the main entry, or `countersign verify`",
  })
}

/** A receipt and a key that fit each other and what is expected: all but the equation holds. */
export interface Examined {
  readonly receipt: Receipt
  readonly key: CheckedKey
}

/** Everything but the equation: what it takes, or why the receipt is not valid. @throws as `verify` */
export function examine(receipt: unknown, expected: Expected): Examined | string {
  checkRecord(expected, "expected", "an object with `verificationKey`, `model` and `context`")
  const model = expectedBytes32(expected.model, "model")
  const context = expectedBytes32(expected.context, "context")
  const checked = checkKey(expected.verificationKey)
  const { key } = checked
  if (key.model !== model)
    throw new UsageError({
      what: "the verification key is another model's",
      where: "parameter `expected.verificationKey`",
      expected: `model ${model}`,
      given: key.model,
    })
  const distrusted = forgeable(key.setup)
  if (distrusted !== null && expected.allowDev !== true)
    return `${distrusted}; accept it with option \`allowDev\``
  const parsed = read(receipt, key.layout)
  if (typeof parsed === "string") return parsed
  const { statement, proofSystem } = parsed
  if (statement.model !== model) return `the receipt is for model ${statement.model}, expected ${model}`
  if (statement.context !== context)
    return `the receipt is for context ${statement.context}, expected ${context}`
  const misfit = shapeProblem(statement, key.layout)
  if (misfit !== null) return misfit
  if (checked.proofSystem !== proofSystem)
    return `the receipt is a ${proofSystem} one, the key is for ${checked.proofSystem}`
  return verifierOf(proofSystem).pointProblem?.(parsed.proof) ?? { receipt: parsed, key: checked }
}

/** The receipt, or why it cannot be read. */
function read(receipt: unknown, layout: Layout): Receipt | string {
  try {
    return readReceipt(receipt, layout)
  } catch (error) {
    return `malformed receipt: ${error instanceof FileError ? error.message : "its fields cannot be read"}`
  }
}

function expectedBytes32(value: unknown, where: string): string {
  if (typeof value !== "string" || !/^0x[0-9a-fA-F]{64}$/.test(value))
    throw new UsageError({
      what: "not 32 bytes",
      where: `parameter \`expected.${where}\``,
      expected: "0x and 64 hexadecimal digits",
      given: shown(value),
    })
  return value.toLowerCase()
}
