/** The odd part of a transform: size 3 or 9 (see transform.ts). */
import { add2, difLazy2, mul2, pairBytes, sub2 } from "./fr"

/** Transforms of size 3 or 9 of neighbouring vectors; values in natural order before and after. */
export function leaves(x: usize, length: usize, leaf: usize, constants: usize, inverse: bool, temp: usize): void {
  if (leaf == 1) return
  const stride = leaf * pairBytes
  const end = x + length * pairBytes
  for (let at = x; at < end; at += stride) {
    if (leaf == 9) nine(at, constants, temp)
    else three(at, at + pairBytes, at + 2 * pairBytes, constants, temp)
    // the inverse runs through the values backwards
    if (inverse) for (let i: usize = 1; i * 2 < leaf; i++) swap(at + i * pairBytes, at + (leaf - i) * pairBytes)
  }
}

@inline function swap(x: usize, y: usize): void {
  for (let at: usize = 0; at < pairBytes; at += 8) {
    const word = load<u64>(x + at)
    store<u64>(x + at, load<u64>(y + at))
    store<u64>(y + at, word)
  }
}

/** (x, y, z) = (x + y + z, x + ζy + ζ²z, x + ζ²y + ζz); since ζ² = −1 − ζ one multiplication is enough. */
function three(x: usize, y: usize, z: usize, constants: usize, temp: usize): void {
  const d = temp
  const t = d + pairBytes
  const s = t + pairBytes
  difLazy2(d, y, z)
  mul2(t, d, constants)
  add2(s, y, z)
  sub2(d, x, y)
  sub2(y, x, z)
  add2(x, x, s)
  add2(y, y, t)
  sub2(z, d, t)
}

/** Nine values as 3 × 3: columns, twiddles, rows; then the transposition that puts them in order. */
function nine(x: usize, constants: usize, temp: usize): void {
  for (let b: usize = 0; b < 3; b++) {
    three(x + b * pairBytes, x + (b + 3) * pairBytes, x + (b + 6) * pairBytes, constants, temp)
  }
  const w = constants + pairBytes
  mul2(x + 4 * pairBytes, x + 4 * pairBytes, w)
  mul2(x + 5 * pairBytes, x + 5 * pairBytes, w + pairBytes)
  mul2(x + 7 * pairBytes, x + 7 * pairBytes, w + pairBytes)
  mul2(x + 8 * pairBytes, x + 8 * pairBytes, w + 2 * pairBytes)
  for (let c: usize = 0; c < 3; c++) {
    const row = x + c * 3 * pairBytes
    three(row, row + pairBytes, row + 2 * pairBytes, constants, temp)
  }
  swap(x + pairBytes, x + 3 * pairBytes)
  swap(x + 2 * pairBytes, x + 6 * pairBytes)
  swap(x + 5 * pairBytes, x + 7 * pairBytes)
}
