/** Salted Poseidon commitments to packed words, inside a circuit. */
import { checkArgument, checkRecord } from "../../arguments.js"
import type { MirageCircuit } from "../../compile/compile.js"
import { invariant, UsageError } from "../../errors.js"
import { mod, r } from "../../field.js"
import { packSide, packTensor } from "../../statement/words.js"
import { type Block, blockInputs, blockResult, blockWords, solveBlock } from "../gadgets/poseidon.js"
import type { CommittedWitness, TensorValues } from "../witness/witness.js"
import type { FieldLc, R1csBuilder } from "./builder.js"

/** What keeps a commitment from being guessed; one for each side that is committed to. */
export interface Salts {
  readonly input?: bigint
  readonly output?: bigint
}

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

/** Assigns the wires of all commitments. `values` are the integers of every tensor. */
export function assignCommitments(
  { graph, layout, linked }: MirageCircuit,
  values: TensorValues,
  witness: CommittedWitness,
  salts: Salts = {},
): void {
  const large = witness.large as Map<number, bigint>
  for (const side of ["output", "input"] as const) {
    const commitment = linked.commitments[side]
    if (!commitment) continue
    const words = sideWords({ graph, layout }, values, side)
    const salt = salts[side]
    invariant(salt !== undefined && words.length === commitment.words, `commitment to the ${side}`)
    const { block } = commitment
    const assigned = [mod(salt), ...words]
    let state = mod(salt)
    for (const part of blockWords(words, 0n)) {
      const solved = solveBlock(block, [state, ...part])
      for (const { defines } of block.rows) assigned.push(solved[defines])
      state = solved[blockResult]
    }
    commitment.wires.forEach((wire, i) => {
      large.set(wire, assigned[i])
    })
  }
}

/** The packed words of one side of an execution, public or committed to. */
export function sideWords(
  { graph, layout }: Pick<MirageCircuit, "graph" | "layout">,
  values: TensorValues,
  side: "input" | "output",
): bigint[] {
  const [tensors, entries] =
    side === "input" ? [layout.inputs, graph.inputs] : [layout.outputs, graph.outputs]
  const words = tensors.flatMap(({ lo, bits }, i) => {
    const data = values.get(entries[i].tensor)
    invariant(data, `${side} ${entries[i].name} has no values`)
    return packTensor(Array.from(data, BigInt), lo, bits)
  })
  invariant(words.length === packSide(tensors, side).length, "words of a side")
  return words
}

/**
 * The salts a circuit's commitments take.
 * @throws UsageError if one is missing, or given for a side that has no commitment
 */
export function saltsFor(
  circuit: { readonly input: string; readonly output: string },
  given: Salts | undefined,
): Salts {
  checkRecord(given ?? {}, "options.salts", "an object with the salt of each committed side")
  for (const side of ["input", "output"] as const) {
    const salt: unknown = given?.[side]
    checkArgument(
      salt === undefined || (typeof salt === "bigint" && salt >= 0n && salt < r),
      `options.salts.${side}`,
      "a bigint from 0 to r - 1 (`drawSalt`)",
      salt,
    )
    const needed = circuit[side] === "committed"
    if (needed === (given?.[side] !== undefined)) continue
    throw new UsageError({
      what: needed ? `the ${side}'s commitment needs a salt` : `the circuit does not commit to its ${side}`,
      where: `option \`salts.${side}\``,
      fix: needed
        ? "Pass drawSalt(), and keep it: without it the commitment cannot be opened"
        : "Leave it out",
    })
  }
  return given ?? {}
}
