/** A watcher that somebody wants to stop, bury or rob, and one whose own disk, endpoint or judge fails. */
import type { Contract } from "ethers"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { claimOf, typedDomain, typesOf } from "#src/attest/index.js"
import {
  ChainError,
  type Contracts,
  connect,
  deliveredAttestation,
  type EscrowRequest,
  type Judge,
  openContracts,
  planAnswer,
  planChallenge,
  planDeliver,
  planRequest,
  planSettle,
  type Terms,
  watchOnce,
} from "#src/chain/index.js"
import { unworthy } from "#src/chain/stakes.js"
import { hash32 } from "../support/groth16-oracle.js"
import { type Scene, soon, startScene } from "../support/requests.js"
import { delivered, judgeOf, mine, stateIn, watcherOf } from "../support/watchers.js"

let scene: Scene
let clean: string
beforeAll(async () => {
  scene = await startScene()
  clean = await scene.provider.send("evm_snapshot", [])
})
afterAll(() => scene?.close())

/** Takes the chain back, so that each test has it for itself. */
const fresh = async () => {
  await scene.provider.send("evm_revert", [clean])
  clean = await scene.provider.send("evm_snapshot", [])
}
const wrongAnswer = (terms: Partial<Terms> = {}) => delivered(scene, 7, terms)
const state = (request: { readonly id: `0x${string}` }) => stateIn(scene, request)
const nonce = () => scene.provider.getTransactionCount(scene.challenger.address)

/** The contracts with another log of the escrow. */
const withLog = (queryFilter: Contract["queryFilter"]): Contracts => {
  const { contracts } = scene
  const Escrow = new Proxy(contracts.at.Escrow, {
    get: (target, name) => (name === "queryFilter" ? queryFilter : Reflect.get(target, name)),
  })
  return { ...contracts, at: { ...contracts.at, Escrow } }
}

describe("a watcher that ends at any moment", () => {
  it("challenges the wrong answer once, and the right one never", async () => {
    await fresh()
    const [wrong, right] = [await wrongAnswer(), await delivered(scene, 0)]
    await mine(scene, 4)
    const provider = await connect(scene.url)
    try {
      const contracts = await openContracts(scene.deployment, provider)
      const signer = scene.challenger.connect(provider)
      const send = provider._send.bind(provider)
      let calls = 0
      let last = Number.POSITIVE_INFINITY
      let ended = false
      const end = () => {
        ended = true
        throw new Error("the process has ended")
      }
      provider._send = async (payload) => (++calls > last ? end() : await send(payload))
      let before = await scene.provider.send("evm_snapshot", [])
      let runs = 0
      for (last = 1; runs === 0 || ended; last++, runs++) {
        await scene.provider.send("evm_revert", [before])
        before = await scene.provider.send("evm_snapshot", [])
        const sentBefore = await nonce()
        const disk = watcherOf(scene, {}, contracts, signer)
        const save = disk.all.save
        // an ended process writes nothing, and says nothing
        Object.assign(disk.all, {
          save: (place: never) => (ended ? undefined : save?.(place)),
          sending: { ...soon, waitMs: 0 },
        })
        ;[calls, ended] = [0, false]
        await disk.look().catch((error: Error) => expect(error.message).toMatch(/process has ended/))
        const stopped = ended
        ;[calls, ended] = [Number.NEGATIVE_INFINITY, false]
        await disk.look()
        await disk.look()
        expect(await nonce(), `ended at call ${last}`).toBe(sentBefore + 1)
        expect([await state(wrong), await state(right)]).toEqual(["Challenged", "Delivered"])
        expect(disk.said(wrong).at(-1)).toBe("challenged")
        expect(disk.place().stakes).toMatchObject([{ id: wrong.id, outcome: "out" }])
        ended = stopped
      }
      // reading, planning, sending and finishing were all cut
      expect(runs).toBeGreaterThan(20)
    } finally {
      provider.destroy()
    }
  })
})

describe("a chain that takes blocks back", () => {
  it("may replace the wrong answer by the right one, which is not challenged", async () => {
    await fresh()
    const { contracts, client, operator, provider } = scene
    const request = await scene.agreed()
    await (await planRequest(contracts, client, request)).send(soon)
    const before = await provider.send("evm_snapshot", [])
    const deliver = async (answer: number) =>
      (await planDeliver(contracts, operator, request, await scene.attested(request, answer))).send(soon)
    await deliver(7)
    const { look, said, place } = watcherOf(scene)
    await look()
    await provider.send("evm_revert", [before])
    await deliver(0)
    await mine(scene, 8)
    await look()
    await look()
    expect(await state(request)).toBe("Delivered")
    expect(said(request)).toEqual(["wrong", "right"])
    expect(place().watched).toEqual([])
  })

  it("may take the challenge back, which is made again", async () => {
    await fresh()
    const { provider } = scene
    const request = await wrongAnswer()
    await mine(scene, 4)
    const before = await provider.send("evm_snapshot", [])
    const { look, said, events } = watcherOf(scene)
    await look()
    expect(await state(request)).toBe("Challenged")
    await provider.send("evm_revert", [before])
    await mine(scene, 1)
    await look()
    expect(await state(request)).toBe("Challenged")
    expect(said(request)).toEqual(["wrong", "challenged", "wrong", "challenged"])
    expect(events.map(({ reason }) => reason).join()).toMatch(/took the challenge back/)
  })
})

describe("an endpoint", () => {
  it("of another chain is told, and its log believed in nothing", async () => {
    await fresh()
    const request = await wrongAnswer()
    await mine(scene, 4)
    const provider = await connect(scene.url)
    try {
      const contracts = await openContracts(scene.deployment, provider)
      const send = provider.send.bind(provider)
      let elsewhere = true
      provider.send = async (method, params) =>
        method === "eth_chainId" && elsewhere ? "0x5" : await send(method, params)
      const { look, place } = watcherOf(scene, {}, contracts, scene.challenger.connect(provider))
      await expect(look()).rejects.toThrow(/another chain/)
      expect(place().trail).toEqual([])
      elsewhere = false
      await look()
      expect(await state(request)).toBe("Challenged")
    } finally {
      provider.destroy()
    }
  })

  it("that refuses long ranges of the log is asked for short ones", async () => {
    await fresh()
    const request = await wrongAnswer()
    await mine(scene, 9)
    let refused = 0
    const contracts = withLog(async (filter, from, to) => {
      if (Number(to) > Number(from)) {
        refused++
        throw Object.assign(new Error("x"), {
          code: "UNKNOWN_ERROR",
          info: { error: { message: "query returned more than 10000 results" } },
        })
      }
      return await scene.contracts.at.Escrow.queryFilter(filter, from, to)
    })
    const { look } = watcherOf(scene, {}, contracts)
    await look()
    expect(refused).toBeGreaterThan(3)
    expect(await state(request)).toBe("Challenged")
  })
})

describe("somebody who buries a wrong answer", () => {
  it("under thousands of others, does not slow the watcher or fill its disk", async () => {
    await fresh()
    const request = await wrongAnswer()
    await mine(scene, 4)
    const { at, provider } = scene.contracts
    const event = (await at.Escrow.queryFilter(at.Escrow.filters.Delivered(request.id))).at(-1)
    // each a delivery that ends earlier, of requests that nobody made
    const bait = (i: number) =>
      new Proxy(event as object, {
        get(target, name) {
          if (name !== "args") return Reflect.get(target, name)
          const { args } = event as unknown as {
            args: Record<string, unknown> & { getValue(name: string): unknown }
          }
          const own: Record<string, unknown> = { id: hash32(`bait ${i}`), digest: hash32(`bait ${i}`) }
          return {
            ...own,
            deadline: Number(args.deadline) - 1 - i,
            getValue: (key: string) => args.getValue(key),
          }
        },
      })
    const baits = Array.from({ length: 5_000 }, (_, i) => bait(i))
    const contracts = withLog(async () => [...baits.slice(0, 2_500), event, ...baits.slice(2_500)] as never)
    const judge: Judge = (claim, digest) => {
      const n = baits.length
      if (digest === (event as unknown as { args: { digest: string } }).args.digest)
        return judgeOf(scene)(claim, digest)
      return Number(BigInt(digest) % BigInt(n)) % 2 === 0
        ? { verdict: "foreign", reason: "another model" }
        : { verdict: "unknown", reason: "its input is not known" }
    }
    let calls = 0
    const counted = new Proxy(provider, {
      get(target, name) {
        calls++
        const value = Reflect.get(target, name)
        return typeof value === "function" ? value.bind(target) : value
      },
    })
    const { look, told, place } = watcherOf(scene, { mostOpen: 100 }, { ...contracts, provider: counted })
    await look(judge)
    expect(await state(request)).toBe("Challenged")
    expect(calls).toBeLessThan(200)
    expect(place().watched.length).toBeLessThanOrEqual(100)
    expect(told("unknown").length).toBeLessThanOrEqual(64)
    const skipped = told("skipped").join()
    expect(skipped).toMatch(/about another model or key/)
    expect(skipped).toMatch(/unknown, and there is no room for more/)
  })

  it("with times that no double holds, does not hide it", async () => {
    await fresh()
    const { contracts, client, operator } = scene
    const request = await scene.agreed()
    await (await planRequest(contracts, client, request)).send(soon)
    const claim = { ...claimOf(await scene.attested(request, 7)), validUntil: 2n ** 64n - 1n }
    const signature = await operator.signTypedData(
      typedDomain(contracts.domain),
      typesOf("Attestation"),
      claim,
    )
    const escrow = contracts.at.Escrow.connect(operator) as Contract
    await (await escrow.deliver(request.terms, claim, signature, 570n, { value: 570n })).wait()
    await mine(scene, 4)
    const { look, said } = watcherOf(scene)
    await look()
    expect(said(request)).toEqual(["wrong", "challenged"])
  })

  it("with requests whose challenge brings nothing, pays for them alone", async () => {
    await fresh()
    const bait = await wrongAnswer({ costs: "0" })
    const request = await wrongAnswer()
    await mine(scene, 4)
    const { look, said } = watcherOf(scene, { leastStake: 70n })
    await look()
    await look()
    expect([await state(bait), await state(request)]).toEqual(["Delivered", "Challenged"])
    expect(said(bait)).toEqual(["wrong", "left"])
  })

  it("in a token that was not allowed, is left before that is called", async () => {
    const token = `0x${"e".repeat(40)}` as const
    const foreign = await scene.agreed({ token })
    expect(unworthy(foreign, {})).toMatch(/not allowed/)
    expect(unworthy(foreign, { tokens: [token] })).toBeNull()
    expect(unworthy(await scene.agreed(), {})).toBeNull()
  })
})

describe("a watcher whose own parts fail", () => {
  it("leaves one that the judge cannot judge, and no other", async () => {
    await fresh()
    const [odd, request] = [await wrongAnswer({ challengeWindow: 3000 }), await wrongAnswer()]
    await mine(scene, 4)
    const { look, said, told } = watcherOf(scene)
    let broken = true
    const judge: Judge = (claim, digest) => {
      if (broken && said(request).length === 0) {
        broken = false
        throw new TypeError("out of order")
      }
      return judgeOf(scene)(claim, digest)
    }
    await look(judge)
    expect([await state(odd), await state(request)]).toEqual(["Delivered", "Challenged"])
    expect(told("failed")).toEqual(["the judge failed: out of order"])
    await scene.pass(400)
    await look(judge)
    expect(await state(odd)).toBe("Challenged")
  })

  it("challenges although its log and disk refuse, and says so in the end", async () => {
    await fresh()
    const request = await wrongAnswer()
    await mine(scene, 4)
    const full = () => {
      throw new Error("no space left")
    }
    for (const broken of [{ onEvent: full }, { save: full }]) {
      const { look } = watcherOf(scene, broken)
      await expect(look()).rejects.toThrow("no space left")
      expect(await state(request)).toBe("Challenged")
    }
  })
})

describe("stakes", () => {
  it("of two watchers at once: one challenges, the other has lost nothing", async () => {
    await fresh()
    const request = await wrongAnswer()
    await mine(scene, 4)
    const both = [watcherOf(scene), watcherOf(scene, {}, scene.contracts, scene.stranger)]
    await Promise.all(both.map(({ look }) => look()))
    await Promise.all(both.map(({ look }) => look()))
    expect(await state(request)).toBe("Challenged")
    const ends = both.map(({ said }) => said(request).at(-1)).sort()
    expect(ends).toEqual(["challenged", "left"])
    expect(both.map(({ place }) => place().stakes.length).sort()).toEqual([0, 1])
    // and of the same account, with one place each
    const twins = [await wrongAnswer(), [watcherOf(scene), watcherOf(scene)]] as const
    await mine(scene, 4)
    await Promise.all(twins[1].map(({ look }) => look()))
    await Promise.all(twins[1].map(({ look }) => look()))
    expect(await state(twins[0])).toBe("Challenged")
    expect(twins[1].map(({ said }) => said(twins[0]).at(-1))).toEqual(["challenged", "challenged"])
  })

  it("that somebody else made first are left", async () => {
    await fresh()
    const request = await wrongAnswer()
    await mine(scene, 4)
    await (await planChallenge(scene.contracts, scene.stranger, request)).send(soon)
    const before = await nonce()
    const { look, said } = watcherOf(scene)
    await look()
    expect(said(request)).toEqual(["left"])
    expect(await nonce()).toBe(before)
  })

  it("never exceed the budget, and count until they are back", async () => {
    await fresh()
    const requests: EscrowRequest[] = []
    for (const challengeWindow of [9000, 9100, 9200]) requests.push(await wrongAnswer({ challengeWindow }))
    await mine(scene, 4)
    const { look, said, told, place } = watcherOf(scene, { budget: 150n })
    await look()
    const states = async () => await Promise.all(requests.map(state))
    expect(await states()).toEqual(["Challenged", "Challenged", "Delivered"])
    expect(said(requests[2])).toEqual(["wrong", "failed"])
    expect(told("failed")[0]).toMatch(/at most 150/)
    await scene.pass(1900)
    for (const request of requests.slice(0, 2))
      await (await planSettle(scene.contracts, scene.stranger, request)).send(soon)
    await mine(scene, 4)
    // what came back is seen at the end of a round
    await look()
    expect(place().stakes).toEqual([])
    expect(said(requests[0])).toEqual(["wrong", "challenged", "won"])
    await scene.pass(1200)
    await look()
    expect(await states()).toEqual(["Silent", "Silent", "Challenged"])
  })

  it("lost to a proof end the watcher's challenges: it is mistaken", async () => {
    await fresh()
    const right = await delivered(scene, 0)
    await mine(scene, 4)
    const mistaken: Judge = () => ({ verdict: "wrong", reason: "a damaged model" })
    const { look, said, told, place } = watcherOf(scene)
    await look(mistaken)
    const { contracts, operator, oracle } = scene
    const attestation = await deliveredAttestation(contracts, right.id)
    const proof = { receipt: scene.receipt(attestation, 0), verificationKey: oracle.key }
    await (await planAnswer(contracts, operator, right, proof)).send(soon)
    await mine(scene, 4)
    await look(mistaken)
    expect(said(right)).toEqual(["wrong", "challenged", "lost"])
    expect(place().stakes).toMatchObject([{ id: right.id, outcome: "mistaken" }])
    const next = await wrongAnswer()
    await mine(scene, 4)
    await look(mistaken)
    expect(await state(next)).toBe("Delivered")
    expect(told("failed")[0]).toMatch(/mistaken, at request/)
  })
})

it("a typed error says what a round ended with", async () => {
  const nobody = await connect(scene.url)
  const contracts = { ...scene.contracts, provider: nobody }
  nobody.send = async () => "0x7"
  const place = watcherOf(scene).place()
  await expect(watchOnce(contracts, scene.challenger, place, judgeOf(scene))).rejects.toBeInstanceOf(
    ChainError,
  )
  nobody.destroy()
})
