/**
 * Attacks on a ceremony, each of which verification refuses with the contribution or the section that shows it. The
 * ceremony is of Alice, Bob and a beacon; whoever attacks may know all secrets but those that make the attack one.
 */
import { bytesToHex } from "@noble/hashes/utils.js"
import { beforeAll, describe, expect, it } from "vitest"
import { applyBeacon } from "#src/ceremony/index.js"
import { readCeremonyKey } from "#src/ceremony/key.js"
import { type SetupReport, type VerifySetupOptions, verifySetup } from "#src/ceremony/verify.js"
import { coordinates, montgomeryPoint } from "#src/circuit/formats/points.js"
import { compile } from "#src/compile/compile.js"
import { inverse, mod, q, r } from "#src/field.js"
import { auditKey } from "#src/prover/audit-key.js"
import { type Contribution, headJson } from "#src/setup/ceremony/transcript.js"
import { openPtau, type PtauFile } from "#src/setup/ptau/file.js"
import { hasProduct } from "#src/setup/qap.js"
import { type Circuit, systemOf } from "#src/systems/index.js"
import { digestOf } from "#src/systems/mirage/keyfile.js"
import { checkKey } from "#src/verifier/key.js"
import {
  contributed,
  edited,
  ended,
  multiplied,
  recordsOf,
  sectionsIn,
  withRecords,
  withSections,
} from "../support/ceremony-attacks.js"
import { firstKey, headOf, memorySink } from "../support/first-keys.js"
import {
  bytesOfG1,
  bytesOfG2,
  G1,
  G2,
  pointOfG2,
  sectionOf,
  smallPoint,
  withBytes,
  withSection,
} from "../support/foreign-keys.js"
import { perceptron } from "../support/networks.js"
import { type TauSecrets, tauSecrets, uncontributedPtau } from "../support/ptau.js"

const beacon = { value: "0x0badcafe", iterations: 10 } as const

/** Where things are in the files of each proof system. */
const systems = {
  mirage: {
    sections: { ic: 3, a: 4, b1: 5, b2: 6, committed: 7, final: 8, h: 9, c: 10 },
    names: {
      ic: "IC (3)",
      a: "A (4)",
      b1: "B1 (5)",
      b2: "B2 (6)",
      committed: "committed (7)",
      final: "final (8)",
      h: "H (9)",
      c: "C (10)",
    },
    singles: 2,
    divided: ["committed", "final", "h", "c"],
    alice: { delta: 1234567n ** 5n, deltaC: 7654321n ** 6n },
    bob: { delta: 2222223n ** 7n, deltaC: 3333331n ** 5n },
  },
  groth16: {
    sections: { ic: 3, a: 5, b1: 6, b2: 7, c: 8, h: 9 },
    names: { ic: "IC (3)", a: "A (5)", b1: "B1 (6)", b2: "B2 (7)", c: "C (8)", h: "H (9)" },
    singles: 2,
    divided: ["c", "h"],
    alice: { delta: 1234567n ** 5n },
    bob: { delta: 2222223n ** 7n },
  },
} as const
type Section = keyof (typeof systems)["mirage"]["sections"]

/** The first key of a ceremony, of powers with these secrets. */
async function begun(circuit: Circuit, ptau: PtauFile, secrets: TauSecrets): Promise<Uint8Array> {
  const list = [secrets.tau, secrets.alpha, secrets.beta].map((value) => mod(value))
  const random = (n: number) =>
    Uint8Array.from(Buffer.from((list.shift() as bigint).toString(16).padStart(2 * n, "0"), "hex"))
  const digest = bytesToHex(digestOf(circuit.linked.r1cs))
  const head = { ...headOf(circuit), circuit: `0x${digest}` as const, ptau: ptau.digest, power: ptau.power }
  return firstKey(circuit, random, head)
}

describe.each(["mirage", "groth16"] as const)("a ceremony of %s", (proofSystem) => {
  const { singles, alice, bob } = systems[proofSystem]
  const sections: Partial<Record<Section, number>> = systems[proofSystem].sections
  const names: Partial<Record<Section, string>> = systems[proofSystem].names
  const all = Object.keys(sections) as Section[]
  const deltas = Object.keys(alice) as ("delta" | "deltaC")[]
  /** Factors for every δ of the system. */
  const factors = (delta: bigint, deltaC = 5n * delta) =>
    Object.fromEntries(deltas.map((name) => [name, mod(name === "delta" ? delta : deltaC)]))
  const group = (section: Section) => (section === "b2" ? "g2" : "g1")
  const size = (section: Section) => (section === "b2" ? 128 : 64)

  let circuit: Circuit
  let ptau: PtauFile
  /** The key after nobody, Alice, Bob and the beacon. */
  let keys: Uint8Array[]
  let key: Uint8Array
  beforeAll(async () => {
    circuit = await compile((await perceptron([2, 2], 6)).graph, { proofSystem })
    ptau = await openPtau(await uncontributedPtau(Math.ceil(Math.log2(circuit.domain)) + 1))
    keys = [await begun(circuit, ptau, tauSecrets)]
    keys.push(await contributed(keys[0], "Alice", factors(alice.delta, alice.delta ** 3n)))
    keys.push(await contributed(keys[1], "Bob", factors(bob.delta, bob.delta ** 3n)))
    keys.push(await ended(keys[2], beacon))
    key = keys[3]
  })

  const check = (given: Uint8Array, options?: VerifySetupOptions, of = circuit): Promise<SetupReport> =>
    verifySetup(of, given, ptau, options)
  /** Its problems; that there are some is what is tested. */
  async function refused(given: Uint8Array, ...expected: readonly (RegExp | string)[]): Promise<string[]> {
    const { valid, problems } = await check(given)
    expect(valid).toBe(false)
    for (const text of expected) expect(problems.join("\n")).toMatch(text)
    return [...problems]
  }
  const pointAt = (given: Uint8Array, section: Section, i: number) =>
    sectionOf(given, sections[section] as number).subarray(size(section) * i, size(section) * (i + 1))
  const withPoint = (given: Uint8Array, section: Section, i: number, bytes: Uint8Array) =>
    withBytes(given, sections[section] as number, size(section) * i, bytes)
  const countOf = (section: Section) => sectionOf(key, sections[section] as number).length / size(section)
  const g1At = (given: Uint8Array, section: Section, i: number) => {
    const [x, y] = coordinates(pointAt(given, section, i))
    return x === 0n && y === 0n ? G1.ZERO : G1.fromAffine({ x, y })
  }
  /** The first point that is finite. */
  const finite = (section: Section) =>
    Array.from({ length: countOf(section) }, (_, i) => i).find((i) =>
      pointAt(key, section, i).some((byte) => byte !== 0),
    ) as number

  it("is valid after every step, and says who contributed", async () => {
    expect((await check(keys[0], { allowUncontributed: true })).problems).toEqual([])
    expect((await check(keys[1])).problems).toEqual([])
    expect((await check(keys[2])).problems).toEqual([])
    const report = await check(key)
    const people = ["Alice", "Bob"].map((name, i) => ({ number: i + 1, name, bound: true, beacon: null }))
    expect(report).toMatchObject({
      valid: true,
      problems: [],
      contributions: [...people, { number: 3, name: "beacon", bound: true, beacon }],
      ptau: { digest: ptau.digest, power: ptau.power },
    })
    const { verificationKey } = report
    expect(await check(key, { verificationKey })).toEqual(report)
  })

  describe("contributions", () => {
    const bobIsWrong = /contribution 2 \(Bob\) is wrong/

    it("replayed", async () => {
      await refused(await withRecords(keys[2], ([a, b]) => [a, b, a]), /contribution 3 \(Alice\) is wrong/)
      // with the points multiplied once more
      const again = await multiplied(
        keys[2],
        factors(alice.delta, alice.delta ** 3n),
        async ({ transcript }) => transcript.contributions[0],
      )
      await refused(again, /contribution 3 \(Alice\) is wrong/)
    })

    it("reordered", async () => {
      await refused(
        await withRecords(keys[2], ([a, b]) => [b, a]),
        /contribution 1 \(Bob\) is wrong/,
        /contribution 2 \(Alice\)/,
      )
    })

    it("dropped", async () => {
      await refused(await withRecords(key, ([, b, last]) => [b, last]), /contribution 1 \(Bob\) is wrong/)
      await refused(await withRecords(key, ([a, , last]) => [a, last]), /contribution 2 \(beacon\) is wrong/)
      await refused(
        await withRecords(key, ([a, b]) => [a, b]),
        /delta1 in .* is not where the contributions lead to/,
      )
      await refused(await withRecords(key, () => []), /nobody contributed/)
    })

    it("inserted", async () => {
      const mallory = await contributed(keys[1], "Mallory", factors(99n ** 9n))
      const [, record] = await recordsOf(mallory)
      const [a, b] = await recordsOf(keys[2])
      await refused(await withRecords(keys[2], () => [a, record, b]), /contribution 3 \(Bob\) is wrong/)
    })

    it("after the beacon", async () => {
      await refused(
        await contributed(key, "Carol", factors(77n)),
        /contribution 4 \(Carol\) is wrong: it comes after a beacon/,
      )
    })

    it("that leave a δ untouched, or negate it", async () => {
      for (const name of deltas) {
        for (const factor of [1n, r - 1n]) {
          const made = await contributed(keys[1], "Bob", { ...factors(4n ** 50n), [name]: factor })
          const [problem] = await refused(made, bobIsWrong)
          expect(problem).toContain(`${name} was left as it was, or negated`)
        }
      }
    })

    it("that leave two δs equal or opposite", async () => {
      if (deltas.length < 2) return
      for (const sign of [1n, -1n]) {
        const made = await contributed(keys[0], "Alice", factors(41n ** 20n, sign * 41n ** 20n))
        await refused(made, /contribution 1 \(Alice\) is wrong: deltaC and delta are equal or opposite/)
      }
    })

    it("after which a δ is one or minus one", async () => {
      const back = inverse(alice.delta)
      for (const sign of [1n, -1n]) {
        const made = await contributed(keys[1], "Bob", factors(sign * back, 5n))
        await refused(made, /contribution 2 \(Bob\) is wrong: delta is known afterwards/)
      }
    })

    it("of a beacon alone, which everyone can compute", async () => {
      await refused(await ended(keys[0], beacon), /nobody contributed/)
      await refused(keys[0], /nobody contributed/)
    })

    it("without a record: the key's δs and points multiplied by what somebody knows", async () => {
      const made = await multiplied(key, factors(12345n), async () => undefined)
      await refused(
        made,
        ...deltas.map((name) => new RegExp(`${name}1 in .* is not where the contributions lead to`)),
      )
    })

    it("whose record says another δ than the one that was proven", async () => {
      const after = ["1", "2"] as const
      for (const name of deltas) {
        const made = await withRecords(keys[2], ([a, b]) => [a, edited(b, { deltas: { [name]: { after } } })])
        await refused(made, bobIsWrong)
      }
    })

    it("that answer those before, with a δ of which the maker knows all", async () => {
      // after = z·G for a known z, whatever was there before: there is no proof of z divided by what Alice knew
      const z = 3n ** 30n
      const { x, y } = G1.BASE.multiply(z).toAffine()
      for (const name of deltas) {
        const honest = (await recordsOf(keys[2]))[1]
        const record = edited(honest, { deltas: { [name]: { after: [`${x}`, `${y}`] } } })
        await refused(await withRecords(keys[2], ([a]) => [a, record]), bobIsWrong)
      }
    })
  })

  describe("proofs of knowledge copied", () => {
    it("from another δ", async () => {
      if (deltas.length < 2) return
      const swap = ({ deltas: { delta, deltaC } }: Contribution) => ({
        delta: { sx: deltaC.sx, rx: deltaC.rx },
        deltaC: { sx: delta.sx, rx: delta.rx },
      })
      const made = await withRecords(keys[2], ([a, b]) => [a, edited(b, { deltas: swap(b) })])
      await refused(made, /contribution 2 \(Bob\) is wrong: deltaC and delta: the proof of knowledge/)
    })

    it("from another transcript", async () => {
      const other = await contributed(keys[0], "Alexa", factors(alice.delta, alice.delta ** 3n))
      const elsewhere = await contributed(other, "Bob", factors(bob.delta, bob.delta ** 3n))
      const [, record] = await recordsOf(elsewhere)
      const made = await withRecords(keys[2], ([a]) => [a, record])
      if (proofSystem === "mirage") await refused(made, /contribution 2 \(Bob\) is wrong/)
      // in groth16 the name is not of what snarkjs hashes: who wrote the record is what is not known any more
      else expect((await check(made)).contributions[1].bound).toBe(false)
      const powers = await contributed(
        await begun(circuit, ptau, { ...tauSecrets, beta: 5n }),
        "Alice",
        factors(alice.delta, alice.delta ** 3n),
      )
      const [first] = await recordsOf(powers)
      if (proofSystem === "mirage")
        expect((await check(await withRecords(keys[1], () => [first]))).problems).toEqual([])
    })

    it("from another person", async () => {
      const made = await withRecords(keys[2], ([a, b]) => [a, edited(b, { name: "Mallory" })])
      if (proofSystem === "mirage") await refused(made, /contribution 2 \(Mallory\) is wrong/)
      else expect((await check(made)).contributions[1]).toMatchObject({ name: "Mallory", bound: false })
    })
  })

  describe("the beacon", () => {
    it("of other iterations or another value", async () => {
      for (const other of [
        { ...beacon, iterations: 11 },
        { ...beacon, value: "0x0badcaff" as const },
      ]) {
        const made = await withRecords(key, ([a, b, last]) => [a, b, edited(last, { beacon: other })])
        await refused(made, /contribution 3 \(beacon\) is wrong/)
      }
    })

    it("with secrets of somebody's choice", async () => {
      const made = await multiplied(keys[2], factors(1234n ** 10n), async ({ protocol, transcript }) => {
        const own = await protocol.contribution(transcript, "beacon", factors(1234n ** 10n))
        return edited(own, { beacon })
      })
      await refused(made, /contribution 3 \(beacon\) is wrong/)
    })
  })

  describe("points", () => {
    it.each(all)(
      "of section %s that are one point off: the section and the point are named",
      async (section) => {
        for (const i of new Set([0, countOf(section) - 1])) {
          const bytes = pointAt(key, section, i)
          const infinite = bytes.every((byte) => byte === 0)
          const changed =
            group(section) === "g2"
              ? bytesOfG2((infinite ? G2.ZERO : pointOfG2(coordinates(bytes))).add(G2.BASE))
              : bytesOfG1(g1At(key, section, i).add(G1.BASE))
          const problems = await refused(withPoint(key, section, i, changed))
          expect(problems).toHaveLength(1)
          expect(problems[0]).toContain(
            `${names[section]}: point ${section === "h" ? i % circuit.domain : i}`,
          )
          expect(problems[0]).toContain("is not what the circuit")
        }
      },
    )
  })
})
