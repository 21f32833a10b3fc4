/**
 * One stage of the way from a model file to a verified receipt, in a process of its own: started by stages.mjs with the name of
 * the stage and a folder, from which it reads what the stages before it wrote. It sends what it measured, and the most memory
 * that the process had.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { median } from "./compare.mjs"
import { peakMemory } from "./memory.mjs"

const [name, folder] = process.argv.slice(2)
const path = (file) => join(folder, file)
const bytes = (file) => new Uint8Array(readFileSync(path(file)))
const json = (file) => JSON.parse(readFileSync(path(file), "utf8"))
const save = (file, value) =>
  writeFileSync(path(file), value instanceof Uint8Array ? value : JSON.stringify(value))
const length = (value) => Buffer.byteLength(JSON.stringify(value))
const context = `0x${"11".repeat(32)}`

async function timed(work) {
  const start = performance.now()
  const result = await work()
  return { ms: performance.now() - start, result }
}

/** Calls `work` with 0, 1, … as often as a plan says: { warmUps, least, most, ms }. Gives the times of all but the first. */
async function repeated({ warmUps, least, most, ms }, work) {
  const times = []
  let spent = 0
  for (let i = 0; i < warmUps + most && (i < warmUps + least || spent < ms); i++) {
    const { ms: time } = await timed(() => work(i))
    spent += time
    if (i >= warmUps) times.push(time)
  }
  return { ms: median(times), leastMs: Math.min(...times), runs: times.length }
}

const library = () => import("../dist/index.js")
/** As much of it as whoever proves loads. */
const proving = async () => ({
  ...(await import("../dist/prover/index.js")),
  ...(await import("../dist/prover/keyfile.js")),
})

/** The circuit of the folder; `linked` as whoever proves has it, so that nothing is linked again. */
async function circuit(api, linked) {
  const files = { model: bytes("model.bin"), circuit: json("circuit.json") }
  return await api.rebuildCircuit(linked ? { ...files, linked: bytes("linked.bin") } : files)
}

/** Does something with the key file open. */
async function withKey(api, work) {
  const key = await api.openKeyFile(path("proving.key"))
  try {
    return await work(key)
  } finally {
    await key.close()
  }
}

const lowered = (api) => api.lower(api.importOnnx(bytes("model.onnx"), { file: "model.onnx" }))

const largest = (values, from, to) => {
  let best = from
  for (let i = from; i < to; i++) if (values[i] > values[best]) best = i
  return best - from
}

/** Of a model that names a class at each position: shares of positions. */
async function byPosition(api, program, graph, unseen, labels) {
  const { evaluate } = await import("../dist/ops/evaluate.js")
  const [right, same] = [
    { real: 0, whole: 0 },
    { at: 0, of: 0, labels: 0 },
  ]
  for (const [i, sample] of unseen.entries()) {
    const real = evaluate(program, sample).get(program.outputs[0].tensor)
    const given = api.quantizeInput(graph, sample, { clampInputs: true })
    const whole = api.runInteger(graph, given).get(graph.outputs[0].tensor)
    const positions = labels[i].length + 1
    const classes = real.length / positions
    for (let p = 0; p < positions; p++) {
      const [a, b] = [real, whole].map((values) => largest(values, p * classes, (p + 1) * classes))
      same.of++
      if (a === b) same.at++
      if (p === labels[i].length) continue
      same.labels++
      if (a === labels[i][p]) right.real++
      if (b === labels[i][p]) right.whole++
    }
  }
  const share = (count) => count / same.labels
  return { float: share(right.real), integer: share(right.whole), agreement: same.at / same.of }
}

/** Whether receipts say what the integer model says, which is known from its canonical bytes alone. @throws Error */
async function checkReceipts(receipts, inputs, verificationKey) {
  const api = await library()
  const graph = api.deserialize(bytes("model.bin"))
  const expected = { verificationKey, model: api.modelDigest(graph), context, allowDev: true }
  for (const [i, receipt] of receipts.entries()) {
    const reason = api.explain(receipt, expected)
    if (reason !== null) throw new Error(`a receipt is not valid: ${reason}`)
    const input = api.quantizeInput(graph, inputs[i % inputs.length], { clampInputs: true })
    const values = api.runInteger(graph, input)
    for (const { name: output, tensor } of graph.outputs) {
      const proven = receipt.statement.output.values[output]
      if (proven.join() !== Array.from(values.get(tensor), String).join())
        throw new Error(`output \`${output}\` of a receipt is not what the integer model says`)
    }
  }
}

const stages = {
  async compile() {
    const api = await library()
    const { samples, options } = json("calibration.json")
    const { ms, result } = await timed(async () => {
      const graph = await api.quantizeProgram(lowered(api), { samples, ...options })
      return await api.compile(graph, { maxConstraints: 2 ** 22 })
    })
    save("model.bin", api.serialize(result.graph))
    save("circuit.json", api.describeCircuit(result))
    save("linked.bin", api.keepCircuit(result))
    return { ms }
  },

  async accuracy() {
    const api = await library()
    const { unseen, labels } = json("unseen.json")
    const [program, graph] = [lowered(api), api.deserialize(bytes("model.bin"))]
    const isByPosition = labels !== undefined && Array.isArray(labels[0])
    const measured = isByPosition
      ? await byPosition(api, program, graph, unseen, labels)
      : await api.measureAccuracy(program, graph, unseen, { labels })
    const { float, integer, agreement } = measured
    return { float, integer, agreement, unseen: unseen.length }
  },

  async setup() {
    const api = await library()
    const linked = await circuit(api)
    const { ms, result } = await timed(() => api.setup(linked, { dev: true }))
    save("proving.key", result.provingKey)
    save("verification.json", result.verificationKey)
    return {
      ms,
      keyBytes: result.provingKey.length,
      verificationKeyBytes: length(result.verificationKey),
    }
  },

  async open() {
    const api = await proving()
    const linked = await circuit(api, true)
    return await withKey(api, async (key) => {
      const { ms, result } = await timed(() => api.openProver(linked, key))
      await result.close()
      return { ms }
    })
  },

  async witness(plan) {
    const api = await proving()
    const { committedWitness } = await import("../dist/systems/mirage/witness.js")
    const [linked, inputs] = [await circuit(api, true), json("inputs.json")]
    return await repeated(plan, (i) => {
      const { values, salts } = api.execute(linked, inputs[i % inputs.length], { context, clampInputs: true })
      committedWitness(linked, values, salts)
    })
  },

  async prove(plan) {
    const api = await proving()
    const [linked, inputs, verificationKey] = [
      await circuit(api, true),
      json("inputs.json"),
      json("verification.json"),
    ]
    const receipts = []
    const times = await withKey(api, async (key) => {
      const prover = await api.openProver(linked, key, { verificationKey })
      try {
        return await repeated(plan, async (i) => {
          const input = inputs[i % inputs.length]
          receipts.push(await prover.prove(input, { context, clampInputs: true }))
        })
      } finally {
        await prover.close()
      }
    })
    const peakBytes = peakMemory()
    await checkReceipts(receipts, inputs, verificationKey)
    save("receipt.json", receipts[0])
    const proofBytes =
      32 * (await import("../dist/verifier/index.js")).solidityProof(receipts[0].proof).length
    return { ...times, peakBytes, proofBytes, receiptBytes: length(receipts[0]) }
  },

  async verify(plan) {
    const { verify } = await import("../dist/verifier/index.js")
    const [receipt, verificationKey] = [json("receipt.json"), json("verification.json")]
    const expected = { verificationKey, model: verificationKey.model, context, allowDev: true }
    return await repeated(plan, () => {
      if (!verify(receipt, expected)) throw new Error("the receipt is not valid")
    })
  },
}

// nobody is left to tell
process.on("disconnect", () => process.exit())
process.once("message", async (plan) => {
  try {
    const measured = await stages[name](plan)
    process.send({ measured: { peakBytes: peakMemory(), ...measured } }, () => process.disconnect())
  } catch (error) {
    process.send({ failed: error.stack }, () => process.disconnect())
  }
})
