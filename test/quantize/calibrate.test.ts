/** Calibration: what it measures and what the integer models of the examples lose. */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { InputError, UsageError } from "#src/errors.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { evaluate } from "#src/ops/evaluate.js"
import { lower } from "#src/ops/lower.js"
import { measureAccuracy } from "#src/quantize/accuracy.js"
import { calibrate, type Sample } from "#src/quantize/calibration/calibrate.js"
import { parseSamples } from "#src/quantize/calibration/samples.js"
import { quantize, quantizeProgram } from "#src/quantize/quantize.js"
import { digits } from "../../examples/digits.js"
import { ProgramBuilder } from "../support/programs.js"
import { Random } from "../support/random.js"

const example = (folder: string) => {
  const read = (name: string) => readFileSync(new URL(`../../examples/${folder}/${name}`, import.meta.url))
  const graph = importOnnx(read("model.onnx"))
  return { graph, ...parseSamples(read("samples.json"), "samples.json", graph.inputs) }
}

describe("calibration", () => {
  const b = new ProgramBuilder()
  const x = b.input([4])
  const hidden = b.sum([[x, 2]])
  const program = b.build(b.clamp(hidden))

  it("measures ranges over all samples: inputs exactly, the rest rounded outwards", async () => {
    const ranges = await calibrate(program, [{ input0: [1, -0.3, 0, 0] }, { input0: [0, 0, 0, 0.5] }])
    expect(ranges[x]).toMatchObject({ min: -0.3, max: 1 })
    expect(ranges[hidden].max).toBe(2)
    expect(ranges[hidden].min).toBeLessThanOrEqual(-0.6)
    expect(ranges[hidden].min).toBeGreaterThan(-0.605)
    expect(ranges[hidden].rms).toBeCloseTo(2 * Math.sqrt((1 + 0.09 + 0.25) / 8), 1)
  })

  it("leaves outliers of activations out by percentile, but none of the input", async () => {
    const random = new Random(1)
    const samples = Array.from({ length: 500 }, (_, i) => ({
      input0: i ? random.reals(4, 1) : [100, 0, 0, 0],
    }))
    const ranges = await calibrate(program, samples, { calibration: { percentile: 99.9 } })
    expect(ranges[x].max).toBe(100)
    expect(ranges[hidden].max).toBeLessThan(2.2)
    expect(ranges[hidden].max).toBeGreaterThan(1.9)
    const all = await calibrate(program, samples, { calibration: { percentile: 100 } })
    expect(all[hidden].max).toBe(200)
  })

  it.each([50, 101, Number.NaN])("refuses percentile %d", async (percentile) => {
    const samples = [{ input0: [0, 0, 0, 0] }]
    await expect(calibrate(program, samples, { calibration: { percentile } })).rejects.toThrow(UsageError)
  })

  it.each([
    ["another name", { y: [0, 0, 0, 0] }],
    ["a wrong count", { input0: [0] }],
    ["NaN", { input0: [0, 0, Number.NaN, 0] }],
    ["infinity", { input0: [0, 0, Number.NEGATIVE_INFINITY, 0] }],
    ["one input too many", { input0: [0, 0, 0, 0], y: [1] }],
  ])("refuses samples with %s, naming the sample", async (_, bad) => {
    const samples = [{ input0: [0, 0, 0, 0] }, bad as Sample]
    await expect(quantizeProgram(program, { samples })).rejects.toThrow(InputError)
    await expect(quantizeProgram(program, { samples })).rejects.toThrow(/sample 1/)
  })

  it("needs a sample, and reports and obeys", async () => {
    await expect(quantizeProgram(program, { samples: [] })).rejects.toThrow(UsageError)
    const samples = Array.from({ length: 150 }, () => ({ input0: [1, 2, 3, 4] }))
    const seen: number[] = []
    await quantizeProgram(program, { samples, onProgress: ({ done }) => seen.push(done) })
    expect(seen).toEqual([64, 128, 150])
    const stop = new AbortController()
    const stopped = quantizeProgram(program, { samples, signal: stop.signal, onProgress: () => stop.abort() })
    await expect(stopped).rejects.toThrow(/abort/)
    expect(seen).toHaveLength(3)
  })
})

describe("accuracy", () => {
  const unseen = digits("test")

  it.each(["mnist-mlp", "mnist-lenet"])("of %s on unseen digits stays within 0.1 points", async (folder) => {
    const { graph, samples } = example(folder)
    const integers = await quantize(graph, { samples })
    const labels = unseen.map(({ label }) => label)
    const program = lower(graph)
    const report = await measureAccuracy(
      program,
      integers,
      unseen.map(({ pixels }) => ({ image: pixels })),
      { labels },
    )
    expect(report.samples).toBe(unseen.length)
    expect(report.float).toBeGreaterThan(0.96)
    expect(report.integer).toBeGreaterThanOrEqual((report.float as number) - 0.001)
    expect(report.agreement).toBeGreaterThan(0.995)
    for (const { maxError, meanError, tolerance } of report.outputs) {
      expect(meanError).toBeLessThan(maxError)
      expect(maxError).toBeLessThan(tolerance)
    }
  })

  it("counts what is cut off, but not what the model itself clamps", async () => {
    const random = new Random(3)
    const b = new ProgramBuilder()
    const x = b.input([4])
    const sum = b.dense(x, 4, random.reals(16))
    const [relu, clip] = [b.clamp(sum), b.clamp(b.sum([[x, 3]]), 0, 1)]
    const program = b.build(relu, clip)
    const graph = await quantizeProgram(program, {
      samples: [{ input0: [1, 0.1, -0.1, 0] }, { input0: [0, 0, 0, 1] }],
    })
    const node = program.nodes[1]
    if (node.kind !== "linear" || node.terms[0].map.kind !== "dense") throw new Error("not dense")
    const { weight } = node.terms[0].map
    // Inputs that drive the first unit further up than any sample did.
    const high = [0, 1, 2, 3].map((k) => Math.sign(weight[k]))
    const { saturation } = await measureAccuracy(program, graph, [{ input0: high }])
    const units = [...(evaluate(program, { input0: high }).get(relu) as Float64Array)]
    const top = graph.tensors[graph.outputs[0].tensor].scale * 1023
    expect(units.filter((unit) => unit > top).length).toBeGreaterThan(0)
    expect(saturation.map(({ count }) => count)).toEqual([units.filter((unit) => unit > top).length, 0])
    expect(saturation[0].share).toBe(saturation[0].count / 4)
  })

  it("blames the tensor that loses most", async () => {
    const b = new ProgramBuilder()
    const x = b.input([8])
    const fine = b.clamp(b.sum([[x, 1]]))
    const program = b.build(fine, b.clamp(b.sum([[x, 1]]), 0.5, 200))
    const values = [0.001, 0.002, 0.004, 0.008, 0.001, 0.003, 0.005, 1]
    const graph = await quantizeProgram(program, { samples: [{ input0: values }] })
    const { losses } = await measureAccuracy(program, graph, [{ input0: values }])
    expect(losses.map(({ tensor }) => tensor).sort()).toEqual(["clamp2", "clamp4"])
    expect(losses[0].error).toBeGreaterThanOrEqual(losses[1].error)
    expect(losses[0].error).toBeLessThan(0.01)
  })
})
