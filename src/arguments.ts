/**
 * What callers pass to public functions. TypeScript tells most mistakes; who writes JavaScript, or has `any`
 * from somewhere, gets a UsageError that names the parameter, what it should be and what it is, instead of a
 * TypeError from deep inside. Only the outer shape is looked at: what is in a value is checked where it is read.
 */
import { UsageError } from "./errors.js"

const isList = Array.isArray
const isText = (x: unknown) => typeof x === "string"
const isRecord = (x: unknown): x is Record<string, unknown> =>
  typeof x === "object" && x !== null && !isList(x) && !ArrayBuffer.isView(x)

const isProvenance = (x: unknown) => isText(x) || isRecord(x)
const isFunction = (x: unknown) => typeof x === "function"
const isMap = (x: unknown) => x instanceof Map
const isMissing = (x: unknown) => x === undefined

/** The things that this library hands from one function to the next, told by the fields they have. */
const things = {
  keys: {
    is: "the keys of a setup, of which one is to be chosen",
    has: { provingKey: ArrayBuffer.isView, verificationKey: isRecord },
  },
  circuit: {
    is: "a compiled circuit (`compile`)",
    has: { linked: isRecord, layout: isRecord, graph: isRecord, proofSystem: isText },
  },
  verificationKey: {
    is: "a verification key",
    has: { layout: isRecord, points: isRecord, setup: isProvenance },
  },
  receipt: { is: "a receipt", has: { statement: isRecord, proof: isRecord } },
  graph: {
    is: "a float graph (`importOnnx`, `importTfjs`, `importKeras`)",
    has: { nodes: isList, inputs: isList, outputs: isList, constants: isMap },
  },
  model: {
    is: "an integer model (`quantize`)",
    has: { precision: Number.isFinite, nodes: isList, inputs: isList, outputs: isList, tensors: isList },
  },
  program: {
    is: "a lowered model (`lower`)",
    has: { nodes: isList, inputs: isList, outputs: isList, tensors: isList, precision: isMissing },
  },
  layout: { is: "a layout", has: { inputs: isList, outputs: isList, nodes: isMissing } },
  statement: {
    is: "a statement",
    has: { model: isText, context: isText, input: isRecord, output: isRecord },
  },
  r1cs: { is: "a constraint system", has: { a: isRecord, b: isRecord, c: isRecord, values: isList } },
  witness: { is: "a witness", has: { small: ArrayBuffer.isView, large: isMap } },
  source: { is: "a source of bytes", has: { size: Number.isFinite, read: isFunction } },
} satisfies Record<string, { is: string; has: Record<string, (x: unknown) => boolean> }>
export type Thing = keyof typeof things

const isThing = (thing: Thing, value: unknown): boolean =>
  isRecord(value) && Object.entries(things[thing].has).every(([name, test]) => test(value[name]))

/** What a value is, in words. */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null) return `${value}`
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (isList(value)) return `an array of ${value.length}`
  if (typeof value === "object") {
    if (isFunction((value as { then?: unknown }).then)) return "a promise, which is to be awaited"
    const thing = (Object.keys(things) as Thing[]).find((name) => isThing(name, value))
    if (thing) return things[thing].is
    const names = Object.keys(value).slice(0, 4)
    return names.length > 0 ? `an object with ${names.map((name) => `\`${name}\``).join(", ")}` : "an object"
  }
  if (typeof value === "function") return "a function"
  const text = String(value)
  return `${typeof value} \`${text.length > 80 ? `${text.slice(0, 80)}…` : text}\``
}

/** @throws UsageError for the argument `parameter`, unless it is good */
export function checkArgument(good: boolean, parameter: string, expected: string, value: unknown): void {
  if (good) return
  throw new UsageError({
    what: "wrong argument",
    where: `parameter \`${parameter}\``,
    expected,
    given: kindOf(value),
  })
}

/** @throws UsageError unless `value` is such a thing */
export const checkThing = (thing: Thing, value: unknown, parameter: string): void =>
  checkArgument(isThing(thing, value), parameter, things[thing].is, value)

/** @throws UsageError unless `value` is a Uint8Array (a Buffer is one) */
export const checkBytes = (value: unknown, parameter: string): void =>
  checkArgument(value instanceof Uint8Array, parameter, "bytes (Uint8Array)", value)

/** @throws UsageError unless `value` is a string */
export const checkText = (value: unknown, parameter: string): void =>
  checkArgument(isText(value), parameter, "a string", value)

/** @throws UsageError unless `value` is an array */
export const checkList = (value: unknown, parameter: string): void =>
  checkArgument(isList(value), parameter, "an array", value)

/** @throws UsageError unless `value` is an array of strings */
export const checkTexts = (value: unknown, parameter: string): void =>
  checkArgument(isList(value) && value.every(isText), parameter, "an array of strings", value)

/** @throws UsageError unless `value` is a plain object of fields */
export const checkRecord = (value: unknown, parameter: string, expected = "an object"): void =>
  checkArgument(isRecord(value), parameter, expected, value)

/** Options that many functions take. @throws UsageError unless `options` is an object and they are what they should be */
export function checkOptions(options: unknown, expected = "an object with options"): void {
  checkRecord(options, "options", expected)
  const { onProgress, signal } = options as Record<string, unknown>
  checkArgument(
    onProgress === undefined || isFunction(onProgress),
    "options.onProgress",
    "a function",
    onProgress,
  )
  checkArgument(
    signal === undefined || isFunction((signal as Partial<AbortSignal> | null)?.throwIfAborted),
    "options.signal",
    "an AbortSignal",
    signal,
  )
}
