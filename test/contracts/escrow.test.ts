/** Every end of the escrow's table: who is paid what, and that nothing is left. Every call in every state. */
import { ZeroAddress } from "ethers"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { register } from "../support/chain.js"
import {
  answerWindow,
  bond,
  challengeWindow,
  commitmentOf,
  costs,
  type Delivered,
  damages,
  price,
  provable,
  type Settlement,
  send,
  startSettlement,
  states,
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

type Who = keyof Settlement["parties"]
/** Credits of all parties in ETH that are not zero; together all that the escrow holds. */
async function credits(): Promise<Partial<Record<Who, bigint>>> {
  const found: [Who, bigint][] = []
  for (const [name, { address }] of Object.entries(s.parties)) {
    const amount: bigint = await s.escrow.creditOf(ZeroAddress, address)
    if (amount > 0n) found.push([name as Who, amount])
  }
  return Object.fromEntries(found) as Partial<Record<Who, bigint>>
}
async function expectEnd(id: string, state: string, expected: Partial<Record<Who, bigint>>): Promise<void> {
  expect(states[Number(await s.escrow.stateOf(id))]).toBe(state)
  expect(await credits()).toEqual(expected)
  const held = await s.provider.getBalance(s.escrow.target)
  expect(Object.values(expected).reduce((sum, x) => sum + x, 0n)).toBe(held)
}

const challenge = (d: Delivered, who: Who = "challenger") =>
  send(s.parties[who], s.escrow, "challenge", [d.terms, d.terms.costs], d.terms.costs as bigint)
const answerOf = (d: Delivered, words = d.words, context = d.digest): unknown[] => [
  d.terms,
  d.attestation,
  words,
  s.subject.proof(context, words),
]
const answer = (d: Delivered, who: Who = "operator") => send(s.parties[who], s.escrow, "answer", answerOf(d))
const settle = (d: { terms: Record<string, unknown> }) =>
  send(s.parties.stranger, s.escrow, "settle", [d.terms])
const recall = () => send(s.parties.owner, s.registry, "deprecateModel", [s.modelId])
/** Another output than the one that is delivered, proven for a prover. */
async function conviction(d: Delivered, who: Who): Promise<unknown[]> {
  const words = s.subject.words(1)
  const context = await s.escrow.convictionContext(d.id, s.parties[who].address)
  return [d.terms, d.attestation, s.subject.layoutJson, words, s.subject.proof(context, words)]
}
/** Files that the operator signed another output for the same input. */
async function contradict(d: Delivered, who: Who): Promise<void> {
  const other = await s.attest(d.terms, { output: `0x${"77".repeat(32)}`, request: `0x${"00".repeat(32)}` })
  await send(s.parties[who], s.book, "fileEquivocation", [
    d.attestation,
    d.signature,
    other.attestation,
    other.signature,
    s.subject.layoutJson,
  ])
}

describe("ends", () => {
  test("not delivered: the client has the price back", async () => {
    const terms = await s.terms()
    await send(s.parties.client, s.escrow, "request", [terms, price], price)
    await s.pass(601)
    await settle({ terms })
    await expectEnd(await s.idOf(terms), "Expired", { client: price })
  })

  test("unchallenged: the operator has price and bond", async () => {
    const d = await s.delivered()
    expect(await s.escrow.isFinal(d.id, d.digest)).toBe(false)
    await s.pass(challengeWindow + 1)
    await settle(d)
    await expectEnd(d.id, "Unchallenged", { operator: price + bond })
    expect(await s.escrow.isFinal(d.id, d.digest)).toBe(true)
    expect(await s.escrow.isProven(d.id, d.digest)).toBe(false)
    expect(await s.escrow.isFinal(d.id, `0x${"01".repeat(32)}`)).toBe(false)
  })

  test("proven unchallenged, by anybody", async () => {
    const d = await s.delivered()
    await answer(d, "stranger")
    await expectEnd(d.id, "Proven", { operator: price + bond })
    expect(await s.escrow.isFinal(d.id, d.digest)).toBe(true)
    expect(await s.escrow.isProven(d.id, d.digest)).toBe(true)
    expect(await s.escrow.isProven(d.id, d.id)).toBe(false)
  })

  test("challenged and proven: the operator has the stake, too", async () => {
    const d = await s.delivered()
    await challenge(d)
    await answer(d)
    await expectEnd(d.id, "Proven", { operator: price + bond + costs })
  })

  test("challenged and silent: the client is paid first, then the challenger", async () => {
    const d = await s.delivered()
    await challenge(d)
    await s.pass(answerWindow + 1)
    await settle(d)
    await expectEnd(d.id, "Silent", { client: price + damages, challenger: 2n * costs })
    expect(await s.escrow.isFinal(d.id, d.digest)).toBe(false)
  })

  test.each([false, true])("another output proven, challenged before: %s", async (challenged) => {
    const d = await s.delivered()
    if (challenged) await challenge(d)
    await send(s.parties.stranger, s.escrow, "convict", await conviction(d, "stranger"))
    await expectEnd(d.id, "Convicted", {
      client: price + damages,
      stranger: costs,
      ...(challenged ? { challenger: costs } : {}),
    })
  })

  test.each([false, true])("contradictory attestations, challenged before: %s", async (challenged) => {
    const d = await s.delivered()
    if (challenged) await challenge(d)
    await contradict(d, "approver")
    await send(s.parties.stranger, s.escrow, "equivocated", [d.terms])
    await expectEnd(d.id, "Equivocated", {
      client: price + damages,
      approver: costs,
      ...(challenged ? { challenger: costs } : {}),
    })
  })

  test("recalled and unchallenged: everybody has their own back", async () => {
    const d = await s.delivered()
    await recall()
    await s.pass(challengeWindow + 1)
    await settle(d)
    await expectEnd(d.id, "Recalled", { client: price, operator: bond })
    expect(await s.escrow.isFinal(d.id, d.digest)).toBe(false)
  })

  test("recalled after the window, before anybody settled: too late to cost the operator the price", async () => {
    const d = await s.delivered()
    await s.pass(challengeWindow + 1)
    await recall()
    await settle(d)
    await expectEnd(d.id, "Unchallenged", { operator: price + bond })
  })

  test.each([false, true])("recalled, then proven, challenged before: %s", async (challenged) => {
    const d = await s.delivered()
    await recall()
    if (challenged) await challenge(d)
    await answer(d)
    await expectEnd(d.id, "Recalled", { client: price, operator: bond + (challenged ? costs : 0n) })
    expect(await s.escrow.isProven(d.id, d.digest)).toBe(false)
  })

  test("recalled between delivery and challenge: no excuse for silence", async () => {
    const d = await s.delivered()
    await recall()
    await challenge(d)
    await s.pass(answerWindow + 1)
    await settle(d)
    await expectEnd(d.id, "Silent", { client: price + damages, challenger: 2n * costs })
  })

  test("one account in all roles has all of it back", async () => {
    const { address } = s.parties.operator
    const terms = await s.terms({ client: address })
    const { operator } = s.parties
    await send(operator, s.escrow, "request", [terms, price], price)
    const { attestation, signature, digest } = await s.attest(terms)
    await send(operator, s.escrow, "deliver", [terms, attestation, signature, bond], bond)
    const d = { terms, attestation, signature, digest, id: await s.idOf(terms), words: s.subject.words() }
    await challenge(d, "operator")
    await s.pass(answerWindow + 1)
    await settle(d)
    await expectEnd(d.id, "Silent", { operator: price + bond + costs })
  })
})

describe("withdrawing", () => {
  test("pays all credits, once, to an account of the owner's choice", async () => {
    const d = await s.delivered()
    await answer(d)
    const to = `0x${"ab".repeat(20)}`
    await send(s.parties.operator, s.escrow, "withdraw", [ZeroAddress, to])
    expect(await s.provider.getBalance(to)).toBe(price + bond)
    expect(await s.provider.getBalance(s.escrow.target)).toBe(0n)
    const { operator, stranger } = s.parties
    for (const who of [operator, stranger])
      expect(await s.attempt(who, s.escrow, "withdraw", [ZeroAddress, to])).toBe(
        `NoCredit(${ZeroAddress}, ${who.address})`,
      )
  })

  test("what was paid too much is a credit at once", async () => {
    const terms = await s.terms()
    const { client } = s.parties
    await send(client, s.escrow, "request", [terms, price + 9n], price + 9n)
    expect(await s.escrow.creditOf(ZeroAddress, client.address)).toBe(9n)
    const less = [await s.terms(), price - 1n]
    expect(await s.attempt(client, s.escrow, "request", less, { value: price - 1n })).toBe(
      `TooLittle(${price}, ${price - 1n})`,
    )
    expect(await s.attempt(client, s.escrow, "request", [less[0], price], { value: price - 1n })).toBe(
      `WrongValue(${price}, ${price - 1n})`,
    )
  })
})

describe("times", () => {
  test("each deadline is the last second of one thing, and the next the first of another", async () => {
    const { client, operator, challenger, stranger } = s.parties
    const terms = await s.terms()
    await send(client, s.escrow, "request", [terms, price], price)
    const { attestation, signature } = await s.attest(terms)
    const delivery = [terms, attestation, signature, bond]
    const end = terms.deliverBy as number
    const deliver = (at: number) => s.attempt(operator, s.escrow, "deliver", delivery, { value: bond, at })
    const settling = (at: number) => s.attempt(stranger, s.escrow, "settle", [terms], { at })
    expect([await deliver(end), await deliver(end + 1)]).toEqual(["ok", `TooLate(${end})`])
    expect([await settling(end), await settling(end + 1)]).toEqual([`TooEarly(${end})`, "ok"])

    const d = await s.delivered()
    const window = Number((await s.escrow.requestOf(d.id)).deadline)
    expect(window).toBe((await s.now()) + challengeWindow)
    const challenging = (at: number) =>
      s.attempt(challenger, s.escrow, "challenge", [d.terms, costs], { value: costs, at })
    const answering = (at: number) => s.attempt(stranger, s.escrow, "answer", answerOf(d), { at })
    const settled = (at: number) => s.attempt(stranger, s.escrow, "settle", [d.terms], { at })
    expect([await challenging(window), await challenging(window + 1)]).toEqual(["ok", `TooLate(${window})`])
    expect([await answering(window), await answering(window + 1)]).toEqual(["ok", `TooLate(${window})`])
    expect([await settled(window), await settled(window + 1)]).toEqual([`TooEarly(${window})`, "ok"])

    await s.pass(challengeWindow - 10)
    await challenge(d)
    const late = Number((await s.escrow.requestOf(d.id)).deadline)
    expect(late).toBe((await s.now()) + answerWindow)
    expect([await answering(late), await answering(late + 1)]).toEqual(["ok", `TooLate(${late})`])
    expect([await settled(late), await settled(late + 1)]).toEqual([`TooEarly(${late})`, "ok"])
    // a fault that is shown late, but before the end, still is one
    expect(
      await s.attempt(stranger, s.escrow, "convict", await conviction(d, "stranger"), { at: late + 1 }),
    ).toBe("ok")
  })

  test("a recall in the last second of the window counts", async () => {
    const d = await s.delivered()
    const window = Number((await s.escrow.requestOf(d.id)).deadline)
    await s.provider.send("evm_setNextBlockTimestamp", [window])
    await recall()
    await s.pass(1)
    await settle(d)
    await expectEnd(d.id, "Recalled", { client: price, operator: bond })
  })
})

test("a call in a state that it does not belong to is refused, whoever makes it", async () => {
  const { client, operator, challenger, stranger } = s.parties
  const make: Record<string, () => Promise<Delivered>> = {
    None: async () => {
      const terms = await s.terms()
      return { ...(await s.attest(terms)), terms, id: await s.idOf(terms), words: s.subject.words() }
    },
    Requested: async () => {
      const terms = await s.terms()
      await send(client, s.escrow, "request", [terms, price], price)
      return { ...(await s.attest(terms)), terms, id: await s.idOf(terms), words: s.subject.words() }
    },
    Delivered: () => s.delivered(),
    Challenged: async () => {
      const d = await s.delivered()
      await challenge(d)
      return d
    },
    Proven: async () => {
      const d = await s.delivered()
      await answer(d)
      return d
    },
  }
  const allowed: Record<string, string[]> = {
    None: ["request"],
    Requested: ["deliver", "settle"],
    Delivered: ["challenge", "answer", "convict", "equivocated", "settle"],
    Challenged: ["answer", "convict", "equivocated", "settle"],
    Proven: [],
  }
  for (const [state, make_] of Object.entries(make)) {
    const d = await make_()
    await contradict(d, "stranger")
    const calls: [string, Settlement["parties"]["client"], unknown[], bigint][] = [
      ["request", client, [d.terms, price], price],
      ["deliver", operator, [d.terms, d.attestation, d.signature, bond], bond],
      ["challenge", challenger, [d.terms, costs], costs],
      ["answer", stranger, answerOf(d), 0n],
      ["convict", stranger, await conviction(d, "stranger"), 0n],
      ["equivocated", stranger, [d.terms], 0n],
      ["settle", stranger, [d.terms], 0n],
    ]
    for (const [method, who, args, value] of calls) {
      const at = (await s.now()) + (method === "settle" ? 10_000 : 1)
      const said = await s.attempt(who, s.escrow, method, args, { value, at })
      const expected = allowed[state].includes(method)
        ? "ok"
        : `WrongState(${d.id}, ${states.indexOf(state)})`
      expect(said, `${method} in ${state}`).toBe(expected)
    }
  }
})

test("only the client requests, only the operator delivers", async () => {
  const { client, operator, stranger } = s.parties
  const terms = await s.terms()
  expect(await s.attempt(stranger, s.escrow, "request", [terms, price], { value: price })).toBe(
    `NotParty(${client.address}, ${stranger.address})`,
  )
  await send(client, s.escrow, "request", [terms, price], price)
  const { attestation, signature } = await s.attest(terms)
  const args = [terms, attestation, signature, bond]
  expect(await s.attempt(client, s.escrow, "deliver", args, { value: bond })).toBe(
    `NotParty(${operator.address}, ${client.address})`,
  )
})

test("terms that nobody could keep are refused before money is locked", async () => {
  const { client } = s.parties
  const now = await s.now()
  const hidden = provable("hidden", "hidden")
  const dev = provable("public", "dev", "public", { setup: "dev" })
  const alone = provable("public", "alone", "public", {
    setup: {
      ptau: `0x${"a0".repeat(64)}`,
      contributors: [],
      beacon: null,
      transcript: `0x${"d3".repeat(32)}`,
    },
  })
  await register(s.verifier, hidden.oracle.key)
  await register(s.verifier, dev.oracle.key, true)
  await register(s.verifier, alone.oracle.key, true)
  const none = { registry: ZeroAddress }
  const other = `0x${"0b".repeat(32)}`
  for (const [changes, error] of [
    [{ operator: ZeroAddress }, "InvalidTerms(operator)"],
    [{ deliverBy: now - 1 }, "InvalidTerms(deliverBy)"],
    [{ challengeWindow: 0 }, "InvalidTerms(challengeWindow)"],
    [{ answerWindow: 0 }, "InvalidTerms(answerWindow)"],
    [{ key: other }, `UnknownKey(${other})`],
    [{ model: other, ...none }, `WrongModel(${s.subject.model}, ${other})`],
    [{ layout: other }, `WrongLayout(${s.subject.layout}, ${other})`],
    [{ key: hidden.key, model: hidden.model, layout: hidden.layout, ...none }, `HiddenInput(${hidden.key})`],
    [{ key: dev.key, model: dev.model, ...none }, `ForgeableKey(${dev.key})`],
    [{ key: alone.key, model: alone.model, ...none }, `ForgeableKey(${alone.key})`],
    [{ modelId: 7n }, "ModelNotFound(7)"],
  ] as const) {
    const args = [await s.terms(changes), price]
    expect(await s.attempt(client, s.escrow, "request", args, { value: price })).toBe(error)
  }
  // a registered model, of another key
  const twin = provable("public", "twin")
  await send(s.parties.owner, s.registry, "registerModel", [commitmentOf(twin)])
  const modelId = await s.registry.modelIdOf(s.parties.owner.address, commitmentOf(twin))
  expect(
    await s.attempt(client, s.escrow, "request", [await s.terms({ modelId }), price], { value: price }),
  ).toBe(`NotInRegistry(${modelId})`)
  await recall()
  expect(await s.attempt(client, s.escrow, "request", [await s.terms(), price], { value: price })).toBe(
    `NotInRegistry(${s.modelId})`,
  )
  expect(await s.attempt(client, s.escrow, "request", [await s.terms(none), price], { value: price })).toBe(
    "ok",
  )
})

test("an attestation has to fit the terms in every field, and to be the operator's", async () => {
  const { client, operator, stranger } = s.parties
  const terms = await s.terms()
  await send(client, s.escrow, "request", [terms, price], price)
  const now = await s.now()
  const other = `0x${"0b".repeat(32)}`
  const deliver = async (changes: Record<string, unknown>, signer = operator) => {
    const { attestation, signature } = await s.attest(terms, changes, signer)
    const args = [terms, attestation, signature, bond]
    return s.attempt(operator, s.escrow, "deliver", args, { value: bond, at: now + 1 })
  }
  for (const field of ["model", "key", "layout", "input", "policy", "request"])
    expect(await deliver({ [field]: other })).toBe(`InvalidAttestation(${field})`)
  expect(await deliver({ operator: stranger.address })).toBe("InvalidAttestation(operator)")
  expect(await deliver({ started: now, issued: now - 1 })).toBe("InvalidAttestation(started)")
  expect(await deliver({ issued: now + 302 })).toBe("InvalidAttestation(issued)")
  expect(await deliver({ issued: now + 301 })).toBe("ok")
  expect(await deliver({ validUntil: now + challengeWindow })).toBe("InvalidAttestation(validUntil)")
  expect(await deliver({ validUntil: now + 1 + challengeWindow })).toBe("ok")
  expect(await deliver({}, stranger)).toBe(`InvalidSignature(${operator.address})`)
  for (const field of ["output", "evidence"]) expect(await deliver({ [field]: other })).toBe("ok")
})
