/** Numbers and headers that no honest witness or key has: what becomes an address stays within its table. */
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { InvariantError } from "#src/errors.js"
import { mod, power, q, r } from "#src/field.js"
import { type KernelEngine, openEngine } from "#src/prover/kernels/engine.js"
import { lookupFields } from "#src/prover/kernels/fields/lookup.js"
import { SparseProduct } from "#src/prover/kernels/fields/sparse.js"
import { largeValue, Transform } from "#src/prover/kernels/fields/transform.js"
import { areLayers, type Layers } from "#src/prover/kernels/points/windows.js"
import { anyBelow, fileOf, generator, hostilePoints, times } from "../../support/curves.js"
import { bigintOf, variants } from "../../support/kernels.js"
import { checkSound, encode, fullScalars, isolated, many } from "../../support/kernels-isolation.js"

describe.each(variants)("%s", (variant) => {
  let engine: KernelEngine
  beforeAll(async () => {
    engine = await openEngine({ variant, threads: 1 })
  })
  afterAll(() => engine.close())
  const nothing = [Number.NaN, Number.NEGATIVE_INFINITY, -(2 ** 53), -(2 ** 60), -1e300]
  const edges = [2 ** 53 - 1, 1 - 2 ** 53, 0, -0, 1]

  test("a quotient of numbers that stand for nothing, or for an element that is not there", async () => {
    const n = 48
    const quotient = (numbers: readonly number[], elements: readonly bigint[]) =>
      isolated(engine, async () => {
        const transform = await Transform.make(engine.pool, n, 2)
        transform.sources.forEach((at, i) => {
          const values = engine.pool.memory.doubles(at, n)
          for (let j = 0; j < n; j++) values[j] = numbers[(i + j) % numbers.length]
        })
        const at = transform.reserveLarge(elements.length)
        engine.pool.memory.bytes(at, 32 * elements.length).set(encode(elements))
        try {
          await engine.run(transform.quotientSteps())
          return Array.from(engine.pool.memory.bytes(transform.out, 32 * n))
        } catch (error) {
          return error
        } finally {
          transform.close()
        }
      })
    const elements = [5n, r - 1n]
    const known = await quotient([...edges, largeValue(0), largeValue(1)], elements)
    expect(known).toHaveLength(32 * n)
    const zeros = await quotient([...edges, ...nothing.map(() => 0), largeValue(1)], elements)
    expect(await quotient([...edges, ...nothing, largeValue(1)], elements)).toEqual(zeros)
    for (const beyond of [largeValue(2), largeValue(1e6), 2 ** 63, 1e300, Number.POSITIVE_INFINITY]) {
      expect(await quotient([3, beyond, 4], elements)).toBeInstanceOf(InvariantError)
      expect(await quotient([3, beyond, 4], [])).toBeInstanceOf(InvariantError)
    }
    expect(await quotient([...edges, largeValue(0), largeValue(1)], elements)).toEqual(known)
  })

  test("a lookup argument whose challenge is an entry, with multiplicities that are none", async () => {
    const entries = Float64Array.from({ length: 600 }, (_, i) => edges[i] ?? i)
    const multiplicities = entries.map((_, i) => [...edges, ...nothing, 2 ** 53, 1e300][i] ?? i)
    const run = (steps: Parameters<KernelEngine["run"]>[0]) => engine.run(steps)
    for (const c of [0n, 1n, r - 1n, 300n, anyBelow(r)]) {
      const written = await isolated(engine, async () => {
        const { address, count } = await lookupFields(engine.pool, c, entries, multiplicities, run)
        const bytes = Buffer.from(engine.pool.memory.bytes(address, 32 * count)).toString("hex")
        engine.pool.memory.release(address)
        return bytes
      })
      const fields = Buffer.from(written, "hex")
      const values = many(1800, (i) => bigintOf(fields.subarray(32 * i, 32 * i + 32)))
      expect(values.every((value) => value < r)).toBe(true)
    }
  })

  test("rows over wires that are no integers; a wire beyond the vector shows", async () => {
    const wires = Uint32Array.from({ length: 40 }, (_, i) => i % 20)
    const rowPtr = Uint32Array.from({ length: 9 }, (_, i) => 5 * i)
    const coefficients = wires.map((_, i) => i % 3)
    const matrix = { rowPtr, wires, coefficients }
    const vector = [...nothing, ...edges, 1e300, Number.POSITIVE_INFINITY]
    await isolated(engine, async () => {
      const product = new SparseProduct(engine.pool, matrix, [1n, r - 1n, r >> 1n], new Set())
      expect(product.wires).toBe(20)
      const [at, out] = [8 * 20, 8 * 8].map((bytes) => engine.pool.memory.allocate(bytes, "a test"))
      engine.pool.memory.doubles(at, 20).set(many(20, (i) => vector[i] ?? i))
      await engine.run(product.steps(at, out))
      const sums = Array.from(engine.pool.memory.doubles(out, 8))
      for (const block of [at, out]) engine.pool.memory.release(block)
      product.close()
      return sums
    })
  })

  test("integers of 256 bits are read as what they are modulo the prime", () => {
    const { memory } = engine.pool
    const exports = engine.pool.exports as unknown as Record<string, (...args: number[]) => void>
    const [x, y, bytes] = many(3, () => memory.allocate(256, "a test"))
    for (const [field, p] of [
      ["fq", q],
      ["fr", r],
    ] as const) {
      const radix = 1n << 256n
      const large = [p, p + 1n, 2n * p - 1n, 5n * p, radix - 1n, radix - p, 1n << 255n]
      for (let bit = 0n; bit < 256n; bit += 17n) large.push(radix - (1n << bit))
      for (const [i, v] of large.entries()) {
        const w = large[(i * 7 + 3) % large.length]
        memory.bytes(bytes, 64).set(encode([v, w]))
        exports[`${field}Read2`](x, bytes, bytes + 32)
        memory.bytes(bytes, 64).set(encode([w, v]))
        exports[`${field}Read2`](y, bytes, bytes + 32)
        exports[`${field}SumLazy2`](y, x, y)
        exports[`${field}Mul2`](y, y, x)
        exports[`${field}Sqr2`](y, y)
        exports[`${field}Write2`](bytes, bytes + 32, y)
        // each multiplication takes a factor of 2^256 away
        const unit = power(radix, p - 2n, p)
        const expected = [v, w].map((a) => {
          const product = ((((v + w) * a) % p) * unit) % p
          return (((product * product) % p) * unit) % p
        })
        const written = memory.bytes(bytes, 64)
        expect([bigintOf(written.slice(0, 32)), bigintOf(written.slice(32))]).toEqual(expected)
      }
    }
    for (const at of [x, y, bytes]) memory.release(at)
  })

  test("layers of any header", async () => {
    const n = 24
    const choices: Layers[] = []
    for (let bits = 1; bits <= 288; bits++) for (const count of [2, 3, 7]) choices.push({ bits, count })
    const accepted = choices.filter(areLayers)
    expect(accepted.length).toBeGreaterThan(100)
    const scalars = fullScalars(n)
    for (const { bits, count } of accepted.filter((_, i) => i % 31 === 5 || i > accepted.length - 3)) {
      const full = encode(scalars)
      const layers = { bits, count }
      // where the layers are what the header says, the product is right
      const ks = many(n * count, (i) => mod(BigInt((i % n) + 1) << BigInt(bits * Math.floor(i / n))))
      const set = await engine.points("g1", await engine.fixedBase("g1", encode(ks)))
      const sum = scalars.reduce((total, k, i) => total + k * BigInt(i + 1), 0n)
      const product = await isolated(engine, () => engine.msm(set, { full }, { layers }))
      expect(product, `${bits} ${count}`).toEqual(times("g1", generator("g1"), mod(sum)))
      engine.free(set)
      await checkSound(engine, "g1", fileOf("g1", hostilePoints("g1", n * count)), (set) =>
        engine.msm(set, { full }, { layers }),
      )
    }
  })
})
