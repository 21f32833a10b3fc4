/**
 * Calibration: what values each tensor takes on the samples. It chooses scales and nothing else; that no
 * integer overflows is proven by bounds.ts without it.
 */
import { checkRecord, kindOf } from "../../arguments.js"
import { allowanceFor, Budget } from "../../budget.js"
import { InputError, type OnProgress, UsageError } from "../../errors.js"
import { showFormula } from "../../ops/formula.js"
import { productsOf, tapsHeld } from "../../ops/linearmap.js"
import { type Program, productsIn, sizeOf, type TensorId } from "../../ops/program.js"
import { type BackendChoice, type Backends, part, withBackends } from "../backends/backends.js"
import type { Sample } from "../backends/batch.js"

export type { Sample } from "../backends/batch.js"

/** What the samples showed of one tensor, in real units. */
export interface Range {
  /** Smallest and largest value, or percentiles; every range of an activation is rounded outwards. */
  readonly min: number
  readonly max: number
  /** Root mean square. */
  readonly rms: number
}

/** `minmax`, or the percentile in (50, 100] of the values at either end that a range must cover. */
export type CalibrationMethod = "minmax" | { readonly percentile: number }

export interface CalibrateOptions {
  readonly calibration?: CalibrationMethod
  /** What runs the program; default: plain loops. */
  readonly backend?: BackendChoice | Backends | undefined
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Throws InputError unless every sample has exactly the program's inputs, with the right number of finite
 * values; throws UsageError when there is no sample.
 */
export function checkSamples(program: Pick<Program, "inputs" | "tensors">, samples: readonly Sample[]): void {
  if (!samples.length)
    throw new UsageError({ what: "no samples to calibrate with", expected: "at least one", given: "0" })
  for (const [i, sample] of samples.entries()) checkInputs(program, sample, `sample ${i}`)
}

/** Throws InputError unless `inputs` has exactly the program's inputs, each with finite values of the right count. */
export function checkInputs(
  program: Pick<Program, "inputs" | "tensors">,
  inputs: Sample,
  where: string,
): void {
  checkRecord(inputs, where, "an object with the values of each input by name")
  const names = new Set(program.inputs.map((input) => input.name))
  const listed = [...names].map((name) => `\`${name}\``).join(", ")
  for (const name of Object.keys(inputs))
    if (!names.has(name))
      throw new InputError({
        what: `unknown input \`${name}\``,
        where,
        expected: listed,
        given: `\`${name}\``,
      })
  for (const { name, tensor, ranks } of program.inputs) {
    const isFine = (x: number) =>
      ranks ? typeof x === "number" && (ranks.missing || !Number.isNaN(x)) : Number.isFinite(x)
    const values: ArrayLike<number> | null | undefined = inputs[name]
    if (values !== undefined && !(typeof values === "object" && typeof values?.length === "number"))
      throw new InputError({
        what: `input \`${name}\` is no list of numbers`,
        where,
        expected: "numbers, flat or nested as the input's shape",
        given: kindOf(values),
      })
    if (values === undefined)
      throw new InputError({
        what: `input \`${name}\` is missing`,
        where,
        expected: listed,
        given:
          Object.keys(inputs)
            .map((given) => `\`${given}\``)
            .join(", ") || "nothing",
      })
    const shape = program.tensors[tensor].shape
    const size = sizeOf(shape)
    if (values.length !== size)
      throw new InputError({
        what: `input \`${name}\` has the wrong number of values`,
        where,
        expected: `${size} (shape [${shape.join(", ")}])`,
        given: String(values.length),
      })
    for (let j = 0; j < size; j++)
      if (!isFine(values[j]))
        throw new InputError({
          what: `input \`${name}\` has a value that is no ${ranks ? "" : "finite "}number`,
          where: `${where}, ${name}[${j}]`,
          expected: ranks ? "a number" : "a finite number",
          given: String(values[j]),
        })
  }
}

/** Charges what running a program once takes: its products, and the taps of convolutions that stay held. */
export function chargeRun({ nodes }: Program, budget: Budget): void {
  for (const node of nodes) {
    const where = `node \`${node.origin.name}\`, operator \`${node.origin.operator}\``
    if (node.kind === "contraction") budget.work(productsIn(node), where)
    if (node.kind !== "linear") continue
    for (const { map } of node.terms) {
      budget.work(productsOf(map), where)
      if (map.kind === "conv") budget.elements(tapsHeld(map), where)
    }
  }
}

/** Whether an input is of whole numbers in all samples. */
export const integralOn = (samples: readonly Sample[], name: string): boolean =>
  samples.every((sample) => {
    const values = sample[name]
    for (let i = 0; i < values.length; i++) if (!Number.isInteger(values[i])) return false
    return true
  })

/** Below this a number has fewer bits than 8 steps need. */
const tiny = 2 ** -1000

/** Rounds away from zero to 8 significant bits, so that float noise of a backend moves no scale. */
function outwards(x: number): number {
  if (x === 0) return 0
  if (Math.abs(x) < tiny) return Math.sign(x) * tiny
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(x))) - 7)
  return Math.sign(x) * Math.ceil(Math.abs(x) / unit) * unit
}

const bins = 4096

/**
 * Range of every tensor of a program over the samples, by tensor id; input tensors keep their exact extremes
 * under every method. Throws InputError and UsageError as `checkSamples` does, and InputError when the model
 * itself produces a value that is not finite.
 */
export async function calibrate(
  program: Program,
  samples: readonly Sample[],
  options: CalibrateOptions = {},
): Promise<Range[]> {
  return await withBackends(options.backend ?? "loops", (backends) =>
    rangesOf(program, samples, { ...options, backends }),
  )
}

async function rangesOf(
  program: Program,
  samples: readonly Sample[],
  options: CalibrateOptions & { readonly backends: Backends },
): Promise<Range[]> {
  checkSamples(program, samples)
  const { calibration = "minmax" } = options
  if (calibration !== "minmax" && !(calibration.percentile > 50 && calibration.percentile <= 100))
    throw new UsageError({
      what: "the calibration percentile is out of range",
      expected: "more than 50, at most 100",
      given: String(calibration.percentile),
    })
  const count = program.tensors.length
  const min = new Float64Array(count).fill(Number.POSITIVE_INFINITY)
  const max = new Float64Array(count).fill(Number.NEGATIVE_INFINITY)
  const squares = new Float64Array(count)
  const seen = new Float64Array(count)
  const ranked = rankedTensors(program)
  await forEachBatch(program, samples, options, "calibrate", (id, values) => {
    if (ranked.has(id)) return
    let [least, most, sum] = [min[id], max[id], 0]
    for (let i = 0; i < values.length; i++) {
      const x = values[i]
      if (x < least) least = x
      if (x > most) most = x
      sum += x * x
    }
    if (!Number.isFinite(sum)) throw notFinite(program, id)
    min[id] = least
    max[id] = most
    squares[id] += sum
    seen[id] += values.length
  })
  const inputs = new Set(program.inputs.map((input) => input.tensor))
  let cut: { low: Float64Array; high: Float64Array } | undefined
  if (calibration !== "minmax") {
    const share = 1 - calibration.percentile / 100
    cut = await percentiles(program, samples, options, { min, max, seen, share })
  }
  return program.tensors.map((_, id) => {
    if (!seen[id]) return { min: 0, max: 0, rms: 0 }
    if (inputs.has(id))
      return { min: min[id], max: max[id], rms: outwards(Math.sqrt(squares[id] / seen[id])) }
    return {
      min: outwards(cut ? cut.low[id] : min[id]),
      max: outwards(cut ? cut.high[id] : max[id]),
      rms: outwards(Math.sqrt(squares[id] / seen[id])),
    }
  })
}

/** Tensors of numbers that become ranks, whatever their size: inputs, and what is moved of them. */
function rankedTensors({ nodes, inputs }: Program): ReadonlySet<TensorId> {
  const ranked = new Set(inputs.flatMap(({ tensor, ranks }) => (ranks ? [tensor] : [])))
  for (const node of nodes)
    if (node.kind === "index" && node.sources.length > 0 && node.sources.every((id) => ranked.has(id)))
      ranked.add(node.out)
  return ranked
}

/** The error for a tensor with a value that is no number; a function may be undefined on its input. */
function notFinite(program: Program, id: TensorId): InputError {
  const node = program.nodes.find(({ out }) => out === id)
  const name = `tensor \`${program.tensors[id].name}\``
  return new InputError({
    what: "the model produces a value that is not finite on the samples",
    where: node ? `node \`${node.origin.name}\`, operator \`${node.origin.operator}\`, ${name}` : name,
    expected: node?.kind === "function" ? `${showFormula(node.formula)} to be finite` : "finite numbers",
  })
}

/** Second pass: a histogram per tensor over its own range; a percentile is the outer edge of its bin. */
async function percentiles(
  program: Program,
  samples: readonly Sample[],
  options: CalibrateOptions & { backends: Backends },
  first: { min: Float64Array; max: Float64Array; seen: Float64Array; share: number },
): Promise<{ low: Float64Array; high: Float64Array }> {
  const { min, max, seen, share } = first
  const budget = new Budget(allowanceFor(program.held ?? 0))
  const counts = program.tensors.map(({ name }) => {
    budget.elements(bins, `percentiles of tensor \`${name}\``)
    return new Float64Array(bins)
  })
  await forEachBatch(program, samples, options, "percentiles", (id, values) => {
    if (!seen[id]) return
    const step = (max[id] - min[id]) / bins || 1
    for (let i = 0; i < values.length; i++)
      counts[id][Math.min(bins - 1, Math.floor((values[i] - min[id]) / step))]++
  })
  const low = min.slice()
  const high = max.slice()
  for (let id = 0; id < counts.length; id++) {
    const step = (max[id] - min[id]) / bins
    const spare = share * seen[id]
    let below = 0
    let first = 0
    while (first < bins - 1 && below + counts[id][first] <= spare) below += counts[id][first++]
    let above = 0
    let last = bins - 1
    while (last > first && above + counts[id][last] <= spare) above += counts[id][last--]
    if (!(step > 0)) continue
    low[id] = min[id] + first * step
    if (last < bins - 1) high[id] = min[id] + (last + 1) * step
  }
  return { low, high }
}

/** Shows every tensor's values of each sample, samples in order. */
async function forEachBatch(
  program: Program,
  samples: readonly Sample[],
  { signal, onProgress, backends }: CalibrateOptions & { backends: Backends },
  stage: string,
  visit: (tensor: TensorId, values: Float64Array) => void,
): Promise<void> {
  const kept = new Set(program.nodes.map(({ out }) => out))
  await backends.run(program, samples, { kept, signal }, ({ count, values }, first) => {
    // one sample at a time: sums of squares are rounded, and so are the same whatever a batch is
    for (const [id, all] of values) for (let i = 0; i < count; i++) visit(id, part(all, i, count))
    onProgress?.({ stage, done: first + count, total: samples.length })
  })
}
