/** What classifiers and regressors of ai.onnx.ml have in common: post transforms of scores, and labels of classes. */
import { sizeOf } from "../../program.js"
import type { Builder } from "../builder.js"
import type { Call } from "../call.js"
import { windowMax, windowSum, windowsOf } from "../reduce.js"
import { indexTable, numbers, range, unsupported } from "../shapes.js"
import { type Activation, isConstant, type Value } from "../values.js"

export const transforms = ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"] as const
export type Transform = (typeof transforms)[number]

/** Rows and columns of a matrix, or of a list, which is one row. */
export function rowsOf({ shape }: Value): readonly [rows: number, columns: number] {
  if (shape.length < 1 || shape.length > 2)
    unsupported(`features of ${shape.length} dimensions, not of one or two`)
  return shape.length === 1 ? [1, shape[0]] : [shape[0], shape[1]]
}

/** Scores [rows, columns], of two columns at least or of one regression, after a post transform. */
export function transformed(call: Call, scores: Value, transform: Transform): Value {
  const { builder } = call
  switch (transform) {
    case "NONE":
      return scores
    case "LOGISTIC":
      return logistic(builder, scores)
    case "SOFTMAX":
      return softmax(builder, scores)
    case "SOFTMAX_ZERO":
      return softmaxOfOthers(call, scores)
    case "PROBIT":
      return builder.apply(scores, "probit")
  }
}

/** The softmax of each row. */
function softmax(builder: Builder, scores: Value): Value {
  if (isConstant(scores)) return unsupported("scores of constants")
  return builder.emit(
    { kind: "softmax", source: scores.tensor, window: scores.shape[1] },
    scores.shape,
    "float32",
  )
}

/** 1 / (1 + exp(−s)), elementwise: the share of s beside 0 in a softmax. */
function logistic(builder: Builder, scores: Value): Value {
  const size = sizeOf(scores.shape)
  const beside = indexTable(builder, 2 * size, (i) => (i % 2 === 0 ? i / 2 : -1))
  const shares = softmax(builder, builder.move([scores], beside, [size, 2]))
  return builder.move(
    [shares],
    indexTable(builder, size, (i) => 2 * i),
    scores.shape,
  )
}

/** Below which a score is zero to SOFTMAX_ZERO. */
const nothing = 1e-7

/** A softmax of the scores that are not zero; those stay zero. */
function softmaxOfOthers(call: Call, scores: Value): Value {
  const { builder } = call
  const size = sizeOf(scores.shape)
  const windows = windowsOf(builder, scores.shape, [1], true)
  const largest = builder.broadcast(windowMax(call, scores, windows, 1), scores.shape)
  const powers = builder.apply(
    builder.combine([
      { value: scores, factor: 1 },
      { value: largest, factor: -1 },
    ]),
    "exp",
  )
  const counted = builder.combine([
    { value: builder.compare(scores, numbers(builder, size).fill(nothing), false, false), factor: 1 },
    { value: builder.compare(scores, numbers(builder, size).fill(-nothing), true, false), factor: 1 },
  ])
  const kept = { ...builder.product(powers, counted), dtype: scores.dtype }
  const sums = windowSum(call, kept, windows, numbers(builder, sizeOf(windows.shape)).fill(1))
  return builder.divide(kept, builder.broadcast(sums, scores.shape))
}

/** What is beside the score s of the second class where no logistic is made of both: 1 − s, or −s. */
export type Second = "complement" | "opposite"

/** The scores of two classes [rows, 2] from that of the second [rows, 1]. */
export function bothClasses(call: Call, score: Value, transform: Transform, second: Second): Value {
  const { builder } = call
  if (transform === "PROBIT") return unsupported("post transform `PROBIT` of one score")
  const pair = (first: Value, other: Value): Value => sideBySide(builder, [first, other])
  if (transform !== "LOGISTIC")
    return pair(builder.combine([{ value: score, factor: -1 }], second === "complement" ? 1 : 0), score)
  return softmax(builder, pair(builder.combine([{ value: score, factor: 0 }]), score))
}

/** Columns [rows, 1] as a matrix. */
function sideBySide(builder: Builder, columns: readonly Value[]): Value {
  const [rows, count] = [columns[0].shape[0], columns.length]
  const map = indexTable(builder, rows * count, (i) => (i % count) * rows + Math.floor(i / count))
  return builder.move(columns, map, [rows, count])
}

/** What a classifier calls its classes. */
export interface Classes {
  /** What an integer output says of each class: its number, or the place of its name. */
  readonly labels: readonly number[]
  /** The names, if it has such. */
  readonly names?: readonly string[]
}

/** The labels of a classifier: numbers, or names, which numbers stand for. */
export function classesOf(call: Call, integers: string, strings: string): Classes {
  const names = call.attribute(strings)
  const numbers = call.integerList(integers) ?? []
  if (Array.isArray(names) && names.length > 0)
    return { labels: range(names.length), names: names.map(String) }
  return numbers.length > 0
    ? { labels: numbers }
    : unsupported(`attributes \`${integers}\` and \`${strings}\` are missing`)
}

/** The outputs of a classifier: labels [rows] from the place of each, and scores, whose columns are the classes if so said. */
export function classified(
  call: Call,
  places: Activation,
  scores: Value,
  { labels, names }: Classes,
  perClass = true,
): readonly Value[] {
  const columns = names ?? labels.map(String)
  const label = labelled(call, places, labels)
  return [
    names && !isConstant(label) ? { ...label, dtype: "string", labels: { of: "values", names } } : label,
    perClass && !isConstant(scores) ? { ...scores, labels: { of: "columns", names: columns } } : scores,
  ]
}

/** The place of the largest of each row's scores, the first of several: [rows]. */
export function largestOf({ builder }: Call, scores: Value): Activation {
  const [rows, window] = scores.shape
  if (isConstant(scores)) return unsupported("scores of constants")
  const map = indexTable(builder, rows * window, (i) => i)
  return builder.emit(
    { kind: "argmax", source: scores.tensor, window, map, last: false },
    [rows],
    "int64",
    true,
  )
}

/** The place of the second of two classes, [rows], where a score [rows, 1] is above a number; else that of the first. */
export function secondIfAbove({ builder }: Call, score: Value, than: number): Activation {
  const [rows] = score.shape
  const bit = builder.compare(score, numbers(builder, rows).fill(than), false, false)
  if (isConstant(bit)) return unsupported("scores of constants")
  return { ...bit, shape: [rows], dtype: "int64" }
}

/** The label at each place. */
export function labelled(call: Call, places: Activation, labels: readonly number[]): Value {
  const { builder } = call
  if (labels.every((label, i) => label === i)) return places
  // each label is the one before it and a difference, which counts from its place on
  const size = sizeOf(places.shape)
  const count = labels.length - 1
  const map = indexTable(builder, size * count, (i) => Math.floor(i / count))
  const than = numbers(builder, size * count).map((_, i) => i % count)
  const bits = builder.compare(builder.move([places], map, [size, count]), than, false, false)
  if (isConstant(bits)) return unsupported("places of constants")
  const rowPtr = Uint32Array.from({ length: size + 1 }, (_, i) => i * count)
  const columns = Uint32Array.from({ length: size * count }, (_, i) => i)
  const values = numbers(builder, size * count).map((_, i) => labels[(i % count) + 1] - labels[i % count])
  const sums = { kind: "sparse", rowPtr, columns, values } as const
  const bias = numbers(builder, size).fill(labels[0])
  const terms = [{ source: bits.tensor, map: sums }]
  return builder.emit({ kind: "linear", terms, bias, unit: 1 }, places.shape, "int64", true)
}
