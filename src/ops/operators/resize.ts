/**
 * Resize and Upsample (https://onnx.ai/onnx/operators/onnx__Resize.html). Nearest is an index map; linear and
 * cubic are products of one-dimensional interpolations, hence sparse linear maps.
 */
import { sizeOf } from "../program.js"
import type { Builder } from "./builder.js"
import type { Call, Lowering } from "./call.js"
import { constantInput, type Operators, operator, other } from "./limits.js"
import { fromEntries } from "./maps.js"
import {
  axesOf,
  checkShape,
  forEachPosition,
  indexTable,
  type Ledger,
  range,
  separableMap,
  show,
  stridesOf,
  unsupported,
} from "./shapes.js"
import { constant, isConstant, type Value } from "./values.js"

const transformations = [
  "half_pixel",
  "half_pixel_symmetric",
  "pytorch_half_pixel",
  "align_corners",
  "asymmetric",
  "tf_half_pixel_for_nn",
  "tf_crop_and_resize",
] as const
const roundings = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"] as const

/** How one axis is resized. */
interface Axis {
  readonly from: number
  readonly to: number
  readonly scale: number
  readonly crop: readonly [number, number]
}

interface Settings {
  readonly mode: "nearest" | "linear" | "cubic"
  readonly transformation: (typeof transformations)[number]
  readonly rounding: (typeof roundings)[number]
  readonly cubicA: number
  readonly excludeOutside: boolean
  readonly outside: number
}

type Tap = readonly [index: number, weight: number]

/** Where output position p of an axis lies in the input. Single precision, as runtimes round. */
function original(p: number, { from, to, scale, crop }: Axis, { transformation }: Settings): number {
  const half = Math.fround(Math.fround(p + 0.5) / scale) - 0.5
  switch (transformation) {
    case "half_pixel":
      return half
    case "half_pixel_symmetric":
      return (from / 2) * (1 - to / (scale * from)) + half
    case "pytorch_half_pixel":
      return to > 1 ? half : 0
    case "align_corners":
      return to > 1 ? (p * (from - 1)) / (to - 1) : 0
    case "asymmetric":
      return Math.fround(p / scale)
    case "tf_half_pixel_for_nn":
      return half + 0.5
    case "tf_crop_and_resize":
      return to > 1
        ? crop[0] * (from - 1) + (p * (crop[1] - crop[0]) * (from - 1)) / (to - 1)
        : 0.5 * (crop[0] + crop[1]) * (from - 1)
  }
}

const rounders: Readonly<Record<Settings["rounding"], (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
}

/** Weights of the four taps around a position at distance t past the second (Keys' kernel). */
const cubicWeights = (t: number, a: number): number[] => [
  ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a,
  ((a + 2) * t - (a + 3)) * t * t + 1,
  ((a + 2) * (1 - t) - (a + 3)) * (1 - t) * (1 - t) + 1,
  ((a * (2 - t) - 5 * a) * (2 - t) + 8 * a) * (2 - t) - 4 * a,
]

/** Input elements and weights of one output position; undefined where it extrapolates. */
function tapsAt(p: number, axis: Axis, settings: Settings): Tap[] | undefined {
  const { mode, transformation, rounding, cubicA, excludeOutside } = settings
  const x = original(p, axis, settings)
  if (transformation === "tf_crop_and_resize" && (x < 0 || x > axis.from - 1)) return undefined
  const inside = (i: number) => Math.min(Math.max(i, 0), axis.from - 1)
  if (mode === "nearest") return [[inside(rounders[rounding](x)), 1]]
  const base = Math.floor(x)
  const t = x - base
  const weights = mode === "linear" ? [1 - t, t] : cubicWeights(t, cubicA)
  const first = mode === "linear" ? base : base - 1
  const taps = weights.map((weight, i): Tap => [first + i, weight])
  if (!excludeOutside) return taps.map(([i, weight]): Tap => [inside(i), weight])
  const kept = taps.filter(([i]) => i === inside(i))
  const total = kept.reduce((sum, [, weight]) => sum + weight, 0)
  return kept.map(([i, weight]): Tap => [i, weight / total])
}

/** Taps of every output position of an axis: positions start[p] to start[p + 1] − 1 of both lists. */
interface AxisTaps {
  readonly start: Uint32Array
  /** Flat offsets in the input. */
  readonly offset: Int32Array
  readonly weight: Float64Array
  /** 1 where a position extrapolates. */
  readonly outside: Uint8Array
}

/** Most taps of one position. */
const mostTaps = 4

function axisTaps(ledger: Ledger, axis: Axis, settings: Settings, stride: number): AxisTaps {
  const { from, to, scale } = axis
  ledger.hold(2 * mostTaps * to)
  const isKept = from === to && scale === 1 && settings.transformation !== "tf_crop_and_resize"
  const start = new Uint32Array(to + 1)
  const offset = new Int32Array(mostTaps * to)
  const weight = new Float64Array(mostTaps * to)
  const outside = new Uint8Array(to)
  let length = 0
  for (let p = 0; p < to; p++) {
    const taps: readonly Tap[] | undefined = isKept ? [[p, 1]] : tapsAt(p, axis, settings)
    if (!taps) outside[p] = 1
    for (const [index, value] of taps ?? []) {
      offset[length] = index * stride
      weight[length++] = value
    }
    start[p + 1] = length
  }
  return { start, offset: offset.slice(0, length), weight: weight.slice(0, length), outside }
}

function resized(call: Call, x: Value, axes: readonly Axis[], settings: Settings): Value {
  const { builder } = call
  const shape = checkShape(axes.map(({ to }) => to))
  const strides = stridesOf(x.shape)
  if (sizeOf(x.shape) === 0) unsupported(`shape ${show(x.shape)} has no elements to resize`)
  const taps = axes.map((axis, i) => axisTaps(builder, axis, settings, strides[i]))
  const isMovement = taps.every(({ start, outside }) =>
    outside.every((no, p) => start[p + 1] - start[p] === 1 - no),
  )
  if (isMovement) {
    const tables = taps.map(({ start, offset, outside }) =>
      indexTable(builder, outside.length, (p) => (outside[p] ? -1 : offset[start[p]])),
    )
    return builder.move([x], separableMap(builder, tables), shape, settings.outside)
  }
  return interpolated(builder, x, shape, taps, settings.outside)
}

/** Row by row, the products of one tap per axis. */
function interpolated(
  builder: Builder,
  x: Value,
  shape: readonly number[],
  taps: readonly AxisTaps[],
  outside: number,
): Value {
  const size = sizeOf(shape)
  const count = taps.reduce((product, { offset }) => product * offset.length, 1)
  builder.hold(3 * count + 3 * size)
  const row = new Uint32Array(count)
  const column = new Uint32Array(count)
  const value = new Float64Array(count)
  const bias = new Float64Array(size)
  let length = 0
  forEachPosition(shape, (position, flat) => {
    if (taps.some((axis, i) => axis.outside[position[i]])) {
      bias[flat] = outside
      return
    }
    // the taps of the axes so far stand at the end of the lists, and are replaced by their products
    let made = 1
    column[length] = 0
    value[length] = 1
    for (const [i, { start, offset, weight }] of taps.entries()) {
      const first = start[position[i]]
      const several = start[position[i] + 1] - first
      // from behind, so that no product overwrites what others are made of
      for (let at = made - 1; at >= 0; at--) {
        const [base, factor] = [column[length + at], value[length + at]]
        for (let t = several - 1; t >= 0; t--) {
          column[length + at * several + t] = base + offset[first + t]
          value[length + at * several + t] = factor * weight[first + t]
        }
      }
      made *= several
    }
    row.fill(flat, length, length + made)
    length += made
  })
  const entries = { row: row.subarray(0, length), column, value }
  if (isConstant(x)) {
    const out = bias.slice()
    for (let e = 0; e < length; e++) out[row[e]] += value[e] * x.constant[column[e]]
    return constant(shape, out, x.dtype)
  }
  const map = fromEntries(builder, size, entries)
  return builder.linear([{ source: x.tensor, map }], shape, x.dtype, bias)
}

const scaledSize = (from: number, scale: number): number => Math.floor(Math.fround(from * scale))

/** Axes from scales for all of them. */
function fromScales(x: Value, scales: readonly number[]): Axis[] {
  if (scales.length !== x.shape.length || scales.some((scale) => !(scale > 0)))
    unsupported(`scales ${show(scales)} do not fit ${show(x.shape)}`)
  return x.shape.map((from, i) => ({ from, to: scaledSize(from, scales[i]), scale: scales[i], crop: [0, 1] }))
}

const simple = (mode: Settings["mode"]): Settings => ({
  mode,
  transformation: "asymmetric",
  rounding: "floor",
  cubicA: -0.75,
  excludeOutside: false,
  outside: 0,
})

/** The forms before Resize-11: scales alone, coordinates divided by them. */
const upsample: Lowering = (call) => {
  const x = call.input(0)
  const word = call.choice("mode", ["nearest", "linear", "bilinear"])
  const mode = word === "nearest" ? "nearest" : "linear"
  let scales: readonly number[]
  if (call.node.operator === "Upsample" && call.opset < 7)
    scales = [1, 1, call.number("height_scale"), call.number("width_scale")]
  else if (call.node.operator === "Upsample" && call.opset < 9)
    scales = call.list("scales") ?? unsupported("attribute `scales` is missing")
  else scales = Array.from(call.constantInput(1, "scales").constant)
  return [resized(call, x, fromScales(x, scales), simple(mode))]
}

/** Sizes asked for, bent to a common scale if the aspect ratio is to be kept. */
function fromSizes(call: Call, shape: readonly number[], axes: readonly number[], sizes: readonly number[]) {
  const policy = call.choice("keep_aspect_ratio_policy", ["stretch", "not_larger", "not_smaller"])
  if (sizes.length !== axes.length) unsupported(`sizes ${show(sizes)} do not fit ${axes.length} axes`)
  const scales = sizes.map((size, i) => size / shape[axes[i]])
  if (policy === "stretch") return sizes.map((to, i) => ({ to, scale: Math.fround(scales[i]) }))
  const scale = policy === "not_larger" ? Math.min(...scales) : Math.max(...scales)
  return axes.map((axis) => ({ to: Math.floor(scale * shape[axis] + 0.5), scale: Math.fround(scale) }))
}

const resize: Lowering = (call) => {
  if (call.opset < 11) return upsample(call)
  const x = call.input(0)
  const rank = x.shape.length
  const settings: Settings = {
    mode: call.choice("mode", ["nearest", "linear", "cubic"]),
    transformation: call.choice("coordinate_transformation_mode", transformations),
    rounding: call.choice("nearest_mode", roundings),
    cubicA: call.number("cubic_coeff_a", -0.75),
    excludeOutside: call.flag("exclude_outside"),
    outside: call.number("extrapolation_value", 0),
  }
  if (call.flag("antialias")) call.refuse("antialias", 1)
  const given = call.integerList("axes")
  const axes = given ? axesOf(given, rank) : range(rank)
  const list = (i: number, what: string) =>
    call.has(i) ? Array.from(call.constantInput(i, what).constant) : []
  const [roi, scales, sizes] = [list(1, "roi"), list(2, "scales"), list(3, "sizes")]
  if (scales.length > 0 === sizes.length > 0) unsupported("either scales or sizes are to be given")
  const aimed =
    sizes.length > 0
      ? fromSizes(call, x.shape, axes, sizes)
      : axes.map((axis, i) => ({ to: scaledSize(x.shape[axis], scales[i]), scale: scales[i] }))
  call.ignore("keep_aspect_ratio_policy")
  if (aimed.length !== axes.length || (scales.length > 0 && scales.length !== axes.length))
    unsupported(`scales ${show(scales)} do not fit ${axes.length} axes`)
  if (aimed.some(({ scale }) => !(scale > 0))) unsupported("a scale is not positive")
  const crops = settings.transformation === "tf_crop_and_resize"
  if (crops && roi.length !== 2 * axes.length)
    unsupported(`roi ${show(roi)} does not fit ${axes.length} axes`)
  const all = x.shape.map((from, axis): Axis => {
    const i = axes.indexOf(axis)
    if (i < 0) return { from, to: from, scale: 1, crop: [0, 1] }
    return { from, ...aimed[i], crop: crops ? [roi[i], roi[i + axes.length]] : [0, 1] }
  })
  return [resized(call, x, all, settings)]
}

export const resizing: Operators = {
  Upsample: operator(upsample, constantInput(1, "scales")),
  Resize: operator(
    resize,
    constantInput(1, "roi"),
    constantInput(2, "scales"),
    constantInput(3, "sizes"),
    other("`antialias` is 0"),
  ),
}
