/** A circuit for the two-phase proof, and what the linker says of its wires and rows. */
import type { CircuitBase, LinkedNodes } from "../../circuit/link/circuit.js"
import type { Commitment } from "../../circuit/link/commitment.js"
import type { Lookup } from "../../circuit/link/lookup.js"
import type { Projected } from "../../circuit/link/projection.js"

/** A circuit for the two-phase proof. */
export interface MirageLinked extends LinkedNodes {
  readonly lookup: Lookup
  /**
   * Wires of private weights, from wire 3 on: their values are constants of the model, which its own commitment D_w
   * holds. 0 where the weights are part of the circuit.
   */
  readonly weights: number
  /** Those after the weights and before firstFinal are committed, those from firstFinal on are final. */
  readonly firstFinal: number
  /** Salted commitments that stand for the outputs and the inputs. */
  readonly commitments: { readonly output?: Commitment; readonly input?: Commitment }
  /** First wire and row of the Horner steps for words 1, 2, …; row `hornerRow` defines ev. */
  readonly steps: number
  readonly hornerRow: number
  /** Contractions under the challenge, whose wires are the last. */
  readonly projected: Projected
  /** Committed wires whose values are full field elements, in ascending order. */
  readonly large: Uint32Array
}

export interface MirageCircuit extends CircuitBase {
  readonly proofSystem: "mirage"
  readonly linked: MirageLinked
  /** The range table has 2^tableBits rows. */
  readonly tableBits: number
}
