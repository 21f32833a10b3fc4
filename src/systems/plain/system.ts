/**
 * What all systems of plain circuits have in common, whoever proves them: range checks by bits, public signals, a
 * witness without a challenge, no commitments. A system adds its keys and its prover.
 */
import type { R1cs } from "../../circuit/formats/r1cs.js"
import { nonzerosOf } from "../../circuit/link/circuit.js"
import { bitForms } from "../../circuit/plan/plan.js"
import { UsageError } from "../../errors.js"
import { isNode } from "../../platform.js"
import type { System } from "../system.js"
import { linkPlain } from "./boundary.js"
import type { PlainCircuit } from "./circuit.js"
import { witnessOf } from "./witness.js"

type CircuitHalf = Pick<
  System<PlainCircuit>,
  | "commits"
  | "forms"
  | "link"
  | "lookup"
  | "boundary"
  | "witness"
  | "targets"
  | "isFree"
  | "differences"
  | "commit"
  | "memory"
  | "checkProvable"
>

export interface PlainOptions {
  /** Size of the domain that its keys have. */
  readonly domainOf: (system: R1cs) => number
  /** Where linear results get wires of their own earlier than elsewhere: non-zeros that this has to save per row. */
  readonly nonzerosPerRow?: number
}

/** That half of a system of plain circuits. */
export const plainSystem = (
  proofSystem: PlainCircuit["proofSystem"],
  { domainOf, ...own }: PlainOptions,
): CircuitHalf => ({
  commits: false,
  forms: () => bitForms,

  link({ circuit, plan, gadgets, nonzerosPerRow }) {
    const publicInputs = circuit.input === "public"
    const options = { publicInputs, nonzerosPerRow, ...own }
    const linked = linkPlain(circuit.graph, plan, gadgets, options)
    const { r1cs } = linked
    const sizes = { domain: domainOf(r1cs), nonzeros: nonzerosOf(r1cs) }
    return { ...circuit, proofSystem, linked, ...sizes }
  },

  lookup: () => undefined,

  boundary({ graph }) {
    const outputs = graph.outputs.reduce((sum, { tensor }) => sum + graph.tensors[tensor].lo.length, 0)
    return [
      { name: "outputs", primitive: "output", constraints: outputs },
      { name: "context", primitive: "context", constraints: 1 },
    ]
  },

  witness: (circuit, values) => witnessOf(circuit, values, `0x${"00".repeat(32)}`),

  targets({ graph, linked: { outputs, context } }) {
    return [
      ...outputs.map((wire, i) => ({ what: `output \`${graph.outputs[i].name}\`[0]`, kind: "output", wire })),
      { what: "context", kind: "context", wire: context },
    ]
  },

  isFree: () => false,

  /** Each public output is defined by a row behind those of the nodes. */
  differences({ graph, linked }, { exact, equals }) {
    let row = linked.stamped.at(-1)?.rowEnd ?? 0
    return graph.outputs.flatMap(({ name, tensor }, k) =>
      exact[tensor].flatMap((value, i) => {
        const fault = equals(row++, linked.outputs[k] + i, value)
        return fault === undefined ? [] : [`output \`${name}\`[${i}]: ${fault}`]
      }),
    )
  },

  commit: () => ({}),
  memory: () => null,

  checkProvable() {
    if (isNode) return
    throw new UsageError({
      what: `plain ${proofSystem} is proven by snarkjs, in Node alone`,
      fix: "Compile the model with option `proofSystem` mirage",
    })
  },
})
