/** Multiples of the generators against noble-curves. */
import { bn254 } from "@noble/curves/bn254.js"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { r } from "#src/field.js"
import { type KernelEngine, openEngine } from "#src/prover/kernels/engine.js"
import { baseWindows } from "#src/prover/kernels/points/fixedbase.js"
import { affineOf, fileBytes, type Group } from "#src/prover/kernels/points/points.js"
import { bytesOf, variants } from "../../support/kernels.js"
import { Random } from "../../support/random.js"

const random = new Random(5)
const scalar = (): bigint => random.bits(9) % r

/** Affine coordinates of k times the generator. */
function slow(group: Group, k: bigint): bigint[] | null {
  if (k === 0n) return null
  if (group === "g1") {
    const { x, y } = bn254.G1.Point.BASE.multiply(k).toAffine()
    return [x, y]
  }
  const { x, y } = bn254.G2.Point.BASE.multiply(k).toAffine()
  return [x.c0, x.c1, y.c0, y.c1]
}

const encode = (scalars: readonly bigint[]): Uint8Array => {
  const bytes = new Uint8Array(32 * scalars.length)
  for (const [i, k] of scalars.entries()) bytes.set(bytesOf(k), 32 * i)
  return bytes
}

const edges = [0n, 1n, 2n, 3n, r - 1n, r - 2n, r >> 1n, (r >> 1n) + 1n, 1n << 253n]
for (let bit = 4n; bit < 254n; bit += 17n) edges.push((1n << bit) - 1n, (1n << bit) % r)

describe.each(variants)("%s", (variant) => {
  let engine: KernelEngine
  beforeAll(async () => {
    engine = await openEngine({ variant, threads: 2 })
  })
  afterAll(() => engine.close())

  describe.each(["g1", "g2"] as const)("%s", (group) => {
    const size = fileBytes[group]
    const check = async (scalars: readonly bigint[]): Promise<void> => {
      const bytes = await engine.fixedBase(group, encode(scalars))
      expect(bytes.length).toBe(size * scalars.length)
      for (const [i, k] of scalars.entries()) {
        expect(affineOf(bytes.subarray(size * i, size * (i + 1))), `${k}`).toEqual(slow(group, k))
      }
    }

    test.each([0, 1, 2, 3, 33])("%i random scalars", async (n) => {
      await check(Array.from({ length: n }, scalar))
    })

    test("scalars at the edges, and equal ones", async () => {
      await check(edges)
      const k = scalar()
      await check([k, k, r - k, 0n, 0n, k])
    })

    test("every width of windows", async () => {
      // more and more of them: k, 2k, 3k, … so that the sum of all is known
      const widths = new Set<number>()
      for (let count = 1; count < 3000; count *= 2) {
        widths.add(baseWindows(count).bits)
        const k = scalar()
        const scalars = Array.from({ length: count }, (_, i) => (k * BigInt(i + 1)) % r)
        const bytes = await engine.fixedBase(group, encode(scalars))
        for (const i of [0, count >> 1, count - 1]) {
          expect(affineOf(bytes.subarray(size * i, size * (i + 1)))).toEqual(slow(group, scalars[i]))
        }
        const points = await engine.points(group, bytes)
        const sum = scalars.reduce((total, x) => total + x, 0n) % r
        const ones = new Float64Array(count).fill(1)
        expect(await engine.msm(points, { small: ones })).toEqual(slow(group, sum))
        engine.free(points)
      }
      expect(widths.size).toBeGreaterThan(4)
    })
  })

  test("leaves nothing in memory", async () => {
    await engine.freeTables()
    const before = engine.pool.memory.allocated
    await Promise.all(
      [1, 70, 3].map((n) => engine.fixedBase("g1", encode(Array.from({ length: n }, scalar)))),
    )
    await engine.freeTables()
    expect(engine.pool.memory.allocated).toBe(before)
  })
})
