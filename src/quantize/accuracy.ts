/** What quantization costs: the integer model against the real one on samples, output by output and node by node. */
import { checkArgument, checkOptions, checkThing } from "../arguments.js"
import type { OnProgress } from "../errors.js"
import { evaluate } from "../ops/evaluate.js"
import type { Origin, Program, RescaleNode, TensorId } from "../ops/program.js"
import { sourcesOf } from "./bounds.js"
import type { IntGraph } from "./intgraph.js"
import { flatSamples, type Nested } from "./nested.js"
import { quantizeInput, runInteger } from "./run.js"

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
  /** Share of labels met by the arg max of the first output; null without labels. */
  readonly float: number | null
  readonly integer: number | null
  /** Share of samples on which both models have the same arg max. */
  readonly agreement: number
  readonly outputs: readonly OutputAccuracy[]
  /** Per requantized tensor: elements that the real model has more than a step beyond the integer range. */
  readonly saturation: readonly {
    readonly tensor: string
    readonly node: string
    readonly count: number
    readonly share: number
  }[]
  /** Tensors by relative error (root mean square against the real tensor), worst first. */
  readonly losses: readonly { readonly tensor: string; readonly node: string; readonly error: number }[]
}

const argmax = (xs: ArrayLike<number>): number => {
  let best = 0
  for (let i = 1; i < xs.length; i++) if (xs[i] > xs[best]) best = i
  return best
}

/** A tensor brought to w bits: by a rescale, or by a table and the rescale before it, if there is one. */
interface Requantized {
  readonly out: TensorId
  readonly origin: Origin
  readonly rescale: RescaleNode | undefined
  readonly isTable: boolean
}

/** All of them; what only tables read is not counted apart, for they know better what its ends lose. */
function requantized(graph: IntGraph): Requantized[] {
  const rescales = new Map(graph.nodes.flatMap((node) => (node.kind === "rescale" ? [[node.out, node]] : [])))
  const readByOthers = new Set(graph.nodes.flatMap((node) => (node.kind === "table" ? [] : sourcesOf(node))))
  for (const { tensor } of graph.outputs) readByOthers.add(tensor)
  return graph.nodes.flatMap((node): Requantized[] => {
    const { out, origin } = node
    if (node.kind === "table") return [{ out, origin, rescale: rescales.get(node.source), isTable: true }]
    if (node.kind !== "rescale" || !readByOthers.has(out)) return []
    return [{ out, origin, rescale: node, isTable: false }]
  })
}

/** How far beyond its window a rescale cuts off an accumulator; 0 inside. */
function excessOf({ shift, lo, bits }: RescaleNode, accumulator: number): number {
  const free = Math.floor(accumulator / 2 ** shift)
  return free - Math.min(Math.max(free, lo), lo + 2 ** bits - 1)
}

/** Runs both models on samples; inputs outside the calibrated range are clamped. */
export function measureAccuracy(
  program: Program,
  graph: IntGraph,
  given: readonly Readonly<Record<string, Nested>>[],
  options: { labels?: readonly number[] | undefined; onProgress?: OnProgress | undefined } = {},
): Accuracy {
  checkThing("program", program, "program")
  checkThing("model", graph, "graph")
  checkOptions(options)
  const { labels, onProgress } = options
  const samples = flatSamples(program, given)
  const fits = labels === undefined || (Array.isArray(labels) && labels.length === samples.length)
  checkArgument(fits, "options.labels", "one label a sample", labels)
  const rescaled = requantized(graph)
  // Names repeat where an operator lowers to several nodes: only these have a counterpart, of the same size.
  const counterparts = new Map(
    program.nodes.flatMap(({ kind, out }) =>
      kind === "clamp" || kind === "function" ? [[program.tensors[out].name, out]] : [],
    ),
  )
  const errors = graph.outputs.map(() => ({ max: 0, sum: 0, count: 0 }))
  const cut = rescaled.map(() => 0)
  const squares = rescaled.map(() => ({ error: 0, signal: 0 }))
  let [floatHits, integerHits, agreed] = [0, 0, 0]
  samples.forEach((sample, index) => {
    const real = evaluate(program, sample)
    const integers = runInteger(graph, quantizeInput(graph, sample, { clampInputs: true }))
    graph.outputs.forEach(({ tensor }, i) => {
      const exact = real.get(program.outputs[i].tensor) as Float64Array
      const got = integers.get(tensor) as Float64Array
      const { scale } = graph.tensors[tensor]
      for (let j = 0; j < exact.length; j++) {
        const difference = Math.abs(got[j] * scale - exact[j])
        errors[i].max = Math.max(errors[i].max, difference)
        errors[i].sum += difference
        errors[i].count++
      }
    })
    rescaled.forEach((node, i) => {
      const got = integers.get(node.out) as Float64Array
      const { name, scale } = graph.tensors[node.out]
      const counterpart = real.get(counterparts.get(name) ?? -1)
      const exact = counterpart?.length === got.length ? counterpart : undefined
      const { rescale } = node
      const source = rescale && (integers.get(rescale.source) as Float64Array)
      for (let j = 0; j < got.length; j++) {
        const excess = source ? excessOf(rescale, source[j]) : 0
        if (excess !== 0) {
          // What the model cuts off itself is no loss: ask the real value, where there is one.
          const missing = exact ? exact[j] / scale - got[j] : excess
          const isLost = node.isTable
            ? Math.abs(excess) > 1 && Math.abs(missing) > 1
            : Math.sign(excess) * missing > 1
          if (isLost) cut[i]++
        }
        if (!exact) continue
        squares[i].error += (got[j] * scale - exact[j]) ** 2
        squares[i].signal += exact[j] ** 2
      }
    })
    const first = argmax(real.get(program.outputs[0].tensor) as Float64Array)
    const second = argmax(integers.get(graph.outputs[0].tensor) as Float64Array)
    if (first === second) agreed++
    if (first === labels?.[index]) floatHits++
    if (second === labels?.[index]) integerHits++
    onProgress?.({ stage: "measure accuracy", done: index + 1, total: samples.length })
  })
  const outputs = graph.outputs.map(({ name, tensor }, i) => ({
    name,
    maxError: errors[i].max,
    meanError: errors[i].sum / Math.max(1, errors[i].count),
    tolerance: 2 * errors[i].max + graph.tensors[tensor].scale,
  }))
  const named = rescaled.map((node) => ({ tensor: graph.tensors[node.out].name, node: node.origin.name }))
  const elements = rescaled.map((node) => graph.tensors[node.out].lo.length * samples.length)
  return {
    samples: samples.length,
    float: labels ? floatHits / samples.length : null,
    integer: labels ? integerHits / samples.length : null,
    agreement: agreed / Math.max(1, samples.length),
    outputs,
    saturation: named.map((name, i) => ({
      ...name,
      count: cut[i],
      share: cut[i] / Math.max(1, elements[i]),
    })),
    losses: named
      .map((name, i) => ({ ...name, error: Math.sqrt(squares[i].error / squares[i].signal) }))
      // Without a counterpart, or where the real tensor is zero throughout, there is nothing to compare.
      .filter((_, i) => squares[i].signal > 0)
      .sort((x, y) => y.error - x.error),
  }
}
