/** The contract of each key on a local chain: valid receipts and no others, whoever proves and whoever asks. */
import type { Contract } from "ethers"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { r } from "#src/field.js"
import { solidityVerifier } from "#src/prover/solidity.js"
import {
  keyDigest,
  publicSignals,
  type Receipt,
  toSolidityArguments,
  type VerificationKey,
  verificationCall,
} from "#src/verifier/index.js"
import { compileSolidity, settings } from "../../../contracts/compile.js"
import { type Chain, deploy, startChain } from "../../../examples/chain.js"
import { proofAttacks, statementAttacks } from "../../support/attacks.js"
import { revertOf } from "../../support/chain.js"
import { context, elsewhere, type Universal, universal, universalSystems } from "../../support/universal.js"

/** snarkjs's part does not name its proof's words: it reads them from the calldata. */
const compiled = (sources: Record<string, string>, contract: string) =>
  compileSolidity(sources, contract, settings, /^Warning: Unused function parameter[\s\S]*_?proof,/)

let chain: Chain
beforeAll(async () => {
  chain = await startChain()
})
afterAll(() => chain.close())

describe.each(universalSystems)("the contract of a key of %s", (proofSystem) => {
  const name = proofSystem === "plonk" ? "PlonkInference" : "FflonkInference"
  let made: Universal
  let source: string
  let contract: Contract
  beforeAll(async () => {
    made = await universal(proofSystem, "public")
    source = await solidityVerifier(made.verificationKey, "Digits")
    contract = await deploy(compiled({ "Digits.sol": source }, name), chain.signer)
  })
  const argumentsOf = (receipt: Receipt) => toSolidityArguments(receipt, made.verificationKey as never)

  it("takes a receipt, and says whose key it has", async () => {
    expect(await contract.verifyInference(...argumentsOf(made.receipt).args)).toBe(true)
    expect(await contract.verifyInference(...argumentsOf(made.other).args)).toBe(true)
    expect(await contract.KEY()).toBe(keyDigest(made.verificationKey))
    expect(await contract.MODEL()).toBe(made.circuit.model)
  })

  it("says false to no valid receipt, however little gas it has", async () => {
    const { data } = verificationCall(made.receipt, made.verificationKey)
    const answer = (gasLimit: number) =>
      chain.provider
        .call({ to: contract.target, data, gasLimit })
        .then((value) => BigInt(value) === 1n)
        .catch(() => "reverts")
    const answers = []
    for (let gas = 40_000; gas < 500_000; gas += 20_000) answers.push(await answer(gas))
    expect(new Set(answers)).toEqual(new Set(["reverts", true]))
    const sent = await chain.signer.sendTransaction({ to: contract.target, data, gasLimit: 1_000_000 })
    // less than a third of what is asked for is to spare
    expect((await sent.wait())?.gasUsed).toBeLessThan(proofSystem === "plonk" ? 320_000n : 250_000n)
  })

  it("takes the call that `calldata` writes", async () => {
    const call = verificationCall(made.receipt, made.verificationKey)
    const [fragment] = contract.interface.fragments.filter((f) => "name" in f && f.name === "verifyInference")
    expect(call.function).toBe(fragment.format("sighash"))
    const answer = await chain.provider.call({ to: contract.target, data: call.data })
    expect(BigInt(answer)).toBe(1n)
  })

  it("refuses every attack whose arguments can be written", async () => {
    const attacks = [...proofAttacks(made.receipt, made.other.proof), ...statementAttacks(made.receipt)]
    const { length } = argumentsOf(made.receipt).proof
    let [refused, tried] = [0, 0]
    for (const [i, { name: what, receipt }] of attacks.entries()) {
      // one in three of them: bits of the same number are much alike; the key names the model here
      if (what === "another model" || (what.includes(", bit ") && i % 3 !== 0)) continue
      let args: readonly unknown[]
      try {
        args = argumentsOf(receipt).args
      } catch {
        continue
      }
      tried++
      const answer = await contract.verifyInference(...args).catch(() => false)
      if (answer === false) refused++
      else expect(what).toBe("refused")
    }
    expect(length).toBe(24)
    expect(tried).toBeGreaterThan(60)
    expect(refused).toBe(tried)
  })

  it("refuses integers that are another name for the proven ones, which snarkjs's part of it does not look at", async () => {
    const { args } = argumentsOf(made.receipt)
    const [, outputs, inputs, proof] = args as readonly [string, bigint[], bigint[], bigint[]]
    const verify = (given: readonly bigint[], other = inputs) =>
      contract.verifyInference(context, given, other, proof)
    expect(await verify(outputs)).toBe(true)
    expect(await verify(outputs.with(0, outputs[0] + r))).toBe(false)
    expect(await verify(outputs, inputs.with(0, inputs[0] - r))).toBe(false)
    expect(await revertOf(verify(outputs.slice(1)))).toBe(
      `WrongCount(${outputs.length}, ${outputs.length - 1})`,
    )
    expect(await revertOf(verify(outputs, []))).toBe(`WrongCount(${inputs.length}, 0)`)
    expect(await contract.verifyInference(elsewhere, outputs, inputs, proof)).toBe(false)
    const signals = publicSignals(made.receipt.statement, made.verificationKey.layout)
    const words =
      proofSystem === "plonk" ? proof : proof.map((word) => `0x${word.toString(16).padStart(64, "0")}`)
    expect(await contract.verifyProof(words, signals)).toBe(true)
  })

  it("is written by snarkjs and by us, under snarkjs's licence, with a library of readers", () => {
    expect(source).toMatch(/^\/\/ SPDX-License-Identifier: GPL-3.0/)
    expect(source.match(/SPDX-License-Identifier/g)).toHaveLength(1)
    expect(source).toContain("generated with [snarkJS]")
    const library = compiled({ "Digits.sol": source, "Reader.sol": reader }, "Reader")
    expect(library.bytecode.length).toBeGreaterThan(100)
  })

  it("has another entry for a key that somebody can forge for, which is written only when asked for", async () => {
    const dev = { ...made.verificationKey, setup: "dev" } as VerificationKey
    await expect(solidityVerifier(dev, "Digits")).rejects.toThrow(/development key/)
    const written = await solidityVerifier(dev, "Digits", { allowDev: true })
    expect(written).toContain("function verifyDevInference(")
    expect(written).not.toContain("function verifyInference(")
    expect(verificationCall(made.receipt, dev, { allowDev: true }).function).toMatch(/^verifyDevInference\(/)
  })
})

const reader = `// SPDX-License-Identifier: GPL-3.0
pragma solidity ^0.8.4;
import {Digits} from "./Digits.sol";
contract Reader {
    function first(int256[] calldata outputs) external pure returns (int256) {
        return Digits.yAt(outputs, 0);
    }
}
`
