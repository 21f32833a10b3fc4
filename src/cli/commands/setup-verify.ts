/** `countersign setup verify`: a whole setup checked from public files, by anyone. */
import type { Command } from "commander"
import * as api from "../../index.js"
import { loadCircuit, provingKeyPath, verificationJson } from "../folder.js"
import { command } from "../options.js"
import { reportFacts, reportLines } from "../setup-report.js"
import { elapsed, invalid, onProgress, print } from "../terminal.js"

export const verifySetupCommand = command(
  "verify",
  "check keys and all contributions against the model and powers of tau; exit code 1 if anything is wrong",
)
  .argument("<folder>", "with model.bin, circuit.json, proving.key and verification.json")
  .needs("--ptau <file>", "the powers of tau that the keys were made of")
  .action(async (folder: string, _, self: Command) => {
    const start = performance.now()
    await using provingKey = await api.openKeyFile(provingKeyPath(folder))
    const verificationKey = verificationJson(folder)
    const circuit = await loadCircuit(folder, onProgress)
    await using ptau = await api.openPtauFile(self.optsWithGlobals().ptau, { onProgress })
    const given = verificationKey === undefined ? {} : { verificationKey }
    const report = await api.verifySetup(circuit, provingKey, ptau, { ...given, onProgress })
    print({ ...reportFacts(circuit, report), ms: elapsed(start) }, reportLines(circuit, report))
    if (!report.valid) invalid()
  })
