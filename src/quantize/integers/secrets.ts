/**
 * The secret half of an integer model. Its linear nodes say which of their integers are secret, and the range that each
 * of these is in; everything else is the *architecture*, which anyone may have. Here is the one order of the secret
 * integers: node by node as the graph has them, of each node the weights of one term after the other, in the map's own
 * order and each once however often it is used, and then its distinct biases.
 */
import { checkArgument, checkThing } from "../../arguments.js"
import { CountersignError, FileError, invariant } from "../../errors.js"
import { ofWeights, weightCount, weightsOf } from "../../ops/linearmap.js"
import { type IntNode, type LinearNode, type Secret, sizeOf, type Window } from "../../ops/program.js"
import type { IntGraph } from "./intgraph.js"

/** A linear node of which something is secret. */
export type SecretNode = LinearNode & { readonly secret: Secret }

export const isSecret = (node: IntNode): node is SecretNode => node.kind === "linear" && !!node.secret

/** Whether a model has secrets, here or elsewhere. */
export const isPrivate = ({ nodes }: Pick<IntGraph, "nodes">): boolean => nodes.some(isSecret)

/** A run of secret integers: the weights of a term of a node, or its biases. */
export interface SecretRun {
  readonly node: SecretNode
  /** Undefined for biases. */
  readonly term?: number
  readonly window: Window
  /** Where it begins among all, and how many there are. */
  readonly start: number
  readonly count: number
}

/** All runs of secret integers, in order. */
export function secretRuns({ nodes }: Pick<IntGraph, "nodes">): readonly SecretRun[] {
  const runs: SecretRun[] = []
  let start = 0
  const add = (node: SecretNode, window: Window, count: number, term?: number) => {
    runs.push({ node, window, start, count, ...(term !== undefined && { term }) })
    start += count
  }
  for (const node of nodes) {
    if (!isSecret(node)) continue
    const { weights, bias } = node.secret
    weights.forEach((window, term) => {
      if (window) add(node, window, weightCount(node.terms[term].map), term)
    })
    if (bias) add(node, bias, bias.count)
  }
  return runs
}

/** How many secret integers a model has. */
export function secretCount(graph: Pick<IntGraph, "nodes">): number {
  const last = secretRuns(graph).at(-1)
  return last ? last.start + last.count : 0
}

/** Whether the secrets of a model are in it; true of one that has none. */
export function hasSecrets(graph: IntGraph): boolean {
  checkThing("model", graph, "graph")
  return secretRuns(graph).every(({ node, term, count }) =>
    term === undefined ? node.bias !== undefined : weightsOf(node.terms[term].map).length === count,
  )
}

/** Throws the CountersignError of what takes the weights of a model, where only its architecture is known. */
export function needSecrets(graph: IntGraph, what: string): void {
  if (hasSecrets(graph)) return
  throw new CountersignError({
    what: `${what} takes the private weights of the model, and they are not here`,
    where: `model \`${graph.name}\``,
    fix: "Its owner has them (weights.secret); verification and audits need none",
  })
}

/** The secret integers of a model, in their order. @throws CountersignError where the model is without them */
export function secretsOf(graph: IntGraph): Float64Array {
  needSecrets(graph, "to list them")
  const all = new Float64Array(secretCount(graph))
  for (const { node, term, start, count } of secretRuns(graph)) {
    if (term !== undefined) {
      all.set(weightsOf(node.terms[term].map), start)
      continue
    }
    const { inner } = node.secret.bias ?? { inner: 1 }
    for (let i = 0; i < count; i++) all[start + i] = node.bias?.[i * inner] ?? 0
  }
  return all
}

/** The architecture of a model: the same graph without the secret integers; the graph itself if it has none. */
export function withoutSecrets(graph: IntGraph): IntGraph {
  checkThing("model", graph, "graph")
  if (!isPrivate(graph)) return graph
  const nodes = graph.nodes.map((node) => {
    if (!isSecret(node)) return node
    const { bias, terms, secret, ...rest } = node
    return {
      ...rest,
      terms: terms.map((term, t) =>
        secret.weights[t] ? { ...term, map: ofWeights(term.map, new Float64Array(0)) } : term,
      ),
      ...(bias && !secret.bias && { bias }),
      secret,
    }
  })
  return { ...graph, nodes }
}

/**
 * A model of an architecture and secret integers in their order.
 * @throws FileError for too many or too few, or one that is out of its range
 */
export function withSecrets(
  graph: IntGraph,
  secrets: ArrayLike<number>,
  where = "private weights",
): IntGraph {
  checkThing("model", graph, "graph")
  const isList = Array.isArray(secrets) || ArrayBuffer.isView(secrets)
  checkArgument(isList, "secrets", "a list of integers (`secretsOf`)", secrets)
  const expected = secretCount(graph)
  if (secrets.length !== expected)
    throw new FileError({
      what: "not as many private weights as the model has",
      where,
      expected: `${expected}`,
      given: `${secrets.length}`,
    })
  const given = new Map<SecretNode, Given>()
  for (const { node, term, window, start, count } of secretRuns(graph)) {
    const values = new Float64Array(count)
    for (let i = 0; i < count; i++) values[i] = within(secrets[start + i], window, node, where) + 0
    const found: Given = given.get(node) ?? { weights: new Map() }
    given.set(node, found)
    if (term === undefined) found.biases = values
    else found.weights.set(term, values)
  }
  const nodes = graph.nodes.map((node) => {
    const own = isSecret(node) ? given.get(node) : undefined
    if (!own || !isSecret(node)) return node
    const terms = node.terms.map((term, t) => {
      const weights = own.weights.get(t)
      return weights ? { ...term, map: ofWeights(term.map, weights) } : term
    })
    const { biases } = own
    if (!biases) return { ...node, terms }
    const { inner, count } = node.secret.bias ?? { inner: 1, count: 1 }
    const bias = new Float64Array(sizeOf(graph.tensors[node.out].shape))
    for (let i = 0; i < bias.length; i++) bias[i] = biases[Math.floor(i / inner) % count]
    return { ...node, terms, bias }
  })
  return { ...graph, nodes }
}

/** The secrets of a node: weights by term, and distinct biases. */
interface Given {
  readonly weights: Map<number, Float64Array>
  biases?: Float64Array
}

/** Without the number: what a message says may be read by others. */
function within(x: number, { lo, bits }: Window, { origin }: SecretNode, where: string): number {
  if (Number.isSafeInteger(x) && x >= lo && x < lo + 2 ** bits) return x
  throw new FileError({
    what: "a private weight is out of its range",
    where: `${where}, node \`${origin.name}\``,
    expected: `integers from ${lo} to ${lo + 2 ** bits - 1}`,
  })
}

/** The architecture with secrets drawn for it: what an audit runs that has none. */
export function withAnySecrets(graph: IntGraph, draw: (window: Window) => number): IntGraph {
  const all = new Float64Array(secretCount(graph))
  for (const { window, start, count } of secretRuns(graph))
    for (let i = 0; i < count; i++) all[start + i] = draw(window)
  invariant(all.every(Number.isSafeInteger), "a drawn weight is no integer")
  return withSecrets(graph, all)
}
