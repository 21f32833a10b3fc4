/** What contracts/Groth16Verifier.sol takes. */
import { type AbiPart, listPart, wordPart } from "../../statement/abi.js"
import { publicInputs } from "../../statement/layout.js"
import { type CommonWords, commonWords } from "../../statement/proof.js"
import { flatten } from "../../statement/statement.js"
import type { Hex } from "../../statement/strict.js"
import type { Groth16Key, Groth16Receipt } from "./verify.js"

/** A.x, A.y, B.x1, B.x0, B.y1, B.y0, C.x, C.y. */
export type Groth16ProofWords = CommonWords

/** What Groth16Verifier's `verifyInference` takes, by name, and in order as `args`. */
export interface Groth16Arguments {
  readonly proofSystem: "groth16"
  readonly key: Hex
  readonly model: Hex
  readonly context: Hex
  /** All outputs, then (apart) all public inputs, in layout order, with their signs. */
  readonly outputs: readonly bigint[]
  readonly inputs: readonly bigint[]
  readonly proof: Groth16ProofWords
  readonly args: readonly [
    key: Hex,
    model: Hex,
    context: Hex,
    outputs: readonly bigint[],
    inputs: readonly bigint[],
    proof: Groth16ProofWords,
  ]
}

/** What `SolidityHalf` of ../verifiers.ts asks of a proof system. */
export const groth16Solidity = {
  contract: "Groth16Verifier",
  registered: true,
  packed: false,
  proofWords: commonWords,

  argumentsOf(
    { statement, proof: given }: Groth16Receipt,
    { layout }: Groth16Key,
    key: Hex,
  ): Groth16Arguments {
    const { model, context, input, output } = statement
    const outputs = flatten(output, layout.outputs, "output")
    const inputs = flatten(input, publicInputs(layout), "input")
    const proof = commonWords(given)
    const args = [key, model, context, outputs, inputs, proof] as const
    return { proofSystem: "groth16", key, model, context, outputs, inputs, proof, args }
  },

  types: "bytes32,bytes32,bytes32,int256[],int256[],uint256[8]",
  parts: ({ key, model, context, outputs, inputs, proof }: Groth16Arguments): AbiPart[] => [
    wordPart(key),
    wordPart(model),
    wordPart(context),
    listPart(outputs),
    listPart(inputs),
    { words: proof },
  ],
}
