/**
 * The public words of a statement, for the two-phase proof system (MIRAGE, eprint 2020/278). Here, and
 * nowhere else, is which integers go into which word; circuit, prover and verifiers follow it.
 *
 * Outputs come first, then inputs. Of its public tensors a side has, one by one in layout order, words of 248 bits:
 * each holds k = ⌊248 / bits⌋ consecutive elements in row-major order, the last of a tensor fewer, as
 *
 *     p = Σ (v_i − lo) · 2^(bits · i)          0 ≤ i < k
 *
 * Two tensors never share a word. The commitment to its committed tensors, if it has any, is one more word; hidden
 * ones have none.
 *
 * The statement and the commitment D of the proof fix the challenge, so neither can be chosen after it:
 *
 *     c  = keccak256(key digest ‖ context ‖ n ‖ p_0 … p_(n−1) ‖ D.x ‖ D.y) mod r      32 bytes each, big endian
 *     ev = Σ p_j · c^(j+1) mod r
 *
 * The circuit has ev as a polynomial in c whose coefficients were committed in D, before c existed; that it
 * agrees with the verifier's at c makes the coefficients equal (Schwartz–Zippel), but for a chance of n/r.
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex } from "@noble/hashes/utils.js"
import { checkArgument, checkList, checkThing } from "../arguments.js"
import { UsageError } from "../errors.js"
import { r } from "../field.js"
import {
  count,
  inputVisibility,
  type Layout,
  maxBits,
  outputVisibility,
  publicInputs,
  publicOutputs,
  type TensorLayout,
  type Visibility,
} from "./layout.js"
import { type G1Json, parseG1 } from "./points.js"
import { flatten, type Statement } from "./statement.js"
import { bytes32 } from "./strict.js"

/** Bits of a word that are used: a whole number of bytes, below the bits of r. */
export const wordBits = 248

/** Where the integers of one word come from: element `first + i` of a tensor is shifted by bits · i. */
export interface ValuesWord {
  readonly kind: "values"
  readonly side: "output" | "input"
  /** Index in the layout's outputs or inputs. */
  readonly tensor: number
  /** First element, and how many from it on, in row-major order. */
  readonly first: number
  readonly count: number
  readonly lo: number
  readonly bits: number
}

/** The commitment of a side. */
export interface CommitmentWord {
  readonly kind: "commitment"
  readonly side: "output" | "input"
}

export type Word = ValuesWord | CommitmentWord

/** Elements of a tensor of `bits` bits that share a word. */
export function elementsPerWord(bits: number): number {
  if (!Number.isInteger(bits) || bits < 1 || bits > maxBits)
    throw new UsageError({
      what: "not a number of bits",
      expected: `an integer from 1 to ${maxBits}`,
      given: `${bits}`,
    })
  return Math.floor(wordBits / bits)
}

function checkBigints(values: readonly bigint[], parameter: string): void {
  checkList(values, parameter)
  const wrong = values.findIndex((value) => typeof value !== "bigint")
  checkArgument(wrong < 0, `${parameter}[${wrong}]`, "a bigint", values[wrong])
}

/** Number of words of a tensor with so many elements. */
export const wordsOfTensor = (elements: number, bits: number): number =>
  Math.ceil(elements / elementsPerWord(bits))

/** The words that hold the tensors of one side that are public, or those that are committed to. */
export function packSide(
  { outputs, inputs }: Layout,
  side: "output" | "input",
  visibility: "public" | "committed",
): ValuesWord[] {
  const tensors = side === "output" ? outputs : inputs
  return tensors.flatMap(({ shape, lo, bits, ...given }, tensor) => {
    if (given.visibility !== visibility) return []
    const [elements, each] = [count(shape), elementsPerWord(bits)]
    return Array.from({ length: wordsOfTensor(elements, bits) }, (_, word): ValuesWord => {
      const first = word * each
      return { kind: "values", side, tensor, first, count: Math.min(each, elements - first), lo, bits }
    })
  })
}

/** What each public word of a layout holds, in order. */
export function packing(layout: Layout): Word[] {
  checkThing("layout", layout, "layout")
  const commitment = (side: "output" | "input", visibility: Visibility): Word[] =>
    visibility === "committed" ? [{ kind: "commitment", side }] : []
  return [
    ...packSide(layout, "output", "public"),
    ...commitment("output", outputVisibility(layout)),
    ...packSide(layout, "input", "public"),
    ...commitment("input", inputVisibility(layout)),
  ]
}

const tensorWords = (tensors: readonly TensorLayout[]): number =>
  tensors.reduce((sum, { shape, bits }) => sum + wordsOfTensor(count(shape), bits), 0)

const commitmentWords = (visibility: Visibility): number => (visibility === "committed" ? 1 : 0)

/** Number of words of the outputs, which come first. */
export const outputWordCount = (layout: Layout): number =>
  tensorWords(publicOutputs(layout)) + commitmentWords(outputVisibility(layout))

/** Number of public words of a layout. */
export const wordCount = (layout: Layout): number =>
  outputWordCount(layout) + tensorWords(publicInputs(layout)) + commitmentWords(inputVisibility(layout))

/**
 * The words of a tensor's integers.
 * @throws UsageError for an integer outside [lo, lo + 2^bits)
 */
export function packTensor(values: readonly bigint[], lo: number, bits: number): bigint[] {
  checkBigints(values, "values")
  checkArgument(Number.isSafeInteger(lo), "lo", "an integer", lo)
  const each = elementsPerWord(bits)
  const [least, size, step] = [BigInt(lo), 2n ** BigInt(bits), BigInt(bits)]
  return Array.from({ length: wordsOfTensor(values.length, bits) }, (_, word) => {
    const first = word * each
    let packed = 0n
    for (let i = Math.min(first + each, values.length) - 1; i >= first; i--) {
      const offset = values[i] - least
      if (offset < 0n || offset >= size)
        throw new UsageError({
          what: "integer out of range",
          where: `element ${i}`,
          expected: `${least} to ${least + size - 1n}`,
          given: `${values[i]}`,
        })
      packed = (packed << step) | offset
    }
    return packed
  })
}

/**
 * The integers of a tensor from its words.
 * @throws UsageError when the number of words is wrong, or a word has bits that belong to no element
 */
export function unpackTensor(words: readonly bigint[], elements: number, lo: number, bits: number): bigint[] {
  checkBigints(words, "words")
  checkArgument(Number.isSafeInteger(elements) && elements >= 0, "elements", "a number of elements", elements)
  checkArgument(Number.isSafeInteger(lo), "lo", "an integer", lo)
  const each = elementsPerWord(bits)
  const expected = wordsOfTensor(elements, bits)
  if (words.length !== expected)
    throw new UsageError({
      what: "wrong number of words",
      expected: `${expected}`,
      given: `${words.length}`,
    })
  const mask = 2n ** BigInt(bits) - 1n
  words.forEach((word, w) => {
    const held = Math.min(each, elements - w * each)
    if (word >> BigInt(bits * held) !== 0n)
      throw new UsageError({
        what: `word has more than its ${held} elements of ${bits} bits`,
        where: `word ${w}`,
        given: `${word}`,
      })
  })
  return Array.from(
    { length: elements },
    (_, i) => ((words[Math.floor(i / each)] >> BigInt(bits * (i % each))) & mask) + BigInt(lo),
  )
}

/**
 * The public words of a statement, each in [0, r).
 * @throws UsageError when the statement does not fit the layout
 */
export function wordsOf(statement: Statement, layout: Layout): bigint[] {
  checkThing("statement", statement, "statement")
  checkThing("layout", layout, "layout")
  const { input, output } = statement
  const side = (
    claim: Statement["input"],
    tensors: readonly TensorLayout[],
    name: "input" | "output",
  ): bigint[] => {
    const visibility = name === "input" ? inputVisibility(layout) : outputVisibility(layout)
    if (claim.visibility !== visibility)
      throw new UsageError({
        what: `${name} has the wrong visibility`,
        expected: visibility,
        given: claim.visibility,
      })
    const values = flatten(claim, tensors, name)
    let next = 0
    const words = tensors.flatMap(({ shape, lo, bits }) => {
      const from = next
      next += count(shape)
      return packTensor(values.slice(from, next), lo, bits)
    })
    return claim.visibility === "committed" ? [...words, BigInt(claim.commitment)] : words
  }
  return [...side(output, publicOutputs(layout), "output"), ...side(input, publicInputs(layout), "input")]
}

/** Integers in [0, 2^256) as 32 bytes each, big endian. */
export function encodeWords(words: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(words.length * 32)
  words.forEach((word, i) => {
    for (let j = 31, rest = word; rest > 0n; j--, rest >>= 8n) bytes[32 * i + j] = Number(rest & 255n)
  })
  return bytes
}

/**
 * The challenge c of a proof: binds key, context, the whole statement and the proof's commitment D.
 * @param digest the key's, `keyDigest`
 */
export function challenge(digest: string, context: string, words: readonly bigint[], d: G1Json): bigint {
  checkBigints(words, "words")
  bytes32(digest, "digest")
  bytes32(context, "context")
  parseG1(d, "d")
  const transcript = [digest, context, words.length, ...words, ...d].map(BigInt)
  return BigInt(`0x${bytesToHex(keccak_256(encodeWords(transcript)))}`) % r
}

/** ev = Σ words[j] · c^(j+1) mod r, the second public signal. */
export function evaluation(words: readonly bigint[], c: bigint): bigint {
  checkBigints(words, "words")
  checkArgument(typeof c === "bigint", "c", "a bigint", c)
  return words.reduceRight((sum, word) => ((sum + word) * c) % r, 0n)
}
