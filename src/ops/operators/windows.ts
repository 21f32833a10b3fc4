/** Convolutions and pooling: operators that slide a window over spatial axes. */
import { forEachTap } from "../linearmap.js"
import { type LinearMap, sizeOf } from "../program.js"
import { type Call, isConstant, type Lowering, mapOf, sparse, stridesOf, unsupported } from "./builder.js"
import { windowMax, windowSum } from "./elementwise.js"

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
export function channelwise(values: ArrayLike<number>, shape: readonly number[]): Float64Array {
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

export const windows: Readonly<Record<string, Lowering>> = {
  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: globalPool(true),
  GlobalMaxPool: globalPool(false),
}
