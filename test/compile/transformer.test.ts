/** Small causal transformers as different tools write them: the same answers, rows that hardly differ, and a whole proof. */
import { InferenceSession, Tensor } from "onnxruntime-node"
import { describe, expect, it } from "vitest"
import { compile } from "#src/compile/compile.js"
import { differences } from "#src/compile/differential.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { evaluate } from "#src/ops/evaluate.js"
import { lower } from "#src/ops/lower.js"
import { openProver, setup } from "#src/prover/open.js"
import { deserialize, serialize } from "#src/quantize/canonical/digest.js"
import { quantizeInput, runInteger } from "#src/quantize/integers/run.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import { verify } from "#src/verifier/verify.js"
import { runOnBoth } from "../support/devices.js"
import { expectGolden } from "../support/golden.js"
import { encodeOnnx } from "../support/onnx-writer.js"
import { Random } from "../support/random.js"
import {
  type Habit,
  habits,
  type Transformer,
  transformerModel,
  weightShapes,
} from "../support/transformer.js"

const context = `0x${"22".repeat(32)}` as const

function small(layers: number): Transformer {
  const sizes = { layers, width: 16, heads: 2, positions: 8, vocabulary: 11 }
  const random = new Random(7)
  const weights = weightShapes(sizes).map(([name, shape]) => {
    const count = shape.reduce((a, b) => a * b, 1)
    const isScale = name.endsWith("scale")
    const spread = shape.length > 1 ? 1 / Math.sqrt(sizes.width) : 0.1
    const data = random.reals(count).map((x) => Math.fround((isScale ? 1 : 0) + 1.7 * spread * x))
    return [name, { shape, data }] as const
  })
  return { ...sizes, weights: Object.fromEntries(weights) }
}

const samplesOf = ({ positions, vocabulary }: Transformer) => {
  const random = new Random(3)
  return Array.from({ length: 8 }, () => ({
    tokens: Float64Array.from({ length: positions }, () => random.integer(0, vocabulary - 1)),
  }))
}

const modelOf = async (transformer: Transformer, habit: Habit) => {
  const bytes = encodeOnnx(transformerModel(transformer, habit))
  const program = lower(importOnnx(bytes))
  const samples = samplesOf(transformer)
  return { bytes, program, samples, graph: await quantizeProgram(program, { samples, precision: 11 }) }
}

describe("bounds of what is normalized", () => {
  it.each([11, 12])(
    "hold for every input at precision %i, also where one element has all of a row's length",
    async (precision) => {
      const [rows, width, outputs] = [3, 16, 24]
      const random = new Random(19)
      const bytes = encodeOnnx({
        opset: 17,
        inputs: [{ name: "x", shape: [rows, width] }],
        outputs: ["y"],
        initializers: {
          scale: { shape: [width], data: random.reals(width).map((x) => 1 + x / 4) },
          bias: { shape: [width], data: random.reals(width) },
          weight: { shape: [width, outputs], data: random.reals(width * outputs) },
        },
        nodes: [
          { operator: "LayerNormalization", inputs: ["x", "scale", "bias"], outputs: ["h"] },
          { operator: "MatMul", inputs: ["h", "weight"], outputs: ["z"] },
          { operator: "Gelu", inputs: ["z"], outputs: ["y"], domain: "com.microsoft" },
        ],
      })
      const samples = Array.from({ length: 8 }, () => ({ x: Float64Array.from(random.reals(rows * width)) }))
      const graph = await quantizeProgram(lower(importOnnx(bytes)), { samples, precision })
      const [{ lo, bits }] = graph.inputs
      const [least, most] = [lo, lo + 2 ** bits - 1]
      let nearest = 0
      for (let round = 0; round < 400; round++) {
        const spread = 2 ** random.integer(0, bits - 1)
        const x = Float64Array.from({ length: rows * width }, () =>
          random.next() < 0.1 ? (random.next() < 0.5 ? least : most) : random.integer(-spread, spread - 1),
        )
        for (const [id, values] of runInteger(graph, { x })) {
          const tensor = graph.tensors[id]
          for (const [i, value] of values.entries()) {
            expect(value >= tensor.lo[i] && value <= tensor.hi[i], tensor.name).toBe(true)
            if (tensor.name === "h") nearest = Math.max(nearest, Math.abs(value) / tensor.hi[i])
          }
        }
      }
      // 15 of 16 elements equal come as near as the mean that is subtracted lets them
      expect(nearest).toBeGreaterThan(0.8)
    },
  )
})

describe("a causal transformer", () => {
  it("takes the rows of test/transformer.csv, whatever tool wrote it, and says what onnxruntime says", async () => {
    const transformer = small(2)
    const lines = ["habit,opset,constraints,lookups"]
    const rows: number[] = []
    for (const [habit, { opset }] of Object.entries(habits)) {
      const { bytes, program, samples, graph } = await modelOf(transformer, habit as Habit)
      const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 })
      const [sample] = samples
      const tokens = new Tensor("int64", BigInt64Array.from(Array.from(sample.tokens, BigInt)), [1, 8])
      const { logits } = await session.run({ tokens })
      await session.release()
      const real = evaluate(program, sample).get(program.outputs[0].tensor) ?? []
      const [{ tensor }] = graph.outputs
      const { scale } = graph.tensors[tensor]
      const whole = (await runOnBoth(graph, quantizeInput(graph, sample))).get(tensor) ?? []
      const reach = Math.max(...Array.from(logits.data as Float32Array, Math.abs))
      Array.from(logits.data as Float32Array).forEach((value, i) => {
        expect(Math.abs(real[i] - value)).toBeLessThan(1e-4)
        expect(Math.abs(whole[i] * scale - value)).toBeLessThan(reach / 20)
      })
      const { linked } = await compile(graph)
      lines.push(`${habit},${opset},${linked.r1cs.rows},${linked.lookup.row.length}`)
      rows.push(linked.r1cs.rows)
    }
    expect(Math.max(...rows) / Math.min(...rows)).toBeLessThan(1.1)
    await expectGolden("transformer.csv", `${lines.join("\n")}\n`)
  })

  it("is proven as a whole", async () => {
    const { samples, graph } = await modelOf(small(1), "torch")
    // what a file says has the bounds that the quantizer found
    expect(deserialize(serialize(graph)).tensors).toEqual(graph.tensors)
    const circuit = await compile(graph)
    for (const sample of samples.slice(0, 2))
      expect(differences(circuit, quantizeInput(graph, sample))).toEqual([])
    const keys = await setup(circuit, { dev: true })
    await using prover = await openProver(circuit, keys.provingKey)
    const receipt = await prover.prove(samples[0], { context })
    const { verificationKey } = keys
    expect(verify(receipt, { verificationKey, model: circuit.model, context, allowDev: true })).toBe(true)
  })
})
