import { getBytes, getCreateAddress, hexlify, keccak256, toBeHex, zeroPadValue } from "ethers"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { q, r } from "#src/field.js"
import { encodeKey, keyDigest, type Layout, solidityKey } from "#src/verifier/index.js"
import {
  inferenceArguments,
  register,
  revertOf,
  startVerifier,
  type VerifierChain,
} from "../../support/chain.js"
import {
  hash32,
  oracle,
  outsideSubgroup,
  pointG1,
  pointG2,
  smallLayout,
  values,
  wide,
} from "../../support/groth16-oracle.js"

const { key } = oracle(smallLayout)
const dev = oracle(smallLayout, { setup: "dev" }).key

let chain: VerifierChain
beforeAll(async () => {
  chain = await startVerifier("groth16")
})
afterAll(() => chain?.close())

/** The blob with 32-byte words replaced. */
function blobWith(words: Record<number, bigint | string>, of = key): string {
  const bytes = encodeKey(of).slice()
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

describe("registration", () => {
  test("names the key by its digest, tells of it once, and answers about it", async () => {
    const { contract } = chain
    expect(await contract.isRegistered(keyDigest(key))).toBe(false)
    expect(await contract.registerKey.staticCall(solidityKey(key))).toBe(keyDigest(key))
    const first = await (await contract.registerKey(solidityKey(key))).wait()
    expect(first.logs).toHaveLength(1)
    const event = contract.interface.parseLog(first.logs[0])
    expect(event?.name).toBe("KeyRegistered")
    expect([...(event?.args ?? [])]).toEqual([keyDigest(key), key.model, false, 6n])
    expect(await contract.isRegistered(keyDigest(key))).toBe(true)
    expect(await contract.isDev(keyDigest(key))).toBe(false)
    expect(await contract.modelOf(keyDigest(key))).toBe(key.model)

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
  })

  test("splits a key that is longer than a contract may be", async () => {
    const layout: Layout = {
      inputs: [{ name: "x", shape: [760], scale: 1, ...wide, visibility: "public" }],
      outputs: [{ name: "y", shape: [2], scale: 1, ...wide, visibility: "public" }],
    }
    const large = oracle(layout, { seed: "large" })
    expect(encodeKey(large.key).length).toBeGreaterThan(2 * 24_575)
    await register(chain.contract, large.key)
    // Values around the places where the key is cut, and at both ends.
    const x = Array.from({ length: 760 }, (_, i) =>
      [0, 369, 370, 371, 372, 754, 759].includes(i) ? i - 400 : 0,
    )
    const honest = large.receipt({
      model: large.key.model,
      context: hash32("context"),
      input: { visibility: "public", values: values({ x }) },
      output: { visibility: "public", values: values({ y: [3, -4] }) },
    })
    const call = inferenceArguments(honest, large.key)
    expect(await chain.contract.verifyInference(...call)).toBe(true)
    for (const i of [0, 370, 371, 759])
      expect(await chain.contract.verifyInference(...call.with(4, x.with(i, 1)))).toBe(false)
  })
})

describe("a malformed key is refused", () => {
  const ic = (i: number) => 20 + 2 * i
  const longer = `${solidityKey(key)}${"00".repeat(32)}`
  test.each<[string, string, string]>([
    ["empty", "0x", "WrongLength(640, 0)"],
    ["a header alone", solidityKey(key).slice(0, 2 + 64 * 19), "WrongLength(640, 608)"],
    ["one word short", solidityKey(key).slice(0, -64), "WrongLength(1088, 1056)"],
    ["one byte short", solidityKey(key).slice(0, -2), "WrongLength(1088, 1087)"],
    ["one byte long", `${solidityKey(key)}00`, "WrongLength(1088, 1089)"],
    ["one word long", longer, "WrongLength(1088, 1120)"],
    ["another magic word", blobWith({ 0: hash32("magic") }), "UnknownFormat()"],
    [
      "another version",
      solidityKey(key).replace("31".padEnd(16, "0"), "32".padEnd(16, "0")),
      "UnknownFormat()",
    ],
    ["no ceremony where the flag says so", blobWith({ 1: 2n }), "WrongLength(1248, 1088)"],
    ["an unknown flag", blobWith({ 1: 3n }), "UnknownFlags(3)"],
    ["the highest flag", blobWith({ 1: 1n << 255n }), `UnknownFlags(${1n << 255n})`],
    ["no output", blobWith({ 3: 0n }), "WrongSignalCounts(6, 0)"],
    ["no context", blobWith({ 3: 6n }), "WrongSignalCounts(6, 6)"],
    ["more signals than points", blobWith({ 2: 7n }), "WrongLength(1152, 1088)"],
    ["a length that overflows", blobWith({ 2: 1n << 250n }), `WrongSignalCounts(${1n << 250n}, 3)`],
    ["alpha at infinity", blobWith(zeros(6, 2)), "InvalidPoint(6)"],
    ["alpha off the curve", blobWith({ 6: 1n, 7: 3n }), "InvalidPoint(6)"],
    ["alpha.x + q", blobWith({ 6: BigInt(key.points.alpha1[0]) + q }), "InvalidPoint(6)"],
    ["alpha.y + q", blobWith({ 7: BigInt(key.points.alpha1[1]) + q }), "InvalidPoint(6)"],
    ["an ic at infinity", blobWith(zeros(ic(4), 2)), "InvalidPoint(28)"],
    ["the first ic off the curve", blobWith({ [ic(0)]: 5n }), "InvalidPoint(20)"],
    ["the last ic off the curve", blobWith({ [ic(6) + 1]: 5n }), "InvalidPoint(32)"],
    ["beta at infinity", blobWith(zeros(8, 4)), "InvalidPoint(8)"],
    ["gamma at infinity", blobWith(zeros(12, 4)), "InvalidPoint(12)"],
    ["delta at infinity", blobWith(zeros(16, 4)), "InvalidPoint(16)"],
    ["beta outside the subgroup", blobWith(g2Words(8, outsideSubgroup())), "InvalidPoint(8)"],
    ["gamma outside the subgroup", blobWith(g2Words(12, outsideSubgroup())), "InvalidPoint(12)"],
    ["delta outside the subgroup", blobWith(g2Words(16, outsideSubgroup())), "InvalidPoint(16)"],
    ["delta off the twist", blobWith({ 16: 1n }), "InvalidPoint(16)"],
    ["delta.x + q", blobWith({ 17: BigInt(key.points.delta2[0][0]) + q }), "InvalidPoint(16)"],
    [
      "delta equal to gamma",
      blobWith({ ...g2Words(12, pointG2(5n)), ...g2Words(16, pointG2(5n)) }),
      "Uncontributed()",
    ],
    [
      "delta the generator",
      blobWith({ ...g2Words(12, pointG2(5n)), ...g2Words(16, pointG2(1n)) }),
      "Uncontributed()",
    ],
    ["delta the opposite of gamma", blobWith(g2Words(16, pointG2(-1n))), "Uncontributed()"],
    ["beta the generator", blobWith(g2Words(8, pointG2(1n))), "Uncontributed()"],
    ["alpha the generator", blobWith({ 6: 1n, 7: 2n }), "Uncontributed()"],
  ])("%s", async (_, blob, error) => {
    expect(await revertOf(chain.contract.registerKey.staticCall(blob))).toBe(error)
    expect(await revertOf(chain.contract.registerDevKey.staticCall(blob))).toBe(error)
    expect(await chain.contract.isRegistered(keccak256(blob))).toBe(false)
  })

  test("and a well-formed one with the same edits undone is not", async () => {
    const words = { 6: BigInt(pointG1(9n)[0]), 7: BigInt(pointG1(9n)[1]), ...g2Words(16, pointG2(r - 5n)) }
    const blob = blobWith(words)
    expect(await chain.contract.registerKey.staticCall(blob)).toBe(keccak256(blob))
  })
})

test("the code of a key's contract begins with STOP, so that nobody can call it", async () => {
  const { contract, provider, signer } = chain
  const fresh = oracle(smallLayout, { seed: "stop" }).key
  await register(contract, fresh)
  const nonce = await provider.getTransactionCount(contract.target)
  const address = getCreateAddress({ from: `${contract.target}`, nonce: nonce - 1 })
  expect(await provider.getCode(address)).toBe(`0x00${solidityKey(fresh).slice(2)}`)
  expect(await signer.call({ to: address, data: "0x1234" })).toBe("0x")
})
