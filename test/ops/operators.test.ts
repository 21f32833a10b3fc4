/**
 * Every operator on random shapes and parameters: onnxruntime = real program, integer model within its
 * stated tolerance, and the circuit accepts exactly the integer execution.
 */
import fc from "fast-check"
import { InferenceSession, Tensor } from "onnxruntime-node"
import { describe, expect, it } from "vitest"
import { compileGadgets } from "#src/circuit/gadgets/circom.js"
import type { CompiledGadgets } from "#src/circuit/gadgets/reduce.js"
import { lookupForms } from "#src/circuit/plan/forms.js"
import { bitForms, planGadgets } from "#src/circuit/plan/plan.js"
import { firstFailingRow } from "#src/circuit/witness/check.js"
import { compile } from "#src/compile/compile.js"
import { ModelError } from "#src/errors.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { evaluate } from "#src/ops/evaluate.js"
import { lower, operators } from "#src/ops/lower.js"
import { sizeOf } from "#src/ops/program.js"
import { measureAccuracy } from "#src/quantize/accuracy.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { quantizeInput } from "#src/quantize/integers/run.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import { witnessOf } from "#src/systems/plain/witness.js"
import { amount } from "../support/amount.js"
import { attentionCases } from "../support/attention-cases.js"
import { controlCases } from "../support/control-cases.js"
import { runOnBoth } from "../support/devices.js"
import { functionCases } from "../support/function-cases.js"
import { logicCases } from "../support/logic-cases.js"
import { mirageWitness } from "../support/networks.js"
import { encodeOnnx, type InputSpec, type OnnxSpec } from "../support/onnx-writer.js"
import { operatorCases } from "../support/operator-cases.js"
import { orderCases } from "../support/order-cases.js"
import { quantizedCases } from "../support/quantized-cases.js"
import { quotientCases } from "../support/quotient-cases.js"
import { Random } from "../support/random.js"
import { recurrentCases } from "../support/recurrent-cases.js"
import { smallCases } from "../support/small-cases.js"

const allCases = {
  ...orderCases,
  ...operatorCases,
  ...logicCases,
  ...functionCases,
  ...quotientCases,
  ...attentionCases,
  ...recurrentCases,
  ...controlCases,
  ...quantizedCases,
  ...smallCases,
}

function tensorOf(data: Float64Array, shape: readonly number[], dtype: InputSpec["dtype"] = "float"): Tensor {
  if (dtype === "int64") return new Tensor("int64", BigInt64Array.from(data, BigInt), shape)
  if (dtype === "bool") return new Tensor("bool", Uint8Array.from(data), shape)
  if (dtype === "uint8") return new Tensor("uint8", Uint8Array.from(data), shape)
  if (dtype === "int8") return new Tensor("int8", Int8Array.from(data), shape)
  if (dtype === "uint16") return new Tensor("uint16", Uint16Array.from(data), shape)
  if (dtype === "int16") return new Tensor("int16", Int16Array.from(data), shape)
  if (dtype === "int32") return new Tensor("int32", Int32Array.from(data), shape)
  return new Tensor("float32", Float32Array.from(data), shape)
}

/** Random values of an input: of integers those that it asks for. */
function valuesOf(random: Random, { shape, dtype = "float", within }: InputSpec): Float64Array {
  const size = sizeOf(shape as number[])
  if (dtype === "float" && !within) return Float64Array.from(random.reals(size), Math.fround)
  const [least, most] = within ?? [0, 1]
  return Float64Array.from({ length: size }, () => random.integer(least, most))
}

async function oracle(bytes: Uint8Array, spec: OnnxSpec, inputs: Record<string, Float64Array>) {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 })
  const feeds = Object.fromEntries(
    spec.inputs.map(({ name, shape, dtype }) => [name, tensorOf(inputs[name], shape as number[], dtype)]),
  )
  const results = await session.run(feeds)
  await session.release()
  return results
}

/** Those of both circuits of a model, by one run of circom. */
async function gadgetsOf(graph: IntGraph): Promise<CompiledGadgets> {
  const uses = [bitForms, lookupForms(graph)].flatMap((forms) => planGadgets(graph, forms).uses)
  return { version: 1, gadgets: await compileGadgets(uses) }
}

/** The circuit; undefined where sums of very different scales compose to a coefficient that is refused. */
async function compiled(graph: IntGraph, gadgets: CompiledGadgets) {
  try {
    return await compile(graph, { proofSystem: "groth16", gadgets })
  } catch (error) {
    if (error instanceof ModelError && error.message.includes("a coefficient that is not exact"))
      return undefined
    throw error
  }
}

async function check(seed: number, make: (random: Random) => OnnxSpec, circuits: boolean): Promise<void> {
  const random = new Random(seed)
  const spec = make(random)
  const bytes = encodeOnnx(spec)
  const sample = () => Object.fromEntries(spec.inputs.map((input) => [input.name, valuesOf(random, input)]))
  const inputs = sample()
  const program = lower(importOnnx(bytes))
  const expected = await oracle(bytes, spec, inputs)
  const values = evaluate(program, inputs)
  for (const { name, tensor } of program.outputs) {
    const want = Array.from(expected[name].data as Iterable<number | bigint>, Number)
    const got = values.get(tensor) as Float64Array
    expect(program.tensors[tensor].shape).toEqual(expected[name].dims)
    const largest = Math.max(1, ...want.map(Math.abs))
    want.forEach((value, i) => {
      expect(Math.abs(got[i] - value), `${name}[${i}]`).toBeLessThanOrEqual(1e-4 * largest)
    })
  }
  if (!circuits) return
  const samples = [inputs, sample(), sample()]
  const graph = await quantizeProgram(program, { samples })
  const { outputs } = await measureAccuracy(program, graph, samples)
  const integers = await runOnBoth(graph, quantizeInput(graph, inputs))
  graph.outputs.forEach(({ tensor }, i) => {
    const { scale, lo, hi } = graph.tensors[tensor]
    const want = expected[outputs[i].name].data
    ;(integers.get(tensor) as Float64Array).forEach((q, j) => {
      expect(q >= lo[j] && q <= hi[j]).toBe(true)
      expect(Math.abs(q * scale - Number(want[j]))).toBeLessThanOrEqual(outputs[i].tolerance + 1e-3)
    })
  })
  const gadgets = await gadgetsOf(graph)
  const circuit = await compiled(graph, gadgets)
  // fast-check fails a property whose cases are all left out
  if (!circuit) return fc.pre(false)
  // throws with the gadget's name if a row fails
  const witness = witnessOf(circuit, integers, `0x${"07".repeat(32)}`)
  circuit.linked.outputs.forEach((first, i) => {
    const want = integers.get(graph.outputs[i].tensor) as Float64Array
    expect(witness.small.subarray(first, first + want.length)).toEqual(want)
  })
  // the two-phase circuit accepts the same integers, and shows them in its words
  const mirage = await compile(graph, { gadgets })
  const full = await mirageWitness(mirage, integers, 2n ** 200n + 7n)
  expect(firstFailingRow(mirage.linked.r1cs, full)).toBe(-1)
}

const manyTables = (name: string): boolean =>
  [quotientCases, functionCases, quantizedCases, smallCases, recurrentCases, controlCases].some(
    (cases) => name in cases,
  )

describe("against onnxruntime", () => {
  for (const [name, make] of Object.entries(allCases)) {
    it(name, async () => {
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => check(seed, make, false)),
        { numRuns: amount(6, 30) },
      )
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => check(seed, make, true)),
        // a table is a gadget of its own, compiled for one circuit
        { numRuns: manyTables(name) ? amount(1, 2) : amount(1, 4) },
      )
    })
  }

  it("covers every operator that takes activations", () => {
    const constantsOnly = /^(Shape|Size|ConstantOfShape|Range|EyeLike|NonZero|CastLike|IsInf|IsNaN)$/
    const covered = new Set(Object.keys(allCases).map((name) => name.split(" ")[0]))
    expect(Object.keys(operators).filter((name) => !covered.has(name) && !constantsOnly.test(name))).toEqual(
      [],
    )
  })
})
