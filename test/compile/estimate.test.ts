import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type CompileOptions, compile } from "#src/compile/compile.js"
import { type CircuitEstimate, estimateCircuit } from "#src/compile/estimate.js"
import { setup } from "#src/prover/open.js"
import { serialize } from "#src/quantize/canonical/digest.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import { mnist, perceptron, small } from "../support/networks.js"
import { randomProgram } from "../support/programs.js"

const random = async (seed: number): Promise<IntGraph> => {
  const { program, samples } = randomProgram(seed)
  return await quantizeProgram(program, { samples })
}

/** How far an estimate may be off. */
const within = 0.2

const near = (given: number, expected: number, what: string) => {
  expect(given / expected, what).toBeGreaterThan(1 - within)
  expect(given / expected, what).toBeLessThan(1 + within)
}

describe("before a circuit is linked", () => {
  const models: [name: string, graph: () => Promise<IntGraph>, options: CompileOptions][] = [
    ["LeNet", async () => (await mnist("mnist-lenet")).graph, {}],
    ["a perceptron", async () => (await mnist("mnist-mlp")).graph, {}],
    ["its public input", async () => (await mnist("mnist-mlp")).graph, { input: "public" }],
    ["another one", async () => (await perceptron([40, 300, 10])).graph, {}],
    ["a deep one", async () => (await perceptron([64, 32, 32, 32, 32, 8], 8)).graph, {}],
    ["every gadget", async () => (await small()).graph, {}],
    ["commitments", async () => (await small()).graph, { input: "committed", output: "committed" }],
    ["a random program", () => random(3), {}],
    ["a second", () => random(4), {}],
    ["a third", () => random(9), {}],
  ]
  it.each(models)("constraints and the key of %s are known", async (_, graphOf, options) => {
    const told: CircuitEstimate[] = []
    const circuit = await compile(await graphOf(), { ...options, onEstimate: (given) => told.push(given) })
    expect(told).toHaveLength(1)
    const [before, after] = [told[0], estimateCircuit(circuit)]
    near(before.constraints, after.constraints, "constraints")
    near(before.domain as number, after.domain as number, "domain")
    near(before.keyBytes as number, after.keyBytes as number, "key")
    for (const stage of ["compile", "setup", "prove"] as const) {
      expect(before.seconds[stage]).toBeGreaterThan(0)
      expect(before.memory[stage]).toBeGreaterThan(2 ** 20)
    }
    expect(after.constraints).toBe(circuit.linked.r1cs.rows)
  })
})

it("says nothing of keys that are another program's", async () => {
  const plain = await compile((await small()).graph, { proofSystem: "groth16" })
  expect(estimateCircuit(plain)).toMatchObject({ keyBytes: null, domain: null, seconds: { prove: null } })
})

it("is the size of the key that is made", async () => {
  for (const { graph } of [await small(), await mnist("mnist-mlp")]) {
    const circuit = await compile(graph)
    const { provingKey } = await setup(circuit, { dev: true })
    const { keyBytes } = estimateCircuit(circuit)
    expect(Math.abs((keyBytes ?? 0) - provingKey.length)).toBeLessThan(4096)
  }
})

describe.skipIf(process.platform !== "linux")("memory", () => {
  let folder = ""
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "countersign-estimate-"))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const script = fileURLToPath(new URL("../support/memory-of-stages.mjs", import.meta.url))

  it.each(["mnist-mlp", "mnist-lenet"])("of each stage of %s is what was expected", async (name) => {
    const { graph, input } = await mnist(name)
    // the gadgets are compiled by then, so that the process has not grown by that
    await compile(graph)
    const own = join(folder, name)
    mkdirSync(own)
    writeFileSync(join(own, "model.bin"), serialize(graph))
    const values = Object.entries(input).map(([key, list]) => [key, Array.from(list)])
    writeFileSync(join(own, "input.json"), JSON.stringify(Object.fromEntries(values)))
    for (const more of [[], ["prove"]]) {
      const { stdout } = await promisify(execFile)(process.execPath, [script, own, ...more])
      const stages = JSON.parse(stdout) as Record<string, { expected: number; given: number }>
      for (const [stage, { expected, given }] of Object.entries(stages)) near(given, expected, stage)
    }
  })
})
