/** Backends: integers bit for bit on every model there is, and devices that are missing, wrong, or fail. */
import { readdirSync, readFileSync } from "node:fs"
import * as tf from "@tensorflow/tfjs-core"
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { InputError, UsageError } from "#src/errors.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { evaluate } from "#src/ops/evaluate.js"
import { lower } from "#src/ops/lower.js"
import { measureAccuracy } from "#src/quantize/accuracy.js"
import { Backends, openBackends, type PassedOver } from "#src/quantize/backends/backends.js"
import { type Device, MissingDevice } from "#src/quantize/backends/device.js"
import { parseSamples } from "#src/quantize/calibration/samples.js"
import { modelDigest } from "#src/quantize/canonical/digest.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { quantizeInput, runInteger, runIntegers } from "#src/quantize/integers/run.js"
import { quantize, quantizeProgram } from "#src/quantize/quantize.js"
import { elevenBits, held, loopDevice } from "../../support/devices.js"
import { small } from "../../support/networks.js"
import { randomProgram } from "../../support/programs.js"
import { Random } from "../../support/random.js"

const example = (folder: string) => {
  const read = (name: string) => readFileSync(new URL(`../../../examples/${folder}/${name}`, import.meta.url))
  const graph = importOnnx(read("model.onnx"))
  return { graph, ...parseSamples(read("samples.json"), "samples.json", graph.inputs) }
}

/** Backends whose `auto` and names start the devices that are given here, and no others. */
const backendsOf = (
  devices: Partial<Record<"wasm" | "webgpu" | "node-gpu", () => Device>>,
  wanted = "wasm",
) => {
  const told: PassedOver[] = []
  const backends = new Backends(
    wanted as "wasm",
    async (name) => {
      const start = devices[name]
      if (!start) throw new MissingDevice("there is none")
      return start()
    },
    (each) => told.push(each),
  )
  return { backends, told }
}

/** Integers at random and at the ends of what inputs admit. */
const inputsOf = (graph: IntGraph, random: Random, count: number) =>
  Array.from({ length: count }, (_, run) =>
    Object.fromEntries(
      graph.inputs.map(({ name, tensor, lo, bits }) => {
        const hi = lo + 2 ** bits - 1
        const draw = () => (run % 2 ? random.pick([lo, hi]) : random.integer(lo, hi))
        return [name, Float64Array.from(graph.tensors[tensor].lo, draw)]
      }),
    ),
  )

/** That all tensors are what plain loops give, on inputs that a model admits. */
async function expectSame(graph: IntGraph, backends: Backends, random: Random, count = 3) {
  const inputs = inputsOf(graph, random, count)
  const tensors = graph.nodes.map(({ out }) => out)
  const got = await runIntegers(graph, inputs, { backend: backends, tensors })
  inputs.forEach((input, i) => {
    for (const [id, values] of runInteger(graph, input))
      expect(got[i].get(id), graph.tensors[id].name).toEqual(values)
  })
}

describe("integers on WebAssembly", () => {
  let backends: Backends
  beforeAll(() => {
    backends = openBackends("wasm")
  })
  afterAll(() => backends.close())

  it("are those of the loops, on random models of every precision", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 2 ** 30 }),
        fc.constantFrom(6, 10, 14),
        async (seed, precision) => {
          const { program, samples } = randomProgram(seed)
          const graph = await quantizeProgram(program, { samples, precision }).catch(() => fc.pre(false))
          await expectSame(graph as IntGraph, backends, new Random(seed + 1))
        },
      ),
      { numRuns: 60 },
    )
  })

  const examples = readdirSync(new URL("../../../examples", import.meta.url)).filter((name) =>
    name.startsWith("mnist"),
  )
  it.each(examples)("are those of the loops, on %s at 8 and 14 bits", async (folder) => {
    const { graph, samples } = example(folder)
    for (const precision of [8, 14]) {
      const model = await quantize(graph, { samples: samples.slice(0, 20), precision })
      await expectSame(model, backends, new Random(precision), 2)
    }
  })

  it("are those of the loops, with every gadget", async () => {
    await expectSame((await small()).graph, backends, new Random(3), 20)
    expect(backends.chosen).toBe("wasm")
    expect(backends.passedOver).toEqual([])
  })

  it("leave tfjs as it was: its backend, and no tensor", async () => {
    await tf.setBackend("wasm")
    const { graph } = await small()
    const before = tf.memory().numTensors
    const inputs = inputsOf(graph, new Random(1), 300)
    await runIntegers(graph, inputs, { backend: backends })
    expect(tf.memory().numTensors).toBe(before)
    const stop = new AbortController()
    const onProgress = () => stop.abort()
    await expect(
      runIntegers(graph, inputs, { backend: backends, onProgress, signal: stop.signal }),
    ).rejects.toMatchObject({ name: "AbortError" })
    expect(tf.memory().numTensors).toBe(before)
    tf.registerBackend("elsewhere", () => new tf.KernelBackend())
    await tf.setBackend("elsewhere")
    await runIntegers(graph, inputs.slice(0, 3), { backend: backends })
    expect(tf.getBackend()).toBe("elsewhere")
  })
})

describe("a device", () => {
  const model = () => small().then(({ graph }) => graph)
  const wrongAt = (call: number) =>
    loopDevice({
      // one integer of one product that comes late, off by one
      result: (values, at) => values.map((x, i) => (at === call && i === values.length - 1 ? x + 1 : x)),
    })

  it("that is right is used, and given back", async () => {
    const device = loopDevice()
    const { backends, told } = backendsOf({ wasm: () => device })
    await expectSame(await model(), backends, new Random(1))
    expect([backends.chosen, told, held()]).toEqual(["wasm", [], 0])
    await backends.close()
    expect(device.closed).toBe(1)
  })

  it("that shortens factors runs integers, and no reals", async () => {
    const { backends, told } = backendsOf({ wasm: () => loopDevice({ factor: elevenBits }) })
    await expectSame(await model(), backends, new Random(1))
    const { program, samples } = randomProgram(5)
    const kept = new Set(program.nodes.map(({ out }) => out))
    await backends.run(program, samples.slice(0, 1), { kept }, ({ values }) => {
      expect(new Map(values)).toEqual(evaluate(program, samples[0]))
    })
    expect([backends.chosen, told]).toEqual(["wasm", []])
  })

  it("that is missing is passed over", async () => {
    const { backends, told } = backendsOf({}, "webgpu")
    await expectSame(await model(), backends, new Random(1))
    expect(told).toEqual([{ backend: "webgpu", reason: "there is none", missing: true }])
    expect(backends.chosen).toBe("loops")
  })

  it.each([
    ["gets known answers wrong", () => wrongAt(0), /wrong/],
    ["gets one integer wrong, once", () => wrongAt(40), /wrong integers/],
    [
      "gives what is no number",
      () => loopDevice({ result: (values, at) => (at > 40 ? values.fill(Number.NaN) : values) }),
      /wrong integers/,
    ],
    [
      "gives too few numbers",
      () => loopDevice({ result: (values, at) => (at > 40 ? values.slice(1) : values) }),
      /numbers where/,
    ],
    [
      "throws in the middle",
      () =>
        loopDevice({
          result(values, at) {
            if (at > 40) throw new TypeError("the device was lost")
            return values
          },
        }),
      /^the device was lost$/,
    ],
  ])("that %s is passed over, and changes nothing", async (_, make, reason) => {
    const device = make()
    const { backends, told } = backendsOf({ wasm: () => device })
    const graph = await model()
    for (let run = 0; run < 8; run++) await expectSame(graph, backends, new Random(run))
    expect(told).toEqual([{ backend: "wasm", reason: expect.stringMatching(reason), missing: false }])
    expect([backends.chosen, device.closed, held()]).toEqual(["loops", 1, 0])
  })

  it.each([[["matmul"]], [["conv"]], [[]]] as const)(
    "that has only %j does the rest in loops",
    async (operations) => {
      const { backends, told } = backendsOf({ wasm: () => loopDevice({ operations }) })
      await expectSame(await model(), backends, new Random(1))
      expect([backends.chosen, told, held()]).toEqual(["wasm", [], 0])
    },
  )
})

describe("the choice of a backend", () => {
  const lenet = example("mnist-lenet")
  const program = lower(lenet.graph)
  const tensors = new Set(program.outputs.map(({ tensor }) => tensor))
  const many = Array.from({ length: 1000 }, (_, i) => lenet.samples[i % lenet.samples.length])

  it("starts none for little work, and measures once for more", async () => {
    let started = 0
    const start = () => {
      started++
      return loopDevice()
    }
    const { backends } = backendsOf({ wasm: start }, "auto")
    await backends.run(program, many.slice(0, 5), { kept: tensors }, () => undefined)
    expect([started, backends.chosen, backends.measured]).toEqual([0, undefined, undefined])
    const prepared = backends.prepare(program, tensors, many.length)
    for (let i = 0; i < 3; i++) await prepared.run(many.slice(0, 2))
    prepared.dispose()
    expect(started).toBe(1)
    expect(Object.keys(backends.measured ?? {})).toEqual(["loops", "wasm"])
    // float32 in loops of arrays is not faster than doubles in typed ones
    expect([backends.chosen, held()]).toEqual(["loops", 0])
  })

  it("leaves out an adapter in software, unless it is asked for", async () => {
    const software = () => Object.assign(loopDevice(), { inSoftware: true })
    const { backends, told } = backendsOf({ webgpu: software }, "auto")
    const prepared = backends.prepare(program, tensors, many.length)
    await prepared.run(many.slice(0, 2))
    prepared.dispose()
    expect(told.find(({ backend }) => backend === "webgpu")).toMatchObject({
      reason: expect.stringMatching(/software/),
      missing: true,
    })
    expect(Object.keys(backends.measured ?? {})).toEqual(["loops"])
    const asked = backendsOf({ webgpu: software }, "webgpu")
    await expectSame((await small()).graph, asked.backends, new Random(1))
    expect(asked.told).toEqual([])
  })

  it("passes over what disagrees with the loops", async () => {
    // right about integers, and off by a thousandth where they are none
    const result = (values: Float32Array) => values.map((x) => (Number.isInteger(x) ? x : 1.001 * x))
    const { backends, told } = backendsOf({ wasm: () => loopDevice({ result }) }, "auto")
    const prepared = backends.prepare(program, tensors, many.length)
    await prepared.run(many.slice(0, 2))
    prepared.dispose()
    expect(told.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/disagrees with the loops on tensor/),
      "there is none",
      "there is none",
    ])
  })

  it("is the fastest of those that are there", async () => {
    await using backends = openBackends("auto")
    const prepared = backends.prepare(program, tensors, many.length)
    await prepared.run(many.slice(0, 8))
    prepared.dispose()
    const measured = Object.entries(backends.measured ?? {}) as [string, number][]
    expect(measured.map(([name]) => name)).toEqual(expect.arrayContaining(["loops", "wasm"]))
    const [[fastest]] = measured.sort(([, x], [, y]) => x - y)
    expect(backends.chosen).toBe(fastest)
  })

  it("changes neither a model nor what is said of it, but for float32", async () => {
    await using backend = openBackends("wasm")
    const { samples: given, labels } = lenet
    const model = await quantizeProgram(program, { samples: given, backend })
    const loops = await quantizeProgram(program, { samples: given, backend: "loops" })
    expect(modelDigest(model)).toBe(modelDigest(loops))
    const [fast, slow] = [
      await measureAccuracy(program, model, given, { labels, backend }),
      await measureAccuracy(program, model, given, { labels, backend: "loops" }),
    ]
    expect(backend.chosen).toBe("wasm")
    const rounded = { outputs: [], margin: null, losses: [] }
    expect({ ...fast, ...rounded }).toEqual({ ...slow, ...rounded })
    expect(fast.outputs[0].maxError).toBeCloseTo(slow.outputs[0].maxError, 4)
  })

  it("is refused if there is no such backend", async () => {
    expect(() => openBackends("cuda" as never)).toThrow(UsageError)
  })
})

describe("integers of many inputs", () => {
  it("are refused if an input does not admit them", async () => {
    const { graph, input } = await small()
    const good = quantizeInput(graph, input)
    for (const value of [2 ** 20, -(2 ** 20), 0.5, Number.NaN]) {
      const x = good.x.slice()
      x[3] = value
      await expect(runIntegers(graph, [good, { x }])).rejects.toThrow(InputError)
    }
    await expect(runIntegers(graph, [{ x: [1] }])).rejects.toThrow(InputError)
    expect(await runIntegers(graph, [])).toEqual([])
  })
})
