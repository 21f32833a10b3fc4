/** Operators of ai.onnx.ml that prepare features: scaling, normalizing, choosing, joining. */
import { type FloatSteps, sizeOf } from "../../program.js"
import { diagonalMap } from "../../scaling.js"
import { absolute } from "../arithmetic.js"
import type { Builder } from "../builder.js"
import type { Call, Lowering } from "../call.js"
import { type Operators, operator, other } from "../limits.js"
import { chosen } from "../logic.js"
import { picked, positionBits } from "../positions.js"
import { windowMax, windowSum, windowsOf } from "../reduce.js"
import { indexTable, numbers, show, unsupported } from "../shapes.js"
import { constant, isConstant, isInteger, type Value } from "../values.js"
import { rowsOf } from "./classes.js"

/** An attribute with one number, or one for each feature, as one for each element of x. */
function perElement(call: Call, name: string, list: readonly number[], x: Value): Float64Array {
  const [rows, features] = rowsOf(x)
  if (list.length !== 1 && list.length !== features)
    unsupported(`attribute \`${name}\` has ${list.length} numbers, not 1 or ${features}`)
  if (!list.every(Number.isFinite)) unsupported(`attribute \`${name}\` has a number that is not finite`)
  return numbers(call.builder, rows * features).map((_, i) => list[i % list.length])
}

const asFloat = (value: Value): Value => ({ ...value, dtype: "float32" })

/** What floats make of a value, elementwise, with positive factors. */
function floatSteps(builder: Builder, x: Value, floats: FloatSteps): Value {
  const { offset, factor } = floats
  const bias = offset.map((each, i) => -each * factor[i] + 0)
  if (isConstant(x))
    return constant(
      x.shape,
      bias.map((each, i) => each + x.constant[i] * factor[i]),
    )
  builder.hold(3 * factor.length)
  const node = { kind: "linear", terms: [{ source: x.tensor, map: diagonalMap(factor) }], floats } as const
  const used = bias.some((each) => each !== 0) ? { bias } : {}
  return builder.emit({ ...node, ...used }, x.shape, "float32")
}

const scaler: Lowering = (call) => {
  const { builder } = call
  const x = call.input(0)
  const [offset, factor] = ["offset", "scale"].map((name) =>
    perElement(call, name, call.list(name) ?? unsupported(`attribute \`${name}\` is missing`), x),
  )
  const type = x.dtype === "float64" ? "float64" : "float32"
  if (factor.every((each) => each > 0))
    return [floatSteps(builder, x, { type, offset, factor, imputes: false })]
  const bias = constant(
    x.shape,
    offset.map((each, i) => -each * factor[i]),
  )
  return [
    asFloat(
      builder.combine([
        { value: x, factor },
        { value: bias, factor: 1 },
      ]),
    ),
  ]
}

/** [x = than], of two numbers. */
const equals = (builder: Builder, x: Value, than: Float64Array): Value =>
  builder.combine(
    [true, false].map((below) => ({ value: builder.compare(x, than, below, false), factor: -1 })),
    1,
  )

const imputer: Lowering = (call) => {
  const { builder } = call
  const x = call.input(0)
  const isWhole = isInteger(x.dtype)
  const [values, replaced] = isWhole
    ? ["imputed_value_int64s", "replaced_value_int64"]
    : ["imputed_value_floats", "replaced_value_float"]
  // what is meant for the other kind of input
  call.ignore("imputed_value_int64s", "replaced_value_int64", "imputed_value_floats", "replaced_value_float")
  const imputed = perElement(
    call,
    values,
    call.list(values) ?? unsupported(`attribute \`${values}\` is missing`),
    x,
  )
  const than = call.bound(replaced, 0)
  // no input of ours is NaN: where one could be, comparisons are told that it is not meant
  if (Number.isNaN(than)) {
    const size = sizeOf(x.shape)
    const steps = { offset: numbers(builder, size), factor: numbers(builder, size).fill(1) }
    const type = x.dtype === "float64" ? "float64" : "float32"
    return [{ ...floatSteps(builder, x, { type, ...steps, imputes: true }), dtype: x.dtype }]
  }
  if (!Number.isFinite(than)) unsupported(`attribute \`${replaced}\` is ${than}`)
  const isReplaced = equals(builder, x, numbers(builder, sizeOf(x.shape)).fill(than))
  return [chosen(builder, isReplaced, constant(x.shape, imputed, x.dtype), x)]
}

/** Of each row: x over the largest, the sum of magnitudes, or the root of the sum of squares; of zeros alone, zeros. */
const normalizer: Lowering = (call) => {
  const { builder } = call
  const given = call.input(0)
  const [rows, features] = rowsOf(given)
  const norm = call.choice("norm", ["MAX", "L1", "L2"])
  const x = { ...asFloat(given), shape: [rows, features] }
  const windows = windowsOf(builder, x.shape, [1], true)
  const sum = (of: Value) => windowSum(call, of, windows, numbers(builder, rows).fill(1))
  const size =
    norm === "MAX"
      ? windowMax(call, x, windows, 1)
      : norm === "L1"
        ? sum(absolute(call, x))
        : builder.root(sum(builder.product(x, x)))
  const some = builder.combine([{ value: size, factor: 1 }], 1e-30)
  return [{ ...builder.divide(x, builder.broadcast(some, x.shape)), shape: given.shape }]
}

const binarizer: Lowering = (call) => {
  const x = call.input(0)
  const than = numbers(call.builder, sizeOf(x.shape)).fill(call.number("threshold", 0))
  return [{ ...call.builder.compare(x, than, false, false), dtype: x.dtype }]
}

/** The first columns of each input, as many as it says and zeros for those that are not there. */
const featureVectorizer: Lowering = (call) => {
  const { builder } = call
  const parts = call.allInputs().map((value) => ({ value, size: rowsOf(value) }))
  const widths = call.integerList("inputdimensions") ?? []
  if (widths.length !== parts.length || widths.some((width) => width < 0))
    unsupported(`attribute \`inputdimensions\` = \`${show(widths)}\` is not one number from 0 for each input`)
  const rows = parts[0].size[0]
  if (parts.some(({ size }) => size[0] !== rows)) unsupported("inputs that differ in their rows")
  const total = widths.reduce((sum, width) => sum + width, 0)
  if (!(total > 0)) unsupported("no features")
  let start = 0
  const columns: { from: number; stride: number }[] = []
  builder.work(total)
  builder.hold(2 * total)
  parts.forEach(({ size: [, features] }, i) => {
    for (let at = 0; at < widths[i]; at++)
      columns.push({ from: at < features ? start + at : -1, stride: features })
    start += rows * features
  })
  const map = indexTable(builder, rows * total, (i) => {
    const { from, stride } = columns[i % total]
    return from < 0 ? -1 : from + Math.floor(i / total) * stride
  })
  return [
    asFloat(
      builder.move(
        parts.map(({ value }) => value),
        map,
        [rows, total],
      ),
    ),
  ]
}

/** Columns of X by their places, which may depend on the model's input. */
const arrayFeatureExtractor: Lowering = (call) => {
  const { builder } = call
  const [x, places] = [call.input(0), call.input(1)]
  const count = sizeOf(places.shape)
  if (x.shape.length === 0 || count === 0) unsupported("no columns")
  const features = x.shape[x.shape.length - 1]
  const shape = [...(x.shape.length === 1 ? [1] : x.shape.slice(0, -1)), count]
  const from = (i: number) => Math.floor(i / count) * features
  if (isConstant(places)) {
    const wrong = places.constant.find((at) => !(Number.isInteger(at) && at >= 0 && at < features))
    if (wrong !== undefined) unsupported(`column ${wrong} of ${features}`)
    const map = indexTable(builder, sizeOf(shape), (i) => from(i) + places.constant[i % count])
    return [builder.move([x], map, shape)]
  }
  const bits = positionBits(builder, places, features)
  return [
    picked(
      builder,
      bits,
      features,
      x,
      shape,
      (i) => i % count,
      (i, d) => from(i) + d,
    ),
  ]
}

/** A column for each category, 1 where the number, without its fraction, is that. */
const oneHotEncoder: Lowering = (call) => {
  const { builder } = call
  const x = call.input(0)
  call.ignore("zeros")
  const categories = call.integerList("cats_int64s") ?? []
  if (call.attribute("cats_strings") !== undefined) unsupported("categories that are strings")
  if (categories.length === 0) unsupported("attribute `cats_int64s` is missing")
  const [size, count] = [sizeOf(x.shape), categories.length]
  const shape = [...x.shape, count]
  const spread = builder.move(
    [x],
    indexTable(builder, size * count, (i) => Math.floor(i / count)),
    shape,
  )
  // a number is truncated to c from c on if c is positive, up to it if that is negative, and to 0 between −1 and 1
  const than = (bound: (category: number) => number) =>
    numbers(builder, size * count).map((_, i) => bound(categories[i % count]))
  const isFloat = !isInteger(x.dtype)
  const least = than((c) => (isFloat && c <= 0 ? c - 1 : c))
  const end = than((c) => (isFloat && c < 0 ? c : c + 1))
  return [bitsBetween(builder, spread, categories, least, end, isFloat)]
}

/** [least ≤ x < end], or of floats and categories up to 0 with the bounds open or closed as truncation has them. */
function bitsBetween(
  builder: Builder,
  x: Value,
  categories: readonly number[],
  least: Float64Array,
  end: Float64Array,
  isFloat: boolean,
): Value {
  const count = categories.length
  const of = (test: (category: number) => boolean) =>
    Float64Array.from(least, (_, i) => (test(categories[i % count]) ? 1 : 0))
  const below = (than: Float64Array) => builder.compare(x, than, true, false)
  const above = (than: Float64Array) => builder.compare(x, than, false, false)
  const bits = [
    { value: below(end), factor: of((c) => !isFloat || c >= 0) },
    { value: above(end), factor: of((c) => isFloat && c < 0).map((one) => -one) },
    { value: below(least), factor: of((c) => !isFloat || c > 0).map((one) => -one) },
    { value: above(least), factor: of((c) => isFloat && c <= 0) },
  ].filter(({ factor }) => factor.some((each) => each !== 0))
  // [above least] − [above end] for negatives; [above least] + [below end] − 1 at zero; [below end] − [below least] else
  const offset = of((c) => isFloat && c === 0).map((one) => -one)
  return asFloat(
    builder.combine([
      ...bits.map(({ value, factor }) => ({ value: { ...value, dtype: "float32" as const }, factor })),
      { value: constant(x.shape, offset), factor: 1 },
    ]),
  )
}

export const featureOperators: Operators = {
  Scaler: operator(scaler),
  Imputer: operator(imputer, other("a `replaced_value_float` of NaN changes nothing: no input is NaN")),
  Normalizer: operator(normalizer),
  Binarizer: operator(binarizer),
  FeatureVectorizer: operator(featureVectorizer),
  ArrayFeatureExtractor: operator(arrayFeatureExtractor),
  OneHotEncoder: operator(oneHotEncoder, other("categories are integers")),
}
