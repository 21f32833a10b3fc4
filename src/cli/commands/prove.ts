/** `countersign prove`: runs the model on an input and writes the receipt of what it said. */
import { resolve } from "node:path"
import { checkOutput, writeWhole } from "../../files.js"
import * as api from "../../index.js"
import { readAttestation } from "../claims.js"
import { stageLine } from "../estimates.js"
import {
  loadOwned,
  loadVerificationKey,
  type Owned,
  provingKeyPath,
  readInfo,
  verificationKeyPath,
} from "../folder.js"
import { clampOption, loadWithInput } from "../input.js"
import { command, withContext } from "../options.js"
import { saltsOf } from "../salts.js"
import { elapsed, note, onProgress, print } from "../terminal.js"

export const proveCommand = command("prove", "run the model on an input and prove what it said")
  .argument("<folder>")
  .argument("[input]", "INPUT.json; none with --attestation")
  .needs("--out <file>", "where the receipt goes")
  .addOption(clampOption)
  .option("--salts <file>", "new file for the fresh salts of the commitments: who has it can open them")
  .option("--reuse-salts", "take the salts that are in the file")
  .option("--attestation <file>", "prove what was attested, from what was kept of it: a signed answer")
  .option("--keep <dir>", "the store of `countersign attest`")
const contextOf = withContext(proveCommand, "the receipt is for")

proveCommand.action(async (folder: string, inputPath: string | undefined, options) => {
  if (options.attestation !== undefined) return await proveAttested(folder, inputPath, options)
  if (options.keep !== undefined)
    throw new api.UsageError({
      what: "--keep",
      fix: "Say which attestation is to be proven: --attestation FILE",
    })
  if (inputPath === undefined)
    throw new api.UsageError({ what: "there is no input", expected: "INPUT.json, or --attestation FILE" })
  const start = performance.now()
  const { bytes: context } = contextOf()
  const { out, salts: saltsPath, reuseSalts = false, clamp: clampInputs = false } = options
  const keyPath = provingKeyPath(folder)
  const verificationKey = loadVerificationKey(verificationKeyPath(folder))
  const salts = saltsOf(saltsPath, reuseSalts, readInfo(folder))
  checkOutputs(out, saltsPath, reuseSalts)
  const { owned, input } = await loadWithInput(folder, inputPath, clampInputs)
  const { circuit, opening, relink } = owned
  const memoryBytes = api.memoryEstimate(circuit)
  const estimate = api.estimateCircuit(circuit)
  const line = stageLine(estimate, "prove")
  if (line !== undefined) note(line)
  await using key = await api.openKeyFile(keyPath)
  const made = await withCircuit({ circuit, relink }, async (linked) => {
    await using prover = await api.openProver(linked, key, { verificationKey, ...opening })
    return await timed(prover, input, { context, clampInputs, salts: salts.salts })
  })
  const ms = { ...made.ms, total: elapsed(start) }
  const text = `${JSON.stringify(made.receipt, null, 2)}\n`
  salts.save()
  writeWhole(out, text)
  const proofBytes = 32 * api.solidityProof(made.receipt.proof).length
  print({ receipt: out, proofBytes, memoryBytes, estimate, ms }, [
    `receipt  ${out} (proof ${proofBytes} bytes, ${ms.prove} ms)`,
  ])
})

/** The receipt of an attestation: input, salts and context are those that were attested. */
async function proveAttested(
  folder: string,
  inputPath: string | undefined,
  options: ReturnType<typeof proveCommand.opts>,
): Promise<void> {
  const start = performance.now()
  const { out, attestation: path, keep: store } = options
  const others = {
    INPUT: inputPath,
    "--context": options.context,
    "--salts": options.salts,
    "--clamp": options.clamp,
  }
  const given = Object.entries(others).find(([, value]) => value !== undefined)
  if (given !== undefined)
    throw new api.UsageError({
      what: `${given[0]} and --attestation exclude each other`,
      fix: "What was attested was kept",
    })
  if (store === undefined)
    throw new api.UsageError({ what: "--attestation", fix: "Name the store that it was kept in: --keep DIR" })
  const { attestationDigest, claimOf } = await import("../../attest/index.js")
  const { executeKept, proveKept, readKept } = await import("../../keep/index.js")
  const keyPath = provingKeyPath(folder)
  const verificationKey = loadVerificationKey(verificationKeyPath(folder))
  checkOutput(out)
  const attestation = await readAttestation(path)
  const digest = attestationDigest(claimOf(attestation), attestation.domain)
  const kept = readKept(store, digest)
  const { circuit, opening, relink } = await loadOwned(folder, onProgress)
  executeKept(circuit, kept, verificationKey)
  await using key = await api.openKeyFile(keyPath)
  const receipt = await withCircuit({ circuit, relink }, async (linked) => {
    await using prover = await api.openProver(linked, key, { verificationKey, ...opening })
    return await proveKept(prover, linked, kept, verificationKey, { onProgress })
  })
  writeWhole(out, `${JSON.stringify(receipt, null, 2)}\n`)
  const proofBytes = 32 * api.solidityProof(receipt.proof).length
  print({ receipt: out, attestation: digest, proofBytes, ms: { total: elapsed(start) } }, [
    `receipt      ${out} (proof ${proofBytes} bytes)`,
    `attestation  ${digest}`,
  ])
}

/** Proves with a circuit; if it is what was kept of one and comes to nothing, with one that is linked anew. */
async function withCircuit<T>(
  { circuit, relink }: Pick<Owned, "circuit"> & { readonly relink: Owned["relink"] | undefined },
  prove: (circuit: api.Circuit) => Promise<T>,
): Promise<T> {
  if (relink === undefined) return await prove(circuit)
  try {
    return await prove(circuit)
  } catch (error) {
    if (error instanceof api.UsageError || error instanceof api.InputError) throw error
    return await prove(await relink())
  }
}

/** What will be written can be, to two files that are not the same. */
function checkOutputs(out: string, salts: string | undefined, reuse: boolean): void {
  checkOutput(out)
  if (salts === undefined) return
  if (!reuse) checkOutput(salts)
  if (resolve(salts) === resolve(out))
    throw new api.UsageError({ what: "--salts and --out name the same file", given: `\`${out}\`` })
}

/** A receipt, and the milliseconds that the witness and the proof took. */
async function timed(
  prover: api.Prover,
  input: Parameters<api.Prover["prove"]>[0],
  options: api.ProveOptions,
) {
  const start = performance.now()
  let witness = 0
  const receipt = await prover.prove(input, {
    ...options,
    onProgress: (event) => {
      if (event.stage === "prove" && event.done === 0) witness = elapsed(start)
      onProgress(event)
    },
  })
  return { receipt, ms: { witness, prove: elapsed(start) - witness } }
}
