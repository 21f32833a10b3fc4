/** `countersign setup contribute`: one person's part in a ceremony. */
import * as api from "../../index.js"
import { replaceKey } from "../ceremony.js"
import { command } from "../options.js"
import { Replacement } from "../replacement.js"
import { keyFileDigest, resumable } from "../resume-file.js"
import { ask, onProgress, print } from "../terminal.js"

export const contributeCommand = command("contribute", "add your secret to the proving key of a ceremony")
  .argument("<folder>", "with the file proving.key; nothing else is needed")
  .needs("--name <name>", "what the transcript calls you, for all to read")
  .option(
    "--entropy <text>",
    "hashed together with this machine's randomness; others may see it in the list of processes",
  )
  .option("--ask", "ask for that text instead")
  .option(
    "--resume <file>",
    "keep the secret in a file until the contribution is done, and go on with it after an interruption",
  )
  .action(async (folder: string, options) => {
    const { name, resume } = options
    const entropy = await typedBy(options)
    const { result, lines, facts } = await replaceKey(
      folder,
      async (key, path) =>
        resume === undefined
          ? { replacement: new Replacement(path) }
          : resumable(resume, path, await keyFileDigest(key), name, entropy),
      (key, way, { sink, signal }) => {
        const { seed, done = 0 } = way
        return api.contribute(key, {
          name,
          ...(seed ? { seed } : { entropy }),
          done,
          sink,
          signal,
          onProgress,
        })
      },
    )
    print(facts, [
      `You contributed as ${result.name}, number ${result.number} in this ceremony.`,
      "",
      ...lines,
      "",
      "1. Publish the transcript digest under your name, where others will find it. It stands for your contribution",
      "   and all before it: if the final key's transcript leads over it, your contribution is in that key.",
      "2. Hand on proving.key. It holds nothing secret. Your secret existed in this process alone, and is gone.",
    ])
  })

async function typedBy({ entropy, ask: asked }: { entropy?: string; ask?: boolean }): Promise<string> {
  if (asked !== true) return entropy ?? ""
  if (entropy !== undefined) throw new api.UsageError({ what: "--entropy and --ask exclude each other" })
  return ask("Type anything that nobody can guess, then Enter:")
}
