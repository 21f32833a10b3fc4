/** Normalizations of Keras: by statistics of training, which are linear, and by those of the input itself. */
import { limits } from "../limits.js"
import {
  integers,
  type LayerContext,
  list,
  number,
  ofRank,
  Refusal,
  refuse,
  setting,
  type Translate,
  without,
} from "./layer.js"

/** Folds to scale and offset along an axis, the last one or the first after the batch. */
const batchNormalization: Translate = (layer) => {
  const [scales, centres] = ["scale", "center"].map((name) => setting(layer, name) !== false)
  let at = 0
  const gammaAt = scales ? at++ : 0
  const betaAt = centres ? at++ : 0
  const mean = layer.weight("moving_mean", at).data
  const variance = layer.weight("moving_variance", at + 1).data
  const epsilon = number(layer, setting(layer, "epsilon") ?? 1e-3)
  const gamma = scales ? layer.weight("gamma", gammaAt).data : mean.map(() => 1)
  const beta = centres ? layer.weight("beta", betaAt).data : mean.map(() => 0)
  if ([variance, gamma, beta].some(({ length }) => length !== mean.length))
    throw new Refusal("its weights differ in length")
  const [axis] = list(layer, "axis", 1, -1)
  if (axis !== -1 && !(Number.isInteger(axis) && axis >= 1 && axis < limits.dimensions))
    throw new Refusal(`axis ${axis} is not supported; use channels last`)
  const scale = gamma.map((g, i) => g / Math.sqrt(variance[i] + epsilon))
  const offset = beta.map((b, i) => b - mean[i] * scale[i])
  const parameters = [
    layer.constant("scale", [scale.length], scale),
    layer.constant("offset", [offset.length], offset),
  ]
  if (axis === 1) {
    const zeros = layer.constant("zeros", [scale.length], new Float64Array(scale.length))
    const ones = layer.constant("ones", [scale.length], new Float64Array(scale.length).fill(1))
    return layer.node("BatchNormalization", [layer.inputs[0], ...parameters, zeros, ones], { epsilon: 0 })
  }
  const x = axis === -1 ? layer.inputs[0] : ofRank(layer, layer.inputs[0], axis + 1)
  return layer.node("Add", [layer.node("Mul", [x, parameters[0]]), parameters[1]])
}

/** The axes of a layer as one that the last ones begin at, and the tensor, of the rank that this needs. */
function trailing(layer: LayerContext): { x: string; axis: number } {
  const axes = list(layer, "axis", 1, -1)
  const first = axes[0]
  const isRow = axes.every((axis, i) => Number.isSafeInteger(axis) && axis === first + i)
  const last = axes.length === 0 ? 0 : axes[axes.length - 1]
  if (!isRow || (first < 0 ? last !== -1 : first < 1 || last >= limits.dimensions))
    throw new Refusal("`axis` is not the last axis, or the last few of them")
  const [x] = layer.inputs
  return { x: first < 0 ? x : ofRank(layer, x, last + 1), axis: first }
}

const layerNormalization: Translate = (layer) => {
  const { x, axis } = trailing(layer)
  const epsilon = number(layer, setting(layer, "epsilon") ?? 1e-3)
  const scales = setting(layer, "scale") !== false
  const isRms = setting(layer, "rms_scaling") === true
  const gamma = scales ? layer.weight("gamma", 0) : { shape: [1], data: [1] }
  const inputs = [x, layer.constant("gamma", gamma.shape, gamma.data)]
  if (isRms) refuse("`rms_scaling` is not supported; use RMSNormalization")
  if (setting(layer, "center") !== false) {
    const beta = layer.weight("beta", scales ? 1 : 0)
    inputs.push(layer.constant("beta", beta.shape, beta.data))
  }
  return layer.node("LayerNormalization", inputs, { axis, epsilon })
}

const rmsNormalization: Translate = (layer) => {
  const { x, axis } = trailing(layer)
  const { shape, data } = layer.weight("scale", 0)
  const epsilon = number(layer, setting(layer, "epsilon") ?? 1e-6)
  return layer.node("RMSNormalization", [x, layer.constant("scale", shape, data)], { axis, epsilon })
}

/** Groups of channels, each over all positions: a normalization over the last axis of [batch, groups, all else]. */
const groupNormalization: Translate = (layer) => {
  const [x] = layer.inputs
  const [axis] = list(layer, "axis", 1, -1)
  if (axis !== -1) throw new Refusal(`axis ${axis} is not supported; use channels last`)
  const scales = setting(layer, "scale") !== false
  const gamma = scales ? layer.weight("gamma", 0) : undefined
  const beta = setting(layer, "center") !== false ? layer.weight("beta", scales ? 1 : 0) : undefined
  const channels =
    (gamma ?? beta)?.data.length ?? refuse("neither `scale` nor `center` says how many channels there are")
  const given = number(layer, setting(layer, "groups") ?? 32)
  const groups = given === -1 ? channels : given
  if (!Number.isSafeInteger(groups) || groups < 1 || channels % groups !== 0)
    refuse(`${groups} groups of ${channels} channels`)
  const shaped = (y: string, suffix: string, shape: readonly number[]) =>
    layer.node("Reshape", [y, integers(layer, suffix, shape)])
  const swapped = (y: string) => layer.node("Transpose", [y], { perm: [0, 2, 1, 3] })
  const split = swapped(shaped(x, "split", [0, -1, groups, channels / groups]))
  const flat = shaped(split, "flat", [0, 0, -1])
  const normalized = layer.node("LayerNormalization", [flat, layer.constant("one", [1], [1])], {
    axis: -1,
    epsilon: number(layer, setting(layer, "epsilon") ?? 1e-3),
  })
  const back = swapped(shaped(normalized, "back", [0, groups, -1, channels / groups]))
  let y = layer.node("Reshape", [back, layer.node("Shape", [x])])
  if (gamma) y = layer.node("Mul", [y, layer.constant("gamma", gamma.shape, gamma.data)])
  if (beta) y = layer.node("Add", [y, layer.constant("beta", beta.shape, beta.data)])
  return y
}

const unitNormalization: Translate = (layer) => {
  const axes = list(layer, "axis", 1, -1)
  if (axes.length !== 1) throw new Refusal("several axes are not supported")
  return layer.node("LpNormalization", [layer.inputs[0]], { axis: axes[0], p: 2 })
}

/** Numbers of a setting: one, or nested lists of them. */
function values(layer: LayerContext, value: unknown): number[] {
  const flat: unknown = Array.isArray(value) ? value.flat(limits.dimensions) : [value]
  return (flat as unknown[]).map((each) => number(layer, each))
}

/** A constant along the last axis, or one number. */
const along = (layer: LayerContext, suffix: string, numbers: ArrayLike<number>): string =>
  layer.constant(suffix, numbers.length === 1 ? [] : [numbers.length], numbers)

const rescaling: Translate = (layer) => {
  const scale = along(layer, "scale", values(layer, setting(layer, "scale") ?? 1))
  const offset = along(layer, "offset", values(layer, setting(layer, "offset") ?? 0))
  return layer.node("Add", [layer.node("Mul", [layer.inputs[0], scale]), offset])
}

/** (x − mean) / max(√variance, 1e-7), with statistics that the layer has learned or was given. */
const normalization: Translate = (layer) => {
  without(layer, "invert")
  const axis = setting(layer, "axis")
  const axes = axis === undefined ? [-1] : axis === null ? [] : list(layer, "axis", 1, -1)
  if (axes.length > 1) throw new Refusal("several axes are not supported")
  const mean = setting(layer, "mean") ?? setting(layer, "input_mean")
  const variance = setting(layer, "variance") ?? setting(layer, "input_variance")
  const given = (value: unknown, name: string, at: number) =>
    value === undefined || value === null ? Array.from(layer.weight(name, at).data) : values(layer, value)
  const means = given(mean, "mean", 0)
  const variances = given(variance, "variance", 1)
  if (variances.length !== means.length || variances.some((v) => v < 0))
    refuse("`mean` and `variance` do not fit each other")
  const scale = variances.map((v) => 1 / Math.max(Math.sqrt(v), 1e-7))
  const last = axes[0] ?? -1
  const [first] = layer.inputs
  if (last !== -1 && !(last >= 1 && last < limits.dimensions)) refuse("`axis` is not the last axis")
  const x = last === -1 ? first : ofRank(layer, first, last + 1)
  const scaled = layer.node("Mul", [x, along(layer, "scale", scale)])
  const offset = means.map((m, i) => -m * scale[i])
  return layer.node("Add", [scaled, along(layer, "offset", offset)])
}

export const normalizationLayers: Readonly<Record<string, Translate>> = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  RMSNormalization: rmsNormalization,
  GroupNormalization: groupNormalization,
  UnitNormalization: unitNormalization,
  Rescaling: rescaling,
  Normalization: normalization,
}
