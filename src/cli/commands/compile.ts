/** `countersign compile`: from a model file to the folder of a circuit. */

import type { Command } from "commander"
import { readWhole } from "../../files.js"
import * as api from "../../index.js"
import { sizeOf } from "../../ops/program.js"
import { proofSystems } from "../../systems/index.js"
import { backendInfo, backendLine, backendOption, backendsOf } from "../backend.js"
import { readDocument } from "../claims.js"
import { stageLine } from "../estimates.js"
import { checkCircuitFolder, saveCircuit } from "../folder.js"
import { readLike, withoutPredicate } from "../like.js"
import { readModel } from "../model-files.js"
import { command, dimensions, repeatable, wholeNumber } from "../options.js"
import { calibrationMethod, measuredLine, targetLoss, tradeLines } from "../search.js"
import { elapsed, note, onProgress, print } from "../terminal.js"

const { precision, minPrecision, maxPrecision, maxMemory } = api.defaults

export const compileCommand = command("compile", "quantize a model and compile it to a circuit")
  .argument("<model>", "an .onnx, .keras or .h5 file, or model.json of tfjs")
  .needs("--samples <file>", "inputs for calibration: a JSON array or .npz")
  .needs("--out <folder>", "where the circuit goes")
  .option("--precision <bits>", "bits of an activation, 6 to 14", String(precision))
  .option(
    "--calibration <method>",
    "minmax, or the percentile of values that ranges cover, as 99.9",
    "minmax",
  )
  .option(
    "--target-accuracy <loss>",
    "search precision and calibration for the cheapest circuit that loses no more: percentage points of accuracy with labels, else percent of each output's range",
  )
  .option("--labels <file>", "the class of each sample: .npy, .npz with `labels` or `y`, or a JSON list")
  .option("--input <visibility>", "private, public or committed", "private")
  .option("--output <visibility>", "public or committed", "public")
  .option(
    "--within <document>",
    "prove whether answers are within this policy document, by one more public bit",
  )
  .option("--weights <kind>", "fixed, or private: shown to nobody, and committed to", "fixed")
  .option(
    "--like <folder>",
    "the model is another training of this folder's, with private weights: share its circuit and its keys",
  )
  .option(
    "--proof-system <name>",
    `${proofSystems.slice(0, -1).join(", ")} or ${proofSystems.at(-1)}`,
    proofSystems[0],
  )
  .addOption(
    repeatable("--dimension <name=value>", "value of an open dimension, by name or input:axis; repeatable"),
  )
  .addOption(
    repeatable("--outputs <tensor>", "end the model at this tensor, not at its own outputs; repeatable"),
  )
  .addOption(backendOption)
  .option("--max-constraints <count>", "refuse larger circuits")
  .option(
    "--max-memory <MiB>",
    "refuse circuits that linking would take more memory for",
    String(maxMemory / 2 ** 20),
  )
  .action(async (path: string, options, command: Command) => {
    const start = performance.now()
    await using backend = backendsOf(options.backend)
    const open = dimensions(options.dimension)
    const bits = wholeNumber("--precision", options.precision, minPrecision, maxPrecision)
    const most = {
      maxMemory: 2 ** 20 * wholeNumber("--max-memory", options.maxMemory, 1, 2 ** 32),
      ...(options.maxConstraints !== undefined && {
        maxConstraints: wholeNumber("--max-constraints", options.maxConstraints),
      }),
    }
    const isGiven = (name: string) => command.getOptionValueSource(name) === "cli"
    const { out } = options
    const document = options.within === undefined ? undefined : await readDocument(options.within)
    const like = options.like === undefined ? undefined : readLike(options.like, options, isGiven, document)
    const { input, output, weights, proofSystem } = like?.circuit ?? options
    const within = document && !like ? { within: document } : {}
    const chosen = { input, output, weights, proofSystem, ...most, ...within }
    const hidden = weights === "private" ? ({ weights } as const) : {}
    checkCircuitFolder(out, { ...api.checkCompileOptions(chosen), ...hidden })
    const calibration = calibrationMethod(options.calibration)
    const target = options.targetAccuracy === undefined ? undefined : targetLoss(options.targetAccuracy)
    const fixed = {
      ...(isGiven("precision") && { precisions: [bits] }),
      ...(isGiven("calibration") && { calibrations: [calibration] }),
    }
    const sampleFile = readWhole(options.samples)
    const labelFile = options.labels === undefined ? undefined : readWhole(options.labels)
    const ends = options.outputs.length > 0 ? options.outputs : undefined
    const graph = readModel(path, { dimensions: open, outputs: ends })
    const lowered = api.lower(graph, { weights })
    const given = api.parseSamples(sampleFile, options.samples, graph.inputs)
    const labels = labelFile ? api.parseLabels(labelFile, options.labels, given.samples.length) : given.labels
    const all = { samples: given.samples, labels }
    const warnings = sampleWarnings(lowered, all)
    for (const warning of warnings) note(`warning: ${warning}`)
    const search =
      target === undefined ? undefined : await searched(lowered, all, target, { ...fixed, backend }, chosen)
    const how = like
      ? { like: like.graph, ...(isGiven("precision") && { precision: bits }) }
      : { precision: bits, calibration }
    const integers =
      search?.graph ?? (await api.quantizeProgram(lowered, { ...all, ...how, backend, onProgress }))
    const measured = search ? search.measured : given.samples.map((_, i) => i)
    const proven = document && !like ? api.withPredicate(integers, document) : integers
    checkCircuitFolder(out, { input, output, proofSystem, ...hidden, model: api.modelDigest(proven) })
    const accuracy = await api.measureAccuracy(
      lowered,
      withoutPredicate(integers),
      measured.map((i) => given.samples[i]),
      { labels: labels && measured.map((i) => labels[i]), backend, onProgress },
    )
    let estimate: api.CircuitEstimate | undefined
    const onEstimate = (expected: api.CircuitEstimate) => {
      estimate = expected
      const line = stageLine(expected, "compile")
      if (line !== undefined) note(line)
    }
    const circuit = await api.compile(integers, { ...chosen, onEstimate, onProgress })
    const info = saveCircuit(out, circuit, accuracy)
    const { graph: _, ...trade } = search ?? {}
    print(
      {
        ...info,
        estimate,
        accuracy,
        warnings,
        ...(search && { search: trade }),
        ...backendInfo(backend),
        ms: elapsed(start),
      },
      [
        ...(search ? [...tradeLines(search), measuredLine(search), ""] : []),
        weights === "private" ? `architecture ${info.model}` : `model        ${info.model}`,
        `constraints  ${info.constraints} (${info.lookups} lookups, domain ${info.domain}, ${info.nonzeros} non-zeros)`,
        ...(document ? [`proves       ${circuit.layout.outputs[0].name}`] : []),
        ...accuracyLines(accuracy, labels !== undefined),
        backendLine(backend),
        ...(like
          ? [
              `shares       circuit and keys of ${options.like}: take its proving.key, and commit to the weights`,
            ]
          : []),
        `written to   ${out}`,
      ],
    )
  })

type Lowered = ReturnType<typeof api.lower>
type Labelled = Pick<api.SearchOptions, "samples" | "labels">

/** The search, and what was tried if it finds nothing. */
async function searched(
  lowered: Lowered,
  samples: Labelled,
  target: number,
  fixed: Pick<api.SearchOptions, "precisions" | "calibrations" | "backend">,
  circuit: api.CompileOptions,
): Promise<api.PrecisionSearch> {
  try {
    return await api.searchPrecision(lowered, { ...samples, target, ...fixed, circuit, onProgress })
  } catch (error) {
    if (error instanceof api.AccuracyError) for (const line of tradeLines(error.search)) note(line)
    throw error
  }
}

/** What speaks against samples that can be used all the same. */
function sampleWarnings({ outputs, tensors }: Lowered, { samples, labels }: Labelled): string[] {
  const warnings: string[] = []
  if (samples.length === 1)
    warnings.push(
      "one sample only: inputs of another range will be refused, and ranges inside the model cut off",
    )
  const classes = sizeOf(tensors[outputs[0].tensor].shape)
  // one element names a class by its value
  const outside = classes > 1 ? (labels?.filter((label) => label >= classes) ?? []) : []
  if (outside.length > 0)
    warnings.push(
      `${outside.length} of ${labels?.length} labels lie outside of output \`${outputs[0].name}\`, which has ${classes} elements: label ${outside[0]}, for one`,
    )
  return warnings
}

/** Nodes that decide, of which is said how near to a tie. */
const shownDecisions = 5

function accuracyLines(
  { float, integer, agreement, samples, outputs, margin, decisions }: api.Accuracy,
  labelled: boolean,
): string[] {
  const uncertain = decisions
    .filter(({ near, changed }) => near + (changed ?? 0) > 0)
    .sort((x, y) => (y.changed ?? 0) - (x.changed ?? 0) || y.near - x.near)
  const percent = (share: number | null) =>
    share === null ? "not measured" : `${(100 * share).toFixed(2)} %`
  return [
    ...(labelled ? [`accuracy     float ${percent(float)}, integer ${percent(integer)} of the labels`] : []),
    `agreement    ${percent(agreement)} of ${samples} samples: the same class as the float model`,
    ...outputs.map(
      ({ name, maxError }) => `error        ${name}: at most ${maxError.toPrecision(3)} on these samples`,
    ),
    ...(margin && margin.near > 0
      ? [
          `near ties    ${margin.near} of ${samples} samples: the two largest of ${margin.output} differ by no more than twice that error`,
        ]
      : []),
    ...uncertain
      .slice(0, shownDecisions)
      .map(
        ({ node, operator, decisions: count, near, changed }) =>
          `             ${node} (${operator}): ${near} of ${count} decisions are within a step of a tie${changed === null ? "" : `, ${changed} come out otherwise`}`,
      ),
  ]
}
