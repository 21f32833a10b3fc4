/**
 * Which nodes lose most. An integer tensor differs from the float one by what its own node introduced and by what it
 * inherited, and only the first tells where to look. So each node of the real program is computed in doubles from the
 * integers that the integer model has before it, and compared with the integers that it has after it: the difference is
 * the node's own, its rounded weights, its rounding and what it cuts off. What that does to the result is told by
 * adding the difference to the float model's tensor, with everything else exact, and looking at the outputs.
 */
import { invariant, type OnProgress } from "../errors.js"
import { evaluate } from "../ops/evaluate.js"
import { productsOf } from "../ops/linearmap.js"
import { type Origin, type Program, type RealNode, sizeOf, type TensorId } from "../ops/program.js"
import { sourcesOf } from "../ops/traversal.js"
import type { Sample } from "./calibration/calibrate.js"
import type { IntGraph } from "./integers/intgraph.js"
import { quantizeInput, runInteger } from "./integers/run.js"
import type { Calibrated, Quantized } from "./stands.js"

export interface NodeLoss {
  readonly node: string
  readonly operator: string
  /** Root mean square of the error that the node introduces, relative to that of its values. */
  readonly introduced: number
  /** Its part in the squared error of the outputs, among all nodes, each alone; all parts are 1 together. */
  readonly share: number
  /** Root mean square of the error that it alone causes in the outputs, relative to their range: the largest. */
  readonly effect: number
}

/** Multiplications that may be spent on effects, samples that are looked at, and nodes whose effect is found in any case. */
const mostWork = 2 ** 31
const mostSamples = 16
const leastNodes = 5

type Values = Map<TensorId, Float64Array>

interface LossOptions {
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Loss by node of the model, the largest part first; `ranges` are those of the outputs. Of a model that is too large for
 * the effect of every node to be found, only nodes that introduce most are told.
 */
export function nodeLosses(
  { program }: Pick<Calibrated, "program">,
  quantized: Quantized,
  samples: readonly Sample[],
  ranges: readonly number[],
  { onProgress, signal }: LossOptions = {},
): NodeLoss[] {
  const affordable = Math.floor(mostWork / Math.max(1, workOf(program)))
  const each = Math.floor(affordable / program.nodes.length)
  const count = Math.max(1, Math.min(samples.length, mostSamples, each))
  const step = samples.length / count
  const readers = readersByTensor(program)
  const found = new Map<string, Sums>()
  for (let i = 0; i < count; i++) {
    const sample = samples[Math.floor(i * step)]
    const real = evaluate(program, sample)
    const own = new OwnErrors(program, quantized, real, sample)
    const errors = program.nodes.flatMap((node) => {
      signal?.throwIfAborted()
      const error = own.of(node)
      return error ? [{ node, error, size: relativeSize(error, valuesOf(real, node.out)) }] : []
    })
    const told =
      each >= 1 ? errors : errors.sort((x, y) => y.size - x.size).slice(0, Math.max(leastNodes, affordable))
    for (const [done, { node, error }] of told.entries()) {
      signal?.throwIfAborted()
      onProgress?.({
        stage: "find what loses most",
        done: i * told.length + done,
        total: count * told.length,
      })
      const sums = sumsOf(found, node.origin, program.outputs.length)
      sums.add(error, valuesOf(real, node.out))
      const changed = propagated(program, readers, real, node.out, error)
      program.outputs.forEach(({ tensor }, output) => {
        const [exact, moved] = [valuesOf(real, tensor), changed.get(tensor)]
        if (moved)
          sums.effects[output] += moved.reduce((sum, x, j) => sum + (x - exact[j]) ** 2, 0) / exact.length
      })
    }
  }
  const relative = (sums: Sums) => sums.effects.map((sum, i) => sum / count / ranges[i] ** 2)
  const total = [...found.values()].reduce((sum, sums) => sum + Math.max(...relative(sums)), 0)
  return [...found.values()]
    .map((sums): NodeLoss => {
      const effect = Math.max(...relative(sums))
      const { name, operator } = sums.origin
      const share = total > 0 ? effect / total : 0
      return { node: name, operator, introduced: sums.introduced, share, effect: Math.sqrt(effect) }
    })
    .sort((x, y) => y.share - x.share || y.introduced - x.introduced)
}

/** Root of the summed squares of an error, relative to those of values. */
const relativeSize = (error: Float64Array, values: Float64Array): number =>
  Math.sqrt(error.reduce((sum, x) => sum + x * x, 0) / (values.reduce((sum, x) => sum + x * x, 0) || 1))

const valuesOf = (values: ReadonlyMap<TensorId, Float64Array>, id: TensorId): Float64Array => {
  const found = values.get(id)
  invariant(found, `tensor ${id} was not evaluated`)
  return found
}

/** Steps that running a program takes. */
export const workOf = ({ nodes, tensors }: Program): number =>
  nodes.reduce((sum, node) => {
    const size = sizeOf(tensors[node.out].shape)
    if (node.kind === "linear") return node.terms.reduce((all, { map }) => all + productsOf(map), sum + size)
    return sum + (node.kind === "contraction" ? size * node.k : size)
  }, 0)

/** What is added up for the nodes of one origin. */
class Sums {
  readonly effects: number[]
  #error = 0
  #signal = 0
  constructor(
    readonly origin: Origin,
    outputs: number,
  ) {
    this.effects = new Array<number>(outputs).fill(0)
  }

  add(error: Float64Array, exact: Float64Array): void {
    for (const x of error) this.#error += x * x
    for (const x of exact) this.#signal += x * x
  }

  get introduced(): number {
    return Math.sqrt(this.#error / (this.#signal || 1))
  }
}

function sumsOf(all: Map<string, Sums>, origin: Origin, outputs: number): Sums {
  const key = `${origin.operator}\n${origin.name}`
  const sums = all.get(key) ?? new Sums(origin, outputs)
  all.set(key, sums)
  return sums
}

/** Errors that nodes introduce on one sample. */
class OwnErrors {
  readonly #program: Program
  readonly #real: Values
  readonly #made: ReadonlyMap<TensorId, RealNode>
  /** Real values of the integer tensors that stand for a tensor. */
  readonly #standing: ReadonlyMap<TensorId, readonly Float64Array[]>
  readonly #local = new Map<string, Float64Array>()

  constructor(program: Program, { graph, stands }: Quantized, real: Values, sample: Sample) {
    this.#program = program
    this.#real = real
    this.#made = new Map(program.nodes.map((node) => [node.out, node]))
    const integers = runInteger(graph, quantizeInput(graph, sample, { clampInputs: true }))
    const ranked = ranks(program)
    this.#standing = new Map(
      [...stands]
        .filter(([id]) => !ranked.has(id))
        .map(([id, ids]) => [id, ids.map((each) => scaled(graph, integers, each))]),
    )
  }

  /** What a node adds to the values that it would have; undefined if nothing stands for it, or it adds nothing. */
  of(node: RealNode): Float64Array | undefined {
    const standing = this.#standing.get(node.out)
    if (!standing) return undefined
    const got = standing[standing.length - 1]
    // which of several tensors a node reads follows from which of them it fits better
    const tries = ([0, 1] as const).map((choice) => this.#apply(node, choice))
    // where a function is undefined on what stands for its argument, the float model's value is what it should be
    const real = valuesOf(this.#real, node.out)
    const errors = tries.map((exact) =>
      got.map((x, i) => x - (Number.isFinite(exact[i]) ? exact[i] : real[i])),
    )
    const sizes = errors.map((error) => error.reduce((sum, x) => sum + x * x, 0))
    const least = sizes[0] <= sizes[1] ? 0 : 1
    return sizes[least] > 0 ? errors[least] : undefined
  }

  /** The values of a node, computed from those that stand for what it reads. */
  #apply(node: RealNode, choice: 0 | 1): Float64Array {
    if (node.kind === "input") return valuesOf(this.#real, node.out)
    const { tensors } = this.#program
    const sources = [...new Set(sourcesOf(node))]
    const given = Object.fromEntries(sources.map((id) => [`${id}`, this.#source(id, choice)]))
    const inputs = sources.map(
      (out) => ({ kind: "input", name: `${out}`, out, origin: node.origin }) as const,
    )
    return valuesOf(evaluate({ tensors, nodes: [...inputs, node] }, given), node.out)
  }

  #source(id: TensorId, choice: 0 | 1): Float64Array {
    const standing = this.#standing.get(id)
    if (standing) return standing[Math.min(choice, standing.length - 1)]
    const key = `${id}:${choice}`
    const known = this.#local.get(key)
    if (known) return known
    const node = this.#made.get(id)
    invariant(node, `tensor ${id} is made by no node`)
    const values = this.#apply(node, choice)
    this.#local.set(key, values)
    return values
  }
}

const scaled = (graph: IntGraph, integers: Values, id: TensorId): Float64Array =>
  valuesOf(integers, id).map((x) => x * graph.tensors[id].scale)

/** Tensors whose integers are ranks, which are no multiples of what they stand for, and exact. */
function ranks({ nodes, inputs }: Program): ReadonlySet<TensorId> {
  const ranked = new Set(inputs.flatMap(({ tensor, ranks }) => (ranks ? [tensor] : [])))
  for (const node of nodes)
    if (node.kind === "index" && node.sources.length > 0 && node.sources.every((id) => ranked.has(id)))
      ranked.add(node.out)
  return ranked
}

function readersByTensor({ nodes }: Program): ReadonlyMap<TensorId, readonly RealNode[]> {
  const readers = new Map<TensorId, RealNode[]>()
  for (const node of nodes)
    for (const id of new Set(sourcesOf(node))) readers.set(id, [...(readers.get(id) ?? []), node])
  return readers
}

/** Values of the tensors that change when an error is added to one. */
function propagated(
  { tensors, nodes }: Program,
  readers: ReadonlyMap<TensorId, readonly RealNode[]>,
  real: Values,
  from: TensorId,
  error: Float64Array,
): Values {
  const behind = new Set<RealNode>()
  const reach = [from]
  for (const id of reach)
    for (const node of readers.get(id) ?? [])
      if (!behind.has(node)) {
        behind.add(node)
        reach.push(node.out)
      }
  const part = nodes.filter((node) => behind.has(node))
  const made = new Set(part.map(({ out }) => out))
  const given = new Set([from, ...part.flatMap((node) => sourcesOf(node).filter((id) => !made.has(id)))])
  const inputs = [...given].map(
    (out) => ({ kind: "input", name: `${out}`, out, origin: { name: "", operator: "" } }) as const,
  )
  const moved = valuesOf(real, from).map((x, i) => x + error[i])
  const values = Object.fromEntries(
    [...given].map((id) => [`${id}`, id === from ? moved : valuesOf(real, id)]),
  )
  return evaluate({ tensors, nodes: [...inputs, ...part] }, values)
}
