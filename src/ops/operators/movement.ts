/** Operators that pick, repeat and join elements: each computes one index map, for constants and activations alike. */

import { sizeOf } from "../program.js"
import type { Call, Lowering } from "./call.js"
import { constantInput, type Operators, operator } from "./limits.js"
import {
  axesOf,
  axisTable,
  broadcastShape,
  checkShape,
  indexTable,
  narrow,
  range,
  separableMap,
  show,
  stridesOf,
  unsupported,
} from "./shapes.js"
import type { Value } from "./values.js"

const concat: Lowering = (call) => {
  const values = call.allInputs()
  return [joined(call, values, call.axis("axis", values[0].shape.length, call.opset < 4 ? 1 : undefined))]
}

/** Values one behind the other along an axis. */
export function joined(call: Call, values: readonly Value[], axis: number): Value {
  const { shape: first } = values[0]
  for (const { shape } of values)
    if (shape.length !== first.length || shape.some((dim, i) => i !== axis && dim !== first[i]))
      unsupported(`shapes ${show(first)} and ${show(shape)} do not join along axis ${axis}`)
  const inner = sizeOf(first.slice(axis + 1))
  const outer = sizeOf(first.slice(0, axis))
  const total = values.reduce((sum, { shape }) => sum + shape[axis], 0)
  const shape = checkShape([...first.slice(0, axis), total, ...first.slice(axis + 1)])
  call.builder.hold(narrow(sizeOf(shape)))
  const map = new Int32Array(sizeOf(shape))
  let [source, start] = [0, 0]
  for (const value of values) {
    const run = value.shape[axis] * inner
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < run; i++) map[o * total * inner + start + i] = source + o * run + i
    source += outer * run
    start += run
  }
  return call.builder.move(values, map, shape)
}

/** Elements start, start + step, … of each axis. */
export function sliced(
  { builder }: Call,
  x: Value,
  starts: readonly number[],
  steps: readonly number[],
  shape: readonly number[],
): Value {
  const strides = stridesOf(x.shape)
  const tables = shape.map((dim, axis) => axisTable(builder, dim, strides[axis], starts[axis], steps[axis]))
  return builder.move([x], separableMap(builder, tables), shape)
}

const slice: Lowering = (call) => {
  const x = call.input(0)
  const rank = x.shape.length
  const given = (i: number, name: string) => call.integers(i, name, 10)
  const starts = given(1, "starts") ?? unsupported("no starts are given")
  const ends = given(2, "ends") ?? unsupported("no ends are given")
  const axes = axesOf(given(3, "axes") ?? range(starts.length), rank)
  const steps = (call.has(4) ? call.integerInput(4, "steps") : undefined) ?? starts.map(() => 1)
  if ([ends, axes, steps].some((list) => list.length !== starts.length))
    unsupported("starts, ends, axes and steps differ in length")
  const start = new Array<number>(rank).fill(0)
  const step = new Array<number>(rank).fill(1)
  const shape = [...x.shape]
  axes.forEach((axis, i) => {
    const dim = x.shape[axis]
    if (steps[i] === 0) unsupported("a step is 0")
    const clamp = (value: number, lo: number, hi: number) =>
      Math.min(Math.max(value < 0 ? value + dim : value, lo), hi)
    const forward = steps[i] > 0
    start[axis] = clamp(starts[i], 0, forward ? dim : dim - 1)
    const end = forward ? clamp(ends[i], 0, dim) : clamp(ends[i], -1, dim - 1)
    step[axis] = steps[i]
    shape[axis] = Math.max(0, Math.ceil((end - start[axis]) / steps[i]))
  })
  return [sliced(call, x, start, step, shape)]
}

const split: Lowering = (call) => {
  const x = call.input(0)
  const axis = call.axis("axis", x.shape.length, 0)
  const dim = x.shape[axis]
  const parts = call.node.outputs.length
  const asked = call.opset >= 18 ? call.integer("num_outputs", parts) : parts
  if (asked !== parts) call.refuse("num_outputs", asked)
  const given =
    call.opset === 1 && call.has(1) ? call.integerInput(1, "split") : call.integers(1, "split", 13)
  // from opset 18 the last part may be smaller
  const even = call.opset >= 18 ? Math.ceil(dim / parts) : dim / parts
  const sizes = given ?? range(parts).map((i) => Math.max(0, Math.min(even, dim - i * even)))
  if (sizes.length !== parts || sizes.reduce((a, b) => a + b, 0) !== dim || !sizes.every(Number.isInteger))
    unsupported(`axis ${axis} of ${show(x.shape)} does not split into ${parts} parts of ${show(sizes)}`)
  let at = 0
  return sizes.map((size) => {
    const starts = x.shape.map((_, i) => (i === axis ? at : 0))
    at += size
    const shape = x.shape.map((d, i) => (i === axis ? size : d))
    const ones = shape.map(() => 1)
    return sliced(call, x, starts, ones, shape)
  })
}

/** Where position p of a padded axis reads, −1 for the fill. */
function paddedSource(p: number, dim: number, mode: "constant" | "reflect" | "edge" | "wrap"): number {
  if (p >= 0 && p < dim) return p
  if (mode === "constant") return -1
  if (dim === 0) unsupported(`padding an empty axis in mode \`${mode}\``)
  if (mode === "edge") return p < 0 ? 0 : dim - 1
  if (mode === "wrap") return ((p % dim) + dim) % dim
  const period = Math.max(1, 2 * (dim - 1))
  const folded = ((p % period) + period) % period
  return folded < dim ? folded : period - folded
}

const pad: Lowering = (call) => {
  const x = call.input(0)
  const rank = x.shape.length
  const mode = call.choice("mode", ["constant", "reflect", "edge", "wrap"])
  const pads = call.integers(1, call.opset < 2 ? "paddings" : "pads", 11) ?? unsupported("no pads are given")
  const fill = call.opset < 11 ? call.number("value", 0) : call.scalarInput(2, "constant_value", 0)
  const axes = call.has(3) ? axesOf(call.integerInput(3, "axes"), rank) : range(rank)
  if (pads.length !== 2 * axes.length) unsupported(`${pads.length} pads do not fit ${axes.length} axes`)
  const before = new Array<number>(rank).fill(0)
  const shape = [...x.shape]
  axes.forEach((axis, i) => {
    before[axis] = pads[i]
    shape[axis] += pads[i] + pads[i + axes.length]
  })
  checkShape(shape)
  const strides = stridesOf(x.shape)
  const tables = shape.map((dim, axis) =>
    indexTable(call.builder, dim, (p) => {
      const from = paddedSource(p - before[axis], x.shape[axis], mode)
      return from < 0 ? -1 : from * strides[axis]
    }),
  )
  return [call.builder.move([x], separableMap(call.builder, tables), shape, fill)]
}

const expand: Lowering = (call) => {
  const x = call.input(0)
  const target = checkShape(call.integerInput(1, "shape"))
  return [call.builder.broadcast(x, broadcastShape(x.shape, target))]
}

const tile: Lowering = (call) => {
  const x = call.input(0)
  const rank = x.shape.length
  let repeats: number[]
  if (call.opset < 6) {
    repeats = new Array<number>(rank).fill(1)
    const axis = axesOf([call.scalarInput(2, "axis", Number.NaN)], rank)[0]
    repeats[axis] = call.scalarInput(1, "tiles", Number.NaN)
  } else repeats = call.integerInput(1, "repeats")
  if (repeats.length !== rank) unsupported(`${repeats.length} repeats do not fit ${show(x.shape)}`)
  const shape = checkShape(x.shape.map((dim, i) => dim * repeats[i]))
  const strides = stridesOf(x.shape)
  const tables = shape.map((dim, i) => indexTable(call.builder, dim, (p) => (p % x.shape[i]) * strides[i]))
  return [call.builder.move([x], separableMap(call.builder, tables), shape)]
}

const triangle: Lowering = (call) => {
  const x = call.input(0)
  const k = call.scalarInput(1, "k", 0)
  const upper = call.flag("upper", true)
  const rank = x.shape.length
  if (rank < 2) unsupported(`shape ${show(x.shape)} is no matrix`)
  const [rows, columns] = x.shape.slice(-2)
  const map = indexTable(call.builder, sizeOf(x.shape), (flat) => {
    const [row, column] = [Math.floor(flat / columns) % rows, flat % columns]
    return (upper ? column - row >= k : column - row <= k) ? flat : -1
  })
  return [call.builder.move([x], map, x.shape)]
}

const compress: Lowering = (call) => {
  const flat = call.attribute("axis") === undefined
  const x = call.input(0)
  const shape = flat ? [sizeOf(x.shape)] : [...x.shape]
  const axis = flat ? 0 : call.axis("axis", shape.length)
  const { constant } = call.constantInput(1, "condition")
  const strides = stridesOf(shape)
  const tables = shape.map((dim, i) => {
    if (i !== axis) return axisTable(call.builder, dim, strides[i])
    return axisTable(call.builder, Math.min(constant.length, dim), strides[i]).filter(
      (_, p) => constant[p] !== 0,
    )
  })
  shape[axis] = tables[axis].length
  return [call.builder.move([x], separableMap(call.builder, tables), shape)]
}

export const movement: Operators = {
  Concat: operator(concat),
  Slice: operator(
    slice,
    constantInput(1, "starts"),
    constantInput(2, "ends"),
    constantInput(3, "axes"),
    constantInput(4, "steps"),
  ),
  Split: operator(split, constantInput(1, "split")),
  Pad: operator(pad, constantInput(1, "pads"), constantInput(2, "constant_value"), constantInput(3, "axes")),
  Expand: operator(expand, constantInput(1, "shape")),
  Tile: operator(tile, constantInput(1, "repeats")),
  Trilu: operator(triangle, constantInput(1, "k")),
  Compress: operator(compress, constantInput(1, "condition")),
}
