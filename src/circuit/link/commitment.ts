/** Salted Poseidon commitments to packed words, inside a circuit. */
import { invariant } from "../../errors.js"
import { type Block, blockInputs, blockResult, blockWords } from "../gadgets/poseidon.js"
import type { FieldLc, R1csBuilder } from "./builder.js"

export interface Commitment {
  /** The commitment itself, a committed wire. */
  readonly value: FieldLc
  /** All wires added, full field elements: the salt, the words, then each block's own. */
  readonly wires: readonly number[]
  readonly words: number
  /** Poseidon's rows, which say what the wires of a block are. */
  readonly block: Block
  /** Rows added, from `firstRow` on. */
  readonly firstRow: number
  readonly rows: number
}

/**
 * Adds a salt, one wire per word that equals it, and Poseidon's rows. Word wires keep the rows short; each is
 * pinned by its linear row, each wire inside a block by the row that defines it, and the salt is free.
 */
export function linkCommitment(
  builder: R1csBuilder,
  words: readonly FieldLc[],
  block: Block | undefined,
): Commitment {
  invariant(block, "commitments need Poseidon")
  const firstRow = builder.rows
  const salt = builder.allocate(1)
  const first = builder.allocate(words.length)
  words.forEach((word, i) => {
    builder.fieldRow(new Map(), new Map(), new Map([...word, [first + i, -1]]))
  })
  const wires = [salt, ...words.map((_, i) => first + i)]
  let state = salt
  const blocks = blockWords(
    words.map((_, i) => first + i),
    -1,
  )
  for (const part of blocks) {
    const inputs = [state, ...part]
    const own = new Map<number, number>()
    for (const { defines } of block.rows) {
      own.set(defines, builder.allocate(1))
      wires.push(own.get(defines) as number)
    }
    const wireOf = (local: number): number => {
      if (local === 0) return 0
      return own.get(local) ?? inputs[local - blockInputs]
    }
    const side = (terms: Block["rows"][number]["a"]): FieldLc =>
      // a padded word is zero and has no wire
      new Map(terms.flatMap(([local, value]) => (wireOf(local) < 0 ? [] : [[wireOf(local), value] as const])))
    for (const { a, b, c } of block.rows) builder.fieldRow(side(a), side(b), side(c))
    state = wireOf(blockResult)
  }
  const rows = builder.rows - firstRow
  return { value: new Map([[state, 1]]), wires, words: words.length, block, firstRow, rows }
}
