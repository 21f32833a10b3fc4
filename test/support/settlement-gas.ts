/** Gas of what people pay for in registry, book and escrow, with amounts and digests as large as in life. */
import { type JsonRpcSigner, parseEther, ZeroAddress } from "ethers"
import { deploy } from "../../examples/chain.js"
import { artifact } from "./chain.js"
import { hash32 } from "./groth16-oracle.js"
import {
  challengeWindow,
  commitmentOf,
  decisions,
  policyDigest,
  provable,
  roles,
  type Settlement,
  send,
  startSettlement,
} from "./settlement.js"

type Line = [name: string, gas: bigint]
const money = { price: parseEther("0.01"), damages: parseEther("0.05"), costs: parseEther("0.002") }
const due = money.damages + money.costs

/** Lines of test/gas.snapshot. */
export async function settlementGas(): Promise<Line[]> {
  const s = await startSettlement()
  try {
    // times are in what is signed, and a byte more that is zero there is 12 gas less
    await s.provider.send("anvil_setBlockTimestampInterval", [1])
    await s.provider.send("evm_setNextBlockTimestamp", [2_000_000_000])
    await s.provider.send("evm_mine", [])
    return [...(await deployments(s)), ...(await ofBook(s)), ...(await ofEscrow(s))].map(([name, gas]) => [
      `settlement ${name}`,
      gas,
    ])
  } finally {
    await s.close()
  }
}

async function deployments({ signer, registry, verifier, book, provider }: Settlement): Promise<Line[]> {
  const given: [string, unknown[]][] = [
    ["ModelRegistry", []],
    ["SignOffBook", []],
    ["Escrow", [book.target, verifier.target]],
    ["InferenceVerifier", [registry.target, verifier.target]],
  ]
  const lines: Line[] = []
  for (const [name, args] of given) {
    const contract = await deploy(artifact(name), signer, ...args)
    const block = await provider.getBlock("latest")
    const receipt = await provider.getTransactionReceipt(block?.transactions[0] ?? "")
    if (receipt?.contractAddress !== contract.target) throw new Error(`${name} is not in the latest block`)
    lines.push([`deploy ${name}`, receipt.gasUsed])
  }
  return lines
}

async function ofBook(s: Settlement): Promise<Line[]> {
  const { approver, owner } = s.parties
  const twin = provable("public", "twin")
  const log = hash32("log")
  const anchor = (size: number) => send(approver, s.book, "anchor", [log, size, hash32(`root ${size}`)])
  const attestation = hash32("attestation")
  const approval = await s.signOff({ attestation }, approver)
  const rejection = await s.signOff({ attestation, decision: decisions.reject }, approver)
  const terms = await s.terms()
  const [a, b] = [await s.attest(terms), await s.attest(terms, { output: hash32("other") })]
  const contradiction = [a.attestation, a.signature, b.attestation, b.signature, s.subject.layoutJson]
  return [
    ["registerModel", await send(owner, s.registry, "registerModel", [commitmentOf(twin)])],
    ["signing off", 0n],
    ["anchor, first of a log", await anchor(1000)],
    ["anchor, later", await anchor(2000)],
    ["record a rejection", await send(approver, s.book, "record", [rejection.signOff, rejection.signature])],
    ["withdraw a rejection", await send(approver, s.book, "withdraw", [rejection.signOff])],
    ["withdraw a sign-off", await send(approver, s.book, "withdraw", [approval.signOff])],
    ["fileEquivocation", await send(approver, s.book, "fileEquivocation", contradiction)],
  ]
}

async function ofEscrow(s: Settlement): Promise<Line[]> {
  const { client, operator, challenger, stranger, approver } = s.parties
  const policy = {
    document: hash32("document"),
    registry: s.registry.target,
    modelId: s.modelId,
    escrow: s.escrow.target,
    bounds: [{ word: 0, shift: 0, bits: 10, lo: -512, least: -100, most: 100 }],
    signOffs: [
      { role: roles.client, signer: client.address },
      { role: roles.approver, signer: approver.address },
    ],
  }
  const agreed = { ...money, policy: policyDigest(policy) }
  const answerOf = (d: Awaited<ReturnType<typeof s.delivered>>) =>
    send(operator, s.escrow, "answer", [
      d.terms,
      d.attestation,
      d.words,
      s.subject.proof(d.digest, d.words, d.id),
    ])
  const challenge = (d: Awaited<ReturnType<typeof s.delivered>>, who: JsonRpcSigner) =>
    send(who, s.escrow, "challenge", [d.terms, money.costs], money.costs)

  const terms = await s.terms(agreed)
  const requested = await send(client, s.escrow, "request", [terms, money.price], money.price)
  const { attestation, signature, digest } = await s.attest(terms)
  const delivered = await send(operator, s.escrow, "deliver", [terms, attestation, signature, due], due)
  const challenged = await challenge({ terms, attestation, signature, digest, id: "", words: [] }, challenger)
  const words = s.subject.words()
  const answered = await answerOf({ terms, attestation, signature, digest, id: digest, words })

  const approval = await s.signOff({ attestation: digest, scope: agreed.policy }, approver)
  const claim = {
    attestation,
    signature,
    policy,
    words,
    outputs: s.subject.outputs,
    signOffs: [approval.signOff, approval.signOff],
    signatures: ["0x", approval.signature],
  }
  if (!(await s.book.isActionable(agreed.policy, claim))[0]) throw new Error("the claim is not actionable")
  const acted: bigint = await s.book.isActionable.estimateGas(agreed.policy, claim)

  const silent = await s.delivered(agreed)
  await challenge(silent, challenger)
  const unchallenged = await s.delivered(agreed)
  const early = await answerOf(await s.delivered(agreed))
  const wrong = await s.delivered(agreed)
  const right = s.subject.words(1)
  const context = await s.escrow.convictionContext(wrong.id, stranger.address)
  const convicted = await send(stranger, s.escrow, "convict", [
    wrong.terms,
    wrong.attestation,
    s.subject.layoutJson,
    right,
    s.subject.proof(context, right),
  ])
  const undelivered = await s.terms(agreed)
  await send(client, s.escrow, "request", [undelivered, money.price], money.price)
  await s.pass(challengeWindow + 1)
  const settle = (of: object) => send(stranger, s.escrow, "settle", [of])
  return [
    ["request", requested],
    ["deliver", delivered],
    ["challenge", challenged],
    ["answer of a challenge", answered],
    ["answer unchallenged", early],
    ["convict", convicted],
    ["settle unchallenged", await settle(unchallenged.terms)],
    ["settle after silence", await settle(silent.terms)],
    ["settle undelivered", await settle(undelivered)],
    ["withdraw ETH", await send(operator, s.escrow, "withdraw", [ZeroAddress, operator.address])],
    ["isActionable, as a transaction", acted],
  ]
}
