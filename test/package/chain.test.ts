/** `countersign/chain` from the tarball: a script of somebody's own that deploys, requests, delivers and settles. */
import { execFileSync } from "node:child_process"
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { type Chain, startChain } from "../../examples/chain.js"
import { installed, root } from "../support/installed.js"
import { layoutOf, mirageOracle, statementOf } from "../support/mirage-oracle.js"
import { ceremony } from "../support/provenances.js"

const script = `
import { readFileSync } from "node:fs"
import {
  attest, layoutDigest, sideDigests, signAttestation, toAddress, zeroAddress, zeroDigest,
} from "countersign/attest"
import {
  abiOf, ChainError, chainTime, connect, creditOf, deployContracts, openContracts, payouts,
  planDeliver, planRegisterKey, planRequest, planSettle, planWithdraw, requestOf, stateOf,
  type Deployment, type Plan, type State, type Step, type Terms,
} from "countersign/chain"
import { keyDigest, parseVerificationKey, type Statement } from "countersign/verifier"
import { Interface, Wallet } from "ethers"

const [url = "", one = "", other = ""] = process.argv.slice(2)
const verificationKey = parseVerificationKey(readFileSync("key.json", "utf8"))
const statement = JSON.parse(readFileSync("statement.json", "utf8")) as Statement
const provider = await connect(url)
const [client, operator] = [new Wallet(one, provider), new Wallet(other, provider)]
const sending = { pollMs: 20 } as const
const { deployment }: { deployment: Deployment } = await deployContracts(client, sending)
const contracts = await openContracts(JSON.stringify(deployment), provider)
const registered: Plan = await planRegisterKey(contracts, client, verificationKey)
await registered.send(sending)

const terms: Terms = {
  client: toAddress(client.address), operator: toAddress(operator.address), token: zeroAddress,
  price: "1000", damages: "500", costs: "70",
  key: keyDigest(verificationKey), model: verificationKey.model, layout: layoutDigest(verificationKey.layout),
  registry: zeroAddress, modelId: zeroDigest, policy: zeroDigest,
  input: sideDigests(statement, verificationKey.layout).input,
  deliverBy: (await chainTime(contracts)) + 600, challengeWindow: 60, answerWindow: 60, salt: zeroDigest,
}
const escrow = deployment.contracts["Escrow"]
if (escrow === undefined) throw new Error("no escrow")
const request = requestOf(terms, deployment.chainId, escrow)
const states: State[] = []
const does = async (step: Step) => {
  await step.send(sending)
  states.push((await stateOf(contracts, request.id)).state)
}
await does(await planRequest(contracts, client, request))
const issued = await chainTime(contracts)
const claim = attest({ statement, verificationKey }, {
  operator: terms.operator, policy: terms.policy, request: request.id,
  started: issued, issued, validUntil: issued + 1000,
})
const attestation = await signAttestation(claim, contracts.domain, operator)
await does(await planDeliver(contracts, operator, request, attestation))
const early = await planSettle(contracts, client, request).then(() => null, (error: unknown) => error)
if (!(early instanceof ChainError) || early.problem !== "refused") throw early
await provider.send("evm_increaseTime", [61])
await provider.send("evm_mine", [])
await does(await planSettle(contracts, client, request))
const paid: bigint = await creditOf(contracts, zeroAddress, terms.operator)
const expected = payouts("Unchallenged", { price: 1000n, damages: 500n, costs: 70n }, { challenged: false })
await (await planWithdraw(contracts, operator, zeroAddress)).send(sending)
const events = new Interface(abiOf("Escrow")).getEvent("Delivered")?.name
console.log(JSON.stringify({ states, paid: String(paid), expected: String(expected.operator), events }))
provider.destroy()
`

let folder: string
let chain: Chain
beforeAll(async () => {
  chain = await startChain()
  folder = installed()
  const { key } = mirageOracle(layoutOf("public"), { setup: ceremony, seed: "package" })
  writeFileSync(join(folder, "key.json"), JSON.stringify(key))
  writeFileSync(join(folder, "statement.json"), JSON.stringify(statementOf(key)))
  writeFileSync(join(folder, "script.ts"), script)
})
afterAll(async () => {
  await chain?.close()
  if (folder) rmSync(folder, { recursive: true, force: true })
})

/** Compiles the script, and says what the compiler does. */
function compiled(resolution: string): string {
  const module = resolution === "bundler" ? "esnext" : resolution
  const options = { module, moduleResolution: resolution, target: "es2022", strict: true, types: ["node"] }
  const stricter = {
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noPropertyAccessFromIndexSignature: true,
    skipLibCheck: true,
    outDir: resolution,
  }
  const config = `tsconfig.${resolution}.json`
  const compilerOptions = { ...options, ...stricter }
  writeFileSync(join(folder, config), JSON.stringify({ compilerOptions, files: ["script.ts"] }))
  try {
    return execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", config], {
      cwd: folder,
      encoding: "utf8",
      stdio: "pipe",
    })
  } catch (error) {
    return String((error as { stdout?: string }).stdout)
  }
}

it.each(["node16", "bundler"])("compiles under %s, strictly, and runs on a chain", async (resolution) => {
  expect(compiled(resolution)).toBe("")
  // a chain as it was for each
  const fresh = await chain.provider.send("evm_snapshot", [])
  const keys = [
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
  ]
  const said = execFileSync(process.execPath, [`${resolution}/script.js`, chain.url, ...keys], {
    cwd: folder,
    encoding: "utf8",
  })
  expect(JSON.parse(said)).toEqual({
    states: ["Requested", "Delivered", "Unchallenged"],
    paid: "1570",
    expected: "1570",
    events: "Delivered",
  })
  await chain.provider.send("evm_revert", [fresh])
})
