/** The proof systems that there are, the one to take by default first. */

import { UsageError } from "../errors.js"
import { groth16 } from "./groth16/system.js"
import type { MirageCircuit } from "./mirage/circuit.js"
import { mirage } from "./mirage/system.js"
import type { PlainCircuit } from "./plain/circuit.js"
import type { ContributedKeys, System } from "./system.js"
import { fflonk, plonk } from "./universal/system.js"
import type { CheckedKey, ProofSystem } from "./verifiers.js"

/** A compiled model. */
export type Circuit = MirageCircuit | PlainCircuit

/** What is held of a key is each system's own, and given back to it alone. */
type AnySystem = System<Circuit, unknown, CheckedKey>

const systems: { readonly [S in ProofSystem]: AnySystem } = { mirage, groth16, plonk, fflonk }

/** Names of the proof systems that circuits are compiled for. */
export const proofSystems = Object.keys(systems) as [ProofSystem, ...ProofSystem[]]

/** The proof system that a circuit names. */
export const systemOf = ({ proofSystem }: { readonly proofSystem: ProofSystem }): AnySystem =>
  systems[proofSystem]

/** How keys of a circuit with a phase 2 are made. @throws UsageError for a proof system that has none */
export function contributedKeysOf(circuit: Circuit): ContributedKeys<Circuit, unknown, CheckedKey> {
  const { keys } = systemOf(circuit)
  if (keys.kind === "contributed") return keys
  throw new UsageError({
    what: `keys of ${circuit.proofSystem} have no phase 2: powers of tau are all that they are made of`,
    fix: "Nobody contributes to them; who makes one again from circuit and powers gets the same",
  })
}
