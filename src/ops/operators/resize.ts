/**
 * Resize and Upsample (https://onnx.ai/onnx/operators/onnx__Resize.html). Nearest is an index map; linear and
 * cubic are products of one-dimensional interpolations, hence sparse linear maps.
 */
import { sizeOf } from "../program.js"
import type { Call, Lowering, Lowerings } from "./call.js"
import { fromEntries } from "./maps.js"
import { axesOf, checkShape, range, separableMap, show, stridesOf, unsupported } from "./shapes.js"
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

function resized(call: Call, x: Value, axes: readonly Axis[], settings: Settings): Value {
  const shape = checkShape(axes.map(({ to }) => to))
  const strides = stridesOf(x.shape)
  const crops = settings.transformation === "tf_crop_and_resize"
  const taps = axes.map((axis) =>
    range(axis.to).map((p): Tap[] | undefined =>
      axis.from === axis.to && axis.scale === 1 && !crops ? [[p, 1]] : tapsAt(p, axis, settings),
    ),
  )
  if (taps.every((axis) => axis.every((list) => !list || list.length === 1))) {
    const tables = taps.map((axis, i) => axis.map((list) => (list ? list[0][0] * strides[i] : -1)))
    return call.builder.move([x], separableMap(tables), shape, settings.outside)
  }
  // row by row, the products of one tap per axis
  let rows: (Tap[] | undefined)[] = [[[0, 1]]]
  taps.forEach((axis, i) => {
    rows = rows.flatMap((row) =>
      axis.map((list) =>
        row && list
          ? row.flatMap(([at, w]) => list.map(([j, v]): Tap => [at + j * strides[i], w * v]))
          : undefined,
      ),
    )
  })
  return interpolated(call, x, shape, rows, settings.outside)
}

function interpolated(
  { builder }: Call,
  x: Value,
  shape: readonly number[],
  rows: readonly (readonly Tap[] | undefined)[],
  outside: number,
): Value {
  const bias = Float64Array.from(rows, (row) => (row ? 0 : outside))
  if (isConstant(x)) {
    const at = (row: readonly Tap[]) => row.reduce((sum, [i, w]) => sum + w * x.constant[i], 0)
    return constant(
      shape,
      rows.map((row, i) => (row ? at(row) : bias[i])),
      x.dtype,
    )
  }
  const entries = rows.flatMap((row, i) => (row ?? []).map(([column, value]) => ({ row: i, column, value })))
  const map = fromEntries(sizeOf(shape), {
    row: Uint32Array.from(entries, ({ row }) => row),
    column: Uint32Array.from(entries, ({ column }) => column),
    value: Float64Array.from(entries, ({ value }) => value),
  })
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

export const resizing: Lowerings = { Upsample: upsample, Resize: resize }
