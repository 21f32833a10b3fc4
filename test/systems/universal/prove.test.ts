import { describe, expect, it } from "vitest"
import { compile } from "#src/compile/compile.js"
import { openProver, setup } from "#src/prover/open.js"
import { verifyReceipt } from "#src/prover/verify.js"
import { perceptron } from "../../support/networks.js"

const context = `0x${"51".repeat(32)}`

describe.each(["plonk", "fflonk"] as const)("%s", (proofSystem) => {
  it("proves", async () => {
    const network = await perceptron([3, 2], 6)
    const circuit = await compile(network.graph, { proofSystem })
    console.log(circuit.linked.r1cs.rows, circuit.domain)
    let t = performance.now()
    const lap = (what: string) => {
      console.log(what, Math.round(performance.now() - t))
      t = performance.now()
    }
    const keys = await setup(circuit, { dev: true })
    lap("setup")
    console.log(keys.verificationKey)
    const prover = await openProver(circuit, keys.provingKey)
    lap("open")
    const receipt = await prover.prove(network.input, { context, clampInputs: true })
    lap("prove")
    await prover.prove(network.input, { context, clampInputs: true })
    lap("prove")
    await prover.close()
    const expected = { verificationKey: keys.verificationKey, model: circuit.model, context, allowDev: true }
    expect(await verifyReceipt(receipt, expected)).toBe(true)
    lap("verify")
    expect(await verifyReceipt(receipt, { ...expected, allowDev: false })).toBe(false)
  })
})
