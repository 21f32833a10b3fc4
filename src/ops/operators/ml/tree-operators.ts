/** TreeEnsembleClassifier, TreeEnsembleRegressor and TreeEnsemble, as onnxruntime computes them. */
import type { Call, Lowering } from "../call.js"
import { activationInput, type Operators, operator, other } from "../limits.js"
import { indexTable, unsupported } from "../shapes.js"
import { type Activation, constant, type Value } from "../values.js"
import { labelled, labelsOf, largestLabel, type Transform, transformed, transforms } from "./classes.js"
import { baseValues, type Ensemble, namedTrees, placedTrees, type Weight } from "./ensemble.js"
import { treeSums, unitFor } from "./trees.js"

const aggregates = ["SUM", "AVERAGE", "MIN", "MAX"] as const
type Aggregate = (typeof aggregates)[number]

/** Largest sum that leaves can come to, whichever are reached, and base values. */
function reachOf(ensemble: Ensemble, bases: readonly number[]): number {
  let reach = bases.reduce((most, base) => Math.max(most, Math.abs(base)), 0)
  const largest = ensemble.roots.map(() => 0)
  const visit = (child: number | readonly Weight[], tree: number): void => {
    const stack = [child]
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (typeof at === "number") stack.push(ensemble.branches[at].whenTrue, ensemble.branches[at].whenFalse)
      else for (const { value } of at) largest[tree] = Math.max(largest[tree], Math.abs(value))
    }
  }
  for (const [tree, root] of ensemble.roots.entries()) visit(root, tree)
  for (const each of largest) reach += each
  return reach
}

/** Each leaf, with its tree. */
function leavesOf({
  roots,
  branches,
}: Ensemble): { readonly tree: number; readonly weights: readonly Weight[] }[] {
  const found: { readonly tree: number; readonly weights: readonly Weight[] }[] = []
  roots.forEach((root, tree) => {
    const stack = [root]
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (typeof at === "number") stack.push(branches[at].whenTrue, branches[at].whenFalse)
      else found.push({ tree, weights: at })
    }
  })
  return found
}

/** The score of each target: sum, average, least or largest of the trees, and base values. */
function scores(
  call: Call,
  x: Activation,
  ensemble: Ensemble,
  targets: number,
  bases: readonly number[],
  aggregate: Aggregate,
): Value {
  const { builder } = call
  const trees = ensemble.roots.length
  const used = bases.length === targets ? bases : []
  const unit = unitFor(trees + 1, reachOf(ensemble, used))
  const offset = (rows: number) =>
    constant(
      [rows, targets],
      Float64Array.from({ length: rows * targets }, (_, i) => used[i % targets] ?? 0),
    )
  if (aggregate === "SUM" || aggregate === "AVERAGE") {
    const share = aggregate === "AVERAGE" ? 1 / trees : 1
    const based: Ensemble = used.length
      ? {
          ...ensemble,
          roots: [...ensemble.roots, used.map((value, target) => ({ target, value: value / share }))],
        }
      : ensemble
    return treeSums(call, x, based, targets, unit, ({ target, value }) => ({
      column: target,
      value: value * share,
    }))
  }
  // a leaf that says nothing of a target would leave its tree out
  const isWhole = leavesOf(ensemble).every(
    ({ weights }) => new Set(weights.map(({ target }) => target)).size === targets,
  )
  if (!isWhole) unsupported(`\`${aggregate}\` of leaves that do not all have every target`)
  const sums = treeSums(call, x, ensemble, trees * targets, unit, ({ target, value }, tree) => ({
    column: target * trees + tree,
    value,
  }))
  const [rows] = sums.shape
  const sign = aggregate === "MAX" ? 1 : -1
  const signed = (value: Value) => (sign === 1 ? value : builder.combine([{ value, factor: -1 }]))
  const source = signed(sums) as Activation
  const map = indexTable(builder, rows * targets * trees, (i) => i)
  const best = builder.emit(
    { kind: "max", source: source.tensor, window: trees, map },
    [rows, targets],
    "float32",
  )
  return builder.combine([
    { value: signed(best), factor: 1 },
    ...(used.length ? [{ value: offset(rows), factor: 1 }] : []),
  ])
}

/** With one target a leaf has one weight, the first. */
const single = (ensemble: Ensemble): Ensemble => {
  const first = (child: number | readonly Weight[]) => (typeof child === "number" ? child : child.slice(0, 1))
  return {
    roots: ensemble.roots.map(first),
    branches: ensemble.branches.map((branch) => ({
      ...branch,
      whenTrue: first(branch.whenTrue),
      whenFalse: first(branch.whenFalse),
    })),
  }
}

/** Scores of regressors; of one target no transform but PROBIT is made. */
function regression(
  call: Call,
  x: Activation,
  all: Ensemble,
  targets: number,
  aggregate: Aggregate,
  transform: Transform,
): Value {
  const ensemble = targets === 1 ? single(all) : all
  const result = scores(call, x, ensemble, targets, baseValues(call), aggregate)
  return targets === 1 && transform !== "PROBIT" ? result : transformed(call, result, transform)
}

const regressor: Lowering = (call) => {
  const x = call.activation(0, "X")
  const targets = call.integer("n_targets", 1)
  const aggregate = call.choice("aggregate_function", aggregates)
  const transform = call.choice("post_transform", transforms)
  return [regression(call, x, namedTrees(call, "target", targets), targets, aggregate, transform)]
}

const ensemble: Lowering = (call) => {
  const x = call.activation(0, "X")
  const targets = call.integer("n_targets", 1)
  const aggregate = (["AVERAGE", "SUM", "MIN", "MAX"] as const)[call.integer("aggregate_function", 1)]
  const transform = (["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"] as const)[
    call.integer("post_transform", 0)
  ]
  if (!aggregate || !transform) return unsupported("an unknown `aggregate_function` or `post_transform`")
  return [regression(call, x, placedTrees(call, targets), targets, aggregate, transform)]
}

const classifier: Lowering = (call) => {
  const { builder } = call
  const x = call.activation(0, "X")
  const labels = labelsOf(call, "classlabels_int64s", "classlabels_strings")
  const transform = call.choice("post_transform", transforms)
  const bases = baseValues(call)
  const trees = namedTrees(call, "class", labels.length)
  const weights = leavesOf(trees).flatMap(({ weights }) => weights)
  const classes = new Set(weights.map(({ target }) => target))
  if (labels.length > 2 || classes.size > 1) {
    if (bases.length > 0 && bases.length !== labels.length)
      unsupported("`base_values` do not fit the classes")
    if (labels.length === 2 && bases.length > 0)
      unsupported("`base_values` of two classes with scores of their own")
    const sums = scores(call, x, trees, labels.length, bases, "SUM")
    // the score that decides between two is the second's sign
    const label = labels.length > 2 ? largestLabel(call, sums, labels) : signLabel(call, sums, labels)
    return [label, transformed(call, sums, transform)]
  }
  return binary(
    call,
    x,
    trees,
    labels,
    bases,
    transform,
    weights.every(({ value }) => value >= 0),
  )

  function signLabel(call: Call, sums: Value, [negative, positive]: readonly number[]): Value {
    const [rows] = sums.shape
    const second = builder.move(
      [sums],
      indexTable(builder, rows, (row) => 2 * row + 1),
      [rows],
    )
    return labelled(
      call,
      { ...builder.compare(second, new Float64Array(rows), false, false), dtype: "int64" } as Activation,
      [negative, positive],
    )
  }
}

/** Two classes and one score. */
function binary(
  call: Call,
  x: Activation,
  trees: Ensemble,
  labels: readonly number[],
  bases: readonly number[],
  transform: Transform,
  isPositive: boolean,
): readonly Value[] {
  const { builder } = call
  if (labels.length !== 2) unsupported(`${labels.length} classes and one score`)
  if (bases.length > 1) unsupported("two `base_values` of one score")
  const merged: Ensemble = {
    roots: trees.roots,
    branches: trees.branches,
  }
  const score = scores(call, x, mapped(merged), 1, bases, "SUM")
  const [rows] = score.shape
  const bit = builder.compare(score, new Float64Array(rows).fill(isPositive ? 0.5 : 0), false, false)
  const label = labelled(call, { ...bit, shape: [rows], dtype: "int64" } as Activation, labels)
  const negative = isPositive
    ? builder.combine([{ value: score, factor: -1 }], 1)
    : builder.combine([{ value: score, factor: -1 }])
  const both = (first: Value, second: Value): Value =>
    builder.move(
      [first, second],
      indexTable(builder, 2 * rows, (i) => (i % 2) * rows + (i >> 1)),
      [rows, 2],
    )
  if (isPositive) {
    if (transform === "PROBIT") unsupported("post transform `PROBIT`")
    return [label, both(negative, score)]
  }
  if (transform === "LOGISTIC") {
    const second = builder.apply(score, "sigmoid")
    return [label, both(builder.combine([{ value: second, factor: -1 }], 1), second)]
  }
  return [label, both(negative, score)]
}

/** All leaves as of the one target. */
const mapped = (ensemble: Ensemble): Ensemble => {
  const move = (child: number | readonly Weight[]) =>
    typeof child === "number" ? child : child.map(({ value }) => ({ target: 0, value }))
  return {
    roots: ensemble.roots.map(move),
    branches: ensemble.branches.map((branch) => ({
      ...branch,
      whenTrue: move(branch.whenTrue),
      whenFalse: move(branch.whenFalse),
    })),
  }
}

export const treeOperators: Operators = {
  TreeEnsembleClassifier: operator(
    classifier,
    activationInput(0, "X"),
    other("`post_transform` is not PROBIT"),
  ),
  TreeEnsembleRegressor: operator(regressor, activationInput(0, "X")),
  TreeEnsemble: operator(ensemble, activationInput(0, "X")),
}
