/** Requests from beginning to end through the typed helpers: every end of the table, and what is refused before it is paid. */

import type { Wallet } from "ethers"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { attestationDigest, claimOf } from "#src/attest/index.js"
import {
  commitmentOf,
  convictionContext,
  creditOf,
  type EscrowRequest,
  planAnswer,
  planChallenge,
  planConvict,
  planDeliver,
  planEquivocation,
  planRecall,
  planRegisterModel,
  planRequest,
  planSettle,
  planWithdraw,
  requestOf,
  type Step,
  stateOf,
} from "#src/chain/index.js"
import type { Hex } from "#src/statement/strict.js"
import { hostile } from "../support/hostile-contracts.js"
import { lower, people, type Scene, soon, startScene } from "../support/requests.js"

let scene: Scene
beforeAll(async () => {
  scene = await startScene()
})
afterAll(() => scene?.close())

const zero = `0x${"0".repeat(40)}` as const
const credits = async () =>
  await Promise.all(people.map((name) => creditOf(scene.contracts, zero, lower(scene[name]))))

/** Does a step, and says who was credited what by it. */
async function credited(step: Promise<Step>): Promise<Record<string, bigint>> {
  const before = await credits()
  await (await step).send(soon)
  const after = await credits()
  return Object.fromEntries(
    people.flatMap((name, i) => (after[i] === before[i] ? [] : [[name, after[i] - before[i]]])),
  )
}

async function requested(changes?: Parameters<Scene["agreed"]>[0]): Promise<EscrowRequest> {
  const request = await scene.agreed(changes)
  await (await planRequest(scene.contracts, scene.client, request)).send(soon)
  return request
}

async function delivered(answer = 0, changes: Parameters<Scene["agreed"]>[0] = {}) {
  const request = await requested(changes)
  const attestation = await scene.attested(request, answer)
  await (await planDeliver(scene.contracts, scene.operator, request, attestation)).send(soon)
  return { request, attestation }
}

const challenged = async (request: EscrowRequest, by: Wallet = scene.challenger) =>
  await (await planChallenge(scene.contracts, by, request)).send(soon)

const proof = (receipt: unknown) => ({ receipt, verificationKey: scene.oracle.key })

describe("a request", () => {
  it("is answered, challenged, proven and paid", async () => {
    const { contracts, client, operator, challenger } = scene
    const request = await scene.agreed()
    const asked = await planRequest(contracts, client, request)
    expect(asked.pays).toEqual({ token: zero, amount: 1000n })
    expect(asked.ends.map(({ end }) => end)).toContain("Silent")
    await asked.send(soon)
    expect(await stateOf(contracts, request.id)).toMatchObject({ state: "Requested" })
    const attestation = await scene.attested(request)
    const step = await planDeliver(contracts, operator, request, attestation)
    expect(step.pays?.amount).toBe(570n)
    await step.send(soon)
    expect(await stateOf(contracts, request.id)).toMatchObject({
      state: "Delivered",
      attestation: attestationDigest(claimOf(attestation), attestation.domain),
    })
    await challenged(request)
    expect(await stateOf(contracts, request.id)).toMatchObject({
      state: "Challenged",
      challenger: lower(challenger),
    })
    const answer = await planAnswer(contracts, scene.stranger, request, proof(scene.receipt(attestation)))
    expect(answer.ends).toEqual([{ end: "Proven", pays: { operator: 1640n } }])
    expect(await credited(Promise.resolve(answer))).toEqual({ operator: 1640n })
    const before = await scene.provider.getBalance(client.address)
    const out = await planWithdraw(contracts, operator, zero, lower(client))
    expect(out.receives).toBe(1640n)
    await out.send(soon)
    expect((await scene.provider.getBalance(client.address)) - before).toBe(1640n)
    await expect(planWithdraw(contracts, operator, zero)).rejects.toThrow(/nothing to withdraw/)
  })

  it("ends as the table says", async () => {
    const { contracts, stranger, pass } = scene
    const expired = await requested()
    const quiet = await delivered()
    const silent = await delivered()
    await challenged(silent.request)
    await expect(planSettle(contracts, stranger, expired)).rejects.toThrow(
      /waiting for a delivery, until .*Settle it after/,
    )
    await pass(3601)
    expect(await credited(planSettle(contracts, stranger, expired))).toEqual({ client: 1000n })
    expect(await credited(planSettle(contracts, stranger, quiet.request))).toEqual({ operator: 1570n })
    expect(await credited(planSettle(contracts, stranger, silent.request))).toEqual({
      client: 1500n,
      challenger: 140n,
    })
    await expect(planSettle(contracts, stranger, expired)).rejects.toThrow(
      /over: nothing was delivered in time/,
    )
  })

  it("ends by a proof of another output, for whoever it was made for", async () => {
    const { contracts, stranger, client } = scene
    const { request, attestation } = await delivered(7)
    await challenged(request)
    const context = await convictionContext(contracts, request.id, lower(stranger))
    const right = proof(scene.receipt(attestation, 0, context))
    await expect(planConvict(contracts, client, request, right)).rejects.toThrow(/does not convict.*context/)
    const same = proof(scene.receipt(attestation, 7, context))
    await expect(planConvict(contracts, stranger, request, same)).rejects.toThrow(/the output is not the one/)
    expect(await credited(planConvict(contracts, stranger, request, right))).toEqual({
      client: 1500n,
      stranger: 70n,
      challenger: 70n,
    })
  })

  it("ends by a contradiction that somebody filed", async () => {
    const { contracts, stranger } = scene
    const { request, attestation } = await delivered()
    const other = await scene.attested(request, 3)
    await expect(
      planEquivocation(contracts, stranger, attestation, attestation, scene.oracle.key),
    ).rejects.toThrow(/same output/)
    await (await planEquivocation(contracts, stranger, attestation, other, scene.oracle.key)).send(soon)
    const step = await planSettle(contracts, scene.client, request)
    expect(step.ends).toEqual([{ end: "Equivocated", pays: { client: 1500n, shower: 70n } }])
    expect(await credited(Promise.resolve(step))).toEqual({ client: 1500n, stranger: 70n })
  })
})

describe("before anything is sent, it is refused", () => {
  it("whoever the terms do not name", async () => {
    const { contracts, stranger } = scene
    await expect(planRequest(contracts, stranger, await scene.agreed())).rejects.toThrow(/somebody else/)
    const request = await requested()
    const attestation = await scene.attested(request)
    await expect(planDeliver(contracts, stranger, request, attestation)).rejects.toThrow(/somebody else/)
    await expect(planChallenge(contracts, stranger, request)).rejects.toThrow(/waiting for a delivery/)
  })

  it("an attestation that does not fit, and a proof of something else", async () => {
    const { contracts, operator } = scene
    const request = await requested()
    const another = await requested()
    const attestation = await scene.attested(request)
    await expect(planDeliver(contracts, operator, another, attestation)).rejects.toThrow(
      /its `request` is another/,
    )
    const forged = { ...attestation, output: `0x${"1".repeat(64)}` }
    await expect(planDeliver(contracts, operator, request, forged)).rejects.toThrow(/signed by/)
    const elsewhere = { ...attestation, domain: "offline" }
    await expect(planDeliver(contracts, operator, request, elsewhere)).rejects.toThrow(/another place/)
    await (await planDeliver(contracts, operator, request, attestation)).send(soon)
    const wrong = proof(scene.receipt(attestation, 1))
    await expect(planAnswer(contracts, operator, request, wrong)).rejects.toThrow(
      /does not prove what was delivered/,
    )
    const other = await scene.attested(another)
    const replayed = proof(scene.receipt(other))
    await expect(planAnswer(contracts, operator, request, replayed)).rejects.toThrow(/context/)
    // with the attestation that the receipt is for, it is that one which was not delivered
    await expect(
      planAnswer(contracts, operator, request, replayed, { attestation: claimOf(other) }),
    ).rejects.toThrow(/not the one that was delivered/)
  })

  it("a request whose id is another's, or that is another chain's or escrow's", async () => {
    const { contracts, operator } = scene
    const request = await requested()
    const elsewhere = (chainId: number, escrow: Hex) => requestOf(request.terms, chainId, escrow)
    for (const given of [
      elsewhere(request.chainId + 1, request.escrow),
      elsewhere(request.chainId, lower(operator)),
    ])
      await expect(planChallenge(contracts, operator, given)).rejects.toThrow(/of another chain or escrow/)
    const edited = { ...request, terms: { ...request.terms, price: "1" } }
    await expect(planChallenge(contracts, operator, edited)).rejects.toThrow(/the terms have another id/)
  })

  it("terms that nobody could keep, in words", async () => {
    const ask = async (changes: Parameters<Scene["agreed"]>[0]) =>
      planRequest(scene.contracts, scene.client, await scene.agreed(changes))
    await expect(ask({ challengeWindow: 0 })).rejects.toThrow(
      /nobody could keep these terms: `challengeWindow`/,
    )
    await expect(ask({ key: `0x${"5".repeat(64)}` })).rejects.toThrow(/no key of this digest is registered/)
    await expect(ask({ price: `${10n ** 21n}` })).rejects.toThrow(/too little ETH/)
    await expect(ask({ model: `0x${"5".repeat(64)}` })).rejects.toMatchObject({
      name: "ChainError",
      problem: "refused",
      revert: { name: "WrongModel" },
    })
  })
})

describe("a price in tokens", () => {
  it("is locked after an approval of exactly that, and with what the token keeps", async () => {
    const { contracts, client, deployment } = scene
    const coin = await hostile("HostileToken", scene.signer)
    const token = `${coin.target}`.toLowerCase() as Hex
    const mined = async (sent: Promise<{ wait(): Promise<unknown> }>) => await (await sent).wait()
    const request = await scene.agreed({ token, price: "900" })
    await expect(planRequest(contracts, client, request)).rejects.toThrow(/too little of token/)
    await mined(coin.mint(client.address, 5000))
    await expect(planRequest(contracts, client, request)).rejects.toThrow(
      /may not take.*allowance of 900.*given 0/,
    )
    const plan = await planRequest(contracts, client, request, { approve: true })
    expect(plan).toMatchObject({ approves: { token, amount: 900n }, gas: null })
    await plan.send(soon)
    expect(await stateOf(contracts, request.id)).toMatchObject({ state: "Requested" })
    expect(await coin.allowance(client.address, deployment.contracts.Escrow)).toBe(0n)
    await mined(coin.setFee(10))
    const more = await scene.agreed({ token, price: "900" })
    const short = await planRequest(contracts, client, more, { approve: true })
    await expect(short.send(soon)).rejects.toMatchObject({
      revert: { name: "TooLittle", args: [900n, 810n] },
    })
    await (await planRequest(contracts, client, more, { approve: true, gross: 1001n })).send(soon)
    expect(await creditOf(contracts, token, lower(client))).toBe(1n)
    await scene.pass(601)
    await (await planSettle(contracts, scene.stranger, more)).send(soon)
    await expect(planWithdraw(contracts, scene.operator, token)).rejects.toThrow(/nothing to withdraw/)
    const out = await planWithdraw(contracts, client, token)
    expect(out.receives).toBe(901n)
    await out.send(soon)
  })
})

describe("a recalled model", () => {
  it("gives the price back, unless it was recalled after the window", async () => {
    const { contracts, stranger, operator } = scene
    const commitment = commitmentOf(scene.oracle.key, "https://example.org/card")
    const registering = await planRegisterModel(contracts, stranger, commitment)
    const { modelId } = registering
    await registering.send(soon)
    const registry = scene.deployment.contracts.ModelRegistry
    const [before, after] = [
      await delivered(0, { registry, modelId }),
      await delivered(0, { registry, modelId, challengeWindow: 5 }),
    ]
    await scene.pass(6)
    await expect(planRecall(contracts, operator, modelId)).rejects.toThrow(/is not the model's owner/)
    await (await planRecall(contracts, stranger, modelId)).send(soon)
    const ended = await planSettle(contracts, stranger, after.request)
    expect(ended.ends).toEqual([{ end: "Unchallenged", pays: { operator: 1570n } }])
    expect(await credited(Promise.resolve(ended))).toEqual({ operator: 1570n })
    const answer = await planAnswer(
      contracts,
      operator,
      before.request,
      proof(scene.receipt(before.attestation)),
    )
    expect(answer.ends).toEqual([{ end: "Recalled", pays: { client: 1000n, operator: 570n } }])
    expect(await credited(Promise.resolve(answer))).toEqual({ client: 1000n, operator: 570n })
    await expect(
      planRequest(contracts, scene.client, await scene.agreed({ registry, modelId })),
    ).rejects.toThrow(/or the model was recalled/)
  })
})
