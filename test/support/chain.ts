/** What contract tests share: a chain with the verifier deployed, and the name of a call's custom error. */
import { readFileSync } from "node:fs"
import { type Contract, hexlify } from "ethers"
import { wordsOfG1, wordsOfG2 } from "#src/statement/points.js"
import { encodeWords } from "#src/statement/words.js"
import type { Groth16Key, Groth16Proof, Receipt, VerificationKey } from "#src/verifier/index.js"
import { encodeKey, solidityKey, toSolidityArguments } from "#src/verifier/index.js"
import type { Artifact } from "../../contracts/compile.js"
import { type Chain, deploy, startChain } from "../../examples/chain.js"

export interface VerifierChain extends Chain {
  readonly contract: Contract
}

/** A contract as the package has it (`npm run artifacts`); that it is of these sources, a test of the package says. */
export const artifact = (name: string): Artifact =>
  JSON.parse(readFileSync(new URL(`../../dist/artifacts/${name}.json`, import.meta.url), "utf8"))

/** The contract that verifies receipts of a proof system. */
export const verifiers = { mirage: "CountersignVerifier", groth16: "Groth16Verifier" } as const

/** A system whose keys are registered at one contract. */
export type Registered = keyof typeof verifiers
export const registered = (proofSystem: Receipt["proofSystem"]): Registered => {
  if (proofSystem === "mirage" || proofSystem === "groth16") return proofSystem
  throw new Error(`keys of ${proofSystem} have contracts of their own`)
}

export async function startVerifier(proofSystem: Registered): Promise<VerifierChain> {
  const chain = await startChain()
  try {
    return { ...chain, contract: await deploy(artifact(verifiers[proofSystem]), chain.signer) }
  } catch (error) {
    await chain.close()
    throw error
  }
}

/** Registers a key and waits for it; returns the gas of the transaction. */
export async function register(contract: Contract, key: VerificationKey, dev = false): Promise<bigint> {
  const method = dev ? contract.registerDevKey : contract.registerKey
  const sent = await method(solidityKey(key))
  return (await sent.wait()).gasUsed
}

/**
 * Arguments of `verifyInference` as ethers takes them, whatever the proof's coordinates are: those that
 * `toSolidityArguments` refuses are for the contract to refuse as well.
 */
export function inferenceArguments(receipt: Receipt, key: VerificationKey): unknown[] {
  const g2 = [
    ["1", "2"],
    ["3", "4"],
  ] as const
  const wellFormed = { a: ["1", "2"], b: g2, c: ["1", "2"], d: ["1", "2"] } as const
  const { a, b, c, d } = { d: [], ...(receipt.proof as Groth16Proof) }
  const { d: _, ...three } = wellFormed
  const proof = receipt.proofSystem === "mirage" ? wellFormed : three
  const { args } = toSolidityArguments({ ...receipt, proof } as Receipt, key)
  return [...args.slice(0, -1), [...a, b[0][1], b[0][0], b[1][1], b[1][0], ...c, ...d].map(BigInt)]
}

/** The canonical bytes of a key with the single points of another of the same system, which need no check. */
export function blobOf(key: Groth16Key, { alpha1, beta2, gamma2, delta2 }: Groth16Key["points"]): string {
  const bytes = encodeKey(key).slice()
  const words = [...wordsOfG1(alpha1), ...[beta2, gamma2, delta2].flatMap(wordsOfG2)]
  bytes.set(encodeWords(words), 32 * 6)
  return hexlify(bytes)
}

/** The custom error a call reverts with, as `Name(arguments)`; fails when it does not revert. */
export async function revertOf(call: Promise<unknown>): Promise<string> {
  let value: unknown
  try {
    value = await call
  } catch (error) {
    const { revert, message } = error as { revert?: { name: string; args: unknown[] }; message: string }
    return revert ? `${revert.name}(${[...revert.args].join(", ")})` : message
  }
  throw new Error(`the call returned ${value}`)
}
