/** Points that are read block by block: the same products as of points that stay, whatever the blocks. */
import fc from "fast-check"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { type ByteSource, checkedSource, gather, join } from "#src/circuit/formats/source.js"
import { FileError } from "#src/errors.js"
import { r } from "#src/field.js"
import type { Engine, Entries, Points, Vector } from "#src/prover/engine/engine.js"
import { kernelEngine } from "#src/prover/engine/kernels.js"
import { multiplyParts } from "#src/setup/trapdoor.js"

/** Points in a block, of G1. */
const block = 10
const most = 4 * block
let engine: Engine
let held: number
/** Multiples of the generators: infinity, repeated ones and opposites among them. */
let files: Record<"g1" | "g2", Uint8Array>
beforeAll(async () => {
  engine = await kernelEngine({ blockBytes: 64 * block })
  const some = [1n, 1n, r - 1n, 0n, 2n, r - 2n, 77n, r >> 1n, 123456789n]
  const scalars = Array.from({ length: most }, (_, i) => (some[i] ?? BigInt(i)) % r)
  files = await multiplyParts({ g1: { group: "g1", scalars }, g2: { group: "g2", scalars } }, {})
  // the threads keep their working memory
  await engine.msm(engine.load("g2", sourceOf(files.g2)), scalars)
  held = engine.heldBytes()
})
afterAll(() => engine.close())
afterEach(() => expect(engine.heldBytes()).toBe(held))

const sourceOf = (bytes: Uint8Array): ByteSource => checkedSource(bytes, "points")

describe.each(["g1", "g2"] as const)("%s", (group) => {
  const size = group === "g1" ? 64 : 128
  /** The first points, kept and streamed. */
  const both = (count: number): [Points, Points] => {
    const bytes = files[group].subarray(0, count * size)
    return [engine.load(group, bytes), engine.load(group, sourceOf(bytes))]
  }
  const lengths = [
    0,
    1,
    block / 2,
    block - 1,
    block,
    block + 1,
    2 * block - 1,
    2 * block,
    2 * block + 1,
    most,
  ]

  it.each(lengths)("%i points", async (count) => {
    const [kept, streamed] = both(count)
    expect(streamed.count).toBe(count)
    const all = (of: (i: number) => bigint) => Array.from({ length: count }, (_, i) => of(i))
    for (const scalars of [all(() => 0n), all(() => r - 1n), all((i) => 5n ** BigInt(i) % r)]) {
      expect(await engine.msm(streamed, scalars)).toEqual(await engine.msm(kept, scalars))
    }
    const small = Float64Array.from({ length: count }, (_, i) => (i % 3) * 1000 - 1000)
    expect(await engine.msm(streamed, small)).toEqual(await engine.msm(kept, small))
    await engine.free(kept)
    await engine.free(streamed)
  })

  it("blocks whose products cancel", async () => {
    const points = files[group].subarray(0, size)
    const negated = files[group].subarray(2 * size, 3 * size)
    const many = (bytes: Uint8Array) => Array.from({ length: block }, () => bytes)
    const streamed = engine.load(group, sourceOf(Buffer.concat([...many(points), ...many(negated)])))
    expect(await engine.msm(streamed, new Float64Array(2 * block).fill(3))).toBe(null)
  })
})

it("sums by group, entries of any block in any order, and of points with multiples", async () => {
  const multiples = { from: 3 * block - 4, bits: 2, layers: 3 }
  const sets = [files.g1, sourceOf(files.g1)].map((points) => engine.load("g1", points, { multiples }))
  const [kept, streamed] = sets
  const { count } = kept
  expect(streamed.count).toBe(count)
  const productOf = async (points: Points, entries: Entries, ks: readonly bigint[]) => {
    const sums = await engine.sums(points, entries, ks.length)
    try {
      return await engine.msm(sums, ks)
    } finally {
      await engine.free(sums)
    }
  }
  const entry = fc.tuple(fc.nat(6), fc.nat(count - 1), fc.nat(1))
  const scalars = fc.array(fc.bigInt({ min: 0n, max: r - 1n }), { minLength: 7, maxLength: 7 })
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 80 }), scalars, async (entries, ks) => {
      const given = {
        group: Uint32Array.from(entries, ([group]) => group),
        point: Uint32Array.from(entries, ([, point]) => point),
        negative: Uint8Array.from(entries, ([, , negative]) => negative),
      }
      expect(await productOf(streamed, given, ks)).toEqual(await productOf(kept, given, ks))
    }),
    { numRuns: 20 },
  )
  const each = { group: Uint32Array.from({ length: count }, (_, i) => i % 7) }
  const ks = Array.from({ length: 7 }, (_, i) => r - BigInt(i))
  expect(await productOf(streamed, each, ks)).toEqual(await productOf(kept, each, ks))
  const small = Float64Array.from({ length: count }, (_, i) => i * 37 - 500)
  expect(await engine.msm(streamed, small)).toEqual(await engine.msm(kept, small))
  for (const points of sets) await engine.free(points)
})

it("the quotient", async () => {
  const own = await kernelEngine({ blockBytes: 64 * block })
  const n = 36
  const small = Float64Array.from({ length: n }, (_, i) => i * i - 100)
  const vector: Vector = { small, rows: Uint32Array.of(7), index: Uint32Array.of(6), fields: [r - 5n] }
  const kept = own.lookupFields(99n, Float64Array.of(1, 2), Float64Array.of(1, 1))
  const rows = { a: vector, b: vector, kept }
  const bytes = files.g1.subarray(0, 64 * n)
  const one = { bits: 254, count: 1 }
  const expected = await own.quotientMsm(own.loadQuotient(bytes, one), rows)
  expect(await own.quotientMsm(own.loadQuotient(sourceOf(bytes), one), rows)).toEqual(expected)
  // of further layers nothing is read
  const more = { bits: 130, count: 2 }
  const both = Buffer.concat([bytes, Buffer.alloc(bytes.length, 1)])
  expect(await own.quotientMsm(own.loadQuotient(sourceOf(both), more), rows)).toEqual(expected)
  await own.close()
})

describe("points of some wires, picked out of sections", () => {
  const pointBytes = 64
  const section = Uint8Array.from({ length: pointBytes * 3000 }, (_, i) => (i * 7 + (i >> 6)) & 255)
  const more = new Uint8Array(2 * pointBytes).fill(9)
  let reads = 0
  const source: ByteSource = {
    size: section.length,
    read: async (from, length) => {
      reads++
      return section.subarray(from, from + length)
    },
  }
  const every = (step: number, from = 0) =>
    Uint32Array.from({ length: Math.floor((3000 - from) / step) }, (_, i) => from + i * step)

  it("are the same from a source as from bytes, in blocks of any size", async () => {
    const choices = [every(1), every(1, 17), every(2), every(7), every(2500), every(3000), every(1, 3000)]
    for (const places of choices) {
      const parts = (points: Uint8Array | ByteSource) =>
        [places, every(900)].map((list) => gather(points, pointBytes, list))
      const expected = join([...parts(section), more]) as Uint8Array
      const streamed = join([...parts(source), more]) as ByteSource
      expect(streamed.size).toBe(expected.length)
      for (const points of [1, 100, 4000]) {
        const read: Uint8Array[] = []
        for (let at = 0; at < streamed.size; at += points * pointBytes) {
          read.push(await streamed.read(at, Math.min(points * pointBytes, streamed.size - at)))
        }
        expect(Buffer.compare(Buffer.concat(read), expected)).toBe(0)
      }
    }
  })

  it("near ones in one read, far ones in one each", async () => {
    reads = 0
    await (gather(source, pointBytes, every(7)) as ByteSource).read(0, 400 * pointBytes)
    expect(reads).toBe(1)
    await (gather(source, pointBytes, Uint32Array.of(0, 2500)) as ByteSource).read(0, 2 * pointBytes)
    expect(reads).toBe(3)
  })
})

describe("a source that fails", () => {
  const load = (read: ByteSource["read"]) =>
    engine.load("g1", checkedSource({ size: files.g1.length, read }, "points"))
  const ones = new Float64Array(most).fill(1)
  const honest = async (from: number, length: number) => files.g1.subarray(from, from + length)

  it("fails the multiplication with a typed error, and no other", async () => {
    const late = load(async (from, length) => {
      if (from > 0) throw new Error("the disk is gone")
      return honest(from, length)
    })
    const short = load(async (from, length) => (await honest(from, length)).subarray(0, length - (from && 1)))
    const good = load(honest)
    const results = await Promise.allSettled([late, short, good].map((points) => engine.msm(points, ones)))
    const [first, second, third] = results
    expect(first).toMatchObject({ status: "rejected", reason: expect.any(FileError) })
    expect(String(first.status === "rejected" && first.reason)).toMatch(
      /points, bytes 640 to 1280: cannot be read: the disk is gone/,
    )
    expect(String(second.status === "rejected" && second.reason)).toMatch(
      /cut short; expected 640 bytes; given 639/,
    )
    expect(third.status).toBe("fulfilled")
  })

  it("leaves no more in memory the more blocks there are", async () => {
    const peakOf = async (repeats: number): Promise<number> => {
      let peak = 0
      const read = async (from: number, length: number) => {
        peak = Math.max(peak, engine.heldBytes())
        return honest(from % files.g1.length, length)
      }
      const points = engine.load("g1", { size: repeats * files.g1.length, read })
      const scalars = new Float64Array(repeats * most).fill(3)
      await Promise.all([1, 2, 3].map(() => engine.msm(points, scalars)))
      return peak
    }
    expect(await peakOf(30)).toBe(await peakOf(3))
  })

  it("reads one block ahead, also of the next multiplication", async () => {
    const events: string[] = []
    const points = ["a", "b"].map((name) =>
      load(async (from, length) => {
        events.push(`${name}${from / (64 * block)}`)
        return honest(from, length)
      }),
    )
    const [a, b] = points.map((point) => engine.msm(point, ones))
    await a
    expect(events.slice(0, 5)).toEqual(["a0", "a1", "a2", "a3", "b0"])
    await b
    expect(events.slice(5)).toEqual(["b1", "b2", "b3"])
  })

  it("reads nothing after an abort", async () => {
    const read: number[] = []
    const controller = new AbortController()
    const points = load(async (from, length) => {
      read.push(from / (64 * block))
      if (read.length === 3) controller.abort(new Error("enough"))
      return honest(from, length)
    })
    await expect(engine.msm(points, ones, { signal: controller.signal })).rejects.toThrow("enough")
    expect(read).toEqual([0, 1, 2])
    expect(await engine.msm(points, ones)).not.toBe(null)
  })
})
