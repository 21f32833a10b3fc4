/**
 * Whether a product of optimal ate pairings of bn254 is one (Vercauteren, eprint 2008/096; loop 6x + 2, then two
 * lines of Frobenius), and whether points of the twist lie in the subgroup of order r. Two pairings run side by side,
 * one in each lane, any number one after the other; all of them share squarings and inversions.
 *
 * F_q¹² = F_q²[w]/(w⁶ − ξ), ξ = 9 + u, six coefficients. A point (x, y) of the twist is (x·w², y·w³) of the curve, so
 * the line of slope λ through it has at P, divided by the y of P, which the final exponentiation does not see, the value
 *
 *     1 − λ·(x_P/y_P)·w + (λ·x − y)·(1/y_P)·w³
 *
 * A pair that is not there has zeros for x_P/y_P and 1/y_P. Points are affine. For a point of the subgroup no
 * denominator is zero; for another one, what comes out then means nothing, but its order has no part in r.
 */
import * as fq from "./fq"
import {
  add2,
  coordinateScratch,
  elementBytes,
  gather2,
  invert2,
  mul2,
  one2,
  pairBytes,
  prepareCoordinate,
  read2,
  scatter2,
  sqr2,
  sub2,
  zeroes2,
} from "./g2/coordinate"

/** A product, written by the engine. */
@unmanaged
class Product {
  /** Two pairs of points each, one for each lane. */
  count: u32
  /** For each pair: x_P/y_P and 1/y_P, 32 bytes each, then the point of the twist, 128 bytes. */
  points: usize
  /** ξ^(i(q − 1)/6) for i from 1 to 5, 64 bytes each. */
  frobenius: usize
  /** Digits of 6x + 2, signed, the highest first. */
  digits: usize
  digitCount: u32
  /** A word that is 1 if the product is one; then for each two pairs bit l if the point in lane l is in the subgroup. */
  result: usize
}

/** Most times two pairs. */
export const pairingLimit: u32 = 4

const sizeP: usize = 192
const imaginary: usize = fq.pairBytes
/** Six coefficients. */
const twelve: usize = 6 * pairBytes
/** x_P/y_P and 1/y_P, the point Q, its image under Frobenius, the running point T. */
const stateBytes: usize = 2 * fq.pairBytes + 6 * pairBytes
const atQ: usize = 2 * fq.pairBytes
const atImage: usize = atQ + 2 * pairBytes
const atT: usize = atImage + 2 * pairBytes

export const pairingScratch: usize =
  coordinateScratch + 16 + 12 * twelve + (12 + 3 * <usize>pairingLimit) * pairBytes + <usize>pairingLimit * stateBytes

/** x of the curve's parameters. */
const parameter: u64 = 4965661367192848881

let product: usize = 0
let products: usize = 0
let t0: usize = 0
let t1: usize = 0
let t2: usize = 0
let t3: usize = 0
let t4: usize = 0
let denominators: usize = 0
let prefixes: usize = 0
let gammas: usize = 0
let values: usize = 0

export function pairing(item: u32, args: usize, scratch: usize): void {
  const job = changetype<Product>(args)
  prepareCoordinate(scratch)
  let at = (scratch + coordinateScratch + 15) & ~15
  product = at
  at += twelve
  products = at
  at += twelve
  values = at
  at += 10 * twelve
  t0 = at
  t1 = t0 + pairBytes
  t2 = t1 + pairBytes
  t3 = t2 + pairBytes
  t4 = t3 + pairBytes
  gammas = t4 + pairBytes
  denominators = gammas + 6 * pairBytes
  prefixes = denominators + <usize>pairingLimit * pairBytes
  const states = prefixes + 2 * <usize>pairingLimit * pairBytes
  for (let i: usize = 0; i < 5; i++) {
    const from = job.frobenius + (i << 6)
    read2(gammas + i * pairBytes, from, from)
  }
  const count: usize = job.count
  for (let k: usize = 0; k < count; k++) {
    const state = states + k * stateBytes
    const from = job.points + (k + k) * sizeP
    fq.read2(state, from, from + sizeP)
    fq.read2(state + fq.pairBytes, from + 32, from + sizeP + 32)
    read2(state + atQ, from + 64, from + sizeP + 64)
    read2(state + atQ + pairBytes, from + 128, from + sizeP + 128)
    memory.copy(state + atT, state + atQ, 2 * pairBytes)
  }
  const f = values
  unit(f)
  for (let i: u32 = 1; i < job.digitCount; i++) {
    square(f, f)
    double(f, states, count)
    const digit = load<i8>(job.digits + i)
    if (digit != 0) {
      for (let k: usize = 0; k < count; k++) setImage(states + k * stateBytes, digit < 0)
      addImage(f, states, count)
    }
  }
  for (let k: usize = 0; k < count; k++) setFrobenius(states + k * stateBytes, 1, false)
  addImage(f, states, count)
  for (let k: usize = 0; k < count; k++) setFrobenius(states + k * stateBytes, 2, true)
  addImage(f, states, count)
  // (6x + 2)Q + ψ(Q) − ψ²(Q) + ψ³(Q) = 0 exactly in the subgroup: the norm of that in Z[ψ] and the cofactor are coprime
  for (let k: usize = 0; k < count; k++) {
    const state = states + k * stateBytes
    setFrobenius(state, 3, true)
    sub2(t0, state + atImage, state + atT)
    sub2(t1, state + atImage + pairBytes, state + atT + pairBytes)
    store<u32>(job.result + ((k + 1) << 2), zeroes2(t0) & zeroes2(t1))
  }
  finish(f)
  store<u32>(job.result, isOne(f) ? 1 : 0)
}

/** The image of Q is Q itself, or its opposite. */
function setImage(state: usize, opposite: bool): void {
  memory.copy(state + atImage, state + atQ, 2 * pairBytes)
  if (opposite) negate(state + atImage + pairBytes, state + atImage + pairBytes)
}

/** The image of Q under ψ, times over, and maybe the opposite of that. */
function setFrobenius(state: usize, times: u32, opposite: bool): void {
  setImage(state, opposite)
  for (let i: u32 = 0; i < times; i++) {
    conjugate(state + atImage, state + atImage)
    mul2(state + atImage, state + atImage, gammas + pairBytes)
    conjugate(state + atImage + pairBytes, state + atImage + pairBytes)
    mul2(state + atImage + pairBytes, state + atImage + pairBytes, gammas + 2 * pairBytes)
  }
}

/** f ← f times the tangents at every T, which are doubled. */
function double(f: usize, states: usize, count: usize): void {
  for (let k: usize = 0; k < count; k++) {
    const y = states + k * stateBytes + atT + pairBytes
    add2(denominators + k * pairBytes, y, y)
  }
  invertAll(count)
  for (let k: usize = 0; k < count; k++) {
    const state = states + k * stateBytes
    const x = state + atT
    sqr2(t1, x)
    add2(t2, t1, t1)
    add2(t1, t1, t2)
    mul2(t0, t1, denominators + k * pairBytes)
    line(f, state, x)
  }
}

/** f ← f times the lines through every T and the image of Q, which is added to T. */
function addImage(f: usize, states: usize, count: usize): void {
  for (let k: usize = 0; k < count; k++) {
    const state = states + k * stateBytes
    sub2(denominators + k * pairBytes, state + atImage, state + atT)
  }
  invertAll(count)
  for (let k: usize = 0; k < count; k++) {
    const state = states + k * stateBytes
    sub2(t1, state + atImage + pairBytes, state + atT + pairBytes)
    mul2(t0, t1, denominators + k * pairBytes)
    line(f, state, state + atImage)
  }
}

/** f ← f times the line of slope t0 through T; T ← the third point of it and that at `otherX`, opposite. */
function line(f: usize, state: usize, otherX: usize): void {
  const x = state + atT
  const y = x + pairBytes
  // t3 = −λ·x_P/y_P, t4 = (λ·x − y)/y_P
  mul2(t1, t0, x)
  sub2(t1, t1, y)
  scale(t4, t1, state + fq.pairBytes)
  scale(t1, t0, state)
  negate(t3, t1)
  sqr2(t1, t0)
  sub2(t1, t1, x)
  sub2(t1, t1, otherX)
  sub2(t2, x, t1)
  mul2(t2, t2, t0)
  sub2(y, t2, y)
  memory.copy(x, t1, pairBytes)
  timesLine(f)
}

/** f ← f·(1 + t3·w + t4·w³) */
function timesLine(f: usize): void {
  for (let k: usize = 0; k < 6; k++) {
    const z = product + k * pairBytes
    // coefficients that wrap around come with ξ
    mul2(t0, t3, f + (k == 0 ? 5 : k - 1) * pairBytes)
    mul2(t1, t4, f + (k < 3 ? k + 3 : k - 3) * pairBytes)
    if (k == 0) {
      add2(t0, t0, t1)
      timesXi(t0, t0)
      add2(z, f, t0)
    } else {
      if (k < 3) timesXi(t1, t1)
      add2(t0, t0, t1)
      add2(z, f + k * pairBytes, t0)
    }
  }
  memory.copy(f, product, twelve)
}

/** The denominators ← their inverses. */
function invertAll(count: usize): void {
  memory.copy(prefixes, denominators, pairBytes)
  for (let k: usize = 1; k < count; k++) {
    mul2(prefixes + k * pairBytes, prefixes + (k - 1) * pairBytes, denominators + k * pairBytes)
  }
  const inverse = prefixes + <usize>pairingLimit * pairBytes
  invert2(inverse, prefixes + (count - 1) * pairBytes)
  for (let k = count - 1; k > 0; k--) {
    mul2(t1, inverse, prefixes + (k - 1) * pairBytes)
    mul2(inverse, inverse, denominators + k * pairBytes)
    memory.copy(denominators + k * pairBytes, t1, pairBytes)
  }
  memory.copy(denominators, inverse, pairBytes)
}

/** z ← x·s for s in F_q. */
function scale(z: usize, x: usize, s: usize): void {
  fq.mul2(z, x, s)
  fq.mul2(z + imaginary, x + imaginary, s)
}
function conjugate(z: usize, x: usize): void {
  if (z != x) memory.copy(z, x, fq.pairBytes)
  fq.sub2(t1, x, x)
  fq.sub2(z + imaginary, t1, x + imaginary)
}
function negate(z: usize, x: usize): void {
  sub2(t2, x, x)
  sub2(z, t2, x)
}
/** z ← (9 + u)·x */
function timesXi(z: usize, x: usize): void {
  add2(t2, x, x)
  add2(t2, t2, t2)
  add2(t2, t2, t2)
  add2(t2, t2, x)
  fq.sub2(t2, t2, x + imaginary)
  fq.add2(z + imaginary, t2 + imaginary, x)
  memory.copy(z, t2, fq.pairBytes)
}

/** One in both lanes. */
function unit(z: usize): void {
  one2(z)
  for (let k: usize = 1; k < 6; k++) sub2(z + k * pairBytes, z, z)
}
function isOne(x: usize): bool {
  one2(t0)
  sub2(t0, t0, x)
  let zero = zeroes2(t0)
  for (let k: usize = 1; k < 6; k++) zero &= zeroes2(x + k * pairBytes)
  return zero == 3
}

/** z ← x·y in F_q¹²: x_i·y_j + x_j·y_i as (x_i + x_j)(y_i + y_j) less the products of both. */
function multiply(z: usize, x: usize, y: usize): void {
  for (let k: usize = 0; k < 6; k++) mul2(products + k * pairBytes, x + k * pairBytes, y + k * pairBytes)
  for (let k: usize = 0; k < 6; k++) {
    const sum = product + k * pairBytes
    sub2(sum, x, x)
    for (let i: usize = k + 1; i + i < k + 6; i++) cross(sum, x, y, i, k + 6 - i)
    if ((k & 1) == 0) add2(sum, sum, products + ((k >> 1) + 3) * pairBytes)
    timesXi(sum, sum)
    for (let i: usize = 0; i + i < k; i++) cross(sum, x, y, i, k - i)
    if ((k & 1) == 0) add2(sum, sum, products + (k >> 1) * pairBytes)
  }
  memory.copy(z, product, twelve)
}

/** sum ← sum + x_i·y_j + x_j·y_i */
function cross(sum: usize, x: usize, y: usize, i: usize, j: usize): void {
  add2(t0, x + i * pairBytes, x + j * pairBytes)
  add2(t1, y + i * pairBytes, y + j * pairBytes)
  mul2(t0, t0, t1)
  add2(t1, products + i * pairBytes, products + j * pairBytes)
  sub2(t0, t0, t1)
  add2(sum, sum, t0)
}

/** z ← x² in F_q¹². */
function square(z: usize, x: usize): void {
  for (let k: usize = 0; k < 6; k++) {
    const sum = product + k * pairBytes
    // pairs i < j with i + j = k + 6, then with i + j = k, and twice each; then squares
    sub2(sum, x, x)
    for (let i: usize = k + 1; i + i < k + 6; i++) {
      mul2(t0, x + i * pairBytes, x + (k + 6 - i) * pairBytes)
      add2(sum, sum, t0)
    }
    add2(sum, sum, sum)
    if ((k & 1) == 0) {
      sqr2(t0, x + ((k >> 1) + 3) * pairBytes)
      add2(sum, sum, t0)
    }
    timesXi(sum, sum)
    for (let i: usize = 0; i + i < k; i++) {
      mul2(t0, x + i * pairBytes, x + (k - i) * pairBytes)
      add2(t0, t0, t0)
      add2(sum, sum, t0)
    }
    if ((k & 1) == 0) {
      sqr2(t0, x + (k >> 1) * pairBytes)
      add2(sum, sum, t0)
    }
  }
  memory.copy(z, product, twelve)
}

/**
 * z ← x² in the cyclotomic subgroup: Granger and Scott, "Faster squaring in the cyclotomic subgroup of sixth degree
 * extensions" (2010). With s = w³, x is a + b·w + c·w² over F_q⁴ = F_q²[s]/(s² − ξ), and its square
 * (3a² − 2ā) + (3sc² + 2b̄)·w + (3b² − 2c̄)·w².
 */
function squareCyclotomic(z: usize, x: usize): void {
  for (let k: usize = 0; k < 3; k++) {
    const re = x + k * pairBytes
    const im = re + 3 * pairBytes
    // its square goes to the coefficients 0, 2 and, times s, 1
    const to = k == 0 ? 0 : 3 - k
    mul2(t0, re, im)
    add2(t0, t0, t0)
    sqr2(t1, im)
    timesXi(t1, t1)
    sqr2(t3, re)
    add2(t1, t1, t3)
    if (k == 2) {
      timesXi(t0, t0)
      thriceTwice(product + to * pairBytes, t0, x + to * pairBytes, true)
      thriceTwice(product + (to + 3) * pairBytes, t1, x + (to + 3) * pairBytes, false)
    } else {
      thriceTwice(product + to * pairBytes, t1, x + to * pairBytes, false)
      thriceTwice(product + (to + 3) * pairBytes, t0, x + (to + 3) * pairBytes, true)
    }
  }
  memory.copy(z, product, twelve)
}

/** z ← 3x + 2y, or 3x − 2y. */
function thriceTwice(z: usize, x: usize, y: usize, plus: bool): void {
  if (plus) add2(z, x, y)
  else sub2(z, x, y)
  add2(z, z, z)
  add2(z, z, x)
}

/** z ← x^(q⁶), the inverse where x is of the cyclotomic subgroup. */
function conjugateTwelve(z: usize, x: usize): void {
  if (z != x) memory.copy(z, x, twelve)
  for (let k: usize = 1; k < 6; k += 2) negate(z + k * pairBytes, x + k * pairBytes)
}

/** z ← x^q, times over. */
function frobenius(z: usize, x: usize, times: u32): void {
  if (z != x) memory.copy(z, x, twelve)
  for (let i: u32 = 0; i < times; i++) {
    conjugate(z, z)
    for (let k: usize = 1; k < 6; k++) {
      conjugate(z + k * pairBytes, z + k * pairBytes)
      mul2(z + k * pairBytes, z + k * pairBytes, gammas + (k - 1) * pairBytes)
    }
  }
}

/** z ← 1/x, by the norm to F_q⁶ = F_q²[w²]; zero for zero. `work`: three values. */
function invert(z: usize, x: usize, work: usize): void {
  const conjugated = work
  const norm = work + twelve
  const inverse = norm + twelve
  conjugateTwelve(conjugated, x)
  multiply(norm, x, conjugated)
  const a = norm
  const b = norm + 2 * pairBytes
  const c = norm + 4 * pairBytes
  sub2(inverse, a, a)
  for (let k: usize = 1; k < 6; k++) memory.copy(inverse + k * pairBytes, inverse, pairBytes)
  // the adjoint of a + b·v + c·v²: a² − ξbc, ξc² − ab, b² − ac
  mul2(t0, b, c)
  timesXi(t0, t0)
  sqr2(inverse, a)
  sub2(inverse, inverse, t0)
  sqr2(t0, c)
  timesXi(t0, t0)
  mul2(t1, a, b)
  sub2(inverse + 2 * pairBytes, t0, t1)
  sqr2(t0, b)
  mul2(t1, a, c)
  sub2(inverse + 4 * pairBytes, t0, t1)
  mul2(t0, c, inverse + 2 * pairBytes)
  mul2(t1, b, inverse + 4 * pairBytes)
  add2(t0, t0, t1)
  timesXi(t0, t0)
  mul2(t1, a, inverse)
  add2(t0, t0, t1)
  invert2(t3, t0)
  for (let k: usize = 0; k < 6; k += 2) mul2(inverse + k * pairBytes, inverse + k * pairBytes, t3)
  multiply(z, conjugated, inverse)
}

/** z ← x^−(the curve's parameter), for x of the cyclotomic subgroup; z is not x. */
function powerNegative(z: usize, x: usize): void {
  memory.copy(z, x, twelve)
  for (let bit: i32 = 61; bit >= 0; bit--) {
    squareCyclotomic(z, z)
    if ((parameter >> <u64>bit) & 1) multiply(z, z, x)
  }
  conjugateTwelve(z, z)
}

/**
 * f ← the product of both lanes, in both, to the power (q¹² − 1)/r times a number prime to r: Fuentes-Castañeda, Knapp
 * and Rodríguez-Henríquez, "Faster hashing to G2" (2011), section 5.
 */
function finish(f: usize): void {
  const y = f + twelve
  const y1 = y + twelve
  const y3 = y1 + twelve
  const y4 = y3 + twelve
  const y6 = y4 + twelve
  const y8 = y6 + twelve
  const y9 = y8 + twelve
  const z = y9 + twelve
  for (let k: usize = 0; k < 6; k++) {
    scatter2(t0, t0 + elementBytes, f + k * pairBytes)
    gather2(y + k * pairBytes, t0 + elementBytes, t0)
  }
  multiply(f, f, y)
  // to q⁶ − 1, then to q² + 1
  invert(y, f, y1)
  conjugateTwelve(f, f)
  multiply(f, f, y)
  frobenius(y, f, 2)
  multiply(f, f, y)
  powerNegative(y, f)
  squareCyclotomic(y1, y)
  squareCyclotomic(y3, y1)
  multiply(y3, y3, y1)
  powerNegative(y4, y3)
  squareCyclotomic(y, y4)
  powerNegative(y6, y)
  conjugateTwelve(y3, y3)
  conjugateTwelve(y6, y6)
  multiply(y8, y6, y4)
  multiply(y8, y8, y3)
  multiply(y9, y8, y1)
  multiply(z, y8, y4)
  multiply(z, z, f)
  frobenius(y, y9, 1)
  multiply(z, z, y)
  frobenius(y, y8, 2)
  multiply(z, z, y)
  conjugateTwelve(f, f)
  multiply(y, f, y9)
  frobenius(y, y, 3)
  multiply(f, y, z)
}
