/** The commands from model to receipt: what each says with --json, what it leaves, and how it refuses. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { rebuildCircuit } from "#src/compile/description.js"
import { type Outcome, runAlone, writeModel, writeSamples } from "../support/cli.js"

const context = `0x${"c0".repeat(32)}`
const input = [0.5, -0.5, 0.25]
let folder: string
const path = (name: string) => join(folder, name)
const read = (name: string) => JSON.parse(readFileSync(path(name), "utf8"))

const compile = (model: string, out: string, ...more: string[]) =>
  runAlone("compile", path(model), "--samples", path("samples.json"), "--out", path(out), "--json", ...more)
const prove = (circuit: string, receipt: string, ...more: string[]) =>
  runAlone("prove", path(circuit), path("input.json"), "--out", path(receipt), ...more)
const verify = (receipt: string, ...more: string[]) =>
  runAlone("verify", path(receipt), "--key", path("made/verification.json"), "--json", ...more)

/** What the first three commands said; the other tests work on what they left in `made`. */
let compiled: Outcome
let ready: Outcome
let proved: Outcome
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-test-"))
  writeModel(path("model.onnx"), 2)
  writeModel(path("other.onnx"), 3)
  writeSamples(path("samples.json"))
  writeFileSync(path("input.json"), JSON.stringify({ inputs: { x: input } }))
  writeFileSync(path("ezkl.json"), JSON.stringify({ input_data: [input] }))
  writeFileSync(path("nan.json"), '{"inputs":{"x":[0,0,null]}}')
  writeFileSync(path("broken.onnx"), readFileSync(path("model.onnx")).subarray(0, 100))
  compiled = await compile("model.onnx", "made")
  ready = await runAlone("setup", path("made"), "--dev", "--json")
  proved = await prove("made", "receipt.json", "--context", context, "--json")
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("compile", () => {
  it("reports the circuit and how accurate it is on the samples", () => {
    const count = expect.any(Number)
    expect(compiled).toMatchObject({
      code: 0,
      json: {
        model: expect.stringMatching(/^0x[0-9a-f]{64}$/),
        proofSystem: "mirage",
        precision: count,
        constraints: count,
        domain: count,
        lookups: count,
        nonzeros: count,
        accuracy: { samples: 11 },
        ms: expect.anything(),
      },
    })
  })

  it("leaves what a page rebuilds the circuit from", async () => {
    const [circuit, gadgets] = [read("made/circuit.json"), read("made/gadgets.json")]
    const rebuilt = await rebuildCircuit({ model: readFileSync(path("made/model.bin")), circuit, gadgets })
    expect(rebuilt.model).toBe(compiled.json.model)
  })

  it("does not overwrite a folder that holds another model", async () => {
    const before = readFileSync(path("made/circuit.json"), "utf8")
    const { code, stdout } = await compile("other.onnx", "made")
    expect({ code, stdout }).toEqual({
      code: 2,
      stdout: expect.stringContaining("already holds another model"),
    })
    expect(readFileSync(path("made/circuit.json"), "utf8")).toBe(before)
  })

  it("may be done again for the model that the folder holds", async () => {
    cpSync(path("made"), path("again"), { recursive: true })
    expect((await compile("model.onnx", "again")).code).toBe(0)
  })
})

it("setup reports how large the keys are", () => {
  const bytes = expect.any(Number)
  expect(ready.json).toMatchObject({ setup: "dev", provingKeyBytes: bytes, verificationKeyBytes: bytes })
})

it("prove reports how large the proof is, and what it took", () => {
  const time = expect.any(Number)
  expect(proved.json).toMatchObject({ proofBytes: 320, ms: { witness: time, prove: time, total: time } })
})

describe("verify", () => {
  it("accepts the receipt for its context where a development key is allowed", async () => {
    const outcome = await verify("receipt.json", "--context", context, "--allow-dev")
    expect(outcome).toMatchObject({ code: 0, json: { valid: true, reason: null } })
  })

  const invalid = (part: string) => ({
    code: 1,
    json: { valid: false, reason: expect.stringContaining(part) },
  })

  it("refuses a development key that is not allowed", async () => {
    expect(await verify("receipt.json", "--context", context)).toMatchObject(invalid("development key"))
  })

  it("refuses a context where none should be", async () => {
    expect(await verify("receipt.json", "--no-context", "--allow-dev")).toMatchObject(invalid("context"))
  })

  it("refuses a receipt with a field too many", async () => {
    writeFileSync(path("extra.json"), JSON.stringify({ ...read("receipt.json"), extra: 1 }))
    expect(await verify("extra.json", "--context", context, "--allow-dev")).toMatchObject(invalid("extra"))
  })
})

describe("run", () => {
  it("gives the integers that the receipt shows", async () => {
    const { json } = await runAlone("run", path("made"), path("input.json"), "--json")
    const { y } = json.integers as { y: number[] }
    expect(y.map(String)).toEqual(read("receipt.json").statement.output.values.y)
  })

  it("gives the real numbers, one an output", async () => {
    const { json } = await runAlone("run", path("made"), path("input.json"), "--json")
    expect((json.outputs as { y: number[] }).y).toEqual([expect.any(Number), expect.any(Number)])
  })

  it("takes an input in EZKL's form for the same", async () => {
    const [ours, theirs] = await Promise.all(
      ["input.json", "ezkl.json"].map((name) => runAlone("run", path("made"), path(name), "--json")),
    )
    expect(theirs.json.integers).toEqual(ours.json.integers)
  })
})

describe("inspect", () => {
  it("counts as many constraints as compile, and has each at a node", async () => {
    const { json } = await runAlone("inspect", path("made"), "--json")
    const { nodes, totals } = json as Record<"totals", { constraints: number }> &
      Record<"nodes", { constraints: number }[]>
    expect(totals.constraints).toBe(compiled.json.constraints)
    expect(nodes.reduce((sum, node) => sum + node.constraints, 0)).toBe(totals.constraints)
  })

  it("refuses a damaged model", async () => {
    cpSync(path("made"), path("damaged-model"), { recursive: true })
    const model = readFileSync(path("made/model.bin"))
    model[model.length - 20] ^= 1
    writeFileSync(path("damaged-model/model.bin"), model)
    const { code, stderr } = await runAlone("inspect", path("damaged-model"))
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining("model.bin: the model is not the one that was compiled"),
    })
  })
})

it("audit finds nothing that a forger could use", async () => {
  const outcome = await runAlone("audit", path("made"), "--json")
  expect(outcome).toMatchObject({ code: 0, json: { valid: true, refused: expect.any(Number) } })
})

describe("export", () => {
  it.each(["r1cs", "circom", "solidity"])("writes %s", async (what) => {
    const out = path(`out.${what}`)
    const { code, stderr } = await runAlone(
      "export",
      what,
      path("made"),
      "--out",
      out,
      "--allow-dev",
      "--json",
    )
    expect(code, stderr).toBe(0)
    expect(readFileSync(out).length).toBeGreaterThan(0)
  })

  it("writes no library of a development key that is not allowed", async () => {
    const { code, stderr } = await runAlone("export", "solidity", path("made"), "--out", path("no.sol"))
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining("Accept it with --allow-dev"),
    })
  })
})

it("prove refuses a key that was cut", async () => {
  cpSync(path("made"), path("cut"), { recursive: true })
  writeFileSync(path("cut/proving.key"), readFileSync(path("made/proving.key")).subarray(0, -7))
  const { code, stderr } = await prove("cut", "none.json", "--no-context")
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("truncated section table") })
})

describe("bad input ends with code 2, nothing on standard output, and what to do", () => {
  const compiling = (model: string, ...more: string[]) => [
    ...["compile", path(model), "--samples", path("samples.json"), "--out", path("x")],
    ...more,
  ]
  beforeAll(() => {
    cpSync(path("made"), path("no-keys"), { recursive: true })
    for (const name of ["proving.key", "verification.json"]) rmSync(path(`no-keys/${name}`))
  })

  it.each<[what: string, message: RegExp, args: () => string[]]>([
    ["a model that was cut", /broken\.onnx/, () => compiling("broken.onnx")],
    ["a model that is not there", /does not exist/, () => compiling("missing.onnx")],
    ["a precision out of range", /precision/, () => compiling("model.onnx", "--precision", "40")],
    [
      "an unknown visibility",
      /private or public or committed/,
      () => compiling("model.onnx", "--input", "shown"),
    ],
    ["setup of no circuit", /countersign compile/, () => ["setup", path("nowhere"), "--dev"]],
    [
      "prove without keys",
      /countersign setup/,
      () => ["prove", path("no-keys"), path("input.json"), "--out", path("r"), "--no-context"],
    ],
    [
      "an input that is no number",
      /nan\.json\.inputs\.x\[2\]: not a finite number/,
      () => ["run", path("made"), path("nan.json")],
    ],
    ["an unknown command", /unknown command/, () => ["frobnicate"]],
    [
      "an unknown format",
      /circom, r1cs, solidity or key/,
      () => ["export", "pdf", path("made"), "--out", path("x")],
    ],
  ])("%s", async (_, message, args) => {
    const { code, stdout, stderr } = await runAlone(...args())
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: "", stderr: expect.stringMatching(message) })
  })
})
