/** The proof systems that there are, the one to take by default first. */

import { groth16 } from "./groth16/system.js"
import type { MirageCircuit } from "./mirage/circuit.js"
import { mirage } from "./mirage/system.js"
import type { PlainCircuit } from "./plain/circuit.js"
import type { System } from "./system.js"
import type { CheckedKey, ProofSystem } from "./verifiers.js"

/** A compiled model. */
export type Circuit = MirageCircuit | PlainCircuit

/** What is held of a key is each system's own, and given back to it alone. */
type AnySystem = System<Circuit, unknown, CheckedKey>

const systems: { readonly [S in ProofSystem]: AnySystem } = { mirage, groth16 }

/** Names of the proof systems that circuits are compiled for. */
export const proofSystems = Object.keys(systems) as [ProofSystem, ...ProofSystem[]]

/** The proof system that a circuit names. */
export const systemOf = ({ proofSystem }: { readonly proofSystem: ProofSystem }): AnySystem =>
  systems[proofSystem]
