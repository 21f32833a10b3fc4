/** The book of sign-offs: digests against ethers, sign-offs and withdrawals, equivocation, logs. */
import { TypedDataEncoder, toBeHex, ZeroHash } from "ethers"
import fc from "fast-check"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import {
  attestationDigest,
  policyDigest as packagePolicyDigest,
  signOffDigest,
  withdrawalDigest,
} from "#src/attest/digest.js"
import type { Hex } from "#src/verifier/index.js"
import { hash32 } from "../support/groth16-oracle.js"
import {
  decisions,
  forever,
  policyDigest,
  roles,
  type Settlement,
  send,
  startSettlement,
  types,
} from "../support/settlement.js"

type Struct = Record<string, unknown>

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

describe("digests", () => {
  const bytes32 = fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .map((b) => toBeHex(BigInt(`0x${Buffer.from(b).toString("hex")}`), 32))
  const address = fc
    .uint8Array({ minLength: 20, maxLength: 20 })
    .map((b) => `0x${Buffer.from(b).toString("hex")}`)
  const whole = (bits: number) => fc.bigInt(0n, 2n ** BigInt(bits) - 1n)
  const signed = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)
  const ofType: Record<string, fc.Arbitrary<unknown>> = {
    bytes32,
    address,
    uint8: whole(8),
    uint32: whole(32),
    uint64: whole(64),
    uint256: whole(256),
    int64: signed,
  }
  const struct = (name: keyof typeof types): fc.Arbitrary<Struct> =>
    fc.record(
      Object.fromEntries(
        types[name].map(({ name: member, type }) => {
          const list = /^(\w+)\[\]$/.exec(type)
          return [
            member,
            list ? fc.array(struct(list[1] as keyof typeof types), { maxLength: 3 }) : ofType[type],
          ]
        }),
      ),
    )

  test("are those of EIP-712, as ethers has it", async () => {
    await fc.assert(
      fc.asyncProperty(
        struct("Attestation"),
        struct("SignOff"),
        struct("Withdrawal"),
        struct("Policy"),
        async (attestation, signOff, withdrawal, policy) => {
          const expected = (name: keyof typeof types, value: Struct) =>
            TypedDataEncoder.hash(s.domain, { [name]: types[name] }, value)
          expect(await s.book.attestationDigest(attestation)).toBe(expected("Attestation", attestation))
          expect(await s.book.signOffDigest(signOff)).toBe(expected("SignOff", signOff))
          expect(await s.book.withdrawalDigest(withdrawal)).toBe(expected("Withdrawal", withdrawal))
          expect(await s.book.policyDigest(policy)).toBe(policyDigest(policy))
        },
      ),
      { numRuns: 20 },
    )
  })

  test("are those that the package makes", async () => {
    const domain = {
      chainId: Number(s.chainId),
      verifyingContract: s.domain.verifyingContract.toLowerCase() as Hex,
    }
    const attestation = { ...(await s.attest(await s.terms())).attestation, model: hash32("m") }
    const signOff = (await s.signOff({ attestation: hash32("a") }, s.parties.approver)).signOff
    const withdrawal = { signOff: hash32("s"), withdrawn: 5 }
    const policy = {
      document: hash32("d"),
      registry: domain.verifyingContract,
      modelId: hash32("id"),
      escrow: domain.verifyingContract,
      bounds: [{ word: 1, shift: 2, bits: 3, lo: -4, least: -5, most: 6 }],
      signOffs: [{ role: roles.client, signer: domain.verifyingContract }],
    }
    expect(await s.book.attestationDigest(attestation)).toBe(attestationDigest(attestation as never, domain))
    expect(await s.book.signOffDigest(signOff)).toBe(signOffDigest(signOff as never, domain))
    expect(await s.book.withdrawalDigest(withdrawal)).toBe(withdrawalDigest(withdrawal, domain))
    expect(await s.book.policyDigest(policy)).toBe(packagePolicyDigest(policy))
  })

  test("are in the domain that the book names", async () => {
    const said = await s.book.eip712Domain()
    expect(said.toArray(true)).toEqual(["0x0f", "Countersign", "1", s.chainId, s.book.target, ZeroHash, []])
  })
})

describe("sign-offs", () => {
  const subject = (signOff: Struct) => [signOff.attestation, signOff.role, signOff.scope, signOff.signer]
  const rejection = (changes: Struct = {}) =>
    s.signOff({ attestation: hash32("a"), decision: decisions.reject, ...changes }, s.parties.approver)

  test("a recorded rejection counts until its signer withdraws it", async () => {
    const { stranger, approver } = s.parties
    const [one, two] = [await rejection(), await rejection({ signed: 7 })]
    expect(await s.book.rejections(...subject(one.signOff))).toBe(0n)
    for (const { signOff, signature } of [one, two])
      await send(stranger, s.book, "record", [signOff, signature])
    expect(await s.book.rejections(...subject(one.signOff))).toBe(2n)
    await send(approver, s.book, "withdraw", [one.signOff])
    expect(await s.book.rejections(...subject(one.signOff))).toBe(1n)
    expect(await s.book.isWithdrawn(one.digest)).toBe(true)
    expect(await s.book.isWithdrawn(two.digest)).toBe(false)
    await send(approver, s.book, "withdraw", [two.signOff])
    expect(await s.book.rejections(...subject(one.signOff))).toBe(0n)
  })

  test("withdrawn before it was recorded, a rejection never counts", async () => {
    const { stranger, approver } = s.parties
    const { signOff, signature, digest } = await rejection()
    await send(approver, s.book, "withdraw", [signOff])
    expect(await s.attempt(stranger, s.book, "record", [signOff, signature])).toBe(
      `AlreadyWithdrawn(${digest})`,
    )
    expect(await s.attempt(approver, s.book, "withdraw", [signOff])).toBe(`AlreadyWithdrawn(${digest})`)
    expect(await s.book.rejections(...subject(signOff))).toBe(0n)
  })

  test("approvals and abstentions are recorded, and are no rejections", async () => {
    for (const decision of [decisions.approve, decisions.abstain]) {
      const { signOff, signature, digest } = await rejection({ decision })
      await send(s.parties.stranger, s.book, "record", [signOff, signature])
      expect(await s.attempt(s.parties.stranger, s.book, "record", [signOff, signature])).toBe(
        `AlreadyRecorded(${digest})`,
      )
      await send(s.parties.approver, s.book, "withdraw", [signOff])
      expect(await s.book.rejections(...subject(signOff))).toBe(0n)
    }
  })

  test("nobody records what was not signed, or is not valid now", async () => {
    const { approver, stranger } = s.parties
    const { signOff, signature } = await rejection()
    for (const [field, to] of Object.entries({
      attestation: hash32("b"),
      role: roles.evaluator,
      decision: decisions.approve,
      scope: hash32("b"),
      signed: 1,
      validUntil: forever - 1n,
    }))
      expect(
        await s.attempt(stranger, s.book, "record", [{ ...signOff, [field]: to }, signature]),
        field,
      ).toBe(`InvalidSignature(${approver.address})`)
    const now = await s.now()
    const early = await rejection({ signed: now + 10 })
    const late = await rejection({ validUntil: now + 20 })
    const record = (given: typeof early, at: number) =>
      s.attempt(stranger, s.book, "record", [given.signOff, given.signature], { at })
    expect(await record(early, now + 9)).toBe(`NotValidNow(${now + 10}, ${forever})`)
    expect(await record(early, now + 10)).toBe("ok")
    expect(await record(late, now + 20)).toBe("ok")
    expect(await record(late, now + 21)).toBe(`NotValidNow(${now - 1}, ${now + 20})`)
  })

  test("a withdrawal is the signer's call, or has the signer's signature", async () => {
    const { approver, stranger } = s.parties
    const { signOff, digest, signature } = await rejection()
    expect(await s.attempt(stranger, s.book, "withdraw", [signOff])).toBe(
      `NotSigner(${approver.address}, ${stranger.address})`,
    )
    const withdrawal = { signOff: digest, withdrawn: 77 }
    const typed = { Withdrawal: types.Withdrawal }
    const by = (who: typeof approver) => who.signTypedData(s.domain, typed, withdrawal)
    const withdraw = (seconds: number, given: string) =>
      s.attempt(stranger, s.book, "withdrawBySignature", [signOff, seconds, given])
    const refusal = `InvalidSignature(${approver.address})`
    expect(await withdraw(77, await by(stranger))).toBe(refusal)
    expect(await withdraw(78, await by(approver))).toBe(refusal)
    expect(await withdraw(77, signature)).toBe(refusal)
    expect(await withdraw(77, await by(approver))).toBe("ok")
    await send(stranger, s.book, "withdrawBySignature", [signOff, 77, await by(approver)])
    expect(await s.book.isWithdrawn(digest)).toBe(true)
  })
})

test("roots of a log grow, each sender and log apart", async () => {
  const { client, operator } = s.parties
  const anchor = (who: typeof client, log: string, size: number) =>
    s.attempt(who, s.book, "anchor", [log, size, hash32(`${size}`)])
  const [log, other] = [hash32("log"), hash32("other log")]
  expect(await anchor(client, log, 0)).toBe("NotLarger(0, 0)")
  await send(client, s.book, "anchor", [log, 5, hash32("5")])
  expect(await s.book.anchoredSize(client.address, log)).toBe(5n)
  expect(await anchor(client, log, 5)).toBe("NotLarger(5, 5)")
  expect(await anchor(client, log, 4)).toBe("NotLarger(5, 4)")
  expect(await anchor(client, log, 6)).toBe("ok")
  expect(await anchor(client, other, 1)).toBe("ok")
  expect(await anchor(operator, log, 1)).toBe("ok")
})

describe("equivocation", () => {
  test("is the same question with another answer, in nothing else", async () => {
    const { stranger, operator, challenger } = s.parties
    const terms = await s.terms()
    const a = await s.attest(terms)
    const b = await s.attest(terms, {
      output: hash32("other"),
      request: hash32("another request"),
      evidence: hash32("e"),
      started: 1,
      issued: 2,
      validUntil: 3,
    })
    const { layoutJson } = s.subject
    const file = (x: typeof a, y: typeof a, json = layoutJson) => [
      ...[x.attestation, x.signature, y.attestation, y.signature],
      json,
    ]
    expect(await s.attempt(stranger, s.book, "fileEquivocation", file(a, a))).toBe("NoEquivocation()")
    for (const field of ["model", "key", "input", "policy"]) {
      const c = await s.attest(terms, { output: hash32("other"), [field]: hash32("x") })
      expect(await s.attempt(stranger, s.book, "fileEquivocation", file(a, c)), field).toBe(
        "NoEquivocation()",
      )
    }
    const foreign = await s.attest(terms, { output: hash32("other"), operator: stranger.address }, stranger)
    expect(await s.attempt(stranger, s.book, "fileEquivocation", file(a, foreign))).toBe("NoEquivocation()")
    const forged = await s.attest(terms, { output: hash32("other") }, stranger)
    for (const pair of [file(a, forged), file(forged, a)])
      expect(await s.attempt(stranger, s.book, "fileEquivocation", pair)).toBe(
        `InvalidSignature(${operator.address})`,
      )

    await send(stranger, s.book, "fileEquivocation", file(a, b))
    expect(await s.book.frozenBy(a.digest)).toBe(stranger.address)
    expect(await s.book.frozenBy(b.digest)).toBe(stranger.address)
    for (const pair of [file(a, b), file(b, a)])
      expect(await s.attempt(challenger, s.book, "fileEquivocation", pair)).toBe("AlreadyFrozen()")
    // who finds a third one is its filer, and not of those before
    const c = await s.attest(terms, { output: hash32("third") })
    await send(challenger, s.book, "fileEquivocation", file(c, a))
    expect(await s.book.frozenBy(a.digest)).toBe(stranger.address)
    expect(await s.book.frozenBy(c.digest)).toBe(challenger.address)
  })
})
