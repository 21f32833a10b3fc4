/** The files of examples/: standard operators, sizes, and which split each digit comes from. */
import { readFileSync, statSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { parseInput, parseSamples } from "#src/quantize/samples.js"
import { digits } from "../../examples/digits.js"

const key = (pixels: ArrayLike<number>) => Array.from(pixels, (x) => x.toFixed(4)).join()
const train = new Map(digits("train").map(({ pixels, label }) => [key(pixels), label]))
const test = new Map(digits("test").map(({ pixels, label }) => [key(pixels), label]))

describe("the split", () => {
  it("holds the last tenth of each class back, and no digit is in both parts", () => {
    expect([train.size, test.size]).toEqual([9003, 997])
    expect([...test.keys()].filter((digit) => train.has(digit))).toEqual([])
    expect(new Set(test.values())).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))
  })
})

describe.each([
  { folder: "mnist-mlp", shape: [1, 784], operators: ["Gemm", "Relu", "Gemm"] },
  {
    folder: "mnist-lenet",
    shape: [1, 1, 28, 28],
    operators: "Conv Relu AveragePool Conv Relu AveragePool Flatten Gemm Relu Gemm Relu Gemm".split(" "),
  },
])("$folder", ({ folder, shape, operators }) => {
  const url = (name: string) => new URL(`../../examples/${folder}/${name}`, import.meta.url)
  const graph = importOnnx(readFileSync(url("model.onnx")))

  it("is a small model of standard operators with a fixed batch of one", () => {
    expect(graph.nodes.map(({ operator }) => operator)).toEqual(operators)
    expect(graph.nodes.filter(({ domain }) => domain !== "")).toEqual([])
    expect(graph.opset).toBe(13)
    expect(graph.inputs).toEqual([{ name: "image", dtype: "float32", shape }])
    expect(graph.outputs).toEqual(["logits"])
    expect(statSync(url("model.onnx")).size).toBeLessThan(200_000)
  })

  it("brings samples of all classes from the training split, labelled as the package labels them", () => {
    const { samples, labels } = parseSamples(readFileSync(url("samples.json")), "samples.json", graph.inputs)
    expect(samples.length).toBeGreaterThanOrEqual(100)
    expect(labels).toEqual(samples.map(({ image }) => train.get(key(image))))
    expect(new Set(labels).size).toBe(10)
    expect(statSync(url("samples.json")).size).toBeLessThan(1_500_000)
  })

  it("brings a digit to prove that was never trained on", () => {
    const { image } = parseInput(JSON.parse(readFileSync(url("input.json"), "utf8")), graph.inputs)
    expect(test.has(key(image))).toBe(true)
  })
})
