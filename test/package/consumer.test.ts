/** Strangers' contracts (examples/solidity-consumer), compiled from the tarball in an empty project, and what they act on. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { Contract, type Signer, Wallet, ZeroHash } from "ethers"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  type MirageKey,
  type MirageReceipt,
  parseVerificationKey,
  toSolidityArguments,
} from "#src/verifier/index.js"
import { type Deployable, deploy } from "../../examples/chain.js"
import { hash32 } from "../support/groth16-oracle.js"
import { type Newcomer, newcomer } from "../support/newcomer.js"
import { funded } from "../support/requests.js"
import {
  challengeWindow,
  decisions,
  digestOfWords,
  policyDigest,
  roles,
  type Settlement,
  send,
  startSettlement,
} from "../support/settlement.js"

let at: Newcomer
let s: Settlement
beforeAll(async () => {
  at = newcomer("solidity-consumer")
  s = await startSettlement()
}, 120_000)
afterAll(async () => {
  rmSync(dirname(at.folder), { recursive: true, force: true })
  await s?.close()
})
/** What the README's commands compiled, which are interfaces alone beside the contracts and what they import of libraries. */
function compiled(name: string): Deployable {
  const built = (ending: string) => readFileSync(at.path(`out/${name}_sol_${name}.${ending}`), "utf8")
  return { abi: JSON.parse(built("abi")), bytecode: `0x${built("bin")}` }
}
/** Name and arguments of the error that a call of a contract gives, or "done". */
async function failure(to: Contract, who: Signer, name: string, args: readonly unknown[]): Promise<string> {
  const known = to.interface
  const data = known.encodeFunctionData(name, args)
  try {
    await who.provider?.call({ from: await who.getAddress(), to: to.target, data })
    return "done"
  } catch (error) {
    const parsed = known.parseError((error as { data: string }).data)
    return `${parsed?.name}(${parsed?.args.join(", ")})`
  }
}

describe("a prize for a proof", () => {
  it("is compiled, deployed, proven for and paid by the commands of its README", async () => {
    const [compile, play] = at.blocks("sh")
    await at.shell(compile)
    const local = play.replace("http://127.0.0.1:8545", s.url)
    expect(local).not.toBe(play)
    const printed = await at.shell(`${compile.split("\n")[0]}\n${local}`)
    expect(printed).toMatch(/^1\.0 ETH to 0x/m)

    await at.types("deploy-prize.mjs", "claim-prize.mjs", "deploy-desk.mjs")
    const again = local.split("\n").filter((line) => /^export|claim/.test(line))
    await expect(at.shell(again.join("\n"))).rejects.toThrow(/\nthe contract refuses: AlreadyPaid\n/)

    const read = (name: string) => JSON.parse(readFileSync(at.path(name), "utf8"))
    const prize = new Contract(read("prize.json").prize, compiled("Prize").abi, s.provider)
    const claimant = Wallet.createRandom(s.provider)
    const key = parseVerificationKey(read("digits/verification.json")) as MirageKey
    const receipt: MirageReceipt = read("receipt.json")
    const { words, proof } = toSolidityArguments(receipt, key)
    // it was the first account's
    const winner = await s.provider.getSigner(0)
    expect(await prize.winner()).toBe(winner.address)
    expect(await prize.digitIn(words)).toBe(7n)
    expect(await failure(prize, winner, "claim", [words, proof])).toBe("AlreadyPaid()")

    const { verifier } = read("prize.json")
    const another = async (digit: number) => {
      const made = await deploy(compiled("Prize"), winner, verifier, digit)
      // as if it had been deployed where the proof says that it was
      const code = await s.provider.getCode(made.target)
      await s.provider.send("anvil_setCode", [prize.target, code])
      await s.provider.send("anvil_setStorageAt", [prize.target, ZeroHash, ZeroHash])
    }
    await another(7)
    expect(await failure(prize, winner, "claim", [words, proof])).toBe("done")
    // who copies it from the transaction gets nothing, nor does another output
    expect(await failure(prize, claimant, "claim", [words, proof])).toBe("NotProven()")
    expect(await failure(prize, winner, "claim", [words.with(0, words[0] + 1n), proof])).toBe("NotProven()")
    await another(3)
    expect(await failure(prize, winner, "claim", [words, proof])).toBe("OtherDigit(7)")
    const elsewhere = await deploy(compiled("Prize"), winner, verifier, 7)
    expect(await failure(elsewhere, winner, "claim", [words, proof])).toBe("NotProven()")
  }, 240_000)
})

describe("a loan on an answer that is final", () => {
  let desk: Deployable
  beforeAll(async () => {
    await at.shell(at.blocks("sh")[3].split("\n")[0])
    desk = compiled("LoanDesk")
  }, 60_000)

  const policyOf = (changes: object = {}) => ({
    document: hash32("document"),
    registry: s.registry.target,
    modelId: s.modelId,
    escrow: s.escrow.target,
    // a yes: the first element of the output, which is 0 unless it is said otherwise, is not negative
    bounds: [{ word: 0, shift: 0, bits: 10, lo: -512, least: 0, most: 5 }],
    signOffs: [
      { role: roles.approver, signer: s.parties.approver.address },
      { role: roles.client, signer: s.parties.client.address },
    ],
    ...changes,
  })
  const deskOf = (policy: object): Promise<Contract> =>
    deploy(desk, s.signer, s.book.target, policyDigest(policy as never), s.parties.approver.address)
  interface How {
    readonly decision?: number
    readonly output?: number
    readonly attested?: object
  }
  /** A request that was delivered, and what is shown to a desk of it. */
  async function claimOf(
    policy: object,
    { decision = decisions.approve, output = 0, attested = {} }: How = {},
  ) {
    const { subject, parties } = s
    const words = subject.words(output)
    const said = { output: digestOfWords(words.slice(0, subject.outputs)), ...attested }
    const made = await s.delivered({ policy: policyDigest(policy as never) }, said)
    const approval = await s.signOff(
      { attestation: made.digest, scope: made.attestation.policy, decision },
      parties.approver,
    )
    const { attestation, signature } = made
    const signOffs = [approval.signOff, approval.signOff]
    const signatures = [approval.signature, "0x"]
    const claim = { attestation, signature, policy, words, outputs: subject.outputs, signOffs, signatures }
    const prove = () =>
      send(parties.operator, s.escrow, "answer", [
        made.terms,
        attestation,
        words,
        subject.proof(made.digest, words, made.id),
      ])
    return { made, claim, approval, prove }
  }
  /** The error of a grant by somebody, or "granted". */
  const grant = async (desk: Contract, claim: object, who = s.parties.client): Promise<string> =>
    (await failure(desk, who, "grant", [claim])).replace(/^done$/, "granted")

  it("compiles from the tarball, with interfaces alone, and is deployed as its README says", async () => {
    const sources = readdirSync(at.path("out")).map((name) => name.replace(/_sol_.*/, ""))
    expect(
      sources.filter((name) => !/^(Prize|Digits|LoanDesk|.*_I[A-Z]\w*|.*_CountersignWords)$/.test(name)),
    ).toEqual([])
    const policy = policyDigest(policyOf() as never)
    writeFileSync(at.path("contracts.json"), JSON.stringify({ contracts: { SignOffBook: s.book.target } }))
    writeFileSync(at.path("policy-digest.json"), JSON.stringify({ digest: policy }))
    const owner = await funded(s, "owner of a desk")
    const env = {
      COUNTERSIGN_RPC: s.url,
      COUNTERSIGN_PRIVATE_KEY: owner.privateKey,
      APPROVER: s.parties.approver.address,
    }
    const stdout = await at.shell(at.blocks("sh")[3].split("\n").slice(1).join("\n"), env)
    const made = new Contract(stdout.trim(), desk.abi, s.provider)
    expect(await Promise.all([made.book(), made.policy(), made.approver()])).toEqual([
      s.book.target,
      policy,
      s.parties.approver.address,
    ])
  })

  it("grants once, and only what is final or proven, signed off and not recalled", async () => {
    const policy = policyOf()
    const desk = await deskOf(policy)
    const { made, claim, prove } = await claimOf(policy)
    expect(await grant(desk, claim)).toBe("NotActionable(neither final nor proven)")
    await prove()
    const unsigned = await claimOf(policy, { decision: decisions.abstain })
    await unsigned.prove()
    expect(await grant(desk, unsigned.claim)).toBe("NotActionable(a required sign-off is missing)")
    const foreign = policyOf({ document: hash32("another") })
    expect(await grant(desk, { ...claim, policy: foreign })).toBe("NotActionable(another policy is shown)")
    expect(await grant(desk, claim, s.parties.stranger)).toMatch(/^NotApplicant\(/)
    expect(await grant(desk, claim)).toBe("granted")
    const gas = await send(s.parties.client, desk, "grant", [claim])
    expect(gas).toBeLessThan(200_000n)
    expect(await grant(desk, claim)).toBe(`AlreadyGranted(${made.id})`)
  })

  it("takes silence of the client for final, but no withdrawn approval", async () => {
    const policy = policyOf()
    const desk = await deskOf(policy)
    const { made, claim, approval } = await claimOf(policy)
    await s.pass(challengeWindow + 1)
    await send(s.parties.stranger, s.escrow, "settle", [made.terms])
    expect(await grant(desk, claim)).toBe("granted")
    await send(s.parties.approver, s.book, "withdraw", [approval.signOff])
    expect(await grant(desk, claim)).toBe("NotActionable(a required sign-off is missing)")
  })

  it("refuses what is anything else than it should be, by each condition", async () => {
    const policy = policyOf()
    const desk = await deskOf(policy)
    const { made, claim, approval, prove } = await claimOf(policy)
    await prove()
    const { approver, stranger } = s.parties
    const by = (signOff: object, signature: string) => ({
      ...claim,
      signOffs: [signOff, claim.signOffs[1]],
      signatures: [signature, "0x"],
    })
    const foreign = await s.signOff({ attestation: made.digest, scope: made.attestation.policy }, stranger)
    const other = await s.signOff({ attestation: hash32("other"), scope: made.attestation.policy }, approver)
    for (const [shown, reason] of [
      [by(foreign.signOff, foreign.signature), "a required sign-off is missing"],
      [by(approval.signOff, foreign.signature), "a required sign-off is missing"],
      [by(other.signOff, other.signature), "a required sign-off is missing"],
      [{ ...claim, words: s.subject.words(1) }, "other words are shown"],
      [{ ...claim, signature: approval.signature }, "not signed by the operator"],
    ] as const)
      expect(await grant(desk, shown)).toBe(`NotActionable(${reason})`)
    const no = await claimOf(policy, { output: -1 })
    await no.prove()
    expect(await grant(desk, no.claim)).toBe("NotActionable(out of bounds)")
    const { signOff, signature } = await s.signOff(
      { attestation: made.digest, scope: made.attestation.policy, decision: decisions.reject },
      approver,
    )
    expect(await grant(desk, claim)).toBe("granted")
    await send(stranger, s.book, "record", [signOff, signature])
    expect(await grant(desk, claim)).toBe("NotActionable(rejected)")
  })

  it("does not act on what its operator contradicted, nor on what is over", async () => {
    const policy = policyOf()
    const desk = await deskOf(policy)
    const { made, claim } = await claimOf(policy)
    await s.pass(challengeWindow + 1)
    await send(s.parties.stranger, s.escrow, "settle", [made.terms])
    expect(await grant(desk, claim)).toBe("granted")
    const second = await s.attest(made.terms, { output: hash32("another output") })
    const both = [made.attestation, made.signature, second.attestation, second.signature]
    await send(s.parties.stranger, s.book, "fileEquivocation", [...both, s.subject.layoutJson])
    expect(await grant(desk, claim)).toBe("NotActionable(contradicted by its operator)")
    const validUntil = (await s.now()) + 2 * challengeWindow
    const old = await claimOf(policy, { attested: { validUntil } })
    await old.prove()
    expect(await grant(desk, old.claim)).toBe("granted")
    await s.pass(2 * challengeWindow + 1)
    expect(await grant(desk, old.claim)).toBe("NotActionable(not valid now)")
  })

  it("refuses a policy that names no escrow, or another approver", async () => {
    const { client } = s.parties
    const open = policyOf({ escrow: "0x0000000000000000000000000000000000000000", signOffs: [] })
    const approverAlone = { signOffs: [{ role: roles.approver, signer: s.parties.approver.address }] }
    const noEscrow = { ...open, ...approverAlone }
    const first = await claimOf(noEscrow)
    const shown = (claim: object, i: number) => ({
      ...claim,
      signOffs: (claim as typeof first.claim).signOffs.slice(0, i),
      signatures: (claim as typeof first.claim).signatures.slice(0, i),
    })
    expect(await grant(await deskOf(noEscrow), shown(first.claim, 1))).toBe("WrongPolicy(escrow)")
    const other = policyOf({ signOffs: [{ role: roles.client, signer: client.address }] })
    const second = await claimOf(other)
    await second.prove()
    expect(await grant(await deskOf(other), shown(second.claim, 1))).toBe("WrongPolicy(approver)")
  })

  it("acts on nothing of a recalled model", async () => {
    const policy = policyOf()
    const desk = await deskOf(policy)
    const { claim, prove } = await claimOf(policy)
    await prove()
    expect(await grant(desk, claim)).toBe("granted")
    await send(s.parties.owner, s.registry, "deprecateModel", [s.modelId])
    expect(await grant(desk, claim)).toBe("NotActionable(not the policy's model, or recalled)")
  })
})
