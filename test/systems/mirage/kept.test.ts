import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { packRecord, unpackRecord } from "#src/circuit/formats/packed.js"
import { digestOf } from "#src/circuit/formats/r1cs.js"
import { compile } from "#src/compile/compile.js"
import { type CircuitFiles, describeCircuit, keepCircuit, rebuildCircuit } from "#src/compile/description.js"
import { FileError } from "#src/errors.js"
import type { Engine } from "#src/prover/engine/engine.js"
import { kernelEngine } from "#src/prover/engine/kernels.js"
import { type Keys, openProver, setup } from "#src/prover/open.js"
import { serialize } from "#src/quantize/canonical/digest.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import { verify } from "#src/verifier/index.js"
import { mnist, type Network, small } from "../../support/networks.js"
import { randomProgram } from "../../support/programs.js"
import { Random } from "../../support/random.js"

const context = `0x${"31".repeat(32)}`

const filesOf = (graph: IntGraph, circuit: MirageCircuit, linked: Uint8Array): CircuitFiles => ({
  model: serialize(graph),
  circuit: describeCircuit(circuit),
  linked,
})

const kept = (circuit: MirageCircuit): Uint8Array => keepCircuit(circuit) as Uint8Array

/** The record of a file, changed, as a file whose digest is right. */
function changed(file: Uint8Array, change: (record: Record<string, unknown>) => void): Uint8Array {
  const record = structuredClone(unpackRecord(file.slice(), "linked.bin"))
  change(record)
  return packRecord(record)
}

describe("a linked circuit that is kept", () => {
  it("is the circuit, of programs of every kind and with commitments", async () => {
    const graphs: [IntGraph, object][] = [[(await small()).graph, { input: "committed" }]]
    for (let seed = 100; seed < 112; seed++) {
      const { program, samples } = randomProgram(seed)
      graphs.push([await quantizeProgram(program, { samples }), {}])
    }
    for (const [graph, options] of graphs) {
      const circuit = (await compile(graph, options)) as MirageCircuit
      const back = (await rebuildCircuit(filesOf(graph, circuit, kept(circuit)))) as MirageCircuit
      const { a, b, c, values } = back.linked.r1cs
      const { r1cs, stamps, stamped, lookup, ...others } = circuit.linked
      expect([a, b, c, values]).toEqual([r1cs.a, r1cs.b, r1cs.c, r1cs.values])
      expect(digestOf({ ...back.linked.r1cs })).toEqual(digestOf(r1cs))
      expect(JSON.stringify(back.linked.stamps)).toBe(JSON.stringify(stamps))
      const plain = ({ tables, ...rest }: typeof lookup) => ({
        ...rest,
        tables: tables.map(({ key }) => key),
      })
      expect(plain(back.linked.lookup)).toEqual(plain(lookup))
      const { r1cs: _, stamps: __, stamped: groups, lookup: ___, ...rest } = back.linked
      expect(rest).toEqual(others)
      const numbers = (list: typeof stamped, of: IntGraph) =>
        list.map(({ node, plan, ...group }) => ({
          ...group,
          node: of.nodes.indexOf(node),
          // JSON has no -0
          plan: plan && {
            ...plan,
            node: of.nodes.indexOf(plan.node),
            operandOffset: plan.operandOffset + 0,
          },
        }))
      expect(numbers(groups, back.graph)).toEqual(numbers(stamped, graph))
      expect(describeCircuit(back)).toEqual(describeCircuit(circuit))
    }
  })

  it("is refused wherever it is cut off, or a byte of it is another", async () => {
    const { graph } = await small()
    const circuit = await compile(graph)
    const file = kept(circuit)
    const random = new Random(3)
    const refused = (bytes: Uint8Array) =>
      expect(rebuildCircuit(filesOf(graph, circuit, bytes))).rejects.toThrow(FileError)
    for (const length of [0, 7, 8, 40, 47, 48, 60, file.length - 1]) await refused(file.subarray(0, length))
    for (let i = 0; i < 20; i++) {
      const bytes = file.slice()
      bytes[i < 10 ? i * 6 : Math.floor(random.next() * file.length)] ^= 1 << (i % 8)
      await refused(bytes)
    }
    await refused(Uint8Array.from([...file, 0]))
  })

  it("is refused as another model's, another choice's, and another version's", async () => {
    const [{ graph }, other] = [await small(), await mnist("mnist-mlp")]
    const circuit = await compile(graph)
    const file = kept(circuit)
    const refused = (files: CircuitFiles) =>
      expect(rebuildCircuit(files)).rejects.toThrow(/another circuit, or was linked by another version/)
    await refused(filesOf(other.graph, await compile(other.graph), file))
    await refused(filesOf(graph, await compile(graph, { input: "public" }), file))
    await refused(
      filesOf(
        graph,
        circuit,
        changed(file, (record) => {
          record.version = 0
        }),
      ),
    )
  })

  it("is not there for plain systems", async () => {
    const { graph } = await small()
    const plain = await compile(graph, { proofSystem: "groth16" })
    expect(keepCircuit(plain)).toBeNull()
    const files = { model: serialize(graph), circuit: describeCircuit(plain), linked: new Uint8Array(64) }
    await expect(rebuildCircuit(files)).rejects.toThrow(/nothing is kept/)
  })
})

describe("a file that somebody else wrote", () => {
  let network: Network
  let circuit: MirageCircuit
  let keys: Keys
  let engine: Engine
  let file: Uint8Array
  beforeAll(async () => {
    network = await small()
    circuit = await compile(network.graph)
    keys = await setup(circuit, { dev: true })
    engine = await kernelEngine()
    file = kept(circuit)
  })
  afterAll(() => engine.close())

  const prove = async (linked: Uint8Array) => {
    const rebuilt = await rebuildCircuit(filesOf(network.graph, circuit, linked))
    const prover = await openProver(rebuilt, keys.provingKey, { engine })
    try {
      return await prover.prove(network.input, { context })
    } finally {
      await prover.close()
    }
  }
  const isValid = (receipt: Awaited<ReturnType<typeof prove>>) =>
    verify(receipt, {
      verificationKey: keys.verificationKey,
      model: circuit.model,
      context,
      allowDev: true,
    })

  it("proves, as long as it is what the linker made", async () => {
    expect(isValid(await prove(file))).toBe(true)
  })

  it("proves nothing wrong, and points nowhere, whichever number it changes", async () => {
    const random = new Random(11)
    const below = (n: number) => Math.floor(random.next() * n)
    /** All arrays of numbers and single numbers of a record, as what sets one of them. */
    const setters = (value: unknown): ((to: number) => void)[] => {
      if (value === null || typeof value !== "object") return []
      if (value instanceof Uint32Array || value instanceof Float64Array || value instanceof Uint8Array)
        return value.length === 0 ? [] : [(to) => (value[below(value.length)] = to)]
      const entries = Object.entries(value as Record<string, unknown>)
      return entries.flatMap(([name, inner]) =>
        typeof inner === "number"
          ? [(to: number) => ((value as Record<string, unknown>)[name] = to)]
          : setters(inner),
      )
    }
    const count = setters(unpackRecord(file.slice(), "linked.bin")).length
    const outcomes = { refused: 0, failed: 0, valid: 0 }
    for (let i = 0; i < 60; i++) {
      const to = [0, 1, below(200), 2 ** 31 + below(1000), 2 ** 32 - 2, below(3000)][i % 6]
      const bytes = changed(file, (record) => setters(record)[below(count)](to))
      try {
        // some numbers are of no account to a proof, or were the same
        expect(isValid(await prove(bytes))).toBe(true)
        outcomes.valid++
      } catch (error) {
        if (error instanceof FileError) outcomes.refused++
        else outcomes.failed++
        expect(`${error}`).not.toMatch(/AssertionError/)
      }
    }
    expect(outcomes.refused).toBeGreaterThan(10)
    expect(outcomes.failed + outcomes.refused + outcomes.valid).toBe(60)
  })
})
