/** What quantization costs: the integer model against the real one on samples, output by output and node by node. */
import { checkArgument, checkOptions, checkThing } from "../arguments.js"
import { invariant, type OnProgress } from "../errors.js"
import {
  type IntNode,
  type Origin,
  type PerKind,
  type Program,
  perKind,
  type RescaleNode,
  type TensorId,
} from "../ops/program.js"
import { readersOf } from "../ops/traversal.js"
import { type BackendChoice, type Backends, part, withBackends } from "./backends/backends.js"
import type { Batch } from "./backends/batch.js"
import { flatSamples, type Nested } from "./calibration/nested.js"
import type { IntGraph, IntTensor } from "./integers/intgraph.js"
import { quantizeInput } from "./integers/run.js"
import { needSecrets } from "./integers/secrets.js"
import { classifierOf } from "./loss.js"
import { type DecisionMargin, Margins, type OutputMargin } from "./margins.js"

export interface OutputAccuracy {
  readonly name: string
  /** Largest and mean absolute difference to the real model, in units of the output. */
  readonly maxError: number
  readonly meanError: number
  /** The difference we report as tolerable on inputs like the samples: twice the largest seen plus one step. */
  readonly tolerance: number
}

export interface Accuracy {
  readonly samples: number
  /** Share of labels met by the class that the first output names (loss.ts); null without labels. */
  readonly float: number | null
  readonly integer: number | null
  /** Share of samples on which both models name the same class. */
  readonly agreement: number
  readonly outputs: readonly OutputAccuracy[]
  /** Per requantized tensor: elements that the real model has more than a step beyond the integer range. */
  readonly saturation: readonly {
    readonly tensor: string
    readonly node: string
    readonly count: number
    readonly share: number
  }[]
  /** How near to a tie the largest of the first output is; null if it has one element. */
  readonly margin: OutputMargin | null
  /** The same of comparisons and maxima inside of the model. */
  readonly decisions: readonly DecisionMargin[]
  /** Tensors by relative error (root mean square against the real tensor), worst first. */
  readonly losses: readonly { readonly tensor: string; readonly node: string; readonly error: number }[]
}

/** A tensor brought to w bits: by a rescale, or by a table and the rescale before it, if there is one. */
interface Requantized {
  readonly out: TensorId
  readonly origin: Origin
  readonly rescale: RescaleNode | undefined
  readonly isTable: boolean
}

/** What the integer graph says of how a node is read. */
interface Around {
  readonly rescales: ReadonlyMap<TensorId, RescaleNode>
  /** Tensors that something other than a table reads. */
  readonly readByOthers: ReadonlySet<TensorId>
}

const exact = () => undefined

/** The tensor that a node brings to w bits; what only tables read is not counted apart, for they know better what its ends lose. */
const requantizations: PerKind<IntNode, [around: Around], Requantized | undefined> = {
  input: exact,
  index: exact,
  linear: exact,
  max: exact,
  argmax: exact,
  product: exact,
  contraction: exact,
  quotient: exact,
  below: exact,
  sort: exact,
  rows: exact,
  isqrt: exact,
  rescale: (node, { readByOthers }) =>
    readByOthers.has(node.out)
      ? { out: node.out, origin: node.origin, rescale: node, isTable: false }
      : undefined,
  table: ({ out, origin, source }, { rescales }) => ({
    out,
    origin,
    rescale: rescales.get(source),
    isTable: true,
  }),
}

function requantized({ nodes, outputs }: IntGraph): Requantized[] {
  const rescales = new Map(nodes.flatMap((node) => (node.kind === "rescale" ? [[node.out, node]] : [])))
  const others = nodes.filter(({ kind }) => kind !== "table")
  const readByOthers = new Set(readersOf({ nodes: others, outputs }).keys())
  return nodes.flatMap((node) => perKind(requantizations, node, { rescales, readByOthers }) ?? [])
}

export interface AccuracyOptions {
  /** The class of each sample. */
  readonly labels?: readonly number[] | undefined
  /** What runs both models; default `auto`. The integer model says the same on all, the real one what float32 does. */
  readonly backend?: BackendChoice | Backends | undefined
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/** Runs both models on samples; inputs outside the calibrated range are clamped. */
export async function measureAccuracy(
  program: Program,
  graph: IntGraph,
  given: readonly Readonly<Record<string, Nested>>[],
  options: AccuracyOptions = {},
): Promise<Accuracy> {
  checkThing("program", program, "program")
  checkThing("model", graph, "graph")
  checkOptions(options)
  needSecrets(graph, "to measure it")
  const { labels, onProgress, signal, backend } = options
  const isOf = graph.outputs.length === program.outputs.length
  checkArgument(isOf, "graph", "the integer model of `program`, as it was quantized", graph)
  const samples = flatSamples(program, given)
  const fits = labels === undefined || (Array.isArray(labels) && labels.length === samples.length)
  checkArgument(fits, "options.labels", "one label a sample", labels)
  const outputs = graph.outputs.map((_, i) => new OutputErrors(program, graph, i))
  const reals = counterparts(program)
  const tensors = requantized(graph).map((node) => new TensorLosses(graph, node, reals))
  const margins = new Margins(program, graph)
  const measures = [...outputs, ...tensors, margins]
  const classes: { readonly real: Float64Array; readonly integer: Float64Array }[] = []
  const { tensor } = graph.outputs[0]
  const { scale } = graph.tensors[tensor]
  await withBackends(backend, async (backends) => {
    const kept = (which: "real" | "integer") => new Set(measures.flatMap((measure) => measure.reads[which]))
    const [real, integer] = [
      backends.prepare(program, kept("real"), samples.length),
      backends.prepare(graph, kept("integer"), samples.length),
    ]
    const size = Math.min(real.batchSize, integer.batchSize)
    try {
      for (let first = 0; first < samples.length; first += size) {
        signal?.throwIfAborted()
        const batch = samples.slice(first, first + size)
        const exact = await real.run(batch)
        const got = await integer.run(
          batch.map((sample) => quantizeInput(graph, sample, { clampInputs: true })),
        )
        for (let i = 0; i < batch.length; i++) {
          const [reals, integers] = [sampleOf(exact, i), sampleOf(got, i)]
          for (const measure of measures) measure.add(reals, integers)
          classes.push({
            real: valuesOf(reals, program.outputs[0].tensor).slice(),
            integer: valuesOf(integers, tensor).map((x) => x * scale),
          })
        }
        onProgress?.({ stage: "measure accuracy", done: first + batch.length, total: samples.length })
      }
    } finally {
      real.dispose()
      integer.dispose()
    }
  })
  const classify = classifierOf(classes.map(({ real }) => real))
  const named = {
    real: classes.map(({ real }) => classify(real)),
    integer: classes.map(({ integer }) => classify(integer)),
  }
  const met = (found: readonly number[]) =>
    labels ? found.filter((each, i) => each === labels[i]).length / samples.length : null
  const reports = outputs.map((output) => output.report())
  return {
    samples: samples.length,
    float: met(named.real),
    integer: met(named.integer),
    agreement: named.real.filter((each, i) => each === named.integer[i]).length / Math.max(1, samples.length),
    outputs: reports,
    margin: margins.output(reports[0]?.maxError ?? 0),
    decisions: margins.decisions(),
    saturation: tensors.map((tensor) => tensor.saturation(samples.length)),
    losses: tensors.flatMap((tensor) => tensor.loss() ?? []).sort((x, y) => y.error - x.error),
  }
}

type Values = ReadonlyMap<TensorId, Float64Array>

function valuesOf(values: Values, id: TensorId): Float64Array {
  const found = values.get(id)
  invariant(found, `tensor ${id} was not evaluated`)
  return found
}

/** One sample's values. */
const sampleOf = ({ count, values }: Batch, i: number): Values =>
  new Map(Array.from(values, ([id, all]) => [id, part(all, i, count)]))

/** Differences of one output to that of the real model. */
class OutputErrors {
  readonly #output: IntGraph["outputs"][number]
  readonly #real: TensorId
  readonly #scale: number
  #max = 0
  #sum = 0
  #count = 0

  constructor(program: Program, graph: IntGraph, i: number) {
    this.#output = graph.outputs[i]
    this.#real = program.outputs[i].tensor
    this.#scale = graph.tensors[this.#output.tensor].scale
  }

  get reads() {
    return { real: [this.#real], integer: [this.#output.tensor] }
  }

  add(real: Values, integers: Values): void {
    const exact = valuesOf(real, this.#real)
    const got = valuesOf(integers, this.#output.tensor)
    for (let j = 0; j < exact.length; j++) {
      const difference = Math.abs(got[j] * this.#scale - exact[j])
      this.#max = Math.max(this.#max, difference)
      this.#sum += difference
      this.#count++
    }
  }

  report(): OutputAccuracy {
    return {
      name: this.#output.name,
      maxError: this.#max,
      meanError: this.#sum / Math.max(1, this.#count),
      tolerance: 2 * this.#max + this.#scale,
    }
  }
}

/** Real tensors by name. Names repeat where an operator lowers to several nodes: only these have a counterpart. */
const counterparts = ({ nodes, tensors }: Program): ReadonlyMap<string, TensorId> =>
  new Map(
    nodes.flatMap(({ kind, out }) =>
      kind === "clamp" || kind === "function" ? [[tensors[out].name, out]] : [],
    ),
  )

/** What one requantized tensor cuts off and loses. */
class TensorLosses {
  readonly #node: Requantized
  readonly #tensor: IntTensor
  /** The real tensor of the same name, if there is one. */
  readonly #real: TensorId | undefined
  #cut = 0
  #error = 0
  #signal = 0

  constructor(graph: IntGraph, node: Requantized, named: ReadonlyMap<string, TensorId>) {
    this.#node = node
    this.#tensor = graph.tensors[node.out]
    this.#real = named.get(this.#tensor.name)
  }

  get reads() {
    const { out, rescale } = this.#node
    const real = this.#real === undefined ? [] : [this.#real]
    return { real, integer: rescale ? [out, rescale.source] : [out] }
  }

  add(real: Values, integers: Values): void {
    const { out, rescale } = this.#node
    const { scale } = this.#tensor
    const got = valuesOf(integers, out)
    const counterpart = this.#real === undefined ? undefined : valuesOf(real, this.#real)
    const exact = counterpart?.length === got.length ? counterpart : undefined
    if (rescale) this.#countCut(rescale, valuesOf(integers, rescale.source), got, exact)
    if (!exact) return
    let [error, signal] = [this.#error, this.#signal]
    for (let j = 0; j < got.length; j++) {
      const [x, difference] = [exact[j], got[j] * scale - exact[j]]
      error += difference * difference
      signal += x * x
    }
    this.#error = error
    this.#signal = signal
  }

  /** How far beyond its window a rescale cuts off accumulators. */
  #countCut(
    { shift, lo, bits }: RescaleNode,
    accumulators: Float64Array,
    got: Float64Array,
    exact: Float64Array | undefined,
  ): void {
    const { scale } = this.#tensor
    const [divisor, hi] = [2 ** shift, lo + 2 ** bits - 1]
    for (let j = 0; j < accumulators.length; j++) {
      const free = Math.floor(accumulators[j] / divisor)
      if (free >= lo && free <= hi) continue
      const excess = free - (free < lo ? lo : hi)
      // What the model cuts off itself is no loss: ask the real value, where there is one.
      if (this.#isLost(excess, exact ? exact[j] / scale - got[j] : excess)) this.#cut++
    }
  }

  #isLost(excess: number, missing: number): boolean {
    if (this.#node.isTable) return Math.abs(excess) > 1 && Math.abs(missing) > 1
    return Math.sign(excess) * missing > 1
  }

  get #name() {
    return { tensor: this.#tensor.name, node: this.#node.origin.name }
  }

  saturation(samples: number): Accuracy["saturation"][number] {
    const elements = this.#tensor.lo.length * samples
    return { ...this.#name, count: this.#cut, share: this.#cut / Math.max(1, elements) }
  }

  /** Undefined without a counterpart, or where the real tensor is zero throughout: there is nothing to compare. */
  loss(): Accuracy["losses"][number] | undefined {
    return this.#signal > 0 ? { ...this.#name, error: Math.sqrt(this.#error / this.#signal) } : undefined
  }
}
