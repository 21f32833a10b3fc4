/** A policy proven by the circuit, on the command line: compiled in, shown by a receipt, audited against the document. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { documentDigest, predicateName } from "#src/attest/index.js"
import { run, writeModel, writeSamples } from "../support/cli.js"

let folder: string
const path = (name: string) => join(folder, name)
const document = {
  version: 1 as const,
  name: "a margin",
  inputs: [],
  outputs: [],
  abstain: { tensor: "y", margin: 0.01 },
  signOffs: [],
  tolerance: { absolute: 0, relative: 0 },
  disputes: [],
  retentionDays: 184,
  finality: "none" as const,
}
const other = { ...document, abstain: { tensor: "y", margin: 0.02 } }
const bit = predicateName(documentDigest(document))
const write = (name: string, content: unknown) => writeFileSync(path(name), JSON.stringify(content))
const compileTo = (out: string, ...more: string[]) =>
  run("compile", path("model.onnx"), "--samples", path("samples.json"), "--out", path(out), ...more)

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "countersign-within-"))
  writeModel(path("model.onnx"), 2)
  writeSamples(path("samples.json"))
  write("input.json", { inputs: { x: [0.5, -0.5, 0.25] } })
  write("policy.json", document)
  write("other.json", other)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it("a receipt shows the bit beside the commitment, and an audit whose bit it is", async () => {
  const policy = path("policy.json")
  const made = await compileTo("made", "--within", policy, "--output", "committed")
  expect(made.stdout).toMatch(new RegExp(`^proves {7}${bit}$`, "m"))
  expect(made).toMatchObject({ code: 0 })
  // the same again is no other model
  expect(await compileTo("made", "--within", policy, "--output", "committed")).toMatchObject({ code: 0 })
  for (const more of [[], ["--within", path("other.json")]]) {
    const refused = await compileTo("made", "--output", "committed", ...more)
    expect(refused.stderr).toMatch(/already holds another model/)
    expect(refused.code).toBe(2)
  }
  expect(await run("setup", path("made"), "--dev")).toMatchObject({ code: 0 })
  const proved = await run(
    "prove",
    path("made"),
    path("input.json"),
    "--out",
    path("receipt.json"),
    "--no-context",
    "--salts",
    path("salts.json"),
  )
  expect(proved.code, proved.stderr).toBe(0)
  const key = path("made/verification.json")
  const verified = await run("verify", path("receipt.json"), "--key", key, "--allow-dev", "--no-context")
  expect(verified.code).toBe(0)
  expect(verified.stdout).toMatch(new RegExp(`^output   "?${bit}"? \\[1\\]: 1$`, "m"))
  expect(verified.stdout).toMatch(/^output {3}commitment 0x/m)
  const checked = await run("policy", "check", policy, "--key", key, "--json")
  expect(checked.json).toMatchObject({ bounds: 1, proven: true, unchecked: [] })
  const elsewhere = await run("policy", "check", path("other.json"), "--key", key, "--json")
  expect(elsewhere.json).toMatchObject({ bounds: 0, proven: false, unchecked: ['margin of output "y"'] })

  const audited = await run("audit", path("made"), "--policy", policy)
  expect(audited.stdout).toMatch(/^policy {3}proven: .* 0x[0-9a-f]{64} /m)
  expect(audited.code).toBe(0)
  const wrong = await run("audit", path("made"), "--policy", path("other.json"), "--json")
  expect(wrong).toMatchObject({ code: 1, json: { valid: false, within: { problem: expect.any(String) } } })
})

it("a policy that says nothing of the model is refused before anything is written", async () => {
  write("nothing.json", { ...document, abstain: null })
  const refused = await compileTo("refused", "--within", path("nothing.json"))
  expect(refused.stderr).toMatch(/nothing to prove/)
  expect(refused.code).toBe(2)
  write("broken.json", { ...document, version: 2 })
  expect((await compileTo("refused", "--within", path("broken.json"))).stderr).toMatch(/version/)
})
