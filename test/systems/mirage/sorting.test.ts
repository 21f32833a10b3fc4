/** The largest keys of windows, whole: proofs of them, wrong results, rows that were changed, other systems. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { NONE } from "#src/circuit/plan/plan.js"
import { firstFailingRow } from "#src/circuit/witness/check.js"
import type { TensorValues } from "#src/circuit/witness/witness.js"
import { compile } from "#src/compile/compile.js"
import { differences, probes } from "#src/compile/differential.js"
import { auditWitness } from "#src/compile/forgeries.js"
import { invariant } from "#src/errors.js"
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
import { testChangedRows } from "../../support/changed-rows.js"
import { ProgramBuilder, randomSample } from "../../support/programs.js"
import { Random } from "../../support/random.js"

const context = `0x${"31".repeat(32)}` as const

/** The two largest of four, twice, and all of the four largest, with their positions. */
function network() {
  const random = new Random(3)
  const b = new ProgramBuilder()
  const x = b.input([8])
  b.top(x, 4, 2, "values")
  b.top(x, 4, 2, "positions")
  b.top(x, 4, 4, "positions")
  const program = b.build()
  const samples = Array.from({ length: 3 }, () => randomSample(program, random))
  return { program, samples }
}

let graph: IntGraph
let circuit: MirageCircuit
let values: TensorValues
let input: Record<string, number[]>
let engine: Engine
let keys: Keys
let prover: MirageProver

beforeAll(async () => {
  const { program, samples } = network()
  graph = await quantizeProgram(program, { samples, precision: 6 })
  circuit = await compile(graph)
  input = samples[0]
  values = runInteger(graph, quantizeInput(graph, input))
  engine = await kernelEngine()
  keys = await setup(circuit, { dev: true })
  prover = openMirage(circuit, await readMirageKey(keys.provingKey, circuit.linked), engine)
})
afterAll(() => engine?.close())

const sorted = () => circuit.linked.stamped.filter(({ free }) => free !== undefined)
const expected = () => ({
  verificationKey: keys.verificationKey,
  model: circuit.model,
  context,
  allowDev: true,
})

describe("a proof", () => {
  it("verifies, and values and positions share their keys", async () => {
    expect(sorted()).toHaveLength(2)
    await using opened = await openProver(circuit, keys.provingKey, { engine })
    const receipt = await opened.prove(input, { context })
    expect(explain(receipt, expected())).toBe(null)
    // of integers, of which some are equal
    const [x] = Object.values(quantizeInput(graph, input))
    const order = (from: number) =>
      [0, 1, 2, 3].sort((i, j) => x[from + j] - x[from + i] || i - j).map(String)
    const shown = Object.values((receipt as MirageReceipt).statement.output.values ?? {})
    expect(shown[2]).toEqual([...order(0), ...order(4)])
    expect(shown[1]).toEqual([...order(0).slice(0, 2), ...order(4).slice(0, 2)])
  })

  it("of wrong keys or marks is refused, whatever follows from them", async () => {
    await using opened = await openProver(circuit, keys.provingKey)
    const honest = (await opened.prove(input, { context })) as MirageReceipt
    const about = {
      key: keyDigest(keys.verificationKey),
      context,
      words: statementWords(circuit, values, {}),
    }
    const committed = assignCommitted(graph, circuit.linked, values)
    const attempt = async (changes: readonly (readonly [wire: number, by: number])[]) => {
      const small = committed.small.slice()
      for (const [wire, by] of changes) small[wire] += by
      const proof = await prover.proveWitness({ ...committed, small }, about)
      return verify({ ...honest, proof }, expected())
    }
    expect(await attempt([])).toBe(true)
    const [{ free = new Uint32Array() }] = sorted()
    // two falling keys, four marks, of each of two windows
    expect(free).toHaveLength(12)
    expect(await attempt([[free[0], 4]])).toBe(false)
    expect(await attempt([[free[2], 1]])).toBe(false)
    for (const [one, other] of [
      [free[2], free[3]],
      [free[0], free[6]],
      [free[0], free[1]],
    ])
      expect(
        await attempt([
          [one, 1],
          [other, -1],
        ]),
      ).toBe(false)
  })
})

describe("the witness", () => {
  it("solves the rows, and no wire of it can be moved", () => {
    const report = auditWitness(circuit, fullWitness(circuit, values), 8)
    expect(report.accepted).toEqual([])
    expect(report.tried.projection).toBeGreaterThan(100)
    expect(report.tried.checked).toBeGreaterThan(100)
  })

  it("of the other keys of a window is refused by a range check", () => {
    // the second and third largest, marked: the rows of the challenge are content, the largest is not less than the third
    const { free = new Uint32Array(), node } = sorted()[0]
    invariant(node.kind === "sort", "a sort node")
    const all = Array.from(node.map.subarray(0, 4), (from) => (values.get(node.source) as Float64Array)[from])
    const order = [0, 1, 2, 3].sort((i, j) => all[j] - all[i])
    const out = (values.get(node.out) as Float64Array).slice()
    out.set([all[order[1]], all[order[2]]])
    for (let j = 0; j < 4; j++) out[2 + j] = j === order[1] || j === order[2] ? 1 : 0
    expect(free.slice(0, 6).every((wire) => wire !== NONE)).toBe(true)
    const forged = new Map(values).set(node.out, out)
    expect(() => assignCommitted(graph, circuit.linked, forged)).toThrow(/finds no entry of Range/)
  })
})

describe("rows that were changed", () => {
  testChangedRows(() => circuit)
})

describe("a plain system", () => {
  it("has the same integers, and no wire of keys and marks can be moved", async () => {
    const plain = await compile(graph, { proofSystem: "groth16" })
    const witness = witnessOf(plain, values, context)
    expect(firstFailingRow(plain.linked.r1cs, witness)).toBe(-1)
    for (const probe of probes(graph, 6, () => 0.4)) expect(differences(plain, probe)).toEqual([])
    const wires = plain.linked.stamped.flatMap(({ free = new Uint32Array() }) => [...free])
    for (const wire of wires.filter((each) => each !== NONE))
      for (const by of [1, -1, 2, 64]) {
        const small = witness.small.slice()
        small[wire] += by
        expect(firstFailingRow(plain.linked.r1cs, { small, large: witness.large })).toBeGreaterThan(-1)
      }
  })

  it("refuses more keys than it can compare, with their number", async () => {
    const b = new ProgramBuilder()
    b.top(b.input([1100]), 1100, 1000, "values")
    const program = b.build()
    const large = await quantizeProgram(program, { samples: [randomSample(program, new Random(2))] })
    await expect(compile(large, { proofSystem: "groth16" })).rejects.toThrow(
      /the largest 1000 of 1100 elements, 1 times, are too many .*1100000/s,
    )
  })
})
