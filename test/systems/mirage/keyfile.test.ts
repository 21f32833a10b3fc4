import { readFileSync } from "node:fs"
import { beforeAll, describe, expect, it } from "vitest"
import { digestOf } from "#src/circuit/formats/r1cs.js"
import { compile } from "#src/compile/compile.js"
import { FileError } from "#src/errors.js"
import { checkKeys, openProver, setup, verificationKeyOf } from "#src/prover/open.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import {
  type MiragePoints,
  quotientLayers,
  readMirageKey,
  writeMirageKey,
} from "#src/systems/mirage/keyfile.js"
import { verify } from "#src/verifier/index.js"
import { perceptron } from "../../support/networks.js"

/** A fixed source of bytes: the same key every time. */
function fixedRandom(): (n: number) => Uint8Array {
  let state = 1
  const next = () => {
    state = (state * 48271) % 2147483647
    return state & 255
  }
  return (n) => Uint8Array.from({ length: n }, next)
}

describe("a proving key of the two-phase proof", () => {
  let circuit: MirageCircuit
  let key: Uint8Array
  beforeAll(async () => {
    circuit = await compile((await perceptron([2, 2], 6)).graph)
    key = (await setup(circuit, { dev: true, random: fixedRandom() })).provingKey
  })
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
  const changed = (at: number) => key.map((byte, i) => (i === at ? byte ^ 1 : byte))

  it("is what docs/FORMATS.md shows", () => {
    const text = readFileSync(new URL("../../../docs/FORMATS.md", import.meta.url), "utf8")
    const start = text.indexOf("63736d6b 01000000")
    const lines = text.slice(start, text.indexOf("```", start)).trim().split("\n")
    const shown = lines
      .map((line) =>
        line
          .replace(/ {2,}.*/, "")
          .replace("…", "")
          .replaceAll(" ", ""),
      )
      .join("")
    expect(hex(key.subarray(0, 88))).toBe(shown)
    expect(hex(digestOf(circuit.linked.r1cs))).toBe(hex(key.subarray(44, 76)))
    expect(text).toContain(`A key of ${key.length.toLocaleString("en")} bytes`)
    const { r1cs, firstFinal } = circuit.linked
    expect(text).toContain(`with ${r1cs.wires} wires, of which those from ${firstFinal} on are final`)
    expect(hex(key.subarray(-15))).toBe("e80300000300000000000000646576")
  })

  it("gives the verification key, and is refused for another circuit", async () => {
    await checkKeys(circuit, key, await verificationKeyOf(circuit, key))
    const other = await compile((await perceptron([2, 3], 6)).graph)
    await expect(readMirageKey(key, other.linked)).rejects.toThrow(/another circuit/)
    const again = (await setup(circuit, { dev: true })).provingKey
    const theirs = await verificationKeyOf(circuit, again)
    await expect(checkKeys(circuit, key, theirs)).rejects.toThrow(/was not made with/)
  })

  it("may have its multiples of H in other layers", async () => {
    const { linked } = circuit
    const { layers, domain, setup: mark, streamed, weights, ...points } = await readMirageKey(key, linked)
    expect(layers).toEqual(quotientLayers(domain))
    const sections = points as MiragePoints
    const h = sections.h.subarray(0, sections.h.length / layers.count)
    const context = `0x${"01".repeat(32)}`
    for (const bits of [256, 260, 255]) {
      const provingKey = writeMirageKey(linked, { ...sections, h }, "dev", { layers: { bits, count: 1 } })
      const prover = await openProver(circuit, provingKey)
      const receipt = await prover.prove({ x0: [0.5, 0.25] }, { context, clampInputs: true })
      await prover.close()
      const verificationKey = await verificationKeyOf(circuit, provingKey)
      expect(verify(receipt, { verificationKey, model: circuit.model, context, allowDev: true })).toBe(true)
    }
    for (const wrong of [
      { bits: 0, count: 4 },
      { bits: 17, count: 4 },
      { bits: 63, count: 4 },
      { bits: 2 ** 32 - 1, count: 4 },
    ]) {
      await expect(
        readMirageKey(writeMirageKey(linked, sections, "dev", { layers: wrong }), linked),
      ).rejects.toThrow(/layers of H; .* 4 layers/)
    }
    const fewer = writeMirageKey(linked, sections, "dev", { layers: { bits: 256, count: 1 } })
    await expect(readMirageKey(fewer, linked)).rejects.toThrow(/section 9/)
  })

  it.each([0, 2 ** 30])(
    "is refused when damaged, whichever way, with %i bytes resident",
    async (resident) => {
      const open = (bytes: Uint8Array) => readMirageKey(bytes, circuit.linked, resident)
      for (let length = 0; length < key.length - 15; length += 97)
        await expect(open(key.subarray(0, length)), `${length} bytes`).rejects.toThrow(
          /proving key|file|section/,
        )
      for (const at of [0, 3, 4, 8, 12, 16, 24, 30, 40, 60, 68, 72])
        await expect(open(changed(at)), `byte ${at}`).rejects.toThrow(FileError)
      const extended = new Uint8Array(key.length + 1)
      extended.set(key)
      await expect(open(extended)).rejects.toThrow(FileError)
    },
  )
})
