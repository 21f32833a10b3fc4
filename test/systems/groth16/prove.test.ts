import { groth16, zKey } from "snarkjs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { R1cs } from "#src/circuit/formats/r1cs.js"
import { R1csBuilder } from "#src/circuit/link/builder.js"
import type { Witness } from "#src/circuit/witness/witness.js"
import { compile } from "#src/compile/compile.js"
import { FileError } from "#src/errors.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { type Keys, openProver, type Prover, setup } from "#src/prover/open.js"
import { quantize } from "#src/quantize/quantize.js"
import type { Circuit } from "#src/systems/index.js"
import { writeWtns } from "#src/systems/plain/witnessfile.js"
import type { SnarkjsWorker } from "#src/systems/snarkjs/worker.js"
import { WorkerPool } from "#src/systems/snarkjs/workers.js"
import {
  explain,
  type Groth16Key,
  type Groth16Receipt,
  type PublicClaim,
  proofToSnarkjs,
  publicSignals,
  toSnarkjs,
  verify,
} from "#src/verifier/index.js"
import { encodeOnnx } from "../../support/onnx-writer.js"
import { devSetup } from "../../support/plain-keys.js"
import { Random } from "../../support/random.js"
import { snarkjsProof } from "../../support/snarkjs.js"

const context = `0x${"51".repeat(32)}`

/** A random satisfiable system and a solution: each row defines the next wire as a product of combinations. */
function randomSystem(seed: number): { r1cs: R1cs; witness: Witness } {
  const random = new Random(seed)
  const builder = new R1csBuilder()
  const publicWires = random.integer(1, 3)
  builder.allocate(publicWires + 2)
  const values = [1, ...Array.from({ length: publicWires + 2 }, () => random.integer(-9, 9))].slice(
    0,
    publicWires + 3,
  )
  const combination = () => {
    const wires = random.permutation(values.length).slice(0, random.integer(1, Math.min(3, values.length)))
    const coefficients = wires.map(() => random.pick([-2, -1, 1, 3]))
    return {
      wires,
      coefficients,
      value: wires.reduce((sum, wire, i) => sum + coefficients[i] * values[wire], 0),
    }
  }
  for (let row = random.integer(1, 9); row > 0; row--) {
    const [a, b] = [combination(), combination()]
    if (Math.abs(a.value * b.value) > 2 ** 40) break
    const out = builder.allocate(1)
    values.push(a.value * b.value)
    builder.row(a, b, { wires: [out], coefficients: [1] })
  }
  return {
    r1cs: builder.finish(publicWires, 0, 0),
    witness: { small: Float64Array.from(values), large: new Map() },
  }
}

describe("development setup", () => {
  it("gives keys with which snarkjs proves and verifies random systems, and refuses wrong signals and witnesses", async () => {
    const pool = new WorkerPool<SnarkjsWorker>(
      new URL("../../../dist/systems/snarkjs/worker.js", import.meta.url),
      1,
    )
    try {
      for (const seed of [1, 2, 3, 4]) {
        const { r1cs, witness } = randomSystem(seed)
        const { zkey } = await devSetup(r1cs, { threads: 1 })
        const key = await zKey.exportVerificationKey({ type: "mem", data: zkey })
        const prove = async (given: Witness) => {
          const [{ proof, publicSignals: signals }] = await pool.map([0], async (remote) => {
            await remote.load(zkey)
            return remote.prove("groth16", writeWtns(given))
          })
          return { signals, proof: snarkjsProof(proof) }
        }
        const { proof, signals } = await prove(witness)
        expect(await groth16.verify(key, signals, proof)).toBe(true)
        expect(await groth16.verify(key, [String(BigInt(signals[0]) + 1n), ...signals.slice(1)], proof)).toBe(
          false,
        )
        const wrong = { small: Float64Array.from(witness.small), large: new Map<number, bigint>() }
        wrong.small[wrong.small.length - 1] += 1
        const forged = await prove(wrong)
        expect(await groth16.verify(key, forged.signals, forged.proof)).toBe(false)
      }
    } finally {
      await pool.close()
    }
  })
})

describe("a proof of a model", () => {
  let circuit: Circuit
  let keys: Keys
  let prover: Prover
  let receipt: Groth16Receipt
  const input = { x: [0.5, -0.25, 1] }
  beforeAll(async () => {
    const random = new Random(11)
    const bytes = encodeOnnx({
      inputs: [{ name: "x", shape: [1, 3] }],
      outputs: ["y"],
      initializers: {
        w: { shape: [3, 4], data: random.reals(12) },
        v: { shape: [4, 2], data: random.reals(8) },
      },
      nodes: [
        { operator: "MatMul", inputs: ["x", "w"], outputs: ["a"] },
        { operator: "Relu", inputs: ["a"], outputs: ["b"] },
        { operator: "MatMul", inputs: ["b", "v"], outputs: ["y"] },
      ],
    })
    const samples = Array.from({ length: 20 }, () => ({ x: random.reals(3, 1) }))
    const graph = await quantize(importOnnx(bytes), { samples: [...samples, { x: [1, -1, 1] }] })
    circuit = await compile(graph, { proofSystem: "groth16" })
    keys = await setup(circuit, { dev: true })
    prover = await openProver(circuit, keys.provingKey)
    receipt = (await prover.prove(input, { context })) as Groth16Receipt
  })
  afterAll(() => prover?.close())

  const expected = () => ({
    verificationKey: keys.verificationKey,
    model: circuit.model,
    context,
    allowDev: true,
  })

  it("is accepted by our verifier, as an object and as text", () => {
    expect(explain(receipt, expected())).toBeNull()
    expect(verify(JSON.stringify(receipt), expected())).toBe(true)
  })

  it("is accepted by snarkjs's verifier", async () => {
    const signals = publicSignals(receipt.statement, circuit.layout).map(String)
    const key = toSnarkjs(keys.verificationKey as Groth16Key)
    expect(await groth16.verify(key, signals, proofToSnarkjs(receipt.proof))).toBe(true)
  })

  it("again has the same statement and another proof", async () => {
    const again = await prover.prove(input, { context })
    expect(again.statement).toEqual(receipt.statement)
    expect(again.proof).not.toEqual(receipt.proof)
  })

  it("is refused with another output", () => {
    const [first, second] = (receipt.statement.output as PublicClaim).values.y
    const output = { visibility: "public", values: { y: [String(Number(first) + 1), second] } }
    expect(verify({ ...receipt, statement: { ...receipt.statement, output } }, expected())).toBe(false)
  })

  it("is refused for another context, and with a key for development where none is allowed", () => {
    expect(verify(receipt, { ...expected(), context: `0x${"52".repeat(32)}` })).toBe(false)
    expect(verify(receipt, { ...expected(), allowDev: false })).toBe(false)
  })

  it("is refused under the key of another setup", async () => {
    const { verificationKey } = await setup(circuit, { dev: true })
    expect(verify(receipt, { ...expected(), verificationKey })).toBe(false)
  })

  it.each<[string, Record<string, number[]>, RegExp]>([
    ["out of range", { x: [9, 0, 0] }, /outside the range/],
    ["too short", { x: [0, 0] }, /input `x`/],
    ["no number", { x: [0, 0, Number.NaN] }, /input `x`/],
  ])("is not made of an input that is %s", async (_, wrong, message) => {
    await expect(prover.prove(wrong, { context })).rejects.toThrow(message)
  })

  it("is not made for a context that is none", async () => {
    await expect(prover.prove(input, { context: "0x12" })).rejects.toThrow(/malformed context/)
  })

  it("is not made with the key of another circuit, nor with a part of a key", async () => {
    const other = await compile(circuit.graph, { input: "public", proofSystem: "groth16" })
    await expect(openProver(other, keys.provingKey)).rejects.toThrow(/another circuit/)
    await expect(openProver(circuit, keys.provingKey.subarray(0, 1000))).rejects.toThrow(FileError)
  })

  it("stops when asked to", async () => {
    const abort = new AbortController()
    const running = prover.prove(input, { context, signal: abort.signal })
    abort.abort()
    await expect(running).rejects.toThrow(/abort/i)
  })

  it("fails when its prover is closed meanwhile", async () => {
    const closing = await openProver(circuit, keys.provingKey)
    const doomed = expect(closing.prove(input, { context })).rejects.toThrow(/closed|died/)
    await closing.close()
    await doomed
  })

  it("has a setup that stops when asked to", async () => {
    const stopped = new AbortController()
    stopped.abort()
    await expect(setup(circuit, { dev: true, signal: stopped.signal })).rejects.toThrow(/abort/i)
  })

  it("has a setup that must be told that keys are for development", async () => {
    await expect(setup(circuit, {} as { dev: true })).rejects.toThrow(/dev: true/)
  })
})
