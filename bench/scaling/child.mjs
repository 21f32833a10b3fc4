/**
 * A process of its own for what is measured with its memory:
 *
 *   node child.mjs prepare FOLDER POWER      compiles a network of about 2^POWER constraints and makes its keys
 *   node child.mjs prove FOLDER THREADS      proves with them
 *
 * Prints one object of figures.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { peakMemory } from "../memory.mjs"
import { timesOf } from "./proofs.mjs"

const [task, folder, number] = process.argv.slice(2)
const path = (name) => join(folder, name)
const json = (name) => JSON.parse(readFileSync(path(name), "utf8"))

async function prepare() {
  const [api, { convolutions, sizes }] = await Promise.all([
    import("../../dist/index.js"),
    import("./networks.mjs"),
  ])
  const { onnx, samples } = convolutions(sizes[number])
  const started = performance.now()
  const model = await api.quantize(api.importOnnx(onnx), { samples })
  const circuit = await api.compile(model, { maxConstraints: 2 ** 21 })
  const compiled = performance.now()
  const { provingKey, verificationKey } = await api.setup(circuit, { dev: true })
  const setupMs = performance.now() - compiled
  const { constraints, domain, nonzeros, lookups } = api.describeCircuit(circuit)
  writeFileSync(path("model.bin"), api.serialize(circuit.graph))
  writeFileSync(path("circuit.json"), JSON.stringify(api.describeCircuit(circuit)))
  writeFileSync(path("gadgets.json"), JSON.stringify(circuit.gadgets))
  writeFileSync(path("proving.key"), provingKey)
  writeFileSync(path("verification.json"), JSON.stringify(verificationKey))
  writeFileSync(path("input.json"), JSON.stringify(samples[0]))
  const keyBytes = provingKey.length
  return { constraints, domain, nonzeros, lookups, keyBytes, compileMs: compiled - started, setupMs }
}

async function prove() {
  const [{ openProver, rebuildCircuit }, { verify }, { kernelEngine }] = await Promise.all([
    import("../../dist/prover/index.js"),
    import("../../dist/verifier/index.js"),
    import("../../dist/prover/engine/kernels.js"),
  ])
  const engine = await kernelEngine({ threads: Number(number) })
  const started = performance.now()
  const circuit = await rebuildCircuit({
    model: readFileSync(path("model.bin")),
    circuit: json("circuit.json"),
    gadgets: json("gadgets.json"),
  })
  const verificationKey = json("verification.json")
  const prover = await openProver(circuit, readFileSync(path("proving.key")), { engine, verificationKey })
  const openMs = performance.now() - started
  const { model } = circuit
  const figures = await timesOf(prover, json("input.json"), { verify, verificationKey, model })
  await prover.close()
  await engine.close()
  return { openMs, ...figures }
}

const figures = await { prepare, prove }[task]()
console.log(JSON.stringify({ ...figures, peakBytes: peakMemory() }))
