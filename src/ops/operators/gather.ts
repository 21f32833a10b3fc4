/**
 * Gather and Scatter. Indices that are known while compiling are index maps like any other movement; indices that
 * depend on the model's input pick with bits (positions.ts), and one out of range picks 0, where ONNX has an error.
 */

import { sizeOf } from "../program.js"
import type { Call, Lowering } from "./call.js"
import { constantInput, type Operators, operator, other } from "./limits.js"
import { picked, positionBits } from "./positions.js"
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
import { type Constant, isConstant, type Value } from "./values.js"

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

const whole = other("indices that depend on the model's input are integers")

export const gathering: Operators = {
  Gather: operator(gather, whole),
  GatherElements: operator(gatherElements, whole),
  GatherND: operator(gatherNd, constantInput(1, "indices")),
  Scatter: operator(scatterElements, constantInput(1, "indices")),
  ScatterElements: operator(scatterElements, constantInput(1, "indices"), other("`reduction` is `none`")),
  ScatterND: operator(scatterNd, constantInput(1, "indices"), other("`reduction` is `none`")),
}
