/**
 * Einsum: operands whose axes have letters, multiplied and summed over the letters that the result lacks. Each operand
 * is brought to one axis a letter (diagonals, sums over letters of its own), and two at a time are a product of
 * matrices: letters of both and of what follows count the matrices, letters of one are its rows or columns, and
 * letters of both alone are summed.
 */
import { sizeOf } from "../program.js"
import type { Call, Lowering } from "./call.js"
import { reshaped, transposed } from "./layout.js"
import { type Operators, operator, wideOnly } from "./limits.js"
import { product } from "./linear.js"
import { windowSum } from "./reduce.js"
import {
  axisTable,
  broadcastShape,
  numbers,
  range,
  separableMap,
  show,
  stridesOf,
  unsupported,
} from "./shapes.js"
import type { Value } from "./values.js"

/** A value with a label for each axis: a letter, or the place of an axis under an ellipsis, counted from the last. */
export interface Labelled {
  readonly value: Value
  readonly labels: readonly string[]
}

/** The labels of a term of an equation for an operand of so many axes. */
function labelsOf(term: string, rank: number | undefined): string[] {
  const parts = /^([A-Za-z]*)(\.\.\.)?([A-Za-z]*)$/.exec(term) ?? unsupported(`\`${term}\` in its equation`)
  const [before, after] = [[...parts[1]], [...(parts[2] ? parts[3] : "")]]
  const hidden = rank === undefined ? 0 : rank - before.length - after.length
  if (rank !== undefined && (parts[2] ? hidden < 0 : hidden !== 0))
    unsupported(`\`${term}\` in its equation does not fit an operand of ${rank} axes`)
  return [...before, ...range(hidden).map((i) => `${hidden - i}`), ...after]
}

/** One axis for each label: the diagonal of axes with one label. An axis of length 1 has no label but its own place. */
function distinct(call: Call, { value, labels }: Labelled): Labelled {
  const strides = stridesOf(value.shape)
  const kept = [...new Set(labels)].filter((label) =>
    labels.some((other, i) => other === label && value.shape[i] > 1),
  )
  if (kept.length === labels.length) return { value, labels }
  const tables = kept.map((label) => {
    const axes = range(labels.length).filter((i) => labels[i] === label && value.shape[i] > 1)
    const [length] = axes.map((i) => value.shape[i])
    if (axes.some((i) => value.shape[i] !== length))
      unsupported(`\`${label}\` in its equation has several lengths`)
    const stride = axes.reduce((sum, i) => sum + strides[i], 0)
    return axisTable(call.builder, length, stride)
  })
  const shape = tables.map((table) => table.length)
  if (sizeOf(shape) === sizeOf(value.shape)) return { value: reshaped(value, shape), labels: kept }
  return { value: call.builder.move([value], separableMap(call.builder, tables), shape), labels: kept }
}

/** The same, summed over all labels but some, in whose order its axes are. */
function ordered(call: Call, { value, labels }: Labelled, wanted: readonly string[]): Labelled {
  const kept = wanted.filter((label) => labels.includes(label))
  const summed = labels.filter((label) => !wanted.includes(label))
  const axes = [...kept, ...summed].map((label) => labels.indexOf(label))
  const moved = axes.every((axis, i) => axis === i) ? value : transposed(call, value, axes)
  if (summed.length === 0) return { value: moved, labels: kept }
  const shape = moved.shape.slice(0, kept.length)
  const [count, window] = [sizeOf(shape), sizeOf(moved.shape.slice(kept.length))]
  const map = axisTable(call.builder, count * window, 1)
  const weight = numbers(call.builder, count).fill(1)
  return { value: windowSum(call, moved, { map, window, shape }, weight), labels: kept }
}

/** The product of two, summed over all labels of theirs but those wanted. */
export function contracted(call: Call, x: Labelled, y: Labelled, wanted: ReadonlySet<string>): Labelled {
  const { builder } = call
  const inX = new Set(x.labels)
  const inY = new Set(y.labels)
  const shared = x.labels.filter((label) => inY.has(label) && wanted.has(label))
  const inner = x.labels.filter((label) => inY.has(label) && !wanted.has(label))
  const rows = x.labels.filter((label) => !inY.has(label) && wanted.has(label))
  const columns = y.labels.filter((label) => !inX.has(label) && wanted.has(label))
  const left = ordered(call, x, [...shared, ...rows, ...inner]).value
  const right = ordered(call, y, [...shared, ...inner, ...columns]).value
  const lengths = (value: Value, from: number, count: number) => value.shape.slice(from, from + count)
  const batch = lengths(left, 0, shared.length)
  const m = lengths(left, shared.length, rows.length)
  const k = sizeOf(lengths(right, shared.length, inner.length))
  const n = lengths(right, shared.length + inner.length, columns.length)
  for (const label of [...shared, ...inner]) {
    const [a, b] = [x, y].map(({ value, labels }) => value.shape[labels.indexOf(label)])
    if (a !== b) unsupported(`\`${label}\` in its equation has the lengths ${a} and ${b}`)
  }
  const shape = [...batch, ...m, ...n]
  const labels = [...shared, ...rows, ...columns]
  const count = sizeOf(batch)
  const matrices = [reshaped(left, [count, sizeOf(m), k]), reshaped(right, [count, k, sizeOf(n)])] as const
  if (k > 1) return { value: reshaped(product(call, ...matrices), shape), labels }
  // nothing is summed: one product an element
  const full = [count, sizeOf(m), sizeOf(n)]
  const [a, b] = matrices.map((matrix) => builder.broadcast(matrix, full))
  return { value: reshaped(builder.product(a, b), shape), labels }
}

/** The result of an equation: what it says, or all labels that occur once, in order, behind those of the ellipsis. */
function resultOf(
  operands: readonly Labelled[],
  given: string | undefined,
  hidden: readonly string[],
): string[] {
  if (given === undefined) {
    const all = operands.flatMap(({ labels }) => labels)
    const letters = [...new Set(all)].filter((label) => /[A-Za-z]/.test(label))
    const once = letters.filter((label) => all.indexOf(label) === all.lastIndexOf(label))
    return [...hidden, ...once.sort()]
  }
  const [before, after] = [labelsOf(given, undefined), given.includes("...")]
  const at = given.indexOf("...")
  const result = after ? [...before.slice(0, at), ...hidden, ...before.slice(at)] : before
  if (new Set(result).size !== result.length) unsupported(`\`${given}\` in its equation names an axis twice`)
  return result
}

/** The value of an equation. */
export function einsum(call: Call, equation: string, values: readonly Value[]): Value {
  const [left, right, ...rest] = equation.replaceAll(" ", "").split("->")
  const terms = left.split(",")
  if (rest.length > 0 || terms.length !== values.length)
    unsupported(`equation \`${equation}\` is not one of ${values.length} operands`)
  const named = values.map((value, i) => ({ value, labels: labelsOf(terms[i], value.shape.length) }))
  const hidden = named
    .map(({ labels }) => labels.filter((label) => /\d/.test(label)))
    .reduce((longest, labels) => (labels.length > longest.length ? labels : longest), [])
  const result = resultOf(named, right, hidden)
  const lengths = new Map<string, number>()
  for (const { value, labels } of named)
    for (const [i, label] of labels.entries()) {
      const [length] = broadcastShape([lengths.get(label) ?? 1], [value.shape[i]])
      lengths.set(label, length)
    }
  const unknown = result.find((label) => !lengths.has(label))
  if (unknown !== undefined) unsupported(`\`${unknown}\` in the result of its equation is in no operand`)
  const shape = result.map((label) => lengths.get(label) ?? 1)
  if ([...lengths.values()].includes(0)) unsupported(`a product of no elements of ${show(shape)}`)
  const parts = named.map((part) => distinct(call, part))
  let product = parts[0]
  for (const [i, part] of parts.slice(1).entries()) {
    const later = parts.slice(i + 2).flatMap(({ labels }) => labels)
    product = contracted(call, product, part, new Set([...later, ...result]))
  }
  const { value, labels } = ordered(call, product, result)
  // axes of length 1 had no labels
  const narrow = result.map((label) => (labels.includes(label) ? (lengths.get(label) ?? 1) : 1))
  return call.fits(call.builder.broadcast(reshaped(value, narrow), shape))
}

const einsumOperator: Lowering = (call) => {
  const equation = call.attribute("equation")
  if (typeof equation !== "string") return unsupported("attribute `equation` is missing")
  return [einsum(call, equation, call.allInputs())]
}

export const einsums: Operators = { Einsum: operator(einsumOperator, wideOnly) }
