/**
 * How near samples come to a tie. Where a model decides (which output is largest, whether one number exceeds another),
 * quantization changes nothing or all: a decision comes out otherwise only where the float model all but has a tie. So
 * accuracy on samples says little of a model whose margins are small, and the margins say more.
 */
import type { ArgmaxNode, Program, RealNode, StepNode, TensorId } from "../ops/program.js"
import type { IntGraph } from "./integers/intgraph.js"

/** The largest element of the first output against the next. */
export interface OutputMargin {
  readonly output: string
  /** Least difference of the two largest elements, over all samples, in units of the output. */
  readonly least: number
  /** Samples on which they differ by no more than twice the largest error of this output, which could exchange them. */
  readonly near: number
}

/** Decisions inside of the model: comparisons with what depends on the input, and positions of maxima. */
export interface DecisionMargin {
  readonly node: string
  readonly operator: string
  /** Over all samples. */
  readonly decisions: number
  /** Those whose sides differ by no more than 2^−w of the largest difference seen: about a step of w bits. */
  readonly near: number
  /** Those that the integer model takes otherwise; null where it has no such tensor of its own. */
  readonly changed: number | null
}

type Deciding = StepNode | ArgmaxNode
type Values = ReadonlyMap<TensorId, Float64Array>

const isDeciding = (node: RealNode): node is Deciding => node.kind === "step" || node.kind === "argmax"

/** Difference of the two largest of some numbers. */
function lead(xs: Iterable<number>): number {
  let [first, second] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const x of xs) {
    if (x > first) [first, second] = [x, first]
    else if (x > second) second = x
  }
  return first - second
}

/** How far each decision of a node is from a tie. */
function* leads(node: Deciding, source: Float64Array): Iterable<number> {
  if (node.kind === "step") {
    for (const x of source) yield Math.abs(x)
    return
  }
  for (let i = 0; i < node.map.length; i += node.window)
    yield lead(Array.from(node.map.subarray(i, i + node.window), (from) => source[from]))
}

/** Sizes by their binary logarithms, in eighths: what is told of them needs no more, and there may be very many. */
class Sizes {
  readonly #counts = new Map<number, number>()
  #largest = 0
  #count = 0

  add(size: number): void {
    // the only element of a window has no next
    if (!Number.isFinite(size)) return
    const bucket = size === 0 ? Number.NEGATIVE_INFINITY : Math.floor(8 * Math.log2(size))
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + 1)
    this.#largest = Math.max(this.#largest, size)
    this.#count++
  }

  get count(): number {
    return this.#count
  }

  /** How many are at most a 2^bits-th of the largest, about. */
  within(bits: number): number {
    const most = Math.floor(8 * (Math.log2(this.#largest) - bits))
    return [...this.#counts].reduce((sum, [bucket, count]) => (bucket <= most ? sum + count : sum), 0)
  }
}

/** Collects margins, sample by sample. */
export class Margins {
  readonly #program: Program
  readonly #precision: number
  readonly #outputs: number[] = []
  readonly #decisions: {
    readonly node: Deciding
    readonly integer: TensorId | undefined
    readonly sizes: Sizes
    changed: number
  }[]

  constructor(program: Program, graph: IntGraph) {
    this.#program = program
    this.#precision = graph.precision
    const integers = namesOf(
      graph.nodes.filter((node) => node.kind === "argmax" || (node.kind === "rescale" && node.bits === 1)),
      graph.tensors,
    )
    const nodes = program.nodes.filter(isDeciding)
    const reals = namesOf(nodes, program.tensors)
    this.#decisions = nodes.map((node) => {
      const { name } = program.tensors[node.out]
      // names repeat where an operator lowers to several nodes: they correspond if there are as many
      const [own, theirs] = [reals.get(name) ?? [], integers.get(name) ?? []]
      const integer = own.length === theirs.length ? theirs[own.indexOf(node.out)] : undefined
      return { node, integer, sizes: new Sizes(), changed: 0 }
    })
  }

  /** The tensors that are looked at. */
  get reads(): { readonly real: readonly TensorId[]; readonly integer: readonly TensorId[] } {
    const nodes = this.#decisions.flatMap(({ node }) => [node.source, node.out])
    return {
      real: [this.#program.outputs[0].tensor, ...nodes],
      integer: this.#decisions.flatMap(({ integer }) => integer ?? []),
    }
  }

  add(real: Values, integers: Values): void {
    const first = real.get(this.#program.outputs[0].tensor)
    if (first && first.length > 1) this.#outputs.push(lead(first))
    for (const decision of this.#decisions) {
      const { node, integer } = decision
      const source = real.get(node.source)
      if (source) for (const size of leads(node, source)) decision.sizes.add(size)
      const [exact, got] = [real.get(node.out), integer === undefined ? undefined : integers.get(integer)]
      if (exact && got) decision.changed += got.filter((x, i) => x !== exact[i]).length
    }
  }

  /** `maxError`: the largest error of the first output. */
  output(maxError: number): OutputMargin | null {
    if (this.#outputs.length === 0) return null
    return {
      output: this.#program.outputs[0].name,
      least: this.#outputs.reduce((a, b) => Math.min(a, b)),
      near: this.#outputs.filter((size) => size <= 2 * maxError).length,
    }
  }

  decisions(): DecisionMargin[] {
    return this.#decisions.map(({ node, integer, sizes, changed }) => ({
      node: node.origin.name,
      operator: node.origin.operator,
      decisions: sizes.count,
      near: sizes.within(this.#precision),
      changed: integer === undefined ? null : changed,
    }))
  }
}

function namesOf(
  nodes: readonly { readonly out: TensorId }[],
  tensors: readonly { readonly name: string }[],
): ReadonlyMap<string, TensorId[]> {
  const names = new Map<string, TensorId[]>()
  for (const { out } of nodes) names.set(tensors[out].name, [...(names.get(tensors[out].name) ?? []), out])
  return names
}
