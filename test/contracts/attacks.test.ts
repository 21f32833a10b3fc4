/** What somebody might try with signatures and proofs: each on a request that an honest party then ends as it should. */
import { keccak256, Wallet, ZeroAddress } from "ethers"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { deploy } from "../../examples/chain.js"
import { artifact, register } from "../support/chain.js"
import { hash32 } from "../support/groth16-oracle.js"
import {
  answerWindow,
  bond,
  challengeWindow,
  costs,
  type Delivered,
  damages,
  digestOfWords,
  price,
  provable,
  type Settlement,
  type Signed,
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

const answerOf = (d: Delivered, words = d.words, proof = s.subject.proof(d.digest, words)) => [
  d.terms,
  d.attestation,
  words,
  proof,
]
const answering = (args: unknown[]) => s.attempt(s.parties.operator, s.escrow, "answer", args)

describe("an attestation", () => {
  test("of another chain, another book or another version is not signed here", async () => {
    const { client, operator } = s.parties
    const terms = await s.terms()
    await send(client, s.escrow, "request", [terms, price], price)
    const { attestation } = await s.attest(terms)
    const typed = { Attestation: types.Attestation }
    const deliver = async (domain: object) => {
      const signature = await operator.signTypedData(domain, typed, attestation)
      return s.attempt(operator, s.escrow, "deliver", [terms, attestation, signature, bond], { value: bond })
    }
    const refusal = `InvalidSignature(${operator.address})`
    const { name, version } = s.domain
    for (const domain of [
      { ...s.domain, verifyingContract: `${s.escrow.target}` },
      { ...s.domain, version: "2" },
      { ...s.domain, name: "Countersigned" },
      { name, version, salt: hash32("countersign.offline") },
    ])
      expect(await deliver(domain)).toBe(refusal)
    // a wallet of ethers signs for any chain; anvil for its own
    const wallet = Wallet.createRandom()
    const own = await s.terms({ operator: wallet.address })
    await send(client, s.escrow, "request", [own, price], price)
    const theirs = (await s.attest(own)).attestation
    await s.provider.send("anvil_impersonateAccount", [wallet.address])
    await s.provider.send("anvil_setBalance", [wallet.address, "0xde0b6b3a7640000"])
    const signer = await s.provider.getSigner(wallet.address)
    for (const [chainId, expected] of [
      [s.chainId + 1n, `InvalidSignature(${wallet.address})`],
      [s.chainId, "ok"],
    ] as const) {
      const signature = await wallet.signTypedData({ ...s.domain, chainId }, typed, theirs)
      expect(
        await s.attempt(signer, s.escrow, "deliver", [own, theirs, signature, bond], { value: bond }),
      ).toBe(expected)
    }
  })

  test("for another request, of this escrow or another one, is not delivered", async () => {
    const { client, operator } = s.parties
    const first = await s.delivered()
    const terms = await s.terms()
    await send(client, s.escrow, "request", [terms, price], price)
    const again = [terms, first.attestation, first.signature, bond]
    expect(await s.attempt(operator, s.escrow, "deliver", again, { value: bond })).toBe(
      "InvalidAttestation(request)",
    )
    const second = await deploy(artifact("Escrow"), s.signer, s.book.target, s.verifier.target)
    await send(client, second, "request", [terms, price], price)
    const { attestation, signature } = await s.attest(terms)
    const there = [terms, attestation, signature, bond]
    expect(await s.attempt(operator, second, "deliver", there, { value: bond })).toBe(
      "InvalidAttestation(request)",
    )
    expect(await s.attempt(operator, s.escrow, "deliver", there, { value: bond })).toBe("ok")
  })

  test("edited in any field is not the one that was delivered", async () => {
    const d = await s.delivered()
    const now = await s.now()
    const other: Record<string, unknown> = {
      operator: s.parties.stranger.address,
      started: now - 5,
      issued: now - 4,
      validUntil: now + 7,
    }
    for (const { name } of types.Attestation) {
      const attestation = { ...d.attestation, [name]: other[name] ?? hash32("x") }
      const digest = await s.book.attestationDigest(attestation)
      const edited = { ...d, attestation, digest }
      expect(await answering(answerOf(edited)), name).toBe(`WrongAttestation(${d.digest}, ${digest})`)
    }
    expect(await answering(answerOf(d))).toBe("ok")
  })

  test("of another request does not answer this one", async () => {
    const [one, two] = [await s.delivered(), await s.delivered()]
    expect(await answering(answerOf({ ...one, attestation: two.attestation, digest: two.digest }))).toBe(
      `WrongAttestation(${one.digest}, ${two.digest})`,
    )
    expect(
      await answering([one.terms, one.attestation, one.words, s.subject.proof(two.digest, one.words)]),
    ).toBe("InvalidProof()")
  })
})

describe("a proof", () => {
  test("for any other context, or of anything else, is no answer", async () => {
    const d = await s.delivered()
    const proof = s.subject.proof(d.digest, d.words)
    for (const context of [hash32("x"), `0x${"00".repeat(32)}`, d.id])
      expect(await answering([d.terms, d.attestation, d.words, s.subject.proof(context, d.words)])).toBe(
        "InvalidProof()",
      )
    for (let i = 0; i < proof.length; i++)
      expect(await answering([d.terms, d.attestation, d.words, proof.with(i, proof[i] + 1n)])).toBe(
        "InvalidProof()",
      )
    const twin = provable("public", "twin")
    expect(await answering([d.terms, d.attestation, d.words, twin.proof(d.digest, d.words)])).toBe(
      "InvalidProof()",
    )
    expect(
      await answering([d.terms, d.attestation, d.words, s.subject.proof(d.digest, d.words, "again")]),
    ).toBe("ok")
  })

  test("of another input with the same output is no answer", async () => {
    const d = await s.delivered()
    const words = d.words.with(2, d.words[2] ^ 1n)
    expect(await answering(answerOf(d, words))).toBe("WrongWords(input)")
  })

  test("of another output is no answer", async () => {
    const d = await s.delivered()
    expect(await answering(answerOf(d, s.subject.words(1)))).toBe("WrongWords(output)")
  })

  test("of more or fewer words is none", async () => {
    const d = await s.delivered()
    for (const words of [d.words.slice(1), [...d.words, 0n], []]) {
      const args = [d.terms, d.attestation, words, s.subject.proof(d.digest, d.words)]
      expect(await answering(args)).toBe(`WrongCount(3, ${words.length})`)
    }
  })

  test("that somebody copies pays the operator", async () => {
    const d = await s.delivered()
    await send(s.parties.challenger, s.escrow, "challenge", [d.terms, costs], costs)
    await send(s.parties.stranger, s.escrow, "answer", answerOf(d))
    expect(await s.escrow.creditOf(ZeroAddress, s.parties.stranger.address)).toBe(0n)
    expect(await s.escrow.creditOf(ZeroAddress, s.parties.operator.address)).toBe(price + bond + costs)
  })

  test("of the same terms at another escrow is no answer here", async () => {
    const { client, operator } = s.parties
    const terms = await s.terms()
    const second = await deploy(artifact("Escrow"), s.signer, s.book.target, s.verifier.target)
    const ids = [await s.escrow.idOf(terms), await second.idOf(terms)]
    expect(ids[0]).not.toBe(ids[1])
    const both = []
    for (const [i, escrow] of [s.escrow, second].entries()) {
      await send(client, escrow, "request", [terms, price], price)
      const signed = await s.attest(terms, { request: ids[i] })
      await send(operator, escrow, "deliver", [terms, signed.attestation, signed.signature, bond], bond)
      both.push(signed)
    }
    const words = s.subject.words()
    const proof = s.subject.proof(both[1].digest, words)
    expect(await answering([terms, both[0].attestation, words, proof])).toBe("InvalidProof()")
    expect(await s.attempt(operator, second, "answer", [terms, both[1].attestation, words, proof])).toBe("ok")
  })
})

describe("a conviction", () => {
  const convicting = (who: keyof Settlement["parties"], args: unknown[]) =>
    s.attempt(s.parties[who], s.escrow, "convict", args)
  const provenFor = async (d: Delivered, who: keyof Settlement["parties"], words = s.subject.words(1)) => {
    const context = await s.escrow.convictionContext(d.id, s.parties[who].address)
    return [d.terms, d.attestation, s.subject.layoutJson, words, s.subject.proof(context, words)]
  }

  test("is of the one whom the proof names", async () => {
    const d = await s.delivered()
    const args = await provenFor(d, "challenger")
    expect(await convicting("stranger", args)).toBe("InvalidProof()")
    expect(await convicting("challenger", args)).toBe("ok")
    const other = await s.delivered()
    const copied = [other.terms, other.attestation, ...args.slice(2)]
    expect(await convicting("challenger", copied)).toBe("InvalidProof()")
  })

  test("needs another output of the same input", async () => {
    const d = await s.delivered()
    expect(await convicting("stranger", await provenFor(d, "stranger", d.words))).toBe("WrongWords(output)")
    const elsewhere = s.subject.words(1).with(2, 5n)
    expect(await convicting("stranger", await provenFor(d, "stranger", elsewhere))).toBe("WrongWords(input)")
    const [terms, attestation, layout, words] = await provenFor(d, "stranger")
    const proof = s.subject.proof(d.digest, words as bigint[])
    expect(await convicting("stranger", [terms, attestation, layout, words, proof])).toBe("InvalidProof()")
  })

  test("of an honest operator does not follow from another salt of the same output", async () => {
    const { client, operator, stranger } = s.parties
    const subject = provable("public", "committed output", "committed")
    await register(s.verifier, subject.oracle.key)
    const words = subject.words()
    const terms = await s.terms({
      key: subject.key,
      model: subject.model,
      layout: subject.layout,
      input: digestOfWords(words.slice(1)),
      registry: ZeroAddress,
    })
    await send(client, s.escrow, "request", [terms, price], price)
    const signed = await s.attest(terms, { output: digestOfWords(words.slice(0, 1)) })
    await send(operator, s.escrow, "deliver", [terms, signed.attestation, signed.signature, bond], bond)
    const salted = subject.words(1)
    const context = await s.escrow.convictionContext(await s.idOf(terms), stranger.address)
    const proof = subject.proof(context, salted)
    const refusal = `NotPublic(${subject.layout})`
    for (const layout of [subject.layoutJson, s.subject.layoutJson, "0x", `${subject.layoutJson}22`])
      expect(await convicting("stranger", [terms, signed.attestation, layout, salted, proof])).toBe(refusal)
    // nor from terms with a layout that is not the key's, by which the output would be public
    const untrue = { ...terms, layout: s.subject.layout, salt: hash32("another") }
    expect(await s.attempt(client, s.escrow, "request", [untrue, price], { value: price })).toBe(
      `WrongLayout(${subject.layout}, ${s.subject.layout})`,
    )
    expect(await answering([terms, signed.attestation, words, subject.proof(signed.digest, words)])).toBe(
      "ok",
    )
  })
})

describe("a contradiction", () => {
  const filing = (one: Signed, two: Signed, json: string) =>
    s.attempt(s.parties.client, s.book, "fileEquivocation", [
      ...[one.attestation, one.signature, two.attestation, two.signature],
      json,
    ])

  test("of an honest operator does not follow from two salts of the same output", async () => {
    const { client, operator } = s.parties
    const subject = provable("public", "committed output", "committed")
    await register(s.verifier, subject.oracle.key)
    const { key, model, layout, layoutJson } = subject
    const input = digestOfWords(subject.words().slice(1))
    const signed: Signed[] = []
    // the same question twice: another salt, and another digest, each time
    for (const salt of [0, 1]) {
      const terms = await s.terms({ key, model, layout, input, registry: ZeroAddress })
      await send(client, s.escrow, "request", [terms, price], price)
      const output = digestOfWords(subject.words(salt).slice(0, 1))
      signed.push(await s.attest(terms, { output }))
      const { attestation, signature } = signed[salt]
      await send(operator, s.escrow, "deliver", [terms, attestation, signature, bond], bond)
    }
    const [one, two] = signed
    expect(one.attestation.output).not.toBe(two.attestation.output)
    for (const json of [layoutJson, s.subject.layoutJson, "0x", `${layoutJson}22`])
      expect(await filing(one, two, json)).toBe(`NotPublic(${layout})`)
  })

  test("of an honest operator does not follow from two hidden inputs", async () => {
    const terms = await s.terms({ input: keccak256("0x") })
    const [one, two] = [await s.attest(terms), await s.attest(terms, { output: hash32("another input's") })]
    expect(await filing(one, two, s.subject.layoutJson)).toBe("NoEquivocation()")
  })

  test("is not escaped from by signing a false layout as well", async () => {
    const terms = await s.terms()
    const one = await s.attest(terms)
    const two = await s.attest(terms, { output: hash32("other"), layout: hash32("false") })
    for (const pair of [
      [one, two],
      [two, one],
    ])
      expect(await filing(pair[0], pair[1], s.subject.layoutJson)).toBe("ok")
    expect(await filing(one, two, "0x")).toBe(`NotPublic(${s.subject.layout})`)
  })
})

describe("parties that only want to harm", () => {
  test("a challenger of right answers pays for each, and cannot ask twice", async () => {
    const d = await s.delivered()
    const { challenger, stranger } = s.parties
    const challenging = (gross: bigint, value: bigint) =>
      s.attempt(challenger, s.escrow, "challenge", [d.terms, gross], { value })
    expect(await challenging(0n, 0n)).toBe(`TooLittle(${costs}, 0)`)
    expect(await challenging(costs, 0n)).toBe(`WrongValue(${costs}, 0)`)
    await send(challenger, s.escrow, "challenge", [d.terms, costs], costs)
    const { deadline } = await s.escrow.requestOf(d.id)
    for (const who of [challenger, stranger])
      expect(await s.attempt(who, s.escrow, "challenge", [d.terms, costs], { value: costs })).toBe(
        `WrongState(${d.id}, ${states.indexOf("Challenged")})`,
      )
    expect((await s.escrow.requestOf(d.id)).deadline).toBe(deadline)
    await send(s.parties.operator, s.escrow, "answer", answerOf(d))
    expect(await s.escrow.creditOf(ZeroAddress, s.parties.operator.address)).toBe(price + bond + costs)
  })

  test("an operator who challenges itself first still pays the client", async () => {
    const d = await s.delivered()
    const { operator, client } = s.parties
    await send(operator, s.escrow, "challenge", [d.terms, costs], costs)
    await s.pass(answerWindow + 1)
    await send(client, s.escrow, "settle", [d.terms])
    expect(await s.escrow.creditOf(ZeroAddress, client.address)).toBe(price + damages)
  })

  test("a client who keeps the input back gains nothing: the operator delivers nothing", async () => {
    const { client, stranger } = s.parties
    const terms = await s.terms({ input: hash32("nobody was told") })
    await send(client, s.escrow, "request", [terms, price], price)
    await s.pass(601)
    await send(stranger, s.escrow, "settle", [terms])
    expect(await s.escrow.creditOf(ZeroAddress, client.address)).toBe(price)
    expect(await s.provider.getBalance(s.escrow.target)).toBe(price)
  })

  test("a client who owns the model and recalls it when the window is over pays all the same", async () => {
    const { client, operator } = s.parties
    const commitment = {
      modelHash: s.subject.model,
      circuitHash: hash32("circuit"),
      vkHash: s.subject.key,
      proofSystemId: "0x00000000",
      uri: "",
    }
    const modelId = await s.registry.modelIdOf(client.address, commitment)
    await send(client, s.registry, "registerModel", [commitment])
    const d = await s.delivered({ modelId })
    await s.pass(challengeWindow + 1)
    await send(client, s.registry, "deprecateModel", [modelId])
    await send(client, s.escrow, "settle", [d.terms])
    expect(await s.escrow.creditOf(ZeroAddress, operator.address)).toBe(price + bond)
  })

  test("nobody makes somebody else's request, or one twice", async () => {
    const { client } = s.parties
    const d = await s.delivered()
    expect(await s.attempt(client, s.escrow, "request", [d.terms, price], { value: price })).toBe(
      `WrongState(${d.id}, ${states.indexOf("Delivered")})`,
    )
    // the id binds every term
    const changed: Record<string, unknown> = {
      client: ZeroAddress,
      operator: client.address,
      token: client.address,
      registry: client.address,
    }
    for (const name of Object.keys(d.terms)) {
      const value = d.terms[name]
      const other = changed[name] ?? (typeof value === "string" ? hash32("x") : BigInt(value as bigint) + 1n)
      expect(await s.idOf({ ...d.terms, [name]: other }), name).not.toBe(d.id)
    }
  })
})
