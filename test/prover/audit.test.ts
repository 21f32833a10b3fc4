/** `audit` on circuits and folders in which somebody changed a rescale: it says what is wrong. */
import { execFile } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { saveCircuit, saveKeys } from "#src/cli/folder.js"
import { compile } from "#src/compile/compile.js"
import type { IntNode } from "#src/ops/program.js"
import { audit } from "#src/prover/audit.js"
import { type Keys, setup } from "#src/prover/open.js"
import { modelDigest, serialize } from "#src/quantize/canonical/digest.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { type Circuit, proofSystems } from "#src/systems/index.js"
import { isFull } from "../support/amount.js"
import { cli } from "../support/cli.js"
import { origin, readGraph, sparse } from "../support/hostile-graphs.js"

type Rescale = Extract<IntNode, { kind: "rescale" }>

/** y = 3 · rescale(5·x0 − 7·x1 + 2) + 1, with x in [−8, 8). */
function model(change: Partial<Rescale> = {}): IntGraph {
  const rescale: Rescale = {
    kind: "rescale",
    out: 2,
    source: 1,
    shift: 3,
    lo: -4,
    bits: 3,
    origin: origin("relu"),
  }
  const linear = (out: number, source: number, row: [number, number][], bias: number): IntNode => ({
    kind: "linear",
    out,
    terms: [{ source, map: sparse([row]) }],
    bias: Float64Array.of(bias),
    origin: origin(`linear${out}`),
  })
  return readGraph(
    [2, 1, 1, 1],
    [
      { kind: "input", out: 0, name: "x", origin: origin("x") },
      linear(
        1,
        0,
        [
          [0, 5],
          [1, -7],
        ],
        2,
      ),
      { ...rescale, ...change },
      linear(3, 2, [[0, 3]], 1),
    ],
    [{ name: "x", tensor: 0, lo: -8, bits: 4 }],
    [3],
  )
}

/** The circuit with one coefficient of a row changed, that of the given wire. */
function withCoefficient(
  circuit: Circuit,
  row: number,
  wire: number,
  change: (value: bigint) => bigint,
): Circuit {
  const { linked } = circuit
  const { r1cs } = linked
  for (const side of ["b", "c"] as const) {
    const { rowPtr, wires, coefficients } = r1cs[side]
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) {
      if (wires[j] !== wire) continue
      const values = [...r1cs.values, change(r1cs.values[coefficients[j]])]
      const changed = { ...r1cs[side], coefficients: coefficients.with(j, values.length - 1) }
      return { ...circuit, linked: { ...linked, r1cs: { ...r1cs, values, [side]: changed } } } as Circuit
    }
  }
  throw new Error(`row ${row} has no wire ${wire}`)
}

describe.each(proofSystems)("a tampered rescale in a circuit of %s", (proofSystem) => {
  // PLONK and FFLONK prove Groth16's circuit, which is what is compared
  const again = it.skipIf((proofSystem === "plonk" || proofSystem === "fflonk") && !isFull)
  const said = /^rescale of node `relu`, tensor `t2`\[0\]: the circuit gives .*, the model gives /
  let circuit: Circuit
  let keys: Keys
  beforeAll(async () => {
    circuit = await compile(model(), { proofSystem })
    keys = await setup(circuit, { dev: true })
  })
  const found = async (tampered: Circuit): Promise<string> => {
    const report = await audit(tampered, keys.provingKey, keys.verificationKey)
    expect(report.accepted).toEqual([])
    expect(report.compared).toBeGreaterThan(0)
    return report.differences[0]
  }
  const group = () => {
    const made = circuit.linked.stamped.find(({ tensor }) => tensor === 2)
    if (!made?.plan) throw new Error("no gadget")
    return { ...made, plan: made.plan }
  }

  it("is none as long as nothing is tampered with", async () => {
    const report = await audit(circuit, keys.provingKey, keys.verificationKey)
    expect(report).toMatchObject({ differences: [], accepted: [], compared: 8 })
    expect(report.refused).toBeGreaterThan(50)
  })

  again.each<[string, Partial<Rescale>]>([
    ["offset", { lo: -3 }],
    ["shift", { shift: 4 }],
    ["width", { bits: 2 }],
  ])("with another %s is named, with what circuit and model give", async (_, change) => {
    const other = await compile(model(change), { proofSystem })
    expect(await found({ ...other, graph: circuit.graph, model: circuit.model })).toMatch(said)
  })

  /** The row that has the constant of the accumulator, and the wire of an input in it. */
  const rowOfInput = () => {
    const { inputs, stamped } = circuit.linked
    const { firstRow, rowEnd } = group()
    const wire = inputs[0] ?? stamped[0].base[0]
    for (let row = firstRow[0]; row < rowEnd; row++) if (has(row, wire) && has(row, 0)) return { row, wire }
    throw new Error("no row has the accumulator")
  }
  const has = (row: number, wire: number) =>
    [circuit.linked.r1cs.b, circuit.linked.r1cs.c].some(({ rowPtr, wires }) =>
      wires.subarray(rowPtr[row], rowPtr[row + 1]).includes(wire),
    )

  again("in the weight of an input is named, with what circuit and model give", async () => {
    const { row, wire } = rowOfInput()
    expect(await found(withCoefficient(circuit, row, wire, (x) => x + 1n))).toMatch(said)
  })

  again("in the constant of a row is named, with what circuit and model give", async () => {
    const { row } = rowOfInput()
    expect(await found(withCoefficient(circuit, row, 0, (x) => x + 1n))).toMatch(said)
  })

  again("in a wire of the gadget itself is named by the row that is not the gadget's", async () => {
    const { row } = rowOfInput()
    const [base] = group().base
    const own = Array.from({ length: 40 }, (_, i) => base + i).find((wire) => has(row, wire)) ?? -1
    expect(await found(withCoefficient(circuit, row, own, (x) => 2n * x))).toMatch(
      /^rescale of node `relu`.*: constraint \d+ is not that of/,
    )
  })

  /** What `audit` says of a circuit whose plan of the rescale is another. */
  const foundOfPlan = (change: { operandOffset?: number; outputOffset?: number }): Promise<string> => {
    const tampered = { ...group(), plan: { ...group().plan, ...change } }
    const stamped = circuit.linked.stamped.map((held) => (held.tensor === 2 ? tampered : held))
    return found({ ...circuit, linked: { ...circuit.linked, stamped } } as Circuit)
  }

  again(
    "in the plan of what goes in, which the prover follows, is named by the row that it breaks",
    async () => {
      const rows = {
        groth16: /^constraint \d+ does not hold: Clamp\(3,3,1\) of tensor `t2`\[0\] \(node `relu`\)\. /,
        mirage:
          /^constraint \d+ refuses the model's own integers: Excess\(3,3,4\) of tensor `t2`\[0\] \(node `relu`\)$/,
      }
      const { operandOffset } = group().plan
      expect(await foundOfPlan({ operandOffset: operandOffset + 8 })).toMatch(
        rows[proofSystem as keyof typeof rows],
      )
    },
  )

  again("in the plan of what comes out is named, with what circuit and model give", async () => {
    expect(await foundOfPlan({ outputOffset: -3 })).toMatch(said)
  })
})

describe("a tampered rescale in a folder", () => {
  let folder: string
  const path = (...names: string[]) => join(folder, ...names)
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "countersign-audit-"))
    const circuit = await compile(model())
    const keys = await setup(circuit, { dev: true })
    saveCircuit(path("good"), circuit, { float: null, integer: null, agreement: 1, samples: 1 } as never)
    saveKeys(path("good"), keys.provingKey, keys.verificationKey)
    for (const name of ["model", "both", "hostile"]) cpSync(path("good"), path(name), { recursive: true })
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const run = (name: string): Promise<{ code: unknown; text: string }> =>
    new Promise((resolve) => {
      execFile(process.execPath, [cli, "audit", path(name)], (error, stdout, stderr) =>
        resolve({ code: error?.code ?? 0, text: stdout + stderr }),
      )
    })

  it("is none as long as nothing is tampered with", async () => {
    const { code, text } = await run("good")
    expect(text).toMatch(/compared with the model in exact integers on 8 inputs: no difference/)
    expect(code).toBe(0)
  })

  it("in model.bin: it is not the model that was compiled", async () => {
    const other = model({ lo: -3 })
    writeFileSync(path("model", "model.bin"), serialize(other))
    const { code, text } = await run("model")
    expect(code).toBe(2)
    expect(text).toContain("the model is not the one that was compiled")
    for (const digest of [modelDigest(model()), modelDigest(other)]) expect(text).toContain(digest)
  })

  it("in model.bin and circuit.json: the key is of other constraints", async () => {
    const other = model({ lo: -3 })
    writeFileSync(path("both", "model.bin"), serialize(other))
    const info = JSON.parse(readFileSync(path("both", "circuit.json"), "utf8"))
    writeFileSync(path("both", "circuit.json"), JSON.stringify({ ...info, model: modelDigest(other) }))
    const { code, text } = await run("both")
    expect(code).toBe(2)
    expect(text).toMatch(/proving key: belongs to another circuit: sizes or constraints differ/)
  })

  it("that no double can carry: node and number are named", async () => {
    const good = model()
    const nodes = good.nodes.map((node) =>
      node.kind === "rescale" ? { ...node, shift: 52, lo: -(2 ** 31) } : node,
    )
    writeFileSync(path("hostile", "model.bin"), serialize({ ...good, nodes }))
    const { code, text } = await run("hostile")
    expect(code).toBe(2)
    expect(text).toMatch(/model\.bin.*relu: `Hostile`: the offset of its window .* given 2\^83\.0/)
  })
})
