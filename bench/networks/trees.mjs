/**
 * Gradient-boosted trees on a table, grown as XGBoost's histogram method grows them: one tree a round for each class, splits by
 * the gain of gradients and curvatures over bins of equal width. The table is of digits: the averages of squares of 4 × 4
 * pixels, 49 columns. Grown anew whenever it is asked for, in a second or two.
 */
import { OnnxFile } from "../onnx.mjs"

const bins = 32
const classes = 10
const [rounds, depth, rate, regularization, fewest] = [15, 4, 0.3, 1, 1]

/** Trees { feature, value, whenLess, whenNot } and leaves { leaf }, of class i % classes. */
export function grow(rows, labels) {
  const columns = rows[0].length
  const n = rows.length
  // the value b/32 is in the bin above it: a row is less than a threshold if its bin is below the threshold's
  const binned = Uint8Array.from({ length: n * columns }, (_, i) =>
    Math.min(bins - 1, Math.floor(rows[Math.floor(i / columns)][i % columns] * bins)),
  )
  const sums = new Float64Array(n * classes)
  const [gradient, curvature] = [new Float64Array(n), new Float64Array(n)]

  const leaf = (members) => {
    let [g, h] = [0, 0]
    for (const i of members) [g, h] = [g + gradient[i], h + curvature[i]]
    return { leaf: Math.fround((rate * g) / (h + regularization)) }
  }
  const split = (members) => {
    const [g, h] = [new Float64Array(columns * bins), new Float64Array(columns * bins)]
    let [allG, allH] = [0, 0]
    for (const i of members) {
      ;[allG, allH] = [allG + gradient[i], allH + curvature[i]]
      for (let column = 0, at = i * columns; column < columns; column++, at++) {
        g[column * bins + binned[at]] += gradient[i]
        h[column * bins + binned[at]] += curvature[i]
      }
    }
    const score = (sum, weight) => sum ** 2 / (weight + regularization)
    let best = { gain: score(allG, allH) + 1e-9 }
    for (let column = 0; column < columns; column++) {
      let [left, weight] = [0, 0]
      for (let bin = 1; bin < bins; bin++) {
        left += g[column * bins + bin - 1]
        weight += h[column * bins + bin - 1]
        if (weight < fewest || allH - weight < fewest) continue
        const gain = score(left, weight) + score(allG - left, allH - weight)
        if (gain > best.gain) best = { gain, column, bin }
      }
    }
    return best
  }
  const node = (members, left) => {
    const { column, bin } = left > 0 ? split(members) : {}
    if (column === undefined) return leaf(members)
    const isLess = (i) => binned[i * columns + column] < bin
    return {
      feature: column,
      value: bin / bins,
      whenLess: node(members.filter(isLess), left - 1),
      whenNot: node(
        members.filter((i) => !isLess(i)),
        left - 1,
      ),
    }
  }
  const answer = (tree, i) => {
    let at = tree
    while (at.leaf === undefined)
      at = binned[i * columns + at.feature] < at.value * bins ? at.whenLess : at.whenNot
    return at.leaf
  }
  const everybody = Int32Array.from({ length: n }, (_, i) => i)
  const trees = []
  for (let round = 0; round < rounds; round++) {
    const shares = sums.slice()
    for (let i = 0; i < n; i++) {
      const row = shares.subarray(i * classes, (i + 1) * classes)
      const most = row.reduce((a, b) => Math.max(a, b))
      for (let k = 0; k < classes; k++) row[k] = Math.exp(row[k] - most)
      const total = row.reduce((a, b) => a + b)
      for (let k = 0; k < classes; k++) row[k] /= total
    }
    for (let k = 0; k < classes; k++) {
      for (let i = 0; i < n; i++) {
        const p = shares[i * classes + k]
        gradient[i] = (labels[i] === k ? 1 : 0) - p
        curvature[i] = p * (1 - p)
      }
      const tree = node(everybody, depth)
      trees.push(tree)
      for (let i = 0; i < n; i++) sums[i * classes + k] += answer(tree, i)
    }
  }
  return trees
}

/** The TreeEnsembleClassifier of trees: `scores`, a sum for each class, and `label`, that of the largest. */
export function treesToOnnx(trees, columns) {
  const [nodes, leaves] = [[], []]
  for (const [tree, root] of trees.entries()) {
    const start = nodes.length
    const visit = (at) => {
      const row = { tree, id: nodes.length - start, at, yes: 0, no: 0 }
      nodes.push(row)
      if (at.leaf === undefined) [row.yes, row.no] = [visit(at.whenLess), visit(at.whenNot)]
      else leaves.push({ tree, id: row.id, target: tree % classes, value: at.leaf })
      return row.id
    }
    visit(root)
  }
  const branch = (of, none) => nodes.map(({ at }) => (at.leaf === undefined ? of(at) : none))
  const attributes = {
    nodes_treeids: nodes.map(({ tree }) => tree),
    nodes_nodeids: nodes.map(({ id }) => id),
    nodes_featureids: branch(({ feature }) => feature, 0),
    nodes_values: { floats: branch(({ value }) => value, 0) },
    nodes_hitrates: { floats: nodes.map(() => 1) },
    nodes_modes: branch(() => "BRANCH_LT", "LEAF"),
    nodes_truenodeids: nodes.map(({ yes }) => yes),
    nodes_falsenodeids: nodes.map(({ no }) => no),
    nodes_missing_value_tracks_true: nodes.map(() => 0),
    class_treeids: leaves.map(({ tree }) => tree),
    class_nodeids: leaves.map(({ id }) => id),
    class_ids: leaves.map(({ target }) => target),
    class_weights: { floats: leaves.map(({ value }) => value) },
    classlabels_int64s: Array.from({ length: classes }, (_, k) => k),
    post_transform: "NONE",
  }
  const file = new OnnxFile("trees", { name: "image", shape: [1, columns] })
  file.add("TreeEnsembleClassifier", ["image"], attributes, ["label", "scores"], "ai.onnx.ml")
  return file.encode([{ name: "scores", shape: [1, classes] }])
}
