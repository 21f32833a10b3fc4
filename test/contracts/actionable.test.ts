/** What makes a claim actionable, and what each thing that is wrong with it is called. */
import { Signature, toBeHex, ZeroAddress, ZeroHash } from "ethers"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { hash32 } from "../support/groth16-oracle.js"
import {
  answerWindow,
  challengeWindow,
  costs,
  decisions,
  digestOfWords,
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

describe("a claim", () => {
  const requirements = () => [
    { role: roles.client, signer: s.parties.client.address },
    { role: roles.operator, signer: s.parties.operator.address },
    { role: roles.approver, signer: s.parties.approver.address },
  ]
  /** Elements of `20` are n and 2, that of `3` is 1. */
  const bounds = [
    { word: 0, shift: 0, bits: 10, lo: -512, least: -5, most: 5 },
    { word: 0, shift: 10, bits: 10, lo: -512, least: 2, most: 2 },
    { word: 1, shift: 0, bits: 1, lo: 0, least: 1, most: 1 },
  ]
  const policyOf = (changes: Struct = {}): Struct => ({
    document: hash32("document"),
    registry: s.registry.target,
    modelId: s.modelId,
    escrow: s.escrow.target,
    bounds,
    signOffs: requirements(),
    ...changes,
  })
  const nothing = {
    attestation: ZeroHash,
    role: 0,
    decision: 0,
    scope: ZeroHash,
    signer: ZeroAddress,
    signed: 0,
    validUntil: 0,
  }
  const ofEscrow = () => policyOf()

  /** A delivered request under a policy, and the claim that one would act on. */
  async function claimed(policy: Struct = ofEscrow(), attested: Struct = {}) {
    const digest = policyDigest(policy)
    const d = await s.delivered({ policy: digest }, attested)
    const approval = await s.signOff({ attestation: d.digest, scope: digest }, s.parties.approver)
    const required = policy.signOffs as { role: number }[]
    const claim: Struct = {
      attestation: d.attestation,
      signature: d.signature,
      policy,
      words: d.words,
      outputs: s.subject.outputs,
      signOffs: required.map(({ role }) => (role === roles.approver ? approval.signOff : nothing)),
      signatures: required.map(({ role }) => (role === roles.approver ? approval.signature : "0x")),
    }
    return { ...d, policy: digest, claim, approval }
  }
  type Claimed = Awaited<ReturnType<typeof claimed>>
  const said = async ({ policy, claim }: Pick<Claimed, "policy" | "claim">): Promise<string> => {
    const [actionable, reason]: [boolean, string] = await s.book.isActionable(policy, claim)
    expect(reason === "").toBe(actionable)
    return actionable ? "actionable" : reason
  }
  const edited = (c: Claimed, changes: Struct): Claimed => ({ ...c, claim: { ...c.claim, ...changes } })
  const finish = async (c: Claimed) => {
    await s.pass(challengeWindow + 1)
    await send(s.parties.stranger, s.escrow, "settle", [c.terms])
  }
  const prove = (c: Claimed) =>
    send(s.parties.operator, s.escrow, "answer", [
      c.terms,
      c.attestation,
      c.words,
      s.subject.proof(c.digest, c.words),
    ])

  test("is actionable when it is final, and not before", async () => {
    const c = await claimed()
    expect(await said(c)).toBe("neither final nor proven")
    await s.pass(challengeWindow + 1)
    expect(await said(c)).toBe("neither final nor proven")
    await send(s.parties.stranger, s.escrow, "settle", [c.terms])
    expect(await said(c)).toBe("actionable")
  })

  test("is actionable when it is proven", async () => {
    const c = await claimed()
    await prove(c)
    expect(await said(c)).toBe("actionable")
  })

  test("is never actionable after silence", async () => {
    const c = await claimed()
    await send(s.parties.challenger, s.escrow, "challenge", [c.terms, costs], costs)
    expect(await said(c)).toBe("neither final nor proven")
    await s.pass(answerWindow + 1)
    await send(s.parties.stranger, s.escrow, "settle", [c.terms])
    expect(await said(c)).toBe("neither final nor proven")
  })

  test("ends with the recall of its model, also proven", async () => {
    const c = await claimed()
    await prove(c)
    expect(await said(c)).toBe("actionable")
    await send(s.parties.owner, s.registry, "deprecateModel", [s.modelId])
    expect(await said(c)).toBe("not the policy's model, or recalled")
  })

  test("is edited in no field", async () => {
    const c = await claimed()
    await prove(c)
    const other: Record<string, unknown> = {
      operator: s.parties.stranger.address,
      started: 1,
      issued: 2,
      validUntil: forever,
    }
    for (const { name } of types.Attestation) {
      const attestation = { ...c.attestation, [name]: other[name] ?? hash32("x") }
      const reason = name === "policy" ? "made under another policy" : "not signed by the operator"
      expect(await said(edited(c, { attestation })), name).toBe(reason)
    }
  })

  test("is judged by the policy that the caller names, and no other", async () => {
    const c = await claimed()
    await prove(c)
    expect(await said({ ...c, policy: hash32("mine") })).toBe("made under another policy")
    const policies: Struct[] = [
      { document: hash32("x") },
      { registry: s.book.target },
      { modelId: 1n },
      { escrow: ZeroAddress },
      { bounds: [] },
      { signOffs: [] },
      { bounds: [bounds[1], bounds[0], bounds[2]] },
      { signOffs: requirements().slice(0, 2) },
    ]
    for (const changes of policies)
      expect(await said(edited(c, { policy: policyOf(changes) }))).toBe("another policy is shown")
  })

  test("has its time", async () => {
    const now = await s.now()
    const c = await claimed(ofEscrow(), { issued: now + 60, validUntil: now + 9000 })
    await prove(c)
    expect(await said(c)).toBe("not valid now")
    await s.pass(100)
    expect(await said(c)).toBe("actionable")
    await s.pass(9000)
    expect(await said(c)).toBe("not valid now")
  })

  test("shows the words that were attested, split as they were", async () => {
    const c = await claimed()
    await prove(c)
    const { words } = c
    for (const changes of [
      { words: words.with(0, words[0] + 1n) },
      { words: words.with(2, 7n) },
      { words: words.slice(0, 2) },
      { words: [...words, 0n] },
      { words: [] },
      { outputs: 1 },
      { outputs: 3 },
      { outputs: 4 },
      { outputs: 2n ** 256n - 1n },
    ])
      expect(await said(edited(c, changes))).toBe("other words are shown")
  })

  test("is within all bounds", async () => {
    const cases: [Struct, string][] = [
      [{ word: 0, shift: 0, bits: 10, lo: -512, least: 1, most: 5 }, "out of bounds"],
      [{ word: 0, shift: 0, bits: 10, lo: -512, least: -5, most: -1 }, "out of bounds"],
      [{ word: 0, shift: 0, bits: 10, lo: -512, least: 0, most: 0 }, "actionable"],
      [{ word: 3, shift: 0, bits: 10, lo: 0, least: 0, most: 2 ** 40 }, "out of bounds"],
      [{ word: 2 ** 32 - 1, shift: 0, bits: 10, lo: 0, least: 0, most: 2 ** 40 }, "out of bounds"],
      [{ word: 0, shift: 255, bits: 64, lo: 0, least: 0, most: 0 }, "actionable"],
      [{ word: 0, shift: 0, bits: 65, lo: 0, least: 0, most: 2n ** 63n - 1n }, "out of bounds"],
      [
        { word: 2, shift: 0, bits: 64, lo: 2n ** 63n - 1n, least: -(2n ** 63n), most: 2n ** 63n - 1n },
        "out of bounds",
      ],
    ]
    for (const [bound, expected] of cases) {
      const c = await claimed(policyOf({ bounds: [...bounds, bound] }))
      await prove(c)
      expect(await said(c)).toBe(expected)
    }
  })

  test("has every sign-off that its policy requires, and as it requires them", async () => {
    const c = await claimed()
    await prove(c)
    const { approver, stranger } = s.parties
    const signOffs = c.claim.signOffs as Struct[]
    const signatures = c.claim.signatures as string[]
    const withApproval = ({ signOff, signature }: { signOff: Struct; signature: string }) =>
      edited(c, { signOffs: signOffs.with(2, signOff), signatures: signatures.with(2, signature) })
    const right = { attestation: c.digest, scope: c.policy }
    const now = await s.now()
    for (const changes of [
      { attestation: hash32("x") },
      { scope: hash32("x") },
      { role: roles.evaluator },
      { decision: decisions.reject },
      { decision: decisions.abstain },
      { signed: now + 1000 },
      { validUntil: now - 1 },
      { signer: stranger.address },
    ])
      expect(
        await said(withApproval(await s.signOff({ ...right, ...changes }, approver))),
        JSON.stringify(changes),
      ).toBe("a required sign-off is missing")
    expect(await said(withApproval({ ...c.approval, signature: `0x${"11".repeat(65)}` }))).toBe(
      "a required sign-off is missing",
    )
    const forged = await s.signOff({ ...right, signer: approver.address }, stranger)
    expect(await said(withApproval(forged))).toBe("a required sign-off is missing")
    const short = { signOffs: signOffs.slice(0, 2), signatures: signatures.slice(0, 2) }
    for (const changes of [short, { signatures: [] }, { signOffs: [...signOffs, nothing] }])
      expect(await said(edited(c, changes))).toBe("another number of sign-offs is shown")
    // one person's approval is not another's
    const twice = {
      signOffs: signOffs.with(0, c.approval.signOff),
      signatures: signatures.with(0, c.approval.signature),
    }
    const foreign = await claimed(
      policyOf({ signOffs: [{ role: roles.evaluator, signer: stranger.address }, ...requirements()] }),
    )
    await prove(foreign)
    expect(await said(edited(foreign, twice))).toBe("another number of sign-offs is shown")
    expect(await said(foreign)).toBe("a required sign-off is missing")
  })

  test("loses a sign-off that is withdrawn, and every chance by a recorded rejection", async () => {
    const c = await claimed()
    await prove(c)
    const { approver, stranger } = s.parties
    expect(await said(c)).toBe("actionable")
    const rejection = await s.signOff(
      { attestation: c.digest, scope: c.policy, decision: decisions.reject },
      approver,
    )
    await send(stranger, s.book, "record", [rejection.signOff, rejection.signature])
    expect(await said(c)).toBe("rejected")
    await send(approver, s.book, "withdraw", [rejection.signOff])
    expect(await said(c)).toBe("actionable")
    await send(approver, s.book, "withdraw", [c.approval.signOff])
    expect(await said(c)).toBe("a required sign-off is missing")
  })

  test("is not made impossible by the rejections of people whom nobody asked", async () => {
    const c = await claimed()
    await prove(c)
    const { approver, stranger } = s.parties
    const about = { attestation: c.digest, scope: c.policy, decision: decisions.reject }
    for (const [changes, who] of [
      [{}, stranger],
      [{ role: roles.evaluator }, approver],
      [{ scope: hash32("another question") }, approver],
      [{ attestation: hash32("x") }, approver],
    ] as const) {
      const { signOff, signature } = await s.signOff({ ...about, ...changes }, who)
      await send(stranger, s.book, "record", [signOff, signature])
    }
    expect(await said(c)).toBe("actionable")
  })

  test("of a client who rejects it is not actionable by that client's silence", async () => {
    const c = await claimed()
    const { client, stranger } = s.parties
    const { signOff, signature } = await s.signOff(
      { attestation: c.digest, scope: c.policy, decision: decisions.reject, role: roles.client },
      client,
    )
    await send(stranger, s.book, "record", [signOff, signature])
    await finish(c)
    expect(await said(c)).toBe("rejected")
  })

  test("that contradicts another is actionable only if it is proven", async () => {
    for (const proven of [false, true]) {
      const c = await claimed()
      const other = await s.attest(c.terms, { output: hash32("other"), request: ZeroHash })
      await (proven ? prove(c) : finish(c))
      expect(await said(c)).toBe("actionable")
      await send(s.parties.stranger, s.book, "fileEquivocation", [
        c.attestation,
        c.signature,
        other.attestation,
        other.signature,
        s.subject.layoutJson,
      ])
      expect(await said(c)).toBe(proven ? "actionable" : "contradicted by its operator")
    }
  })

  test("of an operator who is its own client counts when it is proven, and else never", async () => {
    const { operator } = s.parties
    for (const signOffs of [[], requirements()]) {
      const policy = policyOf({ signOffs: signOffs.filter(({ role }) => role !== roles.approver) })
      const digest = policyDigest(policy)
      const terms = await s.terms({
        policy: digest,
        client: operator.address,
        challengeWindow: 1,
        price: 0n,
        damages: 0n,
        costs: 0n,
      })
      await send(operator, s.escrow, "request", [terms, 0])
      const { attestation, signature, digest: attested } = await s.attest(terms)
      await send(operator, s.escrow, "deliver", [terms, attestation, signature, 0])
      await s.pass(2)
      await send(operator, s.escrow, "settle", [terms])
      expect(await s.escrow.isFinal(await s.idOf(terms), attested)).toBe(true)
      const required = policy.signOffs as unknown[]
      const claim = {
        attestation,
        signature,
        policy,
        words: s.subject.words(),
        outputs: s.subject.outputs,
        signOffs: required.map(() => nothing),
        signatures: required.map(() => "0x"),
      }
      expect(await said({ policy: digest, claim })).toBe(
        required.length === 0
          ? "not proven, and the policy requires no client"
          : "a required sign-off is missing",
      )
    }
  })

  test("needs no escrow where people are required, and is nothing where nobody is", async () => {
    const { approver, operator } = s.parties
    for (const [signOffs, expected] of [
      [[{ role: roles.approver, signer: approver.address }], "actionable"],
      [[{ role: roles.operator, signer: operator.address }], "actionable"],
      [[{ role: roles.operator, signer: approver.address }], "a required sign-off is missing"],
      // without an escrow nobody was silent
      [[{ role: roles.client, signer: ZeroAddress }], "a required sign-off is missing"],
      [[], "the policy requires nobody"],
    ] as const) {
      const c = await claimed(policyOf({ escrow: ZeroAddress, signOffs }))
      expect(await said(c)).toBe(expected)
    }
    const c = await claimed(policyOf({ registry: ZeroAddress }))
    await prove(c)
    expect(await said(c)).toBe("not the policy's model, or recalled")
  })

  test("is not somebody else's request", async () => {
    const c = await claimed()
    await finish(c)
    const other = await claimed()
    expect(await said(other)).toBe("neither final nor proven")
    expect(await said(c)).toBe("actionable")
    expect(digestOfWords(c.words.slice(0, 2))).toBe(c.attestation.output)
  })

  test("has no second signature: high s, short form, other lengths", async () => {
    const c = await claimed()
    await prove(c)
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
    const { r, s: low, v, compactSerialized } = Signature.from(c.signature)
    const high = `${r}${toBeHex(order - BigInt(low), 32).slice(2)}${v === 27 ? "1c" : "1b"}`
    const recovery = `${c.signature.slice(0, -2)}0${v - 27}`
    for (const signature of [
      high,
      compactSerialized,
      recovery,
      `${c.signature}00`,
      "0x",
      c.signature.slice(0, -2),
    ])
      expect(await said(edited(c, { signature })), signature).toBe("not signed by the operator")
  })
})
