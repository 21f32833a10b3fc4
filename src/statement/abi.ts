/** The contract ABI's encoding of calls whose arrays hold nothing but words. */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import type { Hex } from "./strict.js"
import { encodeWords } from "./words.js"

/** An argument: the words that stand in its place or, if it has a length, behind all places and after that length. */
export interface AbiPart {
  readonly words: readonly bigint[]
  readonly length?: number
}

export const wordPart = (value: Hex): AbiPart => ({ words: [BigInt(value)] })
export const listPart = (words: readonly bigint[]): AbiPart => ({ words, length: words.length })

/** Selector and arguments: the `data` of a transaction. */
export function encodeCall(signature: string, parts: readonly AbiPart[]): Hex {
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
  return `0x${bytesToHex(selector)}${bytesToHex(encodeWords([...head, ...tail]))}`
}
