/** Transforms and the quotient against evaluation with bigint; domains of all shapes. */
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import {
  cosetRoot,
  cosetsOf,
  domainRoot,
  domainShape,
  domainSize,
  domainSizes,
  lagrangeBasis,
  rootOfUnity,
} from "#src/circuit/link/domain.js"
import { InvariantError } from "#src/errors.js"
import { mod, power, r } from "#src/field.js"
import { largeValue, Transform } from "#src/prover/kernels/fields/transform.js"
import { KernelPool } from "#src/prover/kernels/pool.js"
import { rowBasis } from "#src/setup/basis.js"
import { bigintOf, bytesOf, variants, wasmOf } from "../../support/kernels.js"
import { Random } from "../../support/random.js"

const sizes = [2, 4, 6, 8, 12, 16, 18, 24, 32, 36, 48, 72, 144, 256, 384, 576, 2304]
/** Of two cosets: every pair of odd parts, ratios from 4 to 64, groups of one vector and of many. */
const sums = [10, 14, 20, 26, 28, 30, 38, 40, 42, 90, 98, 130, 150, 162, 432, 1170, 1440, 2448, 2592]

/** L_i(x) over domains, of the last ones that were asked for: several vectors are evaluated at a point. */
const bases = new Map<string, readonly bigint[]>()
function basisAt(n: number, x: bigint): readonly bigint[] {
  const name = `${n} ${x}`
  const basis = bases.get(name) ?? rowBasis(n, x)
  if (bases.size >= 8) bases.delete(bases.keys().next().value as string)
  bases.set(name, basis)
  return basis
}

/** Σ_i values_i·L_i(x) over the domain. */
const evaluate = (values: readonly bigint[], x: bigint): bigint =>
  mod(basisAt(values.length, x).reduce((sum, basis, i) => sum + basis * values[i], 0n))

/** Point k of those where the quotient is evaluated. */
function quotientPoint(n: number, k: number): bigint {
  const [first, second] = cosetsOf(n).quotient
  const [{ size, shift }, at] = k < first.size ? [first, k] : [second, k - first.size]
  return (shift * power(rootOfUnity(size), BigInt(at))) % r
}

const random = new Random(20)
const field = (): bigint => mod(random.bits(8))
const small = (): bigint =>
  random.pick([
    () => 0n,
    () => 0n,
    () => BigInt(random.integer(-256, 256)),
    () => BigInt(random.integer(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)),
    () =>
      BigInt(
        random.pick([1, -1, 2 ** 51, -(2 ** 51), 2 ** 52 - 1, 2 ** 53 - 1, 1 - 2 ** 53, 2 ** 29, 2 ** 50]),
      ),
  ])()

describe.each(variants)("%s", (variant) => {
  describe.each([true, false])("shared %s", (shared) => {
    let pool: KernelPool
    beforeAll(async () => {
      pool = await KernelPool.open({ wasm: await wasmOf(variant), threads: 2, shared })
    })
    afterAll(() => pool.close())

    /** Puts field elements at a source: as small numbers where `isSmall`, or through the table. */
    function put(transform: Transform, which: number, values: readonly bigint[], table: bigint[]): void {
      const numbers = values.map((value) => {
        const signed = value > r >> 1n ? value - r : value
        if (signed <= BigInt(Number.MAX_SAFE_INTEGER) && -signed <= BigInt(Number.MAX_SAFE_INTEGER)) {
          return Number(signed)
        }
        table.push(value)
        return largeValue(table.length - 1)
      })
      pool.memory.doubles(transform.sources[which], transform.n).set(numbers)
    }
    function putTable(transform: Transform, table: readonly bigint[]): void {
      const at = transform.reserveLarge(table.length)
      table.forEach((x, i) => {
        pool.memory.bytes(at + 32 * i, 32).set(bytesOf(x))
      })
    }

    // without threads the kernels are the same: a few shapes are enough
    test.each(shared ? [...sizes, ...sums] : [2, 6, 18, 20, 64])("quotient on %i points", async (n) => {
      for (const value of [
        small,
        field,
        () => (random.next() < 0.7 ? mod(small()) : field()),
        () => 0n,
        () => r - 1n,
      ]) {
        const transform = await Transform.make(pool, n, 2)
        const vectors = [0, 1].map(() => Array.from({ length: n }, () => mod(value())))
        const table: bigint[] = []
        for (const [which, values] of vectors.entries()) put(transform, which, values, table)
        putTable(transform, table)
        await pool.run(transform.quotientSteps())
        const [first] = cosetsOf(n).rows
        const points =
          n <= 48
            ? Array.from({ length: n }, (_, k) => k)
            : [0, 1, n / 2 - 1, n / 2, first.size - 1, first.size % n, n - 2, n - 1]
        for (const k of points) {
          const x = quotientPoint(n, k)
          const [a, b] = vectors.map((values) => evaluate(values, x))
          expect(bigintOf(pool.memory.bytes(transform.out + 32 * k, 32)), `point ${k}`).toBe((a * b) % r)
        }
        transform.close()
      }
    })

    test.runIf(shared).each([2 ** 13, 9 * 2 ** 11, 20_736, 2 ** 13 + 2 ** 7])(
      "many stages keep their bounds: %i points",
      async (n) => {
        for (const value of [() => r - 1n, () => random.pick([0n, r - 1n]), field]) {
          const transform = await Transform.make(pool, n, 2)
          const table: bigint[] = []
          const vectors = [0, 1].map(() => Array.from({ length: n }, value))
          for (const [which, values] of vectors.entries()) put(transform, which, values, table)
          putTable(transform, table)
          await pool.run(transform.quotientSteps())
          for (const k of [0, 1, n / 2, n - 1]) {
            const x = quotientPoint(n, k)
            const [a, b] = vectors.map((values) => evaluate(values, x))
            expect(bigintOf(pool.memory.bytes(transform.out + 32 * k, 32))).toBe((a * b) % r)
          }
          transform.close()
        }
      },
    )

    test("runs again and again leave the memory as it was", async () => {
      const transform = await Transform.make(pool, 36, 2)
      const once = async () => {
        const table: bigint[] = []
        for (let which = 0; which < 2; which++) {
          put(transform, which, Array.from({ length: 36 }, field), table)
        }
        putTable(transform, table)
        await pool.run(transform.quotientSteps())
      }
      await once()
      const { allocated, size } = pool.memory
      for (let i = 0; i < 200; i++) await once()
      expect(pool.memory.allocated).toBe(allocated)
      expect(pool.memory.size).toBe(size)
      transform.close()
      expect(pool.memory.allocated).toBeLessThan(allocated)
    })

    test("a transform that does not fit leaves nothing behind", async () => {
      const { allocated } = pool.memory
      await expect(Transform.make(pool, 2 ** 26, 2)).rejects.toThrow(
        /a transform of 67108864 values does not fit/,
      )
      expect(pool.memory.allocated).toBe(allocated)
    })

    test("a size that is none is refused", async () => {
      for (const n of [0, 1, 3, 5, 9, 11, 27, 22, 2 ** 28, 3.5]) {
        await expect(Transform.make(pool, n, 1)).rejects.toThrow(InvariantError)
      }
    })
  })
})

describe("domains", () => {
  test("sizes are 2^k, 3·2^k and 9·2^k", () => {
    expect(domainSizes(100)).toEqual([2, 4, 6, 8, 12, 16, 18, 24, 32, 36, 48, 64, 72, 96, 128])
    expect([0, 1, 2, 3, 5, 7, 9, 17, 19, 17888].map(domainSize)).toEqual([
      2, 2, 2, 4, 6, 8, 12, 18, 24, 18432,
    ])
    for (const n of domainSizes(5000)) expect(domainShape(n)).toBeDefined()
    expect(() => domainSize(2 ** 31)).toThrow(InvariantError)
  })

  test.each(domainSizes(300))("roots of %i have exactly the order", (n) => {
    const [omega, eta] = [domainRoot(n), cosetRoot(n)]
    expect((eta * eta) % r).toBe(omega)
    expect(power(eta, BigInt(n))).toBe(r - 1n)
    for (const prime of [2, 3]) if (n % prime === 0) expect(power(omega, BigInt(n / prime))).not.toBe(1n)
  })

  test("the Lagrange basis interpolates", () => {
    const tau = field()
    for (const n of [2, 4, 32, 6, 18, 72]) {
      const values = Array.from({ length: n }, field)
      const sum = lagrangeBasis(n, tau).reduce((total, basis, i) => total + basis * values[i], 0n)
      expect(mod(sum)).toBe(evaluate(values, tau))
    }
    expect(() => lagrangeBasis(6, domainRoot(6))).toThrow(InvariantError)
  })
})
