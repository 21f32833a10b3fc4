/** A circuit rebuilt from its files, without circom, is the circuit; files that are not its own are refused. */
import { beforeAll, describe, expect, it } from "vitest"
import { digestOf } from "#src/circuit/formats/r1cs.js"
import { drawSalt } from "#src/circuit/gadgets/poseidon.js"
import { type CompileOptions, compile } from "#src/compile/compile.js"
import { type CircuitFiles, describeCircuit, rebuildCircuit } from "#src/compile/description.js"
import { FileError } from "#src/errors.js"
import { openProver, setup } from "#src/prover/open.js"
import { serialize } from "#src/quantize/canonical/digest.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import { explain } from "#src/verifier/index.js"
import { type Network, small } from "../support/networks.js"

type Json = Record<string, never>
const copy = (value: unknown) => JSON.parse(JSON.stringify(value))

let network: Network
const filesOf = async (options: CompileOptions) => {
  const circuit = await compile(network.graph, options)
  const files = copy({ circuit: describeCircuit(circuit), gadgets: circuit.gadgets })
  return { circuit, files: { ...files, model: serialize(circuit.graph) } as CircuitFiles }
}
beforeAll(async () => {
  network = await small()
})

describe("a circuit from its files", () => {
  it.each<CompileOptions>([
    {},
    { input: "public" },
    { input: "committed", output: "committed" },
    { proofSystem: "groth16" },
  ])("is the circuit of %o", async (options) => {
    const { circuit, files } = await filesOf(options)
    const rebuilt = await rebuildCircuit(files)
    expect(digestOf(rebuilt.linked.r1cs)).toEqual(digestOf(circuit.linked.r1cs))
    expect(describeCircuit(rebuilt)).toEqual(describeCircuit(circuit))
    expect(rebuilt.layout).toEqual(circuit.layout)
  })

  it("proves commitments with its own Poseidon", async () => {
    const { circuit, files } = await filesOf({ input: "committed", output: "committed" })
    const { provingKey, verificationKey } = await setup(circuit, { dev: true })
    const prover = await openProver(await rebuildCircuit(files), provingKey)
    const context = `0x${"77".repeat(32)}`
    try {
      const salts = { input: drawSalt(), output: drawSalt() }
      const receipt = await prover.prove(network.input, { context, clampInputs: true, salts })
      const expected = { verificationKey, model: circuit.model, context, allowDev: true }
      expect(explain(receipt, expected)).toBeNull()
    } finally {
      await prover.close()
    }
  })

  it("fits no key if a coefficient of a gadget is another", async () => {
    const { circuit, files } = await filesOf({})
    const { provingKey } = await setup(circuit, { dev: true })
    const gadgets = copy(files.gadgets)
    const [, product] = Object.entries(gadgets.gadgets).find(([key]) => key.startsWith("Product")) as [
      string,
      Json,
    ]
    const [row] = product.rows as [string, number][][][]
    row[2][0][1] *= 3
    const changed = (await rebuildCircuit({ ...files, gadgets })) as MirageCircuit
    await expect(openProver(changed, provingKey)).rejects.toThrow(/belongs to another circuit/)
  })
})

describe("files that are no circuit's", () => {
  let files: CircuitFiles
  beforeAll(async () => {
    ;({ files } = await filesOf({ input: "committed" }))
  })
  type Change = (files: { circuit: Json; gadgets: Json }) => void
  const first = (gadgets: Json) =>
    Object.values(gadgets.gadgets)[0] as { signals: unknown[]; rows: unknown[][][] }
  it.each<[string, RegExp, Change]>([
    [
      "no description",
      /circuit.json: is not a circuit description/,
      (f) => Object.assign(f, { circuit: null }),
    ],
    ["of another version", /circuit.json/, ({ circuit }) => Object.assign(circuit, { version: 2 })],
    [
      "of another proof system",
      /circuit.json/,
      ({ circuit }) => Object.assign(circuit, { proofSystem: "marlin" }),
    ],
    [
      "another model's",
      /model.bin: the model is not/,
      ({ circuit }) => Object.assign(circuit, { model: `0x${"00".repeat(32)}` }),
    ],
    [
      "a name for a model",
      /circuit.json: is not/,
      ({ circuit }) => Object.assign(circuit, { model: "0x00" }),
    ],
    ["a field too many", /circuit.json: is not/, ({ circuit }) => Object.assign(circuit, { extra: 1 })],
    [
      "no precision",
      /circuit.json: is not/,
      ({ circuit }) => delete (circuit as { precision?: 1 }).precision,
    ],
    [
      "endless constraints",
      /circuit.json: is not/,
      ({ circuit }) => Object.assign(circuit, { constraints: 2 ** 52 }),
    ],
    [
      "constraints of another",
      /circuit.json: does not describe/,
      ({ circuit }) => Object.assign(circuit, { constraints: 7 }),
    ],
    ["an unknown part of gadgets", /gadgets.json/, ({ gadgets }) => Object.assign(gadgets, { more: 1 })],
    ["a list for gadgets", /gadgets.json/, ({ gadgets }) => Object.assign(gadgets, { gadgets: [] })],
    [
      "a term twice",
      /gadgets.json/,
      ({ gadgets }) => first(gadgets).rows[0][2].push(...first(gadgets).rows[0][2]),
    ],
    ["a term of zero", /gadgets.json/, ({ gadgets }) => first(gadgets).rows[0][0].push(["", 0])],
    [
      "a signal twice",
      /gadgets.json/,
      ({ gadgets }) => first(gadgets).signals.push(first(gadgets).signals[0]),
    ],
    [
      "a gadget without its output",
      /gadgets.json/,
      ({ gadgets }) => {
        const product = Object.entries(gadgets.gadgets).find(([key]) => key.startsWith("Product")) as [
          string,
          Json,
        ]
        Object.assign(product[1], { signals: ["left", "right"], rows: [] })
      },
    ],
    [
      "Poseidon with endless wires",
      /gadgets.json/,
      ({ gadgets }) => Object.assign(gadgets.poseidon, { wires: 2 ** 40 }),
    ],
    [
      "Poseidon with a coefficient's second name",
      /gadgets.json/,
      ({ gadgets }) => {
        const [row] = (gadgets.poseidon as { rows: { a: [number, string][] }[] }).rows
        row.a[0][1] = `0${row.a[0][1]}`
      },
    ],
    [
      "Poseidon with a wire before its row",
      /gadgets.json/,
      ({ gadgets }) => {
        const { rows } = gadgets.poseidon as { rows: unknown[] }
        rows.reverse()
      },
    ],
    ["no gadgets", /gadgets.json/, (f) => Object.assign(f, { gadgets: null })],
    ["gadgets of another version", /gadgets.json/, ({ gadgets }) => Object.assign(gadgets, { version: 2 })],
    ["a gadget missing", /lack/, ({ gadgets }) => Object.assign(gadgets, { gadgets: {} })],
    ["Poseidon missing", /lack Poseidon/, ({ gadgets }) => Object.assign(gadgets, { poseidon: undefined })],
    [
      "Poseidon without rows",
      /gadgets.json/,
      ({ gadgets }) => Object.assign(gadgets, { poseidon: { wires: 1 } }),
    ],
    [
      "a gadget without signals",
      /gadgets.json/,
      ({ gadgets }) => Object.assign(first(gadgets), { signals: 3 }),
    ],
    ["a row of two sides", /gadgets.json/, ({ gadgets }) => first(gadgets).rows[0].pop()],
    ["an unknown signal", /gadgets.json/, ({ gadgets }) => first(gadgets).rows[0][0].push(["nobody", 1])],
    ["a fraction", /gadgets.json/, ({ gadgets }) => first(gadgets).rows[0][0].push(["", 0.5])],
    ["a gadget without its rows", /gadgets.json/, ({ gadgets }) => first(gadgets).rows.splice(0)],
  ])("%s: refused, and named", async (_, message, change) => {
    const changed = { ...copy({ circuit: files.circuit, gadgets: files.gadgets }), model: files.model }
    change(changed)
    const failure = await rebuildCircuit(changed).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(FileError)
    expect((failure as Error).message).toMatch(message)
  })

  it("a field that occurs twice in a text is refused", async () => {
    const circuit = JSON.stringify(files.circuit)
    const twice = circuit.replace('"version":1', '"version":1,"version":1')
    await expect(rebuildCircuit({ ...files, circuit: twice })).rejects.toThrow(
      /circuit.json: a field name occurs twice/,
    )
    const gadgets = JSON.stringify(files.gadgets).replace('"version":1', '"version":1,"version":1')
    await expect(rebuildCircuit({ ...files, gadgets })).rejects.toThrow(
      /gadgets.json: a field name occurs twice/,
    )
    const rebuilt = await rebuildCircuit({ ...files, circuit, gadgets: JSON.stringify(files.gadgets) })
    expect(describeCircuit(rebuilt)).toEqual(files.circuit)
  })

  it("rows of a gadget that grow into one another are refused before they take memory", async () => {
    const gadgets = copy(files.gadgets) as { gadgets: Record<string, { signals: string[]; rows: unknown[] }> }
    const [, raw] = Object.entries(gadgets.gadgets).find(([key]) => key.startsWith("Product")) as never as [
      string,
      { signals: string[]; rows: unknown[] },
    ]
    // t = sum of many, and many sums of t
    const many = Array.from({ length: 6000 }, (_, i) => `s[${i}]`)
    raw.signals.push(...many, "range.in", "range.bits[0]")
    const bit = [[["range.bits[0]", 1]], [], []]
    raw.rows.push(bit, bit)
    raw.rows.push([[], [], [["range.in", 1], ...many.map((name) => [name, 1])]])
    for (const name of many) raw.rows.push([[["range.in", 1]], [[name, 1]], []])
    const failure = await rebuildCircuit({ ...files, gadgets }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(FileError)
    expect((failure as Error).message).toMatch(/gadgets.json.*grow into one another/)
  })

  it("a damaged model is named", async () => {
    await expect(rebuildCircuit({ ...files, model: files.model.slice(1) })).rejects.toThrow(/model.bin/)
  })
})
