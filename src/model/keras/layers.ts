/** Keras layers as ONNX nodes: one table for whatever file they come from, with what each takes less than Keras does. */
import { activationLayers } from "./activations.js"
import { attentionLayers } from "./attention.js"
import { convolutionLayers } from "./convolutions.js"
import { type LayerContext, Refusal, type Translate } from "./layer.js"
import { mergingLayers } from "./merging.js"
import { normalizationLayers } from "./normalizations.js"
import { operations, tensorFlowFunction } from "./operations.js"
import { poolingLayers } from "./pooling.js"
import { recurrentLayers } from "./recurrent.js"
import { shapeLayers } from "./shapes.js"

const translations: Readonly<Record<string, Translate>> = {
  ...activationLayers,
  ...attentionLayers,
  ...convolutionLayers,
  ...mergingLayers,
  ...normalizationLayers,
  ...poolingLayers,
  ...recurrentLayers,
  ...shapeLayers,
  TFOpLambda: tensorFlowFunction,
}

const padding = "`padding` is `same` or `valid`"
const causal = "`padding` is `same`, `valid` or `causal`"
const activation = "`activation` is one of those below"
const gates =
  "`activation` and `recurrent_activation` are tanh, sigmoid, hard_sigmoid, relu, elu, softsign, softplus or linear"
const stateless = "not `stateful`"

/** What a translation takes less than Keras does: lines of docs/OPERATORS.md (bench/operators.mjs). */
const narrower: Readonly<Record<string, readonly string[]>> = {
  Dense: [activation],
  EinsumDense: [activation],
  Conv1D: [causal, activation],
  Conv2D: [padding, activation],
  Conv3D: [padding, activation],
  Conv1DTranspose: [padding, activation, "no `output_padding`"],
  Conv2DTranspose: [padding, activation, "no `output_padding`"],
  Conv3DTranspose: [padding, activation, "no `output_padding`"],
  DepthwiseConv1D: [causal, activation],
  DepthwiseConv2D: [padding, activation],
  SeparableConv1D: [causal, activation],
  SeparableConv2D: [padding, activation],
  BatchNormalization: ["`axis` is 1 or the last"],
  LayerNormalization: ["`axis` is the last, or the last few"],
  RMSNormalization: ["`axis` is the last, or the last few"],
  GroupNormalization: ["`axis` is -1", "`scale` or `center`"],
  UnitNormalization: ["one `axis`"],
  Normalization: ["one `axis`, the last, or none", "no `invert`"],
  MaxPooling1D: [padding],
  MaxPooling2D: [padding],
  MaxPooling3D: [padding],
  AveragePooling1D: [padding],
  AveragePooling2D: [padding],
  AveragePooling3D: [padding],
  UpSampling2D: ["`interpolation` is `nearest` or `bilinear`"],
  Resizing: [
    "`interpolation` is `nearest` or `bilinear`",
    "no `crop_to_aspect_ratio`, `pad_to_aspect_ratio` or `antialias`",
  ],
  Flatten: ["channels last"],
  Embedding: ["no `mask_zero`"],
  Dot: ["in files that say the shapes of what it reads, as those of Keras 3 do"],
  Attention: ["`score_mode` is `dot`", "no masks"],
  AdditiveAttention: ["no masks"],
  MultiHeadAttention: ["`attention_axes` are the one after the batch", "no masks but `use_causal_mask`"],
  GroupQueryAttention: ["no masks but `use_causal_mask`"],
  SimpleRNN: [gates, stateless],
  GRU: [gates, stateless],
  LSTM: [gates, stateless],
  Bidirectional: ["no states, as input or output"],
  Activation: [activation],
  ReLU: ["no `threshold`", "no `negative_slope` beside a `max_value`"],
  Softmax: ["one `axis`"],
  TFOpLambda: ["`function` is one of TensorFlow's for arithmetic of two tensors, or an activation"],
}

/** The layers that can be imported, with the limits of each. */
export const layers: ReadonlyMap<
  string,
  { readonly translate: Translate; readonly limits: readonly string[] }
> = new Map(
  Object.entries(translations).map(([name, translate]) => [
    name,
    { translate, limits: narrower[name] ?? [] },
  ]),
)

/** Why some layers will never be imported. */
const never: ReadonlyMap<string, string> = new Map([
  ["Lambda", "it holds code, and nothing of a file is run; write it with layers or functions of Keras"],
  ["SlicingOpLambda", "slices between layers are not supported; write them with layers"],
  ["Masking", "masks are not supported"],
])

/** Adds the nodes of a layer, or of a function between layers, and returns its outputs. @throws Refusal */
export function layerNodes(className: string, isOperation: boolean, layer: LayerContext): readonly string[] {
  const translate = isOperation ? operations.get(className) : layers.get(className)?.translate
  if (!translate)
    throw new Refusal(never.get(className) ?? `the ${isOperation ? "function" : "layer"} is not supported`)
  const made = translate(layer)
  return typeof made === "string" ? [made] : made
}
