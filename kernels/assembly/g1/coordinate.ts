/** Coordinates of points of G1: the field F_q. */
import { inverseScratch, invert2, prepareInverse } from "../fq/inverse"
import { add2 } from "../fq"

export {
  add2,
  difLazy2,
  elementBytes,
  gather2,
  gatherDifference2,
  gatherSigned2,
  gatherSignedDifference2,
  mul2,
  mulSubScatter2,
  norm2,
  one2,
  pairBytes,
  read2,
  scatter2,
  sqr2,
  sqrSubScatter2,
  sub2,
  sumLazy2,
  write2,
  zeroes2,
} from "../fq"
export { invert2 }

/** Bytes of a coordinate in a file. */
export const fileBytes: usize = 32
/** Working memory of the field, and of one that is built on it. */
export const coordinateScratch: usize = 1024

let temporary: usize = 0

/** Must be called once in each call from outside. */
export function prepareCoordinate(scratch: usize): void {
  prepareInverse(scratch)
  temporary = scratch + inverseScratch
}

/** z ← 3b·x for the curve y² = x³ + b, b = 3. */
export function timesThreeB2(z: usize, x: usize): void {
  add2(temporary, x, x)
  add2(temporary, temporary, temporary)
  add2(temporary, temporary, temporary)
  add2(z, temporary, x)
}

