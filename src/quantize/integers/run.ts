/** Running the integer model: what a proof says, in exact integers. */
import { checkOptions, checkRecord, checkThing } from "../../arguments.js"
import { InputError } from "../../errors.js"
import { evaluate } from "../../ops/evaluate.js"
import { sizeOf, type TensorId } from "../../ops/program.js"
import { rankOf } from "../../statement/ranks.js"
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
