/** The weight manifest of tfjs: groups of named tensors, little endian, optionally quantized. */
import { ModelError } from "../../errors.js"
import { float16 } from "../floats.js"
import type { Tensor } from "../graph.js"
import { isRecord } from "../keras/layer.js"
import { checkSize, limits } from "../limits.js"

/** Bytes of an element, by type. */
const sizes: ReadonlyMap<unknown, number> = new Map([
  ["float32", 4],
  ["int32", 4],
  ["uint8", 1],
  ["bool", 1],
  ["uint16", 2],
  ["float16", 2],
])

/** Types whose numbers are whole, also where they were quantized. */
const wholeTypes: ReadonlySet<unknown> = new Set(["int32", "uint8", "uint16"])

/** A group of the manifest: tensors whose data stands in some files, one after another. */
export interface WeightGroup {
  readonly paths: readonly string[]
  /** Bytes of the tensors together. */
  readonly bytes: number
  readonly entries: readonly Entry[]
}

interface Entry {
  readonly name: string
  readonly shape: readonly number[]
  readonly count: number
  readonly stored: string
  readonly size: number
  /** Integers q stand for q·scale + min. */
  readonly scale: number
  readonly min: number
  /** What the tensor is once it is read. */
  readonly dtype: "float32" | "int32" | "bool"
}

/**
 * The groups of a manifest, with how many bytes each must have: known before any file is opened.
 * @throws ModelError for anything that is no manifest, unknown types, and shapes beyond the limits
 */
export function readManifest(manifest: unknown, where: string): WeightGroup[] {
  const problems: string[] = []
  const refuse = (): never => {
    throw new ModelError({ what: "the weights cannot be read:", where }, problems)
  }
  if (manifest === undefined) return []
  if (!Array.isArray(manifest)) problems.push("weightsManifest is no list")
  const groups = (Array.isArray(manifest) ? manifest : []).map((group: unknown, i): WeightGroup => {
    const { paths = [], weights = [] } = isRecord(group) ? group : {}
    const isFit =
      Array.isArray(paths) && paths.every((path) => typeof path === "string") && Array.isArray(weights)
    if (!isRecord(group) || !isFit) {
      problems.push(`group ${i} of weightsManifest has no paths and weights`)
      return { paths: [], bytes: 0, entries: [] }
    }
    const entries: Entry[] = []
    for (const [j, weight] of weights.entries()) {
      const read = readEntry(weight)
      if (typeof read !== "string") entries.push(read)
      else if (problems.length < mostProblems) problems.push(`weight ${j} of group ${i}: ${read}`)
    }
    const bytes = entries.reduce((sum, { count, size }) => sum + count * size, 0)
    return { paths, bytes, entries }
  })
  const total = groups.reduce((sum, { bytes }) => sum + bytes, 0)
  if (total > limits.bytes) problems.push(`${total} bytes in all weights, the limit is ${limits.bytes}`)
  return problems.length > 0 ? refuse() : groups
}

/** Problems that are listed before a manifest is given up. */
const mostProblems = 100

/** A tensor of the manifest, or what is wrong with it. */
function readEntry(weight: unknown): Entry | string {
  if (!isRecord(weight) || typeof weight.name !== "string") return "has no name"
  const { name, shape, dtype, quantization } = weight
  const title = `\`${name.slice(0, 200)}\``
  const isShape = (list: unknown): list is number[] =>
    Array.isArray(list) && list.every((dim) => Number.isSafeInteger(dim) && dim >= 0)
  if (!isShape(shape)) return `${title} has no shape`
  const [tooLarge] = checkSize(shape, limits)
  if (tooLarge !== undefined) return `${title} has ${tooLarge}`
  const packed = quantization === undefined || quantization === null ? {} : quantization
  if (!isRecord(packed)) return `the quantization of ${title} is not known`
  const stored = packed.dtype ?? dtype
  const size = sizes.get(stored)
  if (size === undefined)
    return `type \`${typeof stored === "string" ? stored.slice(0, 40) : typeof stored}\` of ${title} is not supported`
  // without a scale, the quantization is a shorter type of float
  const { scale = 1, min = 0 } = packed
  if (
    typeof scale !== "number" ||
    typeof min !== "number" ||
    !Number.isFinite(scale) ||
    !Number.isFinite(min)
  )
    return `the quantization of ${title} has no scale`
  const count = shape.reduce((product, dim) => product * dim, 1)
  const original = packed.original_dtype ?? dtype
  const type = original === "bool" ? "bool" : wholeTypes.has(original) ? "int32" : "float32"
  if (stored === "float16" && type !== "float32") return `${title} is quantized to halves of integers`
  return { name, shape, count, stored: String(stored), size, scale, min, dtype: type }
}

/** Tensors by name. @throws ModelError for unknown types, a wrong total size, or values that are not finite */
export function readTfjsWeights(manifest: unknown, bytes: Uint8Array, where: string): Map<string, Tensor> {
  const groups = readManifest(manifest, where)
  const total = groups.reduce((sum, group) => sum + group.bytes, 0)
  const problems: string[] = []
  const refuse = (): never => {
    throw new ModelError({ what: "the weights cannot be read:", where }, problems)
  }
  if (total !== bytes.length) {
    problems.push(`${bytes.length} bytes of weights, ${total} in the manifest`)
    return refuse()
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const result = new Map<string, Tensor>()
  let at = 0
  for (const { name, shape, count, stored, size, scale, min, dtype } of groups.flatMap(
    ({ entries }) => entries,
  )) {
    const data = new Float64Array(count)
    for (let i = 0; i < count; i++, at += size) data[i] = read(view, at, stored) * scale + min
    // quantized integers are rounded, as tfjs does it
    if (dtype === "int32") for (let i = 0; i < count; i++) data[i] = Math.round(data[i])
    if (!data.every(Number.isFinite)) problems.push(`weight \`${name}\` has values that are not finite`)
    if (result.has(name)) problems.push(`weight \`${name}\` is listed twice`)
    result.set(name, { shape, data, dtype })
  }
  if (problems.length > 0) return refuse()
  return result
}

function read(view: DataView, at: number, type: string): number {
  switch (type) {
    case "float32":
      return view.getFloat32(at, true)
    case "int32":
      return view.getInt32(at, true)
    case "uint16":
      return view.getUint16(at, true)
    case "float16":
      return float16(view.getUint16(at, true))
    default:
      return view.getUint8(at)
  }
}
