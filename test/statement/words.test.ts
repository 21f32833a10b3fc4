import { keccak256, toBeHex, zeroPadValue } from "ethers"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { UsageError } from "#src/errors.js"
import { r } from "#src/field.js"
import { outputVisibility, parseLayout } from "#src/statement/layout.js"
import { outputWordCount, packSide, wordCount } from "#src/statement/words.js"
import {
  challenge,
  evaluation,
  type Layout,
  layoutJson,
  packing,
  packTensor,
  type Statement,
  solidityLibrary,
  unpackTensor,
  wordsOf,
} from "#src/verifier/index.js"
import { edit, hash32, values } from "../support/groth16-oracle.js"
import { commitment, layoutOf, mirageOracle, statementOf } from "../support/mirage-oracle.js"

const range = (n: number) => Array.from({ length: n }, (_, i) => i)

describe("a tensor's words", () => {
  test("by hand: the first element lowest, the least value zero", () => {
    expect(packTensor([-5n, -4n, 2n ** 40n], -5, 53)).toEqual([
      1n * 2n ** 53n + (2n ** 40n + 5n) * 2n ** 106n,
    ])
    expect(packTensor([3n, 1n, 2n], 0, 2)).toEqual([3n + 1n * 4n + 2n * 16n])
    // 248 bits of one bit each, and the 249th in a word of its own
    const ones = range(249).map(() => 1n)
    expect(packTensor(ones, 0, 1)).toEqual([2n ** 248n - 1n, 1n])
    expect(packTensor([], 0, 8)).toEqual([])
  })

  test("hold ⌊248 / bits⌋ elements: all integers of a range come back, and no word reaches r", () => {
    for (const [bits, each] of [
      [1, 248],
      [8, 31],
      [10, 24],
      [25, 9],
      [31, 8],
      [32, 7],
      [53, 4],
    ]) {
      for (const n of [1, each - 1, each, each + 1, 3 * each]) {
        const top = range(n).map(() => 2n ** BigInt(bits) - 1n)
        const words = packTensor(top, 0, bits)
        expect(words).toHaveLength(Math.ceil(n / each))
        expect(words.every((word) => word < 2n ** 248n)).toBe(true)
        expect(unpackTensor(words, n, 0, bits)).toEqual(top)
      }
    }
  })

  test("and elements back, for any range", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 53 }),
        fc.integer({ min: -(2 ** 52), max: 2 ** 52 }),
        fc.array(fc.bigInt(0n, 2n ** 53n - 1n), { maxLength: 60 }),
        (bits, lo, raw) => {
          const list = raw.map((x) => (x % 2n ** BigInt(bits)) + BigInt(lo))
          const words = packTensor(list, lo, bits)
          expect(unpackTensor(words, list.length, lo, bits)).toEqual(list)
        },
      ),
    )
  })

  test("an integer out of range, a word too many and a stray bit are the caller's errors", () => {
    expect(() => packTensor([0n, 4n], 0, 2)).toThrow(UsageError)
    expect(() => packTensor([0n, 4n], 0, 2)).toThrow(
      "element 1: integer out of range; expected 0 to 3; given 4",
    )
    expect(() => packTensor([-1n], 0, 2)).toThrow(UsageError)
    expect(() => packTensor([0n], 0, 54)).toThrow(UsageError)
    expect(() => packTensor([0n], 0, 0)).toThrow(UsageError)
    expect(() => unpackTensor([1n, 1n], 3, 0, 2)).toThrow("wrong number of words")
    expect(() => unpackTensor([], 3, 0, 2)).toThrow("wrong number of words")
    expect(unpackTensor([63n], 3, 0, 2)).toEqual([3n, 3n, 3n])
    expect(() => unpackTensor([64n], 3, 0, 2)).toThrow("word 0: word has more than its 3 elements of 2 bits")
    expect(() => unpackTensor([-1n], 3, 0, 2)).toThrow(UsageError)
  })
})

describe("a statement's words", () => {
  const layout: Layout = {
    inputs: [
      { name: "x", shape: [25], scale: 1, lo: 0, bits: 10, visibility: "public" },
      { name: "y", shape: [], scale: 1, lo: -8, bits: 4, visibility: "public" },
    ],
    outputs: [{ name: "logits", shape: [1, 10], scale: 1, lo: -100, bits: 25, visibility: "public" }],
  }
  const statement: Statement = {
    model: hash32("m"),
    context: hash32("c"),
    input: { visibility: "public", values: values({ y: [-3], x: range(25) }) },
    output: { visibility: "public", values: values({ logits: range(10).map((i) => 1000 * i - 100) }) },
  }

  test("outputs first, then inputs, tensor by tensor", () => {
    expect(packing(layout)).toEqual([
      { kind: "values", side: "output", tensor: 0, first: 0, count: 9, lo: -100, bits: 25 },
      { kind: "values", side: "output", tensor: 0, first: 9, count: 1, lo: -100, bits: 25 },
      { kind: "values", side: "input", tensor: 0, first: 0, count: 24, lo: 0, bits: 10 },
      { kind: "values", side: "input", tensor: 0, first: 24, count: 1, lo: 0, bits: 10 },
      { kind: "values", side: "input", tensor: 1, first: 0, count: 1, lo: -8, bits: 4 },
    ])
    const sum = (n: number, f: (i: number) => number, bits: number) =>
      range(n).reduce((total, i) => total + BigInt(f(i)) * 2n ** BigInt(bits * i), 0n)
    expect(wordsOf(statement, layout)).toEqual([
      sum(9, (i) => 1000 * i, 25),
      9000n,
      sum(24, (i) => i, 10),
      24n,
      5n,
    ])
    expect([wordCount(layout), outputWordCount(layout)]).toEqual([5, 2])
  })

  test("a committed side is one word, a hidden one none", () => {
    for (const [input, output] of [
      ["hidden", "public"],
      ["hidden", "committed"],
      ["committed", "public"],
      ["committed", "committed"],
      ["public", "committed"],
      ["public", "public"],
    ] as const) {
      const { key } = mirageOracle(layoutOf(input, output))
      const words = wordsOf(statementOf(key), key.layout)
      const outputs = output === "public" ? 2 : 1
      const inputs = { hidden: 0, committed: 1, public: 1 }[input]
      expect(words).toHaveLength(outputs + inputs)
      expect([wordCount(key.layout), outputWordCount(key.layout)]).toEqual([outputs + inputs, outputs])
      expect(packing(key.layout)).toHaveLength(words.length)
      if (output === "committed") {
        expect(words[0]).toBe(BigInt(commitment("output")))
        expect(packing(key.layout)[0]).toEqual({ kind: "commitment", side: "output" })
        // what the commitment is of is packed as if it were public
        expect(packSide(key.layout, "output", "committed")).toEqual(
          packing(layoutOf(input)).filter((word) => word.side === "output"),
        )
      }
      if (input === "committed") {
        expect(words.at(-1)).toBe(BigInt(commitment("input")))
        expect(packing(key.layout).at(-1)).toEqual({ kind: "commitment", side: "input" })
      }
    }
  })

  test("a side that shows some tensors and commits to others has words of both, the commitment last", () => {
    const mixed: Layout = {
      inputs: layout.inputs.map((tensor) => ({ ...tensor, visibility: "committed" })),
      outputs: [
        { name: "bit", shape: [1], scale: 1, lo: 0, bits: 1, visibility: "public" },
        { ...layout.outputs[0], visibility: "committed" },
      ],
    }
    expect(parseLayout(JSON.parse(layoutJson(mixed)), "layout")).toEqual(mixed)
    expect(outputVisibility(mixed)).toBe("committed")
    expect(layoutJson(mixed).endsWith('"visibility":"public"}]}')).toBe(false)
    const given: Statement = {
      ...statement,
      input: { visibility: "committed", commitment: commitment("input") },
      output: { visibility: "committed", commitment: commitment("output"), values: values({ bit: [1] }) },
    }
    expect(wordsOf(given, mixed)).toEqual([1n, BigInt(commitment("output")), BigInt(commitment("input"))])
    expect([wordCount(mixed), outputWordCount(mixed)]).toEqual([3, 2])
    expect(packing(mixed)).toEqual([
      { kind: "values", side: "output", tensor: 0, first: 0, count: 1, lo: 0, bits: 1 },
      { kind: "commitment", side: "output" },
      { kind: "commitment", side: "input" },
    ])
    expect(packSide(mixed, "output", "committed").map(({ tensor }) => tensor)).toEqual([1, 1])
    const key = { ...mirageOracle(layoutOf("committed")).key, layout: mixed }
    const text = solidityLibrary(key, "Mixed", { allowDev: true })
    expect(text).toMatch(/OUTPUT_COMMITMENT_WORD = 1;/)
    expect(text).toMatch(/INPUT_COMMITMENT_WORD = 2;/)
    expect(text).toMatch(/function bitAt/)
  })

  test("each word as `packing` says", () => {
    const words = wordsOf(statement, layout)
    packing(layout).forEach((word, j) => {
      if (word.kind !== "values") throw new Error("this layout has no commitment")
      const tensor = (word.side === "output" ? layout.outputs : layout.inputs)[word.tensor]
      const claim = statement[word.side]
      if (claim.visibility !== "public") throw new Error("this statement is public")
      const list = claim.values[tensor.name].slice(word.first, word.first + word.count).map(BigInt)
      const packed = list.reduce((sum, v, i) => sum + (v - BigInt(word.lo)) * 2n ** BigInt(word.bits * i), 0n)
      expect(words[j]).toBe(packed)
    })
  })

  test("a statement that does not fit is the caller's error", () => {
    const wrong: Statement[] = [
      edit(statement, ["output", "values", "logits"], ["1"]),
      edit(statement, ["output", "values", "logits", 0], "-101"),
      edit(statement, ["input", "values", "y", 0], "8"),
      edit(statement, ["input"], { visibility: "hidden" }),
      edit(statement, ["output"], { visibility: "committed", commitment: commitment("x") }),
    ]
    for (const other of wrong) expect(() => wordsOf(other, layout)).toThrow(UsageError)
  })
})

describe("the challenge and the evaluation", () => {
  const words = [5n, r - 1n, 0n]
  const d = ["1", "2"] as const

  test("a worked example", () => {
    const text = (x: bigint | number) => zeroPadValue(toBeHex(x), 32).slice(2)
    const transcript = `0x${"11".repeat(32)}${"22".repeat(32)}${text(3)}${text(5)}${text(r - 1n)}${text(0)}${text(1)}${text(2)}`
    const c = challenge(`0x${"11".repeat(32)}`, `0x${"22".repeat(32)}`, words, d)
    expect(c).toBe(BigInt(keccak256(transcript)) % r)
    expect(c).toBe(16603633752247697691648560994203442233236097436959005209736798561029472382478n)
    expect(evaluation(words, c)).toBe((5n * c + (r - 1n) * c * c) % r)
    expect(evaluation([1n, 2n, 3n], 10n)).toBe(3210n)
    expect(evaluation([], 10n)).toBe(0n)
    expect(evaluation([r - 1n], 2n)).toBe(r - 2n)
  })

  test("everything is bound: key, context, number and value of every word, D", () => {
    const [key, context] = [hash32("key"), hash32("context")]
    const all = [
      challenge(key, context, words, d),
      challenge(hash32("other"), context, words, d),
      challenge(key, hash32("other"), words, d),
      challenge(key, context, words.slice(0, 2), d),
      challenge(key, context, [...words, 0n], d),
      ...words.map((word, j) => challenge(key, context, words.with(j, word + 1n), d)),
      challenge(key, context, [words[1], words[0], words[2]], d),
      challenge(key, context, words, ["2", "1"]),
    ]
    expect(new Set(all).size).toBe(all.length)
    expect(all.every((c) => c < r)).toBe(true)
  })
})
