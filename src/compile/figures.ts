/**
 * What samples showed of the nodes of an integer model. `compile` compares the float model with the integers and keeps of
 * each tensor that is brought to w bits how many elements it cuts off and how far it is from the float one (accuracy.ts);
 * here these figures find their nodes again. Without the float model other samples still tell how often a clamp cuts
 * something off, at which end: at the lower end of a ReLU that is what the model says, and no loss.
 */
import { checkArgument, checkList, checkOptions, checkThing } from "../arguments.js"
import type { OnProgress } from "../errors.js"
import type { IntNode, RescaleNode, TensorId } from "../ops/program.js"
import type { Accuracy } from "../quantize/accuracy.js"
import type { BackendChoice, Backends } from "../quantize/backends/backends.js"
import type { Nested } from "../quantize/calibration/nested.js"
import type { IntGraph } from "../quantize/integers/intgraph.js"
import { quantizeInput, runIntegers } from "../quantize/integers/run.js"
import { array, fail, object } from "../statement/strict.js"

/** Shares of a node's elements, of all samples together. */
export interface Saturation {
  /** What the float model has more than a step beyond the integers, as `compile` measured it. */
  readonly cut?: number
  /** What is cut off at the lower and at the upper end of a clamp, on the samples that were given. */
  readonly low?: number
  readonly high?: number
}

/** What is known of a node's integers; nothing where nothing was measured. */
export interface NodeFigures {
  readonly saturation?: Saturation
  /** Root mean square of the difference to the float model's tensor, relative to that tensor, inherited error included. */
  readonly error?: number
}

/** The part of what `measureAccuracy` says that is of single nodes. */
export type NodeAccuracy = Pick<Accuracy, "samples" | "saturation" | "losses">

/** What `measureSaturation` says. */
export interface MeasuredSaturation {
  readonly samples: number
  /** For each node of the integer model, null for all but clamps; comparisons are none. */
  readonly nodes: readonly (Required<Pick<Saturation, "low" | "high">> | null)[]
}

/** What is brought to one bit is compared with something: it is at an end always, and nothing is lost. */
const isComparison = (node: IntNode) => node.kind === "rescale" && node.bits === 1

/** Reads what a file says of accuracy, as far as single nodes go. @throws FileError */
export function readNodeAccuracy(value: unknown, where: string): NodeAccuracy {
  const given = object(value, where)
  const number = (x: unknown, path: string): number =>
    typeof x === "number" && Number.isFinite(x) && x >= 0
      ? x
      : fail(path, { what: "is no number from 0 on, as accuracy has it" })
  const list = <K extends string>(name: K, figure: string) =>
    array(given[name], `${where}.${name}`).map((entry, i) => {
      const path = `${where}.${name}[${i}]`
      const each = object(entry, path)
      const { tensor, node } = each
      if (typeof tensor !== "string" || typeof node !== "string")
        return fail(path, { what: "does not name a tensor and its node" })
      return { tensor, node, figure: number(each[figure], `${path}.${figure}`) }
    })
  return {
    samples: number(given.samples, `${where}.samples`),
    saturation: list("saturation", "share").map(({ figure, ...named }) => ({
      ...named,
      count: 0,
      share: figure,
    })),
    losses: list("losses", "error").map(({ figure, ...named }) => ({ ...named, error: figure })),
  }
}

/** Figures of every node of the model, in order. A tensor whose name occurs several times is the next one in order. */
export function figuresOf(
  graph: IntGraph,
  accuracy: NodeAccuracy | undefined,
  measured: MeasuredSaturation | undefined,
): readonly NodeFigures[] {
  const places = new Map<string, number[]>()
  const key = (tensor: string, node: string) => JSON.stringify([tensor, node])
  for (const [i, { kind, out, origin }] of graph.nodes.entries())
    if (kind === "rescale" || kind === "table") {
      const named = key(graph.tensors[out].name, origin.name)
      places.set(named, [...(places.get(named) ?? []), i])
    }
  const found = graph.nodes.map((): { cut?: number; error?: number } => ({}))
  const spread = <T extends { readonly tensor: string; readonly node: string }>(
    entries: readonly T[],
    put: (at: number, entry: T) => void,
  ) => {
    const used = new Map<string, number>()
    for (const entry of entries) {
      const named = key(entry.tensor, entry.node)
      const next = used.get(named) ?? 0
      used.set(named, next + 1)
      const at = places.get(named)?.[next]
      if (at !== undefined) put(at, entry)
    }
  }
  spread(accuracy?.saturation ?? [], (at, { share }) => {
    if (!isComparison(graph.nodes[at])) found[at].cut = share
  })
  spread(accuracy?.losses ?? [], (at, { error }) => {
    found[at].error = error
  })
  return found.map(({ cut, error }, i) => {
    const saturation = { ...(cut !== undefined && { cut }), ...measured?.nodes[i] }
    return {
      ...(Object.keys(saturation).length > 0 && { saturation }),
      ...(error !== undefined && { error }),
    }
  })
}

export interface SaturationOptions {
  /** What runs the model; the numbers are the same on all. */
  readonly backend?: BackendChoice | Backends | undefined
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/** Integers that are kept at once. */
const mostKept = 2 ** 23

/**
 * Runs the integer model on samples and counts what its clamps cut off. Inputs outside the calibrated range are clamped.
 * @throws InputError for samples that do not fit; CountersignError for a model without its private weights
 */
export async function measureSaturation(
  graph: IntGraph,
  samples: readonly Readonly<Record<string, Nested>>[],
  options: SaturationOptions = {},
): Promise<MeasuredSaturation> {
  checkThing("model", graph, "graph")
  checkList(samples, "samples")
  checkOptions(options)
  checkArgument(samples.length > 0, "samples", "at least one", samples)
  const { backend, onProgress, signal } = options
  const clamps = new Map<IntNode, { low: number; high: number }>()
  for (const node of graph.nodes)
    if (node.kind === "rescale" && !isComparison(node)) clamps.set(node, { low: 0, high: 0 })
  const rescales = [...clamps.keys()] as RescaleNode[]
  const tensors = [...new Set(rescales.map(({ source }) => source))]
  const size = (id: TensorId) => graph.tensors[id].lo.length
  const kept = tensors.reduce((sum, id) => sum + size(id), 1)
  const batch = Math.max(1, Math.min(64, Math.floor(mostKept / kept)))
  for (let first = 0; first < samples.length; first += batch) {
    const part = samples.slice(first, first + batch)
    const inputs = part.map((sample) => quantizeInput(graph, sample, { clampInputs: true }))
    for (const values of await runIntegers(graph, inputs, { tensors, backend, signal }))
      for (const node of rescales) count(node, values.get(node.source), clamps.get(node))
    onProgress?.({ stage: "measure saturation", done: first + part.length, total: samples.length })
  }
  const nodes = graph.nodes.map((node) => {
    const sums = clamps.get(node)
    const elements = samples.length * size(node.out)
    return sums ? { low: sums.low / elements, high: sums.high / elements } : null
  })
  return { samples: samples.length, nodes }
}

/** Counts the accumulators that a clamp cuts off. */
function count(
  { shift, lo, bits }: RescaleNode,
  accumulators: Float64Array | undefined,
  sums: { low: number; high: number } | undefined,
): void {
  if (!accumulators || !sums) return
  const [divisor, hi] = [2 ** shift, lo + 2 ** bits - 1]
  for (const x of accumulators) {
    const free = Math.floor(x / divisor)
    if (free < lo) sums.low++
    else if (free > hi) sums.high++
  }
}
