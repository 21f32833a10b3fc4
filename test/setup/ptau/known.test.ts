/** Constants from elsewhere, and hashes, against those who publish or compute them. */
import { createHash, randomBytes } from "node:crypto"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { pathToFileURL } from "node:url"
import { bytesToHex } from "@noble/hashes/utils.js"
import { describe, expect, it } from "vitest"
import { montgomeryPoint } from "#src/circuit/formats/points.js"
import { openEngine } from "#src/prover/kernels/engine.js"
import { newHasher, stateBytes } from "#src/setup/ptau/blake2b.js"
import { firstChallenge } from "#src/setup/ptau/first-challenge.js"
import { knownName } from "#src/setup/ptau/known.js"
import { generator1, generator2 } from "#src/setup/ptau/points.js"

const blake2b = (bytes: Uint8Array) => createHash("blake2b512").update(bytes).digest("hex")

describe("well-known files", () => {
  it("are those of snarkjs's table", () => {
    const snarkjs = pathToFileURL(createRequire(import.meta.url).resolve("snarkjs"))
    const readme = readFileSync(new URL("../README.md", snarkjs), "utf8")
    const rows = [...readme.matchAll(/^\|\s*(\d+)\s*\|.*\.ptau\)\s*\|\s*([0-9a-f]{128})\s*\|$/gm)]
    expect(rows.map(([, power]) => Number(power))).toEqual(Array.from({ length: 21 }, (_, i) => 8 + i))
    for (const [, power, digest] of rows) expect(knownName(`0x${digest}`)).toBe(`Hermez, 2^${power}`)
    expect(knownName(`0x${"00".repeat(64)}`)).toBeUndefined()
  })
})

describe("first challenges", () => {
  it("are the hashes of what they are said to be, for small powers", async () => {
    const engine = await openEngine({ threads: 1 })
    try {
      const one = await engine.uncompressed("g1", montgomeryPoint(generator1))
      const two = await engine.uncompressed("g2", montgomeryPoint(generator2))
      for (let power = 1; power <= 10; power++) {
        const n = 2 ** power
        const hash = createHash("blake2b512").update(blake2b(new Uint8Array(0)), "hex")
        for (let i = 0; i < 2 * n - 1; i++) hash.update(one)
        for (let i = 0; i < n; i++) hash.update(two)
        for (let i = 0; i < 2 * n; i++) hash.update(one)
        expect(bytesToHex(firstChallenge(power))).toBe(hash.update(two).digest("hex"))
      }
    } finally {
      await engine.close()
    }
  })

  it("are for large ones what ceremonies published of theirs", () => {
    // Perpetual Powers of Tau, first contribution; a ceremony of 2^25 in Paris in 2019
    expect(bytesToHex(firstChallenge(28))).toMatch(/^93da91920d5a54a8a0fde55cd9dc3a10c4f3eef768b62c09/)
    expect(bytesToHex(firstChallenge(25))).toMatch(/^661de6f41b1150ac7448085558e5ecda/)
    expect(() => firstChallenge(29)).toThrow()
  })
})

describe("BLAKE2b", () => {
  it("is that of others, whatever the pieces, and goes on from a state", async () => {
    for (const length of [0, 1, 127, 128, 129, 255, 256, 1000, 2 ** 18, 2 ** 18 + 1]) {
      const bytes = new Uint8Array(randomBytes(length))
      const cut = Math.floor(length / 3)
      const hasher = (await newHasher()).update(bytes.subarray(0, cut))
      const state = hasher.state()
      expect(state).toHaveLength(stateBytes)
      // another hash at the same time does not disturb it
      const other = (await newHasher(state)).update(bytes.subarray(cut))
      expect(bytesToHex(hasher.update(bytes.subarray(cut)).digest())).toBe(blake2b(bytes))
      expect(bytesToHex(other.digest())).toBe(blake2b(bytes))
    }
  })
})
