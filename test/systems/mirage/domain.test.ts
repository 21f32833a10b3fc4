/** Keys over domains of one coset and of two: both prove, and whoever looks at a key takes it as it is. */
import { beforeAll, describe, expect, it } from "vitest"
import { verifySetup } from "#src/ceremony/verify.js"
import { cosetSizes } from "#src/circuit/link/domain.js"
import { compile } from "#src/compile/compile.js"
import { describeCircuit, rebuildCircuit } from "#src/compile/description.js"
import { auditKey } from "#src/prover/audit-key.js"
import { kernelEngine } from "#src/prover/engine/kernels.js"
import { slowEngine } from "#src/prover/engine/slow.js"
import { openEngine } from "#src/prover/kernels/engine.js"
import { openProver, verificationKeyOf } from "#src/prover/open.js"
import { serialize } from "#src/quantize/canonical/digest.js"
import { headFor } from "#src/setup/ceremony/transcript.js"
import { openLagrange } from "#src/setup/lagrange.js"
import { evaluateByPowers, sectionsFor } from "#src/setup/powers.js"
import { openPtau } from "#src/setup/ptau/file.js"
import { evaluateByTrapdoor } from "#src/setup/trapdoor.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import { keyDomains, readMirageKey } from "#src/systems/mirage/keyfile.js"
import { openMirage } from "#src/systems/mirage/prove.js"
import { mirageKeyOf, mirageKeyQueries } from "#src/systems/mirage/setup.js"
import { statementWords } from "#src/systems/mirage/witness.js"
import { explain, keyDigest } from "#src/verifier/index.js"
import { checkKey } from "#src/verifier/key.js"
import { randomOf } from "../../support/known-powers.js"
import { type Network, perceptron, valuesOf } from "../../support/networks.js"
import { contributedPtau } from "../../support/ptau.js"
import { Random } from "../../support/random.js"

const context = `0x${"5d".repeat(32)}`

describe("keys of one circuit", () => {
  let network: Network
  let circuit: MirageCircuit
  /** Over two cosets, and over one. */
  let domains: number[]
  beforeAll(async () => {
    network = await perceptron([3, 2, 2], 6)
    circuit = await compile(network.graph, { input: "public" })
    domains = keyDomains(circuit.linked.r1cs)
  })

  /** A key over a domain, of the same secrets whichever it is. */
  async function keyOver(domain: number): Promise<Uint8Array> {
    const { linked } = circuit
    const { secrets, queries } = mirageKeyQueries(linked, domain)
    const random = randomOf([3n ** 150n, 5n ** 100n, 7n ** 80n, 11n ** 70n, 13n ** 60n])
    const points = await evaluateByTrapdoor({ random, threads: 1 })(linked.r1cs, domain, secrets, queries)
    return mirageKeyOf(linked, points, "dev", domain)
  }

  it("are over two cosets now, which are fewer points, and were over one", () => {
    expect(circuit.domain).toBe(domains[0])
    expect(domains.map((n) => cosetSizes(n)?.length)).toEqual([2, 1])
    expect(domains[0]).toBeLessThan(domains[1])
  })

  it("prove over either, with the kernels what the slow engine proves", async () => {
    const values = valuesOf(network)
    const words = statementWords(circuit, values, {})
    for (const domain of domains) {
      const key = await keyOver(domain)
      const verificationKey = await verificationKeyOf(circuit, key)
      const held = await readMirageKey(key, circuit.linked)
      expect(held.domain).toBe(domain)
      const proofs: unknown[] = []
      for (const engine of [await kernelEngine({ threads: 2 }), slowEngine()]) {
        const source = new Random(7)
        const random = (n: number) => Uint8Array.from({ length: n }, () => source.integer(0, 255))
        const prover = openMirage(circuit, held, engine)
        proofs.push(
          await prover.prove(values, { key: keyDigest(verificationKey), context, words }, { random }),
        )
        await engine.close()
      }
      expect(proofs[0]).toEqual(proofs[1])
      await using prover = await openProver(circuit, key)
      const receipt = await prover.prove(network.input, { context, clampInputs: true })
      expect(explain(receipt, { verificationKey, model: circuit.model, context, allowDev: true })).toBe(null)
      expect(await auditKey(circuit, key, checkKey(verificationKey))).toBeGreaterThan(domain)
    }
  })

  it("are refused over any other domain, or if the header says another than the points are of", async () => {
    const [two, one] = await Promise.all(domains.map(keyOver))
    for (const domain of [domains[0] + 2, 2 * domains[1], 4, 0, 2 ** 32 - 1]) {
      const key = two.slice()
      new DataView(key.buffer).setUint32(24 + 8, domain, true)
      await expect(readMirageKey(key, circuit.linked)).rejects.toThrow(/belongs to another circuit/)
    }
    const mixed = one.slice()
    new DataView(mixed.buffer).setUint32(24 + 8, domains[0], true)
    await expect(readMirageKey(mixed, circuit.linked)).rejects.toThrow(/section 9/)
  })

  it("come from powers of tau over either, and a verification says that they are right, or which point is wrong", async () => {
    const { linked } = circuit
    const ptau = await openPtau(await contributedPtau(Math.ceil(Math.log2(domains[1]))))
    for (const domain of domains) {
      const engine = await openEngine({ threads: 2 })
      const { secrets, queries } = mirageKeyQueries(linked, domain)
      const lagrange = await openLagrange(engine, ptau, domain, sectionsFor(queries))
      const points = await evaluateByPowers(engine, ptau, lagrange)(linked.r1cs, domain, secrets, queries)
      const origin = { head: headFor(circuit, ptau), powers: ptau, engine }
      const key = mirageKeyOf(linked, points, origin, domain)
      await engine.close()
      const options = { threads: 1, allowUncontributed: true }
      expect(await verifySetup(circuit, key, ptau, options)).toMatchObject({ valid: true, problems: [] })
      // two points of H, on different cosets if there are two, change places
      const held = await readMirageKey(key, linked)
      const h = held.h as Uint8Array
      const at = Buffer.from(key).indexOf(h.subarray(0, 64))
      const last = 64 * (domain - 1)
      const swapped = key.slice()
      swapped.set(h.subarray(last, last + 64), at)
      swapped.set(h.subarray(0, 64), at + last)
      const { problems } = await verifySetup(circuit, swapped, ptau, options)
      expect(problems).toEqual([expect.stringMatching(/H \(9\): point 0 of layer 0/)])
    }
  })

  it("go with a description that says either domain", async () => {
    const files = { model: serialize(circuit.graph), gadgets: circuit.gadgets }
    const description = describeCircuit(circuit)
    for (const domain of domains) {
      const made = await rebuildCircuit({ ...files, circuit: { ...description, domain } })
      expect(made.domain).toBe(domains[0])
    }
    const other = { ...description, domain: domains[1] + 2 }
    await expect(rebuildCircuit({ ...files, circuit: other })).rejects.toThrow(/`domain` differs/)
  })
})
