/** Contractions under the challenge, whole: proofs of them, wrong results, rows that were changed. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { describeRow, firstFailingRow } from "#src/circuit/witness/check.js"
import type { TensorValues } from "#src/circuit/witness/witness.js"
import { compile } from "#src/compile/compile.js"
import { auditWitness } from "#src/compile/forgeries.js"
import type { Engine } from "#src/prover/engine/engine.js"
import { kernelEngine } from "#src/prover/engine/kernels.js"
import { slowEngine } from "#src/prover/engine/slow.js"
import { type Keys, openProver, setup } from "#src/prover/open.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { quantizeInput, runInteger } from "#src/quantize/integers/run.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import { fullWitness } from "#src/systems/mirage/audit.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import { readMirageKey } from "#src/systems/mirage/keyfile.js"
import { type MirageProver, openMirage } from "#src/systems/mirage/prove.js"
import { assignCommitted, statementWords } from "#src/systems/mirage/witness.js"
import { explain, keyDigest, type MirageReceipt, verify } from "#src/verifier/index.js"
import { testChangedRows } from "../../support/changed-rows.js"
import { mirageWitness } from "../../support/networks.js"
import { ProgramBuilder, randomSample } from "../../support/programs.js"
import { Random } from "../../support/random.js"

const context = `0x${"31".repeat(32)}` as const

/** Two products of matrices, one with a causal mask, and a clamp. */
function network() {
  const random = new Random(3)
  const b = new ProgramBuilder()
  const [batch, m, k, n] = [2, 6, 5, 6]
  const x = b.input([batch * m * k])
  const scores = b.clamp(b.contraction(x, b.input([batch * k * n]), [batch, m, k, n]), -1, 1)
  const masked = Array.from({ length: batch * m * n }, (_, i) => (i % n > Math.floor(i / n) % m ? -1 : i))
  b.clamp(b.contraction(b.index([scores], masked, [batch * m * n]), x, [batch, m, n, k]))
  const program = b.build()
  const samples = Array.from({ length: 3 }, () => randomSample(program, random))
  return { program, samples }
}

/** One product of matrices that is just worth projecting. */
async function smallest() {
  const b = new ProgramBuilder()
  b.contraction(b.input([9]), b.input([9]), [1, 3, 3, 3])
  const program = b.build()
  const sample = randomSample(program, new Random(1))
  const circuit = await compile(await quantizeProgram(program, { samples: [sample], precision: 6 }))
  return { circuit, sample }
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

const projected = () => circuit.linked.stamped.filter(({ projection }) => projection !== undefined)
const expected = () => ({
  verificationKey: keys.verificationKey,
  model: circuit.model,
  context,
  allowDev: true,
})

describe("a proof", () => {
  it("verifies", async () => {
    expect(projected()).toHaveLength(2)
    await using opened = await openProver(circuit, keys.provingKey, { engine })
    expect(explain(await opened.prove(input, { context }), expected())).toBe(null)
  })

  it("of the slow engine verifies, too", async () => {
    const { circuit: other, sample } = await smallest()
    const made = await setup(other, { dev: true })
    await using opened = await openProver(other, made.provingKey, { engine: slowEngine() })
    const receipt = await opened.prove(sample, { context, clampInputs: true })
    const { verificationKey } = made
    expect(explain(receipt, { ...expected(), verificationKey, model: other.model })).toBe(null)
  })

  it("verifies with a key that is streamed", async () => {
    await using opened = await openProver(circuit, keys.provingKey, { residentBytes: 1000 })
    expect(explain(await opened.prove(input, { context }), expected())).toBe(null)
  })

  it("of a wrong result is refused, whatever follows from it", async () => {
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
    const [first, second] = projected()
    expect(await attempt([[first.base[0], 1]])).toBe(false)
    expect(await attempt([[second.base[5], -1]])).toBe(false)
    // of two elements, of two products, and of both nodes at once
    for (const [one, other] of [
      [first.base[1], first.base[2]],
      [first.base[0], first.base[36]],
      [first.base[3], second.base[0]],
    ])
      expect(
        await attempt([
          [one, 1],
          [other, -1],
        ]),
      ).toBe(false)
  })

  it("of integers that are no execution is not begun: the contraction is named", async () => {
    const [first] = projected()
    const moved = (values.get(first.tensor) ?? new Float64Array()).slice()
    moved[7] += 1
    // all that follows from the wrong result is right
    const nodes = graph.nodes.map((node) =>
      node === first.node
        ? { kind: "input" as const, name: "moved", out: node.out, origin: node.origin }
        : node,
    )
    const wrong = runInteger({ ...graph, nodes }, { ...quantizeInput(graph, input), moved })
    const about = {
      key: keyDigest(keys.verificationKey),
      context,
      words: statementWords(circuit, values, {}),
    }
    await expect(prover.prove(wrong, about)).rejects.toThrow(
      /the projection of tensor `contraction2` \(node `contraction_2`\)/,
    )
  })
})

describe("the witness", () => {
  it("solves the rows, and no wire of it can be moved", () => {
    const report = auditWitness(circuit, fullWitness(circuit, values), 8)
    expect(report.accepted).toEqual([])
    expect(report.tried).toMatchObject({ projection: 7 * 32, contraction: 2 * 7 * 32 })
  })

  it("that is wrong fails in the equation of its product", async () => {
    const [first] = projected()
    const { r1cs } = circuit.linked
    const witness = await mirageWitness(circuit, values, 2n ** 190n + 1n)
    expect(firstFailingRow(r1cs, witness)).toBe(-1)
    const small = witness.small.slice()
    small[first.base[40]] += 1
    // an element of the second product: some step of its Horner rule is wrong now
    const at = firstFailingRow(r1cs, { small, large: witness.large })
    expect(describeRow(graph, circuit.linked, at)).toMatch(/the projection of tensor `contraction2`/)
  })
})

describe("rows that were changed", () => {
  // a small one, because every change is compared with the model
  let circuit: MirageCircuit
  beforeAll(async () => {
    ;({ circuit } = await smallest())
    expect(circuit.linked.projected.rows).toHaveLength(25)
  })
  testChangedRows(() => circuit)
})
