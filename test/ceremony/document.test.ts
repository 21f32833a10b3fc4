/** The ceremony of docs/CEREMONY.md, as it stands there; in the full run every command is a process of its own. */
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { keyDigest, parseVerificationKey, verify } from "#src/verifier/index.js"
import { run, script, writeModel, writeSamples } from "../support/cli.js"
import { contributedPtau, tauSecrets } from "../support/ptau.js"

const text = readFileSync(new URL("../../docs/CEREMONY.md", import.meta.url), "utf8")
const block = /```sh\n([\s\S]*?)```/.exec(text)?.[1] ?? ""
const value = (name: string) => new RegExp(`^${name}=(0x[0-9a-f]+)$`, "m").exec(block)?.[1] ?? ""

let folder: string
const path = (name: string) => join(folder, name)
const json = (name: string) => JSON.parse(readFileSync(path(name), "utf8"))
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-test-"))
  writeModel(path("model.onnx"), 2)
  writeSamples(path("samples.json"))
  writeFileSync(path("input.json"), JSON.stringify({ inputs: { x: [0.5, -0.5, 0.25] } }))
  writeFileSync(path("powers.ptau"), await contributedPtau(7))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it("gives a key that three people and a beacon made, that public files show to be right, and that needs no flag", async () => {
  const { code, stderr } = await script(`set -e\ncd "${folder}"\n${block}`)
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" })

  const verificationKey = parseVerificationKey(json("public/verification.json"))
  const contributors = ["Alice", "Bob", "Carol"]
  const beacon = { value: value("BEACON"), iterations: 10 }
  expect(verificationKey.setup).toMatchObject({ contributors, beacon })
  const [receipt, context] = [json("receipt.json"), value("CONTEXT")]
  expect(verify(receipt, { verificationKey, model: verificationKey.model, context })).toBe(true)
  expect(json("key.json")).toMatchObject({ key: keyDigest(verificationKey), function: "registerKey(bytes)" })
  expect(readFileSync(path("Model.sol"), "utf8")).toContain("bool internal constant DEV = false;")
  const key = ["--key", path("public/verification.json")]
  const said = await run("verify", path("receipt.json"), ...key, "--context", context)
  expect(said.stdout).toContain(
    "made by  a ceremony of 3 contributors (Alice, Bob, Carol) and a beacon, on powers of tau 0x",
  )
}, 400_000)

it("is verified by whoever has the public files and nothing else, who sees when one is another", async () => {
  const elsewhere = mkdtempSync(join(tmpdir(), "countersign-test-"))
  try {
    for (const name of ["public", "powers.ptau"]) renameSync(path(name), join(elsewhere, name))
    const files = join(elsewhere, "public")
    const named = readdirSync(files).sort()
    expect(named).toEqual(["circuit.json", "model.bin", "proving.key", "verification.json"])
    const ptau = ["--ptau", join(elsewhere, "powers.ptau")]
    expect((await run("setup", "verify", files, ...ptau, "--json")).code).toBe(0)
    const key = join(files, "proving.key")
    const bytes = readFileSync(key)
    const honest = bytes.slice()
    bytes[bytes.length >> 1] ^= 1
    writeFileSync(key, bytes)
    expect((await run("setup", "verify", files, ...ptau)).code).not.toBe(0)
    writeFileSync(key, honest)
    writeFileSync(
      join(elsewhere, "powers.ptau"),
      await contributedPtau(7, { secrets: { ...tauSecrets, tau: tauSecrets.tau + 1n } }),
    )
    expect((await run("setup", "verify", files, ...ptau)).code).not.toBe(0)
  } finally {
    rmSync(elsewhere, { recursive: true, force: true })
  }
})
