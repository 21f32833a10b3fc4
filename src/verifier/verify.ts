/** Verification of a receipt against what the caller expects; the equation is the proof system's. */
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
 * @throws UsageError when the expected model or context is malformed, or the key is another model's.
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
  checkRecord(expected, "expected", "an object with `verificationKey`, `model` and `context`")
  const model = expectedBytes32(expected.model, "model")
  const context = expectedBytes32(expected.context, "context")
  const checkedKey = checkKey(expected.verificationKey)
  const { key } = checkedKey
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
  const { statement } = parsed
  if (statement.model !== model) return `the receipt is for model ${statement.model}, expected ${model}`
  if (statement.context !== context)
    return `the receipt is for context ${statement.context}, expected ${context}`
  return shapeProblem(statement, key.layout) ?? proofProblem(parsed, checkedKey)
}

/** Why the proof of a receipt whose statement fits the key is not valid, or null. */
function proofProblem({ proofSystem, statement, proof }: Receipt, checked: CheckedKey): string | null {
  if (checked.proofSystem !== proofSystem)
    return `the receipt is a ${proofSystem} one, the key is for ${checked.proofSystem}`
  return verifierOf(proofSystem).problem(proof, statement, checked, () => keyDigest(checked.key))
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
