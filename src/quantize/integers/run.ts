/** Running the integer model: what a proof says, in exact integers. */
import { checkArgument, checkList, checkOptions, checkRecord, checkThing } from "../../arguments.js"
import { InputError, invariant, type OnProgress } from "../../errors.js"
import { evaluate } from "../../ops/evaluate.js"
import { sizeOf, type TensorId } from "../../ops/program.js"
import { rankOf } from "../../statement/ranks.js"
import { type BackendChoice, type Backends, part, withBackends } from "../backends/backends.js"
import { checkInputs } from "../calibration/calibrate.js"
import { flatInputs, type Nested } from "../calibration/nested.js"
import { type IntGraph, roundHalfUp } from "./intgraph.js"
import { needSecrets } from "./secrets.js"

/**
 * Integers of the inputs: q = round(x / scale), within half a step of the admissible range
 * [lo·scale, (lo + 2^bits − 1)·scale], or clamped to it on request; or their ranks, which all numbers have. Throws InputError for wrong names or
 * counts, values that are not finite, and values out of range.
 */
export function quantizeInput(
  graph: IntGraph,
  given: Readonly<Record<string, Nested>>,
  options: { readonly clampInputs?: boolean } = {},
): Record<string, Float64Array> {
  checkThing("model", graph, "graph")
  checkOptions(options)
  const inputs = flatInputs(graph, given, "input")
  checkInputs(graph, inputs, "input")
  const quantized: Record<string, Float64Array> = {}
  for (const { name, tensor, lo, bits, ranks } of graph.inputs) {
    const { scale, shape } = graph.tensors[tensor]
    const values = inputs[name]
    if (ranks) {
      quantized[name] = Float64Array.from(ranks.edges, (edges, i) => rankOf(values[i], edges, ranks.type))
      continue
    }
    const hi = lo + 2 ** bits - 1
    const out = new Float64Array(sizeOf(shape))
    for (let i = 0; i < out.length; i++) {
      const exact = values[i] / scale
      if (!options.clampInputs && !(exact >= lo - 0.5 && exact <= hi + 0.5))
        throw new InputError({
          what: "a value lies outside the range the model was calibrated for",
          where: `input \`${name}\`, element ${i}`,
          expected: `${lo * scale} to ${hi * scale}`,
          given: String(values[i]),
          fix: "Scale the input as the samples were, quantize with samples that cover it, or clamp it with option `clampInputs`",
        })
      out[i] = Math.min(Math.max(roundHalfUp(exact), lo), hi)
    }
    quantized[name] = out
  }
  return quantized
}

export interface RunIntegersOptions {
  /** What runs the model; default `auto`. Integers are the same on all. */
  readonly backend?: BackendChoice | Backends | undefined
  /** The tensors that are wanted; default: those of the outputs. */
  readonly tensors?: readonly TensorId[]
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Integers of many inputs that were quantized, each as `runInteger` gives them, of the wanted tensors.
 * @throws InputError for integers that an input does not admit; CountersignError for a model without its private weights
 */
export async function runIntegers(
  graph: IntGraph,
  quantized: readonly Readonly<Record<string, ArrayLike<number>>>[],
  options: RunIntegersOptions = {},
): Promise<Map<TensorId, Float64Array>[]> {
  checkThing("model", graph, "graph")
  checkList(quantized, "quantized")
  checkOptions(options)
  needSecrets(graph, "to run it")
  const { tensors = graph.outputs.map(({ tensor }) => tensor), backend, onProgress, signal } = options
  checkList(tensors, "options.tensors")
  for (const id of tensors)
    checkArgument(Object.hasOwn(graph.tensors, id), "options.tensors", "ids of the model's tensors", id)
  for (const each of quantized) checkAdmissible(graph, each)
  const results: Map<TensorId, Float64Array>[] = []
  await withBackends(backend, (backends) =>
    backends.run(graph, quantized, { kept: new Set(tensors), signal }, ({ count, values }, first) => {
      for (let i = 0; i < count; i++)
        results.push(new Map(tensors.map((id) => [id, part(valuesOf(values, id), i, count).slice()])))
      onProgress?.({ stage: "run", done: first + count, total: quantized.length })
    }),
  )
  return results
}

function valuesOf(values: ReadonlyMap<TensorId, Float64Array>, id: TensorId): Float64Array {
  const found = values.get(id)
  invariant(found, `tensor ${id} was not evaluated`)
  return found
}

/** Static bounds hold for what an input admits and nothing else, and so does what is exact on a device. @throws InputError */
function checkAdmissible(graph: IntGraph, quantized: Readonly<Record<string, ArrayLike<number>>>): void {
  checkRecord(quantized, "quantized", "an object with the integers of each input by name")
  for (const { name, tensor, lo, bits } of graph.inputs) {
    const values: ArrayLike<number> | undefined = quantized[name]
    const size = sizeOf(graph.tensors[tensor].shape)
    const hi = lo + 2 ** bits - 1
    if (values?.length !== size)
      throw new InputError({
        what: values ? "wrong number of integers" : "missing",
        where: `input \`${name}\``,
        expected: `${size}`,
        given: `${values?.length ?? "nothing"}`,
      })
    for (let i = 0; i < size; i++)
      if (!(values[i] >= lo && values[i] <= hi && Math.floor(values[i]) === values[i]))
        throw new InputError({
          what: "the input does not admit it",
          where: `input \`${name}\`, element ${i}`,
          expected: `a whole number from ${lo} to ${hi}`,
          given: String(values[i]),
        })
  }
}

/**
 * Integers of every tensor for quantized inputs, exactly: the reference that witnesses are made from.
 * @throws InputError for inputs that do not fit; CountersignError for a model without its private weights
 */
export const runInteger = (
  graph: IntGraph,
  quantized: Readonly<Record<string, ArrayLike<number>>>,
): Map<TensorId, Float64Array> => {
  checkThing("model", graph, "graph")
  checkRecord(quantized, "quantized", "an object with the integers of each input by name")
  needSecrets(graph, "to run it")
  return evaluate(graph, quantized)
}
