import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { FileError, UsageError } from "#src/errors.js"
import { inverse, mod, r } from "#src/field.js"
import {
  challenge,
  evaluation,
  explain,
  type Groth16Key,
  keyDigest,
  type Layout,
  type MirageReceipt,
  parseReceipt,
  toSnarkjs,
  toSolidityArguments,
  verify,
  wordsOf,
} from "#src/verifier/index.js"
import { proofAttacks, statementAttacks } from "../../support/attacks.js"
import {
  edit,
  hash32,
  oracle,
  pointG1,
  scalar,
  smallLayout,
  smallStatement,
  values,
} from "../../support/groth16-oracle.js"
import { forgeries, sameEvaluation } from "../../support/mirage-attacks.js"
import {
  commitment,
  layoutOf,
  mirageKeyJson,
  mirageOracle,
  pointsOf,
  statementOf,
} from "../../support/mirage-oracle.js"
import { ceremony, uncontributed } from "../../support/provenances.js"

const shown = mirageOracle(layoutOf("public"))
const valid = shown.receipt(statementOf(shown.key))
const expected = { verificationKey: shown.key, model: shown.key.model, context: valid.statement.context }
const words = wordsOf(valid.statement, shown.key.layout)
const committed = mirageOracle(layoutOf("committed", "committed"), { seed: "committed" })
const bound = committed.receipt(statementOf(committed.key))

describe("a valid receipt", () => {
  test("is accepted as an object, as text, and with other randomness", () => {
    expect(explain(valid, expected)).toBeNull()
    expect(verify(JSON.stringify(valid), expected)).toBe(true)
    expect(parseReceipt(JSON.stringify(valid))).toEqual(valid)
    const again = shown.receipt(valid.statement, "other randomness")
    expect(again.proof.d).not.toEqual(valid.proof.d)
    expect(verify(again, expected)).toBe(true)
  })

  test("is accepted for every visibility", () => {
    for (const input of ["hidden", "public", "committed"] as const)
      for (const output of ["public", "committed"] as const) {
        const { key, receipt } = mirageOracle(layoutOf(input, output))
        const honest = receipt(statementOf(key))
        const against = { ...expected, verificationKey: key }
        expect(explain(honest, against)).toBeNull()
        for (const attack of statementAttacks(honest))
          expect(verify(attack.receipt, against), attack.name).toBe(false)
      }
  })

  test("is accepted for any ranges and values, and no neighbouring statement is", () => {
    const tensor = fc.record({
      shape: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
      scale: fc.constant(1),
      lo: fc.integer({ min: -(2 ** 50), max: 2 ** 50 }),
      bits: fc.integer({ min: 1, max: 51 }),
    })
    const sides = fc.tuple(
      fc.array(tensor, { maxLength: 2 }),
      fc.constantFrom("hidden" as const, "public" as const),
      fc.array(tensor, { minLength: 1, maxLength: 2 }),
    )
    fc.assert(
      fc.property(sides, fc.array(fc.nat(), { minLength: 8, maxLength: 8 }), fc.nat(), (given, raw, pick) => {
        const [inputs, visibility, outputs] = given
        const layout: Layout = {
          inputs: inputs.map((t, i) => ({ ...t, name: `x${i}`, visibility })),
          outputs: outputs.map((t, i) => ({ ...t, name: `y${i}`, visibility: "public" })),
        }
        let next = 0
        const fill = (tensors: Layout["outputs"] | Layout["inputs"]) =>
          Object.fromEntries(
            tensors.map(({ name, shape, lo, bits }) => [
              name,
              Array.from(
                { length: shape.reduce((n, d) => n * d, 1) },
                () => `${lo + (raw[next++ % 8] % 2 ** bits)}`,
              ),
            ]),
          )
        const { key, receipt } = mirageOracle(layout, { seed: "random" })
        const honest = receipt({
          model: key.model,
          context: hash32(`context ${pick}`),
          input:
            visibility === "public" && inputs.length > 0
              ? { visibility, values: fill(layout.inputs) }
              : { visibility: "hidden" },
          output: { visibility: "public", values: fill(layout.outputs) },
        })
        const against = { verificationKey: key, model: key.model, context: honest.statement.context }
        expect(explain(honest, against)).toBeNull()
        const attacks = statementAttacks(honest)
        expect(verify(attacks[pick % attacks.length].receipt, against)).toBe(false)
      }),
      { numRuns: 15 },
    )
  })
})

describe("refused", () => {
  const elsewhere = { visibility: "public", values: values({ "20": [1, 2], "3": [1] }) } as const
  const other = shown.receipt(statementOf(shown.key, { output: elsewhere }), "other")
  test.each([...proofAttacks(valid, other.proof), ...statementAttacks(valid)])("$name", ({ receipt }) => {
    expect(verify(receipt, expected)).toBe(false)
  })

  test.each(forgeries(shown, expected.context, words))("$name", ({ proof, holds }) => {
    expect(holds).toBe(true)
    expect(explain({ ...valid, proof }, expected)).toContain("the proof is not for it")
  })

  test("D of another proof of the same statement, though both are valid", () => {
    const again = shown.receipt(valid.statement, "other randomness")
    for (const name of ["a", "b", "c", "d"] as const)
      expect(verify(edit(valid, ["proof", name], again.proof[name]), expected), name).toBe(false)
  })

  test("D at infinity, and every other point at infinity, though the equation holds", () => {
    const degenerate = {
      "proof.d": shown.scalars(expected.context, words, "zero", { d: 0n }),
      "proof.a": shown.scalars(expected.context, words, "zero", { a: 0n }),
      "proof.b": shown.scalars(expected.context, words, "zero", { b: 0n }),
    }
    for (const [name, scalars] of Object.entries(degenerate)) {
      const c = challenge(keyDigest(shown.key), expected.context, words, pointG1(scalars.d))
      expect(shown.holds(scalars, words, c)).toBe(true)
      expect(explain({ ...valid, proof: pointsOf(scalars) }, expected)).toContain(name)
    }
    // C = 0: solve for a instead
    const { alpha, beta, deltaC, ic } = shown.trapdoor
    const d = scalar("zero", "d")
    const c = challenge(keyDigest(shown.key), expected.context, words, pointG1(d))
    const b = scalar("zero", "b")
    const rest = alpha * beta + ic[0] + c * ic[1] + evaluation(words, c) * ic[2] + d * deltaC
    const scalars = { a: mod(rest * inverse(b)), b, c: 0n, d }
    expect(shown.holds(scalars, words, c)).toBe(true)
    expect(explain({ ...valid, proof: pointsOf(scalars) }, expected)).toContain("proof.c")
  })

  test("commitments changed so that the evaluation stays the same", () => {
    const against = { verificationKey: committed.key, model: committed.key.model, context: expected.context }
    expect(explain(bound, against)).toBeNull()
    expect(explain(sameEvaluation(committed, bound), against)).toContain("the proof is not for it")
  })

  test("a commitment + r, as malformed", () => {
    for (const side of ["input", "output"] as const) {
      const claim = bound.statement[side]
      if (claim.visibility !== "committed") throw new Error("this statement is committed")
      const alias = `0x${(BigInt(claim.commitment) + r).toString(16).padStart(64, "0")}`
      const changed = edit(bound, ["statement", side, "commitment"], alias)
      expect(() => parseReceipt(changed)).toThrow(`statement.${side}.commitment: not a field element`)
      const top = edit(bound, ["statement", side, "commitment"], `0x${r.toString(16).padStart(64, "0")}`)
      expect(() => parseReceipt(top)).toThrow(FileError)
    }
  })

  test("commitments swapped, or a commitment where the key has values", () => {
    const against = { verificationKey: committed.key, model: committed.key.model, context: expected.context }
    const { input, output } = bound.statement
    const swapped = edit(edit(bound, ["statement", "input"], output), ["statement", "output"], input)
    expect(verify(swapped, against)).toBe(false)
    const claim = { visibility: "committed", commitment: commitment("x") }
    for (const side of ["input", "output"])
      expect(explain(edit(valid, ["statement", side], claim), expected)).toBe(
        `the statement's ${side} is committed, the key's is public`,
      )
    expect(explain(edit(valid, ["statement", "input"], { visibility: "hidden" }), expected)).toContain(
      "hidden",
    )
  })

  test("a value outside the range, though it is the same word", () => {
    // -12 and 345 are packed as 500 + 857 · 1024, and so would 1012 and 344 be, as 1524 + 856 · 1024
    const changed = edit(valid, ["statement", "output", "values", "20"], [`${-12 + 1024}`, "344"])
    expect(explain(changed, expected)).toBe('output "20"[0] is 1012, expected -512 to 511')
    const negative = edit(valid, ["statement", "output", "values", "20"], [`${-12 - 1024}`, "346"])
    expect(explain(negative, expected)).toContain("expected -512 to 511")
  })

  test.each<[string, Parameters<typeof mirageOracle>[1]]>([
    ["another setup of the same circuit", { seed: "other" }],
    ["a key of another model: one point of ic", { trapdoor: { ic: [1n, 2n, 3n] } }],
    ["a key with another δ", { trapdoor: { delta: 5n } }],
    ["a key with another δ_c", { trapdoor: { deltaC: 5n } }],
  ])("a proof under %s", (_, options) => {
    const { key } = mirageOracle(layoutOf("public"), options)
    const verificationKey = { ...key, model: shown.key.model }
    expect(explain(valid, { ...expected, verificationKey })).toContain("the proof is not for it")
  })

  test.each<[string, (string | number)[], unknown]>([
    ["model", ["model"], hash32("another model")],
    ["kind of setup", ["setup"], "dev"],
    ["ceremony", ["setup"], ceremony],
    ["transcript", ["setup"], { ...ceremony, transcript: hash32("another") }],
    ["scale", ["layout", "outputs", 0, "scale"], 0.25],
    ["names", ["layout", "inputs", 0, "name"], "picture"],
  ])(
    "a proof under a key of the same points, another %s: the challenge binds all of the key",
    (_, path, to) => {
      const verificationKey = edit(shown.key, path, to)
      const renamed =
        path.at(-1) === "name"
          ? edit(valid, ["statement", "input", "values"], values({ picture: [7, -4503599627370496n] }))
          : valid
      const receipt = edit(renamed, ["statement", "model"], verificationKey.model)
      const against = { ...expected, verificationKey, model: verificationKey.model, allowDev: true }
      expect(wordsOf(receipt.statement, verificationKey.layout)).toEqual(words)
      expect(explain(receipt, against)).toContain("the proof is not for it")
    },
  )

  test("a key of a ceremony that nobody contributed to without the flag; with a contributor it needs none", () => {
    const open = mirageOracle(layoutOf("public"), { setup: uncontributed })
    const receipt = open.receipt(statementOf(open.key))
    const against = { ...expected, verificationKey: open.key }
    expect(explain(receipt, against)).toBe(
      "nobody contributed to this key: anyone can forge receipts; accept it with option `allowDev`",
    )
    expect(verify(receipt, { ...against, allowDev: true })).toBe(true)
    const held = mirageOracle(layoutOf("public"), { setup: ceremony })
    const honest = held.receipt(statementOf(held.key))
    expect(verify(honest, { ...expected, verificationKey: held.key })).toBe(true)
  })

  test("a development key without the flag", () => {
    const dev = mirageOracle(layoutOf("public"), { setup: "dev" })
    const receipt = dev.receipt(statementOf(dev.key))
    const against = { ...expected, verificationKey: dev.key }
    expect(explain(receipt, against)).toContain("development key")
    expect(verify(receipt, { ...against, allowDev: true })).toBe(true)
  })

  test("a receipt of the other proof system, for a key of the same model and layout", () => {
    const plain = oracle(smallLayout)
    const single = plain.receipt(smallStatement(plain.key.model))
    const plainExpected = { ...expected, verificationKey: plain.key }
    expect(explain(single, plainExpected)).toBeNull()
    expect(explain(single, expected)).toBe("the receipt is a groth16 one, the key is for mirage")
    expect(explain(valid, plainExpected)).toBe("the receipt is a mirage one, the key is for groth16")
    expect(explain({ ...valid, proofSystem: "groth16" }, plainExpected)).toContain('unknown field "d"')
    expect(explain({ ...single, proofSystem: "mirage" }, expected)).toContain("field `d` is missing")
    expect(() => toSolidityArguments(single, shown.key as never)).toThrow(UsageError)
    expect(() => toSolidityArguments(valid, plain.key as never)).toThrow(UsageError)
  })
})

describe("keys without a contribution are refused, because anyone could forge with points of the key alone", () => {
  const c = 123456789n
  const { alpha, beta, deltaC, ic } = shown.trapdoor
  const publicPart = mod(ic[0] + c * ic[1] + evaluation(words, c) * ic[2])
  const u = scalar("forger", "u")
  const equation = (delta: bigint, p: { a: bigint; b: bigint; c: bigint; d: bigint }) =>
    mod(p.a * p.b - alpha * beta - publicPart - p.d * deltaC - p.c * delta)

  test.each([
    ["δ is the generator", 1n],
    ["δ is its opposite", -1n],
  ])("%s: C makes up for the public part and D", (_, delta) => {
    // A = α, B = β, D = u, C = ∓(public part + u·δ_c)
    expect(equation(delta, { a: alpha, b: beta, c: -delta * (publicPart + u * deltaC), d: u })).toBe(0n)
    const { key } = mirageKeyJson(layoutOf("public"), { trapdoor: { delta } })
    expect(() => verify(valid, { ...expected, verificationKey: key })).toThrow("phase 2")
  })

  test.each([
    ["δ is β", 1n],
    ["δ is −β", -1n],
  ])("%s: C takes α's place, and A the public part", (_, sign) => {
    // A = public part, B = 1, D = u·β, C = ∓(α + u·δ_c)
    const delta = sign * beta
    expect(equation(delta, { a: publicPart, b: 1n, c: -sign * (alpha + u * deltaC), d: u * beta })).toBe(0n)
    const { key } = mirageKeyJson(layoutOf("public"), { trapdoor: { delta } })
    expect(() => verify(valid, { ...expected, verificationKey: key })).toThrow("phase 2")
  })
})

test("arguments of the contract: words and ten words of proof; another model's receipt is refused", () => {
  const [key, { context }] = [keyDigest(shown.key), valid.statement]
  const { a, b, c, d } = valid.proof
  const proof = [...a, b[0][1], b[0][0], b[1][1], b[1][0], ...c, ...d].map(BigInt)
  const args = [key, context, words, proof]
  expect(toSolidityArguments(valid, shown.key)).toEqual({
    proofSystem: "mirage",
    key,
    context,
    words,
    proof,
    args,
  })
  const foreign: MirageReceipt = edit(valid, ["statement", "model"], hash32("other"))
  expect(() => toSolidityArguments(foreign, shown.key)).toThrow("another model's")
})

test("has no form in snarkjs's files", () => {
  expect(() => toSnarkjs(shown.key as unknown as Groth16Key)).toThrow(UsageError)
})
