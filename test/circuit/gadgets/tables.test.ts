/** Tables of the lookup argument: where their entries are. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { signedTable } from "#src/circuit/gadgets/tables.js"

describe("a signed table", () => {
  it("has rows where its entries are, and nowhere else", () => {
    const sizes = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.nat(70), fc.nat(70), fc.nat(12))
    const stranger = fc.oneof(
      fc.integer({ min: -200, max: 300_000 }),
      fc.double(),
      fc.constantFrom(Number.NaN, 2 ** 53),
    )
    fc.assert(
      fc.property(sizes, fc.array(stranger), (size, strangers) => {
        const { entries, rowOf } = signedTable(...size)
        const rows = new Map([...entries].map((entry, row) => [entry, row]))
        expect(rows.size).toBe(entries.length)
        for (const entry of entries) {
          for (const x of [entry, entry - 1, entry + 1, entry / 2, entry + 0.5]) {
            expect(rowOf(x), `${x}`).toBe(rows.get(x) ?? -1)
          }
        }
        for (const x of strangers) expect(rowOf(x), `${x}`).toEqual(rows.get(x) ?? -1)
      }),
    )
  })
})
