/** What `countersign/attest` makes and says, and what the deployed SignOffBook says of the very same. */
import { toBeHex } from "ethers"
import * as fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  attest,
  attestationDigest,
  claimOf,
  type Domain,
  onChainPolicy,
  type PolicyDocument,
  policyDigest,
  type SignedAttestation,
  type SignedSignOff,
  signAttestation,
  signOffDigest,
  signOffProblems,
  signSignOff,
  signWithdrawal,
  toAddress,
  withdrawalDigest,
  within,
} from "#src/attest/index.js"
import type { Hex } from "#src/statement/strict.js"
import { outputWordCount, wordsOf } from "#src/statement/words.js"
import { addressOf, approver, operator } from "../support/attestations.js"
import { statementOf } from "../support/mirage-oracle.js"
import { type Settlement, send, startSettlement } from "../support/settlement.js"

let s: Settlement
let domain: Domain
let at: number
beforeAll(async () => {
  s = await startSettlement()
  domain = { chainId: Number(s.chainId), verifyingContract: toAddress(`${s.book.target}`) }
  at = await s.now()
})
afterAll(() => s?.close())

/** Steps of `20` are worth 0.5, of `3` 0.125. */
const document: PolicyDocument = {
  version: 1,
  name: "Both agree",
  inputs: [],
  outputs: [
    { tensor: "20", elements: null, least: -100, most: 100.2 },
    { tensor: "20", elements: [1], least: -3, most: null },
    { tensor: "3", elements: [0], least: 0.1, most: 1 },
  ],
  abstain: null,
  signOffs: [{ role: "approver", signer: addressOf(approver) }],
  tolerance: { absolute: 0, relative: 0 },
  disputes: [],
  retentionDays: 184,
  finality: "none",
}

/** An answer with some outputs, signed by its operator and approved. */
async function answer(x: number, y: number, z: number) {
  const { key: verificationKey } = s.subject.oracle
  const output = { visibility: "public", values: { "20": [`${x}`, `${y}`], "3": [`${z}`] } } as const
  const statement = statementOf(verificationKey, { output })
  const contracts = { registry: toAddress(`${s.registry.target}`), modelId: toBeHex(s.modelId, 32) as Hex }
  const escrow: Hex = `0x${"0".repeat(40)}`
  const { policy } = onChainPolicy(document, verificationKey.layout, { ...contracts, escrow })
  const scope = policyDigest(policy)
  const facts = {
    operator: operator.address,
    policy: scope,
    started: at - 2,
    issued: at - 1,
    validUntil: at + 9999,
  }
  const attestation = await signAttestation(attest({ statement, verificationKey }, facts), domain, operator)
  const about = attestationDigest(claimOf(attestation), domain)
  const signer = addressOf(approver)
  const said = {
    attestation: about,
    role: 4,
    decision: 1,
    scope,
    signer,
    signed: at - 1,
    validUntil: at + 9999,
  }
  const signOff = await signSignOff(said, domain, approver)
  return { statement, layout: verificationKey.layout, policy, attestation, signOff }
}

type Answer = Awaited<ReturnType<typeof answer>>
/** The book's word on an answer, and nothing if it may be acted on. */
async function booked({ statement, layout, policy, attestation, signOff }: Answer): Promise<string> {
  const claim = {
    attestation,
    signature: attestation.signature,
    policy,
    words: wordsOf(statement, layout),
    outputs: outputWordCount(layout),
    signOffs: [signOff],
    signatures: [signOff.signature],
  }
  return (await s.book.isActionable(attestation.policy, claim))[1]
}

describe("the library and the book", () => {
  it("have the same digests", async () => {
    const { policy, attestation, signOff } = await answer(0, 0, 1)
    expect(await s.book.attestationDigest(attestation)).toBe(attestationDigest(claimOf(attestation), domain))
    expect(await s.book.signOffDigest(signOff)).toBe(signOffDigest(claimOf(signOff), domain))
    expect(await s.book.policyDigest(policy)).toBe(policyDigest(policy))
    const withdrawal = await signWithdrawal(signOff, at, approver)
    expect(await s.book.withdrawalDigest(withdrawal)).toBe(withdrawalDigest(claimOf(withdrawal), domain))
  })

  it("agree on what lies within a policy", async () => {
    const seen = { within: 0, outside: 0 }
    const edge = (...values: number[]) =>
      fc.oneof(fc.constantFrom(...values), fc.integer({ min: -512, max: 511 }))
    await fc.assert(
      fc.asyncProperty(edge(-201, -200, 200, 201), edge(-7, -6, 200, 201), fc.nat(1), async (x, y, z) => {
        const given = await answer(x, y, z)
        const reasons = within(document, given.layout, given.statement)
        expect(await booked(given)).toBe(reasons === null ? "" : "out of bounds")
        seen[reasons === null ? "within" : "outside"]++
      }),
      { numRuns: 60 },
    )
    expect(Math.min(seen.within, seen.outside)).toBeGreaterThan(0)
  })

  it("agree on who has signed, and on what was taken back", async () => {
    const given = await answer(1, 2, 1)
    const missing = (signOff: SignedSignOff, attestation: SignedAttestation = given.attestation) =>
      signOffProblems(given.policy, claimOf(attestation), { domain, signOffs: [signOff], at })
    const other = { ...given.signOff, signature: given.attestation.signature }
    const edited = { ...given.signOff, signed: given.signOff.signed - 1 }
    for (const [signOff, good] of [
      [given.signOff, true],
      [other, false],
      [edited, false],
    ] as const) {
      expect((await missing(signOff)).length === 0).toBe(good)
      expect(await booked({ ...given, signOff })).toBe(good ? "" : "a required sign-off is missing")
    }
    const { signature, withdrawn } = await signWithdrawal(given.signOff, at, approver)
    await send(s.parties.stranger, s.book, "withdrawBySignature", [given.signOff, withdrawn, signature])
    expect(await booked(given)).toBe("a required sign-off is missing")
  })
})
