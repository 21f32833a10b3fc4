import { afterAll, beforeAll, expect, test } from "vitest"
import { keyDigest, type Layout, publicSignals, solidityKey, solidityProof } from "#src/verifier/index.js"
import { compileVerifier } from "../examples/chain.js"
import { inferenceArguments, register, startVerifier, type VerifierChain } from "./chain.js"
import { hash32, oracle, values, wide } from "./groth16-oracle.js"

let chain: VerifierChain
beforeAll(async () => {
  chain = await startVerifier("groth16")
})
afterAll(() => chain?.close())

const logits: Layout["outputs"] = [
  { name: "logits", shape: [1, 10], scale: 0.01, ...wide, visibility: "public" },
]
const layouts: Record<string, Layout> = {
  "10 outputs": { inputs: [], outputs: logits },
  "10 outputs 16 public inputs": {
    inputs: [{ name: "x", shape: [16], scale: 1, ...wide, visibility: "public" }],
    outputs: logits,
  },
  "1 output": { inputs: [], outputs: [{ name: "y", shape: [], scale: 1, ...wide, visibility: "public" }] },
}

/** Gas of whole transactions, with the 21,000 of every transaction and its calldata. Update with vitest -u. */
test("gas is what test/gas.snapshot says", async () => {
  const { contract, signer } = chain
  const compiled = compileVerifier("groth16")
  const gasOf = async (data: string, to: unknown = null) => {
    const sent = await signer.sendTransaction({ data, to: to === null ? null : `${to}` })
    return (await sent.wait())?.gasUsed
  }
  const call = (name: string, ...args: unknown[]) =>
    gasOf(contract.interface.encodeFunctionData(name, args), contract.target)
  const lines = ["transaction,gas", `deploy,${await gasOf(compiled.bytecode)}`]
  for (const [name, layout] of Object.entries(layouts)) {
    const { key, receipt } = oracle(layout, { seed: name })
    const fill = (n: number) => Array.from({ length: n }, (_, i) => (i % 2 ? -1 : 1) * (1000 + i))
    const honest = receipt({
      model: key.model,
      context: hash32("gas"),
      input: layout.inputs.length
        ? { visibility: "public", values: values({ x: fill(16) }) }
        : { visibility: "hidden" },
      output: {
        visibility: "public",
        values: values(name === "1 output" ? { y: [7] } : { logits: fill(10) }),
      },
    })
    const signals = publicSignals(honest.statement, layout)
    const inference = inferenceArguments(honest, key)
    lines.push(
      `registerKey ${name},${await register(contract, key)}`,
      `registerKey again ${name},${await call("registerKey", solidityKey(key))}`,
      `verifyInference ${name},${await call("verifyInference", ...inference)}`,
      `verifyProof ${name},${await call("verifyProof", keyDigest(key), signals, solidityProof(honest.proof))}`,
    )
    expect(await contract.verifyInference(...inference)).toBe(true)
  }
  await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot("gas.snapshot")
})
