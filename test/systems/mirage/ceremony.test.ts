/**
 * The chain of a ceremony of the two-phase proof, and what a hostile contributor may write into it: every forgery has
 * to be refused by the number and name of its contribution. One transcript is frozen, byte for byte.
 */
import { readFileSync } from "node:fs"
import { bn254 } from "@noble/curves/bn254.js"
import { bytesToHex } from "@noble/hashes/utils.js"
import { beforeAll, describe, expect, it } from "vitest"
import { r } from "#src/field.js"
import { beaconHash } from "#src/setup/ceremony/beacon.js"
import { basePoint, challengePoint, times1, times2 } from "#src/setup/ceremony/knowledge.js"
import { checkChain, type Factors } from "#src/setup/ceremony/protocol.js"
import { factorsOf } from "#src/setup/ceremony/secrets.js"
import {
  type Beacon,
  type CeremonyHead,
  type Contribution,
  contributionOf,
  encodeTranscript,
  factsOf,
  headJson,
  parseTranscript,
  type Transcript,
  transcriptOf,
} from "#src/setup/ceremony/transcript.js"
import { type G1Json, type G2Json, generator1 } from "#src/statement/points.js"
import { mirageCeremony } from "#src/systems/mirage/ceremony.js"

const names = ["deltaC", "delta"] as const
const head: CeremonyHead = {
  version: 1,
  proofSystem: "mirage",
  model: `0x${"5a".repeat(32)}`,
  layout: {
    inputs: [{ name: "image", shape: [1, 4], scale: 0.25, lo: 0, bits: 8, visibility: "hidden" }],
    outputs: [{ name: "logits", shape: [1, 2], scale: 0.5, lo: -100, bits: 9, visibility: "public" }],
  },
  circuit: `0x${"c1".repeat(32)}`,
  ptau: `0x${"7a".repeat(64)}`,
  power: 5,
}
const empty = transcriptOf(head, [])
const last = <T>(list: readonly T[]): T => list[list.length - 1]
const seedOf = (byte: number) => new Uint8Array(64).fill(byte)
const secretsAt = ({ digests }: Transcript, byte: number): Factors =>
  factorsOf(seedOf(byte), last(digests), names)

async function added(transcript: Transcript, name: string, factors: Factors): Promise<Transcript> {
  return mirageCeremony.extend(transcript, await mirageCeremony.contribution(transcript, name, factors))
}
async function ended(transcript: Transcript, beacon: Beacon): Promise<Transcript> {
  const { contribution } = await mirageCeremony.beacon(transcript, beacon, await beaconHash(beacon))
  return mirageCeremony.extend(transcript, contribution)
}
const check = (contributions: readonly Contribution[], other = head) =>
  checkChain(mirageCeremony, transcriptOf(other, contributions))

let full: Transcript
beforeAll(async () => {
  full = empty
  for (const [i, name] of ["Alice", "Bob", "Carol"].entries())
    full = await added(full, name, secretsAt(full, i + 1))
  full = await ended(full, { value: "0x0badcafe", iterations: 10 })
})

describe("a transcript", () => {
  it("holds, and is read as it was written", async () => {
    await checkChain(mirageCeremony, full)
    const bytes = encodeTranscript(full)
    const read = parseTranscript(bytes, "mirage", names)
    expect(read.contributions).toEqual(full.contributions)
    expect(read.digests).toEqual(full.digests)
    expect(factsOf(read)).toEqual({
      ptau: head.ptau,
      contributors: ["Alice", "Bob", "Carol"],
      beacon: { value: "0x0badcafe", iterations: 10 },
      transcript: `0x${bytesToHex(last(full.digests))}`,
    })
  })

  it("is what it always was, and what docs/FORMATS.md shows", () => {
    const digests = full.digests.map((digest) => bytesToHex(digest))
    expect(digests).toMatchInlineSnapshot(`
      [
        "345c4097b67e14284d1959abbd71b46a6f3acb71fd0b2e6f5ecaad909ac3dcd3",
        "a5be650a59b9c5b40ea9949cb4e59cb34ee35f484ffa09e73ac7917cce777e8b",
        "d961b9cbdcb1f1c0283a1b6bf4065c3a438fbcf92fd4c8e9621a9c01f15f85d8",
        "47312aadd46905a21634f152fcfa0e8bfff94e64c3156e837549a2cc9560f794",
        "89b786fbd51e950d64287107fa2b1253c314e2008e3f5fc5e643a8a1064d5684",
      ]
    `)
    const text = readFileSync(new URL("../../../docs/FORMATS.md", import.meta.url), "utf8")
    expect(text).toContain(headJson(head))
    expect(text).toContain(new TextDecoder().decode(full.contributions[0].bytes))
    for (const digest of digests.slice(0, 2)) expect(text).toContain(digest)
  })

  it("is refused in any other form", () => {
    const text = new TextDecoder().decode(encodeTranscript(full))
    const read = (changed: string) => parseTranscript(new TextEncoder().encode(changed), "mirage", names)
    expect(read(text).contributions.length).toBe(4)
    const first = full.contributions[0].deltas.deltaC.after[0]
    for (const changed of [
      `${text} `,
      `\ufeff${text}`,
      text.replace('{"version":1,', '{ "version":1,'),
      text.replace('"version":1,', '"version":1,"version":1,'),
      text.replace('"version":1', '"version":1.0'),
      text.replace('"power":5', '"power":"5"'),
      text.replace('"power":5', '"power":29'),
      text.replace('"power":5', '"power":5,"more":0'),
      text.replace('"mirage"', '"groth16"'),
      text.replace('"Alice"', '"\\u0041lice"'),
      text.replace('"Alice"', '""'),
      text.replace('"Alice"', `"${"a".repeat(65)}"`),
      text.replace('"Alice"', '"Al\\nice"'),
      text.replace('"Alice"', '"Al\u202eice"'),
      text.replace('"Alice"', '" Alice"'),
      text.replace('"Alice"', "7"),
      text.replace('"iterations":10', '"iterations":9'),
      text.replace('"iterations":10', '"iterations":64'),
      text.replace("0x0badcafe", "0x0BADCAFE"),
      text.replace("0x0badcafe", "0x"),
      text.replace('"beacon":null,', ""),
      text.replace('"deltaC":{"after"', '"deltaD":{"after"'),
      text.replace(first, `0${first}`),
      text.replace(first, `${BigInt(first) + 2n ** 254n}`),
      text.slice(0, -1),
      "",
      "[]",
      "null",
    ])
      expect(() => read(changed), changed.slice(0, 60)).toThrow(/proving key: transcript/)
    expect(() => parseTranscript(Uint8Array.of(0xff, 0xfe), "mirage", names)).toThrow(/UTF-8/)
  })
})

/** A record of factors that need not be what honest ones are, by whom and where it is claimed to be. */
function forged(
  transcript: Transcript,
  name: string,
  factors: Factors,
  change: (
    delta: string,
  ) => Partial<{ x: bigint; place: object; rx: G2Json; after: G1Json; sx: G1Json }> = () => ({}),
): Contribution {
  const i = transcript.contributions.length
  const deltas = names.map((delta) => {
    const { place: other, x = factors[delta], ...points } = change(delta)
    const place = { previous: transcript.digests[i], name, beacon: null, delta, ...other }
    const before = i === 0 ? generator1 : transcript.contributions[i - 1].deltas[delta].after
    const s = basePoint(place)
    const sx = times1(x, s)
    const record = {
      after: times1(factors[delta], before),
      sx,
      rx: times2(x, challengePoint(place, s, sx)),
      ...points,
    }
    return [delta, record] as const
  })
  return contributionOf(name, null, Object.fromEntries(deltas), names)
}

/** A point of the twist that is not in the group of order r, as most are. */
function outsideSubgroup(): G2Json {
  const { Fp2 } = bn254.fields
  for (let x0 = 1n; ; x0++) {
    const x = { c0: x0, c1: 0n }
    const square = Fp2.add(
      Fp2.mul(Fp2.sqr(x), x),
      Fp2.div(Fp2.fromBigTuple([3n, 0n]), Fp2.fromBigTuple([9n, 1n])),
    )
    try {
      const y = Fp2.sqrt(square)
      return [
        [`${x.c0}`, `${x.c1}`],
        [`${y.c0}`, `${y.c1}`],
      ]
    } catch {
      // half of all x have no point
    }
  }
}

describe("a chain is refused", () => {
  const factors = { deltaC: 1234567n, delta: 7654321n }
  const next = (change?: Parameters<typeof forged>[3], name = "Mallory", chosen: Factors = factors) =>
    check([
      ...full.contributions.slice(0, 2),
      forged(transcriptOf(head, full.contributions.slice(0, 2)), name, chosen, change),
    ])

  it("not if it is honest", async () => {
    await next()
  })

  it.each([
    ["replayed", (c: readonly Contribution[]) => [c[0], c[0], c[1], c[2]], 2],
    ["reordered", (c: readonly Contribution[]) => [c[1], c[0], c[2], c[3]], 1],
    ["dropped", (c: readonly Contribution[]) => [c[0], c[2], c[3]], 2],
    ["dropped at the beginning", (c: readonly Contribution[]) => c.slice(1), 1],
    [
      "inserted",
      (c: readonly Contribution[]) => [
        c[0],
        forged(transcriptOf(head, [c[0]]), "Eve", factors),
        ...c.slice(1),
      ],
      3,
    ],
    [
      "renamed",
      (c: readonly Contribution[]) => [contributionOf("Eve", null, c[0].deltas, names), ...c.slice(1)],
      1,
    ],
  ])("with a contribution %s", async (_, edit, number) => {
    await expect(check(edit(full.contributions))).rejects.toThrow(`contribution ${number} `)
  })

  it("in another transcript: of another model, circuit, powers of tau or layout", async () => {
    const others: Partial<CeremonyHead>[] = [
      { model: `0x${"5b".repeat(32)}` },
      { circuit: `0x${"c2".repeat(32)}` },
      { ptau: `0x${"7b".repeat(64)}` },
      { power: 6 },
      { layout: { ...head.layout, inputs: [{ ...head.layout.inputs[0], scale: 0.5 }] } },
    ]
    for (const other of others)
      await expect(check(full.contributions, { ...head, ...other })).rejects.toThrow(
        /contribution 1 \(Alice\)/,
      )
  })

  it("with a proof of another δ, transcript or person", async () => {
    const wrong = /contribution 3 \(Mallory\) is wrong.*the proof of knowledge/
    await expect(next(() => ({ place: { delta: "delta" } }))).rejects.toThrow(wrong)
    await expect(next(() => ({ place: { previous: full.digests[1] } }))).rejects.toThrow(wrong)
    await expect(next(() => ({ place: { name: "Carol" } }))).rejects.toThrow(wrong)
    await expect(next(() => ({ place: { beacon: { value: "0x00", iterations: 10 } } }))).rejects.toThrow(
      wrong,
    )
    // of one δ given for the other, factor and all
    const { delta } = full.contributions[2].deltas
    const copied = contributionOf("Carol", null, { deltaC: delta, delta }, names)
    await expect(check([...full.contributions.slice(0, 2), copied])).rejects.toThrow(
      /contribution 3 \(Carol\)/,
    )
  })

  it("with a factor that is not the one that was proven", async () => {
    for (const wrong of names) {
      const other = (delta: string) => (delta === wrong ? { x: 99n } : {})
      await expect(next(other)).rejects.toThrow(`contribution 3 (Mallory) is wrong: ${wrong}: the proof`)
    }
  })

  it("with a δ that was left as it was, negated, known, or equal or opposite to the other", async () => {
    const left = (delta: string) =>
      `contribution 3 (Mallory) is wrong: ${delta} was left as it was, or negated`
    for (const x of [1n, r - 1n]) {
      await expect(next(undefined, "Mallory", { ...factors, deltaC: x })).rejects.toThrow(left("deltaC"))
      await expect(next(undefined, "Mallory", { ...factors, delta: x })).rejects.toThrow(left("delta"))
    }
    const first = (chosen: Factors) => check([forged(empty, "Mallory", chosen)])
    await expect(first({ deltaC: 5n, delta: 5n })).rejects.toThrow(/deltaC and delta are equal or opposite/)
    await expect(first({ deltaC: 5n, delta: r - 5n })).rejects.toThrow(
      /deltaC and delta are equal or opposite/,
    )
    const back = async (x: bigint) => {
      const one = transcriptOf(head, [forged(empty, "Mallory", { deltaC: 2n, delta: 3n })])
      return check([...one.contributions, forged(one, "Mallory", { deltaC: x, delta: 7n })])
    }
    const half = (r + 1n) / 2n
    await expect(back(half)).rejects.toThrow(/contribution 2 .* deltaC is known afterwards/)
    await expect(back(r - half)).rejects.toThrow(/contribution 2 .* deltaC is known afterwards/)
  })

  it("with points that are none", async () => {
    const off: G1Json = ["3", "3"]
    const none: G2Json = [
      ["0", "0"],
      ["0", "0"],
    ]
    const wrong = /contribution 3 \(Mallory\) is wrong: .*not on its curve/
    const points: ReturnType<NonNullable<Parameters<typeof forged>[3]>>[] = [
      { after: off },
      { after: ["0", "0"] },
      { sx: ["0", "0"] },
      { rx: none },
      { rx: outsideSubgroup() },
    ]
    for (const point of points)
      await expect(next((delta) => (delta === "delta" ? point : {}))).rejects.toThrow(wrong)
  })

  it("with anything after a beacon, a second one, or one of another value or with other iterations", async () => {
    const after = await added(full, "Late", secretsAt(full, 9))
    await expect(check(after.contributions)).rejects.toThrow(/contribution 5 \(Late\).*after a beacon/)
    const again = await ended(full, { value: "0x01", iterations: 10 })
    await expect(check(again.contributions)).rejects.toThrow(/contribution 5 \(beacon\).*after a beacon/)
    for (const beacon of [
      { value: "0x0badcaff", iterations: 10 },
      { value: "0x0badcafe", iterations: 11 },
    ] as const) {
      const before = transcriptOf(head, full.contributions.slice(0, 3))
      const honest = await mirageCeremony.beacon(
        before,
        beacon,
        await beaconHash({ value: "0x0badcafe", iterations: 10 }),
      )
      const claimed = [...before.contributions, honest.contribution]
      await expect(check(claimed)).rejects.toThrow(/contribution 4 \(beacon\).*not what the beacon gives/)
    }
  })
})
