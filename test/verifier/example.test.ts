/** The worked examples of docs/FORMATS.md: every number there is computed here. */
import { readFileSync } from "node:fs"
import { bytesToHex } from "@noble/hashes/utils.js"
import { expect, test } from "vitest"
import {
  type CeremonyFacts,
  challenge,
  encodeKey,
  evaluation,
  type Hex,
  keyDigest,
  type Layout,
  layoutJson,
  parseVerificationKey,
  wordsOf,
} from "#src/verifier/index.js"
import { keyJson } from "../support/groth16-oracle.js"
import { mirageKeyJson } from "../support/mirage-oracle.js"

const text = readFileSync(new URL("../../docs/FORMATS.md", import.meta.url), "utf8")
const layout: Layout = {
  inputs: [{ name: "image", shape: [1, 4], scale: 0.25, lo: 0, bits: 8, visibility: "hidden" }],
  outputs: [{ name: "logits", shape: [1, 2], scale: 0.5, lo: -100, bits: 9, visibility: "public" }],
}
const model: Hex = `0x${"5a".repeat(32)}`
const hex = (x: bigint) => x.toString(16).padStart(64, "0")
const header = (bytes: Uint8Array) =>
  Array.from({ length: 8 }, (_, i) => `${i}  ${bytesToHex(bytes.slice(32 * i, 32 * i + 32))}`)

const options = { setup: "dev", trapdoor: { alpha: 2n, beta: 3n, delta: 5n } } as const
const mirage = parseVerificationKey({
  ...mirageKeyJson(layout, { ...options, trapdoor: { ...options.trapdoor, deltaC: 7n, ic: [11n, 13n, 17n] } })
    .key,
  model,
})
const groth16 = parseVerificationKey({ ...keyJson(layout, options).key, model })

test.each([
  ["mirage", mirage],
  ["groth16", groth16],
])("the first words of a %s key", (_, key) => {
  for (const line of header(encodeKey(key))) expect(text).toContain(`\n${line}  `)
  expect(text).toContain(`\n${layoutJson(layout)}\n`)
})

test("the words that a ceremony's key has of its own", () => {
  const setup: CeremonyFacts = {
    ptau: `0x${"aa".repeat(32)}${"bb".repeat(32)}`,
    contributors: ["Alice", "Bob", "Carol"],
    beacon: { value: "0x0102", iterations: 10 },
    transcript: `0x${"cc".repeat(32)}`,
  }
  const key = parseVerificationKey({ ...mirage, setup })
  const bytes = bytesToHex(encodeKey(key)).match(/.{64}/g) as string[]
  const meanings = ["ptau", "ptau", "three contributors", "keccak256 of the beacon", "transcript"]
  const lines = [
    `1   ${bytes[1]}  of a ceremony`,
    ...meanings.map((meaning, i) => `${26 + i}  ${bytes[26 + i]}  ${meaning}`),
    `key digest  ${keyDigest(key).slice(2)}`,
  ]
  expect(bytes).toHaveLength(31)
  expect(text).toContain(`\n${lines.join("\n")}\n`)
})

test("a word, the challenge and the evaluation", () => {
  const context: Hex = `0x${"22".repeat(32)}`
  const words = wordsOf(
    {
      model,
      context,
      input: { visibility: "hidden" },
      output: { visibility: "public", values: { logits: ["-12", "345"] } },
    },
    layout,
  )
  expect(words).toEqual([BigInt(-12 + 100 + (345 + 100) * 512)])
  expect(text).toContain(`(−12 + 100) + (345 + 100) · 2^9 = ${words[0]} is the only word`)
  const c = challenge(keyDigest(mirage), context, words, ["1", "2"])
  const lines = [
    `key digest  ${keyDigest(mirage).slice(2)}`,
    `context     ${context.slice(2)}`,
    `n           ${hex(1n)}`,
    `p_0         ${hex(words[0])}`,
    `D.x         ${hex(1n)}`,
    `D.y         ${hex(2n)}`,
    `c           ${hex(c)}`,
    `ev          ${hex(evaluation(words, c))}`,
  ]
  expect(text).toContain(`\n${lines.join("\n")}\n`)
})

test("the words that a key of private weights has of its own", () => {
  const trapdoor = {
    alpha: 2n,
    beta: 3n,
    delta: 5n,
    deltaC: 7n,
    ic: [11n, 13n, 17n],
    deltaW: 19n,
    weights: 23n,
  }
  const { key } = mirageKeyJson(layout, {
    ...{ setup: "dev", model, isPrivate: true },
    trapdoor: trapdoor as never,
  })
  const bytes = bytesToHex(encodeKey(parseVerificationKey(key))).match(/.{64}/g) as string[]
  const meanings = [
    ...["architecture", "weights.x", "weights.y", "deltaW2.x1", "deltaW2.x0", "deltaW2.y1", "deltaW2.y0"],
  ]
  const lines = [
    `1   ${bytes[1]}  development key of private weights`,
    `4   ${bytes[4]}  model`,
    ...meanings.map((meaning, i) => `${26 + i}  ${bytes[26 + i]}  ${meaning}`),
    `key digest  ${keyDigest(key).slice(2)}`,
  ]
  expect(bytes).toHaveLength(33)
  expect(text).toContain(`\n${lines.join("\n")}\n`)
})
