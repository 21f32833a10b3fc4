/** Scalars in parts: what they are multiplied by, and how short they are. */
import { expect, test } from "vitest"
import { rootOfUnity } from "#src/circuit/link/domain.js"
import { inverse, mod, q, r } from "#src/field.js"
import {
  lambda,
  lattice,
  mu,
  partsOf,
  partsWords,
  units,
  writeParts,
} from "#src/prover/kernels/points/endomorphism.js"
import { anyBelow } from "../../support/curves.js"
import { openModule, variants } from "../../support/kernels.js"

const sum = (parts: readonly bigint[], of: readonly bigint[]): bigint =>
  mod(parts.reduce((total, part, i) => total + part * of[i], 0n))
const size = (k: bigint): bigint => (k < 0n ? -k : k)

test("λ is the cube root of unity that transforms of size 3 take, μ is q, and μ² = λ + 1", () => {
  expect(lambda).toBe(inverse(rootOfUnity(3)))
  expect(mod(lambda * lambda + lambda + 1n)).toBe(0n)
  expect(mu).toBe(mod(q))
  expect(mod(mu * mu)).toBe(mod(lambda + 1n))
})

test.each(["g1", "g2"] as const)("%s: parts are short, and add up", (group) => {
  for (const vector of lattice[group]) {
    expect(sum(vector, units[group])).toBe(0n)
    expect(vector.some((entry) => entry !== 0n)).toBe(true)
  }
  const limit = group === "g1" ? 2n ** 127n : 2n ** 64n - 32n
  const edges = [0n, 1n, 2n, r - 1n, r - 2n, r >> 1n, (r >> 1n) + 1n, ...units[group]]
  for (const unit of units[group]) edges.push(mod(-unit), mod(unit >> 1n))
  for (let i = 0; i < 3000; i++) edges.push(anyBelow(r))
  let largest = 0n
  for (const k of edges) {
    const parts = partsOf(group, k)
    expect(sum(parts, units[group])).toBe(k)
    for (const part of parts) if (size(part) > largest) largest = size(part)
  }
  expect(largest).toBeLessThan(limit)
  // whatever is rounded: half of every vector, and what rounding may err
  const most = lattice[group].reduce(
    (bounds, vector) => bounds.map((bound, i) => bound + size(vector[i])),
    units[group].map(() => 0n),
  )
  for (const bound of most) expect((bound * 501n) / 1000n).toBeLessThan(limit)
  // trivial ones stay trivial: their tables cost nothing
  units[group].forEach((unit, i) => {
    expect(partsOf(group, unit)).toEqual(units[group].map((_, j) => (i === j ? 1n : 0n)))
  })
})

test("parts in memory: sizes, then signs", () => {
  for (const group of ["g1", "g2"] as const) {
    const words = new BigUint64Array(2 * partsWords)
    const k = anyBelow(r)
    writeParts(words, 1, group, k)
    expect(words.subarray(0, partsWords)).toEqual(new BigUint64Array(partsWords))
    const own = words.subarray(partsWords)
    const parts =
      group === "g1" ? [own[0] | (own[1] << 64n), own[2] | (own[3] << 64n)] : [...own.subarray(0, 4)]
    const signed = parts.map((part, i) => ((own[4] >> BigInt(i)) & 1n ? -part : part))
    expect(signed).toEqual(partsOf(group, k))
  }
})

test.each(variants)("%s: the module takes as many parts and words", async (variant) => {
  const { exports } = await openModule(variant)
  const constant = (name: string) => (exports[name] as unknown as WebAssembly.Global).value
  expect(constant("partsBytes")).toBe(8 * partsWords)
  for (const group of ["g1", "g2"] as const) expect(constant(`${group}Parts`)).toBe(units[group].length)
  expect([constant("g1PartBits"), constant("g2PartBits")]).toEqual([128, 65])
})
