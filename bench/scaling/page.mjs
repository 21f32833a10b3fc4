/** What runs in the page: a prover of fetched files, and its proofs. Called by name from chromium.mjs. */
import { openProver, rebuildCircuit } from "../../dist/prover/index.js"
import { verify } from "../../dist/verifier/index.js"
import { timesOf } from "./proofs.mjs"

const fetched = async (path) => {
  const response = await fetch(path)
  if (!response.ok) throw new Error(`${path}: ${response.status}`)
  return response
}
const bytes = async (path) => new Uint8Array(await (await fetched(path)).arrayBuffer())
const json = async (path) => (await fetched(path)).json()

globalThis.measureProofs = async () => {
  const started = performance.now()
  const circuit = await rebuildCircuit({
    model: await bytes("model.bin"),
    circuit: await json("circuit.json"),
    gadgets: await json("gadgets.json"),
  })
  const verificationKey = await json("verification.json")
  const prover = await openProver(circuit, await bytes("proving.key"), { verificationKey })
  const openMs = performance.now() - started
  const { model } = circuit
  const figures = await timesOf(prover, await json("input.json"), { verify, verificationKey, model })
  await prover.close()
  return { openMs, ...figures }
}
