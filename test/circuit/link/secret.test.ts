/**
 * Rows of linear maps with secret weights: all assignments over small fields, every result of small windows at every
 * challenge, what each row is for, and forgeries against weaker rules.
 */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { R1cs } from "#src/circuit/formats/r1cs.js"
import { R1csBuilder } from "#src/circuit/link/builder.js"
import { ProjectionBuilder } from "#src/circuit/link/projection.js"
import { linkSecret, runQueries, type SecretWires } from "#src/circuit/link/secret.js"
import { type Bank, banksOf, type Slots, slotsOf } from "#src/circuit/plan/banks.js"
import type { SecretPlan } from "#src/circuit/plan/secret.js"
import { emitWindows } from "#src/circuit/plan/windows.js"
import { mod, power, r } from "#src/field.js"
import { applyMap, ofWeights, weightCount } from "#src/ops/linearmap.js"
import type { LinearMap } from "#src/ops/program.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import type { SecretNode } from "#src/quantize/integers/secrets.js"
import { Polynomials } from "#src/systems/mirage/polynomials.js"
import { Random } from "../../support/random.js"
import { holds, type Terms, termsOf } from "../../support/small-rows.js"

const origin = { name: "c", operator: "" }

/** A convolution of given sizes, or a dense map where there are no axes. */
function conv(
  [n, groups, channels, outputs]: readonly number[],
  axes: readonly { size: number; kernel: number; stride?: number; pad?: number; dilation?: number }[],
): LinearMap {
  if (axes.length === 0)
    return { kind: "dense", weight: new Float64Array(channels * outputs), n, k: channels, m: outputs }
  const outSize = axes.map(({ size, kernel, stride = 1, pad = 0, dilation = 1 }) =>
    Math.floor((size + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1),
  )
  const map: LinearMap = {
    kind: "conv",
    weight: new Float64Array(0),
    n,
    groups,
    inChannels: channels * groups,
    outChannels: outputs * groups,
    inSize: axes.map(({ size }) => size),
    kernel: axes.map(({ kernel }) => kernel),
    outSize,
    strides: axes.map(({ stride = 1 }) => stride),
    padsBegin: axes.map(({ pad = 0 }) => pad),
    dilations: axes.map(({ dilation = 1 }) => dilation),
  }
  return ofWeights(map, new Float64Array(weightCount(map)))
}

/** The rows of a bank over wires: one, c, x, w, y, constants of taps, and what products of outputs come to. */
function windowsOf(bank: Bank, slots: Slots) {
  const { n, channels, outputs, inArea, outArea, taps } = bank
  const builder = new R1csBuilder()
  const challenge = builder.allocate(1)
  const sizes = [
    n * channels * inArea,
    outputs * channels * taps,
    n * outputs * outArea,
    channels * taps,
    n * outArea,
  ]
  const [x, w, y, taken, products] = sizes.map((size) => builder.allocate(size))
  const projection = new ProjectionBuilder(builder, challenge)
  const wires = {
    x: (i: number) => ({ wires: [x + i], coefficients: [1] }),
    weight: (i: number) => w + i,
    y: (i: number) => y + i,
    constant: (channel: number, tap: number) => taken + channel * taps + tap,
    products: (image: number, place: number) => ({
      wires: [products + image * outArea + place],
      coefficients: [1],
    }),
  }
  const reads = emitWindows(bank, slots, wires, projection)
  const firstFinal = builder.wires
  const system = builder.finish(0, 0, 0)
  return { system, sizes, projected: projection.finish(system.wires - builder.lates), firstFinal, reads }
}

/** What the honest constants are. */
function constantsOf(bank: Bank, slots: Slots, w: readonly bigint[], y: readonly bigint[], p: bigint) {
  const { n, channels, outputs, outArea, taps, weight, output } = bank
  const pairs = Array.from({ length: Math.floor(outputs / 2) }, (_, o) => [o, outputs - 1 - o])
  const sum = (is: boolean, of: (o: number) => bigint) =>
    is
      ? mod(
          pairs.reduce((total, [a, b]) => total + of(a) * of(b), 0n),
          p,
        )
      : 0n
  const taken = Array.from({ length: channels * taps }, (_, i) =>
    sum(slots.paired, (o) => w[weight(o, Math.floor(i / taps), i % taps)]),
  )
  const products = Array.from({ length: n * outArea }, (_, i) =>
    sum(slots.pairedOutputs, (o) => y[output(Math.floor(i / outArea), o, i % outArea)]),
  )
  return { taken, products }
}

/** The model's result, of small numbers. */
function resultOf(map: LinearMap, w: readonly bigint[], x: readonly bigint[], size: number, p: bigint) {
  const out = new Float64Array(size)
  applyMap(ofWeights(map, Float64Array.from(w, Number)), Float64Array.from(x, Number), out)
  return Array.from(out, (value) => mod(BigInt(value), p))
}

/** The degree that the rows have as polynomials. */
function degreeOf(system: R1cs, terms: readonly Terms[], firstFinal: number): number {
  const polynomials = new Polynomials(
    (wire) => wire !== 1 && wire < firstFinal,
    (wire) => wire >= firstFinal,
    (row, why) => expect.fail(`${row}: ${why}`),
  )
  for (const [row, [a, b, c]] of terms.entries()) polynomials.take(row, a, b, c)
  polynomials.finish(system.rows)
  return polynomials.degree
}

const someOf = (random: Random, count: number, below: number) =>
  Array.from({ length: count }, () => BigInt(random.integer(0, below - 1)))

function* lists(count: number, p: bigint): Generator<bigint[]> {
  if (count === 0) yield []
  else for (const rest of lists(count - 1, p)) for (let x = 0n; x < p; x++) yield [x, ...rest]
}
const range = (count: bigint): bigint[] => Array.from({ length: Number(count) }, (_, i) => BigInt(i))

const choices = [
  { paired: true, pairedOutputs: false, flat: false },
  { paired: true, pairedOutputs: true, flat: true },
]

describe("windows over a small field", () => {
  it.each([
    ["an axis", [1, 1, 1, 2], [{ size: 3, kernel: 2 }], 11n],
    ["padding and stride", [1, 1, 1, 1], [{ size: 3, kernel: 2, stride: 2, pad: 1 }], 13n],
    ["channels", [1, 1, 2, 1], [{ size: 3, kernel: 2 }], 17n],
    ["dilation", [1, 1, 1, 2], [{ size: 4, kernel: 2, dilation: 2 }], 11n],
    [
      "two axes",
      [1, 1, 1, 1],
      [
        { size: 2, kernel: 1 },
        { size: 3, kernel: 2 },
      ],
      11n,
    ],
    ["images", [2, 1, 1, 1], [{ size: 3, kernel: 2 }], 11n],
    ["rows of a dense map", [2, 1, 2, 2], [], 11n],
  ] as const)("every result with %s, at every challenge", (_, sizes, axes, p) => {
    const map = conv(sizes, axes)
    const [bank] = banksOf(map)
    const random = new Random(3)
    for (const choice of choices) {
      const slots = slotsOf(bank, choice)
      const { system, sizes: counts, projected, firstFinal } = windowsOf(bank, slots)
      const terms = termsOf(system, p)
      const degree = degreeOf(system, terms, firstFinal)
      const [x, w] = [someOf(random, counts[0], 5), someOf(random, counts[1], 5)]
      const right = resultOf(map, w, x, counts[2], p)
      let most = 0
      for (const y of lists(counts[2], p)) {
        const { taken, products } = constantsOf(bank, slots, w, y, p)
        const accepts = (c: bigint) =>
          holds(terms, projected, [1n, c, ...x, ...w, ...y, ...taken, ...products], p)
        const accepted = range(p).filter(accepts).length
        if (y.every((value, i) => value === right[i])) expect(accepted).toBe(Number(p))
        else most = Math.max(most, accepted)
      }
      expect(most).toBeLessThanOrEqual(degree)
      expect(degree).toBeLessThan(Number(p))
    }
  })

  it("in pairs, for whatever constants: a wrong result passes for no more challenges than the degree", () => {
    const p = 61n
    const map = conv([1, 1, 1, 4], [{ size: 3, kernel: 2 }])
    const [bank] = banksOf(map)
    for (const choice of choices) {
      const slots = slotsOf(bank, choice)
      const { system, sizes, projected, firstFinal } = windowsOf(bank, slots)
      const terms = termsOf(system, p)
      const degree = degreeOf(system, terms, firstFinal)
      expect(degree).toBeLessThan(Number(p) / 2)
      const random = new Random(8)
      for (let round = 0; round < 300; round++) {
        const [x, w] = [someOf(random, sizes[0], 5), someOf(random, sizes[1], 5)]
        const right = resultOf(map, w, x, sizes[2], p)
        const y = [...right]
        for (let k = random.integer(1, 3); k > 0; k--)
          y[random.integer(0, y.length - 1)] = BigInt(random.integer(0, Number(p) - 1))
        if (y.every((value, i) => value === right[i])) continue
        const honest = constantsOf(bank, slots, w, y, p)
        const others = random.next() < 0.5 ? honest.taken : someOf(random, sizes[3], Number(p))
        const products = random.next() < 0.5 ? honest.products : someOf(random, sizes[4], Number(p))
        const accepts = (c: bigint) =>
          holds(terms, projected, [1n, c, ...x, ...w, ...y, ...others, ...products], p)
        expect(range(p).filter(accepts).length).toBeLessThanOrEqual(degree)
      }
    }
  })

  it.each(choices)(
    "each row is needed: without it a wrong result passes more often than it may ($flat)",
    (choice) => {
      const p = 11n
      const map = conv([1, 1, 1, 2], [{ size: 3, kernel: 2 }])
      const [bank] = banksOf(map)
      const { system, sizes, projected, firstFinal } = windowsOf(bank, slotsOf(bank, choice))
      const terms = termsOf(system, p)
      const degree = degreeOf(system, terms, firstFinal)
      const given = [1n, 2n, 4n, 3n, 1n, 2n, 5n]
      const right = resultOf(map, given.slice(3), given.slice(0, 3), sizes[2], p)
      const constants = [0n, 0n, 0n, 0n]
      const passes = (y: readonly bigint[], deleted: number) => (c: bigint) =>
        range(p).some((free) =>
          holds(terms, projected, [1n, c, ...given, ...y, ...constants], p, deleted, free),
        )
      const isForged = (deleted: number): boolean => {
        for (const y of lists(sizes[2], p))
          if (y.some((value, i) => value !== right[i]) && range(p).filter(passes(y, deleted)).length > degree)
            return true
        return false
      }
      for (let deleted = 0; deleted < system.rows; deleted++)
        expect(isForged(deleted), `row ${deleted}`).toBe(true)
    },
  )
})

/** Random banks, of every geometry. */
const geometry = fc.record({
  sizes: fc.tuple(...[2, 2, 3, 6].map((max) => fc.integer({ min: 1, max }))),
  axes: fc.array(
    fc.record({
      size: fc.integer({ min: 1, max: 5 }),
      kernel: fc.integer({ min: 1, max: 3 }),
      stride: fc.integer({ min: 1, max: 3 }),
      pad: fc.integer({ min: 0, max: 2 }),
      dilation: fc.integer({ min: 1, max: 2 }),
    }),
    { maxLength: 3 },
  ),
  paired: fc.boolean(),
  pairedOutputs: fc.boolean(),
  flat: fc.boolean(),
  seed: fc.nat(),
})

describe("windows over the field", () => {
  it("hold for what the model computes and for nothing else, whatever the geometry", () => {
    fc.assert(
      fc.property(geometry, ({ sizes, axes, paired, pairedOutputs, flat, seed }) => {
        const fits = axes.every(({ size, kernel, pad, dilation }) => size + 2 * pad > dilation * (kernel - 1))
        fc.pre(fits)
        const map = conv(sizes, axes)
        const random = new Random(seed)
        const all = { x: [] as bigint[], w: [] as bigint[] }
        const inputs =
          map.kind === "conv"
            ? map.inSize.reduce((a, b) => a * b, map.n * map.inChannels)
            : sizes[0] * sizes[2]
        all.x = Array.from({ length: inputs }, () => BigInt(random.integer(-9, 9)))
        all.w = Array.from({ length: weightCount(map) }, () => BigInt(random.integer(-9, 9)))
        const outputs =
          map.kind === "conv"
            ? map.outSize.reduce((a, b) => a * b, map.n * map.outChannels)
            : sizes[0] * sizes[3]
        const right = resultOf(map, all.w, all.x, outputs, r)
        for (const [g, bank] of banksOf(map).entries()) {
          const slots = slotsOf(bank, { paired, pairedOutputs, flat })
          // the group's own elements, as wires
          const own = <T>(list: readonly T[], count: number, at: (i: number) => number) =>
            Array.from({ length: count }, (_, i) => list[at(i)])
          const { n, channels, outputs: outs, inArea, outArea, taps } = bank
          const local: Bank = {
            ...bank,
            input: (i, c, p) => (i * channels + c) * inArea + p,
            output: (i, o, p) => (i * outs + o) * outArea + p,
            weight: (o, c, t) => (o * channels + c) * taps + t,
          }
          const x = own(all.x, n * channels * inArea, (i) =>
            bank.input(Math.floor(i / (channels * inArea)), Math.floor(i / inArea) % channels, i % inArea),
          )
          const y = own(right, n * outs * outArea, (i) =>
            bank.output(Math.floor(i / (outs * outArea)), Math.floor(i / outArea) % outs, i % outArea),
          )
          const w = own(all.w, outs * channels * taps, (i) =>
            bank.weight(Math.floor(i / (channels * taps)), Math.floor(i / taps) % channels, i % taps),
          )
          const { system, projected, reads } = windowsOf(local, slots)
          if (!reads) continue
          const terms = termsOf(system, r)
          const c = 2n ** 200n + BigInt(seed)
          const passes = (given: readonly bigint[], weights = w) => {
            const { taken, products } = constantsOf(local, slots, weights, given, r)
            return holds(terms, projected, [1n, c, ...x, ...weights, ...given, ...taken, ...products], r)
          }
          expect(passes(y), `group ${g}`).toBe(true)
          const i = random.integer(0, y.length - 1)
          expect(passes(y.map((value, j) => (i === j ? value + 1n : value)))).toBe(false)
        }
      }),
      { numRuns: 60 },
    )
  })
})

describe("weaker rules have forgeries", () => {
  const map = conv([1, 1, 1, 1], [{ size: 4, kernel: 2 }])
  const [bank] = banksOf(map)
  const slots = slotsOf(bank, choices[0])
  const { system, projected } = windowsOf(bank, slots)
  const terms = termsOf(system, r)
  const [x, w] = [
    [3n, 1n, 4n, 1n],
    [5n, 9n],
  ]
  const right = resultOf(map, w, x, 3, r)
  const accepts = (y: readonly bigint[], c: bigint) =>
    holds(terms, projected, [1n, c, ...x, ...w, ...y, 0n, 0n, 0n, 0n, 0n], r)
  const challenges = [3n, 2n ** 200n + 9n, r - 5n]

  it("results that are chosen after the challenge", () => {
    for (const c of challenges) {
      expect(accepts(right, c)).toBe(true)
      const late = [mod(right[0] + c), mod(right[1] - 1n), right[2]]
      expect(accepts(late, c)).toBe(true)
      expect(accepts(late, c + 1n)).toBe(false)
    }
  })

  it("two banks in one equation: what the first has too much the second has too little", () => {
    const two = conv([1, 2, 1, 1], [{ size: 2, kernel: 1 }])
    expect(banksOf(two)).toHaveLength(2)
    for (const c of challenges) {
      const one = conv([1, 1, 1, 1], [{ size: 2, kernel: 1 }])
      const parts = windowsOf(banksOf(one)[0], slotsOf(banksOf(one)[0], choices[0]))
      const of = (y: readonly bigint[]) =>
        holds(termsOf(parts.system, r), parts.projected, [1n, c, 2n, 3n, 7n, ...y, 0n, 0n, 0n], r)
      expect(of([14n, 21n])).toBe(true)
      // added up, y_0 + 1 of one and y_0 − 1 of the other cancel; each alone is refused
      expect(of([15n, 21n])).toBe(false)
      expect(of([13n, 21n])).toBe(false)
    }
  })

  it("borders of a product of polynomials, if they are chosen after the challenge", () => {
    // x(c) · w(c) has 5 coefficients, of which 3 are outputs and 2 borders: no windows
    const reversed = [...w].reverse()
    const full = Array.from({ length: 5 }, (_, k) =>
      x.reduce((sum, value, i) => sum + value * (reversed[k - i] ?? 0n), 0n),
    )
    const at = (list: readonly bigint[], c: bigint) =>
      mod(list.reduce((sum, value, k) => sum + value * power(c, BigInt(k)), 0n))
    for (const c of challenges) {
      const holdsFor = (list: readonly bigint[]) => (at(x, c) * at(reversed, c)) % r === at(list, c)
      expect(holdsFor(full)).toBe(true)
      const forged = [...full]
      forged[2] += 1n
      expect(holdsFor(forged)).toBe(false)
      // a border at c^0 takes the difference back
      forged[0] = mod(forged[0] - power(c, 2n))
      expect(holdsFor(forged)).toBe(true)
    }
  })
})

describe("pairs", () => {
  /** A dense map of one output over wires: one, c, x, w, β, and what the rows add. */
  function pairsOf(k: number) {
    const builder = new R1csBuilder()
    builder.allocate(1)
    const [x, w, beta] = [builder.allocate(k), builder.allocate(k), builder.allocate(1)]
    const map: LinearMap = { kind: "dense", weight: new Float64Array(k), n: 1, k, m: 1 }
    const secret = { weights: [{ lo: -2, bits: 2 }], bias: { lo: -8, bits: 4, count: 1, inner: 1 }, of: 1 }
    const node: SecretNode = { kind: "linear", out: 1, terms: [{ source: 0, map }], secret, origin }
    const columns = Array.from({ length: k }, (_, column) => ({ term: 0, column }))
    const cost = { rows: 0, finals: 0, finalsOnB: 0 }
    const pairs = { form: "pairs" as const, n: 1, m: 1, columns, constants: { lo: 0, bits: 1 }, cost }
    const plan: SecretPlan = { node, pairs, terms: [undefined] }
    const run = (first: number, count: number) => {
      return { window: { lo: 0, bits: 1 }, first, count, tableBits: 1, limbs: 1, firstLimb: 0 }
    }
    const wires: SecretWires = {
      plan,
      weights: [run(w, k)],
      constants: run(beta, 1),
      taken: [undefined],
      firstQuery: 0,
      queries: 0,
      firstRow: 0,
      rowEnd: 0,
    }
    const tensor = { name: "t", shape: [k], scale: 1, lo: new Float64Array(k), hi: new Float64Array(k) }
    const graph = { tensors: [tensor, tensor] } as unknown as IntGraph
    const rows = () => ({
      rowPtr: Uint32Array.from({ length: k + 1 }, (_, i) => i),
      wires: Uint32Array.from({ length: k }, (_, i) => x + i),
      coefficients: new Float64Array(k).fill(1),
    })
    const { stamp } = linkSecret(wires, { graph, builder, projection: undefined, rows })
    return { system: builder.finish(0, 0, 0), y: stamp.pairs?.y ?? -1, first: beta + 1 }
  }
  const satisfied = (terms: readonly Terms[], values: readonly bigint[], p: bigint, deleted = -1) =>
    terms.every(([a, b, c], row) => {
      const sum = (side: Terms[number]) =>
        side.reduce((total, [wire, coefficient]) => total + coefficient * values[wire], 0n)
      return row === deleted || mod(sum(a) * sum(b) - sum(c), p) === 0n
    })

  it.each([
    [1, 7n],
    [2, 5n],
  ])("all assignments of %d columns over %d elements: y is what the model gives, of some bias", (k, p) => {
    const { system, y, first } = pairsOf(k)
    const terms = termsOf(system, p)
    for (const given of lists(2 * k + 1, p)) {
      const [x, w, beta] = [given.slice(0, k), given.slice(k, 2 * k), given[2 * k]]
      const products = k === 2 ? w[0] * w[1] : 0n
      const right = mod(
        x.reduce((sum, value, i) => sum + value * w[i], beta + products),
        p,
      )
      let accepted = 0
      for (const rest of lists(system.wires - first, p)) {
        const values = [1n, 0n, ...given, ...rest]
        if (!satisfied(terms, values, p)) continue
        accepted++
        expect(values[y]).toBe(right)
      }
      expect(accepted).toBe(1)
    }
  })

  it.each([2, 3])("of %d columns, each row is needed", (k) => {
    const p = 5n
    const { system, y, first } = pairsOf(k)
    const terms = termsOf(system, p)
    const given = [2n, 1n, 3n].slice(0, k).concat([4n, 2n, 1n].slice(0, k), 1n)
    const results = (deleted: number) => {
      const found = new Set<bigint>()
      for (const rest of lists(system.wires - first, p)) {
        const values = [1n, 0n, ...given, ...rest]
        if (satisfied(terms, values, p, deleted)) found.add(values[y])
      }
      return found.size
    }
    expect(results(-1)).toBe(1)
    for (let row = 0; row < system.rows; row++) expect(results(row), `row ${row}`).toBeGreaterThan(1)
  })
})

describe("the range of a secret integer", () => {
  it("is its window and nothing else, over a small field", () => {
    const p = 521n
    for (const tableBits of [1, 2, 3])
      for (const bits of [1, 2, 3, 4])
        for (const lo of [-(2 ** (bits - 1)), 0, 5]) {
          const limbs = Math.ceil(bits / tableBits)
          const run = { window: { lo, bits }, first: 0, count: 1, tableBits, limbs, firstLimb: 1 }
          const queries = runQueries(run, 0)
          const accepts = (values: readonly bigint[]) =>
            queries.every(({ wires, coefficients, constant, scale }) => {
              const sum = wires.reduce(
                (total, wire, j) => total + BigInt(coefficients[j]) * values[wire],
                BigInt(constant),
              )
              return range(2n ** BigInt(tableBits)).some((t) => mod(BigInt(scale) * t - sum, p) === 0n)
            })
          for (const value of range(p)) {
            const isIn = range(2n ** BigInt(bits)).some((t) => mod(BigInt(lo) + t - value, p) === 0n)
            let found = false
            for (const low of lists(limbs - 1, 2n ** BigInt(tableBits))) found ||= accepts([value, ...low])
            expect(found, `${value} of [${lo}, ${lo} + 2^${bits}), table of ${tableBits} bits`).toBe(isIn)
          }
        }
  })
})
