/** Files of claims, as commands read and write them. */
import type { Answer, Attestation, PolicyDocument, SignedAttestation } from "../attest/index.js"
import { readJson } from "../files.js"
import type { Shown } from "../keep/index.js"
import { parseReceipt } from "../verifier/receipt.js"

/** Reads an answer. @throws UsageError, FileError */
export async function readAnswer(path: string): Promise<Answer> {
  const { parseAnswer } = await import("../attest/index.js")
  return parseAnswer(readJson(path), `\`${path}\``)
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
