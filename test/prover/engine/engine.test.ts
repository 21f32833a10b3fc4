/** The kernels against the reference engine, as the prover calls them. */
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { compile } from "#src/compile/compile.js"
import { mod, r } from "#src/field.js"
import type { Engine, Entries, LoadOptions, Vector } from "#src/prover/engine/engine.js"
import { kernelEngine } from "#src/prover/engine/kernels.js"
import { slowEngine } from "#src/prover/engine/slow.js"
import { bestLayers, type Layers } from "#src/prover/kernels/points/windows.js"
import { multiplyParts } from "#src/setup/trapdoor.js"
import { isFull } from "../../support/amount.js"
import { equivalent } from "../../support/equivalent.js"
import { perceptron } from "../../support/networks.js"

const slow = slowEngine()
// kernels are compared of either module: what is above them is one
const modules = isFull ? (["scalar", "relaxed"] as const) : (["relaxed"] as const)

describe.each(modules)("%s module", (variant) => {
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

  const [zero, one, minusOne] = [0, 1, -1]
  const [infinity, g, alsoG, minusG] = [0, 1, 2, 4]

  describe.each(["g1", "g2"] as const)("%s", (group) => {
    const size = group === "g1" ? 64 : 128
    const bytesOf = (chosen: readonly number[]): Uint8Array =>
      Buffer.concat(chosen.map((i) => files[group].subarray(i * size, (i + 1) * size)))

    interface Product {
      /** Numbers of points, and which of them come with multiples. */
      readonly chosen: readonly number[]
      readonly multiples?: LoadOptions["multiples"]
      readonly scalars: readonly (bigint | number)[]
    }
    const product =
      (engine: Engine) =>
      async ({ chosen, multiples, scalars }: Product): Promise<unknown> => {
        const points = engine.load(group, bytesOf(chosen), { multiples })
        const given = scalars.slice(0, points.count)
        const isSmall = given.every((k) => typeof k === "number")
        const result = await engine.msm(
          points,
          isSmall ? Float64Array.from(given) : given.map((k) => mod(BigInt(k))),
        )
        await engine.free(points)
        return [points.count, result]
      }
    /** As many points as there may be, and scalars for all of them and their multiples. */
    const points = fc.array(fc.nat(multiples.length - 1), { maxLength: 40 })
    const scalarsOf = (count: number) => {
      const length = { minLength: count, maxLength: count }
      return fc.oneof(
        fc.array(scalar, length),
        fc.array(small, length),
        fc.oneof(scalar, small).map((k): (bigint | number)[] => new Array(count).fill(k)),
      )
    }

    it("multiplications", async () => {
      const kinds = [zero, one, minusOne, 2 ** 53 - 1, -77, 0n, 1n, r - 1n, r >> 1n]
      const sizes = [0, 1, 2, 3, 17]
      const alternating = (n: number) => Array.from({ length: n }, (_, i) => (i % 2 === 0 ? g : minusG))
      const edges: Product[] = sizes.flatMap((n) =>
        kinds.flatMap((k) =>
          [new Array(n).fill(g), new Array(n).fill(infinity), alternating(n)].map((chosen) => ({
            chosen,
            scalars: new Array(n).fill(k),
          })),
        ),
      )
      edges.push({ chosen: [g, alsoG, minusG, infinity, 6], scalars: [one, minusOne, one, one, zero] })
      edges.push({ chosen: [g, g, minusG], scalars: [5n, r - 5n, r - 10n] })
      const inputs = points.chain((chosen) =>
        scalarsOf(chosen.length).map((scalars): Product => ({ chosen, scalars })),
      )
      await equivalent(product(slow), product(fast), { edges, inputs })
    })

    it("multiples of points", async () => {
      const scalars = [one, minusOne, 3, 4, zero, 6, -7, 8, 9, 10, 11, 12]
      const edges: Product[] = [
        { chosen: [], multiples: { from: 0, bits: 8, layers: 3 }, scalars },
        { chosen: [g], multiples: { from: 0, bits: 1, layers: 4 }, scalars },
        { chosen: [g, minusG, infinity, g], multiples: { from: 1, bits: 8, layers: 3 }, scalars },
        { chosen: [g, infinity], multiples: { from: 2, bits: 8, layers: 3 }, scalars },
      ]
      const inputs = fc
        .tuple(
          points,
          fc.nat(40),
          fc.integer({ min: 1, max: 9 }),
          fc.integer({ min: 1, max: 4 }),
          scalarsOf(160),
        )
        .map(([chosen, n, bits, layers, scalars]): Product => {
          return { chosen, multiples: { from: Math.min(n, chosen.length), bits, layers }, scalars }
        })
      await equivalent(product(slow), product(fast), { edges, inputs })
    })
  })

  it("sums by group", async () => {
    interface Sums {
      readonly points: Uint8Array
      readonly entries: Entries
      readonly ks: readonly bigint[]
    }
    /** Σ over groups of the sum times a scalar. */
    const sums =
      (engine: Engine) =>
      async ({ points: bytes, entries, ks }: Sums): Promise<unknown> => {
        const points = engine.load("g1", bytes)
        const grouped = await engine.sums(points, entries, ks.length)
        const result = await engine.msm(grouped, ks)
        await engine.free(grouped)
        await engine.free(points)
        return result
      }
    const entryList = fc.array(fc.tuple(fc.nat(multiples.length - 1), fc.nat(6)), { maxLength: 60 })
    const sevenScalars = fc.array(scalar, { minLength: 7, maxLength: 7 })
    const sumsOf = (entries: [number, number][], ks: bigint[], named: boolean): Sums => {
      const group = Uint32Array.from(entries, ([, to]) => to)
      const point = Uint32Array.from(entries, ([i]) => i)
      const negative = Uint8Array.from(entries, ([i, to]) => (i + to) % 2)
      const bytes = Buffer.concat(entries.map(([i]) => files.g1.subarray(64 * i, 64 * i + 64)))
      return named
        ? { points: files.g1, entries: { group, point, negative }, ks }
        : { points: bytes, entries: { group }, ks }
    }
    const ks = [5n, 0n, r - 1n, 7n]
    const lists: [number, number][][] = [
      [],
      [[g, 0]],
      [
        [g, 2],
        [minusG, 2],
        [infinity, 3],
        [g, 3],
        [alsoG, 3],
      ],
      Array.from({ length: 300 }, () => [g, 1]),
    ]
    await equivalent(sums(slow), sums(fast), {
      edges: lists.flatMap((list) => [sumsOf(list, ks, false), sumsOf(list, ks, true)]),
      inputs: fc.tuple(entryList, sevenScalars, fc.boolean()).map((given) => sumsOf(...given)),
    })
  })

  it("fields of a lookup argument as scalars", async () => {
    interface Lookup {
      readonly entries: readonly number[]
      readonly c: bigint
      readonly multiplicities: readonly number[]
      readonly index: readonly number[]
    }
    const product =
      (engine: Engine) =>
      async ({ entries, c, multiplicities, index }: Lookup): Promise<unknown> => {
        const points = engine.load("g1", files.g1)
        const [of, times] = [entries, multiplicities].map((list) => Float64Array.from(list))
        const fields = engine.lookupFields(c, of, times)
        const result = await engine.msm(points, { fields, index: Uint32Array.from(index) })
        await engine.free(fields)
        await engine.free(points)
        return result
      }
    const indices = Array.from({ length: 12 }, (_, i) => i)
    const entry = fc.oneof(fc.integer(), fc.constantFrom(0, 2 ** 53 - 1, 1 - 2 ** 53))
    const inputs = fc
      .tuple(
        fc.array(fc.tuple(entry, fc.nat()), { minLength: 1, maxLength: 700 }),
        scalar,
        fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
      )
      .filter(([list, c]) => !list.some(([entry]) => mod(BigInt(entry)) === c))
      .map(([list, c, index]): Lookup => {
        const [entries, multiplicities] = [list.map(([x]) => x), list.map(([, m]) => m)]
        return { entries, c, multiplicities, index: index.map((i) => i % (3 * list.length)) }
      })
    const edges: Lookup[] = [
      { entries: [5], c: 6n, multiplicities: [0], index: indices.map((i) => i % 3) },
      { entries: [0, -1, 1, 2 ** 53 - 1], c: r - 2n, multiplicities: [1, 0, 2 ** 53 - 1, 7], index: indices },
    ]
    await equivalent(product(slow), product(fast), { edges, inputs })
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

  it("what is given back while work with it is under way stays until that has ended", async () => {
    const { linked } = await compile((await perceptron([10, 8, 3], 6)).graph)
    const wires = Float64Array.from({ length: linked.r1cs.wires }, (_, i) => i % 7)
    const bytes = files.g1.subarray(0, 128)
    // the threads keep their working memory
    await fast.msm(fast.load("g2", files.g2), Float64Array.of(1))
    const attempt = async (signal?: AbortSignal): Promise<void> => {
      const before = fast.heldBytes()
      const rows = fast.loadRows(linked.r1cs)
      const points = fast.load("g1", bytes)
      const expected = await fast.msm(points, [5n, 6n])
      const held = fast.heldBytes()
      const work = [fast.rowSums(rows, wires), fast.msm(points, [5n, 6n], { signal })]
      const freed = [fast.free(rows), fast.free(points)]
      // as far as it goes without the threads
      for (let turn = 0; turn < 50; turn++) await null
      expect(fast.heldBytes()).toBeGreaterThanOrEqual(held)
      const [sums, product] = await Promise.allSettled(work)
      expect(sums.status).toBe("fulfilled")
      if (signal) expect(product).toMatchObject({ status: "rejected", reason: new Error("stop") })
      else expect(product).toMatchObject({ status: "fulfilled", value: expected })
      await Promise.all(freed)
      expect(fast.heldBytes()).toBe(before)
    }
    await attempt()
    const control = new AbortController()
    control.abort(new Error("stop"))
    await attempt(control.signal)
  })

  it("row sums of a circuit", async () => {
    const { linked } = await compile((await perceptron([10, 8, 3], 6)).graph)
    const { wires } = linked.r1cs
    const rowSums = (engine: Engine) => {
      const rows = engine.loadRows(linked.r1cs)
      return (values: readonly number[]) => engine.rowSums(rows, Float64Array.from(values))
    }
    await equivalent(rowSums(slow), rowSums(fast), {
      edges: [0, 1, -1, 2 ** 50, 1 - 2 ** 50].map((value) => new Array(wires).fill(value)),
      inputs: fc.constantFrom(10, 2 ** 20, 2 ** 50).chain((size) => {
        return fc.array(fc.integer({ min: -size, max: size }), { minLength: wires, maxLength: wires })
      }),
    })
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
    interface Quotient {
      readonly a: Vector
      readonly b: Vector
      readonly c: bigint
      /** Number of the points. */
      readonly h: number
    }
    const product =
      (engine: Engine) =>
      async ({ a, b, c, h: number }: Quotient): Promise<unknown> => {
        const [layers, bytes] = layered[number]
        const kept = engine.lookupFields(c, entries, Float64Array.of(5, 0, 1, 2 ** 40))
        const h = engine.loadQuotient(bytes, layers)
        const result = await engine.quotientMsm(h, { a, b, kept })
        for (const loaded of [h, kept]) await engine.free(loaded)
        return result
      }
    const constant = (value: number): Vector => {
      const none = new Uint32Array(0)
      return { small: new Float64Array(n).fill(value), rows: none, index: none, fields: [] }
    }
    const all = Uint32Array.from({ length: n }, (_, i) => i)
    const large: Vector = {
      small: new Float64Array(n),
      rows: all,
      index: all.map(() => 3 * entries.length),
      fields: [r - 1n],
    }
    await equivalent(product(slow), product(fast), {
      edges: layered.flatMap((_, h) =>
        [constant(0), constant(-1), large].map((a) => ({ a, b: large, c: 8n, h })),
      ),
      inputs: fc
        .record({ a: vector, b: vector, c: scalar, h: fc.nat(layered.length - 1) })
        .filter(({ c }) => !entries.some((entry) => mod(BigInt(entry)) === c)),
    })
  })
})
