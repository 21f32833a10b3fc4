/** Shapes, axes and index maps. A map names, for every output element, a flat source element or −1 for fill. */
import { sizeOf } from "../program.js"

/** Why a node cannot be lowered; `lower` collects these into one ModelError. */
export class Unsupported extends Error {}

export const unsupported = (reason: string): never => {
  throw new Unsupported(reason)
}

/** More elements than this in one tensor or map are refused, before memory runs out. */
const maxElements = 2 ** 28

/** Shape for error messages. */
export const show = (shape: readonly number[]): string => `[${shape.join(", ")}]`

/** Checks a shape computed from constants of the model. */
export function checkShape(shape: readonly number[]): number[] {
  if (shape.some((dim) => !Number.isSafeInteger(dim) || dim < 0))
    unsupported(`${show(shape)} is no shape: dimensions are integers from 0`)
  if (sizeOf(shape) > maxElements)
    unsupported(`a tensor of shape ${show(shape)} is too large (at most ${maxElements} elements)`)
  return [...shape]
}

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((dim, i) => dim === b[i])

/** Integers from 0 to n − 1. */
export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

/** Row-major strides. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1)
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1] * shape[axis + 1]
  return strides
}

/** An axis in [0, rank) from one that may count from the end. */
export function axisOf(axis: number, rank: number): number {
  const result = axis < 0 ? axis + rank : axis
  if (!Number.isInteger(result) || result < 0 || result >= rank)
    unsupported(`axis ${axis} is out of range for rank ${rank}`)
  return result
}

/** Distinct axes, each in [0, rank). */
export function axesOf(axes: readonly number[], rank: number): number[] {
  const result = axes.map((axis) => axisOf(axis, rank))
  if (new Set(result).size !== result.length) unsupported(`axes ${show(axes)} name an axis twice`)
  return result
}

/** Calls visit(position, flat) for every element in row-major order; `position` is reused. */
export function forEachPosition(
  shape: readonly number[],
  visit: (position: readonly number[], flat: number) => void,
): void {
  const total = sizeOf(shape)
  const position = new Array<number>(shape.length).fill(0)
  for (let flat = 0; flat < total; flat++) {
    visit(position, flat)
    for (let axis = shape.length - 1; axis >= 0 && ++position[axis] === shape[axis]; axis--)
      position[axis] = 0
  }
}

/**
 * The map whose source is a sum of one table entry per axis: map[p] = Σ tables[axis][p_axis], or −1 if any
 * entry is negative. Transposing, slicing, broadcasting, tiling and padding are all of this form.
 */
export function separableMap(tables: readonly ArrayLike<number>[]): Int32Array {
  checkShape(tables.map((table) => table.length))
  let map = Int32Array.of(0)
  for (const table of tables) {
    const next = new Int32Array(map.length * table.length)
    let at = 0
    for (const base of map)
      for (let i = 0; i < table.length; i++) next[at++] = base < 0 || table[i] < 0 ? -1 : base + table[i]
    map = next
  }
  return map
}

/** Table entries start·stride, (start + step)·stride, …: the part of an axis that a slice reads. */
export const axisTable = (count: number, stride: number, start = 0, step = 1): Int32Array =>
  Int32Array.from({ length: count }, (_, i) => (start + i * step) * stride)

/** Common shape of numpy broadcasting (ONNX "Broadcasting in ONNX"). */
export function broadcastShape(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length))
  const result = range(rank).map((axis) => {
    const dims = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1)
    const wide = dims.find((dim) => dim !== 1) ?? 1
    if (!dims.every((dim) => dim === 1 || dim === wide))
      unsupported(`shapes ${shapes.map(show).join(" and ")} do not broadcast`)
    return wide
  })
  return checkShape(result)
}

/** Index map that broadcasts `from` to `to`; the shapes are known to fit. */
export function broadcastMap(from: readonly number[], to: readonly number[]): Int32Array {
  const strides = stridesOf(from)
  const shift = to.length - from.length
  return separableMap(
    to.map((dim, i) => axisTable(dim, i < shift || from[i - shift] === 1 ? 0 : strides[i - shift])),
  )
}
