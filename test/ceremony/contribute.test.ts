/** Ceremonies of a small circuit in both systems: three people and a beacon, and what may go wrong on the way. */
import { beforeAll, describe, expect, it } from "vitest"
import {
  applyBeacon,
  type BeaconOptions,
  type ByteSource,
  type Contributed,
  type ContributeOptions,
  contribute,
  type Sink,
} from "#src/ceremony/index.js"
import { type CeremonyKey, checkTranscript, deltaOf, readCeremonyKey } from "#src/ceremony/key.js"
import { coordinates, montgomeryPoint } from "#src/circuit/formats/points.js"
import { compile } from "#src/compile/compile.js"
import { FileError, UsageError } from "#src/errors.js"
import { openProver, setup } from "#src/prover/open.js"
import { times1, times2 } from "#src/setup/ceremony/knowledge.js"
import { factorsOf } from "#src/setup/ceremony/secrets.js"
import { type G1Json, generator1, generator2 } from "#src/statement/points.js"
import type { Circuit } from "#src/systems/index.js"
import { type VerificationKey, verify } from "#src/verifier/index.js"
import { firstKey, memorySink } from "../support/first-keys.js"
import { perceptron } from "../support/networks.js"

const context = `0x${"01".repeat(32)}`
const threads = 2

/** A contribution, and the key it makes. */
async function added(key: Uint8Array, options: Omit<ContributeOptions, "sink">) {
  const sink = memorySink()
  const result = await contribute(key, { threads, ...options, sink })
  return { result, key: sink.bytes() }
}
async function ended(key: Uint8Array, options: Omit<BeaconOptions, "sink">) {
  const sink = memorySink()
  const result = await applyBeacon(key, { threads, ...options, sink })
  return { result, key: sink.bytes() }
}

describe.each(["mirage", "groth16"] as const)("a ceremony of %s", (proofSystem) => {
  let circuit: Circuit
  const keys: Uint8Array[] = []
  const results: Contributed[] = []
  beforeAll(async () => {
    circuit = await compile((await perceptron([2, 2], 6)).graph, { proofSystem })
    keys.push(await firstKey(circuit))
    for (const name of ["Alice", "Bob", "Çelik 3"]) {
      const { key, result } = await added(keys[keys.length - 1], { name, entropy: "typed" })
      keys.push(key)
      results.push(result)
    }
    const { key, result } = await ended(keys[3], { value: "0x0badcafe", iterations: 10 })
    keys.push(key)
    results.push(result)
  })

  it("of three people and a beacon gives a key that proves and verifies", async () => {
    for (const key of keys) await checkTranscript(await readCeremonyKey(key))
    const { number, transcript } = results[3]
    const verificationKey = results[3].verificationKey as VerificationKey
    expect(number).toBe(4)
    expect(verificationKey.setup).toEqual({
      ptau: `0x${"e5".repeat(64)}`,
      contributors: ["Alice", "Bob", "Çelik 3"],
      beacon: { value: "0x0badcafe", iterations: 10 },
      transcript,
    })
    expect(results.map(({ before }) => before).slice(1)).toEqual(
      results.map((r) => r.transcript).slice(0, -1),
    )
    const prover = await openProver(circuit, keys[4], { verificationKey })
    const receipt = await prover.prove({ x0: [0.5, 0.25] }, { context, clampInputs: true })
    await prover.close()
    expect(verify(receipt, { verificationKey, model: circuit.model, context })).toBe(true)
    const before = {
      verificationKey: results[2].verificationKey as VerificationKey,
      model: circuit.model,
      context,
    }
    expect(verify(receipt, before)).toBe(false)
  })

  it("multiplies exactly what each δ divides, and nothing else", async () => {
    const before = await readCeremonyKey(keys[0])
    const seed = new Uint8Array(64).fill(9)
    const { key } = await added(keys[0], { name: "Known", seed })
    const after = await readCeremonyKey(key)
    const names = before.protocol.deltas.map(({ name }) => name)
    const factors = factorsOf(seed, before.transcript.digests[0], names)
    const part = (from: CeremonyKey, id: number) => {
      const { at, length } = from.places.get(id) as { at: number; length: number }
      return from.source.read(at, length)
    }
    const changed = new Set<number>(before.protocol.sections.slice(-1))
    for (const { name, section, divides, one, two } of before.protocol.deltas) {
      changed.add(section)
      const x = factors[name]
      expect(deltaOf(after, name).one).toEqual(times1(x, generator1))
      expect(deltaOf(after, name).two).toEqual(times2(x, generator2))
      expect([one, two].every((at) => at > 0)).toBe(true)
      for (const id of divides) {
        changed.add(id)
        const [old, now] = [await part(before, id), await part(after, id)]
        expect(now.length).toBe(old.length)
        // the old point is the new one times x
        for (let at = 0; at < old.length; at += 64) {
          const point = coordinates(old.subarray(at, at + 64)).map(String)
          const given = coordinates(now.subarray(at, at + 64)).map(String)
          if (point.every((value) => value === "0")) expect(given).toEqual(point)
          else expect(times1(x, given as unknown as G1Json)).toEqual(point)
        }
      }
    }
    expect([...after.places.keys()]).toEqual([...before.places.keys()])
    for (const id of before.places.keys()) {
      const same = Buffer.compare(await part(before, id), await part(after, id)) === 0
      expect([id, same]).toEqual([id, !changed.has(id)])
    }
  })

  it("has fresh secrets every time, whatever is typed", async () => {
    const random = (n: number) => new Uint8Array(n).fill(3)
    const transcriptOf = async (options: Partial<ContributeOptions>) =>
      (await added(keys[0], { name: "Alice", ...options })).result.transcript
    const fixed = await transcriptOf({ random })
    expect(await transcriptOf({ random })).toBe(fixed)
    const others = [{}, {}, { random, entropy: "typed" }, { random, name: "Bob" }]
    const all = [fixed, ...(await Promise.all(others.map(transcriptOf)))]
    expect(new Set(all).size).toBe(5)
  })

  it("goes on at any byte, and makes the same file", async () => {
    const seed = new Uint8Array(64).fill(5)
    const whole = (await added(keys[1], { name: "Bob", seed, blockBytes: 640 })).key
    for (const done of [1, 700, whole.length >> 1, whole.length - 1]) {
      const rest = (await added(keys[1], { name: "Bob", seed, blockBytes: 1920, done })).key
      expect(Buffer.compare(whole.subarray(done), rest)).toBe(0)
    }
  })

  it("reads and writes in blocks, stops on abort at each, and passes on what a sink throws", async () => {
    const blockBytes = 6400
    let most = 0
    const source: ByteSource = {
      size: keys[1].length,
      read: async (from, length) => {
        most = Math.max(most, length)
        return keys[1].subarray(from, from + length)
      },
    }
    let writes = 0
    const sink: Sink = {
      async write(bytes) {
        writes++
        most = Math.max(most, bytes.length)
      },
    }
    await contribute(source, { name: "Bob", sink, blockBytes })
    expect(most).toBeLessThanOrEqual(blockBytes)
    const random = (n: number) => new Uint8Array(n).fill(1)
    for (let stop = 1; stop < writes; stop += Math.ceil(writes / 3)) {
      const control = new AbortController()
      let seen = 0
      const failing: Sink = {
        async write() {
          seen++
          if (seen === stop) control.abort()
        },
      }
      const aborted = contribute(keys[1], {
        name: "B",
        sink: failing,
        blockBytes,
        signal: control.signal,
        random,
      })
      // what is replaced is one piece: an abort is seen at the next block
      await aborted.then(
        () => expect(stop).toBeGreaterThan(writes - 6),
        (error) => expect(error.name).toBe("AbortError"),
      )
      const full: Sink = {
        async write() {
          seen++
          if (seen >= stop) throw new Error("no space is left")
        },
      }
      seen = 0
      await expect(contribute(keys[1], { name: "B", sink: full, blockBytes, random })).rejects.toThrow(
        "no space",
      )
    }
  })

  it("refuses names, seeds and beacons that are none", async () => {
    const sink = memorySink()
    for (const name of [
      "",
      " ",
      "a ",
      "two\nlines",
      "a\u202eb",
      "x".repeat(65),
      "\u0000",
      "\ud800",
      7 as never,
    ])
      await expect(contribute(keys[0], { name, sink })).rejects.toThrow(UsageError)
    await expect(contribute(keys[0], { name: "A", seed: new Uint8Array(63), sink })).rejects.toThrow(
      UsageError,
    )
    await expect(contribute(keys[0], { name: "A" } as never)).rejects.toThrow(/sink/)
    for (const [value, iterations] of [
      ["0x", 10],
      ["0xabc", 10],
      ["abcd", 10],
      [`0x${"00".repeat(256)}`, 10],
      ["0xab", 9],
      ["0xab", 64],
      ["0xab", 10.5],
    ] as const)
      await expect(applyBeacon(keys[1], { value, iterations, sink })).rejects.toThrow(UsageError)
    await expect(applyBeacon(keys[0], { value: "0xab", iterations: 10, sink })).rejects.toThrow(
      /nobody has contributed/,
    )
    await expect(applyBeacon(keys[4], { value: "0xab", iterations: 10, sink })).rejects.toThrow(/has ended/)
    await expect(contribute(keys[4], { name: "Late", sink })).rejects.toThrow(/has ended/)
    expect(sink.bytes().length).toBe(0)
  })

  it("refuses a key whose δs are not where its contributions lead, or whose points are none", async () => {
    const { protocol, places } = await readCeremonyKey(keys[1])
    const place = (id: number) => (places.get(id) as { at: number }).at
    const edited = (at: number, bytes: Uint8Array) => {
      const copy = keys[1].slice()
      copy.set(bytes, at)
      return contribute(copy, { name: "Bob", sink: memorySink() })
    }
    const [{ name, section, one, two, divides }] = protocol.deltas
    const generator = montgomeryPoint([1n, 2n])
    await expect(edited(place(section) + one, generator)).rejects.toThrow(`${name}1 is not where`)
    const twice = montgomeryPoint(times2(2n, generator2).flat().map(BigInt))
    await expect(edited(place(section) + two, twice)).rejects.toThrow(`${name}2 are not of the same secret`)
    const wrong = `point 1 of section ${divides[0]} of the proving key: is not on the curve`
    await expect(edited(place(divides[0]) + 64, montgomeryPoint([1n, 3n]))).rejects.toThrow(wrong)
    await expect(edited(place(divides[0]) + 64, new Uint8Array(64).fill(255))).rejects.toThrow(wrong)
    await edited(place(divides[0]) + 64, new Uint8Array(64))
  })

  it("refuses keys of no ceremony", async () => {
    const sink = memorySink()
    const { provingKey } = await setup(circuit, { dev: true })
    await expect(contribute(provingKey, { name: "A", sink })).rejects.toThrow(/development key/)
    await expect(contribute(provingKey.subarray(0, 100), { name: "A", sink })).rejects.toThrow(FileError)
    await expect(contribute(Uint8Array.from([1, 2, 3]), { name: "A", sink })).rejects.toThrow(
      /no proving key/,
    )
    await expect(contribute(keys[0].subarray(0, keys[0].length - 1), { name: "A", sink })).rejects.toThrow(
      FileError,
    )
    expect(sink.bytes().length).toBe(0)
  })
})
