/** The integers of quantized models are onnxruntime's, whatever the precision; what could wrap around is refused. */
import { InferenceSession, Tensor } from "onnxruntime-node"
import { describe, expect, it } from "vitest"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { lower } from "#src/ops/lower.js"
import { sizeOf } from "#src/ops/program.js"
import { quantizeInput } from "#src/quantize/integers/run.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import { runOnBoth } from "../support/devices.js"
import { encodeOnnx, type OnnxSpec, type TensorSpec } from "../support/onnx-writer.js"
import { Random } from "../support/random.js"

type Line = OnnxSpec["nodes"][number]

/** A network as exporters of quantized models write it: every operator between integers of 8 bits. */
class Quantized {
  readonly nodes: Line[] = []
  readonly initializers: Record<string, TensorSpec> = {}
  readonly rounded: string[] = []
  constructor(readonly random: Random) {}

  constant(tensor: TensorSpec): string {
    const name = `c${Object.keys(this.initializers).length}`
    this.initializers[name] = tensor
    return name
  }

  add(operator: string, inputs: string[], attributes: Line["attributes"] = {}): string {
    const out = `t${this.nodes.length}`
    this.nodes.push({ operator, inputs, outputs: [out], attributes })
    return out
  }

  /** Integers of a real tensor, and what they stand for. */
  coded(x: string, scale: number, zero: number): string {
    const coding = [
      this.constant({ shape: [], data: [Math.fround(scale)] }),
      this.constant({ shape: [], data: [zero], dtype: "uint8" }),
    ]
    const integers = this.add("QuantizeLinear", [x, ...coding])
    this.rounded.push(integers)
    return this.add("DequantizeLinear", [integers, ...coding])
  }

  /** Weights of 8 bits, with a scale for each output. */
  weights(shape: number[], axis = 0): string {
    const data = Array.from({ length: sizeOf(shape) }, () => this.random.integer(-127, 127))
    const scales = Array.from({ length: shape[axis] }, () => Math.fround(0.003 + this.random.next() / 300))
    const given = [
      this.constant({ shape, data, dtype: "int8" }),
      this.constant({ shape: [shape[axis]], data: scales }),
      this.constant({ shape: [shape[axis]], data: new Float64Array(shape[axis]), dtype: "int8" }),
    ]
    return this.add("DequantizeLinear", given, { axis })
  }
}

function network(seed: number): OnnxSpec {
  const net = new Quantized(new Random(seed))
  const pads = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }
  let x = net.coded("x", 0.01731, 117)
  x = net.add("Conv", [x, net.weights([4, 1, 3, 3])], pads)
  const rectified = net.coded(net.add("Relu", [x]), 0.01137, 3)
  const second = net.coded(net.add("Conv", [rectified, net.weights([4, 4, 3, 3])], pads), 0.02131, 128)
  const sum = net.coded(net.add("Add", [rectified, second]), 0.02357, 101)
  const pooled = net.coded(net.add("MaxPool", [sum], { kernel_shape: [2, 2], strides: [2, 2] }), 0.02357, 101)
  const joined = net.coded(
    net.add("Concat", [pooled, net.coded(net.add("Sigmoid", [pooled]), 0.00393, 0)], { axis: 1 }),
    0.01913,
    93,
  )
  const flat = net.add("Flatten", [joined])
  const product = net.coded(net.add("MatMul", [flat, net.weights([72, 5], 1)]), 0.05371, 71)
  const scores = net.coded(net.add("LeakyRelu", [product], { alpha: { float: 0.13 } }), 0.05171, 77)
  net.coded(net.add("Mul", [scores, scores]), 0.31337, 0)
  return {
    opset: 13,
    inputs: [{ name: "x", shape: [1, 1, 6, 6] }],
    outputs: net.rounded,
    initializers: net.initializers,
    nodes: net.nodes,
  }
}

describe("a network of integers of 8 bits", () => {
  it.each([8, 10, 14])("has onnxruntime's integers in every layer at precision %i", async (precision) => {
    for (let seed = 0; seed < 4; seed++) {
      const spec = network(seed)
      const bytes = encodeOnnx(spec)
      const random = new Random(seed + 100)
      const sample = () => ({ x: Float64Array.from(random.reals(36), Math.fround) })
      const samples = [sample(), sample(), sample()]
      const graph = await quantizeProgram(lower(importOnnx(bytes)), { samples, precision })
      // the rounding of the input is how it is given
      expect(graph.inputs.map(({ lo, bits }) => ({ lo, bits }))).toEqual([{ lo: -117, bits: 8 }])
      const session = await InferenceSession.create(bytes, {
        logSeverityLevel: 4,
        graphOptimizationLevel: "disabled",
      })
      for (const given of samples) {
        const want = await session.run({ x: new Tensor("float32", Float32Array.from(given.x), [1, 1, 6, 6]) })
        const integers = await runOnBoth(graph, quantizeInput(graph, given))
        for (const { name, tensor } of graph.outputs) {
          expect(graph.tensors[tensor].scale).toBe(1)
          expect(Array.from(integers.get(tensor) ?? []), name).toEqual(
            Array.from(want[name].data as Uint8Array),
          )
        }
      }
      await session.release()
    }
  })
})

/** x·W of integers of 8 bits. */
const product = (weight: number): OnnxSpec => ({
  inputs: [{ name: "x", shape: [1, 2], dtype: "bool" }],
  outputs: ["y"],
  initializers: { w: { shape: [2, 1], data: [weight, weight], dtype: "int8" } },
  nodes: [
    { operator: "Cast", inputs: ["x"], outputs: ["b"], attributes: { to: 3 } },
    { operator: "MatMul", inputs: ["b", "w"], outputs: ["p"] },
    { operator: "Cast", inputs: ["p"], outputs: ["y"], attributes: { to: 1 } },
  ],
})

describe("arithmetic in 8 bits", () => {
  it("is taken where nothing can wrap around", () => {
    expect(() => lower(importOnnx(encodeOnnx(product(63))))).not.toThrow()
    expect(() => lower(importOnnx(encodeOnnx(product(-64))))).not.toThrow()
  })

  it("is refused with what the result can be where it can", () => {
    expect(() => lower(importOnnx(encodeOnnx(product(64))))).toThrow(/wraps around, it can be from 0 to 128/)
    expect(() => lower(importOnnx(encodeOnnx(product(-65))))).toThrow(
      /wraps around, it can be from -130 to 0/,
    )
  })
})
