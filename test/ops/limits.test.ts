/** docs/OPERATORS.md is what the operators say of themselves, and what it says is refused is refused. */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { ModelError } from "#src/errors.js"
import type { DataType, Graph } from "#src/model/graph.js"
import { layers } from "#src/model/keras/layers.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { lower, microsoftOperators, operators } from "#src/ops/lower.js"
import { describeLimit, type Limit } from "#src/ops/operators/limits.js"
import { attentionCases } from "../support/attention-cases.js"
import { controlLimits, liveTrips } from "../support/control-limits.js"
import { functionCases } from "../support/function-cases.js"
import { logicCases } from "../support/logic-cases.js"
import { encodeOnnx, type OnnxSpec, type TensorSpec } from "../support/onnx-writer.js"
import { operatorCases, single } from "../support/operator-cases.js"
import { quantizedCases } from "../support/quantized-cases.js"
import { quotientCases } from "../support/quotient-cases.js"
import { Random } from "../support/random.js"
import { recurrentCases } from "../support/recurrent-cases.js"
import { smallCases } from "../support/small-cases.js"

const page = new URL("../../docs/OPERATORS.md", import.meta.url)

/** The message a model is refused with; empty if it is not. */
function refusal(run: () => unknown): string {
  try {
    run()
    return ""
  } catch (error) {
    expect(error).toBeInstanceOf(ModelError)
    return (error as ModelError).message
  }
}

const refusalOf = (spec: OnnxSpec, change: (graph: Graph) => Graph = (graph) => graph): string =>
  refusal(() => lower(change(importOnnx(encodeOnnx(spec)))))

/** The same graph with inputs of another type. */
const typed =
  (dtype: DataType) =>
  (graph: Graph): Graph => ({ ...graph, inputs: graph.inputs.map((input) => ({ ...input, dtype })) })

/** Models of one operator that are taken, for which `fits` holds. */
function casesOf(operator: string, fits: (spec: OnnxSpec) => boolean): OnnxSpec[] {
  const makers = Object.entries({
    ...operatorCases,
    ...logicCases,
    ...functionCases,
    ...quotientCases,
    ...attentionCases,
    ...recurrentCases,
    ...quantizedCases,
    ...smallCases,
  }).filter(([key]) => key.split(" ")[0] === operator)
  return makers.flatMap(([, make]) => {
    for (let seed = 0; seed < 100; seed++) {
      const spec = make(new Random(seed))
      if (spec.nodes.length === 1 && spec.nodes[0].domain === undefined && fits(spec)) return [spec]
    }
    return []
  })
}

/** The model with one of its constants as an input of the model. */
function opened(spec: OnnxSpec, input: number): OnnxSpec {
  const name = spec.nodes[0].inputs[input]
  const { [name]: tensor, ...initializers } = spec.initializers ?? {}
  return { ...spec, initializers, inputs: [...spec.inputs, { name, shape: tensor.shape }] }
}

/** A node with activations for its first inputs, up to the one that `input` is. */
const bare = (operator: string, input: number, opset = 15): OnnxSpec => ({
  opset,
  inputs: [{ name: "x", shape: [1, 1, 2, 2] }],
  outputs: ["y"],
  nodes: [{ operator, inputs: Array.from({ length: input + 1 }, () => "x"), outputs: ["y"] }],
})

const ints = (...data: number[]): TensorSpec => ({ shape: [data.length], data, dtype: "int64" })
const scalar = (value: number, dtype: "float" | "bool" = "float"): TensorSpec => ({
  shape: [],
  data: [value],
  dtype,
})

const cappedAndMasked: OnnxSpec = {
  opset: 23,
  inputs: [{ name: "x", shape: [1, 1, 2, 2] }],
  outputs: ["y"],
  nodes: [
    {
      operator: "Attention",
      inputs: ["x", "x", "x"],
      outputs: ["y"],
      attributes: { softcap: { float: 1 }, is_causal: 1 },
    },
  ],
}

/** A quantized model one of whose scales is zero. */
function unscaled(operator: string, inputs: number, scale: number): OnnxSpec {
  const [ones, zero] = [1, 0].map((x): TensorSpec => ({ shape: [], data: [x] }))
  const given = Array.from({ length: inputs }, (_, i): [string, TensorSpec] => [
    `c${i}`,
    i === scale ? zero : operator === "QLinearConv" && i === 2 ? { shape: [1, 1, 1], data: [1] } : ones,
  ])
  return single(operator, [1, 1, 2], {}, Object.fromEntries(given))
}

/** What is refused by a limit in words, and what the message says. */
const others: Readonly<
  Record<string, readonly [limit: string, spec: OnnxSpec, message: RegExp, dtype?: DataType][]>
> = {
  ...controlLimits,
  Attention: [["no `softcap`", cappedAndMasked, /`softcap` together with a mask/]],
  Div: [
    [
      "no division by a constant",
      single("Div", [2], {}, { c: { shape: [2], data: [1, 0] } }),
      /division by zero/,
    ],
    ["no division by integer", two("Div"), /rounds/, "int32"],
    ["one divisor", single("Div", [2], {}, { c: { shape: [2], data: [2, 3] } }), /several divisors/, "int32"],
  ],
  Mod: [
    ["one divisor", single("Mod", [2], {}, { c: { shape: [2], data: [2, 3] } }), /several divisors/],
    ["the divisor", single("Mod", [2], {}, { c: { shape: [1], data: [0] } }), /division by zero/],
  ],
  OneHot: [
    [
      "indices that",
      single("OneHot", [2], {}, { d: ints(2), v: { shape: [2], data: [0, 1] } }),
      /are no integers/,
    ],
  ],
  QuantizeLinear: [["scales are", unscaled("QuantizeLinear", 1, 0), /scale that is not above zero/]],
  DequantizeLinear: [
    ["scales are", unscaled("DequantizeLinear", 1, 0), /scale that is not above zero/, "uint8"],
  ],
  QLinearConv: [["scales are", unscaled("QLinearConv", 7, 0), /scale that is not above zero/, "uint8"]],
  QLinearMatMul: [["scales are", unscaled("QLinearMatMul", 7, 0), /scale that is not above zero/, "uint8"]],
  LpPool: [["`p`", single("LpPool", [1, 1, 2], { kernel_shape: [2], p: 0 }), /`p` = `0`/]],
  GlobalLpPool: [["`p`", single("GlobalLpPool", [1, 1, 2], { p: 0 }), /`p` = `0`/]],
  BitShift: [
    [
      "activations of",
      single("BitShift", [2], { direction: "RIGHT" }, { c: ints(1, 1) }),
      /more than 8 bits/,
      "uint16",
    ],
  ],
  BitwiseAnd: [
    ["one mask", single("BitwiseAnd", [2], {}, { c: ints(1, 2) }), /several masks/, "uint8"],
    ["activations of", single("BitwiseAnd", [2], {}, { c: ints(1, 1) }), /more than 8 bits/, "int16"],
  ],
  BitwiseOr: [
    ["one mask", single("BitwiseOr", [2], {}, { c: ints(1, 2) }), /several masks/, "uint8"],
    ["activations of", single("BitwiseOr", [2], {}, { c: ints(1, 1) }), /more than 8 bits/, "int16"],
  ],
  BitwiseXor: [
    ["one mask", single("BitwiseXor", [2], {}, { c: ints(1, 2) }), /several masks/, "uint8"],
    ["activations of", single("BitwiseXor", [2], {}, { c: ints(1, 1) }), /more than 8 bits/, "int16"],
  ],
  NegativeLogLikelihoodLoss: [
    ["targets are", two("NegativeLogLikelihoodLoss", [2, 3, 2]), /targets of shape \[2\] for scores of/],
  ],
  SoftmaxCrossEntropyLoss: [
    ["targets are", two("SoftmaxCrossEntropyLoss", [2, 3, 2]), /targets of shape \[2\] for scores of/],
  ],
  Gather: [["indices that", two("Gather"), /are no integers/]],
  GatherElements: [["indices that", two("GatherElements"), /are no integers/]],
  GatherND: [["indices that", two("GatherND", [2, 2]), /are no integers/]],
  Scatter: [["indices that", three("Scatter", 9), /are no integers/]],
  Pow: [
    [
      "at most 16",
      single("Pow", [17], {}, { c: { shape: [17], data: Array.from({ length: 17 }, (_, i) => i) } }),
      /17 different exponents/,
    ],
    [
      "with an exponent",
      {
        ...single("Pow", [2]),
        initializers: { c: { shape: [2], data: [2, -1] } },
        nodes: [{ operator: "Pow", inputs: ["c", "x"], outputs: ["y"] }],
      },
      /-1 to a power that depends/,
    ],
    ["a power of integer", single("Pow", [2], {}, { c: { shape: [1], data: [5] } }), /rounds/, "int32"],
  ],
  Cast: [["no cast", single("Cast", [2], { to: 2 }), /wraps/, "int32"]],
  CastLike: [
    [
      "no cast",
      single("CastLike", [2], {}, { like: { shape: [1], data: [1], dtype: "int8" } }),
      /wraps/,
      "int32",
    ],
  ],
  Celu: [["`alpha`", single("Celu", [2], { alpha: { float: 0 } }), /divides by zero/]],
  ScatterElements: [
    ["indices that", three("ScatterElements", 16), /are no integers/],
    ["updates at", three("ScatterElements", 16, { reduction: "mul" }), /`mul` at indices/, "int32"],
  ],
  ScatterND: [
    ["indices that", three("ScatterND", 16), /are no integers/],
    ["updates at", three("ScatterND", 16, { reduction: "max" }), /`max` at indices/, "int32"],
  ],
  Dropout: [
    [
      "`training_mode`",
      single("Dropout", [2], {}, { ratio: scalar(0.5), on: scalar(1, "bool") }),
      /training_mode/,
    ],
  ],
  BatchNormalization: [
    [
      "`training_mode`",
      single(
        "BatchNormalization",
        [1, 1],
        { training_mode: 1 },
        Object.fromEntries(["s", "b", "m", "v"].map((name) => [name, { shape: [1], data: [1] }])),
      ),
      /training_mode/,
    ],
  ],
  MaxPool: [
    [
      "without `Indices`",
      {
        inputs: [{ name: "x", shape: [1, 1, 2] }],
        outputs: ["y"],
        nodes: [
          { operator: "MaxPool", inputs: ["x"], outputs: ["y", "i"], attributes: { kernel_shape: [2] } },
        ],
      },
      /output 1 `i` is not supported/,
    ],
    [
      "no window",
      single("MaxPool", [1, 1, 2], { kernel_shape: [1], pads: [1, 1] }),
      /in the padding entirely/,
    ],
  ],
  AveragePool: [
    [
      "no window",
      single("AveragePool", [1, 1, 2], { kernel_shape: [1], pads: [1, 1] }),
      /in the padding entirely/,
    ],
  ],
  LpNormalization: [["`p`", single("LpNormalization", [2], { p: 3 }), /`p` = `3`/]],
  Resize: [
    [
      "`antialias`",
      single(
        "Resize",
        [1, 2],
        { antialias: 1 },
        { roi: { shape: [0], data: [] }, scales: { shape: [2], data: [1, 2] } },
        { opset: 18 },
      ),
      /antialias/,
    ],
  ],
}

/** A node on two inputs of the model. */
function two(operator: string, shape: readonly number[] = [2]): OnnxSpec {
  return {
    inputs: [
      { name: "x", shape },
      { name: "z", shape: [2] },
    ],
    outputs: ["y"],
    nodes: [{ operator, inputs: ["x", "z"], outputs: ["y"] }],
  }
}

/** A node on data, indices and updates from the model's inputs. */
function three(operator: string, opset: number, attributes: Record<string, string> = {}): OnnxSpec {
  return {
    opset,
    inputs: [
      { name: "x", shape: [2, 1] },
      { name: "i", shape: [2, 1] },
      { name: "u", shape: [2, 1] },
    ],
    outputs: ["y"],
    nodes: [{ operator, inputs: ["x", "i", "u"], outputs: ["y"], attributes }],
  }
}

/** Models that a limit of an operator refuses, with what their messages say. */
function refusedBy(operator: string, limit: Limit): { message: string; says: RegExp }[] {
  switch (limit.kind) {
    case "constant": {
      const has = (spec: OnnxSpec) => (spec.nodes[0].inputs[limit.input] ?? "") in (spec.initializers ?? {})
      const specs = casesOf(operator, has).map((spec) => opened(spec, limit.input))
      const says = /depends on the model's input/
      if (specs.length > 0) return specs.map((spec) => ({ message: refusalOf(spec), says }))
      return [
        { message: refusalOf(explicit[`${operator} ${limit.input}`] ?? bare(operator, limit.input)), says },
      ]
    }
    case "activation":
      return casesOf(operator, (spec) => spec.inputs.length === 1).map((spec) => {
        const [{ name, shape }] = spec.inputs
        const data = new Float64Array((shape as number[]).reduce((a, b) => a * b, 1))
        const initializers = { ...spec.initializers, [name]: { shape: shape as number[], data } }
        const inputs = [{ name: "other", shape: [1] }]
        return { message: refusalOf({ ...spec, inputs, initializers }), says: /is a constant/ }
      })
    case "constants": {
      const messages = [0, 1, 2].map((last) => refusalOf(bare(operator, last)))
      const message = messages.find((text) => !/is missing/.test(text)) ?? ""
      return [{ message, says: /depends on the model's input/ }]
    }
    case "real":
    case "wide": {
      const specs = casesOf(operator, () => true)
      const dtype = limit.kind === "real" ? "int32" : "int8"
      const found = specs.length > 0 ? specs.slice(0, 3) : [bare(operator, 0)]
      const tried = limit.kind === "wide" && operator in wrapping ? [wrapping[operator]] : found
      return tried.map((spec) => ({
        message: refusalOf(spec, typed(dtype)),
        says: limit.kind === "real" ? /rounds/ : /wraps around/,
      }))
    }
    case "other": {
      const found = (others[operator] ?? []).filter(([start]) => limit.text.startsWith(start))
      return found.map(([, spec, says, dtype]) => ({
        message: refusalOf(spec, dtype ? typed(dtype) : undefined),
        says,
      }))
    }
  }
}

/** Models that wrap around in 8 bits, where not every model of the operator does. */
const wrapping: Readonly<Record<string, OnnxSpec>> = {
  Pow: single("Pow", [2], {}, { c: { shape: [1], data: [2] } }),
  MatMul: two("MatMul", [2]),
  ReduceSum: single("ReduceSum", [2]),
  ReduceProd: single("ReduceProd", [2]),
}

/** A loss whose weights are an input of the model. */
function losing(operator: string): OnnxSpec {
  return {
    inputs: [
      { name: "x", shape: [2, 3] },
      { name: "t", shape: [2], dtype: "int64" },
      { name: "w", shape: [3] },
    ],
    outputs: ["y"],
    nodes: [{ operator, inputs: ["x", "t", "w"], outputs: ["y"] }],
  }
}

/** For inputs that no case has as a constant: a model with an activation there. */
const activationAt = (
  operator: string,
  inputs: readonly string[],
  more: Partial<OnnxSpec> = {},
): OnnxSpec => ({
  inputs: [{ name: "x", shape: [1, 1, 2, 2] }],
  outputs: ["y"],
  nodes: [{ operator, inputs, outputs: ["y"] }],
  ...more,
})
const explicit: Readonly<Record<string, OnnxSpec>> = {
  "BitShift 1": {
    ...two("BitShift"),
    nodes: [{ operator: "BitShift", inputs: ["x", "z"], outputs: ["y"], attributes: { direction: "LEFT" } }],
  },
  "NegativeLogLikelihoodLoss 2": losing("NegativeLogLikelihoodLoss"),
  "SoftmaxCrossEntropyLoss 2": losing("SoftmaxCrossEntropyLoss"),
  "Loop 0": liveTrips,
  "Clip 2": activationAt("Clip", ["x", "", "x"]),
  "Pad 3": activationAt("Pad", ["x", "p", "", "x"], {
    initializers: { p: ints(0, 0) },
    opset: 18,
  }),
  "Resize 1": activationAt("Resize", ["x", "x", "s"], {
    initializers: { s: { shape: [4], data: [1, 1, 2, 2] } },
  }),
  "Resize 2": activationAt("Resize", ["x", "", "x"]),
  "Resize 3": activationAt("Resize", ["x", "", "", "x"]),
  "ReduceL1 1": bare("ReduceL1", 1, 18),
  "ReduceL2 1": bare("ReduceL2", 1, 18),
  "ReduceLogSumExp 1": bare("ReduceLogSumExp", 1, 18),
  "ReduceSumSquare 1": bare("ReduceSumSquare", 1, 18),
  "ReduceMean 1": bare("ReduceMean", 1, 18),
  "ReduceMax 1": bare("ReduceMax", 1, 18),
  "ReduceMin 1": bare("ReduceMin", 1, 18),
  "ReduceProd 1": bare("ReduceProd", 1, 18),
  "ReduceLogSum 1": bare("ReduceLogSum", 1, 18),
  "Upsample 1": bare("Upsample", 1, 9),
}

describe("docs/OPERATORS.md", () => {
  it("is what `npm run operators` writes", () => {
    const script = fileURLToPath(new URL("../../bench/operators.mjs", import.meta.url))
    expect(readFileSync(page, "utf8")).toBe(String(execFileSync(process.execPath, [script, "--print"])))
  })

  it("has every operator and every layer", () => {
    const text = readFileSync(page, "utf8")
    const names = [...Object.keys(operators), ...Object.keys(microsoftOperators), ...layers.keys()]
    for (const name of names) expect(text).toContain(`| ${name} |`)
    expect(Object.keys(operators).length).toBeGreaterThan(90)
  })
})

const stated = Object.entries(operators).flatMap(([operator, { limits }]) =>
  limits.map((limit): [string, string, Limit] => [operator, describeLimit(limit), limit]),
)

describe("every stated limit is refused, by the operator and with a reason", () => {
  it.each(stated)("%s: %s", (operator, _, limit) => {
    const refused = refusedBy(operator, limit)
    expect(refused.length).toBeGreaterThan(0)
    for (const { message, says } of refused) {
      expect(message).toMatch(new RegExp(`operator \`${operator}\``))
      expect(message).toMatch(says)
    }
  })

  it("every model of a limit in words belongs to one", () => {
    for (const [operator, list] of Object.entries(others))
      for (const [start] of list)
        expect(
          operators[operator].limits.filter((l) => l.kind === "other" && l.text.startsWith(start)),
        ).toHaveLength(1)
  })
})

it("the refusal of an operator and of an attribute says where to look", () => {
  expect(refusalOf(single("MaxRoiPool", [1, 1, 2], { pooled_shape: [2] }))).toMatch(
    /the operator is not supported\. .* docs\/OPERATORS\.md lists/,
  )
  expect(refusalOf(single("Relu", [2], { slope: 1 }))).toMatch(
    /`slope` = `1` is not supported\. .* docs\/OPERATORS\.md/,
  )
})
