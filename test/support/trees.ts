/** Trees for tests, random or grown on data, as models of ai.onnx.ml. */
import type { AttributeSpec, OnnxSpec } from "./onnx-writer.js"
import type { Random } from "./random.js"

/** What a leaf adds, by target. */
export type Leaf = readonly { readonly target: number; readonly value: number }[]

export type Tree =
  | { readonly leaf: Leaf }
  | {
      readonly feature: number
      readonly mode: string
      readonly value: number
      readonly missing: boolean
      readonly whenTrue: Tree
      readonly whenFalse: Tree
    }

export const modes = ["LEQ", "LT", "GTE", "GT", "EQ", "NEQ"] as const

/** A tree of some depth at most, whose thresholds are of few, so that trees share them. */
export function randomTree(
  random: Random,
  depth: number,
  features: number,
  thresholds: readonly number[],
  leaf: () => Leaf,
  some: readonly string[] = modes,
  isRoot = true,
): Tree {
  // of the first branch there is always one
  if (depth === 0 || (!isRoot && random.next() < 0.2)) return { leaf: leaf() }
  const child = () => randomTree(random, depth - 1, features, thresholds, leaf, some, false)
  return {
    feature: random.integer(0, features - 1),
    mode: random.pick(some),
    value: random.pick(thresholds),
    missing: random.next() < 0.5,
    whenTrue: child(),
    whenFalse: child(),
  }
}

/** The attributes that say trees to TreeEnsembleClassifier and TreeEnsembleRegressor; ids of nodes in no order. */
export function treeAttributes(
  trees: readonly Tree[],
  prefix: "class" | "target",
  random: Random,
): Record<string, AttributeSpec> {
  const rows: { tree: number; id: number; at: Tree; yes: number; no: number }[] = []
  for (const [tree, root] of trees.entries()) {
    const start = rows.length
    const visit = (at: Tree): number => {
      const row = { tree, id: rows.length - start, at, yes: 0, no: 0 }
      rows.push(row)
      if (!("leaf" in at)) [row.yes, row.no] = [visit(at.whenTrue), visit(at.whenFalse)]
      return row.id
    }
    visit(root)
    // any ids do, if the root comes first
    const ids = random.permutation(rows.length - start)
    for (const row of rows.slice(start))
      [row.id, row.yes, row.no] = [ids[row.id], ids[row.yes] ?? 0, ids[row.no] ?? 0]
  }
  const leaves = rows.flatMap(({ tree, id, at }) =>
    "leaf" in at ? at.leaf.map((weight) => ({ tree, id, ...weight })) : [],
  )
  const branch = <T>(of: (at: Exclude<Tree, { leaf: Leaf }>) => T, none: T) =>
    rows.map(({ at }) => ("leaf" in at ? none : of(at)))
  return {
    nodes_treeids: rows.map(({ tree }) => tree),
    nodes_nodeids: rows.map(({ id }) => id),
    nodes_featureids: branch((at) => at.feature, 0),
    nodes_values: { floats: branch((at) => at.value, 0) },
    nodes_hitrates: { floats: rows.map(() => 1) },
    nodes_modes: { texts: branch((at) => `BRANCH_${at.mode}`, "LEAF") },
    nodes_truenodeids: rows.map(({ yes }) => yes),
    nodes_falsenodeids: rows.map(({ no }) => no),
    nodes_missing_value_tracks_true: branch((at) => Number(at.missing), 0),
    [`${prefix}_treeids`]: leaves.map(({ tree }) => tree),
    [`${prefix}_nodeids`]: leaves.map(({ id }) => id),
    [`${prefix}_ids`]: leaves.map(({ target }) => target),
    [`${prefix}_weights`]: { floats: leaves.map(({ value }) => value) },
  }
}

/** One node of ai.onnx.ml on features [rows, features]. */
export const mlModel = (
  operator: string,
  rows: number,
  features: number,
  outputs: readonly string[],
  attributes: Readonly<Record<string, AttributeSpec>>,
  more: Partial<OnnxSpec> & { readonly dtype?: "float" | "double" | "int64" } = {},
): OnnxSpec => {
  const { dtype = "float", ...rest } = more
  return {
    inputs: [{ name: "x", shape: [rows, features], dtype }],
    outputs,
    nodes: [{ operator, domain: "ai.onnx.ml", inputs: ["x"], outputs, attributes }],
    ...rest,
  }
}

/** Rows with a class each, told apart by a curve and some noise. */
export function clouds(random: Random, rows: number, features: number, classes: number) {
  const x = Array.from({ length: rows }, () => random.reals(features, 3).map(Math.fround))
  const y = x.map(([a, b, c]) => {
    const score = a * a + Math.sin(2 * b) * 2 + (c ?? 0) + random.next()
    return Math.min(classes - 1, Math.max(0, Math.floor(((score + 3) / 14) * classes)))
  })
  return { x, y }
}

/** A regression tree on gradients: greedy splits, half way between neighbours, as float32. */
function grown(x: readonly number[][], gradient: readonly number[], depth: number, target: number): Tree {
  const mean = gradient.reduce((sum, g) => sum + g, 0) / Math.max(1, gradient.length)
  let best: { gain: number; feature: number; value: number } | undefined
  if (depth > 0)
    for (let feature = 0; feature < x[0].length; feature++) {
      const order = x.map((row, i) => [row[feature], gradient[i]]).sort((a, b) => a[0] - b[0])
      const total = order.reduce((sum, [, g]) => sum + g, 0)
      let left = 0
      for (let i = 0; i + 1 < order.length; i++) {
        left += order[i][1]
        if (order[i][0] === order[i + 1][0]) continue
        const gain = left ** 2 / (i + 1) + (total - left) ** 2 / (order.length - i - 1)
        if (!best || gain > best.gain)
          best = { gain, feature, value: Math.fround((order[i][0] + order[i + 1][0]) / 2) }
      }
    }
  if (!best) return { leaf: [{ target, value: Math.fround(0.5 * mean) }] }
  const { feature, value } = best
  const side = (yes: boolean) => x.flatMap((row, i) => (row[feature] < value === yes ? [i] : []))
  const [yes, no] = [side(true), side(false)]
  if (yes.length === 0 || no.length === 0) return { leaf: [{ target, value: Math.fround(0.5 * mean) }] }
  const child = (of: number[]) =>
    grown(
      of.map((i) => x[i]),
      of.map((i) => gradient[i]),
      depth - 1,
      target,
    )
  return { feature, mode: "LT", value, missing: true, whenTrue: child(yes), whenFalse: child(no) }
}

const answer = (tree: Tree, row: readonly number[]): number =>
  "leaf" in tree
    ? tree.leaf[0].value
    : answer(row[tree.feature] < tree.value ? tree.whenTrue : tree.whenFalse, row)

/** Boosted trees, one a round for each class, as those of XGBoost are: softmax of sums. */
export function boosted(
  { x, y }: ReturnType<typeof clouds>,
  classes: number,
  rounds: number,
  depth: number,
): Tree[] {
  const sums = x.map(() => new Array<number>(classes).fill(0))
  const trees: Tree[] = []
  for (let round = 0; round < rounds; round++) {
    const gradients = sums.map((row, i) => {
      const powers = row.map(Math.exp)
      const total = powers.reduce((a, b) => a + b, 0)
      return powers.map((p, k) => (y[i] === k ? 1 : 0) - p / total)
    })
    for (let k = 0; k < classes; k++) {
      const tree = grown(
        x,
        gradients.map((row) => row[k]),
        depth,
        k,
      )
      trees.push(tree)
      for (const [i, row] of sums.entries()) row[k] += answer(tree, x[i])
    }
  }
  return trees
}
