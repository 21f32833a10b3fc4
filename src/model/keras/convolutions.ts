/** Convolutions of Keras, in both formats of images, as ONNX nodes with channels first. */
import type { Attribute, Tensor } from "../graph.js"
import { activate } from "./activations.js"
import {
  channelsLast,
  integers,
  type LayerContext,
  list,
  permuted,
  Refusal,
  setting,
  shown,
  type Translate,
  weightOf,
  whole,
  withChannelsFirst,
  without,
} from "./layer.js"

const range = (length: number): number[] => Array.from({ length }, (_, i) => i)

export function autoPad(layer: LayerContext): Record<string, Attribute> {
  const padding = setting(layer, "padding") ?? "valid"
  if (padding !== "same" && padding !== "valid")
    throw new Refusal(`padding \`${shown(padding)}\` is not supported`)
  return { auto_pad: padding === "same" ? "SAME_UPPER" : "VALID" }
}

/** The bias as a constant, or nothing. */
export function biasOf(layer: LayerContext, at = 1): string[] {
  if (setting(layer, "use_bias") === false) return []
  const { shape, data } = layer.weight("bias", at)
  return [layer.constant("bias", shape, data)]
}

/** Zeros before the sequence, so that no output reads what comes after it. */
function causal(layer: LayerContext, x: string, before: number): string {
  const pads = channelsLast(layer) ? [0, before, 0, 0, 0, 0] : [0, 0, before, 0, 0, 0]
  return layer.node("Pad", [x, integers(layer, "pads", pads)])
}

/** A layer as it is with the padding `causal` written out. */
function uncausal(layer: LayerContext, axes: number, kernel: number, dilation: number): LayerContext {
  if (axes !== 1 || setting(layer, "padding") !== "causal") return layer
  const [x] = layer.inputs
  const inputs = [causal(layer, x, (kernel - 1) * dilation)]
  return { ...layer, inputs, config: { ...layer.config, padding: "valid" } }
}

const conv =
  (axes: number): Translate =>
  (given) => {
    const kernel = weightOf(given, "kernel", 0, axes + 2)
    const weight = permuted(kernel, [axes + 1, axes, ...range(axes)])
    const dilations = list(given, "dilation_rate", axes, 1)
    const layer = uncausal(given, axes, kernel.shape[0], dilations[0])
    const groups = whole(layer, "groups", 1, 1)
    const attributes = {
      ...autoPad(layer),
      kernel_shape: kernel.shape.slice(0, axes),
      strides: list(layer, "strides", axes, 1),
      dilations,
      ...(groups > 1 && { group: groups }),
    }
    const parameters = [layer.constant("kernel", weight.shape, weight.data), ...biasOf(layer)]
    const y = withChannelsFirst(layer, axes, (x) => layer.node("Conv", [x, ...parameters], attributes))
    return activate(layer, y, layer.config.activation)
  }

/** Keras's sizes: `same` multiplies by the strides, `valid` keeps all that the kernel reaches, and no less than that. */
const convTranspose =
  (axes: number): Translate =>
  (layer) => {
    without(layer, "output_padding")
    if (whole(layer, "groups", 1, 1) !== 1) throw new Refusal("`groups` are not supported")
    const kernel = weightOf(layer, "kernel", 0, axes + 2)
    const weight = permuted(kernel, [axes + 1, axes, ...range(axes)])
    const strides = list(layer, "strides", axes, 1)
    const dilations = list(layer, "dilation_rate", axes, 1)
    const pad = autoPad(layer)
    const extra = strides.map((stride, i) => Math.max(0, stride - ((kernel.shape[i] - 1) * dilations[i] + 1)))
    const attributes = {
      ...pad,
      kernel_shape: kernel.shape.slice(0, axes),
      strides,
      dilations,
      ...(pad.auto_pad === "VALID" && { output_padding: extra }),
    }
    const parameters = [layer.constant("kernel", weight.shape, weight.data), ...biasOf(layer)]
    const y = withChannelsFirst(layer, axes, (x) =>
      layer.node("ConvTranspose", [x, ...parameters], attributes),
    )
    return activate(layer, y, layer.config.activation)
  }

/** Depthwise kernel [...size, C, multiplier] to ONNX's grouped [C·multiplier, 1, ...size]. */
function depthwise(
  layer: LayerContext,
  axes: number,
  x: string,
  kernel: Tensor,
  bias: readonly string[],
): string {
  const size = kernel.shape.slice(0, axes)
  const [channels, multiplier] = kernel.shape.slice(axes)
  const { data } = permuted(kernel, [axes, axes + 1, ...range(axes)])
  const weight = layer.constant("depthwise_kernel", [channels * multiplier, 1, ...size], data)
  const attributes = {
    ...autoPad(layer),
    group: channels,
    kernel_shape: size,
    strides: list(layer, "strides", axes, 1),
    dilations: list(layer, "dilation_rate", axes, 1),
  }
  return layer.node("Conv", [x, weight, ...bias], attributes)
}

const depthwiseConv =
  (axes: number): Translate =>
  (given) => {
    const bias = biasOf(given)
    const kernel = weightOf(given, ["depthwise_kernel", "kernel"], 0, axes + 2)
    const layer = uncausal(given, axes, kernel.shape[0], list(given, "dilation_rate", axes, 1)[0])
    const y = withChannelsFirst(layer, axes, (x) => depthwise(layer, axes, x, kernel, bias))
    return activate(layer, y, layer.config.activation)
  }

const separableConv =
  (axes: number): Translate =>
  (given) => {
    const bias = biasOf(given, 2)
    const kernel = weightOf(given, "depthwise_kernel", 0, axes + 2)
    const layer = uncausal(given, axes, kernel.shape[0], list(given, "dilation_rate", axes, 1)[0])
    const pointwise = permuted(weightOf(layer, "pointwise_kernel", 1, axes + 2), [
      axes + 1,
      axes,
      ...range(axes),
    ])
    const weight = layer.constant("pointwise_kernel", pointwise.shape, pointwise.data)
    const y = withChannelsFirst(layer, axes, (x) =>
      layer.node("Conv", [depthwise(layer, axes, x, kernel, []), weight, ...bias], {
        kernel_shape: new Array<number>(axes).fill(1),
      }),
    )
    return activate(layer, y, layer.config.activation)
  }

export const convolutionLayers: Readonly<Record<string, Translate>> = {
  Conv1D: conv(1),
  Conv2D: conv(2),
  Conv3D: conv(3),
  Conv1DTranspose: convTranspose(1),
  Conv2DTranspose: convTranspose(2),
  Conv3DTranspose: convTranspose(3),
  DepthwiseConv1D: depthwiseConv(1),
  DepthwiseConv2D: depthwiseConv(2),
  SeparableConv1D: separableConv(1),
  SeparableConv2D: separableConv(2),
}
