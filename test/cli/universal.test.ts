/** PLONK and FFLONK on the command line: from a model and powers of tau to a call on chain, and what they have not. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { parseReceipt, parseVerificationKey, verificationCall } from "#src/verifier/index.js"
import { isFull } from "../support/amount.js"
import { run, writeModel, writeSamples } from "../support/cli.js"
import { contributedPtau } from "../support/ptau.js"

const context = `0x${"c0".repeat(32)}`
let folder: string
const path = (name: string) => join(folder, name)
const read = (name: string) => JSON.parse(readFileSync(path(name), "utf8"))

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-test-"))
  writeModel(path("model.onnx"), 2)
  writeSamples(path("samples.json"))
  writeFileSync(path("input.json"), JSON.stringify({ inputs: { x: [0.5, -0.5, 0.25] } }))
  writeFileSync(path("small.ptau"), await contributedPtau(4))
  writeFileSync(path("powers.ptau"), await contributedPtau(11))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.each(["plonk", "fflonk"] as const)("%s", (system) => {
  // the commands do not know one from the other: what they verify and audit is asked of both in systems/universal
  const again = it.skipIf(system === "fflonk" && !isFull)
  const out = () => path(system)
  const receipt = () => path(`${system}.receipt.json`)
  const verify = (...more: string[]) =>
    run("verify", receipt(), "--key", join(out(), "verification.json"), "--context", context, ...more)

  it("goes from a model to a receipt that is valid without a word about development", async () => {
    const compiled = await run(
      ...["compile", path("model.onnx"), "--samples", path("samples.json"), "--out", out()],
      ...["--precision", "6", "--proof-system", system, "--json"],
    )
    expect(compiled).toMatchObject({ code: 0, json: { proofSystem: system } })
    const few = await run("setup", out(), "--ptau", path("small.ptau"))
    expect(few).toMatchObject({ code: 2, stderr: expect.stringMatching(/power \d+ or more/) })
    const setup = await run("setup", out(), "--ptau", path("powers.ptau"), "--json")
    expect(setup).toMatchObject({ code: 0, json: { domain: compiled.json.domain } })
    const made = await run(
      "prove",
      out(),
      path("input.json"),
      "--out",
      receipt(),
      "--context",
      context,
      "--json",
    )
    expect(made).toMatchObject({ code: 0, json: { proofBytes: system === "plonk" ? 768 : 736 } })
    const valid = await verify("--json")
    expect(valid).toMatchObject({
      code: 0,
      json: { valid: true, key: { proofSystem: system, setup: { power: 11 } } },
    })
    expect((await verify()).stdout).toMatch(/made by {2}powers of tau 0x.* alone.*setup verify/)
  })

  again("has keys that anyone makes again", async () => {
    const verified = await run("setup", "verify", out(), "--ptau", path("powers.ptau"), "--json")
    expect(verified).toMatchObject({ code: 0, json: { valid: true } })
    const audited = await run("audit", out(), "--json")
    expect(audited).toMatchObject({ code: 0, json: { valid: true } })
    const file = path(`${system}/proving.key`)
    const bytes = readFileSync(file)
    const changed = Buffer.from(bytes)
    // in a selector, which nobody looks at before it is compared
    changed[Math.floor(bytes.length / 4)] ^= 1
    writeFileSync(file, changed)
    const refused = await run("setup", "verify", out(), "--ptau", path("powers.ptau"))
    expect(refused).toMatchObject({ code: 1, stdout: expect.stringMatching(/section \d+ is not what/) })
    const forged = await run("audit", out(), "--json")
    expect(forged).toMatchObject({
      code: 2,
      json: { error: { message: expect.stringMatching(/section \d+ is not what/) } },
    })
    writeFileSync(file, bytes)
  })

  it("says no to a forged receipt, exit code 1", async () => {
    const original = readFileSync(receipt(), "utf8")
    const forged = JSON.parse(original)
    const { y } = forged.statement.output.values
    y[0] = `${BigInt(y[0]) + 1n}`
    writeFileSync(receipt(), JSON.stringify(forged))
    expect(await verify("--json")).toMatchObject({ code: 1, json: { valid: false } })
    writeFileSync(receipt(), original)
  })

  it("writes call and contract", async () => {
    const key = join(out(), "verification.json")
    const call = await run("calldata", receipt(), "--key", key, "--context", context, "--json")
    const expected = verificationCall(
      parseReceipt(read(`${system}.receipt.json`)),
      parseVerificationKey(read(`${system}/verification.json`)),
    )
    expect(call).toMatchObject({ code: 0, json: { function: expected.function, data: expected.data } })
    const source = path(`${system}.sol`)
    expect((await run("export", "solidity", out(), "--out", source)).code).toBe(0)
    expect(readFileSync(source, "utf8")).toContain(`contract ${call.json.contract} is`)
    const r1cs = await run("export", "r1cs", out(), "--out", path("plain.r1cs"))
    expect(r1cs.code).toBe(0)
    expect(await run("export", "key", out(), "--out", path("key.json"))).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/a contract of its own/),
    })
  })

  it("has no phase 2 and no commitments", async () => {
    for (const more of [
      ["contribute", "--name", "Bob"],
      ["beacon", "--value", "0x0a0b", "--iterations", "10"],
    ]) {
      const [verb, ...rest] = more
      const refused = await run("setup", verb, out(), ...rest)
      expect(refused, verb).toMatchObject({ code: 2, stderr: expect.stringMatching(/no phase 2/) })
    }
    const accept = ["setup", "accept", out(), path(`${system}/proving.key`), "--ptau", path("powers.ptau")]
    expect(await run(...accept)).toMatchObject({ code: 2, stderr: expect.stringMatching(/no phase 2/) })
    const committed = await run(
      ...["compile", path("model.onnx"), "--samples", path("samples.json"), "--out", path("other")],
      ...["--proof-system", system, "--output", "committed"],
    )
    expect(committed).toMatchObject({ code: 2, stderr: expect.stringMatching(/no commitments/) })
    expect((await run("inspect", out())).code).toBe(0)
  })
})
