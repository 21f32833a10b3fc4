/** `commit`: what it leaves in a folder of private weights, what it refuses, and who can check it. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { keyDigest, parseVerificationKey } from "#src/verifier/index.js"
import { run, writeModel, writeSamples } from "../support/cli.js"

const context = ["--context", `0x${"31".repeat(32)}`]
let base: string
let folder: string
const path = (name: string) => join(folder, name)
const text = (name: string) => readFileSync(path(name), "utf8")
const ok = async (...args: string[]) => {
  const { code, json, stderr } = await run(...args, "--json")
  expect(code, stderr).toBe(0)
  return json
}
/** Compiles and sets up the same architecture in a folder; a scale gives another training. */
async function made(to: string): Promise<void> {
  const [model, samples] = [join(base, "model.onnx"), join(base, "samples.json")]
  const options = ["--samples", samples, "--precision", "6", "--weights", "private", "--out", to]
  await ok("compile", model, ...options)
  await ok("setup", to, "--dev")
}

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "countersign-test-"))
  folder = join(base, "circuit")
  writeModel(join(base, "model.onnx"), 3)
  writeSamples(join(base, "samples.json"))
  await made(folder)
}, 120_000)
afterAll(() => rmSync(base, { recursive: true, force: true }))

describe("a folder of private weights", () => {
  it("has no verification key before there is a commitment, and one of its own afterwards", async () => {
    expect(existsSync(path("verification.json"))).toBe(false)
    const before = readFileSync(path("weights.secret"))
    const said = await ok("commit", folder)
    const key = parseVerificationKey(text("verification.json"))
    expect(said).toMatchObject({ model: key.model, architecture: key.architecture, key: keyDigest(key) })
    expect(key.architecture).toBe(JSON.parse(text("circuit.json")).model)
    expect(statSync(path("weights.secret")).mode & 0o777).toBe(0o600)
    // the integers stay as they are; blinding and commitment come behind them
    const after = readFileSync(path("weights.secret"))
    expect(after.length).toBe(before.length + 96)
    expect(after.subarray(0, before.length - 33)).toEqual(before.subarray(0, -33))
  })

  it("proves under it, and the receipt is the model's", async () => {
    writeFileSync(
      path("input.json"),
      JSON.stringify(JSON.parse(readFileSync(join(base, "samples.json"), "utf8"))[0]),
    )
    await ok("prove", folder, path("input.json"), ...context, "--out", path("receipt.json"), "--clamp")
    const options = ["--key", path("verification.json"), ...context, "--allow-dev"]
    expect(await ok("verify", path("receipt.json"), ...options)).toMatchObject({ valid: true })
    const { model } = JSON.parse(text("verification.json"))
    expect(JSON.parse(text("receipt.json")).statement.model).toBe(model)
  })

  it("is not committed to twice, unless somebody says so; receipts of both are of different models", async () => {
    const [weights, verification] = [text("weights.secret"), text("verification.json")]
    const twice = await run("commit", folder)
    expect(twice.code).not.toBe(0)
    expect(twice.stderr).toMatch(/committed to already.*--again/)
    expect(text("weights.secret")).toBe(weights)
    expect(text("verification.json")).toBe(verification)
    await ok("commit", folder, "--again")
    expect(JSON.parse(text("verification.json")).model).not.toBe(JSON.parse(verification).model)
    const options = ["--key", path("verification.json"), ...context, "--allow-dev"]
    expect((await run("verify", path("receipt.json"), ...options)).code).toBe(1)
  })

  it("has its verification key written again where that was lost", async () => {
    const verification = text("verification.json")
    rmSync(path("verification.json"))
    await ok("commit", folder)
    expect(text("verification.json")).toBe(verification)
  })

  it("is checked by who has the file, and by nobody else", async () => {
    await ok("commit", folder, "--check")
    const other = join(base, "other")
    await made(other)
    cpSync(path("proving.key"), join(other, "proving.key"))
    const unopened = await run("commit", other, "--check")
    expect(unopened.stderr).toMatch(/verification\.json/)
    cpSync(path("verification.json"), join(other, "verification.json"))
    expect((await run("commit", other, "--check")).stderr).toMatch(/what opens the commitment/)
    await ok("commit", other, "--again")
    cpSync(path("verification.json"), join(other, "verification.json"))
    expect((await run("commit", other, "--check")).stderr).toMatch(/another model's/)
    const public_ = join(base, "public")
    cpSync(folder, public_, { recursive: true })
    rmSync(join(public_, "weights.secret"))
    expect((await run("commit", public_, "--check")).stderr).toMatch(
      /the weights are private, and not in the folder/,
    )
  })

  it("is committed to anew under another proving key", async () => {
    await ok("setup", folder, "--dev", "--force")
    expect(existsSync(path("verification.json"))).toBe(false)
    expect((await run("commit", folder)).stderr).toMatch(/under another proving key.*--again/)
    await ok("commit", folder, "--again")
    await ok("commit", folder, "--check")
  })
})

it("a folder of fixed weights has nothing to commit to", async () => {
  const fixed = join(base, "fixed")
  const samples = ["--samples", join(base, "samples.json"), "--precision", "6", "--out", fixed]
  await ok("compile", join(base, "model.onnx"), ...samples)
  expect((await run("commit", fixed)).stderr).toMatch(/not private: there is nothing to commit to/)
  expect((await run("commit", folder, "--check", "--again")).stderr).toMatch(/exclude each other/)
})
