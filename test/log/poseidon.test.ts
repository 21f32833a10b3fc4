/** Our hash of two against noble's plain rounds and circomlibjs's. */
import { grainGenConstants, poseidon } from "@noble/curves/abstract/poseidon.js"
import { buildPoseidonReference } from "circomlibjs"
import fc from "fast-check"
import { expect, it } from "vitest"
import { r } from "#src/field.js"
import { poseidon2, poseidonParameters } from "#src/log/poseidon.js"

const element = fc.oneof(fc.bigInt(0n, r - 1n), fc.constantFrom(0n, 1n, r - 1n, (r - 1n) / 2n, 1n << 128n))

it("is circomlib's Poseidon", async () => {
  const reference = await buildPoseidonReference()
  fc.assert(
    fc.property(element, element, (a, b) => {
      expect(poseidon2(a, b)).toBe(reference.F.toObject(reference([a, b])))
    }),
    { numRuns: 50 },
  )
})

it("is what its rounds are without our rearrangement", () => {
  const permute = poseidon({ ...poseidonParameters, ...grainGenConstants(poseidonParameters) })
  fc.assert(
    fc.property(element, element, (a, b) => {
      expect(poseidon2(a, b)).toBe(permute([0n, a, b])[0])
    }),
  )
})

it("gives known answers", () => {
  expect(poseidon2(1n, 2n)).toBe(
    7853200120776062878684798364095072458815029376092732009249414926327459813530n,
  )
  // the empty tree of depth 1
  expect(poseidon2(0n, 0n)).toBe(
    14744269619966411208579211824598458697587494354926760081771325075741142829156n,
  )
})
