/** Forgeries against the two-phase proof that need its trapdoor or its transcript; each must be refused. */
import { keccak256 } from "ethers"
import { inverse, mod, r } from "#src/field.js"
import { encodeWords } from "#src/statement/words.js"
import {
  challenge,
  evaluation,
  keyDigest,
  type MirageProof,
  type MirageReceipt,
} from "#src/verifier/index.js"
import { edit, pointG1, scalar } from "./groth16-oracle.js"
import { type MirageOracle, pointsOf } from "./mirage-oracle.js"

export interface Forgery {
  readonly name: string
  readonly proof: MirageProof
  /** The equation holds under this challenge, so that only the derivation of the challenge refuses it. */
  readonly challenge: bigint
  readonly holds: boolean
}

const hash = (transcript: readonly (bigint | number | string)[]): bigint =>
  BigInt(keccak256(encodeWords(transcript.map(BigInt)))) % r

/** Proofs for these words that a verifier with a weaker transcript would accept. */
export function forgeries(oracle: MirageOracle, context: string, words: readonly bigint[]): Forgery[] {
  const digest = keyDigest(oracle.key)
  const d = scalar("forger", "d")
  const point = pointG1(d)
  const n = words.length
  const transcripts: [string, (bigint | number | string)[]][] = [
    ["challenge from D alone, without the statement", [...point]],
    ["challenge without the words", [digest, context, n, ...point]],
    ["challenge without the first word", [digest, context, n, ...words.slice(1), ...point]],
    ["challenge without the last word", [digest, context, n, ...words.slice(0, -1), ...point]],
    ["challenge without the number of words", [digest, context, ...words, ...point]],
    ["challenge without the context", [digest, n, ...words, ...point]],
    ["challenge without the key", [context, n, ...words, ...point]],
    ["challenge without D, so that D can be chosen after it", [digest, context, n, ...words]],
    ["challenge without the sign of D", [digest, context, n, ...words, point[0]]],
    ["challenge with D first", [digest, context, ...point, n, ...words]],
  ]
  const list = transcripts.map(([name, transcript]): Forgery => {
    const c = hash(transcript)
    const scalars = oracle.scalars(context, words, "forger", { d, challenge: c })
    return { name, proof: pointsOf(scalars), challenge: c, holds: oracle.holds(scalars, words, c) }
  })
  const fixed = oracle.scalars(context, words, "forger", { d, challenge: 7n })
  list.push({
    name: "challenge chosen by the prover",
    proof: pointsOf(fixed),
    challenge: 7n,
    holds: oracle.holds(fixed, words, 7n),
  })

  const honest = oracle.scalars(context, words, "honest")
  const c = challenge(digest, context, words, pointG1(honest.d))
  const { delta, deltaC } = oracle.trapdoor
  for (const k of [1n, r - 1n, scalar("forger", "k")]) {
    const moved = { ...honest, d: mod(honest.d + k * delta), c: mod(honest.c - k * deltaC) }
    list.push({
      name: `D + ${k === r - 1n ? -1n : k} δ and C moved back by as much δ_c`,
      proof: pointsOf(moved),
      challenge: c,
      holds: oracle.holds(moved, words, c),
    })
  }
  return list
}

/**
 * A receipt's two commitments changed so that the evaluation at its challenge stays the same: what a
 * verifier would accept that takes the challenge from the proof, or hashes D but not the statement.
 */
export function sameEvaluation(oracle: MirageOracle, receipt: MirageReceipt): MirageReceipt {
  const { input, output, context } = receipt.statement
  if (input.visibility !== "committed" || output.visibility !== "committed")
    throw new Error("this attack needs two commitments")
  const words = [BigInt(output.commitment), BigInt(input.commitment)]
  const c = challenge(keyDigest(oracle.key), context, words, receipt.proof.d)
  const other = [mod(words[0] + 1n), mod(words[1] - inverse(c))]
  if (evaluation(other, c) !== evaluation(words, c)) throw new Error("the evaluation moved")
  const hex = (x: bigint) => `0x${x.toString(16).padStart(64, "0")}`
  const changed = edit(receipt, ["statement", "output", "commitment"], hex(other[0]))
  return edit(changed, ["statement", "input", "commitment"], hex(other[1]))
}
