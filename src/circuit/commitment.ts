/** Salted Poseidon commitments to packed words, inside a circuit. */
import { invariant, UsageError } from "../errors.js"
import type { FieldLc, R1csBuilder } from "./builder.js"
import type { Block } from "./poseidon.js"

export interface Commitment {
  /** The commitment itself, a combination of committed wires. */
  readonly value: FieldLc
  /** All wires added: salt first, then words, then the inside of each block. */
  readonly wires: number[]
  readonly words: number
  readonly rows: number
}

export function linkCommitment(
  builder: R1csBuilder,
  words: readonly FieldLc[],
  block: Block | undefined,
): Commitment {
  invariant(block && builder && words, "commitments need Poseidon")
  throw new Error("todo")
}
export interface Salts {
  readonly input?: bigint
  readonly output?: bigint
}
export function assignCommitments(...given: unknown[]): void {
  given
}

/**
 * The salts a circuit's commitments take.
 * @throws UsageError if one is missing, or given for a side that has no commitment
 */
export function saltsFor(
  circuit: { readonly input: string; readonly output: string },
  given: Salts | undefined,
): Salts {
  for (const side of ["input", "output"] as const) {
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
