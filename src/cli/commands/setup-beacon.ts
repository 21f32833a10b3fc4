/** `countersign setup beacon`: the public value that ends a ceremony. */
import * as api from "../../index.js"
import { replaceKey } from "../ceremony.js"
import { command, wholeNumber } from "../options.js"
import { Replacement } from "../replacement.js"
import { onProgress, print } from "../terminal.js"

export const beaconCommand = command("beacon", "end a ceremony with a public value that nobody could choose")
  .argument("<folder>")
  .needs("--value <hex>", "what nobody knew when the last person contributed, such as the hash of a block")
  .needs("--iterations <n>", "SHA-256 is applied 2^n times to it, n from 10 on; 2^20 takes seconds")
  .action(async (folder: string, { value: hex, iterations: text }) => {
    const iterations = wholeNumber("--iterations", text)
    const value = hex.toLowerCase().replace(/^(0x)?/, "0x")
    const { lines, facts } = await replaceKey(
      folder,
      async (_, path) => ({ replacement: new Replacement(path) }),
      (key, _, { sink, signal }) => api.applyBeacon(key, { value, iterations, sink, signal, onProgress }),
    )
    print(facts, [
      "The ceremony is closed: nothing can be added to this key.",
      "",
      ...lines,
      "",
      "Publish the transcript digest and proving.key, and tell how the value was chosen before anyone knew it.",
      "Anyone with the model and the powers of tau can check all of it: countersign setup verify",
    ])
  })
