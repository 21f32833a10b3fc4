/** SVMClassifier and SVMRegressor, as onnxruntime computes them after libsvm. */
import { sizeOf } from "../../program.js"
import type { Call, Lowering } from "../call.js"
import { activationInput, type Operators, operator, other } from "../limits.js"
import { windowSum, windowsOf } from "../reduce.js"
import { indexTable, numbers, range, unsupported } from "../shapes.js"
import { type Activation, isConstant, type Value } from "../values.js"
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
import { weighted } from "./linear-operators.js"

const kernels = ["LINEAR", "POLY", "RBF", "SIGMOID"] as const
type Kernel = (typeof kernels)[number]

/** Largest exponent of a polynomial kernel that is products. */
const mostProducts = 4

/** The kernel of every row with each of `count` vectors: [rows, count]. */
function kernelsOf(
  call: Call,
  x: Activation,
  vectors: readonly number[],
  count: number,
  kernel: Kernel,
): Value {
  const { builder } = call
  const [rows, features] = rowsOf(x)
  const [gamma = 0, offset = 0, degree = 0] = call.list("kernel_params") ?? []
  if (![gamma, offset, degree].every(Number.isFinite)) unsupported("kernel parameters that are not finite")
  const scaled = (factor: number, add: number) =>
    weighted(
      call,
      x,
      vectors.map((each) => each * factor),
      count,
      add === 0 ? [] : range(count).map(() => add),
    )
  switch (kernel) {
    case "LINEAR":
      return scaled(1, 0)
    case "POLY": {
      const base = scaled(gamma, offset)
      if (!(Number.isInteger(degree) && degree >= 1 && degree <= mostProducts))
        return builder.apply(base, "pow", degree)
      let power: Value = base
      for (let i = 1; i < degree; i++) power = builder.product(power, base)
      return power
    }
    case "SIGMOID":
      return builder.apply(scaled(gamma, offset), "tanh")
    case "RBF": {
      // −γ·|x − v|² = 2γ·x·v − γ·|x|² − γ·|v|²
      const flat = { ...x, shape: [rows, features] }
      const windows = windowsOf(builder, flat.shape, [1], true)
      const ones = numbers(builder, rows).fill(1)
      const squares = windowSum(call, builder.product(flat, flat), windows, ones)
      const lengths = range(count).map((at) => {
        const vector = vectors.slice(at * features, (at + 1) * features)
        return -gamma * vector.reduce((sum, each) => sum + each * each, 0)
      })
      const dots = weighted(
        call,
        x,
        vectors.map((each) => 2 * gamma * each),
        count,
        lengths,
      )
      const exponent = builder.combine([
        { value: dots, factor: 1 },
        { value: builder.broadcast(squares, [rows, count]), factor: -gamma },
      ])
      return builder.apply(exponent, "exp")
    }
  }
}

const regressor: Lowering = (call) => {
  const { builder } = call
  const x = call.activation(0, "X")
  const coefficients = call.list("coefficients") ?? []
  const [rho = 0] = call.list("rho") ?? []
  const count = call.integer("n_supports", 0)
  const kernel = call.choice("kernel_type", kernels)
  const transform = call.choice("post_transform", transforms)
  call.ignore("kernel_params", "support_vectors")
  // onnxruntime makes none, of one target
  if (transform !== "NONE" && transform !== "LOGISTIC" && transform !== "SOFTMAX")
    call.refuse("post_transform", transform)
  const [rows] = rowsOf(x)
  const sum =
    count > 0
      ? summed(call, kernelsOf(call, x, call.list("support_vectors") ?? [], count, kernel), coefficients, rho)
      : weighted(call, x, coefficients, 1, [rho])
  if (!call.flag("one_class")) return [sum]
  const bit = builder.compare(sum, numbers(builder, rows), false, false)
  return [builder.combine([{ value: { ...bit, dtype: "float32" }, factor: 2 }], -1)]
}

/** Σ coefficient·kernel + ρ of each row: [rows, 1]. */
function summed(call: Call, values: Value, coefficients: readonly number[], rho: number): Activation {
  if (isConstant(values)) return unsupported("kernels of constants")
  return weighted(call, values, coefficients, 1, [rho])
}

/** The decision of each pair of classes, [rows, pairs]: above zero for the first of both. */
function decisions(
  call: Call,
  values: Activation,
  perClass: readonly number[],
  coefficients: readonly number[],
  rho: readonly number[],
): Activation {
  const { builder } = call
  const classes = perClass.length
  const [, vectors] = values.shape
  const pairs = (classes * (classes - 1)) / 2
  if (coefficients.length < (classes - 1) * vectors) unsupported("too few `coefficients`")
  if (rho.length < pairs) unsupported(`${rho.length} numbers in \`rho\`, not one for each of ${pairs} pairs`)
  builder.work(pairs * vectors)
  const weights = numbers(builder, pairs * vectors)
  const starts = perClass.map((_, i) => perClass.slice(0, i).reduce((sum, n) => sum + n, 0))
  let pair = 0
  for (let i = 0; i < classes; i++)
    for (let j = i + 1; j < classes; j++, pair++) {
      // the row of a class among the others' leaves out itself
      for (let at = starts[i]; at < starts[i] + perClass[i]; at++)
        weights[pair * vectors + at] = coefficients[(j - 1) * vectors + at]
      for (let at = starts[j]; at < starts[j] + perClass[j]; at++)
        weights[pair * vectors + at] = coefficients[i * vectors + at]
    }
  return weighted(call, values, Array.from(weights), pairs, rho.slice(0, pairs))
}

/** The class with most votes of the pairs, the first of several: [rows]. */
function elected(call: Call, sums: Activation, classes: number): Activation {
  const { builder } = call
  const [rows, pairs] = sums.shape
  const bits = builder.compare(sums, numbers(builder, rows * pairs), false, false)
  if (isConstant(bits)) return unsupported("decisions of constants")
  const weight = numbers(builder, classes * pairs)
  const bias = numbers(builder, classes)
  let pair = 0
  for (let i = 0; i < classes; i++)
    for (let j = i + 1; j < classes; j++, pair++) {
      weight[i * pairs + pair] = 1
      weight[j * pairs + pair] = -1
      bias[j]++
    }
  const map = { kind: "dense", weight, n: rows, k: pairs, m: classes } as const
  const all = numbers(builder, rows * classes).map((_, i) => bias[i % classes])
  const votes = builder.linear([{ source: bits.tensor, map }], [rows, classes], "float32", all, true)
  return largestOf(call, votes)
}

const classifier: Lowering = (call) => {
  const { builder } = call
  const x = call.activation(0, "X")
  const classes = classesOf(call, "classlabels_ints", "classlabels_strings")
  const count = classes.labels.length
  if (count < 2) unsupported("a classifier of one class")
  const perClass = call.integerList("vectors_per_class") ?? []
  const vectors = perClass.reduce((sum, n) => sum + n, 0)
  const [coefficients, rho] = [call.list("coefficients") ?? [], call.list("rho") ?? []]
  const [probA, probB] = [call.list("prob_a") ?? [], call.list("prob_b") ?? []]
  const transform = call.choice("post_transform", transforms)
  const kernel = call.choice("kernel_type", kernels)
  call.ignore("kernel_params", "support_vectors")
  if (perClass.some((n) => n < 0)) unsupported("a class of fewer than no vectors")
  const isPositive = coefficients.every((each) => each >= 0)
  if (vectors === 0) {
    const scores = weighted(
      call,
      x,
      coefficients,
      count,
      range(count).map(() => rho[0] ?? 0),
    )
    const place = linearPlace(call, scores, isPositive && probA.length === 0, probA.length > 0)
    return classified(call, place, transformed(call, scores, transform), classes)
  }
  if (perClass.length !== count) unsupported("`vectors_per_class` does not fit the classes")
  const values = kernelsOf(call, x, call.list("support_vectors") ?? [], vectors, kernel)
  if (isConstant(values)) return unsupported("kernels of constants")
  const sums = decisions(call, values, perClass, coefficients, rho)
  const place = elected(call, sums, count)
  if (count > 2) {
    if (probA.length > 0)
      unsupported("probabilities of more than two classes, which couple those of their pairs by iteration")
    return classified(call, place, transformed(call, sums, transform), classes, false)
  }
  if (probA.length === 0) {
    const both = bothClasses(call, sums, transform, transform === "NONE" ? "opposite" : "complement")
    return classified(call, place, both, classes)
  }
  // the probability of the first class is 1 / (1 + exp(a·s + b))
  const first = builder.apply(
    builder.combine([{ value: sums, factor: -probA[0] }], -(probB[0] ?? 0)),
    "sigmoid",
  )
  const [rows] = sums.shape
  const map = indexTable(builder, 2 * rows, (i) => (i % 2) * rows + (i >> 1))
  const second = builder.combine([{ value: first, factor: -1 }], 1)
  const both = builder.move([first, second], map, [rows, 2])
  return classified(call, place, transformed(call, both, transform), classes)
}

/**
 * The class of the largest score; of two classes the second, too, where that score is above zero, or at least ½ if no
 * coefficient is negative.
 */
function linearPlace(call: Call, scores: Activation, isPositive: boolean, hasChances: boolean): Activation {
  const { builder } = call
  const place = largestOf(call, scores)
  const [rows, columns] = scores.shape
  if (columns !== 2 || hasChances) return place
  const column = (at: number) =>
    builder.move(
      [scores],
      indexTable(builder, rows, (row) => 2 * row + at),
      [rows, 1],
    )
  const than = isPositive ? 0.5 : 0
  const isAbove = range(2).map((at) => secondOf(call, column(at), than, isPositive))
  const sum = builder.combine([
    { value: place, factor: 1 },
    ...isAbove.map((value) => ({ value, factor: 1 })),
  ])
  return isConstant(sum)
    ? unsupported("scores of constants")
    : secondIfAbove(call, { ...sum, shape: [rows, 1] }, 0)
}

/** Whether a score is above a number, or at least that: [rows]. */
function secondOf(call: Call, score: Value, than: number, orEqual: boolean): Value {
  if (!orEqual) return secondIfAbove(call, score, than)
  const { builder } = call
  const bit = builder.compare(score, numbers(builder, sizeOf(score.shape)).fill(than), true, false)
  return builder.combine([{ value: { ...bit, shape: [score.shape[0]], dtype: "int64" }, factor: -1 }], 1)
}

export const svmOperators: Operators = {
  SVMClassifier: operator(classifier, activationInput(0, "X"), other("`prob_a` is of two classes at most")),
  SVMRegressor: operator(regressor, activationInput(0, "X")),
}
