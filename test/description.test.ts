/** A circuit rebuilt from its files, without circom, is the circuit; files that are not its own are refused. */
import { beforeAll, describe, expect, it } from "vitest"
import { type CompileOptions, compile, type MirageCircuit } from "#src/circuit/compile.js"
import { type CircuitFiles, describeCircuit, rebuildCircuit } from "#src/circuit/description.js"
import { drawSalt } from "#src/circuit/poseidon.js"
import { FileError } from "#src/errors.js"
import { digestOf } from "#src/prover/miragekey.js"
import { openProver, setup } from "#src/prover/prover.js"
import { serialize } from "#src/quantize/digest.js"
import { explain } from "#src/verifier/index.js"
import { type Network, small } from "./networks.js"

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
      ({ circuit }) => Object.assign(circuit, { proofSystem: "plonk" }),
    ],
    [
      "another model's",
      /model.bin: the model is not/,
      ({ circuit }) => Object.assign(circuit, { model: "0x00" }),
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

  it("a damaged model is named", async () => {
    await expect(rebuildCircuit({ ...files, model: files.model.slice(1) })).rejects.toThrow(/model.bin/)
  })
})
