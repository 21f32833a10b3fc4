/**
 * Attention, as ONNX has it since opset 23 and as onnxruntime's optimizer fuses it: written out in products of matrices,
 * constants that mask, and a softmax, which is what exporters without such operators write. Heads are [batch, heads,
 * positions, size] throughout.
 */
import { sizeOf } from "../program.js"
import type { Call, Lowering } from "./call.js"
import { reshaped, transposed } from "./layout.js"
import { constantInput, type Operators, operator, other, realOnly } from "./limits.js"
import { product } from "./linear.js"
import { asked, optional, softmaxAlong } from "./normalize.js"
import {
  axisTable,
  broadcastShape,
  numbers,
  range,
  separableMap,
  show,
  stridesOf,
  unsupported,
} from "./shapes.js"
import { type Constant, constant, isConstant, type Value } from "./values.js"

/** What is added to where an activation says that nothing is to be seen. */
const hidden = -10_000

/** Queries, keys and values by head, and what changes scores before the softmax. */
interface Heads {
  readonly q: Value
  readonly k: Value
  readonly v: Value
  readonly scale: number
  /** Added to scores, and broadcast to them. */
  readonly biases: readonly Value[]
  /** Position i sees those up to i + causal. */
  readonly causal: number | undefined
  readonly softcap: number
}

/** [batch, positions, heads · size] by heads; four axes are by heads already. */
function byHeads(call: Call, x: Value, heads: number | undefined): Value {
  if (x.shape.length === 4) return x
  const [batch, positions, size] = x.shape
  if (x.shape.length !== 3 || heads === undefined || heads < 1 || size % heads !== 0)
    return unsupported(`${show(x.shape)} is not of ${heads ?? "a known number of"} heads`)
  return transposed(call, reshaped(x, [batch, positions, heads, size / heads]), [0, 2, 1, 3])
}

/** The heads side by side again. */
function merged(call: Call, x: Value): Value {
  const [batch, heads, positions, size] = x.shape
  return reshaped(transposed(call, x, [0, 2, 1, 3]), [batch, positions, heads * size])
}

/** Positions one behind the other. */
function joined({ builder }: Call, x: Value, y: Value): Value {
  const [before, after] = [x.shape, y.shape]
  const fits = before.length === 4 && [0, 1, 3].every((axis) => before[axis] === after[axis])
  if (!fits) return unsupported(`what came before is ${show(before)}, and what comes ${show(after)}`)
  const shape = [before[0], before[1], before[2] + after[2], before[3]]
  const strides = [x, y].map(({ shape: of }) => stridesOf(of))
  const part = (of: readonly number[], stride: readonly number[]) =>
    separableMap(
      builder,
      of.map((dim, axis) => axisTable(builder, dim, stride[axis])),
    )
  const [first, second] = [part(before, strides[0]), part(after, strides[1])]
  const [a, b] = [before[2] * before[3], after[2] * after[3]]
  const map = new Int32Array(sizeOf(shape))
  for (let row = 0; row < before[0] * before[1]; row++) {
    map.set(first.subarray(row * a, (row + 1) * a), row * (a + b))
    for (let i = 0; i < b; i++) map[row * (a + b) + a + i] = sizeOf(before) + second[row * b + i]
  }
  return builder.move([x, y], map, shape)
}

/** What hides from each position those that come after it. */
function causalBias(call: Call, positions: number, keys: number, offset: number): Value {
  const data = numbers(call.builder, positions * keys)
  for (let i = 0; i < positions; i++)
    for (let j = 0; j < keys; j++) if (j > i + offset) data[i * keys + j] = Number.NEGATIVE_INFINITY
  return constant([positions, keys], data)
}

/** A mask as something to add: of conditions, nothing where one holds. */
function biasOf({ builder }: Call, mask: Value): Value {
  if (mask.dtype !== "bool") return mask
  if (!isConstant(mask))
    return builder.combine([{ value: { ...mask, dtype: "float32" }, factor: -hidden }], hidden)
  return constant(
    mask.shape,
    mask.constant.map((bit) => (bit === 0 ? Number.NEGATIVE_INFINITY : 0)),
  )
}

/** The sum of scores and biases. */
function biased({ builder }: Call, scores: Value, biases: readonly Value[]): Value {
  if (biases.length === 0) return scores
  for (const { shape } of biases)
    if (broadcastShape(shape, scores.shape).some((dim, axis) => dim !== scores.shape[axis]))
      unsupported(`a mask of shape ${show(shape)} does not broadcast to ${show(scores.shape)}`)
  const terms = [scores, ...biases.map((bias) => builder.broadcast(bias, scores.shape))]
  return builder.combine(terms.map((value) => ({ value: { ...value, dtype: scores.dtype }, factor: 1 })))
}

/** The result by heads, and scores as they are, with biases, capped, and as shares of one. */
function attended(call: Call, { q, k, v, scale, biases, causal, softcap }: Heads) {
  const { builder } = call
  call.real(q, "attention")
  const [batch, heads, positions, size] = q.shape
  const [, shared, keys] = k.shape
  const isWhole = heads % shared === 0 && k.shape[0] === batch && v.shape[0] === batch
  if (!isWhole || v.shape[1] !== shared || v.shape[2] !== keys || k.shape[3] !== size)
    unsupported(`queries ${show(q.shape)}, keys ${show(k.shape)} and values ${show(v.shape)} do not fit`)
  // each key serves a group of heads, which are more rows of one matrix
  const group = heads / shared
  const inGroups = (x: Value, of: number) =>
    group === 1 ? x : reshaped(x, [batch, shared, of, ...x.shape.slice(2)])
  const together = (x: Value) => reshaped(x, [batch, heads, ...x.shape.slice(-2)])
  const scaled = builder.combine([{ value: q, factor: scale }])
  const raw = together(product(call, inGroups(scaled, group), inGroups(transposed(call, k, [0, 1, 3, 2]), 1)))
  const all = causal === undefined ? biases : [...biases, causalBias(call, positions, keys, causal)]
  const withBias = biased(call, raw, all)
  if (softcap !== 0 && all.length > 0) unsupported("`softcap` together with a mask")
  const capped = softcap === 0 ? withBias : cappedAt(call, withBias, softcap)
  const shares = softmaxAlong(call, capped, 3)
  const y = together(product(call, inGroups(shares, group), inGroups(v, 1)))
  return { y, raw, withBias, capped, shares }
}

/** cap · tanh(x / cap) */
function cappedAt({ builder }: Call, x: Value, cap: number): Value {
  const bent = builder.apply(builder.combine([{ value: x, factor: 1 / cap }]), "tanh")
  return builder.combine([{ value: bent, factor: cap }])
}

const attention: Lowering = (call) => {
  // the precision in which others compute it
  call.ignore("softmax_precision")
  const heads = (name: string) => (call.attribute(name) === undefined ? undefined : call.integer(name))
  const [qHeads, kvHeads] = [heads("q_num_heads"), heads("kv_num_heads")]
  const isFlat = call.input(0).shape.length === 3
  const q = byHeads(call, call.input(0), qHeads)
  const [newK, newV] = [1, 2].map((i) => byHeads(call, call.input(i), kvHeads))
  const [pastK, pastV] = [4, 5].map((i) => optional(call, i))
  const k = pastK ? joined(call, pastK, newK) : newK
  const v = pastV ? joined(call, pastV, newV) : newV
  const mask = optional(call, 3)
  const mode = call.integer("qk_matmul_output_mode", 0)
  // since opset 24 what came before counts
  const offset = call.opset >= 24 ? k.shape[2] - newK.shape[2] : 0
  const made = attended(call, {
    q,
    k,
    v,
    scale: call.number("scale", 1 / Math.sqrt(q.shape[3])),
    biases: mask ? [biasOf(call, mask)] : [],
    causal: call.flag("is_causal") ? offset : undefined,
    softcap: call.number("softcap", 0),
  })
  const scores = [made.raw, made.withBias, made.capped, made.shares][mode]
  return asked(
    call,
    () => (isFlat ? merged(call, made.y) : made.y),
    () => k,
    () => v,
    () => scores ?? call.refuse("qk_matmul_output_mode", mode),
  )
}

/** A mask of integers as onnxruntime's fusions have it: of lengths, or 0 for what is hidden. */
function maskBias(call: Call, mask: Value, batch: number, keys: number): Value {
  const filter = call.number("mask_filter_value", hidden)
  const rank = mask.shape.length
  if (rank === 1 && isConstant(mask) && mask.constant.length === batch) {
    const data = numbers(call.builder, batch * keys)
    for (let i = 0; i < data.length; i++)
      data[i] = i % keys < mask.constant[Math.floor(i / keys)] ? 0 : filter
    return constant([batch, 1, 1, keys], data)
  }
  if ((rank !== 2 && rank !== 3) || mask.shape[rank - 1] !== keys)
    return unsupported(`a mask of shape ${show(mask.shape)} for ${keys} keys`)
  const shape = rank === 2 ? [mask.shape[0], 1, 1, keys] : [mask.shape[0], 1, mask.shape[1], keys]
  const real: Value = { ...mask, shape, dtype: "float32" }
  return call.builder.combine([{ value: real, factor: -filter }], filter)
}

/** x plus a bias of its last axis, a part of a longer one. */
function withBias({ builder }: Call, x: Value, bias: Value | undefined, from: number): Value {
  if (!bias) return x
  const size = x.shape[x.shape.length - 1]
  const part = builder.move([bias], axisTable(builder, size, 1, from), [size])
  return builder.combine([x, builder.broadcast(part, x.shape)].map((value) => ({ value, factor: 1 })))
}

const multiHead: Lowering = (call) => {
  const heads = call.integer("num_heads")
  const [query, key, value] = [call.input(0), optional(call, 1), optional(call, 2)]
  if (query.shape.length !== 3 || !key || !value)
    return unsupported("queries, keys and values that are packed together")
  const bias = optional(call, 3)
  const [before, size] = [query.shape[2], key.shape[key.shape.length - 1]]
  const q = byHeads(call, withBias(call, query, bias, 0), heads)
  // keys and values of another sequence may be by heads already, and then without a bias
  const newK = byHeads(call, key.shape.length === 3 ? withBias(call, key, bias, before) : key, heads)
  const newV = byHeads(
    call,
    value.shape.length === 3 ? withBias(call, value, bias, before + size) : value,
    heads,
  )
  const [pastK, pastV] = [6, 7].map((i) => optional(call, i))
  const k = pastK ? joined(call, pastK, newK) : newK
  const v = pastV ? joined(call, pastV, newV) : newV
  const keys = k.shape[2]
  const biases = [
    ...(call.has(4) ? [maskBias(call, call.input(4), query.shape[0], keys)] : []),
    ...(call.has(5) ? [call.input(5)] : []),
  ]
  return fused(call, { q, k, v, biases }, keys - newK.shape[2])
}

const packedAttention: Lowering = (call) => {
  const heads = call.integer("num_heads")
  const x = call.input(0)
  const projected = product(call, x, call.input(1))
  const third = projected.shape[2] / 3
  const sizes = call.integerList("qkv_hidden_sizes") ?? [third, third, third]
  if (sizes.length !== 3 || sizes.reduce((a, b) => a + b) !== projected.shape[2])
    unsupported(`sizes ${show(sizes)} do not fit ${show(projected.shape)}`)
  const all = withBias(call, projected, optional(call, 2), 0)
  const [batch, positions, width] = all.shape
  const [q, newK, newV] = range(3).map((i) => {
    const from = sizes.slice(0, i).reduce((a, b) => a + b, 0)
    const tables = [
      axisTable(call.builder, batch, positions * width),
      axisTable(call.builder, positions, width),
      axisTable(call.builder, sizes[i], 1, from),
    ]
    const part = call.builder.move([all], separableMap(call.builder, tables), [batch, positions, sizes[i]])
    return byHeads(call, part, heads)
  })
  if (call.has(4)) return unsupported("what came before, packed together")
  const biases = [
    ...(call.has(3) ? [maskBias(call, call.input(3), batch, positions)] : []),
    ...(call.has(5) ? [call.input(5)] : []),
  ]
  return fused(call, { q, k: newK, v: newV, biases }, 0)
}

/** What both fusions end with. */
function fused(call: Call, heads: Pick<Heads, "q" | "k" | "v" | "biases">, before: number): Value[] {
  call.number("mask_filter_value", hidden)
  const isCausal = call.flag("unidirectional")
  // 0 stands for the default
  const scale = call.number("scale", 0) || 1 / Math.sqrt(heads.q.shape[3])
  const made = attended(call, { ...heads, scale, causal: isCausal ? before : undefined, softcap: 0 })
  return asked(
    call,
    () => merged(call, made.y),
    () => heads.k,
    () => heads.v,
    () => made.withBias,
  )
}

/** The rows of a cache of angles that positions name. */
function angles(call: Call, cache: Value, positions: Constant | undefined): Value {
  if (!positions) return cache
  const [rows, size] = cache.shape
  const bad = positions.constant.find((row) => !(row >= 0 && row < rows))
  if (cache.shape.length !== 2 || bad !== undefined) unsupported(`position ${bad} of ${show(cache.shape)}`)
  const table = Int32Array.from(positions.constant, (row) => row * size)
  const map = separableMap(call.builder, [table, axisTable(call.builder, size, 1)])
  return call.builder.move([cache], map, [...positions.shape, size])
}

/** Pairs of elements turned by an angle that belongs to their position. */
function rotated(call: Call, x: Value, cos: Value, sin: Value): Value {
  const { builder } = call
  call.real(x, "the rotation")
  const isFlat = x.shape.length === 3
  const given = isFlat ? byHeads(call, x, call.integer("num_heads")) : x
  const [batch, heads, positions, size] = given.shape
  const part = call.integer("rotary_embedding_dim", 0) || size
  const half = part / 2
  const interleaved = call.flag("interleaved")
  if (!Number.isInteger(half) || part > size) unsupported(`${part} of ${size} elements in pairs`)
  const outer = [batch, heads, positions].map((dim, axis) =>
    axisTable(builder, dim, stridesOf(given.shape)[axis]),
  )
  const take = (count: number, from: number, step: number) =>
    builder.move([given], separableMap(builder, [...outer, axisTable(builder, count, 1, from, step)]), [
      batch,
      heads,
      positions,
      count,
    ])
  const [one, two] = interleaved
    ? [take(half, 0, 2), take(half, 1, 2)]
    : [take(half, 0, 1), take(half, half, 1)]
  const spread = (angle: Value): Value => {
    if (angle.shape[angle.shape.length - 1] !== half)
      unsupported(`angles ${show(angle.shape)} for ${half} pairs`)
    const wide =
      angle.shape.length === 2 ? [1, 1, ...angle.shape] : [angle.shape[0], 1, ...angle.shape.slice(1)]
    return builder.broadcast(reshaped(angle, wide), [batch, heads, positions, half])
  }
  const [c, s] = [spread(cos), spread(sin)]
  const turned = (a: Value, b: Value, sign: 1 | -1) =>
    builder.combine([
      { value: builder.product(a, c), factor: 1 },
      { value: builder.product(b, s), factor: sign },
    ])
  const parts = [turned(one, two, -1), turned(two, one, 1), given]
  // element e of a row: of the first or the second of its pair, or as it was
  const row = Array.from({ length: size }, (_, e) => {
    if (e >= part) return { of: 2, at: e }
    return interleaved ? { of: e % 2, at: Math.floor(e / 2) } : { of: Math.floor(e / half), at: e % half }
  })
  const rows = batch * heads * positions
  const map = new Int32Array(rows * size)
  for (let i = 0; i < rows; i++)
    for (const [e, { of, at }] of row.entries())
      map[i * size + e] = of * rows * half + i * (of === 2 ? size : half) + at
  const y = builder.move(parts, map, given.shape)
  return isFlat ? merged(call, y) : y
}

const rotary: Lowering = (call) => {
  const positions = call.has(3) ? call.constantInput(3, "position_ids") : undefined
  const [cos, sin] = [1, 2].map((i) => angles(call, call.input(i), positions))
  call.attribute("num_heads")
  return [rotated(call, call.input(0), cos, sin)]
}

/** The same with inputs in another order, and positions that may be an offset. */
const fusedRotary: Lowering = (call) => {
  call.attribute("num_heads")
  if (call.number("scale", 1) !== 1) call.refuse("scale", call.number("scale"))
  if (call.flag("is_packed_batching")) call.refuse("is_packed_batching", 1)
  const x = call.input(0)
  const given = call.constantInput(1, "position_ids")
  const positions = x.shape[x.shape.length - 2]
  const isOffset = given.constant.length === 1
  const rows = isOffset ? range(positions).map((i) => i + given.constant[0]) : given.constant
  const at = constant(isOffset ? [1, positions] : given.shape, rows, "int64")
  const [cos, sin] = [2, 3].map((i) => angles(call, call.input(i), at))
  return [rotated(call, x, cos, sin)]
}

const noCap = other("no `softcap` together with a mask")
const positionsInput = (input: number) => constantInput(input, "position_ids")

export const attentions: Operators = {
  Attention: operator(attention, realOnly, noCap),
  RotaryEmbedding: operator(rotary, realOnly, positionsInput(3)),
}

/** What onnxruntime's optimizer makes of attention (its domain com.microsoft). */
export const fusedAttentions: Operators = {
  Attention: operator(packedAttention, realOnly),
  MultiHeadAttention: operator(multiHead, realOnly, other("queries, keys and values are three inputs")),
  RotaryEmbedding: operator(fusedRotary, realOnly, positionsInput(1)),
}
