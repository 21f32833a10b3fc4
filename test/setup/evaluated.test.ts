/** The polynomials of a system in the kernels, against bigint and rows that are written out. */
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import {
  entriesOfOutputs,
  type MappedRows,
  mappedSystem,
  NO_ROW,
  rowsOfB,
  wiresOfB,
} from "#src/circuit/formats/mapped.js"
import type { R1cs, SparseRows } from "#src/circuit/formats/r1cs.js"
import { fittingDomain } from "#src/circuit/link/domain.js"
import { mod, r } from "#src/field.js"
import { outputsOf } from "#src/ops/linearmap.js"
import type { LinearMap } from "#src/ops/program.js"
import { type KernelEngine, openEngine } from "#src/prover/kernels/engine.js"
import { quotientBasis } from "#src/setup/basis.js"
import { Evaluated } from "#src/setup/evaluated.js"
import { evaluateQap, productRows, programRows } from "#src/setup/qap.js"
import type { Column } from "#src/setup/queries.js"
import { instances } from "../support/r1cs-systems.js"

const point = fc.bigInt(2n ** 40n, r - 2n ** 40n)
const columns: readonly Column[] = ["u", "v", "w", "oddProducts"]

describe.each(["relaxed", "scalar"] as const)("evaluation by the %s module", (variant) => {
  let engine: KernelEngine
  beforeAll(async () => {
    engine = await openEngine({ threads: 2, variant })
  })
  afterAll(() => engine.close())

  /** What is made of scalars in memory. */
  async function read(made: ReturnType<Evaluated["quotient"]>): Promise<bigint[]> {
    const { memory } = engine.pool
    const at = memory.allocate(32 * made.count, "scalars")
    await engine.pool.run(made.steps(0, made.count, at))
    const values = Array.from({ length: made.count }, (_, i) => memory.integer(at + 32 * i))
    memory.release(at)
    made.release()
    return values
  }

  async function compare(system: R1cs, domain: number, tau: bigint): Promise<void> {
    const slow = evaluateQap(system, domain, tau)
    const evaluated = await Evaluated.make(engine, system, domain, tau, new Set([...columns, "quotient"]))
    const wires = Uint32Array.from({ length: system.wires }, (_, i) => system.wires - 1 - i)
    for (const column of columns) {
      const found = await read(evaluated.combinations([{ column, factor: 1n }], wires))
      expect(found.reverse(), column).toEqual(slow[column])
    }
    const terms = columns.map((column, i) => ({ column, factor: mod(tau * BigInt(i) - 5n) }))
    const sums = await read(evaluated.combinations(terms, wires.subarray(1)))
    expect(sums[0]).toBe(
      mod(terms.reduce((sum, { column, factor }) => sum + slow[column][wires[1]] * factor, 0n)),
    )
    const odd = quotientBasis(domain, tau)
    const layers = await read(evaluated.quotient(domain, [1n, 7n]))
    expect(layers).toEqual([...odd, ...odd.map((value) => mod(7n * value))])
    evaluated.close()
  }

  test("of any system, over one coset or two", async () => {
    await fc.assert(
      fc.asyncProperty(instances(40), point, fc.boolean(), ({ system }, tau, isLarger) =>
        compare(system, fittingDomain(programRows(system) + (isLarger ? 1000 : 0)), tau),
      ),
      { numRuns: 25 },
    )
  }, 60_000)

  test("of more entries of a wire than a sum takes without carrying, and coefficients of any size", async () => {
    const rows = 3000
    const values = [2n ** 31n - 1n, r - 2n ** 31n + 1n, 2n ** 31n, r - 2n ** 200n, 1n, r - 1n]
    const side = (entry: (row: number) => readonly [wire: number, coefficient: number][]): SparseRows => {
      const lists = Array.from({ length: rows }, (_, row) => entry(row))
      const rowPtr = new Uint32Array(rows + 1)
      lists.forEach((list, row) => {
        rowPtr[row + 1] = rowPtr[row] + list.length
      })
      return {
        rowPtr,
        wires: Uint32Array.from(lists.flat(), ([wire]) => wire),
        coefficients: Uint32Array.from(lists.flat(), ([, coefficient]) => coefficient),
      }
    }
    const system: R1cs = {
      wires: 8,
      publicOutputs: 0,
      publicInputs: 2,
      privateInputs: 0,
      rows,
      values,
      a: side(() => [[3, 0]]),
      b: side((row) =>
        row % 2 === 0
          ? [
              [0, 1],
              [4, row % 6],
              [5, 5],
            ]
          : [],
      ),
      c: side((row) => [
        [0, row % 6],
        [6, (row >> 3) % 6],
      ]),
    }
    const domain = fittingDomain(programRows(system))
    await compare(system, domain, 12345678901234567890n)
    // all memory is given back
    const held = engine.pool.memory.allocated
    await compare(system, domain, 98765432109876543210n)
    expect(engine.pool.memory.allocated).toBe(held)
  }, 60_000)

  test("of linear maps that stand for rows: as if they were written out", async () => {
    await fc.assert(
      fc.asyncProperty(mappedSystems, point, async (system, tau) => {
        expect(wiresOfB(system)).toEqual(wiresOfB({ ...system }))
        expect(rowsOfB(system)).toEqual(rowsOfB({ ...system }))
        expect(productRows(system)).toEqual(productRows({ ...system }))
        await compare(system, fittingDomain(programRows(system)), tau)
      }),
      { numRuns: 40 },
    )
  }, 60_000)
})

const small = (most: number) => fc.integer({ min: 1, max: most })
const weightOf = fc.oneof(
  fc.integer({ min: -1000, max: 1000 }),
  fc.constantFrom(0, 2 ** 30, -(2 ** 31), 2 ** 45, -1),
)
const weights = (count: number) =>
  fc.array(weightOf, { minLength: count, maxLength: count }).map((list) => Float64Array.from(list))

/** Any linear map with few weights. */
const maps: fc.Arbitrary<LinearMap> = fc.oneof(
  fc
    .tuple(small(3), small(4), small(4))
    .chain(([n, k, m]) => weights(k * m).map((weight): LinearMap => ({ kind: "dense", weight, n, k, m }))),
  fc
    .record({
      n: small(2),
      groups: small(2),
      groupIn: small(2),
      groupOut: small(3),
      size: fc.array(small(5), { minLength: 1, maxLength: 2 }),
      kernel: small(3),
      stride: small(2),
      pad: fc.integer({ min: 0, max: 1 }),
      dilation: small(2),
    })
    .chain(({ n, groups, groupIn, groupOut, size, kernel, stride, pad, dilation }) => {
      const reach = dilation * (kernel - 1) + 1
      const outSize = size.map((length) => Math.max(1, Math.floor((length + 2 * pad - reach) / stride) + 1))
      const each = (value: number) => size.map(() => value)
      return weights(groups * groupOut * groupIn * kernel ** size.length).map(
        (weight): LinearMap => ({
          kind: "conv",
          weight,
          n,
          groups,
          inChannels: groups * groupIn,
          outChannels: groups * groupOut,
          inSize: size,
          kernel: each(kernel),
          outSize,
          strides: each(stride),
          padsBegin: each(pad),
          dilations: each(dilation),
        }),
      )
    }),
  fc
    .array(fc.uniqueArray(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }), { minLength: 1, maxLength: 6 })
    .chain((lists) =>
      weights(lists.flat().length).map((values): LinearMap => {
        const rowPtr = new Uint32Array(lists.length + 1)
        lists.forEach((list, i) => {
          rowPtr[i + 1] = rowPtr[i] + list.length
        })
        return { kind: "sparse", rowPtr, columns: Uint32Array.from(lists.flat()), values }
      }),
    ),
)

const inputsOf = (map: LinearMap): number => {
  if (map.kind === "sparse") return 6
  return map.kind === "dense" ? map.n * map.k : map.inSize.reduce((x, y) => x * y, map.n * map.inChannels)
}

/** A system whose side B is one or two maps, each with rows of its own, and the constant wire beside them. */
const mappedSystems: fc.Arbitrary<R1cs> = fc
  .array(fc.tuple(maps, fc.infiniteStream(fc.integer({ min: 0, max: 9 }))), { minLength: 1, maxLength: 2 })
  .map((list) => {
    let [wires, rows] = [3, 1]
    const mapped = list.map(([map, stream]): MappedRows => {
      const draw = () => stream.next().value as number
      const inputs = Uint32Array.from({ length: inputsOf(map) }, () => (draw() === 0 ? NO_ROW : wires++))
      const own = Uint32Array.from({ length: outputsOf(map) }, () => (draw() === 0 ? NO_ROW : rows++))
      const factors = Float64Array.from(own, () => (draw() < 5 ? -1 : 64))
      return { map, wires: inputs, rows: own, factors, at: own.map(() => Number(draw() < 5)) }
    })
    const values = new Set<bigint>([1n, 3n])
    for (const { map, factors } of mapped) {
      for (const weight of map.kind === "sparse" ? map.values : map.weight)
        for (const factor of factors) values.add(mod(BigInt(weight) * BigInt(factor)))
    }
    const all = Array.from({ length: rows }, (_, i) => i)
    const one = (coefficient: number): SparseRows => ({
      rowPtr: Uint32Array.from([0, ...all.map((i) => i + 1)]),
      wires: new Uint32Array(rows).fill(coefficient),
      coefficients: new Uint32Array(rows).fill(coefficient),
    })
    const numbers = { wires, publicOutputs: 0, publicInputs: 1, privateInputs: 0, rows, values: [...values] }
    const entries = mapped.reduce((sum, part) => {
      const counts = entriesOfOutputs(part)
      return part.rows.reduce((total, row, i) => total + (row === NO_ROW ? 0 : counts[i]), sum)
    }, rows)
    return mappedSystem(
      { ...numbers, a: one(1), c: one(1) },
      { rest: one(0), maps: mapped, entries, others: new Uint32Array(0) },
    )
  })
