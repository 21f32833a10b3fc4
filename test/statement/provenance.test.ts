import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { FileError } from "#src/errors.js"
import { flagsOf, parseProvenance, provenanceWords } from "#src/statement/provenance.js"
import { type CeremonyFacts, describeProvenance } from "#src/verifier/index.js"
import { edit } from "../support/groth16-oracle.js"
import { beacons, ceremonies, ceremony, uncontributed } from "../support/provenances.js"

describe("a provenance in a key's JSON", () => {
  test("is read back as it was written", () => {
    for (const word of ["dev", "external"] as const) expect(parseProvenance(word, "setup")).toBe(word)
    fc.assert(
      fc.property(ceremonies, (facts) => {
        const read = parseProvenance(JSON.parse(JSON.stringify(facts)), "setup")
        expect(read).toEqual(facts)
        expect(JSON.stringify(read)).toBe(JSON.stringify(facts))
      }),
      { numRuns: 300 },
    )
  })

  test("may have as much as the limits say", () => {
    const most: CeremonyFacts = {
      ...ceremony,
      contributors: Array.from({ length: 10_000 }, () => "\u{10400}".repeat(32)),
      beacon: { value: `0x${"ff".repeat(255)}`, iterations: 32 },
    }
    expect(parseProvenance(structuredClone(most), "setup")).toEqual(most)
    const least = { ...ceremony, contributors: [], beacon: { value: "0x00", iterations: 10 } }
    expect(parseProvenance(structuredClone(least), "setup")).toEqual(least)
  })

  test.each<[string, (string | number)[], unknown, string]>([
    ["an unknown field", ["note"], 1, "unknown field"],
    ["no powers of tau", ["ptau"], undefined, "setup.ptau"],
    ["powers of tau of 32 bytes", ["ptau"], `0x${"ab".repeat(32)}`, "128 lower-case hexadecimal"],
    ["powers of tau in capitals", ["ptau"], `0x${"AB".repeat(64)}`, "setup.ptau"],
    ["powers of tau without 0x", ["ptau"], "ab".repeat(65), "setup.ptau"],
    ["contributors as text", ["contributors"], "Alice", "setup.contributors"],
    ["too many contributors", ["contributors"], Array(10_001).fill("a"), "at most 10000"],
    ["a list of great length", ["contributors"], Array(2 ** 31), "at most 10000"],
    ["a hole among contributors", ["contributors"], Array(2), "setup.contributors[0]"],
    ["a contributor without a name", ["contributors", 1], "", "setup.contributors[1]"],
    ["a name of spaces", ["contributors", 1], "  ", "setup.contributors[1]"],
    ["a name with a space behind it", ["contributors", 1], "Bob ", "setup.contributors[1]"],
    ["a name of 65 characters", ["contributors", 1], `${"\u{10400}".repeat(32)}.`, "1 to 64 printable"],
    ["a name on two lines", ["contributors", 1], "Bob\nmade by nobody", "setup.contributors[1]"],
    ["a name that turns the line around", ["contributors", 1], "Bob\u202e", "setup.contributors[1]"],
    ["half a character", ["contributors", 1], "\ud800", "setup.contributors[1]"],
    ["a name that is a number", ["contributors", 1], 5, "setup.contributors[1]"],
    ["no beacon and no null", ["beacon"], undefined, "setup.beacon"],
    ["a beacon of no bytes", ["beacon", "value"], "0x", "setup.beacon.value"],
    ["a beacon of half a byte", ["beacon", "value"], "0xabc", "setup.beacon.value"],
    ["a beacon of 256 bytes", ["beacon", "value"], `0x${"00".repeat(256)}`, "setup.beacon.value"],
    ["nine iterations", ["beacon", "iterations"], 9, "an integer from 10 to 32"],
    ["33 iterations", ["beacon", "iterations"], 33, "an integer from 10 to 32"],
    ["iterations as text", ["beacon", "iterations"], "10", "setup.beacon.iterations"],
    ["a fraction of an iteration", ["beacon", "iterations"], 10.5, "setup.beacon.iterations"],
    ["a transcript of 31 bytes", ["transcript"], `0x${"ab".repeat(31)}`, "setup.transcript"],
  ])("is refused with %s", (_, path, to, message) => {
    const changed = edit<unknown>(ceremony, path, to)
    expect(() => parseProvenance(changed, "setup")).toThrow(FileError)
    expect(() => parseProvenance(changed, "setup")).toThrow(message)
  })

  test.each([undefined, null, 1, true, [], ["dev"], {}, "ceremony", "Dev", ""])("is not %j", (value) => {
    expect(() => parseProvenance(value, "setup")).toThrow(FileError)
  })
})

describe("in canonical bytes", () => {
  /** What the words say, read back; the beacon's is a hash, of which `of` is what it may be of. */
  const decoded = (words: readonly bigint[], of: CeremonyFacts["beacon"]) => {
    const digits = words.map((word) => word.toString(16).padStart(64, "0"))
    const preimage = of ? `${of.value.slice(2)}${of.iterations.toString(16).padStart(64, "0")}` : ""
    const hash = of ? bytesToHex(keccak_256(hexToBytes(preimage))) : "0".repeat(64)
    return {
      ptau: `0x${digits[0]}${digits[1]}`,
      contributors: Number(words[2]),
      beacon: digits[3] === hash ? of : "another",
      transcript: `0x${digits[4]}`,
    }
  }

  test("each has a flag of its own, and a ceremony five words, which say it but for the names", () => {
    expect(["external", "dev", ceremony].map((of) => flagsOf(of as CeremonyFacts))).toEqual([0n, 1n, 2n])
    expect([provenanceWords("dev"), provenanceWords("external")]).toEqual([[], []])
    fc.assert(
      fc.property(ceremonies, (facts) => {
        const words = provenanceWords(facts)
        expect(words).toHaveLength(5)
        const { contributors, ...rest } = facts
        expect(decoded(words, facts.beacon)).toEqual({ ...rest, contributors: contributors.length })
      }),
      { numRuns: 300 },
    )
  })

  test("two beacons are never one, also where value and iterations could be shifted", () => {
    const wordOf = (beacon: CeremonyFacts["beacon"]) => provenanceWords({ ...ceremony, beacon })[3]
    const shifted = { value: `0x01${"00".repeat(31)}0b`, iterations: 10 } as const
    const neighbours = [
      null,
      { value: "0x01", iterations: 10 } as const,
      { value: "0x01", iterations: 11 } as const,
      { value: "0x0100", iterations: 10 } as const,
      { value: "0x0001", iterations: 10 } as const,
      shifted,
    ]
    expect(new Set(neighbours.map(wordOf)).size).toBe(neighbours.length)
    fc.assert(
      fc.property(beacons, beacons, (one, two) => {
        expect(wordOf(one) === wordOf(two)).toBe(JSON.stringify(one) === JSON.stringify(two))
      }),
      { numRuns: 300 },
    )
  })

  test("names are not: the transcript, which is, has them", () => {
    const renamed = { ...ceremony, contributors: ["Mallory", "Bob", "Caroline Ж."] }
    expect(provenanceWords(renamed)).toEqual(provenanceWords(ceremony))
  })
})

test("in words for people", () => {
  const said = (facts: Partial<CeremonyFacts>) => describeProvenance({ ...ceremony, ...facts })
  expect(describeProvenance("dev")).toContain("whoever ran it can forge")
  expect(describeProvenance("external")).toContain("other tools")
  const tau = "on powers of tau 0xa0a0a0a0…b1b1b1b1"
  expect(said({})).toBe(`a ceremony of 3 contributors (Alice, Bob, Caroline Ж.) and a beacon, ${tau}`)
  expect(said({ contributors: ["Alice"], beacon: null })).toBe(`a ceremony of 1 contributor (Alice), ${tau}`)
  expect(describeProvenance(uncontributed)).toBe(`a ceremony of no contributor and a beacon, ${tau}`)
  const many = Array.from({ length: 10_000 }, (_, i) => `P${i}`.padEnd(64, "x"))
  expect(said({ contributors: many })).toMatch(
    /^a ceremony of 10000 contributors \(P0x+, .*P7x+ and 9992 more\)/,
  )
  expect(said({ contributors: many }).length).toBeLessThan(800)
})
