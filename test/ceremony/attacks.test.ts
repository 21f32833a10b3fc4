/**
 * Attacks on a ceremony, each of which verification refuses with the contribution or the section that shows it. The
 * ceremony is of Alice, Bob and a beacon; whoever attacks may know all secrets but those that make the attack one.
 */
import { beforeAll, describe, expect, it } from "vitest"
import { readCeremonyKey } from "#src/ceremony/key.js"
import { type SetupReport, type VerifySetupOptions, verifySetup } from "#src/ceremony/verify.js"
import { coordinates, montgomeryPoint } from "#src/circuit/formats/points.js"
import { compile } from "#src/compile/compile.js"
import { inverse, mod, r } from "#src/field.js"
import { auditKey } from "#src/prover/audit-key.js"
import { setup, verificationKeyOf } from "#src/prover/open.js"
import { commitWeights } from "#src/prover/weights.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { type Contribution, contributionOf } from "#src/setup/ceremony/transcript.js"
import { openPtau, type PtauFile } from "#src/setup/ptau/file.js"
import { hasProduct } from "#src/setup/qap.js"
import { type Circuit, contributedKeysOf, systemOf } from "#src/systems/index.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import type { VerificationKey } from "#src/systems/verifiers.js"
import { checkKey } from "#src/verifier/key.js"
import { isFull } from "../support/amount.js"
import {
  contributed,
  edited,
  ended,
  multiplied,
  recordsOf,
  type Section,
  sectionsIn,
  systems,
  withHead,
  withRecords,
  withSections,
} from "../support/ceremony-attacks.js"
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
import { contributedPtau, type TauSecrets, tauSecrets } from "../support/ptau.js"
import { Random } from "../support/random.js"

const random = new Random(11)
const beacon = { value: "0x0badcafe", iterations: 10 } as const

/** The same model, but for one weight. */
function changedWeights(graph: IntGraph): IntGraph {
  const nodes = structuredClone(graph.nodes)
  const maps = nodes.flatMap((node) => (node.kind === "linear" ? node.terms : [])).map(({ map }) => map)
  for (const map of maps) if (map.kind === "dense") map.weight[0] -= Math.sign(map.weight[0])
  return { ...graph, nodes }
}

/** Powers enough for a circuit, and no more. */
const powersFor = async ({ domain }: Circuit, secrets: TauSecrets = tauSecrets): Promise<PtauFile> =>
  openPtau(await contributedPtau(Math.ceil(Math.log2(domain)), { secrets }))

describe.each(["mirage", "architecture", "groth16"] as const)("a ceremony of %s", (kind) => {
  // of two-phase keys an architecture's has one δ and one section more: the same is asked of the others in the full run
  const again = it.skipIf(kind === "mirage" && !isFull)
  const proofSystem = kind === "groth16" ? kind : "mirage"
  const isPrivate = kind === "architecture"
  const { singles, alice, bob } = systems[kind]
  const sections: Partial<Record<Section, number>> = systems[kind].sections
  const names: Partial<Record<Section, string>> = systems[kind].names
  const all = Object.keys(sections) as Section[]
  const deltas = Object.keys(alice) as ("delta" | "deltaC" | "deltaW")[]
  /** Factors for every δ of the system. */
  const factors = (delta: bigint, deltaC = 5n * delta, deltaW = 7n * deltaC) =>
    Object.fromEntries(deltas.map((name) => [name, mod({ delta, deltaC, deltaW }[name])]))
  const network = () => perceptron([2, 2], 6, isPrivate ? "private" : "fixed")
  const size = (section: Section) => (section === "b2" ? 128 : 64)

  let circuit: Circuit
  let ptau: PtauFile
  /** The key after nobody, Alice, Bob and the beacon. */
  let keys: Uint8Array[]
  let key: Uint8Array
  /** The key after Alice: where contributions do not matter, one is enough. */
  let one: Uint8Array
  beforeAll(async () => {
    circuit = await compile((await network()).graph, { proofSystem })
    ptau = await powersFor(circuit)
    keys = [(await setup(circuit, { ptau })).provingKey]
    keys.push(await contributed(keys[0], "Alice", factors(alice.delta, alice.delta ** 3n)))
    keys.push(await contributed(keys[1], "Bob", factors(bob.delta, bob.delta ** 3n)))
    keys.push(await ended(keys[2], beacon))
    one = keys[1]
    key = keys[3]
  })

  /** The verification key of a proving key, or one of its models. */
  const keyOf = async (given: Uint8Array): Promise<VerificationKey> =>
    isPrivate
      ? (await commitWeights(circuit, given)).verificationKey
      : await verificationKeyOf(circuit, given)
  const check = (given: Uint8Array, options: VerifySetupOptions = {}, of = circuit): Promise<SetupReport> =>
    verifySetup(of, given, ptau, { allowUncontributed: true, ...options })
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
  it("is valid after every step, and says who contributed", async () => {
    expect((await check(keys[0])).problems).toEqual([])
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
    const verificationKey = await keyOf(key)
    expect(await check(key, { verificationKey })).toEqual({ ...report, verificationKey })
    expect(report.verificationKey).toEqual(isPrivate ? null : verificationKey)
  })

  const bobIsWrong = /contribution 2 \(Bob\) is wrong/

  describe("contributions", () => {
    again("replayed", async () => {
      await refused(await withRecords(keys[2], ([a, b]) => [a, b, a]), /contribution 3 \(Alice\) is wrong/)
      // with the points multiplied once more
      const again = await multiplied(
        keys[2],
        factors(alice.delta, alice.delta ** 3n),
        async ({ transcript }) => transcript.contributions[0],
      )
      await refused(again, /contribution 3 \(Alice\) is wrong/)
    })

    again("reordered", async () => {
      await refused(
        await withRecords(keys[2], ([a, b]) => [b, a]),
        /contribution 1 \(Bob\) is wrong/,
        /contribution 2 \(Alice\)/,
      )
    })

    again("dropped", async () => {
      await refused(await withRecords(key, ([, b, last]) => [b, last]), /contribution 1 \(Bob\) is wrong/)
      await refused(await withRecords(key, ([a, , last]) => [a, last]), /contribution 2 \(beacon\) is wrong/)
      await refused(
        await withRecords(key, ([a, b]) => [a, b]),
        /delta1 in .* is not where the contributions lead to/,
      )
    })

    again("inserted", async () => {
      const mallory = await contributed(keys[1], "Mallory", factors(99n ** 9n))
      const [, record] = await recordsOf(mallory)
      const [a, b] = await recordsOf(keys[2])
      await refused(await withRecords(keys[2], () => [a, record, b]), /contribution 3 \(Bob\) is wrong/)
    })

    again("after the beacon", async () => {
      await refused(
        await contributed(key, "Carol", factors(77n)),
        /contribution 4 \(Carol\) is wrong: it comes after a beacon/,
      )
    })

    again("that leave a δ untouched, or negate it", async () => {
      for (const name of deltas) {
        for (const factor of [1n, r - 1n]) {
          const made = await contributed(keys[1], "Bob", { ...factors(4n ** 50n), [name]: factor })
          const [problem] = await refused(made, bobIsWrong)
          expect(problem).toContain(`${name} was left as it was, or negated`)
        }
      }
    })

    again("that leave two δs equal or opposite", async () => {
      if (deltas.length < 2) return
      for (const sign of [1n, -1n]) {
        const made = await contributed(keys[0], "Alice", factors(41n ** 20n, sign * 41n ** 20n))
        await refused(made, /contribution 1 \(Alice\) is wrong: deltaC and delta are equal or opposite/)
      }
    })

    again("that leave the δ of private weights equal or opposite to another", async () => {
      if (!isPrivate) return
      const [x, y] = [41n ** 20n, 43n ** 20n]
      for (const sign of [1n, -1n])
        for (const [other, name] of [
          [x, "delta"],
          [y, "deltaC"],
        ] as const) {
          const made = await contributed(keys[0], "Alice", factors(x, y, sign * other))
          const why = new RegExp(`contribution 1 .* wrong: ${name} and deltaW are equal or opposite`)
          await refused(made, why)
        }
    })

    again("that leave the δ of private weights out", async () => {
      if (!isPrivate) return
      const made = await withRecords(keys[2], ([a, { name, beacon: none, deltas: of }]) => [
        a,
        contributionOf(name, none, { deltaC: of.deltaC, delta: of.delta }, ["deltaC", "delta"]),
      ])
      await refused(made, /contributions\[1\].deltas: field `deltaW` is missing/)
    })

    again("after which a δ is one or minus one", async () => {
      const back = inverse(alice.delta)
      for (const sign of [1n, -1n]) {
        const made = await contributed(keys[1], "Bob", factors(sign * back, 5n))
        await refused(made, /contribution 2 \(Bob\) is wrong: delta is known afterwards/)
      }
    })

    again("of a beacon alone, which everyone can compute", async () => {
      await refused(await ended(keys[0], beacon), /nobody contributed/)
      expect((await check(keys[0], { allowUncontributed: false })).problems).toEqual([
        "proving key: nobody contributed: everyone knows its secrets",
      ])
    })

    again("without a record: the key's δs and points multiplied by what somebody knows", async () => {
      const made = await multiplied(key, factors(12345n), async () => undefined)
      await refused(
        made,
        ...deltas.map((name) => new RegExp(`${name}1 in .* is not where the contributions lead to`)),
      )
    })

    again("whose record says another δ than the one that was proven", async () => {
      const after = ["1", "2"] as const
      for (const name of deltas) {
        const made = await withRecords(keys[2], ([a, b]) => [a, edited(b, { deltas: { [name]: { after } } })])
        await refused(made, bobIsWrong)
      }
    })

    again("that answer those before, with a δ of which the maker knows all", async () => {
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
    again("from another δ", async () => {
      if (deltas.length < 2) return
      const swap = ({ deltas: { delta, deltaC } }: Contribution) => ({
        delta: { sx: deltaC.sx, rx: deltaC.rx },
        deltaC: { sx: delta.sx, rx: delta.rx },
      })
      const made = await withRecords(keys[2], ([a, b]) => [a, edited(b, { deltas: swap(b) })])
      await refused(made, /contribution 2 \(Bob\) is wrong: deltaC and delta: the proof of knowledge/)
    })

    again("from another transcript", async () => {
      // of another layout's key: the same people, the same secrets, the same powers
      const head = (await readCeremonyKey(keys[0])).transcript.head
      let other = await withHead(keys[0], { ...head, model: `0x${"11".repeat(32)}` })
      if (proofSystem === "groth16") other = withBytes(other, 10, 0, new Uint8Array(64).fill(3))
      other = await contributed(other, "Alice", factors(alice.delta, alice.delta ** 3n))
      const elsewhere = await recordsOf(await contributed(other, "Bob", factors(bob.delta, bob.delta ** 3n)))
      await refused(
        await withRecords(keys[1], () => elsewhere.slice(0, 1)),
        /contribution 1 \(Alice\) is wrong/,
      )
      await refused(await withRecords(keys[2], ([a]) => [a, elsewhere[1]]), bobIsWrong)
    })

    again("from another person", async () => {
      const made = await withRecords(keys[2], ([a, b]) => [a, edited(b, { name: "Mallory" })])
      if (proofSystem === "mirage") await refused(made, /contribution 2 \(Mallory\) is wrong/)
      else expect((await check(made)).contributions[1]).toMatchObject({ name: "Mallory", bound: false })
    })
  })

  describe("the beacon", () => {
    again("of other iterations or another value", async () => {
      for (const other of [
        { ...beacon, iterations: 11 },
        { ...beacon, value: "0x0badcaff" as const },
      ]) {
        const made = await withRecords(key, ([a, b, last]) => [a, b, edited(last, { beacon: other })])
        await refused(made, /contribution 3 \(beacon\) is wrong/)
      }
    })

    again("with secrets of somebody's choice, well proven", async () => {
      const { protocol, transcript } = await readCeremonyKey(keys[2])
      const chosen = await protocol.beacon(transcript, beacon, new Uint8Array(32).fill(5))
      const made = await multiplied(keys[2], chosen.factors, async () => chosen.contribution)
      await refused(made, /contribution 3 \(beacon\) is wrong: delta.* is not what the beacon gives/)
    })
  })

  describe("points", () => {
    again.each(all)("of section %s, one of which is off by a generator: it is named", async (section) => {
      const i = random.integer(0, countOf(section) - 1)
      const bytes = pointAt(one, section, i)
      const infinite = bytes.every((byte) => byte === 0)
      const changed =
        section === "b2"
          ? bytesOfG2((infinite ? G2.ZERO : pointOfG2(coordinates(bytes))).add(G2.BASE))
          : bytesOfG1(g1At(one, section, i).add(G1.BASE))
      const problems = await refused(withPoint(one, section, i, changed))
      expect(problems).toHaveLength(1)
      expect(problems[0]).toContain(`${names[section]}: point ${section === "h" ? i % circuit.domain : i}`)
      expect(problems[0]).toContain("is not what the circuit")
    })

    again.each([
      ["not on the curve", "is not on the curve"],
      ["not reduced", "has a coordinate that is not below q"],
      ["at infinity", "is at infinity"],
      ["outside the subgroup", "is outside the subgroup"],
    ])("that are %s: one in every section, each of which is named", async (kind, text) => {
      let made = one
      const changed: string[] = []
      for (const section of kind === "outside the subgroup" ? (["b2"] as const) : all) {
        const points = Array.from({ length: countOf(section) }, (_, k) => k)
        const i = points.findLast((k) => pointAt(one, section, k).some((byte) => byte !== 0)) as number
        const bytes = pointAt(one, section, i)
        const is = coordinates(bytes)
        const point = {
          "not on the curve": () => montgomeryPoint(is.map((x, k) => (k === 0 ? x + 1n : x))),
          "not reduced": () => bytes.map((byte, k) => (k < 32 ? 255 : byte)),
          "at infinity": () => new Uint8Array(bytes.length),
          "outside the subgroup": () => bytesOfG2(pointOfG2(is).add(smallPoint())),
        }[kind] as () => Uint8Array
        made = withPoint(made, section, i, point())
        changed.push(`${names[section]}: point ${section === "h" ? i % circuit.domain : i}`)
      }
      const problems = await refused(made, ...changed)
      expect(problems.filter((problem) => problem.includes(text))).toHaveLength(changed.length)
    })

    again("of single secrets that are others, or no points: each is named", async () => {
      const places =
        proofSystem === "mirage"
          ? {
              ...{ alpha1: 0, beta1: 64, delta1: 128, deltaC1: 192, beta2: 256, delta2: 384, deltaC2: 512 },
              ...(isPrivate && { deltaW1: 640, deltaW2: 704 }),
            }
          : { alpha1: 84, beta1: 148, beta2: 212, gamma2: 340, delta1: 468, delta2: 532 }
      const content = sectionOf(one, singles)
      for (const change of [
        (bytes: Uint8Array) =>
          bytes.length === 64 ? bytesOfG1(G1.BASE.multiply(5n)) : bytesOfG2(G2.BASE.multiply(5n)),
        (bytes: Uint8Array) => bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte)),
        (bytes: Uint8Array) => new Uint8Array(bytes.length),
        (bytes: Uint8Array) => bytes.map((byte, i) => (i < 32 ? 255 : byte)),
        (bytes: Uint8Array) =>
          bytes.length === 64
            ? bytesOfG1(G1.BASE)
            : bytesOfG2(pointOfG2(coordinates(bytes)).add(smallPoint())),
      ]) {
        let made = one
        for (const [name, at] of Object.entries(places)) {
          const bytes = content.subarray(at, at + (name.endsWith("1") ? 64 : 128))
          made = withBytes(made, singles, at, change(bytes))
        }
        await refused(made, ...Object.keys(places).map((name) => `${name} in `))
      }
    })

    again("of infinity that belong there stay", async () => {
      if (proofSystem === "mirage") return
      // the sections of a plain key are as long as there are wires, many of which no row multiplies
      const points = Array.from({ length: countOf("b1") }, (_, k) => k)
      const i = points.findLast((k) => pointAt(one, "b1", k).every((x) => x === 0)) as number
      await refused(withPoint(one, "b1", i, bytesOfG1(G1.BASE)), `B1 (6): point ${i}`)
    })

    again("of B1 of another secret than B2's", async () => {
      let made = one
      for (let i = 0; i < countOf("b1"); i++)
        made = withPoint(made, "b1", i, bytesOfG1(g1At(one, "b1", i).double()))
      const problems = await refused(made, `${names.b1}: point `)
      expect(problems).toHaveLength(1)
    })

    again.each(systems[kind].divided as readonly Section[])(
      "of section %s from before a contribution",
      async (section) => {
        const id = sections[section] as number
        const made = withSection(one, id, () => sectionOf(keys[0], id))
        const problems = await refused(made, `${names[section]}: point `)
        expect(problems).toHaveLength(1)
      },
    )

    again("of wires that were divided by the δ of another group", async () => {
      if (proofSystem !== "mirage") return
      const made = [alice, bob].map(({ delta }) => delta ** 2n)
      // of delta and deltaC, whose factors are x and x^3, at Alice and Bob
      const ratio = mod(made.reduce((product, square) => mod(product * square), 1n))
      await refused(
        withPoint(keys[2], "committed", 1, bytesOfG1(g1At(keys[2], "committed", 1).multiplyUnsafe(ratio))),
        `committed (7): point 1, of wire ${4 + (circuit as MirageCircuit).linked.weights},`,
      )
      const other = mod(inverse(ratio))
      await refused(
        withPoint(keys[2], "final", 0, bytesOfG1(g1At(keys[2], "final", 0).multiplyUnsafe(other))),
        "final (8): point 0",
      )
    })

    // in these rows nothing is multiplied: points of all wires on one of them can be moved so that no pairing of
    // points of the key with each other shows it, which is what `audit` has to go by
    again("of a key in which a row 0 = lc stands for something else", async () => {
      const { r1cs } = circuit.linked
      const row = Array.from({ length: r1cs.rows }, (_, i) => i).find((i) => !hasProduct(r1cs, i)) as number
      const secret = {
        ic: 1n,
        committed: alice.delta ** 3n * bob.delta ** 3n,
        final: alice.delta * bob.delta,
        c: alice.delta * bob.delta,
        weights: 49n * alice.delta ** 3n * bob.delta ** 3n,
      }
      let made = keys[2]
      const claims = contributedKeysOf(circuit).claims(circuit, await systemOf(circuit).readKey(circuit, one))
      for (let j = r1cs.c.rowPtr[row]; j < r1cs.c.rowPtr[row + 1]; j++) {
        const wire = r1cs.c.wires[j]
        for (const name of proofSystem === "mirage"
          ? (["ic", "weights", "committed", "final"] as const)
          : (["ic", "c"] as const)) {
          const claim = claims.find((given) => given.name === names[name])
          const at = claim && "wires" in claim.query ? claim.query.wires.indexOf(wire) : -1
          if (at < 0) continue
          const moved = mod(r1cs.values[r1cs.c.coefficients[j]] * 12345n * inverse(mod(secret[name])))
          made = withPoint(made, name, at, bytesOfG1(g1At(made, name, at).add(G1.BASE.multiply(moved))))
        }
      }
      const verificationKey = await keyOf(made)
      expect(await auditKey(circuit, made, checkKey(verificationKey))).toBeGreaterThan(0)
      const problems = await refused(made)
      expect(
        problems.every((problem) =>
          / (IC|weights|committed|final|C) \(\d+\): point \d+, of wire \d+, is not what/.test(problem),
        ),
      ).toBe(true)
    })
  })

  describe("files", () => {
    it("of another circuit with the same counts", async () => {
      const { graph } = await network()
      const other = await compile(changedWeights(graph), { proofSystem })
      if (isPrivate) {
        // other weights are another model of the same circuit, whose ceremony is theirs too
        expect(other.model).toBe(circuit.model)
        expect((await check(one, {}, other)).problems).toEqual([])
        return
      }
      expect(other.linked.r1cs.wires).toBe(circuit.linked.r1cs.wires)
      expect(other.domain).toBe(circuit.domain)
      const { problems } = await check(one, {}, other)
      expect(problems.join("\n")).toMatch(/it is for another model/)
      expect(problems.join("\n")).toMatch(/it is for another circuit/)
      // weights of a plain circuit are in rows 0 = lc alone, which the key file has no coefficients of
      expect(problems.join("\n")).toMatch(
        proofSystem === "mirage" ? /belongs to another circuit/ : /C \(8\): point/,
      )
      // a key of the other circuit that says it is this one's
      const theirs = (await setup(other, { ptau })).provingKey
      const disguised = new Map(sectionsIn(one))
      for (const id of Object.values(sections)) disguised.set(id, sectionOf(theirs, id))
      const first = withSections(
        keys[0],
        new Map([...disguised].filter(([id]) => Object.values(sections).includes(id))),
      )
      const { valid, problems: found } = await check(first)
      expect(valid).toBe(false)
      expect(found.every((problem) => / \(\d+\): point \d+, of wire \d+, is not what/.test(problem))).toBe(
        true,
      )
    })

    again("of other powers of tau than those it names", async () => {
      const others = await powersFor(circuit, { ...tauSecrets, beta: 99n ** 7n })
      const { valid, problems } = await verifySetup(circuit, one, others)
      expect(valid).toBe(false)
      expect(problems.join("\n")).toMatch(/it is for another file of powers of tau/)
      const head = (await readCeremonyKey(keys[0])).transcript.head
      const renamed = await withHead(keys[0], { ...head, ptau: others.digest })
      const report = await verifySetup(circuit, renamed, others)
      expect(report.problems.join("\n")).toMatch(/beta1 in .* is not that of the powers of tau/)
      expect(report.problems.join("\n")).toMatch(proofSystem === "mirage" ? /committed \(7\)/ : /C \(8\)/)
    })

    again("with a head of another model, layout, circuit or power", async () => {
      const head = (await readCeremonyKey(keys[0])).transcript.head
      const [input] = head.layout.inputs
      for (const [changed, what] of [
        [{ model: `0x${"11".repeat(32)}` }, "model"],
        [{ circuit: `0x${"11".repeat(32)}` }, "circuit"],
        [{ power: 20 }, "power of tau"],
        [{ layout: { ...head.layout, inputs: [{ ...input, scale: 7 }] } }, "layout"],
      ] as const) {
        const { problems } = await check(await withHead(keys[0], { ...head, ...changed } as typeof head), {
          allowUncontributed: true,
        })
        expect(problems).toHaveLength(1)
        expect(problems[0]).toMatch(`it is for another ${what}`)
      }
    })

    again(
      "with sections that are repeated, unknown, missing, or of another length, or bytes behind them",
      async () => {
        const added = (id: number, content: Uint8Array) => {
          const file = new Uint8Array(one.length + 12 + content.length)
          file.set(one)
          const view = new DataView(file.buffer)
          view.setUint32(8, view.getUint32(8, true) + 1, true)
          view.setUint32(one.length, id, true)
          view.setBigUint64(one.length + 4, BigInt(content.length), true)
          file.set(content, one.length + 12)
          return file
        }
        await refused(added(4, sectionOf(one, 4)), /section 4 twice/)
        await refused(added(1002, new Uint8Array(3)), /section 1002 is none of a key/)
        await refused(Uint8Array.from([...one, 0]), /bytes after the last section/)
        const [first] = keys
        for (const id of sectionsIn(first).keys()) {
          await refused(withSection(first, id, () => undefined))
          await refused(withSection(first, id, (content) => content.slice(0, -1)))
        }
      },
    )

    again("cut short", async () => {
      for (const length of [0, 3, 12, 100, one.length >> 1, one.length - 1])
        await refused(one.slice(0, length))
    })

    again("with the mark of a development key, or a transcript that is not canonical", async () => {
      await refused(
        withSection(one, 1000, () => new TextEncoder().encode("dev")),
        /development key/,
      )
      const text = new TextDecoder().decode(sectionOf(one, 1001))
      for (const other of [
        `${text} `,
        text.replace(",", ", "),
        text.replace('"version":1', '"version":1,"version":1'),
      ])
        await refused(
          withSection(one, 1001, () => new TextEncoder().encode(other)),
          /transcript/,
        )
    })

    it("beside a verification key of another model, other points, or another ceremony", async () => {
      const object = await keyOf(one)
      expect((await check(one, { verificationKey: object })).problems).toEqual([])
      const earlier = await keyOf(keys[2])
      for (const [other, what] of [
        [earlier, /verification key/],
        [{ ...object, model: `0x${"11".repeat(32)}` }, isPrivate ? /not the digest/ : /is another model's/],
        [{ ...object, setup: "external" }, /says that it was made another way/],
        [{ ...object, nothing: 1 }, /unknown field/],
      ] as const) {
        const { valid, problems } = await check(one, { verificationKey: other })
        expect(valid).toBe(false)
        expect(problems.join("\n")).toMatch(what)
      }
    })
  })
})
