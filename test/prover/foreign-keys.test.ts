/**
 * Whoever makes a proving key chooses its points. Here keys that take a hidden input out of a proof, shown to do so
 * with the bare prover; what opens keys for users must refuse them, or give nothing out.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { coordinates } from "#src/circuit/formats/points.js"
import { compile } from "#src/compile/compile.js"
import { FileError } from "#src/errors.js"
import { mod, q, r } from "#src/field.js"
import type { Engine } from "#src/prover/engine/engine.js"
import { kernelEngine } from "#src/prover/engine/kernels.js"
import { checkKeys, type Keys, openProver, setup } from "#src/prover/open.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import { readMirageKey, supportOf } from "#src/systems/mirage/keyfile.js"
import { openMirage } from "#src/systems/mirage/prove.js"
import { statementWords } from "#src/systems/mirage/witness.js"
import { explain, keyDigest, type MirageProof, type Receipt } from "#src/verifier/index.js"
import {
  bytesOfG1,
  bytesOfG2,
  G1,
  G2,
  infinity1,
  pointOfG2,
  sectionOf,
  smallOrder,
  smallPoint,
  times,
  withBytes,
  withSection,
} from "../support/foreign-keys.js"
import { type Network, perceptron, valuesOf } from "../support/networks.js"

const context = `0x${"f0".repeat(32)}`
const hidden = { x0: [0.5, 0.25] }
const options = { context, clampInputs: true }

/** Places in section 2: alpha1, beta1, delta1, deltaC1, then beta2, delta2, deltaC2. */
const at = { alpha1: 0, beta1: 64, delta1: 128, deltaC1: 192, beta2: 256, delta2: 384, deltaC2: 512 }
const singles = 2

describe("a foreign key of the two-phase proof", () => {
  let engine: Engine
  let network: Network
  let circuit: MirageCircuit
  let keys: Keys
  beforeAll(async () => {
    engine = await kernelEngine()
    const made = await perceptron([2, 2], 6)
    network = { ...made, input: hidden }
    circuit = await compile(network.graph)
    keys = await setup(circuit, { dev: true })
  })
  afterAll(() => engine?.close())

  /** A proof by the arithmetic alone, without any check of key or receipt. */
  const bare = async (key: Uint8Array, input = hidden): Promise<MirageProof> => {
    const values = valuesOf({ ...network, input })
    const prover = openMirage(circuit, await readMirageKey(key, circuit.linked), engine)
    try {
      const words = statementWords(circuit, values, {})
      return await prover.prove(values, { key: keyDigest(keys.verificationKey), context, words })
    } finally {
      await prover.close()
    }
  }
  const prove = async (key: Uint8Array, input = hidden): Promise<Receipt> => {
    await using prover = await openProver(circuit, key, { engine })
    return await prover.prove(input, options)
  }
  const refused = async (key: Uint8Array, message: RegExp, input = hidden) => {
    const attempt = prove(key, input)
    await expect(attempt).rejects.toBeInstanceOf(FileError)
    await expect(attempt).rejects.toThrow(message)
  }
  const inputs = () => Array.from(valuesOf(network).get(network.graph.inputs[0].tensor) as Float64Array)
  const withSingles = (key: Uint8Array, points: Partial<Record<keyof typeof at, Uint8Array>>): Uint8Array =>
    Object.entries(points).reduce(
      (made, [name, bytes]) => withBytes(made, singles, at[name as keyof typeof at], bytes),
      key,
    )
  const singleOf = (name: keyof typeof at) => {
    const from = at[name]
    return sectionOf(keys.provingKey, singles).subarray(from, from + (from < at.beta2 ? 64 : 128))
  }

  it("without masks, and with points of its maker's choice, would show a hidden input in D", async () => {
    const bits = 7
    let key = withSingles(keys.provingKey, { delta1: infinity1, deltaC1: infinity1 })
    // committed wires begin with the inputs: 2^(7j)·G for input j, and nothing for all others
    key = withSection(key, 7, (content) => {
      content.fill(0)
      for (let j = 0; j < 2; j++) content.set(bytesOfG1(G1.BASE.multiply(1n << BigInt(bits * j))), 64 * j)
      return content
    })
    const { d } = await bare(key)
    const target = G1.fromAffine({ x: BigInt(d[0]), y: BigInt(d[1]) })
    let sum = G1.ZERO
    let found = 0
    for (; found < 2 ** (2 * bits) && !sum.equals(target); found++) sum = sum.add(G1.BASE)
    expect([found & 127, found >> bits]).toEqual(inputs())
    await refused(key, /proving key: delta1: not a point of G1, or the point at infinity/)
  })

  it("whose proofs verify, but with D a function of the input, is refused", async () => {
    let key = withSingles(keys.provingKey, { beta1: infinity1, delta1: infinity1, deltaC1: infinity1 })
    key = withSection(key, 5, (content) => content.fill(0))
    const [one, two] = [await bare(key), await bare(key)]
    expect(one.d).toEqual(two.d)
    const other = await bare(key, { x0: [0.25, 0.25] })
    expect(other.d).not.toEqual(one.d)
    // any verifier accepts them
    await using honest = await openProver(circuit, keys.provingKey, { engine })
    const { statement } = await honest.prove(hidden, options)
    const receipt = { version: 1, proofSystem: "mirage", statement, proof: one }
    const { verificationKey } = keys
    expect(explain(receipt, { verificationKey, model: circuit.model, context, allowDev: true })).toBe(null)
    await refused(key, /proving key: beta1: not a point of G1/)
  })

  it("with points outside the subgroup on side B gives nothing out", async () => {
    const point = smallPoint()
    const wire = circuit.linked.inputs[0]
    const place = 128 * supportOf(circuit.linked.r1cs, "b").indexOf(wire)
    expect(place).toBeGreaterThanOrEqual(0)
    const key = withSection(keys.provingKey, 6, (content) => {
      const held = pointOfG2(coordinates(content.subarray(place, place + 128)))
      content.set(bytesOfG2(held.add(point)), place)
      return content
    })
    // r times B leaves what no multiple of delta hides: the input times r times the small point
    const { b } = await bare(key)
    const left = times(pointOfG2([...b[0], ...b[1]].map(BigInt)), r)
    const step = times(point, r % smallOrder)
    let sum = G2.ZERO
    let found = 0
    for (; found < 128 && !sum.equals(left); found++) sum = sum.add(step)
    expect(found).toBe(inputs()[0])
    await refused(key, /points are wrong.*proof\.b is not a point of G2's subgroup/)
  })

  it("whose masks are not one secret in G1 and G2, not points, or not reduced, is refused", async () => {
    const double = (name: "beta1" | "delta1" | "deltaC1") => {
      const [x, y] = coordinates(singleOf(name))
      return bytesOfG1(G1.fromAffine({ x, y }).double())
    }
    const raw = (bytes: Uint8Array, add: bigint) => {
      const value = bytes.slice(0, 32).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n) + add
      return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n))
    }
    for (const name of ["beta1", "delta1", "deltaC1"] as const) {
      const other = withSingles(keys.provingKey, { [name]: double(name) })
      await refused(other, new RegExp(`${name.slice(0, -1)}1 and .*2 are not of the same secret`))
      await expect(checkKeys(circuit, other, keys.verificationKey)).rejects.toThrow(/same secret/)
      const off = withSingles(keys.provingKey, { [name]: raw(singleOf(name), 1n) })
      await refused(off, /not a point of G1|not below q/)
    }
    const { alpha1, delta1, deltaC1, delta2, deltaC2, beta2 } = at
    for (const place of [alpha1, delta1, deltaC1, beta2, delta2, deltaC2]) {
      const bytes = sectionOf(keys.provingKey, singles).subarray(place, place + 32)
      const value = raw(bytes, q)
      // q more fits into 32 bytes
      if (value.every((byte, i) => byte === bytes[i])) throw new Error("nothing was added")
      await refused(withBytes(keys.provingKey, singles, place, value), /coordinate is not below q/)
    }
    // delta and deltaC exchanged in G1 alone
    const swapped = withSingles(keys.provingKey, { delta1: singleOf("deltaC1"), deltaC1: singleOf("delta1") })
    await refused(swapped, /same secret/)
  })

  it("with another wrong point gives nothing out; whether it does depends on the input", async () => {
    const wrong = withBytes(keys.provingKey, 7, 0, bytesOfG1(G1.BASE))
    await refused(wrong, /points are wrong, or were changed/)
    // what remains: an input that does not meet the point is proven
    const receipt = await prove(wrong, { x0: [0, 0.25] })
    const { verificationKey } = keys
    expect(explain(receipt, { verificationKey, model: circuit.model, context, allowDev: true })).toBe(null)
  })

  it("is not opened when another verification key is pinned", async () => {
    const { verificationKey } = keys
    const again = await setup(circuit, { dev: true })
    const open = (key: Uint8Array, pinned = verificationKey) =>
      openProver(circuit, key, { engine, verificationKey: pinned })
    await (await open(keys.provingKey)).close()
    await (await open(keys.provingKey, JSON.parse(JSON.stringify(verificationKey)))).close()
    const differs = (change: object) => open(keys.provingKey, { ...verificationKey, ...change })
    await expect(open(again.provingKey)).rejects.toThrow(/was not made with the proving key/)
    await expect(open(again.provingKey)).rejects.toBeInstanceOf(FileError)
    await expect(differs({ model: `0x${"11".repeat(32)}` })).rejects.toThrow(/is another model's/)
    await expect(differs({ setup: "external" })).rejects.toThrow(/made another way/)
    const layout = structuredClone(verificationKey.layout)
    Object.assign(layout.inputs[0], { scale: 1 })
    await expect(differs({ layout })).rejects.toThrow(/another layout/)
  })
})

describe("a foreign key of plain groth16", () => {
  it("is refused without masks, unless pinned, and gives nothing out with wrong points", async () => {
    const { graph } = await perceptron([2, 2], 6)
    const circuit = await compile(graph, { proofSystem: "groth16" })
    const keys = await setup(circuit, { dev: true })
    const key = keys.provingKey
    const open = (bytes: Uint8Array, more = {}) => openProver(circuit, bytes, more)
    for (const [name, place] of [
      ["beta1", 148],
      ["delta1", 468],
    ] as const) {
      await expect(open(withBytes(key, 2, place, infinity1))).rejects.toThrow(`${name}: not a point of G1`)
      const moved = withBytes(key, 2, place, bytesOfG1(G1.BASE.multiply(mod(77n))))
      await expect(open(moved)).rejects.toThrow(/not of the same secret/)
    }
    const again = await setup(circuit, { dev: true })
    const { verificationKey } = keys
    await expect(open(again.provingKey, { verificationKey })).rejects.toThrow(/was not made with/)
    // every point of section 8 wrong: no execution avoids them all
    const wrong = withSection(key, 8, (content) => content.fill(0))
    const prover = await open(wrong, { verificationKey })
    try {
      const attempt = prover.prove(hidden, options)
      await expect(attempt).rejects.toBeInstanceOf(FileError)
      await expect(attempt).rejects.toThrow(/points are wrong/)
    } finally {
      await prover.close()
    }
  })
})

describe.each(["mirage", "groth16"] as const)("how a proving key of %s was made", (proofSystem) => {
  it("must stand in it: whatever else it says, or nothing, is refused", async () => {
    const { graph } = await perceptron([2, 2], 6)
    const circuit = await compile(graph, { proofSystem } as { proofSystem: "mirage" })
    const { provingKey, verificationKey } = await setup(circuit, { dev: true })
    const text = (mark: string) => new TextEncoder().encode(mark)
    const marks = ["", "d", "de", "dew", "Dev", "external", "dev ", "dev\0", `dev${" ".repeat(70)}`]
    const flipped = [0, 1, 2].map((i) => text("dev").map((byte, j) => (i === j ? byte ^ 1 : byte)))
    for (const mark of [undefined, ...flipped, ...marks.map(text)]) {
      const key = withSection(provingKey, 1000, () => mark)
      for (const attempt of [openProver(circuit, key), checkKeys(circuit, key, verificationKey)]) {
        await expect(attempt).rejects.toBeInstanceOf(FileError)
        await expect(attempt).rejects.toThrow(/proving key: does not say how it was made; expected `dev`/)
      }
    }
    // a ceremony is no word alone
    const key = withSection(provingKey, 1000, () => text("ceremony"))
    for (const attempt of [openProver(circuit, key), checkKeys(circuit, key, verificationKey)])
      await expect(attempt).rejects.toThrow(/proving key: section 1001 is missing/)
  })
})
