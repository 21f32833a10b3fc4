/** What the command line keeps of a linked circuit, who reads it, and what comes of one that somebody else wrote. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { packRecord, unpackRecord } from "#src/circuit/formats/packed.js"
import { run, writeModel, writeSamples } from "../support/cli.js"

let folder: string
let linked: string
const path = (name: string) => join(folder, name)
const prove = () =>
  run("prove", path("dir"), path("input.json"), "--out", path("receipt.json"), "--no-context", "--json")
const verify = () =>
  run("verify", path("receipt.json"), "--key", path("dir/verification.json"), "--allow-dev", "--no-context")

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-linked-"))
  linked = path("dir/linked.bin")
  writeModel(path("model.onnx"), 2)
  writeSamples(path("samples.json"))
  writeFileSync(path("input.json"), '{"inputs":{"x":[0.5,-0.5,0.25]}}')
  const compiled = await run(
    ...["compile", path("model.onnx"), "--samples", path("samples.json"), "--out", path("dir"), "--json"],
  )
  expect(compiled.json).toMatchObject({ estimate: { constraints: compiled.json.constraints } })
  expect(existsSync(linked)).toBe(false)
  const made = await run("setup", path("dir"), "--dev", "--json")
  expect(made.code, made.stderr).toBe(0)
  const { keyBytes } = made.json.estimate as { keyBytes: number }
  expect(Math.abs(keyBytes - Number(made.json.provingKeyBytes))).toBeLessThan(4096)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("a kept circuit", () => {
  it("is written by setup, and proofs are made with it", async () => {
    expect(existsSync(linked)).toBe(true)
    expect((await prove()).code).toBe(0)
    expect((await verify()).code).toBe(0)
  })

  it.each([
    ["cut off", (file: Uint8Array) => file.subarray(0, 1000)],
    ["empty", () => new Uint8Array(0)],
    [
      "with a bit flipped",
      (file: Uint8Array) => file.map((byte, i) => (i === file.length >> 1 ? byte ^ 4 : byte)),
    ],
    [
      "of other constraints, under a digest that is right",
      (file: Uint8Array) => {
        const record = structuredClone(unpackRecord(file, "linked.bin"))
        const { b } = record.r1cs as { b: { coefficients: Uint32Array } }
        b.coefficients.fill(1)
        const { stamped } = record as { stamped: { base: Uint32Array }[] }
        for (const { base } of stamped) base.reverse()
        return packRecord(record)
      },
    ],
  ])("is made again when it is %s, and the receipt is as valid", async (_, change) => {
    const whole = new Uint8Array(readFileSync(linked))
    writeFileSync(linked, change(whole))
    const proved = await prove()
    expect(proved.code, proved.stderr).toBe(0)
    expect((await verify()).code).toBe(0)
    expect(Buffer.compare(readFileSync(linked), whole)).toBe(0)
  })

  it("is not read by setup, audit and inspect", async () => {
    const whole = readFileSync(linked)
    const garbage = Buffer.from("garbage")
    for (const args of [
      ["inspect", path("dir")],
      ["audit", path("dir")],
    ]) {
      writeFileSync(linked, garbage)
      const { code, stderr } = await run(...args)
      expect(code, stderr).toBe(0)
      expect(readFileSync(linked)).toEqual(garbage)
    }
    const { code } = await run("setup", path("dir"), "--dev", "--force")
    expect(code).toBe(0)
    expect(readFileSync(linked)).toEqual(whole)
  })
})
