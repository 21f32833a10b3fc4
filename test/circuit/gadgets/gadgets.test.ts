import fc from "fast-check"
import { wtns } from "snarkjs"
import { beforeAll, describe, expect, it } from "vitest"
import { compileGadgets, runCircomForWitness } from "#src/circuit/gadgets/circom.js"
import {
  bitLength,
  clampGadget,
  type GadgetUse,
  gadgetCall,
  gadgetKey,
  gadgetKinds,
  tableGadget,
} from "#src/circuit/gadgets/families.js"
import { bits, lookups, lookupsOf, type RangeStrategy, type Stamp } from "#src/circuit/gadgets/ranges.js"
import { type Gadget, ONE, reduceGadgets } from "#src/circuit/gadgets/reduce.js"
import { functionTable, gatedTable, signedTable } from "#src/circuit/gadgets/tables.js"
import { acceptedOutputs } from "../../support/exhaustive.js"

const use = (kind: keyof typeof gadgetKinds, ...parameters: number[]): GadgetUse => ({
  kind: gadgetKinds[kind],
  parameters,
})
const range = (lo: number, hi: number) => Array.from({ length: hi - lo }, (_, i) => lo + i)
const clampOf = (acc: number, k: number, w: number) =>
  Math.min(Math.max(Math.floor(acc / 2 ** k), 0), 2 ** w - 1)
const pairs = (values: number[]) => values.flatMap((x) => values.map((y) => [x, y]))
const triples = (values: number[]) => pairs(values).flatMap((pair) => values.map((z) => [...pair, z]))

interface Case {
  use: GadgetUse
  inputs: number[][]
  spec: (x: number[]) => number | undefined
  p: number
  /** Bits of the lookup table; the bit strategy without. */
  table?: number
}

/** Of all numerators whose quotient is in the gadget's window. */
function quotientCase(b: number, n: number, lo: number, dens: number[], p: number, table?: number): Case {
  const spec = ([num, den]: number[]) => Math.floor((2 * num + den) / (2 * den)) - lo
  const all = dens.flatMap((den) => range(-13, 15).map((num) => [num, den]))
  const inputs = all.filter((x) => spec(x) >= 0 && spec(x) < 2 ** b)
  return { use: use("Quotient", b, n, lo), inputs, spec, p, ...(table ? { table } : {}) }
}

/** Small parameters, all admissible inputs, the specification, and a prime in which no admissible sum wraps. */
const cases: Case[] = [
  {
    use: use("Clamp", 1, 1, 1),
    inputs: range(-8, 8).map((x) => [x]),
    spec: ([x]) => clampOf(x, 1, 1),
    p: 67,
  },
  {
    use: use("Clamp", 1, 2, 1),
    inputs: range(-16, 16).map((x) => [x]),
    spec: ([x]) => clampOf(x, 1, 2),
    p: 131,
  },
  {
    use: use("Clamp", 2, 1, 2),
    inputs: range(-32, 32).map((x) => [x]),
    spec: ([x]) => clampOf(x, 2, 1),
    p: 257,
  },
  {
    use: use("Rectify", 1, 2),
    inputs: range(-8, 8).map((x) => [x]),
    spec: ([x]) => clampOf(x, 1, 2),
    p: 67,
  },
  ...[undefined, 1, 2].map((table) => ({
    use: use("Threshold", 1, 3),
    inputs: range(-6, 10).map((x) => [x]),
    spec: ([x]: number[]) => (x >= 2 ? 1 : 0),
    p: 67,
    ...(table ? { table } : {}),
  })),
  { use: use("Truncate", 1, 2), inputs: range(0, 8).map((x) => [x]), spec: ([x]) => x >> 1, p: 37 },
  { use: use("Max", 3, 2), inputs: triples([-1, 0, 2]), spec: (x) => Math.max(...x), p: 37 },
  { use: use("Max", 2, 2), inputs: pairs([-1, 0, 1, 2]), spec: (x) => Math.max(...x), p: 37 },
  { use: use("Argmax", 3, 1), inputs: triples([-1, 0]), spec: (x) => x.indexOf(Math.max(...x)), p: 17 },
  { use: use("Argmax", 3, 2), inputs: triples([0, 1, 3]), spec: (x) => x.indexOf(Math.max(...x)), p: 23 },
  ...[
    [2, -1, 0, 3],
    [1, 5, 4, 0, 2, 7, 7, -3],
  ].map((f) => ({
    use: tableGadget(f),
    inputs: range(0, 23).map((x) => [x]),
    spec: ([x]: number[]) => f[x],
    p: 23,
  })),
  { use: use("Product"), inputs: pairs([-3, 0, 2]), spec: ([x, y]) => x * y, p: 37 },
  {
    use: use("InRange", 2),
    inputs: range(0, 37).map((x) => [x]),
    spec: ([x]) => (x < 4 ? 0 : undefined),
    p: 37,
  },
  // 2 · den · |q| + 2 · |num| + den + 2^n and twice 2^n + den stay below the half of p
  ...[undefined, 1].map((table) => quotientCase(2, 3, 0, [1, 3, 4], 163, table)),
  ...[undefined, 2].map((table) => quotientCase(2, 2, -2, [1, 2], 67, table)),
  ...[undefined, 1, 2].map((table) => ({
    use: use("Root", 2),
    inputs: range(0, 4).map((x) => [x]),
    spec: ([x]: number[]) => Math.floor(Math.sqrt(x)),
    // (2^2 + 2^2)^2 + 4 · (3 + 4)
    p: 97,
    ...(table ? { table } : {}),
  })),
  // checks: what they accept of their operands
  ...[undefined, 1, 2].flatMap((table): Case[] => [
    {
      use: use("Beyond", 2),
      inputs: pairs(range(-2, 3)),
      spec: ([above, below]) => (above > below ? 0 : undefined),
      p: 37,
      ...(table ? { table } : {}),
    },
    {
      use: use("Rest", 2, 0),
      inputs: pairs(range(-1, 3)).flatMap(([least, key]) => [0, 1].map((mark) => [least, mark, key])),
      spec: ([least, mark, key]) => (mark === (key < least ? 0 : 1) ? 0 : undefined),
      p: 37,
      ...(table ? { table } : {}),
    },
    {
      use: use("Rest", 2, 1),
      inputs: pairs([-1, 0, 2]).flatMap(([least, key]) => range(0, 37).map((mark) => [least, mark, key])),
      spec: ([least, mark, key]) => (mark === (key < least ? 0 : 1) ? 0 : undefined),
      p: 37,
      ...(table ? { table } : {}),
    },
  ]),
  {
    use: use("Among", 3),
    inputs: triples([-1, 0, 2]).flatMap((list) => [-1, 0, 1, 2].map((value) => [value, ...list])),
    spec: ([value, ...list]) => (list.includes(value) ? 0 : undefined),
    p: 37,
  },
  // forms that both strategies can serve
  ...[undefined, 1].map((table) => ({
    use: use("Complement", 1, 2, 2),
    inputs: range(-6, 8).map((x) => [x]),
    spec: ([x]: number[]) => clampOf(x, 1, 2),
    p: 67,
    ...(table ? { table } : {}),
  })),
  ...[undefined, 1].map((table) => ({
    use: use("Excess", 1, 1, 2),
    inputs: range(-6, 8).map((x) => [x]),
    spec: ([x]: number[]) => clampOf(x, 1, 1),
    p: 67,
    ...(table ? { table } : {}),
  })),
  ...[undefined, 2].map((table) => ({
    use: use("Largest", 3, 2),
    inputs: triples([-1, 0, 2]),
    spec: (x: number[]) => Math.max(...x),
    p: 37,
    ...(table ? { table } : {}),
  })),
  // the others by lookups: widths below, equal to and above the table's, and no multiple of it
  ...[1, 2, 3].map((table) => ({
    use: use("InRange", 2),
    inputs: range(0, 67).map((x) => [x]),
    spec: ([x]: number[]) => (x < 4 ? 0 : undefined),
    p: 67,
    table,
  })),
  {
    use: use("InRange", 3),
    inputs: range(0, 67).map((x) => [x]),
    spec: ([x]) => (x < 8 ? 0 : undefined),
    p: 67,
    table: 2,
  },
  { use: use("Truncate", 2, 1), inputs: range(0, 8).map((x) => [x]), spec: ([x]) => x >> 2, p: 37, table: 1 },
  {
    use: use("Argmax", 3, 2),
    inputs: triples([0, 1, 3]),
    spec: (x) => x.indexOf(Math.max(...x)),
    p: 23,
    table: 2,
  },
  { use: use("Max", 3, 2), inputs: triples([-1, 0, 2]), spec: (x) => Math.max(...x), p: 37, table: 2 },
  // tables of their own: d in [-4, 4), low of 1 bit; |acc| <= 10, so 2^(1+1+j) > 10 + 8 + 8
  {
    use: use("Gated", 1, 1, 1, 2, 2, 3),
    inputs: range(-8, 10).map((x) => [x]),
    spec: ([x]) => clampOf(x, 1, 1),
    p: 211,
    table: 1,
  },
  ...[
    [2, 1, 0],
    [1, 0, 3, 3],
  ].map((f) => ({
    use: use("Entry", f.length, 2, 2, ...f),
    inputs: f.map((_, x) => [x]),
    spec: ([x]: number[]) => f[x],
    p: 67,
    table: 1,
  })),
  // |max - in| < 2 · 3, and nothing is accepted of a max that is less than in; 2^3 > 2 · 3
  {
    use: use("Below", 1, 3, 2, 3, 3, 1, 0),
    inputs: pairs([-2, -1, 0, 1, 2, 3]),
    spec: ([max, x]) => (max < x ? undefined : [3, 1, 0][(max - x) >> 1]),
    p: 211,
    table: 1,
  },
  // |acc| < 2 · 3, and nothing is accepted of one that is negative
  {
    use: use("Step", 1, 3, 2, 3, 3, 1, 0),
    inputs: range(-5, 6).map((x) => [x]),
    spec: ([x]) => (x < 0 ? undefined : [3, 1, 0][x >> 1]),
    p: 211,
    table: 1,
  },
  {
    use: use("BelowTable", 1, 2, 3, 1, 0, 2),
    inputs: pairs([-4, -3, 0, 2, 3]),
    spec: ([max, x]) => (max < x ? undefined : [3, 1, 0, 2][(max - x) >> 1]),
    p: 67,
  },
  // one digit, -3 <= d <= 2; |acc| <= 7: 2^(1+j) > 7 + 4 + 6
  {
    use: use("Signed", 1, 1, 1, 2, 3, 4),
    inputs: range(-6, 8).map((x) => [x]),
    spec: ([x]) => clampOf(x, 1, 1),
    p: 211,
    table: 1,
  },
  // two digits, -3 <= d <= 3; 2^(1+j) > 9 + 4 + 2 * 3
  {
    use: use("Signed", 1, 1, 2, 1, 1, 4),
    inputs: range(-6, 10).map((x) => [x]),
    spec: ([x]) => clampOf(x, 1, 1),
    p: 211,
    table: 1,
  },
]

/** A real table, one that is shorter than a power of two, and some whose choices are copies or constants. */
const sigmoid = tableGadget(range(0, 1024).map((x) => Math.round(1023 / (1 + Math.exp((512 - x) / 64)))))
const plain = [
  [0, 5, 9],
  [0, 0, 5, 5],
  [0, 5, 0, 5],
  [0, 1, 2, 3, 4, 5, 6, 7],
  [3, 3, 3, 3, 3, 3, 3, 4],
  [1, 0, 1, 0, 0, 1, 0, 1],
]

let gadgets: Map<string, Gadget>
const stampOf = (g: GadgetUse, table?: number): Stamp => {
  const strategy: RangeStrategy = table === undefined ? bits : lookups(table)
  return strategy(gadgets.get(gadgetKey(g)) as Gadget)
}

beforeAll(async () => {
  const uses = [
    ...cases.map((c) => c.use),
    use("Clamp", 10, 10, 5),
    use("Max", 4, 10),
    use("Argmax", 10, 24),
    sigmoid,
    ...plain.map(tableGadget),
  ]
  gadgets = reduceGadgets(uses, await compileGadgets(uses))
})

const title = ({ use: g, table }: Case) =>
  `${gadgetKey(g)} ${table === undefined ? "bits" : `table of ${2 ** table}`}`

describe.each(cases.map((c) => [title(c), c] as const))("%s", (_, { use: g, inputs, spec, p, table }) => {
  const expected = (x: number[]) => {
    const value = spec(x)
    return value === undefined ? [] : [((value % p) + p) % p]
  }

  it("accepts the specified output and no other, for every admissible input and every assignment of hints", () => {
    for (const x of inputs)
      expect([...acceptedOutputs(stampOf(g, table), x, p)], `inputs ${x}`).toEqual(expected(x))
  })

  it("needs every row and query: deleting any one lets a wrong output through", () => {
    const stamp = stampOf(g, table)
    ;[...stamp.rows, ...stamp.queries].forEach((_, row) => {
      const forged = inputs.some((x) => {
        const wrong = (output: number) => !expected(x).includes(output)
        return [...acceptedOutputs(stamp, x, p, row, wrong)].some(wrong)
      })
      expect(forged, `row ${row} of ${gadgetKey(g)} is not needed`).toBe(true)
    })
  })

  it("costs what its header says", () => {
    const stamp = stampOf(g, table)
    if (table === undefined) {
      expect(stamp.rows.length).toBe(g.kind.cost?.(g.parameters))
      return
    }
    const shape = g.kind.lookups(g.parameters)
    expect(stamp.rows.length).toBe(shape.rows)
    const ranges = shape.ranges.reduce((sum, width) => sum + lookupsOf(width, table), 0)
    expect(stamp.queries.length).toBe(ranges + shape.members)
  })
})

it("Chosen accepts each of its operands and nothing else, and needs every row", async () => {
  const g = use("Chosen", 3)
  const stamp = bits(reduceGadgets([g], await compileGadgets([g])).get(gadgetKey(g)) as Gadget)
  const p = 37
  for (const x of triples([0, 1, 5])) {
    expect(acceptedOutputs(stamp, x, p)).toEqual(new Set(x))
    expect(acceptedOutputs(stamp, x, p, 0).size).toBeGreaterThan(new Set(x).size)
  }
  expect(stamp.rows.length).toBe(g.kind.cost?.(g.parameters))
  expect(acceptedOutputs(stamp, [0, 1, 5], p, 1).size).toBe(p)
})

describe("real parameters", () => {
  const p = 2n ** 61n - 1n
  const satisfied = (stamp: Stamp, values: bigint[]): boolean =>
    stamp.rows.every((row) => {
      const [a, b, c] = [row.a, row.b, row.c].map((lc) => {
        let sum = 0n
        for (const [wire, coefficient] of lc) sum += BigInt(coefficient) * (wire === ONE ? 1n : values[wire])
        return sum
      })
      return (a * b - c) % p === 0n
    })
  const honest = (stamp: Stamp, inputs: number[]): bigint[] => {
    const { gadget } = stamp
    const signals = new Map(gadget.signals.map((name, i) => [name, i]))
    const values = new Array<number>(gadget.signals.length).fill(0)
    inputs.forEach((value, i) => {
      values[i] = value
    })
    gadget.use.kind.hints(gadget.use.parameters, inputs, (name, value) => {
      const i = signals.get(name)
      if (i !== undefined) values[i] = value
    })
    const evaluate = (lc: Map<number, number>) =>
      [...lc].reduce((sum, [i, coefficient]) => sum + coefficient * (i === ONE ? 1 : values[i]), 0)
    const wires = stamp.sources.map((source) =>
      "of" in source
        ? Math.floor(evaluate(source.of) / 2 ** source.shift) % 2 ** source.size
        : values[source.signal],
    )
    return [...inputs, ...wires].map(BigInt)
  }
  /** Honest hints are accepted; each single hint moved by ±1, ±2^w or half the field is refused. */
  const attack = (g: GadgetUse, inputs: number[], output: number) => {
    const stamp = stampOf(g)
    const values = honest(stamp, inputs)
    expect(satisfied(stamp, values)).toBe(true)
    expect(Number(values[stamp.outputs[0]])).toBe(output)
    for (let wire = inputs.length; wire < values.length; wire++) {
      for (const delta of [1n, -1n, 1024n, -1024n, 1n << 20n, (p + 1n) / 2n, (p + 1n) / 1024n]) {
        const forged = [...values]
        forged[wire] += delta
        expect(satisfied(stamp, forged), `wire ${wire} moved by ${delta}`).toBe(false)
      }
    }
  }
  it("clamp", () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 25), max: 2 ** 25 - 1 }), (acc) => {
        attack(use("Clamp", 10, 10, 5), [acc], clampOf(acc, 10, 10))
      }),
      { numRuns: 60, examples: [[-1], [0], [1023], [2 ** 20 - 1], [2 ** 20], [-(2 ** 25)], [2 ** 25 - 1]] },
    )
  })
  it("max", () => {
    const value = fc.integer({ min: -512, max: 511 })
    fc.assert(
      fc.property(fc.tuple(value, value, value, value), (x) => attack(use("Max", 4, 10), x, Math.max(...x))),
      { numRuns: 30, examples: [[[5, 5, 5, 5]]] },
    )
  })
  it("table", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1023 }), (x) => attack(sigmoid, [x], sigmoid.parameters[1 + x])),
      { numRuns: 20, examples: [[0], [1023], [512]] },
    )
  })
  it("argmax, ties to the lowest index", () => {
    const value = fc.integer({ min: -4, max: 4 })
    fc.assert(
      fc.property(fc.array(value, { minLength: 10, maxLength: 10 }), (x) =>
        attack(use("Argmax", 10, 24), x, x.indexOf(Math.max(...x))),
      ),
      { numRuns: 20 },
    )
  })
})

describe("tables", () => {
  it("have the entries that circom's definition of their door vanishes on", async () => {
    for (const [door, table] of [
      ["SignedTable(2,3,1,5)", signedTable(2, 3, 1, 5)],
      ["SignedTable(1,1,2,3)", signedTable(1, 1, 2, 3)],
      ["GatedTable(3,2,4,6)", gatedTable(3, 2, 4, 6)],
      ["GatedTable(1,1,1,1)", gatedTable(1, 1, 1, 1)],
      ["FunctionTable(3,2,[5,0,1])", functionTable([5, 0, 1], 2)],
    ] as const) {
      expect(table.key).toBe(door)
      const { wasm } = await runCircomForWitness(
        `pragma circom 2.2.0; include "member.circom"; component main = ${door};`,
      )
      const near = new Set([...table.entries].flatMap((entry) => [entry - 1, entry, entry + 1]))
      for (const x of near) {
        const accepted = await wtns
          .calculate({ in: `${x}` }, { type: "mem", data: wasm }, { type: "mem" })
          .then(
            () => true,
            () => false,
          )
        expect(accepted, `${x} in ${door}`).toBe(table.rowOf(x) >= 0)
      }
    }
  })
})

describe("function tables by bits", () => {
  it.each(plain.map((f) => [f]))("%j accept their entries alone, and no index past the end", (f) => {
    const g = tableGadget(f)
    const p = 17
    for (let x = 0; x < p; x++) {
      const want = x < 2 ** g.parameters[0] ? [f[Math.min(x, f.length - 1)]] : []
      expect([...acceptedOutputs(stampOf(g), [x], p)]).toEqual(want)
    }
    expect(stampOf(g).rows.length).toBeLessThanOrEqual(g.kind.cost?.(g.parameters) ?? 0)
  })
  it("have exact coefficients, few rows, and a name that is no list of their entries", () => {
    const { rows } = stampOf(sigmoid)
    expect(rows.length).toBe(2 ** 5 + 2 ** 5 + 5 - 1)
    const sizes = rows.flatMap(({ a, b, c }) => [a, b, c].flatMap((lc) => [...lc.values()].map(Math.abs)))
    expect(Math.max(...sizes)).toBeLessThan(2 ** 16)
    expect(gadgetCall(sigmoid)).toMatch(/^Table\(10,\[0,/)
    expect(gadgetKey(sigmoid)).toMatch(/^Table\(10,[0-9a-f]{64}\)$/)
    expect(gadgetKey(tableGadget(plain[0]))).not.toBe(gadgetKey(tableGadget(plain[1])))
  })
})

describe("choice of gadget", () => {
  it("covers the static interval, and is the cheapest family that does", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 14 }),
        fc.integer({ min: -(2 ** 30), max: 2 ** 30 }),
        fc.integer({ min: 0, max: 2 ** 30 }),
        (k, w, min, width) => {
          const max = min + width
          const choice = clampGadget(k, w, min, max)
          if (typeof choice === "number") {
            expect(clampOf(min, k, w)).toBe(choice)
            expect(clampOf(max, k, w)).toBe(choice)
            return
          }
          const [shift, n, t = 0] = choice.parameters
          const limit = 2 ** (shift + n + t)
          expect(max).toBeLessThan(limit)
          expect(min).toBeGreaterThanOrEqual(choice.kind === gadgetKinds.Truncate ? 0 : -limit)
          if (choice.kind === gadgetKinds.Clamp) expect(clampOf(max, k, w)).toBe(2 ** w - 1)
        },
      ),
    )
  })
  it("bitLength", () => {
    for (const [value, n] of [
      [0, 0],
      [1, 1],
      [2, 2],
      [3, 2],
      [4, 3],
      [2 ** 40 - 1, 40],
      [2 ** 40, 41],
      [2 ** 52, 53],
    ]) {
      expect(bitLength(value)).toBe(n)
    }
  })
})
