/** Shapes, axes and index maps. A map names, for every output element, a flat source element or −1 for fill. */
import { limits } from "../../model/limits.js"
import { sizeOf } from "../program.js"

/** Why a node cannot be lowered; `lower` collects these into one ModelError. */
export class Unsupported extends Error {}

export const unsupported = (reason: string): never => {
  throw new Unsupported(reason)
}

/**
 * Whom everything that grows with the numbers of a model is announced to, before it is made: the builder of
 * the program, which charges it to the budget of the model under the name of the node being lowered.
 */
export interface Ledger {
  /** Numbers about to be held. */
  hold(elements: number): void
  /** Steps about to be made. */
  work(steps: number): void
}

/** What numbers of 4 bytes are charged as. */
export const narrow = (count: number): number => Math.ceil(count / 2)

/** What a message shows of a list. */
const shown = 16

/** Shape for error messages. */
export const show = (shape: readonly number[]): string =>
  shape.length <= shown
    ? `[${shape.join(", ")}]`
    : `[${shape.slice(0, shown).join(", ")}, … ${shape.length} in all]`

/** Checks a shape computed from constants of the model; nothing is charged for it. */
export function checkShape(shape: readonly number[]): number[] {
  if (shape.length > limits.dimensions)
    unsupported(`a tensor of ${shape.length} dimensions (at most ${limits.dimensions})`)
  if (shape.some((dim) => !Number.isSafeInteger(dim) || dim < 0))
    unsupported(`${show(shape)} is no shape: dimensions are integers from 0`)
  if (!Number.isSafeInteger(sizeOf(shape))) unsupported(`a tensor of shape ${show(shape)} is too large`)
  return [...shape]
}

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((dim, i) => dim === b[i])

/** Integers from 0 to n − 1: axes, inputs, outputs. What counts elements is an `axisTable`. */
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
export function separableMap(ledger: Ledger, tables: readonly ArrayLike<number>[]): Int32Array {
  const size = tables.reduce((product, table) => product * table.length, 1)
  ledger.hold(narrow(size))
  if (size === 0) return new Int32Array(0)
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

/** An entry for each of `count` positions of an axis. */
export function indexTable(ledger: Ledger, count: number, entry: (position: number) => number): Int32Array {
  ledger.hold(narrow(count))
  const table = new Int32Array(count)
  for (let i = 0; i < count; i++) table[i] = entry(i)
  return table
}

/** Table entries start·stride, (start + step)·stride, …: the part of an axis that a slice reads. */
export const axisTable = (ledger: Ledger, count: number, stride: number, start = 0, step = 1): Int32Array =>
  indexTable(ledger, count, (i) => (start + i * step) * stride)

/** Numbers to be filled in. */
export function numbers(ledger: Ledger, count: number): Float64Array {
  ledger.hold(count)
  return new Float64Array(count)
}

/** Common shape of numpy broadcasting (ONNX "Broadcasting in ONNX"). */
export function broadcastShape(...shapes: readonly (readonly number[])[]): number[] {
  const rank = shapes.reduce((most, shape) => Math.max(most, shape.length), 0)
  const result = range(rank).map((axis) => {
    let wide = 1
    for (const shape of shapes) {
      const dim = shape[axis - rank + shape.length] ?? 1
      if (wide === 1) wide = dim
      else if (dim !== 1 && dim !== wide)
        unsupported(`shapes ${shapes.slice(0, shown).map(show).join(" and ")} do not broadcast`)
    }
    return wide
  })
  return checkShape(result)
}

/** Index map that broadcasts `from` to `to`; the shapes are known to fit. */
export function broadcastMap(ledger: Ledger, from: readonly number[], to: readonly number[]): Int32Array {
  const strides = stridesOf(from)
  const shift = to.length - from.length
  return separableMap(
    ledger,
    to.map((dim, i) => axisTable(ledger, dim, i < shift || from[i - shift] === 1 ? 0 : strides[i - shift])),
  )
}
