/**
 * Complete addition in projective coordinates (X : Y : Z), two points at a time, for the few additions at the
 * end of a multiplication, where points may be anything: Renes, Costello and Batina, "Complete addition
 * formulas for prime order elliptic curves" (2015), section 3.2 (a = 0). They hold for every two points of a
 * curve of odd order. Infinity is (0 : 1 : 0).
 */
import { add2, elementBytes, gather2, mul2, one2, pairBytes, scatter2, sub2, timesThreeB2 } from "./coordinate"

/** A point in one lane, and a pair of points. */
export const projectiveBytes: usize = 3 * elementBytes
export const projectivePairBytes: usize = 3 * pairBytes
export const projectiveScratch: usize = 8 * pairBytes

/** Offsets of Y and Z in a pair of points. */
const y: usize = pairBytes
const z: usize = 2 * pairBytes

/** to ← infinity in both lanes. */
export function infinity2(to: usize): void {
  one2(to + y)
  sub2(to, to + y, to + y)
  sub2(to + z, to + y, to + y)
}

/** to ← p + q lane by lane; `to` may be either of them. scratch: projectiveScratch bytes. */
export function addPoints2(to: usize, p: usize, q: usize, scratch: usize): void {
  const xx = scratch
  const yy = xx + pairBytes
  const zz = yy + pairBytes
  const xy = zz + pairBytes
  const yz = xy + pairBytes
  const xz = yz + pairBytes
  const s = xz + pairBytes
  const t = s + pairBytes
  mul2(xx, p, q)
  mul2(yy, p + y, q + y)
  mul2(zz, p + z, q + z)
  cross(xy, p, p + y, q, q + y, xx, yy, s)
  cross(yz, p + y, p + z, q + y, q + z, yy, zz, s)
  cross(xz, p, p + z, q, q + z, xx, zz, s)
  timesThreeB2(zz, zz)
  timesThreeB2(xz, xz)
  add2(s, xx, xx)
  add2(xx, s, xx)
  sub2(s, yy, zz)
  add2(t, yy, zz)
  // X = xy·s − yz·xz, Y = t·s + 3xx·xz, Z = t·yz + 3xx·xy
  mul2(yy, yz, xz)
  mul2(zz, xy, s)
  sub2(to, zz, yy)
  mul2(zz, t, s)
  mul2(yy, xx, xz)
  add2(to + y, zz, yy)
  mul2(zz, t, yz)
  mul2(yy, xx, xy)
  add2(to + z, zz, yy)
}

/** to ← a1·b2 + a2·b1 = (a1 + b1)(a2 + b2) − aa − bb, for aa = a1·a2 and bb = b1·b2. s: two pairs, overwritten. */
function cross(to: usize, a1: usize, b1: usize, a2: usize, b2: usize, aa: usize, bb: usize, s: usize): void {
  add2(to, a1, b1)
  add2(s, a2, b2)
  mul2(to, to, s)
  add2(s, aa, bb)
  sub2(to, to, s)
}

/** to ← p with 2^times in both lanes. */
export function doublePoints2(to: usize, times: i32, scratch: usize): void {
  for (let i = 0; i < times; i++) addPoints2(to, to, to, scratch)
}

/** Lane 0 of p to z0, lane 1 to z1: projectiveBytes each. */
export function scatterPoints2(z0: usize, z1: usize, p: usize): void {
  for (let i: usize = 0; i < 3; i++) scatter2(z0 + i * elementBytes, z1 + i * elementBytes, p + i * pairBytes)
}

/** to ← points that lie in one lane each. */
export function gatherPoints2(to: usize, p0: usize, p1: usize): void {
  for (let i: usize = 0; i < 3; i++) gather2(to + i * pairBytes, p0 + i * elementBytes, p1 + i * elementBytes)
}
