/** Keys by how they were made: what both contracts take, what they say of it, and that they agree with TypeScript. */
import { getBytes, hexlify, keccak256 } from "ethers"
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { forgeable } from "#src/statement/provenance.js"
import {
  type CeremonyFacts,
  encodeKey,
  keyDigest,
  type Provenance,
  type Receipt,
  registrationCall,
  solidityKey,
  type VerificationKey,
  verify,
} from "#src/verifier/index.js"
import {
  inferenceArguments,
  register,
  revertOf,
  startVerifier,
  type VerifierChain,
} from "../support/chain.js"
import { oracle, smallLayout, smallStatement } from "../support/groth16-oracle.js"
import { layoutOf, mirageOracle, statementOf } from "../support/mirage-oracle.js"
import { ceremonies, ceremony, uncontributed } from "../support/provenances.js"

interface Made {
  readonly key: VerificationKey
  readonly receipt: Receipt
}
/** A key and a valid receipt of it. */
const made = {
  mirage(setup: Provenance, seed = "key"): Made {
    const { key, receipt } = mirageOracle(layoutOf("public"), { setup, seed })
    return { key, receipt: receipt(statementOf(key)) }
  },
  groth16(setup: Provenance, seed = "key"): Made {
    const { key, receipt } = oracle(smallLayout, { setup, seed })
    return { key, receipt: receipt(smallStatement(key.model)) }
  },
}

describe.each(["mirage", "groth16"] as const)("%s", (system) => {
  let chain: VerifierChain
  beforeAll(async () => {
    chain = await startVerifier(system)
  })
  afterAll(() => chain?.close())
  const keyOf = made[system]
  /** Bytes of a blob without a ceremony. */
  const plain = encodeKey(keyOf("external").key).length

  test("a ceremony's key is registered as any other, verifies, and says how it was made", async () => {
    const { key, receipt } = keyOf(ceremony)
    const { contract } = chain
    const digest = keyDigest(key)
    expect(await revertOf(contract.provenanceOf(digest))).toBe(`UnknownKey(${digest})`)
    const { logs } = await (await contract.registerKey(solidityKey(key))).wait()
    expect(contract.interface.parseLog(logs[0])?.args[2]).toBe(false)
    expect(await contract.isDev(digest)).toBe(false)
    const call = inferenceArguments(receipt, key)
    expect(await contract.verifyInference(...call)).toBe(true)
    expect(await contract.verifyDevInference(...call)).toBe(true)
    const said = await contract.provenanceOf(digest)
    const { ptau, transcript } = ceremony
    const beacon = keccak256(`0x${"c2".repeat(8)}${"a".padStart(64, "0")}`)
    expect(said.toArray(true)).toEqual([
      2n,
      [ptau.slice(0, 66), `0x${ptau.slice(66)}`],
      3n,
      beacon,
      transcript,
    ])
  })

  test("other keys say that there was none", async () => {
    const none = `0x${"00".repeat(32)}`
    for (const [setup, flags] of [
      ["external", 0n],
      ["dev", 1n],
    ] as const) {
      const { key } = keyOf(setup, "other")
      await register(chain.contract, key, setup === "dev")
      const said = await chain.contract.provenanceOf(keyDigest(key))
      expect(said.toArray(true)).toEqual([flags, [none, none], 0n, none, none])
    }
  })

  test("a key that nobody contributed to is for the entries of development keys alone", async () => {
    const { key, receipt } = keyOf(uncontributed)
    const { contract } = chain
    const refusal = `UncontributedKey(${keyDigest(key)})`
    expect(await revertOf(contract.registerKey.staticCall(solidityKey(key)))).toBe(refusal)
    await register(contract, key, true)
    expect(await revertOf(contract.registerKey.staticCall(solidityKey(key)))).toBe(refusal)
    expect(await contract.registerDevKey.staticCall(solidityKey(key))).toBe(keyDigest(key))
    const call = inferenceArguments(receipt, key)
    expect(await revertOf(contract.verifyInference(...call))).toBe(refusal)
    if (system === "groth16")
      expect(await revertOf(contract.verifyProof(keyDigest(key), [], call.at(-1)))).toBe(refusal)
    expect(await contract.verifyDevInference(...call)).toBe(true)
    expect((await contract.provenanceOf(keyDigest(key))).contributors).toBe(0n)
  })

  test("a development key still is, whatever stands behind its points", async () => {
    const { key } = keyOf("dev")
    const { contract } = chain
    const refusal = `DevKey(${keyDigest(key)})`
    expect(await revertOf(contract.registerKey.staticCall(solidityKey(key)))).toBe(refusal)
    const dressed = `${solidityKey(key)}${solidityKey(keyOf(ceremony).key).slice(-320)}`
    for (const entry of [contract.registerKey, contract.registerDevKey])
      expect(await revertOf(entry.staticCall(dressed))).toBe(`WrongLength(${plain}, ${plain + 160})`)
  })

  test("whatever the ceremony, contract and TypeScript take the same keys", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(ceremonies, fc.constantFrom("dev" as const, "external" as const)),
        async (setup) => {
          const { key, receipt } = keyOf(setup)
          const given = solidityKey(key)
          const { contract } = chain
          const { model, context } = receipt.statement
          const accepted = verify(receipt, { verificationKey: key, model, context })
          expect(accepted).toBe(forgeable(setup) === null)
          const registered = await contract.registerKey.staticCall(given).catch(() => null)
          expect(registered).toBe(accepted ? keyDigest(key) : null)
          expect(await contract.registerDevKey.staticCall(given)).toBe(keyDigest(key))
          const { function: name } = registrationCall(key, { allowDev: true })
          expect(name).toBe(accepted ? "registerKey(bytes)" : "registerDevKey(bytes)")
        },
      ),
      { numRuns: 25 },
    )
  })

  test("a blob has the length that its flags say, and flags that are known, or is refused", async () => {
    const whole = encodeKey(keyOf(ceremony).key)
    const flags = fc.oneof(
      { arbitrary: fc.bigInt(0n, 7n), weight: 4 },
      fc.nat(255).map((bit) => 1n << BigInt(bit)),
    )
    const lengths = fc.oneof(
      { arbitrary: fc.constantFrom(plain, plain + 160), weight: 4 },
      fc.integer({ min: -3, max: 8 }).map((words) => plain + 32 * words),
      fc.integer({ min: 0, max: plain + 200 }),
    )
    let taken = 0
    await fc.assert(
      fc.asyncProperty(flags, lengths, async (flag, length) => {
        const blob = new Uint8Array(length)
        blob.set(whole.subarray(0, length))
        const word = getBytes(`0x${flag.toString(16).padStart(64, "0")}`)
        blob.set(word.subarray(0, Math.max(0, Math.min(32, length - 32))), Math.min(32, length))
        const fits = flag <= 2n && length === (flag === 2n ? plain + 160 : plain)
        const registered = await chain.contract.registerDevKey.staticCall(hexlify(blob)).catch(() => null)
        expect(registered).toBe(fits ? keccak256(blob) : null)
        if (fits) taken++
      }),
      { numRuns: 300 },
    )
    expect(taken).toBeGreaterThan(5)
  })

  test("the five words are of no effect on what is proven: a proof is of the key that it was made for", async () => {
    const [one, two] = [keyOf(ceremony), keyOf({ ...ceremony, transcript: `0x${"00".repeat(32)}` })]
    await register(chain.contract, two.key)
    const call = inferenceArguments(one.receipt, two.key)
    // groth16 has no challenge: its proof is of the points
    expect(await chain.contract.verifyInference(...call)).toBe(system === "groth16")
    expect(await chain.contract.verifyInference(...inferenceArguments(two.receipt, two.key))).toBe(true)
  })
})

test("keys of different forms in one transaction are kept apart", async () => {
  const { compileSolidity } = await import("../../contracts/compile.js")
  const { deploy } = await import("../../examples/chain.js")
  const chain = await startVerifier("mirage")
  try {
    const keys = (["external", ceremony, "external", uncontributed, ceremony] as const).map(
      (setup, i) => made.mirage(setup, `one transaction ${i}`).key,
    )
    const source = `// SPDX-License-Identifier: MIT
      pragma solidity ^0.8.24;
      interface Registry { function registerDevKey(bytes calldata blob) external returns (bytes32); }
      contract Many {
        function all(Registry registry, bytes[] calldata blobs) external {
          for (uint256 i = 0; i < blobs.length; i++) registry.registerDevKey(blobs[i]);
        }
      }`
    const many = await deploy(compileSolidity({ "Many.sol": source }, "Many"), chain.signer)
    await (await many.all(chain.contract.target, keys.map(solidityKey))).wait()
    for (const key of keys) {
      const said = await chain.contract.provenanceOf(keyDigest(key))
      const facts = typeof key.setup === "string" ? null : (key.setup as CeremonyFacts)
      expect([said.setup, said.contributors]).toEqual(
        facts ? [2n, BigInt(facts.contributors.length)] : [0n, 0n],
      )
      expect(await chain.contract.modelOf(keyDigest(key))).toBe(key.model)
    }
  } finally {
    await chain.close()
  }
})
