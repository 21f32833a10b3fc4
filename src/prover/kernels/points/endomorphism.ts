/**
 * Scalars in parts. Both groups have endomorphisms that cost a product or two and are multiplications by large numbers:
 * λ, a cube root of unity, and in G2 also μ = q mod r (kernels/assembly/g1/endomorphism.ts, g2). So a scalar k is
 * k0 + k1·λ, or k0 + k1·μ + k2·λ + k3·λμ, with signed parts of 127 or 64 bits: (k, 0, …) less a point near it of the
 * lattice of all vectors that stand for zero (L. Babai's rounding, 1986).
 */
import { rootOfUnity } from "../../../circuit/link/domain.js"
import { invariant } from "../../../errors.js"
import { inverse, mod, power, q, r, radix } from "../../../field.js"
import type { KernelMemory } from "../memory.js"
import { frobenius, curveParameter as x } from "./pairing.js"
import type { Group } from "./points.js"

/** A cube root of unity: the inverse of the one that transforms of size 3 are made of. */
export const lambda = inverse(rootOfUnity(3))
/** What Frobenius' map is on the subgroup of the twist. */
export const mu = q % r
/** The cube root of unity with λ·(x, y) = (βx, y), in both groups. */
const beta: Readonly<Record<Group, bigint>> = {
  g1: power(3n, (q - 1n) / 3n, q),
  g2: power(3n, (2n * (q - 1n)) / 3n, q),
}

/** What the parts of a scalar are multiplied by. */
export const units: Readonly<Record<Group, readonly bigint[]>> = {
  g1: [1n, lambda],
  g2: [1n, mu, lambda, mod(lambda * mu)],
}

/** A basis of the vectors v with Σ v_i·units_i = 0: one that is short, times all units. */
export const lattice: Readonly<Record<Group, readonly (readonly bigint[])[]>> = {
  g1: [
    [6n * x * x + 2n * x, -2n * x - 1n],
    [2n * x + 1n, 6n * x * x + 4n * x + 1n],
  ],
  g2: [
    [2n * x + 1n, -x, x, -2n * x],
    [x, 2n * x + 1n, -x, x],
    [-x, 2n * x, x + 1n, x],
    [x, -x, 2n * x, x + 1n],
  ],
}

const determinant = (rows: readonly (readonly bigint[])[]): bigint =>
  rows.length === 0
    ? 1n
    : rows.reduce((sum, [first], i) => {
        const minor = rows.filter((_, j) => j !== i).map((row) => row.slice(1))
        return sum + (i % 2 === 0 ? first : -first) * determinant(minor)
      }, 0n)

/** 2^shift times what (1, 0, …) is in the basis: some more bits than a scalar has, for roundings that hardly ever err. */
const shift = 272n
const coordinates = (group: Group): readonly bigint[] => {
  const basis = lattice[group]
  const whole = determinant(basis)
  return basis.map((_, i) => {
    const minor = basis.filter((_, j) => j !== i).map((row) => row.slice(1))
    return (((i % 2 === 0 ? 1n : -1n) * determinant(minor)) << shift) / whole
  })
}
const known: Readonly<Record<Group, readonly bigint[]>> = { g1: coordinates("g1"), g2: coordinates("g2") }

/** Parts of a scalar: Σ parts_i·units_i is k modulo r, for 0 ≤ k < r. */
export function partsOf(group: Group, k: bigint): bigint[] {
  const basis = lattice[group]
  const parts = basis.map((_, i) => (i === 0 ? k : 0n))
  for (const [i, coordinate] of known[group].entries()) {
    const times = (k * coordinate + (1n << (shift - 1n))) >> shift
    for (let j = 0; j < parts.length; j++) parts[j] -= times * basis[i][j]
  }
  return parts
}

/** 64-bit words of a scalar in parts: sizes, then a bit for each sign. */
export const partsWords = 5
const word = (1n << 64n) - 1n

/** Writes a scalar in parts as number `index` of those that begin at `words`. */
export function writeParts(words: BigUint64Array, index: number, group: Group, k: bigint): void {
  const parts = partsOf(group, k)
  const each = 4 / parts.length
  const at = partsWords * index
  let signs = 0n
  for (let i = 0; i < parts.length; i++) {
    let size = parts[i]
    if (size < 0n) {
      size = -size
      signs |= 1n << BigInt(i)
    }
    invariant(size >> BigInt(64 * each - 1) <= (each === 1 ? 1n : 0n), "parts of a scalar are short")
    for (let j = 0; j < each; j++, size >>= 64n) words[at + i * each + j] = size & word
  }
  words[at + partsWords - 1] = signs
}

/** Bytes of the constants that the kernels take. */
export const constantBytes = 192

/** Writes β, and the factors of Frobenius' map. */
export function writeConstants(memory: KernelMemory, at: number, group: Group): void {
  const [c, d] = [frobenius().slice(2, 4), frobenius().slice(4, 6)]
  memory.writeIntegers(
    at,
    [beta[group], 0n, ...c, ...d].map((value) => (value * radix) % q),
  )
}
