/** The arguments of contracts/CountersignVerifier.sol, as any Ethereum library takes them. */
import { encodeKey, keyDigest, type VerificationKey } from "./key.js"
import { wordsOfG1, wordsOfG2 } from "./points.js"
import type { Groth16Proof, Receipt } from "./receipt.js"
import { flatten, publicInputs } from "./statement.js"

/** Arguments of `verifyInference(key, model, context, outputs, inputs, proof)`, in that order. */
export interface SolidityArguments {
  readonly key: string
  readonly model: string
  readonly context: string
  /** All outputs, then (apart) all public inputs, in layout order, with their signs. */
  readonly outputs: readonly bigint[]
  readonly inputs: readonly bigint[]
  /** A.x, A.y, B.x1, B.x0, B.y1, B.y0, C.x, C.y. */
  readonly proof: readonly bigint[]
}

/**
 * The receipt as arguments of `verifyInference` under a key; the contract, not this function, verifies.
 * @throws UsageError when the statement does not fit the key's layout; FileError on a malformed key.
 */
export function toSolidityArguments(receipt: Receipt, verificationKey: VerificationKey): SolidityArguments {
  const { statement, proof } = receipt
  const { layout } = verificationKey
  const { input, output } = statement
  return {
    key: keyDigest(verificationKey),
    model: statement.model,
    context: statement.context,
    outputs: flatten(output.values, layout.outputs, "output"),
    inputs: flatten(input.visibility === "public" ? input.values : {}, publicInputs(layout), "input"),
    proof: solidityProof(proof),
  }
}

/** The eight words of a proof. */
export const solidityProof = ({ a, b, c }: Groth16Proof): bigint[] => [
  ...wordsOfG1(a),
  ...wordsOfG2(b),
  ...wordsOfG1(c),
]

/** The argument of `registerKey` and `registerDevKey`: the key's canonical bytes in hexadecimal. */
export const solidityKey = (verificationKey: VerificationKey): string =>
  `0x${Array.from(encodeKey(verificationKey), (byte) => byte.toString(16).padStart(2, "0")).join("")}`
