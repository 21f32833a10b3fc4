/** Random models with control flow. */
import type { GraphSpec, OnnxSpec, TensorSpec } from "./onnx-writer.js"
import { ints, reals } from "./operator-cases.js"
import type { Random } from "./random.js"

type NodeSpec = GraphSpec["nodes"][number]

const flag = (value: boolean): TensorSpec => ({ shape: [], data: [value ? 1 : 0], dtype: "bool" })
const count = (value: number): TensorSpec => ({ shape: [], data: [value], dtype: "int64" })

const branch = (
  operator: string,
  inputs: readonly string[],
  initializers: GraphSpec["initializers"] = {},
): GraphSpec => ({
  inputs: [],
  outputs: ["z"],
  initializers,
  nodes: [{ operator, inputs, outputs: ["z"] }],
})

/** Of a constant, or of a bit of the input: both branches read the graph around them. */
const conditional =
  (isLive: boolean) =>
  (random: Random): OnnxSpec => {
    const shape = random.shape(1, 2, 3)
    const branches = [
      branch("Tanh", ["x"]),
      branch("Mul", ["x", "w"], { w: reals(random, [1]) }),
      branch("Relu", ["t"]),
    ]
    const attributes = {
      then_branch: { graph: random.pick(branches) },
      else_branch: { graph: random.pick(branches) },
    }
    return {
      inputs: [{ name: "x", shape }, ...(isLive ? [{ name: "c", shape: [], dtype: "bool" as const }] : [])],
      outputs: ["y"],
      initializers: isLive ? {} : { c: flag(random.next() < 0.5) },
      nodes: [
        { operator: "Neg", inputs: ["x"], outputs: ["t"] },
        { operator: "If", inputs: ["c"], outputs: ["z2"], attributes },
        { operator: "Add", inputs: ["z2", "t"], outputs: ["y"] },
      ],
    }
  }

/** h ← tanh(h · w + x[i]), with h ⊙ x collected, until a count of iterations or a condition ends it. */
const loop = (random: Random): OnnxSpec => {
  const [steps, size] = [random.integer(1, 4), random.integer(1, 2)]
  const body: NodeSpec[] = [
    { operator: "Gather", inputs: ["x", "i"], outputs: ["xi"], attributes: { axis: 0 } },
    { operator: "MatMul", inputs: ["h", "w"], outputs: ["hw"] },
    { operator: "Add", inputs: ["hw", "xi"], outputs: ["sum"] },
    { operator: "Tanh", inputs: ["sum"], outputs: ["next"] },
    { operator: "Mul", inputs: ["next", "xi"], outputs: ["shown"] },
    { operator: "Less", inputs: ["i", "last"], outputs: ["goes"] },
  ]
  const isCounted = random.next() < 0.5
  return {
    inputs: [{ name: "x", shape: [steps, size] }],
    outputs: ["h1", "all"],
    initializers: {
      w: reals(random, [size, size]),
      h0: reals(random, [size]),
      last: count(isCounted ? steps : steps - 1),
      trips: count(isCounted ? steps : 2 ** 50),
      on: flag(true),
    },
    nodes: [
      {
        operator: "Loop",
        inputs: ["trips", "on", "h0"],
        outputs: ["h1", "all"],
        attributes: {
          body: {
            graph: {
              inputs: [
                { name: "i", shape: [], dtype: "int64" },
                { name: "c", shape: [], dtype: "bool" },
                { name: "h", shape: [size] },
              ],
              outputs: ["goes", "next", "shown"],
              nodes: body,
            },
          },
        },
      },
    ],
  }
}

/** Sums and differences of two sequences, in any directions and axes. */
const scan = (random: Random): OnnxSpec => {
  const [steps, size] = [random.integer(1, 3), random.integer(1, 3)]
  const axes = [random.integer(0, 1), random.integer(-2, 1)]
  const shapes = axes.map((axis) => (axis === 0 || axis === -2 ? [steps, size] : [size, steps]))
  return {
    opset: random.pick([11, 15]),
    inputs: [
      { name: "s", shape: [size] },
      { name: "a", shape: shapes[0] },
      { name: "b", shape: shapes[1] },
    ],
    outputs: ["s1", "y", "z"],
    initializers: { half: { shape: [1], data: [0.5] } },
    nodes: [
      {
        operator: "Scan",
        inputs: ["s", "a", "b"],
        outputs: ["s1", "y", "z"],
        attributes: {
          num_scan_inputs: 2,
          scan_input_axes: axes,
          scan_input_directions: [random.integer(0, 1), random.integer(0, 1)],
          scan_output_axes: [random.integer(-2, 1), random.integer(0, 1)],
          scan_output_directions: [random.integer(0, 1), random.integer(0, 1)],
          body: {
            graph: {
              inputs: [
                { name: "s", shape: [size] },
                { name: "ai", shape: [size] },
                { name: "bi", shape: [size] },
              ],
              outputs: ["s1", "y", "z"],
              nodes: [
                { operator: "Mul", inputs: ["s", "half"], outputs: ["scaled"] },
                { operator: "Add", inputs: ["scaled", "ai"], outputs: ["s1"] },
                { operator: "Sub", inputs: ["s1", "bi"], outputs: ["y"] },
                { operator: "Relu", inputs: ["y"], outputs: ["z"] },
              ],
            },
          },
        },
      },
    ],
  }
}

/** The Scan of opset 8, whose inputs are batches. */
const batchedScan = (random: Random): OnnxSpec => {
  const [batch, steps, size] = [random.integer(1, 2), random.integer(1, 3), random.integer(1, 2)]
  const isShort = random.next() < 0.5
  const lengths = Array.from({ length: batch }, () => random.integer(1, steps))
  return {
    opset: 8,
    inputs: [
      { name: "s", shape: [batch, size] },
      { name: "a", shape: [batch, steps, size] },
    ],
    outputs: ["s1", "y"],
    initializers: isShort ? { n: ints(lengths) } : {},
    nodes: [
      {
        operator: "Scan",
        inputs: [isShort ? "n" : "", "s", "a"],
        outputs: ["s1", "y"],
        attributes: {
          num_scan_inputs: 1,
          directions: [random.integer(0, 1)],
          body: {
            graph: {
              inputs: [
                { name: "s", shape: [size] },
                { name: "ai", shape: [size] },
              ],
              outputs: ["s1", "y"],
              nodes: [
                { operator: "Sub", inputs: ["ai", "s"], outputs: ["s1"] },
                { operator: "Identity", inputs: ["s1"], outputs: ["y"] },
              ],
            },
          },
        },
      },
    ],
  }
}

export const controlCases: Readonly<Record<string, (random: Random) => OnnxSpec>> = {
  "If of a constant": conditional(false),
  "If of an input": conditional(true),
  Loop: loop,
  Scan: scan,
  "Scan of batches": batchedScan,
}
