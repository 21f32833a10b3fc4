/** The polynomials of a system against their definition. */
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { writeField } from "#src/circuit/formats/container.js"
import { coordinates } from "#src/circuit/formats/points.js"
import type { SparseRows } from "#src/circuit/formats/r1cs.js"
import { lagrangeBasis, rootOfUnity } from "#src/circuit/link/domain.js"
import { fieldValue } from "#src/circuit/witness/witness.js"
import { inverse, mod, power, q, r } from "#src/field.js"
import { evaluateQap, plainDomain, publicCount } from "#src/setup/qap.js"
import { instances } from "../support/r1cs-systems.js"

function encode(scalars: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(32 * scalars.length)
  const view = new DataView(bytes.buffer)
  scalars.forEach((scalar, i) => {
    writeField(view, 32 * i, scalar)
  })
  return bytes
}

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

  test("the Lagrange basis interpolates: Σ (ω^i)^d·L_i(τ) = τ^d for d below the size", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), point, (bits, tau) => {
        const omega = rootOfUnity(2 ** bits)
        const basis = lagrangeBasis(2 ** bits, tau)
        for (let d = 0n; d < 2n ** BigInt(bits); d++) {
          const sum = basis.reduce((acc, value, i) => mod(acc + value * power(omega, BigInt(i) * d)), 0n)
          expect(sum).toBe(power(tau, d))
        }
      }),
      { numRuns: 10 },
    )
  })

  test("roots of unity have their order", () => {
    for (const bits of [1, 5, 28]) {
      expect(power(rootOfUnity(2 ** bits), 1n << BigInt(bits))).toBe(1n)
      expect(power(rootOfUnity(2 ** bits), 1n << BigInt(bits - 1))).toBe(r - 1n)
    }
    expect(() => rootOfUnity(2 ** 29)).toThrow("no root of unity of order 536870912")
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

  // of degree below 2n and zero on the n even points: the odd ones determine it, as section H has it
  test("A·B − C of a solution is what its values on the odd half of the double domain say it is", () => {
    fc.assert(
      fc.property(instances(6), point, ({ system, witness }, tau) => {
        const domain = plainDomain(system)
        const at = (x: bigint) => {
          const { u, v, w } = evaluateQap(system, domain, x)
          const [a, b, c] = [u, v, w].map((column) =>
            column.reduce((acc, value, wire) => mod(acc + value * fieldValue(witness, wire)), 0n),
          )
          return mod(a * b - c)
        }
        const omega = rootOfUnity(2 * domain)
        const odd = lagrangeBasis(2 * domain, tau, 1, 2)
        const sum = odd.reduce((acc, value, i) => mod(acc + value * at(power(omega, BigInt(2 * i + 1)))), 0n)
        expect(sum).toBe(at(tau))
      }),
      { numRuns: 10 },
    )
  })
})
