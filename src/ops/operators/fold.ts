/**
 * What exporters compute on shapes and constants before a Reshape, Slice or Expand. Operators here either
 * ask only for shapes or refuse values that depend on the model's input.
 */
import type { DataType } from "../../model/graph.js"
import { functions } from "../formula.js"
import { sizeOf } from "../program.js"
import { pair } from "./arithmetic.js"
import type { Call, Lowering } from "./call.js"
import { intervalOfType, isWithin } from "./intervals.js"
import { constantInput, constantsOnly, type Operators, operator, other } from "./limits.js"
import { bitsOf } from "./logic.js"
import { positionBits } from "./positions.js"
import { windowSum } from "./reduce.js"
import {
  axisOf,
  checkShape,
  forEachPosition,
  indexTable,
  narrow,
  numbers,
  show,
  stridesOf,
  unsupported,
} from "./shapes.js"
import { type Constant, constant, isConstant, isInteger, isIntegral, type Value } from "./values.js"

const known = (value: Value): Constant =>
  isConstant(value)
    ? value
    : unsupported("it is supported on constants only, and here depends on the model's input")

const mod: Lowering = (call) => {
  const name = call.flag("fmod") ? "fmod" : "mod"
  const [x, y] = pair(call)
  if (isConstant(x) && isConstant(y)) {
    const remainder = functions[name]
    const out = x.constant.map((v, i) => remainder(v, y.constant[i]))
    return [constant(x.shape, out, x.dtype)]
  }
  if (!isConstant(y)) return unsupported("the divisor (input 1) depends on the model's input")
  const [divisor] = y.constant
  if (y.constant.some((v) => v !== divisor)) unsupported("several divisors of activations")
  if (divisor === 0) unsupported("division by zero")
  return [call.builder.apply(x, name, divisor)]
}

const shapeOf: Lowering = (call) => {
  const { shape } = call.input(0)
  const bound = (value: number) =>
    Math.min(Math.max(value < 0 ? value + shape.length : value, 0), shape.length)
  const part = shape.slice(bound(call.integer("start", 0)), bound(call.integer("end", shape.length)))
  return [constant([part.length], part, "int64")]
}

const constantOfShape: Lowering = (call) => {
  const shape = checkShape(call.integerInput(0, "shape"))
  const value = call.tensor("value")
  if (value && value.data.length !== 1) unsupported("attribute `value` is not one number")
  return [constant(shape, numbers(call.builder, sizeOf(shape)).fill(value?.data[0] ?? 0), value?.dtype)]
}

const rangeOf: Lowering = (call) => {
  const [start, limit, delta] = ["start", "limit", "delta"].map((what, i) => {
    const { constant, shape } = call.constantInput(i, what)
    return constant.length === 1 ? constant[0] : unsupported(`${what} has shape ${show(shape)}`)
  })
  const [count] = checkShape([Math.max(0, Math.ceil((limit - start) / delta))])
  const { dtype } = call.input(0)
  const data = numbers(call.builder, count)
  for (let i = 0; i < count; i++) data[i] = start + i * delta
  return [constant([count], data, dtype)]
}

const eyeLike: Lowering = (call) => {
  const { shape, dtype } = call.input(0)
  const offset = call.integer("k", 0)
  const to = call.attribute("dtype")
  if (shape.length !== 2) unsupported(`shape ${show(shape)} is no matrix`)
  const data = numbers(call.builder, sizeOf(shape))
  for (let i = 0; i < shape[0]; i++)
    if (i + offset >= 0 && i + offset < shape[1]) data[i * shape[1] + i + offset] = 1
  return [constant(shape, data, to === undefined ? dtype : typeOf(call.integer("dtype")))]
}

const nonZero: Lowering = (call) => {
  const x = known(call.input(0))
  const rank = x.shape.length
  const count = x.constant.reduce((sum, value) => sum + (value !== 0 ? 1 : 0), 0)
  const data = numbers(call.builder, rank * count)
  let found = 0
  forEachPosition(x.shape, (position, flat) => {
    if (x.constant[flat] === 0) return
    for (let axis = 0; axis < rank; axis++) data[axis * count + found] = position[axis]
    found++
  })
  return [constant([rank, count], data, "int64")]
}

const cumSum: Lowering = (call) => {
  const x = call.input(0)
  const axis = axisOf(call.scalarInput(1, "axis", Number.NaN), x.shape.length)
  const [exclusive, reverse] = [call.flag("exclusive"), call.flag("reverse")]
  const [dim, stride] = [x.shape[axis], stridesOf(x.shape)[axis]]
  const size = sizeOf(x.shape)
  call.builder.hold(narrow(size * dim))
  // every element sums a window as long as its axis, of which it takes what comes before it
  const map = new Int32Array(size * dim).fill(-1)
  for (let flat = 0; flat < size; flat++) {
    const at = Math.floor(flat / stride) % dim
    for (let i = 0; i < dim; i++) {
      const isBefore = reverse ? i > at : i < at
      if (isBefore || (i === at && !exclusive)) map[flat * dim + i] = flat + (i - at) * stride
    }
  }
  const weight = numbers(call.builder, size).fill(1)
  return [windowSum(call, x, { map, window: dim, shape: x.shape }, weight)]
}

const oneHot: Lowering = (call) => {
  const { builder } = call
  const indices = call.input(0)
  const depth = call.scalarInput(1, "depth", Number.NaN)
  const values = call.constantInput(2, "values")
  if (values.constant.length !== 2) unsupported("values (input 2) are not two numbers")
  const rank = indices.shape.length + 1
  const axis = call.axis("axis", rank, -1)
  const shape = checkShape([...indices.shape.slice(0, axis), depth, ...indices.shape.slice(axis)])
  const [off, on] = values.constant
  const inner = sizeOf(indices.shape.slice(axis))
  const placeOf = (flat: number) => Math.floor(flat / (inner * depth)) * inner + (flat % inner)
  const depthOf = (flat: number) => Math.floor(flat / inner) % depth
  if (isConstant(indices)) {
    const data = numbers(builder, sizeOf(shape)).map((_, flat) => {
      const index = indices.constant[placeOf(flat)]
      return depthOf(flat) === (index < 0 ? index + depth : index) ? on : off
    })
    return [constant(shape, data, values.dtype)]
  }
  const bits = positionBits(builder, indices, depth)
  const map = indexTable(builder, sizeOf(shape), (flat) => placeOf(flat) * depth + depthOf(flat))
  const hot = { ...builder.move([bits], map, shape), dtype: values.dtype }
  return [builder.combine([{ value: hot, factor: on - off }], off)]
}

/** TensorProto.DataType numbers (onnx.proto); undefined is a type we do not hold. */
const dataTypes: readonly (DataType | undefined)[] = [
  undefined,
  "float32",
  "uint8",
  "int8",
  "uint16",
  "int16",
  "int32",
  "int64",
  undefined,
  "bool",
  "float16",
  "float64",
  "uint32",
  "uint64",
  undefined,
  undefined,
  "bfloat16",
  undefined,
  undefined,
  undefined,
  undefined,
  "uint4",
  "int4",
]

/** Before opset 6 types were named. */
const typeNames: Readonly<Record<string, number>> = { FLOAT: 1, INT32: 6, INT64: 7, BOOL: 9, DOUBLE: 11 }

/** The element type with a number. */
export const typeOf = (code: number): DataType =>
  dataTypes[code] ?? unsupported(`element type ${code} is not supported`)

const wrappers: Partial<Record<DataType, (x: number) => number>> = {
  bool: (x) => (x !== 0 ? 1 : 0),
  int4: (x) => (x << 28) >> 28,
  uint4: (x) => x & 0xf,
  int8: (x) => (x << 24) >> 24,
  int16: (x) => (x << 16) >> 16,
  int32: (x) => x | 0,
  uint8: (x) => x & 0xff,
  uint16: (x) => x & 0xffff,
  uint32: (x) => x >>> 0,
  float32: Math.fround,
}

/** Casts between types where every value of the first is one of the second. */
const widens = (from: DataType, to: DataType): boolean => {
  if (from === to || !isInteger(to)) return true
  if (from === "bool") return true
  return /^u?int/.test(from) && /^u?int(32|64)$/.test(to)
}

/** A value as another type. */
export function castTo({ builder }: Call, value: Value, to: DataType): Value {
  if (isConstant(value)) {
    const truncate = isInteger(to) && to !== "bool" ? Math.trunc : (x: number) => x
    const wrap = wrappers[to] ?? ((x: number) => x)
    return constant(
      value.shape,
      value.constant.map((x) => wrap(truncate(x))),
      to,
    )
  }
  if (to === "bool") return bitsOf(builder, value)
  // a float activation of integers (a cast, an ArgMax) may return to a wide integer type
  const whole = isIntegral(value) && /^u?int(32|64)$/.test(to)
  if (widens(value.dtype, to) || whole) return { ...value, dtype: to, integral: isIntegral(value) }
  // ONNX leaves open what becomes of floats beyond the type; an integer type that is too small wraps around
  const [given, holds] = [builder.intervalOf(value), intervalOfType(to)]
  if (isIntegral(value) && given && holds && isWithin(given, holds))
    return { ...value, dtype: to, integral: true }
  if (isInteger(value.dtype))
    return unsupported(`a cast of \`${value.dtype}\` activations to \`${to}\` wraps`)
  return { ...(isIntegral(value) ? value : builder.apply(value, "trunc")), dtype: to }
}

const widening = other("no cast of integer activations that wraps")

const cast: Lowering = (call) => {
  call.ignore("saturate", "round_mode")
  const given = call.attribute("to")
  const to = typeof given === "string" ? (typeNames[given.toUpperCase()] ?? -1) : call.integer("to")
  return [castTo(call, call.input(0), typeOf(to))]
}

const castLike: Lowering = (call) => {
  call.ignore("saturate", "round_mode")
  return [castTo(call, call.input(0), call.input(1).dtype)]
}

export const fold: Operators = {
  NonZero: operator(nonZero, constantsOnly),
  Mod: operator(
    mod,
    constantInput(1, "divisor"),
    other("one divisor for all activations"),
    other("the divisor is not 0"),
  ),
  CumSum: operator(cumSum, constantInput(1, "axis")),
  Shape: operator(shapeOf),
  Size: operator((call) => [constant([], [sizeOf(call.input(0).shape)], "int64")]),
  ConstantOfShape: operator(constantOfShape, constantsOnly),
  Range: operator(rangeOf, constantsOnly),
  EyeLike: operator(eyeLike),
  OneHot: operator(
    oneHot,
    constantInput(1, "depth"),
    constantInput(2, "values"),
    other("indices that depend on the model's input are integers"),
  ),
  Cast: operator(cast, widening),
  CastLike: operator(castLike, widening),
}
