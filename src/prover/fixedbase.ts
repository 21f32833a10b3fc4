/**
 * Multiples of the generators of bn254: scalar after scalar against one windowed table, on the WebAssembly
 * module of wasmcurves, without ffjavascript and its threads. Points are affine, Montgomery form, little
 * endian (64 bytes in G1, 128 in G2), infinity all zeros, as in a `.zkey`.
 *
 * Letters: c bits of a window, W windows, H = sum of 2^(c-1)·2^(cw). Digit w of a scalar s is window w of
 * s + H, less 2^(c-1): signed, and no carry runs between windows (Booth's idea with one addition).
 */
import bn254 from "wasmcurves/build/bn128_wasm.js"
import { invariant } from "../errors.js"

export type GroupName = "g1" | "g2"

/** Bytes of an affine point. */
export const pointBytes = { g1: 64, g2: 128 } as const

const page = 65536
const initialPages = 25
/** Points converted to affine at once: one field inversion each time. */
const batch = 1024

type Binary = (a: number, b: number, out: number) => void
interface Group {
  /** Affine and Jacobian sizes. */
  readonly affine: number
  readonly jacobian: number
  readonly generator: number
  readonly addMixed: Binary
  readonly double: (a: number, out: number) => void
  readonly negAffine: (a: number, out: number) => void
  readonly zero: (out: number) => void
  readonly batchToAffine: (points: number, count: number, out: number) => void
}

/** One instance of the curve module, with memory of its own. */
export class Curve {
  private readonly memory = new WebAssembly.Memory({ initial: initialPages })
  private readonly functions: Record<string, (...args: number[]) => void>
  private readonly tables = new Map<GroupName, FixedBase>()

  constructor() {
    const code = Uint8Array.from(atob(bn254.code), (letter) => letter.charCodeAt(0))
    const instance = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory: this.memory } })
    this.functions = instance.exports as Record<string, (...args: number[]) => void>
  }

  /**
   * s·G for every 32-byte little-endian scalar s < 2^254. `total` is how many multiples will be asked for
   * altogether: the first call chooses the size of the table by it.
   */
  multiples(name: GroupName, scalars: Uint8Array, total: number): Uint8Array<ArrayBuffer> {
    let table = this.tables.get(name)
    if (table === undefined) {
      table = new FixedBase(this, this.group(name), windowBits(total))
      this.tables.set(name, table)
    }
    return table.multiples(scalars)
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.memory.buffer)
  }

  /** Memory that is never given back. The module keeps its own free pointer at address 0. */
  allocate(bytes: number): number {
    const free = new Uint32Array(this.memory.buffer, 0, 1)
    const start = (free[0] + 7) & ~7
    this.reserve(start + bytes)
    new Uint32Array(this.memory.buffer, 0, 1)[0] = start + bytes
    return start
  }

  /** The module takes its scratch after the free pointer without asking: room for one batch. */
  private reserve(end: number): void {
    const needed = Math.ceil((end + 4 * 64 * (batch + 1)) / page) - this.memory.buffer.byteLength / page
    if (needed > 0) this.memory.grow(needed)
  }

  private group(name: GroupName): Group {
    const f = (suffix: string) => {
      const found = this.functions[`${name}m_${suffix}`]
      invariant(found, `wasmcurves has no ${name}m_${suffix}`)
      return found
    }
    return {
      affine: pointBytes[name],
      jacobian: (pointBytes[name] / 2) * 3,
      generator: name === "g1" ? bn254.pG1gen : bn254.pG2gen,
      addMixed: f("addMixed"),
      double: f("double"),
      negAffine: f("negAffine"),
      zero: f("zero"),
      batchToAffine: f("batchToAffine"),
    }
  }
}

/** Width c with the fewest additions: `total` scalars of W digits, and W·2^(c-1) for the table. */
export function windowBits(total: number): number {
  let best = 2
  const cost = (c: number) => Math.ceil(256 / c) * (total + 2 ** (c - 1))
  for (let c = 3; c <= 13; c++) if (cost(c) < cost(best)) best = c
  return best
}

class FixedBase {
  private readonly windows: number
  private readonly half: number
  private readonly table: number
  private readonly sums: number
  private readonly affine: number
  private readonly negated: number
  /** H as 32-bit words. */
  private readonly offset: Uint32Array

  constructor(
    private readonly curve: Curve,
    private readonly group: Group,
    private readonly c: number,
  ) {
    // s < 2^254 <= 2^(cW-2), so s + H < 2^(cW): no window beyond the last.
    this.windows = Math.ceil(256 / c)
    this.half = 2 ** (c - 1)
    this.table = curve.allocate(this.windows * this.half * group.affine)
    this.sums = curve.allocate(batch * group.jacobian)
    this.affine = curve.allocate(batch * group.affine)
    this.negated = curve.allocate(group.affine)
    this.offset = new Uint32Array(10)
    let h = 0n
    for (let w = 0; w < this.windows; w++) h += 1n << BigInt(c * w + c - 1)
    for (let i = 0; i < this.offset.length; i++) this.offset[i] = Number((h >> BigInt(32 * i)) & 0xffffffffn)
    this.fill()
  }

  /** Entry d - 1 of window w is d·2^(cw)·G, for 1 <= d <= 2^(c-1). */
  private fill(): void {
    const { curve, group, half } = this
    const base = curve.allocate(group.jacobian)
    const running = curve.allocate(group.jacobian)
    const baseAffine = curve.allocate(group.affine)
    group.zero(base)
    group.addMixed(base, group.generator, base)
    for (let w = 0; w < this.windows; w++) {
      group.batchToAffine(base, 1, baseAffine)
      group.zero(running)
      const row = this.table + w * half * group.affine
      for (let start = 0; start < half; start += batch) {
        const count = Math.min(batch, half - start)
        for (let i = 0; i < count; i++) {
          group.addMixed(running, baseAffine, running)
          curve.bytes.copyWithin(this.sums + i * group.jacobian, running, running + group.jacobian)
        }
        this.flush(count, row + start * group.affine)
      }
      // `running` is 2^(c-1) times this window's base; twice that is the next one.
      group.double(running, base)
    }
  }

  private flush(count: number, target: number): void {
    // batchToAffine may leave the module's free pointer moved; put it back, so that scratch is reused.
    const free = new Uint32Array(this.curve.bytes.buffer, 0, 1)
    const before = free[0]
    this.group.batchToAffine(this.sums, count, target)
    free[0] = before
  }

  multiples(scalars: Uint8Array): Uint8Array<ArrayBuffer> {
    invariant(scalars.length % 32 === 0 && scalars.byteOffset % 4 === 0, "scalars are not whole words")
    const words = new Uint32Array(scalars.buffer, scalars.byteOffset, scalars.length / 4)
    const count = words.length / 8
    const result = new Uint8Array(count * this.group.affine)
    for (let start = 0; start < count; start += batch) {
      const size = Math.min(batch, count - start)
      for (let i = 0; i < size; i++)
        this.multiple(words, 8 * (start + i), this.sums + i * this.group.jacobian)
      this.flush(size, this.affine)
      const points = this.curve.bytes.subarray(this.affine, this.affine + size * this.group.affine)
      result.set(points, start * this.group.affine)
    }
    // The scalars are secret: what this instance keeps of them is overwritten.
    this.curve.bytes.fill(0, this.sums, this.sums + batch * this.group.jacobian)
    return result
  }

  private readonly shifted = new Uint32Array(11)

  private multiple(words: Uint32Array, at: number, sum: number): void {
    const { c, half, group, shifted, offset, table } = this
    let carry = 0
    for (let i = 0; i < 10; i++) {
      const t = (i < 8 ? words[at + i] : 0) + offset[i] + carry
      shifted[i] = t
      carry = t > 0xffffffff ? 1 : 0
    }
    group.zero(sum)
    const mask = 2 * half - 1
    for (let w = 0, bit = 0; w < this.windows; w++, bit += c) {
      const word = bit >>> 5
      const shift = bit & 31
      let window = shifted[word] >>> shift
      if (shift + c > 32) window |= shifted[word + 1] << (32 - shift)
      const digit = (window & mask) - half
      if (digit === 0) continue
      const entry = table + (w * half + Math.abs(digit) - 1) * group.affine
      if (digit > 0) group.addMixed(sum, entry, sum)
      else {
        group.negAffine(entry, this.negated)
        group.addMixed(sum, this.negated, sum)
      }
    }
  }
}
