/**
 * An answer, what `countersign attest` writes: a signed attestation, and the statement that it is about. The statement is
 * the operator's word until a receipt proves it; that it is what was attested, `explainAttestation` says.
 */
import { parseStatement, type Statement } from "../statement/statement.js"
import { fields, fromJson, object, oneOf } from "../statement/strict.js"
import { parseAttestation } from "./read.js"
import type { SignedAttestation } from "./structs.js"

export interface Answer {
  readonly attestation: SignedAttestation
  /** Its context is the attestation's digest: a receipt will state the very same. */
  readonly statement: Statement
}

/** An answer as its file has it. */
export const answerText = ({ attestation, statement }: Answer): string =>
  `${JSON.stringify({ version: 1, attestation, statement }, null, 2)}\n`

/** Reads an answer (an object, or JSON text) strictly; says nothing about signatures. @throws FileError */
export function parseAnswer(value: unknown, path = "answer"): Answer {
  const given = fields(fromJson(value, path), path, ["version", "attestation", "statement"])
  oneOf(given.version, `${path}: version`, [1])
  return {
    // told apart from a text, which would be read on
    attestation: parseAttestation(object(given.attestation, "attestation")),
    statement: parseStatement(given.statement, "statement"),
  }
}
