/** Inputs of the benchmarks: seeded, so that every run has the same ones. */
import { mod } from "../dist/field.js"

/** Uniform 32-bit words: xorshift. */
export function generator(seed) {
  let x = seed | 1
  return () => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return x >>> 0
  }
}

export function fieldElement(next) {
  let x = 0n
  for (let i = 0; i < 8; i++) x = (x << 32n) | BigInt(next())
  return mod(x)
}

/** Writes x as 32 bytes, little endian. */
export function toBytes(x, bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  for (let i = 0; i < 4; i++, x >>= 64n) view.setBigUint64(8 * i, x & 0xffffffffffffffffn, true)
}
