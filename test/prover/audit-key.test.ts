/** The audit of a key's points: each kind of damage is found, and the section that has it is named. */
import { beforeAll, describe, expect, it } from "vitest"
import { coordinates } from "#src/circuit/formats/points.js"
import { compile } from "#src/compile/compile.js"
import { FileError } from "#src/errors.js"
import { inverse, mod, r } from "#src/field.js"
import { auditKey } from "#src/prover/audit-key.js"
import { type Keys, setup } from "#src/prover/open.js"
import { BoundVectors, isEmpty, KnownRows, randomVector, rowSums, sideOf } from "#src/prover/rowspace.js"
import { publicCount } from "#src/setup/qap.js"
import { draw } from "#src/setup/trapdoor.js"
import type { Circuit } from "#src/systems/index.js"
import { supportOf } from "#src/systems/mirage/keyfile.js"
import { checkKey } from "#src/verifier/key.js"
import {
  bytesOfG1,
  bytesOfG2,
  G1,
  pointOfG2,
  sectionOf,
  smallPoint,
  withBytes,
  withSection,
} from "../support/foreign-keys.js"
import { perceptron, small } from "../support/networks.js"
import { Random } from "../support/random.js"

/** The same secrets whenever it is made. */
function fixedRandom(): (n: number) => Uint8Array {
  const random = new Random(12)
  return (n) => Uint8Array.from({ length: n }, () => random.integer(0, 255))
}

const point1 = (bytes: Uint8Array) => {
  const [x, y] = coordinates(bytes)
  return x === 0n && y === 0n ? G1.ZERO : G1.fromAffine({ x, y })
}
const point2 = (bytes: Uint8Array) => pointOfG2(coordinates(bytes))

/** A change of point number i of a section. */
const withPoint1 = (
  key: Uint8Array,
  id: number,
  i: number,
  change: (point: typeof G1.BASE) => typeof G1.BASE,
) => withBytes(key, id, 64 * i, bytesOfG1(change(point1(sectionOf(key, id).subarray(64 * i, 64 * i + 64)))))
const withPoint2 = (
  key: Uint8Array,
  id: number,
  i: number,
  change: (p: ReturnType<typeof point2>) => typeof p,
) =>
  withBytes(key, id, 128 * i, bytesOfG2(change(point2(sectionOf(key, id).subarray(128 * i, 128 * i + 128)))))

describe.each([
  ["mirage", { 3: "IC", 4: "A", 5: "B1", 6: "B2", 7: "committed", 8: "final", 9: "H", 10: "C" }],
  ["groth16", { 3: "IC", 5: "A", 6: "B1", 7: "B2", 8: "C", 9: "H" }],
] as const)("the points of a key of %s", (proofSystem, names) => {
  let circuit: Circuit
  let keys: Keys
  beforeAll(async () => {
    const { graph } = await perceptron([3, 2, 2], 6)
    circuit = await compile(graph, { proofSystem } as { proofSystem: "mirage" })
    keys = await setup(circuit, { dev: true, random: fixedRandom() })
  }, 60_000)
  const audit = (key: Uint8Array) => auditKey(circuit, key, checkKey(keys.verificationKey))
  const named = async (key: Uint8Array, name: string, id: number | string) => {
    const error = await audit(key).catch((thrown) => thrown)
    expect(error, `${name} (${id})`).toBeInstanceOf(FileError)
    // where two sections disagree, both are named
    const [, sections] = /points of (.*) do not fit/.exec(error.message) ?? []
    expect(sections.split(" or ").length, error.message).toBeLessThanOrEqual(2)
    expect(sections.split(" or "), error.message).toContain(`${name} (${id})`)
  }

  it("fit, all of them", async () => {
    const counts = Object.keys(names)
      .map(Number)
      .map((id) => sectionOf(keys.provingKey, id).length / 64)
    const b2 = Number(Object.entries(names).find(([, name]) => name === "B2")?.[0])
    const all = counts.reduce((sum, count) => sum + count, 0) - sectionOf(keys.provingKey, b2).length / 128
    expect(await audit(keys.provingKey)).toBe(all)
  })

  it.each(Object.entries(names))("section %s (%s) with one point changed is named", async (id, name) => {
    const bytes = name === "B2" ? 128 : 64
    const count = sectionOf(keys.provingKey, Number(id)).length / bytes
    const random = new Random(Number(id))
    for (const i of new Set([random.integer(0, count - 1), count - 1])) {
      const key =
        name === "B2"
          ? withPoint2(keys.provingKey, Number(id), i, (point) =>
              point.add(point2(sectionOf(keys.provingKey, 2).subarray(-128))),
            )
          : withPoint1(keys.provingKey, Number(id), i, (point) => point.add(G1.BASE))
      await named(key, name, id)
    }
  })

  it("of another secret in one group than in the other are named, and points that are none", async () => {
    const [b1, b2] = ["B1", "B2"].map((name) =>
      Number(Object.entries(names).find(([, n]) => n === name)?.[0]),
    )
    const count = sectionOf(keys.provingKey, b1).length / 64
    let key = keys.provingKey
    for (let i = 0; i < count; i++) key = withPoint1(key, b1, i, (point) => point.double())
    await named(key, "B1", b1)
    await named(
      withPoint2(keys.provingKey, b2, 0, (point) => point.add(smallPoint())),
      "B2",
      b2,
    )
    const a = Number(Object.entries(names).find(([, name]) => name === "A")?.[0])
    await named(withBytes(keys.provingKey, a, 64, new Uint8Array(64).fill(1)), "A", a)
  })
})

it("a wire in the wrong group of a two-phase key is found, and layers of H that are not multiples", async () => {
  const { graph } = await perceptron([3, 2, 2], 6)
  const circuit = await compile(graph)
  const random = fixedRandom()
  const keys = await setup(circuit, { dev: true, random })
  const again = fixedRandom()
  const [, , , deltaC, delta] = Array.from({ length: 5 }, () => draw(again))
  const audit = (key: Uint8Array) => auditKey(circuit, key, checkKey(keys.verificationKey))
  const ratio = (deltaC * inverse(delta)) % r
  const last = sectionOf(keys.provingKey, 7).length / 64 - 1
  for (const i of [0, last]) {
    const moved = withPoint1(keys.provingKey, 7, i, (point) => point.multiplyUnsafe(ratio))
    await expect(audit(moved)).rejects.toThrow(/points of committed \(7\) do not fit/)
  }
  const layers = sectionOf(keys.provingKey, 9).length / 64
  const changed = withPoint1(keys.provingKey, 9, layers - 1, (point) => point.negate())
  await expect(audit(changed)).rejects.toThrow(/points of H \(9\) do not fit/)
  // a layer of its own is no multiple of the first
  const swapped = withSection(keys.provingKey, 9, (content) => {
    const first = content.slice(0, content.length / 4)
    content.copyWithin(0, content.length / 4, content.length / 2)
    content.set(first, content.length / 4)
    return content
  })
  await expect(audit(swapped)).rejects.toThrow(/points of H \(9\)/)
})

it("what the rows leave open of a circuit with every gadget and commitments is covered by other means", async () => {
  const { graph } = await small()
  for (const options of [
    { input: "committed", output: "committed" },
    { input: "public" },
    { input: "private", proofSystem: "groth16" },
  ] as const) {
    const circuit: Circuit = await compile(graph, options as { input: "public" })
    const { r1cs } = circuit.linked
    const [a, b, c] = [
      sideOf(r1cs, r1cs.a, publicCount(r1cs) + 1),
      sideOf(r1cs, r1cs.b),
      sideOf(r1cs, r1cs.c),
    ]
    const rows = new KnownRows([a, b])
    // combinations of known rows by points are what they say: with u_i and v_i in place of their points
    const values = randomVector(a.rowPtr.length - 1).map((value, row) => (rows.known[row] ? value : 0n))
    const [fromA, fromB] = rows.factors(values)
    const ofB = rowSums(b, fromB)
    expect(rowSums(a, fromA).map((sum, row) => mod(sum + (ofB[row] ?? 0n)))).toEqual(values)
    // every wire has a factor, whatever the sums of unknown products; other rows without known L_j sum to zero
    const isProduct = (row: number) => !isEmpty(a, row) && !isEmpty(b, row)
    const unknown = Array.from({ length: r1cs.rows }, (_, row) => row).filter((row) => rows.known[row] === 0)
    const vectors = new BoundVectors(
      c,
      (row) => rows.known[row] === 0,
      () => true,
    )
    const wanted = (row: number) => (isProduct(row) && !vectors.stuck[row] ? BigInt(row + 1) : 0n)
    const rho = vectors.draw(wanted)
    const sums = rowSums(c, rho)
    for (const row of unknown) expect(sums[row]).toBe(wanted(row))
    expect(rho).not.toContain(0n)
    const keys = await setup(circuit, { dev: true })
    const audit = (key: Uint8Array) => auditKey(circuit, key, checkKey(keys.verificationKey))
    expect(await audit(keys.provingKey)).toBeGreaterThan(r1cs.wires)
    if (options.input !== "committed" || circuit.proofSystem !== "mirage") continue
    const wire = circuit.linked.commitments.input?.wires[100] as number
    const inA = supportOf(r1cs, "a").indexOf(wire)
    const changedA = withPoint1(keys.provingKey, 4, inA, (point) => point.add(G1.BASE))
    await expect(audit(changedA)).rejects.toThrow(/points of A \(4\) do not fit/)
    const changedK = withPoint1(keys.provingKey, 7, wire - 3, (point) => point.add(G1.BASE))
    await expect(audit(changedK)).rejects.toThrow(/points of committed \(7\) do not fit/)
  }
}, 60_000)
