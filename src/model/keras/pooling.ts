/** Poolings of Keras, and changes of size. */
import { autoPad } from "./convolutions.js"
import {
  channelsLast,
  integers,
  type LayerContext,
  list,
  refuse,
  setting,
  shown,
  type Translate,
  whole,
  withChannelsFirst,
  without,
} from "./layer.js"

const pool =
  (operator: string, axes: number): Translate =>
  (layer) => {
    const kernel = list(layer, "pool_size", axes, 2)
    const attributes = {
      ...autoPad(layer),
      kernel_shape: kernel,
      strides: setting(layer, "strides") ? list(layer, "strides", axes, 1) : kernel,
    }
    return withChannelsFirst(layer, axes, (x) => layer.node(operator, [x], attributes))
  }

const globalPool =
  (operator: string, axes: number): Translate =>
  (layer) => {
    const first = channelsLast(layer) ? 1 : 2
    const spatial = Array.from({ length: axes }, (_, i) => first + i)
    return layer.node(operator, [layer.inputs[0]], {
      axes: spatial,
      keepdims: setting(layer, "keepdims") === true ? 1 : 0,
    })
  }

/** The spatial axes of a tensor in the layer's format. */
const spatialAxes = (layer: LayerContext, axes: number): number[] =>
  Array.from({ length: axes }, (_, i) => i + (channelsLast(layer) ? 1 : 2))

/** How TensorFlow resizes, in ONNX's words. */
function resizing(layer: LayerContext): Record<string, string | number> {
  const interpolation = setting(layer, "interpolation") ?? "nearest"
  if (interpolation === "nearest")
    return {
      mode: "nearest",
      coordinate_transformation_mode: "tf_half_pixel_for_nn",
      nearest_mode: "floor",
    }
  if (interpolation === "bilinear") return { mode: "linear", coordinate_transformation_mode: "half_pixel" }
  return refuse(`interpolation \`${shown(interpolation)}\` is not supported`)
}

const upSampling =
  (axes: number): Translate =>
  (layer) => {
    const sizes = list(layer, "size", axes, 2)
    if (sizes.length !== axes || sizes.some((size) => !Number.isSafeInteger(size) || size < 1))
      refuse("`size` is no positive integer for each axis")
    const scales = layer.constant("scales", [axes], sizes)
    return layer.node("Resize", [layer.inputs[0], "", scales], {
      ...resizing(layer),
      axes: spatialAxes(layer, axes),
    })
  }

const resizingLayer: Translate = (layer) => {
  without(layer, "crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias")
  const sizes = [whole(layer, "height", 1), whole(layer, "width", 1)]
  const config = { interpolation: "bilinear", ...layer.config }
  return layer.node("Resize", [layer.inputs[0], "", "", integers(layer, "sizes", sizes)], {
    ...resizing({ ...layer, config }),
    axes: spatialAxes(layer, 2),
  })
}

export const poolingLayers: Readonly<Record<string, Translate>> = {
  MaxPooling1D: pool("MaxPool", 1),
  MaxPooling2D: pool("MaxPool", 2),
  MaxPooling3D: pool("MaxPool", 3),
  AveragePooling1D: pool("AveragePool", 1),
  AveragePooling2D: pool("AveragePool", 2),
  AveragePooling3D: pool("AveragePool", 3),
  GlobalAveragePooling1D: globalPool("ReduceMean", 1),
  GlobalAveragePooling2D: globalPool("ReduceMean", 2),
  GlobalAveragePooling3D: globalPool("ReduceMean", 3),
  GlobalMaxPooling1D: globalPool("ReduceMax", 1),
  GlobalMaxPooling2D: globalPool("ReduceMax", 2),
  GlobalMaxPooling3D: globalPool("ReduceMax", 3),
  UpSampling1D: upSampling(1),
  UpSampling2D: upSampling(2),
  UpSampling3D: upSampling(3),
  Resizing: resizingLayer,
}
