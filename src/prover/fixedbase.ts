/**
 * Fixed-base multiplication on bn254: scalars times the generator of G1 or G2, by tables of multiples
 * per window. The curve arithmetic is the WASM module of the package wasmcurves, instantiated here without
 * its JavaScript wrapper, so that it runs in any thread.
 */
import build from "wasmcurves/build/bn128_wasm.js"
import { invariant } from "../errors.js"

type Call = (...pointers: number[]) => void

/** Bytes of an affine point: Montgomery form, little endian; all zero is the point at infinity. */
export const pointBytes = { g1: 64, g2: 128 } as const
export type Group = keyof typeof pointBytes

const windowBits = { g1: 11, g2: 9 }
const scalarBits = 254
/** Points converted to affine by one inversion. */
const batch = 1024
const temporaries = 2 ** 20

interface Table {
  readonly start: number
  readonly windows: number
  readonly bits: number
}

export class FixedBase {
  private readonly exports: Record<string, Call>
  private readonly memory: WebAssembly.Memory
  private readonly tables = new Map<Group, Table>()

  constructor() {
    this.memory = new WebAssembly.Memory({ initial: 64 })
    const module = new WebAssembly.Module(Buffer.from(build.code, "base64"))
    const instance = new WebAssembly.Instance(module, { env: { memory: this.memory } })
    this.exports = instance.exports as Record<string, Call>
  }

  /** The module keeps the address of its first free byte at address 0. */
  private allocate(bytes: number): number {
    const free = new Uint32Array(this.memory.buffer, 0, 1)
    const pointer = (free[0] + 7) & ~7
    const end = pointer + bytes
    // batch operations of the module take temporaries from the same place without growing the memory
    const needed = end + temporaries - this.memory.buffer.byteLength
    if (needed > 0) this.memory.grow(Math.ceil(needed / 65536))
    new Uint32Array(this.memory.buffer, 0, 1)[0] = end
    return pointer
  }

  private release(pointer: number): void {
    new Uint32Array(this.memory.buffer, 0, 1)[0] = pointer
  }

  private call(group: Group, name: string): Call {
    const fn = this.exports[`${group}m_${name}`]
    invariant(fn, `the curve module has no ${group}m_${name}`)
    return fn
  }

  /** Multiples 1 … 2^bits − 1 of 2^(bits·w)·G for every window w, affine; entry 0 is left out. */
  private table(group: Group): Table {
    const known = this.tables.get(group)
    if (known) return known
    const bits = windowBits[group]
    const size = pointBytes[group]
    const jacobian = (size * 3) / 2
    const windows = Math.ceil(scalarBits / bits)
    const entries = 2 ** bits - 1
    const start = this.allocate(windows * entries * size)
    const scratch = this.allocate(entries * jacobian)
    const base = this.allocate(size)
    const power = this.allocate(jacobian)
    const [add, toAffine, double, toAffineBatch] = ["addMixed", "toAffine", "double", "batchToAffine"].map(
      (name) => this.call(group, name),
    )
    const generator = group === "g1" ? build.pG1gen : build.pG2gen
    new Uint8Array(this.memory.buffer).copyWithin(power, generator, generator + jacobian)
    for (let w = 0; w < windows; w++) {
      toAffine(power, base)
      new Uint8Array(this.memory.buffer).copyWithin(scratch, power, power + jacobian)
      for (let j = 1; j < entries; j++) add(scratch + (j - 1) * jacobian, base, scratch + j * jacobian)
      toAffineBatch(scratch, entries, start + w * entries * size)
      for (let bit = 0; bit < bits; bit++) double(power, power)
    }
    this.release(scratch)
    const table = { start, windows, bits }
    this.tables.set(group, table)
    return table
  }

  /** scalars: 32 bytes little endian each, reduced mod r; returns affine points in the same order. */
  multiply(group: Group, scalars: Uint8Array): Uint8Array {
    const { start, windows, bits } = this.table(group)
    const size = pointBytes[group]
    const jacobian = (size * 3) / 2
    const entries = 2 ** bits - 1
    const count = scalars.length / 32
    const result = new Uint8Array(count * size)
    const scratch = this.allocate(batch * jacobian)
    const affine = this.allocate(batch * size)
    const zero = this.call(group, "zero")
    const add = this.call(group, "addMixed")
    const toAffineBatch = this.call(group, "batchToAffine")
    for (let first = 0; first < count; first += batch) {
      const length = Math.min(batch, count - first)
      for (let i = 0; i < length; i++) {
        const point = scratch + i * jacobian
        const scalar = (first + i) * 32
        zero(point)
        for (let w = 0; w < windows; w++) {
          const at = w * bits
          const inner = at >> 3
          const byte = scalar + inner
          let word = scalars[byte]
          if (inner < 31) word |= scalars[byte + 1] << 8
          if (inner < 30) word |= scalars[byte + 2] << 16
          const digit = (word >>> (at & 7)) & entries
          if (digit !== 0) add(point, start + (w * entries + digit - 1) * size, point)
        }
      }
      toAffineBatch(scratch, length, affine)
      result.set(new Uint8Array(this.memory.buffer, affine, length * size), first * size)
    }
    this.release(scratch)
    return result
  }
}
