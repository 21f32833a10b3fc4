/**
 * Ensembles of trees as files have them, and as they are lowered. Nodes are named by tree and number in TreeEnsembleClassifier
 * and TreeEnsembleRegressor, and by their places in TreeEnsemble; either becomes one record for each branch. A file can say
 * anything: whatever is no tree is refused.
 */
import type { Call } from "../call.js"
import { show, unsupported } from "../shapes.js"

/** What a branch asks of a feature; of NaN it is false, unless the branch says otherwise. */
export type Mode = "LEQ" | "LT" | "GTE" | "GT" | "EQ" | "NEQ" | "MEMBER"

/** What a leaf adds to a target. */
export interface Weight {
  readonly target: number
  readonly value: number
}

export interface Branch {
  readonly feature: number
  readonly mode: Mode
  /** What the feature is compared with: one number, or several of MEMBER. */
  readonly values: readonly number[]
  /** Whether a missing value takes the true branch whatever the mode says. */
  readonly missing: boolean
  /** Branches by their places in the ensemble, or leaves. */
  readonly whenTrue: number | readonly Weight[]
  readonly whenFalse: number | readonly Weight[]
}

/** Every branch but the roots is the child of one other, which comes before it. */
export interface Ensemble {
  readonly branches: readonly Branch[]
  readonly roots: readonly (number | readonly Weight[])[]
}

/** Deepest tree: every level of branches becomes nodes of its own. */
export const deepest = 512

const modes = ["LEQ", "LT", "GTE", "GT", "EQ", "NEQ", "MEMBER"] as const

/** A child as it is found in a file. */
type Child = { readonly node: number } | { readonly leaf: readonly Weight[] }

/** A branch as it is found in a file. */
interface Found extends Omit<Branch, "whenTrue" | "whenFalse"> {
  readonly children: () => readonly [whenTrue: Child, whenFalse: Child]
}

/** Walks every tree from its root. */
function walked(call: Call, roots: readonly Child[], branchAt: (node: number) => Found): Ensemble {
  const branches: { -readonly [K in keyof Branch]: Branch[K] }[] = []
  const seen = new Set<number>()
  const visit = (from: Child, depth: number): number | readonly Weight[] => {
    if ("leaf" in from) return from.leaf
    const { node } = from
    if (seen.has(node))
      unsupported(`branch ${node} is reached twice: trees that share nodes, or run in a circle`)
    if (depth >= deepest) unsupported(`a tree deeper than ${deepest}`)
    seen.add(node)
    call.builder.work(8)
    const { children, ...rest } = branchAt(node)
    if (rest.values.some(Number.isNaN)) unsupported("a branch that compares with NaN")
    const place = branches.push({ ...rest, whenTrue: [], whenFalse: [] }) - 1
    const [whenTrue, whenFalse] = children()
    branches[place].whenTrue = visit(whenTrue, depth + 1)
    branches[place].whenFalse = visit(whenFalse, depth + 1)
    return place
  }
  return { roots: roots.map((root) => visit(root, 0)), branches }
}

/** The list of an attribute, or of its namesake that is a tensor. */
function numbersOf(call: Call, name: string): readonly number[] | undefined {
  const list = call.list(name)
  const tensor = call.tensor(`${name}_as_tensor`)
  if (list?.length && tensor)
    unsupported(`attributes \`${name}\` and \`${name}_as_tensor\` exclude each other`)
  return list?.length || !tensor ? list : Array.from(tensor.data)
}

/** base_values, of which there are none by default. */
export const baseValues = (call: Call): readonly number[] => numbersOf(call, "base_values") ?? []

/** The trees of TreeEnsembleClassifier and TreeEnsembleRegressor, whose leaves' attributes begin with `prefix`. */
export function namedTrees(call: Call, prefix: "class" | "target", targets: number): Ensemble {
  const { builder } = call
  call.ignore("nodes_hitrates", "nodes_hitrates_as_tensor")
  const trees = call.integerList("nodes_treeids") ?? []
  const count = trees.length
  if (count === 0) unsupported("an ensemble without nodes")
  builder.work(16 * count)
  const perNode = (name: string, list: readonly number[] | undefined): readonly number[] =>
    list?.length === count
      ? list
      : unsupported(`attribute \`${name}\` has not ${count} values, as nodes_treeids has`)
  const integers = (name: string) => perNode(name, call.integerList(name))
  const nodes = integers("nodes_nodeids")
  const features = integers("nodes_featureids")
  const [whenTrue, whenFalse] = [integers("nodes_truenodeids"), integers("nodes_falsenodeids")]
  const values = perNode("nodes_values", numbersOf(call, "nodes_values"))
  const missing = call.integerList("nodes_missing_value_tracks_true") ?? []
  if (missing.length > 0) perNode("nodes_missing_value_tracks_true", missing)
  const names = call.attribute("nodes_modes")
  if (!Array.isArray(names) || names.length !== count)
    return unsupported(`attribute \`nodes_modes\` has not ${count} values, as nodes_treeids has`)
  const places = new Map<string, number>()
  const roots = new Map<number, Child>()
  builder.hold(8 * count)
  for (let i = 0; i < count; i++) {
    const key = `${trees[i]}:${nodes[i]}`
    if (places.has(key)) unsupported(`node ${nodes[i]} of tree ${trees[i]} is there twice`)
    places.set(key, i)
  }
  const leaves = leavesOf(call, prefix, targets, places)
  const childOf = (tree: number, node: number): Child => {
    const place = places.get(`${tree}:${node}`)
    if (place === undefined) return unsupported(`tree ${tree} has no node ${node}`)
    return names[place] === "LEAF" ? { leaf: leaves.get(place) ?? [] } : { node: place }
  }
  for (let i = 0; i < count; i++) if (!roots.has(trees[i])) roots.set(trees[i], childOf(trees[i], nodes[i]))
  return walked(call, [...roots.values()], (i) => ({
    feature: features[i],
    mode: modes.find((mode) => `BRANCH_${mode}` === names[i] && mode !== "MEMBER") ?? refuseMode(names[i]),
    values: [values[i]],
    missing: missing[i] === 1,
    children: () => [childOf(trees[i], whenTrue[i]), childOf(trees[i], whenFalse[i])],
  }))
}

const refuseMode = (mode: unknown): never => unsupported(`a branch of mode \`${mode}\``)

/** What each leaf adds, by its place among the nodes. */
function leavesOf(
  call: Call,
  prefix: "class" | "target",
  targets: number,
  places: ReadonlyMap<string, number>,
): Map<number, Weight[]> {
  const [trees, nodes, ids] = ["treeids", "nodeids", "ids"].map(
    (name) => call.integerList(`${prefix}_${name}`) ?? [],
  )
  const values = numbersOf(call, `${prefix}_weights`) ?? []
  if ([nodes, ids, values].some(({ length }) => length !== trees.length))
    unsupported(`attributes \`${prefix}_…\` differ in length`)
  call.builder.hold(4 * trees.length)
  call.builder.work(8 * trees.length)
  const leaves = new Map<number, Weight[]>()
  for (let i = 0; i < trees.length; i++) {
    const place = places.get(`${trees[i]}:${nodes[i]}`)
    if (place === undefined)
      return unsupported(`${prefix}_weights of node ${nodes[i]} of tree ${trees[i]}, which is not there`)
    const leaf = leaves.get(place) ?? []
    leaves.set(place, leaf)
    leaf.push(weightOf(ids[i], values[i], targets))
  }
  return leaves
}

function weightOf(target: number, value: number, targets: number): Weight {
  if (!(target >= 0 && target < targets)) unsupported(`a leaf of target ${target} among ${targets}`)
  if (!Number.isFinite(value)) unsupported(`a leaf that adds ${value}`)
  return { target, value }
}

/** The trees of TreeEnsemble. */
export function placedTrees(call: Call, targets: number): Ensemble {
  const { builder } = call
  call.ignore("nodes_hitrates")
  const features = call.integerList("nodes_featureids") ?? []
  const count = features.length
  builder.work(16 * count)
  const perNode = (name: string, list: readonly number[] | undefined): readonly number[] =>
    list?.length === count
      ? list
      : unsupported(`attribute \`${name}\` has not ${count} values, as nodes_featureids has`)
  const kinds = perNode("nodes_modes", tensorOf(call, "nodes_modes"))
  const splits = perNode("nodes_splits", tensorOf(call, "nodes_splits"))
  const [whenTrue, whenFalse] = ["nodes_truenodeids", "nodes_falsenodeids"].map((name) =>
    perNode(name, call.integerList(name)),
  )
  const [trueLeafs, falseLeafs] = ["nodes_trueleafs", "nodes_falseleafs"].map((name) =>
    perNode(name, call.integerList(name)),
  )
  const missing = call.integerList("nodes_missing_value_tracks_true") ?? []
  if (missing.length > 0) perNode("nodes_missing_value_tracks_true", missing)
  const [ids, weights] = [call.integerList("leaf_targetids") ?? [], tensorOf(call, "leaf_weights") ?? []]
  if (ids.length !== weights.length)
    unsupported("attributes `leaf_targetids` and `leaf_weights` differ in length")
  const members = membersOf(call, kinds)
  const childOf = (at: number, isLeaf: boolean): Child => {
    if (!(at >= 0 && at < (isLeaf ? ids.length : count)))
      unsupported(`there is no ${isLeaf ? "leaf" : "node"} ${at}`)
    return isLeaf ? { leaf: [weightOf(ids[at], weights[at], targets)] } : { node: at }
  }
  const roots = call.integerList("tree_roots") ?? []
  if (roots.length === 0) unsupported("an ensemble without trees")
  return walked(
    call,
    roots.map((root) => childOf(root, false)),
    (i) => ({
      feature: features[i],
      mode: modes[kinds[i]] ?? refuseMode(kinds[i]),
      values: members.get(i) ?? [splits[i]],
      missing: missing[i] === 1,
      children: () => [childOf(whenTrue[i], trueLeafs[i] === 1), childOf(whenFalse[i], falseLeafs[i] === 1)],
    }),
  )
}

const tensorOf = (call: Call, name: string): readonly number[] | undefined => {
  const tensor = call.tensor(name)
  return tensor && Array.from(tensor.data)
}

/** The sets of MEMBER branches, in the order of the branches; NaN ends each. */
function membersOf(call: Call, kinds: readonly number[]): Map<number, number[]> {
  const values = tensorOf(call, "membership_values") ?? []
  const sets: number[][] = [[]]
  for (const value of values) {
    if (Number.isNaN(value)) sets.push([])
    else sets[sets.length - 1].push(value)
  }
  const branches = kinds.flatMap((kind, i) => (modes[kind] === "MEMBER" ? [i] : []))
  if (branches.length > sets.length)
    unsupported(`sets of ${show(branches)} are missing from \`membership_values\``)
  return new Map(branches.map((i, at) => [i, sets[at]]))
}
