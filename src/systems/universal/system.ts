/**
 * PLONK and FFLONK of plain circuits, through snarkjs: for small models that want no ceremony of their own. Both are
 * one thing to everybody else, apart from how their keys are laid out and what their proofs hold.
 */
import { bytesOf } from "../../circuit/formats/source.js"
import { invariant } from "../../errors.js"
import { publicSignals } from "../../statement/statement.js"
import type { PlainCircuit } from "../plain/circuit.js"
import { plainSystem } from "../plain/system.js"
import { witnessOf } from "../plain/witness.js"
import { writeWtns } from "../plain/witnessfile.js"
import type { Equation, System } from "../system.js"
import { fflonkForm, type KeyForm, plonkForm, sizesOf } from "./form.js"
import { type HeldKey, readUniversalKey } from "./keyfile.js"
import { fflonkProofOf, plonkProofOf } from "./snarkjs.js"
import type { CheckedFflonkKey, CheckedPlonkKey, FflonkProof, PlonkProof } from "./verify.js"

/**
 * Every term of a row is a gate, in each row that a linear result stands in, so results that rows share get wires of
 * their own: a perceptron 784-56-10 has 64,009 gates by that, and 452,080 with what is right for Groth16.
 */
const nonzerosPerRow = 8

type Checked = CheckedPlonkKey | CheckedFflonkKey

const universal = (
  form: KeyForm,
  proofOf: (value: unknown) => PlonkProof | FflonkProof,
): System<PlainCircuit, HeldKey, Checked> => {
  const read = async (circuit: PlainCircuit, provingKey: Parameters<typeof bytesOf>[0]) =>
    readUniversalKey(form, circuit, await bytesOf(provingKey, "proving key"))
  return {
    ...plainSystem(form.proofSystem, {
      domainOf: (system) => sizesOf(form, system).domain,
      nonzerosPerRow,
    }),
    keys: {
      kind: "universal",
      // a page has no use for setups
      async make(circuit, options) {
        const { makeUniversalKey } = await import("./setup.js")
        return await makeUniversalKey(form, circuit, options)
      },
      async compare(circuit, provingKey, ptau, options) {
        const { compareUniversalKey } = await import("./setup.js")
        return await compareUniversalKey(form, circuit, await read(circuit, provingKey), ptau, options)
      },
    },
    readKey: read,
    contentOf: ({ content }) => content,
    masks: () => [],
    equation,
    async contract(key, digest, isDev) {
      const { contractSource } = await import("./contract.js")
      return await contractSource(form, key.key, digest, isDev)
    },

    async open(circuit, { zkey }, { key }) {
      // only here does the GPL come in
      const { openReference } = await import("../snarkjs/prover.js")
      const { problemOf } = await import("./equation.js")
      const reference = await openReference(form.proofSystem, zkey)
      return {
        async prove(values, statement, { onProgress, signal }) {
          const wtns = writeWtns(witnessOf(circuit, values, statement.context))
          const made = await reference.prove(wtns, { onProgress, signal })
          const expected = publicSignals(statement, circuit.layout).map(String)
          invariant(`${expected}` === `${made.publicSignals}`, "the prover's signals are the statement's")
          const proof = proofOf(made.proof)
          return { proof, holds: (await problemOf(proof, statement, key, reference.ask)) === null }
        },
        close: reference.close,
      }
    },
  }
}

/** The equation, once something is asked of it. */
function equation(): Equation<Checked> {
  const opened = import("./equation.js").then(({ openEquation }) => openEquation())
  return {
    problem: async (...asked) => (await opened).problem(...asked),
    close: async () => (await opened).close(),
  }
}

export const plonk = universal(plonkForm, plonkProofOf)
export const fflonk = universal(fflonkForm, fflonkProofOf)
