/** Bytes of the integer model, sample files and inputs: round trips, damage, and what is refused. */
import fc from "fast-check"
import { zipSync } from "fflate"
import { describe, expect, it } from "vitest"
import { FileError, InputError } from "#src/errors.js"
import { parseInput, parseSamples } from "#src/quantize/calibration/samples.js"
import { deserialize, modelDigest, serialize } from "#src/quantize/canonical/digest.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { quantizeInput } from "#src/quantize/integers/run.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import { dequantize } from "#src/statement/values.js"
import { npy } from "../support/npy-writer.js"
import { ProgramBuilder, randomProgram } from "../support/programs.js"

const randomGraph = (seed: number): Promise<IntGraph> =>
  quantizeProgram(randomProgram(seed).program, {
    samples: randomProgram(seed).samples,
  })

describe("canonical bytes", () => {
  it("round trip, bounds included", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 30 }), async (seed) => {
        const graph = await randomGraph(seed)
        const bytes = serialize(graph)
        expect(deserialize(bytes)).toEqual(graph)
        expect(modelDigest(deserialize(bytes))).toBe(modelDigest(graph))
      }),
      { numRuns: 60 },
    )
  })

  it("are refused truncated at any byte, and with anything behind them", async () => {
    const bytes = serialize(await randomGraph(7))
    for (let length = 0; length < bytes.length; length++)
      expect(() => deserialize(bytes.subarray(0, length)), `length ${length}`).toThrow(FileError)
    expect(() => deserialize(Uint8Array.from([...bytes, 0]))).toThrow(FileError)
    expect(() => deserialize(new TextEncoder().encode("ONNX or anything else"))).toThrow("magic `CSIM`")
  })

  it("with one byte changed are refused or are another model", async () => {
    for (const seed of [1, 2, 3]) {
      const graph = await randomGraph(seed)
      const bytes = serialize(graph)
      const digest = modelDigest(graph)
      for (let at = 0; at < bytes.length; at++) {
        for (const flip of [1, 128]) {
          const damaged = bytes.slice()
          damaged[at] ^= flip
          let other: IntGraph
          try {
            other = deserialize(damaged)
          } catch (error) {
            expect(error, `byte ${at}`).toBeInstanceOf(FileError)
            continue
          }
          expect(modelDigest(other), `byte ${at}`).not.toBe(digest)
        }
      }
    }
  })

  it("do not take a file's word for what fits: sums beyond 2^52 are refused", async () => {
    const b = new ProgramBuilder()
    const program = b.build(b.dense(b.input([2]), 1, [0.5, -0.25]))
    const graph = await quantizeProgram(program, { samples: [{ input0: [1, 0.5] }] })
    const nodes = graph.nodes.map((node) => {
      if (node.kind !== "linear" || node.terms[0].map.kind !== "dense") return node
      const map = { ...node.terms[0].map, weight: Float64Array.of(2 ** 43, 1) }
      return { ...node, terms: [{ source: node.terms[0].source, map }] }
    })
    expect(() => deserialize(serialize({ ...graph, nodes }))).toThrow(/beyond 52 bits/)
  })
})

describe("inputs", () => {
  const b = new ProgramBuilder()
  const quantized = quantizeProgram(b.build(b.sum([[b.input([1, 3]), 1]])), {
    samples: [{ input0: [-0.4, 0, 1] }],
    precision: 8,
  })

  it("round to the nearest step, ties upwards", async () => {
    const graph = await quantized
    const step = graph.tensors[0].scale
    const input0 = [0.5 * step, -0.5 * step, 1]
    const { input0: q } = quantizeInput(graph, { input0 })
    expect([...q]).toEqual([1, 0, 127])
    expect([...dequantize(graph.tensors[0], q)][2]).toBeCloseTo(1, 12)
  })

  it("out of range are an error naming the element, or clamped on request", async () => {
    const graph = await quantized
    const input0 = [0, 1.01, -5]
    expect(() => quantizeInput(graph, { input0 })).toThrow(InputError)
    expect(() => quantizeInput(graph, { input0 })).toThrow(/`input0`, element 1: .*given 1.01/)
    expect([...quantizeInput(graph, { input0 }, { clampInputs: true }).input0]).toEqual([0, 127, -128])
    expect(quantizeInput(graph, { input0: [0, 0, 1 + graph.tensors[0].scale / 2.01] }).input0[2]).toBe(127)
  })

  it.each([
    ["no input", {}, /`input0` is missing/],
    ["another name", { input0: [1, 2, 3], x: [1] }, /unknown input `x`/],
    ["too few values", { input0: [1, 2] }, /expected 3 \(shape \[1, 3\]\); given 2/],
    ["NaN", { input0: [0, Number.NaN, 0] }, /input0\[1\].*given NaN/],
    ["infinity", { input0: [0, 0, Number.POSITIVE_INFINITY] }, /input0\[2\].*given Infinity/],
  ])("with %s are refused", async (_, inputs, message) => {
    const graph = await quantized
    expect(() => quantizeInput(graph, inputs as Record<string, number[]>)).toThrow(InputError)
    expect(() => quantizeInput(graph, inputs as Record<string, number[]>, { clampInputs: true })).toThrow(
      message,
    )
  })
})

describe("JSON samples", () => {
  const inputs = [
    { name: "image", shape: [1, 2, 2] },
    { name: "age", shape: [1] },
  ]
  const file = (json: unknown) => new TextEncoder().encode(JSON.stringify(json))
  const parse = (json: unknown) => parseSamples(file(json), "s.json", inputs)

  it("are flat or nested, by name or in EZKL's order, with labels", () => {
    const expected = { image: Float64Array.of(1, 2, 3, 4), age: Float64Array.of(5) }
    const forms = [
      { inputs: { image: [1, 2, 3, 4], age: [5] } },
      {
        inputs: {
          image: [
            [
              [1, 2],
              [3, 4],
            ],
          ],
          age: 5,
        },
      },
      { input_data: [[1, 2, 3, 4], [5]] },
      {
        input_data: [
          [
            [1, 2],
            [3, 4],
          ],
          [[5]],
        ],
      },
    ]
    for (const form of forms) expect({ ...parseInput(form, inputs) }).toEqual(expected)
    const { samples, labels } = parse(forms.map((form, label) => ({ ...form, label })))
    expect(samples.map((sample) => ({ ...sample }))).toEqual(forms.map(() => expected))
    expect(labels).toEqual([0, 1, 2, 3])
    expect(parse(forms).labels).toBeUndefined()
  })

  const good = { image: [1, 2, 3, 4], age: [5] }
  it.each([
    ["no samples", [], /number of samples.*given 0/],
    ["a missing input", [{ inputs: { age: [5] } }], /s\.json\[0\]: input `image` is missing/],
    ["an unknown input", [{ inputs: { ...good, x: 1 } }], /unknown input `x`/],
    ["a wrong count", [{ inputs: { ...good, age: [5, 6] } }], /s\.json\[0\]\.inputs\.age.*given 2/],
    ["text", [{ inputs: { ...good, image: [1, 2, "3", 4] } }], /image\[2\].*given `"3"`/],
    [
      "null for NaN",
      [{ inputs: good }, { inputs: { ...good, image: [1, null, 3, 4] } }],
      /\[1\].*image\[1\]/,
    ],
    [
      "ragged lists",
      [{ inputs: { ...good, image: [[1, 2, 3], [4]] } }],
      /image\[1\]: lists of unequal length/,
    ],
    ["mixed depth", [{ inputs: { ...good, image: [[1, 2], 3, 4] } }], /image\[1\].*expected a list/],
    ["a transposed shape", [{ inputs: { ...good, image: [[1], [2], [3], [4]] } }], undefined],
    ["another shape", [{ input_data: [[[1, 2, 3, 4], []], [5]] }], /unequal length/],
    [
      "endless nesting",
      [{ inputs: { ...good, age: JSON.parse("[".repeat(40) + "]".repeat(40)) } }],
      /deeper/,
    ],
    ["a label too few", [{ inputs: good, label: 1 }, { inputs: good }], /\[1\]\.label/],
    ["a negative label", [{ inputs: good, label: -1 }], /given `-1`/],
    ["something else", [3], /not an input.*given `3`/],
  ])("with %s", (_, json, message) => {
    if (message === undefined) {
      // axes of one do not count
      expect(parse(json).samples).toHaveLength(1)
      return
    }
    expect(() => parse(json)).toThrow(InputError)
    expect(() => parse(json)).toThrow(message)
  })

  it("in channels-last order are refused for a channels-first input", () => {
    const rgb = [{ name: "x", shape: [1, 3, 2, 2] }]
    const pixels = [
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      [
        [7, 8, 9],
        [1, 2, 3],
      ],
    ]
    expect(() => parseInput({ inputs: { x: pixels } }, rgb)).toThrow(
      /shape \[1, 3, 2, 2\]; given 12 of shape \[2, 2, 3\]/,
    )
  })

  it("that are no JSON are a file error", () => {
    for (const bytes of [new Uint8Array(), Uint8Array.of(0xff, 0xfe), new TextEncoder().encode("[1,")])
      expect(() => parseSamples(bytes, "s.json", inputs)).toThrow(FileError)
  })
})

describe("NumPy samples", () => {
  const inputs = [{ name: "x", shape: [1, 2, 3] }]
  const values = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
  const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer as ArrayBuffer)
  const parse = (files: Record<string, Uint8Array>) => parseSamples(zipSync(files), "s.npz", inputs)

  it.each([
    ["<f4", bytesOf(Float32Array.from(values))],
    ["<f8", bytesOf(Float64Array.from(values))],
    ["|i1", bytesOf(Int8Array.from(values))],
    ["|u1", bytesOf(Uint8Array.from(values))],
    ["<i2", bytesOf(Int16Array.from(values))],
    ["<u2", bytesOf(Uint16Array.from(values))],
    ["<i4", bytesOf(Int32Array.from(values))],
    ["<u4", bytesOf(Uint32Array.from(values))],
    ["<i8", bytesOf(BigInt64Array.from(values, BigInt))],
    ["<u8", bytesOf(BigUint64Array.from(values, BigInt))],
    [">i2", Uint8Array.from(values.flatMap((x) => [0, x]))],
  ])("of type %s", (descr, data) => {
    const labels = npy("|u1", [2], Uint8Array.of(7, 9))
    for (const shape of [
      [2, 2, 3],
      [2, 1, 2, 3],
    ]) {
      const found = parse({ "x.npy": npy(descr, shape, data), "labels.npy": labels })
      expect(found.samples.map((sample) => [...Array.from(sample.x)])).toEqual([
        values.slice(0, 6),
        values.slice(6),
      ])
      expect(found.labels).toEqual([7, 9])
    }
  })

  it("in Fortran order, and as one sample without a batch axis of its own", () => {
    const data = Uint8Array.of(1, 4, 2, 5, 3, 6)
    const { samples } = parse({ "x.npy": npy("|u1", [1, 2, 3], data, true) })
    expect(samples.map((sample) => [...Array.from(sample.x)])).toEqual([[1, 2, 3, 4, 5, 6]])
  })

  const data = Uint8Array.from(values)
  it.each([
    ["another name", { "z.npy": npy("|u1", [2, 2, 3], data) }, InputError, /unknown array `z`/],
    ["no array", {}, InputError, /`x` is missing/],
    [
      "another shape",
      { "x.npy": npy("|u1", [4, 3], data) },
      InputError,
      /expected \[samples, 1, 2, 3\]; given \[4, 3\]/,
    ],
    ["complex numbers", { "x.npy": npy("<c8", [2, 2, 3], data) }, FileError, /unsupported element type/],
    ["missing data", { "x.npy": npy("|u1", [3, 2, 3], data) }, FileError, /expected 18 bytes/],
    ["no array inside", { "x.npy": data }, FileError, /not a \.npy array/],
    [
      "NaN",
      { "x.npy": npy("<f8", [1, 2, 3], bytesOf(Float64Array.of(1, 2, Number.NaN, 4, 5, 6))) },
      InputError,
      /\[2\]/,
    ],
    [
      "labels to spare",
      { "x.npy": npy("|u1", [2, 2, 3], data), "labels.npy": npy("|u1", [3], data.slice(0, 3)) },
      InputError,
      /labels/,
    ],
  ])("with %s are refused", (_, files, type, message) => {
    expect(() => parse(files)).toThrow(type)
    expect(() => parse(files)).toThrow(message)
  })

  it("in a damaged archive are refused with a typed error, whatever the damage", () => {
    const archive = zipSync({ "x.npy": npy("|u1", [2, 2, 3], data) })
    fc.assert(
      fc.property(
        fc.nat(archive.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        (at, flip, cut) => {
          const damaged = cut ? archive.slice(0, at) : archive.slice()
          if (!cut) damaged[at] ^= flip
          try {
            parseSamples(damaged, "s.npz", inputs)
          } catch (error) {
            expect(error instanceof FileError || error instanceof InputError, String(error)).toBe(true)
          }
        },
      ),
    )
  })
})
