/** Elementwise arithmetic, reductions, and what exporters compute on constants before a Reshape or Slice. */
import { sizeOf } from "../program.js"
import {
  type Activation,
  axisOf,
  type Builder,
  broadcast,
  broadcastShape,
  type Call,
  constant,
  diagonal,
  forEachPosition,
  isConstant,
  type Lowering,
  stridesOf,
  unsupported,
  type Value,
} from "./builder.js"

/** Σ factor_i·x_i + offset, elementwise; all values have one shape. */
export function combine(
  builder: Builder,
  terms: readonly { value: Value; factor: number }[],
  offset = 0,
): Value {
  const { shape } = terms[0].value
  const size = sizeOf(shape)
  const bias = new Float64Array(size).fill(offset)
  const maps = new Map<number, Float64Array>()
  for (const { value, factor } of terms) {
    if (isConstant(value)) for (let i = 0; i < size; i++) bias[i] += factor * value.constant[i]
    else {
      const sum = maps.get(value.tensor) ?? new Float64Array(size)
      for (let i = 0; i < size; i++) sum[i] += factor
      maps.set(value.tensor, sum)
    }
  }
  if (maps.size === 0)
    return constant(
      shape,
      bias,
      terms.every(({ value }) => value.integral),
    )
  return builder.linear(
    [...maps].map(([source, factor]) => ({ source, map: diagonal(factor) })),
    shape,
    bias,
  )
}

/** All inputs broadcast to their common shape. */
function aligned(call: Call): Value[] {
  const values = call.inputs.map((_, i) => call.input(i))
  const shape = broadcastShape(...values.map((value) => value.shape))
  return values.map((value) => broadcast(call.builder, value, shape))
}

const sum =
  (factors: (count: number) => number[]): Lowering =>
  (call) => {
    const values = aligned(call)
    const weights = factors(values.length)
    return [
      combine(
        call.builder,
        values.map((value, i) => ({ value, factor: weights[i] })),
      ),
    ]
  }

const mul: Lowering = (call) => {
  const [x, y] = aligned(call)
  return [product(call.builder, x, y)]
}

/** Elementwise product of values of one shape. */
export function product(builder: Builder, x: Value, y: Value): Value {
  if (isConstant(x) && isConstant(y)) {
    return constant(
      x.shape,
      x.constant.map((v, i) => v * y.constant[i]),
      x.integral && y.integral,
    )
  }
  if (isConstant(x)) return builder.scale(y as Activation, x.constant)
  if (isConstant(y)) return builder.scale(x, y.constant)
  return builder.emit({ kind: "product", left: x.tensor, right: y.tensor }, x.shape)
}

const div: Lowering = (call) => {
  const [x, y] = aligned(call)
  const divisor = isConstant(y) ? y : unsupported("dividing by an activation")
  if (divisor.constant.some((v) => v === 0)) unsupported("dividing by zero")
  if (!isConstant(x))
    return [
      call.builder.scale(
        x,
        divisor.constant.map((v) => 1 / v),
      ),
    ]
  const integral = x.integral && divisor.integral
  const quotient = x.constant.map((v, i) =>
    integral ? Math.trunc(v / divisor.constant[i]) : v / divisor.constant[i],
  )
  return [constant(x.shape, quotient, integral)]
}

/** max(x, y) = y + relu(x − y); min likewise. */
const extreme =
  (sign: 1 | -1): Lowering =>
  (call) => {
    const values = aligned(call)
    return [
      values.reduce((x, y) => {
        if (isConstant(x) && isConstant(y)) {
          const pick = sign === 1 ? Math.max : Math.min
          return constant(
            x.shape,
            x.constant.map((v, i) => pick(v, y.constant[i])),
            x.integral && y.integral,
          )
        }
        const difference = combine(call.builder, [
          { value: x, factor: sign },
          { value: y, factor: -sign },
        ]) as Activation
        const positive = clamped(call.builder, difference, 0, Number.POSITIVE_INFINITY)
        return combine(call.builder, [
          { value: y, factor: 1 },
          { value: positive, factor: sign },
        ])
      }),
    ]
  }

export const clamped = (builder: Builder, x: Activation, lo: number, hi: number): Activation =>
  builder.emit({ kind: "clamp", source: x.tensor, lo, hi }, x.shape)

const abs: Lowering = (call) => {
  const x = call.input(0)
  if (isConstant(x)) return [constant(x.shape, x.constant.map(Math.abs), x.integral)]
  // |x| = 2·relu(x) − x
  const positive = clamped(call.builder, x, 0, Number.POSITIVE_INFINITY)
  return [
    combine(call.builder, [
      { value: positive, factor: 2 },
      { value: x, factor: -1 },
    ]),
  ]
}

const pow: Lowering = (call) => {
  const x = call.input(0)
  const exponent = call.constantInput(1, "exponent")
  const n = exponent.constant[0]
  if (isConstant(x)) {
    const shape = broadcastShape(x.shape, exponent.shape)
    const [a, b] = [x, exponent].map((v) => broadcast(call.builder, v, shape))
    if (isConstant(a) && isConstant(b))
      return [
        constant(
          shape,
          a.constant.map((v, i) => v ** b.constant[i]),
          x.integral,
        ),
      ]
  }
  if (exponent.constant.some((v) => v !== n) || !Number.isInteger(n) || n < 1 || n > 4)
    unsupported(`exponent [${exponent.constant.slice(0, 4)}]; 1 to 4 are supported`)
  let result = x
  for (let i = 1; i < n; i++) result = product(call.builder, result, x)
  return [result]
}

/** Axes of a reduction; empty means all, unless noop_with_empty_axes. */
function reductionAxes(call: Call, rank: number): number[] {
  const axes = call.integers(1, "axes")
  if (axes?.length) return axes.map((axis) => axisOf(axis, rank))
  return call.number("noop_with_empty_axes", 0) !== 0 ? [] : Array.from({ length: rank }, (_, i) => i)
}

/** Windows of a reduction: the flat inputs of every output, as one map with equal window lengths. */
function windows(
  shape: readonly number[],
  axes: readonly number[],
  keep: boolean,
): { map: Int32Array; window: number; shape: number[] } {
  const kept = shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim))
  const window = axes.reduce((count, axis) => count * shape[axis], 1)
  const strides = stridesOf(kept)
  const filled = new Uint32Array(sizeOf(kept))
  const map = new Int32Array(filled.length * window)
  forEachPosition(shape, (position, flat) => {
    let out = 0
    for (let axis = 0; axis < shape.length; axis++)
      if (kept[axis] !== 1) out += position[axis] * strides[axis]
    map[out * window + filled[out]++] = flat
  })
  return { map, window, shape: keep ? kept : shape.filter((_, axis) => !axes.includes(axis)) }
}

/** Sum of windows times a factor; −1 entries are skipped. */
export function windowSum(
  builder: Builder,
  x: Value,
  map: Int32Array,
  window: number,
  shape: readonly number[],
  factor: (i: number) => number,
): Value {
  const count = sizeOf(shape)
  const rowPtr = new Uint32Array(count + 1)
  const columns: number[] = []
  const values: number[] = []
  for (let i = 0; i < count; i++) {
    const weight = factor(i)
    for (let j = i * window; j < (i + 1) * window; j++) {
      if (map[j] < 0) continue
      columns.push(map[j])
      values.push(weight)
    }
    rowPtr[i + 1] = columns.length
  }
  if (isConstant(x)) {
    const out = Float64Array.from({ length: count }, (_, i) => {
      let total = 0
      for (let j = rowPtr[i]; j < rowPtr[i + 1]; j++) total += values[j] * x.constant[columns[j]]
      return total
    })
    return constant(shape, out, x.integral)
  }
  const linear = {
    kind: "sparse",
    rowPtr,
    columns: Uint32Array.from(columns),
    values: Float64Array.from(values),
  } as const
  return builder.linear([{ source: x.tensor, map: linear }], shape)
}

const reduceSum =
  (mean: boolean): Lowering =>
  (call) => {
    const x = call.input(0)
    const reduced = windows(x.shape, reductionAxes(call, x.shape.length), call.number("keepdims", 1) !== 0)
    return [
      windowSum(call.builder, x, reduced.map, reduced.window, reduced.shape, () =>
        mean ? 1 / reduced.window : 1,
      ),
    ]
  }

/** Largest (sign 1) or smallest (sign −1) of windows. */
export function windowMax(
  builder: Builder,
  x: Value,
  map: Int32Array,
  window: number,
  shape: readonly number[],
  sign: 1 | -1,
): Value {
  if (isConstant(x)) {
    const out = Float64Array.from({ length: sizeOf(shape) }, (_, i) => {
      const entries = Array.from(map.subarray(i * window, (i + 1) * window)).filter((at) => at >= 0)
      return sign * Math.max(...entries.map((at) => sign * x.constant[at]))
    })
    return constant(shape, out, x.integral)
  }
  const source = sign === 1 ? x : (combine(builder, [{ value: x, factor: -1 }]) as Activation)
  const best = builder.emit({ kind: "max", source: source.tensor, window, map }, shape)
  return sign === 1 ? best : combine(builder, [{ value: best, factor: -1 }])
}

const reduceMax =
  (sign: 1 | -1): Lowering =>
  (call) => {
    const x = call.input(0)
    const reduced = windows(x.shape, reductionAxes(call, x.shape.length), call.number("keepdims", 1) !== 0)
    return [windowMax(call.builder, x, reduced.map, reduced.window, reduced.shape, sign)]
  }

const argmax =
  (sign: 1 | -1): Lowering =>
  (call) => {
    const x = call.input(0)
    const axis = axisOf(call.number("axis", 0), x.shape.length)
    const reduced = windows(x.shape, [axis], call.number("keepdims", 1) !== 0)
    const last = call.number("select_last_index", 0) !== 0
    if (isConstant(x)) return unsupported("ArgMax of a constant")
    const source = sign === 1 ? x : (combine(call.builder, [{ value: x, factor: -1 }]) as Activation)
    return [
      call.builder.emit(
        { kind: "argmax", source: source.tensor, window: reduced.window, map: reduced.map, last },
        reduced.shape,
        true,
      ),
    ]
  }

/** Elementwise function of constants only. */
const fold =
  (f: (...xs: number[]) => number, integral = false): Lowering =>
  (call) => {
    const values = aligned(call).map((value) =>
      isConstant(value) ? value : unsupported("it depends on the model's input"),
    )
    const out = values[0].constant.map((_, i) => f(...values.map((value) => value.constant[i])))
    return [constant(values[0].shape, out, integral || values.every((value) => value.integral))]
  }

const truth = (f: (x: number, y: number) => boolean): Lowering => fold((x, y) => (f(x, y) ? 1 : 0), true)
const roundHalfEven = (x: number) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x))

const constantOfShape: Lowering = (call) => {
  const shape = Array.from(call.constantInput(0, "shape").constant)
  const value = call.tensor("value")
  const integral = value !== undefined && /int|bool/.test(value.dtype)
  return [constant(shape, new Float64Array(sizeOf(shape)).fill(value?.data[0] ?? 0), integral)]
}

const rangeOf: Lowering = (call) => {
  const [start, limit, delta] = [0, 1, 2].map((i) => call.constantInput(i, "bound").constant[0])
  const count = Math.max(0, Math.ceil((limit - start) / delta))
  return [
    constant(
      [count],
      Float64Array.from({ length: count }, (_, i) => start + i * delta),
      call.input(0).integral,
    ),
  ]
}

const where: Lowering = (call) => {
  const condition = call.constantInput(0, "condition")
  const [x, y] = [call.input(1), call.input(2)]
  const shape = broadcastShape(condition.shape, x.shape, y.shape)
  const [c, a, b] = [condition, x, y].map((value) => broadcast(call.builder, value, shape))
  if (!isConstant(c)) return unsupported("it depends on the model's input")
  const size = sizeOf(shape)
  return [
    call.builder.move(
      [a, b],
      Int32Array.from({ length: size }, (_, i) => (c.constant[i] !== 0 ? i : size + i)),
      shape,
    ),
  ]
}

export const arithmetic: Readonly<Record<string, Lowering>> = {
  Add: sum(() => [1, 1]),
  Sub: sum(() => [1, -1]),
  Neg: sum(() => [-1]),
  Sum: sum((n) => new Array(n).fill(1)),
  Mean: sum((n) => new Array(n).fill(1 / n)),
  Mul: mul,
  Div: div,
  Pow: pow,
  Max: extreme(1),
  Min: extreme(-1),
  Abs: abs,
  ReduceSum: reduceSum(false),
  ReduceMean: reduceSum(true),
  ReduceMax: reduceMax(1),
  ReduceMin: reduceMax(-1),
  ArgMax: argmax(1),
  ArgMin: argmax(-1),
  ConstantOfShape: constantOfShape,
  Range: rangeOf,
  Where: where,
  Equal: truth((x, y) => x === y),
  Less: truth((x, y) => x < y),
  LessOrEqual: truth((x, y) => x <= y),
  Greater: truth((x, y) => x > y),
  GreaterOrEqual: truth((x, y) => x >= y),
  And: truth((x, y) => x !== 0 && y !== 0),
  Or: truth((x, y) => x !== 0 || y !== 0),
  Not: fold((x) => (x === 0 ? 1 : 0), true),
  Mod: fold((x, y) => x - y * Math.floor(x / y)),
  Floor: fold(Math.floor),
  Ceil: fold(Math.ceil),
  Round: fold(roundHalfEven),
  Sqrt: fold(Math.sqrt),
  Exp: fold(Math.exp),
  Log: fold(Math.log),
  Reciprocal: fold((x) => 1 / x),
}
