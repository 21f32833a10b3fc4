/** Ceremonies of a small circuit in both systems: three people and a beacon, and what may go wrong on the way. */
import { beforeAll, describe, expect, it } from "vitest"
import {
  applyBeacon,
  type BeaconOptions,
  type Contributed,
  type ContributeOptions,
  contribute,
} from "#src/ceremony/index.js"
import { checkTranscript, readCeremonyKey } from "#src/ceremony/key.js"
import { compile } from "#src/compile/compile.js"
import { openProver } from "#src/prover/open.js"
import type { Circuit } from "#src/systems/index.js"
import { verify } from "#src/verifier/index.js"
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
    const { verificationKey, number, transcript } = results[3]
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
    const before = { verificationKey: results[2].verificationKey, model: circuit.model, context }
    expect(verify(receipt, before)).toBe(false)
  })
})
