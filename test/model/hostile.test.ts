/** Small files that ask for much: each ends within seconds and 512 MiB, with a typed error that names the node. */
import { zipSync } from "fflate"
import { beforeAll, describe, expect, it } from "vitest"
import { refusedControl, slowControl } from "../support/hostile-control.js"
import { cases, refused, slow } from "../support/hostile-models.js"
import { type Case, measured, type Outcome } from "../support/measured.js"
import { npy } from "../support/npy-writer.js"

/** What the issue of every such file is measured by. */
const most = { ms: 5000, mib: 512 }

const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
const raw = (value: string): Uint8Array => new TextEncoder().encode(value)

/** Length-delimited field of a protobuf message. */
function field(number: number, content: Uint8Array): Uint8Array {
  const head: number[] = []
  for (const value of [number * 8 + 2, content.length]) {
    let rest = value
    for (; rest >= 128; rest = Math.floor(rest / 128)) head.push((rest % 128) + 128)
    head.push(rest)
  }
  const out = new Uint8Array(head.length + content.length)
  out.set(head)
  out.set(content, head.length)
  return out
}

const repeat = (content: Uint8Array, times: number): Uint8Array => {
  const out = new Uint8Array(content.length * times)
  for (let i = 0; i < times; i++) out.set(content, i * content.length)
  return out
}

/** Graphs in attributes of nodes of graphs, so deep. */
function nested(depth: number): Uint8Array {
  let graph = field(1, new Uint8Array())
  for (let i = 0; i < depth; i++) graph = field(1, field(5, field(6, graph)))
  return field(7, graph)
}

const wire: Readonly<Record<string, Uint8Array>> = {
  "graphs nested a thousand deep": nested(1000),
  "four million empty attributes": field(7, field(1, repeat(field(5, new Uint8Array()), 4_000_000))),
  "a million empty nodes": field(7, repeat(field(1, new Uint8Array()), 1_000_000)),
  "thirty million packed integers": field(7, field(5, field(7, new Uint8Array(30_000_000)))),
  "an attribute of text without a text": field(7, field(1, field(5, Uint8Array.of(10, 1, 97, 160, 1, 3)))),
  "a group, which the format does not have": Uint8Array.of(3, 4, 58, 0),
}

const sigmoid = {
  class_name: "Activation",
  config: { name: "a", activation: "sigmoid", batch_input_shape: [null, 4] },
}
const sequential = (...layers: unknown[]): unknown => ({
  modelTopology: { class_name: "Sequential", config: { name: "m", layers } },
})
const first = (class_name: string, shape: unknown, config: object = {}): unknown =>
  sequential({ class_name, config: { name: "first", batch_input_shape: shape, ...config } })
const dense = (weights: unknown, data: number[] = [], config: object = {}): Uint8Array =>
  text({
    model: {
      ...(first("Dense", [null, 2], { use_bias: false, ...config }) as object),
      weightsManifest: [{ paths: [], weights }],
    },
    weights: data,
  })
const kernel = (entry: object): unknown => [
  { name: "first/kernel", shape: [2, 1], dtype: "float32", ...entry },
]
const tfjs = (model: unknown): Uint8Array => text({ model, weights: [] })
const eight = [0, 0, 128, 63, 0, 0, 128, 63]

const layers: Readonly<Record<string, Uint8Array>> = {
  "a layer that is null": tfjs(sequential(null)),
  "a layer without config": tfjs(sequential({ class_name: "Dense" })),
  "a layer whose config is a list": tfjs(sequential({ class_name: "Dense", config: [] })),
  "a class that every object has": tfjs(first("constructor", [null, 4])),
  "an activation that every object has": tfjs(first("Activation", [null, 4], { activation: "constructor" })),
  "an activation that is a list": tfjs(first("Activation", [null, 4], { activation: [["relu"]] })),
  "a type that every object has": dense(kernel({ dtype: "constructor" }), eight),
  "a shape of 2^40": tfjs(first("ReLU", [null, 2 ** 40])),
  "a shape of nothing": tfjs(first("ReLU", [null, 0])),
  "a shape of fractions": tfjs(first("ReLU", [null, 1.5])),
  "a shape of text": tfjs(first("ReLU", [null, "4"])),
  "a shape beyond all integers": tfjs(first("ReLU", [null, 2 ** 50, 2 ** 50])),
  "no shape": tfjs(first("ReLU", undefined)),
  "padding of 2^27": tfjs(first("ZeroPadding1D", [null, 4, 4], { padding: 2 ** 27 })),
  "padding of one axis for two": tfjs(first("ZeroPadding2D", [null, 4, 4, 1], { padding: [[1, 1]] })),
  "padding of text": tfjs(first("ZeroPadding1D", [null, 4, 4], { padding: "much" })),
  "a pool of 2^30": tfjs(first("MaxPooling1D", [null, 4, 4], { pool_size: 2 ** 30, padding: "same" })),
  "a pool with strides of text": tfjs(first("MaxPooling1D", [null, 4, 4], { strides: "2" })),
  "a kernel of another rank": dense(kernel({ shape: [2] }), eight),
  "a kernel of negative size": dense(kernel({ shape: [-2, -1] }), eight),
  "a kernel of 2^40 by nothing": dense(kernel({ shape: [2 ** 40, 0] })),
  "a kernel without a shape": dense(kernel({ shape: null }), eight),
  "a kernel without a name": dense(kernel({ name: 3 }), eight),
  "a kernel quantized by text": dense(kernel({ quantization: { dtype: "uint8", scale: "1" } }), [1, 2]),
  "a kernel quantized by infinity": dense(
    kernel({ quantization: { dtype: "uint8", scale: 1e308 } }),
    [255, 2],
  ),
  "a kernel listed twice": dense(
    [...(kernel({}) as object[]), ...(kernel({}) as object[])],
    [...eight, ...eight],
  ),
  "a manifest that is text": text({
    model: { ...(sequential(sigmoid) as object), weightsManifest: "w" },
    weights: [],
  }),
  "a group that is null": text({
    model: { ...(sequential(sigmoid) as object), weightsManifest: [null] },
    weights: [],
  }),
  "layers of one name": tfjs(
    sequential(sigmoid, { class_name: "Activation", config: { name: "a", activation: "tanh" } }),
  ),
  "inbound nodes of another Keras": tfjs({
    modelTopology: {
      class_name: "Model",
      config: {
        layers: [{ class_name: "ReLU", config: { name: "a" }, inbound_nodes: [{ args: [] }] }],
        output_layers: [["a", 0, 0]],
      },
    },
  }),
  "output layers that are numbers": tfjs({
    modelTopology: { class_name: "Model", config: { layers: [], output_layers: [1] } },
  }),
  "a layer that reads itself": tfjs({
    modelTopology: {
      class_name: "Model",
      config: {
        layers: [{ class_name: "ReLU", config: { name: "a" }, inbound_nodes: [[["a", 0, 0]]] }],
        output_layers: [["a", 0, 0]],
      },
    },
  }),
}

const zeros = (count: number) => new Uint8Array(count)
const archive = (files: Record<string, Uint8Array>): Uint8Array => zipSync(files, { level: 1 })
const arrays: Readonly<Record<string, () => Uint8Array>> = {
  "an archive of more samples than there may be": () =>
    archive({ "x.npy": npy("|u1", [2 ** 27, 1], zeros(2 ** 27)) }),
  "an archive of more data than its header says": () =>
    archive({ "x.npy": npy("|u1", [2, 1], zeros(2 ** 26)) }),
  "an archive that announces 2^50 samples": () => archive({ "x.npy": npy("|u1", [2 ** 50, 1], zeros(4)) }),
  "an archive that announces more than all integers": () =>
    archive({ "x.npy": npy("|u1", [2 ** 50, 2 ** 50], zeros(4)) }),
  "an archive of another array": () => archive({ "y.npy": npy("|u1", [2 ** 26, 1], zeros(2 ** 26)) }),
  "an archive of many labels": () => archive({ "labels.npy": npy("|u1", [2 ** 26], zeros(2 ** 26)) }),
  "an archive whose header has no end": () => {
    const content = zeros(2 ** 20)
    content.set([0x93, ...raw("NUMPY"), 2, 0, 255, 255, 255, 127])
    return archive({ "x.npy": content })
  },
  "an archive of which half is there": () => {
    const whole = archive({ "x.npy": npy("|u1", [100, 1], zeros(100)) })
    return whole.subarray(0, whole.length / 2)
  },
}

const json: Readonly<Record<string, Uint8Array>> = {
  "a list nested a million deep": raw("[".repeat(1e6) + "]".repeat(1e6)),
  "values nested a million deep": raw(`{"inputs":{"x":${"[".repeat(1e6)}1${"]".repeat(1e6)}}}`),
  "an unknown value nested deep": raw(`{"input_data":${`{"a":`.repeat(1e5)}1${"}".repeat(1e5)}}`),
  "a million values too many": text({ inputs: { x: new Array(1e6).fill(1) } }),
  "a million lists of nothing": text({ inputs: { x: new Array(1e6).fill([]) } }),
  null: text(null),
  "null for the inputs": text({ inputs: null }),
  "text that spells a number": text({ inputs: { x: ["1"] } }),
  "text that spells NaN": text({ inputs: { x: ["NaN"] } }),
  "an object for a list": text({ inputs: { x: { 0: 1, length: 1 } } }),
  "a name that every object has": text({ inputs: { x: [1], constructor: [1] } }),
}

const of = (
  action: Case["action"],
  files: Readonly<Record<string, Uint8Array | (() => Uint8Array)>>,
): Case[] =>
  Object.entries(files).map(([name, bytes]) => ({
    name,
    action,
    bytes: typeof bytes === "function" ? bytes() : bytes,
    shape: [1],
  }))

const unrolled = Object.fromEntries(Object.entries(refusedControl).map(([name, [spec]]) => [name, spec]))

const groups: Readonly<
  Record<string, { readonly of: () => Case[]; readonly errors: readonly (string | null)[] }>
> = {
  "models of a few nodes": { of: () => cases(refused, "onnx"), errors: ["ModelError"] },
  "subgraphs and sequences": { of: () => cases(unrolled, "onnx"), errors: ["ModelError"] },
  "long loops and sequences": { of: () => cases(slowControl, "quantize"), errors: ["ModelError", null] },
  "models that were slow": { of: () => cases(slow, "quantize"), errors: ["ModelError", null] },
  "malformed ONNX files": { of: () => of("onnx", wire), errors: ["ModelError"] },
  "tfjs files": { of: () => of("tfjs", layers), errors: ["ModelError"] },
  "sample archives": { of: () => of("samples", arrays), errors: ["FileError", "InputError"] },
  "input files": { of: () => of("input", json), errors: ["InputError"] },
}

describe.each(Object.entries(groups))("%s", (_, { of: make, errors }) => {
  let outcomes: Outcome[] = []
  beforeAll(() => {
    outcomes = measured(make())
  }, 120_000)

  it("end with a typed error, or none where that is right", () => {
    expect(outcomes.filter(({ error }) => !errors.includes(error))).toEqual([])
  })

  it("say what they are refused for", () => {
    for (const { name, message } of outcomes)
      if (name in refusedControl) expect(message, name).toMatch(refusedControl[name][1])
  })

  it("end within five seconds", () => {
    expect(outcomes.filter(({ ms }) => !(ms < most.ms))).toEqual([])
  })

  it("stay within 512 MiB", () => {
    expect(outcomes.filter(({ mib }) => !(mib < most.mib))).toEqual([])
  })
})

it("the error of an exceeded budget names the node, the limit, what was asked, and what to do", () => {
  const [{ message }] = measured(cases({ "Tile by 2^27": refused["Tile by 2^27"] }, "onnx"))
  expect(message).toMatch(/node `#0`, operator `Tile` \(#0\): needs more than the budget of elements/)
  expect(message).toMatch(/expected at most \d+ in the whole file; given 67108864, after \d+ before/)
  expect(message).toMatch(/Use a smaller model/)
})
