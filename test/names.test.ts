/** Names are a stranger's text: wherever one leaves, it stays on its line and does nothing to who shows it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as folders from "#src/cli/folder.js"
import { compile } from "#src/compile/compile.js"
import { exportCircom } from "#src/compile/export-circom.js"
import { FileError, ModelError, printable, printableJson } from "#src/errors.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { lower } from "#src/ops/lower.js"
import { setup } from "#src/prover/open.js"
import { measureAccuracy } from "#src/quantize/accuracy.js"
import { quantize } from "#src/quantize/quantize.js"
import type { Circuit } from "#src/systems/index.js"
import { explain } from "#src/verifier/verify.js"
import { run, smallModel } from "./support/cli.js"

const ansi = "\u001b[2J\u001b]0;owned\u0007\u009b31m"
const bidi = "\u202e\u2066drawer\u2028\u2029"
const include = '\ninclude "../../../secret.circom";\r//'
const hostile = { input: `x${include}${ansi}`, output: `y${bidi}${include}`, node: `n\n${ansi}${bidi}` }
/** Nothing but printable characters, and line ends. */
const clean = /^[\P{C}\n]*$/u

let folder: string
let circuit: Circuit
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-names-"))
  const graph = importOnnx(smallModel(7, hostile))
  const samples = [{ [hostile.input]: [0.5, -0.5, 0.25] }, { [hostile.input]: [1, -1, 1] }]
  const integers = await quantize(graph, { samples })
  circuit = await compile(integers)
  folders.saveCircuit(folder, circuit, await measureAccuracy(lower(graph), integers, samples))
  const keys = await setup(circuit, { dev: true })
  folders.saveKeys(folder, keys.provingKey, keys.verificationKey)
  writeFileSync(join(folder, "model.onnx"), smallModel(7, hostile))
  writeFileSync(join(folder, "input.json"), JSON.stringify({ inputs: samples[0] }))
  writeFileSync(join(folder, "wrong.json"), JSON.stringify({ inputs: { [`z${ansi}${include}`]: [1] } }))
  writeFileSync(join(folder, "samples.json"), JSON.stringify(samples.map((inputs) => ({ inputs }))))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("printable", () => {
  it("is on one line, without control and format characters, and the same when it is done twice", () => {
    expect(printable(`a\nb\t${bidi}`)).toBe("a\\nb\\u{0009}\\u{202e}\\u{2066}drawer\\u{2028}\\u{2029}")
    expect(printable("größe 尺寸 `q` \\n")).toBe("größe 尺寸 `q` \\n")
    expect(printable("\u{e0041}\ud800")).toBe("\\u{e0041}\\u{d800}")
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const shown = printable(text)
        return /^[^\p{C}\p{Zl}\p{Zp}]*$/u.test(shown) && printable(shown) === shown
      }),
    )
  })

  it("JSON says the same, with nothing unprintable in it", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary" })), (value) => {
        const shown = printableJson(value)
        const same = JSON.stringify(JSON.parse(shown)) === JSON.stringify(JSON.parse(JSON.stringify(value)))
        return /^\P{C}*$/u.test(shown) && same
      }),
    )
  })
})

describe("names from a model", () => {
  it("inject nothing into exported circom", async () => {
    const text = await exportCircom(circuit)
    const lines = text.split(/[\n\r\u0085\u2028\u2029]/)
    expect(lines.filter((line) => line.includes("secret.circom"))).toHaveLength(2)
    for (const line of lines.filter((part) => /secret|include|owned/.test(part)))
      expect(line).toMatch(/^\/\/ /)
    expect(text).toMatch(clean)
  })

  it("do nothing to the terminal that shows an error, and stay on its lines", () => {
    const error = new FileError({
      what: `${ansi}\nwhat`,
      where: bidi,
      expected: include,
      given: "\r",
      fix: "\0",
    })
    expect(error.message).toMatch(/^\P{C}*$/u)
    const refused = new ModelError({ what: "the model cannot be read:", where: "f" }, [`one\n${ansi}`, "two"])
    expect(refused.message.split("\n")).toEqual([
      "f: the model cannot be read:",
      expect.stringMatching(/^ {2}one\\n\P{C}*$/u),
      "  two",
    ])
    expect(refused.problems[0]).toContain(ansi)
  })

  it("of a receipt are printable in the reason", () => {
    const { model } = circuit
    const statement = {
      model,
      context: model,
      input: { visibility: "hidden" },
      output: { visibility: "public", values: { [`${ansi}\u2028`]: ["1"] } },
    }
    const point = ["1", "2"]
    const proof = { a: point, b: [point, point], c: point, d: point }
    const receipt = { version: 1, proofSystem: "mirage", statement, proof }
    const verificationKey = folders.loadVerificationKey(folders.verificationKeyPath(folder))
    const expected = { verificationKey, model, context: model, allowDev: true }
    expect(explain(receipt, expected)).toMatch(/^\P{C}+$/u)
    expect(explain({ ...receipt, [`extra${ansi}`]: 1 }, expected)).toMatch(/^\P{C}+$/u)
  })

  it("are printable in all that commands print", async () => {
    const file = (name: string) => join(folder, name)
    const first = await Promise.all([
      run("inspect", folder),
      run("run", folder, file("input.json")),
      run("run", folder, file("wrong.json")),
      run("prove", folder, file("input.json"), "--out", file("r.json"), "--no-context"),
      run("compile", file("model.onnx"), "--samples", file("samples.json"), "--out", file("again"), "--json"),
      run("export", `what${ansi}`, folder, "--out", file("x")),
      run(`frobnicate${ansi}`),
    ])
    const [receipt, key] = [file("r.json"), folders.verificationKeyPath(folder)]
    const verified = await run("verify", receipt, "--key", key, "--no-context", "--allow-dev")
    const outcomes = [...first, verified]
    expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 2, 0, 0, 2, 2, 0])
    for (const { stdout, stderr } of outcomes) {
      expect(stdout + stderr).toMatch(clean)
      // what a name says stays on the line of the name
      expect(stdout + stderr).not.toMatch(/^include/m)
    }
    expect(verified.stdout).toContain("y\\u{202e}")
  })
})
