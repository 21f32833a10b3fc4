/** Rows of constant tables, whole: proofs of them, wrong rows, wires and rows of constraints that were moved. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { R1cs } from "#src/circuit/formats/r1cs.js"
import { firstFailingRow } from "#src/circuit/witness/check.js"
import type { TensorValues } from "#src/circuit/witness/witness.js"
import { compile } from "#src/compile/compile.js"
import { differences, probes } from "#src/compile/differential.js"
import { auditWitness } from "#src/compile/forgeries.js"
import type { Engine } from "#src/prover/engine/engine.js"
import { kernelEngine } from "#src/prover/engine/kernels.js"
import { type Keys, openProver, setup } from "#src/prover/open.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { quantizeInput, runInteger } from "#src/quantize/integers/run.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import { fullWitness } from "#src/systems/mirage/audit.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import { readMirageKey } from "#src/systems/mirage/keyfile.js"
import { type MirageProver, openMirage } from "#src/systems/mirage/prove.js"
import { assignCommitted, statementWords } from "#src/systems/mirage/witness.js"
import { witnessOf } from "#src/systems/plain/witness.js"
import { explain, keyDigest, type MirageReceipt, verify } from "#src/verifier/index.js"
import { isOutOfOrder, sides, withTerm } from "../../support/changed-rows.js"
import { ProgramBuilder } from "../../support/programs.js"
import { Random } from "../../support/random.js"

const context = `0x${"32".repeat(32)}` as const
const [indices, depth, width] = [4, 11, 30]

let graph: IntGraph
let circuit: MirageCircuit
let values: TensorValues
let engine: Engine
let keys: Keys
let prover: MirageProver
let input: Record<string, number[]>

beforeAll(async () => {
  const b = new ProgramBuilder()
  b.rows(b.input([indices]), width, new Random(4).reals(depth * width))
  const made = b.build()
  const program = { ...made, inputs: made.inputs.map((each) => ({ ...each, whole: "integers" as const })) }
  input = { [made.inputs[0].name]: [3, 10, 0, 3] }
  graph = await quantizeProgram(program, { samples: [input] })
  circuit = await compile(graph)
  values = runInteger(graph, quantizeInput(graph, input))
  engine = await kernelEngine()
  keys = await setup(circuit, { dev: true })
  prover = openMirage(circuit, await readMirageKey(keys.provingKey, circuit.linked), engine)
})
afterAll(() => engine?.close())

const taken = () => {
  const [group] = circuit.linked.stamped.filter(({ multiplicities }) => multiplicities !== undefined)
  return { free: group.free ?? new Uint32Array(), multiplicities: group.multiplicities ?? [] }
}
const expected = () => ({
  verificationKey: keys.verificationKey,
  model: circuit.model,
  context,
  allowDev: true,
})

it("a proof verifies", async () => {
  // the table has a row of zeros for each number that the input's range adds
  expect(taken().multiplicities).toHaveLength(2)
  await using opened = await openProver(circuit, keys.provingKey, { engine })
  expect(explain(await opened.prove(input, { context }), expected())).toBe(null)
})

it("a proof of wrong rows is refused, whatever follows from them", async () => {
  await using opened = await openProver(circuit, keys.provingKey)
  const honest = (await opened.prove(input, { context })) as MirageReceipt
  const about = { key: keyDigest(keys.verificationKey), context, words: statementWords(circuit, values, {}) }
  const committed = assignCommitted(graph, circuit.linked, values)
  const attempt = async (change: (small: Float64Array) => void) => {
    const small = committed.small.slice()
    change(small)
    const proof = await prover.proveWitness({ ...committed, small }, about)
    return verify({ ...honest, proof }, expected())
  }
  const { free, multiplicities } = taken()
  expect(await attempt(() => undefined)).toBe(true)
  // an element; two that add up to the same; another row, counted as such
  expect(await attempt((small) => void small[free[0]]++)).toBe(false)
  const other = (small: Float64Array) => {
    small[free[2]]++
    small[free[3]]--
  }
  expect(await attempt(other)).toBe(false)
  const whole = (small: Float64Array) => {
    for (let j = 0; j < width; j++) small[free[j]] = small[free[width + j]]
    for (const first of multiplicities) {
      small[first + 3]--
      small[first + 10]++
    }
  }
  expect(await attempt(whole)).toBe(false)
})

it("no wire of a witness can be moved", () => {
  const report = auditWitness(circuit, fullWitness(circuit, values), 8)
  expect(report.accepted).toEqual([])
  expect(report.tried["rows taken"]).toBeGreaterThan(50)
  expect(report.tried.checked).toBeGreaterThan(50)
})

describe("rows that were changed", () => {
  const changed = (row: number, side: (typeof sides)[number], at: number, wire: number, value?: bigint) =>
    withTerm(circuit.linked.r1cs, row, side, at, wire, value)
  const isRefused = (system: R1cs) => isOutOfOrder(system, circuit.linked)

  it("are refused, or found by comparison with the model", () => {
    const { linked } = circuit
    const random = new Random(8)
    const given = probes(graph, 2, () => random.next()).slice(3)
    const differs = (of: MirageCircuit) => given.some((probe) => differences(of, probe).length > 0)
    expect(differs(circuit)).toBe(false)
    let compared = 0
    for (const row of linked.projected.rows.filter((_, i) => i % 7 === 0 || i > 40)) {
      for (const side of sides) {
        const { rowPtr, wires, coefficients } = linked.r1cs[side]
        const terms = rowPtr[row + 1] - rowPtr[row]
        for (const at of new Set([0, terms - 1])) {
          if (at < 0) continue
          const wire = wires[rowPtr[row] + at]
          const coefficient = linked.r1cs.values[coefficients[rowPtr[row] + at]]
          for (const system of [
            changed(row, side, at, linked.projected.first),
            changed(row, side, at, linked.inputs[0] + 2, coefficient),
            changed(row, side, at, wire, coefficient + 2n),
          ]) {
            const isSame =
              system[side].wires[rowPtr[row] + at] === wire &&
              system.values[system[side].coefficients[rowPtr[row] + at]] === coefficient
            if (isSame || isRefused(system)) continue
            compared++
            const other = { ...circuit, linked: { ...linked, r1cs: system } }
            expect(differs(other), `${side} of row ${row}, term ${at}`).toBe(true)
          }
        }
      }
    }
    expect(compared).toBeGreaterThan(8)
  })
})

it("a plain system has bits, none of which can be moved", async () => {
  const plain = await compile(graph, { proofSystem: "groth16" })
  const witness = witnessOf(plain, values, context)
  expect(firstFailingRow(plain.linked.r1cs, witness)).toBe(-1)
  for (const probe of probes(graph, 2, () => 0.6)) expect(differences(plain, probe)).toEqual([])
  const [first] = plain.linked.stamped.flatMap(({ bits }) => bits ?? [])
  const move = (changes: readonly (readonly [number, number])[]) => {
    const small = witness.small.slice()
    for (const [wire, by] of changes) small[wire] += by
    return firstFailingRow(plain.linked.r1cs, { small, large: witness.large })
  }
  for (let bit = 0; bit < indices * 16; bit++)
    for (const by of [1, -1]) expect(move([[first + bit, by]])).toBeGreaterThan(-1)
  // the second row instead of the fourth
  const exchanged = move([
    [first + 3, -1],
    [first + 1, 1],
  ])
  expect(exchanged).toBeGreaterThan(-1)
})
