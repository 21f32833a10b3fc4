/** LinearClassifier and LinearRegressor. */
import type { Call, Lowering } from "../call.js"
import { activationInput, type Operators, operator } from "../limits.js"
import { numbers, unsupported } from "../shapes.js"
import type { Activation } from "../values.js"
import {
  bothClasses,
  classesOf,
  classified,
  largestOf,
  rowsOf,
  secondIfAbove,
  transformed,
  transforms,
} from "./classes.js"

/** Σ coefficient·feature + intercept for each of some columns: [rows, columns]; columns lie one after the other. */
export function weighted(
  { builder }: Call,
  x: Activation,
  coefficients: readonly number[],
  columns: number,
  intercepts: readonly number[],
): Activation {
  const [rows, features] = rowsOf(x)
  if (coefficients.length !== columns * features)
    unsupported(`${coefficients.length} coefficients of ${columns} times ${features}`)
  if (intercepts.length > 0 && intercepts.length !== columns)
    unsupported(`${intercepts.length} intercepts of ${columns} columns`)
  builder.hold(coefficients.length)
  const weight = Float64Array.from(coefficients)
  const map = { kind: "dense", weight, n: rows, k: features, m: columns } as const
  const bias = numbers(builder, rows * columns).map((_, i) => intercepts[i % columns] ?? 0)
  return builder.linear([{ source: x.tensor, map }], [rows, columns], "float32", bias)
}

const classifier: Lowering = (call) => {
  call.ignore("multi_class")
  const x = call.activation(0, "X")
  const classes = classesOf(call, "classlabels_ints", "classlabels_strings")
  const intercepts = call.list("intercepts") ?? []
  const transform = call.choice("post_transform", transforms)
  const columns = intercepts.length
  if (columns !== classes.labels.length && !(columns === 1 && classes.labels.length === 2))
    unsupported(`${columns} intercepts of ${classes.labels.length} classes`)
  const scores = weighted(call, x, call.list("coefficients") ?? [], columns, intercepts)
  if (columns === 1) {
    const both = bothClasses(call, scores, transform, "complement")
    return classified(call, secondIfAbove(call, scores, 0), both, classes)
  }
  return classified(call, largestOf(call, scores), transformed(call, scores, transform), classes)
}

/** Of one target no transform but PROBIT is made. */
const regressor: Lowering = (call) => {
  const x = call.activation(0, "X")
  const targets = call.integer("targets", 1)
  if (targets < 1) call.refuse("targets", targets)
  const transform = call.choice("post_transform", transforms)
  const scores = weighted(call, x, call.list("coefficients") ?? [], targets, call.list("intercepts") ?? [])
  return [targets === 1 && transform !== "PROBIT" ? scores : transformed(call, scores, transform)]
}

export const linearOperators: Operators = {
  LinearClassifier: operator(classifier, activationInput(0, "X")),
  LinearRegressor: operator(regressor, activationInput(0, "X")),
}
