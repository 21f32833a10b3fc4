/**
 * Coordinates of points of G2: F_q² = F_q[u]/(u² + 1), with the interface of a field (fieldcalls.ts). A pair has
 * the pair of real parts, then the pair of imaginary ones; a single element likewise.
 */
import * as fq from "../fq"
import { extensionMul2 } from "../fq2"
import { inverseScratch, invert2 as invertReal2, prepareInverse } from "../fq/inverse"

export const elementBytes: usize = 2 * fq.elementBytes
export const pairBytes: usize = 2 * fq.pairBytes
/** Bytes of a coordinate in a file. */
export const fileBytes: usize = 64
/** Working memory of the field, and of one that is built on it. */
export const coordinateScratch: usize = 2048

/** Offsets of imaginary parts: in a pair, in an element, in a file. */
const im: usize = fq.pairBytes
const imElement: usize = fq.elementBytes
const imFile: usize = 32

let temporary: usize = 0
/** 9/82 in both lanes, once it was needed. */
let twist: usize = 0
let hasTwist: bool = false

/** Must be called once in each call from outside. */
export function prepareCoordinate(scratch: usize): void {
  prepareInverse(scratch)
  temporary = (scratch + inverseScratch + 15) & ~15
  twist = temporary + 6 * fq.pairBytes
  hasTwist = false
}

export function mul2(z: usize, x: usize, y: usize): void {
  extensionMul2(z, x, y, temporary)
}
/** Elements at z0 and z1 ← x·y − s. */
export function mulSubScatter2(z0: usize, z1: usize, x: usize, y: usize, s: usize): void {
  const product = temporary + 4 * fq.pairBytes
  extensionMul2(product, x, y, temporary)
  sub2(product, product, s)
  scatter2(z0, z1, product)
}

/** (x0 + x1)(x0 − x1) + 2·x0·x1·u */
export function sqr2(z: usize, x: usize): void {
  const sum = temporary
  const difference = sum + fq.pairBytes
  const double = difference + fq.pairBytes
  fq.sumLazy2(sum, x, x + im)
  fq.difLazy2(difference, x, x + im)
  fq.sumLazy2(double, x, x)
  fq.mul2(z + im, double, x + im)
  fq.mul2(z, sum, difference)
}
/** Elements at z0 and z1 ← x² − 2y − d, and e ← y less them, lazy. */
export function sqrSubScatter2(z0: usize, z1: usize, e: usize, x: usize, y: usize, d: usize): void {
  const sum = temporary
  const difference = sum + fq.pairBytes
  const double = difference + fq.pairBytes
  const subtracted = double + fq.pairBytes
  const result = subtracted + fq.pairBytes
  fq.sumLazy2(sum, x, x + im)
  fq.difLazy2(difference, x, x + im)
  fq.sumLazy2(double, x, x)
  fq.doubleAdd2(subtracted, y + im, d + im)
  fq.mulSub2(result + im, double, x + im, subtracted)
  fq.doubleAdd2(subtracted, y, d)
  fq.mulSub2(result, sum, difference, subtracted)
  difLazy2(e, y, result)
  scatter2(z0, z1, result)
}

export function add2(z: usize, x: usize, y: usize): void {
  fq.add2(z, x, y)
  fq.add2(z + im, x + im, y + im)
}
export function sub2(z: usize, x: usize, y: usize): void {
  fq.sub2(z, x, y)
  fq.sub2(z + im, x + im, y + im)
}
export function sumLazy2(z: usize, x: usize, y: usize): void {
  fq.sumLazy2(z, x, y)
  fq.sumLazy2(z + im, x + im, y + im)
}
export function difLazy2(z: usize, x: usize, y: usize): void {
  fq.difLazy2(z, x, y)
  fq.difLazy2(z + im, x + im, y + im)
}
export function norm2(z: usize, x: usize): void {
  fq.norm2(z, x)
  fq.norm2(z + im, x + im)
}

export function gather2(z: usize, x0: usize, x1: usize): void {
  fq.gather2(z, x0, x1)
  fq.gather2(z + im, x0 + imElement, x1 + imElement)
}
export function gatherSigned2(z: usize, x0: usize, x1: usize, sign0: usize, sign1: usize): void {
  fq.gatherSigned2(z, x0, x1, sign0, sign1)
  fq.gatherSigned2(z + im, x0 + imElement, x1 + imElement, sign0, sign1)
}
export function gatherDifference2(z: usize, d: usize, l0: usize, l1: usize, r0: usize, r1: usize): void {
  fq.gatherDifference2(z, d, l0, l1, r0, r1)
  fq.gatherDifference2(z + im, d + im, l0 + imElement, l1 + imElement, r0 + imElement, r1 + imElement)
}
export function gatherSignedDifference2(z: usize, d: usize, l0: usize, l1: usize, r0: usize, r1: usize): void {
  fq.gatherSignedDifference2(z, d, l0, l1, r0, r1)
  fq.gatherSignedDifference2(z + im, d + im, l0 + imElement, l1 + imElement, r0 + imElement, r1 + imElement)
}
export function scatter2(z0: usize, z1: usize, x: usize): void {
  fq.scatter2(z0, z1, x)
  fq.scatter2(z0 + imElement, z1 + imElement, x + im)
}
export function read2(z: usize, from0: usize, from1: usize): void {
  fq.read2(z, from0, from1)
  fq.read2(z + im, from0 + imFile, from1 + imFile)
}
export function write2(to0: usize, to1: usize, x: usize): void {
  fq.write2(to0, to1, x)
  fq.write2(to0 + imFile, to1 + imFile, x + im)
}

export function one2(z: usize): void {
  fq.one2(z)
  fq.sub2(z + im, z, z)
}
export function zeroes2(x: usize): u32 {
  return <u32>fq.zeroes2(x) & <u32>fq.zeroes2(x + im)
}

/** z ← inverses of both lanes of x, conjugate over norm; both are nonzero, or both results are zero. */
export function invert2(z: usize, x: usize): void {
  const norm = temporary
  const square = norm + fq.pairBytes
  const zero = square + fq.pairBytes
  fq.mul2(norm, x, x)
  fq.mul2(square, x + im, x + im)
  fq.add2(norm, norm, square)
  invertReal2(norm, norm)
  fq.sub2(zero, norm, norm)
  fq.mul2(square, x + im, norm)
  fq.mul2(z, x, norm)
  fq.sub2(z + im, zero, square)
}

/** z ← 3b·x for the twist y² = x³ + b, b = 3/(9 + u): 3b = (9 − u)·9/82. */
export function timesThreeB2(z: usize, x: usize): void {
  if (!hasTwist) makeTwist()
  const re = temporary
  const imaginary = re + fq.pairBytes
  const nine = imaginary + fq.pairBytes
  nineTimes2(nine, x)
  fq.add2(re, nine, x + im)
  nineTimes2(nine, x + im)
  fq.sub2(imaginary, nine, x)
  fq.mul2(z, re, twist)
  fq.mul2(z + im, imaginary, twist)
}

/** z ← 9x in F_q. */
function nineTimes2(z: usize, x: usize): void {
  fq.add2(z, x, x)
  fq.add2(z, z, z)
  fq.add2(z, z, z)
  fq.add2(z, z, x)
}

function makeTwist(): void {
  const one = temporary
  const nine = one + fq.pairBytes
  const eightyTwo = nine + fq.pairBytes
  fq.one2(one)
  nineTimes2(nine, one)
  nineTimes2(eightyTwo, nine)
  fq.add2(eightyTwo, eightyTwo, one)
  invertReal2(eightyTwo, eightyTwo)
  fq.mul2(twist, nine, eightyTwo)
  hasTwist = true
}
