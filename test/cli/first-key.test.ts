/** `setup --ptau`: what it leaves in a folder, what it says, and what it refuses. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { run, writeModel, writeSamples } from "../support/cli.js"
import { contributedPtau } from "../support/ptau.js"

let folder: string
let domain: number
const path = (...names: string[]) => join(folder, ...names)
const power = () => Math.ceil(Math.log2(domain))
const setupFrom = (file: string, ...more: string[]) =>
  run("setup", path("made"), "--ptau", path(file), ...more)
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-first-"))
  writeModel(path("model.onnx"), 2)
  writeSamples(path("samples.json"))
  const compiled = await run(
    ...["compile", path("model.onnx"), "--samples", path("samples.json"), "--out", path("made"), "--json"],
  )
  domain = compiled.json.domain as number
  writeFileSync(path("powers.ptau"), await contributedPtau(power()))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it("checks the powers, makes a proving key, and says what comes next", async () => {
  const made = await setupFrom("powers.ptau", "--json")
  expect(made).toMatchObject({
    code: 0,
    json: {
      setup: "ceremony",
      ptau: { power: power(), name: null, contributions: 1 },
      domain,
      provingKeyBytes: readFileSync(path("made", "proving.key")).length,
      key: null,
    },
  })
  expect(existsSync(path("made", "verification.json"))).toBe(false)
  expect(readdirSync(folder)).toContain(`powers.ptau.lagrange-${domain}`)
  const first = readFileSync(path("made", "proving.key"))
  const kept = await setupFrom("powers.ptau")
  expect(kept).toMatchObject({ code: 2, stderr: expect.stringMatching(/there are keys already/) })
  const again = await setupFrom("powers.ptau", "--force")
  expect(again.stdout).toMatch(/no ceremony that is known here.*of 1 contributions/)
  expect(again.stdout).toMatch(/\nNext: countersign setup contribute .*made --name NAME/)
  expect(Buffer.compare(readFileSync(path("made", "proving.key")), first)).toBe(0)
})

it("takes a verification key away that is none of the new key", async () => {
  expect((await run("setup", path("made"), "--dev", "--force")).code).toBe(0)
  expect(existsSync(path("made", "verification.json"))).toBe(true)
  expect((await setupFrom("powers.ptau", "--force")).code).toBe(0)
  expect(existsSync(path("made", "verification.json"))).toBe(false)
})

it("refuses powers that are too few, wrong, or not there, and leaves the folder as it was", async () => {
  const before = readFileSync(path("made", "proving.key"))
  writeFileSync(path("small.ptau"), await contributedPtau(power() - 1))
  const bytes = readFileSync(path("powers.ptau"))
  // the fourth point of τ in G1, behind the header
  bytes.copyWithin(12 + 12 + 44 + 12 + 3 * 64, 12 + 12 + 44 + 12 + 2 * 64, 12 + 12 + 44 + 12 + 3 * 64)
  writeFileSync(path("wrong.ptau"), bytes)
  for (const [file, words] of [
    ["small.ptau", new RegExp(`power ${power()} or more; given power ${power() - 1}`)],
    ["wrong.ptau", /tauG1/],
    ["none.ptau", /does not exist/],
  ] as const) {
    const refused = await setupFrom(file, "--force")
    expect(refused, file).toMatchObject({ code: 2, stdout: "" })
    expect(refused.stderr, file).toMatch(words)
  }
  expect(Buffer.compare(readFileSync(path("made", "proving.key")), before)).toBe(0)
})

it("asks how keys are made", async () => {
  for (const options of [[], ["--dev", "--ptau", path("powers.ptau")]])
    expect(await run("setup", path("made"), "--force", ...options)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/either --ptau FILE or --dev/),
    })
})
