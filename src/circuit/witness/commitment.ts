/** What an execution puts into its circuit's commitments: salts and packed words. */
import { checkArgument, checkRecord } from "../../arguments.js"
import { invariant, UsageError } from "../../errors.js"
import { mod, r } from "../../field.js"
import { packSide, packTensor } from "../../statement/words.js"
import { blockResult, blockWords, solveBlock } from "../gadgets/poseidon.js"
import type { CircuitBase } from "../link/circuit.js"
import type { Commitment } from "../link/commitment.js"
import type { TensorValues } from "./witness.js"

/** What keeps a commitment from being guessed; one for each side that is committed to. */
export interface Salts {
  readonly input?: bigint
  readonly output?: bigint
}

/** What says which values a side has. */
type Sides = Pick<CircuitBase, "graph" | "layout">

/** Assigns the wires of all commitments, which are `large`. `values` are the integers of every tensor. */
export function assignCommitments(
  { graph, layout }: Sides,
  commitments: { readonly output?: Commitment; readonly input?: Commitment },
  values: TensorValues,
  large: Map<number, bigint>,
  salts: Salts = {},
): void {
  for (const side of ["output", "input"] as const) {
    const commitment = commitments[side]
    if (!commitment) continue
    const words = sideWords({ graph, layout }, values, side, "committed")
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

/** The packed words of one side of an execution: those that are public, or those that are committed to. */
export function sideWords(
  { graph, layout }: Sides,
  values: TensorValues,
  side: "input" | "output",
  visibility: "public" | "committed",
): bigint[] {
  const [tensors, entries] =
    side === "input" ? [layout.inputs, graph.inputs] : [layout.outputs, graph.outputs]
  const words = tensors.flatMap(({ lo, bits, ...given }, i) => {
    if (given.visibility !== visibility) return []
    const data = values.get(entries[i].tensor)
    invariant(data, `${side} ${entries[i].name} has no values`)
    return packTensor(Array.from(data, BigInt), lo, bits)
  })
  invariant(words.length === packSide(layout, side, visibility).length, "words of a side")
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
