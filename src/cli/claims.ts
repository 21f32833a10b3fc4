/** Files of claims, as commands read them. */
import type { SignedAttestation } from "../attest/index.js"
import { readJson } from "./files.js"

/** The signed attestation of a file: alone, or in the answer that `countersign attest` writes. @throws FileError */
export async function readAttestation(path: string): Promise<SignedAttestation> {
  const { parseAttestation } = await import("../attest/index.js")
  const given = readJson(path)
  const isAnswer = typeof given === "object" && given !== null && Object.hasOwn(given, "attestation")
  return parseAttestation(isAnswer ? (given as { attestation: unknown }).attestation : given)
}
