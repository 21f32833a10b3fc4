/** Lists of thousands: gadgets unrolled from short ones, and eliminations in time proportional to what they change. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { digestOf } from "#src/circuit/formats/r1cs.js"
import { compileGadgets, runCircom } from "#src/circuit/gadgets/circom.js"
import {
  Draft,
  type Gadget,
  type Lc,
  type LocalRow,
  linearForm,
  ONE,
  type Rule,
} from "#src/circuit/gadgets/elimination.js"
import {
  argmaxGadget,
  type GadgetUse,
  gadgetCall,
  gadgetKey,
  gadgetKinds,
} from "#src/circuit/gadgets/families.js"
import { bits, lookups } from "#src/circuit/gadgets/ranges.js"
import { reduceGadgets } from "#src/circuit/gadgets/reduce.js"
import { seedsOf, unroll } from "#src/circuit/gadgets/series.js"
import { specified } from "#src/circuit/gadgets/specification.js"
import { firstFailingRow } from "#src/circuit/witness/check.js"
import { compile } from "#src/compile/compile.js"
import { describeCircuit, rebuildCircuit } from "#src/compile/description.js"
import { FileError, InvariantError } from "#src/errors.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { serialize } from "#src/quantize/canonical/digest.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { quantize } from "#src/quantize/quantize.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import type { PlainCircuit } from "#src/systems/plain/circuit.js"
import { witnessOf } from "#src/systems/plain/witness.js"
import { acceptedOutputs } from "../../support/exhaustive.js"
import { mirageWitness, valuesOf } from "../../support/networks.js"
import { encodeOnnx } from "../../support/onnx-writer.js"
import { Random } from "../../support/random.js"

const use = (kind: keyof typeof gadgetKinds, ...parameters: number[]): GadgetUse => ({
  kind: gadgetKinds[kind],
  parameters,
})
const triples = (values: number[]) =>
  values.flatMap((x) => values.flatMap((y) => values.map((z) => [x, y, z])))

/** All of a gadget, order of terms included. */
const textOf = ({ inputs, signals, rows, requests, outputs }: Gadget): string =>
  JSON.stringify([inputs, signals, rows, requests, outputs], (_, x) => (x instanceof Map ? [...x] : x))

describe("a series", () => {
  const lengths = [6, 7, 8, 9, 13, 40]
  it.each(["Max", "Largest", "Position", "Among"] as const)(
    "%s unrolled is what circom makes of it",
    async (kind) => {
      const uses = lengths.map((m) => (kind === "Among" ? use(kind, m) : use(kind, m, 3)))
      const reduced = reduceGadgets(uses, await compileGadgets(uses))
      const gadgets = uses.map((g) => reduced.get(gadgetKey(g)) as Gadget)
      for (const [i, g] of uses.entries())
        if (i > 2) expect(textOf(unroll(g, gadgets.slice(0, 3)))).toBe(textOf(gadgets[i]))
    },
  )

  it("with steps that differ in a coefficient is refused", async () => {
    const uses = seedsOf(use("Largest", 1000, 3))
    expect(uses.map(({ parameters }) => parameters)).toEqual([
      [6, 3],
      [7, 3],
      [8, 3],
    ])
    const reduced = reduceGadgets(uses, await compileGadgets(uses))
    const gadgets = uses.map((g) => reduced.get(gadgetKey(g)) as Gadget)
    const [, , third] = gadgets
    const [signal] = third.rows[6].a.keys()
    third.rows[6].a.set(signal, 2)
    expect(() => unroll(use("Largest", 1000, 3), gadgets)).toThrow(InvariantError)
  })

  it("is what every long list is, and no short one", () => {
    expect(argmaxGadget(256, 4).kind).toBe(gadgetKinds.Argmax)
    expect(argmaxGadget(257, 4).kind).toBe(gadgetKinds.Position)
    expect(seedsOf(use("Max", 256, 4))).toHaveLength(1)
    expect(seedsOf(use("Argmax", 1000, 4))).toHaveLength(1)
  })
})

describe.each([undefined, 2])("Position with a table of %s bits", (table) => {
  const strategy = table === undefined ? bits : lookups(table)
  const spec = (x: number[]) => x.indexOf(Math.max(...x))
  it("accepts the position and no other, and needs every row", async () => {
    const [g, inputs, p] = [use("Position", 3, 2), triples([0, 1, 3]), 23]
    const gadget = reduceGadgets([g], await compileGadgets([g])).get(gadgetKey(g)) as Gadget
    const stamp = strategy(gadget)
    if (table === undefined) expect(stamp.rows.length).toBe(g.kind.cost?.(g.parameters))
    else expect(stamp.rows.length).toBe(g.kind.lookups(g.parameters).rows)
    for (const x of inputs) expect([...acceptedOutputs(stamp, x, p)], `inputs ${x}`).toEqual([spec(x)])
    ;[...stamp.rows, ...stamp.queries].forEach((_, row) => {
      const forged = inputs.some((x) => [...acceptedOutputs(stamp, x, p, row)].some((y) => y !== spec(x)))
      expect(forged, `row ${row} of ${gadgetKey(g)} is not needed`).toBe(true)
    })
  })
})

/** Elimination as the definition says, over all rows again for every signal. */
function eliminateSlowly(rows: LocalRow[], others: Lc[], rules: readonly Rule[]): LocalRow[] {
  for (;;) {
    const found = rules
      .map((rule) =>
        rows.findIndex((row) => {
          const form = linearForm(row)
          return form && rule(form) !== undefined
        }),
      )
      .entries()
    const taken = [...found].find(([, row]) => row >= 0)
    if (!taken) return rows
    const [k, row] = taken
    const form = linearForm(rows[row]) as Lc
    const signal = rules[k](form) as number
    const value = form.get(signal)
    form.delete(signal)
    rows.splice(row, 1)
    const lc: Lc = new Map([...form].map(([other, c]) => [other, value === 1 ? -c : c]))
    for (const target of [...rows.flatMap(({ a, b, c }) => [a, b, c]), ...others]) {
      const factor = target.get(signal)
      if (factor === undefined) continue
      target.delete(signal)
      for (const [other, c] of lc) {
        const sum = (target.get(other) ?? 0) + factor * c
        if (sum === 0) target.delete(other)
        else target.set(other, sum)
      }
    }
  }
}

describe("elimination", () => {
  const signals = 8
  const lc = fc
    .uniqueArray(fc.tuple(fc.integer({ min: ONE, max: signals - 1 }), fc.constantFrom(1, -1, 2)), {
      selector: ([signal]) => signal,
      maxLength: 4,
    })
    .map((terms): [number, number][] => terms)
  const row = fc.oneof(
    lc.map((c) => [[], [], c]),
    fc.tuple(lc, lc, lc),
    lc.map((a) => [a, [[ONE, 1]], []]),
  ) as fc.Arbitrary<[number, number][][]>

  it("takes the rows that trying all of them takes, in the same order", () => {
    let most = 0
    fc.assert(
      fc.property(
        fc.array(row, { maxLength: 12 }),
        fc.array(lc, { maxLength: 3 }),
        lc,
        (rows, requests, output) => {
          const make = () => ({
            rows: rows.map(([a, b, c]) => ({ a: new Map(a), b: new Map(b), c: new Map(c) })),
            requests: requests.map((terms) => ({ lc: new Map(terms) })),
            outputs: [new Map(output)],
          })
          // rules that depend on the outputs as they are, and on what a row holds
          const rulesOf = (outputs: readonly Lc[]): Rule[] => {
            const one =
              (which: (signal: number, form: Lc) => boolean): Rule =>
              (form) =>
                [...form].find(([s, v]) => s > 1 && Math.abs(v) === 1 && which(s, form))?.[0]
            const isOutput = (signal: number) => outputs.some((o) => o.has(signal))
            return [one((s) => s > 5 && !isOutput(s)), one((s, form) => form.size < 3 && !isOutput(s))]
          }
          const [fast, slow] = [make(), make()]
          const draft = new Draft(fast.rows, fast.requests, fast.outputs)
          draft.eliminate(rulesOf(fast.outputs))
          const rest = eliminateSlowly(
            slow.rows,
            [...slow.requests.map((r) => r.lc), ...slow.outputs],
            rulesOf(slow.outputs),
          )
          most = Math.max(most, rows.length - rest.length)
          const text = (x: unknown) => JSON.stringify(x, (_, v) => (v instanceof Map ? [...v] : v))
          expect(text([draft.rows, fast.requests, fast.outputs])).toBe(
            text([rest, slow.requests, slow.outputs]),
          )
        },
      ),
      { numRuns: 3000 },
    )
    expect(most).toBeGreaterThan(4)
  })
})

describe("what circom makes of a gadget", () => {
  it("does not depend on the others of its program", async () => {
    const one = use("Largest", 3, 5)
    const { [gadgetKey(one)]: alone } = await compileGadgets([one])
    // 300 wires before it: circom sorts terms by the bytes of wire numbers
    const many = [use("Max", 20, 11), one]
    const program = `pragma circom 2.2.0; include "max.circom"; include "largest.circom";
      template Main() { ${many
        .map((g, i) => {
          const [m] = g.parameters
          return `signal input x${i}[${m}]; component g${i} = ${gadgetCall(g)}; g${i}.in <== x${i};`
        })
        .join("\n")} } component main = Main();`
    const { r1cs, symbols } = await runCircom(program)
    const { splitByComponent } = await import("#src/circuit/gadgets/circom.js")
    expect(splitByComponent(r1cs, symbols, 2)[1]).toEqual(alone)
  })
})

/** ArgMax or the largest of a list of m, by way of ONNX. */
async function listModel(operator: "ArgMax" | "ReduceMax", m: number): Promise<IntGraph> {
  const bytes = encodeOnnx({
    inputs: [{ name: "x", shape: [1, m] }],
    outputs: ["y"],
    nodes: [
      {
        operator,
        inputs: ["x"],
        outputs: ["y"],
        attributes: operator === "ArgMax" ? { axis: 1 } : { axes: [1] },
      },
    ],
  })
  const random = new Random(3)
  return quantize(importOnnx(bytes), { samples: Array.from({ length: 3 }, () => ({ x: random.reals(m) })) })
}

describe.each(["ArgMax", "ReduceMax"] as const)("%s over 10,000 elements", (operator) => {
  const m = 10_000
  it("compiles, and is rebuilt from its files; its witness holds, and no other", async () => {
    const graph = await listModel(operator, m)
    const random = new Random(9)
    const values = valuesOf({ graph, input: { x: random.reals(m) } })
    const circuit = await compile(graph)
    const files = {
      model: serialize(graph),
      circuit: JSON.parse(JSON.stringify(describeCircuit(circuit))),
      gadgets: JSON.parse(JSON.stringify(circuit.gadgets)),
    }
    expect(JSON.stringify(files.gadgets).length).toBeLessThan(100_000)
    const rebuilt = (await rebuildCircuit(files)) as MirageCircuit
    expect(digestOf(rebuilt.linked.r1cs)).toEqual(digestOf(circuit.linked.r1cs))
    const witness = await mirageWitness(circuit, values, 2n ** 200n + 1n)
    expect(firstFailingRow(circuit.linked.r1cs, witness)).toBe(-1)
    const output = graph.outputs[0].tensor
    const group = circuit.linked.stamped.find(({ tensor }) => tensor === output)
    const wire =
      (group?.base[0] ?? 0) + (group?.plan ? circuit.linked.stamps[group.plan.uses[0]].outputs[0] - m : 0)
    expect(witness.small[wire]).toBe((values.get(output) as Float64Array)[0])
    witness.small[wire] += 1
    expect(firstFailingRow(circuit.linked.r1cs, witness)).toBeGreaterThanOrEqual(0)
  })

  it("compiles by bits as well", async () => {
    const graph = await listModel(operator, 1000)
    const circuit: PlainCircuit = await compile(graph, { proofSystem: "groth16" })
    const values = valuesOf({ graph, input: { x: new Random(9).reals(1000) } })
    expect(() => witnessOf(circuit, values, `0x${"11".repeat(32)}`)).not.toThrow()
  })
})

describe("every family of gadgets", () => {
  it("has a specification", () => {
    for (const kind of Object.values(gadgetKinds))
      expect(() => specified({ kind, parameters: [4, 4] })).not.toThrow()
    const far = specified(use("Position", 3, 2))
    expect([far([1n, 3n, 3n]), far([2n, 0n, 2n]), far([0n, 0n, 4n])]).toEqual([1n, 0n, undefined])
  })
})

describe("gadgets of tables", () => {
  it("are named by the whole digest; a folder of before says that it must be compiled again", async () => {
    const table = use("Entry", 2, 2, 2, 1, 0)
    const key = gadgetKey(table)
    expect(key).toMatch(/^Entry\(2,2,2,[0-9a-f]{64}\)$/)
    const { [key]: raw } = await compileGadgets([table])
    const before = { [`${key.slice(0, -33)})`]: raw }
    expect(() => reduceGadgets([table], before)).toThrow(FileError)
    expect(() => reduceGadgets([table], before)).toThrow("Compile the model again")
  })
})
