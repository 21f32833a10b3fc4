/** Steps of something unrolled share grids and tables, and keep apart where their numbers grow. */
import { describe, expect, it } from "vitest"
import { gadgetKinds } from "#src/circuit/gadgets/families.js"
import { lookupForms } from "#src/circuit/plan/forms.js"
import { planGadgets } from "#src/circuit/plan/plan.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { lower } from "#src/ops/lower.js"
import type { TableNode } from "#src/ops/program.js"
import { measureAccuracy } from "#src/quantize/accuracy.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import { encodeOnnx, type OnnxSpec } from "../support/onnx-writer.js"
import { reals } from "../support/operator-cases.js"
import { Random } from "../support/random.js"

const tablesOf = ({ nodes }: IntGraph): TableNode[] =>
  nodes.flatMap((node) => (node.kind === "table" ? [node] : []))

/** An LSTM of so many steps and units. */
const lstm = (steps: number, hidden: number, scale = 0.5): OnnxSpec => {
  const random = new Random(5)
  return {
    opset: 14,
    inputs: [{ name: "x", shape: [steps, 1, 3] }],
    outputs: ["y"],
    initializers: {
      w: reals(random, [1, 4 * hidden, 3], scale),
      r: reals(random, [1, 4 * hidden, hidden], scale),
    },
    nodes: [
      { operator: "LSTM", inputs: ["x", "w", "r"], outputs: ["", "y"], attributes: { hidden_size: hidden } },
    ],
  }
}

/** Samples of an input x. */
const samplesOf = (count: number, size: number, seed = 3) => {
  const random = new Random(seed)
  return Array.from({ length: count }, () => ({ x: random.reals(size) }))
}

describe("steps of something unrolled", () => {
  it("read as many tables as they have functions, however many they are", async () => {
    const counts = []
    for (const steps of [4, 12]) {
      const program = lower(importOnnx(encodeOnnx(lstm(steps, 3))))
      const graph = await quantizeProgram(program, { samples: samplesOf(8, 3 * steps) })
      expect(tablesOf(graph)).toHaveLength(3 * steps)
      const { uses } = planGadgets(graph, lookupForms(graph))
      counts.push(uses.filter(({ kind }) => kind === gadgetKinds.Entry).length)
    }
    for (const count of counts) {
      expect(count).toBeGreaterThan(0)
      expect(count).toBeLessThanOrEqual(4)
    }
  })

  it("lose no more the longer the sequence is than the accuracy report says", async () => {
    const program = lower(importOnnx(encodeOnnx(lstm(40, 3, 0.8))))
    const graph = await quantizeProgram(program, { samples: samplesOf(60, 120) })
    const seen = (await measureAccuracy(program, graph, samplesOf(60, 120))).outputs[0]
    const unseen = (await measureAccuracy(program, graph, samplesOf(30, 120, 77))).outputs[0]
    expect(seen.tolerance).toBeLessThan(0.05)
    expect(unseen.maxError).toBeLessThan(4 * seen.tolerance)
  })

  it("keep grids of their own where numbers grow from one to the next", async () => {
    const spec: OnnxSpec = {
      inputs: [{ name: "x", shape: [4] }],
      outputs: ["y", "all"],
      initializers: {
        trips: { shape: [], data: [6], dtype: "int64" },
        on: { shape: [], data: [1], dtype: "bool" },
        w: reals(new Random(1), [4, 4], 8),
      },
      nodes: [
        {
          operator: "Loop",
          inputs: ["trips", "on", "x"],
          outputs: ["y", "all"],
          attributes: {
            body: {
              graph: {
                inputs: [
                  { name: "i", shape: [], dtype: "int64" },
                  { name: "c", shape: [], dtype: "bool" },
                  { name: "v", shape: [4] },
                ],
                outputs: ["c", "next", "shown"],
                nodes: [
                  { operator: "MatMul", inputs: ["v", "w"], outputs: ["next"] },
                  { operator: "Softplus", inputs: ["next"], outputs: ["shown"] },
                ],
              },
            },
          },
        },
      ],
    }
    const program = lower(importOnnx(encodeOnnx(spec)))
    const graph = await quantizeProgram(program, { samples: samplesOf(8, 4) })
    const grids = new Set(tablesOf(graph).map(({ source }) => graph.tensors[source].scale))
    expect(grids.size).toBeGreaterThan(2)
  })
})
