/** Matrix products. Letters: N rows, K inner, M columns. */
import { sizeOf } from "../program.js"
import type { Builder } from "./builder.js"
import type { Call, Lowering } from "./call.js"
import { transposed } from "./layout.js"
import { type Operators, operator, wideOnly } from "./limits.js"
import { axisTable, broadcastShape, numbers, range, sameShape, show, unsupported } from "./shapes.js"
import { type Activation, type Constant, constant, isConstant, isIntegral, type Value } from "./values.js"

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
  const whole = isIntegral(x) && isIntegral(weight)
  const shape = [...x.shape.slice(0, -1), m]
  return call.builder.linear([{ source: x.tensor, map }], shape, x.dtype, undefined, whole)
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

/**
 * Both activations: one contraction. An axis of the batch that only one operand has joins its rows or its columns, so
 * that what is shared stays one matrix.
 */
function activationProduct(call: Call, x: Activation, y: Activation): Value {
  const { builder } = call
  const rank = Math.max(x.shape.length, y.shape.length) - 2
  const padded = ({ shape }: Value) => [...new Array<number>(rank + 2 - shape.length).fill(1), ...shape]
  const [xs, ys] = [padded(x), padded(y)]
  if (sizeOf(xs) === 0 || sizeOf(ys) === 0) unsupported("a matrix product of no elements")
  const [m, k, n] = [xs[rank], xs[rank + 1], ys[rank + 1]]
  const owned = (x: number, y: number) =>
    range(rank).filter((i) => (xs[i] > 1 ? 2 : 0) + (ys[i] > 1 ? 1 : 0) === x * 2 + y)
  const [shared, rows, columns, none] = [owned(1, 1), owned(1, 0), owned(0, 1), owned(0, 0)]
  const dims = (shape: readonly number[], axes: readonly number[]) => axes.map((axis) => shape[axis])
  const left = transposed(call, { ...x, shape: xs }, [
    ...none,
    ...shared,
    ...columns,
    ...rows,
    rank,
    rank + 1,
  ])
  const right = transposed(call, { ...y, shape: ys }, [
    ...none,
    ...shared,
    ...rows,
    rank,
    ...columns,
    rank + 1,
  ])
  const made = builder.contraction(left, right, {
    batch: sizeOf(dims(xs, shared)),
    m: sizeOf(dims(xs, rows)) * m,
    k,
    n: sizeOf(dims(ys, columns)) * n,
  })
  // [shared, rows, m, columns, n] back to the order of the batch
  const order = [...none, ...shared, ...rows, rank, ...columns, rank + 1]
  const shape = order.map((axis) => (axis < rank ? Math.max(xs[axis], ys[axis]) : axis === rank ? m : n))
  return transposed(
    call,
    { ...made, shape },
    range(rank + 2).map((axis) => order.indexOf(axis)),
  )
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
  if (!isConstant(x) && !isConstant(y)) return activationProduct(call, x, y)
  const [a, b] = [builder.broadcast(x, [...batch, n, k]), builder.broadcast(y, [...batch, k, m])]
  if (isConstant(a) && isConstant(b)) return constantProduct(call, a, b, batch)
  if (isConstant(a)) return swapped(call, batched(call, swapped(call, b), swapped(call, a)))
  if (!isConstant(b)) return unsupported("the weights are no constant")
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
export function product(call: Call, x: Value, y: Value): Value {
  if (x.shape.length === 0 || y.shape.length === 0) unsupported("a matrix product with a scalar")
  const left = x.shape.length === 1 ? { ...x, shape: [1, ...x.shape] } : x
  const right = y.shape.length === 1 ? { ...y, shape: [...y.shape, 1] } : y
  if (left.shape[left.shape.length - 1] !== right.shape[right.shape.length - 2])
    unsupported(`the inner dimensions of ${show(x.shape)} and ${show(y.shape)} differ`)
  if (left.shape[left.shape.length - 1] === 0) unsupported("a matrix product over no elements")
  const result = call.fits(batched(call, left, right))
  const shape = [...result.shape]
  if (y.shape.length === 1) shape.pop()
  if (x.shape.length === 1) shape.splice(shape.length - (y.shape.length === 1 ? 1 : 2), 1)
  return { ...result, shape }
}

const matMul: Lowering = (call) => [product(call, call.input(0), call.input(1))]

const gemm: Lowering = (call) => [gemmOf(call)]

/** alpha·A·B + beta·C, by the attributes of a Gemm. */
export function gemmOf(call: Call): Value {
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
  return terms.length === 1 && alpha === 1 ? ab : call.fits(builder.combine(terms))
}

export const linearLayers: Operators = {
  MatMul: operator(matMul, wideOnly),
  Gemm: operator(gemm, wideOnly),
}
