/** Endpoints that fail: questions are asked again, a transaction happens once or not at all, and who cannot tell says so. */
import fc from "fast-check"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import {
  ChainError,
  connect,
  deployContracts,
  onChain,
  openContracts,
  planAnchor,
  planRequest,
  send,
  stateOf,
} from "#src/chain/index.js"
import { type Fault, type Flaky, faults, startFlaky } from "../support/flaky.js"
import { hash32 } from "../support/groth16-oracle.js"
import { funded, type Scene, soon, startScene } from "../support/requests.js"

let scene: Scene
let flaky: Flaky
beforeAll(async () => {
  scene = await startScene()
  flaky = await startFlaky(scene.url)
})
afterAll(async () => {
  await flaky?.close()
  await scene?.close()
})
beforeEach(() => {
  flaky.fault = () => null
  flaky.calls.clear()
})

const quick = { timeoutMs: 150, attempts: 4, pauseMs: 1 }
/** Something goes wrong the first few times that a method is called. */
function atFirst(method: string, ...planned: readonly Fault[]): void {
  const left = [...planned]
  flaky.fault = (called) => (called === method ? (left.shift() ?? null) : null)
}

describe("a question", () => {
  it.each(faults)("is asked again when it is %s", async (fault) => {
    const provider = await connect(flaky.url, quick)
    atFirst("eth_getBlockByNumber", fault, fault)
    expect(await provider.getBlock("latest")).toMatchObject({ number: expect.any(Number) })
    expect(flaky.calls.get("eth_getBlockByNumber")).toBe(3)
    provider.destroy()
  })

  it("that is answered with busy to the end is no refusal of a contract's", async () => {
    const provider = await connect(flaky.url, quick)
    const contracts = await openContracts(scene.deployment, provider)
    const sender = await funded(scene, "sender at a busy time", provider)
    for (const method of ["eth_estimateGas", "eth_getBlockByNumber"]) {
      flaky.fault = (called) => (called === method ? "busy" : null)
      const anchored = { log: hash32("busy"), size: 1, root: hash32("root") }
      const planned = planAnchor(contracts, sender, anchored).then((plan) => plan.send(soon))
      await expect(planned, method).rejects.toMatchObject({
        problem: "unreachable",
        message: expect.stringMatching(/the endpoint is busy.*asked 4 times/),
      })
    }
    expect(await made(sender.address)).toBe(0)
    provider.destroy()
  })

  it("that the endpoint does not know or like is told in its words", async () => {
    const provider = await connect(flaky.url, quick)
    const asked = onChain("here", () => provider.send("eth_nonsense", []))
    await expect(asked).rejects.toMatchObject({
      problem: "refused",
      message: expect.stringMatching(/^here: the endpoint refuses: .*not found/i),
    })
    provider.destroy()
  })

  it("is given up after some time, and the error names the host and no secret", async () => {
    flaky.fault = () => "down"
    const secret = `${flaky.url}/v2/secret`
    const error = await connect(secret, quick).then(String, (e: Error) => e)
    expect(error).toMatchObject({ name: "ChainError", problem: "unreachable" })
    expect((error as Error).message).toMatch(/127\.0\.0\.1:\d+: .*HTTP status 503, asked 4 times/)
    expect((error as Error).message).not.toContain("secret")
    await expect(connect("http://127.0.0.1:1", quick)).rejects.toThrow(/cannot be reached/)
    await expect(connect("file:///etc", quick)).rejects.toThrow(/no address of an endpoint/)
    await expect(connect("secret", quick)).rejects.not.toThrow(/secret/)
  })
})

/** Transactions that an account made. */
const made = async (address: string) => await scene.provider.getTransactionCount(address)

describe("a transaction", () => {
  it.each(["lost", "unheard", "late", "down", "busy", "garbage"] as const)(
    "whose sending is %s happens once",
    async (fault) => {
      const provider = await connect(flaky.url, quick)
      const contracts = await openContracts(scene.deployment, provider)
      const sender = await funded(scene, `sender, ${fault}`, provider)
      const plan = await planAnchor(contracts, sender, { log: hash32(fault), size: 1, root: hash32("root") })
      const hashes: string[] = []
      atFirst("eth_sendRawTransaction", fault)
      const done = await plan.send({ ...soon, onSigned: (hash) => hashes.push(hash) })
      expect(hashes).toEqual([done.hash])
      expect(await made(sender.address)).toBe(1)
      provider.destroy()
    },
  )

  it("of which nobody can say whether it happens is told by its hash", async () => {
    const provider = await connect(flaky.url, quick)
    const contracts = await openContracts(scene.deployment, provider)
    const sender = await funded(scene, "sender in the dark", provider)
    const plan = await planAnchor(contracts, sender, { log: hash32("dark"), size: 1, root: hash32("root") })
    let sending = false
    flaky.fault = (method) => {
      if (method === "eth_sendRawTransaction" && !sending) {
        sending = true
        return "unheard"
      }
      return sending ? "down" : null
    }
    const error = await plan.send({ pollMs: 1, waitMs: 100 }).catch((e: unknown) => e)
    expect(error).toMatchObject({
      problem: "unknown",
      transaction: expect.stringMatching(/^0x[0-9a-f]{64}$/),
    })
    expect((error as Error).message).toMatch(/Look it up before you do this again/)
    flaky.fault = () => null
    const { transaction } = error as ChainError
    expect(await scene.provider.getTransactionReceipt(transaction ?? "")).toMatchObject({ status: 1 })
    expect(await made(sender.address)).toBe(1)
    provider.destroy()
  })

  it("happens once or not at all, whatever fails and when", async () => {
    const contracts = scene.contracts
    const fault = fc.option(fc.constantFrom("lost", "unheard", "down", "busy", "garbage"), { freq: 2 })
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { minLength: 1, maxLength: 40 }), async (plan) => {
        const provider = await connect(flaky.url, quick)
        const sender = await funded(scene, `sender ${run++}`, provider)
        const left = [...plan] as (Fault | null)[]
        flaky.fault = () => left.shift() ?? null
        const { data } = await contracts.at.SignOffBook.anchor.populateTransaction(
          hash32("log"),
          run,
          hash32("root"),
        )
        const to = scene.deployment.contracts.SignOffBook
        const outcome = await send(sender, { to, data }, "anchor", { pollMs: 1, waitMs: 2_000 }).catch(
          (error: unknown) => error,
        )
        flaky.fault = () => null
        const count = await made(sender.address)
        if (outcome instanceof ChainError)
          expect(count).toBeLessThanOrEqual(outcome.problem === "unknown" ? 1 : 0)
        else {
          // an error without a type says nothing of whether it happened
          expect(outcome).toMatchObject({ hash: expect.any(String) })
          expect(count).toBe(1)
        }
        provider.destroy()
      }),
      {
        numRuns: 40,
        // the last time that a question is asked, the endpoint is busy
        examples: [[[null, null, "lost", null, "lost", "lost", null, "lost", "busy", null]]],
      },
    )
  })

  it("that fails in its block says why", async () => {
    const { contracts, provider, client } = scene
    const request = await scene.agreed()
    const [first, second] = [
      await planRequest(contracts, client, request),
      await planRequest(contracts, client, request),
    ]
    await first.send(soon)
    await expect(second.send(soon)).rejects.toMatchObject({
      problem: "refused",
      revert: { name: "WrongState" },
    })
    // both in one block: neither could see the other
    const { request: _, ...rival } = { request: null, ...(await scene.agreed()) }
    const plans = [await planRequest(contracts, client, rival), await planRequest(contracts, client, rival)]
    await provider.send("evm_setAutomine", [false])
    try {
      const sent = plans[0].send(soon)
      await expectPending(provider)
      const both = Promise.allSettled([sent, plans[1].send(soon)])
      await new Promise((resolve) => setTimeout(resolve, 300))
      await provider.send("evm_mine", [])
      const [one, other] = await both
      expect(one.status).toBe("fulfilled")
      expect(other).toMatchObject({ status: "rejected", reason: { problem: "refused" } })
    } finally {
      await provider.send("evm_setAutomine", [true])
    }
    expect(await stateOf(contracts, rival.id)).toMatchObject({ state: "Requested" })
  })
})

/** Waits until a transaction is known that stands in no block yet. */
async function expectPending(provider: Scene["provider"]): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const { pending } = await provider.send("txpool_status", [])
    if (BigInt(pending) > 0n) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

describe("a deployment", () => {
  it("is compared with the chain before anything is asked of it", async () => {
    const { deployment, provider } = scene
    const open = (changes: object) => openContracts({ ...deployment, ...changes }, provider)
    await expect(open({ chainId: 1 })).rejects.toThrow(/another chain.*expected chain 1.*given chain 31337/)
    const away = { ...deployment.contracts, Escrow: `0x${"1".repeat(40)}` }
    await expect(open({ contracts: away })).rejects.toThrow(/Escrow at 0x1+: there is no contract.*deploy/)
    const swapped = { ...deployment.contracts, Escrow: deployment.contracts.SignOffBook }
    await expect(open({ contracts: swapped })).rejects.toThrow(/another one than was deployed/)
    const other = await deployContracts(scene.stranger, soon)
    const mixed = {
      contracts: { ...deployment.contracts, SignOffBook: other.deployment.contracts.SignOffBook },
      code: { ...deployment.code, SignOffBook: other.deployment.code.SignOffBook },
    }
    await expect(open(mixed)).rejects.toThrow(/relies on another SignOffBook/)
    await expect(open({ code: {} })).rejects.toThrow(/a digest for each contract/)
    await expect(openContracts("{", provider)).rejects.toMatchObject({ name: "FileError" })
  })
})
