/** Every limit of a layer that docs/OPERATORS.md states is refused, and what is within them is taken. */
import { describe, expect, it } from "vitest"
import { CountersignError } from "#src/errors.js"
import { activationNames } from "#src/model/keras/activations.js"
import { layers } from "#src/model/keras/layers.js"
import { importTfjs } from "#src/model/tfjs/tfjs.js"
import { lower } from "#src/ops/lower.js"

type Weight = { readonly name: string; readonly shape: readonly number[]; readonly dtype: "float32" }
const weight = (suffix: string, ...shape: number[]): Weight => ({
  name: `layer/${suffix}`,
  shape,
  dtype: "float32",
})
const weights = (sizes: Readonly<Record<string, readonly number[]>>): Weight[] =>
  Object.entries(sizes).map(([suffix, shape]) => weight(suffix, ...shape))

/** A layer that reads so many inputs, with weights of ones, as tfjs writes it. */
interface Sample {
  readonly shapes: readonly (readonly (number | null)[])[]
  readonly weights?: readonly Weight[]
  readonly config?: object
  /** Named arguments of the call. */
  readonly kwargs?: object
}

/** Why a layer is refused, or nothing. */
function refusalOf(className: string, sample: Sample, config: object = {}, kwargs: object = {}): string {
  const { shapes, weights: held = [] } = sample
  const count = held.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)
  const data = new Uint8Array(new Float32Array(count).fill(1).buffer)
  const inputs = shapes.map((shape, i) => ({
    class_name: "InputLayer",
    name: `x${i}`,
    config: { name: `x${i}`, batch_input_shape: shape },
    inbound_nodes: [],
  }))
  const named = { ...sample.kwargs, ...kwargs }
  const call = shapes.map((_, i) => [`x${i}`, 0, 0, i === 0 ? named : {}])
  const layer = {
    class_name: className,
    name: "layer",
    config: { name: "layer", ...sample.config, ...config },
    inbound_nodes: [call],
  }
  const model = {
    modelTopology: {
      class_name: "Model",
      config: {
        name: "m",
        layers: [...inputs, layer],
        input_layers: shapes.map((_, i) => [`x${i}`, 0, 0]),
        output_layers: [["layer", 0, 0]],
      },
    },
    weightsManifest: [{ paths: [], weights: held }],
  }
  try {
    lower(importTfjs(model, data))
    return ""
  } catch (error) {
    expect(error).toBeInstanceOf(CountersignError)
    return (error as Error).message
  }
}

const image = [null, 4, 4, 1]
const volume = [null, 4, 4, 4, 1]
const sequence = [null, 4, 1]
const two = [
  [null, 4, 2],
  [null, 4, 2],
]
const kernelAndBias = (...shape: number[]) => weights({ kernel: shape, bias: [shape[shape.length - 1]] })
const heads = (keys: number) =>
  weights({
    "query/kernel": [2, 2, 3],
    "query/bias": [2, 3],
    "key/kernel": [2, keys, 3],
    "key/bias": [keys, 3],
    "value/kernel": [2, keys, 3],
    "value/bias": [keys, 3],
    "attention_output/kernel": [2, 3, 2],
    "attention_output/bias": [2],
  })
const recurrent = (gates: number) =>
  weights({ kernel: [1, 2 * gates], recurrent_kernel: [2, 2 * gates], bias: [2 * gates] })
const inner = (config: object) => ({
  layer: { class_name: "SimpleRNN", config: { name: "layer", ...config } },
})

/** A sample of every layer that has a limit. */
const samples: Readonly<Record<string, Sample>> = {
  Dense: { shapes: [[null, 4]], weights: kernelAndBias(4, 2) },
  EinsumDense: {
    shapes: [[null, 4]],
    weights: kernelAndBias(4, 2),
    config: { equation: "ab,bc->ac", bias_axes: "c" },
  },
  Conv1D: { shapes: [sequence], weights: kernelAndBias(2, 1, 2) },
  Conv2D: { shapes: [image], weights: kernelAndBias(2, 2, 1, 2) },
  Conv3D: { shapes: [volume], weights: kernelAndBias(2, 2, 2, 1, 2) },
  Conv1DTranspose: { shapes: [sequence], weights: weights({ kernel: [2, 2, 1], bias: [2] }) },
  Conv2DTranspose: { shapes: [image], weights: weights({ kernel: [2, 2, 2, 1], bias: [2] }) },
  Conv3DTranspose: { shapes: [volume], weights: weights({ kernel: [2, 2, 2, 2, 1], bias: [2] }) },
  DepthwiseConv1D: { shapes: [sequence], weights: weights({ kernel: [2, 1, 2], bias: [2] }) },
  DepthwiseConv2D: { shapes: [image], weights: weights({ depthwise_kernel: [2, 2, 1, 2], bias: [2] }) },
  SeparableConv1D: {
    shapes: [sequence],
    weights: weights({ depthwise_kernel: [2, 1, 1], pointwise_kernel: [1, 1, 2], bias: [2] }),
  },
  SeparableConv2D: {
    shapes: [image],
    weights: weights({ depthwise_kernel: [2, 2, 1, 1], pointwise_kernel: [1, 1, 1, 2], bias: [2] }),
  },
  BatchNormalization: {
    shapes: [image],
    weights: weights({ gamma: [1], beta: [1], moving_mean: [1], moving_variance: [1] }),
  },
  LayerNormalization: { shapes: [image], weights: weights({ gamma: [1], beta: [1] }) },
  RMSNormalization: { shapes: [image], weights: weights({ scale: [1] }) },
  GroupNormalization: {
    shapes: [image],
    weights: weights({ gamma: [1], beta: [1] }),
    config: { groups: 1 },
  },
  UnitNormalization: { shapes: [[null, 4]] },
  Normalization: { shapes: [[null, 4]], config: { mean: 1, variance: 2 } },
  MaxPooling1D: { shapes: [sequence] },
  MaxPooling2D: { shapes: [image] },
  MaxPooling3D: { shapes: [volume] },
  AveragePooling1D: { shapes: [sequence] },
  AveragePooling2D: { shapes: [image] },
  AveragePooling3D: { shapes: [volume] },
  UpSampling2D: { shapes: [image] },
  Resizing: { shapes: [image], config: { height: 2, width: 3 } },
  Flatten: { shapes: [image] },
  Embedding: { shapes: [[null, 4]], weights: weights({ embeddings: [3, 2] }) },
  Attention: { shapes: two },
  AdditiveAttention: { shapes: two, config: { use_scale: false } },
  MultiHeadAttention: {
    shapes: [[null, 4, 2]],
    kwargs: { value: ["x0", 0, 0] },
    weights: heads(2),
    config: { num_heads: 2, key_dim: 3 },
  },
  GroupQueryAttention: {
    shapes: [[null, 4, 2]],
    kwargs: { value: ["x0", 0, 0] },
    weights: heads(1),
    config: { num_query_heads: 2, num_key_value_heads: 1, head_dim: 3 },
  },
  SimpleRNN: { shapes: [sequence], weights: recurrent(1) },
  GRU: { shapes: [sequence], weights: recurrent(3) },
  LSTM: { shapes: [sequence], weights: recurrent(4) },
  Bidirectional: { shapes: [sequence], weights: recurrent(1), config: inner({}) },
  Activation: { shapes: [[null, 4]], config: { activation: "relu" } },
  ReLU: { shapes: [[null, 4]] },
  Softmax: { shapes: [[null, 4]] },
  TFOpLambda: { shapes: [[null, 4]], config: { function: "math.multiply" }, kwargs: { y: 2, name: null } },
}

/** What breaks a limit, by how the limit begins: settings, then named arguments. */
const breaking: Readonly<Record<string, readonly [message: RegExp, config: object, kwargs?: object]>> = {
  "`padding` is `same` or `valid`": [/padding `causal` is not supported/, { padding: "causal" }],
  "`padding` is `same`, `valid` or": [/padding `full` is not supported/, { padding: "full" }],
  "`activation` is one": [/activation `sparsemax` is not supported/, { activation: "sparsemax" }],
  "`activation` and": [/`activation` of `selu` is not supported/, { activation: "selu" }],
  "no `output_padding`": [/`output_padding` is not supported/, { output_padding: 1 }],
  "`axis` is 1 or the last": [/`perm` = `\[0, 1, 2\]` is no permutation of 4 axes/, { axis: [2] }],
  "`axis` is the last, or": [/`perm` = `\[0, 1, 2\]` is no permutation of 4 axes/, { axis: [2] }],
  "`axis` is -1": [/axis 1 is not supported; use channels last/, { axis: 1 }],
  "`scale` or `center`": [/neither `scale` nor `center`/, { scale: false, center: false }],
  "one `axis`": [/several axes are not supported/, { axis: [0, 1] }],
  "no `invert`": [/`invert` is not supported/, { invert: true }],
  "`interpolation`": [/interpolation `bicubic` is not supported/, { interpolation: "bicubic" }],
  "no `crop_to": [/`antialias` is not supported/, { antialias: true }],
  "channels last": [/channels first is not supported/, { data_format: "channels_first" }],
  "no `mask_zero`": [/`mask_zero` is not supported/, { mask_zero: true }],
  "in files that": [/does not say the shapes of what it reads/, { axes: 1 }],
  "`score_mode`": [/`score_mode` is not `dot`/, { score_mode: "concat" }],
  "no masks but": [/`attention_mask` is not supported/, {}, { attention_mask: ["x0", 0, 0] }],
  "no masks": [/masks and scores as an output are not supported/, {}, { mask: ["x0", 0, 0] }],
  "`attention_axes`": [/`attention_axes` other than/, { attention_axes: [1, 2] }],
  "not `stateful`": [/`stateful` is not supported/, { stateful: true }],
  "no states": [/`return_state` is not supported here/, inner({ return_state: true })],
  "`function`": [/function `io.read_file` is not supported/, { function: "io.read_file" }],
  "no `threshold`": [/threshold is not supported/, { threshold: 0.5 }],
  "no `negative_slope`": [/together with max_value/, { negative_slope: 0.5, max_value: 6 }],
}

const stated = [...layers].flatMap(([name, { limits }]) =>
  limits.map((limit): [string, string] => [name, limit]),
)

describe("every stated limit of a layer is refused", () => {
  it.each(stated)("%s: %s", (name, limit) => {
    const sample = name === "Dot" ? { shapes: two } : samples[name]
    const [, made] = Object.entries(breaking).find(([start]) => limit.startsWith(start)) ?? []
    const [message, config, kwargs = {}] = made ?? [/^$/, {}]
    expect(refusalOf(name, sample, config, kwargs)).toMatch(message)
  })

  it.each(Object.keys(samples))("%s within them is taken", (name) => {
    expect(refusalOf(name, samples[name])).toBe("")
  })

  it("and every activation that is listed is taken", () => {
    for (const activation of activationNames) {
      const lasting =
        activation === "linear" ? { shapes: [[null, 4]], weights: kernelAndBias(4, 2) } : undefined
      expect(refusalOf(lasting ? "Dense" : "Activation", lasting ?? samples.Activation, { activation })).toBe(
        "",
      )
    }
  })
})

describe("a refusal says why", () => {
  it.each([
    ["ConvLSTM2D", {}, {}, /the layer is not supported\. .* docs\/OPERATORS\.md lists/],
    ["Lambda", {}, {}, /it holds code, and nothing of a file is run/],
    ["Masking", {}, {}, /masks are not supported/],
    ["constructor", {}, {}, /the layer is not supported/],
    ["ReLU", { dtype: "int8" }, {}, /dtype `int8` is not supported/],
    ["ReLU", { dtype: { class_name: "QuantizedDTypePolicy", config: { mode: "int8" } } }, {}, /dtype/],
    ["Dropout", {}, { training: true }, /the call's argument `training` is not supported/],
    ["Activation", { activation: { class_name: "Mine", config: "mine" } }, {}, /activation `object` is not/],
  ] as const)("%s %j %j", (name, config, kwargs, message) => {
    expect(refusalOf(name, { shapes: [[null, 4]] }, config, kwargs)).toMatch(message)
  })
})
