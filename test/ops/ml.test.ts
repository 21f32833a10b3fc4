/** Operators of ai.onnx.ml beside trees, against onnxruntime. Trees are in trees.test.ts. */
import { InferenceSession, Tensor } from "onnxruntime-node"
import { describe, expect, it } from "vitest"
import { ModelError } from "#src/errors.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { evaluate } from "#src/ops/evaluate.js"
import { lower } from "#src/ops/lower.js"
import { measureAccuracy } from "#src/quantize/accuracy.js"
import { quantizeInput, runInteger } from "#src/quantize/integers/run.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import { amount } from "../support/amount.js"
import { runOnBoth } from "../support/devices.js"
import { type AttributeSpec, encodeOnnx, type OnnxSpec } from "../support/onnx-writer.js"
import { Random } from "../support/random.js"
import { mlModel } from "../support/trees.js"

const [rows, features] = [2, 3]

async function onnxruntime(
  bytes: Uint8Array,
  spec: OnnxSpec,
  inputs: Readonly<Record<string, readonly number[]>>,
) {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 })
  const feeds = Object.fromEntries(
    spec.inputs.map(({ name, shape, dtype }) => [
      name,
      dtype === "int64"
        ? new Tensor("int64", BigInt64Array.from(inputs[name], BigInt), shape as number[])
        : new Tensor("float32", Float32Array.from(inputs[name]), shape as number[]),
    ]),
  )
  const results = await session.run(feeds)
  await session.release()
  return results
}

const floats = (list: readonly number[]) => ({ floats: list })

type Case = (random: Random) => OnnxSpec
const one =
  (
    operator: string,
    outputs: readonly string[],
    attributes: (random: Random) => Record<string, AttributeSpec>,
    more: Parameters<typeof mlModel>[5] = {},
  ): Case =>
  (random) =>
    mlModel(operator, rows, features, outputs, attributes(random), more)

const anyTransform = (random: Random) => random.pick(["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"])
/** Distinct integers. */
const keys = [-2, 0, 1, 3]

const svm = (random: Random, classes: number, chances: boolean): Record<string, AttributeSpec> => {
  const perClass = Array.from({ length: classes }, () => random.integer(1, 3))
  const vectors = perClass.reduce((a, b) => a + b, 0)
  const pairs = (classes * (classes - 1)) / 2
  return {
    classlabels_ints: [4, 9, 2].slice(0, classes),
    coefficients: floats(random.reals(vectors * (classes - 1), 1)),
    kernel_params: floats([0.3, 0.5, random.integer(2, 3)]),
    kernel_type: random.pick(["LINEAR", "POLY", "RBF", "SIGMOID"]),
    post_transform: chances ? "NONE" : anyTransform(random),
    rho: floats(random.reals(pairs, 0.5)),
    support_vectors: floats(random.reals(vectors * features, 1)),
    vectors_per_class: perClass,
    ...(chances && { prob_a: floats([-2]), prob_b: floats([0.1]) }),
  }
}

const cases: Readonly<Record<string, Case>> = {
  Scaler: one("Scaler", ["y"], (random) => {
    const count = random.pick([1, features])
    return { offset: floats(random.reals(count)), scale: floats(random.reals(count)) }
  }),
  ...Object.fromEntries(
    ["MAX", "L1", "L2"].map((norm): [string, Case] => [
      `Normalizer ${norm}`,
      () => mlModel("Normalizer", rows, features, ["y"], { norm }, { inputs: [positive("x")] }),
    ]),
  ),
  Binarizer: one("Binarizer", ["y"], (random) => ({ threshold: { float: random.reals(1)[0] } })),
  "Imputer of integers": one(
    "Imputer",
    ["y"],
    () => ({ imputed_value_int64s: [7, 8, 9], replaced_value_int64: 1 }),
    { dtype: "int64" },
  ),
  "Imputer of NaN": one("Imputer", ["y"], () => ({
    imputed_value_floats: floats([7]),
    replaced_value_float: { float: Number.NaN },
  })),
  FeatureVectorizer: () => ({
    inputs: [
      { name: "a", shape: [rows, 2] },
      { name: "b", shape: [rows, 3] },
    ],
    outputs: ["y"],
    nodes: [
      {
        operator: "FeatureVectorizer",
        domain: "ai.onnx.ml",
        inputs: ["a", "b"],
        outputs: ["y"],
        attributes: { inputdimensions: [1, 3] },
      },
    ],
  }),
  ArrayFeatureExtractor: () => ({
    inputs: [{ name: "x", shape: [rows, features] }],
    outputs: ["y"],
    initializers: { i: { shape: [4], data: [2, 0, 2, 1], dtype: "int64" } },
    nodes: [{ operator: "ArrayFeatureExtractor", domain: "ai.onnx.ml", inputs: ["x", "i"], outputs: ["y"] }],
  }),
  "ArrayFeatureExtractor live": () => ({
    inputs: [
      { name: "x", shape: [features] },
      { name: "i", shape: [2], dtype: "int64", within: [0, features - 1] },
    ],
    outputs: ["y"],
    nodes: [{ operator: "ArrayFeatureExtractor", domain: "ai.onnx.ml", inputs: ["x", "i"], outputs: ["y"] }],
  }),
  OneHotEncoder: one("OneHotEncoder", ["y"], () => ({ cats_int64s: keys, zeros: 1 }), { dtype: "int64" }),
  "LabelEncoder to floats": one(
    "LabelEncoder",
    ["y"],
    (random) => ({
      keys_int64s: keys,
      values_floats: floats(random.reals(4)),
      default_float: { float: 0.5 },
    }),
    { dtype: "int64", mlOpset: 2 },
  ),
  "LabelEncoder to integers": one(
    "LabelEncoder",
    ["y"],
    () => ({ keys_int64s: keys, values_int64s: [100, -3, 100, 7], default_int64: 12 }),
    { dtype: "int64", mlOpset: 2 },
  ),
  LinearRegressor: one("LinearRegressor", ["y"], (random) => {
    const targets = random.integer(1, 3)
    return {
      coefficients: floats(random.reals(targets * features)),
      intercepts: floats(random.reals(targets)),
      targets,
      post_transform: random.pick(["NONE", "SOFTMAX", "LOGISTIC"]),
    }
  }),
  LinearClassifier: one("LinearClassifier", ["label", "y"], (random) => {
    const columns = random.integer(1, 3)
    return {
      coefficients: floats(random.reals(columns * features)),
      intercepts: floats(random.reals(columns)),
      classlabels_ints: [5, -7, 1].slice(0, Math.max(2, columns)),
      post_transform: anyTransform(random),
    }
  }),
  "SVMClassifier of two": one("SVMClassifier", ["label", "y"], (random) => svm(random, 2, false)),
  "SVMClassifier of three": one("SVMClassifier", ["label", "y"], (random) => svm(random, 3, false)),
  "SVMClassifier with probabilities": one("SVMClassifier", ["label", "y"], (random) => svm(random, 2, true)),
  SVMRegressor: one("SVMRegressor", ["y"], (random) => ({
    coefficients: floats(random.reals(3, 1)),
    kernel_params: floats([0.3, 0.5, random.integer(2, 3)]),
    kernel_type: random.pick(["LINEAR", "POLY", "RBF", "SIGMOID"]),
    n_supports: 3,
    rho: floats(random.reals(1)),
    support_vectors: floats(random.reals(3 * features, 1)),
    one_class: random.integer(0, 1),
  })),
}

/** An input whose sums are far from zero. */
const positive = (name: string) => ({
  name,
  shape: [rows, features],
  within: [1, 9] as const,
})

/** Probabilities of libsvm are those at which its iteration stops. */
const slackOf = (name: string): number => (name.includes("probabilities") ? 6e-3 : 1e-4)

describe("as onnxruntime", () => {
  it.each(Object.entries(cases))("%s", async (name, make) => {
    for (let seed = 1; seed <= amount(6, 40); seed++) {
      const random = new Random(seed)
      const spec = make(random)
      const bytes = encodeOnnx(spec)
      const sample = () =>
        Object.fromEntries(
          spec.inputs.map(({ name, shape, dtype, within }) => {
            const size = (shape as number[]).reduce((a, b) => a * b, 1)
            const values = Array.from({ length: size }, () =>
              within || dtype === "int64"
                ? random.integer(...(within ?? [-2, 3]))
                : Math.fround(random.reals(1)[0]),
            )
            return [name, values]
          }),
        )
      const samples = Array.from({ length: 8 }, sample)
      const [inputs] = samples
      const program = lower(importOnnx(bytes))
      const want = await onnxruntime(bytes, spec, inputs)
      const values = evaluate(program, inputs)
      const graph = await quantizeProgram(program, { samples })
      const { outputs } = await measureAccuracy(program, graph, samples)
      const integers = await runOnBoth(graph, quantizeInput(graph, inputs))
      for (const [o, { name: output, tensor }] of program.outputs.entries()) {
        const expected = Array.from(want[output].data as Iterable<number | bigint>, Number)
        const real = Array.from(values.get(tensor) as Float64Array)
        expect(program.tensors[tensor].shape).toEqual(want[output].dims)
        const { scale } = graph.tensors[graph.outputs[o].tensor]
        expected.forEach((x, i) => {
          const slack = slackOf(name) * Math.max(1, Math.abs(x))
          expect(Math.abs(real[i] - x), `seed ${seed}, ${output}[${i}]`).toBeLessThanOrEqual(slack)
          const q = (integers.get(graph.outputs[o].tensor) as Float64Array)[i] * scale
          expect(Math.abs(q - x), `seed ${seed}, integer ${output}[${i}]`).toBeLessThanOrEqual(
            outputs[o].tolerance + slack,
          )
        })
      }
    }
  })

  it("columns of ranges far apart keep their digits each", async () => {
    const random = new Random(3)
    const scales = [300, 0.01, 2]
    const row = () => scales.map((s, i) => s * random.next() + (i === 1 ? 0.99 : 0))
    const data = Array.from({ length: 200 }, row)
    const spec = mlModel("LinearRegressor", 1, features, ["y"], {
      coefficients: floats(scales.map((s) => 1 / s)),
      intercepts: floats([-99]),
    })
    const bytes = encodeOnnx(spec)
    const program = lower(importOnnx(bytes))
    const graph = await quantizeProgram(program, { samples: data.slice(0, 50).map((x) => ({ x })) })
    let worst = 0
    for (const x of data) {
      const run = runInteger(graph, quantizeInput(graph, { x }))
      const [{ tensor }] = graph.outputs
      const got = (run.get(tensor) as Float64Array)[0] * graph.tensors[tensor].scale
      worst = Math.max(worst, Math.abs(got - x.reduce((sum, v, i) => sum + v / scales[i], -99)))
    }
    // of a range of three, at ten bits
    expect(worst).toBeLessThan(0.01)
  })
})

describe("names", () => {
  const said = async (spec: OnnxSpec, x: readonly number[]) => {
    const graph = await quantizeProgram(lower(importOnnx(encodeOnnx(spec))), { samples: [{ x }] })
    const run = runInteger(graph, quantizeInput(graph, { x }))
    return graph.outputs.map(({ tensor, labels }) => ({
      labels,
      values: Array.from(run.get(tensor) as Float64Array, (q) =>
        labels?.of === "values" ? labels.names[q] : q,
      ),
    }))
  }
  const node = (
    operator: string,
    inputs: string[],
    outputs: string[],
    attributes: Record<string, AttributeSpec>,
  ) => ({
    operator,
    domain: "ai.onnx.ml",
    inputs,
    outputs,
    attributes,
  })
  const names = ["cat", "dog", "cow"]
  const classifier = node("LinearClassifier", ["x"], ["label", "scores"], {
    coefficients: floats([1, 0, 0, 0, 1, 0, 0, 0, 1]),
    intercepts: floats([0, 0, 0]),
    classlabels_strings: { texts: names },
  })
  const input = { inputs: [{ name: "x", shape: [1, 3] }], mlOpset: 2 }

  it("of a ZipMap are the columns', of a label its values", async () => {
    const zip = node("ZipMap", ["scores"], ["map"], { classlabels_strings: { texts: names } })
    const [label, map] = await said(
      { ...input, outputs: ["label", "map"], nodes: [classifier, zip] },
      [1, 3, 2],
    )
    expect(label).toEqual({ labels: { of: "values", names }, values: ["dog"] })
    expect(map.labels).toEqual({ of: "columns", names })
  })

  it("are translated, also to numbers and back", async () => {
    const encode = node("LabelEncoder", ["label"], ["code"], {
      keys_strings: { texts: ["cow", "dog"] },
      values_int64s: [30, 20],
      default_int64: -1,
    })
    const decode = node("LabelEncoder", ["code"], ["name"], {
      keys_int64s: [20, 30],
      values_strings: { texts: ["wow", "moo"] },
      default_string: "meow",
    })
    const spec = { ...input, outputs: ["code", "name"], nodes: [classifier, encode, decode] }
    for (const [x, code, name] of [
      [[1, 3, 2], 20, "wow"],
      [[1, 3, 5], 30, "moo"],
      [[9, 3, 5], -1, "meow"],
    ] as const)
      expect((await said(spec, x)).map(({ values }) => values)).toEqual([[code], [name]])
  })

  it("are nothing to compute with", () => {
    const add = { operator: "Add", inputs: ["label", "label"], outputs: ["y"] }
    expect(() =>
      lower(importOnnx(encodeOnnx({ ...input, outputs: ["y"], nodes: [classifier, add] }))),
    ).toThrow(ModelError)
  })
})
