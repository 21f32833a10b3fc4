/** Matrix products: with a constant side one linear map, of two activations products and sums. */
import { sizeOf } from "../program.js"
import {
  type Activation,
  type Builder,
  broadcast,
  broadcastShape,
  type Call,
  constant,
  isConstant,
  type Lowering,
  mapOf,
  sparse,
  unsupported,
  type Value,
} from "./builder.js"
import { combine, product, windowSum } from "./elementwise.js"
import { transposed } from "./move.js"

/** More products of two activations than this are refused. */
const maxProducts = 2 ** 20

/** Swaps the last two axes. */
const swapped = (call: Pick<Call, "builder">, x: Value): Value => {
  const axes = x.shape.map((_, i) => i)
  const rank = axes.length
  return transposed(call, x, [...axes.slice(0, rank - 2), rank - 1, rank - 2])
}

const gemm: Lowering = (call) => {
  const [alpha, beta] = [call.number("alpha", 1), call.number("beta", 1)]
  const a = call.number("transA", 0) !== 0 ? swapped(call, call.input(0)) : call.input(0)
  const b = call.number("transB", 0) !== 0 ? swapped(call, call.input(1)) : call.input(1)
  if (a.shape.length !== 2 || b.shape.length !== 2) unsupported(`Gemm of [${a.shape}] and [${b.shape}]`)
  const ab = matmul(call, a, b)
  const scaled = alpha === 1 ? ab : combine(call.builder, [{ value: ab, factor: alpha }])
  const c = call.inputs[2]
  if (!c || beta === 0) return [scaled]
  const shape = broadcastShape(scaled.shape, c.shape)
  if (shape.some((dim, i) => dim !== scaled.shape[i]))
    unsupported(`C [${c.shape}] does not broadcast to [${scaled.shape}]`)
  const bias = broadcast(call.builder, c, shape)
  if (!isConstant(scaled) && isConstant(bias))
    return [
      addBias(
        call.builder,
        scaled,
        bias.constant.map((v) => beta * v),
      ),
    ]
  return [
    combine(call.builder, [
      { value: scaled, factor: 1 },
      { value: bias, factor: beta },
    ]),
  ]
}

/** Adds a constant to the linear node that made `x`, if it is the last one made; else as a node of its own. */
function addBias(builder: Builder, x: Activation, bias: Float64Array): Activation {
  const made = builder.nodes[builder.nodes.length - 1]
  if (made.kind !== "linear" || made.out !== x.tensor)
    return builder.scale(x, new Float64Array(bias.length).fill(1), bias)
  const sum = made.bias ? bias.map((v, i) => v + (made.bias as Float64Array)[i]) : bias
  builder.nodes[builder.nodes.length - 1] = { ...made, bias: sum }
  return x
}

/** numpy's matmul. */
function matmul(call: Pick<Call, "builder">, a: Value, b: Value): Value {
  if (a.shape.length === 0 || b.shape.length === 0) unsupported("MatMul of a scalar")
  const left = a.shape.length === 1 ? { ...a, shape: [1, a.shape[0]] } : a
  const right = b.shape.length === 1 ? { ...b, shape: [b.shape[0], 1] } : b
  const [k, m] = right.shape.slice(-2)
  const n = left.shape[left.shape.length - 2]
  if (left.shape[left.shape.length - 1] !== k)
    unsupported(`inner dimensions of [${a.shape}] and [${b.shape}] differ`)
  const batch = broadcastShape(left.shape.slice(0, -2), right.shape.slice(0, -2))
  const result = batchedMatmul(call, left, right, batch, n, k, m)
  const shape = [...batch, ...(a.shape.length > 1 ? [n] : []), ...(b.shape.length > 1 ? [m] : [])]
  return { ...result, shape }
}

function batchedMatmul(
  call: Pick<Call, "builder">,
  a: Value,
  b: Value,
  batch: number[],
  n: number,
  k: number,
  m: number,
): Value {
  const { builder } = call
  const batches = sizeOf(batch)
  const shape = [...batch, n, m]
  if (isConstant(b) && sizeOf(b.shape) === k * m && !isConstant(a)) {
    // one weight for all batches: rows of the batches are rows of one dense map
    const wide = broadcast(builder, a, [...batch, n, k]) as Activation
    const weight = swapped(call, { ...b, shape: [k, m] })
    if (!isConstant(weight)) return unsupported("constant weights")
    return builder.linear(
      [{ source: wide.tensor, map: { kind: "dense", weight: weight.constant, n: batches * n, k, m } }],
      shape,
    )
  }
  const x = broadcast(builder, a, [...batch, n, k])
  const y = broadcast(builder, b, [...batch, k, m])
  if (isConstant(x) && isConstant(y)) {
    const out = new Float64Array(batches * n * m)
    for (let i = 0; i < batches; i++)
      for (let row = 0; row < n; row++)
        for (let col = 0; col < m; col++)
          for (let inner = 0; inner < k; inner++)
            out[(i * n + row) * m + col] +=
              x.constant[(i * n + row) * k + inner] * y.constant[(i * k + inner) * m + col]
    return constant(shape, out)
  }
  if (isConstant(x) !== isConstant(y)) {
    const rows: [number, number][][] = []
    for (let i = 0; i < batches; i++)
      for (let row = 0; row < n; row++)
        for (let col = 0; col < m; col++)
          rows.push(
            Array.from({ length: k }, (_, inner): [number, number] => {
              const [left, right] = [(i * n + row) * k + inner, (i * k + inner) * m + col]
              return isConstant(x)
                ? [right, x.constant[left]]
                : isConstant(y)
                  ? [left, y.constant[right]]
                  : [0, 0]
            }).filter(([, weight]) => weight !== 0),
          )
    const source = isConstant(x) ? (y as Activation).tensor : x.tensor
    return builder.linear([{ source, map: sparse(rows) }], shape)
  }
  const products = batches * n * m * k
  if (products > maxProducts)
    unsupported(`a product of two activations with ${products} multiplications (at most ${maxProducts})`)
  const grid = [batches, n, m, k]
  const p = product(
    builder,
    builder.move(
      [x],
      mapOf(grid, ([i, row, , inner]) => (i * n + row) * k + inner),
      grid,
    ),
    builder.move(
      [y],
      mapOf(grid, ([i, , col, inner]) => (i * k + inner) * m + col),
      grid,
    ),
  )
  return windowSum(
    builder,
    p,
    Int32Array.from({ length: products }, (_, i) => i),
    k,
    shape,
    () => 1,
  )
}

export const products: Readonly<Record<string, Lowering>> = {
  Gemm: gemm,
  MatMul: (call) => [matmul(call, call.input(0), call.input(1))],
}
