import { createRequire } from "node:module"
import { dirname } from "node:path"
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm"
import * as tf from "@tensorflow/tfjs-core"
import * as layers from "@tensorflow/tfjs-layers"
import { beforeAll, describe, expect, it } from "vitest"
import { ModelError } from "#src/errors.js"
import { importTfjs } from "#src/model/tfjs/tfjs.js"
import { evaluate } from "#src/ops/evaluate.js"
import { lower } from "#src/ops/lower.js"
import { Random } from "../../support/random.js"

beforeAll(async () => {
  const require = createRequire(import.meta.url)
  setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json"))}/dist/`)
  await tf.setBackend("wasm")
  await tf.ready()
})

/** Saves a model as tfjs writes it, and gives back the two parts importTfjs takes. */
async function saved(model: layers.LayersModel): Promise<{ json: unknown; weights: Uint8Array }> {
  let json: unknown
  let weights = new Uint8Array()
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      weights = new Uint8Array(tf.io.CompositeArrayBuffer.join(artifacts.weightData))
      json = {
        modelTopology: artifacts.modelTopology,
        weightsManifest: [{ paths: [], weights: artifacts.weightSpecs }],
      }
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" as const } }
    }),
  )
  return { json: JSON.parse(JSON.stringify(json)), weights }
}

/** Gives every weight a value from a seed: initial biases and statistics are zeros and ones. */
function randomise(model: layers.LayersModel, seed: number): void {
  const random = new Random(seed)
  model.setWeights(
    model.weights.map((weight) => {
      const shape = weight.shape as number[]
      const values = random.reals(
        shape.reduce((x, y) => x * y, 1),
        1,
      )
      const positive = weight.originalName.includes("variance")
      return tf.tensor(
        values.map((v) => (positive ? Math.abs(v) + 0.2 : v)),
        shape,
      )
    }),
  )
}

async function compare(model: layers.LayersModel, seed = 1): Promise<void> {
  randomise(model, seed)
  const { json, weights } = await saved(model)
  const graph = importTfjs(json, weights)
  const program = lower(graph)
  const random = new Random(seed + 100)
  const data = graph.inputs.map(({ shape }) =>
    random.reals(
      shape.reduce((x, y) => x * y, 1),
      1,
    ),
  )
  const tensors = graph.inputs.map(({ shape }, i) => tf.tensor(data[i], [...shape]))
  const result = model.predict(tensors.length === 1 ? tensors[0] : tensors) as tf.Tensor
  const expected = await result.data()
  const values = evaluate(program, Object.fromEntries(graph.inputs.map(({ name }, i) => [name, data[i]])))
  const got = values.get(program.outputs[0].tensor) as Float64Array
  expect(program.tensors[program.outputs[0].tensor].shape).toEqual(result.shape)
  expected.forEach((value, i) => {
    expect(Math.abs(got[i] - value)).toBeLessThanOrEqual(1e-4 * Math.max(1, Math.abs(value)))
  })
}

const l = layers.layers
const sequential = (
  inputShape: number[],
  make: ((first: object) => layers.layers.Layer)[] | layers.layers.Layer[],
) => {
  const model = layers.sequential()
  model.add(layers.layers.inputLayer({ inputShape }))
  for (const layer of make) model.add(typeof layer === "function" ? layer({}) : layer)
  return model
}

describe("tfjs models compute what tfjs-layers computes", () => {
  it.each(["valid", "same"] as const)("convolutions and pooling with padding %s", async (padding) => {
    for (const strides of [1, 2]) {
      await compare(
        sequential(
          [13, 12, 2],
          [
            l.conv2d({ filters: 3, kernelSize: [3, 2], strides, padding, activation: "relu" }),
            l.batchNormalization({}),
            l.maxPooling2d({ poolSize: 2, strides: 1, padding }),
            l.depthwiseConv2d({ kernelSize: 2, padding, depthMultiplier: 2 }),
            l.separableConv2d({ filters: 2, kernelSize: 2, padding: "same" }),
            l.averagePooling2d({ poolSize: [2, 1], strides: 1, padding }),
            l.flatten(),
            l.dense({ units: 4 }),
          ],
        ),
        strides,
      )
    }
  })

  it("one spatial axis", async () => {
    await compare(
      sequential(
        [9, 2],
        [
          l.conv1d({ filters: 3, kernelSize: 3, padding: "same", dilationRate: 2 }),
          l.maxPooling1d({ poolSize: 2 }),
          l.averagePooling1d({ poolSize: 2, padding: "same" }),
          l.globalAveragePooling1d({}),
        ],
      ),
    )
  })

  it("shapes, activations and padding", async () => {
    await compare(
      sequential(
        [4, 4, 2],
        [
          l.zeroPadding2d({
            padding: [
              [1, 0],
              [2, 1],
            ],
          }),
          l.permute({ dims: [2, 1, 3] }),
          l.leakyReLU({ alpha: 0.2 }),
          l.reLU({ maxValue: 0.7 }),
          l.prelu({}),
          l.dropout({ rate: 0.5 }),
          l.reshape({ targetShape: [5, 14] }),
          l.dense({ units: 3, useBias: false }),
          l.activation({ activation: "relu" }),
          l.flatten(),
        ],
      ),
    )
  })

  it.each([
    ...["elu", "selu", "relu6", "sigmoid", "hardSigmoid", "softplus", "softsign", "tanh"],
    ...["gelu", "gelu_new", "mish", "swish"],
  ] as const)("activation %s", async (activation) => {
    const name = activation as "tanh"
    await compare(
      sequential([5], [l.dense({ units: 4, activation: name }), l.activation({ activation: name })]),
    )
  })

  it("activation layers", async () => {
    await compare(sequential([6], [l.elu(), l.thresholdedReLU({ theta: 0.25 }), l.dense({ units: 3 })]))
  })

  it("a graph of layers with two inputs and every merge", async () => {
    const [a, b] = [layers.input({ shape: [3] }), layers.input({ shape: [3] })]
    const add = l.add().apply([a, b]) as layers.SymbolicTensor
    const product = l.multiply().apply([add, b]) as layers.SymbolicTensor
    const mean = l.average().apply([product, a]) as layers.SymbolicTensor
    const joined = l.concatenate().apply([mean, add]) as layers.SymbolicTensor
    const output = l.dense({ units: 2 }).apply(joined) as layers.SymbolicTensor
    await compare(layers.model({ inputs: [a, b], outputs: output }))
  })
})

describe("recurrent, shared and nested layers of tfjs", () => {
  it.each(["simpleRNN", "gru", "lstm"] as const)(
    "%s, also backwards and in both directions",
    async (kind) => {
      // initial weights do not matter, and orthogonal ones are slow to make
      const settings = { recurrentInitializer: "zeros" as const }
      const make = (units: number, more: object = {}) => l[kind]({ units, ...settings, ...more })
      await compare(
        sequential(
          [4, 3],
          [
            make(3, { returnSequences: true }),
            make(2, { returnSequences: true, goBackwards: true }),
            l.bidirectional({ layer: make(2, { returnSequences: true }) as layers.RNN, mergeMode: "sum" }),
            make(2, { activation: "relu" }),
          ],
        ),
      )
    },
  )

  it("a layer and a model that are called twice", async () => {
    const [a, b] = [layers.input({ shape: [3] }), layers.input({ shape: [3] })]
    const inner = sequential([3], [l.dense({ units: 3, activation: "tanh" }), l.dense({ units: 3 })])
    const shared = l.dense({ units: 2 })
    const twice = inner.apply(inner.apply(a)) as layers.SymbolicTensor
    const [x, y] = [shared.apply(twice), shared.apply(b)] as layers.SymbolicTensor[]
    await compare(layers.model({ inputs: [a, b], outputs: l.add().apply([x, y]) as layers.SymbolicTensor }))
  })

  it("steps among the batch, layers of three axes, and normalizations", async () => {
    await compare(
      sequential(
        [2, 4, 3],
        [
          l.timeDistributed({ layer: l.dense({ units: 4 }) }),
          l.timeDistributed({ layer: l.layerNormalization() }),
          l.upSampling2d({ size: [2, 1] }),
          l.conv2dTranspose({ filters: 2, kernelSize: 3, strides: 2, padding: "valid" }),
          l.reshape({ targetShape: [9, 9, 2, 1] }),
          l.conv3d({ filters: 2, kernelSize: 2 }),
          l.flatten(),
          l.repeatVector({ n: 3 }),
          l.softmax({ axis: -1 }),
        ],
      ),
    )
  })
})

describe("tfjs files that are refused", () => {
  it("names every layer that is not supported, at once", async () => {
    const model = sequential([5, 3], [l.masking({ maskValue: 0 }), l.dense({ units: 2, name: "units" })])
    const { json, weights } = await saved(model)
    const error = (() => {
      try {
        // a class that nobody knows, in the place of another
        importTfjs(JSON.parse(JSON.stringify(json).replace('"Dense"', '"Made"')), weights)
      } catch (thrown) {
        return thrown
      }
    })() as ModelError
    expect(error).toBeInstanceOf(ModelError)
    expect(error.problems.some((line) => line.includes("(Masking)"))).toBe(true)
    expect(error.problems.some((line) => line.includes("(Made)"))).toBe(true)
  })

  it("notices weights that do not fit the manifest", async () => {
    const { json, weights } = await saved(sequential([3], [l.dense({ units: 2 })]))
    expect(() => importTfjs(json, weights.subarray(4))).toThrow(ModelError)
    expect(() => importTfjs(json, Uint8Array.from([...weights, 0]))).toThrow(/bytes of weights/)
    const nan = Uint8Array.from(weights)
    nan.set(new Uint8Array(Float32Array.of(Number.NaN).buffer))
    expect(() => importTfjs(json, nan)).toThrow(/not finite/)
    for (const foreign of [
      null,
      {},
      { modelTopology: {} },
      { modelTopology: { class_name: "Sequential", config: 3 } },
    ]) {
      expect(() => importTfjs(foreign, weights)).toThrow(ModelError)
    }
  })
})
