import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex } from "@noble/hashes/utils.js"
import { keccak256, toUtf8Bytes } from "ethers"
import { describe, expect, test } from "vitest"
import { FileError } from "#src/errors.js"
import { q } from "#src/field.js"
import * as verifier from "#src/verifier/index.js"
import {
  encodeKey,
  type Groth16Key,
  keyDigest,
  layoutJson,
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
} from "../support/groth16-oracle.js"
import { layoutOf, mirageKeyJson } from "../support/mirage-oracle.js"
import { ceremony } from "../support/provenances.js"

const { key } = oracle(smallLayout)
type Path = readonly (string | number)[]

describe("a verification key is read strictly", () => {
  const { key: json, trapdoor } = keyJson(smallLayout)

  test("returned frozen, the same from text, and its own input no longer matters", () => {
    const mutable = structuredClone(json)
    const parsed = parseVerificationKey(mutable)
    expect(parsed).toEqual(json)
    expect(parseVerificationKey(JSON.stringify(json))).toEqual(json)
    expect(parseVerificationKey(parsed)).toBe(parsed)
    expect(
      Object.isFrozen((parsed as Groth16Key).points.ic[0]) && Object.isFrozen(parsed.layout.outputs[0].shape),
    ).toBe(true)
  })

  test.each<[string, Path, unknown, string]>([
    ["unknown field", ["note"], 1, "unknown field"],
    ["unknown field of a tensor", ["layout", "outputs", 0, "zeroPoint"], 0, "unknown field"],
    ["another version", ["version"], 2, "version"],
    ["another proof system", ["proofSystem"], "stark", "fflonk or groth16 or mirage or plonk"],
    ["another setup", ["setup"], "DEV", "setup"],
    ["a model without 0x", ["model"], "ab".repeat(32), "model"],
    ["bits missing", ["layout", "outputs", 0, "bits"], undefined, "not a number of bits"],
    ["no bits", ["layout", "outputs", 0, "bits"], 0, "not a number of bits"],
    ["54 bits", ["layout", "outputs", 0, "bits"], 54, "not a number of bits"],
    ["fractional bits", ["layout", "outputs", 0, "bits"], 1.5, "not a number of bits"],
    ["a fractional least value", ["layout", "outputs", 0, "lo"], 0.5, "not a least value"],
    ["a least value of -0", ["layout", "outputs", 0, "lo"], -0, "not a least value"],
    ["an inexact least value", ["layout", "outputs", 0, "lo"], 2 ** 53, "not a least value"],
    ["a least value as text", ["layout", "outputs", 0, "lo"], "0", "not a least value"],
    ["a hidden output", ["layout", "outputs", 0, "visibility"], "hidden", "public or committed"],
    [
      "a committed output before a public one",
      ["layout", "outputs", 0, "visibility"],
      "committed",
      "public outputs come before",
    ],
    ["committed inputs", ["layout", "inputs", 0, "visibility"], "committed", "no committed tensors"],
    [
      "committed outputs",
      ["layout", "outputs"],
      smallLayout.outputs.map((t) => ({ ...t, visibility: "committed" })),
      "no committed tensors",
    ],
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
    ["delta equal to gamma, not the generator", ["points", "delta2"], pointG2(5n), "phase 2"],
    ["delta the generator, gamma not", ["points", "gamma2"], pointG2(5n), "phase 2"],
    ["alpha the generator", ["points", "alpha1"], ["1", "2"], "powers of tau"],
    ["beta the generator", ["points", "beta2"], pointG2(1n), "powers of tau"],
  ])("%s", (name, path, to, message) => {
    let changed = edit(json, path, to)
    if (name.startsWith("delta equal to gamma")) changed = edit(changed, ["points", "gamma2"], pointG2(5n))
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
      '{"inputs":[{"name":"image","shape":[1,2],"scale":0.25,' +
      '"lo":-4503599627370496,"bits":53,"visibility":"public"}],' +
      '"outputs":[{"name":"20","shape":[1,2],"scale":0.5,"lo":-512,"bits":10,"visibility":"public"},' +
      '{"name":"3","shape":[],"scale":0.125,"lo":0,"bits":1,"visibility":"public"}]}'
    expect(word(5)).toBe(BigInt(keccak256(toUtf8Bytes(layout))))
    expect([word(6), word(7)]).toEqual(pointG1(trapdoor.alpha).map(BigInt))
    const [[x0, x1], [y0, y1]] = pointG2(trapdoor.beta)
    expect([word(8), word(9), word(10), word(11)]).toEqual([x1, x0, y1, y0].map(BigInt))
    expect([word(32), word(33)]).toEqual(pointG1(trapdoor.ic[6]).map(BigInt))
    expect(keyDigest(key)).toBe(`0x${bytesToHex(keccak_256(bytes))}`)
  })

  test("the digest changes with every field", () => {
    const { ptau, beacon } = ceremony
    const last = (text: string, digit: string) => `${text.slice(0, -1)}${digit}` as const
    const ceremonies: verifier.CeremonyFacts[] = [
      ceremony,
      { ...ceremony, ptau: last(ptau, "2") as verifier.Hex },
      { ...ceremony, ptau: ptau.replace("0xa", "0xb") as verifier.Hex },
      { ...ceremony, contributors: ["Alice", "Bob"] },
      { ...ceremony, beacon: null },
      { ...ceremony, beacon: { value: "0x00", iterations: 10 } },
      { ...ceremony, beacon: beacon && { ...beacon, iterations: 11 } },
      { ...ceremony, transcript: hash32("transcript") },
    ]
    const digests = [
      key,
      { ...key, setup: "dev" as const },
      ...ceremonies.map((setup) => ({ ...key, setup })),
      { ...key, model: hash32("other") },
      edit(key, ["layout", "outputs", 0, "scale"], 0.25),
      edit(key, ["layout", "outputs", 0, "name"], "21"),
      edit(key, ["layout", "inputs", 0, "shape"], [2]),
      edit(key, ["layout", "inputs", 0, "bits"], 52),
      edit(key, ["layout", "inputs", 0, "lo"], 0),
      edit(key, ["points", "ic", 0], pointG1(7n)),
    ].map(keyDigest)
    expect(new Set(digests).size).toBe(digests.length)
  })

  describe("of the two-phase system", () => {
    const { key: mirage, trapdoor } = mirageKeyJson(layoutOf("public"))
    const { delta, deltaC } = trapdoor
    const { key: committed } = mirageKeyJson(layoutOf("committed", "committed"))

    test("and returned as it was", () => {
      expect(parseVerificationKey(JSON.stringify(mirage))).toEqual(mirage)
      expect(parseVerificationKey(committed)).toEqual(committed)
    })

    const phase2 = "nobody contributed to phase 2"
    test.each<[string, Path, unknown, string]>([
      ["gamma", ["points", "gamma2"], pointG2(1n), 'unknown field "gamma2"'],
      ["two points ic", ["points", "ic"], [pointG1(2n), pointG1(3n)], "wrong length"],
      ["four points ic", ["points", "ic"], [2n, 3n, 4n, 5n].map(pointG1), "wrong length"],
      ["an ic at infinity", ["points", "ic", 2], ["0", "0"], "points.ic[2]: not a point"],
      ["alpha off the curve", ["points", "alpha1"], ["1", "3"], "points.alpha1: not a point"],
      ["beta outside the subgroup", ["points", "beta2"], outsideSubgroup(), "points.beta2: not a point"],
      ["delta outside the subgroup", ["points", "delta2"], outsideSubgroup(), "points.delta2: not a point"],
      ["deltaC outside the subgroup", ["points", "deltaC2"], outsideSubgroup(), "points.deltaC2: not a"],
      ["deltaC at infinity", ["points", "deltaC2"], pointG2(0n), "points.deltaC2: not a point"],
      ["deltaC missing", ["points", "deltaC2"], undefined, "points.deltaC2"],
      ["delta not contributed: the generator", ["points", "delta2"], pointG2(1n), phase2],
      ["delta the opposite of the generator", ["points", "delta2"], pointG2(-1n), phase2],
      ["deltaC not contributed: the generator", ["points", "deltaC2"], pointG2(1n), phase2],
      ["deltaC the opposite of the generator", ["points", "deltaC2"], pointG2(-1n), phase2],
      ["deltaC equal to delta", ["points", "deltaC2"], pointG2(delta), phase2],
      ["deltaC the opposite of delta", ["points", "deltaC2"], pointG2(-delta), phase2],
      ["delta equal to deltaC", ["points", "delta2"], pointG2(deltaC), phase2],
      ["delta equal to beta", ["points", "delta2"], pointG2(trapdoor.beta), phase2],
      ["deltaC the opposite of beta", ["points", "deltaC2"], pointG2(-trapdoor.beta), phase2],
      ["alpha the generator", ["points", "alpha1"], pointG1(1n), "powers of tau"],
      ["alpha the opposite of the generator", ["points", "alpha1"], pointG1(-1n), "powers of tau"],
      ["beta the generator", ["points", "beta2"], pointG2(1n), "powers of tau"],
    ])("%s", (_, path, to, message) => {
      const changed = edit(mirage, path, to)
      expect(() => parseVerificationKey(changed)).toThrow(FileError)
      expect(() => parseVerificationKey(changed)).toThrow(message)
    })

    test("canonical bytes, word by word", () => {
      const bytes = encodeKey(mirage)
      const word = (i: number) => BigInt(`0x${bytesToHex(bytes.slice(32 * i, 32 * i + 32))}`)
      const g2 = (k: bigint) => {
        const [[x0, x1], [y0, y1]] = pointG2(k)
        return [x1, x0, y1, y0].map(BigInt)
      }
      expect(bytes.length).toBe(832)
      expect(new TextDecoder().decode(bytes.slice(0, 24))).toBe("countersign.key.mirage.1")
      expect(bytes.slice(24, 32).every((byte) => byte === 0)).toBe(true)
      expect([word(1), word(2), word(3), word(4)]).toEqual([0n, 3n, 2n, BigInt(mirage.model)])
      expect(word(5)).toBe(BigInt(keccak256(toUtf8Bytes(layoutJson(mirage.layout)))))
      expect([word(6), word(7)]).toEqual(pointG1(trapdoor.alpha).map(BigInt))
      expect([8, 9, 10, 11].map(word)).toEqual(g2(trapdoor.beta))
      expect([12, 13, 14, 15].map(word)).toEqual(g2(delta))
      expect([16, 17, 18, 19].map(word)).toEqual(g2(deltaC))
      expect([20, 21, 22, 23, 24, 25].map(word)).toEqual(trapdoor.ic.flatMap(pointG1).map(BigInt))
      const shapes = [committed, mirageKeyJson(layoutOf("hidden")).key].map((other) => encodeKey(other))
      expect(shapes.map((other) => [other[95], other[127], other.length])).toEqual([
        [2, 1, 832],
        [2, 2, 832],
      ])
    })
  })

  test("canonical bytes of a ceremony's key are those of another with other flags, and five words behind them", () => {
    for (const other of [key, mirageKeyJson(layoutOf("public")).key]) {
      const [plain, made] = [encodeKey(other), encodeKey({ ...other, setup: ceremony })]
      expect(made.length).toBe(plain.length + 5 * 32)
      expect(made[63]).toBe(2)
      expect(made.slice(64, plain.length)).toEqual(plain.slice(64))
      const digits = bytesToHex(made.slice(plain.length))
      expect(digits.slice(0, 128)).toBe(ceremony.ptau.slice(2))
      expect(digits.slice(128, 192)).toBe("3".padStart(64, "0"))
      expect(digits.slice(256)).toBe(ceremony.transcript.slice(2))
    }
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

  test("names that need escapes, and small scales, have one canonical form", () => {
    const odd = edit(smallLayout, ["outputs", 0], {
      ...smallLayout.outputs[0],
      name: 'é"\\\ud800',
      shape: [3],
      scale: 1e-7,
    })
    expect(layoutJson(odd)).toContain('{"name":"é\\"\\\\\\ud800","shape":[3],"scale":1e-7,')
  })
})
