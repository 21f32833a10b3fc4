/** `calldata`, `export key` and `export solidity`: what they write, and what they refuse. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Interface } from "ethers"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  keyDigest,
  parseReceipt,
  parseVerificationKey,
  registrationCall,
  solidityKey,
  verificationCall,
} from "#src/verifier/index.js"
import { compileSolidity } from "../../contracts/compile.js"
import { artifact } from "../support/chain.js"
import { run, writeModel, writeSamples } from "../support/cli.js"
import { edit } from "../support/groth16-oracle.js"

const context = `0x${"c0".repeat(32)}`
let folder: string
const path = (name: string) => join(folder, name)
const read = (name: string) => JSON.parse(readFileSync(path(name), "utf8"))

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-test-"))
  writeModel(path("model.onnx"), 2)
  writeSamples(path("samples.json"))
  writeFileSync(path("input.json"), JSON.stringify({ inputs: { x: [0.5, -0.5, 0.25] } }))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const calldata = (receipt: string, key: string, ...more: string[]) =>
  run("calldata", path(receipt), "--key", path(`${key}/verification.json`), ...more)

describe.each(["mirage", "groth16"] as const)("on chain, %s", (system) => {
  const receipt = `${system}.receipt.json`
  let setup: Awaited<ReturnType<typeof run>>
  beforeAll(async () => {
    const [samples, out] = [path("samples.json"), path(system)]
    await run("compile", path("model.onnx"), "--samples", samples, "--out", out, "--proof-system", system)
    setup = await run("setup", out, "--dev", "--json")
    await run("prove", out, path("input.json"), "--out", path(receipt), "--context", context)
  })

  it("writes the call of a valid receipt", async () => {
    const key = parseVerificationKey(read(`${system}/verification.json`))
    expect(setup.json.key).toBe(keyDigest(key))
    const { code, json } = await calldata(receipt, system, "--context", context, "--allow-dev", "--json")
    const call = verificationCall(parseReceipt(read(receipt)), key, { allowDev: true })
    const decimals = (x: unknown): unknown => (Array.isArray(x) ? x.map(decimals) : `${x}`)
    expect({ code, json }).toMatchObject({
      code: 0,
      json: { function: call.function, args: decimals(call.args), data: call.data, context, setup: "dev" },
    })
    // what stands there is what ethers needs to make the same call
    const { abi } = artifact(json.contract as string)
    expect(new Interface(abi).encodeFunctionData(call.function, json.args as unknown[])).toBe(call.data)
  })

  it("writes no call of a receipt that is not valid, nor without saying what it must be", async () => {
    const values = { y: read(receipt).statement.output.values.y.map((x: string) => `${BigInt(x) + 1n}`) }
    writeFileSync(
      path("forged.json"),
      JSON.stringify(edit(read(receipt), ["statement", "output", "values"], values)),
    )
    const another = `0x${"c1".repeat(32)}`
    for (const [file, code, ...more] of [
      ["forged.json", 1, "--context", context, "--allow-dev"],
      [receipt, 1, "--context", another, "--allow-dev"],
      [receipt, 1, "--context", context],
      [receipt, 2, "--allow-dev"],
      [receipt, 2, "--context", context, "--allow-dev", "--key-digest", another],
    ] as const) {
      const outcome = await calldata(file, system, ...more, "--json")
      expect(outcome.code, more.join(" ")).toBe(code)
      expect(outcome.json).not.toHaveProperty("data")
    }
    const other = system === "mirage" ? "groth16" : "mirage"
    if (existsSync(path(other)))
      expect((await calldata(receipt, other, "--context", context, "--allow-dev")).code).toBe(1)
  })

  it("exports the key for its registration, and as a library", async () => {
    const key = parseVerificationKey(read(`${system}/verification.json`))
    for (const [what, out] of [
      ["key", "key.json"],
      ["solidity", "my-model.sol"],
    ]) {
      expect((await run("export", what, path(system), "--out", path(out))).code).toBe(2)
      expect(existsSync(path(out))).toBe(false)
      const exported = await run("export", what, path(system), "--out", path(out), "--allow-dev")
      expect(exported.code, exported.stderr).toBe(0)
    }
    const { args, function: name, data } = registrationCall(key, { allowDev: true })
    expect(read("key.json")).toEqual({
      key: keyDigest(key),
      model: key.model,
      proofSystem: system,
      setup: "dev",
      blob: solidityKey(key),
      function: name,
      data,
    })
    expect(args).toEqual([solidityKey(key)])
    const library = readFileSync(path("my-model.sol"), "utf8")
    expect(library).toContain(`KEY = ${keyDigest(key)};`)
    expect(() => compileSolidity({ "my-model.sol": library }, "MyModel")).not.toThrow()
    for (const out of ["key.json", "my-model.sol"]) rmSync(path(out))
  })
})
