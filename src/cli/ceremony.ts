/** What `setup contribute` and `setup beacon` have in common: the key file of a folder replaced, and what to publish. */
import { statSync } from "node:fs"
import { checkOutput, removeFile, writeWhole } from "../files.js"
import * as api from "../index.js"
import { keyText, provingKeyPath, verificationKeyPath } from "./folder.js"
import type { Resumable } from "./resume-file.js"
import { elapsed, interruptible } from "./terminal.js"

/** Where the new key goes, and what of it may be there. */
export type Way = Pick<Resumable, "replacement"> & Partial<Resumable>

type Work = (
  key: api.KeyFile,
  way: Way,
  options: { readonly sink: api.Sink; readonly signal: AbortSignal },
) => Promise<api.Contributed>

/** Opens the key of a folder, lets `work` write a new one, and puts that and its verification key in place. */
export async function replaceKey(
  folder: string,
  begin: (key: api.KeyFile, path: string) => Promise<Way>,
  work: Work,
): Promise<{ result: api.Contributed; lines: string[]; facts: object }> {
  const start = performance.now()
  const path = provingKeyPath(folder)
  const verificationPath = verificationKeyPath(folder)
  checkOutput(path)
  checkOutput(verificationPath)
  await using key = await api.openKeyFile(path)
  const way = await begin(key, path)
  const { replacement, note, forget } = way
  const sink: api.Sink = {
    async write(bytes) {
      replacement.write(bytes)
      note?.()
    },
  }
  try {
    const fix = forget
      ? "The key is as it was. Run the same command again to go on"
      : "The key is as it was, and the secret is gone: run the command again to contribute anew"
    const result = await interruptible((signal) => work(key, way, { sink, signal }), fix)
    replacement.finish()
    if (result.verificationKey) writeWhole(verificationPath, keyText(result.verificationKey))
    // one of a model, of an architecture's key before
    else removeFile(verificationPath)
    forget?.()
    return { result, ...told(result, path, verificationPath, start) }
  } finally {
    if (forget) replacement.close()
    else replacement.discard()
  }
}

function told(result: api.Contributed, path: string, verificationPath: string, start: number) {
  const { number, name, before, transcript, bytes, verificationKey } = result
  const key = verificationKey && api.keyDigest(verificationKey)
  const lines = [
    `transcript        ${transcript}`,
    `  before it       ${before}`,
    `proving key       ${path}, ${statSync(path).size} bytes`,
    ...(key === null
      ? [
          "There is no verification key: the weights are private, and each model is committed to under this key.",
        ]
      : [`verification key  ${verificationPath}`, `key digest        ${key}`]),
  ]
  return {
    lines,
    facts: { number, name, before, transcript, key, provingKeyBytes: bytes, ms: elapsed(start) },
  }
}
