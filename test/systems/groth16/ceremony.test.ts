/** Contributions of ours and of snarkjs, by turns, to a key that snarkjs made from powers of tau. */
import { curves, powersOfTau, zKey } from "snarkjs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { applyBeacon, contribute } from "#src/ceremony/index.js"
import { checkTranscript, readCeremonyKey } from "#src/ceremony/key.js"
import { createBinFile, readBinFile } from "#src/circuit/formats/container.js"
import { writeR1cs } from "#src/circuit/formats/r1csfile.js"
import { compile } from "#src/compile/compile.js"
import { ceremonySection, factsOf, headJson } from "#src/setup/ceremony/transcript.js"
import { encodeMark, markSection } from "#src/statement/provenance.js"
import type { PlainCircuit } from "#src/systems/plain/circuit.js"
import { headOf, memorySink } from "../../support/first-keys.js"
import { perceptron } from "../../support/networks.js"
import { stopSnarkjs } from "../../support/snarkjs.js"

type File = { readonly type: "mem"; readonly data: Uint8Array }
const mem = (data: Uint8Array): File => ({ type: "mem", data })
const empty = () => ({ type: "mem" }) as File

let circuit: PlainCircuit
let ptau: File
let first: File
beforeAll(async () => {
  circuit = (await compile((await perceptron([2, 2], 6)).graph, { proofSystem: "groth16" })) as PlainCircuit
  const [start, contributed] = [empty(), empty()]
  ptau = empty()
  first = empty()
  const power = Math.log2(circuit.domain)
  await powersOfTau.newAccumulator(await curves.getCurveFromName("bn128"), power, start)
  await powersOfTau.contribute(start, contributed, "test", "entropy of a test")
  await powersOfTau.preparePhase2(contributed, ptau)
  await zKey.newZKey(mem(writeR1cs(circuit.linked.r1cs)), ptau, first)
})
afterAll(stopSnarkjs)

/** A key of snarkjs with what ours say besides. */
function adopted(zkey: Uint8Array): Uint8Array {
  const contents = [
    ...readBinFile(zkey, "zkey", 1),
    [markSection, encodeMark("ceremony")],
    [ceremonySection, new TextEncoder().encode(headJson(headOf(circuit)))],
  ] as [number, Uint8Array][]
  const { file, sections } = createBinFile(
    "zkey",
    1,
    contents.map(([id, { length }]) => ({ id, bytes: length })),
  )
  sections.forEach((section, i) => {
    section.set(contents[i][1])
  })
  return file
}

async function added(zkey: Uint8Array, name: string): Promise<Uint8Array> {
  const sink = memorySink()
  await contribute(zkey, { name, sink })
  return sink.bytes()
}
async function ended(zkey: Uint8Array, value: string, iterations: number): Promise<Uint8Array> {
  const sink = memorySink()
  await applyBeacon(zkey, { value, iterations, sink })
  return sink.bytes()
}
const accepts = (zkey: Uint8Array): Promise<boolean> => zKey.verifyFromInit(first, ptau, mem(zkey))

describe("a ceremony with snarkjs", () => {
  it("goes by turns, and each tool accepts the other's contributions", async () => {
    const one = await added(adopted(first.data), "Alice")
    expect(await accepts(one)).toBe(true)
    const two = empty()
    await zKey.contribute(mem(one), two, "Bob", "more entropy")
    const three = await added(adopted(two.data), "Carol")
    expect(await accepts(three)).toBe(true)
    const key = await readCeremonyKey(three)
    await checkTranscript(key)
    expect(key.transcript.contributions.map(({ name }) => name)).toEqual(["Alice", "Bob", "Carol"])
    expect([0, 1, 2].map((i) => key.protocol.isNamed(key.transcript, i))).toEqual([true, false, true])

    const nameless = empty()
    await zKey.contribute(mem(three), nameless, "", "more entropy")
    const { transcript } = await readCeremonyKey(adopted(nameless.data))
    expect(factsOf(transcript).contributors).toEqual(["Alice", "Bob", "Carol", "unnamed"])

    const ours = await ended(three, "0x0102030405", 10)
    expect(await accepts(ours)).toBe(true)
    const theirs = empty()
    await zKey.beacon(mem(three), theirs, "beacon", "0102030405", 10)
    await checkTranscript(await readCeremonyKey(adopted(theirs.data)))
    // of the same beacon nothing is anyone's choice
    expect(Buffer.from(adopted(theirs.data)).equals(Buffer.from(ours))).toBe(true)
  })
})
