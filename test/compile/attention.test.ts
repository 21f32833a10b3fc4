/** One layer of causal attention as different exporters write it: the same answers, and rows that hardly differ. */
import { InferenceSession, Tensor } from "onnxruntime-node"
import { describe, expect, it } from "vitest"
import { compile } from "#src/compile/compile.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { evaluate } from "#src/ops/evaluate.js"
import { lower } from "#src/ops/lower.js"
import { measureAccuracy } from "#src/quantize/accuracy.js"
import { quantizeInput } from "#src/quantize/integers/run.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import { runOnBoth } from "../support/devices.js"
import { expectGolden } from "../support/golden.js"
import { encodeOnnx, type OnnxSpec, type TensorSpec } from "../support/onnx-writer.js"
import { reals } from "../support/operator-cases.js"
import { Random } from "../support/random.js"

const [tokens, heads, size] = [8, 2, 8]
const width = heads * size

type Line = OnnxSpec["nodes"][number]
const line = (
  operator: string,
  inputs: readonly string[],
  output: string,
  attributes: NonNullable<Line["attributes"]> = {},
): Line => ({ operator, inputs, outputs: [output], attributes })

const ints = (...data: number[]): TensorSpec => ({ shape: [data.length], data, dtype: "int64" })

const random = new Random(11)
const projections = Object.fromEntries(
  ["wq", "wk", "wv", "wo"].map((name) => [name, reals(random, [width, width], 0.7)]),
)
const isSeen = (i: number) => i % tokens <= Math.floor(i / tokens)
const square = Array.from({ length: tokens * tokens }, (_, i) => i)
const shared: Record<string, TensorSpec> = {
  ...projections,
  split: ints(1, tokens, heads, size),
  merge: ints(1, tokens, width),
  root: { shape: [], data: [Math.sqrt(size)] },
  scale: { shape: [], data: [1 / Math.sqrt(size)] },
  far: { shape: [tokens, tokens], data: square.map((i) => (isSeen(i) ? 0 : -1e9)) },
  seen: { shape: [tokens, tokens], data: square.map((i) => (isSeen(i) ? 1 : 0)), dtype: "bool" },
  never: { shape: [], data: [-3.4028234663852886e38] },
}

const projected = ["q", "k", "v"].map((name) => line("MatMul", ["x", `w${name}`], `${name}0`))
const byHeads = (name: string, perm: readonly number[]) => [
  line("Reshape", [`${name}0`, "split"], `${name}1`),
  line("Transpose", [`${name}1`], `${name}2`, { perm }),
]
const out = (from: string) => [
  line("Reshape", [from, "merge"], "merged"),
  line("MatMul", ["merged", "wo"], "y"),
]

const forms: Readonly<Record<string, { opset: number; nodes: Line[] }>> = {
  "the operator": {
    opset: 23,
    nodes: [
      ...projected,
      line("Attention", ["q0", "k0", "v0"], "merged", {
        is_causal: 1,
        q_num_heads: heads,
        kv_num_heads: heads,
      }),
      line("MatMul", ["merged", "wo"], "y"),
    ],
  },
  "written out, a mask that is added": {
    opset: 14,
    nodes: [
      ...projected,
      ...byHeads("q", [0, 2, 1, 3]),
      ...byHeads("k", [0, 2, 3, 1]),
      ...byHeads("v", [0, 2, 1, 3]),
      line("MatMul", ["q2", "k2"], "scores"),
      line("Div", ["scores", "root"], "scaled"),
      line("Add", ["scaled", "far"], "masked"),
      line("Softmax", ["masked"], "shares", { axis: -1 }),
      line("MatMul", ["shares", "v2"], "by head"),
      line("Transpose", ["by head"], "by token", { perm: [0, 2, 1, 3] }),
      ...out("by token"),
    ],
  },
  "Einsum, a mask that chooses": {
    opset: 17,
    nodes: [
      ...projected,
      ...["q", "k", "v"].map((name) => line("Reshape", [`${name}0`, "split"], `${name}1`)),
      line("Einsum", ["q1", "k1"], "scores", { equation: "bqhd,bshd->bhqs" }),
      line("Mul", ["scores", "scale"], "scaled"),
      line("Where", ["seen", "scaled", "never"], "masked"),
      line("Softmax", ["masked"], "shares", { axis: -1 }),
      line("Einsum", ["shares", "v1"], "by token", { equation: "bhqs,bshd->bqhd" }),
      ...out("by token"),
    ],
  },
}

describe("causal attention", () => {
  it("takes the rows of test/attention.csv, however it is written", async () => {
    const lines = ["form,proofSystem,constraints"]
    const rows: number[] = []
    for (const [name, { opset, nodes }] of Object.entries(forms)) {
      const initializers = Object.fromEntries(
        Object.entries(shared).filter(([of]) => nodes.some(({ inputs }) => inputs.includes(of))),
      )
      const spec: OnnxSpec = {
        opset,
        inputs: [{ name: "x", shape: [1, tokens, width] }],
        outputs: ["y"],
        initializers,
        nodes,
      }
      const bytes = encodeOnnx(spec)
      const program = lower(importOnnx(bytes))
      const sampler = new Random(5)
      const samples = Array.from({ length: 4 }, () => ({
        x: Float64Array.from(sampler.reals(tokens * width), Math.fround),
      }))
      const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 })
      const { y } = await session.run({
        x: new Tensor("float32", Float32Array.from(samples[0].x), [1, tokens, width]),
      })
      await session.release()
      const got = evaluate(program, samples[0]).get(program.outputs[0].tensor) ?? []
      Array.from(y.data as Float32Array).forEach((value, i) => {
        expect(Math.abs(got[i] - value)).toBeLessThan(1e-4)
      })
      const graph = await quantizeProgram(program, { samples })
      const range = Math.max(...Array.from(y.data as Float32Array, Math.abs))
      await runOnBoth(graph, quantizeInput(graph, samples[0]))
      expect((await measureAccuracy(program, graph, samples)).outputs[0].maxError / range).toBeLessThan(0.02)
      for (const proofSystem of ["mirage"] as const) {
        const { linked } = await compile(graph, { proofSystem })
        lines.push(`"${name}",${proofSystem},${linked.r1cs.rows}`)
        if (proofSystem === "mirage") rows.push(linked.r1cs.rows)
      }
    }
    expect(Math.max(...rows) / Math.min(...rows)).toBeLessThan(1.1)
    await expectGolden("attention.csv", `${lines.join("\n")}\n`)
  })
})
