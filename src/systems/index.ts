/** The proof systems that there are. */
import type { PlainCircuit } from "./groth16/circuit.js"
import type { MirageCircuit } from "./mirage/circuit.js"

/** A compiled model. */
export type Circuit = PlainCircuit | MirageCircuit
