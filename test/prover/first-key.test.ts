/** First keys of ceremonies: against keys that the secrets of the powers make, against snarkjs's, and proven with. */
import { blake2b } from "@noble/hashes/blake2.js"
import { curves, powersOfTau, zKey } from "snarkjs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { contribute } from "#src/ceremony/index.js"
import { readBinFile } from "#src/circuit/formats/container.js"
import { writeR1cs } from "#src/circuit/formats/r1csfile.js"
import { compile } from "#src/compile/compile.js"
import { FileError, invariant, UsageError } from "#src/errors.js"
import { openEngine } from "#src/prover/kernels/engine.js"
import { openProver, setup } from "#src/prover/open.js"
import type { LagrangeStore } from "#src/setup/lagrange-file.js"
import { evaluateByPowers } from "#src/setup/powers.js"
import { openPtau } from "#src/setup/ptau/file.js"
import type { Query } from "#src/setup/queries.js"
import { evaluateByTrapdoor } from "#src/setup/trapdoor.js"
import { type Circuit, systemOf } from "#src/systems/index.js"
import { explain, type VerificationKey } from "#src/verifier/index.js"
import { memorySink } from "../support/first-keys.js"
import { knownPoints, randomOf } from "../support/known-powers.js"
import { type Network, perceptron } from "../support/networks.js"
import { tauSecrets, uncontributedPtau } from "../support/ptau.js"
import { stopSnarkjs } from "../support/snarkjs.js"

afterAll(stopSnarkjs)

const context = `0x${"2c".repeat(32)}`
/** Sections of points of a key, by number: all but header, coefficients, records and marks. */
function pointSections({ proofSystem }: Circuit, key: Uint8Array): Map<number, Uint8Array> {
  const [magic, others] =
    proofSystem === "mirage" ? ["csmk", [1, 1000, 1001]] : ["zkey", [1, 4, 10, 1000, 1001]]
  const sections = readBinFile(key, magic as string, 1)
  for (const id of others) sections.delete(id as number)
  return sections
}

/** The key that the secrets of the powers make, with every δ one, as if for development. */
async function knownKey(circuit: Circuit, whole: boolean): Promise<Uint8Array> {
  const { keys } = systemOf(circuit)
  invariant(keys.kind === "contributed", "the system has ceremonies")
  const { domain, secrets, queries } = keys.queries(circuit)
  const { tau, alpha, beta } = tauSecrets
  const random = randomOf([tau, alpha, beta, 1n, 1n])
  const points = await evaluateByTrapdoor({ random, threads: 2 })(
    circuit.linked.r1cs,
    domain,
    secrets,
    queries,
  )
  if (whole) return keys.write(circuit, points, "dev")
  const engine = await openEngine({ threads: 2 })
  try {
    const { h, c } = queries
    const parts: Record<string, Query> = circuit.proofSystem === "mirage" ? { h, c } : { h }
    const lagrange = await knownPoints(engine, domain, ["odd", "products"], false)
    const none = await openPtau(await uncontributedPtau(1))
    const changed = await evaluateByPowers(engine, none, lagrange)(
      circuit.linked.r1cs,
      domain,
      secrets,
      parts,
    )
    return await keys.write(circuit, { ...points, ...changed }, "dev")
  } finally {
    await engine.close()
  }
}

describe.each(["mirage", "groth16"] as const)("%s", (proofSystem) => {
  let network: Network
  let circuit: Circuit
  beforeAll(async () => {
    // one whose domain is a power of two, so that powers of its size lack the last one
    network = await perceptron([14, 2], 6)
    circuit = await compile(network.graph, { proofSystem })
  })

  /** The least power for the circuit, and one more. */
  describe.each([0, 1])("from powers of its size, and %i more", (more) => {
    let key: Uint8Array
    beforeAll(async () => {
      const power = Math.log2(circuit.domain)
      expect(Number.isInteger(power)).toBe(true)
      const ptau = await openPtau(await uncontributedPtau(power + more))
      key = (await setup(circuit, { ptau, threads: 2 })).provingKey
    })

    it("every section is the one that the secrets make", async () => {
      const expected = pointSections(circuit, await knownKey(circuit, more > 0))
      const given = pointSections(circuit, key)
      expect([...given.keys()].sort()).toEqual([...expected.keys()].sort())
      for (const [id, content] of expected)
        expect(Buffer.compare(given.get(id) as Uint8Array, content), `section ${id}`).toBe(0)
    })

    it("is of no use until somebody contributes; then receipts verify", async () => {
      await expect(openProver(circuit, key)).rejects.toThrow(FileError)
      const sink = memorySink()
      const verificationKey = (await contribute(key, { sink, name: "Alice" }))
        .verificationKey as VerificationKey
      await using prover = await openProver(circuit, sink.bytes(), { verificationKey })
      const receipt = await prover.prove(network.input, { context, clampInputs: true })
      expect(explain(receipt, { verificationKey, model: circuit.model, context })).toBe(null)
    })
  })

  it("too few powers are refused by the power that is needed", async () => {
    const power = Math.log2(circuit.domain)
    const ptau = await openPtau(await uncontributedPtau(power - 1))
    await expect(setup(circuit, { ptau })).rejects.toThrow(`power ${power} or more; given power ${power - 1}`)
  })
})

it.each([
  [[4, 2], 34],
  [[5, 2], 36],
  [[2, 2, 2], 48],
])(
  "a perceptron of %j, over a domain of %i: every section is the one that the secrets make",
  async (sizes, domain) => {
    const circuit = await compile((await perceptron(sizes, 6)).graph)
    expect(circuit.domain).toBe(domain)
    const ptau = await openPtau(await uncontributedPtau(6))
    const given = pointSections(circuit, (await setup(circuit, { ptau })).provingKey)
    for (const [id, content] of pointSections(circuit, await knownKey(circuit, true)))
      expect(Buffer.compare(given.get(id) as Uint8Array, content), `section ${id}`).toBe(0)
  },
)

it("kept Lagrange points that somebody changed, checksum and all, make no key", async () => {
  const circuit = await compile((await perceptron([2, 2], 6)).graph)
  const powers = await openPtau(await uncontributedPtau(Math.ceil(Math.log2(circuit.domain))))
  let kept = new Uint8Array()
  const lagrange: LagrangeStore = {
    open: async () =>
      kept.length === 0
        ? undefined
        : {
            size: kept.length,
            read: async (from, length) => kept.subarray(from, from + length),
            close: async () => undefined,
          },
    async write(_, parts) {
      const all: Uint8Array[] = []
      for await (const part of parts) all.push(part)
      kept = new Uint8Array(Buffer.concat(all))
    },
  }
  const ptau = { ...powers, lagrange }
  const { provingKey } = await setup(circuit, { ptau })
  expect(Buffer.compare((await setup(circuit, { ptau })).provingKey, provingKey)).toBe(0)
  // the second of the points in G1 takes the place of the first
  const first = 12 + 12 + 68 + 12
  kept.copyWithin(first, first + 64, first + 128)
  kept.set(blake2b(kept.subarray(0, -64), { dkLen: 64 }), kept.length - 64)
  const refused = setup(circuit, { ptau })
  await expect(refused).rejects.toThrow(FileError)
  await expect(refused).rejects.toThrow(
    /does not become what the powers of tau make of the circuit.*lagrange/,
  )
})

describe("snarkjs", () => {
  it("makes the same key of the same powers and rows, and takes ours", async () => {
    const mem = (data?: Uint8Array) => ({ type: "mem", data }) as { type: "mem"; data: Uint8Array }
    const [start, contributed, prepared, theirs] = [mem(), mem(), mem(), mem()]
    const circuit = await compile((await perceptron([2, 2], 6)).graph, { proofSystem: "groth16" })
    await powersOfTau.newAccumulator(
      await curves.getCurveFromName("bn128"),
      Math.log2(circuit.domain) + 1,
      start,
    )
    await powersOfTau.contribute(start, contributed, "test", "entropy of a test")
    await powersOfTau.preparePhase2(contributed, prepared)
    await zKey.newZKey(mem(writeR1cs(circuit.linked.r1cs)), prepared, theirs)
    const { provingKey } = await setup(circuit, { ptau: await openPtau(contributed.data) })
    const ours = readBinFile(provingKey, "zkey", 1)
    const other = readBinFile(theirs.data, "zkey", 1)
    for (const id of [1, 2, 3, 5, 6, 7, 8, 9, 10]) {
      const [own, given] = [ours, other].map((sections) => sections.get(id) as Uint8Array)
      expect(Buffer.compare(own, given), `section ${id}`).toBe(0)
    }
    const sink = memorySink()
    await contribute(provingKey, { sink, name: "Alice" })
    expect(await zKey.verifyFromInit(theirs, prepared, mem(sink.bytes()))).toBe(true)
  })
})

it("how keys are made has to be said, once", async () => {
  const circuit = await compile((await perceptron([2, 2], 6)).graph)
  const ptau = await openPtau(await uncontributedPtau(1))
  for (const options of [{}, { dev: false }, { dev: true, ptau }, { ptau: undefined }, { ptau: {} }]) {
    await expect(setup(circuit, options as never)).rejects.toThrow(UsageError)
  }
})
