import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { mod, r } from "#src/field.js"
import { explain, keyDigest, publicSignals, solidityProof, verify } from "#src/verifier/index.js"
import { proofAttacks, statementAttacks } from "../../support/attacks.js"
import {
  inferenceArguments,
  register,
  revertOf,
  startVerifier,
  type VerifierChain,
} from "../../support/chain.js"
import { hash32, oracle, scalar, smallLayout, smallStatement, values } from "../../support/groth16-oracle.js"

const { degenerate, key, proof, receipt } = oracle(smallLayout)
const valid = receipt(smallStatement(key.model))
const expected = { verificationKey: key, model: key.model, context: valid.statement.context }
const name = keyDigest(key)

let chain: VerifierChain
beforeAll(async () => {
  chain = await startVerifier("groth16")
  await register(chain.contract, key)
})
afterAll(() => chain?.close())

const onChain = (attempt: typeof valid): Promise<boolean> =>
  chain.contract.verifyInference(...inferenceArguments(attempt, key))

describe("TypeScript and Solidity agree", () => {
  test("on the valid receipt, with other randomness too", async () => {
    for (const seed of ["proof", "other randomness"]) {
      const again = receipt(valid.statement, seed)
      expect(explain(again, expected)).toBeNull()
      expect(await onChain(again)).toBe(true)
    }
  })

  test("on every attack of the list", async () => {
    const elsewhere = { visibility: "public", values: values({ "20": [1, 2], "3": [1] }) } as const
    const other = receipt(smallStatement(key.model, { output: elsewhere }), "other")
    expect(await onChain(other)).toBe(true)
    const attacks = [...proofAttacks(valid, other.proof), ...statementAttacks(valid)]
    for (const attack of attacks) {
      expect(verify(attack.receipt, expected), attack.name).toBe(false)
      expect(await onChain(attack.receipt), attack.name).toBe(false)
    }
    expect(attacks.length).toBeGreaterThan(100)
  })

  test("on any statement of the layout", async () => {
    const input = fc.bigInt(-(2n ** 52n), 2n ** 52n - 1n)
    const output = fc.bigInt(-512n, 511n)
    const all = fc.tuple(input, input, fc.bigInt(0n, 1n), output, output)
    await fc.assert(
      fc.asyncProperty(all, fc.nat(), async (x, pick) => {
        const honest = receipt({
          model: key.model,
          context: expected.context,
          input: { visibility: "public", values: values({ image: [x[0], x[1]] }) },
          output: { visibility: "public", values: values({ "3": [x[2]], "20": [x[3], x[4]] }) },
        })
        expect(verify(honest, expected)).toBe(true)
        expect(await onChain(honest)).toBe(true)
        const attacks = statementAttacks(honest)
        expect(await onChain(attacks[pick % attacks.length].receipt)).toBe(false)
      }),
      { numRuns: 12 },
    )
  })

  test("on a point at infinity, though the equation holds", async () => {
    const wrong = degenerate(publicSignals(valid.statement, smallLayout))
    for (const [point, at] of [
      ["A", wrong.A.a],
      ["B", wrong.B.b],
      ["C", wrong.C.c],
    ] as const) {
      expect(at.flat().every((x) => x === "0")).toBe(true)
      const attempt = { ...valid, proof: wrong[point] }
      expect(explain(attempt, expected)).toContain("infinity")
      expect(await onChain(attempt), point).toBe(false)
    }
  })

  test("on a public part that is infinity", async () => {
    const signals = publicSignals(valid.statement, smallLayout)
    const ic = signals.map((_, i) => scalar("infinity", `${i}`))
    ic.unshift(mod(-signals.reduce((sum, x, i) => sum + x * ic[i], 0n)))
    const special = oracle(smallLayout, { trapdoor: { ic } })
    await register(chain.contract, special.key)
    const honest = special.receipt(valid.statement)
    expect(verify(honest, { ...expected, verificationKey: special.key })).toBe(true)
    expect(await chain.contract.verifyInference(...inferenceArguments(honest, special.key))).toBe(true)
  })
})

test("any one bit of a proof flipped makes it false", async () => {
  const words = solidityProof(valid.proof)
  const signals = publicSignals(valid.statement, smallLayout)
  expect(await chain.contract.verifyProof(name, signals, words)).toBe(true)
  await fc.assert(
    fc.asyncProperty(fc.nat(7), fc.bigInt(0n, 255n), async (word, bit) => {
      const damaged = words.with(word, words[word] ^ (1n << bit))
      expect(await chain.contract.verifyProof(name, signals, damaged)).toBe(false)
    }),
    { numRuns: 150 },
  )
})

describe("verifyProof on raw signals", () => {
  const signals = publicSignals(valid.statement, smallLayout)
  const words = solidityProof(valid.proof)

  test("any field elements, true only for the right ones", async () => {
    const raw = signals.map((_, i) => scalar("raw", `${i}`))
    const rawProof = solidityProof(proof(raw))
    expect(await chain.contract.verifyProof(name, raw, rawProof)).toBe(true)
    for (let i = 0; i < raw.length; i++) {
      expect(await chain.contract.verifyProof(name, raw.with(i, mod(raw[i] + 1n)), rawProof)).toBe(false)
      for (const alias of [raw[i] + r, raw[i] + 2n * r])
        expect(await chain.contract.verifyProof(name, raw.with(i, alias), rawProof)).toBe(false)
    }
    expect(await chain.contract.verifyProof(name, raw.with(0, 2n ** 256n - 1n), rawProof)).toBe(false)
  })

  test("the number of signals must be the key's", async () => {
    for (const wrong of [[], signals.slice(1), [...signals, 0n]])
      expect(await revertOf(chain.contract.verifyProof(name, wrong, words))).toBe(
        `WrongCount(6, ${wrong.length})`,
      )
  })
})

describe("misuse reverts", () => {
  test("an unknown key, and the key of another format", async () => {
    const unknown = hash32("unknown")
    const call = inferenceArguments(valid, key).with(0, unknown)
    expect(await revertOf(chain.contract.verifyInference(...call))).toBe(`UnknownKey(${unknown})`)
    expect(await revertOf(chain.contract.isDev(unknown))).toBe(`UnknownKey(${unknown})`)
  })

  test("wrong numbers of outputs or inputs, though their sum is right", async () => {
    const call = inferenceArguments(valid, key)
    const all = [...(call[3] as bigint[]), ...(call[4] as bigint[])]
    for (const n of [0, 2, 4]) {
      const moved = call.with(3, all.slice(0, n)).with(4, all.slice(n))
      expect(await revertOf(chain.contract.verifyInference(...moved))).toBe(`WrongCount(3, ${n})`)
    }
    expect(await revertOf(chain.contract.verifyInference(...call.with(4, [])))).toBe("WrongCount(2, 0)")
  })

  test("a development key, unless the call accepts it", async () => {
    const dev = oracle(smallLayout, { setup: "dev" })
    await register(chain.contract, dev.key, true)
    const honest = dev.receipt(valid.statement)
    const call = inferenceArguments(honest, dev.key)
    const refusal = `DevKey(${keyDigest(dev.key)})`
    const signals = publicSignals(valid.statement, smallLayout)
    expect(await revertOf(chain.contract.verifyInference(...call))).toBe(refusal)
    expect(await revertOf(chain.contract.verifyProof(call[0], signals, call[5]))).toBe(refusal)
    expect(await chain.contract.verifyDevInference(...call)).toBe(true)
    expect(await chain.contract.verifyDevInference(...call.with(2, hash32("elsewhere")))).toBe(false)
    expect(await chain.contract.verifyDevInference(...inferenceArguments(valid, key))).toBe(true)
  })

  test("too little gas: a valid proof is never called invalid", async () => {
    const call = inferenceArguments(valid, key)
    const verdict = (gasLimit: number): Promise<string> =>
      chain.contract
        .verifyInference(...call, { gasLimit })
        .then(String, (error) => error.revert?.name ?? "out of gas")
    let [low, high] = [30_000, 400_000] // the least gas with a verdict lies between
    while (high - low > 100) {
      const middle = (low + high) >> 1
      if ((await verdict(middle)) === "true") high = middle
      else low = middle
    }
    const verdicts = new Set<string>()
    for (let gas = 30_000; gas < high; gas += 5_000) verdicts.add(await verdict(gas))
    for (let gas = high - 6_000; gas < high + 6_000; gas += 100) verdicts.add(await verdict(gas))
    expect(verdicts).toContain("true")
    expect(verdicts).toContain("NotEnoughGas")
    verdicts.delete("PrecompileFailed") // in a window of a few hundred gas only
    expect([...verdicts].sort()).toEqual(["NotEnoughGas", "out of gas", "true"])
  })
})
