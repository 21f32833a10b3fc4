/** Receipts: strict reading. */
import { type Layout, receiptLimits } from "../statement/layout.js"
import { parseStatement } from "../statement/statement.js"
import { fields, fromJson, object, oneOf } from "../statement/strict.js"
import { type Receipt, verifiableSystems, verifierOf } from "../systems/verifiers.js"

/**
 * Reads a receipt (an object, or JSON text) strictly: every field known and present, every number canonical
 * and in range. Says nothing about the proof: that is `verify`.
 * @throws FileError naming the path of the first malformed element.
 */
export const parseReceipt = (value: unknown): Receipt => readReceipt(value)

/** The same for the receipt of a known layout, beyond which nothing is read. @throws FileError */
export function readReceipt(value: unknown, layout?: Layout): Receipt {
  const limits = layout && receiptLimits(layout)
  const parsed = fromJson(value, "receipt", limits)
  oneOf(object(parsed, "receipt").version, "version", [1])
  const proofSystem = oneOf(object(parsed, "receipt").proofSystem, "proofSystem", verifiableSystems)
  const given = fields(parsed, "receipt", ["version", "proofSystem", "statement", "proof"])
  const statement = parseStatement(given.statement, "statement", limits?.values)
  const proof = verifierOf(proofSystem).parseProof(given.proof, "proof")
  return { version: 1, proofSystem, statement, proof } as Receipt
}
