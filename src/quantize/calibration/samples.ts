/** Sample and input files: JSON in our form or EZKL's, and NumPy archives. */

import { checkArgument, checkBytes, checkList, checkText } from "../../arguments.js"
import { defaults } from "../../defaults.js"
import { FileError, InputError } from "../../errors.js"
import { sizeOf } from "../../ops/program.js"
import { fromJson } from "../../statement/strict.js"
import type { Sample } from "./calibrate.js"
import { describe, flatten, maxDepth } from "./nested.js"
import { parseNpy, parseNpz } from "./npy.js"

/** Name and shape of a model input, as Graph.inputs has them. */
export interface InputSpec {
  readonly name: string
  readonly shape: readonly number[]
}

export interface Samples {
  readonly samples: Sample[]
  /** The true class of each sample, if the file says so for all of them. */
  readonly labels: number[] | undefined
}

/**
 * One input from parsed JSON: `{ "inputs": { name: numbers } }`, or EZKL's `{ "input_data": [numbers, …] }` in
 * the order of the model's inputs; numbers are nested or flat. Throws InputError with the path of whatever
 * does not fit.
 */
export function parseInput(json: unknown, inputs: readonly InputSpec[], where = "input"): Sample {
  checkSpecs(inputs)
  const sample: Record<string, Float64Array> = Object.create(null)
  if (isRecord(json) && isRecord(json.inputs)) {
    for (const name of Object.keys(json.inputs))
      if (!inputs.some((input) => input.name === name))
        throw new InputError({
          what: `unknown input \`${name}\``,
          where,
          expected: namesOf(inputs),
          given: `\`${name}\``,
        })
    for (const { name, shape } of inputs) {
      if (!Object.hasOwn(json.inputs, name))
        throw new InputError({ what: `input \`${name}\` is missing`, where, expected: namesOf(inputs) })
      sample[name] = flatten(json.inputs[name], shape, `${where}.inputs.${name}`)
    }
    return sample
  }
  if (isRecord(json) && Array.isArray(json.input_data)) {
    const lists: readonly unknown[] = json.input_data
    if (lists.length !== inputs.length)
      throw new InputError({
        what: "the number of inputs differs",
        where: `${where}.input_data`,
        expected: `${inputs.length} (${namesOf(inputs)})`,
        given: String(lists.length),
      })
    for (const [i, { name, shape }] of inputs.entries())
      sample[name] = flatten(lists[i], shape, `${where}.input_data[${i}]`)
    return sample
  }
  throw new InputError({
    what: "not an input",
    where,
    expected: '`{ "inputs": { "<name>": [numbers] } }` or `{ "input_data": [[numbers]] }`',
    given: describe(json),
  })
}

/**
 * A samples file: a JSON array of inputs as `parseInput` takes, each with an optional `"label": n`; or `.npz`
 * with one array per input, samples along the first axis, and an optional array `labels`. Throws FileError for
 * unreadable files, InputError with the path of whatever does not fit.
 */
export function parseSamples(bytes: Uint8Array, file: string, inputs: readonly InputSpec[]): Samples {
  checkBytes(bytes, "bytes")
  checkText(file, "file")
  checkSpecs(inputs)
  checkLength(bytes, file)
  if (isArchive(bytes, file)) return fromArrays(bytes, file, inputs)
  const json = parseJson(bytes, file)
  const items: readonly unknown[] = Array.isArray(json) ? json : [json]
  checkCount(items.length, file)
  const samples = items.map((item, i) => parseInput(item, inputs, `${file}[${i}]`))
  const labels = items.map((item) => (isRecord(item) ? item.label : undefined))
  return { samples, labels: labels.every((l) => l === undefined) ? undefined : checkLabels(labels, file) }
}

/**
 * A file of labels, one whole number for each of `count` samples: `.npy`; `.npz` with an array `labels` or `y`; or JSON, a
 * list or an object with such a list in `labels` or `y`. Throws FileError for unreadable files, InputError for what does
 * not fit.
 */
export function parseLabels(bytes: Uint8Array, file: string, count: number): number[] {
  checkBytes(bytes, "bytes")
  checkText(file, "file")
  checkArgument(Number.isSafeInteger(count) && count > 0, "count", "the number of samples", count)
  checkLength(bytes, file)
  const judge = (shape: readonly number[]) => checkCount(sizeOf(shape), file)
  let found: unknown
  if (isArchive(bytes, file))
    found = Array.from(
      labelsAmong(
        parseNpz(bytes, file, (_, shape) => judge(shape)),
        file,
      )?.data ?? [],
    )
  else if (bytes[0] === 0x93 || file.endsWith(".npy")) found = Array.from(parseNpy(bytes, file, judge).data)
  else {
    const json = parseJson(bytes, file)
    found = isRecord(json) ? (json.labels ?? json.y) : json
  }
  if (!Array.isArray(found) || found.length === 0)
    throw new InputError({
      what: "there are no labels in it",
      where: file,
      expected: "a list of whole numbers, or one that is called `labels` or `y`",
      given: describe(found),
    })
  // one label a line is what a column of a table becomes
  const flat = found.map((each: unknown) => (Array.isArray(each) && each.length === 1 ? each[0] : each))
  if (flat.length !== count) throw otherCount(count, flat.length, file)
  return checkLabels(flat, file)
}

/** What arrays of labels are called. */
const labelNames: readonly string[] = ["labels", "y"]

/** The array of labels among others. @throws InputError if there are two */
function labelsAmong<T>(arrays: ReadonlyMap<string, T>, file: string): T | undefined {
  const found = labelNames.filter((name) => arrays.has(name))
  if (found.length > 1)
    throw new InputError({ what: "there are two arrays of labels", where: file, given: found.join(", ") })
  return found.length === 1 ? arrays.get(found[0]) : undefined
}

const otherCount = (expected: number, given: number, file: string): InputError =>
  new InputError({
    what: "the number of labels differs from the number of samples",
    where: file,
    expected: String(expected),
    given: String(given),
  })

const isArchive = (bytes: Uint8Array, file: string): boolean =>
  (bytes[0] === 0x50 && bytes[1] === 0x4b) || file.endsWith(".npz")

function checkLength({ length }: Uint8Array, file: string): void {
  if (length <= defaults.maxSampleBytes) return
  throw new FileError({
    what: "the file is too large",
    where: file,
    expected: `at most ${defaults.maxSampleBytes} bytes`,
    given: String(length),
  })
}

/** Samples are the largest texts: ten thousand images of 28 by 28 pixels are 8 million values. */
const sampleLimits = { characters: 2 ** 28, values: 2 ** 25 }

/**
 * The value of JSON text in UTF-8 that somebody else wrote, read as all files here are: a name that occurs twice in one
 * object, nesting beyond 64 and endless texts are refused before anything is built of them. Throws FileError naming the file.
 */
export function parseJson(bytes: Uint8Array, file: string): unknown {
  checkBytes(bytes, "bytes")
  checkText(file, "file")
  let text: string
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch (error) {
    throw new FileError({ what: "not readable as JSON", where: file, given: String(error) })
  }
  return fromJson(text, file, sampleLimits)
}

function checkSpecs(inputs: readonly InputSpec[]): void {
  checkList(inputs, "inputs")
  for (const [i, spec] of inputs.entries()) {
    const good = typeof spec?.name === "string" && Array.isArray(spec.shape)
    checkArgument(good, `inputs[${i}]`, "name and shape of an input", spec)
  }
}

function fromArrays(bytes: Uint8Array, file: string, inputs: readonly InputSpec[]): Samples {
  const arrays = parseNpz(bytes, file, (name, shape) => {
    const input = inputs.find((each) => each.name === name)
    if (input) checkCount(countOf(shape, input, file), file)
    else if (labelNames.includes(name)) checkCount(sizeOf(shape), file)
    else
      throw new InputError({
        what: `unknown array \`${name.slice(0, 100)}\``,
        where: file,
        expected: `${namesOf(inputs)}, optionally \`labels\` or \`y\``,
        given: `\`${name.slice(0, 100)}\``,
      })
  })
  const columns = inputs.map(({ name, shape }) => {
    const array = arrays.get(name)
    if (!array)
      throw new InputError({ what: `array \`${name}\` is missing`, where: file, expected: namesOf(inputs) })
    return { name, array, size: sizeOf(shape), count: countOf(array.shape, { name, shape }, file) }
  })
  const count = columns[0]?.count ?? 0
  for (const column of columns)
    if (column.count !== count)
      throw new InputError({
        what: `array \`${column.name}\` has another number of samples`,
        where: file,
        expected: String(count),
        given: String(column.count),
      })
  checkCount(count, file)
  const samples = Array.from({ length: count }, (_, i) => {
    const sample: Record<string, Float64Array> = Object.create(null)
    for (const { name, array, size } of columns) {
      sample[name] = array.data.subarray(i * size, (i + 1) * size)
      checkFinite(sample[name], `${file}, \`${name}\`, sample ${i}`)
    }
    return sample
  })
  for (const { name } of inputs) arrays.delete(name)
  const given = labelsAmong(arrays, file)
  if (given && given.data.length !== count) throw otherCount(count, given.data.length, file)
  return { samples, labels: given && checkLabels(Array.from(given.data), file) }
}

/**
 * Samples in an array: its first axis, where the rest is the input's shape with or without a leading batch
 * axis of one; or exactly one, where the whole array is the input's shape.
 */
function countOf(shape: readonly number[], input: InputSpec, file: string): number {
  const equal = (a: readonly number[], b: readonly number[]) =>
    a.length === b.length && a.every((x, i) => x === b[i])
  const [first, ...rest] = shape
  if (equal(shape, input.shape) && input.shape[0] === 1) return 1
  if (first !== undefined && equal(rest, input.shape)) return first
  if (first !== undefined && input.shape[0] === 1 && equal(rest, input.shape.slice(1))) return first
  if (equal(shape, input.shape)) return 1
  throw new InputError({
    what: `array \`${input.name}\` has the wrong shape`,
    where: file,
    expected: `[samples, ${input.shape.join(", ")}]`,
    given: `[${shape.slice(0, maxDepth).join(", ")}]`,
  })
}

function checkFinite(values: Float64Array, where: string): void {
  const bad = values.findIndex((x) => !Number.isFinite(x))
  if (bad >= 0)
    throw new InputError({
      what: "not a finite number",
      where: `${where}[${bad}]`,
      given: String(values[bad]),
    })
}

function checkCount(count: number, file: string): void {
  if (count < 1 || count > defaults.maxSamples)
    throw new InputError({
      what: "the number of samples is out of range",
      where: file,
      expected: `1 to ${defaults.maxSamples}`,
      given: String(count),
    })
}

function checkLabels(labels: readonly unknown[], file: string): number[] {
  return labels.map((label, i) => {
    if (typeof label === "number" && Number.isSafeInteger(label) && label >= 0) return label
    throw new InputError({
      what: "a label is missing or no class number",
      where: `${file}[${i}].label`,
      expected: "a whole number from 0, for every sample or for none",
      given: describe(label),
    })
  })
}

const namesOf = (inputs: readonly InputSpec[]): string => inputs.map(({ name }) => `\`${name}\``).join(", ")

const isRecord = (x: unknown): x is Record<string, unknown> =>
  typeof x === "object" && x !== null && !Array.isArray(x)
