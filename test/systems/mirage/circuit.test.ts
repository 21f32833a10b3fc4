import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import type { R1cs } from "#src/circuit/formats/r1cs.js"
import { firstFailingRow } from "#src/circuit/witness/check.js"
import type { TensorValues } from "#src/circuit/witness/witness.js"
import { compile } from "#src/compile/compile.js"
import { auditWitness } from "#src/compile/forgeries.js"
import { mod, r } from "#src/field.js"
import { evaluation, packing, unpackTensor } from "#src/statement/words.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import { checkPhases } from "#src/systems/mirage/phases.js"
import { assignCommitted, statementWords } from "#src/systems/mirage/witness.js"
import { witnessOf } from "#src/systems/plain/witness.js"
import { mirageWitness, mnist, type Network, small, valuesOf } from "../../support/networks.js"

const c = 2n ** 250n + 12345n

describe("a two-phase circuit", () => {
  let network: Network
  let circuit: MirageCircuit
  let values: TensorValues
  beforeAll(async () => {
    network = await small()
    circuit = await compile(network.graph, { input: "public" })
    values = valuesOf(network)
  })

  it("accepts an honest execution, for any challenge", async () => {
    for (const challenge of [c, r - 5n, 2n ** 100n]) {
      const witness = await mirageWitness(circuit, values, challenge)
      expect(firstFailingRow(circuit.linked.r1cs, witness)).toBe(-1)
      expect(witness.large.get(2)).toBe(evaluation(statementWords(circuit, values, {}), challenge))
    }
  })

  it("shows in its words the integers that plain groth16 shows", async () => {
    for (const { graph, input } of [network, await mnist("mnist-mlp")]) {
      const integers = valuesOf({ graph, input })
      const plain = await compile(graph, { proofSystem: "groth16" })
      const two = await compile(graph)
      const witness = witnessOf(plain, integers, `0x${"05".repeat(32)}`)
      const words = statementWords(two, integers, {})
      expect(firstFailingRow(two.linked.r1cs, await mirageWitness(two, integers, c))).toBe(-1)
      two.layout.outputs.forEach(({ lo, bits, shape }, tensor) => {
        const mine = packing(two.layout).flatMap((word, i) =>
          word.kind === "values" && word.side === "output" && word.tensor === tensor ? [words[i]] : [],
        )
        const count = shape.reduce((x, y) => x * y, 1)
        const shown = unpackTensor(mine, count, lo, bits).map(Number)
        const first = plain.linked.outputs[tensor]
        expect(shown).toEqual([...witness.small.subarray(first, first + count)])
      })
    }
  })

  it("refuses every wire moved, of every gadget and every part of the proof system", async () => {
    const report = auditWitness(circuit, await mirageWitness(circuit, values, c), 100)
    expect(report.accepted).toEqual([])
    for (const kind of ["challenge", "evaluation", "multiplicity", "inverse", "quotient", "word", "input"])
      expect(report.tried, kind).toHaveProperty(kind)
    for (const kind of ["InRange", "Product", "Entry"]) expect(report.gadgets).toHaveProperty(kind)
  })

  it("refuses integers that are no execution, naming the tensor", () => {
    const rescale = circuit.graph.nodes.find((node) => node.kind === "rescale")
    const forged = new Map(values)
    const held = values.get(rescale?.source ?? -1) as Float64Array
    const acc = Float64Array.from(held, (x) => x + 2 ** 40)
    forged.set(rescale?.source ?? -1, acc)
    expect(() => assignCommitted(circuit.graph, circuit.linked, forged)).toThrow(/no entry|does not hold/)
  })

  it("multiplicity moved to another entry: the sum breaks even if all quotients are repaired", async () => {
    const { lookup, r1cs } = circuit.linked
    const witness = await mirageWitness(circuit, values, c)
    const small = witness.small.slice()
    const large = new Map(witness.large)
    const used = Array.from({ length: lookup.tables[0].entries.length }, (_, i) => i)
    const from = used.find((entry) => small[lookup.multiplicities + entry] > 0) as number
    const to = from === 0 ? 1 : 0
    const entries = lookup.tables[0].entries
    const quotient = (entry: number) => {
      const m = BigInt(small[lookup.multiplicities + entry])
      large.set(lookup.quotients + entry, (m * power(mod(c - BigInt(entries[entry])), r - 2n)) % r)
    }
    small[lookup.multiplicities + from]--
    small[lookup.multiplicities + to]++
    quotient(from)
    quotient(to)
    const row = firstFailingRow(r1cs, { small, large })
    expect(row).toBe(lookup.entryRow + lookup.tableStart[lookup.tables.length])
  })
})

const power = (base: bigint, exponent: bigint): bigint => {
  let [result, square] = [1n, base]
  for (let e = exponent; e > 0n; e >>= 1n) {
    if (e & 1n) result = (result * square) % r
    square = (square * square) % r
  }
  return result
}

describe("the proof that nothing committed depends on the challenge", () => {
  let system: R1cs
  let firstFinal: number
  let circuit: MirageCircuit
  beforeAll(async () => {
    circuit = await compile((await small()).graph)
    system = circuit.linked.r1cs
    firstFinal = circuit.linked.firstFinal
  })
  type Side = "a" | "b" | "c"
  /** Replaces entry `at` of a row, or appends one. */
  const mutated = (row: number, side: Side, at: number, wire: number, value?: bigint): R1cs => {
    const { rowPtr, wires, coefficients } = system[side]
    const values = value === undefined ? system.values : [...system.values, value]
    const start = rowPtr[row] + at
    const append = start === rowPtr[row + 1]
    const w = [...wires]
    const k = [...coefficients]
    w.splice(start, append ? 0 : 1, wire)
    k.splice(
      start,
      append ? 0 : 1,
      value === undefined ? (append ? system.values.indexOf(1n) : k0(side, start)) : values.length - 1,
    )
    const ptr = rowPtr.map((p, i) => (append && i > row ? p + 1 : p))
    return {
      ...system,
      values,
      [side]: { rowPtr: ptr, wires: Uint32Array.from(w), coefficients: Uint32Array.from(k) },
    }
  }
  const k0 = (side: Side, at: number) => system[side].coefficients[at]
  const refused = (changed: R1cs) =>
    expect(() => checkPhases(changed, firstFinal)).toThrow(/order of the proof|committed/)
  const length = (side: Side, row: number) => system[side].rowPtr[row + 1] - system[side].rowPtr[row]

  it("accepts what the linker makes", () => {
    expect(() => checkPhases(system, firstFinal)).not.toThrow()
  })
  it("refuses a query of a final wire, or of the evaluation", () => {
    const row = circuit.linked.lookup.row[3]
    refused(mutated(row, "b", length("b", row), firstFinal + 1))
    refused(mutated(row, "b", length("b", row), 2))
  })
  it("refuses a query whose scales differ, and an inverse used twice", () => {
    const [row, other] = circuit.linked.lookup.row
    refused(mutated(row, "c", 0, 0, 77n))
    refused(mutated(row, "a", 0, system.a.wires[system.a.rowPtr[other]]))
  })
  it("refuses a multiplicity that is final, and one shared by two entries", () => {
    const { entryRow, multiplicities } = circuit.linked.lookup
    refused(mutated(entryRow, "c", 0, firstFinal))
    refused(mutated(entryRow, "c", 0, multiplicities + 1))
  })
  it("refuses an entry that is no constant", () => {
    const { entryRow } = circuit.linked.lookup
    refused(mutated(entryRow + 1, "b", 1, 3))
  })
  it("refuses a word with a final wire, with the challenge, and a step used twice", () => {
    const { hornerRow, lookup } = circuit.linked
    refused(mutated(hornerRow, "a", length("a", hornerRow), lookup.inverses))
    refused(mutated(hornerRow, "a", length("a", hornerRow), 1))
    refused(mutated(hornerRow, "b", 0, firstFinal))
  })
  it("refuses the challenge in a committed row", () => {
    let row = 0
    while (circuit.linked.lookup.row.includes(row)) row++
    refused(mutated(row, "a", length("a", row), 1))
    refused(mutated(row, "c", length("c", row), 1))
  })
  it("refuses a sum that leaves out an inverse, counts it twice, or with another sign", () => {
    const row = circuit.linked.hornerRow - 1
    const first = system.c.wires[system.c.rowPtr[row]]
    refused(mutated(row, "c", 0, 0))
    refused(mutated(row, "c", length("c", row), first))
    refused(mutated(row, "c", 0, first, r - 1n))
    refused(mutated(row, "c", 0, first, 2n))
  })
  it("refuses any single wire of a row with the challenge replaced by another group's", () => {
    const { entryRow, row: queries } = circuit.linked.lookup
    const rows = [...queries.subarray(0, 20), entryRow, entryRow + 5, circuit.linked.hornerRow]
    fc.assert(
      fc.property(fc.constantFrom(...rows), fc.constantFrom<Side>("a", "c"), (row, side) => {
        const wire = system[side].wires[system[side].rowPtr[row]]
        // swap group: final to committed, committed or public to final
        refused(mutated(row, side, 0, wire >= firstFinal ? 5 : firstFinal + 7))
      }),
    )
  })
})
