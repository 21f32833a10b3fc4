/** Layers of Keras that move elements, or leave them as they are while a model is used. */
import {
  channelsLast,
  integers,
  type LayerContext,
  list,
  number,
  Refusal,
  refuse,
  setting,
  type Translate,
  weightOf,
  whole,
  without,
} from "./layer.js"

/** Padding or cropping as [[before, after], …] per spatial axis. */
function pairs(layer: LayerContext, name: string, axes: number): number[][] {
  const value = setting(layer, name) ?? 1
  const both = (entry: unknown): number[] =>
    Array.isArray(entry)
      ? entry.map((each) => number(layer, each))
      : [number(layer, entry), number(layer, entry)]
  if (!Array.isArray(value)) return Array.from({ length: axes }, () => both(value))
  const found = axes === 1 && !Array.isArray(value[0]) ? [both(value)] : value.map(both)
  if (found.length !== axes || found.some(({ length }) => length !== 2))
    throw new Refusal(`\`${name}\` does not fit ${axes} axes`)
  return found
}

const pad =
  (axes: number, name: string, sign: 1 | -1): Translate =>
  (layer) => {
    const spatial = pairs(layer, name, axes)
    const all = channelsLast(layer) ? [[0, 0], ...spatial, [0, 0]] : [[0, 0], [0, 0], ...spatial]
    const pads = [...all.map(([before]) => sign * before), ...all.map(([, after]) => sign * after)]
    return layer.node("Pad", [layer.inputs[0], integers(layer, "pads", pads)])
  }

/** What changes nothing while a model is used: all that is random in training. */
const identity: Translate = (layer) => layer.node("Identity", [layer.inputs[0]])

const flatten: Translate = (layer) => {
  if (!channelsLast(layer)) refuse("channels first is not supported")
  return layer.node("Flatten", [layer.inputs[0]], { axis: 1 })
}

const repeatVector: Translate = (layer) => {
  const row = layer.node("Unsqueeze", [layer.inputs[0], integers(layer, "axes", [1])])
  return layer.node("Expand", [row, integers(layer, "shape", [1, whole(layer, "n", 1), 1])])
}

/** Rows of a table, by whole numbers that the input holds. */
const embedding: Translate = (layer) => {
  without(layer, "mask_zero", "lora_rank", "quantization_config")
  const { shape, data } = weightOf(layer, "embeddings", 0, 2)
  const indices = layer.node("Cast", [layer.inputs[0]], { to: 6 })
  return layer.node("Gather", [layer.constant("embeddings", shape, data), indices], { axis: 0 })
}

export const shapeLayers: Readonly<Record<string, Translate>> = {
  Flatten: flatten,
  Reshape: (layer) => {
    const shape = [0, ...list(layer, "target_shape", 1, -1)]
    return layer.node("Reshape", [layer.inputs[0], integers(layer, "shape", shape)])
  },
  Permute: (layer) => layer.node("Transpose", [layer.inputs[0]], { perm: [0, ...list(layer, "dims", 1, 1)] }),
  RepeatVector: repeatVector,
  Embedding: embedding,
  ZeroPadding1D: pad(1, "padding", 1),
  ZeroPadding2D: pad(2, "padding", 1),
  ZeroPadding3D: pad(3, "padding", 1),
  Cropping1D: pad(1, "cropping", -1),
  Cropping2D: pad(2, "cropping", -1),
  Cropping3D: pad(3, "cropping", -1),
  Identity: identity,
  Dropout: identity,
  SpatialDropout1D: identity,
  SpatialDropout2D: identity,
  SpatialDropout3D: identity,
  GaussianNoise: identity,
  GaussianDropout: identity,
  AlphaDropout: identity,
  ActivityRegularization: identity,
}
