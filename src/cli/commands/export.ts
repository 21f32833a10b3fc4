/** `countersign export`: the circuit or its key as other tools and contracts take them. */
import { basename } from "node:path"
import { requireFixed } from "../../compile/export-circom.js"
import { checkOutput, writeWhole } from "../../files.js"
import * as api from "../../index.js"
import { verifierOf } from "../../systems/verifiers.js"
import { loadCircuit, loadVerificationKey, verificationKeyPath } from "../folder.js"
import { command } from "../options.js"
import { onProgress, print } from "../terminal.js"

interface Asked {
  readonly folder: string
  readonly out: string
  readonly allowDev: boolean
}

/** What can be exported, by its name. */
const contents: Readonly<Record<string, (asked: Asked) => Promise<Uint8Array | string>>> = {
  circom: async ({ folder }) => api.exportCircom(await loadCircuit(folder, onProgress)),
  r1cs: async ({ folder }) => {
    // a two-phase system is unsound in any other prover, so what leaves is the plain one
    const circuit = await loadCircuit(folder, onProgress)
    requireFixed(circuit)
    const { graph, input } = circuit
    const visibility = input === "public" ? "public" : "private"
    const plain = await api.compile(graph, { proofSystem: "groth16", input: visibility, onProgress })
    return api.writeR1cs(plain.linked.r1cs)
  },
  solidity: async ({ folder, out, allowDev }) => {
    const key = keyOf(folder)
    const { registered } = verifierOf(key.proofSystem).solidity
    const write = registered ? api.solidityLibrary : api.solidityVerifier
    return await write(key, basename(out, ".sol"), { allowDev })
  },
  key: async ({ folder, allowDev }) => registration(keyOf(folder), allowDev),
}

export const exportCommand = command("export", "write the circuit or its key for other tools")
  .argument(
    "<what>",
    "circom, r1cs, solidity (a library that reads outputs; of plonk and fflonk the verifier too) or key (for its registration)",
  )
  .argument("<folder>")
  .needs("--out <file>", "where it goes")
  .option("--allow-dev", "export a development key, or one that nobody contributed to")
  .action(async (what: string, folder: string, { out, allowDev = false }) => {
    checkOutput(out)
    if (!Object.hasOwn(contents, what))
      throw new api.UsageError({
        what: "unknown export",
        expected: "circom, r1cs, solidity or key",
        given: `\`${what}\``,
      })
    const content = await contents[what]({ folder, out, allowDev })
    writeWhole(out, content)
    print({ what, out, bytes: content.length }, [`written to ${out}`])
  })

const keyOf = (folder: string): api.VerificationKey => loadVerificationKey(verificationKeyPath(folder))

/** A key as its registration takes it: what it is called, its bytes, and the call. */
function registration(key: api.VerificationKey, allowDev: boolean): string {
  const { function: name, args, data } = api.registrationCall(key, { allowDev })
  const { proofSystem, setup, model } = key
  const facts = { key: api.keyDigest(key), model, proofSystem, setup, blob: args[0] }
  return `${JSON.stringify({ ...facts, function: name, data }, null, 2)}\n`
}
