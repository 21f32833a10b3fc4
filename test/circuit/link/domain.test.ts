/** Domains of two cosets against their definition: points, sizes, Lagrange polynomials, interpolation. */
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  type Coset,
  cosetSizes,
  cosetsOf,
  domainShape,
  domainSize,
  fittingDomain,
  foldInto,
  joinCosets,
  rootOfUnity,
} from "#src/circuit/link/domain.js"
import { InvariantError } from "#src/errors.js"
import { inverse, mod, power, r } from "#src/field.js"
import { toQuotient } from "#src/prover/engine/slow.js"
import { productFactors, quotientBasis, rowBasis } from "#src/setup/basis.js"

const pointsOf = (cosets: readonly Coset[]): bigint[] =>
  cosets.flatMap(({ size, shift }) =>
    Array.from({ length: size }, (_, i) => mod(shift * power(rootOfUnity(size), BigInt(i)))),
  )

/** Lagrange's formula, one product per polynomial. */
const naive = (points: readonly bigint[], tau: bigint): bigint[] =>
  points.map((x) =>
    points.reduce((acc, y) => (y === x ? acc : mod(acc * mod(tau - y) * inverse(mod(x - y)))), 1n),
  )

/** Every domain of up to `most` points. */
const sizesUpTo = (most: number): number[] =>
  Array.from({ length: most }, (_, i) => i + 1).filter((n) => cosetSizes(n) !== undefined)

const field = fc.bigInt(2n, r - 2n)
const small = sizesUpTo(40)
const domain = fc.constantFrom(...small)
const ofTwo = small.filter((n) => domainShape(n) === undefined)

describe("sizes", () => {
  test("are one coset's, or two, the second at most half of the first, and a divisor of that", () => {
    expect(small).toEqual([2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 24, 26, 28, 30, 32, 34, 36, 38, 40])
    expect(ofTwo.map(cosetSizes)).toEqual([
      [8, 2],
      [12, 2],
      [16, 4],
      [24, 2],
      [24, 4],
      [24, 6],
      [32, 2],
      [36, 2],
      [32, 8],
    ])
    expect(cosetSizes(20_736)).toEqual([18_432, 2304])
  })

  test("the one chosen holds all rows, is no larger than one coset, and takes no more powers of tau", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 21 }), (rows) => {
        const n = fittingDomain(rows)
        expect(n).toBeGreaterThanOrEqual(rows)
        expect(n).toBeLessThanOrEqual(domainSize(rows))
        expect(cosetSizes(n)).toBeDefined()
      }),
    )
    expect(fittingDomain(20_646)).toBe(20_736)
    for (const n of small) expect(fittingDomain(n)).toBe(n)
  })

  test("the first is not larger than the field has roots of four times that order for", () => {
    expect(() => cosetsOf(11)).toThrow(InvariantError)
    expect(cosetSizes(2 ** 26 + 2 ** 24)).toEqual([2 ** 26, 2 ** 24])
    expect(cosetSizes(2 ** 27 + 2 ** 25)).toBeUndefined()
    expect(fittingDomain(2 ** 27 + 1)).toBe(9 * 2 ** 24)
  })
})

describe("points", () => {
  test.each(small)("of rows and of the quotient are 2·%i different ones", (n) => {
    const { rows, quotient } = cosetsOf(n)
    const all = [...pointsOf(rows), ...pointsOf(quotient)]
    expect(all).toHaveLength(2 * n)
    expect(new Set(all).size).toBe(2 * n)
  })

  test.each(ofTwo)("of %i rows are where a polynomial of that degree vanishes", (n) => {
    const [first, second] = cosetSizes(n) as [number, number]
    const { rows, quotient } = cosetsOf(n)
    const g = rows[1].shift
    const [i, big] = [power(g, BigInt(first)), power(g, BigInt(second))]
    expect(mod(i * i)).toBe(r - 1n)
    const parts = (x: bigint) => [power(x, BigInt(first)), power(x, BigInt(second))]
    for (const x of pointsOf(rows)) {
      const [u, v] = parts(x)
      expect(mod((u - 1n) * (v - big))).toBe(0n)
    }
    for (const x of pointsOf(quotient)) {
      const [u, v] = parts(x)
      expect(mod((u + 1n) * (v + big))).toBe(0n)
    }
  })
})

describe("Lagrange polynomials", () => {
  test("of rows, of the quotient over both, and what side C adds, are what the definition says", () => {
    fc.assert(
      fc.property(domain, field, (n, tau) => {
        const { rows, quotient } = cosetsOf(n)
        const all = naive([...pointsOf(rows), ...pointsOf(quotient)], tau)
        const basis = rowBasis(n, tau)
        expect(basis).toEqual(naive(pointsOf(rows), tau))
        expect(quotientBasis(n, tau)).toEqual(all.slice(n))
        const factor = productFactors(n, tau)
        expect(basis.map((value, row) => mod(value * factor(row)))).toEqual(
          basis.map((value, row) => mod(all[row] - value)),
        )
      }),
      { numRuns: 40 },
    )
  })

  // of degree below 2n and zero where rows are: its values on the others determine it
  test("A·B − C follows from A·B where the quotient is, and from C's rows", () => {
    fc.assert(
      fc.property(domain, fc.infiniteStream(field), (n, stream) => {
        const draw = () => stream.next().value as bigint
        const [a, b] = [0, 1].map(() => Array.from({ length: n }, draw))
        const c = a.map((value, i) => mod(value * b[i]))
        const tau = draw()
        const [basis, factor] = [rowBasis(n, tau), productFactors(n, tau)]
        const at = (values: readonly bigint[], by: readonly bigint[]) =>
          mod(values.reduce((sum, value, i) => sum + value * by[i], 0n))
        const [ofA, ofB] = [toQuotient(a), toQuotient(b)]
        const products = ofA.map((value, k) => mod(value * ofB[k]))
        const ofC = basis.map((value, row) => mod(value * factor(row)))
        expect(mod(at(products, quotientBasis(n, tau)) + at(c, ofC))).toBe(
          mod(at(a, basis) * at(b, basis) - at(c, basis)),
        )
      }),
      { numRuns: 40 },
    )
  })

  test.each(small)("a point of a domain of %i is refused", (n) => {
    const { rows, quotient } = cosetsOf(n)
    for (const x of pointsOf(rows)) expect(() => rowBasis(n, x)).toThrow(InvariantError)
    for (const x of pointsOf(quotient)) expect(() => quotientBasis(n, x)).toThrow(InvariantError)
  })
})

describe("interpolation", () => {
  test("joined coefficients are what every coset's are", () => {
    fc.assert(
      fc.property(domain, fc.infiniteStream(field), (n, stream) => {
        const { rows } = cosetsOf(n)
        const parts = rows.map(({ size }) =>
          Array.from({ length: size }, () => stream.next().value as bigint),
        )
        const joined = joinCosets(rows, parts)
        expect(joined).toHaveLength(n)
        for (const [i, coset] of rows.entries()) expect(foldInto(coset, joined)).toEqual(parts[i])
      }),
      { numRuns: 40 },
    )
  })

  test("values where the quotient is are those of the polynomial through the rows' values", () => {
    fc.assert(
      fc.property(domain, fc.infiniteStream(field), (n, stream) => {
        const values = Array.from({ length: n }, () => stream.next().value as bigint)
        const { quotient } = cosetsOf(n)
        const expected = pointsOf(quotient).map((x) =>
          mod(rowBasis(n, x).reduce((sum, basis, i) => sum + basis * values[i], 0n)),
        )
        expect(toQuotient(values)).toEqual(expected)
      }),
      { numRuns: 20 },
    )
  })
})
