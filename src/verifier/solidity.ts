/**
 * The arguments of the Solidity verifiers, as any Ethereum library takes them: of
 * contracts/CountersignVerifier.sol for `mirage`, and of contracts/Groth16Verifier.sol for `groth16`.
 */
import { checkRecord, checkThing } from "../arguments.js"
import { UsageError } from "../errors.js"
import { encodeKey, type Groth16Key, keyDigest, type MirageKey, type VerificationKey } from "./key.js"
import { publicInputs } from "./layout.js"
import { wordsOfG1, wordsOfG2 } from "./points.js"
import {
  type Groth16Proof,
  type Groth16Receipt,
  type MirageProof,
  type MirageReceipt,
  parseMirageProof,
  parseProof,
  type Receipt,
} from "./receipt.js"
import { flatten } from "./statement.js"
import { wordsOf } from "./words.js"

/** Arguments of Groth16Verifier's `verifyInference(key, model, context, outputs, inputs, proof)`, in that order. */
export interface Groth16Arguments {
  readonly proofSystem: "groth16"
  readonly key: string
  readonly model: string
  readonly context: string
  /** All outputs, then (apart) all public inputs, in layout order, with their signs. */
  readonly outputs: readonly bigint[]
  readonly inputs: readonly bigint[]
  /** A.x, A.y, B.x1, B.x0, B.y1, B.y0, C.x, C.y. */
  readonly proof: readonly bigint[]
}

/** Arguments of CountersignVerifier's `verifyInference(key, context, words, proof)`, in that order. */
export interface MirageArguments {
  readonly proofSystem: "mirage"
  readonly key: string
  readonly context: string
  /** The public words: outputs, then inputs. */
  readonly words: readonly bigint[]
  /** A.x, A.y, B.x1, B.x0, B.y1, B.y0, C.x, C.y, D.x, D.y. */
  readonly proof: readonly bigint[]
}

export type SolidityArguments = Groth16Arguments | MirageArguments

/**
 * The receipt as arguments of `verifyInference` under a key; the contract, not this function, verifies. The
 * contract for `mirage` learns the model from the key, so there it is checked here.
 * @throws UsageError when the statement does not fit the key's layout, or the receipt the key's proof
 * system or model; FileError on a malformed key.
 */
export function toSolidityArguments(receipt: Groth16Receipt, key: Groth16Key): Groth16Arguments
export function toSolidityArguments(receipt: MirageReceipt, key: MirageKey): MirageArguments
export function toSolidityArguments(receipt: Receipt, key: VerificationKey): SolidityArguments
export function toSolidityArguments(receipt: Receipt, verificationKey: VerificationKey): SolidityArguments {
  checkThing("receipt", receipt, "receipt")
  checkThing("verificationKey", verificationKey, "verificationKey")
  const { layout, model, proofSystem } = verificationKey
  const { statement } = receipt
  const { context, input, output } = statement
  const key = keyDigest(verificationKey)
  if (receipt.proofSystem !== proofSystem)
    throw new UsageError({
      what: "the key is for another proof system than the receipt",
      expected: receipt.proofSystem,
      given: proofSystem,
    })
  if (receipt.proofSystem === "groth16")
    return {
      proofSystem: "groth16",
      key,
      model: statement.model,
      context,
      outputs: flatten(output, layout.outputs, "output"),
      inputs: flatten(input, publicInputs(layout), "input"),
      proof: solidityProof(receipt.proof),
    }
  if (statement.model !== model)
    throw new UsageError({ what: "the key is another model's", expected: statement.model, given: model })
  return {
    proofSystem: "mirage",
    key,
    context,
    words: wordsOf(statement, layout),
    proof: solidityProof(receipt.proof),
  }
}

/** The eight or ten words of a proof. */
export function solidityProof(given: Groth16Proof | MirageProof): bigint[] {
  checkRecord(given, "proof", "the proof of a receipt")
  const proof = "d" in given ? parseMirageProof(given, "proof") : parseProof(given, "proof")
  return [
    ...wordsOfG1(proof.a),
    ...wordsOfG2(proof.b),
    ...wordsOfG1(proof.c),
    ...("d" in proof ? wordsOfG1((proof as MirageProof).d) : []),
  ]
}

/** The argument of `registerKey` and `registerDevKey`: the key's canonical bytes in hexadecimal. */
export const solidityKey = (verificationKey: VerificationKey): string =>
  `0x${Array.from(encodeKey(verificationKey), (byte) => byte.toString(16).padStart(2, "0")).join("")}`
