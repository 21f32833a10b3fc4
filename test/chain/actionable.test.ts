/** What the package says of a claim beside what the book says: who asks either learns the same, and why. */
import type { Contract, Wallet } from "ethers"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  attestationDigest,
  claimOf,
  decisions,
  type Policy,
  policyDigest,
  roles,
  type SignOff,
  signOffProblems,
  signSignOff,
  signWithdrawal,
  zeroAddress,
} from "#src/attest/index.js"
import {
  actionableProblem,
  addressOf,
  chainTime,
  commitmentOf,
  finalClient,
  planAnswer,
  planDeliver,
  planEquivocation,
  planRecall,
  planRegisterModel,
  planRequest,
  planSettle,
} from "#src/chain/index.js"
import type { Hex } from "#src/statement/strict.js"
import { hash32 } from "../support/groth16-oracle.js"
import { hostile } from "../support/hostile-contracts.js"
import { lower, type Scene, soon, startScene } from "../support/requests.js"

let scene: Scene
/** Signs by ERC-1271. */
let account: Contract
let registrations = 0
beforeAll(async () => {
  scene = await startScene()
  account = await hostile("HostileAccount", scene.signer)
})
afterAll(() => scene?.close())

/** A delivered answer under a policy that asks its client, an approver, and a contract to approve. */
async function delivered(changes: Partial<Policy> = {}) {
  const { contracts, client, operator, stranger, oracle } = scene
  const approver = scene.challenger
  const commitment = commitmentOf(oracle.key, `ipfs://card ${registrations++}`)
  const registration = await planRegisterModel(contracts, stranger, commitment)
  await registration.send(soon)
  const { modelId } = registration
  const signers = { client: lower(client), approver: lower(approver), evaluator: `${account.target}` }
  const policy: Policy = {
    document: hash32("document"),
    registry: addressOf(contracts.deployment, "ModelRegistry"),
    modelId,
    escrow: addressOf(contracts.deployment, "Escrow"),
    bounds: [],
    signOffs: Object.entries(signers).map(([role, signer]) => ({
      role: roles[role as keyof typeof roles],
      signer: signer.toLowerCase() as Hex,
    })),
    ...changes,
  }
  const scope = policyDigest(policy)
  const registry = addressOf(contracts.deployment, "ModelRegistry")
  const request = await scene.agreed({ policy: scope, registry, modelId })
  await (await planRequest(contracts, client, request)).send(soon)
  const attestation = await scene.attested(request)
  await (await planDeliver(contracts, operator, request, attestation)).send(soon)
  const unsigned = claimOf(attestation)
  const about = attestationDigest(unsigned, contracts.domain)
  const at = await chainTime(contracts)
  const signOffOf = (who: Hex, role: number, more: Partial<SignOff> = {}): SignOff => ({
    ...{ attestation: about, role, decision: decisions.approve, scope, signer: who },
    ...{ signed: at, validUntil: at + 1_000_000, ...more },
  })
  const signed = (who: Wallet, role: number, more: Partial<SignOff> = {}) =>
    signSignOff(signOffOf(lower(who), role, more), contracts.domain, who)
  const byContract = {
    ...signOffOf(`${account.target}`.toLowerCase() as Hex, roles.evaluator),
    domain: contracts.domain,
    signature: "0xab",
  }
  const statement = scene.statement()
  const { layout } = oracle.key
  const said = async (signOffs: readonly unknown[]) => {
    const actionable = await actionableProblem(contracts, {
      attestation,
      policy,
      statement,
      layout,
      signOffs,
    })
    const missing = await signOffProblems(policy, unsigned, {
      ...{ domain: contracts.domain, signOffs, at: await chainTime(contracts) },
      accounts: contracts.provider,
      client: await finalClient(contracts, unsigned),
    })
    return { actionable, missing }
  }
  const finish = async () => {
    await scene.pass(3601)
    await (await planSettle(contracts, stranger, request)).send(soon)
  }
  return { request, attestation, modelId, policy, signed, byContract, said, finish, approver }
}
const book = (who: Wallet) => scene.contracts.at.SignOffBook.connect(who) as Contract
const nothingMissing = { actionable: null, missing: [] }

describe("a claim", () => {
  it("is actionable when it is final, everybody has approved, and the client was silent", async () => {
    const d = await delivered()
    const all = [await d.signed(d.approver, roles.approver), d.byContract]
    const before = await d.said(all)
    expect(before.actionable).toBe("neither final nor proven")
    expect(before.missing).toEqual([expect.stringMatching(/^client .* has not approved it/)])
    await d.finish()
    expect(await d.said(all)).toEqual(nothingMissing)
    for (const some of [[], all.slice(0, 1), all.slice(1)]) {
      const { actionable, missing } = await d.said(some)
      expect(actionable).toBe("a required sign-off is missing")
      expect(missing).toHaveLength(2 - some.length)
    }
    // a contract that takes its word back is asked each time
    await (await account.set(1)).wait()
    const denied = await d.said(all)
    expect(denied.actionable).toBe("a required sign-off is missing")
    expect(denied.missing.join()).toMatch(/the contract 0x\w+ refuses the signature/)
    await (await account.set(0)).wait()
  })

  it("is shown with the sign-offs that hold among those at hand", async () => {
    const d = await delivered()
    await d.finish()
    const { approver } = d
    const late = await d.signed(approver, roles.approver, { signed: 1, validUntil: 2 })
    const elsewhere = await d.signed(approver, roles.approver, { scope: hash32("report") })
    const other = await d.signed(approver, roles.owner)
    const taken = await d.signed(approver, roles.approver, { signed: 5 })
    const { withdrawn, signature } = await signWithdrawal(taken, 7, approver)
    await (await book(scene.stranger).withdrawBySignature(claimOf(taken), withdrawn, signature)).wait()
    const useless = ["{", null, late, elsewhere, other, taken, d.byContract]
    expect((await d.said(useless)).actionable).toBe("a required sign-off is missing")
    const good = await d.signed(approver, roles.approver)
    expect((await d.said([...useless, good])).actionable).toBeNull()
  })

  it("ends with a rejection that was recorded, and with the recall of its model, and says which", async () => {
    const d = await delivered()
    await d.finish()
    const all = [await d.signed(d.approver, roles.approver), d.byContract]
    const rejection = await d.signed(d.approver, roles.approver, { decision: decisions.reject })
    await (await book(scene.stranger).record(claimOf(rejection), rejection.signature)).wait()
    expect((await d.said(all)).actionable).toBe("rejected")
    await (await book(d.approver).withdraw(claimOf(rejection))).wait()
    expect((await d.said(all)).actionable).toBeNull()
    await (await planRecall(scene.contracts, scene.stranger, d.modelId)).send(soon)
    expect((await d.said(all)).actionable).toMatch(/^the model was recalled at 2\d{3}-.*Z$/)
  })

  it("that contradicts another is not actionable unless it is proven", async () => {
    for (const proven of [false, true]) {
      const d = await delivered()
      const other = await scene.attested(d.request, 5)
      const { contracts, operator, stranger, oracle } = scene
      if (proven) {
        const proof = { receipt: scene.receipt(d.attestation), verificationKey: oracle.key }
        await (await planAnswer(contracts, operator, d.request, proof)).send(soon)
      } else await d.finish()
      await (await planEquivocation(contracts, stranger, d.attestation, other, oracle.key)).send(soon)
      const all = [await d.signed(d.approver, roles.approver), d.byContract]
      expect((await d.said(all)).actionable).toBe(proven ? null : "contradicted by its operator")
    }
  })

  it("under a policy without a registry, or with another model's id there, is told so", async () => {
    const { contracts, stranger, oracle } = scene
    const other = { ...commitmentOf(oracle.key, "ipfs://other"), modelHash: hash32("another model") }
    const registration = await planRegisterModel(contracts, stranger, other)
    await registration.send(soon)
    for (const [changes, expected] of [
      [{ registry: zeroAddress }, "the policy names no registry, where the model could be recalled"],
      [{ modelId: registration.modelId }, "the registry has another model or key under the policy's id"],
      [{ modelId: hash32("nobody's") }, "the registry has no model of this id"],
    ] as const) {
      const d = await delivered(changes)
      await d.finish()
      const all = [await d.signed(d.approver, roles.approver), d.byContract]
      expect((await d.said(all)).actionable).toBe(expected)
    }
  })

  it("under a policy that requires nobody is nowhere signed off, and nowhere actionable", async () => {
    const d = await delivered({ escrow: zeroAddress, signOffs: [] })
    await d.finish()
    expect(await d.said([])).toEqual({
      actionable: "the policy requires nobody",
      missing: ["the policy requires nobody, and names no escrow"],
    })
    // with an escrow, a proof stands for people
    const proven = await delivered({ signOffs: [] })
    const proof = { receipt: scene.receipt(proven.attestation), verificationKey: scene.oracle.key }
    await (await planAnswer(scene.contracts, scene.operator, proven.request, proof)).send(soon)
    expect(await proven.said([])).toEqual(nothingMissing)
  })
})
