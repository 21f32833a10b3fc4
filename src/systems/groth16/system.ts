/** Plain Groth16, for any prover of `.zkey` files: range checks by bits, public signals, snarkjs. */
import { readBinFile } from "../../circuit/formats/container.js"
import { bytesOf } from "../../circuit/formats/source.js"
import { nonzerosOf, wireRange } from "../../circuit/link/circuit.js"
import { bitForms } from "../../circuit/plan/plan.js"
import { invariant, UsageError } from "../../errors.js"
import { isNode } from "../../platform.js"
import { plainDomain, publicCount } from "../../setup/qap.js"
import { publicSignals } from "../../statement/statement.js"
import type { System } from "../system.js"
import { linkPlain } from "./boundary.js"
import type { PlainCircuit } from "./circuit.js"
import { plainKeyOf, plainKeyQueries } from "./setup.js"
import type { CheckedGroth16Key } from "./verify.js"
import { witnessOf } from "./witness.js"
import { writeWtns } from "./witnessfile.js"
import { checkZkey, masksOf, setupOf, verificationPoints } from "./zkey.js"

/** Holds the bytes of the `.zkey`. */
export const groth16: System<PlainCircuit, Uint8Array, CheckedGroth16Key> = {
  commits: false,
  forms: () => bitForms,

  link({ circuit, plan, gadgets, nonzerosPerRow }) {
    const publicInputs = circuit.input === "public"
    const linked = linkPlain(circuit.graph, plan, gadgets, { publicInputs, nonzerosPerRow })
    const { r1cs } = linked
    const sizes = { domain: plainDomain(r1cs), nonzeros: nonzerosOf(r1cs) }
    return { ...circuit, proofSystem: "groth16", linked, ...sizes }
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
  keyQueries: ({ linked }) => plainKeyQueries(linked.r1cs),
  writeKey: ({ linked }, points, origin) => plainKeyOf(linked.r1cs, points, origin),

  async readKey({ linked: { r1cs } }, provingKey) {
    const zkey = await bytesOf(provingKey, "proving key")
    checkZkey(zkey, r1cs)
    return zkey
  },

  contentOf: (zkey) => ({ setup: setupOf(zkey), points: verificationPoints(zkey), masks: masksOf(zkey) }),

  async sections({ linked: { r1cs } }, provingKey, key) {
    const sections = readBinFile(await bytesOf(provingKey, "proving key"), "zkey", 1)
    const all = wireRange(0, r1cs.wires)
    const shown = publicCount(r1cs) + 1
    const points = (id: number) => sections.get(id) as Uint8Array
    return {
      system: r1cs,
      domain: plainDomain(r1cs),
      a: { name: "A (5)", wires: all, points: points(5) },
      b1: { name: "B1 (6)", wires: all, points: points(6) },
      b2: { name: "B2 (7)", wires: all, points: points(7) },
      groups: [
        { name: "IC (3)", wires: wireRange(0, shown), points: points(3), divisor: key.gamma2 },
        { name: "C (8)", wires: wireRange(shown, r1cs.wires), points: points(8), divisor: key.delta2 },
      ],
      h: { name: "H (9)", points: points(9), layers: { bits: 256, count: 1 } },
    }
  },

  memory: () => null,

  checkProvable() {
    if (isNode) return
    throw new UsageError({
      what: "plain groth16 is proven by snarkjs, in Node alone",
      fix: "Compile the model with option `proofSystem` mirage",
    })
  },

  async open(circuit, zkey) {
    // only here does the GPL come in
    const { openReference } = await import("./snarkjs-prover.js")
    const reference = await openReference(zkey)
    return {
      async prove(values, statement, { onProgress, signal }) {
        const wtns = writeWtns(witnessOf(circuit, values, statement.context))
        const { proof, publicSignals: proven } = await reference.prove(wtns, { onProgress, signal })
        const expected = publicSignals(statement, circuit.layout).map(String)
        invariant(`${expected}` === `${proven}`, "the prover's public signals are not the statement's")
        return { proof }
      },
      close: reference.close,
    }
  },
}
