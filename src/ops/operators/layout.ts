/** Operators that keep every element: new shapes for the same order, and permutations. */

import { sizeOf } from "../program.js"
import { type Call, type Lowering, unary } from "./call.js"
import { constantInput, type Operators, operator, other } from "./limits.js"
import {
  axesOf,
  axisTable,
  checkShape,
  numbers,
  range,
  separableMap,
  show,
  stridesOf,
  unsupported,
} from "./shapes.js"
import { constant, type Value } from "./values.js"

/** The same elements under another shape. */
export const reshaped = (value: Value, shape: readonly number[]): Value =>
  sizeOf(checkShape(shape)) === sizeOf(value.shape)
    ? { ...value, shape }
    : unsupported(`shape ${show(value.shape)} cannot become ${show(shape)}`)

/** Axis i of the result is axis permutation[i] of the operand. */
export function transposed(
  { builder }: Pick<Call, "builder">,
  x: Value,
  permutation: readonly number[],
): Value {
  const strides = stridesOf(x.shape)
  const shape = permutation.map((axis) => x.shape[axis])
  return builder.move(
    [x],
    separableMap(
      builder,
      permutation.map((axis, i) => axisTable(builder, shape[i], strides[axis])),
    ),
    shape,
  )
}

const reshape: Lowering = (call) => {
  const x = call.input(0)
  const keepZero = call.flag("allowzero")
  call.ignore("consumed_inputs")
  const target = call.integers(1, "shape", 5) ?? unsupported("no shape is given")
  const shape = target.map((dim, i) =>
    dim === 0 && !keepZero
      ? (x.shape[i] ?? unsupported(`shape ${show(target)}: no dimension ${i} to copy`))
      : dim,
  )
  const open = shape.indexOf(-1)
  if (open >= 0) {
    const rest = shape.reduce((product, dim, i) => (i === open ? product : product * dim), 1)
    shape[open] = rest === 0 ? 0 : sizeOf(x.shape) / rest
    if (!Number.isInteger(shape[open])) unsupported(`shape ${show(x.shape)} cannot become ${show(target)}`)
  }
  return [reshaped(x, shape)]
}

const flatten: Lowering = (call) => {
  const x = call.input(0)
  const axis = call.integer("axis", 1)
  const at = axis < 0 ? axis + x.shape.length : axis
  if (at < 0 || at > x.shape.length) unsupported(`axis ${axis} is out of range for rank ${x.shape.length}`)
  return [reshaped(x, [sizeOf(x.shape.slice(0, at)), sizeOf(x.shape.slice(at))])]
}

const squeeze: Lowering = (call) => {
  const x = call.input(0)
  const given = call.integers(1, "axes", 13)
  const axes = given ? axesOf(given, x.shape.length) : range(x.shape.length).filter((i) => x.shape[i] === 1)
  for (const axis of axes) if (x.shape[axis] !== 1) unsupported(`axis ${axis} of ${show(x.shape)} is not 1`)
  return [
    reshaped(
      x,
      x.shape.filter((_, axis) => !axes.includes(axis)),
    ),
  ]
}

const unsqueeze: Lowering = (call) => {
  const x = call.input(0)
  const given = call.integers(1, "axes", 13) ?? unsupported("no axes are given")
  const rank = x.shape.length + given.length
  const axes = axesOf(given, rank)
  let next = 0
  return [
    reshaped(
      x,
      range(rank).map((axis) => (axes.includes(axis) ? 1 : x.shape[next++])),
    ),
  ]
}

const transpose: Lowering = (call) => {
  const x = call.input(0)
  const permutation = call.integerList("perm") ?? range(x.shape.length).reverse()
  const sorted = [...permutation].sort((a, b) => a - b)
  if (permutation.length !== x.shape.length || sorted.some((axis, i) => axis !== i))
    unsupported(`attribute \`perm\` = \`${show(permutation)}\` is no permutation of ${x.shape.length} axes`)
  return [transposed(call, x, permutation)]
}

/** Blocks of a DepthToSpace or SpaceToDepth operand: batch, channels, height, width and block size. */
function blocks(call: Call): { x: Value; dims: readonly number[]; block: number } {
  const x = call.input(0)
  const block = call.integer("blocksize")
  if (x.shape.length !== 4 || block < 1) unsupported(`blocksize ${block} does not fit ${show(x.shape)}`)
  return { x, dims: x.shape, block }
}

const depthToSpace: Lowering = (call) => {
  const { x, dims, block } = blocks(call)
  const columnFirst = call.choice("mode", ["DCR", "CRD"]) === "CRD"
  const [n, c, h, w] = dims
  const depth = c / block ** 2
  const split = columnFirst ? [n, depth, block, block, h, w] : [n, block, block, depth, h, w]
  const moved = transposed(call, reshaped(x, split), columnFirst ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2])
  return [reshaped(moved, [n, depth, h * block, w * block])]
}

const spaceToDepth: Lowering = (call) => {
  const { x, dims, block } = blocks(call)
  const [n, c, h, w] = dims
  const split = reshaped(x, [n, c, h / block, block, w / block, block])
  return [reshaped(transposed(call, split, [0, 3, 5, 1, 2, 4]), [n, c * block ** 2, h / block, w / block])]
}

const dropout: Lowering = (call) => {
  call.ignore("ratio", "seed", "is_test", "consumed_inputs")
  call.has(1)
  if (call.scalarInput(2, "training_mode", 0) !== 0) unsupported("`training_mode` is on")
  const x = call.input(0)
  const mask = numbers(call.builder, sizeOf(x.shape)).fill(1)
  return [x, constant(x.shape, mask, call.opset < 10 ? x.dtype : "bool")]
}

export const layout: Operators = {
  Identity: operator(unary((x) => x)),
  Dropout: operator(dropout, other("`training_mode` is off")),
  Reshape: operator(reshape, constantInput(1, "shape")),
  Flatten: operator(flatten),
  Squeeze: operator(squeeze, constantInput(1, "axes")),
  Unsqueeze: operator(unsqueeze, constantInput(1, "axes")),
  Transpose: operator(transpose),
  DepthToSpace: operator(depthToSpace),
  SpaceToDepth: operator(spaceToDepth),
}
