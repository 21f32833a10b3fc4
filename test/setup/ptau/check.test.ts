/** What a file of powers of tau must be: files of snarkjs and our own are accepted, and every change is refused. */
import { curves, powersOfTau } from "snarkjs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { readBinFile } from "#src/circuit/formats/container.js"
import { rootOfUnity } from "#src/circuit/link/domain.js"
import { FileError } from "#src/errors.js"
import { inverse, mod, q } from "#src/field.js"
import { type KernelEngine, openEngine } from "#src/prover/kernels/engine.js"
import { affineOf, integersOf } from "#src/prover/kernels/points/points.js"
import { checkOpen, checkPtau, checkSections } from "#src/setup/ptau/check.js"
import { openPtau } from "#src/setup/ptau/file.js"
import {
  add,
  fileOf,
  type Group,
  generator,
  negated,
  ofSmallOrder,
  ofTwist,
  type Point,
  times,
} from "../../support/curves.js"
import {
  contributedPtau,
  contributedSections,
  type PtauSections,
  pointsOfTau,
  ptauFile,
  recordOf,
  type TauSecrets,
  tauSecrets,
} from "../../support/ptau.js"
import { stopSnarkjs } from "../../support/snarkjs.js"

afterAll(stopSnarkjs)

const mem = (data?: Uint8Array) => ({ type: "mem" as const, ...(data && { data }) })
const power = 4
const n = 2 ** power
let sections: PtauSections
let engine: KernelEngine
beforeAll(async () => {
  sections = await contributedSections(power)
  engine = await openEngine({ threads: 2 })
  return () => engine.close()
})

const check = async (file: Uint8Array) => checkOpen(engine, await openPtau(file))

/** Refused as bytes, with this message. */
async function refused(file: Uint8Array, message: RegExp): Promise<void> {
  const error = await check(file).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(FileError)
  expect((error as Error).message).toMatch(message)
}
/** Where fields of a contribution begin, and how long it is before its parameters. */
const stateAt = 1216
const nextChallengeAt = 1432
const recordBytes = 1504
const readSections = (file: Uint8Array): PtauSections =>
  new Map([...readBinFile(file, "ptau", 1)].filter(([id]) => id !== 1))
/** The file with some sections replaced. */
const withSections = (...changed: readonly [id: number, bytes: Uint8Array][]): Uint8Array =>
  ptauFile(power, new Map([...sections, ...changed]))
const groupOf = (id: number): Group => (id === 3 || id === 6 ? "g2" : "g1")
/** A section with another point at a place. */
function withPoint(id: number, at: number, point: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(sections.get(id) as Uint8Array)
  bytes.set(point, at * point.length)
  return withSections([id, bytes])
}
const pointAt = (id: number, at: number) => {
  const size = groupOf(id) === "g1" ? 64 : 128
  return affineOf((sections.get(id) as Uint8Array).subarray(at * size, (at + 1) * size))
}

describe("accepted", () => {
  it("files of snarkjs, with and without what phase 2 needs, with who contributed", async () => {
    const files = Array.from({ length: 5 }, () => mem()) as { type: "mem"; data: Uint8Array }[]
    const [empty, one, two, ended, prepared] = files
    await powersOfTau.newAccumulator(await curves.getCurveFromName("bn128"), 4, empty)
    await powersOfTau.contribute(empty, one, "Alice", "some entropy")
    await powersOfTau.contribute(one, two, "Bob ✓", "other entropy")
    await powersOfTau.beacon(two, ended, "", "0102030405060708090a0b0c0d0e0f10", 10)
    await powersOfTau.preparePhase2(ended, prepared)
    const contributions = [
      { name: "Alice", kind: "contribution" },
      { name: "Bob ✓", kind: "contribution" },
      { name: "", kind: "beacon" },
    ]
    for (const { data } of [ended, prepared]) {
      const checked = await checkPtau(data)
      expect(checked).toEqual({
        power: 4,
        ceremonyPower: 4,
        digest: (await openPtau(data)).digest,
        name: undefined,
        contributions,
      })
    }
    await refused(empty.data, /nobody contributed to it/)
    const alone = mem() as { type: "mem"; data: Uint8Array }
    await powersOfTau.beacon(empty, alone, "", "0102030405060708090a0b0c0d0e0f10", 10)
    await refused(alone.data, /nobody contributed to it but a beacon/)
    await beaconIsRecomputed(ended.data)
  })

  /** What a beacon gives stands at the end of the record: its value is the last byte of it. */
  async function beaconIsRecomputed(file: Uint8Array): Promise<void> {
    const record = readBinFile(file, "ptau", 1).get(7) as Uint8Array
    const at = record.byteOffset - file.byteOffset + record.length
    await refused(file.with(at - 1, 0x11), /contribution 3: tau of its beacon is not what its value gives/)
    // parameters: 2, iterations, 3, length, value
    expect(file.subarray(at - 20, at - 16)).toEqual(Uint8Array.of(2, 10, 3, 16))
    await refused(file.with(at - 19, 11), /contribution 3: tau of its beacon/)
    await refused(
      file.with(at - 19, 25),
      /iterations of its beacon; expected at most 2\^24 in the whole file; given 33554432/,
    )
  }

  it("files of known secrets, whole and cut, which snarkjs accepts too", async () => {
    for (const ceremonyPower of [power, power + 1]) {
      const file = await contributedPtau(power, { ceremonyPower })
      const alice = [{ name: "Alice", kind: "contribution" }]
      const checked = { power, ceremonyPower, name: undefined, contributions: alice }
      expect(await checkPtau(file)).toMatchObject(checked)
      expect(await checkPtau(await openPtau(file), { threads: 1 })).toMatchObject(checked)
      expect(await powersOfTau.verify(mem(file))).toBe(true)
    }
  })

  it("telling how far it is, until somebody stops it", async () => {
    const file = withSections()
    const stages = new Map<string, number>()
    await checkPtau(file, { onProgress: ({ stage, done, total }) => stages.set(stage, done / total) })
    expect(stages.get("check powers of tau")).toBe(1)
    const stop = new AbortController()
    const onProgress = () => stop.abort(new Error("enough"))
    await expect(checkPtau(file, { onProgress, signal: stop.signal })).rejects.toThrow("enough")
  })
})

describe("refused", () => {
  const changed: [id: number, section: string, at: number][] = [
    [2, "tauG1", 9],
    [2, "tauG1", 2 * n - 2],
    [3, "tauG2", 5],
    [3, "tauG2", n - 1],
    [4, "alphaG1", 1],
    [4, "alphaG1", n - 1],
    [5, "betaG1", 7],
    [5, "betaG1", n - 1],
  ]
  it.each(changed)("section %i with another point: %s[%i]", async (id, section, at) => {
    const group = groupOf(id)
    const point = pointAt(id, at)
    const put = (...[other, raw]: [Point, boolean?]) => withPoint(id, at, fileOf(group, [other], raw))
    const where = `${section}\\[${at}\\] \\(section ${id}\\): `
    await refused(put(times(group, point, 2n)), new RegExp(`${where}is not tau times the point before`))
    await refused(put(negated(point)), new RegExp(`${where}is not tau times the point before`))
    await refused(put(null), new RegExp(`${where}is infinity`))
    const [x] = point as readonly bigint[]
    await refused(
      put([x + 1n, ...(point as readonly bigint[]).slice(1)]),
      new RegExp(`${where}is not on the curve`),
    )
    const unreduced = integersOf(fileOf(group, [point])).map((c, i) => (i === 0 ? c + q : c))
    await refused(put(unreduced, true), new RegExp(`${where}has a coordinate that is not below q`))
    if (group === "g1") return
    const outside = new RegExp(`${where}is not in the subgroup`)
    await refused(put(add("g2", point, ofSmallOrder())), outside)
    await refused(put(ofSmallOrder()), outside)
    await refused(put(ofTwist()), outside)
  })

  it("first points that are not the generators, or not those of the record", async () => {
    const cases: [id: number, at: number, message: RegExp][] = [
      [2, 0, /tauG1\[0\].*is not the generator/],
      [3, 0, /tauG2\[0\].*is not the generator/],
      [2, 1, /tauG1\[1\].*not what the last contribution in the record left/],
      [3, 1, /tauG2\[1\].*not what the last contribution/],
      [4, 0, /alphaG1\[0\].*not what the last contribution/],
      [5, 0, /betaG1\[0\].*not what the last contribution/],
      [6, 0, /betaG2.*not what the last contribution/],
    ]
    for (const [id, at, message] of cases) {
      const group = groupOf(id)
      await refused(withPoint(id, at, fileOf(group, [times(group, generator(group), 5n)])), message)
      await refused(
        withPoint(id, at, fileOf(group, [null])),
        at === 0 && id < 4 ? /is infinity/ : /is infinity/,
      )
    }
    const beta = add("g2", pointAt(6, 0), ofSmallOrder())
    await refused(withPoint(6, 0, fileOf("g2", [beta])), /betaG2/)
  })

  it("sections of other secrets, and of one another", async () => {
    const other = await pointsOfTau(power, { ...tauSecrets, tau: 5n })
    for (const [id, message] of [
      [2, /tauG1\[1\]/],
      [3, /tauG2\[1\]/],
      [4, /alphaG1\[1\].*not tau times/],
      [5, /betaG1\[1\].*not tau times/],
    ] as const)
      await refused(withSections([id, other.get(id) as Uint8Array]), message)
    const alpha = await pointsOfTau(power, { ...tauSecrets, alpha: 5n, beta: 7n })
    for (const [id, message] of [
      [4, /alphaG1\[0\].*not what the last/],
      [5, /betaG1\[0\].*not what the last/],
      [6, /betaG2.*not what the last/],
    ] as const)
      await refused(withSections([id, alpha.get(id) as Uint8Array]), message)
    const swapped = withSections([4, sections.get(5) as Uint8Array], [5, sections.get(4) as Uint8Array])
    await refused(swapped, /alphaG1\[0\].*not what the last/)
  })

  it("secrets that are known, equal, opposite, or in a domain", async () => {
    const root = rootOfUnity(8)
    const cases: [Partial<TauSecrets>, RegExp][] = [
      [{ tau: 1n }, /tau is 1 or −1/],
      [{ tau: mod(-1n) }, /tau is 1 or −1/],
      [{ alpha: 1n }, /alpha is 1 or −1/],
      [{ beta: mod(-1n) }, /beta is 1 or −1/],
      [{ alpha: tauSecrets.tau }, /alpha is tau or −tau/],
      [{ beta: mod(-tauSecrets.alpha) }, /beta is alpha or −alpha/],
      [{ tau: root }, /tauG1\[4\].*tau to this power is 1 or −1/],
      // on the second coset of a domain of 12 and 2 points, and where its quotient is evaluated
      [{ tau: rootOfUnity(48) }, /tauG1\[24\].*tau to this power is 1 or −1/],
      [{ tau: mod(rootOfUnity(48) * rootOfUnity(4)) }, /tauG1\[24\].*tau to this power is 1 or −1/],
      [{ alpha: 0n }, /contribution 1: .*alpha.* is infinity/],
    ]
    for (const [own, message] of cases)
      await refused(await contributedPtau(power, { secrets: { ...tauSecrets, ...own } }), message)
  })

  it("other powers than those that the last contribution ended with", async () => {
    // of the right form, and of the same first points as the record has
    const record = sections.get(7) as Uint8Array
    const at = 4 + nextChallengeAt
    await refused(withSections([7, record.with(at, record[at] ^ 1)]), /do(es)? not end with these powers/)
    const state = 4 + stateAt + 128
    await refused(withSections([7, record.with(state, record[state] ^ 1)]), /not end with these powers/)
  })
})

describe("a record", () => {
  const [half, product] = [{ tau: 3n, alpha: 5n, beta: 7n }, tauSecrets]
  const quotient = (a: bigint, b: bigint) => mod(a * inverse(b))
  const bob = {
    name: "Bob",
    tau: quotient(product.tau, half.tau),
    alpha: quotient(product.alpha, half.alpha),
    beta: quotient(product.beta, half.beta),
  }
  let record: Uint8Array
  let bobAt: number
  beforeAll(async () => {
    record = await recordOf(sections, [{ name: "Alice", ...half }, bob], power)
    bobAt = 4 + recordBytes + 2 + "Alice".length
  })
  const file = (bytes: Uint8Array) => withSections([7, bytes])
  const refusedWith = (at: number, bytes: Uint8Array | readonly number[], message: RegExp) => {
    const changed = new Uint8Array(record)
    changed.set(bytes, at)
    return refused(file(changed), message)
  }

  it("of two is accepted", async () => {
    const { contributions } = await checkPtau(file(record))
    expect(contributions.map(({ name }) => name)).toEqual(["Alice", "Bob"])
    expect(await powersOfTau.verify(mem(file(record)))).toBe(true)
  })

  const fields: [name: string, group: Group, at: number, message: RegExp][] = [
    ["tau in G1", "g1", 0, /tau in G1 does not follow/],
    ["tau in G2", "g2", 64, /tau in G2 does not follow/],
    ["alpha in G1", "g1", 192, /alpha in G1 does not follow/],
    ["beta in G1", "g1", 256, /beta in G1 does not follow/],
    ["beta in G2", "g2", 320, /beta in G2 does not follow/],
    ["s of tau", "g1", 448, /proof of knowledge of tau does not hold/],
    ["x·s of tau", "g1", 512, /proof of knowledge of tau/],
    ["s of alpha", "g1", 576, /proof of knowledge of alpha/],
    ["x·s of alpha", "g1", 640, /proof of knowledge of alpha/],
    ["s of beta", "g1", 704, /proof of knowledge of beta/],
    ["x·s of beta", "g1", 768, /proof of knowledge of beta/],
    ["x·S of tau", "g2", 832, /proof of knowledge of tau/],
    ["x·S of alpha", "g2", 960, /proof of knowledge of alpha/],
    ["x·S of beta", "g2", 1088, /proof of knowledge of beta/],
  ]
  it.each(fields)("with another %s", async (_name, group, at, message) => {
    const size = group === "g1" ? 64 : 128
    for (const [start, who] of [
      [4, "1 \\(`Alice`\\)"],
      [bobAt, "2 \\(`Bob`\\)"],
    ] as const) {
      const point = affineOf(record.subarray(start + at, start + at + size))
      const named = new RegExp(`contribution ${who}: .*${message.source}`)
      await refusedWith(start + at, fileOf(group, [times(group, point, 2n)]), named)
      const number = start === 4 ? 1 : 2
      await refusedWith(
        start + at,
        fileOf(group, [null]),
        new RegExp(`contribution ${number}: .*is infinity`),
      )
      await refusedWith(
        start + at,
        fileOf(group, [[5n, 5n, 5n, 5n].slice(0, size / 32)]),
        /is not on the curve/,
      )
      await refusedWith(start + at, new Uint8Array(32).fill(255), /coordinate that is not below q/)
      if (group === "g2")
        await refusedWith(start + at, fileOf("g2", [add("g2", point, ofSmallOrder())]), /not in G2/)
    }
  })

  it("with hashes, kinds, lengths or parameters that do not fit", async () => {
    const next = record[4 + nextChallengeAt] ^ 1
    await refusedWith(4 + nextChallengeAt, [next], /contribution 2 \(`Bob`\): its proof of knowledge of tau/)
    for (const at of [192, 199, 200, 207, 208, 215])
      await refusedWith(4 + stateAt + at, [77], /contribution 1: state of the hash of its response/)
    const kind = 4 + nextChallengeAt + 64
    await refusedWith(kind, [2], /kind of contribution.*given 2/)
    await refusedWith(kind, [1], /parameters; expected value and iterations of a beacon/)
    await refusedWith(kind + 4, [6], /length of the parameters/)
    await refusedWith(kind + 4, [1, 1], /cut off|parameters/)
    await refusedWith(kind + 8, [4], /parameters; expected 1, 2 and 3 in order; given 4/)
    await refusedWith(kind + 8, [0], /parameters; expected 1, 2 and 3 in order; given 0/)
    await refusedWith(0, [1], /bytes after the last contribution/)
    await refusedWith(0, [3], /contribution 3: is cut off/)
    await refusedWith(0, [255, 255, 255, 255], /is cut off/)
    for (let length = 0; length < record.length; length += 101)
      await refused(file(record.subarray(0, length)), /cut off/)
    await refused(file(new Uint8Array([...record, 0])), /bytes after the last contribution/)
  })

  it("with contributions replayed, reordered, dropped, or with proofs of one another", async () => {
    const [alice, own] = [record.subarray(4, bobAt), record.subarray(bobAt)]
    const of = (...parts: Uint8Array[]) =>
      file(
        new Uint8Array(
          Buffer.concat(
            [Uint32Array.of(parts.length), ...parts].map((part) =>
              Buffer.from(part.buffer, part.byteOffset, part.byteLength),
            ),
          ),
        ),
      )
    expect(await checkPtau(of(alice, own))).toMatchObject({ power })
    await refused(of(own, alice), /contribution 1 \(`Bob`\)/)
    await refused(of(alice, alice, own), /contribution 2 \(`Alice`\)/)
    await refused(of(own), /contribution 1 \(`Bob`\)/)
    await refused(of(alice), /tauG1\[1\].*not what the last contribution/)
    await refused(of(alice, own, own), /contribution 3 \(`Bob`\)/)
    const copied = new Uint8Array(own)
    copied.set(alice.subarray(448, 1216), 448)
    await refused(of(alice, copied), /contribution 2 \(`Bob`\): its proof of knowledge of tau/)
  })
})

describe("sections in small blocks", () => {
  /** The first half of the powers: a cut file, of which nobody has the hash of all. */
  const checkBlocks = async (file: Uint8Array, blockPoints: number) => {
    const all = readSections(file)
    const points = n / 2
    const half = new Map(
      [...all].map(([id, bytes]) => [
        id,
        id === 2
          ? bytes.subarray(0, 64 * (2 * points - 1))
          : id < 6
            ? bytes.subarray(0, bytes.length / 2)
            : bytes,
      ]),
    )
    const ptau = await openPtau(ptauFile(power - 1, half, { ceremonyPower: power }))
    const end = { responseHash: new Uint8Array(64), nextChallenge: new Uint8Array(64) }
    const step = { tauG1: pointAt(2, 1) as readonly bigint[], tauG2: pointAt(3, 1) as readonly bigint[] }
    await checkSections(engine, ptau, { step, end, blockPoints })
  }

  it("are progressions across blocks, of any size", async () => {
    for (const blockPoints of [2, 3, 7, 8, 9]) await checkBlocks(withSections(), blockPoints)
  })

  it("name the first wrong point, wherever it is", async () => {
    for (const [id, section] of [
      [2, "tauG1"],
      [3, "tauG2"],
    ] as const) {
      const group = groupOf(id)
      for (let at = 1; at < n / 2; at++) {
        const where = `${section}[${at}] (section ${id}): is not`
        const file = withPoint(id, at, fileOf(group, [times(group, pointAt(id, at), 3n)]))
        await expect(checkBlocks(file, 3)).rejects.toThrow(`${where} tau times`)
        if (id === 2) continue
        const outside = withPoint(id, at, fileOf(group, [add("g2", pointAt(id, at), ofSmallOrder())]))
        await expect(checkBlocks(outside, 3)).rejects.toThrow(`${where} in the subgroup`)
      }
    }
  })
})
