/** Matrix products. Letters: N rows, K inner, M columns. */
import { sizeOf } from "../program.js"
import type { Builder } from "./builder.js"
import type { Call, Lowering } from "./call.js"
import { transposed } from "./layout.js"
import { type Operators, operator, other, wideOnly } from "./limits.js"
import { windowSum } from "./reduce.js"
import {
  axisTable,
  broadcastShape,
  numbers,
  range,
  sameShape,
  separableMap,
  show,
  unsupported,
} from "./shapes.js"
import { type Activation, type Constant, constant, isConstant, type Value } from "./values.js"

/** More products of two activations than this in one node are refused. */
const maxProducts = 2 ** 20

/** Swaps the last two axes. */
function swapped(call: Call, x: Value): Value {
  const rank = x.shape.length
  return transposed(call, x, [...range(rank - 2), rank - 1, rank - 2])
}

/** x [.., N, K] times constant [K, M]: one dense map over all rows. */
function timesMatrix(call: Call, x: Activation, matrix: Value): Value {
  const weight = swapped(call, matrix)
  if (!isConstant(weight)) return unsupported("the weights are no constant")
  const [m, k] = weight.shape
  const n = sizeOf(x.shape.slice(0, -1))
  const map = { kind: "dense", weight: weight.constant, n, k, m } as const
  return call.builder.linear([{ source: x.tensor, map }], [...x.shape.slice(0, -1), m], x.dtype)
}

/** One matrix of a batch, as a matrix. */
function matrixOf(builder: Builder, x: Value, index: number): Value {
  const shape = x.shape.slice(-2)
  const size = sizeOf(shape)
  return builder.move([x], axisTable(builder, size, 1, index * size), shape)
}

/** Both constants: plain loops. */
function constantProduct({ builder }: Call, x: Constant, y: Constant, batch: readonly number[]): Constant {
  const [n, k] = x.shape.slice(-2)
  const m = y.shape[y.shape.length - 1]
  const out = numbers(builder, sizeOf(batch) * n * m)
  builder.work(out.length * k)
  for (let row = 0; row < out.length / m; row++) {
    const base = Math.floor(row / n) * k
    for (let col = 0; col < m; col++) {
      let sum = 0
      for (let inner = 0; inner < k; inner++)
        sum += x.constant[row * k + inner] * y.constant[(base + inner) * m + col]
      out[row * m + col] = sum
    }
  }
  return constant([...batch, n, m], out, x.dtype)
}

/** Both activations: every product is a constraint, the sums are linear. */
function activationProduct(call: Call, x: Value, y: Value, batch: readonly number[]): Value {
  const [n, k] = x.shape.slice(-2)
  const m = y.shape[y.shape.length - 1]
  const batches = sizeOf(batch)
  const products = batches * n * m * k
  if (products > maxProducts)
    unsupported(`a matrix product of two activations with ${products} products (at most ${maxProducts})`)
  const grid = [batches, n, m, k]
  const table = (count: number, stride: number) => axisTable(call.builder, count, stride)
  const left = separableMap(call.builder, [table(batches, n * k), table(n, k), table(m, 0), table(k, 1)])
  const right = separableMap(call.builder, [table(batches, k * m), table(n, 0), table(m, 1), table(k, m)])
  const product = call.builder.product(
    call.builder.move([x], left, grid),
    call.builder.move([y], right, grid),
  )
  const windows = { map: table(products, 1), window: k, shape: [...batch, n, m] }
  return windowSum(call, product, windows, numbers(call.builder, batches * n * m).fill(1))
}

/** x [.., N, K] times y [.., K, M] with the batch dimensions broadcast. */
function batched(call: Call, x: Value, y: Value): Value {
  const { builder } = call
  const [n, k] = x.shape.slice(-2)
  const m = y.shape[y.shape.length - 1]
  const batch = broadcastShape(x.shape.slice(0, -2), y.shape.slice(0, -2))
  if (!isConstant(x) && isConstant(y) && y.constant.length === k * m) {
    const wide = builder.broadcast(x, [...batch, n, k])
    if (!isConstant(wide)) return timesMatrix(call, wide, { ...y, shape: [k, m] })
  }
  const [a, b] = [builder.broadcast(x, [...batch, n, k]), builder.broadcast(y, [...batch, k, m])]
  if (isConstant(a) && isConstant(b)) return constantProduct(call, a, b, batch)
  if (isConstant(a)) return swapped(call, batched(call, swapped(call, b), swapped(call, a)))
  if (!isConstant(b)) return activationProduct(call, a, b, batch)
  // a constant matrix for each of the batches
  const parts: Value[] = []
  for (let i = 0; i < sizeOf(batch); i++) {
    const part = matrixOf(builder, a, i)
    if (isConstant(part)) return unsupported("a part of an activation is constant")
    parts.push(timesMatrix(call, part, matrixOf(builder, b, i)))
  }
  if (parts.length === 0) return unsupported(`no matrices in batches of ${show(batch)}`)
  return builder.move(parts, axisTable(builder, parts.length * n * m, 1), [...batch, n, m])
}

/** numpy's matmul. */
function product(call: Call, x: Value, y: Value): Value {
  call.wide(x, y)
  if (x.shape.length === 0 || y.shape.length === 0) unsupported("a matrix product with a scalar")
  const left = x.shape.length === 1 ? { ...x, shape: [1, ...x.shape] } : x
  const right = y.shape.length === 1 ? { ...y, shape: [...y.shape, 1] } : y
  if (left.shape[left.shape.length - 1] !== right.shape[right.shape.length - 2])
    unsupported(`the inner dimensions of ${show(x.shape)} and ${show(y.shape)} differ`)
  if (left.shape[left.shape.length - 1] === 0) unsupported("a matrix product over no elements")
  const result = batched(call, left, right)
  const shape = [...result.shape]
  if (y.shape.length === 1) shape.pop()
  if (x.shape.length === 1) shape.splice(shape.length - (y.shape.length === 1 ? 1 : 2), 1)
  return { ...result, shape }
}

const matMul: Lowering = (call) => [product(call, call.input(0), call.input(1))]

const gemm: Lowering = (call) => {
  const { builder } = call
  const [alpha, beta] = [call.number("alpha", 1), call.number("beta", 1)]
  const legacy = call.opset < 7 ? call.flag("broadcast") : true
  const [a, b] = ["transA", "transB"].map((flag, i) => {
    const x = call.input(i)
    if (x.shape.length !== 2) unsupported(`input ${i} of shape ${show(x.shape)} is no matrix`)
    return call.flag(flag) ? swapped(call, x) : x
  })
  const ab = product(call, a, b)
  const terms = [{ value: ab, factor: alpha }]
  if (call.has(2)) {
    const c = call.input(2)
    const fits = legacy
      ? sameShape(broadcastShape(ab.shape, c.shape), ab.shape)
      : sameShape(ab.shape, c.shape)
    if (!fits) unsupported(`C of shape ${show(c.shape)} does not broadcast to ${show(ab.shape)}`)
    if (beta !== 0) terms.push({ value: builder.broadcast(c, ab.shape), factor: beta })
  }
  return [terms.length === 1 && alpha === 1 ? ab : builder.combine(terms)]
}

const products = other(`at most ${maxProducts} products of two activations`)

export const linearLayers: Operators = {
  MatMul: operator(matMul, wideOnly, products),
  Gemm: operator(gemm, wideOnly, products),
}
