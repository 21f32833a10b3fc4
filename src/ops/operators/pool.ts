/** Pooling: maxima of windows, and averages as linear maps. */
import { sizeOf } from "../program.js"
import { absolute } from "./arithmetic.js"
import type { Call, Lowering } from "./call.js"
import { type Operators, operator, other, realOnly } from "./limits.js"
import { raised } from "./powers.js"
import { type Windows, windowMax, windowSum } from "./reduce.js"
import { axisTable, forEachPosition, type Ledger, narrow, numbers, show, unsupported } from "./shapes.js"
import { constant, isConstant, type Value } from "./values.js"
import { type Geometry, geometry, spatial, taps } from "./window.js"

/** The windows of every channel of an operand [N, C, ...sizes]. */
function pooled(ledger: Ledger, shape: readonly number[], window: Geometry): Windows {
  const one = taps(ledger, window)
  const [area, channels] = [sizeOf(window.inSize), shape[0] * shape[1]]
  ledger.hold(narrow(channels * one.length))
  const map = new Int32Array(channels * one.length)
  for (let c = 0, at = 0; c < channels; c++)
    for (let i = 0; i < one.length; i++) map[at++] = one[i] < 0 ? -1 : c * area + one[i]
  return { map, window: sizeOf(window.kernel), shape: [shape[0], shape[1], ...window.outSize] }
}

function windowOf(call: Call, x = call.input(0)): Geometry {
  const kernel = call.integerList("kernel_shape") ?? unsupported("attribute `kernel_shape` is missing")
  return geometry(call, spatial(x.shape), kernel)
}

const maxPool: Lowering = (call) => {
  call.ignore("storage_order")
  const x = call.input(0)
  const windows = pooled(call.builder, x.shape, windowOf(call))
  for (let i = 0; i < windows.map.length; i += windows.window)
    if (windows.map.subarray(i, i + windows.window).every((at) => at < 0))
      unsupported("a window lies in the padding entirely")
  return [windowMax(call, x, windows, 1)]
}

/** Averages of windows, by the attributes of an AveragePool. */
export function averaged(call: Call, x: Value): Value {
  const padded = call.flag("count_include_pad")
  const window = windowOf(call, x)
  const { inSize, kernel, strides, dilations, padsBegin, padsEnd, outSize } = window
  const counts = numbers(call.builder, sizeOf(outSize))
  call.builder.work(kernel.reduce((sum, size) => sum + size, 0) * counts.length)
  forEachPosition(outSize, (position, flat) => {
    counts[flat] = 1
    for (let i = 0; i < inSize.length; i++) {
      let inside = 0
      for (let j = 0; j < kernel[i]; j++) {
        const at = position[i] * strides[i] - padsBegin[i] + j * dilations[i]
        // the padding counts on request, but not what ceil_mode adds past its end
        if (padded ? at < inSize[i] + padsEnd[i] : at >= 0 && at < inSize[i]) inside++
      }
      counts[flat] *= inside
    }
  })
  if (counts.includes(0)) unsupported("a window lies in the padding entirely")
  const windows = pooled(call.builder, x.shape, window)
  const weight = numbers(call.builder, sizeOf(windows.shape)).map((_, i) => 1 / counts[i % counts.length])
  return windowSum(call, x, windows, weight)
}

const averagePool: Lowering = (call) => [averaged(call, call.input(0))]

/** The average of each channel. */
export const globalAverage = (call: Call, x: Value): Value => globalPooled(call, x, true)

const globalPool =
  (mean: boolean): Lowering =>
  (call) => [globalPooled(call, call.input(0), mean)]

function globalPooled(call: Call, x: Value, mean: boolean): Value {
  const windows = everything(call.builder, x)
  const weight = numbers(call.builder, sizeOf(windows.shape)).fill(1 / windows.window)
  return mean ? windowSum(call, x, windows, weight) : windowMax(call, x, windows, 1)
}

/** One window for all of each channel. */
function everything(ledger: Ledger, x: Value): Windows {
  const window = sizeOf(spatial(x.shape))
  if (window === 0) unsupported(`shape ${show(x.shape)} has no elements to pool`)
  const shape = [x.shape[0], x.shape[1], ...x.shape.slice(2).map(() => 1)]
  return { map: axisTable(ledger, sizeOf(x.shape), 1), window, shape }
}

/** The p-th root of the sum of p-th powers of magnitudes in each window. */
function norms(call: Call, x: Value, windows: Windows): Value {
  const { builder } = call
  const p = call.number("p", 2)
  if (p < 1) call.refuse("p", p)
  const sizes = p % 2 === 0 ? x : absolute(call, x)
  const powers = isConstant(sizes)
    ? constant(
        x.shape,
        sizes.constant.map((v) => v ** p),
        x.dtype,
      )
    : raised(call, sizes, p)
  const sums = windowSum(call, powers, windows, numbers(builder, sizeOf(windows.shape)).fill(1))
  if (p === 1) return sums
  if (p === 2) return builder.root(sums)
  // two roots are finer near zero than a table
  return p === 4 ? builder.root(builder.root(sums)) : builder.apply(sums, "pow", 1 / p)
}

const lpPool: Lowering = (call) => {
  const x = call.input(0)
  call.real(x, "the norm")
  return [norms(call, x, pooled(call.builder, x.shape, windowOf(call)))]
}

const globalLpPool: Lowering = (call) => {
  const x = call.input(0)
  call.real(x, "the norm")
  return [norms(call, x, everything(call.builder, x))]
}

const padding = other("no window lies in the padding entirely")

export const pooling: Operators = {
  MaxPool: operator(maxPool, other("without `Indices` (output 1)"), padding),
  AveragePool: operator(averagePool, padding),
  GlobalAveragePool: operator(globalPool(true)),
  LpPool: operator(lpPool, realOnly, other("`p` is at least 1")),
  GlobalLpPool: operator(globalLpPool, realOnly, other("`p` is at least 1")),
  GlobalMaxPool: operator(globalPool(false)),
}
