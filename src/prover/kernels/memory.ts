/**
 * The memory that all kernels work in: one WebAssembly.Memory, shared between threads where the platform
 * allows it, and an allocator for it. Only the thread that opened it allocates; the others get addresses.
 *
 * Addresses are unsigned: above 2 GiB a kernel hands them out as negative numbers, so `>>> 0` is needed.
 * Growing a plain memory detaches every view of it, so no view may be kept over an allocation; growing a
 * shared memory leaves old views as they are.
 */
import { readField, writeField } from "../../circuit/formats/container.js"
import { CountersignError, invariant } from "../../errors.js"

export const pageBytes = 65_536
/** All a 32-bit address reaches, but for the last page: an end address then never wraps around to zero. */
export const maximumPages = 65_535
/** Every block starts on a cache line of its own, so that threads do not share lines by accident. */
const alignment = 64
/** Below lie the constants of the modules; address 0 stays unused: it is what a forgotten address looks like. */
export const firstAddress = 16_384
/** Growing is cheap but not free: it is done in steps of this many pages (4 MiB). */
const growthPages = 64

interface Block {
  at: number
  bytes: number
}

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`
const roundUp = (bytes: number): number => Math.ceil(bytes / alignment) * alignment

export class KernelMemory {
  readonly memory: WebAssembly.Memory
  readonly shared: boolean
  private readonly limit: number
  /** Free blocks in order of address, no two of them adjacent. */
  private readonly free: Block[] = []
  /** Bytes of every block handed out, by address. */
  private readonly used = new Map<number, number>()
  /** End of the part that was ever handed out. */
  private top = firstAddress
  private held = 0

  /** `maximumBytes` limits what is ever allocated; a browser may grant less. */
  constructor(options: { shared?: boolean; maximumBytes?: number } = {}) {
    this.shared = options.shared ?? typeof SharedArrayBuffer !== "undefined"
    const asked = Math.ceil((options.maximumBytes ?? maximumPages * pageBytes) / pageBytes)
    this.memory = open(this.shared, Math.min(asked, maximumPages))
    this.limit = Math.min(asked, maximumPages) * pageBytes
  }

  /** Bytes handed out now. */
  get allocated(): number {
    return this.held
  }

  /** Bytes of the memory, handed out or not. */
  get size(): number {
    return this.memory.buffer.byteLength
  }

  /**
   * A block of `bytes`, aligned to 64 bytes, contents undefined; `what` names it in the error.
   * @throws CountersignError with the figures if it does not fit
   */
  allocate(bytes: number, what: string): number {
    invariant(Number.isSafeInteger(bytes) && bytes >= 0, `cannot allocate ${bytes} bytes`)
    const size = Math.max(alignment, roundUp(bytes))
    const at = this.take(size) ?? this.extend(size, what)
    this.used.set(at, size)
    this.held += size
    return at
  }

  /** Gives a block back. */
  release(at: number): void {
    const bytes = this.used.get(at)
    invariant(bytes !== undefined, `no block starts at ${at}`)
    this.used.delete(at)
    this.held -= bytes
    let i = this.free.findIndex((block) => block.at > at)
    if (i < 0) i = this.free.length
    const [before, after] = [this.free[i - 1], this.free[i]]
    if (before && before.at + before.bytes === at) {
      before.bytes += bytes
      if (after && before.at + before.bytes === after.at) {
        before.bytes += after.bytes
        this.free.splice(i, 1)
      }
    } else if (after && at + bytes === after.at) {
      after.at = at
      after.bytes += bytes
    } else {
      this.free.splice(i, 0, { at, bytes })
    }
  }

  /** Whether blocks of `bytes` in all would fit now, next to what is held, if they lay side by side. */
  fits(bytes: number): boolean {
    return this.held + bytes <= this.limit - firstAddress
  }

  bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, at >>> 0, length)
  }

  words(at: number, length: number): Int32Array {
    return new Int32Array(this.memory.buffer, at >>> 0, length)
  }

  unsigned(at: number, length: number): Uint32Array {
    return new Uint32Array(this.memory.buffer, at >>> 0, length)
  }

  longs(at: number, length: number): BigUint64Array {
    return new BigUint64Array(this.memory.buffer, at >>> 0, length)
  }

  doubles(at: number, length: number): Float64Array {
    return new Float64Array(this.memory.buffer, at >>> 0, length)
  }

  /** An integer of 32 bytes, little endian, as it is in files. */
  integer(at: number): bigint {
    return readField(new DataView(this.memory.buffer), at >>> 0)
  }

  /** Integers of less than 2^256, 32 bytes each, one after the other. */
  writeIntegers(at: number, values: readonly bigint[]): void {
    const view = new DataView(this.memory.buffer, at >>> 0, 32 * values.length)
    values.forEach((value, i) => {
      writeField(view, 32 * i, value)
    })
  }

  /** The tightest free block that is large enough. */
  private take(size: number): number | undefined {
    let best = -1
    for (const [i, { bytes }] of this.free.entries()) {
      if (bytes >= size && (best < 0 || bytes < this.free[best].bytes)) best = i
    }
    if (best < 0) return undefined
    const block = this.free[best]
    const at = block.at
    block.at += size
    block.bytes -= size
    if (block.bytes === 0) this.free.splice(best, 1)
    return at
  }

  /** Room at the end, growing the memory if need be. */
  private extend(size: number, what: string): number {
    const last = this.free.at(-1)
    const reuse = last && last.at + last.bytes === this.top ? last : undefined
    const at = reuse?.at ?? this.top
    const missing = at + size - this.size
    if (at + size > this.limit || (missing > 0 && !this.grow(missing))) {
      throw new CountersignError({
        what: `${what} does not fit into memory`,
        expected: `at most ${mebibytes(this.limit - this.held)} next to ${mebibytes(this.held)} in use`,
        given: mebibytes(size),
        fix: "Close other provers, or prove a smaller model",
      })
    }
    if (reuse) this.free.pop()
    this.top = at + size
    return at
  }

  /** Grows by at least `bytes`; false if the platform has no more. */
  private grow(bytes: number): boolean {
    const pages = Math.ceil(bytes / pageBytes)
    const room = this.limit / pageBytes - this.size / pageBytes
    for (const step of [Math.min(Math.max(pages, growthPages), room), pages]) {
      try {
        this.memory.grow(step)
        return true
      } catch {
        // less may still be granted
      }
    }
    return false
  }
}

/** A memory that may grow to `pages`; where so much address space cannot be reserved, to a half or a quarter of it. */
function open(shared: boolean, pages: number): WebAssembly.Memory {
  const descriptor = (maximum: number) => ({ initial: 1, maximum, shared })
  for (const maximum of [pages, pages >> 1]) {
    try {
      return new WebAssembly.Memory(descriptor(maximum))
    } catch {
      // some browsers reserve the maximum at once
    }
  }
  return new WebAssembly.Memory(descriptor(pages >> 2))
}
