/**
 * Whether a product of optimal ate pairings of bn254 is one (Vercauteren, eprint 2008/096; loop 6x + 2, then two
 * lines of Frobenius), and whether points of the twist lie in the subgroup of order r. Two pairings run side by side,
 * one in each lane, any number one after the other; all of them share squarings and inversions.
 *
 * F_q¹² is in twelve.ts. A point (x, y) of the twist is (x·w², y·w³) of the curve, so the line of slope λ through it
 * has at P, divided by the y of P, which the final exponentiation does not see, the value
 *
 *     1 − λ·(x_P/y_P)·w + (λ·x − y)·(1/y_P)·w³
 *
 * A pair that is not there has zeros for x_P/y_P and 1/y_P. Points are affine. No denominator is zero for a point whose
 * part in the subgroup is not infinity, as a proof's B has a random one. A zero, which takes a point of small order,
 * makes all inverses of that step zero, and what comes out means nothing.
 */
import * as fq from "./fq"
import { add2, coordinateScratch, invert2, mul2, pairBytes, prepareCoordinate, read2, sqr2, sub2, zeroes2 } from "./g2/coordinate"
import {
  conjugate,
  finish,
  finishScratch,
  gammas,
  imaginary,
  isOne,
  negate,
  prepareTwelve,
  product,
  square,
  t0,
  t1,
  t2,
  t3,
  t4,
  timesXi,
  twelve,
  twelveScratch,
  unit,
} from "./twelve"

/** A product, written by the engine. */
@unmanaged
class Pairings {
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
/** x_P/y_P and 1/y_P, the point Q, its image under Frobenius, the running point T. */
const stateBytes: usize = 2 * fq.pairBytes + 6 * pairBytes
const atQ: usize = 2 * fq.pairBytes
const atImage: usize = atQ + 2 * pairBytes
const atT: usize = atImage + 2 * pairBytes

export const pairingScratch: usize =
  coordinateScratch +
  16 +
  twelveScratch +
  finishScratch +
  3 * <usize>pairingLimit * pairBytes +
  <usize>pairingLimit * stateBytes

let denominators: usize = 0
let prefixes: usize = 0

export function pairing(item: u32, args: usize, scratch: usize): void {
  const job = changetype<Pairings>(args)
  prepareCoordinate(scratch)
  const at = (scratch + coordinateScratch + 15) & ~15
  prepareTwelve(at)
  const f = at + twelveScratch
  denominators = f + finishScratch
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
