import { keccak256 } from "ethers"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { FileError, UsageError } from "#src/errors.js"
import { q, r } from "#src/field.js"
import * as verifier from "#src/verifier/index.js"
import { contextSignal, parseReceipt } from "#src/verifier/index.js"
import { edit, hash32, oracle, smallLayout, smallStatement } from "../support/groth16-oracle.js"

const { key, receipt } = oracle(smallLayout)
const valid = receipt(smallStatement(key.model))
type Path = readonly (string | number)[]

test("the exports of countersign/verifier", () => {
  expect(Object.keys(verifier).sort()).toEqual([
    "CountersignError",
    "FileError",
    "InputError",
    "InvariantError",
    "ModelError",
    "UsageError",
    "challenge",
    "contextSignal",
    "dequantize",
    "describeProvenance",
    "describeTensor",
    "elementName",
    "encodeKey",
    "evaluation",
    "explain",
    "fromSnarkjs",
    "invariant",
    "keyDigest",
    "largestElement",
    "layoutJson",
    "libraryName",
    "maxInteger",
    "packTensor",
    "packing",
    "parseReceipt",
    "parseVerificationKey",
    "printable",
    "privateModel",
    "proofFromSnarkjs",
    "proofToSnarkjs",
    "publicSignals",
    "realValues",
    "registrationCall",
    "solidityKey",
    "solidityLibrary",
    "solidityProof",
    "toSnarkjs",
    "toSolidityArguments",
    "unpackTensor",
    "verificationCall",
    "verify",
    "wordBits",
    "wordsOf",
  ])
})

describe("public signals", () => {
  test("outputs in layout order, the context, public inputs; negatives from the top of the field", () => {
    const signals = verifier.publicSignals(valid.statement, smallLayout)
    expect(signals).toEqual([r - 12n, 345n, 0n, BigInt(keccak256(hash32("context"))) % r, 7n, r - 2n ** 52n])
    expect(signals.length).toBe(key.points.ic.length - 1)
  })

  test("contexts that are equal mod r have different signals", () => {
    const text = (x: bigint) => `0x${x.toString(16).padStart(64, "0")}`
    expect(contextSignal(text(5n))).not.toBe(contextSignal(text(5n + r)))
    expect(contextSignal(text(0n))).toBe(BigInt(keccak256(text(0n))) % r)
  })

  test("a statement that does not fit is the caller's error", () => {
    const wrong = edit(valid.statement, ["output", "values", "3"], ["1", "2"])
    expect(() => verifier.publicSignals(wrong, smallLayout)).toThrow(UsageError)
    expect(() => verifier.toSolidityArguments({ ...valid, statement: wrong }, key)).toThrow(UsageError)
  })
})

const notCanonical = ["01", "-0", "+1", "0x1", "1e3", " 1", "1 ", "1.0", "", "-", "--1", "١", "9".repeat(99)]
const notText = [1, 1n, null, undefined, true, ["1"], { toString: () => "1" }]

describe("a receipt is read strictly", () => {
  test("and as it was written, as object and as text", () => {
    expect(parseReceipt(valid)).toEqual(valid)
    expect(parseReceipt(JSON.stringify(valid))).toEqual(valid)
  })

  const refused = (changed: unknown, message: string) => {
    expect(() => parseReceipt(changed)).toThrow(FileError)
    expect(() => parseReceipt(changed)).toThrow(message)
  }

  test.each<Path>(
    [
      ["version"],
      ["proofSystem"],
      ["statement"],
      ["statement", "model"],
      ["statement", "context"],
      ["statement", "input"],
      ["statement", "input", "visibility"],
      ["statement", "input", "values"],
      ["statement", "output"],
      ["statement", "output", "visibility"],
      ["statement", "output", "values"],
      ["proof"],
      ["proof", "a"],
      ["proof", "b"],
      ["proof", "c"],
    ].map((path) => [path]) as unknown as Path[],
  )("%s missing, of another type, or beside an unknown field", (...args) => {
    const path = args[0] as unknown as Path
    const missing = structuredClone(valid) as unknown as Record<string, unknown>
    let parent = missing
    for (const step of path.slice(0, -1)) parent = parent[step] as Record<string, unknown>
    delete parent[path[path.length - 1]]
    expect(() => parseReceipt(missing)).toThrow(FileError)
    for (const other of [null, 2, "x", [], true])
      expect(() => parseReceipt(edit(valid, path, other))).toThrow(FileError)
    // Only the two records of values may have names of the receipt's choice.
    if (path[path.length - 2] !== "values")
      refused(edit(valid, [...path.slice(0, -1), "note"], "1"), 'unknown field "note"')
  })

  test.each<Path>(
    [
      ["statement", "output", "values", "20", 1],
      ["statement", "input", "values", "image", 0],
      ["proof", "a", 0],
      ["proof", "b", 1, 1],
      ["proof", "c", 1],
    ].map((path) => [path]) as unknown as Path[],
  )("%s is a canonical decimal string", (...args) => {
    const path = args[0] as unknown as Path
    for (const wrong of notCanonical) expect(() => parseReceipt(edit(valid, path, wrong))).toThrow(FileError)
    for (const wrong of notText) {
      const changed = structuredClone(valid) as unknown as Record<string, unknown>
      let parent = changed
      for (const step of path.slice(0, -1)) parent = parent[step] as Record<string, unknown>
      parent[path[path.length - 1]] = wrong
      expect(() => parseReceipt(changed)).toThrow(FileError)
    }
  })

  test("and the message has the path, what was expected and what was given", () => {
    refused(
      edit(valid, ["statement", "output", "values", "20", 1], "007"),
      'statement.output.values["20"][1]: not a canonical decimal string',
    )
    refused(edit(valid, ["proof", "b", 1, 0], `${q}`), `given ${q}`)
    refused(edit(valid, ["proof", "a", 1], "-1"), "proof.a[1]: integer out of range")
    refused(edit(valid, ["proof", "c"], ["1"]), "proof.c: wrong length; expected 2; given 1")
    refused(edit(valid, ["statement", "model"], hash32("m").toUpperCase()), "statement.model")
    refused(
      edit(valid, ["proofSystem"], "stark"),
      "proofSystem: unsupported value; expected fflonk or groth16 or mirage or plonk",
    )
    refused(edit(valid, ["version"], "1"), "version")
  })

  test("values end at ±2^52", () => {
    const at = (x: bigint) => edit(valid, ["statement", "output", "values", "20", 0], `${x}`)
    for (const x of [2n ** 52n, -(2n ** 52n)]) expect(parseReceipt(at(x))).toEqual(at(x))
    for (const x of [2n ** 52n + 1n, -(2n ** 52n) - 1n]) refused(at(x), "out of range")
  })

  test("a repeated name is refused, wherever it is and however it is spelled", () => {
    const text = JSON.stringify(valid)
    const twice = "a field name occurs twice"
    refused(text.replace('"version":1', '"version":2,"version":1'), twice)
    refused(text.replace('"20":', '"20":["1","2"] , "20" :'), twice)
    refused(text.replace('"20":', '"2\\u0030":["1","2"],"20":'), twice)
    const tricky = edit(valid, ["statement", "output", "values"], {
      'a":"b\\': ["1"],
      "__proto__x\\\\": ["2"],
    })
    expect(parseReceipt(JSON.stringify(tricky, null, 1))).toEqual(tricky)
  })

  test("any text or JSON value is read or refused with a FileError", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.jsonValue()), (value) => {
        expect(() => parseReceipt(value)).toThrow(FileError)
      }),
    )
  })
})
