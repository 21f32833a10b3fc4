/** What quantization chooses: exact scales where they exist, clamp bounds, and requantization only where needed. */
import { describe, expect, it } from "vitest"
import { ModelError, UsageError } from "#src/errors.js"
import { evaluate } from "#src/ops/evaluate.js"
import type { Program } from "#src/ops/program.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { quantizeInput, runInteger } from "#src/quantize/integers/run.js"
import type { QuantizeOptions } from "#src/quantize/options.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import { commonMultipliers } from "#src/quantize/scales.js"
import { dequantize } from "#src/statement/values.js"
import { ProgramBuilder, randomSample } from "../support/programs.js"
import { Random } from "../support/random.js"

type Sample = Record<string, number[]>

const count = (graph: IntGraph, kind: string) => graph.nodes.filter((node) => node.kind === kind).length

/** Real values of output `i` from the integer model. */
function integerOutput(graph: IntGraph, sample: Sample, i = 0): number[] {
  const { tensor } = graph.outputs[i]
  const values = runInteger(graph, quantizeInput(graph, sample)).get(tensor) as Float64Array
  return [...dequantize(graph.tensors[tensor], values)]
}

const floatOutput = (program: Program, sample: Sample, i = 0): number[] => [
  ...(evaluate(program, sample).get(program.outputs[i].tensor) as Float64Array),
]

/** Quantizes on the sample and expects each output within `tolerance` of its largest value. */
async function expectClose(program: Program, samples: Sample[], tolerance = 0.004, options = {}) {
  const graph = await quantizeProgram(program, { samples, ...options })
  for (const sample of samples)
    program.outputs.forEach((_, i) => {
      const exact = floatOutput(program, sample, i)
      const largest = Math.max(...exact.map(Math.abs))
      integerOutput(graph, sample, i).forEach((x, j) => {
        expect(Math.abs(x - exact[j])).toBeLessThanOrEqual(tolerance * largest)
      })
    })
  return graph
}

describe("scales of inputs", () => {
  const build = (values: number[], options: Partial<QuantizeOptions> = {}) => {
    const b = new ProgramBuilder()
    b.input([values.length])
    return quantizeProgram(b.build(0), { samples: [{ input0: values }], ...options })
  }

  it("are unsigned for samples without negative values, else signed", async () => {
    const unsigned = await build([0, 0.25, 1])
    expect(unsigned.inputs[0]).toMatchObject({ lo: 0, bits: 10 })
    expect(unsigned.tensors[0].scale).toBeCloseTo(1 / 1023, 12)
    const both = await build([-2.5, 1], { precision: 8 })
    expect(both.inputs[0]).toMatchObject({ lo: -128, bits: 8 })
    expect(both.tensors[0].scale).toBeCloseTo(2.5 / 127, 12)
  })

  it("are exact for integers, and 1 for zeros", async () => {
    const bytes = await build([0, 7, 255])
    expect(integerOutput(bytes, { input0: [0, 7, 255] })).toEqual([0, 7, 255])
    expect((await build([0, 0])).tensors[0].scale).toBe(1)
  })
})

describe("linear nodes", () => {
  it("add residuals exactly and without a rescale", async () => {
    const b = new ProgramBuilder()
    const x = b.input([6])
    const program = b.build(
      b.sum([
        [x, 1],
        [b.sum([[x, 0.5]]), -1],
      ]),
    )
    const sample = { input0: [-3, -2, 0, 1, 2, 3] }
    const graph = await quantizeProgram(program, { samples: [sample] })
    expect(count(graph, "rescale")).toBe(0)
    expect(integerOutput(graph, sample)).toEqual(floatOutput(program, sample))
  })

  it("stay within 2^52 in a chain without activations, by requantizing between", async () => {
    const random = new Random(3)
    const b = new ProgramBuilder()
    let x = b.input([32])
    for (let layer = 0; layer < 6; layer++) x = b.dense(x, 32, random.reals(32 * 32, 1))
    const program = b.build(x)
    const graph = await expectClose(program, [randomSample(program, random)], 0.01)
    expect(count(graph, "rescale")).toBeGreaterThan(0)
    for (const { lo, hi } of graph.tensors)
      expect(Math.max(-Math.min(...lo), Math.max(...hi))).toBeLessThanOrEqual(2 ** 52)
  })

  it.each([1e-30, 1e-6, 1e6, 1e30])("do not depend on the unit of their input (%f)", async (unit) => {
    const random = new Random(8)
    const b = new ProgramBuilder()
    const hidden = b.clamp(b.dense(b.input([12]), 8, random.reals(96)))
    const program = b.build(b.dense(hidden, 4, random.reals(32)))
    const sample = randomSample(program, random, unit)
    await expectClose(program, [sample])
  })

  it("survive constants, zero weights and units that are always off", async () => {
    const b = new ProgramBuilder()
    const x = b.input([3])
    const dead = b.clamp(b.dense(x, 2, [0, 0, 0, -1, -1, -1], [0, -5]))
    const constant = b.linear([], [2], [0.125, -7])
    const program = b.build(
      b.sum([
        [dead, 1],
        [constant, 1],
      ]),
      b.dense(x, 1, [0, 0, 0]),
    )
    await expectClose(program, [{ input0: [0.1, 0.2, 0.3] }])
  })
})

describe("clamps", () => {
  it("meet finite bounds that the samples reach", async () => {
    const b = new ProgramBuilder()
    const x = b.input([5])
    const program = b.build(b.clamp(b.sum([[x, 1]]), 0, 6), b.clamp(b.sum([[x, 2]]), -1, 1))
    const sample = { input0: [-9, -0.5, 0.25, 3, 9] }
    const graph = await quantizeProgram(program, { samples: [sample] })
    const [relu6, clip] = [integerOutput(graph, sample, 0), integerOutput(graph, sample, 1)]
    expect(relu6[0]).toBe(0)
    expect(relu6[4]).toBeCloseTo(6, 9)
    expect(Math.abs(clip[0] + 1)).toBeLessThanOrEqual(1 / 1023)
    expect(Math.abs(clip[4] - 1)).toBeLessThanOrEqual(1 / 1023)
  })

  it("never let values past a bound that the samples do not reach", async () => {
    const b = new ProgramBuilder()
    const x = b.input([2])
    const program = b.build(b.clamp(b.sum([[x, 1]]), 100, 101), b.clamp(x, -3, 3))
    const graph = await quantizeProgram(program, { samples: [{ input0: [-2, 2] }] })
    for (const { tensor } of graph.outputs) {
      const { lo, hi, scale } = graph.tensors[tensor]
      const [least, most] = tensor === graph.outputs[0].tensor ? [100, 101] : [-3, 3]
      expect(Math.min(...lo) * scale).toBeGreaterThanOrEqual(least - scale)
      expect(Math.max(...hi) * scale).toBeLessThanOrEqual(most + scale)
    }
  })

  it("use the weights of the linear node before them, if others read it too", async () => {
    const random = new Random(2)
    const b = new ProgramBuilder()
    const sum = b.dense(b.input([4]), 4, random.reals(16))
    const relu = b.clamp(sum)
    const samples = [{ input0: [1, -1, 0.5, 0.1] }]
    const alone = await quantizeProgram({ ...b.build(relu) }, { samples })
    expect(alone.nodes.map((node) => node.kind)).toEqual(["input", "linear", "rescale"])
    const both = await expectClose(
      { ...b.build(), outputs: [sum, relu].map((tensor) => ({ name: `${tensor}`, tensor })) },
      samples,
    )
    expect(both.nodes.map((node) => node.kind).sort()).toEqual(["input", "linear", "linear", "rescale"])
    for (const node of both.nodes) if (node.kind === "rescale") expect(node.shift).toBe(10)
  })

  it("serve a leaky ReLU without the wide sum that it reads twice", async () => {
    const random = new Random(4)
    const b = new ProgramBuilder()
    let x = b.input([16])
    for (let layer = 0; layer < 3; layer++) {
      const sum = b.dense(x, 16, random.reals(256, 0.5), random.reals(16))
      x = b.sum([
        [sum, 0.01],
        [b.clamp(sum), 0.99],
      ])
    }
    const program = b.build(x)
    const clamped = new Set(program.nodes.flatMap((node) => (node.kind === "clamp" ? [node.source] : [])))
    const samples = Array.from({ length: 8 }, () => randomSample(program, random))
    const graph = await expectClose(program, samples, 0.02)
    const sums = program.tensors.filter(({ name }, id) => name.startsWith("linear") && clamped.has(id))
    expect(sums).toHaveLength(3)
    for (const { name } of sums) expect(graph.tensors.map((tensor) => tensor.name)).not.toContain(name)
    // One more where the third sum would grow too wide.
    expect(count(graph, "rescale")).toBeLessThanOrEqual(4)
  })

  it("keep a residual chain as sums of two, not of all before", async () => {
    const random = new Random(5)
    const b = new ProgramBuilder()
    let x = b.dense(b.input([8]), 8, random.reals(64, 0.5))
    for (let layer = 0; layer < 4; layer++) {
      const inner = b.clamp(b.dense(b.clamp(x), 8, random.reals(64, 0.5)))
      x = b.sum([
        [x, 1],
        [inner, 1],
      ])
    }
    const program = b.build(x)
    const samples = Array.from({ length: 8 }, () => randomSample(program, random))
    const graph = await expectClose(program, samples, 0.02)
    const terms = graph.nodes.flatMap((node) => (node.kind === "linear" ? [node.terms.length] : []))
    expect(Math.max(...terms)).toBe(2)
  })

  it("keep integers that fit: max(a, b) as b + relu(a − b) is exact", async () => {
    const b = new ProgramBuilder()
    const [x, y] = [b.input([3]), b.input([3])]
    const difference = b.clamp(
      b.sum([
        [x, 1],
        [y, -1],
      ]),
    )
    const program = b.build(
      b.sum([
        [y, 1],
        [difference, 1],
      ]),
    )
    const sample = { input0: [1, 250, 17], input1: [200, 3, 17] }
    const graph = await quantizeProgram(program, { samples: [{ input0: [0, 0, 255], input1: [0, 0, 255] }] })
    expect(integerOutput(graph, sample)).toEqual([200, 250, 17])
  })

  it("move before a maximum, so that it needs no requantization of its own", async () => {
    const random = new Random(6)
    const b = new ProgramBuilder()
    const pooled = b.max(b.dense(b.input([4]), 8, random.reals(32)), 2, [0, 1, 2, 3, 4, 5, 6, 7])
    const program = b.build(b.clamp(b.index([pooled], [3, 2, 1, 0], [4])))
    const graph = await expectClose(program, [{ input0: [1, -0.5, 0.25, 2] }])
    expect(graph.nodes.map((node) => node.kind)).toEqual(["input", "linear", "rescale", "max", "index"])
  })
})

describe("joins and products", () => {
  it("bring tensors of unequal scales to one scale without a rescale", async () => {
    const b = new ProgramBuilder()
    const [x, y] = [b.input([2]), b.input([2])]
    const program = b.build(b.index([x, y], [0, 2, -1, 3, 1], [5], 0.5))
    const graph = await expectClose(program, [{ input0: [0.9, -1], input1: [0.011, 0.02] }])
    expect(count(graph, "rescale")).toBe(0)
  })

  it("find least multipliers", () => {
    expect(commonMultipliers([0.5, 0.25, 1], 10)).toEqual([2, 1, 4])
    expect(commonMultipliers([3, 2], 10)).toEqual([3, 2])
    const [p, q] = commonMultipliers([Math.PI, 1], 10)
    expect(Math.abs(p / q / Math.PI - 1)).toBeLessThan(2 ** -11)
  })

  it("narrow the operands of a product only when it would grow too wide", async () => {
    const random = new Random(9)
    const b = new ProgramBuilder()
    const x = b.input([4])
    let y = b.product(x, x)
    expect(count(await expectClose(b.build(y), [{ input0: [1, -1, 0.3, 0.7] }], 0.01), "rescale")).toBe(0)
    for (let i = 0; i < 3; i++) y = b.product(b.dense(y, 4, random.reals(16)), y)
    const graph = await expectClose(
      { ...b.build(y), outputs: [{ name: "y", tensor: y }] },
      [{ input0: [1, -1, 0.3, 0.7] }],
      0.03,
    )
    expect(count(graph, "rescale")).toBeGreaterThan(0)
  })

  it("refuse to join tensors whose ranges have nothing in common", async () => {
    const b = new ProgramBuilder()
    const [x, y] = [b.input([2]), b.input([2])]
    const program = b.build(b.index([x, y], [0, 1, 2, 3], [4]))
    const samples = [{ input0: [1e20, 0.5], input1: [1e-20, 0.5e-20] }]
    await expect(quantizeProgram(program, { samples })).rejects.toThrow(ModelError)
  })
})

describe("options", () => {
  const b = new ProgramBuilder()
  const program = b.build(b.clamp(b.input([1])))
  it.each([5, 15, 8.5, Number.NaN])("refuse precision %d", async (precision) => {
    await expect(quantizeProgram(program, { samples: [{ input0: [1] }], precision })).rejects.toThrow(
      UsageError,
    )
  })

  it("give the same model for the same samples", async () => {
    const options = { samples: [{ input0: [1] }] }
    expect(await quantizeProgram(program, options)).toEqual(await quantizeProgram(program, options))
  })
})
