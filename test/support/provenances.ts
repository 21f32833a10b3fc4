/** Provenances as keys may have them: one of each kind, and any ceremony. */
import fc from "fast-check"
import type { CeremonyFacts, Hex } from "#src/verifier/index.js"

/** Three people and a beacon. */
export const ceremony: CeremonyFacts = {
  ptau: `0x${"a0".repeat(32)}${"b1".repeat(32)}`,
  contributors: ["Alice", "Bob", "Caroline Ж."],
  beacon: { value: `0x${"c2".repeat(8)}`, iterations: 10 },
  transcript: `0x${"d3".repeat(32)}`,
}

/** A beacon alone, whose secret everyone can compute. */
export const uncontributed: CeremonyFacts = { ...ceremony, contributors: [] }

const hex = (least: number, most: number): fc.Arbitrary<Hex> =>
  fc
    .uint8Array({ minLength: least, maxLength: most })
    .map((bytes): Hex => `0x${Buffer.from(bytes).toString("hex")}`)

const name = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 64 })
  .filter(
    (text) => text.trim() === text && text !== "" && text.length <= 64 && !/[\p{C}\p{Zl}\p{Zp}]/u.test(text),
  )

/** Short values, so that two drawn ones are neighbours more often than not. */
export const beacons = fc.option(
  fc.record({ value: hex(1, 34), iterations: fc.integer({ min: 10, max: 32 }) }),
)

export const ceremonies: fc.Arbitrary<CeremonyFacts> = fc.record({
  ptau: hex(64, 64),
  contributors: fc.array(name, { maxLength: 5 }),
  beacon: beacons,
  transcript: hex(32, 32),
})
