/** Compact numbers in bytes: LEB128 for integers below 2^53, zigzag for signed ones. */
import { FileError, invariant } from "../../errors.js"

const utf8 = new TextEncoder()
/** Largest magnitude of a signed integer. */
const maxInt = 2 ** 52

/** A growing buffer. */
export class ByteWriter {
  #buffer = new Uint8Array(1024)
  #length = 0

  byte(x: number): void {
    if (this.#length === this.#buffer.length) {
      const larger = new Uint8Array(this.#buffer.length * 2)
      larger.set(this.#buffer)
      this.#buffer = larger
    }
    this.#buffer[this.#length++] = x
  }

  /** An integer in [0, 2^54): one bit more than a safe integer, for zigzag. */
  uint(x: number): void {
    invariant(x >= 0 && x < 2 ** 54 && Number.isInteger(x), `${x} cannot be written as an unsigned integer`)
    let rest = x
    while (rest >= 128) {
      this.byte((rest % 128) + 128)
      rest = Math.floor(rest / 128)
    }
    this.byte(rest)
  }

  /** An integer within ±2^52. */
  int(x: number): void {
    invariant(Math.abs(x) <= maxInt, `${x} cannot be written as an integer`)
    this.uint(x < 0 ? -2 * x - 1 : 2 * x)
  }

  float(x: number): void {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setFloat64(0, x, true)
    for (const b of bytes) this.byte(b)
  }

  text(x: string): void {
    const bytes = utf8.encode(x)
    this.uint(bytes.length)
    for (const b of bytes) this.byte(b)
  }

  uints(xs: ArrayLike<number>): void {
    this.uint(xs.length)
    for (let i = 0; i < xs.length; i++) this.uint(xs[i])
  }

  ints(xs: ArrayLike<number>): void {
    this.uint(xs.length)
    for (let i = 0; i < xs.length; i++) this.int(xs[i])
  }

  /** Integers as differences, for maps whose neighbours are close. */
  deltas(xs: ArrayLike<number>): void {
    this.uint(xs.length)
    for (let i = 0; i < xs.length; i++) this.int(xs[i] - (i ? xs[i - 1] : 0))
  }

  bytes(): Uint8Array {
    return this.#buffer.slice(0, this.#length)
  }
}

/** Reads what ByteWriter wrote; every method throws FileError at the end of the data. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #file: string
  #at = 0

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes
    this.#file = file
  }

  fail(what: string, expected?: string, given?: string): never {
    throw new FileError({
      what,
      where: `${this.#file}, byte ${this.#at}`,
      ...(expected !== undefined && { expected }),
      ...(given !== undefined && { given }),
    })
  }

  byte(): number {
    if (this.#at >= this.#bytes.length) this.fail("the data is truncated")
    return this.#bytes[this.#at++]
  }

  flag(): boolean {
    const x = this.byte()
    if (x > 1) this.fail("a flag is neither 0 nor 1")
    return x === 1
  }

  uint(): number {
    const x = this.#varint()
    if (!Number.isSafeInteger(x)) this.fail("an integer is too large")
    return x
  }

  /** An integer within ±2^52, as it is written. */
  int(): number {
    const x = this.#varint()
    if (x > 2 * maxInt) this.fail("an integer is too large")
    return x % 2 === 1 ? -(x + 1) / 2 : x / 2
  }

  float(): number {
    const bytes = Uint8Array.from({ length: 8 }, () => this.byte())
    return new DataView(bytes.buffer).getFloat64(0, true)
  }

  text(): string {
    const length = this.#count()
    const bytes = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
    } catch {
      return this.fail("text is not UTF-8")
    }
  }

  uints(): number[] {
    return Array.from({ length: this.#count() }, () => this.uint())
  }

  ints(): Float64Array {
    const xs = new Float64Array(this.#count())
    for (let i = 0; i < xs.length; i++) xs[i] = this.int()
    return xs
  }

  /** Integers in [least, most], which nothing that takes them may wrap. */
  deltas(least = -maxInt, most = maxInt): Float64Array {
    const xs = this.ints()
    for (let i = 0, x = 0; i < xs.length; i++) {
      x += xs[i]
      if (!(x >= least && x <= most)) this.fail("an integer is out of range", `${least} to ${most}`, `${x}`)
      xs[i] = x
    }
    return xs
  }

  list<T>(read: () => T): T[] {
    return Array.from({ length: this.#count() }, read)
  }

  end(): void {
    if (this.#at !== this.#bytes.length)
      this.fail("data after the end", "end of file", `${this.#bytes.length - this.#at} more bytes`)
  }

  #varint(): number {
    let [x, unit] = [0, 1]
    for (;;) {
      const b = this.byte()
      x += (b % 128) * unit
      if (b < 128) break
      unit *= 128
      if (unit >= 2 ** 56) this.fail("an integer is too long")
    }
    return x
  }

  /** A length: no list is longer than the bytes that are left, so a damaged one cannot claim memory. */
  #count(): number {
    const length = this.uint()
    if (length > this.#bytes.length - this.#at) this.fail("the data is truncated")
    return length
  }
}
