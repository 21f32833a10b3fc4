/** What setups do with points of a file: multiples, transforms, sums with signs, tests, other forms. */
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { cosetRoot, domainRoot } from "#src/circuit/link/domain.js"
import { inverse, mod, power, q, r } from "#src/field.js"
import { type Entries, type KernelEngine, openEngine } from "#src/prover/kernels/engine.js"
import { fileBytes } from "#src/prover/kernels/points/points.js"
import { anyBelow, fileOf, ofTwist } from "../../support/curves.js"
import { bytesOf, variants } from "../../support/kernels.js"
import { encode, many } from "../../support/kernels-isolation.js"
import { Random } from "../../support/random.js"

const random = new Random(11)

interface Reference {
  toRprUncompressed(to: Uint8Array, at: number, point: Uint8Array): void
}
/** The curve of ffjavascript, which has no types. */
const ffjavascript = async (): Promise<{ G1: Reference; G2: Reference; terminate(): Promise<void> }> =>
  (await import("ffjavascript" as string)).buildBn128(true)

/** Σ_m ω^(−jm)·first·step^m·values[m] / n for every j. */
function slowTransform(values: readonly bigint[], first = 1n, step = 1n): bigint[] {
  const n = values.length
  const root = inverse(domainRoot(n))
  const powers = many(n, (i) => power(root, BigInt(i)))
  let factor = mod(first * inverse(BigInt(n)))
  const scaled = values.map((value) => {
    const result = mod(value * factor)
    factor = mod(factor * step)
    return result
  })
  return many(n, (j) => mod(scaled.reduce((sum, value, m) => sum + value * powers[(j * m) % n], 0n)))
}

describe.each(variants)("%s", (variant) => {
  let engine: KernelEngine
  beforeAll(async () => {
    engine = await openEngine({ variant, threads: 2 })
  })
  afterAll(() => engine.close())

  describe.each(["g1", "g2"] as const)("%s", (group) => {
    const size = fileBytes[group]
    /** Points by their logarithms. */
    const pointsOf = (logs: readonly bigint[]) => engine.fixedBase(group, encode(logs.map((k) => mod(k))))

    test("every point times one scalar", async () => {
      const logs = [1n, 0n, 2n, -1n, 1n, ...many(40, () => anyBelow(r))]
      const points = await pointsOf(logs)
      for (const k of [
        0n,
        1n,
        2n,
        r - 1n,
        r >> 1n,
        (r >> 1n) + 1n,
        31n,
        1n << 128n,
        anyBelow(r),
        anyBelow(r),
      ]) {
        const scaled = await engine.scale(group, points, k)
        expect(scaled, `${k}`).toEqual(await pointsOf(logs.map((log) => log * k)))
      }
      expect(await engine.scale(group, new Uint8Array(0), 5n)).toEqual(new Uint8Array(0))
    })

    test("transforms of every shape", async () => {
      for (const n of [2, 4, 6, 8, 12, 16, 18, 24, 32, 36, 72]) {
        const logs = many(n, (i) => (i % 5 === 3 ? 0n : anyBelow(r)))
        const points = await pointsOf(logs)
        expect(await engine.transform(group, points), `${n}`).toEqual(await pointsOf(slowTransform(logs)))
        const [first, step] = [anyBelow(r), inverse(cosetRoot(n))]
        expect(await engine.transform(group, points, { first, step }), `${n}`).toEqual(
          await pointsOf(slowTransform(logs, first, step)),
        )
      }
    })

    test("transforms that cancel out: equal points, infinity, powers of a root", async () => {
      const n = 24
      const root = domainRoot(n)
      const cases = [
        many(n, () => 1n),
        many(n, () => 0n),
        many(n, (i) => (i === 7 ? 1n : 0n)),
        many(n, (i) => (i % 2 ? 1n : -1n)),
        many(n, (i) => power(root, BigInt(i))),
        many(n, (i) => power(root, BigInt((5 * i) % n))),
        many(n, () => random.pick([0n, 1n, -1n, 2n])),
      ]
      for (const logs of cases) {
        expect(await engine.transform(group, await pointsOf(logs))).toEqual(
          await pointsOf(slowTransform(logs)),
        )
      }
    })

    test("transforms in many items", async () => {
      const n = group === "g1" ? 576 : 192
      const logs = many(n, (i) => [0n, 1n, -1n][i] ?? anyBelow(r))
      const points = await pointsOf(logs)
      expect(await engine.transform(group, points)).toEqual(await pointsOf(slowTransform(logs)))
    })

    test("progress, an abort, and what is left in memory", async () => {
      const points = await pointsOf(many(256, (i) => BigInt(i + 1)))
      await engine.freeTables()
      const held = engine.pool.memory.allocated
      const works = [
        (options: object) => engine.scale(group, points, r - 2n, options),
        (options: object) => engine.transform(group, points, { step: 2n, ...options }),
        (options: object) => engine.firstOffCurve(group, points, options),
        (options: object) => engine.uncompressed(group, points, options),
      ]
      for (const work of works) {
        const seen: [number, number][] = []
        const expected = await work({ onProgress: (done: number, total: number) => seen.push([done, total]) })
        const [done, total] = seen[seen.length - 1]
        expect(done).toBe(total)
        expect(seen.every(([some], i) => i === 0 || some >= seen[i - 1][0])).toBe(true)
        const controller = new AbortController()
        const stopped = work({ signal: controller.signal })
        controller.abort(new Error("enough"))
        await expect(stopped).rejects.toThrow("enough")
        expect(await work({})).toEqual(expected)
        // working memory of the threads may have grown
        expect(engine.pool.memory.allocated).toBeLessThan(held + 2 ** 23)
      }
      const after = engine.pool.memory.allocated
      for (const work of works) await work({})
      expect(engine.pool.memory.allocated).toBe(after)
    })

    test("points and scalars that are refused", async () => {
      const points = await pointsOf([1n, 2n, 3n])
      const wrong = points.slice()
      wrong.fill(255, size, size + 32)
      await expect(engine.scale(group, wrong, 5n)).rejects.toThrow(/^point 1: coordinate of a point/)
      for (const scalar of [r, -1n]) {
        await expect(engine.scale(group, points, scalar)).rejects.toThrow("a scalar is below r")
      }
      await expect(engine.transform(group, points)).rejects.toThrow("3 is no size of a domain")
      await expect(engine.scale(group, points.subarray(1), 5n)).rejects.toThrow("bytes each")
    })

    test("sums with signs: doublings, opposites, infinity, points that occur again and again", async () => {
      const logs = [1n, -1n, 2n, 0n, ...many(20, () => anyBelow(r))]
      const set = await engine.points(group, await pointsOf(logs))
      const groups = 40
      const lists: readonly (readonly number[])[] = [
        [0, 0],
        [0, -1],
        [0, ~0],
        [~0, ~0],
        [0, 1],
        [~0, 1],
        [3],
        [~3, 3, 0],
        [],
        [0, 0, ~2],
        [0, 0, 2, 2],
        ...many(groups - 11, (g) => many(g, () => random.integer(-logs.length, logs.length - 1))),
      ].map((list) => list.map((entry) => (entry === -1 ? ~0 : entry)))
      const flat = lists.flatMap((list, g) => list.map((entry) => ({ g, entry })))
      const entries: Entries = {
        group: Uint32Array.from(flat, ({ g }) => g),
        point: Uint32Array.from(flat, ({ entry }) => (entry < 0 ? ~entry : entry)),
        negative: Uint8Array.from(flat, ({ entry }) => (entry < 0 ? 1 : 0)),
      }
      const sums = await engine.sums(set, entries, groups)
      const expected = lists.map((list) =>
        list.reduce((sum, entry) => sum + (entry < 0 ? -logs[~entry] : logs[entry]), 0n),
      )
      expect(await engine.bytes(sums)).toEqual(await pointsOf(expected))
      // and once more, of sums: every one with itself
      const twice: Entries = {
        group: Uint32Array.from({ length: 2 * groups }, (_, i) => i >> 1),
        point: Uint32Array.from({ length: 2 * groups }, (_, i) => i >> 1),
      }
      const doubled = await engine.sums(sums, twice, groups)
      expect(await engine.bytes(doubled)).toEqual(await pointsOf(expected.map((k) => 2n * k)))
      for (const points of [set, sums, doubled]) engine.free(points)
    })

    test("points of a set as a file has them", async () => {
      const points = await pointsOf(many(2100, (i) => (i % 7 === 2 ? 0n : BigInt(i))))
      const set = await engine.points(group, points)
      expect(await engine.bytes(set)).toEqual(points)
      engine.free(set)
    })

    test("the first point that is none", async () => {
      const count = 2100
      const good = await pointsOf(many(count, (i) => BigInt(i + 1)))
      expect(await engine.firstOffCurve(group, good)).toBe(-1)
      expect(await engine.firstOffCurve(group, good.subarray(0, size))).toBe(-1)
      expect(await engine.firstOffCurve(group, new Uint8Array(0))).toBe(-1)
      const bad = (change: (point: Uint8Array) => void) => (bytes: Uint8Array, i: number) =>
        change(bytes.subarray(size * i, size * (i + 1)))
      const changes = [
        bad((point) => point.fill(0)),
        bad((point) => (point[3] ^= 1)),
        bad((point) => (point[size - 9] ^= 64)),
        // the same point, a coordinate of it q more
        bad((point) => {
          const x = point.slice(0, 32).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
          point.set(bytesOf(x + q))
        }),
        bad((point) => point.fill(255)),
        ...(group === "g1" ? [] : [bad((point) => point.set(fileOf("g2", [[1n, 2n, 3n, 4n]])))]),
      ]
      for (const change of changes) {
        for (const place of [0, 1, 1023, 1024, count - 1]) {
          const bytes = good.slice()
          change(bytes, place)
          if (place < count - 1) change(bytes, count - 1)
          expect(await engine.firstOffCurve(group, bytes)).toBe(place)
        }
      }
      if (group === "g2") expect(await engine.firstOffCurve(group, fileOf(group, [ofTwist()]))).toBe(-1)
    })

    test("uncompressed points, as ffjavascript writes them", async () => {
      const curve = await ffjavascript()
      const reference = group === "g1" ? curve.G1 : curve.G2
      const points = await pointsOf([1n, 0n, 2n, ...many(20, () => anyBelow(r))])
      const expected = new Uint8Array(points.length)
      for (let at = 0; at < points.length; at += size) {
        reference.toRprUncompressed(expected, at, points.slice(at, at + size))
      }
      expect(await engine.uncompressed(group, points)).toEqual(expected)
      await curve.terminate()
    })
  })
})
