/**
 * A policy's limits and margin as one more output of the integer model: a bit that is 1 exactly if the answer is within
 * the policy document. The circuit then proves it of inputs and outputs that the statement does not show.
 *
 * With [s ≥ 1] = clamp((s + 1) >> 1, 0, 1) for any integer s, and the integers that limits mean (attest/bounds.ts),
 *
 *     kept_t = [1 − v ≥ 1]             v = max over elements of tensor t of  least − x  and  x − most
 *     near_j = [m − M + y_j ≥ 1]       M = max of y, m the margin in steps: y_j is less than m below the largest
 *     bit    = [1 − n ≥ 1]             n = Σ_t (1 − kept_t) + Σ_j near_j − 1
 *
 * Some y_j is M itself, so Σ near_j is at least 1, and n is never negative: it counts what does not hold, and two that
 * share the maximum are near it both. Everything is made of the primitives that models are made of, so bounds, planner,
 * circuit, audit and digest know it without being told. Elements that cannot break a limit take part in nothing.
 */
import { checkThing } from "../arguments.js"
import { type IntegerLimit, integerLimits, steps, tensorOf, together } from "../attest/bounds.js"
import { documentDigest, type PolicyDocument, parseDocument } from "../attest/document.js"
import { predicateName } from "../attest/predicate.js"
import { ModelError, UsageError } from "../errors.js"
import type { IntNode, LinearMap, TensorId } from "../ops/program.js"
import { modelDigest } from "../quantize/canonical/digest.js"
import { hull, nodeBounds } from "../quantize/integers/bounds.js"
import type { IntGraph, IntTensor } from "../quantize/integers/intgraph.js"
import { layoutOf, predicateIn, predicateOperator } from "./layout.js"

/**
 * The model with the predicate of a document as its first output.
 * @throws FileError for a malformed document; UsageError if it does not fit the model, says nothing that an answer of the
 * model could break, or something that none keeps; ModelError if its integers would outgrow exact arithmetic
 */
export function withPredicate(graph: IntGraph, given: PolicyDocument): IntGraph {
  checkThing("model", graph, "graph")
  const document = parseDocument(given)
  const name = predicateName(documentDigest(document))
  if (predicateIn(graph) !== null)
    throw new UsageError({
      what: "the model proves a policy already",
      given: graph.outputs[0].name,
      fix: "Begin with the model as it was quantized",
    })
  const layout = layoutOf(graph, "hidden", "public")
  const limits = integerLimits(document, layout)
  const entries = { input: graph.inputs, output: graph.outputs }
  const added = new Predicate(graph, name)
  const limited = (["output", "input"] as const).flatMap((side) =>
    entries[side].flatMap(({ tensor }, index) =>
      added.violation(
        tensor,
        limits.filter((limit) => limit.side === side && limit.index === index),
      ),
    ),
  )
  const near = document.abstain ? nearest(added, document.abstain, graph, layout) : null
  const bit = added.bit(limited, near)
  const [least, most] = bit === null ? [1, 1] : hull(added.tensors[bit])
  if (bit === null || least === 1)
    throw new UsageError({
      what: "there is nothing to prove: every answer of the model is within the policy",
      expected: "a limit or a margin that an answer could break",
    })
  if (most === 0) throw new UsageError({ what: "no answer of the model is within the policy" })
  const { tensors, nodes } = added
  return { ...graph, tensors, nodes, outputs: [{ name, tensor: bit }, ...graph.outputs] }
}

/** For each element of the output with the margin whether it is near the largest; null if there is nothing to ask. */
function nearest(
  added: Predicate,
  { tensor: name, margin }: NonNullable<PolicyDocument["abstain"]>,
  graph: IntGraph,
  layout: ReturnType<typeof layoutOf>,
): TensorId | null {
  const { tensor, index } = tensorOf(layout, "output", name)
  const m = steps(margin, tensor.scale).ceil
  const source = graph.outputs[index].tensor
  const [least, most] = hull(graph.tensors[source])
  if (m <= 0n || graph.tensors[source].lo.length < 2) return null
  if (m > BigInt(most) - BigInt(least))
    throw new UsageError({
      what: "no answer of the model is within the policy",
      where: `margin of output ${JSON.stringify(name)}`,
      expected: `at most ${(most - least) * tensor.scale}`,
      given: `${margin}`,
    })
  return added.near(source, Number(m))
}

/**
 * The model that a predicate was added to, if it is that of a document, node by node.
 * @returns the digest of the model without it, or in words why it is not that predicate
 * @throws FileError for a malformed document
 */
export function checkPredicate(
  graph: IntGraph,
  given: PolicyDocument,
): { readonly model: string } | { readonly problem: string } {
  checkThing("model", graph, "graph")
  const document = documentDigest(given)
  const said = predicateIn(graph)
  if (said === null) return { problem: "the model proves no policy" }
  if (said !== document) return { problem: `the model proves policy ${said}, not ${document}` }
  const first = graph.nodes.findIndex(({ origin }) => origin.name === predicateName(document))
  const nodes = graph.nodes.slice(0, first)
  const tensors = graph.tensors.slice(0, first)
  const bare = { ...graph, nodes, tensors, outputs: graph.outputs.slice(1) }
  const other = { problem: `the circuit's predicate is not that of policy ${document}` }
  const isWhole = [...nodes.map(({ out }) => out), ...bare.outputs.map(({ tensor }) => tensor)].every(
    (tensor) => tensor < first,
  )
  if (!isWhole || bare.outputs.length === 0) return other
  try {
    if (modelDigest(withPredicate(bare, given)) !== modelDigest(graph)) return other
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof ModelError)) throw error
    return { problem: `${other.problem}: ${error.message}` }
  }
  return { model: modelDigest(bare) }
}

type Row = readonly [terms: readonly (readonly [column: number, weight: number])[], bias: number]
type WithoutOut<T> = T extends unknown ? Omit<T, "out" | "origin"> : never

/** A model to which nodes are added, with their bounds. */
class Predicate {
  readonly tensors: IntTensor[]
  readonly nodes: IntNode[]
  readonly #origin: IntNode["origin"]

  constructor({ tensors, nodes }: IntGraph, name: string) {
    this.tensors = [...tensors]
    this.nodes = [...nodes]
    this.#origin = { name, operator: predicateOperator }
  }

  /** v of a tensor, and nothing if no element can break its limits. */
  violation(tensor: TensorId, limits: readonly IntegerLimit[]): readonly TensorId[] {
    if (limits.length === 0) return []
    const { lo, hi } = this.tensors[tensor]
    const limitOf = together(limits)
    const rows: Row[] = []
    for (let i = 0; i < lo.length; i++) {
      const limit = limitOf(i)
      if (limit === null) continue
      if (lo[i] < limit.least) rows.push([[[i, -1]], limit.least])
      if (hi[i] > limit.most) rows.push([[[i, 1]], -limit.most + 0])
    }
    if (rows.length === 0) return []
    return [this.#max(this.#linear([tensor], rows), rows.length)]
  }

  /** near_j of a tensor with the margin of m steps. */
  near(tensor: TensorId, m: number): TensorId {
    const size = this.tensors[tensor].lo.length
    const largest = this.#max(tensor, size)
    const rows = Array.from(
      { length: size },
      (_, j): Row => [
        [
          [j, 1],
          [size, -1],
        ],
        m,
      ],
    )
    return this.#atLeastOne([tensor, largest], rows)
  }

  /** The bit itself; null if there is nothing that it depends on. */
  bit(violations: readonly TensorId[], near: TensorId | null): TensorId | null {
    if (violations.length === 0 && near === null) return null
    const kept =
      violations.length === 0
        ? null
        : this.#atLeastOne(
            violations,
            violations.map((_, t): Row => [[[t, -1]], 1]),
          )
    if (kept !== null && violations.length === 1 && near === null) return kept
    const sources = [kept, near].filter((tensor) => tensor !== null)
    const sizes = sources.map((tensor) => this.tensors[tensor].lo.length)
    const terms = Array.from(
      { length: sizes.reduce((a, b) => a + b) },
      (_, i) => [i, kept !== null && i < violations.length ? 1 : -1] as const,
    )
    return this.#atLeastOne(sources, [[terms, 1 - violations.length + (near === null ? 0 : 1)]])
  }

  /** [s ≥ 1] for each row s over the elements of some tensors together. */
  #atLeastOne(sources: readonly TensorId[], rows: readonly Row[]): TensorId {
    const source = this.#linear(
      sources,
      rows.map(([terms, bias]): Row => [terms, bias + 1]),
    )
    return this.#add({ kind: "rescale", source, shift: 1, lo: 0, bits: 1 }, rows.length)
  }

  #linear(sources: readonly TensorId[], rows: readonly Row[]): TensorId {
    let first = 0
    const terms = sources.map((source) => {
      const [from, to] = [first, first + this.tensors[source].lo.length]
      first = to
      return { source, map: sparse(rows, from, to) }
    })
    return this.#add(
      { kind: "linear", terms, bias: Float64Array.from(rows, ([, bias]) => bias) },
      rows.length,
    )
  }

  #max(source: TensorId, size: number): TensorId {
    return this.#add(
      { kind: "max", source, window: size, map: Int32Array.from({ length: size }, (_, i) => i) },
      1,
    )
  }

  #add(node: WithoutOut<IntNode>, size: number): TensorId {
    const out = this.tensors.length
    const whole = { ...node, out, origin: this.#origin } as IntNode
    const bounds = nodeBounds(
      whole,
      (id) => this.tensors[id],
      size,
      undefined,
      (id) => this.nodes[id],
    )
    this.nodes.push(whole)
    this.tensors.push({ name: `${this.#origin.name}:${out}`, shape: [size], scale: 1, ...bounds })
    return out
  }
}

/** The columns [from, to) of some rows. */
function sparse(rows: readonly Row[], from: number, to: number): LinearMap {
  const own = rows.map(([terms]) => terms.filter(([column]) => column >= from && column < to))
  const rowPtr = new Uint32Array(rows.length + 1)
  own.forEach((terms, row) => {
    rowPtr[row + 1] = rowPtr[row] + terms.length
  })
  const flat = own.flat()
  return {
    kind: "sparse",
    rowPtr,
    columns: Uint32Array.from(flat, ([column]) => column - from),
    values: Float64Array.from(flat, ([, weight]) => weight),
  }
}
