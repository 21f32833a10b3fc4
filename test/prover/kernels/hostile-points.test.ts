/**
 * Points and scalars that no honest key or witness has: the kernels touch no memory that is not theirs, they end, and
 * they give a typed error or a point of the curve. What adds up on a curve that is another one adds up there, too.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { checkedSource } from "#src/circuit/formats/source.js"
import { FileError, InputError } from "#src/errors.js"
import { q, r } from "#src/field.js"
import { type KernelEngine, openEngine } from "#src/prover/kernels/engine.js"
import type { Entries } from "#src/prover/kernels/points/grouping.js"
import { affineOf, fileBytes, type LoadOptions, type PointSet } from "#src/prover/kernels/points/points.js"
import { Streams } from "#src/prover/kernels/points/stream.js"
import {
  add,
  anyBelow,
  anywhere,
  fileOf,
  generator,
  hostilePoints,
  negated,
  ofOrderFour,
  ofOrderThree,
  ofOrderTwo,
  ofSmallOrder,
  ofTwist,
  type Point,
  times,
  withOrderTwo,
} from "../../support/curves.js"
import { bytesOf, variants } from "../../support/kernels.js"
import {
  checkSound,
  encode,
  fullScalars,
  isolated,
  many,
  outcome,
  type Work,
} from "../../support/kernels-isolation.js"
import { Random } from "../../support/random.js"

const random = new Random(9)
const smallScalars = (count: number, most: number) =>
  Float64Array.from({ length: count }, (_, i) => [most, -most, 0, 1, -1][i] ?? random.integer(-most, most))
const tooLarge = [r, r + 1n, 2n ** 254n - 1n, 2n ** 254n, 2n ** 255n, 2n ** 256n - 1n]
for (let byte = 0x31n; byte < 0x100n; byte += 0x17n) tooLarge.push((byte * (2n ** 256n - 1n)) / 255n)

describe.each(variants)("%s", (variant) => {
  describe.each(["g1", "g2"] as const)("%s", (group) => {
    let engine: KernelEngine
    beforeAll(async () => {
      engine = await openEngine({ variant, threads: 1 })
    })
    afterAll(() => engine.close())

    const sound = (points: Uint8Array, work: Work, options?: LoadOptions) =>
      checkSound(engine, group, points, work, options)
    const hostile = (count: number) => fileOf(group, hostilePoints(group, count))

    test("multiplications by small, 16-bit and full scalars", async () => {
      for (const count of [1, 2, 40, 300]) {
        for (const most of [1, 255, 2 ** 15, 2 ** 16 - 1, Number.MAX_SAFE_INTEGER]) {
          const small = smallScalars(count, most)
          await sound(hostile(count), (set) => engine.msm(set, { small }))
        }
        const full = encode(fullScalars(count))
        await sound(hostile(count), (set) => engine.msm(set, { full }))
      }
      const some = smallScalars(17, 99)
      await sound(hostile(40), (set) => engine.msm(set, { small: some }, { from: 16 }))
    })

    test("multiplications with few buckets, larger ones than a tile, and a centre", async () => {
      const count = group === "g1" ? 4500 : 2500
      const points = hostile(count)
      for (const pick of [() => 3, (i: number) => (i % 2) * 2 - 1, () => random.integer(0, 255)]) {
        const small = Float64Array.from({ length: count }, (_, i) => pick(i))
        await sound(points, async (set) => {
          await outcome(engine.msm(set, { small }))
          return engine.msm(set, { small })
        })
      }
    })

    test("points that are all the same, or opposites, wherever they lie", async () => {
      const kinds = [generator(group), anywhere(group), ofOrderTwo(group), ofOrderThree(group)]
      if (group === "g2") kinds.push(ofTwist(), ofSmallOrder(), ofOrderFour())
      for (const point of kinds) {
        for (const of of [() => point, (i: number) => (i % 2 ? point : negated(point))]) {
          const points = fileOf(group, many(70, of))
          const full = encode(fullScalars(70))
          await sound(points, (set) => engine.msm(set, { small: new Float64Array(70).fill(5) }))
          await sound(points, (set) => engine.msm(set, { full }))
        }
      }
    })

    test("sums by group", async () => {
      const entries = (count: number, points: number): Entries => ({
        group: Uint32Array.from({ length: count }, () => random.integer(0, 8)),
        point: Uint32Array.from({ length: count }, () => random.integer(0, points - 1)),
      })
      const full = encode(fullScalars(9))
      for (const count of [0, 1, 50, 2500]) {
        const given = entries(count, 60)
        await sound(hostile(60), async (set) => {
          const sums = await engine.sums(set, given, 9)
          try {
            return await engine.msm(sums, { full })
          } finally {
            engine.free(sums)
          }
        })
      }
      const set = await engine.points(group, hostile(60))
      const one = (g: number, point: number): Entries => ({
        group: Uint32Array.of(0, g),
        point: Uint32Array.of(0, point),
      })
      await expect(engine.sums(set, one(9, 0), 9)).rejects.toThrow("an entry has a group")
      await expect(engine.sums(set, one(1, 60), 9)).rejects.toThrow("an entry has a point")
      engine.free(set)
    })

    test("multiples", async () => {
      const points = hostilePoints(group, 60).filter((_, i) => ![7, 10, 12, 16].includes(i))
      for (const [from, bits, layers] of [
        [0, 1, 3],
        [points.length - 3, 8, 32],
        [points.length, 8, 32],
      ]) {
        const count = from + (points.length - from) * layers
        const small = smallScalars(count, 128)
        const options = { multiples: { from, bits, layers } }
        await sound(fileOf(group, points), (set) => engine.msm(set, { small }), options)
      }
    })

    test("a point of even order is refused where it has multiples, and spoils no others", async () => {
      const bad = [ofOrderTwo(group), ...(group === "g2" ? [ofOrderFour()] : [])]
      for (const point of bad) {
        const points = many(600, (i) => (i === 555 ? point : generator(group)))
        const nameOf = (i: number) => `number ${i}`
        const multiples = { from: 3, bits: 2, layers: 3 }
        const loading = engine.points(group, fileOf(group, points), { multiples, nameOf })
        await expect(loading).rejects.toThrow(/^number 555: is no point of G[12]: a multiple of it has y = 0/)
        await expect(loading).rejects.toBeInstanceOf(FileError)
      }
    })

    test("coordinates that are not below q are refused, by name", async () => {
      const coordinates = group === "g1" ? 2 : 4
      const file = hostile(4200)
      const before = engine.pool.memory.allocated
      for (const large of [q, q + 1n, 2n ** 254n, 2n ** 255n + 5n, 2n ** 256n - 1n]) {
        for (let k = 0; k < coordinates; k++) {
          const bytes = file.slice()
          const at = 4111 * fileBytes[group]
          // alone, among zeros, and among others
          if (k === 0) bytes.fill(0, at, at + fileBytes[group])
          bytes.set(bytesOf(large), at + 32 * k)
          const refused = await isolated(engine, () =>
            outcome(engine.points(group, bytes, { nameOf: (i) => `number ${i}` })),
          )
          expect(refused).toBeInstanceOf(FileError)
          expect((refused as Error).message).toContain(
            `number 4111: coordinate of a point; expected less than ${q}; given ${large}. `,
          )
        }
      }
      expect(engine.pool.memory.allocated).toBe(before)
    })

    test("scalars that are not below r are refused, by number", async () => {
      const points = hostilePoints(group, 40)
      const good = fullScalars(40)
      for (const [i, large] of tooLarge.entries()) {
        const scalars = good.with(i, large)
        const expected = `scalar ${i}; expected less than ${r}; given ${large}`
        const refused = await isolated(engine, async () => {
          const set = await engine.points(group, fileOf(group, points))
          const product = await outcome(engine.msm(set, { full: encode(scalars) }))
          engine.free(set)
          return product
        })
        expect(refused).toBeInstanceOf(InputError)
        expect((refused as Error).message).toBe(expected)
        const multiples = await isolated(engine, async () => {
          const result = await outcome(engine.fixedBase(group, encode(scalars)))
          await engine.freeTables()
          return result
        })
        expect(multiples).toMatchObject({ name: "InputError", message: expected })
      }
    })

    test("what setups do with points of a file", async () => {
      const file = hostile(48)
      const factors = { first: anyBelow(r), step: 2n }
      const works: (() => Promise<Uint8Array | number>)[] = [
        ...[0n, 1n, r - 1n, anyBelow(r)].map((k) => () => engine.scale(group, file, k)),
        () => engine.transform(group, file),
        () => engine.transform(group, file, factors),
        () => engine.firstOffCurve(group, file),
        () => engine.uncompressed(group, file),
      ]
      for (const work of works) await isolated(engine, work)
      // whatever the bytes are
      const any = Uint8Array.from(file, () => random.integer(0, 255))
      any.fill(255, 0, fileBytes[group])
      for (const work of [
        () => outcome(engine.scale(group, any, 3n)),
        () => outcome(engine.transform(group, any)),
      ]) {
        expect(await isolated(engine, work)).toBeInstanceOf(FileError)
      }
      expect(await isolated(engine, () => engine.firstOffCurve(group, any))).toBe(0)
      await isolated(engine, () => engine.uncompressed(group, any))
    })

    test("points that all are the same, or opposites, times one scalar, and transformed", async () => {
      for (const point of [anywhere(group), ofOrderTwo(group), ofOrderThree(group)]) {
        for (const of of [() => point, (i: number) => (i % 2 ? point : negated(point))]) {
          const file = fileOf(group, many(36, of))
          await isolated(engine, () => engine.scale(group, file, r - 5n))
          await isolated(engine, () => engine.transform(group, file))
        }
      }
    })

    test("points that do not fit leave nothing behind", async () => {
      const narrow = await openEngine({ variant, threads: 1, maximumBytes: 2 ** 22 })
      narrow.free(await narrow.points(group, new Uint8Array(fileBytes[group])))
      const before = narrow.pool.memory.allocated
      // room for the points, but not for the bytes they come from; for neither
      for (const bytes of [2 ** 21, 2 ** 23]) {
        const refused = narrow.points(group, new Uint8Array(bytes))
        await expect(refused).rejects.toThrow(/^points of a key does not fit into memory/)
        expect(narrow.pool.memory.allocated).toBe(before)
      }
      await narrow.close()
    })

    test("points that are read in blocks", async () => {
      const points = hostilePoints(group, 60)
      const streams = new Streams(engine, 10 * fileBytes[group])
      const source = (bytes: Uint8Array) => checkedSource(bytes, "points")
      const full = encode(fullScalars(60))
      const given = await isolated(engine, () =>
        outcome(streams.msm(streams.load(group, source(fileOf(group, points))), { full })),
      )
      expect(given).toBeInstanceOf(FileError)
      const bytes = fileOf(
        group,
        points.map(() => generator(group)),
      )
      bytes.fill(255, 37 * fileBytes[group], 37 * fileBytes[group] + 32)
      const nameOf = (i: number) => `number ${i}`
      for (const multiples of [undefined, { from: 31, bits: 3, layers: 4 }]) {
        const loaded = streams.load(group, source(bytes), { multiples, nameOf })
        const small = new Float64Array(loaded.count).fill(1)
        await expect(streams.msm(loaded, { small })).rejects.toThrow("number 37: coordinate of a point")
        await streams.free(loaded)
      }
    })

    test("sums of points of another curve are the sums there", async () => {
      const [two, other] = withOrderTwo(group)
      const curves = [
        [anywhere(group)],
        [two, other],
        [ofOrderThree(group)],
        ...(group === "g2" ? [[ofOrderFour()], [ofSmallOrder()], [ofTwist(), ofTwist()]] : []),
      ]
      const groups = 5
      for (const bases of curves) {
        const few = many(9, (i) =>
          times(group, random.pick(bases), BigInt([1, -1, 2][i] ?? random.integer(-5, 5))),
        )
        const points = many(90, () => random.pick(few))
        const set = await engine.points(group, fileOf(group, points))
        const groupOf = Uint32Array.from(points, () => random.integer(0, groups - 1))
        const sums = await engine.sums(set, { group: groupOf }, groups)
        const expected = many(groups, (): Point => null)
        points.forEach((point, i) => {
          expected[groupOf[i]] = add(group, expected[groupOf[i]], point)
        })
        expect(many(groups, (i) => pointAt(engine, sums, i))).toEqual(expected)
        engine.free(sums)
        engine.free(set)
      }
    })
  })
})

/** Point number i of a set, read out of the memory. */
function pointAt({ pool }: KernelEngine, { group, address }: PointSet, i: number): Point {
  const { memory, exports } = pool
  const size = (exports.elementBytes as unknown as WebAssembly.Global).value
  const coordinates = group === "g1" ? 2 : 4
  const at = memory.allocate(1024, "a test")
  const bytes = memory.allocate(64, "a test")
  const result = new Uint8Array(32 * coordinates)
  for (let k = 0; k < coordinates; k += 2) {
    const element = address + (i * coordinates + k) * size
    exports.fqGather2(at, element, element + size)
    exports.fqWrite2(bytes, bytes + 32, at)
    result.set(memory.bytes(bytes, 64), 32 * k)
  }
  memory.release(at)
  memory.release(bytes)
  return affineOf(result)
}
