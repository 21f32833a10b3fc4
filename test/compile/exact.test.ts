/** Numbers near the limits: refused where they could round, and exact in circuits everywhere else. */
import { describe, expect, it } from "vitest"
import { clampGadget, gadgetKinds } from "#src/circuit/gadgets/families.js"
import { specified } from "#src/circuit/gadgets/specification.js"
import { planGadgets } from "#src/circuit/plan/plan.js"
import { compile } from "#src/compile/compile.js"
import { differences, probes } from "#src/compile/differential.js"
import { FileError, ModelError } from "#src/errors.js"
import type { IntNode } from "#src/ops/program.js"
import { runExactly } from "#src/quantize/integers/exact.js"
import { proofSystems } from "#src/systems/index.js"
import { amount } from "../support/amount.js"
import { examine } from "../support/hostile-check.js"
import { origin, readGraph, sparse } from "../support/hostile-graphs.js"
import { mnist, small } from "../support/networks.js"
import { Random } from "../support/random.js"

const limit = 2 ** 52 - 1
const input: IntNode = { kind: "input", out: 0, name: "x", origin: origin("x") }
const linear = (out: number, source: number, weight: number, bias?: number): IntNode => ({
  kind: "linear",
  out,
  terms: [{ source, map: sparse([[[0, weight]]]) }],
  ...(bias !== undefined && { bias: Float64Array.of(bias) }),
  origin: origin(`linear${out}`),
})
const rescale = (out: number, source: number, shift: number, lo: number, bits: number): IntNode => ({
  kind: "rescale",
  out,
  source,
  shift,
  lo,
  bits,
  origin: origin(`rescale${out}`),
})
/** One element everywhere; input x is in [lo, lo + 2^bits). */
const chain = (nodes: readonly IntNode[], lo = 0, bits = 1, precision = 10) =>
  readGraph(
    nodes.map(() => 1),
    nodes,
    [{ name: "x", tensor: 0, lo, bits }],
    [nodes.length - 1],
    precision,
  )

describe("what could round is refused", () => {
  it("a window with an offset of 2^83, in which -1 became 0 and 0 was shown for -1000", async () => {
    const nodes = [input, linear(1, 0, 1, -1), rescale(2, 1, 52, -(2 ** 31), 32), linear(3, 2, 1000)]
    expect(() => chain(nodes)).toThrow(FileError)
    expect(() => chain(nodes)).toThrow(/rescale2: `Hostile`: the offset of its window .*given 2\^83\.0/)
    // and where gadgets are chosen, for a graph that came another way
    const honest = chain(nodes.with(2, rescale(2, 1, 2, -4, 4)))
    const forged = { ...honest, nodes }
    expect(() => planGadgets(forged)).toThrow(ModelError)
    for (const proofSystem of proofSystems)
      await expect(compile(forged, { proofSystem })).rejects.toThrow(ModelError)
  })

  it("weights whose product rounds although every value is small, as [3, 3] was shown for [0, 0]", async () => {
    // the larger of two inputs in [L, L + 1], then W·(m − L) and V times that: V·W·L does not fit
    const [l, w, v] = [2 ** 26 + 1, 2 ** 25 - 1, 2 ** 26 - 3]
    const max: IntNode = {
      kind: "max",
      out: 1,
      source: 0,
      window: 2,
      map: Int32Array.of(0, 1),
      origin: origin("max"),
    }
    const graph = readGraph(
      [2, 1, 1, 1],
      [input, max, linear(2, 1, w, -w * l), linear(3, 2, v)],
      [{ name: "x", tensor: 0, lo: l, bits: 1 }],
      [3],
    )
    expect(runExactly(graph, { x: [l, l] })[3]).toEqual([0n])
    for (const proofSystem of proofSystems) {
      await expect(compile(graph, { proofSystem })).rejects.toThrow(ModelError)
      await expect(compile(graph, { proofSystem })).rejects.toThrow(
        /linear3: the weights of `Hostile`.*2\^77/,
      )
    }
  })

  it("weights on what is always zero, also where they cancel again", async () => {
    const product: IntNode = { kind: "product", out: 2, left: 0, right: 1, origin: origin("product") }
    const cancelled: IntNode = {
      kind: "linear",
      out: 4,
      terms: [
        {
          source: 3,
          map: sparse([
            [
              [0, 2 ** 40],
              [0, -(2 ** 40)],
              [0, 1],
            ],
          ]),
        },
      ],
      origin: origin("cancelled"),
    }
    const graph = chain([input, linear(1, 0, 0), product, linear(3, 2, 2 ** 40), cancelled])
    for (const proofSystem of proofSystems)
      await expect(compile(graph, { proofSystem })).rejects.toThrow(/cancelled: the weights.*2\^80\.0/)
  })

  it("padding under an argmax, which has no number to be", () => {
    const argmax = (from: number): IntNode => ({
      kind: "argmax",
      out: 1,
      source: 0,
      window: 2,
      last: false,
      map: Int32Array.of(0, from),
      origin: origin("argmax"),
    })
    expect(() => chain([input, argmax(-1)])).toThrow(/the window map of node 1/)
    expect(chain([input, argmax(0)])).toBeDefined()
  })

  const table = (values: number[]): IntNode => {
    return {
      kind: "table",
      out: 1,
      source: 0,
      lo: 0,
      values: Float64Array.from(values),
      origin: origin("table"),
    }
  }
  const one = (out: number) => linear(out, 0, 0, 1)
  const quotient = (out: number, numerator: number, denominator: number): IntNode => {
    return { kind: "quotient", out, numerator, denominator, origin: origin("quotient") }
  }
  it("a denominator that can be zero, and a root of what can be negative", () => {
    const root = (source: number): IntNode => ({
      kind: "isqrt",
      out: source + 1,
      source,
      origin: origin("isqrt"),
    })
    expect(() => chain([input, quotient(1, 0, 0)])).toThrow(/quotient: `Hostile`: a denominator can be 0/)
    expect(() => chain([input, linear(1, 0, 1, -1), root(1)])).toThrow(
      /isqrt: `Hostile`: what a root .* can be -1/,
    )
    expect(chain([input, linear(1, 0, 1, 1), quotient(2, 0, 1), root(2)])).toBeDefined()
  })
  const index = (fill: number): IntNode => {
    return { kind: "index", out: 1, sources: [0], fill, map: Int32Array.of(-1), origin: origin("index") }
  }
  const both = (kind: "max" | "argmax"): IntNode[] => {
    const map = Int32Array.of(0, 1)
    const rest = { out: 3, source: 2, window: 2, map, origin: origin(kind) }
    return [kind === "max" ? { kind, ...rest } : { kind, last: false, ...rest }]
  }
  /** Nodes with a number at the limit, by how far beyond it. */
  const cases: [string, (beyond: number) => unknown][] = [
    ["the least input", (beyond) => chain([input], -limit - beyond)],
    ["the largest input", (beyond) => chain([input], limit - 1 + beyond)],
    ["a fill", (beyond) => chain([input, index(limit + beyond)])],
    ["a weight", (beyond) => chain([input, linear(1, 0, -limit - beyond)])],
    ["a weight on zero", (beyond) => chain([input, linear(1, 0, 0), linear(2, 1, limit + beyond)])],
    ["a bias", (beyond) => chain([input, linear(1, 0, 0, limit + beyond)])],
    ["a partial sum that cancels", (beyond) => chain([input, linear(1, 0, 1 + beyond, 1 - limit)])],
    [
      "a dividend",
      (beyond) => chain([input, linear(1, 0, 0, 2 ** 51 - 2 + beyond), one(2), quotient(3, 1, 2)]),
    ],
    ["a denominator", (beyond) => chain([input, linear(1, 0, 0, 2 ** 51 - 2 + beyond), quotient(2, 0, 1)])],
    ["a table's entry", (beyond) => chain([input, table([limit - 1, limit + beyond])])],
    [
      "a product",
      (beyond) =>
        chain([
          input,
          linear(1, 0, 2 ** 26 - 1),
          linear(2, 0, 2 ** 26 + 1 + beyond),
          {
            kind: "product",
            out: 3,
            left: 1,
            right: 2,
            origin: origin("product"),
          },
        ]),
    ],
    ["a window's offset", (beyond) => chain([input, rescale(1, 0, 2, 1 - 2 ** 50 - beyond, 1)])],
    [
      "a shifted accumulator",
      (beyond) => chain([input, linear(1, 0, 1, 2 ** 51 - 2 + beyond), rescale(2, 1, 1, -(2 ** 50), 8)]),
    ],
    ...(["max", "argmax"] as const).map((kind): [string, (beyond: number) => unknown] => [
      `a difference under ${kind}`,
      (beyond) =>
        readGraph(
          [1, 1, 2, 1],
          [
            input,
            linear(1, 0, 0, 2 ** 51 - 1 + beyond),
            {
              kind: "linear",
              out: 2,
              terms: [{ source: 1, map: sparse([[[0, 1]], [[0, -1]]]) }],
              bias: Float64Array.of(0, -1),
              origin: origin("opposites"),
            },
            ...both(kind),
          ],
          [{ name: "x", tensor: 0, lo: 0, bits: 1 }],
          [3],
        ),
    ]),
  ]
  it.each(cases)("%s", (_, make) => {
    expect(() => make(1)).toThrow(FileError)
    expect(() => make(1)).toThrow(/beyond 52 bits/)
    expect(make(0)).toBeDefined()
  })
})

describe("circuits say what their models say in exact integers", () => {
  it("at the limit itself, in a layout of 53 bits", async () => {
    const ends: IntNode = {
      kind: "linear",
      out: 1,
      terms: [{ source: 0, map: sparse([[[0, 1]], [[0, -1]]]) }],
      bias: Float64Array.of(limit - 1, 1 - limit),
      origin: origin("ends"),
    }
    const graph = readGraph([1, 2], [input, ends], [{ name: "x", tensor: 0, lo: 0, bits: 1 }], [1])
    for (const proofSystem of proofSystems) {
      const circuit = await compile(graph, { proofSystem })
      expect(circuit.layout.outputs[0]).toMatchObject({ lo: -limit, bits: 53 })
      for (const probe of probes(graph, 0, () => 0)) expect(differences(circuit, probe)).toEqual([])
    }
  })

  it("of the quantizer, at the corners of the declared ranges and at random", async () => {
    const random = new Random(3)
    const all = proofSystems.length
    for (const [{ graph }, count] of [
      [await small(), all],
      [await mnist("mnist-mlp"), all],
      [await mnist("mnist-lenet"), amount(1, all)],
    ] as const) {
      for (const proofSystem of proofSystems.slice(0, count)) {
        const circuit = await compile(graph, { proofSystem })
        for (const probe of probes(graph, 2, () => random.next()))
          expect(differences(circuit, probe)).toEqual([])
      }
    }
  })

  it("with words that are committed to", async () => {
    const { graph } = await small()
    const circuit = await compile(graph, { input: "committed", output: "committed" })
    for (const probe of probes(graph, 1, () => 0.3)) expect(differences(circuit, probe)).toEqual([])
  })

  it("of hostile files, or these are refused with a typed error; no false output is accepted", async () => {
    const files = amount(50, 200)
    const findings = await examine(Array.from({ length: files }, (_, seed) => seed))
    expect(findings.faults).toEqual([])
    expect(findings.circuits).toBeGreaterThan(1.5 * files)
    expect(findings.refusedFiles).toBeGreaterThan(0.01 * files)
    expect(findings.refusedCircuits).toBeGreaterThan(0.01 * files)
    expect(findings.forgeries).toBeGreaterThan(50 * files)
  })
})

describe("the specification of a gadget", () => {
  it("is defined wherever the planner chose it, and is the clamp", () => {
    const random = new Random(8)
    for (let run = 0; run < 2000; run++) {
      const [shift, bits] = [random.integer(1, 20), random.integer(1, 12)]
      const [x, y] = [random.integer(-(2 ** 33), 2 ** 33), random.integer(-(2 ** 20), 2 ** 20)]
      const [min, max] = [Math.min(x, y), Math.max(x, y)]
      const use = clampGadget(shift, bits, min, max)
      for (const acc of [min, max, random.integer(min, max)]) {
        const out = Math.min(Math.max(Math.floor(acc / 2 ** shift), 0), 2 ** bits - 1)
        expect(typeof use === "number" ? BigInt(use) : specified(use)([BigInt(acc)])).toBe(BigInt(out))
      }
    }
  })

  it.each<[keyof typeof gadgetKinds, number[], bigint[], bigint[]]>([
    ["InRange", [3], [0n, 7n], [-1n, 8n]],
    ["Truncate", [2, 3], [0n, 31n], [-1n, 32n]],
    ["Rectify", [2, 3], [-32n, 31n], [-33n, 32n]],
    ["Clamp", [2, 2, 1], [-32n, 31n], [-33n, 32n]],
    ["Complement", [2, 3, 2], [-12n, 31n], [-13n, 32n]],
    ["Excess", [2, 2, 2], [-12n, 27n], [-13n, 28n]],
    ["Signed", [1, 1, 1, 2, 3, 5], [-6n, 7n], [-7n, 8n]],
    ["Gated", [1, 1, 1, 1, 1, 5], [-4n, 5n], [-5n, 6n]],
    ["Entry", [2, 4, 1, 9, 8], [0n, 1n], [-1n, 2n]],
    // 2 · out < 2^3
    ["Root", [3], [0n, 15n], [-1n, 16n]],
  ])("of %s(%s) ends where the circom header says", (kind, parameters, inside, outside) => {
    const prove = specified({ kind: gadgetKinds[kind], parameters })
    for (const x of inside) expect(prove([x])).toBeDefined()
    for (const x of outside) expect(prove([x])).toBeUndefined()
  })

  it("of Quotient rounds to the nearest, and ends where its window and denominators do", () => {
    const prove = specified({ kind: gadgetKinds.Quotient, parameters: [2, 3, -1] })
    for (const [num, den, out] of [
      [-4n, 4n, 0n],
      [-2n, 4n, 1n],
      [-3n, 4n, 0n],
      [1n, 2n, 2n],
      [9n, 4n, 3n],
    ])
      expect(prove([num, den])).toBe(out)
    for (const operands of [
      [0n, 0n],
      [0n, -1n],
      [0n, 5n],
      [10n, 4n],
      [-7n, 4n],
    ])
      expect(prove(operands)).toBeUndefined()
  })

  it.each(["Argmax", "Position"] as const)("of %s names the first of the largest operands", (kind) => {
    const prove = specified({ kind: gadgetKinds[kind], parameters: [3, 2] })
    expect(prove([1n, 3n, 3n])).toBe(1n)
    expect(prove([0n, 1n, 4n])).toBeUndefined()
  })
})
