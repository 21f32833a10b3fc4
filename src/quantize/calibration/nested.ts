/** Inputs as callers have them, flat or nested like their shape, brought to one form: flat and row-major. */
import { checkList, checkRecord, kindOf } from "../../arguments.js"
import { InputError } from "../../errors.js"
import { type Program, sizeOf } from "../../ops/program.js"
import { checkSamples, type Sample } from "./calibrate.js"

/** Deepest nesting of a list of values. */
export const maxDepth = 16

/** Values of an input, flat or nested like its shape, as parsed JSON has them. */
export type Nested = ArrayLike<number> | readonly Nested[]

/** The same inputs with every nested list flat. @throws InputError for one that does not have its input's shape */
export function flatInputs(
  { inputs, tensors }: Pick<Program, "inputs" | "tensors">,
  given: Readonly<Record<string, Nested>>,
  where: string,
): Sample {
  checkRecord(given, where, "an object with the values of each input by name")
  const isNested = (values: unknown) => Array.isArray(values) && values.some(Array.isArray)
  if (!Object.values(given).some(isNested)) return given as Sample
  const shapes = new Map(inputs.map(({ name, tensor }) => [name, tensors[tensor].shape]))
  const flat = Object.entries(given).map(([name, values]) => {
    const shape = shapes.get(name)
    return [name, shape && isNested(values) ? flatten(values, shape, `${where}, \`${name}\``) : values]
  })
  // defines own properties, so that an input called "__proto__" stays one
  return Object.fromEntries(flat)
}

/** As `flatInputs` for samples, each checked. @throws InputError for one that does not fit; UsageError for none */
export function flatSamples(
  program: Pick<Program, "inputs" | "tensors">,
  given: readonly Readonly<Record<string, Nested>>[],
): Sample[] {
  checkList(given, "samples")
  const samples = given.map((sample, i) => flatInputs(program, sample, `sample ${i}`))
  checkSamples(program, samples)
  return samples
}

/**
 * Numbers in row-major order. A flat list needs as many as the shape has; a nested one must have the shape
 * itself, but for axes of one, so that channels-last data is refused where channels come first.
 */
export function flatten(value: unknown, shape: readonly number[], where: string): Float64Array {
  const size = sizeOf(shape)
  const out = new Float64Array(size)
  const path: number[] = []
  const lengths: number[] = []
  const fail = (what: string, expected?: string, given?: string): never => {
    const at = where + path.map((i) => `[${i}]`).join("")
    throw new InputError({ what, where: at, ...(expected && { expected }), ...(given && { given }) })
  }
  let count = 0
  const visit = (item: unknown, depth: number): void => {
    if (Array.isArray(item)) {
      // lists within lists are as deep everywhere as where the first number stood
      if (count > 0 && depth >= lengths.length) fail("not a finite number", undefined, describe(item))
      if (depth === maxDepth) fail(`nested deeper than ${maxDepth} lists`)
      lengths[depth] ??= item.length
      if (lengths[depth] !== item.length)
        fail("lists of unequal length", String(lengths[depth]), String(item.length))
      for (let i = 0; i < item.length; i++) {
        path[depth] = i
        visit(item[i], depth + 1)
      }
      path.length = depth
      return
    }
    // EZKL writes truth values into its inputs as they are.
    const x = typeof item === "boolean" ? Number(item) : item
    if (typeof x !== "number" || !Number.isFinite(x) || depth !== lengths.length)
      fail("not a finite number", depth === lengths.length ? undefined : "a list", describe(item))
    else if (count < size) out[count] = x
    count++
  }
  visit(value, 0)
  const given = lengths.filter((length) => length !== 1)
  const expected = shape.filter((length) => length !== 1)
  if (count !== size || (given.length > 1 && given.join() !== expected.join()))
    fail(
      "the values do not fit the shape",
      `${size} numbers, flat or of shape [${shape.join(", ")}]`,
      `${count} of shape [${lengths.join(", ")}]`,
    )
  return out
}

/** A value for a message: the start of it as JSON has it, or what it is. */
export const describe = (x: unknown): string =>
  x === null || ["string", "number", "boolean"].includes(typeof x)
    ? `\`${(typeof x === "string" ? JSON.stringify(x.slice(0, 60)) : String(x)).slice(0, 60)}\``
    : kindOf(x)
