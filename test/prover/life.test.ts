/** A prover over time: aborts, proofs at once, many in a row, a thread that dies. */
import type { Worker } from "node:worker_threads"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { drawSalt } from "#src/circuit/gadgets/poseidon.js"
import { compile } from "#src/compile/compile.js"
import { CountersignError } from "#src/errors.js"
import type { Engine } from "#src/prover/engine/engine.js"
import { kernelEngine } from "#src/prover/engine/kernels.js"
import { type Keys, memoryEstimate, openProver, type Prover, setup } from "#src/prover/open.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import { verify } from "#src/verifier/index.js"
import { mnist, type Network, perceptron } from "../support/networks.js"

const contextOf = (i: number) => `0x${i.toString(16).padStart(64, "0")}`

describe("a prover", () => {
  let network: Network
  let circuit: MirageCircuit
  let keys: Keys
  let engine: Engine
  let prover: Prover
  beforeAll(async () => {
    network = await perceptron([6, 5, 3], 6)
    circuit = await compile(network.graph)
    keys = await setup(circuit, { dev: true })
    engine = await kernelEngine()
    prover = await openProver(circuit, keys.provingKey, { engine })
  })
  afterAll(async () => {
    await prover?.close()
    await engine?.close()
  })
  const prove = (i: number, more: object = {}) =>
    prover.prove(network.input, { context: contextOf(i), clampInputs: true, ...more })
  const holds = (receipt: unknown, i: number) =>
    verify(receipt, {
      verificationKey: keys.verificationKey,
      model: circuit.model,
      context: contextOf(i),
      allowDev: true,
    })

  it("can be aborted at every step it reports, and goes on", async () => {
    const steps: string[] = []
    await prove(0, {
      onProgress: ({ stage, done }: { stage: string; done: number }) => steps.push(`${stage} ${done}`),
    })
    expect(steps.length).toBeGreaterThan(4)
    for (const at of steps.slice(0, -1)) {
      const controller = new AbortController()
      const onProgress = ({ stage, done }: { stage: string; done: number }) => {
        if (`${stage} ${done}` === at) controller.abort(new Error(`stopped at ${at}`))
      }
      await expect(prove(1, { onProgress, signal: controller.signal })).rejects.toThrow(`stopped at ${at}`)
    }
    expect(holds(await prove(2), 2)).toBe(true)
    await expect(prove(3, { signal: AbortSignal.abort(new Error("before it began")) })).rejects.toThrow(
      "before",
    )
  })

  it("can be aborted at any time", async () => {
    for (const delay of [0, 1, 2, 4, 8, 16, 32]) {
      const controller = new AbortController()
      setTimeout(() => controller.abort(new Error("now")), delay)
      await prove(4, { signal: controller.signal }).catch((error) => expect(error.message).toBe("now"))
    }
    expect(holds(await prove(5), 5)).toBe(true)
  })

  it("takes several inputs at once", async () => {
    const receipts = await Promise.all([10, 11, 12, 13, 14].map((i) => prove(i)))
    receipts.forEach((receipt, i) => {
      expect(holds(receipt, 10 + i)).toBe(true)
    })
  })

  it("makes 200 proofs in a row without holding more memory", async () => {
    await prove(20)
    const before = engine.heldBytes()
    for (let i = 0; i < 200; i++) await prove(i)
    expect(engine.heldBytes()).toBe(before)
    expect(holds(await prove(21), 21)).toBe(true)
  }, 120_000)

  it("survives threads that die while its key is loaded, and later", async () => {
    const threads: Worker[] = []
    const onThread = (thread: Worker) => threads.push(thread)
    process.on("worker", onThread)
    const mortal = await kernelEngine({ threads: 2 })
    try {
      const started = threads.length
      expect(started).toBeGreaterThan(0)
      const ended = threads[0].terminate()
      const opened = await openProver(circuit, keys.provingKey, { engine: mortal })
      await ended
      const once = (i: number) => opened.prove(network.input, { context: contextOf(i), clampInputs: true })
      // what was under way when the thread ended fails, or is done by others if it came a moment later
      const tried = (i: number) => once(i).catch((error) => expect(error).toBeInstanceOf(CountersignError))
      await tried(30)
      expect(holds(await once(31), 31)).toBe(true)
      expect(threads.length).toBeGreaterThan(started)
      await Promise.all([tried(32), threads.at(-1)?.terminate()])
      expect(holds(await once(33), 33)).toBe(true)
    } finally {
      process.off("worker", onThread)
      await mortal.close()
    }
  })

  it("gives its memory back when closed, but not the engine of the caller", async () => {
    const before = engine.heldBytes()
    const another = await openProver(circuit, keys.provingKey, { engine })
    expect(holds(await another.prove(network.input, { context: contextOf(1), clampInputs: true }), 1)).toBe(
      true,
    )
    await another.close()
    expect(engine.heldBytes()).toBe(before)
    expect(holds(await prove(22), 22)).toBe(true)
  })
})

it("holds no more memory than the estimate says, also with a committed input", async () => {
  const { graph, input } = await mnist("mnist-lenet")
  const circuit = await compile(graph, { input: "committed" })
  const { provingKey } = await setup(circuit, { dev: true })
  const engine = await kernelEngine()
  const prover = await openProver(circuit, provingKey, { engine })
  let held = 0
  const watch = setInterval(() => {
    held = Math.max(held, engine.heldBytes())
  }, 1)
  await prover.prove(input, { context: contextOf(1), clampInputs: true, salts: { input: drawSalt() } })
  clearInterval(watch)
  await engine.close()
  const estimate = memoryEstimate(circuit) ?? 0
  expect(estimate).toBeGreaterThan(held)
  expect(held).toBeGreaterThan(0.8 * estimate)
})
