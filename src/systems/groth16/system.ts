/** Groth16 of plain circuits, with `.zkey` files for keys: any prover of these can take them, and snarkjs does. */
import { readBinFile } from "../../circuit/formats/container.js"
import { bytesOf } from "../../circuit/formats/source.js"
import { wireRange } from "../../circuit/link/circuit.js"
import { invariant } from "../../errors.js"
import { plainDomain, publicCount } from "../../setup/qap.js"
import { publicSignals } from "../../statement/statement.js"
import type { PlainCircuit } from "../plain/circuit.js"
import { plainSystem } from "../plain/system.js"
import { witnessOf } from "../plain/witness.js"
import { writeWtns } from "../plain/witnessfile.js"
import type { System } from "../system.js"
import { beginningOf, plainClaims, plainKeyQueries, writePlainKey } from "./setup.js"
import { proofFromSnarkjs } from "./snarkjs.js"
import type { CheckedGroth16Key } from "./verify.js"
import { checkZkey, masksOf, setupOf, verificationPoints } from "./zkey.js"

/** Holds the bytes of the `.zkey`. */
export const groth16: System<PlainCircuit, Uint8Array, CheckedGroth16Key> = {
  ...plainSystem("groth16", { domainOf: plainDomain }),

  keys: {
    kind: "contributed",
    queries: ({ linked }) => plainKeyQueries(linked.r1cs),
    write: ({ linked }, points, origin) => writePlainKey(linked.r1cs, points, origin),

    claims: ({ linked: { r1cs } }, zkey) => plainClaims(r1cs, zkey),
    domainOf: ({ linked: { r1cs } }) => plainDomain(r1cs),

    beginning: ({ linked }, ...rest) => beginningOf(linked.r1cs, ...rest),

    async sections({ linked: { r1cs } }, provingKey, key) {
      const sections = readBinFile(await bytesOf(provingKey, "proving key"), "zkey", 1)
      const all = wireRange(0, r1cs.wires)
      const shown = publicCount(r1cs) + 1
      const points = (id: number) => sections.get(id) as Uint8Array
      return {
        system: r1cs,
        alpha1: key.alpha1,
        beta2: key.beta2,
        delta2: key.delta2,
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
  },

  async readKey({ linked: { r1cs } }, provingKey) {
    const zkey = await bytesOf(provingKey, "proving key")
    checkZkey(zkey, r1cs)
    return zkey
  },

  contentOf: (zkey) => ({ setup: setupOf(zkey), points: verificationPoints(zkey) }),
  masks: masksOf,

  async open(circuit, zkey) {
    // only here does the GPL come in
    const { openReference } = await import("../snarkjs/prover.js")
    const reference = await openReference("groth16", zkey)
    return {
      async prove(values, statement, { onProgress, signal }) {
        const wtns = writeWtns(witnessOf(circuit, values, statement.context))
        const { proof, publicSignals: proven } = await reference.prove(wtns, { onProgress, signal })
        const expected = publicSignals(statement, circuit.layout).map(String)
        invariant(`${expected}` === `${proven}`, "the prover's public signals are not the statement's")
        return { proof: proofFromSnarkjs(proof) }
      },
      close: reference.close,
    }
  },
}
