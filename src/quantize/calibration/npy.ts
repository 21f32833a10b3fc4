/** Arrays of NumPy: `.npy` version 1–3 and `.npz`, the container of several. Format: numpy.lib.format. */
import { Unzip, UnzipInflate } from "fflate"
import { allowanceFor, Budget } from "../../budget.js"
import { CountersignError, FileError } from "../../errors.js"

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

/** What a header says, and the byte after it. */
interface Header {
  readonly shape: readonly number[]
  readonly count: number
  readonly read: Reader
  readonly size: number
  readonly isLittle: boolean
  readonly isColumnMajor: boolean
  readonly end: number
}

/** Longest header that is read: those of plain arrays have less than 200 bytes. */
const mostHeader = 2 ** 16

/**
 * Reads an array from its bytes as they come. The header is judged before memory is taken for what it
 * announces, and no byte more than announced is taken.
 */
class NpyReader {
  #header: Header | undefined
  #data = new Float64Array(0)
  #done = 0
  /** Bytes of the header, or of an element whose rest has not come yet. */
  #open: Uint8Array = new Uint8Array(0)

  /** `judge` throws for a shape that is not wanted; `file` names the array in errors. */
  constructor(
    private readonly file: string,
    private readonly judge: (shape: readonly number[]) => void,
    private readonly budget: Budget,
  ) {}

  push(chunk: Uint8Array): void {
    const bytes = this.#open.length > 0 ? joined(this.#open, chunk) : chunk
    let at = 0
    if (!this.#header) {
      const header = this.#readHeader(bytes)
      if (!header) {
        if (bytes.length > mostHeader) this.#fail("the header is too long", `at most ${mostHeader} bytes`)
        this.#open = bytes.slice()
        return
      }
      this.judge(header.shape)
      this.budget.elements(header.isColumnMajor ? 2 * header.count : header.count, this.file)
      this.#header = header
      this.#data = new Float64Array(header.count)
      at = header.end
    }
    const { read, size, count, isLittle } = this.#header
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const whole = Math.floor((bytes.length - at) / size)
    if (whole > count - this.#done) this.#fail("more data than the shape has", `${count * size} bytes`)
    for (let i = 0; i < whole; i++, at += size) this.#data[this.#done++] = read(view, at, isLittle)
    this.#open = bytes.slice(at)
  }

  end(): NumpyArray {
    const header = this.#header ?? this.#fail("the array is truncated")
    const { shape, count, size, isColumnMajor } = header
    if (this.#done !== count || this.#open.length > 0)
      this.#fail(
        "the data does not match the shape",
        `${count * size} bytes for [${shape.join(", ")}]`,
        `${this.#done * size + this.#open.length}`,
      )
    return { shape, data: isColumnMajor ? rowMajor(this.#data, shape) : this.#data }
  }

  #fail(what: string, expected?: string, given?: string): never {
    throw new FileError({ what, where: this.file, ...(expected && { expected }), ...(given && { given }) })
  }

  /** The header, if it is there in full. */
  #readHeader(bytes: Uint8Array): Header | undefined {
    const magic = bytes.subarray(0, 6)
    if (magic.some((byte, i) => byte !== (i === 0 ? 0x93 : "\0NUMPY".charCodeAt(i))))
      this.#fail("not a .npy array", "the magic \\x93NUMPY")
    if (bytes.length < 10) return undefined
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const version = bytes[6]
    if (!(version >= 1 && version <= 3)) this.#fail("unknown version of .npy", "1, 2 or 3", String(version))
    const start = version === 1 ? 10 : 12
    if (bytes.length < start) return undefined
    const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true)
    if (length > mostHeader)
      this.#fail("the header is too long", `at most ${mostHeader} bytes`, String(length))
    const end = start + length
    if (end > bytes.length) return undefined
    const header = new TextDecoder().decode(bytes.subarray(start, end))
    const dtype = /'descr'\s*:\s*'([<>|=]?)([a-z]\d+)'/.exec(header)
    const order = /'fortran_order'\s*:\s*(True|False)/.exec(header)
    const dimensions = /'shape'\s*:\s*\(([\d,\sL]*)\)/.exec(header)
    const shown = header.slice(0, 100).trim()
    if (!order || !dimensions) return this.#fail("malformed .npy header", undefined, shown)
    const read = dtype ? readers[dtype[2]] : undefined
    if (!dtype || !read) return this.#fail("unsupported element type", Object.keys(readers).join(", "), shown)
    const shape = dimensions[1]
      .split(",")
      .map((d) => d.trim().replace("L", ""))
      .filter(Boolean)
      .map(Number)
    const count = shape.reduce((a, b) => a * b, 1)
    if (!shape.every(Number.isSafeInteger) || !Number.isSafeInteger(count))
      this.#fail("the shape is no shape", "dimensions that are safe integers", shown)
    const size = Number(dtype[2].slice(1))
    return { shape, count, read, size, isLittle: dtype[1] !== ">", isColumnMajor: order[1] === "True", end }
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length)
  all.set(first)
  all.set(second, first.length)
  return all
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

/** Reads a `.npy`; `judge` throws for a shape that is not wanted. Throws FileError for a malformed one. */
export function parseNpy(
  bytes: Uint8Array,
  file: string,
  judge: (shape: readonly number[]) => void,
): NumpyArray {
  const budget = new Budget(allowanceFor(bytes.length), (facts) => {
    throw new FileError(facts)
  })
  const reader = new NpyReader(file, judge, budget)
  reader.push(bytes)
  return reader.end()
}

/** Bytes of the archive that are unpacked at a time: they become a thousand times as many at most. */
const pieceBytes = 2 ** 14

/**
 * Reads every array of a `.npz` by name; `judge` throws for a name or a shape that is not wanted, before the
 * array is unpacked. Throws FileError for an archive that is malformed or whose arrays exceed the budget.
 */
export function parseNpz(
  bytes: Uint8Array,
  file: string,
  judge: (name: string, shape: readonly number[]) => void,
): Map<string, NumpyArray> {
  const budget = new Budget(allowanceFor(bytes.length), (facts) => {
    throw new FileError(facts)
  })
  const arrays = new Map<string, NumpyArray>()
  const started = new Set<string>()
  let found = 0
  const archive = new Unzip((entry) => {
    found++
    if (!entry.name.endsWith(".npy")) return
    const name = entry.name.slice(0, -".npy".length)
    if (started.has(name))
      throw new FileError({ what: `array \`${name.slice(0, 100)}\` is there twice`, where: file })
    started.add(name)
    const reader = new NpyReader(`${file}, ${entry.name}`, (shape) => judge(name, shape), budget)
    entry.ondata = (error, chunk, isLast) => {
      if (error) throw error
      reader.push(chunk)
      if (isLast) arrays.set(name, reader.end())
    }
    entry.start()
  })
  archive.register(UnzipInflate)
  try {
    for (let at = 0; at < bytes.length; at += pieceBytes)
      archive.push(bytes.subarray(at, at + pieceBytes), at + pieceBytes >= bytes.length)
  } catch (error) {
    if (error instanceof CountersignError) throw error
    throw new FileError({ what: "not a readable .npz archive", where: file, given: String(error) })
  }
  // an archive of nothing begins with its end
  const isEmpty = bytes[2] === 5 && bytes[3] === 6
  if (found === 0 && !isEmpty)
    throw new FileError({ what: "not a readable .npz archive", where: file, given: "no array in it" })
  for (const name of started)
    if (!arrays.has(name))
      throw new FileError({ what: "the array is truncated", where: `${file}, ${name}.npy` })
  return arrays
}
