/**
 * Records with large arrays of numbers as one file: JSON of the record, in which such an array is { "$": its number }, and the
 * arrays behind it, each from a multiple of 8 bytes on, so that they are read where they lie. Bigints are { "$n": hex }, and Maps
 * { "$m": entries }. The layout is in docs/FORMATS.md.
 *
 *     8 bytes   magic
 *     32        SHA-256 of all that follows
 *     8         length of the JSON
 *     …         the JSON, then zeros up to a multiple of 8, then the arrays
 *
 * The digest finds what was cut off or damaged. It does not say who wrote the file: whoever reads one distrusts every number.
 */
import { FileError } from "../../errors.js"
import { sha256 } from "../../platform.js"

const magic = new TextEncoder().encode("CSLINK01")
const headBytes = 48

const kinds = { u8: Uint8Array, u32: Uint32Array, f64: Float64Array } as const
type Kind = keyof typeof kinds
type Numbers = Uint8Array | Uint32Array | Float64Array

const kindOf = (value: unknown): Kind | undefined =>
  (Object.keys(kinds) as Kind[]).find((kind) => value instanceof kinds[kind])

const padded = (bytes: number): number => 8 * Math.ceil(bytes / 8)

/** The bytes of a record of JSON values, bigints, Maps and arrays of numbers; an array that occurs twice is there once. */
export function packRecord(record: object): Uint8Array {
  const arrays: Numbers[] = []
  const places = new Map<Numbers, number>()
  const content = (value: unknown): unknown => {
    if (typeof value === "bigint") return { $n: value.toString(16) }
    if (value instanceof Map) return { $m: Array.from(value, ([key, entry]) => [key, content(entry)]) }
    if (kindOf(value) === undefined) return value
    const numbers = value as Numbers
    const place = places.get(numbers) ?? arrays.push(numbers) - 1
    places.set(numbers, place)
    return { $: place }
  }
  const text = JSON.stringify(record, (_, value) => content(value))
  const lists = arrays.map((array) => [kindOf(array), array.length])
  const json = new TextEncoder().encode(`{"arrays":${JSON.stringify(lists)},"record":${text}}`)
  const first = padded(headBytes + json.length)
  const file = new Uint8Array(arrays.reduce((sum, { byteLength }) => sum + padded(byteLength), first))
  file.set(magic)
  new DataView(file.buffer).setBigUint64(40, BigInt(json.length), true)
  file.set(json, headBytes)
  let at = first
  for (const array of arrays) {
    file.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at)
    at += padded(array.byteLength)
  }
  file.set(digestOf(file), 8)
  return file
}

function digestOf(file: Uint8Array): Uint8Array {
  const hash = sha256()
  hash.update(file.subarray(40))
  return hash.digest()
}

/**
 * The record of a file, its arrays as views of the bytes.
 * @throws FileError naming the file `where`, if it is cut off, damaged or of another version
 */
export function unpackRecord(file: Uint8Array, where: string): Record<string, unknown> {
  const refuse = (what: string): never => {
    throw new FileError({ what, where, fix: "Remove the file: it is made again" })
  }
  if (file.length < headBytes || !magic.every((byte, i) => file[i] === byte))
    refuse("is not a linked circuit of this version")
  const digest = digestOf(file)
  if (!digest.every((byte, i) => file[8 + i] === byte)) refuse("is damaged or cut off")
  // views of numbers begin at a multiple of their size
  const bytes = file.byteOffset % 8 === 0 ? file : file.slice()
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(40, true))
  if (length > bytes.length - headBytes) refuse("is damaged or cut off")
  let parsed: unknown
  const views: Numbers[] = []
  try {
    const text = new TextDecoder().decode(bytes.subarray(headBytes, headBytes + length))
    const { arrays } = JSON.parse(text) as { arrays: unknown }
    if (!Array.isArray(arrays)) refuse("is malformed")
    let at = bytes.byteOffset + padded(headBytes + length)
    for (const [kind, count] of arrays as [Kind, number][]) {
      if (!Object.hasOwn(kinds, kind) || !Number.isSafeInteger(count) || count < 0) refuse("is malformed")
      const type = kinds[kind]
      const end = at + count * type.BYTES_PER_ELEMENT
      if (end > bytes.byteOffset + bytes.length) refuse("is damaged or cut off")
      views.push(new type(bytes.buffer as ArrayBuffer, at, count))
      at += padded(count * type.BYTES_PER_ELEMENT)
    }
    parsed = JSON.parse(text, (_, value) => {
      if (value === null || typeof value !== "object") return value
      if (typeof value.$ === "number") return views[value.$]
      if (typeof value.$n === "string") return BigInt(`0x${value.$n}`)
      return Array.isArray(value.$m) ? new Map(value.$m) : value
    })
  } catch (error) {
    if (error instanceof FileError) throw error
    refuse("is malformed")
  }
  const { record } = (parsed ?? {}) as { record?: unknown }
  if (record === null || typeof record !== "object") refuse("is malformed")
  return record as Record<string, unknown>
}
