/**
 * Where the numbers of a program come from: a program and its twins, made of the same model with other weights
 * (../ops/twins.ts), are compared number by number. What differs between them is made of weights. That may be the
 * coefficients and biases of linear maps; anything else would put weights where everybody sees them, and is refused, all of
 * it at once.
 */
import { ModelError, type Problem } from "../errors.js"
import { ofWeights, weightsOf } from "../ops/linearmap.js"
import type { LinearMap, LinearNode, Program, RealNode, TensorId } from "../ops/program.js"
import { diagonalOf } from "../ops/scaling.js"

/** Elements that share a number: element i has number floor(i / inner) mod count. */
export interface Shared {
  readonly count: number
  readonly inner: number
}

/** What of a linear node is made of weights. */
export interface Provenance {
  /** For each term, whether its coefficients are. */
  readonly terms: readonly boolean[]
  /** Biases, if they are. */
  readonly bias?: Shared
}

/** By tensor, of the linear nodes that have something. */
export type Provenances = ReadonlyMap<TensorId, Provenance>

/**
 * A program and what in it is made of weights. Elements that one weight scales, as a normalization does those of a channel,
 * become a map that has it once.
 * @throws ModelError for weights that would show, with every node where they would
 */
export function traced(
  program: Program,
  twins: readonly Program[],
): { readonly program: Program; readonly secrets: Provenances } {
  const problems: Problem[] = []
  const secrets = new Map<TensorId, Provenance>()
  const lined = twins.every(
    (twin) => twin.nodes.length === program.nodes.length && isEqual(shapesOf(twin), shapesOf(program)),
  )
  const isShown = twins.some(
    (twin) => !isEqual(twin.inputs, program.inputs) || !isEqual(twin.outputs, program.outputs),
  )
  const nodes: RealNode[] = []
  for (const [i, node] of program.nodes.entries()) {
    const others = twins.map((twin) => twin.nodes[i])
    const found = node.kind === "linear" ? tracedNode(node, others) : undefined
    const reason = found
      ? found.reason
      : others.every((other) => isEqual(other, node))
        ? undefined
        : reasonOf(node, others)
    if (reason !== undefined) {
      const { name, operator } = node.origin
      problems.push({ node: name, operator, where: `node \`${name}\`, operator \`${operator}\``, reason })
      // from there on nodes may be others
      if (!lined) break
    }
    if (found?.provenance) secrets.set(node.out, found.provenance)
    nodes.push(found?.node ?? node)
  }
  if (problems.length === 0 && !lined) problems.push({ reason: decides })
  if (problems.length === 0 && isShown)
    problems.push({ reason: "numbers of the file say what its inputs or outputs are" })
  if (problems.length > 0) {
    throw new ModelError(
      {
        what: "the model cannot have private weights:",
        where: program.name === "" ? "model" : `model \`${program.name}\``,
        fix: "Private are the coefficients and biases of linear layers; anything else of the file would show. Compile it with fixed weights, or cut the model with option `outputs`",
      },
      problems,
    )
  }
  return { program: { ...program, nodes }, secrets }
}

const shapesOf = ({ tensors }: Program) => tensors.map(({ shape }) => shape)

const decides = "what the weights are decides what is computed"

/** Why a node may not depend on weights. */
function reasonOf(node: RealNode, others: readonly (RealNode | undefined)[]): string {
  if (!others.every((other) => other?.kind === node.kind)) return decides
  if (node.kind === "clamp") return "its limits are numbers of the file"
  if (node.kind === "compare") return "the numbers that it compares with are the file's"
  if (node.kind === "function") return "its function is made of numbers of the file"
  if (node.kind === "rows") return "its table is the file's"
  if (node.kind === "index") return "the numbers that it fills in are the file's"
  return decides
}

interface Found {
  readonly reason?: string
  readonly node?: LinearNode
  readonly provenance?: Provenance
}

function tracedNode(node: LinearNode, others: readonly (RealNode | undefined)[]): Found {
  const twins = others.filter((other) => other?.kind === "linear")
  const { terms, bias, origin: _, ...rest } = node
  const isAlike = (twin: LinearNode) => {
    const { terms: _t, bias: _b, origin: _o, ...others } = twin
    return (
      isEqual(others, rest) &&
      twin.terms.length === terms.length &&
      twin.terms.every(
        (term, t) =>
          term.source === terms[t].source &&
          isEqual(ofWeights(term.map, nothing), ofWeights(terms[t].map, nothing)) &&
          weightsOf(term.map).length === weightsOf(terms[t].map).length,
      )
    )
  }
  if (twins.length < others.length || !twins.every(isAlike)) return { reason: decides }
  const made = terms.map(({ map }, t) =>
    twins.some((twin) => !isEqual(weightsOf(twin.terms[t].map), weightsOf(map))),
  )
  const size = (bias ?? twins.find((twin) => twin.bias)?.bias)?.length ?? 0
  // no bias and one of zeros are the same
  const biases = [node, ...twins].map((each) => each.bias ?? new Float64Array(size))
  const isMade = biases.some((other) => !isEqual(other, biases[0]))
  if (!isMade && !made.includes(true)) return {}
  if (node.unit !== undefined || node.floats) return { reason: "it is computed as floats or integers are" }
  const shared = isMade ? sharedBy(biases) : undefined
  const compacted = terms.map((term, t) =>
    made[t]
      ? {
          ...term,
          map: compact(
            term.map,
            twins.map((twin) => twin.terms[t].map),
          ),
        }
      : term,
  )
  return {
    node: { ...node, terms: compacted, ...(isMade && { bias: biases[0] }) },
    provenance: { terms: made, ...(shared && { bias: shared }) },
  }
}

const nothing = new Float64Array(0)

/** A diagonal map whose factors repeat, as one that has each once. */
function compact(map: LinearMap, twins: readonly LinearMap[]): LinearMap {
  const factors = diagonalOf(map)
  if (!factors) return map
  const { count, inner } = sharedBy([factors, ...twins.map(weightsOf)])
  if (count === factors.length) return map
  return {
    kind: "conv",
    weight: Float64Array.from({ length: count }, (_, i) => factors[i * inner]),
    n: factors.length / (count * inner),
    groups: count,
    inChannels: count,
    outChannels: count,
    inSize: [inner],
    kernel: [1],
    outSize: [inner],
    strides: [1],
    padsBegin: [0],
    dilations: [1],
  }
}

/** The fewest numbers that all these lists may share among their elements. */
export function sharedBy(lists: readonly Float64Array[]): Shared {
  const { length } = lists[0]
  let inner = length
  for (const list of lists)
    for (let i = 1; i < length && inner > 1; i++) if (list[i] !== list[i - 1]) inner = divisor(inner, i)
  const blocks = length / inner
  for (let count = 1; count < blocks; count++) {
    if (blocks % count !== 0) continue
    const repeats = lists.every((list) => {
      for (let i = count * inner; i < length; i += inner)
        if (list[i] !== list[i - count * inner]) return false
      return true
    })
    if (repeats) return { count, inner }
  }
  return { count: blocks, inner }
}

/** Greatest common divisor. */
function divisor(a: number, b: number): number {
  while (b > 0) [a, b] = [b, a % b]
  return a
}

/** Whether two values are the same in all their members. */
function isEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) {
    const [x, y] = [a as Float64Array, b as Float64Array]
    if (x.constructor !== y.constructor || x.length !== y.length) return false
    for (let i = 0; i < x.length; i++)
      if (x[i] !== y[i] && !(Number.isNaN(x[i]) && Number.isNaN(y[i]))) return false
    return true
  }
  const [x, y] = [Object.entries(a), Object.entries(b)]
  return (
    x.length === y.length &&
    x.every(([name, value]) => Object.hasOwn(b, name) && isEqual(value, (b as Record<string, unknown>)[name]))
  )
}
