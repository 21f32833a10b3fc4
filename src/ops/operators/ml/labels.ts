/** Operators of ai.onnx.ml that translate labels. Strings are places of their names, here as everywhere (classes.ts). */
import { sizeOf } from "../../program.js"
import type { Call, Lowering } from "../call.js"
import { type Operators, operator, other } from "../limits.js"
import { mostBits } from "../positions.js"
import { indexTable, numbers, unsupported } from "../shapes.js"
import { constant, isConstant, isIntegral, type Value } from "../values.js"

/** Where a step function changes: from `than` on, or only above it, and by how much. */
interface Change {
  readonly than: number
  readonly above: boolean
  readonly by: number
}

/** The changes of a function that is values[i] at keys[i], the first of equal ones, and else `fallback`. */
function changesOf(
  keys: readonly number[],
  values: readonly number[],
  fallback: number,
  isWhole: boolean,
): Change[] {
  const known = new Map<number, number>()
  keys.forEach((key, i) => {
    if (!known.has(key + 0)) known.set(key + 0, values[i])
  })
  const changes: Change[] = []
  let [last, end] = [fallback, Number.NaN]
  for (const [key, value] of [...known].sort(([a], [b]) => a - b)) {
    // no input is NaN
    if (Number.isNaN(key)) continue
    if (end < key) {
      changes.push({ than: end, above: false, by: fallback - last })
      last = fallback
    }
    changes.push({ than: key, above: false, by: value - last })
    if (isWhole) [last, end] = [value, key + 1]
    else changes.push({ than: key, above: true, by: fallback - value })
  }
  if (isWhole && known.size > 0) changes.push({ than: end, above: false, by: fallback - last })
  return changes.filter(({ by }) => by !== 0)
}

/** A number for each key that x is, and `fallback` for whatever else it is. */
function translated(
  call: Call,
  x: Value,
  keys: readonly number[],
  values: readonly number[],
  fallback: number,
): Value {
  const { builder } = call
  if (keys.length !== values.length) unsupported(`${keys.length} keys and ${values.length} values`)
  if (![...values, fallback].every(Number.isFinite)) unsupported("a value that is not a finite number")
  if (isConstant(x)) {
    const found = new Map(keys.map((key, i) => [key, values[i]] as const).reverse())
    return constant(
      x.shape,
      x.constant.map((each) => found.get(each) ?? fallback),
      x.dtype,
    )
  }
  const size = sizeOf(x.shape)
  const changes = changesOf(keys, values, fallback, isIntegral(x))
  if (size * changes.length > mostBits)
    unsupported(`${size * changes.length} comparisons with keys (at most ${mostBits})`)
  const integral = [...values, fallback].every(Number.isInteger)
  const bias = numbers(builder, size).fill(fallback)
  const terms = [true, false].flatMap((above) => {
    const some = changes.filter((change) => change.above === above)
    if (some.length === 0) return []
    const count = some.length
    const spread = builder.move(
      [x],
      indexTable(builder, size * count, (i) => Math.floor(i / count)),
      [size, count],
    )
    const than = numbers(builder, size * count).map((_, i) => some[i % count].than)
    // from a number on is not below it
    const bits = builder.compare(spread, than, !above, false)
    if (isConstant(bits)) return unsupported("keys of constants")
    const sign = above ? 1 : -1
    if (!above) for (let i = 0; i < size; i++) for (const { by } of some) bias[i] += by
    const weights = numbers(builder, size * count).map((_, i) => sign * some[i % count].by)
    const rowPtr = Uint32Array.from({ length: size + 1 }, (_, i) => i * count)
    const columns = Uint32Array.from({ length: size * count }, (_, i) => i)
    builder.hold(2 * size * count)
    return [{ source: bits.tensor, map: { kind: "sparse", rowPtr, columns, values: weights } as const }]
  })
  const node = { kind: "linear", terms, bias, ...(integral && { unit: 1 }) } as const
  return builder.emit(node, x.shape, "float32", integral)
}

/** Names with their places, each once. */
function placesOf(names: readonly string[]): {
  readonly names: readonly string[]
  readonly places: readonly number[]
} {
  const known = new Map<string, number>()
  const places = names.map((name) => {
    const place = known.get(name) ?? known.size
    known.set(name, place)
    return place
  })
  return { names: [...known.keys()], places }
}

type List = readonly number[] | readonly string[]
const isText = (list: List): list is readonly string[] => typeof list[0] === "string"

/** Translates x by lists of keys and values, of numbers or strings. */
function encoded(call: Call, x: Value, keys: List, values: List, fallback: number | string): Value {
  const names = isConstant(x) ? undefined : x.labels
  let known = keys as readonly number[]
  if (isText(keys)) {
    if (names?.of !== "values") return unsupported("strings that are no labels of a classifier")
    const places = new Map(names.names.map((name, i) => [name, i]))
    // what is not among the labels is never met
    known = keys.map((key, i) => places.get(key) ?? names.names.length + i)
  } else if (names?.of === "values") return unsupported("numbers as keys of strings")
  if (!isText(values)) {
    const made = translated(call, x, known, values, Number(fallback))
    const isWhole = [...values, Number(fallback)].every(Number.isInteger)
    return { ...made, dtype: isWhole && !isConstant(made) && made.integral ? "int64" : "float32" }
  }
  const all = placesOf([...values, String(fallback)])
  const made = translated(call, x, known, all.places.slice(0, -1), all.places[values.length])
  if (isConstant(made)) return unsupported("strings as constants")
  return { ...made, dtype: "string", labels: { of: "values", names: all.names } }
}

/** The one of an attribute's kinds that is given. */
function listOf(call: Call, role: "keys" | "values"): { readonly list: List; readonly kind: string } {
  const found = ["int64s", "floats", "strings", "tensor"].flatMap((kind) => {
    const value = call.attribute(`${role}_${kind}`)
    if (value === undefined) return []
    if (typeof value === "object" && "data" in value) return [{ kind, list: Array.from(value.data) }]
    return Array.isArray(value) && value.length > 0 ? [{ kind, list: value as List }] : []
  })
  return found.length === 1 ? found[0] : unsupported(`${found.length} attributes \`${role}_…\`, not one`)
}

const labelEncoder: Lowering = (call) => {
  const x = call.input(0)
  if (call.attribute("classes_strings") !== undefined) return [encodedByPlace(call, x)]
  const [keys, values] = [listOf(call, "keys"), listOf(call, "values")]
  call.ignore("default_int64", "default_float", "default_string", "default_tensor")
  const given = call.attribute("default_tensor")
  const listed =
    given !== undefined && typeof given === "object"
      ? "data" in given
        ? given.data[0]
        : Array.isArray(given)
          ? (given[0] as string | number)
          : call.refuse("default_tensor", given)
      : undefined
  const isNumber = !isText(values.list)
  const fallback = isNumber
    ? values.kind === "floats"
      ? call.bound("default_float", 0)
      : call.bound("default_int64", -1)
    : (call.attribute("default_string") ?? "_Unused")
  return [
    encoded(
      call,
      x,
      keys.list,
      values.list,
      (values.kind === "tensor" ? listed : undefined) ?? (fallback as number),
    ),
  ]
}

/** Before version 2 of the domain: strings by their places, or places by strings. */
function encodedByPlace(call: Call, x: Value): Value {
  const names = call.attribute("classes_strings") as readonly string[]
  call.ignore("default_int64", "default_string")
  const places = names.map((_, i) => i)
  const isString = !isConstant(x) && x.labels?.of === "values"
  return isString
    ? encoded(call, x, names, places, call.integer("default_int64", -1))
    : encoded(call, x, places, names, String(call.attribute("default_string") ?? "_Unused"))
}

const categoryMapper: Lowering = (call) => {
  const x = call.input(0)
  const integers = call.integerList("cats_int64s") ?? []
  const names = call.attribute("cats_strings")
  if (!Array.isArray(names)) return unsupported("attribute `cats_strings` is missing")
  call.ignore("default_int64", "default_string")
  const isString = !isConstant(x) && x.labels?.of === "values"
  return [
    isString
      ? encoded(call, x, names.map(String), integers, call.integer("default_int64", -1))
      : encoded(call, x, integers, names.map(String), String(call.attribute("default_string") ?? "_Unused")),
  ]
}

const noStrings = other("strings are labels that the model itself has given")

export const labelOperators: Operators = {
  LabelEncoder: operator(labelEncoder, noStrings),
  CategoryMapper: operator(categoryMapper, noStrings),
}
