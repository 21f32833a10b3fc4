/** The watcher: wrong answers are challenged in time and once, through restarts, blocks taken back and a bad endpoint. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  beginning,
  connect,
  type Judge,
  openContracts,
  parsePlace,
  type WatchEvent,
  type WatchOptions,
  watch,
} from "#src/chain/index.js"
import { type Scene, startScene } from "../support/requests.js"
import { delivered as deliver, judgeOf, mine as mineOn, stateIn, watcherOf } from "../support/watchers.js"

let scene: Scene
beforeAll(async () => {
  scene = await startScene()
})
afterAll(() => scene?.close())

const judge: Judge = (claim, digest) => judgeOf(scene)(claim, digest)
const delivered = (answer: number, challengeWindow = 3600) => deliver(scene, answer, { challengeWindow })
const mine = (blocks: number) => mineOn(scene, blocks)
const state = (id: `0x${string}`) => stateIn(scene, { id })
const watcher = (options: WatchOptions = {}) => watcherOf(scene, options)

describe("a watcher", () => {
  it("challenges a wrong answer when it stands, and no right one", async () => {
    const [wrong, right] = [await delivered(7), await delivered(0)]
    const { look, said, place } = watcher()
    await look()
    expect(await state(wrong.id)).toBe("Delivered")
    await mine(3)
    await look()
    await look()
    expect([await state(wrong.id), await state(right.id)]).toEqual(["Challenged", "Delivered"])
    expect([said(wrong), said(right)]).toEqual([["wrong", "challenged"], ["right"]])
    await mine(4)
    await look()
    expect(place().watched).toEqual([])
  })

  it("waits for no blocks when the window closes, and says what it missed", async () => {
    const [urgent, late] = [await delivered(7, 500), await delivered(7, 60)]
    await scene.pass(100)
    const { look, said } = watcher()
    await look()
    expect([await state(urgent.id), await state(late.id)]).toEqual(["Challenged", "Delivered"])
    expect([said(urgent), said(late)]).toEqual([["wrong", "challenged"], ["missed"]])
  })

  it("takes up an input that it learns later, and stakes no more than allowed", async () => {
    const { id } = await delivered(7)
    await mine(3)
    const { look, said, all } = watcher({ mostStake: 69n })
    await look(() => ({ verdict: "unknown", reason: "the input is not known" }))
    await look()
    expect(said({ id })).toEqual(["unknown", "wrong", "failed"])
    expect(await state(id)).toBe("Delivered")
    Object.assign(all, { mostStake: 70n })
    await look()
    expect(await state(id)).toBe("Delivered")
    await scene.pass(460)
    await look()
    expect(await state(id)).toBe("Challenged")
  })

  it("sends nothing twice after an end between signing and the block", async () => {
    const { provider, challenger } = scene
    const { id } = await delivered(7)
    await mine(3)
    await provider.send("evm_setAutomine", [false])
    const { look, said } = watcher({ sending: { pollMs: 20, waitMs: 50 } })
    const before = await provider.getTransactionCount(challenger.address, "pending")
    await look()
    await look()
    expect(await provider.getTransactionCount(challenger.address, "pending")).toBe(before + 1)
    await provider.send("evm_setAutomine", [true])
    await mine(1)
    await look()
    expect(await state(id)).toBe("Challenged")
    expect(said({ id }).at(-1)).toBe("challenged")
  })

  it("goes back where the chain did, and challenges again", async () => {
    const { provider } = scene
    const before = await provider.send("evm_snapshot", [])
    const gone = await delivered(7)
    await mine(6)
    const { look, said, events } = watcher()
    await look()
    expect(await state(gone.id)).toBe("Challenged")
    await provider.send("evm_revert", [before])
    await look()
    expect(events.at(-1)?.what).toBe("behind")
    const { id } = await delivered(9)
    await mine(12)
    await look()
    expect(events.map(({ what }) => what)).toContain("reorganised")
    expect([await state(gone.id), await state(id)]).toEqual(["None", "Challenged"])
    expect(said({ id })).toEqual(["wrong", "challenged"])
  })

  it("comes through an endpoint that fails half of the time", async () => {
    let calls = 0
    const proxy = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      // the answer may be lost after the call was made
      const lost = ++calls % 2 === 1
      const answer = await fetch(scene.url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: Buffer.concat(chunks),
      })
      const text = await answer.text()
      if (lost) request.socket.destroy()
      else response.setHeader("content-type", "application/json").end(text)
    })
    await new Promise<void>((listening) => proxy.listen(0, "127.0.0.1", listening))
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
    const provider = await connect(url, { pauseMs: 1, attempts: 8 })
    try {
      const { id } = await delivered(7)
      await mine(3)
      const contracts = await openContracts(scene.deployment, provider)
      const signer = scene.challenger.connect(provider)
      const before = await scene.provider.getTransactionCount(signer.address)
      const { all, said } = watcher()
      const stop = new AbortController()
      const onEvent = async (event: WatchEvent) => {
        await all.onEvent?.(event)
        if (event.id === id && event.what === "challenged") stop.abort()
      }
      const options = { ...all, onEvent, everyMs: 20, signal: stop.signal }
      await watch(contracts, signer, beginning(contracts), judge, options)
      expect(await state(id)).toBe("Challenged")
      expect(said({ id }).at(-1)).toBe("challenged")
      expect(await scene.provider.getTransactionCount(signer.address)).toBe(before + 1)
    } finally {
      provider.destroy()
      proxy.closeAllConnections()
      proxy.close()
    }
  })

  it("refuses a place elsewhere, and a malformed one", () => {
    const place = beginning(scene.contracts)
    expect(() => parsePlace({ ...place, chainId: 5 }, scene.contracts)).toThrow(/another chain/)
    const mark = { number: 3, hash: `0x${"1".repeat(64)}` }
    expect(() => parsePlace({ ...place, trail: [mark, mark] }, scene.contracts)).toThrow(/ascend/)
  })
})
