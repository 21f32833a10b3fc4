/** Random ONNX models of attention, each of one node. The key's first word is the operator. */
import type { AttributeSpec, OnnxSpec, TensorSpec } from "./onnx-writer.js"
import { reals } from "./operator-cases.js"
import type { Random } from "./random.js"

interface Input {
  readonly shape: readonly number[]
  /** Absent for an activation. */
  readonly constant?: TensorSpec
}

const live = (...shape: number[]): Input => ({ shape })
const fixed = (constant: TensorSpec): Input => ({ shape: constant.shape, constant })

/** One node; an input that is undefined is left out. */
function node(
  operator: string,
  inputs: readonly (Input | undefined)[],
  attributes: Record<string, AttributeSpec>,
  more: { readonly domain?: string; readonly opset?: number } = {},
): OnnxSpec {
  const named = inputs.map((input, i) => ({ name: input ? `x${i}` : "", input }))
  const { domain, opset } = more
  return {
    ...(opset !== undefined && { opset }),
    inputs: named.flatMap(({ name, input }) =>
      input && !input.constant ? [{ name, shape: input.shape }] : [],
    ),
    outputs: ["y"],
    initializers: Object.fromEntries(
      named.flatMap(({ name, input }) => (input?.constant ? [[name, input.constant]] : [])),
    ),
    nodes: [
      {
        operator,
        inputs: named.map(({ name }) => name),
        outputs: ["y"],
        attributes,
        ...(domain !== undefined && { domain }),
      },
    ],
  }
}

/** A mask in which every position sees itself. */
function mask(random: Random, positions: number, keys: number, isBool: boolean): TensorSpec {
  const seen = Array.from({ length: positions * keys }, (_, i) =>
    i % keys === Math.min(keys - 1, Math.floor(i / keys)) ? true : random.next() < 0.6,
  )
  const shape = [positions, keys]
  if (isBool) return { shape, data: seen.map(Number), dtype: "bool" }
  return { shape, data: seen.map((is) => (is ? random.next() : -1e9)) }
}

const microsoft = { domain: "com.microsoft" }
const int64 = (shape: readonly number[], data: readonly number[]): TensorSpec => ({
  shape,
  data,
  dtype: "int64",
})

function angles(random: Random, rows: number, half: number): [TensorSpec, TensorSpec] {
  const turns = random.reals(rows * half, 3)
  const shape = [rows, half]
  return [
    { shape, data: turns.map(Math.cos) },
    { shape, data: turns.map(Math.sin) },
  ]
}

export const attentionCases: Readonly<Record<string, (random: Random) => OnnxSpec>> = {
  Attention: (random) => {
    const [batch, shared, group] = [random.integer(1, 2), random.integer(1, 2), random.integer(1, 2)]
    const [positions, keys] = [random.integer(1, 3), random.integer(1, 4)]
    const [size, wide] = [random.integer(1, 3), random.integer(1, 3)]
    const heads = shared * group
    const isFlat = random.next() < 0.5
    const of = (count: number, length: number, each: number) =>
      isFlat ? live(batch, length, count * each) : live(batch, count, length, each)
    const attributes: Record<string, AttributeSpec> = {}
    if (isFlat) Object.assign(attributes, { q_num_heads: heads, kv_num_heads: shared })
    if (random.next() < 0.3) attributes.scale = { float: 0.7 }
    const kind = random.integer(0, 4)
    if (kind === 0) attributes.is_causal = 1
    if (kind === 1) attributes.softcap = { float: 2 }
    const biased = kind === 2 || kind === 3 ? fixed(mask(random, positions, keys, kind === 2)) : undefined
    return node(
      "Attention",
      [
        of(heads, positions, size),
        of(shared, keys, size),
        of(shared, keys, wide),
        ...(biased ? [biased] : []),
      ],
      attributes,
      { opset: 23 },
    )
  },
  "RotaryEmbedding by heads": (random) => {
    const [batch, heads, positions, half] = [1, 2, 3, 2].map((most) => random.integer(1, most))
    const rest = random.integer(0, 2)
    const [cos, sin] = angles(random, 5, half)
    const rows = int64(
      [batch, positions],
      Array.from({ length: batch * positions }, () => random.integer(0, 4)),
    )
    return node(
      "RotaryEmbedding",
      [live(batch, heads, positions, 2 * half + rest), fixed(cos), fixed(sin), fixed(rows)],
      { interleaved: random.integer(0, 1), ...(rest > 0 && { rotary_embedding_dim: 2 * half }) },
      { opset: 23 },
    )
  },
  "RotaryEmbedding side by side": (random) => {
    const [batch, heads, positions, half] = [1, 2, 3, 2].map((most) => random.integer(1, most))
    const [cos, sin] = angles(random, positions, half)
    const shape = [1, positions, half]
    return node(
      "RotaryEmbedding",
      [live(batch, positions, heads * 2 * half), fixed({ ...cos, shape }), fixed({ ...sin, shape })],
      { interleaved: random.integer(0, 1), num_heads: heads },
      { opset: 23 },
    )
  },
  MultiHeadAttention: (random) => {
    const [batch, heads, positions, keys, size, wide] = [2, 2, 3, 3, 3, 2].map((most) =>
      random.integer(1, most),
    )
    const [q, v] = [heads * size, heads * wide]
    const attributes: Record<string, AttributeSpec> = { num_heads: heads }
    if (random.next() < 0.3) attributes.scale = { float: 0.4 }
    const length = random.next() < 0.4 ? positions : keys
    if (length === positions && random.next() < 0.5) attributes.unidirectional = 1
    const bias = random.next() < 0.5 ? fixed(reals(random, [2 * q + v])) : undefined
    const added = random.next() < 0.3 ? fixed(reals(random, [1, heads, positions, length])) : undefined
    const inputs = [
      live(batch, positions, q),
      live(batch, length, q),
      live(batch, length, v),
      bias,
      undefined,
      added,
    ]
    return node("MultiHeadAttention", inputs.slice(0, added ? 6 : bias ? 4 : 3), attributes, microsoft)
  },
  "Attention packed": (random) => {
    const [batch, heads, positions, size, width] = [2, 2, 3, 2, 3].map((most) => random.integer(1, most))
    const hidden = heads * size
    const attributes: Record<string, AttributeSpec> = { num_heads: heads }
    if (random.next() < 0.5) attributes.unidirectional = 1
    const inputs = [
      live(batch, positions, width),
      fixed(reals(random, [width, 3 * hidden])),
      fixed(reals(random, [3 * hidden])),
    ]
    return node("Attention", inputs, attributes, microsoft)
  },
}
