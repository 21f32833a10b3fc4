import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import { keccak256, toUtf8Bytes } from "ethers"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { FileError, UsageError } from "#src/errors.js"
import { q, r } from "#src/field.js"
import * as verifier from "#src/verifier/index.js"
import {
  contextSignal,
  encodeKey,
  keyDigest,
  parseReceipt,
  parseVerificationKey,
} from "#src/verifier/index.js"
import {
  edit,
  hash32,
  keyJson,
  oracle,
  outsideSubgroup,
  pointG1,
  pointG2,
  smallLayout,
  smallStatement,
} from "./groth16-oracle.js"

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
    "contextSignal",
    "encodeKey",
    "explain",
    "fromSnarkjs",
    "invariant",
    "keyDigest",
    "layoutJson",
    "maxInteger",
    "parseReceipt",
    "parseVerificationKey",
    "proofFromSnarkjs",
    "proofToSnarkjs",
    "publicSignals",
    "solidityKey",
    "solidityProof",
    "toSnarkjs",
    "toSolidityArguments",
    "verify",
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
    refused(edit(valid, ["proofSystem"], "mirage"), "proofSystem: unsupported value; expected groth16")
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

describe("a verification key is read strictly", () => {
  const { key: json, trapdoor } = keyJson(smallLayout)

  test("returned frozen, the same from text, and its own input no longer matters", () => {
    const mutable = structuredClone(json)
    const parsed = parseVerificationKey(mutable)
    expect(parsed).toEqual(json)
    expect(parseVerificationKey(JSON.stringify(json))).toEqual(json)
    expect(parseVerificationKey(parsed)).toBe(parsed)
    expect(Object.isFrozen(parsed.points.ic[0]) && Object.isFrozen(parsed.layout.outputs[0].shape)).toBe(true)
  })

  test.each<[string, Path, unknown, string]>([
    ["unknown field", ["note"], 1, "unknown field"],
    ["unknown field of a tensor", ["layout", "outputs", 0, "zeroPoint"], 0, "unknown field"],
    ["another version", ["version"], 2, "version"],
    ["another proof system", ["proofSystem"], "plonk", "proofSystem"],
    ["another setup", ["setup"], "DEV", "setup"],
    ["a model without 0x", ["model"], "ab".repeat(32), "model"],
    ["no output", ["layout", "outputs"], [], "at least one output"],
    ["two outputs of one name", ["layout", "outputs", 1, "name"], "20", "same name"],
    ["an empty name", ["layout", "outputs", 1, "name"], "", "not a tensor name"],
    ["a dimension of zero", ["layout", "outputs", 0, "shape"], [0], "not a dimension"],
    ["a fractional dimension", ["layout", "outputs", 0, "shape"], [1.5], "not a dimension"],
    ["a huge shape", ["layout", "outputs", 0, "shape"], [2 ** 20, 2 ** 20], "too many public values"],
    ["a scale of zero", ["layout", "outputs", 0, "scale"], 0, "not a scale"],
    ["an infinite scale", ["layout", "outputs", 0, "scale"], Number.POSITIVE_INFINITY, "not a scale"],
    ["another visibility", ["layout", "inputs", 0, "visibility"], "private", "visibility"],
    ["a shape with more signals than ic", ["layout", "outputs", 0, "shape"], [3], "wrong length"],
    ["an input made hidden", ["layout", "inputs", 0, "visibility"], "hidden", "wrong length"],
    ["alpha off the curve", ["points", "alpha1"], ["1", "3"], "points.alpha1: not a point"],
    ["alpha at infinity", ["points", "alpha1"], ["0", "0"], "points.alpha1: not a point"],
    ["alpha not below q", ["points", "alpha1", 0], `${q + 1n}`, "out of range"],
    ["alpha with a leading zero", ["points", "alpha1", 0], `0${pointG1(3n)[0]}`, "canonical"],
    ["beta outside the subgroup", ["points", "beta2"], outsideSubgroup(), "points.beta2: not a point"],
    ["gamma outside the subgroup", ["points", "gamma2"], outsideSubgroup(), "points.gamma2: not a point"],
    ["delta outside the subgroup", ["points", "delta2"], outsideSubgroup(), "points.delta2: not a point"],
    [
      "beta at infinity",
      ["points", "beta2"],
      [
        ["0", "0"],
        ["0", "0"],
      ],
      "points.beta2: not a point",
    ],
    ["a signal without effect", ["points", "ic", 4], ["0", "0"], "points.ic[4]: not a point"],
    ["delta equal to gamma", ["points", "delta2"], json.points.gamma2, "phase 2"],
    ["delta the generator, gamma not", ["points", "gamma2"], pointG2(5n), "phase 2"],
    ["alpha the generator", ["points", "alpha1"], ["1", "2"], "powers of tau"],
    ["beta the generator", ["points", "beta2"], pointG2(1n), "powers of tau"],
  ])("%s", (name, path, to, message) => {
    let changed = edit(json, path, to)
    if (name.startsWith("delta the generator")) changed = edit(changed, ["points", "delta2"], pointG2(1n))
    expect(() => parseVerificationKey(changed)).toThrow(FileError)
    expect(() => parseVerificationKey(changed)).toThrow(message)
    expect(() => encodeKey(changed)).toThrow(FileError)
  })

  test("canonical bytes, word by word", () => {
    const bytes = encodeKey(key)
    const word = (i: number) => BigInt(`0x${bytesToHex(bytes.slice(32 * i, 32 * i + 32))}`)
    expect(bytes.length).toBe(32 * (22 + 2 * 6))
    expect(new TextDecoder().decode(bytes.slice(0, 25))).toBe("countersign.key.groth16.1")
    expect(bytes.slice(25, 32).every((byte) => byte === 0)).toBe(true)
    expect([word(1), word(2), word(3), word(4)]).toEqual([0n, 6n, 3n, BigInt(key.model)])
    const layout =
      '{"inputs":[{"name":"image","shape":[1,2],"scale":0.25,"visibility":"public"},' +
      '{"name":"secret","shape":[3],"scale":1,"visibility":"hidden"}],' +
      '"outputs":[{"name":"20","shape":[1,2],"scale":0.5},{"name":"3","shape":[],"scale":0.125}]}'
    expect(word(5)).toBe(BigInt(keccak256(toUtf8Bytes(layout))))
    expect([word(6), word(7)]).toEqual(pointG1(trapdoor.alpha).map(BigInt))
    const [[x0, x1], [y0, y1]] = pointG2(trapdoor.beta)
    expect([word(8), word(9), word(10), word(11)]).toEqual([x1, x0, y1, y0].map(BigInt))
    expect([word(32), word(33)]).toEqual(pointG1(trapdoor.ic[6]).map(BigInt))
    expect(keyDigest(key)).toBe(`0x${bytesToHex(keccak_256(bytes))}`)
  })

  test("the digest changes with every field", () => {
    const digests = [
      key,
      { ...key, setup: "dev" as const },
      { ...key, model: hash32("other") },
      edit(key, ["layout", "outputs", 0, "scale"], 0.25),
      edit(key, ["layout", "outputs", 0, "name"], "21"),
      edit(key, ["layout", "inputs", 1, "shape"], [4]),
      edit(key, ["points", "ic", 0], pointG1(7n)),
    ].map(keyDigest)
    expect(new Set(digests).size).toBe(digests.length)
  })

  test("to snarkjs's form and back; a foreign key is refused", () => {
    const foreign = verifier.toSnarkjs(key)
    const facts = { model: key.model, layout: key.layout, setup: key.setup }
    expect(verifier.fromSnarkjs(JSON.parse(JSON.stringify(foreign)), facts)).toEqual(key)
    const wrong: [Path, unknown][] = [
      [["protocol"], "plonk"],
      [["curve"], "bls12381"],
      [["nPublic"], 5],
      [["vk_alpha_1", 2], "0"],
      [
        ["vk_beta_2", 2],
        ["0", "1"],
      ],
      [["IC", 0, 0], "00"],
    ]
    for (const [path, to] of wrong)
      expect(() => verifier.fromSnarkjs(edit(foreign, path, to), facts)).toThrow(FileError)
    expect(() => verifier.proofFromSnarkjs({})).toThrow(FileError)
  })

  test("text and layout JSON agree on names that need escapes", () => {
    const odd = { ...smallLayout, outputs: [{ name: 'é"\\\ud800', shape: [3], scale: 1e-7 }] }
    const text = verifier.layoutJson(odd)
    expect(text).toContain('{"name":"é\\"\\\\\\ud800","shape":[3],"scale":1e-7}')
    expect(bytesToHex(keccak_256(utf8ToBytes(text)))).toHaveLength(64)
  })
})
