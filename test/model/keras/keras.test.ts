/** Files of Keras, made with Keras 3.15 (files/keras2.h5 after the layout of Keras 2.15), against its own answers. */
import { readFileSync } from "node:fs"
import { unzipSync, zipSync } from "fflate"
import { describe, expect, it } from "vitest"
import { ModelError } from "#src/errors.js"
import { importKeras } from "#src/model/keras/keras.js"
import { evaluate } from "#src/ops/evaluate.js"
import { lower } from "#src/ops/lower.js"

interface Recorded {
  readonly shape: readonly number[]
  readonly data: readonly number[]
}
const folder = new URL("./files/", import.meta.url)
const file = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)))
const expected = JSON.parse(readFileSync(new URL("expected.json", folder), "utf8")) as Record<
  string,
  { inputs: Recorded[]; outputs: Recorded[] }
>

/** Largest error of a model's outputs, relative to the largest recorded value of each. */
function errorOf(bytes: Uint8Array, name: string): number {
  const { inputs, outputs } = expected[name]
  const graph = importKeras(bytes, { file: name })
  expect(graph.inputs.map(({ shape }) => shape)).toEqual(inputs.map(({ shape }) => shape))
  const program = lower(graph)
  const values = evaluate(
    program,
    Object.fromEntries(graph.inputs.map((input, i) => [input.name, Float64Array.from(inputs[i].data)])),
  )
  expect(program.outputs.map(({ tensor }) => program.tensors[tensor].shape)).toEqual(
    outputs.map(({ shape }) => shape),
  )
  const errors = program.outputs.map(({ tensor }, i) => {
    const got = values.get(tensor) as Float64Array
    const most = Math.max(...outputs[i].data.map(Math.abs))
    return Math.max(...outputs[i].data.map((value, k) => Math.abs(value - got[k]) / most))
  })
  return Math.max(...errors)
}

describe("files of Keras compute what Keras computes", () => {
  it.each(Object.keys(expected))("%s", (name) => {
    expect(errorOf(file(name), name)).toBeLessThan(1e-5)
  })

  it("stored without compression, too", () => {
    const stored = zipSync(unzipSync(file("shared.keras")), { level: 0 })
    expect(errorOf(stored, "shared.keras")).toBeLessThan(1e-5)
  })
})

const shared = unzipSync(file("shared.keras"))
const json = (name: string) => JSON.parse(new TextDecoder().decode(shared[name]))
type Json = ReturnType<typeof json>
const encoded = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

/** The archive with a changed configuration. */
function changed(change: (config: Json) => void): Uint8Array {
  const config = json("config.json")
  change(config)
  return zipSync({ ...shared, "config.json": encoded(config) })
}
const layer = (config: Json, name: string): Json =>
  config.config.layers.find((each: Json) => each.config.name === name || each.class_name === name)

/** Bytes with others at a place. */
const patched = (bytes: Uint8Array, at: number, values: readonly number[]) => {
  const copy = bytes.slice()
  copy.set(values, at)
  return copy
}
/** Where letters stand for the n-th time. */
const placeOf = (bytes: Uint8Array, letters: string, n = 0): number => {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")
  let at = -1
  for (let i = 0; i <= n; i++) at = text.indexOf(letters, at + 1)
  expect(at).toBeGreaterThanOrEqual(0)
  return at
}
const h5 = file("shared.h5")
const weights = shared["model.weights.h5"]
const withWeights = (bytes: Uint8Array) => zipSync({ ...shared, "model.weights.h5": bytes })

describe("files that are refused", () => {
  const nestedTimes = (depth: number): Json => {
    let model = json("config.json")
    for (let i = 0; i < depth; i++) {
      const inner = { ...model, name: "inner" }
      model = { class_name: "Sequential", config: { name: `m${i}`, layers: [inner] } }
    }
    return model
  }
  /** Models in models, each of which calls the next ten times. */
  const calledTenTimes = (depth: number): Json => {
    const input = {
      class_name: "InputLayer",
      config: { name: "x", batch_shape: [null, 4], dtype: "float32" },
      inbound_nodes: [],
    }
    const tensor = (name: string, call: number) => ({
      class_name: "__keras_tensor__",
      config: { shape: [null, 4], keras_history: [name, call, 0] },
    })
    const calls = Array.from({ length: 10 }, (_, i) => ({
      args: [i === 0 ? tensor("x", 0) : tensor("inner", i - 1)],
      kwargs: {},
    }))
    const plain = { class_name: "Activation", config: { name: "inner", activation: "relu", trainable: true } }
    let inner: Json = plain
    for (let i = 0; i < depth; i++)
      inner = {
        class_name: "Functional",
        config: {
          name: "inner",
          trainable: true,
          layers: [input, { ...inner, name: "inner", inbound_nodes: calls }],
          input_layers: [["x", 0, 0]],
          output_layers: [["inner", inner === plain ? 9 : 10, 0]],
        },
      }
    return inner
  }

  it.each<readonly [string, () => Uint8Array, RegExp]>([
    ["bytes of another kind", () => new Uint8Array(100), /neither a \.keras file nor HDF5/],
    ["half an archive", () => file("shared.keras").subarray(0, 1500), /damaged zip archive/],
    [
      "an archive without weights",
      () => zipSync({ "config.json": shared["config.json"], "metadata.json": shared["metadata.json"] }),
      /has no model\.weights\.h5/,
    ],
    [
      "a configuration that is no JSON",
      () => zipSync({ ...shared, "config.json": new Uint8Array(9) }),
      /config\.json is no JSON/,
    ],
    [
      "a zip bomb",
      () => zipSync({ ...shared, "config.json": new Uint8Array(2 ** 25) }, { level: 9 }),
      /has 33554432 bytes/,
    ],
    ["half the weights", () => withWeights(weights.subarray(0, weights.length / 2)), /truncated/],
    ["weights that are text", () => withWeights(encoded("weights")), /no HDF5 file/],
    [
      "a Lambda layer",
      () =>
        changed((config) => {
          layer(config, "Dense").class_name = "Lambda"
        }),
      /it holds code/,
    ],
    [
      "a class of the model's own",
      () =>
        changed((config) => {
          layer(config, "Dense").module = "mine"
        }),
      /a class of the model's own/,
    ],
    [
      "a registered class",
      () =>
        changed((config) => {
          layer(config, "Dense").registered_name = "mine>Dense"
        }),
      /a class of the model's own/,
    ],
    [
      "a function of the model's own",
      () =>
        changed((config) => {
          layer(config, "Dense").config.activation = {
            module: "mine",
            class_name: "function",
            config: "relu",
          }
        }),
      /activation `object`/,
    ],
    [
      "quantized layers",
      () =>
        changed((config) => {
          layer(config, "Dense").config.dtype = "int8_from_float32"
        }),
      /dtype `int8_from_float32`/,
    ],
    [
      "weights of another shape",
      () =>
        changed((config) => {
          layer(config, "Dense").class_name = "Conv2D"
        }),
      /weight `kernel` is missing/,
    ],
    [
      "a layer more than there are weights for",
      () =>
        changed((config) => {
          layer(config, "Concatenate").class_name = "BatchNormalization"
        }),
      /weight `moving_mean` is missing/,
    ],
    [
      "layers that wait for each other",
      () =>
        changed((config) => {
          layer(config, "Concatenate").inbound_nodes[0].args[0][0].config.keras_history = [
            "concatenate",
            0,
            0,
          ]
        }),
      /wait for each other|not there/,
    ],
    [
      "a call that is not there",
      () =>
        changed((config) => {
          layer(config, "Concatenate").inbound_nodes[0].args[0][0].config.keras_history[1] = 7
        }),
      /not there/,
    ],
    [
      "training",
      () =>
        changed((config) => {
          layer(config, "Concatenate").inbound_nodes[0].kwargs = { training: true }
        }),
      /argument `training`/,
    ],
    [
      "a lambda as an argument",
      () =>
        changed((config) => {
          layer(config, "Concatenate").inbound_nodes[0].kwargs = { f: { class_name: "__lambda__" } }
        }),
      /class `__lambda__`/,
    ],
    [
      "a model within itself too often",
      () => zipSync({ ...shared, "config.json": encoded(nestedTimes(40)) }),
      /more than 16 deep/,
    ],
    [
      "ten calls of ten calls of ten",
      () => zipSync({ ...shared, "config.json": encoded(calledTenTimes(7)) }),
      /more than the budget of steps of work/,
    ],
    [
      "weights without a model",
      () => patched(h5, placeOf(h5, "model_config"), [0x4d]),
      /holds weights without a model/,
    ],
    ["a version of HDF5 that is not known", () => patched(h5, 8, [9]), /version 9 of HDF5/],
    ["a root that is no object", () => patched(h5, 64, [0, 0]), /no object|truncated/],
    [
      "a tree that leads back to itself",
      () => {
        const tree = placeOf(h5, "TREE")
        return patched(patched(h5, tree + 5, [1]), tree + 32, [tree & 255, tree >> 8, 0, 0, 0, 0, 0, 0])
      },
      /another kind or level|a node twice/,
    ],
    [
      "an address beyond all files",
      () => patched(h5, 64, [255, 255, 255, 255, 255, 255, 255, 127]),
      /no length of anything/,
    ],
  ])("%s", (_, make, message) => {
    try {
      lower(importKeras(make()))
      expect.unreachable("it was taken")
    } catch (error) {
      expect(error).toBeInstanceOf(ModelError)
      expect((error as Error).message).toMatch(message)
    }
  })
})
