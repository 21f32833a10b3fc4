/** A policy that the circuit proves: against the library's own answer on every input, against forgers, and in receipts. */
import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import {
  documentDigest,
  type Limit,
  onChainPolicy,
  type PolicyDocument,
  predicateName,
  within,
} from "#src/attest/index.js"
import type { LocalRow } from "#src/circuit/gadgets/reduce.js"
import { ONE } from "#src/circuit/gadgets/reduce.js"
import { compile } from "#src/compile/compile.js"
import { describeCircuit, rebuildCircuit } from "#src/compile/description.js"
import { differences, probes } from "#src/compile/differential.js"
import { auditWitness } from "#src/compile/forgeries.js"
import { checkPredicate, withPredicate } from "#src/compile/predicate.js"
import { CountersignError, FileError, ModelError, UsageError } from "#src/errors.js"
import { signed } from "#src/field.js"
import * as api from "#src/index.js"
import type { IntNode, LinearMap } from "#src/ops/program.js"
import { deserialize, modelDigest, serialize } from "#src/quantize/canonical/digest.js"
import { graphBounds } from "#src/quantize/integers/bounds.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { runInteger } from "#src/quantize/integers/run.js"
import type { Layout } from "#src/statement/layout.js"
import type { Statement } from "#src/statement/statement.js"
import { type Circuit, systemOf } from "#src/systems/index.js"
import type { PlainCircuit } from "#src/systems/plain/circuit.js"
import { amount } from "../support/amount.js"
import { acceptedOutputs } from "../support/exhaustive.js"
import { mnist } from "../support/networks.js"

const origin = { name: "n", operator: "Gemm" }

interface Affine {
  readonly weights: readonly (readonly number[])[]
  readonly bias?: readonly number[]
  readonly lo?: number
  readonly bits?: number
  readonly scale?: number
}

/** x of some bits, and y = W·x + bias: all that a limit can be about. */
function affine({ weights, bias, lo = 0, bits = 2, scale = 1 }: Affine): IntGraph {
  const [m, k] = [weights.length, weights[0].length]
  const map: LinearMap = { kind: "dense", weight: Float64Array.from(weights.flat()), n: 1, k, m }
  const nodes: IntNode[] = [
    { kind: "input", out: 0, name: "x", origin },
    {
      kind: "linear",
      out: 1,
      terms: [{ source: 0, map }],
      ...(bias && { bias: Float64Array.from(bias) }),
      origin,
    },
  ]
  const infos = [
    { name: "x", shape: [k], scale: 0.5 },
    { name: "y", shape: [m], scale },
  ]
  const inputs = [{ name: "x", tensor: 0, lo, bits }]
  const bounds = graphBounds({ tensors: infos, nodes, inputs })
  const tensors = infos.map((info, i) => ({ ...info, ...bounds[i] }))
  return { name: "affine", precision: 8, tensors, nodes, inputs, outputs: [{ name: "y", tensor: 1 }] }
}

const limit = (change: Partial<Limit>): Limit => ({
  tensor: "y",
  elements: null,
  least: null,
  most: null,
  ...change,
})
const documentOf = (change: Partial<PolicyDocument>): PolicyDocument => ({
  version: 1,
  name: "within",
  inputs: [],
  outputs: [],
  abstain: null,
  signOffs: [],
  tolerance: { absolute: 0, relative: 0 },
  disputes: [],
  retentionDays: 184,
  finality: "none",
  ...change,
})
const margin = (of: number): Partial<PolicyDocument> => ({ abstain: { tensor: "y", margin: of } })

/** Every input of a model with k elements of some bits. */
const everyInput = (k: number, lo: number, bits: number): Float64Array[] =>
  Array.from({ length: 2 ** (bits * k) }, (_, n) =>
    Float64Array.from({ length: k }, (_, i) => lo + (Math.floor(n / 2 ** (bits * i)) % 2 ** bits)),
  )

/** The layout of a model that shows everything. */
const shownLayout = (graph: IntGraph): Layout => {
  const range = (id: number) => {
    const { name, shape, scale, lo, hi } = graph.tensors[id]
    const least = Math.min(...lo)
    const bits = Math.max(1, Math.ceil(Math.log2(Math.max(...hi) - least + 1)))
    return { name, shape: [...shape], scale, lo: least, bits, visibility: "public" as const }
  }
  const [{ lo, bits }] = graph.inputs
  return { inputs: [{ ...range(0), lo, bits }], outputs: [range(1)] }
}

const hex = (digit: string): `0x${string}` => `0x${digit.repeat(64)}`

/** What the library says of an execution whose numbers it sees. */
function isWithin(graph: IntGraph, document: PolicyDocument, x: Float64Array): boolean {
  const y = runInteger(graph, { x }).get(1) as Float64Array
  const statement: Statement = {
    model: hex("a"),
    context: hex("b"),
    input: { visibility: "public", values: { x: Array.from(x, String) } },
    output: { visibility: "public", values: { y: Array.from(y, String) } },
  }
  return within(document, shownLayout(graph), statement) === null
}

const bitOf = (proven: IntGraph, x: Float64Array): number =>
  (runInteger(proven, { x }).get(proven.outputs[0].tensor) as Float64Array)[0]

describe("the bit of a policy", () => {
  const small = fc.integer({ min: -3, max: 3 })
  const models = fc
    .record({ k: fc.integer({ min: 1, max: 2 }), m: fc.integer({ min: 1, max: 4 }) })
    .chain(({ k, m }) =>
      fc.record({
        weights: fc.array(fc.array(small, { minLength: k, maxLength: k }), { minLength: m, maxLength: m }),
        bias: fc.array(small, { minLength: m, maxLength: m }),
        lo: fc.integer({ min: -4, max: 2 }),
        bits: fc.integer({ min: 1, max: 3 }),
        scale: fc.constantFrom(1, 0.25, 0.1),
      }),
    )
  const numbers = fc.oneof(
    fc.constant(null),
    fc.integer({ min: -40, max: 40 }).map((n) => n / 10),
  )
  const limits = (tensor: string) =>
    fc.array(
      fc
        .record({ elements: fc.constantFrom(null, [0]), least: numbers, most: numbers })
        .filter(({ least, most }) => least === null || most === null || least <= most)
        .map((given) => ({ tensor, ...given })),
      { maxLength: 2 },
    )
  const documents = fc
    .record({
      inputs: limits("x"),
      outputs: limits("y"),
      abstain: fc.option(fc.integer({ min: 0, max: 20 }).map((n) => ({ tensor: "y", margin: n / 10 }))),
    })
    .map(documentOf)

  it("is what the library says, on every input of every model", () => {
    const seen = { both: 0, refused: 0 }
    fc.assert(
      fc.property(models, documents, (model, document) => {
        const graph = affine(model)
        const all = everyInput(model.weights[0].length, model.lo, model.bits)
        let proven: IntGraph
        try {
          proven = withPredicate(graph, document)
        } catch (error) {
          // what no circuit can prove is what every answer keeps, or none
          if (!(error instanceof UsageError)) throw error
          seen.refused++
          if (/nothing to prove/.test(error.message))
            expect(all.every((x) => isWithin(graph, document, x))).toBe(true)
          else if (/no answer|no integer|exclude/.test(error.message))
            // limits that no integer keeps are refused by the library, too
            expect(/no answer/.test(error.message) && all.some((x) => isWithin(graph, document, x))).toBe(
              false,
            )
          else throw error
          return
        }
        const bits = all.map((x) => bitOf(proven, x))
        expect(bits).toEqual(all.map((x) => (isWithin(graph, document, x) ? 1 : 0)))
        if (new Set(bits).size === 2) seen.both++
        const back = deserialize(serialize(proven))
        expect(checkPredicate(back, document)).toEqual({ model: modelDigest(graph) })
      }),
      { numRuns: amount(200, 2000) },
    )
    expect(seen.both).toBeGreaterThan(20)
    expect(seen.refused).toBeGreaterThan(10)
  })

  it("turns at the least and at the most, and not beside them", () => {
    const graph = affine({ weights: [[1]], bits: 4, scale: 0.5 })
    const bits = (document: PolicyDocument) =>
      everyInput(1, 0, 4)
        .map((x) => bitOf(withPredicate(graph, document), x))
        .join("")
    // y is half of x: 1.5 to 4 are x from 3 to 8, and so are 1.2 to 4.3
    expect(bits(documentOf({ outputs: [limit({ least: 1.5, most: 4 })] }))).toBe("0001111110000000")
    expect(bits(documentOf({ outputs: [limit({ least: 1.2, most: 4.3 })] }))).toBe("0001111110000000")
    expect(bits(documentOf({ outputs: [limit({ least: 7.5 })] }))).toBe("0000000000000001")
    expect(bits(documentOf({ inputs: [limit({ tensor: "x", most: 0 })] }))).toBe("1000000000000000")
    const both = documentOf({ inputs: [limit({ tensor: "x", most: 3.5 })], outputs: [limit({ least: 3 })] })
    expect(bits(both)).toBe("0000001100000000")
  })

  it("of a margin is 0 for a tie of the two largest, and for one step less", () => {
    const graph = affine({ weights: [[1, 0], [0, 1], [0, 0]], bits: 2 }) // biome-ignore format: a matrix
    const proven = withPredicate(graph, documentOf(margin(2)))
    const rows = [0, 1, 2, 3].map((a) =>
      [0, 1, 2, 3].map((b) => bitOf(proven, Float64Array.of(a, b))).join(""),
    )
    expect(rows).toEqual(["0011", "0001", "1000", "1100"])
  })

  it("is refused where there is nothing to prove, or nothing that could be", () => {
    const graph = affine({ weights: [[1], [-1]], bits: 4 })
    const refusal = (change: Partial<PolicyDocument>) => () => withPredicate(graph, documentOf(change))
    for (const nothing of [
      {},
      margin(0),
      { outputs: [limit({ least: -15, most: 15 })] },
      { outputs: [limit({ elements: [0], least: 0 })] },
    ])
      expect(refusal(nothing)).toThrow(/nothing to prove/)
    expect(refusal(nothing16)).toThrow(/no answer of the model/)
    expect(refusal(margin(1e300))).toThrow(/no answer of the model/)
    expect(refusal({ outputs: [limit({ elements: [0], most: -1 })] })).toThrow(/no answer of the model/)
    expect(refusal({ outputs: [limit({ least: 3 }), limit({ most: 1 })] })).toThrow(/exclude/)
    expect(refusal({ outputs: [limit({ tensor: "z", least: 1 })] })).toThrow(UsageError)
    expect(refusal({ outputs: [limit({ elements: [2], least: 1 })] })).toThrow(/no such element/)
    expect(() => withPredicate(graph, { ...documentOf(margin(1)), version: 2 } as never)).toThrow(FileError)
    const proven = withPredicate(graph, documentOf(margin(1)))
    expect(() => withPredicate(proven, documentOf(margin(2)))).toThrow(/a policy already/)
  })
  const nothing16 = margin(31)

  it("keeps to integers that doubles hold exactly, or refuses", () => {
    // y of 53 bits, the widest that a layout has
    const wide = affine({ weights: [[2 ** 45 - 1], [0]], lo: -128, bits: 8 })
    expect(() =>
      withPredicate(wide, documentOf({ outputs: [limit({ elements: [0], least: 2 ** 51 })] })),
    ).toThrow(ModelError)
    expect(() => withPredicate(wide, documentOf(margin(2 ** 50)))).toThrow(ModelError)
    const less = affine({ weights: [[2 ** 41 - 1], [0]], lo: -128, bits: 8 })
    const document = documentOf({
      outputs: [limit({ elements: [0], least: -3 * (2 ** 41 - 1) })],
      ...margin(2 ** 40),
    })
    const proven = withPredicate(less, document)
    for (const x of everyInput(1, -128, 8))
      expect(bitOf(proven, x), `${x}`).toBe(isWithin(less, document, x) ? 1 : 0)
  })
})

describe("whose predicate it is", () => {
  const graph = affine({ weights: [[1], [2]], bits: 3 })
  const document = documentOf({ outputs: [limit({ least: 1, most: 9 })], ...margin(2) })
  const proven = withPredicate(graph, document)
  const name = predicateName(documentDigest(document))

  it("has one form: its digest is named in attestations and registries", () => {
    expect(modelDigest(proven)).toBe("0x56641859694758729e64c8597d7e0971380e5985f120622382592e61a60309aa")
  })

  it("shows in an audit", () => {
    expect(checkPredicate(proven, document)).toEqual({ model: modelDigest(graph) })
    const other = documentOf({ outputs: [limit({ least: 1, most: 8 })] })
    expect(checkPredicate(proven, other)).toHaveProperty("problem")
    expect(checkPredicate(graph, document)).toHaveProperty("problem")
    // a predicate under the name of another one: the name is true, what it computes is not
    const lax = withPredicate(graph, documentOf({ outputs: [limit({ least: 1, most: 10 })], ...margin(2) }))
    const renamed = renamedTo(lax, name)
    expect(checkPredicate(renamed, document)).toHaveProperty("problem")
    // and any number of it changed
    for (const [i, node] of proven.nodes.entries()) {
      if (node.kind !== "linear" || node.origin.name !== name) continue
      const bias = node.bias?.map((x, j) => (j === 0 ? x + 1 : x)) as Float64Array
      const nodes = proven.nodes.with(i, { ...node, bias })
      expect(checkPredicate({ ...proven, nodes }, document), `node ${i}`).toHaveProperty("problem")
    }
    const constant: IntGraph = {
      ...graph,
      nodes: [
        ...graph.nodes,
        { kind: "linear", out: 2, terms: [], bias: Float64Array.of(1), origin: { name, operator: "Within" } },
      ],
      tensors: [
        ...graph.tensors,
        { name: "one", shape: [1], scale: 1, lo: Float64Array.of(0), hi: Float64Array.of(1) },
      ],
      outputs: [{ name, tensor: 2 }, ...graph.outputs],
    }
    expect(checkPredicate(constant, document)).toHaveProperty("problem")
    // outputs of the model that the predicate's own nodes make
    const leaking = { ...proven, outputs: [proven.outputs[0], { name: "y", tensor: 3 }] }
    expect(checkPredicate(leaking, document)).toHaveProperty("problem")
  })

  it("is no name that a model's own output may have", async () => {
    const own = { ...graph, outputs: [{ name, tensor: 1 }] }
    await expect(compile(own)).rejects.toThrow(/as if it said that a policy holds/)
    const second = { ...proven, outputs: [...proven.outputs, { name: predicateName(hex("c")), tensor: 1 }] }
    await expect(compile(second)).rejects.toThrow(/as if it said that a policy holds/)
  })
})

const renamedTo = (graph: IntGraph, name: string): IntGraph => ({
  ...graph,
  nodes: graph.nodes.map((node) =>
    node.origin.operator === "Within" ? { ...node, origin: { ...node.origin, name } } : node,
  ),
  outputs: graph.outputs.map((output, i) => (i === 0 ? { ...output, name } : output)),
})

describe("a circuit with the bit of a policy", () => {
  /** The whole system over a small field, with the values of y as inputs: what it leaves to choose are all other wires. */
  function wholeSystem(circuit: PlainCircuit) {
    const { r1cs, outputs } = circuit.linked
    const size = circuit.layout.outputs[1].shape[0]
    // wire 0 is the constant; y stands first, as inputs do
    const y = Array.from({ length: size }, (_, i) => outputs[1] + i)
    const order = [
      ...y,
      ...Array.from({ length: r1cs.wires - 1 }, (_, i) => i + 1).filter((w) => !y.includes(w)),
    ]
    const local = new Map(order.map((wire, i) => [wire, i]))
    const side = ({ rowPtr, wires, coefficients }: PlainCircuit["linked"]["r1cs"]["a"], row: number) => {
      const lc = new Map<number, number>()
      for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++)
        lc.set(
          wires[j] === 0 ? ONE : (local.get(wires[j]) as number),
          Number(signed(r1cs.values[coefficients[j]])),
        )
      return lc
    }
    const rows = Array.from({ length: r1cs.rows }, (_, row): LocalRow => {
      return { a: side(r1cs.a, row), b: side(r1cs.b, row), c: side(r1cs.c, row) } as LocalRow
    })
    const bit = local.get(outputs[0]) as number
    const stamp = { rows, queries: [], wires: order.length - size, outputs: [bit] }
    return { stamp: stamp as never, size }
  }

  it.each<[string, [all: number, idle: number], Affine, Partial<PolicyDocument>]>([
    ["a least", [4, 0], { weights: [[1]], bits: 2 }, { outputs: [limit({ least: 2 })] }],
    ["a most", [4, 0], { weights: [[1]], bits: 2 }, { outputs: [limit({ most: 1 })] }],
    ["a least and a most", [10, 1], { weights: [[1]], bits: 2 }, { outputs: [limit({ least: 1, most: 2 })] }],
    [
      "a margin",
      [14, 3],
      {
        weights: [
          [1, 0],
          [0, 1],
        ],
        bits: 1,
      },
      margin(1),
    ],
  ])("leaves no other bit to a forger, and needs the constraints of %s", async (_, rows, model, change) => {
    const document = documentOf(change)
    const graph = affine(model)
    const circuit = await compile(graph, { proofSystem: "groth16", within: document })
    const { stamp, size } = wholeSystem(circuit)
    const p = 29
    const answers = everyInput(size, 0, model.bits ?? 2).map((y) => {
      return { y: [...y], bit: isWithin(graph, document, y) ? 1 : 0 }
    })
    for (const { y, bit } of answers) expect([...acceptedOutputs(stamp, [...y], p)], `${y}`).toEqual([bit])
    // rows behind those of the input: the predicate's, and the one that shows its bit
    const first = circuit.linked.stamped.find(({ node }) => node.origin.operator === "Within")
      ?.firstRow[0] as number
    const isPredicate = circuit.linked.stamped.flatMap(({ node, firstRow, rowEnd }) =>
      node.origin.operator === "Within" && firstRow.length > 0
        ? Array.from({ length: rowEnd - firstRow[0] }, (_, i) => firstRow[0] + i)
        : [],
    )
    expect(first).toBeGreaterThan(0)
    const shows = circuit.linked.stamped.at(-1)?.rowEnd as number
    const idle = [...isPredicate, shows].filter(
      (row) => !answers.some(({ y, bit }) => [...acceptedOutputs(stamp, y, p, row)].some((x) => x !== bit)),
    )
    // what a gadget proves of its output needs all of its rows; the bit does not need all of that
    expect([isPredicate.length + 1, idle.length]).toEqual(rows)
  })

  const systems = ["mirage", "groth16"] as const
  it("is its model's in exact integers, and refuses every wire of it moved", async () => {
    for (const proofSystem of systems) {
      const graph = affine({ weights: [[3, -1], [1, 2], [-2, 1]], lo: -32, bits: 6, scale: 0.1 }) // biome-ignore format: a matrix
      const document = documentOf({
        inputs: [limit({ tensor: "x", elements: [1], least: -10, most: 14 })],
        outputs: [limit({ least: -8.2, most: 8.5 })],
        ...margin(0.3),
      })
      const circuit: Circuit = await compile(graph, { proofSystem, within: document })
      let state = 1
      const random = () => (state = (state * 48271) % 2147483647) / 2147483647
      const bits = new Set<number>()
      for (const probe of probes(circuit.graph, 60, random)) {
        expect(differences(circuit, probe)).toEqual([])
        bits.add(bitOf(circuit.graph, probe.x))
      }
      expect(bits.size).toBe(2)
      for (const x of [Float64Array.of(2, 7), Float64Array.of(-30, 17)]) {
        const witness = systemOf(circuit).witness(circuit, runInteger(circuit.graph, { x }))
        expect(auditWitness(circuit, witness, 100).accepted).toEqual([])
      }
    }
  })

  it("has as many constraints as it had", async () => {
    const { graph } = await mnist("mnist-mlp")
    const [{ name }] = graph.outputs
    const counts: Record<string, number> = {}
    for (const proofSystem of systems) {
      const bare = await compile(graph, { proofSystem })
      const gadgets = async (change: Partial<PolicyDocument>) =>
        (await compile(graph, { proofSystem, within: documentOf(change) })).linked.r1cs.rows -
        bare.linked.r1cs.rows
      counts[`${proofSystem}, margin`] = await gadgets({ abstain: { tensor: name, margin: 1 } })
      counts[`${proofSystem}, limits`] = await gadgets({
        outputs: [limit({ tensor: name, least: -20, most: 20 })],
      })
    }
    expect(counts).toMatchInlineSnapshot(`
      {
        "groth16, limits": 578,
        "groth16, margin": 529,
        "mirage, limits": 84,
        "mirage, margin": 82,
      }
    `)
  })
})

describe("a receipt with the bit of a policy", () => {
  const graph = affine({ weights: [[2, -1], [1, 1]], lo: -4, bits: 3 }) // biome-ignore format: a matrix
  const document = documentOf({
    inputs: [limit({ tensor: "x", least: -1 })],
    outputs: [limit({ most: 4 })],
    ...margin(2),
  })
  const other = documentOf({ outputs: [limit({ most: 3 })] })
  const name = predicateName(documentDigest(document))
  const context = hex("5")
  /** Real inputs: the scale of x is a half. */
  const inside = { x: [-0.5, 0.5] }
  const outside = { x: [1, 0.5] }
  type Made = { circuit: Circuit; verificationKey: api.VerificationKey; receipts: api.Receipt[] }
  async function made(options: api.CompileOptions): Promise<Made> {
    const circuit = await compile(graph, { within: document, ...options })
    const { provingKey, verificationKey } = await api.setup(circuit, { dev: true })
    const prover = await api.openProver(circuit, provingKey)
    const salts = {
      ...(circuit.output === "committed" ? { output: api.drawSalt() } : {}),
      ...(circuit.input === "committed" ? { input: api.drawSalt() } : {}),
    }
    const receipts: api.Receipt[] = []
    try {
      for (const x of [inside, outside]) receipts.push(await prover.prove(x, { context, salts }))
      receipts.push(await prover.prove(inside, { context: hex("6"), salts }))
    } finally {
      await prover.close()
    }
    return { circuit, verificationKey, receipts }
  }
  const problem = (receipt: unknown, { verificationKey }: Made) =>
    api.explain(receipt, { verificationKey, model: verificationKey.model, context, allowDev: true })

  let committed: Made
  beforeAll(async () => {
    committed = await made({ input: "committed", output: "committed" })
  })

  it("shows the bit beside the commitment to the answer, and nothing else", () => {
    const { circuit, verificationKey, receipts } = committed
    expect(verificationKey.layout.outputs.map(({ name, visibility }) => [name, visibility])).toEqual([
      [name, "public"],
      ["y", "committed"],
    ])
    expect(receipts.map((receipt) => receipt.statement.output)).toEqual(
      ["1", "0", "1"].map((bit) => ({
        visibility: "committed",
        commitment: expect.stringMatching(/^0x[0-9a-f]{64}$/),
        values: { [name]: [bit] },
      })),
    )
    for (const receipt of receipts.slice(0, 2)) expect(problem(receipt, committed)).toBe(null)
    expect(api.parseReceipt(JSON.stringify(receipts[0]))).toEqual(receipts[0])
    expect(describeCircuit(circuit).output).toBe("committed")
  })

  it("is within the policy by its bit, and by that of no other document", () => {
    const { verificationKey, receipts } = committed
    const { layout } = verificationKey
    const [yes, no] = receipts.map(({ statement }) => statement)
    expect(within(document, layout, yes)).toBe(null)
    expect(within(document, layout, no)?.join()).toMatch(/bit/)
    expect(within(other, layout, yes)?.join()).toMatch(/cannot be checked/)
    // whoever holds the values sees more than the bit
    expect(within(document, layout, yes, { output: { y: ["9", "0"] } })?.join()).toMatch(/admissible/)
    const { policy, unchecked } = onChainPolicy(document, layout)
    expect(unchecked).toEqual([])
    expect(policy.bounds).toEqual([{ word: 0, shift: 0, bits: 1, lo: 0, least: 1, most: 1 }])
    expect(onChainPolicy(other, layout).policy.bounds).toEqual([])
    expect(onChainPolicy(other, layout).unchecked).toHaveLength(1)
  })

  it("of an edited bit, or with the values of a side that has a commitment alone, is refused", () => {
    const [yes, no] = committed.receipts
    const edited = (receipt: api.Receipt, output: object) => ({
      ...receipt,
      statement: { ...receipt.statement, output: { ...receipt.statement.output, ...output } },
    })
    expect(problem(edited(no, { values: { [name]: ["1"] } }), committed)).not.toBe(null)
    expect(problem(edited(yes, { values: { [name]: ["0"] } }), committed)).not.toBe(null)
    expect(problem(edited(yes, { values: { [name]: ["2"] } }), committed)).toMatch(/expected 0 to 1/)
    expect(problem(edited(yes, { values: { [name]: ["1"], y: ["0", "0"] } }), committed)).toMatch(
      /not one of/,
    )
    const { values: _, ...bare } = yes.statement.output as { values: unknown; visibility: "committed" }
    expect(problem({ ...yes, statement: { ...yes.statement, output: bare } }, committed)).toMatch(
      /is missing/,
    )
    for (const values of [{}, null, []])
      expect(() => api.parseReceipt(edited(yes, { values }))).toThrow(CountersignError)
    const input = { ...yes.statement.input, values: { x: ["0", "0"] } }
    expect(problem({ ...yes, statement: { ...yes.statement, input } }, committed)).toMatch(/not one of/)
    const commitment = (no.statement.output as { commitment: string }).commitment
    expect(problem(edited(yes, { commitment }), committed)).not.toBe(null)
  })

  it("comes from a circuit that is rebuilt from its files as it was", async () => {
    const { circuit } = committed
    const files = {
      model: serialize(circuit.graph),
      circuit: describeCircuit(circuit),
      gadgets: circuit.gadgets,
    }
    const rebuilt = await rebuildCircuit(JSON.parse(JSON.stringify({ ...files, model: 0 })) && files)
    expect(rebuilt.layout).toEqual(circuit.layout)
    expect(checkPredicate(rebuilt.graph, document)).toEqual({ model: modelDigest(graph) })
  })

  it("withstands an audit", async () => {
    const { circuit, verificationKey, receipts } = committed
    const report = await api.auditReceipt(receipts[0], receipts[2], verificationKey)
    expect(report.accepted).toEqual([])
    expect(circuit.layout.outputs).toHaveLength(2)
  })

  it("in plain groth16 is one more public signal, about a hidden input", async () => {
    const plain = await made({ proofSystem: "groth16" })
    for (const [i, receipt] of plain.receipts.slice(0, 2).entries()) {
      expect(problem(receipt, plain)).toBe(null)
      expect((receipt.statement.output as { values: object }).values).toHaveProperty(
        [name],
        [i === 0 ? "1" : "0"],
      )
    }
    const [yes, no] = plain.receipts.map(({ statement }) => statement)
    const { layout } = plain.verificationKey
    expect(within(document, layout, yes)).toBe(null)
    expect(within(document, layout, no)).not.toBe(null)
    expect(onChainPolicy(document, layout).unchecked).toEqual([])
    expect(within(other, layout, yes)).toBe(null)
  })
})
