/** Layers: matrix products, convolutions, normalisation, pooling, activations. */

import { forEachTap } from "../linearmap.js"
import { type LinearMap, sizeOf } from "../program.js"
import {
  type Activation,
  type Builder,
  broadcast,
  broadcastMap,
  broadcastShape,
  type Call,
  constant,
  diagonal,
  isConstant,
  type Lowering,
  mapOf,
  sparse,
  stridesOf,
  unsupported,
  type Value,
} from "./builder.js"
import { clamped, combine, product, windowMax, windowSum } from "./elementwise.js"
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

interface Window {
  readonly kernel: number[]
  readonly strides: number[]
  readonly dilations: number[]
  readonly padsBegin: number[]
  readonly padsEnd: number[]
  readonly outSize: number[]
}

/** Spatial geometry shared by convolution and pooling (ONNX Conv, MaxPool). */
function geometry(call: Call, inSize: readonly number[], kernel: readonly number[]): Window {
  const axes = inSize.length
  const ones = new Array<number>(axes).fill(1)
  const strides = call.list("strides") ?? ones
  const dilations = call.list("dilations") ?? ones
  const pads = call.list("pads") ?? new Array<number>(2 * axes).fill(0)
  const auto = call.text("auto_pad", "NOTSET")
  const span = kernel.map((size, i) => (size - 1) * dilations[i] + 1)
  let padsBegin = pads.slice(0, axes)
  let padsEnd = pads.slice(axes)
  if (auto === "SAME_UPPER" || auto === "SAME_LOWER") {
    const total = inSize.map((size, i) =>
      Math.max(0, (Math.ceil(size / strides[i]) - 1) * strides[i] + span[i] - size),
    )
    padsBegin = total.map((t) => (auto === "SAME_UPPER" ? Math.floor(t / 2) : Math.ceil(t / 2)))
    padsEnd = total.map((t, i) => t - padsBegin[i])
  } else if (auto === "VALID") {
    padsBegin = ones.map(() => 0)
    padsEnd = padsBegin
  } else if (auto !== "NOTSET") unsupported(`attribute \`auto_pad\` = \`${auto}\``)
  if ([kernel, strides, dilations, padsBegin, padsEnd].some((list) => list.length !== axes))
    unsupported("attributes do not fit the number of spatial axes")
  const ceil = call.number("ceil_mode", 0) !== 0
  const outSize = inSize.map((size, i) => {
    const steps = (size + padsBegin[i] + padsEnd[i] - span[i]) / strides[i]
    let out = (ceil ? Math.ceil(steps) : Math.floor(steps)) + 1
    // a window that would start in the trailing padding is dropped
    if (ceil && (out - 1) * strides[i] >= size + padsBegin[i]) out--
    return out
  })
  if (outSize.some((size) => size < 1)) unsupported(`the window does not fit [${inSize}]`)
  return { kernel: [...kernel], strides, dilations, padsBegin, padsEnd, outSize }
}

const conv: Lowering = (call) => {
  const x = call.input(0)
  const weight = call.constantInput(1, "weights")
  const [n, inChannels, ...inSize] = x.shape
  const [outChannels, perGroup, ...kernel] = weight.shape
  const groups = call.number("group", 1)
  if (perGroup * groups !== inChannels || outChannels % groups !== 0)
    unsupported(`weights [${weight.shape}] do not fit input [${x.shape}] with ${groups} groups`)
  if (isConstant(x)) return unsupported("a convolution of a constant")
  const window = geometry(call, inSize, kernel)
  const shape = [n, outChannels, ...window.outSize]
  const { strides, dilations, padsBegin, outSize } = window
  const map: LinearMap = {
    kind: "conv",
    weight: weight.constant,
    n,
    groups,
    inChannels,
    outChannels,
    inSize,
    kernel,
    outSize,
    strides,
    padsBegin,
    dilations,
  }
  const bias = call.inputs[2] ? channelwise(call.constantInput(2, "bias").constant, shape) : undefined
  return [call.builder.linear([{ source: x.tensor, map }], shape, bias)]
}

/** One value per channel (axis 1) spread over a shape. */
function channelwise(values: ArrayLike<number>, shape: readonly number[]): Float64Array {
  const inner = sizeOf(shape.slice(2))
  return Float64Array.from({ length: sizeOf(shape) }, (_, i) => values[Math.floor(i / inner) % shape[1]])
}

const convTranspose: Lowering = (call) => {
  const x = call.input(0)
  const weight = call.constantInput(1, "weights")
  if (isConstant(x)) return unsupported("a convolution of a constant")
  const [n, inChannels, ...inSize] = x.shape
  const [, perGroup, ...kernel] = weight.shape
  const groups = call.number("group", 1)
  const outChannels = perGroup * groups
  const axes = inSize.length
  const strides = call.list("strides") ?? inSize.map(() => 1)
  const dilations = call.list("dilations") ?? inSize.map(() => 1)
  const extra = call.list("output_padding") ?? inSize.map(() => 0)
  const auto = call.text("auto_pad", "NOTSET")
  const full = inSize.map(
    (size, i) => strides[i] * (size - 1) + (kernel[i] - 1) * dilations[i] + 1 + extra[i],
  )
  let pads = call.list("pads") ?? new Array<number>(2 * axes).fill(0)
  const wanted =
    call.list("output_shape")?.slice(-axes) ??
    (auto.startsWith("SAME") ? inSize.map((size, i) => size * strides[i]) : undefined)
  if (wanted) {
    const total = full.map((size, i) => Math.max(0, size - wanted[i]))
    const begin = total.map((t) => (auto === "SAME_UPPER" ? Math.floor(t / 2) : Math.ceil(t / 2)))
    pads = [...begin, ...total.map((t, i) => t - begin[i])]
  }
  const outSize = wanted ?? full.map((size, i) => size - pads[i] - pads[i + axes])
  // the transpose of the convolution that maps outSize to inSize with the same weights
  const map = {
    kind: "conv",
    weight: weight.constant,
    n,
    groups,
    inChannels: outChannels,
    outChannels: inChannels,
    inSize: outSize,
    kernel,
    outSize: inSize,
    strides,
    padsBegin: pads.slice(0, axes),
    dilations,
  } as const
  const shape = [n, outChannels, ...outSize]
  const rows: [number, number][][] = Array.from({ length: sizeOf(shape) }, () => [])
  forEachTap(map, (output, input, w) => {
    if (weight.constant[w] !== 0) rows[input].push([output, weight.constant[w]])
  })
  const bias = call.inputs[2] ? channelwise(call.constantInput(2, "bias").constant, shape) : undefined
  return [call.builder.linear([{ source: x.tensor, map: sparse(rows) }], shape, bias)]
}

const batchNormalization: Lowering = (call) => {
  const x = call.input(0)
  if (call.number("training_mode", 0) !== 0) unsupported("training_mode is on")
  const [scale, bias, mean, variance] = ["scale", "bias", "mean", "variance"].map(
    (what, i) => call.constantInput(i + 1, what).constant,
  )
  const epsilon = call.number("epsilon", 1e-5)
  const factor = scale.map((s, c) => s / Math.sqrt(variance[c] + epsilon))
  const offset = bias.map((b, c) => b - mean[c] * factor[c])
  if (isConstant(x)) return unsupported("a normalisation of a constant")
  return [call.builder.scale(x, channelwise(factor, x.shape), channelwise(offset, x.shape))]
}

/** Flat inputs of every pooling window, −1 for padding. */
function poolWindows(
  shape: readonly number[],
  window: Window,
): { map: Int32Array; size: number; shape: number[] } {
  const [n, c, ...inSize] = shape
  const size = sizeOf(window.kernel)
  const inner = stridesOf(shape)
  const out = [n, c, ...window.outSize]
  const map = mapOf([...out, ...window.kernel], (position) => {
    let at = position[0] * inner[0] + position[1] * inner[1]
    for (let axis = 0; axis < inSize.length; axis++) {
      const p =
        position[2 + axis] * window.strides[axis] -
        window.padsBegin[axis] +
        position[2 + inSize.length + axis] * window.dilations[axis]
      if (p < 0 || p >= inSize[axis]) return -1
      at += p * inner[2 + axis]
    }
    return at
  })
  return { map, size, shape: out }
}

const maxPool: Lowering = (call) => {
  if (call.node.outputs.length > 1 && call.node.outputs[1] !== "") unsupported("the output Indices")
  const x = call.input(0)
  const window = geometry(
    call,
    x.shape.slice(2),
    call.list("kernel_shape") ?? unsupported("no kernel_shape is given"),
  )
  const pool = poolWindows(x.shape, window)
  return [windowMax(call.builder, x, pool.map, pool.size, pool.shape, 1)]
}

const averagePool: Lowering = (call) => {
  const x = call.input(0)
  const inSize = x.shape.slice(2)
  const window = geometry(call, inSize, call.list("kernel_shape") ?? unsupported("no kernel_shape is given"))
  const pool = poolWindows(x.shape, window)
  const padded = call.number("count_include_pad", 0) !== 0
  // with count_include_pad the window counts what lies inside the padded input, also past its end under ceil_mode
  const counts = mapOf(window.outSize, (position) =>
    position.reduce((product, p, axis) => {
      const start = p * window.strides[axis] - window.padsBegin[axis]
      let inside = 0
      for (let j = 0; j < window.kernel[axis]; j++) {
        const at = start + j * window.dilations[axis]
        if (padded ? at < inSize[axis] + window.padsEnd[axis] : at >= 0 && at < inSize[axis]) inside++
      }
      return product * inside
    }, 1),
  )
  return [windowSum(call.builder, x, pool.map, pool.size, pool.shape, (i) => 1 / counts[i % counts.length])]
}

const globalPool =
  (mean: boolean): Lowering =>
  (call) => {
    const x = call.input(0)
    const area = sizeOf(x.shape.slice(2))
    const shape = [x.shape[0], x.shape[1], ...x.shape.slice(2).map(() => 1)]
    const map = Int32Array.from({ length: sizeOf(x.shape) }, (_, i) => i)
    return [
      mean
        ? windowSum(call.builder, x, map, area, shape, () => 1 / area)
        : windowMax(call.builder, x, map, area, shape, 1),
    ]
  }

/** min(max(x, lo), hi) for constants and activations. */
const clampValue = (builder: Builder, x: Value, lo: number, hi: number): Value =>
  isConstant(x)
    ? constant(
        x.shape,
        x.constant.map((v) => Math.min(Math.max(v, lo), hi)),
        x.integral,
      )
    : clamped(builder, x, lo, hi)

const relu: Lowering = (call) => [clampValue(call.builder, call.input(0), 0, Number.POSITIVE_INFINITY)]

const clip: Lowering = (call) => {
  const bound = (i: number, name: string, fallback: number) =>
    call.inputs[i] ? call.constantInput(i, name).constant[0] : call.number(name, fallback)
  const [lo, hi] = [bound(1, "min", Number.NEGATIVE_INFINITY), bound(2, "max", Number.POSITIVE_INFINITY)]
  return [clampValue(call.builder, call.input(0), Math.min(lo, hi), hi)]
}

/** slope·x + (1 − slope)·relu(x), one linear combination of x and its rectification. */
function leaky(builder: Builder, x: Value, slope: Float64Array): Value {
  const positive = clampValue(builder, x, 0, Number.POSITIVE_INFINITY)
  if (isConstant(x) || isConstant(positive)) return unsupported("an activation of a constant")
  const rest = slope.map((s) => 1 - s)
  return builder.linear(
    [
      { source: x.tensor, map: diagonal(slope) },
      { source: positive.tensor, map: diagonal(rest) },
    ],
    x.shape,
  )
}

const leakyRelu: Lowering = (call) => {
  const x = call.input(0)
  return [leaky(call.builder, x, new Float64Array(sizeOf(x.shape)).fill(call.number("alpha", 0.01)))]
}

const prelu: Lowering = (call) => {
  const x = call.input(0)
  const slope = call.constantInput(1, "slope")
  const map = broadcastMap(slope.shape, broadcastShape(slope.shape, x.shape))
  return [
    leaky(
      call.builder,
      x,
      Float64Array.from(map, (at) => slope.constant[at]),
    ),
  ]
}

/** min(max(alpha·x + beta, 0), 1). */
const hardSigmoidOf = (builder: Builder, x: Value, alpha: number, beta: number): Value =>
  clampValue(builder, combine(builder, [{ value: x, factor: alpha }], beta), 0, 1)

const hardSigmoid: Lowering = (call) => [
  hardSigmoidOf(call.builder, call.input(0), call.number("alpha", 0.2), call.number("beta", 0.5)),
]
const hardSwish: Lowering = (call) => [
  product(call.builder, call.input(0), hardSigmoidOf(call.builder, call.input(0), 1 / 6, 0.5)),
]

export const neural: Readonly<Record<string, Lowering>> = {
  Gemm: gemm,
  MatMul: (call) => [matmul(call, call.input(0), call.input(1))],
  Conv: conv,
  ConvTranspose: convTranspose,
  BatchNormalization: batchNormalization,
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: globalPool(true),
  GlobalMaxPool: globalPool(false),
  Relu: relu,
  Clip: clip,
  LeakyRelu: leakyRelu,
  PRelu: prelu,
  HardSigmoid: hardSigmoid,
  HardSwish: hardSwish,
}
