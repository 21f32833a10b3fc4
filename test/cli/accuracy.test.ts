/** Precision by what it loses: the table, labels in a file, and the nodes that lose most. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { labelled, perceptron } from "../support/classifiers.js"
import { run } from "../support/cli.js"
import { npy } from "../support/npy-writer.js"
import { encodeOnnx } from "../support/onnx-writer.js"

let folder: string
const path = (name: string) => join(folder, name)
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "countersign-test-"))
  const spec = perceptron(7)
  const { samples, labels } = labelled(spec, 1, 160)
  writeFileSync(path("model.onnx"), encodeOnnx(spec))
  writeFileSync(path("samples.json"), JSON.stringify(samples.map((inputs) => ({ inputs }))))
  writeFileSync(path("labels.npy"), npy("|u1", [labels.length], Uint8Array.from(labels)))
  writeFileSync(path("few.json"), "[0, 1]")
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const compile = (out: string, ...more: string[]) =>
  run("compile", path("model.onnx"), "--samples", path("samples.json"), "--out", path(out), ...more)

describe("compile --target-accuracy", () => {
  it("prints the trade as a table, with the chosen row marked, and compiles that", async () => {
    const { code, stdout } = await compile(
      "chosen",
      "--target-accuracy",
      "0.1",
      "--labels",
      path("labels.npy"),
    )
    expect(code).toBe(0)
    const lines = stdout.split("\n")
    expect(lines[0]).toMatch(/^ +precision +calibration +constraints +loss \(points\) +accuracy +agreement$/)
    expect(
      lines.slice(1, 28).filter((line) => /^[* ] +\d+ +(minmax|99\.99? %) +[\d,]+ +[\d.]+ /.test(line)),
    ).toHaveLength(27)
    const marked = lines.filter((line) => line.startsWith("*"))
    expect(marked).toHaveLength(1)
    const [, precision] = marked[0].split(/ +/)
    const written = JSON.parse(readFileSync(path("chosen/circuit.json"), "utf8"))
    expect(written.precision).toBe(Number(precision))
    expect(stdout).toMatch(/calibrated on 40 samples, measured on the other 120/)
    expect(stdout).toMatch(/accuracy +float 100.00 %, integer \d+\.\d\d % of the labels/)
  })

  it("has the same in its object", async () => {
    const { json } = await compile("object", "--json", "--target-accuracy", "1", "--precision", "9")
    expect(json.search).toMatchObject({
      measure: "error",
      target: 1,
      complete: true,
      candidates: [9, 9, 9].map((precision) => ({ precision, loss: expect.any(Number) })),
      chosen: { precision: 9 },
    })
    expect(json.precision).toBe(9)
  })

  it("names the nodes that lose most where no circuit is within it, and leaves none", async () => {
    const args = ["--target-accuracy", "0.00001", "--calibration", "minmax"]
    const { code, stdout, stderr } = await compile("none", ...args)
    expect([code, stdout]).toEqual([2, ""])
    expect(stderr).toMatch(/precision +calibration +constraints +error \(% of range\)/)
    expect(stderr).toMatch(/Most is lost by\n {2}node `\/hidden\/Sigmoid`, operator `Sigmoid`: [\d.]+ %/)
    expect(() => readFileSync(path("none/circuit.json"))).toThrow()
    const { json } = await compile("none", "--json", ...args)
    expect(json.error).toMatchObject({
      name: "AccuracyError",
      search: { losses: expect.arrayContaining([expect.objectContaining({ node: "/head/MatMul" })]) },
    })
  })

  it.each([
    ["a loss that is none", ["--target-accuracy", "tiny"], /--target-accuracy; expected a loss/],
    ["labels of other samples", ["--labels", "few.json"], /number of labels differs/],
    ["a calibration that is none", ["--calibration", "40"], /--calibration; expected minmax/],
  ])("refuses %s", async (_, args, message) => {
    const { code, stderr } = await compile(
      "refused",
      ...args.map((arg) => (arg === "few.json" ? path(arg) : arg)),
    )
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
  })
})

it("compile --labels measures accuracy at the precision that is given", async () => {
  const { json } = await compile("given", "--json", "--labels", path("labels.npy"), "--precision", "8")
  expect(json).toMatchObject({ precision: 8, accuracy: { float: 1, samples: 160 } })
})
