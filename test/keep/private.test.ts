/** Private weights: claims are about the model that a key commits to, and circuits of its architecture. */
import { beforeAll, describe, expect, it } from "vitest"
import { attest, layoutDigest, sideDigests } from "#src/attest/index.js"
import { compile } from "#src/compile/compile.js"
import { judgeBy } from "#src/keep/judge.js"
import { execute } from "#src/prover/execute.js"
import { setup } from "#src/prover/open.js"
import { commitWeights } from "#src/prover/weights.js"
import { withAnySecrets } from "#src/quantize/integers/secrets.js"
import type { Circuit } from "#src/systems/index.js"
import { keyDigest, type VerificationKey } from "#src/verifier/index.js"
import { hash32 } from "../support/groth16-oracle.js"
import { perceptron } from "../support/networks.js"

const input = { x0: [0.5, 0.25, 0.75] }
let circuit: Circuit
let key: VerificationKey
let other: VerificationKey

beforeAll(async () => {
  const { graph } = await perceptron([3, 2], 6, "private")
  circuit = await compile(graph, { input: "public" })
  const { provingKey } = await setup(circuit, { dev: true })
  key = (await commitWeights(circuit, provingKey)).verificationKey
  let drawn = 0
  const retrained = { ...circuit, graph: withAnySecrets(graph, () => (drawn++ % 3) - 1) }
  other = (await commitWeights(retrained, provingKey)).verificationKey
}, 60_000)

/** What somebody claims of a model, by running a circuit. */
function claimOf(verificationKey: VerificationKey, output?: `0x${string}`) {
  const { statement } = execute(circuit, input, { verificationKey })
  const said = sideDigests(statement, circuit.layout)
  return {
    statement,
    claim: {
      model: verificationKey.model,
      key: keyDigest(verificationKey),
      layout: layoutDigest(circuit.layout),
      input: said.input,
      output: output ?? said.output,
    },
  }
}

describe("a claim about a model with private weights", () => {
  it("is judged by who has the weights", () => {
    const judging = { circuit, verificationKey: key }
    expect(judgeBy(judging, claimOf(key).claim, { input }).verdict).toBe("right")
    expect(judgeBy(judging, claimOf(key, hash32("no output")).claim, { input }).verdict).toBe("wrong")
    // of the same architecture, about which these weights say nothing
    expect(judgeBy(judging, claimOf(other).claim, { input }).verdict).toBe("foreign")
    expect(judgeBy(judging, { ...claimOf(key).claim, model: circuit.model }, { input }).verdict).toBe(
      "foreign",
    )
  })

  it("is attested under the model's key alone, and names the model, not the architecture", () => {
    const terms = {
      ...{ operator: `0x${"11".repeat(20)}`, policy: hash32("policy"), started: 1, issued: 1, validUntil: 2 },
    } as const
    const { statement } = claimOf(key)
    expect(attest({ statement, verificationKey: key }, terms as never).model).toBe(key.model)
    expect(() => attest({ statement, verificationKey: other }, terms as never)).toThrow(/another model's/)
    const ofArchitecture = execute(circuit, input).statement
    expect(ofArchitecture.model).toBe(circuit.model)
    expect(() => attest({ statement: ofArchitecture, verificationKey: key }, terms as never)).toThrow(
      /another model's/,
    )
  })

  it("cannot be about another model where weights are fixed", async () => {
    const fixed = await compile((await perceptron([3, 2], 6)).graph)
    const { statement } = execute(fixed, input, { clampInputs: true, verificationKey: key })
    expect(statement.model).toBe(fixed.model)
    expect(() => judgeBy({ circuit: fixed, verificationKey: key }, claimOf(key).claim, { input })).toThrow(
      /not the circuit's/,
    )
  })
})
