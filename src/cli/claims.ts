/** Files of claims, as commands read and write them. */
import type { Attestation, PolicyDocument, SignedAttestation } from "../attest/index.js"
import { readJson } from "../files.js"
import type { Shown } from "../keep/index.js"
import { parseStatement, type Statement } from "../statement/statement.js"
import { fields, oneOf } from "../statement/strict.js"
import { parseReceipt } from "../verifier/receipt.js"

/** What `countersign attest` writes: a signed attestation, and the statement that it is about. */
export interface Answer {
  readonly attestation: SignedAttestation
  /** Its context is the attestation's digest: a receipt will state the very same. */
  readonly statement: Statement
}

/** An answer as its file has it. */
export const answerText = ({ attestation, statement }: Answer): string =>
  `${JSON.stringify({ version: 1, attestation, statement }, null, 2)}\n`

/** Reads an answer. @throws UsageError, FileError */
export async function readAnswer(path: string): Promise<Answer> {
  const { parseAttestation } = await import("../attest/index.js")
  const given = fields(readJson(path), `\`${path}\``, ["version", "attestation", "statement"])
  oneOf(given.version, `\`${path}\`: version`, [1])
  return {
    attestation: parseAttestation(given.attestation),
    statement: parseStatement(given.statement, "statement"),
  }
}

/** The signed attestation of a file: alone, or in an answer. @throws UsageError, FileError */
export async function readAttestation(path: string): Promise<SignedAttestation> {
  const { parseAttestation } = await import("../attest/index.js")
  const given = readJson(path)
  const isAnswer = typeof given === "object" && given !== null && Object.hasOwn(given, "attestation")
  return isAnswer ? (await readAnswer(path)).attestation : parseAttestation(given)
}

/** What somebody shows of an inference: an answer, an attestation or a receipt. @throws UsageError, FileError */
export async function readShown(path: string): Promise<Shown> {
  const given = readJson(path)
  if (typeof given === "object" && given !== null && Object.hasOwn(given, "proof"))
    return { kind: "receipt", receipt: parseReceipt(given) }
  const isAnswer = typeof given === "object" && given !== null && Object.hasOwn(given, "attestation")
  if (isAnswer) return { kind: "attestation", ...(await readAnswer(path)) }
  return { kind: "attestation", attestation: await readAttestation(path), statement: null }
}

/** The policy document of a file. @throws UsageError, FileError */
export async function readDocument(path: string): Promise<PolicyDocument> {
  const { parseDocument } = await import("../attest/index.js")
  return parseDocument(readJson(path))
}

/** Seconds since 1970. */
export const nowSeconds = (): number => Math.floor(Date.now() / 1000)
export const daySeconds = 86_400
/** A time for people. */
export { timeText as dateOf } from "../errors.js"

/** The attestation of a file, as options of functions take it, or nothing where no file is named. @throws UsageError, FileError */
export async function deliveredClaim(path: string | undefined): Promise<{ attestation?: Attestation }> {
  if (path === undefined) return {}
  const { claimOf } = await import("../attest/index.js")
  return { attestation: claimOf(await readAttestation(path)) }
}
