/**
 * Inverses of field elements by division steps: Bernstein and Yang, "Fast constant-time gcd computation and
 * modular inversion" (2019), here in variable time, 30 steps at a time on signed numbers of 9 × 30 bits.
 *
 * f and g start as p and x; each block of steps multiplies (f, g) by a matrix of small integers and divides by
 * 2^30. d and e follow modulo p, so that f ≡ d·x and g ≡ e·x hold throughout. At g = 0, f is ±1 (or ±p for
 * x = 0, whose "inverse" comes out as 0) and the inverse is ±d. With k of `follow` in [0, 2^30), |d| and |e|
 * grow by at most p in a block; there are at most 25 blocks, so 270 bits hold them.
 */
import {
  elementBytes,
  fileSquared2,
  gather2,
  inverse30,
  modulus30,
  mul2,
  read2,
  scatter2,
  write2,
} from "./field"

const limbs = 9
const bits = 30
const mask: i64 = (1 << 30) - 1
const number: usize = 4 * 9

/** Working memory: p, f, g, d, e, then the matrix, then pairs. */
export const inverseScratch: usize = 5 * 40 + 16 + 4 * 80 + 64

let modulus: usize = 0
let f: usize = 0
let g: usize = 0
let d: usize = 0
let e: usize = 0
let matrix: usize = 0
let swapped: usize = 0
let product: usize = 0
let constant: usize = 0
let bytes: usize = 0

/** Must be called once in each call from outside: `scratch`, divisible by 8, is used until the next call. */
export function prepareInverse(scratch: usize): void {
  modulus = scratch
  f = modulus + 40
  g = f + 40
  d = g + 40
  e = d + 40
  matrix = e + 40
  swapped = matrix + 16
  product = swapped + 80
  constant = product + 80
  bytes = constant + 80
  modulus30(modulus)
  fileSquared2(constant)
}

@inline
function at(x: usize, i: i32): i64 {
  return <i64>load<i32>(x + ((<usize>i) << 2))
}

/**
 * 30 division steps on the low limbs; writes the matrix u v q r, returns the new delta. While delta stays
 * positive f does not change, so several steps at once add the multiple of f to g that makes the next bits of g
 * zero: for odd f, −1/f ≡ f(f² − 2) modulo 64.
 */
function steps(delta: i32): i32 {
  let u: i32 = 1
  let v: i32 = 0
  let q: i32 = 0
  let r: i32 = 1
  let a = load<i32>(f) | (load<i32>(f, 4) << 30)
  let b = load<i32>(g) | (load<i32>(g, 4) << 30)
  let left: i32 = bits
  for (;;) {
    // steps with an even g, all at once
    const zeros = ctz(b | (-1 << left))
    b >>= zeros
    u <<= zeros
    v <<= zeros
    delta += zeros
    left -= zeros
    if (left == 0) break
    if (delta > 0) {
      delta = -delta
      let t = a
      a = b
      b = -t
      t = u
      u = q
      q = -t
      t = v
      v = r
      r = -t
    }
    // delta rises by one a step; the next exchange comes once it is positive
    const most = min(min(1 - delta, left), 6)
    const times = (a * b * (a * a - 2)) & ((1 << most) - 1)
    b += a * times
    q += u * times
    r += v * times
  }
  store<i32>(matrix, u)
  store<i32>(matrix, v, 4)
  store<i32>(matrix, q, 8)
  store<i32>(matrix, r, 12)
  return delta
}

/** (f, g) ← matrix · (f, g) / 2^30, exact, for numbers of `length` limbs. */
function apply(length: i32): void {
  const u = at(matrix, 0)
  const v = at(matrix, 1)
  const q = at(matrix, 2)
  const r = at(matrix, 3)
  let cf = (u * at(f, 0) + v * at(g, 0)) >> bits
  let cg = (q * at(f, 0) + r * at(g, 0)) >> bits
  for (let i = 1; i < length; i++) {
    const x = at(f, i)
    const y = at(g, i)
    cf += u * x + v * y
    cg += q * x + r * y
    store<i32>(f + 4 * i - 4, <i32>(cf & mask))
    store<i32>(g + 4 * i - 4, <i32>(cg & mask))
    cf >>= bits
    cg >>= bits
  }
  store<i32>(f + 4 * length - 4, <i32>cf)
  store<i32>(g + 4 * length - 4, <i32>cg)
}

/** How many limbs f and g need: one less where both top limbs only carry the sign, which goes to the next. */
function shorten(length: i32): i32 {
  if (length < 3) return length
  const topF = load<i32>(f + 4 * length - 4)
  const topG = load<i32>(g + 4 * length - 4)
  if ((topF ^ (topF >> 31)) | (topG ^ (topG >> 31))) return length
  const below = 4 * length - 8
  store<i32>(f + below, load<i32>(f + below) | (topF << bits))
  store<i32>(g + below, load<i32>(g + below) | (topG << bits))
  return length - 1
}

/** (d, e) ← matrix · (d, e) / 2^30 mod p. */
function follow(): void {
  const u = at(matrix, 0)
  const v = at(matrix, 1)
  const q = at(matrix, 2)
  const r = at(matrix, 3)
  let cd = u * at(d, 0) + v * at(e, 0)
  let ce = q * at(d, 0) + r * at(e, 0)
  const kd = (-cd * <i64>inverse30) & mask
  const ke = (-ce * <i64>inverse30) & mask
  cd = (cd + kd * at(modulus, 0)) >> bits
  ce = (ce + ke * at(modulus, 0)) >> bits
  for (let i = 1; i < limbs; i++) {
    const m = at(modulus, i)
    cd += u * at(d, i) + v * at(e, i) + kd * m
    ce += q * at(d, i) + r * at(e, i) + ke * m
    store<i32>(d + 4 * i - 4, <i32>(cd & mask))
    store<i32>(e + 4 * i - 4, <i32>(ce & mask))
    cd >>= bits
    ce >>= bits
  }
  store<i32>(d, <i32>cd, 4 * (limbs - 1))
  store<i32>(e, <i32>ce, 4 * (limbs - 1))
}

function isZero(x: usize, length: i32): bool {
  let any: i32 = 0
  for (let i = 0; i < length; i++) any |= load<i32>(x + 4 * i)
  return any == 0
}

/** x ← sign·x + k·p, with carries. */
function adjust(x: usize, sign: i64, k: i64): void {
  let carry: i64 = 0
  for (let i = 0; i < limbs - 1; i++) {
    carry += sign * at(x, i) + k * at(modulus, i)
    store<i32>(x + 4 * i, <i32>(carry & mask))
    carry >>= bits
  }
  store<i32>(x, <i32>(carry + sign * at(x, limbs - 1) + k * at(modulus, limbs - 1)), 4 * (limbs - 1))
}

/** The integer of 32 bytes at `bytes` is replaced by its inverse mod p. */
function invertBytes(): void {
  for (let i = 0; i < limbs; i++) {
    const bit = bits * i
    const byte = min(bit >> 3, 24)
    const limb = (load<u64>(bytes + byte) >> (bit - 8 * byte)) & mask
    store<i32>(g + 4 * i, <i32>limb)
    store<i32>(f + 4 * i, load<i32>(modulus + 4 * i))
    store<i32>(d + 4 * i, 0)
    store<i32>(e + 4 * i, i == 0 ? 1 : 0)
  }
  let delta: i32 = 1
  let length = limbs
  while (!isZero(g, length)) {
    delta = steps(delta)
    follow()
    apply(length)
    length = shorten(length)
  }
  adjust(d, at(f, length - 1) < 0 ? -1 : 1, 0)
  // a multiple of p from the top limbs: near [0, p), then into it
  adjust(d, 1, -(at(d, limbs - 1) / (at(modulus, limbs - 1) + 1)))
  while (at(d, limbs - 1) < 0) adjust(d, 1, 1)
  for (let word = 0; word < 4; word++) {
    let value: u64 = 0
    for (let i = 0; i < limbs; i++) {
      const shift = bits * i - 64 * word
      const limb = <u64>at(d, i)
      if (shift > -bits && shift < 64) value |= shift < 0 ? limb >> -shift : limb << shift
    }
    store<u64>(bytes + 8 * word, value)
  }
}

/** z ← inverses of both lanes of x, with one inversion; both are nonzero, or both results are zero. */
export function invert2(z: usize, x: usize): void {
  gather2Lanes(swapped, x)
  mul2(product, x, swapped)
  write2(bytes, bytes + 32, product)
  invertBytes()
  // read as 2^-256 times what it is meant to be, squared: the constant makes up for that
  read2(product, bytes, bytes)
  mul2(product, product, constant)
  mul2(z, product, swapped)
}

/** z ← x with lanes exchanged. */
function gather2Lanes(z: usize, x: usize): void {
  scatter2(product, product + elementBytes, x)
  gather2(z, product + elementBytes, product)
}
