/**
 * Proving keys with points that are none, in every section, kept and streamed: a typed error or a proof that does not
 * verify, at once, and the same engine proves with the honest key as if nothing had happened.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createBinFile, readBinFile } from "#src/circuit/formats/container.js"
import { coordinates, montgomeryPoint } from "#src/circuit/formats/points.js"
import { compile } from "#src/compile/compile.js"
import { CountersignError, FileError } from "#src/errors.js"
import { q } from "#src/field.js"
import type { Engine } from "#src/prover/engine/engine.js"
import { kernelEngine } from "#src/prover/engine/kernels.js"
import { type Keys, openProver, setup } from "#src/prover/open.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import { mirageDomain } from "#src/systems/mirage/keyfile.js"
import { explain } from "#src/verifier/index.js"
import { isFull } from "../support/amount.js"
import {
  anyBelow,
  anywhere,
  fileOf,
  hostilePoints,
  ofOrderFour,
  ofOrderThree,
  ofOrderTwo,
  ofSmallOrder,
  ofTwist,
  type Point,
} from "../support/curves.js"
import { bytesOf } from "../support/kernels.js"
import { type Network, perceptron } from "../support/networks.js"

/** The container with some sections replaced. */
function withSections(held: Map<number, Uint8Array>, replaced: Record<number, Uint8Array>): Uint8Array {
  const contents = Array.from(held, ([id, content]) => ({ id, content: replaced[id] ?? content }))
  const sizes = contents.map(({ id, content }) => ({ id, bytes: content.length }))
  const { file, sections: places } = createBinFile("csmk", 1, sizes)
  contents.forEach(({ content }, i) => {
    places[i].set(content)
  })
  return file
}

/** 2^bits times every point of G1 in a file. */
function doubled(points: Uint8Array, bits: number): Uint8Array {
  const result = new Uint8Array(points.length)
  for (let at = 0; at < points.length; at += 64) {
    const [x, y] = coordinates(points.subarray(at, at + 64))
    let point = bn254.G1.Point.fromAffine({ x, y })
    for (let bit = 0; bit < bits; bit++) point = point.double()
    const affine = point.toAffine()
    result.set(montgomeryPoint([affine.x, affine.y]), at)
  }
  return result
}

const context = `0x${"7d".repeat(32)}`
/** Numbers of the sections (docs/FORMATS.md). */
const sections = { A: 4, B1: 5, B2: 6, committed: 7, final: 8, H: 9, C: 10 }
type Name = keyof typeof sections

// what kernels of either module do with such points is in kernels/hostile-points.test.ts: what is above them is one
const modules = isFull ? (["scalar", "relaxed"] as const) : (["relaxed"] as const)

describe.each(modules)("%s", (variant) => {
  let network: Network
  let circuit: MirageCircuit
  let keys: Keys
  let engine: Engine
  let held: number
  beforeAll(async () => {
    network = await perceptron([6, 5, 3], 6)
    circuit = await compile(network.graph)
    keys = await setup(circuit, { dev: true })
    engine = await kernelEngine({ variant, threads: 2, blockBytes: 2000 })
    for (const residentBytes of [0, 2 ** 30])
      expect(await attempt(keys.provingKey, residentBytes)).toBe("valid")
    held = engine.heldBytes()
  })
  afterAll(() => engine.close())

  /** Opens and proves; what came of it. */
  const attempt = async (key: Uint8Array, residentBytes: number): Promise<string | CountersignError> => {
    try {
      const prover = await openProver(circuit, key, { engine, residentBytes })
      try {
        const receipt = await prover.prove(network.input, { context, clampInputs: true })
        const { verificationKey } = keys
        const { model } = circuit
        return explain(receipt, { verificationKey, model, context, allowDev: true }) ?? "valid"
      } finally {
        await prover.close()
      }
    } catch (error) {
      if (error instanceof CountersignError) return error
      throw error
    }
  }
  /** The key with other bytes in a section, which is given as it is. */
  const changed = (name: Name, change: (section: Uint8Array, size: number) => void): Uint8Array => {
    const key = keys.provingKey.slice()
    const section = readBinFile(key, "csmk", 1).get(sections[name]) as Uint8Array
    change(section, name === "B2" ? 128 : 64)
    return key
  }
  const both = [0, 2 ** 30]

  it("takes any layers of H that the header may give", async () => {
    const system = circuit.linked.r1cs
    const domain = mirageDomain(system)
    const held = readBinFile(keys.provingKey, "csmk", 1)
    const layer = (held.get(sections.H) as Uint8Array).subarray(0, 64 * domain)
    for (const [bits, count] of [
      [288, 2],
      [144, 2],
      [200, 3],
    ]) {
      const header = (held.get(1) as Uint8Array).slice()
      new DataView(header.buffer).setUint32(12, bits, true)
      new DataView(header.buffer).setUint32(16, count, true)
      const layers = [layer]
      for (let k = 1; k < count; k++) layers.push(doubled(layers[k - 1], bits))
      const right = withSections(held, { 1: header, [sections.H]: Buffer.concat(layers) })
      const wrong = withSections(held, { 1: header, [sections.H]: Buffer.concat(layers.map(() => layer)) })
      for (const residentBytes of both) expect(await attempt(right, residentBytes)).toBe("valid")
      // a layer that is further away than scalars reach is not used
      expect((await attempt(wrong, 2 ** 30)) === "valid", `${bits} ${count}`).toBe(bits > 254)
    }
  })

  describe.each(Object.keys(sections) as Name[])("section %s", (name) => {
    const group = name === "B2" ? "g2" : "g1"

    it("refuses a coordinate that is not below q, and says where", async () => {
      for (const [i, large] of [q, q + 1n, 2n ** 256n - 1n].entries()) {
        for (const residentBytes of both) {
          let place = -1
          const key = changed(name, (section, size) => {
            place = [0, 1, section.length / size - 1][i]
            section.set(bytesOf(large), place * size + (i % 2) * 32)
          })
          // blocks of a streamed key are read when they are multiplied, and H without its multiples
          const refused = await attempt(key, residentBytes)
          if (name === "H" && i === 2 && residentBytes === 0) expect(refused).toBe("valid")
          else {
            expect(refused).toBeInstanceOf(FileError)
            expect((refused as Error).message).toContain(
              `proving key, section ${name}, point ${place}: coordinate of a point; expected less than ${q}; given ${large}`,
            )
          }
        }
      }
    })

    it("gives no valid proof with points that are none", async () => {
      const kinds: (() => Point)[] = [
        () => anywhere(group),
        () => ofOrderTwo(group),
        () => ofOrderThree(group),
        ...(group === "g2" ? [ofTwist, ofSmallOrder, ofOrderFour] : []),
      ]
      for (const kind of kinds) {
        const point = fileOf(group, [kind()])
        for (const residentBytes of both) {
          const all = changed(name, (section, size) => {
            for (let at = 0; at < section.length; at += size) section.set(point, at)
          })
          const given = await attempt(all, residentBytes)
          if (given instanceof CountersignError) expect(given).toBeInstanceOf(FileError)
          else expect(given).not.toBe("valid")
        }
      }
      const mixed = changed(name, (section, size) => {
        section.set(fileOf(group, hostilePoints(group, section.length / size)))
      })
      for (const residentBytes of both) expect(await attempt(mixed, residentBytes)).not.toBe("valid")
    })

    it("takes any bytes", async () => {
      for (const residentBytes of both) {
        const noise = changed(name, (section) => {
          for (let at = 0; at < section.length; at += 32) section.set(bytesOf(anyBelow(2n ** 256n)), at)
        })
        expect(await attempt(noise, residentBytes)).toBeInstanceOf(FileError)
        const ones = changed(name, (section) => section.fill(255))
        expect(await attempt(ones, residentBytes)).toBeInstanceOf(FileError)
        const zeros = changed(name, (section) => section.fill(0))
        expect(await attempt(zeros, residentBytes)).not.toBe("valid")
      }
    })

    it("proves with the honest key afterwards", async () => {
      for (const residentBytes of both) expect(await attempt(keys.provingKey, residentBytes)).toBe("valid")
      expect(engine.heldBytes()).toBe(held)
    })
  })
})
