/**
 * Our side: the default proof system with a development key, once with model and key in memory, and once as the command
 * `countersign prove`, which reads both. A proof is counted from the input in floating point to a receipt that verifies.
 */
import { readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { compile, explain, openProver, solidityProof } from "../../dist/index.js"
import { agreement } from "./prepared.mjs"
import { runProcess } from "./process.mjs"

const cli = fileURLToPath(new URL("../../dist/cli.js", import.meta.url))
const countersign = (...args) => runProcess(process.execPath, [cli, ...args])

/** { sides, close } of a prepared network. */
export async function openOurs(prepared) {
  const { model, input, context, paths } = prepared
  const folder = join(prepared.folder, "countersign")
  const precision = prepared.precision === undefined ? [] : ["--precision", `${prepared.precision}`]
  const compiled = await countersign(
    "compile",
    paths.model,
    "--samples",
    paths.samples,
    "--out",
    folder,
    ...precision,
  )
  const set = await countersign("setup", folder, "--dev")
  const circuit = await compile(model)
  const provingKey = readFileSync(join(folder, "proving.key"))
  const keyPath = join(folder, "verification.json")
  const verificationKey = JSON.parse(readFileSync(keyPath, "utf8"))
  const prover = await openProver(circuit, provingKey)
  const expected = { verificationKey, model: circuit.model, context, allowDev: true }

  /** What a receipt says, once it is known to be right. @throws Error if it is not valid, or shows other integers */
  function check(receipt) {
    const started = performance.now()
    const reason = explain(receipt, expected)
    const verifyMs = performance.now() - started
    if (reason !== null) throw new Error(`${prepared.name}: a receipt of ours is not valid: ${reason}`)
    const shown = model.outputs.flatMap(({ name }) => receipt.statement.output.values[name].map(Number))
    requireOutputs(prepared, shown, "ours")
    facts.proofBytes = 32 * solidityProof(receipt.proof).length
    return verifyMs
  }
  const facts = {
    proofSystem: circuit.proofSystem,
    constraints: circuit.linked.r1cs.rows,
    compileMs: compiled.ms,
    compilePeakBytes: compiled.peakBytes,
    setupMs: set.ms,
    setupPeakBytes: set.peakBytes,
    provingKeyBytes: provingKey.length,
    verificationKeyBytes: statSync(keyPath).size,
    ...agreement(
      prepared.floats,
      prepared.outputs.map((x, i) => x * prepared.scales[i]),
    ),
  }
  const resident = {
    facts,
    async run() {
      const started = performance.now()
      const receipt = await prover.prove(input, { context, clampInputs: true })
      const ms = performance.now() - started
      return { ms, verifyMs: check(receipt) }
    },
  }
  const out = join(prepared.folder, "receipt.json")
  const command = {
    facts,
    async run() {
      const { ms, peakBytes } = await countersign(
        "prove",
        folder,
        paths.input,
        "--out",
        out,
        "--no-context",
        "--clamp",
      )
      return { ms, peakBytes, verifyMs: check(JSON.parse(readFileSync(out, "utf8"))) }
    },
  }
  return { resident, command, close: () => prover.close() }
}

/** @throws Error unless a side's integers are those of the integer model */
export function requireOutputs({ name, outputs }, shown, side) {
  const same = shown.length === outputs.length && outputs.every((x, i) => x === shown[i])
  if (!same) throw new Error(`${name}: the proof of ${side} shows ${shown}, and the model says ${outputs}`)
}
