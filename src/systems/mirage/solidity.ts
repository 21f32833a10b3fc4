/** What contracts/CountersignVerifier.sol takes. */
import { UsageError } from "../../errors.js"
import { type AbiPart, listPart, wordPart } from "../../statement/abi.js"
import { wordsOfG1 } from "../../statement/points.js"
import { type CommonWords, commonWords } from "../../statement/proof.js"
import type { Hex } from "../../statement/strict.js"
import { wordsOf } from "../../statement/words.js"
import type { MirageKey, MirageProof, MirageReceipt } from "./verify.js"

/** A.x, A.y, B.x1, B.x0, B.y1, B.y0, C.x, C.y, D.x, D.y. */
export type MirageProofWords = readonly [...CommonWords, bigint, bigint]

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

function proofWords(proof: MirageProof): MirageProofWords {
  const [dx, dy] = wordsOfG1(proof.d)
  return [...commonWords(proof), dx, dy]
}

/** What `SolidityHalf` of ../verifiers.ts asks of a proof system. */
export const mirageSolidity = {
  contract: "CountersignVerifier",
  registered: true,
  packed: true,
  proofWords,

  /** The contract learns the model from the key, so here it is checked. @throws UsageError */
  argumentsOf(
    { statement, proof: given }: MirageReceipt,
    verificationKey: MirageKey,
    key: Hex,
  ): MirageArguments {
    const { model, context } = statement
    if (model !== verificationKey.model)
      throw new UsageError({
        what: "the key is another model's",
        expected: model,
        given: verificationKey.model,
      })
    const words = wordsOf(statement, verificationKey.layout)
    const proof = proofWords(given)
    return { proofSystem: "mirage", key, context, words, proof, args: [key, context, words, proof] }
  },

  types: "bytes32,bytes32,uint256[],uint256[10]",
  parts: ({ key, context, words, proof }: MirageArguments): AbiPart[] => [
    wordPart(key),
    wordPart(context),
    listPart(words),
    { words: proof },
  ],
}
