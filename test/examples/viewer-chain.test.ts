/** What the viewer of examples/page says of contracts on a local chain, without a page. */
import { CountersignVerifier } from "countersign/artifacts"
import { keccak256 } from "ethers"
import { afterAll, beforeAll, expect, it } from "vitest"
import type { Deployment } from "#src/chain/index.js"
import { type Hex, solidityKey } from "#src/verifier/index.js"
import { deploy, type Chain as Local, startChain } from "../../examples/chain.js"
import { type Chain, openChain } from "../../examples/page/view-chain.js"
import type { Line, Verdict } from "../../examples/page/view-report.js"
import { documents } from "../support/viewer-documents.js"

let local: Local
let chain: Chain
let made: Awaited<ReturnType<typeof documents>>
/** One that has the key, and one that has not. */
let [address, empty] = ["", ""]
let deployment: Deployment
beforeAll(async () => {
  local = await startChain()
  const [verifier, other] = [
    await deploy(CountersignVerifier, local.signer),
    await deploy(CountersignVerifier, local.signer),
  ]
  address = `${verifier.target}`
  empty = `${other.target}`
  made = await documents()
  await (await verifier.registerKey(solidityKey(made.key))).wait()
  chain = await openChain(local.url)
  deployment = {
    version: 1,
    chainId: 31337,
    contracts: { CountersignVerifier: address.toLowerCase() as Hex },
    code: { CountersignVerifier: keccak256(await local.provider.getCode(address)) as Hex },
  }
})
afterAll(async () => {
  chain?.close()
  await local?.close()
})

const text = (lines: readonly Line[]) => lines.map((x) => `${x.verdict}: ${x.text}`).join("\n")
const ask = async (to: string, here: Verdict = "holds", from?: Deployment, receipt = made.receipt) =>
  text(await chain.ask({ address: to, ...(from && { from }) }, receipt, made.key, here))

it("a contract agrees, on the word of an endpoint", async () => {
  expect(chain.chainId).toBe(31337)
  const said = await ask(address)
  expect(said).toMatch(
    /^holds: The contract agrees: verifyInference of 0x\w+ on chain 31337, at block \d+, says that it is valid\.$/m,
  )
  expect(said).toMatch(
    /the word of 127\.0\.0\.1:\d+.*That the code there is a verifier of Countersign, nothing here shows/,
  )
  expect(said).not.toMatch(/somebody can forge/)
  expect(await ask(address, "holds", deployment)).toMatch(
    /The code there is the one that the contracts' file says/,
  )
})

it("a contract disagrees, or says what the page could not check", async () => {
  const { statement } = made.receipt
  const output = { visibility: "public", values: { scores: ["1", "2", "3"] } } as const
  const changed = { ...made.receipt, statement: { ...statement, output } }
  expect(await ask(address, "holds", undefined, changed)).toMatch(
    /^fails: The contract disagrees: .* not valid, and here it is valid/,
  )
  expect(await ask(address, "fails", undefined, changed)).toMatch(/^plain: The contract agrees: .* not valid/)
  expect(await ask(address, "fails")).toMatch(
    /^fails: The contract disagrees: .* is valid, and here it is not/,
  )
  expect(await ask(address, "open")).toMatch(/^holds: verifyInference of .* says that it is valid/)
})

it("no verdict is none", async () => {
  expect(await ask(empty)).toMatch(/^open: No verdict of the contract: .*(key|Key)/)
  expect(await ask(`0x${"12".repeat(20)}`)).toMatch(/^open: There is no contract at 0x1212/)
  expect(await ask(address, "holds", { ...deployment, chainId: 1 })).toMatch(
    /^open: The contracts' file is of chain 1; .* Nothing was asked/,
  )
  const code = { CountersignVerifier: `0x${"34".repeat(32)}` } as const
  expect(await ask(address, "holds", { ...deployment, code })).toMatch(
    /^fails: At 0x\w+ on chain 31337 lies other code/,
  )
  await expect(openChain("http://127.0.0.1:1")).rejects.toThrow(/cannot be reached.*\(CORS\)/)
  await expect(openChain("file:///etc")).rejects.toThrow(/no address of an endpoint/)
})
