/** Numbers at places of a file that the file itself names: little endian, and never beyond its end. */
import { ModelError } from "../../errors.js"

export class Bytes {
  readonly #view: DataView
  constructor(
    readonly bytes: Uint8Array,
    readonly where: string,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  fail(what: string): never {
    throw new ModelError({
      what,
      where: this.where,
      expected: "an HDF5 file as Keras and h5py write it",
      fix: "Save the model again with Keras",
    })
  }

  /** The place itself, if so many bytes are there. */
  #at(at: number, count: number): number {
    return at >= 0 && count >= 0 && at + count <= this.bytes.length
      ? at
      : this.fail(`the file is truncated: it has no ${count} bytes at ${at}`)
  }

  u8 = (at: number): number => this.#view.getUint8(this.#at(at, 1))
  u16 = (at: number): number => this.#view.getUint16(this.#at(at, 2), true)
  u32 = (at: number): number => this.#view.getUint32(this.#at(at, 4), true)

  /** A length. */
  u64(at: number): number {
    const value = this.u32(at) + 2 ** 32 * this.u32(at + 4)
    return Number.isSafeInteger(value) ? value : this.fail(`${value} is no length of anything`)
  }

  /** An address, or undefined for the one that stands for none. */
  address(at: number): number | undefined {
    return this.u32(at) === 0xffffffff && this.u32(at + 4) === 0xffffffff ? undefined : this.u64(at)
  }

  /** A length in 1, 2, 4 or 8 bytes. */
  sized(at: number, size: number): number {
    return size === 1 ? this.u8(at) : size === 2 ? this.u16(at) : size === 4 ? this.u32(at) : this.u64(at)
  }

  /** Bytes that stay the file's. */
  slice(at: number, count: number): Uint8Array {
    return this.bytes.subarray(this.#at(at, count), at + count)
  }

  /** Refuses a structure that does not begin with its own four letters. */
  signature(at: number, letters: string): void {
    if (String.fromCharCode(...this.slice(at, 4)) !== letters)
      this.fail(`no structure \`${letters}\` where the file says that one is`)
  }

  /** Text up to its first zero byte. */
  text(at: number, most: number): string {
    const slice = this.bytes.subarray(this.#at(at, 0), Math.min(at + most, this.bytes.length))
    const end = slice.indexOf(0)
    return new TextDecoder().decode(end < 0 ? slice : slice.subarray(0, end))
  }
}
