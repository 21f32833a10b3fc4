/** Types, shapes and values of HDF5: numbers and text, of datasets and attributes alike. */
import { bfloat16, float16 } from "../floats.js"
import { checkSize, limits } from "../limits.js"
import type { Bytes } from "./bytes.js"

/** How a value of a dataset or attribute is stored. */
export interface Type {
  readonly kind: "number" | "text" | "pointer"
  /** Bytes of one value. */
  readonly size: number
  readonly read: (view: DataView, at: number) => number
  readonly isWhole: boolean
}

const classes = ["integers", "floats", "times", "text", "bits", "opaque", "compounds", "references"]

/** A Datatype message. */
export function readType(file: Bytes, at: number): Type {
  const head = file.u8(at)
  const flags = file.u8(at + 1)
  const size = file.u32(at + 4)
  const little = (flags & 1) === 0
  const type = (
    kind: Type["kind"],
    read: Type["read"] = () => file.fail("text where numbers are expected"),
    isWhole = false,
  ): Type => ({ kind, size, read, isWhole })
  switch (head & 15) {
    case 0: {
      const signed = (flags & 8) !== 0
      if (size === 1) return type("number", (v, i) => (signed ? v.getInt8(i) : v.getUint8(i)), true)
      if (size === 2)
        return type("number", (v, i) => (signed ? v.getInt16(i, little) : v.getUint16(i, little)), true)
      if (size === 4)
        return type("number", (v, i) => (signed ? v.getInt32(i, little) : v.getUint32(i, little)), true)
      if (size === 8)
        return type(
          "number",
          (v, i) => Number(signed ? v.getBigInt64(i, little) : v.getBigUint64(i, little)),
          true,
        )
      return file.fail(`integers of ${size} bytes`)
    }
    case 1: {
      const layout = `${size} ${file.u8(at + 13)} ${file.u8(at + 15)}`
      if (layout === "2 5 10") return type("number", (v, i) => float16(v.getUint16(i, little)))
      if (layout === "2 8 7") return type("number", (v, i) => bfloat16(v.getUint16(i, little)))
      if (layout === "4 8 23") return type("number", (v, i) => v.getFloat32(i, little))
      if (layout === "8 11 52") return type("number", (v, i) => v.getFloat64(i, little))
      return file.fail(`floats of ${size} bytes of no known layout`)
    }
    case 3:
      return type("text")
    case 5:
      // h5py before it knew of bfloat16
      if (size === 2) return type("number", (v, i) => bfloat16(v.getUint16(i, true)))
      return file.fail("opaque values")
    case 8: {
      // h5py's bool; the type of the integers follows
      const base = readType(file, at + 8)
      return base.kind === "number" && base.size === size ? base : file.fail("an enumeration of no integers")
    }
    case 9:
      return (flags & 15) === 1 && size === 16 ? type("pointer") : file.fail("lists of varying length")
    default:
      return file.fail(`values that are ${classes[head & 15] ?? "of an unknown class"}`)
  }
}

/** A Dataspace message. */
export function readShape(file: Bytes, at: number): number[] {
  const version = file.u8(at)
  const rank = file.u8(at + 1)
  if (version !== 1 && version !== 2) return file.fail(`version ${version} of a shape`)
  if (version === 2 && file.u8(at + 3) === 2) return [0]
  const start = at + (version === 1 ? 8 : 4)
  const shape = Array.from({ length: rank }, (_, i) => file.u64(start + 8 * i))
  for (const problem of checkSize(shape, limits)) file.fail(`a shape of ${problem}`)
  return shape
}

/** Text of fixed size ends with a zero, or with spaces. */
export const fixedText = (bytes: Uint8Array): string => {
  const end = bytes.indexOf(0)
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end)).replace(/ +$/, "")
}

/** Text that a value points to: its length, a heap's address and its number there. */
export function pointedText(file: Bytes, at: number): string {
  const length = file.u32(at)
  const heap = file.address(at + 4)
  const index = file.u32(at + 12)
  if (heap === undefined || length === 0) return ""
  file.signature(heap, "GCOL")
  const end = heap + file.u64(heap + 8)
  for (let object = heap + 16; object + 16 <= end; ) {
    const number = file.u16(object)
    const size = file.u64(object + 8)
    if (number === index) {
      if (length > size) return file.fail("text that is longer than its place")
      return new TextDecoder().decode(file.slice(object + 16, length))
    }
    if (number === 0) break
    object += 16 + Math.ceil(size / 8) * 8
  }
  return file.fail("text that its heap does not have")
}
