/** Multi-scalar multiplication against noble-curves, with all edge cases of points and scalars. */
import { normalizeZ } from "@noble/curves/abstract/curve.js"
import { bn254 } from "@noble/curves/bn254.js"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { InputError } from "#src/errors.js"
import { mod, q, r } from "#src/field.js"
import { type KernelEngine, openEngine, type Scalars } from "#src/prover/kernels/engine.js"
import { Multiplication } from "#src/prover/kernels/multiplication.js"
import { bytesOf, variants } from "./kernels-support.js"
import { Random } from "./random.js"

const { Point } = bn254.G1
type G1 = InstanceType<typeof Point>

const random = new Random(4)
const below = (limit: bigint): bigint =>
  BigInt(`0x${Array.from({ length: 72 }, () => random.integer(0, 15).toString(16)).join("")}`) % limit

/** As in a file: Montgomery form, little endian, infinity all zero. */
function fileOf(points: readonly Known[]): Uint8Array {
  const bytes = new Uint8Array(64 * points.length)
  const affine = normalizeZ(
    Point,
    points.map(({ point }) => point),
  )
  affine.forEach((point, i) => {
    if (point.equals(Point.ZERO)) return
    const { x, y } = point.toAffine()
    bytes.set(bytesOf((x << 256n) % q), 64 * i)
    bytes.set(bytesOf((y << 256n) % q), 64 * i + 32)
  })
  return bytes
}

const full = (scalars: readonly bigint[]): Scalars => {
  const bytes = new Uint8Array(32 * scalars.length)
  for (const [i, scalar] of scalars.entries()) bytes.set(bytesOf(scalar), 32 * i)
  return { full: bytes }
}
const small = (scalars: readonly number[]): Scalars => ({ small: Float64Array.from(scalars) })

/** A point with its logarithm, so that the slow version is one multiplication of the generator. */
interface Known {
  readonly k: bigint
  readonly point: G1
}
const known = (k: bigint): Known => ({ k: mod(k), point: times(mod(k)) })
const times = (k: bigint): G1 => (k === 0n ? Point.ZERO : Point.BASE.multiply(k))

/** Σ scalars[i]·points[i] by logarithms. */
function slow(points: readonly Known[], scalars: readonly (bigint | number)[]): bigint[] | null {
  const k = mod(scalars.reduce<bigint>((sum, scalar, i) => sum + BigInt(scalar) * points[i].k, 0n))
  if (k === 0n) return null
  const { x, y } = times(k).toAffine()
  return [x, y]
}

/** k·G for k = 1, 2, … */
function multiples(count: number): Known[] {
  const points: Known[] = []
  let point = Point.BASE
  for (let i = 1; i <= count; i++, point = point.add(Point.BASE)) points.push({ k: BigInt(i), point })
  return points
}

describe.each(variants)("%s", (variant) => {
  describe.each([1, 3])("threads %i", (threads) => {
    let engine: KernelEngine
    beforeAll(async () => {
      engine = await openEngine({ variant, threads })
    })
    afterAll(() => engine.close())
    const check = async (points: readonly Known[], scalars: readonly (bigint | number)[]): Promise<void> => {
      const set = await engine.points("g1", fileOf(points))
      const isSmall = (values: readonly (bigint | number)[]): values is number[] =>
        values.every((value) => typeof value === "number")
      const input = isSmall(scalars) ? small(scalars) : full(scalars.map(BigInt))
      expect(await engine.msm(set, input)).toEqual(slow(points, scalars))
      engine.free(set)
    }

    test.each([0, 1, 2, 3, 5, 17, 100, 257])("%i random points and scalars of each class", async (n) => {
      const points = Array.from({ length: n }, () => known(below(r)))
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
      const points = multiples(edges.length)
      await check(points, edges)
      for (const edge of edges) await check(points.slice(0, 2), [edge, edge])
    })

    test("small scalars at the edges", async () => {
      for (let bit = 0; bit <= 53; bit++) {
        const power = Math.min(2 ** bit, Number.MAX_SAFE_INTEGER)
        await check(multiples(4), [power, -power, power - 1, 1 - power])
        await check(multiples(1), [-power])
      }
    })

    test("all scalars equal, or zero, or of size one", async () => {
      const points = multiples(300)
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
      const [zero, g, h] = [known(0n), known(1n), known(below(r))]
      const [minusG, minusH] = [known(-g.k), known(-h.k)]
      const pools = [[g], [g, minusG], [g, zero], [zero], [g, h, minusG, minusH, zero]]
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
      const points = multiples(20_000)
      const set = await engine.points("g1", fileOf(points))
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

    test("every width of windows", async () => {
      const points = multiples(40)
      const scalars = points.map(() => below(r))
      const set = await engine.points("g1", fileOf(points))
      for (let bits = 2; bits <= 15; bits++) {
        const job = new Multiplication(engine.pool, set, full(scalars), 0, bits)
        await engine.pool.run(job.steps())
        expect(job.value()).toEqual(slow(points, scalars))
        job.release()
      }
      engine.free(set)
    })

    test("a part of the points, some of them infinite", async () => {
      const points = multiples(64).map((point, i) => (i % 5 === 2 ? known(0n) : point))
      const set = await engine.points("g1", fileOf(points))
      const scalars = points.slice(16, 47).map(() => random.integer(-1000, 1000))
      expect(await engine.msm(set, small(scalars), { from: 16 })).toEqual(slow(points.slice(16), scalars))
      engine.free(set)
    })

    test("gives all memory back, and refuses what is no integer", async () => {
      const set = await engine.points("g1", fileOf(multiples(8)))
      const before = engine.pool.memory.allocated
      await engine.msm(set, small([1, 2, 3]))
      await expect(engine.msm(set, small([1, 0.5]))).rejects.toThrow(InputError)
      const signal = AbortSignal.abort(new Error("enough"))
      await expect(engine.msm(set, small([1]), { signal })).rejects.toThrow("enough")
      expect(engine.pool.memory.allocated).toBe(before)
      engine.free(set)
    })
  })
})
