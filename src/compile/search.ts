/**
 * The cheapest circuit that loses no more than one may: precision and calibration against constraints and loss. Every
 * candidate is a model that is quantized and run on samples, and a circuit that is planned and not compiled, so one takes
 * about as long as the samples do. All are tried where that is a matter of seconds. Where it is not, the least precision
 * that suffices is found by halving, for each calibration: loss need not fall with precision, so there might be a cheaper
 * one that was not looked at, and the result says so.
 */
import { checkArgument, checkList, checkOptions, checkThing } from "../arguments.js"
import { defaults } from "../defaults.js"
import { CountersignError, ModelError, type OnProgress } from "../errors.js"
import type { Program } from "../ops/program.js"
import { type BackendChoice, type Backends, withBackends } from "../quantize/backends/backends.js"
import type { CalibrationMethod, Sample } from "../quantize/calibration/calibrate.js"
import { flatSamples, type Nested } from "../quantize/calibration/nested.js"
import type { IntGraph } from "../quantize/integers/intgraph.js"
import { Reference, split } from "../quantize/loss.js"
import { type NodeLoss, nodeLosses, workOf } from "../quantize/losses.js"
import { calibrated } from "../quantize/quantize.js"
import type { Calibrated, Quantized } from "../quantize/stands.js"
import { type CompileOptions, checkCompileOptions, planned } from "./compile.js"

export interface SearchOptions {
  /** Inputs that the model will see. Of 40 or more a quarter calibrates, and the loss is measured on the others. */
  readonly samples: readonly Readonly<Record<string, Nested>>[]
  /** The class of each sample. Without, the loss is the error relative to each output's range. */
  readonly labels?: readonly number[] | undefined
  /** Most that may be lost: percentage points of accuracy, or percent of an output's range (quantize/loss.ts). */
  readonly target: number
  /** Bits that are tried; default: all. */
  readonly precisions?: readonly number[] | undefined
  /** Default: `defaults.calibrations`. */
  readonly calibrations?: readonly CalibrationMethod[] | undefined
  readonly comparisons?: "exact" | "quantized"
  /** Multiplications that may be spent on trying everything; default: `defaults.searchWork`. */
  readonly work?: number
  /** What circuit it is to be. */
  readonly circuit?: CompileOptions
  /** What runs models; default `auto`. Losses are the same on all. */
  readonly backend?: BackendChoice | Backends | undefined
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

/** A precision and calibration that was tried. */
export interface Candidate {
  readonly precision: number
  readonly calibration: CalibrationMethod
  /** About as many as the circuit would have; null if it cannot be. */
  readonly constraints: number | null
  /** Percentage points or percent; null if the circuit cannot be, or is larger than it may. */
  readonly loss: number | null
  /** Shares: of the labels met, and of samples of the same class as the float model's. */
  readonly accuracy: number | null
  readonly agreement: number | null
  /** Why it cannot be. */
  readonly problem?: string
}

export interface PrecisionSearch {
  /** What a loss is: points of accuracy on labels, or error relative to ranges. */
  readonly measure: "accuracy" | "error"
  readonly target: number
  /** The float model's accuracy; null without labels. */
  readonly float: number | null
  /** Positions of the samples that calibrated, and of those that the loss was measured on. */
  readonly calibrating: readonly number[]
  readonly measured: readonly number[]
  /** Whether the latter are others. */
  readonly heldOut: boolean
  /** Whether everything was tried, or what halving comes by. */
  readonly complete: boolean
  /** What was tried, by precision. */
  readonly candidates: readonly Candidate[]
  /** The one with fewest constraints of those that meet the target. */
  readonly chosen: Candidate
  /** Its integer model. */
  readonly graph: IntGraph
}

/** A search that found nothing, and what each node loses where least is lost, the largest part first. */
export type FailedSearch = Omit<PrecisionSearch, "chosen" | "graph"> & {
  readonly losses: readonly NodeLoss[]
}

/** Nodes that an error names. */
const shownLosses = 5

/** No circuit of a model is within a loss. */
export class AccuracyError extends CountersignError {
  override name = "AccuracyError"
  readonly search: FailedSearch
  constructor(model: string, search: FailedSearch) {
    const { target, measure, candidates, losses } = search
    const unit = measure === "accuracy" ? "percentage points of accuracy" : "% of an output's range"
    const [least] = candidates
      .filter(({ loss }) => loss !== null)
      .sort((x, y) => (x.loss ?? 0) - (y.loss ?? 0))
    const shown = losses.slice(0, shownLosses).map(({ node, operator, introduced, share }) => {
      const place = `node \`${node.slice(0, 100)}\`${operator === "" ? " (an input)" : `, operator \`${operator}\``}`
      return `${place}: ${percent(share)} of the outputs' error; what it introduces is ${percent(introduced)} of its values`
    })
    const nearest = least
      ? `the least is ${showLoss(least.loss)}, with precision ${least.precision} and calibration ${showMethod(least.calibration)}`
      : "none is of a circuit that may be so large (option `maxConstraints`)"
    super(
      {
        what: `no precision and calibration that was tried loses at most ${target} ${unit}: ${nearest}${shown.length > 0 ? ". Most is lost by" : ""}`,
        where: `model \`${model}\``,
        fix: "Calibrate with more samples, keep what loses most out of the circuit (option `outputs`), or allow more",
      },
      shown,
    )
    this.search = search
  }
}

const percent = (share: number): string => `${(100 * share).toPrecision(3)} %`

/** A loss in figures that are enough to compare. */
export const showLoss = (loss: number | null): string =>
  loss === null ? "" : loss === 0 || loss >= 1000 ? loss.toFixed(0) : Number(loss.toPrecision(3)).toString()

/** A candidate with what it takes to look closer. */
interface Tried {
  readonly candidate: Candidate & { readonly constraints: number; readonly loss: number }
  readonly calibrated: Calibrated
  readonly quantized: Quantized
}

/**
 * Searches the cheapest circuit of a model within a loss.
 * @throws AccuracyError if none is within it, with all that was tried and what loses most; UsageError for wrong options;
 * InputError for samples that do not fit; ModelError for a model that cannot be quantized at any precision
 */
export async function searchPrecision(program: Program, options: SearchOptions): Promise<PrecisionSearch> {
  checkThing("program", program, "program")
  checkOptions(options, "an object with `samples` and `target`")
  return await withBackends(options.backend, (backends) => searchOn(backends, program, options))
}

async function searchOn(
  backends: Backends,
  program: Program,
  options: SearchOptions,
): Promise<PrecisionSearch> {
  const { labels, target, onProgress, signal, comparisons } = options
  checkArgument(Number.isFinite(target) && target >= 0, "options.target", "a number from 0", target)
  const { minPrecision, maxPrecision } = defaults
  const every = Array.from({ length: maxPrecision - minPrecision + 1 }, (_, i) => minPrecision + i)
  const { precisions = every, calibrations = defaults.calibrations.map(methodOf) } = options
  checkList(precisions, "options.precisions")
  checkList(calibrations, "options.calibrations")
  const known = precisions.length > 0 && precisions.every((bits) => every.includes(bits))
  checkArgument(known, "options.precisions", `bits from ${minPrecision} to ${maxPrecision}`, precisions)
  checkArgument(calibrations.length > 0, "options.calibrations", "at least one", calibrations)
  const circuit = options.circuit ?? {}
  const { maxConstraints } = checkCompileOptions(circuit)
  const samples = flatSamples(program, options.samples)
  const fits = labels === undefined || (Array.isArray(labels) && labels.length === samples.length)
  checkArgument(fits, "options.labels", "one label a sample", labels)
  const { calibrating, measured } = split(samples.length)
  const chosenLabels = labels && measured.map((i) => labels[i])
  const chosen = measured.map((i) => samples[i])
  const reference = await Reference.of(program, chosen, { labels: chosenLabels, backends, signal })

  const search = new Search(program, reference, {
    calibration: { samples: calibrating.map((i) => samples[i]), comparisons, backend: backends },
    admissible: samples,
    circuit,
    maxConstraints,
    target,
    signal,
  })
  const bits = [...new Set(precisions)].sort((a, b) => a - b)
  const total = bits.length * calibrations.length
  const { work = defaults.searchWork } = options
  const complete = total * measured.length * workOf(program) <= work
  const tell = () => onProgress?.({ stage: "search precision", done: search.tried.size, total })
  for (const method of calibrations) {
    if (complete) for (const each of bits) await search.meets(method, each).then(tell)
    else await leastThat(bits, (each) => search.meets(method, each).finally(tell))
  }
  onProgress?.({ stage: "search precision", done: total, total })
  const facts = {
    measure: labels ? ("accuracy" as const) : ("error" as const),
    target,
    float: reference.accuracy,
    calibrating,
    measured,
    heldOut: measured.length < samples.length,
    complete,
  }
  return search.result(facts, onProgress)
}

const methodOf = (calibration: "minmax" | number): CalibrationMethod =>
  calibration === "minmax" ? calibration : { percentile: calibration }

/** Calls `suffices` as halving does for the least that does. */
async function leastThat(
  bits: readonly number[],
  suffices: (bits: number) => Promise<boolean>,
): Promise<void> {
  let [from, to] = [0, bits.length - 1]
  while (from <= to) {
    const middle = Math.floor((from + to) / 2)
    if (await suffices(bits[middle])) to = middle - 1
    else from = middle + 1
  }
}

interface Setting {
  readonly calibration: {
    readonly samples: readonly Sample[]
    readonly comparisons: SearchOptions["comparisons"]
    readonly backend: Backends
  }
  /** Samples whose inputs the model has to take, too. */
  readonly admissible: readonly Sample[]
  readonly circuit: CompileOptions
  readonly maxConstraints: number
  readonly target: number
  readonly signal: AbortSignal | undefined
}

class Search {
  readonly tried = new Map<string, Candidate>()
  readonly #calibrated = new Map<string, Promise<Calibrated>>()
  readonly #program: Program
  readonly #reference: Reference
  readonly #setting: Setting
  /** Of all models only two are kept: the best that meets the target, and the one that loses least. */
  #best: Tried | undefined
  #nearest: Tried | undefined
  #last: unknown

  constructor(program: Program, reference: Reference, setting: Setting) {
    this.#program = program
    this.#reference = reference
    this.#setting = setting
  }

  /** Whether a candidate meets the target, and can be. */
  async meets(calibration: CalibrationMethod, precision: number): Promise<boolean> {
    const key = `${showMethod(calibration)} ${precision}`
    const candidate = this.tried.get(key) ?? (await this.#try(calibration, precision))
    this.tried.set(key, candidate)
    return candidate.loss !== null && candidate.loss <= this.#setting.target
  }

  async #try(calibration: CalibrationMethod, precision: number): Promise<Candidate> {
    const { signal, circuit, maxConstraints, target } = this.#setting
    signal?.throwIfAborted()
    // lets whoever waits for a timer have a turn
    await new Promise((resolve) => setTimeout(resolve))
    const none = { precision, calibration, constraints: null, loss: null, accuracy: null, agreement: null }
    try {
      const ready = await this.#ranges(calibration)
      const quantized = ready.at(precision)
      const { constraints } = planned(quantized.graph, circuit).expected
      if (constraints > maxConstraints)
        return { ...none, constraints, problem: `more than ${maxConstraints} constraints` }
      const candidate = { ...none, constraints, ...(await this.#reference.lossOf(quantized.graph, signal)) }
      const tried = { candidate, calibrated: ready, quantized }
      if (candidate.loss <= target && isBetter(tried, this.#best, cost)) this.#best = tried
      if (isBetter(tried, this.#nearest, lost)) this.#nearest = tried
      return candidate
    } catch (error) {
      if (!(error instanceof ModelError)) throw error
      this.#last = error
      return { ...none, problem: error.message }
    }
  }

  #ranges(calibration: CalibrationMethod): Promise<Calibrated> {
    const { signal, admissible } = this.#setting
    const { samples, comparisons, backend } = this.#setting.calibration
    const key = showMethod(calibration)
    const options = {
      samples,
      calibration,
      backend,
      ...(comparisons && { comparisons }),
      ...(signal && { signal }),
    }
    const ready = this.#calibrated.get(key) ?? calibrated(this.#program, options, admissible)
    this.#calibrated.set(key, ready)
    return ready
  }

  result(
    facts: Omit<PrecisionSearch, "candidates" | "chosen" | "graph">,
    onProgress: OnProgress | undefined,
  ): PrecisionSearch {
    const candidates = [...this.tried.values()].sort((x, y) => x.precision - y.precision)
    if (candidates.every(({ constraints }) => constraints === null)) throw this.#last
    const best = this.#best
    if (best) return { ...facts, candidates, chosen: best.candidate, graph: best.quantized.graph }
    const losses = this.#losses(onProgress)
    throw new AccuracyError(this.#program.name, { ...facts, candidates, losses })
  }

  #losses(onProgress: OnProgress | undefined): NodeLoss[] {
    if (!this.#nearest) return []
    const ranges = this.#program.outputs.map((_, i) => this.#reference.range(i))
    const { calibrated, quantized } = this.#nearest
    const { signal } = this.#setting
    return nodeLosses(calibrated, quantized, this.#reference.samples, ranges, { onProgress, signal })
  }
}

type Rank = (tried: Tried) => readonly number[]
const cost: Rank = ({ candidate: { constraints, loss, precision } }) => [constraints, loss, precision]
const lost: Rank = ({ candidate: { constraints, loss } }) => [loss, constraints]

/** Whether a candidate comes before another by what is compared: the first that differs decides. */
const isBetter = (tried: Tried, other: Tried | undefined, rank: Rank): boolean =>
  other === undefined ||
  (rank(tried)
    .map((each, i) => each - rank(other)[i])
    .find((difference) => difference !== 0) ?? 0) < 0

/** A calibration in words. */
export const showMethod = (calibration: CalibrationMethod): string =>
  calibration === "minmax" ? calibration : `${calibration.percentile} %`
