/** Salted Poseidon commitments to packed words, inside a circuit. */
import { invariant } from "../errors.js"
import type { FieldLc, R1csBuilder } from "./builder.js"
import type { Block } from "./poseidon.js"

export interface Commitment {
  /** The commitment itself, a combination of committed wires. */
  readonly value: FieldLc
  /** All wires added: salt first, then words, then the inside of each block. */
  readonly wires: number[]
  readonly words: number
}

export function linkCommitment(
  builder: R1csBuilder,
  words: readonly FieldLc[],
  block: Block | undefined,
): Commitment {
  invariant(block && builder && words, "commitments need Poseidon")
  throw new Error("todo")
}
export interface Salts { readonly input?: bigint; readonly output?: bigint }
export function assignCommitments(...given: unknown[]): void { given }
