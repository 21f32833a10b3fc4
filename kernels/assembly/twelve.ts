/**
 * F_q¹² = F_q²[w]/(w⁶ − ξ), ξ = 9 + u, in both lanes: six coefficients, and the final exponentiation of pairings.
 */
import * as fq from "./fq"
import { add2, elementBytes, gather2, invert2, mul2, one2, pairBytes, scatter2, sqr2, sub2, zeroes2 } from "./g2/coordinate"

export const imaginary: usize = fq.pairBytes
/** Six coefficients. */
export const twelve: usize = 6 * pairBytes

/** x of the curve's parameters. */
const parameter: u64 = 4965661367192848881

/** Working memory, for what is built on this too: five coefficients, of which functions here overwrite t0, t1 and t2. */
export const twelveScratch: usize = 2 * twelve + 10 * pairBytes
/** Behind a value that is finished: more values. */
export const finishScratch: usize = 9 * twelve

/** What `timesLine` of a pairing and the products here are written to first. */
export let product: usize = 0
let products: usize = 0
export let t0: usize = 0
export let t1: usize = 0
export let t2: usize = 0
export let t3: usize = 0
export let t4: usize = 0
/** ξ^(i(q − 1)/6) for i from 1 to 5. */
export let gammas: usize = 0

/** Must be called once in each call from outside; `gammas` is for the caller to fill. */
export function prepareTwelve(scratch: usize): void {
  product = scratch
  products = product + twelve
  t0 = products + twelve
  t1 = t0 + pairBytes
  t2 = t1 + pairBytes
  t3 = t2 + pairBytes
  t4 = t3 + pairBytes
  gammas = t4 + pairBytes
}

export function conjugate(z: usize, x: usize): void {
  if (z != x) memory.copy(z, x, fq.pairBytes)
  fq.sub2(t1, x, x)
  fq.sub2(z + imaginary, t1, x + imaginary)
}
export function negate(z: usize, x: usize): void {
  sub2(t2, x, x)
  sub2(z, t2, x)
}
/** z ← (9 + u)·x */
export function timesXi(z: usize, x: usize): void {
  add2(t2, x, x)
  add2(t2, t2, t2)
  add2(t2, t2, t2)
  add2(t2, t2, x)
  fq.sub2(t2, t2, x + imaginary)
  fq.add2(z + imaginary, t2 + imaginary, x)
  memory.copy(z, t2, fq.pairBytes)
}

/** One in both lanes. */
export function unit(z: usize): void {
  one2(z)
  for (let k: usize = 1; k < 6; k++) sub2(z + k * pairBytes, z, z)
}
export function isOne(x: usize): bool {
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
export function square(z: usize, x: usize): void {
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
export function finish(f: usize): void {
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
