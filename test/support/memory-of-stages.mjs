/**
 * Compiles an integer model and makes its keys, or proves with them, and prints what was estimated and what came: of each
 * stage the memory that the process had before it, and at most during it, in MiB. Linux tells that.
 *
 *   node memory-of-stages.mjs FOLDER          FOLDER has model.bin and input.json, and gets the rest
 *   node memory-of-stages.mjs FOLDER prove
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as api from "../../dist/index.js"

const [folder, isProof] = process.argv.slice(2)
const path = (name) => join(folder, name)
const memory = (name) =>
  Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync("/proc/self/status", "utf8"))[1]) / 1024
const stages = {}
let before = 0
const begin = () => {
  before = memory("VmRSS")
  writeFileSync("/proc/self/clear_refs", "5")
}
const end = (name, added) => {
  stages[name] = { expected: before + added / 2 ** 20, given: memory("VmHWM") }
}
const context = `0x${"11".repeat(32)}`

if (isProof === undefined) {
  const graph = api.deserialize(readFileSync(path("model.bin")))
  let estimate
  const circuit = await api.compile(graph, {
    onEstimate: (expected) => {
      estimate = expected
      begin()
    },
  })
  end("compile", estimate.memory.compile)
  begin()
  const { provingKey } = await api.setup(circuit, { dev: true })
  end("setup", estimate.memory.setup)
  writeFileSync(path("proving.key"), provingKey)
  writeFileSync(path("circuit.json"), JSON.stringify(api.describeCircuit(circuit)))
  writeFileSync(path("linked.bin"), api.keepCircuit(circuit))
} else {
  const [model, linked] = ["model.bin", "linked.bin"].map((name) => readFileSync(path(name)))
  const circuit = await api.rebuildCircuit({
    model,
    circuit: JSON.parse(readFileSync(path("circuit.json"), "utf8")),
    linked,
  })
  const estimate = api.estimateCircuit(circuit)
  begin()
  const key = await api.openKeyFile(path("proving.key"))
  const prover = await api.openProver(circuit, key)
  await prover.prove(JSON.parse(readFileSync(path("input.json"), "utf8")), { context })
  end("prove", estimate.memory.prove)
  await prover.close()
  await key.close()
}
console.log(JSON.stringify(stages))
