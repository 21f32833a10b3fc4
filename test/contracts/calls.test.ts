/** Calls in ABI encoding, against ethers; and the contracts as users compile them, with settings of their own. */
import { Interface } from "ethers"
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { forgeable } from "#src/statement/provenance.js"
import {
  type Layout,
  type Receipt,
  registrationCall,
  solidityKey,
  toSolidityArguments,
  type VerificationKey,
  verificationCall,
} from "#src/verifier/index.js"
import { compileContract, compileSolidity } from "../../contracts/compile.js"
import { type Chain, deploy, startChain } from "../../examples/chain.js"
import { artifact, register, registered, verifiers } from "../support/chain.js"
import { edit, hash32, oracle, smallLayout, smallStatement, values, wide } from "../support/groth16-oracle.js"
import { layoutOf, mirageOracle, statementOf } from "../support/mirage-oracle.js"
import { ceremony, uncontributed } from "../support/provenances.js"

const interfaces = {
  mirage: new Interface(artifact("CountersignVerifier").abi),
  groth16: new Interface(artifact("Groth16Verifier").abi),
}

/** What ethers makes of the arguments, for the function of that very signature. */
function encoded(system: VerificationKey["proofSystem"], name: string, args: readonly unknown[]): string {
  const proofSystem = registered(system)
  const known = interfaces[proofSystem].getFunction(name)
  expect(known, name).not.toBeNull()
  return interfaces[proofSystem].encodeFunctionData(name, args)
}

function callsAgree(receipt: Receipt, key: VerificationKey): void {
  const allowDev = forgeable(key.setup) !== null
  const call = verificationCall(receipt, key, { allowDev })
  expect(call.function).toMatch(allowDev ? /^verifyDevInference\(/ : /^verifyInference\(/)
  expect(call.args).toEqual(toSolidityArguments(receipt, key).args)
  expect(call.data).toBe(encoded(key.proofSystem, call.function, call.args))
  const registration = registrationCall(key, { allowDev })
  expect(registration.function).toBe(allowDev ? "registerDevKey(bytes)" : "registerKey(bytes)")
  expect(registration.data).toBe(encoded(key.proofSystem, registration.function, [solidityKey(key)]))
  if (allowDev) expect(() => verificationCall(receipt, key)).toThrow(/can forge receipts.*`allowDev`/)
  if (allowDev) expect(() => registrationCall(key)).toThrow(/can forge receipts.*`allowDev`/)
}

describe("a call is what ethers encodes", () => {
  test.each([
    ["development", "dev"],
    ["external", "external"],
    ["contributed", ceremony],
    ["uncontributed", uncontributed],
  ] as const)("of %s keys, every visibility", (_, setup) => {
    for (const input of ["hidden", "public", "committed"] as const) {
      for (const output of ["public", "committed"] as const) {
        const { key, receipt } = mirageOracle(layoutOf(input, output), { setup })
        callsAgree(receipt(statementOf(key)), key)
      }
    }
    const { key, receipt } = oracle(smallLayout, { setup })
    callsAgree(receipt(smallStatement(key.model)), key)
  })

  test("for any number of outputs and inputs, of either sign", () => {
    const integers = fc.array(fc.bigInt(-(2n ** 52n), 2n ** 52n - 1n), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(integers, fc.option(integers), (y, x) => {
        const tensor = (name: string, list: readonly bigint[]) =>
          ({ name, shape: [list.length], scale: 1, ...wide, visibility: "public" }) as const
        const layout: Layout = { outputs: [tensor("y", y)], inputs: x ? [tensor("x", x)] : [] }
        for (const { key, receipt } of [mirageOracle(layout), oracle(layout)]) {
          const honest = receipt({
            model: key.model,
            context: hash32("context"),
            output: { visibility: "public", values: values({ y }) },
            input: x ? { visibility: "public", values: values({ x }) } : { visibility: "hidden" },
          })
          callsAgree(honest, key)
        }
      }),
      { numRuns: 12 },
    )
  })
})

test("the interfaces have all that the contracts have, but for what only registration needs", () => {
  for (const name of Object.values(verifiers)) {
    const source = `import {I${name}} from "countersign/contracts/I${name}.sol";`
    const header = "// SPDX-License-Identifier: MIT\npragma solidity ^0.8.4;\n"
    const { abi } = compileSolidity(
      { "X.sol": `${header}${source}\nabstract contract X is I${name} {}` },
      "X",
    )
    const names = (items: readonly { name?: unknown }[]) => items.map((item) => JSON.stringify(item)).sort()
    const own = compileContract(name).abi.filter((item) => item.name !== "pendingKey")
    expect(names(abi)).toEqual(names(own))
  }
})

describe("with settings of the user's own", () => {
  let chain: Chain
  beforeAll(async () => {
    chain = await startChain()
  })
  afterAll(() => chain?.close())

  // the compiler's defaults; the other code generator; the optimizer for size
  const settings = {
    defaults: {},
    viaIR: { viaIR: true, optimizer: { enabled: true } },
    size: { optimizer: { enabled: true, runs: 1 } },
  }
  test.each(Object.entries(settings))(
    "%s: no warning, the same verdicts, none for want of gas",
    async (_, chosen) => {
      const made = [
        [mirageOracle(layoutOf("public")), statementOf(mirageOracle(layoutOf("public")).key)],
        [oracle(smallLayout), smallStatement(oracle(smallLayout).key.model)],
      ] as const
      for (const [{ key, receipt }, statement] of made) {
        const compiled = compileContract(verifiers[registered(key.proofSystem)], undefined, chosen)
        const contract = await deploy(compiled, chain.signer)
        await register(contract, key)
        const honest = receipt(statement)
        const { args } = toSolidityArguments(honest, key)
        expect(await contract.verifyInference(...args)).toBe(true)
        const forged = edit(honest, ["statement", "context"], hash32("another"))
        expect(await contract.verifyInference(...toSolidityArguments(forged, key).args)).toBe(false)
        const verdict = (gasLimit: number): Promise<string> =>
          contract
            .verifyInference(...args, { gasLimit })
            .then(String, (error) => error.revert?.name ?? "out of gas")
        const seen = new Set<string>()
        for (let gas = 220_000; gas < 420_000; gas += 5_000) seen.add(await verdict(gas))
        expect([...seen].filter((text) => text !== "out of gas").sort()).toEqual(["NotEnoughGas", "true"])
      }
    },
  )
})
