/**
 * The arguments of the Solidity verifiers, as ethers and viem take them, and their calls in ABI encoding: of
 * contracts/CountersignVerifier.sol for `mirage`, and of contracts/Groth16Verifier.sol for `groth16`.
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import { checkOptions, checkRecord, checkThing } from "../arguments.js"
import { UsageError } from "../errors.js"
import { publicInputs } from "../statement/layout.js"
import { wordsOfG1, wordsOfG2 } from "../statement/points.js"
import {
  type Groth16Proof,
  type Groth16Receipt,
  type MirageProof,
  type MirageReceipt,
  parseMirageProof,
  parseProof,
  type Receipt,
} from "../statement/receipt.js"
import { flatten } from "../statement/statement.js"
import type { Hex } from "../statement/strict.js"
import { encodeWords, wordsOf } from "../statement/words.js"
import { encodeKey, type Groth16Key, keyDigest, type MirageKey, type VerificationKey } from "./key.js"

type Two = readonly [bigint, bigint]
type Eight = readonly [...Two, ...Two, ...Two, ...Two]

/** A.x, A.y, B.x1, B.x0, B.y1, B.y0, C.x, C.y. */
export type Groth16ProofWords = Eight
/** A.x, A.y, B.x1, B.x0, B.y1, B.y0, C.x, C.y, D.x, D.y. */
export type MirageProofWords = readonly [...Eight, ...Two]

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

/** What CountersignVerifier's `verifyInference` takes, by name, and in order as `args`. */
export interface MirageArguments {
  readonly proofSystem: "mirage"
  readonly key: Hex
  readonly context: Hex
  /** The public words: outputs, then inputs. */
  readonly words: readonly bigint[]
  readonly proof: MirageProofWords
  readonly args: readonly [key: Hex, context: Hex, words: readonly bigint[], proof: MirageProofWords]
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
  const { layout, proofSystem } = verificationKey
  const { statement } = receipt
  const { model, context, input, output } = statement
  const key = keyDigest(verificationKey)
  if (receipt.proofSystem !== proofSystem)
    throw new UsageError({
      what: "the key is for another proof system than the receipt",
      expected: receipt.proofSystem,
      given: proofSystem,
    })
  if (receipt.proofSystem === "groth16") {
    const outputs = flatten(output, layout.outputs, "output")
    const inputs = flatten(input, publicInputs(layout), "input")
    const proof = solidityProof(receipt.proof)
    const args = [key, model, context, outputs, inputs, proof] as const
    return { proofSystem: "groth16", key, model, context, outputs, inputs, proof, args }
  }
  if (model !== verificationKey.model)
    throw new UsageError({
      what: "the key is another model's",
      expected: model,
      given: verificationKey.model,
    })
  const words = wordsOf(statement, layout)
  const proof = solidityProof(receipt.proof)
  return { proofSystem: "mirage", key, context, words, proof, args: [key, context, words, proof] }
}

/** The eight or ten words of a proof. */
export function solidityProof(proof: MirageProof): MirageProofWords
export function solidityProof(proof: Groth16Proof): Groth16ProofWords
export function solidityProof(proof: Groth16Proof | MirageProof): Groth16ProofWords | MirageProofWords
export function solidityProof(given: Groth16Proof | MirageProof): Groth16ProofWords | MirageProofWords {
  checkRecord(given, "proof", "the proof of a receipt")
  const proof = "d" in given ? parseMirageProof(given, "proof") : parseProof(given, "proof")
  const [[ax, ay], [bx1, bx0, by1, by0]] = [wordsOfG1(proof.a), wordsOfG2(proof.b)]
  const [cx, cy] = wordsOfG1(proof.c)
  const eight = [ax, ay, bx1, bx0, by1, by0, cx, cy] as const
  if (!("d" in proof)) return eight
  const [dx, dy] = wordsOfG1((proof as MirageProof).d)
  return [...eight, dx, dy]
}

/** The argument of `registerKey` and `registerDevKey`: the key's canonical bytes in hexadecimal. */
export const solidityKey = (verificationKey: VerificationKey): Hex =>
  `0x${bytesToHex(encodeKey(verificationKey))}`

/** A call of a verifier contract. */
export interface SolidityCall<Args extends readonly unknown[] = readonly unknown[]> {
  /** Name and types, as a selector hashes them. */
  readonly function: string
  readonly args: Args
  /** Selector and arguments in ABI encoding: the `data` of a transaction. */
  readonly data: Hex
}

export interface CallOptions {
  /** Accept a development key, whose maker can forge: the call is then the contract's entry for such keys. */
  readonly allowDev?: boolean
}

/**
 * The call that verifies a receipt on chain: `verifyInference`, or for a development key `verifyDevInference`.
 * It says nothing about whether the receipt is valid.
 * @throws UsageError for a development key unless it is allowed, and as `toSolidityArguments`
 */
export function verificationCall(
  receipt: Receipt,
  verificationKey: VerificationKey,
  options: CallOptions = {},
): SolidityCall<SolidityArguments["args"]> {
  checkOptions(options)
  const given = toSolidityArguments(receipt, verificationKey)
  const name = checkDev(verificationKey, options) ? "verifyDevInference" : "verifyInference"
  if (given.proofSystem === "mirage") {
    const { args, key, context, words, proof } = given
    const parts = [word(key), word(context), list(words), { words: proof }]
    return call(`${name}(bytes32,bytes32,uint256[],uint256[10])`, args, parts)
  }
  const { args, key, model, context, outputs, inputs, proof } = given
  const parts = [word(key), word(model), word(context), list(outputs), list(inputs), { words: proof }]
  return call(`${name}(bytes32,bytes32,bytes32,int256[],int256[],uint256[8])`, args, parts)
}

/**
 * The call that registers a key: `registerKey`, or for a development key `registerDevKey`.
 * @throws UsageError for a development key unless it is allowed; FileError on a malformed key
 */
export function registrationCall(
  verificationKey: VerificationKey,
  options: CallOptions = {},
): SolidityCall<readonly [blob: Hex]> {
  checkOptions(options)
  const blob = solidityKey(verificationKey)
  const name = checkDev(verificationKey, options) ? "registerDevKey" : "registerKey"
  const words = blob.slice(2).match(/.{64}/g) as string[]
  const parts = [{ length: 32 * words.length, words: words.map((digits) => BigInt(`0x${digits}`)) }]
  return call(`${name}(bytes)`, [blob], parts)
}

/** Whether a key is a development key. @throws UsageError if it is, and must not be */
export function checkDev({ setup }: VerificationKey, { allowDev }: CallOptions): boolean {
  if (setup === "dev" && allowDev !== true)
    throw new UsageError({
      what: "this is a development key, whose maker can forge",
      fix: "Accept it with option `allowDev`",
    })
  return setup === "dev"
}

/**
 * An argument in ABI encoding: the words that stand in its place or, if it has a length, behind all places and
 * after that length.
 */
interface Part {
  readonly words: readonly bigint[]
  readonly length?: number
}

const word = (value: Hex): Part => ({ words: [BigInt(value)] })
const list = (words: readonly bigint[]): Part => ({ words, length: words.length })

/** The contract ABI's encoding of a call, whose arrays hold nothing but words. */
function call<Args extends readonly unknown[]>(
  signature: string,
  args: Args,
  parts: readonly Part[],
): SolidityCall<Args> {
  const places = parts.reduce((n, { words, length }) => n + (length === undefined ? words.length : 1), 0)
  const [head, tail]: bigint[][] = [[], []]
  for (const { words, length } of parts) {
    if (length === undefined) head.push(...words)
    else {
      head.push(BigInt(32 * (places + tail.length)))
      tail.push(BigInt(length))
      for (const x of words) tail.push(BigInt.asUintN(256, x))
    }
  }
  const selector = keccak_256(utf8ToBytes(signature)).subarray(0, 4)
  const data: Hex = `0x${bytesToHex(selector)}${bytesToHex(encodeWords([...head, ...tail]))}`
  return { function: signature, args, data }
}
