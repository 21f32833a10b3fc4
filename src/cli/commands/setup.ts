/** `countersign setup`: the keys of a compiled circuit, written beside it, and what happens to them in a ceremony. */
import { statSync } from "node:fs"
import * as api from "../../index.js"
import { stageLine } from "../estimates.js"
import {
  checkKeysFolder,
  keepLinked,
  loadCircuit,
  readInfo,
  saveFirstKey,
  saveKeys,
  verificationKeyPath,
} from "../folder.js"
import { command } from "../options.js"
import { elapsed, note, onProgress, print } from "../terminal.js"
import { acceptCommand } from "./setup-accept.js"
import { beaconCommand } from "./setup-beacon.js"
import { contributeCommand } from "./setup-contribute.js"
import { verifySetupCommand } from "./setup-verify.js"

export const setupCommand = command("setup", "make the keys of a compiled circuit")
  .argument("<folder>")
  .addCommand(contributeCommand)
  .addCommand(beaconCommand)
  .addCommand(verifySetupCommand)
  .addCommand(acceptCommand)
  .option(
    "--ptau <file>",
    "powers of tau: the first key of a ceremony, to contribute to; of plonk and fflonk, the keys",
  )
  .option("--dev", "draw the trapdoor here: whoever ran this can forge")
  .option("--force", "replace the keys that are there")
  .action(async (folder: string, options) => {
    readInfo(folder)
    checkKeysFolder(folder, options.force === true)
    if ((options.dev === true) === (options.ptau !== undefined))
      throw new api.UsageError({
        what: "setup needs to know how",
        expected: "either --ptau FILE or --dev",
        fix: "--ptau makes the first key of a ceremony; --dev makes keys whose maker can forge",
      })
    await (options.dev === true ? setupDev(folder) : setupFrom(folder, options.ptau))
  })

/** Says what making the keys of a circuit will take. */
function expectations(circuit: api.Circuit): api.CircuitEstimate {
  const estimate = api.estimateCircuit(circuit)
  const line = stageLine(estimate, "setup")
  if (line !== undefined) note(line)
  return estimate
}

async function setupDev(folder: string): Promise<void> {
  const start = performance.now()
  const circuit = await loadCircuit(folder, onProgress)
  const estimate = expectations(circuit)
  const { provingKey, verificationKey }: api.FirstKeys = await api.setup(circuit, { dev: true, onProgress })
  if (verificationKey === undefined) {
    saveFirstKey(folder, provingKey)
    print({ setup: "dev", key: null, provingKeyBytes: provingKey.length, estimate, ms: elapsed(start) }, [
      `proving key       ${provingKey.length} bytes, of an architecture`,
      "This is a development key: whoever ran this setup can forge receipts.",
      `Next: countersign commit ${folder}`,
    ])
    return
  }
  saveKeys(folder, provingKey, verificationKey)
  keepLinked(folder, circuit)
  const file = verificationKeyPath(folder)
  const sizes = { provingKeyBytes: provingKey.length, verificationKeyBytes: statSync(file).size }
  const key = api.keyDigest(verificationKey)
  print({ setup: "dev", key, ...sizes, estimate, ms: elapsed(start) }, [
    `proving key       ${sizes.provingKeyBytes} bytes`,
    `verification key  ${file}`,
    `key digest        ${key}`,
    "These are development keys: whoever ran this setup can forge receipts.",
  ])
}

/**
 * The first key of a ceremony; of systems that have none, both keys. The powers are checked, well-known or not: what is
 * wrong with them would be found by whoever verifies the setup, after everybody's work.
 */
async function setupFrom(folder: string, path: string): Promise<void> {
  const start = performance.now()
  await using ptau = await api.openPtauFile(path, { onProgress })
  const circuit = await loadCircuit(folder, onProgress)
  const estimate = expectations(circuit)
  const opened = performance.now()
  const { contributions } = await api.checkPtau(ptau, { onProgress })
  const checkMs = elapsed(opened)
  const began = performance.now()
  const { provingKey, verificationKey } = await api.setup(circuit, { ptau, onProgress })
  const keyMs = elapsed(began)
  if (verificationKey) saveKeys(folder, provingKey, verificationKey)
  else saveFirstKey(folder, provingKey)
  const { power, digest, name } = ptau
  const key = verificationKey ? api.keyDigest(verificationKey) : null
  print(
    {
      setup: verificationKey?.setup ?? "ceremony",
      ptau: { power, digest, name: name ?? null, contributions: contributions.length },
      domain: circuit.domain,
      provingKeyBytes: provingKey.length,
      estimate,
      key,
      checkMs,
      keyMs,
      ms: elapsed(start),
    },
    [
      `powers of tau     ${name ?? `of no ceremony that is known here, 2^${power}`}, of ${contributions.length} contributions, checked in ${(checkMs / 1000).toFixed(1)} s`,
      `  digest          ${digest}`,
      `domain            ${circuit.domain}`,
      `proving key       ${provingKey.length} bytes, made in ${(keyMs / 1000).toFixed(1)} s`,
      ...(key === null
        ? [
            "Nobody has contributed yet: anyone could forge with this key, so there is no verification key.",
            `Next: countersign setup contribute ${folder} --name NAME`,
          ]
        : [`key digest        ${key}`]),
    ],
  )
}
