/** Keys that come back: from contributors, and from snarkjs, whose files lack what it does not know. */
import { zKey } from "snarkjs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { acceptKey } from "#src/ceremony/accept.js"
import { type VerifySetupOptions, verifySetup } from "#src/ceremony/verify.js"
import type { ByteSource } from "#src/circuit/formats/source.js"
import { compile } from "#src/compile/compile.js"
import { mod } from "#src/field.js"
import { setup } from "#src/prover/open.js"
import { openPtau, type PtauFile } from "#src/setup/ptau/file.js"
import type { Circuit } from "#src/systems/index.js"
import { contributed, ended, sectionsIn, withRecords } from "../support/ceremony-attacks.js"
import { sectionOf, withBytes, withSection } from "../support/foreign-keys.js"
import { perceptron } from "../support/networks.js"
import { contributedPtau } from "../support/ptau.js"
import { stopSnarkjs } from "../support/snarkjs.js"

type File = { readonly type: "mem"; readonly data: Uint8Array }
afterAll(stopSnarkjs)
const mem = (data: Uint8Array): File => ({ type: "mem", data })
const beacon = { value: "0x0badcafe", iterations: 10 } as const

const bytesOf = ({ size, read }: ByteSource): Promise<Uint8Array> => read(0, size)
const source = (bytes: Uint8Array): ByteSource => ({
  size: bytes.length,
  read: async (from, length) => bytes.subarray(from, from + length),
})

describe.each(["mirage", "groth16"] as const)("a ceremony of %s", (proofSystem) => {
  const factors = (delta: bigint) =>
    proofSystem === "mirage" ? { delta, deltaC: mod(delta ** 3n) } : ({ delta } as Record<string, bigint>)
  const options: VerifySetupOptions = { threads: 1 }
  let circuit: Circuit
  let ptau: PtauFile
  let first: Uint8Array
  let alice: Uint8Array
  let bob: Uint8Array
  beforeAll(async () => {
    circuit = await compile((await perceptron([2, 2], 6)).graph, { proofSystem })
    // snarkjs has twice the powers
    ptau = await openPtau(await contributedPtau(Math.ceil(Math.log2(circuit.domain)) + 1))
    first = (await setup(circuit, { ptau })).provingKey
    alice = await contributed(first, "Alice", factors(1234567n ** 4n))
    bob = await contributed(alice, "Bob", factors(7654321n ** 4n))
  })

  const accept = (present: Uint8Array, given: Uint8Array) =>
    acceptKey(circuit, source(present), source(given), ptau, options)

  it("goes on with what a contributor gives back", async () => {
    for (const [present, given, added] of [
      [first, alice, 1],
      [alice, bob, 1],
      [first, await ended(bob, beacon), 3],
    ] as const) {
      const { report, provingKey, ...rest } = await accept(present, given)
      expect(report.problems).toEqual([])
      expect(rest.added).toBe(added)
      expect(Buffer.compare(await bytesOf(provingKey), given)).toBe(0)
    }
  })

  it("does not lose a contribution, or take one for another", async () => {
    const carol = await contributed(alice, "Carol", factors(33333n ** 4n))
    for (const [present, given, problem] of [
      [bob, alice, /contribution 2 \(Bob\) of the present key: the other does not have it/],
      [bob, carol, /contribution 2 \(Bob\) of the present key: the other has another one there \(Carol\)/],
      [bob, bob, /has no contribution that the present key has not/],
      [alice, await withRecords(bob, ([, b]) => [b]), /contribution 1 \(Alice\) of the present key/],
      [first, await contributed(await ended(alice, beacon), "Late", factors(5n)), /after a beacon/],
    ] as const) {
      const { report } = await accept(present, given)
      expect(report.valid).toBe(false)
      expect(report.problems.join("\n")).toMatch(problem)
    }
  })

  it("takes nothing that is damaged, or another circuit's", async () => {
    const other = await compile((await perceptron([3, 2], 6)).graph, { proofSystem })
    const theirs = await contributed((await setup(other, { ptau })).provingKey, "Eve", factors(7n ** 9n))
    expect((await accept(first, theirs)).report.problems.join("\n")).toMatch(/is of another ceremony/)
    await expect(accept(first, alice.slice(0, -9))).rejects.toThrow(/truncated/)
    const { report } = await accept(first, withBytes(alice, 3, 0, sectionOf(alice, 3).slice(64, 128)))
    expect(report.problems.join("\n")).toMatch(/IC \(3\): point 0/)
  })
})

describe("snarkjs", () => {
  let circuit: Circuit
  let ptau: PtauFile
  let first: Uint8Array
  beforeAll(async () => {
    circuit = await compile((await perceptron([2, 2], 6)).graph, { proofSystem: "groth16" })
    ptau = await openPtau(await contributedPtau(Math.ceil(Math.log2(circuit.domain)) + 1))
    first = (await setup(circuit, { ptau })).provingKey
  })

  /** What snarkjs makes of a key. */
  const byThem = async (key: Uint8Array, name: string): Promise<Uint8Array> => {
    const made = mem(undefined as never)
    await zKey.contribute(mem(key), made, name, "entropy")
    return made.data
  }

  it("contributes by turns with us: what it leaves out is put back, and its names are not bound", async () => {
    const theirs = await byThem(first, "Alice")
    expect(sectionsIn(theirs).has(1001)).toBe(false)
    const one = await acceptKey(circuit, first, theirs, ptau, { threads: 1 })
    expect(one.report.problems).toEqual([])
    expect(one.report.contributions).toMatchObject([{ name: "Alice", bound: false }])
    const two = await contributed(await bytesOf(one.provingKey), "Bob", { delta: 987654321n ** 3n })
    const three = mem(undefined as never)
    await zKey.beacon(mem(two), three, "beacon", "0badcafe", 10)
    const last = await acceptKey(circuit, two, three.data, ptau, { threads: 1 })
    expect(last.report).toMatchObject({
      valid: true,
      contributions: [
        { number: 1, name: "Alice", bound: false, beacon: null },
        { number: 2, name: "Bob", bound: true, beacon: null },
        { number: 3, name: "beacon", bound: true, beacon },
      ],
    })
    const { verificationKey } = last.report
    const again = await verifySetup(circuit, last.provingKey, ptau, { threads: 1, verificationKey })
    expect(again.problems).toEqual([])
  })

  it("is bound to its circuit by a hash of the first key: another one is found", async () => {
    const began = withBytes(first, 10, 0, new Uint8Array(64).fill(9))
    const made = await acceptKey(circuit, began, await byThem(began, "Alice"), ptau, { threads: 1 })
    expect(made.report.problems).toEqual([
      "proving key: section 10: the circuit hash is another key's, which contributions of snarkjs are to",
    ])
  })

  it("is told from a key that says something of a ceremony itself", async () => {
    const alice = await contributed(first, "Alice", { delta: 5n ** 40n })
    const part = withSection(alice, 1001, () => undefined)
    await expect(acceptKey(circuit, first, part, ptau)).rejects.toThrow(/section 1001 is missing/)
  })
})
