/** Arrays of NumPy: `.npy` version 1–3 and `.npz`, the container of several. Format: numpy.lib.format. */
import { type Unzipped, unzipSync } from "fflate"
import { FileError } from "../errors.js"

export interface NumpyArray {
  readonly shape: readonly number[]
  /** Row-major. */
  readonly data: Float64Array
}

type Reader = (view: DataView, at: number, little: boolean) => number

/** Kind and item size of a dtype string, to how it is read. */
const readers: Readonly<Record<string, Reader>> = {
  f4: (v, at, little) => v.getFloat32(at, little),
  f8: (v, at, little) => v.getFloat64(at, little),
  i1: (v, at) => v.getInt8(at),
  i2: (v, at, little) => v.getInt16(at, little),
  i4: (v, at, little) => v.getInt32(at, little),
  i8: (v, at, little) => Number(v.getBigInt64(at, little)),
  u1: (v, at) => v.getUint8(at),
  u2: (v, at, little) => v.getUint16(at, little),
  u4: (v, at, little) => v.getUint32(at, little),
  u8: (v, at, little) => Number(v.getBigUint64(at, little)),
  b1: (v, at) => (v.getUint8(at) ? 1 : 0),
}

/** Reads one `.npy` array; throws FileError for anything malformed or of another element type. */
export function parseNpy(bytes: Uint8Array, file: string): NumpyArray {
  const fail = (what: string, expected?: string, given?: string): never => {
    throw new FileError({ what, where: file, ...(expected && { expected }), ...(given && { given }) })
  }
  if (bytes.length < 10 || bytes[0] !== 0x93 || String.fromCharCode(...bytes.subarray(1, 6)) !== "NUMPY")
    fail("not a .npy array", "the magic \\x93NUMPY")
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const version = bytes[6]
  if (!(version >= 1 && version <= 3)) fail("unknown version of .npy", "1, 2 or 3", String(version))
  const start = version === 1 ? 10 : 12
  if (bytes.length < start) fail("the array is truncated")
  const end = start + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true))
  if (end > bytes.length) fail("the array is truncated")
  const header = new TextDecoder().decode(bytes.subarray(start, end))
  const dtype = /'descr'\s*:\s*'([<>|=]?)([a-z]\d+)'/.exec(header)
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(header)
  const dimensions = /'shape'\s*:\s*\(([\d,\sL]*)\)/.exec(header)
  if (!order || !dimensions) return fail("malformed .npy header", undefined, header.slice(0, 100).trim())
  const read = dtype ? readers[dtype[2]] : undefined
  if (!dtype || !read)
    return fail("unsupported element type", Object.keys(readers).join(", "), header.slice(0, 100).trim())
  const shape = dimensions[1]
    .split(",")
    .map((d) => d.trim().replace("L", ""))
    .filter(Boolean)
    .map(Number)
  const count = shape.reduce((a, b) => a * b, 1)
  const size = Number(dtype[2].slice(1))
  if (bytes.length - end !== count * size)
    fail(
      "the data does not match the shape",
      `${count * size} bytes for [${shape.join(", ")}]`,
      `${bytes.length - end}`,
    )
  const data = new Float64Array(count)
  const little = dtype[1] !== ">"
  for (let i = 0; i < count; i++) data[i] = read(view, end + i * size, little)
  return { shape, data: order[1] === "True" ? rowMajor(data, shape) : data }
}

/** Fortran order, where the first index runs fastest, to row-major. */
function rowMajor(data: Float64Array, shape: readonly number[]): Float64Array {
  const out = new Float64Array(data.length)
  const index = new Array<number>(shape.length).fill(0)
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((a, b) => a * b, 1))
  for (let i = 0; i < out.length; i++) {
    out[i] = data[index.reduce((at, x, axis) => at + x * strides[axis], 0)]
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis] === shape[axis]; axis--) index[axis] = 0
  }
  return out
}

/** Reads every array of a `.npz` by name; `limit` bounds the bytes after decompression. */
export function parseNpz(bytes: Uint8Array, file: string, limit: number): Map<string, NumpyArray> {
  let total = 0
  let files: Unzipped
  try {
    files = unzipSync(bytes, {
      filter: ({ name, originalSize }) => {
        total += originalSize
        if (total > limit)
          throw new FileError({
            what: "the archive is too large",
            where: file,
            expected: `at most ${limit} bytes`,
            given: `more at \`${name}\``,
          })
        return name.endsWith(".npy")
      },
    })
  } catch (error) {
    if (error instanceof FileError) throw error
    throw new FileError({ what: "not a readable .npz archive", where: file, given: String(error) })
  }
  const arrays = new Map<string, NumpyArray>()
  for (const [name, content] of Object.entries(files))
    arrays.set(name.slice(0, -".npy".length), parseNpy(content, `${file}, ${name}`))
  return arrays
}
