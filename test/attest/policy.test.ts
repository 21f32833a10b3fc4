/** Policies: the reader and its schema, limits in integers against rationals, and what contracts compare. */
import { readFileSync } from "node:fs"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  documentDigest,
  type Limit,
  onChainPolicy,
  type Policy,
  type PolicyDocument,
  parseDocument,
  parsePolicy,
  policyDigest,
  roles,
  within,
  withinTolerance,
} from "#src/attest/index.js"
import { FileError, UsageError } from "#src/errors.js"
import type { Layout, TensorLayout } from "#src/statement/layout.js"
import type { Statement } from "#src/statement/statement.js"
import { wordsOf } from "#src/statement/words.js"
import { addressOf, approver, digest } from "../support/attestations.js"
import { conforms } from "../support/json-schema.js"

const schema = JSON.parse(readFileSync(new URL("../../schemas/policy.schema.json", import.meta.url), "utf8"))

const tensor = (change: Partial<TensorLayout> = {}): TensorLayout => ({
  name: "x",
  shape: [3],
  scale: 0.25,
  lo: -100,
  bits: 8,
  ...change,
})
const layout: Layout = {
  inputs: [{ ...tensor(), visibility: "public" }],
  outputs: [
    { ...tensor({ name: "y", shape: [2, 2], scale: 0.125, lo: -200, bits: 9 }), visibility: "public" },
  ],
}
const limit = (change: Partial<Limit> = {}): Limit => ({
  tensor: "y",
  elements: null,
  least: null,
  most: null,
  ...change,
})
const documentOf = (change: Partial<PolicyDocument> = {}): PolicyDocument => ({
  version: 1,
  name: "Grades of potatoes",
  inputs: [limit({ tensor: "x", elements: [0, 2], least: -10, most: 20.1 })],
  outputs: [limit({ least: -1, most: 1.5 }), limit({ elements: [3], least: 0 })],
  abstain: { tensor: "y", margin: 0.3 },
  signOffs: [{ role: "approver", signer: addressOf(approver) }],
  tolerance: { absolute: 0.05, relative: 0.01 },
  disputes: [{ ground: "unproven", remedy: "refund and damages" }],
  retentionDays: 184,
  finality: "none",
  ...change,
})
const statementOf = (x: number[], y: number[]): Statement => ({
  model: digest("a"),
  context: digest("b"),
  input: { visibility: "public", values: { x: x.map(String) } },
  output: { visibility: "public", values: { y: y.map(String) } },
})

/** What SignOffBook computes of a bound. */
const holds = (policy: Policy, words: readonly bigint[]): boolean =>
  policy.bounds.every(({ word, shift, bits, lo, least, most }) => {
    if (word >= words.length) return false
    const value = BigInt(lo) + ((words[word] >> BigInt(shift)) & ((1n << BigInt(bits)) - 1n))
    return value >= BigInt(least) && value <= BigInt(most)
  })

describe("a policy document", () => {
  it("reads back, and its schema agrees", () => {
    const document = documentOf()
    expect(parseDocument(JSON.stringify(document))).toEqual(document)
    expect(conforms(document, schema)).toBe(true)
    expect(documentDigest(document)).toBe(documentDigest(JSON.parse(JSON.stringify(document, null, 2))))
  })

  it("is refused for whatever its schema refuses, and for what only a reader can tell", () => {
    const bad: unknown[] = [
      { version: 2 },
      { name: "" },
      { name: "a\nb" },
      { name: "\u202eb" },
      { name: "x".repeat(201) },
      { inputs: null },
      { inputs: [{ ...limit(), extra: 1 }] },
      { inputs: [{ tensor: "x", elements: null, least: 1 }] },
      { outputs: [limit({ elements: [] })] },
      { outputs: [limit({ elements: [1, 1] })] },
      { outputs: [limit({ elements: [0.5] })] },
      { outputs: [limit({ elements: [2 ** 22] })] },
      { outputs: [limit({ tensor: "" })] },
      { outputs: [{ ...limit(), least: "1" }] },
      { abstain: { tensor: "y", margin: -1 } },
      { abstain: { tensor: "y" } },
      { signOffs: [{ role: "boss", signer: addressOf(approver) }] },
      { signOffs: [{ role: "approver", signer: `0x${"0".repeat(40)}` }] },
      { signOffs: [{ role: "approver", signer: `0x${"A".repeat(40)}` }] },
      { signOffs: Array(2).fill({ role: "approver", signer: addressOf(approver) }) },
      { tolerance: { absolute: -1, relative: 0 } },
      { tolerance: 0.1 },
      { disputes: [{ ground: "mood", remedy: "none" }] },
      { retentionDays: 0 },
      { retentionDays: 1.5 },
      { finality: null },
      { extra: 1 },
    ]
    for (const change of bad) {
      const document = { ...documentOf(), ...(change as object) }
      expect(() => parseDocument(document), JSON.stringify(change)).toThrow(FileError)
      expect(conforms(document, schema), JSON.stringify(change)).toBe(false)
    }
    for (const change of [
      { outputs: [limit({ elements: [2, 1] })] },
      { outputs: [limit({ least: 2, most: 1 })] },
      {
        disputes: [
          { ground: "outcome", remedy: "none" },
          { ground: "outcome", remedy: "refund" },
        ],
      },
    ] as Partial<PolicyDocument>[]) {
      expect(() => parseDocument(documentOf(change))).toThrow(FileError)
      expect(conforms(documentOf(change), schema)).toBe(true)
    }
    const text = JSON.stringify(documentOf())
    expect(() => parseDocument(text.replace('"name"', '"finality":"escrow","name"'))).toThrow(/twice/)
    expect(() => parseDocument(text.replace("184", "1e999"))).toThrow(FileError)
    expect(() => parseDocument(text.replace("0.05", "1e999"))).toThrow(FileError)
  })

  it("and schema agree on whatever is put into it", () => {
    const places = Object.keys(documentOf())
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.jsonValue(), fc.boolean(), (place, value, drop) => {
        const document: Record<string, unknown> = { ...documentOf(), [place]: value }
        if (drop) delete document[place]
        let reads = true
        try {
          parseDocument(document)
        } catch (error) {
          expect(error).toBeInstanceOf(FileError)
          reads = false
        }
        expect(reads).toBe(conforms(document, schema))
      }),
      { numRuns: 200 },
    )
  })
})

describe("limits in integers", () => {
  it("are exact: an integer is admissible if and only if what it stands for is", () => {
    const real = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 })
    const scale = fc.oneof(
      fc.double({ min: 1e-9, max: 1e6, noNaN: true }),
      fc.constantFrom(0.1, 0.25, 1 / 3, 1),
    )
    /** A double as integer and power of two, read off its bits. */
    const parts = (x: number): [bigint, number] => {
      const view = new DataView(new ArrayBuffer(8))
      view.setFloat64(0, x)
      const bits = view.getBigUint64(0)
      const exponent = Number((bits >> 52n) & 2047n)
      const mantissa = (bits & (2n ** 52n - 1n)) | (exponent ? 2n ** 52n : 0n)
      return [bits >> 63n ? -mantissa : mantissa, (exponent || 1) - 1075]
    }
    /** scale · q ≤ x, without rounding */
    const atMost = (q: number, s: number, x: number): boolean => {
      const [[a, e], [b, f]] = [parts(s), parts(x)]
      const least = Math.min(e, f)
      return BigInt(q) * a * 2n ** BigInt(e - least) <= b * 2n ** BigInt(f - least)
    }
    fc.assert(
      fc.property(scale, fc.tuple(real, real), fc.integer({ min: -128, max: 127 }), (s, [a, b], q) => {
        const [least, most] = a < b ? [a, b] : [b, a]
        const one: Layout = {
          inputs: [],
          outputs: [
            { ...tensor({ name: "y", shape: [1], scale: s, lo: -128, bits: 8 }), visibility: "public" },
          ],
        }
        const document = documentOf({
          inputs: [],
          outputs: [limit({ least: least || 0, most: most || 0 })],
          abstain: null,
        })
        const admissible = atMost(q, s, most) && atMost(-q, s, -least)
        try {
          const statement = { ...statementOf([], [q]), input: { visibility: "hidden" as const } }
          expect(within(document, one, statement) === null).toBe(admissible)
        } catch (error) {
          // no integer at all is admissible
          expect(error).toBeInstanceOf(UsageError)
          expect(admissible).toBe(false)
        }
      }),
      { numRuns: 500 },
    )
  })

  it("ends 0.3 in steps of 0.1 at 2, because three times the double 0.1 is more", () => {
    const document = documentOf({ inputs: [], outputs: [limit({ most: 0.3 })], abstain: null })
    const tenths = { ...layout, outputs: [{ ...layout.outputs[0], scale: 0.1 }] }
    expect(onChainPolicy(document, tenths).policy.bounds.map(({ most }) => most)).toEqual([2, 2, 2, 2])
  })

  it("are the same for the library and for contracts", () => {
    const element = (lo: number, hi: number) => fc.integer({ min: lo, max: hi })
    const inputs = fc.array(element(-100, 155), { minLength: 3, maxLength: 3 })
    const outputs = fc.array(element(-200, 311), { minLength: 4, maxLength: 4 })
    const number = fc.option(
      fc.double({ min: -15, max: 25, noNaN: true }).map((x) => x || 0),
      { nil: null },
    )
    const limits = (name: string, most: number) =>
      fc.array(
        fc
          .record({
            tensor: fc.constant(name),
            elements: fc.option(
              fc.uniqueArray(fc.nat(most - 1), { minLength: 1 }).map((list) => list.sort((x, y) => x - y)),
              { nil: null },
            ),
            least: number,
            most: number,
          })
          .map((x) =>
            x.least !== null && x.most !== null && x.least > x.most
              ? { ...x, least: x.most, most: x.least }
              : x,
          ),
        { maxLength: 3 },
      )
    let [agreed, inside] = [0, 0]
    fc.assert(
      fc.property(limits("x", 3), limits("y", 4), inputs, outputs, (ofX, ofY, x, y) => {
        const document = documentOf({ inputs: ofX, outputs: ofY, abstain: null })
        const statement = statementOf(x, y)
        let policy: Policy
        try {
          policy = onChainPolicy(document, layout).policy
        } catch (error) {
          expect(error instanceof UsageError || error instanceof FileError).toBe(true)
          return
        }
        const isWithin = within(document, layout, statement) === null
        expect(holds(policy, wordsOf(statement, layout))).toBe(isWithin)
        agreed++
        if (isWithin) inside++
      }),
      { numRuns: 500 },
    )
    expect(agreed).toBeGreaterThan(50)
    expect(inside).toBeGreaterThan(5)
    expect(inside).toBeLessThan(agreed)
  })

  it("name what lies outside, and treat a narrow margin as an abstention", () => {
    const document = documentOf()
    expect(within(document, layout, statementOf([0, 99, 80], [0, -8, 3, 12]))).toBeNull()
    expect(within(document, layout, statementOf([-41, 99, 80], [0, -9, 3, 12]))).toEqual([
      'output "y"[1] is -1.125, admissible is -1 to 1.5',
      'input "x"[0] is -10.25, admissible is -10 to 20',
    ])
    expect(within(document, layout, statementOf([0, 0, 0], [0, 0, 3, 5]))).toEqual([
      'the answer is an abstention: the largest of output "y" is 0.25 above the next, below 0.3',
    ])
    const all = within(
      documentOf({ inputs: [], outputs: [limit({ most: -5 })] }),
      layout,
      statementOf([0, 0, 0], [0, 9, 0, 0]),
    )
    expect(all).toHaveLength(4)
  })

  it("of a side that is not shown hold for whoever has it, and are named as unchecked to everybody else", () => {
    const secret: Layout = { ...layout, inputs: [{ ...tensor(), visibility: "committed" }] }
    const { policy, unchecked } = onChainPolicy(documentOf(), secret)
    expect(unchecked).toEqual(['limit of input "x", which is committed', 'margin of output "y"'])
    expect(policy.bounds).toHaveLength(4)
    const statement: Statement = {
      ...statementOf([], [0, 0, 0, 9]),
      input: { visibility: "committed", commitment: digest("0") },
    }
    expect(within(documentOf(), secret, statement)).toEqual([
      'the limit of input "x" cannot be checked: the input is committed',
    ])
    const open = (x: string[]) => within(documentOf(), secret, statement, { input: { x } })
    expect(open(["0", "0", "0"])).toBeNull()
    expect(open(["-99", "0", "0"])).toHaveLength(1)
    expect(() => open(["0", "0"])).toThrow(UsageError)
  })

  it("that do not fit the model are refused", () => {
    const bad: Partial<PolicyDocument>[] = [
      { inputs: [limit({ tensor: "y", least: 0 })] },
      { outputs: [limit({ elements: [4], least: 0 })] },
      { outputs: [limit({ least: 40 })] },
      { outputs: [limit({ least: 0.13, most: 0.2 })] },
      { outputs: [limit({ least: 1 }), limit({ most: 0 })] },
      { abstain: { tensor: "z", margin: 1 } },
      { finality: "escrow" },
    ]
    for (const change of bad) {
      expect(() => {
        onChainPolicy(documentOf(change), layout)
      }, JSON.stringify(change)).toThrow(UsageError)
    }
    const wide: Layout = { inputs: [], outputs: [{ ...layout.outputs[0], shape: [5000] }] }
    expect(() => onChainPolicy(documentOf({ inputs: [], abstain: null }), wide)).toThrow(/4096/)
  })

  it("of a policy for contracts read back and have one digest", () => {
    const { policy } = onChainPolicy(documentOf(), layout)
    expect(parsePolicy(JSON.stringify(policy))).toEqual(policy)
    expect(policy.signOffs).toEqual([{ role: roles.approver, signer: addressOf(approver) }])
    expect(policyDigest(policy)).toBe(policyDigest(parsePolicy(JSON.stringify(policy))))
    const bits = { ...policy, bounds: [{ ...policy.bounds[0], bits: 54 }] }
    for (const bad of [
      bits,
      { ...policy, bounds: {} },
      { ...policy, signOffs: [{ role: 9, signer: addressOf(approver) }] },
    ])
      expect(() => parsePolicy(bad)).toThrow(FileError)
  })

  it("between the float model and the integer model are absolute and relative", () => {
    expect(withinTolerance(documentOf(), 10.14, 10)).toBe(true)
    expect(withinTolerance(documentOf(), 10.16, 10)).toBe(false)
    expect(withinTolerance(documentOf(), Number.NaN, 10)).toBe(false)
    for (const float of [Infinity, -Infinity, Number.NaN])
      expect(withinTolerance(documentOf(), 10, float)).toBe(false)
  })
})
