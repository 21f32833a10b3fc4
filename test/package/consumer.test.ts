/** A stranger's contract (examples/consumer), compiled from the tarball in an empty project, and what it acts on. */
import { execFileSync } from "node:child_process"
import { copyFileSync, existsSync, rmSync } from "node:fs"
import { join } from "node:path"
import type { Contract } from "ethers"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Deployable, deploy } from "../../examples/chain.js"
import { hash32 } from "../support/groth16-oracle.js"
import { installed } from "../support/installed.js"
import {
  challengeWindow,
  decisions,
  policyDigest,
  roles,
  type Settlement,
  send,
  startSettlement,
} from "../support/settlement.js"

/** Runs in the empty project: solc, and sources as npm puts them there. Interfaces import nothing foreign. */
const compiler = `
  import { readFileSync } from "node:fs"
  import solc from "solc"
  const read = (path) => {
    if (!path.startsWith("countersign/")) return { error: "not of the package" }
    return { contents: readFileSync("node_modules/" + path, "utf8") }
  }
  const sources = { "LoanDesk.sol": { content: readFileSync("LoanDesk.sol", "utf8") } }
  const outputSelection = { "*": { LoanDesk: ["abi", "evm.bytecode.object"] } }
  const settings = { evmVersion: "cancun", optimizer: { enabled: true, runs: 200 }, outputSelection }
  const output = JSON.parse(solc.compile(JSON.stringify({ language: "Solidity", sources, settings }), { import: read }))
  const errors = (output.errors ?? []).filter(({ severity }) => severity === "error")
  const { abi, evm } = output.contracts?.["LoanDesk.sol"]?.LoanDesk ?? { evm: { bytecode: {} } }
  console.log(JSON.stringify({ errors, abi, bytecode: "0x" + evm.bytecode.object }))
`

describe("a stranger's consumer", () => {
  let folder: string
  let s: Settlement
  let compiled: Deployable & { errors: readonly unknown[] }
  beforeAll(async () => {
    folder = installed()
    const shipped = join(folder, "node_modules/countersign/examples/consumer/LoanDesk.sol")
    expect(existsSync(shipped)).toBe(true)
    copyFileSync(shipped, join(folder, "LoanDesk.sol"))
    const options = { cwd: folder, encoding: "utf8", maxBuffer: 2 ** 26 } as const
    compiled = JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", compiler], options))
    s = await startSettlement()
  }, 120_000)
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true })
    await s?.close()
  })

  const policyOf = (changes: object = {}) => ({
    document: hash32("document"),
    registry: s.registry.target,
    modelId: s.modelId,
    escrow: s.escrow.target,
    bounds: [],
    signOffs: [
      { role: roles.approver, signer: s.parties.approver.address },
      { role: roles.client, signer: s.parties.client.address },
    ],
    ...changes,
  })
  const deskOf = (policy: object): Promise<Contract> =>
    deploy(compiled, s.signer, s.book.target, policyDigest(policy as never), s.parties.approver.address)
  /** A request that was delivered, and what is shown to a desk of it. */
  async function claimOf(policy: object, decision = decisions.approve) {
    const { subject, parties } = s
    const made = await s.delivered({ policy: policyDigest(policy as never) })
    const approval = await s.signOff(
      { attestation: made.digest, scope: made.attestation.policy, decision },
      parties.approver,
    )
    const { attestation, signature, words } = made
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
  async function grant(desk: Contract, claim: object, who = s.parties.client): Promise<string> {
    const known = desk.interface
    try {
      await who.provider.call({
        from: who.address,
        to: desk.target,
        data: known.encodeFunctionData("grant", [claim]),
      })
      return "granted"
    } catch (error) {
      const parsed = known.parseError((error as { data: string }).data)
      return `${parsed?.name}(${parsed?.args.join(", ")})`
    }
  }

  it("compiles from the tarball, with interfaces alone", () => {
    expect(compiled.errors).toEqual([])
    expect(compiled.bytecode.length).toBeGreaterThan(1000)
  })

  it("grants once, and only what is final or proven, signed off and not recalled", async () => {
    const policy = policyOf()
    const desk = await deskOf(policy)
    const { made, claim, prove } = await claimOf(policy)
    expect(await grant(desk, claim)).toBe("NotActionable(neither final nor proven)")
    await prove()
    const unsigned = await claimOf(policy, decisions.abstain)
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
