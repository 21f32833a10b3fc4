/** How a model is to be quantized, and what samples say besides those that calibrate it. */
import { checkArgument, checkOptions, checkThing } from "../arguments.js"
import { defaults } from "../defaults.js"
import { type OnProgress, UsageError } from "../errors.js"
import type { Program } from "../ops/program.js"
import type { BackendChoice, Backends } from "./backends/backends.js"
import type { CalibrationMethod, Range, Sample } from "./calibration/calibrate.js"
import type { Nested } from "./calibration/nested.js"
import type { IntGraph } from "./integers/intgraph.js"

export interface QuantizeOptions {
  /** Inputs that the model will see, for calibration; at least one. */
  readonly samples: readonly Readonly<Record<string, Nested>>[]
  /** w: bits of an activation, 6–14. */
  readonly precision?: number
  readonly calibration?: CalibrationMethod
  /**
   * How inputs that are compared with constants and nothing else become integers: `exact`, the default, by their rank
   * among these, so that no comparison comes out otherwise; `quantized`, as all others.
   */
  readonly comparisons?: "exact" | "quantized"
  /**
   * A model with private weights, or its architecture: this one is another training of it, and is given the same integers
   * for all that is not weights. Samples calibrate nothing then, and precision is that of the architecture.
   */
  readonly like?: IntGraph
  /** What runs the real program for calibration; default `auto`: plain loops, or a device where there is much to do. */
  readonly backend?: BackendChoice | Backends | undefined
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

/** What is to be, defaults filled in. @throws UsageError for what is no program or no options */
export function checkQuantizeOptions(
  program: Program,
  options: QuantizeOptions,
): { readonly precision: number; readonly comparisons: "exact" | "quantized" } {
  checkThing("program", program, "program")
  checkOptions(options, "an object with `samples`")
  const { minPrecision, maxPrecision } = defaults
  const { precision = defaults.precision, comparisons = "exact" } = options
  const good = Number.isInteger(precision) && precision >= minPrecision && precision <= maxPrecision
  const expected = `a whole number of bits from ${minPrecision} to ${maxPrecision}`
  checkArgument(good, "options.precision", expected, precision)
  const isKnown = comparisons === "exact" || comparisons === "quantized"
  checkArgument(isKnown, "options.comparisons", "exact or quantized", comparisons)
  if (options.like !== undefined) {
    checkThing("model", options.like, "options.like")
    if (!program.twins)
      throw new UsageError({
        what: "option `like` is for private weights",
        fix: "Give option `weights` to `quantize`, or to `lower`, as well",
      })
    if (options.precision !== undefined && options.precision !== options.like.precision)
      throw new UsageError({
        what: "another precision than that of the architecture",
        expected: `${options.like.precision} bits`,
        given: `${options.precision} bits`,
        fix: "Leave option `precision` out",
      })
  }
  return { precision, comparisons }
}

/** Ranges in which those of inputs reach as far as more samples do, all of them finite. */
export function withInputs(
  { inputs }: Program,
  ranges: readonly Range[],
  samples: readonly Sample[],
): readonly Range[] {
  const widened = [...ranges]
  for (const { name, tensor, ranks } of inputs) {
    if (ranks) continue
    let { min, max } = ranges[tensor]
    for (const sample of samples)
      for (let i = 0; i < sample[name].length; i++) {
        min = Math.min(min, sample[name][i])
        max = Math.max(max, sample[name][i])
      }
    widened[tensor] = { ...ranges[tensor], min, max }
  }
  return widened
}
