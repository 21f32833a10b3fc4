/** Packed rows of constant tables: what a query fixes, preconditions, and how many rows the planner expects. */
import { describe, expect, it } from "vitest"
import { lookupForms } from "#src/circuit/plan/forms.js"
import { columnBits, entriesOf, entryOf, groupsOf, packingOf } from "#src/circuit/plan/rows.js"
import { compile } from "#src/compile/compile.js"
import { ModelError } from "#src/errors.js"
import { mod, r } from "#src/field.js"
import type { RowsNode } from "#src/ops/program.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import { ProgramBuilder } from "../../support/programs.js"
import { Random } from "../../support/random.js"

const table = (width: number, values: number[], lo = 0): RowsNode => ({
  kind: "rows",
  out: 1,
  source: 0,
  lo,
  width,
  values: Float64Array.from(values),
  origin: { name: "t", operator: "" },
})
const range = (count: number) => Array.from({ length: count }, (_, i) => i)

describe("a query", () => {
  // four rows of two columns from 0 to 3: entries below 2^6
  const node = table(2, [3, 0, 1, 2, 0, 3, 2, 2])
  const packing = packingOf(node, 2)
  const [group] = groupsOf(node, packing)
  const entries = entriesOf(node, group)
  /** Index and row of all that is looked up successfully, for numbers below these bounds, in a field of p elements. */
  const accepted = (p: bigint, index: number, value: number) =>
    range(index).flatMap((t) =>
      range(value).flatMap((x) =>
        range(value).flatMap((y) => {
          const query = mod(
            entryOf(group, BigInt(t), (column) => BigInt([x, y][column])),
            p,
          )
          return entries.some((entry) => mod(entry, p) === query) ? [[t, x, y]] : []
        }),
      ),
    )
  const right = range(4).map((t) => [t, node.values[2 * t], node.values[2 * t + 1]])

  it("is an entry for the row that the index names, and for no other numbers", () => {
    expect(packing).toMatchObject({ least: 0, bits: 2, index: 2, columns: 2, groups: 1 })
    expect(entries.every((entry) => entry < 64n)).toBe(true)
    expect(accepted(67n, 4, 4)).toEqual(right)
  })

  it("would be forged with an index or a value that is one bit too wide, or in a field that is too small", () => {
    // index 4 takes row 0 with one less in its first column
    expect(accepted(67n, 8, 4)).toContainEqual([4, 2, 0])
    expect(accepted(67n, 4, 8).length).toBeGreaterThan(4)
    expect(accepted(37n, 4, 4).length).toBeGreaterThan(4)
  })

  it("has as many columns as stay below 2^250, and every column is in one group", () => {
    const wide = table(
      61,
      Array.from({ length: 61 * 3 }, (_, i) => -7 + (i % 1001)),
    )
    expect(columnBits(wide)).toBe(8)
    const of = packingOf(wide, 10)
    expect(of).toMatchObject({ least: -7, index: 2, columns: 24, groups: 3 })
    const groups = groupsOf(wide, of)
    expect(groups.flatMap(({ columns }) => columns.map(({ column }) => column))).toEqual(range(61))
    const largest = groups.map((each) => entryOf(each, 2n, () => -7n + 1023n))
    expect(largest.every((entry) => entry < 1n << 250n && entry < r)).toBe(true)
    for (const each of groups) expect(new Set(entriesOf(wide, each)).size).toBe(3)
  })
})

const program = (indices: number, depth: number, width: number) => {
  const b = new ProgramBuilder()
  const input = b.input([indices])
  b.rows(input, width, new Random(4).reals(depth * width))
  const made = b.build()
  const inputs = made.inputs.map((each) => ({ ...each, whole: "integers" as const }))
  const random = new Random(5)
  const samples = [{ [made.inputs[0].name]: range(indices).map(() => random.integer(0, depth - 1)) }]
  return { program: { ...made, inputs }, samples }
}

describe("a circuit", () => {
  it.each([
    [3, 20, 5],
    [5, 300, 40],
    [1, 2, 1],
  ])(
    "of %i indices into %i rows of %i has the rows that the planner expects",
    async (indices, depth, width) => {
      const { program: of, samples } = program(indices, depth, width)
      const graph = await quantizeProgram(of, { samples })
      // the whole table is admissible, whatever the samples showed
      const [{ lo, bits }] = graph.inputs
      expect(lo).toBe(0)
      expect(2 ** bits).toBeGreaterThanOrEqual(depth)
      expect(2 ** (bits - 1)).toBeLessThan(Math.max(2, depth))
      const { linked } = await compile(graph)
      const { rows } = lookupForms(graph)
      expect(linked.lookup.entryRow).toBeLessThanOrEqual(linked.r1cs.rows)
      // beside those of the words
      expect(linked.r1cs.rows - rows).toBeLessThan(40)
      expect(linked.r1cs.rows).toBeGreaterThanOrEqual(rows)
    },
  )

  it("with bits of indices is refused where they are too many, with their numbers", async () => {
    const { program: of, samples } = program(40, 30_000, 2)
    const graph = await quantizeProgram(of, { samples })
    const refused = compile(graph, { proofSystem: "groth16" })
    await expect(refused).rejects.toThrow(ModelError)
    await expect(refused).rejects.toThrow(/40 indices into 32768 rows of 2 are too many .*1310720 bits/s)
  })
})
