/**
 * What a proof says: this model, run on this input in this context, gave this output. Here, and nowhere
 * else, are the order of the public signals, the range of a public integer and the context signal.
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js"
import { UsageError } from "../errors.js"
import { mod, r } from "../field.js"
import { array, bytes32, fail, fields, integer, object, oneOf } from "./strict.js"

/** Largest absolute value of a public integer: doubles, int256 and the field all hold it exactly. */
export const maxInteger = 2n ** 52n

/** Most elements that the public tensors of one statement may have together. */
export const maxValues = 2 ** 22

export type Visibility = "hidden" | "public"

/** A model's output: real value ≈ scale · integer. */
export interface OutputLayout {
  readonly name: string
  readonly shape: readonly number[]
  readonly scale: number
}

/** A model's input; only the values of a `public` one appear in the statement. */
export interface InputLayout extends OutputLayout {
  readonly visibility: Visibility
}

/** Names, shapes and order of the tensors a statement speaks of; part of the verification key. */
export interface Layout {
  readonly inputs: readonly InputLayout[]
  readonly outputs: readonly OutputLayout[]
}

/** Per tensor the model's integers as canonical decimal strings, flat in row-major order. */
export type Values = Readonly<Record<string, readonly string[]>>

/** The public claim. `input` is public when at least one input of the layout is. */
export interface Statement {
  /** Digest of the integer model, 0x and 64 lower-case hexadecimal digits. */
  readonly model: string
  /** The caller's 32 bytes (chain, contract, request, operator), in the same form. */
  readonly context: string
  readonly input:
    | { readonly visibility: "hidden" }
    | { readonly visibility: "public"; readonly values: Values }
  readonly output: { readonly values: Values }
}

/** Number of elements of a shape; a scalar has one. */
export const count = (shape: readonly number[]): number => shape.reduce((product, d) => product * d, 1)

/** The inputs whose values are public, in layout order. */
export const publicInputs = (layout: Layout): readonly InputLayout[] =>
  layout.inputs.filter((input) => input.visibility === "public")

/** Number of output elements, the first public signals. */
export const outputCount = (layout: Layout): number =>
  layout.outputs.reduce((sum, output) => sum + count(output.shape), 0)

/** Number of public signals of a layout: outputs, one for the context, public inputs. */
export const signalCount = (layout: Layout): number =>
  publicInputs(layout).reduce((sum, input) => sum + count(input.shape), outputCount(layout) + 1)

/** The context's public signal, keccak256(context) mod r: hashed, so that no two contexts can be made equal. */
export function contextSignal(context: string): bigint {
  return BigInt(`0x${bytesToHex(keccak_256(hexToBytes(context.slice(2))))}`) % r
}

/**
 * The integers of one tensor group in layout order.
 * @throws UsageError unless `values` has exactly the names and counts of `tensors`.
 */
export function flatten(values: Values, tensors: readonly OutputLayout[], where: string): bigint[] {
  const problem = mismatch(values, tensors, where)
  if (problem !== null) throw new UsageError({ what: problem })
  return tensors.flatMap((tensor) => values[tensor.name].map(BigInt))
}

/**
 * The public signals of a statement in [0, r): all outputs in layout order, the context signal, the public
 * inputs in layout order; a negative integer x is r + x. The circuit's public wires have the same order.
 * @throws UsageError when the statement does not fit the layout.
 */
export function publicSignals(statement: Statement, layout: Layout): bigint[] {
  const { input, output } = statement
  return [
    ...flatten(output.values, layout.outputs, "output"),
    contextSignal(statement.context),
    ...flatten(input.visibility === "public" ? input.values : {}, publicInputs(layout), "input"),
  ].map((signal) => mod(signal))
}

/** Why a statement does not have the shape of a layout, or null. */
export function shapeProblem(statement: Statement, layout: Layout): string | null {
  const expected = publicInputs(layout).length > 0 ? "public" : "hidden"
  if (statement.input.visibility !== expected)
    return `the statement's input is ${statement.input.visibility}, the key's is ${expected}`
  return (
    mismatch(statement.output.values, layout.outputs, "output") ??
    (statement.input.visibility === "public"
      ? mismatch(statement.input.values, publicInputs(layout), "input")
      : null)
  )
}

function mismatch(values: Values, tensors: readonly OutputLayout[], where: string): string | null {
  for (const { name, shape } of tensors) {
    if (!Object.hasOwn(values, name)) return `${where} ${JSON.stringify(name)} is missing`
    if (values[name].length !== count(shape))
      return `${where} ${JSON.stringify(name)} has ${values[name].length} values, expected ${count(shape)}`
  }
  const extra = Object.keys(values).find((name) => !tensors.some((tensor) => tensor.name === name))
  return extra === undefined ? null : `${where} ${JSON.stringify(extra)} is not one of the model's`
}

/**
 * Reads a statement strictly.
 * @throws FileError naming the path of the first malformed element.
 */
export function parseStatement(value: unknown, path: string): Statement {
  const given = fields(value, path, ["model", "context", "input", "output"])
  const budget = { values: maxValues }
  return {
    model: bytes32(given.model, `${path}.model`),
    context: bytes32(given.context, `${path}.context`),
    input: parseInput(given.input, `${path}.input`, budget),
    output: {
      values: parseValues(
        fields(given.output, `${path}.output`, ["values"]).values,
        `${path}.output.values`,
        budget,
      ),
    },
  }
}

function parseInput(value: unknown, path: string, budget: { values: number }): Statement["input"] {
  const visibility = oneOf(object(value, path).visibility, `${path}.visibility`, ["hidden", "public"])
  if (visibility === "hidden") {
    fields(value, path, ["visibility"])
    return { visibility }
  }
  const given = fields(value, path, ["visibility", "values"])
  return { visibility, values: parseValues(given.values, `${path}.values`, budget) }
}

function parseValues(value: unknown, path: string, budget: { values: number }): Values {
  // Object.fromEntries defines own properties, so a tensor named "__proto__" stays a tensor.
  return Object.fromEntries(
    Object.entries(object(value, path)).map(([name, list]) => {
      const at = `${path}[${JSON.stringify(name)}]`
      const elements = array(list, at)
      budget.values -= elements.length
      if (budget.values < 0) fail(at, { what: "too many values", expected: `at most ${maxValues} in all` })
      return [name, Array.from(elements, (x, i) => `${integer(x, `${at}[${i}]`, -maxInteger, maxInteger)}`)]
    }),
  )
}

const maxName = 1024
const maxRank = 32

/**
 * Reads a layout strictly.
 * @throws FileError naming the path of the first malformed element.
 */
export function parseLayout(value: unknown, path: string): Layout {
  const given = fields(value, path, ["inputs", "outputs"])
  const tensor = (t: Record<keyof OutputLayout, unknown>, at: string): OutputLayout => ({
    name: parseName(t.name, `${at}.name`),
    shape: parseShape(t.shape, `${at}.shape`),
    scale: parseScale(t.scale, `${at}.scale`),
  })
  const layout: Layout = {
    inputs: Array.from(array(given.inputs, `${path}.inputs`), (value, i) => {
      const at = `${path}.inputs[${i}]`
      const t = fields(value, at, ["name", "shape", "scale", "visibility"])
      return {
        ...tensor(t, at),
        visibility: oneOf(t.visibility, `${at}.visibility`, ["hidden", "public"] as const),
      }
    }),
    outputs: Array.from(array(given.outputs, `${path}.outputs`), (value, i) => {
      const at = `${path}.outputs[${i}]`
      return tensor(fields(value, at, ["name", "shape", "scale"]), at)
    }),
  }
  if (layout.outputs.length === 0) fail(`${path}.outputs`, { what: "a model has at least one output" })
  for (const group of ["inputs", "outputs"] as const)
    if (new Set(layout[group].map((t) => t.name)).size !== layout[group].length)
      fail(`${path}.${group}`, { what: "two tensors have the same name" })
  if (signalCount(layout) > maxValues)
    fail(path, { what: "too many public values", expected: `at most ${maxValues}` })
  return layout
}

function parseName(value: unknown, path: string): string {
  if (typeof value !== "string" || value.length === 0 || value.length > maxName)
    fail(path, { what: "not a tensor name", expected: `a string of 1 to ${maxName} characters` })
  return value
}

function parseShape(value: unknown, path: string): readonly number[] {
  const shape = Array.from(array(value, path), (d, i) => {
    if (typeof d !== "number" || !Number.isSafeInteger(d) || d < 1 || d > maxValues)
      fail(`${path}[${i}]`, { what: "not a dimension", expected: `an integer from 1 to ${maxValues}` })
    return d
  })
  if (shape.length > maxRank) fail(path, { what: "too many dimensions", expected: `at most ${maxRank}` })
  return shape
}

function parseScale(value: unknown, path: string): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value <= 0)
    fail(path, { what: "not a scale", expected: "a positive finite number" })
  return value
}
