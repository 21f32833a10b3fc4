import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { rebuildCircuit } from "#src/compile/description.js"
import { run, writeModel, writeSamples } from "../support/cli.js"

const context = `0x${"c0".repeat(32)}`
let folder: string
const path = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-test-"))
  writeModel(path("model.onnx"), 2)
  writeModel(path("other.onnx"), 3)
  writeSamples(path("samples.json"))
  writeFileSync(path("input.json"), JSON.stringify({ inputs: { x: [0.5, -0.5, 0.25] } }))
  writeFileSync(path("ezkl.json"), JSON.stringify({ input_data: [[0.5, -0.5, 0.25]] }))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const compile = (model: string, out: string, ...more: string[]) =>
  run("compile", path(model), "--samples", path("samples.json"), "--out", path(out), "--json", ...more)

describe("the command line", () => {
  it("takes a model from file to a verified receipt, with the documented JSON fields", async () => {
    const compiled = await compile("model.onnx", "dir")
    expect(compiled.code, compiled.stderr).toBe(0)
    for (const field of [
      "model",
      "proofSystem",
      "precision",
      "constraints",
      "domain",
      "lookups",
      "nonzeros",
      "accuracy",
      "ms",
    ]) {
      expect(compiled.json).toHaveProperty(field)
    }
    expect(compiled.json.accuracy).toMatchObject({ samples: 11 })
    // what a page rebuilds the circuit from
    const [circuit, gadgets] = ["circuit.json", "gadgets.json"].map((name) =>
      JSON.parse(readFileSync(path(`dir/${name}`), "utf8")),
    )
    const rebuilt = await rebuildCircuit({ model: readFileSync(path("dir/model.bin")), circuit, gadgets })
    expect(rebuilt.model).toBe(compiled.json.model)
    const setup = await run("setup", path("dir"), "--dev", "--json")
    expect(setup.json).toMatchObject({
      setup: "dev",
      provingKeyBytes: expect.any(Number),
      verificationKeyBytes: expect.any(Number),
    })
    const proved = await run(
      "prove",
      path("dir"),
      path("input.json"),
      "--out",
      path("receipt.json"),
      "--context",
      context,
      "--json",
    )
    expect(proved.json).toMatchObject({
      proofBytes: 320,
      ms: { witness: expect.any(Number), prove: expect.any(Number), total: expect.any(Number) },
    })
    const verify = (...more: string[]) =>
      run("verify", path("receipt.json"), "--key", path("dir/verification.json"), "--json", ...more)
    expect(await verify("--context", context, "--allow-dev")).toMatchObject({
      code: 0,
      json: { valid: true, reason: null },
    })
    expect(await verify("--context", context)).toMatchObject({
      code: 1,
      json: { valid: false, reason: expect.stringContaining("development key") },
    })
    expect(await verify("--allow-dev", "--no-context")).toMatchObject({
      code: 1,
      json: { valid: false, reason: expect.stringContaining("context") },
    })
    const receipt = JSON.parse(readFileSync(path("receipt.json"), "utf8"))
    const ran = await run("run", path("dir"), path("ezkl.json"), "--json")
    expect((ran.json.integers as { y: number[] }).y.map(String)).toEqual(receipt.statement.output.values.y)
    expect((ran.json.outputs as { y: number[] }).y).toHaveLength(2)
    receipt.extra = 1
    writeFileSync(path("extra.json"), JSON.stringify(receipt))
    const extra = await run(
      "verify",
      path("extra.json"),
      "--key",
      path("dir/verification.json"),
      "--context",
      context,
      "--allow-dev",
      "--json",
    )
    expect(extra).toMatchObject({ code: 1, json: { valid: false, reason: expect.stringContaining("extra") } })
    const inspected = await run("inspect", path("dir"), "--json")
    const { nodes, totals } = inspected.json as {
      nodes: { constraints: number }[]
      totals: { constraints: number }
    }
    expect(nodes.reduce((sum, node) => sum + node.constraints, 0)).toBe(totals.constraints)
    expect(totals.constraints).toBe(compiled.json.constraints)
    const audited = await run("audit", path("dir"), "--json")
    expect(audited).toMatchObject({ code: 0, json: { valid: true, refused: expect.any(Number) } })
    for (const what of ["r1cs", "circom", "solidity"]) {
      const exported = await run(
        "export",
        what,
        path("dir"),
        "--out",
        path(`out.${what}`),
        "--allow-dev",
        "--json",
      )
      expect(exported.code, exported.stderr).toBe(0)
    }
    expect((await run("export", "solidity", path("dir"), "--out", path("no.json"))).code).toBe(2)
  })

  it("does not overwrite a folder that holds another model", async () => {
    expect((await compile("model.onnx", "keep")).code).toBe(0)
    const before = readFileSync(path("keep/circuit.json"), "utf8")
    const second = await compile("other.onnx", "keep")
    expect(second.code).toBe(2)
    expect(second.stdout).toMatch(/already holds another model/)
    expect(readFileSync(path("keep/circuit.json"), "utf8")).toBe(before)
    expect((await compile("model.onnx", "keep")).code).toBe(0)
  })

  it("answers bad input with exit code 2 and what to do", async () => {
    writeFileSync(path("broken.onnx"), readFileSync(path("model.onnx")).subarray(0, 100))
    writeFileSync(path("nan.json"), '{"inputs":{"x":[0,0,null]}}')
    const cases: [string[], RegExp][] = [
      [
        ["compile", path("broken.onnx"), "--samples", path("samples.json"), "--out", path("x")],
        /broken\.onnx/,
      ],
      [
        ["compile", path("missing.onnx"), "--samples", path("samples.json"), "--out", path("x")],
        /does not exist/,
      ],
      [
        [
          "compile",
          path("model.onnx"),
          "--samples",
          path("samples.json"),
          "--out",
          path("x"),
          "--precision",
          "40",
        ],
        /precision/,
      ],
      [
        [
          "compile",
          path("model.onnx"),
          "--samples",
          path("samples.json"),
          "--out",
          path("x"),
          "--input",
          "shown",
        ],
        /private or public or committed/,
      ],
      [["setup", path("nowhere"), "--dev"], /countersign compile/],
      [
        ["prove", path("keep"), path("input.json"), "--out", path("r.json"), "--no-context"],
        /countersign setup/,
      ],
      [["run", path("keep"), path("nan.json")], /x/],
      [["frobnicate"], /unknown command/],
      [["export", "pdf", path("keep"), "--out", path("x")], /circom, r1cs, solidity or key/],
    ]
    for (const [args, message] of cases) {
      const outcome = await run(...args)
      expect(outcome.code, args.join(" ")).toBe(2)
      expect(outcome.stderr, args.join(" ")).toMatch(message)
      expect(outcome.stdout).toBe("")
    }
  })

  it("refuses a damaged model and a damaged key", async () => {
    const model = readFileSync(path("keep/model.bin"))
    model[model.length - 20] ^= 1
    writeFileSync(path("keep/model.bin"), model)
    expect((await run("inspect", path("keep"))).code).toBe(2)
    const key = readFileSync(path("dir/proving.key"))
    writeFileSync(path("dir/proving.key"), key.subarray(0, key.length - 7))
    const refused = await run(
      "prove",
      path("dir"),
      path("input.json"),
      "--out",
      path("r.json"),
      "--no-context",
    )
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/truncated section table/)
  })
})
