/** The kernels against the reference engine, as the prover calls them. */
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { compile } from "#src/circuit/compile.js"
import { mod, r } from "#src/field.js"
import type { Engine, Entries, Points, Vector } from "#src/prover/engine.js"
import { kernelEngine } from "#src/prover/kernelengine.js"
import { bestLayers, type Layers } from "#src/prover/kernels/windows.js"
import { multiplyParts } from "#src/prover/multiply.js"
import { slowEngine } from "#src/prover/slowengine.js"
import { perceptron } from "./networks.js"

const slow = slowEngine()
describe.each(["scalar", "relaxed"] as const)("%s module", (variant) => {
  let fast: Engine
  /** Points k·G for a few k, infinity, repeated ones and opposites among them. */
  let files: Record<"g1" | "g2", Uint8Array>
  const multiples = [0n, 1n, 1n, 2n, r - 1n, r - 2n, 5n, 77n, r >> 1n, 0n, 123456789n, r - 77n]
  beforeAll(async () => {
    fast = await kernelEngine({ variant })
    files = await multiplyParts(
      { g1: { group: "g1", scalars: multiples }, g2: { group: "g2", scalars: multiples } },
      {},
    )
  })
  afterAll(() => fast.close())

  const scalar = fc.oneof(
    fc.constantFrom(0n, 1n, r - 1n, r - 2n, 1n << 253n),
    fc.bigInt({ min: 0n, max: r - 1n }),
  )
  const small = fc.oneof(
    fc.constantFrom(0, 1, -1, 2 ** 53 - 1, -(2 ** 40)),
    fc.integer({ min: -2000, max: 2000 }),
  )

  describe.each(["g1", "g2"] as const)("%s", (group) => {
    const size = group === "g1" ? 64 : 128
    /** The same choice of points for both engines. */
    const pick = (chosen: readonly number[]): [Points, Points] => {
      const bytes = Buffer.concat(chosen.map((i) => files[group].subarray(i * size, (i + 1) * size)))
      return [slow.load(group, bytes), fast.load(group, bytes)]
    }
    const choice = fc.array(fc.nat(multiples.length - 1), { maxLength: 40 })

    it("multiples of points", async () => {
      const layers = fc.record({
        bits: fc.integer({ min: 1, max: 9 }),
        layers: fc.integer({ min: 1, max: 4 }),
      })
      await fc.assert(
        fc.asyncProperty(choice, fc.nat(40), layers, fc.infiniteStream(small), async (chosen, n, how, ss) => {
          const bytes = Buffer.concat(chosen.map((i) => files[group].subarray(i * size, (i + 1) * size)))
          const multiples = { from: Math.min(n, chosen.length), ...how }
          const [mine, theirs] = [slow.load(group, bytes, multiples), fast.load(group, bytes, multiples)]
          expect(theirs.count).toBe(mine.count)
          const scalars = Float64Array.from({ length: mine.count }, () => ss.next().value)
          expect(await fast.msm(theirs, scalars)).toEqual(await slow.msm(mine, scalars))
        }),
        { numRuns: 20 },
      )
    })

    it("multiplications", async () => {
      await fc.assert(
        fc.asyncProperty(
          choice,
          fc.infiniteStream(scalar),
          fc.infiniteStream(small),
          async (chosen, ks, ss) => {
            const [mine, theirs] = pick(chosen)
            const full = chosen.map(() => ks.next().value)
            expect(await fast.msm(theirs, full)).toEqual(await slow.msm(mine, full))
            const short = Float64Array.from(chosen, () => ss.next().value)
            expect(await fast.msm(theirs, short)).toEqual(await slow.msm(mine, short))
          },
        ),
        { numRuns: 12 },
      )
    })
  })

  /** Σ over groups of the sum times a scalar. */
  const sums = async (engine: Engine, bytes: Uint8Array, entries: Entries, ks: readonly bigint[]) => {
    const points = engine.load("g1", bytes)
    const grouped = await engine.sums(points, entries, ks.length)
    const result = await engine.msm(grouped, ks)
    await engine.free(grouped)
    await engine.free(points)
    return result
  }

  it("sums by group", async () => {
    const chosen = fc.array(fc.tuple(fc.nat(multiples.length - 1), fc.nat(6)), { maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(chosen, fc.array(scalar, { minLength: 7, maxLength: 7 }), async (entries, ks) => {
        const bytes = Buffer.concat(entries.map(([i]) => files.g1.subarray(64 * i, 64 * i + 64)))
        const group = Uint32Array.from(entries, ([, g]) => g)
        expect(await sums(fast, bytes, { group }, ks)).toEqual(await sums(slow, bytes, { group }, ks))
        // entries that name points of all twelve, some of them often
        const point = Uint32Array.from(entries, ([i]) => i)
        const twice = {
          group: Uint32Array.from([...group, ...group]),
          point: Uint32Array.from([...point, ...point]),
        }
        expect(await sums(fast, files.g1, twice, ks)).toEqual(await sums(slow, files.g1, twice, ks))
      }),
      { numRuns: 25 },
    )
  })

  it("fields of a lookup argument as scalars", async () => {
    const integers = fc.array(fc.oneof(fc.integer(), fc.constantFrom(0, 2 ** 53 - 1, 1 - 2 ** 53)), {
      minLength: 1,
      maxLength: 700,
    })
    await fc.assert(
      fc.asyncProperty(integers, scalar, fc.infiniteStream(fc.nat()), async (list, c, stream) => {
        const entries = Float64Array.from(list)
        fc.pre(!list.some((entry) => mod(BigInt(entry)) === c))
        const multiplicities = Float64Array.from(list, () => stream.next().value)
        const index = Uint32Array.from({ length: 12 }, () => stream.next().value % (3 * list.length))
        const product = async (engine: Engine) => {
          const fields = engine.lookupFields(c, entries, multiplicities)
          const result = await engine.msm(engine.load("g1", files.g1), { fields, index })
          await engine.free(fields)
          return result
        }
        expect(await product(fast)).toEqual(await product(slow))
      }),
      { numRuns: 25 },
    )
  })

  it("calls side by side: an abort stops its own work and nobody else's", async () => {
    const many = Array.from({ length: 4000 }, (_, i) => i % 12)
    const bytes = Buffer.concat(many.map((i) => files.g1.subarray(64 * i, 64 * i + 64)))
    const points = fast.load("g1", bytes)
    const scalars = many.map((i) => (BigInt(i + 1) << 240n) + 7n)
    const expected = await fast.msm(points, scalars)
    for (const delay of [0, 1, 3, 9]) {
      const controller = new AbortController()
      const stopped = [1, 2].map(() => fast.msm(points, scalars, { signal: controller.signal }))
      const others = [1, 2, 3].map(() => fast.msm(points, scalars))
      setTimeout(() => controller.abort(new Error("stop")), delay)
      for (const call of await Promise.allSettled(stopped)) {
        if (call.status === "rejected") expect(call.reason.message).toBe("stop")
        else expect(call.value).toEqual(expected)
      }
      expect(await Promise.all(others)).toEqual([expected, expected, expected])
    }
  })

  it("row sums of a circuit", async () => {
    const { linked } = await compile((await perceptron([10, 8, 3], 6)).graph)
    const [mine, theirs] = [slow.loadRows(linked.r1cs), fast.loadRows(linked.r1cs)]
    for (const size of [10, 2 ** 20, 2 ** 50]) {
      const wires = Float64Array.from({ length: linked.r1cs.wires }, (_, i) => ((i * 7919) % size) - size / 2)
      expect(await fast.rowSums(theirs, wires)).toEqual(await slow.rowSums(mine, wires))
    }
  })

  it.each([2, 4, 6, 16, 18, 24, 36])("the quotient on %i points", async (n) => {
    const layered = await Promise.all(
      [bestLayers(n, 1), bestLayers(n, 4), { bits: 15, count: 17 }, { bits: 65, count: 4 }].map(
        async (layers): Promise<[Layers, Uint8Array]> => {
          const scalars = Array.from({ length: layers.count }, (_, k) =>
            Array.from({ length: n }, (_, i) => mod(multiples[i % 12] << BigInt(layers.bits * k))),
          ).flat()
          return [layers, (await multiplyParts({ h: { group: "g1", scalars } }, {})).h]
        },
      ),
    )
    const entries = Float64Array.of(0, 1, -3, 77)
    const vector = fc
      .tuple(
        fc.array(small, { minLength: n, maxLength: n }),
        fc.uniqueArray(fc.nat(n - 1), { maxLength: n }),
        fc.array(scalar, { maxLength: 3 }),
      )
      .map(
        ([values, rows, fields]): Vector => ({
          small: Float64Array.from(values, (x) => Math.max(-(2 ** 40), Math.min(2 ** 40, x))),
          rows: Uint32Array.from(rows),
          index: Uint32Array.from(rows, (row) => row % (3 * entries.length + fields.length)),
          fields,
        }),
      )
    await fc.assert(
      fc.asyncProperty(
        vector,
        vector,
        scalar,
        fc.constantFrom(...layered),
        async (a, b, c, [layers, bytes]) => {
          fc.pre(!entries.some((entry) => mod(BigInt(entry)) === c))
          const product = (engine: Engine) => {
            const kept = engine.lookupFields(c, entries, Float64Array.of(5, 0, 1, 2 ** 40))
            return engine.quotientMsm(engine.loadQuotient(bytes, layers), { a, b, kept })
          }
          expect(await product(fast)).toEqual(await product(slow))
        },
      ),
      { numRuns: 10 },
    )
  })
})
