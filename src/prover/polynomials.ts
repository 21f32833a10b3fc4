/**
 * The quadratic arithmetic program of a constraint system at one point τ (Groth16, eprint 2016/260,
 * section 2.3), in the conventions of snarkjs: after the constraints comes one row wire·0 = 0 for the
 * constant and each public wire, and the domain is the next power of two.
 */

import type { R1cs, SparseRows } from "../circuit/r1cs.js"
import { invariant } from "../errors.js"
import { inverseAll, power, r } from "../field.js"

/** Least quadratic non-residue of the scalar field; its powers are the roots of unity snarkjs uses. */
const nonResidue = 5n
const twoAdicity = 28

/** Primitive 2^bits-th root of unity. */
export const rootOfUnity = (bits: number): bigint => {
  invariant(bits <= twoAdicity, `the field has no root of unity of order 2^${bits}`)
  return power(nonResidue, (r - 1n) >> BigInt(bits))
}

/** Wires 0 … nPublic are the constant and the public ones. */
export const publicCount = (system: R1cs): number => system.publicOutputs + system.publicInputs

/** log2 of the domain size. */
export const domainBits = (system: R1cs): number =>
  Math.max(1, Math.ceil(Math.log2(system.rows + publicCount(system) + 1)))

/**
 * L_i(τ) = (τ^n − 1)/n · ω^i / (τ − ω^i) for i = offset, offset + stride, … over the 2^bits-th roots of
 * unity; τ must not be one of them.
 */
export function lagrange(bits: number, tau: bigint, offset = 0, stride = 1): bigint[] {
  const n = 2 ** bits
  const omega = rootOfUnity(bits)
  const step = power(omega, BigInt(stride))
  const factor = ((power(tau, BigInt(n)) - 1n + r) * power(BigInt(n), r - 2n)) % r
  invariant(factor !== 0n, "the evaluation point is a root of unity")
  const count = n / stride
  const numerators = new Array<bigint>(count)
  const result = new Array<bigint>(count)
  let x = power(omega, BigInt(offset))
  for (let i = 0; i < count; i++) {
    numerators[i] = (factor * x) % r
    result[i] = tau - x + (tau < x ? r : 0n)
    x = (x * step) % r
  }
  inverseAll(result)
  for (let i = 0; i < count; i++) result[i] = (result[i] * numerators[i]) % r
  return result
}

export interface QapAt {
  readonly bits: number
  /** u_i(τ), v_i(τ), w_i(τ) for each wire i. */
  readonly u: bigint[]
  readonly v: bigint[]
  readonly w: bigint[]
}

/** Evaluates the polynomials of every wire at τ. */
export function evaluateQap(system: R1cs, tau: bigint): QapAt {
  const bits = domainBits(system)
  const basis = lagrange(bits, tau)
  // negative coefficients as small negative integers keep the products short
  const values = system.values.map((value) => (value > r >> 1n ? value - r : value))
  const [u, v, w] = [system.a, system.b, system.c].map((side) => transpose(side, system, values, basis))
  for (let i = 0; i <= publicCount(system); i++) u[i] = (u[i] + basis[system.rows + i]) % r
  return { bits, u, v, w }
}

function transpose(
  side: SparseRows,
  system: R1cs,
  values: readonly bigint[],
  basis: readonly bigint[],
): bigint[] {
  const sums = new Array<bigint>(system.wires).fill(0n)
  for (let row = 0; row < system.rows; row++) {
    const at = basis[row]
    for (let j = side.rowPtr[row]; j < side.rowPtr[row + 1]; j++) {
      sums[side.wires[j]] += values[side.coefficients[j]] * at
    }
  }
  for (let i = 0; i < sums.length; i++) {
    const reduced = sums[i] % r
    sums[i] = reduced < 0n ? reduced + r : reduced
  }
  return sums
}
