/**
 * Keys of plain Groth16 in which two points of G2 are equal or opposite: whoever sees the key proves anything, with
 * its public points alone. Each forgery satisfies the equation; what refuses it is the check of the key.
 */
import type { Contract } from "ethers"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { FileError } from "#src/errors.js"
import { mod, r } from "#src/field.js"
import { g1, g2 } from "#src/statement/points.js"
import { type CheckedGroth16Key, groth16Verifier } from "#src/systems/groth16/verify.js"
import { parseVerificationKey, publicSignals } from "#src/verifier/index.js"
import { blobOf, revertOf, startVerifier, type VerifierChain } from "../../support/chain.js"
import {
  keyJson,
  oracle,
  pointG1,
  pointG2,
  scalar,
  smallLayout,
  smallStatement,
  type Trapdoor,
} from "../../support/groth16-oracle.js"

const [beta, gamma, delta] = ["beta", "gamma", "delta"].map((name) => scalar("opposites", name))
const statement = smallStatement(oracle(smallLayout).key.model)
const signals = publicSignals(statement, smallLayout)

/** What anyone makes of the points α, IC(signals), β, γ and δ of such a key. */
type Points<T> = { readonly alpha: T; readonly ic: T; readonly beta: T; readonly gamma: T; readonly delta: T }
type Proof<T> = { readonly a: T; readonly b: T; readonly c: T }
/** Combinations, written by the discrete logarithms that the test knows and the forger does not need. */
type Forge = (points: Points<bigint>) => Proof<bigint>

type Secrets = Partial<Pick<Trapdoor, "alpha" | "beta" | "gamma" | "delta">>
const cases: [string, Secrets, Forge][] = [
  ["delta equal to gamma", { gamma, delta: gamma }, (p) => ({ a: p.alpha, b: p.beta, c: -p.ic })],
  ["delta the opposite of gamma", { gamma, delta: r - gamma }, (p) => ({ a: p.alpha, b: p.beta, c: p.ic })],
  [
    "delta the opposite of gamma, which is the generator",
    { gamma: 1n, delta: r - 1n },
    (p) => ({ a: p.alpha, b: p.beta, c: p.ic }),
  ],
  ["delta equal to beta", { beta, delta: beta }, (p) => ({ a: p.ic, b: p.gamma, c: -p.alpha })],
  ["delta the opposite of beta", { beta, delta: r - beta }, (p) => ({ a: p.ic, b: p.gamma, c: p.alpha })],
  [
    "gamma equal to beta",
    { beta, gamma: beta, delta },
    (p) => ({ a: p.alpha + p.ic, b: p.beta + p.delta, c: p.alpha + p.ic }),
  ],
  [
    "gamma the opposite of beta",
    { beta, gamma: r - beta, delta },
    (p) => ({ a: p.alpha - p.ic, b: p.beta + p.delta, c: p.alpha - p.ic }),
  ],
]

describe("anyone forges for a groth16 key with", () => {
  let chain: VerifierChain
  let contract: Contract
  beforeAll(async () => {
    chain = await startVerifier("groth16")
    contract = chain.contract
  })
  afterAll(() => chain?.close())

  test.each(cases)("%s, so it is refused, here and on a chain", async (_, trapdoor, forge) => {
    const made = keyJson(smallLayout, { trapdoor })
    const t = made.trapdoor
    const { points } = made.key
    const unchecked = {
      proofSystem: "groth16",
      key: made.key,
      alpha1: g1(points.alpha1),
      beta2: g2(points.beta2),
      gamma2: g2(points.gamma2),
      delta2: g2(points.delta2),
      ic: points.ic.map(g1),
    } as CheckedGroth16Key
    const ic = signals.reduce((sum, signal, i) => mod(sum + signal * t.ic[i + 1]), t.ic[0])
    const { a, b, c } = forge({ alpha: t.alpha, ic, beta: t.beta, gamma: t.gamma, delta: t.delta })
    const proof = { a: pointG1(a), b: pointG2(b), c: pointG1(c) }
    expect(groth16Verifier.problem(proof, statement, unchecked)).toBe(null)
    expect(() => parseVerificationKey(made.key)).toThrow(FileError)
    expect(() => parseVerificationKey(made.key)).toThrow("nobody contributed to phase 2")
    const blob = blobOf(oracle(smallLayout).key, points)
    expect(await revertOf(contract.registerKey.staticCall(blob))).toBe("Uncontributed()")
    expect(await revertOf(contract.registerDevKey.staticCall(blob))).toBe("Uncontributed()")
  })

  test.each<[string, Secrets, string]>([
    ["alpha the opposite of the generator", { alpha: r - 1n }, "powers of tau"],
    ["beta the opposite of the generator", { beta: r - 1n }, "powers of tau"],
    ["gamma the opposite of the generator", { gamma: r - 1n }, "phase 2"],
    ["delta the opposite of the generator", { gamma, delta: r - 1n }, "phase 2"],
  ])("%s: a secret is known, so it is refused, here and on a chain", async (_, trapdoor, message) => {
    const { key } = keyJson(smallLayout, { trapdoor })
    expect(() => parseVerificationKey(key)).toThrow(message)
    const blob = blobOf(oracle(smallLayout).key, key.points)
    expect(await revertOf(contract.registerKey.staticCall(blob))).toBe("Uncontributed()")
  })
})
