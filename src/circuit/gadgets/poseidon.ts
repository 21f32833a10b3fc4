/**
 * Poseidon (Grassi et al., eprint 2019/458) as circomlib defines it, with 16 inputs: one block of
 * constraints, compiled once, and salted commitments made of it.
 *
 * The commitment of words w_0 … w_(m−1) under a salt s: h = s; for every 15 words, the last ones padded with
 * zeros, h = Poseidon(h, 15 words). How many words there are is part of the circuit, so padding is no other
 * message. Whoever does not know the salt learns nothing of the words.
 */
import { invariant, UsageError } from "../../errors.js"
import { inverse, mod, r } from "../../field.js"

/** Words per block: one input carries the state. */
export const wordsPerBlock = 15

export type Terms = readonly (readonly [wire: number, coefficient: bigint])[]

/**
 * Poseidon's rows a · b = c over local wires: 0 is one, 1 the result, 2 … 17 the inputs, then the others.
 * Row i defines wire `defines[i]`, of which only its side c speaks, from wires known before.
 */
export interface Block {
  readonly wires: number
  readonly rows: readonly {
    readonly a: Terms
    readonly b: Terms
    readonly c: Terms
    readonly defines: number
  }[]
}
export const blockResult = 1
export const blockInputs = 2

/** A block as JSON: coefficients are decimal strings. */
export interface BlockJson {
  readonly wires: number
  readonly rows: readonly {
    readonly a: readonly (readonly [number, string])[]
    readonly b: readonly (readonly [number, string])[]
    readonly c: readonly (readonly [number, string])[]
    readonly defines: number
  }[]
}

/** A canonical coefficient: neither zero nor a second name for another. */
const isCoefficient = (text: unknown): boolean =>
  typeof text === "string" && /^-?[1-9][0-9]{0,76}$/.test(text) && BigInt(text) < r && BigInt(text) > -r

/**
 * Whether JSON is a block: each row speaks of wires known before, and defines one more on side C. So a block that
 * is none of Poseidon's still has one value for each wire.
 */
export function isBlockJson(json: unknown): json is BlockJson {
  const { wires, rows } = (json ?? {}) as Partial<BlockJson>
  const firstOwn = blockInputs + wordsPerBlock + 1
  if (!Array.isArray(rows) || wires !== firstOwn + rows.length - 1) return false
  const known = new Set<unknown>([0, ...Array.from({ length: wordsPerBlock + 1 }, (_, i) => blockInputs + i)])
  const isSide = (side: unknown): boolean =>
    Array.isArray(side) &&
    Array.from(side).every((term) => Array.isArray(term) && known.has(term[0]) && isCoefficient(term[1])) &&
    new Set(side.map(([wire]) => wire)).size === side.length
  return Array.from(rows).every((row) => {
    const { a, b, c, defines } = (row ?? {}) as BlockJson["rows"][number]
    const isNew = Number.isInteger(defines) && defines > 0 && defines < wires && !known.has(defines)
    if (!isNew || !isSide(a) || !isSide(b)) return false
    known.add(defines)
    return isSide(c) && c.some(([wire]) => wire === defines)
  })
}

export function parseBlock({ wires, rows }: BlockJson): Block {
  const parse = (terms: BlockJson["rows"][number]["a"]): Terms =>
    terms.map(([wire, value]) => [wire, BigInt(value)])
  return {
    wires,
    rows: rows.map(({ a, b, c, defines }) => ({ a: parse(a), b: parse(b), c: parse(c), defines })),
  }
}

/** Values of all local wires for 16 inputs in [0, r). */
export function solveBlock({ wires, rows }: Block, inputs: readonly bigint[]): bigint[] {
  invariant(inputs.length === wordsPerBlock + 1, "a block has 16 inputs")
  const values = new Array<bigint>(wires).fill(0n)
  values[0] = 1n
  inputs.forEach((value, i) => {
    values[blockInputs + i] = value
  })
  const sum = (terms: Terms) =>
    terms.reduce((total, [wire, coefficient]) => total + coefficient * values[wire], 0n)
  for (const { a, b, c, defines } of rows) {
    const known = mod(sum(a) * sum(b) - sum(c))
    const factor = c.find(([wire]) => wire === defines)?.[1] ?? 0n
    values[defines] = factor === 1n ? known : (known * inverse(factor)) % r
  }
  return values
}

/** Inputs of each block of a commitment, given the result of the one before. */
export function blockWords<T>(words: readonly T[], zero: T): T[][] {
  return Array.from({ length: Math.ceil(words.length / wordsPerBlock) }, (_, i) => {
    const part = words.slice(i * wordsPerBlock, (i + 1) * wordsPerBlock)
    return [...part, ...new Array<T>(wordsPerBlock - part.length).fill(zero)]
  })
}

/** The commitment to words under a salt. @throws UsageError for no words, or a word or salt that is no field element */
export function commitBy(block: Block, words: readonly bigint[], salt: bigint): bigint {
  if (words.length === 0)
    throw new UsageError({ what: "nothing to commit to", expected: "at least one word" })
  for (const [i, value] of [salt, ...words].entries()) {
    if (typeof value === "bigint" && value >= 0n && value < r) continue
    throw new UsageError({
      what: i === 0 ? "the salt is no field element" : `word ${i - 1} is no field element`,
      expected: "a bigint from 0 to r - 1",
      given: `${value}`,
    })
  }
  return blockWords(words, 0n).reduce((h, part) => solveBlock(block, [h, ...part])[blockResult], salt)
}

/** A uniform salt. Keep it: without it the commitment cannot be opened, and who has it can test guesses. */
export function drawSalt(): bigint {
  // 384 random bits leave a bias below 2^-128
  const bytes = crypto.getRandomValues(new Uint8Array(48))
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) % r
}
