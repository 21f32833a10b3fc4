/** Fixed-base multiplication against @noble/curves, and the polynomials against their definition. */
import { bn254 } from "@noble/curves/bn254.js"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { writeField } from "#src/circuit/binfile.js"
import { lagrangeBasis, rootOfUnity } from "#src/circuit/domain.js"
import type { SparseRows } from "#src/circuit/r1cs.js"
import { inverse, mod, power, q, r } from "#src/field.js"
import { FixedBase, type Group, pointBytes, windowBits } from "#src/prover/fixedbase.js"
import { evaluateQap, plainDomain, publicCount } from "#src/prover/polynomials.js"
import { coordinates } from "#src/prover/provingkey.js"
import { instances } from "./prover-systems.js"

const limit = 1n << 254n

function encode(scalars: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(32 * scalars.length)
  const view = new DataView(bytes.buffer)
  scalars.forEach((scalar, i) => {
    writeField(view, 32 * i, scalar)
  })
  return bytes
}

/** Affine coordinates by noble; infinity is all zeros, as in key files. */
function slow(group: Group, scalar: bigint): bigint[] {
  const k = scalar % r
  if (k === 0n) return new Array<bigint>(pointBytes[group] / 32).fill(0n)
  if (group === "g1") {
    const { x, y } = bn254.G1.Point.BASE.multiply(k).toAffine()
    return [x, y]
  }
  const { x, y } = bn254.G2.Point.BASE.multiply(k).toAffine()
  return [x.c0, x.c1, y.c0, y.c1]
}

function fast(base: FixedBase, group: Group, scalars: readonly bigint[]): bigint[][] {
  const points = base.multiply(group, encode(scalars))
  const size = pointBytes[group]
  return scalars.map((_, i) => coordinates(points.subarray(i * size, (i + 1) * size)))
}

describe.each<Group>(["g1", "g2"])("fixed-base multiplication in %s", (group) => {
  test.each([1, 40, 3000])("edge scalars, with a table for %i scalars", (total) => {
    const c = windowBits(total)
    const edges = [0n, 1n, 2n, 3n, r - 1n, r - 2n, r, r + 1n, (r - 1n) / 2n, limit - 1n]
    // digits at both ends of their range, alone and with a carry from below
    for (let bit = c - 1; bit < 254; bit += 5 * c) {
      edges.push(1n << BigInt(bit), (1n << BigInt(bit)) - 1n, (1n << BigInt(bit)) + 1n)
    }
    // the last addition is of two equal points: 2·d·2^(cw) - r
    const top = BigInt(c * (Math.ceil(256 / c) - 1))
    for (let d = 1n; d << top < 2n * r; d++) edges.push(2n * (d << top) - r)
    const scalars = edges.filter((scalar) => scalar >= 0n && scalar < limit).slice(0, 400)
    expect(fast(new FixedBase({ g1: total, g2: total }), group, scalars)).toEqual(
      scalars.map((scalar) => slow(group, scalar)),
    )
  })

  test("random scalars, across several batches of additions", () => {
    const scalars = Array.from({ length: 2100 }, (_, i) => mod(power(7n, BigInt(i + 1)) ** 3n))
    const points = fast(new FixedBase({ g1: scalars.length, g2: scalars.length }), group, scalars)
    for (let i = 0; i < scalars.length; i += 131) expect(points[i]).toEqual(slow(group, scalars[i]))
    // and all of them at once, by their sum
    const curve = group === "g1" ? bn254.G1 : undefined
    if (!curve) return
    const sum = points.reduce((acc, [x, y]) => acc.add(curve.Point.fromAffine({ x, y })), curve.Point.ZERO)
    const expected = scalars.reduce((acc, scalar) => mod(acc + scalar), 0n)
    expect(sum.equals(curve.Point.BASE.multiply(expected))).toBe(true)
  })

  test("nothing in, nothing out", () => {
    expect(new FixedBase({ g1: 1, g2: 1 }).multiply(group, new Uint8Array(0))).toHaveLength(0)
  })
})

test("coordinates undo the Montgomery form", () => {
  const montgomery = encode([(5n << 256n) % q, ((q - 1n) << 256n) % q])
  expect(coordinates(montgomery)).toEqual([5n, q - 1n])
})

describe("polynomials", () => {
  const point = fc.bigInt(2n, r - 2n) // 1 and −1 are in every domain
  /** Lagrange's formula, one product per basis polynomial. */
  const naive = (bits: number, tau: bigint): bigint[] => {
    const points = Array.from({ length: 2 ** bits }, (_, i) => power(rootOfUnity(2 ** bits), BigInt(i)))
    return points.map((x) =>
      points.reduce((acc, y) => (y === x ? acc : mod(acc * mod(tau - y) * inverse(mod(x - y)))), 1n),
    )
  }

  test("the Lagrange basis and its odd half", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), point, (bits, tau) => {
        const basis = naive(bits, tau)
        expect(lagrangeBasis(2 ** bits, tau)).toEqual(basis)
        expect(lagrangeBasis(2 ** bits, tau, 1, 2)).toEqual(basis.filter((_, i) => i % 2 === 1))
      }),
      { numRuns: 30 },
    )
  })

  test("roots of unity have their order", () => {
    for (const bits of [1, 5, 28]) {
      expect(power(rootOfUnity(2 ** bits), 1n << BigInt(bits))).toBe(1n)
      expect(power(rootOfUnity(2 ** bits), 1n << BigInt(bits - 1))).toBe(r - 1n)
    }
    expect(() => rootOfUnity(2 ** 29)).toThrow()
  })

  test("a point of the domain is refused", () => {
    expect(() => lagrangeBasis(8, rootOfUnity(8))).toThrow(/root of unity/)
  })

  test("u, v, w of every wire from the dense matrix", () => {
    fc.assert(
      fc.property(instances(6), point, ({ system }, tau) => {
        const domain = plainDomain(system)
        const used = system.rows + publicCount(system) + 1
        expect(domain).toBeGreaterThanOrEqual(used)
        expect(domain).toBeLessThan(Math.max(3, 2 * used))
        const basis = naive(Math.log2(domain), tau)
        const column = (side: SparseRows, wire: number) => {
          let sum = 0n
          for (let row = 0; row < system.rows; row++) {
            for (let k = side.rowPtr[row]; k < side.rowPtr[row + 1]; k++) {
              if (side.wires[k] === wire) sum += system.values[side.coefficients[k]] * basis[row]
            }
          }
          return sum
        }
        const { u, v, w } = evaluateQap(system, domain, tau)
        for (let wire = 0; wire < system.wires; wire++) {
          const extra = wire <= publicCount(system) ? basis[system.rows + wire] : 0n
          expect(u[wire]).toBe(mod(column(system.a, wire) + extra))
          expect(v[wire]).toBe(mod(column(system.b, wire)))
          expect(w[wire]).toBe(mod(column(system.c, wire)))
        }
      }),
      { numRuns: 40 },
    )
  })
})
