/** What a loss is, on which samples it is measured, which nodes it comes from, and how near to a tie decisions are. */
import { zipSync } from "fflate"
import { describe, expect, it } from "vitest"
import { ModelError } from "#src/errors.js"
import { apply, variable } from "#src/ops/formula.js"
import { importOnnx } from "#src/ops/import.js"
import { lower } from "#src/ops/lower.js"
import { measureAccuracy } from "#src/quantize/accuracy.js"
import { parseLabels, parseSamples } from "#src/quantize/calibration/samples.js"
import { classifierOf, Reference, split } from "#src/quantize/loss.js"
import { nodeLosses } from "#src/quantize/losses.js"
import { calibrated, quantizeProgram } from "#src/quantize/quantize.js"
import { labelled, perceptron } from "../support/classifiers.js"
import { npy } from "../support/npy-writer.js"
import { encodeOnnx } from "../support/onnx-writer.js"
import { diagonal, ProgramBuilder, randomProgram } from "../support/programs.js"
import { Random } from "../support/random.js"

describe("samples that are held out", () => {
  it("are none of few, and three of four of many", () => {
    expect(split(39).measured).toEqual(split(39).calibrating)
    const { calibrating, measured } = split(100)
    expect([calibrating.length, measured.length]).toEqual([25, 75])
    expect([...calibrating, ...measured].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 100 }, (_, i) => i),
    )
    expect(split(100_000).calibrating).toHaveLength(512)
  })

  it("are drawn without regard to the order of classes, and the same each time", () => {
    expect(split(1000)).toEqual(split(1000))
    for (const period of [2, 3, 4, 10]) {
      const classes = new Set(split(1000).calibrating.map((i) => i % period))
      expect(classes.size).toBe(period)
    }
    const early = split(1000).calibrating.filter((i) => i < 500).length
    expect(Math.abs(early - 125)).toBeLessThan(30)
  })
})

describe("a class", () => {
  it("is the largest of several elements", () => {
    expect(classifierOf([[0, 0]])([1, 3, 2])).toBe(1)
  })
  it("is one element itself where those are whole", () => {
    expect(classifierOf([[3], [7]])([6.9])).toBe(7)
  })
  it("is whether a probability is above a half, or a logit above nothing", () => {
    expect([0.4, 0.6].map((x) => classifierOf([[0.2], [0.9]])([x]))).toEqual([0, 1])
    expect([-0.1, 0.1].map((x) => classifierOf([[-3.5], [0.9]])([x]))).toEqual([0, 1])
  })
})

describe("a loss", () => {
  it("is points of accuracy where there are labels", async () => {
    const { program, samples, labels } = labelled(perceptron(7), 1, 200)
    const coarse = await quantizeProgram(program, { samples, precision: 6 })
    const wrong = labels.map((label, i) => (i < 20 ? (label + 1) % 4 : label))
    const exact = await Reference.of(program, samples, { labels })
    const { accuracy, agreement, loss } = await exact.lossOf(coarse)
    expect(exact.accuracy).toBe(1)
    expect(accuracy).toBe(agreement)
    expect(accuracy).toBeLessThan(1)
    expect(loss).toBeCloseTo(100 * (1 - Number(accuracy)), 5)
    expect((await Reference.of(program, samples, { labels: wrong })).accuracy).toBe(0.9)
    const measured = await measureAccuracy(program, coarse, samples, { labels })
    expect([measured.float, measured.integer, measured.agreement]).toEqual([1, accuracy, agreement])
  })

  it("is none where the integer model is the better one", async () => {
    const { program, samples } = labelled(perceptron(7), 1, 200)
    const coarse = await quantizeProgram(program, { samples, precision: 6 })
    const first = await Reference.of(program, samples, { labels: samples.map(() => 0) })
    const second = await Reference.of(program, samples, { labels: samples.map(() => 1) })
    // what one class loses another gains
    const losses = [await first.lossOf(coarse), await second.lossOf(coarse)].map(({ loss }) => loss)
    expect(Math.min(...losses)).toBeGreaterThanOrEqual(0)
  })

  it("is the root mean square error in percent of the range of the worst output without", async () => {
    const b = new ProgramBuilder()
    const x = b.input([2])
    const program = b.build(b.sum([[x, 1]]), b.function(x, apply("sigmoid", variable)))
    const samples = [{ input0: [-4, 4] }, { input0: [0.3, 1.7] }]
    const graph = await quantizeProgram(program, { samples, precision: 6 })
    const { outputs } = await measureAccuracy(program, graph, samples)
    const { loss, accuracy } = await (await Reference.of(program, samples)).lossOf(graph)
    expect(accuracy).toBeNull()
    const [ranges, most] = [[8, 1], outputs.map(({ maxError }, i) => (100 * maxError) / [8, 0.964][i])]
    expect(ranges.length).toBe(most.length)
    expect(loss).toBeGreaterThan(0)
    expect(loss).toBeLessThanOrEqual(Math.max(...most))
    expect(loss).toBeGreaterThanOrEqual(Math.max(...most) / 2)
  })
})

describe("losses by node", () => {
  /** y = relu(x + 1000) − 1000 + tanh(x): one range is a thousand times the other's. */
  async function lopsided() {
    const b = new ProgramBuilder()
    const x = b.input([4])
    const ones = (value: number) =>
      b.linear([{ source: x, map: diagonal(4, 1) }], [4], new Array(4).fill(value))
    const wide = b.clamp(ones(1000))
    const narrow = b.function(x, apply("tanh", variable))
    const program = b.build(
      b.sum([
        [wide, 1],
        [narrow, 1],
      ]),
    )
    const random = new Random(3)
    const samples = Array.from({ length: 20 }, () => ({ input0: random.reals(4, 2) }))
    return { program, samples, culprit: program.nodes.find(({ kind }) => kind === "clamp")?.origin.name }
  }
  it("name the one that is to blame", async () => {
    const { program, samples, culprit } = await lopsided()
    const ready = await calibrated(program, { samples })
    const losses = nodeLosses(ready, ready.at(10), samples, [4])
    expect(losses[0]).toMatchObject({ node: culprit, operator: "clamp" })
    expect(losses[0].share).toBeGreaterThan(0.9)
    expect(losses.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9)
  })

  it("are introduced, not inherited: a sum after it is exact", async () => {
    const { program, samples } = await lopsided()
    const ready = await calibrated(program, { samples })
    const last = nodeLosses(ready, ready.at(10), samples, [4]).find(({ operator }) => operator === "linear")
    expect(last?.share ?? 0).toBeLessThan(0.01)
  })

  it("fall with precision, and explain the whole error, of random programs", async () => {
    for (let seed = 0; seed < 12; seed++) {
      const { program, samples } = randomProgram(seed)
      const ready = await calibrated(program, { samples })
      const ranges = program.outputs.map(() => 1)
      const [coarse, fine] = [6, 14].map((bits) => nodeLosses(ready, ready.at(bits), samples, ranges))
      for (const { introduced, share, effect } of [...coarse, ...fine])
        for (const figure of [introduced, share, effect]) expect(Number.isFinite(figure)).toBe(true)
      const total = (losses: typeof coarse) => losses.reduce((sum, { effect }) => sum + effect ** 2, 0)
      expect(total(fine)).toBeLessThanOrEqual(total(coarse) + 1e-12)
    }
  })
})

describe("near ties", () => {
  it("of the largest output are told by its error", async () => {
    const b = new ProgramBuilder()
    const x = b.input([3])
    const program = b.build(b.function(x, apply("sigmoid", variable)))
    const samples = [{ input0: [1, 1.0001, 0] }, { input0: [3, -3, 0] }, { input0: [-1, 2, 0.5] }]
    const graph = await quantizeProgram(program, { samples, precision: 8 })
    const { margin } = await measureAccuracy(program, graph, samples)
    expect(margin).toMatchObject({ output: program.outputs[0].name, near: 1 })
    expect(margin?.least).toBeLessThan(1e-4)
  })

  it("of comparisons and positions inside are counted, and which come out otherwise", async () => {
    const bytes = encodeOnnx({
      inputs: [
        { name: "x", shape: [1, 4] },
        { name: "z", shape: [1, 4] },
      ],
      outputs: ["y", "p"],
      initializers: { w: { shape: [4, 4], data: new Random(2).reals(16) } },
      nodes: [
        { operator: "MatMul", inputs: ["x", "w"], outputs: ["a"] },
        { operator: "Less", name: "less", inputs: ["a", "z"], outputs: ["b"] },
        { operator: "Cast", inputs: ["b"], outputs: ["y"], attributes: { to: 1 } },
        { operator: "ArgMax", name: "position", inputs: ["a"], outputs: ["p"], attributes: { axis: 1 } },
      ],
    })
    const program = lower(importOnnx(bytes))
    const random = new Random(5)
    const samples = Array.from({ length: 200 }, () => ({ x: random.reals(4, 1), z: random.reals(4, 1) }))
    const at = async (precision: number) => {
      const graph = await quantizeProgram(program, { samples, precision })
      return (await measureAccuracy(program, graph, samples)).decisions
    }
    const [coarse, fine] = [await at(6), await at(14)]
    expect(coarse.map(({ node, decisions }) => [node, decisions])).toEqual([
      ["less", 800],
      ["position", 200],
    ])
    expect(coarse[0].near).toBeGreaterThan(0)
    expect(coarse[0].changed).toBeGreaterThan(0)
    expect(coarse[0].changed).toBeLessThan(5 * coarse[0].near)
    expect(fine[0].near).toBeLessThan(coarse[0].near)
    expect(fine[0].changed).toBeLessThan(Number(coarse[0].changed))
  })
})

describe("labels", () => {
  const text = (json: unknown) => new TextEncoder().encode(JSON.stringify(json))
  const bytesOf = (...values: number[]) => npy("|u1", [values.length], Uint8Array.from(values))
  const archive = (arrays: Record<string, Uint8Array>) =>
    zipSync(Object.fromEntries(Object.entries(arrays).map(([name, array]) => [`${name}.npy`, array])))
  const wide = new Uint8Array(BigInt64Array.of(0n, 2n, 1n).buffer)
  it.each([
    ["a list", "l.json", text([0, 2, 1])],
    ["a column", "l.json", text([[0], [2], [1]])],
    ["labels of an object", "l.json", text({ labels: [0, 2, 1] })],
    ["y of an object", "l.json", text({ y: [0, 2, 1] })],
    ["an array", "l.npy", npy("<i8", [3], wide)],
    ["bytes", "l.npy", npy("|u1", [3, 1], Uint8Array.of(0, 2, 1))],
    ["an archive with y", "l.npz", archive({ y: bytesOf(0, 2, 1), x: bytesOf(1, 1) })],
  ])("are %s", (_, file, bytes) => {
    expect(parseLabels(bytes, file, 3)).toEqual([0, 2, 1])
  })

  it.each([
    ["another number", "l.json", text([0, 1]), /number of labels differs/],
    ["no classes", "l.json", text([0, 1.5, 2]), /no class number/],
    ["none", "l.json", text({ classes: [1] }), /no labels/],
    ["text", "l.json", text(["a", "b", "c"]), /no class number/],
    ["no array", "l.npy", text([1]), /not a .npy array/],
    ["two arrays", "l.npz", archive({ y: bytesOf(0, 1, 2), labels: bytesOf(0, 1, 2) }), /two arrays/],
  ])("are not %s", (_, file, bytes, message) => {
    expect(() => parseLabels(bytes, file, 3)).toThrow(message)
  })

  it("stand beside samples under either name, unless an input has it", () => {
    const x = npy("|u1", [2, 1], Uint8Array.of(3, 1))
    const specs = [{ name: "x", shape: [1] }]
    expect(parseSamples(archive({ x, y: bytesOf(1, 0) }), "s.npz", specs).labels).toEqual([1, 0])
    expect(parseSamples(archive({ y: x }), "s.npz", [{ name: "y", shape: [1] }]).labels).toBeUndefined()
  })
})

describe("what cannot be quantized", () => {
  it("is all named, where several nodes cannot", async () => {
    const b = new ProgramBuilder()
    const x = b.input([2])
    const undefinedBetween = () => b.function(b.sum([[x, 1]]), apply("log", apply("pow", variable, [2])))
    const program = b.build(undefinedBetween(), undefinedBetween(), b.function(x, apply("tanh", variable)))
    const samples = [{ input0: [-1, 1] }]
    const error: unknown = await quantizeProgram(program, { samples }).catch((reason) => reason)
    expect(error).toBeInstanceOf(ModelError)
    const { groups, problems } = error as ModelError
    expect(problems).toHaveLength(2)
    expect(groups).toEqual([expect.objectContaining({ operator: "function", count: 2 })])
    expect(groups[0].help).toMatch(/Clip/)
  })
})
