/**
 * One causal transformer as several tools would export it: the same function of the same weights, in other operators,
 * shapes and opsets. Layers are normalized before attention and before two dense maps with a GELU between.
 */
import type { AttributeSpec, OnnxSpec, TensorSpec } from "./onnx-writer.js"

/** Sizes; the inner dense layer is four times as wide as the stream. */
export interface Transformer {
  readonly layers: number
  readonly width: number
  readonly heads: number
  readonly positions: number
  readonly vocabulary: number
  /** Row-major; weights of dense maps are [outputs, inputs]. Names and shapes: `weightShapes`. */
  readonly weights: Readonly<Record<string, TensorSpec>>
}

type Sizes = Omit<Transformer, "weights">

/** Names and shapes of all weights, in the order of files. */
export function weightShapes({ layers, width: d, positions, vocabulary }: Sizes): [string, number[]][] {
  const layer = (i: number): [string, number[]][] => [
    [`${i}.norm1.scale`, [d]],
    [`${i}.norm1.bias`, [d]],
    [`${i}.qkv.weight`, [3 * d, d]],
    [`${i}.qkv.bias`, [3 * d]],
    [`${i}.out.weight`, [d, d]],
    [`${i}.out.bias`, [d]],
    [`${i}.norm2.scale`, [d]],
    [`${i}.norm2.bias`, [d]],
    [`${i}.up.weight`, [4 * d, d]],
    [`${i}.up.bias`, [4 * d]],
    [`${i}.down.weight`, [d, 4 * d]],
    [`${i}.down.bias`, [d]],
  ]
  return [
    ["embedding", [vocabulary, d]],
    ["positions", [positions, d]],
    ...Array.from({ length: layers }, (_, i) => layer(i)).flat(),
    ["norm.scale", [d]],
    ["norm.bias", [d]],
    ["head", [vocabulary, d]],
  ]
}

/** The transformer of a file of half-precision numbers. */
export function readTransformer(sizes: Sizes, bytes: Uint8Array): Transformer {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  const weights = Object.fromEntries(
    weightShapes(sizes).map(([name, shape]) => {
      const size = shape.reduce((a, b) => a * b, 1)
      const data = Array.from({ length: size }, () => {
        at += 2
        return half(view.getUint16(at - 2, true))
      })
      return [name, { shape, data }]
    }),
  )
  if (at !== bytes.byteLength) throw new Error(`${bytes.byteLength} bytes of weights, not ${at}`)
  return { ...sizes, weights }
}

/** A number of IEEE 754 binary16, which is finite. */
function half(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15, (bits >> 10) & 31, bits & 1023]
  const magnitude = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25)
  return sign === 1 ? -magnitude : magnitude
}

/** How a tool writes it. */
export const habits = {
  /** PyTorch's exporter at opset 17: LayerNormalization, MatMul and Add, a mask added, GELU by Erf. */
  torch: { opset: 17 },
  /** Opset 10: everything decomposed, dense maps as Gemm of flat rows, a mask by Where, softmax over the last of four axes. */
  old: { opset: 10 },
  /** Opset 13: Einsum throughout, softmax by its maximum, exponential and sum, norms by Reciprocal. */
  einsum: { opset: 13 },
  /** Opset 23: the operators Attention, Gelu and LayerNormalization. */
  recent: { opset: 23 },
} as const

export type Habit = keyof typeof habits

/** Which of its layers a model has: those before `from` have given it the stream that it is given instead of tokens. */
export interface Part {
  readonly from?: number
  readonly to?: number
}

/**
 * The model in a tool's habit: `tokens`, whole numbers of shape [1, positions], to `logits` [1, positions, vocabulary]. A part
 * that does not begin with the first layer has an input `stream` [1, positions, width], one that does not end with the last an
 * output `after` of that shape.
 */
export function transformerModel(transformer: Transformer, habit: Habit, part: Part = {}): OnnxSpec {
  const graph = new Writer(transformer, habit)
  const { layers, positions, width, vocabulary } = transformer
  const { from = 0, to = layers } = part
  let x = from === 0 ? graph.embedded() : "stream"
  for (let i = from; i < to; i++) {
    x = graph.add("Add", [x, graph.attention(graph.norm(x, `${i}.norm1`), i)])
    x = graph.add("Add", [x, graph.feedForward(graph.norm(x, `${i}.norm2`), i)])
  }
  const last = to === layers ? "logits" : "after"
  if (to === layers) graph.dense(graph.norm(x, "norm"), "head", undefined, last)
  else graph.add("Identity", [x], {}, last)
  return {
    opset: habits[habit].opset,
    inputs: [
      from === 0
        ? { name: "tokens", shape: [1, positions], dtype: "int64", within: [0, vocabulary - 1] }
        : { name: "stream", shape: [1, positions, width] },
    ],
    outputs: [last],
    initializers: graph.initializers,
    nodes: graph.nodes,
  }
}

/** One less than the number of values that a softmax may not see. */
const unseen = -1e9

class Writer {
  readonly nodes: OnnxSpec["nodes"][number][] = []
  readonly initializers: Record<string, TensorSpec> = {}
  readonly #of: Transformer
  readonly #habit: Habit

  constructor(of: Transformer, habit: Habit) {
    this.#of = of
    this.#habit = habit
  }

  /** Adds a node, and returns the name of its output. */
  add(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeSpec>> = {},
    out = `${operator.toLowerCase()}_${this.nodes.length}`,
  ): string {
    this.nodes.push({
      operator,
      name: `${operator}_${this.nodes.length}`,
      inputs,
      outputs: [out],
      attributes,
    })
    return out
  }

  embedded(): string {
    const tokens = this.#weight("embedding")
    const given = this.add("Gather", [tokens, "tokens"])
    return this.add("Add", [given, this.#weight("positions")])
  }

  norm(x: string, name: string): string {
    const [scale, bias] = [this.#weight(`${name}.scale`), this.#weight(`${name}.bias`)]
    if (this.#habit === "torch" || this.#habit === "recent")
      return this.add("LayerNormalization", [x, scale, bias], { axis: -1, epsilon: { float: 1e-5 } })
    const axes = { axes: [-1], keepdims: 1 }
    const centred = this.add("Sub", [x, this.add("ReduceMean", [x], axes)])
    const square =
      this.#habit === "old"
        ? this.add("Pow", [centred, this.#scalar("two", 2)])
        : this.add("Mul", [centred, centred])
    const variance = this.add("Add", [this.add("ReduceMean", [square], axes), this.#scalar("epsilon", 1e-5)])
    const root = this.add("Sqrt", [variance])
    const normal =
      this.#habit === "old"
        ? this.add("Div", [centred, root])
        : this.add("Mul", [centred, this.add("Reciprocal", [root])])
    return this.add("Add", [this.add("Mul", [normal, scale]), bias])
  }

  attention(x: string, layer: number): string {
    const { positions: t, heads: h, width: d } = this.#of
    const size = d / h
    const parts = this.#heads(x, layer)
    if (this.#habit === "recent") {
      const attributes = { is_causal: 1, q_num_heads: h, kv_num_heads: h }
      return this.dense(this.add("Attention", parts, attributes), `${layer}.out`)
    }
    if (this.#habit === "einsum") {
      const [q, k, v] = parts
      const raw = this.add("Einsum", [q, k], { equation: "bqhd,bkhd->bhqk" })
      const scaled = this.add("Div", [raw, this.#scalar("root", Math.sqrt(size))])
      const biased = this.add("Add", [scaled, this.#mask("mask", [1, 1, t, t], unseen)])
      const largest = this.add("ReduceMax", [biased], { axes: [-1], keepdims: 1 })
      const powers = this.add("Exp", [this.add("Sub", [biased, largest])])
      const sums = this.#sum(powers)
      const shares = this.add("Div", [powers, sums])
      const y = this.add("Einsum", [shares, v], { equation: "bhqk,bkhd->bqhd" })
      return this.dense(this.#reshape(y, [1, t, d]), `${layer}.out`)
    }
    const [q, k, v] = parts
    const scores = this.#scores(q, k, size)
    const shares = this.add("Softmax", [scores], { axis: this.#habit === "old" ? 3 : -1 })
    const y = this.add("Transpose", [this.add("MatMul", [shares, v])], { perm: [0, 2, 1, 3] })
    return this.dense(this.#reshape(y, [1, t, d]), `${layer}.out`)
  }

  feedForward(x: string, layer: number): string {
    return this.dense(this.#gelu(this.dense(x, `${layer}.up`)), `${layer}.down`)
  }

  /** A dense map of the last axis, in the habit's operators. */
  dense(x: string, name: string, bias = `${name}.bias`, out?: string): string {
    const { positions: t } = this.#of
    const has = Object.hasOwn(this.#of.weights, bias)
    const weight = has ? `${name}.weight` : name
    const rows = this.#of.weights[weight].shape[0]
    // a Gemm has a bias there
    if (this.#habit === "old" && has) {
      const flat = this.#reshape(x, [t, this.#of.weights[weight].shape[1]])
      const made = this.add("Gemm", [flat, this.#weight(weight), this.#weight(bias)], { transB: 1 })
      return this.#reshape(made, [1, t, rows], out)
    }
    const made =
      this.#habit === "einsum"
        ? this.add("Einsum", [x, this.#weight(weight)], { equation: "btd,ed->bte" }, has ? undefined : out)
        : this.add("MatMul", [x, this.#transposed(weight)], {}, has ? undefined : out)
    return has ? this.add("Add", [this.#weight(bias), made], {}, out) : made
  }

  /** Queries, keys and values: by head, but [1, positions, heads, size] or flat where the operators want that. */
  #heads(x: string, layer: number): string[] {
    const { positions: t, heads: h, width: d } = this.#of
    const all = this.dense(x, `${layer}.qkv`)
    const attributes: Record<string, AttributeSpec> = { axis: 2 }
    const parts = ["q", "k", "v"].map((part) => `${part}_${this.nodes.length}`)
    if (this.#habit === "old") attributes.split = [d, d, d]
    const inputs = [all]
    if (this.#habit !== "old") {
      this.initializers.thirds = { shape: [3], data: [d, d, d], dtype: "int64" }
      inputs.push("thirds")
    }
    this.nodes.push({ operator: "Split", name: `split_${layer}`, inputs, outputs: parts, attributes })
    if (this.#habit === "recent") return parts
    return parts.map((part) => {
      const heads = this.#reshape(part, [1, t, h, d / h])
      return this.#habit === "einsum" ? heads : this.add("Transpose", [heads], { perm: [0, 2, 1, 3] })
    })
  }

  #scores(q: string, k: string, size: number): string {
    const { positions: t } = this.#of
    const turned = this.add("Transpose", [k], { perm: [0, 1, 3, 2] })
    if (this.#habit === "torch") {
      // a share of the factor on each side, as scaled_dot_product_attention is exported
      const share = this.#scalar("share", size ** -0.25)
      const raw = this.add("MatMul", [this.add("Mul", [q, share]), this.add("Mul", [turned, share])])
      return this.add("Add", [raw, this.#mask("mask", [t, t], Number.NEGATIVE_INFINITY)])
    }
    const raw = this.add("Div", [this.add("MatMul", [q, turned]), this.#scalar("root", Math.sqrt(size))])
    const seen = Array.from({ length: t * t }, (_, i) => (i % t <= Math.floor(i / t) ? 1 : 0))
    this.initializers.seen = { shape: [1, 1, t, t], data: seen, dtype: "bool" }
    return this.add("Where", ["seen", raw, this.#scalar("unseen", unseen)])
  }

  #gelu(x: string): string {
    if (this.#habit === "recent") return this.add("Gelu", [x])
    const erf = this.add("Erf", [this.add("Div", [x, this.#scalar("root two", Math.SQRT2)])])
    const more = this.add("Add", [erf, this.#scalar("one", 1)])
    if (this.#habit === "torch")
      return this.add("Mul", [this.add("Mul", [x, more]), this.#scalar("half", 0.5)])
    return this.add("Mul", [this.add("Mul", [x, this.#scalar("half", 0.5)]), more])
  }

  #sum(x: string): string {
    this.initializers.last = { shape: [1], data: [-1], dtype: "int64" }
    return this.add("ReduceSum", [x, "last"], { keepdims: 1 })
  }

  #reshape(x: string, shape: readonly number[], out?: string): string {
    const name = `shape ${shape.join("x")}`
    this.initializers[name] = { shape: [shape.length], data: shape, dtype: "int64" }
    return this.add("Reshape", [x, name], {}, out)
  }

  #mask(name: string, shape: readonly number[], value: number): string {
    const { positions: t } = this.#of
    const data = Array.from({ length: t * t }, (_, i) => (i % t > Math.floor(i / t) ? value : 0))
    this.initializers[name] = { shape, data }
    return name
  }

  #scalar(name: string, value: number): string {
    this.initializers[name] = { shape: [], data: [value] }
    return name
  }

  #weight(name: string): string {
    this.initializers[name] = this.#of.weights[name]
    return name
  }

  /** A matrix that is stored the other way round. */
  #transposed(name: string): string {
    const { shape, data } = this.#of.weights[name]
    const [m, k] = shape
    const turned = Array.from({ length: m * k }, (_, i) => data[(i % m) * k + Math.floor(i / m)])
    this.initializers[`${name}.t`] = { shape: [k, m], data: turned }
    return `${name}.t`
  }
}
