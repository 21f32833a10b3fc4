import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { inverse, mod, q, r } from "#src/field.js"
import {
  challenge,
  evaluation,
  explain,
  keyDigest,
  type MirageReceipt,
  solidityProof,
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
import { edit, hash32, pointG1, scalar, values } from "../../support/groth16-oracle.js"
import { forgeries, sameEvaluation } from "../../support/mirage-attacks.js"
import { layoutOf, mirageOracle, pointsOf, statementOf } from "../../support/mirage-oracle.js"

const shown = mirageOracle(layoutOf("public"))
const { key } = shown
const valid = shown.receipt(statementOf(key))
const { context } = valid.statement
const words = wordsOf(valid.statement, key.layout)
const proof = solidityProof(valid.proof)
const expected = { verificationKey: key, model: key.model, context }
const committed = mirageOracle(layoutOf("committed", "committed"), { seed: "committed" })
const bound = committed.receipt(statementOf(committed.key))

let chain: VerifierChain
beforeAll(async () => {
  chain = await startVerifier("mirage")
  await register(chain.contract, key)
  await register(chain.contract, committed.key)
})
afterAll(() => chain?.close())

const onChain = (attempt: MirageReceipt, of = key): Promise<boolean> =>
  chain.contract.verifyInference(...inferenceArguments(attempt, of))
const raw = (...changes: [at: "context" | "words" | "proof", to: unknown][]): Promise<boolean> => {
  const call = { key: keyDigest(key), context, words, proof, ...Object.fromEntries(changes) }
  return chain.contract.verifyInference(call.key, call.context, call.words, call.proof)
}

describe("TypeScript and Solidity agree", () => {
  test("on valid receipts of every visibility, with other randomness too", async () => {
    for (const input of ["hidden", "public", "committed"] as const)
      for (const output of ["public", "committed"] as const) {
        const oracle = mirageOracle(layoutOf(input, output), { seed: `${input} ${output}` })
        await register(chain.contract, oracle.key)
        for (const seed of ["proof", "other randomness"]) {
          const receipt = oracle.receipt(statementOf(oracle.key), seed)
          const against = { verificationKey: oracle.key, model: oracle.key.model, context }
          expect(explain(receipt, against)).toBeNull()
          expect(await onChain(receipt, oracle.key), `${input} ${output}`).toBe(true)
        }
      }
  })

  test("on every attack of the list", async () => {
    const elsewhere = { visibility: "public", values: values({ "20": [1, 2], "3": [1] }) } as const
    const other = shown.receipt(statementOf(key, { output: elsewhere }), "other")
    expect(await onChain(other)).toBe(true)
    const attacks = [...proofAttacks(valid, other.proof), ...statementAttacks(valid)]
    let asked = 0
    for (const attack of attacks) {
      expect(verify(attack.receipt, expected), attack.name).toBe(false)
      let call: unknown[]
      try {
        call = inferenceArguments(attack.receipt, key)
      } catch {
        continue // out of the layout's range, or another model's: no such words exist
      }
      expect(await chain.contract.verifyInference(...call), attack.name).toBe(false)
      asked++
    }
    expect(asked).toBeGreaterThan(100)
  })

  test.each(forgeries(shown, context, words))("on a forgery: $name", async ({ proof: forged, holds }) => {
    expect(holds).toBe(true)
    const attempt = { ...valid, proof: forged }
    expect(verify(attempt, expected)).toBe(false)
    expect(await onChain(attempt)).toBe(false)
  })

  test("on a point at infinity, though the equation holds", async () => {
    const c = (d: bigint) => challenge(keyDigest(key), context, words, pointG1(d))
    const { alpha, beta, deltaC, ic } = shown.trapdoor
    const [b, d] = [scalar("zero", "b"), scalar("zero", "d")]
    const rest = alpha * beta + ic[0] + c(d) * ic[1] + evaluation(words, c(d)) * ic[2] + d * deltaC
    const degenerate = {
      a: shown.scalars(context, words, "zero", { a: 0n }),
      b: shown.scalars(context, words, "zero", { b: 0n }),
      c: { a: mod(rest * inverse(b)), b, c: 0n, d },
      d: shown.scalars(context, words, "zero", { d: 0n }),
    }
    for (const [name, scalars] of Object.entries(degenerate)) {
      expect(shown.holds(scalars, words, c(scalars.d))).toBe(true)
      const attempt = { ...valid, proof: pointsOf(scalars) }
      expect(explain(attempt, expected)).toContain(`proof.${name}`)
      expect(await onChain(attempt), name).toBe(false)
      // infinity by another name: (0, q) or (q, 0), which a negation or a reduction would make (0, 0)
      const start = { a: 0, b: 2, c: 6, d: 8 }[name] as number
      const named = solidityProof(attempt.proof)
      for (let i = start; i < start + (name === "b" ? 4 : 2); i++)
        expect(await raw(["proof", named.with(i, q)]), `${name}, word ${i}`).toBe(false)
    }
  })

  test("on commitments changed so that the evaluation stays the same", async () => {
    expect(await onChain(bound, committed.key)).toBe(true)
    const changed = sameEvaluation(committed, bound)
    const against = { verificationKey: committed.key, model: committed.key.model, context }
    expect(verify(changed, against)).toBe(false)
    expect(await onChain(changed, committed.key)).toBe(false)
  })

  test("on any statement of the layout", async () => {
    const input = fc.bigInt(-(2n ** 52n), 2n ** 52n - 1n)
    const output = fc.bigInt(-512n, 511n)
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(input, input, output, output, fc.bigInt(0n, 1n)),
        fc.nat(),
        async (x, pick) => {
          const honest = shown.receipt({
            model: key.model,
            context,
            input: { visibility: "public", values: values({ image: [x[0], x[1]] }) },
            output: { visibility: "public", values: values({ "20": [x[2], x[3]], "3": [x[4]] }) },
          })
          expect(verify(honest, expected)).toBe(true)
          expect(await onChain(honest)).toBe(true)
          const right = wordsOf(honest.statement, key.layout)
          const [at, bit] = [pick % 3, BigInt(pick % 248)]
          const call = inferenceArguments(honest, key).with(2, right.with(at, right[at] ^ (1n << bit)))
          expect(await chain.contract.verifyInference(...call)).toBe(false)
        },
      ),
      { numRuns: 12 },
    )
  })
})

describe("words", () => {
  test.each([0, 1, 2])("word %i + 1, − 1, + r, + 2r, or all ones", async (i) => {
    const word = words[i]
    const others = [word + 1n, mod(word - 1n), word + r, word + 2n * r, 2n ** 256n - 1n, mod(-word - 1n)]
    for (const other of others) expect(await raw(["words", words.with(i, other)])).toBe(false)
  })

  test("a commitment + r, which is the same field element", async () => {
    const call = inferenceArguments(bound, committed.key)
    const honest = call[2] as bigint[]
    for (let i = 0; i < honest.length; i++)
      for (const alias of [honest[i] + r, honest[i] + 2n * r])
        expect(await chain.contract.verifyInference(...call.with(2, honest.with(i, alias)))).toBe(false)
    expect(await chain.contract.verifyInference(...call)).toBe(true)
  })

  test("any number of them, every one bound, none taken for another or for padding", async () => {
    for (const n of [1, 2, 4, 5, 7, 8, 9, 35]) {
      const output = { name: "y", shape: [4 * n], scale: 1, lo: 0, bits: 53, visibility: "public" } as const
      const oracle = mirageOracle({ inputs: [], outputs: [output] }, { seed: `${n} words` })
      await register(chain.contract, oracle.key)
      expect(await chain.contract.wordsOf(keyDigest(oracle.key))).toEqual([BigInt(n), BigInt(n)])
      const given = Array.from({ length: n }, (_, i) => scalar("words", `${i}`))
      const made = solidityProof(oracle.proof(context, given))
      const ask = (list: bigint[], own = made): Promise<boolean> =>
        chain.contract.verifyInference(keyDigest(oracle.key), context, list, own)
      expect(await ask(given)).toBe(true)
      for (let i = 0; i < n; i++) {
        expect(await ask(given.with(i, mod(given[i] + 1n)))).toBe(false)
        // the same field element, with a proof made for the challenge of the alias
        const alias = given.with(i, given[i] + r)
        expect(await ask(alias)).toBe(false)
        expect(await ask(alias, solidityProof(oracle.proof(context, alias)))).toBe(false)
      }
      if (n > 1) expect(await ask([...given.slice(1), given[0]])).toBe(false)
    }
  })
})

test("proof words + q, and any one bit of a proof flipped", async () => {
  expect(await raw()).toBe(true)
  for (let i = 0; i < 10; i++) {
    expect(await raw(["proof", proof.with(i, proof[i] + q)])).toBe(false)
    expect(await raw(["proof", proof.with(i, 0n)])).toBe(false)
    expect(await raw(["proof", proof.with(i, q)])).toBe(false)
    expect(await raw(["proof", proof.with(i, 2n ** 256n - 1n)])).toBe(false)
  }
  await fc.assert(
    fc.asyncProperty(fc.nat(9), fc.bigInt(0n, 255n), async (word, bit) => {
      expect(await raw(["proof", proof.with(word, proof[word] ^ (1n << bit))])).toBe(false)
    }),
    { numRuns: 150 },
  )
})

test("a context swapped", async () => {
  const elsewhere = shown.receipt(statementOf(key, { context: hash32("elsewhere") }))
  expect(await onChain(elsewhere)).toBe(true)
  expect(await raw(["context", hash32("elsewhere")])).toBe(false)
  expect(await onChain(edit(elsewhere, ["statement", "context"], context))).toBe(false)
})

test.each<[string, Parameters<typeof mirageOracle>[1]]>([
  ["another setup of the same circuit", { seed: "other" }],
  ["a key of another model: one point of ic", { trapdoor: { ic: [1n, 2n, 3n] } }],
  ["a key with another δ", { trapdoor: { delta: 5n } }],
  ["a key with another δ_c", { trapdoor: { deltaC: 5n } }],
])("a proof under %s", async (_, options) => {
  const other = mirageOracle(layoutOf("public"), options)
  await register(chain.contract, other.key)
  const call = inferenceArguments(valid, key).with(0, keyDigest(other.key))
  expect(await chain.contract.verifyInference(...call)).toBe(false)
  const own = other.receipt(statementOf(other.key))
  expect(await onChain(own, other.key)).toBe(true)
})

test("a proof under a key of the same points with another model or scale: the challenge binds all of the key", async () => {
  for (const other of [
    edit(key, ["model"], hash32("another model")),
    edit(key, ["layout", "outputs", 0, "scale"], 0.25),
  ]) {
    await register(chain.contract, other)
    const call = inferenceArguments(valid, key).with(0, keyDigest(other))
    expect(await chain.contract.verifyInference(...call)).toBe(false)
  }
})

describe("misuse reverts", () => {
  test("an unknown key, whatever the words", async () => {
    const unknown = hash32("unknown")
    for (const list of [[], words, words.slice(1)])
      expect(await revertOf(chain.contract.verifyInference(unknown, context, list, proof))).toBe(
        `UnknownKey(${unknown})`,
      )
    expect(await revertOf(chain.contract.verifyDevInference(unknown, context, [], proof))).toBe(
      `UnknownKey(${unknown})`,
    )
  })

  test("a wrong number of words, before the proof is looked at", async () => {
    for (const list of [[], words.slice(1), [...words, 0n], [0n, ...words]])
      expect(await revertOf(raw(["words", list]))).toBe(`WrongCount(3, ${list.length})`)
  })

  test("a development key, unless the call accepts it", async () => {
    const dev = mirageOracle(layoutOf("public"), { setup: "dev" })
    await register(chain.contract, dev.key, true)
    const call = inferenceArguments(dev.receipt(valid.statement), dev.key)
    const refusal = `DevKey(${keyDigest(dev.key)})`
    expect(await revertOf(chain.contract.verifyInference(...call))).toBe(refusal)
    expect(await chain.contract.verifyDevInference(...call)).toBe(true)
    expect(await chain.contract.verifyDevInference(...call.with(1, hash32("elsewhere")))).toBe(false)
    expect(await chain.contract.verifyDevInference(...inferenceArguments(valid, key))).toBe(true)
  })

  test("calldata cut short, or with words where there are none", async () => {
    const data = chain.contract.interface.encodeFunctionData(
      "verifyInference",
      inferenceArguments(valid, key),
    )
    const ask = (changed: string) => chain.signer.call({ to: chain.contract.target, data: changed })
    expect(BigInt(await ask(data))).toBe(1n)
    expect(BigInt(await ask(`${data}${"ff".repeat(96)}`))).toBe(1n) // trailing bytes are no words
    await expect(ask(data.slice(0, -2))).rejects.toMatchObject({ code: "CALL_EXCEPTION" })
    const offset = data.slice(0, 10 + 2 * 64) + "f".repeat(64) + data.slice(10 + 3 * 64)
    await expect(ask(offset)).rejects.toMatchObject({ code: "CALL_EXCEPTION" })
  })

  test("too little gas: a valid proof is never called invalid", async () => {
    const call = inferenceArguments(valid, key)
    const verdict = (gasLimit: number): Promise<string> =>
      chain.contract
        .verifyInference(...call, { gasLimit })
        .then(String, (error) => error.revert?.name ?? "out of gas")
    let [low, high] = [30_000, 400_000] // the least gas with a verdict lies between
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((await verdict(middle)) === "true") high = middle
      else low = middle
    }
    const verdicts = new Set<string>()
    for (let gas = 30_000; gas < high; gas += 5_000) verdicts.add(await verdict(gas))
    for (let gas = high - 6_000; gas < high + 6_000; gas += 100) verdicts.add(await verdict(gas))
    for (let gas = high - 20; gas < high + 20; gas++) verdicts.add(await verdict(gas))
    expect([...verdicts].sort()).toEqual(["NotEnoughGas", "out of gas", "true"])
  })
})
