/** Random ONNX models of the largest elements along an axis, and of rows of tables that the model is given the index of. */
import type { InputSpec, OnnxSpec } from "./onnx-writer.js"
import { ints, reals } from "./operator-cases.js"
import type { Random } from "./random.js"

/** Reals, or integers of which some are equal. */
function operand(random: Random, shape: readonly number[]): InputSpec {
  return random.next() < 0.5 ? { name: "x", shape } : { name: "x", shape, dtype: "int64", within: [-2, 2] }
}

export const orderCases: Record<string, (random: Random) => OnnxSpec> = {
  TopK: (random) => {
    const shape = random.shape(1, 3, 4)
    const axis = random.integer(-shape.length, shape.length - 1)
    const k = random.integer(1, shape.at(axis) as number)
    return {
      opset: random.pick([11, 24]),
      inputs: [operand(random, shape)],
      outputs: ["y", "i"],
      initializers: { k: ints([k]) },
      nodes: [
        {
          operator: "TopK",
          inputs: ["x", "k"],
          outputs: ["y", "i"],
          attributes: { axis, largest: random.integer(0, 1), sorted: 1 },
        },
      ],
    }
  },
  "TopK of opset 10": (random) => {
    const length = random.integer(2, 5)
    return {
      opset: 10,
      inputs: [{ name: "x", shape: [2, length] }],
      outputs: ["y", "i"],
      initializers: { k: ints([random.integer(1, length)]) },
      nodes: [{ operator: "TopK", inputs: ["x", "k"], outputs: ["y", "i"] }],
    }
  },
  "TopK of opset 1": (random) => {
    const length = random.integer(2, 5)
    const attributes = { k: random.integer(1, length), axis: 0 }
    return {
      opset: 9,
      inputs: [{ name: "x", shape: [length, 2] }],
      outputs: ["y", "i"],
      nodes: [{ operator: "TopK", inputs: ["x"], outputs: ["y", "i"], attributes }],
    }
  },
  "Gather from a long table": (random) => {
    const shape = [random.integer(1, 2), random.integer(20, 40), random.integer(1, 3)]
    const least = random.pick([0, -shape[1]])
    const counts = [[3], [2, 2]]
    return {
      inputs: [{ name: "i", shape: random.pick(counts), dtype: "int64", within: [least, shape[1] - 1] }],
      outputs: ["y"],
      initializers: { x: reals(random, shape) },
      nodes: [{ operator: "Gather", inputs: ["x", "i"], outputs: ["y"], attributes: { axis: 1 } }],
    }
  },
  "GatherND from a long table": (random) => ({
    inputs: [{ name: "i", shape: [3, 2], dtype: "int64", within: [random.pick([0, -5]), 4] }],
    outputs: ["y"],
    initializers: { x: reals(random, [5, 6, 2]) },
    nodes: [{ operator: "GatherND", inputs: ["x", "i"], outputs: ["y"] }],
  }),
}
