/** Gather and Scatter with indices known while compiling: index maps like any other movement. */

import { sizeOf } from "../program.js"
import type { Call, Lowering } from "./call.js"
import { constantInput, type Operators, operator, other } from "./limits.js"
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
import type { Constant, Value } from "./values.js"

/** An index in [0, dim) from one that may count from the end. */
function wrapped(index: number, dim: number): number {
  const at = index < 0 ? index + dim : index
  return Number.isInteger(at) && at >= 0 && at < dim
    ? at
    : unsupported(`index ${index} is out of range for a dimension of ${dim}`)
}

const gather: Lowering = (call) => {
  const x = call.input(0)
  const indices = call.constantInput(1, "indices")
  const axis = call.axis("axis", x.shape.length, 0)
  const strides = stridesOf(x.shape)
  const { builder } = call
  const tables = x.shape.map((dim, i) =>
    i === axis
      ? indexTable(builder, indices.constant.length, (at) => wrapped(indices.constant[at], dim) * strides[i])
      : axisTable(builder, dim, strides[i]),
  )
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)]
  return [builder.move([x], separableMap(builder, tables), shape)]
}

/** Flat position in `data` of every element of GatherElements' and ScatterElements' indices. */
function elementMap({ builder }: Call, data: Value, indices: Constant, axis: number): Int32Array {
  const fits = indices.shape.every((dim, i) => i === axis || dim <= data.shape[i])
  if (indices.shape.length !== data.shape.length || !fits)
    unsupported(`indices ${show(indices.shape)} do not fit ${show(data.shape)}`)
  const strides = stridesOf(data.shape)
  builder.hold(narrow(indices.constant.length))
  const map = new Int32Array(indices.constant.length)
  forEachPosition(indices.shape, (position, flat) => {
    let at = wrapped(indices.constant[flat], data.shape[axis]) * strides[axis]
    for (let i = 0; i < position.length; i++) if (i !== axis) at += position[i] * strides[i]
    map[flat] = at
  })
  return map
}

const gatherElements: Lowering = (call) => {
  const x = call.input(0)
  const indices = call.constantInput(1, "indices")
  const map = elementMap(call, x, indices, call.axis("axis", x.shape.length, 0))
  return [call.builder.move([x], map, indices.shape)]
}

/** Flat start in `data` of the slice that each index tuple names, from axis `batch` on. */
function tupleStarts({ builder }: Call, data: Value, indices: Constant, batch: number): Int32Array {
  const depth = indices.shape[indices.shape.length - 1]
  if (indices.shape.length <= batch || depth + batch > data.shape.length)
    unsupported(`indices ${show(indices.shape)} do not fit ${show(data.shape)}`)
  if (!sameShape(indices.shape.slice(0, batch), data.shape.slice(0, batch)))
    unsupported(`the batches of ${show(indices.shape)} and ${show(data.shape)} differ`)
  const strides = stridesOf(data.shape)
  const tuples = sizeOf(indices.shape.slice(0, -1))
  const perBatch = tuples / sizeOf(data.shape.slice(0, batch))
  const batchSize = sizeOf(data.shape.slice(batch))
  return indexTable(builder, tuples, (t) => {
    let at = Math.floor(t / perBatch) * batchSize
    for (let d = 0; d < depth; d++)
      at += wrapped(indices.constant[t * depth + d], data.shape[batch + d]) * strides[batch + d]
    return at
  })
}

const gatherNd: Lowering = (call) => {
  const x = call.input(0)
  const indices = call.constantInput(1, "indices")
  const batch = call.integer("batch_dims", 0)
  const starts = tupleStarts(call, x, indices, batch)
  const rest = x.shape.slice(batch + indices.shape[indices.shape.length - 1])
  const map = slicesFrom(call, starts, rest)
  return [call.builder.move([x], map, [...indices.shape.slice(0, -1), ...rest])]
}

/** Flat positions of all elements of the slices of shape `rest` that begin at `starts`. */
const slicesFrom = ({ builder }: Call, starts: Int32Array, rest: readonly number[]): Int32Array =>
  separableMap(builder, [starts, axisTable(builder, sizeOf(rest), 1)])

/** The data with elements at `targets` replaced by the updates in order; the last one wins. */
function scattered({ builder }: Call, data: Value, updates: Value, targets: ArrayLike<number>): Value {
  const size = sizeOf(data.shape)
  const map = axisTable(builder, size, 1)
  for (let i = 0; i < targets.length; i++) map[targets[i]] = size + i
  return builder.move([data, updates], map, data.shape)
}

const noReduction = (call: Call) => call.choice("reduction", ["none"])

const scatterElements: Lowering = (call) => {
  noReduction(call)
  const [data, updates] = [call.input(0), call.input(2)]
  const indices = call.constantInput(1, "indices")
  if (!sameShape(updates.shape, indices.shape))
    unsupported(`updates ${show(updates.shape)} do not fit indices ${show(indices.shape)}`)
  return [
    scattered(call, data, updates, elementMap(call, data, indices, call.axis("axis", data.shape.length, 0))),
  ]
}

const scatterNd: Lowering = (call) => {
  noReduction(call)
  const [data, updates] = [call.input(0), call.input(2)]
  const indices = call.constantInput(1, "indices")
  const starts = tupleStarts(call, data, indices, 0)
  const rest = data.shape.slice(indices.shape[indices.shape.length - 1])
  if (!sameShape(updates.shape, [...indices.shape.slice(0, -1), ...rest]))
    unsupported(`updates ${show(updates.shape)} do not fit indices ${show(indices.shape)}`)
  return [scattered(call, data, updates, slicesFrom(call, starts, rest))]
}

export const gathering: Operators = {
  Gather: operator(gather, constantInput(1, "indices")),
  GatherElements: operator(gatherElements, constantInput(1, "indices")),
  GatherND: operator(gatherNd, constantInput(1, "indices")),
  Scatter: operator(scatterElements, constantInput(1, "indices")),
  ScatterElements: operator(scatterElements, constantInput(1, "indices"), other("`reduction` is `none`")),
  ScatterND: operator(scatterNd, constantInput(1, "indices"), other("`reduction` is `none`")),
}
