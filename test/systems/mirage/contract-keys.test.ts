import { getBytes, getCreate2Address, hexlify, keccak256, toBeHex, zeroPadValue } from "ethers"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { q, r } from "#src/field.js"
import { encodeKey, keyDigest, solidityKey } from "#src/verifier/index.js"
import { compileContract, compileSolidity } from "../../../contracts/compile.js"
import { deploy } from "../../../examples/chain.js"
import { register, revertOf, startVerifier, type VerifierChain } from "../../support/chain.js"
import { hash32, outsideSubgroup, pointG1, pointG2 } from "../../support/groth16-oracle.js"
import { layoutOf, mirageOracle } from "../../support/mirage-oracle.js"

const { key, trapdoor } = mirageOracle(layoutOf("public"))
const dev = mirageOracle(layoutOf("public"), { setup: "dev" }).key

let chain: VerifierChain
beforeAll(async () => {
  chain = await startVerifier("mirage")
})
afterAll(() => chain?.close())

/** The blob with 32-byte words replaced. */
function blobWith(words: Record<number, bigint | string>): string {
  const bytes = encodeKey(key).slice()
  for (const [i, word] of Object.entries(words))
    bytes.set(getBytes(typeof word === "string" ? word : zeroPadValue(toBeHex(word), 32)), 32 * Number(i))
  return hexlify(bytes)
}

const g2Words = (start: number, [x, y]: ReturnType<typeof pointG2>) => ({
  [start]: BigInt(x[1]),
  [start + 1]: BigInt(x[0]),
  [start + 2]: BigInt(y[1]),
  [start + 3]: BigInt(y[0]),
})
const zeros = (start: number, n: number) =>
  Object.fromEntries(Array.from({ length: n }, (_, i) => [start + i, 0n]))
const g1Words = (start: number, [x, y]: ReturnType<typeof pointG1>) => ({
  [start]: BigInt(x),
  [start + 1]: BigInt(y),
})

describe("registration", () => {
  test("names the key by its digest, tells of it once, and answers about it", async () => {
    const { contract } = chain
    expect(await contract.isRegistered(keyDigest(key))).toBe(false)
    for (const view of [contract.isDev, contract.modelOf, contract.wordsOf])
      expect(await revertOf(view(keyDigest(key)))).toBe(`UnknownKey(${keyDigest(key)})`)
    expect(await contract.registerKey.staticCall(solidityKey(key))).toBe(keyDigest(key))
    const first = await (await contract.registerKey(solidityKey(key))).wait()
    expect(first.logs).toHaveLength(1)
    const event = contract.interface.parseLog(first.logs[0])
    expect(event?.name).toBe("KeyRegistered")
    expect([...(event?.args ?? [])]).toEqual([keyDigest(key), key.model, false, 3n])
    expect(await contract.isRegistered(keyDigest(key))).toBe(true)
    expect(await contract.isDev(keyDigest(key))).toBe(false)
    expect(await contract.modelOf(keyDigest(key))).toBe(key.model)
    expect(await contract.wordsOf(keyDigest(key))).toEqual([3n, 2n])

    const again = await (await contract.registerKey(solidityKey(key))).wait()
    expect(again.logs).toHaveLength(0)
    expect(again.gasUsed < first.gasUsed / 4n).toBe(true)
    expect(await contract.registerKey.staticCall(solidityKey(key))).toBe(keyDigest(key))
  })

  test("of a development key must be explicit, before and after it is known", async () => {
    const { contract } = chain
    const refusal = `DevKey(${keyDigest(dev)})`
    expect(await revertOf(contract.registerKey.staticCall(solidityKey(dev)))).toBe(refusal)
    await register(contract, dev, true)
    expect(await contract.isDev(keyDigest(dev))).toBe(true)
    expect(await revertOf(contract.registerKey.staticCall(solidityKey(dev)))).toBe(refusal)
    expect(await contract.registerDevKey.staticCall(solidityKey(dev))).toBe(keyDigest(dev))
  })

  test("puts the blob where the digest says, behind a STOP, so that nobody can call it", async () => {
    const { contract, provider, signer } = chain
    const fresh = mirageOracle(layoutOf("public"), { seed: "stop" }).key
    await register(contract, fresh)
    const creation = compileContract("CountersignVerifier", "KeyData").bytecode
    const address = getCreate2Address(`${contract.target}`, keyDigest(fresh), keccak256(creation))
    expect(await provider.getCode(address)).toBe(`0x00${solidityKey(fresh).slice(2)}`)
    expect(await signer.call({ to: address, data: "0x1234" })).toBe("0x")
  })

  test("of two keys in one transaction keeps them apart", async () => {
    const [one, two] = ["one", "two"].map((seed) => mirageOracle(layoutOf("public"), { seed }).key)
    const { contract, signer } = chain
    const source = `// SPDX-License-Identifier: MIT
      pragma solidity ^0.8.24;
      interface Registry { function registerKey(bytes calldata blob) external returns (bytes32); }
      contract Twice {
        function both(Registry registry, bytes calldata one, bytes calldata two) external {
          registry.registerKey(one);
          registry.registerKey(two);
        }
      }`
    const twice = await deploy(compileSolidity({ "Twice.sol": source }, "Twice"), signer)
    await (await twice.both(contract.target, solidityKey(one), solidityKey(two))).wait()
    expect(await contract.modelOf(keyDigest(one))).toBe(one.model)
    expect(await contract.modelOf(keyDigest(two))).toBe(two.model)
  })
})

describe("a malformed key is refused", () => {
  const ic = (i: number) => 20 + 2 * i
  const blob = solidityKey(key)
  const { beta, delta, deltaC } = trapdoor
  test.each<[string, string, string]>([
    ["empty", "0x", "WrongLength(832, 0)"],
    ["one word short", blob.slice(0, -64), "WrongLength(832, 800)"],
    ["one byte short", blob.slice(0, -2), "WrongLength(832, 831)"],
    ["one byte long", `${blob}00`, "WrongLength(832, 833)"],
    ["one word long", `${blob}${"00".repeat(32)}`, "WrongLength(832, 864)"],
    ["another magic word", blobWith({ 0: hash32("magic") }), "UnknownFormat()"],
    ["another version", blob.replace("2e31".padEnd(20, "0"), "2e32".padEnd(20, "0")), "UnknownFormat()"],
    ["no ceremony where the flag says so", blobWith({ 1: 2n }), "WrongLength(992, 832)"],
    ["an unknown flag", blobWith({ 1: 3n }), "UnknownFlags(3)"],
    ["the highest flag", blobWith({ 1: 1n << 255n }), `UnknownFlags(${1n << 255n})`],
    ["no word", blobWith({ 2: 0n, 3: 0n }), "WrongWordCounts(0, 0)"],
    ["no output", blobWith({ 3: 0n }), "WrongWordCounts(3, 0)"],
    ["more outputs than words", blobWith({ 3: 4n }), "WrongWordCounts(3, 4)"],
    [
      "more words than any statement has",
      blobWith({ 2: 2n ** 22n + 1n }),
      `WrongWordCounts(${2n ** 22n + 1n}, 2)`,
    ],
    ["a number of words that overflows", blobWith({ 2: 1n << 251n }), `WrongWordCounts(${1n << 251n}, 2)`],
    ["alpha at infinity", blobWith(zeros(6, 2)), "InvalidPoint(6)"],
    ["alpha off the curve", blobWith({ 6: 1n, 7: 3n }), "InvalidPoint(6)"],
    ["alpha.x + q", blobWith({ 6: BigInt(key.points.alpha1[0]) + q }), "InvalidPoint(6)"],
    ["alpha.y + q", blobWith({ 7: BigInt(key.points.alpha1[1]) + q }), "InvalidPoint(6)"],
    ["an ic at infinity", blobWith(zeros(ic(1), 2)), "InvalidPoint(22)"],
    ["the first ic off the curve", blobWith({ [ic(0)]: 5n }), "InvalidPoint(20)"],
    ["the last ic off the curve", blobWith({ [ic(2) + 1]: 5n }), "InvalidPoint(24)"],
    ["beta at infinity", blobWith(zeros(8, 4)), "InvalidPoint(8)"],
    ["delta at infinity", blobWith(zeros(12, 4)), "InvalidPoint(12)"],
    ["deltaC at infinity", blobWith(zeros(16, 4)), "InvalidPoint(16)"],
    ["beta outside the subgroup", blobWith(g2Words(8, outsideSubgroup())), "InvalidPoint(8)"],
    ["delta outside the subgroup", blobWith(g2Words(12, outsideSubgroup())), "InvalidPoint(12)"],
    ["deltaC outside the subgroup", blobWith(g2Words(16, outsideSubgroup())), "InvalidPoint(16)"],
    ["deltaC off the twist", blobWith({ 16: 1n }), "InvalidPoint(16)"],
    ["delta.x + q", blobWith({ 13: BigInt(key.points.delta2[0][0]) + q }), "InvalidPoint(12)"],
    ["delta not contributed: the generator", blobWith(g2Words(12, pointG2(1n))), "Uncontributed()"],
    ["delta the opposite of the generator", blobWith(g2Words(12, pointG2(-1n))), "Uncontributed()"],
    ["deltaC not contributed: the generator", blobWith(g2Words(16, pointG2(1n))), "Uncontributed()"],
    ["deltaC the opposite of the generator", blobWith(g2Words(16, pointG2(-1n))), "Uncontributed()"],
    ["deltaC equal to delta", blobWith(g2Words(16, pointG2(delta))), "Uncontributed()"],
    ["deltaC the opposite of delta", blobWith(g2Words(16, pointG2(-delta))), "Uncontributed()"],
    ["delta equal to deltaC", blobWith(g2Words(12, pointG2(deltaC))), "Uncontributed()"],
    ["delta equal to beta", blobWith(g2Words(12, pointG2(beta))), "Uncontributed()"],
    ["deltaC the opposite of beta", blobWith(g2Words(16, pointG2(-beta))), "Uncontributed()"],
    ["beta the generator", blobWith(g2Words(8, pointG2(1n))), "Uncontributed()"],
    ["alpha the generator", blobWith(g1Words(6, pointG1(1n))), "Uncontributed()"],
    ["alpha the opposite of the generator", blobWith(g1Words(6, pointG1(-1n))), "Uncontributed()"],
  ])("%s", async (_, wrong, error) => {
    expect(await revertOf(chain.contract.registerKey.staticCall(wrong))).toBe(error)
    expect(await revertOf(chain.contract.registerDevKey.staticCall(wrong))).toBe(error)
    expect(await chain.contract.isRegistered(keccak256(wrong))).toBe(false)
  })

  test("and a well-formed one with the same edits undone is not", async () => {
    const words = { ...g1Words(6, pointG1(9n)), ...g2Words(12, pointG2(r - 5n)), 2: 2n ** 22n }
    const changed = blobWith(words)
    expect(await chain.contract.registerKey.staticCall(changed)).toBe(keccak256(changed))
  })
})

test("the pending key is nothing outside a registration", async () => {
  expect(await chain.contract.pendingKey()).toBe(`0x${"00".repeat(832)}`)
})
