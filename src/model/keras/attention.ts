/** Attention layers of Keras, and its dense layers over several axes. */
import type { Tensor } from "../graph.js"
import { activate } from "./activations.js"
import {
  type Argument,
  integers,
  type LayerContext,
  type Part,
  Refusal,
  refuse,
  Symbolic,
  setting,
  type Translate,
  weightOf,
  whole,
  without,
} from "./layer.js"

const off = (value: Argument | undefined): boolean => value === undefined || value === null || value === false

/** A tensor among the arguments, by place or by name. */
function tensorAt(layer: LayerContext, at: number, name: string): string | undefined {
  const given = layer.args[at] ?? layer.argument(name)
  if (given === undefined || given === null) return undefined
  return given instanceof Symbolic ? given.name : refuse(`\`${name}\` is no tensor`)
}

/** x·W + b over the last axis, with all other axes of the kernel as one: [.., d] to [.., h·k]. */
function projected(layer: LayerContext, x: string, part: Part, id: string): string {
  const kernel = weightOf(layer, "kernel", 0, 3, part)
  const [d, h, k] = kernel.shape
  const product = layer.node("MatMul", [x, layer.constant(`${id}_kernel`, [d, h * k], kernel.data)])
  if (setting(layer, "use_bias") === false) return product
  const { data } = layer.weight("bias", 1, part)
  return layer.node("Add", [product, layer.constant(`${id}_bias`, [data.length], data)])
}

const part = (name: string, own = name): Part => ({ attribute: `${name}_dense`, name: own })

const multiHead =
  (isGrouped: boolean): Translate =>
  (layer) => {
    const axes = setting(layer, "attention_axes")
    if (Array.isArray(axes) && (axes.length !== 1 || (axes[0] !== 1 && axes[0] !== -2)))
      refuse("`attention_axes` other than the one after the batch are not supported")
    without(layer, "use_gate", "sliding_window")
    for (const name of ["query_mask", "value_mask", "key_mask", "attention_mask", "return_attention_scores"])
      if (!off(layer.argument(name)) || (name === "attention_mask" && layer.args.length > 3))
        refuse(`\`${name}\` is not supported`)
    const query = tensorAt(layer, 0, "query") ?? refuse("it has no query")
    const value = tensorAt(layer, 1, "value") ?? refuse("it has no value")
    const key = tensorAt(layer, 2, "key") ?? value
    const causal = layer.argument("use_causal_mask") === true
    const heads = whole(layer, isGrouped ? "num_query_heads" : "num_heads", 1)
    const keyHeads = isGrouped ? whole(layer, "num_key_value_heads", 1) : heads
    const size = whole(layer, isGrouped ? "head_dim" : "key_dim", 1)
    const sides = (["query", "key", "value"] as const).map((name, i) =>
      projected(layer, [query, key, value][i], part(name), name),
    )
    const attended = layer.node("Attention", sides, {
      q_num_heads: heads,
      kv_num_heads: keyHeads,
      scale: 1 / Math.sqrt(size),
      is_causal: causal ? 1 : 0,
    })
    const own = part("output", "attention_output")
    const kernel = weightOf(layer, "kernel", 0, 3, own)
    const [h, k, d] = kernel.shape
    const y = layer.node("MatMul", [attended, layer.constant("output_kernel", [h * k, d], kernel.data)])
    if (setting(layer, "use_bias") === false) return y
    const { shape, data } = layer.weight("bias", 1, own)
    return layer.node("Add", [y, layer.constant("output_bias", shape, data)])
  }

/** Query, value and, if it is not the value, key. */
function threeOf(layer: LayerContext): readonly [query: string, value: string, key: string] {
  const [query, value, key = value] = layer.inputs
  if (layer.inputs.length < 2 || layer.inputs.length > 3) refuse("it reads other than two or three tensors")
  if (!off(layer.argument("mask")) || !off(layer.argument("return_attention_scores")))
    refuse("masks and scores as an output are not supported")
  if (layer.argument("use_causal_mask") === true || setting(layer, "causal") === true)
    refuse("`use_causal_mask` is not supported here")
  return [query, value, key]
}

const attention: Translate = (layer) => {
  if ((setting(layer, "score_mode") ?? "dot") !== "dot") refuse("`score_mode` is not `dot`")
  const [query, value, key] = threeOf(layer)
  let scores = layer.node("MatMul", [query, layer.node("Transpose", [key], { perm: [0, 2, 1] })])
  if (setting(layer, "use_scale") === true) {
    const { data } = layer.weight("scale", 0)
    scores = layer.node("Mul", [scores, layer.constant("scale", [], data)])
  }
  return layer.node("MatMul", [layer.node("Softmax", [scores], { axis: -1 }), value])
}

/** Scores Σ scale · tanh(q + k). */
const additiveAttention: Translate = (layer) => {
  const [query, value, key] = threeOf(layer)
  const rows = layer.node("Unsqueeze", [query, integers(layer, "rows", [2])])
  const columns = layer.node("Unsqueeze", [key, integers(layer, "columns", [1])])
  let sums = layer.node("Tanh", [layer.node("Add", [rows, columns])])
  if (setting(layer, "use_scale") !== false) {
    const { shape, data } = layer.weight("scale", 0)
    sums = layer.node("Mul", [sums, layer.constant("scale", shape, data)])
  }
  const scores = layer.node("ReduceSum", [sums, integers(layer, "last", [-1])], { keepdims: 0 })
  return layer.node("MatMul", [layer.node("Softmax", [scores], { axis: -1 }), value])
}

export const dense: Translate = (layer) => {
  without(layer, "quantization_config", "lora_rank")
  const { shape, data } = weightOf(layer, "kernel", 0, 2)
  let y = layer.node("MatMul", [layer.inputs[0], layer.constant("kernel", shape, data)])
  if (setting(layer, "use_bias") !== false) {
    const bias = layer.weight("bias", 1)
    y = layer.node("Add", [y, layer.constant("bias", bias.shape, bias.data)])
  }
  return activate(layer, y, layer.config.activation)
}

/** Keras's equations begin with a batch, as letters or as dots. */
const einsumDense: Translate = (layer) => {
  without(layer, "quantization_config", "lora_rank")
  const equation = setting(layer, "equation")
  if (typeof equation !== "string" || equation.length > 200) throw new Refusal("it has no equation")
  const kernel: Tensor = layer.weight("kernel", 0)
  let y = layer.node("Einsum", [layer.inputs[0], layer.constant("kernel", kernel.shape, kernel.data)], {
    equation,
  })
  const axes = setting(layer, "bias_axes")
  if (axes !== undefined && axes !== null) {
    const { shape, data } = layer.weight("bias", 1)
    y = layer.node("Add", [y, layer.constant("bias", shape, data)])
  }
  return activate(layer, y, layer.config.activation)
}

export const attentionLayers: Readonly<Record<string, Translate>> = {
  Dense: dense,
  EinsumDense: einsumDense,
  Attention: attention,
  AdditiveAttention: additiveAttention,
  MultiHeadAttention: multiHead(false),
  GroupQueryAttention: multiHead(true),
}
