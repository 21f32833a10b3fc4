/** The section `operators` is about every primitive and every form of a gadget that there is. */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { gadgetKinds } from "#src/circuit/gadgets/families.js"
import type { IntNode } from "#src/ops/program.js"

interface Case {
  readonly name: string
  readonly kinds: readonly string[]
  readonly forms: readonly string[]
  readonly sizes: readonly number[]
}
const bench = fileURLToPath(new URL("../../bench", import.meta.url))
const { costCases } = (await import(join(bench, "costs/cases.mjs"))) as { costCases: readonly Case[] }
const { everything, missing, circuitOf } = (await import(join(bench, "costs.mjs"))) as {
  everything: { kinds: readonly string[]; forms: readonly string[] }
  missing(cases?: readonly Case[]): string[]
  circuitOf(one: Case, size: number): Promise<{ circuit: { linked: { r1cs: { rows: number } } } }>
}

/** Every kind, by type: a new one does not compile without a line here. */
const kinds: Record<IntNode["kind"], true> = {
  input: true,
  index: true,
  linear: true,
  max: true,
  argmax: true,
  product: true,
  rescale: true,
  table: true,
  quotient: true,
  isqrt: true,
  contraction: true,
  below: true,
  sort: true,
  rows: true,
}

describe("cases", () => {
  it("are of all that there is", () => {
    expect([...everything.kinds].sort()).toEqual(Object.keys(kinds).sort())
    expect([...everything.forms].sort()).toEqual(Object.keys(gadgetKinds).sort())
    expect(missing()).toEqual([])
  })

  it("name nothing that there is not, and nothing twice", () => {
    for (const [what, names] of [
      ["kinds", everything.kinds],
      ["forms", everything.forms],
    ] as const) {
      const given = costCases.flatMap((one) => one[what])
      expect([...given].sort()).toEqual([...names].sort())
    }
    expect(new Set(costCases.map(({ name }) => name)).size).toBe(costCases.length)
  })

  it("are missed by name", () => {
    const without = costCases.filter(({ forms }) => !forms.includes("Root"))
    expect(missing(without)).toEqual(["kinds: isqrt", "forms: Root"])
  })

  const tried = process.env.FULL ? costCases : costCases.filter(({ forms }) => forms.includes("Largest"))
  it.each(tried.map((one) => [one.name, one] as const))(
    "%s: every size reaches its forms",
    async (_, one) => {
      const rows: number[] = []
      for (const size of process.env.FULL ? one.sizes : one.sizes.slice(0, 2))
        rows.push((await circuitOf(one, size)).circuit.linked.r1cs.rows)
      expect(rows).toEqual(rows.toSorted((a, b) => a - b))
    },
  )

  it("are refused where a form is another one", async () => {
    const [one] = costCases.filter(({ forms }) => forms.includes("Largest"))
    await expect(circuitOf({ ...one, forms: ["Max"] }, 16)).rejects.toThrow("no gadget is of the form Max")
  })
})
