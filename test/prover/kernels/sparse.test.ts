/** Sparse rows against sums of bigint: small ones, sums that overflow, large wires and coefficients. */
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { SparseRows } from "#src/circuit/formats/r1cs.js"
import { mod, r } from "#src/field.js"
import { SparseProduct } from "#src/prover/kernels/fields/sparse.js"
import { largeValue } from "#src/prover/kernels/fields/transform.js"
import { KernelPool } from "#src/prover/kernels/pool.js"
import { variants, wasmOf } from "../../support/kernels.js"
import { Random } from "../../support/random.js"

const values = [0n, 1n, r - 1n, 255n, r - 128n, 2n ** 40n, r - 2n ** 52n, 2n ** 53n - 1n, 2n ** 64n, r >> 1n]
const small = [0, 1, -1, 7, -200, 65_535, 2 ** 30, -(2 ** 45), 2 ** 53 - 1, 1 - 2 ** 53]

/** `values` up to this index, `small` up to that. */
const cases = [
  ["small sums", 5, 6],
  ["sums that may overflow", 8, 10],
  ["large coefficients", 10, 6],
] as const

describe.each(variants)("%s", (variant) => {
  let pool: KernelPool
  beforeAll(async () => {
    pool = await KernelPool.open({ wasm: await wasmOf(variant), threads: 2 })
  })
  afterAll(() => pool.close())

  async function check(matrix: SparseRows, witness: readonly number[], large: Map<number, bigint>) {
    const before = pool.memory.allocated
    const product = new SparseProduct(pool, matrix, values, new Set(large.keys()))
    const vector = pool.memory.allocate(8 * witness.length, "a witness")
    const out = pool.memory.allocate(8 * product.rows, "a product")
    pool.memory.doubles(vector, witness.length).set(witness)
    for (const wire of large.keys()) pool.memory.doubles(vector, witness.length)[wire] = Number.NaN
    await pool.run(product.steps(vector, out))
    const table: bigint[] = []
    const wire = (index: number) => large.get(index) ?? BigInt(witness[index])
    product.finish(out, wire, (value) => {
      table.push(value)
      return largeValue(table.length - 1)
    })
    const result = Array.from(pool.memory.doubles(out, product.rows), (x) =>
      x >= 2 ** 53 ? table[(x - 2 ** 53) / 2] : mod(BigInt(x)),
    )
    const expected = Array.from({ length: product.rows }, (_, row) => {
      let sum = 0n
      for (let j = matrix.rowPtr[row]; j < matrix.rowPtr[row + 1]; j++) {
        sum += values[matrix.coefficients[j]] * mod(wire(matrix.wires[j]))
      }
      return mod(sum)
    })
    expect(result).toEqual(expected)
    expect(table.every((x) => x > 2n ** 53n - 1n && x < r)).toBe(true)
    for (const at of [vector, out]) pool.memory.release(at)
    product.close()
    expect(pool.memory.allocated).toBe(before)
    return table.length
  }

  test.each(cases)("%s", async (_, coefficients, wires) => {
    const random = new Random(coefficients)
    for (const rows of [0, 1, 2, 3, 50, 3000]) {
      const lengths = Array.from({ length: rows }, () => random.pick([0, 1, 2, 3, 5, 8, 30]))
      const rowPtr = new Uint32Array(rows + 1)
      lengths.forEach((length, i) => {
        rowPtr[i + 1] = rowPtr[i] + length
      })
      const pick = (limit: number) =>
        Uint32Array.from({ length: rowPtr[rows] }, () => random.integer(0, limit - 1))
      const witness = Array.from({ length: 100 }, () => small[random.integer(0, wires - 1)])
      const large = new Map([
        [17, r - 2n],
        [40, r >> 2n],
        [41, 5n],
      ])
      await check({ rowPtr, wires: pick(100), coefficients: pick(coefficients) }, witness, large)
    }
  })

  test("just below and at the limit", async () => {
    // 2^53 − 1 by one term, by two, and ±2^53 by two; then terms that cancel
    const matrix: SparseRows = {
      rowPtr: Uint32Array.of(0, 1, 3, 5, 7, 9),
      wires: Uint32Array.of(0, 1, 2, 0, 2, 3, 2, 0, 0),
      coefficients: Uint32Array.of(1, 1, 1, 1, 1, 1, 2, 1, 2),
    }
    const witness = [2 ** 53 - 1, 2 ** 53 - 2, 1, 1 - 2 ** 53]
    expect(await check(matrix, witness, new Map())).toBe(2)
  })
})
