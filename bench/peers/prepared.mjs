/**
 * What all sides of a comparison get: one model, one input, the integers that ours makes of both, and what the model says in
 * floating point. Files of it lie in a folder of their own for programs that want files.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { importOnnx, lower, quantize, quantizeInput, runInteger } from "../../dist/index.js"
import { evaluate } from "../../dist/ops/evaluate.js"

const context = `0x${"00".repeat(32)}`
/** So many samples calibrate the other side, as in its own examples. */
const calibrationSamples = 20

/**
 * Reads `network`: { name, onnx: bytes, samples: [values by input], input: values by input, options of `quantize` }, all values
 * flat. Gives it with the paths of its files in `folder`, the integer model, quantized input and outputs, and float outputs.
 */
export async function prepare(network, folder) {
  const { name, onnx, samples, input, options = {} } = network
  mkdirSync(folder, { recursive: true })
  const paths = {
    model: join(folder, "model.onnx"),
    samples: join(folder, "samples.json"),
    input: join(folder, "input.json"),
  }
  const flat = (values) => Object.fromEntries(Object.entries(values).map(([key, list]) => [key, [...list]]))
  writeFileSync(paths.model, onnx)
  writeFileSync(paths.samples, JSON.stringify(samples.map((values) => ({ inputs: flat(values) }))))
  writeFileSync(paths.input, JSON.stringify({ inputs: flat(input) }))

  const graph = importOnnx(onnx)
  const program = lower(graph)
  const model = await quantize(graph, { samples, ...options })
  const quantized = quantizeInput(model, input, { clampInputs: true })
  const run = runInteger(model, quantized)
  const outputs = model.outputs.flatMap(({ tensor }) => Array.from(run.get(tensor)))
  const scales = model.outputs.flatMap(({ tensor }) =>
    Array.from(run.get(tensor), () => model.tensors[tensor].scale),
  )
  const real = evaluate(program, input)
  const floats = program.outputs.flatMap(({ tensor }) => Array.from(real.get(tensor)))
  return {
    name,
    weights: network.weights,
    precision: options.precision,
    folder,
    paths,
    context,
    input,
    /** In the order of the model's inputs, one list each. */
    calibration: graph.inputs.map(({ name: key }) =>
      samples.slice(0, calibrationSamples).flatMap((values) => [...values[key]]),
    ),
    inputs: graph.inputs.map(({ name: key }) => [...input[key]]),
    model,
    quantized,
    values: run,
    outputs,
    scales,
    floats,
  }
}

const largestAt = (list) => list.indexOf(Math.max(...list))

/** How far real outputs are from the model's in floating point, and whether the largest is at the same place. */
export function agreement(floats, outputs) {
  if (outputs.length !== floats.length)
    throw new Error(`${outputs.length} outputs, and the model has ${floats.length}`)
  if (!outputs.every(Number.isFinite)) throw new Error("an output is no number")
  const error = Math.max(...outputs.map((x, i) => Math.abs(x - floats[i])))
  return { error, sameClass: largestAt(outputs) === largestAt(floats) }
}
