/**
 * The integer model: what is proven. A tensor with scale s holds integers q that stand for x ≈ s·q.
 * Bounds are static: `lo[i] ≤ q[i] ≤ hi[i]` for ALL admissible inputs, by interval arithmetic, and every
 * partial sum of every linear node stays below 2^52, so doubles carry all integers exactly.
 */

import type { IntNode, ProgramOutput, TableNode, TensorId, TensorInfo } from "../../ops/program.js"
import type { Ranks } from "../../statement/ranks.js"
import type { Hex } from "../../statement/strict.js"

export interface IntTensor extends TensorInfo {
  readonly scale: number
  /** Static interval per element. */
  readonly lo: Float64Array
  readonly hi: Float64Array
}

export interface IntGraph {
  readonly name: string
  /** w: bits of an activation. */
  readonly precision: number
  readonly tensors: readonly IntTensor[]
  /** Topological order. An `input` node's tensor is checked to lie in [lo, lo + 2^bits) per element. */
  readonly nodes: readonly IntNode[]
  readonly inputs: readonly {
    readonly name: string
    readonly tensor: TensorId
    readonly lo: number
    readonly bits: number
    /** How its numbers become integers, where these are ranks; else they are multiples of the tensor's scale. */
    readonly ranks?: Ranks
  }[]
  readonly outputs: readonly ProgramOutput[]
  /** Of a model with private weights: digest of the program that it is made of, without them (../architecture.ts). */
  readonly program?: Hex
}

/** The window [lo, lo + 2^bits) that a table's entries lie in: its least entry, and no more bits than needed. */
export function tableOutput({ values }: Pick<TableNode, "values">): {
  readonly lo: number
  readonly bits: number
} {
  let [least, most] = [values[0], values[0]]
  for (const y of values) {
    least = Math.min(least, y)
    most = Math.max(most, y)
  }
  return { lo: least, bits: Math.ceil(Math.log2(most - least + 1)) }
}

/** The rounding of the integer model: nearest, ties towards +∞; never negative zero. */
export const roundHalfUp = (x: number): number => Math.round(x) + 0
