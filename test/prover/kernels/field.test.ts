/** Field arithmetic of the kernel modules against bigint, on edge cases and random values. */
import fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"
import { mod, q, r } from "#src/field.js"
import { firstAddress } from "#src/prover/kernels/memory.js"
import { bigintOf, bytesOf, openModule, type RawModule, variants } from "../../support/kernels.js"

const montgomery = 1n << 256n

describe.each(variants)("%s", (variant) => {
  let module: RawModule
  beforeAll(async () => {
    module = await openModule(variant)
  })

  describe.each([
    ["fq", q],
    ["fr", r],
  ] as const)("%s", (field, p) => {
    const call = (name: string, ...args: number[]): number => module.exports[`${field}${name}`](...args)
    // three pairs and room for bytes, far apart; the pairs are not aligned to 16 bytes
    const [x, y, z, spare, bytes] = [8, 256, 512, 768, 1024].map((at) => firstAddress + at)
    const write = (at: number, [a, b]: readonly bigint[]): void => {
      module.bytes.set(bytesOf(mod(a * montgomery, p)), bytes)
      module.bytes.set(bytesOf(mod(b * montgomery, p)), bytes + 32)
      call("Read2", at, bytes, bytes + 32)
    }
    const read = (at: number): bigint[] => {
      call("Write2", bytes, bytes + 32, at)
      return [0, 1].map((lane) => {
        const value = bigintOf(module.bytes.subarray(bytes + 32 * lane, bytes + 32 * lane + 32))
        expect(value).toBeLessThan(p)
        return mod(value * inverse, p)
      })
    }
    const inverse = modPower(montgomery, p - 2n, p)
    const edges = [0n, 1n, 2n, 3n, p - 1n, p - 2n, p >> 1n, (p >> 1n) + 1n, 1n << 253n, (1n << 253n) - 1n]
    for (let i = 1n; i < 253n; i += 28n) edges.push((1n << i) - 1n, p - (1n << i))
    const value = fc.oneof(
      fc.constantFrom(...edges),
      fc.bigInt({ min: 0n, max: p - 1n }),
      // values whose digits in Montgomery form, rather than themselves, are extreme
      fc.constantFrom(...edges).map((edge) => mod(edge * inverse, p)),
    )
    const pair = fc.tuple(value, value)
    const runs = { numRuns: 400 }
    const both = (f: (lane: 0 | 1) => bigint): bigint[] => [mod(f(0), p), mod(f(1), p)]

    test("reads and writes", () => {
      fc.assert(
        fc.property(pair, (a) => {
          write(x, a)
          expect(read(x)).toEqual(a)
        }),
        runs,
      )
    })

    test("reads integers above p", () => {
      module.bytes.fill(255, bytes, bytes + 64)
      call("Read2", x, bytes, bytes + 32)
      expect(read(x)).toEqual(both(() => (montgomery - 1n) * inverse))
    })

    test.each([
      ["Mul2", (a: bigint, b: bigint) => a * b],
      ["Add2", (a: bigint, b: bigint) => a + b],
      ["Sub2", (a: bigint, b: bigint) => a - b],
    ] as const)("%s, of normal and of lazy operands", (name, of) => {
      fc.assert(
        fc.property(pair, pair, (a, b) => {
          write(x, a)
          write(y, b)
          call(name, z, x, y)
          expect(read(z)).toEqual(both((l) => of(a[l], b[l])))
          call("SumLazy2", z, x, y)
          call("DifLazy2", spare, x, y)
          call(name, z, z, spare)
          expect(read(z)).toEqual(both((l) => of(a[l] + b[l], a[l] - b[l])))
          call("DifLazy2", z, y, x)
          call(name, z, spare, z)
          expect(read(z)).toEqual(both((l) => of(a[l] - b[l], b[l] - a[l])))
        }),
        runs,
      )
    })

    test("squares", () => {
      fc.assert(
        fc.property(pair, pair, (a, b) => {
          write(x, a)
          write(y, b)
          call("Sqr2", z, x)
          expect(read(z)).toEqual(both((l) => a[l] * a[l]))
          call("SumLazy2", spare, x, y)
          call("MulSub2", z, x, y, spare)
          expect(read(z)).toEqual(both((l) => a[l] * b[l] - a[l] - b[l]))
          call("DifLazy2", x, y, x)
          call("MulSub2", z, x, spare, x)
          expect(read(z)).toEqual(both((l) => (b[l] - a[l]) * (a[l] + b[l] - 1n)))
        }),
        runs,
      )
    })

    test("what an addition of points is made of", () => {
      const element = module.exports.elementBytes as unknown as { value: number }
      const step = element.value
      // single elements l0, l1, r0, r1, and pairs e and d
      const at = firstAddress + 2048
      const [l, r, e, d] = [at, at + 256, at + 512, at + 768]
      fc.assert(
        fc.property(pair, pair, pair, fc.integer({ min: 0, max: 15 }), (a, b, c, signs) => {
          write(x, a)
          call("Scatter2", l, l + step, x)
          write(x, b)
          call("Scatter2", r, r + step, x)
          call("GatherDifference2", y, d, l, l + step, r, r + step)
          expect(read(y)).toEqual(a)
          write(x, c)
          call("SqrSubScatter2", z, z + step, e, x, y, d)
          call("Gather2", spare, z, z + step)
          const third = both((i) => c[i] * c[i] - a[i] - b[i])
          expect(read(spare)).toEqual(third)
          const sign = (bit: number) => (signs >> bit) & 1
          const signed = (value: bigint, bit: number) => (sign(bit) ? -value : value)
          call(
            "GatherSignedDifference2",
            ...[y, d, l + sign(0), l + step + sign(1), r + sign(2), r + step + sign(3)],
          )
          call("MulSubScatter2", z + step, z, x, e, y)
          call("Gather2", spare, z + step, z)
          expect(read(spare)).toEqual(both((i) => c[i] * (a[i] - third[i]) - signed(a[i], i)))
          call("Mul2", z, x, d)
          expect(read(z)).toEqual(both((i) => c[i] * (signed(b[i], i + 2) - signed(a[i], i))))
        }),
        runs,
      )
    })

    test("stays in range through long chains", () => {
      fc.assert(
        fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 6 }), pair), { maxLength: 30 }), (steps) => {
          let expected = [1n, 1n]
          call("One2", x)
          for (const [operation, b] of steps) {
            write(y, b)
            if (operation === 0) call("Mul2", x, x, y)
            if (operation === 1) call("Sqr2", x, x)
            if (operation === 2) call("Add2", x, x, y)
            if (operation === 3) call("Sub2", x, y, x)
            if (operation === 4) {
              call("SumLazy2", z, x, y)
              call("DifLazy2", x, x, y)
              call("Mul2", x, z, x)
            }
            if (operation === 5) {
              call("SumLazy2", x, x, x)
              call("Norm2", x, x)
            }
            if (operation === 6) {
              call("DifLazy2", x, y, x)
              call("Mul2", x, x, x)
            }
            const last = expected
            expected = both((l) => {
              const [u, v] = [last[l], b[l]]
              return [u * v, u * u, u + v, v - u, u * u - v * v, 2n * u, (v - u) ** 2n][operation]
            })
          }
          expect(read(x)).toEqual(expected)
        }),
        runs,
      )
    })

    test("finds zeros, however they are written", () => {
      for (const [a, b] of [
        [0n, 0n],
        [0n, 5n],
        [7n, 0n],
        [1n, p - 1n],
      ]) {
        write(x, [a, b])
        write(y, [a === 0n ? 0n : 1n, b === 0n ? 0n : 1n])
        const zeros = (a === 0n ? 1 : 0) | (b === 0n ? 2 : 0)
        expect(call("Zeroes2", x)).toBe(zeros)
        call("Mul2", z, x, y)
        expect(call("Zeroes2", z)).toBe(zeros)
        call("DifLazy2", z, x, x)
        expect(call("Zeroes2", z)).toBe(3)
        call("Sub2", z, x, x)
        call("Mul2", z, z, x)
        expect(call("Zeroes2", z)).toBe(3)
        call("SumLazy2", z, x, x)
        expect(call("Zeroes2", z)).toBe(zeros)
      }
    })

    test("gathers and scatters lanes", () => {
      write(x, [3n, 5n])
      write(y, [7n, 11n])
      const element = module.exports.elementBytes as unknown as { value: number }
      const [s0, s1] = [z, z + element.value]
      call("Scatter2", s1, s0, x)
      call("Gather2", spare, s0, s1)
      expect(read(spare)).toEqual([5n, 3n])
      call("Gather2", spare, s1, s1)
      expect(read(spare)).toEqual([3n, 3n])
    })
  })
})

function modPower(base: bigint, exponent: bigint, p: bigint): bigint {
  let result = 1n
  for (let e = exponent, b = base % p; e > 0n; e >>= 1n, b = (b * b) % p)
    if (e & 1n) result = (result * b) % p
  return result
}
