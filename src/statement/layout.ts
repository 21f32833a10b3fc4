/**
 * The layout of a model's public side: names, shapes, ranges and visibility of its inputs and outputs, in
 * the one order that statements, words and public signals follow. It is part of the verification key.
 */
import { checkThing } from "../arguments.js"
import { type Labels, parseLabels } from "./labels.js"
import { parseRanks, type RanksLayout, rankBits } from "./ranks.js"
import { array, fail, fields, object, oneOf, type TextLimits } from "./strict.js"

/** Largest absolute value of a public integer: doubles, int256 and the field all hold it exactly. */
export const maxInteger = 2n ** 52n

/** Most elements that the public tensors of one statement may have together. */
export const maxValues = 2 ** 22

/** Most bits of an integer; the fewest elements that a word of 248 bits then holds are four. */
export const maxBits = 53

/** Shown in the statement, hidden behind a commitment in the statement, or not in the statement at all. */
export type Visibility = "hidden" | "public" | "committed"

/** A tensor of the public side: real value ≈ scale · integer, and lo ≤ integer < lo + 2^bits. */
export interface TensorLayout {
  readonly name: string
  readonly shape: readonly number[]
  readonly scale: number
  readonly lo: number
  readonly bits: number
}

export interface InputLayout extends TensorLayout {
  readonly visibility: Visibility
  /** Of an input whose integers are ranks: scale is 1 and lo is 0, and they say nothing of its numbers. */
  readonly ranks?: RanksLayout
}

/** Outputs are what a proof is about, so they are never hidden altogether. */
export interface OutputLayout extends TensorLayout {
  readonly visibility: Exclude<Visibility, "hidden">
  /** What its integers or its columns are called. */
  readonly labels?: Labels
}

/** All inputs share one visibility. Outputs may have two: those that are public come first, then those committed to. */
export interface Layout {
  readonly inputs: readonly InputLayout[]
  readonly outputs: readonly OutputLayout[]
}

/** Number of elements of a shape; a scalar has one. */
export const count = (shape: readonly number[]): number => shape.reduce((product, d) => product * d, 1)

/** Characters that a receipt may have beside its values and names: points, digests, and white space to be read. */
const fixedText = 2 ** 14
/** What a value may take with quotes, comma and white space: twenty levels of indentation leave room. */
const valueText = 80

/** The longest receipt that a layout has room for, generously: what is longer is no receipt of this key. */
export function receiptLimits({ inputs, outputs }: Layout): TextLimits {
  const shown = [...outputs, ...inputs].filter(({ visibility }) => visibility === "public")
  const values = elementCount(shown)
  // a character of a name takes six where it is escaped
  const names = shown.reduce((sum, { name }) => sum + 6 * name.length + valueText, 0)
  return { characters: fixedText + names + valueText * values, values: 256 + 4 * shown.length + values }
}

/** Number of elements of some tensors. */
export const elementCount = (tensors: readonly TensorLayout[]): number =>
  tensors.reduce((sum, { shape }) => sum + count(shape), 0)

/** The visibility that all inputs share; a model without inputs hides nothing, and says `hidden`. */
export const inputVisibility = ({ inputs }: Layout): Visibility => inputs[0]?.visibility ?? "hidden"

/**
 * `committed` if the outputs have a commitment, whatever else of them is public. The last output tells, because public
 * ones come first; the escrow, which sees but the end of the canonical JSON, rests on that order.
 */
export const outputVisibility = ({ outputs }: Layout): OutputLayout["visibility"] =>
  outputs[outputs.length - 1].visibility

/** The inputs whose values are public, in layout order: all of them or none. */
export const publicInputs = (layout: Layout): readonly InputLayout[] =>
  inputVisibility(layout) === "public" ? layout.inputs : []

const rankFields = ({ type, missing, edges }: RanksLayout): RanksLayout => ({ type, missing, edges })
const labelFields = ({ of, names }: Labels): Labels => ({ of, names })

/** The outputs whose values are public, which are the first ones. */
export const publicOutputs = ({ outputs }: Layout): readonly OutputLayout[] =>
  outputs.filter(({ visibility }) => visibility === "public")

/** Canonical JSON of a layout: fixed field order, no white space, numbers as ECMAScript writes them. */
export function layoutJson(layout: Layout): string {
  checkThing("layout", layout, "layout")
  const { inputs, outputs } = layout
  // visibility is the last field of an output, so that whoever sees but the end of all sees that of the last one
  const input = ({ name, shape, scale, lo, bits, visibility, ranks }: InputLayout) => ({
    name,
    shape,
    scale,
    lo,
    bits,
    visibility,
    ...(ranks && { ranks: rankFields(ranks) }),
  })
  const output = ({ name, shape, scale, lo, bits, visibility, labels }: OutputLayout) => ({
    name,
    shape,
    scale,
    lo,
    bits,
    ...(labels && { labels: labelFields(labels) }),
    visibility,
  })
  return JSON.stringify({ inputs: inputs.map(input), outputs: outputs.map(output) })
}

/**
 * Reads a layout strictly.
 * @throws FileError naming the path of the first malformed element.
 */
export function parseLayout(value: unknown, path: string): Layout {
  const given = fields(value, path, ["inputs", "outputs"])
  const layout: Layout = {
    inputs: parseGroup(
      given.inputs,
      `${path}.inputs`,
      ["hidden", "public", "committed"],
      "ranks",
      (value, at, t) => {
        const { scale, lo, bits, shape } = t
        const elements = count(shape)
        if (elements > maxValues)
          fail(`${at}.shape`, { what: "too many ranks", expected: `at most ${maxValues}` })
        const ranks = parseRanks(value, `${at}.ranks`, elements)
        if (scale !== 1 || lo !== 0 || bits !== rankBits(ranks))
          fail(at, {
            what: "ranks are whole numbers from 0 to the most edges of an element",
            expected: `scale 1, lo 0, bits ${rankBits(ranks)}`,
            given: `scale ${scale}, lo ${lo}, bits ${bits}`,
          })
        return { ranks }
      },
    ),
    outputs: parseGroup(
      given.outputs,
      `${path}.outputs`,
      ["public", "committed"],
      "labels",
      (value, at, t) => ({
        labels: parseLabels(value, `${at}.labels`, t.shape),
      }),
    ),
  }
  if (layout.outputs.length === 0) fail(`${path}.outputs`, { what: "a model has at least one output" })
  const input = layout.inputs.findIndex((t) => t.visibility !== layout.inputs[0].visibility)
  if (input > 0)
    fail(`${path}.inputs[${input}].visibility`, {
      what: "the inputs differ in visibility",
      expected: layout.inputs[0].visibility,
      given: layout.inputs[input].visibility,
    })
  const output = layout.outputs.findIndex(
    ({ visibility }, i) => visibility === "public" && layout.outputs[i - 1]?.visibility === "committed",
  )
  if (output > 0)
    fail(`${path}.outputs[${output}].visibility`, {
      what: "public outputs come before those committed to",
      expected: "committed",
      given: "public",
    })
  const shown = [...layout.inputs, ...layout.outputs].filter((t) => t.visibility === "public")
  if (elementCount(shown) > maxValues)
    fail(path, { what: "too many public values", expected: `at most ${maxValues}` })
  return layout
}

/** Reads tensors, each of which may have one field more, of the name `optional`, that `read` reads. */
function parseGroup<V extends Visibility, More>(
  value: unknown,
  path: string,
  visibilities: readonly V[],
  optional: string,
  read: (value: unknown, path: string, tensor: TensorLayout) => More,
): readonly (TensorLayout & { readonly visibility: V } & Partial<More>)[] {
  const tensors = Array.from(array(value, path), (tensor, i) => {
    const at = `${path}[${i}]`
    const names = ["name", "shape", "scale", "lo", "bits", "visibility"] as const
    const hasMore = Object.hasOwn(object(tensor, at), optional)
    const t: Record<string, unknown> = fields(tensor, at, hasMore ? [...names, optional] : names)
    const parsed = {
      name: parseName(t.name, `${at}.name`),
      shape: parseShape(t.shape, `${at}.shape`),
      scale: parseScale(t.scale, `${at}.scale`),
      lo: parseLo(t.lo, `${at}.lo`),
      bits: parseBits(t.bits, `${at}.bits`),
      visibility: oneOf(t.visibility, `${at}.visibility`, visibilities),
    }
    return hasMore ? { ...parsed, ...read(t[optional], at, parsed) } : parsed
  })
  if (new Set(tensors.map((t) => t.name)).size !== tensors.length)
    fail(path, { what: "two tensors have the same name" })
  return tensors as (TensorLayout & { readonly visibility: V } & Partial<More>)[]
}

const maxName = 1024
const maxRank = 32

function parseName(value: unknown, path: string): string {
  if (typeof value !== "string" || value.length === 0 || value.length > maxName)
    fail(path, { what: "not a tensor name", expected: `a string of 1 to ${maxName} characters` })
  return value
}

function parseShape(value: unknown, path: string): readonly number[] {
  const given = array(value, path)
  if (given.length > maxRank) fail(path, { what: "too many dimensions", expected: `at most ${maxRank}` })
  return Array.from(given, (d, i) => {
    if (typeof d !== "number" || !Number.isSafeInteger(d) || d < 1 || d > maxValues)
      fail(`${path}[${i}]`, { what: "not a dimension", expected: `an integer from 1 to ${maxValues}` })
    return d
  })
}

function parseScale(value: unknown, path: string): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value <= 0)
    fail(path, { what: "not a scale", expected: "a positive finite number" })
  return value
}

function parseLo(value: unknown, path: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || Object.is(value, -0))
    fail(path, { what: "not a least value", expected: "an integer that a double holds exactly" })
  return value
}

function parseBits(value: unknown, path: string): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > maxBits)
    fail(path, { what: "not a number of bits", expected: `an integer from 1 to ${maxBits}` })
  return value
}
