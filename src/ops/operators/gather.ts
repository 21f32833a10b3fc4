/**
 * Gather and Scatter. Indices that are known while compiling are index maps like any other movement; indices that
 * depend on the model's input pick with bits (positions.ts), and one out of range picks 0, where ONNX has an error.
 */

import { sizeOf } from "../program.js"
import { larger } from "./arithmetic.js"
import type { Call, Lowering } from "./call.js"
import { type Operators, operator, other } from "./limits.js"
import { flatIndex, picked, placed, positionBits, tableRows } from "./positions.js"
import {
  axisTable,
  forEachPosition,
  indexTable,
  narrow,
  sameShape,
  separableMap,
  show,
  stridesOf,
  unsupported,
} from "./shapes.js"
import { type Activation, type Constant, isConstant, type Value } from "./values.js"

/** An index in [0, dim) from one that may count from the end. */
function wrapped(index: number, dim: number): number {
  const at = index < 0 ? index + dim : index
  return Number.isInteger(at) && at >= 0 && at < dim
    ? at
    : unsupported(`index ${index} is out of range for a dimension of ${dim}`)
}

const gather: Lowering = (call) => {
  const x = call.input(0)
  const indices = call.input(1)
  const axis = call.axis("axis", x.shape.length, 0)
  const strides = stridesOf(x.shape)
  const { builder } = call
  if (!isConstant(indices)) {
    const depth = x.shape[axis]
    const [inner, count] = [strides[axis], sizeOf(indices.shape)]
    const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)]
    // element [outer, index, inner] of the result
    const index = (i: number) => Math.floor(i / inner) % count
    const base = (i: number) => Math.floor(i / (inner * count)) * depth * inner + (i % inner)
    const rows = isConstant(x) ? constantRows(call, x, indices, axis) : undefined
    if (rows) return [builder.move([rows.value], rows.order, shape)]
    const bits = positionBits(builder, indices, depth)
    return [picked(builder, bits, depth, x, shape, index, (i, d) => base(i) + d * inner)]
  }
  const tables = x.shape.map((dim, i) =>
    i === axis
      ? indexTable(builder, indices.constant.length, (at) => wrapped(indices.constant[at], dim) * strides[i])
      : axisTable(builder, dim, strides[i]),
  )
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)]
  return [builder.move([x], separableMap(builder, tables), shape)]
}

/** What indices pick along an axis of a constant as rows of a table, if that is worth it, and the order of its elements. */
function constantRows({ builder }: Call, x: Constant, indices: Activation, axis: number) {
  const [inner, depth, count] = [stridesOf(x.shape)[axis], x.shape[axis], sizeOf(indices.shape)]
  const width = x.constant.length / depth
  const from = indexTable(builder, x.constant.length, (at) => {
    const [row, column] = [Math.floor(at / width), at % width]
    return (Math.floor(column / inner) * depth + row) * inner + (column % inner)
  })
  const table = { ...x, constant: Float64Array.from(from, (at) => x.constant[at]) }
  const value = tableRows(builder, indices, table, width)
  if (!value) return undefined
  const order = indexTable(builder, count * width, (i) => {
    const [outer, index, at] = [Math.floor(i / (inner * count)), Math.floor(i / inner) % count, i % inner]
    return index * width + outer * inner + at
  })
  return { value, order }
}

/** Flat position in `data` at which every element of GatherElements' and ScatterElements' indices would be, were it 0. */
function fittingStarts({ builder }: Call, data: Value, shape: readonly number[], axis: number): Int32Array {
  const fits = shape.every((dim, i) => i === axis || dim <= data.shape[i])
  if (shape.length !== data.shape.length || !fits)
    unsupported(`indices ${show(shape)} do not fit ${show(data.shape)}`)
  const strides = stridesOf(data.shape)
  builder.hold(narrow(sizeOf(shape)))
  const starts = new Int32Array(sizeOf(shape))
  forEachPosition(shape, (position, flat) => {
    for (let i = 0; i < position.length; i++) if (i !== axis) starts[flat] += position[i] * strides[i]
  })
  return starts
}

/** Flat position in `data` of every element of GatherElements' and ScatterElements' indices. */
function elementMap(call: Call, data: Value, indices: Constant, axis: number): Int32Array {
  const stride = stridesOf(data.shape)[axis]
  return fittingStarts(call, data, indices.shape, axis).map(
    (start, i) => start + wrapped(indices.constant[i], data.shape[axis]) * stride,
  )
}

const gatherElements: Lowering = (call) => {
  const x = call.input(0)
  const indices = call.input(1)
  if (!isConstant(indices)) {
    const { builder } = call
    const axis = call.axis("axis", x.shape.length, 0)
    const strides = stridesOf(x.shape)
    const starts = fittingStarts(call, x, indices.shape, axis)
    const bits = positionBits(builder, indices, x.shape[axis])
    const source = (i: number, d: number) => starts[i] + d * strides[axis]
    return [picked(builder, bits, x.shape[axis], x, indices.shape, (i) => i, source)]
  }
  const map = elementMap(call, x, indices, call.axis("axis", x.shape.length, 0))
  return [call.builder.move([x], map, indices.shape)]
}

/** What a list of index tuples [..., depth] picks from data behind its batch axes. */
function tuplesOf(data: Value, indices: Value, batch: number) {
  const { shape } = indices
  const depth = shape[shape.length - 1]
  if (shape.length <= batch || depth + batch > data.shape.length)
    unsupported(`indices ${show(shape)} do not fit ${show(data.shape)}`)
  if (!sameShape(shape.slice(0, batch), data.shape.slice(0, batch)))
    unsupported(`the batches of ${show(shape)} and ${show(data.shape)} differ`)
  const dims = data.shape.slice(batch, batch + depth)
  const rest = data.shape.slice(batch + depth)
  const tuples = sizeOf(shape.slice(0, -1))
  const perBatch = tuples / sizeOf(data.shape.slice(0, batch))
  const inner = sizeOf(rest)
  /** Where the batch of a tuple begins in the data. */
  const startOf = (tuple: number) => Math.floor(tuple / perBatch) * sizeOf(dims) * inner
  return { dims, rest, tuples, inner, startOf, outer: shape.slice(0, -1) }
}
type Tuples = ReturnType<typeof tuplesOf>

/** Flat start in `data` of the slice that each index tuple names. */
function tupleStarts(
  { builder }: Call,
  indices: Constant,
  { dims, tuples, inner, startOf }: Tuples,
): Int32Array {
  return indexTable(builder, tuples, (t) =>
    dims.reduce(
      (at, dim, d) =>
        at + wrapped(indices.constant[t * dims.length + d], dim) * sizeOf(dims.slice(d + 1)) * inner,
      startOf(t),
    ),
  )
}

const gatherNd: Lowering = (call) => {
  const { builder } = call
  const x = call.input(0)
  const indices = call.input(1)
  const of = tuplesOf(x, indices, call.integer("batch_dims", 0))
  const shape = [...of.outer, ...of.rest]
  if (isConstant(indices))
    return [builder.move([x], slicesFrom(call, tupleStarts(call, indices, of), of.rest), shape)]
  const depth = sizeOf(of.dims)
  const index = flatIndex(builder, indices, of.dims)
  const rows =
    isConstant(x) && of.startOf(of.tuples - 1) === 0 ? tableRows(builder, index, x, of.inner) : undefined
  if (rows) return [{ ...rows, shape }]
  const bits = positionBits(builder, index, depth)
  const tuple = (i: number) => Math.floor(i / of.inner)
  const source = (i: number, d: number) => of.startOf(tuple(i)) + d * of.inner + (i % of.inner)
  return [picked(builder, bits, depth, x, shape, tuple, source)]
}

/** Flat positions of all elements of the slices of shape `rest` that begin at `starts`. */
const slicesFrom = ({ builder }: Call, starts: Int32Array, rest: readonly number[]): Int32Array =>
  separableMap(builder, [starts, axisTable(builder, sizeOf(rest), 1)])

/** The data with the updates at `targets`: in its place, where the last one wins, or joined with what is there. */
function scattered(call: Call, data: Value, updates: Value, targets: ArrayLike<number>): Value {
  const { builder } = call
  const reduction = reductionOf(call)
  const size = sizeOf(data.shape)
  const reduced = reductions[reduction]
  if (!reduced) {
    const map = axisTable(builder, size, 1)
    for (let i = 0; i < targets.length; i++) map[targets[i]] = size + i
    return builder.move([data, updates], map, data.shape)
  }
  // one round for each time that an element is updated again
  const rounds: Map<number, number>[] = []
  const times = new Map<number, number>()
  for (let i = 0; i < targets.length; i++) {
    const round = times.get(targets[i]) ?? 0
    times.set(targets[i], round + 1)
    rounds[round] ??= new Map()
    rounds[round].set(targets[i], i)
  }
  return rounds.reduce((current, round) => {
    const places = Int32Array.from(round.keys())
    const at = [places.length]
    const joined = reduced(
      call,
      builder.move([current], places, at),
      builder.move([updates], Int32Array.from(round.values()), at),
    )
    const map = axisTable(builder, size, 1)
    places.forEach((place, i) => {
      map[place] = size + i
    })
    return builder.move([current, joined], map, data.shape)
  }, data)
}

const words = ["none", "add", "mul", "max", "min"] as const
const reductionOf = (call: Call) => call.choice("reduction", [...words])
const reductions: Readonly<
  Record<(typeof words)[number], ((call: Call, x: Value, y: Value) => Value) | undefined>
> = {
  none: undefined,
  add: ({ builder }, x, y) =>
    builder.combine([
      { value: x, factor: 1 },
      { value: y, factor: 1 },
    ]),
  mul: ({ builder }, x, y) => builder.product(x, y),
  max: (call, x, y) => larger(call, x, y, 1),
  min: (call, x, y) => larger(call, x, y, -1),
}

/** Whether updates at indices that depend on the model's input take the place of what is there, or are added. */
function isReplacing(call: Call): boolean {
  const reduction = reductionOf(call)
  if (reduction !== "none" && reduction !== "add")
    unsupported(`reduction \`${reduction}\` at indices that depend on the model's input`)
  return reduction === "none"
}

const scatterElements: Lowering = (call) => {
  const [data, indices, updates] = [call.input(0), call.input(1), call.input(2)]
  if (!sameShape(updates.shape, indices.shape))
    unsupported(`updates ${show(updates.shape)} do not fit indices ${show(indices.shape)}`)
  const axis = call.axis("axis", data.shape.length, 0)
  if (isConstant(indices)) return [scattered(call, data, updates, elementMap(call, data, indices, axis))]
  const { builder } = call
  const depth = data.shape[axis]
  const stride = stridesOf(data.shape)[axis]
  const starts = fittingStarts(call, data, indices.shape, axis)
  const bits = positionBits(builder, indices, depth)
  const target = (u: number, d: number) => starts[u] + d * stride
  return [placed(builder, bits, depth, data, updates, (u) => u, target, isReplacing(call))]
}

const scatterNd: Lowering = (call) => {
  const [data, indices, updates] = [call.input(0), call.input(1), call.input(2)]
  const of = tuplesOf(data, indices, 0)
  if (!sameShape(updates.shape, [...of.outer, ...of.rest]))
    unsupported(`updates ${show(updates.shape)} do not fit indices ${show(indices.shape)}`)
  if (isConstant(indices))
    return [scattered(call, data, updates, slicesFrom(call, tupleStarts(call, indices, of), of.rest))]
  const { builder } = call
  const depth = sizeOf(of.dims)
  const bits = positionBits(builder, flatIndex(builder, indices, of.dims), depth)
  const tuple = (u: number) => Math.floor(u / of.inner)
  const target = (u: number, d: number) => d * of.inner + (u % of.inner)
  return [placed(builder, bits, depth, data, updates, tuple, target, isReplacing(call))]
}

const whole = other("indices that depend on the model's input are integers")
const distinct = other("updates at indices that depend on the model's input replace or are added")

export const gathering: Operators = {
  Gather: operator(gather, whole),
  GatherElements: operator(gatherElements, whole),
  GatherND: operator(gatherNd, whole),
  Scatter: operator(scatterElements, whole),
  ScatterElements: operator(scatterElements, whole, distinct),
  ScatterND: operator(scatterNd, whole, distinct),
}
