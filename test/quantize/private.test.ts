/** Private weights: what is secret of a model, in integers, and what is left of it without. */
import { keccak_256 } from "@noble/hashes/sha3.js"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { FileError, ModelError, UsageError } from "#src/errors.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { deserialize, modelDigest, serialize } from "#src/quantize/canonical/digest.js"
import { readWeights, writeWeights } from "#src/quantize/canonical/weights.js"
import { runExactly } from "#src/quantize/integers/exact.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { quantizeInput, runInteger } from "#src/quantize/integers/run.js"
import {
  hasSecrets,
  isPrivate,
  secretCount,
  secretRuns,
  secretsOf,
  withAnySecrets,
  withoutSecrets,
  withSecrets,
} from "#src/quantize/integers/secrets.js"
import { quantize } from "#src/quantize/quantize.js"
import { generator1 } from "#src/statement/points.js"
import { encodeOnnx } from "../support/onnx-writer.js"
import { Random } from "../support/random.js"

/** A convolution, a pooling, a residual addition and a dense layer, with weights of a seed. */
function network(seed: number) {
  const random = new Random(seed)
  const bytes = encodeOnnx({
    inputs: [{ name: "x", shape: [1, 1, 4, 4] }],
    outputs: ["y"],
    initializers: {
      w: { shape: [2, 1, 3, 3], data: random.reals(18) },
      b: { shape: [2], data: random.reals(2) },
      u: { shape: [2, 2, 1, 1], data: random.reals(4) },
      gamma: { shape: [2], data: [1 + random.next(), 1 + random.next()] },
      beta: { shape: [2], data: random.reals(2) },
      mean: { shape: [2], data: random.reals(2) },
      variance: { shape: [2], data: [1 + random.next(), 1 + random.next()] },
      v: { shape: [3, 8], data: random.reals(24) },
      c: { shape: [3], data: random.reals(3) },
    },
    nodes: [
      { operator: "Conv", inputs: ["x", "w", "b"], outputs: ["a"], attributes: { pads: [1, 1, 1, 1] } },
      { operator: "Relu", inputs: ["a"], outputs: ["r"] },
      { operator: "Conv", inputs: ["r", "u"], outputs: ["s"] },
      { operator: "Add", inputs: ["r", "s"], outputs: ["t"] },
      {
        operator: "BatchNormalization",
        inputs: ["t", "gamma", "beta", "mean", "variance"],
        outputs: ["n"],
      },
      { operator: "Relu", inputs: ["n"], outputs: ["o"] },
      {
        operator: "AveragePool",
        inputs: ["o"],
        outputs: ["p"],
        attributes: { kernel_shape: [2, 2], strides: [2, 2] },
      },
      { operator: "Flatten", inputs: ["p"], outputs: ["f"] },
      { operator: "Gemm", inputs: ["f", "v", "c"], outputs: ["y"], attributes: { transB: 1 } },
    ],
  })
  return importOnnx(bytes)
}

/** The same with every weight times a factor, or otherwise changed. */
function scaled(seed: number, factor: number, change = (_: string, x: number) => x * factor) {
  const graph = network(seed)
  const constants = new Map(
    [...graph.constants].map(([name, tensor]) => [
      name,
      /float/.test(tensor.dtype) ? { ...tensor, data: tensor.data.map((x) => change(name, x)) } : tensor,
    ]),
  )
  return { ...graph, constants }
}

const samplesOf = (seed: number) => {
  const random = new Random(seed)
  return Array.from({ length: 8 }, () => ({ x: random.reals(16) }))
}

const privately = (seed: number): Promise<IntGraph> =>
  quantize(network(seed), { samples: samplesOf(9), weights: "private" })

describe("private weights", () => {
  it("are what the file's tensors make of linear maps, and nothing else is", async () => {
    const graph = await privately(1)
    const linear = graph.nodes.filter((node) => node.kind === "linear")
    expect(
      linear.map(({ terms, secret }) => ({
        kinds: terms.map(({ map }) => map.kind),
        secret: secret?.weights.map((window) => window !== undefined),
        biases: secret?.bias?.count,
      })),
    ).toMatchInlineSnapshot(`
      [
        {
          "biases": 2,
          "kinds": [
            "conv",
          ],
          "secret": [
            true,
          ],
        },
        {
          "biases": 2,
          "kinds": [
            "conv",
            "conv",
          ],
          "secret": [
            true,
            true,
          ],
        },
        {
          "biases": undefined,
          "kinds": [
            "sparse",
          ],
          "secret": undefined,
        },
        {
          "biases": 3,
          "kinds": [
            "dense",
          ],
          "secret": [
            true,
          ],
        },
      ]
    `)
    expect(isPrivate(graph) && hasSecrets(graph)).toBe(true)
  })

  it("are given and taken in one order", async () => {
    const graph = await privately(1)
    const secrets = secretsOf(graph)
    expect(secrets).toHaveLength(secretCount(graph))
    const without = withoutSecrets(graph)
    expect(hasSecrets(without)).toBe(false)
    expect(() => secretsOf(without)).toThrow(/private weights/)
    expect(secretsOf(withSecrets(without, secrets))).toEqual(secrets)
    expect(withSecrets(without, secrets)).toEqual(graph)
    expect(() => withSecrets(without, secrets.subarray(1))).toThrow(/not as many/)
    expect(() =>
      withSecrets(
        without,
        secrets.map((x, i) => (i === 3 ? 2 ** 9 : x)),
      ),
    ).toThrow(/out of its range/)
  })

  it("are not in canonical bytes, which are those of the architecture", async () => {
    const graph = await privately(1)
    const bytes = serialize(graph)
    expect(serialize(withoutSecrets(graph))).toEqual(bytes)
    const read = deserialize(bytes)
    expect(read).toEqual(withoutSecrets(graph))
    expect(modelDigest(read)).toBe(modelDigest(graph))
    const other = withAnySecrets(graph, ({ lo }) => lo)
    expect(modelDigest(other)).toBe(modelDigest(graph))
  })

  it("are kept in a file of their own, which fits no other architecture and tells what is wrong with it", async () => {
    const graph = await privately(1)
    const bare = withoutSecrets(graph)
    const commitment = { blinding: 7n, weights: generator1 }
    const kept = [{ graph }, { graph, commitment }].map(writeWeights)
    expect(readWeights(kept[0], bare)).toEqual({ graph })
    expect(readWeights(kept[1], bare)).toEqual({ graph, commitment })
    for (const bytes of kept)
      for (let i = 0; i < bytes.length; i += 1) {
        const damaged = bytes.slice()
        damaged[i] ^= 1
        expect(() => readWeights(damaged, bare)).toThrow(FileError)
        expect(() => readWeights(bytes.subarray(0, i), bare)).toThrow(FileError)
      }
    // with a checksum of its own a damaged one is still no other file
    for (const bytes of kept)
      for (let i = 0; i < bytes.length - 32; i += 1) {
        const damaged = bytes.slice()
        damaged[i] ^= 0x80
        damaged.set(keccak_256(damaged.subarray(0, -32)), damaged.length - 32)
        try {
          expect(writeWeights(readWeights(damaged, bare))).toEqual(damaged)
        } catch (error) {
          expect(error).toBeInstanceOf(FileError)
        }
      }
    const other = await quantize(network(1), { samples: samplesOf(9), weights: "private", precision: 9 })
    expect(() => readWeights(kept[0], other)).toThrow(/another architecture/)
    const fixed = await quantize(network(1), { samples: samplesOf(9) })
    expect(() => writeWeights({ graph: fixed })).toThrow(UsageError)
    expect(() => readWeights(kept[0], fixed)).toThrow(/no private weights/)
  })

  it("in their ranges, whatever they are, keep every tensor within its bounds", async () => {
    const graph = await privately(2)
    const { lo, bits } = graph.inputs[0]
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 2 ** 31 }), { minLength: 8, maxLength: 8 }),
        fc.boolean(),
        (seeds, extreme) => {
          const random = new Random(seeds[0])
          const end = (low: number, high: number) => (random.next() < 0.5 ? low : high)
          const any = (low: number, high: number) => (extreme ? end(low, high) : random.integer(low, high))
          const drawn = withAnySecrets(graph, (window) => any(window.lo, window.lo + 2 ** window.bits - 1))
          const x = Array.from({ length: 16 }, () => any(lo, lo + 2 ** bits - 1))
          const values = runInteger(drawn, { x })
          const exact = runExactly(drawn, { x })
          for (const [id, { lo: least, hi: most }] of drawn.tensors.entries())
            for (const [i, value] of (values.get(id) ?? new Float64Array(0)).entries()) {
              expect(value).toBeGreaterThanOrEqual(least[i])
              expect(value).toBeLessThanOrEqual(most[i])
              expect(BigInt(value)).toBe(exact[id][i])
            }
        },
      ),
      { numRuns: 40 },
    )
  })

  it("do not lose what fixed weights keep", async () => {
    const samples = samplesOf(9)
    const [fixed, hidden] = [await quantize(network(3), { samples }), await privately(3)]
    for (const sample of samples) {
      const [a, b] = [fixed, hidden].map((graph) => {
        const { tensor } = graph.outputs[0]
        const values = runInteger(graph, quantizeInput(graph, sample)).get(tensor) ?? new Float64Array(0)
        return Array.from(values, (x) => x * graph.tensors[tensor].scale)
      })
      for (const [i, x] of a.entries()) expect(Math.abs(x - b[i])).toBeLessThan(0.05)
    }
    expect(secretRuns(fixed)).toEqual([])
  })

  describe("of another training", () => {
    const again = (seed: number, like: IntGraph, graph = network(seed)) =>
      quantize(graph, { samples: samplesOf(10), weights: "private", like })

    it("have the architecture of the first, and are its integers where they are its weights", async () => {
      const first = await privately(1)
      const same = await again(1, withoutSecrets(first))
      expect(secretsOf(same)).toEqual(secretsOf(first))
      expect(same).toEqual(first)
      const other = await again(1, first, scaled(1, 0.9))
      expect(modelDigest(other)).toBe(modelDigest(first))
      expect(serialize(other)).toEqual(serialize(first))
      expect(secretsOf(other)).not.toEqual(secretsOf(first))
      expect(withoutSecrets(other)).toEqual(withoutSecrets(first))
    })

    it("say what the other model says", async () => {
      const first = await privately(1)
      const model = scaled(1, 0.9)
      const other = await again(1, first, model)
      const own = await quantize(model, { samples: samplesOf(9), weights: "private" })
      for (const sample of samplesOf(9)) {
        const [a, b] = [other, own].map((graph) => {
          const { tensor } = graph.outputs[0]
          const values = runInteger(graph, quantizeInput(graph, sample, { clampInputs: true })).get(tensor)
          return Array.from(values ?? [], (x) => x * graph.tensors[tensor].scale)
        })
        for (const [i, x] of a.entries()) expect(Math.abs(x - b[i])).toBeLessThan(0.05)
      }
    })

    it("are refused with every layer that they do not fit, and how far", async () => {
      const first = await privately(1)
      const error = await again(1, first, scaled(1, 5)).catch((e: unknown) => e)
      expect(error).toBeInstanceOf(ModelError)
      const { problems } = error as ModelError
      expect(problems.length).toBeGreaterThan(2)
      for (const problem of problems)
        expect(problem).toMatch(/a (weight|bias) is [\d.]+ times what its range has room for/)
    })

    it("are refused for another architecture", async () => {
      const first = await privately(1)
      const wider = importOnnx(
        encodeOnnx({
          inputs: [{ name: "x", shape: [1, 1, 4, 4] }],
          outputs: ["y"],
          initializers: { v: { shape: [3, 16], data: new Random(1).reals(48) } },
          nodes: [
            { operator: "Flatten", inputs: ["x"], outputs: ["f"] },
            { operator: "Gemm", inputs: ["f", "v"], outputs: ["y"], attributes: { transB: 1 } },
          ],
        }),
      )
      await expect(again(1, first, wider)).rejects.toThrow(/another architecture/)
      const fixed = await quantize(network(1), { samples: samplesOf(9) })
      await expect(again(1, fixed)).rejects.toThrow(/fixed weights/)
      await expect(quantize(network(1), { samples: samplesOf(9), like: first })).rejects.toThrow(
        /for private weights/,
      )
      const precise = { samples: samplesOf(9), weights: "private", like: first, precision: 9 } as const
      await expect(quantize(network(1), precise)).rejects.toThrow(/another precision/)
    })
  })

  it("that are one, or zero, show no more than others", async () => {
    const first = await privately(1)
    const plain = scaled(1, 1, (name, x) =>
      name === "gamma" || name === "variance"
        ? 1
        : name === "beta" || name === "mean" || name === "b"
          ? 0
          : x,
    )
    const other = await quantize(plain, { samples: samplesOf(9), weights: "private", like: first })
    expect(modelDigest(other)).toBe(modelDigest(first))
  })
})
