/** The operator tests of the ONNX project, and real models against their recorded onnxruntime outputs. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { basename } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { describe, expect, it } from "vitest"
import { ModelError } from "#src/errors.js"
import type { Graph } from "#src/model/graph.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { operators } from "#src/ops/lower.js"
import { allFixed, attempt, dataSet, fix, haveModels, models, worstError } from "../support/upstream.js"

const disputed = new Set([
  // the expected data divides by fractional output sizes; runtimes and the text of the standard do not
  "test_resize_downsample_scales_cubic_align_corners",
  // −2.5 / (5 / 255) is halfway between integers, and is not in float32
  "test_dynamicquantizelinear",
  "test_dynamicquantizelinear_expanded",
])

const imported = (read: () => Graph): Graph | undefined => {
  try {
    return read()
  } catch (error) {
    if (error instanceof ModelError) return undefined
    throw error
  }
}

describe.skipIf(!haveModels)("upstream operator tests", () => {
  const groups = haveModels ? readdirSync(new URL("onnx-node/", models)) : []
  for (const group of groups) {
    it(group, () => {
      const root = new URL(`onnx-node/${group}/`, models)
      let matched = 0
      for (const name of readdirSync(root).filter((each) => !disputed.has(each))) {
        const folder = new URL(`${name}/`, root)
        const graph = imported(() => importOnnx(readFileSync(new URL("model.onnx", folder))))
        const inputs = dataSet(folder, "input")
        const outputs = dataSet(folder, "output")
        if (!graph || !inputs || !outputs || outputs.some(({ data }) => data.length === 0)) continue
        const feeds = Object.fromEntries(graph.inputs.map(({ name: input }, i) => [input, inputs[i].data]))
        const zeros = Object.fromEntries(outputs.map(({ data }, i) => [`zero${i}`, data.map(() => 0)]))
        // tests pass shapes and axes as inputs: those a proof needs fixed are fixed
        const forms = [
          graph,
          fix(graph, inputs, (i) => i === 0),
          fix(graph, inputs, (i) => i === 1),
          allFixed(graph, inputs, outputs),
        ]
        for (const [i, form] of forms.entries()) {
          const program = attempt(form)
          if (!("nodes" in program)) continue
          expect(worstError(program, i === 3 ? zeros : feeds, outputs), `${name}, form ${i}`).toBeLessThan(
            1e-4,
          )
          matched++
        }
      }
      expect(matched).toBeGreaterThan(0)
    }, 60_000)
  }
})

interface Recorded {
  name: string
  shape?: number[]
  data?: (number | boolean | null)[]
  /** What is no tensor, as Python prints it. */
  seq?: string
}

const filesBelow = (folder: string): string[] =>
  readdirSync(new URL(folder, models), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".onnx"))
    .map((name) => fileURLToPath(new URL(folder + name, models)))

describe.skipIf(!haveModels)("real models", () => {
  for (const folder of ["ezkl/", "other/"]) {
    it(folder, () => {
      const problems: string[] = []
      let matched = 0
      for (const file of filesBelow(folder)) {
        const beside =
          basename(file) === "network.onnx"
            ? new URL("ref_output.json", pathToFileURL(file))
            : pathToFileURL(file.replace(/onnx$/, "ref.json"))
        if (!existsSync(beside)) continue
        const text = readFileSync(beside, "utf8").replace(/-?Infinity|NaN/g, "null")
        const { inputs, outputs } = JSON.parse(text) as { inputs: Recorded[]; outputs: Recorded[] }
        const dimensions = Object.fromEntries(
          inputs.flatMap(({ name, shape = [] }) => shape.map((size, axis) => [`${name}:${axis}`, size])),
        )
        const graph = imported(() => importOnnx(readFileSync(file), { dimensions }))
        const program = graph && attempt(graph)
        if (!program) continue
        if (!("nodes" in program)) {
          problems.push(...program)
          continue
        }
        const feeds = Object.fromEntries(inputs.map(({ name, data = [] }) => [name, data.map(Number)]))
        const want = program.outputs.map(({ name }) => {
          const found = outputs.find((output) => output.name === name)
          // what a ZipMap makes is recorded as text: its numbers, in order
          const mapped = Array.from((found?.seq ?? "").matchAll(/: ([-+.\de]+)/g), ([, x]) => Number(x))
          return { shape: found?.shape ?? [1, mapped.length], data: found?.data?.map(Number) ?? mapped }
        })
        expect(worstError(program, feeds, want), file).toBeLessThan(1e-3)
        matched++
      }
      expect(matched).toBeGreaterThan(15)
      for (const problem of problems)
        expect(problem).toMatch(/^(node `.*`, operator `.+` \(#\d+\): .+|(in|out)put `)/s)
      expect(Object.keys(operators).length).toBeGreaterThan(70)
    }, 120_000)
  }
})
