/** Multi-scalar multiplication against noble-curves, with all edge cases of points and scalars. */
import { bn254 } from "@noble/curves/bn254.js"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { InputError } from "#src/errors.js"
import { mod, r } from "#src/field.js"
import { type Group, type KernelEngine, openEngine, type RawScalars } from "#src/prover/kernels/engine.js"
import { Multiplication } from "#src/prover/kernels/points/multiplication.js"
import { bytesOf, variants } from "../../support/kernels.js"
import { Random } from "../../support/random.js"

const random = new Random(4)
const below = (limit: bigint): bigint => random.bits(9) % limit

const encode = (scalars: readonly bigint[]): Uint8Array => {
  const bytes = new Uint8Array(32 * scalars.length)
  for (const [i, scalar] of scalars.entries()) bytes.set(bytesOf(scalar), 32 * i)
  return bytes
}
const full = (scalars: readonly bigint[]): RawScalars => ({ full: encode(scalars) })
const small = (scalars: readonly number[]): RawScalars => ({ small: Float64Array.from(scalars) })
type Scalar = bigint | number

/** Affine coordinates of k times the generator. */
function times(group: Group, k: bigint): bigint[] | null {
  if (k === 0n) return null
  if (group === "g1") {
    const { x, y } = bn254.G1.Point.BASE.multiply(k).toAffine()
    return [x, y]
  }
  const { x, y } = bn254.G2.Point.BASE.multiply(k).toAffine()
  return [x.c0, x.c1, y.c0, y.c1]
}

/** 1, 2, … */
const upTo = (count: number): bigint[] => Array.from({ length: count }, (_, i) => BigInt(i + 1))

describe.each(variants)("%s", (variant) => {
  describe.each([
    ["g1", 1],
    ["g1", 3],
    ["g2", 2],
  ] as const)("%s, threads %i", (group, threads) => {
    let engine: KernelEngine
    beforeAll(async () => {
      engine = await openEngine({ variant, threads })
    })
    afterAll(() => engine.close())

    // Points are given by their logarithms, so that the slow version is one multiplication of the generator.
    const load = async (points: readonly bigint[]) =>
      engine.points(group, await engine.fixedBase(group, encode(points.map((k) => mod(k)))))
    const slow = (points: readonly bigint[], scalars: readonly Scalar[]): bigint[] | null =>
      times(group, mod(scalars.reduce<bigint>((sum, scalar, i) => sum + BigInt(scalar) * points[i], 0n)))
    const isSmall = (values: readonly Scalar[]): values is number[] =>
      values.every((value) => typeof value === "number")
    const check = async (points: readonly bigint[], scalars: readonly Scalar[]): Promise<void> => {
      const set = await load(points)
      const input = isSmall(scalars) ? small(scalars) : full(scalars.map(BigInt))
      expect(await engine.msm(set, input)).toEqual(slow(points, scalars))
      engine.free(set)
    }

    test.each([0, 1, 2, 3, 5, 17, 100, 257])("%i random points and scalars of each class", async (n) => {
      const points = Array.from({ length: n }, () => below(r))
      await check(
        points,
        points.map(() => below(r)),
      )
      for (const limit of [1, 2, 127, 128, 255, 256, 32767, 65535, 2 ** 31, 2 ** 53 - 1]) {
        await check(
          points,
          points.map(() => random.integer(-limit, limit)),
        )
      }
    })

    test("scalars at the edges", async () => {
      const edges = [0n, 1n, r - 1n, r - 2n, 2n, r >> 1n, (r >> 1n) + 1n]
      for (let bit = 1n; bit < 254n; bit += 9n) edges.push((1n << bit) % r, (1n << bit) - 1n, r - (1n << bit))
      const points = upTo(edges.length)
      await check(points, edges)
      for (const edge of edges) await check(points.slice(0, 2), [edge, edge])
    })

    test("full scalars of fewer bits, and one that has more", async () => {
      const points = upTo(33)
      const set = await load(points)
      for (const bits of [1, 8, 31, 32, 33, 64, 127, 128, 200, 253, 254]) {
        const most = 1n << BigInt(bits)
        const edges = [most - 1n, 0n, 1n, most >> 1n, (most >> 1n) - 1n].map((k) => mod(k))
        const scalars = points.map((_, i) => edges[i] ?? below(most < r ? most : r))
        expect(await engine.msm(set, full(scalars), { bits })).toEqual(slow(points, scalars))
        for (const large of [most, 2n ** 255n, 2n ** 256n - 1n, r - 1n, r].filter((k) => k >= most)) {
          const refused = engine.msm(set, full(scalars.with(17, large)), { bits })
          await expect(refused).rejects.toThrow(`scalar 17; expected at most ${bits} bits; given ${large}`)
          await expect(refused).rejects.toBeInstanceOf(InputError)
        }
      }
      const windows = (bits?: number) => {
        const job = new Multiplication(engine.pool, set, full(points), bits === undefined ? {} : { bits })
        const { weight } = job
        job.release()
        return weight
      }
      expect(windows(128)).toBeLessThan(0.6 * windows())
      expect(() => windows(0)).toThrow("1 to 254 bits")
      expect(() => windows(255)).toThrow("1 to 254 bits")
      engine.free(set)
    })

    test("small scalars at the edges", async () => {
      for (let bit = 0; bit <= 53; bit++) {
        const power = Math.min(2 ** bit, Number.MAX_SAFE_INTEGER)
        await check(upTo(4), [power, -power, power - 1, 1 - power])
        await check(upTo(1), [-power])
      }
    })

    test("all scalars equal, or zero, or of size one", async () => {
      const points = upTo(300)
      const k = below(r)
      await check(
        points,
        points.map(() => k),
      )
      await check(
        points,
        points.map(() => 0n),
      )
      await check(
        points,
        points.map(() => 0),
      )
      await check(
        points,
        points.map(() => 1),
      )
      await check(
        points,
        points.map(() => -1),
      )
      await check(
        points,
        points.map((_, i) => (i % 2) * 2 - 1),
      )
    })

    test("points that are equal, opposite or infinite, in one bucket and across", async () => {
      const [g, h] = [1n, below(r)]
      const pools = [[g], [g, -g], [g, 0n], [0n], [g, h, -g, -h, 0n]]
      for (const pool of pools) {
        for (const n of [1, 2, 3, 4, 7, 64, 301]) {
          const points = Array.from({ length: n }, () => random.pick(pool))
          await check(
            points,
            points.map(() => 5n),
          )
          await check(
            points,
            points.map(() => random.pick([1, -1])),
          )
          await check(
            points,
            points.map(() => random.pick([0n, 1n, r - 1n, below(r)])),
          )
          await check(
            points,
            points.map(() => random.integer(-3, 3)),
          )
        }
      }
    })

    test("buckets larger than a tile, and parts that begin within one", async () => {
      const points = upTo(20_000)
      const set = await load(points)
      for (const pick of [
        () => 1,
        () => random.pick([1, -1, 1, 2]),
        (i: number) => (i < 9000 ? -7 : i % 50),
      ]) {
        const scalars = points.map((_, i) => pick(i))
        expect(await engine.msm(set, small(scalars))).toEqual(slow(points, scalars))
        expect(await engine.msm(set, full(scalars.map((k) => (BigInt(k) + r) % r)))).toEqual(
          slow(points, scalars),
        )
      }
      engine.free(set)
    })

    test("few buckets: every range of points has its own", async () => {
      const g = below(r)
      for (const n of [1025, 2048, 5003]) {
        const points = upTo(n).map((k, i) => [k, k, g, -g, 0n, 9n][i % 6])
        const set = await load(points)
        for (const pick of [
          () => random.integer(0, 255),
          () => random.integer(-255, 255),
          () => random.integer(-1, 1),
          () => 0,
          () => -1,
          () => 200,
          (i: number) => (i < 1024 ? 0 : 3),
        ]) {
          const scalars = points.map((_, i) => pick(i))
          const job = new Multiplication(engine.pool, set, small(scalars))
          expect(job.steps()[0].kernel).toBe(`${group}Ranges`)
          await engine.pool.run(job.steps())
          expect(job.value()).toEqual(slow(points, scalars))
          job.release()
        }
        engine.free(set)
      }
    })

    test("few buckets in two windows", async () => {
      const points = upTo(9001)
      const set = await load(points)
      for (const [limit, bits] of [
        [4095, 7],
        [1023, 6],
      ]) {
        const scalars = points.map(() => random.integer(-limit, limit))
        const job = new Multiplication(engine.pool, set, small(scalars), { windowBits: bits })
        expect(job.steps()[0].kernel).toBe(`${group}Ranges`)
        await engine.pool.run(job.steps())
        expect(job.value()).toEqual(slow(points, scalars))
        job.release()
      }
      engine.free(set)
    })

    test("scalars that are never negative, less a centre", async () => {
      const points = upTo(300).map((k, i) => [k, -k, 5n, 0n][i % 4])
      const centres = new Set<number>()
      for (const bits of [6, 9, 10, 16, 21, 32]) {
        const most = 2 ** bits - 1
        const edges = [0, most, 2 ** (bits - 1), 2 ** (bits - 1) - 1, 1]
        for (const pick of [
          (i: number) => edges[i] ?? random.integer(0, most),
          () => most,
          (i: number) => (i % 2) * most,
          (i: number) => (i === 7 ? most : 0),
        ]) {
          const scalars = points.map((_, i) => pick(i))
          const set = await load(points)
          // the sum of all points is made when they are multiplied again
          for (let time = 0; time < 3; time++) {
            expect(await engine.msm(set, small(scalars))).toEqual(slow(points, scalars))
          }
          const job = new Multiplication(engine.pool, set, small(scalars), { mayCentre: true })
          centres.add(job.centre)
          await engine.pool.run(job.steps())
          const less = scalars.map((k) => k - job.centre)
          expect(job.value()).toEqual(slow(points, less))
          job.release()
          engine.free(set)
        }
      }
      expect(centres).toEqual(new Set([6, 9, 10, 16, 21, 32].map((bits) => 2 ** (bits - 1))))
      // one below zero, and there is none
      const set = await load(points)
      const scalars = small(points.map((_, i) => (i === 9 ? -1 : 600)))
      expect(new Multiplication(engine.pool, set, scalars, { mayCentre: true }).centre).toBe(0)
      engine.free(set)
    })

    test("a centre whose sum finds no memory, or whose multiplication is aborted, harms nothing", async () => {
      const narrow = await openEngine({ variant, threads, maximumBytes: 2 ** 25 })
      const { memory } = narrow.pool
      const points = upTo(2000)
      const bytes = await narrow.fixedBase(group, encode(points))
      await narrow.freeTables()
      const set = await narrow.points(group, bytes)
      const scalars = points.map((_, i) => (i * 7919) % 2 ** 14)
      const product = (options = {}) => narrow.msm(set, small(scalars), options)
      const expected = slow(points, scalars)
      expect(await product()).toEqual(expected)
      const before = memory.allocated
      const job = new Multiplication(narrow.pool, set, small(scalars), { mayCentre: true })
      expect(job.centre).toBe(2 ** 13)
      // what is left is enough for one, not for two
      const taken: number[] = []
      for (let size = 2 ** 24; size >= 1024; ) {
        try {
          taken.push(memory.allocate(size, "a test"))
        } catch {
          size /= 2
        }
      }
      job.release()
      const full = memory.allocated
      const run = vi.spyOn(narrow, "run")
      await expect(product()).rejects.toThrow(/does not fit/)
      // nothing was left at work in memory that is free again
      expect(run).not.toHaveBeenCalled()
      expect(memory.allocated).toBe(full)
      for (const at of taken) memory.release(at)
      const controller = new AbortController()
      const stopped = product({ signal: controller.signal })
      controller.abort(new Error("enough"))
      await expect(stopped).rejects.toThrow("enough")
      expect(memory.allocated).toBe(before)
      for (let i = 0; i < 2; i++) expect(await product()).toEqual(expected)
      await narrow.close()
    })

    test("every width of windows", async () => {
      const points = upTo(40)
      const scalars = points.map(() => below(r))
      const set = await load(points)
      for (let bits = 2; bits <= 16; bits++) {
        const job = new Multiplication(engine.pool, set, full(scalars), { windowBits: bits })
        await engine.pool.run(job.steps())
        expect(job.value()).toEqual(slow(points, scalars))
        job.release()
      }
      engine.free(set)
    })

    test("a part of the points, some of them infinite", async () => {
      const points = upTo(64).map((k, i) => (i % 5 === 2 ? 0n : k))
      const set = await load(points)
      const scalars = points.slice(16, 47).map(() => random.integer(-1000, 1000))
      expect(await engine.msm(set, small(scalars), { from: 16 })).toEqual(slow(points.slice(16), scalars))
      engine.free(set)
    })

    test("sums by group", async () => {
      const choices: [number, number, (i: number) => number][] = [
        [0, 1, () => 0],
        [1, 1, () => 0],
        [2, 1, () => 0],
        [3, 5, () => 3],
        [100, 7, (i) => i % 7],
        [5000, 1, () => 0],
        [5000, 300, () => random.integer(0, 299)],
        [500, 10_000, () => random.integer(0, 9_999)],
      ]
      for (const [count, groups, pick] of choices) {
        // some groups cancel out, some points are infinite, some are equal
        const points = upTo(count).map((k, i) =>
          i % 5 === 1 ? -k + 1n : i % 7 === 3 ? 0n : i % 11 === 4 ? 9n : k,
        )
        const groupOf = Uint32Array.from(points, (_, i) => pick(i))
        const scalars = Array.from({ length: groups }, (_, g) => (g % 3 === 1 ? 0n : below(r)))
        const set = await load(points)
        const expected = slow(
          points,
          points.map((_, i) => scalars[groupOf[i]]),
        )
        const sums = await engine.sums(set, { group: groupOf }, groups)
        expect(await engine.msm(sums, { full: encode(scalars) })).toEqual(expected)
        engine.free(sums)
        engine.free(set)
      }
    })

    test("signed sums by group as a file has them: points twice, taken away, and nothing left", async () => {
      const [count, groups] = [300, 120]
      const points = upTo(count).map((k, i) => (i % 7 === 3 ? 0n : i % 11 === 4 ? 9n : k))
      const set = await load(points)
      const entries = Array.from({ length: 4000 }, (_, i) => ({
        // group 0 gets a point, and loses it; group 1 gets it twice; group 2 gets nothing
        group: i < 4 ? i >> 1 : random.integer(3, groups - 1),
        point: i < 4 ? 8 : random.integer(0, count - 1),
        negative: i < 4 ? Number(i === 1) : random.integer(0, 1),
      }))
      const sums = await engine.sums(
        set,
        {
          group: Uint32Array.from(entries, (entry) => entry.group),
          point: Uint32Array.from(entries, (entry) => entry.point),
          negative: Uint8Array.from(entries, (entry) => entry.negative),
        },
        groups,
      )
      const expected = new Array<bigint>(groups).fill(0n)
      for (const { group: g, point, negative } of entries)
        expected[g] += negative ? -points[point] : points[point]
      expect(expected.slice(0, 3)).toEqual([0n, 18n, 0n])
      expect(await engine.bytes(sums)).toEqual(
        await engine.fixedBase(group, encode(expected.map((k) => mod(k)))),
      )
      expect(await engine.bytes(set)).toEqual(await engine.fixedBase(group, encode(points)))
      engine.free(sums)
      engine.free(set)
    })

    test("scalars that are not below r are refused, and harm nothing", async () => {
      const set = await load(upTo(3))
      for (const large of [r, r + 1n, 2n ** 254n - 1n, 2n ** 254n, 2n ** 255n, 2n ** 256n - 1n]) {
        for (const refused of [
          engine.msm(set, full([1n, large, 3n])),
          engine.fixedBase(group, encode([1n, large, 3n])),
        ]) {
          await expect(refused).rejects.toThrow(`scalar 1; expected less than ${r}; given ${large}`)
          await expect(refused).rejects.toBeInstanceOf(InputError)
        }
      }
      expect(await engine.msm(set, full([1n, r - 1n, 3n]))).toEqual(slow(upTo(3), [1, -1, 3]))
      engine.free(set)
    })

    test("an abort stops a multiplication, and the next one is as good as ever", async () => {
      const count = 2 ** 15
      const set = await load(Array.from({ length: count }, () => 7n))
      const scalars = Array.from({ length: count }, () => below(r))
      const control = new AbortController()
      const stopped = engine.msm(set, full(scalars), { signal: control.signal })
      setTimeout(() => control.abort(new Error("enough")), 20)
      await expect(stopped).rejects.toThrow("enough")
      const sum = mod(scalars.reduce((total, k) => total + 7n * k, 0n))
      expect(await engine.msm(set, full(scalars))).toEqual(times(group, sum))
      engine.free(set)
    })

    test("gives all memory back, and refuses what is no integer", async () => {
      const set = await load(upTo(8))
      const before = engine.pool.memory.allocated
      await engine.msm(set, small([1, 2, 3]))
      for (const bad of [0.5, 2 ** 51 + 0.5, 2 ** 53, -(2 ** 53), Number.NaN, Number.NEGATIVE_INFINITY]) {
        await expect(engine.msm(set, small([1, bad, 2 ** 52]))).rejects.toThrow(InputError)
        await expect(engine.msm(set, small([1, bad]))).rejects.toThrow("scalar 1")
      }
      const signal = AbortSignal.abort(new Error("enough"))
      await expect(engine.msm(set, small([1]), { signal })).rejects.toThrow("enough")
      expect(engine.pool.memory.allocated).toBe(before)
      engine.free(set)
    })
  })
})
