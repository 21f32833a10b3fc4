/**
 * What quantization loses, as one number, measured on samples.
 *
 * With labels it is task accuracy: the share of samples whose class the float model gets right less the share that the
 * integer model gets right, in percentage points, and 0 where that is negative. Of 1,000 samples one is 0.1.
 *
 * Without labels it is error: of each output the root mean square of integer minus float, relative to the output's range
 * (its largest value minus its smallest, of the float model on those samples), in percent; and of several outputs the
 * largest.
 */
import { type Program, sizeOf, type TensorId } from "../ops/program.js"
import { type Backends, openBackends, part } from "./backends/backends.js"
import type { Runnable, Sample } from "./backends/batch.js"
import type { IntGraph } from "./integers/intgraph.js"
import { quantizeInput } from "./integers/run.js"

/** Values of every output, in the order of the outputs. */
export type Outputs = readonly ArrayLike<number>[]

export interface Loss {
  /** Percentage points of accuracy, or percent of an output's range. */
  readonly loss: number
  /** Share of the labels that the integer model meets; null without labels. */
  readonly accuracy: number | null
  /** Share of samples that are of the same class for both models. */
  readonly agreement: number
}

/**
 * The class that an output names. Of several elements it is the position of the largest. One element is the class itself
 * where the float model gives whole numbers throughout; else it is a probability or a logit of class 1: above ½ where the
 * float model stays within 0 and 1, above 0 where it does not.
 */
export type Classifier = (values: ArrayLike<number>) => number

const argmax: Classifier = (xs) => {
  let best = 0
  for (let i = 1; i < xs.length; i++) if (xs[i] > xs[best]) best = i
  return best
}

/** How the first output names classes, from what the float model gives. */
export function classifierOf(first: readonly ArrayLike<number>[]): Classifier {
  if (first.some((values) => values.length > 1)) return argmax
  const values = first.map((each) => each[0])
  if (values.every(Number.isInteger)) return (xs) => Math.round(xs[0])
  const threshold = values.every((x) => x >= 0 && x <= 1) ? 0.5 : 0
  return (xs) => (xs[0] > threshold ? 1 : 0)
}

interface ReferenceOptions {
  /** The class of each sample. */
  readonly labels?: readonly number[] | undefined
  /** What runs integer models; default: plain loops. */
  readonly backends?: Backends | undefined
  readonly signal?: AbortSignal | undefined
}

/** What the float model says of samples, once for all integer models that are compared with it. */
export class Reference {
  readonly #samples: readonly Sample[]
  readonly #labels: readonly number[] | undefined
  readonly #backends: Backends
  readonly #values: readonly Outputs[]
  readonly #classify: Classifier
  readonly #ranges: readonly number[]

  private constructor(
    program: Program,
    samples: readonly Sample[],
    values: readonly Outputs[],
    { labels, backends }: ReferenceOptions & { readonly backends: Backends },
  ) {
    this.#samples = samples
    this.#labels = labels
    this.#values = values
    this.#backends = backends
    this.#classify = classifierOf(this.#values.map(([first]) => first))
    this.#ranges = program.outputs.map((_, output) => {
      let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
      for (const { [output]: values } of this.#values)
        for (let i = 0; i < values.length; i++) {
          least = Math.min(least, values[i])
          most = Math.max(most, values[i])
        }
      // of an output that is always the same: its size
      return most - least || Math.abs(most) || 1
    })
  }

  /**
   * Runs the float model on samples, in doubles: what is chosen by its losses is the same everywhere. Integer models, which are the
   * same on all, run on the backends that are given, which stay open.
   */
  static async of(
    program: Program,
    samples: readonly Sample[],
    options: ReferenceOptions = {},
  ): Promise<Reference> {
    const backends = options.backends ?? openBackends("loops")
    const tensors = program.outputs.map(({ tensor }) => tensor)
    const values = await outputsOf(openBackends("loops"), program, samples, tensors, options)
    return new Reference(program, samples, values, { ...options, backends })
  }

  get samples(): readonly Sample[] {
    return this.#samples
  }

  /** Largest less smallest value of an output. */
  range(output: number): number {
    return this.#ranges[output]
  }

  values(sample: number): Outputs {
    return this.#values[sample]
  }

  /** Share of the labels that the float model meets; null without labels. */
  get accuracy(): number | null {
    return this.#met(this.#values.map(([first]) => this.#classify(first)))
  }

  #met(classes: readonly number[]): number | null {
    if (!this.#labels) return null
    const labels = this.#labels
    return classes.filter((found, i) => found === labels[i]).length / labels.length
  }

  /** What an integer model loses; inputs outside of its range are clamped. */
  async lossOf(graph: IntGraph, signal?: AbortSignal): Promise<Loss> {
    const errors = new Float64Array(this.#ranges.length)
    const quantized = this.#samples.map((sample) => quantizeInput(graph, sample, { clampInputs: true }))
    const tensors = graph.outputs.map(({ tensor }) => tensor)
    const integers = await outputsOf(this.#backends, graph, quantized, tensors, { signal })
    const classes = integers.map((each, i) => {
      const outputs = each.map((values, output) => {
        const { scale } = graph.tensors[tensors[output]]
        return values.map((x) => x * scale)
      })
      outputs.forEach((values, output) => {
        const exact = this.#values[i][output]
        for (let j = 0; j < exact.length; j++) errors[output] += (values[j] - exact[j]) ** 2
      })
      return this.#classify(outputs[0])
    })
    const count = this.#samples.length
    const same = classes.filter((found, i) => found === this.#classify(this.#values[i][0])).length
    const [before, after] = [this.accuracy, this.#met(classes)]
    const relative = errors.map((sum, output) => {
      const elements = count * sizeOf(graph.tensors[graph.outputs[output].tensor].shape)
      return Math.sqrt(sum / Math.max(1, elements)) / this.#ranges[output]
    })
    // rounded far below any step, so that a difference of shares has no noise
    const points = before === null || after === null ? 0 : Math.round(1e8 * (before - after)) / 1e6
    return {
      loss: before === null ? 100 * Math.max(...relative) : Math.max(0, points),
      accuracy: after,
      agreement: same / Math.max(1, count),
    }
  }
}

/** Some tensors of each sample. */
async function outputsOf(
  backends: Backends,
  program: Runnable,
  samples: readonly Sample[],
  tensors: readonly TensorId[],
  { signal }: { readonly signal?: AbortSignal | undefined },
): Promise<Float64Array[][]> {
  const found: Float64Array[][] = []
  await backends.run(program, samples, { kept: new Set(tensors), signal }, ({ count, values }) => {
    for (let i = 0; i < count; i++)
      found.push(tensors.map((id) => part(values.get(id) ?? new Float64Array(0), i, count).slice()))
  })
  return found
}

/** Samples from which on some are held out: fewer are too few for both. */
const leastToSplit = 40
/** One sample in so many calibrates, where others are held out; and no more than so many do. */
const calibratesOneIn = 4
const mostCalibrating = 512

/** Numbers from 0 on in an order that has nothing to do with that of the samples, the same each time. */
function shuffled(count: number): number[] {
  const order = Array.from({ length: count }, (_, i) => i)
  let state = 0x9e3779b9
  for (let i = count - 1; i > 0; i--) {
    // xorshift
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    const j = (state >>> 0) % (i + 1)
    ;[order[i], order[j]] = [order[j], order[i]]
  }
  return order
}

/**
 * Which of some samples calibrate, and on which the loss is measured: others, where there are enough. A quarter of them
 * calibrates, drawn as if by lot, since samples often come in an order, by class for one.
 */
export function split(count: number): {
  readonly calibrating: readonly number[]
  readonly measured: readonly number[]
} {
  const all = Array.from({ length: count }, (_, i) => i)
  if (count < leastToSplit) return { calibrating: all, measured: all }
  const chosen = new Set(
    shuffled(count).slice(0, Math.min(mostCalibrating, Math.ceil(count / calibratesOneIn))),
  )
  return { calibrating: all.filter((i) => chosen.has(i)), measured: all.filter((i) => !chosen.has(i)) }
}
