/** The cheapest circuit within a loss: what is tried, what is chosen, and what is said where nothing is within it. */
import { describe, expect, it } from "vitest"
import { compile } from "#src/compile/compile.js"
import { AccuracyError, type PrecisionSearch, searchPrecision } from "#src/compile/search.js"
import { ModelError } from "#src/errors.js"
import { apply, variable } from "#src/ops/formula.js"
import { modelDigest } from "#src/quantize/canonical/digest.js"
import { Reference } from "#src/quantize/loss.js"
import { calibrated } from "#src/quantize/quantize.js"
import { labelled, perceptron } from "../support/classifiers.js"
import { ProgramBuilder } from "../support/programs.js"
import { Random } from "../support/random.js"

const { program, samples, labels } = labelled(perceptron(7), 1, 200)

const failed = async (search: Promise<unknown>): Promise<AccuracyError> => {
  const error: unknown = await search.catch((reason) => reason)
  expect(error).toBeInstanceOf(AccuracyError)
  return error as AccuracyError
}

describe("a search over everything", () => {
  it("takes the cheapest that is within the loss, and no cheaper one is", async () => {
    const seen = new Set<number>()
    for (const target of [3, 0]) {
      const { chosen, candidates, complete, heldOut } = await searchPrecision(program, {
        samples,
        labels,
        target,
      })
      expect([complete, heldOut, candidates.length]).toEqual([true, true, 27])
      expect(chosen.loss).toBeLessThanOrEqual(target)
      for (const { loss, constraints } of candidates)
        if (Number(constraints) < Number(chosen.constraints)) expect(loss).toBeGreaterThan(target)
      seen.add(chosen.precision)
    }
    // the model is one whose accuracy really drops
    expect(seen.size).toBeGreaterThan(1)
  })

  it("gives the model that was measured, of about the constraints that it says", async () => {
    const { chosen, graph, measured, calibrating } = await searchPrecision(program, {
      samples,
      labels,
      target: 1,
    })
    const reference = await Reference.of(
      program,
      measured.map((i) => samples[i]),
      { labels: measured.map((i) => labels[i]) },
    )
    expect(await reference.lossOf(graph)).toMatchObject({ loss: chosen.loss, accuracy: chosen.accuracy })
    const ready = await calibrated(
      program,
      { samples: calibrating.map((i) => samples[i]), calibration: chosen.calibration },
      samples.map(({ x }) => ({ x })),
    )
    expect(modelDigest(ready.at(chosen.precision).graph)).toBe(modelDigest(graph))
    const { rows } = (await compile(graph)).linked.r1cs
    expect(Math.abs(rows - Number(chosen.constraints))).toBeLessThan(0.1 * rows)
  })

  it("admits the inputs of all samples, whichever calibrated", async () => {
    const far = [...samples, { x: [50, 0, 0, 0, 0, 0, 0, 0] }]
    const { graph } = await searchPrecision(program, { samples: far, target: 100, precisions: [10] })
    const [{ tensor, lo, bits }] = graph.inputs
    expect((lo + 2 ** bits - 1) * graph.tensors[tensor].scale).toBeGreaterThanOrEqual(49.9)
  })

  it("measures the error relative to ranges where there are no labels", async () => {
    const { measure, candidates, chosen, float } = await searchPrecision(program, { samples, target: 0.1 })
    expect([measure, float]).toEqual(["error", null])
    const loss = (bits: number) =>
      candidates.find(({ precision, calibration }) => precision === bits && calibration === "minmax")?.loss ??
      0
    for (let bits = 6; bits < 14; bits++) expect(loss(bits)).toBeGreaterThan(loss(bits + 1))
    expect(chosen.loss).toBeLessThanOrEqual(0.1)
  })

  it("prefers a percentile where one value in a thousand takes all the range", async () => {
    const b = new ProgramBuilder()
    const x = b.input([8])
    // the ninth is 0 but where the first two are both near 1, and then it is large
    const both = b.clamp(b.dense(x, 1, [1, 1, 0, 0, 0, 0, 0, 0], [-1.85]))
    const cell = (row: number, column: number) => (row === column && row < 8 ? 1 : 0)
    const own = Array.from({ length: 72 }, (_, i) => cell(Math.floor(i / 8), i % 8))
    const dense = (k: number, weight: number[]) => ({
      kind: "dense" as const,
      weight: Float64Array.from(weight),
      n: 1,
      k,
      m: 9,
    })
    const all = b.linear(
      [
        { source: x, map: dense(8, own) },
        { source: both, map: dense(1, [0, 0, 0, 0, 0, 0, 0, 0, 100]) },
      ],
      [1, 9],
    )
    const weights = new Random(4).reals(9).map((w, i) => (i === 8 ? 0 : w))
    const program = b.build(b.dense(b.clamp(all), 1, weights))
    const random = new Random(2)
    const many = Array.from({ length: 2000 }, () => ({ input0: random.reals(8, 1) }))
    const { chosen, candidates } = await searchPrecision(program, {
      samples: many,
      target: 100,
      precisions: [8],
    })
    const [plain, , percentile] = candidates.map(({ loss }) => Number(loss))
    expect(percentile).toBeLessThan(plain / 2)
    expect(chosen.calibration).toEqual({ percentile: 99.9 })
  })
})

describe("a search by halving", () => {
  const halved = (target: number) => searchPrecision(program, { samples, labels, target, work: 0 })

  it("says that it is one, tries fewer, and meets the target", async () => {
    const { complete, candidates, chosen } = await halved(1)
    expect(complete).toBe(false)
    expect(candidates.length).toBeLessThanOrEqual(12)
    expect(chosen.loss).toBeLessThanOrEqual(1)
  })

  it("finds what trying everything finds where loss falls with precision", async () => {
    const options = { samples, target: 0.1, calibrations: ["minmax"] } as const
    const [all, some]: PrecisionSearch[] = [
      await searchPrecision(program, options),
      await searchPrecision(program, { ...options, work: 0 }),
    ]
    expect(some.chosen).toEqual(all.chosen)
  })
})

describe("where nothing is within the loss", () => {
  it("the nodes that lose most are named with figures", async () => {
    const error = await failed(searchPrecision(program, { samples, target: 0.0001 }))
    expect(error.message).toMatch(/loses at most 0.0001 % of an output's range: the least is 0.0/)
    expect(error.message).toMatch(/with precision 14/)
    const lines = error.message.split("\n")
    expect(lines[1]).toMatch(/node `\/hidden\/Sigmoid`, operator `Sigmoid`: [\d.]+ % of the outputs' error/)
    expect(error.search.losses.map(({ node }) => node)).toEqual(
      expect.arrayContaining(["/hidden/Sigmoid", "/head/MatMul", "x"]),
    )
    expect(error.search.candidates).toHaveLength(27)
  })

  it("is said too if no circuit may be so large", async () => {
    const error = await failed(
      searchPrecision(program, { samples, target: 1, circuit: { maxConstraints: 10 } }),
    )
    expect(error.message).toMatch(/may be so large/)
    expect(error.search.candidates[0]).toMatchObject({ loss: null, problem: "more than 10 constraints" })
  })

  it("because it cannot be quantized at all, the reason is that", async () => {
    const b = new ProgramBuilder()
    const x = b.input([2])
    const program = b.build(b.function(x, apply("log", apply("pow", variable, [2]))))
    const search = searchPrecision(program, { samples: [{ input0: [-1, 1] }], target: 1 })
    await expect(search).rejects.toThrow(ModelError)
    await expect(search).rejects.toThrow(/undefined on values/)
  })
})

describe("a search", () => {
  it("tells how far it is, and stops when it is told to", async () => {
    const control = new AbortController()
    const stages: number[] = []
    const onProgress = ({ stage, done, total }: { stage: string; done: number; total: number }) => {
      if (stage !== "search precision") return
      expect(total).toBe(27)
      stages.push(done)
      if (done === 3) control.abort(new Error("enough"))
    }
    const search = searchPrecision(program, { samples, target: 1, onProgress, signal: control.signal })
    await expect(search).rejects.toThrow("enough")
    expect(stages).toEqual([1, 2, 3])
  })

  it("measures on all samples where they are few", async () => {
    const few = samples.slice(0, 20)
    const { heldOut, measured, calibrating } = await searchPrecision(program, { samples: few, target: 5 })
    expect([heldOut, measured, calibrating]).toEqual([false, calibrating, measured])
  })
})
