/** Models with something changed at random: lowered, or refused with a typed error, whatever the change. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { CountersignError } from "#src/errors.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { importTfjs } from "#src/model/tfjs/tfjs.js"
import { lower } from "#src/ops/lower.js"
import { encodeOnnx } from "../support/onnx-writer.js"
import { operatorCases } from "../support/operator-cases.js"
import { Random } from "../support/random.js"

/** What a change led to: a program, a typed error, or neither. */
function outcome(run: () => unknown): "program" | "typed" {
  try {
    run()
    return "program"
  } catch (error) {
    expect(error).toBeInstanceOf(CountersignError)
    return "typed"
  }
}

describe("mutated ONNX models", () => {
  const names = Object.keys(operatorCases)

  it("are lowered or refused", () => {
    const seen = { program: 0, typed: 0 }
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 30 }), (seed) => {
        const random = new Random(seed)
        const bytes = encodeOnnx(operatorCases[random.pick(names)](random)).slice()
        for (let i = random.pick([1, 1, 1, 2, 3, 4]); i > 0; i--) {
          const at = random.integer(0, bytes.length - 1)
          bytes[at] = random.pick([0, 1, 127, 128, 255, bytes[at] ^ (1 << random.integer(0, 7))])
        }
        const cut = random.next() < 0.1 ? bytes.subarray(0, random.integer(0, bytes.length)) : bytes
        seen[outcome(() => lower(importOnnx(cut)))]++
      }),
      { numRuns: 3000 },
    )
    expect(Math.min(seen.program, seen.typed)).toBeGreaterThan(100)
  })
})

const layer = (class_name: string, name: string, config: object = {}) => ({
  class_name,
  config: { name, ...config },
})
const model = {
  modelTopology: {
    class_name: "Sequential",
    config: {
      name: "m",
      layers: [
        layer("Conv2D", "conv", {
          batch_input_shape: [null, 5, 5, 1],
          filters: 2,
          kernel_size: [2, 2],
          strides: [1, 1],
          padding: "same",
          activation: "relu",
          use_bias: true,
          data_format: "channels_last",
          dilation_rate: [1, 1],
        }),
        layer("ZeroPadding2D", "pad", {
          padding: [
            [1, 0],
            [0, 1],
          ],
        }),
        layer("MaxPooling2D", "pool", { pool_size: [2, 2], strides: [2, 2], padding: "valid" }),
        layer("BatchNormalization", "norm", { axis: [3], epsilon: 0.001 }),
        layer("Reshape", "reshape", { target_shape: [-1] }),
        layer("Dense", "dense", { units: 1, activation: "sigmoid", use_bias: false }),
      ],
    },
  },
  weightsManifest: [
    {
      paths: ["w.bin"],
      weights: [
        { name: "conv/kernel", shape: [2, 2, 1, 2], dtype: "float32" },
        { name: "conv/bias", shape: [2], dtype: "float32" },
        ...["gamma", "beta", "moving_mean", "moving_variance"].map((suffix) => ({
          name: `norm/${suffix}`,
          shape: [2],
          dtype: "uint8",
          quantization: { dtype: "uint8", scale: 0.01, min: 0.1 },
        })),
        { name: "dense/kernel", shape: [18, 1], dtype: "float32" },
      ],
    },
  ],
}
const weights = new Uint8Array(4 * 10 + 8 + 4 * 18).map((_, i) => (i % 4 === 3 ? 63 : i))

const strange: readonly unknown[] = [
  ...[
    null,
    true,
    "",
    "constructor",
    "__proto__",
    "relu",
    [],
    {},
    [null],
    [[1]],
    -1,
    0,
    1.5,
    2 ** 31,
    2 ** 53,
  ],
  ...[1e308, -1e308, 1e-320, "1", "NaN", [2 ** 20, 2 ** 20], [1, 2, 3, 4, 5], { a: { b: 1 } }],
]

/** The same JSON with one value replaced, removed, or put somewhere else as well. */
function mutated(value: unknown, random: Random): unknown {
  const copy = structuredClone(value) as Record<string, unknown>
  const places: [Record<string, unknown>, string][] = []
  const visit = (part: unknown): void => {
    if (typeof part !== "object" || part === null) return
    for (const key of Object.keys(part)) {
      places.push([part as Record<string, unknown>, key])
      visit((part as Record<string, unknown>)[key])
    }
  }
  visit(copy)
  for (let i = random.integer(1, 2); i > 0; i--) {
    const [target, key] = random.pick(places)
    const [other, otherKey] = random.pick(places)
    const kind = random.integer(0, 3)
    if (kind === 0) delete target[key]
    else if (kind === 1) target[key] = structuredClone(other[otherKey])
    else target[key] = random.pick(strange)
  }
  // as a file has it: a list without one of its values has null there
  return JSON.parse(JSON.stringify(copy))
}

describe("mutated tfjs models", () => {
  it("are lowered or refused", () => {
    expect(outcome(() => lower(importTfjs(model, weights)))).toBe("program")
    const seen = { program: 0, typed: 0 }
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 30 }), (seed) => {
        const random = new Random(seed)
        const bytes = weights.slice(0, random.next() < 0.05 ? random.integer(0, weights.length) : undefined)
        seen[outcome(() => lower(importTfjs(mutated(model, random), bytes)))]++
      }),
      { numRuns: 3000 },
    )
    expect(Math.min(seen.program, seen.typed)).toBeGreaterThan(100)
  })
})
