/** Small files whose subgraphs or sequences ask for much, or are not what they say. */
import type { GraphSpec, OnnxSpec, TensorSpec } from "./onnx-writer.js"

type NodeSpec = GraphSpec["nodes"][number]

const whole = (value: number): TensorSpec => ({ shape: [], data: [value], dtype: "int64" })
const bit = (value: number): TensorSpec => ({ shape: [], data: [value], dtype: "bool" })

/** A loop over v; the body's nodes make `next` of it, and `goes` unless the condition just passes through. */
const loop = (body: readonly NodeSpec[], trips: string, goes = "c"): NodeSpec => ({
  operator: "Loop",
  inputs: [trips, "on", "x"],
  outputs: ["y"],
  attributes: {
    body: {
      graph: {
        inputs: [
          { name: "i", shape: [], dtype: "int64" },
          { name: "c", shape: [], dtype: "bool" },
          { name: "v" },
        ],
        outputs: [goes, "next"],
        nodes: body,
      },
    },
  },
})

const model = (node: NodeSpec, more: Partial<OnnxSpec> = {}): OnnxSpec => ({
  inputs: [{ name: "x", shape: [1] }],
  outputs: ["y"],
  initializers: {
    many: whole(2 ** 53),
    thousand: whole(1000),
    on: bit(1),
    half: { shape: [], data: [2.5] },
    word: whole(1),
  },
  nodes: [node],
  ...more,
})

const passed: NodeSpec = { operator: "Identity", inputs: ["v"], outputs: ["next"] }
const halved: NodeSpec = { operator: "Tanh", inputs: ["v"], outputs: ["next"] }

/** Loops of a thousand trips within each other. */
const deep = (depth: number): NodeSpec => {
  const inner =
    depth === 0 ? halved : { ...deep(depth - 1), inputs: ["thousand", "on", "v"], outputs: ["next"] }
  return loop([inner], "thousand")
}

const branch = (nodes: readonly NodeSpec[], output = "z"): { graph: GraphSpec } => ({
  graph: { inputs: [], outputs: [output], nodes },
})
const choice = (condition: string, then: { graph: GraphSpec }): NodeSpec => ({
  operator: "If",
  inputs: [condition],
  outputs: ["y"],
  attributes: {
    then_branch: then,
    else_branch: branch([{ operator: "Neg", inputs: ["x"], outputs: ["z"] }]),
  },
})

/** A layer of one unit, for so many steps. */
const lstm = (steps: number): OnnxSpec => ({
  opset: 14,
  inputs: [{ name: "x", shape: [steps, 1, 1] }],
  outputs: ["y"],
  initializers: {
    w: { shape: [1, 4, 1], data: [1, 2, 3, 4] },
    r: { shape: [1, 4, 1], data: [1, 2, 3, 4] },
  },
  nodes: [{ operator: "LSTM", inputs: ["x", "w", "r"], outputs: ["", "y"], attributes: { hidden_size: 1 } }],
})

const scan = (length: number): OnnxSpec =>
  model(
    {
      operator: "Scan",
      inputs: ["x"],
      outputs: ["y"],
      attributes: {
        num_scan_inputs: 1,
        body: {
          graph: {
            inputs: [{ name: "v" }],
            outputs: ["z"],
            nodes: [{ operator: "Neg", inputs: ["v"], outputs: ["z"] }],
          },
        },
      },
    },
    { inputs: [{ name: "x", shape: [length] }] },
  )

/** Each is refused with a ModelError that says what of. */
export const refusedControl: Readonly<Record<string, readonly [spec: OnnxSpec, says: RegExp]>> = {
  "2^53 trips that do nothing": [model(loop([passed], "many")), /budget of/],
  "2^53 trips that compute": [model(loop([halved], "many")), /budget of/],
  "trips without end": [model(loop([halved], "")), /budget of/],
  "trips that double a tensor": [
    model(
      loop([{ operator: "Concat", inputs: ["v", "v"], outputs: ["next"], attributes: { axis: 0 } }], "many"),
    ),
    /budget of/,
  ],
  "loops within loops within loops": [model(deep(6)), /budget of/],
  "16 million steps of a layer": [lstm(2 ** 24), /budget of/],
  "16 million steps of a scan": [scan(2 ** 24), /budget of/],
  "a trip count with a fraction": [model(loop([halved], "half")), /trip count/],
  "a condition of another type": [
    model(choice("word", branch([{ operator: "Neg", inputs: ["x"], outputs: ["z"] }]))),
    /`int64`, not `bool`/,
  ],
  "a loop that goes on by a number": [
    model(loop([halved, { operator: "Identity", inputs: ["i"], outputs: ["goes"] }], "thousand", "goes")),
    /`int64`, not `bool`/,
  ],
  "a branch that reads what nothing makes": [
    model(choice("on", branch([{ operator: "Neg", inputs: ["nowhere"], outputs: ["z"] }]))),
    /`nowhere` is produced by nothing/,
  ],
  "a branch that reads what comes later": [
    model(
      choice(
        "on",
        branch([
          { operator: "Neg", inputs: ["late"], outputs: ["z"] },
          { operator: "Neg", inputs: ["x"], outputs: ["late"] },
        ]),
      ),
    ),
    /reads `late` before/,
  ],
  "a branch that makes a name twice": [
    model(
      choice(
        "on",
        branch([
          { operator: "Neg", inputs: ["x"], outputs: ["z"] },
          { operator: "Relu", inputs: ["x"], outputs: ["z"] },
        ]),
      ),
    ),
    /`z` is there already/,
  ],
  "a branch that reads the node's own output": [
    model(choice("on", branch([{ operator: "Neg", inputs: ["y"], outputs: ["z"] }]))),
    /wait for each other/,
  ],
  "a branch that gives nothing": [
    model(choice("on", { graph: { inputs: [], outputs: [], nodes: [] } })),
    /declares no output/,
  ],
  "a branch that takes something": [
    model(choice("on", { graph: { inputs: [{ name: "v" }], outputs: ["v"], nodes: [] } })),
    /has 1 inputs, and is given 0/,
  ],
  "a body for which the loop has too few values": [
    model({ ...loop([halved], "thousand"), inputs: ["thousand", "on"] }),
    /has 3 inputs, and is given 2/,
  ],
  "an operator that does not exist, deep inside": [
    model(loop([{ operator: "Fancy", inputs: ["v"], outputs: ["next"] }], "thousand")),
    /Fancy.*not supported/s,
  ],
  "a body that is text": [
    model({ ...loop([halved], "thousand"), attributes: { body: "body" } }),
    /`body` is no graph/,
  ],
}

/** Each is lowered and quantized, or refused, in seconds. */
export const slowControl: Readonly<Record<string, OnnxSpec>> = {
  "a thousand trips": model(loop([halved], "thousand")),
  "five hundred steps of a layer": lstm(500),
  "a thousand branches": model(
    choice(
      "on",
      branch(
        Array.from({ length: 1000 }, (_, i) => ({
          ...choice("on", branch([{ operator: "Tanh", inputs: [i === 0 ? "x" : `z${i}`], outputs: ["z"] }])),
          outputs: [i === 999 ? "z" : `z${i + 1}`],
        })),
      ),
    ),
  ),
}
