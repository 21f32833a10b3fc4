import { describe, expect, it } from "vitest"
import { mappedB } from "#src/circuit/formats/mapped.js"
import { digestOf, type R1cs } from "#src/circuit/formats/r1cs.js"
import { reduceGadgets } from "#src/circuit/gadgets/reduce.js"
import type { LookupForms } from "#src/circuit/plan/forms.js"
import { compile, planned } from "#src/compile/compile.js"
import { defaults } from "#src/defaults.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import { linkMirage } from "#src/systems/mirage/boundary.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import { checkPhases } from "#src/systems/mirage/phases.js"
import { mnist, small } from "../../support/networks.js"
import { checkPhasesSlowly } from "../../support/phases-slow.js"
import { randomProgram } from "../../support/programs.js"
import { Random } from "../../support/random.js"

/** The same circuit, every row of it written when it is linked. */
function writtenOut(graph: IntGraph, { layout, gadgets }: MirageCircuit) {
  const { plan, forms } = planned(graph, {})
  const { tableBits } = forms as LookupForms
  const reduced = reduceGadgets(plan.uses, gadgets.gadgets)
  const { nonzerosPerRow } = defaults
  return linkMirage(graph, plan, reduced, { layout, tableBits, nonzerosPerRow, maps: false })
}

const rowsOf = ({ a, b, c, values, wires, rows }: R1cs) => ({ a, b, c, values, wires, rows })

describe("linear maps that stay maps", () => {
  it("are the rows that are written one by one, to the byte, of random programs", async () => {
    let maps = 0
    for (let seed = 0; seed < 24; seed++) {
      const { program, samples } = randomProgram(seed)
      const graph = await quantizeProgram(program, { samples })
      const circuit = await compile(graph)
      const { r1cs } = circuit.linked
      const { r1cs: written } = writtenOut(graph, circuit)
      expect(mappedB(written)).toBeUndefined()
      maps += mappedB(r1cs)?.maps.length ?? 0
      expect(rowsOf(r1cs), `seed ${seed}`).toEqual(rowsOf(written))
      expect(digestOf(r1cs)).toEqual(digestOf(written))
    }
    expect(maps).toBeGreaterThan(2)
  })

  it.each(["mnist-lenet", "mnist-mlp"])("are the same rows, of %s", async (folder) => {
    const { graph } = await mnist(folder)
    const circuit = await compile(graph)
    const side = mappedB(circuit.linked.r1cs)
    expect(side?.rest.wires.length).toBeLessThan((side?.entries ?? 0) - 40_000)
    expect(circuit.nonzeros).toBeGreaterThan(side?.entries ?? 0)
    expect(digestOf(circuit.linked.r1cs)).toEqual(digestOf(writtenOut(graph, circuit).r1cs))
  })

  it("are lost by a copy, which has the rows instead", async () => {
    const { graph } = await mnist("mnist-lenet")
    const { r1cs } = (await compile(graph)).linked
    const copy = { ...r1cs }
    expect(mappedB(copy)).toBeUndefined()
    expect(copy.b).toEqual(r1cs.b)
  })
})

describe("the order of phases", () => {
  it("is judged as by the slow reading of every row, of systems with one term changed", async () => {
    const { graph } = await small()
    const { r1cs, firstFinal } = (await compile(graph)).linked
    const random = new Random(5)
    const below = (n: number) => Math.floor(random.next() * n)
    const outcomes = { accepted: 0, refused: 0 }
    const judge = (check: typeof checkPhases, system: R1cs): "accepted" | "refused" => {
      try {
        check(system, firstFinal)
        return "accepted"
      } catch {
        return "refused"
      }
    }
    for (let i = 0; i < 400; i++) {
      const name = (["a", "b", "c"] as const)[below(3)]
      const side = r1cs[name]
      const at = below(side.wires.length)
      const wires = side.wires.slice()
      const coefficients = side.coefficients.slice()
      // of wires near each other in kind, as well as of any
      if (random.next() < 0.7) wires[at] = random.next() < 0.3 ? below(4) : below(r1cs.wires)
      else coefficients[at] = below(r1cs.values.length)
      const system = { ...r1cs, [name]: { ...side, wires, coefficients } }
      const [slow, fast] = [judge(checkPhasesSlowly, system), judge(checkPhases, system)]
      expect(fast, `${name} ${at}`).toBe(slow)
      outcomes[fast]++
    }
    expect(outcomes.accepted).toBeGreaterThan(20)
    expect(outcomes.refused).toBeGreaterThan(100)
  })

  it("is refused where a map reads a wire that depends on the challenge", async () => {
    const { graph } = await mnist("mnist-lenet")
    const { r1cs, firstFinal } = (await compile(graph)).linked
    const [map] = mappedB(r1cs)?.maps ?? []
    const before = map.wires[5]
    checkPhases(r1cs, firstFinal)
    for (const wire of [firstFinal, r1cs.wires - 1, 1, 2]) {
      map.wires[5] = wire
      expect(() => checkPhases(r1cs, firstFinal), `${wire}`).toThrow(/order of the proof's phases/)
    }
    map.wires[5] = before
    checkPhases(r1cs, firstFinal)
  })
})
