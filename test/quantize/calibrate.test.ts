/** Calibration: what it measures, on every backend, and what the integer models of the examples lose. */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { InputError, UsageError } from "#src/errors.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { evaluate } from "#src/ops/evaluate.js"
import { lower } from "#src/ops/lower.js"
import type { LinearMap, Program } from "#src/ops/program.js"
import { measureAccuracy } from "#src/quantize/accuracy.js"
import { calibrate, plainRunner, type Runner, type Sample } from "#src/quantize/calibrate.js"
import { modelDigest } from "#src/quantize/digest.js"
import { quantize, quantizeProgram } from "#src/quantize/quantize.js"
import { parseSamples } from "#src/quantize/samples.js"
import { chooseRunner, tensorRunner } from "#src/quantize/tensors.js"
import { digits } from "../../examples/digits.js"
import { ProgramBuilder, randomProgram } from "../support/programs.js"
import { Random } from "../support/random.js"

const example = (folder: string) => {
  const read = (name: string) => readFileSync(new URL(`../../examples/${folder}/${name}`, import.meta.url))
  const graph = importOnnx(read("model.onnx"))
  return { graph, ...parseSamples(read("samples.json"), "samples.json", graph.inputs) }
}

/** All values of all tensors, samples in order. */
async function collect(runner: Runner, program: Program, samples: readonly Sample[]): Promise<number[][]> {
  const all: number[][] = program.tensors.map(() => [])
  await runner(program, samples, (id, values) => {
    for (let i = 0; i < values.length; i++) all[id].push(values[i])
  })
  return all
}

async function expectSameValues(program: Program, samples: readonly Sample[]) {
  const plain = await collect(plainRunner, program, samples)
  const tensors = await collect(await tensorRunner(), program, samples)
  plain.forEach((values, id) => {
    const node = program.nodes.find((candidate) => candidate.out === id)
    expect(tensors[id].length, program.tensors[id].name).toBe(values.length)
    // A tie in float32 may choose another position.
    if (node?.kind === "argmax") return
    const tolerance = 1e-5 * Math.max(1, ...values.map(Math.abs))
    values.forEach((x, i) => {
      expect(Math.abs(x - tensors[id][i]), program.tensors[id].name).toBeLessThanOrEqual(tolerance)
    })
  })
}

describe("the tensor backend", () => {
  it("agrees with the plain loops on random programs", async () => {
    for (let seed = 0; seed < 60; seed++) {
      const { program, samples } = randomProgram(seed)
      await expectSameValues(program, samples)
    }
  })

  it.each([
    ["one axis", { inSize: [9], kernel: [3], strides: [2], padsBegin: [1], dilations: [1], outSize: [5] }],
    [
      "unequal padding",
      { inSize: [5, 4], kernel: [3, 2], strides: [1, 1], padsBegin: [2, 0], outSize: [5, 4] },
    ],
    ["groups", { groups: 2, inSize: [5, 5], kernel: [2, 2], strides: [1, 1], outSize: [4, 4] }],
    ["channel by channel", { groups: 4, inSize: [5, 5], kernel: [3, 3], strides: [2, 2], outSize: [2, 2] }],
    ["dilation", { inSize: [6, 6], kernel: [2, 2], strides: [1, 1], dilations: [2, 3], outSize: [4, 3] }],
    [
      "dilation with strides",
      { inSize: [9, 9], kernel: [2, 2], strides: [2, 2], dilations: [2, 2], outSize: [4, 4] },
    ],
    ["cropping", { inSize: [6, 6], kernel: [2, 2], strides: [1, 1], padsBegin: [-1, -2], outSize: [2, 3] }],
    ["unused last rows", { inSize: [8, 8], kernel: [2, 2], strides: [3, 3], outSize: [2, 2] }],
    ["three axes", { inSize: [3, 3, 3], kernel: [2, 2, 2], strides: [1, 1, 1], outSize: [2, 2, 2] }],
    ["a batch", { n: 2, inSize: [3, 3], kernel: [2, 2], strides: [1, 1], outSize: [2, 2] }],
  ])("agrees on a convolution with %s", async (_, given) => {
    const random = new Random(11)
    const groups = "groups" in given ? given.groups : 1
    const n = "n" in given ? given.n : 1
    const [inChannels, outChannels] = [4, 8]
    const map: LinearMap = {
      kind: "conv",
      n,
      groups,
      inChannels,
      outChannels,
      padsBegin: given.inSize.map(() => 0),
      dilations: given.inSize.map(() => 1),
      ...given,
      weight: Float64Array.from(
        random.reals((outChannels * inChannels * given.kernel.reduce((a, b) => a * b)) / groups),
      ),
    }
    const b = new ProgramBuilder()
    const x = b.input([n, inChannels, ...given.inSize])
    const program = b.build(b.linear([{ source: x, map }], [n, outChannels, ...given.outSize]))
    const samples = [0, 1, 2].map(() => ({ input0: random.reals(b.size(x)) }))
    await expectSameValues(program, samples)
  })

  it("gives the same integer model, and is chosen where there is much to do", async () => {
    const { graph, samples } = example("mnist-lenet")
    const few = samples.slice(0, 40)
    const runner = await tensorRunner()
    const [fromTensors, fromLoops] = [
      await quantize(graph, { samples: few, runner }),
      await quantize(graph, { samples: few }),
    ]
    expect(modelDigest(fromTensors)).toBe(modelDigest(fromLoops))
    expect(await chooseRunner(lower(graph), 10)).toBe(plainRunner)
    expect(await chooseRunner(lower(graph), 1e6)).not.toBe(plainRunner)
  })
})

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
    const samples = Array.from({ length: 70 }, () => ({ input0: [1, 2, 3, 4] }))
    const seen: number[] = []
    await quantizeProgram(program, { samples, onProgress: ({ done }) => seen.push(done) })
    expect(seen).toEqual([32, 64, 70])
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
    const report = measureAccuracy(
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
    const { saturation } = measureAccuracy(program, graph, [{ input0: high }])
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
    const { losses } = measureAccuracy(program, graph, [{ input0: values }])
    expect(losses.map(({ tensor }) => tensor).sort()).toEqual(["clamp2", "clamp4"])
    expect(losses[0].error).toBeGreaterThanOrEqual(losses[1].error)
    expect(losses[0].error).toBeLessThan(0.01)
  })
})
