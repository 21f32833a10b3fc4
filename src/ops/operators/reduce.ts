/** Reductions along axes: sums are linear, extrema are `max` primitives (of the negative for minima). */
import { sizeOf } from "../program.js"
import { absolute } from "./arithmetic.js"
import type { Builder } from "./builder.js"
import type { Call, Lowering } from "./call.js"
import { constantInput, type Operators, operator, realOnly, wideOnly } from "./limits.js"
import { windowSums } from "./maps.js"
import {
  axesOf,
  axisTable,
  indexTable,
  type Ledger,
  numbers,
  range,
  separableMap,
  show,
  stridesOf,
  unsupported,
} from "./shapes.js"
import { type Activation, constant, isConstant, isIntegral, type Value } from "./values.js"

/** Every output reads `window` elements: map[i·window + j], −1 for padding. */
export interface Windows {
  readonly map: Int32Array
  readonly window: number
  readonly shape: readonly number[]
}

/** Windows along axes; `kept` is the shape with a one for each of them. */
export interface Reduction extends Windows {
  readonly kept: readonly number[]
}

/** The windows of a reduction over `axes`. */
export function windowsOf(
  ledger: Ledger,
  shape: readonly number[],
  axes: readonly number[],
  keep: boolean,
): Reduction {
  const strides = stridesOf(shape)
  const table = (axis: number) => axisTable(ledger, shape[axis], strides[axis])
  const kept = range(shape.length).filter((axis) => !axes.includes(axis))
  const inside = range(shape.length).filter((axis) => axes.includes(axis))
  const ones = shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim))
  return {
    map: separableMap(ledger, [...kept, ...inside].map(table)),
    window: sizeOf(inside.map((axis) => shape[axis])),
    shape: keep ? ones : kept.map((axis) => shape[axis]),
    kept: ones,
  }
}

/** Folds each window of a constant. */
function foldWindows(
  ledger: Ledger,
  x: Float64Array,
  { map, window, shape }: Windows,
  start: number,
  f: (sum: number, value: number) => number,
): Float64Array {
  const folded = numbers(ledger, sizeOf(shape))
  for (let i = 0; i < folded.length; i++) {
    let sum = start
    for (let j = i * window; j < (i + 1) * window; j++) if (map[j] >= 0) sum = f(sum, x[map[j]])
    folded[i] = sum
  }
  return folded
}

/** weight[i]·Σ window i. */
export function windowSum({ builder }: Call, x: Value, windows: Windows, weight: Float64Array): Value {
  const { map, window, shape } = windows
  if (isConstant(x)) {
    const sums = foldWindows(builder, x.constant, windows, 0, (a, b) => a + b)
    return constant(
      shape,
      sums.map((sum, i) => sum * weight[i]),
      x.dtype,
    )
  }
  const integral = isIntegral(x) && weight.every(Number.isInteger)
  const terms = [{ source: x.tensor, map: windowSums(builder, map, window, weight) }]
  return builder.linear(terms, shape, x.dtype, undefined, integral)
}

/** Largest (sign 1) or smallest (sign −1) element of each window. */
export function windowMax({ builder }: Call, x: Value, windows: Windows, sign: 1 | -1): Value {
  const { map, window, shape } = windows
  if (isConstant(x)) {
    const pick = sign === 1 ? Math.max : Math.min
    const best = foldWindows(builder, x.constant, windows, -sign * Number.POSITIVE_INFINITY, pick)
    return constant(shape, best, x.dtype)
  }
  const flipped = signed(x, sign)
  const source = isConstant(flipped) ? unsupported("a maximum of constants") : flipped.tensor
  const best = builder.emit({ kind: "max", source, window, map }, shape, x.dtype, isIntegral(x))
  return signed(best, sign)

  function signed(value: Value, by: 1 | -1): Value {
    return by === 1 ? value : builder.combine([{ value, factor: -1 }])
  }
}

/** The mean of each window. */
export function windowMean(call: Call, x: Value, windows: Windows): Value {
  if (windows.window === 0) unsupported(`a mean of no elements of ${show(x.shape)}`)
  return windowSum(call, x, windows, numbers(call.builder, sizeOf(windows.shape)).fill(1 / windows.window))
}

/** The position in its window of the largest (sign 1) or smallest (sign −1) element, the first or the last of equals. */
export function windowPosition(
  { builder }: Call,
  x: Value,
  { map, window, shape }: Windows,
  sign: 1 | -1,
  last: boolean,
): Value {
  if (window === 0) unsupported(`the position of an extremum among no elements of ${show(x.shape)}`)
  const flipped = sign === 1 ? x : builder.combine([{ value: x, factor: -1 }])
  if (!isConstant(flipped)) {
    const { tensor: source } = flipped satisfies Activation
    return builder.emit({ kind: "argmax", source, window, map, last }, shape, "int64", true)
  }
  const data = numbers(builder, sizeOf(shape))
  for (let i = 0; i < data.length; i++) {
    const value = (j: number) => flipped.constant[map[i * window + j]]
    for (let j = 1; j < window; j++)
      if (value(j) > value(data[i]) || (last && value(j) === value(data[i]))) data[i] = j
  }
  return constant(shape, data, "int64")
}

/** The operand, and the windows its attributes and axes ask for; no windows if there is nothing to reduce. */
function operands(call: Call, axesSince: number): { x: Value; windows: Reduction | undefined } {
  const x = call.input(0)
  const rank = x.shape.length
  const given = call.integers(1, "axes", axesSince)
  const noop = call.flag("noop_with_empty_axes")
  const keep = call.flag("keepdims", true)
  const axes = given?.length ? axesOf(given, rank) : range(rank)
  if (!given?.length && noop) return { x, windows: undefined }
  return { x, windows: windowsOf(call.builder, x.shape, axes, keep) }
}

const refuseEmpty = (x: Value, { window }: Windows): void => {
  if (window === 0) unsupported(`a reduction of no elements of ${show(x.shape)}`)
}

const reduceSum =
  (
    before: (call: Call, x: Value) => Value,
    axesSince: number,
    after: (call: Call, sum: Value) => Value = (_, sum) => sum,
  ): Lowering =>
  (call) => {
    const { x, windows } = operands(call, axesSince)
    const value = before(call, x)
    const ones = () => numbers(call.builder, sizeOf(windows?.shape ?? [])).fill(1)
    return [call.fits(after(call, windows ? windowSum(call, value, windows, ones()) : value))]
  }

const reduceMean: Lowering = (call) => {
  const { x, windows } = operands(call, 18)
  if (!windows) return [x]
  call.real(x, "the mean")
  const mean = windowMean(call, x, windows)
  const truncated = isConstant(mean) && /int/.test(x.dtype)
  return [truncated ? constant(mean.shape, mean.constant.map(Math.trunc), x.dtype) : mean]
}

const reduceExtreme =
  (sign: 1 | -1): Lowering =>
  (call) => {
    const { x, windows } = operands(call, 18)
    if (!windows) return [x]
    refuseEmpty(x, windows)
    return [windowMax(call, x, windows, sign)]
  }

const reduceProduct: Lowering = (call) => {
  const { x, windows } = operands(call, 18)
  if (!windows) return [x]
  if (isConstant(x)) {
    const products = foldWindows(call.builder, x.constant, windows, 1, (a, b) => a * b)
    return [constant(windows.shape, products, x.dtype)]
  }
  refuseEmpty(x, windows)
  return [call.fits(windowProduct(call, x, windows))]
}

/** The product of each window: halves of it multiplied until one number is left. */
function windowProduct({ builder }: Call, x: Value, { map, window, shape }: Windows): Value {
  const count = sizeOf(shape)
  let factors = builder.move([x], map, [count, window])
  for (let left = window; left > 1; ) {
    const half = Math.floor(left / 2)
    const part = (start: number, size: number) =>
      builder.move(
        [factors],
        indexTable(builder, count * size, (i) => Math.floor(i / size) * left + start + (i % size)),
        [count, size],
      )
    const products = builder.product(part(0, half), part(half, half))
    factors =
      left % 2 === 0
        ? products
        : builder.move(
            [products, part(2 * half, 1)],
            indexTable(builder, count * (half + 1), (i) => {
              const [row, at] = [Math.floor(i / (half + 1)), i % (half + 1)]
              return at < half ? row * half + at : count * half + row
            }),
            [count, half + 1],
          )
    left = half + (left % 2)
  }
  return { ...factors, shape }
}

/** log Σ */
const reduceLogSum: Lowering = (call) => {
  call.real(call.input(0), "the logarithm")
  return reduceSum((_, x) => x, 18)(call).map((sum) => call.builder.apply(sum, "log"))
}

const arg =
  (sign: 1 | -1): Lowering =>
  (call) => {
    const x = call.input(0)
    const axis = call.axis("axis", x.shape.length, 0)
    const last = call.flag("select_last_index")
    const windows = windowsOf(call.builder, x.shape, [axis], call.flag("keepdims", true))
    return [windowPosition(call, x, windows, sign, last)]
  }

/** log Σ exp(x) = m + log Σ exp(x − m), with the largest m. */
const reduceLogSumExp: Lowering = (call) => {
  const { x, windows } = operands(call, 18)
  call.real(x, "the logarithm")
  if (!windows) return [x]
  refuseEmpty(x, windows)
  const { builder } = call
  const largest = windowMax(call, x, windows, 1)
  const spread = builder.broadcast({ ...largest, shape: windows.kept }, x.shape)
  const exponentials = builder.apply(difference(builder, x, spread), "exp")
  const sums = windowSum(call, exponentials, windows, numbers(builder, sizeOf(windows.shape)).fill(1))
  return [
    builder.combine([
      { value: largest, factor: 1 },
      { value: builder.apply(sums, "log"), factor: 1 },
    ]),
  ]
}

/** x − y, of one shape. */
export const difference = (builder: Builder, x: Value, y: Value): Value =>
  builder.combine([
    { value: x, factor: 1 },
    { value: y, factor: -1 },
  ])

export const reductions: Operators = {
  ReduceSum: operator(
    reduceSum((_, x) => x, 13),
    wideOnly,
    constantInput(1, "axes"),
  ),
  ReduceL1: operator(reduceSum(absolute, 18), wideOnly, constantInput(1, "axes")),
  ReduceSumSquare: operator(
    reduceSum(({ builder }, x) => builder.product(x, x), 18),
    wideOnly,
    constantInput(1, "axes"),
  ),
  ReduceL2: operator(
    reduceSum(
      ({ builder }, x) => builder.product(x, x),
      18,
      (call, sum) => {
        call.real(sum, "the root")
        return call.builder.root(sum)
      },
    ),
    realOnly,
    constantInput(1, "axes"),
  ),
  ReduceLogSumExp: operator(reduceLogSumExp, realOnly, constantInput(1, "axes")),
  ReduceMean: operator(reduceMean, realOnly, constantInput(1, "axes")),
  ReduceMax: operator(reduceExtreme(1), constantInput(1, "axes")),
  ReduceMin: operator(reduceExtreme(-1), constantInput(1, "axes")),
  ReduceProd: operator(reduceProduct, wideOnly, constantInput(1, "axes")),
  ReduceLogSum: operator(reduceLogSum, realOnly, constantInput(1, "axes")),
  ArgMax: operator(arg(1)),
  ArgMin: operator(arg(-1)),
}
