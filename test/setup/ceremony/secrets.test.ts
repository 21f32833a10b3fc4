import { describe, expect, it } from "vitest"
import { r } from "#src/field.js"
import { beaconFactors, beaconHash } from "#src/setup/ceremony/beacon.js"
import { drawSeed, factorsOf, fitFactors } from "#src/setup/ceremony/secrets.js"

const names = ["deltaC", "delta"] as const
const fixed = (n: number) => Uint8Array.from({ length: n }, (_, i) => i)
const zeros = (n: number) => new Uint8Array(n)
/** 64 big-endian bytes. */
const wide = (x: bigint) => Uint8Array.from(Buffer.from(x.toString(16).padStart(128, "0"), "hex"))

describe("secrets of a contribution", () => {
  it("follow from the seed, and the seed from what was drawn and what was typed", () => {
    const seed = (typed: string, random = fixed) => Buffer.from(drawSeed(typed, random)).toString("hex")
    expect(seed("typed")).toMatchInlineSnapshot(
      `"c8e7dfdb6cb0e3d8925404486dcba668a593ff99f046d419cb064a91e2beb701db05d478c63f9acf5a94ded1b1af948269004177ca0f27c06cb5a74660903ce4"`,
    )
    const all = [seed("typed"), seed("typed "), seed(""), seed("typed", zeros), seed("", zeros)]
    expect(new Set(all).size).toBe(5)
    expect(drawSeed()).not.toEqual(drawSeed())
  })

  it("overwrites what was drawn", () => {
    const drawn = fixed(64)
    drawSeed("x", () => drawn)
    expect(drawn.every((byte) => byte === 0)).toBe(true)
  })

  it("differ by δ, by seed and by place", () => {
    const seed = drawSeed("", fixed)
    const { deltaC, delta } = factorsOf(seed, zeros(32), names)
    expect([deltaC, delta].map(String)).toMatchInlineSnapshot(`
      [
        "5683840826700908733508064293823765341937143679721085193864263372800827238713",
        "4426234420217800257921202656163213987614488783452164886258893778946919486112",
      ]
    `)
    const others = [factorsOf(seed, fixed(32), names), factorsOf(drawSeed("", zeros), zeros(32), names)]
    expect(new Set([deltaC, delta, ...others.flatMap(Object.values)]).size).toBe(6)
  })

  it("are neither 0 nor ±1, and no two are equal or opposite", () => {
    const offered = [0n, 1n, r - 1n, r, r + 1n, 5n * r - 1n, 77n, 77n, r - 77n, 2n * r + 77n, 78n]
    let next = 0
    const used: Uint8Array[] = []
    const factors = fitFactors(names, () => {
      const bytes = wide(offered[next++])
      used.push(bytes)
      return bytes
    })
    expect(factors).toEqual({ deltaC: 77n, delta: 78n })
    expect(used.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true)
  })
})

describe("a beacon", () => {
  it("is SHA-256 of SHA-256 … of its value", async () => {
    const { createHash } = await import("node:crypto")
    let hash: Uint8Array = Buffer.from("c0ffee", "hex")
    for (let i = 0; i < 1024; i++) hash = createHash("sha256").update(hash).digest()
    const given = await beaconHash({ value: "0xc0ffee", iterations: 10 })
    expect(Buffer.from(given).equals(hash)).toBe(true)
    expect(Object.values(beaconFactors(given, zeros(32), names)).map(String)).toMatchInlineSnapshot(`
      [
        "8266435518014999932377530233423709124581034342193790112249737171166558872358",
        "1731327091657987544029375255455287379789120895383691383008139942073878715432",
      ]
    `)
    expect(beaconFactors(given, fixed(32), names)).not.toEqual(beaconFactors(given, zeros(32), names))
  })

  it("says how far it is, and stops on abort", async () => {
    const control = new AbortController()
    const seen: number[] = []
    const onProgress = ({ done, total }: { done: number; total: number }) => {
      seen.push(done)
      expect(total).toBe(2 ** 30)
      if (seen.length === 3) control.abort()
    }
    const long = beaconHash({ value: "0x00", iterations: 30 }, { onProgress, signal: control.signal })
    await expect(long).rejects.toThrow(/abort/i)
    expect(seen).toEqual([0, 2 ** 14, 2 ** 15])
  })
})
