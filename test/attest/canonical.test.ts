/** Canonical JSON against the examples of RFC 8785, and laws. */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { canonicalJson, jsonDigest } from "#src/attest/index.js"
import { UsageError } from "#src/errors.js"

describe("canonical JSON", () => {
  it("is what RFC 8785 shows", () => {
    // section 3.2.2
    const sample = JSON.parse(
      '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
    )
    expect(canonicalJson(sample)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    )
    // section 3.2.3: order of UTF-16 units, not of characters
    const names = {
      "\u20ac": "Euro Sign",
      "\r": "Carriage Return",
      "\ufb33": "Hebrew Letter Dalet With Dagesh",
      "1": "One",
      "\ud83d\ude00": "Emoji: Grinning Face",
      "\u0080": "Control",
      "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    expect(Object.values(JSON.parse(canonicalJson(names)))).toHaveLength(7)
    expect([...canonicalJson(names).matchAll(/:"([^"]*)"/g)].map(([, text]) => text)).toEqual([
      "Carriage Return",
      "One",
      "Control",
      "Latin Small Letter O With Diaeresis",
      "Euro Sign",
      "Emoji: Grinning Face",
      "Hebrew Letter Dalet With Dagesh",
    ])
  })

  it("writes the numbers of RFC 8785's appendix B", () => {
    const view = new DataView(new ArrayBuffer(8))
    const rows: [string, string][] = [
      ["0000000000000000", "0"],
      ["8000000000000000", "0"],
      ["0000000000000001", "5e-324"],
      ["8000000000000001", "-5e-324"],
      ["7fefffffffffffff", "1.7976931348623157e+308"],
      ["ffefffffffffffff", "-1.7976931348623157e+308"],
      ["4340000000000000", "9007199254740992"],
      ["c340000000000000", "-9007199254740992"],
      ["4430000000000000", "295147905179352830000"],
      ["44b52d02c7e14af5", "9.999999999999997e+22"],
      ["44b52d02c7e14af6", "1e+23"],
      ["44b52d02c7e14af7", "1.0000000000000001e+23"],
      ["444b1ae4d6e2ef4e", "999999999999999700000"],
      ["444b1ae4d6e2ef4f", "999999999999999900000"],
      ["444b1ae4d6e2ef50", "1e+21"],
      ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
      ["3eb0c6f7a0b5ed8d", "0.000001"],
      ["41b3de4355555553", "333333333.3333332"],
      ["41b3de4355555554", "333333333.33333325"],
      ["41b3de4355555555", "333333333.3333333"],
      ["41b3de4355555556", "333333333.3333334"],
      ["41b3de4355555557", "333333333.33333343"],
      ["becbf647612f3696", "-0.0000033333333333333333"],
      ["43143ff3c1cb0959", "1424953923781206.2"],
    ]
    for (const [bits, text] of rows) {
      view.setBigUint64(0, BigInt(`0x${bits}`))
      expect(canonicalJson(view.getFloat64(0))).toBe(text)
    }
  })

  it("refuses what JSON has not", () => {
    for (const value of [
      Number.NaN,
      Infinity,
      undefined,
      1n,
      () => 1,
      "\ud800",
      { "\udc00": 1 },
      new Date(0),
      new Map(),
    ])
      expect(() => canonicalJson([value])).toThrow(UsageError)
    let deep: unknown = 0
    for (let i = 0; i < 64; i++) deep = [deep]
    expect(canonicalJson(deep)).toHaveLength(129)
    expect(() => canonicalJson([deep])).toThrow(/64 levels/)
  })

  it("says the same as it was given, and is the same for the same value in any order of names", () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: "binary", maxDepth: 2 }), (value) => {
        const text = canonicalJson(value)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
        const reversed = (x: unknown): unknown =>
          Array.isArray(x)
            ? x.map(reversed)
            : typeof x === "object" && x !== null
              ? Object.fromEntries(
                  Object.entries(x)
                    .reverse()
                    .map(([name, y]) => [name, reversed(y)]),
                )
              : x
        expect(canonicalJson(reversed(value))).toBe(text)
        expect(jsonDigest(reversed(value))).toBe(jsonDigest(value))
      }),
    )
  })
})
