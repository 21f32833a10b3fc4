/**
 * Indices that depend on the model's input. An index is a row of bits, one for each position that it could name, and
 * what it picks is a sum over them: of constants a linear map, of activations one product for each position.
 */
import { sizeOf } from "../program.js"
import type { Builder } from "./builder.js"
import { indexTable, numbers, unsupported } from "./shapes.js"
import { type Activation, type Constant, constant, isConstant, isIntegral, type Value } from "./values.js"

/** Most bits that the indices of one node may become. */
export const mostBits = 2 ** 20

/**
 * Bits that say which of `depth` positions each index names: [indices, depth], flat. Negative ones count from the end;
 * one out of range names nothing. [x = d] is [x > d − 1] − [x > d], so neighbours share a comparison.
 */
export function positionBits(builder: Builder, indices: Activation, depth: number): Value {
  if (!isIntegral(indices)) unsupported("indices that are no integers")
  const count = sizeOf(indices.shape)
  if (count * depth > mostBits)
    unsupported(`${count * depth} bits of indices that depend on the model's input (at most ${mostBits})`)
  // what is certain of all admissible inputs costs nothing: an index that is never negative has no bits below 0
  const thresholds = 2 * depth + 1
  const spread = builder.move(
    [indices],
    indexTable(builder, count * thresholds, (i) => Math.floor(i / thresholds)),
    [count, thresholds],
  )
  const offsets = numbers(builder, count * thresholds).map((_, i) => (i % thresholds) - depth - 1)
  const above = builder.step(
    builder.combine([
      { value: spread, factor: 1 },
      { value: constant([count, thresholds], offsets), factor: -1 },
    ]),
  )
  const at = (shift: number) =>
    builder.move(
      [above],
      indexTable(builder, count * depth, (i) => Math.floor(i / depth) * thresholds + (i % depth) + shift),
      [count, depth],
    )
  // [x > t − 1] − [x > t] for t = d and for t = d − depth
  const terms = [depth, 0].flatMap((shift) => [
    { value: at(shift), factor: 1 },
    { value: at(shift + 1), factor: -1 },
  ])
  return builder.combine(terms)
}

/**
 * Σ_d bits[g, d]·data[sources(i, d)] for every element i, of whose group g(i) it is: what an index picks.
 * `shape` is the result's.
 */
export function picked(
  builder: Builder,
  bits: Value,
  depth: number,
  data: Value,
  shape: readonly number[],
  group: (element: number) => number,
  source: (element: number, position: number) => number,
): Value {
  const size = sizeOf(shape)
  if (size * depth > mostBits)
    unsupported(`${size * depth} products of indices and data (at most ${mostBits})`)
  const spread = (value: Value, from: (i: number, d: number) => number): Value =>
    builder.move(
      [value],
      indexTable(builder, size * depth, (at) => from(Math.floor(at / depth), at % depth)),
      [size, depth],
    )
  const products = builder.product(
    spread(bits, (i, d) => group(i) * depth + d),
    spread(data, source),
  )
  if (isConstant(products)) return { ...products, shape, dtype: data.dtype }
  const rowPtr = Uint32Array.from({ length: size + 1 }, (_, i) => i * depth)
  const columns = Uint32Array.from({ length: size * depth }, (_, i) => i)
  const values = numbers(builder, size * depth).fill(1)
  const map = { kind: "sparse", rowPtr, columns, values } as const
  const integral = isIntegral(data)
  return builder.linear([{ source: products.tensor, map }], shape, data.dtype, undefined, integral)
}

/**
 * Whether an index is an input's, perhaps moved. One that is worked out names few of the positions, often other ones than
 * its neighbours': bits of the others cost nothing, and what it picks once more shares its bits.
 */
function isGiven(builder: Builder, tensor: number): boolean {
  const node = builder.nodes[tensor]
  return node.kind === "input" || (node.kind === "index" && node.sources.every((id) => isGiven(builder, id)))
}

/** Bits of a packed entry, and of a number in it: what a table costs is reckoned with them. */
const packedBits = { entry: 240, value: 10 }

/**
 * Rows of a table, [indices, width] flat, if they take fewer constraints than bits: about two for each position of each
 * index, where a table has an entry for each of its rows and of some columns, and each element a range check.
 */
export function tableRows(
  builder: Builder,
  indices: Activation,
  { constant: values, dtype, shape }: Constant,
  width: number,
): Activation | undefined {
  if (!isIntegral(indices)) unsupported("indices that are no integers")
  const [depth, count] = [values.length / width, sizeOf(indices.shape)]
  const entries = Math.ceil((width * packedBits.value) / packedBits.entry)
  const fewer = entries * depth + count * (width + entries) < 2 * count * depth
  const isWorth = fewer && isGiven(builder, indices.tensor)
  if (!isWorth && count * depth <= mostBits) return undefined
  const integral = isIntegral({ constant: values, dtype, shape })
  const node = { kind: "rows", source: indices.tensor, lo: 0, width, values } as const
  return builder.emit(node, [count, width], dtype, integral)
}

/**
 * The data with updates added, or put in its place, wherever their bits are: update u, of the index `group(u)`, at
 * `target(u, d)` for each position d. Indices of what is replaced are distinct, as ONNX demands.
 */
export function placed(
  builder: Builder,
  bits: Value,
  depth: number,
  data: Value,
  updates: Value,
  group: (update: number) => number,
  target: (update: number, position: number) => number,
  isReplaced: boolean,
): Value {
  const count = sizeOf(updates.shape) * depth
  if (count > mostBits) unsupported(`${count} products of indices and updates (at most ${mostBits})`)
  const shape = [count]
  const each = (value: Value, from: (u: number, d: number) => number): Value =>
    builder.move(
      [value],
      indexTable(builder, count, (at) => from(Math.floor(at / depth), at % depth)),
      shape,
    )
  const given = each(updates, (u) => u)
  const change = isReplaced
    ? builder.combine([
        { value: given, factor: 1 },
        { value: each(data, target), factor: -1 },
      ])
    : given
  const changes = builder.product(
    each(bits, (u, d) => group(u) * depth + d),
    change,
  )
  if (isConstant(changes)) return unsupported("updates of nothing")
  const size = sizeOf(data.shape)
  const columns = new Uint32Array(count)
  const rowPtr = new Uint32Array(size + 1)
  builder.hold(count + size)
  for (let at = 0; at < count; at++) rowPtr[target(Math.floor(at / depth), at % depth) + 1]++
  for (let i = 0; i < size; i++) rowPtr[i + 1] += rowPtr[i]
  const next = rowPtr.slice()
  for (let at = 0; at < count; at++) columns[next[target(Math.floor(at / depth), at % depth)]++] = at
  const map = { kind: "sparse", rowPtr, columns, values: numbers(builder, count).fill(1) } as const
  const sums = builder.linear(
    [{ source: changes.tensor, map }],
    data.shape,
    data.dtype,
    undefined,
    isIntegral(data) && isIntegral(updates),
  )
  return builder.combine([
    { value: data, factor: 1 },
    { value: sums, factor: 1 },
  ])
}

/** One index in place of several coordinates, [tuples, dims.length] flat: Σ coordinate·stride. */
export function flatIndex(builder: Builder, indices: Activation, dims: readonly number[]): Activation {
  const depth = dims.length
  const tuples = sizeOf(indices.shape) / depth
  const terms = dims.flatMap((dim, axis) => {
    const map = indexTable(builder, tuples, (t) => t * depth + axis)
    const at = builder.move([indices], map, [tuples])
    const stride = sizeOf(dims.slice(axis + 1))
    const isNegative = builder.step(builder.combine([{ value: at, factor: -1 }]))
    return [
      { value: at, factor: stride },
      { value: { ...isNegative, dtype: at.dtype }, factor: dim * stride },
    ]
  })
  const flat = builder.combine(terms)
  return isConstant(flat) ? unsupported("an index of constants") : flat
}
