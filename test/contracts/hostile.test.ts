/** Tokens, signers, recipients and registries that parties bring along: they harm whoever chose them, and nobody else. */
import { type Contract, Interface, type JsonRpcSigner, TypedDataEncoder, Wallet, ZeroAddress } from "ethers"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { hash32 } from "../support/groth16-oracle.js"
import { hostile, refusals, silences } from "../support/hostile-contracts.js"
import {
  answerWindow,
  bond,
  challengeWindow,
  costs,
  damages,
  policyDigest,
  price,
  roles,
  type Settlement,
  send,
  startSettlement,
  states,
  types,
} from "../support/settlement.js"

let s: Settlement
let fresh: string
beforeAll(async () => {
  s = await startSettlement()
})
afterAll(() => s?.close())
beforeEach(async () => {
  fresh = await s.provider.send("evm_snapshot", [])
})
afterEach(async () => {
  await s.provider.send("evm_revert", [fresh])
})

describe("a token", () => {
  let token: Contract
  beforeEach(async () => {
    token = await hostile("HostileToken", s.signer)
    for (const who of Object.values(s.parties)) {
      await send(who, token, "mint", [who.address, 10_000n])
      await send(who, token, "approve", [s.escrow.target, 10_000n])
    }
  })
  const credit = (who: JsonRpcSigner): Promise<bigint> => s.escrow.creditOf(token.target, who.address)
  const held = (): Promise<bigint> => token.balanceOf(s.escrow.target)
  const agreed = () => s.terms({ token: token.target })

  /** A request in the token that was delivered and challenged; each pays a gross amount. */
  async function challenged(gross: (due: bigint) => bigint = (due) => due) {
    const { client, operator, challenger } = s.parties
    const terms = await agreed()
    await send(client, s.escrow, "request", [terms, gross(price)])
    const { attestation, signature, digest } = await s.attest(terms)
    await send(operator, s.escrow, "deliver", [terms, attestation, signature, gross(bond)])
    await send(challenger, s.escrow, "challenge", [terms, gross(costs)])
    return { terms, attestation, digest }
  }
  async function silence(terms: object) {
    await s.pass(answerWindow + 1)
    await send(s.parties.stranger, s.escrow, "settle", [terms])
  }

  test("that is like others pays every party as ETH does", async () => {
    const { client, operator, challenger } = s.parties
    const { terms } = await challenged()
    expect(await held()).toBe(price + bond + costs)
    await silence(terms)
    expect([await credit(client), await credit(operator), await credit(challenger)]).toEqual([
      price + damages,
      0n,
      2n * costs,
    ])
    for (const who of [client, challenger]) await send(who, s.escrow, "withdraw", [token.target, who.address])
    expect(await held()).toBe(0n)
    expect(await token.balanceOf(client.address)).toBe(10_000n + damages)
  })

  test("that returns nothing, and refuses to move nothing, is one like others", async () => {
    await send(s.signer as JsonRpcSigner, token, "setSilent", [])
    const { client, operator } = s.parties
    const { terms } = await challenged()
    await silence(terms)
    await send(client, s.escrow, "withdraw", [token.target, client.address])
    const free = await s.terms({ token: token.target, price: 0n, damages: 0n, costs: 0n })
    await send(client, s.escrow, "request", [free, 0n])
    const { attestation, signature } = await s.attest(free)
    await send(operator, s.escrow, "deliver", [free, attestation, signature, 0n])
  })

  test("that keeps a fee is paid with a gross amount, and what arrives too much is the payer's", async () => {
    await send(s.signer as JsonRpcSigner, token, "setFee", [10])
    const { client, operator, challenger } = s.parties
    expect(await s.attempt(client, s.escrow, "request", [await agreed(), price])).toBe(
      `TooLittle(${price}, ${price - price / 10n})`,
    )
    const gross = (due: bigint) => due * 2n
    const arrives = (due: bigint) => gross(due) - gross(due) / 10n
    const { terms } = await challenged(gross)
    const over = [price, bond, costs].map((due) => arrives(due) - due)
    expect(await Promise.all([client, operator, challenger].map(credit))).toEqual(over)
    await silence(terms)
    expect(await Promise.all([client, operator, challenger].map(credit))).toEqual([
      over[0] + price + damages,
      over[1],
      over[2] + 2n * costs,
    ])
    for (const who of [client, operator, challenger])
      await send(who, s.escrow, "withdraw", [token.target, who.address])
    expect(await held()).toBe(0n)
  })

  test("that says it failed, or is no contract, pays for nothing", async () => {
    const { client } = s.parties
    const terms = await agreed()
    expect(await s.attempt(client, s.escrow, "request", [terms, price], { value: price })).toBe(
      `WrongValue(0, ${price})`,
    )
    await send(s.signer as JsonRpcSigner, token, "setLying", [])
    expect(await s.attempt(client, s.escrow, "request", [terms, price])).toBe(
      `SafeERC20FailedOperation(${token.target})`,
    )
    const nobody = await s.terms({ token: `0x${"77".repeat(20)}` })
    expect(await s.attempt(client, s.escrow, "request", [nobody, price])).not.toBe("ok")
  })

  test("that refuses an account cannot keep others from their money, and the account has another's", async () => {
    const { client, challenger, stranger } = s.parties
    const { terms } = await challenged()
    await send(s.signer as JsonRpcSigner, token, "setBlocked", [client.address])
    await silence(terms)
    await send(challenger, s.escrow, "withdraw", [token.target, challenger.address])
    expect(await s.attempt(client, s.escrow, "withdraw", [token.target, client.address])).toBe(
      "Error(blocked)",
    )
    await send(client, s.escrow, "withdraw", [token.target, stranger.address])
    expect(await token.balanceOf(stranger.address)).toBe(10_000n + price + damages)
  })

  test("that calls back while money moves changes nothing", async () => {
    const { client, operator, stranger } = s.parties
    const { terms, attestation, digest } = await challenged()
    const words = s.subject.words()
    const other = await agreed()
    const calls: [string, unknown[]][] = [
      ["request", [other, price]],
      ["deliver", [terms, attestation, "0x", bond]],
      ["challenge", [terms, costs]],
      ["answer", [terms, attestation, words, s.subject.proof(digest, words)]],
      ["convict", [terms, attestation, "0x", words, s.subject.proof(digest, words)]],
      ["equivocated", [terms]],
      ["settle", [terms]],
      ["withdraw", [token.target, stranger.address]],
    ]
    const reentered = s.escrow.interface.encodeErrorResult("Reentered", [])
    for (const [method, args] of calls) {
      const data = s.escrow.interface.encodeFunctionData(method, args)
      await send(client, token, "setCallback", [s.escrow.target, data])
      await send(client, s.escrow, "request", [await agreed(), price])
      expect(await token.answer(), method).toBe(reentered)
    }
    await send(client, token, "setCallback", [ZeroAddress, "0x"])
    await send(operator, s.escrow, "answer", [terms, attestation, words, s.subject.proof(digest, words)])
    // and while it is paid out
    const again = s.escrow.interface.encodeFunctionData("withdraw", [token.target, operator.address])
    await send(client, token, "setCallback", [s.escrow.target, again])
    await send(operator, s.escrow, "withdraw", [token.target, operator.address])
    expect(await token.answer()).toBe(reentered)
    expect(await held()).toBe(price * BigInt(calls.length))
  })
})

describe("a recipient of ETH", () => {
  /** Credits of a contract that challenged and was right. */
  async function owed(account: Contract) {
    const d = await s.delivered()
    const data = s.escrow.interface.encodeFunctionData("challenge", [d.terms, costs])
    await send(s.parties.stranger, account, "act", [s.escrow.target, costs, data], costs)
    await s.pass(answerWindow + 1)
    await send(s.parties.stranger, s.escrow, "settle", [d.terms])
    expect(await s.escrow.creditOf(ZeroAddress, account.target)).toBe(2n * costs)
  }
  const take = (to: unknown) => [
    s.escrow.target,
    0,
    s.escrow.interface.encodeFunctionData("withdraw", [ZeroAddress, to]),
  ]

  test("that takes none keeps nobody from theirs, and can have it sent elsewhere", async () => {
    const account = await hostile("HostileAccount", s.signer)
    await owed(account)
    const { client, stranger } = s.parties
    await send(stranger, account, "refuse", [])
    await send(client, s.escrow, "withdraw", [ZeroAddress, client.address])
    expect(await s.attempt(stranger, account, "act", take(account.target))).toBe(
      `TransferFailed(${account.target})`,
    )
    const to = `0x${"cd".repeat(20)}`
    await send(stranger, account, "act", take(to))
    expect(await s.provider.getBalance(to)).toBe(2n * costs)
  })

  test("that asks again while it is paid is paid once", async () => {
    const account = await hostile("HostileAccount", s.signer)
    await owed(account)
    await owed(account).catch(() => undefined)
    const { stranger } = s.parties
    const again = s.escrow.interface.encodeFunctionData("withdraw", [ZeroAddress, account.target])
    await send(stranger, account, "setCallback", [s.escrow.target, again])
    const before = await s.provider.getBalance(s.escrow.target)
    const credit = await s.escrow.creditOf(ZeroAddress, account.target)
    await send(stranger, account, "act", take(account.target))
    expect(await account.answer()).toBe(s.escrow.interface.encodeErrorResult("Reentered", []))
    expect(await s.provider.getBalance(s.escrow.target)).toBe(before - credit)
  })
})

describe("a signer that is a contract", () => {
  /** A request to an operator that is a contract. */
  async function requested(account: Contract) {
    const terms = await s.terms({ operator: account.target })
    await send(s.parties.client, s.escrow, "request", [terms, price], price)
    return terms
  }
  async function delivery(terms: Record<string, unknown>): Promise<unknown[]> {
    const { attestation } = await s.attest(terms)
    const data = s.escrow.interface.encodeFunctionData("deliver", [terms, attestation, "0xab", bond])
    return [s.escrow.target, bond, data]
  }

  test("delivers as an account does", async () => {
    const account = await hostile("HostileAccount", s.signer)
    const terms = await requested(account)
    await send(s.parties.stranger, account, "act", await delivery(terms), bond)
    expect(states[Number(await s.escrow.stateOf(await s.idOf(terms)))]).toBe("Delivered")
  })

  test.each(Object.entries(refusals))("and answers with %s has not signed", async (_, mode) => {
    const account = await hostile("HostileAccount", s.signer)
    const { stranger, client } = s.parties
    const terms = await requested(account)
    const settle = s.escrow.interface.encodeFunctionData("withdraw", [ZeroAddress, stranger.address])
    await send(stranger, account, "setCallback", [s.escrow.target, settle])
    await send(stranger, account, "set", [mode])
    const said = await s.attempt(stranger, account, "act", await delivery(terms), {
      value: bond,
      gas: 3_000_000,
    })
    expect(said).toBe(`InvalidSignature(${account.target})`)
    // nobody waits for it
    await s.pass(601)
    await send(stranger, s.escrow, "settle", [terms])
    expect(await s.escrow.creditOf(ZeroAddress, client.address)).toBe(price)
    // nor in the book
    const { signOff } = await s.signOff({ signer: account.target }, stranger)
    expect(await s.attempt(stranger, s.book, "record", [signOff, "0xab"], { gas: 3_000_000 })).toBe(
      `InvalidSignature(${account.target})`,
    )
  })

  test("and denies later what it signed changes no end, but nobody acts on it any more", async () => {
    const account = await hostile("HostileAccount", s.signer)
    const { stranger } = s.parties
    const policy = {
      document: hash32("document"),
      registry: s.registry.target,
      modelId: s.modelId,
      escrow: s.escrow.target,
      bounds: [],
      signOffs: [],
    }
    const terms = await s.terms({ operator: account.target, policy: policyDigest(policy) })
    await send(s.parties.client, s.escrow, "request", [terms, price], price)
    const { attestation, digest } = await s.attest(terms)
    const data = s.escrow.interface.encodeFunctionData("deliver", [terms, attestation, "0xab", bond])
    await send(stranger, account, "act", [s.escrow.target, bond, data], bond)
    await send(stranger, account, "set", [refusals.no])
    await send(s.parties.challenger, s.escrow, "challenge", [terms, costs], costs)
    const words = s.subject.words()
    await send(stranger, s.escrow, "answer", [terms, attestation, words, s.subject.proof(digest, words)])
    expect(await s.escrow.creditOf(ZeroAddress, account.target)).toBe(price + bond + costs)
    const claim = { attestation, signature: "0xab", policy, words, outputs: 2, signOffs: [], signatures: [] }
    expect((await s.book.isActionable(policyDigest(policy), claim))[1]).toBe("not signed by the operator")
    await send(stranger, account, "set", [0])
    expect((await s.book.isActionable(policyDigest(policy), claim))[0]).toBe(true)
  })

  test("signs off as an account does", async () => {
    const account = await hostile("HostileAccount", s.signer)
    const { operator } = s.parties
    const policy = {
      document: hash32("document"),
      registry: s.registry.target,
      modelId: s.modelId,
      escrow: ZeroAddress,
      bounds: [],
      signOffs: [{ role: roles.approver, signer: account.target }],
    }
    const digest = policyDigest(policy)
    const d = await s.attest(await s.terms({ policy: digest }))
    const { signOff } = await s.signOff(
      { attestation: d.digest, scope: digest, signer: account.target },
      operator,
    )
    const claim = {
      attestation: d.attestation,
      signature: d.signature,
      policy,
      words: s.subject.words(),
      outputs: 2,
      signOffs: [signOff],
      signatures: ["0x"],
    }
    expect((await s.book.isActionable(digest, claim))[0]).toBe(true)
    const withdraw = s.escrow.interface.encodeFunctionData("withdraw", [ZeroAddress, operator.address])
    await send(operator, account, "setCallback", [s.escrow.target, withdraw])
    for (const mode of Object.values(refusals)) {
      await send(operator, account, "set", [mode])
      expect((await s.book.isActionable(digest, claim, { gasLimit: 3_000_000 }))[1]).toBe(
        "a required sign-off is missing",
      )
    }
  })

  test("an account that delegates to code which denies everything is held to what it signed", async () => {
    const denier = await hostile("HostileAccount", s.signer)
    await send(s.parties.stranger, denier, "set", [refusals.no])
    const wallet = Wallet.createRandom(s.provider)
    const { stranger } = s.parties
    await (await stranger.sendTransaction({ to: wallet.address, value: 10n ** 18n })).wait()
    const terms = await s.terms({ operator: wallet.address })
    const sign = async (output: string) => {
      const { attestation } = await s.attest(terms, { output })
      const typed = { Attestation: types.Attestation }
      return [attestation, await wallet.signTypedData(s.domain, typed, attestation)]
    }
    const [a, b] = [await sign(hash32("a")), await sign(hash32("b"))]
    const authorization = await wallet.authorize({
      address: `${denier.target}`,
      chainId: s.chainId,
      nonce: (await wallet.getNonce()) + 1,
    })
    await (
      await wallet.sendTransaction({ type: 4, to: wallet.address, authorizationList: [authorization] })
    ).wait()
    expect(await s.provider.getCode(wallet.address)).toBe(
      `0xef0100${`${denier.target}`.slice(2).toLowerCase()}`,
    )
    await send(stranger, s.book, "fileEquivocation", [...a, ...b, s.subject.layoutJson])
    const digest = TypedDataEncoder.hash(s.domain, { Attestation: types.Attestation }, a[0] as never)
    expect(await s.book.frozenBy(digest)).toBe(stranger.address)
  })
})

describe("a registry", () => {
  const deployed = () => hostile("HostileRegistry", s.signer, s.subject.model, s.subject.key)

  test.each(Object.entries({ ...silences, early: 1 }))(
    "that answers with %s to the question for a recall is in no request",
    async (_, mode) => {
      const registry = await deployed()
      const terms = await s.terms({ registry: registry.target, modelId: 5n })
      const request = () =>
        s.attempt(s.parties.client, s.escrow, "request", [terms, price], { value: price, gas: 3_000_000 })
      await send(s.parties.stranger, registry, "set", [mode])
      expect(await request()).not.toBe("ok")
      await send(s.parties.stranger, registry, "set", [0])
      expect(await request()).toBe("ok")
    },
  )

  test.each(Object.entries(silences))("that answers with %s keeps nobody from settling", async (_, mode) => {
    const registry = await deployed()
    for (const proven of [false, true]) {
      await send(s.parties.stranger, registry, "set", [0])
      const d = await s.delivered({ registry: registry.target, modelId: 5n })
      await send(s.parties.stranger, registry, "set", [mode])
      if (proven) {
        const words = s.subject.words()
        await send(s.parties.stranger, s.escrow, "answer", [
          d.terms,
          d.attestation,
          words,
          s.subject.proof(d.digest, words),
        ])
      } else {
        await s.pass(challengeWindow + 1)
        await send(s.parties.stranger, s.escrow, "settle", [d.terms])
      }
      expect(states[Number(await s.escrow.stateOf(d.id))]).toBe(proven ? "Proven" : "Unchallenged")
    }
  })

  test("is asked with enough gas to answer, or the call reverts", async () => {
    const registry = await deployed()
    const d = await s.delivered({ registry: registry.target, modelId: 5n })
    await send(s.parties.stranger, registry, "set", [1])
    await s.pass(challengeWindow + 1)
    const data = s.escrow.interface.encodeFunctionData("settle", [d.terms])
    const from = s.parties.stranger.address
    const ends = new Interface(["event Ended(bytes32 indexed id, uint8 indexed state, address indexed by)"])
    const topic = ends.getEvent("Ended")?.topicHash
    // whatever gas it has, it either fails or sees the recall
    let seen = 0
    for (let gas = 50_000; gas <= 200_000; gas += 1_500) {
      const [result] = await s.provider.send("eth_simulateV1", [
        { blockStateCalls: [{ calls: [{ from, to: s.escrow.target, data, gas: `0x${gas.toString(16)}` }] }] },
        "latest",
      ])
      const [{ status, logs }] = result.calls as [{ status: string; logs: { topics: string[] }[] }]
      if (status !== "0x1") continue
      seen++
      const end = logs.find(({ topics }) => topics[0] === topic)
      expect(states[Number(end?.topics[2])], `${gas}`).toBe("Recalled")
    }
    expect(seen).toBeGreaterThan(20)
  })
})
