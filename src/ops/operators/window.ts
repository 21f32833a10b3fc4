/** The geometry that convolution and pooling share (ONNX Conv, MaxPool, AveragePool). */
import { sizeOf } from "../program.js"
import type { Call } from "./call.js"
import { forEachPosition, type Ledger, narrow, show, unsupported } from "./shapes.js"

export interface Geometry {
  readonly inSize: readonly number[]
  readonly kernel: readonly number[]
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
  readonly padsBegin: readonly number[]
  readonly padsEnd: readonly number[]
  readonly outSize: readonly number[]
}

export const autoPads = ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"] as const

/** Splits a total padding: the odd one goes to the end for SAME_UPPER, to the beginning for SAME_LOWER. */
export const beginOf = (total: number, auto: string): number =>
  auto === "SAME_UPPER" ? Math.floor(total / 2) : Math.ceil(total / 2)

/** Spatial sizes of an operand [N, C, ...sizes]. */
export const spatial = (shape: readonly number[]): readonly number[] =>
  shape.length > 2 ? shape.slice(2) : unsupported(`shape ${show(shape)} has no spatial axes`)

/** Reads strides, dilations, pads, auto_pad and ceil_mode, and works out the output size. */
export function geometry(call: Call, inSize: readonly number[], kernel: readonly number[]): Geometry {
  const axes = inSize.length
  const strides = call.perAxis("strides", axes, 1, 1)
  const dilations = call.perAxis("dilations", axes, 1, 1)
  const pads = call.perAxis("pads", 2 * axes, 0, 0)
  const auto = call.choice("auto_pad", autoPads)
  const ceil = call.flag("ceil_mode")
  if (kernel.length !== axes || kernel.some((size) => size < 1))
    unsupported(`a kernel of ${show(kernel)} does not fit a spatial size of ${show(inSize)}`)
  const span = kernel.map((size, i) => (size - 1) * dilations[i] + 1)
  let padsBegin = pads.slice(0, axes)
  let padsEnd = pads.slice(axes)
  if (auto !== "NOTSET") {
    // SAME: as many outputs as strides cover the input
    const total = inSize.map((size, i) =>
      auto === "VALID" ? 0 : Math.max(0, (Math.ceil(size / strides[i]) - 1) * strides[i] + span[i] - size),
    )
    padsBegin = total.map((t) => beginOf(t, auto))
    padsEnd = total.map((t, i) => t - padsBegin[i])
  }
  const outSize = inSize.map((size, i) => {
    const steps = (size + padsBegin[i] + padsEnd[i] - span[i]) / strides[i]
    const out = (ceil ? Math.ceil(steps) : Math.floor(steps)) + 1
    // under ceil_mode a window that would start in the trailing padding is dropped
    return ceil && (out - 1) * strides[i] >= size + padsBegin[i] ? out - 1 : out
  })
  if (outSize.some((size) => size < 1))
    unsupported(`a kernel of ${show(kernel)} does not fit a spatial size of ${show(inSize)}`)
  return { inSize, kernel, strides, dilations, padsBegin, padsEnd, outSize }
}

/** Flat input position of every tap of every output position of one channel; −1 outside the input. */
export function taps(ledger: Ledger, window: Geometry): Int32Array {
  const { inSize, kernel, strides, dilations, padsBegin, outSize } = window
  const axes = inSize.length
  const size = sizeOf(outSize) * sizeOf(kernel)
  ledger.hold(narrow(size))
  const map = new Int32Array(size)
  forEachPosition([...outSize, ...kernel], (position, flat) => {
    let at = 0
    for (let i = 0; i < axes; i++) {
      const p = position[i] * strides[i] - padsBegin[i] + position[axes + i] * dilations[i]
      if (p < 0 || p >= inSize[i]) {
        map[flat] = -1
        return
      }
      at = at * inSize[i] + p
    }
    map[flat] = at
  })
  return map
}
