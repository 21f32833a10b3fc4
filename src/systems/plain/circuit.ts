/** A plain circuit, and what the linker says of its wires. */
import type { CircuitBase, LinkedNodes } from "../../circuit/link/circuit.js"

/** The proof systems that prove plain circuits, as keys and receipts name them. */
export const plainSystems = ["groth16", "plonk", "fflonk"] as const

/** A constraint system with its public wires, for any prover of such systems. */
export interface PlainLinked extends LinkedNodes {
  /** First wire of each public output, in model order; the context is one wire. */
  readonly outputs: readonly number[]
  readonly context: number
  /** The wire that holds the context's square, which ties the signal into a constraint. */
  readonly contextSquare: number
}

export interface PlainCircuit extends CircuitBase {
  readonly proofSystem: (typeof plainSystems)[number]
  readonly linked: PlainLinked
}
