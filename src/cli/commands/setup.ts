/** `countersign setup`: the keys of a compiled circuit, written beside it, and what happens to them in a ceremony. */
import { statSync } from "node:fs"
import * as api from "../../index.js"
import { checkKeysFolder, loadCircuit, readInfo, saveKeys, verificationKeyPath } from "../folder.js"
import { command } from "../options.js"
import { elapsed, onProgress, print } from "../terminal.js"
import { beaconCommand } from "./setup-beacon.js"
import { contributeCommand } from "./setup-contribute.js"

export const setupCommand = command("setup", "make the keys of a compiled circuit")
  .argument("<folder>")
  .addCommand(contributeCommand)
  .addCommand(beaconCommand)
  .option("--dev", "draw the trapdoor here: whoever ran this can forge")
  .option("--force", "replace the keys that are there")
  .action(async (folder: string, options) => {
    const start = performance.now()
    readInfo(folder)
    checkKeysFolder(folder, options.force === true)
    if (options.dev !== true)
      throw new api.UsageError({
        what: "setup makes development keys only, whose maker can forge",
        fix: "Say that this is meant: --dev",
      })
    const circuit = await loadCircuit(folder, onProgress)
    const { provingKey, verificationKey } = await api.setup(circuit, { dev: options.dev, onProgress })
    saveKeys(folder, provingKey, verificationKey)
    const file = verificationKeyPath(folder)
    const sizes = { provingKeyBytes: provingKey.length, verificationKeyBytes: statSync(file).size }
    const key = api.keyDigest(verificationKey)
    print({ setup: "dev", key, ...sizes, ms: elapsed(start) }, [
      `proving key       ${sizes.provingKeyBytes} bytes`,
      `verification key  ${file}`,
      `key digest        ${key}`,
      "These are development keys: whoever ran this setup can forge receipts.",
    ])
  })
