/**
 * Endomorphisms of G1: (x, y) → (βx, y) with a cube root of unity β is multiplication by a cube root of unity λ of
 * the scalars (Gallant, Lambert and Vanstone, "Faster point multiplication on elliptic curves with efficient
 * endomorphisms", 2001). So a scalar is k0 + k1·λ with numbers of half its bits.
 */
import { elementBytes, gather2, mul2, pairBytes, read2, scatter2 } from "./coordinate"

/** Numbers that a scalar is cut into, and the digits of each of them, of one bit. */
export const parts: u32 = 2
export const partBits: u32 = 128

export const endomorphismScratch: usize = 2 * pairBytes

let beta: usize = 0
let temporary: usize = 0

/** Must be called once in each call from outside. constants: β, as in a file. */
export function prepareEndomorphisms(constants: usize, scratch: usize): void {
  beta = scratch
  temporary = beta + pairBytes
  read2(beta, constants, constants)
}

/** Points at to0 and to1 ← λ times those at from0 and from1. */
export function rotate2(to0: usize, to1: usize, from0: usize, from1: usize): void {
  gather2(temporary, from0, from1)
  mul2(temporary, temporary, beta)
  scatter2(to0, to1, temporary)
  memory.copy(to0 + elementBytes, from0 + elementBytes, elementBytes)
  memory.copy(to1 + elementBytes, from1 + elementBytes, elementBytes)
}

/** Images of the points at p0 and p1 go `step` bytes further on each: λ times them. */
export function images2(p0: usize, p1: usize, step: usize): void {
  rotate2(p0 + step, p1 + step, p0, p1)
}
