/** What commands say of how a key was made, and which keys they refuse for it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { keyDigest, type Provenance, type VerificationKey } from "#src/verifier/index.js"
import { run, writeModel, writeSamples } from "../support/cli.js"
import { layoutOf, mirageOracle, statementOf } from "../support/mirage-oracle.js"
import { ceremony, uncontributed } from "../support/provenances.js"

let folder: string
const path = (name: string) => join(folder, name)
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "countersign-test-"))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A key file, and a receipt that is valid under it. */
function made(setup: Provenance): { key: VerificationKey; options: string[] } {
  const { key, receipt } = mirageOracle(layoutOf("public"), { setup })
  const honest = receipt(statementOf(key))
  writeFileSync(path("verification.json"), JSON.stringify(key))
  writeFileSync(path("receipt.json"), JSON.stringify(honest))
  const options = ["--key", path("verification.json"), "--context", honest.statement.context]
  return { key, options: [path("receipt.json"), ...options] }
}

describe("a ceremony's key", () => {
  it("is accepted as it is; who made it, and what would check that, is said", async () => {
    const { key, options } = made(ceremony)
    const { code, stdout } = await run("verify", ...options)
    expect(code).toBe(0)
    expect(stdout).toContain(
      "made by  a ceremony of 3 contributors (Alice, Bob, Caroline Ж.) and a beacon, on powers of tau " +
        "0xa0a0a0a0…b1b1b1b1; `countersign setup verify` checks that\n" +
        `         transcript 0x${"d3".repeat(32)}\n`,
    )
    const { json } = await run("verify", ...options, "--json")
    expect(json).toMatchObject({ valid: true, key: { digest: keyDigest(key), setup: ceremony } })
    const called = await run("calldata", ...options, "--json")
    expect(called.json).toMatchObject({
      setup: ceremony,
      function: expect.stringMatching(/^verifyInference\(/),
    })
    for (const [what, out] of [
      ["key", "key.json"],
      ["solidity", "Key.sol"],
    ])
      expect((await run("export", what, folder, "--out", path(out))).code).toBe(0)
    const exported = JSON.parse(readFileSync(path("key.json"), "utf8"))
    expect(exported).toMatchObject({ setup: ceremony, function: "registerKey(bytes)", key: keyDigest(key) })
    expect(readFileSync(path("Key.sol"), "utf8")).toContain("CONTRIBUTORS = 3;")
  })

  it("that nobody contributed to is refused, unless that is asked for", async () => {
    const { options } = made(uncontributed)
    const refused = await run("verify", ...options)
    expect(refused.code).toBe(1)
    expect(refused.stdout).toContain(
      "not valid: nobody contributed to this key: anyone can forge receipts; accept it with --allow-dev",
    )
    expect((await run("verify", ...options, "--allow-dev")).code).toBe(0)
    expect((await run("calldata", ...options)).code).toBe(1)
    const called = await run("calldata", ...options, "--allow-dev", "--json")
    expect(called.json.function).toMatch(/^verifyDevInference\(/)
    for (const what of ["key", "solidity"]) {
      const { code, stderr } = await run("export", what, folder, "--out", path(`out.${what}`))
      expect({ code, stderr }).toEqual({
        code: 2,
        stderr: expect.stringContaining("Accept it with --allow-dev"),
      })
      expect((await run("export", what, folder, "--out", path(`out.${what}`), "--allow-dev")).code).toBe(0)
    }
  })
})

it("inspect says of a folder's key how it was made, or that there is none", async () => {
  writeModel(path("model.onnx"), 2)
  writeSamples(path("samples.json"))
  const dir = path("dir")
  await run("compile", path("model.onnx"), "--samples", path("samples.json"), "--out", dir)
  expect((await run("inspect", dir)).stdout).toMatch(/\nno key\n?$/)
  expect((await run("inspect", dir, "--json")).json.key).toBe(null)
  const { key } = made(ceremony)
  writeFileSync(join(dir, "verification.json"), JSON.stringify(key))
  const { stdout } = await run("inspect", dir)
  expect(stdout).toContain(
    `key      ${keyDigest(key)} (of another model)\nmade by  a ceremony of 3 contributors (Alice, Bob,`,
  )
  const { model } = key
  expect((await run("inspect", dir, "--json")).json.key).toEqual({
    digest: keyDigest(key),
    model,
    setup: ceremony,
  })
  await run("setup", dir, "--dev", "--force")
  expect((await run("inspect", dir)).stdout).toMatch(/\nkey {6}0x\w{64}\nmade by {2}a development setup/)
})
