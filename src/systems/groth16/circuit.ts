/** A circuit for plain Groth16, and what the linker says of its wires. */
import type { CircuitBase, LinkedNodes } from "../../circuit/link/circuit.js"

/** A circuit for plain Groth16. */
export interface PlainLinked extends LinkedNodes {
  /** First wire of each public output, in model order; the context is one wire. */
  readonly outputs: readonly number[]
  readonly context: number
  /** The wire that holds the context's square, which ties the signal into a constraint. */
  readonly contextSquare: number
}

export interface PlainCircuit extends CircuitBase {
  readonly proofSystem: "groth16"
  readonly linked: PlainLinked
}
