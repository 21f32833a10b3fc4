/** Models that recurrent layers and control flow refuse: by operator, how the limit begins, and what the message says. */
import type { AttributeSpec, GraphSpec, OnnxSpec } from "./onnx-writer.js"

const graph = (
  operator: string,
  inputs: readonly string[],
  more: Partial<GraphSpec> = {},
): AttributeSpec => ({
  graph: { inputs: [], outputs: ["z"], nodes: [{ operator, inputs, outputs: ["z"] }], ...more },
})

const unequal: OnnxSpec = {
  inputs: [
    { name: "x", shape: [2] },
    { name: "c", shape: [], dtype: "bool" },
  ],
  outputs: ["y"],
  nodes: [
    {
      operator: "If",
      inputs: ["c"],
      outputs: ["y"],
      attributes: { then_branch: graph("Neg", ["x"]), else_branch: graph("ReduceSum", ["x"]) },
    },
  ],
}

const loopOn = (end: string, inputs: readonly string[]): OnnxSpec => ({
  inputs: [
    { name: "x", shape: [1] },
    { name: "n", shape: [], dtype: "int64" },
  ],
  outputs: ["y"],
  initializers: { three: { shape: [], data: [3], dtype: "int64" }, zero: { shape: [], data: [0] } },
  nodes: [
    {
      operator: "Loop",
      inputs,
      outputs: ["y"],
      attributes: {
        body: {
          graph: {
            inputs: [
              { name: "i", shape: [], dtype: "int64" },
              { name: "c", shape: [], dtype: "bool" },
              { name: "v", shape: [1] },
            ],
            outputs: [end, "next"],
            nodes: [
              { operator: "Greater", inputs: ["v", "zero"], outputs: ["goes"] },
              { operator: "Neg", inputs: ["v"], outputs: ["next"] },
            ],
          },
        },
      },
    },
  ],
})

export const liveTrips: OnnxSpec = loopOn("c", ["n", "", "x"])

const liveLengths: OnnxSpec = {
  opset: 8,
  inputs: [
    { name: "n", shape: [1], dtype: "int64" },
    { name: "x", shape: [1, 2] },
  ],
  outputs: ["y"],
  nodes: [
    {
      operator: "Scan",
      inputs: ["n", "x"],
      outputs: ["y"],
      attributes: { num_scan_inputs: 1, body: graph("Neg", ["v"], { inputs: [{ name: "v", shape: [] }] }) },
    },
  ],
}

const withoutParameters = (operator: string, gates: number, curves: number): OnnxSpec => ({
  opset: 14,
  inputs: [{ name: "x", shape: [1, 1, 1] }],
  outputs: ["y"],
  initializers: {
    w: { shape: [1, gates, 1], data: new Float64Array(gates) },
    r: { shape: [1, gates, 1], data: new Float64Array(gates) },
  },
  nodes: [
    {
      operator,
      inputs: ["x", "w", "r"],
      outputs: ["y"],
      attributes: {
        hidden_size: 1,
        activations: { texts: Array.from({ length: curves }, () => "ThresholdedRelu") },
      },
    },
  ],
})

const parameters = (operator: string, gates: number, curves: number): [string, OnnxSpec, RegExp][] => [
  ["activations `Affine`", withoutParameters(operator, gates, curves), /has no `activation_alpha`/],
]

export const controlLimits: Readonly<Record<string, [limit: string, spec: OnnxSpec, message: RegExp][]>> = {
  If: [["where the condition", unequal, /output 0 is `float32` \[2\] in one branch/]],
  Loop: [["whether it goes on", loopOn("goes", ["three", "", "x"]), /whether it goes on, after iteration 0/]],
  Scan: [["lengths of sequences", liveLengths, /sequence_lens \(input 0\) depends/]],
  RNN: parameters("RNN", 1, 1),
  GRU: parameters("GRU", 3, 2),
  LSTM: parameters("LSTM", 4, 3),
}
