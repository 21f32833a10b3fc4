/** What contracts make of an answer that is committed to beside the bit of a policy: they see the bit, and it is enough. */
import { keccak256, ZeroAddress } from "ethers"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { documentDigest, onChainPolicy, type PolicyDocument, predicateName } from "#src/attest/index.js"
import type { Layout } from "#src/statement/layout.js"
import { layoutJson } from "#src/statement/layout.js"
import type { Statement } from "#src/statement/statement.js"
import type { Hex } from "#src/statement/strict.js"
import { keyDigest, solidityProof, wordsOf } from "#src/verifier/index.js"
import { register } from "../support/chain.js"
import { hash32, values } from "../support/groth16-oracle.js"
import { commitment, mirageOracle, statementOf } from "../support/mirage-oracle.js"
import { ceremony } from "../support/provenances.js"
import {
  bond,
  commitmentOf,
  digestOfWords,
  type Provable,
  policyDigest,
  price,
  provable,
  roles,
  type Settlement,
  send,
  startSettlement,
} from "../support/settlement.js"

const document: PolicyDocument = {
  version: 1,
  name: "a margin",
  inputs: [],
  outputs: [{ tensor: "20", elements: null, least: -100, most: 100 }],
  abstain: { tensor: "20", margin: 2 },
  signOffs: [{ role: "client", signer: `0x${"1".repeat(40)}` }],
  tolerance: { absolute: 0, relative: 0 },
  disputes: [],
  retentionDays: 184,
  finality: "escrow",
}

/** The answer is committed to, and the bit of a document is public before it. */
const layoutWith = (digest: Hex): Layout => ({
  inputs: [{ name: "image", shape: [1, 2], scale: 0.25, lo: 0, bits: 8, visibility: "committed" }],
  outputs: [
    { name: predicateName(digest), shape: [1], scale: 1, lo: 0, bits: 1, visibility: "public" },
    { name: "20", shape: [1, 2], scale: 0.5, lo: -512, bits: 10, visibility: "committed" },
  ],
})

let s: Settlement
beforeAll(async () => {
  s = await startSettlement()
})
afterAll(() => s?.close())

/** Words of a statement whose bit is what it is, with a commitment by its name. */
function wordsWith(subject: Provable, bit: number, salted = "output"): bigint[] {
  const { key } = subject.oracle
  const output: Statement["output"] = {
    visibility: "committed",
    commitment: commitment(salted),
    values: values({ [key.layout.outputs[0].name]: [bit] }),
  }
  return wordsOf(statementOf(key, { output }), key.layout)
}

/** A key whose layout has the bit of that document, registered at verifier and registry. */
async function subjectOf(digest: Hex): Promise<Provable & { readonly modelId: bigint }> {
  const oracle = mirageOracle(layoutWith(digest), { setup: ceremony, seed: `bit of ${digest}` })
  const { key } = oracle
  const made = { ...provable(), oracle, key: keyDigest(key), model: key.model, outputs: 2 }
  const json = new TextEncoder().encode(layoutJson(key.layout))
  const subject = {
    ...made,
    layout: keccak256(json),
    layoutJson: `0x${Buffer.from(json).toString("hex")}`,
    proof: (context: string, words: readonly bigint[]) =>
      solidityProof(oracle.proof(context, words)).map(BigInt),
  }
  await register(s.verifier, key)
  const given = commitmentOf(subject)
  await send(s.parties.owner, s.registry, "registerModel", [given])
  return { ...subject, modelId: await s.registry.modelIdOf(s.parties.owner.address, given) }
}

/** Requests, delivers and proves an answer under the policy of `document`, and asks whether it is actionable. */
async function asked(subject: Awaited<ReturnType<typeof subjectOf>>, bit: number) {
  const { client, operator } = s.parties
  const contracts = {
    registry: `${s.registry.target}`.toLowerCase() as Hex,
    modelId: `0x${subject.modelId.toString(16).padStart(64, "0")}` as Hex,
    escrow: `${s.escrow.target}`.toLowerCase() as Hex,
  }
  const person = { role: "client", signer: client.address.toLowerCase() as Hex } as const
  const own = { ...document, signOffs: [person] }
  const { policy, unchecked } = onChainPolicy(own, subject.oracle.key.layout, contracts)
  const digest = policyDigest({ ...policy })
  const words = wordsWith(subject, bit)
  const terms = await s.terms({
    key: subject.key,
    model: subject.model,
    layout: subject.layout,
    modelId: subject.modelId,
    input: digestOfWords(words.slice(2)),
    policy: digest,
  })
  await send(client, s.escrow, "request", [terms, price], price)
  const signed = await s.attest(terms, { output: digestOfWords(words.slice(0, 2)) })
  await send(operator, s.escrow, "deliver", [terms, signed.attestation, signed.signature, bond], bond)
  const claim = {
    attestation: signed.attestation,
    signature: signed.signature,
    policy,
    words,
    outputs: 2,
    signOffs: [
      {
        attestation: hash32("0"),
        role: roles.client,
        decision: 0,
        scope: hash32("0"),
        signer: ZeroAddress,
        signed: 0,
        validUntil: 0,
      },
    ],
    signatures: ["0x"],
  }
  const prove = () =>
    send(operator, s.escrow, "answer", [
      terms,
      signed.attestation,
      words,
      subject.proof(signed.digest, words),
    ])
  const said = async (): Promise<string> => (await s.book.isActionable(digest, claim))[1]
  return { policy, unchecked, terms, words, signed, prove, said }
}

const own = (): Hex =>
  documentDigest({
    ...document,
    signOffs: [{ role: "client", signer: s.parties.client.address.toLowerCase() as Hex }],
  })

describe("an answer that is committed to beside the bit of its policy", () => {
  test("is actionable if the bit is 1 and proven, and not if it is 0", async () => {
    const subject = await subjectOf(own())
    for (const [bit, expected] of [
      [1, ""],
      [0, "out of bounds"],
    ] as const) {
      const { policy, unchecked, prove, said } = await asked(subject, bit)
      expect(policy.bounds).toEqual([{ word: 0, shift: 0, bits: 1, lo: 0, least: 1, most: 1 }])
      expect(unchecked).toEqual([])
      expect(await said()).toBe("neither final nor proven")
      await prove()
      expect(await said()).toBe(expected)
    }
  })

  test("is checked by nothing if the bit is another document's, and that is said", async () => {
    const { policy, unchecked } = await asked(await subjectOf(hash32("another document")), 1)
    expect(policy.bounds).toEqual([])
    expect(unchecked).toHaveLength(2)
  })

  test("convicts nobody, and contradicts no other: another salt is another output, and the public bit does not change that", async () => {
    const subject = await subjectOf(hash32("a third document"))
    const { terms, words, signed } = await asked(subject, 1)
    const { stranger } = s.parties
    const salted = wordsWith(subject, 1, "another salt")
    expect(salted[0]).toBe(words[0])
    const context = await s.escrow.convictionContext(await s.idOf(terms), stranger.address)
    const proof = subject.proof(context, salted)
    const args = [terms, signed.attestation, subject.layoutJson, salted, proof]
    expect(await s.attempt(stranger, s.escrow, "convict", args)).toBe(`NotPublic(${subject.layout})`)
    const other = await s.attest(terms, { output: digestOfWords(salted.slice(0, 2)) })
    const [one, two] = [signed, other].map(({ attestation, signature }) => [attestation, signature])
    expect(await s.attempt(stranger, s.book, "fileEquivocation", [...one, ...two, subject.layoutJson])).toBe(
      `NotPublic(${subject.layout})`,
    )
  })
})
