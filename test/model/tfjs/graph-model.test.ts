/** GraphModels: graphs that TensorFlow 2.21 wrote, against its own answers, and nodes one by one, against tfjs. */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname } from "node:path"
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm"
import * as tf from "@tensorflow/tfjs-core"
import { beforeAll, describe, expect, it } from "vitest"
import { ModelError } from "#src/errors.js"
import { importTfjs } from "#src/model/tfjs/tfjs.js"
import { evaluate } from "#src/ops/evaluate.js"
import { lower } from "#src/ops/lower.js"
import { Random } from "../../support/random.js"

beforeAll(async () => {
  const require = createRequire(import.meta.url)
  setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json"))}/dist/`)
  await tf.setBackend("wasm")
  await tf.ready()
})

interface Values {
  readonly shape: readonly number[]
  readonly data: readonly number[]
}
interface Recorded {
  readonly model: unknown
  readonly weights: string
  readonly inputs: readonly (Values & { readonly name: string })[]
  readonly outputs: readonly Values[]
}

/** The outputs of a model. */
function run(model: unknown, weights: Uint8Array, inputs: Recorded["inputs"]): Values[] {
  const program = lower(importTfjs(model, weights))
  const given = Object.fromEntries(inputs.map(({ name, data }) => [name, Float64Array.from(data)]))
  const values = evaluate(program, given)
  return program.outputs.map(({ tensor }) => ({
    shape: program.tensors[tensor].shape,
    data: Array.from(values.get(tensor) as Float64Array),
  }))
}

function expectSame(got: readonly Values[], expected: readonly Values[]): void {
  expect(got.map(({ shape }) => shape)).toEqual(expected.map(({ shape }) => shape))
  for (const [i, { data }] of expected.entries())
    for (const [k, value] of data.entries())
      expect(Math.abs(got[i].data[k] - value)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(value)))
}

describe("graphs of TensorFlow compute what it computes", () => {
  it.each(["cnn", "transformer", "slices"])("%s", (name) => {
    const path = new URL(`./files/${name}.json`, import.meta.url)
    const { model, weights, inputs, outputs } = JSON.parse(readFileSync(path, "utf8")) as Recorded
    expectSame(run(model, new Uint8Array(Buffer.from(weights, "base64")), inputs), outputs)
  })
})

const base64 = (text: string) => Buffer.from(text).toString("base64")
const text = (value: string) => ({ s: base64(value) })
const texts = (...values: string[]) => ({ list: { s: values.map(base64) } })
const integers = (...values: number[]) => ({ list: { i: values.map(String) } })
const random = new Random(9)
const numbers = (...shape: number[]): Values => ({
  shape,
  data: Array.from(
    Float32Array.from(
      random.reals(
        shape.reduce((a, b) => a * b, 1),
        1,
      ),
    ),
  ),
})
const whole = (...data: number[]): Values => ({ shape: [data.length], data })

interface Weight extends Values {
  readonly dtype?: string
  readonly quantization?: object
  readonly bytes?: Uint8Array
}

/** A graph of an input `x`, constants, and nodes. */
function graphOf(
  x: Values,
  constants: Readonly<Record<string, Weight>>,
  nodes: readonly object[],
): { model: Record<string, unknown>; weights: Uint8Array; inputs: Recorded["inputs"] } {
  const dim = x.shape.map((size, i) => ({ size: i === 0 ? "-1" : String(size) }))
  const placeholder = {
    name: "x",
    op: "Placeholder",
    attr: { dtype: { type: "DT_FLOAT" }, shape: { shape: { dim } } },
  }
  const names = Object.keys(constants)
  const parts = names.map((name) => {
    const { data, dtype, bytes } = constants[name]
    return bytes ?? new Uint8Array((dtype === "int32" ? Int32Array : Float32Array).from(data).buffer)
  })
  return {
    model: {
      format: "graph-model",
      modelTopology: { node: [placeholder, ...names.map((name) => ({ name, op: "Const" })), ...nodes] },
      weightsManifest: [
        {
          paths: [],
          weights: names.map((name) => {
            const { shape, dtype = "float32", quantization } = constants[name]
            return { name, shape, dtype, ...(quantization && { quantization }) }
          }),
        },
      ],
    },
    weights: new Uint8Array(Buffer.concat(parts)),
    inputs: [{ name: "x", ...x }],
  }
}

const node = (op: string, input: readonly string[], attr: object = {}) => ({ name: "y", op, input, attr })
const tensor = ({ shape, data }: Values) => tf.tensor([...data], [...shape])
const asked = async (made: tf.Tensor): Promise<Values> => ({
  shape: made.shape,
  data: Array.from(await made.data()),
})

describe("nodes that converters fuse compute what tfjs computes", () => {
  const x = numbers(1, 6, 5, 2)
  const strides = { strides: integers(1, 2, 1, 1), dilations: integers(1, 1, 1, 1), padding: text("SAME") }

  it.each([
    ["Relu", "relu"],
    ["Relu6", "relu6"],
    ["Elu", "elu"],
    ["Sigmoid", "sigmoid"],
  ] as const)("a convolution with bias and %s", async (fused, activation) => {
    const [w, b] = [numbers(3, 2, 2, 4), numbers(4)]
    const attr = { ...strides, fused_ops: texts("BiasAdd", fused), num_args: { i: "1" } }
    const { model, weights, inputs } = graphOf(x, { w, b }, [node("_FusedConv2D", ["x", "w", "b"], attr)])
    const made = tf.fused.conv2d({
      x: tensor(x) as tf.Tensor4D,
      filter: tensor(w) as tf.Tensor4D,
      strides: [2, 1],
      pad: "same",
      bias: tensor(b),
      activation,
    })
    expectSame(run(model, weights, inputs), [await asked(made)])
  })

  it("a depthwise convolution with bias and a slope for each channel", async () => {
    const [w, b, slopes] = [numbers(2, 3, 2, 2), numbers(4), numbers(4)]
    const attr = {
      strides: integers(1, 1, 1, 1),
      padding: text("VALID"),
      fused_ops: texts("BiasAdd", "Prelu"),
      num_args: { i: 2 },
    }
    const { model, weights, inputs } = graphOf(x, { w, b, slopes }, [
      node("FusedDepthwiseConv2dNative", ["x", "w", "b", "slopes"], attr),
    ])
    const plain = tf.depthwiseConv2d(tensor(x) as tf.Tensor4D, tensor(w) as tf.Tensor4D, 1, "valid")
    const made = tf.prelu(tf.add(plain, tensor(b)), tensor(slopes))
    expectSame(run(model, weights, inputs), [await asked(made)])
  })

  it("a product with bias and a leaky ReLU, its operands turned", async () => {
    const [m, w, b] = [numbers(1, 3), numbers(4, 3), numbers(4)]
    const attr = {
      transpose_b: { b: true },
      fused_ops: texts("BiasAdd", "LeakyRelu"),
      leakyrelu_alpha: { f: 0.25 },
      num_args: { i: "1" },
    }
    const { model, weights, inputs } = graphOf(m, { w, b }, [node("_FusedMatMul", ["x", "w", "b"], attr)])
    const sum = tf.add(tf.matMul(tensor(m), tensor(w), false, true), tensor(b))
    expectSame(run(model, weights, inputs), [await asked(tf.leakyRelu(sum, 0.25))])
  })
})

describe("quantized weights", () => {
  const scale = 0.125
  const x: Values = { shape: [1, 4], data: [1, -1, 0.5, 2] }
  const sum = (values: readonly number[]) => x.data.map((value, i) => value + values[i])

  it.each<readonly [string, Weight, readonly number[]]>([
    [
      "uint8",
      {
        shape: [4],
        data: [],
        bytes: Uint8Array.of(0, 1, 128, 255),
        quantization: { dtype: "uint8", scale, min: -2, original_dtype: "float32" },
      },
      [-2, -1.875, 14, 29.875],
    ],
    [
      "uint16",
      {
        shape: [4],
        data: [],
        bytes: Uint8Array.of(0, 0, 1, 0, 0, 1, 255, 255),
        quantization: { dtype: "uint16", scale, min: 1, original_dtype: "float32" },
      },
      [1, 1.125, 33, 1 + 65535 / 8],
    ],
    [
      "float16",
      {
        shape: [4],
        data: [],
        bytes: Uint8Array.of(0, 0x3c, 0, 0xbc, 0, 0x38, 0, 0x40),
        quantization: { dtype: "float16", original_dtype: "float32" },
      },
      [1, -1, 0.5, 2],
    ],
    [
      "integers of uint8, which are rounded",
      {
        shape: [4],
        data: [],
        dtype: "int32",
        bytes: Uint8Array.of(0, 1, 2, 3),
        quantization: { dtype: "uint8", scale: 0.4, min: -1, original_dtype: "int32" },
      },
      [-1, -1, -0, 0],
    ],
  ])("%s", (_, w, values) => {
    const { model, weights, inputs } = graphOf(x, { w }, [node("AddV2", ["x", "w"])])
    expectSame(run(model, weights, inputs), [{ shape: [1, 4], data: sum(values) }])
  })
})

describe("graphs that are refused", () => {
  const x = numbers(1, 4)
  const refusal = (make: () => { model: unknown; weights: Uint8Array }): string => {
    try {
      const { model, weights } = make()
      lower(importTfjs(model, weights))
      return ""
    } catch (error) {
      expect(error).toBeInstanceOf(ModelError)
      return (error as Error).message
    }
  }
  const one =
    (made: object, constants: Record<string, Weight> = {}) =>
    () =>
      graphOf(x, constants, [made])
  const signed = (signature: object) => () => {
    const { model, weights } = graphOf(x, {}, [node("Relu", ["x"])])
    return { model: { ...model, signature }, weights }
  }
  const nodes = (list: unknown) => () => ({
    model: { format: "graph-model", modelTopology: { node: list } },
    weights: new Uint8Array(0),
  })

  it.each<readonly [string, () => { model: unknown; weights: Uint8Array }, RegExp]>([
    ["control flow", one(node("Switch", ["x", "x"])), /`y` \(Switch\): control flow is not supported/],
    ["lists", one(node("TensorListStack", ["x"])), /control flow is not supported/],
    ["an unknown operator", one(node("LRN", ["x"])), /`y` \(LRN\): the operator is not supported/],
    ["an operator that every object has", one(node("constructor", ["x"])), /the operator is not supported/],
    ["a constant that is missing", one(node("AddV2", ["x", "w"])), /node `w` is read, and is not there/],
    ["a weight that is missing", nodes([{ name: "w", op: "Const" }]), /`w` \(Const\): its weight is missing/],
    ["too few tensors", one(node("MatMul", ["x"])), /it reads too few tensors/],
    ["an output that a node does not have", one(node("Relu", ["x:1"])), /produced by nothing/],
    ["a node that reads itself", one(node("AddV2", ["x", "y"])), /there is no output/],
    [
      "nodes in a circle",
      () =>
        graphOf(x, {}, [
          node("Relu", ["z"]),
          { name: "z", op: "Relu", input: ["y"] },
          { name: "e", op: "Add", input: ["y", "x"] },
        ]),
      /wait for each other/,
    ],
    ["axes that depend on the input", one(node("Mean", ["x", "x"])), /its axes \(input 1\) depend on/],
    [
      "axes that are fractions",
      one(node("Mean", ["x", "w"]), { w: { shape: [1], data: [0.5] } }),
      /are no integers/,
    ],
    [
      "a name that means two things",
      one({ ...node("Relu", ["x"]), name: "y:0" }),
      /no name, operator or inputs/,
    ],
    [
      "two nodes of one name",
      () => graphOf(x, {}, [node("Relu", ["x"]), node("Relu", ["x"])]),
      /two nodes have the name `y`/,
    ],
    [
      "fused with what is unknown",
      one(node("_FusedMatMul", ["x", "w"], { fused_ops: texts("Cube") }), { w: numbers(4, 4) }),
      /fused `Cube` is not supported/,
    ],
    [
      "more fused operands than inputs",
      one(node("_FusedMatMul", ["x", "w"], { num_args: { i: "9" } }), { w: numbers(4, 4) }),
      /more than it reads/,
    ],
    [
      "text that is no base64",
      one(node("MirrorPad", ["x", "p"], { mode: { s: "%%%" } }), {
        p: { ...whole(0, 0, 1, 1), shape: [2, 2], dtype: "int32" },
      }),
      /attribute `mode` is no text/,
    ],
    [
      "outputs without end",
      one(node("Split", ["a", "x"], { num_split: { i: "1e9" } }), { a: { ...whole(1), dtype: "int32" } }),
      /outputs/,
    ],
    [
      "an output of the signature that is not there",
      signed({ outputs: { o: { name: "none:0" } } }),
      /node `none` is read/,
    ],
    ["a signature without names", signed({ outputs: { o: 3 } }), /outputs have no names/],
    ["nodes that are no list", nodes(3), /no list of nodes/],
    ["nodes that are null", nodes([null]), /node 0 has no name/],
    [
      "an input of unknown rank",
      nodes([{ name: "x", op: "Placeholder", attr: { shape: { shape: { unknownRank: true } } } }]),
      /how many dimensions/,
    ],
    [
      "an open dimension",
      nodes([
        {
          name: "x",
          op: "Placeholder",
          attr: { shape: { shape: { dim: [{ size: "1" }, { size: "-1" }] } } },
        },
      ]),
      /option `dimensions` for `x:1`/,
    ],
  ])("%s", (_, make, message) => {
    expect(refusal(make)).toMatch(message)
  })

  it("and nothing is asked of nodes that no output needs", () => {
    const { model, weights, inputs } = graphOf(x, {}, [
      node("Relu", ["x"]),
      { name: "loss", op: "Mystery", input: ["x"] },
    ])
    const signature = { outputs: { o: { name: "y:0" } } }
    expect(run({ ...model, signature }, weights, inputs)[0].data).toEqual(x.data.map((v) => Math.max(v, 0)))
  })
})
