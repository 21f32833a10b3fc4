/** What a receipt and a key may cost: limited by the layout before anything is read. */
import { describe, expect, test } from "vitest"
import { FileError } from "#src/errors.js"
import { receiptLimits } from "#src/statement/layout.js"
import {
  type Expected,
  explain,
  type Layout,
  parseVerificationKey,
  type Statement,
  type VerificationKey,
} from "#src/verifier/index.js"
import { edit, hash32, oracle, smallLayout, smallStatement } from "../support/groth16-oracle.js"
import { mirageOracle } from "../support/mirage-oracle.js"

const small = oracle(smallLayout)
const valid = small.receipt(smallStatement(small.key.model))
const expected: Expected = {
  verificationKey: small.key,
  model: small.key.model,
  context: valid.statement.context,
}
const output = ["statement", "output", "values", "20"] as const

describe("a receipt", () => {
  test("of 64 MB is refused by its length, before it is read", () => {
    const most = receiptLimits(smallLayout).characters
    const values = `["${"1".repeat(15)}"${`,"${"1".repeat(15)}"`.repeat(2 ** 21)}]`
    const long = JSON.stringify(edit(valid, output, "HERE")).replace('"HERE"', values)
    const start = performance.now()
    const reason = explain(long, expected)
    expect(performance.now() - start).toBeLessThan(5000)
    expect(reason).toBe(
      `malformed receipt: receipt: the text is too long; expected at most ${most} characters; given ${long.length}`,
    )
  })

  test("may be as long as white space and escapes make it", () => {
    const shown = JSON.stringify(valid, null, 10)
    expect(explain(shown, expected)).toBeNull()
    const escaped = JSON.stringify(valid).replace(
      /"([^"]+)"/g,
      (_, text: string) =>
        `"${[...text].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")}"`,
    )
    expect(explain(escaped, expected)).toBeNull()
    const { key, receipt } = mirageOracle(wideLayout(2000))
    const honest = receipt(onesOf(key))
    const against = { verificationKey: key, model: key.model, context: hash32("context") }
    expect(explain(JSON.stringify(honest, null, 10), against)).toBeNull()
  })

  test("with more values than the layout has is refused before one of them is read", () => {
    let read = 0
    const list = new Proxy(new Array(2 ** 21).fill("1"), {
      get(target, name, receiver) {
        if (typeof name === "string" && /^\d+$/.test(name)) read++
        return Reflect.get(target, name, receiver)
      },
    })
    const receipt = {
      ...valid,
      statement: { ...valid.statement, output: { visibility: "public", values: { "20": list } } },
    }
    expect(explain(receipt, expected)).toMatch(
      /^malformed receipt: .*too many values; expected at most \d+ in all$/,
    )
    expect(read).toBe(0)
  })

  test("with a string of 2^23 escapes is malformed, not a stack overflow", () => {
    const layout = wideLayout(2 ** 18)
    const { key, receipt } = mirageOracle(layout)
    const against = { verificationKey: key, model: key.model, context: hash32("context") }
    const text = JSON.stringify({ ...receipt(onesOf(key)), version: "\n".repeat(2 ** 23) })
    expect(text.length).toBeLessThan(receiptLimits(layout).characters)
    expect(explain(text, against)).toMatch(/^malformed receipt: version/)
  })
})

/** A statement of ones. */
const onesOf = ({ model, layout }: VerificationKey): Statement => ({
  model,
  context: hash32("context"),
  input: { visibility: "hidden" },
  output: {
    visibility: "public",
    values: Object.fromEntries(
      layout.outputs.map(({ name, shape }) => [name, new Array(shape[0]).fill("1")]),
    ),
  },
})

/** One public output of n integers of 4 bits. */
const wideLayout = (n: number): Layout => ({
  inputs: [],
  outputs: [{ name: "y", shape: [n], scale: 1, lo: 0, bits: 4, visibility: "public" }],
})

describe("a verification key", () => {
  test("with a name twice, endless nesting or endless dimensions is refused", () => {
    const text = JSON.stringify(small.key)
    const refused = (given: string, message: string) => {
      expect(() => parseVerificationKey(given)).toThrow(FileError)
      expect(() => parseVerificationKey(given)).toThrow(message)
    }
    refused(text.replace('"setup":', '"setup":"dev","setup":'), "a field name occurs twice")
    refused(
      text.replace('"setup":', `"setup":${"[".repeat(100)}${"]".repeat(100)},"s":`),
      "nested deeper than 64",
    )
    refused(text.replace(/"shape":\[/, `"shape":[${"1,".repeat(2 ** 20)}`), "too many dimensions")
  })
})
