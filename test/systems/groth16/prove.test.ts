import fc from "fast-check"
import { groth16, zKey } from "snarkjs"
import { beforeAll, describe, expect, it } from "vitest"
import type { R1cs } from "#src/circuit/formats/r1cs.js"
import { R1csBuilder } from "#src/circuit/link/builder.js"
import { lagrangeBasis, rootOfUnity } from "#src/circuit/link/domain.js"
import type { Witness } from "#src/circuit/witness/witness.js"
import { compile } from "#src/compile/compile.js"
import { mod, r } from "#src/field.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { type Keys, openProver, setup } from "#src/prover/open.js"
import { quantize } from "#src/quantize/quantize.js"
import { evaluateQap, plainDomain } from "#src/setup/qap.js"
import { devSetup } from "#src/systems/groth16/setup.js"
import type { SnarkjsWorker } from "#src/systems/groth16/snarkjs-worker.js"
import { writeWtns } from "#src/systems/groth16/witnessfile.js"
import { WorkerPool } from "#src/systems/groth16/workers.js"
import type { Circuit } from "#src/systems/index.js"
import {
  explain,
  type Groth16Key,
  type PublicClaim,
  proofToSnarkjs,
  publicSignals,
  toSnarkjs,
  verify,
} from "#src/verifier/index.js"
import { encodeOnnx } from "../../support/onnx-writer.js"
import { Random } from "../../support/random.js"

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

describe("polynomials", () => {
  it("the Lagrange basis interpolates, on whole domains and on their odd half", () => {
    const tau = 123456789n
    for (const bits of [1, 3, 4]) {
      const omega = rootOfUnity(2 ** bits)
      const basis = lagrangeBasis(2 ** bits, tau)
      // Σ (ω^i)^d·L_i(τ) = τ^d for d below the size
      for (const d of [0n, 1n, BigInt(2 ** bits - 1)]) {
        let sum = 0n
        let x = 1n
        for (const value of basis) {
          sum += value * mod(x ** d)
          x = (x * omega) % r
        }
        expect(mod(sum)).toBe(mod(tau ** d))
      }
      expect(lagrangeBasis(2 ** bits, tau, 1, 2)).toEqual(basis.filter((_, i) => i % 2 === 1))
    }
  })

  it("A·B − C of a solution is what its values on the odd half of the double domain say it is", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const { r1cs, witness } = randomSystem(seed)
        const tau = 987654321987654321n
        const domain = plainDomain(r1cs)
        const at = (point: bigint) => {
          const { u, v, w } = evaluateQap(r1cs, domain, point)
          const [a, b, c] = [u, v, w].map((xs) =>
            mod(xs.reduce((sum, x, i) => sum + x * BigInt(witness.small[i]), 0n)),
          )
          return mod(a * b - c)
        }
        // degree below 2n and zero on the n even points, so the odd points determine it (the H section)
        const odd = lagrangeBasis(2 * domain, tau, 1, 2)
        const omega = rootOfUnity(2 * domain)
        let sum = 0n
        let x = omega
        for (const value of odd) {
          sum += at(x) * value
          x = mod(x * omega * omega)
        }
        expect(mod(sum)).toBe(at(tau))
      }),
      { numRuns: 10 },
    )
  })
})

describe("development setup", () => {
  it("gives keys with which snarkjs proves and verifies random systems, and refuses wrong signals and witnesses", async () => {
    const pool = new WorkerPool<SnarkjsWorker>(
      new URL("../../../dist/systems/groth16/snarkjs-worker.js", import.meta.url),
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
            return remote.prove(writeWtns(given))
          })
          return { signals, proof: proofToSnarkjs(proof) }
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

describe("a model, proven", () => {
  let circuit: Circuit
  let keys: Keys
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
  })

  it("is accepted by our verifier and by snarkjs's; every change is refused", async () => {
    const prover = await openProver(circuit, keys.provingKey)
    try {
      const receipt = await prover.prove(input, { context })
      const expected = {
        verificationKey: keys.verificationKey,
        model: circuit.model,
        context,
        allowDev: true,
      }
      expect(explain(receipt, expected)).toBeNull()
      expect(verify(JSON.stringify(receipt), expected)).toBe(true)
      const signals = publicSignals(receipt.statement, circuit.layout).map(String)
      expect(
        await groth16.verify(
          toSnarkjs(keys.verificationKey as Groth16Key),
          signals,
          proofToSnarkjs(receipt.proof),
        ),
      ).toBe(true)
      const again = await prover.prove(input, { context })
      expect(again.statement).toEqual(receipt.statement)
      expect(again.proof).not.toEqual(receipt.proof)

      const values = (receipt.statement.output as PublicClaim).values.y
      const changed = {
        ...receipt,
        statement: {
          ...receipt.statement,
          output: { visibility: "public", values: { y: [String(Number(values[0]) + 1), values[1]] } },
        },
      }
      expect(verify(changed, expected)).toBe(false)
      expect(verify(receipt, { ...expected, context: `0x${"52".repeat(32)}` })).toBe(false)
      expect(verify(receipt, { ...expected, allowDev: false })).toBe(false)
      const other = await setup(circuit, { dev: true })
      expect(verify(receipt, { ...expected, verificationKey: other.verificationKey })).toBe(false)
    } finally {
      await prover.close()
    }
  })

  it("refuses inputs that do not fit, and a key of another circuit", async () => {
    const prover = await openProver(circuit, keys.provingKey)
    try {
      await expect(prover.prove({ x: [9, 0, 0] }, { context })).rejects.toThrow(/outside the range/)
      await expect(prover.prove({ x: [0, 0] }, { context })).rejects.toThrow(/input `x`/)
      await expect(prover.prove({ x: [0, 0, Number.NaN] }, { context })).rejects.toThrow(/input `x`/)
      await expect(prover.prove(input, { context: "0x12" })).rejects.toThrow(/malformed context/)
    } finally {
      await prover.close()
    }
    const other = await compile(circuit.graph, { input: "public", proofSystem: "groth16" })
    await expect(openProver(other, keys.provingKey)).rejects.toThrow(/another circuit/)
    await expect(openProver(circuit, keys.provingKey.subarray(0, 1000))).rejects.toThrow()
  })

  it("stops when asked to, and says when a worker dies", async () => {
    const prover = await openProver(circuit, keys.provingKey)
    const abort = new AbortController()
    const running = prover.prove(input, { context, signal: abort.signal })
    abort.abort()
    await expect(running).rejects.toThrow(/abort/i)
    const doomed = expect(prover.prove(input, { context })).rejects.toThrow(/closed|died/)
    await prover.close()
    await doomed
    const stopped = new AbortController()
    stopped.abort()
    await expect(setup(circuit, { dev: true, signal: stopped.signal })).rejects.toThrow(/abort/i)
  })

  it("needs to be told that keys are for development", async () => {
    await expect(setup(circuit, {} as { dev: true })).rejects.toThrow(/dev: true/)
  })
})
