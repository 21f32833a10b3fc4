/** Small classifiers whose accuracy depends on precision: labels are what the float model says, so that it is never wrong. */
import { evaluate } from "#src/ops/evaluate.js"
import { importOnnx } from "#src/ops/import.js"
import { lower } from "#src/ops/lower.js"
import { encodeOnnx, type OnnxSpec } from "./onnx-writer.js"
import { Random } from "./random.js"

/** A perceptron of 8 inputs, 16 sigmoids and 4 classes, whose scores differ by a tenth of what they are made of. */
export function perceptron(seed: number): OnnxSpec {
  const random = new Random(seed)
  const common = random.reals(16)
  const head = common.flatMap((x) => random.reals(4, 0.2).map((own) => x + own))
  return {
    inputs: [{ name: "x", shape: ["batch", 8] }],
    outputs: ["y"],
    initializers: {
      w: { shape: [8, 16], data: random.reals(128) },
      b: { shape: [16], data: random.reals(16) },
      v: { shape: [16, 4], data: head },
    },
    nodes: [
      { operator: "MatMul", name: "/hidden/MatMul", inputs: ["x", "w"], outputs: ["a"] },
      { operator: "Add", name: "/hidden/Add", inputs: ["a", "b"], outputs: ["c"] },
      { operator: "Sigmoid", name: "/hidden/Sigmoid", inputs: ["c"], outputs: ["h"] },
      { operator: "MatMul", name: "/head/MatMul", inputs: ["h", "v"], outputs: ["y"] },
    ],
  }
}

/** Samples of x, each with the class that the float model gives it. */
export function labelled(spec: OnnxSpec, seed: number, count: number, scale = 1) {
  const program = lower(importOnnx(encodeOnnx(spec)))
  const random = new Random(seed)
  const samples = Array.from({ length: count }, () => ({ x: random.reals(8, scale) }))
  const labels = samples.map((sample) => {
    const y = evaluate(program, sample).get(program.outputs[0].tensor) as Float64Array
    return y.indexOf(y.reduce((a, b) => Math.max(a, b)))
  })
  return { program, samples, labels }
}
