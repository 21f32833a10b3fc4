/** What classifiers and regressors of ai.onnx.ml have in common: post transforms of scores, and labels of classes. */
import { sizeOf } from "../../program.js"
import type { Call } from "../call.js"
import { indexTable, numbers, unsupported } from "../shapes.js"
import { type Activation, isConstant, type Value } from "../values.js"

export const transforms = ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"] as const
export type Transform = (typeof transforms)[number]

/** Scores [rows, columns] after a post transform, as onnxruntime computes it. */
export function transformed(call: Call, scores: Value, transform: Transform): Value {
  const { builder } = call
  switch (transform) {
    case "NONE":
      return scores
    case "LOGISTIC":
      return builder.apply(scores, "sigmoid")
    default:
      return unsupported(`post transform \`${transform}\``)
  }
}

/** The labels of a classifier: numbers, or, of strings, their places. */
export function labelsOf(call: Call, integers: string, strings: string): readonly number[] {
  const names = call.attribute(strings)
  const numbers = call.integerList(integers) ?? []
  if (Array.isArray(names) && names.length > 0) return names.map((_, i) => i)
  return numbers.length > 0
    ? numbers
    : unsupported(`attributes \`${integers}\` and \`${strings}\` are missing`)
}

/** The largest of each row's scores, the first of several: [rows], as the label of its place. */
export function largestLabel(call: Call, scores: Value, labels: readonly number[]): Value {
  const { builder } = call
  const [rows, window] = scores.shape
  if (isConstant(scores)) return unsupported("scores of constants")
  const map = indexTable(builder, rows * window, (i) => i)
  const place = builder.emit(
    { kind: "argmax", source: scores.tensor, window, map, last: false },
    [rows],
    "int64",
    true,
  )
  return labelled(call, place, labels)
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
  return builder.linear([{ source: bits.tensor, map: sums }], places.shape, "int64", bias, true)
}
