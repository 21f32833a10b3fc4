/** ONNX tensors to doubles: every element type and every place where the format may keep the data. */
import { bfloat16, float16 } from "../floats.js"
import type { DataType, Tensor } from "../graph.js"
import { checkSize, type Limits } from "../limits.js"
import type { Int64, TensorProto } from "./schema.js"

/** TensorProto.DataType by number. */
const typeNames = [
  "UNDEFINED",
  "FLOAT",
  "UINT8",
  "INT8",
  "UINT16",
  "INT16",
  "INT32",
  "INT64",
  "STRING",
  "BOOL",
  "FLOAT16",
  "DOUBLE",
  "UINT32",
  "UINT64",
  "COMPLEX64",
  "COMPLEX128",
  "BFLOAT16",
  "FLOAT8E4M3FN",
  "FLOAT8E4M3FNUZ",
  "FLOAT8E5M2",
  "FLOAT8E5M2FNUZ",
  "UINT4",
  "INT4",
  "FLOAT4E2M1",
  "FLOAT8E8M0",
  "UINT2",
  "INT2",
  "FLOAT6E2M3",
  "FLOAT6E3M2",
]

/** Where an element type keeps its elements outside raw_data, and how raw_data holds them (bits, reader). */
interface Format {
  readonly dtype: DataType
  readonly field: "floatData" | "int32Data" | "int64Data" | "uint64Data" | "doubleData"
  readonly bits: number
  /** Element at byte offset `at`. */
  readonly read: (view: DataView, at: number) => number
  /** A value of the typed field to a number; the identity where absent. */
  readonly convert?: (value: number) => number
}

/** A 64-bit integer as a double; beyond 2^53 it saturates. */
export function toNumber(value: Int64): number {
  const x =
    typeof value === "number"
      ? value
      : (value.unsigned ? value.high >>> 0 : value.high) * 2 ** 32 + (value.low >>> 0)
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, x))
}

const int8 = (x: number): number => (x << 24) >> 24
const int16 = (x: number): number => (x << 16) >> 16

/** Sub-byte integers: element i is in byte floor(i·bits/8), lowest bits first; `read` is given the byte. */
const packed = (dtype: DataType, bits: number): Format => ({
  dtype,
  field: "int32Data",
  bits,
  read: (view, at) => view.getUint8(at),
})

const formats: Record<number, Format> = {
  1: { dtype: "float32", field: "floatData", bits: 32, read: (v, at) => v.getFloat32(at, true) },
  2: {
    dtype: "uint8",
    field: "int32Data",
    bits: 8,
    read: (v, at) => v.getUint8(at),
    convert: (x) => x & 0xff,
  },
  3: { dtype: "int8", field: "int32Data", bits: 8, read: (v, at) => v.getInt8(at), convert: int8 },
  4: {
    dtype: "uint16",
    field: "int32Data",
    bits: 16,
    read: (v, at) => v.getUint16(at, true),
    convert: (x) => x & 0xffff,
  },
  5: { dtype: "int16", field: "int32Data", bits: 16, read: (v, at) => v.getInt16(at, true), convert: int16 },
  6: { dtype: "int32", field: "int32Data", bits: 32, read: (v, at) => v.getInt32(at, true) },
  7: { dtype: "int64", field: "int64Data", bits: 64, read: (v, at) => wide(v, at, false) },
  9: {
    dtype: "bool",
    field: "int32Data",
    bits: 8,
    read: (v, at) => (v.getUint8(at) ? 1 : 0),
    convert: (x) => (x ? 1 : 0),
  },
  10: {
    dtype: "float16",
    field: "int32Data",
    bits: 16,
    read: (v, at) => float16(v.getUint16(at, true)),
    convert: float16,
  },
  11: { dtype: "float64", field: "doubleData", bits: 64, read: (v, at) => v.getFloat64(at, true) },
  12: { dtype: "uint32", field: "uint64Data", bits: 32, read: (v, at) => v.getUint32(at, true) },
  13: { dtype: "uint64", field: "uint64Data", bits: 64, read: (v, at) => wide(v, at, true) },
  16: {
    dtype: "bfloat16",
    field: "int32Data",
    bits: 16,
    read: (v, at) => bfloat16(v.getUint16(at, true)),
    convert: bfloat16,
  },
  21: packed("uint4", 4),
  22: packed("int4", 4),
  25: packed("uint2", 2),
  26: packed("int2", 2),
}

function wide(view: DataView, at: number, unsigned: boolean): number {
  return toNumber({ low: view.getInt32(at, true), high: view.getInt32(at + 4, true), unsigned })
}

/** Our name of an ONNX element type, or undefined for one that is not read (complex, 8-bit floats). */
export const dataTypeOf = (type: number): DataType | undefined =>
  type === 8 ? "string" : formats[type]?.dtype

/** ONNX's name of an element type, for messages. */
export const typeName = (type: number): string => typeNames[type] ?? `number ${type}`

/** A tensor, or one line for each thing that is wrong with it. */
export type Decoded = { readonly tensor: Tensor } | { readonly problems: readonly string[] }

/**
 * Decodes a tensor; its data must have exactly as many elements as the shape says, none of them NaN unless `missing` values
 * are allowed. `hold` is told how many that are before they are decoded.
 */
export function decodeTensor(
  proto: TensorProto,
  limits: Limits,
  hold: (elements: number) => void = () => {},
  missing = false,
): Decoded {
  const fail = (...problems: string[]): Decoded => ({ problems })
  const shape = proto.dims.map(toNumber)
  const format = formats[proto.dataType]
  if (proto.dataType === 8) return fail("element type STRING: a tensor of strings has no place in a proof")
  if (!format) return fail(`element type \`${typeName(proto.dataType)}\` is not supported`)
  if (proto.dataLocation === 1 || proto.externalData.length > 0) {
    const at = proto.externalData.find((entry) => entry.key === "location")?.value ?? "unnamed"
    return fail(
      `its data is in another file, \`${at}\`: save the model with the data inside (onnx.save(model, path))`,
    )
  }
  if (proto.segment) return fail("its data is one segment of several: save the tensor in one piece")
  const negative = shape.findIndex((d) => d < 0)
  if (negative >= 0) return fail(`dimension ${negative} is ${shape[negative]}`)
  const problems = checkSize(shape, limits)
  if (problems.length) return { problems }
  const count = shape.reduce((a, b) => a * b, 1)
  const mismatched = findMismatch(proto, format, count)
  if (mismatched) return fail(mismatched)
  hold(count)
  const decoded = format.bits < 8 ? subByte(proto, format, count) : plain(proto, format, count)
  // infinities are masks and open bounds: what takes no such constant says so when it is lowered
  const bad = decoded.findIndex(Number.isNaN)
  if (bad >= 0 && !missing) return fail(`element ${bad} is not a number (NaN)`)
  return { tensor: { shape, data: decoded, dtype: format.dtype } }
}

const mismatch = (count: number, given: string): string =>
  `the shape has ${count} elements, the data ${given}`

/** What is wrong with the amount of data, if anything. */
function findMismatch(proto: TensorProto, { bits, field }: Format, count: number): string | undefined {
  const raw = proto.rawData.length
  const given = proto[field].length
  if (bits >= 8 && raw === 0) return given === count ? undefined : mismatch(count, `${given}`)
  const bytes = raw > 0 ? raw : given
  return bytes === Math.ceil((count * bits) / 8)
    ? undefined
    : mismatch(count, `${bytes} bytes of ${bits}-bit elements`)
}

function plain(proto: TensorProto, format: Format, count: number): Float64Array {
  const raw = proto.rawData
  const values = proto[format.field]
  const bytes = format.bits / 8
  const data = new Float64Array(count)
  if (raw.length > 0) {
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
    for (let i = 0; i < count; i++) data[i] = format.read(view, i * bytes)
  } else {
    const convert = format.convert ?? ((x: number) => x)
    for (let i = 0; i < count; i++) data[i] = convert(toNumberOrFloat(values[i]))
  }
  return data
}

const toNumberOrFloat = (value: Int64): number => (typeof value === "number" ? value : toNumber(value))

function subByte(proto: TensorProto, format: Format, count: number): Float64Array {
  const bytes = proto.rawData.length ? proto.rawData : Uint8Array.from(proto.int32Data)
  const perByte = 8 / format.bits
  const mask = (1 << format.bits) - 1
  const half = 1 << (format.bits - 1)
  return new Float64Array(count).map((_, i) => {
    const value = (bytes[Math.floor(i / perByte)] >> ((i % perByte) * format.bits)) & mask
    return format.dtype.startsWith("int") && value >= half ? value - 2 * half : value
  })
}
