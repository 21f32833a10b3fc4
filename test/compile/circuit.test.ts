import { wtns } from "snarkjs"
import { beforeAll, describe, expect, it } from "vitest"
import { readR1cs, writeR1cs } from "#src/circuit/formats/r1csfile.js"
import { runCircomForWitness } from "#src/circuit/gadgets/circom.js"
import { NONE } from "#src/circuit/plan/plan.js"
import { firstFailingRow } from "#src/circuit/witness/check.js"
import { fieldValue, type Witness } from "#src/circuit/witness/witness.js"
import { compile } from "#src/compile/compile.js"
import { exportCircom } from "#src/compile/export-circom.js"
import { inspect } from "#src/compile/inspect.js"
import { power, r } from "#src/field.js"
import { quantizeInput, runInteger } from "#src/quantize/integers/run.js"
import { proofSystems } from "#src/systems/index.js"
import type { PlainCircuit } from "#src/systems/plain/circuit.js"
import { witnessOf } from "#src/systems/plain/witness.js"
import { expectGolden } from "../support/golden.js"
import { mnist, perceptron, small } from "../support/networks.js"

const context = `0x${"2a".repeat(32)}`
const witnessFor = (circuit: PlainCircuit, input: Record<string, ArrayLike<number>>): Witness =>
  witnessOf(
    circuit,
    runInteger(circuit.graph, quantizeInput(circuit.graph, input, { clampInputs: true })),
    context,
  )

describe("golden counts", () => {
  /** The constraints that we allow ourselves, of a hidden input; a public one may take a thousand more. */
  const limits: Record<string, Record<string, number>> = {
    "mnist-mlp": { groth16: 10_500, mirage: 2_300 },
    "mnist-lenet": { groth16: 160_000, mirage: 26_000 },
    "784-2000-60-4000-10": { mirage: 32_768 },
  }
  const lines = ["model,proofSystem,input,constraints,lookups,wires,nonzeros,domain"]
  const circuits: { name: string; constraints: number; ofNodes: number; limit: number }[] = []
  beforeAll(async () => {
    for (const [name, systems] of Object.entries(limits)) {
      const { graph } = name.startsWith("mnist")
        ? await mnist(name)
        : await perceptron(name.split("-").map(Number))
      for (const proofSystem of proofSystems) {
        if (systems[proofSystem] === undefined) continue
        for (const input of ["private", "public"] as const) {
          const circuit = await compile(graph, { input, proofSystem })
          const { rows: constraints, wires } = circuit.linked.r1cs
          const { nodes, totals } = inspect(circuit)
          const counts = [constraints, totals.lookups, wires, circuit.nonzeros, circuit.domain]
          lines.push([name, proofSystem, input, ...counts].join(","))
          const ofNodes = nodes.reduce((sum, node) => sum + node.constraints, 0)
          const limit = systems[proofSystem] + (input === "public" ? 1000 : 0)
          circuits.push({ name: `${name}, ${proofSystem}, ${input}`, constraints, ofNodes, limit })
        }
      }
    }
  })

  it("are those of test/constraints.csv", async () => {
    await expectGolden("constraints.csv", `${lines.join("\n")}\n`)
  })

  it("are within the limits that we set ourselves", () => {
    for (const { name, constraints, limit } of circuits) expect(constraints, name).toBeLessThanOrEqual(limit)
  })

  it("are the sums of what the nodes have", () => {
    for (const { name, constraints, ofNodes } of circuits) expect(ofNodes, name).toBe(constraints)
  })
})

describe("a linked circuit", () => {
  let circuit: PlainCircuit
  let witness: Witness
  let input: Record<string, ArrayLike<number>>
  beforeAll(async () => {
    const made = await small()
    input = made.input
    circuit = await compile(made.graph, { proofSystem: "groth16" })
    witness = witnessFor(circuit, input)
  })

  const withWire = (wire: number, value: bigint): Witness => {
    const large = new Map(witness.large)
    large.set(wire, ((value % r) + r) % r)
    return { small: witness.small, large }
  }

  it("uses every kind of gadget", () => {
    const kinds = new Set(circuit.linked.stamps.map((stamp) => stamp.gadget.use.kind.template))
    for (const kind of ["InRange", "Clamp", "Max", "Argmax", "Product", "Table"])
      expect(kinds).toContain(kind)
  })

  it("refuses every single wire moved by ±1, 2^w, or a wrap of the field", () => {
    const moves = [1n, -1n, 1n << 10n, -(1n << 20n), power(2n, r - 2n), power(1024n, r - 2n), (r - 1n) / 2n]
    const { r1cs } = circuit.linked
    for (let wire = 1; wire < r1cs.wires; wire++) {
      const honest = fieldValue(witness, wire)
      for (const move of moves) {
        const row = firstFailingRow(r1cs, withWire(wire, honest + move))
        expect(row, `wire ${wire} moved by ${move}`).toBeGreaterThanOrEqual(0)
      }
    }
  })

  it("refuses limbs out of range even if the recomposition still holds", () => {
    const { stamped, stamps, r1cs } = circuit.linked
    let tried = 0
    for (const group of stamped) {
      group.base.forEach((base, i) => {
        if (base === NONE || !group.plan || i % 3 !== 0) return
        const { sources } = stamps[group.plan.uses[i]]
        for (let j = 0; j + 1 < sources.length; j++) {
          const [one, next] = [sources[j], sources[j + 1]]
          if (!("of" in one && "of" in next) || one.of !== next.of) continue
          // bit j + 2 and bit j+1 − 1 leave the sum as it was
          const large = new Map(witness.large)
          large.set(base + j, fieldValue(witness, base + j) + 2n)
          large.set(base + j + 1, (fieldValue(witness, base + j + 1) - 1n + r) % r)
          expect(firstFailingRow(r1cs, { small: witness.small, large })).toBeGreaterThanOrEqual(0)
          tried++
        }
      })
    }
    expect(tried).toBeGreaterThan(50)
  })

  it("names gadget and tensor of a row that fails", () => {
    const values = runInteger(circuit.graph, quantizeInput(circuit.graph, input))
    const rescale = circuit.graph.nodes.find((node) => node.kind === "rescale")
    const forged = new Map(values)
    forged.set(
      rescale?.out ?? -1,
      Float64Array.from(values.get(rescale?.out ?? -1) ?? [], (q) => q + 1),
    )
    expect(() => witnessOf(circuit, forged, context)).toThrow(
      /^constraint \d+ does not hold: Max\(4,10\) of tensor `c`\[0\] \(node `#2`\)\. The integers given are not an execution/,
    )
  })

  it("survives the r1cs file", () => {
    expect(readR1cs(writeR1cs(circuit.linked.r1cs))).toEqual(circuit.linked.r1cs)
  })

  it("binds the context: its square is a constraint, and another context breaks it", () => {
    const { context: wire, r1cs } = circuit.linked
    expect(firstFailingRow(r1cs, withWire(wire, fieldValue(witness, wire) + 1n))).toBeGreaterThanOrEqual(0)
  })

  it("agrees with the circom export: same outputs, and the same forgeries refused", async () => {
    const source = `${await exportCircom(circuit)}\ncomponent main = CountersignModel();\n`
    const { r1cs: bytes, symbols, wasm } = await runCircomForWitness(source)
    const system = readR1cs(bytes)
    const quantized = quantizeInput(circuit.graph, input)
    const file = { type: "mem" as const, data: new Uint8Array() }
    await wtns.calculate(
      { input0: Array.from(quantized.x, (q) => ((BigInt(q) % r) + r) % r) },
      { type: "mem", data: wasm },
      file,
    )
    const content = file.data.subarray(12 + 12 + 40 + 12)
    const view = new DataView(content.buffer, content.byteOffset)
    const values = Array.from({ length: system.wires }, (_, wire) =>
      [3, 2, 1, 0].reduce((x, word) => (x << 64n) | view.getBigUint64(32 * wire + 8 * word, true), 0n),
    )
    const exported: Witness = {
      small: new Float64Array(system.wires),
      large: new Map(values.map((x, wire) => [wire, x])),
    }
    expect(firstFailingRow(system, exported)).toBe(-1)
    const wires = new Map(symbols.split("\n").map((line) => [line.split(",")[3], Number(line.split(",")[1])]))
    circuit.linked.outputs.forEach((first, i) => {
      const count = circuit.graph.tensors[circuit.graph.outputs[i].tensor].lo.length
      for (let j = 0; j < count; j++) {
        expect(values[wires.get(`main.output${i}[${j}]`) ?? -1]).toBe(fieldValue(witness, first + j))
      }
    })
    for (const [name, wire] of wires) {
      if (
        !name ||
        !/\.(out|lo|low|high|negative|inside|top|bits\[0\]|chosen\[0\]|bit\[3\]|product\[3\]|choice\[1\])$/.test(
          name,
        )
      )
        continue
      for (const move of [1n, 1024n]) {
        const forged = new Map(exported.large).set(wire, (values[wire] + move) % r)
        expect(
          firstFailingRow(system, { small: exported.small, large: forged }),
          `${name} + ${move}`,
        ).toBeGreaterThanOrEqual(0)
      }
    }
  })
})

describe("size", () => {
  it("refuses a circuit over the limit before building it, with the estimate", async () => {
    const { graph } = await small()
    await expect(compile(graph, { maxConstraints: 100 })).rejects.toThrow(
      /about \d+ constraints.*at most 100/s,
    )
  })
})
