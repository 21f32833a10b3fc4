/** Losses as an inference computes them: the negative logarithm of the probability of each target. */
import { sizeOf } from "../program.js"
import type { Call, Lowering } from "./call.js"
import { constantInput, type Operators, operator, other } from "./limits.js"
import { logSoftmaxAlong } from "./normalize.js"
import { windowSum } from "./reduce.js"
import { axisTable, indexTable, numbers, sameShape, show, unsupported } from "./shapes.js"
import { constant, isConstant, type Value } from "./values.js"

/** [target = class], in the order of the scores; targets that are no class have none. */
function targetBits(
  { builder }: Call,
  targets: Value,
  [batch, classes, ...spatial]: readonly number[],
): Value {
  const inner = sizeOf(spatial)
  const size = batch * classes * inner
  const target = (flat: number, count: number) => Math.floor(flat / (count * inner)) * inner + (flat % inner)
  const place = (flat: number, count: number) => Math.floor(flat / inner) % count
  if (isConstant(targets)) {
    const bits = numbers(builder, size)
    for (let i = 0; i < size; i++)
      bits[i] = targets.constant[target(i, classes)] === place(i, classes) ? 1 : 0
    return constant([size], bits)
  }
  // [t ≥ d] for every class d and one more: a target is the class that it reaches without the next
  const wide = batch * (classes + 1) * inner
  const given = builder.move(
    [targets],
    indexTable(builder, wide, (i) => target(i, classes + 1)),
    [wide],
  )
  const least = numbers(builder, wide)
  for (let i = 0; i < wide; i++) least[i] = 1 - place(i, classes + 1)
  const terms = [
    { value: given, factor: 1 },
    { value: constant([wide], least, given.dtype), factor: 1 },
  ]
  const reached = builder.step(builder.combine(terms))
  const from = (next: number) =>
    builder.move(
      [reached],
      indexTable(builder, size, (i) => {
        const row = Math.floor(i / (classes * inner))
        return (row * (classes + 1) + place(i, classes) + next) * inner + (i % inner)
      }),
      [size],
    )
  const bits = builder.combine([
    { value: from(0), factor: 1 },
    { value: from(1), factor: -1 },
  ])
  return { ...bits, dtype: "float32" }
}

/** The loss of log-probabilities [N, C, ...] at targets [N, ...]. */
function negativeLikelihood(call: Call, scores: Value): Value {
  const { builder } = call
  const targets = call.input(1)
  const [batch, classes, ...spatial] = scores.shape
  if (scores.shape.length < 2 || !sameShape(targets.shape, [batch, ...spatial]))
    unsupported(`targets of shape ${show(targets.shape)} for scores of ${show(scores.shape)}`)
  const weights = call.has(2) ? call.constantInput(2, "weight").constant : numbers(builder, classes).fill(1)
  if (weights.length !== classes) unsupported(`${weights.length} weights of ${classes} classes`)
  const ignored = call.attribute("ignore_index") === undefined ? -1 : call.integer("ignore_index")
  const reduction = call.choice("reduction", ["mean", "sum", "none"])
  const [inner, size] = [sizeOf(spatial), sizeOf(scores.shape)]
  const weightAt = numbers(builder, size)
  for (let i = 0; i < size; i++) {
    const at = Math.floor(i / inner) % classes
    weightAt[i] = at === ignored ? 0 : weights[at]
  }
  const bits = builder.product(targetBits(call, targets, scores.shape), constant([size], weightAt))
  const chosen = builder.product(bits, { ...scores, shape: [size], dtype: "float32" })
  const count = batch * inner
  const windows = (each: boolean) => ({
    map: each
      ? indexTable(builder, size, (i) => {
          const [t, c] = [Math.floor(i / classes), i % classes]
          return (Math.floor(t / inner) * classes + c) * inner + (t % inner)
        })
      : axisTable(builder, size, 1),
    window: each ? classes : size,
    shape: each ? targets.shape : [],
  })
  const sum = (x: Value, factor: number, each = false) =>
    windowSum(call, x, windows(each), numbers(builder, each ? count : 1).fill(factor))
  if (reduction === "none") return sum(chosen, -1, true)
  if (reduction === "sum") return sum(chosen, -1)
  const uniform =
    weights.every((w) => w === 1) &&
    (ignored < 0 || ignored >= classes) &&
    call.attribute("ignore_index") === undefined
  return uniform ? sum(chosen, -1 / count) : builder.divide(sum(chosen, -1), sum(bits, 1))
}

const likelihoodLoss: Lowering = (call) => [negativeLikelihood(call, call.input(0))]

const crossEntropy: Lowering = (call) => {
  const logarithms = logSoftmaxAlong(call, call.input(0), 1)
  return [negativeLikelihood(call, logarithms), logarithms].slice(0, call.node.outputs.length)
}

export const losses: Operators = {
  NegativeLogLikelihoodLoss: operator(
    likelihoodLoss,
    constantInput(2, "weight"),
    other("targets are of the scores' shape"),
  ),
  SoftmaxCrossEntropyLoss: operator(
    crossEntropy,
    constantInput(2, "weights"),
    other("targets are of the scores' shape"),
  ),
}
