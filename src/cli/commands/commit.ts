/** `countersign commit`: a model of an architecture's key, by a commitment to its private weights. */
import { checkOutput, writeWhole } from "../../files.js"
import * as api from "../../index.js"
import {
  keyText,
  loadOwned,
  loadVerificationKey,
  type Owned,
  provingKeyPath,
  readInfo,
  saveCommitment,
  verificationJson,
  verificationKeyPath,
} from "../folder.js"
import { command } from "../options.js"
import { elapsed, onProgress, print } from "../terminal.js"

export const commitCommand = command("commit", "commit to private weights: the verification key of a model")
  .argument("<folder>")
  .option("--check", "show that the verification key is the one of the weights in the folder")
  .option("--again", "commit anew: another model, whose receipts are not the other's")
  .action(async (folder: string, { check = false, again = false }) => {
    const start = performance.now()
    if (check && again)
      throw new api.UsageError({ what: "--check and --again exclude each other", fix: "Give one of them" })
    if (readInfo(folder).weights === undefined)
      throw new api.UsageError({
        what: "the weights are not private: there is nothing to commit to",
        where: `\`${folder}\``,
        fix: "Compile the model with --weights private",
      })
    const keyPath = provingKeyPath(folder)
    const path = verificationKeyPath(folder)
    if (!check) checkOutput(path)
    const owned = await loadOwned(folder, onProgress)
    await using provingKey = await api.openKeyFile(keyPath)
    const { verificationKey, what } = check
      ? await checked(owned, provingKey, path)
      : owned.commitment === undefined || again
        ? await committed(folder, owned, provingKey)
        : await restored(folder, owned.circuit, provingKey, owned.commitment)
    if (!check) writeWhole(path, keyText(verificationKey))
    const { model, architecture } = verificationKey
    const key = api.keyDigest(verificationKey)
    print({ checked: check, model, architecture, key, verificationKey: path, ms: elapsed(start) }, [
      `${what}: ${path}`,
      `model         ${model}`,
      `architecture  ${architecture}`,
      `key digest    ${key}`,
    ])
  })

interface Result {
  readonly verificationKey: api.VerificationKey
  readonly what: string
}

/** The blinding is kept before anybody can see what it blinds. */
async function committed(folder: string, { circuit }: Owned, provingKey: api.KeyFile): Promise<Result> {
  const { verificationKey, commitment } = await api.commitWeights(circuit, provingKey, { onProgress })
  saveCommitment(folder, circuit, commitment)
  return { verificationKey, what: "committed to the weights" }
}

/** The verification key of a commitment that was made and kept, but whose key is not there. */
async function restored(
  folder: string,
  circuit: api.Circuit,
  provingKey: api.KeyFile,
  { blinding, weights }: api.OpenCommitment,
): Promise<Result> {
  const held = verificationJson(folder)
  const fix =
    "With --again there is another commitment, and receipts that were made under this one are another model's"
  if (held !== undefined)
    throw new api.UsageError({ what: "the weights are committed to already", where: `\`${folder}\``, fix })
  const verificationKey = await api.verificationKeyOf(circuit, provingKey, weights)
  try {
    await api.checkWeights(circuit, provingKey, verificationKey, blinding)
  } catch (error) {
    if (!(error instanceof api.FileError)) throw error
    throw new api.UsageError({
      what: "the weights were committed to under another proving key",
      where: `\`${folder}\``,
      fix,
    })
  }
  return { verificationKey, what: "the verification key of the commitment that is there" }
}

/** @throws FileError if the verification key is not the one of the weights */
async function checked(
  { circuit, commitment }: Owned,
  provingKey: api.KeyFile,
  path: string,
): Promise<Result> {
  const verificationKey = loadVerificationKey(path)
  if (commitment === undefined)
    throw new api.UsageError({
      what: "the file of the weights does not have what opens the commitment",
      fix: "Take it from whoever committed to them: the weights alone do not show that it is theirs",
    })
  await api.checkWeights(circuit, provingKey, verificationKey, commitment.blinding)
  return { verificationKey, what: "the commitment is to these weights" }
}
