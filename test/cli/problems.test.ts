/** What the command line says of a model that cannot be proven: what a terminal can show, and all of it as an object. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { run } from "../support/cli.js"
import { encodeOnnx } from "../support/onnx-writer.js"

let folder: string
const path = (name: string) => join(folder, name)
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "countersign-test-"))
  const nodes = Array.from({ length: 1000 }, (_, i) => ({
    operator: ["Relu", "NonMaxSuppression", "Bernoulli"][i % 3],
    name: `/encoder/layers.${i}/attention/op`,
    inputs: [i < 3 ? "x" : `t${i - 3}`],
    outputs: [`t${i}`],
  }))
  const inputs = [{ name: "x", shape: [1, 3] }]
  writeFileSync(path("many.onnx"), encodeOnnx({ inputs, outputs: ["t999", "t998", "t997"], nodes }))
  writeFileSync(
    path("samples.json"),
    JSON.stringify(
      [
        [1, -1, 2],
        [0, 3, 1],
      ].map((x) => ({ inputs: { x } })),
    ),
  )
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const compile = (...more: string[]) =>
  run("compile", path("many.onnx"), "--samples", path("samples.json"), "--out", path("out"), ...more)

it("groups and counts them, in lines that a terminal shows whole", async () => {
  const { code, stdout, stderr } = await compile()
  const lines = stderr.trimEnd().split("\n")
  expect([code, stdout]).toEqual([2, ""])
  expect(lines.length).toBeLessThan(20)
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80)
  expect(lines.slice(0, 4)).toEqual([
    "error: model `test`: the model cannot be proven, 666 problems:",
    "  NonMaxSuppression ×333: the operator is not supported",
    "      first: /encoder/layers.1/attention/op, /encoder/layers.4/attention/op,",
    "      /encoder/layers.7/attention/op, and 330 more",
  ])
  expect(stderr).toMatch(/what helps: .*--outputs/s)
})

it("has each of them in its object, with what helps", async () => {
  const { code, json } = await compile("--json")
  const { error } = json as { error: { name: string; problems: Record<string, unknown>[] } }
  expect([code, error.name]).toEqual([2, "ModelError"])
  expect(error.problems).toEqual([
    {
      operator: "NonMaxSuppression",
      reason: "the operator is not supported",
      help: expect.stringContaining("--outputs"),
      count: 333,
      nodes: expect.arrayContaining(["/encoder/layers.1/attention/op"]),
    },
    expect.objectContaining({ operator: "Bernoulli", count: 333 }),
  ])
  expect(error.problems[0].nodes).toHaveLength(333)
})

it("compiles the part of a model that ends where it is told", async () => {
  const { code, json } = await compile("--json", "--outputs", "t3", "--outputs", "t0")
  expect(code).toBe(0)
  expect(json).toMatchObject({ accuracy: { outputs: [{ name: "t3" }, { name: "t0" }] } })
})

it("says which tensors there are if it is told of one that is not there", async () => {
  const { code, stderr } = await compile("--outputs", "/encoder/layers.3/attention/op")
  expect(code).toBe(2)
  expect(stderr).toMatch(/that\s+node\s+gives\s+`t3`/)
})
