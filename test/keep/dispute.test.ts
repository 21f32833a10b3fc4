/** Disputes: who is right, by signatures, proofs and the model itself, and what can be filed where. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  noContracts,
  onChainPolicy,
  type PolicyDocument,
  policyDigest,
  zeroDigest,
} from "#src/attest/index.js"
import type { Situation } from "#src/chain/index.js"
import {
  type DisputeFacts,
  dispute,
  type Filing,
  filings,
  groundsOf,
  keep,
  type Shown,
} from "#src/keep/index.js"
import { execute } from "#src/prover/execute.js"
import { addressOf, approver, digest, stranger } from "../support/attestations.js"
import { modelOf, x } from "../support/claims.js"

let folder: string
let one: Awaited<ReturnType<typeof modelOf>>
let other: Awaited<ReturnType<typeof modelOf>>
let salted: Awaited<ReturnType<typeof modelOf>>
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-dispute-"))
  ;[one, other, salted] = await Promise.all([
    modelOf(),
    modelOf({ seed: 8 }),
    modelOf({ input: "committed", output: "committed" }),
  ])
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const document: PolicyDocument = {
  version: 1,
  name: "Loans",
  inputs: [],
  outputs: [],
  abstain: null,
  signOffs: [{ role: "approver", signer: addressOf(approver) }],
  tolerance: { absolute: 1e-9, relative: 0 },
  disputes: [
    { ground: "wrong output", remedy: "refund and damages" },
    { ground: "equivocation", remedy: "withdrawal" },
    { ground: "outside tolerance", remedy: "review" },
  ],
  retentionDays: 184,
  finality: "none",
}
const said = (list: readonly Filing[]) =>
  list.map(({ what, against, can }) => `${can ? "" : "no "}${what} ${against}`)
const known = (): DisputeFacts => ({ models: [one.known, other.known] })
const lying = { lie: true, by: stranger }

describe("who is right", () => {
  it("is found by the model, whichever way round", async () => {
    const [right, wrong] = [await one.attested(), await one.attested(lying)]
    const found = await dispute(right, wrong, known())
    expect(found).toMatchObject({ right: "a", sameInput: true, a: { holds: true }, b: { holds: true } })
    expect(found.noEquivocation).toMatch(/`operator` differs/)
    expect(await dispute(wrong, right, known())).toMatchObject({ right: "b" })
    expect(await dispute(wrong, await one.attested({ ...lying, issued: 2 }), known())).toMatchObject({
      right: "neither",
    })
    expect(await dispute(right, await one.attested({ by: stranger }), known())).toMatchObject({
      right: "both",
      reason: "both say what the model says",
    })
  })

  it("is found by a proof about the same input, without the model", async () => {
    const [right, wrong] = [await one.attested(), await one.attested(lying)]
    const keys = { keys: [one.key] }
    expect(await dispute(wrong, one.received(), keys)).toMatchObject({ right: "b", sameInput: true })
    expect(await dispute(one.received(), right, keys)).toMatchObject({ right: "both" })
    const elsewhere = await dispute(wrong, one.received({ x: [1, -1, 1] }), keys)
    expect(elsewhere).toMatchObject({ right: "unknown", sameInput: false })
    // no more than signatures
    const nothing = await dispute(wrong, one.received())
    expect(nothing).toMatchObject({ right: "unknown", a: { holds: true }, b: { holds: null } })
  })

  it("is nobody whose signature or proof does not hold", async () => {
    const { attestation, statement } = await one.attested()
    const edited: Shown = { kind: "attestation", attestation: { ...attestation, issued: 2 }, statement: null }
    const exchanged: Shown = { kind: "attestation", attestation, statement: one.statement({ lie: true }) }
    const { receipt } = one.received()
    const forged: Shown = {
      kind: "receipt",
      receipt: { ...receipt, statement: one.statement({ lie: true }) } as typeof receipt,
    }
    const wrong = await one.attested(lying)
    for (const bad of [edited, exchanged, forged]) {
      const found = await dispute(bad, wrong, known())
      expect(found).toMatchObject({
        right: "unknown",
        a: { holds: false, judgement: { verdict: "unknown" } },
      })
      expect(said(filings(found)).filter((text) => text.endsWith("a"))).toEqual([])
    }
    expect(statement).not.toBeNull()
    // who can forge a proof is not believed against the model
    expect(await dispute(one.received({ lie: true }), await one.attested(), known())).toMatchObject({
      right: "b",
      a: { holds: true, judgement: { reason: expect.stringMatching(/somebody can forge/) } },
    })
  })

  it("can be both, of different models", async () => {
    const found = await dispute(await one.attested(), await other.attested(), known())
    expect(found).toMatchObject({ right: "both", sameInput: true })
    expect(found.reason).toMatch(/its own model says, for the same input/)
    expect(found.apart?.[0].within).toBeNull()
    expect(said(filings(found))).toEqual([
      ...["rejection a", "withdrawal a", "recall a"],
      ...["rejection b", "withdrawal b", "recall b"],
    ])
  })

  it("is not said of hidden inputs, and of commitments only where a salt opens them", async () => {
    const hidden = await modelOf({ input: "private" })
    const claims = [await hidden.attested(), await hidden.attested(lying)] as const
    expect(await dispute(...claims, { models: [hidden.known] })).toMatchObject({ right: "unknown" })
    const [right, wrong] = [await salted.attested(), await salted.attested(lying)]
    const by = (output: bigint) => ({
      models: [{ ...salted.known, inputs: [{ input: { x }, salts: { input: 11n, output } }] }],
    })
    expect((await dispute(right, wrong, by(7n))).a.judgement.verdict).toBe("right")
    expect((await dispute(right, wrong, by(7n))).b.judgement.verdict).toBe("unknown")
    expect((await dispute(right, wrong, by(8n))).a.judgement.verdict).toBe("unknown")
  })

  it("is looked up in the operator's store", async () => {
    const [right, wrong] = [await salted.attested(), await salted.attested(lying)]
    const { input, salts } = execute(salted.circuit, { x }, { salts: { input: 11n, output: 7n } })
    keep(folder, { attestation: right.attestation, evidence: null, input, salts, retainUntil: 99 })
    const found = await dispute(right, wrong, { models: [salted.known], store: folder })
    expect(found).toMatchObject({
      a: { judgement: { verdict: "right" } },
      b: { judgement: { verdict: "unknown" } },
    })
    expect(found.a.outputs?.y).toHaveLength(2)
  })
})

describe("a difference", () => {
  it("is measured, against the policy's tolerance and the float model", async () => {
    const [right, wrong] = [await one.attested(), await one.attested(lying)]
    const values = (await dispute(right, wrong, known())).a.outputs?.y ?? []
    const facts = (absolute: number): DisputeFacts => ({
      ...known(),
      policy: { document: { ...document, tolerance: { absolute, relative: 0 } } },
      float: () => ({ y: values }),
    })
    const near = await dispute(right, wrong, facts(100))
    const [{ largest, element, output }] = near.apart ?? []
    const claimed = near.b.outputs?.y ?? []
    expect({ output, element, largest }).toEqual({
      output: "y",
      element: 0,
      largest: Math.abs(values[0] - claimed[0]),
    })
    expect(largest).toBeGreaterThan(0)
    expect([near.apart?.[0].within, near.fromFloat?.b?.[0].within]).toEqual([true, true])
    // the bound itself is within
    for (const [absolute, within] of [
      [largest, true],
      [largest * 0.999, false],
    ] as const) {
      const found = await dispute(right, wrong, facts(absolute))
      expect([found.apart?.[0].within, found.fromFloat?.b?.[0].within]).toEqual([within, within])
      expect(found.fromFloat?.a?.[0]).toMatchObject({ largest: 0, within: true })
      const grounds = groundsOf(found, document).map(({ ground }) => ground)
      expect(grounds).toEqual(within ? ["wrong output"] : ["wrong output", "outside tolerance"])
    }
    // the bit of a policy is no answer, and no float model has it
    const proving = await modelOf({ within: { ...document, abstain: { tensor: "y", margin: 1e-3 } } })
    const about = { ...facts(100), models: [proving.known] }
    const [{ name }] = proving.key.layout.outputs
    const proven = await dispute(await proving.attested(), proving.received(), about)
    expect(name).toMatch(/^within 0x/)
    expect(proven.fromFloat?.b?.map(({ output }) => output)).toEqual(["y"])
    // of other inputs there is none
    const elsewhere = await dispute(right, await one.attested({ x: [1, -1, 1] }), known())
    expect(elsewhere).toMatchObject({ sameInput: false, apart: null })
  })

  it("is told with the policy that a claim was made under", async () => {
    const policy = policyDigest(onChainPolicy(document, one.key.layout, noContracts).policy)
    const [under, elsewhere] = [await one.attested({ policy }), await other.attested()]
    const found = await dispute(under, elsewhere, { ...known(), policy: { document } })
    expect([found.a.isUnderPolicy, found.b.isUnderPolicy]).toEqual([true, false])
    const narrow = { ...document, outputs: [{ tensor: "y", elements: null, least: 1e6, most: null }] }
    const outside = await dispute(under, elsewhere, { ...known(), policy: { document: narrow } })
    expect(outside.a.outside).not.toBeNull()
  })
})

describe("what can be filed", () => {
  const situation: Situation = {
    now: 100,
    frozenBy: null,
    state: "Delivered",
    deadline: 200,
    challenger: null,
    recalled: null,
  }

  it("is an equivocation, by two signatures and nothing else", async () => {
    const [a, b] = [await one.attested(), await one.attested({ lie: true })]
    const found = await dispute(a, b, { keys: [one.key] })
    expect(found).toMatchObject({ right: "unknown", noEquivocation: null })
    expect(said(filings(found))[0]).toBe("equivocation both")
    const frozen = { ...situation, frozenBy: digest("1") }
    const all = { a: frozen, b: frozen }
    expect(filings(found, { situations: all })[0]).toMatchObject({
      can: false,
      reason: expect.stringMatching(/filed already/),
    })
    for (const change of [{ policy: digest("e") }, { x: [1, -1, 1] }, { domain: "offline" }] as const) {
      const differs = await dispute(a, await one.attested({ lie: true, ...change }), { keys: [one.key] })
      expect(differs.noEquivocation).toMatch(/differs|different places/)
      expect(said(filings(differs))[0]).toBe("no equivocation both")
    }
    const twice = [await salted.attested(), await salted.attested({ salts: { output: 8n } })] as const
    expect((await dispute(...twice, { keys: [salted.key] })).noEquivocation).toMatch(
      /one answer under two salts/,
    )
    expect((await dispute(a, b)).noEquivocation).toMatch(/key was not given/)
    const hidden = await modelOf({ input: "private" })
    const unseen = [await hidden.attested(), await hidden.attested({ x: [1, -1, 1] })] as const
    expect((await dispute(...unseen, { keys: [hidden.key] })).noEquivocation).toMatch(/hidden/)
  })

  it("is a conviction and a challenge of what is wrong, as long as the request is open", async () => {
    const found = await dispute(await one.attested(), await one.attested(lying), known())
    const of = (b: Situation | null) => said(filings(found, { situations: { a: situation, b } }))
    const people = ["rejection b", "withdrawal b"]
    expect(said(filings(found))).toEqual(["conviction b", "challenge b", ...people])
    expect(of(situation)).toEqual(["conviction b", "challenge b", ...people])
    expect(of({ ...situation, state: "Challenged" })).toEqual(["conviction b", "no challenge b", ...people])
    expect(of({ ...situation, now: 201 })).toEqual(["conviction b", "no challenge b", ...people])
    expect(of({ ...situation, state: "Unchallenged" })).toEqual([
      "no conviction b",
      "no challenge b",
      ...people,
    ])
    expect(of({ ...situation, state: null })).toEqual(["no conviction b", ...people])
    expect(of(null)).toEqual(["no conviction b", ...people])
    const nowhere = await dispute(
      await one.attested(),
      await one.attested({ ...lying, request: zeroDigest }),
      known(),
    )
    expect(said(filings(nowhere))).toEqual(["no conviction b", ...people])
    expect(filings(found, { document }).find(({ what }) => what === "rejection")?.who).toBe(
      `approver ${addressOf(approver)}`,
    )
  })

  it("is nothing where both agree", async () => {
    const found = await dispute(await one.attested(), await one.attested({ by: stranger }), known())
    expect(filings(found)).toEqual([])
  })
})
