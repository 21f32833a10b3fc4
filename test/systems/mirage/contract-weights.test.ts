/** Keys of private weights, in TypeScript and at the contract: what they say, what is refused, and what they verify. */
import { getBytes, hexlify, keccak256, toBeHex, zeroPadValue } from "ethers"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { mod, q, r } from "#src/field.js"
import { privateModel } from "#src/statement/model.js"
import {
  challenge,
  encodeKey,
  explain,
  keyDigest,
  type MirageKey,
  type MirageProof,
  type MirageReceipt,
  parseVerificationKey,
  solidityKey,
  verify,
  wordsOf,
} from "#src/verifier/index.js"
import { proofAttacks, statementAttacks } from "../../support/attacks.js"
import {
  inferenceArguments,
  register,
  revertOf,
  startVerifier,
  type VerifierChain,
} from "../../support/chain.js"
import { edit, hash32, outsideSubgroup, pointG1, pointG2, values } from "../../support/groth16-oracle.js"
import { forgeries } from "../../support/mirage-attacks.js"
import { layoutOf, mirageKeyJson, mirageOracle, pointsOf, statementOf } from "../../support/mirage-oracle.js"
import { ceremony, uncontributed } from "../../support/provenances.js"

const isPrivate = true
const oracle = mirageOracle(layoutOf("public"), { isPrivate })
const { key, trapdoor } = oracle
const valid = oracle.receipt(statementOf(key))
const expected = { verificationKey: key, model: key.model, context: valid.statement.context }

let chain: VerifierChain
beforeAll(async () => {
  chain = await startVerifier("mirage")
  await register(chain.contract, key)
})
afterAll(() => chain?.close())

const onChain = (attempt: MirageReceipt, of = key): Promise<boolean> =>
  chain.contract.verifyInference(...inferenceArguments(attempt, of))
/** What both verifiers say. */
async function verdict(attempt: MirageReceipt, of = key): Promise<boolean> {
  const said = verify(attempt, { verificationKey: of, model: of.model, context: attempt.statement.context })
  expect(await onChain(attempt, of)).toBe(said)
  return said
}

test("names architecture and commitment, and its model is the digest of both", async () => {
  const { architecture, points, model } = key
  expect(model).toBe(privateModel(architecture as `0x${string}`, points.weights as never))
  expect(await chain.contract.modelOf(keyDigest(key))).toBe(model)
  expect(await chain.contract.architectureOf(keyDigest(key))).toBe(architecture)
  expect(encodeKey(key)).toHaveLength(33 * 32)
  const fixed = mirageOracle(layoutOf("public")).key
  await register(chain.contract, fixed)
  expect(await chain.contract.architectureOf(keyDigest(fixed))).toBe(`0x${"00".repeat(32)}`)
})

test("says how it was made, as other keys do", async () => {
  const { contract } = chain
  const dev = mirageOracle(layoutOf("public"), { isPrivate, setup: "dev" })
  expect(await revertOf(contract.registerKey.staticCall(solidityKey(dev.key)))).toBe(
    `DevKey(${keyDigest(dev.key)})`,
  )
  await register(contract, dev.key, true)
  expect(await contract.isDev(keyDigest(dev.key))).toBe(true)
  const devCall = inferenceArguments(dev.receipt(statementOf(dev.key)), dev.key)
  expect(await revertOf(contract.verifyInference(...devCall))).toBe(`DevKey(${keyDigest(dev.key)})`)
  expect(await contract.verifyDevInference(...devCall)).toBe(true)

  const ofCeremony = mirageOracle(layoutOf("public"), { isPrivate, setup: ceremony })
  await register(contract, ofCeremony.key)
  expect(await verdict(ofCeremony.receipt(statementOf(ofCeremony.key)), ofCeremony.key)).toBe(true)
  expect(encodeKey(ofCeremony.key)).toHaveLength(38 * 32)
  const [kind, ptau, contributors, , transcript] = await contract.provenanceOf(keyDigest(ofCeremony.key))
  expect([kind, contributors, transcript]).toEqual([2n, 3n, ceremony.transcript])
  expect(ptau.join("").replaceAll("0x", "")).toBe(ceremony.ptau.slice(2))
  expect((await contract.provenanceOf(keyDigest(key)))[4]).toBe(`0x${"00".repeat(32)}`)

  const nobodys = mirageOracle(layoutOf("public"), { isPrivate, setup: uncontributed })
  const refusal = `UncontributedKey(${keyDigest(nobodys.key)})`
  expect(await revertOf(contract.registerKey.staticCall(solidityKey(nobodys.key)))).toBe(refusal)
  await register(contract, nobodys.key, true)
  const call = inferenceArguments(nobodys.receipt(statementOf(nobodys.key)), nobodys.key)
  expect(await revertOf(contract.verifyInference(...call))).toBe(refusal)
  expect(await contract.verifyDevInference(...call)).toBe(true)
})

describe("receipts", () => {
  test("of every visibility, whatever their randomness, are accepted by both verifiers", async () => {
    for (const input of ["hidden", "public", "committed"] as const) {
      const of = mirageOracle(layoutOf(input), { isPrivate, seed: input })
      await register(chain.contract, of.key)
      for (const seed of ["proof", "other"])
        expect(await verdict(of.receipt(statementOf(of.key), seed), of.key), input).toBe(true)
    }
  })

  test("that were changed are refused by both", async () => {
    const elsewhere = { visibility: "public", values: values({ "20": [1, 2], "3": [1] }) } as const
    const other = oracle.receipt(statementOf(key, { output: elsewhere }), "other")
    expect(await onChain(other)).toBe(true)
    let asked = 0
    for (const { name, receipt } of [...proofAttacks(valid, other.proof), ...statementAttacks(valid)]) {
      expect(verify(receipt, expected), name).toBe(false)
      let call: unknown[]
      try {
        call = inferenceArguments(receipt, key)
      } catch {
        continue // another model's, or of no such words
      }
      expect(await chain.contract.verifyInference(...call), name).toBe(false)
      asked++
    }
    expect(asked).toBeGreaterThan(80)
  })

  test("of weaker transcripts are refused by both", async () => {
    const { context } = valid.statement
    for (const forgery of forgeries(oracle, context, wordsOf(valid.statement, key.layout))) {
      expect(forgery.holds, forgery.name).toBe(true)
      expect(await verdict({ ...valid, proof: forgery.proof }), forgery.name).toBe(false)
    }
  })

  test("too little gas: a valid proof is never called invalid", async () => {
    const call = inferenceArguments(valid, key)
    const said = (gasLimit: number): Promise<string> =>
      chain.contract
        .verifyInference(...call, { gasLimit })
        .then(String, (error) => error.revert?.name ?? "out of gas")
    let [low, high] = [30_000, 400_000]
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((await said(middle)) === "true") high = middle
      else low = middle
    }
    const verdicts = new Set<string>()
    for (let gas = 30_000; gas < high; gas += 5_000) verdicts.add(await said(gas))
    for (let gas = high - 45_000; gas < high + 6_000; gas += 300) verdicts.add(await said(gas))
    for (let gas = high - 20; gas < high + 20; gas++) verdicts.add(await said(gas))
    expect([...verdicts].sort()).toEqual(["NotEnoughGas", "out of gas", "true"])
  })
})

describe("a receipt under another commitment", () => {
  /** The key with D_w + k·δ in place of D_w, which is another model's. */
  const moved = (k: bigint): MirageKey => {
    const weights = pointG1(mod(trapdoor.weights + k * trapdoor.delta))
    const model = privateModel(key.architecture as `0x${string}`, weights)
    return parseVerificationKey({ ...key, model, points: { ...key.points, weights } }) as MirageKey
  }

  test("D_w re-randomised, and C moved back: holds where D_w is not hashed, and is refused by both", async () => {
    const { context } = valid.statement
    const words = wordsOf(valid.statement, key.layout)
    const honest = oracle.scalars(context, words)
    for (const k of [1n, r - 1n, 77n]) {
      const copy = { ...honest, c: mod(honest.c - k * trapdoor.deltaW) }
      const proof: MirageProof = pointsOf(copy)
      const other = moved(k)
      await register(chain.contract, other)
      // what a verifier would look at that takes the challenge without the commitment: that of the first key
      const theirs = mirageOracle(layoutOf("public"), {
        isPrivate,
        trapdoor: { weights: mod(trapdoor.weights + k * trapdoor.delta) },
      })
      expect(theirs.key).toEqual(other)
      const c = challenge(keyDigest(key), context, words, proof.d)
      expect(theirs.holds(copy, words, c)).toBe(true)
      const shown = { ...valid, statement: { ...valid.statement, model: other.model }, proof }
      expect(await verdict(shown, other)).toBe(false)
      expect(await verdict({ ...valid, proof })).toBe(false)
    }
  })

  test("of another model of the architecture is refused by both", async () => {
    const other = moved(5n)
    await register(chain.contract, other)
    const shown = { ...valid, statement: { ...valid.statement, model: other.model } }
    expect(await verdict(shown, other)).toBe(false)
    expect(explain(valid, { ...expected, verificationKey: other, model: other.model })).toMatch(
      /the receipt is for model/,
    )
  })
})

/** The blob with 32-byte words replaced. */
function blobWith(words: Record<number, bigint | string>): string {
  const bytes = encodeKey(key).slice()
  for (const [i, word] of Object.entries(words))
    bytes.set(getBytes(typeof word === "string" ? word : zeroPadValue(toBeHex(word), 32)), 32 * Number(i))
  return hexlify(bytes)
}
const deltaW = (point: ReturnType<typeof pointG2> | readonly (readonly bigint[])[]) => {
  const [x, y] = point
  return { 29: BigInt(x[1]), 30: BigInt(x[0]), 31: BigInt(y[1]), 32: BigInt(y[0]) }
}

describe("a malformed key is refused by the contract", () => {
  const blob = solidityKey(key)
  const { beta, delta, deltaC } = trapdoor
  const [x, y] = (key.points.weights ?? []).map(BigInt)
  const another = pointG1(12345n)
  const wrongModel = (weights: readonly string[], architecture = key.architecture) =>
    `WrongModel(${privateModel(architecture as never, weights as never)}, ${key.model})`
  test.each<[string, string, string]>([
    ["one word short", blob.slice(0, -64), "WrongLength(1056, 1024)"],
    ["one word long", `${blob}${"00".repeat(32)}`, "WrongLength(1056, 1088)"],
    ["the flag taken away", blobWith({ 1: 0n }), "WrongLength(832, 1056)"],
    ["of a ceremony, without its words", blobWith({ 1: 6n }), "WrongLength(1216, 1056)"],
    ["an unknown setup", blobWith({ 1: 7n }), "UnknownFlags(7)"],
    ["an unknown flag", blobWith({ 1: 8n }), "UnknownFlags(8)"],
    ["the commitment at infinity", blobWith({ 27: 0n, 28: 0n }), "InvalidPoint(27)"],
    ["the commitment off the curve", blobWith({ 27: x + 1n }), "InvalidPoint(27)"],
    ["weights.x + q", blobWith({ 27: x + q }), "InvalidPoint(27)"],
    ["weights.y + q", blobWith({ 28: y + q }), "InvalidPoint(27)"],
    ["the commitment negated", blobWith({ 28: q - y }), wrongModel([`${x}`, `${q - y}`])],
    [
      "another model's commitment",
      blobWith({ 27: BigInt(another[0]), 28: BigInt(another[1]) }),
      wrongModel(another),
    ],
    [
      "of another architecture",
      blobWith({ 26: hash32("other") }),
      wrongModel(key.points.weights as never, hash32("other")),
    ],
    ["deltaW at infinity", blobWith({ 29: 0n, 30: 0n, 31: 0n, 32: 0n }), "InvalidPoint(29)"],
    ["deltaW off the twist", blobWith({ 29: 1n }), "InvalidPoint(29)"],
    ["deltaW outside the subgroup", blobWith(deltaW(outsideSubgroup())), "InvalidPoint(29)"],
    ["deltaW not contributed: the generator", blobWith(deltaW(pointG2(1n))), "Uncontributed()"],
    ["deltaW the opposite of the generator", blobWith(deltaW(pointG2(-1n))), "Uncontributed()"],
    ["deltaW equal to delta", blobWith(deltaW(pointG2(delta))), "Uncontributed()"],
    ["deltaW the opposite of delta", blobWith(deltaW(pointG2(-delta))), "Uncontributed()"],
    ["deltaW equal to deltaC", blobWith(deltaW(pointG2(deltaC))), "Uncontributed()"],
    ["deltaW the opposite of deltaC", blobWith(deltaW(pointG2(-deltaC))), "Uncontributed()"],
    ["deltaW equal to beta", blobWith(deltaW(pointG2(beta))), "Uncontributed()"],
  ])("%s", async (_, wrong, error) => {
    expect(await revertOf(chain.contract.registerKey.staticCall(wrong))).toBe(error)
    expect(await revertOf(chain.contract.registerDevKey.staticCall(wrong))).toBe(error)
    expect(await chain.contract.isRegistered(keccak256(wrong))).toBe(false)
  })
})

describe("a malformed key is refused in TypeScript", () => {
  const { beta, delta, deltaC } = trapdoor
  const weights = key.points.weights as readonly [string, string]
  const [x, y] = weights.map(BigInt)
  const at = (path: (string | number)[], to: unknown) => edit(key, path, to)
  const of = (replaced: object) => mirageKeyJson(layoutOf("public"), { isPrivate, trapdoor: replaced }).key
  const { architecture: _, ...unnamed } = key
  const { weights: __, ...without } = key.points
  test.each<[string, unknown, RegExp]>([
    [
      "another model's commitment",
      at(["points", "weights"], pointG1(12345n)),
      /model.*architecture and these weights/,
    ],
    [
      "another blinding",
      at(["points", "weights"], pointG1(mod(trapdoor.weights + delta))),
      /model: is not the digest/,
    ],
    ["another model", at(["model"], hash32("other")), /model: is not the digest/],
    ["another architecture", at(["architecture"], hash32("other")), /model: is not the digest/],
    ["no architecture", unnamed, /unknown field "deltaW2"/],
    ["no commitment", { ...key, points: without }, /`weights` is missing/],
    [
      "a fixed key with an architecture",
      { ...mirageOracle(layoutOf("public")).key, architecture: hash32("a") },
      /missing/,
    ],
    ["zero", at(["points", "weights"], ["0", "0"]), /model: is not the digest|points.weights: not a point/],
    ["off the curve", at(["points", "weights", 0], `${x + 1n}`), /model|points.weights/],
    ["not reduced", at(["points", "weights", 0], `${x + q}`), /points.weights\[0\]/],
    ["negated", at(["points", "weights", 1], `${q - y}`), /model: is not the digest/],
    ["deltaW the generator", of({ deltaW: 1n }), /nobody contributed to phase 2.*|points.deltaW2/],
    ["deltaW minus the generator", of({ deltaW: r - 1n }), /points.deltaW2: nobody contributed/],
    ["deltaW equal to delta", of({ deltaW: delta }), /points.deltaW2: nobody contributed/],
    ["deltaW opposite to delta", of({ deltaW: r - delta }), /points.deltaW2: nobody contributed/],
    ["deltaW equal to deltaC", of({ deltaW: deltaC }), /points.deltaW2: nobody contributed/],
    ["deltaW equal to beta", of({ deltaW: beta }), /points.deltaW2: nobody contributed/],
    [
      "deltaW outside the subgroup",
      at(
        ["points", "deltaW2"],
        outsideSubgroup().map((p) => p.map(String)),
      ),
      /deltaW2/,
    ],
  ])("%s", (_, wrong, why) => {
    expect(() => parseVerificationKey(wrong)).toThrow(why)
  })

  test("zero and points off the curve, also where the model is theirs", () => {
    for (const point of [
      ["0", "0"],
      [`${x + 1n}`, `${y}`],
    ] as const) {
      const model = privateModel(key.architecture as never, point)
      const wrong = { ...key, model, points: { ...key.points, weights: point } }
      expect(() => parseVerificationKey(wrong)).toThrow(/points.weights: not a point of G1/)
    }
  })
})
