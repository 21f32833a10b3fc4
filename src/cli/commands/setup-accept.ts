/** `countersign setup accept`: the key that a contributor gave back, in the place of the one that was given out. */
import type { Command } from "commander"
import { checkOutput, writeWhole } from "../../files.js"
import * as api from "../../index.js"
import { keyText, loadCircuit, provingKeyPath, verificationKeyPath } from "../folder.js"
import { command } from "../options.js"
import { Replacement } from "../replacement.js"
import { reportFacts, reportLines } from "../setup-report.js"
import { elapsed, interruptible, invalid, onProgress, print } from "../terminal.js"

/** Read and written at a time. */
const blockBytes = 2 ** 23

export const acceptCommand = command(
  "accept",
  "take a key back from a contributor, or from snarkjs, if all of it is right and continues the present one",
)
  .argument("<folder>")
  .argument("<key>", "the file that came back")
  .needs("--ptau <file>", "the powers of tau that the keys were made of")
  .action(async (folder: string, file: string, _, self: Command) => {
    const start = performance.now()
    const path = provingKeyPath(folder)
    const verificationPath = verificationKeyPath(folder)
    checkOutput(path)
    checkOutput(verificationPath)
    await using present = await api.openKeyFile(path)
    await using given = await api.openKeyFile(file)
    const circuit = await loadCircuit(folder, onProgress)
    await using ptau = await api.openPtauFile(self.optsWithGlobals().ptau, { onProgress })
    const { report, added } = await interruptible(async (signal) => {
      const accepted = await api.acceptKey(circuit, present, given, ptau, { onProgress, signal })
      if (accepted.report.valid) await replace(path, accepted.provingKey, signal)
      return accepted
    }, "The key is as it was")
    const { valid, verificationKey } = report
    if (verificationKey && valid) writeWhole(verificationPath, keyText(verificationKey))
    const verdict = valid
      ? [`accepted: ${added} more contribution${added === 1 ? "" : "s"}, and the key is in ${path}`]
      : ["not accepted: the key in the folder is as it was"]
    const facts = { accepted: valid, added: valid ? added : 0, ...reportFacts(circuit, report) }
    print({ ...facts, ms: elapsed(start) }, [...verdict, "", ...reportLines(circuit, report)])
    if (!valid) invalid()
  })

/** Puts bytes in the place of a file, all of them or none. */
async function replace(path: string, { size, read }: api.ByteSource, signal: AbortSignal): Promise<void> {
  const replacement = new Replacement(path)
  try {
    for (let at = 0; at < size; at += blockBytes) {
      signal.throwIfAborted()
      onProgress({ stage: "write key", done: at, total: size })
      replacement.write(await read(at, Math.min(blockBytes, size - at)))
    }
    replacement.finish()
  } finally {
    replacement.discard()
  }
}
