/** A model in integers: lowered, rewritten so that integers suit it, calibrated on samples, and quantized (quantizer.ts). */
import { allowanceFor, Budget } from "../budget.js"
import type { Graph } from "../model/graph.js"
import { type LowerOptions, lower } from "../ops/lower.js"
import type { Program } from "../ops/program.js"
import { withoutRanks } from "../ops/ranks.js"
import { calibrate, chargeRun, type Sample } from "./calibration/calibrate.js"
import { flatSamples } from "./calibration/nested.js"
import { withColumns } from "./columns.js"
import { hoistRounds } from "./hoist.js"
import { IntBuilder } from "./intbuilder.js"
import type { IntGraph } from "./integers/intgraph.js"
import { checkQuantizeOptions, type QuantizeOptions, withInputs } from "./options.js"
import { splitColumns } from "./parts.js"
import { bypassSums, hoistClamps } from "./prepare.js"
import { type Provenances, traced } from "./provenance.js"
import { Quantizer } from "./quantizer.js"
import { retrained } from "./retrained.js"
import { aroundSoftmax } from "./softmax.js"
import type { Calibrated } from "./stands.js"

/**
 * Quantizes a model: lowers it, calibrates on the samples, and chooses integers for everything.
 * @throws ModelError for what we cannot prove or what exceeds the model's budget, InputError for samples that do not
 * fit, UsageError for options
 */
export const quantize = async (graph: Graph, options: QuantizeOptions & LowerOptions): Promise<IntGraph> =>
  quantizeProgram(lower(graph, { weights: options?.weights ?? "fixed" }), options)

/** Quantizes a lowered model; errors as `quantize`. */
export async function quantizeProgram(program: Program, options: QuantizeOptions): Promise<IntGraph> {
  const { precision } = checkQuantizeOptions(program, options)
  if (options.like) {
    const { program: prepared, secrets } = preparedFor(program, options)
    return retrained(prepared, secrets, options.like)
  }
  return (await calibrated(program, options)).at(precision).graph
}

/** A program as it is quantized, with what is secret of it, and its samples. */
function preparedFor(program: Program, options: QuantizeOptions) {
  const { comparisons } = checkQuantizeOptions(program, options)
  const encode = (each: Program) => (comparisons === "exact" ? each : withoutRanks(each))
  const encoded = encode(program)
  const samples = flatSamples(encoded, options.samples)
  const held = allowanceFor(program.held ?? 0)
  const prepare = (each: Program) =>
    bypassSums(
      hoistClamps(hoistRounds(splitColumns(aroundSoftmax(withColumns(each, samples, new Budget(held)))))),
    )
  const none: Provenances = new Map()
  if (!program.twins) return { program: prepare(encoded), secrets: none, samples, held }
  const twins = program.twins.map((twin) => prepare(encode(twin)))
  return { ...traced(prepare(encoded), twins), samples, held }
}

/** Calibrates a lowered model; its inputs may be as those of `admissible` are, too. Errors as `quantize`. */
export async function calibrated(
  program: Program,
  options: QuantizeOptions,
  admissible: readonly Sample[] = [],
): Promise<Calibrated> {
  const { program: prepared, secrets, samples, held } = preparedFor(program, options)
  chargeRun(prepared, new Budget(held))
  const seen = await calibrate(prepared, samples, { ...options, backend: options.backend ?? "auto" })
  const ranges = withInputs(prepared, seen, admissible)
  const all = [...samples, ...admissible]
  return {
    program: prepared,
    at(precision) {
      const budget = new Budget(held)
      chargeRun(prepared, budget)
      return new Quantizer(prepared, ranges, all, new IntBuilder(precision, budget), secrets).run()
    },
  }
}
