/** Who has signed off, and what does not count. */
import { describe, expect, it } from "vitest"
import {
  type Attestation,
  attestationDigest,
  decisions,
  explainSignOff,
  isSignedOff,
  type Policy,
  policyDigest,
  roles,
  type Shown,
  type SignOff,
  signOffProblems,
  signSignOff,
  signWithdrawal,
  zeroAddress,
} from "#src/attest/index.js"
import { timeText, UsageError } from "#src/errors.js"
import {
  addressOf,
  approver,
  attestationOf,
  digest,
  domains,
  operator,
  policy,
  stranger,
} from "../support/attestations.js"

const [domain] = domains
const at = 1_700_050_000
const requirements = [
  { role: roles.approver, signer: addressOf(approver) },
  { role: roles.evaluator, signer: addressOf(stranger) },
  { role: roles.operator, signer: addressOf(operator) },
]
const asks: Policy = { ...policy, signOffs: requirements }
const attestation: Attestation = attestationOf({ policy: policyDigest(asks) })
const about = attestationDigest(attestation, domain)
const signOffOf = (who: typeof approver, role: number, change: Partial<SignOff> = {}): SignOff => ({
  attestation: about,
  role,
  decision: decisions.approve,
  scope: attestation.policy,
  signer: addressOf(who),
  signed: at - 10,
  validUntil: at + 10,
  ...change,
})
const byApprover = (change: Partial<SignOff> = {}, where = domain) =>
  signSignOff(signOffOf(approver, roles.approver, change), where, approver)
const byEvaluator = () => signSignOff(signOffOf(stranger, roles.evaluator), domain, stranger)
const problems = async (signOffs: readonly unknown[], more: Partial<Shown> = {}) =>
  signOffProblems(asks, attestation, { domain, signOffs, at, ...more })

describe("an attestation is signed off", () => {
  it("when everybody whom the policy names has approved it; its operator has by signing", async () => {
    const both = [await byApprover(), await byEvaluator()]
    expect(await problems(both)).toEqual([])
    expect(await isSignedOff(asks, attestation, { domain, signOffs: both, at })).toBe(true)
    expect(await problems([both[0]])).toEqual([
      `evaluator ${addressOf(stranger)} has not approved it at ${timeText(at)}`,
    ])
    expect(await problems([])).toHaveLength(2)
  })

  it("by nobody, where a policy neither requires anybody nor names an escrow", async () => {
    for (const [escrow, expected] of [
      [policy.escrow, []],
      [zeroAddress, ["the policy requires nobody, and names no escrow"]],
    ] as const) {
      const asksNobody = { ...policy, escrow, signOffs: [] }
      const free = attestationOf({ policy: policyDigest(asksNobody) })
      const shown = { domain, signOffs: [], at }
      expect(await signOffProblems(asksNobody, free, shown)).toEqual(expected)
      expect(await isSignedOff(asksNobody, free, shown)).toBe(expected.length === 0)
    }
  })

  it("by nothing that was said in another role, scope or domain, of something else, or for another time", async () => {
    const evaluated = await byEvaluator()
    const useless: [string, unknown][] = [
      ["role", await byApprover({ role: roles.owner })],
      ["abstained", await byApprover({ decision: decisions.abstain })],
      ["scope", await byApprover({ scope: digest("1") })],
      ["another attestation", await byApprover({ attestation: digest("2") })],
      ["expired", await byApprover({ validUntil: at - 1 })],
      ["not yet", await byApprover({ signed: at + 1, validUntil: at + 2 })],
      ["another domain", await byApprover({}, domains[1])],
      ["another domain, relabelled", { ...(await byApprover({}, domains[1])), domain }],
      ["offline", await byApprover({}, "offline")],
      ["somebody else's", { ...(await byApprover()), signature: evaluated.signature }],
      ["edited", { ...(await byApprover({ validUntil: at - 1 })), validUntil: at + 1 }],
      ["malformed", { ...(await byApprover()), extra: 1 }],
      ["nothing", null],
    ]
    for (const [why, signOff] of useless) {
      const reasons = await problems([signOff, evaluated])
      expect(reasons.at(-1), why).toBe(
        `approver ${addressOf(approver)} has not approved it at ${timeText(at)}`,
      )
      // and does no harm beside one that counts
      expect(await problems([signOff, await byApprover(), evaluated]), why).toEqual([])
    }
  })

  it("no more once an approval is withdrawn, by its signer alone", async () => {
    const [approved, evaluated] = [await byApprover(), await byEvaluator()]
    const withdrawn = await signWithdrawal(approved, at, approver)
    const withdrawals = (list: readonly unknown[]) => problems([approved, evaluated], { withdrawals: list })
    expect(await withdrawals([withdrawn])).toEqual([
      `sign-off of ${addressOf(approver)}: withdrawn`,
      `approver ${addressOf(approver)} has not approved it at ${timeText(at)}`,
    ])
    await expect(signWithdrawal(approved, at, stranger)).rejects.toThrow(UsageError)
    const forged = { ...withdrawn, signature: evaluated.signature }
    expect(
      await withdrawals([
        forged,
        null,
        await signWithdrawal(evaluated, at, stranger).then((x) => ({ ...x, withdrawn: 1 })),
      ]),
    ).toEqual([])
    // a new approval after it counts
    const again = await byApprover({ signed: at - 5 })
    expect(await problems([approved, again, evaluated], { withdrawals: [withdrawn] })).toEqual([])
  })

  it("not while somebody whom the policy names rejects it, until that is withdrawn", async () => {
    const [approved, evaluated] = [await byApprover(), await byEvaluator()]
    const rejected = await byApprover({ decision: decisions.reject })
    const all = [approved, rejected, evaluated]
    expect(await problems(all)).toEqual([`approver ${addressOf(approver)} has rejected it`])
    expect(await problems(all, { withdrawals: [await signWithdrawal(rejected, at, approver)] })).toEqual([])
    // an operator may take its own word back
    const recanted = await signSignOff(
      signOffOf(operator, roles.operator, { decision: decisions.reject }),
      domain,
      operator,
    )
    expect(await problems([approved, evaluated, recanted])).toEqual([
      `operator ${addressOf(operator)} has rejected it`,
    ])
    // somebody whom the policy does not name stops nobody
    const other = await signSignOff(
      signOffOf(operator, roles.client, { decision: decisions.reject }),
      domain,
      operator,
    )
    expect(await problems([approved, evaluated, other])).toEqual([])
  })

  it("under its own policy only", async () => {
    const laxer = { ...asks, signOffs: [] }
    const reasons = await signOffProblems(laxer, attestation, { domain, signOffs: [], at })
    expect(reasons).toEqual([expect.stringMatching(/^it was made under policy/)])
  })
})

it("a sign-off names its signer, and ends after it begins", async () => {
  await expect(signSignOff(signOffOf(approver, 4), domain, stranger)).rejects.toThrow(UsageError)
  await expect(byApprover({ validUntil: 1 })).rejects.toThrow(UsageError)
  await expect(byApprover({ role: 9 })).rejects.toThrow()
  expect(await explainSignOff(await byApprover(), { domain, at })).toBeNull()
})
