/** What contract tests share: a chain with the verifier deployed, and the name of a call's custom error. */
import type { Contract } from "ethers"
import type { Groth16Key, Groth16Receipt } from "#src/verifier/index.js"
import { solidityKey, toSolidityArguments } from "#src/verifier/index.js"
import { type Chain, compileVerifier, deploy, startChain } from "../examples/chain.js"

export interface VerifierChain extends Chain {
  readonly contract: Contract
}

export async function startVerifier(): Promise<VerifierChain> {
  const chain = await startChain()
  try {
    return { ...chain, contract: await deploy(compileVerifier(), chain.signer) }
  } catch (error) {
    await chain.close()
    throw error
  }
}

/** Registers a key and waits for it; returns the gas of the transaction. */
export async function register(contract: Contract, key: Groth16Key, dev = false): Promise<bigint> {
  const method = dev ? contract.registerDevKey : contract.registerKey
  const sent = await method(solidityKey(key))
  return (await sent.wait()).gasUsed
}

/** Arguments of `verifyInference` as ethers takes them. */
export function inferenceArguments(receipt: Groth16Receipt, key: Groth16Key): unknown[] {
  const { key: name, model, context, outputs, inputs, proof } = toSolidityArguments(receipt, key)
  return [name, model, context, outputs, inputs, proof]
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
