/** Rows of a projection, a sort or a table of rows under the challenge that were changed: refused, or found. */
import { expect, it } from "vitest"
import type { R1cs } from "#src/circuit/formats/r1cs.js"
import { differences, probes } from "#src/compile/differential.js"
import { r } from "#src/field.js"
import type { MirageCircuit, MirageLinked } from "#src/systems/mirage/circuit.js"
import { checkPhases } from "#src/systems/mirage/phases.js"
import { Random } from "./random.js"

type Side = "a" | "b" | "c"
export const sides = ["a", "b", "c"] as const

/** The system with one term of a row replaced, or left out. */
export function withTerm(
  system: R1cs,
  row: number,
  side: Side,
  at: number,
  wire: number | undefined,
  value = 1n,
): R1cs {
  const { rowPtr, wires, coefficients } = system[side]
  const [start, w, k] = [rowPtr[row] + at, [...wires], [...coefficients]]
  const values = [...system.values, value]
  if (wire === undefined) {
    w.splice(start, 1)
    k.splice(start, 1)
  } else {
    w[start] = wire
    k[start] = values.length - 1
  }
  const moved = rowPtr.map((p, i) => (wire === undefined && i > row ? p - 1 : p))
  return {
    ...system,
    values,
    [side]: { rowPtr: moved, wires: Uint32Array.from(w), coefficients: Uint32Array.from(k) },
  }
}

function withoutRow(r1cs: R1cs, row: number): R1cs {
  const side = ({ rowPtr, wires, coefficients }: R1cs["a"]) => {
    const [from, to] = [rowPtr[row], rowPtr[row + 1]]
    const rest = <T extends Uint32Array>(list: T) =>
      Uint32Array.from([...list.slice(0, from), ...list.slice(to)])
    const ptr = [...rowPtr.slice(0, row + 1), ...rowPtr.slice(row + 2)].map((p, i) =>
      i > row ? p - (to - from) : p,
    )
    return { rowPtr: Uint32Array.from(ptr), wires: rest(wires), coefficients: rest(coefficients) }
  }
  return { ...r1cs, rows: r1cs.rows - 1, a: side(r1cs.a), b: side(r1cs.b), c: side(r1cs.c) }
}

/** Whether a system is refused because of the order of its phases. */
export function isOutOfOrder(system: R1cs, { firstFinal, weights }: MirageLinked): boolean {
  try {
    checkPhases(system, firstFinal, { polynomials: weights > 0 })
    return false
  } catch (error) {
    expect(`${error}`).toMatch(/order of the proof's phases|is not committed/)
    return true
  }
}

/** Tests that no row of `linked.projected` of a small circuit can be changed, or left out. */
export function testChangedRows(circuitOf: () => MirageCircuit): void {
  const changed = (row: number, side: Side, at: number, wire: number | undefined, value?: bigint) =>
    withTerm(circuitOf().linked.r1cs, row, side, at, wire, value)
  const isRefused = (system: R1cs) => isOutOfOrder(system, circuitOf().linked)

  it("are refused, or found by comparison with the model", () => {
    const circuit = circuitOf()
    const { linked } = circuit
    const { rows } = linked.projected
    const random = new Random(8)
    const given = probes(circuit.graph, 6, () => random.next()).slice(4)
    // a wire that is zero at one input is not at another
    const differs = (of: MirageCircuit) => given.some((probe) => differences(of, probe).length > 0)
    expect(differs(circuit)).toBe(false)
    let compared = 0
    for (const row of rows) {
      for (const side of sides) {
        const { rowPtr, wires } = linked.r1cs[side]
        for (let at = 0; at < rowPtr[row + 1] - rowPtr[row]; at++) {
          const wire = wires[rowPtr[row] + at]
          const coefficient = linked.r1cs.values[linked.r1cs[side].coefficients[rowPtr[row] + at]]
          const others = [undefined, 1, linked.projected.first, linked.r1cs.wires - 1, linked.inputs[0]]
          for (const system of [
            ...others.filter((other) => other !== wire).map((other) => changed(row, side, at, other)),
            changed(row, side, at, wire, coefficient === 1n ? r - 1n : 1n),
          ]) {
            if (isRefused(system)) continue
            compared++
            const other = { ...circuit, linked: { ...linked, r1cs: system } }
            expect(differs(other), `${side} of row ${row}, term ${at}`).toBe(true)
          }
        }
      }
    }
    expect(compared).toBeGreaterThan(20)
  })

  it("are refused where a wire of a lookup or a word joins them, or a wire of theirs those", () => {
    const circuit = circuitOf()
    const { linked } = circuit
    const { lookup, hornerRow, projected: own } = linked
    for (const row of own.rows)
      for (const wire of [lookup.inverses, lookup.quotients, 2])
        for (const side of sides)
          expect(isRefused(changed(row, side, 0, wire)), `${side} of row ${row}, ${wire}`).toBe(true)
    for (const row of [lookup.row[0], lookup.entryRow, hornerRow])
      for (const side of sides)
        for (const wire of [own.first, linked.r1cs.wires - 1])
          expect(isRefused(changed(row, side, 0, wire)), `${side} of row ${row}`).toBe(true)
  })

  it("are refused without one of them", () => {
    const circuit = circuitOf()
    const { linked } = circuit
    for (const row of linked.projected.rows)
      expect(isRefused(withoutRow(linked.r1cs, row)), `row ${row}`).toBe(true)
  })
}
