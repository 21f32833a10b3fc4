/**
 * Fixed-base multiplication on bn254: scalars times the generator of G1 or G2, by a table of multiples per
 * window. Field and curve operations are those of the WASM module of the package wasmcurves, instantiated
 * here without its JavaScript wrapper, so that it runs in any thread.
 *
 * Letters: c bits of a window, W windows, H = the sum of 2^(c−1)·2^(cw) over all w. Digit w of a scalar s is
 * window w of s + H, less 2^(c−1): signed, so half a table suffices, and no carry runs between windows.
 * Additions are affine, many at a time, with one field inversion for all of them (Montgomery's trick): 5
 * multiplications and a squaring each, against 11 in Jacobian coordinates.
 */
import build from "wasmcurves/build/bn128_wasm.js"
import { invariant } from "../errors.js"

/** Bytes of an affine point: Montgomery form, little endian; all zero is the point at infinity. */
export const pointBytes = { g1: 64, g2: 128 } as const
export type Group = keyof typeof pointBytes

type Call = (...pointers: number[]) => number

/** Most additions that share an inversion. */
const batch = 1024
/** What the module itself takes beyond what we allocate: the running products of a batch. */
const temporaries = 2 ** 18
const page = 65536
/** Scalars are below 2^254 ≤ 2^(cW − 2), so s + H has no window beyond the last. */
const scalarBits = 254
const words = 10

/** The width c that needs the fewest additions for `total` scalars, the table included. */
export function windowBits(total: number): number {
  const additions = (c: number) => Math.ceil((scalarBits + 2) / c) * (total + 2 ** (c - 1))
  let best = 2
  for (let c = 3; c <= 13; c++) if (additions(c) < additions(best)) best = c
  return best
}

/** Tables of both generators, each made when first needed, for about as many scalars as `totals` says. */
export class FixedBase {
  private readonly memory = new WebAssembly.Memory({ initial: 25 })
  private readonly exports: Record<string, Call>
  private readonly tables = new Map<Group, Table>()

  constructor(private readonly totals: Readonly<Record<Group, number>> = { g1: batch, g2: batch }) {
    const module = new WebAssembly.Module(Buffer.from(build.code, "base64"))
    this.exports = new WebAssembly.Instance(module, { env: { memory: this.memory } }).exports as Record<
      string,
      Call
    >
  }

  /** scalars: 32 bytes little endian each, below 2^254; returns affine points in the same order. */
  multiply(group: Group, scalars: Uint8Array): Uint8Array<ArrayBuffer> {
    let table = this.tables.get(group)
    if (table === undefined) {
      table = new Table(this, group, windowBits(this.totals[group]))
      this.tables.set(group, table)
    }
    return table.multiply(scalars)
  }

  call(name: string): Call {
    const fn = this.exports[name]
    invariant(fn, `the curve module has no ${name}`)
    return fn
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.memory.buffer)
  }

  /** Memory for as long as the instance lives. The module keeps the address of its first free byte at 0. */
  allocate(bytes: number): number {
    const pointer = (new Uint32Array(this.memory.buffer, 0, 1)[0] + 7) & ~7
    const missing = pointer + bytes + temporaries - this.memory.buffer.byteLength
    if (missing > 0) this.memory.grow(Math.ceil(missing / page))
    new Uint32Array(this.memory.buffer, 0, 1)[0] = pointer + bytes
    return pointer
  }
}

/** Additions of affine points, collected and then carried out together. */
class Adder {
  private readonly size: number
  private readonly half: number
  private readonly target = new Int32Array(batch)
  private readonly left = new Int32Array(batch)
  private readonly right = new Int32Array(batch)
  private readonly minus = new Uint8Array(batch)
  private readonly dx: number
  private readonly inverses: number
  private readonly slope: number
  private readonly x: number
  private readonly negated: number
  private readonly jacobian: number
  private readonly f: Record<"add" | "sub" | "mul" | "square" | "copy" | "isZero" | "batchInverse", Call>
  private readonly g: Record<"negAffine" | "addAffine" | "batchToAffine", Call>
  count = 0

  constructor(base: FixedBase, group: Group) {
    this.size = pointBytes[group]
    this.half = this.size / 2
    const field = (name: string) => base.call(`${group === "g1" ? "f1m" : "f2m"}_${name}`)
    const curve = (name: string) => base.call(`${group}m_${name}`)
    this.f = {
      add: field("add"),
      sub: field("sub"),
      mul: field("mul"),
      square: field("square"),
      copy: field("copy"),
      isZero: field("isZero"),
      batchInverse: field("batchInverse"),
    }
    this.g = {
      negAffine: curve("negAffine"),
      addAffine: curve("addAffine"),
      batchToAffine: curve("batchToAffine"),
    }
    this.dx = base.allocate(batch * this.half)
    this.inverses = base.allocate(batch * this.half)
    this.slope = base.allocate(this.half)
    this.x = base.allocate(this.half)
    this.negated = base.allocate(this.size)
    this.jacobian = base.allocate(3 * this.half)
  }

  /** Plans target ← left ± right. No operand may be a target of the same batch, but left may be its own. */
  plan(target: number, left: number, right: number, minus: boolean): void {
    const i = this.count++
    this.target[i] = target
    this.left[i] = left
    this.right[i] = right
    this.minus[i] = minus ? 1 : 0
    this.f.sub(right, left, this.dx + i * this.half)
    if (this.count === batch) this.run()
  }

  /** Carries out what is planned. */
  run(): void {
    const { f, half, dx, inverses, slope, x } = this
    if (this.count > 0) f.batchInverse(dx, half, this.count, inverses, half)
    for (let i = 0; i < this.count; i++) {
      const target = this.target[i]
      const left = this.left[i]
      const right = this.right[i]
      const minus = this.minus[i] === 1
      if (f.isZero(dx + i * half)) {
        this.single(target, left, right, minus)
        continue
      }
      // With the sign of the slope turned round for a subtraction, only y needs to know about it.
      ;(minus ? f.add : f.sub)(right + half, left + half, slope)
      f.mul(slope, inverses + i * half, slope)
      f.square(slope, x)
      f.sub(x, left, x)
      f.sub(x, right, x)
      if (minus) f.sub(x, left, inverses)
      else f.sub(left, x, inverses)
      f.mul(slope, inverses, slope)
      f.sub(slope, left + half, target + half)
      f.copy(x, target)
    }
    this.count = 0
  }

  /** left ± right for points with the same x: a doubling, or infinity. */
  private single(target: number, left: number, right: number, minus: boolean): void {
    if (minus) this.g.negAffine(right, this.negated)
    this.g.addAffine(left, minus ? this.negated : right, this.jacobian)
    this.g.batchToAffine(this.jacobian, 1, target)
  }
}

class Table {
  private readonly size: number
  private readonly windows: number
  /** Entries of a window: 1 … 2^(c−1) times its base. */
  private readonly entries: number
  private readonly start: number
  private readonly sums: number
  private readonly adder: Adder
  private readonly negAffine: Call
  /** H as 32-bit words. */
  private readonly offset = new Uint32Array(words)
  private readonly shifted = new Uint32Array(words + 1)

  constructor(
    private readonly base: FixedBase,
    group: Group,
    private readonly c: number,
  ) {
    this.size = pointBytes[group]
    this.windows = Math.ceil((scalarBits + 2) / c)
    this.entries = 2 ** (c - 1)
    this.start = base.allocate(this.windows * this.entries * this.size)
    this.sums = base.allocate(batch * this.size)
    this.adder = new Adder(base, group)
    this.negAffine = base.call(`${group}m_negAffine`)
    for (let w = 0; w < this.windows; w++) {
      const bit = c * w + c - 1
      this.offset[bit >> 5] |= 1 << (bit & 31)
    }
    this.fill(group === "g1" ? build.pG1gen : build.pG2gen)
  }

  /** Every window doubles its filled part by adding the last entry to all of it. */
  private fill(generator: number): void {
    const { entries, size, adder } = this
    this.base.bytes.copyWithin(this.start, generator, generator + size)
    for (let w = 0; w < this.windows; w++) {
      const row = this.start + w * entries * size
      for (let filled = 1; filled < entries; filled *= 2) {
        const last = row + (filled - 1) * size
        for (let i = 0; i < filled; i++) adder.plan(row + (filled + i) * size, last, row + i * size, false)
        adder.run()
      }
      if (w + 1 === this.windows) break
      const last = row + (entries - 1) * size
      adder.plan(row + entries * size, last, last, false)
      adder.run()
    }
  }

  multiply(scalars: Uint8Array): Uint8Array<ArrayBuffer> {
    const count = scalars.length / 32
    invariant(Number.isInteger(count), "scalars are 32 bytes each")
    const view = new DataView(scalars.buffer, scalars.byteOffset, scalars.byteLength)
    const result = new Uint8Array(count * this.size)
    const digits = new Int16Array(batch * this.windows)
    for (let first = 0; first < count; first += batch) {
      const length = Math.min(batch, count - first)
      for (let i = 0; i < length; i++) this.split(view, 32 * (first + i), digits, i * this.windows)
      this.sum(digits, length)
      result.set(this.base.bytes.subarray(this.sums, this.sums + length * this.size), first * this.size)
    }
    // Digits are the secret scalars in another form.
    digits.fill(0)
    this.shifted.fill(0)
    return result
  }

  /** The sums of the batch, window by window, so that each round is one batch of additions. */
  private sum(digits: Int16Array, length: number): void {
    const { windows, entries, size, sums, adder } = this
    const bytes = this.base.bytes
    bytes.fill(0, sums, sums + length * size)
    const started = new Uint8Array(length)
    for (let w = 0; w < windows; w++) {
      const row = this.start + w * entries * size
      for (let i = 0; i < length; i++) {
        const digit = digits[i * windows + w]
        if (digit === 0) continue
        const entry = row + (Math.abs(digit) - 1) * size
        const sum = sums + i * size
        // A partial sum is smaller than what is added to it, as integers below r: never infinity again.
        if (started[i] === 1) adder.plan(sum, sum, entry, digit < 0)
        else if (digit > 0) bytes.copyWithin(sum, entry, entry + size)
        else this.negAffine(entry, sum)
        started[i] = 1
      }
      adder.run()
    }
  }

  private split(view: DataView, at: number, digits: Int16Array, to: number): void {
    const { c, entries, shifted, offset } = this
    let carry = 0
    for (let i = 0; i < words; i++) {
      const sum = (i < 8 ? view.getUint32(at + 4 * i, true) : 0) + offset[i] + carry
      shifted[i] = sum
      carry = sum > 0xffffffff ? 1 : 0
    }
    for (let w = 0, bit = 0; w < this.windows; w++, bit += c) {
      const word = bit >>> 5
      const shift = bit & 31
      let window = shifted[word] >>> shift
      if (shift + c > 32) window |= shifted[word + 1] << (32 - shift)
      digits[to + w] = (window & (2 * entries - 1)) - entries
    }
  }
}
