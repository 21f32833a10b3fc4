/** Models that several tests compile, and witnesses of their circuits. */
import { readFileSync } from "node:fs"
import { expect } from "vitest"
import { entriesOf } from "#src/circuit/link/lookup.js"
import type { Salts } from "#src/circuit/witness/commitment.js"
import type { TensorValues, Witness } from "#src/circuit/witness/witness.js"
import { inverseAll, mod } from "#src/field.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { parseSamples } from "#src/quantize/calibration/samples.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { quantizeInput, runInteger } from "#src/quantize/integers/run.js"
import { quantize } from "#src/quantize/quantize.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import { challengedWitness, committedWitness, statementWords } from "#src/systems/mirage/witness.js"
import { encodeOnnx } from "./onnx-writer.js"
import { Random } from "./random.js"

export interface Network {
  readonly graph: IntGraph
  readonly input: Record<string, ArrayLike<number>>
}

const example = (path: string) => readFileSync(new URL(`../../examples/${path}`, import.meta.url))

export async function mnist(folder: string): Promise<Network> {
  const model = importOnnx(example(`${folder}/model.onnx`))
  const { samples } = parseSamples(example(`${folder}/samples.json`), "samples.json", model.inputs)
  return { graph: await quantize(model, { samples }), input: samples[0] }
}

/** The same with private weights. */
export async function privateMnist(folder: string): Promise<Network> {
  const model = importOnnx(example(`${folder}/model.onnx`))
  const { samples } = parseSamples(example(`${folder}/samples.json`), "samples.json", model.inputs)
  return { graph: await quantize(model, { samples, weights: "private" }), input: samples[0] }
}

/** A small network with every gadget: clamp, rectify or truncate, max, argmax, product, table. */
export async function small(): Promise<Network> {
  const random = new Random(5)
  const bytes = encodeOnnx({
    inputs: [{ name: "x", shape: [1, 1, 4, 4] }],
    outputs: ["class", "y", "z"],
    initializers: {
      w: { shape: [2, 1, 3, 3], data: random.reals(18) },
      v: { shape: [4, 8], data: random.reals(32) },
    },
    nodes: [
      { operator: "Conv", inputs: ["x", "w"], outputs: ["a"], attributes: { pads: [1, 1, 1, 1] } },
      { operator: "Relu", inputs: ["a"], outputs: ["b"] },
      {
        operator: "MaxPool",
        inputs: ["b"],
        outputs: ["c"],
        attributes: { kernel_shape: [2, 2], strides: [2, 2] },
      },
      { operator: "Flatten", inputs: ["c"], outputs: ["d"] },
      { operator: "Gemm", inputs: ["d", "v"], outputs: ["e"], attributes: { transB: 1 } },
      { operator: "Mul", inputs: ["e", "e"], outputs: ["y"] },
      { operator: "Sigmoid", inputs: ["e"], outputs: ["z"] },
      { operator: "ArgMax", inputs: ["e"], outputs: ["class"], attributes: { axis: 1 } },
    ],
  })
  const samples = Array.from({ length: 8 }, () => ({ x: random.reals(16) }))
  return { graph: await quantize(importOnnx(bytes), { samples }), input: samples[3] }
}

/** A perceptron with random weights and ReLUs between the layers. */
export async function perceptron(
  sizes: readonly number[],
  precision?: number,
  weights: "fixed" | "private" = "fixed",
): Promise<Network> {
  const random = new Random(7)
  const initializers: Record<string, { shape: number[]; data: number[] }> = {}
  const nodes = sizes.slice(1).flatMap((size, i) => {
    const fan = sizes[i]
    initializers[`w${i}`] = {
      shape: [fan, size],
      data: random.reals(fan * size).map((x) => x * Math.sqrt(6 / fan)),
    }
    const last = i === sizes.length - 2
    const gemm = { operator: "Gemm", inputs: [`x${i}`, `w${i}`], outputs: [last ? "y" : `a${i}`] }
    return last ? [gemm] : [gemm, { operator: "Relu", inputs: [`a${i}`], outputs: [`x${i + 1}`] }]
  })
  const bytes = encodeOnnx({
    inputs: [{ name: "x0", shape: [1, sizes[0]] }],
    outputs: ["y"],
    initializers,
    nodes,
  })
  const samples = Array.from({ length: 8 }, () => ({ x0: random.reals(sizes[0]).map(Math.abs) }))
  const graph = await quantize(importOnnx(bytes), {
    samples,
    ...(precision ? { precision } : {}),
    ...(weights === "private" && { weights }),
  })
  return { graph, input: samples[3] }
}

export const valuesOf = ({ graph, input }: Network): TensorValues =>
  runInteger(graph, quantizeInput(graph, input, { clampInputs: true }))

/** Every wire of a two-phase circuit, at a challenge of the caller's. */
export async function mirageWitness(
  circuit: MirageCircuit,
  values: TensorValues,
  c: bigint,
  salts: Salts = {},
): Promise<Witness> {
  const committed = committedWitness(circuit, values, salts)
  const inverse = entriesOf(circuit.linked.lookup).map((entry) => mod(c - entry))
  expect(inverse).not.toContain(0n)
  inverseAll(inverse)
  const words = statementWords(circuit, values, salts)
  return challengedWitness(circuit.linked, committed, words, c, inverse)
}
