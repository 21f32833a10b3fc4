import fc from "fast-check"
import * as snarkjs from "snarkjs"
import { afterAll, describe, expect, test } from "vitest"
import { FileError, UsageError } from "#src/errors.js"
import { mod, r } from "#src/field.js"
import {
  type Expected,
  explain,
  type Groth16Receipt,
  type Layout,
  proofFromSnarkjs,
  proofToSnarkjs,
  publicSignals,
  type Statement,
  toSnarkjs,
  verify,
} from "#src/verifier/index.js"
import { proofAttacks, statementAttacks } from "../../support/attacks.js"
import {
  edit,
  hash32,
  keyJson,
  oracle,
  scalar,
  smallLayout,
  smallStatement,
  values,
  wide,
} from "../../support/groth16-oracle.js"
import { ceremony, uncontributed } from "../../support/provenances.js"

const small = oracle(smallLayout)
const valid = small.receipt(smallStatement(small.key.model))
const expected: Expected = {
  verificationKey: small.key,
  model: small.key.model,
  context: valid.statement.context,
}

afterAll(async () => {
  await (globalThis as { curve_bn128?: { terminate(): Promise<void> } }).curve_bn128?.terminate()
})

describe("a valid receipt", () => {
  test("is accepted as an object, as text, with the key as text, and with upper-case expectations", () => {
    expect(explain(valid, expected)).toBeNull()
    expect(verify(valid, expected)).toBe(true)
    expect(verify(JSON.stringify(valid), expected)).toBe(true)
    const key = JSON.parse(JSON.stringify(small.key))
    expect(verify(JSON.stringify(valid, null, 2), { ...expected, verificationKey: key })).toBe(true)
    const upper = `0x${expected.context.slice(2).toUpperCase()}`
    expect(verify(valid, { ...expected, context: upper })).toBe(true)
  })

  test("is accepted with other randomness, for the same statement only", () => {
    const again = small.receipt(valid.statement, "other randomness")
    expect(again.proof).not.toEqual(valid.proof)
    expect(verify(again, expected)).toBe(true)
  })

  test("is what snarkjs accepts, and snarkjs refuses a changed signal", async () => {
    const signals = publicSignals(valid.statement, smallLayout)
    const proof = proofToSnarkjs(valid.proof)
    expect(proofFromSnarkjs(proof)).toEqual(valid.proof)
    expect(await snarkjs.groth16.verify(toSnarkjs(small.key), signals.map(String), proof)).toBe(true)
    signals[0] = mod(signals[0] + 1n)
    expect(await snarkjs.groth16.verify(toSnarkjs(small.key), signals.map(String), proof)).toBe(false)
  })

  test("is accepted for any layout and values, and no neighbouring statement is", () => {
    const integer = fc.bigInt(-(2n ** 52n), 2n ** 52n - 1n)
    const name = fc.oneof(fc.string({ minLength: 1, maxLength: 6 }), fc.constantFrom("1", "0", "__proto__"))
    const tensor = fc.record({
      name,
      shape: fc.array(fc.integer({ min: 1, max: 2 }), { maxLength: 2 }),
      scale: fc.double({ min: 2 ** -40, max: 2 ** 40, noNaN: true }),
      ...{ lo: fc.constant(wide.lo), bits: fc.constant(wide.bits) },
    })
    const unique = { selector: (t: { name: string }) => t.name, maxLength: 2 }
    const visible = fc.constantFrom("hidden" as const, "public" as const)
    const layouts: fc.Arbitrary<Layout> = fc
      .tuple(fc.uniqueArray(tensor, unique), visible, fc.uniqueArray(tensor, { ...unique, minLength: 1 }))
      .map(([inputs, visibility, outputs]) => ({
        inputs: inputs.map((t) => ({ ...t, visibility })),
        outputs: outputs.map((t) => ({ ...t, visibility: "public" })),
      }))
    fc.assert(
      fc.property(
        layouts,
        fc.array(integer, { minLength: 16, maxLength: 16 }),
        fc.nat(),
        (layout, integers, pick) => {
          let next = 0
          const fill = (tensors: readonly { name: string; shape: readonly number[] }[]) =>
            Object.fromEntries(
              tensors.map(({ name, shape }) => [
                name,
                Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => `${integers[next++ % 16]}`),
              ]),
            )
          const { key, receipt } = oracle(layout, { seed: "random" })
          const visibleInputs = layout.inputs.filter((t) => t.visibility === "public")
          const statement: Statement = {
            model: key.model,
            context: hash32(`context ${pick}`),
            input:
              visibleInputs.length > 0
                ? { visibility: "public", values: fill(visibleInputs) }
                : { visibility: "hidden" },
            output: { visibility: "public", values: fill(layout.outputs) },
          }
          const honest = receipt(statement)
          const against = { verificationKey: key, model: key.model, context: statement.context }
          expect(explain(honest, against)).toBeNull()
          const attacks = statementAttacks(honest)
          expect(verify(attacks[pick % attacks.length].receipt, against)).toBe(false)
        },
      ),
      { numRuns: 15 },
    )
  })
})

describe("refused", () => {
  const elsewhere = { visibility: "public", values: values({ "20": [1, 2], "3": [1] }) } as const
  const other = small.receipt(smallStatement(small.key.model, { output: elsewhere }), "other")
  for (const { name, receipt } of [...proofAttacks(valid, other.proof), ...statementAttacks(valid)])
    test(name, () => {
      expect(verify(receipt, expected)).toBe(false)
    })

  test("a proof under another key of the same model and layout", () => {
    const { key } = keyJson(smallLayout, { seed: "other" })
    const verificationKey = { ...key, model: small.key.model }
    expect(verify(valid, { ...expected, verificationKey })).toBe(false)
  })

  test("another expected context, though the proof is right for its own", () => {
    expect(explain(valid, { ...expected, context: hash32("mine") })).toContain("expected")
  })

  test("a receipt whose values go to the wrong tensors", () => {
    const swapped = edit(valid, ["statement", "output", "values"], { "20": ["-12"], "3": ["345", "0"] })
    expect(explain(swapped, expected)).toBe('output "20" has 1 values, expected 2')
  })

  test("a value outside the model's range, though its proof is right", () => {
    const at = (name: string, list: number[]) => {
      const claimed = edit(valid.statement, ["output", "values", name], list.map(String))
      return explain(small.receipt(claimed), expected)
    }
    expect(at("20", [-512, 511])).toBeNull()
    expect(at("20", [-512, 512])).toBe('output "20"[1] is 512, expected -512 to 511')
    expect(at("20", [-513, 511])).toBe('output "20"[0] is -513, expected -512 to 511')
    expect(at("3", [2])).toBe('output "3"[0] is 2, expected 0 to 1')
    const input = edit(valid.statement, ["input", "values", "image", 1], `${2n ** 52n}`)
    expect(explain(small.receipt(input), expected)).toContain('input "image"[1] is 4503599627370496')
  })

  test("a commitment where the key has values", () => {
    const committed = { visibility: "committed", commitment: hash32("c").replace("0x", "0x0").slice(0, 66) }
    for (const side of ["input", "output"])
      expect(explain(edit(valid, ["statement", side], committed), expected)).toBe(
        `the statement's ${side} is committed, the key's is public`,
      )
  })

  test("a hidden input where the key has a public one, missing and extra tensors", () => {
    const at = (path: string[], to: unknown) => explain(edit(valid, ["statement", ...path], to), expected)
    expect(at(["input"], { visibility: "hidden" })).toContain("hidden")
    expect(at(["output", "values"], { "20": ["-12", "345"] })).toBe('output "3" is missing')
    expect(at(["output", "values", "more"], ["1"])).toBe('output "more" is not one of the model\'s')
    expect(at(["input", "values", "secret"], ["1", "2", "3"])).toContain("not one of the model's")
  })

  test("a missing output with the name of something every object inherits", () => {
    const output = { name: "hasOwnProperty", shape: [], scale: 1, ...wide, visibility: "public" } as const
    const layout: Layout = { inputs: [], outputs: [output] }
    const { key, receipt } = oracle(layout)
    const statement: Statement = {
      ...valid.statement,
      input: { visibility: "hidden" },
      output: { visibility: "public", values: values({ hasOwnProperty: [5] }) },
    }
    const against = { ...expected, verificationKey: key }
    expect(verify(receipt(statement), against)).toBe(true)
    const missing = edit(receipt(statement), ["statement", "output", "values"], {})
    expect(explain(missing, against)).toBe('output "hasOwnProperty" is missing')
  })

  test("a key of a ceremony that nobody contributed to without the flag; with a contributor it needs none", () => {
    const open = oracle(smallLayout, { setup: uncontributed })
    const receipt = open.receipt(smallStatement(open.key.model))
    const against = { ...expected, verificationKey: open.key }
    expect(explain(receipt, against)).toBe(
      "nobody contributed to this key: anyone can forge receipts; accept it with option `allowDev`",
    )
    expect(verify(receipt, { ...against, allowDev: true })).toBe(true)
    const held = oracle(smallLayout, { setup: ceremony })
    const honest = held.receipt(smallStatement(held.key.model))
    expect(verify(honest, { ...expected, verificationKey: held.key })).toBe(true)
  })

  test("a development key without the flag", () => {
    const dev = oracle(smallLayout, { setup: "dev" })
    const receipt = dev.receipt(smallStatement(dev.key.model))
    const against = { ...expected, verificationKey: dev.key }
    expect(explain(receipt, against)).toContain("development key")
    expect(verify(receipt, { ...against, allowDev: false })).toBe(false)
    expect(verify(receipt, { ...against, allowDev: true })).toBe(true)
    const truthy = { ...against, allowDev: "false" } as unknown as Expected
    expect(verify(receipt, truthy)).toBe(false)
  })
})

test("the public part may be infinity: its pairing is one", () => {
  const signals = publicSignals(valid.statement, smallLayout)
  const ic = signals.map((_, i) => scalar("infinity", `${i}`))
  ic.unshift(mod(-signals.reduce((sum, x, i) => sum + x * ic[i], 0n), r))
  const { key, receipt } = oracle(smallLayout, { trapdoor: { ic } })
  const against = { ...expected, verificationKey: key }
  const honest = receipt(valid.statement)
  expect(explain(honest, against)).toBeNull()
  for (const attack of statementAttacks(honest).slice(0, 4))
    expect(verify(attack.receipt, against), attack.name).toBe(false)
})

describe("what the caller gets wrong is thrown, what the receipt gets wrong is not", () => {
  test.each<[string, Partial<Record<keyof Expected, unknown>>, typeof UsageError]>([
    ["a short context", { context: "0x12" }, UsageError],
    ["no context", { context: undefined }, UsageError],
    ["a model that is not hexadecimal", { model: `0x${"g".repeat(64)}` }, UsageError],
    ["another model's key", { model: hash32("other") }, UsageError],
    ["no key", { verificationKey: undefined }, FileError],
    ["a key with a missing field", { verificationKey: { ...small.key, layout: undefined } }, FileError],
  ])("%s", (_, change, error) => {
    expect(() => verify(valid, { ...expected, ...change } as Expected)).toThrow(error)
    expect(() => verify("nonsense", { ...expected, ...change } as Expected)).toThrow(error)
  })

  test.each<[string, unknown]>([
    ["undefined", undefined],
    ["null", null],
    ["a number", 1],
    ["an array", [valid]],
    ["a function", () => valid],
    ["empty text", ""],
    ["text that is not JSON", "{"],
    ["deeply nested text", "[".repeat(1_000_000)],
    [
      "an object that throws",
      {
        get version() {
          throw new Error("gotcha")
        },
      },
    ],
    ["a cyclic object", Object.assign({} as { proof?: unknown }, valid, { proof: valid })],
  ])("%s", (_, receipt) => {
    expect(explain(receipt, expected)).toContain("malformed receipt")
    expect(verify(receipt, expected)).toBe(false)
  })

  test("a receipt that changes while it is read is checked as it was read", () => {
    let reads = 0
    const output = { visibility: "public", values: {} } as const
    const sly = { ...valid, statement: { ...valid.statement, output } }
    Object.defineProperty(sly.statement.output, "values", {
      enumerable: true,
      get: () => ({ "20": reads++ === 0 ? ["-12", "345"] : ["1", "1"], "3": ["0"] }),
    })
    expect(verify(sly as Groth16Receipt, expected)).toBe(true)
    expect(reads).toBe(1)
  })
})
