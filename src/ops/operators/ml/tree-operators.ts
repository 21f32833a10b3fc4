/** TreeEnsembleClassifier, TreeEnsembleRegressor and TreeEnsemble, as onnxruntime computes them. */
import type { Call, Lowering } from "../call.js"
import { activationInput, type Operators, operator, other } from "../limits.js"
import { diagonal } from "../maps.js"
import { indexTable, numbers, range, unsupported } from "../shapes.js"
import { type Activation, constant, type Value } from "../values.js"
import {
  bothClasses,
  type Classes,
  classesOf,
  classified,
  labelled,
  largestOf,
  secondIfAbove,
  type Transform,
  transformed,
  transforms,
} from "./classes.js"
import { baseValues, type Ensemble, namedTrees, placedTrees, type Weight } from "./ensemble.js"
import { treeSums, unitFor } from "./trees.js"

const aggregates = ["SUM", "AVERAGE", "MIN", "MAX"] as const
type Aggregate = (typeof aggregates)[number]

/** Each leaf, with its tree. */
function leavesOf({ roots, branches }: Ensemble) {
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

/** Largest sum that leaves can come to, whichever are reached, and base values. */
function reachOf(ensemble: Ensemble, bases: readonly number[]): number {
  const largest = ensemble.roots.map(() => 0)
  for (const { tree, weights } of leavesOf(ensemble))
    for (const { value } of weights) largest[tree] = Math.max(largest[tree], Math.abs(value))
  const base = bases.reduce((most, each) => Math.max(most, Math.abs(each)), 0)
  return largest.reduce((sum, each) => sum + each, base)
}

/** An ensemble with other leaves. */
function withLeaves(
  { roots, branches }: Ensemble,
  change: (weights: readonly Weight[]) => readonly Weight[],
): Ensemble {
  const child = (at: number | readonly Weight[]) => (typeof at === "number" ? at : change(at))
  return {
    roots: roots.map(child),
    branches: branches.map((branch) => ({
      ...branch,
      whenTrue: child(branch.whenTrue),
      whenFalse: child(branch.whenFalse),
    })),
  }
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
  // the largest of negatives is the negative of the least
  const sign = aggregate === "MAX" ? 1 : -1
  const sums = treeSums(call, x, ensemble, trees * targets, unit, ({ target, value }, tree) => ({
    column: target * trees + tree,
    value: sign * value,
  }))
  const [rows] = sums.shape
  const map = indexTable(builder, rows * targets * trees, (i) => i)
  const best = builder.emit(
    { kind: "max", source: sums.tensor, window: trees, map },
    [rows, targets],
    "float32",
  )
  const size = rows * targets
  const bias = numbers(builder, size).map((_, i) => Math.round((used[i % targets] ?? 0) / unit) * unit)
  const terms = [{ source: best.tensor, map: diagonal(builder, numbers(builder, size).fill(sign)) }]
  return builder.emit({ kind: "linear", terms, bias, unit }, [rows, targets], "float32")
}

/** Scores of regressors; of one target no transform but PROBIT is made, and of several weights of a leaf the first counts. */
function regression(
  call: Call,
  x: Activation,
  all: Ensemble,
  targets: number,
  aggregate: Aggregate,
  transform: Transform,
): Value {
  const isOne = targets === 1
  const ensemble = isOne ? withLeaves(all, (weights) => weights.slice(0, 1)) : all
  const result = scores(call, x, ensemble, targets, baseValues(call), aggregate)
  return isOne && transform !== "PROBIT" ? result : transformed(call, result, transform)
}

/** Most targets: each is a column of every row. */
const mostTargets = 2 ** 16

function targetsOf(call: Call): number {
  const targets = call.integer("n_targets", 1)
  return targets >= 1 && targets <= mostTargets ? targets : call.refuse("n_targets", targets)
}

const regressor: Lowering = (call) => {
  const x = call.activation(0, "X")
  const targets = targetsOf(call)
  const aggregate = call.choice("aggregate_function", aggregates)
  const transform = call.choice("post_transform", transforms)
  return [regression(call, x, namedTrees(call, "target", targets), targets, aggregate, transform)]
}

const ensemble: Lowering = (call) => {
  const x = call.activation(0, "X")
  const targets = targetsOf(call)
  const [aggregation, transformation] = [
    call.integer("aggregate_function", 1),
    call.integer("post_transform", 0),
  ]
  const aggregate = (["AVERAGE", "SUM", "MIN", "MAX"] as const)[aggregation]
  const transform = transforms[transformation]
  if (!aggregate) return call.refuse("aggregate_function", aggregation)
  if (!transform) return call.refuse("post_transform", transformation)
  return [regression(call, x, placedTrees(call, targets), targets, aggregate, transform)]
}

/** Which classes get a score whatever leaves are reached: some tree has one for it in every leaf. */
function alwaysScored(ensemble: Ensemble, classes: number): ReadonlySet<number> {
  const always = ensemble.roots.map(() => new Set(range(classes)))
  for (const { tree, weights } of leavesOf(ensemble)) {
    const targets = new Set(weights.map(({ target }) => target))
    for (const each of always[tree]) if (!targets.has(each)) always[tree].delete(each)
  }
  return new Set(always.flatMap((each) => [...each]))
}

const classifier: Lowering = (call) => {
  const x = call.activation(0, "X")
  const classes = classesOf(call, "classlabels_int64s", "classlabels_strings")
  const count = classes.labels.length
  if (count < 2) unsupported("a classifier of one class")
  const transform = call.choice("post_transform", transforms)
  const bases = baseValues(call)
  const trees = namedTrees(call, "class", count)
  const weights = leavesOf(trees).flatMap(({ weights }) => weights)
  const isPositive = weights.every(({ value }) => value >= 0)
  const scored = new Set(weights.map(({ target }) => target))
  if (count > 2) {
    if (bases.length > 0 && bases.length !== count) unsupported("`base_values` do not fit the classes")
    const sums = scores(call, x, trees, count, bases, "SUM")
    return several(call, trees, sums, classes, transform, bases.length > 0, isPositive, scored)
  }
  if (bases.length > 2) unsupported("`base_values` do not fit the classes")
  const always = alwaysScored(trees, count)
  if (scored.has(1) && !always.has(1))
    unsupported("a second class that has no score where some leaves are reached")
  const threshold = isPositive && scored.size === 1 ? 0.5 : 0
  return scored.has(1)
    ? twoScores(call, x, trees, bases, classes, transform, threshold, scored.has(0))
    : oneScore(call, x, trees, bases, classes, transform, threshold)
}

/** Three classes or more: the largest score of those that have one decides. */
function several(
  call: Call,
  trees: Ensemble,
  sums: Value,
  classes: Classes,
  transform: Transform,
  isBased: boolean,
  isPositive: boolean,
  scored: ReadonlySet<number>,
): readonly Value[] {
  const { builder } = call
  const count = classes.labels.length
  const [rows] = sums.shape
  const always = alwaysScored(trees, count)
  // without a score a class has none to be largest; where none is negative it would be 0
  const certain = isBased ? range(count) : range(count).filter((each) => scored.has(each))
  if (certain.length === 0) unsupported("leaves without weights")
  if (!isBased && !isPositive && certain.some((each) => !always.has(each)))
    unsupported("classes that have no score where some leaves are reached, and negative weights")
  const chosen =
    certain.length === count
      ? sums
      : builder.move(
          [sums],
          indexTable(
            builder,
            rows * certain.length,
            (i) => Math.floor(i / certain.length) * count + certain[i % certain.length],
          ),
          [rows, certain.length],
        )
  const places = labelled(call, largestOf(call, chosen), certain) as Activation
  return classified(call, places, transformed(call, sums, transform), classes)
}

/**
 * Two classes, and weights of the first alone. They are a score of the second, unless there are two base values: then the columns
 * are the score and the second of these.
 */
function oneScore(
  call: Call,
  x: Activation,
  trees: Ensemble,
  bases: readonly number[],
  classes: Classes,
  transform: Transform,
  threshold: number,
): readonly Value[] {
  const score = scores(call, x, trees, 1, bases.slice(0, 1), "SUM")
  const place = secondIfAbove(call, score, threshold)
  if (bases.length < 2) {
    const both = bothClasses(call, score, transform, threshold > 0 ? "complement" : "opposite")
    return classified(call, place, both, classes)
  }
  return classified(call, place, transformed(call, beside(call, score, bases[1]), transform), classes)
}

/** A column [rows, 1] and a constant one. */
function beside({ builder }: Call, column: Value, value: number): Value {
  const [rows] = column.shape
  const other = constant([rows, 1], numbers(builder, rows).fill(value))
  const map = indexTable(builder, 2 * rows, (i) => (i % 2) * rows + (i >> 1))
  return builder.move([column, other], map, [rows, 2])
}

/** Two classes, and weights of the second; whoever has some of the first as well calls them 0 and 1, whatever the labels are. */
function twoScores(
  call: Call,
  x: Activation,
  trees: Ensemble,
  bases: readonly number[],
  classes: Classes,
  transform: Transform,
  threshold: number,
  hasFirst: boolean,
): readonly Value[] {
  const { builder } = call
  const named: Classes = hasFirst && !classes.names ? { labels: [0, 1] } : classes
  if (bases.length === 2) {
    if (!hasFirst) unsupported("two `base_values` and weights of the second class alone")
    // the first class's sum and the second base value, and their negative
    const first = withLeaves(trees, (weights) => weights.filter(({ target }) => target === 0))
    const score = scores(call, x, first, 1, bases.slice(1), "SUM")
    const pair = bothClasses(call, score, "NONE", "opposite")
    return classified(call, secondIfAbove(call, score, threshold), transformed(call, pair, transform), named)
  }
  const sums = scores(call, x, trees, 2, hasFirst && bases.length === 1 ? [bases[0], 0] : [], "SUM")
  const [rows] = sums.shape
  const column = indexTable(builder, rows, (row) => 2 * row + 1)
  const place = secondIfAbove(call, builder.move([sums], column, [rows, 1]), threshold)
  return classified(call, place, transformed(call, sums, transform), named)
}

export const treeOperators: Operators = {
  TreeEnsembleClassifier: operator(
    classifier,
    activationInput(0, "X"),
    other("a score of the second class is transformed by NONE, LOGISTIC, SOFTMAX or SOFTMAX_ZERO"),
    other("every class has a score whatever leaves are reached, or no weight is negative"),
  ),
  TreeEnsembleRegressor: operator(regressor, activationInput(0, "X")),
  TreeEnsemble: operator(ensemble, activationInput(0, "X")),
}
