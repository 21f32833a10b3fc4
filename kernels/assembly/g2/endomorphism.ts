/**
 * Endomorphisms of G2. (x, y) → (βx, y) is multiplication by a cube root of unity λ of the scalars, as in G1; and ψ,
 * Frobenius' map carried over to the twist, (x, y) → (c·x̄, d·ȳ), that by μ = q mod r, with λ = −μ² (Galbraith, Lin
 * and Scott, "Endomorphisms for faster elliptic curve cryptography on a large class of curves", 2009). So a scalar is
 * k0 + k1·μ + k2·λ + k3·λμ with numbers of a quarter of its bits. All this holds in the subgroup of order r only.
 */
import * as fq from "../fq"
import { elementBytes, gather2, mul2, pairBytes, read2, scatter2 } from "./coordinate"

/** Numbers that a scalar is cut into, and the digits of each of them, of one bit. */
export const parts: u32 = 4
export const partBits: u32 = 65

export const endomorphismScratch: usize = 4 * pairBytes

let beta: usize = 0
let c: usize = 0
let d: usize = 0
let temporary: usize = 0

/** Must be called once in each call from outside. constants: β and a zero, c, d, as in a file. */
export function prepareEndomorphisms(constants: usize, scratch: usize): void {
  beta = scratch
  c = beta + pairBytes
  d = c + pairBytes
  temporary = d + pairBytes
  read2(beta, constants, constants)
  read2(c, constants + 64, constants + 64)
  read2(d, constants + 128, constants + 128)
}

/** Points at to0 and to1 ← λ times those at from0 and from1. */
export function rotate2(to0: usize, to1: usize, from0: usize, from1: usize): void {
  gather2(temporary, from0, from1)
  // β is in F_q
  fq.mul2(temporary, temporary, beta)
  fq.mul2(temporary + fq.pairBytes, temporary + fq.pairBytes, beta)
  scatter2(to0, to1, temporary)
  memory.copy(to0 + elementBytes, from0 + elementBytes, elementBytes)
  memory.copy(to1 + elementBytes, from1 + elementBytes, elementBytes)
}

/** Coordinates at to0 and to1 ← factor times the conjugates of those at from0 and from1. */
function conjugate2(to0: usize, to1: usize, from0: usize, from1: usize, factor: usize): void {
  gather2(temporary, from0, from1)
  const im = temporary + fq.pairBytes
  const zero = beta + fq.pairBytes
  fq.sub2(im, zero, im)
  mul2(temporary, temporary, factor)
  scatter2(to0, to1, temporary)
}

/** Images of the points at p0 and p1 go `step` bytes further on each: μ times, λ times and λμ times them. */
export function images2(p0: usize, p1: usize, step: usize): void {
  conjugate2(p0 + step, p1 + step, p0, p1, c)
  conjugate2(p0 + step + elementBytes, p1 + step + elementBytes, p0 + elementBytes, p1 + elementBytes, d)
  rotate2(p0 + 2 * step, p1 + 2 * step, p0, p1)
  rotate2(p0 + 3 * step, p1 + 3 * step, p0 + step, p1 + step)
}
