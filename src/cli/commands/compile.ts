/** `countersign compile`: from a model file to the folder of a circuit. */

import { readWhole } from "../../files.js"
import * as api from "../../index.js"
import { sizeOf } from "../../ops/program.js"
import { proofSystems } from "../../systems/index.js"
import { readDocument } from "../claims.js"
import { checkCircuitFolder, saveCircuit } from "../folder.js"
import { readModel } from "../model-files.js"
import { command, dimensions, repeatable, wholeNumber } from "../options.js"
import { elapsed, note, onProgress, print } from "../terminal.js"

const { precision, minPrecision, maxPrecision, maxConstraints } = api.defaults

export const compileCommand = command("compile", "quantize a model and compile it to a circuit")
  .argument("<model>", "an .onnx file, or model.json of tfjs")
  .needs("--samples <file>", "inputs for calibration: a JSON array or .npz")
  .needs("--out <folder>", "where the circuit goes")
  .option("--precision <bits>", "bits of an activation, 6 to 14", String(precision))
  .option("--input <visibility>", "private, public or committed", "private")
  .option("--output <visibility>", "public or committed", "public")
  .option(
    "--within <document>",
    "prove whether answers are within this policy document, by one more public bit",
  )
  .option("--weights <kind>", "fixed", "fixed")
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
  .option("--max-constraints <count>", "refuse larger circuits", String(maxConstraints))
  .action(async (path: string, options) => {
    const start = performance.now()
    const open = dimensions(options.dimension)
    const bits = wholeNumber("--precision", options.precision, minPrecision, maxPrecision)
    const most = wholeNumber("--max-constraints", options.maxConstraints)
    const { input, output, weights, proofSystem, out } = options
    const document = options.within === undefined ? undefined : await readDocument(options.within)
    const within = document ? { within: document } : {}
    const chosen = { input, output, weights, proofSystem, maxConstraints: most, ...within }
    checkCircuitFolder(out, api.checkCompileOptions(chosen))
    const sampleFile = readWhole(options.samples)
    const ends = options.outputs.length > 0 ? options.outputs : undefined
    const graph = readModel(path, { dimensions: open, outputs: ends })
    const lowered = api.lower(graph)
    const { samples, labels } = api.parseSamples(sampleFile, options.samples, graph.inputs)
    const warnings = sampleWarnings(lowered, samples.length, labels)
    for (const warning of warnings) note(`warning: ${warning}`)
    const integers = await api.quantizeProgram(lowered, { samples, precision: bits, onProgress })
    const proven = document ? api.withPredicate(integers, document) : integers
    checkCircuitFolder(out, { input, output, proofSystem, model: api.modelDigest(proven) })
    const accuracy = api.measureAccuracy(lowered, integers, samples, { labels, onProgress })
    const circuit = await api.compile(integers, { ...chosen, onProgress })
    const info = saveCircuit(out, circuit, accuracy)
    print({ ...info, warnings, ms: elapsed(start) }, [
      `model        ${info.model}`,
      `constraints  ${info.constraints} (${info.lookups} lookups, domain ${info.domain}, ${info.nonzeros} non-zeros)`,
      ...(document ? [`proves       ${circuit.layout.outputs[0].name}`] : []),
      ...accuracyLines(accuracy, labels !== undefined),
      `written to   ${out}`,
    ])
  })

/** What speaks against samples that can be used all the same. */
function sampleWarnings(
  { outputs, tensors }: ReturnType<typeof api.lower>,
  count: number,
  labels: readonly number[] | undefined,
): string[] {
  const warnings: string[] = []
  if (count === 1)
    warnings.push(
      "one sample only: inputs of another range will be refused, and ranges inside the model cut off",
    )
  const classes = sizeOf(tensors[outputs[0].tensor].shape)
  const outside = labels?.filter((label) => label >= classes) ?? []
  if (outside.length > 0)
    warnings.push(
      `${outside.length} of ${labels?.length} labels lie outside of output \`${outputs[0].name}\`, which has ${classes} elements: label ${outside[0]}, for one`,
    )
  return warnings
}

function accuracyLines(
  { float, integer, agreement, samples, outputs }: api.Accuracy,
  labelled: boolean,
): string[] {
  const percent = (share: number | null) =>
    share === null ? "not measured" : `${(100 * share).toFixed(2)} %`
  return [
    ...(labelled ? [`accuracy     float ${percent(float)}, integer ${percent(integer)} of the labels`] : []),
    `agreement    ${percent(agreement)} of ${samples} samples: the same largest output as the float model`,
    ...outputs.map(
      ({ name, maxError }) => `error        ${name}: at most ${maxError.toPrecision(3)} on these samples`,
    ),
  ]
}
